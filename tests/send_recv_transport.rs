//! `rdtp send` and `rdtp recv` over the production transport.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/program.rs"]
mod program;

use std::{fs, net::SocketAddr, path::Path};

use program::{Directory, Finished, Program, rdtp};

const TRANSPORT: [&str; 2] = ["--protocol", "transport"];
/// Slow enough to be met in the middle of a file.
const SLOW: [&str; 2] = ["--link", "rate=2mbit,delay=10ms,queue=64KiB"];

fn file(bytes: usize) -> Vec<u8> {
    let mut file = vec![0; bytes];
    rdtp::rng::Seed::new(3).split("file").rng().fill(&mut file);
    file
}

/// A receiver that listens, and its address.
fn receiver(into: &Path, flags: &[&str]) -> (Program, String) {
    let command = ["recv", "127.0.0.1:0", "--into", into.to_str().unwrap()];
    let mut receiver = rdtp(&[&command, &TRANSPORT[..], flags].concat());
    let line = receiver.line();
    assert!(line.contains("transport"), "{line}");
    let mut words = line.split([' ', '"']);
    let address = words.find(|word| word.parse::<SocketAddr>().is_ok()).unwrap().to_owned();
    (receiver, address)
}

fn sender(source: &Path, address: &str, flags: &[&str]) -> Program {
    let command = ["send", source.to_str().unwrap(), address, "--name", "f"];
    rdtp(&[&command, &TRANSPORT[..], flags].concat())
}

/// A directory with a file of that size, and an empty one for the receiver.
fn places(name: &str, bytes: usize) -> (Directory, std::path::PathBuf, std::path::PathBuf) {
    let directory = Directory::new(&format!("transport-{name}"));
    let (source, into) = (directory.path("source"), directory.path("into"));
    fs::create_dir(&into).unwrap();
    fs::write(&source, file(bytes)).unwrap();
    (directory, source, into)
}

/// Both sides in the middle of a file that takes seconds.
fn midway(name: &str, to_receiver: &[&str], to_sender: &[&str]) -> (Directory, Program, Program) {
    let (directory, source, into) = places(name, 1_000_000);
    let (receiver, address) = receiver(&into, to_receiver);
    let sender = sender(&source, &address, &[&SLOW[..], to_sender].concat());
    let part = || fs::read_dir(&into).unwrap().next()?.ok()?.metadata().ok().map(|data| data.len());
    program::eventually(|| part().is_some_and(|bytes| bytes >= 65_536));
    (directory, receiver, sender)
}

fn arrived(directory: &Directory, bytes: usize) {
    assert_eq!(directory.names("into"), ["f"]);
    assert!(fs::read(directory.path("into").join("f")).unwrap() == file(bytes), "it differs");
}

fn failed_in_one_line(finished: &Finished, says: &str) {
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let lines: Vec<_> = finished.stderr.lines().filter(|line| !line.starts_with("link ")).collect();
    assert!(lines.len() == 1 && lines[0].contains(says), "{says}: {finished:?}");
}

#[test]
fn a_file_arrives_whole_through_a_bad_link_and_both_say_so() {
    const BAD: [&str; 4] =
        ["--link", "loss=10%,dup=5%,corrupt=2%,reorder=5%:2:20ms,delay=5ms", "--seed", "11"];
    for (bytes, preset) in
        [(700_000, "transport:lossy-link"), (0, "transport"), (1, "transport:lan")]
    {
        let (directory, source, into) = places(&format!("bad-{bytes}"), bytes);
        let (receiver, address) = receiver(&into, &["--once", "--json"]);
        // Each side may be told another network.
        let flags = ["--protocol", preset, "--json"];
        let command = ["send", source.to_str().unwrap(), &address, "--name", "f"];
        let sent = rdtp(&[&command[..], &flags, &BAD].concat()).finish();
        let received = receiver.finish();
        assert!(sent.success && received.success, "{sent:?} {received:?}");
        arrived(&directory, bytes);
        let json = |text: &str| -> serde_json::Value {
            serde_json::from_str(text.lines().next_back().unwrap()).unwrap()
        };
        let (sent, received) = (json(&sent.stdout), json(&received.stdout));
        assert_eq!((&sent["ok"], &received["ok"]), (&true.into(), &true.into()));
        assert_eq!(sent["blake3"], received["blake3"]);
        assert_eq!(sent["protocol"], preset);
        let connection = &sent["transport"];
        assert!(connection["rtt_min"].as_f64().unwrap() >= 0.010, "{connection}");
        assert!(connection["cwnd_bytes"].as_u64().unwrap() >= 2_400, "{connection}");
        if bytes > 1 {
            assert!(sent["retransmissions"].as_u64().unwrap() > 10, "{sent}");
            assert!(connection["lost_packets"].as_u64().unwrap() > 10, "{connection}");
        }
    }
}

#[test]
fn people_are_told_how_the_connection_did() {
    let (directory, source, into) = places("words", 100_000);
    let (receiver, address) = receiver(&into, &["--once"]);
    let sent = sender(&source, &address, &[]).finish();
    assert!(sent.success && receiver.finish().success, "{sent:?}");
    assert!(sent.stdout.contains("round trip ") && sent.stdout.contains("window "), "{sent:?}");
    arrived(&directory, 100_000);
}

#[test]
fn many_senders_at_once() {
    let (directory, source, into) = places("many", 300_000);
    let (mut receiver, address) = receiver(&into, &["--json"]);
    let senders: Vec<_> =
        (0..4).map(|_| sender(&source, &address, &["--link", "loss=5%"])).collect();
    for sender in senders {
        let sent = sender.finish();
        assert!(sent.success, "{sent:?}");
    }
    for _ in 0..4 {
        let line = receiver.line();
        assert!(line.contains(r#""ok":true"#), "{line}");
    }
    receiver.kill();
    assert_eq!(directory.names("into"), ["f", "f (1)", "f (2)", "f (3)"]);
    for name in directory.names("into") {
        assert!(fs::read(into.join(name)).unwrap() == file(300_000));
    }
}

/// The peer's machine says that nobody listens any more: nobody has to wait for the silence to last.
#[test]
fn a_receiver_that_is_killed_is_missed_at_once() {
    let (directory, mut receiver, sender) = midway("killed-recv", &[], &["--give-up", "2min"]);
    receiver.kill();
    failed_in_one_line(&sender.finish(), "nobody listens there");
    drop(directory);
}

#[test]
fn where_nobody_listens_the_sender_says_so() {
    let (_directory, source, _) = places("nobody", 10);
    let vacant = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    failed_in_one_line(&sender(&source, &vacant.to_string(), &[]).finish(), "nobody listens there");
    let deaf = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = deaf.local_addr().unwrap().to_string();
    let silent = sender(&source, &address, &["--give-up", "300ms"]).finish();
    failed_in_one_line(&silent, "no answer for 300ms");
}

#[test]
fn a_sender_that_is_killed_leaves_no_half_file() {
    let flags = ["--once", "--give-up", "1s"];
    let (directory, receiver, mut sender) = midway("killed-send", &flags, &[]);
    sender.kill();
    failed_in_one_line(&receiver.finish(), "the sender was not heard for 1s");
    assert_eq!(directory.names("into"), [""; 0]);
}

/// Both programs survive being stopped for a while (a laptop that sleeps) and go on.
#[cfg(unix)]
#[test]
fn a_side_that_is_stopped_for_a_while_goes_on() {
    let (directory, receiver, sender) = midway("stopped", &["--once"], &[]);
    for side in [&sender, &receiver] {
        program::signal(side.id(), "STOP");
        // Longer than several probes.
        #[expect(clippy::disallowed_methods, reason = "a process is to be away for so long")]
        std::thread::sleep(core::time::Duration::from_millis(1_500));
        program::signal(side.id(), "CONT");
    }
    let (sent, received) = (sender.finish(), receiver.finish());
    assert!(sent.success && received.success, "{sent:?} {received:?}");
    arrived(&directory, 1_000_000);
}

#[cfg(unix)]
#[test]
fn an_interrupted_side_tells_the_other() {
    for (name, sender_first) in [("sender-stops", true), ("receiver-stops", false)] {
        let (directory, receiver, sender) = midway(name, &["--once"], &["--give-up", "1min"]);
        program::interrupt(if sender_first { sender.id() } else { receiver.id() });
        let (sender, receiver) = (sender.finish(), receiver.finish());
        let says = |here: bool, there| if here { "interrupted" } else { there };
        failed_in_one_line(&sender, says(sender_first, "the receiver has stopped"));
        failed_in_one_line(&receiver, says(!sender_first, "the sender stopped"));
        assert_eq!(directory.names("into"), [""; 0]);
    }
}

#[test]
fn it_is_written_down_like_any_other_protocol() {
    let (directory, source, into) = places("written", 20_000);
    let (receiver, address) = receiver(&into, &["--once"]);
    let (ladder, events) = (directory.path("out.svg"), directory.path("out.jsonl"));
    let to = ["--ladder", ladder.to_str().unwrap(), "--events", events.to_str().unwrap()];
    let sent = sender(&source, &address, &to).finish();
    assert!(sent.success && receiver.finish().success, "{sent:?}");
    assert!(fs::read_to_string(ladder).unwrap().contains("as its sender sees it"));
    assert!(fs::read_to_string(events).unwrap().lines().count() > 20);
}

#[test]
fn what_only_the_book_has_is_refused() {
    for option in
        [["--window", "4"], ["--bits", "3"], ["--checksum", "none"], ["--timeout", "rfc6298"]]
    {
        let (_directory, source, _) = places("refused", 1);
        let refused = sender(&source, "127.0.0.1:9", &option).finish();
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains(option[0]), "{refused:?}");
    }
}
