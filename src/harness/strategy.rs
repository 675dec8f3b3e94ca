//! Random schedules for proptest, and how they become simpler.

use alloc::{vec, vec::Vec};
use core::{fmt, time::Duration};

use proptest::{
    collection,
    prelude::{Just, any},
    strategy::{NewTree, Strategy, Union, ValueTree},
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};

use super::{
    play::Failure,
    schedule::{Fault, Schedule, Strike, Way},
    survives,
};
use crate::{channel::Channel, classic::Protocol};

/// Schedules of faults that `channel` may cause: see [`Schedules`].
///
/// ```
/// use proptest::prelude::*;
/// use rdtp::{channel::Channel, classic::rdt22::Rdt22, harness::{schedules, survives}};
///
/// proptest! {
///     fn rdt22_bears_what_it_says(schedule in schedules(Channel::PERFECT.corrupting())) {
///         survives(&Rdt22, &schedule)?;
///     }
/// }
/// rdt22_bears_what_it_says();
/// ```
pub fn schedules(channel: Channel) -> Schedules {
    Schedules { channel, faults_max: 8, datagrams: 24, late_max: Duration::from_millis(120) }
}

/// A proptest strategy for schedules of faults.
///
/// A schedule that fails shrinks to the fewest faults: first none is tried, then each fault alone,
/// then each pair, then one less, and so on from what failed last; only then do faults move to
/// earlier datagrams and become milder. So of the faults that were drawn, no two explain the failure
/// when more are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedules {
    channel: Channel,
    faults_max: usize,
    datagrams: u32,
    late_max: Duration,
}

impl Schedules {
    /// At most so many faults in a schedule; 8 unless set.
    #[must_use]
    pub fn faults_max(self, faults: usize) -> Self {
        Self { faults_max: faults, ..self }
    }

    /// Faults fall on the first so many datagrams each way, at least one; 24 unless set.
    #[must_use]
    pub fn datagrams(self, datagrams: u32) -> Self {
        Self { datagrams: datagrams.max(1), ..self }
    }

    /// What is late is late by at most this; 120 ms unless set, four timeouts of
    /// [`Play`](super::Play).
    #[must_use]
    pub fn late_max(self, late: Duration) -> Self {
        Self { late_max: late, ..self }
    }

    fn faults(self) -> Union<proptest::strategy::BoxedStrategy<Fault>> {
        let late = (0..=millis(self.late_max)).prop_map(Duration::from_millis).boxed();
        let mut kinds = vec![late.clone().prop_map(|late| Fault::Delay { late }).boxed()];
        if self.channel.lose {
            kinds.push(Just(Fault::Drop).boxed());
        }
        if self.channel.duplicate {
            kinds.push(late.prop_map(|late| Fault::Duplicate { late }).boxed());
        }
        if self.channel.corrupt {
            kinds.push(any::<u16>().prop_map(|bit| Fault::Corrupt { bit }).boxed());
        }
        Union::new(kinds)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Strategy for Schedules {
    type Tree = ScheduleTree;
    type Value = Schedule;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let way = any::<bool>().prop_map(|up| if up { Way::Up } else { Way::Down });
        let strike = (way, 1..=self.datagrams, self.faults())
            .prop_map(|(way, nth, fault)| Strike { way, nth, fault });
        let drawn = collection::vec(strike, 0..=self.faults_max).new_tree(runner)?.current();
        Ok(ScheduleTree {
            current: Schedule(drawn),
            failing: None,
            simpler: Vec::new().into_iter(),
        })
    }
}

/// A schedule that fails and the simpler ones that have not been tried; see [`Schedules`].
#[derive(Clone, Debug)]
pub struct ScheduleTree {
    current: Schedule,
    failing: Option<Schedule>,
    simpler: vec::IntoIter<Schedule>,
}

impl ValueTree for ScheduleTree {
    type Value = Schedule;

    fn current(&self) -> Schedule {
        self.current.clone()
    }

    fn simplify(&mut self) -> bool {
        self.simpler = simpler(&self.current).into_iter();
        self.failing = Some(self.current.clone());
        self.complicate()
    }

    fn complicate(&mut self) -> bool {
        if let Some(next) = self.simpler.next() {
            self.current = next;
            return true;
        }
        if let Some(failing) = self.failing.take() {
            self.current = failing;
        }
        false
    }
}

/// Every simpler schedule that is worth a try, the simplest first. Each is smaller by number of
/// faults, or else by ordinals and strength, so this comes to an end.
fn simpler(schedule: &Schedule) -> Vec<Schedule> {
    let strikes = &schedule.0;
    let mut tries = Vec::new();
    if !strikes.is_empty() {
        tries.push(Schedule::default());
    }
    if strikes.len() > 1 {
        tries.extend(strikes.iter().map(|strike| Schedule(vec![*strike])));
    }
    if strikes.len() > 2 {
        for (at, first) in strikes.iter().enumerate() {
            tries.extend(strikes[at + 1..].iter().map(|second| Schedule(vec![*first, *second])));
        }
    }
    let with = |at: usize, milder: Option<Strike>| {
        let mut strikes = strikes.clone();
        match milder {
            Some(strike) => strikes[at] = strike,
            None => drop(strikes.remove(at)),
        }
        Schedule(strikes)
    };
    if strikes.len() > 3 {
        tries.extend((0..strikes.len()).map(|at| with(at, None)));
    }
    for (at, strike) in strikes.iter().enumerate() {
        tries.extend(milder(*strike).into_iter().map(|strike| with(at, Some(strike))));
    }
    tries
}

/// The same fault earlier or less strong.
fn milder(strike: Strike) -> Vec<Strike> {
    let earlier = [1, strike.nth / 2, strike.nth.saturating_sub(1)];
    let earlier = earlier.into_iter().filter(|&nth| 0 < nth && nth < strike.nth);
    let weaker = match strike.fault {
        Fault::Drop => Vec::new(),
        Fault::Corrupt { bit } => [0, bit / 2]
            .into_iter()
            .filter(|&it| it < bit)
            .map(|bit| Fault::Corrupt { bit })
            .collect(),
        Fault::Duplicate { late } => {
            shorter(late).map(|late| Fault::Duplicate { late }).collect::<Vec<_>>()
        }
        Fault::Delay { late } => shorter(late).map(|late| Fault::Delay { late }).collect(),
    };
    let mut milder: Vec<Strike> = earlier.map(|nth| Strike { nth, ..strike }).collect();
    milder.extend(weaker.into_iter().map(|fault| Strike { fault, ..strike }));
    milder
}

/// Shorter times, down to whole tens of milliseconds and to none.
fn shorter(late: Duration) -> impl Iterator<Item = Duration> {
    let now = millis(late);
    let tens = now.saturating_sub(1) / 10 * 10;
    [0, now / 2 / 10 * 10, tens].into_iter().filter(move |&it| it < now).map(Duration::from_millis)
}

/// What a property test without failure comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Survived {
    /// How many schedules the protocol survived.
    pub schedules: u32,
}

impl fmt::Display for Survived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} schedules of faults survived", self.schedules)
    }
}

/// A whole property test in one call: so many random schedules within what the protocol
/// [tolerates](Protocol::tolerates), each of which it must [survive](survives). Returns how many it
/// survived; a failure comes back with the fewest faults, see [`Schedules`].
///
/// The schedules are the same in every run; more cases find more. For new ones each time write a
/// `proptest!` with [`schedules`].
pub fn property_test<P: Protocol>(protocol: &P, cases: u32) -> Result<Survived, Failure> {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let chance = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let outcome = TestRunner::new_with_rng(config, chance).run(
        &schedules(protocol.tolerates()),
        |schedule| {
            // The whole story is told once, of the simplest failure.
            survives(protocol, &schedule).map_err(|_| TestCaseError::fail("it does not survive"))
        },
    );
    match outcome {
        Ok(()) => Ok(Survived { schedules: cases }),
        Err(TestError::Fail(_, schedule)) => {
            survives(protocol, &schedule).map(|()| Survived { schedules: 0 })
        }
        Err(TestError::Abort(reason)) => unreachable!("no schedule is rejected: {reason}"),
    }
}
