//! Events as JSON lines: one object a line, one line for each [`Record`].
//!
//! Units are in the names: `_ns` are nanoseconds, points of time are counted from the start of the
//! run; `_bytes` are bytes. Numbers are integers without sign below 2^64; a reader that keeps numbers
//! as doubles is exact up to 2^53 (104 days in nanoseconds).
//!
//! Every line has
//!
//! | field | meaning |
//! | --- | --- |
//! | `at_ns` | when |
//! | `node` | where: the number of the node; on lines of a link instead `from` and `to`, two nodes |
//! | `event` | what: one of the names below, with the fields beside it |
//!
//! | `event` | fields |
//! | --- | --- |
//! | `send` | `message`: which, counted from 0; `payload_bytes` |
//! | `transmit` | the packet; `attempt`: 1 the first time, 2 the first retransmission |
//! | `receive` | the packet |
//! | `receive_corrupt` | `error`: what is wrong with it, in words; `datagram_bytes` |
//! | `step` | `side`: `sender` or `receiver`; `rule`: its name in the transition table; `state_before`, `state_after` |
//! | `discard` | the packet, or `kind` null when it is not known; `reason`: a code; `detail`: in words |
//! | `deliver` | `message`: how many were delivered before; `payload_bytes` |
//! | `acknowledged` | `messages_total`: confirmed so far |
//! | `timer_started` | the timer; `deadline_ns`: when it expires |
//! | `timer_stopped`, `timer_expired` | the timer |
//! | `rtt` | `sample_ns`, `srtt_ns`, `rttvar_ns`, `rto_ns` (RFC 6298, section 2) |
//! | `gave_up` | `attempts`: how often the oldest message was sent |
//! | `link` | `datagram`: its number on this link; `fate`: a code, with its own field |
//!
//! A packet is `kind` (`data`, `ack`, `nak`), `seq` (null when the protocol does not number it) and
//! `payload_bytes`. A timer is `timer` (`oldest` or `packet`) and `seq` (null for `oldest`).
//!
//! Codes of `fate`: `lost`, `outage`, `too_large`, `queue_full`, `link_full`, `corrupted` (with
//! `bits`), `swapped`, `spliced` (with `own_bytes`), `truncated` (with `left_bytes`), `extended` (with
//! `added_bytes`), `duplicated`, `replayed`, `held` (with `packets`: how many may pass), `arrived`.
//! Codes of `reason`: `unknown_peer`, `damaged`, `no_receiver`, `guard`, `inbox_full`, `peers_full`, `closed`.
//!
//! # The production transport
//!
//! Its lines also have `connection`: the ID that this side chose, 16 hexadecimal digits, or null for
//! what belongs to none. Packets are told by their `packet` number and `datagram_bytes`, their length
//! as UDP payload; streams by `stream`.
//!
//! | `event` | fields |
//! | --- | --- |
//! | `connection_started` | `peer`: its address; `remote`: what the peer is called; `accepted`: whether the peer opened it; `state` |
//! | `connection_state` | `state_before`, `state_after`: opening, accepting, established, closing, draining, closed; `reason`: why it ended, in words, or null |
//! | `packet_sent` | `packet`, `kind`, `datagram_bytes`, `eliciting`: whether it wants an ACK, `probe`: whether it leaves beyond the window, `frames`: the kinds that it holds |
//! | `packet_received` | `packet`, `kind`, `datagram_bytes`, `frames` |
//! | `packet_heard` | `kind`, `datagram_bytes`: a packet without a number |
//! | `answered` | `kind`, `datagram_bytes`: what the host tells somebody without a connection |
//! | `packet_discarded` | `packet`, null when it is not known; `kind`, null when it is illegible; `datagram_bytes`; `reason`; `detail` |
//! | `frame` | `way`: `sent` or `received`; `packet`: in which; `frame`: its kind, with fields of its own |
//! | `ack_received` | `largest`: the highest packet acknowledged; `acked_bytes`: of packets on their way, newly |
//! | `packet_lost` | `packet`, `datagram_bytes`; `cause`: `packets` (later ones arrived), `time`, `restart`, `probe` (of the path's MTU) |
//! | `spurious_loss` | `packet`, `datagram_bytes`: given up and acknowledged after all |
//! | `persistent_congestion` | `packets`: how many were lost |
//! | `cut_undone` | all losses of the last cut of the window were mistakes |
//! | `rtt_updated` | `latest_ns`, `srtt_ns`, `rttvar_ns`, `min_ns`, `pto_ns` (RFC 9002, sections 5 and 6.2) |
//! | `metrics` | `window_bytes`, `ssthresh_bytes` (null at first), `in_flight_bytes`, `pacing_bytes_per_second` |
//! | `phase` | `phase_before`, `phase_after`: `slow_start`, `conservative_slow_start`, `congestion_avoidance`, `recovery`, `startup`, `drain`, `probe_down`, `probe_cruise`, `probe_refill`, `probe_up`, `probe_rtt` |
//! | `probe_timeout` | `count`: how often in a row |
//! | `peer_moved` | `address_before`, `address_after` |
//! | `mtu` | `packet_bytes_before`, `packet_bytes_after`: how long packets may be, UDP payload |
//! | `ecn` | `ecn_before`, `ecn_after`: whether the path bears marks, `off`, `testing`, `capable`, `failed` |
//! | `limited` | `limit_before`, `limit_after`: `application`, `flow_control`, `congestion`, `pacing`, `validation` |
//! | `stream` | `stream`; `change`: `opened`, `opened_by_peer`, `ended`, `finished`, `reset`, `stopped` (the last two with `code`) |
//! | `stream_acked` | `stream`, `offset_bytes`, `length_bytes`, `fin` |
//!
//! The frames of a packet follow its line: `padding` and `datagram` (`length_bytes`), `ping`, `ack`
//! (`largest`, `delay_ns`, `ranges`: how many it has), `ack_range` (`first`, `last`: a range of the ACK
//! before, highest first, at most 64), `stream` (`stream`, `offset_bytes`, `length_bytes`, `fin`),
//! `reset_stream` (`stream`, `code`, `final_size_bytes`), `stop_sending` (`stream`, `code`), `max_data`
//! and `data_blocked` (`limit_bytes`), `max_stream_data` and `stream_data_blocked` (`stream`,
//! `limit_bytes`), `max_streams` (`limit`), `ack_frequency` (`threshold`, `delay_ns`), `immediate_ack`,
//! `path_challenge`, `path_response`, `connection_close` (`reason`).
//!
//! New events, fields and codes may be added; none of these changes its meaning.
//!
//! ```
//! use rdtp::{capture::jsonl::Lines, sim::Transfer};
//!
//! let mut lines = Lines(String::new());
//! Transfer::new(vec![b"hello".to_vec()]).run("rdt3.0".parse()?, &mut lines)?;
//! let first = r#"{"at_ns":0,"node":0,"event":"send","message":0,"payload_bytes":5}"#;
//! assert_eq!(lines.0.lines().next(), Some(first));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod transport;

use alloc::string::{String, ToString};
use core::fmt;

use super::json::Object;
use crate::{
    endpoint::DropReason,
    trace::{Fate, Observer, PacketInfo, Place, Record, Tag, TraceEvent},
    wire::Kind,
};

/// An observer that writes a line for each record. What the writer refuses is lost.
#[derive(Clone, Debug, Default)]
pub struct Lines<W>(pub W);

impl<W: fmt::Write> Observer for Lines<W> {
    fn record(&mut self, record: &Record) {
        let _ = writeln!(self.0, "{}", line(record));
    }
}

/// One record as a JSON object, without a line end.
pub fn line(record: &Record) -> String {
    let mut object = Object::new();
    object.number("at_ns", record.at.as_nanos());
    match record.place {
        Place::Node(node) => object.number("node", node.0.into()),
        Place::Link { from, to } => {
            object.number("from", from.0.into());
            object.number("to", to.0.into());
        }
    }
    event(&mut object, &record.event);
    object.finish()
}

fn event(object: &mut Object, event: &TraceEvent) {
    object.text("event", name(event));
    match event {
        TraceEvent::Send { index, bytes } | TraceEvent::Deliver { index, bytes } => {
            object.number("message", *index);
            object.count("payload_bytes", *bytes);
        }
        TraceEvent::Transmit { packet: sent, attempt } => {
            packet(object, sent);
            object.number("attempt", (*attempt).into());
        }
        TraceEvent::Receive { packet: received } => packet(object, received),
        TraceEvent::ReceiveCorrupt { error, bytes } => {
            object.text("error", &error.to_string());
            object.count("datagram_bytes", *bytes);
        }
        TraceEvent::Step { side, rule, from, to } => {
            object.text("side", &side.to_string());
            object.text("rule", rule);
            object.text("state_before", &from.to_string());
            object.text("state_after", &to.to_string());
        }
        TraceEvent::Discard { packet: discarded, reason } => {
            match discarded {
                Some(discarded) => packet(object, discarded),
                None => object.null("kind"),
            }
            object.text("reason", reason_code(reason));
            object.text("detail", &reason.to_string());
        }
        TraceEvent::Acknowledged { total } => object.number("messages_total", *total),
        TraceEvent::TimerStarted { tag, deadline } => {
            timer(object, *tag);
            object.number("deadline_ns", deadline.as_nanos());
        }
        TraceEvent::TimerStopped { tag } | TraceEvent::TimerExpired { tag } => timer(object, *tag),
        TraceEvent::Rtt { sample, srtt, rttvar, rto } => {
            object.nanos("sample_ns", *sample);
            object.nanos("srtt_ns", *srtt);
            object.nanos("rttvar_ns", *rttvar);
            object.nanos("rto_ns", *rto);
        }
        TraceEvent::GaveUp { attempts } => object.number("attempts", (*attempts).into()),
        TraceEvent::Link { datagram, fate } => link(object, *datagram, *fate),
        TraceEvent::Transport { connection, event } => transport::event(object, *connection, event),
    }
}

fn name(event: &TraceEvent) -> &'static str {
    match event {
        TraceEvent::Send { .. } => "send",
        TraceEvent::Transmit { .. } => "transmit",
        TraceEvent::Receive { .. } => "receive",
        TraceEvent::ReceiveCorrupt { .. } => "receive_corrupt",
        TraceEvent::Step { .. } => "step",
        TraceEvent::Discard { .. } => "discard",
        TraceEvent::Deliver { .. } => "deliver",
        TraceEvent::Acknowledged { .. } => "acknowledged",
        TraceEvent::TimerStarted { .. } => "timer_started",
        TraceEvent::TimerStopped { .. } => "timer_stopped",
        TraceEvent::TimerExpired { .. } => "timer_expired",
        TraceEvent::Rtt { .. } => "rtt",
        TraceEvent::GaveUp { .. } => "gave_up",
        TraceEvent::Link { .. } => "link",
        TraceEvent::Transport { event, .. } => transport::name(event),
    }
}

fn packet(object: &mut Object, packet: &PacketInfo) {
    object.text(
        "kind",
        match packet.kind {
            Kind::Data => "data",
            Kind::Ack => "ack",
            Kind::Nak => "nak",
        },
    );
    object.maybe("seq", packet.seq);
    object.count("payload_bytes", packet.payload_bytes);
}

fn timer(object: &mut Object, tag: Tag) {
    let (name, seq) = match tag {
        Tag::Oldest => ("oldest", None),
        Tag::Packet(seq) => ("packet", Some(seq)),
    };
    object.text("timer", name);
    object.maybe("seq", seq);
}

fn reason_code(reason: &DropReason) -> &'static str {
    match reason {
        DropReason::UnknownPeer => "unknown_peer",
        DropReason::Damaged(_) => "damaged",
        DropReason::NoReceiver => "no_receiver",
        DropReason::Guard { .. } => "guard",
        DropReason::InboxFull => "inbox_full",
        DropReason::PeersFull => "peers_full",
        DropReason::Closed => "closed",
    }
}

fn link(object: &mut Object, datagram: u64, fate: Fate) {
    object.number("datagram", datagram);
    let code = match fate {
        Fate::Lost => "lost",
        Fate::Outage => "outage",
        Fate::TooLarge => "too_large",
        Fate::QueueFull => "queue_full",
        Fate::LinkFull => "link_full",
        Fate::EcnMarked => "ecn_marked",
        Fate::EcnCleared => "ecn_cleared",
        Fate::EcnChanged => "ecn_changed",
        Fate::Corrupted { .. } => "corrupted",
        Fate::Swapped => "swapped",
        Fate::Spliced { .. } => "spliced",
        Fate::Truncated { .. } => "truncated",
        Fate::Extended { .. } => "extended",
        Fate::Duplicated => "duplicated",
        Fate::Replayed => "replayed",
        Fate::Held { .. } => "held",
        Fate::Arrived => "arrived",
    };
    object.text("fate", code);
    match fate {
        Fate::Corrupted { bits } => object.number("bits", bits.into()),
        Fate::Spliced { bytes } => object.count("own_bytes", bytes),
        Fate::Truncated { bytes } => object.count("left_bytes", bytes),
        Fate::Extended { bytes } => object.count("added_bytes", bytes),
        Fate::Held { packets } => object.number("packets", packets.into()),
        _ => {}
    }
}
