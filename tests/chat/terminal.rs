//! The terminal interface, driven in a pseudo-terminal, and what is on its screen.

use std::{
    io::{Read, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use crate::person::{Person, Server};

struct Terminal {
    child: Child,
    stdin: ChildStdin,
    screen: Arc<Mutex<vt100::Parser>>,
}

impl Terminal {
    fn start(rows: u16, columns: u16, arguments: &[&str]) -> Self {
        let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/terminal.py");
        let mut child = Command::new("python3")
            .args([fixture, &rows.to_string(), &columns.to_string()])
            .args([env!("CARGO_BIN_EXE_rdtp"), "chat"])
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 must be installed: it makes the pseudo-terminal");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
        let mut stdout = child.stdout.take().expect("piped");
        let shared = Arc::clone(&screen);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(len) = stdout.read(&mut bytes) {
                if len == 0 {
                    break;
                }
                shared.lock().expect("no panic").process(&bytes[..len]);
            }
        });
        let stdin = child.stdin.take().expect("piped");
        Self { child, stdin, screen }
    }

    fn text(&self) -> String {
        self.screen.lock().expect("no panic").screen().contents()
    }

    #[track_caller]
    fn wait_for(&self, part: &str) {
        let limit = crate::patience();
        while !self.text().contains(part) {
            assert!(!crate::is_over(limit), "no {part:?} on the screen:\n{}", self.text());
            crate::pause(10);
        }
    }

    fn keys(&mut self, keys: &str) {
        self.stdin.write_all(keys.as_bytes()).expect("it reads");
        self.stdin.flush().expect("it reads");
    }

    fn resize(&mut self, rows: u16, columns: u16) {
        self.screen.lock().expect("no panic").screen_mut().set_size(rows, columns);
        self.keys(&format!("\0{rows} {columns}\n"));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const F2: &str = "\u{1b}OQ";

#[test]
fn the_screen_shows_rooms_members_talk_and_the_link_at_work() {
    let server = Server::start("sr", &[]);
    let mut bob = Person::join("bob", &server, &[]);
    let target = format!("ana@{}", server.address);
    let mut ana = Terminal::start(24, 80, &[&target, "--over", "sr"]);
    ana.wait_for("You are ana");
    ana.wait_for("#lobby>");
    // The members came by themselves.
    ana.wait_for("Here 2");
    bob.say("hello, ana: olá, 世界");
    ana.wait_for("[#lobby] bob: hello, ana: olá, 世界");
    // A name is completed, and one's own words are shown.
    ana.keys("bo\tgood evening\r");
    bob.heard.wait_for("[#lobby] ana: bob: good evening");
    ana.wait_for("[#lobby] ana: bob: good evening");
    bob.say("/msg ana just us");
    ana.wait_for("bob 1");
    ana.keys("\u{e}");
    ana.wait_for("[private] bob: just us");
    ana.keys("yes\r");
    bob.heard.wait_for("[private] ana: yes");
    ana.keys("/create den\r");
    ana.wait_for("#den>");
    // Worse: what is lost is counted, and arrives all the same.
    for level in ["loss=5%", "loss=10%", "loss=20%"] {
        ana.keys(F2);
        ana.wait_for(&format!("F2/F3 {level}"));
    }
    for n in 0..10 {
        ana.keys(&format!("/msg bob number {n}.\r"));
    }
    bob.heard.wait_for("number 9.");
    let limit = crate::patience();
    while ana.text().contains("lost 0,") || ana.text().contains("resent 0,") {
        assert!(!crate::is_over(limit), "nothing was lost:\n{}", ana.text());
        ana.keys("/ping\r");
        crate::pause(100);
    }
    // Another size is drawn anew; history brings a line back.
    ana.resize(30, 100);
    ana.wait_for("#den>");
    ana.keys("\u{1b}[A");
    ana.wait_for("#den> /ping");
    ana.keys("\u{15}/quit\r");
    crate::program::eventually(|| ana.child.try_wait().expect("a child").is_some());
    assert!(ana.child.wait().expect("a child").success());
}

#[test]
fn nothing_on_the_screen_is_moved_by_what_others_write() {
    let server = Server::start("tcp", &[]);
    let mut bob = Person::join("bob", &server, &[]);
    let target = format!("ana@{}", server.address);
    let ana = Terminal::start(24, 80, &[&target]);
    ana.wait_for("Here 2");
    bob.say("\u{1b}[2J\u{1b}[H\u{1b}]0;owned\u{7}gone?");
    ana.wait_for("\\x1b[2J\\x1b[H\\x1b]0;owned\\x07gone?");
    ana.wait_for("#lobby>");
}
