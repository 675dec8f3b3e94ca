//! What wakes a loop that waits for datagrams: signals, and threads that have something to say.

use std::{
    io::{self, Read as _},
    os::unix::net::UnixStream,
};

use rdtp::net::Interest;
use signal_hook::{consts::TERM_SIGNALS, low_level::pipe};

use super::super::stop::Stop;

/// A byte in a pipe of our own, which a wait for sockets sees as well.
pub(super) struct Bell {
    reader: UnixStream,
    #[cfg(feature = "mail")]
    writer: UnixStream,
    stop: Stop,
}

/// One end of the pipe for another thread.
#[cfg(feature = "mail")]
#[derive(Debug)]
pub(super) struct Ringer(UnixStream);

impl Bell {
    /// Rings on Ctrl-C and its kin, which from now on are noted instead of ending the program.
    pub(super) fn on_signals() -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        let stop = Stop::on_signals()?;
        for signal in TERM_SIGNALS {
            pipe::register(*signal, writer.try_clone()?)?;
        }
        Ok(Self {
            reader,
            #[cfg(feature = "mail")]
            writer,
            stop,
        })
    }

    /// Whether the user, or the system, wants the program to end.
    pub(super) fn is_stop_asked(&self) -> bool {
        self.stop.is_asked()
    }

    /// For another thread.
    #[cfg(feature = "mail")]
    pub(super) fn ringer(&self) -> io::Result<Ringer> {
        self.writer.try_clone().map(Ringer)
    }

    /// What to wait for beside the sockets.
    pub(super) fn interest(&self) -> Interest<'_> {
        Interest::read(&self.reader)
    }

    /// Takes what has rung so far.
    pub(super) fn silence(&mut self) {
        let mut bytes = [0; 64];
        while self.reader.read(&mut bytes).is_ok_and(|len| len > 0) {}
    }
}

#[cfg(feature = "mail")]
impl Ringer {
    pub(super) fn ring(&self) {
        use std::io::Write as _;
        // A full pipe rings already.
        let _ = (&self.0).write(&[1]);
    }
}
