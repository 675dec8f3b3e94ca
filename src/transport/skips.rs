//! Packet numbers that are never sent, so that a peer that acknowledges what it has not received gives
//! itself away (RFC 9000 section 21.4).
//!
//! A peer that acknowledges early makes its sender faster than the path bears. It cannot know which
//! numbers were left out. One is left out at random in every window, so that whoever acknowledges a
//! window ahead is caught; in a large window one in a thousand, since each costs a range in every ACK
//! until the peer has heard that its ACK arrived.

use crate::rng::Seed;

/// Packets among which one number is left out, at least and at most.
const SPAN_MIN: u64 = 8;
const SPAN_MAX: u64 = 1024;
/// Numbers that are remembered: an ACK of one before these names packets that were settled long ago.
const KEPT: usize = 4;

/// See the [module](self).
#[derive(Clone, Copy, Debug)]
pub struct Skips {
    seed: Seed,
    /// How many there were.
    count: u32,
    /// Packets until the next.
    left: u32,
    /// The latest, the last of them first.
    skipped: [u64; KEPT],
}

impl Skips {
    /// None yet. What `seed` is made of, nobody else knows.
    pub fn new(seed: Seed) -> Self {
        let seed = seed.split("skipped packet numbers");
        Self { seed, count: 0, left: 8, skipped: [u64::MAX; KEPT] }
    }

    /// A packet leaves: whether the number after it is to be [left out](Self::leave_out).
    pub fn is_due(&mut self) -> bool {
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or(0);
        left.is_none()
    }

    /// Nobody gets the number `next`. `window` is the window in packets.
    pub fn leave_out(&mut self, next: u64, window: u64) {
        let span = window.clamp(SPAN_MIN, SPAN_MAX);
        self.count = self.count.wrapping_add(1);
        let within = self.seed.index(self.count.into()).rng().below(span / 2);
        self.left = u32::try_from(span / 2 + within).unwrap_or(u32::MAX);
        self.skipped.rotate_right(1);
        self.skipped[0] = next;
    }

    /// Packets that leave before the next number is left out.
    pub const fn packets_left(&self) -> u64 {
        self.left as u64 + 1
    }

    /// Whether one of these numbers was left out.
    pub fn contains(&self, range: &core::ops::Range<u64>) -> bool {
        self.skipped.iter().any(|number| range.contains(number))
    }

    /// How many were left out.
    pub const fn count(&self) -> u32 {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that are left out among the first packets in windows of so many.
    fn skipped(seed: u64, window: u64, packets: u64) -> alloc::vec::Vec<u64> {
        let mut skips = Skips::new(Seed::new(seed));
        let (mut next, mut out) = (0, alloc::vec::Vec::new());
        for _ in 0..packets {
            if skips.is_due() {
                skips.leave_out(next, window);
                out.push(next);
                next += 1;
            }
            next += 1;
        }
        out
    }

    #[test]
    fn every_window_has_one() {
        for window in [8, 10, 64, 1000] {
            let numbers = skipped(1, window, 50_000);
            assert!(numbers[0] <= SPAN_MIN);
            for pair in numbers.windows(2) {
                let apart = pair[1] - pair[0];
                assert!((window / 2..=window + 1).contains(&apart), "{apart} of {window}");
            }
        }
        // They cost little where windows are large, and are not everywhere where they are small.
        assert!(skipped(1, 1 << 20, 100_000).len() < 250);
        assert!(skipped(1, 2, 1000).len() < 300);
        assert_ne!(skipped(1, 100, 1000), skipped(2, 100, 1000));
    }

    #[test]
    fn the_latest_are_known() {
        let mut skips = Skips::new(Seed::new(1));
        let numbers: alloc::vec::Vec<_> = (0..1000)
            .filter(|&next| {
                let due = skips.is_due();
                if due {
                    skips.leave_out(next, 16);
                }
                due
            })
            .collect();
        for number in &numbers[numbers.len() - KEPT..] {
            assert!(skips.contains(&(*number..number + 1)) && !skips.contains(&(*number..*number)));
        }
        assert!(skips.contains(&(0..1 << 40)) && !skips.contains(&(1001..1 << 40)));
        assert_eq!(skips.count() as usize, numbers.len());
    }
}
