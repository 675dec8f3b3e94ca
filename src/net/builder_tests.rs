//! Streams over a system that fails in every way that sockets do.

use alloc::boxed::Box;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::{
    io::{Read, Write},
    thread,
};

use rustix::{fd::BorrowedFd, io::Errno};

use super::*;
use crate::sys::udp::{Capabilities, Inbox, Outgoing, Plain, System};

/// Every so many calls fail, after the first few that open the connection.
const EVERY: usize = 7;
const SPARED: usize = 20;

/// What a send may fail with, and what a receive may.
const SENDING: [Errno; 9] = [
    Errno::INTR,
    Errno::AGAIN,
    Errno::NOBUFS,
    Errno::MSGSIZE,
    Errno::NETUNREACH,
    Errno::HOSTUNREACH,
    Errno::CONNREFUSED,
    Errno::PERM,
    Errno::NETDOWN,
];
const RECEIVING: [Errno; 6] = [
    Errno::INTR,
    Errno::AGAIN,
    Errno::CONNREFUSED,
    Errno::HOSTUNREACH,
    Errno::NETDOWN,
    Errno::NOBUFS,
];

/// Does what the plain system does, unless it fails.
#[derive(Debug)]
struct Faulty {
    plain: Plain,
    calls: [usize; 2],
    failed: Arc<[AtomicUsize; SENDING.len() + RECEIVING.len()]>,
}

impl Faulty {
    fn fails(&mut self, way: usize, errnos: &[Errno]) -> io::Result<()> {
        self.calls[way] += 1;
        let call = self.calls[way];
        if call < SPARED || !call.is_multiple_of(EVERY) {
            return Ok(());
        }
        let which = call / EVERY % errnos.len();
        self.failed[which + way * SENDING.len()].fetch_add(1, Relaxed);
        Err(errnos[which].into())
    }
}

impl System for Faulty {
    fn set_up(&mut self, socket: BorrowedFd<'_>, v6: bool) -> Capabilities {
        self.plain.set_up(socket, v6)
    }
    fn send(&mut self, socket: BorrowedFd<'_>, batches: &[Outgoing<'_>]) -> io::Result<usize> {
        self.fails(0, &SENDING)?;
        self.plain.send(socket, batches)
    }
    fn recv(&mut self, socket: BorrowedFd<'_>, inbox: &mut Inbox) -> io::Result<()> {
        self.fails(1, &RECEIVING)?;
        self.plain.recv(socket, inbox)
    }
}

/// Whatever a call fails with is survived: the bytes arrive whole and in order, both ways.
#[test]
fn no_error_of_a_call_breaks_a_stream() {
    let listener = Listener::bind("127.0.0.1:0").unwrap();
    let peer = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut sink = stream.try_clone().unwrap();
        io::copy(&mut stream, &mut sink).unwrap();
    });
    let plain = SocketConfig { plain: true, ..SocketConfig::default() };
    let mut socket = Socket::bind_for(peer, &plain).unwrap();
    socket.connect(peer).unwrap();
    let failed = Arc::default();
    let faulty = Faulty { plain: Plain, calls: [0; 2], failed: Arc::clone(&failed) };
    socket.system = Box::new(faulty);
    let (connection, stream) = ConnectionBuilder::new().start_over(socket, peer, true).unwrap();
    let stream = Stream::new(connection, stream.unwrap());
    stream.connection().connected().unwrap();

    let data: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
    let (mut writer, sent) = (stream.try_clone().unwrap(), data.clone());
    let writing = thread::spawn(move || {
        writer.write_all(&sent).unwrap();
        writer.finish().unwrap();
    });
    let mut echo = Vec::new();
    (&stream).read_to_end(&mut echo).unwrap();
    assert!(echo == data, "{} of {} bytes", echo.len(), data.len());
    writing.join().unwrap();
    drop(stream);
    server.join().unwrap();
    for (count, errno) in failed.iter().zip(SENDING.iter().chain(&RECEIVING)) {
        assert!(count.load(Relaxed) > 0, "{errno} was never met");
    }
}
