//! How punctual a node's driver and application are.

use core::time::Duration;

use crate::{
    rng::{Rng, Seed},
    time::{Instant, nanos},
};

/// When a node's driver wakes up for a deadline, and when its application looks for events.
///
/// A datagram wakes a node at once, whatever its pace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Timers fire at multiples of this, rounded up: the tick of an operating system. Zero is exact.
    pub grain: Duration,
    /// Timers fire later by up to this, evenly: a busy machine, or one that slept.
    pub late: Duration,
    /// The application takes what there is to read at most this often; in between events wait in
    /// the endpoint. Zero reads at once.
    pub reads_every: Duration,
}

impl Pace {
    /// Wakes up in time and reads at once.
    pub const PUNCTUAL: Self =
        Self { grain: Duration::ZERO, late: Duration::ZERO, reads_every: Duration::ZERO };
}

/// The pace of one node, and what it made happen.
#[derive(Debug)]
pub(super) struct Sleeper {
    pub(super) pace: Pace,
    rng: Rng,
    /// From when on the application reads again.
    pub(super) reads_from: Instant,
    /// The deadline that the wake-up in the queue stands for.
    pub(super) asked: Option<Instant>,
    pub(super) late_wakeups: u64,
    pub(super) reads_deferred: u64,
}

impl Sleeper {
    pub(super) fn new(pace: Pace, seed: Seed) -> Self {
        Self {
            pace,
            rng: seed.rng(),
            reads_from: Instant::ZERO,
            asked: None,
            late_wakeups: 0,
            reads_deferred: 0,
        }
    }

    /// When the driver really wakes up for a deadline.
    pub(super) fn wake(&mut self, deadline: Instant) -> Instant {
        let late = nanos(self.pace.late);
        let slept = if late > 0 { self.rng.between(0, late) } else { 0 };
        round_up(deadline, self.pace.grain) + Duration::from_nanos(slept)
    }

    /// Notes that the driver has woken up.
    pub(super) fn has_woken(&mut self, now: Instant) {
        let late = self.asked.take().is_some_and(|deadline| deadline < now);
        self.late_wakeups += u64::from(late);
    }

    /// Notes that the application has read now.
    pub(super) fn has_read(&mut self, now: Instant) {
        if !self.pace.reads_every.is_zero() {
            self.reads_from = round_up(now + Duration::from_nanos(1), self.pace.reads_every);
        }
    }
}

fn round_up(at: Instant, grain: Duration) -> Instant {
    let grain = nanos(grain).max(1);
    at.as_nanos().checked_next_multiple_of(grain).map_or(Instant::MAX, Instant::from_nanos)
}
