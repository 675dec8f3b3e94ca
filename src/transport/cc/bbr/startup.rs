//! Startup and drain: finding the bandwidth by doubling, and emptying the queue that this leaves
//! (sections 5.3.1 and 5.3.2 of the draft).

use super::{Bbr, State, loss::STARTUP_BURSTS};
use crate::transport::cc::AckSample;

/// Growth that a probe must bring to be worth going on, in hundredths, and rounds without it after
/// which the pipe is full.
const GROWTH: u64 = 125;
const ROUNDS_WITHOUT: u32 = 3;
/// Rounds after which draining ends even if the queue does not seem empty (section 5.3.2).
const DRAIN_ROUNDS: u64 = 3;

/// Looks for the plateau of the delivery rate (section 5.3.1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FullPipe {
    /// The rate that growth is measured from: full_bw.
    base: u64,
    pub(super) rounds: u32,
    /// Full in this probe: full_bw_now.
    pub(super) now: bool,
    /// Full at any time since the connection began: full_bw_reached.
    pub(super) ever: bool,
}

impl FullPipe {
    /// ResetFullBW: looks again, from this rate on.
    pub(super) fn look_again(&mut self, base: u64) {
        (self.base, self.rounds, self.now) = (base, 0, false);
    }

    /// CheckFullBWReached.
    pub(super) fn on_ack(&mut self, ack: &AckSample, round_begins: bool) {
        if self.now || !round_begins || ack.flight.app_limited {
            return;
        }
        let Some(rate) = ack.rate else { return };
        if u128::from(rate.bytes_per_second) * 100 >= u128::from(self.base) * u128::from(GROWTH) {
            return self.look_again(rate.bytes_per_second);
        }
        self.rounds += 1;
        self.now = self.rounds >= ROUNDS_WITHOUT;
        self.ever |= self.now;
    }
}

impl Bbr {
    pub(super) fn enter_startup(&mut self) {
        self.state = State::Startup;
    }

    /// CheckStartupDone.
    pub(super) fn check_startup(&mut self) {
        if self.state != State::Startup {
            return;
        }
        // Losses end startup only together with a sign that the path is full: a queue, or a round
        // that no longer brought more. A path that loses by itself would end it at once (section
        // 5.3.1.3 asks for a whole round and six places).
        let evidence = self.queueing || self.pipe.rounds > 0;
        if self.losses.ends_round
            && self.losses.round_is_too_high(STARTUP_BURSTS, self.mss)
            && evidence
        {
            self.pipe.ever = true;
            self.note_undo(Some(State::Startup));
            self.bounds.inflight_long = self.bdp(100).max(self.losses.inflight_latest);
        }
        if self.pipe.ever {
            self.state = State::Drain;
            self.drain_round = self.model.rounds.count;
        }
    }

    /// CheckDrainDone.
    pub(super) fn check_drain(&mut self, ack: &AckSample) {
        if self.state == State::Drain
            && (ack.left_in_flight() <= self.inflight(100)
                || self.model.rounds.count > self.drain_round + DRAIN_ROUNDS)
        {
            self.enter_down(ack.now, ack.delivered_bytes);
        }
    }
}
