//! The search: breadth first, or by fewest faults, and backwards from the finished states.

use alloc::{collections::BTreeMap, vec, vec::Vec};

use super::{
    Message, Progress, Workers,
    space::{Next, Space, State},
    table::{Interner, number},
};
use crate::classic::{Machine, SenderMachine};

/// States that workers expand between two looks at what they found. Fixed, so that results do not
/// depend on how many workers there are.
const BLOCK: usize = 1 << 15;
/// Below this many states a second worker costs more than it brings.
const SHARE_MIN: usize = 1 << 13;

/// What a search found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) states: Interner<State>,
    /// From which state each was first (or best) reached; the first state is its own parent.
    pub(super) parents: Vec<u32>,
    /// The states in the order in which they were expanded, and how many transitions each has.
    expanded: Vec<(u32, u32)>,
    /// Where the transitions lead, in that order.
    targets: Vec<u32>,
    /// The first state in which something is wrong.
    pub(super) bad: Option<u32>,
    /// Whether every state was expanded.
    pub(super) closed: bool,
}

impl Found {
    fn new() -> Self {
        let mut states = Interner::new();
        let first = states.intern(State::START);
        Self {
            states,
            parents: vec![first],
            expanded: Vec::new(),
            targets: Vec::new(),
            bad: None,
            closed: false,
        }
    }

    pub(super) fn transitions(&self) -> u64 {
        self.targets.len() as u64
    }

    /// Steps from the start to `state`.
    pub(super) fn depth(&self, state: u32) -> u32 {
        number(self.path(state).len() - 1)
    }

    /// The states from the start to `state`.
    pub(super) fn path(&self, state: u32) -> Vec<u32> {
        let mut path = vec![state];
        let mut at = state;
        while at != 0 {
            at = self.parents[at as usize];
            path.push(at);
        }
        path.reverse();
        path
    }

    fn progress(&self) -> Progress {
        Progress {
            states: self.states.len() as u64,
            expanded: self.expanded.len() as u64,
            transitions: self.transitions(),
        }
    }
}

/// What one worker does in a block.
struct Share {
    range: core::ops::Range<usize>,
    nexts: Vec<Next>,
    /// The number of each, if it was there before the block.
    known: Vec<Option<u32>>,
    /// How many nexts each state of the range has; `None` if something was not worked out yet.
    counts: Vec<Option<u32>>,
}

impl Share {
    fn expand<S, R>(&mut self, space: &Space<S, R>, states: &Interner<State>)
    where
        S: SenderMachine<Message>,
        R: Machine<Message>,
    {
        for index in self.range.clone() {
            let start = self.nexts.len();
            let state = *states.get(number(index));
            let count = space.expand(state, &mut self.nexts).ok();
            if count.is_none() {
                self.nexts.truncate(start);
            }
            self.counts.push(count.map(|()| number(self.nexts.len() - start)));
        }
        self.known.extend(self.nexts.iter().map(|next| states.find(&next.state)));
    }
}

/// Visits every state, nearest first, until one is wrong or there are more than `states_max`.
pub(super) fn breadth_first<S, R, W>(
    space: &mut Space<S, R>,
    states_max: u32,
    workers: &mut W,
) -> Found
where
    S: SenderMachine<Message>,
    R: Machine<Message>,
    W: Workers,
{
    let mut found = Found::new();
    let mut cursor = 0;
    let mut scratch = Vec::new();
    while cursor < found.states.len() {
        let end = found.states.len().min(cursor + BLOCK);
        let hands = workers.count().min((end - cursor) / SHARE_MIN).max(1);
        let size = (end - cursor).div_ceil(hands);
        let starts = (cursor..end).step_by(size);
        let mut shares: Vec<Share> = starts
            .map(|start| Share {
                range: start..end.min(start + size),
                nexts: Vec::new(),
                known: Vec::new(),
                counts: Vec::new(),
            })
            .collect();
        workers.each(&mut shares, &|share| share.expand(space, &found.states));
        for share in shares {
            let mut nexts = share.nexts.iter().zip(&share.known);
            for (index, count) in share.range.zip(share.counts) {
                let index = number(index);
                let before = found.targets.len();
                if let Some(count) = count {
                    for (next, known) in nexts.by_ref().take(count as usize) {
                        found.reach(space, index, next, *known);
                    }
                } else {
                    scratch.clear();
                    space.expand_learning(*found.states.get(index), &mut scratch);
                    for next in &scratch {
                        found.reach(space, index, next, None);
                    }
                }
                found.expanded.push((index, number(found.targets.len() - before)));
                if found.bad.is_some() || found.states.len() > states_max as usize {
                    return found;
                }
            }
        }
        workers.progress(found.progress());
        cursor = end;
    }
    found.closed = true;
    found
}

impl Found {
    /// Notes a transition, and its target if that is new.
    fn reach<S, R>(&mut self, space: &Space<S, R>, from: u32, next: &Next, known: Option<u32>)
    where
        S: SenderMachine<Message>,
        R: Machine<Message>,
    {
        let to = known.unwrap_or_else(|| self.states.intern(next.state));
        if to as usize == self.parents.len() {
            self.parents.push(from);
            if self.bad.is_none() && space.is_bad(next.state) {
                self.bad = Some(to);
            }
        }
        self.targets.push(to);
    }
}

/// Visits every state, those that take the fewest faults first, and of these the nearest.
pub(super) fn fewest_faults<S, R, W>(
    space: &mut Space<S, R>,
    states_max: u32,
    workers: &mut W,
) -> Found
where
    S: SenderMachine<Message>,
    R: Machine<Message>,
    W: Workers,
{
    let mut found = Found::new();
    // The best known cost of each state: faults, then steps.
    let mut costs = vec![(0_u32, 0_u32)];
    let mut settled = vec![false];
    let mut queue = BTreeMap::from([((0, 0), vec![0_u32])]);
    let mut nexts = Vec::new();
    while let Some((cost, batch)) = queue.pop_first() {
        for from in batch {
            if core::mem::replace(&mut settled[from as usize], true) {
                continue;
            }
            let state = *found.states.get(from);
            if space.is_bad(state) {
                found.bad = Some(from);
                return found;
            }
            nexts.clear();
            space.expand_learning(state, &mut nexts);
            for next in &nexts {
                let to = found.states.intern(next.state);
                found.targets.push(to);
                let reached = (cost.0 + u32::from(next.faults), cost.1 + 1);
                if to as usize == costs.len() {
                    costs.push(reached);
                    found.parents.push(from);
                    settled.push(false);
                } else if !settled[to as usize] && reached < costs[to as usize] {
                    costs[to as usize] = reached;
                    found.parents[to as usize] = from;
                } else {
                    continue;
                }
                queue.entry(reached).or_default().push(to);
            }
            found.expanded.push((from, number(nexts.len())));
            if found.states.len() > states_max as usize {
                return found;
            }
        }
        workers.progress(found.progress());
    }
    found.closed = true;
    found
}

/// The states from which the finished state cannot be reached.
#[derive(Debug)]
pub(super) struct Stuck {
    /// How many.
    pub(super) states: u64,
    /// The one that was reached first, if there is one, and whether everything soon comes to an end
    /// there.
    pub(super) first: Option<(u32, bool)>,
    /// How many states are finished.
    pub(super) finished: u64,
}

/// Goes backwards from the finished states and sees what is left over.
pub(super) fn stuck<S, R>(space: &Space<S, R>, found: &Found) -> Stuck
where
    S: SenderMachine<Message>,
    R: Machine<Message>,
{
    let count = found.states.len();
    // The transitions by target: where those into a state begin, and where they come from.
    let mut begins = vec![0_usize; count + 1];
    for &to in &found.targets {
        begins[to as usize + 1] += 1;
    }
    for index in 0..count {
        begins[index + 1] += begins[index];
    }
    let mut sources = vec![0_u32; found.targets.len()];
    let mut filled = begins.clone();
    let mut targets = found.targets.iter();
    for &(from, count) in &found.expanded {
        for &to in targets.by_ref().take(count as usize) {
            sources[filled[to as usize]] = from;
            filled[to as usize] += 1;
        }
    }
    drop(filled);
    let mut hopeful = vec![false; count];
    let mut queue: Vec<u32> =
        (0..number(count)).filter(|&state| space.is_finished(*found.states.get(state))).collect();
    let finished = queue.len() as u64;
    for &state in &queue {
        hopeful[state as usize] = true;
    }
    while let Some(state) = queue.pop() {
        let into = begins[state as usize]..begins[state as usize + 1];
        for &from in &sources[into] {
            if !core::mem::replace(&mut hopeful[from as usize], true) {
                queue.push(from);
            }
        }
    }
    let mut left_over = found.expanded.iter().filter(|(state, _)| !hopeful[*state as usize]);
    let first = left_over.next().map(|&(state, _)| state);
    let states = u64::from(first.is_some()) + left_over.count() as u64;
    Stuck { states, first: first.map(|state| (state, ends(found, state))), finished }
}

/// Whether every run from `start` comes to an end: there is no loop in what can be reached.
fn ends(found: &Found, start: u32) -> bool {
    const UNSEEN: u8 = 0;
    const OPEN: u8 = 1;
    const DONE: u8 = 2;
    let mut moves = vec![0..0; found.states.len()];
    let mut begin = 0;
    for &(from, count) in &found.expanded {
        moves[from as usize] = begin..begin + count as usize;
        begin += count as usize;
    }
    let mut marks = vec![UNSEEN; found.states.len()];
    let mut stack = vec![start];
    marks[start as usize] = OPEN;
    while let Some(&state) = stack.last() {
        let Some(next) = moves[state as usize].next() else {
            marks[state as usize] = DONE;
            stack.pop();
            continue;
        };
        let to = found.targets[next];
        match marks[to as usize] {
            OPEN => return false,
            UNSEEN => {
                marks[to as usize] = OPEN;
                stack.push(to);
            }
            _ => {}
        }
    }
    true
}
