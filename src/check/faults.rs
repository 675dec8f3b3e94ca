//! Real endpoints under every placement of a few faults.
//!
//! A [`Sweep`] runs two endpoints over a link of constant delay, once for each way to place up to k
//! faults among the first n datagrams (both directions, in sending order), fewest faults first. The
//! endpoints of the book are given messages and judged by [`Sweep::run`]; any others bring an
//! [`Oracle`] that does both, for [`Sweep::run_with`]. Unlike [`Model::check`](super::Model::check) this includes bytes, checksums, timers with
//! durations and the adapter's queues, but only the schedules that follow from those durations.

use alloc::{collections::BTreeMap, vec, vec::Vec};
use core::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use super::{Message, Violation};
use crate::{
    batch::Batch,
    channel::Channel,
    classic::{Conversation, Event, Role},
    endpoint::{Endpoint, RecvMeta},
    time::Instant,
};

/// How often nodes are woken at one instant before a run counts as stuck: a timer that fires and
/// leaves its deadline in the past would stop time (rule 3 of [`crate::endpoint`]).
const TURNS_PER_INSTANT_MAX: u32 = 10_000;

/// Longer than any datagram of a checked run.
const DATAGRAM_MAX: usize = 2048;

/// What happens to one datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is lost.
    Drop,
    /// It arrives twice, the second time late.
    Duplicate,
    /// It arrives late, after others that were sent later.
    Delay,
    /// It arrives with a bit of its last byte changed.
    Corrupt,
}

/// Which datagrams, counted from 0 over both directions in sending order, suffer what.
pub type Placement = Vec<(usize, Fault)>;

/// What to run, and how many faults to place where.
///
/// ```
/// use rdtp::{channel::Channel, check::Sweep, classic::{Config, Spec}};
///
/// let sweep = Sweep { faults: 1, ..Sweep::over(Channel::PERFECT.losing()) };
/// let spec: Spec = "rdt3.0".parse()?;
/// let report = sweep.run(|role, peer| spec.endpoint(Config { role, ..Config::default() }, peer))?;
/// assert!(report.failure.is_none() && report.runs == 13, "no fault, or one of twelve lost");
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Which faults there are: `overtake` other than never stands for late datagrams.
    pub channel: Channel,
    /// How many messages the sender is given at the start by [`run`](Self::run), of two bytes each.
    pub messages: u16,
    /// Faults fall on the first so many datagrams.
    pub datagrams: usize,
    /// At most so many faults in a run.
    pub faults: usize,
    /// The link's delay each way.
    pub delay: Duration,
    /// How much later a late datagram arrives.
    pub late: Duration,
    /// When a run that has not finished counts as stuck.
    pub deadline: Duration,
}

/// What a sweep found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepReport<F = Failure> {
    /// How many placements were run.
    pub runs: u64,
    /// The first failure; as placements are tried by number of faults, one with the fewest.
    pub failure: Option<(Placement, F)>,
}

/// Who uses two endpoints in a [`Sweep`] and knows what should come of it.
pub trait Oracle<E: Endpoint> {
    /// What can go wrong.
    type Failure;

    /// Acts on the endpoints; called at the start, and whenever they have said or sent something,
    /// after all of it was heard.
    fn act(&mut self, now: Instant, nodes: &mut [E; 2]);

    /// Hears an event of node 0 or 1. A failure ends the run.
    fn hear(&mut self, node: usize, event: E::Event) -> Result<(), Self::Failure>;

    /// Judges the end: the deadline has come, or nothing will ever happen again.
    fn end(&mut self, nodes: &[E; 2]) -> Result<(), Self::Failure>;
}

/// How a run failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Something wrong was delivered or believed.
    Unsafe(Violation),
    /// The deadline came, or everything stopped, or time did, before all was delivered and
    /// acknowledged.
    Unfinished {
        /// Messages delivered by then.
        delivered: u16,
    },
}

impl Sweep {
    /// Four messages, up to two faults among the first twelve datagrams, 10 ms each way, late by
    /// 35 ms, and an hour of virtual time.
    pub const fn over(channel: Channel) -> Self {
        Self {
            channel,
            messages: 4,
            datagrams: 12,
            faults: 2,
            delay: Duration::from_millis(10),
            late: Duration::from_millis(35),
            deadline: Duration::from_hours(1),
        }
    }

    /// Where the two endpoints are: addresses reserved for documentation, nothing is sent there.
    pub const ADDRESSES: [SocketAddr; 2] = [address(0), address(1)];

    /// Runs every placement until one fails: messages from one endpoint to the other, delivered
    /// once, intact and in order. `make` builds the endpoint of a role towards a peer, afresh for
    /// each run.
    pub fn run<C: Conversation, E>(
        &self,
        mut make: impl FnMut(Role, SocketAddr) -> Result<C, E>,
    ) -> Result<SweepReport, E> {
        let [here, there] = Self::ADDRESSES;
        self.run_with(|| {
            let sender = make(Role::Sender, there)?;
            let receiver = make(Role::Receiver, here)?;
            Ok(([sender, receiver], Stream::new(self.messages)))
        })
    }

    /// Runs every placement until one fails, with endpoints of any kind. `make` builds both, and
    /// who uses and judges them, afresh for each run. Endpoint 0 is at the first of the
    /// [addresses](Self::ADDRESSES), endpoint 1 at the second.
    pub fn run_with<E: Endpoint, O: Oracle<E>, X>(
        &self,
        mut make: impl FnMut() -> Result<([E; 2], O), X>,
    ) -> Result<SweepReport<O::Failure>, X> {
        let kinds = self.kinds();
        let mut runs = 0;
        for count in 0..=self.faults {
            let mut placement: Placement = Vec::new();
            loop {
                if placement.len() < count {
                    // The first placement of this size, or the rest of one that was changed.
                    let next = placement.last().map_or(0, |(at, _)| at + 1);
                    if let (true, Some(&kind)) = (next < self.datagrams, kinds.first()) {
                        placement.push((next, kind));
                        continue;
                    }
                } else {
                    runs += 1;
                    let (nodes, oracle) = make()?;
                    if let Err(failure) = Run::new(self, nodes, oracle).play(&placement) {
                        return Ok(SweepReport { runs, failure: Some((placement, failure)) });
                    }
                }
                if !self.advance(&mut placement, &kinds) {
                    break;
                }
            }
        }
        Ok(SweepReport { runs, failure: None })
    }

    fn kinds(&self) -> Vec<Fault> {
        let Channel { corrupt, lose, duplicate, overtake } = self.channel;
        let kinds = [
            (lose, Fault::Drop),
            (duplicate, Fault::Duplicate),
            (!overtake.is_never(), Fault::Delay),
            (corrupt, Fault::Corrupt),
        ];
        kinds.into_iter().filter_map(|(on, kind)| on.then_some(kind)).collect()
    }

    /// Changes the last fault to the next one, dropping those that have none. False at the end.
    fn advance(&self, placement: &mut Placement, kinds: &[Fault]) -> bool {
        while let Some((at, kind)) = placement.pop() {
            let now = kinds.iter().position(|other| *other == kind);
            if let Some(&next) = now.and_then(|now| kinds.get(now + 1)) {
                placement.push((at, next));
                return true;
            }
            if let (true, Some(&first)) = (at + 1 < self.datagrams, kinds.first()) {
                placement.push((at + 1, first));
                return true;
            }
        }
        false
    }
}

const fn address(node: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, node + 1)), 9)
}

/// The book's application: numbered messages from node 0 to node 1.
struct Stream {
    messages: u16,
    offered: u16,
    delivered: u16,
    believed: u16,
}

impl Stream {
    const fn new(messages: u16) -> Self {
        Self { messages, offered: 0, delivered: 0, believed: 0 }
    }
}

impl<C: Conversation> Oracle<C> for Stream {
    type Failure = Failure;

    /// Offers messages as long as the queue takes them.
    fn act(&mut self, now: Instant, nodes: &mut [C; 2]) {
        while self.offered < self.messages
            && nodes[0].send(now, &self.offered.to_be_bytes()).is_ok()
        {
            self.offered += 1;
        }
    }

    fn hear(&mut self, _: usize, event: Event) -> Result<(), Failure> {
        match event {
            Event::Delivered(payload) => {
                let number = <[u8; 2]>::try_from(&*payload).map_or(u16::MAX, u16::from_be_bytes);
                if number == self.delivered {
                    self.delivered += 1;
                    return Ok(());
                }
                let sent = number < self.messages;
                let got = if sent { Message(number) } else { Message::GARBAGE };
                let expected = Message(self.delivered);
                Err(Failure::Unsafe(Violation::Delivered { got, expected }))
            }
            Event::Acknowledged { total } => {
                self.believed = u16::try_from(total).unwrap_or(u16::MAX);
                Ok(())
            }
            Event::GaveUp { .. } => Ok(()),
        }
    }

    fn end(&mut self, nodes: &[C; 2]) -> Result<(), Failure> {
        let Self { believed, delivered, .. } = *self;
        if believed > delivered {
            return Err(Failure::Unsafe(Violation::Believed { believed, delivered }));
        }
        let done = delivered == self.messages && nodes[0].is_idle();
        if done { Ok(()) } else { Err(Failure::Unfinished { delivered }) }
    }
}

/// One run: two endpoints, who uses them, and what is on its way.
struct Run<'a, E, O> {
    sweep: &'a Sweep,
    nodes: [E; 2],
    oracle: O,
    now: Instant,
    /// By arrival and sending order: to whom, and what.
    arrivals: BTreeMap<(Instant, usize), (usize, Vec<u8>)>,
    datagrams: usize,
    copies: usize,
}

impl<'a, E: Endpoint, O: Oracle<E>> Run<'a, E, O> {
    fn new(sweep: &'a Sweep, nodes: [E; 2], oracle: O) -> Self {
        let (now, arrivals) = (Instant::ZERO, BTreeMap::new());
        Self { sweep, nodes, oracle, now, arrivals, datagrams: 0, copies: 0 }
    }

    fn play(mut self, placement: &[(usize, Fault)]) -> Result<(), O::Failure> {
        let deadline = Instant::ZERO + self.sweep.deadline;
        let mut turns = 0;
        self.oracle.act(self.now, &mut self.nodes);
        loop {
            while self.drain(0, placement)? | self.drain(1, placement)? {
                self.oracle.act(self.now, &mut self.nodes);
            }
            let timers = self.nodes.iter().filter_map(Endpoint::poll_timeout);
            let arrival = self.arrivals.keys().next().map(|(at, _)| *at);
            let Some(next) = timers.chain(arrival).min().filter(|next| *next <= deadline) else {
                break;
            };
            turns = if next > self.now { 0 } else { turns + 1 };
            if turns > TURNS_PER_INSTANT_MAX {
                break;
            }
            self.now = self.now.max(next);
            while let Some(entry) = self.arrivals.first_entry().filter(|e| e.key().0 <= self.now) {
                let (to, bytes) = entry.remove();
                let meta = RecvMeta::from(Sweep::ADDRESSES[1 - to]);
                // What became of it shows in what is delivered.
                let _ = self.nodes[to].handle_datagram(self.now, meta, &bytes);
            }
            for node in &mut self.nodes {
                node.handle_timeout(self.now);
            }
        }
        self.oracle.end(&self.nodes)
    }

    /// Takes what a node has to say and to send; says whether there was anything.
    fn drain(&mut self, node: usize, placement: &[(usize, Fault)]) -> Result<bool, O::Failure> {
        let mut any = false;
        while let Some(event) = self.nodes[node].poll_event() {
            self.oracle.hear(node, event)?;
            any = true;
        }
        let mut space = vec![0; DATAGRAM_MAX];
        loop {
            let mut batch = Batch::with_segments_max(&mut space, 1);
            if self.nodes[node].poll_transmit(self.now, &mut batch).is_none() {
                return Ok(any);
            }
            any = true;
            let datagram = batch.as_bytes().to_vec();
            self.send(1 - node, datagram, placement);
        }
    }

    fn send(&mut self, to: usize, mut datagram: Vec<u8>, placement: &[(usize, Fault)]) {
        let fault = placement.iter().find(|(at, _)| *at == self.datagrams).map(|(_, fault)| *fault);
        self.datagrams += 1;
        let (on_time, late) =
            (self.now + self.sweep.delay, self.now + self.sweep.delay + self.sweep.late);
        match fault {
            Some(Fault::Drop) => return,
            Some(Fault::Duplicate) => self.arrive(late, to, datagram.clone()),
            Some(Fault::Delay) => return self.arrive(late, to, datagram),
            Some(Fault::Corrupt) => {
                if let Some(last) = datagram.last_mut() {
                    *last ^= 1;
                }
            }
            None => {}
        }
        self.arrive(on_time, to, datagram);
    }

    fn arrive(&mut self, at: Instant, to: usize, datagram: Vec<u8>) {
        self.arrivals.insert((at, self.copies), (to, datagram));
        self.copies += 1;
    }
}
