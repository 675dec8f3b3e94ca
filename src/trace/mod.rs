//! What happened, as values: the vocabulary that machines, links and drivers report in.
//!
//! Endpoints record [`TraceEvent`]s when tracing is on; drivers add the time and the place and hand
//! the [`Record`] to an [`Observer`]. Every discarded packet says which guard refused it and in
//! which state.

mod frames;
pub mod transport;

use alloc::{collections::VecDeque, vec::Vec};
use core::{fmt, time::Duration};

pub use frames::{FrameInfo, FrameKinds};
pub use transport::TransportEvent;

use crate::{
    seq::Seq,
    time::Instant,
    wire::{DecodeError, Kind, transport::ConnectionId},
};

/// A node of a run, numbered from 0 in the order of creation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Two parties are A and B, as in every textbook; crowds are numbered.
        match u8::try_from(self.0) {
            Ok(n) if n < 26 => write!(f, "{}", char::from(b'A' + n)),
            _ => write!(f, "node {}", self.0),
        }
    }
}

/// The name of a state as the textbook writes it, with its number filled in for `#`.
///
/// ```
/// use rdtp::trace::StateLabel;
///
/// assert_eq!(StateLabel::numbered("Wait for ACK #", 1).to_string(), "Wait for ACK 1");
/// assert_eq!(StateLabel::plain("Wait").to_string(), "Wait");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StateLabel {
    template: &'static str,
    number: Option<Seq>,
}

impl StateLabel {
    /// A state without a number.
    pub const fn plain(name: &'static str) -> Self {
        Self { template: name, number: None }
    }

    /// One of several like states; `#` in `template` stands for the number.
    pub const fn numbered(template: &'static str, number: Seq) -> Self {
        Self { template, number: Some(number) }
    }
}

impl fmt::Display for StateLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.template.split_once('#'), self.number) {
            (Some((before, after)), Some(number)) => write!(f, "{before}{number}{after}"),
            _ => f.write_str(self.template),
        }
    }
}

/// A packet as people speak of it: "packet 0", "ACK 1", "NAK".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PacketInfo {
    /// Data or which feedback.
    pub kind: Kind,
    /// Its sequence number; `None` when the protocol does not number such packets.
    pub seq: Option<Seq>,
    /// Bytes of payload.
    pub payload_bytes: usize,
}

impl fmt::Display for PacketInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind {
            Kind::Data => "packet",
            Kind::Ack => "ACK",
            Kind::Nak => "NAK",
        };
        match self.seq {
            Some(seq) => write!(f, "{name} {seq}"),
            None => f.write_str(name),
        }
    }
}

/// Why a datagram was discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// It came from an address this endpoint does not talk to.
    UnknownPeer,
    /// It is no intact packet of this format.
    Damaged(DecodeError),
    /// It is intact, but this side has no machine for it: data for a pure sender, or feedback for a
    /// pure receiver.
    NoReceiver,
    /// A guard of the state machine refused it.
    Guard {
        /// The state the machine was in.
        state: StateLabel,
        /// Which guard, in words.
        reason: &'static str,
    },
    /// The queue of deliveries is full because the application does not take them.
    InboxFull,
    /// There is no room for another peer.
    PeersFull,
    /// The endpoint is closed or has given up.
    Closed,
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownPeer => f.write_str("from an unknown peer"),
            Self::Damaged(error) => write!(f, "damaged: {error}"),
            Self::NoReceiver => f.write_str("not meant for this side"),
            Self::Guard { state, reason } => write!(f, "ignored in {state}: {reason}"),
            Self::InboxFull => f.write_str("the application has not taken earlier deliveries"),
            Self::PeersFull => f.write_str("no room for another peer"),
            Self::Closed => f.write_str("the endpoint is closed"),
        }
    }
}

/// Which of an endpoint's two machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The one that sends data and takes feedback.
    Sender,
    /// The one that takes data and sends feedback.
    Receiver,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sender => "sender",
            Self::Receiver => "receiver",
        })
    }
}

/// What a countdown timer watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tag {
    /// The oldest packet that is not acknowledged: the single timer of rdt 3.0 and go-back-N.
    Oldest,
    /// The packet of this number: selective repeat's logical timers.
    Packet(Seq),
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Oldest => f.write_str("timer"),
            Self::Packet(seq) => write!(f, "timer {seq}"),
        }
    }
}

/// What the bad network did to one datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fate {
    /// The loss stage dropped it.
    Lost,
    /// The link was down.
    Outage,
    /// It was longer than the MTU.
    TooLarge,
    /// The bottleneck's queue had no room.
    QueueFull,
    /// The link holds as many datagrams as its configuration allows.
    LinkFull,
    /// Its ECN field was marked with congestion.
    EcnMarked,
    /// Its ECN field was cleared.
    EcnCleared,
    /// Its ECN field was changed from ECT(0) to ECT(1).
    EcnChanged,
    /// Bits were flipped.
    Corrupted {
        /// How many.
        bits: u32,
    },
    /// Bytes changed places.
    Swapped,
    /// From here on it is another datagram.
    Spliced {
        /// Bytes of its own.
        bytes: usize,
    },
    /// Bytes were cut off its end.
    Truncated {
        /// Bytes left.
        bytes: usize,
    },
    /// Bytes were appended.
    Extended {
        /// How many.
        bytes: usize,
    },
    /// A copy was made.
    Duplicated,
    /// It comes once more, together with a later one.
    Replayed,
    /// It waits for others to overtake it.
    Held {
        /// How many.
        packets: u32,
    },
    /// It left the link at the far end.
    Arrived,
}

impl Fate {
    /// Whether the datagram is gone.
    pub const fn is_loss(self) -> bool {
        use Fate::{LinkFull, Lost, Outage, QueueFull, TooLarge};
        matches!(self, Lost | Outage | TooLarge | QueueFull | LinkFull)
    }

    /// Whether its bytes are not what they were.
    pub const fn is_damage(self) -> bool {
        use Fate::{Corrupted, Extended, Spliced, Swapped, Truncated};
        matches!(
            self,
            Corrupted { .. } | Swapped | Spliced { .. } | Truncated { .. } | Extended { .. }
        )
    }

    /// Whether it arrives more than once.
    pub const fn is_copy(self) -> bool {
        matches!(self, Fate::Duplicated | Fate::Replayed)
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost => f.write_str("lost"),
            Self::Outage => f.write_str("lost in an outage"),
            Self::TooLarge => f.write_str("dropped: longer than the MTU"),
            Self::QueueFull => f.write_str("dropped: queue full"),
            Self::LinkFull => f.write_str("dropped: link full"),
            Self::EcnMarked => f.write_str("marked with congestion"),
            Self::EcnCleared => f.write_str("ECN field cleared"),
            Self::EcnChanged => f.write_str("ECN field changed to ECT(1)"),
            Self::Corrupted { bits: 1 } => f.write_str("corrupted in 1 bit"),
            Self::Corrupted { bits } => write!(f, "corrupted in {bits} bits"),
            Self::Swapped => f.write_str("got bytes swapped"),
            Self::Spliced { bytes } => write!(f, "spliced with another after {bytes} bytes"),
            Self::Truncated { bytes } => write!(f, "cut to {bytes} bytes"),
            Self::Extended { bytes } => write!(f, "extended by {bytes} bytes"),
            Self::Duplicated => f.write_str("duplicated"),
            Self::Replayed => f.write_str("replayed"),
            Self::Held { packets } => write!(f, "held until {packets} others have passed"),
            Self::Arrived => f.write_str("arrived"),
        }
    }
}

/// One step inside an endpoint or a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceEvent {
    /// The application handed a message over (the book's `rdt_send`).
    Send {
        /// Which message, counted from 0.
        index: u64,
        /// Its length.
        bytes: usize,
    },
    /// A packet left for the network (`udt_send`).
    Transmit {
        /// The packet.
        packet: PacketInfo,
        /// 1 for the first time, 2 for the first retransmission, ...; 1 for feedback.
        attempt: u32,
    },
    /// An intact packet arrived (`rdt_rcv` and not corrupt).
    Receive {
        /// The packet.
        packet: PacketInfo,
    },
    /// Something arrived that is no intact packet (`rdt_rcv` and corrupt).
    ReceiveCorrupt {
        /// What is wrong with it.
        error: DecodeError,
        /// Its length.
        bytes: usize,
    },
    /// A machine took a transition.
    Step {
        /// Which machine.
        side: Side,
        /// The name of the rule in the transition table.
        rule: &'static str,
        /// The state before.
        from: StateLabel,
        /// The state after.
        to: StateLabel,
    },
    /// A packet was discarded.
    Discard {
        /// The packet, when it was intact.
        packet: Option<PacketInfo>,
        /// Why.
        reason: DropReason,
    },
    /// A message went up to the application (`deliver_data`).
    Deliver {
        /// Which message, counted from 0.
        index: u64,
        /// Its length.
        bytes: usize,
    },
    /// The sender learnt that messages arrived.
    Acknowledged {
        /// How many messages are confirmed so far.
        total: u64,
    },
    /// A timer was set (`start_timer`).
    TimerStarted {
        /// Which.
        tag: Tag,
        /// When it expires.
        deadline: Instant,
    },
    /// A timer was stopped (`stop_timer`).
    TimerStopped {
        /// Which.
        tag: Tag,
    },
    /// A timer ran out (`timeout`).
    TimerExpired {
        /// Which.
        tag: Tag,
    },
    /// A round trip was measured, and the retransmission timeout follows from it.
    Rtt {
        /// The sample.
        sample: Duration,
        /// Smoothed round-trip time, SRTT.
        srtt: Duration,
        /// Its mean deviation, RTTVAR.
        rttvar: Duration,
        /// The retransmission timeout, RTO.
        rto: Duration,
    },
    /// The sender gave up on the peer.
    GaveUp {
        /// How often the oldest message had been sent.
        attempts: u32,
    },
    /// The network did something to a datagram.
    Link {
        /// The datagram, counted by the driver over the whole run.
        datagram: u64,
        /// What.
        fate: Fate,
    },
    /// A step of the production transport.
    Transport {
        /// Which connection, by the ID that this side chose; `None` for what belongs to none.
        connection: Option<ConnectionId>,
        /// What.
        event: TransportEvent,
    },
}

impl fmt::Display for TraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { index, bytes } => write!(f, "message {index} from above, {bytes} bytes"),
            Self::Transmit { packet, attempt: 1 } => write!(f, "send {packet}"),
            Self::Transmit { packet, attempt } => write!(f, "resend {packet}, attempt {attempt}"),
            Self::Receive { packet } => write!(f, "{packet} arrives"),
            Self::ReceiveCorrupt { error, bytes } => {
                write!(f, "damaged packet of {bytes} bytes arrives: {error}")
            }
            Self::Step { side, rule, from, to } if from == to => {
                write!(f, "{side}: {rule} in {from}")
            }
            Self::Step { side, rule, from, to } => write!(f, "{side}: {rule}, {from} -> {to}"),
            Self::Discard { packet: Some(packet), reason } => write!(f, "{packet} {reason}"),
            Self::Discard { packet: None, reason } => write!(f, "datagram {reason}"),
            Self::Deliver { index, bytes } => write!(f, "deliver message {index}, {bytes} bytes"),
            Self::Acknowledged { total } => write!(f, "{total} messages confirmed"),
            Self::TimerStarted { tag, deadline } => write!(f, "{tag} set to {deadline}"),
            Self::TimerStopped { tag } => write!(f, "{tag} stopped"),
            Self::TimerExpired { tag } => write!(f, "{tag} expired"),
            Self::Rtt { sample, srtt, rto, .. } => {
                write!(f, "round trip {sample:?}, SRTT {srtt:?}, RTO {rto:?}")
            }
            Self::GaveUp { attempts } => write!(f, "gave up after {attempts} attempts"),
            Self::Link { datagram, fate } => write!(f, "datagram {datagram} {fate}"),
            Self::Transport { connection: Some(id), event } => write!(f, "{id} {event}"),
            Self::Transport { connection: None, event } => event.fmt(f),
        }
    }
}

/// Where in the run something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// At a node.
    Node(NodeId),
    /// On the way between two nodes.
    Link {
        /// The sending node.
        from: NodeId,
        /// The receiving node.
        to: NodeId,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(node) => write!(f, "{node}"),
            Self::Link { from, to } => write!(f, "{from}>{to}"),
        }
    }
}

/// An event with its time and place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// When.
    pub at: Instant,
    /// Where.
    pub place: Place,
    /// What.
    pub event: TraceEvent,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:<3} {}", self.at, self.place, self.event)
    }
}

/// Who wants to know. `()` does not, and drivers then skip tracing altogether.
pub trait Observer {
    /// Takes one record. Records come in the order in which things happened.
    fn record(&mut self, record: &Record);

    /// Whether anything is done with records. Drivers ask once, before the run.
    fn wants_records(&self) -> bool {
        true
    }
}

impl Observer for () {
    fn record(&mut self, _: &Record) {}

    fn wants_records(&self) -> bool {
        false
    }
}

/// Keeps everything; for tests and short runs.
impl Observer for Vec<Record> {
    fn record(&mut self, record: &Record) {
        self.push(*record);
    }
}

/// Calls a closure for each record.
#[derive(Debug)]
pub struct Watch<F>(pub F);

impl<F: FnMut(&Record)> Observer for Watch<F> {
    fn record(&mut self, record: &Record) {
        (self.0)(record);
    }
}

/// An endpoint's own store of events until the driver fetches them.
///
/// Off by default, and then costs one branch. When nobody fetches, the oldest events go first.
#[derive(Clone, Debug)]
pub struct Tracer<T = TraceEvent> {
    on: bool,
    events: VecDeque<T>,
}

impl<T> Default for Tracer<T> {
    fn default() -> Self {
        Self { on: false, events: VecDeque::new() }
    }
}

impl<T> Tracer<T> {
    /// The most events that wait to be fetched.
    pub const EVENTS_MAX: usize = 65_536;

    /// Starts or stops recording; stopping forgets what was not fetched.
    pub fn set(&mut self, on: bool) {
        self.on = on;
        if !on {
            self.events.clear();
        }
    }

    /// Whether events are recorded.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Records what `event` returns; does not call it when off.
    pub fn emit(&mut self, event: impl FnOnce() -> T) {
        if self.on {
            if self.events.len() == Self::EVENTS_MAX {
                self.events.pop_front();
            }
            self.events.push_back(event());
        }
    }

    /// The oldest event not yet fetched.
    pub fn take(&mut self) -> Option<T> {
        self.events.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_refused_packet_says_which_guard_and_which_state() {
        let event = TraceEvent::Discard {
            packet: Some(PacketInfo { kind: Kind::Ack, seq: Some(0), payload_bytes: 0 }),
            reason: DropReason::Guard {
                state: StateLabel::numbered("Wait for ACK #", 1),
                reason: "wrong number",
            },
        };
        assert_eq!(event.to_string(), "ACK 0 ignored in Wait for ACK 1: wrong number");
    }

    #[test]
    fn the_tracer_is_bounded_and_silent_when_off() {
        let mut tracer = Tracer::default();
        tracer.emit(|| unreachable!("off"));
        tracer.set(true);
        for total in 0..=Tracer::<TraceEvent>::EVENTS_MAX as u64 {
            tracer.emit(|| TraceEvent::Acknowledged { total });
        }
        assert_eq!(tracer.take(), Some(TraceEvent::Acknowledged { total: 1 }));
    }

    #[test]
    fn nodes_have_textbook_names() {
        assert_eq!(NodeId(0).to_string(), "A");
        assert_eq!(Place::Link { from: NodeId(1), to: NodeId(30) }.to_string(), "B>node 30");
    }
}
