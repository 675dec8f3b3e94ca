//! A protocol that is no pair of machines: an [`Endpoint`] written by hand goes the same ways.
//!
//! It repeats the oldest unconfirmed message every 20 ms and numbers with 32 bits, so it bears any
//! channel that damages nothing: it has no checksum.

use core::{net::SocketAddr, time::Duration};
use std::collections::VecDeque;

use rdtp::{
    batch::Batch,
    channel::Channel,
    check::Sweep,
    classic::{Conversation, Event, Role, SendError},
    ecn::Ecn,
    endpoint::{Disposition, DropReason, Endpoint, RecvMeta, Transmit},
    harness::{Failure, Fault, Flaw, Play, Schedule, Strike, Way, schedules},
    sim::Transfer,
    time::Instant,
};

use super::indexed;

const EVERY: Duration = Duration::from_millis(20);

/// Both sides in one: what is sent goes out with its number, what arrives is confirmed with it.
struct Repeater {
    peer: SocketAddr,
    now: Instant,
    waiting: VecDeque<Vec<u8>>,
    /// The number of the first of those that wait.
    number: u32,
    again: Instant,
    expected: u32,
    /// A confirmation that must go out.
    confirm: Option<u32>,
    events: VecDeque<Event>,
}

impl Repeater {
    #[expect(clippy::unnecessary_wraps, reason = "drivers ask for endpoints that may be refused")]
    fn new(_: Role, peer: SocketAddr) -> Result<Self, core::convert::Infallible> {
        let (waiting, events, now) = (VecDeque::new(), VecDeque::new(), Instant::ZERO);
        let again = now;
        Ok(Self { peer, now, waiting, number: 0, again, expected: 0, confirm: None, events })
    }
}

impl Endpoint for Repeater {
    type Event = Event;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        self.now = now;
        let Some((head, message)) = datagram.split_first_chunk::<5>() else {
            return Disposition::Discarded(DropReason::NoReceiver);
        };
        if meta.source != self.peer {
            return Disposition::Discarded(DropReason::UnknownPeer);
        }
        let number = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        if head[0] == 0 {
            if number == self.expected {
                self.expected += 1;
                self.events.push_back(Event::Delivered(message.into()));
            }
            if number < self.expected {
                self.confirm = Some(number);
            }
        } else if number == self.number && self.waiting.pop_front().is_some() {
            self.number += 1;
            self.again = now;
            self.events.push_back(Event::Acknowledged { total: self.number.into() });
        }
        Disposition::Accepted
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
    }

    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        let (kind, number, message) = match self.confirm.take() {
            Some(number) => (1, number, &[][..]),
            None if now >= self.again && !self.waiting.is_empty() => {
                self.again = now + EVERY;
                (0, self.number, self.waiting[0].as_slice())
            }
            None => return None,
        };
        batch.write(message.len() + 5, |out| {
            out[0] = kind;
            out[1..5].copy_from_slice(&number.to_be_bytes());
            out[5..].copy_from_slice(message);
        });
        let (destination, size) = (self.peer, batch.len());
        Some(Transmit {
            destination,
            source: None,
            ecn: Ecn::NotEct,
            size,
            segment_size: batch.segment_size(),
        })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.confirm.is_some() || !self.events.is_empty() {
            return Some(self.now);
        }
        (!self.waiting.is_empty()).then_some(self.again)
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}

impl Conversation for Repeater {
    fn send(&mut self, now: Instant, message: &[u8]) -> Result<(), SendError> {
        self.now = now;
        self.waiting.push_back(message.to_vec());
        Ok(())
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// All that it bears: everything but damage.
const BEARS: Channel = Channel { corrupt: false, ..Channel::HOSTILE };

const NETWORK: &str = "loss=10%,dup=10%,reorder=10%,delay=2ms";

proptest::proptest! {
    #[test]
    fn it_survives_any_schedule_without_damage(schedule in schedules(BEARS)) {
        Play::new(indexed(12)).over(BEARS).run_with(&schedule, Repeater::new)?;
    }
}

#[test]
fn simulator_and_sweep_take_it_as_it_is() {
    let transfer = Transfer::new(indexed(30)).over(NETWORK.parse().unwrap());
    let tally = transfer.campaign_with(0..50, Repeater::new).unwrap();
    assert!(tally.runs == 50 && tally.lost > 0 && tally.copies > 0 && tally.overtaken > 0);

    let sweep = Sweep { faults: 1, ..Sweep::over(BEARS) }.run(Repeater::new).unwrap();
    assert!(sweep.failure.is_none() && sweep.runs > 30, "{sweep:?}");
}

#[cfg(feature = "net")]
#[test]
fn sockets_take_it_as_it_is() {
    let loopback = rdtp::net::Loopback::new(indexed(30)).over(NETWORK.parse().unwrap());
    let report = loopback.run_with(Repeater::new, &mut ()).unwrap();
    assert_eq!(report.verdict, rdtp::classic::Verdict::Intact);
}

#[test]
fn damage_is_found_and_told() {
    let fault = Fault::Corrupt { bit: 41 };
    let schedule = Schedule(vec![Strike { way: Way::Up, nth: 2, fault }]);
    let play = Play::new(indexed(12)).over(Channel::HOSTILE);
    let failure: Failure = play.run_with(&schedule, Repeater::new).unwrap_err();
    assert_eq!(failure.flaw, Flaw::Delivered { message: 1 });
    assert!(failure.to_string().contains("datagram 2 from the sender arrives with bit 41 flipped"));

    let transfer = Transfer::new(indexed(30)).over("corrupt=20%".parse().unwrap());
    let failure = transfer.campaign_with(0..10, Repeater::new).unwrap_err();
    assert!(failure.to_string().starts_with("seed "), "{failure}");
}
