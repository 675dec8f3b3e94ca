//! The program as a child process that never outlives its test, and a directory that does not
//! either.
#![allow(dead_code, reason = "each test uses its part")]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Generous, for a machine that does much else: it only ends what would otherwise hang.
const PATIENCE: Duration = Duration::from_mins(2);

/// A running `rdtp`.
pub(crate) struct Program {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) success: bool,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Starts `rdtp` with these arguments.
pub(crate) fn rdtp(arguments: &[&str]) -> Program {
    start(Command::new(env!("CARGO_BIN_EXE_rdtp")).args(arguments))
}

/// The same on another host: in a network namespace.
pub(crate) fn rdtp_in(namespace: &str, arguments: &[&str]) -> Program {
    let there = ["netns", "exec", namespace, env!("CARGO_BIN_EXE_rdtp")];
    start(Command::new("ip").args(there).args(arguments))
}

fn start(command: &mut Command) -> Program {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let stdout = child.stdout.take().map(BufReader::new);
    Program { child, stdout }
}

impl Program {
    /// The next line of its standard output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        let stdout = self.stdout.as_mut().expect("a pipe");
        stdout.read_line(&mut line).expect("text");
        if line.is_empty() {
            let mut stderr = String::new();
            let pipe = self.child.stderr.as_mut().expect("a pipe");
            pipe.read_to_string(&mut stderr).expect("text");
            panic!("it ended without a line: {stderr}");
        }
        line
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it ends by itself.
    pub(crate) fn finish(mut self) -> Finished {
        // Whoever says more than a pipe holds waits for a reader, on either.
        let stderr = read_all(self.child.stderr.take().expect("a pipe"));
        let stdout = read_all(self.stdout.take().expect("a pipe"));
        eventually(|| self.child.try_wait().expect("a child").is_some());
        let status = self.child.wait().expect("a child");
        let [stdout, stderr] = [stdout, stderr].map(|text| text.join().expect("no panic"));
        Finished { success: status.success(), code: status.code(), stdout, stderr }
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads to the end, beside what else happens.
fn read_all(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).expect("text");
        text
    })
}

/// Sends Ctrl-C to the process of that number.
#[cfg(unix)]
pub(crate) fn interrupt(id: u32) {
    signal(id, "INT");
}

/// Sends a signal, by its name, to the process of that number.
#[cfg(unix)]
pub(crate) fn signal(id: u32, name: &str) {
    let kill = Command::new("kill").args([format!("-{name}"), id.to_string()]).status();
    assert!(kill.expect("the kill command").success());
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until `done`; fails after [`PATIENCE`].
pub(crate) fn eventually(mut done: impl FnMut() -> bool) {
    #[allow(clippy::disallowed_methods, reason = "a test waits for another process")]
    let (now, pause) = (Instant::now, || thread::sleep(Duration::from_millis(5)));
    let start = now();
    while !done() {
        assert!(now() - start < PATIENCE, "waited for too long");
        pause();
    }
}

/// A directory of its own for each test.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rdtp-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a directory for tests");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The names in one of its directories, in order.
    pub(crate) fn names(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(name)).expect("a directory");
        let mut names: Vec<_> =
            entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into()).collect();
        names.sort();
        names
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
