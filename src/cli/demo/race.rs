//! Two endpoints on loopback, in one thread, and a file between them.

use core::{net::SocketAddr, time::Duration};
use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rdtp::{
    classic::{Adaptive, Config, Conversation, Event, Role, Timeout},
    endpoint::Endpoint as _,
    link::Profile,
    net::{Clock, Driver, Socket, SocketConfig, wait},
    rng::Seed,
    time::Instant,
    trace::{NodeId, Observer},
    wire::Codec,
};

use super::{super::network, Contender, Failure};

type Line = Driver<Box<dyn Conversation + Send>>;

/// How a race ended.
pub(super) enum Verdict {
    /// The sender is done, and nothing is on its way any more.
    Finished,
    /// Nothing is on its way, no timer runs, and the sender waits.
    Deadlock,
    /// The time was over.
    OutOfTime,
}

/// What a race came to.
pub(super) struct Finish {
    pub(super) verdict: Verdict,
    pub(super) delivered: Vec<u8>,
    /// Until the last delivery.
    pub(super) elapsed: Duration,
    pub(super) datagrams: u64,
    pub(super) retransmissions: u64,
    /// The share of all datagrams, both ways, that the network lost.
    pub(super) effective_loss: f64,
}

/// A protocol at work.
pub(super) struct Race<'a> {
    sender: Line,
    receiver: Line,
    clock: Clock,
    name: &'a str,
    waiting: std::slice::Chunks<'a, u8>,
    file: &'a [u8],
    /// A chunk that the sender's queue had no room for.
    next: Option<&'a [u8]>,
    delivered: Vec<u8>,
    delivered_at: Instant,
    active_at: Instant,
}

/// The most chunks handed over between two turns: raw UDP would take the whole file at once, and
/// overflow the socket's buffer rather than meet the network.
const FEED_MAX: usize = 32;

/// How long nothing must move before it is believed that nothing will. What is in the sockets'
/// buffers on loopback arrives within microseconds.
const QUIET: Duration = Duration::from_millis(250);

/// The round trip is a few milliseconds, and a fifth of the packets is lost each way: backing off
/// further than this would only make the demonstration long.
const TIMEOUT: Adaptive = Adaptive {
    rto_initial: Duration::from_millis(20),
    rto_min: Duration::from_millis(5),
    rto_max: Duration::from_millis(50),
};

impl<'a> Race<'a> {
    pub(super) fn start(
        contender: &'a Contender,
        codec: Codec,
        file: &'a [u8],
        chunk: usize,
        profile: &Profile,
        seed: Seed,
    ) -> Result<Self, Failure> {
        let clock = Clock::start();
        let loopback: SocketAddr = ([127, 0, 0, 1], 0).into();
        let bind = || Socket::bind(loopback, &SocketConfig::default());
        let (from, to) = (bind()?, bind()?);
        let (from_address, to_address) = (from.local_addr(), to.local_addr());
        let config = |role| Config {
            role,
            codec,
            timeout: Timeout::Adaptive(TIMEOUT),
            // The time limit bounds the run, whatever the delay of the network.
            attempts_max: None,
            ..Config::default()
        };
        let sender = contender.spec.endpoint(config(Role::Sender), to_address)?;
        let receiver = contender.spec.endpoint(config(Role::Receiver), from_address)?;
        let (up, down) = network::inspected(network::links(profile, seed), codec);
        Ok(Self {
            sender: Driver::new(sender, from, clock).with_links(up, down, NodeId(1)),
            receiver: Driver::new(receiver, to, clock).with_node(NodeId(1)),
            clock,
            name: &contender.name,
            waiting: file.chunks(chunk),
            file,
            next: None,
            delivered: Vec::with_capacity(file.len()),
            delivered_at: Instant::ZERO,
            active_at: Instant::ZERO,
        })
    }

    /// Runs until it is over, at most for `limit`.
    pub(super) fn run(
        mut self,
        limit: Duration,
        progress: bool,
        observer: &mut impl Observer,
    ) -> io::Result<Finish> {
        let start = self.clock.now();
        let bar = self.bar(progress);
        // There is nothing to do yet, but from now on both endpoints are watched.
        self.sender.step(observer)?;
        self.receiver.step(observer)?;
        let verdict = loop {
            self.feed();
            self.turn(start + limit, observer)?;
            self.events();
            self.show(&bar);
            if let Some(verdict) = self.verdict(start + limit) {
                break verdict;
            }
        };
        bar.finish_and_clear();
        let stats = self.sender.endpoint().stats();
        Ok(Finish {
            verdict,
            elapsed: self.delivered_at - start,
            datagrams: self.sender.stats().datagrams_out + self.receiver.stats().datagrams_out,
            retransmissions: stats.data_resent,
            effective_loss: self.effective_loss(),
            delivered: self.delivered,
        })
    }

    fn feed(&mut self) {
        for _ in 0..FEED_MAX {
            let endpoint = self.sender.endpoint();
            if endpoint.queue_room() == 0 || endpoint.is_closed() {
                return;
            }
            let Some(chunk) = self.next.take().or_else(|| self.waiting.next()) else { return };
            let now = self.clock.now();
            if self.sender.endpoint_mut().send(now, chunk).is_err() {
                self.next = Some(chunk);
                return;
            }
        }
    }

    /// Waits until one side has something to do, and lets both do it.
    fn turn(&mut self, end: Instant, observer: &mut impl Observer) -> io::Result<()> {
        let quiet = self.active_at + QUIET;
        let fed = self.waiting.len() == 0 && self.next.is_none();
        let feedable = !fed && self.sender.endpoint().queue_room() > 0;
        let now = feedable.then_some(Instant::ZERO);
        let deadlines = [self.sender.deadline(), self.receiver.deadline(), Some(quiet), now];
        let until = deadlines.into_iter().flatten().fold(end, Instant::min);
        wait(&[self.sender.interest(), self.receiver.interest()], Some(until), &self.clock)?;
        let (first, second) = (self.sender.step(observer)?, self.receiver.step(observer)?);
        if first.sent + first.received + second.sent + second.received > 0 {
            self.active_at = self.clock.now();
        }
        Ok(())
    }

    fn events(&mut self) {
        while self.sender.endpoint_mut().poll_event().is_some() {}
        while let Some(event) = self.receiver.endpoint_mut().poll_event() {
            if let Event::Delivered(message) = event {
                self.delivered.extend_from_slice(&message);
                self.delivered_at = self.clock.now();
            }
        }
    }

    fn verdict(&self, end: Instant) -> Option<Verdict> {
        let now = self.clock.now();
        if now >= end {
            return Some(Verdict::OutOfTime);
        }
        let fed = self.waiting.len() == 0 && self.next.is_none();
        let done = fed && self.sender.endpoint().is_idle();
        if done && self.delivered == self.file {
            return Some(Verdict::Finished);
        }
        let empty = self
            .sender
            .links()
            .is_none_or(|(up, down)| up.in_flight() == 0 && down.in_flight() == 0);
        if !empty || now < self.active_at + QUIET {
            return None;
        }
        if done {
            return Some(Verdict::Finished);
        }
        self.sender.endpoint().is_stalled().then_some(Verdict::Deadlock)
    }

    fn effective_loss(&self) -> f64 {
        let Some((up, down)) = self.sender.links() else { return 0.0 };
        let total = up.stats().total().plus(&down.stats().total());
        f64::from(total.loss().parts_per_billion()) / 1e9
    }

    fn bar(&self, progress: bool) -> ProgressBar {
        let bar = ProgressBar::new(self.file.len() as u64).with_message(self.name.to_owned());
        if !progress || !io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let template = "{msg:<9} [{bar:24}] {percent:>3}%  {prefix}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar
    }

    fn show(&self, bar: &ProgressBar) {
        if bar.is_hidden() {
            return;
        }
        let stats = self.sender.endpoint().stats();
        let lost = self
            .sender
            .links()
            .map_or(0, |(up, down)| up.stats().total().lost + down.stats().total().lost);
        bar.set_prefix(format!(
            "sent {}, resent {}, lost {lost}",
            stats.data_sent, stats.data_resent
        ));
        bar.set_position(self.delivered.len().min(self.file.len()) as u64);
    }
}
