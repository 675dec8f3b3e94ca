//! How long a handle waits.

use core::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    task::{Poll, Waker},
    time::Duration,
};
use std::io;

use super::{
    Error,
    lane::{Ask, Core, Lane},
};
use crate::time::nanos;

/// The timeouts of a handle, and whether it waits at all. Shared by its clones, as those of a
/// `TcpStream` are.
#[derive(Debug, Default)]
pub(super) struct Patience {
    nonblocking: AtomicBool,
    /// Nanoseconds, 0 for ever: for what comes in, and for what goes out.
    timeouts: [AtomicU64; 2],
}

/// What is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// Something from the peer.
    In = 0,
    /// Room for something to the peer.
    Out = 1,
}

impl Patience {
    pub(super) fn set_nonblocking(&self, nonblocking: bool) {
        self.nonblocking.store(nonblocking, Relaxed);
    }

    pub(super) fn is_nonblocking(&self) -> bool {
        self.nonblocking.load(Relaxed)
    }

    /// Fails for a timeout of zero, as the standard library's sockets do.
    pub(super) fn set_timeout(&self, way: Way, timeout: Option<Duration>) -> io::Result<()> {
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            let what = "a timeout must be more than zero: use set_nonblocking to wait for nothing";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        self.timeouts[way as usize].store(timeout.map_or(0, nanos), Relaxed);
        Ok(())
    }

    pub(super) fn timeout(&self, way: Way) -> Option<Duration> {
        let nanos = self.timeouts[way as usize].load(Relaxed);
        (nanos > 0).then(|| Duration::from_nanos(nanos))
    }

    /// Asks until there is an answer, as long as the handle is ready to wait.
    pub(super) fn wait<T>(
        &self,
        lane: &Lane,
        way: Way,
        ask: impl FnMut(&mut Core, Option<&Waker>) -> Poll<Result<T, Error>>,
    ) -> io::Result<T> {
        self.wait_for(lane, way, ask)
    }

    /// The same for what is more than a closure.
    pub(super) fn wait_for<T>(
        &self,
        lane: &Lane,
        way: Way,
        mut ask: impl Ask<Answer = Result<T, Error>>,
    ) -> io::Result<T> {
        if self.is_nonblocking() {
            return match lane.with(|core| ask.ask(core, None)) {
                Poll::Ready(answer) => Ok(answer?),
                Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
            };
        }
        let until = self.timeout(way).map(|timeout| lane.clock().now() + timeout);
        match lane.block(until, &mut ask) {
            Some(answer) => Ok(answer?),
            None => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}
