//! What is known of the book's protocols, as one table: the crate's own search, Spin and Stateright
//! are all held to it.
//!
//! Sizes of spaces are part of it where all of a space is visited: three programs that count the
//! same states model the same thing.

use rdtp::{
    check::{Message, Verdict, Violation},
    classic::{
        Spec,
        rdt10::Rdt10,
        rdt20::{Garbled, Rdt20},
        rdt21::Rdt21,
        rdt22::Rdt22,
        rdt30::StopAndWait,
    },
};

use super::*;

/// A protocol over a channel, and what comes of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) spec: Spec,
    pub(crate) model: Model,
    pub(crate) outcome: Outcome,
    /// How many states there are, or are visited before the first failure.
    pub(crate) states: Option<u64>,
    pub(crate) transitions: Option<u64>,
    /// Messages and capacity for a tool that is slower: still once around the numbers.
    pub(crate) smaller: Option<(u16, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Holds,
    /// Something wrong is delivered or believed, in this many steps and no fewer.
    Unsafe {
        steps: usize,
        violation: Option<Violation>,
    },
    /// Safe, but in this many steps all comes to rest before the end.
    Deadlock {
        steps: usize,
        stuck_states: Option<u64>,
    },
}

impl Row {
    const fn new(spec: Spec, channel: Channel, messages: u16, capacity: usize) -> Self {
        let model = Model::over(channel).messages(messages).capacity(capacity);
        let outcome = Outcome::Holds;
        Self { spec, model, outcome, states: None, transitions: None, smaller: None }
    }

    fn holds(self, states: u64, transitions: u64) -> Self {
        Self { states: Some(states), transitions: Some(transitions), ..self }
    }

    /// It breaks somehow.
    fn breaks(self, steps: usize) -> Self {
        Self { outcome: Outcome::Unsafe { steps, violation: None }, ..self }
    }

    /// Message `got` is delivered in place of message `expected`.
    fn delivers(self, steps: usize, got: u16, expected: u16) -> Self {
        let (got, expected) = (Message(got), Message(expected));
        let violation = Some(Violation::Delivered { got, expected });
        Self { outcome: Outcome::Unsafe { steps, violation }, ..self }
    }

    /// The sender believes more delivered than is.
    fn believes(self, steps: usize, believed: u16, delivered: u16) -> Self {
        let violation = Some(Violation::Believed { believed, delivered });
        Self { outcome: Outcome::Unsafe { steps, violation }, ..self }
    }

    fn sticks(self, steps: usize, states: u64, stuck_states: Option<u64>) -> Self {
        let outcome = Outcome::Deadlock { steps, stuck_states };
        Self { outcome, states: Some(states), ..self }
    }

    fn after(self, states: u64) -> Self {
        Self { states: Some(states), ..self }
    }

    fn feedback(self, channel: Channel) -> Self {
        Self { model: self.model.feedback(channel), ..self }
    }

    fn smaller(self, messages: u16, capacity: usize) -> Self {
        Self { smaller: Some((messages, capacity)), ..self }
    }

    /// How many states another tool has to find in the same model. Where overtaking is counted they
    /// differ: the search leaves out that of two equal packets the second comes first, and Promela
    /// takes two steps to overtake.
    pub(crate) fn states_elsewhere(&self) -> Option<u64> {
        let counted =
            |channel: Channel| !matches!(channel.overtake, Overtake::NEVER | Overtake::Any);
        let same = !counted(self.model.data) && !counted(self.model.feedback);
        self.states.filter(|_| same)
    }

    /// The verdict, as far as the row says it.
    pub(crate) fn fits(&self, verdict: Verdict) -> bool {
        match (self.outcome, verdict) {
            (Outcome::Holds, Verdict::Holds)
            | (Outcome::Deadlock { .. }, Verdict::Stuck { deadlock: true }) => true,
            (Outcome::Unsafe { violation, .. }, Verdict::Unsafe(found)) => {
                violation.is_none_or(|violation| violation == found)
            }
            _ => false,
        }
    }
}

fn saw(numbers: u64) -> Spec {
    Spec::StopAndWait(super::saw(numbers))
}

fn gbn(window: u64, numbers: u64) -> Spec {
    Spec::GoBackN(super::gbn(window, numbers))
}

fn sr(window: u64, numbers: u64) -> Spec {
    Spec::SelectiveRepeat(super::sr(window, numbers))
}

/// The whole table.
pub(crate) fn all() -> Vec<Row> {
    [
        rdt10(),
        rdt20(),
        rdt21_and_rdt22(),
        stop_and_wait(),
        go_back_n(),
        vec![go_back_n_4_of_5()],
        selective_repeat(),
        vec![selective_repeat_3_of_6()],
        overtaking(),
    ]
    .concat()
}

pub(crate) fn rdt10() -> Vec<Row> {
    let row = |channel| Row::new(Spec::Rdt10(Rdt10), channel, 3, 2);
    vec![
        row(PERFECT).holds(9, 10),
        row(CORRUPTS).delivers(3, Message::GARBAGE.0, 0).after(8),
        row(LOSES).delivers(4, 1, 0),
        row(REORDERS).delivers(3, 1, 0).after(6),
        row(COPIES).breaks(4),
    ]
}

pub(crate) fn rdt20() -> Vec<Row> {
    let row = |garbled| Row::new(Spec::Rdt20(Rdt20 { garbled }), CORRUPTS, 3, 2);
    vec![
        // A duplicate; both wait for ever; believed and not delivered.
        row(Garbled::Resend).delivers(5, 0, 1),
        row(Garbled::Ignore).sticks(3, 28, Some(12)),
        row(Garbled::TakeAsAck).believes(5, 1, 0),
        // The book's own assumption: feedback is never damaged.
        row(Garbled::Resend).feedback(PERFECT).holds(16, 18),
        row(Garbled::Ignore).feedback(PERFECT).holds(16, 18),
        row(Garbled::TakeAsAck).feedback(PERFECT).holds(16, 18),
    ]
}

pub(crate) fn rdt21_and_rdt22() -> Vec<Row> {
    let rdt21 = |channel| Row::new(Spec::Rdt21(Rdt21), channel, 4, 2);
    let rdt22 = |channel| Row::new(Spec::Rdt22(Rdt22), channel, 4, 2);
    vec![
        rdt21(CORRUPTS).holds(41, 60),
        rdt22(CORRUPTS).holds(37, 52),
        // One loss, and both wait for ever.
        rdt21(CORRUPTS.losing()).sticks(2, 49, Some(8)),
        rdt22(CORRUPTS.losing()).sticks(2, 45, Some(8)),
        // ACKs without a number acknowledge twice; each copied ACK makes a copy, until all is full.
        rdt21(COPIES).believes(6, 2, 1),
        rdt22(COPIES).sticks(7, 99, None),
    ]
}

pub(crate) fn stop_and_wait() -> Vec<Row> {
    let rdt30 = |channel, messages, capacity| Row::new(saw(2), channel, messages, capacity);
    let apprentice = Spec::StopAndWait(StopAndWait::RDT30.sorcerers_apprentice());
    let mut rows = vec![
        rdt30(FIFO, 3, 2).holds(445, 2_561),
        rdt30(FIFO, 4, 3).holds(1_901, 11_961),
        rdt30(FIFO, 6, 4).holds(7_351, 48_186),
        Row::new(apprentice, FIFO, 4, 3).holds(1_901, 11_961),
        Row::new(saw(UNBOUNDED), Channel::HOSTILE, 3, 2).holds(1_279, 10_503),
        Row::new(saw(UNBOUNDED), Channel::HOSTILE, 6, 3).holds(89_624, 1_171_242).smaller(3, 3),
    ];
    // Each number more lasts three steps longer.
    rows.extend((2..=6_u16).map(|numbers| {
        Row::new(saw(numbers.into()), REORDERS, numbers + 3, 3).delivers(
            usize::from(3 * numbers + 1),
            0,
            numbers,
        )
    }));
    rows
}

pub(crate) fn go_back_n() -> Vec<Row> {
    let reorders = REORDERS.losing().duplicating();
    let mut rows = vec![
        Row::new(gbn(2, 3), LOSES, 5, 2).holds(925, 4_093),
        Row::new(gbn(3, 4), LOSES, 7, 3).holds(20_820, 104_700),
        // As in the book's figure, a damaged packet is answered with the last ACK. With a receiver
        // that only discards it, it would be 78,354 and 554,251.
        Row::new(gbn(3, 4), FIFO, 7, 3).holds(78_544, 555_685).smaller(5, 3),
        Row::new(gbn(2, 3), REORDERS, 5, 3).breaks(7),
        Row::new(gbn(2, 4), REORDERS, 7, 3).breaks(10),
        Row::new(gbn(2, UNBOUNDED), reorders, 4, 2).holds(2_090, 13_479),
    ];
    // An early timeout alone breaks a window as large as the modulus: 6, 8 and 10 steps. Loss does
    // it sooner: the receiver's ACK of "the number before" looks like one for the whole window.
    for window in 2..=4_u16 {
        let illegal = gbn(window.into(), window.into());
        let size = usize::from(window);
        rows.push(Row::new(illegal, PERFECT, 2 * window, 2 * size).delivers(
            2 * size + 2,
            0,
            window,
        ));
        rows.push(Row::new(illegal, LOSES, 2 * window, size).believes(size + 3, window, 0));
    }
    rows
}

pub(crate) fn go_back_n_4_of_5() -> Row {
    Row::new(gbn(4, 5), LOSES, 9, 4).holds(438_180, 2_309_024).smaller(6, 2)
}

pub(crate) fn selective_repeat() -> Vec<Row> {
    vec![
        Row::new(sr(2, 4), LOSES, 6, 3).holds(15_651, 87_265),
        Row::new(sr(2, 3), LOSES, 6, 3).delivers(9, 0, 3),
        Row::new(sr(3, 4), LOSES, 8, 3).delivers(11, 0, 4),
        Row::new(sr(3, 5), LOSES, 8, 3).delivers(14, 0, 5),
        Row::new(sr(2, 4), FIFO, 6, 3).holds(46_638, 350_021).smaller(5, 3),
        Row::new(sr(2, 4), REORDERS, 6, 3).breaks(12),
        Row::new(sr(3, UNBOUNDED), Channel::HOSTILE, 5, 3).holds(210_713, 2_860_173).smaller(3, 3),
    ]
}

pub(crate) fn selective_repeat_3_of_6() -> Row {
    Row::new(sr(3, 6), LOSES, 9, 3).holds(394_440, 2_572_597).smaller(7, 2)
}

/// With M numbers, stop-and-wait bears M - 2 packets that overtake, and go-back-N and selective
/// repeat with windows of two the depths that `overtaking.rs` is about.
pub(crate) fn overtaking() -> Vec<Row> {
    let by = |depth| LOSES.overtaking(Overtake::AtMost(depth));
    vec![
        Row::new(saw(3), by(1), 4, 3).holds(906, 4_826),
        Row::new(saw(3), by(2), 5, 3).delivers(10, 0, 3),
        Row::new(gbn(2, 5), by(1), 6, 2).holds(3_972, 23_110),
        Row::new(gbn(2, 4), by(1), 6, 3).believes(10, 4, 2),
        Row::new(sr(2, 5), by(1), 7, 3).believes(19, 6, 5),
    ]
}
