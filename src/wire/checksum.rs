//! The codes that guard a datagram against bit errors.
//!
//! | Code | Field | Misses |
//! | --- | --- | --- |
//! | none | - | everything |
//! | Internet sum, RFC 1071 | 2 bytes | 1 in 32 of all two-bit errors, every swap of 16-bit words |
//! | CRC-16 | 2 bytes | no error of up to 3 bits in 4,093 bytes, no burst of up to 16 bits; else 1 in 2^16 |
//! | CRC-32C | 4 bytes | no error of up to 3 bits, no burst of up to 32 bits; else 1 in 2^32 |
//!
//! The CRC-16 is CRC-16/IBM-3740 (polynomial 0x1021, initial value 0xffff), often called
//! "CCITT-FALSE". The CRC-32C is Castagnoli's (polynomial 0x1EDC6F41), as in iSCSI and SCTP.

use core::{fmt, str::FromStr};

use crc::{CRC_16_IBM_3740, Crc, Table};

use super::crc32c;

static CRC16: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_IBM_3740);

/// Which code guards the packets.
///
/// ```
/// use rdtp::wire::Checksum;
///
/// let sum = "crc32c".parse::<Checksum>().unwrap();
/// assert_eq!(sum.compute([&b"1234"[..], b"56789"]), 0xe306_9283);
/// assert_eq!(sum.len(), 4);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Checksum {
    /// No field: damage goes unseen. For lessons only.
    None,
    /// The Internet checksum of RFC 1071: the one's complement of the one's complement sum of
    /// 16-bit words.
    Internet,
    /// CRC-16/IBM-3740.
    Crc16,
    /// CRC-32C (Castagnoli).
    #[default]
    Crc32c,
}

impl Checksum {
    /// All of them, weakest first.
    pub const ALL: [Self; 4] = [Self::None, Self::Internet, Self::Crc16, Self::Crc32c];

    /// Bytes of its field on the wire: 0, 2 or 4.
    #[expect(clippy::len_without_is_empty, reason = "the length of a field, not of a container")]
    pub const fn len(self) -> usize {
        match self {
            Self::None => 0,
            Self::Internet | Self::Crc16 => 2,
            Self::Crc32c => 4,
        }
    }

    /// The code of `parts` as if they were one run of bytes. Sixteen-bit codes are in the low half;
    /// [`Checksum::None`] gives 0.
    pub fn compute<'a>(self, parts: impl IntoIterator<Item = &'a [u8]>) -> u32 {
        match self {
            Self::None => 0,
            Self::Internet => u32::from(internet(parts)),
            Self::Crc16 => {
                let mut digest = CRC16.digest();
                parts.into_iter().for_each(|part| digest.update(part));
                u32::from(digest.finalize())
            }
            Self::Crc32c => crc32c::compute(parts),
        }
    }

    /// Writes the code of `parts`, most significant byte first, into a field of exactly
    /// [`len`](Self::len) bytes.
    pub fn put<'a>(self, parts: impl IntoIterator<Item = &'a [u8]>, field: &mut [u8]) {
        let value = self.compute(parts).to_be_bytes();
        field.copy_from_slice(&value[value.len() - self.len()..]);
    }

    /// Whether `field` holds the code of `parts`. A field of another length never does.
    pub fn holds<'a>(self, parts: impl IntoIterator<Item = &'a [u8]>, field: &[u8]) -> bool {
        // Equality, not "the sum over everything is zero": for the Internet checksum the latter
        // would also take 0xffff for 0x0000.
        field == &self.compute(parts).to_be_bytes()[4 - self.len()..]
    }
}

/// RFC 1071 over `parts` as one run of bytes, padded with a zero byte to an even length.
fn internet<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u16 {
    let (mut total, mut odd) = (0_u64, false);
    for part in parts {
        // A part that begins at an odd place has its bytes in the wrong halves: its sum is the right
        // one with the halves exchanged (RFC 1071 section 2(B)).
        let sum = fold(sum_ne(part));
        total += u64::from(if odd { sum.swap_bytes() } else { sum });
        odd ^= part.len() % 2 == 1;
    }
    !u16::from_be(fold(total))
}

/// The sum of `bytes` as 32-bit words in the machine's own byte order, which commutes with the
/// one's complement sum (RFC 1071 section 2(B) and 2(C)). A datagram cannot overflow 64 bits.
fn sum_ne(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    words.iter().chain([&last]).map(|&word| u64::from(u32::from_ne_bytes(word))).sum()
}

/// Adds the carries back in until 16 bits are left.
fn fold(mut sum: u64) -> u16 {
    loop {
        match u16::try_from(sum) {
            Ok(folded) => return folded,
            Err(_) => sum = (sum & 0xffff) + (sum >> 16),
        }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::Internet => "internet",
            Self::Crc16 => "crc16",
            Self::Crc32c => "crc32c",
        })
    }
}

impl FromStr for Checksum {
    type Err = UnknownChecksum;

    /// Reads a name as [`Display`](fmt::Display) writes it.
    fn from_str(name: &str) -> Result<Self, UnknownChecksum> {
        match name {
            "none" => Ok(Self::None),
            "internet" => Ok(Self::Internet),
            "crc16" => Ok(Self::Crc16),
            "crc32c" => Ok(Self::Crc32c),
            _ => Err(UnknownChecksum),
        }
    }
}

/// A name that stands for no checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownChecksum;

impl fmt::Display for UnknownChecksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown checksum: choose one of none, internet, crc16, crc32c")
    }
}

impl core::error::Error for UnknownChecksum {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use alloc::{string::ToString, vec, vec::Vec};

    const GUARDS: [Checksum; 3] = [Checksum::Internet, Checksum::Crc16, Checksum::Crc32c];

    /// RFC 1071 section 3: the sum of these bytes is ddf2 in every way of computing it.
    #[test]
    fn rfc1071_example() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(Checksum::Internet.compute([&bytes[..]]), 0x220d);
        assert_eq!(!internet([&bytes[..]]), 0xddf2);
        for cut in 0..=bytes.len() {
            for second in cut..=bytes.len() {
                let parts = [&bytes[..cut], &bytes[cut..second], &bytes[second..]];
                assert_eq!(!internet(parts), 0xddf2, "cut at {cut} and {second}");
            }
        }
    }

    /// RFC 1071 section 1: an odd byte counts as if a zero byte followed it.
    #[test]
    fn rfc1071_odd_byte() {
        assert_eq!(internet([&b"\x12\x34\x56"[..]]), internet([&b"\x12\x34\x56\x00"[..]]));
        assert_eq!(!internet([&b"\x12\x34\x56"[..]]), 0x1234 + 0x5600);
        assert_eq!(!internet([]), 0);
    }

    /// The published check values of the codes.
    #[test]
    fn check_values() {
        let of = |c: Checksum| c.compute([&b"123456789"[..]]);
        assert_eq!(of(Checksum::Crc16), 0x29b1);
        assert_eq!(of(Checksum::Crc32c), 0xe306_9283);
        assert_eq!(of(Checksum::Internet), 0xf62a);
        assert_eq!(of(Checksum::None), 0);
        // RFC 3720 appendix B.4: 32 bytes of zeros and of ones.
        assert_eq!(Checksum::Crc32c.compute([&[0_u8; 32][..]]), 0x8a91_36aa);
        assert_eq!(Checksum::Crc32c.compute([&[0xff_u8; 32][..]]), 0x62a8_ab43);
    }

    #[test]
    fn parts_are_one_run_of_bytes() {
        let mut bytes = vec![0; 1001];
        Seed::new(1).rng().fill(&mut bytes);
        for sum in Checksum::ALL {
            let whole = sum.compute([&bytes[..]]);
            for size in [1, 2, 3, 7, 64, 999] {
                assert_eq!(sum.compute(bytes.chunks(size)), whole, "{sum} in parts of {size}");
            }
        }
    }

    #[test]
    fn fields_are_big_endian_and_exact() {
        for sum in Checksum::ALL {
            let mut field = vec![0; sum.len()];
            sum.put([&b"123456789"[..]], &mut field);
            assert!(sum.holds([&b"123456789"[..]], &field));
            assert!(!sum.holds([&b"123456789"[..]], &[0; 3]));
            assert_eq!(sum == Checksum::None, sum.holds([&b"12345678"[..]], &field));
        }
        let mut field = [0; 2];
        Checksum::Crc16.put([&b"123456789"[..]], &mut field);
        assert_eq!(field, [0x29, 0xb1]);
    }

    #[test]
    fn one_flip_is_always_seen() {
        let mut bytes = vec![0; 1400];
        Seed::new(2).rng().fill(&mut bytes);
        for sum in GUARDS {
            let good = sum.compute([&bytes[..]]);
            for bit in 0..bytes.len() * 8 {
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert_ne!(sum.compute([&bytes[..]]), good, "{sum} misses bit {bit}");
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }

    /// The sum of words does not depend on their order; a CRC does.
    #[test]
    fn swapped_words_pass_only_the_internet_sum() {
        let bytes: Vec<u8> = (0..=255).collect();
        for word in 0..bytes.len() / 2 - 1 {
            let mut swapped = bytes.clone();
            swapped[word * 2..word * 2 + 4].rotate_left(2);
            for sum in GUARDS {
                let same = sum.compute([&bytes[..]]) == sum.compute([&swapped[..]]);
                assert_eq!(same, sum == Checksum::Internet, "{sum}, words from {word}");
            }
        }
    }

    /// Two flips cancel in the Internet sum when they hit the same column of different words in
    /// opposite directions: 1/16 times 1/2 of all pairs. Both CRCs see every pair.
    #[test]
    fn two_flips_pass_the_internet_sum_once_in_32() {
        const TRIALS: u32 = 20_000;
        let mut rng = Seed::new(3).rng();
        let mut bytes = vec![0; 1400];
        rng.fill(&mut bytes);
        let good = GUARDS.map(|sum| sum.compute([&bytes[..]]));
        let mut missed = [0; 3];
        for _ in 0..TRIALS {
            let bits = bytes.len() as u64 * 8;
            let (a, b) = (rng.below(bits), rng.below(bits));
            if a == b {
                continue;
            }
            let mut damaged = bytes.clone();
            for bit in [a, b] {
                damaged[usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
            }
            for (i, sum) in GUARDS.into_iter().enumerate() {
                missed[i] += u32::from(sum.compute([&damaged[..]]) == good[i]);
            }
        }
        assert!((TRIALS / 40..TRIALS / 26).contains(&missed[0]), "{} of {TRIALS}", missed[0]);
        assert_eq!(missed[1..], [0, 0]);
    }

    #[test]
    fn names_round_trip_and_errors_list_the_choices() {
        for sum in Checksum::ALL {
            assert_eq!(sum.to_string().parse(), Ok(sum));
            assert!(UnknownChecksum.to_string().contains(&sum.to_string()));
        }
        assert_eq!("md5".parse::<Checksum>(), Err(UnknownChecksum));
    }
}
