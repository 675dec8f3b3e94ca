//! `rdtp swarm`: thousands of simulated runs, each with faults of its own.
//!
//! Exit status: 0 every invariant held, 1 one did not, 2 bad usage.

mod crowd;
mod table;
mod transport;

use std::process::ExitCode;

use clap::Args;
use rdtp::{
    capture::Ladder,
    classic::{Protocol, Spec, Visitor},
    rng::Seed,
    sim::swarm::{Failure as Broken, Fault, Plan, Swarm, Tally, transport::SUBJECT},
    trace::Observer,
};

use super::{Outcome, refuse};

/// The protocols when none is named: each of the book, and those with finite numbers.
const PROTOCOLS: [&str; 12] = [
    "rdt1.0", "rdt2.0", "rdt2.1", "rdt2.2", "rdt3.0", "saw:256", "gbn:7/8", "gbn:7/64", "gbn",
    "sr:4/8", "sr:4/64", "sr",
];

/// How many seeds when neither their number nor a time is given.
const SEEDS: u64 = 10_000;

/// Run protocols through thousands of bad networks, each drawn from a seed, and check after every
/// step what must always hold.
///
/// Each seed draws a protocol, which faults its run has, and how strong they are; after a while the
/// network heals, and then everything has to arrive. In a quarter of the runs the faults go beyond
/// what the protocol bears: then it may fail, but not panic, invent messages or grow without bound.
/// The result depends on the seeds alone. Exit status: 0 when every invariant held, 1 when not.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// rdt1.0, rdt2.0, rdt2.1, rdt2.2, rdt3.0, saw:M, gbn:N/M or sr:N/M, illegal windows too;
    /// without any, each of the book and some with finite numbers. Or `transport` alone: whole
    /// hosts of the production transport, with strangers, restarts and dead paths
    #[arg(value_name = "PROTOCOL", value_parser = Contestant::parse)]
    contestants: Vec<Contestant>,
    /// How many seeds [default: 10000, or as many as the time allows with --minutes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// Stop after so many minutes
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    minutes: Option<u64>,
    /// The first seed
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    from: u64,
    /// How many threads run [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Run only this seed, and show what it drew, its ladder and what came of it
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "minutes", "from", "threads"])]
    replay: Option<u64>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// What can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contestant {
    /// A protocol of the book.
    Book(Spec),
    /// Hosts of the production transport.
    Transport,
}

impl Contestant {
    fn parse(text: &str) -> Result<Self, String> {
        if text == SUBJECT {
            return Ok(Self::Transport);
        }
        let spec = Spec::parse_even_if_illegal(text).map_err(|error| error.to_string())?;
        Ok(Self::Book(spec))
    }
}

/// The protocol that a seed draws.
fn draw(protocols: &[Spec], seed: u64) -> Spec {
    let at = Seed::new(seed).split("protocol").rng().below(protocols.len() as u64);
    protocols[usize::try_from(at).unwrap_or(0)]
}

/// Runs one seed of a protocol whatever its type.
struct One<'a, O> {
    spec: Spec,
    seed: u64,
    observer: &'a mut O,
}

impl<O: Observer> Visitor for One<'_, O> {
    type Output = Result<Tally, Broken>;

    fn visit<P: Protocol>(self, protocol: P) -> Self::Output {
        let swarm = Swarm::over(&protocol).named(self.spec.to_string());
        swarm.run_seed(self.seed, self.observer)
    }
}

fn run_seed<O: Observer>(spec: Spec, seed: u64, observer: &mut O) -> Result<Tally, Broken> {
    spec.visit(One { spec, seed, observer })
}

pub(crate) fn run(options: &Options) -> Outcome {
    let book = || PROTOCOLS.iter().filter_map(|name| name.parse().ok()).collect();
    let spec = |contestant: &Contestant| match contestant {
        Contestant::Book(spec) => Some(*spec),
        Contestant::Transport => None,
    };
    let named: Vec<Spec> = options.contestants.iter().filter_map(spec).collect();
    if named.len() < options.contestants.len() {
        if !named.is_empty() {
            refuse("`transport` runs alone: name it without protocols of the book");
        }
        return transport::run(options);
    }
    let protocols = if named.is_empty() { book() } else { named };
    if let Some(seed) = options.replay {
        return replay(options, draw(&protocols, seed), seed);
    }
    let seeds = options.range();
    let one = |seed| {
        let spec = draw(&protocols, seed);
        (spec.to_string(), move || run_seed(spec, seed, &mut ()))
    };
    let result = crowd::run(one, seeds.clone(), options.minutes, options.threads);
    let Some(broken) = &result.broken else {
        table::print(options, &protocols, &seeds, &result)?;
        return Ok(ExitCode::SUCCESS);
    };
    let spec = draw(&protocols, broken.seed);
    let again = format!("rdtp swarm {spec} --replay {}", broken.seed);
    table::print_failure(options, broken, &again, &plan(spec, broken.seed))?;
    Ok(ExitCode::FAILURE)
}

impl Options {
    /// Which seeds are asked for.
    fn range(&self) -> core::ops::Range<u64> {
        let seeds = match (self.seeds, self.minutes) {
            (Some(seeds), _) => seeds,
            (None, Some(_)) => u64::MAX,
            (None, None) => SEEDS,
        };
        self.from..self.from.saturating_add(seeds)
    }
}

/// What a seed draws.
fn plan(spec: Spec, seed: u64) -> Plan {
    Plan::draw(seed, spec.tolerates())
}

fn replay(options: &Options, spec: Spec, seed: u64) -> Outcome {
    let mut ladder = Ladder::new(&format!("{spec}, seed {seed}"));
    let result = run_seed(spec, seed, &mut ladder);
    let ok = result.is_ok();
    let words = match &result {
        Ok(tally) => table::ending(tally),
        Err(broken) => broken.to_string(),
    };
    if options.json {
        table::print_replay(spec, &plan(spec, seed), ok, &words)?;
    } else {
        say!("{}", ladder.to_text());
        let plan = plan(spec, seed);
        let faults: Vec<&str> = plan.faults.iter().map(Fault::name).collect();
        let bearing = if plan.beyond { "beyond" } else { "within" };
        say!("{spec}, seed {seed}: {plan}");
        say!("faults, {bearing} what it bears: {}\n", faults.join(", "));
        say!("{words}");
    }
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
