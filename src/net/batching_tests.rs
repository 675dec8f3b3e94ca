//! Batches over loopback, and over a system that refuses what real ones refuse now and then.

use alloc::{boxed::Box, collections::VecDeque, sync::Arc, vec, vec::Vec};
use core::time::Duration;
use std::sync::Mutex;

use rustix::fd::BorrowedFd;

use super::*;
use crate::{
    ecn::Ecn,
    net::{Capabilities, Clock, Interest, SocketConfig, wait},
    sys::udp::{Arrival, System},
};

/// Says what it is told to, call by call, and keeps what it was given.
#[derive(Clone, Debug, Default)]
struct Script(Arc<Mutex<(Answers, Vec<Vec<u8>>)>>);

type Answers = VecDeque<Result<usize, Errno>>;

impl System for Script {
    fn set_up(&mut self, _: BorrowedFd<'_>, _: bool) -> Capabilities {
        Capabilities::default()
    }
    fn send(&mut self, _: BorrowedFd<'_>, batches: &[Outgoing<'_>]) -> io::Result<usize> {
        let mut script = self.0.lock().unwrap();
        let count = script.0.pop_front().unwrap_or(Ok(usize::MAX))?.min(batches.len());
        for batch in &batches[..count] {
            script.1.push(batch.parts.iter().flat_map(|part| part.to_vec()).collect());
        }
        Ok(count)
    }
    fn recv(&mut self, _: BorrowedFd<'_>, inbox: &mut Inbox) -> io::Result<()> {
        inbox.clear();
        Ok(())
    }
}

fn loopback(ip: &str, config: SocketConfig) -> Option<Socket> {
    let mut socket = Socket::bind(SocketAddr::new(ip.parse().unwrap(), 0), &config).ok()?;
    socket.set_up_batching();
    Some(socket)
}

fn scripted(answers: &[Result<usize, Errno>]) -> (Socket, Script) {
    let mut socket = loopback("127.0.0.1", SocketConfig::default()).unwrap();
    let script = Script::default();
    script.0.lock().unwrap().0.extend(answers);
    socket.system = Box::new(script.clone());
    socket.capabilities.segmentation = true;
    (socket, script)
}

fn batch<'a>(socket: &Socket, parts: &'a [IoSlice<'a>], segment: u16) -> Outgoing<'a> {
    let destination = Some(socket.local_addr());
    Outgoing { parts, segment: Some(segment), destination, ..Outgoing::NONE }
}

/// Everything that arrives within five seconds, until there are `count`.
fn receive(socket: &mut Socket, count: usize) -> Vec<(Vec<u8>, Arrival)> {
    let clock = Clock::start();
    let limit = clock.now() + Duration::from_secs(5);
    let mut inbox = Inbox::new();
    let mut got = Vec::new();
    while got.len() < count && clock.now() < limit {
        wait(&[Interest::read(&*socket)], Some(limit), &clock).unwrap();
        socket.recv_batch(&mut inbox).unwrap();
        for (message, arrival) in inbox.messages() {
            got.extend(
                message.chunks(arrival.stride).map(|datagram| (datagram.to_vec(), *arrival)),
            );
        }
    }
    got
}

fn arrive_whole(ip: &str, config: SocketConfig) {
    let (Some(mut from), Some(mut to)) = (loopback(ip, config), loopback(ip, config)) else {
        return;
    };
    let bytes: Vec<u8> = (0..=255).cycle().take(2500).collect();
    // In two parts that do not end where datagrams end.
    let parts = [IoSlice::new(&bytes[..1300]), IoSlice::new(&bytes[1300..])];
    let one = [IoSlice::new(b"one")];
    let ecn = Ecn::Ect0;
    let destination = Some(to.local_addr());
    let source = Some(from.local_addr().ip());
    let many = Outgoing { parts: &parts, segment: Some(1000), destination, source, ecn };
    let single = Outgoing { parts: &one, segment: None, ..many };
    assert_eq!(from.send_batches(&[many, single]), Progress { batches: 2, bytes: 0 });
    let got = receive(&mut to, 4);
    let datagrams: Vec<&[u8]> = got.iter().map(|(bytes, _)| &bytes[..]).collect();
    let expected = [&bytes[..1000], &bytes[1000..2000], &bytes[2000..], b"one"];
    assert_eq!(datagrams, expected);
    let told = to.capabilities();
    for (_, arrival) in &got {
        assert_eq!(arrival.source, from.local_addr());
        assert_eq!(arrival.ecn, if told.ecn { ecn } else { Ecn::NotEct });
        assert_eq!(arrival.local, told.packet_info.then(|| to.local_addr().ip()));
    }
    assert_eq!((from.stats().sent, to.stats().received), (4, 4));
}

#[test]
fn batches_arrive_whole_with_their_marks() {
    for ip in ["127.0.0.1", "::1"] {
        arrive_whole(ip, SocketConfig::default());
        arrive_whole(ip, SocketConfig { plain: true, ..SocketConfig::default() });
    }
}

#[test]
fn a_dual_stack_socket_marks_and_reads_ipv4() {
    let config = SocketConfig { dual_stack: true, ..SocketConfig::default() };
    let (Some(mut both), Some(mut four)) =
        (loopback("::", config), loopback("127.0.0.1", SocketConfig::default()))
    else {
        return;
    };
    let parts = [IoSlice::new(b"marked")];
    let destination = both.wire_destination(four.local_addr());
    let out = Outgoing { parts: &parts, destination, ecn: Ecn::Ect1, ..Outgoing::NONE };
    assert_eq!(both.send_batches(&[out]).batches, 1);
    let (bytes, arrival) = receive(&mut four, 1).remove(0);
    assert_eq!(bytes, b"marked");
    assert_eq!(arrival.ecn, if both.capabilities().ecn { Ecn::Ect1 } else { Ecn::NotEct });
    let destination = Some(SocketAddr::new([127, 0, 0, 1].into(), both.local_addr().port()));
    assert_eq!(four.send_batches(&[Outgoing { destination, ..out }]).batches, 1);
    let (_, arrival) = receive(&mut both, 1).remove(0);
    assert_eq!(arrival.source, four.local_addr(), "as IPv4");
    let local = both.capabilities().packet_info.then(|| [127, 0, 0, 1].into());
    assert_eq!(arrival.local, local, "as IPv4");
}

#[test]
fn what_the_system_does_not_cut_is_cut_here() {
    let answers = [Err(Errno::IO), Ok(1), Ok(1), Ok(1), Ok(1)];
    let (mut socket, script) = scripted(&answers);
    let parts = [IoSlice::new(b"abcde"), IoSlice::new(b"fgh")];
    let two = [batch(&socket, &parts, 3), batch(&socket, &parts, 4)];
    assert_eq!(socket.send_batches(&two), Progress { batches: 2, bytes: 0 });
    let sent: Vec<Vec<u8>> = script.0.lock().unwrap().1.clone();
    assert_eq!(sent, [&b"abc"[..], b"def", b"gh", b"abcd", b"efgh"]);
    assert!(!socket.capabilities().segmentation, "not tried again");
    assert_eq!((socket.stats().offload_errors, socket.stats().sent), (1, 5));
}

#[test]
fn segments_too_long_for_the_path_do_not_switch_the_offload_off() {
    let answers = [Err(Errno::MSGSIZE), Err(Errno::MSGSIZE), Err(Errno::MSGSIZE), Ok(1)];
    let (mut socket, script) = scripted(&answers);
    let parts = [IoSlice::new(b"abcdef")];
    let two = [batch(&socket, &parts, 3), batch(&socket, &parts, 6)];
    assert_eq!(socket.send_batches(&two), Progress { batches: 2, bytes: 0 });
    assert_eq!((socket.stats().too_long, socket.stats().send_errors), (2, 2));
    assert!(socket.capabilities().segmentation);
    assert_eq!(script.0.lock().unwrap().1, [b"abcdef"]);
}

#[test]
fn a_full_buffer_stops_where_it_is() {
    let answers = [Ok(1), Err(Errno::AGAIN), Err(Errno::IO), Ok(1), Err(Errno::AGAIN)];
    let (mut socket, _) = scripted(&answers);
    let parts = [IoSlice::new(b"abcdef")];
    let two = vec![batch(&socket, &parts, 2); 2];
    assert_eq!(socket.send_batches(&two), Progress { batches: 1, bytes: 0 });
    assert_eq!(socket.send_batches(&two[1..]), Progress { batches: 0, bytes: 2 });
}

#[test]
fn other_errors_lose_one_batch_and_no_more() {
    for errno in [Errno::NOBUFS, Errno::NETUNREACH, Errno::CONNREFUSED, Errno::PERM] {
        let (mut socket, script) = scripted(&[Err(errno), Err(Errno::INTR), Ok(1)]);
        let parts = [IoSlice::new(b"abcd")];
        let two = vec![batch(&socket, &parts, 2); 2];
        assert_eq!(socket.send_batches(&two), Progress { batches: 2, bytes: 0 });
        assert_eq!((socket.stats().send_errors, socket.stats().sent), (2, 2), "{errno:?}");
        assert_eq!(script.0.lock().unwrap().1.len(), 1);
    }
}

#[test]
fn parts_are_cut_anywhere() {
    let parts = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cdef")];
    for start in 0..6 {
        for len in 1..=6 - start {
            let got: Vec<u8> = cut(&parts, start, len).flat_map(|part| part.to_vec()).collect();
            assert_eq!(got, b"abcdef"[start..start + len]);
        }
    }
}
