//! Drivers with habits: they wait only for deadlines and datagrams, in virtual time, and each does
//! something that the contract allows.

use std::{collections::VecDeque, time::Duration};

use rdtp::{
    batch::Batch,
    endpoint::{Endpoint, RecvMeta},
    rng::{Rng, Seed},
    time::Instant,
};

use crate::{
    play::transmit,
    subject::{ADDRESSES, Case, Ends},
};

/// What a driver does in its own way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habit {
    /// How often it polls each thing in a turn before it looks at the deadline again.
    pub(crate) polls_max: usize,
    /// How many datagrams it takes at once.
    pub(crate) segments_max: usize,
    /// For how long its socket would block after each batch: the rest of it is kept and tried
    /// again, and nothing is polled meanwhile.
    pub(crate) blocks_for: Duration,
    /// It drops one batch in so many, by chance: in step with the protocol it would drop the same
    /// packet for ever.
    pub(crate) drops_one_in: Option<u64>,
    /// How late it acts on deadlines.
    pub(crate) late: Duration,
    /// It polls everything again after it said `None`.
    pub(crate) nervous: bool,
}

impl Habit {
    /// The loop of the module page of `endpoint`, to the letter.
    pub(crate) const PLAIN: Self = Self {
        polls_max: usize::MAX,
        segments_max: Batch::SEGMENTS_MAX,
        blocks_for: Duration::ZERO,
        drops_one_in: None,
        late: Duration::ZERO,
        nervous: false,
    };
}

/// The time from one end to the other.
const LATENCY: Duration = Duration::from_millis(1);

/// Turns without time passing or anything moving after which a driver is said to spin.
const IDLE_TURNS_MAX: u32 = 3;

/// Turns for each message after which a driver sees no end: several times what any end here needs.
const TURNS_PER_MESSAGE_MAX: usize = 500;

#[derive(Default)]
struct Node {
    /// What the socket did not take, and until when it will not.
    kept: VecDeque<Vec<u8>>,
    blocked_until: Instant,
    offered: Vec<Vec<u8>>,
    delivered: Vec<Vec<u8>>,
    idle_turns: u32,
}

pub(crate) struct Drive<'a> {
    case: &'a Case,
    habit: Habit,
    ends: Ends,
    nodes: [Node; 2],
    /// (arrives at, to, bytes), in order.
    wire: VecDeque<(Instant, usize, Vec<u8>)>,
    now: Instant,
    chance: Rng,
    messages: usize,
    /// What the ends recorded.
    pub(crate) trace: Vec<String>,
}

impl<'a> Drive<'a> {
    pub(crate) fn new(case: &'a Case, habit: Habit, messages: usize) -> Self {
        let mut ends = case.ends();
        for end in &mut ends {
            end.set_tracing(true);
        }
        let nodes = Default::default();
        let (wire, now, trace) = (VecDeque::new(), Instant::ZERO, Vec::new());
        let chance = Seed::new(5).split("drops").rng();
        Self { case, habit, ends, nodes, wire, now, chance, messages, trace }
    }

    /// Transfers the messages, each way that works.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        self.go().map_err(|fault| format!("{}, {:?}: {fault}", self.case.name, self.habit))
    }

    fn go(&mut self) -> Result<(), String> {
        for _ in 0..TURNS_PER_MESSAGE_MAX * self.messages {
            for at in 0..2 {
                self.turn(at)?;
            }
            if self.is_done() {
                return Ok(());
            }
            let wakes = (0..2).filter_map(|at| self.wake(at));
            let arrives = self.wire.front().map(|(at, ..)| *at);
            let next = wakes.chain(arrives).min();
            self.now = next.ok_or("deadlock: no datagram, no deadline")?.max(self.now);
        }
        Err("no end in sight".into())
    }

    fn is_done(&self) -> bool {
        let [a, b] = &self.nodes;
        b.delivered.len() == self.messages && a.delivered == b.offered
    }

    fn wake(&self, at: usize) -> Option<Instant> {
        let node = &self.nodes[at];
        if !node.kept.is_empty() {
            return Some(node.blocked_until);
        }
        let due = self.ends[at].poll_timeout()?;
        Some(if due > self.now { due + self.habit.late } else { due })
    }

    fn turn(&mut self, at: usize) -> Result<(), String> {
        let mut moved = false;
        while let Some((_, _, bytes)) =
            self.wire.pop_front_if(|(arrives, to, _)| *arrives <= self.now && *to == at)
        {
            let meta = RecvMeta::from(ADDRESSES[1 - at]);
            let _ = self.ends[at].handle_datagram(self.now, meta, &bytes);
            moved = true;
        }
        let due = self.ends[at].poll_timeout().filter(|due| *due <= self.now);
        if due.is_some() {
            self.ends[at].handle_timeout(self.now);
        }
        moved |= self.offer(at);
        moved |= self.transmit(at)?;
        moved |= self.events(at)?;
        if self.habit.nervous {
            self.pester(at)?;
        }
        while let Some(event) = self.ends[at].poll_trace() {
            self.trace.push(format!("{} {at} {event}", self.now));
        }
        let node = &mut self.nodes[at];
        node.idle_turns = if moved || due.is_none() { 0 } else { node.idle_turns + 1 };
        if node.idle_turns > IDLE_TURNS_MAX && node.kept.is_empty() {
            return Err("due again and again with nothing to do".into());
        }
        Ok(())
    }

    fn offer(&mut self, at: usize) -> bool {
        let mut moved = false;
        while self.nodes[at].offered.len() < self.messages {
            let message = self.case.message(self.nodes[at].offered.len());
            if !self.ends[at].offer(self.now, &message) {
                break;
            }
            self.nodes[at].offered.push(message);
            moved = true;
        }
        moved
    }

    fn transmit(&mut self, at: usize) -> Result<bool, String> {
        let mut moved = self.flush(at);
        let mut space = [0; 4096];
        for _ in 0..self.habit.polls_max {
            if !self.nodes[at].kept.is_empty() {
                break;
            }
            let mut batch = Batch::with_segments_max(&mut space, self.habit.segments_max);
            if transmit(&mut *self.ends[at], self.now, &mut batch)?.is_none() {
                break;
            }
            moved = true;
            if self.habit.drops_one_in.is_some_and(|n| self.chance.below(n) == 0) {
                continue;
            }
            let node = &mut self.nodes[at];
            node.kept.extend(batch.segments().map(<[u8]>::to_vec));
            node.blocked_until = self.now + self.habit.blocks_for;
            self.flush(at);
        }
        Ok(moved)
    }

    /// Sends what was kept, if the socket takes it now.
    fn flush(&mut self, at: usize) -> bool {
        let node = &mut self.nodes[at];
        if node.blocked_until > self.now || node.kept.is_empty() {
            return false;
        }
        let arrives = self.now + LATENCY;
        self.wire.extend(node.kept.drain(..).map(|bytes| (arrives, 1 - at, bytes)));
        true
    }

    fn events(&mut self, at: usize) -> Result<bool, String> {
        let mut moved = false;
        for _ in 0..self.habit.polls_max {
            let due = self.ends[at].poll_timeout();
            let Some(heard) = self.ends[at].poll_event() else { break };
            if due.is_none_or(|due| due > self.now) {
                return Err("an event was ready and not due".into());
            }
            moved = true;
            self.nodes[at].delivered.extend(heard.delivered);
            let (got, sent) = (&self.nodes[at].delivered, &self.nodes[1 - at].offered);
            if !sent.starts_with(got) {
                return Err(format!("sent {sent:?}, delivered {got:?}"));
            }
        }
        Ok(moved)
    }

    /// Asks for everything again, when there is nothing.
    fn pester(&mut self, at: usize) -> Result<(), String> {
        let (now, end) = (self.now, &mut self.ends[at]);
        let due = end.poll_timeout();
        if due.is_none_or(|due| due > now) {
            let mut space = [0; 4096];
            for _ in 0..3 {
                end.handle_timeout(now);
                let nothing = end.poll_transmit(now, &mut Batch::new(&mut space)).is_none()
                    && end.poll_event().is_none();
                if !nothing || end.poll_timeout() != due {
                    return Err("asking again makes a difference".into());
                }
            }
        }
        Ok(())
    }
}
