//! rdt 2.2: the same without NAKs; ACKs carry a number (Kurose and Ross, figures 3.13, 3.14).
//!
//! An ACK for the packet before the current one says what a NAK said. The receiver serves
//! [rdt 3.0](super::rdt30) and stop-and-wait with more than two numbers as well.

use alloc::{vec, vec::Vec};
use core::marker::PhantomData;

use super::machine::{
    Datum, Does, Effects, Fields, Fired, Input, Machine, Packet, Protocol, Rule, SenderMachine,
    State, Transition,
};
use crate::{
    channel::Channel,
    seq::{Modulus, Seq},
    trace::StateLabel,
};

const BIT: Modulus = Modulus::new(2);

/// The states of the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SenderState {
    /// Wait for call 0 (or 1) from above.
    WaitCall(Seq),
    /// Wait for ACK 0 (or 1).
    WaitAck(Seq),
}

impl State for SenderState {
    fn label(self) -> StateLabel {
        match self {
            Self::WaitCall(k) => StateLabel::numbered("Wait for call # from above", k),
            Self::WaitAck(k) => StateLabel::numbered("Wait for ACK #", k),
        }
    }
}

/// The states of the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReceiverState {
    /// Wait for 0 (or 1, ...) from below.
    WaitPacket(Seq),
}

impl State for ReceiverState {
    fn label(self) -> StateLabel {
        let Self::WaitPacket(k) = self;
        StateLabel::numbered("Wait for # from below", k)
    }
}

static SEND: Rule = Rule::new(
    "send",
    "rdt_send(data)",
    "sndpkt = make_pkt(#, data, checksum); udt_send(sndpkt)",
    &[Does::Transmit],
);
static RESEND_ACK: Rule = Rule::new(
    "resend-ack",
    "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && isACK(rcvpkt, @)",
    "udt_send(sndpkt)",
    &[Does::Transmit],
)
.refusing("wrong number: sending the packet again");
static RESEND_CORRUPT: Rule = Rule::new(
    "resend-corrupt",
    "rdt_rcv(rcvpkt) && corrupt(rcvpkt)",
    "udt_send(sndpkt)",
    &[Does::Transmit],
)
.refusing("garbled feedback: sending the packet again");
static ACKED: Rule =
    Rule::new("acked", "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && isACK(rcvpkt, #)", "Λ", &[]);
static BUSY: Rule = Rule::ignore("busy", "rdt_send(data)", "waiting for an ACK");
static STRAY: Rule = Rule::ignore("stray", "rdt_rcv(rcvpkt) || timeout", "nothing is outstanding");
static NOT_ACK: Rule = Rule::ignore(
    "not-ack",
    "rdt_rcv(rcvpkt) && (isData(rcvpkt) || isNAK(rcvpkt)) || timeout",
    "not an ACK",
);
static DELIVER: Rule = Rule::new(
    "deliver",
    "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && has_seq#(rcvpkt)",
    "extract(rcvpkt, data); deliver_data(data); sndpkt = make_pkt(ACK, #, checksum); \
     udt_send(sndpkt)",
    &[Does::Deliver, Does::Transmit],
);
static REPEAT_CORRUPT: Rule = Rule::new(
    "repeat-corrupt",
    "rdt_rcv(rcvpkt) && corrupt(rcvpkt)",
    "udt_send(sndpkt)",
    &[Does::Transmit],
)
.refusing("damaged: the last ACK again asks for retransmission");
static REPEAT_OTHER: Rule = Rule::new(
    "repeat-other",
    "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && has_seq@(rcvpkt)",
    "udt_send(sndpkt)",
    &[Does::Transmit],
)
.refusing("duplicate: the last ACK again, not delivered");
static NOT_DATA: Rule = Rule::ignore(
    "not-data",
    "rdt_send(data) || isACK(rcvpkt) || isNAK(rcvpkt) || timeout",
    "not a data packet",
);

/// The sender.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sender<D> {
    state: SenderState,
    sndpkt: Option<Packet<D>>,
}

impl<D: Datum> Machine<D> for Sender<D> {
    type State = SenderState;

    fn state(&self) -> SenderState {
        self.state
    }

    fn step(&mut self, input: Input<D>, effects: &mut Effects<D>) -> Fired<SenderState> {
        use SenderState::{WaitAck, WaitCall};
        let (rule, to) = match (self.state, input) {
            (WaitCall(k), Input::Send(data)) => {
                let sndpkt = Packet::Data { seq: k, data };
                self.sndpkt = Some(sndpkt.clone());
                effects.udt_send(sndpkt);
                (&SEND, WaitAck(k))
            }
            (WaitCall(k), Input::Arrive(_) | Input::ArriveCorrupt | Input::Expire(_)) => {
                (&STRAY, WaitCall(k))
            }
            (WaitAck(k), Input::Arrive(Packet::Ack { seq })) if seq == k => {
                self.sndpkt = None;
                (&ACKED, WaitCall(BIT.next(k)))
            }
            (WaitAck(k), Input::Arrive(Packet::Ack { .. })) => {
                self.sndpkt.iter().cloned().for_each(|sndpkt| effects.udt_send(sndpkt));
                (&RESEND_ACK, WaitAck(k))
            }
            (WaitAck(k), Input::ArriveCorrupt) => {
                self.sndpkt.iter().cloned().for_each(|sndpkt| effects.udt_send(sndpkt));
                (&RESEND_CORRUPT, WaitAck(k))
            }
            (WaitAck(k), Input::Send(_)) => (&BUSY, WaitAck(k)),
            (
                WaitAck(k),
                Input::Arrive(Packet::Data { .. } | Packet::Nak { .. }) | Input::Expire(_),
            ) => (&NOT_ACK, WaitAck(k)),
        };
        Fired::take(&mut self.state, rule, to)
    }

    fn table(&self) -> Vec<Transition> {
        use SenderState::{WaitAck, WaitCall};
        let arrows = |k: Seq| {
            let (call, wait, next) = (WaitCall(k), WaitAck(k), WaitCall(BIT.next(k)));
            vec![
                Transition::numbered(&SEND, call, wait, k, BIT),
                Transition::numbered(&RESEND_ACK, wait, wait, k, BIT),
                Transition::numbered(&RESEND_CORRUPT, wait, wait, k, BIT),
                Transition::numbered(&ACKED, wait, next, k, BIT),
                Transition::numbered(&BUSY, wait, wait, k, BIT),
                Transition::numbered(&STRAY, call, call, k, BIT),
                Transition::numbered(&NOT_ACK, wait, wait, k, BIT),
            ]
        };
        (0..BIT.count()).flat_map(arrows).collect()
    }
}

impl<D: Datum> SenderMachine<D> for Sender<D> {
    fn ready(&self) -> bool {
        matches!(self.state, SenderState::WaitCall(_))
    }

    fn unacked(&self) -> usize {
        usize::from(matches!(self.state, SenderState::WaitAck(_)))
    }
}

/// The receiver, for any number of sequence numbers; two make the figure.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receiver<D> {
    state: ReceiverState,
    modulus: Modulus,
    data: PhantomData<D>,
}

impl<D: Datum> Receiver<D> {
    /// A receiver that waits for packet 0, for a protocol with `modulus` numbers.
    pub fn new(modulus: Modulus) -> Self {
        Self { state: ReceiverState::WaitPacket(0), modulus, data: PhantomData }
    }

    /// The book's `sndpkt`: the ACK of the last packet delivered. Before the first delivery it
    /// acknowledges the number before 0, as the book's `oncethru` guard has it.
    fn sndpkt(&self) -> Packet<D> {
        let ReceiverState::WaitPacket(k) = self.state;
        Packet::Ack { seq: self.modulus.previous(k) }
    }
}

impl<D: Datum> Machine<D> for Receiver<D> {
    type State = ReceiverState;

    fn state(&self) -> ReceiverState {
        self.state
    }

    fn step(&mut self, input: Input<D>, effects: &mut Effects<D>) -> Fired<ReceiverState> {
        use ReceiverState::WaitPacket;
        let WaitPacket(k) = self.state;
        let (rule, to) = match input {
            Input::Arrive(Packet::Data { seq, data }) if seq == k => {
                effects.deliver_data(data);
                effects.udt_send(Packet::Ack { seq: k });
                (&DELIVER, WaitPacket(self.modulus.next(k)))
            }
            Input::Arrive(Packet::Data { .. }) => {
                effects.udt_send(self.sndpkt());
                (&REPEAT_OTHER, WaitPacket(k))
            }
            Input::ArriveCorrupt => {
                effects.udt_send(self.sndpkt());
                (&REPEAT_CORRUPT, WaitPacket(k))
            }
            Input::Send(_)
            | Input::Arrive(Packet::Ack { .. } | Packet::Nak { .. })
            | Input::Expire(_) => (&NOT_DATA, WaitPacket(k)),
        };
        Fired::take(&mut self.state, rule, to)
    }

    fn table(&self) -> Vec<Transition> {
        use ReceiverState::WaitPacket;
        let arrows = |k: Seq| {
            let (here, next) = (WaitPacket(k), WaitPacket(self.modulus.next(k)));
            [
                Transition::numbered(&DELIVER, here, next, k, self.modulus),
                Transition::numbered(&REPEAT_CORRUPT, here, here, k, self.modulus),
                Transition::numbered(&REPEAT_OTHER, here, here, k, self.modulus),
                Transition::numbered(&NOT_DATA, here, here, k, self.modulus),
            ]
        };
        (0..self.modulus.count().min(super::diagram::NUMBERS_DRAWN_MAX)).flat_map(arrows).collect()
    }
}

/// The protocol rdt 2.2.
///
/// ```
/// use rdtp::classic::{Protocol, rdt22::Rdt22};
///
/// assert!(Rdt22::TOLERATES.corrupt && !Rdt22::TOLERATES.lose);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rdt22;

impl Protocol for Rdt22 {
    const NAME: &'static str = "rdt2.2";
    const FIGURE: &'static str = "Kurose and Ross, figures 3.13 and 3.14";
    const FIELDS: Fields = Fields { checksum: true, data_seq: true, feedback_seq: true };
    /// Copies do not make it unsafe, but each makes another, until the channel is full of them.
    const TOLERATES: Channel = Channel::PERFECT.corrupting();

    type Sender<D: Datum> = Sender<D>;
    type Receiver<D: Datum> = Receiver<D>;

    fn sender<D: Datum>(&self) -> Sender<D> {
        Sender { state: SenderState::WaitCall(0), sndpkt: None }
    }

    fn receiver<D: Datum>(&self) -> Receiver<D> {
        Receiver::new(BIT)
    }
}
