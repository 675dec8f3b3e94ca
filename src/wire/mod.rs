//! Bytes to packets and back.
//!
//! [`compact`] is the binary format of the classic protocols, [`lab`] the two ASCII-bit messages of
//! the classroom exercise that this project grew out of. Both speak [`Frame`]: a kind, a sequence
//! number and a payload; [`Codec`] chooses between them. [`checksum`] has the codes that guard them.

pub mod checksum;
mod codec;
pub mod compact;
pub(crate) mod crc32c;
pub mod lab;
pub mod transport;
pub(crate) mod varint;

use core::fmt;

use crate::seq::Seq;
pub use checksum::Checksum;
pub use codec::{Codec, Scratch};

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Carries a message.
    Data,
    /// Says what arrived.
    Ack,
    /// Says that something arrived damaged.
    Nak,
}

/// A packet of a classic protocol, borrowed from the datagram it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame<'a> {
    /// Data or which feedback.
    pub kind: Kind,
    /// Sequence number; 0 where the protocol has none.
    pub seq: Seq,
    /// The message; empty for feedback.
    pub payload: &'a [u8],
}

/// Why bytes are no packet. To a classic machine all of these are the book's `corrupt(rcvpkt)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecodeError {
    /// The datagram ends before its header does.
    Short {
        /// Bytes needed.
        needed: usize,
        /// Bytes there.
        got: usize,
    },
    /// The first byte is not this format's version byte.
    Version(u8),
    /// The kind byte is none of the code words.
    Kind(u8),
    /// The length field contradicts the length of the datagram.
    Length {
        /// What the field says.
        field: u64,
        /// What is there.
        got: usize,
    },
    /// The checksum does not match.
    Checksum,
    /// A character other than `0` or `1` where the lab format has bits.
    NotABit {
        /// Its place in the message.
        at: usize,
    },
    /// A field holds a value the format does not allow, such as feedback with a payload.
    Field(&'static str),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { needed, got } => write!(f, "{got} bytes where {needed} are needed"),
            Self::Version(byte) => write!(f, "unknown version byte {byte:#04x}"),
            Self::Kind(byte) => write!(f, "unknown packet kind {byte:#04x}"),
            Self::Length { field, got } => write!(f, "length field says {field}, found {got}"),
            Self::Checksum => f.write_str("wrong checksum"),
            Self::NotABit { at } => write!(f, "character {at} is neither 0 nor 1"),
            Self::Field(what) => f.write_str(what),
        }
    }
}

impl core::error::Error for DecodeError {}

/// Where the parts of a datagram lie, for those who damage or count it on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anatomy {
    /// What it is, as far as its kind field tells; `None` when that is not legible.
    pub kind: Option<Kind>,
    /// The bytes of the checksum field; empty without one.
    pub checksum: core::ops::Range<usize>,
    /// The bytes of the payload; the header is everything else.
    pub payload: core::ops::Range<usize>,
}
