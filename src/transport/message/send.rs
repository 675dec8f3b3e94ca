//! Messages on their way out.

use super::SendError;
use super::decode::LENGTH_BYTES_MAX;
use crate::{
    transport::connection::Connection,
    wire::{
        transport::{StreamId, Writer},
        varint,
    },
};

/// Sends messages on one stream, in order. It knows how much of a message the stream has taken, so
/// that no lack of room can break the framing.
///
/// Nobody else may write to the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageSender {
    stream: StreamId,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between two messages.
    Idle,
    /// So many bytes of the length are in the stream.
    Length { len: u64, written: usize },
    /// A message: all of it, and what is not in the stream yet.
    Body { len: u64, left: u64 },
}

impl MessageSender {
    /// For a stream to which nothing was written yet.
    pub const fn new(stream: StreamId) -> Self {
        Self { stream, state: State::Idle }
    }

    /// The stream.
    pub const fn stream(&self) -> StreamId {
        self.stream
    }

    /// Sends a message. After [`SendError::Blocked`] a part of it is on its way already: call again
    /// **with the same message** when the stream is writable, which goes on where this stopped. A
    /// message may be larger than the send buffer; it goes in pieces as room appears.
    pub fn send(&mut self, connection: &mut Connection, message: &[u8]) -> Result<(), SendError> {
        let len = message.len() as u64;
        let begun = matches!(self.state, State::Body { len: begun, .. } if begun == len);
        if !begun {
            self.begin(connection, len)?;
        }
        while let State::Body { len, left } = self.state {
            let done = usize::try_from(len - left).unwrap_or(usize::MAX);
            self.write(connection, &message[done..])?;
        }
        Ok(())
    }

    /// Begins a message of `len` bytes, which [`write`](Self::write) or
    /// [`commit`](Self::commit) then give. After [`SendError::Blocked`] call again with the same
    /// length.
    pub fn begin(&mut self, connection: &mut Connection, len: u64) -> Result<(), SendError> {
        if len > varint::MAX {
            return Err(SendError::TooLarge);
        }
        match self.state {
            State::Body { left, .. } => return Err(SendError::Unfinished { left }),
            State::Length { len: begun, written } if begun != len && written > 0 => {
                return Err(SendError::Unfinished { left: begun });
            }
            State::Length { len: begun, .. } if begun == len => {}
            State::Idle | State::Length { .. } => self.state = State::Length { len, written: 0 },
        }
        self.write_length(connection)
    }

    fn write_length(&mut self, connection: &mut Connection) -> Result<(), SendError> {
        let State::Length { len, written } = &mut self.state else { return Ok(()) };
        let mut space = [0; LENGTH_BYTES_MAX];
        let mut writer = Writer::new(&mut space);
        writer.varint(*len);
        let length = writer.written();
        while *written < length.len() {
            *written += connection.write(self.stream, &length[*written..])?;
        }
        self.state = State::body(*len, *len);
        Ok(())
    }

    /// Writes the next bytes of the message: as many of `data` as there is room for, and returns how
    /// many that were.
    pub fn write(&mut self, connection: &mut Connection, data: &[u8]) -> Result<usize, SendError> {
        self.write_length(connection)?;
        let left = self.left();
        if data.len() as u64 > left {
            return Err(SendError::Excess { left });
        }
        if data.is_empty() {
            return Ok(0);
        }
        let taken = connection.write(self.stream, data)?;
        self.advance(taken as u64);
        Ok(taken)
    }

    /// Room for the next bytes of the message in the place that they are sent from, at least one
    /// byte and no more than the message has left. What is put there counts after
    /// [`commit`](Self::commit).
    pub fn reserve<'c>(
        &mut self,
        connection: &'c mut Connection,
    ) -> Result<&'c mut [u8], SendError> {
        self.write_length(connection)?;
        let left = self.left();
        if left == 0 {
            return Err(SendError::Excess { left });
        }
        let space = connection.reserve(self.stream)?;
        let len = usize::try_from(left).map_or(space.len(), |left| left.min(space.len()));
        Ok(&mut space[..len])
    }

    /// Makes the first `len` reserved bytes part of the message, or as many of them as were
    /// reserved.
    pub fn commit(&mut self, connection: &mut Connection, len: usize) {
        let written = |connection: &Connection| {
            let half = connection.streams().send_half(self.stream);
            half.map_or(0, |half| half.buffer().written())
        };
        let before = written(connection);
        let len = usize::try_from(self.left()).map_or(len, |left| left.min(len));
        connection.commit(self.stream, len);
        let taken = written(connection) - before;
        self.advance(taken);
    }

    /// Ends the stream after the last message: refused while one is not whole.
    pub fn finish(&mut self, connection: &mut Connection) -> Result<(), SendError> {
        match self.state {
            State::Body { left, .. } => Err(SendError::Unfinished { left }),
            State::Length { len, written } if written > 0 => {
                Err(SendError::Unfinished { left: len })
            }
            State::Idle | State::Length { .. } => Ok(connection.finish(self.stream)?),
        }
    }

    /// Bytes of the message under way that the stream has not taken; 0 between two messages.
    pub const fn left(&self) -> u64 {
        match self.state {
            State::Idle => 0,
            State::Length { len, .. } => len,
            State::Body { left, .. } => left,
        }
    }

    /// Whether every message that was begun is in the stream as a whole.
    pub const fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle | State::Length { written: 0, .. })
    }

    fn advance(&mut self, taken: u64) {
        if let State::Body { len, left } = self.state {
            self.state = State::body(len, left.saturating_sub(taken));
        }
    }
}

impl State {
    /// A message of which `left` bytes are missing, or none if it has all.
    const fn body(len: u64, left: u64) -> Self {
        if left == 0 { Self::Idle } else { Self::Body { len, left } }
    }
}
