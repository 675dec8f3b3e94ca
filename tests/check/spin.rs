//! A third opinion: Spin, on the Promela that `Model::promela` writes.
//!
//! Needs the programs `spin` and `gcc`: `cargo test --test check spin -- --ignored`.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use rdtp::classic::Visitor;

use super::{
    rows::{self, Outcome, Row},
    *,
};

struct Export(Model);

impl Visitor for Export {
    type Output = String;

    fn visit<P: Protocol>(self, protocol: P) -> String {
        self.0.promela(&protocol).unwrap()
    }
}

/// What Spin's verifier found.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    NoErrors,
    Assertion,
    /// A run that ends early.
    Rest,
    /// A run that goes on for ever.
    Cycle,
}

/// A folder of its own for each model, since Spin's files have fixed names.
struct Workshop(PathBuf);

impl Workshop {
    fn new(number: usize, promela: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("spin-{number}"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("model.pml"), promela).unwrap();
        Self(folder)
    }

    fn run(&self, command: &str) -> String {
        let mut words = command.split_whitespace();
        let program = words.next().unwrap();
        let output = Command::new(program).args(words).current_dir(&self.0).output();
        let output = output.unwrap_or_else(|error| {
            panic!("cannot run {program} ({error}): install the packages spin and gcc")
        });
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command} in {}: {text}{errors}", self.0.display());
        text
    }

    /// Makes a verifier and runs it: its answer and how many states it stored.
    fn ask(&self, spin: &str, gcc: &str, pan: &str) -> (Answer, u64) {
        self.run(&format!("spin {spin} -a model.pml"));
        self.run(&format!("gcc -w {gcc} -DNOREDUCE -DMEMLIM=2000 -o pan pan.c"));
        let told = self.run(&format!("./pan {pan} -m2000000"));
        let says = |what: &str| told.contains(what);
        let answer = if says("assertion violated") {
            Answer::Assertion
        } else if says("accept stutter") || says("invalid end state (at depth") {
            Answer::Rest
        } else if says("acceptance cycle (at depth") {
            Answer::Cycle
        } else {
            // Of a search that was cut short, Spin counts no errors either.
            assert!(says("errors: 0") && !says("not completed") && !says("max search"), "{told}");
            Answer::NoErrors
        };
        let stored = told.lines().find(|line| line.contains("states, stored")).unwrap();
        (answer, stored.split_whitespace().next().unwrap().parse().unwrap())
    }
}

fn agrees(number: usize, row: &Row) {
    let workshop = Workshop::new(number, &row.spec.visit(Export(row.model)));
    let (safety, states) = workshop.ask("", "-DSAFETY", "-E");
    if let Outcome::Unsafe { .. } = row.outcome {
        assert_eq!(safety, Answer::Assertion, "{row:?}");
        return;
    }
    assert_eq!(safety, Answer::NoErrors, "{row:?}");
    assert_eq!(row.states_elsewhere().unwrap_or(states), states, "{row:?}");
    let (progress, _) = workshop.ask("-DPROGRESS", "", "-a");
    let expected = if row.outcome == Outcome::Holds { Answer::NoErrors } else { Answer::Rest };
    assert_eq!(progress, expected, "{row:?}");
}

#[test]
#[ignore = "needs spin and gcc: cargo test --test check spin -- --ignored"]
fn spin_comes_to_the_same_verdicts_and_numbers_of_states() {
    let rows = rows::all();
    let hands = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..hands {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(row) = rows.get(number) else { break };
                    agrees(number, row);
                }
            });
        }
    });
}
