//! Descriptors that a runtime waits for.

use std::{io, os::fd::OwnedFd};

use tokio::io::{Interest, unix::AsyncFd};

/// Has the runtime that this is called in watch whether there is something to read, and nothing else.
#[expect(unsafe_code, reason = "the runtime cannot know how long a descriptor stays open")]
pub(crate) fn readable(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open until it is dropped and always the same, and it is owned by the
    // `AsyncFd`, which nobody gets a mutable reference to what it owns from.
    let registered = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
    Ok(registered?)
}
