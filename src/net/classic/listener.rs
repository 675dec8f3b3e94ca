//! A socket that streams come in on.

use core::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};
use std::{io, net::ToSocketAddrs};

use super::{Builder, Line, Stream};

/// A socket that streams over a protocol of the textbook come in on.
///
/// When it is dropped, streams that nobody has taken end; the others go on.
#[derive(Debug)]
pub struct Listener {
    line: Line,
    nonblocking: AtomicBool,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.line.stop_listening();
    }
}

impl Listener {
    /// A listener for streams over this protocol, as [`Spec`](crate::classic::Spec) reads it, on the
    /// first of these addresses that can be had.
    pub fn bind(address: impl ToSocketAddrs, protocol: &str) -> io::Result<Self> {
        Builder::new(protocol)?.bind(address)
    }

    pub(super) fn new(line: Line) -> Self {
        Self { line, nonblocking: AtomicBool::new(false) }
    }

    /// Waits for the next stream, and says whose it is.
    pub fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        let peer = self.line.accept(!self.nonblocking.load(Relaxed))?;
        Ok((Stream::accepted(self.line.clone(), peer), peer))
    }

    /// Accepts streams for ever, as [`accept`](Self::accept) does.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// The address of its socket, with the port that the system chose.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.line.local_addr())
    }

    /// Whether nothing waits: when there is nothing to accept, that fails with `WouldBlock`.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.nonblocking.store(nonblocking, Relaxed);
        Ok(())
    }
}

/// Accepts streams for ever; made by [`Listener::incoming`].
#[derive(Debug)]
pub struct Incoming<'a> {
    listener: &'a Listener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<Stream>;
    fn next(&mut self) -> Option<Self::Item> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}
