//! What the production transport reports.
//!
//! All events of a connection bear the ID that its own side chose. The frames of a packet follow
//! their packet as [`Frame`](TransportEvent::Frame), so that windows that are raised, streams that
//! are reset and the like are seen where they are said to the peer.

use core::{fmt, net::SocketAddr, ops::Range, time::Duration};

use super::{DropReason, FrameInfo, FrameKinds};
use crate::wire::transport::{CloseCode, ConnectionId, Packet, StreamId};

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// This side closed it.
    Local(CloseCode),
    /// The peer closed it.
    Peer(CloseCode),
    /// The peer was silent for too long.
    Idle,
    /// Nobody answered.
    Unreachable,
    /// The peer has lost its state: it was restarted, or it closed and its word of that was lost.
    Reset,
    /// It was idle for long, and its place was needed for another connection.
    PushedOut,
    /// The peer does not speak our version.
    Version,
    /// What the peer answered does not fit what it was offered: somebody changed it on the way.
    Downgrade,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(code) => write!(f, "closed from this side: {code}"),
            Self::Peer(code) => write!(f, "closed by the peer: {code}"),
            Self::Idle => f.write_str("the peer was silent for too long"),
            Self::Unreachable => f.write_str("nobody answered"),
            Self::Reset => f.write_str("the peer has forgotten the connection: perhaps restarted"),
            Self::PushedOut => f.write_str("idle for long, and its place was needed"),
            Self::Version => f.write_str("the peer speaks no version that we do"),
            Self::Downgrade => f.write_str("the handshake was changed on its way"),
        }
    }
}

impl core::error::Error for CloseReason {}

/// What is known of how a path treats ECN marks (RFC 9000 section 13.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum EcnState {
    /// Nothing is marked, by choice.
    #[default]
    Off,
    /// The first packets are marked, and the peer's report is waited for.
    Testing,
    /// What is marked arrives, and the peer counts it.
    Capable,
    /// Marks are lost, changed or not counted: there are no more.
    Failed,
}

impl EcnState {
    /// Its name in traces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Testing => "testing",
            Self::Capable => "capable",
            Self::Failed => "failed",
        }
    }
}

/// What holds sending up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// Nothing but the application, which has nothing to send.
    #[default]
    Application,
    /// A window of the peer's.
    FlowControl,
    /// The congestion window.
    Congestion,
    /// Pacing: the next packet has its time.
    Pacing,
    /// The peer's address is not known to be its own.
    Validation,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Application, Self::FlowControl, Self::Congestion, Self::Pacing, Self::Validation];

    /// Its name in traces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::FlowControl => "flow_control",
            Self::Congestion => "congestion",
            Self::Pacing => "pacing",
            Self::Validation => "validation",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FlowControl => "flow control",
            other => other.name(),
        })
    }
}

/// Where congestion control is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The window grows by what is acknowledged (RFC 9002 section 7.3.1).
    #[default]
    SlowStart,
    /// The same, but slower, since the delay rises (RFC 9406 section 4.2, CSS).
    ConservativeSlowStart,
    /// The window probes carefully (RFC 9002 section 7.3.3).
    CongestionAvoidance,
    /// Losses are repaired; the window is cut (RFC 9002 section 7.3.2).
    Recovery,
    /// BBR doubles its rate until no more arrives (draft-ietf-ccwg-bbr section 5.3.1).
    Startup,
    /// BBR empties the queue that this left (5.3.2).
    Drain,
    /// BBR sends less than the path delivers (5.3.3.1).
    ProbeDown,
    /// BBR sends what the path delivers (5.3.3.2).
    ProbeCruise,
    /// BBR fills the path before it probes (5.3.3.3).
    ProbeRefill,
    /// BBR sends more, to see whether more arrives (5.3.3.4).
    ProbeUp,
    /// BBR holds back to see the least round trip (5.3.4).
    ProbeRtt,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::SlowStart,
        Self::ConservativeSlowStart,
        Self::CongestionAvoidance,
        Self::Recovery,
        Self::Startup,
        Self::Drain,
        Self::ProbeDown,
        Self::ProbeCruise,
        Self::ProbeRefill,
        Self::ProbeUp,
        Self::ProbeRtt,
    ];

    /// Its name in traces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SlowStart => "slow_start",
            Self::ConservativeSlowStart => "conservative_slow_start",
            Self::CongestionAvoidance => "congestion_avoidance",
            Self::Recovery => "recovery",
            Self::Startup => "startup",
            Self::Drain => "drain",
            Self::ProbeDown => "probe_down",
            Self::ProbeCruise => "probe_cruise",
            Self::ProbeRefill => "probe_refill",
            Self::ProbeUp => "probe_up",
            Self::ProbeRtt => "probe_rtt",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SlowStart => "slow start",
            Self::ConservativeSlowStart => "conservative slow start",
            Self::CongestionAvoidance => "congestion avoidance",
            Self::ProbeDown => "probing, down",
            Self::ProbeCruise => "probing, cruise",
            Self::ProbeRefill => "probing, refill",
            Self::ProbeUp => "probing, up",
            Self::ProbeRtt => "probing the round trip",
            other => other.name(),
        })
    }
}

/// The kind of a packet of the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketKind {
    /// Asks for a connection.
    Open,
    /// Agrees to one.
    Accept,
    /// Asks for a cookie.
    Challenge,
    /// Says which versions are spoken.
    Versions,
    /// Says that a connection is not known.
    Reset,
    /// Everything after the handshake.
    Data,
}

impl PacketKind {
    /// The kind of `packet`.
    pub const fn of(packet: &Packet<'_>) -> Self {
        match packet {
            Packet::Open { .. } => Self::Open,
            Packet::Accept { .. } => Self::Accept,
            Packet::Challenge { .. } => Self::Challenge,
            Packet::Versions { .. } => Self::Versions,
            Packet::Reset { .. } => Self::Reset,
            Packet::Data { .. } => Self::Data,
        }
    }

    /// Its name in traces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accept => "accept",
            Self::Challenge => "challenge",
            Self::Versions => "versions",
            Self::Reset => "reset",
            Self::Data => "data",
        }
    }
}

/// Why a packet was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossCause {
    /// So many later ones had arrived (RFC 9002 section 6.1.1).
    Packets,
    /// It was overdue (RFC 9002 section 6.1.2).
    Time,
    /// The peer has kept nothing of what came without a cookie.
    Restart,
    /// It was a probe of the path's MTU: that says nothing of congestion.
    Probe,
}

impl LossCause {
    /// Its name in traces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Packets => "packets",
            Self::Time => "time",
            Self::Restart => "restart",
            Self::Probe => "probe",
        }
    }
}

/// Which way a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// This side sent it.
    Sent,
    /// This side received it.
    Received,
}

/// What happened to a stream that no frame tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamChange {
    /// This side opened it.
    Opened,
    /// The peer opened it.
    OpenedByPeer,
    /// The application wrote its end.
    Ended,
    /// The peer has everything, the end included.
    Finished,
    /// The application gave it up, with its reason.
    Reset(u64),
    /// The peer does not want the rest, with its reason.
    Stopped(u64),
}

impl StreamChange {
    /// Its name in traces.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::OpenedByPeer => "opened_by_peer",
            Self::Ended => "ended",
            Self::Finished => "finished",
            Self::Reset(_) => "reset",
            Self::Stopped(_) => "stopped",
        }
    }
}

/// One step inside a connection, or of the host that holds it.
#[derive(Clone, Debug, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportEvent {
    /// The connection, when it begins or when tracing does.
    Started {
        /// Who the peer is.
        peer: SocketAddr,
        /// What this side calls the peer.
        remote: ConnectionId,
        /// Whether the peer opened it.
        accepted: bool,
        /// Its state, as in [`State`](Self::State).
        state: &'static str,
    },
    /// The connection is in another state: opening, accepting, established, closing, draining or
    /// closed.
    State {
        /// The state before.
        from: &'static str,
        /// The state after.
        to: &'static str,
        /// Why it ended, when it has.
        reason: Option<CloseReason>,
    },
    /// A packet left. Its frames follow.
    PacketSent {
        /// Its number.
        number: u64,
        /// Its kind.
        kind: PacketKind,
        /// Its length, UDP payload.
        bytes: u32,
        /// Whether it wants to be acknowledged.
        eliciting: bool,
        /// Whether it is a probe, beyond the window.
        probe: bool,
        /// What it holds.
        frames: FrameKinds,
    },
    /// A packet arrived that is no copy. Its frames follow, and then what they bring about; or
    /// [`PacketDiscarded`](Self::PacketDiscarded), when it is not taken after all.
    PacketReceived {
        /// Its number.
        number: u64,
        /// Its kind.
        kind: PacketKind,
        /// Its length, UDP payload.
        bytes: u32,
        /// What it holds.
        frames: FrameKinds,
    },
    /// A packet without a number was taken: a challenge, versions, a reset.
    Heard {
        /// Its kind.
        kind: PacketKind,
        /// Its length, UDP payload.
        bytes: u32,
    },
    /// The host answered somebody without a connection.
    Answered {
        /// The kind of the answer.
        kind: PacketKind,
        /// Its length, UDP payload.
        bytes: u32,
    },
    /// A packet was discarded.
    PacketDiscarded {
        /// Its number, when that is known.
        number: Option<u64>,
        /// Its kind, when that can be read.
        kind: Option<PacketKind>,
        /// Its length, UDP payload.
        bytes: u32,
        /// Why.
        reason: DropReason,
    },
    /// What the packet before holds.
    Frame {
        /// Whether it was sent or received.
        way: Way,
        /// The packet's number.
        number: u64,
        /// What.
        frame: FrameInfo,
    },
    /// An ACK brought something new.
    AckReceived {
        /// The highest number that it acknowledges.
        largest: u64,
        /// Bytes of packets on their way that it newly acknowledges.
        bytes: u64,
    },
    /// A packet was given up.
    PacketLost {
        /// Its number.
        number: u64,
        /// Its length, UDP payload.
        bytes: u32,
        /// Why.
        cause: LossCause,
    },
    /// A packet that had been given up was acknowledged.
    SpuriousLoss {
        /// Its number.
        number: u64,
        /// Its length, UDP payload.
        bytes: u32,
    },
    /// Nothing arrived for so long that the window starts from its least (RFC 9002 section 7.6).
    PersistentCongestion {
        /// Packets that were lost.
        packets: u64,
    },
    /// All losses of the last cut of the window were mistakes, and it is taken back.
    CutUndone,
    /// A round trip was measured (RFC 9002 section 5).
    Rtt {
        /// The sample.
        latest: Duration,
        /// Smoothed round-trip time, SRTT.
        smoothed: Duration,
        /// Its mean deviation, RTTVAR.
        variance: Duration,
        /// The least sample.
        min: Duration,
        /// The probe timeout, not backed off.
        pto: Duration,
    },
    /// The metrics of congestion control changed.
    Metrics {
        /// The congestion window, cwnd.
        window_bytes: u64,
        /// The slow-start threshold, ssthresh; `None` before the first congestion.
        ssthresh_bytes: Option<u64>,
        /// Bytes on their way.
        in_flight_bytes: u64,
        /// Rate at which packets leave, in bytes a second.
        pacing_rate: u64,
    },
    /// Congestion control is in another phase.
    Phase {
        /// The phase before.
        from: Phase,
        /// The phase after.
        to: Phase,
    },
    /// The probe timeout fired.
    ProbeTimeout {
        /// How often in a row.
        count: u32,
    },
    /// The peer has shown that it is at another address.
    Moved {
        /// Where it was.
        from: SocketAddr,
        /// Where it is.
        to: SocketAddr,
    },
    /// Packets may have another length: the path bears more, or seems to bear less.
    Mtu {
        /// UDP payload of the longest packet before.
        from: u32,
        /// And now.
        to: u32,
    },
    /// Something else is known of how the path treats ECN marks.
    Ecn {
        /// What was known before.
        from: EcnState,
        /// What is known now.
        to: EcnState,
    },
    /// Something else holds sending up.
    Limited {
        /// What did before.
        from: Limit,
        /// What does now.
        to: Limit,
    },
    /// Something happened to a stream.
    Stream {
        /// Which.
        id: StreamId,
        /// What.
        change: StreamChange,
    },
    /// The peer has these bytes of a stream; of what was sent twice, it may say so twice.
    StreamAcked {
        /// Which.
        id: StreamId,
        /// The place of the first byte.
        offset: u64,
        /// How many.
        bytes: u64,
        /// Whether the end of the stream was among them.
        fin: bool,
    },
}

impl TransportEvent {
    /// That bytes of a stream were acknowledged.
    pub const fn acked(id: StreamId, bytes: &Range<u64>, fin: bool) -> Self {
        Self::StreamAcked { id, offset: bytes.start, bytes: bytes.end - bytes.start, fin }
    }
}

impl fmt::Display for TransportEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Started { peer, accepted, state, .. } => {
                let by = if accepted { "from" } else { "to" };
                write!(f, "connection {by} {peer}, {state}")
            }
            Self::State { from, to, reason: None } => write!(f, "{from} -> {to}"),
            Self::State { from, to, reason: Some(why) } => write!(f, "{from} -> {to}: {why}"),
            Self::PacketSent { number, bytes, probe, frames, .. } => {
                let what = if probe { "probe" } else { "packet" };
                write!(f, "send {what} {number}, {bytes} bytes: {frames}")
            }
            Self::PacketReceived { number, bytes, frames, .. } => {
                write!(f, "packet {number} arrives, {bytes} bytes: {frames}")
            }
            Self::Heard { kind, bytes } => write!(f, "{} arrives, {bytes} bytes", kind.name()),
            Self::Answered { kind, bytes } => write!(f, "answer {}, {bytes} bytes", kind.name()),
            Self::PacketDiscarded { number: Some(number), reason, .. } => {
                write!(f, "packet {number} {reason}")
            }
            Self::PacketDiscarded { reason, .. } => write!(f, "datagram {reason}"),
            Self::Frame { number, frame, .. } => write!(f, "  in packet {number}: {frame}"),
            Self::AckReceived { largest, bytes } => {
                write!(f, "acknowledged up to {largest}, {bytes} bytes new")
            }
            Self::PacketLost { number, bytes, cause } => {
                let why = match cause {
                    LossCause::Packets => "later ones arrived",
                    LossCause::Time => "overdue",
                    LossCause::Restart => "sent without the cookie",
                    LossCause::Probe => "too long for the path, or lost",
                };
                write!(f, "packet {number} lost, {bytes} bytes: {why}")
            }
            Self::SpuriousLoss { number, .. } => write!(f, "packet {number} was not lost"),
            Self::PersistentCongestion { packets } => {
                write!(f, "persistent congestion, {packets} packets lost")
            }
            Self::CutUndone => f.write_str("the cut of the window is taken back"),
            Self::Rtt { latest, smoothed, pto, .. } => {
                write!(f, "round trip {latest:?}, SRTT {smoothed:?}, PTO {pto:?}")
            }
            Self::Metrics { window_bytes, in_flight_bytes, .. } => {
                write!(f, "window {window_bytes}, in flight {in_flight_bytes}")
            }
            Self::Phase { from, to } => write!(f, "{from} -> {to}"),
            Self::ProbeTimeout { count } => write!(f, "probe timeout {count}"),
            Self::Moved { from, to } => write!(f, "the peer has moved from {from} to {to}"),
            Self::Mtu { from, to } => write!(f, "packets of {from} -> {to} bytes"),
            Self::Ecn { from, to } => write!(f, "ECN {} -> {}", from.name(), to.name()),
            Self::Limited { to, .. } => write!(f, "limited by {to}"),
            Self::Stream { id, change } => write!(f, "{id} {}", change.name()),
            Self::StreamAcked { id, offset, bytes, fin } => {
                let end = if fin { ", the end" } else { "" };
                write!(f, "{id} acknowledged {offset}+{bytes}{end}")
            }
        }
    }
}
