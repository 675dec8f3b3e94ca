//! A word to whoever sleeps in a wait for sockets.

use std::io;

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};

/// Wakes one thread that waits for it among its sockets; a word said before the wait is heard too.
#[derive(Debug)]
pub(super) struct Signal {
    fd: OwnedFd,
    /// Where a word is written, if not to the same.
    #[cfg(not(target_os = "linux"))]
    speaker: OwnedFd,
}

impl Signal {
    #[cfg(target_os = "linux")]
    pub(super) fn new() -> io::Result<Self> {
        use rustix::event::{EventfdFlags, eventfd};
        Ok(Self { fd: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)? })
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn new() -> io::Result<Self> {
        let (ear, speaker) = std::os::unix::net::UnixStream::pair()?;
        ear.set_nonblocking(true)?;
        speaker.set_nonblocking(true)?;
        Ok(Self { fd: ear.into(), speaker: speaker.into() })
    }

    /// Says it. An error means that so many words wait already that one more adds nothing.
    pub(super) fn notify(&self) {
        #[cfg(target_os = "linux")]
        let speaker = &self.fd;
        #[cfg(not(target_os = "linux"))]
        let speaker = &self.speaker;
        let _ = rustix::io::write(speaker, &1_u64.to_ne_bytes());
    }

    /// Forgets what was said.
    pub(super) fn clear(&self) {
        let mut words = [0; 64];
        while rustix::io::read(&self.fd, &mut words).is_ok_and(|len| len == words.len()) {}
    }
}

impl AsFd for Signal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Clock, Interest, wait};
    use core::time::Duration;

    #[test]
    fn a_word_is_heard_until_it_is_forgotten() {
        let clock = Clock::start();
        let signal = Signal::new().unwrap();
        signal.notify();
        signal.notify();
        for _ in 0..2 {
            wait(&[Interest::read(&signal)], None, &clock).unwrap();
        }
        signal.clear();
        let until = clock.now() + Duration::from_millis(5);
        wait(&[Interest::read(&signal)], Some(until), &clock).unwrap();
        assert!(clock.now() >= until, "nothing was said");
    }
}
