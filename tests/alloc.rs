//! Memory of the transport, counted: nothing is allocated for a packet once a transfer is under way,
//! and an idle connection is small.
//!
//! A test binary of its own, since `allocation-counter` sets the allocator of the whole process.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use core::{net::SocketAddr, time::Duration};

use allocation_counter::measure;
use rdtp::{
    batch::Batch,
    endpoint::{Endpoint, RecvMeta},
    rng::Seed,
    time::Instant,
    transport::{
        cookie::Secret,
        host::{Host, HostConfig},
        message::{MessageConfig, MessageReceiver, MessageSender},
    },
    wire::transport::{ConnectionId, StreamId},
};

const ADDRESSES: [&str; 2] = ["10.0.0.1:7", "10.0.0.2:7"];
const DELAY: Duration = Duration::from_millis(10);
/// Packets of a turn that the buffers of the wire hold.
const SLOTS: usize = 4096;

/// Two hosts and a wire of 10 ms whose memory is taken once.
struct Pair {
    hosts: [Host; 2],
    addresses: [SocketAddr; 2],
    now: Instant,
    /// What is on its way to each node: a ring of datagrams.
    ways: [Way; 2],
    space: Vec<u8>,
    out: Vec<u8>,
    datagrams: u64,
}

struct Way {
    slots: Vec<(Instant, usize, [u8; 1500])>,
    head: usize,
    tail: usize,
}

impl Way {
    fn push(&mut self, at: Instant, datagram: &[u8]) {
        assert!(self.tail - self.head < SLOTS, "the wire is full");
        let slot = &mut self.slots[self.tail % SLOTS];
        (slot.0, slot.1) = (at, datagram.len());
        slot.2[..datagram.len()].copy_from_slice(datagram);
        self.tail += 1;
    }

    fn next(&self) -> Option<Instant> {
        (self.head < self.tail).then(|| self.slots[self.head % SLOTS].0)
    }
}

impl Pair {
    fn new() -> Self {
        let host = |n: u8| {
            Host::new(HostConfig::default(), Secret::new([n; 16]), Seed::new(n.into())).unwrap()
        };
        let way = || Way { slots: vec![(Instant::ZERO, 0, [0; 1500]); SLOTS], head: 0, tail: 0 };
        Self {
            hosts: [host(1), host(2)],
            addresses: ADDRESSES.map(|address| address.parse().unwrap()),
            now: Instant::ZERO,
            ways: [way(), way()],
            space: vec![0; 65_536],
            out: vec![0; 65_536],
            datagrams: 0,
        }
    }

    fn send(&mut self, node: usize) {
        loop {
            let mut batch = Batch::new(&mut self.space);
            if self.hosts[node].poll_transmit(self.now, &mut batch).is_none() {
                return;
            }
            for datagram in batch.segments() {
                self.ways[1 - node].push(self.now + DELAY, datagram);
                self.datagrams += 1;
            }
        }
    }

    /// Moves to the next thing that happens; false when there is nothing until `end`.
    fn step(&mut self, end: Instant) -> bool {
        (0..2).for_each(|node| self.send(node));
        let timers = self.hosts.iter().filter_map(Endpoint::poll_timeout);
        let arrivals = self.ways.iter().filter_map(Way::next);
        let Some(next) = timers.chain(arrivals).min().filter(|next| *next <= end) else {
            self.now = end;
            return false;
        };
        self.now = self.now.max(next);
        for node in 0..2 {
            while self.ways[node].next().is_some_and(|at| at <= self.now) {
                let way = &mut self.ways[node];
                let (_, len, datagram) = &way.slots[way.head % SLOTS];
                way.head += 1;
                let meta = RecvMeta::from(self.addresses[1 - node]);
                let _ = self.hosts[node].handle_datagram(self.now, meta, &datagram[..*len]);
            }
            self.hosts[node].handle_timeout(self.now);
            while self.hosts[node].poll_event().is_some() {}
        }
        true
    }

    fn settle(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
    }

    /// Sends 64 bytes on a stream, has the other side read them and send them back, and reads those.
    fn echo(&mut self, id: ConnectionId, stream: StreamId) {
        const DATA: [u8; 64] = [7; 64];
        self.hosts[0].get_mut(id).unwrap().write(stream, &DATA).unwrap();
        self.settle(4 * DELAY);
        let remote = self.hosts[0].get(id).unwrap().remote_id();
        for (node, id) in [(1, remote), (0, id)] {
            let connection = self.hosts[node].get_mut(id).unwrap();
            let mut out = [0; 100];
            assert_eq!(connection.read(self.now, stream, &mut out), Ok(DATA.len()));
            assert_eq!(out[..DATA.len()], DATA);
            if node == 1 {
                connection.write(stream, &DATA).unwrap();
                self.settle(2 * DELAY);
            }
        }
    }

    /// Keeps the stream full and reads it empty for a while; returns the bytes that arrived.
    fn bulk(&mut self, ids: [ConnectionId; 2], stream: StreamId, time: Duration) -> u64 {
        let end = self.now + time;
        let data = [7; 1024];
        let mut got = 0;
        loop {
            let sender = self.hosts[0].get_mut(ids[0]).unwrap();
            for _ in 0..256 {
                if sender.write(stream, &data).is_err() {
                    break;
                }
            }
            if !self.step(end) {
                return got;
            }
            let receiver = self.hosts[1].get_mut(ids[1]).unwrap();
            while let Ok(len) = receiver.read(self.now, stream, &mut self.out) {
                got += len as u64;
            }
        }
    }
}

/// No allocation in a second of a transfer that is limited by its buffers.
#[test]
fn bulk_transfer_allocates_nothing() {
    let mut pair = Pair::new();
    let id = pair.hosts[0].open(pair.now, pair.addresses[1]);
    let stream = pair.hosts[0].get_mut(id).unwrap().open_stream(0).unwrap();
    pair.hosts[0].get_mut(id).unwrap().write(stream, b"x").unwrap();
    pair.settle(Duration::from_secs(1));
    let peer = pair.hosts[1].connections().next().unwrap().0;
    pair.bulk([id, peer], stream, Duration::from_secs(2));
    let before = pair.datagrams;
    let mut got = 0;
    let counted = measure(|| got = pair.bulk([id, peer], stream, Duration::from_secs(1)));
    let datagrams = pair.datagrams - before;
    println!("{datagrams} datagrams, {got} bytes: {counted:?}");
    assert!(datagrams > 10_000 && got > 10_000_000, "{datagrams} datagrams, {got} bytes");
    assert_eq!(counted.count_total, 0, "for {datagrams} datagrams: {counted:?}");
}

/// Two hosts whose queue of deadlines has a bound of some sixty.
const DOUBLINGS_MAX: u64 = 4;

/// No allocation for datagrams of the application, nor for messages on a stream, on either side.
#[test]
fn datagrams_and_messages_allocate_nothing() {
    let mut pair = Pair::new();
    let id = pair.hosts[0].open(pair.now, pair.addresses[1]);
    let stream = pair.hosts[0].get_mut(id).unwrap().open_stream(0).unwrap();
    let mut sender = MessageSender::new(stream);
    sender.send(pair.hosts[0].get_mut(id).unwrap(), b"hello").unwrap();
    pair.settle(Duration::from_secs(1));
    let peer = pair.hosts[1].connections().next().unwrap().0;
    let mut receiver = MessageReceiver::new(stream, MessageConfig::default());
    let (data, mut message) = ([7; 3000], Vec::with_capacity(3000));
    let mut turns = |pair: &mut Pair, turns: usize| {
        let (mut datagrams, mut messages) = (0, 0);
        for turn in 0..turns {
            let connection = pair.hosts[0].get_mut(id).unwrap();
            for nth in 0..10 {
                connection.send_datagram(&data[..100 * (nth + turn % 2)]).unwrap();
            }
            sender.send(connection, &data[..turn * 37 % 3000]).unwrap();
            pair.settle(Duration::from_millis(25));
            let (now, connection) = (pair.now, pair.hosts[1].get_mut(peer).unwrap());
            while let Some(datagram) = connection.peek_datagram() {
                datagrams += usize::from(datagram.len() % 100 == 0);
                connection.consume_datagram();
            }
            while receiver.recv(now, connection, &mut message).is_ok() {
                messages += 1;
                message.clear();
            }
        }
        (datagrams, messages)
    };
    turns(&mut pair, 200);
    let mut got = (0, 0);
    let counted = measure(|| got = turns(&mut pair, 200));
    assert_eq!(got, (2000, 200));
    // Queues of the hosts may still double on their way to their bounds; nothing goes with a datagram.
    assert!(counted.count_total <= DOUBLINGS_MAX, "{counted:?}");
}

/// What connections hold that were of use once and fall silent: each side, on the average. They work
/// as before when they are of use again.
#[test]
fn connections_that_have_echoed_are_small() {
    const COUNT: usize = 300;
    const BYTES_MAX: i64 = 4096;
    let mut pair = Pair::new();
    let mut ids = Vec::with_capacity(COUNT);
    let counted = measure(|| {
        for _ in 0..COUNT {
            let id = pair.hosts[0].open(pair.now, pair.addresses[1]);
            let stream = pair.hosts[0].get_mut(id).unwrap().open_stream(0).unwrap();
            pair.echo(id, stream);
            ids.push((id, stream));
        }
        pair.settle(Duration::from_secs(1));
    });
    let each = counted.bytes_current / i64::try_from(2 * COUNT).unwrap();
    println!("{each} bytes for each side of a connection that has echoed: {counted:?}");
    assert!((500..=BYTES_MAX).contains(&each), "{each} bytes");
    for (id, stream) in ids {
        pair.echo(id, stream);
    }
}

/// What connections hold that have said hello and fall silent: each side, on the average.
#[test]
fn idle_connections_are_small() {
    const COUNT: usize = 1000;
    const BYTES_MAX: i64 = 4096;
    let mut pair = Pair::new();
    let counted = measure(|| {
        for _ in 0..COUNT {
            pair.hosts[0].open(pair.now, pair.addresses[1]);
            pair.settle(Duration::from_millis(5));
        }
        pair.settle(Duration::from_secs(5));
    });
    let connections = pair.hosts.each_ref().map(|host| host.connections().count());
    assert_eq!(connections, [COUNT; 2]);
    let each = counted.bytes_current / i64::try_from(2 * COUNT).unwrap();
    println!("{each} bytes for each side of an idle connection: {counted:?}");
    assert!((500..=BYTES_MAX).contains(&each), "{each} bytes");
}
