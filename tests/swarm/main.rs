//! Twenty thousand seeds: every protocol through faults that are drawn anew for each, every invariant
//! after every step. And the proof that it would notice: machines and endpoints that are wrong in
//! one way each, which the same swarm finds.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

mod bent;
#[path = "../support/program.rs"]
mod program;
mod teeth;

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use program::rdtp;
use rdtp::{
    classic::{Protocol, Spec, Visitor},
    rng::Seed,
    sim::swarm::{Failure, Fault, Swarm, Tally},
};
use serde_json::Value;

/// Seeds of the campaign; those of the README.
const SEEDS: u64 = 20_000;

/// Each of the book, and those whose numbers wrap.
const PROTOCOLS: [&str; 12] = [
    "rdt1.0", "rdt2.0", "rdt2.1", "rdt2.2", "rdt3.0", "saw:16", "gbn:7/8", "gbn:3/16", "gbn",
    "sr:4/8", "sr:3/18", "sr",
];

struct One(Spec, u64);

impl Visitor for One {
    type Output = Result<Tally, Failure>;

    fn visit<P: Protocol>(self, protocol: P) -> Self::Output {
        Swarm::over(&protocol).named(self.0.to_string()).run_seed(self.1, &mut ())
    }
}

/// Runs all seeds on both cores; the sums depend on no order.
fn campaign(seeds: u64) -> BTreeMap<String, Tally> {
    let specs: Vec<Spec> = PROTOCOLS.iter().map(|name| name.parse().unwrap()).collect();
    let (next, sums) = (AtomicU64::new(0), Mutex::new(BTreeMap::<String, Tally>::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        return;
                    }
                    let at = Seed::new(seed).split("protocol").rng().below(specs.len() as u64);
                    let spec = specs[usize::try_from(at).unwrap()];
                    let tally = spec.visit(One(spec, seed)).unwrap_or_else(|failure| {
                        panic!("{failure}\nreplay: rdtp swarm {spec} --replay {seed}")
                    });
                    sums.lock().unwrap().entry(spec.to_string()).or_default().add(&tally);
                }
            });
        }
    });
    sums.into_inner().unwrap()
}

#[test]
fn twenty_thousand_seeds_hold_every_invariant_and_hit_every_fault() {
    let sums = campaign(SEEDS);
    assert_eq!(sums.len(), PROTOCOLS.len(), "every protocol ran: {:?}", sums.keys());
    let mut total = Tally::default();
    for (name, tally) in &sums {
        let within = tally.runs - tally.beyond;
        assert!(tally.runs > 1_000 && within > 700, "{name}: {tally:?}");
        assert!(tally.intact >= within);
        total.add(tally);
    }
    assert_eq!(total.runs, SEEDS);
    assert_eq!(total.untouched().collect::<Vec<_>>(), [], "every class of faults hit something");
    for fault in Fault::ALL {
        let count = total.fault(fault);
        assert!(count.runs > SEEDS / 20 && count.hits > 1_000, "{fault}: {count:?}");
    }
    // Beyond what they bear they do fail: the faults are real.
    assert!(total.wrong > 100 && total.stuck > 100 && total.gave_up > 100, "{total:?}");
    assert!(total.repeated > SEEDS / 50);
}

fn swarm(arguments: &[&str]) -> program::Finished {
    rdtp(&[&["swarm"], arguments].concat()).finish()
}

#[test]
fn the_program_counts_the_same_on_any_number_of_threads() {
    let with = |threads| {
        let done = swarm(&["--seeds", "300", "--from", "5", "--json", "--threads", threads]);
        assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
        let mut result: Value = serde_json::from_str(&done.stdout).unwrap();
        result.as_object_mut().unwrap().remove("seconds").unwrap();
        result
    };
    let result = with("1");
    assert_eq!(result, with("3"));
    assert_eq!((&result["held"], &result["seeds"]), (&true.into(), &300.into()));
    assert_eq!(result["faults"].as_array().unwrap().len(), Fault::COUNT);
}

#[test]
fn the_program_prints_a_table_of_protocols_and_faults() {
    let done = swarm(&["rdt3.0", "gbn:7/8", "--seeds", "400"]);
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    for line in ["rdt3.0 ", "gbn:7/8 "].iter().copied().chain(Fault::ALL.map(Fault::name)) {
        assert!(done.stdout.lines().any(|text| text.starts_with(line)), "{line}: {}", done.stdout);
    }
    assert!(done.stdout.contains("400 seeds from 0 on"), "{}", done.stdout);
    assert_eq!(swarm(&["rdt9"]).code, Some(2), "bad usage");
    assert_eq!(swarm(&["--seeds", "0"]).code, Some(2), "bad usage");
}

#[test]
fn the_program_replays_what_it_found() {
    let found = swarm(&["gbn:8/8", "--seeds", "5000"]);
    assert_eq!(found.code, Some(1), "{}{}", found.stdout, found.stderr);
    let words = found.stdout.lines().next().unwrap();
    let again =
        found.stdout.lines().find_map(|line| line.strip_prefix("see it again: rdtp swarm "));
    let replayed = swarm(&again.unwrap().split(' ').collect::<Vec<_>>());
    assert_eq!(replayed.code, Some(1), "{}{}", replayed.stdout, replayed.stderr);
    assert!(replayed.stdout.ends_with(&format!("{words}\n")), "{words}\n{}", replayed.stdout);
    let json = swarm(&["gbn:8/8", "--seeds", "5000", "--json"]);
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["words"], words);
    assert_eq!(json["replay"].as_str().unwrap(), format!("rdtp swarm {}", again.unwrap()));
}
