//! A lane: a socket, the host behind it, and a thread that drives both while nobody else does.
//!
//! Handles of the application ([`Connection`](super::Connection), [`Stream`](super::Stream),
//! [`Listener`](super::Listener)) come in through [`Lane::with`]: they take the lock, do something
//! with the host, and what that makes due (a packet that can leave, an acknowledgement) is done at
//! once by the same thread. Somebody sleeps in one wait for the socket, the next deadline, and a
//! signal; the signal is given only when something became due before the deadline that it sleeps
//! for. Nobody is woken under the lock.
//!
//! Who that somebody is decides how often data changes hands. A thread that waits for its data and is
//! the only one to wait drives the lane itself: bulk transfers and questions with answers run to
//! completion in one thread. With several waiting, or none, the lane's own thread does it. A thread
//! that leaves with what it wanted will mostly be back soon, so the lane's own thread gives it
//! [half a millisecond](wheel::GRACE) before it takes over.

mod accepts;
mod ask;
mod core;
mod entry;
mod group;
mod reader;
mod signal;
mod waiters;
#[cfg(feature = "tokio")]
mod watch;
mod wheel;

use ::core::{net::SocketAddr, task::Poll, task::Waker, time::Duration};
use alloc::sync::Arc;
use std::{
    io,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError},
    thread::{self, Thread},
};

use rustix::fd::{AsFd, OwnedFd};

pub(in crate::net) use self::{
    accepts::{Accepts, Place},
    ask::Ask,
    core::Core,
    group::Group,
    waiters::Wait,
};
use self::{
    core::Sleeper,
    reader::{For, Reader},
    signal::Signal,
    wheel::{Own, Who},
};
use super::{Clock, Driver, Interest, park, wait};
use crate::{
    time::Instant,
    transport::host::Host,
    wire::transport::{ConnectionId, StreamId},
};

/// How a lane behaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct LaneConfig {
    /// How long what was written is still tried to be delivered when all handles are gone.
    pub(super) linger: Duration,
    /// Whether streams may be accepted before their opener is known to be where it says.
    pub(super) early: bool,
    /// Whether the last handle waits until everything is delivered.
    pub(super) waits: bool,
}

/// How often a thread of the application does what is due after it did something; what is due even
/// then is left to whoever waits for the socket.
const ACTS_MAX: usize = 2;
/// How long what has arrived may lie there while a thread of the application sends: acknowledgements
/// are to be looked at soon, and not for each packet that leaves.
const LAG: Duration = Duration::from_micros(50);

/// How long the lane's own thread stays away from a lock that it finds taken by who drives; each time
/// twice as long, up to the second.
const AWAY: [Duration; 2] = [Duration::from_micros(100), Duration::from_micros(800)];

/// Who sleeps: the lane's own thread, or one of the application.
const OWN: usize = 0;
const LEADER: usize = 1;

/// A socket, its host, and who waits for what.
#[derive(Debug)]
pub(super) struct Lane {
    core: Mutex<Core>,
    /// For the lane's own thread, and for the thread of the application that drives in its place.
    signals: [Signal; 2],
    /// The socket, to wait for it without the lock.
    socket: OwnedFd,
    /// The lane's own thread, to be called where it rests while somebody else drives.
    own: OnceLock<Thread>,
    clock: Clock,
    local: SocketAddr,
}

/// What keeps a lane alive: with the last of them it ends, as soon as everything is delivered.
#[derive(Debug)]
pub(super) struct Hold {
    lane: Arc<Lane>,
    /// Whether the last handle waits until everything is delivered.
    waits: bool,
}

impl Hold {
    /// Starts a lane and its thread.
    pub(super) fn start(
        driver: Driver<Host>,
        clock: Clock,
        config: LaneConfig,
        accepts: Option<(Arc<Accepts>, usize)>,
        group: Option<(Arc<Group>, usize)>,
    ) -> io::Result<Arc<Self>> {
        let seat = group.clone();
        let lane = Arc::new(Lane {
            signals: [Signal::new()?, Signal::new()?],
            socket: driver.socket().as_fd().try_clone_to_owned()?,
            local: driver.local_addr(),
            clock,
            own: OnceLock::new(),
            core: Mutex::new(Core::new(driver, config, accepts, group)),
        });
        if let Some((group, number)) = seat {
            group.sit(number, Arc::downgrade(&lane));
        }
        let driven = Arc::clone(&lane);
        let own = thread::Builder::new().name("rdtp".into()).spawn(move || driven.drive())?;
        lane.own.get_or_init(|| own.thread().clone());
        Ok(Arc::new(Self { lane, waits: config.waits }))
    }
}

impl ::core::ops::Deref for Hold {
    type Target = Lane;
    fn deref(&self) -> &Lane {
        &self.lane
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let lane = &self.lane;
        lane.with(|core| {
            core.stop_accepting();
            core.retired = true;
        });
        // Who panics has no time to wait.
        if self.waits && !thread::panicking() {
            lane.linger();
        }
        lane.lock().own.called = true;
        lane.signals[OWN].notify();
        lane.end_rest();
    }
}

impl Lane {
    /// The address of its socket.
    pub(super) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Wakes whoever sleeps for the lane, without its lock: something was handed over.
    fn notify(&self) {
        for signal in &self.signals {
            signal.notify();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        // A panic under the lock leaves a host that is as good as before: its methods are atomic
        // towards each other, and what is half done is a packet not sent.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock, for the lane's own thread when somebody else drives. Whoever that is holds the lock
    /// nearly always, and does what is due each time. A thread in line for it would have to be woken each
    /// time it is let go, only to find it taken again. So this one comes back later.
    fn lock_unhurried(&self) -> MutexGuard<'_, Core> {
        let [mut away, longest] = AWAY;
        loop {
            match self.core.try_lock() {
                Ok(core) => return core,
                Err(TryLockError::Poisoned(error)) => return error.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
            // A wait for nothing cannot fail, and would only be short.
            let _ = wait(&[], Some(self.clock.now() + away), &self.clock);
            away = longest.min(away * 2);
        }
    }

    /// Does something with the host, and what becomes due by it.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Core) -> T) -> T {
        let mut core = self.lock();
        let result = act(&mut core);
        self.settle(&mut core);
        release(core);
        result
    }

    /// Does what is due, and calls whoever sleeps for longer than there is time now. True when there
    /// is news, which may be what somebody waits for.
    fn settle(&self, core: &mut Core) -> bool {
        let mut news = false;
        let mut deadline = core.deadline();
        // What it brings about, such as the end of a connection, may be due in turn.
        for _ in 0..ACTS_MAX {
            let now = self.clock.now();
            // What is left is looked at soon, and what is due then is due for all of it.
            let left = core.driver.has_arrivals();
            let since = if left { core.acted_at + LAG } else { Instant::ZERO };
            if deadline.is_none_or(|deadline| deadline > now) || since > now {
                break;
            }
            let acts = left || now < core.turned_at + LAG;
            news |= if acts { core.act() } else { core.turn(&mut nobody) };
            deadline = core.deadline();
        }
        // Whoever looks at what is left does what is due, too.
        let deadline = deadline.filter(|_| !core.driver.has_arrivals());
        let sooner = deadline.unwrap_or(Instant::MAX);
        let blocked = core.driver.is_blocked();
        // Whoever leads has no waker: what has come may be for it.
        let for_leader = news && core.wheel.is_led();
        let (who, sleeper) =
            if core.wheel.is_led() { (LEADER, &mut core.leader) } else { (OWN, &mut core.own) };
        if sleeper.until.is_some_and(|until| for_leader || blocked || sooner < until) {
            *sleeper = Sleeper { until: None, called: true };
            self.signals[who].notify();
        }
        news
    }

    /// Asks until there is an answer; `None` when it is `until` before that. A thread that is alone
    /// in waiting, or always back soon, drives the lane itself meanwhile: what arrives is there without
    /// another thread having to hand it over, and bytes that it waits for are its own without having
    /// been stored.
    pub(super) fn block<A: Ask>(&self, until: Option<Instant>, ask: &mut A) -> Option<A::Answer> {
        let mut core = self.lock();
        let who = Who::here();
        core.wheel.visit(self.clock.now(), who);
        let mut led = false;
        let answer = loop {
            let answer = ask.ask(&mut core, None);
            let news = self.settle(&mut core);
            if let Poll::Ready(answer) = answer {
                break Some(answer);
            }
            if until.is_some_and(|until| until <= self.clock.now()) {
                break None;
            }
            if news {
                continue;
            }
            if core.wheel.is_free(who) {
                // What comes may keep this one busy, and be for others.
                if !core.woken.is_empty() {
                    release(core);
                    core = self.lock();
                    continue;
                }
                led = true;
                core = self.lead(core, until, &mut For { ask, leaves: false });
                continue;
            }
            let waker = park::waker();
            if let Poll::Ready(answer) = ask.ask(&mut core, Some(&waker)) {
                self.settle(&mut core);
                break Some(answer);
            }
            if core.wheel.park(self.clock.now(), who) {
                self.call_own_thread(&core);
            }
            release(core);
            park::park(&self.clock, until);
            core = self.lock();
            core.wheel.unpark();
        };
        let now = self.clock.now();
        core.wheel.answer(now, who);
        if led && core.wheel.leave(now, who) {
            self.call_own_thread(&core);
        }
        release(core);
        answer
    }

    /// Has the lane's own thread look again, if it sleeps.
    #[cfg(feature = "tokio")]
    fn call_sleeper(&self, core: &mut Core) {
        if core.own.until.take().is_some() {
            core.own.called = true;
            self.signals[OWN].notify();
        }
    }

    /// Has the lane's own thread ask what to do, unless it waits for the socket anyhow.
    fn call_own_thread(&self, core: &Core) {
        if core.own.until.is_none() {
            self.end_rest();
        }
    }

    /// Calls the lane's own thread where it rests; if it does not, its next rest is none.
    fn end_rest(&self) {
        if let Some(own) = self.own.get() {
            own.unpark();
        }
    }

    /// Waits for the socket, the next deadline or a signal, no longer than `until`, and drives the
    /// lane once.
    fn lead<'a>(
        &'a self,
        mut core: MutexGuard<'a, Core>,
        until: Option<Instant>,
        reader: &mut dyn Reader,
    ) -> MutexGuard<'a, Core> {
        if core.look(reader) {
            return core;
        }
        core.wheel.set_led(true);
        let deadline = [core.deadline(), until].into_iter().flatten().min();
        let before = self.clock.now();
        core = self.sleep(core, deadline, LEADER);
        core.wheel.set_led(false);
        core.spin.on_slept(self.clock.now() - before);
        core.turn(reader);
        core
    }

    /// Sleeps until there is something to do, without the lock.
    fn sleep<'a>(
        &'a self,
        mut core: MutexGuard<'a, Core>,
        until: Option<Instant>,
        who: usize,
    ) -> MutexGuard<'a, Core> {
        let blocked = core.driver.is_blocked();
        let signal = &self.signals[who];
        let watched = who == OWN && core.watching.is_on();
        // Where a task waits for what arrives, only the time is left.
        let count = if watched && !blocked { 1 } else { 2 };
        core.sleeper(who).until = Some(until.unwrap_or(Instant::MAX));
        release(core);
        let interests = [Interest::read(signal), Interest::read(&self.socket).and_write(blocked)];
        let slept = wait(&interests[..count], until, &self.clock);
        let mut core = if watched { self.lock_unhurried() } else { self.lock() };
        // Other lanes call without saying so.
        if ::core::mem::take(core.sleeper(who)).called || core.has_neighbours() {
            signal.clear();
        }
        if let Err(error) = slept {
            core.fail(error.kind());
        }
        core
    }

    /// The lane's own thread.
    fn drive(&self) {
        let mut core = self.lock();
        loop {
            match core.wheel.own(self.clock.now()) {
                Own::Drives => {}
                Own::Pauses(time) => {
                    core = self.rest(core, Some(time));
                    continue;
                }
                Own::Rests => {
                    core = self.rest(core, None);
                    continue;
                }
            }
            let receives = core.has_neighbours() || core.driver.is_blocked();
            if core.watching.is_on() && !receives {
                // What arrives is the task's. This thread gets what others hand over, and does not leave
                // lying what would end a wait for room to send.
                core.act();
            } else {
                core.turn(&mut nobody);
            }
            if core.is_over() {
                core.wake_watcher();
                return release(core);
            }
            if core.is_broken() {
                core = self.rest(core, None);
                continue;
            }
            let until = core.deadline();
            core = self.sleep(core, until, OWN);
        }
    }

    /// Leaves the driving to others, for so long or until it is called.
    fn rest<'a>(
        &'a self,
        core: MutexGuard<'a, Core>,
        time: Option<Duration>,
    ) -> MutexGuard<'a, Core> {
        release(core);
        let Some(time) = time else {
            thread::park();
            return self.lock();
        };
        let end = self.clock.now() + time;
        thread::park_timeout(time);
        // Called, it is needed; otherwise whoever has the lock drives.
        if self.clock.now() < end { self.lock() } else { self.lock_unhurried() }
    }

    /// Waits until everything that was written is delivered, or given up since it got no further.
    fn linger(&self) {
        self.block(None, &mut |core: &mut Core, waker: Option<&Waker>| {
            if !core.is_lingering() {
                return Poll::Ready(());
            }
            if let Some(waker) = waker {
                core.wait_for_end(waker);
            }
            Poll::Pending
        });
        // The last word may still have to leave.
        self.with(|_| ());
    }
}

/// Takes no bytes as they arrive.
fn nobody(_: ConnectionId, _: StreamId, _: &[u8]) -> usize {
    0
}

/// Unlocks, and wakes whom there is something for.
fn release(mut core: MutexGuard<'_, Core>) {
    let woken = ::core::mem::take(&mut core.woken);
    drop(core);
    for waker in woken {
        waker.wake();
    }
}

#[cfg(test)]
mod model_tests;
