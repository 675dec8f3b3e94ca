//! A stream of bytes over a protocol of the textbook.

use alloc::sync::Arc;
use core::{net::SocketAddr, time::Duration};
use std::{
    io::{self, Read, Write},
    net::{Shutdown, ToSocketAddrs},
    thread,
};

use super::{Builder, Line, peer::Peer};
use crate::{
    classic::Stats,
    net::patience::{Patience, Way},
};

/// A stream of bytes in both directions over a protocol of the textbook; see the
/// [module](super).
///
/// Clones made by [`try_clone`](Self::try_clone) are the same stream. When the last is dropped the
/// stream ends as a TCP socket does: what was written is still delivered, and what the peer sends
/// from then on is refused. The last handle of a stream that was opened from here waits for that.
#[derive(Debug)]
pub struct Stream {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    line: Line,
    peer: SocketAddr,
    patience: Patience,
    /// How long to wait for the peer at the end, on the side that opened.
    linger: Option<Duration>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.line.let_go(self.peer);
        // Who panics has no time to wait.
        let Some(linger) = self.linger.filter(|_| !thread::panicking()) else { return };
        // As long as the peer takes something, the wait begins anew.
        let mut seen = None;
        while let Some(confirmed) = self.line.with(self.peer, |entry| entry.peer.confirmed) {
            if seen == Some(confirmed) {
                break;
            }
            seen = Some(confirmed);
            // Over, it is gone: that ends the wait with an error.
            let moved = |peer: &mut Peer| (peer.confirmed != confirmed).then_some(Ok(()));
            if self.line.wait(self.peer, Some(linger), moved).is_err() {
                break;
            }
        }
    }
}

impl Stream {
    /// Opens a stream over this protocol, as [`Spec`](crate::classic::Spec) reads it, to the first
    /// address that answers. Fails with `ConnectionRefused` when nobody listens there, with `TimedOut`
    /// when nobody answers who speaks this protocol.
    pub fn connect(peer: impl ToSocketAddrs, protocol: &str) -> io::Result<Self> {
        Builder::new(protocol)?.connect(peer)
    }

    /// Chooses how a stream behaves before it is opened.
    pub fn builder(protocol: &str) -> io::Result<Builder> {
        Builder::new(protocol)
    }

    pub(super) fn open(
        line: Line,
        peer: SocketAddr,
        timeout: Duration,
        linger: Duration,
    ) -> io::Result<Self> {
        line.open(peer);
        let mut shared = Shared { line, peer, patience: Patience::default(), linger: None };
        let answered = shared.line.wait(peer, Some(timeout), |peer| match peer.error {
            Some(error) => Some(Err(error.into())),
            None => peer.opened.then_some(Ok(())),
        });
        answered.map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                io::Error::new(error.kind(), "nobody listens on that port: is the server running?")
            }
            io::ErrorKind::TimedOut => io::Error::new(
                error.kind(),
                "nobody answered: check the address, and that both sides chose the same protocol",
            ),
            _ => error,
        })?;
        shared.linger = Some(linger);
        Ok(Self { shared: Arc::new(shared) })
    }

    pub(super) fn accepted(line: Line, peer: SocketAddr) -> Self {
        let shared = Shared { line, peer, patience: Patience::default(), linger: None };
        Self { shared: Arc::new(shared) }
    }

    fn wait<T>(
        &self,
        way: Way,
        mut ask: impl FnMut(&mut Peer) -> Option<io::Result<T>>,
    ) -> io::Result<T> {
        let Shared { line, peer, patience, .. } = &*self.shared;
        if !patience.is_nonblocking() {
            return line.wait(*peer, patience.timeout(way), ask);
        }
        let answer = line.with(*peer, |entry| ask(&mut entry.peer));
        answer.flatten().unwrap_or_else(|| Err(io::ErrorKind::WouldBlock.into()))
    }

    /// Another handle of the same stream. Timeouts are shared.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { shared: Arc::clone(&self.shared) })
    }

    /// The peer's address.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.shared.peer)
    }

    /// The address of the socket.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.shared.line.local_addr())
    }

    /// Ends the half of the stream that goes to the peer (`Write`), refuses what still comes from
    /// there (`Read`), or both.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let done = self.shared.line.with(self.shared.peer, |entry| {
            if matches!(how, Shutdown::Write | Shutdown::Both) {
                entry.peer.finish();
            }
            if matches!(how, Shutdown::Read | Shutdown::Both) {
                entry.peer.stop();
            }
        });
        done.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Ends the half of the stream that goes to the peer, and waits until the peer has all of it, as
    /// far as its protocol can know.
    pub fn finish(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)?;
        self.wait(Way::Out, |peer| peer.is_delivered())
    }

    /// What its protocol counted.
    pub fn stats(&self) -> Stats {
        self.shared.line.with(self.shared.peer, |entry| entry.stats).unwrap_or_default()
    }

    /// The smoothed round-trip time, once one was measured.
    pub fn srtt(&self) -> Option<Duration> {
        self.shared.line.with(self.shared.peer, |entry| entry.srtt).flatten()
    }

    /// How long a read waits: `None` is for ever. After that it fails with `TimedOut`. A timeout of
    /// zero is an error.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.shared.patience.set_timeout(Way::In, timeout)
    }

    /// How long a write waits: `None` is for ever. After that it fails with `TimedOut`. A timeout of
    /// zero is an error.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.shared.patience.set_timeout(Way::Out, timeout)
    }

    /// How long a read waits.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.shared.patience.timeout(Way::In))
    }

    /// How long a write waits.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.shared.patience.timeout(Way::Out))
    }

    /// Whether reads and writes never wait: what would have to fails with `WouldBlock`.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.shared.patience.set_nonblocking(nonblocking);
        Ok(())
    }
}

impl Read for &Stream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.wait(Way::In, |peer| peer.read(out))
    }
}

impl Write for &Stream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.wait(Way::Out, |peer| peer.write(data))
    }

    /// Does nothing: what is written leaves at once.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        (&*self).read(out)
    }
}

impl Write for Stream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        (&*self).write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
