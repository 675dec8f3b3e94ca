//! A UDP socket that the network cannot break.

use alloc::boxed::Box;
use core::{
    fmt,
    net::{IpAddr, SocketAddr, SocketAddrV6},
};
use std::{io, net::UdpSocket};

use rustix::fd::{AsFd, BorrowedFd};
use socket2::{Domain, Protocol, SockRef, Type};

use crate::sys::udp::{
    Best, Capabilities, Plain, System, forbid_fragments, force_buffer, keep_errors, steer_by_id,
    take_error,
};

/// What to ask of the system when a socket is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct SocketConfig {
    /// Bytes of the kernel's receive buffer; `None` leaves the system's default. The system may
    /// grant less (Linux: `net.core.rmem_max`).
    pub recv_buffer_bytes: Option<usize>,
    /// Bytes of the kernel's send buffer; `None` leaves the system's default.
    pub send_buffer_bytes: Option<usize>,
    /// Whether an IPv6 socket also takes IPv4 (RFC 3493, section 3.7). IPv4 peers then show up
    /// with their IPv4 addresses all the same.
    pub dual_stack: bool,
    /// Whether datagrams longer than the path may be cut into fragments on their way. Off unless
    /// asked for: one lost fragment loses the whole, and many routers drop them (RFC 8900).
    pub fragments: bool,
    /// Whether to do without the system's segmentation, coalescing and marks, where it has them, and
    /// without delivery by connection ID: one datagram a call, for comparison and for systems that do
    /// these badly.
    pub plain: bool,
    /// Whether other sockets may be bound to the same address, each of them taking a share of the
    /// peers (`SO_REUSEPORT`). All of them have to ask for it.
    pub share_port: bool,
}

/// A kernel buffer smaller than asked for: throughput suffers where a window is larger than it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferShortfall {
    /// Whether it is the receive buffer; else the send buffer.
    pub recv: bool,
    /// Bytes asked for.
    pub wanted_bytes: usize,
    /// Bytes granted.
    pub granted_bytes: usize,
}

impl fmt::Display for BufferShortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { recv, wanted_bytes, granted_bytes } = self;
        let (what, option) = if *recv { ("receive", "rmem") } else { ("send", "wmem") };
        write!(
            f,
            "the system granted a {what} buffer of {granted_bytes} bytes instead of {wanted_bytes}"
        )?;
        if cfg!(target_os = "linux") {
            write!(f, "; to allow more: sysctl -w net.core.{option}_max={wanted_bytes}")?;
        }
        Ok(())
    }
}

/// What a socket met so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketStats {
    /// Datagrams handed to the system.
    pub sent: u64,
    /// Datagrams taken from the system.
    pub received: u64,
    /// Times the send buffer was full; the datagram was kept.
    pub would_block: u64,
    /// Datagrams the system refused to send, other than for a full buffer: lost.
    pub send_errors: u64,
    /// Datagrams longer than the path or the system allows (EMSGSIZE): lost, and also counted in
    /// `send_errors`.
    pub too_long: u64,
    /// Errors reported on receiving, such as an ICMP port unreachable: no datagram, no harm.
    pub recv_errors: u64,
    /// Calls that sent datagrams, and that brought some.
    pub calls: u64,
    /// Times the system refused to cut a message into datagrams; they were sent one by one.
    pub offload_errors: u64,
    /// Times the peer's machine said that nobody listens on that port (ICMP port unreachable), on
    /// sending or receiving: also counted there. Told to connected sockets, and to those that
    /// [ask for it](Socket::hear_refusals).
    pub refused: u64,
    /// Times the address that it sent from was gone and it was connected anew from another.
    pub renewed: u64,
}

/// What became of a datagram that was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Sent {
    /// The system took it.
    Done,
    /// The send buffer is full: keep it and try again when the socket is writable.
    WouldBlock,
    /// The system refused it for this reason; to a protocol that is loss.
    Lost(io::ErrorKind),
}

/// A non-blocking UDP socket.
///
/// Errors that the network causes (ICMP port unreachable reported as a refused or reset connection,
/// no route, a datagram too long) are counted and survived. An `Err` means that the socket itself
/// is of no more use.
///
/// ```
/// use rdtp::net::{Sent, Socket, SocketConfig};
///
/// # fn main() -> std::io::Result<()> {
/// let mut a = Socket::bind("127.0.0.1:0".parse().unwrap(), &SocketConfig::default())?;
/// let to_itself = a.local_addr();
/// assert_eq!(a.send_to(b"hello", to_itself), Sent::Done);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Socket {
    pub(super) udp: UdpSocket,
    pub(super) local: SocketAddr,
    pub(super) peer: Option<SocketAddr>,
    pub(super) stats: SocketStats,
    /// How many datagrams at once get in and out.
    pub(super) system: Box<dyn System>,
    pub(super) capabilities: Capabilities,
    config: SocketConfig,
    /// Errors may be about other datagrams than the one at hand.
    hears_refusals: bool,
    /// It sends from another address than the endpoint knows.
    has_moved: bool,
}

impl Socket {
    /// How many errors in a row one call of [`recv_from`](Self::recv_from) swallows before it
    /// reports that nothing is there.
    pub const RECV_ERRORS_MAX: u32 = 16;
    /// The longest UDP payload over IPv4: 65,535 minus 20 and 8 bytes of headers.
    pub const DATAGRAM_BYTES_MAX: usize = 65_507;

    /// A socket bound to `address`; port 0 lets the system choose. Fails when the address is not
    /// this machine's or is taken.
    pub fn bind(address: SocketAddr, config: &SocketConfig) -> io::Result<Self> {
        let raw =
            socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            raw.set_only_v6(!config.dual_stack)?;
        }
        if config.share_port {
            rustix::net::sockopt::set_socket_reuseport(&raw, true)?;
        }
        raw.bind(&address.into())?;
        raw.set_nonblocking(true)?;
        let udp = UdpSocket::from(raw);
        set_buffers(&udp, config)?;
        let local = udp.local_addr()?;
        let capabilities = Capabilities {
            dont_fragment: !config.fragments && forbid_fragments(udp.as_fd(), local.is_ipv6()),
            ..Capabilities::default()
        };
        let (stats, system) = (SocketStats::default(), Box::new(Plain));
        Ok(Self {
            udp,
            local,
            peer: None,
            stats,
            system,
            capabilities,
            config: *config,
            hears_refusals: false,
            has_moved: false,
        })
    }

    /// A socket for `udp`, which is bound already: made by a service manager, or with options that
    /// [`SocketConfig`] does not have.
    pub fn from_std(udp: UdpSocket) -> io::Result<Self> {
        udp.set_nonblocking(true)?;
        let (local, peer) = (udp.local_addr()?, udp.peer_addr().ok());
        let (stats, system) = (SocketStats::default(), Box::new(Plain));
        let capabilities = Capabilities {
            dont_fragment: forbid_fragments(udp.as_fd(), local.is_ipv6()),
            ..Capabilities::default()
        };
        Ok(Self {
            udp,
            local,
            peer,
            stats,
            system,
            capabilities,
            config: SocketConfig::default(),
            hears_refusals: false,
            has_moved: false,
        })
    }

    /// A socket on a port of the system's choice that can talk to `peer`, over IPv4 or IPv6 as
    /// `peer` demands.
    pub fn bind_for(peer: SocketAddr, config: &SocketConfig) -> io::Result<Self> {
        let any = if peer.is_ipv4() { [0; 4].into() } else { IpAddr::from([0_u16; 8]) };
        Self::bind(SocketAddr::new(any, 0), config)
    }

    /// Binds the socket to one peer: the system then drops what others send, and reports the
    /// peer's ICMP errors, which are counted.
    pub fn connect(&mut self, peer: SocketAddr) -> io::Result<()> {
        self.udp.connect(self.on_the_wire(peer))?;
        self.peer = Some(peer);
        self.local = self.udp.local_addr()?;
        Ok(())
    }

    /// Has the system deliver what comes to this address to the socket that its connection ID names:
    /// the one that was bound as number [`ConnectionId::lane`]. False where that cannot be had.
    ///
    /// [`ConnectionId::lane`]: crate::wire::transport::ConnectionId::lane
    pub(super) fn steer(&self, lanes: u16) -> bool {
        steer_by_id(self.udp.as_fd(), lanes)
    }

    /// Whether it has one peer.
    pub(super) fn is_connected(&self) -> bool {
        self.peer.is_some()
    }

    /// Connects anew when the address that it sends from is not this machine's any more: a laptop has
    /// moved to another network. True when there is another one to send from. The peer learns of it by
    /// what comes from there.
    pub(super) fn renew(&mut self, error: &io::Error) -> bool {
        use rustix::io::Errno;
        let Some(peer) = self.peer else { return false };
        let is = |errno: Errno| error.raw_os_error() == Some(errno.raw_os_error());
        // The address is gone, or was gone when this was tried before.
        let may_be_gone =
            [Errno::INVAL, Errno::ADDRNOTAVAIL, Errno::NETUNREACH].into_iter().any(is);
        let is_gone = is(Errno::DESTADDRREQ)
            || (may_be_gone && UdpSocket::bind((self.local.ip(), 0)).is_err());
        if !is_gone || rustix::net::connect_unspec(&self.udp).is_err() {
            return false;
        }
        let is_renewed = self.connect(peer).is_ok();
        self.stats.renewed += u64::from(is_renewed);
        self.has_moved |= is_renewed;
        is_renewed
    }

    /// Whether it sends from another address than when this was last asked.
    pub(super) const fn take_move(&mut self) -> bool {
        core::mem::replace(&mut self.has_moved, false)
    }

    /// Asks to be told which peers' machines say that nobody listens there (ICMP port unreachable), on
    /// a socket that talks to many: see [`poll_refusal`](Self::poll_refusal), which has to be asked
    /// whenever the socket is ready. Only Linux can; false elsewhere.
    ///
    /// Whoever can guess both ports may lie: take one as a reason to ask, not as a proof (RFC 5927).
    pub fn hear_refusals(&mut self) -> bool {
        self.hears_refusals = keep_errors(self.udp.as_fd(), self.local.is_ipv6());
        self.hears_refusals
    }

    /// A peer at which nobody listens, as its machine said.
    pub fn poll_refusal(&mut self) -> Option<SocketAddr> {
        while self.hears_refusals {
            let (error, peer) = take_error(self.udp.as_fd())?;
            if error.kind() == io::ErrorKind::ConnectionRefused {
                self.stats.refused += 1;
                return Some(canonical(peer));
            }
        }
        None
    }

    /// Whether an error of a call is one that was kept, about a datagram that left before.
    pub(super) fn is_about_another(&self, error: &io::Error) -> bool {
        self.hears_refusals
            && self.peer.is_none()
            && is_from_the_network(error)
            && !is_too_long(error)
    }

    /// The address it is bound to, with the port the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// What it met so far.
    pub fn stats(&self) -> SocketStats {
        self.stats
    }

    /// The sizes of the kernel's receive and send buffers, in bytes, as granted.
    pub fn buffer_bytes(&self) -> io::Result<(usize, usize)> {
        let socket = SockRef::from(&self.udp);
        Ok((socket.recv_buffer_size()?, socket.send_buffer_size()?))
    }

    /// Buffers that are smaller than the configuration asked for: worth a warning, which its text is.
    pub fn shortfalls(&self) -> impl Iterator<Item = BufferShortfall> {
        let (recv, send) = self.buffer_bytes().unwrap_or((usize::MAX, usize::MAX));
        let wishes = [
            (true, self.config.recv_buffer_bytes, recv),
            (false, self.config.send_buffer_bytes, send),
        ];
        wishes.into_iter().filter_map(|(recv, wanted, granted_bytes)| {
            let wanted_bytes = wanted.filter(|&wanted| granted_bytes < wanted)?;
            Some(BufferShortfall { recv, wanted_bytes, granted_bytes })
        })
    }

    /// What the system does for this socket. Before a [`Driver`](super::Driver) has it, nothing but
    /// to keep datagrams whole.
    pub const fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// Switches on what the system can do with many datagrams at once, unless the configuration says
    /// otherwise. From then on one message may hold several datagrams, so that
    /// [`recv_from`](Self::recv_from) is of no more use.
    pub(super) fn set_up_batching(&mut self) {
        if self.config.plain {
            return;
        }
        let mut system = Box::new(Best::default());
        let found = system.set_up(self.udp.as_fd(), self.local.is_ipv6());
        let dont_fragment = self.capabilities.dont_fragment;
        self.capabilities = Capabilities { dont_fragment, ..found };
        self.system = system;
    }

    /// Sends one datagram. On a connected socket `destination` must be the peer.
    pub fn send_to(&mut self, datagram: &[u8], destination: SocketAddr) -> Sent {
        let mut others = 0;
        loop {
            let result = match self.peer {
                Some(_) => self.udp.send(datagram),
                None => self.udp.send_to(datagram, self.on_the_wire(destination)),
            };
            let Err(error) = result else {
                self.stats.sent += 1;
                return Sent::Done;
            };
            match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock => {
                    self.stats.would_block += 1;
                    return Sent::WouldBlock;
                }
                _ if self.renew(&error) => {}
                _ if others < Self::RECV_ERRORS_MAX && self.is_about_another(&error) => others += 1,
                kind => {
                    self.stats.send_errors += 1;
                    self.stats.refused += u64::from(kind == io::ErrorKind::ConnectionRefused);
                    self.stats.too_long += u64::from(is_too_long(&error));
                    return Sent::Lost(kind);
                }
            }
        }
    }

    /// Takes one datagram, if one is there, and says how long it is and who sent it. What does not
    /// fit into `buffer` is cut off.
    pub fn recv_from(&mut self, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        for _ in 0..Self::RECV_ERRORS_MAX {
            match self.udp.recv_from(buffer) {
                Ok((len, source)) => {
                    self.stats.received += 1;
                    return Ok(Some((len, canonical(source))));
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => return Ok(None),
                    kind if is_from_the_network(&error) => {
                        self.stats.recv_errors += 1;
                        self.stats.refused += u64::from(kind == io::ErrorKind::ConnectionRefused);
                    }
                    _ => return Err(error),
                },
            }
        }
        Ok(None)
    }

    /// The address in this socket's family: a dual-stack socket writes IPv4 as `::ffff:a.b.c.d`.
    pub(super) fn on_the_wire(&self, address: SocketAddr) -> SocketAddr {
        match address {
            SocketAddr::V4(v4) if self.local.is_ipv6() => {
                SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into()
            }
            _ => address,
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.udp.as_fd()
    }
}

/// An IPv4 address that a dual-stack socket wrapped, unwrapped.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::new(v4.into(), v6.port()),
            None => address,
        },
        SocketAddr::V4(_) => address,
    }
}

fn set_buffers(socket: &UdpSocket, config: &SocketConfig) -> io::Result<()> {
    let options = SockRef::from(socket);
    if let Some(bytes) = config.recv_buffer_bytes
        && !force_buffer(socket.as_fd(), true, bytes)
    {
        options.set_recv_buffer_size(bytes)?;
    }
    if let Some(bytes) = config.send_buffer_bytes
        && !force_buffer(socket.as_fd(), false, bytes)
    {
        options.set_send_buffer_size(bytes)?;
    }
    Ok(())
}

/// EMSGSIZE, for which `io::ErrorKind` has no name of its own.
pub(super) fn is_too_long(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error())
}

/// Whether a receive error tells of the path or a peer, not of this socket. A reset means that an
/// earlier datagram met a closed port: it says nothing about the datagrams still to come.
pub(super) fn is_from_the_network(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(
        error.kind(),
        K::ConnectionReset
            | K::ConnectionRefused
            | K::ConnectionAborted
            | K::HostUnreachable
            | K::NetworkUnreachable
            | K::NetworkDown
            | K::TimedOut
            | K::OutOfMemory
            | K::PermissionDenied
    ) || is_too_long(error)
        || NETWORK_ERRORS.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// What ICMP and a full interface come to on a socket, where `io::ErrorKind` has no name for it:
/// protocol unreachable, host unknown, host isolated, bad parameter, no buffer.
const NETWORK_ERRORS: [rustix::io::Errno; 5] = [
    rustix::io::Errno::NOPROTOOPT,
    rustix::io::Errno::HOSTDOWN,
    rustix::io::Errno::NONET,
    rustix::io::Errno::PROTO,
    rustix::io::Errno::NOBUFS,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Clock, Interest, wait};
    use alloc::vec;
    use core::time::Duration;

    fn local(ip: &str) -> Option<Socket> {
        let address = SocketAddr::new(ip.parse().unwrap(), 0);
        match Socket::bind(address, &SocketConfig::default()) {
            Ok(socket) => Some(socket),
            // A machine without IPv6 cannot show anything about it.
            Err(_) if address.is_ipv6() => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// The datagram that arrives within five seconds.
    fn receive(socket: &mut Socket, clock: &Clock) -> Option<(vec::Vec<u8>, SocketAddr)> {
        let limit = clock.now() + Duration::from_secs(5);
        let mut buffer = [0; 2048];
        loop {
            if let Some((len, source)) = socket.recv_from(&mut buffer).unwrap() {
                return Some((buffer[..len].to_vec(), source));
            }
            if clock.now() >= limit {
                return None;
            }
            wait(&[Interest::read(&*socket)], Some(limit), clock).unwrap();
        }
    }

    fn survives_a_closed_port(ip: &str) {
        let clock = Clock::start();
        let (Some(mut alive), Some(gone)) = (local(ip), local(ip)) else { return };
        let address = gone.local_addr();
        alive.connect(address).unwrap();
        drop(gone);
        // On loopback the ICMP answer is there when the call returns.
        assert_eq!(alive.send_to(b"anyone?", address), Sent::Done);
        let mut buffer = [0; 16];
        assert_eq!(alive.recv_from(&mut buffer).unwrap(), None);
        if cfg!(target_os = "linux") {
            assert_eq!(alive.stats().recv_errors, 1, "the ICMP error was to be seen");
        }
        // The refusal may also be reported by a send, which then has not sent.
        let _ = alive.send_to(b"hello?", address);
        assert!(matches!(alive.send_to(b"hello?", address), Sent::Done | Sent::Lost(_)));
        // The port comes to life again, and so does the conversation.
        let mut back = Socket::bind(address, &SocketConfig::default()).unwrap();
        while alive.send_to(b"welcome", address) != Sent::Done {}
        let source = alive.local_addr();
        assert_eq!(receive(&mut back, &clock), Some((b"welcome".to_vec(), source)));
        assert_eq!(back.send_to(b"thanks", source), Sent::Done);
        assert_eq!(receive(&mut alive, &clock), Some((b"thanks".to_vec(), address)));
    }

    #[test]
    fn icmp_port_unreachable_is_survived_over_ipv4() {
        survives_a_closed_port("127.0.0.1");
    }

    #[test]
    fn icmp_port_unreachable_is_survived_over_ipv6() {
        survives_a_closed_port("::1");
    }

    /// Each refusal names its peer, and costs the others nothing.
    #[cfg(target_os = "linux")]
    fn tells_who_is_gone(ip: &str) {
        let clock = Clock::start();
        let sockets = (local(ip), local(ip), local(ip));
        let (Some(mut server), Some(mut here), Some(gone)) = sockets else { return };
        assert!(server.hear_refusals());
        let (there, nowhere) = (here.local_addr(), gone.local_addr());
        drop(gone);
        for _ in 0..3 {
            assert_eq!(server.send_to(b"anyone?", nowhere), Sent::Done);
            assert_eq!(server.send_to(b"hello", there), Sent::Done);
            let received = receive(&mut here, &clock).unwrap();
            assert_eq!(received, (b"hello".to_vec(), server.local_addr()));
            assert_eq!(server.poll_refusal(), Some(nowhere));
            assert_eq!(server.poll_refusal(), None);
        }
        assert_eq!((server.stats().refused, server.stats().send_errors), (3, 0));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_socket_with_many_peers_hears_who_is_gone() {
        ["127.0.0.1", "::1"].into_iter().for_each(tells_who_is_gone);
    }

    #[test]
    fn a_datagram_too_long_is_loss() {
        let mut socket = local("127.0.0.1").unwrap();
        let to = socket.local_addr();
        let sent = socket.send_to(&vec![0; Socket::DATAGRAM_BYTES_MAX + 1], to);
        assert!(matches!(sent, Sent::Lost(_)), "{sent:?}");
        assert_eq!((socket.stats().too_long, socket.stats().send_errors), (1, 1));
        assert_eq!(socket.send_to(b"short", to), Sent::Done);
    }

    #[test]
    fn port_zero_as_a_destination_is_loss() {
        let mut socket = local("127.0.0.1").unwrap();
        let sent = socket.send_to(b"x", "127.0.0.1:0".parse().unwrap());
        assert!(matches!(sent, Sent::Lost(_)), "{sent:?}");
    }

    #[test]
    fn a_dual_stack_socket_shows_ipv4_peers_as_ipv4() {
        let clock = Clock::start();
        let config = SocketConfig { dual_stack: true, ..SocketConfig::default() };
        let Ok(mut both) = Socket::bind("[::]:0".parse().unwrap(), &config) else { return };
        let mut four = local("127.0.0.1").unwrap();
        let to = SocketAddr::new([127, 0, 0, 1].into(), both.local_addr().port());
        assert_eq!(four.send_to(b"ping", to), Sent::Done);
        let (bytes, source) = receive(&mut both, &clock).unwrap();
        assert_eq!((&bytes[..], source), (&b"ping"[..], four.local_addr()));
        assert_eq!(both.send_to(b"pong", source), Sent::Done);
        assert_eq!(receive(&mut four, &clock), Some((b"pong".to_vec(), to)));
    }

    #[test]
    fn buffers_are_as_asked_or_as_the_system_allows() {
        let config = SocketConfig {
            recv_buffer_bytes: Some(64 * 1024),
            send_buffer_bytes: Some(64 * 1024),
            ..SocketConfig::default()
        };
        let socket = Socket::bind("127.0.0.1:0".parse().unwrap(), &config).unwrap();
        let (recv, send) = socket.buffer_bytes().unwrap();
        assert!(recv >= 64 * 1024 && send >= 64 * 1024, "{recv} {send}");
    }
}
