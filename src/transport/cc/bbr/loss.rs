//! Losses: which of them are the flow's own doing.
//!
//! The draft takes a round trip that loses more than 2 % for one that was sent too much (section
//! 5.5.10). A path that loses as much by itself, however little is sent, then looks like one that is
//! always too full. So what the path loses anyway is measured, in phases in which less leaves than
//! the path has just delivered, and the 2 % count from there.

use alloc::boxed::Box;

use super::model::hundredths;
use crate::{
    time::Instant,
    transport::cc::{AckSample, LostPacket},
};

/// Share of a round that may be lost: LossThresh, in hundredths.
const THRESHOLD: u64 = 2;
/// What the flow keeps of a bound when losses exceed it: Beta, in hundredths.
pub(super) const BETA: u64 = 70;
/// Places at which a round must have lost to end startup (section 5.3.1.3), and a probe: one burst of
/// losses is a matter of chance, however many packets it takes.
pub(super) const STARTUP_BURSTS: u32 = 6;
pub(super) const PROBE_BURSTS: u32 = 2;
/// Losses closer than this are one burst.
const BURST_PACKETS: u64 = 16;
/// Packets after which what was measured of the path's own loss counts half.
const FLOOR_PACKETS: u64 = 4096;
/// A part of one, for shares.
const ONE: u64 = 1 << 16;

/// Packets that have to be measured before anything is believed.
const FLOOR_PACKETS_MIN: u64 = 64;

/// The share that the path loses whatever is sent: lost and all bytes of quiet times, in which less
/// left than the path had delivered shortly before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Floor {
    lost: u64,
    all: u64,
    /// Packets that left in this time count.
    from: Option<Instant>,
    until: Option<Instant>,
}

impl Floor {
    /// From here on it is quiet, or no longer.
    fn set_quiet(&mut self, now: Instant, quiet: bool) {
        let is_open = self.from.is_some() && self.until.is_none();
        match (is_open, quiet) {
            (false, true) => (self.from, self.until) = (Some(now), None),
            (true, false) => self.until = Some(now),
            _ => {}
        }
    }

    fn counts(&self, sent_at: Instant) -> bool {
        self.from.is_some_and(|from| sent_at >= from)
            && self.until.is_none_or(|until| sent_at < until)
    }

    fn add(&mut self, sent_at: Instant, lost: u64, arrived: u64, mss: u64) {
        if !self.counts(sent_at) {
            return;
        }
        self.lost += lost;
        self.all += lost + arrived;
        if self.all > FLOOR_PACKETS * mss {
            (self.lost, self.all) = (self.lost / 2, self.all / 2);
        }
    }

    const fn is_known(&self, mss: u64) -> bool {
        self.all >= FLOOR_PACKETS_MIN * mss
    }

    fn share(&self, mss: u64) -> u64 {
        if self.is_known(mss) { self.lost * ONE / self.all } else { 0 }
    }
}

/// What was lost in the round trip under way, and what the path loses by itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Losses {
    /// Whether the ACK at hand ends a round of looking at losses: loss_round_start.
    pub(super) ends_round: bool,
    /// Bytes delivered when it began: loss_round_delivered.
    began: u64,
    pub(super) in_round: bool,
    lost_bytes: u64,
    bursts: u32,
    /// The first and the last packet lost that belong to the burst under way.
    last: Option<u64>,
    /// Marks of congestion in this round (RFC 3168).
    pub(super) marks: u64,
    /// The greatest rate and volume delivered in this round: bw_latest, inflight_latest.
    pub(super) bw_latest: u64,
    pub(super) inflight_latest: u64,
    /// From the first quiet time on.
    floor: Option<Box<Floor>>,
    /// Losses in a round that the path itself explains, in hundredths at most.
    floor_max: u64,
}

impl Losses {
    pub(super) fn new(floor_max: u64) -> Self {
        Self { floor_max, ..Self::default() }
    }

    /// From here on it is quiet, or no longer.
    pub(super) fn set_quiet(&mut self, now: Instant, quiet: bool) {
        if quiet || self.floor.is_some() {
            self.floor.get_or_insert_default().set_quiet(now, quiet);
        }
    }

    /// The share that the path loses by itself, in 65,536ths.
    pub(super) fn floor(&self, mss: u64) -> u64 {
        self.floor.as_ref().map_or(0, |floor| floor.share(mss)).min(self.floor_max * ONE / 100)
    }

    /// Whether there is any telling what the path loses by itself.
    pub(super) fn floor_is_known(&self, mss: u64) -> bool {
        self.floor.as_ref().is_some_and(|floor| floor.is_known(mss))
    }

    /// What has to leave for so much to arrive.
    pub(super) fn before_loss(&self, bytes: u64, mss: u64) -> u64 {
        let all = u128::from(bytes) * u128::from(ONE);
        u64::try_from(all / u128::from(ONE - self.floor(mss))).unwrap_or(u64::MAX)
    }

    /// UpdateLatestDeliverySignals.
    pub(super) fn on_ack(&mut self, ack: &AckSample, queueing: bool, mss: u64) {
        // With a queue there is no telling whose losses they are.
        if let Some(floor) = self.floor.as_mut().filter(|_| !queueing) {
            floor.add(ack.flight.sent_at, 0, ack.bytes, mss);
        }
        self.bw_latest = self.bw_latest.max(ack.rate.map_or(0, |rate| rate.bytes_per_second));
        let delivered = ack.delivered_bytes - ack.flight.delivered_bytes;
        self.inflight_latest = self.inflight_latest.max(delivered);
        self.ends_round = ack.flight.delivered_bytes >= self.began;
    }

    /// AdvanceLatestDeliverySignals, once the round has been judged.
    pub(super) fn advance(&mut self, ack: &AckSample) {
        if self.ends_round {
            self.bw_latest = ack.rate.map_or(0, |rate| rate.bytes_per_second);
            self.inflight_latest = ack.delivered_bytes - ack.flight.delivered_bytes;
            self.began = ack.delivered_bytes;
            self.forget_round();
        }
    }

    fn forget_round(&mut self) {
        (self.in_round, self.lost_bytes, self.bursts, self.last) = (false, 0, 0, None);
        self.marks = 0;
    }

    /// ResetCongestionSignals.
    pub(super) fn reset(&mut self) {
        self.forget_round();
        (self.bw_latest, self.inflight_latest) = (0, 0);
    }

    /// NoteLoss.
    pub(super) fn on_lost(&mut self, lost: &LostPacket, queueing: bool, mss: u64) {
        if let Some(floor) = self.floor.as_mut().filter(|_| !queueing) {
            floor.add(lost.flight.sent_at, lost.bytes, 0, mss);
        }
        if !self.in_round {
            self.began = lost.delivered_bytes;
        }
        self.in_round = true;
        self.lost_bytes += lost.bytes;
        if self.last.is_none_or(|last| lost.number.abs_diff(last) > BURST_PACKETS) {
            self.bursts += 1;
        }
        self.last = Some(lost.number);
    }

    /// Of `all` bytes, how many may be lost before the flow has to answer for it: what the path loses
    /// by itself, what chance adds to that (two standard deviations, which are the greater the more of
    /// them are lost at a time), and the threshold.
    fn allowed(&self, all: u64, threshold: u64, mss: u64) -> u64 {
        let floor = self.floor(mss);
        let share = |bytes: u64| {
            u64::try_from(u128::from(bytes) * u128::from(floor) / u128::from(ONE))
                .unwrap_or(u64::MAX)
        };
        let expected = share(all);
        let together = (self.lost_bytes / mss.max(1) / u64::from(self.bursts).max(1)).max(1);
        // The square of the spread is that of single losses times the mean size of the burst in which a
        // lost packet finds itself, which for bursts of any length is twice the mean less one.
        let chance = 2 * mss * (expected / mss.max(1) * (2 * together - 1)).isqrt();
        expected + chance + hundredths(all, threshold)
    }

    /// Whether `lost` of `all` bytes are too many (section 5.5.10.2), at no fewer than so many places.
    pub(super) fn are_too_many(&self, lost: u64, all: u64, bursts: u32, mss: u64) -> bool {
        self.bursts >= bursts && lost > self.allowed(all, THRESHOLD, mss)
    }

    /// Whether this round has lost too much.
    pub(super) fn round_is_too_high(&self, bursts: u32, mss: u64) -> bool {
        let all = self.lost_bytes + self.inflight_latest;
        self.are_too_many(self.lost_bytes, all, bursts, mss)
    }

    /// Whether this round has lost more than the path does by itself.
    pub(super) fn round_is_lossy(&self, mss: u64) -> bool {
        let all = self.lost_bytes + self.inflight_latest;
        self.in_round && self.lost_bytes > self.allowed(all, 0, mss)
    }

    /// At how many bytes in flight the losses passed the threshold: InflightAtLoss.
    pub(super) fn inflight_at_loss(&self, lost: &LostPacket, mss: u64) -> u64 {
        let share = self.floor(mss) + THRESHOLD * ONE / 100;
        let before = lost.flight.in_flight_bytes.saturating_sub(lost.bytes);
        let lost_before = lost.flight.lost_bytes.saturating_sub(lost.bytes);
        let allowed = u128::from(before) * u128::from(share);
        let missing = allowed.saturating_sub(u128::from(lost_before) * u128::from(ONE));
        let prefix = missing / u128::from(ONE - share.min(ONE / 2));
        before + u64::try_from(prefix).unwrap_or(u64::MAX).min(lost.bytes)
    }
}

/// Bounds that congestion sets to the model (section 5.5.10); `u64::MAX` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// The most that seemed safe to have in flight: inflight_longterm.
    pub(super) inflight_long: u64,
    /// Until the next probe: inflight_shortterm and bw_shortterm.
    pub(super) inflight_short: u64,
    pub(super) bw_short: u64,
    /// What is left of the bandwidth to a flow that gives way to a queue.
    pub(super) bw_yield: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self::NONE
    }
}

impl Bounds {
    pub(super) const NONE: Self = Self {
        inflight_long: u64::MAX,
        inflight_short: u64::MAX,
        bw_short: u64::MAX,
        bw_yield: u64::MAX,
    };

    /// ResetShortTermModel.
    pub(super) fn forget_short(&mut self) {
        (self.inflight_short, self.bw_short) = (u64::MAX, u64::MAX);
    }

    /// InitLowerBounds and LossLowerBounds: once for a round with losses. The draft keeps at least what
    /// was delivered in the round. When a queue overflows that is too much: it is the flow's share of a
    /// full queue, and a flow that halves its own gets less and less; so `overflow` keeps no more than
    /// CUBIC does.
    pub(super) fn lower(&mut self, losses: &Losses, max_bw: u64, window: u64, overflow: bool) {
        let lowered = |bound: u64, start: u64, latest: u64| {
            let bound = if bound == u64::MAX { start } else { bound };
            hundredths(bound, BETA).max(if overflow { 0 } else { latest })
        };
        self.bw_short = lowered(self.bw_short, max_bw, losses.bw_latest);
        self.inflight_short = lowered(self.inflight_short, window, losses.inflight_latest);
    }

    /// After a mistake: no lower than they were before it.
    pub(super) fn raise_to(&mut self, before: &Self) {
        self.inflight_long = self.inflight_long.max(before.inflight_long);
        self.inflight_short = self.inflight_short.max(before.inflight_short);
        self.bw_short = self.bw_short.max(before.bw_short);
    }
}
