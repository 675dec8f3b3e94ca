//! What the operating system does with many datagrams in one call.
//!
//! Two implementations of one trait: [`Linux`](linux::Linux) with segmentation offload, coalescing
//! and several messages a call, and [`Plain`](plain::Plain), one datagram a call, for every other
//! system and for whoever asks for it. Unsafe are a few system calls that no safe wrapper carries, in
//! `linux::calls`. What they read and write is laid out by safe code in `name` and `control`.

use alloc::{vec, vec::Vec};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::io::{self, IoSlice};

use rustix::fd::BorrowedFd;

use crate::ecn::Ecn;

#[cfg(target_os = "linux")]
mod control;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod name;
mod plain;

#[cfg(target_os = "linux")]
pub(crate) use linux::{
    Linux, forbid_fragments, force_buffer, keep_errors, steer_by_id, take_error,
};
pub(crate) use plain::Plain;

/// Messages that one call sends or receives, at most.
pub(crate) const MESSAGES_MAX: usize = 4;
/// The longest message: what a UDP datagram can hold, and one byte more to tell when it was cut off.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1 << 16;

/// Equal datagrams to one destination.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outgoing<'a> {
    /// Their bytes, one after the other.
    pub(crate) parts: &'a [IoSlice<'a>],
    /// The length of each but the last, when there are several.
    pub(crate) segment: Option<u16>,
    /// Where they go; `None` on a connected socket.
    pub(crate) destination: Option<SocketAddr>,
    /// The address that they are to leave from, if not the one that the system chooses.
    pub(crate) source: Option<IpAddr>,
    pub(crate) ecn: Ecn,
}

impl Outgoing<'_> {
    /// Nothing to nowhere.
    pub(crate) const NONE: Self =
        Self { parts: &[], segment: None, destination: None, source: None, ecn: Ecn::NotEct };
}

/// What the system says of a message that it delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// Bytes of the message.
    pub(crate) len: usize,
    /// The length of each datagram in it but the last.
    pub(crate) stride: usize,
    pub(crate) source: SocketAddr,
    /// The address that it was sent to, when the system tells.
    pub(crate) local: Option<IpAddr>,
    pub(crate) ecn: Ecn,
}

impl Arrival {
    const NONE: Self = Self {
        len: 0,
        stride: 0,
        source: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        local: None,
        ecn: Ecn::NotEct,
    };
}

/// Room for the messages of one call.
#[derive(Debug)]
pub(crate) struct Inbox {
    space: Vec<u8>,
    arrivals: [Arrival; MESSAGES_MAX],
    count: usize,
    /// Messages that were looked at, and how many bytes of the one after them.
    passed: (usize, usize),
    /// Whether the last call brought as much as it could, so that there may be more.
    was_full: bool,
}

impl Default for Inbox {
    /// Without room.
    fn default() -> Self {
        Self {
            space: Vec::new(),
            arrivals: [Arrival::NONE; MESSAGES_MAX],
            count: 0,
            passed: (0, 0),
            was_full: true,
        }
    }
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self { space: vec![0; MESSAGES_MAX * MESSAGE_BYTES_MAX], ..Self::default() }
    }

    /// The messages that the last call brought, or what is [left](Self::leave) of them.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (&[u8], &Arrival)> {
        let spaces = self.space.chunks(MESSAGE_BYTES_MAX);
        let (passed, mut bytes) = self.passed;
        let messages = spaces.zip(&self.arrivals).take(self.count).skip(passed);
        messages.map(move |(space, arrival)| {
            (&space[core::mem::take(&mut bytes)..arrival.len], arrival)
        })
    }

    /// So many of [the messages](Self::messages) were looked at, and so many bytes of the next. The
    /// rest stays, and there is a rest.
    pub(crate) fn leave(&mut self, messages: usize, bytes: usize) {
        let (passed, before) = self.passed;
        self.passed = (passed + messages, if messages == 0 { before + bytes } else { bytes });
        debug_assert!(self.passed.0 < self.count, "what is looked at is forgotten");
    }

    pub(crate) fn arrivals_mut(&mut self) -> &mut [Arrival] {
        &mut self.arrivals[..self.count]
    }

    /// Forgets them.
    pub(crate) fn clear(&mut self) {
        self.count = 0;
        self.passed = (0, 0);
    }

    /// The last call brought nothing.
    pub(crate) fn found_none(&mut self) {
        self.clear();
        self.was_full = false;
    }

    /// Whether another call may bring more.
    pub(crate) fn was_full(&self) -> bool {
        self.was_full
    }

    /// Whether there are any.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// What a system can do, found out when the socket is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct Capabilities {
    /// It cuts one long message into equal datagrams (generic segmentation offload).
    pub segmentation: bool,
    /// It puts equal datagrams that arrive together into one message (generic receive offload).
    pub coalescing: bool,
    /// It tells the ECN marks of what arrives, and sets those of what leaves.
    pub ecn: bool,
    /// It tells to which of its addresses a datagram came, and sends from the one it is told.
    pub packet_info: bool,
    /// It keeps routers, and itself, from cutting datagrams into fragments.
    pub dont_fragment: bool,
}

/// How datagrams get in and out.
pub(crate) trait System: core::fmt::Debug + Send {
    /// Asks for all that it can do; says what that is.
    fn set_up(&mut self, socket: BorrowedFd<'_>, v6: bool) -> Capabilities;
    /// Sends the first of `batches`, as many as possible; says how many. An error is about the first.
    fn send(&mut self, socket: BorrowedFd<'_>, batches: &[Outgoing<'_>]) -> io::Result<usize>;
    /// Takes messages that are there.
    fn recv(&mut self, socket: BorrowedFd<'_>, inbox: &mut Inbox) -> io::Result<()>;
}

/// The best of this system.
#[cfg(target_os = "linux")]
pub(crate) type Best = Linux;
/// The best of this system.
#[cfg(not(target_os = "linux"))]
pub(crate) type Best = Plain;

/// Not known how.
#[cfg(not(target_os = "linux"))]
pub(crate) fn forbid_fragments(_: BorrowedFd<'_>, _: bool) -> bool {
    false
}

/// Not known how.
#[cfg(not(target_os = "linux"))]
pub(crate) fn keep_errors(_: BorrowedFd<'_>, _: bool) -> bool {
    false
}

/// Nothing is kept.
#[cfg(not(target_os = "linux"))]
pub(crate) fn take_error(_: BorrowedFd<'_>) -> Option<(io::Error, SocketAddr)> {
    None
}

/// Not known how.
#[cfg(not(target_os = "linux"))]
pub(crate) fn force_buffer(_: BorrowedFd<'_>, _: bool, _: usize) -> bool {
    false
}

/// Not known how.
#[cfg(not(target_os = "linux"))]
pub(crate) fn steer_by_id(_: BorrowedFd<'_>, _: u16) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages of 3, 1 and 2 datagrams of two bytes, and the last is shorter.
    fn inbox() -> Inbox {
        let mut inbox = Inbox::new();
        inbox.count = 3;
        for (at, len) in [6, 2, 3].into_iter().enumerate() {
            inbox.arrivals[at] = Arrival { len, stride: 2, ..Arrival::NONE };
            for byte in 0..len {
                let place = u8::try_from(16 * at + byte).expect("a few");
                inbox.space[at * MESSAGE_BYTES_MAX + byte] = place;
            }
        }
        inbox
    }

    /// The datagrams that are there, and where each begins.
    fn datagrams(inbox: &Inbox) -> Vec<(Vec<u8>, (usize, usize))> {
        let messages = inbox.messages().enumerate();
        let cut = messages.flat_map(|(nth, (message, arrival))| {
            let chunks = message.chunks(arrival.stride).enumerate();
            chunks.map(move |(at, bytes)| (bytes.to_vec(), (nth, at * arrival.stride)))
        });
        cut.collect()
    }

    #[test]
    fn what_is_left_begins_where_somebody_stopped() {
        let whole: Vec<Vec<u8>> = datagrams(&inbox()).into_iter().map(|(bytes, _)| bytes).collect();
        assert_eq!(whole.len(), 6);
        for step in 1..6 {
            let mut inbox = inbox();
            let mut seen = Vec::new();
            loop {
                let rest = datagrams(&inbox);
                seen.extend(rest.iter().take(step).map(|(bytes, _)| bytes.clone()));
                let Some(&(_, (messages, bytes))) = rest.get(step) else { break };
                inbox.leave(messages, bytes);
                assert!(!inbox.is_empty());
            }
            assert_eq!(seen, whole, "{step} at a time");
            inbox.clear();
            assert!(inbox.is_empty() && datagrams(&inbox).is_empty());
        }
    }
}
