//! Bugs planted on purpose, and which check finds each.
//!
//! `list.rs` has the bugs. Most are shipped machines bent in one place (`bent.rs`); mistakes with
//! arrays and numbers that wrap have machines of their own (`window.rs`), and so have those of
//! timers (`timed.rs`) and of endpoints (`vice.rs`). Every check of `checks.rs` is run on each, and
//! on the honest versions, which no check may accuse. The table is printed by
//! `cargo test --test planted -- --nocapture` and kept in `README.md` beside this file.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_types,
    reason = "a failed test may panic, and nothing here is replayed in order"
)]

mod bent;
mod checks;
mod list;
mod timed;
mod timer;
mod vice;
mod window;

#[allow(dead_code, reason = "the contract has habits that are not used here")]
#[path = "../contract/drive.rs"]
mod drive;
#[path = "../contract/ops.rs"]
mod ops;
#[expect(dead_code, reason = "limits of queues are for the contract and the fuzzer")]
#[path = "../contract/play.rs"]
mod play;
#[allow(dead_code, reason = "only how the contract sees an endpoint, not its list of them")]
#[path = "../contract/subject.rs"]
mod subject;
#[path = "../machines/walk.rs"]
mod walk;

use std::{fmt::Write, fs};

use checks::{CHECKS, Outcome, Plant, obey, runner};
use proptest::test_runner::{TestCaseError, TestError};

type Row = [Option<Outcome>; CHECKS.len()];

fn cell(outcome: Option<&Outcome>) -> String {
    match outcome {
        None => String::new(),
        Some(Ok(_)) => "-".to_owned(),
        Some(Err(found)) => found.after.to_string(),
    }
}

/// The table in Markdown.
fn table(rows: &[(Plant, Row)]) -> String {
    let mut text = "| Bug | in | against |".to_owned();
    for (name, counts) in CHECKS {
        write!(text, " {name} ({counts}) |").unwrap();
    }
    let rule = "|---|---|---|".to_owned() + &"--:|".repeat(CHECKS.len());
    write!(text, "\n{rule}\n").unwrap();
    for (plant, row) in rows {
        write!(text, "| {} | `{}` | {} |", plant.bug, plant.protocol, plant.breaks).unwrap();
        for outcome in row {
            write!(text, " {} |", cell(outcome.as_ref())).unwrap();
        }
        text.push('\n');
    }
    let found = |check: usize| {
        let hits = rows.iter().filter(|(_, row)| matches!(row[check], Some(Err(_)))).count();
        let asked = rows.iter().filter(|(_, row)| row[check].is_some()).count();
        format!(" {hits} of {asked} |")
    };
    let sums: String = (0..CHECKS.len()).map(found).collect();
    writeln!(text, "| **found** | | |{sums}").unwrap();
    text
}

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/planted/README.md");

#[test]
fn every_planted_bug_is_found_as_the_table_says() {
    let rows: Vec<(Plant, Row)> = list::bugs()
        .into_iter()
        .map(|plant| {
            let row = plant.examine();
            (plant, row)
        })
        .collect();
    let table = table(&rows);
    println!("{table}");
    for (plant, row) in &rows {
        for ((check, _), outcome) in CHECKS.iter().zip(row) {
            if let Some(Err(found)) = outcome {
                println!("{}, {}: {check}: {}", plant.protocol, plant.bug, found.what);
            }
        }
    }
    assert!(rows.len() >= 50, "{} bugs", rows.len());
    for (plant, row) in &rows {
        let caught = row.iter().any(|outcome| matches!(outcome, Some(Err(_))));
        assert!(caught, "nothing finds it: {}, {}", plant.protocol, plant.bug);
    }
    let document = fs::read_to_string(README).unwrap();
    let kept = document.split_once("| Bug |").map(|(_, rest)| format!("| Bug |{rest}"));
    assert!(
        kept.is_some_and(|kept| kept.trim_end() == table.trim_end()),
        "tests/planted/README.md has another table: put the one printed above in its place"
    );
}

#[test]
fn no_check_accuses_the_honest() {
    for plant in list::honest() {
        for ((check, counts), outcome) in CHECKS.iter().zip(plant.examine()) {
            match outcome {
                Some(Err(found)) => {
                    let (name, after) = (plant.protocol, found.after);
                    panic!("{name}: {check} is wrong after {after} {counts}: {}", found.what)
                }
                Some(Ok(seen)) => assert!(seen > 0, "{}: {check} saw nothing", plant.protocol),
                None => {}
            }
        }
    }
}

/// The calls to which a failure shrinks: proptest's, and of these no call can be left out. (Proptest
/// tries to leave out each call once, and then does not come back to it.)
fn shrunk(bug: &str) -> Vec<play::Op> {
    let bugs = list::bugs();
    let plant = bugs.iter().find(|plant| plant.bug == bug).unwrap();
    let case = plant.case();
    let outcome =
        runner().run(&ops::ops(), |calls| obey(&case, &calls).map_err(TestCaseError::fail));
    let Err(TestError::Fail(_, mut calls)) = outcome else { panic!("{bug}: {outcome:?}") };
    let mut at = 0;
    while at < calls.len() {
        let mut fewer = calls.clone();
        fewer.remove(at);
        if obey(&case, &fewer).is_err() {
            (calls, at) = (fewer, 0);
        } else {
            at += 1;
        }
    }
    calls
}

#[test]
fn failures_shrink_to_the_calls_that_matter() {
    let bugs = [
        ("sequence bit not flipped after a delivery", 2),
        ("before the first delivery the repeated ACK is ACK 0", 3),
        ("a stale ACK is taken for the one awaited", 8),
        ("a packet out of order is discarded and acknowledged", 4),
        ("now > deadline in place of now >= deadline", 3),
    ];
    let shrunk = bugs.map(|(bug, _)| (bug, shrunk(bug)));
    let lengths = shrunk.each_ref().map(|(bug, calls)| (*bug, calls.len()));
    assert_eq!(lengths, bugs, "{shrunk:?}");
}

/// A timer that stays due stopped the time of a sweep, which then ran for ever. Found by these
/// planted bugs.
#[test]
fn a_sweep_ends_though_a_timer_spins() {
    let bugs = list::bugs();
    let spins = bugs.iter().find(|plant| plant.bug == "now > deadline in place of now >= deadline");
    let found = spins.unwrap().sweep().unwrap_err();
    assert!(found.what.contains("Unfinished"), "{}", found.what);
}
