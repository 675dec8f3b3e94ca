//! Spreads packets over the round trip (RFC 9002 section 7.7).
//!
//! Packets leave in quanta: at high rates a timer for each packet would cost more than the packet, and
//! segmentation offload wants many at a time. A bucket holds what the rate gives in a millisecond, and
//! at least the ten packets that any path is expected to bear at once; a sixteenth of a millisecond's
//! worth is waited for.

use core::time::Duration;

use crate::time::{Instant, nanos};

/// The time that a quantum stands for.
const QUANTUM: Duration = Duration::from_millis(1);
/// How often a flow wakes up in this time at most.
const WAKES_PER_QUANTUM: u64 = 16;
/// Packets that may always leave at once (RFC 9002 section 7.7: the initial window).
const BURST_PACKETS: u64 = 10;

/// A bucket of bytes that fills at the pacing rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pacer {
    /// Bytes that may leave now.
    tokens: u64,
    /// Up to when the bucket was filled.
    filled_at: Instant,
    /// Nanoseconds times bytes per second that did not make a whole byte.
    remainder: u64,
    fresh: bool,
}

impl Default for Pacer {
    fn default() -> Self {
        Self::new()
    }
}

impl Pacer {
    /// A full bucket.
    pub const fn new() -> Self {
        Self { tokens: 0, filled_at: Instant::ZERO, remainder: 0, fresh: true }
    }

    /// The most bytes that leave at once at `rate` bytes a second with packets of `mss` bytes.
    pub fn quantum(rate: u64, mss: u64) -> u64 {
        Self::per_quantum(rate).max(BURST_PACKETS * mss)
    }

    fn per_quantum(rate: u64) -> u64 {
        rate / (NANOS / nanos(QUANTUM))
    }

    fn fill(&mut self, now: Instant, rate: u64, mss: u64) {
        let quantum = Self::quantum(rate, mss);
        if self.fresh {
            (self.tokens, self.filled_at, self.fresh) = (quantum, now, false);
        }
        let elapsed = u128::from(nanos(now - self.filled_at));
        let product = elapsed * u128::from(rate) + u128::from(self.remainder);
        let bytes = u64::try_from(product / u128::from(NANOS)).unwrap_or(u64::MAX);
        self.remainder = u64::try_from(product % u128::from(NANOS)).unwrap_or(0);
        self.filled_at = self.filled_at.max(now);
        self.tokens = self.tokens.saturating_add(bytes).min(quantum);
    }

    /// Whether a packet may leave at `now`. If not, when the next quantum is ready.
    pub fn check(&mut self, now: Instant, rate: u64, mss: u64) -> Result<(), Instant> {
        self.fill(now, rate, mss);
        if self.tokens >= mss {
            return Ok(());
        }
        // A sixteenth of a quantum is worth waking up for; who wakes up late finds more. Flows that
        // share a queue suffer from each other's bursts, the slow one most: what it has saved up
        // meets a full queue all at once.
        let wanted = (Self::per_quantum(rate) / WAKES_PER_QUANTUM).max(mss) - self.tokens;
        let wait = (u128::from(wanted) * u128::from(NANOS)).div_ceil(u128::from(rate.max(1)));
        let wait = Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX));
        Err(now + wait)
    }

    /// How many packets of `bytes` each may leave of what the last [`check`](Self::check) found.
    pub fn run_max(&self, bytes: u64, mss: u64) -> u64 {
        self.tokens.checked_sub(mss).map_or(0, |more| more / bytes.max(1) + 1)
    }

    /// A packet of `bytes` left.
    pub fn on_sent(&mut self, bytes: u64) {
        self.tokens = self.tokens.saturating_sub(bytes);
    }
}

const NANOS: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u64 = 12_500_000;
    const MSS: u64 = 1250;

    /// Sends whenever it may, for a second.
    fn second(rate: u64) -> (u64, u64) {
        let (mut pacer, mut now) = (Pacer::new(), Instant::from_nanos(77));
        let (mut sent, mut wakes) = (0, 0);
        let end = now + Duration::from_secs(1);
        while now < end {
            match pacer.check(now, rate, MSS) {
                Ok(()) => {
                    pacer.on_sent(MSS);
                    sent += MSS;
                }
                Err(next) => {
                    assert!(next > now);
                    now = next;
                    wakes += 1;
                }
            }
        }
        (sent, wakes)
    }

    #[test]
    fn the_rate_is_met_in_quanta() {
        for rate in [100_000, RATE, 10 * RATE, 1_250_000_000] {
            let (sent, wakes) = second(rate);
            let bound = rate + Pacer::quantum(rate, MSS);
            assert!((rate * 99 / 100..=bound).contains(&sent), "{sent} at {rate}");
            // What is left of a packet shortens the next wait.
            assert!(wakes <= 1_200 * WAKES_PER_QUANTUM, "{wakes} wakes at {rate}");
        }
    }

    #[test]
    fn a_quantum_is_a_millisecond_but_never_less_than_ten_packets() {
        assert_eq!(Pacer::quantum(RATE, MSS), 12_500);
        assert_eq!(Pacer::quantum(100 * RATE, MSS), 1_250_000);
        assert_eq!(Pacer::quantum(0, MSS), 12_500);
    }

    /// Ten packets a second do not wait for each other to leave together.
    #[test]
    fn a_slow_flow_sends_one_by_one() {
        let (sent, wakes) = second(10 * MSS);
        assert_eq!((sent, wakes), ((10 + 9) * MSS, 10), "a full bucket, then one each 100 ms");
    }

    #[test]
    fn rest_gives_no_more_than_one_quantum() {
        let mut pacer = Pacer::new();
        let mut sent = 0;
        while pacer.check(Instant::from_nanos(5_000_000_000), RATE, MSS).is_ok() {
            pacer.on_sent(MSS);
            sent += MSS;
        }
        assert_eq!(sent, Pacer::quantum(RATE, MSS));
        assert!(
            pacer
                .check(Instant::from_nanos(5_000_000_000), 0, MSS)
                .is_err_and(|at| at > Instant::ZERO)
        );
    }
}
