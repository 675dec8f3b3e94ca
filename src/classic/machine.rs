//! What a machine of the textbook is: states, inputs, effects, and a transition table that is data
//! and behaviour at once.

use alloc::{string::String, vec::Vec};
use core::{fmt::Debug, hash::Hash};

use crate::{
    channel::Channel,
    seq::{Modulus, Seq},
    trace::{StateLabel, Tag},
    wire::Kind,
};

/// What messages may be made of: anything that can be stored, compared and hashed.
///
/// The adapter uses bytes, a checker small numbers; a machine never looks inside.
pub trait Datum: Clone + Eq + Hash + Debug + Send + Sync + 'static {}

impl<T: Clone + Eq + Hash + Debug + Send + Sync + 'static> Datum for T {}

/// A packet: the book's `make_pkt`, without the checksum, which belongs to the codec.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Packet<D> {
    /// A message and its sequence number.
    Data {
        /// Sequence number; 0 in protocols without one.
        seq: Seq,
        /// The message.
        data: D,
    },
    /// Positive feedback.
    Ack {
        /// The number acknowledged; 0 in protocols that do not number their ACKs.
        seq: Seq,
    },
    /// Negative feedback.
    Nak {
        /// The number asked for; 0 in protocols that do not number their NAKs.
        seq: Seq,
    },
}

impl<D> Packet<D> {
    /// Data or which feedback.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Data { .. } => Kind::Data,
            Self::Ack { .. } => Kind::Ack,
            Self::Nak { .. } => Kind::Nak,
        }
    }

    /// The number it carries.
    pub const fn seq(&self) -> Seq {
        match self {
            Self::Data { seq, .. } | Self::Ack { seq } | Self::Nak { seq } => *seq,
        }
    }
}

/// What can happen to a machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input<D> {
    /// `rdt_send(data)`: the layer above hands a message over.
    Send(D),
    /// `rdt_rcv(rcvpkt) && notcorrupt(rcvpkt)`.
    Arrive(Packet<D>),
    /// `rdt_rcv(rcvpkt) && corrupt(rcvpkt)`: nothing in it can be trusted.
    ArriveCorrupt,
    /// `timeout`.
    Expire(Tag),
}

/// What a machine wants done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect<D> {
    /// `udt_send(sndpkt)`.
    Transmit(Packet<D>),
    /// `deliver_data(data)`.
    Deliver(D),
    /// `start_timer`; restarts it when it runs.
    Start(Tag),
    /// `stop_timer`; harmless when it does not run.
    Stop(Tag),
}

/// Where a machine writes what it wants done, in the book's words.
#[derive(Clone, Debug)]
pub struct Effects<D>(Vec<Effect<D>>);

impl<D> Default for Effects<D> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<D> Effects<D> {
    /// Hands a packet to the unreliable channel.
    pub fn udt_send(&mut self, sndpkt: Packet<D>) {
        self.0.push(Effect::Transmit(sndpkt));
    }

    /// Hands a message to the layer above.
    pub fn deliver_data(&mut self, data: D) {
        self.0.push(Effect::Deliver(data));
    }

    /// Starts a countdown timer, or starts it afresh.
    pub fn start_timer(&mut self, tag: Tag) {
        self.0.push(Effect::Start(tag));
    }

    /// Stops a countdown timer.
    pub fn stop_timer(&mut self, tag: Tag) {
        self.0.push(Effect::Stop(tag));
    }

    /// What was written, in order.
    pub fn as_slice(&self) -> &[Effect<D>] {
        &self.0
    }

    /// Takes out what was written, keeping the space.
    pub fn drain(&mut self) -> impl Iterator<Item = Effect<D>> + '_ {
        self.0.drain(..)
    }
}

/// A kind of effect, as a transition table promises it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Does {
    /// One `udt_send`.
    Transmit,
    /// One or more `udt_send`.
    TransmitEach,
    /// One `deliver_data`.
    Deliver,
    /// One or more `deliver_data`.
    DeliverEach,
    /// One `start_timer`.
    Start,
    /// One `stop_timer`.
    Stop,
}

impl Does {
    fn matches<D>(self, effect: &Effect<D>) -> bool {
        matches!(
            (self, effect),
            (Self::Transmit | Self::TransmitEach, Effect::Transmit(_))
                | (Self::Deliver | Self::DeliverEach, Effect::Deliver(_))
                | (Self::Start, Effect::Start(_))
                | (Self::Stop, Effect::Stop(_))
        )
    }

    /// Whether `effects` are what a rule with `promised` may cause: that order, that many.
    pub fn describes<D>(promised: &[Self], effects: &[Effect<D>]) -> bool {
        let mut rest = effects;
        for does in promised {
            let many = matches!(does, Self::TransmitEach | Self::DeliverEach);
            let run = rest.iter().take_while(|effect| does.matches(effect)).count();
            let taken = if many { run } else { run.min(1) };
            if taken == 0 {
                return false;
            }
            rest = &rest[taken..];
        }
        rest.is_empty()
    }
}

/// The label on an arrow of the figure: event over the line, actions under it.
///
/// In the texts, `#` stands for the number of the state the arrow leaves and `@` for the other
/// number (with two numbers), so that one rule serves all like states.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// A short name, unique within its machine.
    pub name: &'static str,
    /// Event and guard, as the book writes them.
    pub event: &'static str,
    /// Actions, as the book writes them; `Λ` for none.
    pub actions: &'static str,
    /// What it causes.
    pub does: &'static [Does],
    /// Why the input was not taken, when this rule refuses it.
    pub refuses: Option<&'static str>,
}

impl Rule {
    /// The rule of a machine without a table: it took its input. See [`Fired::taken`].
    pub const TAKEN: &'static Self = &Self::new("taken", "an input", "what step does", &[]);
    /// The rule of a machine without a table: its input is not what it waits for. See
    /// [`Fired::refused`].
    pub const REFUSED: &'static Self =
        &Self::ignore("refused", "any other input", "not what it waits for");

    /// A rule that takes its input.
    pub const fn new(
        name: &'static str,
        event: &'static str,
        actions: &'static str,
        does: &'static [Does],
    ) -> Self {
        Self { name, event, actions, does, refuses: None }
    }

    /// A rule that does nothing, for this reason.
    pub const fn ignore(name: &'static str, event: &'static str, reason: &'static str) -> Self {
        Self { name, event, actions: "Λ", does: &[], refuses: Some(reason) }
    }

    /// The same rule, but it refuses its input for this reason.
    #[must_use]
    pub const fn refusing(mut self, reason: &'static str) -> Self {
        self.refuses = Some(reason);
        self
    }
}

/// An arrow of the figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Its label.
    pub rule: &'static Rule,
    /// The state it leaves.
    pub from: StateLabel,
    /// The state it enters.
    pub to: StateLabel,
    /// What `#` and `@` stand for in the label.
    pub numbers: Option<(Seq, Option<Seq>)>,
}

impl Transition {
    /// An arrow between states without numbers.
    pub fn plain<S: State>(rule: &'static Rule, from: S, to: S) -> Self {
        Self { rule, from: from.label(), to: to.label(), numbers: None }
    }

    /// An arrow that leaves a state with number `k`; with two numbers, the other one is named too.
    pub fn numbered<S: State>(
        rule: &'static Rule,
        from: S,
        to: S,
        k: Seq,
        modulus: Modulus,
    ) -> Self {
        let other = (modulus.count() == 2).then(|| modulus.next(k));
        Self { rule, from: from.label(), to: to.label(), numbers: Some((k, other)) }
    }

    /// The event text with its numbers filled in.
    pub fn event(&self) -> String {
        self.fill(self.rule.event)
    }

    /// The actions text with its numbers filled in.
    pub fn actions(&self) -> String {
        self.fill(self.rule.actions)
    }

    fn fill(&self, text: &str) -> String {
        use alloc::string::ToString;
        match self.numbers {
            None => text.to_string(),
            Some((this, other)) => {
                let other = other.map_or_else(|| "other".to_string(), |seq| seq.to_string());
                text.replace('#', &this.to_string()).replace('@', &other)
            }
        }
    }
}

/// A state of a machine.
pub trait State: Copy + Eq + Hash + Debug + Send + Sync + 'static {
    /// Its name as the book writes it.
    fn label(self) -> StateLabel;
}

/// A machine whose states are fields and not a list of names says with a label where it stands.
impl State for StateLabel {
    fn label(self) -> StateLabel {
        self
    }
}

/// The transition that an input caused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Fired<S> {
    /// The label of the arrow.
    pub rule: &'static Rule,
    /// The state before.
    pub from: S,
    /// The state after.
    pub to: S,
}

impl<S: State> Fired<S> {
    /// Moves `state` along `rule` to `to`. The only way in which machines change state.
    pub fn take(state: &mut S, rule: &'static Rule, to: S) -> Self {
        let from = core::mem::replace(state, to);
        Self { rule, from, to }
    }

    /// What a machine without a [table](Machine::table) returns for an input that it took.
    pub const fn taken(from: S, to: S) -> Self {
        Self { rule: Rule::TAKEN, from, to }
    }

    /// What a machine without a [table](Machine::table) returns for an input that is not what it
    /// waits for: an old copy, a stray acknowledgement. It may have answered it all the same.
    pub const fn refused(state: S) -> Self {
        Self { rule: Rule::REFUSED, from: state, to: state }
    }
}

/// A state machine of the textbook: a value without clock, bytes or chance.
///
/// `step` is total: every input in every state has a rule, if only one that says why it is ignored.
/// A machine is `Clone + Eq + Hash`, so that a checker can visit every state it can ever be in.
///
/// The shortest machine names no rules and has no table: its state is a [`StateLabel`], and `step`
/// ends with [`Fired::taken`] or [`Fired::refused`]. A table is what the figures are drawn from.
///
/// ```
/// use rdtp::{
///     classic::{Effects, Fired, Input, Machine, Packet},
///     trace::StateLabel,
/// };
///
/// /// Delivers whatever comes, once.
/// #[derive(Clone, Debug, PartialEq, Eq, Hash)]
/// struct Trusting {
///     wanted: u64,
/// }
///
/// impl Machine<u8> for Trusting {
///     type State = StateLabel;
///
///     fn state(&self) -> StateLabel {
///         StateLabel::numbered("Wait for #", self.wanted)
///     }
///
///     fn step(&mut self, input: Input<u8>, effects: &mut Effects<u8>) -> Fired<StateLabel> {
///         let before = self.state();
///         match input {
///             Input::Arrive(Packet::Data { seq, data }) if seq == self.wanted => {
///                 effects.deliver_data(data);
///                 self.wanted += 1;
///                 Fired::taken(before, self.state())
///             }
///             _ => Fired::refused(before),
///         }
///     }
/// }
///
/// let (mut machine, mut effects) = (Trusting { wanted: 0 }, Effects::default());
/// let packet = Packet::Data { seq: 0, data: 7 };
/// assert!(machine.step(Input::Arrive(packet.clone()), &mut effects).rule.refuses.is_none());
/// assert!(machine.step(Input::Arrive(packet), &mut effects).rule.refuses.is_some());
/// assert!(machine.table().is_empty());
/// ```
pub trait Machine<D: Datum>: Clone + Eq + Hash + Debug + Send + Sync + 'static {
    /// Its states.
    type State: State;

    /// The state it is in.
    fn state(&self) -> Self::State;

    /// Takes one input and writes what is to be done into `effects`.
    fn step(&mut self, input: Input<D>, effects: &mut Effects<D>) -> Fired<Self::State>;

    /// All arrows of the figure, from which it is drawn. Empty unless the machine declares them;
    /// one that does takes no other, and tests of this crate hold its own machines to that.
    fn table(&self) -> Vec<Transition> {
        Vec::new()
    }
}

/// The machine on the sending side.
pub trait SenderMachine<D: Datum>: Machine<D> {
    /// Whether `rdt_send` would be accepted now. Unless a machine says otherwise, it takes one
    /// message at a time.
    fn ready(&self) -> bool {
        self.unacked() == 0
    }

    /// How many of the messages it took it does not yet believe delivered: the book's
    /// `nextseqnum - base`.
    fn unacked(&self) -> usize;
}

/// Which fields a protocol's packets have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    /// Packets carry a checksum, so damage is noticed.
    pub checksum: bool,
    /// Data packets carry a sequence number.
    pub data_seq: bool,
    /// Feedback carries a sequence number.
    pub feedback_seq: bool,
}

impl Fields {
    /// A checksum, and a number in every packet.
    pub const ALL: Self = Self { checksum: true, data_seq: true, feedback_seq: true };
}

/// A sender and a receiver that belong together.
///
/// Implement this for a protocol of your own, and the [adapter](crate::classic::Classic) makes an
/// endpoint of it that runs in the simulator and over real sockets. [`harness`](crate::harness)
/// shows what can be done with it then, one call each.
pub trait Protocol: Clone + Debug {
    /// Its name, such as `rdt3.0`.
    const NAME: &'static str;
    /// Where the book draws it; empty when no book does.
    const FIGURE: &'static str = "";
    /// What its packets carry: everything, unless it says otherwise.
    const FIELDS: Fields = Fields::ALL;
    /// The worst channel over which every byte arrives exactly once and in order, and the transfer
    /// always can finish. Protocols with parameters say more in [`tolerates`](Self::tolerates).
    const TOLERATES: Channel;

    /// The sending machine over messages of type `D`.
    type Sender<D: Datum>: SenderMachine<D>;
    /// The receiving machine over messages of type `D`.
    type Receiver<D: Datum>: Machine<D>;

    /// The sender in its initial state.
    fn sender<D: Datum>(&self) -> Self::Sender<D>;

    /// The receiver in its initial state.
    fn receiver<D: Datum>(&self) -> Self::Receiver<D>;

    /// The worst channel that it tolerates with the parameters it has.
    fn tolerates(&self) -> Channel {
        Self::TOLERATES
    }

    /// How many sequence numbers it uses.
    fn modulus(&self) -> Modulus {
        Modulus::new(2)
    }

    /// How many messages may be unacknowledged at a time.
    fn window(&self) -> u64 {
        1
    }
}
