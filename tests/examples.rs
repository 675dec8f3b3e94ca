//! Every example runs to its end: here they are modules, so that they need no build of their own.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
#![cfg(feature = "net")]

#[path = "../examples/01_a_machine_by_hand.rs"]
mod a_machine_by_hand;
#[path = "../examples/05_http_over_udp.rs"]
mod http_over_udp;
#[path = "../examples/04_streams_over_udp.rs"]
mod streams_over_udp;
#[path = "../examples/03_your_own_driver.rs"]
mod your_own_driver;
#[path = "../examples/02_your_own_protocol.rs"]
mod your_own_protocol;

use std::{fs, path::Path};

#[test]
fn a_machine_by_hand_runs() {
    a_machine_by_hand::main();
}

#[test]
fn your_own_protocol_runs() {
    your_own_protocol::main().unwrap();
}

#[test]
fn your_own_driver_runs() {
    your_own_driver::main().unwrap();
}

#[test]
fn streams_over_udp_runs() {
    streams_over_udp::main().unwrap();
}

#[test]
fn http_over_udp_runs() {
    http_over_udp::main().unwrap();
}

/// What makes a program for TCP one over UDP is in the names of its types, and nowhere else.
#[test]
fn http_over_udp_is_http_over_tcp_with_other_names() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/http");
    let [tcp, udp] =
        ["over_tcp.rs", "over_udp.rs"].map(|name| fs::read_to_string(folder.join(name)).unwrap());
    assert!(tcp.contains("TcpListener") && !udp.contains("Tcp"));
    let renamed = tcp.replace("std::net::{Tcp", "rdtp::net::{Tcp").replace("Tcp", "");
    // The formatter may break lines elsewhere around shorter names.
    let words = |text: &str| text.split_whitespace().map(String::from).collect::<Vec<_>>();
    assert_eq!(words(&renamed), words(&udp));
}

/// A new example is run here too, and says what it teaches and how to run it.
#[test]
fn every_example_is_here() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let this = fs::read_to_string(root.join(file!())).unwrap();
    let examples = fs::read_dir(root.join("examples")).unwrap().flatten();
    let mut count = 0;
    for path in examples.map(|entry| entry.path()) {
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(this.contains(&format!("../examples/{name}.rs")), "{name} is not run");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{name} does not say what it teaches");
        let command = format!("cargo run --example {name}");
        assert!(text.contains(&command), "{name} does not say how to run it");
        count += 1;
    }
    assert!(count >= 3, "{count} examples");
}

/// The crate outside the workspace is what it says: a protocol, its bug and every call on less than
/// a hundred lines of code, as the formatter writes them.
#[test]
fn bring_your_own_takes_less_than_a_hundred_lines() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("examples/bring-your-own/src/main.rs")).unwrap();
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
    let lines = text.lines().filter(is_code).count();
    assert!((50..100).contains(&lines), "{lines} lines of code");
    for call in [").check(", "property_test(", ".campaign(", "Loopback::", "harness::ladder("] {
        assert!(text.contains(call), "{call}");
    }
}
