//! How connections begin and end: copies of the first flights, tickets, early data, remembered paths,
//! repair.

use core::time::Duration;

use rdtp::{
    rng::Seed,
    time::Instant,
    transport::{
        cc::Algorithm,
        config::Config,
        connection::Event,
        cookie::Secret,
        host::{CookiePolicy, EarlyData, Host, HostConfig},
        stream::{ReadError, StreamEvent},
    },
    wire::transport::{ConnectionId, Packet, StreamId},
};

use crate::{
    byte,
    pair::upload,
    wire::{Wire, address, host},
};

/// One way, on the wire of these tests.
const WAY: Duration = Duration::from_millis(10);
const MS: Duration = Duration::from_millis(1);

/// A millisecond before so many ways are over.
fn almost(ways: u32) -> Duration {
    (WAY * ways).saturating_sub(MS)
}
const STREAM: StreamId = StreamId::new(0, false);
/// More than a stranger may send before it has heard of limits.
const MUCH: u64 = 40_000;

fn early(early_data: EarlyData) -> HostConfig {
    let connection = Config { start_window_bytes: 1 << 17, ..Config::default() };
    HostConfig { early_data, connection, ..HostConfig::default() }
}

/// Two hosts that have talked, and what the client remembers of the server.
fn met(server: HostConfig) -> Wire {
    let mut wire = Wire::new(early(EarlyData::Never), server);
    let id = wire.open();
    wire.pass(Duration::from_millis(200));
    assert!(wire.heard(0, Event::Connected) && wire.heard(1, Event::Connected));
    let now = wire.now;
    wire.at(0, id).close(now, 0, b"");
    wire.pass(Duration::from_secs(9));
    assert_eq!(wire.hosts[1].connections().count(), 0);
    let memory = wire.hosts[0].memory_of(address(1)).unwrap();
    assert!(memory.ticket.is_some() && memory.path.is_some(), "{memory:?}");
    wire.events = [Vec::new(), Vec::new()];
    wire
}

/// Opens a connection and says something with its first packets.
fn say(wire: &mut Wire, bytes: u64) -> ConnectionId {
    let id = wire.open();
    let connection = wire.at(0, id);
    assert_eq!(connection.open_stream(0), Ok(STREAM));
    let data: Vec<u8> = (0..bytes).map(byte).collect();
    assert_eq!(connection.write(STREAM, &data), Ok(data.len()));
    connection.finish(STREAM).unwrap();
    id
}

fn accepted(wire: &Wire) -> ConnectionId {
    wire.hosts[1].connections().next().unwrap().0
}

/// What the server's application hears of the first connection that it is told of.
fn hear(wire: &mut Wire) -> u64 {
    let readable = Event::Stream(StreamEvent::Readable(STREAM));
    let Some(event) = wire.events[1].iter().find(|event| event.event == readable) else { return 0 };
    let (data, _) = wire.read(1, event.id, STREAM);
    assert!(data.iter().zip(0..).all(|(got, at)| *got == byte(at)));
    data.len() as u64
}

#[test]
fn who_knows_no_round_trip_sends_the_first_packet_three_times() {
    let mut wire = Wire::new(HostConfig::default(), HostConfig::default());
    wire.cut = [true; 2];
    wire.open();
    for (at, packets) in [(0, 1), (14, 1), (15, 2), (29, 2), (30, 3), (990, 3), (1_100, 5)] {
        wire.pass((Instant::ZERO + MS * at) - wire.now);
        assert_eq!(wire.sent[0].0, packets, "after {at} ms");
    }
    // And nobody who was told not to.
    let connection = Config { first_copies: 0, ..Config::default() };
    let mut wire =
        Wire::new(HostConfig { connection, ..HostConfig::default() }, early(EarlyData::Never));
    wire.cut = [true; 2];
    wire.open();
    wire.pass(MS * 900);
    assert_eq!(wire.sent[0].0, 1);
}

/// The server's first answer too, within what it may send to a stranger.
#[test]
fn an_acceptor_answers_three_times_and_no_more_than_threefold() {
    let mut wire = Wire::new(HostConfig::default(), HostConfig::default());
    wire.open();
    wire.pass(MS);
    wire.cut = [true; 2];
    wire.pass(MS * 900);
    assert_eq!(wire.sent[1], (3, 3600));
}

#[test]
fn nothing_is_heard_before_the_opener_has_answered() {
    let mut wire = Wire::new(HostConfig::default(), HostConfig::default());
    let id = say(&mut wire, 500);
    wire.pass(almost(3));
    assert_eq!(wire.events[1], []);
    let connection = accepted(&wire);
    assert_eq!(wire.read(1, connection, STREAM), (vec![], ReadError::Blocked));
    wire.pass(MS);
    assert_eq!(hear(&mut wire), 500);
    assert!(!wire.at(1, connection).is_replayable() && !wire.at(0, id).is_replayable());
}

#[test]
fn with_a_ticket_much_is_heard_after_one_way_and_answered_at_once() {
    let cookies = CookiePolicy::Always;
    let mut wire = met(HostConfig { cookies, ..early(EarlyData::WithTicket) });
    say(&mut wire, MUCH);
    // Paced over the round trip that is remembered.
    wire.pass(almost(2));
    let id = accepted(&wire);
    assert!(wire.at(1, id).is_replayable(), "perhaps it is old");
    assert_eq!(hear(&mut wire), MUCH);
    // No bound of three for one: the address was shown to be the client's.
    let sent = wire.sent[1].1;
    wire.at(1, id).write(STREAM, &vec![7; 300_000]).unwrap();
    wire.pass(almost(1));
    assert!(wire.sent[1].1 - sent > 14_720, "{} bytes", wire.sent[1].1 - sent);
    wire.pass(WAY * 3);
    assert!(!wire.at(1, id).is_replayable());
    let memory = wire.hosts[0].memory_of(address(1)).unwrap();
    assert!(memory.ticket.is_some(), "a new one for the next time");
}

#[test]
fn a_ticket_without_early_data_spares_the_cookie_only() {
    let cookies = CookiePolicy::Always;
    let mut wire = met(HostConfig { cookies, ..early(EarlyData::Never) });
    say(&mut wire, 500);
    wire.pass(almost(3));
    assert_eq!(wire.events[1], []);
    wire.pass(MS * 2);
    assert_eq!(hear(&mut wire), 500);
}

/// Whoever sends the packets of a connection again, now or when it is over, makes nobody hear them.
#[test]
fn early_data_is_heard_once() {
    let mut wire = met(early(EarlyData::WithTicket));
    let id = say(&mut wire, 500);
    wire.pass(Duration::ZERO);
    let open = wire.last[0].clone();
    assert!(matches!(Packet::decode(&open), Ok(Packet::Open { cookie, .. }) if !cookie.is_empty()));
    wire.pass(WAY);
    assert_eq!(hear(&mut wire), 500);
    wire.inject(1, &open);
    assert_eq!(wire.hosts[1].connections().count(), 1);
    wire.pass(WAY * 4);
    let now = wire.now;
    wire.at(0, id).close(now, 0, b"");
    wire.pass(Duration::from_secs(9));
    wire.events[1].clear();
    wire.inject(1, &open);
    assert!(matches!(Packet::decode(&wire.last[1]), Ok(Packet::Challenge { .. })));
    wire.pass(Duration::from_secs(9));
    assert_eq!((wire.hosts[1].connections().count(), wire.events[1].len()), (0, 0));
    // Without tickets it is up to the application.
    let mut wire = Wire::new(HostConfig::default(), early(EarlyData::Anyone));
    let id = say(&mut wire, 500);
    wire.pass(Duration::ZERO);
    let open = wire.last[0].clone();
    wire.pass(WAY * 4);
    let now = wire.now;
    wire.at(0, id).close(now, 0, b"");
    wire.pass(Duration::from_secs(9));
    wire.events[1].clear();
    wire.inject(1, &open);
    wire.pass(Duration::ZERO);
    let again = accepted(&wire);
    assert!(wire.at(1, again).is_replayable(), "and it can ask");
    assert_eq!(hear(&mut wire), 500, "{:?}", wire.events[1]);
}

/// A host that was restarted does not know which tickets were used, and may have other limits.
#[test]
fn a_ticket_that_is_worth_nothing_costs_a_round_trip() {
    for narrow in [false, true] {
        let mut wire = met(early(EarlyData::WithTicket));
        let mut config = early(EarlyData::WithTicket);
        if narrow {
            config.connection.streams.stream_window_bytes = 15_000;
            config.connection.streams.window_bytes = 16_000;
        }
        wire.hosts[1] = Host::new(config, Secret::new([2; 16]), Seed::new(99)).unwrap();
        let id = say(&mut wire, MUCH);
        wire.pass(almost(2));
        assert_eq!(wire.hosts[1].connections().count(), 0, "it asks for a cookie first");
        let mut heard = 0;
        for _ in 0..100 {
            wire.pass(WAY);
            heard += hear_on(&mut wire, heard);
        }
        assert_eq!((heard, wire.closed(0), wire.closed(1)), (MUCH, None, None), "narrow: {narrow}");
        assert!(wire.heard(0, Event::Stream(StreamEvent::Finished(STREAM))));
        assert!(wire.at(0, id).recovery().stats().probe_timeouts < 3);
    }
}

/// What comes after the first `from` bytes.
fn hear_on(wire: &mut Wire, from: u64) -> u64 {
    let Some((id, _)) = wire.hosts[1].connections().next() else { return 0 };
    let (data, _) = wire.read(1, id, STREAM);
    assert!(data.iter().zip(from..).all(|(got, at)| *got == byte(at)));
    data.len() as u64
}

/// Tickets are for the side that opened.
#[test]
fn a_ticket_is_kept_by_the_opener_and_given_by_the_acceptor() {
    let wire = met(early(EarlyData::Never));
    assert!(wire.hosts[1].memory_of(address(0)).is_none());
    let server = HostConfig { ticket_lifetime: Duration::ZERO, ..HostConfig::default() };
    let mut wire = Wire::new(HostConfig::default(), server);
    let id = wire.open();
    wire.pass(WAY * 20);
    let now = wire.now;
    assert!(wire.at(0, id).memory(now).unwrap().ticket.is_none(), "this one gives none");
    // What was kept elsewhere is as good.
    let memory = met(early(EarlyData::WithTicket)).hosts[0].memory_of(address(1)).copied();
    let mut fresh = host(HostConfig::default(), 3);
    fresh.remember(address(1), memory.unwrap());
    assert_eq!(fresh.memory_of(address(1)), memory.as_ref());
}

/// Milliseconds until `bytes` are delivered over a connection that begins with what the one before
/// left, on a path that may have changed.
fn second_upload(config: HostConfig, before: &str, after: &str, bytes: u64) -> (u128, u64) {
    let seed = Seed::new(3);
    let (mut world, mut run) = upload(config, before, 3, 4_000_000, 0);
    run.run(&mut world, Duration::from_mins(1));
    let memory = {
        let now = world.now();
        let connection = world.endpoint(run.client).get(run.id).unwrap();
        connection.memory(now).unwrap()
    };
    assert!(memory.path.unwrap().window_bytes > 200_000, "{memory:?}");
    let (mut world, mut run) = upload(config, after, seed.number(), 0, 0);
    run.run(&mut world, Duration::from_secs(5));
    let memory = rdtp::transport::memory::PathMemory { at: world.now(), ticket: None, ..memory };
    world.endpoint_mut(run.client).remember(rdtp::sim::World::address(1), memory);
    let begin = world.now();
    run.again(&mut world, bytes);
    run.run(&mut world, begin.since_epoch() + Duration::from_mins(1));
    let connection = world.endpoint(run.client).get(run.id).unwrap();
    let lost = connection.recovery().stats().lost_packets;
    ((run.delivered_at.unwrap() - begin).as_millis(), lost)
}

/// Half of what the path bore is there after one round trip, and what it cannot bear any more is found
/// out at little cost.
#[test]
fn a_path_that_is_remembered_is_used_with_care() {
    const PATH: &str = "delay=25ms,rate=100mbit,queue=625000B";
    for congestion in [Algorithm::Cubic, Algorithm::NewReno] {
        let connection = Config { congestion, ..Config::default() };
        let known = HostConfig { connection, ..HostConfig::default() };
        let unknown = HostConfig { remembered_max: 0, ..known };
        let (fresh, _) = second_upload(unknown, PATH, PATH, 1_000_000);
        let (same, lost) = second_upload(known, PATH, PATH, 1_000_000);
        println!("{congestion:?}: 1 MB in {fresh} ms, remembered in {same} ms");
        assert!(same + 100 <= fresh && lost == 0, "{same} ms, {lost} lost");
        // Another path: the round trip says so.
        let far = "delay=300ms,rate=100mbit,queue=7500000B";
        let (fresh, _) = second_upload(unknown, PATH, far, 1_000_000);
        let (other, _) = second_upload(known, PATH, far, 1_000_000);
        assert!(other.abs_diff(fresh) <= fresh / 20, "{other} and {fresh} ms");
        // The same round trip, a twentieth of the rate, a short queue: half is far too much.
        let slow = "delay=25ms,rate=5mbit,queue=31250B";
        let (fresh, _) = second_upload(unknown, PATH, slow, 1_000_000);
        let (slower, lost) = second_upload(known, PATH, slow, 1_000_000);
        println!("{congestion:?}: slow in {fresh} ms, remembered in {slower} ms, {lost} lost");
        assert!(slower <= fresh * 5 / 4, "{slower} and {fresh} ms");
    }
}

/// What is repaired is heard without being asked for, is not acknowledged, and counts as lost.
#[test]
fn a_lost_packet_at_the_end_is_repaired() {
    let network = "delay=25ms,rate=100mbit,queue=625000B,up.loss=at:9:14";
    let run = |repair_percent| {
        let connection = Config { repair_percent, first_copies: 0, ..Config::default() };
        let config = HostConfig { connection, ..HostConfig::default() };
        let (mut world, mut run) = upload(config, network, 1, 20_000, 0);
        run.run(&mut world, Duration::from_secs(5));
        let (_, server) = world.endpoint(rdtp::trace::NodeId(1)).connections().next().unwrap();
        let repaired = server.stats().packets_repaired;
        world.run(Instant::ZERO + Duration::from_secs(3), &mut (), &mut run);
        let client = world.endpoint(run.client).get(run.id).unwrap().stats();
        (run.delivered_at.unwrap().since_epoch(), repaired, client)
    };
    let (asked, none, client) = run(0);
    assert_eq!((none, client.repairs_sent), (0, 0));
    let (repaired, some, client) = run(50);
    assert!(some >= 1 && client.repairs_sent >= 1, "{some} of {client:?}");
    assert!(client.recovery.lost_packets >= some && client.recovery.congestion_events > 0);
    assert!(repaired + MS * 40 < asked, "{repaired:?} instead of {asked:?}");
}

/// Everything over bad networks, with repair in both directions: nothing is heard twice or wrong.
#[test]
fn repair_over_bad_networks() {
    for seed in 0..30 {
        let network = "loss=8%,dup=5%,delay=20ms±15ms,jitter=reorder,rate=20mbit,queue=64KiB";
        let connection = Config { repair_percent: 100, ..Config::default() };
        let config = HostConfig { connection, ..HostConfig::default() };
        let (mut world, mut run) = upload(config, network, seed, 60_000, 60_000);
        run.run(&mut world, Duration::from_mins(1));
        assert!(run.done_at.is_some(), "seed {seed}");
    }
}
