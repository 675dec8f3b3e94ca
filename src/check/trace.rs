//! A counterexample, step by step: replayed with the machines themselves, in words.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    Message, Model, Verdict, Violation,
    lanes::{Handling, Wire},
    search::Found,
    space::{Act, Party, Space, Unacked},
};
use crate::{
    classic::{Effect, Fields, Input, Machine, Packet, Protocol, Rule, SenderMachine, State as _},
    trace::{Side, StateLabel, Tag},
};

/// Something that happens, in terms that do not need the search's tables.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// A party acts by itself.
    Input(Side, Input<Message>),
    /// The channel towards a party does something to a packet.
    Channel { to: Side, handling: Handling, at: usize, wire: Wire, ordered: bool },
}

/// What happens on the way to state number `end`.
pub(super) fn acts<S, R>(space: &mut Space<S, R>, found: &Found, end: u32) -> Vec<Happening>
where
    S: SenderMachine<Message>,
    R: Machine<Message>,
{
    let path = found.path(end);
    let mut nexts = Vec::new();
    let mut happenings = Vec::new();
    for pair in path.windows(2) {
        let (from, to) = (*found.states.get(pair[0]), *found.states.get(pair[1]));
        nexts.clear();
        space.expand_learning(from, &mut nexts);
        // The first of the cheapest: the search took one of the cheapest, too.
        let ways = nexts.iter().filter(|next| next.state == to);
        let Some(next) = ways.min_by_key(|next| next.faults) else { break };
        let channel = |to, lane_moves: Option<&[super::lanes::LaneMove]>, index: u16, ordered| {
            let taken = *lane_moves?.get(usize::from(index))?;
            let wire = space.packets.wires.get(taken.packet).clone();
            let (handling, at) = (taken.handling, taken.at);
            Some(Happening::Channel { to, handling, at, wire, ordered })
        };
        let happening = match next.act {
            Act::Sender(index) => space.sender.moves(from.sender).and_then(|moves| {
                let taken = moves.get(usize::from(index))?;
                Some(Happening::Input(Side::Sender, taken.input.clone()))
            }),
            Act::Receiver(index) => space.receiver.moves(from.receiver).and_then(|moves| {
                let taken = moves.get(usize::from(index))?;
                Some(Happening::Input(Side::Receiver, taken.input.clone()))
            }),
            Act::Data(index) => {
                let lanes = &space.data;
                channel(Side::Receiver, lanes.moves(from.data), index, lanes.ordered)
            }
            Act::Feedback(index) => {
                let lanes = &space.feedback;
                channel(Side::Sender, lanes.moves(from.feedback), index, lanes.ordered)
            }
        };
        happenings.extend(happening);
    }
    happenings
}

/// A packet on its way, told from others like it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flight {
    /// Counts packets sent, both ways, from 0; a copy has a number of its own.
    pub id: u32,
    /// The packet as it was sent.
    pub packet: Packet<Message>,
    /// Whether it was damaged on the way.
    pub damaged: bool,
    /// Where it goes.
    pub to: Side,
}

/// What happens in one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The layer above hands the sender a message.
    Send(Message),
    /// A timer expires.
    Timeout {
        /// Whose.
        side: Side,
        /// Which.
        tag: Tag,
        /// Whether packets were on their way.
        early: bool,
    },
    /// A packet arrives.
    Arrive {
        /// Which.
        flight: Flight,
        /// How many packets sent before it were still on their way.
        overtakes: usize,
    },
    /// The channel loses a packet.
    Lose(Flight),
    /// The channel copies a packet.
    Duplicate {
        /// Which.
        flight: Flight,
        /// The number of the copy.
        copy: u32,
    },
    /// The channel damages a packet.
    Corrupt(Flight),
}

/// One step of a counterexample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What happens.
    pub event: Event,
    /// The arrow that a machine takes, if one is asked.
    pub rule: Option<&'static Rule>,
    /// What the machine does.
    pub effects: Vec<Effect<Message>>,
    /// The packets that it sends.
    pub sent: Vec<Flight>,
    /// The packets that it sends and that find the channel full.
    pub dropped: Vec<Flight>,
    /// How many messages were delivered before this step.
    pub delivered_before: u16,
    /// How many messages the sender believes delivered afterwards.
    pub believed: u16,
    /// The sender's state afterwards.
    pub sender: StateLabel,
    /// The receiver's state afterwards.
    pub receiver: StateLabel,
}

impl Step {
    /// The packets that it sends, whether they find room or not, in their order.
    pub(super) fn transmitted(&self) -> impl Iterator<Item = &Flight> {
        // One step sends one way, so what finds the channel full comes last.
        self.sent.iter().chain(&self.dropped)
    }

    /// Where it happens; `None` in the channel.
    pub fn side(&self) -> Option<Side> {
        match &self.event {
            Event::Send(_) => Some(Side::Sender),
            Event::Timeout { side, .. } => Some(*side),
            Event::Arrive { flight, .. } => Some(flight.to),
            Event::Lose(_) | Event::Duplicate { .. } | Event::Corrupt(_) => None,
        }
    }

    /// How many faults it takes; see [`Model::fewest_faults`](super::Model::fewest_faults).
    pub fn faults(&self) -> usize {
        let own = match &self.event {
            Event::Send(_) => false,
            Event::Timeout { early, .. } => *early,
            Event::Arrive { overtakes, .. } => *overtakes > 0,
            Event::Lose(_) | Event::Duplicate { .. } | Event::Corrupt(_) => true,
        };
        usize::from(own) + self.dropped.len()
    }
}

/// A way from the start to a failure.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The protocol's name.
    pub protocol: &'static str,
    /// What its packets carry.
    pub fields: Fields,
    /// How many messages the sender has to send.
    pub messages: u16,
    /// How many packets are in flight each way at a time.
    pub capacity: usize,
    /// The states of sender and receiver before anything happens.
    pub initial: [StateLabel; 2],
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// What it comes to.
    pub verdict: Verdict,
}

/// Both parties and what is between them, while a trace is replayed.
struct Replay<S, R> {
    sender: Party<S>,
    receiver: Party<R>,
    flights: u32,
    /// What is on its way to the receiver and to the sender, in sending order.
    lanes: [Vec<Flight>; 2],
    checksum: bool,
    channel_capacity: usize,
}

const fn lane(to: Side) -> usize {
    match to {
        Side::Receiver => 0,
        Side::Sender => 1,
    }
}

impl<S: SenderMachine<Message>, R: Machine<Message>> Replay<S, R> {
    fn step(&mut self, happening: &Happening) -> Step {
        let delivered_before = self.receiver.count;
        let mut done = (None, Vec::new(), Vec::new(), Vec::new());
        let event = match happening {
            Happening::Input(side, input) => {
                let early = self.lanes.iter().any(|lane| !lane.is_empty());
                done = self.take(*side, input.clone());
                match input {
                    Input::Send(message) => Event::Send(*message),
                    Input::Expire(tag) => Event::Timeout { side: *side, tag: *tag, early },
                    Input::Arrive(_) | Input::ArriveCorrupt => unreachable_input(),
                }
            }
            Happening::Channel { to, handling, at, wire, ordered } => {
                let at = if *ordered { *at } else { self.find(*to, wire) };
                match handling {
                    Handling::Deliver => {
                        let flight = self.lanes[lane(*to)].remove(at);
                        done = self.take(*to, self.input(&flight));
                        Event::Arrive { flight, overtakes: at }
                    }
                    Handling::Lose => Event::Lose(self.lanes[lane(*to)].remove(at)),
                    Handling::Duplicate => {
                        let flight = self.lanes[lane(*to)][at].clone();
                        let copy = self.next_id();
                        let twin = Flight { id: copy, ..flight.clone() };
                        self.lanes[lane(*to)].insert(at + 1, twin);
                        Event::Duplicate { flight, copy }
                    }
                    Handling::Corrupt => {
                        let flight = &mut self.lanes[lane(*to)][at];
                        let before = flight.clone();
                        flight.damaged = true;
                        Event::Corrupt(before)
                    }
                }
            }
        };
        let (rule, effects, sent, dropped) = done;
        let (believed, [sender, receiver]) = (self.sender.believed, self.states());
        Step { event, rule, effects, sent, dropped, delivered_before, believed, sender, receiver }
    }

    fn states(&self) -> [StateLabel; 2] {
        [self.sender.machine.state().label(), self.receiver.machine.state().label()]
    }

    /// What the packet is when it arrives.
    fn wire(&self, flight: &Flight) -> Wire {
        let intact = Wire::Intact(flight.packet.clone());
        if flight.damaged { intact.corrupted(self.checksum) } else { intact }
    }

    fn input(&self, flight: &Flight) -> Input<Message> {
        match self.wire(flight) {
            Wire::Intact(packet) => Input::Arrive(packet),
            Wire::Damaged => Input::ArriveCorrupt,
        }
    }

    /// The oldest packet like this one.
    fn find(&self, to: Side, wire: &Wire) -> usize {
        let alike = |flight: &Flight| self.wire(flight) == *wire;
        self.lanes[lane(to)].iter().position(alike).unwrap_or_default()
    }

    fn next_id(&mut self) -> u32 {
        let id = self.flights;
        self.flights += 1;
        id
    }

    #[expect(clippy::type_complexity, reason = "the four last fields of a step")]
    fn take(
        &mut self,
        side: Side,
        input: Input<Message>,
    ) -> (Option<&'static Rule>, Vec<Effect<Message>>, Vec<Flight>, Vec<Flight>) {
        let doubt: Unacked<S> = |sender| Some(sender.unacked());
        let (rule, mut effects, to) = match side {
            Side::Sender => {
                let (rule, effects) = self.sender.step(input, doubt);
                (rule, effects, Side::Receiver)
            }
            Side::Receiver => {
                let (rule, effects) = self.receiver.step(input, |_| None);
                (rule, effects, Side::Sender)
            }
        };
        let effects: Vec<_> = effects.drain().collect();
        let (mut sent, mut dropped) = (Vec::new(), Vec::new());
        for effect in &effects {
            let Effect::Transmit(packet) = effect else { continue };
            let id = self.next_id();
            let flight = Flight { id, packet: packet.clone(), damaged: false, to };
            if self.lanes[lane(to)].len() < self.channel_capacity {
                self.lanes[lane(to)].push(flight.clone());
                sent.push(flight);
            } else {
                dropped.push(flight);
            }
        }
        (Some(rule), effects, sent, dropped)
    }
}

/// The search lets a party act only by sending or by a timer.
fn unreachable_input() -> Event {
    unreachable!("arrivals come from the channel")
}

impl Trace {
    /// Takes fresh machines through `happenings`.
    pub(super) fn replay<P: Protocol>(
        protocol: &P,
        model: &Model,
        happenings: &[Happening],
        verdict: Verdict,
    ) -> Self {
        let mut replay = Replay {
            sender: Party::new(protocol.sender::<Message>()),
            receiver: Party::new(protocol.receiver::<Message>()),
            flights: 0,
            lanes: [Vec::new(), Vec::new()],
            checksum: P::FIELDS.checksum,
            channel_capacity: model.capacity,
        };
        let initial = replay.states();
        let steps = happenings.iter().map(|happening| replay.step(happening)).collect();
        let Model { messages, capacity, .. } = *model;
        let (protocol, fields) = (P::NAME, P::FIELDS);
        Self { protocol, fields, messages, capacity, initial, steps, verdict }
    }

    /// How many faults it takes in all.
    pub fn faults(&self) -> usize {
        self.steps.iter().map(Step::faults).sum()
    }

    /// A packet as people speak of it: "packet 0", "ACK 1", "NAK".
    pub fn name(&self, packet: &Packet<Message>) -> String {
        let (word, numbered) = match packet {
            Packet::Data { .. } => ("packet", self.fields.data_seq),
            Packet::Ack { .. } => ("ACK", self.fields.feedback_seq),
            Packet::Nak { .. } => ("NAK", self.fields.feedback_seq),
        };
        match (numbered, packet) {
            (true, packet) => format!("{word} {}", packet.seq()),
            (false, Packet::Data { data, .. }) => format!("the packet of {data}"),
            (false, _) => word.to_string(),
        }
    }

    /// One sentence for each step.
    pub fn words(&self) -> Vec<String> {
        self.steps.iter().map(|step| self.sentence(step)).collect()
    }

    /// The steps that matter in one sentence: what went wrong, and what it led to.
    pub fn summary(&self) -> String {
        let last = self.steps.len().saturating_sub(1);
        let matters = |(index, step): &(usize, &Step)| {
            let refused = step.rule.is_some_and(|rule| rule.refuses.is_some());
            let timeout = matches!(step.event, Event::Timeout { .. });
            *index == last || step.faults() > 0 || timeout || refused || is_old(step)
        };
        let steps = self.steps.iter().enumerate().filter(matters);
        let mut clauses: Vec<String> = steps.map(|(_, step)| self.sentence(step)).collect();
        match self.verdict {
            // The last step says so.
            Verdict::Unsafe(Violation::Delivered { .. }) => {}
            Verdict::Unsafe(violation) => clauses.push(violation.to_string()),
            verdict => clauses.push(verdict.to_string()),
        }
        clauses.join("; ")
    }

    fn sentence(&self, step: &Step) -> String {
        let sent: Vec<_> = self.names_sent(step).collect();
        let mut text = match &step.event {
            Event::Send(message) => {
                let overflow = self.overflow(step, sent.len());
                return match sent.as_slice() {
                    [] => format!("{message} is taken"),
                    _ if !self.fields.data_seq => format!("{message} is sent{overflow}"),
                    names => format!("{message} is sent as {}{overflow}", list(names)),
                };
            }
            Event::Timeout { tag, early, side } => {
                let tag = match (side, tag) {
                    (Side::Receiver, tag) => format!("the receiver's {tag}"),
                    (Side::Sender, Tag::Oldest) => "the timer".to_string(),
                    (Side::Sender, tag) => tag.to_string(),
                };
                format!("{tag} expires{}", if *early { " too early" } else { "" })
            }
            Event::Arrive { flight, overtakes } => self.arrival(step, flight, *overtakes),
            Event::Lose(flight) => return format!("{} is lost", self.name(&flight.packet)),
            Event::Duplicate { flight, .. } => {
                return format!("the channel copies {}", self.name(&flight.packet));
            }
            Event::Corrupt(flight) => return format!("{} is damaged", self.name(&flight.packet)),
        };
        if let Some(reason) = step.rule.and_then(|rule| rule.refuses) {
            text = format!("{text} ({reason})");
        }
        if !sent.is_empty() {
            let verb = if sent.len() == 1 { "is" } else { "are" };
            let again = if matches!(step.event, Event::Timeout { .. }) { " again" } else { "" };
            let overflow = self.overflow(step, sent.len());
            text = format!("{text}, and {} {verb} sent{again}{overflow}", list(&sent));
        }
        text
    }

    /// What arrives, and what becomes of it.
    fn arrival(&self, step: &Step, flight: &Flight, overtakes: usize) -> String {
        let mut name = self.name(&flight.packet);
        if flight.damaged {
            name = match name.strip_prefix("the ") {
                Some(rest) => format!("the damaged {rest}"),
                None => format!("damaged {name}"),
            };
        }
        let passing = match overtakes {
            0 => String::new(),
            1 => " overtakes 1 packet and".to_string(),
            count => format!(" overtakes {count} packets and"),
        };
        let refused = step.rule.is_some_and(|rule| rule.refuses.is_some());
        let Packet::Data { data, .. } = &flight.packet else {
            return format!("{name}{passing} arrives");
        };
        let mut text = name;
        if is_old(step) && self.fields.data_seq {
            text = format!("{text}, an old copy of {data},");
        }
        text = format!("{text}{passing} ");
        let delivered = deliveries(step);
        let silent = flight.damaged && self.fields.checksum;
        match delivered.as_slice() {
            [] if refused || silent => text.push_str("arrives"),
            [] if is_old(step) => text.push_str("falls into the new window and is kept"),
            [] => text.push_str("arrives and is kept"),
            [(message, position), rest @ ..] => {
                text.push_str("arrives and is delivered");
                let place = |message: &Message, position: &u16| {
                    let right = message.0 == *position;
                    if right { String::new() } else { format!(" as message {position}") }
                };
                text.push_str(&place(message, position));
                for (message, position) in rest {
                    text = format!("{text}, then {message}{}", place(message, position));
                }
            }
        }
        text
    }

    fn names_sent<'a>(&'a self, step: &'a Step) -> impl Iterator<Item = String> + 'a {
        step.effects.iter().filter_map(|effect| match effect {
            Effect::Transmit(packet) => Some(self.name(packet)),
            _ => None,
        })
    }

    /// What found no room.
    fn overflow(&self, step: &Step, sent: usize) -> String {
        match step.dropped.as_slice() {
            [] => String::new(),
            dropped if dropped.len() == sent => ", but the channel is full".to_string(),
            dropped => {
                let names: Vec<_> =
                    dropped.iter().map(|flight| self.name(&flight.packet)).collect();
                format!(", but the channel has no room for {}", list(&names))
            }
        }
    }
}

/// Whether an intact copy arrives of what was delivered before.
fn is_old(step: &Step) -> bool {
    match &step.event {
        Event::Arrive {
            flight: Flight { packet: Packet::Data { data, .. }, damaged, .. }, ..
        } => !damaged && data.0 < step.delivered_before,
        _ => false,
    }
}

/// What the receiver delivers, and as which message of the stream.
fn deliveries(step: &Step) -> Vec<(Message, u16)> {
    let delivered = step.effects.iter().filter_map(|effect| match effect {
        Effect::Deliver(message) if step.side() == Some(Side::Receiver) => Some(*message),
        _ => None,
    });
    delivered.zip(step.delivered_before..).collect()
}

/// "a", "a and b", "a, b and c".
fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
