//! What README says about the protocols is what the checker finds.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::process::Command;

use rdtp::classic::Spec;

const README: &str = include_str!("../README.md");
const COUNTEREXAMPLES: &str = include_str!("../COUNTEREXAMPLES.md");

fn rows(text: &str) -> Vec<&str> {
    text.lines().skip_while(|line| !line.starts_with("| |")).take_while(|l| !l.is_empty()).collect()
}

#[test]
fn the_table_of_faults_is_the_checkers() {
    let output = Command::new(env!("CARGO_BIN_EXE_rdtp"))
        .args(["check", "--all", "--markdown"])
        .output()
        .unwrap();
    let found = String::from_utf8(output.stdout).unwrap();
    assert!(
        found == COUNTEREXAMPLES,
        "renew it: cargo run --release -- check --all --markdown > COUNTEREXAMPLES.md; {found}"
    );
    let table = rows(&found);
    assert_eq!(rows(README), table, "README shows the table of COUNTEREXAMPLES.md");
    assert!(!found.contains("open"), "no cell without a verdict");
    for spec in Spec::book() {
        let name = spec.to_string();
        let row = |row: &&&str| row.starts_with(&format!("| `{}", name.trim_end_matches(":32")));
        assert!(table.iter().any(|line| row(&line)), "{spec} has a row");
    }
    for row in &table[2..] {
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap();
        assert!(last.contains("holds, "), "a protocol bears what it claims to bear: {row}");
    }
}
