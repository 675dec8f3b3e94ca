//! `rdtp send` and `rdtp recv`: two processes, real sockets, bad links.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/program.rs"]
mod program;

use std::{
    fs,
    net::{SocketAddr, UdpSocket},
    path::Path,
    time::Duration,
};

use program::{Directory, Program, rdtp};
use rdtp::{
    app::file::{Digest, FileSender},
    classic::{Config, Event, Spec},
    endpoint::Endpoint,
    net::{Clock, Driver, Socket, SocketConfig},
};

/// Bytes that no two places share, so that no mix-up goes unseen.
fn file(bytes: usize) -> Vec<u8> {
    let mut file = vec![0; bytes];
    rdtp::rng::Seed::new(2).split("file").rng().fill(&mut file);
    file
}

/// A receiver that listens, and its address.
fn receiver(directory: &Path, flags: &[&str]) -> (Program, String) {
    let into = directory.to_str().unwrap();
    let mut receiver = rdtp(&[&["recv", "127.0.0.1:0", "--into", into], flags].concat());
    let line = receiver.line();
    // The only address in the line, be it prose or JSON.
    let mut words = line.split([' ', '"']);
    let address = words.find(|word| word.parse::<SocketAddr>().is_ok()).unwrap().to_owned();
    (receiver, address)
}

/// Sends a file of that size and compares what arrived; returns what the sender printed.
fn send_and_compare(name: &str, bytes: usize, common: &[&str], sender: &[&str]) -> String {
    let directory = Directory::new(name);
    let (source, into) = (directory.path("source"), directory.path("into"));
    fs::create_dir(&into).unwrap();
    let sent = file(bytes);
    fs::write(&source, &sent).unwrap();
    let (receiver, address) = receiver(&into, &[&["--once"], common].concat());
    let command =
        [&["send", source.to_str().unwrap(), &address, "--name", "f.bin"], common, sender].concat();
    let sender = rdtp(&command).finish();
    let receiver = receiver.finish();
    assert!(sender.success, "{name}: {sender:?} {receiver:?}");
    assert!(receiver.success, "{name}: {receiver:?}");
    assert!(fs::read(into.join("f.bin")).unwrap() == sent, "{name}: the file differs");
    assert_eq!(directory.names("into"), ["f.bin"], "{name}");
    // Both name the same digest.
    let digest = |text: &str| {
        let (_, rest) = text.split_once("BLAKE3 ").unwrap();
        rest.lines().next().unwrap().to_owned()
    };
    assert_eq!(digest(&sender.stdout), digest(&receiver.stdout), "{name}");
    sender.stdout
}

const BAD: &[&str] = &["--link", "loss=20%,dup=5%,corrupt=2%,reorder=5%:2:20ms", "--seed", "11"];
const LOSSY: &[&str] = &["--link", "loss=20%,dup=5%,corrupt=2%", "--seed", "12"];

#[test]
fn selective_repeat_delivers_through_a_bad_link() {
    let common = ["--protocol", "sr", "--window", "16"];
    let printed = send_and_compare("sr", 60_000, &common, BAD);
    assert!(printed.contains("lost (told 20%)"), "{printed}");
}

#[test]
fn selective_repeat_with_few_numbers_delivers_through_loss() {
    let common = ["--protocol", "sr:4", "--bits", "3", "--timeout", "fixed:20ms"];
    send_and_compare("sr-bits", 40_000, &common, LOSSY);
}

#[test]
fn go_back_n_delivers_through_a_bad_link() {
    let common = ["--protocol", "gbn:8", "--checksum", "crc16", "--timeout", "fixed:20ms"];
    send_and_compare("gbn", 40_000, &common, BAD);
}

#[test]
fn rdt30_delivers_through_loss() {
    let common = ["--protocol", "rdt3.0", "--timeout", "fixed:10ms"];
    send_and_compare("rdt30", 20_000, &common, LOSSY);
}

#[test]
fn rdt22_delivers_through_corruption_alone() {
    let common = ["--protocol", "rdt2.2"];
    send_and_compare("rdt22", 20_000, &common, &["--link", "corrupt=10%", "--seed", "5"]);
}

#[test]
fn rdt21_asks_again_and_delivers_through_corruption_alone() {
    let common = ["--protocol", "rdt2.1"];
    send_and_compare("rdt21", 20_000, &common, &["--link", "corrupt=10%", "--seed", "6"]);
}

#[test]
fn rdt10_delivers_where_nothing_is_lost() {
    send_and_compare("rdt10", 20_000, &["--protocol", "rdt1.0"], &[]);
}

#[test]
fn ipv6_carries_as_well() {
    if UdpSocket::bind("[::1]:0").is_err() {
        return;
    }
    let directory = Directory::new("ipv6");
    let (source, into) = (directory.path("source"), directory.path("into"));
    fs::create_dir(&into).unwrap();
    fs::write(&source, file(5_000)).unwrap();
    for listen in ["[::1]:0", "[::]:0"] {
        let mut receiver = rdtp(&["recv", listen, "--into", into.to_str().unwrap()]);
        let line = receiver.line();
        let port = line.split_once("]:").unwrap().1.split(' ').next().unwrap().to_owned();
        // A socket for all addresses takes IPv4 as well.
        let hosts = if listen == "[::]:0" { &["[::1]", "127.0.0.1"][..] } else { &["[::1]"] };
        for host in hosts {
            let address = format!("{host}:{port}");
            let sender = rdtp(&["send", source.to_str().unwrap(), &address]).finish();
            assert!(sender.success, "{sender:?}");
            let stored = receiver.line();
            let from = host.trim_matches(['[', ']']);
            assert!(stored.starts_with("stored ") && stored.contains(from), "{stored}");
            assert!(receiver.line().starts_with("BLAKE3 "));
        }
    }
    assert_eq!(directory.names("into").len(), 3);
}

#[test]
fn an_empty_file_arrives() {
    send_and_compare("empty", 0, &[], LOSSY);
}

/// The verdict, and the acknowledgements of it, are lost again and again.
#[test]
fn lost_last_words_are_repeated() {
    for seed in ["1", "2", "3", "4"] {
        let sender = ["--link", "loss=50%", "--seed", seed];
        send_and_compare(&format!("last-{seed}"), 10, &["--timeout", "fixed:10ms"], &sender);
    }
}

#[test]
fn a_receiver_serves_many_senders_and_overwrites_nothing() {
    let directory = Directory::new("many");
    let into = directory.path("into");
    fs::create_dir(&into).unwrap();
    fs::write(into.join("f.bin"), "mine").unwrap();
    let (mut receiver, address) = receiver(&into, &["--json"]);
    let sources: Vec<_> = (0..3)
        .map(|n| {
            let path = directory.path(&format!("source{n}"));
            fs::write(&path, file(30_000 + n)).unwrap();
            path
        })
        .collect();
    let senders: Vec<Program> = sources
        .iter()
        .map(|path| {
            let path = path.to_str().unwrap();
            rdtp(&["send", path, &address, "--name", "f.bin", "--json", "--link", "loss=10%"])
        })
        .collect();
    for sender in senders {
        let finished = sender.finish();
        assert!(finished.success, "{finished:?}");
        let report: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!(report["ok"], true, "{report}");
        assert!(report["link"]["up"]["offered"].as_u64().unwrap() >= 27, "{report}");
    }
    for _ in 0..3 {
        let report: serde_json::Value = serde_json::from_str(&receiver.line()).unwrap();
        assert_eq!((&report["event"], &report["ok"]), (&"received".into(), &true.into()));
    }
    receiver.kill();
    assert_eq!(directory.names("into"), ["f (1).bin", "f (2).bin", "f (3).bin", "f.bin"]);
    assert_eq!(fs::read(into.join("f.bin")).unwrap(), b"mine");
    let mut lengths: Vec<_> =
        (1..=3).map(|n| fs::metadata(into.join(format!("f ({n}).bin"))).unwrap().len()).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [30_000, 30_001, 30_002]);
}

#[test]
fn a_sender_gives_up_on_a_peer_that_does_not_answer() {
    let directory = Directory::new("dead");
    let source = directory.path("source");
    fs::write(&source, file(5_000)).unwrap();
    // A socket that nobody reads, and a port where nobody listens.
    let deaf = UdpSocket::bind("127.0.0.1:0").unwrap();
    let vacant = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for address in [deaf.local_addr().unwrap(), vacant] {
        for protocol in ["sr", "rdt3.0", "rdt2.1"] {
            let (source, address) = (source.to_str().unwrap(), address.to_string());
            let sender =
                rdtp(&["send", source, &address, "--protocol", protocol, "--give-up", "300ms"])
                    .finish();
            assert_eq!(sender.code, Some(1), "{sender:?}");
            let lines: Vec<_> = sender.stderr.lines().collect();
            assert!(lines.len() == 1 && lines[0].contains("no answer"), "{lines:?}");
        }
    }
}

#[test]
fn a_sender_that_dies_leaves_no_half_file() {
    let directory = Directory::new("killed");
    let (source, into) = (directory.path("source"), directory.path("into"));
    fs::create_dir(&into).unwrap();
    fs::write(&source, file(200_000)).unwrap();
    let (receiver, address) =
        receiver(&into, &["--once", "--give-up", "700ms", "--protocol", "rdt3.0"]);
    // Slow enough to be killed in the middle.
    let slow = ["--protocol", "rdt3.0", "--link", "delay=50ms"];
    let mut sender =
        rdtp(&[&["send", source.to_str().unwrap(), &address, "--name", "f"], &slow[..]].concat());
    program::eventually(|| !directory.names("into").is_empty());
    assert!(directory.names("into")[0].starts_with(".rdtp-"), "{:?}", directory.names("into"));
    sender.kill();
    let receiver = receiver.finish();
    assert_eq!(receiver.code, Some(1), "{receiver:?}");
    assert!(receiver.stderr.contains("the sender was not heard"), "{receiver:?}");
    assert!(directory.names("into").is_empty(), "{:?}", directory.names("into"));
}

/// Ctrl-C on either side leaves no half file: a sender says that it stops, a receiver tidies up.
#[cfg(unix)]
#[test]
fn an_interrupted_side_tidies_up() {
    for (name, sender_first) in [("sender-stops", true), ("receiver-stops", false)] {
        let directory = Directory::new(name);
        let (source, into) = (directory.path("source"), directory.path("into"));
        fs::create_dir(&into).unwrap();
        fs::write(&source, file(200_000)).unwrap();
        let (receiver, address) = receiver(&into, &["--once", "--window", "1"]);
        let flags = ["--window", "1", "--link", "delay=30ms", "--give-up", "1s"];
        let sender = rdtp(&[&["send", source.to_str().unwrap(), &address], &flags[..]].concat());
        program::eventually(|| !directory.names("into").is_empty());
        let first = if sender_first { sender.id() } else { receiver.id() };
        program::interrupt(first);
        let (sender, receiver) = (sender.finish(), receiver.finish());
        assert_eq!((sender.code, receiver.code), (Some(1), Some(1)), "{sender:?} {receiver:?}");
        let (sender_says, receiver_says) =
            if sender_first { ("interrupted", "stopped") } else { ("no answer", "interrupted") };
        assert!(sender.stderr.contains(sender_says), "{sender:?}");
        assert!(receiver.stderr.contains(receiver_says), "{receiver:?}");
        assert!(directory.names("into").is_empty(), "{:?}", directory.names("into"));
    }
}

#[test]
fn a_receiver_that_dies_is_given_up() {
    let directory = Directory::new("receiver-killed");
    let (source, into) = (directory.path("source"), directory.path("into"));
    fs::create_dir(&into).unwrap();
    fs::write(&source, file(200_000)).unwrap();
    let (mut receiver, address) = receiver(&into, &["--protocol", "rdt3.0"]);
    let flags = ["--protocol", "rdt3.0", "--link", "delay=50ms", "--give-up", "500ms"];
    let sender = rdtp(&[&["send", source.to_str().unwrap(), &address], &flags[..]].concat());
    program::eventually(|| !directory.names("into").is_empty());
    receiver.kill();
    let sender = sender.finish();
    assert_eq!(sender.code, Some(1), "{sender:?}");
    assert!(sender.stderr.contains("no answer for 500ms"), "{sender:?}");
}

#[derive(Clone, Default)]
struct Blake3(blake3::Hasher);

impl Digest for Blake3 {
    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
    fn finish(&self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }
}

/// Sends messages as they are to a receiver and returns its answer.
fn converse(address: SocketAddr, messages: &[Vec<u8>]) -> Vec<u8> {
    let endpoint = Spec::book().pop().unwrap().endpoint(Config::default(), address).unwrap();
    let socket = Socket::bind_for(address, &SocketConfig::default()).unwrap();
    let mut driver = Driver::new(endpoint, socket, Clock::start());
    for message in messages {
        let now = driver.now();
        driver.endpoint_mut().send(now, message).unwrap();
    }
    let limit = driver.now() + Duration::from_mins(1);
    let mut answer = None;
    // On until the answer is here and its acknowledgement is out.
    while answer.is_none() || driver.has_work(driver.now()) {
        assert!(driver.now() < limit, "no answer");
        driver.turn(&mut (), Some(limit)).unwrap();
        while let Some(event) = driver.endpoint_mut().poll_event() {
            if let Event::Delivered(message) = event {
                answer = Some(message.to_vec());
            }
        }
    }
    answer.unwrap()
}

/// The messages of a whole file of three bytes, whose header then claims `name` and `size`.
fn forged(name: &[u8], size: u64) -> Vec<Vec<u8>> {
    let mut sender = FileSender::new(Blake3::default(), "honest", 3, 10).unwrap();
    let mut messages = Vec::new();
    let mut message = Vec::new();
    let read = |space: &mut [u8]| -> Result<usize, std::io::Error> {
        space.fill(b'x');
        Ok(space.len())
    };
    while sender.next_message(&mut message, read).unwrap() {
        messages.push(message.clone());
    }
    messages[0].truncate(10);
    messages[0].extend_from_slice(&size.to_be_bytes());
    messages[0].extend_from_slice(name);
    messages
}

#[test]
fn a_received_name_cannot_leave_the_directory() {
    for (n, name) in [
        &b"../escaped"[..],
        b"..",
        b"/tmp/escaped",
        b"..\\escaped",
        b"a/../../escaped",
        b"nul\0byte",
        b".profile",
        b"\x1b[2Jgone",
        b"",
        b"\xff\xfe",
    ]
    .into_iter()
    .enumerate()
    {
        let directory = Directory::new(&format!("escape-{n}"));
        let into = directory.path("into");
        fs::create_dir(&into).unwrap();
        let (receiver, address) = receiver(&into, &["--once"]);
        let answer = converse(address.parse().unwrap(), &forged(name, 3));
        assert_eq!(answer, [5, 2], "{name:?}");
        let receiver = receiver.finish();
        assert_eq!(receiver.code, Some(1), "{receiver:?}");
        assert!(receiver.stderr.contains("name is not allowed"), "{receiver:?}");
        assert!(!receiver.stderr.contains('\x1b'), "{receiver:?}");
        assert_eq!(directory.names("into"), [""; 0], "{name:?}");
        assert_eq!(directory.names("."), ["into"], "{name:?}");
    }
}

#[test]
fn lies_about_the_file_are_refused() {
    for (n, (size, flags, code)) in [
        (2, &[][..], 4_u8),
        (4, &[][..], 4),
        (3, &["--max-size", "2"][..], 3),
        (u64::MAX, &[][..], 3),
    ]
    .into_iter()
    .enumerate()
    {
        let directory = Directory::new(&format!("lies-{n}"));
        let into = directory.path("into");
        fs::create_dir(&into).unwrap();
        let (receiver, address) = receiver(&into, &[&["--once"], flags].concat());
        let answer = converse(address.parse().unwrap(), &forged(b"f", size));
        assert_eq!(answer, [5, code], "size {size}");
        assert_eq!(receiver.finish().code, Some(1));
        assert_eq!(directory.names("into"), [""; 0]);
    }
    // And the honest messages are taken.
    let directory = Directory::new("honest");
    let (receiver, address) = receiver(&directory.path("."), &["--once"]);
    assert_eq!(converse(address.parse().unwrap(), &forged(b"f", 3)), [5, 0]);
    assert!(receiver.finish().success);
    assert_eq!(fs::read(directory.path("f")).unwrap(), b"xxx");
}

#[test]
fn bad_usage_is_told_from_failure() {
    let missing = rdtp(&["send", "no-such-file", "127.0.0.1:9"]).finish();
    assert_eq!(missing.code, Some(1));
    assert_eq!(missing.stderr.lines().count(), 1, "{missing:?}");
    for usage in [
        &["send"][..],
        &["send", "f", "127.0.0.1:9", "--protocol", "tcp"],
        &["send", "f", "127.0.0.1:9", "--timeout", "soon"],
        &["send", "f", "127.0.0.1:9", "--seed", "1"],
        &["recv", "127.0.0.1:0", "--bits", "3", "--modulus", "8"],
    ] {
        assert_eq!(rdtp(usage).finish().code, Some(2), "{usage:?}");
    }
}

/// Go-back-N reads selective repeat's ACKs as cumulative, so that the two must not meet.
#[test]
fn two_sides_with_different_protocols_refuse_each_other() {
    for protocol in ["gbn", "rdt3.0", "sr:8"] {
        let directory = Directory::new("different");
        let (source, into) = (directory.path("source"), directory.path("into"));
        fs::write(&source, file(20_000)).unwrap();
        let (receiver, address) = receiver(&into, &["--once", "--protocol", "sr"]);
        let flags = ["--protocol", protocol, "--give-up", "5s"];
        let sent = rdtp(&[&["send", source.to_str().unwrap(), &address], &flags[..]].concat());
        let sent = sent.finish();
        assert!(!sent.success, "{protocol}: {sent:?}");
        assert!(sent.stderr.contains("different protocols"), "{protocol}: {sent:?}");
        assert!(!receiver.finish().success, "{protocol}");
        assert!(directory.names("into").is_empty(), "{protocol}");
    }
}

/// Each side draws what it has seen; what is between is the network's.
#[test]
fn each_side_writes_down_what_it_has_seen() {
    let directory = Directory::new("ladder");
    let (source, into) = (directory.path("source"), directory.path("into"));
    fs::create_dir(&into).unwrap();
    fs::write(&source, file(4_000)).unwrap();
    let path = |name: &str| directory.path(name).to_str().unwrap().to_owned();
    let (picture, events, seen) = (path("ladder.svg"), path("sent.jsonl"), path("seen.jsonl"));
    let common = ["--protocol", "gbn:4"];
    let there = [&["--once", "--ladder", "-", "--events", &seen], &common[..]].concat();
    let (receiver, address) = receiver(&into, &there);
    let here = ["--ladder", &picture, "--events", &events, "--link", "up.loss=at:2", "--seed", "1"];
    let command = [&["send", source.to_str().unwrap(), &address], &here[..], &common].concat();
    let sender = rdtp(&command).finish();
    let receiver = receiver.finish();
    assert!(sender.success && receiver.success, "{sender:?} {receiver:?}");
    let svg = fs::read_to_string(&picture).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains(">the network<"), "{svg}");
    assert!(svg.contains(">lost<"), "its own link lost the second packet");
    let text = &receiver.stdout;
    assert!(text.contains("the network │") && text.contains("│ B, receiver"), "{text}");
    assert!(text.contains("deliver message 0") && text.contains("stored "), "{text}");
    for (path, node) in [(&events, 0), (&seen, 1)] {
        let lines = fs::read_to_string(path).unwrap();
        let lines: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let own = lines.iter().filter(|line| line["node"] == node).count();
        assert!(own > 10, "{path}");
        let first = lines.iter().find(|line| line["node"] == node).unwrap();
        let expected = if node == 0 { "send" } else { "receive" };
        assert_eq!(first["event"], expected, "{path}: from the first event on");
        assert!(lines.iter().all(|line| line["node"] == node || line["event"] == "link"));
    }
}

#[test]
fn a_recording_that_cannot_be_written_is_known_before_the_transfer() {
    let ladder = rdtp(&["recv", "127.0.0.1:0", "--ladder", "/no/such/place.svg"]).finish();
    assert_eq!(ladder.code, Some(1));
    assert!(ladder.stderr.contains("/no/such/place.svg"), "{ladder:?}");
    let events = rdtp(&["recv", "127.0.0.1:0", "--events", "-"]).finish();
    assert_eq!(events.code, Some(2));
    assert!(events.stderr.contains("--events needs a file here"), "{events:?}");
}
