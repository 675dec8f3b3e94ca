//! Messages between two real sockets of one machine, and what came of it.

use alloc::{sync::Arc, vec::Vec};
use core::{fmt, net::SocketAddr, time::Duration};
use std::io;

use crate::{
    classic::{
        Adaptive, Classic, Config, ConfigError, Conversation, Event, Exchange, Payload, Protocol,
        Role, Stats, Timeout, Verdict,
    },
    link::{LinkStats, Profile},
    net::{Clock, Driver, Socket, SocketConfig, wait},
    rng::Seed,
    time::Instant,
    trace::{NodeId, Observer},
    wire::Anatomy,
};

/// Messages from one socket to another on loopback, through a bad network if wanted: what
/// [`sim::Transfer`](crate::sim::Transfer) is in virtual time.
///
/// The network draws the same numbers for the same seed; how packets interleave is up to the kernel.
///
/// ```
/// use rdtp::{classic::{Verdict, rdt30::StopAndWait}, net::Loopback};
///
/// let messages: Vec<Vec<u8>> = (0..20).map(|n| vec![n; 100]).collect();
/// let report = Loopback::new(messages)
///     .over("loss=5%,corrupt=5%".parse()?)
///     .seed(7)
///     .run_protocol(&StopAndWait::RDT30, &mut ())?;
/// assert_eq!(report.verdict, Verdict::Intact);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Loopback {
    messages: Vec<Vec<u8>>,
    profile: Profile,
    config: Config,
    inspect: Option<Inspect>,
    seed: Seed,
    limit: Duration,
}

/// What tells data from feedback.
type Inspect = Arc<dyn Fn(&[u8]) -> Anatomy + Send + Sync>;

impl fmt::Debug for Loopback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loopback")
            .field("messages", &self.messages.len())
            .field("profile", &self.profile)
            .field("config", &self.config)
            .field("seed", &self.seed)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// A finished transfer between sockets.
#[derive(Clone, Debug)]
pub struct LoopbackReport {
    /// What came of it.
    pub verdict: Verdict,
    /// What was delivered, in order.
    pub delivered: Vec<Payload>,
    /// Until the last delivery.
    pub elapsed: Duration,
    /// What the sender did.
    pub sender: Stats,
    /// What the receiver did.
    pub receiver: Stats,
    /// What the bad network did from sender to receiver.
    pub up: LinkStats,
    /// What the bad network did from receiver to sender.
    pub down: LinkStats,
    /// Datagrams sent by both.
    pub datagrams: u64,
}

/// The verdict and the main numbers: "intact: 20 messages in 61 ms, 48 datagrams, 3 packets sent
/// again".
impl fmt::Display for LoopbackReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} messages in {} ms, {} datagrams, {} packets sent again",
            self.verdict,
            self.delivered.len(),
            self.elapsed.as_millis(),
            self.datagrams,
            self.sender.data_resent
        )
    }
}

/// Why there was no transfer.
#[derive(Debug)]
pub enum LoopbackError<E = ConfigError> {
    /// The endpoints could not be made.
    Setup(E),
    /// A socket could not be had, or is of no more use.
    Io(io::Error),
}

impl<E> From<io::Error> for LoopbackError<E> {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl<E: fmt::Display> fmt::Display for LoopbackError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setup(error) => write!(f, "no endpoint: {error}"),
            Self::Io(error) => write!(f, "no socket on loopback: {error}"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for LoopbackError<E> {}

/// The most messages handed over between two turns: a protocol without a window would take all at
/// once, and overflow the socket's buffer rather than meet the network.
const FEED_MAX: usize = 32;

/// How long nothing must move before it is believed that nothing will. What is in the sockets'
/// buffers on loopback arrives within microseconds.
const QUIET: Duration = Duration::from_millis(250);

impl Loopback {
    /// A transfer of these messages over a perfect network, with timeouts fit for one machine
    /// ([`Adaptive::LOCAL`]), seed 0 and a minute's time.
    pub fn new(messages: Vec<Vec<u8>>) -> Self {
        Self {
            messages,
            profile: Profile::default(),
            config: Config { timeout: Timeout::Adaptive(Adaptive::LOCAL), ..Config::default() },
            inspect: None,
            seed: Seed::new(0),
            limit: Duration::from_mins(1),
        }
    }

    /// The bad network between the sockets.
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

    /// How the network tells data from feedback, and header from payload, where the codec of the
    /// configuration cannot: for endpoints with packets of their own.
    #[must_use]
    pub fn inspect(mut self, inspect: impl Fn(&[u8]) -> Anatomy + Send + Sync + 'static) -> Self {
        self.inspect = Some(Arc::new(inspect));
        self
    }

    /// The seed of the network's chance.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Seed::new(seed);
        self
    }

    /// The most time it may take.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it with any protocol, your own too.
    pub fn run_protocol<P: Protocol>(
        &self,
        protocol: &P,
        observer: &mut (impl Observer + ?Sized),
    ) -> Result<LoopbackReport, LoopbackError> {
        let config = self.config;
        let side = |role, peer| Classic::new(protocol, Config { role, ..config }, peer);
        self.run_with(side, observer)
    }

    /// Runs it with any endpoints: `make` builds the one of a role towards a peer. What the
    /// configuration says of timeouts and limits is up to `make` then; its codec tells the network
    /// data from feedback.
    pub fn run_with<C: Conversation, E>(
        &self,
        make: impl FnMut(Role, SocketAddr) -> Result<C, E>,
        observer: &mut (impl Observer + ?Sized),
    ) -> Result<LoopbackReport, LoopbackError<E>> {
        let mut run = self.start(make)?;
        loop {
            let over = run.turn(observer)?;
            if over || run.exchange.is_wrong() {
                return Ok(run.finish());
            }
        }
    }

    /// Starts it, for a caller that looks at it between two [turns](LoopbackRun::turn).
    pub fn start<C: Conversation, E>(
        &self,
        mut make: impl FnMut(Role, SocketAddr) -> Result<C, E>,
    ) -> Result<LoopbackRun<'_, C>, LoopbackError<E>> {
        let clock = Clock::start();
        let bind = || Socket::bind(([127, 0, 0, 1], 0).into(), &SocketConfig::default());
        let (here, there) = (bind()?, bind()?);
        let sender = make(Role::Sender, there.local_addr()).map_err(LoopbackError::Setup)?;
        let receiver = make(Role::Receiver, here.local_addr()).map_err(LoopbackError::Setup)?;
        let codec = self.config.codec;
        let links = self.profile.links(self.seed);
        let [up, down] = links.map(|link| match self.inspect.clone() {
            None => link.with_inspect(move |bytes| codec.anatomy(bytes)),
            Some(inspect) => link.with_inspect(move |bytes| inspect(bytes)),
        });
        let start = clock.now();
        Ok(LoopbackRun {
            sender: Driver::new(sender, here, clock).with_links(up, down, NodeId(1)),
            receiver: Driver::new(receiver, there, clock).with_node(NodeId(1)),
            clock,
            exchange: Exchange::new(&self.messages),
            start,
            end: start + self.limit,
            delivered_at: start,
            active_at: start,
        })
    }
}

/// A [`Loopback`] at work.
#[derive(Debug)]
pub struct LoopbackRun<'a, C> {
    sender: Driver<C>,
    receiver: Driver<C>,
    clock: Clock,
    exchange: Exchange<'a>,
    start: Instant,
    end: Instant,
    delivered_at: Instant,
    active_at: Instant,
}

impl<C: Conversation> LoopbackRun<'_, C> {
    /// Waits until one side has something to do and lets both do it; true when all is over. After
    /// a wrong delivery it can go on, to see what else comes.
    pub fn turn(&mut self, observer: &mut (impl Observer + ?Sized)) -> io::Result<bool> {
        let now = self.clock.now();
        let hungry = !self.exchange.is_fed() && self.sender.endpoint().queue_room() > 0;
        let soon = hungry.then_some(now);
        let quiet = Some(self.active_at + QUIET);
        let deadlines = [self.sender.deadline(), self.receiver.deadline(), quiet, soon];
        let until = deadlines.into_iter().flatten().fold(self.end, Instant::min);
        wait(&[self.sender.interest(), self.receiver.interest()], Some(until), &self.clock)?;
        let (here, there) = (self.sender.step(observer)?, self.receiver.step(observer)?);
        let now = self.clock.now();
        if here.sent + here.received + there.sent + there.received > 0 {
            self.active_at = now;
        }
        // What the sender says is asked of it directly.
        while self.sender.endpoint_mut().poll_event().is_some() {}
        while let Some(event) = self.receiver.endpoint_mut().poll_event() {
            if let Event::Delivered(message) = event {
                self.exchange.deliver(message);
                self.delivered_at = now;
            }
        }
        // After the first step, since from there on the observer hears of what is sent.
        self.exchange.feed_some(now, self.sender.endpoint_mut(), FEED_MAX);
        Ok(self.is_over(now))
    }

    fn is_over(&self, now: Instant) -> bool {
        let sender = self.sender.endpoint();
        let done = self.exchange.is_fed() && sender.is_idle();
        if now >= self.end || done && self.exchange.is_complete() {
            return true;
        }
        self.is_quiet(now) && (done || sender.is_stalled() || sender.is_closed())
    }

    /// Whether nothing is on its way any more, as far as this can be told of a kernel.
    fn is_quiet(&self, now: Instant) -> bool {
        let (up, down) = self.in_flight();
        up + down == 0 && now >= self.active_at + QUIET
    }

    fn in_flight(&self) -> (usize, usize) {
        let links = self.sender.links();
        links.map_or((0, 0), |(up, down)| (up.in_flight(), down.in_flight()))
    }

    /// The sending endpoint.
    pub fn sender(&self) -> &C {
        self.sender.endpoint()
    }

    /// How many messages were delivered so far.
    pub fn delivered(&self) -> u64 {
        self.exchange.count()
    }

    /// What the bad network did so far: from sender to receiver, and back.
    pub fn network(&self) -> (LinkStats, LinkStats) {
        let links = self.sender.links();
        links.map_or_else(Default::default, |(up, down)| (*up.stats(), *down.stats()))
    }

    /// Ends it and says what came of it.
    pub fn finish(self) -> LoopbackReport {
        let (up, down) = self.network();
        let sender = self.sender.endpoint();
        LoopbackReport {
            verdict: self.exchange.verdict(sender, self.is_quiet(self.clock.now())),
            sender: *sender.stats(),
            receiver: *self.receiver.endpoint().stats(),
            up,
            down,
            datagrams: self.sender.stats().datagrams_out + self.receiver.stats().datagrams_out,
            elapsed: self.delivered_at - self.start,
            delivered: self.exchange.into_delivered(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic::{rdt22::Rdt22, rdt30::StopAndWait};
    use crate::trace::Record;
    use alloc::vec;

    fn messages(count: u8) -> Vec<Vec<u8>> {
        (0..count).map(|n| vec![n; 50]).collect()
    }

    #[test]
    fn a_lost_packet_is_a_deadlock_for_a_protocol_without_a_timer() {
        let loopback = Loopback::new(messages(5)).over("up.loss=at:3".parse().unwrap());
        let report = loopback.run_protocol(&Rdt22, &mut ()).unwrap();
        assert_eq!(report.verdict, Verdict::Deadlock { after: 2 });
        assert_eq!(report.up.total().lost, 1);
    }

    #[test]
    fn the_observer_sees_both_sides_and_the_network() {
        let loopback = Loopback::new(messages(5)).over("up.loss=at:3".parse().unwrap());
        let mut records: Vec<Record> = Vec::new();
        let report = loopback.run_protocol(&StopAndWait::RDT30, &mut records).unwrap();
        assert_eq!(report.verdict, Verdict::Intact);
        assert!(report.sender.data_resent >= 1 && report.datagrams >= 11, "{report:?}");
        let text: Vec<_> = records.iter().map(|record| alloc::format!("{record}")).collect();
        for expected in [" A ", " B ", " A>B ", "lost", "deliver message 4"] {
            assert!(text.iter().any(|line| line.contains(expected)), "{expected}: {text:#?}");
        }
    }

    #[test]
    fn the_time_is_limited() {
        let loopback = Loopback::new(messages(5)).over("loss=100%".parse().unwrap());
        let loopback = loopback.limit(Duration::from_millis(60));
        let report = loopback.run_protocol(&StopAndWait::RDT30, &mut ()).unwrap();
        assert_eq!(report.verdict, Verdict::OutOfTime { after: 0 });
    }
}
