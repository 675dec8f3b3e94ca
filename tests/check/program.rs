//! `rdtp check` as its user runs it.

use std::{fs, process::Command};

use serde_json::Value;

use super::support::Directory;

fn check(arguments: &str) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_rdtp"))
        .arg("check")
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_exit_status_says_what_came_of_it() {
    for (arguments, status, words) in [
        ("rdt3.0 --channel lose,duplicate,corrupt --messages 4 --capacity 3", 0, "1901 states"),
        ("gbn --window 4 --bits 2", 1, "4 messages delivered, but the receiver delivered 0"),
        ("sr --window 2 --modulus 3 --overtake 1", 1, "then message 0 as message 3"),
        ("rdt2.0:ack --channel corrupt", 1, "ACK"),
        ("rdt2.0 --channel corrupt --feedback none", 0, "holds"),
        ("gbn:3/4 --states-max 500", 3, "--states-max"),
    ] {
        let (code, stdout, stderr) = check(arguments);
        assert_eq!(code, Some(status), "{arguments}: {stdout}{stderr}");
        assert!(stdout.contains(words), "{arguments}: {stdout}");
    }
    for arguments in
        ["tcp", "rdt2.2 --window 3", "gbn --modulus 4 --bits 2", "rdt3.0 --capacity 0", ""]
    {
        let (code, _, stderr) = check(arguments);
        assert_eq!(code, Some(2), "{arguments}: {stderr}");
        assert!(!stderr.is_empty());
    }
}

#[test]
fn one_lost_ack_breaks_selective_repeat_with_a_window_too_large() {
    let (code, stdout, _) =
        check("sr:3/4 --channel lose --capacity 4 --patient --fewest-faults --json");
    assert_eq!(code, Some(1));
    let answer: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&answer["verdict"], &answer["protocol"]), (&"unsafe".into(), &"sr:3/4".into()));
    let counterexample = &answer["counterexample"];
    assert_eq!(counterexample["faults"], 1);
    let steps = counterexample["steps"].as_array().unwrap();
    let lost: Vec<_> = steps.iter().filter(|step| step["event"] == "lose").collect();
    assert_eq!(lost.len(), 1);
    assert_eq!(
        (&lost[0]["packet"]["kind"], &lost[0]["packet"]["seq"]),
        (&"ack".into(), &0.into()),
        "the textbook loses three"
    );
}

#[test]
fn the_table_says_what_it_is_worth() {
    let (code, stdout, _) = check("--all --capacity 1");
    assert_eq!(code, Some(0));
    assert!(stdout.contains("1 packets in flight"), "{stdout}");
    let row = stdout.lines().find(|line| line.starts_with("rdt2.2 ")).unwrap();
    assert!(row.contains("stuck in 2"), "{row}");
}

#[test]
fn a_counterexample_is_drawn_or_nothing_is_written() {
    let directory = Directory::new("check-svg");
    let file = directory.path("ladder.svg");
    let svg = format!("--svg {}", file.display());
    let (code, _, stderr) = check(&format!("rdt3.0 {svg}"));
    assert_eq!((code, file.exists()), (Some(0), false));
    assert_eq!(stderr, "rdtp: there is no counterexample to draw\n");
    let (code, stdout, stderr) = check(&format!("rdt3.0 --channel reorder {svg}"));
    assert_eq!((code, stderr.as_str()), (Some(1), ""), "{stdout}");
    let picture = fs::read_to_string(&file).unwrap();
    assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"));
    assert!(picture.contains("deliver WRONG message 2") && picture.contains("packet 0 again"));
    assert_eq!(directory.names(""), ["ladder.svg"], "no half of a file stays");
    let (code, _, stderr) = check("rdt3.0 --channel reorder --svg /no/such/directory/x.svg");
    assert!(code == Some(2) && stderr.contains("/no/such/directory/x.svg"), "{stderr}");
}

#[test]
fn the_table_is_for_programs_too() {
    let (code, stdout, _) = check("--all --json");
    let cells: Vec<Value> = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, cells.len()), (Some(0), 11 * 7));
    let cell = |protocol: &str, fault: &str| {
        let found =
            cells.iter().find(|cell| cell["protocol"] == protocol && cell["fault"] == fault);
        found.unwrap_or_else(|| panic!("{protocol}, {fault}"))
    };
    assert_eq!(cell("rdt3.0", "lose")["verdict"], "holds");
    let broken = cell("gbn:2/5", "reorder");
    assert_eq!(broken["verdict"], "unsafe");
    assert_eq!(broken["counterexample"]["steps"].as_array().unwrap().len(), 14);
    let (code, _, stderr) = check("--all --json --markdown");
    assert!(code == Some(2) && stderr.contains("--markdown"), "{stderr}");
}

#[test]
fn a_counterexample_is_played_again() {
    let (code, stdout, _) = check("gbn --window 4 --bits 2 --channel lose --replay sim");
    assert_eq!(code, Some(1));
    let end = "the sender believes 4 messages delivered, 0 were\nthe same failure\n";
    assert!(stdout.ends_with(end), "{stdout}");
    let (_, stdout, _) = check("rdt3.0 --channel reorder --replay lab");
    assert!(stdout.contains("  as received: 101, 102, 101\n"), "{stdout}");
    assert!(stdout.contains("the same failure\n"), "{stdout}");
    assert!(stdout.contains("menu alone cannot do this: it has no packet that overtakes"));
    let (_, stdout, _) = check("rdt2.2 --channel lose --replay lab");
    assert!(stdout.contains("Deadlock") && stdout.contains("the same failure\n"), "{stdout}");
    let menu = "rdtp lab client --protocol rdt2.2 --faults real --script 2\n";
    assert!(stdout.ends_with(menu), "{stdout}");
    for stage in ["sim", "lab"] {
        let full = format!("rdt2.2 --channel duplicate --replay {stage}");
        let (_, stdout, _) = check(&full);
        assert!(stdout.contains("NOT the same failure: the checked channel is full"), "{stdout}");
    }
    let (code, stdout, _) = check("rdt2.1 --channel duplicate --replay sim --json");
    let answer: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &answer["replay"]["reproduced"]), (Some(1), &true.into()));
    let (code, _, stderr) = check("gbn --replay lab");
    assert!(code == Some(2) && stderr.contains("--replay sim"), "{stderr}");
    let (code, _, stderr) = check("rdt3.0 --replay sim");
    assert_eq!(
        (code, stderr.as_str()),
        (Some(0), "rdtp: there is no counterexample to play again\n")
    );
}

#[test]
fn a_model_for_spin_begins_with_the_commands_that_check_it() {
    let (code, stdout, _) = check("gbn:3/4 --channel lose,reorder --promela -");
    assert_eq!(code, Some(0));
    assert!(stdout.starts_with("/* gbn: "), "{stdout}");
    assert!(stdout.contains("spin -a model.pml && gcc"), "{stdout}");
    assert!(stdout.contains("active proctype receiver()"), "{stdout}");
    let (code, _, stderr) = check("saw:400 --promela -");
    assert_eq!(code, Some(2));
    assert!(stderr.contains("send fewer messages") && stderr.lines().count() == 1, "{stderr}");
    let (code, _, stderr) = check("rdt3.0 --promela no/such/folder/model.pml");
    assert_eq!((code, stderr.contains("cannot write")), (Some(2), true), "{stderr}");
}
