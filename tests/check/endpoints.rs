//! Whole endpoints, bytes and timers and all, under every placement of a few faults.

use std::{collections::VecDeque, convert::Infallible, time::Duration};

use rdtp::{
    batch::Batch,
    check::{Failure, Fault, Message, Oracle, Sweep, SweepReport, Violation},
    classic::{Config, Spec, Timeout},
    ecn::Ecn,
    endpoint::{Disposition, Endpoint, RecvMeta, Transmit},
    time::Instant,
    wire::Codec,
};

use super::*;

fn sweep(name: &str, sweep: Sweep) -> SweepReport {
    let spec = Spec::parse_even_if_illegal(name).unwrap();
    let codec = if spec.fields().checksum { Codec::default() } else { Codec::Bare };
    // Longer than a round trip of 20 ms, and shorter than a late datagram takes.
    let timeout = Timeout::Fixed(Duration::from_millis(30));
    let report = sweep.run(|role, peer| {
        spec.endpoint(Config { role, codec, timeout, ..Config::default() }, peer)
    });
    report.unwrap()
}

#[test]
fn what_is_tolerated_survives_every_placement_of_two_faults() {
    for name in ["rdt2.1", "rdt2.2", "rdt3.0", "gbn:3/4", "sr:2/4", "gbn", "sr"] {
        let spec: Spec = name.parse().unwrap();
        let mut channel = spec.tolerates();
        // Late copies overtake: where order matters, the channel does not copy.
        channel.duplicate &= channel.overtake == Overtake::Any;
        let report = sweep(name, Sweep { messages: 6, ..Sweep::over(channel) });
        assert_eq!(report.failure, None, "{name}");
        assert!(report.runs > 60, "{name}: {} runs", report.runs);
    }
}

#[test]
fn the_fewest_faults_that_break_each() {
    let one = |name, channel| {
        let report = sweep(name, Sweep { messages: 8, ..Sweep::over(channel) });
        let (placement, failure) = report.failure.unwrap_or_else(|| panic!("{name} survives"));
        (placement, failure)
    };
    let duplicate = Violation::Delivered { got: Message(0), expected: Message(1) };
    // Datagram 1 is the first ACK.
    let ack_damaged = (vec![(1, Fault::Corrupt)], Failure::Unsafe(duplicate));
    assert_eq!(one("rdt2.0", CORRUPTS), ack_damaged);
    let ack_ignored = (vec![(1, Fault::Corrupt)], Failure::Unfinished { delivered: 1 });
    assert_eq!(one("rdt2.0:ignore", CORRUPTS), ack_ignored);
    let lost = (vec![(0, Fault::Drop)], Failure::Unfinished { delivered: 0 });
    assert_eq!(one("rdt2.2", LOSES), lost);
    let (placement, failure) = one("gbn:4/4", LOSES);
    assert_eq!(placement, [(0, Fault::Drop)], "one lost packet, not four ACKs");
    assert!(matches!(failure, Failure::Unsafe(_)), "{failure:?}");
    let (placement, failure) = one("sr:3/4", LOSES);
    assert_eq!(placement.len(), 1, "one lost ACK, not three");
    assert!(matches!(failure, Failure::Unsafe(_)), "{failure:?}");
    let (placement, failure) = one("rdt3.0", REORDERS);
    assert!(placement.len() <= 2, "{placement:?}");
    assert!(matches!(failure, Failure::Unsafe(_)), "{failure:?}");
}

#[test]
fn placements_are_counted_right() {
    // 1 + 10 * 2 + C(10, 2) * 4 placements of at most two faults of two kinds on ten datagrams.
    let small = Sweep { datagrams: 10, ..Sweep::over(LOSES.corrupting()) };
    assert_eq!(sweep("gbn", small).runs, 1 + 20 + 45 * 4);
    assert_eq!(sweep("gbn", Sweep { faults: 0, ..small }).runs, 1);
    assert_eq!(sweep("gbn", Sweep::over(PERFECT)).runs, 1);
}

/// An endpoint that is none of the book's: asks questions 0, 1, 2, ... and repeats each until it is
/// answered, or answers every question with itself.
struct Quiz {
    peer: std::net::SocketAddr,
    /// The question, its answer awaited until then.
    asked: Option<(u8, Instant)>,
    /// Whether it looks at what the answer is to.
    careful: bool,
    outbox: VecDeque<u8>,
    answers: VecDeque<u8>,
}

impl Quiz {
    const PATIENCE: Duration = Duration::from_millis(30);

    fn new(node: usize, careful: bool) -> Self {
        let peer = Sweep::ADDRESSES[1 - node];
        Self { peer, asked: None, careful, outbox: VecDeque::new(), answers: VecDeque::new() }
    }

    fn ask(&mut self, now: Instant, question: u8) {
        self.asked = Some((question, now + Self::PATIENCE));
        self.outbox.push_back(question);
    }
}

impl Endpoint for Quiz {
    type Event = u8;

    fn handle_datagram(&mut self, _: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        assert_eq!(meta.source, self.peer);
        match self.asked {
            Some((question, _)) if datagram[0] == question || !self.careful => {
                self.asked = None;
                self.answers.push_back(datagram[0]);
            }
            None if self.peer == Sweep::ADDRESSES[0] => self.outbox.push_back(datagram[0]),
            Some(_) | None => {}
        }
        Disposition::Accepted
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some((question, _)) = self.asked.filter(|(_, until)| *until <= now) {
            self.ask(now, question);
        }
    }

    fn poll_transmit(&mut self, _: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        let byte = self.outbox.pop_front()?;
        assert!(batch.put(&[byte]));
        let (destination, ecn) = (self.peer, Ecn::NotEct);
        Some(Transmit { destination, source: None, ecn, size: 1, segment_size: None })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.asked.map(|(_, until)| until)
    }

    fn poll_event(&mut self) -> Option<u8> {
        self.answers.pop_front()
    }
}

/// Asks three questions and wants three answers.
#[derive(Default)]
struct Examiner {
    answered: u8,
}

impl Oracle<Quiz> for Examiner {
    type Failure = String;

    fn act(&mut self, now: Instant, nodes: &mut [Quiz; 2]) {
        if nodes[0].asked.is_none() && self.answered < 3 {
            nodes[0].ask(now, self.answered);
        }
    }

    fn hear(&mut self, node: usize, answer: u8) -> Result<(), String> {
        assert_eq!(node, 0);
        let expected = self.answered;
        self.answered += 1;
        if answer == expected { Ok(()) } else { Err(format!("{answer} to {expected}")) }
    }

    fn end(&mut self, _: &[Quiz; 2]) -> Result<(), String> {
        if self.answered == 3 { Ok(()) } else { Err(format!("{} answers", self.answered)) }
    }
}

#[test]
fn any_endpoint_can_be_swept() {
    let quiz = |sweep: &Sweep, careful| {
        let make = || {
            let nodes = [Quiz::new(0, careful), Quiz::new(1, careful)];
            Ok::<_, Infallible>((nodes, Examiner::default()))
        };
        sweep.run_with(make).unwrap()
    };
    let hostile = Sweep::over(LOSES.duplicating().overtaking(Overtake::Any));
    let careful = quiz(&hostile, true);
    assert_eq!(careful.failure, None);
    assert_eq!(careful.runs, 1 + 12 * 3 + 66 * 9);
    assert_eq!(quiz(&Sweep::over(LOSES), false).failure, None);
    // The late copy of the first question is answered while the third one is open.
    let careless = quiz(&hostile, false);
    let (placement, failure) = careless.failure.unwrap();
    assert_eq!((placement.len(), failure.as_str()), (1, "0 to 2"), "{placement:?}");
}
