//! The textbook breaks a window that is too large by losing all of its ACKs. The search needs one
//! loss.

use rdtp::check::{Event, Trace};

use super::*;

/// The counterexample with the fewest faults over a channel that only loses, with timers that
/// expire only when nothing is on its way: no fault but loss is left.
fn fewest<P: Protocol>(protocol: &P, messages: u16, capacity: usize) -> Trace {
    let report = model(LOSES, messages, capacity).patient().fewest_faults().check(protocol);
    assert!(matches!(report.verdict, Verdict::Unsafe(_)), "{protocol:?}: {}", report.verdict);
    *report.trace.unwrap()
}

fn lost(trace: &Trace) -> Vec<String> {
    let lost = trace.steps.iter().filter_map(|step| match &step.event {
        Event::Lose(flight) => Some(trace.name(&flight.packet)),
        _ => None,
    });
    lost.collect()
}

#[test]
fn go_back_n_with_as_many_packets_as_numbers_fails_by_one_lost_packet() {
    for bits in 1..=2_u32 {
        let window = 1 << bits;
        let trace = fewest(&gbn(window, window), 6, 4);
        assert_eq!(trace.faults(), 1);
        assert_eq!(lost(&trace), ["packet 0"], "the textbook loses {window} ACKs");
        let size = usize::try_from(window).unwrap();
        // Send the window, lose its first packet, deliver the second, and its ACK.
        assert_eq!(trace.steps.len(), size + 3);
    }
}

#[test]
fn selective_repeat_with_one_packet_too_many_fails_by_one_lost_ack() {
    let trace = fewest(&sr(3, 4), 6, 4);
    assert_eq!((trace.faults(), lost(&trace).as_slice()), (1, &["ACK 0".to_owned()][..]));
    let trace = fewest(&sr(2, 3), 5, 4);
    assert_eq!((trace.faults(), lost(&trace).as_slice()), (1, &["ACK 0".to_owned()][..]));
}

#[test]
fn a_legal_window_survives_the_same_losses() {
    for report in [
        model(LOSES, 6, 3).patient().fewest_faults().check(&gbn(3, 4)),
        model(LOSES, 6, 3).patient().fewest_faults().check(&sr(2, 4)),
    ] {
        assert_eq!(report.verdict, Verdict::Holds);
    }
}

#[test]
fn early_timeouts_count_as_faults() {
    let model = model(FIFO.overtaking(Overtake::Any), 4, 3).fewest_faults();
    let report = model.check(&StopAndWait::RDT30);
    let trace = report.trace.unwrap();
    // A copy of packet 0, made by an early timeout or by the channel, is overtaken twice: by the
    // next packet, and it is taken for the one after that.
    assert_eq!(trace.faults(), 2, "{:?}", trace.words());
}
