//! Packets sent from where they lie, and bytes taken as they arrive: what sockets use. Both hosts here
//! are driven that way, over a wire that loses.

use core::time::Duration;
use std::collections::VecDeque;

use rdtp::{
    endpoint::{Disposition, Endpoint, RecvMeta},
    rng::{Rng, Seed},
    time::Instant,
    transport::{
        cc::Algorithm,
        config::Config,
        connection::Event,
        host::{Host, HostEvent},
        stream::{ReadError, StreamEvent},
    },
    wire::transport::{ConnectionId, Packet, StreamId},
};

use crate::{
    byte,
    wire::{Message, address, host, host_config, messages},
};

/// What became of a transfer.
#[derive(Debug, Default)]
struct Outcome {
    /// Packets sent from where they lie, and written ones, of the client.
    lent: u64,
    written: u64,
    /// Bytes that the server took as they arrived, and read afterwards.
    taken: u64,
    read: u64,
}

struct Course {
    config: Config,
    bytes: u64,
    /// One datagram of so many is lost; 0 for none.
    lost_of: u64,
    /// Longer datagrams do not pass.
    longest: usize,
    /// The most that the server takes at once as bytes arrive.
    appetite: u64,
}

const DELAY: Duration = Duration::from_millis(2);

type Flying = VecDeque<(Instant, usize, Vec<u8>)>;

struct Run {
    course: Course,
    hosts: [Host; 2],
    id: ConnectionId,
    stream: StreamId,
    now: Instant,
    chance: Rng,
    flying: Flying,
    outcome: Outcome,
    finished: bool,
    over: bool,
}

impl Run {
    fn new(course: Course) -> Self {
        let config = host_config(course.config);
        let mut hosts = [host(config, 1), host(config, 2)];
        let id = hosts[0].open(Instant::ZERO, address(1));
        let stream = hosts[0].get_mut(id).unwrap().open_stream(0).unwrap();
        Self {
            course,
            hosts,
            id,
            stream,
            now: Instant::ZERO,
            chance: Seed::new(5).rng(),
            flying: Flying::new(),
            outcome: Outcome::default(),
            finished: false,
            over: false,
        }
    }

    /// The client's application: writes in pieces of any length, and ends.
    fn write(&mut self) {
        let Some(connection) = self.hosts[0].get_mut(self.id) else { return };
        let written =
            connection.streams().send_half(self.stream).map(|half| half.buffer().written());
        let Some(mut at) = written.filter(|_| !self.finished) else { return };
        while at < self.course.bytes {
            let len = (1 + self.chance.below(5000)).min(self.course.bytes - at);
            let piece: Vec<u8> = (at..at + len).map(byte).collect();
            let Ok(taken) = connection.write(self.stream, &piece) else { return };
            at += taken as u64;
        }
        connection.finish(self.stream).unwrap();
        self.finished = true;
    }

    fn send(&mut self, node: usize) {
        for message in messages(&mut self.hosts[node], self.now) {
            let segment = message.stride();
            let Message { transmit, is_lent, datagrams } = message;
            if is_lent {
                self.outcome.lent += datagrams.len() as u64;
            } else if node == 0 {
                self.outcome.written += datagrams.len() as u64;
            }
            assert_eq!(datagrams.iter().map(Vec::len).sum::<usize>(), transmit.size);
            let (last, rest) = datagrams.split_last().unwrap();
            assert!(rest.iter().all(|datagram| datagram.len() == segment) && last.len() <= segment);
            for datagram in datagrams {
                assert!(Packet::decode(&datagram).is_ok(), "a broken packet");
                let lost = self.course.lost_of > 0 && self.chance.below(self.course.lost_of) == 0;
                if !lost && datagram.len() <= self.course.longest {
                    self.flying.push_back((self.now + DELAY, 1 - node, datagram));
                }
            }
        }
    }

    fn check(outcome: &Outcome, bytes: &[u8]) {
        let at = outcome.taken + outcome.read;
        assert!(bytes.iter().zip(at..).all(|(&got, at)| got == byte(at)), "wrong from {at} on");
    }

    fn arrive(&mut self) {
        while let Some((_, to, datagram)) = self.flying.pop_front_if(|(at, ..)| *at <= self.now) {
            let meta = RecvMeta::from(address(1 - to));
            let (outcome, course, chance) = (&mut self.outcome, &self.course, &mut self.chance);
            let mut reader = |_, _, bytes: &[u8]| {
                let most = usize::try_from(chance.below(course.appetite + 1)).unwrap();
                let len = if to == 1 { bytes.len().min(most) } else { 0 };
                Self::check(outcome, &bytes[..len]);
                outcome.taken += len as u64;
                len
            };
            let got = self.hosts[to].handle_datagram_for(self.now, meta, &datagram, &mut reader);
            let good = self.course.lost_of == 0 && self.course.longest > 60_000;
            assert!(!good || to == 0 || got == Disposition::Accepted, "{got:?}");
        }
    }

    fn hear(&mut self) {
        while self.hosts[0].poll_event().is_some() {}
        while let Some(HostEvent { id, event }) = self.hosts[1].poll_event() {
            let Event::Stream(StreamEvent::Readable(stream)) = event else { continue };
            let mut space = [0; 3000];
            let connection = self.hosts[1].get_mut(id).unwrap();
            loop {
                match connection.read(self.now, stream, &mut space) {
                    Ok(len) => {
                        Self::check(&self.outcome, &space[..len]);
                        self.outcome.read += len as u64;
                    }
                    Err(ReadError::Finished) => {
                        self.over = true;
                        break;
                    }
                    Err(_) => break,
                }
            }
        }
    }

    fn run(mut self) -> Outcome {
        for _ in 0..1_000_000 {
            self.write();
            (0..2).for_each(|node| self.send(node));
            self.hear();
            if self.over {
                assert_eq!(self.outcome.taken + self.outcome.read, self.course.bytes);
                return self.outcome;
            }
            let timers = self.hosts.iter().filter_map(Endpoint::poll_timeout);
            let arrival = self.flying.front().map(|(at, ..)| *at);
            let next = timers.chain(arrival).min().expect("it stands still");
            self.now = self.now.max(next);
            self.arrive();
            self.hosts.iter_mut().for_each(|host| host.handle_timeout(self.now));
        }
        panic!("no end: {:?}", self.outcome)
    }
}

fn course(packet_bytes: usize, lost_of: u64) -> Course {
    let config = Config { packet_bytes, packet_bytes_max: packet_bytes, ..Config::default() };
    Course { config, bytes: 3_000_000, lost_of, longest: usize::MAX, appetite: 100_000 }
}

#[test]
fn bulk_leaves_from_where_it_lies_and_is_taken_as_it_arrives() {
    for packet_bytes in [1200, 1472, 9000, 65_507] {
        let outcome = Run::new(course(packet_bytes, 0)).run();
        let share = outcome.lent * 100 / (outcome.lent + outcome.written);
        assert!(share >= 75, "{packet_bytes}: {outcome:?}");
        assert!(outcome.taken > 0 && outcome.read > 0, "{outcome:?}");
    }
}

#[test]
fn what_is_lost_leaves_again_from_where_it_lies() {
    for packet_bytes in [1200, 1472, 9000, 65_507] {
        for lost_of in [100, 20, 5] {
            let outcome = Run::new(course(packet_bytes, lost_of)).run();
            assert!(outcome.lent > 0, "{packet_bytes} {lost_of}: {outcome:?}");
        }
    }
}

#[test]
fn readers_may_take_little_or_nothing() {
    for appetite in [0, 1, 700] {
        let outcome = Run::new(Course { appetite, ..course(1472, 50) }).run();
        assert_eq!(outcome.taken == 0, appetite == 0, "{outcome:?}");
    }
}

/// Slots longer than the path bears are sent in pieces, and later ones are as long as it bears.
#[test]
fn slots_follow_the_length_of_packets() {
    // A window that is the limit: where the buffer is, slots leave before they are full.
    let congestion = Algorithm::Fixed(120_000);
    let mut narrow = Course { longest: 1300, ..course(1472, 0) };
    narrow.config.congestion = congestion;
    narrow.config.streams.send_buffer_bytes = 1 << 19;
    let outcome = Run::new(narrow).run();
    assert!(outcome.lent > outcome.written, "{outcome:?}");
    let mut wide = course(1200, 0);
    wide.config.congestion = congestion;
    wide.config.packet_bytes_max = 9000;
    wide.config.streams.send_buffer_bytes = 1 << 18;
    let outcome = Run::new(wide).run();
    let packets = outcome.lent + outcome.written;
    assert!(outcome.lent > outcome.written && packets < 2000, "{outcome:?}");
}
