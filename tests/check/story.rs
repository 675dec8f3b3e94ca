//! What a person reads: sentences and the ladder.

use rdtp::{
    capture::Ladder,
    check::Trace,
    classic::{rdt20::Rdt20, rdt30::StopAndWait},
    trace::Observer as _,
};

use super::*;

fn ladder(trace: &Trace) -> String {
    let mut ladder = Ladder::new("");
    trace.records().iter().for_each(|record| ladder.record(record));
    ladder.to_text()
}

#[test]
fn the_lost_ack_in_words() {
    let model = model(LOSES, 6, 4).patient().fewest_faults();
    let trace = model.check(&sr(3, 4)).trace.unwrap();
    assert_eq!(
        trace.summary(),
        "ACK 0 is lost; timer 0 expires, and packet 0 is sent again; packet 0, an old copy of \
         message 0, falls into the new window and is kept, and ACK 0 is sent; packet 3 arrives and \
         is delivered, then message 0 as message 4, and ACK 3 is sent"
    );
}

#[test]
fn the_old_copy_in_words_and_as_a_ladder() {
    let trace = breaks(&StopAndWait::RDT30, model(REORDERS, 5, 3), 7).trace.unwrap();
    let words = trace.words();
    assert_eq!(words[2], "the timer expires too early, and packet 0 is sent again");
    assert_eq!(
        words[5..],
        [
            "packet 1 overtakes 1 packet and arrives and is delivered, and ACK 1 is sent",
            "packet 0, an old copy of message 0, arrives and is delivered as message 2, and ACK 0 \
             is sent",
        ]
    );
    let ladder = ladder(&trace);
    let expected = "
        5       Wait for ACK 1 │─ packet 1 ────────╮ ║    │
        6                      │                   ╰─────▶│ Wait for 0 from
                               │                     ║    │  below
                               │                     ║    │ deliver message 1
                               │              ┄┄── ACK 1 ─│
        7                      │                     ╚═══▶│ Wait for 1 from
";
    assert!(ladder.contains(expected), "{ladder}");
    assert!(ladder.contains("═ sent again   ┄ still on its way at the end\n"), "{ladder}");
    assert!(ladder.lines().all(|line| line.chars().count() <= 80), "{ladder}");
}

#[test]
fn damage_and_a_full_channel_in_words() {
    let trace = breaks(&Rdt20::default(), model(CORRUPTS, 3, 2), 5).trace.unwrap();
    assert_eq!(
        trace.words()[2..4],
        [
            "ACK is damaged",
            "damaged ACK arrives (garbled feedback, read as NAK), and the packet of message 0 is \
             sent",
        ]
    );
    let trace = breaks(&gbn(4, 4), model(LOSES, 5, 3), 7).trace.unwrap();
    assert_eq!(trace.words()[3], "message 3 is sent as packet 3, but the channel is full");
    assert!(
        trace.summary().ends_with("believes 4 messages delivered, but the receiver delivered 0")
    );
    let ladder = ladder(&trace);
    assert!(ladder.contains("─ packet 3 ──✗ link full"), "{ladder}");
}
