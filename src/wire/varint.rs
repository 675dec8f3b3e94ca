//! Variable-length integers of RFC 9000 section 16: 62 bits in 1, 2, 4 or 8 bytes. The two highest
//! bits of the first byte give the length, the rest is the value, most significant byte first.
//!
//! [`encode`] writes the shortest form. [`decode`] reads any form, as the RFC demands, and says how
//! long it was; a format with one encoding for each packet compares that with [`len`].

/// The largest value: 2^62 - 1.
pub(crate) const MAX: u64 = (1 << 62) - 1;

/// Bytes of the shortest form of `value`, which is at most [`MAX`].
pub(crate) const fn len(value: u64) -> usize {
    match value {
        0..=0x3f => 1,
        0x40..=0x3fff => 2,
        0x4000..=0x3fff_ffff => 4,
        _ => 8,
    }
}

/// The first value from `value` on up whose shortest form is longer than that of `value`.
pub(crate) const fn longer_from(value: u64) -> u64 {
    1 << (8 * len(value) - 2)
}

/// Writes the shortest form of `value` to the front of `out` and returns its length. The caller
/// keeps `value` at most [`MAX`] and `out` long enough.
pub(crate) fn encode(value: u64, out: &mut [u8]) -> usize {
    assert!(value <= MAX, "{value} does not fit into 62 bits");
    // Lengths 1, 2, 4, 8 have the prefixes 0, 1, 2, 3. Each is a store of its own: a copy whose length
    // is not known when compiling is a call.
    let [.., e, f, g, h] = value.to_be_bytes();
    match len(value) {
        1 => out[0] = h,
        2 => out[..2].copy_from_slice(&[g | 0x40, h]),
        4 => out[..4].copy_from_slice(&[e | 0x80, f, g, h]),
        _ => out[..8].copy_from_slice(&(value | 0xc0 << 56).to_be_bytes()),
    }
    len(value)
}

/// Reads the integer at the front of `bytes`: its value and its length. `None` when `bytes` ends
/// before it does.
pub(crate) fn decode(bytes: &[u8]) -> Option<(u64, usize)> {
    Some(match bytes.first()? >> 6 {
        0 => (u64::from(bytes[0]), 1),
        1 => (u64::from(u16::from_be_bytes(*bytes.first_chunk()?) & 0x3fff), 2),
        2 => (u64::from(u32::from_be_bytes(*bytes.first_chunk()?) & 0x3fff_ffff), 4),
        _ => (u64::from_be_bytes(*bytes.first_chunk()?) & MAX, 8),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 9000 appendix A.1, table 4.
    #[test]
    fn rfc9000_examples() {
        let vectors: [(&[u8], u64); 5] = [
            (&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c], 151_288_809_941_952_652),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
            (&[0x40, 0x25], 37),
        ];
        for (bytes, value) in vectors {
            assert_eq!(decode(bytes), Some((value, bytes.len())));
            let mut out = [0; 8];
            let written = encode(value, &mut out);
            // The last example is the long way to write 37.
            assert_eq!(&out[..written] == bytes, bytes != [0x40, 0x25]);
        }
    }

    /// RFC 9000 section 16, table 4: the ranges of the four lengths.
    #[test]
    fn lengths_change_where_the_rfc_says() {
        for (value, expected) in [
            (0, 1),
            (63, 1),
            (64, 2),
            (16_383, 2),
            (16_384, 4),
            (1_073_741_823, 4),
            (1_073_741_824, 8),
            (MAX, 8),
        ] {
            assert_eq!(len(value), expected);
            assert!(
                longer_from(value) > value && len(longer_from(value)) > expected || expected == 8
            );
            let mut out = [0; 8];
            assert_eq!(encode(value, &mut out), expected);
            assert_eq!(decode(&out), Some((value, expected)));
        }
    }

    #[test]
    fn ends_early() {
        assert_eq!(decode(&[]), None);
        assert_eq!(decode(&[0x40]), None);
        assert_eq!(decode(&[0xff; 7]), None);
    }

    proptest! {
        #[test]
        fn round_trip(value in 0..=MAX, shift in 0..62_u32) {
            let value = value >> shift;
            let mut out = [0; 8];
            let written = encode(value, &mut out);
            prop_assert_eq!(decode(&out[..written]), Some((value, written)));
        }
    }
}
