//! Waiting in a thread for what a [`Waker`] tells.

use alloc::{sync::Arc, task::Wake};
use core::task::{Poll, Waker};
use std::thread::{self, Thread};

use crate::{net::Clock, time::Instant};

struct Parked(Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

std::thread_local! {
    static WAKER: Waker = Waker::from(Arc::new(Parked(thread::current())));
}

/// A waker of this thread: whoever is woken by it sits in [`park`].
pub(super) fn waker() -> Waker {
    WAKER.with(Waker::clone)
}

/// Sleeps until this thread's waker is called, or it is `until`; it may wake earlier.
pub(super) fn park(clock: &Clock, until: Option<Instant>) {
    match until {
        None => thread::park(),
        Some(until) => thread::park_timeout(until - clock.now()),
    }
}

/// Asks again and again until there is an answer, and sleeps between two questions until the waker
/// that the question was asked with is called. `None` when it is `until` before that.
pub(super) fn block_on<T>(
    clock: &Clock,
    until: Option<Instant>,
    mut ask: impl FnMut(&Waker) -> Poll<T>,
) -> Option<T> {
    let waker = waker();
    loop {
        if let Poll::Ready(answer) = ask(&waker) {
            return Some(answer);
        }
        if until.is_some_and(|until| until <= clock.now()) {
            return None;
        }
        park(clock, until);
    }
}
