//! What a monitor has seen so far, in whole numbers.

use core::time::Duration;

use super::Status;
use crate::{quantity::Probability, time::nanos};

/// Counts since the beginning, and what the round trips were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MonitorStats {
    /// Probes that were sent.
    pub sent: u64,
    /// Probes whose reply came in time.
    pub answered: u64,
    /// Probes without a reply in time.
    pub lost: u64,
    /// Replies that came after their time. Their probes count as lost.
    pub late: u64,
    /// Replies that came again.
    pub copies: u64,
    /// Messages that are no reply to any probe.
    pub foreign: u64,
    /// Samples of each [`Status`], in the order of [`Status::ALL`].
    pub samples: [u64; 4],
    /// The shortest round trip.
    pub rtt_min: Option<Duration>,
    /// The longest round trip.
    pub rtt_max: Option<Duration>,
    /// The last round trip.
    pub rtt_last: Option<Duration>,
    rtt_sum_nanos: u128,
    /// Sixteen times the jitter in nanoseconds.
    jitter_16: u64,
}

impl MonitorStats {
    /// The mean of all round trips.
    pub fn rtt_mean(&self) -> Option<Duration> {
        let mean = self.rtt_sum_nanos.checked_div(self.answered.into())?;
        Some(Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX)))
    }

    /// The jitter of RFC 3550 section 6.4.1: how much one round trip differs from the one before,
    /// smoothed by a sixteenth. There it is taken of the one-way transit, of which round trips have
    /// twice.
    pub fn jitter(&self) -> Duration {
        Duration::from_nanos(self.jitter_16 >> 4)
    }

    /// The share of probes without a reply in time, of those of which it is known.
    pub fn loss(&self) -> Probability {
        Probability::ratio(self.lost.into(), u128::from(self.lost) + u128::from(self.answered))
    }

    pub(in crate::app) fn count(&mut self, status: Status, rtt: Option<Duration>) {
        self.samples[status.index()] += 1;
        let Some(rtt) = rtt else {
            self.lost += 1;
            return;
        };
        self.answered += 1;
        self.rtt_sum_nanos += rtt.as_nanos();
        self.rtt_min = Some(self.rtt_min.map_or(rtt, |min| min.min(rtt)));
        self.rtt_max = Some(self.rtt_max.map_or(rtt, |max| max.max(rtt)));
        if let Some(last) = self.rtt_last.replace(rtt) {
            // RFC 3550 appendix A.8: scaled by 16, and rounded.
            let difference = nanos(rtt.abs_diff(last));
            let decay = (self.jitter_16 + 8) >> 4;
            self.jitter_16 = self.jitter_16.saturating_add(difference) - decay;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(millis: &[u64]) -> MonitorStats {
        let mut stats = MonitorStats::default();
        for &ms in millis {
            let rtt = (ms > 0).then(|| Duration::from_millis(ms));
            stats.count(if ms == 0 { Status::Inactive } else { Status::Normal }, rtt);
        }
        stats
    }

    #[test]
    fn nothing_is_known_of_nothing() {
        let stats = MonitorStats::default();
        assert_eq!((stats.rtt_mean(), stats.rtt_min, stats.jitter()), (None, None, Duration::ZERO));
        assert_eq!(stats.loss(), Probability::NEVER);
    }

    #[test]
    fn extremes_mean_and_loss() {
        let stats = after(&[30, 0, 10, 20, 0]);
        let ms = |n| Some(Duration::from_millis(n));
        assert_eq!((stats.rtt_min, stats.rtt_mean(), stats.rtt_max), (ms(10), ms(20), ms(30)));
        assert_eq!((stats.answered, stats.lost, stats.rtt_last), (3, 2, ms(20)));
        assert_eq!(stats.samples, [3, 0, 0, 2]);
        assert_eq!(stats.loss(), Probability::percent(40));
    }

    /// RFC 3550 section 6.4.1: J += (|D| - J) / 16.
    #[test]
    fn jitter_is_that_of_the_rfc() {
        assert_eq!(after(&[50, 50, 50, 50]).jitter(), Duration::ZERO);
        assert_eq!(after(&[50, 66]).jitter(), Duration::from_millis(1));
        assert_eq!(after(&[50, 0, 66]).jitter(), Duration::from_millis(1), "a lost one is none");
        let millis: alloc::vec::Vec<u64> = (0..200).map(|n| 50 + 10 * (n % 2)).collect();
        let mut expected_picos = 0_i64;
        for _ in 1..200 {
            expected_picos += (10_000_000_000 - expected_picos) / 16;
        }
        let jitter = after(&millis).jitter();
        let expected = Duration::from_nanos(u64::try_from(expected_picos / 1_000).unwrap());
        assert!(jitter.abs_diff(expected) < Duration::from_nanos(16), "{jitter:?} {expected:?}");
    }
}
