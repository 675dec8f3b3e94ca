//! Silence: when it is the end, and when somebody breaks it.

use core::time::Duration;

use super::{connection::Connection, lifecycle::CloseReason};
use crate::time::Instant;

/// How often an opener asks whether it is still found, and the least silence before.
const ASKS_MAX: u8 = 3;
const ASK_PAUSE: Duration = Duration::from_secs(1);

impl Connection {
    /// Bytes of streams and datagrams that it has carried for the applications, both ways. Only their
    /// difference means something: what the peer claims to have sent and did not is no part of it.
    pub(super) fn carried_bytes(&self) -> u64 {
        self.streams.carried_bytes() + self.datagrams.carried_bytes()
    }

    /// Ends it at once, since its place is needed. False when it is over already.
    pub(super) fn push_out(&mut self) -> bool {
        let news = self.life.give_up(CloseReason::PushedOut);
        if news {
            self.on_end();
        }
        news
    }

    /// Whether the peer opened it.
    pub(super) const fn is_acceptor(&self) -> bool {
        self.acceptor
    }

    /// When the peer has been silent for too long, and what that means.
    pub(super) fn silence_deadline(&self) -> Option<(Instant, CloseReason)> {
        if !self.life.is_established() {
            return Some((self.opened_at + self.config.open_timeout, CloseReason::Unreachable));
        }
        // Probes must have had a chance (RFC 9000 section 10.1).
        let timeout = self.idle_timeout()?.max(self.drain_time());
        Some((self.heard_at.max(self.asked_at) + timeout, CloseReason::Idle))
    }

    /// Silence after which the connection is given up: the smaller of both sides'.
    fn idle_timeout(&self) -> Option<Duration> {
        let sides = [self.config.idle_timeout, self.peer_params.idle_timeout];
        sides.into_iter().filter(|timeout| !timeout.is_zero()).min()
    }

    pub(super) fn keep_alive_at(&self) -> Option<Instant> {
        // What is on its way already asks for an answer, again and again.
        if self.ping || self.recovery.in_flight_bytes() > 0 || !self.life.is_established() {
            return None;
        }
        let chosen = Some(self.config.keep_alive).filter(|pause| !pause.is_zero());
        // A sender that a limit of the peer holds up must not let the connection die of it (RFC 9000
        // sections 4.1 and 4.6): an application that reads slowly is there all the same.
        let held_up = || self.streams.is_held_up();
        let needed = self.idle_timeout().filter(|_| held_up()).map(|timeout| timeout / 3);
        let pause = [chosen, needed, self.doubt_pause()].into_iter().flatten().min()?;
        Some(self.heard_at.max(self.asked_at) + pause)
    }

    /// Silence after which an opener that waits for something asks whether it is still found: only
    /// what it sends shows the peer that it has another address (RFC 9000 section 9.3), and whoever
    /// only receives sends nothing. A few times, since a peer may have nothing to say.
    fn doubt_pause(&self) -> Option<Duration> {
        let waits = !self.acceptor && self.asks < ASKS_MAX && !self.streams.is_empty();
        waits.then(|| self.drain_time().max(ASK_PAUSE) * (1 << self.asks))
    }
}
