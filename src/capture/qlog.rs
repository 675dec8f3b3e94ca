//! qlog: the format that viewers of QUIC connections read, such as qvis.
//!
//! A file is one JSON object of qlog 0.3 (draft-ietf-quic-qlog-main-schema-02 and
//! draft-ietf-quic-qlog-quic-events-01) with a trace for each connection at each node. Times are
//! milliseconds since the run began. Packets that ask for a connection are called `initial`, those
//! that agree `handshake`, all others `1RTT`; they share one space of numbers here. Events that qlog
//! has no name for are in the category `rdtp`.
//!
//! ```
//! use rdtp::{capture::Qlog, sim::World, time::Instant, rng::Seed, transport::{
//!     cookie::Secret, host::{Host, HostConfig, HostEvent},
//! }};
//!
//! let mut world = World::new();
//! let host = |n| Host::new(HostConfig::default(), Secret::new([n; 16]), Seed::new(n.into()));
//! let (a, b) = (world.add(host(1)?), world.add(host(2)?));
//! world.connect(a, b, &"delay=25ms".parse()?, Seed::new(7));
//! world.endpoint_mut(a).open(Instant::ZERO, World::address(1));
//! let mut qlog = Qlog::new("a handshake");
//! world.run(Instant::from_nanos(1_000_000_000), &mut qlog, &mut |_, _, _: HostEvent, _: &mut Host| {});
//! assert!(qlog.to_json().contains("transport:packet_sent"));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::json::Object;
use crate::{
    endpoint::DropReason,
    time::{Instant, nanos},
    trace::{
        FrameInfo, NodeId, Observer, Place, Record, TraceEvent,
        transport::{CloseReason, LossCause, PacketKind, StreamChange, TransportEvent},
    },
    wire::transport::{CloseCode, ConnectionId},
};

/// An observer that keeps the events of all connections as qlog. A packet and what
/// follows from it take some 350 bytes.
#[derive(Clone, Debug)]
pub struct Qlog {
    title: String,
    traces: BTreeMap<(NodeId, ConnectionId), Trace>,
}

/// One connection as one node sees it.
#[derive(Clone, Debug, Default)]
struct Trace {
    accepted: bool,
    events: String,
    /// A packet whose frames are still being told.
    packet: Option<PendingPacket>,
    /// Packets of the handshake, whose kind is not that of all others.
    handshake: BTreeMap<u64, PacketKind>,
}

#[derive(Clone, Debug)]
struct PendingPacket {
    at: Instant,
    name: &'static str,
    data: Object,
    frames: Vec<String>,
    /// An ACK frame without its end, and the ranges that it has so far.
    ack: Option<(Object, Vec<(u64, u64)>)>,
}

impl Qlog {
    /// Nothing yet. `title` is shown by viewers.
    pub fn new(title: &str) -> Self {
        Self { title: title.to_string(), traces: BTreeMap::new() }
    }

    /// The whole file.
    pub fn to_json(&self) -> String {
        let mut traces = String::from("[");
        for (at, ((node, id), trace)) in self.traces.iter().enumerate() {
            let mut trace = trace.clone();
            trace.flush();
            traces.push_str(if at > 0 { ",\n" } else { "\n" });
            traces.push_str(&trace.to_json(&format!("{node}, connection {id}"), *id));
        }
        traces.push(']');
        let mut file = Object::new();
        file.text("qlog_version", "0.3");
        file.text("qlog_format", "JSON");
        file.text("title", &self.title);
        file.raw("traces", &traces);
        let mut text = file.finish();
        text.push('\n');
        text
    }
}

impl Observer for Qlog {
    fn record(&mut self, record: &Record) {
        let (Place::Node(node), TraceEvent::Transport { connection, event }) =
            (record.place, &record.event)
        else {
            return;
        };
        if let Some(id) = *connection {
            self.traces.entry((node, id)).or_default().event(record.at, event);
            return;
        }
        // What cannot be told apart belongs to the connection if there is only one.
        let ids = (node, ConnectionId(0))..=(node, ConnectionId(u64::MAX));
        let mut there = self.traces.range_mut(ids).map(|(_, trace)| trace);
        if let (Some(only), None) = (there.next(), there.next()) {
            only.event(record.at, event);
        }
    }
}

impl Trace {
    fn to_json(&self, title: &str, id: ConnectionId) -> String {
        let mut vantage = Object::new();
        vantage.text("type", if self.accepted { "server" } else { "client" });
        let mut common = Object::new();
        common.text("time_format", "relative");
        common.number("reference_time", 0);
        common.text("ODCID", &id.to_string());
        common.texts("protocol_type", core::iter::once("RDTP"));
        let mut trace = Object::new();
        trace.text("title", title);
        trace.raw("vantage_point", &vantage.finish());
        trace.raw("common_fields", &common.finish());
        trace.raw("events", &format!("[\n{}\n]", self.events));
        trace.finish()
    }

    fn put(&mut self, at: Instant, name: &str, data: Object) {
        let mut event = Object::new();
        event.millis("time", at.as_nanos());
        event.text("name", name);
        event.raw("data", &data.finish());
        if !self.events.is_empty() {
            self.events.push_str(",\n");
        }
        self.events.push_str(&event.finish());
    }

    /// Writes the packet that is complete.
    fn flush(&mut self) {
        let Some(mut packet) = self.packet.take() else { return };
        packet.end_ack();
        packet.data.raw("frames", &format!("[{}]", packet.frames.join(",")));
        self.put(packet.at, packet.name, packet.data);
    }

    fn header(&self, kind: Option<PacketKind>, number: Option<u64>) -> Object {
        let known = number.and_then(|number| self.handshake.get(&number).copied());
        let mut header = Object::new();
        header.text(
            "packet_type",
            match kind.or(known) {
                Some(PacketKind::Open) => "initial",
                Some(PacketKind::Accept) => "handshake",
                Some(PacketKind::Challenge) => "retry",
                Some(PacketKind::Versions) => "version_negotiation",
                Some(PacketKind::Reset) => "stateless_reset",
                Some(PacketKind::Data) | None => "1RTT",
            },
        );
        if let Some(number) = number {
            header.number("packet_number", number);
        }
        header
    }

    fn begin(
        &mut self,
        at: Instant,
        name: &'static str,
        kind: PacketKind,
        bytes: u32,
        number: Option<u64>,
    ) {
        let mut data = Object::new();
        data.raw("header", &self.header(Some(kind), number).finish());
        data.raw("raw", &raw(bytes));
        self.packet = Some(PendingPacket { at, name, data, frames: Vec::new(), ack: None });
    }

    fn event(&mut self, at: Instant, event: &TransportEvent) {
        if let TransportEvent::Frame { frame, .. } = event {
            if let Some(packet) = &mut self.packet {
                packet.frame(frame);
            }
            return;
        }
        self.flush();
        match *event {
            TransportEvent::PacketSent { number, kind, bytes, probe, .. } => {
                if kind != PacketKind::Data {
                    self.handshake.insert(number, kind);
                }
                self.begin(at, "transport:packet_sent", kind, bytes, Some(number));
                if let Some(packet) = self.packet.as_mut().filter(|_| probe) {
                    packet.data.text("trigger", "pto_probe");
                }
            }
            TransportEvent::PacketReceived { number, kind, bytes, .. } => {
                self.begin(at, "transport:packet_received", kind, bytes, Some(number));
            }
            TransportEvent::Heard { kind, bytes } => {
                self.begin(at, "transport:packet_received", kind, bytes, None);
            }
            TransportEvent::Answered { kind, bytes } => {
                self.begin(at, "transport:packet_sent", kind, bytes, None);
            }
            TransportEvent::PacketDiscarded { number, kind, bytes, ref reason } => {
                let mut data = Object::new();
                if kind.is_some() {
                    data.raw("header", &self.header(kind, number).finish());
                }
                data.raw("raw", &raw(bytes));
                data.text("trigger", drop_trigger(reason));
                data.text("details", &reason.to_string());
                self.put(at, "transport:packet_dropped", data);
            }
            TransportEvent::PacketLost { number, cause, .. } => {
                let mut data = Object::new();
                data.raw("header", &self.header(None, Some(number)).finish());
                data.text(
                    "trigger",
                    match cause {
                        LossCause::Packets => "reordering_threshold",
                        LossCause::Time => "time_threshold",
                        LossCause::Restart => "retry",
                        LossCause::Probe => "mtu_probe",
                    },
                );
                self.put(at, "recovery:packet_lost", data);
            }
            _ => self.state_event(at, event),
        }
    }

    fn state_event(&mut self, at: Instant, event: &TransportEvent) {
        let mut data = Object::new();
        let name = match *event {
            TransportEvent::Started { peer, remote, accepted, .. } => {
                self.accepted = accepted;
                let (ip, port) = (peer.ip().to_string(), u64::from(peer.port()));
                let here = if peer.is_ipv4() { "0.0.0.0" } else { "::" };
                data.text("ip_version", if peer.is_ipv4() { "v4" } else { "v6" });
                // The peer's address is known; which of its own a socket uses is not.
                let (src, dst) = if accepted { (&*ip, here) } else { (here, &*ip) };
                data.text("src_ip", src);
                data.text("dst_ip", dst);
                data.text("protocol", "RDTP");
                data.number(if accepted { "src_port" } else { "dst_port" }, port);
                data.text("dst_cid", &remote.to_string());
                "connectivity:connection_started"
            }
            TransportEvent::State { from, to, reason } => {
                let alive = !matches!(from, "closing" | "draining" | "closed");
                if let Some(reason) = reason.filter(|_| alive) {
                    self.put(at, "connectivity:connection_closed", closed(reason));
                }
                data.text("old", state(from));
                data.text("new", state(to));
                "connectivity:connection_state_updated"
            }
            TransportEvent::Rtt { latest, smoothed, variance, min, .. } => {
                data.millis("min_rtt", nanos(min));
                data.millis("smoothed_rtt", nanos(smoothed));
                data.millis("latest_rtt", nanos(latest));
                data.millis("rtt_variance", nanos(variance));
                "recovery:metrics_updated"
            }
            TransportEvent::Metrics {
                window_bytes,
                ssthresh_bytes,
                in_flight_bytes,
                pacing_rate,
            } => {
                data.number("congestion_window", window_bytes);
                data.number("bytes_in_flight", in_flight_bytes);
                if let Some(bytes) = ssthresh_bytes {
                    data.number("ssthresh", bytes);
                }
                data.number("pacing_rate", pacing_rate.saturating_mul(8));
                "recovery:metrics_updated"
            }
            TransportEvent::Phase { from, to } => {
                data.text("old", from.name());
                data.text("new", to.name());
                "recovery:congestion_state_updated"
            }
            TransportEvent::ProbeTimeout { .. } => {
                data.text("event_type", "expired");
                data.text("timer_type", "pto");
                "recovery:loss_timer_updated"
            }
            TransportEvent::Stream { id, change } => {
                data.number("stream_id", id.0);
                data.text("new", stream_state(change));
                "transport:stream_state_updated"
            }
            _ => match own_event(event, &mut data) {
                Some(name) => name,
                None => return,
            },
        };
        self.put(at, name, data);
    }
}

/// What qlog has no name for. What packets show already is left out.
fn own_event(event: &TransportEvent, data: &mut Object) -> Option<&'static str> {
    Some(match *event {
        TransportEvent::SpuriousLoss { number, .. } => {
            data.number("packet_number", number);
            "rdtp:spurious_loss"
        }
        TransportEvent::PersistentCongestion { packets } => {
            data.number("packets_lost", packets);
            "rdtp:persistent_congestion"
        }
        TransportEvent::CutUndone => "rdtp:cut_undone",
        TransportEvent::Limited { from, to } => {
            data.text("old", from.name());
            data.text("new", to.name());
            "rdtp:limited"
        }
        TransportEvent::Moved { from, to } => {
            data.text("old", &from.to_string());
            data.text("new", &to.to_string());
            "rdtp:peer_moved"
        }
        TransportEvent::Mtu { from, to } => {
            data.number("old", from.into());
            data.number("new", to.into());
            "connectivity:mtu_updated"
        }
        TransportEvent::Ecn { from, to } => {
            data.text("old", from.name());
            data.text("new", to.name());
            "recovery:ecn_state_updated"
        }
        _ => return None,
    })
}

impl PendingPacket {
    fn frame(&mut self, info: &FrameInfo) {
        if let (FrameInfo::AckRange { first, last }, Some((_, ranges))) = (info, &mut self.ack) {
            ranges.push((*first, *last));
            return;
        }
        self.end_ack();
        let mut object = Object::new();
        object.text("frame_type", info.name());
        if let FrameInfo::Ack { delay, .. } = info {
            object.millis("ack_delay", nanos(*delay));
            self.ack = Some((object, Vec::new()));
            return;
        }
        frame(&mut object, info);
        self.frames.push(object.finish());
    }

    fn end_ack(&mut self) {
        let Some((mut frame, ranges)) = self.ack.take() else { return };
        // Lowest first, as in the examples of the draft.
        let texts: Vec<String> =
            ranges.iter().rev().map(|(first, last)| format!("[{first},{last}]")).collect();
        frame.raw("acked_ranges", &format!("[{}]", texts.join(",")));
        self.frames.push(frame.finish());
    }
}

fn frame(object: &mut Object, info: &FrameInfo) {
    match *info {
        FrameInfo::Repair { behind, span, stride } => {
            object.number("behind", behind);
            object.number("span", span);
            object.number("stride", stride);
        }
        FrameInfo::Padding { bytes }
        | FrameInfo::Datagram { bytes }
        | FrameInfo::Ticket { bytes } => {
            object.number("length", bytes.into());
        }
        FrameInfo::Stream { id, offset, bytes, fin } => {
            object.number("stream_id", id.0);
            object.number("offset", offset);
            object.number("length", bytes.into());
            if fin {
                object.flag("fin", true);
            }
        }
        FrameInfo::ResetStream { id, code, final_size } => {
            object.number("stream_id", id.0);
            object.number("error_code", code);
            object.number("final_size", final_size);
        }
        FrameInfo::StopSending { id, code } => {
            object.number("stream_id", id.0);
            object.number("error_code", code);
        }
        FrameInfo::MaxData(max) => object.number("maximum", max),
        FrameInfo::MaxStreamData { id, max } => {
            object.number("stream_id", id.0);
            object.number("maximum", max);
        }
        FrameInfo::MaxStreams(max) => {
            object.text("stream_type", "bidirectional");
            object.number("maximum", max);
        }
        FrameInfo::DataBlocked(max) => object.number("limit", max),
        FrameInfo::StreamDataBlocked { id, max } => {
            object.number("stream_id", id.0);
            object.number("limit", max);
        }
        FrameInfo::AckFrequency { threshold, delay } => {
            object.number("ack_eliciting_threshold", threshold);
            object.millis("requested_max_ack_delay", nanos(delay));
        }
        FrameInfo::Close(code) => {
            let application = matches!(code, CloseCode::Application(_));
            object.text("error_space", if application { "application" } else { "transport" });
            object.text("reason", &code.to_string());
        }
        FrameInfo::Ping
        | FrameInfo::ImmediateAck
        | FrameInfo::PathChallenge
        | FrameInfo::PathResponse
        | FrameInfo::Ack { .. }
        | FrameInfo::AckRange { .. } => {}
    }
}

fn raw(bytes: u32) -> String {
    let mut raw = Object::new();
    raw.number("length", bytes.into());
    raw.finish()
}

fn drop_trigger(reason: &DropReason) -> &'static str {
    match reason {
        DropReason::UnknownPeer => "unknown_connection_id",
        DropReason::Damaged(_) => "header_parse_error",
        DropReason::Guard { reason: "a copy", .. } => "duplicate",
        DropReason::PeersFull => "dos_prevention",
        _ => "unexpected_packet",
    }
}

fn state(name: &str) -> &str {
    match name {
        "opening" => "attempted",
        "accepting" => "handshake_started",
        "established" => "handshake_confirmed",
        ending => ending,
    }
}

fn stream_state(change: StreamChange) -> &'static str {
    match change {
        StreamChange::Opened | StreamChange::OpenedByPeer => "open",
        StreamChange::Ended => "data_sent",
        StreamChange::Finished => "data_received",
        StreamChange::Reset(_) | StreamChange::Stopped(_) => "reset_sent",
    }
}

fn closed(reason: CloseReason) -> Object {
    let mut data = Object::new();
    let (owner, trigger) = match reason {
        CloseReason::Local(CloseCode::Application(_)) => ("local", "application"),
        CloseReason::Peer(CloseCode::Application(_)) => ("remote", "application"),
        CloseReason::Local(_) | CloseReason::Downgrade => ("local", "error"),
        CloseReason::Peer(_) => ("remote", "error"),
        CloseReason::Idle | CloseReason::PushedOut => ("local", "idle_timeout"),
        CloseReason::Unreachable => ("local", "handshake_timeout"),
        CloseReason::Reset => ("remote", "stateless_reset"),
        CloseReason::Version => ("remote", "version_mismatch"),
    };
    data.text("owner", owner);
    if let CloseReason::Local(CloseCode::Application(code))
    | CloseReason::Peer(CloseCode::Application(code)) = reason
    {
        data.number("application_code", code);
    }
    data.text("reason", &reason.to_string());
    data.text("trigger", trigger);
    data
}
