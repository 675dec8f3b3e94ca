//! Looking for the least round trip: half a window for a while, so that the queue empties (section
//! 5.3.4 of the draft).

use core::time::Duration;

use super::{Bbr, State};
use crate::{time::Instant, transport::cc::AckSample};

/// How long, and how much of the bandwidth-delay product stays in flight, in hundredths.
const LASTS: Duration = Duration::from_millis(200);
pub(super) const SHARE: u64 = 50;

/// How far it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ProbeRtt {
    /// The window while it lasts, from the round trip that was believed until then.
    pub(super) window: u64,
    /// When it may end; `None` until little enough is in flight.
    ends_at: Option<Instant>,
    round_done: bool,
}

impl Bbr {
    /// UpdateMinRTT and CheckProbeRTT.
    pub(super) fn check_probe_rtt(&mut self, ack: &AckSample) {
        if self.model.is_expiring(ack) && self.state != State::ProbeRtt {
            // Before a round trip with a queue in it replaces the one that it is computed from.
            self.probe_rtt.window = self.bdp(SHARE).max(self.least_window());
        }
        self.model.update_min_rtt(ack);
        if self.state != State::ProbeRtt && self.model.min_rtt_expired && !self.idle_restart {
            self.enter_probe_rtt(ack.delivered_bytes);
        }
        if self.state == State::ProbeRtt {
            self.go_on_probing_rtt(ack);
        }
        self.idle_restart = false;
    }

    /// EnterProbeRTT.
    pub(super) fn enter_probe_rtt(&mut self, delivered_bytes: u64) {
        self.save_window();
        self.state = State::ProbeRtt;
        (self.probe_rtt.ends_at, self.probe_rtt.round_done) = (None, false);
        self.cycle.stop_probing();
        self.model.rounds.restart(delivered_bytes);
    }

    fn go_on_probing_rtt(&mut self, ack: &AckSample) {
        if self.probe_rtt.ends_at.is_some() {
            self.probe_rtt.round_done |= self.model.rounds.begins;
            if self.probe_rtt.round_done {
                self.end_probe_rtt(ack.now, ack.delivered_bytes);
            }
        } else if ack.left_in_flight() <= self.probe_rtt.window {
            self.probe_rtt.ends_at = Some(ack.now + LASTS);
            self.probe_rtt.round_done = false;
            self.model.rounds.restart(ack.delivered_bytes);
        }
    }

    /// CheckProbeRTTDone.
    pub(super) fn end_probe_rtt(&mut self, now: Instant, delivered_bytes: u64) {
        if self.probe_rtt.ends_at.is_none_or(|at| now < at) {
            return;
        }
        self.model.min_rtt_at = now;
        self.restore_window();
        self.bounds.forget_short();
        if self.pipe.ever {
            // The queue is empty already.
            self.enter_down(now, delivered_bytes);
            self.enter_cruise();
        } else {
            self.enter_startup();
        }
    }
}
