//! The cycle of probing for bandwidth: down, cruise, refill, up (section 5.3.3 of the draft).

use core::time::Duration;

use super::{
    Bbr, State,
    loss::{BETA, PROBE_BURSTS},
    model::hundredths,
};
use crate::{
    rng::mix,
    time::{Instant, nanos},
    transport::cc::{AckSample, Flight, LostPacket},
};

/// Rounds after which a Reno flow would have probed (section 5.3.3.5.1).
const ROUNDS_MAX: u64 = 63;
/// Time between probes: two to three seconds.
const WAIT: Duration = Duration::from_secs(2);
const WAIT_SPREAD: Duration = Duration::from_secs(1);
/// What is left free for others of what seemed safe, in hundredths: Headroom.
const HEADROOM: u64 = 15;
/// Rounds that the down phase lasts at least: in the second, ACKs tell of packets that left in it,
/// and what is lost of those is the path's own loss.
const DOWN_ROUNDS: u64 = 2;

/// What the ACKs at hand tell of: BBR.ack_phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Feedback {
    #[default]
    Other,
    Refilling,
    ProbeStarting,
    Probe,
    ProbeStopping,
}

/// Where the cycle is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cycle {
    /// When the down phase began, in which round, and how long after it the next probe begins.
    since: Instant,
    since_round: u64,
    wait: Duration,
    rounds_since_probe: u64,
    feedback: Feedback,
    /// Whether what is lost now may have been sent by a probe that has not been answered for yet.
    pub(super) is_probe_sample: bool,
    /// The bound on what is in flight grows by a packet for so many bytes acknowledged.
    up_rounds: u32,
    up_acked: u64,
    up_acked_per_packet: u64,
    /// The bandwidth when the probe began, and the round.
    up_bw: u64,
    up_round: u64,
    too_high_before: bool,
    precautionary: bool,
}

impl Cycle {
    /// Whether the last probe sent too much.
    #[cfg(test)]
    pub(super) const fn has_been_too_high(&self) -> bool {
        self.too_high_before
    }

    /// Samples of the probe come to an end.
    pub(super) fn stop_probing(&mut self) {
        self.feedback = Feedback::ProbeStopping;
    }
}

impl Bbr {
    fn is_in_cycle(&self) -> bool {
        matches!(self.state, State::Down | State::Cruise | State::Refill | State::Up)
    }

    /// StartProbeBW_DOWN.
    pub(super) fn enter_down(&mut self, now: Instant, delivered_bytes: u64) {
        self.losses.reset();
        self.cycle.up_acked_per_packet = u64::MAX;
        self.pick_wait(now, delivered_bytes);
        (self.cycle.since, self.cycle.since_round) = (now, self.model.rounds.count);
        self.cycle.stop_probing();
        self.model.rounds.restart(delivered_bytes);
        self.state = State::Down;
    }

    /// PickProbeWait: flows that share a path must not probe together for ever. There is no chance
    /// here; the nanosecond and the byte at which a flow gets here differ as well as any.
    fn pick_wait(&mut self, now: Instant, delivered_bytes: u64) {
        let mixed = mix(now.as_nanos() ^ delivered_bytes.rotate_left(32));
        self.cycle.rounds_since_probe = mixed & 1;
        self.cycle.wait = WAIT + Duration::from_nanos((mixed >> 1) % nanos(WAIT_SPREAD));
    }

    /// Beside others there are no probes to count the age of the bandwidth by.
    pub(super) fn advance_bw(&mut self, now: Instant) {
        if now > self.cycle.since + self.cycle.wait {
            self.cycle.since = now;
            self.model.max_bw.advance();
        }
    }

    /// StartProbeBW_CRUISE.
    pub(super) fn enter_cruise(&mut self) {
        self.state = State::Cruise;
    }

    /// StartProbeBW_REFILL.
    pub(super) fn enter_refill(&mut self, delivered_bytes: u64) {
        self.bounds.forget_short();
        (self.cycle.up_rounds, self.cycle.up_acked) = (0, 0);
        self.cycle.precautionary = false;
        self.cycle.feedback = Feedback::Refilling;
        self.model.rounds.restart(delivered_bytes);
        self.state = State::Refill;
    }

    /// StartProbeBW_UP.
    fn enter_up(&mut self, ack: &AckSample) {
        self.cycle.feedback = Feedback::ProbeStarting;
        self.model.rounds.restart(ack.delivered_bytes);
        self.pipe.look_again(ack.rate.map_or(0, |rate| rate.bytes_per_second));
        (self.cycle.up_bw, self.cycle.up_round) =
            (self.model.max_bw.greatest(), self.model.rounds.count);
        self.state = State::Up;
        self.raise_slope();
    }

    /// UpdateProbeBWCyclePhase.
    pub(super) fn update_cycle(&mut self, ack: &AckSample) {
        if self.model.rounds.begins {
            self.cycle.rounds_since_probe += 1;
        }
        if !self.pipe.ever || self.adapt_long(ack) || !self.is_in_cycle() {
            return;
        }
        let (state, now, delivered) = (self.state, ack.now, ack.delivered_bytes);
        match state {
            State::Down | State::Cruise if self.is_time_to_probe(now) => {
                self.enter_refill(delivered);
            }
            State::Down if self.is_time_to_cruise(ack) => self.enter_cruise(),
            State::Refill if self.model.rounds.begins => {
                self.cycle.is_probe_sample = true;
                self.enter_up(ack);
            }
            State::Up if self.is_time_to_go_down(ack) => {
                self.cycle.too_high_before = false;
                self.enter_down(now, delivered);
            }
            _ => {}
        }
    }

    /// IsTimeToProbeBW: by the clock, or because a Reno flow would have grown as far.
    fn is_time_to_probe(&self, now: Instant) -> bool {
        let reno = (self.target_inflight() / self.mss).min(ROUNDS_MAX);
        now > self.cycle.since + self.cycle.wait || self.cycle.rounds_since_probe >= reno
    }

    fn is_time_to_cruise(&self, ack: &AckSample) -> bool {
        let left = ack.left_in_flight();
        self.model.rounds.count >= self.cycle.since_round + DOWN_ROUNDS
            && left <= self.inflight_with_headroom()
            && left <= self.inflight(100)
    }

    /// IsTimeToGoDown. Beyond the draft, a queue ends the probe as soon as it brings no more
    /// bandwidth: three rounds without growth would fill most of a bandwidth-delay product, which
    /// takes the down phase eight rounds to empty.
    fn is_time_to_go_down(&mut self, ack: &AckSample) -> bool {
        let left = ack.left_in_flight();
        if self.cycle.too_high_before && left >= self.bounds.inflight_long {
            self.cycle.precautionary = true;
            return true;
        }
        if self.window_limited && self.window >= self.bounds.inflight_long {
            self.pipe.look_again(ack.rate.map_or(0, |rate| rate.bytes_per_second));
            return false;
        }
        self.pipe.now || self.is_probe_in_vain(ack)
    }

    /// Whether there is a queue, and no more arrives than before the probe.
    fn is_probe_in_vain(&self, ack: &AckSample) -> bool {
        self.model.rounds.count > self.cycle.up_round
            && self.rtt_excess(ack) > self.queue_sign(16)
            && !self.is_growing()
    }

    /// Whether the probe has brought a sixteenth more bandwidth.
    pub(super) fn is_growing(&self) -> bool {
        self.model.max_bw.greatest() > self.cycle.up_bw + self.cycle.up_bw / 16
    }

    /// InflightWithHeadroom.
    pub(super) fn inflight_with_headroom(&self) -> u64 {
        let bound = self.bounds.inflight_long;
        if bound == u64::MAX {
            return bound;
        }
        let headroom = hundredths(bound, HEADROOM).max(self.mss);
        bound.saturating_sub(headroom).max(self.least_window())
    }

    /// RaiseInflightLongtermSlope.
    fn raise_slope(&mut self) {
        let growth = 1_u64 << self.cycle.up_rounds;
        self.cycle.up_rounds = (self.cycle.up_rounds + 1).min(30);
        self.cycle.up_acked_per_packet = (self.window / growth).max(self.mss);
    }

    /// ProbeInflightLongtermUpward.
    fn raise_long(&mut self, ack: &AckSample) {
        if !self.window_limited || self.window < self.bounds.inflight_long {
            return;
        }
        self.cycle.up_acked += ack.bytes;
        let packets = self.cycle.up_acked / self.cycle.up_acked_per_packet;
        self.cycle.up_acked -= packets * self.cycle.up_acked_per_packet;
        self.bounds.inflight_long = self.bounds.inflight_long.saturating_add(packets * self.mss);
        if self.model.rounds.begins {
            self.raise_slope();
        }
    }

    /// AdaptLongTermModel; whether it has decided about the phase.
    fn adapt_long(&mut self, ack: &AckSample) -> bool {
        if self.model.rounds.begins {
            match self.cycle.feedback {
                Feedback::ProbeStarting => self.cycle.feedback = Feedback::Probe,
                Feedback::ProbeStopping => {
                    self.cycle.is_probe_sample = false;
                    self.cycle.feedback = Feedback::Other;
                    if self.is_in_cycle() && !ack.flight.app_limited {
                        self.model.max_bw.advance();
                    }
                    if self.is_in_cycle() && self.cycle.precautionary && !self.cycle.too_high_before
                    {
                        self.enter_refill(ack.delivered_bytes);
                        return true;
                    }
                }
                _ => {}
            }
        }
        let Flight { in_flight_bytes, lost_bytes, .. } = ack.flight;
        let too_many =
            self.losses.are_too_many(lost_bytes, in_flight_bytes, PROBE_BURSTS, self.mss);
        if !too_many && self.bounds.inflight_long < u64::MAX {
            self.bounds.inflight_long = self.bounds.inflight_long.max(in_flight_bytes);
            if self.state == State::Up {
                self.raise_long(ack);
            }
        }
        false
    }

    /// HandleLostPacket, for what a probe has sent: did it send too much?
    pub(super) fn judge_probe(&mut self, lost: &LostPacket) {
        let Flight { in_flight_bytes, lost_bytes, app_limited, .. } = lost.flight;
        if self.cycle.is_probe_sample
            && self.losses.are_too_many(lost_bytes, in_flight_bytes, PROBE_BURSTS, self.mss)
            && (self.queueing || !self.is_growing())
            && self.has_evidence()
        {
            let at_loss = self.losses.inflight_at_loss(lost, self.mss);
            self.handle_too_high(lost.now, lost.delivered_bytes, at_loss, app_limited);
        }
    }

    /// HandleInflightTooHigh.
    pub(super) fn handle_too_high(
        &mut self,
        now: Instant,
        delivered_bytes: u64,
        in_flight_bytes: u64,
        app_limited: bool,
    ) {
        self.cycle.too_high_before = true;
        self.cycle.is_probe_sample = false;
        if !app_limited {
            let least = hundredths(self.target_inflight(), BETA);
            self.bounds.inflight_long = in_flight_bytes.max(least);
        }
        if self.state == State::Up {
            self.note_undo(Some(State::Up));
            self.enter_down(now, delivered_bytes);
        }
    }
}
