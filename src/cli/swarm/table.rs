//! What a swarm came to, for people and for programs.

use core::{fmt, ops::Range, time::Duration};
use std::collections::BTreeMap;

use rdtp::{
    classic::Spec,
    sim::swarm::{Fault, Plan, Tally},
};
use serde::Serialize;

use super::{
    super::{Failure, transfer::grouped},
    Options,
    crowd::{BrokenSeed, Crowd},
};

/// How a single run ended, in words.
pub(super) fn ending(tally: &Tally) -> String {
    let Tally { intact, wrong, stuck, gave_up, messages, datagrams, steps, .. } = *tally;
    let how = match (intact, wrong, stuck, gave_up) {
        (1, ..) => "intact",
        (_, 1, ..) => "wrong data, as it may beyond what it bears",
        (_, _, 1, _) => "stuck, as it may beyond what it bears",
        (.., 1) => "the sender gave up, as it may beyond what it bears",
        _ => "packets without end, as it may beyond what it bears",
    };
    format!(
        "{how}: {} messages delivered, {} datagrams, {} steps; every invariant held",
        grouped(messages),
        grouped(datagrams),
        grouped(steps)
    )
}

pub(super) fn print(
    options: &Options,
    protocols: &[Spec],
    seeds: &Range<u64>,
    crowd: &Crowd<Tally>,
) -> Result<(), Failure> {
    if options.json {
        say!("{}", serde_json::to_string(&Answer::new(options, crowd))?);
        return Ok(());
    }
    say!(
        "{:<10} {:>8} {:>8}   {:>8} {:>8} {:>8} {:>8} {:>8}",
        "",
        "within",
        "intact",
        "beyond",
        "intact",
        "wrong",
        "stuck",
        "gave up"
    );
    let mut names: Vec<String> = protocols.iter().map(Spec::to_string).collect();
    names.dedup();
    for name in names {
        let tally = crowd.tallies.get(&name).cloned().unwrap_or_default();
        let within = tally.runs - tally.beyond;
        // Within what it bears every run was intact, or this table would not be printed.
        let cells = [
            within,
            within,
            tally.beyond,
            tally.intact - within,
            tally.wrong,
            tally.stuck + tally.endless,
            tally.gave_up,
        ];
        let cells = cells.map(grouped);
        say!(
            "{name:<10} {:>8} {:>8}   {:>8} {:>8} {:>8} {:>8} {:>8}",
            cells[0],
            cells[1],
            cells[2],
            cells[3],
            cells[4],
            cells[5],
            cells[6]
        );
    }
    print_faults(&crowd.total());
    print_foot(options, seeds, crowd);
    Ok(())
}

fn print_faults(total: &Tally) {
    say!("\n{:<16} {:>9} {:>14}", "fault", "in seeds", "hit");
    for fault in Fault::ALL {
        let count = total.fault(fault);
        let (runs, hits) = (grouped(count.runs), grouped(count.hits));
        say!("{fault:<16} {runs:>9} {hits:>14} {}", fault.unit());
    }
    let untouched: Vec<&str> = total.untouched().map(Fault::name).collect();
    if !untouched.is_empty() {
        say!("\nnever hit: {}; more seeds will", untouched.join(", "));
    }
}

/// Says so when the time was over before the seeds were.
pub(super) fn print_if_cut_short(options: &Options, seeds: &Range<u64>, done: u64) {
    let asked = seeds.end - seeds.start;
    if done < asked && options.seeds.is_some() {
        say!("\nthe time was over after {} of {} seeds", grouped(done), grouped(asked));
    }
}

fn print_foot(options: &Options, seeds: &Range<u64>, crowd: &Crowd<Tally>) {
    let (first, total) = (options.from, crowd.total());
    print_if_cut_short(options, seeds, crowd.done);
    say!(
        "\n{} seeds from {first} on, {} of them repeated and the same again: every invariant held \
         after each of\n{} steps ({} datagrams, {} messages, {} of virtual time) in {:.1} s",
        grouped(crowd.done),
        grouped(total.repeated),
        grouped(total.steps),
        grouped(total.datagrams),
        grouped(total.messages),
        hours(total.elapsed),
        crowd.seconds,
    );
}

/// Virtual time, for people.
pub(super) fn hours(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    if seconds < 7_200 {
        return format!("{} s", grouped(seconds));
    }
    format!("{} h", grouped(seconds / 3_600))
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
    datagrams: u64,
    messages: u64,
    virtual_ns: u128,
    protocols: BTreeMap<String, ProtocolAnswer>,
    faults: Vec<FaultAnswer>,
}

#[derive(Serialize)]
struct ProtocolAnswer {
    within: u64,
    beyond: u64,
    beyond_intact: u64,
    beyond_wrong: u64,
    beyond_stuck: u64,
    beyond_gave_up: u64,
    beyond_endless: u64,
}

#[derive(Serialize)]
pub(super) struct FaultAnswer {
    pub(super) fault: &'static str,
    pub(super) seeds: u64,
    pub(super) hits: u64,
    pub(super) unit: &'static str,
}

impl Answer {
    fn new(options: &Options, crowd: &Crowd<Tally>) -> Self {
        let total = crowd.total();
        let protocol = |tally: &Tally| ProtocolAnswer {
            within: tally.runs - tally.beyond,
            beyond: tally.beyond,
            beyond_intact: tally.intact + tally.beyond - tally.runs,
            beyond_wrong: tally.wrong,
            beyond_stuck: tally.stuck,
            beyond_gave_up: tally.gave_up,
            beyond_endless: tally.endless,
        };
        let fault = |fault: Fault| {
            let count = total.fault(fault);
            FaultAnswer {
                fault: fault.name(),
                seeds: count.runs,
                hits: count.hits,
                unit: fault.unit(),
            }
        };
        let protocols = crowd.tallies.iter().map(|(name, tally)| (name.clone(), protocol(tally)));
        Self {
            held: true,
            first_seed: options.from,
            seeds: crowd.done,
            seconds: crowd.seconds,
            repeated: total.repeated,
            steps: total.steps,
            datagrams: total.datagrams,
            messages: total.messages,
            virtual_ns: total.elapsed.as_nanos(),
            protocols: protocols.collect(),
            faults: Fault::ALL.into_iter().map(fault).collect(),
        }
    }
}

/// A seed that failed, what it draws, and how to see it again.
pub(super) fn print_failure(
    options: &Options,
    broken: &BrokenSeed,
    again: &str,
    plan: &dyn fmt::Display,
) -> Result<(), Failure> {
    let held = broken.seed - options.from;
    if options.json {
        return print_broken(broken, held, again);
    }
    say!("{}", broken.words);
    match held {
        0 => {}
        1 => say!("the seed before it held"),
        _ => say!("the {} seeds before it held", grouped(held)),
    }
    say!("\nseed {} is\n{plan}\n\nsee it again: {again}", broken.seed);
    Ok(())
}

/// A failure for programs.
#[derive(Serialize)]
struct BrokenAnswer<'a> {
    held: bool,
    seed: u64,
    invariant: &'a str,
    words: &'a str,
    seeds_before: u64,
    replay: &'a str,
}

fn print_broken(broken: &BrokenSeed, seeds_before: u64, replay: &str) -> Result<(), Failure> {
    let BrokenSeed { seed, invariant, words } = broken;
    let answer = BrokenAnswer { held: false, seed: *seed, invariant, words, seeds_before, replay };
    say!("{}", serde_json::to_string(&answer)?);
    Ok(())
}

/// A single seed for programs.
#[derive(Serialize)]
struct ReplayAnswer<'a> {
    held: bool,
    protocol: String,
    seed: u64,
    beyond: bool,
    faults: Vec<&'static str>,
    network: String,
    messages: usize,
    words: &'a str,
}

pub(super) fn print_replay(
    spec: Spec,
    plan: &Plan,
    held: bool,
    words: &str,
) -> Result<(), Failure> {
    let answer = ReplayAnswer {
        held,
        protocol: spec.to_string(),
        seed: plan.seed,
        beyond: plan.beyond,
        faults: plan.faults.iter().map(Fault::name).collect(),
        network: plan.network.to_string(),
        messages: plan.messages,
        words,
    };
    say!("{}", serde_json::to_string(&answer)?);
    Ok(())
}
