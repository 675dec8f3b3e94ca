//! The binary format of the classic protocols.
//!
//! ```text
//! offset  bytes    field
//! 0       1        version: 0xd1
//! 1       1        kind: 0x44 data, 0xbc ACK, 0x5b NAK
//! 2       0, 2, 4  checksum, most significant byte first, over all other bytes of the datagram
//! ..      1 to 8   sequence number (variable-length integer, shortest form)
//! ..      1 to 4   bytes of payload (likewise)
//! ..      rest     payload; empty for feedback
//! ```
//!
//! The checksum stands before every field of variable length: its place does not depend on bytes
//! that may be damaged, so what the code promises about bit errors holds for the whole datagram.
//! Which checksum guards a conversation is agreed outside it. There is exactly one datagram for each
//! frame, and every datagram that decodes is one that [`encode`] writes.

use core::ops::Range;

use super::{Anatomy, Checksum, DecodeError, Frame, Kind, varint};

/// The first byte of every packet.
pub const VERSION: u8 = 0xd1;

/// The bytes before the checksum field.
const PREFIX_LEN: usize = 2;

/// The longest header: prefix, CRC-32C, 8 bytes of number, 4 bytes of length.
pub const HEADER_LEN_MAX: usize = PREFIX_LEN + 4 + 8 + 4;

/// The largest payload of a datagram over IPv4.
pub const DATAGRAM_LEN_MAX: usize = 65_507;

/// The longest payload that fits into a datagram whatever its number and checksum, in bytes.
pub const PAYLOAD_LEN_MAX: usize = DATAGRAM_LEN_MAX - HEADER_LEN_MAX;

/// The code words of the kinds. Any two differ in at least five of their eight bits, the most that
/// three such words can, so a word with up to two flipped bits is still nearest to its own.
const KINDS: [(Kind, u8); 3] = [(Kind::Data, 0x44), (Kind::Ack, 0xbc), (Kind::Nak, 0x5b)];

const fn kind_byte(kind: Kind) -> u8 {
    match kind {
        Kind::Data => KINDS[0].1,
        Kind::Ack => KINDS[1].1,
        Kind::Nak => KINDS[2].1,
    }
}

/// Bytes of the datagram that holds `frame`.
pub fn encoded_len(frame: &Frame<'_>, checksum: Checksum) -> usize {
    let payload = frame.payload.len();
    PREFIX_LEN + checksum.len() + varint::len(frame.seq) + varint::len(payload as u64) + payload
}

/// Writes `frame` to `out`, which is exactly [`encoded_len`] bytes long.
///
/// # Panics
///
/// When `out` has another length, or the number does not fit into 62 bits.
pub fn encode(frame: &Frame<'_>, checksum: Checksum, out: &mut [u8]) {
    debug_assert!(frame.kind == Kind::Data || frame.payload.is_empty(), "feedback with a payload");
    assert_eq!(out.len(), encoded_len(frame, checksum), "buffer of another length");
    let (prefix, rest) = out.split_at_mut(PREFIX_LEN);
    let (field, body) = rest.split_at_mut(checksum.len());
    prefix.copy_from_slice(&[VERSION, kind_byte(frame.kind)]);
    let seq_len = varint::encode(frame.seq, body);
    let len_len = varint::encode(frame.payload.len() as u64, &mut body[seq_len..]);
    body[seq_len + len_len..].copy_from_slice(frame.payload);
    checksum.put([&*prefix, &*body], field);
}

/// Reads a datagram. The checksum is tested before any field behind it is believed.
pub fn decode(datagram: &[u8], checksum: Checksum) -> Result<Frame<'_>, DecodeError> {
    let got = datagram.len();
    // No packet is shorter than this: each of the two integers has at least one byte.
    let needed = PREFIX_LEN + checksum.len() + 2;
    let Some((&[version, kind], rest)) = datagram.split_first_chunk::<PREFIX_LEN>() else {
        return Err(DecodeError::Short { needed, got });
    };
    if version != VERSION {
        return Err(DecodeError::Version(version));
    }
    let &(kind, _) =
        KINDS.iter().find(|&&(_, word)| word == kind).ok_or(DecodeError::Kind(kind))?;
    if got < needed {
        return Err(DecodeError::Short { needed, got });
    }
    let (field, body) = rest.split_at(checksum.len());
    if !checksum.holds([&datagram[..PREFIX_LEN], body], field) {
        return Err(DecodeError::Checksum);
    }
    let (seq, seq_len) = integer(body, got)?;
    let (length, length_len) = integer(&body[seq_len..], got)?;
    let payload = &body[seq_len + length_len..];
    if length != payload.len() as u64 {
        return Err(DecodeError::Length { field: length, got: payload.len() });
    }
    if kind != Kind::Data && !payload.is_empty() {
        return Err(DecodeError::Field("feedback with a payload"));
    }
    Ok(Frame { kind, seq, payload })
}

/// The integer at the front of `bytes`, in its shortest form.
fn integer(bytes: &[u8], got: usize) -> Result<(u64, usize), DecodeError> {
    let (value, len) = varint::decode(bytes).ok_or(DecodeError::Short { needed: got + 1, got })?;
    if len != varint::len(value) {
        return Err(DecodeError::Field("an integer in more bytes than it needs"));
    }
    Ok((value, len))
}

/// What a packet was before at most two bits of its kind byte were flipped; `None` when the byte is
/// further from every code word, or missing.
pub fn likely_kind(datagram: &[u8]) -> Option<Kind> {
    let byte = *datagram.get(1)?;
    KINDS.iter().find(|&&(_, word)| (word ^ byte).count_ones() <= 2).map(|&(kind, _)| kind)
}

/// Where the parts of a datagram lie, damaged or not. Parts that cannot be found are empty.
pub fn anatomy(datagram: &[u8], checksum: Checksum) -> Anatomy {
    let end = datagram.len();
    let field_start = PREFIX_LEN.min(end);
    let field_end = (PREFIX_LEN + checksum.len()).min(end);
    Anatomy {
        kind: likely_kind(datagram),
        checksum: field_start..field_end,
        payload: payload_range(datagram, field_end),
    }
}

/// The bytes behind the two integers that begin at `body`.
fn payload_range(datagram: &[u8], body: usize) -> Range<usize> {
    let end = datagram.len();
    let skip = |at: usize| varint::decode(&datagram[at..]).map(|(_, len)| at + len);
    skip(body).and_then(skip).unwrap_or(end)..end
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};
    use proptest::prelude::*;

    const GUARDS: [Checksum; 3] = [Checksum::Internet, Checksum::Crc16, Checksum::Crc32c];

    fn encoded(frame: &Frame<'_>, checksum: Checksum) -> Vec<u8> {
        let mut out = vec![0; encoded_len(frame, checksum)];
        encode(frame, checksum, &mut out);
        out
    }

    const HELLO: Frame<'static> = Frame { kind: Kind::Data, seq: 64, payload: b"hello" };
    const ACK: Frame<'static> = Frame { kind: Kind::Ack, seq: 1, payload: b"" };
    const NAK: Frame<'static> = Frame { kind: Kind::Nak, seq: 0, payload: b"" };

    /// Computed by another program in another language. A change here is a new version byte.
    #[test]
    fn golden_bytes() {
        let golden: [(Checksum, Frame<'_>, &[u8]); 10] = [
            (Checksum::None, HELLO, b"\xd1\x44\x40\x40\x05hello"),
            (Checksum::Internet, HELLO, b"\xd1\x44\x17\x37\x40\x40\x05hello"),
            (Checksum::Crc16, HELLO, b"\xd1\x44\xe4\xad\x40\x40\x05hello"),
            (Checksum::Crc32c, HELLO, b"\xd1\x44\x0f\x52\x25\x85\x40\x40\x05hello"),
            (Checksum::Internet, ACK, b"\xd1\xbc\x2d\x43\x01\x00"),
            (Checksum::Crc16, ACK, b"\xd1\xbc\xe2\xd8\x01\x00"),
            (Checksum::Crc32c, ACK, b"\xd1\xbc\x2a\xac\x35\xef\x01\x00"),
            (Checksum::Internet, NAK, b"\xd1\x5b\x2e\xa4\x00\x00"),
            (Checksum::Crc16, NAK, b"\xd1\x5b\xf4\x48\x00\x00"),
            (Checksum::Crc32c, NAK, b"\xd1\x5b\xe0\xf8\xc5\x7f\x00\x00"),
        ];
        for (checksum, frame, bytes) in golden {
            assert_eq!(encoded(&frame, checksum), bytes, "{checksum} {frame:?}");
            assert_eq!(decode(bytes, checksum), Ok(frame));
        }
    }

    #[test]
    fn code_words_are_five_bits_apart() {
        for (i, (_, a)) in KINDS.iter().enumerate() {
            for (_, b) in &KINDS[i + 1..] {
                assert!((a ^ b).count_ones() >= 5);
            }
        }
    }

    #[test]
    fn a_damaged_kind_is_still_told() {
        for (kind, word) in KINDS {
            for (a, b) in (0..8).flat_map(|a| (0..8).map(move |b| (a, b))) {
                let byte = word ^ (1 << a) ^ if a == b { 0 } else { 1 << b };
                assert_eq!(likely_kind(&[VERSION, byte]), Some(kind));
            }
        }
        let unclear = (0..=u8::MAX).filter(|&byte| likely_kind(&[VERSION, byte]).is_none());
        // Each word claims itself, 8 bytes one flip and 28 bytes two flips away.
        assert_eq!(unclear.count(), 256 - 3 * (1 + 8 + 28));
        assert_eq!(likely_kind(&[VERSION]), None);
    }

    #[test]
    fn every_single_flip_is_detected() {
        for checksum in GUARDS {
            for frame in [HELLO, ACK, NAK, Frame { kind: Kind::Data, seq: 0, payload: &[0; 300] }] {
                let mut bytes = encoded(&frame, checksum);
                for bit in 0..bytes.len() * 8 {
                    bytes[bit / 8] ^= 1 << (bit % 8);
                    assert!(
                        decode(&bytes, checksum).is_err(),
                        "{checksum}: bit {bit} of {frame:?}"
                    );
                    bytes[bit / 8] ^= 1 << (bit % 8);
                }
            }
        }
    }

    #[test]
    fn every_truncation_is_detected() {
        for checksum in Checksum::ALL {
            let bytes = encoded(&HELLO, checksum);
            for len in 0..bytes.len() {
                assert!(decode(&bytes[..len], checksum).is_err(), "{checksum}: {len} bytes");
            }
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let plain = |bytes| decode(bytes, Checksum::None);
        assert_eq!(plain(b""), Err(DecodeError::Short { needed: 4, got: 0 }));
        assert_eq!(plain(b"\xd1\x44\x00"), Err(DecodeError::Short { needed: 4, got: 3 }));
        assert_eq!(plain(b"\xd2\x44\x00\x00"), Err(DecodeError::Version(0xd2)));
        assert_eq!(plain(b"\xd1\x45\x00\x00"), Err(DecodeError::Kind(0x45)));
        assert_eq!(plain(b"\xd1\x44\x00\x02a"), Err(DecodeError::Length { field: 2, got: 1 }));
        assert_eq!(plain(b"\xd1\x44\x00\x40"), Err(DecodeError::Short { needed: 5, got: 4 }));
        assert!(matches!(plain(b"\xd1\xbc\x00\x01a"), Err(DecodeError::Field(_))));
        assert!(matches!(plain(b"\xd1\x44\x40\x01\x00"), Err(DecodeError::Field(_))));
        assert_eq!(
            decode(b"\xd1\x44\x17\x38\x40\x40\x05hello", Checksum::Internet),
            Err(DecodeError::Checksum)
        );
    }

    #[test]
    fn anatomy_finds_the_parts() {
        let bytes = encoded(&HELLO, Checksum::Crc32c);
        let parts = anatomy(&bytes, Checksum::Crc32c);
        assert_eq!(parts.kind, Some(Kind::Data));
        assert_eq!(parts.checksum, 2..6);
        assert_eq!(&bytes[parts.payload], b"hello");
        let cut = anatomy(&bytes[..4], Checksum::Crc32c);
        assert_eq!((cut.checksum, cut.payload), (2..4, 4..4));
    }

    #[test]
    fn the_longest_header_is_what_the_constant_says() {
        let payload = vec![0; PAYLOAD_LEN_MAX];
        let frame = Frame { kind: Kind::Data, seq: varint::MAX, payload: &payload };
        assert_eq!(encoded_len(&frame, Checksum::Crc32c), DATAGRAM_LEN_MAX);
    }

    fn checksums() -> impl Strategy<Value = Checksum> {
        prop::sample::select(&Checksum::ALL[..])
    }

    proptest! {
        #[test]
        fn round_trip(
            checksum in checksums(),
            seq in 0..=varint::MAX,
            shift in 0..62_u32,
            payload in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let frame = Frame { kind: Kind::Data, seq: seq >> shift, payload: &payload };
            let bytes = encoded(&frame, checksum);
            prop_assert_eq!(decode(&bytes, checksum), Ok(frame));
            let parts = anatomy(&bytes, checksum);
            prop_assert_eq!(&bytes[parts.payload], &payload[..]);
        }

        /// Whatever decodes is exactly what would have been encoded; nothing panics.
        #[test]
        fn garbage(
            checksum in checksums(),
            mut bytes in prop::collection::vec(any::<u8>(), 0..40),
            legible in 0..5_usize,
        ) {
            // Most garbage fails at the first byte: let some of it get further.
            for (byte, good) in bytes.iter_mut().zip([VERSION, 0x44, 3, 9]).take(legible) {
                *byte = good;
            }
            if let Ok(frame) = decode(&bytes, checksum) {
                prop_assert_eq!(encoded(&frame, checksum), bytes.clone());
            }
            let parts = anatomy(&bytes, checksum);
            prop_assert!(bytes.get(parts.checksum.clone()).is_some());
            prop_assert!(bytes.get(parts.payload.clone()).is_some());
            prop_assert!(parts.checksum.end <= parts.payload.start);
        }
    }
}
