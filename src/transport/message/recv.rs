//! Messages that arrive.

use alloc::vec::Vec;

use super::{Decoder, MessageConfig, RecvError};
use crate::{
    time::Instant,
    transport::{connection::Connection, stream::ReadError},
    wire::transport::StreamId,
};

/// Receives the messages of one stream, in order. It holds no bytes: they wait in the stream's
/// buffer, under its window, until the application takes them.
///
/// Nobody else may read from the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageReceiver {
    stream: StreamId,
    refusal_code: u64,
    decoder: Decoder,
    /// The end, which is told again and again.
    ended: Option<RecvError>,
}

/// A part of a message that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its length.
    pub len: usize,
    /// Bytes of the message that follow; 0 when it is whole.
    pub left: u64,
}

impl MessageReceiver {
    /// For a stream of which nothing was read yet.
    pub const fn new(stream: StreamId, config: MessageConfig) -> Self {
        let decoder = Decoder::new(config.message_bytes_max);
        Self { stream, refusal_code: config.refusal_code, decoder, ended: None }
    }

    /// The stream.
    pub const fn stream(&self) -> StreamId {
        self.stream
    }

    /// Appends to `message` what has arrived of the next message. `Ok` when it is whole; after
    /// [`RecvError::Blocked`] call again with the same `message` when the stream is readable.
    ///
    /// `message` grows with what arrives, never by what is only announced. Empty and used again, it
    /// needs no memory for the next message.
    pub fn recv(
        &mut self,
        now: Instant,
        connection: &mut Connection,
        message: &mut Vec<u8>,
    ) -> Result<(), RecvError> {
        loop {
            let bytes = self.peek(now, connection)?;
            let len = bytes.len();
            let left = self.decoder.left().unwrap_or(0);
            if message.capacity() - message.len() < len {
                // At most twice what is here, and nothing that the message does not need.
                let most = usize::try_from(left).unwrap_or(usize::MAX);
                message.reserve_exact(message.len().clamp(len, most.max(len)));
            }
            message.extend_from_slice(bytes);
            self.consume(now, connection, len);
            if len as u64 == left {
                return Ok(());
            }
        }
    }

    /// The length of the next message, or of the one under way: known as soon as it was announced,
    /// before its bytes are here.
    pub fn begin(&mut self, now: Instant, connection: &mut Connection) -> Result<u64, RecvError> {
        if let Some(ended) = self.ended {
            return Err(ended);
        }
        loop {
            if let Some(announced) = self.decoder.announced() {
                return Ok(announced);
            }
            let bytes = connection.peek(self.stream).map_err(|error| self.on_end(error))?;
            match self.decoder.take_length(bytes) {
                Ok(taken) => connection.consume(now, self.stream, taken),
                Err(error) => {
                    connection.stop(now, self.stream, self.refusal_code);
                    self.ended = Some(error);
                    return Err(error);
                }
            }
        }
    }

    /// Reads the next bytes of the message: as many as there are and `out` holds, and never beyond
    /// its end.
    pub fn read(
        &mut self,
        now: Instant,
        connection: &mut Connection,
        out: &mut [u8],
    ) -> Result<Part, RecvError> {
        self.begin(now, connection)?;
        let left = self.decoder.left().unwrap_or(0);
        let most = usize::try_from(left).map_or(out.len(), |left| left.min(out.len()));
        let len = if most == 0 {
            0
        } else {
            let read = connection.read(now, self.stream, &mut out[..most]);
            read.map_err(|error| self.on_end(error))?
        };
        self.decoder.advance(len as u64);
        Ok(Part { len, left: left - len as u64 })
    }

    /// The next bytes of the message where they lie, at least one unless the message has none;
    /// [`consume`](Self::consume) says how many were used.
    pub fn peek<'c>(
        &mut self,
        now: Instant,
        connection: &'c mut Connection,
    ) -> Result<&'c [u8], RecvError> {
        self.begin(now, connection)?;
        let left = self.decoder.left().unwrap_or(0);
        if left == 0 {
            return Ok(&[]);
        }
        let bytes = connection.peek(self.stream).map_err(|error| self.on_end(error))?;
        Ok(&bytes[..usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()))])
    }

    /// The application has used the next `len` bytes of the message, no more than
    /// [`peek`](Self::peek) has shown. After the last of them, the next message follows; a message
    /// without bytes is taken by consuming none.
    pub fn consume(&mut self, now: Instant, connection: &mut Connection, len: usize) {
        let left = self.decoder.left().unwrap_or(0);
        let shown = connection.peek(self.stream).map_or(0, <[u8]>::len);
        let len = usize::try_from(left).map_or(len, |left| left.min(len)).min(shown);
        connection.consume(now, self.stream, len);
        self.decoder.advance(len as u64);
    }

    /// Bytes of the message under way that were not taken; `None` between two messages.
    pub const fn left(&self) -> Option<u64> {
        self.decoder.left()
    }

    fn on_end(&mut self, error: ReadError) -> RecvError {
        let error = match error {
            ReadError::Blocked => return RecvError::Blocked,
            ReadError::Finished => self.decoder.finish(),
            ReadError::Reset(code) => RecvError::Reset(code),
            // Perhaps not yet: nothing of it has arrived.
            ReadError::Unknown => return RecvError::Unknown,
        };
        *self.ended.insert(error)
    }
}
