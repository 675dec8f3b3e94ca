//! Rule 9: peers that never stop, applications that never listen, and what an end then holds.

use core::time::Duration;

use rdtp::{
    batch::Batch,
    endpoint::{Endpoint, RecvMeta},
    time::Instant,
};

use crate::{
    play::drain,
    subject::{self, ADDRESSES, Case, QUEUE, address},
};

/// Messages of the conversation that the flood is made of.
const MESSAGES: usize = 400;

/// Everything that two diligent ends say to each other, each datagram with its sender. Intact and
/// in step, so that a victim who hears it can be led through every state.
fn conversation(case: &Case) -> Vec<(usize, Vec<u8>)> {
    let (mut ends, mut said, mut now) = (case.ends(), Vec::new(), Instant::ZERO);
    let (mut offered, mut space) = ([0; 2], [0; 2048]);
    loop {
        let before = said.len();
        for at in 0..2 {
            while offered[at] < MESSAGES && ends[at].offer(now, &case.message(offered[at])) {
                offered[at] += 1;
            }
            loop {
                let mut batch = Batch::new(&mut space);
                if ends[at].poll_transmit(now, &mut batch).is_none() {
                    break;
                }
                for datagram in batch.segments() {
                    let meta = RecvMeta::from(ADDRESSES[at]);
                    let _ = ends[1 - at].handle_datagram(now, meta, datagram);
                    while ends[1 - at].poll_event().is_some() {}
                    said.push((at, datagram.to_vec()));
                }
            }
            while ends[at].poll_event().is_some() {}
        }
        if said.len() == before {
            // Nothing moves without a timer: the small queues lost something.
            let next = ends.iter().filter_map(Endpoint::poll_timeout).min();
            let Some(next) = next.filter(|_| offered[0] < MESSAGES) else { return said };
            now = now.max(next);
            for end in &mut ends {
                end.handle_timeout(now);
            }
        }
        if said.len() > 20 * MESSAGES {
            return said;
        }
    }
}

/// Floods one end of a case with what the other said, in copies, damaged, and from strangers, while
/// its own application asks for more and takes nothing.
fn flood(case: &Case, victim: usize, said: &[(usize, Vec<u8>)]) {
    let mut end = case.ends().into_iter().nth(victim).unwrap();
    let mut now = Instant::ZERO;
    let mut taken = 0;
    for (n, (_, datagram)) in said.iter().enumerate() {
        now += Duration::from_micros(700);
        let host = u8::try_from(n % 200 + 3).unwrap();
        let mut damaged = datagram.clone();
        if let Some(byte) = damaged.get_mut(n % datagram.len().max(1)) {
            *byte ^= 1;
        }
        for bytes in [datagram, datagram, &damaged] {
            let peer = RecvMeta::from(ADDRESSES[1 - victim]);
            let _ = end.handle_datagram(now, peer, bytes);
            let _ = end.handle_datagram(now, RecvMeta::from(address(host)), bytes);
        }
        taken += usize::from(end.offer(now, &case.message(taken)));
        if end.poll_timeout().is_some_and(|due| due <= now) {
            end.handle_timeout(now);
        }
    }
    let (events, datagrams) = drain(&mut *end, now);
    let (name, limit) = (&case.name, case.holds_max);
    assert!(events <= limit, "{name}: {events} events held, at most {limit}");
    assert!(datagrams <= limit, "{name}: {datagrams} datagrams held, at most {limit}");
}

#[test]
fn a_flood_fills_no_queue_beyond_its_limit() {
    for case in subject::all(true) {
        let said = conversation(&case);
        let gives_up = case.sound.is_none();
        let least = if case.merges { MESSAGES / 20 } else { MESSAGES };
        assert!(gives_up || said.len() >= least, "{}: only {} datagrams", case.name, said.len());
        (0..2).for_each(|victim| flood(&case, victim, &said));
    }
}

/// An application that sends without end into silence.
#[test]
fn a_silent_peer_leaves_a_bounded_queue() {
    for case in subject::all(true).iter().filter(|case| !case.name.starts_with("exercise")) {
        let mut end = case.ends().into_iter().next().unwrap();
        let taken = (0..1000).take_while(|n| end.offer(Instant::ZERO, &case.message(*n))).count();
        assert!(taken >= QUEUE, "{}: only {taken} taken", case.name);
        assert!(taken <= case.holds_max, "{}: {taken} taken", case.name);
    }
}
