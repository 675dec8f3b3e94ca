//! What the README claims about the protocols is what the code says.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use rdtp::{channel::Overtake, classic::Spec};

const README: &str = include_str!("../README.md");

#[test]
fn the_table_of_tolerances_is_the_codes() {
    let table = README.split("| overtaken by at most |").nth(1).unwrap();
    let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() >= 7, "every protocol of the book has a row: {rows:?}");
    for row in &rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let spec: Spec = cells[0].trim_matches('`').parse().unwrap();
        let channel = spec.tolerates();
        let yes = |bears: bool| if bears { "yes" } else { "no" };
        let overtaken = match channel.overtake {
            Overtake::AtMost(depth) => depth.to_string(),
            Overtake::Any => "any number".to_owned(),
        };
        let expected = [yes(channel.corrupt), yes(channel.lose), yes(channel.duplicate)];
        assert_eq!(cells[1..4], expected, "{spec}");
        assert_eq!(cells[4], overtaken, "{spec}");
    }
    for spec in Spec::book() {
        assert!(rows.iter().any(|row| row.contains(&format!("`{spec}`"))), "{spec} has a row");
    }
}
