//! `rdtp monitor` as its users run it: two processes and real sockets, over every carrier, and with
//! programs that know nothing of this crate. Rows such as S1-16 are those of the original's
//! description.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/program.rs"]
mod program;

use std::{
    io::{BufRead as _, BufReader},
    net::UdpSocket,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use program::{Finished, Program, eventually, rdtp};
use serde_json::Value;

/// The side that answers, on a port of the system's choice, and its address.
fn answering(flags: &[&str]) -> (Program, String) {
    let mut serve = rdtp(&[&["monitor", "serve", "127.0.0.1:0", "--json"], flags].concat());
    let line: Value = serde_json::from_str(&serve.line()).unwrap();
    (serve, line["address"].as_str().unwrap().to_owned())
}

/// All events of a monitor with `--json`, and its summary.
fn events(finished: &Finished) -> (Vec<Value>, Value) {
    let lines = finished.stdout.lines();
    let mut events: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = events.pop().unwrap_or_else(|| panic!("{finished:?}"));
    assert_eq!(summary["event"], "summary", "{finished:?}");
    (events, summary)
}

fn statuses(events: &[Value]) -> Vec<&str> {
    let samples = events.iter().filter(|event| event["event"] == "sample");
    samples.map(|event| event["status"].as_str().unwrap()).collect()
}

/// S1-14, over everything that carries messages.
#[test]
fn every_carrier_carries_probes() {
    for over in ["udp", "tcp", "rdt", "rdt3.0", "gbn:4", "sr"] {
        let (_serve, address) = answering(&["--over", over]);
        let flags = ["--over", over, "--count", "5", "--interval", "30ms", "--json"];
        let finished = rdtp(&[&["monitor", &address], &flags[..]].concat()).finish();
        assert_eq!(finished.code, Some(0), "{over}: {finished:?}");
        let (events, summary) = events(&finished);
        assert_eq!((&events[0]["event"], &events[0]["over"]), (&"started".into(), &over.into()));
        assert_eq!(statuses(&events), ["normal"; 5], "{over}");
        for (field, expected) in
            [("sent", 5), ("answered", 5), ("lost", 0), ("samples_normal", 5), ("foreign", 0)]
        {
            assert_eq!(summary[field], expected, "{over} {field}: {summary}");
        }
        let [min, p50, max] =
            ["rtt_min_ms", "rtt_p50_ms", "rtt_max_ms"].map(|name| summary[name].as_f64().unwrap());
        assert!(0.0 < min && min <= p50 && p50 <= max && max < 100.0, "{over}: {summary}");
    }
}

/// S1-16 with the true values: a round trip of 50, 150 and 350 ms, and none; 100 ms and 300 ms are
/// the bounds, and two seconds the time to wait.
#[test]
fn s1_16_the_four_classes_with_the_true_values() {
    let running: Vec<_> = [
        ("delay=25ms", "Conexão Normal. Latência: ", 0),
        ("delay=75ms", "Conexão Lenta. Latência: ", 0),
        ("delay=175ms", "Conexão Muito Lenta. Latência: ", 0),
        ("loss=100%", "Conexão Inativa.", 1),
    ]
    .map(|(link, line, code)| {
        let (serve, address) = answering(&["--compat", "s1"]);
        let flags = [
            "--compat",
            "s1",
            "--interval",
            "100ms",
            "--count",
            "3",
            "--link",
            link,
            "--seed",
            "1",
        ];
        let monitor = rdtp(&[&["monitor", &address], &flags[..]].concat());
        (serve, monitor, link, line, code)
    })
    .into();
    for (_serve, monitor, link, line, code) in running {
        let finished = monitor.finish();
        let lines: Vec<&str> = finished.stdout.lines().collect();
        assert_eq!((lines.len(), finished.code), (3, Some(code)), "{link}: {finished:?}");
        assert!(lines.iter().all(|found| found.starts_with(line)), "{link}: {finished:?}");
        if code == 0 {
            let ms = lines[0].split_whitespace().nth_back(1).unwrap();
            assert_eq!(ms.split_once('.').unwrap().1.len(), 2, "S1-17: two decimals, {ms}");
        }
    }
}

/// R14: several in a row, and the end of it.
#[test]
fn an_outage_is_one_change_and_its_end_another() {
    let (_serve, address) = answering(&[]);
    let flags = ["--interval", "50ms", "--timeout", "40ms", "--count", "40", "--consecutive", "3"];
    let network = ["--link", "outage=600ms+700ms", "--seed", "1", "--json"];
    let finished = rdtp(&[&["monitor", &address], &flags[..], &network[..]].concat()).finish();
    let (events, summary) = events(&finished);
    let changes: Vec<_> = events.iter().filter(|event| event["event"] == "change").collect();
    let of = |change: &Value, field: &str| change[field].as_str().unwrap().to_owned();
    assert_eq!(changes.len(), 2, "{events:#?}");
    assert_eq!(
        (of(changes[0], "from"), of(changes[0], "to")),
        ("normal".into(), "inactive".into())
    );
    assert_eq!(
        (of(changes[1], "from"), of(changes[1], "to")),
        ("inactive".into(), "normal".into())
    );
    assert_eq!((&changes[0]["recovered"], &changes[1]["recovered"]), (&false.into(), &true.into()));
    assert!(summary["lost"].as_u64().unwrap() >= 10, "{summary}");
    assert!(
        summary["link_up"]["outage"].as_u64().unwrap() >= 10,
        "R7, what it really did: {summary}"
    );
}

/// R5: a port that nobody listens at is told as such, and survived until somebody does. Over TCP,
/// the transport and the book's protocols the monitor finds the new process by itself (R2).
#[test]
fn whoever_answers_may_come_late_and_come_back() {
    for over in ["udp", "tcp", "rdt", "sr"] {
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let flags = [
            "--over",
            over,
            "--interval",
            "60ms",
            "--timeout",
            "50ms",
            "--consecutive",
            "2",
            "--json",
        ];
        let mut monitor = rdtp(&[&["monitor", &address], &flags[..]].concat());
        let mut until = |wanted: &str| loop {
            let line: Value = serde_json::from_str(&monitor.line()).unwrap();
            if line["event"] == "change" && line["to"] == wanted {
                return;
            }
            if line["event"] == "sample" && over == "tcp" && line["status"] == "inactive" {
                assert!(line["reason"].is_string(), "{line}");
            }
        };
        until("inactive");
        for _ in 0..2 {
            let mut serve = rdtp(&["monitor", "serve", &address, "--over", over]);
            assert!(serve.line().contains("answering probes"));
            until("normal");
            serve.kill();
            until("inactive");
        }
        program::interrupt(monitor.id());
        let finished = monitor.finish();
        assert_eq!(finished.code, Some(0), "{over}: {finished:?}");
        assert!(finished.stdout.contains(r#""event":"summary""#), "Ctrl-C: {finished:?}");
    }
}

/// Without an answer the reason is said where it is known, and the status is 1.
#[test]
fn nobody_there() {
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    for (over, reason) in [("udp", "port unreachable"), ("tcp", "connection refused")] {
        let flags = ["--over", over, "--count", "1", "--timeout", "200ms", "--lang", "en"];
        let finished = rdtp(&[&["monitor", &address], &flags[..]].concat()).finish();
        assert_eq!(finished.code, Some(1), "{finished:?}");
        let line = format!("Connection Inactive. ({reason})");
        assert!(finished.stdout.contains(&line), "{finished:?}");
    }
}

/// A program of the standard library alone, as a child that does not outlive its test.
struct Script(Child, BufReader<ChildStdout>);

impl Script {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
        let python =
            Command::new("python3").arg(path).args(arguments).stdout(Stdio::piped()).spawn();
        let mut child = python.expect("python3 is there");
        let output = BufReader::new(child.stdout.take().unwrap());
        Self(child, output)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.1.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// S1-09, S1-14: our monitor and the original's server. A line of the chat, which the server sends
/// to the monitor as to everybody, is no answer (C18).
#[test]
fn s1_our_monitor_asks_the_original() {
    let mut server = Script::start("s1_server.py", &["0"]);
    let port: u16 = server.line().parse().unwrap();
    assert_eq!(server.line(), "Servidor UDP aguardando mensagens...");
    let address = format!("127.0.0.1:{port}");
    let flags = ["--compat", "s1", "--interval", "300ms", "--count", "4"];
    let mut monitor = rdtp(&[&["monitor", &address], &flags[..]].concat());
    assert!(monitor.line().starts_with("Conexão Normal. Latência: "));
    let someone = UdpSocket::bind("127.0.0.1:0").unwrap();
    someone.send_to("Novo participante no chat.".as_bytes(), &address).unwrap();
    assert!(server.line().starts_with("Mensagem recebida de ('127.0.0.1', "));
    let finished = monitor.finish();
    assert!(finished.success, "{finished:?}");
    let lines: Vec<&str> = finished.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{finished:?}");
    assert!(lines.iter().all(|line| line.starts_with("Conexão Normal. Latência: ")), "{lines:?}");
}

/// The original's monitor and our answer: four bytes each way, and our phrases are its own.
#[test]
fn s1_the_original_asks_us() {
    let mut serve = rdtp(&["monitor", "serve", "127.0.0.1:0", "--compat", "s1", "--json"]);
    let line: Value = serde_json::from_str(&serve.line()).unwrap();
    let port = line["address"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    let mut original = Script::start("s1_monitor.py", &[&port, "3", "0.05"]);
    for _ in 0..3 {
        let line = original.line();
        assert!(
            line.starts_with("Conexão Normal. Latência: ") && line.ends_with("(4 bytes)"),
            "{line}"
        );
    }
    program::interrupt(serve.id());
    let finished = serve.finish();
    assert!(finished.stdout.contains(r#""answered":3,"ignored":0"#), "{finished:?}");
}

/// S1-06, to the letter, and nobody is registered: a message of the chat is answered by nothing.
#[test]
fn s1_our_answer_speaks_like_the_original() {
    let mut serve = rdtp(&["monitor", "serve", "127.0.0.1:0", "--compat", "s1", "--json"]);
    let line: Value = serde_json::from_str(&serve.line()).unwrap();
    let address = line["address"].as_str().unwrap().to_owned();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    for message in ["Novo participante no chat.", "ping!", "", "ping"] {
        client.send_to(message.as_bytes(), &address).unwrap();
    }
    let mut buffer = [0; 64];
    let (len, _) = client.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..len], b"ping", "the answer to the last of them is the only one");
    program::interrupt(serve.id());
    assert!(serve.finish().stdout.contains(r#""answered":1,"ignored":3"#));

    let mut serve = rdtp(&["monitor", "serve", "127.0.0.1:0", "--compat", "s1"]);
    assert_eq!(serve.line(), "Servidor UDP aguardando mensagens...\n");
}

/// In virtual time everything repeats to the byte, and an hour takes no time.
#[test]
fn a_simulated_hour_repeats() {
    for over in ["udp", "rdt", "sr"] {
        let flags = ["monitor", "--simulate", "--over", over, "--count", "360", "--seed", "7"];
        let network = ["--link", "loss=10%,delay=60ms~20ms", "--lang", "en"];
        let run = || rdtp(&[&flags[..], &network[..]].concat()).finish();
        let (first, second) = (run(), run());
        assert!(first.success, "{first:?}");
        assert_eq!(first.stdout, second.stdout);
        assert!(first.stdout.contains("360 probes, "), "{over}: {}", first.stdout);
    }
}

/// From the first line to the summary it is one language.
#[test]
fn the_whole_output_is_in_the_language_that_was_chosen() {
    for (lang, parts) in [
        ("pt", ["monitorando", "abaixo de", "3 medições, 3 respondidas", "ida e volta min"]),
        ("es", ["vigilando", "por debajo de", "3 mediciones, 3 respondidas", "ida y vuelta min"]),
        ("en", ["monitoring", "below", "3 probes, 3 answered", "round trip min"]),
    ] {
        let flags = ["monitor", "--simulate", "--count", "3", "--lang", lang];
        let finished = rdtp(&flags).finish();
        assert!(finished.success, "{finished:?}");
        for part in parts {
            assert!(finished.stdout.contains(part), "{lang}: {part:?}: {}", finished.stdout);
        }
    }
}

/// The picture on a terminal is drawn in place, and the summary stays.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_a_picture() {
    let (_serve, address) = answering(&[]);
    let program = env!("CARGO_BIN_EXE_rdtp");
    let command = format!("{program} monitor {address} --count 3 --interval 50ms --lang en");
    // `script` (util-linux) gives it a terminal.
    let output = Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .output()
        .expect("script is there");
    let screen = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{screen}");
    for part in ["\x1b[6F", "\x1b[J", "next probe in", "3 probes, 3 answered, 0 lost (0.0%)", "▁"]
    {
        let found = screen.contains(part) || part == "▁" && screen.contains('█');
        assert!(found, "{part:?}: {screen:?}");
    }
    let summary = screen.split("--- ").nth(1).expect("a summary");
    assert!(summary.contains("Normal 3, Slow 0, Very Slow 0, Inactive 0"), "{summary:?}");
}

#[test]
fn nonsense_is_bad_usage() {
    for (flags, reason) in [
        (&["--over", "quic"][..], "write tcp, udp, rdt"),
        (&["--over", "tcp", "--link", "loss=1%"], "--link takes datagrams"),
        (&["--over", "tcp", "--simulate"], "cannot be simulated"),
        (&["--over", "tcp", "--compat", "s1"], "over UDP"),
        (&["--interval", "0s"], "would never stop"),
        (&["--interval", "1ms"], "nearly 1,000 intervals"),
        (&["--normal", "1s"], "very slow must not begin below slow"),
        (&["--consecutive", "0"], "at least one sample"),
        (&["127.0.0.1:99999"], "HOST:PORT"),
    ] {
        let finished = rdtp(&[&["monitor"], flags].concat()).finish();
        assert_eq!(finished.code, Some(2), "{flags:?}: {finished:?}");
        assert!(finished.stderr.contains(reason), "{flags:?}: {finished:?}");
    }
}

/// A peer that sends nonsense over TCP is left, and the next one is served.
#[test]
fn nonsense_over_tcp_ends_that_connection_only() {
    use std::{
        io::{Read as _, Write as _},
        net::TcpStream,
    };
    let (_serve, address) = answering(&["--over", "tcp"]);
    let mut stranger = TcpStream::connect(&address).unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut rest = Vec::new();
    let _ = stranger.read_to_end(&mut rest);
    assert_eq!(rest, b"", "closed without a word");
    // A probe byte by byte, and two in one piece.
    let mut slow = TcpStream::connect(&address).unwrap();
    slow.set_nodelay(true).unwrap();
    let probe = b"\x00\x0eRDTM\x01\x01abcdefgh";
    let reply = b"\x00\x0eRDTM\x01\x02abcdefgh";
    for byte in probe {
        slow.write_all(&[*byte]).unwrap();
    }
    slow.write_all(&[&probe[..], &probe[..]].concat()).unwrap();
    let mut answers = [0; 48];
    slow.read_exact(&mut answers).unwrap();
    assert_eq!(answers, *reply.repeat(3));
    let flags = ["--over", "tcp", "--count", "1"];
    let mut code = None;
    eventually(|| {
        code = rdtp(&[&["monitor", &address], &flags[..]].concat()).finish().code;
        code == Some(0)
    });
}
