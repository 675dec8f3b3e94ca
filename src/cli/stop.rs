//! Ctrl-C as a request to tidy up and end.

use core::sync::atomic::{AtomicBool, Ordering};
use std::{io, sync::Arc};

use signal_hook::{consts::TERM_SIGNALS, flag};

/// Whether the user, or the system, wants the program to end.
///
/// A signal interrupts the wait of a driver, so a loop that asks after each turn learns of it at
/// once, unless the signal comes in the instant between asking and waiting; then it learns of it
/// after the next datagram or deadline. A second signal ends the program on the spot.
#[derive(Clone, Debug)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// From now on signals are noted instead of ending the program.
    pub(crate) fn on_signals() -> io::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in TERM_SIGNALS {
            // In this order: the first signal finds the flag unset and only sets it.
            flag::register_conditional_shutdown(*signal, 128 + signal, Arc::clone(&asked))?;
            flag::register(*signal, Arc::clone(&asked))?;
        }
        Ok(Self(asked))
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
