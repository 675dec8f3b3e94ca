//! Client and server over a wire without faults of its own, in virtual time.

use super::*;
use crate::{
    batch::Batch,
    classic::{Protocol, rdt21::Rdt21, rdt22::Rdt22, rdt30::StopAndWait},
    endpoint::{Disposition, DropReason, Endpoint, RecvMeta},
    time::Instant,
    wire::{
        Kind,
        lab::{DataMessage, Honesty, LabChecksum},
    },
};
use alloc::{vec, vec::Vec};
use core::{net::SocketAddr, time::Duration};

fn addr(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Hands over what either side sends until both are idle; what was on the wire.
fn exchange<P: Protocol>(
    now: Instant,
    client: &mut Client<P>,
    server: &mut Server<P>,
) -> Vec<Vec<u8>> {
    let mut wire = Vec::new();
    let mut space = [0; 2000];
    loop {
        let mut moved = false;
        let mut batch = Batch::new(&mut space);
        if let Some(transmit) = client.poll_transmit(now, &mut batch) {
            assert_eq!(transmit.destination, addr(PORT));
            let _ = server.handle_datagram(now, RecvMeta::from(addr(50_000)), batch.as_bytes());
            wire.push(batch.as_bytes().to_vec());
            moved = true;
        }
        let mut batch = Batch::new(&mut space);
        if let Some(transmit) = server.poll_transmit(now, &mut batch) {
            assert_eq!(transmit.destination, addr(50_000));
            let _ = client.handle_datagram(now, RecvMeta::from(addr(PORT)), batch.as_bytes());
            wire.push(batch.as_bytes().to_vec());
            moved = true;
        }
        if !moved {
            return wire;
        }
    }
}

struct Run<P: Protocol> {
    now: Instant,
    client: Client<P>,
    server: Server<P>,
    events: Vec<ClientEvent>,
}

impl<P: Protocol> Run<P> {
    fn new(protocol: P, faults: Faults, list: Vec<i32>) -> Self {
        let config = ClientConfig { faults, ..ClientConfig::new(addr(PORT), 50_000) };
        let client = Client::new(&protocol, config, list, Seed::new(1));
        let server = Server::new(protocol, ServerConfig::default());
        Self { now: Instant::ZERO, client, server, events: Vec::new() }
    }

    /// Does an action and follows the client's deadlines until it is finished.
    fn act(&mut self, action: Action) {
        self.client.act(self.now, action).unwrap();
        for turns in 0.. {
            assert!(turns < 100, "the client does not come to rest");
            exchange(self.now, &mut self.client, &mut self.server);
            self.events.extend(core::iter::from_fn(|| self.client.poll_event()));
            if self.client.ready() || self.client.ending().is_some() {
                return;
            }
            let deadline = self.client.poll_timeout().expect("a busy client has a deadline");
            assert!(deadline > self.now, "deadlines are in the future");
            self.now = deadline;
            self.client.handle_timeout(self.now);
        }
    }

    fn lists(&self) -> (Vec<i32>, Vec<i32>, Vec<i32>, Vec<i32>) {
        let lists = self.server.lists(addr(50_000)).unwrap();
        (
            lists.as_received().iter().filter_map(|arrival| arrival.value).collect(),
            lists.corrected(),
            lists.duplicates().flatten().collect(),
            lists.corrupted().flatten().collect(),
        )
    }

    fn faults(&self) -> Vec<Fault> {
        let fault = |event: &ClientEvent| match event {
            ClientEvent::Sent { fault, .. } => *fault,
            _ => None,
        };
        self.events.iter().filter_map(fault).collect()
    }
}

/// S2-04, S2-05: the next number is the first of the list; the list empties; it ends.
#[test]
fn s2_05_sends_the_first_of_the_list_until_it_is_empty() {
    fn run<P: Protocol>(protocol: P) {
        let mut run = Run::new(protocol, Faults::Seed, vec![7, 8, -1]);
        for left in [vec![8, -1], vec![-1], vec![]] {
            run.act(Action::Correct);
            assert!(run.client.remaining().eq(&left));
        }
        assert_eq!(run.client.ending(), Some(Ending::Done));
        assert_eq!(run.client.act(run.now, Action::Correct), Err(NotNow));
        assert_eq!(run.lists(), (vec![7, 8, -1], vec![7, 8, -1], vec![], vec![]));
    }
    run(Rdt21);
    run(Rdt22);
    run(StopAndWait::RDT30);
}

/// S2-13, S2-14, C12: a wrong checksum is answered and the number sent again, correctly.
#[test]
fn s2_14_loss_as_in_the_exercise() {
    fn run<P: Protocol>(protocol: P, answer: (Kind, u8), by_timer: bool) {
        let mut run = Run::new(protocol, Faults::Seed, vec![7, 8, -1]);
        run.act(Action::Correct);
        run.events.clear();
        run.act(Action::Loss);
        assert_eq!(run.faults(), [Fault::Corrupt]);
        assert!(run.events.contains(&ClientEvent::Confirmed { value: 8 }));
        assert!(run.events.iter().any(|event| matches!(event,
            ClientEvent::Answered { kind, seq, resends, .. }
                if (*kind, *seq) == answer && *resends != by_timer)));
        assert_eq!(run.events.contains(&ClientEvent::TimedOut), by_timer);
        assert_eq!(run.lists(), (vec![7, 8, 8], vec![7, 8], vec![], vec![8]));
    }
    run(Rdt21, (Kind::Nak, 0), false);
    // Packet 1 is damaged: rdt 2.2 acknowledges 0 again.
    run(Rdt22, (Kind::Ack, 0), false);
    run(StopAndWait::RDT30, (Kind::Ack, 0), true);
}

/// S2-13, C13: new data under the number of the packet before is discarded, then sent correctly.
#[test]
fn s2_13_duplicate_as_in_the_exercise() {
    fn run<P: Protocol>(protocol: P) {
        let mut run = Run::new(protocol, Faults::Seed, vec![7, 8, -1]);
        run.act(Action::Duplicate);
        run.act(Action::Duplicate);
        assert_eq!(run.faults(), [Fault::StaleNumber; 2]);
        assert_eq!(run.lists(), (vec![7, 7, 8, 8], vec![7, 8], vec![7, 8], vec![]));
    }
    run(Rdt22);
    run(StopAndWait::RDT30);
}

/// rdt 2.1 would lose data to a stale number, because its ACK has none; it gets a copy instead.
#[test]
fn rdt21_gets_a_copy_for_a_stale_number() {
    let mut run = Run::new(Rdt21, Faults::Seed, vec![7, 8, -1]);
    run.act(Action::Duplicate);
    assert_eq!(run.faults(), [Fault::Copy]);
    assert_eq!(run.lists(), (vec![7, 7], vec![7], vec![7], vec![]));
}

/// C13: a true copy. Its second answer must not be taken for an answer to the next number.
#[test]
fn c13_true_copies() {
    fn run<P: Protocol>(protocol: P) {
        let mut run = Run::new(protocol, Faults::Real, vec![7, 8, 9, -1]);
        for action in [Action::Duplicate, Action::Duplicate, Action::Correct, Action::Correct] {
            run.act(action);
        }
        assert_eq!(run.faults(), [Fault::Copy; 2]);
        assert_eq!(run.now, Instant::ZERO, "nothing had to be waited for");
        assert_eq!(run.lists(), (vec![7, 7, 8, 8, 9, -1], vec![7, 8, 9, -1], vec![7, 8], vec![]));
    }
    run(Rdt21);
    run(Rdt22);
    run(StopAndWait::RDT30);
}

/// C12: true loss. rdt 3.0's timer repairs it; the others wait for ever.
#[test]
fn c12_true_loss() {
    fn deadlocks<P: Protocol>(protocol: P) {
        let mut run = Run::new(protocol, Faults::Real, vec![7, 8, -1]);
        run.act(Action::Correct);
        run.act(Action::Loss);
        let ending = Ending::Deadlock { value: 8, dropped: true };
        assert_eq!(run.client.ending(), Some(ending));
        assert_eq!(run.now.since_epoch(), Duration::from_secs(2), "after the patience");
        assert!(run.client.remaining().eq(&[8, -1]));
        assert_eq!(run.lists().1, [7]);
    }
    deadlocks(Rdt21);
    deadlocks(Rdt22);
    let mut run = Run::new(StopAndWait::RDT30, Faults::Real, vec![7, 8, -1]);
    run.act(Action::Correct);
    run.act(Action::Loss);
    assert_eq!(run.now.since_epoch(), Duration::from_secs(1), "after the timer");
    assert!(run.events.contains(&ClientEvent::TimedOut));
    assert_eq!(run.lists(), (vec![7, 8], vec![7, 8], vec![], vec![]));
}

/// S2-04, C14: shuffling moves the application's numbers, not the protocol's.
#[test]
fn s2_04_shuffle() {
    let list: Vec<i32> = (500..520).chain([LAST]).collect();
    let mut run = Run::new(Rdt22, Faults::Seed, list.clone());
    run.act(Action::Shuffle);
    let shuffled: Vec<i32> = run.client.remaining().copied().collect();
    assert_ne!(shuffled, list);
    while run.client.ending().is_none() {
        run.act(Action::Correct);
    }
    let (received, corrected, duplicates, corrupted) = run.lists();
    assert_eq!((received, corrected), (shuffled, list));
    assert!(duplicates.is_empty() && corrupted.is_empty());
}

#[test]
fn s2_04_quit() {
    let mut run = Run::new(Rdt22, Faults::Seed, vec![7, -1]);
    run.act(Action::Correct);
    run.act(Action::Quit);
    assert_eq!(run.client.ending(), Some(Ending::Quit));
    assert!(run.client.remaining().eq(&[-1]));
}

/// S2-06: a random strategy, the same for the same seed.
#[test]
fn s2_06_random_strategy() {
    let pick = |seed, loss, duplicate| {
        let (loss, duplicate) = (Probability::percent(loss), Probability::percent(duplicate));
        let mut strategy = Strategy::new(loss, duplicate, Seed::new(seed));
        (0..1000).map(|_| strategy.next_action()).collect::<Vec<_>>()
    };
    let count = |actions: &[Action], action| actions.iter().filter(|a| **a == action).count();
    let actions = pick(1, 20, 25);
    assert!((160..240).contains(&count(&actions, Action::Loss)));
    assert!((160..240).contains(&count(&actions, Action::Duplicate)), "25 % of the other 80 %");
    assert_eq!(actions, pick(1, 20, 25));
    assert_ne!(actions, pick(2, 20, 25));
    assert!(pick(3, 0, 0).iter().all(|action| *action == Action::Correct));
}

/// S2-01: a random session under every protocol that the faults allow arrives complete and sorted.
#[test]
fn s2_01_random_sessions() {
    fn run<P: Protocol>(protocol: P, faults: Faults, seed: u64) {
        let list = input::generate(Seed::new(seed), 30).unwrap();
        let mut run = Run::new(protocol, faults, list.clone());
        let percent = Probability::percent(30);
        let mut strategy = Strategy::new(percent, percent, Seed::new(seed));
        run.act(Action::Shuffle);
        while run.client.ending().is_none() {
            run.act(strategy.next_action());
        }
        assert_eq!(run.client.ending(), Some(Ending::Done));
        assert_eq!(run.lists().1, list);
    }
    for seed in 0..20 {
        run(Rdt21, Faults::Seed, seed);
        run(Rdt22, Faults::Seed, seed);
        run(StopAndWait::RDT30, Faults::Seed, seed);
        run(StopAndWait::RDT30, Faults::Real, seed);
    }
}

/// Sides that do not speak the same protocol repeat themselves; the client gives up.
#[test]
fn gives_up() {
    let config = ClientConfig::new(addr(PORT), 50_000);
    let mut client = Client::new(&Rdt22, config, vec![7, -1], Seed::new(1));
    client.act(Instant::ZERO, Action::Correct).unwrap();
    let wrong = crate::wire::lab::ReplyMessage {
        source_port: PORT,
        destination_port: 50_000,
        ack: true,
        seq: 1,
    }
    .encode(LabChecksum::Internet, Honesty::Honest);
    let mut sent = 0;
    let mut space = [0; 100];
    while client.ending().is_none() {
        while client.poll_transmit(Instant::ZERO, &mut Batch::new(&mut space)).is_some() {
            sent += 1;
        }
        let _ = client.handle_datagram(Instant::ZERO, RecvMeta::from(addr(PORT)), &wrong);
    }
    assert_eq!((sent, client.ending()), (20, Some(Ending::GaveUp { value: 7, attempts: 20 })));
}

/// S2-08: the server reports a complete list once the client is quiet, an incomplete one later.
#[test]
fn s2_08_reports() {
    let mut run = Run::new(Rdt22, Faults::Seed, vec![7, 8, -1]);
    let drain = |server: &mut Server<Rdt22>| {
        core::iter::from_fn(|| server.poll_event())
            .filter_map(|event| match event {
                ServerEvent::Quiet { complete, .. } => Some(complete),
                ServerEvent::Arrived { .. } => None,
            })
            .collect::<Vec<_>>()
    };
    let second = |n| Instant::ZERO + Duration::from_secs(n);
    run.act(Action::Correct);
    assert_eq!(drain(&mut run.server), []);
    assert_eq!(run.server.poll_timeout(), Some(second(1)));
    run.server.handle_timeout(second(1));
    assert_eq!((drain(&mut run.server), run.server.poll_timeout()), (vec![], Some(second(10))));
    run.server.handle_timeout(second(10));
    assert_eq!((drain(&mut run.server), run.server.poll_timeout()), (vec![false], None));
    run.now = second(20);
    run.act(Action::Correct);
    run.act(Action::Correct);
    drain(&mut run.server);
    run.server.handle_timeout(second(21));
    assert_eq!((drain(&mut run.server), run.server.poll_timeout()), (vec![true], None));
}

/// Nothing that comes from the network panics or grows without bound.
#[test]
fn garbage_is_bounded() {
    let config = ServerConfig { sessions_max: 3, ..ServerConfig::default() };
    let mut server = Server::new(Rdt21, config);
    let mut rng = Seed::new(5).rng();
    for i in 0..2000_u64 {
        let now = Instant::from_nanos(i);
        let mut bytes = vec![0; usize::try_from(rng.below(120)).unwrap()];
        rng.fill(&mut bytes);
        let port = u16::try_from(1000 + i % 7).unwrap();
        let disposition = server.handle_datagram(now, RecvMeta::from(addr(port)), &bytes);
        assert!(matches!(disposition, Disposition::Discarded(DropReason::Damaged(_))));
    }
    assert_eq!(server.peers().count(), 3);
    let waiting =
        core::iter::from_fn(|| server.poll_transmit(Instant::ZERO, &mut Batch::new(&mut [0; 100])));
    assert_eq!(waiting.count(), Server::<Rdt21>::OUTBOX_MAX);
}

/// S2-13: the number of a damaged message is read as far as it is legible.
#[test]
fn s2_09_corrupted_numbers_are_legible() {
    let message = DataMessage { source_port: 1, destination_port: 2, seq: 0, value: 42 };
    let sent = message.encode(LabChecksum::Internet, Honesty::Corrupt);
    assert_eq!(DataMessage::as_it_stands(&sent), Some(message));
    assert_eq!(DataMessage::as_it_stands(&sent[1..]), None);
}
