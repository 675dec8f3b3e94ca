//! `rdtp dump`, as its users run it.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "support/program.rs"]
mod program;

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use program::{Finished, rdtp};
use rdtp::wire::transport::{dissect, example, layout};

fn dump(arguments: &[&str]) -> Finished {
    rdtp(&[&["dump"], arguments].concat()).finish()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

#[test]
fn a_datagram_is_taken_apart_from_arguments_and_from_standard_input() {
    let datagram = example::datagram("frames").unwrap();
    let expected = dissect(&datagram).to_string();
    let pairs: Vec<String> = datagram.iter().map(|byte| format!("{byte:02X}")).collect();
    let (first, rest) = pairs.split_at(7);
    for text in [hex(&datagram), pairs.join(":"), format!("0x{}", hex(&datagram))] {
        let done = dump(&[&text]);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        assert!(done.stdout.ends_with(&expected), "{}", done.stdout);
    }
    let done = dump(&[&first.concat(), &rest.concat()]);
    assert!(done.stdout.ends_with(&expected), "{}", done.stdout);

    let mut child = Command::new(env!("CARGO_BIN_EXE_rdtp"))
        .arg("dump")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(pairs.join("\n").as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(String::from_utf8(done.stdout).unwrap().ends_with(&expected));
}

#[test]
fn fields_are_json_for_programs() {
    let datagram = example::datagram("close").unwrap();
    let done = dump(&["--json", "--example", "close"]);
    let value: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(value["error"], serde_json::Value::Null);
    assert_eq!(value["summary"], "data [close \"bye\"]");
    let fields = value["fields"].as_array().unwrap();
    let bytes: String = fields.iter().map(|field| field["hex"].as_str().unwrap()).collect();
    assert_eq!(bytes, hex(&datagram), "every byte once");
    assert_eq!(fields.last().unwrap()["value"], "\"bye\"");
}

/// 0 for a good datagram, 1 for a damaged one, 2 for what is none at all.
#[test]
fn the_exit_code_says_whether_it_is_good() {
    let mut datagram = example::datagram("data").unwrap();
    datagram[20] ^= 0xff;
    let done = dump(&[&hex(&datagram)]);
    assert_eq!(done.code, Some(1));
    assert!(done.stdout.ends_with("not a good packet: wrong checksum\n"), "{}", done.stdout);
    for (arguments, words) in [
        (&["12 3"][..], "two make a byte"),
        (&["hello"], "is not a hexadecimal digit"),
        (&[], "no bytes"),
        (&["--layout", "nothing"], "no layout \"nothing\": packets, frames, open"),
        (&["--example", "nothing"], "possible values: open"),
        (&["--example", "open", "00"], "cannot be used"),
    ] {
        let done = dump(arguments);
        assert_eq!((done.code, done.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(done.stderr.contains(words), "{arguments:?}: {}", done.stderr);
    }
}

#[test]
fn layouts_and_exchanges_fit_into_a_terminal() {
    let all = dump(&["--layout", "packets"]).stdout + &dump(&["--layout", "frames"]).stdout;
    for layout in layout::PACKETS.iter().chain(&layout::FRAMES) {
        assert!(all.contains(layout.to_string().trim_end()), "{}", layout.name);
    }
    assert!(all.lines().all(|line| line.chars().count() <= 76), "{all}");
    for (name, end) in [
        ("handshake", "close \"done\"]"),
        ("cookie", "challenge with a cookie"),
        ("reset", "opener is told: the peer has forgotten the connection"),
        ("versions", "opener refuses it: versions with ours among them"),
    ] {
        let done = dump(&["--exchange", name]);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        assert!(done.stdout.contains(end), "{name}: {}", done.stdout);
        assert!(done.stdout.lines().all(|line| line.chars().count() <= 84), "{}", done.stdout);
    }
}
