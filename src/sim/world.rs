//! Nodes, links and virtual time.

use alloc::{
    collections::{BTreeMap, BinaryHeap},
    vec,
    vec::Vec,
};
use core::{
    cmp::Reverse,
    net::{Ipv4Addr, SocketAddr},
};

use super::pace::{Pace, Sleeper};
use crate::{
    batch::Batch,
    endpoint::{Endpoint, RecvMeta, Transmit},
    link::Link,
    rng::Seed,
    time::Instant,
    trace::{NodeId, Observer, Place, Record, TraceEvent},
};

/// What runs on top of the endpoints of a world: it hears their events and may act on them.
pub trait Application<E: Endpoint> {
    /// `endpoint` at `node` has something to say.
    fn on_event(&mut self, now: Instant, node: NodeId, event: E::Event, endpoint: &mut E);
}

impl<E: Endpoint, F: FnMut(Instant, NodeId, E::Event, &mut E)> Application<E> for F {
    fn on_event(&mut self, now: Instant, node: NodeId, event: E::Event, endpoint: &mut E) {
        self(now, node, event, endpoint);
    }
}

/// An application that listens to nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ignore;

impl<E: Endpoint> Application<E> for Ignore {
    fn on_event(&mut self, _: Instant, _: NodeId, _: E::Event, _: &mut E) {}
}

/// When a node's packets are taken from its endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Egress {
    /// As soon as they are made; the link's queue holds what the line cannot take yet.
    #[default]
    Eager,
    /// When the line is free, one at a time: the node's own interface is the bottleneck, and
    /// packets wait in the endpoint, as behind a socket that is not writable.
    LinePaced,
}

#[derive(Debug)]
struct Node<E> {
    endpoint: E,
    egress: Egress,
    /// The wake-up that is in the queue and still valid.
    armed: Option<Instant>,
    /// Only when it is not punctual.
    sleeper: Option<Sleeper>,
    /// Its address, and since when; the latest last.
    addresses: Vec<(Instant, SocketAddr)>,
}

impl<E> Node<E> {
    /// Its address then.
    fn address_at(&self, at: Instant) -> Option<SocketAddr> {
        let latest = self.addresses.iter().rev().find(|(since, _)| *since <= at);
        latest.map(|&(_, address)| address)
    }
}

#[derive(Debug)]
struct Pipe {
    from: NodeId,
    to: NodeId,
    link: Link<NodeId>,
    armed: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wake {
    Node(usize),
    Pipe(usize),
}

/// Endpoints and links in virtual time.
///
/// ```
/// use rdtp::{
///     classic::{Classic, Config, Event, rdt30::StopAndWait},
///     link::Profile,
///     rng::Seed,
///     sim::World,
///     time::Instant,
/// };
///
/// let (a, b) = (World::<()>::address(0), World::<()>::address(1));
/// let mut world = World::new();
/// let alice = world.add(Classic::new(&StopAndWait::RDT30, Config::default(), b)?);
/// let bob = world.add(Classic::new(&StopAndWait::RDT30, Config::default(), a)?);
/// world.connect(alice, bob, &"loss=20%,delay=25ms".parse::<Profile>()?, Seed::new(7));
///
/// world.endpoint_mut(alice).send(Instant::ZERO, b"hello")?;
/// let mut heard = Vec::new();
/// world.run(Instant::MAX, &mut (), &mut |_now, node, event, _: &mut Classic<_>| {
///     if let (true, Event::Delivered(message)) = (node == bob, event) {
///         heard.push(message.to_vec());
///     }
/// });
/// assert_eq!(heard, [b"hello"]);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct World<E> {
    nodes: Vec<Node<E>>,
    pipes: Vec<Pipe>,
    routes: BTreeMap<(NodeId, NodeId), usize>,
    /// Who is where now.
    residents: BTreeMap<SocketAddr, NodeId>,
    wakes: BinaryHeap<Reverse<(Instant, u64, Wake)>>,
    wakes_made: u64,
    now: Instant,
    /// Events since time last passed.
    events_now: u64,
    datagrams: u64,
    /// A node whose timer fires for ever at one instant.
    spinning: Option<NodeId>,
    /// Nodes touched from outside since the last step.
    touched: Vec<usize>,
    space: Vec<u8>,
    tracing: bool,
}

/// How often a node may be woken at one instant without time passing. More is a timer that fires
/// for ever (rule 3 of the [contract](crate::endpoint)).
const TURNS_PER_INSTANT_MAX: u32 = 10_000;

/// How many events may happen at one instant. More are packets that answer each other for ever over
/// links without delay.
const EVENTS_PER_INSTANT_MAX: u64 = 1 << 20;

impl World<()> {
    /// The address of the node of that number: 10.0.0.1 for node 0, and so on.
    pub fn address(node: u32) -> SocketAddr {
        let host = u32::from(Ipv4Addr::new(10, 0, 0, 1)).wrapping_add(node);
        (Ipv4Addr::from(host), 7000).into()
    }
}

impl<E: Endpoint> Default for World<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Endpoint> World<E> {
    /// No nodes, time 0.
    pub fn new() -> Self {
        Self {
            nodes: Vec::new(),
            pipes: Vec::new(),
            routes: BTreeMap::new(),
            residents: BTreeMap::new(),
            wakes: BinaryHeap::new(),
            wakes_made: 0,
            now: Instant::ZERO,
            events_now: 0,
            datagrams: 0,
            spinning: None,
            touched: Vec::new(),
            space: vec![0; 1 << 16],
            tracing: false,
        }
    }

    /// Adds a node; its address is [`World::address`] of its number.
    pub fn add(&mut self, mut endpoint: E) -> NodeId {
        endpoint.set_tracing(self.tracing);
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.touched.push(self.nodes.len());
        let address = World::address(id.0);
        self.residents.insert(address, id);
        let addresses = vec![(Instant::ZERO, address)];
        self.nodes.push(Node {
            endpoint,
            egress: Egress::Eager,
            armed: None,
            sleeper: None,
            addresses,
        });
        id
    }

    /// Gives `node` another address from now on, as a NAT does that has forgotten it, or a change of
    /// networks: what it sent before comes from the old one, and what is sent to the old one, on its
    /// way or later, finds nobody. The node does not know.
    pub fn rebind(&mut self, node: NodeId, address: SocketAddr) {
        let addresses = &mut self.nodes[index(node)].addresses;
        if let Some((_, old)) = addresses.last() {
            self.residents.remove(old);
        }
        addresses.push((self.now, address));
        self.residents.insert(address, node);
    }

    /// Chooses when packets are taken from `node`.
    pub fn set_egress(&mut self, node: NodeId, egress: Egress) {
        self.nodes[index(node)].egress = egress;
    }

    /// Chooses how punctual `node` is; `seed` is that of its lateness.
    pub fn set_pace(&mut self, node: NodeId, pace: Pace, seed: Seed) {
        self.nodes[index(node)].sleeper = Some(Sleeper::new(pace, seed));
        self.touched.push(index(node));
    }

    /// How often `node` has woken up late, and how often its application let events wait.
    pub fn lateness(&self, node: NodeId) -> (u64, u64) {
        let sleeper = self.nodes[index(node)].sleeper.as_ref();
        sleeper.map_or((0, 0), |sleeper| (sleeper.late_wakeups, sleeper.reads_deferred))
    }

    /// Lays a link each way: `profile.up` from `a` to `b`, `profile.down` back.
    pub fn connect(&mut self, a: NodeId, b: NodeId, profile: &crate::link::Profile, seed: Seed) {
        let [up, down] = profile.links(seed);
        self.lay(a, b, up);
        self.lay(b, a, down);
    }

    /// Lays a link one way, in place of the one that may be there.
    pub fn lay(&mut self, from: NodeId, to: NodeId, mut link: Link<NodeId>) {
        link.set_tracing(self.tracing);
        self.routes.insert((from, to), self.pipes.len());
        self.pipes.push(Pipe { from, to, link, armed: None });
    }

    /// The time of the world.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Datagrams that nodes have sent so far.
    pub fn datagrams(&self) -> u64 {
        self.datagrams
    }

    /// An endpoint.
    pub fn endpoint(&self, node: NodeId) -> &E {
        &self.nodes[index(node)].endpoint
    }

    /// An endpoint, to act on; what follows from it happens at the next step.
    pub fn endpoint_mut(&mut self, node: NodeId) -> &mut E {
        self.touched.push(index(node));
        &mut self.nodes[index(node)].endpoint
    }

    /// An endpoint, to keep books about it; nothing follows from that.
    pub(super) fn peek_mut(&mut self, node: NodeId) -> &mut E {
        &mut self.nodes[index(node)].endpoint
    }

    /// Whether somebody acted on an endpoint since the last step.
    pub(super) fn has_been_touched(&self, node: NodeId) -> bool {
        self.touched.contains(&index(node))
    }

    /// The link from one node to another.
    pub fn link(&self, from: NodeId, to: NodeId) -> Option<&Link<NodeId>> {
        self.routes.get(&(from, to)).map(|&pipe| &self.pipes[pipe].link)
    }

    /// The link from one node to another, to change it.
    pub fn link_mut(&mut self, from: NodeId, to: NodeId) -> Option<&mut Link<NodeId>> {
        self.routes.get(&(from, to)).map(|&pipe| &mut self.pipes[pipe].link)
    }

    /// Lets everything happen that happens up to and with `until`; returns how many events did.
    /// Ends early when nothing will ever happen again, or when time [stands still](Self::is_stuck).
    /// Afterwards the time is that of the last event.
    pub fn run<O: Observer, A: Application<E>>(
        &mut self,
        until: Instant,
        observer: &mut O,
        app: &mut A,
    ) -> u64 {
        let mut events = 0;
        while self.step(until, observer, app) {
            events += 1;
        }
        events
    }

    /// Lets time pass up to `until`, but not beyond the next thing that happens: [run](Self::run) to
    /// there first. What an endpoint is told next from outside, it is told then.
    pub fn pass(&mut self, until: Instant) {
        let next = self.wakes.peek().map(|&Reverse((at, ..))| at);
        let until = next.map_or(until, |next| next.min(until));
        if until > self.now {
            (self.now, self.events_now) = (until, 0);
        }
    }

    /// Whether time stands still, and nothing more happens in this world: a million events have
    /// happened at one instant, since packets answer each other for ever over links without delay,
    /// or a node is [spinning](Self::spinning).
    pub fn is_stuck(&self) -> bool {
        self.events_now >= EVENTS_PER_INSTANT_MAX || self.spinning.is_some()
    }

    /// The node that is woken for ever without time passing, against rule 3 of the
    /// [contract](crate::endpoint).
    pub fn spinning(&self) -> Option<NodeId> {
        self.spinning
    }

    /// Whether nothing will ever happen again by itself: no packet is on its way, no timer runs.
    pub fn is_quiet(&self) -> bool {
        self.touched.is_empty()
            && self.nodes.iter().all(|node| node.armed.is_none())
            && self.pipes.iter().all(|pipe| pipe.armed.is_none())
    }

    /// Lets the next thing happen, if it happens by `until`; false when nothing does.
    pub fn step<O: Observer, A: Application<E>>(
        &mut self,
        until: Instant,
        observer: &mut O,
        app: &mut A,
    ) -> bool {
        self.set_tracing(observer.wants_records());
        while let Some(node) = self.touched.pop() {
            self.settle(node, observer, app);
        }
        loop {
            let Some(&Reverse((at, _, wake))) = self.wakes.peek() else { return false };
            if at > until || self.is_stuck() {
                return false;
            }
            self.wakes.pop();
            if !self.disarm(wake, at) {
                continue;
            }
            let at = at.max(self.now);
            self.events_now = if at > self.now { 0 } else { self.events_now + 1 };
            self.now = at;
            match wake {
                Wake::Node(node) => {
                    self.nodes[node].endpoint.handle_timeout(at);
                    self.settle(node, observer, app);
                }
                Wake::Pipe(pipe) => self.deliver(pipe, observer, app),
            }
            return true;
        }
    }

    fn set_tracing(&mut self, on: bool) {
        if on != self.tracing {
            self.tracing = on;
            self.nodes.iter_mut().for_each(|node| node.endpoint.set_tracing(on));
            self.pipes.iter_mut().for_each(|pipe| pipe.link.set_tracing(on));
        }
    }

    /// Whether a wake-up taken from the queue is the valid one of its owner.
    fn disarm(&mut self, wake: Wake, at: Instant) -> bool {
        let armed = match wake {
            Wake::Node(node) => &mut self.nodes[node].armed,
            Wake::Pipe(pipe) => &mut self.pipes[pipe].armed,
        };
        let valid = *armed == Some(at);
        if valid {
            *armed = None;
            if let Wake::Node(node) = wake
                && let Some(sleeper) = &mut self.nodes[node].sleeper
            {
                sleeper.has_woken(at);
            }
        }
        valid
    }

    fn arm(&mut self, wake: Wake, at: Option<Instant>) {
        let mut at = at.map(|at| at.max(self.now));
        let armed = match wake {
            Wake::Node(node) => {
                let Node { armed, sleeper, .. } = &mut self.nodes[node];
                if let Some(sleeper) = sleeper {
                    if armed.is_some() && sleeper.asked == at {
                        return;
                    }
                    sleeper.asked = at;
                    at = at.map(|deadline| sleeper.wake(deadline));
                }
                armed
            }
            Wake::Pipe(pipe) => &mut self.pipes[pipe].armed,
        };
        if *armed != at {
            *armed = at;
            if let Some(at) = at {
                self.wakes_made += 1;
                self.wakes.push(Reverse((at, self.wakes_made, wake)));
            }
        }
    }

    /// Hands over everything that has reached the end of a link.
    fn deliver<O: Observer, A: Application<E>>(
        &mut self,
        pipe: usize,
        observer: &mut O,
        app: &mut A,
    ) {
        while let Some(delivery) = self.pipes[pipe].link.poll_deliver(self.now) {
            self.trace_pipe(pipe, observer);
            let (from, to) = (self.pipes[pipe].from, index(delivery.tag));
            let then = delivery.offered;
            let source = self.nodes[index(from)].address_at(then);
            // What was sent to an address that its node has no more finds nobody.
            let here = &self.nodes[to].addresses;
            let stays = self.nodes[to].address_at(then) == here.last().map(|&(_, address)| address);
            if let (Some(source), true) = (source, stays) {
                let meta = RecvMeta { ecn: delivery.ecn, ..RecvMeta::from(source) };
                let _ = self.nodes[to].endpoint.handle_datagram(self.now, meta, &delivery.bytes);
            }
            self.pipes[pipe].link.recycle(delivery.bytes);
            self.settle(to, observer, app);
        }
        let next = self.pipes[pipe].link.poll_timeout();
        self.arm(Wake::Pipe(pipe), next);
    }

    /// Drains what a node has to say and to send, until it only waits.
    fn settle<O: Observer, A: Application<E>>(
        &mut self,
        node: usize,
        observer: &mut O,
        app: &mut A,
    ) {
        for _ in 0..TURNS_PER_INSTANT_MAX {
            self.trace_node(node, observer);
            let resume = self.transmit(node, observer);
            let reads_from = self.read(node, app);
            self.trace_node(node, observer);
            let due = self.nodes[node].endpoint.poll_timeout();
            match (resume, due) {
                // The line is busy: nothing can leave before it is free.
                (Some(free), Some(due)) => {
                    let next = if due > self.now { due.min(free) } else { free };
                    return self.arm(Wake::Node(node), Some(next));
                }
                (_, Some(at)) if at <= self.now => {
                    self.nodes[node].endpoint.handle_timeout(self.now);
                    if let Some(resume) = reads_from {
                        // Events that nobody reads are due all the time.
                        self.transmit(node, observer);
                        self.trace_node(node, observer);
                        return self.defer(node, resume);
                    }
                }
                (_, due) => return self.arm(Wake::Node(node), due),
            }
        }
        self.spinning = Some(node_id(node));
    }

    /// Hands the events of a node to its application; returns when it reads again if it does not
    /// read now.
    fn read<A: Application<E>>(&mut self, node: usize, app: &mut A) -> Option<Instant> {
        let Node { endpoint, sleeper, .. } = &mut self.nodes[node];
        if let Some(sleeper) = sleeper
            && sleeper.reads_from > self.now
        {
            return Some(sleeper.reads_from);
        }
        let mut any = false;
        while let Some(event) = endpoint.poll_event() {
            app.on_event(self.now, node_id(node), event, endpoint);
            any = true;
        }
        if let Some(sleeper) = sleeper.as_mut().filter(|_| any) {
            sleeper.has_read(self.now);
        }
        None
    }

    /// Sleeps until the application reads again, or until a timer fires if that is sooner.
    fn defer(&mut self, node: usize, resume: Instant) {
        let Node { endpoint, sleeper, .. } = &mut self.nodes[node];
        let due = endpoint.poll_timeout().filter(|due| *due > self.now);
        if let Some(sleeper) = sleeper.as_mut().filter(|_| due.is_none()) {
            sleeper.reads_deferred += 1;
        }
        self.arm(Wake::Node(node), Some(due.map_or(resume, |due| due.min(resume))));
    }

    /// Takes packets from a node; returns when to try again if its line is busy.
    fn transmit<O: Observer>(&mut self, node: usize, observer: &mut O) -> Option<Instant> {
        let mut space = core::mem::take(&mut self.space);
        let paced = self.nodes[node].egress == Egress::LinePaced;
        let mut resume = None;
        loop {
            if paced {
                resume = self.line_free(node).filter(|&free| free > self.now);
                if resume.is_some() {
                    break;
                }
            }
            let segments_max = if paced { 1 } else { Batch::SEGMENTS_MAX };
            let mut batch = Batch::with_segments_max(&mut space, segments_max);
            let endpoint = &mut self.nodes[node].endpoint;
            let Some(transmit) = endpoint.poll_transmit(self.now, &mut batch) else { break };
            self.trace_node(node, observer);
            self.offer(node, &transmit, &batch, observer);
        }
        self.space = space;
        resume
    }

    /// When the lines of a node are free.
    fn line_free(&self, node: usize) -> Option<Instant> {
        let from = node_id(node);
        let lines = self.routes.range((from, NodeId(0))..=(from, NodeId(u32::MAX)));
        lines.map(|(_, &pipe)| self.pipes[pipe].link.busy_until()).max()
    }

    fn offer<O: Observer>(
        &mut self,
        node: usize,
        transmit: &Transmit,
        batch: &Batch<'_>,
        observer: &mut O,
    ) {
        self.datagrams += batch.count() as u64;
        let Some(to) = self.node_at(transmit.destination) else { return };
        let Some(&pipe) = self.routes.get(&(node_id(node), to)) else { return };
        for datagram in batch.segments() {
            self.pipes[pipe].link.offer_marked(self.now, datagram, transmit.ecn, to);
            self.trace_pipe(pipe, observer);
        }
        let next = self.pipes[pipe].link.poll_timeout();
        self.arm(Wake::Pipe(pipe), next);
    }

    fn node_at(&self, address: SocketAddr) -> Option<NodeId> {
        self.residents.get(&address).copied()
    }

    fn trace_node<O: Observer>(&mut self, node: usize, observer: &mut O) {
        if self.tracing {
            let (at, place) = (self.now, Place::Node(node_id(node)));
            while let Some(event) = self.nodes[node].endpoint.poll_trace() {
                observer.record(&Record { at, place, event });
            }
        }
    }

    fn trace_pipe<O: Observer>(&mut self, pipe: usize, observer: &mut O) {
        if self.tracing {
            let Pipe { from, to, ref mut link, .. } = self.pipes[pipe];
            while let Some((datagram, fate)) = link.poll_fate() {
                let event = TraceEvent::Link { datagram, fate };
                observer.record(&Record { at: self.now, place: Place::Link { from, to }, event });
            }
        }
    }
}

fn index(node: NodeId) -> usize {
    node.0 as usize
}

fn node_id(index: usize) -> NodeId {
    NodeId(u32::try_from(index).unwrap_or(u32::MAX))
}
