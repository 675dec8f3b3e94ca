//! Lines of the production transport.

use alloc::{format, string::ToString};

use super::{Object, reason_code};
use crate::{
    trace::{
        FrameInfo,
        transport::{StreamChange, TransportEvent, Way},
    },
    wire::transport::{ConnectionId, StreamId},
};

pub(super) fn name(event: &TransportEvent) -> &'static str {
    match event {
        TransportEvent::Started { .. } => "connection_started",
        TransportEvent::State { .. } => "connection_state",
        TransportEvent::PacketSent { .. } => "packet_sent",
        TransportEvent::PacketReceived { .. } => "packet_received",
        TransportEvent::Heard { .. } => "packet_heard",
        TransportEvent::Answered { .. } => "answered",
        TransportEvent::PacketDiscarded { .. } => "packet_discarded",
        TransportEvent::Frame { .. } => "frame",
        TransportEvent::AckReceived { .. } => "ack_received",
        TransportEvent::PacketLost { .. } => "packet_lost",
        TransportEvent::SpuriousLoss { .. } => "spurious_loss",
        TransportEvent::PersistentCongestion { .. } => "persistent_congestion",
        TransportEvent::CutUndone => "cut_undone",
        TransportEvent::Rtt { .. } => "rtt_updated",
        TransportEvent::Metrics { .. } => "metrics",
        TransportEvent::Phase { .. } => "phase",
        TransportEvent::ProbeTimeout { .. } => "probe_timeout",
        TransportEvent::Moved { .. } => "peer_moved",
        TransportEvent::Mtu { .. } => "mtu",
        TransportEvent::Ecn { .. } => "ecn",
        TransportEvent::Limited { .. } => "limited",
        TransportEvent::Stream { .. } => "stream",
        TransportEvent::StreamAcked { .. } => "stream_acked",
    }
}

pub(super) fn event(object: &mut Object, connection: Option<ConnectionId>, event: &TransportEvent) {
    match connection {
        Some(id) => object.text("connection", &id.to_string()),
        None => object.null("connection"),
    }
    match *event {
        TransportEvent::Started { peer, remote, accepted, state } => {
            object.text("peer", &peer.to_string());
            object.text("remote", &remote.to_string());
            object.flag("accepted", accepted);
            object.text("state", state);
        }
        TransportEvent::State { from, to, reason } => {
            change(object, "state", from, to);
            match reason {
                Some(reason) => object.text("reason", &reason.to_string()),
                None => object.null("reason"),
            }
        }
        TransportEvent::AckReceived { largest, bytes } => {
            object.number("largest", largest);
            object.number("acked_bytes", bytes);
        }
        TransportEvent::PersistentCongestion { packets } => object.number("packets", packets),
        TransportEvent::CutUndone => {}
        TransportEvent::Rtt { latest, smoothed, variance, min, pto } => {
            object.nanos("latest_ns", latest);
            object.nanos("srtt_ns", smoothed);
            object.nanos("rttvar_ns", variance);
            object.nanos("min_ns", min);
            object.nanos("pto_ns", pto);
        }
        TransportEvent::Metrics { window_bytes, ssthresh_bytes, in_flight_bytes, pacing_rate } => {
            object.number("window_bytes", window_bytes);
            object.maybe("ssthresh_bytes", ssthresh_bytes);
            object.number("in_flight_bytes", in_flight_bytes);
            object.number("pacing_bytes_per_second", pacing_rate);
        }
        TransportEvent::Phase { from, to } => change(object, "phase", from.name(), to.name()),
        TransportEvent::ProbeTimeout { count } => object.number("count", count.into()),
        TransportEvent::Moved { from, to } => {
            object.text("address_before", &from.to_string());
            object.text("address_after", &to.to_string());
        }
        TransportEvent::Mtu { from, to } => {
            object.number("packet_bytes_before", from.into());
            object.number("packet_bytes_after", to.into());
        }
        TransportEvent::Ecn { from, to } => change(object, "ecn", from.name(), to.name()),
        TransportEvent::Limited { from, to } => change(object, "limit", from.name(), to.name()),
        TransportEvent::Stream { id, change } => {
            object.number("stream", id.0);
            object.text("change", change.name());
            if let StreamChange::Reset(code) | StreamChange::Stopped(code) = change {
                object.number("code", code);
            }
        }
        TransportEvent::StreamAcked { id, offset, bytes, fin } => {
            stretch(object, id, offset, bytes, fin);
        }
        TransportEvent::Frame { way, number, ref frame } => {
            let way = if way == Way::Sent { "sent" } else { "received" };
            object.text("way", way);
            object.number("packet", number);
            object.text("frame", frame.name());
            self::frame(object, frame);
        }
        _ => packet(object, event),
    }
}

fn packet(object: &mut Object, event: &TransportEvent) {
    match *event {
        TransportEvent::PacketSent { number, kind, bytes, eliciting, probe, frames } => {
            object.number("packet", number);
            object.text("kind", kind.name());
            object.number("datagram_bytes", bytes.into());
            object.flag("eliciting", eliciting);
            object.flag("probe", probe);
            object.texts("frames", frames.names());
        }
        TransportEvent::PacketReceived { number, kind, bytes, frames } => {
            object.number("packet", number);
            object.text("kind", kind.name());
            object.number("datagram_bytes", bytes.into());
            object.texts("frames", frames.names());
        }
        TransportEvent::Heard { kind, bytes } | TransportEvent::Answered { kind, bytes } => {
            object.text("kind", kind.name());
            object.number("datagram_bytes", bytes.into());
        }
        TransportEvent::PacketDiscarded { number, kind, bytes, ref reason } => {
            object.maybe("packet", number);
            match kind {
                Some(kind) => object.text("kind", kind.name()),
                None => object.null("kind"),
            }
            object.number("datagram_bytes", bytes.into());
            object.text("reason", reason_code(reason));
            object.text("detail", &reason.to_string());
        }
        TransportEvent::PacketLost { number, bytes, cause } => {
            object.number("packet", number);
            object.number("datagram_bytes", bytes.into());
            object.text("cause", cause.name());
        }
        TransportEvent::SpuriousLoss { number, bytes } => {
            object.number("packet", number);
            object.number("datagram_bytes", bytes.into());
        }
        _ => {}
    }
}

fn change(object: &mut Object, what: &str, from: &str, to: &str) {
    object.text(&format!("{what}_before"), from);
    object.text(&format!("{what}_after"), to);
}

fn stretch(object: &mut Object, id: StreamId, offset: u64, bytes: u64, fin: bool) {
    object.number("stream", id.0);
    object.number("offset_bytes", offset);
    object.number("length_bytes", bytes);
    object.flag("fin", fin);
}

fn frame(object: &mut Object, frame: &FrameInfo) {
    match *frame {
        FrameInfo::Repair { behind, span, stride } => {
            object.number("behind", behind);
            object.number("span", span);
            object.number("stride", stride);
        }
        FrameInfo::Padding { bytes }
        | FrameInfo::Datagram { bytes }
        | FrameInfo::Ticket { bytes } => {
            object.number("length_bytes", bytes.into());
        }
        FrameInfo::Ping
        | FrameInfo::ImmediateAck
        | FrameInfo::PathChallenge
        | FrameInfo::PathResponse => {}
        FrameInfo::Ack { largest, delay, ranges } => {
            object.number("largest", largest);
            object.nanos("delay_ns", delay);
            object.number("ranges", ranges);
        }
        FrameInfo::AckRange { first, last } => {
            object.number("first", first);
            object.number("last", last);
        }
        FrameInfo::Stream { id, offset, bytes, fin } => {
            stretch(object, id, offset, bytes.into(), fin);
        }
        FrameInfo::ResetStream { id, code, final_size } => {
            object.number("stream", id.0);
            object.number("code", code);
            object.number("final_size_bytes", final_size);
        }
        FrameInfo::StopSending { id, code } => {
            object.number("stream", id.0);
            object.number("code", code);
        }
        FrameInfo::MaxData(max) | FrameInfo::DataBlocked(max) => object.number("limit_bytes", max),
        FrameInfo::MaxStreamData { id, max } | FrameInfo::StreamDataBlocked { id, max } => {
            object.number("stream", id.0);
            object.number("limit_bytes", max);
        }
        FrameInfo::MaxStreams(max) => object.number("limit", max),
        FrameInfo::AckFrequency { threshold, delay } => {
            object.number("threshold", threshold);
            object.nanos("delay_ns", delay);
        }
        FrameInfo::Close(code) => object.text("reason", &code.to_string()),
    }
}
