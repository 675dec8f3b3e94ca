//! Hash tables that number what is put into them. Nothing ever iterates over the slots, so results
//! do not depend on the hash.

use alloc::{vec, vec::Vec};
use core::hash::{Hash, Hasher};

/// A multiplicative hash: quick, the same in every run, and not meant to resist an enemy.
#[derive(Default)]
struct Mix(u64);

const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, word: u8) {
        self.write_u64(word.into());
    }

    fn write_u16(&mut self, word: u16) {
        self.write_u64(word.into());
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(word.into());
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(MULTIPLIER);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(MULTIPLIER);
        mixed ^ (mixed >> 29)
    }
}

fn hash<T: Hash>(value: &T) -> u64 {
    let mut mix = Mix::default();
    value.hash(&mut mix);
    mix.finish()
}

/// The number of something in a table. There are never 2^32 of anything: see
/// [`STATES_MAX`](super::STATES_MAX).
pub(super) fn number(index: usize) -> u32 {
    u32::try_from(index).expect("fewer than 2^32 of anything")
}

/// Values in the order in which they came, each once, and found again by value.
#[derive(Clone, Debug)]
pub(super) struct Interner<T> {
    values: Vec<T>,
    /// Empty slots are 0; others have 32 bits of the hash and the number plus one.
    slots: Vec<u64>,
}

impl<T: Hash + Eq> Interner<T> {
    pub(super) fn new() -> Self {
        Self { values: Vec::new(), slots: vec![0; 16] }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn get(&self, number: u32) -> &T {
        &self.values[number as usize]
    }

    /// The number of `value`, if it is there.
    pub(super) fn find(&self, value: &T) -> Option<u32> {
        self.probe(hash(value), |found| self.get(found) == value).ok()
    }

    /// The number of `value`, which is put in if it is not there.
    pub(super) fn intern(&mut self, value: T) -> u32 {
        let hash = hash(&value);
        match self.probe(hash, |found| *self.get(found) == value) {
            Ok(found) => found,
            Err(slot) => {
                let new = number(self.values.len());
                self.values.push(value);
                self.slots[slot] = entry(hash, new);
                if self.values.len() * 8 > self.slots.len() * 5 {
                    self.grow();
                }
                new
            }
        }
    }

    /// The number whose entry fits, or the slot where one would go.
    fn probe(&self, hash: u64, fits: impl Fn(u32) -> bool) -> Result<u32, usize> {
        let mask = self.slots.len() - 1;
        let mut slot = usize::try_from(hash & 0xFFFF_FFFF).unwrap_or_default() & mask;
        loop {
            let entry = self.slots[slot];
            if entry == 0 {
                return Err(slot);
            }
            let found = ((entry & 0xFFFF_FFFF) as u32).wrapping_sub(1);
            if entry >> 32 == hash >> 32 && fits(found) {
                return Ok(found);
            }
            slot = (slot + 1) & mask;
        }
    }

    fn grow(&mut self) {
        self.slots = vec![0; self.slots.len() * 2];
        for (index, value) in self.values.iter().enumerate() {
            let hash = hash(value);
            if let Err(slot) = self.probe(hash, |_| false) {
                self.slots[slot] = entry(hash, number(index));
            }
        }
    }
}

fn entry(hash: u64, number: u32) -> u64 {
    (hash >> 32 << 32) | (u64::from(number) + 1)
}

/// What was worked out before: pairs of numbers to pairs of numbers.
#[derive(Clone, Debug)]
pub(super) struct Memo {
    keys: Interner<(u32, u32)>,
    values: Vec<(u32, u32)>,
}

impl Memo {
    pub(super) fn new() -> Self {
        Self { keys: Interner::new(), values: Vec::new() }
    }

    pub(super) fn get(&self, key: (u32, u32)) -> Option<(u32, u32)> {
        self.keys.find(&key).map(|at| self.values[at as usize])
    }

    pub(super) fn set(&mut self, key: (u32, u32), value: (u32, u32)) {
        let at = self.keys.intern(key) as usize;
        if at == self.values.len() {
            self.values.push(value);
        } else {
            self.values[at] = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_order_of_arrival_and_finds_again() {
        let mut table = Interner::new();
        for value in 0..10_000_u64 {
            assert_eq!(table.find(&(value * 77)), None);
            assert_eq!(u64::from(table.intern(value * 77)), value);
        }
        for value in 0..10_000_u64 {
            assert_eq!(u64::from(table.intern(value * 77)), value);
            assert_eq!(*table.get(number(value.try_into().unwrap())), value * 77);
        }
        assert_eq!(table.len(), 10_000);
    }

    #[test]
    fn memo_keeps_the_last() {
        let mut memo = Memo::new();
        assert_eq!(memo.get((1, 2)), None);
        memo.set((1, 2), (3, 4));
        memo.set((2, 1), (5, 6));
        memo.set((1, 2), (7, 8));
        assert_eq!((memo.get((1, 2)), memo.get((2, 1))), (Some((7, 8)), Some((5, 6))));
    }
}
