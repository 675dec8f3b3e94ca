//! The round-trip time of the path (RFC 9002 section 5).

use core::time::Duration;

/// Granularity of timers (RFC 9002 section 6.1.2).
pub(super) const GRANULARITY: Duration = Duration::from_millis(1);

/// What is known of the round trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rtt {
    /// The last sample.
    latest: Duration,
    /// Smoothed round-trip time, SRTT.
    smoothed: Duration,
    /// Mean deviation, RTTVAR.
    variance: Duration,
    min: Duration,
    /// What follows from SRTT and RTTVAR, since it is asked for with every packet.
    pto: Duration,
    samples: u64,
    /// The guess is one that this path has given before.
    remembered: bool,
}

impl Rtt {
    /// Nothing measured yet: `initial` is a guess (RFC 9002 section 6.2.2 takes 333 ms).
    pub fn new(initial: Duration) -> Self {
        let mut new = Self {
            latest: initial,
            smoothed: initial,
            variance: initial / 2,
            min: initial,
            pto: Duration::ZERO,
            samples: 0,
            remembered: false,
        };
        new.update_pto();
        new
    }

    /// Nothing measured yet, but the path was seen before (RFC 9002 section 6.2.2).
    pub fn remembered(rtt: Duration) -> Self {
        Self { remembered: true, ..Self::new(rtt) }
    }

    fn update_pto(&mut self) {
        self.pto = self.smoothed + (self.variance * 4).max(GRANULARITY);
    }

    /// Takes a sample: the time from sending the highest newly acknowledged packet to its ACK.
    /// `ack_delay` is how long the peer says that it held the ACK back, at most what it promised.
    pub fn sample(&mut self, sample: Duration, ack_delay: Duration) {
        self.latest = sample;
        self.samples += 1;
        if self.samples == 1 {
            (self.smoothed, self.variance, self.min) = (sample, sample / 2, sample);
            return self.update_pto();
        }
        // The minimum ignores the peer's delay, so that a wrong one cannot lower it (5.2).
        self.min = self.min.min(sample);
        let adjusted = match sample.checked_sub(ack_delay) {
            Some(adjusted) if adjusted >= self.min => adjusted,
            _ => sample,
        };
        self.variance = (self.variance * 3 + self.smoothed.abs_diff(adjusted)) / 4;
        self.smoothed = (self.smoothed * 7 + adjusted) / 8;
        self.update_pto();
    }

    /// The last sample; the initial guess before there was one.
    pub const fn latest(&self) -> Duration {
        self.latest
    }

    /// Smoothed round-trip time, SRTT.
    pub const fn smoothed(&self) -> Duration {
        self.smoothed
    }

    /// Mean deviation, RTTVAR.
    pub const fn variance(&self) -> Duration {
        self.variance
    }

    /// The least sample.
    pub const fn min(&self) -> Duration {
        self.min
    }

    /// Whether anything was measured.
    pub const fn is_measured(&self) -> bool {
        self.samples > 0
    }

    /// Whether it is more than a guess: measured, or remembered.
    pub const fn is_known(&self) -> bool {
        self.samples > 0 || self.remembered
    }

    /// Time after which an acknowledgement is overdue, without the peer's own delay: the probe
    /// timeout of RFC 9002 section 6.2.1 less `max_ack_delay`.
    pub const fn pto(&self) -> Duration {
        self.pto
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn rfc9002_section_5_3() {
        let mut rtt = Rtt::new(ms(333));
        assert!(!rtt.is_measured());
        assert_eq!(rtt.pto(), ms(999));
        rtt.sample(ms(100), ms(50));
        assert_eq!((rtt.smoothed(), rtt.variance(), rtt.min()), (ms(100), ms(50), ms(100)));
        rtt.sample(ms(200), ms(20));
        assert_eq!(rtt.smoothed(), ms(110), "7/8 of 100 and 1/8 of 180");
        assert_eq!(rtt.variance(), Duration::from_micros(57_500), "3/4 of 50 and 1/4 of 80");
    }

    #[test]
    fn a_delay_that_would_undercut_the_minimum_is_ignored() {
        let mut rtt = Rtt::new(ms(333));
        rtt.sample(ms(100), ms(0));
        rtt.sample(ms(110), ms(60));
        assert_eq!(rtt.smoothed(), Duration::from_micros(101_250), "the sample as it is");
        rtt.sample(ms(90), ms(25));
        assert_eq!(rtt.min(), ms(90));
    }
}
