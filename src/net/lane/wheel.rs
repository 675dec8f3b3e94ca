//! Who drives a lane: a thread of the application, or the lane's own.

use core::{mem, time::Duration};

use crate::time::Instant;

/// How long the lane's own thread leaves the driving to a thread of the application that went away
/// with what it waited for, and will mostly be back at once for more. It looks that often whether it
/// is, rather than be called each time.
pub(super) const GRACE: Duration = Duration::from_micros(500);
/// The same while others wait, who get nothing meanwhile: only one that is back promptly may be away.
pub(super) const BRIEF: Duration = Duration::from_micros(200);
/// Who comes again so soon after it got what it wanted is prompt, when it was so that many times in a row.
const PROMPT: Duration = Duration::from_micros(50);
const PROMPT_TIMES: u8 = 8;

/// Who has the wheel, and who had it lately.
#[derive(Debug, Default)]
pub(super) struct Wheel {
    /// A thread of the application waits for the socket.
    led: bool,
    /// Until when one is waited for that did, or that comes again and again.
    grace_ends: Instant,
    /// The lane's own thread rests for as long as it is not called.
    resting: bool,
    /// Threads of the application that wait for something and not for the socket.
    parked: usize,
    /// When a thread of the application came last, to wait if it had to.
    visited_at: Instant,
    /// The thread that is back promptly, or may turn out to be.
    prompt: Prompt,
}

/// Which thread of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Who(usize);

impl Who {
    /// This one.
    pub(super) fn here() -> Self {
        std::thread_local!(static HERE: u8 = const { 0 });
        // Each has its own place for it.
        HERE.with(|here| Self(core::ptr::from_ref(here).addr()))
    }

    /// One by a number, for models.
    #[cfg(test)]
    pub(super) const fn number(number: usize) -> Self {
        Self(number)
    }
}

/// A thread that comes back as soon as it has dealt with what it got, and how often in a row it did.
#[derive(Debug, Default)]
struct Prompt {
    who: Option<Who>,
    times: u8,
    /// When it got what it wanted last.
    answered_at: Instant,
}

impl Prompt {
    fn visit(&mut self, now: Instant, who: Who) {
        if self.who == Some(who) {
            let prompt = now <= self.answered_at + PROMPT;
            self.times = if prompt { self.times.saturating_add(1) } else { 0 };
        } else if self.times < PROMPT_TIMES || now > self.answered_at + GRACE {
            *self = Self { who: Some(who), ..Self::default() };
        }
    }

    fn answer(&mut self, now: Instant, who: Who) {
        if self.who == Some(who) {
            self.answered_at = now;
        }
    }

    fn is(&self, who: Who) -> bool {
        self.who == Some(who) && self.times >= PROMPT_TIMES
    }

    /// It waits, and has nothing to deal with.
    fn on_parked(&mut self, who: Who) {
        if self.who == Some(who) {
            self.answered_at = Instant::ZERO;
        }
    }

    /// Whether it has something to deal with, and is back soon.
    fn is_expected(&self, now: Instant) -> bool {
        self.times >= PROMPT_TIMES && now < self.answered_at + BRIEF
    }
}

/// What the lane's own thread does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own {
    /// Drives.
    Drives,
    /// Leaves that to somebody else for so long, and asks again.
    Pauses(Duration),
    /// Leaves it to somebody who does nothing else, until it is called.
    Rests,
}

impl Wheel {
    /// A thread of the application does something, and waits if it has to. Who comes again and again
    /// looks at what arrives as often as it is worth it.
    pub(super) fn visit(&mut self, now: Instant, who: Who) {
        let soon = now < mem::replace(&mut self.visited_at, now) + GRACE;
        if soon && self.parked == 0 {
            self.grace_ends = now + GRACE;
        }
        self.prompt.visit(now, who);
    }

    /// A thread of the application has what it came for.
    pub(super) fn answer(&mut self, now: Instant, who: Who) {
        self.prompt.answer(now, who);
    }

    /// Whether a thread of the application waits for the socket.
    pub(super) const fn is_led(&self) -> bool {
        self.led
    }

    /// Whether a thread that has to wait may wait for the socket: it is alone in waiting, or back so soon
    /// that the others hardly notice.
    pub(super) fn is_free(&self, who: Who) -> bool {
        !self.led && (self.parked == 0 || self.prompt.is(who))
    }

    /// A thread of the application waits for the socket, or does not any more.
    pub(super) const fn set_led(&mut self, led: bool) {
        self.led = led;
    }

    /// A thread that waited for the socket goes away; whether the lane's own thread is to be called.
    #[must_use]
    pub(super) fn leave(&mut self, now: Instant, who: Who) -> bool {
        let waited_for = self.parked > 0 && !self.prompt.is(who);
        let end = match self.parked {
            0 => now + GRACE,
            _ if waited_for => now,
            _ => now + BRIEF,
        };
        let before = mem::replace(&mut self.grace_ends, end);
        !self.led && (self.resting || waited_for || end < before)
    }

    /// A thread of the application waits for something else; whether the lane's own thread is to be
    /// called.
    #[must_use]
    pub(super) fn park(&mut self, now: Instant, who: Who) -> bool {
        self.parked += 1;
        self.prompt.on_parked(who);
        if self.led {
            return false;
        }
        let waited_for = !self.prompt.is_expected(now);
        let end = if waited_for { now } else { self.grace_ends.min(now + BRIEF) };
        let before = mem::replace(&mut self.grace_ends, end);
        waited_for || end < before
    }

    /// It does not any more.
    pub(super) const fn unpark(&mut self) {
        self.parked -= 1;
    }

    /// What the lane's own thread does next.
    pub(super) fn own(&mut self, now: Instant) -> Own {
        let grace = self.grace_ends - now;
        self.resting = self.led && grace.is_zero();
        match (self.led, grace.is_zero()) {
            (_, false) => Own::Pauses(grace),
            (true, true) => Own::Rests,
            (false, true) => Own::Drives,
        }
    }
}
