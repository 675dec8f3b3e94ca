//! Corruption: bit errors and lost tails.

use alloc::{format, string::String};
use core::{fmt, ops::Range};

use super::loss::number;
use crate::{
    quantity::Probability,
    rng::{Rng, Seed},
    wire::Anatomy,
};

/// Which part of a datagram is damaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Region {
    /// Any bit, evenly.
    #[default]
    Anywhere,
    /// Everything but payload and checksum.
    Header,
    /// The payload.
    Payload,
    /// The checksum field.
    Checksum,
}

impl Region {
    const NAMES: [(&'static str, Self); 4] = [
        ("anywhere", Self::Anywhere),
        ("header", Self::Header),
        ("payload", Self::Payload),
        ("checksum", Self::Checksum),
    ];
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, region)| region == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

/// Bit errors: a share of the datagrams has some bits flipped, all of them different bits.
///
/// In text: `1%`, `1%:3` (three bits), `1%:header`, `1%:3:payload`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Corruption {
    /// How many datagrams are hit.
    pub share: Probability,
    /// How many bits of each, at least 1; all bits of the region when it has fewer.
    pub bits: u32,
    /// Where. A datagram that has no such part stays whole.
    pub region: Region,
}

impl Default for Corruption {
    fn default() -> Self {
        Self::NONE
    }
}

impl Corruption {
    /// The most bits per datagram that the text form accepts.
    pub const BITS_MAX: u32 = 4_096;
    /// Nothing is corrupted.
    pub const NONE: Self = Self { share: Probability::NEVER, bits: 1, region: Region::Anywhere };

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':').peekable();
        let share = parts.next().unwrap_or_default();
        let share = share.parse().map_err(|e| format!("{e}, 1%:3 (bits) or 1%:header"))?;
        let mut corruption = Self { share, ..Self::NONE };
        if let Some(bits) = parts.next_if(|part| part.starts_with(|c: char| c.is_ascii_digit())) {
            corruption.bits = u32::try_from(number(bits, 1)?)
                .ok()
                .filter(|bits| *bits <= Self::BITS_MAX)
                .ok_or_else(|| format!("at most {} bits can be flipped", Self::BITS_MAX))?;
        }
        if let Some(part) = parts.next() {
            let found = Region::NAMES.iter().find(|(name, _)| *name == part);
            let (_, region) = found.ok_or_else(|| {
                format!("\"{part}\" is no part of a datagram; write anywhere, header, payload or checksum")
            })?;
            corruption.region = *region;
        }
        match parts.next() {
            Some(part) => Err(format!("\"{part}\" is one part too many")),
            None => Ok(corruption),
        }
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { share, bits, region } = self;
        write!(f, "{share}")?;
        if *bits != 1 {
            write!(f, ":{bits}")?;
        }
        if *region != Region::Anywhere {
            write!(f, ":{region}")?;
        }
        Ok(())
    }
}

/// A stage that hits a share of the datagrams of one class: bit errors here, other damage in
/// `mangle`, replay.
///
/// Whether a datagram is hit takes one word of the stream; what is done to it follows from its
/// ordinal, so that more or fewer hits move nothing.
#[derive(Debug)]
pub(super) struct Stage {
    rng: Rng,
    details: Seed,
}

impl Stage {
    pub(super) fn new(seed: Seed) -> Self {
        Self { rng: seed.rng(), details: seed.split("details") }
    }

    pub(super) fn judge(&mut self, share: Probability) -> bool {
        !share.is_never() && share.hit(&mut self.rng)
    }

    /// The stream for what is done to the datagram of that ordinal.
    pub(super) fn details(&self, ordinal: u64) -> Rng {
        self.details.index(ordinal).rng()
    }

    /// Flips bits of `bytes`, a copy of the datagram of that ordinal; says how many.
    pub(super) fn flip(
        &self,
        ordinal: u64,
        corruption: &Corruption,
        anatomy: &Anatomy,
        original: &[u8],
        bytes: &mut [u8],
    ) -> u32 {
        debug_assert_eq!(original, bytes, "the difference tells which bits were chosen");
        let parts = parts(corruption.region, anatomy, bytes.len());
        let bits = parts.iter().map(|part| part.len() as u64).sum::<u64>() * 8;
        let wanted = u64::from(corruption.bits.max(1)).min(bits);
        let mut rng = self.details(ordinal);
        // Floyd's sampling (Bentley and Floyd, 1987): `wanted` different numbers below `bits`.
        for top in bits - wanted..bits {
            let bit = rng.between(0, top);
            if !flip_once(&parts, bit, original, bytes) {
                flip_once(&parts, top, original, bytes);
            }
        }
        u32::try_from(wanted).unwrap_or(u32::MAX)
    }

    /// The length that is left of the datagram of that ordinal: less than `len`, evenly.
    pub(super) fn cut(&self, ordinal: u64, len: usize) -> usize {
        let left = self.details(ordinal).below(len as u64);
        usize::try_from(left).unwrap_or(0)
    }
}

/// The byte ranges that make up a region. What lies outside the datagram is ignored, so that a wrong
/// anatomy does no harm.
fn parts(region: Region, anatomy: &Anatomy, len: usize) -> [Range<usize>; 3] {
    let clip = |range: &Range<usize>| {
        let start = range.start.min(len);
        start..range.end.clamp(start, len)
    };
    let (checksum, payload) = (clip(&anatomy.checksum), clip(&anatomy.payload));
    match region {
        Region::Anywhere => [0..len, 0..0, 0..0],
        Region::Payload => [payload, 0..0, 0..0],
        Region::Checksum => [checksum, 0..0, 0..0],
        Region::Header => {
            let by_place = |range: &Range<usize>| (range.start, range.end);
            let (first, second) = if by_place(&checksum) <= by_place(&payload) {
                (checksum, payload)
            } else {
                (payload, checksum)
            };
            let middle = first.end.min(second.start)..second.start;
            [0..first.start, middle, second.end.max(first.end)..len]
        }
    }
}

/// Flips a bit of a region, counted over all its bytes; false when it was flipped before.
fn flip_once(parts: &[Range<usize>], bit: u64, original: &[u8], bytes: &mut [u8]) -> bool {
    let mask = 1 << (bit % 8);
    let Some(at) = locate(parts, bit / 8) else { return false };
    match (original.get(at), bytes.get_mut(at)) {
        (Some(was), Some(byte)) if (*was ^ *byte) & mask == 0 => {
            *byte ^= mask;
            true
        }
        _ => false,
    }
}

/// The position in the datagram of the `index`-th byte of a region.
fn locate(parts: &[Range<usize>], index: u64) -> Option<usize> {
    let mut index = usize::try_from(index).ok()?;
    for part in parts {
        if index < part.len() {
            return Some(part.start + index);
        }
        index -= part.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{collections::BTreeSet, vec::Vec};

    /// Two bytes of header, two of checksum, one of header, four of payload.
    fn anatomy() -> Anatomy {
        Anatomy { kind: None, checksum: 2..4, payload: 5..9 }
    }

    fn stage() -> Stage {
        Stage::new(Seed::new(1))
    }

    /// How often each byte of nine was hit in many datagrams.
    fn hits(region: Region, bits: u32, anatomy: &Anatomy) -> [u32; 9] {
        let corruption = Corruption { share: Probability::ALWAYS, bits, region };
        let (stage, mut hits) = (stage(), [0; 9]);
        for ordinal in 0..900 {
            let mut bytes = [0; 9];
            let flipped = stage.flip(ordinal, &corruption, anatomy, &[0; 9], &mut bytes);
            assert_eq!(flipped, bytes.iter().map(|byte| byte.count_ones()).sum::<u32>());
            for (count, byte) in hits.iter_mut().zip(bytes) {
                *count += byte.count_ones();
            }
        }
        hits
    }

    #[test]
    fn flips_lie_where_they_were_told_to_and_spread_evenly() {
        for (region, inside, each) in [
            (Region::Anywhere, 0b1_1111_1111, 100),
            (Region::Header, 0b0_0001_0011, 300),
            (Region::Checksum, 0b0_0000_1100, 450),
            (Region::Payload, 0b1_1110_0000, 225),
        ] {
            for (at, count) in hits(region, 1, &anatomy()).into_iter().enumerate() {
                let told: u32 = if inside >> at & 1 == 1 { each } else { 0 };
                assert!(count.abs_diff(told) <= told / 4, "{region} byte {at}: {count}");
            }
        }
    }

    #[test]
    fn flipped_bits_are_all_different() {
        assert_eq!(hits(Region::Anywhere, 9, &anatomy()).iter().sum::<u32>(), 8_100);
        // More than there are: every bit of the region once.
        assert_eq!(hits(Region::Checksum, 99, &anatomy()), [0, 0, 7_200, 7_200, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn set_bits_are_flipped_as_well() {
        let corruption = Corruption { bits: 5, ..Corruption::NONE };
        for ordinal in 0..100 {
            let (original, mut bytes) = ([0xa5; 9], [0xa5; 9]);
            assert_eq!(stage().flip(ordinal, &corruption, &anatomy(), &original, &mut bytes), 5);
            let flipped = bytes.iter().map(|byte| (byte ^ 0xa5).count_ones());
            assert_eq!(flipped.sum::<u32>(), 5, "{bytes:?}");
        }
    }

    #[test]
    fn a_datagram_without_that_part_stays_whole() {
        let bare = Anatomy { kind: None, checksum: 0..0, payload: 9..9 };
        assert_eq!(hits(Region::Checksum, 3, &bare), [0; 9]);
        assert_eq!(hits(Region::Payload, 3, &bare), [0; 9]);
        assert!(hits(Region::Header, 1, &bare).iter().all(|&count| count > 0));
        let mut nothing: [u8; 0] = [];
        assert_eq!(stage().flip(0, &Corruption::NONE, &bare, &[], &mut nothing), 0);
    }

    #[test]
    fn a_wrong_anatomy_does_no_harm() {
        let wild = [0..0, 3..100, 50..60, 2..6, 4..5, Range { start: 7, end: 2 }];
        for checksum in &wild {
            for payload in &wild {
                let (checksum, payload) = (checksum.clone(), payload.clone());
                let anatomy = Anatomy { kind: None, checksum, payload };
                for region in [Region::Header, Region::Payload, Region::Checksum] {
                    hits(region, 2, &anatomy);
                }
            }
        }
    }

    #[test]
    fn cuts_leave_every_shorter_length() {
        let lengths: BTreeSet<usize> = (0..500).map(|n| stage().cut(n, 9)).collect();
        assert_eq!(lengths.into_iter().collect::<Vec<_>>(), (0..9).collect::<Vec<_>>());
    }

    #[test]
    fn refuses_nonsense_with_a_reason() {
        for (text, reason) in [
            ("1%:0", "at least 1"),
            ("1%:4097", "at most 4096 bits"),
            ("1%:tail", "write anywhere, header, payload or checksum"),
            ("1%:3:header:1", "one part too many"),
            ("often", "1%:3 (bits) or 1%:header"),
        ] {
            let error = Corruption::parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let told = Corruption { share: Probability::percent(1), bits: 3, region: Region::Payload };
        assert_eq!(Corruption::parse("1%:3:payload"), Ok(told));
        assert_eq!(Corruption::parse("1%:4096").map(|corruption| corruption.bits), Ok(4_096));
    }
}
