//! What the tests have in common.

use std::{
    net::SocketAddr,
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use rdtp::net::Listener;

/// What anything here may take at most, on a machine that does other things too.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

pub(crate) fn listener() -> (Listener, SocketAddr) {
    let listener = Listener::bind("127.0.0.1:0").expect("a port of this machine");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

/// Runs it in a thread of its own, and fails rather than wait for ever.
pub(crate) fn within<T: Send + 'static>(
    limit: Duration,
    what: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (done, wait) = mpsc::channel();
    let thread: JoinHandle<()> = thread::spawn(move || {
        let _ = done.send(what());
    });
    match wait.recv_timeout(limit) {
        Ok(value) => value,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("not done after {limit:?}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("it ended without an answer"),
        },
    }
}

/// Bytes that differ from place to place.
pub(crate) fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|n| u8::try_from(n * 31 % 251).unwrap_or(0)).collect()
}

/// Waits until it is so; fails after [`LIMIT`].
pub(crate) fn eventually(mut done: impl FnMut() -> bool) {
    let clock = rdtp::net::Clock::start();
    let limit = clock.now() + LIMIT;
    while !done() {
        assert!(clock.now() < limit, "waited for too long");
        thread::yield_now();
    }
}
