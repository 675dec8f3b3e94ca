//! JSON lines of events: what the documentation of `capture::jsonl` says, held against a parser.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::collections::BTreeSet;

use rdtp::{
    capture::jsonl::{self, Lines},
    endpoint::DropReason,
    rng::Seed,
    sim::{Ignore, Transfer, World},
    time::Instant,
    trace::{Fate, NodeId, PacketInfo, Place, Record, StateLabel, Tag, TraceEvent},
    transport::{
        connection::Event,
        cookie::Secret,
        host::{CookiePolicy, Host, HostConfig, HostEvent},
        stream::StreamEvent,
    },
    wire::{DecodeError, Kind},
};
use serde_json::{Value, json};

fn parsed(place: Place, event: TraceEvent) -> Value {
    let record = Record { at: Instant::from_nanos(u64::MAX), place, event };
    serde_json::from_str(&jsonl::line(&record)).unwrap()
}

fn at_node(event: TraceEvent) -> Value {
    parsed(Place::Node(NodeId(1)), event)
}

#[test]
fn every_event_of_a_bad_run_is_an_object_with_time_place_and_name() {
    let profile = "hostile,delay=20ms".parse().unwrap();
    let transfer = Transfer::new(vec![vec![7; 40]; 60]).over(profile).seed(3);
    let mut records: Vec<Record> = Vec::new();
    transfer.run("sr:8".parse().unwrap(), &mut records).unwrap();
    let mut names = BTreeSet::new();
    for record in &records {
        let value: Value = serde_json::from_str(&jsonl::line(record)).unwrap();
        assert_eq!(value["at_ns"], json!(record.at.as_nanos()));
        assert!(value["node"].is_u64() || value["from"].is_u64() && value["to"].is_u64());
        names.insert(value["event"].as_str().unwrap().to_owned());
    }
    let expected = [
        "acknowledged",
        "deliver",
        "discard",
        "link",
        "receive",
        "receive_corrupt",
        "rtt",
        "send",
        "step",
        "timer_expired",
        "timer_started",
        "timer_stopped",
        "transmit",
    ];
    assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn fields_are_those_of_the_documentation() {
    let data = PacketInfo { kind: Kind::Data, seq: Some(3), payload_bytes: 40 };
    assert_eq!(
        at_node(TraceEvent::Transmit { packet: data, attempt: 2 }),
        json!({"at_ns": u64::MAX - 1, "node": 1, "event": "transmit", "kind": "data", "seq": 3,
               "payload_bytes": 40, "attempt": 2})
    );
    let place = Place::Link { from: NodeId(0), to: NodeId(1) };
    assert_eq!(
        parsed(place, TraceEvent::Link { datagram: 9, fate: Fate::Truncated { bytes: 5 } }),
        json!({"at_ns": u64::MAX - 1, "from": 0, "to": 1, "event": "link", "datagram": 9,
               "fate": "truncated", "left_bytes": 5})
    );
    let deadline = Instant::from_nanos(8);
    assert_eq!(
        at_node(TraceEvent::TimerStarted { tag: Tag::Packet(4), deadline }),
        json!({"at_ns": u64::MAX - 1, "node": 1, "event": "timer_started", "timer": "packet",
               "seq": 4, "deadline_ns": 8})
    );
    let corrupt = TraceEvent::ReceiveCorrupt { error: DecodeError::Checksum, bytes: 12 };
    assert_eq!(at_node(corrupt)["datagram_bytes"], json!(12));
    assert_eq!(at_node(TraceEvent::GaveUp { attempts: 50 })["attempts"], json!(50));
}

/// Every name of a transport's event that the documentation has is one that is written.
#[test]
fn events_of_the_transport_are_those_of_the_documentation() {
    let host = |n: u8| {
        let config = HostConfig { cookies: CookiePolicy::Always, ..HostConfig::default() };
        Host::new(config, Secret::new([n; 16]), Seed::new(n.into())).unwrap()
    };
    let mut names = BTreeSet::new();
    let mut frames = BTreeSet::new();
    for network in [
        "loss=3%,corrupt=3%,dup=3%,delay=20ms±15ms,jitter=reorder,rate=20mbit,queue=40kB",
        "outage=300ms+3s/1h,delay=20ms,rate=20mbit,queue=40kB",
    ] {
        let mut world = World::new();
        let (client, server) = (world.add(host(1)), world.add(host(2)));
        world.connect(client, server, &network.parse().unwrap(), Seed::new(1));
        let mut lines = Lines(String::new());
        world.step(Instant::ZERO, &mut lines, &mut Ignore);
        let id = world.endpoint_mut(client).open(Instant::ZERO, World::address(1));
        let connection = world.endpoint_mut(client).get_mut(id).unwrap();
        let stream = connection.open_stream(0).unwrap();
        let mut left = vec![7; 900_000];
        left.drain(..connection.write(stream, &left).unwrap());
        let read = &mut |now, node, event: HostEvent, host: &mut Host| {
            let Some(connection) = host.get_mut(event.id) else { return };
            if node == NodeId(0) && !left.is_empty() {
                left.drain(..connection.write(stream, &left).unwrap_or(0));
                if left.is_empty() {
                    connection.finish(stream).unwrap();
                }
            }
            while let Ok(bytes) = connection.peek(stream) {
                let len = bytes.len();
                if len == 0 {
                    break;
                }
                connection.consume(now, stream, len);
            }
            if matches!(event.event, Event::Stream(StreamEvent::Finished(_))) && node == NodeId(0) {
                connection.close(now, 0, b"done");
            }
        };
        world.run(Instant::from_nanos(60_000_000_000), &mut lines, read);
        for line in lines.0.lines() {
            let value: Value = serde_json::from_str(line).unwrap();
            if value["event"] != "link" {
                assert!(value["connection"].is_string() || value["connection"].is_null(), "{line}");
                names.insert(value["event"].as_str().unwrap().to_owned());
                frames.extend(value["frame"].as_str().map(String::from));
            }
        }
    }
    let source = include_str!("../src/capture/jsonl.rs");
    let (_, documented) = source.split_once("# The production transport").unwrap();
    let rows = documented.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let documented: BTreeSet<String> = rows
        .filter_map(|row| row.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .skip(1)
        .collect();
    let strange: Vec<_> = names.difference(&documented).collect();
    assert!(strange.is_empty(), "not in the documentation: {strange:?}");
    let rare: Vec<_> = documented.difference(&names).map(String::as_str).collect();
    assert!(
        rare.iter().all(|name| ["cut_undone", "peer_moved"].contains(name)),
        "never written: {rare:?}"
    );
    let usual = ["ack", "ack_range", "connection_close", "max_stream_data", "padding", "stream"];
    assert!(usual.iter().all(|name| frames.contains(*name)), "{frames:?}");
}

#[test]
fn text_survives_whatever_is_in_it() {
    let text = "a \"quoted\" \\ reason\n\u{7}\u{1F600}";
    let state = StateLabel::numbered("Wait for ACK #", 1);
    let reason = DropReason::Guard { state, reason: text };
    let value = at_node(TraceEvent::Discard { packet: None, reason });
    assert_eq!((&value["kind"], &value["reason"]), (&Value::Null, &json!("guard")));
    assert!(value["detail"].as_str().unwrap().ends_with(text));
}
