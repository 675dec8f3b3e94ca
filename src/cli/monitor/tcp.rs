//! Monitor and answer over TCP: each message behind its length, two bytes, big-endian.

use core::net::SocketAddr;
use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

use rdtp::{
    app::monitor::{EchoEvent, Format, MESSAGE_BYTES_MAX, Monitor, answer},
    net::{Clock, Interest, wait},
    time::Instant,
};
use socket2::{Domain, Protocol, Socket, Type};

use super::bell::Bell;

/// Bytes that wait to be sent to a peer that does not read, before it is given up.
const UNSENT_BYTES_MAX: usize = 4_096;

/// A stream as messages, with what has arrived of the next one and what has not left of the last.
struct Framed {
    stream: TcpStream,
    arrived: Vec<u8>,
    unsent: Vec<u8>,
}

impl Framed {
    fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, arrived: Vec::new(), unsent: Vec::new() })
    }

    fn interest(&self) -> Interest<'_> {
        Interest::read(&self.stream).and_write(!self.unsent.is_empty())
    }

    /// Reads what is there and hands over each message; an error when the stream has ended.
    fn read(&mut self, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        let mut space = [0; 512];
        loop {
            match self.stream.read(&mut space) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => self.arrived.extend_from_slice(&space[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            while let Some((&[high, low], rest)) = self.arrived.split_first_chunk() {
                let len = usize::from(u16::from_be_bytes([high, low]));
                if len > MESSAGE_BYTES_MAX {
                    return Err(io::Error::new(ErrorKind::InvalidData, "no message of a monitor"));
                }
                let Some(message) = rest.get(..len) else { break };
                take(message);
                self.arrived.drain(..2 + len);
            }
        }
    }

    fn write(&mut self, message: &[u8]) -> io::Result<()> {
        let len = u16::try_from(message.len()).map_err(|_| ErrorKind::InvalidInput)?;
        if self.unsent.len() > UNSENT_BYTES_MAX {
            return Err(io::Error::new(ErrorKind::TimedOut, "the peer does not read"));
        }
        self.unsent.extend_from_slice(&len.to_be_bytes());
        self.unsent.extend_from_slice(message);
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(len) => drop(self.unsent.drain(..len)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Where the connection is.
enum Line {
    Down,
    /// It is being set up, for a probe that is due since then.
    Connecting(TcpStream, Instant),
    Up(Framed),
}

/// A [`Monitor`] over a connection, which is set up again for the next probe when it has ended. The
/// time that setting it up takes is not part of a round trip.
pub(super) struct TcpWay {
    monitor: Monitor,
    peer: SocketAddr,
    clock: Clock,
    line: Line,
    trouble: Option<String>,
}

impl TcpWay {
    pub(super) fn new(monitor: Monitor, peer: SocketAddr, clock: Clock) -> Self {
        Self { monitor, peer, clock, line: Line::Down, trouble: None }
    }

    pub(super) fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    pub(super) fn monitor_mut(&mut self) -> &mut Monitor {
        &mut self.monitor
    }

    /// Why the last probe went unanswered, if more is known than silence.
    pub(super) fn take_trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// Waits until a reply arrives, something is due or the bell rings, and does what is to be done.
    pub(super) fn turn(&mut self, bell: &Bell, until: Option<Instant>) -> io::Result<()> {
        let due = match &self.line {
            // While it is being set up no probe can leave, however due it is.
            Line::Connecting(_, since) => Some(*since + self.monitor.config().timeout),
            Line::Down | Line::Up(_) => self.monitor.poll_timeout(),
        };
        let until = due.into_iter().chain(until).min();
        match &self.line {
            Line::Down => wait(&[bell.interest()], until, &self.clock)?,
            Line::Connecting(stream, _) => {
                let room = Interest::read(stream).and_write(true);
                wait(&[bell.interest(), room], until, &self.clock)?;
            }
            Line::Up(framed) => wait(&[bell.interest(), framed.interest()], until, &self.clock)?,
        }
        self.step();
        Ok(())
    }

    fn step(&mut self) {
        let now = self.clock.now();
        self.monitor.handle_timeout(now);
        self.line = match core::mem::replace(&mut self.line, Line::Down) {
            Line::Down => Line::Down,
            Line::Connecting(stream, since) => self.connecting(now, stream, since),
            Line::Up(mut framed) => {
                let heard = framed.read(|message| {
                    self.monitor.handle_message(now, message);
                });
                match heard.and_then(|()| framed.flush()) {
                    Ok(()) => Line::Up(framed),
                    Err(error) => self.broken(now, &error),
                }
            }
        };
        if self.monitor.next_at().is_some_and(|at| at <= now) {
            self.send(now);
        }
    }

    /// Sends the probe that is due, or begins to set up the connection for it.
    fn send(&mut self, now: Instant) {
        if matches!(self.line, Line::Down) {
            match connect(self.peer) {
                Ok(stream) => self.line = Line::Connecting(stream, now),
                Err(error) => self.give_up_probe(now, &error),
            }
        }
        let Line::Up(framed) = &mut self.line else { return };
        let Some(probe) = self.monitor.poll_message(now) else { return };
        if let Err(error) = framed.write(&probe) {
            self.line = self.broken(now, &error);
        }
    }

    fn connecting(&mut self, now: Instant, stream: TcpStream, since: Instant) -> Line {
        let failed = match stream.take_error() {
            Ok(None) => None,
            Ok(Some(error)) | Err(error) => Some(error),
        };
        if let Some(error) = failed {
            self.give_up_probe(now, &error);
            return Line::Down;
        }
        if stream.peer_addr().is_ok() {
            return match Framed::new(stream) {
                Ok(framed) => Line::Up(framed),
                Err(error) => self.broken(now, &error),
            };
        }
        if since + self.monitor.config().timeout <= now {
            self.give_up_probe(now, &ErrorKind::TimedOut.into());
            return Line::Down;
        }
        Line::Connecting(stream, since)
    }

    /// The probe that is due cannot be sent.
    fn give_up_probe(&mut self, now: Instant, error: &io::Error) {
        let _ = self.monitor.poll_message(now);
        self.monitor.handle_unreachable(now);
        self.trouble = Some(plain(error));
    }

    fn broken(&mut self, now: Instant, error: &io::Error) -> Line {
        self.monitor.handle_unreachable(now);
        self.trouble = Some(plain(error));
        Line::Down
    }
}

/// An error without its number.
fn plain(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof => "the peer has closed the connection".to_owned(),
        ErrorKind::TimedOut => "no connection in time".to_owned(),
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or(&text).to_lowercase()
        }
    }
}

/// Begins to set up a connection, without waiting for it.
fn connect(peer: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(peer), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    match socket.connect(&peer.into()) {
        Ok(()) => {}
        // How the system says that it has begun (EINPROGRESS).
        Err(error)
            if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        Err(error) => return Err(error),
    }
    Ok(socket.into())
}

/// The most monitors that are answered at the same time; another one takes the place of that which
/// was quiet longest.
const CLIENTS_MAX: usize = 256;

/// Answers probes over as many connections as come.
pub(super) struct TcpEcho {
    listener: TcpListener,
    clients: Vec<Client>,
    clock: Clock,
}

struct Client {
    framed: Framed,
    peer: SocketAddr,
    heard_at: Instant,
}

impl TcpEcho {
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, clients: Vec::new(), clock: Clock::start() })
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Waits until something arrives or the bell rings, and answers it.
    pub(super) fn turn(&mut self, bell: &Bell, mut tell: impl FnMut(EchoEvent)) -> io::Result<()> {
        let mut interests = vec![bell.interest(), Interest::read(&self.listener)];
        interests.extend(self.clients.iter().map(|client| client.framed.interest()));
        wait(&interests, None, &self.clock)?;
        drop(interests);
        // Whoever went before he was accepted is no error of this socket.
        while let Ok((stream, peer)) = self.listener.accept() {
            self.welcome(stream, peer);
        }
        let now = self.clock.now();
        self.clients.retain_mut(|client| client.serve(now, &mut tell).is_ok());
        Ok(())
    }

    fn welcome(&mut self, stream: TcpStream, peer: SocketAddr) {
        let Ok(()) = stream.set_nonblocking(true) else { return };
        let Ok(framed) = Framed::new(stream) else { return };
        if self.clients.len() >= CLIENTS_MAX {
            let quiet = (0..self.clients.len()).min_by_key(|&at| self.clients[at].heard_at);
            quiet.map(|at| self.clients.swap_remove(at));
        }
        self.clients.push(Client { framed, peer, heard_at: self.clock.now() });
    }
}

impl Client {
    fn serve(&mut self, now: Instant, tell: &mut impl FnMut(EchoEvent)) -> io::Result<()> {
        let mut replies = Vec::new();
        let (peer, heard_at) = (self.peer, &mut self.heard_at);
        let heard = self.framed.read(|message| {
            *heard_at = now;
            match answer(Format::Token, message) {
                Some(reply) => replies.push(reply),
                None => tell(EchoEvent::Ignored(peer)),
            }
        });
        for reply in replies {
            self.framed.write(&reply)?;
            tell(EchoEvent::Answered(peer));
        }
        heard.and_then(|()| self.framed.flush())
    }
}
