//! The parts of a lane that threads share, against models of a few lines, under operations by chance
//! and from several threads at once.

use alloc::{sync::Arc, task::Wake, vec::Vec};
use core::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    task::Waker,
};
use std::thread;

use proptest::prelude::*;

use super::{
    Accepts, Group,
    accepts::Place,
    waiters::{Wait, Waiters},
    wheel::{BRIEF, GRACE, Own, Wheel, Who},
};
use crate::{
    endpoint::RecvMeta,
    time::Instant,
    wire::transport::{ConnectionId, Packet, StreamId, Writer},
};

/// Counts how often it was woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    /// A connection with so many streams may be accepted.
    Push(u64, usize),
    Stream(u64),
    Forget(u64),
    Split(u64),
    Pop,
    PopStream,
}

fn act() -> impl Strategy<Value = Act> {
    let id = 0..4_u64;
    prop_oneof![
        (id.clone(), 0..3_usize).prop_map(|(id, streams)| Act::Push(id, streams)),
        id.clone().prop_map(Act::Stream),
        id.clone().prop_map(Act::Forget),
        id.prop_map(Act::Split),
        Just(Act::Pop),
        Just(Act::PopStream),
    ]
}

fn place(id: u64) -> Place {
    (usize::try_from(id % 2).unwrap_or(0), ConnectionId(id))
}

proptest! {
    /// What waits to be accepted comes out in order, once, and whoever found nothing is woken by the
    /// next that comes.
    #[test]
    fn what_waits_to_be_accepted_is_two_queues(acts in proptest::collection::vec(act(), 0..60)) {
        const BACKLOG: usize = 5;
        let accepts = Accepts::new(BACKLOG);
        let (mut fresh, mut ready): (Vec<Place>, Vec<Place>) = Default::default();
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let mut waits = false;
        for act in acts {
            let mut woken = Vec::new();
            match act {
                Act::Push(id, streams) => {
                    accepts.push(place(id), streams, &mut woken);
                    fresh.push(place(id));
                    ready.extend((0..streams).map(|_| place(id)));
                }
                Act::Stream(id) => {
                    accepts.push_stream(place(id), &mut woken);
                    ready.push(place(id));
                }
                Act::Forget(id) => {
                    accepts.forget(place(id));
                    fresh.retain(|&other| other != place(id));
                    ready.retain(|&other| other != place(id));
                }
                Act::Split(id) => {
                    accepts.split(place(id));
                    fresh.retain(|&other| other != place(id));
                }
                Act::Pop | Act::PopStream => {
                    let (got, queue) = match act {
                        Act::Pop => (accepts.pop(Some(&waker)), &mut fresh),
                        _ => (accepts.pop_stream(Some(&waker)), &mut ready),
                    };
                    let expected = (!queue.is_empty()).then(|| queue.remove(0));
                    prop_assert_eq!(got, Ok(expected));
                    waits |= expected.is_none();
                }
            }
            let comes = matches!(act, Act::Push(..) | Act::Stream(_));
            prop_assert_eq!(woken.len(), usize::from(comes && waits), "{:?}", act);
            waits &= !comes;
            prop_assert_eq!(accepts.is_full(), fresh.len().max(ready.len()) >= BACKLOG);
        }
    }

    /// Each waker is called once for what it waits for, and never for anything else.
    #[test]
    fn whoever_waits_is_woken_once(waits in proptest::collection::vec((0..3_u64, 0..4_u8), 0..30)) {
        let kind = |stream, kind| match kind {
            0 => Wait::Readable(StreamId(stream)),
            1 => Wait::Writable(StreamId(stream)),
            2 => Wait::Finished(StreamId(stream)),
            _ => Wait::Opened,
        };
        let mut waiters = Waiters::default();
        let bells: Vec<_> = waits.iter().map(|_| Arc::new(Bell::default())).collect();
        for (&(stream, what), bell) in waits.iter().zip(&bells) {
            let waker = Waker::from(Arc::clone(bell));
            // Asking again adds nothing.
            waiters.add(kind(stream, what), &waker);
            waiters.add(kind(stream, what), &waker);
        }
        let mut woken = Vec::new();
        waiters.take(kind(0, 0), &mut woken);
        waiters.forget(StreamId(1), &mut woken);
        woken.drain(..).for_each(Waker::wake);
        for (&(stream, what), bell) in waits.iter().zip(&bells) {
            let due = (stream, what) == (0, 0) || (stream == 1 && what < 3);
            prop_assert_eq!(bell.0.load(SeqCst), usize::from(due), "{} {}", stream, what);
        }
        waiters.take_all(&mut woken);
        woken.drain(..).for_each(Waker::wake);
        prop_assert!(bells.iter().all(|bell| bell.0.load(SeqCst) == 1));
    }
}

/// What threads of the application do at the wheel, and what happens to the lane's own.
#[derive(Clone, Copy, Debug)]
enum Hand {
    /// A thread comes and finds what it wants.
    Visit(usize),
    /// A thread comes and has to wait, for the socket if it may.
    Wait(usize),
    /// The one at the socket has what it wants.
    Leave,
    /// One of the others has.
    Unpark(usize),
    /// Something wakes the lane's own thread where it waits for the socket.
    Stir,
    /// So many hundredths of the time of grace pass.
    Pass(u32),
}

const THREADS: usize = 3;

fn hand() -> impl Strategy<Value = Hand> {
    let who = || prop_oneof![4 => Just(0), 1 => 1..THREADS];
    prop_oneof![
        3 => who().prop_map(Hand::Visit),
        2 => who().prop_map(Hand::Wait),
        2 => Just(Hand::Leave),
        1 => (0..THREADS).prop_map(Hand::Unpark),
        1 => Just(Hand::Stir),
        1 => (1..250_u32).prop_map(Hand::Pass),
        1 => (1..12_u32).prop_map(Hand::Pass),
    ]
}

/// Where a thread of the application is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Away,
    Socket,
    Parked,
}

/// A thread of the application: when it got what it wanted, and how many times in a row it came again
/// within a tenth of the time of grace.
#[derive(Clone, Copy, Debug)]
struct Member {
    at: At,
    answered: Instant,
    prompt_times: u32,
}

/// The wheel, the lane's own thread and the clock.
struct Crew {
    wheel: Wheel,
    members: [Member; THREADS],
    own: Own,
    now: Instant,
    /// When the pause of the lane's own thread ends.
    pause_ends: Instant,
    /// When a thread of the application last did anything.
    touched: Instant,
    /// Until when those who wait may have to wait for one who is away and prompt.
    brief_ends: Instant,
}

impl Crew {
    fn ask(&mut self) {
        self.own = self.wheel.own(self.now);
        if let Own::Pauses(time) = self.own {
            self.pause_ends = self.now + time;
        }
    }

    fn call(&mut self, called: bool) {
        // Where it waits for the socket nobody calls it.
        if called && self.own != Own::Drives {
            self.ask();
        }
    }

    fn pass(&mut self, time: core::time::Duration) {
        let end = self.now + time;
        while matches!(self.own, Own::Pauses(_)) && self.pause_ends <= end {
            self.now = self.pause_ends;
            self.ask();
        }
        self.now = end;
    }

    fn is(&self, who: usize, at: At) -> bool {
        self.members[who].at == at
    }

    fn answer(&mut self, who: usize) {
        self.wheel.answer(self.now, Who::number(who));
        self.members[who].at = At::Away;
        self.members[who].answered = self.now;
    }

    fn come(&mut self, who: usize) {
        self.wheel.visit(self.now, Who::number(who));
        let member = &mut self.members[who];
        let prompt = self.now - member.answered <= GRACE / 10;
        member.prompt_times = if prompt { member.prompt_times + 1 } else { 0 };
    }

    fn wait(&mut self, who: usize) {
        if self.wheel.is_free(Who::number(who)) {
            self.wheel.set_led(true);
            self.members[who].at = At::Socket;
            return;
        }
        self.members[who].at = At::Parked;
        let called = self.wheel.park(self.now, Who::number(who));
        self.call(called);
        let expected = self.members.iter().any(|member| {
            let away = member.at == At::Away && member.prompt_times >= 8;
            away && self.now < member.answered + BRIEF
        });
        self.brief_ends = if expected { self.now + BRIEF } else { self.now };
    }

    fn act(&mut self, hand: Hand) {
        match hand {
            Hand::Visit(who) if self.is(who, At::Away) => {
                self.come(who);
                self.answer(who);
            }
            Hand::Wait(who) if self.is(who, At::Away) => {
                self.come(who);
                self.wait(who);
            }
            Hand::Leave => {
                let Some(who) = (0..THREADS).find(|&who| self.is(who, At::Socket)) else { return };
                self.wheel.set_led(false);
                self.answer(who);
                let called = self.wheel.leave(self.now, Who::number(who));
                self.call(called);
                let prompt = self.members[who].prompt_times >= 8;
                self.brief_ends = if prompt { self.now + BRIEF } else { self.now };
            }
            Hand::Unpark(who) if self.is(who, At::Parked) => {
                self.wheel.unpark();
                self.answer(who);
            }
            Hand::Stir if self.own == Own::Drives => return self.ask(),
            Hand::Pass(hundredths) => return self.pass(GRACE * hundredths / 100),
            _ => return,
        }
        self.touched = self.now;
    }
}

proptest! {
    /// The lane's own thread rests only while somebody else waits for the socket, is there at once for
    /// those who wait for something else (a moment later where one is away that is prompt), and soon when
    /// nobody comes any more.
    #[test]
    fn there_is_always_somebody_at_the_wheel(hands in proptest::collection::vec(hand(), 0..80)) {
        let start = Instant::ZERO + GRACE * 10;
        let member = Member { at: At::Away, answered: Instant::ZERO, prompt_times: 0 };
        let mut crew = Crew {
            wheel: Wheel::default(),
            members: [member; THREADS],
            own: Own::Drives,
            now: start,
            pause_ends: start,
            touched: start,
            brief_ends: start,
        };
        for hand in hands {
            crew.act(hand);
            let led = crew.wheel.is_led();
            prop_assert!(led || crew.own != Own::Rests, "nobody drives after {:?}", hand);
            let waited = crew.now - crew.touched;
            prop_assert!(led || waited < GRACE || crew.own == Own::Drives, "{:?}", waited);
            let waited_for = (0..THREADS).any(|who| crew.is(who, At::Parked)) && !led;
            let brief = crew.now < crew.brief_ends;
            prop_assert!(!waited_for || brief || crew.own == Own::Drives, "after {:?}", hand);
        }
    }

    /// Who comes again at once, again and again, has the wheel whoever else waits.
    #[test]
    fn one_that_is_prompt_drives_beside_others(waits in 0..THREADS - 1) {
        let mut wheel = Wheel::default();
        let mut now = Instant::ZERO + GRACE;
        let prompt = Who::number(THREADS);
        for who in 0..waits {
            wheel.visit(now, Who::number(who));
            let _ = wheel.park(now, Who::number(who));
        }
        for _ in 0..9 {
            wheel.visit(now, prompt);
            wheel.answer(now, prompt);
            now += GRACE / 20;
        }
        prop_assert!(wheel.is_free(prompt));
        prop_assert_eq!(wheel.is_free(Who::number(0)), waits == 0);
        now += GRACE;
        wheel.visit(now, prompt);
        prop_assert_eq!(wheel.is_free(prompt), waits == 0, "it was away for long");
    }
}

fn datagram(id: ConnectionId) -> Vec<u8> {
    let mut space = [0; 64];
    let mut writer = Writer::new(&mut space);
    Packet::Data { to: id, number: 1, frames: &[] }.encode(&mut writer);
    writer.written().to_vec()
}

/// Four lanes hand datagrams to each other at the same time: each arrives once, where its ID says, and
/// in the order of whoever handed it over. A lane that takes nothing is not filled without end.
#[test]
fn lanes_hand_over_exactly_once() {
    const LANES: u16 = 4;
    const EACH: u64 = 60;
    let group = Group::new(LANES.into());
    let from = |lane: u16| RecvMeta::from(SocketAddr::from(([10, 0, 0, 1], lane)));
    let taken: Vec<Vec<_>> = thread::scope(|scope| {
        let group = &group;
        let handing: Vec<_> = (0..LANES)
            .map(|here| {
                scope.spawn(move || {
                    for number in 0..EACH {
                        let id = ConnectionId(number << 16).in_lane((here + 1) % LANES, LANES);
                        assert!(group.hand_over(here.into(), from(here), &datagram(id)));
                        let own = datagram(ConnectionId(number << 16).in_lane(here, LANES));
                        assert!(!group.hand_over(here.into(), from(here), &own));
                    }
                })
            })
            .collect();
        for thread in handing {
            thread.join().expect("no panic");
        }
        let taking = (0..LANES).map(|lane| {
            scope.spawn(move || core::iter::from_fn(|| group.take(lane.into())).collect())
        });
        let taking: Vec<_> = taking.collect();
        taking.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    for (lane, taken) in (0..LANES).zip(taken) {
        let ids: Vec<_> = taken.iter().filter_map(|(_, bytes)| ConnectionId::of(bytes)).collect();
        let numbers: Vec<u64> = ids.iter().map(|id| id.0 >> 16).collect();
        assert_eq!(numbers, (0..EACH).collect::<Vec<_>>(), "lane {lane}");
        assert!(ids.iter().all(|id| id.lane(LANES) == lane));
        assert!(taken.iter().all(|(meta, _)| *meta == from((lane + LANES - 1) % LANES)));
    }
    for number in 0..10_000 {
        let id = ConnectionId(number << 16).in_lane(1, LANES);
        group.hand_over(0, from(0), &datagram(id));
    }
    assert_eq!(core::iter::from_fn(|| group.take(1)).count(), 256, "the limit");
}

/// A reset names the connection as the peer does: everybody sees it, the one that it came to as well.
#[test]
fn a_reset_is_shown_to_all() {
    let group = Group::new(3);
    let token = crate::wire::transport::ResetToken([1; 16]);
    let mut space = [0; 64];
    let mut writer = Writer::new(&mut space);
    Packet::Reset { to: ConnectionId(5), token }.encode(&mut writer);
    let from = RecvMeta::from(SocketAddr::from(([10, 0, 0, 1], 1)));
    assert!(!group.hand_over(1, from, writer.written()));
    assert_eq!([0, 1, 2].map(|lane| group.take(lane).is_some()), [true, false, true]);
    assert!(!group.hand_over(1, from, b"short"), "what is no packet stays where it came");
}

#[cfg(feature = "tokio")]
proptest! {
    /// A stream is expected to be read once more after it was read twice in a row, and no other is.
    #[test]
    fn who_reads_again_and_again_is_expected(reads in proptest::collection::vec(0..3_u64, 0..30)) {
        let mut favourite = super::core::Favourite::default();
        let place = |n: u64| (ConnectionId(n / 2), StreamId(n % 2));
        for (at, &read) in reads.iter().enumerate() {
            favourite.on_read(place(read));
            let again = at > 0 && reads[at - 1] == read;
            prop_assert_eq!(favourite.get(), again.then(|| place(read)));
        }
    }
}
