//! How to bring a protocol of your own: two machines and the `Protocol` that ties them together.
//! The crate then gives it packets, timers, a simulator with a bad network, and real sockets, all
//! with the same code. These machines declare their transition tables, so that their figures can be
//! drawn; `examples/bring-your-own` shows how little is needed without, and the checker.
//!
//! The protocol here is rdt 3.0 with a NAK: a receiver that gets a damaged packet says so at once,
//! and the sender need not wait for its timer.
//! Run it with
//!
//! ```text
//! cargo run --example 02_your_own_protocol
//! ```

use std::{error::Error, time::Duration};

use rdtp::{
    channel::Channel,
    classic::{
        Config, Datum, Does, Effects, Fields, Fired, Input, Machine, Packet, Protocol, Rule,
        SenderMachine, State, Timeout, Transition, Verdict, rdt30::StopAndWait,
    },
    net::Loopback,
    seq::{Modulus, Seq},
    sim::Transfer,
    trace::{StateLabel, Tag},
};

const NUMBERS: Modulus = Modulus::new(2);

/// The states of the sender: the circles of its figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Sending {
    Call(Seq),
    Feedback(Seq),
}

/// The states of the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Receiving(Seq);

impl State for Sending {
    fn label(self) -> StateLabel {
        match self {
            Self::Call(k) => StateLabel::numbered("Wait for call # from above", k),
            Self::Feedback(k) => StateLabel::numbered("Wait for ACK # or NAK", k),
        }
    }
}

impl State for Receiving {
    fn label(self) -> StateLabel {
        StateLabel::numbered("Wait for # from below", self.0)
    }
}

// The labels of the arrows: a name, the event, the actions, and what kind of effects they have. `#`
// stands for the number of the state, `@` for the other one.
static SEND: Rule = Rule::new(
    "send",
    "rdt_send(data)",
    "sndpkt = make_pkt(#, data, checksum); udt_send(sndpkt); start_timer",
    &[Does::Transmit, Does::Start],
);
static AGAIN: Rule = Rule::new(
    "again",
    "timeout || rdt_rcv(rcvpkt) && isNAK(rcvpkt)",
    "udt_send(sndpkt); start_timer",
    &[Does::Transmit, Does::Start],
);
static ACKED: Rule =
    Rule::new("acked", "rdt_rcv(rcvpkt) && isACK(rcvpkt, #)", "stop_timer", &[Does::Stop]);
static DELIVER: Rule = Rule::new(
    "deliver",
    "rdt_rcv(rcvpkt) && has_seq#(rcvpkt)",
    "deliver_data(data); udt_send(make_pkt(ACK, #))",
    &[Does::Deliver, Does::Transmit],
);
static COPY: Rule = Rule::new(
    "copy",
    "rdt_rcv(rcvpkt) && has_seq@(rcvpkt)",
    "udt_send(make_pkt(ACK, @))",
    &[Does::Transmit],
)
.refusing("duplicate");
static DAMAGED: Rule = Rule::new(
    "damaged",
    "rdt_rcv(rcvpkt) && corrupt(rcvpkt)",
    "udt_send(make_pkt(NAK))",
    &[Does::Transmit],
)
.refusing("damaged: asking for it again");
static IGNORED: Rule = Rule::ignore("ignored", "anything else", "not what I wait for");

/// The sender: its state, and the packet that may have to be sent again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Sender<D> {
    state: Sending,
    sndpkt: Option<Packet<D>>,
}

impl<D: Datum> Sender<D> {
    fn send(&self, effects: &mut Effects<D>) {
        if let Some(sndpkt) = &self.sndpkt {
            effects.udt_send(sndpkt.clone());
            effects.start_timer(Tag::Oldest);
        }
    }
}

impl<D: Datum> Machine<D> for Sender<D> {
    type State = Sending;

    fn state(&self) -> Sending {
        self.state
    }

    fn step(&mut self, input: Input<D>, effects: &mut Effects<D>) -> Fired<Sending> {
        use Sending::{Call, Feedback};
        let (rule, to) = match (self.state, input) {
            (Call(k), Input::Send(data)) => {
                self.sndpkt = Some(Packet::Data { seq: k, data });
                self.send(effects);
                (&SEND, Feedback(k))
            }
            (Feedback(k), Input::Expire(_) | Input::Arrive(Packet::Nak { .. })) => {
                self.send(effects);
                (&AGAIN, Feedback(k))
            }
            (Feedback(k), Input::Arrive(Packet::Ack { seq })) if seq == k => {
                effects.stop_timer(Tag::Oldest);
                self.sndpkt = None;
                (&ACKED, Call(NUMBERS.next(k)))
            }
            (state, _) => (&IGNORED, state),
        };
        Fired::take(&mut self.state, rule, to)
    }

    fn table(&self) -> Vec<Transition> {
        let arrows = |k| {
            let (call, wait) = (Sending::Call(k), Sending::Feedback(k));
            [
                Transition::numbered(&SEND, call, wait, k, NUMBERS),
                Transition::numbered(&AGAIN, wait, wait, k, NUMBERS),
                Transition::numbered(&ACKED, wait, Sending::Call(NUMBERS.next(k)), k, NUMBERS),
                Transition::numbered(&IGNORED, call, call, k, NUMBERS),
                Transition::numbered(&IGNORED, wait, wait, k, NUMBERS),
            ]
        };
        (0..2).flat_map(arrows).collect()
    }
}

impl<D: Datum> SenderMachine<D> for Sender<D> {
    fn ready(&self) -> bool {
        matches!(self.state, Sending::Call(_))
    }

    fn unacked(&self) -> usize {
        usize::from(matches!(self.state, Sending::Feedback(_)))
    }
}

/// The receiver: the number that it waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Receiver(Receiving);

impl<D: Datum> Machine<D> for Receiver {
    type State = Receiving;

    fn state(&self) -> Receiving {
        self.0
    }

    fn step(&mut self, input: Input<D>, effects: &mut Effects<D>) -> Fired<Receiving> {
        let Receiving(k) = self.0;
        let (rule, to) = match input {
            Input::Arrive(Packet::Data { seq, data }) if seq == k => {
                effects.deliver_data(data);
                effects.udt_send(Packet::Ack { seq: k });
                (&DELIVER, NUMBERS.next(k))
            }
            Input::Arrive(Packet::Data { seq, .. }) => {
                effects.udt_send(Packet::Ack { seq });
                (&COPY, k)
            }
            Input::ArriveCorrupt => {
                effects.udt_send(Packet::Nak { seq: k });
                (&DAMAGED, k)
            }
            Input::Arrive(_) | Input::Send(_) | Input::Expire(_) => (&IGNORED, k),
        };
        Fired::take(&mut self.0, rule, Receiving(to))
    }

    fn table(&self) -> Vec<Transition> {
        let arrows = |k| {
            let (here, next) = (Receiving(k), Receiving(NUMBERS.next(k)));
            [
                Transition::numbered(&DELIVER, here, next, k, NUMBERS),
                Transition::numbered(&COPY, here, here, k, NUMBERS),
                Transition::numbered(&DAMAGED, here, here, k, NUMBERS),
                Transition::numbered(&IGNORED, here, here, k, NUMBERS),
            ]
        };
        (0..2).flat_map(arrows).collect()
    }
}

/// Sender and receiver together, and what they bear.
#[derive(Clone, Copy, Debug)]
struct Complaining;

impl Protocol for Complaining {
    const NAME: &'static str = "rdt3.0 with NAK";
    const FIGURE: &'static str = "yours to draw";
    const FIELDS: Fields = Fields { checksum: true, data_seq: true, feedback_seq: true };
    const TOLERATES: Channel = Channel::PERFECT.corrupting().losing().duplicating();

    type Sender<D: Datum> = Sender<D>;
    type Receiver<D: Datum> = Receiver;

    fn sender<D: Datum>(&self) -> Sender<D> {
        Sender { state: Sending::Call(0), sndpkt: None }
    }

    fn receiver<D: Datum>(&self) -> Receiver {
        Receiver(Receiving(0))
    }
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let messages: Vec<Vec<u8>> = (1..=200).map(|n| format!("message {n}").into_bytes()).collect();
    in_the_simulator(&Complaining, &messages)?;
    in_the_simulator(&StopAndWait::RDT30, &messages)?;
    over_real_sockets(&Complaining, &messages)
}

/// A bad network in virtual time: the same every time, and over in no time.
fn in_the_simulator<P: Protocol>(protocol: &P, messages: &[Vec<u8>]) -> Result<(), Box<dyn Error>> {
    let timeout = Timeout::Fixed(Duration::from_millis(100));
    let report = Transfer::new(messages.to_vec())
        .over("loss=2%,corrupt=20%,delay=10ms".parse()?)
        .config(Config { timeout, ..Config::default() })
        .seed(1)
        .run_protocol(protocol, &mut ())?;
    println!(
        "simulated, {:>18}: {}; {} messages in {:.1?} with {} datagrams and {} timeouts",
        P::NAME,
        report.verdict,
        report.delivered.len(),
        report.elapsed,
        report.datagrams,
        report.sender.timeouts,
    );
    Ok(())
}

/// The same between two sockets of this machine.
fn over_real_sockets<P: Protocol>(
    protocol: &P,
    messages: &[Vec<u8>],
) -> Result<(), Box<dyn Error>> {
    let report = Loopback::new(messages.to_vec()).run_protocol(protocol, &mut ())?;
    assert_eq!(report.verdict, Verdict::Intact, "the same messages in the same order");
    println!("over UDP,  {:>18}: {report}", P::NAME);
    Ok(())
}
