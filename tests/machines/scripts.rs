//! Actions and expectations, one table for each machine, as in the book's walks through its
//! figures. A failure prints the whole history.

use std::fmt::Write as _;

use rdtp::{
    classic::{
        Effect, Effects, Input, Machine, Packet, Protocol, SenderMachine, State,
        gbn::GoBackN,
        rdt10::Rdt10,
        rdt20::{Garbled, Rdt20},
        rdt21::Rdt21,
        rdt22::Rdt22,
        rdt30::StopAndWait,
        sr::SelectiveRepeat,
    },
    seq::Modulus,
    trace::Tag,
};

/// "send a", "packet 0 a", "ack 0", "nak", "corrupt", "timeout", "timeout 2".
fn input(text: &str) -> Input<char> {
    let words: Vec<_> = text.split(' ').collect();
    let number = |at: usize| words.get(at).map_or(0, |word| word.parse().unwrap());
    let letter = |at: usize| words[at].chars().next().unwrap();
    match words[0] {
        "send" => Input::Send(letter(1)),
        "packet" => Input::Arrive(Packet::Data { seq: number(1), data: letter(2) }),
        "ack" => Input::Arrive(Packet::Ack { seq: number(1) }),
        "nak" => Input::Arrive(Packet::Nak { seq: number(1) }),
        "corrupt" => Input::ArriveCorrupt,
        "timeout" if words.len() > 1 => Input::Expire(Tag::Packet(number(1))),
        "timeout" => Input::Expire(Tag::Oldest),
        other => panic!("no such action: {other}"),
    }
}

fn describe(effect: &Effect<char>) -> String {
    match effect {
        Effect::Transmit(Packet::Data { seq, data }) => format!("packet {seq} {data}"),
        Effect::Transmit(Packet::Ack { seq }) => format!("ack {seq}"),
        Effect::Transmit(Packet::Nak { .. }) => "nak".into(),
        Effect::Deliver(data) => format!("deliver {data}"),
        Effect::Start(Tag::Oldest) => "start".into(),
        Effect::Start(Tag::Packet(seq)) => format!("start {seq}"),
        Effect::Stop(Tag::Oldest) => "stop".into(),
        Effect::Stop(Tag::Packet(seq)) => format!("stop {seq}"),
    }
}

/// Each line: action, effects separated by commas (or empty), state afterwards, rule taken.
fn script<M: Machine<char>>(mut machine: M, lines: &[(&str, &str, &str, &str)]) -> M {
    let mut history = String::new();
    for &(action, effects_expected, state, rule) in lines {
        let mut effects = Effects::default();
        let fired = machine.step(input(action), &mut effects);
        let effects: Vec<_> = effects.as_slice().iter().map(describe).collect();
        let got = (effects.join(", "), fired.to.label().to_string(), fired.rule.name);
        writeln!(history, "{action:<14} -> {:<28} {} [{}]", got.0, got.1, got.2).unwrap();
        assert_eq!(
            (got.0.as_str(), got.1.as_str(), got.2),
            (effects_expected, state, rule),
            "the last line of this history is not what the figure says:\n{history}"
        );
    }
    machine
}

const CALL: &str = "Wait for call from above";
const BELOW: &str = "Wait for call from below";

#[test]
fn s2_15_rdt10_one_state_each_and_no_feedback() {
    script(
        Rdt10.sender(),
        &[
            ("send a", "packet 0 a", CALL, "send"),
            ("send b", "packet 0 b", CALL, "send"),
            ("ack", "", CALL, "no-feedback"),
            ("timeout", "", CALL, "no-feedback"),
        ],
    );
    script(
        Rdt10.receiver(),
        &[
            ("packet 0 a", "deliver a", BELOW, "deliver"),
            ("packet 0 a", "deliver a", BELOW, "deliver"),
            ("corrupt", "", BELOW, "no-check"),
            ("ack", "", BELOW, "not-data"),
        ],
    );
}

#[test]
fn s2_16_rdt20_sender_accepts_no_new_data_while_waiting() {
    const WAIT: &str = "Wait for ACK or NAK";
    let sender = script(
        Rdt20::default().sender(),
        &[
            ("ack", "", CALL, "stray"),
            ("send a", "packet 0 a", WAIT, "send"),
            ("send b", "", WAIT, "busy"),
            ("nak", "packet 0 a", WAIT, "resend"),
            ("corrupt", "packet 0 a", WAIT, "garbled-resend"),
            ("timeout", "", WAIT, "not-feedback"),
            ("ack", "", CALL, "acked"),
            ("send b", "packet 0 b", WAIT, "send"),
        ],
    );
    assert!(!sender.ready() && sender.unacked() == 1);
    script(
        Rdt20 { garbled: Garbled::Ignore }.sender(),
        &[("send a", "packet 0 a", WAIT, "send"), ("corrupt", "", WAIT, "garbled-ignore")],
    );
    let sender = script(
        Rdt20 { garbled: Garbled::TakeAsAck }.sender(),
        &[("send a", "packet 0 a", WAIT, "send"), ("corrupt", "", CALL, "garbled-ack")],
    );
    assert!(sender.ready() && sender.unacked() == 0, "it believes what it cannot know");
    script(
        Rdt20::default().receiver(),
        &[
            ("packet 0 a", "deliver a, ack 0", BELOW, "deliver"),
            ("corrupt", "nak", BELOW, "nak"),
            ("packet 0 a", "deliver a, ack 0", BELOW, "deliver"),
        ],
    );
}

#[test]
fn s2_17_rdt21_out_of_order_gets_ack_corrupt_gets_nak() {
    script(
        Rdt21.sender(),
        &[
            ("send a", "packet 0 a", "Wait for ACK or NAK 0", "send"),
            ("corrupt", "packet 0 a", "Wait for ACK or NAK 0", "resend-corrupt"),
            ("nak", "packet 0 a", "Wait for ACK or NAK 0", "resend-nak"),
            ("ack", "", "Wait for call 1 from above", "acked"),
            ("nak", "", "Wait for call 1 from above", "stray"),
            ("send b", "packet 1 b", "Wait for ACK or NAK 1", "send"),
            ("send c", "", "Wait for ACK or NAK 1", "busy"),
            ("ack", "", "Wait for call 0 from above", "acked"),
        ],
    );
    script(
        Rdt21.receiver(),
        &[
            ("packet 1 x", "ack 0", "Wait for 0 from below", "duplicate"),
            ("corrupt", "nak", "Wait for 0 from below", "nak"),
            ("packet 0 a", "deliver a, ack 0", "Wait for 1 from below", "deliver"),
            ("packet 0 a", "ack 0", "Wait for 1 from below", "duplicate"),
            ("packet 1 b", "deliver b, ack 0", "Wait for 0 from below", "deliver"),
        ],
    );
}

#[test]
fn s2_18_rdt22_acks_carry_the_number() {
    script(
        Rdt22.sender(),
        &[
            ("send a", "packet 0 a", "Wait for ACK 0", "send"),
            ("ack 1", "packet 0 a", "Wait for ACK 0", "resend-ack"),
            ("corrupt", "packet 0 a", "Wait for ACK 0", "resend-corrupt"),
            ("nak", "", "Wait for ACK 0", "not-ack"),
            ("ack 0", "", "Wait for call 1 from above", "acked"),
            ("ack 0", "", "Wait for call 1 from above", "stray"),
            ("send b", "packet 1 b", "Wait for ACK 1", "send"),
            ("ack 0", "packet 1 b", "Wait for ACK 1", "resend-ack"),
            ("ack 1", "", "Wait for call 0 from above", "acked"),
        ],
    );
    script(
        Rdt22.receiver(),
        &[
            ("corrupt", "ack 1", "Wait for 0 from below", "repeat-corrupt"),
            ("packet 1 x", "ack 1", "Wait for 0 from below", "repeat-other"),
            ("packet 0 a", "deliver a, ack 0", "Wait for 1 from below", "deliver"),
            ("packet 0 a", "ack 0", "Wait for 1 from below", "repeat-other"),
            ("packet 1 b", "deliver b, ack 1", "Wait for 0 from below", "deliver"),
        ],
    );
}

#[test]
fn s2_19_rdt30_only_the_timer_resends() {
    script(
        StopAndWait::RDT30.sender(),
        &[
            ("timeout", "", "Wait for call 0 from above", "late-timer"),
            ("send a", "packet 0 a, start", "Wait for ACK 0", "send"),
            ("ack 1", "", "Wait for ACK 0", "wrong-ack"),
            ("corrupt", "", "Wait for ACK 0", "garbled"),
            ("timeout", "packet 0 a, start", "Wait for ACK 0", "timeout"),
            ("ack 0", "stop", "Wait for call 1 from above", "acked"),
            ("ack 0", "", "Wait for call 1 from above", "stray"),
            ("send b", "packet 1 b, start", "Wait for ACK 1", "send"),
            ("ack 0", "", "Wait for ACK 1", "wrong-ack"),
            ("ack 1", "stop", "Wait for call 0 from above", "acked"),
        ],
    );
}

#[test]
fn stop_and_wait_counts_through_all_its_numbers() {
    let mut lines = Vec::new();
    let texts: Vec<[String; 5]> = (0..7)
        .map(|i| i % 3)
        .map(|k| {
            [
                format!("packet {k} x, start"),
                format!("Wait for ACK {k}"),
                format!("ack {k}"),
                format!("ack {}", (k + 2) % 3),
                format!("Wait for call {} from above", (k + 1) % 3),
            ]
        })
        .collect();
    for [packet, wait, ack, wrong, call] in &texts {
        lines.push(("send x", packet.as_str(), wait.as_str(), "send"));
        lines.push((wrong, "", wait, "wrong-ack"));
        lines.push((ack, "stop", call, "acked"));
    }
    script(StopAndWait::new(Modulus::new(3)).sender(), &lines);
}

#[test]
fn the_sorcerers_apprentice_resends_on_every_wrong_ack() {
    script(
        StopAndWait::RDT30.sorcerers_apprentice().sender(),
        &[
            ("send a", "packet 0 a, start", "Wait for ACK 0", "send"),
            ("timeout", "packet 0 a, start", "Wait for ACK 0", "timeout"),
            ("ack 0", "stop", "Wait for call 1 from above", "acked"),
            ("send b", "packet 1 b, start", "Wait for ACK 1", "send"),
            ("ack 0", "packet 1 b, start", "Wait for ACK 1", "apprentice-ack"),
        ],
    );
}

#[test]
fn go_back_n_sends_the_window_again() {
    let gbn = GoBackN::new(3, Modulus::new(4)).unwrap();
    script(
        gbn.sender(),
        &[
            ("send a", "packet 0 a, start", "Wait", "send-first"),
            ("send b", "packet 1 b", "Wait", "send"),
            ("send c", "packet 2 c", "Wait", "send"),
            ("send d", "", "Wait", "refuse"),
            ("ack 3", "", "Wait", "old-ack"),
            ("timeout", "start, packet 0 a, packet 1 b, packet 2 c", "Wait", "timeout"),
            ("ack 1", "start", "Wait", "acked-some"),
            ("ack 0", "", "Wait", "old-ack"),
            ("corrupt", "", "Wait", "garbled"),
            ("send d", "packet 3 d", "Wait", "send"),
            ("send e", "packet 0 e", "Wait", "send"),
            ("ack 0", "stop", "Wait", "acked-all"),
            ("timeout", "", "Wait", "late-timer"),
            ("send f", "packet 1 f, start", "Wait", "send-first"),
        ],
    );
    script(
        gbn.receiver(),
        &[
            ("packet 1 b", "ack 3", "Wait", "out-of-order"),
            ("corrupt", "ack 3", "Wait", "damaged"),
            ("packet 0 a", "deliver a, ack 0", "Wait", "deliver"),
            ("packet 2 c", "ack 0", "Wait", "out-of-order"),
            ("packet 1 b", "deliver b, ack 1", "Wait", "deliver"),
            ("packet 2 c", "deliver c, ack 2", "Wait", "deliver"),
            ("packet 3 d", "deliver d, ack 3", "Wait", "deliver"),
            ("packet 0 e", "deliver e, ack 0", "Wait", "deliver"),
        ],
    );
}

#[test]
fn selective_repeat_keeps_what_is_out_of_order() {
    let sr = SelectiveRepeat::new(2, Modulus::new(4)).unwrap();
    script(
        sr.sender(),
        &[
            ("send a", "packet 0 a, start 0", "Wait", "send"),
            ("send b", "packet 1 b, start 1", "Wait", "send"),
            ("send c", "", "Wait", "refuse"),
            ("ack 1", "stop 1", "Wait", "acked-inside"),
            ("ack 1", "", "Wait", "old-ack"),
            ("timeout 1", "", "Wait", "late-timer"),
            ("timeout 0", "packet 0 a, start 0", "Wait", "timeout"),
            ("send c", "", "Wait", "refuse"),
            ("ack 0", "stop 0", "Wait", "acked-base"),
            ("send c", "packet 2 c, start 2", "Wait", "send"),
            ("send d", "packet 3 d, start 3", "Wait", "send"),
            ("ack 2", "stop 2", "Wait", "acked-base"),
            ("send e", "packet 0 e, start 0", "Wait", "send"),
        ],
    );
    script(
        sr.receiver(),
        &[
            ("packet 1 b", "ack 1", "Wait", "buffer"),
            ("packet 1 b", "ack 1", "Wait", "again"),
            ("packet 0 a", "ack 0, deliver a, deliver b", "Wait", "deliver"),
            ("packet 0 a", "ack 0", "Wait", "again"),
            ("corrupt", "", "Wait", "damaged"),
            ("packet 3 d", "ack 3", "Wait", "buffer"),
            ("packet 2 c", "ack 2, deliver c, deliver d", "Wait", "deliver"),
            ("packet 0 e", "ack 0, deliver e", "Wait", "deliver"),
        ],
    );
}

#[test]
fn the_window_rules_are_tight() {
    for bits in 1..6 {
        let (m, half) = (Modulus::bits(bits), 1 << (bits - 1));
        assert!(GoBackN::new(m.count() - 1, m).is_ok() && GoBackN::new(m.count(), m).is_err());
        assert!(SelectiveRepeat::new(half, m).is_ok());
        assert!(SelectiveRepeat::new(half + 1, m).is_err());
    }
}
