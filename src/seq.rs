//! Sequence numbers in a modulus.
//!
//! Numbers on the wire live on a circle: they have a distance, but no order, so nothing here
//! implements `Ord`. (Two well-known stacks do, and both are wrong at half the circle.)

use core::fmt;

/// A sequence number as a packet carries it: `0..modulus`.
pub type Seq = u64;

/// How many different sequence numbers there are before they repeat.
///
/// ```
/// use rdtp::seq::Modulus;
///
/// let bit = Modulus::new(2);
/// assert_eq!(bit.next(1), 0);
/// assert_eq!(Modulus::bits(3).distance(6, 1), 3);
/// assert_eq!(Modulus::NEVER.previous(0), (1 << 62) - 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Modulus(u64);

impl Modulus {
    /// Numbers that never repeat: 2^62 of them, the most that the wire format carries. At 10^9
    /// packets a second they last 146 years.
    pub const NEVER: Self = Self(1 << 62);

    /// `count` different numbers. Counts outside `1..=2^62` are clamped to it.
    pub const fn new(count: u64) -> Self {
        if count == 0 {
            Self(1)
        } else if count > Self::NEVER.0 {
            Self::NEVER
        } else {
            Self(count)
        }
    }

    /// The numbers of a field of `bits` bits; 62 or more bits never repeat.
    pub const fn bits(bits: u32) -> Self {
        if bits >= 62 { Self::NEVER } else { Self(1 << bits) }
    }

    /// How many numbers there are.
    pub const fn count(self) -> u64 {
        self.0
    }

    /// Whether the numbers outlast any run.
    pub const fn never_repeats(self) -> bool {
        self.0 == Self::NEVER.0
    }

    /// The number after `seq`.
    pub const fn next(self, seq: Seq) -> Seq {
        self.add(seq, 1)
    }

    /// The number before `seq`.
    pub const fn previous(self, seq: Seq) -> Seq {
        self.add(seq, self.0 - 1)
    }

    /// The number `steps` after `seq`.
    pub const fn add(self, seq: Seq, steps: u64) -> Seq {
        // Both summands are below 2^62, so the sum cannot overflow.
        (seq % self.0 + steps % self.0) % self.0
    }

    /// Steps forward around the circle from `from` to `to`: `0..modulus`.
    pub const fn distance(self, from: Seq, to: Seq) -> u64 {
        (to % self.0 + self.0 - from % self.0) % self.0
    }

    /// Whether `seq` is one of the `length` numbers that begin at `first`.
    ///
    /// A `seq` that is no number of this modulus (garbage that passed a checksum) is in no window.
    pub const fn in_window(self, seq: Seq, first: Seq, length: u64) -> bool {
        seq < self.0 && self.distance(first, seq) < length
    }
}

impl fmt::Display for Modulus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.never_repeats() { f.write_str("unbounded") } else { write!(f, "{}", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circle_laws() {
        for count in [1, 2, 3, 5, 8, 1 << 32, 1 << 62] {
            let m = Modulus::new(count);
            for start in [0, count / 2, count - 1] {
                assert_eq!(m.previous(m.next(start)), start);
                assert_eq!(m.distance(start, start), 0);
                for steps in [0, 1, count / 3, count - 1] {
                    assert_eq!(m.distance(start, m.add(start, steps)), steps % count);
                }
            }
        }
    }

    #[test]
    fn window_wraps_and_rejects_foreign_numbers() {
        let m = Modulus::new(8);
        assert!(m.in_window(1, 6, 4) && !m.in_window(2, 6, 4) && !m.in_window(5, 6, 4));
        assert!(!m.in_window(14, 6, 4), "14 is 6 modulo 8, but no number of a 3-bit field");
        assert!(!m.in_window(6, 6, 0));
        assert!(!m.in_window(8, 0, 8), "8 numbers end at 7");
    }

    /// What is no number of the modulus counts as the one it is congruent to, however large.
    #[test]
    fn foreign_numbers_are_reduced_first() {
        let (m, last) = (Modulus::NEVER, Modulus::NEVER.count() - 1);
        assert_eq!(m.add(u64::MAX, u64::MAX), last - 1);
        assert_eq!((m.add(u64::MAX, 0), m.add(0, u64::MAX)), (last, last));
        assert_eq!((m.distance(u64::MAX, 0), m.distance(0, u64::MAX)), (1, last));
    }

    #[test]
    fn constructors_clamp() {
        assert_eq!(Modulus::new(0).count(), 1);
        assert_eq!(Modulus::new(u64::MAX), Modulus::NEVER);
        assert_eq!(Modulus::bits(1).count(), 2);
        assert_eq!(Modulus::bits(64), Modulus::NEVER);
    }
}
