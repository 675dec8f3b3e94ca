//! A socket that connections come in on, in the shape of `std::net::TcpListener`.

use alloc::{sync::Arc, vec::Vec};
use core::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    task::{Poll, Waker},
};
use std::{io, net::ToSocketAddrs};

use super::{
    Clock, Connection, Error, ListenerBuilder, Stream,
    lane::{Accepts, Core, Group, Hold, Place},
    park,
};

/// A socket that connections come in on: what `std::net::TcpListener` is over TCP.
///
/// Streams or connections can be accepted. [`accept`](Self::accept) gives every stream that any peer
/// opens, so that a program for TCP goes on as it is;
/// [`accept_connection`](Self::accept_connection) gives whole connections, with all their streams and
/// datagrams. A connection goes to whoever asks first.
///
/// When the listener is dropped, connections that nobody has taken are closed; the others go on.
#[derive(Debug)]
pub struct Listener {
    lanes: Vec<Arc<Hold>>,
    accepts: Arc<Accepts>,
    clock: Clock,
    /// What its threads, if there are several, have in common.
    group: Option<Arc<Group>>,
    nonblocking: AtomicBool,
}

impl Drop for Listener {
    fn drop(&mut self) {
        for lane in &self.lanes {
            lane.with(Core::stop_accepting);
        }
    }
}

impl Listener {
    /// A listener on the first of these addresses that can be had; port 0 lets the system choose.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        ListenerBuilder::new().bind(address)
    }

    /// Chooses how a listener behaves before it is made.
    pub fn builder() -> ListenerBuilder {
        ListenerBuilder::new()
    }

    pub(super) fn new(
        lanes: Vec<Arc<Hold>>,
        accepts: Arc<Accepts>,
        clock: Clock,
        group: Option<Arc<Group>>,
    ) -> Self {
        Self { lanes, accepts, clock, group, nonblocking: AtomicBool::new(false) }
    }

    #[cfg(any(test, feature = "tokio"))]
    pub(super) fn lanes(&self) -> &[Arc<Hold>] {
        &self.lanes
    }

    /// Datagrams that came to the socket of another thread than theirs, and were handed over; see
    /// [`threads`](ListenerBuilder::threads). Few or none where the system delivers by connection
    /// ID.
    pub fn handed_over(&self) -> usize {
        self.group.as_ref().map_or(0, |group| group.handed_over())
    }

    /// Waits for the next stream of any peer, and says whose it is.
    pub fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        self.wait(|waker| self.poll_accept(waker))
    }

    /// Waits for the next connection. Fails only when the socket is of no more use.
    pub fn accept_connection(&self) -> io::Result<Connection> {
        self.wait(|waker| self.poll_accept_connection(waker))
    }

    /// Accepts streams for ever, as [`accept`](Self::accept) does.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    fn wait<T>(&self, mut ask: impl FnMut(Option<&Waker>) -> Poll<io::Result<T>>) -> io::Result<T> {
        if self.nonblocking.load(Relaxed) {
            return match ask(None) {
                Poll::Ready(answer) => answer,
                Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
            };
        }
        let answer = park::block_on(&self.clock, None, |waker| ask(Some(waker)));
        answer.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
    }

    pub(super) fn poll_accept(
        &self,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<(Stream, SocketAddr)>> {
        first(
            || self.accepts.pop_stream(waker),
            |(lane, id)| {
                let lane = &self.lanes[lane];
                let (peer, stream) = lane.with(|core| core.take_stream(id))?;
                let connection = Connection::new(Arc::clone(lane), id, peer);
                Some((Stream::new(connection, stream), peer))
            },
        )
    }

    pub(super) fn poll_accept_connection(
        &self,
        waker: Option<&Waker>,
    ) -> Poll<io::Result<Connection>> {
        first(
            || self.accepts.pop(waker),
            |(lane, id)| {
                let lane = &self.lanes[lane];
                let peer = lane.with(|core| core.take(id))?;
                Some(Connection::new(Arc::clone(lane), id, peer))
            },
        )
    }

    /// The address of its socket, with the port that the system chose.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.lanes[0].local_addr())
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

    /// Never `None`.
    fn next(&mut self) -> Option<io::Result<Stream>> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

/// Takes what waits until something can be made of it: what has ended meanwhile cannot.
fn first<T>(
    next: impl Fn() -> Result<Option<Place>, io::ErrorKind>,
    make: impl Fn(Place) -> Option<T>,
) -> Poll<io::Result<T>> {
    loop {
        match next() {
            Ok(None) => return Poll::Pending,
            Ok(Some(place)) => {
                if let Some(made) = make(place) {
                    return Poll::Ready(Ok(made));
                }
            }
            Err(kind) => return Poll::Ready(Err(Error::Socket(kind).into())),
        }
    }
}
