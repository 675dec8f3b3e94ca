//! Go-back-N (Kurose and Ross, figures 3.20 and 3.21).
//!
//! A window of N packets, cumulative ACKs, one timer for the oldest packet; a timeout sends the
//! whole window again, because the receiver keeps nothing that is out of order. Numbers start at 0
//! here, not at 1 as in the figure, and are counted in a modulus M. N must be at most M - 1: with
//! N = M a repeated ACK looks like one for the whole window.

use alloc::{collections::VecDeque, vec::Vec};
use core::{fmt, marker::PhantomData};

use super::machine::{
    Datum, Does, Effects, Fields, Fired, Input, Machine, Packet, Protocol, Rule, SenderMachine,
    State, Transition,
};
use crate::{
    channel::{Channel, Overtake},
    seq::{Modulus, Seq},
    trace::{StateLabel, Tag},
};

/// The only state of sender and receiver; the rest is in their variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WaitState {
    /// Wait.
    Wait,
}

impl State for WaitState {
    fn label(self) -> StateLabel {
        StateLabel::plain("Wait")
    }
}

static SEND_FIRST: Rule = Rule::new(
    "send-first",
    "rdt_send(data) && nextseqnum < base+N && base == nextseqnum",
    "sndpkt[nextseqnum] = make_pkt(nextseqnum, data, chksum); udt_send(sndpkt[nextseqnum]); \
     start_timer; nextseqnum++",
    &[Does::Transmit, Does::Start],
);
static SEND: Rule = Rule::new(
    "send",
    "rdt_send(data) && nextseqnum < base+N && base != nextseqnum",
    "sndpkt[nextseqnum] = make_pkt(nextseqnum, data, chksum); udt_send(sndpkt[nextseqnum]); \
     nextseqnum++",
    &[Does::Transmit],
);
static REFUSE: Rule = Rule {
    name: "refuse",
    event: "rdt_send(data) && nextseqnum == base+N",
    actions: "refuse_data(data)",
    does: &[],
    refuses: Some("the window is full"),
};
static TIMEOUT: Rule = Rule::new(
    "timeout",
    "timeout && base != nextseqnum",
    "start_timer; udt_send(sndpkt[base]); ... udt_send(sndpkt[nextseqnum-1])",
    &[Does::Start, Does::TransmitEach],
);
static LATE_TIMER: Rule =
    Rule::ignore("late-timer", "timeout && base == nextseqnum", "the timer was stopped");
static ACKED_SOME: Rule = Rule::new(
    "acked-some",
    "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && base <= getacknum(rcvpkt) < nextseqnum-1",
    "base = getacknum(rcvpkt)+1; start_timer",
    &[Does::Start],
);
static ACKED_ALL: Rule = Rule::new(
    "acked-all",
    "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && getacknum(rcvpkt) == nextseqnum-1",
    "base = getacknum(rcvpkt)+1; stop_timer",
    &[Does::Stop],
);
static OLD_ACK: Rule = Rule::ignore(
    "old-ack",
    "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && getacknum(rcvpkt) not in base..nextseqnum",
    "acknowledges nothing that is outstanding",
);
static GARBLED: Rule = Rule::ignore(
    "garbled",
    "rdt_rcv(rcvpkt) && corrupt(rcvpkt)",
    "garbled feedback: a later ACK or the timer will repair it",
);
static NOT_ACK: Rule =
    Rule::ignore("not-ack", "rdt_rcv(rcvpkt) && (isData(rcvpkt) || isNAK(rcvpkt))", "not an ACK");
static DELIVER: Rule = Rule::new(
    "deliver",
    "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && hasseqnum(rcvpkt, expectedseqnum)",
    "extract(rcvpkt, data); deliver_data(data); \
     sndpkt = make_pkt(expectedseqnum, ACK, chksum); udt_send(sndpkt); expectedseqnum++",
    &[Does::Deliver, Does::Transmit],
);
static OUT_OF_ORDER: Rule = Rule::new(
    "out-of-order",
    "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && !hasseqnum(rcvpkt, expectedseqnum)",
    "udt_send(sndpkt)",
    &[Does::Transmit],
)
.refusing("not the number expected: the last ACK again");
static DAMAGED: Rule = Rule::new(
    "damaged",
    "rdt_rcv(rcvpkt) && corrupt(rcvpkt)",
    "udt_send(sndpkt)",
    &[Does::Transmit],
)
.refusing("damaged: the last ACK again");
static NOT_DATA: Rule = Rule::ignore(
    "not-data",
    "rdt_send(data) || isACK(rcvpkt) || isNAK(rcvpkt) || timeout",
    "not a data packet",
);

/// The sender.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sender<D> {
    state: WaitState,
    /// Number of the oldest unacknowledged packet.
    base: Seq,
    /// The messages of `base..nextseqnum`.
    unacked: VecDeque<D>,
    window: u64,
    modulus: Modulus,
}

impl<D: Datum> Sender<D> {
    fn outstanding(&self) -> u64 {
        self.unacked.len() as u64
    }

    /// `rdt_send(data)`.
    fn send(&mut self, data: D, effects: &mut Effects<D>) -> &'static Rule {
        let outstanding = self.outstanding();
        if outstanding >= self.window {
            return &REFUSE;
        }
        let nextseqnum = self.modulus.add(self.base, outstanding);
        self.unacked.push_back(data.clone());
        effects.udt_send(Packet::Data { seq: nextseqnum, data });
        if outstanding > 0 {
            return &SEND;
        }
        effects.start_timer(Tag::Oldest);
        &SEND_FIRST
    }

    /// A cumulative ACK: all packets up to and with `acknum` have arrived.
    fn acknowledge(&mut self, acknum: Seq, effects: &mut Effects<D>) -> &'static Rule {
        let outstanding = self.outstanding();
        if !self.modulus.in_window(acknum, self.base, outstanding) {
            return &OLD_ACK;
        }
        let acked = self.modulus.distance(self.base, acknum) + 1;
        for _ in 0..acked {
            self.unacked.pop_front();
        }
        self.base = self.modulus.next(acknum);
        if acked == outstanding {
            effects.stop_timer(Tag::Oldest);
            &ACKED_ALL
        } else {
            effects.start_timer(Tag::Oldest);
            &ACKED_SOME
        }
    }

    fn timeout(&mut self, effects: &mut Effects<D>) -> &'static Rule {
        if self.unacked.is_empty() {
            return &LATE_TIMER;
        }
        effects.start_timer(Tag::Oldest);
        for (offset, data) in (0..).zip(&self.unacked) {
            let seq = self.modulus.add(self.base, offset);
            effects.udt_send(Packet::Data { seq, data: data.clone() });
        }
        &TIMEOUT
    }
}

impl<D: Datum> Machine<D> for Sender<D> {
    type State = WaitState;

    fn state(&self) -> WaitState {
        self.state
    }

    fn step(&mut self, input: Input<D>, effects: &mut Effects<D>) -> Fired<WaitState> {
        let rule = match input {
            Input::Send(data) => self.send(data, effects),
            Input::Arrive(Packet::Ack { seq }) => self.acknowledge(seq, effects),
            Input::Expire(_) => self.timeout(effects),
            Input::ArriveCorrupt => &GARBLED,
            Input::Arrive(Packet::Data { .. } | Packet::Nak { .. }) => &NOT_ACK,
        };
        Fired::take(&mut self.state, rule, WaitState::Wait)
    }

    fn table(&self) -> Vec<Transition> {
        [
            &SEND_FIRST,
            &SEND,
            &REFUSE,
            &TIMEOUT,
            &ACKED_SOME,
            &ACKED_ALL,
            &OLD_ACK,
            &GARBLED,
            &LATE_TIMER,
            &NOT_ACK,
        ]
        .map(|rule| Transition::plain(rule, WaitState::Wait, WaitState::Wait))
        .into()
    }
}

impl<D: Datum> SenderMachine<D> for Sender<D> {
    fn ready(&self) -> bool {
        self.outstanding() < self.window
    }

    fn unacked(&self) -> usize {
        self.unacked.len()
    }
}

/// The receiver.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receiver<D> {
    state: WaitState,
    expectedseqnum: Seq,
    modulus: Modulus,
    data: PhantomData<D>,
}

impl<D: Datum> Receiver<D> {
    /// The book's `sndpkt`: the ACK of the last packet delivered in order.
    fn sndpkt(&self) -> Packet<D> {
        Packet::Ack { seq: self.modulus.previous(self.expectedseqnum) }
    }
}

impl<D: Datum> Machine<D> for Receiver<D> {
    type State = WaitState;

    fn state(&self) -> WaitState {
        self.state
    }

    fn step(&mut self, input: Input<D>, effects: &mut Effects<D>) -> Fired<WaitState> {
        let rule = match input {
            Input::Arrive(Packet::Data { seq, data }) if seq == self.expectedseqnum => {
                effects.deliver_data(data);
                self.expectedseqnum = self.modulus.next(seq);
                effects.udt_send(self.sndpkt());
                &DELIVER
            }
            Input::Arrive(Packet::Data { .. }) => {
                effects.udt_send(self.sndpkt());
                &OUT_OF_ORDER
            }
            Input::ArriveCorrupt => {
                effects.udt_send(self.sndpkt());
                &DAMAGED
            }
            Input::Send(_)
            | Input::Arrive(Packet::Ack { .. } | Packet::Nak { .. })
            | Input::Expire(_) => &NOT_DATA,
        };
        Fired::take(&mut self.state, rule, WaitState::Wait)
    }

    fn table(&self) -> Vec<Transition> {
        [&DELIVER, &OUT_OF_ORDER, &DAMAGED, &NOT_DATA]
            .map(|rule| Transition::plain(rule, WaitState::Wait, WaitState::Wait))
            .into()
    }
}

/// Why a window and a modulus do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowError {
    /// A window of no packets sends nothing.
    Zero,
    /// The window is so large for its numbers that old and new packets look alike.
    TooLarge {
        /// The window asked for, in packets.
        window: u64,
        /// The largest legal one, in packets.
        largest: u64,
        /// The numbers there are.
        modulus: Modulus,
    },
    /// The window is beyond what the sender will buffer.
    Buffer {
        /// The largest allowed, in packets.
        largest: u64,
    },
}

impl fmt::Display for WindowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => f.write_str("a window of 0 packets sends nothing; use at least 1"),
            Self::TooLarge { window, largest, modulus } => write!(
                f,
                "a window of {window} is too large for {modulus} sequence numbers: use at most \
                 {largest}, or more numbers"
            ),
            Self::Buffer { largest } => write!(f, "use a window of at most {largest} packets"),
        }
    }
}

impl core::error::Error for WindowError {}

/// The most packets a window may hold.
pub const WINDOW_MAX: u64 = 1 << 16;

/// Checks a window against what its modulus allows.
pub(super) fn check_window(window: u64, largest: u64, modulus: Modulus) -> Result<(), WindowError> {
    if window == 0 {
        Err(WindowError::Zero)
    } else if window > largest {
        Err(WindowError::TooLarge { window, largest, modulus })
    } else if window > WINDOW_MAX {
        Err(WindowError::Buffer { largest: WINDOW_MAX })
    } else {
        Ok(())
    }
}

/// Go-back-N with window N and M sequence numbers.
///
/// ```
/// use rdtp::{channel::Overtake, classic::{Protocol, gbn::GoBackN}, seq::Modulus};
///
/// let gbn = GoBackN::new(3, Modulus::bits(2)).expect("3 = 2^2 - 1");
/// assert_eq!(gbn.tolerates().overtake, Overtake::AtMost(0));
/// assert!(GoBackN::new(4, Modulus::bits(2)).is_err(), "4 = 2^2 is one too many");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoBackN {
    window: u64,
    modulus: Modulus,
}

impl GoBackN {
    /// A window of `window` packets, at most one less than there are numbers.
    pub fn new(window: u64, modulus: Modulus) -> Result<Self, WindowError> {
        check_window(window, modulus.count() - 1, modulus)?;
        Ok(Self { window, modulus })
    }

    /// Any window of 1 to [`WINDOW_MAX`] packets, the illegal ones too: to show how it breaks.
    pub fn with_illegal_window(window: u64, modulus: Modulus) -> Self {
        Self { window: window.clamp(1, WINDOW_MAX), modulus }
    }

    /// Whether the window is legal for the modulus.
    pub fn is_legal(&self) -> bool {
        self.window < self.modulus.count()
    }
}

impl Protocol for GoBackN {
    const NAME: &'static str = "gbn";
    const FIGURE: &'static str = "Kurose and Ross, figures 3.20 and 3.21";
    const FIELDS: Fields = Fields { checksum: true, data_seq: true, feedback_seq: true };
    const TOLERATES: Channel = Channel::PERFECT.corrupting().losing().duplicating();

    type Sender<D: Datum> = Sender<D>;
    type Receiver<D: Datum> = Receiver<D>;

    fn sender<D: Datum>(&self) -> Sender<D> {
        Sender {
            state: WaitState::Wait,
            base: 0,
            unacked: VecDeque::new(),
            window: self.window,
            modulus: self.modulus,
        }
    }

    fn receiver<D: Datum>(&self) -> Receiver<D> {
        Receiver {
            state: WaitState::Wait,
            expectedseqnum: 0,
            modulus: self.modulus,
            data: PhantomData,
        }
    }

    /// A packet may be overtaken by d others if M >= N(d + 1) + 1; the textbook's rule is d = 0.
    /// The law fits every model small enough to be searched exhaustively.
    fn tolerates(&self) -> Channel {
        if self.modulus.never_repeats() {
            return Self::TOLERATES.overtaking(Overtake::Any);
        }
        match ((self.modulus.count() - 1) / self.window).checked_sub(1) {
            Some(depth) => Self::TOLERATES.overtaking(Overtake::AtMost(depth)),
            None => Channel::PERFECT,
        }
    }

    fn modulus(&self) -> Modulus {
        self.modulus
    }

    fn window(&self) -> u64 {
        self.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic::sr::SelectiveRepeat;

    /// The largest legal windows for M numbers: M - 1 for go-back-N, half of M for selective repeat.
    #[test]
    fn windows_are_legal_up_to_the_textbooks_limit() {
        for modulus in (2..10).map(Modulus::new) {
            for window in 1..12 {
                let gbn = GoBackN::with_illegal_window(window, modulus);
                assert_eq!(gbn.is_legal(), window < modulus.count(), "gbn {window}/{modulus}");
                assert_eq!(gbn.is_legal(), GoBackN::new(window, modulus).is_ok());
                let sr = SelectiveRepeat::with_illegal_window(window, modulus);
                assert_eq!(sr.is_legal(), 2 * window <= modulus.count(), "sr {window}/{modulus}");
                assert_eq!(sr.is_legal(), SelectiveRepeat::new(window, modulus).is_ok());
                assert!(!sr.is_legal() || sr.tolerates().lose, "sr {window}/{modulus}");
            }
        }
    }

    #[test]
    fn a_refused_window_says_why() {
        let m = Modulus::new(8);
        assert_eq!(GoBackN::new(0, m), Err(WindowError::Zero));
        let too_large = WindowError::TooLarge { window: 8, largest: 7, modulus: m };
        assert_eq!(GoBackN::new(8, m), Err(too_large));
        assert!(GoBackN::new(WINDOW_MAX, Modulus::NEVER).is_ok());
        let buffer = WindowError::Buffer { largest: WINDOW_MAX };
        assert_eq!(GoBackN::new(WINDOW_MAX + 1, Modulus::NEVER), Err(buffer));
    }

    /// M >= N(d + 1) + 1: each row is the deepest d, and one number less bears one less.
    #[test]
    fn more_numbers_bear_deeper_overtaking() {
        for (window, modulus, depth) in
            [(1, 2, 0), (1, 3, 1), (2, 5, 1), (2, 7, 2), (3, 4, 0), (3, 7, 1), (3, 10, 2)]
        {
            let channel = GoBackN::with_illegal_window(window, Modulus::new(modulus)).tolerates();
            assert_eq!(channel.overtake, Overtake::AtMost(depth), "{window}/{modulus}");
            assert!(channel.lose && channel.duplicate && channel.corrupt);
            let fewer = GoBackN::with_illegal_window(window, Modulus::new(modulus - 1)).tolerates();
            assert!(fewer.overtake < channel.overtake || fewer == Channel::PERFECT);
        }
        assert_eq!(GoBackN::with_illegal_window(4, Modulus::new(4)).tolerates(), Channel::PERFECT);
    }
}
