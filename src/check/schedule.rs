//! A counterexample with times, so that a driver can play it to endpoints with clocks.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};
use core::time::Duration;

use super::{
    Message, Verdict, Violation,
    trace::{Event, Step, Trace},
};
use crate::{
    classic::{Config, Effect, Timeout, TimerStart},
    link::{Course, Delay, Faults, LinkConfig, Passage, Profile},
    time::Instant,
    trace::{Side, Tag},
};

/// A counterexample for endpoints: what becomes of each datagram, how long the retransmission
/// timeout is, and when each message is sent, so that all steps of a [`Trace`] happen in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// The retransmission timeout, which never changes and is counted from each start of a timer.
    pub timeout: Duration,
    /// When the sender is given each of its messages. Those that the trace does not send follow
    /// after its end.
    pub sends: Vec<Instant>,
    /// What becomes of the datagrams of the sender. Those that are still on their way at the end of
    /// the trace arrive soon after it, in order.
    pub up: Vec<Course>,
    /// What becomes of the datagrams of the receiver.
    pub down: Vec<Course>,
    /// How long a datagram takes of which the trace says nothing.
    pub delay: Duration,
    /// How long to look: until the last step has happened, and long after it if from there on
    /// nothing should ever come to an end.
    pub until: Instant,
}

/// What was seen when a [`Schedule`] was played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// Which messages were delivered, counted from 0; `None` for what was never sent.
    pub delivered: Vec<Option<usize>>,
    /// How many messages the sender believed delivered in the end.
    pub believed: u64,
    /// Whether everything was delivered and acknowledged.
    pub finished: bool,
}

/// How many timeouts long to look at what should be stuck.
const PATIENCE: u32 = 100;

impl Schedule {
    /// A time between two steps: as good as any other in virtual time.
    pub const GAP: Duration = Duration::from_millis(10);

    /// The network for the datagrams of which the trace says nothing: nothing happens to them.
    pub fn profile(&self) -> Profile {
        let faults = Faults { delay: Delay::Constant(self.delay), ..Faults::NONE };
        let way = LinkConfig::with_faults(faults);
        Profile { up: way.clone(), down: way }
    }

    /// A configuration with the timers of this schedule.
    #[must_use]
    pub fn config(&self, config: Config) -> Config {
        let timeout = Timeout::Fixed(self.timeout);
        Config { timeout, timer_start: TimerStart::SinceStart, attempts_max: None, ..config }
    }
}

impl Trace {
    /// Finds times for the steps, at least `gap` between two. `None` when no fixed timeout lets the
    /// timers run out in the order of the trace: where timers run side by side, one that was set
    /// later may expire earlier there.
    pub fn schedule(&self, gap: Duration) -> Option<Schedule> {
        let steps = self.steps.len();
        // Longer than all steps in a row: a timer of which the trace does not speak waits.
        let timeout = steps + 2;
        let times = solve(steps, &self.timer_rules(timeout))?;
        let span = |gaps: i64| gap * u32::try_from(gaps).unwrap_or(u32::MAX);
        let at = |step: usize| Instant::ZERO + span(times.get(step).copied().unwrap_or_default());
        let mut sends = Vec::new();
        for (number, step) in (1..).zip(&self.steps) {
            if matches!(step.event, Event::Send(_)) {
                sends.push(at(number));
            }
        }
        let ([up, down], last) = self.courses(gap, &at);
        sends.resize(usize::from(self.messages).max(sends.len()), last + gap);
        let timeout = span(signed(timeout));
        // Short of the next thing that can happen.
        let end = at(steps) + gap.saturating_sub(Duration::from_nanos(1));
        let until = match self.verdict {
            Verdict::Stuck { .. } => end + timeout * PATIENCE,
            _ => end,
        };
        Some(Schedule { timeout, sends, up, down, delay: gap, until })
    }

    /// Whether what was `seen` is what this trace comes to.
    pub fn is_reproduced(&self, seen: &Played) -> bool {
        let right = |count: u16| {
            let sent = (0..usize::from(count)).map(Some);
            seen.delivered.iter().copied().take(count.into()).eq(sent)
        };
        let only = |count: u16| seen.delivered.len() == usize::from(count) && right(count);
        match self.verdict {
            Verdict::Unsafe(Violation::Delivered { got, expected }) => {
                let sent = (got != Message::GARBAGE).then_some(usize::from(got.0));
                right(expected.0) && seen.delivered.get(usize::from(expected.0)) == Some(&sent)
            }
            Verdict::Unsafe(Violation::Believed { believed, delivered }) => {
                only(delivered) && seen.believed == u64::from(believed)
            }
            Verdict::Stuck { .. } => {
                let count = u16::try_from(seen.delivered.len()).unwrap_or(u16::MAX);
                !seen.finished && count <= self.messages && right(count)
            }
            Verdict::Holds | Verdict::OutOfBound => false,
        }
    }

    /// Whether the trace ends with a channel that is full one way. In the model, what would send
    /// more then waits; no network makes it wait, so endpoints may well go on from there.
    pub fn is_jammed(&self) -> bool {
        let mut room = [self.capacity; 2];
        for step in &self.steps {
            match &step.event {
                Event::Arrive { flight, .. } | Event::Lose(flight) => room[lane(flight.to)] += 1,
                Event::Duplicate { flight, .. } => room[lane(flight.to)] -= 1,
                Event::Send(_) | Event::Timeout { .. } | Event::Corrupt(_) => {}
            }
            for flight in &step.sent {
                room[lane(flight.to)] -= 1;
            }
        }
        room.contains(&0)
    }

    /// What becomes of each datagram, and when the last one that is left over arrives.
    fn courses(&self, gap: Duration, at: &dyn Fn(usize) -> Instant) -> ([Vec<Course>; 2], Instant) {
        let datagrams = self.datagrams();
        let mut courses = [Vec::new(), Vec::new()];
        let mut sent_at = BTreeMap::new();
        // By number of the packet: where it goes.
        let mut flying = BTreeMap::new();
        let mut damaged = BTreeSet::new();
        let mut arrivals = Vec::new();
        for (number, step) in (1..).zip(&self.steps) {
            match &step.event {
                Event::Arrive { flight, .. } => {
                    flying.remove(&flight.id);
                    arrivals.push((flight.id, flight.to, at(number)));
                }
                Event::Lose(flight) => drop(flying.remove(&flight.id)),
                Event::Corrupt(flight) => drop(damaged.insert(flight.id)),
                Event::Duplicate { flight, copy } => {
                    flying.insert(*copy, flight.to);
                    if damaged.contains(&flight.id) {
                        damaged.insert(*copy);
                    }
                }
                Event::Send(_) | Event::Timeout { .. } => {}
            }
            for flight in step.transmitted() {
                courses[lane(flight.to)].push(Course::default());
                sent_at.insert((flight.to as u8, datagrams.get(&flight.id)), at(number));
            }
            flying.extend(step.sent.iter().map(|flight| (flight.id, flight.to)));
        }
        let mut last = at(self.steps.len());
        // What is left over keeps its order; a copy goes with its original.
        let mut left: Vec<(u32, Side)> = flying.into_iter().collect();
        left.sort_by_key(|(id, _)| (datagrams.get(id), *id));
        for (id, to) in left {
            last += gap;
            arrivals.push((id, to, last));
        }
        for (id, to, arrival) in arrivals {
            let datagram = datagrams.get(&id);
            let sent = sent_at.get(&(to as u8, datagram)).copied().unwrap_or(arrival);
            let place = datagram.and_then(|&datagram| usize::try_from(datagram).ok());
            if let Some(course) = place.and_then(|place| courses[lane(to)].get_mut(place)) {
                let damaged = damaged.contains(&id);
                course.passages.push(Passage { delay: arrival - sent, damaged });
            }
        }
        (courses, last)
    }

    /// What the timers ask of the times, in gaps.
    fn timer_rules(&self, timeout: usize) -> Vec<AtLeast> {
        let mut rules = Vec::new();
        let mut running: BTreeMap<(u8, Tag), usize> = BTreeMap::new();
        let still = |rules: &mut Vec<AtLeast>, set: usize, until: usize| {
            rules.push(AtLeast { from: until, to: set, gaps: 1 - signed(timeout) });
        };
        for (number, step) in (1..).zip(&self.steps) {
            if let Event::Timeout { side, tag, .. } = &step.event
                && let Some(set) = running.remove(&(*side as u8, *tag))
            {
                rules.push(AtLeast { from: set, to: number, gaps: signed(timeout) });
                rules.push(AtLeast { from: number, to: set, gaps: -signed(timeout) });
            }
            for (key, starts) in timers(step) {
                let before =
                    if starts { running.insert(key, number) } else { running.remove(&key) };
                if let Some(set) = before {
                    still(&mut rules, set, number);
                }
            }
        }
        for set in running.into_values() {
            still(&mut rules, set, self.steps.len());
        }
        rules
    }
}

/// The timers that a step starts (true) or stops.
fn timers(step: &Step) -> impl Iterator<Item = ((u8, Tag), bool)> {
    let side = step.side().unwrap_or(Side::Sender) as u8;
    step.effects.iter().filter_map(move |effect| match effect {
        Effect::Start(tag) => Some(((side, *tag), true)),
        Effect::Stop(tag) => Some(((side, *tag), false)),
        Effect::Transmit(_) | Effect::Deliver(_) => None,
    })
}

const fn lane(to: Side) -> usize {
    match to {
        Side::Receiver => 0,
        Side::Sender => 1,
    }
}

/// Step `to` happens at least so many gaps after step `from`; a negative number is a most.
#[derive(Clone, Copy, Debug)]
struct AtLeast {
    from: usize,
    to: usize,
    gaps: i64,
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The earliest times of steps 0 (the start) to `steps` that keep all rules, in gaps: longest paths,
/// after Bellman and Ford. `None` when the rules contradict each other.
fn solve(steps: usize, rules: &[AtLeast]) -> Option<Vec<i64>> {
    let mut times = vec![0; steps + 1];
    let order = (0..steps).map(|from| AtLeast { from, to: from + 1, gaps: 1 });
    let all: Vec<AtLeast> = order.chain(rules.iter().copied()).collect();
    for _ in 0..=(steps + 1) {
        let mut changed = false;
        for AtLeast { from, to, gaps } in &all {
            let earliest = times[*from] + gaps;
            changed |= earliest > times[*to];
            times[*to] = times[*to].max(earliest);
        }
        if !changed {
            return Some(times);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_the_rules_or_do_not_exist() {
        // A timer is set in step 1 and runs out in step 3; another is set in step 2 and must not
        // have run out in step 4.
        let set = [
            AtLeast { from: 1, to: 3, gaps: 5 },
            AtLeast { from: 3, to: 1, gaps: -5 },
            AtLeast { from: 4, to: 2, gaps: -4 },
        ];
        let times = solve(4, &set).unwrap();
        assert_eq!(times[3] - times[1], 5);
        assert!(times[4] - times[2] <= 4 && times.is_sorted_by(|a, b| a < b));
        // The one that was set later cannot run out earlier.
        let crossed = [
            AtLeast { from: 2, to: 3, gaps: 5 },
            AtLeast { from: 3, to: 2, gaps: -5 },
            AtLeast { from: 4, to: 1, gaps: -4 },
        ];
        assert_eq!(solve(4, &crossed), None);
    }
}
