//! Waking a driver from another thread.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
};

use rustix::fd::{AsFd, BorrowedFd};

/// Ends the wait of a [`Driver`](super::Driver) from any thread: its next or present
/// [`turn`](super::Driver::turn) does not sleep. Copies wake the same driver.
#[derive(Clone, Debug)]
pub struct Waker {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Whether the driver was woken since it last looked.
    woken: AtomicBool,
    bell: UnixStream,
}

impl Waker {
    /// Wakes the driver. Many calls before it looks are as good as one, and as cheap.
    pub fn wake(&self) {
        if !self.shared.woken.swap(true, Ordering::AcqRel) {
            // When the pipe is full it is readable, which is all that is wanted.
            _ = (&self.shared.bell).write(&[1]);
        }
    }
}

/// The driver's side.
#[derive(Debug)]
pub(super) struct Wakeups {
    shared: Arc<Shared>,
    ear: UnixStream,
}

impl Wakeups {
    pub(super) fn new() -> io::Result<Self> {
        let (bell, ear) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        ear.set_nonblocking(true)?;
        Ok(Self { shared: Arc::new(Shared { woken: AtomicBool::new(false), bell }), ear })
    }

    pub(super) fn waker(&self) -> Waker {
        Waker { shared: self.shared.clone() }
    }

    /// Whether somebody rang since the last [`hear`](Self::hear).
    pub(super) fn is_woken(&self) -> bool {
        self.shared.woken.load(Ordering::Acquire)
    }

    /// Takes note that somebody rang. Who rings from now on is heard next time.
    pub(super) fn hear(&mut self) {
        if self.is_woken() {
            let mut ring = [0; 16];
            while self.ear.read(&mut ring).is_ok_and(|len| len == ring.len()) {}
            // After the bell is quiet: who finds the flag down rings again.
            self.shared.woken.swap(false, Ordering::AcqRel);
        }
    }
}

impl AsFd for Wakeups {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ear.as_fd()
    }
}
