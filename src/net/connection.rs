//! A connection with many streams.

use alloc::{sync::Arc, vec::Vec};
use core::{
    net::SocketAddr,
    task::{Poll, Waker},
    time::Duration,
};
use std::{io, net::ToSocketAddrs};

use super::{
    ConnectionBuilder, Error, Stream,
    lane::{Core, Hold, Wait},
    patience::{Patience, Way},
};
use crate::{
    transport::{datagrams::DatagramError, stats::Stats, stream::OpenError},
    wire::transport::{ConnectionId, StreamId},
};

/// One conversation with a peer: many streams in both directions, and datagrams.
///
/// Clones are handles of the same connection, and so is every [`Stream`] of it. When the last of
/// them is dropped the connection ends in good order: in the background it goes on sending until
/// the peer has everything that was written, and then says goodbye. A connection that was opened
/// from here has its own socket, and the last handle waits for that, so that a program that ends
/// does not lose what it has just written; see
/// [`linger`](ConnectionBuilder::linger).
///
/// ```
/// use std::{io::{Read, Write}, net::Shutdown};
/// use rdtp::net::{Connection, Listener};
///
/// # fn main() -> std::io::Result<()> {
/// let listener = Listener::bind("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// let server = std::thread::spawn(move || -> std::io::Result<String> {
///     let connection = listener.accept_connection()?;
///     let mut said = String::new();
///     for _ in 0..2 {
///         connection.accept_stream()?.read_to_string(&mut said)?;
///     }
///     Ok(said)
/// });
///
/// let connection = Connection::connect(address)?;
/// for word in ["two ", "streams"] {
///     let mut stream = connection.open_stream()?;
///     stream.write_all(word.as_bytes())?;
///     stream.finish()?; // the peer has it
/// }
/// assert_eq!(server.join().unwrap()?, "two streams");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Connection {
    pub(super) held: Arc<Held>,
}

/// A handle of a connection, shared by clones.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) lane: Arc<Hold>,
    pub(super) id: ConnectionId,
    peer: SocketAddr,
    patience: Patience,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.lane.with(|core| core.let_go(self.id));
    }
}

impl Connection {
    /// The priority of a stream that was opened without one. Streams of lower numbers are sent
    /// first, and those of the same number take turns.
    pub const PRIORITY_DEFAULT: u8 = 128;

    /// Opens a connection to the first address that answers, and waits for that. Fails with
    /// `ConnectionRefused` when nobody listens there, with `TimedOut` when nobody answers.
    pub fn connect(peer: impl ToSocketAddrs) -> io::Result<Self> {
        ConnectionBuilder::new().connect(peer)
    }

    /// Chooses how a connection behaves before it is opened.
    pub fn builder() -> ConnectionBuilder {
        ConnectionBuilder::new()
    }

    pub(super) fn new(lane: Arc<Hold>, id: ConnectionId, peer: SocketAddr) -> Self {
        Self { held: Arc::new(Held { lane, id, peer, patience: Patience::default() }) }
    }

    fn wait<T>(
        &self,
        way: Way,
        ask: impl FnMut(&mut Core, Option<&Waker>) -> Poll<Result<T, Error>>,
    ) -> io::Result<T> {
        self.held.patience.wait(&self.held.lane, way, ask)
    }

    /// Waits until the peer has answered: only needed after
    /// [`connect_early`](ConnectionBuilder::connect_early).
    pub fn connected(&self) -> io::Result<()> {
        self.wait(Way::Out, |core, waker| self.poll_connected(core, waker))
    }

    pub(super) fn poll_connected(
        &self,
        core: &mut Core,
        waker: Option<&Waker>,
    ) -> Poll<Result<(), Error>> {
        if core.is_connected(self.held.id) {
            return Poll::Ready(Ok(()));
        }
        self.pend(core, Wait::Connected, waker)
    }

    /// Opens a stream. Waits while the peer allows no more, which is until one of the others has
    /// ended. The peer hears of it with the first bytes, or with
    /// [`flush`](std::io::Write::flush).
    pub fn open_stream(&self) -> io::Result<Stream> {
        self.open_stream_with(Self::PRIORITY_DEFAULT)
    }

    /// Opens a stream with a priority: lower numbers are sent first.
    pub fn open_stream_with(&self, priority: u8) -> io::Result<Stream> {
        let id = self.wait(Way::Out, |core, waker| self.poll_open(core, waker, priority))?;
        Ok(Stream::new(self.clone(), id))
    }

    pub(super) fn poll_open(
        &self,
        core: &mut Core,
        waker: Option<&Waker>,
        priority: u8,
    ) -> Poll<Result<StreamId, Error>> {
        match core.connection(self.held.id)?.open_stream(priority) {
            Ok(id) => Poll::Ready(Ok(id)),
            Err(OpenError::Limit) => self.pend(core, Wait::Openable, waker),
            Err(OpenError::Closed) => Poll::Ready(Err(self.why_closed(core))),
        }
    }

    /// Waits for the next stream that the peer opens.
    pub fn accept_stream(&self) -> io::Result<Stream> {
        let id = self.wait(Way::In, |core, waker| self.poll_accept(core, waker))?;
        Ok(Stream::new(self.clone(), id))
    }

    pub(super) fn poll_accept(
        &self,
        core: &mut Core,
        waker: Option<&Waker>,
    ) -> Poll<Result<StreamId, Error>> {
        match core.pop_incoming(self.held.id) {
            Some(id) => Poll::Ready(Ok(id)),
            None => self.pend(core, Wait::Opened, waker),
        }
    }

    /// Sends a datagram: once, in one piece, without promise. Fails when it is longer than
    /// [`datagram_bytes_max`](Self::datagram_bytes_max), and with `WouldBlock` when too many wait to
    /// be sent.
    pub fn send_datagram(&self, data: &[u8]) -> io::Result<()> {
        let sent = self.held.lane.with(|core| {
            let connection = core.connection(self.held.id)?;
            connection.send_datagram(data).map_err(|error| match error {
                DatagramError::Closed => self.why_closed(core),
                error => Error::Datagram(error),
            })
        });
        Ok(sent?)
    }

    /// The longest datagram that may be sent: 0 when the peer takes none, `None` while it has not
    /// said.
    pub fn datagram_bytes_max(&self) -> Option<usize> {
        let most = |core: &mut Core| core.connection(self.held.id).ok()?.datagram_bytes_max();
        self.held.lane.with(most)
    }

    /// Waits for the next datagram of the peer.
    pub fn recv_datagram(&self) -> io::Result<Vec<u8>> {
        self.wait(Way::In, |core, waker| self.poll_datagram(core, waker))
    }

    pub(super) fn poll_datagram(
        &self,
        core: &mut Core,
        waker: Option<&Waker>,
    ) -> Poll<Result<Vec<u8>, Error>> {
        match core.connection(self.held.id)?.recv_datagram() {
            Some(data) => Poll::Ready(Ok(data)),
            None => self.pend(core, Wait::Datagram, waker),
        }
    }

    /// Not yet: why never, or who is to be woken.
    pub(super) fn pend<T>(
        &self,
        core: &mut Core,
        wait: Wait,
        waker: Option<&Waker>,
    ) -> Poll<Result<T, Error>> {
        if let Some(error) = core.closed(self.held.id) {
            return Poll::Ready(Err(error));
        }
        if let Some(waker) = waker {
            core.wait_for(self.held.id, wait, waker);
        }
        Poll::Pending
    }

    pub(super) fn why_closed(&self, core: &Core) -> Error {
        core.closed(self.held.id).unwrap_or(Error::Socket(io::ErrorKind::NotConnected))
    }

    /// Closes the connection at once, for all handles, with a reason of the application's and words
    /// of at most 256 bytes. What is not delivered is not any more: to end in good order,
    /// [`finish`](Stream::finish) the streams and drop the handles.
    pub fn close(&self, code: u64, reason: &[u8]) {
        self.held.lane.with(|core| {
            let now = core.now();
            if let Ok(connection) = core.connection(self.held.id) {
                connection.close(now, code, reason);
            }
        });
    }

    /// Waits until the connection is over, and says why.
    pub fn closed(&self) -> io::Result<Error> {
        self.wait(Way::In, |core, waker| self.poll_closed(core, waker))
    }

    pub(super) fn poll_closed(
        &self,
        core: &mut Core,
        waker: Option<&Waker>,
    ) -> Poll<Result<Error, Error>> {
        match self.pend(core, Wait::Closed, waker) {
            Poll::Ready(Err(error)) => Poll::Ready(Ok(error)),
            pending => pending,
        }
    }

    /// Why the connection is over, if it is.
    pub fn take_error(&self) -> Option<Error> {
        self.held.lane.with(|core| core.closed(self.held.id))
    }

    /// The peer's address.
    pub fn peer_addr(&self) -> SocketAddr {
        self.held.peer
    }

    /// The address of the socket.
    pub fn local_addr(&self) -> SocketAddr {
        self.held.lane.local_addr()
    }

    /// What was counted, and how things are. All zero when nothing is left of the connection.
    pub fn stats(&self) -> Stats {
        let stats = |core: &mut Core| core.connection(self.held.id).map(|there| there.stats());
        self.held.lane.with(stats).unwrap_or_default()
    }

    /// How long [`accept_stream`](Self::accept_stream), [`recv_datagram`](Self::recv_datagram) and
    /// [`closed`](Self::closed) wait: `None` is for ever. After that they fail with `TimedOut`.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.held.patience.set_timeout(Way::In, timeout)
    }

    /// How long [`open_stream`](Self::open_stream) waits.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.held.patience.set_timeout(Way::Out, timeout)
    }

    /// Whether nothing waits: what would have to fails with `WouldBlock`. Streams have a switch of
    /// their own.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.held.patience.set_nonblocking(nonblocking);
        Ok(())
    }
}
