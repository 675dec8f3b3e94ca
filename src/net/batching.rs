//! Many datagrams in one call, and one by one where the system refuses.

use core::net::SocketAddr;
use std::io::{self, IoSlice};

use alloc::vec::Vec;
use rustix::{fd::AsFd, io::Errno};

use super::{
    Socket,
    socket::{canonical, is_from_the_network, is_too_long},
};
use crate::sys::udp::{Inbox, Outgoing};

/// How far [`Socket::send_batches`] came before the send buffer was full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// Batches that are dealt with: sent, or refused for good.
    pub(super) batches: usize,
    /// Bytes of the next batch that are.
    pub(super) bytes: usize,
}

/// What became of one call.
enum Outcome {
    /// So many messages left.
    Took(usize),
    Blocked,
    /// The system does not cut this message into datagrams.
    NoOffload,
    /// The first message is refused for good.
    Refused,
}

impl Outgoing<'_> {
    fn len(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }

    fn datagrams(&self) -> u64 {
        let segment = self.segment.map_or(usize::MAX, usize::from);
        self.len().div_ceil(segment.max(1)).max(1) as u64
    }
}

impl Socket {
    /// Sends batches, in order. Where the system does not cut them into datagrams, this does: a batch
    /// is never lost because of that.
    pub(super) fn send_batches(&mut self, batches: &[Outgoing<'_>]) -> Progress {
        let mut done = 0;
        while let Some(batch) = batches.get(done) {
            if batch.segment.is_some() && !self.capabilities.segmentation {
                match self.send_split(batch) {
                    Ok(()) => done += 1,
                    Err(bytes) => return Progress { batches: done, bytes },
                }
                continue;
            }
            let rest = &batches[done..];
            let fit =
                |batch: &Outgoing<'_>| batch.segment.is_none() || self.capabilities.segmentation;
            let run = rest.iter().take_while(|batch| fit(batch)).count();
            match self.call(&rest[..run]) {
                Outcome::Took(count) => {
                    self.stats.sent += rest[..count].iter().map(Outgoing::datagrams).sum::<u64>();
                    done += count;
                }
                Outcome::Blocked => return Progress { batches: done, bytes: 0 },
                Outcome::Refused => done += 1,
                Outcome::NoOffload => {
                    self.stats.offload_errors += 1;
                    let refused = self.stats.send_errors;
                    let split = self.send_split(batch);
                    // One by one they are not refused: it is the offload that does not work, for
                    // want of checksums by the interface, or a filter that knows nothing of it.
                    if self.stats.send_errors == refused {
                        self.capabilities.segmentation = false;
                    }
                    match split {
                        Ok(()) => done += 1,
                        Err(bytes) => return Progress { batches: done, bytes },
                    }
                }
            }
        }
        Progress { batches: done, bytes: 0 }
    }

    /// Sends the datagrams of a batch one by one; an error is how many bytes left before the send
    /// buffer was full.
    fn send_split(&mut self, batch: &Outgoing<'_>) -> Result<(), usize> {
        let len = batch.len();
        let segment = batch.segment.map_or(len, usize::from).max(1);
        let mut parts = Vec::new();
        for start in (0..len).step_by(segment) {
            parts.clear();
            parts.extend(cut(batch.parts, start, segment.min(len - start)));
            match self.call(&[Outgoing { parts: &parts, segment: None, ..*batch }]) {
                Outcome::Took(count) => self.stats.sent += count as u64,
                Outcome::Blocked => return Err(start),
                Outcome::Refused | Outcome::NoOffload => {}
            }
        }
        Ok(())
    }

    /// One call, not empty, with what the system says of it.
    fn call(&mut self, batches: &[Outgoing<'_>]) -> Outcome {
        let mut others = 0;
        loop {
            let error = match self.system.send(self.udp.as_fd(), batches) {
                Ok(count) => {
                    self.stats.calls += 1;
                    return Outcome::Took(count);
                }
                Err(error) => error,
            };
            match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock => {
                    self.stats.would_block += 1;
                    return Outcome::Blocked;
                }
                _ if self.renew(&error) => {}
                _ if others < Self::RECV_ERRORS_MAX && self.is_about_another(&error) => others += 1,
                _ if batches[0].segment.is_some() && may_be_offload(&error) => {
                    return Outcome::NoOffload;
                }
                kind => {
                    let lost = batches[0].datagrams();
                    self.stats.refused += u64::from(kind == io::ErrorKind::ConnectionRefused);
                    self.stats.send_errors += lost;
                    self.stats.too_long += if is_too_long(&error) { lost } else { 0 };
                    return Outcome::Refused;
                }
            }
        }
    }

    /// Takes the messages that are there, a few at most; none when there are none.
    pub(super) fn recv_batch(&mut self, inbox: &mut Inbox) -> io::Result<()> {
        for _ in 0..Self::RECV_ERRORS_MAX {
            match self.system.recv(self.udp.as_fd(), inbox) {
                Ok(()) => {
                    self.stats.calls += 1;
                    for arrival in inbox.arrivals_mut() {
                        arrival.source = canonical(arrival.source);
                        let datagrams = arrival.len.div_ceil(arrival.stride.max(1)).max(1);
                        self.stats.received += datagrams as u64;
                    }
                    return Ok(());
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => break,
                    kind if is_from_the_network(&error) => {
                        self.stats.recv_errors += 1;
                        self.stats.refused += u64::from(kind == io::ErrorKind::ConnectionRefused);
                    }
                    _ => return Err(error),
                },
            }
        }
        inbox.found_none();
        Ok(())
    }

    /// Where a batch for `destination` is to be sent to, in this socket's family; `None` on a
    /// connected socket.
    pub(super) fn wire_destination(&self, destination: SocketAddr) -> Option<SocketAddr> {
        self.peer.is_none().then(|| self.on_the_wire(destination))
    }
}

/// The `len` bytes from `start` on of `parts`.
fn cut<'a>(
    parts: &'a [IoSlice<'a>],
    start: usize,
    len: usize,
) -> impl Iterator<Item = IoSlice<'a>> {
    let end = start + len;
    let places = parts.iter().scan(0, |at, part| {
        let from = *at;
        *at += part.len();
        Some((from, part))
    });
    places.filter_map(move |(from, part)| {
        let inside = start.max(from)..end.min(from + part.len());
        (!inside.is_empty()).then(|| IoSlice::new(&part[inside.start - from..inside.end - from]))
    })
}

/// Whether it may be the offload that is refused, and not the datagrams: no checksums by the
/// interface (EIO), an old kernel, or segments longer than it has seen the path bear (EINVAL,
/// EMSGSIZE).
fn may_be_offload(error: &io::Error) -> bool {
    [Errno::IO, Errno::INVAL, Errno::MSGSIZE, Errno::OPNOTSUPP, Errno::NOPROTOOPT]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(test)]
#[path = "batching_tests.rs"]
mod tests;
