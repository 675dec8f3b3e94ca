//! Delay: how long a datagram travels, once it is on the wire.

use alloc::{format, string::String};
use core::{fmt, time::Duration};

use crate::{quantity::Span, rng::Rng, time::nanos};

/// How long datagrams travel.
///
/// In text: `25ms`; `25ms±5ms` or `25ms+-5ms` (uniform); `25ms~5ms` (normal).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delay {
    /// All the same time.
    Constant(Duration),
    /// Any time from `mean - spread` to `mean + spread`, evenly.
    Uniform {
        /// The middle.
        mean: Duration,
        /// How far to both sides; what would be negative is zero.
        spread: Duration,
    },
    /// A bell curve: the sum of twelve even numbers (Irwin-Hall), which has the normal
    /// distribution's mean and deviation, comes close to its shape, ends at six deviations, and
    /// needs no floating point.
    Normal {
        /// The mean.
        mean: Duration,
        /// The standard deviation; what would be negative is zero, which moves the mean when the
        /// deviation is more than a third of it.
        deviation: Duration,
    },
}

impl Default for Delay {
    fn default() -> Self {
        Self::NONE
    }
}

impl Delay {
    /// Arrives at once.
    pub const NONE: Self = Self::Constant(Duration::ZERO);

    /// Whether two datagrams can take different times.
    pub const fn varies(self) -> bool {
        match self {
            Self::Constant(_) => false,
            Self::Uniform { spread, .. } => !spread.is_zero(),
            Self::Normal { deviation, .. } => !deviation.is_zero(),
        }
    }

    /// The time for one datagram. Draws no word when constant, one when uniform, three when normal.
    pub(super) fn draw(self, rng: &mut Rng) -> Duration {
        match self {
            Self::Constant(delay) => delay,
            Self::Uniform { mean, spread } => {
                let (mean, spread) = (nanos(mean), nanos(spread));
                let high = mean.saturating_add(spread);
                Duration::from_nanos(rng.between(mean.saturating_sub(spread), high))
            }
            Self::Normal { mean, deviation } => {
                let offset = i128::from(bell(rng)) * i128::from(nanos(deviation)) / 65_536;
                let delay = (i128::from(nanos(mean)) + offset).max(0);
                Duration::from_nanos(u64::try_from(delay).unwrap_or(u64::MAX))
            }
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let span = |part: &str| {
            let span = part.parse().map_err(|e| format!("{e}, 25ms±5ms or 25ms~5ms"));
            span.map(|Span(duration)| duration)
        };
        if let Some((mean, spread)) = text.split_once('±').or(text.split_once("+-")) {
            let (mean, spread) = (span(mean)?, span(spread)?);
            if spread > mean {
                return Err(format!(
                    "{} to both sides of {} is negative",
                    Span(spread),
                    Span(mean)
                ));
            }
            return Ok(Self::Uniform { mean, spread });
        }
        if let Some((mean, deviation)) = text.split_once('~') {
            return Ok(Self::Normal { mean: span(mean)?, deviation: span(deviation)? });
        }
        span(text).map(Self::Constant)
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Constant(delay) => write!(f, "{}", Span(delay)),
            Self::Uniform { mean, spread } => write!(f, "{}±{}", Span(mean), Span(spread)),
            Self::Normal { mean, deviation } => write!(f, "{}~{}", Span(mean), Span(deviation)),
        }
    }
}

/// The sum of twelve even 16-bit numbers, taken from three words, less its mean: zero on average,
/// with a standard deviation of 65,536.
fn bell(rng: &mut Rng) -> i64 {
    const MEAN: i64 = 6 * 65_535;
    let mut sum = 0;
    for _ in 0..3 {
        let word = rng.next_u64();
        for quarter in 0..4 {
            sum += i64::try_from(word >> (16 * quarter) & 0xffff).unwrap_or(0);
        }
    }
    sum - MEAN
}

/// What jitter does to the order of datagrams.
///
/// Two modes because both exist: a queue that is served more or less quickly keeps the order, paths
/// of different length do not. A "lag" that silently shuffles is a known trap of network emulators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Jitter {
    /// A datagram arrives no earlier than any offered before it: it waits for the slower ones.
    #[default]
    Keep,
    /// Each datagram arrives at its own time and overtakes those that are slower.
    Reorder,
}

impl Jitter {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "keep" => Ok(Self::Keep),
            "reorder" => Ok(Self::Reorder),
            _ => Err(format!("\"{text}\" is neither keep nor reorder")),
        }
    }
}

impl fmt::Display for Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keep => "keep",
            Self::Reorder => "reorder",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use alloc::vec::Vec;

    const MS: Duration = Duration::from_millis(1);

    fn draws(delay: Delay) -> Vec<u64> {
        let mut rng = Seed::new(1).rng();
        (0..100_000).map(|_| nanos(delay.draw(&mut rng))).collect()
    }

    fn mean(draws: &[u64]) -> u64 {
        draws.iter().sum::<u64>() / draws.len() as u64
    }

    fn deviation(draws: &[u64]) -> u64 {
        let mean = mean(draws);
        let squares = draws.iter().map(|draw| draw.abs_diff(mean).pow(2)).sum::<u64>();
        (squares / draws.len() as u64).isqrt()
    }

    #[test]
    fn uniform_delay_fills_its_range_evenly() {
        let draws = draws(Delay::Uniform { mean: 25 * MS, spread: 5 * MS });
        assert!(draws.iter().all(|draw| (20_000_000..=30_000_000).contains(draw)));
        assert!(mean(&draws).abs_diff(25_000_000) < 30_000, "{}", mean(&draws));
        // 5 ms / sqrt 3
        assert!(deviation(&draws).abs_diff(2_886_751) < 20_000, "{}", deviation(&draws));
    }

    #[test]
    fn normal_delay_has_the_told_mean_deviation_and_shape() {
        let draws = draws(Delay::Normal { mean: 25 * MS, deviation: 2 * MS });
        assert!(mean(&draws).abs_diff(25_000_000) < 20_000, "{}", mean(&draws));
        assert!(deviation(&draws).abs_diff(2_000_000) < 15_000, "{}", deviation(&draws));
        // The normal distribution has 68.3, 95.4 and 99.7 %.
        for (deviations, told) in [(1, 67_850), (2, 95_540), (3, 99_790)] {
            let within = |draw: &&u64| draw.abs_diff(25_000_000) <= deviations * 2_000_000;
            let inside = draws.iter().filter(within).count();
            assert!(inside.abs_diff(told) < 300, "{inside} within {deviations}");
        }
    }

    #[test]
    fn extremes_do_not_overflow() {
        let huge = Duration::MAX;
        for delay in [
            Delay::Uniform { mean: huge, spread: huge },
            Delay::Normal { mean: huge, deviation: huge },
            Delay::Uniform { mean: MS, spread: 2 * MS },
            Delay::Normal { mean: MS, deviation: 10 * MS },
        ] {
            assert_eq!(draws(delay).len(), 100_000);
        }
    }

    #[test]
    fn refuses_nonsense_with_a_reason() {
        for (text, reason) in [
            ("5ms±6ms", "6ms to both sides of 5ms is negative"),
            ("25", "25ms±5ms or 25ms~5ms"),
            ("25ms±", "25ms±5ms"),
        ] {
            let error = Delay::parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert_eq!(Delay::parse("25ms+-5ms"), Delay::parse("25ms±5ms"));
        for jitter in [Jitter::Keep, Jitter::Reorder] {
            assert_eq!(Jitter::parse(&format!("{jitter}")), Ok(jitter));
        }
        assert!(Jitter::parse("on").unwrap_err().contains("neither keep nor reorder"));
    }
}
