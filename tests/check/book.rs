//! From rdt 1.0 to selective repeat: what each bears, and how it breaks one step beyond.
//!
//! Where sizes are given, an independent program that models the same protocols found the same
//! numbers of states and transitions.

use rdtp::{
    check::{Message, Verdict, Violation},
    classic::{
        rdt10::Rdt10,
        rdt20::{Garbled, Rdt20},
        rdt21::Rdt21,
        rdt22::Rdt22,
        rdt30::StopAndWait,
    },
};

use super::*;

fn delivered(got: u16, expected: u16) -> Verdict {
    Verdict::Unsafe(Violation::Delivered { got: Message(got), expected: Message(expected) })
}

fn believed(believed: u16, delivered: u16) -> Verdict {
    Verdict::Unsafe(Violation::Believed { believed, delivered })
}

#[test]
fn rdt10_needs_a_perfect_channel() {
    assert_eq!(size(&holds(&Rdt10, model(PERFECT, 3, 2))), (9, 10));
    let garbage = breaks(&Rdt10, model(CORRUPTS, 3, 2), 3);
    assert_eq!((garbage.states, garbage.verdict), (8, delivered(Message::GARBAGE.0, 0)));
    assert_eq!(breaks(&Rdt10, model(LOSES, 3, 2), 4).verdict, delivered(1, 0));
    let reordered = breaks(&Rdt10, model(REORDERS, 3, 2), 3);
    assert_eq!((reordered.states, reordered.verdict), (6, delivered(1, 0)));
    breaks(&Rdt10, model(COPIES, 3, 2), 4);
}

#[test]
fn rdt20_has_a_flaw_in_each_reading() {
    let rdt20 = |garbled| Rdt20 { garbled };
    let twice = breaks(&rdt20(Garbled::Resend), model(CORRUPTS, 3, 2), 5);
    assert_eq!(twice.verdict, delivered(0, 1), "a duplicate");
    let waiting = sticks(&rdt20(Garbled::Ignore), model(CORRUPTS, 3, 2), 3);
    assert_eq!((waiting.states, waiting.stuck_states), (28, 12));
    assert_eq!(waiting.verdict, Verdict::Stuck { deadlock: true });
    let wishful = breaks(&rdt20(Garbled::TakeAsAck), model(CORRUPTS, 3, 2), 5);
    assert_eq!(wishful.verdict, believed(1, 0));
    // The book's own assumption: feedback is never damaged.
    for garbled in [Garbled::Resend, Garbled::Ignore, Garbled::TakeAsAck] {
        holds(&rdt20(garbled), model(CORRUPTS, 3, 2).feedback(PERFECT));
    }
}

#[test]
fn rdt21_and_rdt22_bear_bit_errors() {
    assert_eq!(size(&holds(&Rdt21, model(CORRUPTS, 4, 2))), (41, 60));
    assert_eq!(size(&holds(&Rdt22, model(CORRUPTS, 4, 2))), (37, 52));
}

#[test]
fn rdt21_and_rdt22_wait_for_ever_after_one_loss() {
    for (states, report) in [
        (49, sticks(&Rdt21, model(CORRUPTS.losing(), 4, 2), 2)),
        (45, sticks(&Rdt22, model(CORRUPTS.losing(), 4, 2), 2)),
    ] {
        assert_eq!((report.states, report.stuck_states), (states, 8));
        assert_eq!(report.verdict, Verdict::Stuck { deadlock: true });
    }
}

#[test]
fn copies_fool_rdt21_and_jam_rdt22() {
    assert_eq!(breaks(&Rdt21, model(COPIES, 4, 2), 6).verdict, believed(2, 1));
    let jammed = sticks(&Rdt22, model(COPIES, 4, 2), 7);
    assert_eq!(jammed.states, 99);
}

#[test]
fn rdt30_bears_everything_that_keeps_order() {
    for (messages, capacity, expected) in
        [(3, 2, (445, 2_561)), (4, 3, (1_901, 11_961)), (6, 4, (7_351, 48_186))]
    {
        let report = holds(&StopAndWait::RDT30, model(FIFO, messages, capacity));
        assert_eq!(size(&report), expected);
    }
    holds(&StopAndWait::RDT30.sorcerers_apprentice(), model(FIFO, 4, 3));
}

#[test]
fn reordering_breaks_stop_and_wait_three_steps_later_for_each_number() {
    for numbers in 2..=6_u16 {
        let report = breaks(
            &saw(numbers.into()),
            model(REORDERS, numbers + 3, 3),
            usize::from(3 * numbers + 1),
        );
        assert_eq!(report.verdict, delivered(0, numbers));
    }
}

#[test]
fn stop_and_wait_with_unbounded_numbers_bears_everything() {
    for (messages, capacity, states) in [(3, 2, 1_279), (6, 3, 89_624)] {
        let report = holds(&saw(UNBOUNDED), model(Channel::HOSTILE, messages, capacity));
        assert_eq!(report.states, states);
    }
}

#[test]
fn go_back_n_needs_one_number_more_than_its_window() {
    assert_eq!(size(&holds(&gbn(2, 3), model(LOSES, 5, 2))), (925, 4_093));
    assert_eq!(size(&holds(&gbn(3, 4), model(LOSES, 7, 3))), (20_820, 104_700));
    // An early timeout alone breaks a window as large as the modulus: 6, 8 and 10 steps. Loss does
    // it sooner: the receiver's ACK of "the number before" looks like one for the whole window.
    for window in 2..=4_u16 {
        let illegal = gbn(window.into(), window.into());
        let size = usize::from(window);
        let report = breaks(&illegal, model(PERFECT, 2 * window, 2 * size), 2 * size + 2);
        assert_eq!(report.verdict, delivered(0, window));
        let report = breaks(&illegal, model(LOSES, 2 * window, size), size + 3);
        assert_eq!(report.verdict, believed(window, 0));
    }
}

#[test]
fn go_back_n_4_of_5() {
    assert_eq!(size(&holds(&gbn(4, 5), model(LOSES, 9, 4))), (438_180, 2_309_024));
}

#[test]
fn go_back_n_bears_copies_and_damage_but_no_reordering_with_few_numbers() {
    holds(&gbn(3, 4), model(FIFO, 7, 3));
    breaks(&gbn(2, 3), model(REORDERS, 5, 3), 7);
    breaks(&gbn(2, 4), model(REORDERS, 7, 3), 10);
    let report = holds(&gbn(2, UNBOUNDED), model(REORDERS.losing().duplicating(), 4, 2));
    assert_eq!(report.states, 2_090);
}

#[test]
fn selective_repeat_needs_twice_as_many_numbers_as_its_window() {
    assert_eq!(size(&holds(&sr(2, 4), model(LOSES, 6, 3))), (15_651, 87_265));
    assert_eq!(breaks(&sr(2, 3), model(LOSES, 6, 3), 9).verdict, delivered(0, 3));
    assert_eq!(breaks(&sr(3, 4), model(LOSES, 8, 3), 11).verdict, delivered(0, 4));
    assert_eq!(breaks(&sr(3, 5), model(LOSES, 8, 3), 14).verdict, delivered(0, 5));
}

#[test]
fn selective_repeat_3_of_6() {
    assert_eq!(size(&holds(&sr(3, 6), model(LOSES, 9, 3))), (394_440, 2_572_597));
}

#[test]
fn selective_repeat_bears_copies_and_damage_but_no_reordering_with_few_numbers() {
    assert_eq!(size(&holds(&sr(2, 4), model(FIFO, 6, 3))), (46_638, 350_021));
    breaks(&sr(2, 4), model(REORDERS, 6, 3), 12);
}

#[test]
fn selective_repeat_with_unbounded_numbers_bears_everything() {
    let report = holds(&sr(3, UNBOUNDED), model(Channel::HOSTILE, 5, 3));
    assert_eq!(report.states, 210_713);
}
