//! Mangling: bytes that change places, are appended, or come from another datagram.

use alloc::{format, string::String, vec::Vec};
use core::fmt;

use super::{
    corrupt::Stage,
    loss::{no_more, number},
};
use crate::{quantity::Probability, wire::compact::DATAGRAM_LEN_MAX};

/// Swapping: two blocks of bytes change places in a share of the datagrams.
///
/// The sum of RFC 1071 does not see two 16-bit words change places, a CRC does. In text: `1%` (two
/// bytes), `1%:2` (two blocks of two bytes, at even positions). A datagram of fewer than two blocks
/// stays whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Swap {
    /// How many datagrams are hit.
    pub share: Probability,
    /// Bytes of a block, at least 1; blocks begin at multiples of it.
    pub block: u32,
}

impl Default for Swap {
    fn default() -> Self {
        Self::NONE
    }
}

impl Swap {
    /// The longest block that the text form accepts, in bytes.
    pub const BLOCK_MAX: u32 = 1_024;
    /// Nothing changes places.
    pub const NONE: Self = Self { share: Probability::NEVER, block: 1 };

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (share, block) = share_and_bytes(text, 1, "1%:2 for blocks of two bytes")?;
        match u32::try_from(block) {
            Ok(block) if block <= Self::BLOCK_MAX => Ok(Self { share, block }),
            _ => Err(format!("a block has at most {} bytes", Self::BLOCK_MAX)),
        }
    }
}

impl fmt::Display for Swap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.share)?;
        if self.block == 1 { Ok(()) } else { write!(f, ":{}", self.block) }
    }
}

/// Extension: random bytes are appended to a share of the datagrams.
///
/// In text: `1%` (1 to 16 bytes), `1%:100` (1 to 100 bytes). No datagram becomes longer than UDP
/// allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Extension {
    /// How many datagrams are hit.
    pub share: Probability,
    /// The most bytes that are appended, at least 1.
    pub bytes: u32,
}

impl Default for Extension {
    fn default() -> Self {
        Self::NONE
    }
}

impl Extension {
    /// The most bytes when the text does not say.
    pub const BYTES: u32 = 16;
    /// The most bytes that the text form accepts.
    pub const BYTES_MAX: u32 = 4_096;
    /// Nothing is appended.
    pub const NONE: Self = Self { share: Probability::NEVER, bytes: Self::BYTES };

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (share, bytes) =
            share_and_bytes(text, Self::BYTES.into(), "1%:100 for up to 100 bytes")?;
        match u32::try_from(bytes) {
            Ok(bytes) if bytes <= Self::BYTES_MAX => Ok(Self { share, bytes }),
            _ => Err(format!("at most {} bytes can be appended", Self::BYTES_MAX)),
        }
    }
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.share)?;
        if self.bytes == Self::BYTES { Ok(()) } else { write!(f, ":{}", self.bytes) }
    }
}

fn share_and_bytes(text: &str, default: u64, form: &str) -> Result<(Probability, u64), String> {
    let mut parts = text.split(':');
    let share = parts.next().unwrap_or_default();
    let share = share.parse().map_err(|e| format!("{e}, or {form}"))?;
    let bytes = parts.next().map_or(Ok(default), |part| number(part, 1))?;
    no_more(parts).map(|()| (share, bytes))
}

impl Stage {
    /// Lets two different blocks change places; false when that changes nothing.
    pub(super) fn swap(&self, ordinal: u64, swap: Swap, bytes: &mut [u8]) -> bool {
        let block = usize::try_from(swap.block.max(1)).unwrap_or(usize::MAX);
        let blocks = (bytes.len() / block) as u64;
        if blocks < 2 {
            return false;
        }
        let mut rng = self.details(ordinal);
        let first = rng.below(blocks - 1);
        let second = rng.between(first + 1, blocks - 1);
        let start = |number| usize::try_from(number).unwrap_or(usize::MAX).saturating_mul(block);
        let (left, right) = bytes.split_at_mut(start(second));
        let (one, other) = (&mut left[start(first)..][..block], &mut right[..block]);
        let differs = one != other;
        one.swap_with_slice(other);
        differs
    }

    /// Appends random bytes; says how many.
    pub(super) fn extend(&self, ordinal: u64, extension: Extension, bytes: &mut Vec<u8>) -> usize {
        let room = DATAGRAM_LEN_MAX.saturating_sub(bytes.len()) as u64;
        let most = u64::from(extension.bytes.max(1)).min(room);
        if most == 0 {
            return 0;
        }
        let mut rng = self.details(ordinal);
        let added = usize::try_from(rng.between(1, most)).unwrap_or(1);
        let old = bytes.len();
        bytes.resize(old + added, 0);
        rng.fill(&mut bytes[old..]);
        added
    }

    /// Puts the tail of one of `earlier` behind the head of `bytes`; says how many bytes of its own
    /// it keeps. `None` when the result would be one of the two as it was: that is no damage.
    pub(super) fn splice(
        &self,
        ordinal: u64,
        earlier: &[&[u8]],
        bytes: &mut Vec<u8>,
    ) -> Option<usize> {
        let mut rng = self.details(ordinal);
        let pick = usize::try_from(rng.below(earlier.len() as u64)).ok()?;
        let other = *earlier.get(pick)?;
        let most = bytes.len().min(other.len());
        let kept = usize::try_from(rng.between(0, most as u64)).ok()?;
        if bytes[..kept] == other[..kept] || bytes[kept..] == other[kept..] {
            return None;
        }
        bytes.truncate(kept);
        bytes.extend_from_slice(&other[kept..]);
        Some(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use alloc::vec;

    fn stage() -> Stage {
        Stage::new(Seed::new(1))
    }

    #[test]
    fn swapped_blocks_are_whole_and_different() {
        let original: Vec<u8> = (0..11).collect();
        for ordinal in 0..500 {
            let mut bytes = original.clone();
            let swap = Swap { block: 2, ..Swap::NONE };
            assert!(stage().swap(ordinal, swap, &mut bytes));
            let moved: Vec<usize> = (0..11).filter(|&at| bytes[at] != original[at]).collect();
            assert_eq!(moved.len(), 4, "two blocks of two: {bytes:?}");
            assert!([0, 2].iter().all(|&nth| moved[nth].is_multiple_of(2)) && moved[3] < 10);
            bytes.sort_unstable();
            assert_eq!(bytes, original, "nothing is lost");
        }
        assert!(stage().swap(1, Swap::NONE, &mut [7, 8]), "two are enough");
        assert!(!stage().swap(1, Swap::NONE, &mut [7]), "one block has nowhere to go");
        assert!(!stage().swap(1, Swap::NONE, &mut [7, 7]), "equal blocks change nothing");
    }

    #[test]
    fn extensions_have_every_length_and_an_end() {
        let lengths = (0..400).map(|ordinal| {
            let mut bytes = vec![5; 3];
            let added =
                stage().extend(ordinal, Extension { bytes: 4, ..Extension::NONE }, &mut bytes);
            assert_eq!((bytes.len(), &bytes[..3]), (3 + added, &[5; 3][..]));
            added
        });
        let lengths: alloc::collections::BTreeSet<usize> = lengths.collect();
        assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
        let mut full = vec![0; DATAGRAM_LEN_MAX];
        assert_eq!(stage().extend(1, Extension::NONE, &mut full), 0);
    }

    #[test]
    fn a_splice_is_neither_of_the_two() {
        let (mine, other) = (b"head one", b"head two, longer");
        let mut spliced = 0;
        for ordinal in 0..200 {
            let mut bytes = mine.to_vec();
            if let Some(kept) = stage().splice(ordinal, &[other], &mut bytes) {
                assert_eq!(bytes, [&mine[..kept], &other[kept..]].concat());
                assert!(bytes != mine && bytes != other, "kept {kept}");
                spliced += 1;
            } else {
                assert_eq!(bytes, mine);
            }
        }
        assert!(spliced > 20, "{spliced}");
        let mut bytes = mine.to_vec();
        assert_eq!(stage().splice(1, &[mine], &mut bytes), None, "a repeated datagram");
        assert_eq!(stage().splice(1, &[], &mut bytes), None, "nothing came before");
    }

    #[test]
    fn refuses_nonsense_with_a_reason() {
        for (text, reason) in [
            ("1%:0", "at least 1"),
            ("1%:1025", "at most 1024 bytes"),
            ("1%:1:1", "one part too many"),
            ("often", "1%:2 for blocks"),
        ] {
            let error = Swap::parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        for (text, reason) in [("1%:4097", "at most 4096 bytes"), ("x", "up to 100 bytes")] {
            let error = Extension::parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert_eq!(Swap::parse("1%:1024").map(|swap| swap.block), Ok(1_024));
        assert_eq!(Extension::parse("1%:4096").map(|extension| extension.bytes), Ok(4_096));
    }
}
