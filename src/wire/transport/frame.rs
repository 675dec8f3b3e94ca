//! Frames: what packets are for.

use core::fmt;

use super::{Ack, COOKIE_BYTES_MAX, Reader, Writer};
use crate::wire::{DecodeError, varint};

/// The number of a stream. The low bit tells who opened it: 0 the side that opened the connection,
/// 1 the side that accepted it. The rest counts up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

impl StreamId {
    /// The `index`-th stream of a side.
    pub const fn new(index: u64, by_acceptor: bool) -> Self {
        Self(index << 1 | by_acceptor as u64)
    }

    /// Whether the side that accepted the connection opened it.
    pub const fn by_acceptor(self) -> bool {
        self.0 & 1 == 1
    }

    /// How many streams the same side opened before it.
    pub const fn index(self) -> u64 {
        self.0 >> 1
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stream {}", self.0)
    }
}

/// Why a connection was closed: a number of the application's, or one of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// The application closed it; the number is its own, below 2^61.
    Application(u64),
    /// The peer broke the rules of the transport.
    Protocol,
    /// The peer sent more than it was allowed to.
    FlowControl,
    /// There was no room or no wish for the connection.
    Refused,
    /// Something went wrong inside.
    Internal,
}

impl CloseCode {
    fn number(self) -> u64 {
        match self {
            Self::Protocol => 1,
            Self::FlowControl => 2,
            Self::Refused => 3,
            Self::Internal => 4,
            Self::Application(code) => APPLICATION | code.min(APPLICATION - 1),
        }
    }

    pub(super) fn from_number(number: u64) -> Result<Self, DecodeError> {
        match number {
            1 => Ok(Self::Protocol),
            2 => Ok(Self::FlowControl),
            3 => Ok(Self::Refused),
            4 => Ok(Self::Internal),
            _ if number & APPLICATION != 0 => Ok(Self::Application(number & !APPLICATION)),
            _ => Err(DecodeError::Field("unknown reason for closing")),
        }
    }
}

/// Marks codes of the application.
const APPLICATION: u64 = 1 << 61;

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Application(code) => write!(f, "application code {code}"),
            Self::Protocol => f.write_str("protocol violation"),
            Self::FlowControl => f.write_str("flow control violation"),
            Self::Refused => f.write_str("refused"),
            Self::Internal => f.write_str("internal error"),
        }
    }
}

/// One frame. Unless it says otherwise, a frame makes its packet one that has to be acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Nothing, as many bytes long: fills a packet up. Not to be acknowledged.
    Padding(usize),
    /// Nothing but the wish to be acknowledged.
    Ping,
    /// Which packets arrived. Not to be acknowledged.
    Ack(Ack<'a>),
    /// Bytes of a stream.
    Stream {
        /// Which stream.
        id: StreamId,
        /// The place of the first byte.
        offset: u64,
        /// The bytes.
        data: &'a [u8],
        /// Whether the stream ends after them.
        fin: bool,
    },
    /// The sender will send no more of this stream, nor repeat what was lost.
    ResetStream {
        /// Which stream.
        id: StreamId,
        /// Why, as the application numbers its reasons.
        code: u64,
        /// How many bytes of it were sent, so that both sides agree on flow control.
        final_size: u64,
    },
    /// The receiver does not want the rest of this stream.
    StopSending {
        /// Which stream.
        id: StreamId,
        /// Why, as the application numbers its reasons.
        code: u64,
    },
    /// How many bytes may be sent on all streams together since the connection began.
    MaxData(u64),
    /// How many bytes may be sent on one stream since it began.
    MaxStreamData {
        /// Which stream.
        id: StreamId,
        /// The first byte that may not be sent.
        max: u64,
    },
    /// How many streams the peer may open since the connection began.
    MaxStreams(u64),
    /// The sender would send more if the connection's limit were not this.
    DataBlocked(u64),
    /// The sender would send more if the stream's limit were not this.
    StreamDataBlocked {
        /// Which stream.
        id: StreamId,
        /// The limit.
        max: u64,
    },
    /// Asks the peer to acknowledge less often (draft-ietf-quic-ack-frequency).
    AckFrequency {
        /// Counts these frames; only the highest counts.
        sequence: u64,
        /// Packets to be acknowledged that may arrive before an ACK is due.
        threshold: u64,
        /// The longest delay of an ACK, in microseconds.
        delay_us: u64,
    },
    /// Asks the peer to acknowledge this packet at once.
    ImmediateAck,
    /// Ends the connection. Not to be acknowledged.
    Close {
        /// Why.
        code: CloseCode,
        /// Why, in words; UTF-8 by convention, never trusted.
        reason: &'a [u8],
    },
    /// A message of the application that is sent once, in one piece.
    Datagram(&'a [u8]),
    /// Asks whoever receives what is sent to an address to say these bytes back (RFC 9000 section
    /// 8.2).
    PathChallenge(u64),
    /// Says back what a challenge said.
    PathResponse(u64),
    /// From the side that accepted: a cookie for a later connection of the same opener, 1 to
    /// [`COOKIE_BYTES_MAX`] bytes (compare NEW_TOKEN, RFC 9000 section 19.7).
    Ticket(&'a [u8]),
    /// The exclusive or of packets before this one, from which one that is lost follows: for each of
    /// them two bytes of length and the frames.
    Repair {
        /// By how much the number of the first of them is lower than this packet's.
        behind: u64,
        /// Numbers from the first to the last of them, no more than `behind`.
        span: u64,
        /// The distance between their numbers.
        stride: u64,
        /// The sum, as long as the longest of them.
        sum: &'a [u8],
    },
}

pub(super) const PADDING: u8 = 0x00;
pub(super) const PING: u8 = 0x01;
pub(super) const ACK: u8 = 0x02;
pub(super) const ACK_ECN: u8 = 0x03;
pub(super) const RESET_STREAM: u8 = 0x04;
pub(super) const STOP_SENDING: u8 = 0x05;
pub(super) const MAX_DATA: u8 = 0x06;
pub(super) const MAX_STREAM_DATA: u8 = 0x07;
pub(super) const MAX_STREAMS: u8 = 0x08;
pub(super) const DATA_BLOCKED: u8 = 0x09;
pub(super) const STREAM_DATA_BLOCKED: u8 = 0x0a;
pub(super) const ACK_FREQUENCY: u8 = 0x0b;
pub(super) const IMMEDIATE_ACK: u8 = 0x0c;
pub(super) const CLOSE: u8 = 0x0d;
pub(super) const DATAGRAM: u8 = 0x0e;
pub(super) const PATH_CHALLENGE: u8 = 0x1a;
pub(super) const PATH_RESPONSE: u8 = 0x1b;
pub(super) const TICKET: u8 = 0x0f;
pub(super) const REPAIR: u8 = 0x18;
/// Two low bits: 1 the stream ends here, 2 a length follows (without it, data fills the packet).
pub(super) const STREAM: u8 = 0x10;
pub(super) const FIN: u8 = 0x01;
pub(super) const LEN: u8 = 0x02;

impl<'a> Frame<'a> {
    /// The frames of a packet, as far as they can be read.
    pub fn each(frames: &'a [u8]) -> impl Iterator<Item = Self> + use<'a> {
        let mut reader = Reader::new(frames);
        core::iter::from_fn(move || Self::decode(&mut reader).ok())
    }

    /// The next frame.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let kind = reader.u8()?;
        Ok(match kind {
            PADDING => {
                let more = reader.rest().iter().take_while(|&&byte| byte == PADDING).count();
                reader.bytes(more)?;
                Self::Padding(1 + more)
            }
            PING => Self::Ping,
            ACK | ACK_ECN => Self::Ack(Ack::decode(reader, kind == ACK_ECN)?),
            RESET_STREAM => Self::ResetStream {
                id: StreamId(reader.varint()?),
                code: reader.varint()?,
                final_size: reader.varint()?,
            },
            STOP_SENDING => {
                Self::StopSending { id: StreamId(reader.varint()?), code: reader.varint()? }
            }
            MAX_DATA => Self::MaxData(reader.varint()?),
            MAX_STREAM_DATA => {
                Self::MaxStreamData { id: StreamId(reader.varint()?), max: reader.varint()? }
            }
            MAX_STREAMS => Self::MaxStreams(reader.varint()?),
            DATA_BLOCKED => Self::DataBlocked(reader.varint()?),
            STREAM_DATA_BLOCKED => {
                Self::StreamDataBlocked { id: StreamId(reader.varint()?), max: reader.varint()? }
            }
            ACK_FREQUENCY => Self::AckFrequency {
                sequence: reader.varint()?,
                threshold: reader.varint()?,
                delay_us: reader.varint()?,
            },
            IMMEDIATE_ACK => Self::ImmediateAck,
            CLOSE => Self::Close {
                code: CloseCode::from_number(reader.varint()?)?,
                reason: reader.prefixed()?,
            },
            DATAGRAM => Self::Datagram(reader.prefixed()?),
            PATH_CHALLENGE => Self::PathChallenge(reader.u64()?),
            PATH_RESPONSE => Self::PathResponse(reader.u64()?),
            TICKET => match reader.prefixed()? {
                ticket if (1..=COOKIE_BYTES_MAX).contains(&ticket.len()) => Self::Ticket(ticket),
                _ => return Err(DecodeError::Field("a ticket has 1 to 64 bytes")),
            },
            REPAIR => Self::decode_repair(reader)?,
            STREAM..=0x13 => Self::decode_stream(kind, reader)?,
            _ => return Err(DecodeError::Kind(kind)),
        })
    }

    fn decode_repair(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (behind, span, stride) = (reader.varint()?, reader.varint()?, reader.varint()?);
        let sum = reader.prefixed()?;
        if span == 0 || span > behind || stride == 0 || sum.len() < 2 {
            return Err(DecodeError::Field("a repair packet that repairs nothing"));
        }
        Ok(Self::Repair { behind, span, stride, sum })
    }

    fn decode_stream(kind: u8, reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (id, offset) = (StreamId(reader.varint()?), reader.varint()?);
        let data = match kind & LEN {
            0 => reader.bytes(reader.rest().len())?,
            _ => reader.prefixed()?,
        };
        if offset + data.len() as u64 > varint::MAX {
            return Err(DecodeError::Field("a stream reaches beyond 2^62"));
        }
        Ok(Self::Stream { id, offset, data, fin: kind & FIN != 0 })
    }

    /// Writes the frame. Stream data gets a length, so that more may follow;
    /// [`write_stream_header`](Self::write_stream_header) can do without.
    pub fn encode(&self, writer: &mut Writer<'_>) {
        let mut fields = |kind: u8, values: &[u64]| {
            writer.u8(kind);
            for &value in values {
                writer.varint(value);
            }
        };
        match *self {
            Self::Padding(len) => writer.space(len).fill(PADDING),
            Self::Ping => fields(PING, &[]),
            Self::Ack(ack) => {
                fields(if ack.ecn.is_some() { ACK_ECN } else { ACK }, &[]);
                ack.encode(writer);
            }
            Self::Stream { id, offset, data, fin } => {
                fields(STREAM | LEN | u8::from(fin), &[id.0, offset]);
                writer.prefixed(data);
            }
            Self::ResetStream { id, code, final_size } => {
                fields(RESET_STREAM, &[id.0, code, final_size]);
            }
            Self::StopSending { id, code } => fields(STOP_SENDING, &[id.0, code]),
            Self::MaxData(max) => fields(MAX_DATA, &[max]),
            Self::MaxStreamData { id, max } => fields(MAX_STREAM_DATA, &[id.0, max]),
            Self::MaxStreams(max) => fields(MAX_STREAMS, &[max]),
            Self::DataBlocked(max) => fields(DATA_BLOCKED, &[max]),
            Self::StreamDataBlocked { id, max } => fields(STREAM_DATA_BLOCKED, &[id.0, max]),
            Self::AckFrequency { sequence, threshold, delay_us } => {
                fields(ACK_FREQUENCY, &[sequence, threshold, delay_us]);
            }
            Self::ImmediateAck => fields(IMMEDIATE_ACK, &[]),
            Self::Close { code, reason } => {
                fields(CLOSE, &[code.number()]);
                writer.prefixed(reason);
            }
            Self::Datagram(data) => {
                fields(DATAGRAM, &[]);
                writer.prefixed(data);
            }
            Self::PathChallenge(data) => {
                fields(PATH_CHALLENGE, &[]);
                writer.u64(data);
            }
            Self::PathResponse(data) => {
                fields(PATH_RESPONSE, &[]);
                writer.u64(data);
            }
            Self::Ticket(ticket) => {
                fields(TICKET, &[]);
                writer.prefixed(ticket);
            }
            Self::Repair { behind, span, stride, sum } => {
                fields(REPAIR, &[behind, span, stride]);
                writer.prefixed(sum);
            }
        }
    }

    /// Bytes that [`encode`](Self::encode) writes.
    pub fn encoded_len(&self) -> usize {
        let fields = |values: &[u64]| 1 + values.iter().map(|&v| varint::len(v)).sum::<usize>();
        let prefixed = |bytes: &[u8]| varint::len(bytes.len() as u64) + bytes.len();
        match *self {
            Self::Padding(len) => len,
            Self::Ping | Self::ImmediateAck => 1,
            Self::Ack(ack) => 1 + ack.encoded_len(),
            Self::Stream { id, offset, data, .. } => fields(&[id.0, offset]) + prefixed(data),
            Self::ResetStream { id, code, final_size } => fields(&[id.0, code, final_size]),
            Self::StopSending { id, code } => fields(&[id.0, code]),
            Self::MaxData(max) | Self::MaxStreams(max) | Self::DataBlocked(max) => fields(&[max]),
            Self::MaxStreamData { id, max } | Self::StreamDataBlocked { id, max } => {
                fields(&[id.0, max])
            }
            Self::AckFrequency { sequence, threshold, delay_us } => {
                fields(&[sequence, threshold, delay_us])
            }
            Self::Close { code, reason } => fields(&[code.number()]) + prefixed(reason),
            Self::Datagram(data) | Self::Ticket(data) => 1 + prefixed(data),
            Self::Repair { behind, span, stride, sum } => {
                fields(&[behind, span, stride]) + prefixed(sum)
            }
            Self::PathChallenge(_) | Self::PathResponse(_) => 1 + 8,
        }
    }

    /// Bytes before the sum of a repair frame, at most, when it is not far behind what it repairs.
    pub const REPAIR_HEADER_MAX: usize = 1 + 4 + 2 + 1 + 4;

    /// Bytes before the data of a stream frame that fills its packet to the end.
    pub fn last_stream_header(id: StreamId, offset: u64) -> usize {
        1 + varint::len(id.0) + varint::len(offset)
    }

    /// Bytes before the data of a stream frame after which others may follow.
    pub fn stream_header(id: StreamId, offset: u64, len: usize) -> usize {
        Self::last_stream_header(id, offset) + varint::len(len as u64)
    }

    /// Bytes before the message of a datagram frame that has at most `len` bytes.
    pub fn datagram_header(len: usize) -> usize {
        1 + varint::len(len as u64)
    }

    /// Writes the header of a stream frame; `len` when others may follow, `None` when the data
    /// fills the packet. The caller writes the data.
    pub fn write_stream_header(
        id: StreamId,
        offset: u64,
        len: Option<usize>,
        fin: bool,
        writer: &mut Writer<'_>,
    ) {
        writer.u8(STREAM | u8::from(fin) | if len.is_some() { LEN } else { 0 });
        writer.varint(id.0);
        writer.varint(offset);
        if let Some(len) = len {
            writer.varint(len as u64);
        }
    }

    /// Whether its packet has to be acknowledged (RFC 9000 section 13.2, "ack-eliciting").
    pub const fn elicits_ack(&self) -> bool {
        !matches!(self, Self::Padding(_) | Self::Ack(_) | Self::Close { .. })
    }
}
