//! A protocol of one's own: stop-and-wait in which an ACK names the packet that is wanted next, as
//! in HDLC, and a NAK asks for the current one again, so that damage need not wait for the timer.
//! Its sender was written in a hurry: any ACK will do. See what finds that, and what it costs:
//!
//! ```text
//! cargo run              # the bug: the shortest story, the fewest faults, a bad seed
//! cargo run -- fixed     # the same with the number checked
//! ```

use std::{env, error::Error, fmt::Display, fs};

use rdtp::classic::{Datum, Effects, Fired, Input, Machine, Packet, Protocol, SenderMachine};
use rdtp::trace::{StateLabel, Tag};
use rdtp::{channel::Channel, check::Model, harness, net::Loopback, sim::Transfer};

/// The protocol, with its bug or without.
#[derive(Clone, Copy, Debug)]
struct NextPlease {
    checks_number: bool,
}

/// The sender: its number, 0 or 1, and its message until that is confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Sender<D> {
    checks_number: bool,
    seq: u64,
    message: Option<D>,
}

impl<D: Datum> Machine<D> for Sender<D> {
    type State = StateLabel;

    fn state(&self) -> StateLabel {
        let waits = self.message.is_some();
        StateLabel::numbered(if waits { "Wait for ACK of #" } else { "Wait for call #" }, self.seq)
    }

    fn step(&mut self, input: Input<D>, effects: &mut Effects<D>) -> Fired<StateLabel> {
        let (before, other) = (self.state(), 1 - self.seq);
        match (input, self.message.clone()) {
            (Input::Send(data), None)
            | (Input::Expire(_) | Input::Arrive(Packet::Nak { .. }), Some(data)) => {
                self.message = Some(data.clone());
                effects.udt_send(Packet::Data { seq: self.seq, data });
                effects.start_timer(Tag::Oldest);
            }
            (Input::Arrive(Packet::Ack { seq }), Some(_))
                if seq == other || !self.checks_number =>
            {
                effects.stop_timer(Tag::Oldest);
                (self.seq, self.message) = (other, None);
            }
            _ => return Fired::refused(before),
        }
        Fired::taken(before, self.state())
    }
}

impl<D: Datum> SenderMachine<D> for Sender<D> {
    fn unacked(&self) -> usize {
        self.message.iter().count()
    }
}

/// The receiver: the number it wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Receiver(u64);

impl<D: Datum> Machine<D> for Receiver {
    type State = StateLabel;

    fn state(&self) -> StateLabel {
        StateLabel::numbered("Wait for packet #", self.0)
    }

    fn step(&mut self, input: Input<D>, effects: &mut Effects<D>) -> Fired<StateLabel> {
        let before = Machine::<D>::state(self);
        match input {
            Input::Arrive(Packet::Data { seq, data }) if seq == self.0 => {
                self.0 = 1 - seq;
                effects.deliver_data(data);
                effects.udt_send(Packet::Ack { seq: self.0 });
                return Fired::taken(before, Machine::<D>::state(self));
            }
            Input::Arrive(_) => effects.udt_send(Packet::Ack { seq: self.0 }),
            Input::ArriveCorrupt => effects.udt_send(Packet::Nak { seq: self.0 }),
            Input::Send(_) | Input::Expire(_) => {}
        }
        Fired::refused(before)
    }
}

impl Protocol for NextPlease {
    const NAME: &'static str = "next-please";
    const TOLERATES: Channel = Channel::PERFECT.corrupting().losing().duplicating();
    type Sender<D: Datum> = Sender<D>;
    type Receiver<D: Datum> = Receiver;

    fn sender<D: Datum>(&self) -> Sender<D> {
        Sender { checks_number: self.checks_number, seq: 0, message: None }
    }

    fn receiver<D: Datum>(&self) -> Receiver {
        Receiver(0)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let protocol = NextPlease { checks_number: env::args().any(|word| word == "fixed") };
    let messages: Vec<Vec<u8>> = (0..20).map(|n| format!("message {n}").into_bytes()).collect();
    let network = || "loss=10%,dup=10%,corrupt=10%,delay=10ms".parse();
    let transfer = Transfer::new(messages.clone()).over(network()?);

    println!("CHECK: {}\n", Model::over(NextPlease::TOLERATES).check(&protocol));
    println!("PROPERTY TEST: {}\n", told(harness::property_test(&protocol, 500)));
    println!("CAMPAIGN: {}\n", told(transfer.campaign(&protocol, 0..200)));
    let sockets = Loopback::new(messages).over(network()?).run_protocol(&protocol, &mut ());
    println!("SOCKETS: {}\n", told(sockets));
    fs::write("next-please.svg", harness::ladder(&transfer, &protocol)?.to_svg())?;
    println!("LADDER: see next-please.svg");
    Ok(())
}

/// Either way in words.
fn told(outcome: Result<impl Display, impl Display>) -> String {
    outcome.map_or_else(|bad| bad.to_string(), |good| good.to_string())
}

#[cfg(test)]
mod tests;
