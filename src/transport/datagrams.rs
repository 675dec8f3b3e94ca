//! Messages that are sent once, in one piece, without promise (after RFC 9221).

use alloc::{collections::VecDeque, vec::Vec};
use core::fmt;

use crate::wire::transport::{Frame, Writer};

/// Why a datagram was not taken for sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatagramError {
    /// It is longer than a packet holds, or than the peer accepts. Use a
    /// [message](super::message) for more.
    TooLarge {
        /// The most that would be taken.
        bytes_max: usize,
    },
    /// The peer has not said yet what it takes: wait for
    /// [`Event::Connected`](super::connection::Event::Connected).
    NotYet,
    /// The peer takes no datagrams.
    Unsupported,
    /// As many wait already as the configuration allows.
    Full,
    /// The connection is closed.
    Closed,
}

impl fmt::Display for DatagramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes_max } => {
                write!(f, "too large: a datagram may have {bytes_max} bytes, use a stream for more")
            }
            Self::NotYet => f.write_str("what the peer takes is known when it has answered"),
            Self::Unsupported => f.write_str("the peer takes no datagrams"),
            Self::Full => f.write_str("too many datagrams wait to be sent"),
            Self::Closed => f.write_str("the connection is closed"),
        }
    }
}

impl core::error::Error for DatagramError {}

/// Datagrams that wait: to be sent, and to be taken.
#[derive(Clone, Debug)]
pub struct Datagrams {
    waiting_max: usize,
    bytes_max: Option<usize>,
    outgoing: Queue,
    incoming: Queue,
    dropped: u64,
    /// Bytes sent, and taken by the application.
    carried_bytes: u64,
}

/// Datagrams in their order. The memory of those that are gone is used again, so that none is
/// asked for while the longest queue and the longest datagram are not exceeded.
#[derive(Clone, Debug)]
struct Queue {
    waiting: VecDeque<Vec<u8>>,
    spare: Vec<Vec<u8>>,
}

impl Queue {
    const fn new() -> Self {
        Self { waiting: VecDeque::new(), spare: Vec::new() }
    }

    fn front(&self) -> Option<&[u8]> {
        self.waiting.front().map(Vec::as_slice)
    }

    fn push(&mut self, data: &[u8]) {
        let mut memory = self.spare.pop().unwrap_or_default();
        memory.clear();
        memory.extend_from_slice(data);
        self.waiting.push_back(memory);
    }

    fn drop_front(&mut self) {
        self.spare.extend(self.waiting.pop_front());
    }

    fn shrink(&mut self) {
        self.spare = Vec::new();
        self.waiting.shrink_to_fit();
    }

    fn memory_bytes(&self) -> usize {
        let kept = self.waiting.iter().chain(&self.spare).map(Vec::capacity);
        let places = self.waiting.capacity() + self.spare.capacity();
        kept.sum::<usize>() + places * size_of::<Vec<u8>>()
    }
}

impl Datagrams {
    /// None yet; at most `waiting_max` wait in each direction.
    pub const fn new(waiting_max: usize) -> Self {
        Self {
            waiting_max,
            bytes_max: None,
            outgoing: Queue::new(),
            incoming: Queue::new(),
            dropped: 0,
            carried_bytes: 0,
        }
    }

    /// Datagrams may have at most so many bytes; 0 for none at all. Those that wait and are longer
    /// are dropped: the path bears less than when they were taken.
    pub fn set_max(&mut self, bytes_max: usize) {
        if self.bytes_max.is_some_and(|before| before > bytes_max) {
            let before = self.outgoing.waiting.len();
            self.outgoing.waiting.retain(|data| data.len() <= bytes_max);
            self.dropped += (before - self.outgoing.waiting.len()) as u64;
        }
        self.bytes_max = Some(bytes_max);
    }

    /// The longest that may be sent, 0 for none at all; `None` while the peer has not said.
    pub const fn bytes_max(&self) -> Option<usize> {
        self.bytes_max
    }

    /// Takes a datagram for sending.
    pub fn send(&mut self, data: &[u8]) -> Result<(), DatagramError> {
        match self.bytes_max {
            None => return Err(DatagramError::NotYet),
            Some(0) => return Err(DatagramError::Unsupported),
            Some(bytes_max) if data.len() > bytes_max => {
                return Err(DatagramError::TooLarge { bytes_max });
            }
            Some(_) => {}
        }
        if self.outgoing.waiting.len() >= self.waiting_max {
            return Err(DatagramError::Full);
        }
        self.outgoing.push(data);
        Ok(())
    }

    /// A datagram arrived. False when it was dropped because too many wait to be taken.
    pub fn on_arrived(&mut self, data: &[u8]) -> bool {
        let room = self.incoming.waiting.len() < self.waiting_max;
        if room {
            self.incoming.push(data);
        } else {
            self.dropped += 1;
        }
        room
    }

    /// The next datagram that arrived, with its memory.
    pub fn recv(&mut self) -> Option<Vec<u8>> {
        let data = self.incoming.waiting.pop_front();
        self.carried_bytes += data.as_ref().map_or(0, Vec::len) as u64;
        data
    }

    /// The next datagram that arrived, where it lies.
    pub fn peek(&self) -> Option<&[u8]> {
        self.incoming.front()
    }

    /// The application has used the datagram that [`peek`](Self::peek) shows.
    pub fn consume(&mut self) {
        self.carried_bytes += self.incoming.front().map_or(0, <[u8]>::len) as u64;
        self.incoming.drop_front();
    }

    /// Whether one waits to be sent that fits into a packet with so much room for frames.
    pub fn is_pending(&self, room: usize) -> bool {
        self.outgoing.front().is_some_and(|data| Frame::Datagram(data).encoded_len() <= room)
    }

    /// Datagrams that were dropped: they arrived and nobody took those before, or they waited to be
    /// sent when the path began to bear less.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Gives back the memory that only traffic needs.
    pub(super) fn shrink(&mut self) {
        self.outgoing.shrink();
        self.incoming.shrink();
    }

    /// Bytes of those that were sent, and of those that the application has taken.
    pub const fn carried_bytes(&self) -> u64 {
        self.carried_bytes
    }

    /// Bytes of memory it holds.
    pub fn memory_bytes(&self) -> usize {
        self.outgoing.memory_bytes() + self.incoming.memory_bytes()
    }

    /// Writes those that fit into a packet; true when any did.
    pub fn write(&mut self, writer: &mut Writer<'_>) -> bool {
        let before = writer.len();
        while let Some(data) = self.outgoing.front() {
            let frame = Frame::Datagram(data);
            if frame.encoded_len() > writer.room() {
                break;
            }
            frame.encode(writer);
            self.carried_bytes += data.len() as u64;
            self.outgoing.drop_front();
        }
        writer.len() > before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_honest() {
        let mut datagrams = Datagrams::new(2);
        assert_eq!(
            (datagrams.send(b""), datagrams.bytes_max()),
            (Err(DatagramError::NotYet), None)
        );
        datagrams.set_max(0);
        assert_eq!(datagrams.send(b""), Err(DatagramError::Unsupported));
        datagrams.set_max(5);
        assert_eq!(datagrams.bytes_max(), Some(5));
        assert_eq!(datagrams.send(b"123456"), Err(DatagramError::TooLarge { bytes_max: 5 }));
        assert_eq!([datagrams.send(b"12345"), datagrams.send(b"1")], [Ok(()); 2]);
        assert_eq!(datagrams.send(b"1"), Err(DatagramError::Full));
        assert!(datagrams.on_arrived(b"a") && datagrams.on_arrived(b"b"));
        assert!(!datagrams.on_arrived(b"c"));
        assert_eq!((datagrams.dropped(), datagrams.recv()), (1, Some(b"a".to_vec())));
    }

    #[test]
    fn what_the_path_bears_no_more_is_dropped() {
        let mut datagrams = Datagrams::new(3);
        datagrams.set_max(9);
        for data in [&b"123456"[..], b"12345", b"123456789"] {
            datagrams.send(data).unwrap();
        }
        datagrams.set_max(5);
        assert_eq!((datagrams.dropped(), datagrams.is_pending(7)), (2, true));
    }

    #[test]
    fn a_packet_takes_those_that_fit() {
        let mut datagrams = Datagrams::new(9);
        datagrams.set_max(9);
        for data in [&b"12345"[..], b"678"] {
            datagrams.send(data).unwrap();
        }
        let mut space = [0; 9];
        let mut writer = Writer::new(&mut space);
        assert!(datagrams.write(&mut writer) && !datagrams.write(&mut writer));
        assert_eq!(
            (writer.len(), datagrams.is_pending(4), datagrams.is_pending(5)),
            (7, false, true)
        );
    }

    #[test]
    fn what_was_used_is_gone_and_its_memory_stays() {
        let mut datagrams = Datagrams::new(2);
        for data in [&b"one"[..], b"second", b"", b"3"] {
            assert!(datagrams.on_arrived(data));
            assert_eq!(datagrams.peek(), Some(data));
            datagrams.consume();
            datagrams.consume();
            assert_eq!(datagrams.peek(), None);
        }
        assert_eq!(datagrams.incoming.spare.len(), 1);
    }
}
