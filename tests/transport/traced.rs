//! What the transport reports: that it is true, and that reporting changes nothing.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use rdtp::{
    buf::RangeSet,
    endpoint::{Disposition, DropReason, Endpoint, RecvMeta},
    sim::World,
    time::Instant,
    trace::{
        FrameInfo, NodeId, Place, Record, TraceEvent,
        transport::{
            CloseReason, Limit, LossCause, PacketKind, Phase, StreamChange, TransportEvent, Way,
        },
    },
    transport::{
        cc::Algorithm,
        config::Config,
        host::{CookiePolicy, EarlyData, Host, HostConfig},
        stream::StreamLimits,
    },
    wire::transport::{CloseCode, ConnectionId, StreamId},
};

use crate::pair::{Upload, pair, upload};

const CLIENT: NodeId = NodeId(0);
const SERVER: NodeId = NodeId(1);
const MINUTE: Duration = Duration::from_mins(1);

/// The transport's events at one node, with their times.
fn at(records: &[Record], node: NodeId) -> Vec<(Instant, Option<ConnectionId>, TransportEvent)> {
    let there = records.iter().filter(|record| record.place == Place::Node(node));
    there
        .filter_map(|record| match record.event {
            TraceEvent::Transport { connection, event } => Some((record.at, connection, event)),
            _ => None,
        })
        .collect()
}

fn seen(
    config: HostConfig,
    network: &str,
    seed: u64,
    bytes: (u64, u64),
) -> (World<Host>, Upload, Vec<Record>) {
    let (mut world, mut run) = upload(config, network, seed, bytes.0, bytes.1);
    let mut records = Vec::new();
    run.watch(&mut world, MINUTE, &mut records);
    assert!(run.done_at.is_some(), "{network}, seed {seed}: {:?}", run.closed);
    (world, run, records)
}

const HARSH: &str =
    "loss=3%,dup=2%,corrupt=2%,delay=20ms±15ms,jitter=reorder,rate=20mbit,queue=64KiB";

#[test]
fn watching_changes_nothing() {
    for seed in 0..4 {
        let (watched, run, records) = seen(HostConfig::default(), HARSH, seed, (600_000, 1000));
        let (mut alone, mut other) = upload(HostConfig::default(), HARSH, seed, 600_000, 1000);
        other.run(&mut alone, MINUTE);
        assert!(records.len() > 5_000, "{}", records.len());
        assert_eq!((run.done_at, run.delivered_at), (other.done_at, other.delivered_at));
        assert_eq!(watched.datagrams(), alone.datagrams());
        for node in [CLIENT, SERVER] {
            let stats = |world: &World<Host>| {
                world
                    .endpoint(node)
                    .connections()
                    .map(|(id, c)| (id, c.stats()))
                    .collect::<Vec<_>>()
            };
            assert_eq!(stats(&watched), stats(&alone), "seed {seed}, {node}");
        }
    }
}

/// Every count that statistics have can be had from the events, and the other way round.
#[test]
fn events_agree_with_the_statistics() {
    for seed in 0..4 {
        let (world, run, records) = seen(HostConfig::default(), HARSH, seed, (400_000, 100_000));
        let mut lost_or_spurious = 0;
        for node in [CLIENT, SERVER] {
            let (id, connection) = world.endpoint(node).connections().next().unwrap();
            let stats = connection.stats();
            let events = at(&records, node);
            assert!(events.iter().all(|(_, of, event)| {
                of.is_none_or(|of| of == id)
                    || matches!(event, TransportEvent::PacketDiscarded { .. })
            }));
            let count = |is: fn(&TransportEvent) -> bool| {
                events.iter().filter(|(.., event)| is(event)).count() as u64
            };
            let sent = count(|e| matches!(e, TransportEvent::PacketSent { .. }));
            assert_eq!(sent, stats.datagrams_sent);
            let eliciting =
                count(|e| matches!(e, TransportEvent::PacketSent { eliciting: true, .. }));
            assert_eq!(eliciting, stats.recovery.sent_packets);
            let bytes = events.iter().filter_map(|(.., e)| match e {
                TransportEvent::PacketSent { bytes, .. } => Some(u64::from(*bytes)),
                _ => None,
            });
            assert_eq!(bytes.sum::<u64>(), stats.bytes_sent);
            let received = count(|e| matches!(e, TransportEvent::PacketReceived { .. }));
            assert_eq!(received, stats.datagrams_received);
            let lost = count(|e| matches!(e, TransportEvent::PacketLost { .. }));
            let lost_probes = u64::from(stats.mtu.probes_lost);
            assert_eq!(lost, stats.recovery.lost_packets + lost_probes);
            let spurious = count(|e| matches!(e, TransportEvent::SpuriousLoss { .. }));
            assert_eq!(spurious, stats.recovery.spurious_packets);
            let probes = count(|e| matches!(e, TransportEvent::ProbeTimeout { .. }));
            assert_eq!(probes, stats.recovery.probe_timeouts);
            let undone = count(|e| matches!(e, TransportEvent::CutUndone));
            assert_eq!(undone, stats.recovery.undone_events);
            let acked = events.iter().filter_map(|(.., e)| match e {
                TransportEvent::AckReceived { bytes, .. } => Some(*bytes),
                _ => None,
            });
            assert_eq!(acked.sum::<u64>(), stats.recovery.delivered_bytes);
            let last_rtt = events.iter().rev().find_map(|(.., e)| match e {
                TransportEvent::Rtt { latest, smoothed, variance, min, .. } => {
                    Some((*latest, *smoothed, *variance, *min))
                }
                _ => None,
            });
            let expected = (stats.rtt_latest, stats.srtt, stats.rttvar, stats.rtt_min);
            assert_eq!(last_rtt, Some(expected));
            lost_or_spurious += lost + spurious;
        }
        assert!(lost_or_spurious > 10, "the network was too kind");
        assert_eq!(run.received, 400_000);
    }
}

/// What is told of a packet belongs to a packet that was sent, and all of a stream is told.
#[test]
fn packets_and_streams_are_followed_to_their_end() {
    let (mut world, mut run, mut records) = seen(HostConfig::default(), HARSH, 9, (300_000, 0));
    // The last ACKs are still on their way.
    world.run(world.now() + MINUTE, &mut records, &mut run);
    let mut sent = BTreeMap::new();
    let (mut gone, mut written, mut acked) =
        (BTreeSet::new(), RangeSet::new(1 << 12), RangeSet::new(1 << 12));
    let mut causes = BTreeSet::new();
    let mut before = Instant::ZERO;
    for (now, _, event) in at(&records, CLIENT) {
        assert!(now >= before);
        before = now;
        match event {
            TransportEvent::PacketSent { number, bytes, .. } => {
                let last = sent.last_key_value().map(|(&last, _)| last);
                // One is left out now and then.
                let follows = last.is_none_or(|last| (1..=2).contains(&(number - last)));
                assert!(follows, "{number} after {last:?}");
                sent.insert(number, bytes);
            }
            TransportEvent::Frame { way: Way::Sent, number, frame } => {
                assert_eq!(sent.last_key_value().map(|(&last, _)| last), Some(number));
                if let FrameInfo::Stream { id: StreamId(0), offset, bytes, .. } = frame {
                    written.insert(offset..offset + u64::from(bytes)).unwrap();
                }
            }
            TransportEvent::PacketLost { number, bytes, cause } => {
                assert_eq!(sent.get(&number), Some(&bytes));
                assert!(gone.insert(number), "{number} was lost twice");
                causes.insert(cause.name());
            }
            TransportEvent::SpuriousLoss { number, .. } => {
                assert!(gone.contains(&number), "{number} was not lost before");
            }
            TransportEvent::AckReceived { largest, .. } => assert!(sent.contains_key(&largest)),
            TransportEvent::StreamAcked { id, offset, bytes, .. } => {
                assert_eq!(id, run.stream);
                let range = offset..offset + bytes;
                assert_eq!(written.missing(range.clone()).count(), 0, "{range:?} was not sent");
                acked.insert(range).unwrap();
            }
            _ => {}
        }
    }
    assert_eq!((acked.first(), acked.ranges()), (Some(0..300_000), 1));
    assert_eq!(
        causes.into_iter().collect::<Vec<_>>(),
        [LossCause::Packets.name(), LossCause::Time.name()]
    );
}

#[test]
fn a_connection_is_told_from_its_beginning_to_its_end() {
    use StreamChange::{Ended, Finished, OpenedByPeer};
    let (mut world, mut run, mut records) = seen(HostConfig::default(), "delay=10ms", 1, (100, 0));
    let now = world.now();
    let id = run.id;
    world.endpoint_mut(CLIENT).get_mut(id).unwrap().close(now, 7, b"done");
    world.run(now + MINUTE, &mut records, &mut run);
    let life = |node| -> Vec<String> {
        let told = at(&records, node).into_iter().filter_map(|(.., event)| match event {
            TransportEvent::Started { accepted, state, .. } => Some(format!("{accepted} {state}")),
            TransportEvent::State { from, to, reason } => {
                assert_eq!(reason.is_some(), ["closing", "draining", "closed"].contains(&to));
                Some(format!("{from} {to}"))
            }
            _ => None,
        });
        told.collect()
    };
    let client = ["false opening", "opening established", "established closing", "closing closed"];
    assert_eq!(life(CLIENT), client);
    let server =
        ["true accepting", "accepting established", "established draining", "draining closed"];
    assert_eq!(life(SERVER), server);
    let by_peer = Some(CloseReason::Peer(CloseCode::Application(7)));
    assert!(at(&records, SERVER).iter().any(|(.., event)| {
        matches!(event, TransportEvent::State { to: "draining", reason, .. } if *reason == by_peer)
    }));
    let changes = |node| -> Vec<StreamChange> {
        let told = at(&records, node).into_iter().filter_map(|(.., event)| match event {
            TransportEvent::Stream { id, change } => {
                assert_eq!(id, run.stream);
                Some(change)
            }
            _ => None,
        });
        told.collect()
    };
    // The application had written when tracing began.
    assert_eq!(changes(CLIENT), [Finished]);
    // What closes the connection also says that everything arrived.
    assert_eq!(changes(SERVER), [OpenedByPeer, Ended, Finished]);
}

fn limits(records: &[Record], node: NodeId) -> BTreeSet<Limit> {
    let told = at(records, node).into_iter().filter_map(|(.., event)| match event {
        TransportEvent::Limited { from, to } => {
            assert_ne!(from, to);
            Some(to)
        }
        _ => None,
    });
    told.collect()
}

#[test]
fn what_limits_sending_is_told() {
    let path = "delay=25ms,rate=20mbit,queue=125000B";
    let (_, _, records) = seen(HostConfig::default(), path, 1, (3_000_000, 0));
    let bulk = BTreeSet::from([Limit::Application, Limit::Congestion, Limit::Pacing]);
    assert!(limits(&records, CLIENT).is_superset(&bulk));
    let last = at(&records, CLIENT).into_iter().rev().find_map(|(.., event)| match event {
        TransportEvent::Limited { to, .. } => Some(to),
        _ => None,
    });
    assert_eq!(last, Some(Limit::Application), "in the end there is nothing to send");
    // Windows that cannot grow hold back what the path would take.
    let default = Config::default();
    let narrow = StreamLimits {
        stream_window_bytes: 20_000,
        stream_window_bytes_max: 20_000,
        ..default.streams
    };
    let config =
        HostConfig { connection: Config { streams: narrow, ..default }, ..HostConfig::default() };
    let (_, _, records) = seen(config, path, 1, (300_000, 0));
    assert!(limits(&records, CLIENT).contains(&Limit::FlowControl));
    // An acceptor that may not send more than three times what it got.
    let network = format!("up.loss=at:2:3:4:5:6:7,{path}");
    let config = HostConfig { early_data: EarlyData::Anyone, ..HostConfig::default() };
    let (_, _, records) = seen(config, &network, 6, (0, 20_000));
    assert!(limits(&records, SERVER).contains(&Limit::Validation));
}

#[test]
fn phases_of_congestion_control_are_told() {
    let path = "delay=25ms,rate=20mbit,queue=125000B";
    let through = |congestion, bytes| {
        let connection = Config { congestion, ..Config::default() };
        let config = HostConfig { connection, ..HostConfig::default() };
        let (world, run, records) = seen(config, path, 1, (bytes, 0));
        let mut phase = Phase::SlowStart;
        let mut through = BTreeSet::from([phase]);
        for (.., event) in at(&records, CLIENT) {
            if let TransportEvent::Phase { from, to } = event {
                assert_eq!(from, phase, "each begins where the one before ended");
                through.insert(to);
                phase = to;
            }
        }
        (through, phase, world, run, records)
    };
    let (mut all, ..) = through(Algorithm::Bbr, 12_000_000);
    let (of_cubic, phase, world, run, records) = through(Algorithm::Cubic, 6_000_000);
    all.extend(of_cubic);
    // A queue that empties between probes spares looking for the least round trip.
    all.insert(Phase::ProbeRtt);
    assert_eq!(all, BTreeSet::from(Phase::ALL));
    let connection = world.endpoint(CLIENT).get(run.id).unwrap();
    assert_eq!(phase, connection.recovery().phase());
    let last = at(&records, CLIENT).into_iter().rev().find_map(|(.., event)| match event {
        TransportEvent::Metrics { window_bytes, ssthresh_bytes, in_flight_bytes, .. } => {
            Some((window_bytes, ssthresh_bytes, in_flight_bytes))
        }
        _ => None,
    });
    let stats = connection.stats();
    let expected = (stats.window_bytes, Some(stats.ssthresh_bytes), stats.in_flight_bytes);
    assert_eq!(last, Some(expected));
}

#[test]
fn an_outage_is_told_by_probes_and_persistent_congestion() {
    let path = "outage=1s+3s/1h,delay=25ms,rate=20mbit,queue=125000B";
    let (_, _, records) = seen(HostConfig::default(), path, 1, (5_000_000, 0));
    let events = at(&records, CLIENT);
    let counts: Vec<u32> = events
        .iter()
        .filter_map(|(.., event)| match event {
            TransportEvent::ProbeTimeout { count } => Some(*count),
            _ => None,
        })
        .collect();
    assert!(counts.len() >= 3 && counts.windows(2).all(|w| w[1] == w[0] + 1), "{counts:?}");
    let probes =
        events.iter().filter(|(.., e)| matches!(e, TransportEvent::PacketSent { probe: true, .. }));
    assert!(probes.count() >= counts.len());
    assert!(events.iter().any(|(.., e)| matches!(e, TransportEvent::PersistentCongestion { .. })));
}

#[test]
fn what_is_not_taken_is_told_with_its_reason() {
    let config = HostConfig { cookies: CookiePolicy::Always, ..HostConfig::default() };
    let (_, _, records) = seen(config, "corrupt=20%,dup=20%,delay=10ms", 3, (100_000, 0));
    let answered = at(&records, SERVER).iter().any(|&(_, of, event)| {
        matches!(event, TransportEvent::Answered { kind: PacketKind::Challenge, .. })
            && of.is_none()
    });
    assert!(answered);
    let client = at(&records, CLIENT);
    let heard = |(.., event): &(_, _, TransportEvent)| {
        matches!(event, TransportEvent::Heard { kind: PacketKind::Challenge, .. })
    };
    assert!(client.iter().any(heard));
    let restarted = |(.., event): &(_, _, TransportEvent)| {
        matches!(event, TransportEvent::PacketLost { cause: LossCause::Restart, .. })
    };
    assert!(client.iter().any(restarted));
    let server = at(&records, SERVER);
    let mut damaged = 0;
    let mut copies = 0;
    for (.., event) in server {
        let TransportEvent::PacketDiscarded { number, kind, bytes, reason } = event else {
            continue;
        };
        assert!(bytes > 0);
        match reason {
            DropReason::Damaged(_) => {
                assert_eq!((number, kind), (None, None));
                damaged += 1;
            }
            DropReason::Guard { reason: "a copy", .. } => {
                assert!(number.is_some() && kind.is_some());
                copies += 1;
            }
            _ => {}
        }
    }
    assert!(damaged > 5 && copies > 5, "{damaged} damaged, {copies} copies");
}

/// Events wait in the host until somebody fetches them, and are forgotten when tracing ends.
#[test]
fn a_host_reports_only_when_asked() {
    let (mut world, client, id) = pair(HostConfig::default(), "perfect", 1);
    let host = world.endpoint_mut(client);
    assert_eq!(host.poll_trace(), None);
    host.set_tracing(true);
    host.handle_timeout(Instant::ZERO);
    let started = host.poll_trace();
    let is_start = |event: &TraceEvent| {
        matches!(
            event,
            TraceEvent::Transport { connection, event: TransportEvent::Started { accepted: false, state: "opening", .. } }
                if *connection == Some(id)
        )
    };
    assert!(started.as_ref().is_some_and(is_start), "{started:?}");
    let from = RecvMeta::from(World::address(1));
    let noise = host.handle_datagram(Instant::ZERO, from, b"noise");
    assert!(matches!(noise, Disposition::Discarded(DropReason::Damaged(_))));
    host.set_tracing(false);
    assert_eq!(host.poll_trace(), None);
}
