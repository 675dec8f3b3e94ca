//! BBR, version 3 (draft-ietf-ccwg-bbr): a model of the path instead of a reaction to losses.
//!
//! The model is how fast the path delivers at most and how long its round trip is at least. Their
//! product is what it holds without a queue. What is sent follows from the model; losses only set
//! bounds to it, and they are weighed first: see [`loss`]. Section numbers in this folder are those of
//! the draft, names in capitals or with `BBR.` are those of its pseudocode. All arithmetic is in
//! integers: gains in hundredths, rates in bytes a second.
//!
//! Where this differs from the draft, and why:
//!
//! - What a path loses by itself is measured where less leaves than it delivers, and does not count.
//!   So much more leaves that the bandwidth arrives: what is measured as delivered is without what was
//!   lost, and to send no more than that would lose the same share once more.
//! - A probe ends when there is a queue and no more arrives, not only after three rounds, and its queue is
//!   emptied faster.
//! - Beside somebody who fills the queue the window is CUBIC's: see [`contest`].
//! - A round trip that is as short as the least within a sixty-fourth confirms it.

mod contest;
mod cycle;
mod filter;
mod loss;
mod model;
mod probe_rtt;
mod resume;
mod startup;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use core::time::Duration;

use self::{
    contest::Contest,
    cycle::Cycle,
    loss::{Bounds, Losses},
    model::{Model, hundredths, rate, volume},
    probe_rtt::ProbeRtt,
    startup::FullPipe,
};
use super::{AckSample, Controller, LostPacket, Phase, SentPacket, initial_window};
use crate::time::Instant;

/// Packets that are always allowed, so that ACKs keep coming (section 5.6.4.3: MinPipeCwnd).
const LEAST_PACKETS: u64 = 4;
/// The pacing rate stays so far below the bandwidth, in hundredths (section 2.6:
/// PacingMarginPercent).
const MARGIN: u64 = 1;
/// The window in bandwidth-delay products, in hundredths: DefaultCwndGain, and in the up phase.
const WINDOW_GAIN: u64 = 200;
const WINDOW_GAIN_UP: u64 = 130;
/// A difference in round trips below which there is no telling a queue from a late timer.
const CLOCK: Duration = Duration::from_millis(1);
/// What a path may lose by itself, in hundredths: by default, and where losses are known to be the
/// path's.
const FLOOR_MAX: u64 = 20;
const FLOOR_MAX_LOSSY: u64 = 50;

/// Below this share of the bandwidth, in hundredths, what is lost is the path's doing.
const QUIET: u64 = 92;

/// Packets that a flow may have in the queue between probes, and what of its rate it keeps in a round
/// in which there is more, in hundredths.
const OWN_PACKETS: u64 = 8;
const YIELD: u64 = 96;
const PRESS: u64 = 102;
/// What it keeps at least of the bandwidth, in hundredths: the queue may be a longer path.
const YIELD_MOST: u64 = 50;

/// The pacing gain of the down phase while the queue of the probe stands, in hundredths: with that of
/// the draft it takes a long path longer to empty it than until the next probe.
const GAIN_EMPTYING: u64 = 75;

/// Pacing is to spread the window over a round trip; the rate stays below so many windows in one, also
/// when the round trip has become longer than the one that startup took its rate from.
const WINDOWS_PER_ROUND: u64 = 3;

/// What it is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Startup,
    Drain,
    Down,
    Cruise,
    Refill,
    Up,
    ProbeRtt,
    /// Beside somebody who fills the queue; see [`contest`].
    Contest,
}

impl State {
    /// The pacing gain, in hundredths (section 5.6.1).
    const fn gain(self) -> u64 {
        match self {
            Self::Startup => 277,
            Self::Drain => 50,
            Self::Down => 90,
            Self::Cruise | Self::Refill | Self::ProbeRtt | Self::Contest => 100,
            Self::Up => 125,
        }
    }

    /// IsProbingBW.
    const fn is_probing(self) -> bool {
        matches!(self, Self::Startup | Self::Refill | Self::Up)
    }
}

/// What was before the last losses, in case they were none: SaveStateUponLoss.
#[derive(Clone, Copy, Debug, Default)]
struct Undo {
    state: Option<State>,
    bounds: Bounds,
}

/// BBR, version 3 (draft-ietf-ccwg-bbr): what is sent follows from a model of the path, how fast it
/// delivers at most and how long its round trip is at least; losses only set bounds to it.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags of the draft, which do not depend on each other"
)]
pub struct Bbr {
    mss: u64,
    /// Whether losses without a queue never count.
    lossy_link: bool,
    state: State,
    model: Model,
    pipe: FullPipe,
    drain_round: u64,
    cycle: Cycle,
    probe_rtt: ProbeRtt,
    losses: Losses,
    bounds: Bounds,
    window: u64,
    /// The window to begin with.
    first_window: u64,
    /// The window before it was cut for a while: prior_cwnd.
    prior_window: u64,
    /// Bytes a second; 0 before the first round trip is known.
    pacing_rate: u64,
    /// The rate at which the window would leave several times in a round trip.
    pacing_most: u64,
    /// Sending begins again after a rest: BBR.idle_restart.
    idle_restart: bool,
    /// Whether the window held sending up in this round, and in this or the last one.
    limited_now: bool,
    window_limited: bool,
    /// Whether the smoothed round trip shows a queue.
    queueing: bool,
    /// Whether more is on its way than the path holds without one.
    queued: bool,
    /// The least excess of the round trip in this round.
    round_excess: Duration,
    /// Whether the queue is shorter than this flow's share of it.
    presses: bool,
    /// Others, once the pipe has been full: an idle connection has no need of it.
    contest: Option<Box<Contest>>,
    delivered_bytes: u64,
    in_flight_bytes: u64,
    undo: Option<Box<Undo>>,
}

impl Bbr {
    /// The initial window for packets of `mss` bytes.
    pub fn new(mss: u64) -> Self {
        Self {
            mss,
            lossy_link: false,
            state: State::Startup,
            model: Model::new(),
            pipe: FullPipe::default(),
            drain_round: 0,
            cycle: Cycle::default(),
            probe_rtt: ProbeRtt::default(),
            losses: Losses::new(FLOOR_MAX),
            bounds: Bounds::NONE,
            window: initial_window(mss),
            first_window: initial_window(mss),
            prior_window: 0,
            pacing_rate: 0,
            pacing_most: u64::MAX,
            idle_restart: false,
            limited_now: false,
            window_limited: false,
            queueing: false,
            queued: false,
            round_excess: Duration::ZERO,
            presses: false,
            contest: None,
            delivered_bytes: 0,
            in_flight_bytes: 0,
            undo: None,
        }
    }

    /// For a path that loses up to every third packet whatever is sent: losses count as congestion
    /// only together with a sign of a queue. Not fair to flows that take every loss for congestion.
    pub fn for_lossy_link(mss: u64) -> Self {
        Self { lossy_link: true, losses: Losses::new(FLOOR_MAX_LOSSY), ..Self::new(mss) }
    }

    fn least_window(&self) -> u64 {
        LEAST_PACKETS * self.mss
    }

    /// BBR.bw: what the path delivers, bytes a second.
    fn bw(&self) -> u64 {
        self.model.max_bw.greatest().min(self.bounds.bw_short).min(self.bounds.bw_yield)
    }

    /// BDPMultiple: what the path holds, in hundredths, what it will lose included.
    fn bdp(&self, gain: u64) -> u64 {
        let Some(min_rtt) = self.model.min_rtt else { return self.first_window };
        let arriving = volume(self.bw(), min_rtt);
        hundredths(self.losses.before_loss(arriving, self.mss), gain)
    }

    /// The least that uses senders and receivers who handle many packets at once (QuantizationBudget,
    /// section 5.6.4.2).
    fn quantized(&self, bytes: u64) -> u64 {
        let least = bytes.max(self.quantum()).max(self.least_window());
        if self.state == State::Up { least + 2 * self.mss } else { least }
    }

    /// Inflight.
    fn inflight(&self, gain: u64) -> u64 {
        self.quantized(self.bdp(gain))
    }

    /// TargetInflight.
    fn target_inflight(&self) -> u64 {
        self.bdp(100).min(self.window)
    }

    /// SetSendQuantum (section 5.6.3); how much leaves at once the pacer decides.
    fn quantum(&self) -> u64 {
        (self.pacing_rate / 1000).min(1 << 16).max(2 * self.mss)
    }

    /// By how much the round trip at hand is longer than the least.
    fn rtt_excess(&self, ack: &AckSample) -> Duration {
        let rtt = ack.rtt.unwrap_or(ack.srtt);
        rtt.saturating_sub(self.model.min_rtt.unwrap_or(rtt))
    }

    /// The excess that is a sign of a queue: such a part of the least round trip.
    fn queue_sign(&self, part: u32) -> Duration {
        (self.model.min_rtt.unwrap_or(CLOCK) / part).max(CLOCK)
    }

    /// Whether the smoothed round trip is longer than the least by a quarter.
    fn is_queueing(&self, ack: &AckSample) -> bool {
        let min = self.model.min_rtt.unwrap_or(ack.srtt);
        ack.srtt > min + self.queue_sign(4) || self.losses.marks > 0
    }

    /// AdaptLowerBoundsFromCongestion: once a round, when nothing is being probed.
    fn adapt_short(&mut self, ack: &AckSample) {
        if self.state.is_probing() || self.state == State::Contest {
            return;
        }
        let too_high = self.losses.round_is_too_high(PLACES, self.mss);
        let counts = match (self.lossy_link, self.queueing) {
            (false, true) => self.losses.round_is_lossy(self.mss),
            (true, false) => false,
            _ => too_high && self.has_evidence(),
        };
        if counts || self.losses.marks > 0 {
            let overflow = self.queueing && self.state == State::Cruise;
            let (max_bw, flight) = (self.model.max_bw.greatest(), ack.in_flight_bytes);
            self.bounds.lower(&self.losses, max_bw, self.window.min(flight), overflow);
            if overflow {
                self.note_overflow(ack);
            }
        }
    }

    /// Beyond the draft: between probes a flow gives way to a queue, the more readily the faster it is.
    /// Flows that share a queue see the same delay, and the same delay is too much first for the
    /// fastest; with that they come to equal shares, and the queue stays short.
    fn yield_to_queue(&mut self, ack: &AckSample) {
        let excess = self.rtt_excess(ack);
        if !self.model.rounds.begins {
            self.round_excess = self.round_excess.min(excess);
            return;
        }
        let least = core::mem::replace(&mut self.round_excess, excess);
        let (bw, max_bw) = (self.bw().max(1), self.model.max_bw.greatest());
        let own = Duration::from_nanos(OWN_PACKETS * self.mss * 1_000_000_000 / bw);
        self.judge_queue(ack, self.model.min_rtt.unwrap_or(ack.srtt) + least, own);
        if !matches!(self.state, State::Cruise | State::Refill) {
            self.presses = false;
            return;
        }
        // What was done shows a round later.
        if self.model.rounds.count.is_multiple_of(2) {
            return;
        }
        let kept = hundredths(max_bw, self.yield_most(ack.now));
        let bound = &mut self.bounds.bw_yield;
        self.presses = least < own * 3 / 4 && *bound == u64::MAX;
        if least > own + CLOCK {
            *bound = hundredths(bw, YIELD).max(kept);
        } else if least < own * 3 / 4 && *bound < u64::MAX {
            let more = hundredths(*bound, PRESS);
            *bound = if more < max_bw { more } else { u64::MAX };
        }
    }

    /// Whether losses can be told from those of the path: there is a queue, or what the path loses by
    /// itself is known.
    fn has_evidence(&self) -> bool {
        self.queueing || self.losses.floor_is_known(self.mss)
    }

    /// InitPacingRate and SetPacingRate. The rate falls only once the pipe has been full: what an
    /// application sends that has little to say is no measure of the path.
    fn set_pacing_rate(&mut self, now: Instant, srtt: Duration) {
        if self.pacing_rate == 0 {
            let nominal = rate(self.first_window, srtt);
            self.pacing_rate = hundredths(nominal, State::Startup.gain());
        }
        let press = self.presses && self.state == State::Cruise;
        let empties = self.queued && self.state == State::Down;
        let rate = self.rate_with(match () {
            () if press => PRESS,
            () if empties => GAIN_EMPTYING,
            () => self.state.gain(),
        });
        if self.pipe.ever || rate > self.pacing_rate {
            self.pacing_rate = rate;
        }
        let quiet = self.pacing_rate <= hundredths(self.model.max_bw.greatest(), QUIET);
        self.losses.set_quiet(now, quiet);
    }

    fn rate_with(&self, gain: u64) -> u64 {
        let rate = hundredths(self.bw(), gain) * (100 - MARGIN) / 100;
        // Where less is sent than arrives, what is lost is measured; so it must be less indeed.
        let measures =
            matches!(self.state, State::Drain | State::Down) || self.bounds.bw_short < u64::MAX;
        let rate = if measures { rate } else { self.losses.before_loss(rate, self.mss) };
        rate.max(1)
    }

    /// SetCwnd (section 5.6.4.6).
    fn set_window(&mut self, ack: &AckSample) {
        let gain = match self.state {
            State::Up => WINDOW_GAIN_UP,
            _ => WINDOW_GAIN,
        };
        let most = self.quantized(self.bdp(gain).saturating_add(self.model.bunching.extra()));
        if self.pipe.ever {
            self.window = (self.window + ack.bytes).min(most);
        } else if self.window < most || ack.delivered_bytes < self.first_window {
            self.window += ack.bytes;
        }
        self.window = self.window.max(self.least_window());
        if self.state == State::ProbeRtt {
            self.window = self.window.min(self.probe_rtt.window);
        }
        self.bound_window();
    }

    /// BoundCwndForModel.
    fn bound_window(&mut self) {
        let long = match self.state {
            State::Startup | State::Drain => u64::MAX,
            State::Down | State::Refill | State::Up => self.bounds.inflight_long,
            State::Cruise | State::ProbeRtt | State::Contest => self.inflight_with_headroom(),
        };
        let most = long.min(self.bounds.inflight_short).max(self.least_window());
        self.window = self.window.min(most);
    }

    /// SaveCwnd and RestoreCwnd.
    fn save_window(&mut self) {
        let cut = self.state == State::ProbeRtt;
        self.prior_window = if cut { self.prior_window.max(self.window) } else { self.window };
    }

    /// The losses at hand ended this state.
    fn note_undo(&mut self, state: Option<State>) {
        if let Some(undo) = &mut self.undo {
            undo.state = state;
        }
    }

    fn restore_window(&mut self) {
        self.window = self.window.max(self.prior_window);
    }
}

/// Places at which a round must have lost for short bounds.
const PLACES: u32 = loss::PROBE_BURSTS;

impl Controller for Bbr {
    fn name(&self) -> &'static str {
        if self.lossy_link { "bbr-lossy" } else { "bbr" }
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn ssthresh(&self) -> u64 {
        u64::MAX
    }

    fn phase(&self) -> Phase {
        match self.state {
            State::Startup => Phase::Startup,
            State::Drain => Phase::Drain,
            State::Down => Phase::ProbeDown,
            State::Cruise => Phase::ProbeCruise,
            State::Refill => Phase::ProbeRefill,
            State::Up => Phase::ProbeUp,
            State::ProbeRtt => Phase::ProbeRtt,
            State::Contest => Phase::CongestionAvoidance,
        }
    }

    fn set_mss(&mut self, mss: u64) {
        self.mss = mss;
        self.window = self.window.max(self.least_window());
        if let Some(contest) = &mut self.contest {
            contest.set_mss(mss);
        }
    }

    fn begin_with(&mut self, bytes: u64) {
        self.begin(bytes);
    }

    fn resume(&mut self, bytes: u64, rtt: Duration) {
        self.jump(bytes, rtt);
    }

    fn settle(&mut self, bytes: u64) {
        self.end_jump(bytes);
    }

    fn retreat(&mut self, now: Instant, bytes: u64) {
        self.on_congestion(now, self.in_flight_bytes);
        self.fall_back(bytes);
    }

    /// OnTransmit: HandleRestartFromIdle (section 5.4.1).
    fn on_sent(&mut self, sent: &SentPacket) {
        self.in_flight_bytes = sent.in_flight_bytes + sent.bytes;
        self.limited_now |= sent.in_flight_bytes + sent.bytes + self.mss > self.window;
        self.window_limited |= self.limited_now;
        if sent.in_flight_bytes > 0 || !sent.app_limited {
            return;
        }
        self.idle_restart = true;
        self.model.bunching.restart(sent.now);
        match self.state {
            State::Down | State::Cruise | State::Refill | State::Up => {
                self.pacing_rate = self.rate_with(100);
            }
            State::ProbeRtt => self.end_probe_rtt(sent.now, self.delivered_bytes),
            State::Startup | State::Drain | State::Contest => {}
        }
    }

    /// UpdateModelAndState and UpdateControlParameters (section 5.2.3).
    fn on_ack(&mut self, ack: &AckSample) {
        self.delivered_bytes = ack.delivered_bytes;
        self.in_flight_bytes = ack.left_in_flight();
        self.queueing = self.is_queueing(ack);
        self.queued = ack.left_in_flight() > self.bdp(108);
        self.losses.on_ack(ack, self.queueing, self.mss);
        self.model.update_bw(ack);
        if self.model.rounds.begins {
            self.window_limited = core::mem::take(&mut self.limited_now);
        }
        if self.losses.ends_round {
            self.adapt_short(ack);
        }
        self.yield_to_queue(ack);
        let max_bw = self.model.max_bw.greatest();
        self.model.update_bunching(ack, max_bw, self.window, self.pipe.ever);
        if self.state == State::Contest {
            self.losses.advance(ack);
            return self.go_on_contesting(ack);
        }
        self.pipe.on_ack(ack, self.model.rounds.begins);
        self.check_startup();
        self.check_drain(ack);
        self.update_cycle(ack);
        self.check_probe_rtt(ack);
        self.losses.advance(ack);
        if ack.rtt.is_some() || self.pacing_rate > 0 {
            self.set_pacing_rate(ack.now, ack.srtt);
        }
        self.set_window(ack);
        self.pacing_most = rate(self.window.saturating_mul(WINDOWS_PER_ROUND), ack.srtt);
    }

    /// HandleLostPacket.
    fn on_lost(&mut self, lost: &LostPacket) {
        self.losses.on_lost(lost, self.queueing, self.mss);
        self.judge_probe(lost);
    }

    /// SaveStateUponLoss.
    fn on_congestion(&mut self, now: Instant, in_flight_bytes: u64) {
        if self.state == State::Contest {
            return self.contest_congestion(now, in_flight_bytes);
        }
        self.save_window();
        // Made once, at the first loss.
        **self.undo.get_or_insert_default() = Undo { state: None, bounds: self.bounds };
    }

    /// A mark is a loss that was spared: it ends a probe and sets the short bounds (RFC 3168 section
    /// 5, RFC 9002 section 7.1).
    fn on_marks(&mut self, now: Instant, packets: u64) {
        self.losses.marks += packets;
        if self.cycle.is_probe_sample {
            self.handle_too_high(now, self.delivered_bytes, self.in_flight_bytes, false);
        } else if self.state == State::Startup {
            self.pipe.ever = true;
            self.bounds.inflight_long = self.bdp(100).max(self.losses.inflight_latest);
        }
    }

    /// What follows a retransmission timeout (section 5.6.4.4): the least window, and growth from
    /// there by what arrives, up to what the model says.
    fn on_persistent_congestion(&mut self, now: Instant) {
        if self.state == State::Contest {
            self.leave_contest(now);
            self.enter_down(now, self.delivered_bytes);
        }
        self.save_window();
        self.window = self.least_window();
        self.note_undo(None);
    }

    /// HandleSpuriousLossDetection (section 5.5.11.2).
    fn on_undo(&mut self, now: Instant) {
        if self.state == State::Contest {
            return self.contest.iter_mut().for_each(|contest| contest.undo(now));
        }
        self.restore_window();
        self.losses.in_round = false;
        self.pipe.look_again(0);
        let Some(Undo { state, bounds }) = self.undo.as_deref_mut() else { return };
        self.bounds.raise_to(bounds);
        match state.take() {
            Some(State::Startup) if self.state != State::Startup => {
                self.pipe.ever = false;
                if self.state != State::ProbeRtt {
                    self.enter_startup();
                }
            }
            Some(State::Up) if !matches!(self.state, State::Up | State::ProbeRtt) => {
                self.enter_refill(self.delivered_bytes);
            }
            _ => {}
        }
    }

    fn pacing_rate(&self) -> Option<u64> {
        Some(self.pacing_rate.min(self.pacing_most)).filter(|&rate| rate > 0)
    }

    fn wants_prr(&self) -> bool {
        false
    }
}
