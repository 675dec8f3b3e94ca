//! Real endpoints under every placement of a few faults.
//!
//! A [`Sweep`] runs two [`Conversation`]s over a link of constant delay, once for each way to place
//! up to k faults among the first n datagrams (both directions, in sending order), fewest faults
//! first. Unlike [`Model::check`](super::Model::check) this includes bytes, checksums, timers with
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
    endpoint::RecvMeta,
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
    /// How many messages the sender is given at the start, of two bytes each.
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
pub struct SweepReport {
    /// How many placements were run.
    pub runs: u64,
    /// The first failure; as placements are tried by number of faults, one with the fewest.
    pub failure: Option<(Placement, Failure)>,
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

    /// Runs every placement until one fails. `make` builds the endpoint of a role towards a peer,
    /// afresh for each run.
    pub fn run<C: Conversation, E>(
        &self,
        mut make: impl FnMut(Role, SocketAddr) -> Result<C, E>,
    ) -> Result<SweepReport, E> {
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
                    let sender = make(Role::Sender, address(1))?;
                    let receiver = make(Role::Receiver, address(0))?;
                    if let Some(failure) = Run::new(self, [sender, receiver]).play(&placement) {
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

/// Addresses reserved for documentation: nothing is ever sent there.
const fn address(node: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, node + 1)), 9)
}

/// One run: sender and receiver, and what is on its way.
struct Run<'a, C> {
    sweep: &'a Sweep,
    nodes: [C; 2],
    now: Instant,
    /// By arrival and sending order: to whom, and what.
    arrivals: BTreeMap<(Instant, usize), (usize, Vec<u8>)>,
    datagrams: usize,
    copies: usize,
    delivered: u16,
    wrong: Option<Message>,
    believed: u16,
}

impl<'a, C: Conversation> Run<'a, C> {
    fn new(sweep: &'a Sweep, nodes: [C; 2]) -> Self {
        Self {
            sweep,
            nodes,
            now: Instant::ZERO,
            arrivals: BTreeMap::new(),
            datagrams: 0,
            copies: 0,
            delivered: 0,
            wrong: None,
            believed: 0,
        }
    }

    fn play(mut self, placement: &[(usize, Fault)]) -> Option<Failure> {
        let deadline = Instant::ZERO + self.sweep.deadline;
        let (mut offered, mut turns) = (0, 0);
        loop {
            // Offer messages as long as the queue takes them.
            while offered < self.sweep.messages
                && self.nodes[0].send(self.now, &offered.to_be_bytes()).is_ok()
            {
                offered += 1;
            }
            for node in [0, 1] {
                self.drain(node, placement);
            }
            if let Some(got) = self.wrong {
                let expected = Message(self.delivered);
                return Some(Failure::Unsafe(Violation::Delivered { got, expected }));
            }
            let timers = self.nodes.iter().filter_map(crate::endpoint::Endpoint::poll_timeout);
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
                let meta = RecvMeta::from(address(u8::from(to == 0)));
                // What became of it shows in what is delivered.
                let _ = self.nodes[to].handle_datagram(self.now, meta, &bytes);
            }
            for node in &mut self.nodes {
                node.handle_timeout(self.now);
            }
        }
        let delivered = self.delivered;
        if self.believed > delivered {
            let believed = self.believed;
            return Some(Failure::Unsafe(Violation::Believed { believed, delivered }));
        }
        let done = delivered == self.sweep.messages && self.nodes[0].is_idle();
        (!done).then_some(Failure::Unfinished { delivered })
    }

    /// Takes what a node has to say and to send.
    fn drain(&mut self, node: usize, placement: &[(usize, Fault)]) {
        while let Some(event) = self.nodes[node].poll_event() {
            match event {
                Event::Delivered(_) if self.wrong.is_some() => {}
                Event::Delivered(payload) => {
                    let number =
                        <[u8; 2]>::try_from(&*payload).map_or(u16::MAX, u16::from_be_bytes);
                    if number == self.delivered {
                        self.delivered += 1;
                    } else if number < self.sweep.messages {
                        self.wrong = Some(Message(number));
                    } else {
                        self.wrong = Some(Message::GARBAGE);
                    }
                }
                Event::Acknowledged { total } => {
                    self.believed = u16::try_from(total).unwrap_or(u16::MAX);
                }
                Event::GaveUp { .. } => {}
            }
        }
        let mut space = vec![0; DATAGRAM_MAX];
        loop {
            let mut batch = Batch::with_segments_max(&mut space, 1);
            if self.nodes[node].poll_transmit(self.now, &mut batch).is_none() {
                return;
            }
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
