//! Sums from one side, and what the other makes of them.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::{recv::RepairReceiver, send::RepairSender, *};

const PACKET: usize = 1200;

fn sender(percent: u32) -> RepairSender {
    RepairSender::new(percent, PACKET, WINDOW_BYTES as u64)
}

fn frames(number: u64, len: usize) -> Vec<u8> {
    let byte = |at: usize| u8::try_from((number * 31 + at as u64) % 251).unwrap_or(0);
    (0..len).map(byte).collect()
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A repair packet: its number, what it says to hold (from, span, stride), and the sum.
type Leaving = (u64, (u64, u64, u64), Vec<u8>);

/// The repair packets that leave now, as they are numbered from `number` on.
fn leave(sender: &mut RepairSender, mut number: u64) -> Vec<Leaving> {
    let mut all = Vec::new();
    while sender.is_leaving() {
        let Some(Frame::Repair { behind, span, stride, sum }) = sender.next(number) else { break };
        all.push((number, (number - behind, span, stride), sum.to_vec()));
        number += 1;
    }
    all
}

#[test]
fn one_packet_is_repeated() {
    let mut sender = sender(100);
    sender.on_sent(7, &frames(7, 100), true);
    sender.finish(0, 0);
    let repairs = leave(&mut sender, 8);
    assert_eq!(repairs.len(), 1);
    assert_eq!(repairs[0].1, (7, 1, 1));
    let mut receiver = RepairReceiver::new(WINDOW_BYTES);
    receiver.on_repair(repairs[0].1, &repairs[0].2, |_| false);
    assert_eq!(receiver.poll(), Some((7, frames(7, 100))));
    assert!(
        !receiver.was_repaired(7),
        "nobody heard it yet: there may be no room for what it says"
    );
    receiver.on_heard(7);
    assert!(receiver.was_repaired(7) && !receiver.was_repaired(8) && receiver.count() == 1);
    assert_eq!(receiver.poll(), None);
}

#[test]
fn the_budget_is_kept() {
    for percent in [1, 5, 20, 100] {
        let mut sender = sender(percent);
        let (mut number, mut data, mut repair) = (0, 0, 0);
        for flight in 0..200_u64 {
            for _ in 0..=flight % 20 {
                sender.on_sent(number, &frames(number, 1000), true);
                (number, data) = (number + 1, data + 1000);
            }
            sender.finish(10, 100);
            for (_, _, sum) in leave(&mut sender, number) {
                (number, repair) = (number + 1, repair + sum.len());
            }
        }
        let most = data * index(percent.into()) / 100 + PACKET;
        assert!(repair <= most, "{percent} %: {repair} for {data}");
        assert!(repair * 2 >= most.min(data / 5), "{percent} %: {repair}, {most}");
    }
}

#[test]
fn more_where_more_is_lost() {
    let count = |lost| {
        let mut sender = sender(200);
        for number in 0..30 {
            sender.on_sent(number, &frames(number, 100), true);
        }
        sender.finish(lost, 1000);
        leave(&mut sender, 30).len()
    };
    assert_eq!([0, 30, 100].map(count), [2, 8, 8], "for 30 packets at 0, 3 and 10 %");
}

#[test]
fn nothing_leaves_for_nothing() {
    let mut sender = sender(100);
    sender.on_sent(1, &frames(1, 50), false);
    sender.finish(0, 0);
    assert!(!sender.is_leaving(), "nobody waits for it");
    sender.on_sent(2, &frames(2, 50), true);
    sender.on_sent(3, &frames(3, 50), false);
    sender.finish(0, 0);
    assert_eq!(leave(&mut sender, 4)[0].1, (2, 2, 2));
}

#[test]
fn a_number_that_was_skipped_begins_anew() {
    let mut sender = sender(100);
    sender.on_sent(1, &frames(1, 50), true);
    sender.on_sent(3, &frames(3, 50), true);
    sender.finish(0, 0);
    assert_eq!(leave(&mut sender, 4)[0].1, (3, 1, 1));
}

#[test]
fn a_late_packet_completes_a_sum_and_an_unremembered_one_spoils_it() {
    let mut sender = sender(100);
    for number in 1..=3 {
        sender.on_sent(number, &frames(number, 400), true);
    }
    sender.finish(0, 0);
    let repairs = leave(&mut sender, 4);
    let odd = repairs.iter().find(|(_, what, _)| *what == (1, 3, 2)).unwrap();
    let mut receiver = RepairReceiver::new(1000);
    receiver.on_repair(odd.1, &odd.2, |_| false);
    assert_eq!(receiver.poll(), None, "two are missing");
    receiver.on_packet(3, &frames(3, 400));
    assert_eq!(receiver.poll(), Some((1, frames(1, 400))));
    let mut forgetful = RepairReceiver::new(1000);
    forgetful.on_repair(odd.1, &odd.2, |number| number == 3);
    assert_eq!(forgetful.poll(), None);
}

proptest! {
    /// Whatever is lost and however it is put together: what is repaired is what was sent, each packet
    /// of which a sum misses no other is repaired, and no more is held than may be.
    #[test]
    fn what_is_repaired_was_sent(
        lens in prop::collection::vec(1..900_usize, 1..40),
        lost in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        late in any::<bool>(),
        bytes_max in prop_oneof![Just(WINDOW_BYTES), 0..8000_usize],
    ) {
        let mut sender = sender(200);
        let mut receiver = RepairReceiver::new(bytes_max);
        for (number, len) in lens.iter().enumerate() {
            sender.on_sent(number as u64, &frames(number as u64, *len), true);
        }
        sender.finish(50, 1000);
        let repairs = leave(&mut sender, lens.len() as u64);
        prop_assert!(!repairs.is_empty());
        let lost: Vec<u64> = lost.iter().map(|index| index.index(lens.len()) as u64).collect();
        let arrived: Vec<u64> =
            (0..lens.len() as u64).filter(|number| !lost.contains(number)).collect();
        let mut found = Vec::new();
        let mut arrive = |receiver: &mut RepairReceiver| {
            for &number in &arrived {
                if receiver.was_repaired(number) {
                    continue;
                }
                receiver.on_packet(number, &frames(number, lens[index(number)]));
                if let Some((number, frames)) = receiver.poll() {
                    // Now and then there is no room.
                    if number % 3 > 0 {
                        receiver.on_heard(number);
                    }
                    found.push((number, frames));
                }
            }
        };
        if !late {
            arrive(&mut receiver);
        }
        for (_, what, sum) in &repairs {
            receiver.on_repair(*what, sum, |number| !late && arrived.contains(&number));
        }
        if late {
            arrive(&mut receiver);
        }
        found.extend(core::iter::from_fn(|| receiver.poll()));
        for (number, got) in &found {
            prop_assert!(lost.contains(number) || late, "found before it arrived");
            prop_assert_eq!(got, &frames(*number, lens[index(*number)]));
        }
        let spare = 8 * 2048 + 40 * 1024;
        prop_assert!(receiver.memory_bytes() <= 2 * bytes_max + spare, "{}", receiver.memory_bytes());
        if bytes_max == WINDOW_BYTES {
            for (_, (first, span, stride), _) in &repairs {
                let of: Vec<u64> = (*first..first + span).step_by(index(*stride)).collect();
                let missing: Vec<&u64> = of.iter().filter(|number| lost.contains(number)).collect();
                if let [missing] = missing[..] {
                    prop_assert!(found.iter().any(|(number, _)| number == missing));
                }
            }
        }
    }

    /// Sums of anything: no panic, no growth.
    #[test]
    fn nonsense_is_borne(
        sums in prop::collection::vec(
            (any::<u64>(), 1..200_u64, 1..70_u64, prop::collection::vec(any::<u8>(), 2..60)), 0..40),
        packets in prop::collection::vec((0..300_u64, prop::collection::vec(any::<u8>(), 0..60)), 0..40),
    ) {
        let mut receiver = RepairReceiver::new(500);
        for ((first, span, stride, sum), (number, frames)) in sums.iter().zip(&packets) {
            receiver.on_repair((first % 300, *span, *stride), sum, |_| false);
            receiver.on_repair((*first, *span, *stride), sum, |_| false);
            receiver.on_packet(*number, frames);
            (0..20).for_each(|_| drop(receiver.poll()));
            prop_assert!(receiver.memory_bytes() < 60_000);
        }
    }
}

#[test]
fn a_sum_has_the_lengths_in_front() {
    let mut sum = Vec::new();
    add(&mut sum, &[1, 2, 3]);
    assert_eq!(sum, [0, 3, 1, 2, 3]);
    add(&mut sum, &[1, 2]);
    assert_eq!(sum, [0, 1, 0, 0, 3]);
    assert_eq!(summand(&[9; DATA_HEADER_BYTES + 1]), [9]);
}
