//! `rdtp link`: programs that know nothing of this crate, behind a bad network.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/program.rs"]
mod program;

use std::{
    collections::BTreeSet,
    net::{SocketAddr, UdpSocket},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use program::{Program, rdtp};
use serde_json::Value;

/// Who spoke to the echo server, and how often it has answered.
type Heard = Arc<Mutex<(BTreeSet<SocketAddr>, u64)>>;

/// An echo server of the standard library.
fn echo() -> (SocketAddr, Heard) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let heard = Heard::default();
    let seen = Arc::clone(&heard);
    // Ends with the test's process.
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((len, source)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&buffer[..len], source);
            let mut seen = seen.lock().unwrap();
            seen.0.insert(source);
            seen.1 += 1;
        }
    });
    (address, heard)
}

/// A proxy that listens, its address, and its announcement.
fn proxy(target: SocketAddr, flags: &[&str]) -> (Program, SocketAddr, Value) {
    let target = target.to_string();
    let arguments = [&["link", "127.0.0.1:0", &target, "--json"], flags].concat();
    let mut proxy = rdtp(&arguments);
    let announced: Value = serde_json::from_str(&proxy.line()).unwrap();
    let address = announced["address"].as_str().unwrap().parse().unwrap();
    (proxy, address, announced)
}

fn client() -> UdpSocket {
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    client
}

fn received(client: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let (len, _) = client.recv_from(&mut buffer).expect("an answer within a minute");
    buffer[..len].to_vec()
}

/// Sends Ctrl-C and returns the report.
#[cfg(unix)]
fn interrupt(mut proxy: Program) -> Value {
    program::interrupt(proxy.id());
    let report = serde_json::from_str(&proxy.line()).unwrap();
    let finished = proxy.finish();
    assert!(finished.success, "{finished:?}");
    report
}

/// Every second datagram of each direction is lost, exactly: of twenty, ten reach the server, and
/// five of its ten answers come back.
#[cfg(unix)]
#[test]
fn effective_counts_are_exact() {
    let (target, heard) = echo();
    let (proxy, address, announced) = proxy(target, &["--link", "loss=every:1:2", "--seed", "7"]);
    assert_eq!((&announced["seed"], &announced["link"]), (&7.into(), &"loss=every:1:2".into()));
    let client = client();
    // In groups of four, each of which brings one answer: what is sent never outruns what is read.
    let mut answers = Vec::new();
    for group in 0..5_u8 {
        for n in 0..4 {
            client.send_to(&[group * 4 + n], address).unwrap();
        }
        answers.push(received(&client)[0] / 4);
    }
    assert_eq!(answers, [0, 1, 2, 3, 4]);
    program::eventually(|| heard.lock().unwrap().1 == 10);
    let report = interrupt(proxy);
    for (direction, offered) in [("up", 20), ("down", 10)] {
        let link = &report[direction];
        assert_eq!(
            (&link["offered"], &link["delivered"], &link["lost"], &link["effective_loss"]),
            (&offered.into(), &(offered / 2).into(), &(offered / 2).into(), &0.5.into()),
            "{direction} {report}"
        );
    }
    assert_eq!((&report["clients"], &report["refused"]), (&1.into(), &0.into()));
}

#[cfg(unix)]
#[test]
fn two_clients_get_their_own_answers() {
    let (target, heard) = echo();
    let (proxy, address, _) = proxy(target, &["--link", "perfect"]);
    let clients = [client(), client()];
    for round in 0..10_u8 {
        for (n, client) in (0_u8..).zip(&clients) {
            client.send_to(&[n, round], address).unwrap();
        }
        for (n, client) in (0_u8..).zip(&clients) {
            assert_eq!(received(client), [n, round]);
        }
    }
    assert_eq!(heard.lock().unwrap().0.len(), 2, "the server sees two peers");
    let report = interrupt(proxy);
    assert_eq!((&report["clients"], &report["up"]["delivered"]), (&2.into(), &20.into()));
}

#[test]
fn a_seed_is_drawn_and_printed_when_none_is_given() {
    let (target, _) = echo();
    let mut proxy =
        rdtp(&["link", "127.0.0.1:0", &target.to_string(), "--link", "lossy20", "--for", "10ms"]);
    assert!(proxy.line().contains("forwarding to"));
    let line = proxy.line();
    let (link, seed) = line.trim().split_once(", seed ").unwrap();
    assert_eq!(link, "link loss=20%");
    assert!(seed.parse::<u64>().is_ok(), "{line}");
    let finished = proxy.finish();
    assert!(finished.success && finished.stdout.contains("0 offered"), "{finished:?}");
}

#[test]
fn a_wrong_link_is_bad_usage() {
    let wrong = rdtp(&["link", "127.0.0.1:0", "127.0.0.1:9", "--link", "los=20%"]).finish();
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("\"los\" is no key of a link"), "{wrong:?}");
}
