//! Every state that a machine can get into, whatever of the other side's packets arrives when.
//!
//! The two sides are walked apart: each gets every packet that the other ever sends, in any state
//! and any order. That is more than can happen between them, never less; what really happens is
//! for Spin to find out.

use alloc::{collections::BTreeSet, vec::Vec};

use super::{PACKETS_MAX, PromelaError, STATES_MAX};
use crate::{
    check::{
        Message, Model,
        lanes::Wire,
        space::{Party, Unacked},
        table::Interner,
    },
    classic::{Effect, Input, Machine, Packet, Protocol, Rule, SenderMachine},
};

/// A machine as a graph: what it can be, and what leads from one to another.
pub(super) struct Walk<M> {
    pub(super) states: Interner<Party<M>>,
    /// The arrows that leave each state.
    pub(super) arrows: Vec<Vec<Arrow>>,
    pub(super) unacked: Unacked<M>,
}

/// One input taken in one state.
pub(super) struct Arrow {
    pub(super) input: Input<Message>,
    pub(super) rule: &'static Rule,
    pub(super) effects: Vec<Effect<Message>>,
    /// The state it leads to; `None` if it delivers a wrong message.
    pub(super) to: Option<u32>,
}

impl Arrow {
    /// The packets it sends, in order.
    pub(super) fn sends(&self) -> impl Iterator<Item = &Packet<Message>> {
        self.effects.iter().filter_map(|effect| match effect {
            Effect::Transmit(packet) => Some(packet),
            _ => None,
        })
    }
}

/// Both sides, and what travels between them.
pub(super) struct Walks<S, R> {
    pub(super) sender: Walk<S>,
    pub(super) receiver: Walk<R>,
    /// All that is ever in the channel from sender to receiver.
    pub(super) data: BTreeSet<Wire>,
    /// All that is ever in the channel from receiver to sender.
    pub(super) feedback: BTreeSet<Wire>,
}

/// The walks of both machines of a protocol.
type WalksOf<P> = Walks<<P as Protocol>::Sender<Message>, <P as Protocol>::Receiver<Message>>;

/// Walks both sides until neither finds a packet that the other has not seen.
pub(super) fn walk<P: Protocol>(protocol: &P, model: &Model) -> Result<WalksOf<P>, PromelaError> {
    let (mut data, mut feedback) = (BTreeSet::new(), BTreeSet::new());
    loop {
        let ready = <P::Sender<Message>>::ready;
        let unacked: Unacked<P::Sender<Message>> = |sender| Some(sender.unacked());
        let sender = Walk::new(protocol.sender(), (model.messages, ready), unacked, &feedback)?;
        let before = (data.len(), feedback.len());
        sender.add_packets(&mut data, model.data.corrupt, P::FIELDS.checksum);
        let receiver = Walk::new(protocol.receiver(), (0, |_| false), |_| None, &data)?;
        receiver.add_packets(&mut feedback, model.feedback.corrupt, P::FIELDS.checksum);
        if data.len() + feedback.len() > PACKETS_MAX {
            return Err(PromelaError::Packets);
        }
        if before == (data.len(), feedback.len()) {
            return Ok(Walks { sender, receiver, data, feedback });
        }
    }
}

impl<M: Machine<Message>> Walk<M> {
    /// Walks `machine`, which is handed so many messages when it is ready and so many packets at
    /// any time.
    fn new(
        machine: M,
        (messages, ready): (u16, fn(&M) -> bool),
        unacked: Unacked<M>,
        arriving: &BTreeSet<Wire>,
    ) -> Result<Self, PromelaError> {
        let mut states = Interner::new();
        states.intern(Party::new(machine));
        let mut walk = Self { states, arrows: Vec::new(), unacked };
        while walk.arrows.len() < walk.states.len() {
            if walk.states.len() > STATES_MAX {
                return Err(PromelaError::States);
            }
            let from = u32::try_from(walk.arrows.len()).map_err(|_| PromelaError::States)?;
            let now = walk.states.get(from);
            let send = (now.count < messages && ready(&now.machine)).then_some(now.count);
            let mut inputs: Vec<_> =
                send.map(|number| Input::Send(Message(number))).into_iter().collect();
            inputs.extend(arriving.iter().map(|wire| match wire {
                Wire::Intact(packet) => Input::Arrive(packet.clone()),
                Wire::Damaged => Input::ArriveCorrupt,
            }));
            inputs.extend(now.timers.iter().map(|&tag| Input::Expire(tag)));
            let arrows = inputs.into_iter().map(|input| walk.take(from, input)).collect();
            walk.arrows.push(arrows);
        }
        Ok(walk)
    }

    fn take(&mut self, from: u32, input: Input<Message>) -> Arrow {
        let mut after = self.states.get(from).clone();
        let (rule, mut effects) = after.step(input.clone(), self.unacked);
        let to = after.wrong.is_none().then(|| self.states.intern(after));
        Arrow { input, rule, effects: effects.drain().collect(), to }
    }

    /// Adds what this side ever sends, and what can become of it on the way.
    fn add_packets(&self, packets: &mut BTreeSet<Wire>, corrupt: bool, checksum: bool) {
        for packet in self.arrows.iter().flatten().flat_map(Arrow::sends) {
            let wire = Wire::Intact(packet.clone());
            if corrupt {
                let corrupted = wire.corrupted(checksum);
                packets.insert(corrupted.corrupted(checksum));
                packets.insert(corrupted);
            }
            packets.insert(wire);
        }
    }

    /// All states with their arrows.
    pub(super) fn each(&self) -> impl Iterator<Item = (u32, &Party<M>, &[Arrow])> {
        let numbered = (0..).zip(&self.arrows);
        numbered.map(|(state, arrows)| (state, self.states.get(state), arrows.as_slice()))
    }
}
