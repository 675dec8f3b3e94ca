//! One connection: its messages on their way out, and those that arrive.

use std::collections::VecDeque;

use rdtp::{
    app::file::{CONTROL_BYTES_MAX, DATA_OVERHEAD},
    classic::Payload,
    time::Instant,
    transport::{
        connection::Connection,
        message::{MessageConfig, MessageReceiver, MessageSender, SendError},
    },
    wire::transport::StreamId,
};

use super::{ABORTED, CloseReason};

/// Messages that wait for room in the stream.
const WAITING_MAX: usize = 16;
/// The longest chunk of a file in one message, in bytes.
pub(super) const CHUNK_BYTES_MAX: usize = 65_000;
/// The longest message that is taken from a peer, in bytes.
const MESSAGE_BYTES_MAX: usize = CHUNK_BYTES_MAX + DATA_OVERHEAD + CONTROL_BYTES_MAX;

/// One connection with its stream.
#[derive(Debug, Default)]
pub(super) struct Call {
    ways: Option<(MessageSender, MessageReceiver)>,
    waiting: VecDeque<Vec<u8>>,
    /// Where in the stream the messages end that the peer has not acknowledged.
    ends: VecDeque<u64>,
    /// Messages that the peer has.
    acknowledged: u64,
    incoming: Vec<u8>,
    /// Why it is over.
    pub(super) closed: Option<CloseReason>,
    /// Whether this side opened it, and wants to look at it after its end.
    pub(super) is_own: bool,
}

impl Call {
    /// On a stream that nobody has used yet.
    pub(super) fn on(stream: StreamId) -> Self {
        let config =
            MessageConfig { message_bytes_max: MESSAGE_BYTES_MAX as u64, refusal_code: ABORTED };
        let ways = (MessageSender::new(stream), MessageReceiver::new(stream, config));
        Self { ways: Some(ways), ..Self::default() }
    }

    pub(super) fn room(&self) -> usize {
        if self.closed.is_some() { 0 } else { WAITING_MAX - self.waiting.len() }
    }

    /// Messages taken that the peer has not acknowledged.
    pub(super) fn unacked(&self) -> u64 {
        (self.waiting.len() + self.ends.len()) as u64
    }

    pub(super) fn is_owing(&self) -> bool {
        !self.ends.is_empty()
    }

    pub(super) fn send(&mut self, connection: &mut Connection, message: &[u8]) -> bool {
        if self.room() == 0 {
            return false;
        }
        self.waiting.push_back(message.to_vec());
        self.pump(connection);
        true
    }

    /// Gives the stream what it takes.
    pub(super) fn pump(&mut self, connection: &mut Connection) {
        let Some((sender, _)) = &mut self.ways else { return };
        while let Some(message) = self.waiting.front() {
            match sender.send(connection, message) {
                Ok(()) => {}
                Err(SendError::Blocked) => return,
                // The stream, or all of the connection, is over: that is told by itself.
                Err(_) => return self.waiting.clear(),
            }
            let half = connection.streams().send_half(sender.stream());
            self.ends.extend(half.map(|half| half.buffer().written()));
            self.waiting.pop_front();
        }
    }

    /// How many messages the peer has, if there are more than before.
    pub(super) fn acknowledged(&mut self, connection: &Connection) -> Option<u64> {
        let (sender, _) = self.ways.as_ref()?;
        let base = connection.streams().send_half(sender.stream())?.buffer().base();
        let before = self.acknowledged;
        while self.ends.front().is_some_and(|&end| end <= base) {
            self.ends.pop_front();
            self.acknowledged += 1;
        }
        (self.acknowledged > before).then_some(self.acknowledged)
    }

    /// The next message, if it is whole.
    pub(super) fn read(&mut self, now: Instant, connection: &mut Connection) -> Option<Payload> {
        let (_, receiver) = self.ways.as_mut()?;
        receiver.recv(now, connection, &mut self.incoming).ok()?;
        let message = Payload::from(&self.incoming[..]);
        self.incoming.clear();
        Some(message)
    }
}
