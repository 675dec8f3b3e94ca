//! How long to wait for an acknowledgement: a fixed time, or RFC 6298 with Karn's rule.

use core::time::Duration;

use crate::time::Instant;

/// Limits of the adaptive retransmission timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adaptive {
    /// RTO before the first measurement.
    pub rto_initial: Duration,
    /// The least RTO.
    pub rto_min: Duration,
    /// The most RTO, which also caps back-off.
    pub rto_max: Duration,
}

impl Adaptive {
    /// The values of RFC 6298: 1 s before the first measurement (2.1), at least 1 s (2.4), at most
    /// 60 s (2.5). Fit for the Internet.
    pub const RFC6298: Self = Self {
        rto_initial: Duration::from_secs(1),
        rto_min: Duration::from_secs(1),
        rto_max: Duration::from_mins(1),
    };

    /// For a single machine or room, where a second is an age: 30 ms before the first measurement,
    /// at least 5 ms, at most 400 ms.
    pub const LOCAL: Self = Self {
        rto_initial: Duration::from_millis(30),
        rto_min: Duration::from_millis(5),
        rto_max: Duration::from_millis(400),
    };
}

/// How the retransmission timeout (RTO) is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// Always the same time.
    Fixed(Duration),
    /// Follows the measured round trips: RFC 6298, with Karn's rule that only messages sent once
    /// are measured, and exponential back-off.
    Adaptive(Adaptive),
}

impl Default for Timeout {
    fn default() -> Self {
        Self::Adaptive(Adaptive::RFC6298)
    }
}

/// When the single timer of rdt 3.0 and go-back-N starts over.
///
/// The book calls it "a timer for the oldest transmitted but not yet acknowledged packet", yet its
/// figure restarts it in full at every ACK. The first reading finds a loss one RTO after the lost
/// packet was sent, the second one RTO after the last good ACK, nearly a round trip later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimerStart {
    /// One RTO after the oldest packet was last sent.
    #[default]
    SinceSent,
    /// One RTO from now, at every `start_timer`: the figure to the letter, and RFC 6298, 5.3.
    SinceStart,
}

/// The estimate of the round trip and the timeout that follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RttEstimator {
    policy: Timeout,
    /// SRTT and RTTVAR, once there was a sample.
    smoothed: Option<(Duration, Duration)>,
    rto: Duration,
    backed_off_at: Option<Instant>,
}

/// The least timeout: a timer of zero would fire for ever without time passing.
const RTO_FLOOR: Duration = Duration::from_micros(1);

impl RttEstimator {
    /// What an endpoint shows that measures nothing: the values that RFC 6298 starts from.
    pub const UNMEASURED: Self = Self {
        policy: Timeout::Adaptive(Adaptive::RFC6298),
        smoothed: None,
        rto: Adaptive::RFC6298.rto_initial,
        backed_off_at: None,
    };

    /// No samples yet.
    pub fn new(policy: Timeout) -> Self {
        let rto = match policy {
            Timeout::Fixed(rto) => rto,
            Timeout::Adaptive(limits) => limits.rto_initial,
        };
        Self { policy, smoothed: None, rto: rto.max(RTO_FLOOR), backed_off_at: None }
    }

    /// Retransmission timeout, RTO.
    pub fn rto(&self) -> Duration {
        self.rto
    }

    /// Smoothed round-trip time, SRTT; `None` before the first sample.
    pub fn srtt(&self) -> Option<Duration> {
        self.smoothed.map(|(srtt, _)| srtt)
    }

    /// Mean deviation of the round trip, RTTVAR; `None` before the first sample.
    pub fn rttvar(&self) -> Option<Duration> {
        self.smoothed.map(|(_, rttvar)| rttvar)
    }

    /// Takes the round trip of a message that was sent only once (Karn's rule is the caller's to
    /// keep: RFC 6298, section 3).
    pub fn sample(&mut self, r: Duration) {
        // RFC 6298, 2.2 and 2.3 with alpha = 1/8, beta = 1/4.
        let (srtt, rttvar) = match self.smoothed {
            None => (r, r / 2),
            Some((srtt, rttvar)) => ((srtt * 7 + r) / 8, (rttvar * 3 + srtt.abs_diff(r)) / 4),
        };
        self.smoothed = Some((srtt, rttvar));
        if let Timeout::Adaptive(limits) = self.policy {
            // Clock granularity G is nanoseconds here and needs no term of its own.
            let rto = srtt.saturating_add(rttvar * 4);
            self.rto = rto.min(limits.rto_max).max(limits.rto_min).max(RTO_FLOOR);
            self.backed_off_at = None;
        }
    }

    /// Takes note that a timer ran out: the adaptive RTO doubles (RFC 6298, 5.5), at most once in
    /// an RTO however many timers share it.
    pub fn back_off(&mut self, now: Instant) {
        let Timeout::Adaptive(limits) = self.policy else { return };
        if self.backed_off_at.is_none_or(|at| now >= at + self.rto) {
            self.rto =
                self.rto.saturating_mul(2).min(limits.rto_max).max(self.rto.min(limits.rto_max));
            self.rto = self.rto.max(RTO_FLOOR);
            self.backed_off_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn adaptive(initial: u64, min: u64, max: u64) -> RttEstimator {
        RttEstimator::new(Timeout::Adaptive(Adaptive {
            rto_initial: ms(initial),
            rto_min: ms(min),
            rto_max: ms(max),
        }))
    }

    #[test]
    fn rfc6298_section_2() {
        let mut rtt = adaptive(1000, 1, 60_000);
        assert_eq!((rtt.rto(), rtt.srtt()), (ms(1000), None));
        rtt.sample(ms(100));
        assert_eq!((rtt.srtt(), rtt.rttvar()), (Some(ms(100)), Some(ms(50))));
        assert_eq!(rtt.rto(), ms(300), "SRTT + 4 RTTVAR");
        rtt.sample(ms(180));
        assert_eq!(rtt.srtt(), Some(ms(110)), "7/8 of 100 and 1/8 of 180");
        assert_eq!(rtt.rttvar(), Some(Duration::from_micros(57_500)), "3/4 of 50 and 1/4 of 80");
        assert_eq!(rtt.rto(), ms(340));
    }

    #[test]
    fn the_limits_hold() {
        let mut rtt = adaptive(1000, 200, 500);
        rtt.sample(ms(1));
        assert_eq!(rtt.rto(), ms(200));
        rtt.sample(ms(10_000));
        assert_eq!(rtt.rto(), ms(500));
    }

    #[test]
    fn back_off_doubles_once_an_rto_until_the_next_sample() {
        let mut rtt = adaptive(100, 10, 1000);
        rtt.back_off(Instant::ZERO);
        rtt.back_off(Instant::ZERO + ms(1));
        assert_eq!(rtt.rto(), ms(200), "timers that expire together count once");
        for round in 1..10 {
            rtt.back_off(Instant::ZERO + ms(1000) * round);
        }
        assert_eq!(rtt.rto(), ms(1000), "capped");
        rtt.sample(ms(20));
        assert_eq!(rtt.rto(), ms(60));
    }

    #[test]
    fn a_fixed_timeout_measures_but_does_not_move() {
        let mut rtt = RttEstimator::new(Timeout::Fixed(ms(50)));
        rtt.sample(ms(7));
        rtt.back_off(Instant::ZERO);
        assert_eq!((rtt.rto(), rtt.srtt()), (ms(50), Some(ms(7))));
        assert!(RttEstimator::new(Timeout::Fixed(Duration::ZERO)).rto() > Duration::ZERO);
    }
}
