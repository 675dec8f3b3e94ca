//! The transition table and the behaviour agree: every step is an arrow of the table, causes what
//! the arrow promises, and every arrow is taken.

use rdtp::{
    classic::{
        Does, Effect, Effects, Machine, Packet, Protocol, Spec, Visitor,
        diagram::{self, Notation},
    },
    trace::Tag,
};

use crate::walk::{explore, inputs};

struct Explore<'a>(&'a str);

impl Visitor for Explore<'_> {
    type Output = (usize, usize);
    fn visit<P: Protocol>(self, protocol: P) -> (usize, usize) {
        // One number more than there are: garbage that passed the checksum.
        let numbers = protocol.modulus().count() + 1;
        let sender = explore(protocol.sender::<u8>(), numbers);
        let receiver = explore(protocol.receiver::<u8>(), numbers);
        (
            sender.unwrap_or_else(|astray| panic!("{} sender {}", self.0, astray.what)),
            receiver.unwrap_or_else(|astray| panic!("{} receiver {}", self.0, astray.what)),
        )
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
