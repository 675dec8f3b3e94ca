//! `rdtp swarm transport`: hosts of the production transport, and strangers.

use core::ops::Range;
use std::process::ExitCode;

use rdtp::{
    capture::Ladder,
    sim::swarm::{
        Fault, FaultCount,
        transport::{Hazard, Plan, SUBJECT, Swarm, Tally},
    },
};
use serde::Serialize;

use super::{
    super::{Failure, Outcome, transfer::grouped},
    Options,
    crowd::{self, Crowd},
    table::{self, FaultAnswer},
};

pub(super) fn run(options: &Options) -> Outcome {
    if let Some(seed) = options.replay {
        return replay(options, seed);
    }
    let seeds = options.range();
    let one = |seed| (SUBJECT.to_owned(), move || Swarm::of_hosts().run_seed(seed, &mut ()));
    let crowd = crowd::run(one, seeds.clone(), options.minutes, options.threads);
    let Some(broken) = &crowd.broken else {
        print(options, &seeds, &crowd)?;
        return Ok(ExitCode::SUCCESS);
    };
    let again = format!("rdtp swarm {SUBJECT} --replay {}", broken.seed);
    table::print_failure(options, broken, &again, &Plan::draw(broken.seed))?;
    Ok(ExitCode::FAILURE)
}

fn replay(options: &Options, seed: u64) -> Outcome {
    let mut ladder = Ladder::new(&format!("{SUBJECT}, seed {seed}"));
    let result = Swarm::of_hosts().run_seed(seed, &mut ladder);
    let held = result.is_ok();
    let words = match &result {
        Ok(tally) => ending(tally),
        Err(broken) => broken.to_string(),
    };
    let plan = Plan::draw(seed);
    let faults: Vec<&str> = plan.network.faults.iter().map(Fault::name).collect();
    if options.json {
        let answer = ReplayAnswer {
            held,
            seed,
            faults,
            network: plan.profile().to_string(),
            connections: plan.talks.len(),
            words,
        };
        say!("{}", serde_json::to_string(&answer)?);
    } else {
        say!("{}", ladder.to_text());
        say!("{SUBJECT}, seed {seed}: {plan}");
        say!("faults: {}\n", faults.join(", "));
        say!("{words}");
    }
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn ending(tally: &Tally) -> String {
    format!(
        "{} connections, {} bytes and {} unreliable datagrams delivered, {} datagrams, {} steps; \
         every invariant held",
        grouped(tally.connections),
        grouped(tally.bytes),
        grouped(tally.messages),
        grouped(tally.datagrams),
        grouped(tally.steps)
    )
}

/// Every class, faults first: its name, its count, and what that counts.
fn classes(tally: &Tally) -> impl Iterator<Item = (&'static str, FaultCount, &'static str)> {
    let faults = Fault::ALL.map(|fault| (fault.name(), tally.fault(fault), fault.unit()));
    let hazards = Hazard::ALL.map(|hazard| (hazard.name(), tally.hazard(hazard), hazard.unit()));
    faults.into_iter().chain(hazards)
}

fn print(options: &Options, seeds: &Range<u64>, crowd: &Crowd<Tally>) -> Result<(), Failure> {
    let total = crowd.total();
    if options.json {
        say!("{}", serde_json::to_string(&Answer::new(options, crowd))?);
        return Ok(());
    }
    say!("{:<16} {:>9} {:>14}", "fault or hazard", "in seeds", "hit");
    for (name, FaultCount { runs, hits }, unit) in classes(&total) {
        say!("{name:<16} {:>9} {:>14} {unit}", grouped(runs), grouped(hits));
    }
    let untouched: Vec<&str> = total.untouched().collect();
    if !untouched.is_empty() {
        say!("\nnever hit: {}; more seeds will", untouched.join(", "));
    }
    table::print_if_cut_short(options, seeds, crowd.done);
    say!(
        "\n{} seeds from {} on, {} of them repeated and the same again: every invariant held after \
         each of\n{} steps ({} connections, {} of them to their planned end, {} streams, {} bytes, \
         {} datagrams,\n{} of virtual time) in {:.1} s",
        grouped(crowd.done),
        options.from,
        grouped(total.repeated),
        grouped(total.steps),
        grouped(total.connections),
        grouped(total.whole),
        grouped(total.streams),
        grouped(total.bytes),
        grouped(total.datagrams),
        table::hours(total.elapsed),
        crowd.seconds
    );
    Ok(())
}

/// A result for programs.
#[derive(Serialize)]
struct Answer {
    held: bool,
    first_seed: u64,
    seeds: u64,
    seconds: f64,
    repeated: u64,
    steps: u64,
    connections: u64,
    whole: u64,
    streams: u64,
    bytes: u64,
    messages: u64,
    datagrams: u64,
    virtual_ns: u128,
    faults: Vec<FaultAnswer>,
}

impl Answer {
    fn new(options: &Options, crowd: &Crowd<Tally>) -> Self {
        let total = crowd.total();
        let faults = classes(&total).map(|(fault, count, unit)| FaultAnswer {
            fault,
            seeds: count.runs,
            hits: count.hits,
            unit,
        });
        Self {
            held: true,
            first_seed: options.from,
            seeds: crowd.done,
            seconds: crowd.seconds,
            repeated: total.repeated,
            steps: total.steps,
            connections: total.connections,
            whole: total.whole,
            streams: total.streams,
            bytes: total.bytes,
            messages: total.messages,
            datagrams: total.datagrams,
            virtual_ns: total.elapsed.as_nanos(),
            faults: faults.collect(),
        }
    }
}

/// A single seed for programs.
#[derive(Serialize)]
struct ReplayAnswer {
    held: bool,
    seed: u64,
    faults: Vec<&'static str>,
    network: String,
    connections: usize,
    words: String,
}
