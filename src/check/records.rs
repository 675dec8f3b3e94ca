//! A counterexample in the vocabulary of [`trace`](crate::trace), for whatever observes runs.

use alloc::{collections::BTreeMap, vec::Vec};
use core::time::Duration;

use super::{
    Message,
    trace::{Event, Flight, Step, Trace},
};
use crate::{
    classic::{Effect, Packet},
    endpoint::DropReason,
    time::Instant,
    trace::{Fate, NodeId, PacketInfo, Place, Record, Side, TraceEvent},
    wire::DecodeError,
};

/// Between two steps.
const STEP: Duration = Duration::from_millis(1);

/// The way of packets to a side.
fn way(to: Side) -> Place {
    Place::Link { from: NodeId(u32::from(to == Side::Sender)), to: node(to) }
}

fn node(side: Side) -> NodeId {
    NodeId(u32::from(side == Side::Receiver))
}

impl Trace {
    /// The run as records: node A sends to node B, and step k happens k milliseconds from the start.
    ///
    /// A checked timer has no duration, it may expire at any moment. So there are records of timers
    /// that run out, and none of timers that are set or stopped.
    pub fn records(&self) -> Vec<Record> {
        let mut writer = Writer {
            trace: self,
            datagrams: self.datagrams(),
            attempts: BTreeMap::new(),
            states: self.initial,
            believed: 0,
            at: Instant::ZERO,
            records: Vec::new(),
        };
        for step in &self.steps {
            writer.at += STEP;
            writer.step(step);
        }
        writer.records
    }

    /// By the number of a packet that of its datagram: those of each side are counted from 0, and
    /// copies are of the same datagram.
    pub(super) fn datagrams(&self) -> BTreeMap<u32, u64> {
        let mut counts = [0; 2];
        let mut datagrams = BTreeMap::new();
        for step in &self.steps {
            if let Event::Duplicate { flight, copy } = &step.event
                && let Some(&original) = datagrams.get(&flight.id)
            {
                datagrams.insert(*copy, original);
            }
            for flight in step.transmitted() {
                let count: &mut u64 = &mut counts[usize::from(flight.to == Side::Sender)];
                datagrams.insert(flight.id, *count);
                *count += 1;
            }
        }
        datagrams
    }
}

struct Writer<'a> {
    trace: &'a Trace,
    datagrams: BTreeMap<u32, u64>,
    /// How often each message was sent.
    attempts: BTreeMap<Message, u32>,
    /// Of sender and receiver, after the last step.
    states: [crate::trace::StateLabel; 2],
    believed: u16,
    at: Instant,
    records: Vec<Record>,
}

impl Writer<'_> {
    fn step(&mut self, step: &Step) {
        self.cause(&step.event);
        let Some(side) = step.side() else { return };
        let at_node = Place::Node(node(side));
        let (index, to) = match side {
            Side::Sender => (0, step.sender),
            Side::Receiver => (1, step.receiver),
        };
        let from = core::mem::replace(&mut self.states[index], to);
        if let Some(rule) = step.rule {
            self.write(at_node, TraceEvent::Step { side, rule: rule.name, from, to });
        }
        let delivered = step.effects.iter().filter(|effect| matches!(effect, Effect::Deliver(_)));
        for (index, _) in (u64::from(step.delivered_before)..).zip(delivered) {
            if side == Side::Receiver {
                self.write(at_node, TraceEvent::Deliver { index, bytes: size_of::<Message>() });
            }
        }
        if let Some(reason) = step.rule.and_then(|rule| rule.refuses) {
            let reason = DropReason::Guard { state: from, reason };
            self.write(at_node, TraceEvent::Discard { packet: None, reason });
        }
        if step.believed > self.believed {
            self.believed = step.believed;
            self.write(at_node, TraceEvent::Acknowledged { total: step.believed.into() });
        }
        for flight in step.transmitted() {
            self.transmit(flight);
        }
        for flight in &step.dropped {
            self.fate(flight, Fate::LinkFull);
        }
    }

    /// What makes a machine act, or what the channel does.
    fn cause(&mut self, event: &Event) {
        match event {
            Event::Send(message) => {
                let index = message.0.into();
                let send = TraceEvent::Send { index, bytes: size_of::<Message>() };
                self.write(Place::Node(node(Side::Sender)), send);
            }
            Event::Timeout { side, tag, .. } => {
                self.write(Place::Node(node(*side)), TraceEvent::TimerExpired { tag: *tag });
            }
            Event::Arrive { flight, .. } => {
                self.fate(flight, Fate::Arrived);
                let event = if flight.damaged && self.trace.fields.checksum {
                    let error = DecodeError::Checksum;
                    TraceEvent::ReceiveCorrupt { error, bytes: size_of::<Message>() }
                } else {
                    TraceEvent::Receive { packet: self.info(&flight.packet) }
                };
                self.write(Place::Node(node(flight.to)), event);
            }
            Event::Lose(flight) => self.fate(flight, Fate::Lost),
            Event::Duplicate { flight, .. } => self.fate(flight, Fate::Duplicated),
            Event::Corrupt(flight) => self.fate(flight, Fate::Corrupted { bits: 1 }),
        }
    }

    fn transmit(&mut self, flight: &Flight) {
        let attempt = match &flight.packet {
            Packet::Data { data, .. } => {
                let attempts = self.attempts.entry(*data).or_default();
                *attempts += 1;
                *attempts
            }
            Packet::Ack { .. } | Packet::Nak { .. } => 1,
        };
        let from = match flight.to {
            Side::Sender => Side::Receiver,
            Side::Receiver => Side::Sender,
        };
        let packet = self.info(&flight.packet);
        self.write(Place::Node(node(from)), TraceEvent::Transmit { packet, attempt });
    }

    fn info(&self, packet: &Packet<Message>) -> PacketInfo {
        let (numbered, payload_bytes) = match packet {
            Packet::Data { .. } => (self.trace.fields.data_seq, size_of::<Message>()),
            Packet::Ack { .. } | Packet::Nak { .. } => (self.trace.fields.feedback_seq, 0),
        };
        PacketInfo { kind: packet.kind(), seq: numbered.then(|| packet.seq()), payload_bytes }
    }

    fn fate(&mut self, flight: &Flight, fate: Fate) {
        if let Some(&datagram) = self.datagrams.get(&flight.id) {
            self.write(way(flight.to), TraceEvent::Link { datagram, fate });
        }
    }

    fn write(&mut self, place: Place, event: TraceEvent) {
        self.records.push(Record { at: self.at, place, event });
    }
}
