//! Schedules of calls by chance, which shrink.

use proptest::{collection::vec, prelude::*};

use crate::play::Op;

pub(crate) fn ops() -> impl Strategy<Value = Vec<Op>> {
    let (at, nth) = (0..2_usize, 0..6_usize);
    let way = (at.clone(), nth);
    let garbage = prop_oneof![
        vec(any::<u8>(), 0..120),
        // Nearly right: the compact format's version and kinds, the lab format's digits.
        vec(prop_oneof![Just(0xd1), Just(0x44), Just(0xbc), Just(0x5b), any::<u8>()], 0..24),
        vec(prop_oneof![Just(b'0'), Just(b'1')], 60..100),
        (0..70_000_usize).prop_map(|len| vec![0xd1; len]),
    ];
    let op = prop_oneof![
        8 => at.clone().prop_map(|at| Op::Offer { at }),
        1 => at.clone().prop_map(|at| Op::Fill { at }),
        12 => (at.clone(), 0..2000_usize, 1..6_usize).prop_map(|(at, room, segments)| {
            // Every other time with room for anything.
            Op::Transmit { at, room: if room < 1000 { 2048 } else { room - 1000 }, segments }
        }),
        8 => at.clone().prop_map(|at| Op::Event { at }),
        6 => at.clone().prop_map(|at| Op::Timeout { at }),
        1 => (at.clone(), any::<bool>()).prop_map(|(at, on)| Op::Trace { at, on }),
        6 => (1..80_u64).prop_map(|millis| Op::Wait { millis }),
        1 => (1..10_000_u64).prop_map(|hours| Op::Jump { hours }),
        14 => way.clone().prop_map(|(from, nth)| Op::Deliver { from, nth }),
        2 => way.clone().prop_map(|(from, nth)| Op::Lose { from, nth }),
        2 => way.clone().prop_map(|(from, nth)| Op::Duplicate { from, nth }),
        2 => (way, any::<u16>(), any::<bool>())
            .prop_map(|((from, nth), bit, cut)| Op::Corrupt { from, nth, bit, cut }),
        3 => (at, 1..9_u8, garbage).prop_map(|(at, host, bytes)| Op::Garbage { at, host, bytes }),
    ];
    vec(op, 0..200)
}
