//! Packets: the header that every datagram begins with.

use core::fmt;

use super::{Params, Reader, Writer};
use crate::wire::{
    Checksum, DecodeError,
    crc32c::{self, Join},
    varint,
};

/// The version of the protocol that this crate speaks: "rdt", 1.
pub const VERSION: u32 = u32::from_be_bytes(*b"rdt\x01");
/// The longest cookie.
pub const COOKIE_BYTES_MAX: usize = 64;
/// Bytes before the frames of a data packet.
pub const DATA_HEADER_BYTES: usize = HEAD + 4;
/// Bytes before the frames of an open packet, at most.
pub const OPEN_HEADER_MAX: usize = HEAD + 24 + 16 + 1 + COOKIE_BYTES_MAX + Params::ENCODED_MAX;
/// Bytes before the frames of an accept packet, at most.
pub const ACCEPT_HEADER_MAX: usize = HEAD + 32 + 16 + Params::ENCODED_MAX;
/// Bytes of a challenge, at most.
pub const CHALLENGE_BYTES_MAX: usize = HEAD + 8 + COOKIE_BYTES_MAX;

/// Checksum, kind and connection ID.
const HEAD: usize = 4 + 1 + 8;
/// Bytes of the checksum field at the front, and the place of the kind.
pub(super) const CRC: usize = 4;
pub(super) const KIND_AT: usize = CRC;

pub(super) const OPEN: u8 = 0x10;
pub(super) const ACCEPT: u8 = 0x11;
pub(super) const CHALLENGE: u8 = 0x12;
pub(super) const VERSIONS: u8 = 0x13;
pub(super) const RESET: u8 = 0x14;
pub(super) const DATA: u8 = 0x20;

/// Names a connection to the side that chose it. Random, so that nobody guesses it who has not seen
/// a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl ConnectionId {
    /// The ID that a datagram names, whatever its kind; it lies in the same place in all of them.
    pub fn of(datagram: &[u8]) -> Option<Self> {
        let id = datagram.get(KIND_AT + 1..HEAD)?;
        id.try_into().ok().map(|id| Self(u64::from_be_bytes(id)))
    }

    /// Which of so many lanes it belongs to: what is left of its low 16 bits when they are divided
    /// by the number of lanes, which must not be zero.
    pub const fn lane(self, lanes: u16) -> u16 {
        let [.., high, low] = self.0.to_be_bytes();
        u16::from_be_bytes([high, low]) % lanes
    }

    /// The ID next to this one that belongs to `lane`.
    #[must_use]
    pub const fn in_lane(self, lane: u16, lanes: u16) -> Self {
        let [.., high, low] = self.0.to_be_bytes();
        let bits = u16::from_be_bytes([high, low]);
        let base = bits - bits % lanes;
        // The last group of numbers may be short of some lanes.
        let bits = match base.checked_add(lane) {
            Some(bits) => bits,
            None => base - lanes + lane,
        };
        Self(self.0 & !0xffff | bits as u64)
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A secret of 128 bits that proves a reset comes from somebody who once had the connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResetToken(pub [u8; 16]);

impl fmt::Debug for ResetToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResetToken(secret)")
    }
}

/// What a side can do beyond the version's basics, a bit each. None are defined yet: bits that are
/// not known are not agreed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Features(pub u32);

/// What each side says of itself when a connection begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The version that it speaks; of an acceptor, the one that both will speak.
    pub version: u32,
    /// What it can do; of an acceptor, what both can do.
    pub features: Features,
    /// What it wants to be called.
    pub from: ConnectionId,
    /// The packet number, whole.
    pub number: u64,
    /// Proof for a later [`Reset`](Packet::Reset).
    pub token: ResetToken,
    /// Its limits.
    pub params: Params,
}

/// A packet as it lies in its datagram. What follows the fields are [frames](super::Frame).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Asks for a connection; may carry data already.
    Open {
        /// Chosen at random by the opener until the acceptor chooses its own.
        to: ConnectionId,
        /// The opener.
        greeting: Greeting,
        /// The cookie of a challenge, or empty.
        cookie: &'a [u8],
        /// The frames.
        frames: &'a [u8],
    },
    /// Agrees to a connection; may carry data already.
    Accept {
        /// The opener's name for the connection.
        to: ConnectionId,
        /// The acceptor.
        greeting: Greeting,
        /// The version and the features that it was offered, as they arrived: the opener sees
        /// whether somebody changed them on the way.
        offered: (u32, Features),
        /// The frames.
        frames: &'a [u8],
    },
    /// Asks the opener to come back with this cookie: the acceptor keeps nothing until then.
    Challenge {
        /// The opener's name for the connection.
        to: ConnectionId,
        /// The number of the packet that this answers.
        number: u64,
        /// To be sent back in the next open.
        cookie: &'a [u8],
    },
    /// The acceptor does not speak the opener's version.
    Versions {
        /// The opener's name for the connection.
        to: ConnectionId,
        /// The number of the packet that this answers.
        number: u64,
        /// The versions that it speaks, four bytes each.
        versions: &'a [u8],
    },
    /// The connection is not known here, and was once: its peer has lost its state.
    Reset {
        /// The ID that the packet which this answers was sent to.
        to: ConnectionId,
        /// The proof.
        token: ResetToken,
    },
    /// Everything after the handshake.
    Data {
        /// The receiver's name for the connection.
        to: ConnectionId,
        /// The low 32 bits of the packet number; see [`expand_number`].
        number: u32,
        /// The frames.
        frames: &'a [u8],
    },
}

impl<'a> Packet<'a> {
    /// Whether a datagram claims to be a [`Reset`](Self::Reset).
    pub fn is_reset(datagram: &[u8]) -> bool {
        datagram.get(KIND_AT) == Some(&RESET)
    }

    /// Reads a datagram: checksum first, fields after.
    pub fn decode(datagram: &'a [u8]) -> Result<Self, DecodeError> {
        if datagram.len() < HEAD {
            return Err(DecodeError::Short { needed: HEAD, got: datagram.len() });
        }
        if !is_whole(datagram) {
            return Err(DecodeError::Checksum);
        }
        let mut reader = Reader::new(&datagram[CRC..]);
        let (kind, to) = (reader.u8()?, ConnectionId(reader.u64()?));
        match kind {
            DATA => Ok(Self::Data { to, number: reader.u32()?, frames: reader.rest() }),
            OPEN => Self::decode_open(to, &mut reader),
            ACCEPT => Self::decode_accept(to, &mut reader),
            CHALLENGE => {
                let (number, cookie) = (number(&mut reader)?, reader.rest());
                if cookie.is_empty() || cookie.len() > COOKIE_BYTES_MAX {
                    return Err(DecodeError::Field("a cookie has 1 to 64 bytes"));
                }
                Ok(Self::Challenge { to, number, cookie })
            }
            VERSIONS => {
                let (number, versions) = (number(&mut reader)?, reader.rest());
                if !versions.len().is_multiple_of(4) {
                    return Err(DecodeError::Field("versions have four bytes each"));
                }
                Ok(Self::Versions { to, number, versions })
            }
            RESET => {
                let token = ResetToken(reader.token()?);
                if !reader.is_empty() {
                    return Err(DecodeError::Field("bytes after a reset token"));
                }
                Ok(Self::Reset { to, token })
            }
            _ => Err(DecodeError::Kind(kind)),
        }
    }

    fn decode_open(to: ConnectionId, reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let offer = (reader.u32()?, Features(reader.u32()?));
        let names = names(reader)?;
        let len = usize::from(reader.u8()?);
        if len > COOKIE_BYTES_MAX {
            return Err(DecodeError::Field("a cookie has at most 64 bytes"));
        }
        let cookie = reader.bytes(len)?;
        let greeting = Greeting::new(offer, names, Params::decode(reader)?);
        Ok(Self::Open { to, greeting, cookie, frames: reader.rest() })
    }

    fn decode_accept(to: ConnectionId, reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let agreed = (reader.u32()?, Features(reader.u32()?));
        let offered = (reader.u32()?, Features(reader.u32()?));
        let greeting = Greeting::new(agreed, names(reader)?, Params::decode(reader)?);
        Ok(Self::Accept { to, greeting, offered, frames: reader.rest() })
    }

    /// Writes the packet up to and with `frames`. The caller may add more frames and must
    /// [`seal`] the whole in the end.
    pub fn encode(&self, writer: &mut Writer<'_>) {
        let head = |writer: &mut Writer<'_>, kind: u8, to: ConnectionId| {
            writer.u32(0);
            writer.u8(kind);
            writer.u64(to.0);
        };
        match *self {
            Self::Open { to, greeting, cookie, frames } => {
                head(writer, OPEN, to);
                writer.u32(greeting.version);
                writer.u32(greeting.features.0);
                greeting.encode_names(writer);
                writer.u8(u8::try_from(cookie.len()).expect("cookies are at most 64 bytes"));
                writer.bytes(cookie);
                greeting.params.encode(writer);
                writer.bytes(frames);
            }
            Self::Accept { to, greeting, offered, frames } => {
                head(writer, ACCEPT, to);
                for word in [greeting.version, greeting.features.0, offered.0, offered.1.0] {
                    writer.u32(word);
                }
                greeting.encode_names(writer);
                greeting.params.encode(writer);
                writer.bytes(frames);
            }
            Self::Challenge { to, number, cookie: rest }
            | Self::Versions { to, number, versions: rest } => {
                let challenge = matches!(self, Self::Challenge { .. });
                head(writer, if challenge { CHALLENGE } else { VERSIONS }, to);
                writer.u64(number);
                writer.bytes(rest);
            }
            Self::Reset { to, token } => {
                head(writer, RESET, to);
                writer.bytes(&token.0);
            }
            Self::Data { to, number, frames } => {
                head(writer, DATA, to);
                writer.u32(number);
                writer.bytes(frames);
            }
        }
    }

    /// The ID that the packet is addressed to.
    pub const fn to(&self) -> ConnectionId {
        match *self {
            Self::Open { to, .. }
            | Self::Accept { to, .. }
            | Self::Challenge { to, .. }
            | Self::Versions { to, .. }
            | Self::Reset { to, .. }
            | Self::Data { to, .. } => to,
        }
    }
}

impl Greeting {
    fn new((version, features): (u32, Features), names: Names, params: Params) -> Self {
        let (from, number, token) = names;
        Self { version, features, from, number, token, params }
    }

    fn encode_names(&self, writer: &mut Writer<'_>) {
        writer.u64(self.from.0);
        writer.u64(self.number);
        writer.bytes(&self.token.0);
    }
}

/// The fields of a greeting that stand together in every packet: the ID, the number, the token.
type Names = (ConnectionId, u64, ResetToken);

fn names(reader: &mut Reader<'_>) -> Result<Names, DecodeError> {
    Ok((ConnectionId(reader.u64()?), number(reader)?, ResetToken(reader.token()?)))
}

/// Whether the checksum in front of a datagram is that of the rest; it has room for one.
pub(super) fn is_whole(datagram: &[u8]) -> bool {
    let (crc, rest) = datagram.split_at(CRC);
    Checksum::Crc32c.holds([rest], crc)
}

/// Puts the checksum in front of a finished datagram.
pub fn seal(datagram: &mut [u8]) {
    let (crc, rest) = datagram.split_at_mut(CRC);
    Checksum::Crc32c.put([&*rest], crc);
}

/// The same for a datagram of which the code of the last bytes is known: reads the head alone.
pub(crate) fn seal_head(head: &mut [u8], tail_code: u32, join: &Join) {
    let (crc, rest) = head.split_at_mut(CRC);
    let code = join.codes(crc32c::compute([&*rest]), tail_code);
    crc.copy_from_slice(&code.to_be_bytes());
}

/// A whole packet number, below 2^62.
fn number(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
    let number = reader.u64()?;
    if number > varint::MAX {
        return Err(DecodeError::Field("a packet number has 62 bits"));
    }
    Ok(number)
}

/// The low 32 bits of a packet number: what a data packet carries of it.
pub const fn truncate_number(number: u64) -> u32 {
    let [.., a, b, c, d] = number.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// The whole number of which `low` is the low half: the one nearest to `expected`, the highest
/// number seen plus one (RFC 9000 appendix A.3). Right as long as fewer than 2^31 packets are on
/// their way.
pub const fn expand_number(low: u32, expected: u64) -> u64 {
    const WINDOW: u64 = 1 << 32;
    let candidate = expected & !(WINDOW - 1) | low as u64;
    if candidate + WINDOW / 2 <= expected {
        candidate + WINDOW
    } else if candidate > expected + WINDOW / 2 && candidate >= WINDOW {
        candidate - WINDOW
    } else {
        candidate
    }
}

#[cfg(test)]
mod lane_tests {
    use super::*;

    /// Whatever is drawn, the nearest ID of a lane is in that lane, and only low bits differ.
    #[test]
    fn every_lane_has_ids() {
        for lanes in [1, 2, 3, 7, 64] {
            for drawn in [0, 1, 0xffff, 0xfffe, 0x1234_5678_9abc_ffff, u64::MAX, 0xfff0] {
                for lane in 0..lanes {
                    let id = ConnectionId(drawn).in_lane(lane, lanes);
                    assert_eq!(id.lane(lanes), lane, "{drawn:x} {lane} of {lanes}");
                    assert_eq!(id.0 >> 16, drawn >> 16);
                }
            }
        }
        assert_eq!(ConnectionId(77).in_lane(0, 1), ConnectionId(77), "one lane changes nothing");
    }

    #[test]
    fn a_datagram_shows_whose_it_is() {
        let packet =
            Packet::Data { to: ConnectionId(0x0102_0304_0506_0708), number: 9, frames: &[] };
        let mut space = [0; 64];
        let mut writer = Writer::new(&mut space);
        packet.encode(&mut writer);
        let bytes = writer.written();
        assert_eq!(ConnectionId::of(bytes), Some(packet.to()));
        assert_eq!(bytes[11..13], [7, 8], "where the system's program looks");
        assert!(!Packet::is_reset(bytes) && ConnectionId::of(&bytes[..12]).is_none());
        let packet = Packet::Reset { to: ConnectionId(1), token: ResetToken([2; 16]) };
        let mut writer = Writer::new(&mut space);
        packet.encode(&mut writer);
        assert!(Packet::is_reset(writer.written()));
    }
}
