//! Two hosts: network namespaces with a wire between them, and what happens to real networks. Without
//! root, or without `ip`, there is nothing to test, and a line says so.
#![cfg(all(feature = "cli", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/program.rs"]
mod program;

use std::{
    fs,
    net::SocketAddr,
    process::Command,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use program::{Directory, Finished, Program, rdtp_in};

/// `ip` with these words; why not, if it failed.
fn ip(words: &str) -> Result<(), String> {
    match Command::new("ip").args(words.split(' ')).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Two hosts, `a` at 10.77.0.1 and `b` at 10.77.0.2, with a wire between their interfaces `wire`.
struct Hosts {
    a: String,
    b: String,
}

impl Hosts {
    /// `None` where this cannot be had, which is said.
    fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Relaxed);
        let name = |side| format!("rdtp-{}-{number}{side}", std::process::id());
        let hosts = Self { a: name("a"), b: name("b") };
        if let Err(why) = ip(&format!("netns add {}", hosts.a)) {
            eprintln!("skipped: network namespaces need root and the command ip: {why}");
            return None;
        }
        let (a, b) = (&hosts.a, &hosts.b);
        for words in [
            format!("netns add {b}"),
            format!("link add wire netns {a} type veth peer name wire netns {b}"),
            format!("-n {a} addr add 10.77.0.1/24 dev wire"),
            format!("-n {b} addr add 10.77.0.2/24 dev wire"),
            format!("-n {a} link set lo up"),
            format!("-n {b} link set lo up"),
            format!("-n {a} link set wire up"),
            format!("-n {b} link set wire up"),
        ] {
            ip(&words).unwrap_or_else(|why| panic!("ip {words}: {why}"));
        }
        Some(hosts)
    }

    /// `ip` on the host `a`.
    fn on_a(&self, words: &str) {
        ip(&format!("-n {} {words}", self.a)).unwrap_or_else(|why| panic!("ip {words}: {why}"));
    }

    fn on_b(&self, words: &str) {
        ip(&format!("-n {} {words}", self.b)).unwrap_or_else(|why| panic!("ip {words}: {why}"));
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for name in [&self.a, &self.b] {
            // The second may not be there yet.
            let _ = ip(&format!("netns del {name}"));
        }
    }
}

const BYTES: usize = 1_500_000;
/// A few seconds for a file, so that there is a middle.
const SLOW: [&str; 2] = ["--link", "rate=4mbit,queue=64KiB"];

fn file() -> Vec<u8> {
    let mut file = vec![0; BYTES];
    rdtp::rng::Seed::new(4).split("file").rng().fill(&mut file);
    file
}

/// A file on its way from `a` to `b`.
struct Transfer {
    directory: Directory,
    sender: Program,
    receiver: Program,
}

impl Transfer {
    fn start(hosts: &Hosts, name: &str, protocol: &str, flags: &[&str]) -> Self {
        let directory = Directory::new(&format!("namespaces-{name}"));
        let (source, into) = (directory.path("source"), directory.path("into"));
        fs::create_dir(&into).unwrap();
        fs::write(&source, file()).unwrap();
        let here = into.to_str().unwrap();
        let listen =
            ["recv", "10.77.0.2:0", "--into", here, "--once", "--json", "--protocol", protocol];
        let mut receiver = rdtp_in(&hosts.b, &listen);
        let line = receiver.line();
        let is_address = |word: &&str| word.parse::<SocketAddr>().is_ok();
        let address = line.split('"').find(is_address).unwrap().to_owned();
        let send = ["send", source.to_str().unwrap(), &address, "--name", "f", "--json"];
        let sender = rdtp_in(&hosts.a, &[&send, &["--protocol", protocol][..], flags].concat());
        Self { directory, sender, receiver }
    }

    /// Waits until a part has arrived, and not all.
    fn midway(self) -> Self {
        let into = self.directory.path("into");
        let part =
            || fs::read_dir(&into).unwrap().next()?.ok()?.metadata().ok().map(|data| data.len());
        program::eventually(|| part().is_some_and(|bytes| bytes >= 65_536));
        assert_ne!(self.directory.names("into"), ["f"], "it is over already");
        self
    }

    /// Both succeed and the file is whole; what the sender says.
    fn arrives(self) -> serde_json::Value {
        let (sent, received) = (self.sender.finish(), self.receiver.finish());
        assert!(sent.success && received.success, "{sent:?} {received:?}");
        assert_eq!(self.directory.names("into"), ["f"]);
        assert!(fs::read(self.directory.path("into").join("f")).unwrap() == file(), "it differs");
        serde_json::from_str(sent.stdout.lines().next_back().unwrap()).unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "the network is to be that way for so long")]
fn for_a_while(millis: u64) {
    std::thread::sleep(Duration::from_millis(millis));
}

fn fails_in_one_line(sender: Program, says: &str) {
    let Finished { code, stderr, .. } = sender.finish();
    assert_eq!(code, Some(1), "{stderr}");
    let lines: Vec<_> = stderr.lines().filter(|line| !line.starts_with("link ")).collect();
    assert!(lines.len() == 1 && lines[0].contains(says), "{says}: {stderr}");
}

#[test]
fn an_interface_that_goes_down_and_comes_up_holds_a_transfer_up_for_so_long() {
    let Some(hosts) = Hosts::new() else { return };
    for (protocol, down) in [("transport", "a"), ("transport", "b"), ("sr", "a")] {
        let name = format!("down-{protocol}-{down}");
        let transfer = Transfer::start(&hosts, &name, protocol, &SLOW).midway();
        let set = |what| {
            let words = format!("link set wire {what}");
            if down == "a" { hosts.on_a(&words) } else { hosts.on_b(&words) }
        };
        set("down");
        for_a_while(1_200);
        set("up");
        transfer.arrives();
    }
}

#[test]
fn a_route_that_is_prohibited_for_a_while_is_survived() {
    let Some(hosts) = Hosts::new() else { return };
    for kind in ["prohibit", "unreachable", "blackhole"] {
        let transfer = Transfer::start(&hosts, kind, "transport", &SLOW).midway();
        hosts.on_a(&format!("route add {kind} 10.77.0.2/32"));
        for_a_while(800);
        hosts.on_a(&format!("route del {kind} 10.77.0.2/32"));
        transfer.arrives();
    }
}

/// A laptop moves to another network: its old address is gone, and it has none for a moment. The
/// connection is told, and tells the receiver, instead of waiting for a timeout.
#[test]
fn the_address_of_the_sender_changes_under_a_transfer() {
    let Some(hosts) = Hosts::new() else { return };
    let transfer = Transfer::start(&hosts, "moves", "transport", &SLOW).midway();
    hosts.on_a("addr del 10.77.0.1/24 dev wire");
    for_a_while(300);
    hosts.on_a("addr add 10.77.0.3/24 dev wire");
    let report = transfer.arrives();
    assert_eq!(report["transport"]["moves"], 1, "{report}");
}

/// The interface takes less than Ethernet, from the start or from the middle on (EMSGSIZE): packets
/// become shorter, and the file arrives.
#[test]
fn an_mtu_smaller_than_assumed_is_found_out() {
    let Some(hosts) = Hosts::new() else { return };
    let set = |mtu: u32| {
        hosts.on_a(&format!("link set wire mtu {mtu}"));
        hosts.on_b(&format!("link set wire mtu {mtu}"));
    };
    let packet_bytes =
        |report: &serde_json::Value| report["transport"]["packet_bytes"].as_u64().unwrap();
    let transfer = Transfer::start(&hosts, "mtu-whole", "transport:lan", &SLOW);
    assert_eq!(packet_bytes(&transfer.arrives()), 1472, "what Ethernet gives");
    let transfer = Transfer::start(&hosts, "mtu-later", "transport:lan", &SLOW).midway();
    set(1280);
    let report = transfer.arrives();
    assert!((1200..=1252).contains(&packet_bytes(&report)), "{report}");
    let report = Transfer::start(&hosts, "mtu-first", "transport:lan", &SLOW).arrives();
    assert!((1200..=1252).contains(&packet_bytes(&report)), "{report}");
}

#[test]
fn whom_nobody_can_reach_is_given_up_with_a_reason() {
    let Some(hosts) = Hosts::new() else { return };
    let directory = Directory::new("namespaces-nobody");
    let source = directory.path("source");
    fs::write(&source, b"x").unwrap();
    let send = |address: &str| {
        let command = ["send", source.to_str().unwrap(), address, "--protocol", "transport"];
        rdtp_in(&hosts.a, &[&command[..], &["--give-up", "1500ms"]].concat())
    };
    // Nobody has that address on the wire: the own system says so, after a while (EHOSTUNREACH).
    fails_in_one_line(send("10.77.0.9:7000"), "no answer for 1.5s");
    // No route leads there.
    fails_in_one_line(send("10.99.0.1:7000"), "unreachable");
    // The host is there, and nobody listens.
    fails_in_one_line(send("10.77.0.2:7000"), "nobody listens there");
}
