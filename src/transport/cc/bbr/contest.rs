//! Beside somebody who fills the queue. Beyond the draft.
//!
//! A flow that gives way to a queue leaves its place to one that fills queues until they overflow. A
//! queue that does not empty although this flow gives way is somebody else's doing. Then the flow does
//! as he does: it follows the window of CUBIC, from the share that it had on. Whether he is still there
//! is looked at when the queue has just overflowed: then flows of this kind look at the same time, and
//! do not take each other for him.

use alloc::boxed::Box;
use core::time::Duration;

use super::{
    Bbr, Bounds, CLOCK, State, YIELD_MOST,
    filter::TwoWindows,
    model::{hundredths, rate, volume},
    probe_rtt::SHARE,
};
use crate::{
    time::Instant,
    transport::cc::{AckSample, Controller, Cubic},
};

/// So long a queue stands before it is somebody else's, and when somebody was there not long ago.
const STANDS: Duration = Duration::from_secs(2);
const STANDS_AGAIN: Duration = Duration::from_millis(500);
/// For so long after a contest he may come back: no more is given up than this, in hundredths, and it
/// goes on from where it ended.
const SUSPECTED: Duration = Duration::from_secs(30);
const YIELD_MOST_SUSPECTED: u64 = 90;
/// Two overflows of the queue within this time, and not of one and the same moment, show the same.
const OVERFLOWS: Duration = Duration::from_secs(10);
const OVERFLOWS_APART: Duration = Duration::from_millis(500);
/// After so long the next overflow is taken for an opportunity to look whether he is still there, and
/// after so long it is looked at in any case.
const LASTS: Duration = Duration::from_secs(15);
const LASTS_MOST: Duration = Duration::from_secs(30);
/// A queue that is empty for so long is not being filled.
const EMPTY: Duration = Duration::from_secs(1);
/// The share that a flow had is remembered for one to two of these: until it is clear that somebody
/// takes it, most of it may be gone.
const SHARE_AGE: Duration = Duration::from_secs(10);
/// The least round trip is remembered for one to two of these: what is measured beside somebody who
/// fills the queue has his queue in it.
const BASE_AGE: Duration = Duration::from_secs(30);

/// What is known of others.
#[derive(Clone, Debug, Default)]
pub(super) struct Contest {
    /// Since when every round trip shows a queue, and since when none does.
    stands_since: Option<Instant>,
    empty_since: Option<Instant>,
    /// When a queue last overflowed between probes.
    overflow_at: Option<Instant>,
    since: Instant,
    /// The least round trip of this time and of the one before.
    base: [Option<Duration>; 2],
    base_since: Instant,
    /// The greatest bandwidth of this time and of the one before.
    share: TwoWindows,
    share_since: Instant,
    /// When the last one ended, and at which window.
    ended: Option<(Instant, u64)>,
    /// The window that is followed.
    cubic: Option<Box<Cubic>>,
}

impl Contest {
    fn base(&self) -> Option<Duration> {
        self.base.into_iter().flatten().min()
    }

    fn take_rtt(&mut self, now: Instant, rtt: Duration) {
        if now > self.base_since + BASE_AGE {
            (self.base, self.base_since) = ([None, self.base[0]], now);
        }
        self.base[0] = Some(self.base[0].map_or(rtt, |least| least.min(rtt)));
    }

    /// Takes the bandwidth at hand.
    fn take_bw(&mut self, now: Instant, bw: u64) {
        if now > self.share_since + SHARE_AGE {
            self.share.advance();
            self.share_since = now;
        }
        self.share.take(bw);
    }

    fn ended_at(&self, now: Instant) -> Option<u64> {
        self.ended.filter(|&(at, _)| now < at + SUSPECTED).map(|(_, window)| window)
    }

    pub(super) fn set_mss(&mut self, mss: u64) {
        if let Some(cubic) = &mut self.cubic {
            cubic.set_mss(mss);
        }
    }

    pub(super) fn undo(&mut self, now: Instant) {
        if let Some(cubic) = &mut self.cubic {
            cubic.on_undo(now);
        }
    }

    fn look_again(&mut self) {
        (self.stands_since, self.empty_since, self.overflow_at) = (None, None, None);
    }
}

impl Bbr {
    /// What a flow keeps of its bandwidth when it gives way, in hundredths.
    pub(super) fn yield_most(&self, now: Instant) -> u64 {
        let ended = self.contest.as_ref().and_then(|contest| contest.ended_at(now));
        if ended.is_some() { YIELD_MOST_SUSPECTED } else { YIELD_MOST }
    }

    /// The least round trip of a round that ends now, and what of it is this flow's own queue at most.
    pub(super) fn judge_queue(&mut self, ack: &AckSample, least: Duration, own: Duration) {
        if !self.pipe.ever {
            return;
        }
        let bw = self.bw();
        let contest = self.contest.get_or_insert_default();
        contest.take_rtt(ack.now, self.model.min_rtt.unwrap_or(least).min(least));
        contest.take_bw(ack.now, bw);
        let base = contest.base().unwrap_or(least);
        let stands = least > base + (base / 4).max(own * 2) + CLOCK;
        let empty = least < base + base / 8 + CLOCK;
        let since = |was: Option<Instant>, holds: bool| holds.then(|| was.unwrap_or(ack.now));
        contest.empty_since = since(contest.empty_since, empty);
        match self.state {
            // What a probe adds to the queue is its own.
            State::Startup | State::Drain | State::Up | State::ProbeRtt if stands => {}
            _ => contest.stands_since = since(contest.stands_since, stands),
        }
        let lasts = if contest.ended_at(ack.now).is_some() { STANDS_AGAIN } else { STANDS };
        if contest.stands_since.is_some_and(|at| ack.now > at + lasts) {
            self.enter_contest(ack.now, ack.srtt);
        }
    }

    /// A queue overflowed although this flow was not probing. Somebody who fills queues until they do
    /// does it again and again.
    pub(super) fn note_overflow(&mut self, ack: &AckSample) {
        let Some(contest) = &mut self.contest else { return };
        let since = contest.overflow_at.map(|at| ack.now - at);
        if since.is_some_and(|since| since < OVERFLOWS_APART) {
            return;
        }
        contest.overflow_at = Some(ack.now);
        if since.is_some_and(|since| since < OVERFLOWS) {
            self.enter_contest(ack.now, ack.srtt);
        }
    }

    /// Where queues are no sign of congestion there is no contest about them.
    fn enter_contest(&mut self, now: Instant, srtt: Duration) {
        let least_window = self.least_window();
        let Some(contest) = &mut self.contest else { return };
        if self.lossy_link || matches!(self.state, State::Contest | State::ProbeRtt) {
            return;
        }
        // Half of what it gave away belongs to it.
        let bw = u64::midpoint(self.model.max_bw.greatest(), contest.share.greatest());
        let share = volume(bw, srtt).max(contest.ended_at(now).unwrap_or(0)).max(least_window);
        contest.look_again();
        contest.since = now;
        contest.cubic = Some(Box::new(Cubic::at(self.mss, share)));
        self.bounds = Bounds::NONE;
        self.cycle.is_probe_sample = false;
        self.state = State::Contest;
    }

    /// The round trip does not expire meanwhile: it could not be measured.
    pub(super) fn go_on_contesting(&mut self, ack: &AckSample) {
        let least_window = self.least_window();
        let Some(contest) = &mut self.contest else { return };
        let Some(cubic) = &mut contest.cubic else { return };
        cubic.on_ack(ack);
        // Losses without a queue may have cut it to nothing; no more is given up than to a queue.
        let kept = hundredths(self.model.max_bw.greatest(), YIELD_MOST);
        let kept = volume(kept, self.model.min_rtt.unwrap_or(ack.srtt));
        self.window = cubic.window().max(kept).max(least_window);
        self.pacing_rate = hundredths(rate(self.window, ack.srtt), 125).max(1);
        self.pacing_most = u64::MAX;
        let is_over = contest.empty_since.is_some_and(|at| ack.now > at + EMPTY);
        let is_old = ack.now > contest.since + LASTS_MOST;
        self.advance_bw(ack.now);
        self.model.min_rtt_at = ack.now;
        if is_over {
            self.leave_contest(ack.now);
            self.enter_down(ack.now, ack.delivered_bytes);
        } else if is_old {
            self.look_for_rival(ack.now, ack.delivered_bytes);
        }
    }

    pub(super) fn leave_contest(&mut self, now: Instant) {
        let Some(contest) = &mut self.contest else { return };
        contest.look_again();
        contest.ended = contest.cubic.take().map(|cubic| (now, cubic.window()));
    }

    /// Half of what the path holds, for a moment: if the queue stands all the same, he is there.
    fn look_for_rival(&mut self, now: Instant, delivered_bytes: u64) {
        self.leave_contest(now);
        self.probe_rtt.window = self.bdp(SHARE).max(self.least_window());
        self.enter_probe_rtt(delivered_bytes);
    }

    /// Losses or marks, told once for those of a round trip.
    pub(super) fn contest_congestion(&mut self, now: Instant, in_flight_bytes: u64) {
        let Some(contest) = self.contest.as_mut().filter(|_| self.queueing) else { return };
        let Some(cubic) = &mut contest.cubic else { return };
        cubic.on_congestion(now, in_flight_bytes);
        if now > contest.since + LASTS {
            self.look_for_rival(now, self.delivered_bytes);
        }
    }
}
