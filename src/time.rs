//! Time as a value: the number of nanoseconds since an epoch that the driver chose.
//!
//! Nothing in this crate below [`net`](crate::net) reads a clock. A driver hands `now` to every
//! call, so the simulator can run a week in a second and replay it to the nanosecond.

use core::{
    fmt,
    num::NonZeroU64,
    ops::{Add, AddAssign, Sub},
    time::Duration,
};

/// A point in time: nanoseconds since an arbitrary epoch, the same for all parts of one run.
///
/// Arithmetic saturates: a deadline that would lie beyond the end of time (584 years after the
/// epoch) is the end of time, and time never runs backwards past the epoch.
///
/// ```
/// use core::time::Duration;
/// use rdtp::time::Instant;
///
/// let start = Instant::from_nanos(1_000);
/// let later = start + Duration::from_micros(2);
/// assert_eq!(later - start, Duration::from_nanos(2_000));
/// assert_eq!(start - later, Duration::ZERO);
/// ```
///
/// An `Option<Instant>` takes no more memory than an `Instant`: deadlines are many.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(
    /// Nanoseconds, and one more.
    NonZeroU64,
);

impl Instant {
    /// The epoch.
    pub const ZERO: Self = Self(NonZeroU64::MIN);
    /// The end of time, 584 years after the epoch.
    pub const MAX: Self = Self(NonZeroU64::MAX);

    /// The point `nanos` nanoseconds after the epoch; the end of time is at `u64::MAX - 1`.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(nanos))
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0.get() - 1
    }

    /// Time since the epoch.
    pub const fn since_epoch(self) -> Duration {
        Duration::from_nanos(self.as_nanos())
    }

    /// Time from `earlier` to this point; zero when `earlier` is in fact later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }
}

impl Default for Instant {
    fn default() -> Self {
        Self::ZERO
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instant({})", self.as_nanos())
    }
}

/// A duration in whole nanoseconds, saturating at `u64::MAX`.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(nanos(delay)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, delay: Duration) {
        *self = *self + delay;
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.since(earlier)
    }
}

/// Seconds with six decimals, as captures print them.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.as_nanos();
        write!(f, "{}.{:06}", nanos / 1_000_000_000, nanos % 1_000_000_000 / 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn saturates_at_both_ends() {
        assert_eq!(Instant::MAX + Duration::from_secs(1), Instant::MAX);
        assert_eq!(Instant::ZERO + Duration::MAX, Instant::MAX);
        assert_eq!(Instant::ZERO - Instant::MAX, Duration::ZERO);
    }

    #[test]
    fn an_option_is_as_small() {
        assert_eq!(size_of::<Option<Instant>>(), 8);
        assert_eq!(Instant::from_nanos(u64::MAX), Instant::MAX);
        assert_eq!(Instant::MAX.as_nanos(), u64::MAX - 1);
        assert_eq!((Instant::default().as_nanos(), Instant::from_nanos(7).as_nanos()), (0, 7));
    }

    #[test]
    fn prints_microseconds() {
        assert_eq!(Instant::from_nanos(1_234_567_890).to_string(), "1.234567");
    }
}
