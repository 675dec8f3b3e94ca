//! A stream of bytes in both directions, in the shape of `std::net::TcpStream`.

use alloc::sync::Arc;
use core::{
    net::SocketAddr,
    task::{Poll, Waker},
    time::Duration,
};
use std::{
    io::{self, Read, Write},
    net::{Shutdown, ToSocketAddrs},
    sync::OnceLock,
};

use super::{
    Connection, ConnectionBuilder, Error,
    lane::{Ask, Core, Wait},
    patience::{Patience, Way},
};
use crate::{
    transport::stream::{ReadError, WriteError},
    wire::transport::{ConnectionId, StreamId},
};

/// A stream of bytes in both directions: what `std::net::TcpStream` is over TCP.
///
/// A program with `TcpStream` becomes one over UDP by changing the name of the type:
/// [`connect`](Self::connect) opens a connection with one stream, and
/// [`Listener::accept`](super::Listener::accept) gives the other end of it. Whoever wants more
/// streams takes them from [`connection`](Self::connection).
///
/// Clones made by [`try_clone`](Self::try_clone) are the same stream. When the last is dropped the
/// stream ends as a TCP socket does: what was written is still delivered in the background, and what
/// the peer sends from then on is refused.
///
/// ```
/// use std::io::{Read, Write};
/// use rdtp::net::{Listener, Stream};
///
/// # fn main() -> std::io::Result<()> {
/// let listener = Listener::bind("127.0.0.1:0")?;
/// let address = listener.local_addr()?;
/// let server = std::thread::spawn(move || -> std::io::Result<()> {
///     let (mut stream, _) = listener.accept()?;
///     let mut name = [0; 5];
///     stream.read_exact(&mut name)?;
///     stream.write_all(b"hello ")?;
///     stream.write_all(&name)
/// });
///
/// let mut stream = Stream::connect(address)?;
/// stream.write_all(b"world")?;
/// let mut answer = String::new();
/// stream.read_to_string(&mut answer)?;
/// assert_eq!(answer, "hello world");
/// server.join().unwrap()
/// # }
/// ```
#[derive(Debug)]
pub struct Stream {
    shared: Arc<Shared>,
}

/// What the clones of a stream share.
#[derive(Debug)]
struct Shared {
    connection: Connection,
    id: StreamId,
    patience: Patience,
    /// How the peer ended it, once that was read: the transport forgets streams that are over.
    end: OnceLock<Result<(), Error>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        let held = &self.connection.held;
        held.lane.with(|core| core.let_stream_go(held.id, self.id));
    }
}

impl Stream {
    /// Opens a connection with one stream to the first address that answers. Fails with
    /// `ConnectionRefused` when nobody listens there, with `TimedOut` when nobody answers.
    pub fn connect(peer: impl ToSocketAddrs) -> io::Result<Self> {
        ConnectionBuilder::new().connect_stream(peer)
    }

    /// The same with a limit of time.
    pub fn connect_timeout(peer: &SocketAddr, timeout: Duration) -> io::Result<Self> {
        ConnectionBuilder::new().connect_timeout(timeout).connect_stream(peer)
    }

    pub(super) fn new(connection: Connection, id: StreamId) -> Self {
        let (patience, end) = (Patience::default(), OnceLock::new());
        Self { shared: Arc::new(Shared { connection, id, patience, end }) }
    }

    /// The connection that it belongs to.
    pub fn connection(&self) -> &Connection {
        &self.shared.connection
    }

    /// Its number, the same on both sides.
    pub fn id(&self) -> StreamId {
        self.shared.id
    }

    /// Another handle of the same stream. Timeouts are shared.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { shared: Arc::clone(&self.shared) })
    }

    /// Whether it is this stream of this connection.
    fn is(&self, id: ConnectionId, stream: StreamId) -> bool {
        id == self.connection().held.id && stream == self.id()
    }

    /// The peer's address.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.shared.connection.peer_addr())
    }

    /// The address of the socket.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.shared.connection.local_addr())
    }

    fn wait<T>(
        &self,
        way: Way,
        ask: impl FnMut(&mut Core, Option<&Waker>) -> Poll<Result<T, Error>>,
    ) -> io::Result<T> {
        self.shared.patience.wait(&self.shared.connection.held.lane, way, ask)
    }

    fn wait_to_read(&self, ask: impl Ask<Answer = Result<usize, Error>>) -> io::Result<usize> {
        self.shared.patience.wait_for(&self.shared.connection.held.lane, Way::In, ask)
    }

    // Reading.

    /// A read into `out`.
    pub(super) fn reading<'a>(
        &'a self,
        out: &'a mut [u8],
    ) -> impl Ask<Answer = Result<usize, Error>> + 'a {
        Reading { stream: self, out, taken: 0 }
    }

    fn poll_read(
        &self,
        core: &mut Core,
        waker: Option<&Waker>,
        out: &mut [u8],
    ) -> Poll<Result<usize, Error>> {
        if out.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let now = core.now();
        let read = core.connection(self.connection().held.id)?.read(now, self.id(), out);
        self.came_of_it(core, waker, read)
    }

    fn poll_peek(
        &self,
        core: &mut Core,
        waker: Option<&Waker>,
        look: impl FnOnce(&[u8]) -> usize,
        consumes: bool,
    ) -> Poll<Result<usize, Error>> {
        let now = core.now();
        let connection = core.connection(self.connection().held.id)?;
        let read = connection.peek(self.id()).map(|bytes| look(bytes).min(bytes.len()));
        if let Ok(len) = read
            && consumes
        {
            connection.consume(now, self.id(), len);
        }
        self.came_of_it(core, waker, read)
    }

    /// What the transport says of reading, in the words of sockets.
    fn came_of_it(
        &self,
        core: &mut Core,
        waker: Option<&Waker>,
        read: Result<usize, ReadError>,
    ) -> Poll<Result<usize, Error>> {
        let ended = |end: Result<(), Error>| *self.shared.end.get_or_init(|| end);
        Poll::Ready(match read {
            Ok(len) => Ok(len),
            Err(ReadError::Blocked) => {
                return self.connection().pend(core, Wait::Readable(self.id()), waker);
            }
            Err(ReadError::Finished) => ended(Ok(())).map(|()| 0),
            Err(ReadError::Reset(code)) => ended(Err(Error::Reset(code))).map(|()| 0),
            // It is over, and both sides know. Without a known end this side had enough of it.
            Err(ReadError::Unknown) => ended(Ok(())).map(|()| 0),
        })
    }

    /// Looks at the next bytes and leaves them where they are.
    pub fn peek(&self, out: &mut [u8]) -> io::Result<usize> {
        self.wait(Way::In, |core, waker| {
            let look = |bytes: &[u8]| {
                let len = bytes.len().min(out.len());
                out[..len].copy_from_slice(&bytes[..len]);
                len
            };
            self.poll_peek(core, waker, look, false)
        })
    }

    /// Hands the next bytes to `take` where they lie, without a copy; it says how many of them it
    /// used. Returns that number, or 0 at the end of the stream. Nothing else happens on the
    /// connection meanwhile: `take` must not be slow, nor use a handle of the same socket.
    pub fn read_with(&self, take: impl FnMut(&[u8]) -> usize) -> io::Result<usize> {
        self.wait_to_read(ReadingWith { stream: self, take, taken: None })
    }

    // Writing.

    pub(super) fn poll_write(
        &self,
        core: &mut Core,
        waker: Option<&Waker>,
        data: &[u8],
    ) -> Poll<Result<usize, Error>> {
        let written = core.connection(self.connection().held.id)?.write(self.id(), data);
        self.came_of_writing(core, waker, written)
    }

    fn came_of_writing<T>(
        &self,
        core: &mut Core,
        waker: Option<&Waker>,
        written: Result<T, WriteError>,
    ) -> Poll<Result<T, Error>> {
        let error = match written {
            Ok(value) => return Poll::Ready(Ok(value)),
            Err(WriteError::Blocked) => {
                return self.connection().pend(core, Wait::Writable(self.id()), waker);
            }
            Err(WriteError::Stopped(code)) => Error::Stopped(code),
            Err(WriteError::Finished) => Error::Finished,
            Err(WriteError::Unknown) => {
                core.closed(self.connection().held.id).unwrap_or(Error::Finished)
            }
        };
        Poll::Ready(Err(error))
    }

    /// Lets `fill` write into the place that the next bytes are sent from, without a copy; it says
    /// how many it wrote. Returns that number. The place is as long as a packet has room, or
    /// shorter. Nothing else happens on the connection meanwhile: `fill` must not be slow, nor use a
    /// handle of the same socket.
    pub fn write_with(&self, mut fill: impl FnMut(&mut [u8]) -> usize) -> io::Result<usize> {
        self.wait(Way::Out, |core, waker| {
            let connection = core.connection(self.connection().held.id)?;
            let written = connection.reserve(self.id()).map(|place| fill(place).min(place.len()));
            if let Ok(len) = written {
                connection.commit(self.id(), len);
            }
            self.came_of_writing(core, waker, written)
        })
    }

    /// Ends the half of the stream that goes to the peer (`Write`), refuses what still comes from
    /// there (`Read`), or both.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let held = &self.connection().held;
        let done = held.lane.with(|core| {
            let now = core.now();
            let connection = core.connection(held.id)?;
            if matches!(how, Shutdown::Write | Shutdown::Both)
                && connection.finish(self.id()).is_err()
                && let Some(error) = core.closed(held.id)
            {
                return Err(error);
            }
            if matches!(how, Shutdown::Read | Shutdown::Both) {
                core.connection(held.id)?.stop(now, self.id(), 0);
            }
            Ok(())
        });
        Ok(done?)
    }

    /// Ends the half of the stream that goes to the peer, and waits until the peer has all of it, the
    /// end included.
    pub fn finish(&self) -> io::Result<()> {
        self.wait(Way::Out, |core, waker| self.poll_finished(core, waker))
    }

    /// Ends the half that goes to the peer, if that was not done, and tells whether the peer has it.
    pub(super) fn poll_finished(
        &self,
        core: &mut Core,
        waker: Option<&Waker>,
    ) -> Poll<Result<(), Error>> {
        let connection = core.connection(self.connection().held.id)?;
        // Whether that is possible any more is seen by what became of the half.
        let _ = connection.finish(self.id());
        let half = connection.streams().send_half(self.id());
        let Some(half) = half.filter(|half| !half.is_over()) else { return Poll::Ready(Ok(())) };
        if half.is_reset() {
            return Poll::Ready(Err(Error::Finished));
        }
        self.connection().pend(core, Wait::Finished(self.id()), waker)
    }

    /// Gives the half of the stream that goes to the peer up: what is not delivered is not any more,
    /// and the peer reads an error with this code.
    pub fn reset(&self, code: u64) -> io::Result<()> {
        let held = &self.connection().held;
        let done = held.lane.with(|core| {
            let reset = core.connection(held.id)?.reset(self.id(), code);
            let closed = core.closed(held.id).unwrap_or(Error::Finished);
            reset.map_err(|_| closed)
        });
        Ok(done?)
    }

    /// Asks the peer to send no more of the stream, with a code: it fails to write from then on.
    pub fn stop(&self, code: u64) -> io::Result<()> {
        let held = &self.connection().held;
        let done = held.lane.with(|core| {
            let now = core.now();
            core.connection(held.id)?.stop(now, self.id(), code);
            Ok::<_, Error>(())
        });
        Ok(done?)
    }

    /// Changes whose turn it is: streams of lower numbers are sent first.
    pub fn set_priority(&self, priority: u8) {
        let held = &self.connection().held;
        held.lane.with(|core| {
            if let Ok(connection) = core.connection(held.id) {
                connection.set_priority(self.id(), priority);
            }
        });
    }

    // What TCP's streams have too.

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

    /// Does nothing, and is here for programs that were written for TCP: what is written leaves at
    /// once, there is no Nagle algorithm. Write much at a time, or through a `BufWriter`.
    pub fn set_nodelay(&self, _nodelay: bool) -> io::Result<()> {
        Ok(())
    }

    /// True: see [`set_nodelay`](Self::set_nodelay).
    pub fn nodelay(&self) -> io::Result<bool> {
        Ok(true)
    }

    /// Why the connection is over, if it is.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.connection().take_error().map(io::Error::from))
    }
}

impl Read for &Stream {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.wait_to_read(self.reading(out))
    }
}

/// A read that waits. What arrives meanwhile goes from the datagram to where it is wanted.
struct Reading<'a> {
    stream: &'a Stream,
    out: &'a mut [u8],
    /// Bytes of `out` that have arrived.
    taken: usize,
}

impl Ask for Reading<'_> {
    type Answer = Result<usize, Error>;

    fn ask(&mut self, core: &mut Core, waker: Option<&Waker>) -> Poll<Self::Answer> {
        if self.taken > 0 {
            return Poll::Ready(Ok(self.taken));
        }
        self.stream.poll_read(core, waker, self.out)
    }

    fn take(&mut self, id: ConnectionId, stream: StreamId, bytes: &[u8]) -> usize {
        if !self.stream.is(id, stream) {
            return 0;
        }
        let space = &mut self.out[self.taken..];
        let len = bytes.len().min(space.len());
        space[..len].copy_from_slice(&bytes[..len]);
        self.taken += len;
        len
    }

    fn wants(&self, len: usize) -> bool {
        self.taken == 0 || len <= self.room()
    }

    fn room(&self) -> usize {
        self.out.len() - self.taken
    }
}

/// The same with the bytes where they lie.
struct ReadingWith<'a, F> {
    stream: &'a Stream,
    take: F,
    /// How many it used, once it was asked.
    taken: Option<usize>,
}

impl<F: FnMut(&[u8]) -> usize> Ask for ReadingWith<'_, F> {
    type Answer = Result<usize, Error>;

    fn ask(&mut self, core: &mut Core, waker: Option<&Waker>) -> Poll<Self::Answer> {
        match self.taken {
            Some(len) => Poll::Ready(Ok(len)),
            None => self.stream.poll_peek(core, waker, &mut self.take, true),
        }
    }

    fn take(&mut self, id: ConnectionId, stream: StreamId, bytes: &[u8]) -> usize {
        if self.taken.is_some() || !self.stream.is(id, stream) {
            return 0;
        }
        *self.taken.insert((self.take)(bytes).min(bytes.len()))
    }
}

impl Write for &Stream {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.wait(Way::Out, |core, waker| self.poll_write(core, waker, data))
    }

    /// What is written leaves without it. It lets the peer hear of a stream to which nothing was
    /// written yet.
    fn flush(&mut self) -> io::Result<()> {
        let held = &self.connection().held;
        held.lane.with(|core| {
            if let Ok(connection) = core.connection(held.id) {
                // A stream that is over needs no announcement.
                let _ = connection.announce(self.id());
            }
        });
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
        (&*self).flush()
    }
}
