//! The session by hand, and both sides in virtual time.

use alloc::{boxed::Box, vec, vec::Vec};
use core::{net::SocketAddr, time::Duration};

use super::*;
use crate::{
    batch::Batch,
    classic::{Adaptive, Config, Conversation, Spec, Timeout},
    endpoint::{Disposition, DropReason, RecvMeta, Transmit},
    hub::{Hub, HubConfig},
    link::Profile,
    rng::Seed,
    sim::World,
    time::Instant,
};

const MS: Duration = Duration::from_millis(1);

fn at(ms: u32) -> Instant {
    Instant::ZERO + MS * ms
}

fn monitor(config: MonitorConfig) -> Monitor {
    Monitor::new(config, Seed::new(1), Instant::ZERO).unwrap()
}

fn samples(monitor: &mut Monitor) -> Vec<(u64, Option<Duration>)> {
    let events = core::iter::from_fn(|| monitor.poll_event());
    let samples = events.filter_map(|event| match event {
        MonitorEvent::Sample(sample) => Some((sample.probe, sample.rtt)),
        MonitorEvent::Change(_) => None,
    });
    samples.collect()
}

fn reply(probe: &[u8]) -> Written {
    answer(Format::Token, probe).unwrap()
}

#[test]
fn the_defaults_are_those_of_the_original() {
    let config = MonitorConfig::default();
    assert_eq!(config.timeout, Duration::from_secs(2));
    assert_eq!(config.interval, Duration::from_secs(10));
    assert_eq!(config.thresholds.normal_below, 100 * MS);
    assert_eq!(config.thresholds.slow_below, 300 * MS);
    assert_eq!((PORT, WORD), (12_345, b"ping"));
}

#[test]
fn nonsense_is_refused_with_its_reason() {
    let good = MonitorConfig::default();
    let refused = |config: MonitorConfig| Monitor::new(config, Seed::new(1), at(0)).unwrap_err();
    let zero = Duration::ZERO;
    let thresholds = Thresholds { normal_below: 2 * MS, slow_below: MS };
    assert_eq!(refused(MonitorConfig { timeout: zero, ..good }), MonitorConfigError::Timeout);
    assert_eq!(refused(MonitorConfig { interval: zero, ..good }), MonitorConfigError::Interval);
    assert_eq!(refused(MonitorConfig { thresholds, ..good }), MonitorConfigError::Thresholds);
    assert_eq!(refused(MonitorConfig { interval: 2 * MS, ..good }), MonitorConfigError::Pending);
    assert_eq!(refused(MonitorConfig { consecutive: 0, ..good }), MonitorConfigError::Consecutive);
}

#[test]
fn a_reply_belongs_to_its_own_probe() {
    let config = MonitorConfig { interval: 100 * MS, ..MonitorConfig::default() };
    let mut monitor = monitor(config);
    let first = monitor.poll_message(at(0)).unwrap();
    assert_eq!(monitor.poll_message(at(99)), None);
    let second = monitor.poll_message(at(100)).unwrap();
    assert_ne!(first, second);
    assert_eq!(monitor.handle_message(at(130), &reply(&second)), Heard::Reply);
    assert_eq!(monitor.handle_message(at(150), &reply(&first)), Heard::Reply);
    assert_eq!(samples(&mut monitor), [(2, Some(30 * MS)), (1, Some(150 * MS))]);
}

#[test]
fn late_replies_copies_and_strangers_are_told_apart() {
    let mut monitor = monitor(MonitorConfig::default());
    let probe = monitor.poll_message(at(0)).unwrap();
    assert_eq!(monitor.poll_timeout(), Some(at(2_000)));
    assert_eq!(monitor.handle_message(at(2_000), &reply(&probe)), Heard::Late);
    assert_eq!(samples(&mut monitor), [(1, None)]);
    assert_eq!(monitor.handle_message(at(2_001), &reply(&probe)), Heard::Copy);

    let probe = monitor.poll_message(at(10_000)).unwrap();
    assert_eq!(monitor.handle_message(at(10_001), &reply(&probe)), Heard::Reply);
    assert_eq!(monitor.handle_message(at(10_002), &reply(&probe)), Heard::Copy);
    assert_eq!(monitor.handle_message(at(10_003), &probe), Heard::Foreign, "its own probe");
    let guess = Message::Reply(Token(0)).encode();
    for message in [&guess[..], b"ping", b"", b"('127.0.0.1', 8622) disse: ping"] {
        assert_eq!(monitor.handle_message(at(10_004), message), Heard::Foreign);
    }
    let stats = monitor.stats();
    assert_eq!((stats.sent, stats.answered, stats.lost), (2, 1, 1));
    assert_eq!((stats.late, stats.copies, stats.foreign), (1, 2, 5));
}

#[test]
fn a_steady_pace_does_not_wait_for_replies_and_does_not_catch_up() {
    let config = MonitorConfig { interval: 100 * MS, count: Some(5), ..MonitorConfig::default() };
    let mut monitor = monitor(config);
    for ms in [0, 130, 200, 950, 1_050] {
        assert!(monitor.poll_message(at(ms)).is_some(), "{ms}");
        assert_eq!(monitor.poll_message(at(ms)), None, "{ms}");
    }
    assert_eq!((monitor.next_at(), monitor.is_done()), (None, false));
    monitor.handle_timeout(at(3_049));
    assert!(!monitor.is_done());
    monitor.handle_timeout(at(3_050));
    assert!(monitor.is_done());
    assert_eq!(monitor.stats().lost, 5);
}

/// S1-22: the period is the interval and the round trip, or the timeout.
#[test]
fn the_pace_of_the_original_counts_from_the_sample() {
    for format in [Format::Token, Format::Word] {
        let pace = if format == Format::Word { Pace::Steady } else { Pace::AfterSample };
        let mut monitor = monitor(MonitorConfig { format, pace, ..MonitorConfig::default() });
        let probe = monitor.poll_message(at(0)).unwrap();
        assert_eq!(monitor.next_at(), None);
        monitor.handle_message(at(7), &answer(format, &probe).unwrap());
        assert_eq!(monitor.next_at(), Some(at(10_007)));
        assert!(monitor.poll_message(at(10_007)).is_some());
        monitor.handle_timeout(at(12_100));
        assert_eq!(monitor.next_at(), Some(at(22_007)), "from when its time was over");
    }
}

/// S1-09, C18: a line of the chat is no reply, nor is one that comes when nothing waits.
#[test]
fn the_word_is_taken_for_the_probe_that_waits() {
    let mut monitor = monitor(MonitorConfig { format: Format::Word, ..MonitorConfig::default() });
    assert_eq!(monitor.handle_message(at(0), b"ping"), Heard::Foreign, "nothing was asked");
    assert_eq!(monitor.poll_message(at(0)).as_deref(), Some(&b"ping"[..]));
    assert_eq!(monitor.handle_message(at(5), b"('127.0.0.1', 8622) disse: ping"), Heard::Foreign);
    assert_eq!(monitor.handle_message(at(6), b"ping"), Heard::Reply);
    assert_eq!(monitor.handle_message(at(7), b"ping"), Heard::Copy);
    assert!(monitor.poll_message(at(10_006)).is_some());
    assert_eq!(monitor.handle_message(at(12_500), b"ping"), Heard::Late);
    assert_eq!(samples(&mut monitor), [(1, Some(6 * MS)), (2, None)]);
}

#[test]
fn what_cannot_be_reached_is_lost_at_once() {
    let mut monitor = monitor(MonitorConfig::default());
    assert!(monitor.poll_message(at(0)).is_some());
    monitor.handle_unreachable(at(1));
    assert_eq!(samples(&mut monitor), [(1, None)]);
    monitor.stop();
    assert!(monitor.is_done() && monitor.poll_timeout().is_none());
}

#[test]
fn what_is_remembered_is_limited() {
    let interval = 3 * MS;
    let config = MonitorConfig { interval, ..MonitorConfig::default() };
    let mut monitor = monitor(config);
    let mut first = None;
    for n in 0..10_000 {
        let probe = monitor.poll_message(at(3 * n));
        first = first.or(probe);
        assert!(monitor.pending.len() <= Monitor::PENDING_MAX);
    }
    assert_eq!(monitor.settled.len(), Monitor::SETTLED_MAX);
    assert_eq!(monitor.events.len(), Monitor::EVENTS_MAX);
    let late = reply(&first.unwrap());
    assert_eq!(monitor.handle_message(at(30_000), &late), Heard::Foreign, "forgotten by now");
}

/// Both sides in one world: the simulator takes one kind of endpoint.
enum Side {
    Monitor(Box<dyn MonitorEndpoint>),
    Echo(Box<dyn Endpoint<Event = EchoEvent>>),
}

enum Said {
    Monitor(MonitorEvent),
    Echo(EchoEvent),
}

macro_rules! both {
    ($side:expr, $inner:ident => $call:expr) => {
        match $side {
            Side::Monitor($inner) => $call,
            Side::Echo($inner) => $call,
        }
    };
}

impl Endpoint for Side {
    type Event = Said;
    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        both!(self, side => side.handle_datagram(now, meta, datagram))
    }
    fn handle_timeout(&mut self, now: Instant) {
        both!(self, side => side.handle_timeout(now));
    }
    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        both!(self, side => side.poll_transmit(now, batch))
    }
    fn poll_timeout(&self) -> Option<Instant> {
        both!(self, side => side.poll_timeout())
    }
    fn poll_event(&mut self) -> Option<Said> {
        match self {
            Self::Monitor(side) => side.poll_event().map(Said::Monitor),
            Self::Echo(side) => side.poll_event().map(Said::Echo),
        }
    }
}

/// What a monitor sees in an hour of virtual time over a network, with the true values of the
/// original: samples of each status, changes, and what it counted.
fn watched(network: &str, spec: Option<&str>) -> (MonitorStats, Vec<(Status, Status)>) {
    let monitor = monitor(MonitorConfig { count: Some(120), ..MonitorConfig::default() });
    let (here, there) = (World::<()>::address(0), World::<()>::address(1));
    let mut world = World::new();
    let sides = match spec.map(|name| name.parse::<Spec>().unwrap()) {
        None => (
            Side::Monitor(Box::new(DatagramMonitor::new(monitor, there))),
            Side::Echo(Box::new(DatagramEcho::new(Format::Token))),
        ),
        Some(spec) => {
            let timeout = Timeout::Adaptive(Adaptive {
                rto_initial: 200 * MS,
                rto_min: 5 * MS,
                rto_max: 1_000 * MS,
            });
            let config = Config { attempts_max: None, timeout, ..Config::default() };
            let make = move |peer| spec.endpoint(config, peer).unwrap();
            let peer: Box<dyn Conversation> = make(there);
            let hub = Hub::new(HubConfig::default(), move |_, peer: SocketAddr| Some(make(peer)));
            (
                Side::Monitor(Box::new(CarriedMonitor::new(monitor, peer))),
                Side::Echo(Box::new(CarriedEcho::new(hub))),
            )
        }
    };
    let (a, b) = (world.add(sides.0), world.add(sides.1));
    assert_eq!(World::<()>::address(a.0), here);
    world.connect(a, b, &network.parse::<Profile>().unwrap(), Seed::new(7));
    let (mut changes, mut answered) = (Vec::new(), 0);
    world.run(at(3_600_000), &mut (), &mut |_, _, said, _: &mut Side| match said {
        Said::Monitor(MonitorEvent::Change(change)) => changes.push((change.from, change.to)),
        Said::Monitor(MonitorEvent::Sample(_)) => {}
        Said::Echo(event) => answered += u64::from(matches!(event, EchoEvent::Answered(_))),
    });
    let Side::Monitor(side) = world.endpoint(a) else { unreachable!() };
    let monitor = side.monitor();
    assert!(monitor.is_done(), "{monitor:?}");
    assert!(answered >= monitor.stats().answered);
    (*monitor.stats(), changes)
}

#[test]
fn the_four_classes_over_their_networks() {
    use Status::{Inactive, Normal, Slow, VerySlow};
    for (network, status) in [
        ("delay=25ms", Normal),
        ("delay=75ms", Slow),
        ("delay=175ms", VerySlow),
        ("loss=100%", Inactive),
    ] {
        for spec in [None, Some("rdt3.0"), Some("gbn"), Some("sr")] {
            let (stats, changes) = watched(network, spec);
            assert_eq!(stats.samples[status.index()], 120, "{network} {spec:?} {stats:?}");
            let expected = if status == Normal { vec![] } else { vec![(Normal, status)] };
            assert_eq!(changes, expected, "{network} {spec:?}");
        }
    }
}

/// Loss is what a bare probe shows, and what a protocol turns into delay.
#[test]
fn loss_becomes_delay_over_a_protocol_that_repeats() {
    let (bare, _) = watched("loss=20%,delay=25ms", None);
    assert!((30..60).contains(&bare.lost), "{bare:?}");
    let (carried, _) = watched("loss=20%,delay=25ms", Some("sr"));
    assert!(carried.lost < 10 && carried.samples[Status::VerySlow.index()] > 10, "{carried:?}");
    assert!(carried.jitter() > bare.jitter(), "{carried:?}");
}

#[test]
fn an_outage_is_seen_and_its_end_too() {
    let (stats, changes) = watched("delay=25ms,outage=200s+300s", None);
    assert_eq!(stats.lost, 30, "{stats:?}");
    assert_eq!(changes, [(Status::Normal, Status::Inactive), (Status::Inactive, Status::Normal)]);
}

#[test]
fn copies_and_late_replies_do_not_disturb() {
    let (stats, _) = watched("dup=50%:2,delay=900ms~300ms", None);
    assert!(stats.copies > 50 && stats.late > 10, "{stats:?}");
    assert_eq!(stats.answered + stats.lost, 120);
    assert!(stats.rtt_max.unwrap() < Duration::from_secs(2));
}

fn polled(endpoint: &mut impl Endpoint, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
    let mut space = [0; 64];
    let mut batch = Batch::new(&mut space);
    let transmit = endpoint.poll_transmit(now, &mut batch)?;
    Some((transmit.destination, batch.as_bytes().to_vec()))
}

#[test]
fn only_the_peer_is_heard() {
    let (peer, stranger) = (World::<()>::address(1), World::<()>::address(2));
    let mut side = DatagramMonitor::new(monitor(MonitorConfig::default()), peer);
    let mut none = [0; 4];
    assert!(side.poll_transmit(at(0), &mut Batch::new(&mut none)).is_none(), "no room");
    let (to, probe) = polled(&mut side, at(0)).unwrap();
    assert_eq!(to, peer);
    let spoofed = side.handle_datagram(at(1), RecvMeta::from(stranger), &reply(&probe));
    assert_eq!(spoofed, Disposition::Discarded(DropReason::UnknownPeer));
    let noise = side.handle_datagram(at(1), RecvMeta::from(peer), b"noise");
    assert_eq!(noise, Disposition::Discarded(DropReason::NoReceiver));
    let heard = side.handle_datagram(at(1), RecvMeta::from(peer), &reply(&probe));
    assert_eq!((heard, side.monitor().stats().answered), (Disposition::Accepted, 1));
}

/// Whatever arrives, only probes are answered, each with as many bytes, and nothing is kept.
#[test]
fn an_echo_keeps_nothing_of_who_asks() {
    let mut echo = DatagramEcho::new(Format::Token);
    let mut rng = Seed::new(3).rng();
    let mut answered = 0;
    for n in 0..100_000_u32 {
        let source = World::<()>::address(n);
        let probe = Message::Probe(Token(n.into())).encode();
        let mut bytes = vec![0; usize::try_from(rng.below(40)).unwrap()];
        rng.fill(&mut bytes);
        let is_probe = n % 3 == 0;
        if is_probe {
            bytes = probe.to_vec();
        }
        let heard = echo.handle_datagram(at(n), RecvMeta::from(source), &bytes);
        assert_eq!(heard == Disposition::Accepted, is_probe, "{bytes:?}");
        if let Some((to, sent)) = polled(&mut echo, at(n)) {
            assert_eq!((to, sent.len(), is_probe), (source, probe.len(), true));
            answered += 1;
        }
    }
    assert_eq!((answered, echo.outbox.len()), (33_334, 0));
    assert_eq!(echo.events.len(), DatagramEcho::EVENTS_MAX);
}

#[test]
fn replies_that_nobody_takes_are_limited() {
    let mut echo = DatagramEcho::new(Format::Token);
    let probe = Message::Probe(Token(1)).encode();
    let mut take = || echo.handle_datagram(at(0), RecvMeta::from(World::<()>::address(1)), &probe);
    for _ in 0..DatagramEcho::OUTBOX_MAX {
        assert_eq!(take(), Disposition::Accepted);
    }
    assert_eq!(take(), Disposition::Discarded(DropReason::InboxFull));
}

/// Two hosts that answer the word with the word, and somebody who spoke in the name of one.
#[test]
fn an_endless_ping_is_held_down() {
    let mut hosts = [DatagramEcho::new(Format::Word), DatagramEcho::new(Format::Word)];
    let mut datagrams = 0;
    let mut flying = Some((0, WORD.to_vec()));
    for step in 0..50_000 {
        let now = Instant::ZERO + MS / 10 * step;
        let Some((to, bytes)) = flying.take() else { break };
        let from = World::<()>::address(1 - u32::try_from(to).unwrap());
        let _ = hosts[to].handle_datagram(now, RecvMeta::from(from), &bytes);
        flying = polled(&mut hosts[to], now).map(|(_, bytes)| (1 - to, bytes));
        datagrams += 1;
    }
    let one_second = DatagramEcho::WORDS_PER_SECOND_MAX;
    assert!(datagrams <= 2 * one_second + 1, "{datagrams}: it ends with the first second");
}
