//! What a packet of the transport holds, without its bytes.

use core::{fmt, time::Duration};

use crate::wire::transport::{CloseCode, Frame, StreamId};

/// A frame as traces tell of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameInfo {
    /// Nothing, to fill the packet up.
    Padding {
        /// How long.
        bytes: u32,
    },
    /// The wish to be acknowledged.
    Ping,
    /// Packets that arrived. Its ranges follow as [`AckRange`](Self::AckRange), highest first.
    Ack {
        /// The highest number.
        largest: u64,
        /// How long ago that arrived.
        delay: Duration,
        /// How many ranges the frame has; at most [`RANGES_MAX`](Self::RANGES_MAX) of them follow.
        ranges: u64,
    },
    /// A range of the ACK frame before.
    AckRange {
        /// The lowest number.
        first: u64,
        /// The highest number.
        last: u64,
    },
    /// Bytes of a stream.
    Stream {
        /// Which stream.
        id: StreamId,
        /// The place of the first byte.
        offset: u64,
        /// How many.
        bytes: u32,
        /// Whether the stream ends after them.
        fin: bool,
    },
    /// The sender gives a stream up.
    ResetStream {
        /// Which stream.
        id: StreamId,
        /// Why.
        code: u64,
        /// How many bytes of it were sent.
        final_size: u64,
    },
    /// The receiver does not want the rest of a stream.
    StopSending {
        /// Which stream.
        id: StreamId,
        /// Why.
        code: u64,
    },
    /// The window of all streams together: the first byte that may not be sent.
    MaxData(u64),
    /// The window of a stream.
    MaxStreamData {
        /// Which stream.
        id: StreamId,
        /// The first byte that may not be sent.
        max: u64,
    },
    /// How many streams may be opened.
    MaxStreams(u64),
    /// The window of all streams holds the sender up.
    DataBlocked(u64),
    /// The window of a stream holds the sender up.
    StreamDataBlocked {
        /// Which stream.
        id: StreamId,
        /// The limit.
        max: u64,
    },
    /// A wish how often to acknowledge.
    AckFrequency {
        /// Packets that may wait for one ACK.
        threshold: u64,
        /// How long they may wait.
        delay: Duration,
    },
    /// The wish to be acknowledged at once.
    ImmediateAck,
    /// The end of the connection.
    Close(CloseCode),
    /// Asks whether somebody receives what is sent to an address.
    PathChallenge,
    /// Says so.
    PathResponse,
    /// A message of the application's.
    Datagram {
        /// How long.
        bytes: u32,
    },
    /// A cookie for a later connection.
    Ticket {
        /// How long.
        bytes: u32,
    },
    /// A sum of earlier packets.
    Repair {
        /// By how much the first of them is earlier.
        behind: u64,
        /// Numbers from the first to the last.
        span: u64,
        /// The distance of their numbers.
        stride: u64,
    },
}

impl FrameInfo {
    /// Ranges of one ACK frame that are told, at most.
    pub const RANGES_MAX: usize = 64;

    /// What `frame` holds.
    pub fn of(frame: &Frame<'_>) -> Self {
        let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        match *frame {
            Frame::Padding(len) => Self::Padding { bytes: count(len) },
            Frame::Ping => Self::Ping,
            Frame::Ack(ack) => Self::Ack {
                largest: ack.ranges.largest(),
                delay: ack.delay,
                ranges: ack.ranges.count(),
            },
            Frame::Stream { id, offset, data, fin } => {
                Self::Stream { id, offset, bytes: count(data.len()), fin }
            }
            Frame::ResetStream { id, code, final_size } => {
                Self::ResetStream { id, code, final_size }
            }
            Frame::StopSending { id, code } => Self::StopSending { id, code },
            Frame::MaxData(max) => Self::MaxData(max),
            Frame::MaxStreamData { id, max } => Self::MaxStreamData { id, max },
            Frame::MaxStreams(max) => Self::MaxStreams(max),
            Frame::DataBlocked(max) => Self::DataBlocked(max),
            Frame::StreamDataBlocked { id, max } => Self::StreamDataBlocked { id, max },
            Frame::AckFrequency { threshold, delay_us, .. } => {
                Self::AckFrequency { threshold, delay: Duration::from_micros(delay_us) }
            }
            Frame::ImmediateAck => Self::ImmediateAck,
            Frame::Close { code, .. } => Self::Close(code),
            Frame::PathChallenge(_) => Self::PathChallenge,
            Frame::PathResponse(_) => Self::PathResponse,
            Frame::Datagram(data) => Self::Datagram { bytes: count(data.len()) },
            Frame::Repair { behind, span, stride, .. } => Self::Repair { behind, span, stride },
            Frame::Ticket(ticket) => Self::Ticket { bytes: count(ticket.len()) },
        }
    }

    /// `frame`, and the ranges of it when it is an ACK.
    pub fn all_of(frame: &Frame<'_>) -> impl Iterator<Item = Self> {
        let ranges = match *frame {
            Frame::Ack(ack) => Some(ack.ranges.iter()),
            _ => None,
        };
        let ranges = ranges.into_iter().flatten().take(Self::RANGES_MAX);
        let parts =
            ranges.map(|r| Self::AckRange { first: r.start, last: r.end.saturating_sub(1) });
        core::iter::once(Self::of(frame)).chain(parts)
    }

    /// Its name in traces; that of RFC 9000 section 19 where it is there.
    pub const fn name(&self) -> &'static str {
        KINDS[self.kind()]
    }

    const fn kind(&self) -> usize {
        match self {
            Self::Padding { .. } => 0,
            Self::Ping => 1,
            Self::Ack { .. } => 2,
            Self::AckRange { .. } => 3,
            Self::Stream { .. } => 4,
            Self::ResetStream { .. } => 5,
            Self::StopSending { .. } => 6,
            Self::MaxData(_) => 7,
            Self::MaxStreamData { .. } => 8,
            Self::MaxStreams(_) => 9,
            Self::DataBlocked(_) => 10,
            Self::StreamDataBlocked { .. } => 11,
            Self::AckFrequency { .. } => 12,
            Self::ImmediateAck => 13,
            Self::Close(_) => 14,
            Self::Datagram { .. } => 15,
            Self::PathChallenge => 16,
            Self::PathResponse => 17,
            Self::Ticket { .. } => 18,
            Self::Repair { .. } => 19,
        }
    }
}

const KINDS: [&str; 20] = [
    "padding",
    "ping",
    "ack",
    "ack_range",
    "stream",
    "reset_stream",
    "stop_sending",
    "max_data",
    "max_stream_data",
    "max_streams",
    "data_blocked",
    "stream_data_blocked",
    "ack_frequency",
    "immediate_ack",
    "connection_close",
    "datagram",
    "path_challenge",
    "path_response",
    "new_token",
    "repair",
];

/// As short as people can read it: "ACK 7, 3 ranges", "S0 1175+1175 fin".
impl fmt::Display for FrameInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Padding { bytes } => write!(f, "padding {bytes}"),
            Self::Ack { largest, ranges: 1, .. } => write!(f, "ACK {largest}"),
            Self::Ack { largest, ranges, .. } => write!(f, "ACK {largest}, {ranges} ranges"),
            Self::AckRange { first, last } if first == last => write!(f, "has {first}"),
            Self::AckRange { first, last } => write!(f, "has {first}-{last}"),
            Self::Stream { id, offset, bytes, fin } => {
                write!(f, "S{} {offset}+{bytes}{}", id.0, if fin { " fin" } else { "" })
            }
            Self::ResetStream { id, code, .. } => write!(f, "reset S{} ({code})", id.0),
            Self::StopSending { id, code } => write!(f, "stop S{} ({code})", id.0),
            Self::MaxData(max) => write!(f, "max data {max}"),
            Self::MaxStreamData { id, max } => write!(f, "max S{} {max}", id.0),
            Self::MaxStreams(max) => write!(f, "max streams {max}"),
            Self::DataBlocked(max) => write!(f, "blocked at {max}"),
            Self::StreamDataBlocked { id, max } => write!(f, "S{} blocked at {max}", id.0),
            Self::AckFrequency { threshold, delay } => {
                write!(f, "ACK every {threshold}, {delay:?}")
            }
            Self::ImmediateAck => f.write_str("ACK at once"),
            Self::Close(code) => write!(f, "close: {code}"),
            Self::Datagram { bytes } => write!(f, "datagram {bytes}"),
            Self::PathChallenge => f.write_str("path challenge"),
            Self::PathResponse => f.write_str("path response"),
            Self::Ticket { .. } => f.write_str("ticket"),
            Self::Repair { span, stride, .. } => write!(f, "repair {span} by {stride}"),
            Self::Ping => f.write_str("ping"),
        }
    }
}

/// Which kinds of frames a packet holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameKinds(u32);

impl FrameKinds {
    /// Takes note of a frame.
    pub fn insert(&mut self, frame: &FrameInfo) {
        self.0 |= 1 << frame.kind();
    }

    /// Whether such a packet wants to be acknowledged (RFC 9000 section 13.2).
    pub const fn elicit_ack(self) -> bool {
        // All but padding, ACKs and the end of the connection.
        const QUIET: u32 = 1 | 1 << 2 | 1 << 3 | 1 << 14;
        self.0 & !QUIET != 0
    }

    /// The names of the kinds, each once.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        (0..KINDS.len()).filter(move |kind| self.0 & 1 << kind != 0).map(|kind| KINDS[kind])
    }
}

impl fmt::Display for FrameKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.names().enumerate() {
            write!(f, "{}{name}", if at > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        buf::RangeSet,
        wire::transport::{Ack, Reader, Writer},
    };
    use alloc::{string::ToString, vec::Vec};

    #[test]
    fn an_ack_is_told_with_its_ranges() {
        let mut seen = RangeSet::new(8);
        for range in [3..5, 7..8] {
            seen.insert(range).unwrap();
        }
        let mut space = [0; 64];
        let mut writer = Writer::new(&mut space);
        Ack::write(&seen, Duration::from_millis(2), None, 64, &mut writer);
        let bytes = writer.written().to_vec();
        let frame = Frame::decode(&mut Reader::new(&bytes)).unwrap();
        let told: Vec<_> = FrameInfo::all_of(&frame).collect();
        let delay = Duration::from_millis(2);
        let expected = [
            FrameInfo::Ack { largest: 7, delay, ranges: 2 },
            FrameInfo::AckRange { first: 7, last: 7 },
            FrameInfo::AckRange { first: 3, last: 4 },
        ];
        assert_eq!(told, expected);
        let texts: Vec<_> = told.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["ACK 7, 2 ranges", "has 7", "has 3-4"]);
    }

    #[test]
    fn kinds_are_named_once() {
        let mut kinds = FrameKinds::default();
        let stream = FrameInfo::Stream { id: StreamId(0), offset: 9, bytes: 3, fin: true };
        for frame in [FrameInfo::Ping, stream, stream] {
            kinds.insert(&frame);
        }
        assert_eq!(kinds.to_string(), "ping, stream");
        assert!(kinds.elicit_ack());
        let mut quiet = FrameKinds::default();
        let delay = Duration::ZERO;
        quiet.insert(&FrameInfo::Ack { largest: 1, delay, ranges: 1 });
        quiet.insert(&FrameInfo::AckRange { first: 0, last: 1 });
        quiet.insert(&FrameInfo::Padding { bytes: 3 });
        quiet.insert(&FrameInfo::Close(CloseCode::Internal));
        assert!(!quiet.elicit_ack());
        assert_eq!(stream.to_string(), "S0 9+3 fin");
    }
}
