//! A shipped machine that is bent in one place: what it hears, what it says, or what it remembers.

use rdtp::{
    channel::Channel,
    classic::{
        Datum, Effect, Effects, Fields, Fired, Input, Machine, Packet, Protocol, Rule,
        SenderMachine, Transition,
    },
    seq::{Modulus, Seq},
};

/// Where a machine is bent. Senders and receivers ignore the flaws of the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Flaw {
    None,
    // Senders.
    SameNumber,
    IgnoresGarbled,
    GarbledIsAck,
    TakesAnyAck,
    NoTimerAtSend,
    NoTimerAtTimeout,
    NeverStopsTimer,
    StopsTimerEarly,
    ResendsWithNextNumber,
    TakesMoreWhileWaiting,
    BaseIsAcknum,
    SkipsBase,
    AckIsCumulative,
    // Receivers.
    KeepsNumber,
    SilentOnDuplicates,
    NaksDuplicates,
    AcksDamaged,
    FirstAckIsZero,
    AcksWhatItWaitsFor,
    AcksDuplicatesAsNext,
    AcksWhatItDiscards,
    DeliversAnything,
    AcksOnlyInOrder,
    DeliversOutOfOrder,
    CountsBeyondModulus,
}

/// A protocol of which one side is bent.
#[derive(Clone, Debug)]
pub(crate) struct Bent<P> {
    pub(crate) honest: P,
    pub(crate) flaw: Flaw,
}

impl<P: Protocol> Protocol for Bent<P> {
    const NAME: &'static str = P::NAME;
    const FIGURE: &'static str = P::FIGURE;
    const FIELDS: Fields = P::FIELDS;
    const TOLERATES: Channel = P::TOLERATES;

    type Sender<D: Datum> = BentSender<P::Sender<D>>;
    type Receiver<D: Datum> = BentReceiver<P::Receiver<D>>;

    fn sender<D: Datum>(&self) -> Self::Sender<D> {
        BentSender {
            inner: self.honest.sender(),
            flaw: self.flaw,
            modulus: self.honest.modulus(),
            last: 0,
        }
    }

    fn receiver<D: Datum>(&self) -> Self::Receiver<D> {
        BentReceiver {
            inner: self.honest.receiver(),
            flaw: self.flaw,
            modulus: self.honest.modulus(),
            expected: 0,
            begun: false,
            wrapped: false,
        }
    }

    fn tolerates(&self) -> Channel {
        self.honest.tolerates()
    }
    fn modulus(&self) -> Modulus {
        self.honest.modulus()
    }
    fn window(&self) -> u64 {
        self.honest.window()
    }
}

static FORGOTTEN: Rule = Rule::ignore("forgotten", "anything", "nobody thought of this");

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BentSender<M> {
    inner: M,
    flaw: Flaw,
    modulus: Modulus,
    /// The number of the last new packet.
    last: Seq,
}

impl<M> BentSender<M> {
    /// What the machine makes of an input; `None` for nothing at all.
    fn hear<D>(&self, input: Input<D>) -> Option<Input<D>> {
        let m = self.modulus;
        let ack = |seq| Some(Input::Arrive(Packet::Ack { seq }));
        match (self.flaw, input) {
            (Flaw::IgnoresGarbled, Input::ArriveCorrupt) => None,
            (Flaw::GarbledIsAck, Input::ArriveCorrupt)
            | (Flaw::TakesAnyAck, Input::Arrive(Packet::Ack { .. })) => ack(self.last),
            // Everything is called 0, so ACK 0 is good news.
            (Flaw::SameNumber, Input::Arrive(Packet::Ack { seq })) => {
                ack(if seq == 0 { self.last } else { m.previous(self.last) })
            }
            (Flaw::BaseIsAcknum, Input::Arrive(Packet::Ack { seq })) => ack(m.previous(seq)),
            (_, input) => Some(input),
        }
    }

    /// What becomes of an effect; `None` for nothing.
    fn say<D>(&self, rule: &str, nth: usize, effect: Effect<D>) -> Option<Effect<D>> {
        let timeout = rule == "timeout";
        match (self.flaw, effect) {
            (Flaw::NoTimerAtSend, Effect::Start(_)) if rule.starts_with("send") => None,
            (Flaw::NoTimerAtTimeout, Effect::Start(_)) if timeout => None,
            (Flaw::NeverStopsTimer, Effect::Stop(_)) => None,
            (Flaw::StopsTimerEarly, Effect::Start(tag)) if rule == "acked-some" => {
                Some(Effect::Stop(tag))
            }
            (Flaw::SkipsBase, Effect::Transmit(_)) if timeout && nth == 1 => None,
            (Flaw::ResendsWithNextNumber, Effect::Transmit(Packet::Data { seq, data }))
                if timeout =>
            {
                Some(Effect::Transmit(Packet::Data { seq: self.modulus.next(seq), data }))
            }
            (Flaw::SameNumber, Effect::Transmit(Packet::Data { data, .. })) => {
                Some(Effect::Transmit(Packet::Data { seq: 0, data }))
            }
            (_, effect) => Some(effect),
        }
    }
}

/// Writes an effect.
fn put<D>(effect: Effect<D>, effects: &mut Effects<D>) {
    match effect {
        Effect::Transmit(packet) => effects.udt_send(packet),
        Effect::Deliver(data) => effects.deliver_data(data),
        Effect::Start(tag) => effects.start_timer(tag),
        Effect::Stop(tag) => effects.stop_timer(tag),
    }
}

impl<D: Datum, M: SenderMachine<D>> Machine<D> for BentSender<M> {
    type State = M::State;

    fn state(&self) -> M::State {
        self.inner.state()
    }

    fn step(&mut self, input: Input<D>, effects: &mut Effects<D>) -> Fired<M::State> {
        let from = self.inner.state();
        let Some(input) = self.hear(input) else {
            return Fired { rule: &FORGOTTEN, from, to: from };
        };
        let mut said = Effects::default();
        if let (Flaw::AckIsCumulative, &Input::Arrive(Packet::Ack { seq })) = (self.flaw, &input) {
            let unacked = self.inner.unacked() as u64;
            let base = self.modulus.add(self.last, self.modulus.count() + 1 - unacked);
            if self.modulus.in_window(seq, base, unacked) {
                for n in 0..self.modulus.distance(base, seq) {
                    let ack = Packet::Ack { seq: self.modulus.add(base, n) };
                    let _ = self.inner.step(Input::Arrive(ack), &mut said);
                }
            }
        }
        let fired = self.inner.step(input, &mut said);
        for (nth, effect) in said.drain().enumerate() {
            if let (true, Effect::Transmit(packet)) = (fired.rule.name.starts_with("send"), &effect)
            {
                self.last = packet.seq();
            }
            if let Some(effect) = self.say(fired.rule.name, nth, effect) {
                put(effect, effects);
            }
        }
        Fired { from, ..fired }
    }

    fn table(&self) -> Vec<Transition> {
        self.inner.table()
    }
}

impl<D: Datum, M: SenderMachine<D>> SenderMachine<D> for BentSender<M> {
    fn ready(&self) -> bool {
        self.flaw == Flaw::TakesMoreWhileWaiting || self.inner.ready()
    }
    fn unacked(&self) -> usize {
        self.inner.unacked()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BentReceiver<M> {
    inner: M,
    flaw: Flaw,
    modulus: Modulus,
    /// The number after the last one delivered.
    expected: Seq,
    begun: bool,
    wrapped: bool,
}

impl<M> BentReceiver<M> {
    fn hear<D>(&self, input: Input<D>) -> Input<D> {
        match (self.flaw, input) {
            (Flaw::DeliversAnything, Input::Arrive(Packet::Data { data, .. })) => {
                Input::Arrive(Packet::Data { seq: self.expected, data })
            }
            // No number equals the one it waits for: the last ACK again.
            (Flaw::CountsBeyondModulus, Input::Arrive(Packet::Data { .. })) if self.wrapped => {
                Input::ArriveCorrupt
            }
            (_, input) => input,
        }
    }

    fn say<D>(&self, rule: &str, got: Option<Seq>, effect: Effect<D>) -> Option<Effect<D>> {
        let duplicate = ["duplicate", "repeat-other", "again"].contains(&rule);
        let damaged = ["repeat-corrupt", "damaged"].contains(&rule);
        let Effect::Transmit(packet @ (Packet::Ack { seq } | Packet::Nak { seq })) = effect else {
            return Some(effect);
        };
        let m = self.modulus;
        let packet = match self.flaw {
            Flaw::SilentOnDuplicates if duplicate => return None,
            Flaw::NaksDuplicates if duplicate => Packet::Nak { seq },
            Flaw::AcksDamaged if damaged => Packet::Ack { seq: m.next(seq) },
            Flaw::FirstAckIsZero if !self.begun => Packet::Ack { seq: 0 },
            Flaw::AcksWhatItWaitsFor => Packet::Ack { seq: m.next(seq) },
            Flaw::AcksDuplicatesAsNext if duplicate => Packet::Ack { seq: m.next(seq) },
            Flaw::AcksWhatItDiscards if rule == "out-of-order" => {
                Packet::Ack { seq: got.unwrap_or(seq) }
            }
            Flaw::AcksOnlyInOrder => Packet::Ack { seq: m.previous(self.expected) },
            _ => packet,
        };
        Some(Effect::Transmit(packet))
    }
}

impl<D: Datum, M: Machine<D>> Machine<D> for BentReceiver<M> {
    type State = M::State;

    fn state(&self) -> M::State {
        self.inner.state()
    }

    fn step(&mut self, input: Input<D>, effects: &mut Effects<D>) -> Fired<M::State> {
        let input = self.hear(input);
        let (got, out_of_order) = match &input {
            Input::Arrive(Packet::Data { seq, data }) => (Some(*seq), Some(data.clone())),
            _ => (None, None),
        };
        let before = self.inner.clone();
        let mut said = Effects::default();
        let fired = self.inner.step(input, &mut said);
        let delivers = |effect: &&Effect<D>| matches!(effect, Effect::Deliver(_));
        let delivered = said.as_slice().iter().filter(delivers).count() as u64;
        let after = self.modulus.add(self.expected, delivered);
        self.begun |= delivered > 0;
        self.wrapped |= after < self.expected;
        self.expected = after;
        for effect in said.drain() {
            if let Some(effect) = self.say(fired.rule.name, got, effect) {
                put(effect, effects);
            }
        }
        if let (Flaw::DeliversOutOfOrder, "buffer", Some(data)) =
            (self.flaw, fired.rule.name, out_of_order)
        {
            effects.deliver_data(data);
        }
        if self.flaw == Flaw::KeepsNumber && delivered > 0 {
            self.inner = before;
        }
        Fired { to: self.inner.state(), ..fired }
    }

    fn table(&self) -> Vec<Transition> {
        self.inner.table()
    }
}

/// Two honest sides that do not agree: the sender of one protocol, the receiver of another.
#[derive(Clone, Debug)]
pub(crate) struct Mixed<P> {
    pub(crate) sender: P,
    pub(crate) receiver: P,
}

impl<P: Protocol> Protocol for Mixed<P> {
    const NAME: &'static str = P::NAME;
    const FIGURE: &'static str = P::FIGURE;
    const FIELDS: Fields = P::FIELDS;
    const TOLERATES: Channel = P::TOLERATES;

    type Sender<D: Datum> = P::Sender<D>;
    type Receiver<D: Datum> = P::Receiver<D>;

    fn sender<D: Datum>(&self) -> P::Sender<D> {
        self.sender.sender()
    }
    fn receiver<D: Datum>(&self) -> P::Receiver<D> {
        self.receiver.receiver()
    }
    fn modulus(&self) -> Modulus {
        self.sender.modulus()
    }
    fn window(&self) -> u64 {
        self.sender.window()
    }
}
