//! Utilisation of the line against the formulas of the textbook: a test of correctness by speed.
//!
//! T is the time a packet takes on the line, a the one-way delay in units of T, p the loss of data
//! packets; ACKs take no time. The sender's own interface is the bottleneck, and the timeout is just
//! over one round trip, as the formulas assume.

use core::time::Duration;

use rdtp::{
    classic::{Config, Spec, Timeout},
    quantity::Bandwidth,
    sim::{Egress, Transfer, Verdict},
};

use crate::config;

/// 1250 bytes at 10 Mbit/s: T = 1 ms.
const T: f64 = 0.001;
const PAYLOAD: usize = 1238;
const DATAGRAM: usize = 1250;

struct Case {
    spec: &'static str,
    /// One-way delay in units of T, that is, in ms.
    a: u32,
    /// Loss of data packets and of ACKs in percent.
    loss: (u32, u32),
    formula: f64,
}

fn measure(case: &Case, messages: u32) -> f64 {
    let spec: Spec = case.spec.parse().unwrap();
    let (data, ack) = case.loss;
    let network =
        format!("up.loss={data}%,down.loss={ack}%,delay={}ms,up.rate=10mbit,up.queue=1MB", case.a);
    // A packet takes T to send, then a round trip; a little more lets the ACK win.
    let rto = Duration::from_millis(1 + 2 * u64::from(case.a)) + Duration::from_micros(50);
    let transfer = Transfer::new(vec![vec![0; PAYLOAD]; messages as usize])
        .over(network.parse().unwrap())
        .config(Config { timeout: Timeout::Fixed(rto), ..config() })
        .egress(Egress::LinePaced)
        .limit(Duration::from_hours(24))
        .seed(1);
    let report = transfer.run(spec, &mut ()).unwrap();
    assert_eq!(report.verdict, Verdict::Intact, "{}", case.spec);
    f64::from(messages) * T / report.elapsed.as_secs_f64()
}

fn compare(cases: &[Case], messages: u32) {
    println!(
        "{:<12} {:>4} {:>9} {:>8} {:>9} {:>6}",
        "protocol", "a", "loss", "formula", "measured", "ratio"
    );
    let mut worst: f64 = 0.0;
    for case in cases {
        let measured = measure(case, messages);
        let ratio = measured / case.formula;
        let loss = format!("{}/{} %", case.loss.0, case.loss.1);
        println!(
            "{:<12} {:>4} {loss:>9} {:>8.4} {measured:>9.4} {ratio:>6.3}",
            case.spec, case.a, case.formula
        );
        worst = worst.max((ratio - 1.0).abs());
    }
    assert!(worst < 0.05, "more than 5 % off: {worst:.3}");
}

#[test]
fn the_packet_time_is_one_millisecond() {
    use rdtp::wire::{Frame, Kind};
    // The first numbers take up to three bytes less, 0.2 % of a packet.
    for (seq, bytes) in [(16_384, DATAGRAM), (0, DATAGRAM - 3)] {
        let frame = Frame { kind: Kind::Data, seq, payload: &[0; PAYLOAD] };
        assert_eq!(config().codec.encoded_len(&frame), bytes);
    }
    let line: Bandwidth = "10mbit".parse().unwrap();
    assert_eq!(line.time_for(DATAGRAM), Duration::from_millis(1));
}

/// U = T / ((T + RTT) + (1/q - 1)(T + To)) with q = (1 - pd)(1 - pa).
#[test]
fn stop_and_wait() {
    let formula = |a: u32, (data, ack): (u32, u32)| {
        let q = (1.0 - f64::from(data) / 100.0) * (1.0 - f64::from(ack) / 100.0);
        let round = 1.0 + 2.0 * f64::from(a);
        1.0 / (round + (1.0 / q - 1.0) * round)
    };
    let case = |a, loss| Case { spec: "rdt3.0", a, loss, formula: formula(a, loss) };
    compare(
        &[
            case(1, (0, 0)),
            case(13, (0, 0)),
            case(13, (1, 0)),
            case(13, (10, 0)),
            case(13, (20, 20)),
            case(212, (10, 0)),
        ],
        20_000,
    );
}

/// U = (1 - p) / (1 + 2ap) if W >= 1 + 2a, else W (1 - p) / ((1 + 2a)(1 - p + W p)).
///
/// The second case charges every loss a whole window, so it holds while losses are rarer than
/// windows; see the next test for the rest.
#[test]
fn go_back_n() {
    let formula = |w: u32, a: u32, p: f64| {
        let (w, round) = (f64::from(w), 1.0 + 2.0 * f64::from(a));
        if w >= round {
            (1.0 - p) / (1.0 + (round - 1.0) * p)
        } else {
            w * (1.0 - p) / (round * (1.0 - p + w * p))
        }
    };
    let case = |spec, w, a, loss: u32| Case {
        spec,
        a,
        loss: (loss, 0),
        formula: formula(w, a, f64::from(loss) / 100.0),
    };
    compare(
        &[
            case("gbn:64", 64, 13, 0),
            case("gbn:64", 64, 13, 1),
            case("gbn:64", 64, 13, 10),
            case("gbn:1024", 1024, 212, 0),
            case("gbn:1024", 1024, 212, 1),
            case("gbn:8", 8, 13, 0),
            case("gbn:8", 8, 13, 1),
            case("gbn:2", 2, 13, 5),
            case("gbn:64", 64, 212, 0),
        ],
        20_000,
    );
}

/// A window smaller than the round trip, and losses as frequent as windows. The window leaves as a
/// burst every 1 + 2a; a loss at place j of the burst lets the next one begin j later and with j
/// packets delivered. With s = (1 - p)(1 - (1 - p)^W) / p packets delivered in a burst on average,
/// U = s / (1 + 2a + s - W (1 - p)^W). The simple formula above is up to 19 % pessimistic here.
#[test]
fn go_back_n_with_a_loss_in_every_window() {
    let formula = |w: u32, a: u32, p: f64| {
        let (round, all) = (1.0 + 2.0 * f64::from(a), (1.0 - p).powi(w.cast_signed()));
        let s = (1.0 - p) * (1.0 - all) / p;
        s / (round + s - f64::from(w) * all)
    };
    let case = |spec, w, a, loss: u32| Case {
        spec,
        a,
        loss: (loss, 0),
        formula: formula(w, a, f64::from(loss) / 100.0),
    };
    compare(
        &[
            case("gbn:8", 8, 13, 1),
            case("gbn:8", 8, 13, 10),
            case("gbn:8", 8, 13, 30),
            case("gbn:64", 64, 212, 1),
            case("gbn:64", 64, 212, 10),
        ],
        20_000,
    );
}

/// U = 1 - p if W >= 1 + 2a, else W (1 - p) / (1 + 2a). The formula knows no head-of-line blocking:
/// a window that is finite on the receiving side too needs about four round trips of packets to
/// reach the first case, and the second holds while losses are rarer than windows.
#[test]
fn selective_repeat() {
    let formula = |w: u32, a: u32, p: f64| {
        let (w, round) = (f64::from(w), 1.0 + 2.0 * f64::from(a));
        if w >= round { 1.0 - p } else { w * (1.0 - p) / round }
    };
    let case = |spec, w, a, loss: u32| Case {
        spec,
        a,
        loss: (loss, 0),
        formula: formula(w, a, f64::from(loss) / 100.0),
    };
    compare(
        &[
            case("sr:64", 64, 13, 0),
            case("sr:108", 108, 13, 1),
            case("sr:256", 256, 13, 10),
            case("sr:2048", 2048, 212, 1),
            case("sr:2048", 2048, 212, 10),
            case("sr:8", 8, 13, 0),
            case("sr:64", 64, 212, 0),
            case("sr:2", 2, 13, 1),
        ],
        60_000,
    );
}
