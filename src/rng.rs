//! Chance as a value: seeds that split by name into independent, reproducible streams.
//!
//! Every purpose draws from its own stream (`"up/loss"`, `"up/corrupt"`, ...). Adding a fault or a
//! node to a run therefore moves no other draw: the same seed drops the same packets next year.
//! The generator is ChaCha8, whose output is fixed by its definition, and all derived values
//! (ranges, yes or no) are computed here in integer arithmetic, so that no release of a dependency
//! and no platform's floating point can move them.

use core::fmt;

use rand::{SeedableRng, rand_core::Rng as _, rngs::ChaCha8Rng};

/// The number that a whole run is replayed from.
///
/// ```
/// use rdtp::rng::Seed;
///
/// let run = Seed::new(7);
/// let mut loss = run.split("up/loss").rng();
/// let mut delay = run.split("up/delay").rng();
/// assert_ne!(loss.next_u64(), delay.next_u64());
/// assert_eq!(run.split("up/loss").rng().next_u64(), run.split("up/loss").rng().next_u64());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seed(u64);

impl Seed {
    /// The seed of that number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// A seed that nobody can guess, from the system's chance: for what strangers must not be able
    /// to predict. It cannot be replayed unless it is written down.
    #[cfg(feature = "std")]
    pub fn from_system() -> Self {
        use core::hash::{BuildHasher, Hasher};
        // The standard library draws the key of its hash tables from the system.
        Self(std::hash::RandomState::new().build_hasher().finish())
    }

    /// The number to print and to replay from.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The seed for one purpose within this run.
    #[must_use]
    pub fn split(self, purpose: &str) -> Self {
        // FNV-1a over the name, then the SplitMix64 finaliser: equal names give equal seeds,
        // different names unrelated ones.
        let name = purpose.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(mix(self.0 ^ mix(name)))
    }

    /// The seed of the `index`-th of many like things, such as nodes.
    #[must_use]
    pub fn index(self, index: u64) -> Self {
        Self(mix(self.0.wrapping_add(mix(index.wrapping_add(0x9e37_79b9_7f4a_7c15)))))
    }

    /// The stream of random words that this seed stands for.
    pub fn rng(self) -> Rng {
        Rng(ChaCha8Rng::seed_from_u64(self.0))
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// SplitMix64's output function (Steele, Lea and Flood, 2014): a bijection that scatters bits.
pub(crate) const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// One stream of random words.
#[derive(Debug)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..bound`, evenly; 0 when `bound` is 0.
    ///
    /// Uses the high half of a 64 x 64 bit product (Lemire, 2019). The bias is below
    /// `bound / 2^64`, and exactly one word is drawn, which keeps streams aligned.
    pub fn below(&mut self, bound: u64) -> u64 {
        let product = u128::from(self.next_u64()) * u128::from(bound);
        (product >> 64) as u64
    }

    /// A number in `low..=high`, evenly; `low` when the range is empty.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        match high.checked_sub(low) {
            Some(span) if span < u64::MAX => low + self.below(span + 1),
            Some(_) => self.next_u64(),
            None => low,
        }
    }

    /// Fills `bytes` with random bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If this moves, every seed anybody ever wrote down is worthless.
    #[test]
    fn golden_words() {
        let mut rng = Seed::new(1).split("up/loss").rng();
        assert_eq!(
            [rng.next_u64(), rng.next_u64()],
            [6_364_322_142_203_014_616, 12_829_482_987_121_470_759]
        );
    }

    #[test]
    fn below_is_in_range_and_even() {
        let mut rng = Seed::new(3).rng();
        let mut seen = [0_u32; 10];
        for _ in 0..100_000 {
            seen[usize::try_from(rng.below(10)).unwrap()] += 1;
        }
        assert!(seen.iter().all(|&n| (9_600..10_400).contains(&n)), "{seen:?}");
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.between(5, 4), 5);
        assert_eq!(rng.between(5, 5), 5);
    }

    #[test]
    fn splitting_does_not_depend_on_order() {
        let run = Seed::new(9);
        assert_eq!(run.split("a"), run.split("a"));
        assert_ne!(run.split("a"), run.split("b"));
        assert_ne!(run.split("a").split("b"), run.split("b").split("a"));
        assert_ne!(run.index(0), run.index(1));
    }
}
