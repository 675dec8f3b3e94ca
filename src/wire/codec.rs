//! The formats behind one interface, so that a protocol can be run over any of them.

use super::{
    Anatomy, Checksum, DecodeError, Frame, Kind,
    compact::{self, DATAGRAM_LEN_MAX},
    lab::{self, DataMessage, Honesty, LabChecksum, ReplyMessage},
};
use crate::seq::Modulus;

/// How frames become datagrams.
///
/// ```
/// use rdtp::wire::{Checksum, Codec, Frame, Kind, Scratch};
///
/// let codec = Codec::Compact { checksum: Checksum::Crc32c };
/// let frame = Frame { kind: Kind::Data, seq: 1, payload: b"hello" };
/// let mut datagram = vec![0; codec.encoded_len(&frame)];
/// codec.encode(&frame, &mut datagram);
/// assert_eq!(codec.decode(&datagram, &mut Scratch::default()), Ok(frame));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// The payload is the datagram: raw UDP. Everything is data with number 0.
    Bare,
    /// The binary format of [`compact`].
    Compact {
        /// What guards it.
        checksum: Checksum,
    },
    /// The ASCII-bit messages of [`lab`]: numbers 0 and 1, payloads of exactly 4 bytes.
    Lab {
        /// What guards them.
        checksum: LabChecksum,
        /// The port to name as the sender's.
        source_port: u16,
        /// The port to name as the receiver's.
        destination_port: u16,
    },
}

impl Default for Codec {
    /// The compact format with CRC-32C.
    fn default() -> Self {
        Self::Compact { checksum: Checksum::default() }
    }
}

/// Room for the payload of a datagram whose format does not hold it as bytes. Costs nothing to make.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scratch([u8; lab::PAYLOAD_LEN]);

impl Codec {
    /// The longest payload, in bytes. Of the lab format it is the only one.
    pub const fn payload_max(&self) -> usize {
        match self {
            Self::Bare => DATAGRAM_LEN_MAX,
            Self::Compact { .. } => compact::PAYLOAD_LEN_MAX,
            Self::Lab { .. } => lab::PAYLOAD_LEN,
        }
    }

    /// How many sequence numbers its packets can tell apart.
    pub const fn numbers(&self) -> Modulus {
        match self {
            Self::Bare => Modulus::new(1),
            Self::Compact { .. } => Modulus::NEVER,
            Self::Lab { .. } => Modulus::new(2),
        }
    }

    /// Whether packets of this format can hold `frame`: its kind, number and payload.
    pub fn carries(&self, frame: &Frame<'_>) -> bool {
        let length = frame.payload.len();
        let payload_fits = match (self, frame.kind) {
            (Self::Bare | Self::Compact { .. }, Kind::Data) => length <= self.payload_max(),
            (Self::Lab { .. }, Kind::Data) => length == lab::PAYLOAD_LEN,
            (Self::Bare, Kind::Ack | Kind::Nak) => false,
            (_, Kind::Ack | Kind::Nak) => length == 0,
        };
        payload_fits && frame.seq < self.numbers().count()
    }

    /// Bytes of the datagram that holds `frame`.
    pub fn encoded_len(&self, frame: &Frame<'_>) -> usize {
        match (self, frame.kind) {
            (Self::Bare, _) => frame.payload.len(),
            (Self::Compact { checksum }, _) => compact::encoded_len(frame, *checksum),
            (Self::Lab { .. }, Kind::Data) => lab::DATA_LEN,
            (Self::Lab { .. }, Kind::Ack | Kind::Nak) => lab::REPLY_LEN,
        }
    }

    /// Writes `frame` to `out`, which is exactly [`encoded_len`](Self::encoded_len) bytes long.
    ///
    /// # Panics
    ///
    /// When `out` has another length, or the format does not [carry](Self::carries) the frame.
    pub fn encode(&self, frame: &Frame<'_>, out: &mut [u8]) {
        assert!(self.carries(frame), "{self:?} carries no {:?} {}", frame.kind, frame.seq);
        match *self {
            Self::Bare => out.copy_from_slice(frame.payload),
            Self::Compact { checksum } => compact::encode(frame, checksum, out),
            Self::Lab { checksum, source_port, destination_port } => {
                let seq = u8::from(frame.seq == 1);
                if let (Kind::Data, Ok(integer)) = (frame.kind, frame.payload.try_into()) {
                    let value = i32::from_be_bytes(integer);
                    let message = DataMessage { source_port, destination_port, seq, value };
                    out.copy_from_slice(&message.encode(checksum, Honesty::Honest));
                } else {
                    let ack = frame.kind == Kind::Ack;
                    let message = ReplyMessage { source_port, destination_port, ack, seq };
                    out.copy_from_slice(&message.encode(checksum, Honesty::Honest));
                }
            }
        }
    }

    /// Reads a datagram. The payload is borrowed from it, or from `scratch` where the format does
    /// not hold it as bytes.
    pub fn decode<'a>(
        &self,
        datagram: &'a [u8],
        scratch: &'a mut Scratch,
    ) -> Result<Frame<'a>, DecodeError> {
        match self {
            Self::Bare => Ok(Frame { kind: Kind::Data, seq: 0, payload: datagram }),
            Self::Compact { checksum } => compact::decode(datagram, *checksum),
            Self::Lab { checksum, .. } => lab::decode_frame(datagram, *checksum, &mut scratch.0),
        }
    }

    /// Where the parts of a datagram lie, damaged or not.
    pub fn anatomy(&self, datagram: &[u8]) -> Anatomy {
        let end = datagram.len();
        match self {
            Self::Bare => Anatomy { kind: Some(Kind::Data), checksum: 0..0, payload: 0..end },
            Self::Compact { checksum } => compact::anatomy(datagram, *checksum),
            Self::Lab { .. } => lab::anatomy(datagram),
        }
    }

    /// What a damaged datagram was, if enough of it is legible.
    pub fn likely_kind(&self, datagram: &[u8]) -> Option<Kind> {
        match self {
            Self::Bare => Some(Kind::Data),
            Self::Compact { .. } => compact::likely_kind(datagram),
            Self::Lab { .. } => lab::likely_kind(datagram),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const LAB: Codec =
        Codec::Lab { checksum: LabChecksum::Internet, source_port: 50_000, destination_port: 5000 };
    const COMPACT: Codec = Codec::Compact { checksum: Checksum::Crc16 };

    #[test]
    fn every_codec_gives_back_what_it_carries() {
        let frames = [
            Frame { kind: Kind::Data, seq: 0, payload: b"four" },
            Frame { kind: Kind::Data, seq: 1, payload: &[0xff; 4] },
            Frame { kind: Kind::Ack, seq: 1, payload: b"" },
            Frame { kind: Kind::Nak, seq: 0, payload: b"" },
            Frame { kind: Kind::Data, seq: 2, payload: b"four" },
            Frame { kind: Kind::Data, seq: 0, payload: b"longer" },
        ];
        for (codec, carried) in
            [(Codec::Bare, [0, 5].as_slice()), (COMPACT, &[0, 1, 2, 3, 4, 5]), (LAB, &[0, 1, 2, 3])]
        {
            for (i, frame) in frames.iter().enumerate() {
                assert_eq!(codec.carries(frame), carried.contains(&i), "{codec:?} {frame:?}");
                if codec.carries(frame) {
                    let mut datagram = vec![0; codec.encoded_len(frame)];
                    codec.encode(frame, &mut datagram);
                    assert_eq!(codec.decode(&datagram, &mut Scratch::default()), Ok(*frame));
                    assert_eq!(codec.likely_kind(&datagram), Some(frame.kind));
                    assert_eq!(codec.anatomy(&datagram).kind, Some(frame.kind));
                }
            }
        }
    }

    #[test]
    fn limits() {
        assert_eq!(Codec::Bare.payload_max(), 65_507);
        assert_eq!(COMPACT.payload_max(), 65_507 - 18);
        assert_eq!(LAB.payload_max(), 4);
        let too_long = vec![0; COMPACT.payload_max() + 1];
        let frame = Frame { kind: Kind::Data, seq: 0, payload: &too_long };
        assert!(!COMPACT.carries(&frame) && Codec::Bare.carries(&frame));
    }

    #[test]
    #[should_panic(expected = "carries no")]
    fn refuses_to_encode_what_would_not_come_back() {
        LAB.encode(&Frame { kind: Kind::Data, seq: 2, payload: b"four" }, &mut [0; 97]);
    }
}
