//! Threads for the search, and a line that says how far it is.

use std::{
    io::{IsTerminal, stderr},
    num::NonZero,
    thread,
};

use rdtp::{
    check::{Progress, Workers},
    net::Clock,
    time::Instant,
};

/// As many threads as there are processors, or as asked for.
pub(super) struct Hands {
    threads: usize,
    clock: Clock,
    /// When to speak next; `None` when nobody looks.
    next: Option<Instant>,
    spoken: bool,
}

/// Between two lines of progress.
const PAUSE: core::time::Duration = core::time::Duration::from_millis(500);

impl Hands {
    pub(super) fn new(threads: Option<u16>) -> Self {
        let processors = || thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            threads: threads.map_or_else(processors, usize::from),
            clock: Clock::start(),
            next: stderr().is_terminal().then_some(Instant::ZERO + PAUSE),
            spoken: false,
        }
    }
}

impl Workers for Hands {
    fn count(&self) -> usize {
        self.threads
    }

    fn each<T: Send>(&mut self, tasks: &mut [T], work: &(dyn Fn(&mut T) + Sync)) {
        let Some((own, others)) = tasks.split_last_mut() else { return };
        thread::scope(|scope| {
            for task in others {
                scope.spawn(move || work(task));
            }
            work(own);
        });
    }

    fn progress(&mut self, progress: Progress) {
        let now = self.clock.now();
        let Some(next) = self.next.filter(|next| now >= *next) else { return };
        let Progress { states, expanded, transitions } = progress;
        eprint!("\r{states} states, {expanded} of them done, {transitions} transitions ");
        self.next = Some(next.max(now) + PAUSE);
        self.spoken = true;
    }
}

impl Drop for Hands {
    fn drop(&mut self) {
        if self.spoken {
            eprintln!();
        }
    }
}
