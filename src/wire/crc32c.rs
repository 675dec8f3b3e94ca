//! CRC-32C over parts of a datagram: by the processor's own instructions where the standard library
//! can tell that it has them, else by tables.
//!
//! The tables of the `crc` crate are the reference. They take 1 to 2 GB/s, which is the greater part
//! of all the work on a packet; the instructions take ten to twenty times as much. Where unsafe code is
//! allowed, x86 has [ours](crate::sys), which are made for packets; else those of `crc-fast`.

/// The code of `parts` as if they were one run of bytes.
#[cfg(feature = "std")]
pub(crate) fn compute<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u32 {
    parts.into_iter().fold(0, extend)
}

/// The code of the bytes so far, whose code is `code`, and `part` after them.
#[cfg(feature = "std")]
fn extend(code: u32, part: &[u8]) -> u32 {
    #[cfg(feature = "net")]
    if let Some(code) = crate::sys::extend_crc32c(code, part) {
        return code;
    }
    if code == 0 {
        return crc_fast::crc32_iscsi(part);
    }
    let algorithm = crc_fast::CrcAlgorithm::Crc32Iscsi;
    // A code of 32 bits in a type that holds those of 64; what it begins with lacks the complement.
    let mut digest = crc_fast::Digest::new_with_init_state(algorithm, u64::from(!code));
    digest.update(part);
    u32::try_from(digest.finalize()).unwrap_or_default()
}

/// The code of `parts` as if they were one run of bytes.
#[cfg(not(feature = "std"))]
pub(crate) fn compute<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u32 {
    by_tables(parts)
}

/// The same by tables, on every machine.
#[cfg(any(test, not(feature = "std")))]
fn by_tables<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u32 {
    use crc::{CRC_32_ISCSI, Crc, Table};

    static TABLES: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);
    let mut digest = TABLES.digest();
    parts.into_iter().for_each(|part| digest.update(part));
    digest.finalize()
}

/// Joins the code of a head with the code of a tail of always the same length, without reading
/// either again.
///
/// A code is linear: that of head and tail is that of the head with as many zeros after it, and that
/// of the tail, added. What zeros do to a code is a multiplication by a constant, here in tables of
/// four bits each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Join {
    tail_bytes: usize,
    tables: [[u32; 16]; 8],
}

impl Join {
    pub(crate) fn new(tail_bytes: usize) -> Self {
        // What each bit of a code becomes after one zero bit: reflected, so that it moves down.
        let mut power: Columns = core::array::from_fn(|bit| match bit {
            0 => POLYNOMIAL,
            _ => 1 << (bit - 1),
        });
        let mut columns: Columns = core::array::from_fn(|bit| 1 << bit);
        let mut zeros = tail_bytes * 8;
        while zeros > 0 {
            if zeros & 1 == 1 {
                columns = columns.map(|column| times(&power, column));
            }
            power = power.map(|column| times(&power, column));
            zeros >>= 1;
        }
        let table = |nibble: usize| {
            core::array::from_fn(|value| {
                let bits = (0..4).filter(|bit| value >> bit & 1 == 1);
                bits.fold(0, |sum, bit| sum ^ columns[nibble * 4 + bit])
            })
        };
        Self { tail_bytes, tables: core::array::from_fn(table) }
    }

    /// How long the tail is.
    pub(crate) const fn tail_bytes(&self) -> usize {
        self.tail_bytes
    }

    /// The code of head and tail together.
    pub(crate) fn codes(&self, head: u32, tail: u32) -> u32 {
        let nibbles = head.to_le_bytes().into_iter().flat_map(|byte| [byte & 15, byte >> 4]);
        let tables = self.tables.iter();
        tables.zip(nibbles).fold(tail, |sum, (table, nibble)| sum ^ table[usize::from(nibble)])
    }
}

/// What each bit of a code becomes.
type Columns = [u32; 32];

/// CRC-32C's, reflected.
const POLYNOMIAL: u32 = 0x82f6_3b78;

fn times(columns: &Columns, code: u32) -> u32 {
    let ones = columns.iter().enumerate().filter(|(bit, _)| code >> bit & 1 == 1);
    ones.fold(0, |sum, (_, column)| sum ^ column)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn joined_codes_are_those_of_the_whole(
            head in proptest::collection::vec(any::<u8>(), 0..60),
            tail in proptest::collection::vec(any::<u8>(), 0..3000),
        ) {
            let join = Join::new(tail.len());
            let joined = join.codes(by_tables([&head[..]]), by_tables([&tail[..]]));
            prop_assert_eq!(joined, by_tables([&head[..], &tail[..]]));
            prop_assert_eq!(join.tail_bytes(), tail.len());
        }
    }

    proptest! {
        #[test]
        fn instructions_and_tables_agree(
            bytes in proptest::collection::vec(any::<u8>(), 0..5000),
            cuts in proptest::collection::vec(0_usize..5000, 0..4),
        ) {
            let mut cuts: alloc::vec::Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let parts = || cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]);
            prop_assert_eq!(compute(parts()), by_tables(parts()));
            prop_assert_eq!(compute([&bytes[..]]), by_tables([&bytes[..]]));
        }
    }

    /// Lengths up to that of the longest datagram: every short one, where the instructions change
    /// their stride.
    #[test]
    fn every_length_agrees() {
        let mut bytes = alloc::vec![0; 66_001];
        crate::rng::Seed::new(3).rng().fill(&mut bytes);
        for len in (0..600).chain((600..9001).step_by(61).chain((9001..bytes.len()).step_by(1009)))
        {
            let bytes = &bytes[..len];
            assert_eq!(compute([bytes]), by_tables([bytes]), "{len} bytes");
        }
        assert_eq!(compute([]), by_tables([]));
    }
}
