//! A lane: a socket, the host behind it, and a thread that drives both while nobody else does.
//!
//! Handles of the application ([`Connection`](super::Connection), [`Stream`](super::Stream),
//! [`Listener`](super::Listener)) come in through [`Lane::with`]: they take the lock, do something
//! with the host, and what that makes due (a packet that can leave, an acknowledgement) is done at
//! once by the same thread. The lane's own thread sleeps in one wait for the socket, the next
//! deadline, and a signal. The signal is given only when something became due before the deadline
//! that it sleeps for. Nobody is woken under the lock.

mod accepts;
mod core;
mod signal;
mod waiters;

use ::core::{net::SocketAddr, task::Poll, task::Waker, time::Duration};
use alloc::{string::String, sync::Arc};
use std::{
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use rustix::fd::{AsFd, OwnedFd};

use self::signal::Signal;
pub(in crate::net) use self::{
    accepts::{Accepts, Place},
    core::Core,
    waiters::Wait,
};
use super::{Clock, Driver, Interest, park, wait};
use crate::{time::Instant, transport::host::Host};

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

/// How often a thread of the application drives the lane after it did something; what is due even
/// then is left to the lane's own thread.
const TURNS_MAX: usize = 2;

/// A socket, its host, and who waits for what.
#[derive(Debug)]
pub(super) struct Lane {
    core: Mutex<Core>,
    signal: Signal,
    /// The socket, to wait for it without the lock.
    socket: OwnedFd,
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
    ) -> io::Result<Arc<Self>> {
        let lane = Arc::new(Lane {
            signal: Signal::new()?,
            socket: driver.socket().as_fd().try_clone_to_owned()?,
            local: driver.local_addr(),
            clock,
            core: Mutex::new(Core::new(driver, config.linger, config.early, accepts)),
        });
        let driven = Arc::clone(&lane);
        thread::Builder::new().name(String::from("rdtp")).spawn(move || driven.drive())?;
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
        lane.signal.notify();
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

    fn lock(&self) -> MutexGuard<'_, Core> {
        // A panic under the lock leaves a host that is as good as before: its methods are atomic
        // towards each other, and what is half done is a packet not sent.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the host, and what becomes due by it.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Core) -> T) -> T {
        let mut core = self.lock();
        let result = act(&mut core);
        // What a turn brings about, such as the end of a connection, may be due in turn.
        for _ in 0..TURNS_MAX {
            if core.deadline().is_some_and(|deadline| deadline <= self.clock.now()) {
                core.turn();
            }
        }
        let sooner = core.deadline().unwrap_or(Instant::MAX);
        let overslept = core.asleep_until.is_some_and(|until| sooner < until);
        if overslept || core.driver.is_blocked() && core.asleep_until.is_some() {
            core.asleep_until = None;
            self.signal.notify();
        }
        release(core);
        result
    }

    /// Asks until there is an answer; `None` when it is `until` before that.
    pub(super) fn block<T>(
        &self,
        until: Option<Instant>,
        mut ask: impl FnMut(&mut Core, &Waker) -> Poll<T>,
    ) -> Option<T> {
        park::block_on(&self.clock, until, |waker| self.with(|core| ask(core, waker)))
    }

    /// The lane's own thread.
    fn drive(&self) {
        loop {
            let mut core = self.lock();
            core.turn();
            let over = core.is_over();
            let until = core.deadline();
            let blocked = core.driver.is_blocked();
            core.asleep_until = Some(until.unwrap_or(Instant::MAX));
            release(core);
            if over {
                return;
            }
            let interests =
                [Interest::read(&self.socket).and_write(blocked), Interest::read(&self.signal)];
            if wait(&interests, until, &self.clock).is_err() {
                return;
            }
            self.signal.clear();
            self.lock().asleep_until = None;
        }
    }

    /// Waits until everything that was written is delivered, or given up since it got no further.
    fn linger(&self) {
        self.block(None, |core, waker| {
            if !core.is_lingering() {
                return Poll::Ready(());
            }
            core.wait_for_end(waker);
            Poll::Pending
        });
        // The last word may still have to leave.
        self.with(|_| ());
    }
}

/// Unlocks, and wakes whom there is something for.
fn release(mut core: MutexGuard<'_, Core>) {
    let woken = ::core::mem::take(&mut core.woken);
    drop(core);
    for waker in woken {
        waker.wake();
    }
}
