//! One transfer through a bad network, and what came of it.

use alloc::vec::Vec;
use core::{fmt, net::SocketAddr, time::Duration};

use super::world::{Application, Egress, World};
use crate::{
    classic::{
        Classic, Config, ConfigError, Conversation, Event, Exchange, Payload, Protocol, Role, Spec,
        Stats, Verdict, Visitor,
    },
    link::{Course, LinkStats, Profile},
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

/// The network and the seed: "over loss=20%, seed 7".
impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "over {}, seed {}", self.profile, self.seed)
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
        self.run_with(|role, peer| self.side(protocol, role, peer), observer)
    }

    /// Runs it with any endpoints: `make` builds the one of a role towards a peer. What the
    /// configuration says of timeouts and limits is up to `make` then; its codec tells the link data
    /// from feedback.
    pub fn run_with<C: Conversation, E, O: Observer>(
        &self,
        mut make: impl FnMut(Role, SocketAddr) -> Result<C, E>,
        observer: &mut O,
    ) -> Result<Report, E> {
        let mut world = World::new();
        let from = world.add(make(Role::Sender, World::address(1))?);
        let to = world.add(make(Role::Receiver, World::address(0))?);
        world.set_egress(from, self.egress);
        let codec = self.config.codec;
        let links = self.profile.links(self.seed).into_iter().zip(&self.courses);
        for ((a, b), (link, courses)) in [(from, to), (to, from)].into_iter().zip(links) {
            let link = link.with_courses(courses.clone());
            world.lay(a, b, link.with_inspect(move |bytes| codec.anatomy(bytes)));
        }

        let exchange = Exchange::new(&self.messages);
        let mut ears = Ears { exchange, released: 0, finished_at: Instant::ZERO };
        // Nothing happens yet, but the observer is asked now and so hears of the first messages too.
        world.step(Instant::ZERO, observer, &mut ears);
        let end = Instant::ZERO + self.limit;
        let at_once = [Instant::ZERO];
        let times = if self.send_at.is_empty() { &at_once[..] } else { &self.send_at };
        for (left, &at) in (0..times.len()).rev().zip(times) {
            while ears.goes_on(at, end) && world.step(at, observer, &mut ears) {}
            if ears.goes_on(at, end) {
                world.pass(at);
                // The last time is that of all the rest.
                ears.released = if left == 0 { usize::MAX } else { ears.released + 1 };
                ears.feed(at, world.endpoint_mut(from));
            }
        }
        while !ears.exchange.is_wrong() && world.step(end, observer, &mut ears) {}

        let (sender, receiver) = (world.endpoint(from), world.endpoint(to));
        let stats = |from, to| world.link(from, to).map(|link| *link.stats());
        Ok(Report {
            verdict: ears.exchange.verdict(sender, world.is_quiet()),
            delivered: ears.exchange.into_delivered(),
            elapsed: ears.finished_at.since_epoch(),
            sender: *sender.stats(),
            receiver: *receiver.stats(),
            up: stats(from, to).unwrap_or_default(),
            down: stats(to, from).unwrap_or_default(),
            datagrams: world.datagrams(),
        })
    }

    /// The network.
    pub(super) fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The endpoint of `protocol` on one side.
    pub(super) fn side<P: Protocol>(
        &self,
        protocol: &P,
        role: Role,
        peer: SocketAddr,
    ) -> Result<Classic<P>, ConfigError> {
        Classic::new(protocol, Config { role, ..self.config }, peer)
    }
}

/// The application on both sides, and when it heard last.
struct Ears<'a> {
    exchange: Exchange<'a>,
    /// How many messages may be sent by now.
    released: usize,
    finished_at: Instant,
}

impl Ears<'_> {
    /// Whether `at` is still part of the run.
    fn goes_on(&self, at: Instant, end: Instant) -> bool {
        !self.exchange.is_wrong() && at <= end
    }

    fn feed(&mut self, now: Instant, sender: &mut impl Conversation) {
        let most = self.released.saturating_sub(self.exchange.fed());
        self.exchange.feed_some(now, sender, most);
    }
}

impl<C: Conversation> Application<C> for Ears<'_> {
    fn on_event(&mut self, now: Instant, _: NodeId, event: Event, endpoint: &mut C) {
        match event {
            Event::Acknowledged { .. } => self.feed(now, endpoint),
            Event::Delivered(message) => {
                self.exchange.deliver(message);
                self.finished_at = now;
            }
            Event::GaveUp { .. } => {}
        }
    }
}
