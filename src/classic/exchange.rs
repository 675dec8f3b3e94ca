//! Messages one way, and what came of them: what every driver does on top of its endpoints.

use alloc::{collections::VecDeque, vec::Vec};
use core::fmt;

use super::conversation::{Conversation, Payload};
use crate::time::Instant;

/// What came of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every message arrived once, intact and in order, and the sender knows it (if its protocol
    /// can know).
    Intact,
    /// Something was delivered that is not the next message.
    Wrong {
        /// How many messages had been delivered correctly before.
        after: u64,
    },
    /// Messages are missing, and the sender believes that all is well.
    Missing {
        /// How many.
        messages: u64,
    },
    /// Both sides wait for each other for ever: no timer, no packet on its way.
    Deadlock {
        /// How many messages had been delivered.
        after: u64,
    },
    /// The sender gave up.
    GaveUp {
        /// How many messages had been delivered.
        after: u64,
    },
    /// It was still going on when the time was over, or for ever in one instant.
    OutOfTime {
        /// How many messages had been delivered.
        after: u64,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Intact => f.write_str("intact"),
            Self::Wrong { after } => write!(f, "wrong data after {after} messages"),
            Self::Missing { messages } => write!(f, "{messages} messages missing"),
            Self::Deadlock { after } => write!(f, "deadlock after {after} messages"),
            Self::GaveUp { after } => write!(f, "gave up after {after} messages"),
            Self::OutOfTime { after } => write!(f, "out of time after {after} messages"),
        }
    }
}

/// The application on both sides of a transfer: hands messages to the sender, takes what the
/// receiver delivers, and compares.
#[derive(Clone, Debug)]
pub(crate) struct Exchange<'a> {
    waiting: VecDeque<&'a [u8]>,
    sent: &'a [Vec<u8>],
    delivered: Vec<Payload>,
    wrong_after: Option<u64>,
}

impl<'a> Exchange<'a> {
    /// These messages wait to be sent.
    pub(crate) fn new(messages: &'a [Vec<u8>]) -> Self {
        Self {
            waiting: messages.iter().map(Vec::as_slice).collect(),
            sent: messages,
            delivered: Vec::new(),
            wrong_after: None,
        }
    }

    /// Gives the sender what it takes.
    pub(crate) fn feed(&mut self, now: Instant, sender: &mut impl Conversation) {
        self.feed_some(now, sender, usize::MAX);
    }

    /// Gives the sender what it takes, but no more than `most` messages.
    pub(crate) fn feed_some(&mut self, now: Instant, sender: &mut impl Conversation, most: usize) {
        for _ in 0..most {
            if sender.queue_room() == 0 {
                return;
            }
            let Some(&message) = self.waiting.front() else { return };
            // What is refused now is offered again later: nothing may overtake it.
            if sender.send(now, message).is_err() {
                return;
            }
            self.waiting.pop_front();
        }
    }

    /// Takes what the receiver delivers.
    pub(crate) fn deliver(&mut self, message: Payload) {
        let next = self.sent.get(self.delivered.len());
        if self.wrong_after.is_none() && next.is_none_or(|next| next[..] != message[..]) {
            self.wrong_after = Some(self.delivered.len() as u64);
        }
        self.delivered.push(message);
    }

    /// Whether something was delivered that is not the next message.
    pub(crate) fn is_wrong(&self) -> bool {
        self.wrong_after.is_some()
    }

    /// How many messages were handed to the sender.
    pub(crate) fn fed(&self) -> usize {
        self.sent.len() - self.waiting.len()
    }

    /// Whether every message was handed to the sender.
    pub(crate) fn is_fed(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether every message was delivered.
    pub(crate) fn is_complete(&self) -> bool {
        self.wrong_after.is_none() && self.delivered.len() == self.sent.len()
    }

    /// How many messages were delivered.
    pub(crate) fn count(&self) -> u64 {
        self.delivered.len() as u64
    }

    /// What was delivered, in order.
    pub(crate) fn into_delivered(self) -> Vec<Payload> {
        self.delivered
    }

    /// What came of it, when the run is over; `quiet` when no packet is on its way and no timer
    /// runs.
    pub(crate) fn verdict(&self, sender: &impl Conversation, quiet: bool) -> Verdict {
        let after = self.count();
        let missing = (self.sent.len() as u64).saturating_sub(after);
        if let Some(after) = self.wrong_after {
            Verdict::Wrong { after }
        } else if sender.is_closed() {
            Verdict::GaveUp { after }
        } else if quiet && sender.is_stalled() {
            Verdict::Deadlock { after }
        } else if !sender.is_idle() || !self.is_fed() {
            Verdict::OutOfTime { after }
        } else if missing > 0 {
            Verdict::Missing { messages: missing }
        } else {
            Verdict::Intact
        }
    }
}
