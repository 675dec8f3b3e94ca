//! Sleeping until something can be done, and no longer.

use alloc::vec::Vec;
use core::time::Duration;
use std::io;

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::{AsFd, BorrowedFd},
};

use crate::{net::Clock, time::Instant};

/// What to wait for on one socket.
#[derive(Clone, Copy, Debug)]
pub struct Interest<'a> {
    fd: BorrowedFd<'a>,
    write: bool,
}

impl<'a> Interest<'a> {
    /// A datagram to read.
    pub fn read(socket: &'a impl AsFd) -> Self {
        Self { fd: socket.as_fd(), write: false }
    }

    /// A datagram to read, and room to send if `write`.
    #[must_use]
    pub fn and_write(self, write: bool) -> Self {
        Self { write, ..self }
    }
}

/// One sleep is never longer: some systems take no more than 2^31 ms.
const SLEEP_MAX: Duration = Duration::from_hours(1);

/// Sleeps until one of the sockets is ready, or `until` has come (`None`: for as long as it takes).
///
/// It may return earlier than either (a signal, or after an hour): callers look again. With
/// `until` in the past it only looks. It does not report which socket is ready: reading a socket
/// that is not costs one system call. Waits with the system's high-resolution timer where there is
/// one (`ppoll`), since read timeouts are rounded to several milliseconds on common kernels.
pub fn wait(interests: &[Interest<'_>], until: Option<Instant>, clock: &Clock) -> io::Result<()> {
    let mut fds: Vec<PollFd<'_>> = interests
        .iter()
        .map(|interest| {
            let write = if interest.write { PollFlags::OUT } else { PollFlags::empty() };
            PollFd::from_borrowed_fd(interest.fd, PollFlags::IN | write)
        })
        .collect();
    let timeout = until.map(|until| timespec((until - clock.now()).min(SLEEP_MAX)));
    match poll(&mut fds, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Socket, SocketConfig};

    /// Never early is all that can be promised: how late depends on who else uses the machine.
    #[test]
    fn a_deadline_is_never_met_early() {
        let clock = Clock::start();
        let socket =
            Socket::bind("127.0.0.1:0".parse().unwrap(), &SocketConfig::default()).unwrap();
        for micros in [1, 50, 300, 1_000, 2_500, 7_000] {
            let until = clock.now() + Duration::from_micros(micros);
            let mut calls = 0;
            while clock.now() < until {
                wait(&[Interest::read(&socket)], Some(until), &clock).unwrap();
                calls += 1;
            }
            // A wait that returned at once instead of sleeping would be called thousands of times.
            assert!(calls < 20, "{calls} calls for {micros} microseconds");
        }
    }

    #[test]
    fn a_past_deadline_only_looks() {
        let clock = Clock::start();
        let socket =
            Socket::bind("127.0.0.1:0".parse().unwrap(), &SocketConfig::default()).unwrap();
        wait(&[Interest::read(&socket).and_write(false)], Some(Instant::ZERO), &clock).unwrap();
        // Writable at once, although nothing has a deadline.
        wait(&[Interest::read(&socket).and_write(true)], None, &clock).unwrap();
    }
}
