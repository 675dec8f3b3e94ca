//! Memory that only traffic needs, and when it is given back.
//!
//! A buffer keeps its blocks, a queue its places: what was needed once will be needed again, and a
//! transfer under way allocates nothing. But of ten thousand connections nearly all are silent, and an
//! exchange of 64 bytes leaves more behind than the connection itself takes.

use alloc::vec::Vec;
use core::time::Duration;

use super::connection::Connection;
use crate::time::Instant;

/// The least silence after which a connection counts as resting: long beside what happens within a
/// round trip, short beside what a person notices.
const SILENCE_MIN: Duration = Duration::from_millis(250);

/// Whether there may be memory to give back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slack {
    /// When something last arrived or was read; `None` when nothing did since memory was given back.
    used_at: Option<Instant>,
}

impl Slack {
    /// Connections begin with traffic.
    pub(super) const fn new(now: Instant) -> Self {
        Self { used_at: Some(now) }
    }

    /// Something arrived, or the application has read.
    pub(super) const fn on_use(&mut self, now: Instant) {
        self.used_at = Some(now);
    }
}

impl Connection {
    /// When to give memory back, if nothing happens before.
    pub(super) fn slack_at(&self) -> Option<Instant> {
        let used_at = self.slack.used_at?;
        // What is on its way brings an answer, or a timeout.
        let rests = self.life.is_established() && self.recovery.in_flight_bytes() == 0;
        rests.then(|| used_at.max(self.asked_at) + self.drain_time().max(SILENCE_MIN))
    }

    /// Gives memory back when it is time.
    pub(super) fn give_slack_back(&mut self, now: Instant) {
        if self.slack_at().is_none_or(|at| at > now) {
            return;
        }
        self.slack.used_at = None;
        self.streams.shrink();
        self.datagrams.shrink();
        self.recovery.shrink();
        self.acks.shrink();
        self.settled.shrink();
        self.contents = Vec::new();
        self.events.shrink_to_fit();
        self.join = None;
    }
}
