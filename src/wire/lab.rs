//! The messages of the classroom exercise: every bit of every field is one ASCII character `0` or
//! `1`, most significant first (S2-11, S2-12).
//!
//! ```text
//! client to server, 97 characters           server to client, 66 characters
//!  0..16  source port                        0..16  source port
//! 16..32  destination port                  16..32  destination port
//! 32..48  length of the message, 97         32..48  length of the message, 66
//! 48..64  checksum                          48      1 ACK, 0 NAK
//! 64      sequence number                   49      sequence number
//! 65..97  integer, two's complement         50..66  checksum
//! ```
//!
//! The checksum runs over the other fields as 16-bit numbers in the order they stand (the integer
//! as its high and its low half), not over the characters.

use super::{Anatomy, Checksum, DecodeError, Frame, Kind};

/// Characters of a client's message.
pub const DATA_LEN: usize = DATA_LENGTH as usize;

/// Characters of a server's message.
pub const REPLY_LEN: usize = REPLY_LENGTH as usize;

/// Bytes of the integer that a client's message carries, as a [`Frame`] has it: big endian.
pub const PAYLOAD_LEN: usize = 4;

/// The two lengths as their field holds them.
const DATA_LENGTH: u16 = 97;
const REPLY_LENGTH: u16 = 66;

/// Where the ACK flag of a server's message stands.
const FLAG_AT: usize = 48;

/// The two checksums that fit into the format's 16 bits. The exercise names none; the Internet sum
/// is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LabChecksum {
    /// RFC 1071.
    #[default]
    Internet,
    /// CRC-16/IBM-3740.
    Crc16,
}

impl LabChecksum {
    /// The code of the fields `words`.
    pub fn compute<const N: usize>(self, words: [u16; N]) -> u16 {
        let bytes = words.map(u16::to_be_bytes);
        let value = Checksum::from(self).compute([bytes.as_flattened()]);
        // Both codes are 16 bits wide.
        (value & 0xffff) as u16
    }
}

impl From<LabChecksum> for Checksum {
    fn from(checksum: LabChecksum) -> Self {
        match checksum {
            LabChecksum::Internet => Self::Internet,
            LabChecksum::Crc16 => Self::Crc16,
        }
    }
}

impl TryFrom<Checksum> for LabChecksum {
    type Error = NotALabChecksum;

    /// Refuses those that do not have 16 bits.
    fn try_from(checksum: Checksum) -> Result<Self, NotALabChecksum> {
        match checksum {
            Checksum::Internet => Ok(Self::Internet),
            Checksum::Crc16 => Ok(Self::Crc16),
            Checksum::None | Checksum::Crc32c => Err(NotALabChecksum),
        }
    }
}

/// A checksum that does not fit the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotALabChecksum;

impl core::fmt::Display for NotALabChecksum {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the lab format has a checksum of 16 bits: choose internet or crc16")
    }
}

impl core::error::Error for NotALabChecksum {}

/// What to put into the checksum field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Honesty {
    /// The right checksum.
    #[default]
    Honest,
    /// The right checksum with every bit inverted: how the exercise plays the loss of a packet
    /// (S2-13).
    Corrupt,
}

impl Honesty {
    const fn apply(self, checksum: u16) -> u16 {
        match self {
            Self::Honest => checksum,
            Self::Corrupt => !checksum,
        }
    }
}

/// A client's message: one integer (S2-12).
///
/// ```
/// use rdtp::wire::lab::{DataMessage, Honesty, LabChecksum};
///
/// let sum = LabChecksum::Internet;
/// let message = DataMessage { source_port: 50_000, destination_port: 5000, seq: 1, value: -1 };
/// let sent = message.encode(sum, Honesty::Honest);
/// assert_eq!(&sent[65..], [b'1'; 32], "-1 is 32 ones");
/// assert_eq!(DataMessage::decode(&sent, sum), Ok(message));
/// assert!(DataMessage::decode(&message.encode(sum, Honesty::Corrupt), sum).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DataMessage {
    /// The client's port.
    pub source_port: u16,
    /// The server's port.
    pub destination_port: u16,
    /// Sequence number, 0 or 1.
    pub seq: u8,
    /// A positive number that names the datagram, or -1 for the last one.
    pub value: i32,
}

impl DataMessage {
    /// The message as characters. Of `seq` the lowest bit is sent.
    pub fn encode(&self, checksum: LabChecksum, honesty: Honesty) -> [u8; DATA_LEN] {
        let mut out = [0; DATA_LEN];
        put(&mut out[0..16], self.source_port.into());
        put(&mut out[16..32], self.destination_port.into());
        put(&mut out[32..48], DATA_LENGTH.into());
        put(&mut out[48..64], honesty.apply(self.checksum(checksum)).into());
        put(&mut out[64..65], self.seq.into());
        put(&mut out[65..97], self.value.cast_unsigned().into());
        out
    }

    /// Reads a message, testing characters, length field and checksum.
    pub fn decode(bytes: &[u8], checksum: LabChecksum) -> Result<Self, DecodeError> {
        let bytes = exactly::<DATA_LEN>(bytes)?;
        let message = Self::from_bits(bytes);
        verify(take16(bytes, 32), DATA_LENGTH, take16(bytes, 48), message.checksum(checksum))?;
        Ok(message)
    }

    /// The fields of a message as they stand, right or wrong, for those who show damaged ones.
    /// `None` when it has another length or characters that are no bits.
    pub fn as_it_stands(bytes: &[u8]) -> Option<Self> {
        exactly::<DATA_LEN>(bytes).ok().map(Self::from_bits)
    }

    fn from_bits(bits: &[u8; DATA_LEN]) -> Self {
        let (high, low) = (take16(bits, 65), take16(bits, 81));
        Self {
            source_port: take16(bits, 0),
            destination_port: take16(bits, 16),
            seq: bits[64] & 1,
            value: (u32::from(high) << 16 | u32::from(low)).cast_signed(),
        }
    }

    fn checksum(&self, checksum: LabChecksum) -> u16 {
        let [a, b, c, d] = self.value.to_be_bytes();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let (ports, seq) = ([self.source_port, self.destination_port], u16::from(self.seq & 1));
        checksum.compute([ports[0], ports[1], DATA_LENGTH, seq, high, low])
    }
}

/// A server's message: what arrived (S2-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplyMessage {
    /// The server's port.
    pub source_port: u16,
    /// The client's port.
    pub destination_port: u16,
    /// Whether it acknowledges; false is the NAK of rdt 2.1.
    pub ack: bool,
    /// The number acknowledged, 0 or 1; 0 in a NAK.
    pub seq: u8,
}

impl ReplyMessage {
    /// The message as characters. Of `seq` the lowest bit is sent.
    pub fn encode(&self, checksum: LabChecksum, honesty: Honesty) -> [u8; REPLY_LEN] {
        let mut out = [0; REPLY_LEN];
        put(&mut out[0..16], self.source_port.into());
        put(&mut out[16..32], self.destination_port.into());
        put(&mut out[32..48], REPLY_LENGTH.into());
        put(&mut out[48..49], self.ack.into());
        put(&mut out[49..50], self.seq.into());
        put(&mut out[50..66], honesty.apply(self.checksum(checksum)).into());
        out
    }

    /// Reads a message, testing characters, length field and checksum.
    pub fn decode(bytes: &[u8], checksum: LabChecksum) -> Result<Self, DecodeError> {
        let bytes = exactly::<REPLY_LEN>(bytes)?;
        let message = Self {
            source_port: take16(bytes, 0),
            destination_port: take16(bytes, 16),
            ack: bytes[FLAG_AT] == b'1',
            seq: bytes[49] & 1,
        };
        verify(take16(bytes, 32), REPLY_LENGTH, take16(bytes, 50), message.checksum(checksum))?;
        Ok(message)
    }

    fn checksum(self, checksum: LabChecksum) -> u16 {
        checksum.compute([
            self.source_port,
            self.destination_port,
            REPLY_LENGTH,
            self.ack.into(),
            u16::from(self.seq & 1),
        ])
    }
}

/// What a message is, from its length and, for replies, the lowest bit of the flag's character:
/// `0` and `1` differ in nothing else. `None` for what is too short to be either.
pub fn likely_kind(bytes: &[u8]) -> Option<Kind> {
    match bytes.len() {
        ..REPLY_LEN => None,
        REPLY_LEN if bytes[FLAG_AT] & 1 == 0 => Some(Kind::Nak),
        REPLY_LEN => Some(Kind::Ack),
        _ => Some(Kind::Data),
    }
}

/// Where the parts of a message lie, damaged or not. Parts that cannot be found are empty.
pub fn anatomy(bytes: &[u8]) -> Anatomy {
    let end = bytes.len();
    let kind = likely_kind(bytes);
    let (checksum, payload) = match kind {
        Some(Kind::Data) => (48..64, 65..end.min(DATA_LEN)),
        Some(Kind::Ack | Kind::Nak) => (50..66, end..end),
        None => (end..end, end..end),
    };
    Anatomy { kind, checksum, payload }
}

/// Reads either message as a [`Frame`], for a protocol that does not care for ports. The integer is
/// put into `scratch`, from which the frame borrows it.
pub fn decode_frame<'a>(
    bytes: &[u8],
    checksum: LabChecksum,
    scratch: &'a mut [u8; PAYLOAD_LEN],
) -> Result<Frame<'a>, DecodeError> {
    if bytes.len() == REPLY_LEN {
        let reply = ReplyMessage::decode(bytes, checksum)?;
        let kind = if reply.ack { Kind::Ack } else { Kind::Nak };
        return Ok(Frame { kind, seq: reply.seq.into(), payload: &[] });
    }
    let message = DataMessage::decode(bytes, checksum)?;
    *scratch = message.value.to_be_bytes();
    Ok(Frame { kind: Kind::Data, seq: message.seq.into(), payload: scratch })
}

/// Writes the lowest bits of `value`, one to a character.
fn put(out: &mut [u8], value: u64) {
    for (i, character) in out.iter_mut().rev().enumerate() {
        *character = b'0' + u8::from(value >> i & 1 == 1);
    }
}

/// The sixteen characters from `at` as a number. All are known to be bits.
fn take16<const N: usize>(bits: &[u8; N], at: usize) -> u16 {
    bits[at..at + 16].iter().fold(0, |value, &bit| value << 1 | u16::from(bit & 1))
}

/// `bytes` as exactly `N` characters `0` or `1`.
fn exactly<const N: usize>(bytes: &[u8]) -> Result<&[u8; N], DecodeError> {
    let got = bytes.len();
    if got < N {
        return Err(DecodeError::Short { needed: N, got });
    }
    let bytes: &[u8; N] =
        bytes.try_into().map_err(|_| DecodeError::Length { field: N as u64, got })?;
    match bytes.iter().position(|character| !matches!(character, b'0' | b'1')) {
        Some(at) => Err(DecodeError::NotABit { at }),
        None => Ok(bytes),
    }
}

fn verify(length: u16, expected: u16, field: u16, computed: u16) -> Result<(), DecodeError> {
    // The length is not among the numbers read back, so it is tested by itself.
    if length != expected {
        return Err(DecodeError::Length { field: length.into(), got: expected.into() });
    }
    if field == computed { Ok(()) } else { Err(DecodeError::Checksum) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SUMS: [LabChecksum; 2] = [LabChecksum::Internet, LabChecksum::Crc16];

    const FIRST: DataMessage =
        DataMessage { source_port: 50_000, destination_port: 5000, seq: 0, value: 537 };
    const LAST: DataMessage = DataMessage { seq: 1, value: -1, ..FIRST };
    const ACK_1: ReplyMessage =
        ReplyMessage { source_port: 5000, destination_port: 50_000, ack: true, seq: 1 };
    const NAK: ReplyMessage = ReplyMessage { ack: false, seq: 0, ..ACK_1 };

    /// S2-12, C16, C17. Field by field by hand: 50000, 5000, 97, checksum, number, integer. The
    /// checksums were computed by another program: 0x26ad, 0x28c5, 0xba7a, 0x6c9e.
    #[test]
    fn s2_12_golden_client_messages() {
        let ports_and_length = concat!("1100001101010000", "0001001110001000", "0000000001100001");
        let golden = [
            (FIRST, SUMS[0], "0010011010101101", "0", "00000000000000000000001000011001"),
            (LAST, SUMS[0], "0010100011000101", "1", "11111111111111111111111111111111"),
            (FIRST, SUMS[1], "1011101001111010", "0", "00000000000000000000001000011001"),
            (LAST, SUMS[1], "0110110010011110", "1", "11111111111111111111111111111111"),
        ];
        for (message, sum, checksum, seq, integer) in golden {
            let expected = [ports_and_length, checksum, seq, integer].concat();
            let sent = message.encode(sum, Honesty::Honest);
            assert_eq!(core::str::from_utf8(&sent), Ok(&*expected));
            assert_eq!(sent.len(), 97);
            assert_eq!(DataMessage::decode(&sent, sum), Ok(message));
        }
    }

    /// S2-11, C16. Checksums from another program: 0x28e3, 0x28e5, 0x0964, 0x2e75.
    #[test]
    fn s2_11_golden_server_messages() {
        let ports_and_length = concat!("0001001110001000", "1100001101010000", "0000000001000010");
        let golden = [
            (ACK_1, SUMS[0], "1", "1", "0010100011100011"),
            (NAK, SUMS[0], "0", "0", "0010100011100101"),
            (ACK_1, SUMS[1], "1", "1", "0000100101100100"),
            (NAK, SUMS[1], "0", "0", "0010111001110101"),
        ];
        for (message, sum, ack, seq, checksum) in golden {
            let expected = [ports_and_length, ack, seq, checksum].concat();
            let sent = message.encode(sum, Honesty::Honest);
            assert_eq!(core::str::from_utf8(&sent), Ok(&*expected));
            assert_eq!(sent.len(), 66);
            assert_eq!(ReplyMessage::decode(&sent, sum), Ok(message));
        }
    }

    /// S2-13: loss is played by a wrong checksum, and by nothing else.
    #[test]
    fn s2_13_corrupt_on_purpose() {
        for sum in SUMS {
            let (good, bad) =
                (FIRST.encode(sum, Honesty::Honest), FIRST.encode(sum, Honesty::Corrupt));
            assert_eq!((&good[..48], &good[64..]), (&bad[..48], &bad[64..]));
            assert_eq!(DataMessage::decode(&bad, sum), Err(DecodeError::Checksum));
            let bad = ACK_1.encode(sum, Honesty::Corrupt);
            assert_eq!(ReplyMessage::decode(&bad, sum), Err(DecodeError::Checksum));
        }
    }

    /// Every bit of every character, so also characters that are no bits.
    #[test]
    fn every_single_flip_is_detected() {
        for sum in SUMS {
            let (mut data, mut reply) =
                (LAST.encode(sum, Honesty::Honest), ACK_1.encode(sum, Honesty::Honest));
            for bit in 0..DATA_LEN * 8 {
                data[bit / 8] ^= 1 << (bit % 8);
                assert!(DataMessage::decode(&data, sum).is_err(), "bit {bit}");
                data[bit / 8] ^= 1 << (bit % 8);
            }
            for bit in 0..REPLY_LEN * 8 {
                reply[bit / 8] ^= 1 << (bit % 8);
                assert!(ReplyMessage::decode(&reply, sum).is_err(), "bit {bit}");
                reply[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }

    /// Flag and number are two words of the sum, so the Internet checksum takes "NAK 1" for
    /// "ACK 0". CRC-16 does not.
    #[test]
    fn the_internet_sum_cannot_tell_flag_from_number() {
        let (ack_0, nak_1) =
            (ReplyMessage { seq: 0, ..ACK_1 }, ReplyMessage { ack: false, ..ACK_1 });
        for sum in SUMS {
            let mut message = ack_0.encode(sum, Honesty::Honest);
            message.swap(48, 49);
            let read = ReplyMessage::decode(&message, sum);
            match sum {
                LabChecksum::Internet => assert_eq!(read, Ok(nak_1)),
                LabChecksum::Crc16 => assert_eq!(read, Err(DecodeError::Checksum)),
            }
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let sum = LabChecksum::Internet;
        let good = FIRST.encode(sum, Honesty::Honest);
        let read = |bytes: &[u8]| DataMessage::decode(bytes, sum);
        assert_eq!(read(&good[..96]), Err(DecodeError::Short { needed: 97, got: 96 }));
        assert_eq!(
            read(&[&good[..], b"0"].concat()),
            Err(DecodeError::Length { field: 97, got: 98 })
        );
        let mut bad = good;
        bad[70] = b'2';
        assert_eq!(read(&bad), Err(DecodeError::NotABit { at: 70 }));
        let mut bad = good;
        bad[47] = b'0';
        assert_eq!(read(&bad), Err(DecodeError::Length { field: 96, got: 97 }));
    }

    #[test]
    fn frames_kinds_and_parts() {
        let (sum, mut scratch) = (LabChecksum::Internet, [0; 4]);
        let data = LAST.encode(sum, Honesty::Honest);
        assert_eq!(
            decode_frame(&data, sum, &mut scratch),
            Ok(Frame { kind: Kind::Data, seq: 1, payload: &[0xff; 4] })
        );
        for (reply, kind, seq) in [(ACK_1, Kind::Ack, 1), (NAK, Kind::Nak, 0)] {
            let bytes = reply.encode(sum, Honesty::Honest);
            assert_eq!(
                decode_frame(&bytes, sum, &mut scratch),
                Ok(Frame { kind, seq, payload: b"" })
            );
            assert_eq!(
                anatomy(&bytes),
                Anatomy { kind: Some(kind), checksum: 50..66, payload: 66..66 }
            );
        }
        assert_eq!(
            anatomy(&data),
            Anatomy { kind: Some(Kind::Data), checksum: 48..64, payload: 65..97 }
        );
        assert_eq!(anatomy(&data[..80]).payload, 65..80);
        assert_eq!(likely_kind(&data[..65]), None);
    }

    proptest! {
        #[test]
        fn round_trip(
            source_port: u16, destination_port: u16, seq in 0..2_u8, value: i32, ack: bool,
            crc: bool,
        ) {
            let sum = SUMS[usize::from(crc)];
            let data = DataMessage { source_port, destination_port, seq, value };
            prop_assert_eq!(DataMessage::decode(&data.encode(sum, Honesty::Honest), sum), Ok(data));
            let reply = ReplyMessage { source_port, destination_port, ack, seq };
            let bytes = reply.encode(sum, Honesty::Honest);
            prop_assert_eq!(ReplyMessage::decode(&bytes, sum), Ok(reply));
        }

        #[test]
        fn garbage(bytes in prop::collection::vec(any::<u8>(), 0..120), bits: bool) {
            let bytes: alloc::vec::Vec<u8> =
                bytes.iter().map(|b| if bits { b'0' + b % 2 } else { *b }).collect();
            let mut scratch = [0; 4];
            let _ = decode_frame(&bytes, LabChecksum::Crc16, &mut scratch);
            let parts = anatomy(&bytes);
            prop_assert!(bytes.get(parts.checksum).is_some() && bytes.get(parts.payload).is_some());
        }
    }
}
