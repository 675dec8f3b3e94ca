//! `rdtp run` and `rdtp machine --as svg` as their users run them.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "support/program.rs"]
mod program;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use program::{Directory, Finished, rdtp};
use serde_json::Value;

fn run(arguments: &[&str]) -> Finished {
    rdtp(&[&["run"], arguments].concat()).finish()
}

const LOST: [&str; 9] = [
    "rdt3.0",
    "--link",
    "up.loss=at:2,delay=25ms",
    "--messages",
    "3",
    "--timeout",
    "fixed:75ms",
    "--seed",
    "1",
];

#[test]
fn a_lost_packet_is_seen_and_explained() {
    let done = run(&LOST);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stdout.contains("packet 1 ──✗ lost"), "{}", done.stdout);
    assert!(done.stdout.contains("intact: 3 of 3 messages delivered"), "{}", done.stdout);
    let reason = "- packet 1, sent at 50 ms, was lost; the timer expired at 125 ms, and it was sent \
                  again at 125 ms (attempt 2)\n";
    assert!(done.stdout.contains(reason), "{}", done.stdout);
    assert_eq!(run(&LOST).stdout, done.stdout, "same seed, same bytes");
}

#[test]
fn ladder_and_events_go_to_files_or_standard_output() {
    let directory = Directory::new("run");
    let (picture, events) = (directory.path("ladder.svg"), directory.path("events.jsonl"));
    let files = ["--ladder", picture.to_str().unwrap(), "--events", events.to_str().unwrap()];
    let done = run(&[&LOST[..], &files].concat());
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(!done.stdout.contains('│'), "the ladder went to its file: {}", done.stdout);
    assert!(fs::read_to_string(&picture).unwrap().starts_with("<svg"));
    let lines = fs::read_to_string(&events).unwrap();
    for line in lines.lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
    let done = run(&[&LOST[..], &["--events", "-"]].concat());
    assert_eq!(done.stdout, lines, "only events on standard output");
    assert!(done.stderr.contains("intact"));
}

/// `rdtp run ... | head -1`, with more to say than a pipe holds.
#[test]
fn a_reader_that_goes_is_no_failure() {
    let long = ["run", "gbn", "--link", "loss=20%", "--messages", "2000", "--seed", "1"];
    for more in [["--whole", "--ladder=-"], ["--whole", "--events=-"]] {
        let mut program = Command::new(env!("CARGO_BIN_EXE_rdtp"));
        let program = program.args(long).args(more);
        let mut child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty());
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !told.contains("pipe"), "{more:?}: {told}");
    }
}

/// Every kind of line there is needs two rows to explain.
#[test]
fn the_legend_stays_on_the_sheet() {
    let directory = Directory::new("legend");
    let path = directory.path("ladder.svg");
    let link = ["--link", "loss=20%,dup=20%,corrupt=20%,delay=25ms", "--seed", "5"];
    let done = run(&[&["rdt3.0"], &link[..], &["--ladder", path.to_str().unwrap()]].concat());
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let svg = fs::read_to_string(&path).unwrap();
    for words in
        ["data sent again", "timer runs", "copy, or not all of it drawn", "damaged on the way"]
    {
        let entry = svg.lines().find(|line| line.ends_with(&format!(">{words}</text>")));
        let x = entry.and_then(|line| line.split("x=\"").nth(1)?.split('"').next()?.parse().ok());
        assert!(x.is_some_and(|x: usize| x + 7 * words.len() < 900), "{words}: {entry:?}");
    }
}

#[test]
fn a_protocol_that_breaks_says_why_and_fails() {
    let link = "delay=25ms±25ms,jitter=reorder";
    let base = ["rdt3.0", "--link", link, "--messages", "40", "--timeout", "fixed:30ms", "--json"];
    let broken = (0..100).find_map(|seed| {
        let seed = format!("{seed}");
        let done = run(&[&base[..], &["--seed", &seed]].concat());
        (done.code == Some(1)).then_some(done)
    });
    let result: Value = serde_json::from_str(&broken.unwrap().stdout).unwrap();
    assert_eq!(result["intact"], false);
    assert!(result["verdict"].as_str().unwrap().starts_with("wrong data after"));
    assert!(!result["not_tolerated"].as_array().unwrap().is_empty());
    let last = result["reasons"].as_array().unwrap().last().unwrap();
    assert!(last.as_str().unwrap().contains("so the receiver cannot tell"), "{last}");
}

#[test]
fn every_protocol_of_the_book_runs() {
    for name in ["rdt1.0", "rdt2.0", "rdt2.1", "rdt2.2", "rdt3.0", "saw:4", "gbn:4/8", "sr:4/8"] {
        let done = run(&[name, "--link", "delay=10ms", "--seed", "1", "--messages", "20"]);
        assert_eq!(done.code, Some(0), "{name}: {}{}", done.stdout, done.stderr);
        assert!(done.stdout.contains("20 of 20 messages"), "{name}: {}", done.stdout);
    }
    assert_eq!(run(&["rdt9"]).code, Some(2));
    assert_eq!(run(&["rdt3.0", "--messages", "no-such-file"]).code, Some(2));
    assert_eq!(run(&["sr", "--window", "none"]).code, Some(2), "bad usage");
}

#[test]
fn machines_are_drawn_with_the_state_that_is_asked_for() {
    let machine = |arguments: &[&str]| rdtp(&[&["machine"], arguments].concat()).finish();
    let wait = ["rdt3.0", "--as", "svg", "--side", "sender", "--state", "Wait for ACK 1"];
    let done = machine(&wait);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(done.stdout.matches("class=\"state now\"").count(), 1);
    let done = machine(&["rdt3.0", "--as", "svg", "--side", "sender", "--state", "Sleep"]);
    assert_eq!(done.code, Some(2));
    let done = machine(&["saw:5", "--as", "svg", "--side", "sender"]);
    assert!(!done.success && done.stderr.contains("10 states have no legible"), "{}", done.stderr);
}

#[test]
fn the_states_of_a_run_and_of_a_counterexample_become_a_strip() {
    let directory = Directory::new("states");
    let path = directory.path("states.svg");
    let to = ["--states", path.to_str().unwrap()];
    let done = run(&[&LOST[..], &to].concat());
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let svg = fs::read_to_string(&path).unwrap();
    // Three messages are sent, delivered and acknowledged; one is lost and sent again.
    assert_eq!(svg.matches("class=\"state now\"").count(), 2 * (3 * 3 + 2));
    assert_eq!(svg.matches(">packet 1 is lost<").count(), 1);
    let check = rdtp(&[&["check", "rdt2.0", "--channel", "corrupt"], &to[..]].concat()).finish();
    assert_eq!(check.code, Some(1), "{}", check.stderr);
    let svg = fs::read_to_string(&path).unwrap();
    assert!(svg.contains(">ACK is damaged<") && svg.contains(">garbled feedback, read as NAK<"));
    let holds = rdtp(&[&["check", "rdt1.0"], &to[..]].concat()).finish();
    assert_eq!(holds.code, Some(0));
    assert!(holds.stderr.contains("no counterexample"), "{}", holds.stderr);
    let many = run(&[&["saw:256", "--seed", "1"], &to[..]].concat());
    assert_eq!(many.code, Some(1));
    assert!(many.stderr.contains("more than 16 states are too many"), "{}", many.stderr);
}
