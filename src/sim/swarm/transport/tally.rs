//! What a swarm of the transport counts.

use core::time::Duration;

use super::{
    super::{Fault, FaultCount},
    hazard::Hazard,
};

/// The sum of many runs. Sums do not depend on the order in which runs are added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Runs.
    pub runs: u64,
    /// Runs that were repeated, to see whether they are the same twice.
    pub repeated: u64,
    /// Connections that applications opened.
    pub connections: u64,
    /// Of these, connections on which everything was said before they ended.
    pub whole: u64,
    /// Streams of all connections.
    pub streams: u64,
    /// Bytes that were read from streams.
    pub bytes: u64,
    /// Unreliable datagrams that arrived.
    pub messages: u64,
    /// Datagrams that were sent, UDP.
    pub datagrams: u64,
    /// Steps of the simulator, after each of which everything was checked.
    pub steps: u64,
    /// Virtual time, saturating.
    pub elapsed: Duration,
    pub(super) faults: [FaultCount; Fault::COUNT],
    pub(super) hazards: [FaultCount; Hazard::COUNT],
}

impl Tally {
    /// How often a fault of the network was there and did something.
    pub fn fault(&self, fault: Fault) -> FaultCount {
        self.faults[fault as usize]
    }

    /// How often a hazard was there and did something.
    pub fn hazard(&self, hazard: Hazard) -> FaultCount {
        self.hazards[hazard as usize]
    }

    /// The names of faults and hazards that no run had, or that never hit anything.
    pub fn untouched(&self) -> impl Iterator<Item = &'static str> {
        let faults = Fault::ALL.into_iter().filter(|it| self.fault(*it).hits == 0);
        let hazards = Hazard::ALL.into_iter().filter(|it| self.hazard(*it).hits == 0);
        faults.map(Fault::name).chain(hazards.map(Hazard::name))
    }

    pub(super) fn hit(&mut self, hazard: Hazard, hits: u64) {
        if hits > 0 {
            self.hazards[hazard as usize] = FaultCount { runs: 1, hits };
        }
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: &Self) {
        let Self { runs, repeated, connections, whole, streams, bytes, .. } = other;
        let Self { messages, datagrams, steps, elapsed, faults, hazards, .. } = other;
        for (sum, more) in [
            (&mut self.runs, runs),
            (&mut self.repeated, repeated),
            (&mut self.connections, connections),
            (&mut self.whole, whole),
            (&mut self.streams, streams),
            (&mut self.bytes, bytes),
            (&mut self.messages, messages),
            (&mut self.datagrams, datagrams),
            (&mut self.steps, steps),
        ] {
            *sum += more;
        }
        self.elapsed = self.elapsed.saturating_add(*elapsed);
        let counts = self.faults.iter_mut().chain(&mut self.hazards);
        for (sum, more) in counts.zip(faults.iter().chain(hazards)) {
            sum.runs += more.runs;
            sum.hits += more.hits;
        }
    }
}
