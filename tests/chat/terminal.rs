//! The terminal interface, driven in a pseudo-terminal, and what is on its screen.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use crate::{
    person::{Person, Server},
    program::{Directory, eventually},
    screen::Screen,
};

const F2: &str = "\u{1b}OQ";
const CONTROL_C: &str = "\u{3}";
const CONTROL_N: &str = "\u{e}";
const PAGE_UP: &str = "\u{1b}[5~";

/// A program in a pseudo-terminal.
struct Terminal {
    child: Child,
    stdin: ChildStdin,
    screen: Arc<Mutex<Screen>>,
    /// What the fixture says of the terminal.
    said: Arc<Mutex<Vec<String>>>,
}

impl Terminal {
    /// `rdtp chat` on so many rows and columns.
    fn chat(rows: usize, columns: usize, arguments: &[&str]) -> Self {
        let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/terminal.py");
        let mut child = Command::new("python3")
            .args([fixture, &rows.to_string(), &columns.to_string()])
            .args([env!("CARGO_BIN_EXE_rdtp"), "chat"])
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("python3 must be installed: it makes the pseudo-terminal");
        let screen = Arc::new(Mutex::new(Screen::new(rows, columns)));
        let mut stdout = child.stdout.take().expect("piped");
        let shared = Arc::clone(&screen);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(len @ 1..) = stdout.read(&mut bytes) {
                shared.lock().expect("no panic").process(&bytes[..len]);
            }
        });
        let said = Arc::new(Mutex::new(Vec::new()));
        let (stderr, heard) = (child.stderr.take().expect("piped"), Arc::clone(&said));
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                heard.lock().expect("no panic").push(line);
            }
        });
        let stdin = child.stdin.take().expect("piped");
        Self { child, stdin, screen, said }
    }

    fn join(nick: &str, server: &Server, arguments: &[&str]) -> Self {
        let target = format!("{nick}@{}", server.address);
        let over = ["--over", server.over.as_str()];
        let terminal = Self::chat(24, 80, &[&[target.as_str()], &over[..], arguments].concat());
        terminal.wait_for("#lobby>");
        terminal
    }

    fn text(&self) -> String {
        self.screen.lock().expect("no panic").rows().join("\n")
    }

    #[track_caller]
    fn wait_until(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        let limit = crate::patience();
        while !is_so(&self.text()) {
            let said = self.said.lock().expect("no panic").clone();
            assert!(!crate::is_over(limit), "no {what:?} on:\n{}\n{said:?}", self.text());
            crate::pause(10);
        }
    }

    #[track_caller]
    fn wait_for(&self, part: &str) {
        self.wait_until(part, |text| text.contains(part));
    }

    fn keys(&mut self, keys: &str) {
        self.stdin.write_all(keys.as_bytes()).expect("it reads");
        self.stdin.flush().expect("it reads");
    }

    fn resize(&mut self, rows: usize, columns: usize) {
        self.screen.lock().expect("no panic").resize(rows, columns);
        self.keys(&format!("\0{rows} {columns}\n"));
    }

    /// Waits for the end of the program; its exit status. The terminal is as it was.
    #[track_caller]
    fn ends(&mut self) -> Option<i32> {
        eventually(|| self.child.try_wait().expect("a child").is_some());
        eventually(|| self.said.lock().expect("no panic").len() >= 2);
        let said = self.said.lock().expect("no panic").clone();
        assert_eq!(said, ["before: echo canon signals", "after: echo canon signals"]);
        let screen = self.screen.lock().expect("no panic");
        let none: &[String] = &[];
        assert_eq!(screen.unknown, none, "nothing but what draws gets out");
        assert_eq!(screen.modes, [25], "the cursor is seen, and it is the screen of before");
        self.child.wait().expect("a child").code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_screen_shows_rooms_members_talk_and_the_link_at_work() {
    let server = Server::start("sr", &[]);
    let mut bob = Person::join("bob", &server, &[]);
    let mut ana = Terminal::join("ana", &server, &[]);
    ana.wait_for("You are ana");
    // The members came by themselves.
    ana.wait_for("Here 2");
    bob.say("hello, ana: olá, 世界");
    ana.wait_for("│ bob: hello, ana: olá, 世界");
    // A name is completed, and one's own words are shown.
    ana.keys("bo\tgood evening\r");
    bob.heard.wait_for("[#lobby] ana: bob: good evening");
    ana.wait_for("│ ana: bob: good evening");
    bob.say("/msg ana just us");
    ana.wait_for("bob 1");
    ana.keys(CONTROL_N);
    ana.wait_for("bob>");
    ana.wait_for("│ bob: just us");
    ana.keys("yes\r");
    bob.heard.wait_for("[private] ana: yes");
    ana.keys("/create den\r");
    ana.wait_for("#den>");
    // Worse: what is lost is counted, and arrives all the same.
    for level in ["loss=5%", "loss=10%", "loss=20%"] {
        ana.keys(F2);
        ana.wait_for(&format!(" {level}: F2 worse"));
    }
    for n in 0..10 {
        ana.keys(&format!("/msg bob number {n}.\r"));
    }
    bob.heard.wait_for("number 9.");
    ana.keys("/ping\r");
    let limit = crate::patience();
    while ana.text().contains("lost 0,") || ana.text().contains("resent 0,") {
        assert!(!crate::is_over(limit), "nothing was lost:\n{}", ana.text());
        ana.keys("/ping\r");
        crate::pause(100);
    }
    // Another size is drawn anew; history brings a line back.
    ana.resize(30, 100);
    ana.wait_until("the last row", |text| {
        text.lines().nth(29).is_some_and(|row| row.starts_with("#den>"))
    });
    ana.keys("\u{1b}[A");
    ana.wait_for("#den> /ping");
    ana.resize(8, 30);
    ana.wait_until("eight rows", |text| {
        text.lines().nth(7).is_some_and(|row| row.starts_with("#den> /ping"))
    });
    ana.keys("\u{15}/quit\r");
    assert_eq!(ana.ends(), Some(0));
}

#[test]
fn a_file_is_seen_on_its_way() {
    let directory = Directory::new("chat-terminal-file");
    fs::write(directory.path("report.bin"), vec![7; 1_000_000]).expect("a file");
    fs::create_dir(directory.path("in")).expect("a directory");
    let server = Server::start("rdt", &[]);
    let into = directory.path("in");
    let bob = Person::join("bob", &server, &["--accept", "--into", into.to_str().expect("UTF-8")]);
    // A megabyte takes eight seconds here, so it is seen half way.
    let slow = ["--link", "rate=1mbit,queue=32KiB", "--seed", "1"];
    let mut ana = Terminal::join("ana", &server, &slow);
    ana.wait_for("Here 2");
    let path = directory.path("report.bin");
    ana.keys(&format!("/file bob {}\r", path.to_str().expect("UTF-8")));
    ana.wait_for("report.bin -> bob: 3");
    ana.keys("meanwhile\r");
    bob.heard.wait_for("meanwhile");
    ana.wait_for("report.bin: delivered");
    bob.heard.wait_for("stored as");
    assert_eq!(fs::read(directory.path("in/report.bin")).expect("stored"), vec![7; 1_000_000]);
    ana.wait_until("an empty strip", |text| !text.contains("-> bob:"));
    ana.keys(CONTROL_C);
    assert_eq!(ana.ends(), Some(0));
}

#[test]
fn the_screen_scrolls_back_and_what_is_pasted_is_one_line() {
    let server = Server::start("tcp", &["--rate", "1000", "--burst", "1000"]);
    let mut bob = Person::join("bob", &server, &[]);
    let mut ana = Terminal::join("ana", &server, &[]);
    ana.wait_for("Here 2");
    for n in 0..60 {
        bob.say(&format!("line {n}."));
    }
    ana.wait_for("line 59.");
    ana.keys(PAGE_UP);
    ana.wait_for("more below");
    ana.wait_for("line 40.");
    assert!(!ana.text().contains("line 59."));
    ana.keys("\u{1b}[200~one\rtwo\u{1b}[201~\r");
    bob.heard.wait_for("[#lobby] ana: one two");
    ana.wait_for("│ ana: one two");
    // Over tcp the system sends the packets: there is no network to be made worse.
    ana.keys(F2);
    assert!(!ana.text().contains("F2 worse"));
    ana.keys(CONTROL_C);
    assert_eq!(ana.ends(), Some(0));
}

#[test]
fn nothing_on_the_screen_is_moved_by_what_others_write() {
    let server = Server::start("tcp", &[]);
    let mut bob = Person::join("bob", &server, &[]);
    let mut ana = Terminal::join("ana", &server, &[]);
    ana.wait_for("Here 2");
    bob.say("\u{1b}[2J\u{1b}[H\u{1b}]0;owned\u{7}\u{9b}2J gone?");
    ana.wait_for("\\x1b[2J\\x1b[H\\x1b]0;owned\\x07\\u{9b}2J gone?");
    ana.wait_for("#lobby>");
    ana.keys(CONTROL_C);
    assert_eq!(ana.ends(), Some(0));
}

/// However it ends, the terminal is as it was, and the last word can be read.
#[test]
fn the_terminal_is_given_back() {
    let mut server = Server::start("tcp", &[]);
    let mut ana = Terminal::join("ana", &server, &[]);
    ana.wait_for("Here 1");
    ana.keys("\0TERM\n");
    assert_eq!(ana.ends(), Some(0));
    // The same user twice is refused in words.
    let ana = Person::join("ana", &server, &[]);
    let mut late = Terminal::join("eve", &server, &[]);
    late.keys("/nick ana\r");
    late.wait_for("is taken");
    // Without a connection a line waits for the next one.
    server.program.kill();
    late.wait_for("no connection");
    late.keys("/join den\rhello, den\r");
    late.wait_for("waiting 2");
    let again = Server::at(&server.address, "tcp", &[]);
    late.wait_for("#den>");
    late.wait_for("│ eve: hello, den");
    drop((again, ana));
    late.keys("/quit\r");
    assert_eq!(late.ends(), Some(0));
    let mut nobody = Terminal::chat(24, 80, &["eve@127.0.0.1:1"]);
    assert_eq!(nobody.ends(), Some(1));
    assert!(nobody.text().contains("nobody answers"), "{}", nobody.text());
}

/// Two without a server: who waits has the same screen, with the link at work.
#[test]
fn who_waits_for_the_other_has_the_screen_too() {
    let mut ana = Terminal::chat(24, 80, &["--peer", "0", "--over", "rdt"]);
    ana.wait_for("Nickname");
    ana.keys("ana\r");
    ana.wait_for("waiting for the other at");
    ana.wait_for("Here 1");
    let text = ana.text();
    let (_, at) = text.split_once("waiting for the other at ").expect("it was waited for");
    let port = at.split_whitespace().next().and_then(|at| at.rsplit(':').next()).expect("a port");
    let address = format!("bob@127.0.0.1:{port}");
    let mut bob = Person::chat(&["--peer", &address, "--over", "rdt"]);
    bob.heard.wait_for("* You are bob");
    ana.wait_for("Here 2");
    bob.say("hello");
    ana.wait_for("│ bob: hello");
    ana.keys(F2);
    ana.wait_for(" loss=5%: F2 worse");
    ana.keys("hello yourself\r");
    bob.heard.wait_for("[#lobby] ana: hello yourself");
    ana.keys(CONTROL_C);
    assert_eq!(ana.ends(), Some(0));
    bob.heard.wait_for("The server stops");
}

/// With --lines, and on a terminal that is dumb, it is lines.
#[test]
fn lines_stay_where_they_are_wanted() {
    let server = Server::start("tcp", &[]);
    let target = format!("ana@{}", server.address);
    let mut ana = Terminal::chat(24, 80, &[&target, "--lines"]);
    ana.wait_for("* You are ana");
    ana.keys("/list\r");
    ana.wait_for("* Here (1): ana");
    assert!(!ana.text().contains("F2 worse"));
    ana.keys("/quit\r");
    ana.wait_for("* Goodbye.");
}
