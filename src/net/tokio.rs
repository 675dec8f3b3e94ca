//! Listener, Connection and Stream for [tokio](https://docs.rs/tokio), with the same names and the
//! same meaning as [those that block](super).
//!
//! A program with `tokio::net::TcpStream` becomes one over UDP by changing the names of the types.
//! Whatever waits here can be cancelled: a future that is dropped has taken nothing, and what a
//! [`Stream`] has not returned from a read is still there. There are no timeouts:
//! `tokio::time::timeout` is one. Dropping the last handle never waits, so a program that ends should
//! `shutdown().await` first, which waits until the peer has everything.
//!
//! What is made in a runtime of tokio is driven by it, which needs `enable_io`; elsewhere, and when
//! the runtime ends, a thread does that. In a runtime of one thread the task that reads a stream again and
//! again takes its bytes from the datagrams that have arrived, without a copy in between. Reads and
//! writes count against the [budget](tokio::task::coop) of their task.
//!
//! ```
//! use rdtp::net::tokio::{Listener, Stream};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let listener = Listener::bind("127.0.0.1:0").await?;
//! let address = listener.local_addr()?;
//! let server = tokio::spawn(async move {
//!     let (mut stream, _) = listener.accept().await?;
//!     stream.write_all(b"hello").await?;
//!     stream.shutdown().await
//! });
//!
//! let mut stream = Stream::connect(address).await?;
//! let mut said = String::new();
//! stream.read_to_string(&mut said).await?;
//! assert_eq!(said, "hello");
//! server.await?
//! # }
//! ```

use alloc::vec::Vec;
use core::{
    future::poll_fn,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};
use std::io;

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{ToSocketAddrs, lookup_host},
    task::coop,
};

use super::{
    ConnectionBuilder, Error, ListenerBuilder,
    lane::{Ask, Core},
};
use crate::{transport::stats::Stats, wire::transport::StreamId};

/// Asks whenever it may have changed.
async fn asked<T>(
    connection: &super::Connection,
    mut ask: impl FnMut(&mut Core, Option<&Waker>) -> Poll<Result<T, Error>>,
) -> io::Result<T> {
    let lane = &connection.held.lane;
    Ok(poll_fn(|context| lane.with(|core| ask(core, Some(context.waker())))).await?)
}

/// A socket that connections come in on; see [`super::Listener`].
#[derive(Debug)]
pub struct Listener(super::Listener);

impl Listener {
    /// A listener on the first of these addresses that can be had; port 0 lets the system choose.
    pub async fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::bind_with(&ListenerBuilder::new(), address).await
    }

    /// The same, as the builder says.
    pub async fn bind_with(
        builder: &ListenerBuilder,
        address: impl ToSocketAddrs,
    ) -> io::Result<Self> {
        let builder = builder.clone().waits(false);
        let mut last = no_address();
        for address in lookup_host(address).await? {
            match builder.bind(address) {
                Ok(listener) => {
                    listener.lanes().iter().try_for_each(|lane| lane.watch())?;
                    return Ok(Self(listener));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The next stream of any peer, and whose it is.
    pub async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        let accepted = poll_fn(|context| self.0.poll_accept(Some(context.waker()))).await;
        accepted.map(|(stream, peer)| (Stream(stream), peer))
    }

    /// The next connection.
    pub async fn accept_connection(&self) -> io::Result<Connection> {
        let accepted = poll_fn(|context| self.0.poll_accept_connection(Some(context.waker())));
        accepted.await.map(Connection)
    }

    /// The address of its socket, with the port that the system chose.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// One conversation with a peer: many streams, and datagrams; see [`super::Connection`].
#[derive(Clone, Debug)]
pub struct Connection(super::Connection);

impl Connection {
    /// Opens a connection to the first address that answers.
    pub async fn connect(peer: impl ToSocketAddrs) -> io::Result<Self> {
        Self::connect_with(&ConnectionBuilder::new(), peer).await
    }

    /// The same, as the builder says.
    pub async fn connect_with(
        builder: &ConnectionBuilder,
        peer: impl ToSocketAddrs,
    ) -> io::Result<Self> {
        open(builder, peer, false).await.map(|(connection, _)| Self(connection))
    }

    /// Opens a stream, as soon as the peer allows one more.
    pub async fn open_stream(&self) -> io::Result<Stream> {
        self.open_stream_with(super::Connection::PRIORITY_DEFAULT).await
    }

    /// Opens a stream with a priority: lower numbers are sent first.
    pub async fn open_stream_with(&self, priority: u8) -> io::Result<Stream> {
        let id = asked(&self.0, |core, waker| self.0.poll_open(core, waker, priority)).await?;
        Ok(Stream(super::Stream::new(self.0.clone(), id)))
    }

    /// The next stream that the peer opens.
    pub async fn accept_stream(&self) -> io::Result<Stream> {
        let id = asked(&self.0, |core, waker| self.0.poll_accept(core, waker)).await?;
        Ok(Stream(super::Stream::new(self.0.clone(), id)))
    }

    /// Sends a datagram: once, in one piece, without promise.
    pub fn send_datagram(&self, data: &[u8]) -> io::Result<()> {
        self.0.send_datagram(data)
    }

    /// The next datagram of the peer.
    pub async fn recv_datagram(&self) -> io::Result<Vec<u8>> {
        asked(&self.0, |core, waker| self.0.poll_datagram(core, waker)).await
    }

    /// Closes the connection at once, for all handles; see [`super::Connection::close`].
    pub fn close(&self, code: u64, reason: &[u8]) {
        self.0.close(code, reason);
    }

    /// Waits until the connection is over, and says why.
    pub async fn closed(&self) -> io::Result<Error> {
        asked(&self.0, |core, waker| self.0.poll_closed(core, waker)).await
    }

    /// The peer's address.
    pub fn peer_addr(&self) -> SocketAddr {
        self.0.peer_addr()
    }

    /// The address of the socket.
    pub fn local_addr(&self) -> SocketAddr {
        self.0.local_addr()
    }

    /// What was counted, and how things are.
    pub fn stats(&self) -> Stats {
        self.0.stats()
    }
}

/// A stream of bytes in both directions; see [`super::Stream`]. `shutdown` waits until the peer has
/// everything.
#[derive(Debug)]
pub struct Stream(super::Stream);

impl Stream {
    /// Opens a connection with one stream to the first address that answers.
    pub async fn connect(peer: impl ToSocketAddrs) -> io::Result<Self> {
        Self::connect_with(&ConnectionBuilder::new(), peer).await
    }

    /// The same, as the builder says.
    pub async fn connect_with(
        builder: &ConnectionBuilder,
        peer: impl ToSocketAddrs,
    ) -> io::Result<Self> {
        let (connection, stream) = open(builder, peer, true).await?;
        let id = stream.ok_or(io::ErrorKind::NotConnected)?;
        Ok(Self(super::Stream::new(connection, id)))
    }

    /// The connection that it belongs to.
    pub fn connection(&self) -> Connection {
        Connection(self.0.connection().clone())
    }

    /// Its number, the same on both sides.
    pub fn id(&self) -> StreamId {
        self.0.id()
    }

    /// The peer's address.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// The address of the socket.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Does nothing: what is written leaves at once.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.0.set_nodelay(nodelay)
    }

    /// Gives the half of the stream that goes to the peer up, with a code.
    pub fn reset(&self, code: u64) -> io::Result<()> {
        self.0.reset(code)
    }

    /// Asks the peer to send no more of the stream, with a code.
    pub fn stop(&self, code: u64) -> io::Result<()> {
        self.0.stop(code)
    }

    /// Changes whose turn it is: streams of lower numbers are sent first.
    pub fn set_priority(&self, priority: u8) {
        self.0.set_priority(priority);
    }

    /// The stream whose calls block. A thread waits for its socket from now on, so that it does not
    /// depend on a runtime.
    pub fn into_blocking(self) -> super::Stream {
        self.0.connection().held.lane.unwatch();
        self.0
    }

    fn poll<A: Ask<Answer = Result<T, Error>>, T>(
        &self,
        context: &mut Context<'_>,
        reads: bool,
        ask: &mut A,
    ) -> Poll<io::Result<T>> {
        // A stream that always has something must not keep other tasks from running.
        let coop = ready!(coop::poll_proceed(context));
        let held = &self.0.connection().held;
        let reads = reads.then(|| (held.id, self.id()));
        let answer = ready!(held.lane.poll(context.waker(), reads, ask));
        coop.made_progress();
        Poll::Ready(answer.map_err(io::Error::from))
    }
}

impl From<super::Stream> for Stream {
    /// The same stream; its timeouts do not count here.
    fn from(stream: super::Stream) -> Self {
        Self(stream)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let space = out.initialize_unfilled();
        let len = ready!(self.poll(context, true, &mut self.0.reading(space)))?;
        out.advance(len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll(context, false, &mut |core: &mut Core, waker: Option<&Waker>| {
            self.0.poll_write(core, waker, data)
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(io::Write::flush(&mut &self.0))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(context, false, &mut |core: &mut Core, waker: Option<&Waker>| {
            self.0.poll_finished(core, waker)
        })
    }
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the name has no address")
}

/// Opens a connection to the first address that answers, perhaps with a stream.
async fn open(
    builder: &ConnectionBuilder,
    peer: impl ToSocketAddrs,
    stream: bool,
) -> io::Result<(super::Connection, Option<StreamId>)> {
    let builder = builder.clone().waits(false);
    let mut last = no_address();
    for peer in lookup_host(peer).await? {
        let started = builder.start(peer, stream);
        let result = match started {
            Ok((connection, stream)) => {
                connection.held.lane.watch()?;
                // Whoever stops waiting for the answer closes the attempt.
                let attempt = Attempt(Some(connection.clone()));
                let ask =
                    |core: &mut Core, waker: Option<&Waker>| connection.poll_connected(core, waker);
                asked(&connection, ask).await.map(|()| (attempt.done(), stream))
            }
            Err(error) => Err(error),
        };
        match result {
            Ok((Some(connection), stream)) => return Ok((connection, stream)),
            Ok((None, _)) => {}
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A connection that is being opened.
struct Attempt(Option<super::Connection>);

impl Attempt {
    fn done(mut self) -> Option<super::Connection> {
        self.0.take()
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(connection) = &self.0 {
            connection.close(0, b"");
        }
    }
}
