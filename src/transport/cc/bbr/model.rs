//! What the path is like: how fast it delivers, how long it is, and how far its ACKs come in
//! bunches (section 5.5 of the draft).

use core::time::Duration;

use super::filter::{Greatest, TwoWindows};
use crate::{
    time::{Instant, nanos},
    transport::cc::AckSample,
};

/// How long the least round trip is believed (section 5.5.7: MinRTTFilterLen).
const MIN_RTT_AGE: Duration = Duration::from_secs(10);
/// A round trip within this share of the least confirms it: in a network whose delays are not exact
/// to the nanosecond the very same value hardly comes twice.
const CONFIRMS: u32 = 64;
/// Rounds over which bunched ACKs are remembered (section 2.6: ExtraAckedFilterLen), and how many
/// until the pipe has been full.
const EXTRA_ROUNDS: u64 = 10;
const EXTRA_ROUNDS_STARTUP: u64 = 1;

/// Rounds counted by packets: from the sending of one to its ACK (section 5.5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rounds {
    /// Bytes delivered when the round began that is under way: next_round_delivered.
    began: u64,
    pub(super) count: u64,
    /// Whether the ACK at hand begins a round.
    pub(super) begins: bool,
}

impl Rounds {
    pub(super) fn on_ack(&mut self, ack: &AckSample) {
        self.begins = ack.flight.delivered_bytes >= self.began;
        if self.begins {
            self.restart(ack.delivered_bytes);
            self.count += 1;
        }
    }

    /// A round begins with the packet that leaves next: StartRound.
    pub(super) fn restart(&mut self, delivered_bytes: u64) {
        self.began = delivered_bytes;
    }
}

/// How much more is acknowledged at once than the bandwidth explains: BBR.extra_acked (5.5.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bunching {
    since: Instant,
    delivered: u64,
    greatest: Greatest,
}

impl Bunching {
    pub(super) fn extra(&self) -> u64 {
        self.greatest.value()
    }

    /// Counting begins anew after a rest.
    pub(super) fn restart(&mut self, now: Instant) {
        (self.since, self.delivered) = (now, 0);
    }

    fn on_ack(&mut self, ack: &AckSample, bw: u64, window: u64, round: u64, rounds: u64) {
        let expected = volume(bw, ack.now - self.since);
        let expected = if self.delivered <= expected {
            self.restart(ack.now);
            0
        } else {
            expected
        };
        self.delivered += ack.bytes;
        self.greatest.take(
            round,
            (self.delivered - expected.min(self.delivered)).min(window),
            rounds,
        );
    }
}

/// The model of the path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model {
    pub(super) rounds: Rounds,
    pub(super) max_bw: TwoWindows,
    /// The least round trip; `None` before the first.
    pub(super) min_rtt: Option<Duration>,
    pub(super) min_rtt_at: Instant,
    /// The least round trip was too old when the ACK at hand came.
    pub(super) min_rtt_expired: bool,
    pub(super) bunching: Bunching,
}

impl Model {
    pub(super) fn new() -> Self {
        Self {
            rounds: Rounds::default(),
            max_bw: TwoWindows::default(),
            min_rtt: None,
            min_rtt_at: Instant::ZERO,
            min_rtt_expired: false,
            bunching: Bunching::default(),
        }
    }

    /// UpdateMaxBw: a sample of an application that rested shows only that the path is at least so
    /// fast (section 5.5.3).
    pub(super) fn update_bw(&mut self, ack: &AckSample) {
        self.rounds.on_ack(ack);
        if let Some(rate) = ack.rate
            && (rate.bytes_per_second >= self.max_bw.greatest() || !rate.app_limited)
        {
            self.max_bw.take(rate.bytes_per_second);
        }
    }

    /// UpdateACKAggregation.
    pub(super) fn update_bunching(&mut self, ack: &AckSample, bw: u64, window: u64, full: bool) {
        let rounds = if full { EXTRA_ROUNDS } else { EXTRA_ROUNDS_STARTUP };
        self.bunching.on_ack(ack, bw, window, self.rounds.count, rounds);
    }

    /// UpdateMinRTT. Whether the round trip so far must be looked at once more, since it is about to
    /// be replaced.
    pub(super) fn is_expiring(&mut self, ack: &AckSample) -> bool {
        let known = self.min_rtt.is_some();
        self.min_rtt_expired = known && ack.now > self.min_rtt_at + MIN_RTT_AGE;
        self.min_rtt_expired
    }

    pub(super) fn update_min_rtt(&mut self, ack: &AckSample) {
        let Some(rtt) = ack.rtt else { return };
        match self.min_rtt {
            Some(min) if rtt >= min && !self.min_rtt_expired => {
                if rtt <= min + min / CONFIRMS {
                    self.min_rtt_at = ack.now;
                }
            }
            _ => (self.min_rtt, self.min_rtt_at) = (Some(rtt), ack.now),
        }
    }
}

/// Bytes at so many a second over a time.
pub(super) fn volume(bytes_per_second: u64, time: Duration) -> u64 {
    let product = u128::from(bytes_per_second) * u128::from(nanos(time));
    u64::try_from(product / 1_000_000_000).unwrap_or(u64::MAX)
}

/// Bytes a second of so many over a time.
pub(super) fn rate(bytes: u64, time: Duration) -> u64 {
    let time = nanos(time).max(1);
    u64::try_from(u128::from(bytes) * 1_000_000_000 / u128::from(time)).unwrap_or(u64::MAX)
}

/// So many hundredths of a value.
pub(super) fn hundredths(value: u64, gain: u64) -> u64 {
    u64::try_from(u128::from(value) * u128::from(gain) / 100).unwrap_or(u64::MAX)
}
