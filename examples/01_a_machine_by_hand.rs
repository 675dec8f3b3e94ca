//! What a protocol of the textbook is: a machine that takes one input at a time and says what it
//! wants done. Here rdt 3.0's two machines are stepped by hand, you being the network and the
//! timer: a message arrives, the next is lost and repaired by a timeout, and an ACK is lost, so that
//! its message arrives twice and is delivered once.
//!
//! Read it beside figures 3.14 and 3.15 of Kurose and Ross. Run it with
//!
//! ```text
//! cargo run --example 01_a_machine_by_hand
//! ```

use rdtp::{
    classic::{
        Effect, Effects, Fired, Input, Machine, Packet, Protocol, State, Transition,
        rdt30::StopAndWait,
    },
    trace::Tag,
};

/// A machine works on any kind of message: it never looks inside.
type Message = &'static str;

pub(crate) fn main() {
    let mut sender = StopAndWait::RDT30.sender::<Message>();
    let mut receiver = StopAndWait::RDT30.receiver::<Message>();
    println!("The sender is in \"{}\",", sender.state().label());
    println!("the receiver in \"{}\".\n", receiver.state().label());

    println!("1. A message and its ACK arrive.");
    let data = packet(step("sender", &mut sender, Input::Send("hello")));
    let ack = packet(step("receiver", &mut receiver, Input::Arrive(data)));
    step("sender", &mut sender, Input::Arrive(ack));

    println!("\n2. The next packet is lost. Nothing happens until the timer runs out.");
    let lost = packet(step("sender", &mut sender, Input::Send("world")));
    println!("   the network loses {lost:?}");
    let again = packet(step("sender", &mut sender, Input::Expire(Tag::Oldest)));
    assert_eq!(again, lost, "the sender kept it");
    let ack = packet(step("receiver", &mut receiver, Input::Arrive(again)));

    println!(
        "\n3. This time the ACK is lost. The sender cannot know which it was: it sends again."
    );
    println!("   the network loses {ack:?}");
    let copy = packet(step("sender", &mut sender, Input::Expire(Tag::Oldest)));
    let effects = step("receiver", &mut receiver, Input::Arrive(copy));
    let delivered = effects.iter().any(|effect| matches!(effect, Effect::Deliver(_)));
    assert!(!delivered, "the number tells that it is a copy");
    let ack = packet(effects);
    step("sender", &mut sender, Input::Arrive(ack.clone()));

    println!("\n4. That ACK comes once more, late. Its number is old, so it is ignored.");
    step("sender", &mut sender, Input::Send("!"));
    step("sender", &mut sender, Input::Arrive(ack));
    println!("\nThe sender is in \"{}\": the timer still runs.", sender.state().label());
}

/// Gives a machine one input, and prints the arrow of the figure that it took.
fn step<M: Machine<Message>>(
    name: &str,
    machine: &mut M,
    input: Input<Message>,
) -> Vec<Effect<Message>> {
    let what = match &input {
        Input::Send(data) => format!("rdt_send({data:?})"),
        Input::Arrive(packet) => format!("rdt_rcv({packet:?})"),
        Input::ArriveCorrupt => "rdt_rcv(a damaged packet)".to_owned(),
        Input::Expire(_) => "timeout".to_owned(),
    };
    let mut effects = Effects::default();
    let Fired { rule, from, to } = machine.step(input, &mut effects);
    // The machine's table is its figure: here is the arrow that it took, with its label.
    let arrows = machine.table();
    let took = |arrow: &&Transition| arrow.rule == rule && arrow.from == from.label();
    let arrow = arrows.iter().find(took).expect("a machine takes no arrow but those of its figure");
    println!("   {name}: {what}");
    println!("      {} -> {}", from.label(), to.label());
    println!("      {}", arrow.event());
    println!("      {}", rule.refuses.map_or_else(|| arrow.actions(), str::to_owned));
    effects.drain().collect()
}

/// The packet among the effects: what the network gets to carry.
fn packet(effects: Vec<Effect<Message>>) -> Packet<Message> {
    let sent = effects.into_iter().find_map(|effect| match effect {
        Effect::Transmit(packet) => Some(packet),
        Effect::Deliver(_) | Effect::Start(_) | Effect::Stop(_) => None,
    });
    sent.expect("this step sends something")
}
