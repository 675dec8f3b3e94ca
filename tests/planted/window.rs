//! Go-back-N's sender and selective repeat's receiver the way they are written in C: an array with
//! a place for each number, and two numbers that walk around it. In it are the mistakes that only
//! such code can make.

use std::sync::LazyLock;

use rdtp::{
    channel::Channel,
    classic::{
        Datum, Effects, Fields, Fired, Input, Machine, Packet, Protocol, Rule, SenderMachine,
        Transition, gbn, gbn::GoBackN, gbn::WaitState, sr, sr::SelectiveRepeat,
    },
    seq::{Modulus, Seq},
    trace::Tag,
};

/// What is wrong with the array or the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Slip {
    None,
    /// Go-back-N: any ACK moves the base.
    StaleAckMovesBase,
    /// Numbers are compared with `<=` and `<`, as if they had an order.
    ComparesInLine,
    /// Selective repeat: a place is not marked empty when its packet is delivered.
    KeepsMarks,
}

static GBN_RULES: LazyLock<Vec<Transition>> =
    LazyLock::new(|| honest_gbn(1, Modulus::new(2)).sender::<u8>().table());
static SR_RULES: LazyLock<Vec<Transition>> = LazyLock::new(|| {
    SelectiveRepeat::with_illegal_window(1, Modulus::new(2)).receiver::<u8>().table()
});

/// The figure's own label, since the figure is what the code is meant to be.
fn label(table: &[Transition], name: &str) -> &'static Rule {
    table
        .iter()
        .map(|arrow| arrow.rule)
        .find(|rule| rule.name == name)
        .expect("a rule of the figure")
}

fn honest_gbn(window: u64, modulus: Modulus) -> GoBackN {
    GoBackN::with_illegal_window(window, modulus)
}

/// Where the packet of a number is kept.
fn place(seq: Seq) -> usize {
    usize::try_from(seq).expect("a small modulus")
}

fn places<D: Datum>(modulus: Modulus) -> Vec<Option<D>> {
    vec![None; place(modulus.count())]
}

/// Go-back-N with an array for a sender.
#[derive(Clone, Debug)]
pub(crate) struct ArrayGbn {
    pub(crate) window: u64,
    pub(crate) modulus: Modulus,
    pub(crate) slip: Slip,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ArraySender<D> {
    state: WaitState,
    base: Seq,
    nextseqnum: Seq,
    sndpkt: Vec<Option<D>>,
    window: u64,
    modulus: Modulus,
    slip: Slip,
}

impl<D: Datum> ArraySender<D> {
    fn outstanding(&self) -> u64 {
        self.modulus.distance(self.base, self.nextseqnum)
    }

    fn send(&mut self, data: D, effects: &mut Effects<D>) -> &'static str {
        let outstanding = self.outstanding();
        if outstanding >= self.window {
            return "refuse";
        }
        let seq = self.nextseqnum;
        self.sndpkt[place(seq)] = Some(data.clone());
        self.nextseqnum = self.modulus.next(seq);
        effects.udt_send(Packet::Data { seq, data });
        if outstanding > 0 {
            return "send";
        }
        effects.start_timer(Tag::Oldest);
        "send-first"
    }

    fn acknowledge(&mut self, acknum: Seq, effects: &mut Effects<D>) -> &'static str {
        let fresh = match self.slip {
            Slip::StaleAckMovesBase => acknum < self.modulus.count() && self.outstanding() > 0,
            Slip::ComparesInLine => self.base <= acknum && acknum < self.nextseqnum,
            Slip::None | Slip::KeepsMarks => {
                self.modulus.in_window(acknum, self.base, self.outstanding())
            }
        };
        if !fresh {
            return "old-ack";
        }
        self.base = self.modulus.next(acknum);
        if self.base == self.nextseqnum {
            effects.stop_timer(Tag::Oldest);
            return "acked-all";
        }
        effects.start_timer(Tag::Oldest);
        "acked-some"
    }

    fn timeout(&self, effects: &mut Effects<D>) -> &'static str {
        let outstanding = self.outstanding();
        if outstanding == 0 {
            return "late-timer";
        }
        effects.start_timer(Tag::Oldest);
        for offset in 0..outstanding {
            let seq = self.modulus.add(self.base, offset);
            if let Some(data) = self.sndpkt[place(seq)].clone() {
                effects.udt_send(Packet::Data { seq, data });
            }
        }
        "timeout"
    }
}

impl<D: Datum> Machine<D> for ArraySender<D> {
    type State = WaitState;

    fn state(&self) -> WaitState {
        self.state
    }

    fn step(&mut self, input: Input<D>, effects: &mut Effects<D>) -> Fired<WaitState> {
        let name = match input {
            Input::Send(data) => self.send(data, effects),
            Input::Arrive(Packet::Ack { seq }) => self.acknowledge(seq, effects),
            Input::Expire(_) => self.timeout(effects),
            Input::ArriveCorrupt => "garbled",
            Input::Arrive(Packet::Data { .. } | Packet::Nak { .. }) => "not-ack",
        };
        Fired::take(&mut self.state, label(&GBN_RULES, name), WaitState::Wait)
    }

    fn table(&self) -> Vec<Transition> {
        GBN_RULES.clone()
    }
}

impl<D: Datum> SenderMachine<D> for ArraySender<D> {
    fn ready(&self) -> bool {
        self.outstanding() < self.window
    }
    fn unacked(&self) -> usize {
        place(self.outstanding())
    }
}

impl Protocol for ArrayGbn {
    const NAME: &'static str = GoBackN::NAME;
    const FIGURE: &'static str = GoBackN::FIGURE;
    const FIELDS: Fields = GoBackN::FIELDS;
    const TOLERATES: Channel = GoBackN::TOLERATES;

    type Sender<D: Datum> = ArraySender<D>;
    type Receiver<D: Datum> = gbn::Receiver<D>;

    fn sender<D: Datum>(&self) -> ArraySender<D> {
        ArraySender {
            state: WaitState::Wait,
            base: 0,
            nextseqnum: 0,
            sndpkt: places(self.modulus),
            window: self.window,
            modulus: self.modulus,
            slip: self.slip,
        }
    }
    fn receiver<D: Datum>(&self) -> gbn::Receiver<D> {
        honest_gbn(self.window, self.modulus).receiver()
    }
    fn tolerates(&self) -> Channel {
        honest_gbn(self.window, self.modulus).tolerates()
    }
    fn modulus(&self) -> Modulus {
        self.modulus
    }
    fn window(&self) -> u64 {
        self.window
    }
}

/// Selective repeat with an array for a receiver.
#[derive(Clone, Debug)]
pub(crate) struct ArraySr {
    pub(crate) honest: SelectiveRepeat,
    pub(crate) slip: Slip,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ArrayReceiver<D> {
    state: WaitState,
    rcv_base: Seq,
    rcvpkt: Vec<Option<D>>,
    window: u64,
    modulus: Modulus,
    slip: Slip,
}

impl<D: Datum> ArrayReceiver<D> {
    fn arrive(&mut self, n: Seq, data: D, effects: &mut Effects<D>) -> &'static str {
        let (m, base) = (self.modulus, self.rcv_base);
        if n >= m.count() {
            return "outside";
        }
        let inside = match self.slip {
            Slip::ComparesInLine => base <= n && n < base + self.window,
            _ => m.in_window(n, base, self.window),
        };
        if !inside {
            let old = m.in_window(n, m.add(base, m.count() - self.window), self.window);
            if old || self.slip == Slip::ComparesInLine {
                effects.udt_send(Packet::Ack { seq: n });
                return "again";
            }
            return "outside";
        }
        effects.udt_send(Packet::Ack { seq: n });
        let slot = &mut self.rcvpkt[place(n)];
        if slot.is_some() && self.slip != Slip::KeepsMarks {
            return "again";
        }
        *slot = Some(data);
        if n != base {
            return "buffer";
        }
        self.deliver(effects);
        "deliver"
    }

    /// Delivers what is in order, at most a window.
    fn deliver(&mut self, effects: &mut Effects<D>) {
        for _ in 0..self.window {
            let slot = &mut self.rcvpkt[place(self.rcv_base)];
            let next = if self.slip == Slip::KeepsMarks { slot.clone() } else { slot.take() };
            let Some(data) = next else { return };
            effects.deliver_data(data);
            self.rcv_base = self.modulus.next(self.rcv_base);
        }
    }
}

impl<D: Datum> Machine<D> for ArrayReceiver<D> {
    type State = WaitState;

    fn state(&self) -> WaitState {
        self.state
    }

    fn step(&mut self, input: Input<D>, effects: &mut Effects<D>) -> Fired<WaitState> {
        let name = match input {
            Input::Arrive(Packet::Data { seq, data }) => self.arrive(seq, data, effects),
            Input::ArriveCorrupt => "damaged",
            Input::Send(_)
            | Input::Arrive(Packet::Ack { .. } | Packet::Nak { .. })
            | Input::Expire(_) => "not-data",
        };
        Fired::take(&mut self.state, label(&SR_RULES, name), WaitState::Wait)
    }

    fn table(&self) -> Vec<Transition> {
        SR_RULES.clone()
    }
}

impl Protocol for ArraySr {
    const NAME: &'static str = SelectiveRepeat::NAME;
    const FIGURE: &'static str = SelectiveRepeat::FIGURE;
    const FIELDS: Fields = SelectiveRepeat::FIELDS;
    const TOLERATES: Channel = SelectiveRepeat::TOLERATES;

    type Sender<D: Datum> = sr::Sender<D>;
    type Receiver<D: Datum> = ArrayReceiver<D>;

    fn sender<D: Datum>(&self) -> sr::Sender<D> {
        self.honest.sender()
    }
    fn receiver<D: Datum>(&self) -> ArrayReceiver<D> {
        ArrayReceiver {
            state: WaitState::Wait,
            rcv_base: 0,
            rcvpkt: places(self.honest.modulus()),
            window: self.honest.window(),
            modulus: self.honest.modulus(),
            slip: self.slip,
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
