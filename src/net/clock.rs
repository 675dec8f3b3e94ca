//! The only place that reads the machine's clock.

use crate::time::Instant;

/// The machine's monotonic clock, counted from the moment of [`start`](Clock::start).
///
/// Copies share the epoch, so that the drivers of one process agree on the time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: std::time::Instant,
}

impl Clock {
    /// A clock whose epoch is now.
    #[expect(clippy::disallowed_methods, reason = "here time enters the program")]
    pub fn start() -> Self {
        Self { epoch: std::time::Instant::now() }
    }

    /// The time since the epoch.
    pub fn now(&self) -> Instant {
        Instant::ZERO + self.epoch.elapsed()
    }

    /// Nanoseconds since 1970 by the machine's calendar, differing from call to call as a rule: to
    /// draw a new seed from, and nothing else, for this clock jumps when it is set.
    #[expect(clippy::disallowed_methods, reason = "here time enters the program")]
    pub fn unix_nanos() -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, crate::time::nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_share_the_epoch_and_time_does_not_run_backwards() {
        let clock = Clock::start();
        let first = clock.now();
        let copy = clock;
        assert!(copy.now() >= first);
    }
}
