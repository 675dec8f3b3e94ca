//! rdt 2.0: a channel with bit errors; checksum, ACK and NAK (Kurose and Ross, figure 3.10).
//!
//! Its flaw is that ACK and NAK can be garbled too, and the book's figure does not say what the
//! sender does then. [`Garbled`] has the three readings, and each is wrong in its own way.

use alloc::{vec, vec::Vec};
use core::marker::PhantomData;

use super::machine::{
    Datum, Does, Effects, Fields, Fired, Input, Machine, Packet, Protocol, Rule, SenderMachine,
    State, Transition,
};
use crate::{channel::Channel, seq::Modulus, trace::StateLabel};

/// What the sender makes of feedback that it cannot read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Garbled {
    /// Send the packet again: a garbled ACK then makes a duplicate that the receiver delivers.
    #[default]
    Resend,
    /// Do nothing: both sides then wait for ever.
    Ignore,
    /// Believe the best: a garbled NAK then loses the message.
    TakeAsAck,
}

/// The states of the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SenderState {
    /// Wait for call from above.
    WaitCall,
    /// Wait for ACK or NAK.
    WaitFeedback,
}

impl State for SenderState {
    fn label(self) -> StateLabel {
        StateLabel::plain(match self {
            Self::WaitCall => "Wait for call from above",
            Self::WaitFeedback => "Wait for ACK or NAK",
        })
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
    "sndpkt = make_pkt(data, checksum); udt_send(sndpkt)",
    &[Does::Transmit],
);
static RESEND: Rule =
    Rule::new("resend", "rdt_rcv(rcvpkt) && isNAK(rcvpkt)", "udt_send(sndpkt)", &[Does::Transmit]);
static ACKED: Rule = Rule::new("acked", "rdt_rcv(rcvpkt) && isACK(rcvpkt)", "Λ", &[]);
static GARBLED_RESEND: Rule = Rule::new(
    "garbled-resend",
    "rdt_rcv(rcvpkt) && corrupt(rcvpkt)",
    "udt_send(sndpkt)",
    &[Does::Transmit],
)
.refusing("garbled feedback, read as NAK");
static GARBLED_IGNORE: Rule =
    Rule::ignore("garbled-ignore", "rdt_rcv(rcvpkt) && corrupt(rcvpkt)", "garbled feedback");
static GARBLED_ACK: Rule = Rule::new("garbled-ack", "rdt_rcv(rcvpkt) && corrupt(rcvpkt)", "Λ", &[])
    .refusing("garbled feedback, read as ACK");
static BUSY: Rule = Rule::ignore("busy", "rdt_send(data)", "waiting for ACK or NAK");
static STRAY: Rule = Rule::ignore("stray", "rdt_rcv(rcvpkt) || timeout", "nothing is outstanding");
static NOT_FEEDBACK: Rule =
    Rule::ignore("not-feedback", "rdt_rcv(rcvpkt) && isData(rcvpkt) || timeout", "not feedback");
static DELIVER: Rule = Rule::new(
    "deliver",
    "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt)",
    "extract(rcvpkt, data); deliver_data(data); udt_send(make_pkt(ACK))",
    &[Does::Deliver, Does::Transmit],
);
static NAK: Rule = Rule::new(
    "nak",
    "rdt_rcv(rcvpkt) && corrupt(rcvpkt)",
    "udt_send(make_pkt(NAK))",
    &[Does::Transmit],
)
.refusing("damaged: asking for retransmission");
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
    garbled: Garbled,
}

impl<D: Datum> Machine<D> for Sender<D> {
    type State = SenderState;

    fn state(&self) -> SenderState {
        self.state
    }

    fn step(&mut self, input: Input<D>, effects: &mut Effects<D>) -> Fired<SenderState> {
        use SenderState::{WaitCall, WaitFeedback};
        let (rule, to) = match (self.state, input) {
            (WaitCall, Input::Send(data)) => {
                let sndpkt = Packet::Data { seq: 0, data };
                self.sndpkt = Some(sndpkt.clone());
                effects.udt_send(sndpkt);
                (&SEND, WaitFeedback)
            }
            (WaitCall, Input::Arrive(_) | Input::ArriveCorrupt | Input::Expire(_)) => {
                (&STRAY, WaitCall)
            }
            (WaitFeedback, Input::Arrive(Packet::Ack { .. })) => {
                self.sndpkt = None;
                (&ACKED, WaitCall)
            }
            (WaitFeedback, Input::Arrive(Packet::Nak { .. })) => {
                self.sndpkt.iter().cloned().for_each(|sndpkt| effects.udt_send(sndpkt));
                (&RESEND, WaitFeedback)
            }
            (WaitFeedback, Input::ArriveCorrupt) => match self.garbled {
                Garbled::Resend => {
                    self.sndpkt.iter().cloned().for_each(|sndpkt| effects.udt_send(sndpkt));
                    (&GARBLED_RESEND, WaitFeedback)
                }
                Garbled::Ignore => (&GARBLED_IGNORE, WaitFeedback),
                Garbled::TakeAsAck => {
                    self.sndpkt = None;
                    (&GARBLED_ACK, WaitCall)
                }
            },
            (WaitFeedback, Input::Send(_)) => (&BUSY, WaitFeedback),
            (WaitFeedback, Input::Arrive(Packet::Data { .. }) | Input::Expire(_)) => {
                (&NOT_FEEDBACK, WaitFeedback)
            }
        };
        Fired::take(&mut self.state, rule, to)
    }

    fn table(&self) -> Vec<Transition> {
        use SenderState::{WaitCall, WaitFeedback};
        let garbled = match self.garbled {
            Garbled::Resend => Transition::plain(&GARBLED_RESEND, WaitFeedback, WaitFeedback),
            Garbled::Ignore => Transition::plain(&GARBLED_IGNORE, WaitFeedback, WaitFeedback),
            Garbled::TakeAsAck => Transition::plain(&GARBLED_ACK, WaitFeedback, WaitCall),
        };
        vec![
            Transition::plain(&SEND, WaitCall, WaitFeedback),
            Transition::plain(&RESEND, WaitFeedback, WaitFeedback),
            Transition::plain(&ACKED, WaitFeedback, WaitCall),
            garbled,
            Transition::plain(&BUSY, WaitFeedback, WaitFeedback),
            Transition::plain(&STRAY, WaitCall, WaitCall),
            Transition::plain(&NOT_FEEDBACK, WaitFeedback, WaitFeedback),
        ]
    }
}

impl<D: Datum> SenderMachine<D> for Sender<D> {
    fn ready(&self) -> bool {
        self.state == SenderState::WaitCall
    }

    fn unacked(&self) -> usize {
        usize::from(self.state == SenderState::WaitFeedback)
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
                effects.udt_send(Packet::Ack { seq: 0 });
                &DELIVER
            }
            Input::ArriveCorrupt => {
                effects.udt_send(Packet::Nak { seq: 0 });
                &NAK
            }
            Input::Send(_)
            | Input::Arrive(Packet::Ack { .. } | Packet::Nak { .. })
            | Input::Expire(_) => &NOT_DATA,
        };
        Fired::take(&mut self.state, rule, ReceiverState::WaitPacket)
    }

    fn table(&self) -> Vec<Transition> {
        let wait = ReceiverState::WaitPacket;
        [&DELIVER, &NAK, &NOT_DATA].map(|rule| Transition::plain(rule, wait, wait)).into()
    }
}

/// The protocol rdt 2.0.
///
/// ```
/// use rdtp::{channel::Channel, classic::{Protocol, rdt20::{Garbled, Rdt20}}};
///
/// let hopeful = Rdt20 { garbled: Garbled::TakeAsAck };
/// assert_eq!(hopeful.tolerates(), Channel::PERFECT, "its own feedback can be garbled");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rdt20 {
    /// What the sender makes of feedback that it cannot read.
    pub garbled: Garbled,
}

impl Protocol for Rdt20 {
    const NAME: &'static str = "rdt2.0";
    const FIGURE: &'static str = "Kurose and Ross, figure 3.10";
    const FIELDS: Fields = Fields { checksum: true, data_seq: false, feedback_seq: false };
    /// It repairs damaged data, but only over a channel that never damages its feedback; a channel
    /// that corrupts at all corrupts both ways.
    const TOLERATES: Channel = Channel::PERFECT;

    type Sender<D: Datum> = Sender<D>;
    type Receiver<D: Datum> = Receiver<D>;

    fn sender<D: Datum>(&self) -> Sender<D> {
        Sender { state: SenderState::WaitCall, sndpkt: None, garbled: self.garbled }
    }

    fn receiver<D: Datum>(&self) -> Receiver<D> {
        Receiver { state: ReceiverState::WaitPacket, data: PhantomData }
    }

    fn modulus(&self) -> Modulus {
        Modulus::new(1)
    }
}
