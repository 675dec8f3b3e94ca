//! `rdtp check` as its user runs it.

use std::process::Command;

use serde_json::Value;

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
fn the_table_has_no_cell_without_a_verdict() {
    let (code, stdout, _) = check("--all");
    assert_eq!(code, Some(0));
    let row = |name: &str| {
        let row = stdout.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        row.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    assert!(row("rdt1.0").starts_with("holds wrong in 3 wrong in 4"));
    assert!(row("rdt3.0").starts_with("holds holds holds holds wrong in 7 wrong in 7"));
    assert_eq!(row("sr:2"), ["holds"; 7].join(" "), "numbers that never repeat bear everything");
    assert!(!stdout.contains("open"));
    for line in stdout.lines().skip(1).take(11) {
        assert!(line.ends_with("holds"), "a protocol bears what it claims to bear: {line}");
    }
}

#[test]
fn a_model_for_spin_begins_with_the_commands_that_check_it() {
    let (code, stdout, _) = check("gbn:3/4 --channel lose,reorder --promela -");
    assert_eq!(code, Some(0));
    assert!(stdout.starts_with("/* gbn: "), "{stdout}");
    assert!(stdout.contains("spin -a model.pml && gcc"), "{stdout}");
    assert!(stdout.contains("active proctype receiver()"), "{stdout}");
    let (code, _, stderr) = check("saw:400 --promela -");
    assert_eq!(code, Some(1));
    assert!(stderr.contains("send fewer messages") && stderr.lines().count() == 1, "{stderr}");
    let (code, _, stderr) = check("rdt3.0 --promela no/such/folder/model.pml");
    assert_eq!((code, stderr.contains("cannot write")), (Some(1), true), "{stderr}");
}
