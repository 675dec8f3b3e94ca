//! Messages of any size, framed on streams.
//!
//! A stream is bytes without borders. A message on it is its length, a variable-length integer (RFC
//! 9000 section 16) in its shortest form, and then so many bytes:
//!
//! ```text
//! ┌──────────────┬─────────┬──────────────┬─────────┬╌╌╌
//! │ length, 1-8  │ message │ length, 1-8  │ message │
//! └──────────────┴─────────┴──────────────┴─────────┴╌╌╌
//! ```
//!
//! The application chooses how much order it pays for, message by message:
//!
//! - messages on **one stream** arrive in the order in which they were sent, and a lost packet holds
//!   up those behind it on that stream;
//! - a message on **a stream of its own**, ended behind it, waits for none but itself. The stream is
//!   the only state, so this costs no handshake: one frame header, and the length.
//!
//! Why a length and not an end mark: the receiver knows before the first byte of a message what it
//! would have to hold, and refuses there ([`RecvError::TooLarge`]); and bytes need no escaping, so
//! that they are handed on where they lie. Why the length also where a stream has one message only,
//! although the end of the stream would do: there it would be known last, a message that was cut
//! short could not be told from a whole one, and each side would have to know of every stream which
//! of the two shapes it has. Why not a frame of its own beside streams: retransmission, flow
//! control, priorities and reset are those of streams already, and a second copy of them would be a
//! second place for their bugs.
//!
//! [`MessageSender`] and [`MessageReceiver`] are a few words each, for one direction of one stream;
//! the bytes stay in the stream's buffers. Each works whole (`send`, `recv`) or part by part, for
//! messages that fit into no memory (`begin`, `write`; `begin`, `read`) or without a copy (`reserve`
//! and `commit`; `peek` and `consume`). A stream has two directions and is forgotten when both are
//! over: whoever receives on a stream of its own answers on it or [finishes] it, and the sender
//! reads that end.
//!
//! [finishes]: super::connection::Connection::finish
//!
//! ```
//! use core::time::Duration;
//! use rdtp::{
//!     rng::Seed, sim::World, time::Instant, trace::NodeId,
//!     transport::{
//!         connection::Event, cookie::Secret, host::{Host, HostConfig, HostEvent},
//!         message::{MessageConfig, MessageReceiver, MessageSender, RecvError},
//!         stream::StreamEvent,
//!     },
//! };
//!
//! let host = |n| Host::new(HostConfig::default(), Secret::new([n; 16]), Seed::new(n.into()));
//! let mut world = World::new();
//! let (client, server) = (world.add(host(1)?), world.add(host(2)?));
//! world.connect(client, server, &"loss=10%,delay=25ms".parse()?, Seed::new(7));
//!
//! let id = world.endpoint_mut(client).open(Instant::ZERO, World::address(1));
//! let connection = world.endpoint_mut(client).get_mut(id).expect("just opened");
//! let mut sender = MessageSender::new(connection.open_stream(0)?);
//! for message in ["hello", "", "world"] {
//!     // `Blocked` would say: the same message again when the stream is writable.
//!     sender.send(connection, message.as_bytes())?;
//! }
//! sender.finish(connection)?;
//!
//! // On the other side: one receiver for each stream that carries messages.
//! let mut receiver = None;
//! let (mut message, mut heard) = (Vec::new(), Vec::new());
//! world.run(Instant::ZERO + Duration::from_secs(10), &mut (), &mut |now, node, event, host: &mut Host| {
//!     let HostEvent { id, event: Event::Stream(StreamEvent::Readable(stream)) } = event else { return };
//!     let Some(connection) = host.get_mut(id).filter(|_| node == NodeId(1)) else { return };
//!     let config = MessageConfig { message_bytes_max: 1 << 20, ..MessageConfig::default() };
//!     let receiver = receiver.get_or_insert_with(|| MessageReceiver::new(stream, config));
//!     // Until there is none: only then is the next arrival told.
//!     while receiver.recv(now, connection, &mut message).is_ok() {
//!         heard.push(core::mem::take(&mut message));
//!     }
//! });
//! assert_eq!(heard, [&b"hello"[..], b"", b"world"]);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod decode;
mod recv;
mod send;

use core::fmt;

pub use decode::Decoder;
pub use recv::{MessageReceiver, Part};
pub use send::MessageSender;

use super::stream::{ReadError, WriteError};

/// What a receiver takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageConfig {
    /// The longest message, in bytes. Whoever announces more is refused before it is read.
    pub message_bytes_max: u64,
    /// The code of the application with which the stream of a refused message is stopped.
    pub refusal_code: u64,
}

impl Default for MessageConfig {
    /// Messages of up to 16 MiB; streams are stopped with code 1.
    fn default() -> Self {
        Self { message_bytes_max: 1 << 24, refusal_code: 1 }
    }
}

/// Why a message, or a part of it, was not taken for sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// Not all of it went, for want of room: go on with the rest, or with the same call, at
    /// [`StreamEvent::Writable`](super::stream::StreamEvent::Writable).
    Blocked,
    /// The message before it is not whole.
    Unfinished {
        /// Bytes that are missing of it.
        left: u64,
    },
    /// More bytes than were announced. None of them were taken.
    Excess {
        /// Bytes that the message still has; 0 when none was begun.
        left: u64,
    },
    /// No length says so much: messages have at most 2^62 - 1 bytes.
    TooLarge,
    /// The stream takes nothing any more.
    Stream(WriteError),
}

/// Why there is no message, or no part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvError {
    /// Nothing more has arrived: wait for
    /// [`StreamEvent::Readable`](super::stream::StreamEvent::Readable).
    Blocked,
    /// The end of the stream, after a whole message.
    Finished,
    /// The stream ended within a message, or within its length.
    Truncated {
        /// Bytes of the message that were there.
        got: u64,
        /// Bytes that were announced, if the length was whole.
        announced: Option<u64>,
    },
    /// The peer announces a longer message than is allowed. The stream was stopped.
    TooLarge {
        /// The length that it announces.
        announced: u64,
        /// The most that is allowed.
        bytes_max: u64,
    },
    /// What stands where a length should is none in its shortest form: the peer does not send
    /// messages on this stream. The stream was stopped.
    Malformed,
    /// The peer gave the stream up; its reason.
    Reset(u64),
    /// There is no such stream, or no more.
    Unknown,
}

impl From<WriteError> for SendError {
    fn from(error: WriteError) -> Self {
        if error == WriteError::Blocked { Self::Blocked } else { Self::Stream(error) }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked => f.write_str("no room: go on when the stream is writable"),
            Self::Unfinished { left } => {
                write!(f, "the message before lacks {left} bytes: write them first, or reset")
            }
            Self::Excess { left: 0 } => f.write_str("no message was begun: say its length first"),
            Self::Excess { left } => write!(f, "the message has only {left} bytes left"),
            Self::TooLarge => f.write_str("a message has at most 2^62 - 1 bytes"),
            Self::Stream(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked => ReadError::Blocked.fmt(f),
            Self::Finished => ReadError::Finished.fmt(f),
            Self::Truncated { announced: None, .. } => {
                f.write_str("the stream ended within the length of a message")
            }
            Self::Truncated { got, announced: Some(len) } => {
                write!(f, "the stream ended within a message, after {got} of {len} bytes")
            }
            Self::TooLarge { announced, bytes_max } => {
                write!(f, "the peer announced {announced} bytes, at most {bytes_max} are allowed")
            }
            Self::Malformed => f.write_str("no length of a message: does the peer send messages?"),
            Self::Reset(code) => ReadError::Reset(*code).fmt(f),
            Self::Unknown => ReadError::Unknown.fmt(f),
        }
    }
}

impl core::error::Error for SendError {}
impl core::error::Error for RecvError {}
