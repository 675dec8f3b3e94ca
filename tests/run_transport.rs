//! `rdtp run transport` as its users run it: the report, the plot, qlog, events, the ladder.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

#[path = "support/program.rs"]
mod program;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use program::{Directory, Finished, rdtp};
use serde_json::Value;

fn run(arguments: &[&str]) -> Finished {
    rdtp(&[&["run", "transport"], arguments].concat()).finish()
}

const LINK: &str =
    "loss=2%,dup=1%,corrupt=1%,delay=20ms±10ms,jitter=reorder,rate=20mbit,queue=64KiB";
const BAD: [&str; 8] = ["--link", LINK, "--seed", "3", "--bytes", "400kB", "--controller", "cubic"];

#[test]
fn a_transfer_is_reported_to_people_and_to_programs() {
    let done = run(&BAD);
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    let first = "intact: 400,000 of 400,000 bytes delivered in";
    assert!(done.stdout.starts_with(first), "{}", done.stdout);
    assert!(done.stdout.contains("BLAKE3 equal") && done.stdout.ends_with("seed 3\n"));
    for word in ["goodput ", "packets ", "losses ", "window ", "round trip ", "limited by "] {
        assert!(done.stdout.lines().any(|line| line.starts_with(word)), "{word}: {}", done.stdout);
    }
    assert_eq!(run(&BAD).stdout, done.stdout, "same seed, same bytes");

    let done = run(&[&BAD[..], &["--json"]].concat());
    let result: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(result["intact"], true);
    assert_eq!(result["bytes_delivered"], 400_000);
    assert_eq!(result["blake3_sent"], result["blake3_delivered"]);
    let number = |name: &str| result[name].as_u64().unwrap();
    assert!(number("packets_lost") > 0 && number("bytes_sent_again") > 0, "{result}");
    let real = |name: &str| result[name].as_f64().unwrap();
    let seconds = real("elapsed_ns") / 1e9;
    let goodput = 400_000.0 * 8.0 / seconds;
    assert!((goodput / real("goodput_bits_per_second") - 1.0).abs() < 0.001, "{result}");
    assert!(result["share_of_limit"].as_f64().unwrap() < 1.0);
    let limited = result["limited_ns"].as_object().unwrap();
    let sum: u64 = limited.values().map(|time| time.as_u64().unwrap()).sum();
    assert!(sum >= number("elapsed_ns"), "{result}");
}

#[test]
fn a_clean_bottleneck_is_filled() {
    let link = "delay=25ms,rate=20mbit,queue=125000B";
    for controller in ["bbr", "bbr-lossy", "cubic", "newreno", "fixed:187500B"] {
        let args = ["--link", link, "--controller", controller, "--duration", "4s", "--json"];
        let done = run(&[&args[..], &["--seed", "1"]].concat());
        assert_eq!(done.code, Some(0), "{controller}: {}{}", done.stdout, done.stderr);
        let result: Value = serde_json::from_str(&done.stdout).unwrap();
        let share = result["share_of_limit"].as_f64().unwrap();
        assert!((0.85..=1.0).contains(&share), "{controller}: {share}");
        let seconds = result["elapsed_ns"].as_f64().unwrap() / 1e9;
        assert!((4.0..4.5).contains(&seconds), "{controller} took {seconds} s instead of 4");
    }
}

#[test]
fn what_does_not_arrive_fails_and_says_why() {
    let done = run(&["--link", "loss=100%", "--seed", "1", "--bytes", "10kB"]);
    assert_eq!(done.code, Some(1));
    let words = "the connection ended: nobody answered: 0 of 10,000 bytes";
    assert!(done.stdout.starts_with(words), "{}", done.stdout);
    let done = run(&["--link", "delay=1s", "--seed", "1", "--limit", "500ms"]);
    assert_eq!(done.code, Some(1));
    assert!(done.stdout.starts_with("out of time: 0 of "), "{}", done.stdout);
}

/// Every element is closed, in order.
fn well_formed(svg: &str) {
    let mut open = Vec::new();
    for part in svg.split('<').skip(1) {
        let (tag, _) = part.split_once('>').expect("a tag ends");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        match (tag.starts_with('/'), tag.ends_with('/')) {
            (true, _) => assert_eq!(open.pop(), Some(name)),
            (false, false) => open.push(name),
            (false, true) => {}
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn the_plot_has_its_panels_and_stays_small() {
    let directory = Directory::new("plot");
    let path = directory.path("out.svg");
    let to = ["--plot", path.to_str().unwrap()];
    let done = run(&[&BAD[..], &to].concat());
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let svg = fs::read_to_string(&path).unwrap();
    well_formed(&svg);
    let panels = ["Window", "Round trip", "Sequence"];
    let strips = ["Limited by", "Phase"];
    for name in panels.into_iter().chain(strips) {
        assert_eq!(svg.matches(&format!(">{name}<")).count(), 1, "{name}");
    }
    let lines = ["congestion window", "bytes in flight", "slow-start threshold", "smoothed"];
    let marks = ["sent again", "found lost", ">time in ", ">recovery "];
    for words in lines.into_iter().chain(marks) {
        assert!(svg.contains(words), "{words}");
    }
    assert!(!svg.contains("NaN") && !svg.contains("M-"), "a coordinate out of the picture");
    // Ten seconds at full rate: a hundred thousand packets and their ACKs.
    let fast = ["--link", "delay=25ms,rate=100mbit,queue=625000B", "--duration", "10s"];
    let done = run(&[&fast[..], &["--seed", "1"], &to].concat());
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let svg = fs::read_to_string(&path).unwrap();
    well_formed(&svg);
    assert!((50_000..700_000).contains(&svg.len()), "{} bytes", svg.len());
}

/// What the drafts of qlog require of an event, and that all of them fit together.
#[test]
fn qlog_is_what_viewers_read() {
    let directory = Directory::new("qlog");
    let path = directory.path("out.qlog");
    let done = run(&[&BAD[..], &["--qlog", path.to_str().unwrap()]].concat());
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let file: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!((&file["qlog_version"], &file["qlog_format"]), (&"0.3".into(), &"JSON".into()));
    let traces = file["traces"].as_array().unwrap();
    let kinds: Vec<_> = traces.iter().map(|trace| &trace["vantage_point"]["type"]).collect();
    assert_eq!(kinds, ["client", "server"]);
    let [client, server] = [0, 1].map(|side| check_trace(&traces[side]));
    for (one, other) in [(&client, &server), (&server, &client)] {
        assert!(!one.received.is_empty());
        assert!(one.received.iter().all(|number| other.sent.contains_key(number)));
        let expected = [
            "connectivity:connection_started",
            "connectivity:connection_state_updated",
            "recovery:metrics_updated",
            "transport:packet_received",
            "transport:packet_sent",
        ];
        assert!(expected.iter().all(|name| one.names.contains(*name)), "{:?}", one.names);
    }
    let losses = ["recovery:packet_lost", "recovery:congestion_state_updated"];
    assert!(losses.iter().all(|name| client.names.contains(*name)), "{:?}", client.names);
}

/// What a trace tells: packets by number, the names of events.
struct Told {
    sent: BTreeMap<u64, Value>,
    received: BTreeSet<u64>,
    names: BTreeSet<String>,
}

fn check_trace(trace: &Value) -> Told {
    let (mut sent, mut received) = (BTreeMap::new(), BTreeSet::new());
    let mut names = BTreeSet::new();
    assert_eq!(trace["common_fields"]["time_format"], "relative");
    assert_eq!(trace["common_fields"]["reference_time"], 0);
    let mut before = 0.0;
    for event in trace["events"].as_array().unwrap() {
        let now = event["time"].as_f64().unwrap();
        assert!(now >= before, "{event} after {before}");
        before = now;
        let (name, data) = (event["name"].as_str().unwrap(), &event["data"]);
        names.insert(name.to_owned());
        assert!(name.split_once(':').is_some() && data.is_object(), "{event}");
        let header = || (data["header"]["packet_number"].as_u64(), &data["header"]["packet_type"]);
        match name {
            "transport:packet_sent" => {
                let (number, kind) = header();
                assert!(data["raw"]["length"].as_u64().unwrap() > 0);
                assert!(!data["frames"].as_array().unwrap().is_empty(), "{event}");
                sent.insert(number.unwrap(), kind.clone());
            }
            "transport:packet_received" => {
                received.insert(header().0.unwrap());
                for frame in data["frames"].as_array().unwrap() {
                    check_frame(frame, &sent);
                }
            }
            "recovery:packet_lost" => {
                let (number, kind) = header();
                assert_eq!(sent.get(&number.unwrap()), Some(kind), "never sent: {event}");
                assert!(data["trigger"].is_string());
            }
            "recovery:metrics_updated" => {
                let some = ["congestion_window", "smoothed_rtt"];
                assert!(some.iter().any(|name| data[name].is_number()), "{event}");
            }
            "recovery:congestion_state_updated"
            | "connectivity:connection_state_updated"
            | "rdtp:limited" => assert!(data["old"].is_string() && data["new"].is_string()),
            _ => {}
        }
    }
    Told { sent, received, names }
}

fn check_frame(frame: &Value, sent: &BTreeMap<u64, Value>) {
    match frame["frame_type"].as_str().unwrap() {
        "ack" => {
            assert!(frame["ack_delay"].is_number());
            let ranges = frame["acked_ranges"].as_array().unwrap();
            assert!(!ranges.is_empty());
            let mut after = None;
            for range in ranges {
                let [first, last] = [0, 1].map(|at| range[at].as_u64().unwrap());
                assert!(first <= last && after.is_none_or(|after| first > after), "{frame}");
                assert!(sent.contains_key(&last), "{last} was never sent");
                after = Some(last);
            }
        }
        "stream" => {
            assert!(["stream_id", "offset", "length"].iter().all(|name| frame[name].is_u64()));
        }
        _ => {}
    }
}

#[test]
fn events_and_ladder_go_to_files_or_standard_output() {
    let link = "up.loss=at:3,delay=25ms";
    let few = ["--link", link, "--bytes", "20kB", "--seed", "1", "--copies", "0"];
    let done = run(&[&few[..], &["--events", "-"]].concat());
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert!(done.stderr.starts_with("intact"), "{}", done.stderr);
    let events: Vec<Value> =
        done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!(count("packet_lost"), 1);
    assert!(count("packet_sent") > 20 && count("frame") > count("packet_sent"));
    let transport = events.iter().filter(|event| event["event"] != "link");
    assert!(transport.clone().all(|event| event["node"].is_u64()));
    assert!(transport.clone().all(|event| event["connection"].as_str().unwrap().len() == 16));

    let done = run(&[&few[..], &["--ladder", "-"]].concat());
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    for words in ["✗ lost", "established", "S0 0+", "lost: later ones", "═", "draining"] {
        assert!(done.stdout.contains(words), "{words}: {}", done.stdout);
    }
    let picture = done.stdout.lines().take_while(|line| !line.starts_with("intact")).skip(1);
    assert!(picture.clone().count() > 20);
    assert!(picture.clone().all(|line| line.chars().count() <= 80), "{}", done.stdout);

    let directory = Directory::new("transport-ladder");
    let path = directory.path("ladder.svg");
    let done = run(&[&few[..], &["--ladder", path.to_str().unwrap()]].concat());
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let svg = fs::read_to_string(&path).unwrap();
    well_formed(&svg);
    assert!(svg.contains(">lost<") && svg.contains("established"));
}

#[test]
fn options_that_make_no_sense_are_bad_usage() {
    for wrong in [
        &["--messages", "5"][..],
        &["--window", "4"],
        &["--states", "out.svg"],
        &["--timeout", "adaptive"],
        &["--checksum", "crc32c"],
        &["--step"],
        &["--controller", "reno"],
        &["--bytes", "many"],
        &["--bytes", "1MB", "--duration", "1s"],
    ] {
        let done = run(wrong);
        assert_eq!(done.code, Some(2), "{wrong:?}: {}", done.stdout);
        assert!(done.stderr.contains(wrong[0]), "{wrong:?}: {}", done.stderr);
    }
    for option in [["--bytes", "1MB"], ["--plot", "out.svg"], ["--controller", "cubic"]] {
        let done = rdtp(&[&["run", "rdt3.0"], &option[..]].concat()).finish();
        assert_eq!(done.code, Some(2), "{option:?}");
        assert!(done.stderr.contains("is for transport"), "{}", done.stderr);
    }
    let done = run(&["--plot", "/no/such/directory/out.svg", "--bytes", "1kB"]);
    assert_eq!(done.code, Some(1));
    assert!(done.stderr.contains("/no/such/directory"), "{}", done.stderr);
}
