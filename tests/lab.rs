//! `rdtp lab` as its users run it: two processes, real sockets, no terminal. Tests are named after
//! the rows of the exercise's description.
#![cfg(feature = "cli")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use rdtp::app::lab::{LAST, PORT, input};

/// `rdtp lab` with these arguments.
fn lab(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rdtp"));
    command.arg("lab").args(args).env("LC_ALL", "C").stdin(Stdio::null());
    command
}

/// A folder of this test's own.
fn folder(test: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("lab-{test}"));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a folder for the test");
    path
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// A server on a port of the system's choice, which ends after one client.
struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    port: u16,
}

impl Server {
    fn start(args: &[&str]) -> Self {
        let mut child = lab(&["server", "--port", "0", "--once", "--quiet", "300ms"])
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("the first line");
        // In JSON, a quotation mark follows.
        let digits = line.split('"').find_map(|part| part.trim().strip_prefix("127.0.0.1:"));
        let digits = digits.or_else(|| line.trim().rsplit(':').next());
        let port = digits.and_then(|port| port.parse().ok());
        Self { child, output, port: port.unwrap_or_else(|| panic!("no port in {line:?}")) }
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Whether it ended well, and what it printed.
    fn finish(mut self) -> (bool, String) {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("the server's output");
        (self.child.wait().expect("the server ends").success(), rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A list by its name in the server's output.
fn list(output: &str, name: &str) -> Vec<String> {
    let start = format!("  {name}: ");
    let line = output.lines().find_map(|line| line.strip_prefix(&start));
    let line = line.unwrap_or_else(|| panic!("no list {name:?} in\n{output}"));
    let items = line.split(", ").filter(|item| !item.starts_with('('));
    items.map(ToOwned::to_owned).collect()
}

/// A client that sends `list` without a menu.
fn client(test: &str, server: &Server, list: &[i32], args: &[&str]) -> Output {
    let folder = folder(test);
    fs::write(folder.join("entrada"), input::format(list)).expect("the list is written");
    lab(&["client", &server.address()]).args(args).current_dir(folder).output().expect("it runs")
}

/// S2-03: N identifiers from a random one in 1..=1000, one a line, then -1, in the file `entrada`.
#[test]
fn s2_03_input_writes_entrada() {
    let folder = folder("s2-03");
    let output = lab(&["input", "7"]).current_dir(&folder).output().expect("it runs");
    assert!(output.status.success() && text(&output.stdout).contains("seed"));
    let written = fs::read_to_string(folder.join("entrada")).expect("the file");
    let numbers: Vec<i32> = written.lines().map(|line| line.parse().expect("a number")).collect();
    assert_eq!((numbers.len(), numbers[7]), (8, LAST));
    assert!((1..=1000).contains(&numbers[0]));
    assert!(numbers[..7].windows(2).all(|pair| pair[1] == pair[0] + 1));

    for name in ["a", "b"] {
        let mut command = lab(&["input", "7", "--seed", "42", "--out", name]);
        assert!(command.current_dir(&folder).status().expect("it runs").success());
    }
    let [a, b] = ["a", "b"].map(|name| fs::read(folder.join(name)).expect("the file"));
    assert_eq!(a, b, "the same seed gives the same list");
}

/// S2-03: as the original, it asks for the number when none is given, and again when it is none.
#[test]
fn s2_03_input_asks() {
    let folder = folder("s2-03-asks");
    let output = with_input(lab(&["input", "--lang", "pt"]).current_dir(&folder), "x\n0\n2\n");
    assert!(output.status.success());
    let printed = text(&output.stdout);
    assert!(printed.contains("\"x\" não é um número") && printed.contains("\"0\" não é um número"));
    assert_eq!(fs::read_to_string(folder.join("entrada")).expect("the file").lines().count(), 3);
    let output = lab(&["input"]).current_dir(&folder).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "the end of input is no number");
}

fn with_input(command: &mut Command, input: &str) -> Output {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("input is read");
    child.wait_with_output().expect("it ends")
}

/// S2-04, S2-05: the menu over a pipe; the list after each step; wrong input asks again.
#[test]
fn s2_04_menu() {
    let server = Server::start(&[]);
    let folder = folder("s2-04");
    fs::write(folder.join("entrada"), "7\n8\n9\n-1\n").expect("the list is written");
    let output = with_input(
        lab(&["client", &server.address()]).current_dir(&folder),
        "1\nhello\n2\n6\n3\n1\n",
    );
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{printed}");
    for item in [
        "(1) send correctly",
        "(2) send with loss",
        "(3) send duplicated",
        "(4) shuffle the list",
        "(5) quit",
    ] {
        assert_eq!(printed.matches(item).count(), 6, "once for each line of input: {item}");
    }
    let lists = printed.lines().filter(|line| line.starts_with("Remaining"));
    let expected = ["7, 8, 9, -1", "8, 9, -1", "9, -1", "-1", "(none)"];
    assert!(lists.eq(expected.map(|left| format!("Remaining: {left}"))), "{printed}");
    for wrong in ["hello", "6"] {
        let reason = format!("\"{wrong}\" is no item of the menu: choose one of 1, 2, 3, 4, 5");
        assert!(printed.contains(&reason));
    }
    let (well, printed) = server.finish();
    assert!(well, "{printed}");
    assert_eq!(list(&printed, "corrected"), ["7", "8", "9", "-1"]);
}

/// S2-04: item 5 and the end of input stop, and say what is left.
#[test]
fn s2_04_quit() {
    for input in ["1\n5\n", "1\n/sair\n", "1\n"] {
        let server = Server::start(&["--idle", "300ms"]);
        let folder = folder("s2-04-quit");
        fs::write(folder.join("entrada"), "7\n-1\n").expect("the list is written");
        let output = with_input(
            lab(&["client", &server.address(), "--lang", "pt"]).current_dir(&folder),
            input,
        );
        assert!(output.status.success());
        assert!(text(&output.stdout).contains("Lista atual: -1\nAté logo."));
        let (well, printed) = server.finish();
        assert!(!well && printed.contains("incomplete so far"), "{printed}");
        assert_eq!(list(&printed, "corrected"), ["7"]);
    }
}

/// S2-01, S2-08, S2-09, S2-13, S2-14: the four lists under every protocol.
#[test]
fn s2_09_four_lists() {
    for (protocol, checksum) in [("rdt2.1", "crc16"), ("rdt2.2", "internet"), ("rdt3.0", "crc16")] {
        let common = ["--protocol", protocol, "--checksum", checksum];
        let server = Server::start(&common);
        let script = ["--script", "1,2,3,1", "--timeout", "500ms"];
        let output = client("s2-09", &server, &[7, 8, 9, -1], &[common, script].concat());
        assert!(output.status.success(), "{}", text(&output.stdout));
        let (well, printed) = server.finish();
        assert!(well && printed.contains(": complete"), "{printed}");
        // rdt 2.1 gets a true copy, which comes second; the others new data with an old number.
        let nine =
            if protocol == "rdt2.1" { ["9", "9 (duplicate)"] } else { ["9 (duplicate)", "9"] };
        assert_eq!(
            list(&printed, "as received"),
            ["7", "8 (corrupted)", "8", nine[0], nine[1], "-1"],
            "{protocol}"
        );
        assert_eq!(list(&printed, "corrected"), ["7", "8", "9", "-1"]);
        assert_eq!(list(&printed, "duplicates"), ["9"]);
        assert_eq!(list(&printed, "corrupted"), ["8"]);
    }
}

/// S2-07, C10: rdt 2.1 asks with a NAK, rdt 2.2 with the ACK of the packet before; both say so.
#[test]
fn s2_07_request_for_retransmission() {
    for (protocol, answer) in [("rdt2.1", "NAK"), ("rdt2.2", "ACK 1")] {
        for (lang, request) in
            [("en", "request for retransmission"), ("pt", "pedido de retransmissão")]
        {
            let common = ["--protocol", protocol, "--lang", lang];
            let server = Server::start(&common);
            let args = [&common[..], &["--script", "2,1"]].concat();
            let output = client("s2-07", &server, &[7, -1], &args);
            let expected = format!("{answer}, {request}");
            assert!(text(&output.stdout).contains(&expected), "{}", text(&output.stdout));
            let (_, printed) = server.finish();
            assert!(printed.contains(&expected), "{printed}");
        }
    }
}

/// S2-04, C14: a shuffled list; with `--count` the server knows when it is complete.
#[test]
fn s2_04_shuffled() {
    let server = Server::start(&["--count", "20", "--lang", "pt"]);
    let numbers: Vec<i32> = (981..=1000).chain([LAST]).collect();
    let output = client("s2-04-shuffled", &server, &numbers, &["--shuffle", "--seed", "1"]);
    assert!(output.status.success());
    let (well, printed) = server.finish();
    assert!(well, "{printed}");
    let corrected: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    assert_eq!(list(&printed, "corrigidos"), corrected);
    let received = list(&printed, "recebidos");
    assert_ne!(received, corrected);
    assert_eq!(received.len(), corrected.len());
}

/// S2-06, C11: without a menu, faults by chance; the same seed makes the same choices.
#[test]
fn s2_06_random_strategy() {
    let numbers: Vec<i32> = (1..=40).chain([LAST]).collect();
    let run = || {
        let server = Server::start(&["--count", "40"]);
        let args = ["--loss", "20%", "--dup", "20%", "--shuffle", "--seed", "7"];
        let output = client("s2-06", &server, &numbers, &args);
        assert!(output.status.success());
        let (well, printed) = server.finish();
        assert!(well, "{printed}");
        assert_eq!(list(&printed, "corrected").len(), numbers.len());
        ["as received", "duplicates", "corrupted"].map(|name| list(&printed, name))
    };
    let first = run();
    assert!(!first[1].is_empty() && !first[2].is_empty());
    assert_eq!(first, run());
}

/// C12: true loss ends rdt 2.2 in a deadlock, which is explained, and rdt 3.0 repairs it.
#[test]
fn c12_true_loss() {
    let real = ["--faults", "real", "--patience", "1s", "--timeout", "50ms"];
    let server = Server::start(&["--idle", "500ms"]);
    let script = ["--script", "1,2,1", "--seed", "1"];
    let output = client("c12-22", &server, &[7, 8, -1], &[&real[..], &script].concat());
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(printed.contains("Deadlock") && printed.contains("has no timer"), "{printed}");
    assert!(printed.contains("rdt2.2 is not made for a channel with loss or copies"));
    let (well, printed) = server.finish();
    assert!(!well);
    assert_eq!(list(&printed, "corrected"), ["7"]);

    let protocol = ["--protocol", "rdt3.0"];
    let server = Server::start(&protocol);
    let args = [&real[..], &script, &protocol].concat();
    let output = client("c12-30", &server, &[7, 8, -1], &args);
    let printed = text(&output.stdout);
    assert!(output.status.success() && printed.contains("the timer ran out"), "{printed}");
    let (well, printed) = server.finish();
    assert!(well, "{printed}");
    assert_eq!(list(&printed, "corrected"), ["7", "8", "-1"]);
    assert!(list(&printed, "corrupted").is_empty());
}

/// C13: a true copy arrives twice, under every protocol.
#[test]
fn c13_true_copy() {
    for protocol in ["rdt2.1", "rdt2.2", "rdt3.0"] {
        let server = Server::start(&["--protocol", protocol]);
        let args = ["--protocol", protocol, "--faults", "real", "--script", "3,1,1"];
        let output = client("c13", &server, &[7, 8, -1], &args);
        assert!(output.status.success(), "{}", text(&output.stdout));
        let (well, printed) = server.finish();
        assert!(well, "{printed}");
        assert_eq!(list(&printed, "as received"), ["7", "7 (duplicate)", "8", "-1"]);
        assert_eq!(list(&printed, "duplicates"), ["7"]);
    }
}

/// For programs: an object a line on both sides, and the same four lists.
#[test]
fn json_says_the_same() {
    let objects = |text: &str| -> Vec<serde_json::Value> {
        text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
    };
    let server = Server::start(&["--json"]);
    let output = client("json", &server, &[7, 8, 9, -1], &["--script", "1,2,3,1", "--json"]);
    let said = objects(&text(&output.stdout));
    assert!(output.status.success(), "{said:?}");
    assert_eq!((&said[0]["event"], &said[0]["protocol"]), (&"sending".into(), &"rdt2.2".into()));
    let faults: Vec<_> = said.iter().filter_map(|object| object["fault"].as_str()).collect();
    assert_eq!(faults, ["corrupt", "stale_number"]);
    assert_eq!(said.last().expect("an end")["ending"], "done");
    let (well, printed) = server.finish();
    assert!(well, "{printed}");
    let lists = objects(&printed).pop().expect("lists");
    assert_eq!(lists["complete"], true);
    assert_eq!(lists["as_received"], serde_json::json!([7, 8, 8, 9, 9, -1]));
    assert_eq!(lists["corrected"], serde_json::json!([7, 8, 9, -1]));
    assert_eq!(lists["duplicates"], serde_json::json!([9]));
    assert_eq!(lists["corrupted"], serde_json::json!([8]));
    // Nobody is there to be asked.
    let folder = folder("json-asks");
    for args in [&["input", "--json"][..], &["client", "--json"]] {
        let output = lab(args).current_dir(&folder).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains("with --json"));
    }
    let output = lab(&["input", "2", "--json"]).current_dir(&folder).output().expect("it runs");
    let wrote = objects(&text(&output.stdout)).pop().expect("an object");
    assert_eq!(wrote["numbers"].as_array().map(Vec::len), Some(3));
}

/// S2-10: localhost, port 5000, for both sides.
#[test]
fn s2_10_port() {
    assert_eq!(PORT, 5000);
    let help = |part| text(&lab(&[part, "--help"]).output().expect("it runs").stdout);
    let server = help("server");
    assert!(server.contains("[default: 5000]") && server.contains("[default: 127.0.0.1]"));
    assert!(help("client").contains("[default: 127.0.0.1:5000]"));
}

/// S2-20: the exercise's protocol is rdt 2.2.
#[test]
fn s2_20_protocol() {
    let server = Server::start(&["--idle", "300ms"]);
    let output = client("s2-20", &server, &[7, -1], &["--script", "2"]);
    let printed = text(&output.stdout);
    assert!(printed.contains("with rdt2.2") && printed.contains("<- ACK 1, request"), "{printed}");
}

/// S2-11, S2-12, S2-13, S2-14, C16: a client in another language, written from the description
/// alone, exchanges the messages of 97 and 66 characters with this server.
#[test]
fn s2_12_a_client_written_from_the_description() {
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/s2_client.py");
    for (protocol, checksum, third) in [
        ("rdt2.2", "internet", "539:stale"),
        ("rdt2.2", "crc16", "539:stale"),
        ("rdt2.1", "internet", "539:corrupt"),
    ] {
        let server = Server::start(&["--protocol", protocol, "--checksum", checksum]);
        let output = Command::new("python3")
            .args([fixture, &server.port.to_string(), protocol, checksum])
            .args(["538:corrupt", "537", third, "-1"])
            .output()
            .expect("python3 must be installed: it runs the client in tests/fixtures");
        let reason = text(&output.stderr);
        assert!(output.status.success(), "{protocol} {checksum}: {reason}");
        assert_eq!(text(&output.stdout).lines().count(), 6);
        let (well, printed) = server.finish();
        assert!(well, "{printed}");
        assert_eq!(list(&printed, "corrected"), ["537", "538", "539", "-1"]);
        let stale = third.ends_with("stale");
        assert_eq!(list(&printed, "duplicates"), if stale { vec!["539"] } else { vec![] });
        let corrupted = if stale { vec!["538"] } else { vec!["538", "539"] };
        assert_eq!(list(&printed, "corrupted"), corrupted);
        let third = if stale { "539 (duplicate)" } else { "539 (corrupted)" };
        let received = ["538 (corrupted)", "538", "537", third, "539", "-1"];
        assert_eq!(list(&printed, "as received"), received);
    }
}
