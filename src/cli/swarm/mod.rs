//! `rdtp swarm`: thousands of simulated runs, each with faults of its own.
//!
//! Exit status: 0 every invariant held, 1 one did not, 2 bad usage.

mod crowd;
mod table;

use std::process::ExitCode;

use clap::Args;
use rdtp::{
    capture::Ladder,
    classic::{Protocol, Spec, Visitor},
    rng::Seed,
    sim::swarm::{Failure as Broken, Fault, Plan, Swarm, Tally},
    trace::Observer,
};

use super::{Outcome, transfer::grouped};

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
    /// without any, each of the book and some with finite numbers
    #[arg(value_name = "PROTOCOL", value_parser = Spec::parse_even_if_illegal)]
    protocols: Vec<Spec>,
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
    let protocols: Vec<Spec> =
        if options.protocols.is_empty() { book() } else { options.protocols.clone() };
    if let Some(seed) = options.replay {
        return replay(options, draw(&protocols, seed), seed);
    }
    let seeds = match (options.seeds, options.minutes) {
        (Some(seeds), _) => seeds,
        (None, Some(_)) => u64::MAX,
        (None, None) => SEEDS,
    };
    let seeds = options.from..options.from.saturating_add(seeds);
    let result = crowd::run(&protocols, seeds.clone(), options.minutes, options.threads);
    let Some(broken) = &result.broken else {
        table::print(options, &protocols, &seeds, &result)?;
        return Ok(ExitCode::SUCCESS);
    };
    let spec = draw(&protocols, broken.seed);
    let again = format!("rdtp swarm {spec} --replay {}", broken.seed);
    let held = broken.seed - options.from;
    if options.json {
        table::print_broken(broken, held, &again)?;
    } else {
        say!("{}", broken.words);
        match held {
            0 => {}
            1 => say!("the seed before it held"),
            _ => say!("the {} seeds before it held", grouped(held)),
        }
        say!("\nseed {} is\n{}\n\nsee it again: {again}", broken.seed, plan(spec, broken.seed));
    }
    Ok(ExitCode::FAILURE)
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
