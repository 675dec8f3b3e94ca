//! `rdtp chat` as its users run it: processes, real sockets, pipes.
#![cfg(feature = "cli")]

mod compat;
mod person;
#[path = "../support/program.rs"]
mod program;
mod screen;
mod session;
mod terminal;

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use person::{Person, Server};
use program::Directory;

const CARRIERS: [&str; 6] = ["tcp", "udp", "rdt", "rdt3.0", "gbn", "sr"];

/// When a test has waited for too long.
fn patience() -> Instant {
    #[allow(clippy::disallowed_methods, reason = "a test waits for another process")]
    let now = Instant::now();
    now + Duration::from_mins(1)
}

fn is_over(limit: Instant) -> bool {
    patience() > limit + Duration::from_mins(1)
}

fn pause(millis: u64) {
    #[allow(clippy::disallowed_methods, reason = "a test waits for another process")]
    thread::sleep(Duration::from_millis(millis));
}

/// The same words over every carrier come to the same lines.
#[test]
fn one_chat_over_every_carrier() {
    for over in CARRIERS {
        let server = Server::start(over, &[]);
        let mut ana = Person::join("ana", &server, &[]);
        let mut bob = Person::join("bob", &server, &[]);
        ana.say("hello, everybody here");
        bob.heard.wait_for("[#lobby] ana: hello, everybody here");
        bob.say("/msg ana just for you");
        ana.heard.wait_for("[private] bob: just for you");
        bob.say("/poke ana");
        ana.heard.wait_for("bob pokes you");
        ana.say("$userlist");
        ana.heard.wait_for("* Here (2): ana, bob");
        ana.say("/create den");
        ana.heard.wait_for("You are in #den");
        bob.say("/join den");
        ana.heard.wait_for("bob is in #den");
        bob.say("/me looks around");
        ana.heard.wait_for("[#den] * bob looks around");
        ana.say("/roomlist");
        ana.heard.wait_for("* Rooms (2): den (2), lobby (2)");
        ana.say("/kick");
        bob.heard.wait_for("You were put out of #den");
        ana.say("/ping");
        ana.heard.wait_for("* Round trip: ");
        ana.say("/nosuch");
        ana.heard.wait_for("No command /nosuch");
        ana.say("/join");
        ana.heard.wait_for("* Usage: /join <room>: go into a room");
        ana.say("//etc is a folder");
        ana.say("/s to all of you");
        bob.heard.wait_for("[all] ana: to all of you");
        bob.say("/QUIT");
        assert_eq!(bob.ends(), Some(0), "{over}");
        ana.say(":q");
        assert_eq!(ana.ends(), Some(0), "{over}");
    }
}

/// A pipe is said to the end, and the program goes when all of it has arrived.
#[test]
fn a_pipe_is_said_to_the_end() {
    for over in ["tcp", "rdt", "gbn"] {
        let server = Server::start(over, &["--rate", "1000", "--burst", "100"]);
        let bob = Person::join("bob", &server, &[]);
        let target = format!("ana@{}", server.address);
        let mut ana = Person::chat(&[&target, "--over", over]);
        for n in 0..200 {
            ana.say(&format!("line {n}."));
        }
        ana.shut();
        assert_eq!(ana.ends(), Some(0));
        bob.heard.wait_for("line 199.");
        let said: Vec<_> =
            bob.heard.lines().into_iter().filter(|line| line.contains("line ")).collect();
        let expected: Vec<_> = (0..200).map(|n| format!("[#lobby] ana: line {n}.")).collect();
        assert_eq!(said, expected, "{over}");
    }
}

/// A file arrives whole, is called what it is called, and overwrites nothing.
#[test]
fn files_are_agreed_on_carried_and_stored() {
    let directory = Directory::new("chat-files");
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n * 7 / 3).to_le_bytes()[0]).collect();
    fs::write(directory.path("report.bin"), &bytes).expect("a file");
    let (path, into) = (directory.path("report.bin"), directory.path("in"));
    fs::create_dir(&into).expect("a directory");
    let (path, into) = (path.to_str().expect("UTF-8"), into.to_str().expect("UTF-8"));
    for (at, over) in ["tcp", "rdt", "gbn", "sr"].into_iter().enumerate() {
        let server = Server::start(over, &[]);
        let mut ana = Person::join("ana", &server, &[]);
        let mut bob = Person::join("bob", &server, &["--into", into]);
        ana.say(&format!("/file bob {path}"));
        bob.heard.wait_for("ana offers report.bin (3000000 bytes)");
        bob.say("/accept");
        let stored = bob.heard.wait_for("stored as");
        let delivered = ana.heard.wait_for("delivered, 3,000,000 bytes, BLAKE3 ");
        let digest = delivered.rsplit(' ').next().expect("a digest");
        assert!(stored.contains(digest), "{stored}");
        assert!(bob.heard.has("report.bin: 50 %") && ana.heard.has("report.bin: 50 %"));
        let name = if at == 0 { "in/report.bin".into() } else { format!("in/report ({at}).bin") };
        assert_eq!(fs::read(directory.path(&name)).expect("stored"), bytes, "{over}");
        bob.say(&format!("/file ana {path}"));
        ana.heard.wait_for("bob offers");
        ana.say("/decline");
        bob.heard.wait_for("report.bin: declined");
    }
    let names = directory.names("in");
    assert!(names.iter().all(|name| name.starts_with("report")), "nothing half is left: {names:?}");
}

/// On the transport a line does not wait for a file.
#[test]
fn talk_passes_a_file_on_the_transport() {
    let directory = Directory::new("chat-passing");
    fs::write(directory.path("big.bin"), vec![7; 2_000_000]).expect("a file");
    let path = directory.path("big.bin");
    let server = Server::start("rdt", &[]);
    // Two megabytes take sixteen seconds here.
    let mut ana =
        Person::join("ana", &server, &["--link", "rate=1mbit,queue=32KiB", "--seed", "1"]);
    let into = directory.path("");
    let bob = Person::join("bob", &server, &["--accept", "--into", into.to_str().expect("UTF-8")]);
    ana.say(&format!("/file bob {}", path.to_str().expect("UTF-8")));
    ana.heard.wait_for("big.bin: 25 %");
    ana.say("meanwhile");
    bob.heard.wait_for("[#lobby] ana: meanwhile");
    assert!(!bob.heard.has("stored as"), "the file was there first");
}

/// A server is killed and started again: its clients come back by themselves, what was typed
/// meanwhile arrives, and nothing is shown twice.
#[test]
fn a_killed_server_is_rejoined() {
    for over in ["tcp", "rdt"] {
        let mut server = Server::start(over, &[]);
        let mut ana = Person::join("ana", &server, &[]);
        let bob = Person::join("bob", &server, &[]);
        ana.say("/join den");
        let mut carl = Person::join("carl", &server, &[]);
        carl.say("/join den");
        ana.heard.wait_for("carl is in #den");
        ana.say("before");
        carl.heard.wait_for("[#den] ana: before");
        server.program.kill();
        ana.heard.wait_for("The connection is lost");
        ana.say("meanwhile");
        let again = Server::at(&server.address, over, &[]);
        carl.heard.wait_for("[#den] ana: meanwhile");
        ana.say("/s after");
        for person in [&bob, &carl] {
            person.heard.wait_for("[all] ana: after");
            assert_eq!(person.heard.count("after"), 1);
        }
        for text in ["before", "meanwhile"] {
            assert_eq!(carl.heard.count(text), 1, "{over}: {text}");
        }
        drop(again);
    }
}

/// C6, S1-23: a server without connections cannot say that it goes, but its machine does, as soon as
/// anything is sent there. Who is in the chat reads so long before the silence would have told.
#[test]
fn a_server_that_is_gone_is_noticed_from_icmp() {
    for over in CARRIERS.into_iter().filter(|&over| over != "tcp") {
        let mut server = Server::start(over, &[]);
        let mut ana = Person::join("ana", &server, &[]);
        server.program.kill();
        for n in 0..3 {
            ana.say(&format!("is anybody there? {n}"));
        }
        let gone = format!("* Nobody is at {} any more", server.address);
        ana.heard.wait_for(&gone);
        ana.heard.wait_for("* The connection is lost; trying again.");
        // Until it is back it is tried again, and not told again.
        let again = Server::at(&server.address, over, &[]);
        ana.heard.wait_for("* Connected again as ana.");
        assert_eq!(ana.heard.count(&gone), 1, "{over}");
        ana.say("/list");
        ana.heard.wait_for("* Here (1): ana");
        drop(again);
    }
}

/// C6: the machine of a client that is gone says so as soon as anything is sent there, long before its
/// lease ends. Others lose nothing by it.
#[test]
#[cfg(target_os = "linux")]
fn a_client_that_is_gone_is_noticed_from_icmp() {
    let server = Server::start("udp", &[]);
    let mut ana = Person::join("ana", &server, &[]);
    let mut bob = Person::join("bob", &server, &[]);
    let carl = Person::join("carl", &server, &[]);
    bob.kill();
    for n in 0..6 {
        ana.say(&format!("message {n}"));
        carl.heard.wait_for(&format!("ana: message {n}"));
    }
    let lost = server.program.heard.wait_for("\"lost\"");
    assert!(lost.contains("bob"), "{lost}");
    ana.say("/list");
    ana.heard.wait_for("* Here (2): ana, carl");
}

/// A server that is asked to stop tells everybody.
#[test]
fn a_stop_is_told() {
    let mut server = Server::start("tcp", &[]);
    let ana = Person::join("ana", &server, &[]);
    program::interrupt(server.program.child.id());
    ana.heard.wait_for("The server stops.");
    assert_eq!(server.program.ends(), Some(0));
    server.program.heard.wait_for("\"stopped\"");
}

/// C24: who finds nobody says so, and serves only when that was asked for.
#[test]
fn nobody_answers() {
    for over in CARRIERS {
        let server = Server::start(over, &[]);
        let address = server.address.clone();
        drop(server);
        let mut alone = Person::chat(&[&address, "--over", over]);
        assert_eq!(alone.ends(), Some(1), "{over}");
        alone.heard.wait_for("nobody answers; start a server there");
        let mut kept = Person::chat(&[&address, "--over", over, "--or-serve", "--no-fallback"]);
        assert_eq!(kept.ends(), Some(1), "{over}");
        let instead = Person::chat(&[&address, "--over", over, "--or-serve"]);
        instead.heard.wait_for("nobody answers there, so this program serves");
        instead.heard.wait_for("listening");
        let (over, program) = (over.to_owned(), instead);
        let server = Server { program, address, over };
        Person::join("ana", &server, &[]);
    }
}

/// S3, S4: two without a server between them.
#[test]
fn two_without_a_server() {
    let mut first = Person::chat(&["--peer", "0"]);
    let line = first.heard.wait_for("waiting for the other at");
    let port = line.rsplit(':').next().expect("a port").to_owned();
    let mut second = Person::chat(&["--peer", &format!("ana@127.0.0.1:{port}")]);
    second.heard.wait_for("* You are ana");
    second.say("hello");
    first.heard.wait_for("[#lobby] ana: hello");
    first.say("hello yourself");
    second.heard.wait_for("[#lobby] host: hello yourself");
    second.say(":q");
    assert_eq!(second.ends(), Some(0));
    first.say(":q");
    assert_eq!(first.ends(), Some(0));
}

/// Nothing that others write steers a terminal.
#[test]
fn no_escape_reaches_a_terminal() {
    let server = Server::start("tcp", &[]);
    let mut ana = Person::join("ana", &server, &[]);
    let bob = Person::join("bob", &server, &[]);
    ana.say("\u{1b}]52;c;aGk=\u{7}\u{9b}2J\u{202e}x");
    let line = bob.heard.wait_for("[#lobby] ana: ");
    assert_eq!(line, "[#lobby] ana: \\x1b]52;c;aGk=\\x07\\u{9b}2J\\u{202e}x");
}

/// One who says as much as its connection takes is read more slowly, and neither it nor anybody else is
/// thrown out.
#[test]
fn a_flooder_is_slowed_down_and_stays() {
    for over in ["tcp", "rdt"] {
        let server = Server::start(over, &[]);
        let users = ["--users", "6", "--members", "6", "--every", "200ms", "--span", "2s"];
        let load = ["chat", "load", &server.address, "--over", over, "--flood", "--json"];
        let finished = program::rdtp(&[&load[..], &users[..]].concat()).finish();
        assert!(finished.success, "{finished:?}");
        let lines: Vec<serde_json::Value> =
            finished.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let events: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
        assert_eq!(events, ["connected", "measured", "measured", "flooder"], "{over}");
        assert_eq!(lines[3]["lost"], 0, "{over}: {}", lines[3]);
        assert!(lines[3]["sent"].as_u64() > Some(1_000), "{over}: {}", lines[3]);
        assert!(!server.program.heard.has("Flooding"), "{:?}", server.program.heard.lines());
    }
}

/// For machines there are objects.
#[test]
fn simulated_chatters_are_counted_in_json() {
    let run = program::rdtp(&["chat", "simulate", "--chatters", "40", "--runs", "2", "--json"]);
    let finished = run.finish();
    assert!(finished.success, "{}", finished.stderr);
    let lines: Vec<serde_json::Value> =
        finished.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2);
    for (seed, line) in (1..).zip(&lines) {
        assert_eq!(line["seed"], seed);
        assert_eq!((&line["said"], &line["missing"]), (&120.into(), &0.into()));
        assert!(line["latency_p99_ms"].as_f64().expect("a number") > 0.0);
    }
}

/// Every language has the words of the whole program.
#[test]
fn three_languages() {
    let server = Server::start("tcp", &[]);
    for (lang, welcome) in [("pt", "* Você é ana"), ("es", "* Eres ana"), ("en", "* You are ana")]
    {
        let mut ana = Person::chat(&[&format!("ana@{}", server.address), "--lang", lang]);
        ana.heard.wait_for(welcome);
        ana.say("/sair");
        assert_eq!(ana.ends(), Some(0));
    }
}
