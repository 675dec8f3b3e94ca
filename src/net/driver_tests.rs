//! A toy protocol over real sockets on loopback.

use super::*;
use crate::{
    ecn::Ecn,
    endpoint::{DropReason, Transmit},
    net::SocketConfig,
    trace::{PacketInfo, Tag, TraceEvent, Tracer},
    wire::Kind,
};
use alloc::collections::VecDeque;
use core::time::Duration;

/// Sends back what it gets.
#[derive(Debug, Default)]
pub(super) struct Echo {
    replies: VecDeque<(SocketAddr, Vec<u8>)>,
}

impl Endpoint for Echo {
    type Event = ();

    fn handle_datagram(&mut self, _: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        if self.replies.len() == 1_000 {
            return Disposition::Discarded(DropReason::InboxFull);
        }
        self.replies.push_back((meta.source, datagram.to_vec()));
        Disposition::Accepted
    }
    fn handle_timeout(&mut self, _: Instant) {}
    fn poll_transmit(&mut self, _: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        let (destination, bytes) = self.replies.pop_front()?;
        assert!(batch.put(&bytes));
        Some(Transmit {
            destination,
            source: None,
            ecn: Ecn::NotEct,
            size: bytes.len(),
            segment_size: None,
        })
    }
    fn poll_timeout(&self) -> Option<Instant> {
        (!self.replies.is_empty()).then_some(Instant::ZERO)
    }
    fn poll_event(&mut self) -> Option<()> {
        None
    }
}

/// Stop-and-wait against an echo: sends number after number, each until it comes back.
#[derive(Debug)]
pub(super) struct Ping {
    peer: SocketAddr,
    number: u32,
    total: u32,
    resend_at: Instant,
    echoed: Option<u32>,
    pub(super) resends: u32,
    tracer: Tracer,
}

impl Ping {
    const RTO: Duration = Duration::from_millis(3);

    pub(super) fn new(peer: SocketAddr, total: u32) -> Self {
        Self {
            peer,
            number: 0,
            total,
            resend_at: Instant::ZERO,
            echoed: None,
            resends: 0,
            tracer: Tracer::default(),
        }
    }
}

impl Endpoint for Ping {
    type Event = u32;

    fn handle_datagram(&mut self, _: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        if meta.source != self.peer {
            return Disposition::Discarded(DropReason::UnknownPeer);
        }
        if self.number == self.total || datagram != self.number.to_be_bytes() {
            return Disposition::Discarded(DropReason::Closed);
        }
        self.echoed = Some(self.number);
        self.number += 1;
        self.resend_at = Instant::ZERO;
        Disposition::Accepted
    }
    fn handle_timeout(&mut self, now: Instant) {
        if self.resend_at != Instant::ZERO && self.resend_at <= now && self.number < self.total {
            self.tracer.emit(|| TraceEvent::TimerExpired { tag: Tag::Oldest });
            self.resend_at = Instant::ZERO;
            self.resends += 1;
        }
    }
    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        if self.number == self.total || self.resend_at != Instant::ZERO {
            return None;
        }
        assert!(batch.put(&self.number.to_be_bytes()));
        self.resend_at = now + Self::RTO;
        let packet =
            PacketInfo { kind: Kind::Data, seq: Some(self.number.into()), payload_bytes: 4 };
        self.tracer.emit(|| TraceEvent::Transmit { packet, attempt: 1 });
        Some(Transmit {
            destination: self.peer,
            source: None,
            ecn: Ecn::NotEct,
            size: 4,
            segment_size: None,
        })
    }
    fn poll_timeout(&self) -> Option<Instant> {
        if self.echoed.is_some() {
            return Some(Instant::ZERO);
        }
        (self.number < self.total).then_some(self.resend_at)
    }
    fn poll_event(&mut self) -> Option<u32> {
        self.echoed.take()
    }
    fn set_tracing(&mut self, on: bool) {
        self.tracer.set(on);
    }
    fn poll_trace(&mut self) -> Option<TraceEvent> {
        self.tracer.take()
    }
}

pub(super) fn socket(ip: &str) -> Option<Socket> {
    let address = SocketAddr::new(ip.parse().unwrap(), 0);
    match Socket::bind(address, &SocketConfig::default()) {
        Ok(socket) => Some(socket),
        Err(_) if address.is_ipv6() => None,
        Err(error) => panic!("{error}"),
    }
}

/// Runs both until the ping has its numbers, or for a minute, and returns what came back.
pub(super) fn run(
    ping: &mut Driver<Ping>,
    echo: &mut Driver<Echo>,
    observer: &mut impl Observer,
) -> Vec<u32> {
    let clock = ping.clock;
    let limit = clock.now() + Duration::from_mins(1);
    let mut echoed = Vec::new();
    while echoed.len() < ping.endpoint.total as usize && clock.now() < limit {
        let wake = earliest(earliest(ping.deadline(), echo.deadline()), Some(limit));
        wait(&[ping.interest(), echo.interest()], wake, &clock).unwrap();
        ping.step(observer).unwrap();
        echo.step(&mut ()).unwrap();
        while let Some(number) = ping.endpoint_mut().poll_event() {
            echoed.push(number);
        }
    }
    echoed
}

fn pair(ip: &str, total: u32) -> Option<(Driver<Ping>, Driver<Echo>)> {
    let clock = Clock::start();
    let echo = Driver::new(Echo::default(), socket(ip)?, clock);
    let ping = Driver::new(Ping::new(echo.local_addr(), total), socket(ip)?, clock);
    Some((ping, echo))
}

#[test]
fn two_endpoints_in_one_thread_converse() {
    for ip in ["127.0.0.1", "::1"] {
        let Some((mut ping, mut echo)) = pair(ip, 200) else { continue };
        assert_eq!(run(&mut ping, &mut echo, &mut ()), (0..200).collect::<Vec<_>>());
        assert!(ping.stats().datagrams_out >= 200 && ping.stats().bytes_in >= 800);
        assert_eq!(ping.stats().discarded + 200, ping.stats().datagrams_in);
    }
}

#[test]
fn a_trace_tells_time_and_node() {
    let (ping, mut echo) = pair("127.0.0.1", 3).unwrap();
    let mut ping = ping.with_node(NodeId(7));
    let mut records: Vec<Record> = Vec::new();
    run(&mut ping, &mut echo, &mut records);
    assert!(records.len() >= 3);
    assert!(records.iter().all(|record| record.place == Place::Node(NodeId(7))));
    assert!(records.windows(2).all(|pair| pair[0].at <= pair[1].at));
}

/// A server that answers late: until then every send meets a closed port, and the ICMP errors of a
/// connected socket are reported to the driver's receive and send calls.
#[test]
fn a_driver_outlives_a_peer_that_is_not_there_yet() {
    for ip in ["127.0.0.1", "::1"] {
        let Some(vacant) = socket(ip) else { continue };
        let address = vacant.local_addr();
        drop(vacant);
        let mut local = socket(ip).unwrap();
        local.connect(address).unwrap();
        let clock = Clock::start();
        let mut ping = Driver::new(Ping::new(address, 5), local, clock);
        while ping.endpoint().resends < 3 {
            ping.turn(&mut (), None).unwrap();
        }
        let refused = ping.socket().stats();
        assert!(refused.recv_errors + refused.send_errors > 0, "{refused:?}");
        let late = Socket::bind(address, &SocketConfig::default()).unwrap();
        let mut echo = Driver::new(Echo::default(), late, clock);
        assert_eq!(run(&mut ping, &mut echo, &mut ()), [0, 1, 2, 3, 4]);
    }
}

#[test]
fn a_turn_without_anything_to_do_ends_when_told_and_not_before() {
    let clock = Clock::start();
    let mut idle = Driver::new(Echo::default(), socket("127.0.0.1").unwrap(), clock);
    let until = clock.now() + Duration::from_millis(5);
    let mut turns = 0;
    while clock.now() < until {
        assert_eq!(idle.turn(&mut (), Some(until)).unwrap(), Turn::default());
        turns += 1;
    }
    assert!(turns < 20, "{turns} turns in five milliseconds of nothing");
}

/// Work per turn is bounded even when the network brings more.
#[test]
fn one_turn_takes_a_bounded_number_of_datagrams() {
    let mut noisy = socket("127.0.0.1").unwrap();
    let mut echo = Driver::new(Echo::default(), socket("127.0.0.1").unwrap(), Clock::start());
    for _ in 0..100 {
        assert_eq!(noisy.send_to(b"noise", echo.local_addr()), Sent::Done);
    }
    let turn = echo.turn(&mut (), None).unwrap();
    assert_eq!(turn.received, Driver::<Echo>::RECEIVE_MAX);
    assert_eq!(turn.sent, Driver::<Echo>::TRANSMIT_MAX);
}

/// A batch of several segments goes out as that many datagrams.
#[test]
fn a_batch_is_sent_segment_by_segment() {
    struct Burst(Option<SocketAddr>);
    impl Endpoint for Burst {
        type Event = ();
        fn handle_datagram(&mut self, _: Instant, _: RecvMeta, _: &[u8]) -> Disposition {
            Disposition::Accepted
        }
        fn handle_timeout(&mut self, _: Instant) {}
        fn poll_transmit(&mut self, _: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
            let destination = self.0.take()?;
            assert!(batch.put(b"four") && batch.put(b"more") && batch.put(b"end"));
            let (size, segment_size) = (batch.len(), batch.segment_size());
            Some(Transmit { destination, source: None, ecn: Ecn::NotEct, size, segment_size })
        }
        fn poll_timeout(&self) -> Option<Instant> {
            self.0.map(|_| Instant::ZERO)
        }
        fn poll_event(&mut self) -> Option<()> {
            None
        }
    }
    let mut sink = socket("127.0.0.1").unwrap();
    let burst = Burst(Some(sink.local_addr()));
    let mut driver = Driver::new(burst, socket("127.0.0.1").unwrap(), Clock::start());
    assert_eq!(driver.turn(&mut (), None).unwrap().sent, 3);
    let mut buffer = [0; 16];
    let mut seen: Vec<Vec<u8>> = Vec::new();
    while let Some((len, _)) = sink.recv_from(&mut buffer).unwrap() {
        seen.push(buffer[..len].to_vec());
    }
    assert_eq!(seen, [&b"four"[..], b"more", b"end"]);
}

/// The same conversation behind a link that loses every other datagram in each direction.
#[test]
fn links_lie_in_the_path_of_both_directions() {
    let seed = crate::rng::Seed::new(1);
    let link = |text: &str| Link::new(text.parse().unwrap(), seed);
    let (ping, mut echo) = pair("127.0.0.1", 20).unwrap();
    let delayed = "loss=every:1:2,delay=1ms";
    let mut ping = ping.with_links(link(delayed), link("loss=every:1:2"), NodeId(1));
    let mut records: Vec<Record> = Vec::new();
    assert_eq!(run(&mut ping, &mut echo, &mut records), (0..20).collect::<Vec<_>>());
    let (outgoing, incoming) = ping.links().unwrap();
    let (out, back) = (outgoing.stats().total(), incoming.stats().total());
    assert_eq!(out.offered, ping.stats().datagrams_out);
    assert_eq!((out.lost, back.lost), (out.offered / 2, back.offered / 2));
    // Every number needs two datagrams back, and each of those two out.
    assert!(back.offered >= 39 && out.offered >= 2 * back.offered - 1, "{out:?} {back:?}");
    assert!(out.delay_min >= Duration::from_millis(1));
    let lost = |place| {
        let lost = |r: &&Record| {
            let TraceEvent::Link { fate, .. } = r.event else { return false };
            r.place == place && fate == crate::trace::Fate::Lost
        };
        records.iter().filter(lost).count() as u64
    };
    assert_eq!(lost(Place::Link { from: NodeId(0), to: NodeId(1) }), out.lost);
    assert_eq!(lost(Place::Link { from: NodeId(1), to: NodeId(0) }), back.lost);
}

/// A sleeping driver is woken from another thread, and a bell rung before it sleeps is not missed.
#[test]
fn a_driver_is_woken_by_another_thread() {
    let sleeper = Echo::default();
    let mut driver = Driver::new(sleeper, socket("127.0.0.1").unwrap(), Clock::start());
    let waker = driver.waker().unwrap();
    for before in [true, false] {
        let waker = waker.clone();
        let ring = move || {
            if !before {
                let clock = Clock::start();
                let until = clock.now() + Duration::from_millis(20);
                wait(&[], Some(until), &clock).unwrap();
            }
            (0..3).for_each(|_| waker.wake());
        };
        let limit = driver.now() + Duration::from_mins(1);
        let thread = thread::spawn(ring);
        if before {
            thread.join().unwrap();
            driver.turn(&mut (), Some(limit)).unwrap();
        } else {
            driver.turn(&mut (), Some(limit)).unwrap();
            thread.join().unwrap();
        }
        assert!(driver.now() < limit, "slept to the end");
        // What rang while it was awake is still to be heard once, and then it is quiet.
        driver.turn(&mut (), Some(Instant::ZERO)).unwrap();
    }
    let until = driver.now() + Duration::from_millis(5);
    driver.turn(&mut (), Some(until)).unwrap();
    assert!(driver.now() >= until, "woken by nobody");
}

/// A datagram that is not wanted now stays, with those behind it, and nothing leaves meanwhile.
#[test]
fn what_is_not_wanted_now_is_there_the_next_time() {
    const COUNT: u8 = 40;
    let any = "127.0.0.1:0".parse().unwrap();
    let socket = Socket::bind(any, &SocketConfig::default()).unwrap();
    let mut driver = Driver::new(Echo::default(), socket, Clock::start());
    let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..COUNT {
        peer.send_to(&[number], driver.local_addr()).unwrap();
    }
    let limit = driver.now() + Duration::from_secs(10);
    let (mut seen, mut left, mut sent) = (Vec::new(), 0, 0);
    for wanted in (0..6).cycle() {
        if seen.len() == COUNT.into() {
            break;
        }
        driver.wait(Some(limit)).unwrap();
        assert!(driver.now() < limit, "{} of {COUNT}", seen.len());
        let mut room = wanted;
        let step = driver.step_while(&mut (), &mut |echo, now, meta, train| {
            room = usize::checked_sub(room, 1)?;
            seen.extend_from_slice(train.first());
            Some((1, echo.handle_datagram(now, meta, train.first())))
        });
        let turn = step.unwrap();
        assert!(turn.received <= wanted);
        if driver.has_arrivals() {
            left += 1;
            assert_eq!((turn.received, turn.sent), (wanted, 0), "something is left");
        }
        sent += turn.sent;
    }
    assert_eq!(seen, (0..COUNT).collect::<Vec<_>>());
    assert!(left > 0, "they were there before anybody looked");
    while sent < COUNT.into() {
        let more = driver.act(&mut ());
        assert!(more > 0, "{sent} of {COUNT} are answered");
        sent += more;
    }
    assert_eq!(driver.stats().datagrams_in, COUNT.into());
}
