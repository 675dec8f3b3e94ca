//! Proof by exhaustion: everything that can happen between a sender and a receiver, and the
//! shortest way to make them fail.
//!
//! [`Model`] says how bad the channel is and how far to look; [`Model::check`] takes the very
//! machines that run over sockets through every order of events: sending, arriving, losing,
//! copying, damaging, overtaking, and a timer that expires at any moment.
//!
//! Three things are checked. *Safety*: what is delivered is a prefix of what was sent, by content,
//! and the sender never believes more delivered than was. *Progress*: from every state that can be
//! reached, the state can be reached in which all is delivered and acknowledged; found backwards
//! from there, so that a loop without exit counts as much as a dead end. *Not vacuous*: the
//! finished state is reached at all.
//!
//! ```
//! use rdtp::{channel::Channel, check::{Model, Verdict}, classic::rdt22::Rdt22};
//!
//! // rdt 2.2 has no timer, so one loss stops it for ever.
//! let report = Model::over(Channel::PERFECT.losing()).messages(2).check(&Rdt22);
//! assert!(matches!(report.verdict, Verdict::Stuck { .. }));
//! let words = report.trace.expect("a counterexample").words();
//! assert_eq!(words, ["message 0 is sent as packet 0", "packet 0 is lost"]);
//! ```
//!
//! [`Sweep`] does for whole endpoints, bytes and durations included, what can be done there: every
//! placement of a few faults.
//!
//! What a proof is worth is said by its bounds: messages, capacity, and whether the space
//! [closed](Verdict::OutOfBound). A full channel that loses nothing makes its sender wait; a full
//! channel that loses drops what does not fit. Where order is kept, a packet suffers its fault when
//! it is the next to arrive, which spares states and changes nothing in what can arrive. A copy
//! stands next to its packet, and was overtaken as often.

mod faults;
mod lanes;
mod promela;
mod records;
mod schedule;
mod search;
mod space;
mod table;
mod trace;

use alloc::boxed::Box;
use core::fmt;

use crate::{channel::Channel, classic::Protocol};
pub use faults::{Failure, Fault, Oracle, Placement, Sweep, SweepReport};
pub use promela::PromelaError;
pub use schedule::{Played, Schedule};
use space::Space;
pub use trace::{Event, Flight, Step, Trace};

/// The most states that a search can hold. Ten million take about 1 GiB.
pub const STATES_MAX: u32 = 1 << 30;
/// The most packets in flight each way.
pub const CAPACITY_MAX: usize = 64;

/// A message of a checked run: its number, so that a wrong one is seen by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Message(pub u16);

impl Message {
    /// What becomes of a message that is damaged without anybody noticing.
    pub const GARBAGE: Self = Self(u16::MAX);
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::GARBAGE {
            f.write_str("garbage")
        } else {
            write!(f, "message {}", self.0)
        }
    }
}

/// What is checked: how bad the channel is, how much is sent, and how far to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// Faults from sender to receiver.
    pub data: Channel,
    /// Faults from receiver to sender.
    pub feedback: Channel,
    /// How many messages are sent.
    pub messages: u16,
    /// How many packets are in flight each way at a time.
    pub capacity: usize,
    /// How many states are visited at most.
    pub states_max: u32,
    /// Whether timers may expire while packets are on their way.
    pub early_timeouts: bool,
    /// Whether to prefer the counterexample with the fewest faults to the one with fewest steps.
    pub fewest_faults: bool,
}

impl Model {
    /// Four messages over this channel both ways, with three packets in flight each way.
    pub const fn over(channel: Channel) -> Self {
        Self {
            data: channel,
            feedback: channel,
            messages: 4,
            capacity: 3,
            states_max: 20_000_000,
            early_timeouts: true,
            fewest_faults: false,
        }
    }

    /// The same with another channel for feedback.
    #[must_use]
    pub const fn feedback(self, feedback: Channel) -> Self {
        Self { feedback, ..self }
    }

    /// The same with this many messages, at most 65,534. To see numbers wrap around, send at least
    /// a window more than there are numbers.
    #[must_use]
    pub const fn messages(self, messages: u16) -> Self {
        Self { messages: if messages < u16::MAX { messages } else { u16::MAX - 1 }, ..self }
    }

    /// The same with this many packets in flight each way: 1 to [`CAPACITY_MAX`].
    #[must_use]
    pub const fn capacity(self, packets: usize) -> Self {
        let capacity = match packets {
            0 => 1,
            1..=CAPACITY_MAX => packets,
            _ => CAPACITY_MAX,
        };
        Self { capacity, ..self }
    }

    /// The same with at most this many states visited, up to [`STATES_MAX`].
    #[must_use]
    pub const fn states_max(self, states: u32) -> Self {
        Self { states_max: if states < STATES_MAX { states } else { STATES_MAX }, ..self }
    }

    /// The same with timers that expire only when nothing is on its way.
    #[must_use]
    pub const fn patient(self) -> Self {
        Self { early_timeouts: false, ..self }
    }

    /// The same, but of all counterexamples the one with the fewest faults is wanted, and of these
    /// the shortest. A packet that finds the channel full counts as lost, and a timer that expires
    /// while something is on its way counts as a fault too.
    #[must_use]
    pub const fn fewest_faults(self) -> Self {
        Self { fewest_faults: true, ..self }
    }

    /// Checks `protocol`, here and now.
    pub fn check<P: Protocol>(&self, protocol: &P) -> Report {
        self.check_with(protocol, &mut Alone)
    }

    /// Checks `protocol` with these hands. The report does not depend on how many there are.
    pub fn check_with<P: Protocol, W: Workers>(&self, protocol: &P, workers: &mut W) -> Report {
        let mut space = Space::new(protocol, self);
        let found = if self.fewest_faults {
            search::fewest_faults(&mut space, self.states_max, workers)
        } else {
            search::breadth_first(&mut space, self.states_max, workers)
        };
        let mut report = Report {
            verdict: Verdict::OutOfBound,
            states: found.states.len() as u64,
            transitions: found.transitions(),
            depth: found.depth(table::number(found.states.len() - 1)),
            stuck_states: 0,
            finished_states: 0,
            trace: None,
        };
        let mut shown = found.bad;
        if let Some(bad) = found.bad {
            report.verdict = Verdict::Unsafe(violation(&space, *found.states.get(bad)));
        } else if found.closed {
            let stuck = search::stuck(&space, &found);
            report.stuck_states = stuck.states;
            report.finished_states = stuck.finished;
            report.verdict = match stuck.first {
                Some((_, deadlock)) => Verdict::Stuck { deadlock },
                None => Verdict::Holds,
            };
            shown = stuck.first.map(|(state, _)| state);
        }
        report.trace = shown.map(|state| {
            let acts = trace::acts(&mut space, &found, state);
            Box::new(Trace::replay(protocol, self, &acts, report.verdict))
        });
        report
    }
}

fn violation<S, R>(space: &Space<S, R>, state: space::State) -> Violation
where
    S: crate::classic::SenderMachine<Message>,
    R: crate::classic::Machine<Message>,
{
    let (sender, receiver) = space.parties(state);
    match receiver.wrong {
        Some(got) => Violation::Delivered { got, expected: Message(receiver.count) },
        None => Violation::Believed { believed: sender.believed, delivered: receiver.count },
    }
}

/// Who does the work of a search.
///
/// The library knows no threads; the program brings its own. Implement it with
/// `std::thread::scope` to use more than one processor.
pub trait Workers {
    /// How many tasks are worked on at the same time.
    fn count(&self) -> usize;

    /// Does `work` on every task, in any order, and returns when all are done.
    fn each<T: Send>(&mut self, tasks: &mut [T], work: &(dyn Fn(&mut T) + Sync));

    /// Is told now and then how far the search has come.
    fn progress(&mut self, progress: Progress) {
        let _ = progress;
    }
}

/// One worker: the caller.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Workers for Alone {
    fn count(&self) -> usize {
        1
    }

    fn each<T: Send>(&mut self, tasks: &mut [T], work: &(dyn Fn(&mut T) + Sync)) {
        tasks.iter_mut().for_each(work);
    }
}

/// How far a search has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// States found.
    pub states: u64,
    /// States of which all successors are known.
    pub expanded: u64,
    /// Transitions found.
    pub transitions: u64,
}

/// What a check found.
#[derive(Clone, Debug)]
pub struct Report {
    /// What came of it.
    pub verdict: Verdict,
    /// Different states visited.
    pub states: u64,
    /// Transitions between them.
    pub transitions: u64,
    /// Steps from the start to the state that was found last.
    pub depth: u32,
    /// States from which the transfer can no longer finish; 0 unless the space closed.
    pub stuck_states: u64,
    /// States in which all is delivered and acknowledged; 0 unless the space closed.
    pub finished_states: u64,
    /// The shortest way to the failure.
    pub trace: Option<Box<Trace>>,
}

impl Report {
    /// Whether the verdict is that it [holds](Verdict::Holds).
    pub fn holds(&self) -> bool {
        self.verdict == Verdict::Holds
    }

    /// Steps of the counterexample.
    pub fn steps(&self) -> Option<usize> {
        self.trace.as_ref().map(|trace| trace.steps.len())
    }
}

/// The verdict, what was visited, and the story of the counterexample, a line for each step.
///
/// ```
/// use rdtp::{channel::Channel, check::Model, classic::rdt22::Rdt22};
///
/// let report = Model::over(Channel::PERFECT.losing()).check(&Rdt22);
/// let text = report.to_string();
/// assert!(text.starts_with("deadlock:") && text.ends_with("2. packet 0 is lost"), "{text}");
/// ```
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} states)", self.verdict, self.states)?;
        let words = self.trace.as_ref().map(|trace| trace.words()).unwrap_or_default();
        words.iter().zip(1..).try_for_each(|(step, number)| write!(f, "\n{number:>3}. {step}"))
    }
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Safe and able to finish from every state, within the model's messages and capacity.
    Holds,
    /// Something wrong was delivered or believed.
    Unsafe(Violation),
    /// A state can be reached from which the transfer can never finish.
    Stuck {
        /// Whether all comes to rest there; otherwise events can go on for ever, in vain.
        deadlock: bool,
    },
    /// More states than the model allows: nothing wrong in those that were visited.
    OutOfBound,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds => f.write_str("holds"),
            Self::Unsafe(violation) => write!(f, "unsafe: {violation}"),
            Self::Stuck { deadlock: true } => {
                f.write_str("deadlock: the transfer can never finish, and all comes to rest")
            }
            Self::Stuck { deadlock: false } => {
                f.write_str("livelock: the transfer can never finish, whatever still happens")
            }
            Self::OutOfBound => f.write_str("open: the bound on states was reached"),
        }
    }
}

/// A broken promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// The receiver delivered a wrong message.
    Delivered {
        /// What it delivered.
        got: Message,
        /// What was next.
        expected: Message,
    },
    /// The sender believes messages delivered that are not.
    Believed {
        /// How many it believes delivered.
        believed: u16,
        /// How many are.
        delivered: u16,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered { got, expected } => {
                write!(f, "{got} is delivered in place of {expected}")
            }
            Self::Believed { believed, delivered } => write!(
                f,
                "the sender believes {believed} messages delivered, but the receiver delivered \
                 {delivered}"
            ),
        }
    }
}
