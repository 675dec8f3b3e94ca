//! rdt 2.1: a sequence bit makes garbled feedback harmless (Kurose and Ross, figures 3.11, 3.12).
//!
//! The sender resends whenever it is in doubt, and the bit lets the receiver tell a resent packet
//! from a new one. ACK and NAK need no number, because the channel neither loses nor copies.

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

/// The states of the sender: two for each value of the bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SenderState {
    /// Wait for call 0 (or 1) from above.
    WaitCall(Seq),
    /// Wait for ACK or NAK 0 (or 1).
    WaitFeedback(Seq),
}

impl State for SenderState {
    fn label(self) -> StateLabel {
        match self {
            Self::WaitCall(k) => StateLabel::numbered("Wait for call # from above", k),
            Self::WaitFeedback(k) => StateLabel::numbered("Wait for ACK or NAK #", k),
        }
    }
}

/// The states of the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReceiverState {
    /// Wait for 0 (or 1) from below.
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
static RESEND_NAK: Rule = Rule::new(
    "resend-nak",
    "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && isNAK(rcvpkt)",
    "udt_send(sndpkt)",
    &[Does::Transmit],
);
static RESEND_CORRUPT: Rule = Rule::new(
    "resend-corrupt",
    "rdt_rcv(rcvpkt) && corrupt(rcvpkt)",
    "udt_send(sndpkt)",
    &[Does::Transmit],
)
.refusing("garbled feedback: sending the packet again");
static ACKED: Rule =
    Rule::new("acked", "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && isACK(rcvpkt)", "Λ", &[]);
static BUSY: Rule = Rule::ignore("busy", "rdt_send(data)", "waiting for ACK or NAK");
static STRAY: Rule = Rule::ignore("stray", "rdt_rcv(rcvpkt) || timeout", "nothing is outstanding");
static NOT_FEEDBACK: Rule =
    Rule::ignore("not-feedback", "rdt_rcv(rcvpkt) && isData(rcvpkt) || timeout", "not feedback");
static DELIVER: Rule = Rule::new(
    "deliver",
    "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && has_seq#(rcvpkt)",
    "extract(rcvpkt, data); deliver_data(data); sndpkt = make_pkt(ACK, checksum); udt_send(sndpkt)",
    &[Does::Deliver, Does::Transmit],
);
static NAK: Rule = Rule::new(
    "nak",
    "rdt_rcv(rcvpkt) && corrupt(rcvpkt)",
    "sndpkt = make_pkt(NAK, checksum); udt_send(sndpkt)",
    &[Does::Transmit],
)
.refusing("damaged: asking for retransmission");
static DUPLICATE: Rule = Rule::new(
    "duplicate",
    "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && has_seq@(rcvpkt)",
    "sndpkt = make_pkt(ACK, checksum); udt_send(sndpkt)",
    &[Does::Transmit],
)
.refusing("duplicate: acknowledged again, not delivered");
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
        use SenderState::{WaitCall, WaitFeedback};
        let (rule, to) = match (self.state, input) {
            (WaitCall(k), Input::Send(data)) => {
                let sndpkt = Packet::Data { seq: k, data };
                self.sndpkt = Some(sndpkt.clone());
                effects.udt_send(sndpkt);
                (&SEND, WaitFeedback(k))
            }
            (WaitCall(k), Input::Arrive(_) | Input::ArriveCorrupt | Input::Expire(_)) => {
                (&STRAY, WaitCall(k))
            }
            (WaitFeedback(k), Input::Arrive(Packet::Ack { .. })) => {
                self.sndpkt = None;
                (&ACKED, WaitCall(BIT.next(k)))
            }
            (WaitFeedback(k), Input::Arrive(Packet::Nak { .. })) => {
                self.sndpkt.iter().cloned().for_each(|sndpkt| effects.udt_send(sndpkt));
                (&RESEND_NAK, WaitFeedback(k))
            }
            (WaitFeedback(k), Input::ArriveCorrupt) => {
                self.sndpkt.iter().cloned().for_each(|sndpkt| effects.udt_send(sndpkt));
                (&RESEND_CORRUPT, WaitFeedback(k))
            }
            (WaitFeedback(k), Input::Send(_)) => (&BUSY, WaitFeedback(k)),
            (WaitFeedback(k), Input::Arrive(Packet::Data { .. }) | Input::Expire(_)) => {
                (&NOT_FEEDBACK, WaitFeedback(k))
            }
        };
        Fired::take(&mut self.state, rule, to)
    }

    fn table(&self) -> Vec<Transition> {
        use SenderState::{WaitCall, WaitFeedback};
        let arrows = |k: Seq| {
            let (call, wait, next) = (WaitCall(k), WaitFeedback(k), WaitCall(BIT.next(k)));
            vec![
                Transition::numbered(&SEND, call, wait, k, BIT),
                Transition::numbered(&RESEND_NAK, wait, wait, k, BIT),
                Transition::numbered(&RESEND_CORRUPT, wait, wait, k, BIT),
                Transition::numbered(&ACKED, wait, next, k, BIT),
                Transition::numbered(&BUSY, wait, wait, k, BIT),
                Transition::numbered(&STRAY, call, call, k, BIT),
                Transition::numbered(&NOT_FEEDBACK, wait, wait, k, BIT),
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
        usize::from(matches!(self.state, SenderState::WaitFeedback(_)))
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
        use ReceiverState::WaitPacket;
        let WaitPacket(k) = self.state;
        let (rule, to) = match input {
            Input::Arrive(Packet::Data { seq, data }) if seq == k => {
                effects.deliver_data(data);
                effects.udt_send(Packet::Ack { seq: 0 });
                (&DELIVER, WaitPacket(BIT.next(k)))
            }
            Input::Arrive(Packet::Data { .. }) => {
                effects.udt_send(Packet::Ack { seq: 0 });
                (&DUPLICATE, WaitPacket(k))
            }
            Input::ArriveCorrupt => {
                effects.udt_send(Packet::Nak { seq: 0 });
                (&NAK, WaitPacket(k))
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
            let (here, next) = (WaitPacket(k), WaitPacket(BIT.next(k)));
            [
                Transition::numbered(&DELIVER, here, next, k, BIT),
                Transition::numbered(&NAK, here, here, k, BIT),
                Transition::numbered(&DUPLICATE, here, here, k, BIT),
                Transition::numbered(&NOT_DATA, here, here, k, BIT),
            ]
        };
        (0..BIT.count()).flat_map(arrows).collect()
    }
}

/// The protocol rdt 2.1.
///
/// ```
/// use rdtp::classic::{Protocol, rdt21::Rdt21};
///
/// assert!(Rdt21::TOLERATES.corrupt && !Rdt21::TOLERATES.lose && !Rdt21::TOLERATES.duplicate);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rdt21;

impl Protocol for Rdt21 {
    const NAME: &'static str = "rdt2.1";
    const FIGURE: &'static str = "Kurose and Ross, figures 3.11 and 3.12";
    const FIELDS: Fields = Fields { checksum: true, data_seq: true, feedback_seq: false };
    const TOLERATES: Channel = Channel::PERFECT.corrupting();

    type Sender<D: Datum> = Sender<D>;
    type Receiver<D: Datum> = Receiver<D>;

    fn sender<D: Datum>(&self) -> Sender<D> {
        Sender { state: SenderState::WaitCall(0), sndpkt: None }
    }

    fn receiver<D: Datum>(&self) -> Receiver<D> {
        Receiver { state: ReceiverState::WaitPacket(0), data: PhantomData }
    }
}
