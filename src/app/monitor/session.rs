//! Who probes: what to send when, what a message is the reply to, and what follows.

use alloc::collections::VecDeque;
use core::{fmt, time::Duration};

use super::{
    Change, Format, Message, MonitorStats, Status, Thresholds, Token, WORD, Watch, Written,
};
use crate::{
    rng::{Rng, Seed},
    time::Instant,
};

/// When the next probe is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// An interval after the last one was sent. Several may wait for their replies at once.
    #[default]
    Steady,
    /// An interval after it is known what became of the last one (S1-22): the interval and the round
    /// trip, or the timeout, from one probe to the next.
    AfterSample,
}

/// How a [`Monitor`] works. The defaults are those of S1-15.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonitorConfig {
    /// How probes and replies look.
    pub format: Format,
    /// How long to wait for a reply.
    pub timeout: Duration,
    /// The time between two probes.
    pub interval: Duration,
    /// From when the interval counts. With [`Format::Word`] it always counts from the sample, since
    /// nothing else tells one reply from another.
    pub pace: Pace,
    /// What counts as slow.
    pub thresholds: Thresholds,
    /// How many samples in a row are a change; see [`Watch`].
    pub consecutive: u32,
    /// How many probes to send in all; `None` for no end.
    pub count: Option<u64>,
}

impl Default for MonitorConfig {
    /// A reply within 2 s, a probe each 10 s, slow from 100 ms, very slow from 300 ms, three in a
    /// row, without an end.
    fn default() -> Self {
        Self {
            format: Format::Token,
            timeout: Duration::from_secs(2),
            interval: Duration::from_secs(10),
            pace: Pace::Steady,
            thresholds: Thresholds::default(),
            consecutive: 3,
            count: None,
        }
    }
}

/// Why a [`MonitorConfig`] is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MonitorConfigError {
    /// The timeout is zero: every reply would be late.
    Timeout,
    /// The interval is zero: probes would never stop.
    Interval,
    /// What is very slow would begin below what is slow.
    Thresholds,
    /// More probes would wait for their replies than [`Monitor::PENDING_MAX`].
    Pending,
    /// A change takes at least one sample.
    Consecutive,
}

impl fmt::Display for MonitorConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "a timeout of zero makes every reply late",
            Self::Interval => "an interval of zero would never stop sending",
            Self::Thresholds => "very slow must not begin below slow",
            Self::Pending => {
                "the timeout is nearly 1,000 intervals or more: wait less, or probe less often"
            }
            Self::Consecutive => "a change takes at least one sample",
        })
    }
}

impl core::error::Error for MonitorConfigError {}

impl MonitorConfig {
    /// Whether it makes sense.
    pub fn check(&self) -> Result<(), MonitorConfigError> {
        // A driver that wakes up late sends two close together: one less.
        let intervals_max = u32::try_from(Monitor::PENDING_MAX - 1).unwrap_or(u32::MAX);
        if self.timeout.is_zero() {
            return Err(MonitorConfigError::Timeout);
        }
        if self.interval.is_zero() {
            return Err(MonitorConfigError::Interval);
        }
        if self.thresholds.slow_below < self.thresholds.normal_below {
            return Err(MonitorConfigError::Thresholds);
        }
        if self.interval.saturating_mul(intervals_max) < self.timeout {
            return Err(MonitorConfigError::Pending);
        }
        if self.consecutive == 0 {
            return Err(MonitorConfigError::Consecutive);
        }
        Ok(())
    }
}

/// What became of one probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Which probe: 1 is the first.
    pub probe: u64,
    /// When it was sent.
    pub sent_at: Instant,
    /// The round trip; `None` when no reply came in time.
    pub rtt: Option<Duration>,
    /// What that counts as.
    pub status: Status,
}

/// What a [`Monitor`] tells the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MonitorEvent {
    /// It is known what became of a probe.
    Sample(Sample),
    /// The last samples, taken together, are news.
    Change(Change),
}

/// What a message was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The reply to a probe, in time.
    Reply,
    /// The reply to a probe that counts as lost.
    Late,
    /// A reply that was here before.
    Copy,
    /// Not for a monitor, or to no probe of the last ones.
    Foreign,
}

/// The side that probes.
///
/// ```
/// use core::time::Duration;
/// use rdtp::{
///     app::monitor::{Format, Monitor, MonitorConfig, MonitorEvent, answer},
///     rng::Seed,
///     time::Instant,
/// };
///
/// let mut monitor = Monitor::new(MonitorConfig::default(), Seed::new(7), Instant::ZERO)?;
/// let probe = monitor.poll_message(Instant::ZERO).expect("the first is due at once");
/// let reply = answer(Format::Token, &probe).expect("it is a probe");
/// monitor.handle_message(Instant::ZERO + Duration::from_millis(7), &reply);
/// let Some(MonitorEvent::Sample(sample)) = monitor.poll_event() else { unreachable!() };
/// assert_eq!(sample.rtt, Some(Duration::from_millis(7)));
/// # Ok::<(), rdtp::app::monitor::MonitorConfigError>(())
/// ```
#[derive(Debug)]
pub struct Monitor {
    config: MonitorConfig,
    tokens: Rng,
    /// When the next probe is due; `None` when there is none, or not yet.
    next_at: Option<Instant>,
    /// Probes that wait for their replies, in the order in which they were sent.
    pub(super) pending: VecDeque<Pending>,
    /// The last probes that no longer wait, the newest last.
    pub(super) settled: VecDeque<Settled>,
    watch: Watch,
    stats: MonitorStats,
    pub(super) events: VecDeque<MonitorEvent>,
    now: Instant,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    token: Token,
    probe: u64,
    sent_at: Instant,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Settled {
    token: Token,
    /// Its reply has been here, in time or not.
    answered: bool,
}

impl Monitor {
    /// The most probes that wait for their replies at once.
    pub const PENDING_MAX: usize = 1_000;
    /// The most probes of which it is remembered that they no longer wait, to know late replies and
    /// copies.
    pub const SETTLED_MAX: usize = 64;
    /// The most events that wait for the application; the oldest go.
    pub const EVENTS_MAX: usize = 4 * Self::PENDING_MAX;

    /// A monitor whose first probe is due at `now`. `seed` is where the tokens come from: nobody
    /// should be able to guess it.
    pub fn new(
        config: MonitorConfig,
        seed: Seed,
        now: Instant,
    ) -> Result<Self, MonitorConfigError> {
        config.check()?;
        Ok(Self {
            config,
            tokens: seed.split("monitor/tokens").rng(),
            next_at: (config.count != Some(0)).then_some(now),
            pending: VecDeque::new(),
            settled: VecDeque::new(),
            watch: Watch::new(config.consecutive, now),
            stats: MonitorStats::default(),
            events: VecDeque::new(),
            now,
        })
    }

    /// How it works.
    pub fn config(&self) -> &MonitorConfig {
        &self.config
    }

    /// What it has seen so far.
    pub fn stats(&self) -> &MonitorStats {
        &self.stats
    }

    /// What the way is, after the last [`Change`].
    pub fn status(&self) -> Status {
        self.watch.status()
    }

    /// When the next probe is due.
    pub fn next_at(&self) -> Option<Instant> {
        self.next_at
    }

    /// Whether no probe waits for its reply.
    pub fn is_quiet(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether no probe waits for its reply and none is to come.
    pub fn is_done(&self) -> bool {
        self.next_at.is_none() && self.is_quiet()
    }

    /// Sends no more probes. What waits for its reply does so still.
    pub fn stop(&mut self) {
        self.config.count = Some(self.stats.sent);
        self.next_at = None;
    }

    /// Takes a message that came from the peer.
    pub fn handle_message(&mut self, now: Instant, message: &[u8]) -> Heard {
        self.handle_timeout(now);
        let heard = match self.token_of(message) {
            None => Heard::Foreign,
            Some(token) => self.take_reply(now, token),
        };
        match heard {
            Heard::Reply => {}
            Heard::Late => self.stats.late += 1,
            Heard::Copy => self.stats.copies += 1,
            Heard::Foreign => self.stats.foreign += 1,
        }
        heard
    }

    /// Which probe a message is the reply to. The word says so of none: it is taken for the one that
    /// waits, or else for the last.
    fn token_of(&self, message: &[u8]) -> Option<Token> {
        match self.config.format {
            Format::Token => match Message::decode(message)? {
                Message::Reply(token) => Some(token),
                Message::Probe(_) => None,
            },
            Format::Word if message == WORD => {
                let waiting = self.pending.front().map(|pending| pending.token);
                waiting.or_else(|| self.settled.back().map(|settled| settled.token))
            }
            Format::Word => None,
        }
    }

    fn take_reply(&mut self, now: Instant, token: Token) -> Heard {
        let waiting = self.pending.iter().position(|pending| pending.token == token);
        if let Some(pending) = waiting.and_then(|at| self.pending.remove(at)) {
            self.settle(now, pending, Some(now - pending.sent_at));
            return Heard::Reply;
        }
        let settled = self.settled.iter_mut().find(|settled| settled.token == token);
        match settled.map(|settled| core::mem::replace(&mut settled.answered, true)) {
            Some(true) => Heard::Copy,
            Some(false) => Heard::Late,
            None => Heard::Foreign,
        }
    }

    /// Gives up the probes whose time is over.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while let Some(late_at) = self.late_at().filter(|&at| at <= now)
            && let Some(pending) = self.pending.pop_front()
        {
            self.settle(late_at, pending, None);
        }
    }

    /// There is no way to the peer at the moment: nothing that waits will be answered.
    pub fn handle_unreachable(&mut self, now: Instant) {
        self.handle_timeout(now);
        while let Some(pending) = self.pending.pop_front() {
            self.settle(now, pending, None);
        }
    }

    /// When the time of the probe is over that waits longest.
    fn late_at(&self) -> Option<Instant> {
        self.pending.front().map(|pending| pending.sent_at + self.config.timeout)
    }

    fn settle(&mut self, at: Instant, pending: Pending, rtt: Option<Duration>) {
        let Pending { token, probe, sent_at } = pending;
        if self.settled.len() >= Self::SETTLED_MAX {
            self.settled.pop_front();
        }
        self.settled.push_back(Settled { token, answered: rtt.is_some() });
        let status = self.config.thresholds.status(rtt);
        self.stats.count(status, rtt);
        self.emit(MonitorEvent::Sample(Sample { probe, sent_at, rtt, status }));
        if let Some(change) = self.watch.take(at, status) {
            self.emit(MonitorEvent::Change(change));
        }
        if self.is_after_sample() && self.wants_more() {
            self.next_at = Some(at + self.config.interval);
        }
    }

    fn is_after_sample(&self) -> bool {
        self.config.pace == Pace::AfterSample || self.config.format == Format::Word
    }

    fn wants_more(&self) -> bool {
        self.config.count.is_none_or(|count| self.stats.sent < count)
    }

    fn emit(&mut self, event: MonitorEvent) {
        if self.events.len() >= Self::EVENTS_MAX {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// The next probe, when it is due. It counts as sent at `now`.
    pub fn poll_message(&mut self, now: Instant) -> Option<Written> {
        self.handle_timeout(now);
        let due = self.next_at.filter(|&at| at <= now)?;
        let token = Token(self.tokens.next_u64());
        self.stats.sent += 1;
        self.pending.push_back(Pending { token, probe: self.stats.sent, sent_at: now });
        self.next_at = match self.wants_more() && !self.is_after_sample() {
            // Who slept through some does not catch up.
            true if due + self.config.interval > now => Some(due + self.config.interval),
            true => Some(now + self.config.interval),
            false => None,
        };
        Some(self.config.format.probe(token))
    }

    /// When to call again: for the next probe, for a reply that does not come, or at once when there
    /// are events.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if !self.events.is_empty() {
            return Some(self.now);
        }
        self.next_at.into_iter().chain(self.late_at()).min()
    }

    /// The next thing the application should know.
    pub fn poll_event(&mut self) -> Option<MonitorEvent> {
        self.events.pop_front()
    }
}
