//! One stream as messages: what to say next, and what is done with what is heard. No thread, no
//! socket, no clock.

use alloc::{collections::VecDeque, vec::Vec};
use std::io::{self, Read as _};

/// The longest message, in bytes: with a header it fits into a packet on every path.
pub(super) const MESSAGE_BYTES: usize = 1_100;
/// What a reader lets wait, and what a writer may leave waiting, in bytes.
pub(super) const WINDOW_BYTES: u64 = 256 * 1024;

const OPEN: u8 = 0;
const DATA: u8 = 1;
const CREDIT: u8 = 2;
const END: u8 = 3;
const STOP: u8 = 4;

/// How far telling the peer something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Word {
    /// There is nothing to tell.
    #[default]
    No,
    Wanted,
    Said,
}

impl Word {
    fn want(&mut self) {
        if *self == Self::No {
            *self = Self::Wanted;
        }
    }

    /// Whether it is to be said now; then it was.
    fn say(&mut self) -> bool {
        let wanted = *self == Self::Wanted;
        if wanted {
            *self = Self::Said;
        }
        wanted
    }
}

/// The state of one stream.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own about the two halves")]
pub(super) struct Peer {
    /// Whether it was opened from here.
    opens: bool,
    /// The first message was said, or heard.
    pub(super) begun: bool,
    /// The other side has answered, or opened.
    pub(super) opened: bool,
    incoming: VecDeque<u8>,
    /// Bytes that the application has read, and that the peer may send in all.
    read: u64,
    granted: u64,
    /// Bytes that have arrived.
    arrived: u64,
    ended: bool,
    stop: Word,
    outgoing: VecDeque<u8>,
    /// Bytes sent, and allowed by the peer.
    sent: u64,
    allowed: u64,
    end: Word,
    /// The peer wants no more.
    stopped: bool,
    /// Messages that were handed to the protocol, and how many of them the peer has.
    said: u64,
    pub(super) confirmed: u64,
    /// Why it is of no more use.
    pub(super) error: Option<io::ErrorKind>,
    /// Handles of the application.
    pub(super) is_held: bool,
}

/// The peer does not keep to the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault;

impl Peer {
    /// One that is opened from here.
    pub(super) fn opening() -> Self {
        Self { opens: true, is_held: true, ..Self::default() }
    }

    /// Takes what the peer says.
    pub(super) fn hear(&mut self, message: &[u8]) -> Result<(), Fault> {
        let (&kind, rest) = message.split_first().ok_or(Fault)?;
        let number = || Ok(u64::from_be_bytes(rest.try_into().map_err(|_| Fault)?));
        match kind {
            OPEN if !self.opens && !self.opened => {
                self.allowed = number()?;
                self.opened = true;
            }
            CREDIT if self.opens || self.opened => {
                self.allowed = self.allowed.max(number()?);
                self.opened = true;
            }
            _ if !self.opened => return Err(Fault),
            DATA if !self.ended && !rest.is_empty() => {
                self.arrived += rest.len() as u64;
                if self.arrived > self.granted {
                    return Err(Fault);
                }
                if self.stop == Word::No {
                    self.incoming.extend(rest);
                }
            }
            END if rest.is_empty() => self.ended = true,
            STOP if rest.is_empty() => {
                self.stopped = true;
                self.outgoing.clear();
            }
            _ => return Err(Fault),
        }
        Ok(())
    }

    /// Puts the next message into `message`; false when there is nothing to say.
    pub(super) fn say(&mut self, message: &mut Vec<u8>) -> bool {
        message.clear();
        if self.error.is_some() {
            return false;
        }
        let due = self.read + WINDOW_BYTES;
        if !self.begun && (self.opens || self.opened) {
            self.begun = true;
            self.granted = due;
            message.push(if self.opens { OPEN } else { CREDIT });
            message.extend(due.to_be_bytes());
        } else if self.begun && !self.ended && due >= self.granted + WINDOW_BYTES / 2 {
            self.granted = due;
            message.push(CREDIT);
            message.extend(due.to_be_bytes());
        } else if self.stop.say() {
            message.push(STOP);
        } else if !self.opened {
            // What the peer may be sent is not known yet.
        } else if !self.outgoing.is_empty() && self.sent < self.allowed {
            let room = usize::try_from(self.allowed - self.sent).unwrap_or(usize::MAX);
            let len = self.outgoing.len().min(MESSAGE_BYTES - 1).min(room);
            message.push(DATA);
            message.extend(self.outgoing.drain(..len));
            self.sent += len as u64;
        } else if self.outgoing.is_empty() && self.end.say() {
            message.push(END);
        }
        self.said += u64::from(!message.is_empty());
        !message.is_empty()
    }

    /// Reads what has arrived. `None`: nothing yet.
    pub(super) fn read(&mut self, out: &mut [u8]) -> Option<io::Result<usize>> {
        if out.is_empty() || self.stop != Word::No {
            return Some(Ok(0));
        }
        // Reading from memory does not fail.
        let len = self.incoming.read(out).unwrap_or_default();
        self.read += len as u64;
        match (len, self.ended, self.error) {
            (0, true, _) => Some(Ok(0)),
            (0, false, Some(error)) => Some(Err(error.into())),
            (0, false, None) => None,
            (len, ..) => Some(Ok(len)),
        }
    }

    /// Whether a read has freed so much that the peer should hear of it.
    pub(super) fn has_something_to_say(&self) -> bool {
        !self.begun
            || (!self.ended && self.read + WINDOW_BYTES >= self.granted + WINDOW_BYTES / 2)
            || self.stop == Word::Wanted
            || (self.opened && !self.outgoing.is_empty() && self.sent < self.allowed)
            || (self.opened && self.outgoing.is_empty() && self.end == Word::Wanted)
    }

    /// Takes bytes to be sent. `None`: no room yet.
    pub(super) fn write(&mut self, data: &[u8]) -> Option<io::Result<usize>> {
        if let Some(error) = self.error {
            return Some(Err(error.into()));
        }
        if self.stopped || self.end != Word::No {
            return Some(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = usize::try_from(WINDOW_BYTES).unwrap_or(usize::MAX) - self.outgoing.len();
        if room == 0 {
            return if data.is_empty() { Some(Ok(0)) } else { None };
        }
        let len = data.len().min(room);
        self.outgoing.extend(&data[..len]);
        Some(Ok(len))
    }

    /// No more is written.
    pub(super) fn finish(&mut self) {
        self.end.want();
    }

    /// No more is read; what comes is thrown away.
    pub(super) fn stop(&mut self) {
        if !self.ended {
            self.stop.want();
        }
        self.incoming.clear();
    }

    /// Whether the peer has everything that was written, and the end. `None`: not yet.
    pub(super) fn is_delivered(&self) -> Option<io::Result<()>> {
        if self.end == Word::Said && self.confirmed >= self.said {
            return Some(Ok(()));
        }
        if self.stopped && self.end != Word::Wanted {
            return Some(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.error.map(|error| Err(error.into()))
    }

    /// Whether nothing more happens on it and nobody wants it.
    pub(super) fn is_over(&self) -> bool {
        let settled = self.end == Word::Said && self.confirmed >= self.said;
        !self.is_held
            && (self.error.is_some() || settled && (self.ended || self.stop == Word::Said))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn talk(from: &mut Peer, to: &mut Peer) -> usize {
        let (mut message, mut count) = (Vec::new(), 0);
        while from.say(&mut message) {
            to.hear(&message).unwrap();
            count += 1;
        }
        from.confirmed = from.said;
        count
    }

    fn pair() -> (Peer, Peer) {
        let (mut a, mut b) = (Peer::opening(), Peer { is_held: true, ..Peer::default() });
        assert_eq!((talk(&mut a, &mut b), b.opened, a.opened), (1, true, false));
        assert_eq!((talk(&mut b, &mut a), a.opened), (1, true));
        (a, b)
    }

    #[test]
    fn bytes_go_both_ways_and_end() {
        let (mut a, mut b) = pair();
        assert_eq!(a.write(b"hello").unwrap().unwrap(), 5);
        a.finish();
        assert_eq!(talk(&mut a, &mut b), 2);
        let mut out = [0; 9];
        assert_eq!(b.read(&mut out).unwrap().unwrap(), 5);
        assert_eq!(&out[..5], b"hello");
        assert_eq!(b.read(&mut out).unwrap().unwrap(), 0);
        assert!(a.is_delivered().unwrap().is_ok() && !a.is_over());
        b.finish();
        talk(&mut b, &mut a);
        (a.is_held, b.is_held) = (false, false);
        assert!(a.is_over() && b.is_over());
        assert_eq!(a.write(b"x").unwrap().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    /// However much is written, no more arrives than the reader has room for; and reading half of it
    /// makes room again.
    #[test]
    fn a_slow_reader_is_not_flooded() {
        let (mut a, mut b) = pair();
        let block = [7; 10_000];
        let mut written = 0;
        while let Some(result) = a.write(&block) {
            written += result.unwrap() as u64;
            talk(&mut a, &mut b);
        }
        assert_eq!(written, 2 * WINDOW_BYTES, "a window there, and one that waits here");
        assert!(a.write(&block).is_none());
        let mut out = vec![0; 1 << 17];
        assert_eq!(b.read(&mut out).unwrap().unwrap(), out.len());
        assert!(b.has_something_to_say());
        assert_eq!((talk(&mut b, &mut a), talk(&mut a, &mut b) > 100), (1, true));
    }

    #[test]
    fn whoever_wants_no_more_is_heard() {
        let (mut a, mut b) = pair();
        b.stop();
        talk(&mut b, &mut a);
        assert_eq!(a.write(b"x").unwrap().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        a.finish();
        talk(&mut a, &mut b);
        assert!(b.ended);
    }

    #[test]
    fn what_breaks_the_rules_is_refused() {
        let strangers: [&[u8]; 6] =
            [b"", b"\x01data", b"\x03", b"\x09", b"\x00short", b"\x02\0\0\0\0\0\0\0\x09"];
        for message in strangers {
            assert_eq!(Peer::default().hear(message), Err(Fault), "{message:?}");
        }
        let (_, mut b) = pair();
        for message in [&b"\x01"[..], b"\x00\0\0\0\0\0\0\0\x09", b"\x03x", b"\x05", b"\x02"] {
            assert_eq!(b.hear(message), Err(Fault), "{message:?}");
        }
        let full = [&[DATA], &[0; MESSAGE_BYTES - 1][..]].concat();
        let fits = WINDOW_BYTES / (MESSAGE_BYTES as u64 - 1);
        assert!((0..fits).all(|_| b.hear(&full).is_ok()));
        assert_eq!(b.hear(&full), Err(Fault), "more than the window");
        b.hear(&[END]).unwrap();
        assert_eq!(b.hear(b"\x01x"), Err(Fault), "data behind the end");
    }
}
