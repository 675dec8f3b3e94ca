//! One transfer through a bad network, and what came of it.

use alloc::{collections::VecDeque, vec::Vec};
use core::{fmt, time::Duration};

use super::world::{Application, Egress, World};
use crate::{
    classic::{Classic, Config, ConfigError, Event, Payload, Protocol, Role, Spec, Stats, Visitor},
    link::{Course, Link, LinkStats, Profile},
    rng::Seed,
    time::Instant,
    trace::{NodeId, Observer},
};

/// Messages from node A to node B through a bad network in virtual time.
///
/// ```
/// use rdtp::sim::{Transfer, Verdict};
///
/// let transfer = Transfer::new(vec![b"one".to_vec(), b"two".to_vec()])
///     .over("loss=20%,dup=5%,corrupt=5%,delay=25ms".parse()?)
///     .seed(7);
/// let report = transfer.run("rdt3.0".parse()?, &mut ())?;
/// assert_eq!(report.verdict, Verdict::Intact);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Transfer {
    messages: Vec<Vec<u8>>,
    profile: Profile,
    config: Config,
    seed: Seed,
    egress: Egress,
    limit: Duration,
    courses: [Vec<Course>; 2],
    send_at: Vec<Instant>,
}

/// What came of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every message arrived once, intact and in order, and the sender knows it (if its protocol
    /// can know).
    Intact,
    /// Something was delivered that is not the next message.
    Wrong {
        /// How many messages had been delivered correctly before.
        after: u64,
    },
    /// Messages are missing, and the sender believes that all is well.
    Missing {
        /// How many.
        messages: u64,
    },
    /// Both sides wait for each other for ever: no timer, no packet on its way.
    Deadlock {
        /// How many messages had been delivered.
        after: u64,
    },
    /// The sender gave up.
    GaveUp {
        /// How many messages had been delivered.
        after: u64,
    },
    /// It was still going on when the time was over, or for ever in one instant.
    OutOfTime {
        /// How many messages had been delivered.
        after: u64,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Intact => f.write_str("intact"),
            Self::Wrong { after } => write!(f, "wrong data after {after} messages"),
            Self::Missing { messages } => write!(f, "{messages} messages missing"),
            Self::Deadlock { after } => write!(f, "deadlock after {after} messages"),
            Self::GaveUp { after } => write!(f, "gave up after {after} messages"),
            Self::OutOfTime { after } => write!(f, "out of time after {after} messages"),
        }
    }
}

/// A finished transfer.
#[derive(Clone, Debug)]
pub struct Report {
    /// What came of it.
    pub verdict: Verdict,
    /// What was delivered, in order.
    pub delivered: Vec<Payload>,
    /// Virtual time until the last delivery.
    pub elapsed: Duration,
    /// What the sender did.
    pub sender: Stats,
    /// What the receiver did.
    pub receiver: Stats,
    /// What the network did from sender to receiver.
    pub up: LinkStats,
    /// What the network did from receiver to sender.
    pub down: LinkStats,
    /// Datagrams sent by both.
    pub datagrams: u64,
}

impl Transfer {
    /// A transfer of these messages over a perfect network, with the default configuration, seed 0
    /// and an hour of virtual time.
    pub fn new(messages: Vec<Vec<u8>>) -> Self {
        Self {
            messages,
            profile: Profile::default(),
            config: Config::default(),
            seed: Seed::new(0),
            egress: Egress::Eager,
            limit: Duration::from_hours(1),
            courses: [Vec::new(), Vec::new()],
            send_at: Vec::new(),
        }
    }

    /// The network.
    #[must_use]
    pub fn over(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Codec, timeouts and limits of both sides; the role is set by the transfer.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The seed of all chance.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Seed::new(seed);
        self
    }

    /// When packets are taken from the sender.
    #[must_use]
    pub fn egress(mut self, egress: Egress) -> Self {
        self.egress = egress;
        self
    }

    /// The most virtual time it may take.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The first datagrams of the sender, and those of the receiver, take these courses instead of
    /// what the network would do to them.
    #[must_use]
    pub fn along(mut self, up: Vec<Course>, down: Vec<Course>) -> Self {
        self.courses = [up, down];
        self
    }

    /// The sender is given its messages one by one at these times, none earlier than the one before,
    /// and the rest with the last of them. Otherwise it has them all from the start.
    #[must_use]
    pub fn sending_at(mut self, times: Vec<Instant>) -> Self {
        self.send_at = times;
        self
    }

    /// Runs it with a protocol that was chosen by name.
    pub fn run<O: Observer>(&self, spec: Spec, observer: &mut O) -> Result<Report, ConfigError> {
        struct Run<'a, O>(&'a Transfer, &'a mut O);
        impl<O: Observer> Visitor for Run<'_, O> {
            type Output = Result<Report, ConfigError>;
            fn visit<P: Protocol + 'static>(self, protocol: P) -> Self::Output {
                self.0.run_protocol(&protocol, self.1)
            }
        }
        spec.visit(Run(self, observer))
    }

    /// Runs it with any protocol, your own too.
    pub fn run_protocol<P: Protocol, O: Observer>(
        &self,
        protocol: &P,
        observer: &mut O,
    ) -> Result<Report, ConfigError> {
        let side = |role, peer| {
            Classic::new(protocol, Config { role, ..self.config }, World::address(peer))
        };
        let mut world = World::new();
        let from = world.add(side(Role::Sender, 1)?);
        let to = world.add(side(Role::Receiver, 0)?);
        world.set_egress(from, self.egress);
        let codec = self.config.codec;
        let [up, down] = &self.courses;
        let link = |config, way, courses: &[Course]| {
            let link = Link::new(config, self.seed.split(way)).with_courses(courses.to_vec());
            link.with_inspect(move |bytes| codec.anatomy(bytes))
        };
        world.lay(from, to, link(self.profile.up.clone(), "up", up));
        world.lay(to, from, link(self.profile.down.clone(), "down", down));

        let mut progress = Progress {
            waiting: self.messages.iter().map(Vec::as_slice).collect(),
            held_back: self.messages.len(),
            sent: &self.messages,
            delivered: Vec::new(),
            wrong_after: None,
            finished_at: Instant::ZERO,
            closed: false,
        };
        // Nothing happens yet, but the observer is asked now and so hears of the first messages too.
        world.step(Instant::ZERO, observer, &mut progress);
        let end = Instant::ZERO + self.limit;
        let at_once = [Instant::ZERO];
        let times = if self.send_at.is_empty() { &at_once[..] } else { &self.send_at };
        for (left, &at) in (0..times.len()).rev().zip(times) {
            while progress.goes_on(at, end) && world.step(at, observer, &mut progress) {}
            if progress.goes_on(at, end) {
                world.pass(at);
                // The last time is that of all the rest.
                progress.held_back =
                    if left == 0 { 0 } else { progress.held_back.saturating_sub(1) };
                progress.feed(at, world.endpoint_mut(from));
            }
        }
        while progress.wrong_after.is_none() && world.step(end, observer, &mut progress) {}
        Ok(report(&world, from, to, progress))
    }
}

/// The application on both sides: feeds the sender, and compares what arrives.
struct Progress<'a> {
    waiting: VecDeque<&'a [u8]>,
    /// How many of these are not to be sent yet.
    held_back: usize,
    sent: &'a [Vec<u8>],
    delivered: Vec<Payload>,
    wrong_after: Option<u64>,
    finished_at: Instant,
    closed: bool,
}

impl Progress<'_> {
    /// Whether `at` is still part of the run.
    fn goes_on(&self, at: Instant, end: Instant) -> bool {
        self.wrong_after.is_none() && at <= end
    }

    fn feed<P: Protocol>(&mut self, now: Instant, sender: &mut Classic<P>) {
        while sender.queue_room() > 0 && self.waiting.len() > self.held_back {
            let Some(message) = self.waiting.pop_front() else { return };
            if sender.send(now, message).is_err() {
                return;
            }
        }
    }
}

impl<P: Protocol> Application<Classic<P>> for Progress<'_> {
    fn on_event(&mut self, now: Instant, _: NodeId, event: Event, endpoint: &mut Classic<P>) {
        match event {
            Event::Delivered(message) => {
                let next = self.sent.get(self.delivered.len());
                if self.wrong_after.is_none() && next.is_none_or(|next| next[..] != message[..]) {
                    self.wrong_after = Some(self.delivered.len() as u64);
                }
                self.delivered.push(message);
                self.finished_at = now;
            }
            Event::Acknowledged { .. } => self.feed(now, endpoint),
            Event::GaveUp { .. } => self.closed = true,
        }
    }
}

fn report<P: Protocol>(
    world: &World<Classic<P>>,
    from: NodeId,
    to: NodeId,
    progress: Progress<'_>,
) -> Report {
    let (sender, receiver) = (world.endpoint(from), world.endpoint(to));
    let after = progress.delivered.len() as u64;
    let missing = progress.sent.len() as u64 - after.min(progress.sent.len() as u64);
    let verdict = if let Some(after) = progress.wrong_after {
        Verdict::Wrong { after }
    } else if progress.closed {
        Verdict::GaveUp { after }
    } else if world.is_quiet() && sender.is_stalled() {
        Verdict::Deadlock { after }
    } else if !sender.is_idle() || !progress.waiting.is_empty() {
        Verdict::OutOfTime { after }
    } else if missing > 0 {
        Verdict::Missing { messages: missing }
    } else {
        Verdict::Intact
    };
    let stats = |from, to| world.link(from, to).map(|link| *link.stats());
    Report {
        verdict,
        delivered: progress.delivered,
        elapsed: progress.finished_at.since_epoch(),
        sender: *sender.stats(),
        receiver: *receiver.stats(),
        up: stats(from, to).unwrap_or_default(),
        down: stats(to, from).unwrap_or_default(),
        datagrams: world.datagrams(),
    }
}
