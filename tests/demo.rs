//! `rdtp demo` as its user runs it: real sockets, real time, and what it must say about each
//! protocol.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{fs, process::Command};

use serde_json::Value;

fn demo(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_rdtp")).arg("demo").args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_sixty_second_job() {
    let directory = std::env::temp_dir().join(format!("rdtp-demo-{}", std::process::id()));
    let into = directory.to_str().unwrap();
    let (code, stdout, stderr) =
        demo(&["--json", "--seed", "7", "--limit", "2min", "--into", into]);
    assert_eq!(code, Some(0), "{stderr}");
    let results: Value = serde_json::from_str(&stdout).unwrap();
    let picture = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/lighthouse.bmp"));
    let picture = picture.unwrap();
    assert_eq!(results["file_bytes"], picture.len());
    assert_eq!(results["file_blake3"], blake3::hash(&picture).to_string());
    let rows = results["protocols"].as_array().unwrap();
    let names: Vec<_> = rows.iter().map(|row| row["protocol"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["udp", "rdt2.0", "rdt2.1", "rdt2.2", "rdt3.0", "saw:256", "gbn", "sr", "transport"]
    );
    for row in rows {
        let name = row["protocol"].as_str().unwrap();
        let kept = fs::read(directory.join(format!("{}-lighthouse.bmp", name.replace(':', "_"))));
        let kept = kept.unwrap();
        assert_eq!(row["delivered_bytes"], kept.len(), "{name}");
        assert_eq!(row["blake3"], blake3::hash(&kept).to_string(), "{name}");
        assert_eq!(row["intact"], kept == picture, "{name}");
        if row["tolerates_link"] == true {
            assert_eq!(row["intact"], true, "{name}: {}", row["outcome"]);
            // The transport packs several messages into a packet: fewer are lost, and chance is less
            // even.
            let packs = name == "transport";
            let (least, expected) = if packs { (3, 0.02..0.45) } else { (20, 0.12..0.28) };
            assert!(row["retransmissions"].as_u64().unwrap() > least, "{name}");
            let loss = row["effective_loss"].as_f64().unwrap();
            assert!(expected.contains(&loss), "{name}: told 20 %, effective {loss}");
        } else if row["intact"] == false {
            let reason = row["reason"].as_str().unwrap();
            assert!(reason.starts_with("too much for it: "), "{name}: {reason}");
        }
    }
    assert_eq!(rows[0]["intact"], false, "raw UDP must visibly lose");
    for row in &rows[1..4] {
        assert_eq!(row["outcome"], "deadlock: both sides wait for ever", "{}", row["protocol"]);
    }
    assert_eq!(rows.iter().filter(|row| row["tolerates_link"] == true).count(), 4);
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_perfect_network_is_enough_for_every_protocol() {
    let protocols = "udp,rdt1.0,rdt2.0,rdt2.1,rdt2.2,rdt3.0,gbn:3/4,sr:2/4,transport:datacenter";
    let (code, stdout, stderr) = demo(&["--link", "perfect", "--protocols", protocols]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("9 of 9 delivered the file intact."), "{stdout}");
    assert!(stdout.contains("rdtp demo --seed "), "the command that replays it: {stdout}");
    assert!(!stdout.contains('\x1b'), "a pipe gets plain text");
}

#[test]
fn a_network_that_lets_nothing_through_ends_with_a_reason() {
    let (code, stdout, stderr) =
        demo(&["--link", "loss=100%", "--protocols", "rdt3.0,rdt2.2", "--limit", "1s"]);
    assert_eq!(code, Some(1), "rdt 3.0 tolerates loss, but not of everything");
    assert!(stdout.contains("out of time after 0 bytes"), "{stdout}");
    assert!(stdout.contains("deadlock"), "{stdout}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
}

#[test]
fn bad_usage_says_what_would_be_right() {
    for (arguments, hint) in [
        (["--protocols", "tcp"], "gbn or sr, or transport"),
        (["--link", "lost=20%"], "loss"),
        (["--checksum", "md5"], "crc32c"),
    ] {
        let (code, _, stderr) = demo(&arguments);
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains(hint), "{stderr}");
    }
    let (code, _, stderr) = demo(&["/nowhere/at/all"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("/nowhere/at/all"), "{stderr}");
}

#[test]
fn both_sockets_are_written_down_each_protocol_in_files_of_its_own() {
    let directory = std::env::temp_dir().join(format!("rdtp-demo-ladder-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let link = ["--link", "up.loss=at:2:6,delay=2ms", "--seed", "1", "--chunk", "4000"];
    let to = ["--ladder", &path("out.svg"), "--events", &path("out.jsonl")];
    let (code, _, stderr) = demo(&[&link[..], &to, &["--protocols", "rdt3.0,sr:4/8"]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    for name in ["rdt3.0", "sr_4_8"] {
        let svg = fs::read_to_string(path(&format!("out-{name}.svg"))).unwrap();
        assert!(svg.contains("A, sender") && svg.contains("B, receiver"), "{name}");
        assert!(svg.contains(">lost<") && svg.contains("again<"), "{name}");
        let events = fs::read_to_string(path(&format!("out-{name}.jsonl"))).unwrap();
        let delivered = events.lines().filter(|line| line.contains("\"event\":\"deliver\""));
        assert_eq!(delivered.count(), 12, "{name}: a picture of 46,134 bytes in pieces of 4,000");
    }
    let (_, stdout, _) = demo(&[&link[..], &["--ladder", "-", "--protocols", "gbn:4"]].concat());
    assert!(stdout.contains("deliver message 11") && stdout.contains("──✗ lost"), "{stdout}");
    fs::remove_dir_all(directory).unwrap();
}
