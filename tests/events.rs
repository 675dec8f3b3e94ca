//! JSON lines of events: what the documentation of `capture::jsonl` says, held against a parser.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::collections::BTreeSet;

use rdtp::{
    capture::jsonl,
    endpoint::DropReason,
    sim::Transfer,
    time::Instant,
    trace::{Fate, NodeId, PacketInfo, Place, Record, StateLabel, Tag, TraceEvent},
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
        json!({"at_ns": u64::MAX, "node": 1, "event": "transmit", "kind": "data", "seq": 3,
               "payload_bytes": 40, "attempt": 2})
    );
    let place = Place::Link { from: NodeId(0), to: NodeId(1) };
    assert_eq!(
        parsed(place, TraceEvent::Link { datagram: 9, fate: Fate::Truncated { bytes: 5 } }),
        json!({"at_ns": u64::MAX, "from": 0, "to": 1, "event": "link", "datagram": 9,
               "fate": "truncated", "left_bytes": 5})
    );
    let deadline = Instant::from_nanos(8);
    assert_eq!(
        at_node(TraceEvent::TimerStarted { tag: Tag::Packet(4), deadline }),
        json!({"at_ns": u64::MAX, "node": 1, "event": "timer_started", "timer": "packet",
               "seq": 4, "deadline_ns": 8})
    );
    let corrupt = TraceEvent::ReceiveCorrupt { error: DecodeError::Checksum, bytes: 12 };
    assert_eq!(at_node(corrupt)["datagram_bytes"], json!(12));
    assert_eq!(at_node(TraceEvent::GaveUp { attempts: 50 })["attempts"], json!(50));
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
