//! A token bucket: how often somebody may do something.

use core::time::Duration;

use crate::time::Instant;

/// How fast tokens come, and how many are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tokens a second, at least one.
    pub per_second: u32,
    /// The most tokens that are kept.
    pub burst: u32,
}

/// Tokens that come at a [`Rate`] and are taken.
///
/// ```
/// use rdtp::{app::chat::{Bucket, Rate}, time::Instant};
///
/// let mut bucket = Bucket::new(Rate { per_second: 2, burst: 1 });
/// assert_eq!(bucket.take(Instant::ZERO, 1), Ok(()));
/// let wait = bucket.take(Instant::ZERO, 1).unwrap_err();
/// assert_eq!(wait.as_millis(), 500);
/// assert_eq!(bucket.take(Instant::ZERO + wait, 1), Ok(()));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    /// Nanoseconds that a token takes to come.
    token_nanos: u64,
    burst_nanos: u64,
    /// When the bucket is full again.
    full_at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub fn new(rate: Rate) -> Self {
        let token_nanos = 1_000_000_000 / u64::from(rate.per_second.max(1));
        let burst_nanos = token_nanos * u64::from(rate.burst);
        Self { token_nanos, burst_nanos, full_at: Instant::ZERO }
    }

    /// Takes `tokens`, or says how long to wait until there are so many. More than the burst are
    /// there never; then they are there when the bucket is full.
    pub fn take(&mut self, now: Instant, tokens: u32) -> Result<(), Duration> {
        let cost = (self.token_nanos * u64::from(tokens)).min(self.burst_nanos);
        let full_at = self.full_at.max(now) + Duration::from_nanos(cost);
        let limit = now + Duration::from_nanos(self.burst_nanos);
        if full_at > limit {
            return Err(full_at - limit);
        }
        self.full_at = full_at;
        Ok(())
    }

    /// Takes `tokens` whether they are there or not; how long until what was taken too much has come.
    pub fn spend(&mut self, now: Instant, tokens: u32) -> Duration {
        let cost = self.token_nanos.saturating_mul(tokens.into());
        self.full_at = self.full_at.max(now) + Duration::from_nanos(cost);
        self.full_at - (now + Duration::from_nanos(self.burst_nanos))
    }

    /// Whether all of its tokens are there.
    pub fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }

    /// The one of two buckets of the same rate that has fewer tokens.
    #[must_use]
    pub fn emptier(self, other: Self) -> Self {
        if self.full_at < other.full_at { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_rate() {
        let mut bucket = Bucket::new(Rate { per_second: 5, burst: 20 });
        let mut taken = [0, 0];
        for ms in 0..2_000_u64 {
            let now = Instant::ZERO + Duration::from_millis(ms);
            taken[usize::from(ms >= 1_000)] += u32::from(bucket.take(now, 1).is_ok());
        }
        assert_eq!(taken, [24, 5]);
    }

    #[test]
    fn a_debt_is_paid_before_anything_else() {
        let mut bucket = Bucket::new(Rate { per_second: 10, burst: 2 });
        let start = Instant::ZERO + Duration::from_secs(100);
        assert_eq!(bucket.spend(start, 2), Duration::ZERO);
        assert_eq!(bucket.spend(start, 3), Duration::from_millis(300));
        assert_eq!(
            bucket.take(start + Duration::from_millis(300), 1),
            Err(Duration::from_millis(100))
        );
        assert_eq!(bucket.take(start + Duration::from_millis(400), 1), Ok(()));
        let full = Bucket::new(Rate { per_second: 10, burst: 2 });
        assert!(full.emptier(bucket).take(start + Duration::from_millis(400), 2).is_err());
        assert!(bucket.emptier(full).take(start + Duration::from_millis(400), 2).is_err());
    }

    #[test]
    fn what_costs_more_than_the_burst_takes_a_full_bucket() {
        let mut bucket = Bucket::new(Rate { per_second: 1, burst: 4 });
        let start = Instant::ZERO + Duration::from_secs(100);
        assert_eq!(bucket.take(start, 9), Ok(()));
        assert_eq!(bucket.take(start, 9), Err(Duration::from_secs(4)));
        assert_eq!(bucket.take(start + Duration::from_secs(4), 9), Ok(()));
    }
}
