//! Servers and clients of the chat as child processes that never outlive their test.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use crate::program::eventually;

/// What a program has printed so far, standard output and errors alike.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn follow(&self, pipe: impl Read + Send + 'static) {
        let heard = self.clone();
        thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while pipe.read_until(b'\n', &mut line).is_ok_and(|len| len > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                heard.0.lock().expect("no panic").push(text);
                line.clear();
            }
        });
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }

    pub(crate) fn has(&self, part: &str) -> bool {
        self.lines().iter().any(|line| line.contains(part))
    }

    pub(crate) fn count(&self, part: &str) -> usize {
        self.lines().iter().filter(|line| line.contains(part)).count()
    }

    /// Waits until a line with this in it is there.
    #[track_caller]
    pub(crate) fn wait_for(&self, part: &str) -> String {
        let limit = crate::patience();
        let found = || self.lines().into_iter().find(|line| line.contains(part));
        while found().is_none() {
            assert!(!crate::is_over(limit), "no {part:?} in {:#?}", self.lines());
            crate::pause(5);
        }
        found().expect("just seen")
    }
}

/// A running program.
pub(crate) struct Person {
    pub(crate) child: Child,
    pub(crate) heard: Heard,
    stdin: Option<ChildStdin>,
}

impl Person {
    pub(crate) fn start(command: &mut Command) -> Self {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("it starts");
        let heard = Heard::default();
        heard.follow(child.stdout.take().expect("piped"));
        heard.follow(child.stderr.take().expect("piped"));
        let stdin = child.stdin.take();
        Self { child, heard, stdin }
    }

    /// `rdtp chat` with these arguments, in English.
    pub(crate) fn chat(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rdtp"));
        Self::start(command.arg("chat").args(arguments).env("LC_ALL", "C"))
    }

    /// A client that has been let in.
    pub(crate) fn join(nick: &str, server: &Server, arguments: &[&str]) -> Self {
        let target = format!("{nick}@{}", server.address);
        let over = ["--over", server.over.as_str()];
        let person = Self::chat(&[&[target.as_str()], &over[..], arguments].concat());
        person.heard.wait_for("* You are");
        person
    }

    pub(crate) fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("open");
        stdin.write_all(format!("{line}\n").as_bytes()).expect("it reads");
    }

    /// The end of the input.
    pub(crate) fn shut(&mut self) {
        self.stdin = None;
    }

    /// Waits until it ends by itself; the exit status.
    pub(crate) fn ends(&mut self) -> Option<i32> {
        eventually(|| self.child.try_wait().expect("a child").is_some());
        self.child.wait().expect("a child").code()
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A server at a port of the system's choice.
pub(crate) struct Server {
    pub(crate) program: Person,
    pub(crate) address: String,
    pub(crate) over: String,
}

impl Server {
    pub(crate) fn start(over: &str, arguments: &[&str]) -> Self {
        Self::at("127.0.0.1:0", over, arguments)
    }

    pub(crate) fn at(address: &str, over: &str, arguments: &[&str]) -> Self {
        let program =
            Person::chat(&[&["serve", address, "--json", "--over", over], arguments].concat());
        let line = program.heard.wait_for("\"listening\"");
        let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let address = line["address"].as_str().expect("an address").to_owned();
        Self { program, address, over: over.to_owned() }
    }
}
