//! Byte streams: each independent of the others, each with two halves.

mod lend;
mod limits;
mod pair;
mod recv;
mod send;
mod table;
#[cfg(test)]
mod tests;

use core::fmt;

pub(super) use lend::NextSlot;
pub use limits::StreamLimits;
pub use recv::{Received, RecvHalf};
pub use send::SendHalf;
pub use table::Streams;

use crate::wire::transport::StreamId;

/// What a stream tells the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEvent {
    /// The peer opened it.
    Opened(StreamId),
    /// There is something to read: bytes, the end, or the peer's reset.
    Readable(StreamId),
    /// There is room to write again.
    Writable(StreamId),
    /// The peer has everything, the end included.
    Finished(StreamId),
    /// The peer does not want the rest; its reason.
    Stopped(StreamId, u64),
    /// The peer allows more streams, after one could not be opened.
    Openable,
}

/// Why a stream could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The peer allows no more for now: wait for [`StreamEvent::Openable`].
    Limit,
    /// The connection is not there any more.
    Closed,
}

/// Why nothing could be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// No room: wait for [`StreamEvent::Writable`].
    Blocked,
    /// The stream was finished or reset from this side.
    Finished,
    /// The peer does not want the rest; its reason.
    Stopped(u64),
    /// There is no such stream, or no more.
    Unknown,
}

/// Why nothing could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// Nothing there yet: wait for [`StreamEvent::Readable`].
    Blocked,
    /// The end of the stream.
    Finished,
    /// The peer gave the stream up; its reason.
    Reset(u64),
    /// There is no such stream, or no more.
    Unknown,
}

/// What a peer did that it was not allowed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamFault {
    /// More bytes than the window allows.
    BeyondWindow,
    /// More streams than allowed, or one that only we may open.
    Limit,
    /// The end of the stream is not where it was.
    FinalSize,
    /// More gaps than are kept track of: the packet will come again.
    TooManyGaps,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Limit => "the peer allows no more streams for now: wait until one has ended",
            Self::Closed => "the connection is closed",
        })
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked => f.write_str("no room: wait until the stream is writable"),
            Self::Finished => f.write_str("the stream was finished"),
            Self::Stopped(code) => write!(f, "the peer stopped the stream with code {code}"),
            Self::Unknown => f.write_str("no such stream"),
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked => f.write_str("nothing to read: wait until the stream is readable"),
            Self::Finished => f.write_str("the end of the stream"),
            Self::Reset(code) => write!(f, "the peer reset the stream with code {code}"),
            Self::Unknown => f.write_str("no such stream"),
        }
    }
}

impl fmt::Display for StreamFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BeyondWindow => "bytes beyond the window",
            Self::Limit => "a stream that may not be opened",
            Self::FinalSize => "a stream that ends in two places",
            Self::TooManyGaps => "too many gaps in a stream",
        })
    }
}

impl core::error::Error for OpenError {}
impl core::error::Error for WriteError {}
impl core::error::Error for ReadError {}
impl core::error::Error for StreamFault {}
