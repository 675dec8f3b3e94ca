//! One run: what happens when, until everything is said, closed and forgotten.

mod late;

use alloc::{format, string::String, vec::Vec};
use core::{net::SocketAddr, time::Duration};

use super::{
    super::{Failure, Invariant},
    Make, SUBJECT,
    body::Body,
    check::{self, Bounds},
    hazard::Hazard,
    plan::{Course, Plan, When},
    stage::{BYE, Stage},
    strangers::{self, Knowledge},
    talk::Talk,
    tally::Tally,
    watch::Watched,
};
use crate::{
    endpoint::{Endpoint as _, RecvMeta},
    link::{Link, LinkConfig, Loss},
    quantity::Probability,
    rng::{Rng, Seed},
    sim::World,
    time::Instant,
    trace::{NodeId, Observer},
    transport::{config::ConfigError, cookie::Secret},
    wire::transport::anatomy,
};

pub(super) type Broken = (Invariant, String);

/// The steps after which a run is endless.
const STEPS_MAX: u64 = 400_000;

/// How long a move waits for handshakes to be over.
const REBIND_PAUSE: Duration = Duration::from_millis(20);

/// What one run came to.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) result: Result<(), Failure>,
    pub(super) tally: Tally,
    /// A number that follows from everything that happened.
    pub(super) fingerprint: u64,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Applications talk.
    Talking,
    /// All is said; connections end.
    Ending,
    /// All is over; strangers do not know that.
    Aftermath,
}

/// A run on its way.
pub(super) struct Run<'a, B> {
    plan: &'a Plan,
    make: Make<B>,
    world: World<Watched<B>>,
    stage: Stage,
    bounds: Bounds,
    phase: Phase,
    healed: bool,
    /// The path has died, or a node was restarted.
    struck: bool,
    /// When the run gives up waiting.
    deadline: Instant,
    moved: u64,
    moved_at: Instant,
    /// Strangers that have not come yet, the next one last.
    strangers: Vec<(Instant, usize, Hazard)>,
    strangers_rng: Rng,
    ended_at: Instant,
    /// Since when somebody may wait for a peer that is gone.
    gone_at: Instant,
    steps: u64,
    tally: Tally,
}

impl<'a, B: Body> Run<'a, B> {
    pub(super) fn new(make: Make<B>, plan: &'a Plan) -> Result<Self, ConfigError> {
        let seed = Seed::new(plan.seed).split("run");
        let mut world = World::new();
        for (node, config) in plan.hosts.iter().enumerate() {
            let inner = make_host(make, plan, node, 0)?;
            let id = world.add(Watched::new(inner, *config, !plan.strangers.is_empty()));
            let pace = plan.network.paces[node];
            world.set_pace(id, pace, seed.split("pace").index(node as u64));
        }
        world.set_egress(NodeId(0), plan.network.egress);
        let profile = plan.profile();
        let link = |config: &LinkConfig, way| {
            Link::new(config.clone(), seed.split(way)).with_inspect(anatomy)
        };
        world.lay(NodeId(0), NodeId(1), link(&profile.up, "up"));
        world.lay(NodeId(1), NodeId(0), link(&profile.down, "down"));
        let mut stage = Stage::new(plan);
        if plan.has(Hazard::Forgery) {
            stage.talks[0].tainted = true;
        }
        let mut strangers: Vec<_> = plan
            .strangers
            .iter()
            .filter_map(|&(when, node, hazard)| match when {
                When::At(at) => Some((Instant::ZERO + at, node, hazard)),
                When::AfterEnd(_) => None,
            })
            .collect();
        strangers.sort_by_key(|&(at, ..)| core::cmp::Reverse(at));
        Ok(Self {
            plan,
            make,
            world,
            stage,
            bounds: Bounds::of(plan),
            phase: Phase::Talking,
            healed: false,
            struck: false,
            deadline: Instant::MAX,
            moved: 0,
            moved_at: Instant::ZERO,
            strangers,
            strangers_rng: seed.split("strangers").rng(),
            ended_at: Instant::ZERO,
            gone_at: Instant::ZERO,
            steps: 0,
            tally: Tally { runs: 1, ..Tally::default() },
        })
    }

    /// Runs it to its end.
    pub(super) fn finish<O: Observer>(mut self, observer: &mut O) -> Outcome {
        let result = self.drive(observer).map_err(|(invariant, detail)| Failure {
            subject: SUBJECT.into(),
            seed: self.plan.seed,
            invariant,
            step: self.steps,
            at: self.world.now(),
            detail,
        });
        let fingerprint = [NodeId(0), NodeId(1)].into_iter().fold(self.steps, |hash, node| {
            (hash ^ self.world.endpoint(node).fingerprint).wrapping_mul(0x0100_0000_01b3)
        });
        Outcome { result, fingerprint, tally: self.count() }
    }

    fn drive<O: Observer>(&mut self, observer: &mut O) -> Result<(), Broken> {
        self.world.step(Instant::ZERO, observer, &mut self.stage);
        loop {
            self.act()?;
            let before = self.phase;
            if self.proceed()? {
                return Ok(());
            }
            if self.phase != before {
                continue;
            }
            let next = self.acts_at().unwrap_or(Instant::MAX);
            let deadline = self.deadline;
            let until = next.min(deadline);
            if self.world.step(until, observer, &mut self.stage) {
                self.check()?;
            } else if self.world.is_stuck() {
                let who = self.world.spinning().map_or_else(String::new, |node| format!("{node} "));
                return Err((Invariant::Clock, format!("{who}acts for ever at one instant")));
            } else if next <= deadline && next < Instant::MAX {
                self.world.pass(next);
            } else {
                // What was done from outside may have been all that was missing.
                self.check()?;
                let before = self.phase;
                if self.proceed()? {
                    return Ok(());
                }
                if self.phase == before && self.deadline <= deadline && !self.waits_for_silence() {
                    return Err(self.too_late());
                }
            }
            if self.steps >= STEPS_MAX {
                let detail = format!("no end in sight after {STEPS_MAX} steps");
                return Err((Invariant::Clock, detail));
            }
        }
    }

    /// When something happens that no endpoint knows of.
    fn acts_at(&self) -> Option<Instant> {
        let now = self.world.now();
        let at = |after: Duration| Some(Instant::ZERO + after);
        let course = match self.plan.course {
            _ if self.struck => None,
            Course::Dead { at: when } | Course::Restart { at: when, .. } => at(when),
            Course::Whole { .. } => None,
        };
        let heals = if self.healed { None } else { at(self.plan.network.heals_after) };
        let talks = self.stage.talks.iter().flat_map(|talk| {
            let opens = if talk.ids[0].is_none() { at(talk.plan.opens_at) } else { None };
            let closes = talk.plan.closes_at.map(|closes| closes.and_then(at));
            [opens, closes[0], closes[1]]
        });
        let nodes = [0, 1].map(|node| self.stage.acts_at(node));
        let strangers = self.strangers.last().map(|&(at, ..)| at);
        let all = [course, heals, strangers, nodes[0], nodes[1]].into_iter().chain(talks);
        all.flatten().filter(|&at| at > now).min()
    }

    /// Does everything that is due and that no endpoint knows of.
    fn act(&mut self) -> Result<(), Broken> {
        let now = self.world.now();
        if !self.healed && now >= Instant::ZERO + self.plan.network.heals_after {
            self.heal();
        }
        match self.plan.course {
            Course::Dead { at } if !self.struck && now >= Instant::ZERO + at => self.die(),
            Course::Restart { at, node, keeps_secret }
                if !self.struck && now >= Instant::ZERO + at =>
            {
                self.restart(node, keeps_secret)?;
            }
            _ => {}
        }
        for talk in 0..self.stage.talks.len() {
            self.open(talk);
            self.close_early(talk);
        }
        for node in [NodeId(0), NodeId(1)] {
            if self.stage.acts_at(node.0 as usize).is_none_or(|at| at > now) {
                continue;
            }
            self.stage.act(now, node.0 as usize, self.world.endpoint_mut(node));
        }
        while let Some(&(at, node, hazard)) = self.strangers.last()
            && at <= now
        {
            self.strangers.pop();
            self.intrude(node, hazard);
        }
        Ok(())
    }

    fn open(&mut self, talk: usize) {
        let now = self.world.now();
        let Talk { plan, nodes, ids, forgotten, .. } = &self.stage.talks[talk];
        let node = nodes[0];
        if ids[0].is_some() || now < Instant::ZERO + plan.opens_at || *forgotten {
            return;
        }
        let peer = World::address(u32::from(node == 0));
        let id = node_id(node);
        let host = self.world.endpoint_mut(id);
        let connection = host.body_mut().host_mut().open(now, peer);
        host.body_mut().host_mut().hold(connection);
        self.stage.opened(talk, connection);
        self.stage.write(now, talk, 0, host);
    }

    fn close(&mut self, talk: usize, side: usize) -> bool {
        let now = self.world.now();
        let Talk { nodes, ids, closed, told, .. } = &self.stage.talks[talk];
        let (node, None, Some(id)) = (nodes[side], closed[side], ids[side]) else { return false };
        if !told[side] {
            return false;
        }
        let node = node_id(node);
        let connection = self.world.endpoint_mut(node).body_mut().host_mut().get_mut(id);
        if let Some(connection) = connection {
            connection.close(now, BYE, b"bye");
        }
        true
    }

    fn close_early(&mut self, talk: usize) {
        let now = self.world.now();
        for side in [0, 1] {
            let at = self.stage.talks[talk].plan.closes_at[side];
            if at.is_some_and(|at| now >= Instant::ZERO + at) {
                self.stage.talks[talk].plan.closes_at[side] = None;
                // An acceptor that has not heard of it cannot.
                let closed = self.close(talk, side);
                self.stage.talks[talk].cut_short |= closed;
                self.tally.hazards[Hazard::EarlyClose as usize].hits += u64::from(closed);
            }
        }
    }

    fn set_links(&mut self, up: LinkConfig, down: LinkConfig) -> Instant {
        let now = self.world.now();
        let mut free = now;
        for (from, to, config) in [(NodeId(0), NodeId(1), up), (NodeId(1), NodeId(0), down)] {
            if let Some(link) = self.world.link_mut(from, to) {
                link.set_config(now, config);
                free = free.max(link.busy_until());
            }
        }
        free
    }

    fn heal(&mut self) {
        self.healed = true;
        if self.struck && matches!(self.plan.course, Course::Dead { .. }) {
            return;
        }
        let healed = &self.plan.network.healed;
        let free = self.set_links(healed.up.clone(), healed.down.clone());
        self.bounds.on_healed(free, &self.world);
        if self.struck
            && let Some(talk) = self.stage.talks.last_mut()
        {
            talk.plan.opens_at = talk.plan.opens_at.max(free.since_epoch());
        }
        self.move_deadline();
    }

    /// Nothing gets through any more, ever.
    fn die(&mut self) {
        self.struck = true;
        let mut dead = self.plan.network.healed.clone();
        for link in [&mut dead.up, &mut dead.down] {
            (link.data.loss, link.ack.loss) =
                (Loss::Independent(Probability::ALWAYS), Loss::Independent(Probability::ALWAYS));
        }
        let free = self.set_links(dead.up, dead.down);
        self.bounds.on_died(free);
        let alive = self.stage.talks.iter().filter(|talk| !talk.is_closed()).count();
        self.tally.hit(Hazard::DeadPath, alive as u64);
        let last = self.stage.talks.iter().map(|talk| talk.plan.opens_at).max();
        self.gone_at = self.world.now().max(Instant::ZERO + last.unwrap_or_default());
        self.deadline = self.gone_at + self.bounds.silence(&self.world);
    }

    /// A node loses everything; a new connection is made as soon as the network is good.
    fn restart(&mut self, node: usize, keeps_secret: bool) -> Result<(), Broken> {
        self.struck = true;
        let now = self.world.now();
        let life = if keeps_secret { 1 } else { 2 };
        let refused = |error| (Invariant::NoInvention, format!("a good configuration: {error}"));
        let inner = make_host(self.make, self.plan, node, life).map_err(refused)?;
        let new = Watched::new(inner, self.plan.hosts[node], !self.plan.strangers.is_empty());
        let id = node_id(node);
        let old = core::mem::replace(self.world.endpoint_mut(id), new);
        if keeps_secret {
            self.world.peek_mut(id).remember_cookies(&old);
        }
        if let Some(broken) = old.broken {
            return Err(broken);
        }
        self.stage.forget(node);
        self.tally.hit(Hazard::Restart, 1);
        let mut plan = self.plan.talks[0].clone();
        let soon = Duration::from_millis(1);
        let settled = Duration::from_secs(6);
        let good = self.plan.network.heals_after.max(self.bounds.free_at().since_epoch());
        plan.opens_at = now.since_epoch().max(good).max(settled) + soon;
        plan.closes_at = [None; 2];
        // Nobody is patient here: silence while an application reads would be the end.
        for stream in &mut plan.streams {
            stream.bytes = stream.bytes.map(|bytes| bytes.min(4_000));
            stream.resets = stream.resets.map(|after| after.map(|after| after.min(4_000)));
            stream.stops = stream.stops.map(|after| after.map(|after| after.min(4_000)));
        }
        let index = self.stage.talks.len();
        self.stage.talks.push(Talk::new(self.plan.seed, index, &plan));
        self.move_deadline();
        Ok(())
    }

    /// Where a node is.
    fn address(&self, node: usize) -> SocketAddr {
        let all = &self.stage.addresses[node];
        all.last().copied().unwrap_or_else(|| World::address(u32::from(node == 1)))
    }

    /// The address of a node changes, if its connections are past the handshake: an open that is sent
    /// once more from elsewhere is another connection.
    fn rebind(&mut self, node: usize) {
        let lives = |node| {
            let host = self.world.endpoint(node_id(node)).body().host();
            host.connections().map(|(_, connection)| connection.life().is_established())
        };
        if lives(node).next().is_none() || !lives(0).chain(lives(1)).all(|is| is) {
            if self.phase == Phase::Talking {
                let later = self.world.now() + REBIND_PAUSE;
                self.strangers.push((later, node, Hazard::Rebinding));
                self.strangers.sort_by_key(|&(at, ..)| core::cmp::Reverse(at));
            }
            return;
        }
        let moves = self.tally.hazards[Hazard::Rebinding as usize].hits;
        let old = self.address(node);
        let new = SocketAddr::new(old.ip(), 20_000 + u16::try_from(moves).unwrap_or(0));
        self.stage.addresses[node].push(new);
        self.world.rebind(node_id(node), new);
        self.world.peek_mut(node_id(1 - node)).peer_moves(old, new);
        self.tally.hazards[Hazard::Rebinding as usize].hits += 1;
    }

    fn intrude(&mut self, node: usize, hazard: Hazard) {
        if hazard == Hazard::Rebinding {
            return self.rebind(node);
        }
        let now = self.world.now();
        let victim = &self.stage.talks[0];
        let victim = victim.ids[victim.side(node)];
        let id = node_id(node);
        let peer = self.address(1 - node);
        let host = self.world.endpoint_mut(id);
        let recorded = host.recorded.take().unwrap_or_default();
        let know = Knowledge { peer, recorded: &recorded, victim };
        if let Some((source, bytes)) = strangers::datagram(hazard, &mut self.strangers_rng, &know) {
            let _ = host.handle_datagram(now, RecvMeta::from(source), &bytes);
            self.tally.hazards[hazard as usize].hits += 1;
        }
        host.recorded = Some(recorded);
        // It may be a packet that was thought lost, and the sender hears of it before the next look.
        check::taken(id, &self.world, &mut self.stage);
    }

    /// Goes on to the next phase when this one is over; whether the run is.
    fn proceed(&mut self) -> Result<bool, Broken> {
        match self.phase {
            Phase::Talking if self.is_said() => {
                self.phase = Phase::Ending;
                if !self.healed {
                    self.heal();
                }
                self.end();
                Ok(false)
            }
            Phase::Ending if self.is_ended() => {
                self.phase = Phase::Aftermath;
                self.linger();
                Ok(false)
            }
            Phase::Aftermath if self.strangers.is_empty() && self.is_ended() => {
                // What is still on its way finds nobody.
                if self.world.is_quiet() {
                    check::at_rest(self.world.now(), &self.world)?;
                    return Ok(true);
                }
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    /// Whether the applications wait for nothing any more but the end.
    fn is_said(&self) -> bool {
        let dead = matches!(self.plan.course, Course::Dead { .. });
        let waits = !matches!(self.plan.course, Course::Whole { .. }) && !self.struck;
        if waits || self.strangers.iter().any(|&(.., hazard)| hazard == Hazard::Forgery) {
            return false;
        }
        let talks = &self.stage.talks;
        talks.iter().enumerate().all(|(index, talk)| {
            let is_said = || talk.is_said() && self.is_drained(talk);
            if talk.forgotten {
                return talk.is_closed();
            }
            if talk.ids[0].is_none() || talk.closes_early() {
                return false;
            }
            if dead || talk.cut_short {
                return talk.is_closed();
            }
            if talk.tainted {
                return true;
            }
            // Before a restart nobody is patient, and the network may be sick for longer.
            let hasty = !matches!(self.plan.course, Course::Whole { .. });
            is_said() || hasty && index + 1 < talks.len() && talk.is_closed()
        })
    }

    /// Whether no stream is left of a talk on either side.
    fn is_drained(&self, talk: &Talk) -> bool {
        [0, 1].into_iter().all(|side| {
            let host = self.world.endpoint(node_id(talk.nodes[side])).body().host();
            let connection = talk.ids[side].and_then(|id| host.get(id));
            connection.is_none_or(|connection| connection.streams().is_empty())
        })
    }

    /// Ends all connections as planned.
    fn end(&mut self) {
        let closers = match self.plan.course {
            Course::Whole { closers } => closers,
            _ => [true; 2],
        };
        let mut open = 0;
        for talk in 0..self.stage.talks.len() {
            let closed = self.stage.talks[talk].is_closed();
            // A connection that was forged is closed by its applications.
            let forged = self.stage.talks[talk].tainted;
            for side in [0, 1] {
                if closers[self.stage.talks[talk].nodes[side]] || forged {
                    self.close(talk, side);
                }
            }
            open += u64::from(!closed);
        }
        match closers {
            [true, true] => self.tally.hit(Hazard::SimultaneousClose, open),
            [false, false] => self.tally.hit(Hazard::Silence, open),
            _ => {}
        }
        // What still stands in a queue may begin a connection that nobody asked for.
        let from = self.world.now().max(self.bounds.free_at());
        self.deadline = from + self.bounds.end(closers, &self.world);
    }

    /// Whether nothing is left of any connection.
    fn is_ended(&self) -> bool {
        let empty = |node| self.world.endpoint(node).body().host().connections().next().is_none();
        let told = self.stage.talks.iter().all(|talk| talk.ids[0].is_none() || talk.is_closed());
        told && empty(NodeId(0)) && empty(NodeId(1))
    }

    fn linger(&mut self) {
        self.ended_at = self.world.now();
        let late = self.plan.strangers.iter().filter_map(|&(when, node, hazard)| match when {
            When::AfterEnd(after) => Some((self.ended_at + after, node, hazard)),
            When::At(_) => None,
        });
        self.strangers.extend(late);
        self.strangers.sort_by_key(|&(at, ..)| core::cmp::Reverse(at));
        let last = self.strangers.first().map_or(self.ended_at, |&(at, ..)| at);
        self.deadline = last.max(self.bounds.free_at()) + self.bounds.ghosts();
    }

    /// What must hold after every step.
    fn check(&mut self) -> Result<(), Broken> {
        self.steps += 1;
        // Who reads along at the sockets sees a cause before applications see what comes of it.
        for node in [NodeId(0), NodeId(1)] {
            if let Some((what, words)) = self.world.peek_mut(node).broken.take() {
                return Err((what, format!("{node}: {words}")));
            }
        }
        if let Some(broken) = self.stage.broken.take() {
            return Err(broken);
        }
        // What both have taken comes before what either believes.
        for node in [NodeId(0), NodeId(1)] {
            check::taken(node, &self.world, &mut self.stage);
        }
        for node in [NodeId(0), NodeId(1)] {
            check::node(node, self.plan, &mut self.world, &mut self.stage)?;
        }
        if self.stage.moved != self.moved {
            self.moved = self.stage.moved;
            self.moved_at = self.world.now();
            self.move_deadline();
        }
        Ok(())
    }
}

/// The node of that number, 0 or 1.
const fn node_id(node: usize) -> NodeId {
    if node == 0 { NodeId(0) } else { NodeId(1) }
}

/// A host in one of its lives: 0 the first, 1 after a restart with the same secret, 2 with another.
fn make_host<B: Body>(
    make: Make<B>,
    plan: &Plan,
    node: usize,
    life: u64,
) -> Result<B, ConfigError> {
    let seed = Seed::new(plan.seed).split("node").index(node as u64);
    let mut secret = [0; 16];
    seed.split("secret").index(u64::from(life == 2)).rng().fill(&mut secret);
    make(plan.hosts[node], Secret::new(secret), seed.split("host").index(life))
}
