//! Swarms: thousands of runs, each with faults of its own, held to what must always be true.
//!
//! A test that always has every fault misses what only a few of them together bring about; a test
//! that never has them misses the rest. In a swarm (Groce et al., *Swarm Testing*, 2012) each seed
//! draws which [faults](Fault) its run has and how strong they are, evenly over orders of magnitude.
//! The faults stop after a while, and then everything has to arrive.
//!
//! In three of four runs the faults are among those that the protocol bears, and every
//! [invariant](Invariant) must hold. In the fourth they are not: then the protocol may deliver
//! nonsense or wait for ever, but it must not panic, invent messages, or hold more than its limits.
//!
//! One call runs a protocol, your own too:
//!
//! ```
//! use rdtp::{classic::rdt30::StopAndWait, sim::swarm::Swarm};
//!
//! let tally = Swarm::over(&StopAndWait::RDT30).seeds(0..20).run(&mut ())?;
//! assert_eq!(tally.runs, 20);
//! # Ok::<(), rdtp::sim::swarm::Failure>(())
//! ```
//!
//! A failure says which invariant did not hold, after which step of which seed. The same seed gives
//! the same run again, with an observer that shows it.

mod fault;
mod plan;
mod run;
mod subject;
mod tally;
pub mod transport;

use alloc::string::String;
use core::ops::Range;

pub use fault::{Fault, FaultSet};
pub use plan::Plan;
pub use run::{Ending, Failure, Invariant};
pub use subject::{Heard, Overfull, Subject, Textbook};
pub use tally::{FaultCount, Tally};

use crate::{
    channel::Channel,
    classic::{ConfigError, Protocol},
    trace::{Observer, Watch},
};
use run::{Outcome, Run};

/// Runs of a subject, one for each seed of a range. See the [module](self).
#[derive(Clone, Debug)]
pub struct Swarm<S> {
    subject: S,
    bears: Channel,
    seeds: Range<u64>,
    /// Every so many seeds a run is repeated.
    repeat_every: u64,
}

impl<P: Protocol> Swarm<Textbook<P>> {
    /// Runs of a protocol, seeds 0 to 999 unless told otherwise.
    pub fn over(protocol: &P) -> Self {
        Self::of(Textbook::new(protocol.clone()))
    }

    /// The same under another name, which tells the protocol's parameters.
    #[must_use]
    pub fn named(mut self, name: String) -> Self {
        self.subject = self.subject.named(name);
        self
    }
}

impl<S: Subject> Swarm<S> {
    /// Runs of any subject, seeds 0 to 999 unless told otherwise.
    pub fn of(subject: S) -> Self {
        let bears = subject.bears();
        Self { subject, bears, seeds: 0..1_000, repeat_every: 32 }
    }

    /// Which seeds.
    #[must_use]
    pub fn seeds(mut self, seeds: Range<u64>) -> Self {
        self.seeds = seeds;
        self
    }

    /// What the subject is held to instead of its own promise: to see what breaks first.
    #[must_use]
    pub fn bearing(mut self, channel: Channel) -> Self {
        self.bears = channel;
        self
    }

    /// What is run.
    pub fn subject(&self) -> &S {
        &self.subject
    }

    /// What the run of `seed` will be like.
    pub fn plan(&self, seed: u64) -> Plan {
        Plan::draw(seed, self.bears)
    }

    /// Runs all seeds, in order, until one fails.
    ///
    /// # Panics
    ///
    /// When an endpoint does, or when the subject cannot be configured at all.
    pub fn run<O: Observer>(&self, observer: &mut O) -> Result<Tally, Failure> {
        let mut sum = Tally::default();
        for seed in self.seeds.clone() {
            sum.add(&self.run_seed(seed, observer)?);
        }
        Ok(sum)
    }

    /// Runs one seed. Of some seeds the run is repeated, twice with a trace, to see whether it is
    /// the same again; which seeds these are depends on the seed alone.
    ///
    /// # Panics
    ///
    /// As [`run`](Self::run).
    pub fn run_seed<O: Observer>(&self, seed: u64, observer: &mut O) -> Result<Tally, Failure> {
        let plan = self.plan(seed);
        let outcome = self.once(&plan, observer);
        let Outcome { result, mut tally, fingerprint } = outcome;
        result?;
        if seed.is_multiple_of(self.repeat_every) {
            let again = [self.traced(&plan), self.traced(&plan)];
            if again[0] != again[1] || again[0].0 != fingerprint {
                return Err(Failure {
                    subject: self.subject.name(),
                    seed,
                    invariant: Invariant::Determinism,
                    step: tally.steps,
                    at: crate::time::Instant::ZERO + tally.elapsed,
                    detail: "another run of the same seed went another way".into(),
                });
            }
            tally.repeated = 1;
        }
        Ok(tally)
    }

    fn once<O: Observer>(&self, plan: &Plan, observer: &mut O) -> Outcome {
        let run = Run::new(&self.subject, plan);
        let name = self.subject.name();
        run.unwrap_or_else(|error: ConfigError| panic!("{name}: {error}")).finish(observer)
    }

    /// The fingerprint of a run, and that of its trace.
    fn traced(&self, plan: &Plan) -> (u64, u64) {
        let mut hash = 0_u64;
        let outcome = self.once(
            plan,
            &mut Watch(|record: &crate::trace::Record| {
                let text = alloc::format!("{record:?}");
                hash = text.bytes().fold(hash, |hash, byte| {
                    (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
                });
            }),
        );
        (outcome.fingerprint, hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic::{Spec, Visitor, rdt21::Rdt21};

    struct All(Range<u64>);
    impl Visitor for All {
        type Output = Result<Tally, Failure>;
        fn visit<P: Protocol>(self, protocol: P) -> Self::Output {
            Swarm::over(&protocol).seeds(self.0).run(&mut ())
        }
    }

    #[test]
    fn every_protocol_of_the_book_holds_its_invariants() {
        for spec in Spec::book() {
            let tally = spec.visit(All(0..40)).unwrap_or_else(|failure| panic!("{failure}"));
            assert_eq!((tally.runs, tally.repeated), (40, 2));
            let Tally { intact, wrong, stuck, gave_up, endless, .. } = tally;
            assert_eq!(intact + wrong + stuck + gave_up + endless, tally.runs);
            assert!(intact >= tally.runs - tally.beyond, "within its bearing all is intact");
        }
    }

    #[test]
    fn sums_do_not_depend_on_where_the_range_is_cut() {
        let spec: Spec = "gbn:4/8".parse().unwrap();
        let mut parts = spec.visit(All(13..40)).unwrap();
        parts.add(&spec.visit(All(0..13)).unwrap());
        assert_eq!(parts, spec.visit(All(0..40)).unwrap());
    }

    #[test]
    fn a_protocol_that_is_held_to_too_much_is_caught_and_the_seed_repeats_it() {
        let too_much = Channel::PERFECT.corrupting().losing();
        let swarm = Swarm::over(&Rdt21).bearing(too_much).seeds(0..200);
        let failure = swarm.run(&mut ()).unwrap_err();
        assert_eq!(failure.invariant, Invariant::Liveness, "{failure}");
        assert_eq!(swarm.run_seed(failure.seed, &mut ()), Err(failure));
    }
}
