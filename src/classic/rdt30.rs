//! rdt 3.0: a countdown timer repairs loss (Kurose and Ross, figure 3.15). The alternating-bit
//! protocol; with more than two numbers, stop-and-wait that bears some reordering.
//!
//! The receiver is [rdt 2.2's](super::rdt22::Receiver). With M numbers a packet may be overtaken by
//! at most M - 2 later ones; the book's single bit bears none.

use alloc::{vec, vec::Vec};

pub use super::rdt22::{Receiver, ReceiverState};
use super::{
    diagram::NUMBERS_DRAWN_MAX,
    machine::{
        Datum, Does, Effects, Fields, Fired, Input, Machine, Packet, Protocol, Rule, SenderMachine,
        State, Transition,
    },
};
use crate::{
    channel::{Channel, Overtake},
    seq::{Modulus, Seq},
    trace::{StateLabel, Tag},
};

/// The states of the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SenderState {
    /// Wait for call 0 (or 1, ...) from above.
    WaitCall(Seq),
    /// Wait for ACK 0 (or 1, ...).
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

static SEND: Rule = Rule::new(
    "send",
    "rdt_send(data)",
    "sndpkt = make_pkt(#, data, checksum); udt_send(sndpkt); start_timer",
    &[Does::Transmit, Does::Start],
);
static TIMEOUT: Rule = Rule::new(
    "timeout",
    "timeout",
    "udt_send(sndpkt); start_timer",
    &[Does::Transmit, Does::Start],
);
static ACKED: Rule = Rule::new(
    "acked",
    "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && isACK(rcvpkt, #)",
    "stop_timer",
    &[Does::Stop],
);
static WRONG_ACK: Rule = Rule::ignore(
    "wrong-ack",
    "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && isACK(rcvpkt, @)",
    "wrong number",
);
static GARBLED: Rule = Rule::ignore(
    "garbled",
    "rdt_rcv(rcvpkt) && corrupt(rcvpkt)",
    "garbled feedback: the timer will repair it",
);
static APPRENTICE_ACK: Rule = Rule::new(
    "apprentice-ack",
    "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && isACK(rcvpkt, @)",
    "udt_send(sndpkt); start_timer",
    &[Does::Transmit, Does::Start],
)
.refusing("wrong number: sending the packet again, as the sorcerer's apprentice");
static BUSY: Rule = Rule::ignore("busy", "rdt_send(data)", "waiting for an ACK");
static STRAY: Rule = Rule::ignore("stray", "rdt_rcv(rcvpkt)", "nothing is outstanding");
static LATE_TIMER: Rule = Rule::ignore("late-timer", "timeout", "the timer was stopped");
static NOT_ACK: Rule =
    Rule::ignore("not-ack", "rdt_rcv(rcvpkt) && (isData(rcvpkt) || isNAK(rcvpkt))", "not an ACK");

/// The sender.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sender<D> {
    state: SenderState,
    sndpkt: Option<Packet<D>>,
    modulus: Modulus,
    apprentice: bool,
}

impl<D: Datum> Sender<D> {
    fn resend(&self, effects: &mut Effects<D>) {
        if let Some(sndpkt) = &self.sndpkt {
            effects.udt_send(sndpkt.clone());
            effects.start_timer(Tag::Oldest);
        }
    }
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
                effects.start_timer(Tag::Oldest);
                (&SEND, WaitAck(k))
            }
            (WaitCall(k), Input::Arrive(_) | Input::ArriveCorrupt) => (&STRAY, WaitCall(k)),
            (WaitCall(k), Input::Expire(_)) => (&LATE_TIMER, WaitCall(k)),
            (WaitAck(k), Input::Expire(_)) => {
                self.resend(effects);
                (&TIMEOUT, WaitAck(k))
            }
            (WaitAck(k), Input::Arrive(Packet::Ack { seq })) if seq == k => {
                effects.stop_timer(Tag::Oldest);
                self.sndpkt = None;
                (&ACKED, WaitCall(self.modulus.next(k)))
            }
            (WaitAck(k), Input::Arrive(Packet::Ack { .. })) => {
                if self.apprentice {
                    self.resend(effects);
                    (&APPRENTICE_ACK, WaitAck(k))
                } else {
                    (&WRONG_ACK, WaitAck(k))
                }
            }
            (WaitAck(k), Input::ArriveCorrupt) => (&GARBLED, WaitAck(k)),
            (WaitAck(k), Input::Send(_)) => (&BUSY, WaitAck(k)),
            (WaitAck(k), Input::Arrive(Packet::Data { .. } | Packet::Nak { .. })) => {
                (&NOT_ACK, WaitAck(k))
            }
        };
        Fired::take(&mut self.state, rule, to)
    }

    fn table(&self) -> Vec<Transition> {
        use SenderState::{WaitAck, WaitCall};
        let m = self.modulus;
        let wrong_ack = if self.apprentice { &APPRENTICE_ACK } else { &WRONG_ACK };
        let arrows = |k: Seq| {
            let (call, wait, next) = (WaitCall(k), WaitAck(k), WaitCall(m.next(k)));
            vec![
                Transition::numbered(&SEND, call, wait, k, m),
                Transition::numbered(&TIMEOUT, wait, wait, k, m),
                Transition::numbered(wrong_ack, wait, wait, k, m),
                Transition::numbered(&GARBLED, wait, wait, k, m),
                Transition::numbered(&ACKED, wait, next, k, m),
                Transition::numbered(&STRAY, call, call, k, m),
                Transition::numbered(&BUSY, wait, wait, k, m),
                Transition::numbered(&LATE_TIMER, call, call, k, m),
                Transition::numbered(&NOT_ACK, wait, wait, k, m),
            ]
        };
        (0..m.count().min(NUMBERS_DRAWN_MAX)).flat_map(arrows).collect()
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

/// Stop-and-wait with a timer; with two numbers, the book's rdt 3.0.
///
/// ```
/// use rdtp::{channel::Overtake, classic::{Protocol, rdt30::StopAndWait}, seq::Modulus};
///
/// let rdt30 = StopAndWait::RDT30;
/// assert_eq!(rdt30.tolerates(), StopAndWait::TOLERATES);
/// let saw5 = StopAndWait::new(Modulus::new(5));
/// assert_eq!(saw5.tolerates().overtake, Overtake::AtMost(3));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopAndWait {
    modulus: Modulus,
    apprentice: bool,
}

impl StopAndWait {
    /// The book's rdt 3.0: two numbers.
    pub const RDT30: Self = Self { modulus: Modulus::new(2), apprentice: false };

    /// Stop-and-wait with `modulus` numbers; fewer than two cannot tell a packet from the next, and
    /// are taken as two.
    pub const fn new(modulus: Modulus) -> Self {
        let modulus = if modulus.count() < 2 { Modulus::new(2) } else { modulus };
        Self { modulus, apprentice: false }
    }

    /// The same, but the sender also sends again whenever an ACK with the wrong number arrives: the
    /// sorcerer's apprentice of early TFTP (RFC 1123, section 4.2.3.1). After one timeout that
    /// comes too early, every later packet is sent twice. For teaching only.
    #[must_use]
    pub const fn sorcerers_apprentice(self) -> Self {
        Self { apprentice: true, ..self }
    }

    /// Whether the sender sends again on ACKs with the wrong number.
    pub const fn is_apprentice(self) -> bool {
        self.apprentice
    }
}

impl Protocol for StopAndWait {
    const NAME: &'static str = "rdt3.0";
    const FIGURE: &'static str = "Kurose and Ross, figures 3.15 and 3.14";
    const FIELDS: Fields = Fields { checksum: true, data_seq: true, feedback_seq: true };
    const TOLERATES: Channel = Channel::PERFECT.corrupting().losing().duplicating();

    type Sender<D: Datum> = Sender<D>;
    type Receiver<D: Datum> = Receiver<D>;

    fn sender<D: Datum>(&self) -> Sender<D> {
        Sender {
            state: SenderState::WaitCall(0),
            sndpkt: None,
            modulus: self.modulus,
            apprentice: self.apprentice,
        }
    }

    fn receiver<D: Datum>(&self) -> Receiver<D> {
        Receiver::new(self.modulus)
    }

    /// With M numbers a packet may be overtaken by M - 2 others. The sorcerer's apprentice bears no
    /// copies, which an overtaken packet's retransmission also makes: each makes another for ever.
    fn tolerates(&self) -> Channel {
        if self.apprentice {
            return Channel::PERFECT.corrupting().losing();
        }
        let overtake = if self.modulus.never_repeats() {
            Overtake::Any
        } else {
            Overtake::AtMost(self.modulus.count() - 2)
        };
        Self::TOLERATES.overtaking(overtake)
    }

    fn modulus(&self) -> Modulus {
        self.modulus
    }
}
