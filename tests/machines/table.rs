//! The transition table and the behaviour agree: every step is an arrow of the table, causes what
//! the arrow promises, and every arrow is taken.

use std::collections::{BTreeSet, HashSet, VecDeque};

use rdtp::{
    classic::{
        Does, Effect, Effects, Input, Machine, Packet, Protocol, Spec, State, Visitor,
        diagram::{self, Notation},
    },
    trace::Tag,
};

/// Everything that can happen to a machine with numbers below `numbers`.
fn inputs(numbers: u64) -> Vec<Input<u8>> {
    let numbered = (0..numbers).flat_map(|seq| {
        [
            Input::Arrive(Packet::Data { seq, data: 7 }),
            Input::Arrive(Packet::Ack { seq }),
            Input::Arrive(Packet::Nak { seq }),
            Input::Expire(Tag::Packet(seq)),
        ]
    });
    [Input::Send(7), Input::ArriveCorrupt, Input::Expire(Tag::Oldest)]
        .into_iter()
        .chain(numbered)
        .collect()
}

/// Visits the machine's states breadth first; returns how many there are.
fn explore<M: Machine<u8>>(name: &str, machine: M, numbers: u64) -> usize {
    let table = machine.table();
    let names: BTreeSet<_> = table.iter().map(|arrow| arrow.rule.name).collect();
    assert!(!names.is_empty(), "{name} has no arrows");
    let mut taken = BTreeSet::new();
    let mut seen = HashSet::from([machine.clone()]);
    let mut frontier = VecDeque::from([machine]);
    let mut effects = Effects::default();
    while let Some(machine) = frontier.pop_front() {
        for input in inputs(numbers) {
            let mut next = machine.clone();
            let context = format!("{name} in {} on {input:?}", machine.state().label());
            let fired = next.step(input, &mut effects);
            assert_eq!(fired.from, machine.state(), "{context}");
            assert_eq!(fired.to, next.state(), "{context}");
            let arrow = table.iter().find(|arrow| {
                std::ptr::eq(arrow.rule, fired.rule)
                    && arrow.from == fired.from.label()
                    && arrow.to == fired.to.label()
            });
            let Some(arrow) = arrow else { panic!("{context}: no arrow {}", fired.rule.name) };
            assert!(
                Does::describes(arrow.rule.does, effects.as_slice()),
                "{context}: arrow {} promises {:?}, got {:?}",
                arrow.rule.name,
                arrow.rule.does,
                effects.as_slice()
            );
            if fired.rule.refuses.is_some() && fired.rule.does.is_empty() && fired.from == fired.to
            {
                assert_eq!(next, machine, "{context}: ignored, yet something changed");
            }
            effects.drain().for_each(drop);
            taken.insert(fired.rule.name);
            if seen.insert(next.clone()) {
                frontier.push_back(next);
            }
        }
    }
    assert_eq!(taken, names, "{name}: arrows that nothing takes");
    seen.len()
}

struct Explore<'a>(&'a str);

impl Visitor for Explore<'_> {
    type Output = (usize, usize);
    fn visit<P: Protocol>(self, protocol: P) -> (usize, usize) {
        // One number more than there are: garbage that passed the checksum.
        let numbers = protocol.modulus().count() + 1;
        let sender = explore(&format!("{} sender", self.0), protocol.sender::<u8>(), numbers);
        let receiver = explore(&format!("{} receiver", self.0), protocol.receiver::<u8>(), numbers);
        (sender, receiver)
    }
}

#[test]
fn every_step_is_an_arrow_and_every_arrow_is_taken() {
    let expected = [
        ("rdt1.0", (1, 1)),
        ("rdt2.0", (2, 1)),
        ("rdt2.0:ignore", (2, 1)),
        ("rdt2.0:ack", (2, 1)),
        ("rdt2.1", (4, 2)),
        ("rdt2.2", (4, 2)),
        ("rdt3.0", (4, 2)),
        ("rdt3.0:apprentice", (4, 2)),
        ("saw:5", (10, 5)),
    ];
    for (text, states) in expected {
        let spec: Spec = text.parse().unwrap();
        assert_eq!(spec.visit(Explore(text)), states, "{text}: states of sender and receiver");
    }
    for text in ["gbn:2/3", "gbn:3/4", "gbn:4/8", "sr:2/4", "sr:3/7"] {
        let spec: Spec = text.parse().unwrap();
        let (sender, receiver) = spec.visit(Explore(text));
        println!("{text}: {sender} sender states, {receiver} receiver states");
        assert!(sender > 2 && receiver > 1);
    }
}

/// Feeds both machines everything, in many orders.
struct Total;
impl Visitor for Total {
    type Output = ();
    fn visit<P: Protocol>(self, protocol: P) {
        let mut effects = Effects::default();
        let (mut sender, mut receiver) = (protocol.sender::<u8>(), protocol.receiver());
        for round in 0..200_usize {
            for input in inputs(7).into_iter().cycle().skip(round % 13).take(31) {
                let _ = sender.step(input.clone(), &mut effects);
                let _ = receiver.step(input, &mut effects);
                effects.drain().for_each(drop);
            }
        }
    }
}

#[test]
fn even_illegal_windows_are_total() {
    for text in ["gbn:4/4", "gbn:5/3", "sr:3/4", "sr:4/4", "sr:5/3"] {
        let spec = Spec::parse_even_if_illegal(text).unwrap();
        spec.visit(Total);
    }
}

struct Draw(Notation);

impl Visitor for Draw {
    type Output = [String; 2];
    fn visit<P: Protocol>(self, protocol: P) -> [String; 2] {
        let draw = |side: &str, table: &[_]| {
            diagram::draw(&format!("{} {side} ({})", P::NAME, P::FIGURE), table, self.0)
        };
        [
            draw("sender", &protocol.sender::<u8>().table()),
            draw("receiver", &protocol.receiver::<u8>().table()),
        ]
    }
}

#[test]
fn every_figure_can_be_drawn_in_every_notation() {
    for spec in Spec::book() {
        for notation in [Notation::Text, Notation::Mermaid, Notation::Dot] {
            for drawing in spec.visit(Draw(notation)) {
                assert!(drawing.lines().count() > 3, "{drawing}");
                assert!(drawing.contains("Kurose and Ross, figure"), "{drawing}");
            }
        }
    }
}

/// The comparison with the table has teeth: order and number of effects matter.
#[test]
fn a_promise_is_an_order_and_a_number() {
    use Does::{Deliver, DeliverEach, Start, Stop, Transmit, TransmitEach};
    let (send, start) = (Effect::Transmit(Packet::Ack { seq: 0 }), Effect::Start(Tag::Oldest));
    let (stop, deliver) = (Effect::Stop(Tag::Oldest), Effect::Deliver(7_u8));
    let all = [send.clone(), start.clone(), stop.clone(), deliver.clone()];
    assert!(Does::describes(&[Transmit, Start, Stop, Deliver], &all));
    for (at, one) in [Transmit, Start, Stop, Deliver].into_iter().enumerate() {
        for (nth, effect) in all.iter().enumerate() {
            assert_eq!(Does::describes(&[one], core::slice::from_ref(effect)), at == nth);
        }
    }
    assert!(!Does::describes(&[Transmit], &[send.clone(), send.clone()]));
    assert!(Does::describes(&[TransmitEach, Start], &[send.clone(), send, start]));
    assert!(!Does::describes(&[DeliverEach], &[deliver, stop]));
    assert!(!Does::describes::<u8>(&[DeliverEach], &[]));
}

#[test]
fn only_windows_have_room_for_more_than_one() {
    for spec in Spec::book() {
        struct Window;
        impl Visitor for Window {
            type Output = u64;
            fn visit<P: Protocol>(self, protocol: P) -> u64 {
                protocol.window()
            }
        }
        let windowed = matches!(spec, Spec::GoBackN(_) | Spec::SelectiveRepeat(_));
        assert_eq!(spec.visit(Window), if windowed { 32 } else { 1 }, "{spec}");
    }
}
