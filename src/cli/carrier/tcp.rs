//! TCP, many connections in one thread.

use core::{net::SocketAddr, time::Duration};
use std::{
    collections::BTreeMap,
    io::{self, Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
};

use rdtp::{
    app::chat::{Lane, PeerId, Wire},
    link::Profile,
    net::Clock,
    time::Instant,
};
use rustix::event::{PollFd, PollFlags};
use socket2::{Domain, Protocol, Type};

use super::{Carrier, News, Side, Traffic};

/// A connection asks for no more while so many bytes wait in it.
const ROOM_BYTES: usize = 64 * 1024;
/// Bytes that one connection is read in one turn, so that none waits for another.
const READ_BYTES: usize = 64 * 1024;
/// Connections that are accepted in one turn.
const ACCEPT_MAX: usize = 256;
/// How long a connection that ends may take to send what it was given.
const LINGER: Duration = Duration::from_secs(2);
/// How long to wait when there are no more descriptors to accept with.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug)]
struct Conn {
    stream: TcpStream,
    out: Vec<u8>,
    sent: usize,
    connecting: bool,
    /// What it sends is not read, and fills the peer's window.
    held: bool,
    /// It ends at this time at the latest.
    closing: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Tcp {
    side: Side,
    listener: Option<TcpListener>,
    local: SocketAddr,
    conns: BTreeMap<PeerId, Conn>,
    /// Connections that were given something since they last sent.
    dirty: Vec<PeerId>,
    made: u64,
    accept_at: Instant,
    clock: Clock,
    buffer: Vec<u8>,
}

impl Tcp {
    pub(super) fn open(side: Side, clock: Clock) -> io::Result<Self> {
        let listener = match side {
            Side::Listen(address) => Some(listen(address)?),
            Side::Call(_) => None,
        };
        let local = match &listener {
            Some(listener) => listener.local_addr()?,
            None => SocketAddr::from(([0; 4], 0)),
        };
        Ok(Self {
            side,
            listener,
            local,
            conns: BTreeMap::new(),
            dirty: Vec::new(),
            made: 0,
            accept_at: Instant::ZERO,
            clock,
            buffer: vec![0; READ_BYTES],
        })
    }

    fn accept(&mut self, news: &mut Vec<News>) {
        for _ in 0..ACCEPT_MAX {
            let Some(listener) = &self.listener else { return };
            match listener.accept() {
                Ok((stream, address)) => {
                    let usable =
                        stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true));
                    if usable.is_ok() {
                        let id = self.insert(stream, address, false);
                        news.push(News::Opened(id));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // The peer has gone again, or there are no descriptors left: others may come.
                Err(error) => {
                    if error.kind() != io::ErrorKind::ConnectionAborted {
                        self.accept_at = self.clock.now() + ACCEPT_PAUSE;
                        return;
                    }
                }
            }
        }
    }

    fn insert(&mut self, stream: TcpStream, address: SocketAddr, connecting: bool) -> PeerId {
        self.made += 1;
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let id = PeerId { address, number: self.made };
        let (out, held, closing) = (Vec::new(), false, None);
        let conn = Conn { stream, out, sent: 0, connecting, held, closing };
        self.conns.insert(id, conn);
        id
    }

    /// Reads and writes what can be; false when the connection is over.
    fn turn(&mut self, id: PeerId, flags: PollFlags, news: &mut Vec<News>) -> bool {
        let Some(conn) = self.conns.get_mut(&id) else { return true };
        if conn.connecting {
            if flags.is_empty() {
                return true;
            }
            if !matches!(conn.stream.take_error(), Ok(None)) || conn.stream.peer_addr().is_err() {
                return false;
            }
            conn.connecting = false;
            if let Ok(local) = conn.stream.local_addr() {
                self.local = local;
            }
            news.push(News::Opened(id));
        }
        let end = flags.intersects(PollFlags::HUP | PollFlags::ERR);
        if end || (flags.intersects(PollFlags::IN) && !conn.held) {
            match conn.stream.read(&mut self.buffer) {
                Ok(0) => return false,
                Ok(len) if conn.closing.is_none() => {
                    news.push(News::Bytes(id, Lane::Talk, self.buffer[..len].to_vec()));
                }
                // What comes after the last word is thrown away.
                Ok(_) => {}
                Err(error) if is_patient(&error) => {}
                Err(_) => return false,
            }
        }
        self.write(id)
    }

    fn write(&mut self, id: PeerId) -> bool {
        let Some(conn) = self.conns.get_mut(&id).filter(|conn| !conn.connecting) else {
            return true;
        };
        while conn.sent < conn.out.len() {
            match conn.stream.write(&conn.out[conn.sent..]) {
                Ok(0) => return false,
                Ok(len) => conn.sent += len,
                Err(error) if is_patient(&error) => return true,
                Err(_) => return false,
            }
        }
        conn.out.clear();
        // An idle connection holds nothing.
        conn.out.shrink_to(4_096);
        conn.sent = 0;
        if conn.closing.is_some() {
            let _ = conn.stream.shutdown(Shutdown::Write);
        }
        true
    }
}

impl Carrier for Tcp {
    fn wire(&self) -> Wire {
        Wire::Stream
    }

    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn fds<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        if let Some(listener) = &self.listener {
            let open = self.clock.now() >= self.accept_at;
            fds.push(PollFd::new(listener, if open { PollFlags::IN } else { PollFlags::empty() }));
        }
        for conn in self.conns.values() {
            let write = conn.connecting || conn.sent < conn.out.len();
            let read = if conn.held { PollFlags::empty() } else { PollFlags::IN };
            let write = if write { PollFlags::OUT } else { PollFlags::empty() };
            fds.push(PollFd::new(&conn.stream, read | write));
        }
    }

    fn deadline(&self) -> Option<Instant> {
        if !self.dirty.is_empty() {
            return Some(Instant::ZERO);
        }
        let accept = Some(self.accept_at).filter(|&at| at > self.clock.now());
        self.conns.values().filter_map(|conn| conn.closing).chain(accept).min()
    }

    fn step(&mut self, ready: &[PollFlags], news: &mut Vec<News>) -> io::Result<()> {
        let ids: Vec<PeerId> = self.conns.keys().copied().collect();
        let own = usize::from(self.listener.is_some());
        let now = self.clock.now();
        for id in core::mem::take(&mut self.dirty) {
            if !self.write(id) {
                self.conns.remove(&id);
                news.push(News::Closed(id));
            }
        }
        for (at, id) in ids.into_iter().enumerate() {
            let flags = ready.get(own + at).copied().unwrap_or(PollFlags::empty());
            let late =
                self.conns.get(&id).is_some_and(|conn| conn.closing.is_some_and(|at| at <= now));
            let over = late || (!flags.is_empty() && !self.turn(id, flags, news));
            if over && self.conns.remove(&id).is_some() {
                news.push(News::Closed(id));
            }
        }
        if ready.first().is_some_and(|flags| flags.intersects(PollFlags::IN)) {
            self.accept(news);
        }
        Ok(())
    }

    fn connect(&mut self) -> io::Result<PeerId> {
        let Side::Call(peer) = self.side else { return Err(io::ErrorKind::Unsupported.into()) };
        self.conns.clear();
        let socket =
            socket2::Socket::new(Domain::for_address(peer), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&peer.into()) {
            Ok(()) => {}
            Err(error)
                if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
            Err(error) => return Err(error),
        }
        Ok(self.insert(socket.into(), peer, true))
    }

    fn has_room(&self, peer: PeerId, _: Lane) -> bool {
        self.conns.get(&peer).is_some_and(|conn| conn.out.len() - conn.sent < ROOM_BYTES)
    }

    fn send(&mut self, peer: PeerId, _: Lane, bytes: &[u8]) {
        let Some(conn) = self.conns.get_mut(&peer).filter(|conn| conn.closing.is_none()) else {
            return;
        };
        if conn.sent > ROOM_BYTES {
            conn.out.drain(..core::mem::take(&mut conn.sent));
        }
        if conn.sent == conn.out.len() {
            self.dirty.push(peer);
        }
        conn.out.extend_from_slice(bytes);
    }

    fn hold(&mut self, peer: PeerId, held: bool) {
        if let Some(conn) = self.conns.get_mut(&peer) {
            conn.held = held;
        }
    }

    fn close(&mut self, peer: PeerId) {
        if let Some(conn) = self.conns.get_mut(&peer) {
            conn.held = false;
            conn.closing = conn.closing.or(Some(self.clock.now() + LINGER));
            self.dirty.push(peer);
        }
    }

    fn has_work(&self) -> bool {
        self.conns.values().any(|conn| conn.sent < conn.out.len())
    }

    fn traffic(&self) -> Option<Traffic> {
        None
    }

    fn set_link(&mut self, _: &Profile) -> bool {
        false
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket =
        socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // Connections of a server that was killed linger for a minute, and should not keep out the next.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(4_096)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Whether trying again later is all there is to it.
fn is_patient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
