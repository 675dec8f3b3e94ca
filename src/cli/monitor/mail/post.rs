//! The thread that sends: a bounded queue, and patience with a server that is down.

use core::time::Duration;
use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use lettre::{SmtpTransport, Transport as _};
use rdtp::net::Clock;

use super::{Letter, Ringer};

/// Mails that wait to be sent; the oldest go for new ones, which say what is so now.
const WAITING_MAX: usize = 32;
/// Outcomes that wait to be told; the oldest go.
const NEWS_MAX: usize = 64;
/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_mins(5);
/// How long the end of the program waits for mails.
const LEAVE_MAX: Duration = Duration::from_secs(10);

/// What became of a mail.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The server has taken it. What it was about.
    Sent(String),
    /// It was not sent.
    Failed {
        about: String,
        error: String,
        /// When it is tried again; `None` when the server does not want it.
        again: Option<Duration>,
    },
}

/// A queue of mails, and a thread that empties it.
#[derive(Debug)]
pub(super) struct Post(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Letter>,
    /// One is being sent, or waits to be tried again.
    busy: bool,
    dropped: u64,
    news: VecDeque<Outcome>,
    /// The program ends: each mail has one more attempt.
    closing: bool,
    /// Mails that failed in it.
    left: usize,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The queue is whole whatever the other thread did.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Post {
    /// Starts the thread, which rings when there is something to tell.
    pub(super) fn open(server: SmtpTransport, pause: Duration, bell: Ringer) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let worker = Arc::clone(&shared);
        // It ends with the program: a server that does not answer must not keep that.
        thread::Builder::new()
            .name("mail".into())
            .spawn(move || work(&worker, &server, pause, &bell))?;
        Ok(Self(shared))
    }

    pub(super) fn put(&self, letter: Letter) {
        let mut state = self.0.lock();
        if state.waiting.len() >= WAITING_MAX {
            state.waiting.pop_front();
            state.dropped += 1;
        }
        state.waiting.push_back(letter);
        self.0.changed.notify_all();
    }

    pub(super) fn news(&self) -> VecDeque<Outcome> {
        core::mem::take(&mut self.0.lock().news)
    }

    /// Has one more attempt made for each mail, and waits a moment for that; how many are not sent
    /// then, and how many were dropped.
    pub(super) fn close(&self) -> (usize, u64) {
        let clock = Clock::start();
        let mut state = self.0.lock();
        state.closing = true;
        self.0.changed.notify_all();
        while state.busy || !state.waiting.is_empty() {
            let left = LEAVE_MAX.saturating_sub(clock.now().since_epoch());
            if left.is_zero() {
                break;
            }
            let woken = self.0.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        (state.waiting.len() + usize::from(state.busy) + state.left, state.dropped)
    }
}

fn work(shared: &Shared, server: &SmtpTransport, pause_min: Duration, bell: &Ringer) {
    loop {
        let mut state = shared.lock();
        let letter = loop {
            if let Some(letter) = state.waiting.pop_front() {
                break letter;
            }
            let woken = shared.changed.wait(state);
            state = woken.unwrap_or_else(PoisonError::into_inner);
        };
        state.busy = true;
        drop(state);
        let mut pause = pause_min;
        while let Err(again) = attempt(shared, server, &letter, pause, bell) {
            let mut state = shared.lock();
            if !again || state.closing {
                state.left += usize::from(again);
                break;
            }
            drop(state);
            wait(shared, pause);
            pause = (pause * 2).min(PAUSE_MAX.max(pause_min));
        }
        shared.lock().busy = false;
        shared.changed.notify_all();
    }
}

/// Tries to send; an error says whether it is worth trying again.
fn attempt(
    shared: &Shared,
    server: &SmtpTransport,
    letter: &Letter,
    pause: Duration,
    bell: &Ringer,
) -> Result<(), bool> {
    let sent = server.send(&letter.message);
    let about = letter.about.clone();
    let (outcome, result) = match sent {
        Ok(_) => (Outcome::Sent(about), Ok(())),
        Err(error) => {
            // A mail that the server refuses for good, such as for a wrong password (5yz of RFC
            // 5321 section 4.2.1), would only be refused again.
            let again = !error.is_permanent();
            let error = error.to_string();
            (Outcome::Failed { about, error, again: again.then_some(pause) }, Err(again))
        }
    };
    let mut state = shared.lock();
    if state.news.len() >= NEWS_MAX {
        state.news.pop_front();
    }
    state.news.push_back(outcome);
    drop(state);
    bell.ring();
    result
}

/// Lets so much time pass, whatever else is put into the queue, unless the program ends.
fn wait(shared: &Shared, pause: Duration) {
    let clock = Clock::start();
    let mut state = shared.lock();
    loop {
        let left = pause.saturating_sub(clock.now().since_epoch());
        if left.is_zero() || state.closing {
            return;
        }
        let woken = shared.changed.wait_timeout(state, left);
        state = woken.unwrap_or_else(PoisonError::into_inner).0;
    }
}
