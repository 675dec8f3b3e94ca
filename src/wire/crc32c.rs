//! CRC-32C over parts of a datagram: by the processor's own instructions where the standard library
//! can tell that it has them, else by tables.
//!
//! The tables of the `crc` crate are the reference. They take 1 to 2 GB/s, which is the greater part
//! of all the work on a packet; the instructions take ten to twenty times as much.

/// The code of `parts` as if they were one run of bytes.
#[cfg(feature = "std")]
pub(super) fn compute<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u32 {
    let mut parts = parts.into_iter();
    let first = parts.next().unwrap_or_default();
    let Some(second) = parts.next() else { return crc_fast::crc32_iscsi(first) };
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    [first, second].into_iter().chain(parts).for_each(|part| digest.update(part));
    // A code of 32 bits in a type that holds those of 64.
    u32::try_from(digest.finalize()).unwrap_or_default()
}

/// The code of `parts` as if they were one run of bytes.
#[cfg(not(feature = "std"))]
pub(super) fn compute<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u32 {
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    /// Every length up to that of a jumbo frame, where the instructions change their stride.
    #[test]
    fn every_length_agrees() {
        let mut bytes = alloc::vec![0; 9001];
        crate::rng::Seed::new(3).rng().fill(&mut bytes);
        for len in (0..600).chain((600..bytes.len()).step_by(61)) {
            let bytes = &bytes[..len];
            assert_eq!(compute([bytes]), by_tables([bytes]), "{len} bytes");
        }
        assert_eq!(compute([]), by_tables([]));
    }
}
