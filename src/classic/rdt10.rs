//! rdt 1.0: reliable transfer over a perfectly reliable channel (Kurose and Ross, figure 3.9).
//!
//! Nothing can go wrong, so nothing is checked. Without a header on its packets this is raw UDP.

use alloc::{vec, vec::Vec};
use core::marker::PhantomData;

use super::machine::{
    Datum, Does, Effects, Fields, Fired, Input, Machine, Packet, Protocol, Rule, SenderMachine,
    State, Transition,
};
use crate::{channel::Channel, seq::Modulus, trace::StateLabel};

/// The only state of the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SenderState {
    /// Wait for call from above.
    WaitCall,
}

impl State for SenderState {
    fn label(self) -> StateLabel {
        StateLabel::plain("Wait for call from above")
    }
}

/// The only state of the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReceiverState {
    /// Wait for call from below.
    WaitPacket,
}

impl State for ReceiverState {
    fn label(self) -> StateLabel {
        StateLabel::plain("Wait for call from below")
    }
}

static SEND: Rule = Rule::new(
    "send",
    "rdt_send(data)",
    "packet = make_pkt(data); udt_send(packet)",
    &[Does::Transmit],
);
static NO_FEEDBACK: Rule =
    Rule::ignore("no-feedback", "rdt_rcv(packet) || timeout", "rdt 1.0 expects no feedback");
static DELIVER: Rule = Rule::new(
    "deliver",
    "rdt_rcv(packet)",
    "extract(packet, data); deliver_data(data)",
    &[Does::Deliver],
);
static NO_CHECK: Rule = Rule::ignore(
    "no-check",
    "rdt_rcv(packet) && corrupt(packet)",
    "rdt 1.0 knows no remedy for damage",
);
static NOT_DATA: Rule = Rule::ignore(
    "not-data",
    "rdt_send(data) || isACK(packet) || isNAK(packet) || timeout",
    "not a data packet",
);

/// The sender.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sender<D> {
    state: SenderState,
    data: PhantomData<D>,
}

impl<D: Datum> Machine<D> for Sender<D> {
    type State = SenderState;

    fn state(&self) -> SenderState {
        self.state
    }

    fn step(&mut self, input: Input<D>, effects: &mut Effects<D>) -> Fired<SenderState> {
        let rule = match input {
            Input::Send(data) => {
                effects.udt_send(Packet::Data { seq: 0, data });
                &SEND
            }
            Input::Arrive(_) | Input::ArriveCorrupt | Input::Expire(_) => &NO_FEEDBACK,
        };
        Fired::take(&mut self.state, rule, SenderState::WaitCall)
    }

    fn table(&self) -> Vec<Transition> {
        let wait = SenderState::WaitCall;
        vec![Transition::plain(&SEND, wait, wait), Transition::plain(&NO_FEEDBACK, wait, wait)]
    }
}

impl<D: Datum> SenderMachine<D> for Sender<D> {
    fn ready(&self) -> bool {
        true
    }

    /// Always 0: what was sent is believed delivered.
    fn unacked(&self) -> usize {
        0
    }
}

/// The receiver.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receiver<D> {
    state: ReceiverState,
    data: PhantomData<D>,
}

impl<D: Datum> Machine<D> for Receiver<D> {
    type State = ReceiverState;

    fn state(&self) -> ReceiverState {
        self.state
    }

    fn step(&mut self, input: Input<D>, effects: &mut Effects<D>) -> Fired<ReceiverState> {
        let rule = match input {
            Input::Arrive(Packet::Data { data, .. }) => {
                effects.deliver_data(data);
                &DELIVER
            }
            Input::ArriveCorrupt => &NO_CHECK,
            Input::Send(_)
            | Input::Arrive(Packet::Ack { .. } | Packet::Nak { .. })
            | Input::Expire(_) => &NOT_DATA,
        };
        Fired::take(&mut self.state, rule, ReceiverState::WaitPacket)
    }

    fn table(&self) -> Vec<Transition> {
        let wait = ReceiverState::WaitPacket;
        [&DELIVER, &NO_CHECK, &NOT_DATA].map(|rule| Transition::plain(rule, wait, wait)).into()
    }
}

/// The protocol rdt 1.0.
///
/// ```
/// use rdtp::{channel::Channel, classic::{Protocol, rdt10::Rdt10}};
///
/// assert_eq!(Rdt10::TOLERATES, Channel::PERFECT);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rdt10;

impl Protocol for Rdt10 {
    const NAME: &'static str = "rdt1.0";
    const FIGURE: &'static str = "Kurose and Ross, figure 3.9";
    const FIELDS: Fields = Fields { checksum: false, data_seq: false, feedback_seq: false };
    const TOLERATES: Channel = Channel::PERFECT;

    type Sender<D: Datum> = Sender<D>;
    type Receiver<D: Datum> = Receiver<D>;

    fn sender<D: Datum>(&self) -> Sender<D> {
        Sender { state: SenderState::WaitCall, data: PhantomData }
    }

    fn receiver<D: Datum>(&self) -> Receiver<D> {
        Receiver { state: ReceiverState::WaitPacket, data: PhantomData }
    }

    fn modulus(&self) -> Modulus {
        Modulus::new(1)
    }
}
