//! Hours of everything that may happen to streams over real sockets: bulk transfers over a bad
//! network, short connections, peers that vanish, a process that is stopped for half a minute, killed
//! and started again. What arrives is compared, and memory and descriptors have to stay flat.
//!
//! ```text
//! cargo bench --bench soak -- --minutes 60
//! ```
//!
//! Without `--minutes` it runs for one. Rounds print a line each; the exit status is 1 when a byte was
//! wrong or something leaked.

#![allow(clippy::disallowed_methods, reason = "a soak lasts for so long by the machine's clock")]
#![allow(clippy::unwrap_used, reason = "what fails here ends the soak")]

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::SocketAddr,
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use rdtp::{
    link::Profile,
    net::{Connection, Listener, Stream},
    rng::Seed,
    transport::config::Config,
};

const ROLE: &str = "RDTP_SOAK_ECHO_ON";
const SECRET: [u8; 16] = *b"of the soak only";
const NETWORK: &str = "loss=2%,dup=1%,reorder=2%:3:2ms,corrupt=1%,delay=1ms";
/// How long the other process is stopped in each round of that.
const STOP: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    if let Ok(on) = env::var(ROLE) {
        echo_process(&on);
    }
    let arguments: Vec<String> = env::args().collect();
    let minutes = arguments.iter().position(|argument| argument == "--minutes");
    let minutes = minutes.and_then(|at| arguments.get(at + 1)).and_then(|text| text.parse().ok());
    let until = Instant::now() + Duration::from_secs(60 * minutes.unwrap_or(1));
    soak(until)
}

/// Rounds until the time is over, and then whether the later ones held more than the earlier.
fn soak(until: Instant) -> ExitCode {
    let mut server = Server::start("127.0.0.1:0");
    let mut held: Vec<(usize, usize)> = Vec::new();
    let start = Instant::now();
    let mut round = 0_u64;
    while Instant::now() < until {
        let what = match round % 8 {
            0 => bulk(server.address, round),
            1 => many_short(server.address, 200),
            2 => vanish(server.address),
            3 if round % 16 == 3 => stopped(&server),
            4 if round % 16 == 4 => {
                server = killed(server);
                "killed in mid transfer and started again"
            }
            _ => streams(server.address, round),
        };
        settle();
        let now = (descriptors(), memory_kib());
        let (theirs, id) = (memory_kib_of(server.child.id()), server.child.id());
        println!(
            "{:>7.1?} round {round}: {what}; {} descriptors, {} KiB here, {theirs} KiB in {id}",
            start.elapsed(),
            now.0,
            now.1
        );
        held.push(now);
        round += 1;
    }
    verdict(&held)
}

/// The first quarter warms up; of the rest, the second half must not hold more than the first.
fn verdict(held: &[(usize, usize)]) -> ExitCode {
    let warm = &held[held.len() / 4..];
    let (first, second) = warm.split_at(warm.len() / 2);
    let most = |half: &[(usize, usize)]| {
        half.iter().fold((0, 0), |most, now| (most.0.max(now.0), most.1.max(now.1)))
    };
    let (before, after) = (most(first), most(second));
    println!("at most {before:?} descriptors and KiB in the first half, {after:?} in the second");
    // An allocator keeps some of what it was given back.
    let flat = after.0 <= before.0 && after.1 <= before.1 + before.1 / 10 + 4096;
    if first.is_empty() || flat {
        println!("nothing leaks");
        return ExitCode::SUCCESS;
    }
    println!("something leaks");
    ExitCode::FAILURE
}

fn bytes(len: usize, salt: u64) -> Vec<u8> {
    let mut data = vec![0; len];
    Seed::new(salt).rng().fill(&mut data);
    data
}

/// Sends it, and compares what comes back.
fn echo(stream: &Stream, data: &[u8]) {
    let (writer, sent) = (stream.try_clone().unwrap(), data.to_vec());
    let writing = thread::spawn(move || {
        { &writer }.write_all(&sent).unwrap();
        writer.finish().unwrap();
    });
    let mut echo = Vec::new();
    { stream }.read_to_end(&mut echo).unwrap();
    assert!(echo == data, "{} of {} bytes came back, or others", echo.len(), data.len());
    writing.join().unwrap();
}

fn bulk(address: SocketAddr, round: u64) -> &'static str {
    let network: Profile = NETWORK.parse().unwrap();
    let builder = Connection::builder().over(network, Seed::new(round));
    echo(&builder.connect_stream(address).unwrap(), &bytes(4_000_000, round));
    "4 MB and back over a bad network"
}

fn many_short(address: SocketAddr, count: u32) -> &'static str {
    for n in 0..count {
        let mut stream = Stream::connect(address).unwrap();
        stream.write_all(&n.to_be_bytes()).unwrap();
        let mut word = [0; 4];
        stream.read_exact(&mut word).unwrap();
        assert_eq!(word, n.to_be_bytes());
    }
    "200 short connections"
}

fn streams(address: SocketAddr, round: u64) -> &'static str {
    let connection = Connection::connect(address).unwrap();
    let workers: Vec<_> = (0..8)
        .map(|n| {
            let connection = connection.clone();
            let data = bytes(200_000, round * 8 + n);
            thread::spawn(move || echo(&connection.open_stream().unwrap(), &data))
        })
        .collect();
    for worker in workers {
        worker.join().unwrap();
    }
    "8 streams of one connection at the same time"
}

/// Connections that are closed in the middle of everything.
fn vanish(address: SocketAddr) -> &'static str {
    for n in 0..20_u64 {
        let connection = Connection::connect(address).unwrap();
        let mut stream = connection.open_stream().unwrap();
        stream.write_all(&bytes(100_000, n)).unwrap();
        connection.close(n, b"enough");
    }
    "20 connections closed in mid transfer"
}

fn patient() -> Config {
    Config::builder().idle_timeout(2 * STOP).build().unwrap()
}

fn stopped(server: &Server) -> &'static str {
    let builder = Connection::builder().transport(patient());
    let stream = builder.connect_stream(server.address).unwrap();
    server.signal("STOP");
    let data = bytes(3_000_000, 1);
    let transfer = thread::spawn(move || echo(&stream, &data));
    thread::park_timeout(STOP);
    server.signal("CONT");
    transfer.join().unwrap();
    "stopped for half a minute, then 3 MB and back"
}

fn killed(mut server: Server) -> Server {
    let stream = Stream::connect(server.address).unwrap();
    { &stream }.write_all(&bytes(50_000, 2)).unwrap();
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    let again = Server::start(&server.address.to_string());
    let block = bytes(50_000, 3);
    while { &stream }.write(&block).is_ok() {}
    again
}

/// Waits until the lanes of closed connections have ended.
fn settle() {
    let limit = Instant::now() + Duration::from_secs(5);
    let mut before = usize::MAX;
    while Instant::now() < limit {
        let now = descriptors();
        if now >= before {
            return;
        }
        before = now;
        thread::park_timeout(Duration::from_millis(1500));
    }
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

fn memory_kib() -> usize {
    memory_kib_of(std::process::id())
}

/// What of a process is in memory (VmRSS).
fn memory_kib_of(id: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// An echo server in a process of its own: this program again.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(on: &str) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        let mut child = command.env(ROLE, on).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().parse().unwrap() }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn echo_process(on: &str) -> ! {
    let builder = Listener::builder().secret(SECRET).transport(patient());
    let listener = builder.bind(on).unwrap();
    println!("{}", listener.local_addr().unwrap());
    loop {
        let Ok((mut stream, _)) = listener.accept() else { std::process::exit(1) };
        thread::spawn(move || {
            let mut sink = stream.try_clone().unwrap();
            // The peer may go in the middle of it.
            let _ = std::io::copy(&mut stream, &mut sink);
        });
    }
}
