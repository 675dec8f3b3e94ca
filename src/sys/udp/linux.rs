//! Linux: `sendmmsg` and `recvmmsg`, with segmentation offload (`UDP_SEGMENT`) and coalescing
//! (`UDP_GRO`).

use core::net::SocketAddr;
use std::io;

use rustix::fd::{AsRawFd, BorrowedFd};

use super::{
    Arrival, Capabilities, Inbox, MESSAGE_BYTES_MAX, MESSAGES_MAX, Outgoing, System,
    control::{Control, UDP_GRO, UDP_SEGMENT},
    name::Name,
};

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Linux {
    v6: bool,
}

impl System for Linux {
    fn set_up(&mut self, socket: BorrowedFd<'_>, v6: bool) -> Capabilities {
        self.v6 = v6;
        let on = |level, option| calls::set_option(socket, level, option, 1).is_ok();
        let (ip, ip6) = (libc::IPPROTO_IP, libc::IPPROTO_IPV6);
        // A dual-stack socket takes both; an IPv6 socket without IPv4 ignores what it cannot use.
        let ecn = on(ip, libc::IP_RECVTOS);
        let info = on(ip, libc::IP_PKTINFO);
        let ecn = if v6 { on(ip6, libc::IPV6_RECVTCLASS) } else { ecn };
        let packet_info = if v6 { on(ip6, libc::IPV6_RECVPKTINFO) } else { info };
        Capabilities {
            // Asking for the size of segments tells whether the kernel knows of them.
            segmentation: calls::has_option(socket, libc::SOL_UDP, UDP_SEGMENT),
            coalescing: on(libc::SOL_UDP, UDP_GRO),
            ecn,
            packet_info,
            dont_fragment: false,
        }
    }

    fn send(&mut self, socket: BorrowedFd<'_>, batches: &[Outgoing<'_>]) -> io::Result<usize> {
        let batches = &batches[..batches.len().min(MESSAGES_MAX)];
        let mut names = [Name::EMPTY; MESSAGES_MAX];
        let mut controls = [Control::EMPTY; MESSAGES_MAX];
        let mut headers = calls::headers();
        let frames = names.iter_mut().zip(&mut controls).zip(&mut headers);
        for (batch, ((name, control), header)) in batches.iter().zip(frames) {
            let header = &mut header.msg_hdr;
            header.msg_iov = batch.parts.as_ptr().cast_mut().cast();
            header.msg_iovlen = batch.parts.len();
            let v6 = match batch.destination {
                Some(destination) => {
                    let (new, len) = Name::new(destination);
                    *name = new;
                    header.msg_name = name.as_mut_ptr().cast();
                    header.msg_namelen = u32::try_from(len).unwrap_or_default();
                    // An IPv4 address on a dual-stack socket leaves as IPv4, with its options.
                    destination.is_ipv6() && destination.ip().to_canonical().is_ipv6()
                }
                None => self.v6,
            };
            let len = control.outgoing(batch.segment, batch.ecn, batch.source, v6);
            if len > 0 {
                header.msg_control = control.as_mut_ptr().cast();
                header.msg_controllen = len;
            }
        }
        calls::send(socket, &mut headers[..batches.len()])
    }

    fn recv(&mut self, socket: BorrowedFd<'_>, inbox: &mut Inbox) -> io::Result<()> {
        inbox.count = 0;
        let mut names = [Name::EMPTY; MESSAGES_MAX];
        let mut controls = [Control::EMPTY; MESSAGES_MAX];
        let mut spaces = [const { calls::NO_SPACE }; MESSAGES_MAX];
        let mut headers = calls::headers();
        let chunks = inbox.space.chunks_exact_mut(MESSAGE_BYTES_MAX);
        let frames = names.iter_mut().zip(&mut controls).zip(&mut spaces).zip(&mut headers);
        for (chunk, (((name, control), space), header)) in chunks.zip(frames) {
            space.iov_base = chunk.as_mut_ptr().cast();
            space.iov_len = chunk.len();
            let header = &mut header.msg_hdr;
            header.msg_iov = space;
            header.msg_iovlen = 1;
            header.msg_name = name.as_mut_ptr().cast();
            header.msg_namelen = Name::LEN;
            header.msg_control = control.as_mut_ptr().cast();
            header.msg_controllen = Control::BYTES;
        }
        let count = calls::recv(socket, &mut headers)?;
        inbox.was_full = count == MESSAGES_MAX;
        for at in 0..count {
            let header = &headers[at];
            let told = controls[at].read(header.msg_hdr.msg_controllen);
            let len = (header.msg_len as usize).min(MESSAGE_BYTES_MAX);
            // Something that is not from an Internet address, or nothing at all, is passed over.
            let Some(source) = names[at].get() else { continue };
            let stride = told.stride.filter(|&stride| stride > 0).unwrap_or(len);
            inbox.arrivals[at] = Arrival { len, stride, source, local: told.local, ecn: told.ecn };
            inbox.count = at + 1;
        }
        Ok(())
    }
}

/// The system calls. Each takes slices and references, so that lengths and life times are those that
/// the compiler has checked.
#[expect(unsafe_code, reason = "no safe wrapper carries segmentation offload and its marks")]
mod calls {
    use super::{AsRawFd, BorrowedFd, MESSAGES_MAX, io};
    use core::{mem, ptr};

    pub(crate) const NO_SPACE: libc::iovec = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };

    /// Bytes of an `i32`.
    const INT: libc::socklen_t = 4;

    /// Headers of messages without anything.
    pub(crate) fn headers() -> [libc::mmsghdr; MESSAGES_MAX] {
        // SAFETY: integers and pointers, for which all zeros (null) is a value. Some targets have
        // padding fields without names, so that there is no other way to make one.
        unsafe { mem::zeroed() }
    }

    /// Sends messages. What their pointers point to is only read by the kernel.
    pub(crate) fn send(socket: BorrowedFd<'_>, headers: &mut [libc::mmsghdr]) -> io::Result<usize> {
        let count = u32::try_from(headers.len()).unwrap_or(u32::MAX);
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: the headers are `count` in number, and exclusive. Every pointer in them is null
        // with a length of zero, or was taken by the caller from an array that outlives the call,
        // with its length; an `IoSlice` has the layout of an `iovec`, as its documentation says.
        let sent =
            unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, flags as _) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    /// Takes messages that are there.
    pub(crate) fn recv(socket: BorrowedFd<'_>, headers: &mut [libc::mmsghdr]) -> io::Result<usize> {
        let count = u32::try_from(headers.len()).unwrap_or(u32::MAX);
        // SAFETY: as for `send`; what the kernel writes to (space, names, ancillary data) the caller
        // has borrowed mutably and does not touch in between. No time-out is a null pointer.
        let got = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                count,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        usize::try_from(got).map_err(|_| io::Error::last_os_error())
    }

    /// Takes an error that is kept, without the datagram that it is about.
    pub(crate) fn recv_error(socket: BorrowedFd<'_>, header: &mut libc::msghdr) -> io::Result<()> {
        let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
        // SAFETY: as for `recv`; there is no space for data, so that none is written.
        let got = unsafe { libc::recvmsg(socket.as_raw_fd(), header, flags) };
        if got < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// Sets an option that is a number.
    pub(crate) fn set_option(
        socket: BorrowedFd<'_>,
        level: i32,
        option: i32,
        value: i32,
    ) -> io::Result<()> {
        // SAFETY: the pointer and the length are those of `value`, which lives through the call.
        let result = unsafe {
            libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), INT)
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Gives the sockets that share an address a program that chooses among them by a datagram.
    pub(crate) fn choose_by(
        socket: BorrowedFd<'_>,
        program: &mut [libc::sock_filter],
    ) -> io::Result<()> {
        let len = u16::try_from(program.len()).unwrap_or(u16::MAX);
        let program = libc::sock_fprog { len, filter: program.as_mut_ptr() };
        let bytes = libc::socklen_t::try_from(size_of_val(&program)).unwrap_or(0);
        // SAFETY: the pointer and the length are those of `program`, which lives through the call, as
        // do the instructions that it points to, in the number that it says; the kernel copies them.
        let result = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_REUSEPORT_CBPF,
                (&raw const program).cast(),
                bytes,
            )
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Whether the system knows an option that is a number.
    pub(crate) fn has_option(socket: BorrowedFd<'_>, level: i32, option: i32) -> bool {
        let mut value = 0_i32;
        let mut len = INT;
        // SAFETY: the kernel writes at most `len` bytes to `value` and the length to `len`.
        let result = unsafe {
            let value = (&raw mut value).cast();
            libc::getsockopt(socket.as_raw_fd(), level, option, value, &raw mut len)
        };
        result == 0
    }
}

/// Keeps datagrams whole: one too long for the interface is refused (EMSGSIZE), one too long for the
/// path is dropped there. What the kernel believes about the path is not asked (RFC 8899 section 4.1
/// has the transport find out).
pub(crate) fn forbid_fragments(socket: BorrowedFd<'_>, v6: bool) -> bool {
    let four =
        calls::set_option(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE);
    let six = || {
        let probe = libc::IPV6_PMTUDISC_PROBE;
        calls::set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, probe)
    };
    if v6 { six().is_ok() } else { four.is_ok() }
}

/// Has the kernel keep what is said about datagrams that left, for [`take_error`].
pub(crate) fn keep_errors(socket: BorrowedFd<'_>, v6: bool) -> bool {
    let on = |level, option| calls::set_option(socket, level, option, 1).is_ok();
    let four = on(libc::IPPROTO_IP, libc::IP_RECVERR);
    if v6 { on(libc::IPPROTO_IPV6, libc::IPV6_RECVERR) } else { four }
}

/// The oldest error that the kernel keeps: what is wrong, and where the datagram was sent to.
pub(crate) fn take_error(socket: BorrowedFd<'_>) -> Option<(io::Error, SocketAddr)> {
    let (mut name, mut control) = (Name::EMPTY, Control::EMPTY);
    let [mut header, ..] = calls::headers();
    let header = &mut header.msg_hdr;
    header.msg_name = name.as_mut_ptr().cast();
    header.msg_namelen = Name::LEN;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = Control::BYTES;
    calls::recv_error(socket, header).ok()?;
    let errno = control.read(header.msg_controllen).errno?;
    Some((io::Error::from_raw_os_error(errno), name.get()?))
}

/// Asks for a buffer beyond the limit for everybody; only a privileged process gets one.
pub(crate) fn force_buffer(socket: BorrowedFd<'_>, recv: bool, bytes: usize) -> bool {
    let option = if recv { libc::SO_RCVBUFFORCE } else { libc::SO_SNDBUFFORCE };
    let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
    calls::set_option(socket, libc::SOL_SOCKET, option, bytes).is_ok()
}

/// Has the kernel choose among the sockets of an address, in the order in which they were bound, by
/// the connection ID: the same arithmetic as `ConnectionId::lane`, as a program of classic BPF.
pub(crate) fn steer_by_id(socket: BorrowedFd<'_>, lanes: u16) -> bool {
    let step = |code: u32, k: u32| libc::sock_filter {
        code: u16::try_from(code).unwrap_or(0),
        jt: 0,
        jf: 0,
        k,
    };
    // A datagram that is too short ends the program, which then says 0.
    let mut program = [
        step(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, LOW_BITS_AT),
        step(libc::BPF_ALU | libc::BPF_MOD | libc::BPF_K, lanes.into()),
        step(libc::BPF_RET | libc::BPF_A, 0),
    ];
    calls::choose_by(socket, &mut program).is_ok()
}

/// Where the low 16 bits of the connection ID lie, behind checksum, kind and the other six bytes.
const LOW_BITS_AT: u32 = 4 + 1 + 6;
