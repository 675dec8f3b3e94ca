//! One run of a swarm, and the invariants that it is held to after every step.

use alloc::{format, string::String, vec::Vec};
use core::fmt;

use super::{
    fault::Fault,
    plan::Plan,
    subject::{Heard, Subject},
    tally::Tally,
};
use crate::{
    classic::ConfigError,
    endpoint::Endpoint,
    link::{ClassStats, Link, LinkStats},
    rng::Seed,
    sim::{Application, Egress, Pace, World},
    time::Instant,
    trace::{NodeId, Observer},
};

/// What must hold. Those about delivery and the end hold for runs within what a protocol bears, the
/// others always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Invariant {
    /// What was delivered is, by content, a prefix of what was sent: no message twice, none left
    /// out, none out of order.
    Prefix,
    /// The sender believes no more than the receiver has taken.
    NoLie,
    /// Nothing is delivered that nobody sent.
    NoInvention,
    /// No queue is longer than its limit.
    Memory,
    /// No deadline lies in the past, and nothing is woken for ever without time passing.
    Clock,
    /// The same seed gives the same run.
    Determinism,
    /// Once the network has healed, something moves within twice the longest timeout, again and
    /// again until everything has arrived.
    Liveness,
    /// In the end there are no packets and no timers, and both sides hold nothing.
    Quiescence,
    /// A message without promise is delivered once at most.
    AtMostOnce,
    /// What is meant for one connection or stream changes no other.
    Isolation,
    /// Nothing is sent beyond the windows that the peer has given.
    FlowControl,
    /// No more is on its way than the congestion window allows and probes add, and no more leaves at
    /// once than a quantum of the pacer.
    Congestion,
    /// An address that has not answered gets at most three bytes for each that came from it.
    Amplification,
    /// Packet numbers only grow.
    Numbers,
    /// Where a path or a peer is lost, and when an application closes, both sides hear of the end, for
    /// the right reason and in time.
    CleanFailure,
}

impl Invariant {
    /// In words: what was broken.
    pub const fn broken(self) -> &'static str {
        match self {
            Self::Prefix => "what is delivered is a prefix of what was sent",
            Self::NoLie => "the sender believes no more than the receiver has taken",
            Self::NoInvention => "nothing is delivered that nobody sent",
            Self::Memory => "no queue is longer than its limit",
            Self::Clock => "no deadline lies in the past",
            Self::Determinism => "the same seed gives the same run",
            Self::Liveness => "everything arrives once the network has healed",
            Self::Quiescence => "in the end nothing is left",
            Self::AtMostOnce => "a message without promise is delivered once at most",
            Self::Isolation => "what is meant for one connection changes no other",
            Self::FlowControl => "nothing is sent beyond the peer's windows",
            Self::Congestion => "no more leaves than the congestion window and the pacer allow",
            Self::Amplification => {
                "who has not answered gets at most three bytes for each of its own"
            }
            Self::Numbers => "packet numbers only grow",
            Self::CleanFailure => "both sides hear of the end, for the right reason and in time",
        }
    }

    /// Its short name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prefix => "prefix",
            Self::NoLie => "no-lie",
            Self::NoInvention => "no-invention",
            Self::Memory => "memory",
            Self::Clock => "clock",
            Self::Determinism => "determinism",
            Self::Liveness => "liveness",
            Self::Quiescence => "quiescence",
            Self::AtMostOnce => "at-most-once",
            Self::Isolation => "isolation",
            Self::FlowControl => "flow-control",
            Self::Congestion => "congestion",
            Self::Amplification => "amplification",
            Self::Numbers => "numbers",
            Self::CleanFailure => "clean-failure",
        }
    }
}

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The name of the subject.
    pub subject: String,
    /// The seed of the run.
    pub seed: u64,
    /// Which invariant.
    pub invariant: Invariant,
    /// After how many steps.
    pub step: u64,
    /// When.
    pub at: Instant,
    /// What was seen.
    pub detail: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, seed, invariant, step, at, detail } = self;
        let must = invariant.broken();
        write!(
            f,
            "{subject}, seed {seed}, step {step} at {at} s: {detail}; it must hold that {must}"
        )
    }
}

impl core::error::Error for Failure {}

/// How a run ended. Within what a protocol bears only `Intact` is no failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything arrived and was believed.
    Intact,
    /// Something was delivered that was not the next message.
    Wrong,
    /// Nothing moved any more.
    Stuck,
    /// The sender gave up.
    GaveUp,
    /// Packets without end.
    Endless,
}

/// The steps after which a run is endless.
const STEPS_MAX: u64 = 200_000;
/// The same beyond what a protocol bears, where copies may multiply for ever.
const STEPS_BEYOND_MAX: u64 = 20_000;

/// What one run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) result: Result<Ending, Failure>,
    pub(super) tally: Tally,
    /// A number that follows from everything that happened.
    pub(super) fingerprint: u64,
}

type Checked = Result<(), (Invariant, String)>;

/// The application on both sides: what it wrote and read.
struct Oracle<'a, S> {
    subject: &'a S,
    sent: Vec<Vec<u8>>,
    /// How many of `sent` were handed over.
    written: usize,
    delivered: usize,
    /// Something else than the next message was delivered: whether anybody had sent it.
    wrong: Option<bool>,
    gave_up: bool,
}

impl<S: Subject> Application<S::Endpoint> for Oracle<'_, S> {
    fn on_event(
        &mut self,
        _: Instant,
        _: NodeId,
        event: <S::Endpoint as Endpoint>::Event,
        _: &mut S::Endpoint,
    ) {
        match self.subject.heard(event) {
            Heard::Delivered(message) => {
                let next = self.sent.get(self.delivered).filter(|_| self.delivered < self.written);
                if next.is_none_or(|next| next[..] != message[..]) && self.wrong.is_none() {
                    let written = &self.sent[..self.written];
                    self.wrong = Some(written.iter().any(|sent| sent[..] == message[..]));
                }
                self.delivered += 1;
            }
            Heard::GaveUp => self.gave_up = true,
            Heard::Other => {}
        }
    }
}

/// A run on its way.
pub(super) struct Run<'a, S: Subject> {
    plan: &'a Plan,
    oracle: Oracle<'a, S>,
    world: World<S::Endpoint>,
    nodes: [NodeId; 2],
    healed: bool,
    /// When the run gives up waiting for something to move.
    deadline: Instant,
    /// When the application writes next, and how much is left of this burst.
    writes_at: Instant,
    burst_left: usize,
    bursts: u64,
    /// Deliveries and beliefs when something last moved.
    moved: (usize, u64),
    steps: u64,
    fingerprint: u64,
}

impl<'a, S: Subject> Run<'a, S> {
    pub(super) fn new(subject: &'a S, plan: &'a Plan) -> Result<Self, ConfigError> {
        let addresses = [World::address(0), World::address(1)];
        let [sender, receiver] = subject.pair(plan, addresses)?;
        let mut world = World::new();
        let nodes = [world.add(sender), world.add(receiver)];
        let seed = Seed::new(plan.seed);
        world.set_egress(nodes[0], plan.egress);
        for ((node, pace), side) in nodes.into_iter().zip(plan.paces).zip(0..) {
            world.set_pace(node, pace, seed.split("pace").index(side));
        }
        let [from, to] = nodes;
        world.lay(from, to, subject.link(plan.network.up.clone(), seed.split("up")));
        world.lay(to, from, subject.link(plan.network.down.clone(), seed.split("down")));
        let oracle = Oracle {
            subject,
            sent: (0..plan.messages).map(|index| plan.message(index)).collect(),
            written: 0,
            delivered: 0,
            wrong: None,
            gave_up: false,
        };
        Ok(Self {
            plan,
            oracle,
            world,
            nodes,
            healed: false,
            deadline: Instant::ZERO + plan.heals_after,
            writes_at: Instant::ZERO,
            burst_left: plan.bursts.map_or(usize::MAX, |(count, _)| count),
            bursts: 0,
            moved: (0, 0),
            steps: 0,
            fingerprint: 0,
        })
    }

    /// Runs it to its end.
    pub(super) fn finish<O: Observer>(mut self, observer: &mut O) -> Outcome {
        let result = self.drive(observer).map_err(|(invariant, detail)| Failure {
            subject: self.oracle.subject.name(),
            seed: self.plan.seed,
            invariant,
            step: self.steps,
            at: self.world.now(),
            detail,
        });
        let tally = self.tally(result.as_ref().ok().copied());
        Outcome { result, tally, fingerprint: self.fingerprint }
    }

    fn drive<O: Observer>(&mut self, observer: &mut O) -> Result<Ending, (Invariant, String)> {
        // Nothing happens yet, but the observer is asked now.
        self.world.step(Instant::ZERO, observer, &mut self.oracle);
        loop {
            self.write();
            if self.is_done() {
                break;
            }
            let writes_at = self.waits_to_write().then_some(self.writes_at);
            let until = writes_at.map_or(self.deadline, |at| at.min(self.deadline));
            if self.world.step(until, observer, &mut self.oracle) {
                self.check()?;
            } else if self.world.is_stuck() {
                let who = self.world.spinning().map_or_else(String::new, |node| format!("{node} "));
                return Err((Invariant::Clock, format!("{who}acts for ever at one instant")));
            } else if until < self.deadline {
                self.world.pass(until);
            } else if self.healed {
                return self.stuck();
            } else {
                self.world.pass(until);
                self.heal();
            }
            if let Some(ending) = self.is_over()? {
                return Ok(ending);
            }
        }
        if !self.healed {
            self.heal();
        }
        self.quiesce(observer)
    }

    fn waits_to_write(&self) -> bool {
        self.burst_left == 0 && self.oracle.written < self.oracle.sent.len()
    }

    /// Writes what there is to write now and room for.
    fn write(&mut self) {
        let now = self.world.now();
        if let Some((count, pause)) = self.plan.bursts
            && self.waits_to_write()
            && now >= self.writes_at
        {
            self.burst_left = count;
            self.writes_at = now + pause;
        }
        let (subject, [from, _]) = (self.oracle.subject, self.nodes);
        let before = self.burst_left;
        while self.burst_left > 0 && subject.has_room(self.world.endpoint(from)) {
            let Some(message) = self.oracle.sent.get(self.oracle.written) else { break };
            if !subject.send(self.world.endpoint_mut(from), now, message) {
                break;
            }
            self.oracle.written += 1;
            self.burst_left -= usize::from(self.plan.bursts.is_some());
        }
        if before > 0 && self.burst_left == 0 {
            self.bursts += 1;
            self.writes_at = now + self.plan.bursts.map_or_else(Default::default, |(_, p)| p);
        }
    }

    fn believed(&self) -> u64 {
        self.oracle.subject.believed(self.world.endpoint(self.nodes[0]))
    }

    fn is_done(&self) -> bool {
        let all = self.oracle.sent.len();
        self.oracle.delivered >= all && self.believed() >= all as u64 && self.oracle.wrong.is_none()
    }

    /// What must hold after every step.
    fn check(&mut self) -> Checked {
        self.steps += 1;
        let (subject, believed) = (self.oracle.subject, self.believed());
        let delivered = self.oracle.delivered;
        for word in
            [self.world.now().as_nanos(), self.world.datagrams(), delivered as u64, believed]
        {
            // FNV-1a, a word at a time.
            self.fingerprint = (self.fingerprint ^ word).wrapping_mul(0x0100_0000_01b3);
        }
        if let Some(sent_by_somebody) = self.oracle.wrong {
            let damaged = self.plan.faults.iter().any(Fault::damages);
            if !sent_by_somebody && (!damaged || subject.notices_damage()) {
                let detail = format!("delivery {delivered} is no message that was sent");
                return Err((Invariant::NoInvention, detail));
            }
            if !self.plan.beyond {
                let detail = format!("delivery {delivered} is not the next message");
                return Err((Invariant::Prefix, detail));
            }
        }
        let taken = subject.taken(self.world.endpoint(self.nodes[1]));
        if !self.plan.beyond && subject.has_feedback() && believed > taken {
            let detail = format!("the sender believes {believed}, the receiver has {taken}");
            return Err((Invariant::NoLie, detail));
        }
        let now = self.world.now();
        for (node, pace) in self.nodes.into_iter().zip(self.plan.paces) {
            let endpoint = self.world.endpoint(node);
            if let Some(over) = subject.overfull(self.plan, endpoint) {
                return Err((Invariant::Memory, format!("{node} holds {over}")));
            }
            // A driver that is late, or waits for its line, finds deadlines in the past.
            let paced = self.plan.egress == Egress::LinePaced && node == self.nodes[0];
            let in_time = pace == Pace::PUNCTUAL && !paced;
            if in_time && endpoint.poll_timeout().is_some_and(|due| due < now) {
                return Err((Invariant::Clock, format!("{node} was due, and its driver not told")));
            }
        }
        if self.moved != (delivered, believed) {
            self.moved = (delivered, believed);
            if self.healed {
                self.deadline = self.deadline.max(now + self.plan.patience());
            }
        }
        Ok(())
    }

    /// Whether the run has come to an end that is none of its success.
    fn is_over(&self) -> Result<Option<Ending>, (Invariant, String)> {
        if self.oracle.wrong.is_some() {
            return Ok(Some(Ending::Wrong));
        }
        if self.oracle.gave_up {
            let broken = (Invariant::Liveness, "the sender gave up".into());
            return if self.plan.beyond { Ok(Some(Ending::GaveUp)) } else { Err(broken) };
        }
        let most = if self.plan.beyond { STEPS_BEYOND_MAX } else { STEPS_MAX };
        match (self.steps >= most, self.plan.beyond) {
            (true, true) => Ok(Some(Ending::Endless)),
            (true, false) => {
                Err((Invariant::Clock, format!("no end in sight after {STEPS_MAX} steps")))
            }
            (false, _) => Ok(None),
        }
    }

    fn heal(&mut self) {
        let (now, [from, to]) = (self.world.now(), self.nodes);
        self.healed = true;
        let mut free = now;
        let healed = [(from, to, &self.plan.healed.up), (to, from, &self.plan.healed.down)];
        for (a, b, config) in healed {
            if let Some(link) = self.world.link_mut(a, b) {
                link.set_config(now, config.clone());
                free = free.max(link.busy_until());
            }
        }
        self.deadline = free + self.plan.patience();
    }

    fn stuck(&self) -> Result<Ending, (Invariant, String)> {
        if self.plan.beyond {
            return Ok(Ending::Stuck);
        }
        let (delivered, all) = (self.oracle.delivered, self.oracle.sent.len());
        let believed = self.believed();
        let patience = self.plan.patience();
        let what = if self.world.is_quiet() { "both sides wait for ever" } else { "nothing moves" };
        let detail = format!(
            "{delivered} of {all} messages are delivered and {believed} believed, and {what} \
             ({patience:?} after the network healed or something moved)"
        );
        Err((Invariant::Liveness, detail))
    }

    /// Lets what is still on its way arrive, and sees that then nothing is left.
    fn quiesce<O: Observer>(&mut self, observer: &mut O) -> Result<Ending, (Invariant, String)> {
        let end = self.deadline.max(self.world.now() + self.plan.patience());
        while self.world.step(end, observer, &mut self.oracle) {
            self.check()?;
            if let Some(ending) = self.is_over()? {
                return Ok(ending);
            }
        }
        let subject = self.oracle.subject;
        let holds = self.nodes.map(|node| subject.holds(self.world.endpoint(node)));
        if !self.plan.beyond && (holds != [0, 0] || !self.world.is_quiet()) {
            let detail = format!(
                "long after the last message sender and receiver hold {} and {} messages, packets \
                 and timers",
                holds[0], holds[1]
            );
            return Err((Invariant::Quiescence, detail));
        }
        Ok(Ending::Intact)
    }

    fn tally(&self, ending: Option<Ending>) -> Tally {
        let mut tally = Tally {
            runs: 1,
            beyond: u64::from(self.plan.beyond),
            messages: self.oracle.delivered as u64,
            datagrams: self.world.datagrams(),
            steps: self.steps,
            elapsed: self.world.now().since_epoch(),
            ..Tally::default()
        };
        if let Some(ending) = ending {
            tally.end(ending);
        }
        let [from, to] = self.nodes;
        let stats = |a, b| self.world.link(a, b).map(Link::stats).copied().unwrap_or_default();
        let (up, down) = (stats(from, to), stats(to, from));
        let lateness = self.nodes.map(|node| self.world.lateness(node));
        for fault in self.plan.faults.iter() {
            let count = tally.fault_mut(fault);
            count.runs = 1;
            count.hits = match fault {
                Fault::LateWakeups | Fault::CoarseTimers => lateness[0].0 + lateness[1].0,
                Fault::SlowReader => lateness[0].1 + lateness[1].1,
                Fault::BurstyWriter => self.bursts,
                _ => hits(fault, &up, &down),
            };
        }
        tally
    }
}

/// How many datagrams a fault of the network hit.
pub(super) fn hits(fault: Fault, up: &LinkStats, down: &LinkStats) -> u64 {
    let total: ClassStats = up.total().plus(&down.total());
    match fault {
        Fault::Loss | Fault::Bursts => total.lost,
        Fault::Duplication => total.duplicated,
        Fault::Replay => total.replayed,
        Fault::HoldBack => total.held,
        Fault::Shuffling => total.overtaken,
        Fault::BitErrors => total.corrupted,
        Fault::Swaps => total.swapped,
        Fault::Splices => total.spliced,
        Fault::Truncation => total.truncated,
        Fault::Extension => total.extended,
        Fault::OneWayOutage | Fault::Outage => total.outage,
        Fault::Mtu => total.too_large,
        Fault::RateChange => total.rate_changed,
        Fault::ShortQueue => total.queue_full,
        Fault::Starvation => down.total().queued,
        Fault::Bunching => total.bunched,
        Fault::LateWakeups | Fault::CoarseTimers | Fault::SlowReader | Fault::BurstyWriter => 0,
    }
}
