//! `rdtp bench`, for fractions of a second: what it prints, not how fast it is.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

fn bench(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rdtp"));
    command.arg("bench").args(args);
    command
}

const SHORT: [&str; 6] = ["--time", "300ms", "--warm-up", "50ms", "--interval", "100ms"];

fn run(args: &[&str]) -> Output {
    bench(&["run"]).args(SHORT).args(args).output().unwrap()
}

fn json(args: &[&str]) -> Vec<Value> {
    let output = run(&[&["--json"][..], args].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {errors}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

fn of<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == name).collect()
}

fn bytes(result: &Value, field: &str) -> u64 {
    result[field].as_u64().unwrap_or_else(|| panic!("{field} in {result}"))
}

#[test]
fn tcp_is_measured_beside_and_every_option_is_told() {
    let events = json(&["--tcp", "--window", "256KiB", "--packet", "1472", "--spin", "0s"]);
    let options = of(&events, "options")[0];
    for (name, value) in [("window_bytes", 256 << 10), ("packet_bytes", 1472)] {
        assert_eq!(bytes(options, name), value);
    }
    assert_eq!(options["direction"], "upload");
    assert_eq!(options["congestion"], "bbr");
    assert_eq!((options["plain"].as_bool(), options["spin_us"].as_f64()), (Some(false), Some(0.0)));
    let results = of(&events, "result");
    let names: Vec<_> = results.iter().map(|result| result["transport"].as_str()).collect();
    assert_eq!(names, [Some("rdtp"), Some("tcp")]);
    for result in results {
        assert!(bytes(result, "sent_bytes") > 0, "{result}");
        assert_eq!(bytes(result, "received_bytes"), 0, "{result}");
        assert!(bytes(result, "peer_received_bytes") >= bytes(result, "sent_bytes"), "{result}");
        assert!(result["bits_per_second"].as_f64().unwrap() > 0.0);
        assert!(result["cpu_seconds_per_gib"].as_f64().unwrap() > 0.0);
    }
    let intervals = of(&events, "interval");
    assert!(intervals.iter().any(|interval| interval["transport"] == "tcp"));
    let ours = intervals.iter().find(|interval| interval["transport"] == "rdtp").unwrap();
    for name in ["window_bytes", "srtt_us", "resent_bytes", "cpu"] {
        assert!(ours[name].is_number(), "{name} in {ours}");
    }
    assert!(of(&events, "ratio")[0]["throughput"].as_f64().unwrap() > 0.0);
}

#[test]
fn bulk_goes_either_way_and_both() {
    for (direction, up, down) in [("download", false, true), ("both", true, true)] {
        let events = json(&["--direction", direction, "--tcp"]);
        for result in of(&events, "result") {
            assert_eq!(bytes(result, "sent_bytes") > 1000, up, "{result}");
            assert_eq!(bytes(result, "received_bytes") > 1000, down, "{result}");
        }
    }
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn serve(args: &[&str]) -> (Server, String) {
    let mut child =
        bench(&["serve", "127.0.0.1:0"]).args(args).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split_whitespace().last().unwrap().to_owned();
    (Server(child), address)
}

#[test]
fn a_server_serves_one_after_the_other_for_people_too() {
    let (_server, address) = serve(&["--plain"]);
    for _ in 0..2 {
        let output = run(&[&address, "--plain", "--packet", "1200"]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains(&format!("upload with {address}")), "{text}");
        assert!(text.contains("offload off"), "{text}");
        assert!(text.contains("CPU s/GiB") && text.contains("bytes resent"), "{text}");
    }
}

#[test]
fn what_cannot_be_is_said() {
    let output = bench(&["run", "--time", "0s"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let output = run(&["nowhere.invalid:1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("HOST:PORT"));
    let (_server, address) = serve(&[]);
    let output = bench(&["serve", &address]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "the port is taken");
}
