//! Swarms of the production transport: hosts, connections and applications by chance, through
//! networks and strangers by chance.
//!
//! Each seed draws a [`Plan`]: how both hosts are configured, which connections they make, which
//! streams these have and how their applications write and read; which [faults](super::Fault) the
//! network has until it heals; and which [hazards](Hazard) come on top: strangers that send garbage,
//! old packets and opens in the name of others, a restart, a path that dies. Every byte tells where
//! it belongs, somebody at each socket reads along, and after every step all that can be said about
//! the run by then is checked: see [`Invariant`].
//!
//! ```
//! use rdtp::sim::swarm::transport::Swarm;
//!
//! let tally = Swarm::of_hosts().seeds(0..10).run(&mut ())?;
//! assert_eq!(tally.runs, 10);
//! # Ok::<(), rdtp::sim::swarm::Failure>(())
//! ```
//!
//! [`Swarm::with`] runs something else than a [`Host`]: one with a mistake, to see it found.

mod body;
mod check;
mod hazard;
mod lane;
mod line;
mod plan;
mod run;
mod stage;
mod strangers;
mod talk;
mod tally;
mod watch;

use core::{fmt, ops::Range};

pub use body::Body;
pub use hazard::Hazard;
pub use plan::{Course, Plan, Reader, StreamPlan, TalkPlan, When};
pub use tally::Tally;

use super::{Failure, Invariant};
use crate::{
    rng::Seed,
    trace::{Observer, Record, Watch},
    transport::{
        config::ConfigError,
        cookie::Secret,
        host::{Host, HostConfig},
    },
};
use run::{Outcome, Run};

/// Makes what is run: a host, or something around one.
pub type Make<B> = fn(HostConfig, Secret, Seed) -> Result<B, ConfigError>;

/// Runs of the transport, one for each seed of a range. See the [module](self).
pub struct Swarm<B> {
    make: Make<B>,
    seeds: Range<u64>,
    /// Every so many seeds a run is repeated.
    repeat_every: u64,
}

impl<B> Clone for Swarm<B> {
    fn clone(&self) -> Self {
        Self { make: self.make, seeds: self.seeds.clone(), repeat_every: self.repeat_every }
    }
}

impl<B> fmt::Debug for Swarm<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Swarm").field("seeds", &self.seeds).finish_non_exhaustive()
    }
}

impl Swarm<Host> {
    /// Runs of hosts, seeds 0 to 999 unless told otherwise.
    pub fn of_hosts() -> Self {
        Self::with(Host::new)
    }
}

impl<B: Body> Swarm<B> {
    /// Runs of whatever `make` makes.
    pub fn with(make: Make<B>) -> Self {
        Self { make, seeds: 0..1_000, repeat_every: 64 }
    }

    /// Which seeds.
    #[must_use]
    pub fn seeds(mut self, seeds: Range<u64>) -> Self {
        self.seeds = seeds;
        self
    }

    /// Runs all seeds, in order, until one fails.
    ///
    /// # Panics
    ///
    /// When an endpoint does, or when `make` refuses a good configuration.
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
        let plan = Plan::draw(seed);
        let Outcome { result, mut tally, fingerprint } = self.once(&plan, observer);
        result?;
        if seed.is_multiple_of(self.repeat_every) {
            let again = [self.traced(&plan), self.traced(&plan)];
            if again[0] != again[1] || again[0].0 != fingerprint {
                return Err(Failure {
                    subject: SUBJECT.into(),
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
        let run = Run::new(self.make, plan);
        run.unwrap_or_else(|error| panic!("{SUBJECT}: {error}")).finish(observer)
    }

    /// The fingerprint of a run, and that of its trace.
    fn traced(&self, plan: &Plan) -> (u64, u64) {
        let mut hash = 0_u64;
        let outcome = self.once(
            plan,
            &mut Watch(|record: &Record| {
                let text = alloc::format!("{record:?}");
                hash = text.bytes().fold(hash, |hash, byte| {
                    (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
                });
            }),
        );
        (outcome.fingerprint, hash)
    }
}

/// What `rdtp swarm` calls it.
pub const SUBJECT: &str = "transport";
