//! How connections begin and end, and what strangers cannot do.

use core::time::Duration;

use rdtp::{
    batch::Batch,
    endpoint::{Endpoint, RecvMeta},
    time::Instant,
    transport::{
        config::Config,
        connection::Event,
        host::{CookiePolicy, EarlyData, HostConfig},
        lifecycle::CloseReason,
        stream::ReadError,
    },
    wire::transport::{CloseCode, ConnectionId, Frame, Greeting, Packet, ResetToken, Writer, seal},
};

use crate::wire::{Wire, address, host, host_config};

const MINUTE: Duration = Duration::from_mins(1);

fn datagram(packet: &Packet<'_>, len: usize, frames: &[Frame<'_>]) -> Vec<u8> {
    let mut space = vec![0; 1500];
    let mut writer = Writer::new(&mut space);
    packet.encode(&mut writer);
    for frame in frames {
        frame.encode(&mut writer);
    }
    if let Some(missing) = len.checked_sub(writer.len()).filter(|missing| *missing > 0) {
        Frame::Padding(missing).encode(&mut writer);
    }
    seal(writer.written());
    let len = writer.len();
    space.truncate(len);
    space
}

#[test]
fn silence_ends_a_connection_on_both_sides() {
    let (mut wire, _) = Wire::connected(Config::default());
    wire.pass(Duration::from_secs(29));
    assert_eq!((wire.closed(0), wire.closed(1)), (None, None));
    wire.pass(Duration::from_secs(3));
    assert_eq!([wire.closed(0), wire.closed(1)], [Some(CloseReason::Idle); 2]);
    assert_eq!(wire.hosts.each_ref().map(|host| host.connections().count()), [0; 2]);
}

/// A packet each 15 s, not more, and none that waits for silence to end.
#[test]
fn keep_alive_keeps_it_with_few_packets() {
    let config = Config { keep_alive: Duration::from_secs(15), ..Config::default() };
    let (mut wire, _) = Wire::connected(config);
    let before = wire.sent[0].0 + wire.sent[1].0;
    wire.pass(MINUTE * 10);
    assert_eq!((wire.closed(0), wire.closed(1)), (None, None));
    let packets = wire.sent[0].0 + wire.sent[1].0 - before;
    assert!((40..=160).contains(&packets), "{packets} packets in ten minutes");
}

/// The peer falls silent: the packets that keep a connection must not turn into a flood.
#[test]
fn keep_alive_towards_nobody_is_no_flood() {
    let config =
        Config { keep_alive: Duration::from_secs(5), idle_timeout: MINUTE, ..Config::default() };
    let (mut wire, _) = Wire::connected(config);
    wire.cut = [false, true];
    let before = wire.sent[0].0;
    wire.pass(MINUTE * 2);
    assert_eq!(wire.closed(0), Some(CloseReason::Idle));
    let packets = wire.sent[0].0 - before;
    assert!(packets < 100, "{packets} packets into silence");
}

#[test]
fn nobody_there() {
    let mut wire = Wire::new(HostConfig::default(), HostConfig::default());
    wire.open();
    wire.cut = [true; 2];
    wire.pass(Duration::from_millis(29_999));
    assert_eq!(wire.closed(0), None);
    wire.pass(Duration::from_millis(2));
    assert_eq!(wire.closed(0), Some(CloseReason::Unreachable));
    assert!((3..40).contains(&wire.sent[0].0), "{} packets", wire.sent[0].0);
}

#[test]
fn closing_is_heard_with_its_reason() {
    let (mut wire, [id, _]) = Wire::connected(Config::default());
    let now = wire.now;
    wire.at(0, id).close(now, 42, b"enough");
    wire.pass(Duration::from_millis(11));
    assert_eq!(wire.closed(0), Some(CloseReason::Local(CloseCode::Application(42))));
    assert_eq!(wire.closed(1), Some(CloseReason::Peer(CloseCode::Application(42))));
    wire.pass(Duration::from_secs(5));
    assert_eq!(wire.hosts.each_ref().map(|host| host.connections().count()), [0; 2]);
}

/// The word of the end is lost; the peer speaks again and is told again.
#[test]
fn who_missed_the_end_is_told_when_it_speaks() {
    let (mut wire, [id, peer]) = Wire::connected(Config::default());
    let now = wire.now;
    wire.cut[0] = true;
    wire.at(0, id).close(now, 42, b"");
    wire.pass(Duration::from_millis(1));
    wire.cut[0] = false;
    let stream = wire.at(1, peer).open_stream(0).unwrap();
    wire.at(1, peer).write(stream, b"hello?").unwrap();
    wire.pass(Duration::from_millis(30));
    assert_eq!(wire.closed(1), Some(CloseReason::Peer(CloseCode::Application(42))));
}

/// Regression: data, its end, and the end of the connection in one go; the application looks
/// only afterwards and still gets everything.
#[test]
fn what_arrived_before_the_end_can_be_read_after_it() {
    let (mut wire, [id, peer]) = Wire::connected(Config::default());
    let now = wire.now;
    let stream = wire.at(0, id).open_stream(0).unwrap();
    wire.at(0, id).write(stream, b"last words").unwrap();
    wire.at(0, id).finish(stream).unwrap();
    wire.pass(Duration::ZERO);
    wire.at(0, id).close(now, 0, b"");
    wire.pass(Duration::from_millis(11));
    let last = wire.events[1].iter().map(|heard| heard.event).collect::<Vec<_>>();
    assert!(matches!(last[last.len() - 2..], [Event::Stream(_), Event::Closed(_)]), "{last:?}");
    assert_eq!(wire.read(1, peer, stream), (b"last words".to_vec(), ReadError::Finished));
}

#[test]
fn a_half_that_is_closed_leaves_the_other_open() {
    let (mut wire, [id, peer]) = Wire::connected(Config::default());
    let stream = wire.at(0, id).open_stream(0).unwrap();
    wire.at(0, id).finish(stream).unwrap();
    wire.pass(Duration::from_millis(50));
    assert_eq!(wire.read(1, peer, stream), (vec![], ReadError::Finished));
    for n in 0..3 {
        wire.at(1, peer).write(stream, &[n]).unwrap();
        wire.pass(Duration::from_secs(1));
        assert_eq!(wire.read(0, id, stream), (vec![n], ReadError::Blocked));
    }
    wire.at(1, peer).finish(stream).unwrap();
    wire.pass(Duration::from_secs(1));
    assert_eq!(wire.read(0, id, stream).1, ReadError::Finished);
    assert!(wire.at(0, id).streams().is_empty() && wire.at(1, peer).streams().is_empty());
}

/// The server is started anew with the same secret: whoever speaks to it learns that soon,
/// even with the smallest packet there is.
#[test]
fn a_restarted_server_says_so() {
    let config = Config { keep_alive: Duration::from_secs(5), ..Config::default() };
    let (mut wire, _) = Wire::connected(config);
    wire.hosts[1] = host(host_config(config), 2);
    wire.pass(Duration::from_secs(6));
    assert_eq!(wire.closed(0), Some(CloseReason::Reset));
    // With another secret nobody believes it.
    let (mut wire, _) = Wire::connected(config);
    wire.hosts[1] = host(host_config(config), 3);
    wire.pass(Duration::from_secs(20));
    assert_eq!(wire.closed(0), None);
    wire.pass(MINUTE);
    assert_eq!(wire.closed(0), Some(CloseReason::Idle));
}

/// Two hosts without memory do not answer each other for ever.
#[test]
fn resets_are_not_answered() {
    let mut wire = Wire::new(HostConfig::default(), HostConfig::default());
    let token = ResetToken([7; 16]);
    let reset = datagram(&Packet::Reset { to: ConnectionId(9), token }, 0, &[]);
    let data = Packet::Data { to: ConnectionId(9), number: 1, frames: &[] };
    wire.inject(0, &reset);
    wire.inject(1, &datagram(&data, reset.len(), &[Frame::Ping]));
    wire.pass(MINUTE);
    assert_eq!((wire.sent[0].0, wire.sent[1].0), (0, 0));
    wire.inject(1, &datagram(&data, 100, &[Frame::Ping]));
    wire.pass(MINUTE);
    assert_eq!((wire.sent[0].0, wire.sent[1].0), (0, 1));
}

#[test]
fn another_version_is_told_apart() {
    let mut wire = Wire::new(HostConfig::default(), HostConfig::default());
    wire.open();
    wire.cut[0] = true;
    wire.pass(Duration::ZERO);
    let mut open = wire.last[0].clone();
    // The version stands behind checksum, kind and ID.
    open[13..17].copy_from_slice(&[0xff; 4]);
    seal(&mut open);
    wire.inject(1, &open);
    assert_eq!(wire.hosts[1].connections().count(), 0);
    wire.pass(Duration::from_millis(11));
    assert_eq!(wire.closed(0), None, "our own version among those offered is a lie");
    let Ok(Packet::Open { greeting, .. }) = Packet::decode(&open) else { panic!("no open") };
    let Greeting { from, number, .. } = greeting;
    for (number, closed) in [(number + 1000, None), (number, Some(CloseReason::Version))] {
        let versions = &[0xff; 4];
        wire.inject(0, &datagram(&Packet::Versions { to: from, number, versions }, 0, &[]));
        assert_eq!(wire.closed(0), closed);
    }
}

#[test]
fn who_does_not_know_the_secrets_ends_nothing() {
    let (mut wire, [id, peer]) = Wire::connected(Config::default());
    let close = |to: u64, number| {
        let packet = Packet::Data { to: ConnectionId(to), number, frames: &[] };
        datagram(&packet, 0, &[Frame::Close { code: CloseCode::Internal, reason: b"" }])
    };
    for bit in 0..64 {
        wire.inject(0, &close(id.0 ^ 1 << bit, 7));
        wire.inject(1, &close(peer.0 ^ 1 << bit, 7));
        let token = ResetToken([bit; 16]);
        wire.inject(0, &datagram(&Packet::Reset { to: peer, token }, 0, &[]));
        wire.inject(1, &datagram(&Packet::Reset { to: id, token }, 0, &[]));
    }
    // The right ID from another address.
    let meta = RecvMeta::from(address(9));
    let now = wire.now;
    let _ = wire.hosts[1].handle_datagram(now, meta, &close(peer.0, 7));
    wire.pass(Duration::from_secs(1));
    assert_eq!((wire.closed(0), wire.closed(1)), (None, None));
}

fn connected_after(cookies: CookiePolicy) -> Duration {
    let server = HostConfig { cookies, ..HostConfig::default() };
    let mut wire = Wire::new(HostConfig::default(), server);
    wire.open();
    while !wire.heard(0, Event::Connected) {
        wire.pass(Duration::from_millis(1));
    }
    wire.now.since_epoch()
}

#[test]
fn a_cookie_costs_one_round_trip() {
    assert_eq!(connected_after(CookiePolicy::Never), Duration::from_millis(20));
    assert_eq!(connected_after(CookiePolicy::Above(1)), Duration::from_millis(20));
    assert_eq!(connected_after(CookiePolicy::Above(0)), Duration::from_millis(40));
    assert_eq!(connected_after(CookiePolicy::Always), Duration::from_millis(40));
}

/// An open from nowhere, as long as an honest one.
fn forged(wire: &Wire, n: u64) -> Vec<u8> {
    let Ok(Packet::Open { greeting, .. }) = Packet::decode(&wire.last[0]) else {
        panic!("no open");
    };
    let (from, to) = (ConnectionId(n), ConnectionId(n ^ 0x4d));
    let greeting = Greeting { from, number: n, ..greeting };
    let packet = Packet::Open { to, greeting, cookie: &[], frames: &[] };
    datagram(&packet, 1200, &[Frame::Ping])
}

fn flood(server: HostConfig, opens: u64) -> Wire {
    let mut wire = Wire::new(HostConfig::default(), server);
    wire.open();
    wire.cut[0] = true;
    wire.pass(Duration::ZERO);
    for n in 0..opens {
        let open = forged(&wire, n);
        let meta = RecvMeta::from(([10, 9, u8::try_from(n % 200).unwrap(), 1], 9).into());
        let _ = wire.hosts[1].handle_datagram(Instant::ZERO, meta, &open);
    }
    wire
}

#[test]
fn forged_addresses_leave_nothing_behind() {
    let server = HostConfig { cookies: CookiePolicy::Always, ..HostConfig::default() };
    let mut wire = flood(server, 100_000);
    assert_eq!(wire.hosts[1].connections().count(), 0);
    wire.pass(MINUTE);
    assert_eq!(wire.sent[1].0, server.answers_max as u64);
    assert!(wire.events[1].is_empty());
}

#[test]
fn under_load_the_policy_turns() {
    let wire = flood(HostConfig::default(), 2000);
    assert_eq!(wire.hosts[1].connections().count(), 256);
}

#[test]
fn connections_are_counted() {
    let cookies = CookiePolicy::Never;
    let server = HostConfig { cookies, connections_max: 100, ..HostConfig::default() };
    let mut wire = flood(server, 5000);
    assert_eq!(wire.hosts[1].connections().count(), 100);
    wire.pass(MINUTE);
    assert_eq!(wire.hosts[1].connections().count(), 0, "nobody answered");
    assert_eq!(wire.events[1], [], "and no application heard of them");
}

/// Opens that close at once, to an application that never listens.
#[test]
fn events_that_nobody_takes_are_bounded() {
    let cookies = CookiePolicy::Never;
    let early_data = EarlyData::Anyone;
    let config = HostConfig { cookies, early_data, connections_max: 10, ..HostConfig::default() };
    let mut wire = Wire::new(HostConfig::default(), config);
    wire.open();
    wire.pass(Duration::ZERO);
    let mut server = host(config, 5);
    for n in 0..1000 {
        let mut open = forged(&wire, n);
        let close = Frame::Close { code: CloseCode::Internal, reason: b"" };
        let mut space = [0; 40];
        let mut writer = Writer::new(&mut space);
        close.encode(&mut writer);
        let len = writer.len();
        // Over the padding at the end.
        let from = open.len() - len;
        open[from..].copy_from_slice(&space[..len]);
        seal(&mut open);
        let now = Instant::ZERO + Duration::from_secs(10 * n);
        server.handle_timeout(now);
        let _ = server.handle_datagram(now, RecvMeta::from(address(3)), &open);
    }
    let events = core::iter::from_fn(|| server.poll_event()).count();
    assert!((1..=10).contains(&events), "{events} events");
}

/// An acceptor with much to say to an address that has said nothing but one packet.
#[test]
fn three_bytes_for_one_to_a_stranger() {
    for opens in 1..4_u64 {
        let cookies = CookiePolicy::Never;
        let server = HostConfig { cookies, ..HostConfig::default() };
        let mut wire = Wire::new(HostConfig::default(), server);
        wire.open();
        wire.cut = [true; 2];
        wire.pass(Duration::ZERO);
        let open = wire.last[0].clone();
        for _ in 0..opens {
            wire.inject(1, &open);
        }
        let (id, _) = wire.hosts[1].connections().next().unwrap();
        let stream = wire.at(1, id).open_stream(0).unwrap();
        wire.at(1, id).write(stream, &vec![7; 100_000]).unwrap();
        wire.pass(Duration::from_secs(9));
        let (received, sent) = (opens * open.len() as u64, wire.sent[1].1);
        assert!(sent <= 3 * received, "{sent} bytes for {received}");
        assert!(sent >= 2 * open.len() as u64, "{sent} bytes");
        // Nor is the word of the end free.
        let now = wire.now;
        wire.at(1, id).close(now, 1, b"");
        for _ in 0..100 {
            wire.pass(Duration::from_millis(10));
        }
        assert!(wire.sent[1].1 <= 3 * received);
    }
}

#[test]
fn a_turn_is_not_spent_on_a_batch_without_room() {
    let (mut wire, [id, _]) = Wire::connected(Config::default());
    let stream = wire.at(0, id).open_stream(0).unwrap();
    wire.at(0, id).write(stream, &[7; 1000]).unwrap();
    let now = wire.now;
    let mut space = [0; 40];
    assert!(wire.hosts[0].poll_transmit(now, &mut Batch::new(&mut space)).is_none());
    assert!(wire.hosts[0].poll_timeout().is_some_and(|due| due <= now), "it stays due");
    let mut space = [0; 2000];
    assert!(wire.hosts[0].poll_transmit(now, &mut Batch::new(&mut space)).is_some());
}
