//! Everything a protocol and a channel can be in together, as four small numbers, and what can
//! happen next.
//!
//! The machines of a side, with their timers and counters, are few; so are the contents of a lane.
//! Each is stored once and numbered, each step of a machine is taken once and remembered, and a
//! state of the whole is four numbers: exact, 16 bytes, and quick to step. (Spin calls the storage
//! collapse compression.)

use alloc::vec::Vec;

use super::{
    Message, Model,
    lanes::{Appended, EMPTY, Handling, LaneMove, Lanes, Wire},
    table::{Interner, Memo},
};
use crate::{
    classic::{Effect, Effects, Input, Machine, Protocol, Rule, SenderMachine},
    trace::{Side as Who, Tag},
};

/// The whole: a sender, a receiver, and a lane each way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) sender: u32,
    pub(super) receiver: u32,
    /// From sender to receiver.
    pub(super) data: u32,
    /// From receiver to sender.
    pub(super) feedback: u32,
}

impl State {
    /// Where every run begins: both parties initial, nothing on its way.
    pub(super) const START: Self = Self { sender: 0, receiver: 0, data: EMPTY, feedback: EMPTY };
}

/// What can happen next, and what comes of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    pub(super) state: State,
    pub(super) act: Act,
    /// How many faults that takes.
    pub(super) faults: u16,
}

/// Something that happens, by its position in the list of moves of a part.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Sender(u16),
    Receiver(u16),
    Data(u16),
    Feedback(u16),
}

/// What has to be worked out before a state can be expanded.
#[derive(Clone, Copy, Debug)]
pub(super) enum Missing {
    SenderMoves(u32),
    ReceiverMoves(u32),
    DataMoves(u32),
    FeedbackMoves(u32),
    SenderArrival(u32, u32),
    ReceiverArrival(u32, u32),
    DataAppend(u32, u32),
    FeedbackAppend(u32, u32),
}

/// A machine with what surrounds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Party<M> {
    pub(super) machine: M,
    /// The timers that run, sorted.
    pub(super) timers: Vec<Tag>,
    /// Messages accepted, or delivered rightly.
    pub(super) count: u16,
    /// Messages that feedback made the sender believe delivered.
    pub(super) believed: u16,
    /// What was delivered in place of message `count`.
    pub(super) wrong: Option<Message>,
}

impl<M: Machine<Message>> Party<M> {
    pub(super) fn new(machine: M) -> Self {
        Self { machine, timers: Vec::new(), count: 0, believed: 0, wrong: None }
    }

    /// Takes `input` and keeps the books. Returns the rule taken and what is to be done.
    pub(super) fn step(
        &mut self,
        input: Input<Message>,
        unacked: Unacked<M>,
    ) -> (&'static Rule, Effects<Message>) {
        let mut effects = Effects::default();
        let before = unacked(&self.machine);
        if let Input::Expire(tag) = &input {
            self.timers.retain(|running| running != tag);
        }
        let accepts = matches!(input, Input::Send(_));
        let fired = self.machine.step(input, &mut effects);
        match before.zip(unacked(&self.machine)) {
            // A sender that forgets a message as it takes it (rdt 1.0) claims nothing.
            Some(_) if accepts => self.count += 1,
            Some((before, after)) => {
                let learnt = u16::try_from(before.saturating_sub(after)).unwrap_or(u16::MAX);
                self.believed = self.believed.saturating_add(learnt);
            }
            None => {}
        }
        for effect in effects.as_slice() {
            match effect {
                // Only what the receiving side delivers is for anybody.
                Effect::Deliver(_) if before.is_some() || self.wrong.is_some() => {}
                Effect::Deliver(message) if *message == Message(self.count) => self.count += 1,
                Effect::Deliver(message) => self.wrong = Some(*message),
                Effect::Start(tag) => {
                    if let Err(at) = self.timers.binary_search(tag) {
                        self.timers.insert(at, *tag);
                    }
                }
                Effect::Stop(tag) => self.timers.retain(|running| running != tag),
                Effect::Transmit(_) => {}
            }
        }
        (fired.rule, effects)
    }
}

/// How many messages a machine doubts; `None` for machines that only receive.
pub(super) type Unacked<M> = fn(&M) -> Option<usize>;

/// What a party does by itself.
#[derive(Clone, Debug)]
pub(super) struct PartyMove {
    pub(super) input: Input<Message>,
    party: u32,
    list: u32,
}

/// All that one side ever was.
#[derive(Clone, Debug)]
pub(super) struct Side<M> {
    pub(super) parties: Interner<Party<M>>,
    moves: Vec<Option<Vec<PartyMove>>>,
    /// Party and packet to party and list of packets sent.
    arrivals: Memo,
    /// How many messages it may take.
    messages: u16,
    ready: fn(&M) -> bool,
    pub(super) unacked: Unacked<M>,
}

impl<M: Machine<Message>> Side<M> {
    fn new(machine: M, messages: u16, ready: fn(&M) -> bool, unacked: Unacked<M>) -> Self {
        let mut parties = Interner::new();
        parties.intern(Party::new(machine));
        Self { parties, moves: Vec::new(), arrivals: Memo::new(), messages, ready, unacked }
    }

    pub(super) fn moves(&self, party: u32) -> Option<&[PartyMove]> {
        self.moves.get(party as usize)?.as_deref()
    }

    fn step(&mut self, party: u32, input: Input<Message>, packets: &mut Packets) -> (u32, u32) {
        let mut after = self.parties.get(party).clone();
        let (_, mut effects) = after.step(input, self.unacked);
        let mut list = Vec::new();
        for effect in effects.drain() {
            if let Effect::Transmit(packet) = effect {
                list.push(packets.wires.intern(Wire::Intact(packet)));
            }
        }
        (self.parties.intern(after), packets.lists.intern(list))
    }

    fn learn_moves(&mut self, party: u32, packets: &mut Packets) {
        let now = self.parties.get(party);
        let mut inputs = Vec::new();
        if now.count < self.messages && (self.ready)(&now.machine) {
            inputs.push(Input::Send(Message(now.count)));
        }
        inputs.extend(now.timers.iter().map(|&tag| Input::Expire(tag)));
        let moves = inputs.into_iter().map(|input| {
            let (party, list) = self.step(party, input.clone(), packets);
            PartyMove { input, party, list }
        });
        let moves = moves.collect();
        if self.moves.len() < self.parties.len() {
            self.moves.resize(self.parties.len(), None);
        }
        self.moves[party as usize] = Some(moves);
    }

    fn learn_arrival(&mut self, party: u32, packet: u32, packets: &mut Packets) {
        let input = match packets.wires.get(packet) {
            Wire::Intact(packet) => Input::Arrive(packet.clone()),
            Wire::Damaged => Input::ArriveCorrupt,
        };
        let stepped = self.step(party, input, packets);
        self.arrivals.set((party, packet), stepped);
    }
}

/// All packets that ever were, and the lists of them that one step sends.
#[derive(Clone, Debug)]
pub(super) struct Packets {
    pub(super) wires: Interner<Wire>,
    lists: Interner<Vec<u32>>,
}

/// What there is to know about a protocol over a channel.
#[derive(Clone, Debug)]
pub(super) struct Space<S, R> {
    pub(super) sender: Side<S>,
    pub(super) receiver: Side<R>,
    pub(super) data: Lanes,
    pub(super) feedback: Lanes,
    pub(super) packets: Packets,
    checksum: bool,
    /// Whether timers may expire while something is on its way.
    early: bool,
}

impl<S: SenderMachine<Message>, R: Machine<Message>> Space<S, R> {
    pub(super) fn new<P>(protocol: &P, model: &Model) -> Self
    where
        P: Protocol<Sender<Message> = S, Receiver<Message> = R>,
    {
        let lanes = |channel| Lanes::new(channel, model.capacity, model.fewest_faults);
        let sender = protocol.sender::<Message>();
        Self {
            sender: Side::new(sender, model.messages, S::ready, |s| Some(s.unacked())),
            receiver: Side::new(protocol.receiver::<Message>(), 0, |_| false, |_| None),
            data: lanes(model.data),
            feedback: lanes(model.feedback),
            packets: Packets { wires: Interner::new(), lists: Interner::new() },
            checksum: P::FIELDS.checksum,
            early: model.early_timeouts,
        }
    }

    /// Whether something was delivered wrongly, or is believed delivered and is not.
    pub(super) fn is_bad(&self, state: State) -> bool {
        let (sender, receiver) = self.parties(state);
        receiver.wrong.is_some() || sender.believed > receiver.count
    }

    /// Whether all messages are delivered and the sender has no doubt.
    pub(super) fn is_finished(&self, state: State) -> bool {
        let (sender, receiver) = self.parties(state);
        receiver.count == self.sender.messages
            && sender.count == self.sender.messages
            && sender.machine.unacked() == 0
    }

    pub(super) fn parties(&self, state: State) -> (&Party<S>, &Party<R>) {
        (self.sender.parties.get(state.sender), self.receiver.parties.get(state.receiver))
    }

    /// Writes what can happen next in `state` to `out`, in the order in which it is best told.
    /// Stops at the first thing that is not worked out yet.
    pub(super) fn expand(&self, state: State, out: &mut Vec<Next>) -> Result<(), Missing> {
        let own = self.sender.moves(state.sender).ok_or(Missing::SenderMoves(state.sender))?;
        let theirs =
            self.receiver.moves(state.receiver).ok_or(Missing::ReceiverMoves(state.receiver))?;
        let data = self.data.moves(state.data).ok_or(Missing::DataMoves(state.data))?;
        let feedback =
            self.feedback.moves(state.feedback).ok_or(Missing::FeedbackMoves(state.feedback))?;
        let quiet = state.data == EMPTY && state.feedback == EMPTY;
        let sends = |own: &&PartyMove| matches!(own.input, Input::Send(_));
        let sending = own.iter().take_while(sends).count();
        self.acts(Who::Sender, state, own, 0..sending, false, out)?;
        for (index, step) in (0..).zip(data) {
            if step.handling == Handling::Deliver {
                self.arrive(Who::Receiver, state, index, *step, out)?;
            }
        }
        for (index, step) in (0..).zip(feedback) {
            if step.handling == Handling::Deliver {
                self.arrive(Who::Sender, state, index, *step, out)?;
            }
        }
        if self.early || quiet {
            self.acts(Who::Sender, state, own, sending..own.len(), !quiet, out)?;
            self.acts(Who::Receiver, state, theirs, 0..theirs.len(), !quiet, out)?;
        }
        for (index, step) in (0..).zip(data).filter(|(_, step)| step.handling != Handling::Deliver)
        {
            let state = State { data: step.lane, ..state };
            out.push(Next { state, act: Act::Data(index), faults: 1 });
        }
        for (index, step) in
            (0..).zip(feedback).filter(|(_, step)| step.handling != Handling::Deliver)
        {
            let state = State { feedback: step.lane, ..state };
            out.push(Next { state, act: Act::Feedback(index), faults: 1 });
        }
        Ok(())
    }

    /// What `who` does by itself, of `moves` those in `range`.
    fn acts(
        &self,
        who: Who,
        state: State,
        moves: &[PartyMove],
        range: core::ops::Range<usize>,
        early: bool,
        out: &mut Vec<Next>,
    ) -> Result<(), Missing> {
        for (index, own) in (0..).zip(moves).skip(range.start).take(range.len()) {
            let (after, act) = match who {
                Who::Sender => (State { sender: own.party, ..state }, Act::Sender(index)),
                Who::Receiver => (State { receiver: own.party, ..state }, Act::Receiver(index)),
            };
            self.send(who, after, own.list, act, early.into(), out)?;
        }
        Ok(())
    }

    /// A packet arrives at `who`.
    fn arrive(
        &self,
        who: Who,
        state: State,
        index: u16,
        step: LaneMove,
        out: &mut Vec<Next>,
    ) -> Result<(), Missing> {
        let LaneMove { packet, lane, fault, .. } = step;
        let (after, list, act) = match who {
            Who::Sender => {
                let arrival = self.sender.arrivals.get((state.sender, packet));
                let missing = Missing::SenderArrival(state.sender, packet);
                let (sender, list) = arrival.ok_or(missing)?;
                (State { sender, feedback: lane, ..state }, list, Act::Feedback(index))
            }
            Who::Receiver => {
                let arrival = self.receiver.arrivals.get((state.receiver, packet));
                let missing = Missing::ReceiverArrival(state.receiver, packet);
                let (receiver, list) = arrival.ok_or(missing)?;
                (State { receiver, data: lane, ..state }, list, Act::Data(index))
            }
        };
        self.send(who, after, list, act, fault.into(), out)
    }

    /// `who` sends a list of packets to the other side.
    fn send(
        &self,
        who: Who,
        state: State,
        list: u32,
        act: Act,
        faults: u16,
        out: &mut Vec<Next>,
    ) -> Result<(), Missing> {
        let (appended, missing) = match who {
            Who::Sender => {
                (self.data.appended(state.data, list), Missing::DataAppend(state.data, list))
            }
            Who::Receiver => (
                self.feedback.appended(state.feedback, list),
                Missing::FeedbackAppend(state.feedback, list),
            ),
        };
        if let Appended::Sent { lane, full } = appended.ok_or(missing)? {
            let faults = faults.saturating_add(u16::try_from(full).unwrap_or(u16::MAX));
            let state = match who {
                Who::Sender => State { data: lane, ..state },
                Who::Receiver => State { feedback: lane, ..state },
            };
            out.push(Next { state, act, faults });
        }
        Ok(())
    }

    /// Works out what is missing.
    fn learn(&mut self, missing: Missing) {
        let packets = &mut self.packets;
        match missing {
            Missing::SenderMoves(party) => self.sender.learn_moves(party, packets),
            Missing::ReceiverMoves(party) => self.receiver.learn_moves(party, packets),
            Missing::DataMoves(lane) => {
                self.data.learn_moves(lane, self.checksum, &mut packets.wires);
            }
            Missing::FeedbackMoves(lane) => {
                self.feedback.learn_moves(lane, self.checksum, &mut packets.wires);
            }
            Missing::SenderArrival(party, packet) => {
                self.sender.learn_arrival(party, packet, packets);
            }
            Missing::ReceiverArrival(party, packet) => {
                self.receiver.learn_arrival(party, packet, packets);
            }
            Missing::DataAppend(lane, list) => {
                self.data.learn_append(lane, list, packets.lists.get(list));
            }
            Missing::FeedbackAppend(lane, list) => {
                self.feedback.learn_append(lane, list, packets.lists.get(list));
            }
        }
    }

    /// The same as [`expand`](Self::expand), working out what is missing on the way.
    pub(super) fn expand_learning(&mut self, state: State, out: &mut Vec<Next>) {
        let start = out.len();
        while let Err(missing) = self.expand(state, out) {
            out.truncate(start);
            self.learn(missing);
        }
    }
}
