//! Selective repeat (Kurose and Ross, figures 3.23 to 3.25).
//!
//! Every packet is acknowledged and timed on its own; the receiver keeps what comes out of order.
//! N must be at most M / 2: otherwise the receiver's window, moved on, takes an old packet for a
//! new one. The book gives events and actions in words; this is the machine they describe.

use alloc::{collections::VecDeque, vec::Vec};

use super::{
    gbn::{WINDOW_MAX, WaitState, WindowError, check_window},
    machine::{
        Datum, Does, Effects, Fields, Fired, Input, Machine, Packet, Protocol, Rule, SenderMachine,
        Transition,
    },
};
use crate::{
    channel::{Channel, Overtake},
    seq::{Modulus, Seq},
    trace::Tag,
};

static SEND: Rule = Rule::new(
    "send",
    "rdt_send(data) && nextseqnum < send_base+N",
    "udt_send(make_pkt(nextseqnum, data, chksum)); start_timer(nextseqnum); nextseqnum++",
    &[Does::Transmit, Does::Start],
);
static REFUSE: Rule = Rule {
    name: "refuse",
    event: "rdt_send(data) && nextseqnum == send_base+N",
    actions: "refuse_data(data)",
    does: &[],
    refuses: Some("the window is full"),
};
static TIMEOUT: Rule = Rule::new(
    "timeout",
    "timeout(n) && n in send_base..nextseqnum && !acked(n)",
    "udt_send(sndpkt[n]); start_timer(n)",
    &[Does::Transmit, Does::Start],
);
static LATE_TIMER: Rule = Rule::ignore(
    "late-timer",
    "timeout(n) && (n not in send_base..nextseqnum || acked(n))",
    "the timer was stopped",
);
static ACKED_BASE: Rule = Rule::new(
    "acked-base",
    "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && isACK(rcvpkt, send_base)",
    "stop_timer(send_base); send_base = smallest unacknowledged number",
    &[Does::Stop],
);
static ACKED_INSIDE: Rule = Rule::new(
    "acked-inside",
    "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && isACK(rcvpkt, n) && n in send_base+1..nextseqnum \
     && !acked(n)",
    "stop_timer(n); mark n as acknowledged",
    &[Does::Stop],
);
static OLD_ACK: Rule = Rule::ignore(
    "old-ack",
    "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && isACK(rcvpkt, n) && (n not in \
     send_base..nextseqnum || acked(n))",
    "acknowledges nothing that is outstanding",
);
static GARBLED: Rule = Rule::ignore(
    "garbled",
    "rdt_rcv(rcvpkt) && corrupt(rcvpkt)",
    "garbled feedback: the timer will repair it",
);
static NOT_ACK: Rule =
    Rule::ignore("not-ack", "rdt_rcv(rcvpkt) && (isData(rcvpkt) || isNAK(rcvpkt))", "not an ACK");
static DELIVER: Rule = Rule::new(
    "deliver",
    "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && hasseqnum(rcvpkt, rcv_base)",
    "udt_send(make_pkt(rcv_base, ACK)); deliver_data(data and all buffered that follow it); \
     rcv_base = number after the last delivered",
    &[Does::Transmit, Does::DeliverEach],
);
static BUFFER: Rule = Rule::new(
    "buffer",
    "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && n in rcv_base+1..rcv_base+N && !buffered(n)",
    "udt_send(make_pkt(n, ACK)); buffer data",
    &[Does::Transmit],
);
static AGAIN: Rule = Rule::new(
    "again",
    "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && (n in rcv_base-N..rcv_base || buffered(n))",
    "udt_send(make_pkt(n, ACK))",
    &[Does::Transmit],
)
.refusing("duplicate: acknowledged again");
static OUTSIDE: Rule = Rule::ignore(
    "outside",
    "rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && n not in rcv_base-N..rcv_base+N",
    "outside both windows",
);
static DAMAGED: Rule = Rule::ignore("damaged", "rdt_rcv(rcvpkt) && corrupt(rcvpkt)", "damaged");
static NOT_DATA: Rule = Rule::ignore(
    "not-data",
    "rdt_send(data) || isACK(rcvpkt) || isNAK(rcvpkt) || timeout",
    "not a data packet",
);

/// The sender.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sender<D> {
    state: WaitState,
    send_base: Seq,
    /// The messages of `send_base..nextseqnum`; `None` once acknowledged.
    unacked: VecDeque<Option<D>>,
    window: u64,
    modulus: Modulus,
}

impl<D: Datum> Sender<D> {
    fn outstanding(&self) -> u64 {
        self.unacked.len() as u64
    }

    /// The slot of number `n`, if it is in `send_base..nextseqnum`.
    fn slot(&mut self, n: Seq) -> Option<&mut Option<D>> {
        let inside = self.modulus.in_window(n, self.send_base, self.outstanding());
        let offset = usize::try_from(self.modulus.distance(self.send_base, n)).ok()?;
        if inside { self.unacked.get_mut(offset) } else { None }
    }

    /// `rdt_send(data)`.
    fn send(&mut self, data: D, effects: &mut Effects<D>) -> &'static Rule {
        if self.outstanding() >= self.window {
            return &REFUSE;
        }
        let nextseqnum = self.modulus.add(self.send_base, self.outstanding());
        self.unacked.push_back(Some(data.clone()));
        effects.udt_send(Packet::Data { seq: nextseqnum, data });
        effects.start_timer(Tag::Packet(nextseqnum));
        &SEND
    }

    fn acknowledge(&mut self, n: Seq, effects: &mut Effects<D>) -> &'static Rule {
        if self.slot(n).and_then(Option::take).is_none() {
            return &OLD_ACK;
        }
        effects.stop_timer(Tag::Packet(n));
        if n != self.send_base {
            return &ACKED_INSIDE;
        }
        while let Some(None) = self.unacked.front() {
            self.unacked.pop_front();
            self.send_base = self.modulus.next(self.send_base);
        }
        &ACKED_BASE
    }

    fn timeout(&mut self, tag: Tag, effects: &mut Effects<D>) -> &'static Rule {
        let n = match tag {
            Tag::Packet(n) => n,
            Tag::Oldest => self.send_base,
        };
        let Some(data) = self.slot(n).and_then(|slot| slot.clone()) else { return &LATE_TIMER };
        effects.udt_send(Packet::Data { seq: n, data });
        effects.start_timer(Tag::Packet(n));
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
            Input::Expire(tag) => self.timeout(tag, effects),
            Input::ArriveCorrupt => &GARBLED,
            Input::Arrive(Packet::Data { .. } | Packet::Nak { .. }) => &NOT_ACK,
        };
        Fired::take(&mut self.state, rule, WaitState::Wait)
    }

    fn table(&self) -> Vec<Transition> {
        [
            &SEND,
            &REFUSE,
            &TIMEOUT,
            &ACKED_BASE,
            &ACKED_INSIDE,
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
    rcv_base: Seq,
    /// What arrived of `rcv_base..`, as long as the farthest number buffered.
    buffered: VecDeque<Option<D>>,
    window: u64,
    modulus: Modulus,
}

impl<D: Datum> Receiver<D> {
    fn arrive(&mut self, n: Seq, data: D, effects: &mut Effects<D>) -> &'static Rule {
        if self.modulus.in_window(n, self.rcv_base, self.window) {
            effects.udt_send(Packet::Ack { seq: n });
            self.keep(n, data, effects)
        } else if self.is_old(n) {
            effects.udt_send(Packet::Ack { seq: n });
            &AGAIN
        } else {
            &OUTSIDE
        }
    }

    /// Whether `n` is in `rcv_base-N..rcv_base`: delivered, and its ACK perhaps lost.
    fn is_old(&self, n: Seq) -> bool {
        let back = self.modulus.count() - self.window.min(self.modulus.count());
        self.modulus.in_window(n, self.modulus.add(self.rcv_base, back), self.window)
    }

    /// Takes a packet of the window and delivers what is now in order.
    fn keep(&mut self, n: Seq, data: D, effects: &mut Effects<D>) -> &'static Rule {
        let Ok(offset) = usize::try_from(self.modulus.distance(self.rcv_base, n)) else {
            return &OUTSIDE;
        };
        if self.buffered.len() <= offset {
            self.buffered.resize(offset + 1, None);
        }
        match self.buffered.get_mut(offset) {
            Some(slot @ None) => *slot = Some(data),
            _ => return &AGAIN,
        }
        if n != self.rcv_base {
            return &BUFFER;
        }
        while let Some(Some(_)) = self.buffered.front() {
            if let Some(data) = self.buffered.pop_front().flatten() {
                effects.deliver_data(data);
                self.rcv_base = self.modulus.next(self.rcv_base);
            }
        }
        &DELIVER
    }
}

impl<D: Datum> Machine<D> for Receiver<D> {
    type State = WaitState;

    fn state(&self) -> WaitState {
        self.state
    }

    fn step(&mut self, input: Input<D>, effects: &mut Effects<D>) -> Fired<WaitState> {
        let rule = match input {
            Input::Arrive(Packet::Data { seq, data }) => self.arrive(seq, data, effects),
            Input::ArriveCorrupt => &DAMAGED,
            Input::Send(_)
            | Input::Arrive(Packet::Ack { .. } | Packet::Nak { .. })
            | Input::Expire(_) => &NOT_DATA,
        };
        Fired::take(&mut self.state, rule, WaitState::Wait)
    }

    fn table(&self) -> Vec<Transition> {
        [&DELIVER, &BUFFER, &AGAIN, &OUTSIDE, &DAMAGED, &NOT_DATA]
            .map(|rule| Transition::plain(rule, WaitState::Wait, WaitState::Wait))
            .into()
    }
}

/// Selective repeat with windows of N and M sequence numbers.
///
/// ```
/// use rdtp::{channel::Overtake, classic::{Protocol, sr::SelectiveRepeat}, seq::Modulus};
///
/// let sr = SelectiveRepeat::new(2, Modulus::bits(2)).expect("2 = 2^(2-1)");
/// assert_eq!(sr.tolerates().overtake, Overtake::AtMost(0));
/// assert!(SelectiveRepeat::new(3, Modulus::bits(2)).is_err(), "3 = 2^(2-1) + 1 is one too many");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelectiveRepeat {
    window: u64,
    modulus: Modulus,
}

impl SelectiveRepeat {
    /// Windows of `window` packets on both sides, at most half as many as there are numbers.
    pub fn new(window: u64, modulus: Modulus) -> Result<Self, WindowError> {
        check_window(window, modulus.count() / 2, modulus)?;
        Ok(Self { window, modulus })
    }

    /// Any window of 1 to [`WINDOW_MAX`] packets, the illegal ones too: to show how it breaks.
    pub fn with_illegal_window(window: u64, modulus: Modulus) -> Self {
        Self { window: window.clamp(1, WINDOW_MAX), modulus }
    }

    /// Whether the window is legal for the modulus.
    pub fn is_legal(&self) -> bool {
        self.window <= self.modulus.count() / 2
    }
}

impl Protocol for SelectiveRepeat {
    const NAME: &'static str = "sr";
    const FIGURE: &'static str = "Kurose and Ross, figures 3.23 to 3.25";
    const FIELDS: Fields = Fields { checksum: true, data_seq: true, feedback_seq: true };
    const TOLERATES: Channel = Channel::PERFECT.corrupting().losing().duplicating();

    type Sender<D: Datum> = Sender<D>;
    type Receiver<D: Datum> = Receiver<D>;

    fn sender<D: Datum>(&self) -> Sender<D> {
        Sender {
            state: WaitState::Wait,
            send_base: 0,
            unacked: VecDeque::new(),
            window: self.window,
            modulus: self.modulus,
        }
    }

    fn receiver<D: Datum>(&self) -> Receiver<D> {
        Receiver {
            state: WaitState::Wait,
            rcv_base: 0,
            buffered: VecDeque::new(),
            window: self.window,
            modulus: self.modulus,
        }
    }

    /// A packet may be overtaken by d others if M >= 2N + d + min(d, N - 1); the textbook's rule is
    /// d = 0.
    ///
    /// Why that is enough. Count packets without wrapping, and look at the first number that is
    /// taken for another. When a copy of packet i leaves, send_base <= i, so no packet from i + N on
    /// has left yet. When it arrives, at most d of those have passed it.
    ///
    /// - *Data.* So rcv_base <= i + N + d, and the window ends before i + 2N + d. Packet i is not
    ///   taken for i + M if M >= 2N + d.
    /// - *ACKs.* The receiver answers only if rcv_base <= i + N. Then the packets from i + N on that
    ///   have arrived are at most d, and at most N - 1, for they lie in the window and rcv_base is
    ///   missing. ACK i in turn is passed by at most d ACKs. When it arrives, send_base is at most
    ///   i + N + min(d, N - 1) + d, and ACK i is not taken for that of i + M if M is at least N more.
    ///
    /// That fewer numbers are not enough is what the exhaustive search finds, wherever it was tried:
    /// `tests/check/overtaking.rs`.
    fn tolerates(&self) -> Channel {
        if self.modulus.never_repeats() {
            return Self::TOLERATES.overtaking(Overtake::Any);
        }
        let others = self.window - 1;
        let depth = |spare: u64| if spare < 2 * others { spare / 2 } else { spare - others };
        match self.modulus.count().checked_sub(self.window.saturating_mul(2)) {
            Some(spare) => Self::TOLERATES.overtaking(Overtake::AtMost(depth(spare))),
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
