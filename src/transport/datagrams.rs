//! Messages that are sent once, in one piece, without promise (after RFC 9221).

use alloc::{collections::VecDeque, vec::Vec};
use core::fmt;

use crate::wire::transport::{Frame, Writer};

/// Why a datagram was not taken for sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatagramError {
    /// It is longer than a packet, or than the peer accepts: at most so many bytes.
    TooLarge {
        /// The most that would be taken; 0 when the peer takes none, or none yet.
        bytes_max: usize,
    },
    /// As many wait already as the configuration allows.
    Full,
    /// The connection is closed.
    Closed,
}

impl fmt::Display for DatagramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes_max: 0 } => f.write_str("the peer takes no datagrams"),
            Self::TooLarge { bytes_max } => {
                write!(f, "too large: a datagram may have {bytes_max} bytes, use a stream for more")
            }
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
    bytes_max: usize,
    outgoing: VecDeque<Vec<u8>>,
    incoming: VecDeque<Vec<u8>>,
    dropped: u64,
}

impl Datagrams {
    /// None yet; at most `waiting_max` wait in each direction.
    pub const fn new(waiting_max: usize) -> Self {
        Self {
            waiting_max,
            bytes_max: 0,
            outgoing: VecDeque::new(),
            incoming: VecDeque::new(),
            dropped: 0,
        }
    }

    /// The longest that may be sent.
    pub fn set_max(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
    }

    /// Takes a datagram for sending.
    pub fn send(&mut self, data: &[u8]) -> Result<(), DatagramError> {
        if data.len() > self.bytes_max || self.bytes_max == 0 {
            return Err(DatagramError::TooLarge { bytes_max: self.bytes_max });
        }
        if self.outgoing.len() >= self.waiting_max {
            return Err(DatagramError::Full);
        }
        self.outgoing.push_back(data.into());
        Ok(())
    }

    /// A datagram arrived. False when it was dropped because too many wait to be taken.
    pub fn on_arrived(&mut self, data: &[u8]) -> bool {
        let room = self.incoming.len() < self.waiting_max;
        if room {
            self.incoming.push_back(data.into());
        } else {
            self.dropped += 1;
        }
        room
    }

    /// The next datagram that arrived.
    pub fn recv(&mut self) -> Option<Vec<u8>> {
        self.incoming.pop_front()
    }

    /// Whether any wait to be sent.
    pub fn is_pending(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Datagrams that arrived and were dropped because nobody took those before.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Bytes of memory it holds.
    pub fn memory_bytes(&self) -> usize {
        let waiting = self.outgoing.iter().chain(&self.incoming).map(Vec::capacity);
        let places = self.outgoing.capacity() + self.incoming.capacity();
        waiting.sum::<usize>() + places * size_of::<Vec<u8>>()
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
            self.outgoing.pop_front();
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
        assert_eq!(datagrams.send(b""), Err(DatagramError::TooLarge { bytes_max: 0 }));
        datagrams.set_max(5);
        assert_eq!(datagrams.send(b"123456"), Err(DatagramError::TooLarge { bytes_max: 5 }));
        assert_eq!([datagrams.send(b"12345"), datagrams.send(b"1")], [Ok(()); 2]);
        assert_eq!(datagrams.send(b"1"), Err(DatagramError::Full));
        assert!(datagrams.on_arrived(b"a") && datagrams.on_arrived(b"b"));
        assert!(!datagrams.on_arrived(b"c"));
        assert_eq!((datagrams.dropped(), datagrams.recv()), (1, Some(b"a".to_vec())));
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
        assert_eq!((writer.len(), datagrams.is_pending()), (7, true));
    }
}
