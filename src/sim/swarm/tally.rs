//! What a swarm counts.

use core::time::Duration;

use super::{fault::Fault, run::Ending};

/// How often a fault was there, and how often it did something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCount {
    /// Runs that had it.
    pub runs: u64,
    /// What it hit in them: datagrams, or see [`Fault::unit`].
    pub hits: u64,
}

/// The sum of many runs. Sums do not depend on the order in which runs are added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Runs.
    pub runs: u64,
    /// Those whose faults went beyond what the protocol bears.
    pub beyond: u64,
    /// Runs after which everything had arrived: all within, and some of those beyond.
    pub intact: u64,
    /// Of those beyond: something wrong was delivered.
    pub wrong: u64,
    /// Of those beyond: nothing moved any more.
    pub stuck: u64,
    /// Of those beyond: the sender gave up.
    pub gave_up: u64,
    /// Of those beyond: packets without end.
    pub endless: u64,
    /// Runs that were repeated, to see whether they are the same twice.
    pub repeated: u64,
    /// Messages that were delivered.
    pub messages: u64,
    /// Datagrams that were sent.
    pub datagrams: u64,
    /// Steps of the simulator, after each of which everything was checked.
    pub steps: u64,
    /// Virtual time, saturating.
    pub elapsed: Duration,
    /// One count for each of [`Fault::ALL`].
    pub(super) faults: [FaultCount; Fault::COUNT],
}

impl Tally {
    /// How often a fault was there and did something.
    pub fn fault(&self, fault: Fault) -> FaultCount {
        self.faults[fault as usize]
    }

    pub(super) fn fault_mut(&mut self, fault: Fault) -> &mut FaultCount {
        &mut self.faults[fault as usize]
    }

    pub(super) fn end(&mut self, ending: Ending) {
        *match ending {
            Ending::Intact => &mut self.intact,
            Ending::Wrong => &mut self.wrong,
            Ending::Stuck => &mut self.stuck,
            Ending::GaveUp => &mut self.gave_up,
            Ending::Endless => &mut self.endless,
        } += 1;
    }

    /// The faults that no run had, or that never hit anything.
    pub fn untouched(&self) -> impl Iterator<Item = Fault> {
        Fault::ALL.into_iter().filter(|fault| self.fault(*fault).hits == 0)
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: &Self) {
        let Self { runs, beyond, intact, wrong, stuck, gave_up, .. } = other;
        let Self { endless, repeated, messages, datagrams, steps, elapsed, faults, .. } = other;
        for (sum, more) in [
            (&mut self.runs, runs),
            (&mut self.beyond, beyond),
            (&mut self.intact, intact),
            (&mut self.wrong, wrong),
            (&mut self.stuck, stuck),
            (&mut self.gave_up, gave_up),
            (&mut self.endless, endless),
            (&mut self.repeated, repeated),
            (&mut self.messages, messages),
            (&mut self.datagrams, datagrams),
            (&mut self.steps, steps),
        ] {
            *sum += more;
        }
        self.elapsed = self.elapsed.saturating_add(*elapsed);
        for (sum, more) in self.faults.iter_mut().zip(faults) {
            sum.runs += more.runs;
            sum.hits += more.hits;
        }
    }
}
