//! Hours of everything that may happen to streams over real sockets: bulk transfers over a bad
//! network, short connections, peers that vanish, a process that is stopped for half a minute, killed
//! and started again. What arrives is compared, and memory and descriptors have to stay flat.
//!
//! ```text
//! cargo bench --bench soak -- --minutes 60
//! ```
//!
//! Without `--minutes` it runs for one. Rounds print a line each; the exit status is 1 when a byte was
//! wrong or something leaked, at this end or in the echo server that lives through all of it.
//!
//! What leaks shows in the bytes of heap that are in use, which are counted. What the system says of a
//! process (`VmRSS`) has the allocator's caches in it: glibc keeps one for each of sixteen arenas, and
//! lets them grow with the largest block that was ever freed, which takes hours to come to an end. It
//! runs with fixed limits here, so that this is flat as well.

#![allow(clippy::disallowed_methods, reason = "a soak lasts for so long by the machine's clock")]
#![allow(clippy::unwrap_used, reason = "what fails here ends the soak")]

use std::{
    alloc::System,
    env, fmt, fs,
    io::{BufRead, BufReader, Lines, Read, Write},
    net::SocketAddr,
    process::{self, Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use rdtp::{
    link::Profile,
    net::{Connection, Listener, Stream},
    rng::Seed,
    transport::config::Config,
};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Limits of glibc's allocator that do not grow; others have no such names.
const ALLOCATOR: [(&str, &str); 3] = [
    ("MALLOC_ARENA_MAX", "2"),
    ("MALLOC_MMAP_THRESHOLD_", "131072"),
    ("MALLOC_TRIM_THRESHOLD_", "131072"),
];
const ROLE: &str = "RDTP_SOAK_ECHO_ON";
const SECRET: [u8; 16] = *b"of the soak only";
const NETWORK: &str = "loss=2%,dup=1%,reorder=2%:3:2ms,corrupt=1%,delay=1ms";
/// How long the other process is stopped in each round of that.
const STOP: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    if let Ok(on) = env::var(ROLE) {
        echo_process(&on);
    }
    let arguments: Vec<String> = env::args().skip(1).collect();
    if env::var(ALLOCATOR[0].0).is_err() {
        // An allocator reads its limits once, when a process begins.
        let mut again = Command::new(env::current_exe().unwrap());
        let status = again.args(arguments).envs(ALLOCATOR).status().unwrap();
        return if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let minutes = arguments.iter().position(|argument| argument == "--minutes");
    let minutes = minutes.and_then(|at| arguments.get(at + 1)).and_then(|text| text.parse().ok());
    let until = Instant::now() + Duration::from_secs(60 * minutes.unwrap_or(1));
    soak(until)
}

/// Rounds until the time is over, and then whether the later ones held more than the earlier.
fn soak(until: Instant) -> ExitCode {
    let mut server = Server::start("127.0.0.1:0");
    let mut held: Vec<[Held; 2]> = Vec::new();
    let (start, at_start) = (Instant::now(), [Held::here(), server.held()]);
    let mut round = 0_u64;
    while Instant::now() < until {
        let what = match round % 8 {
            0 => bulk(server.address, round),
            1 => many_short(server.address, 200),
            2 => vanish(server.address),
            3 if round % 16 == 3 => stopped(&server),
            4 if round % 16 == 4 => killed(),
            _ => streams(server.address, round),
        };
        let [here, there] = settle(&mut server, at_start);
        println!("{:>7.1?} round {round}: {what}; here {here}; there {there}", start.elapsed());
        held.push([here, there]);
        round += 1;
    }
    verdict(&held)
}

/// What a process holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Held {
    descriptors: usize,
    heap_bytes: usize,
    /// What of it is in memory.
    resident_kib: usize,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { descriptors, heap_bytes, resident_kib } = self;
        write!(f, "{descriptors} descriptors, {heap_bytes} B heap, {resident_kib} KiB")
    }
}

impl Held {
    fn here() -> Self {
        Self::of(process::id(), heap_bytes())
    }

    fn of(id: u32, heap_bytes: usize) -> Self {
        let descriptors = fs::read_dir(format!("/proc/{id}/fd")).map_or(0, Iterator::count);
        Self { descriptors, heap_bytes, resident_kib: memory_kib_of(id) }
    }

    /// The most of each.
    fn max(self, other: Self) -> Self {
        Self {
            descriptors: self.descriptors.max(other.descriptors),
            heap_bytes: self.heap_bytes.max(other.heap_bytes),
            resident_kib: self.resident_kib.max(other.resident_kib),
        }
    }

    /// Whether it is no more than before, but for queues whose room may still double, and what the
    /// allocator keeps of what it was given back.
    fn is_flat_after(self, before: Self) -> bool {
        self.descriptors <= before.descriptors
            && self.heap_bytes <= before.heap_bytes + before.heap_bytes / 20 + 65_536
            && self.resident_kib <= before.resident_kib + before.resident_kib / 10 + 4096
    }
}

/// Bytes of heap in use.
fn heap_bytes() -> usize {
    let stats = HEAP.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// The first quarter warms up; of the rest, the second half must not hold more than the first, at
/// either end.
fn verdict(held: &[[Held; 2]]) -> ExitCode {
    let warm = &held[held.len() / 4..];
    let (first, second) = warm.split_at(warm.len() / 2);
    let mut flat = true;
    for (end, name) in ["here", "there"].into_iter().enumerate() {
        let most =
            |half: &[[Held; 2]]| half.iter().fold(Held::default(), |most, now| most.max(now[end]));
        let (before, after) = (most(first), most(second));
        println!("{name}: at most {before} in the first half, {after} in the second");
        flat &= first.is_empty() || after.is_flat_after(before);
    }
    println!("{}", if flat { "nothing leaks" } else { "something leaks" });
    if flat { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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

/// A server of its own, since the other one is to live for as long as the soak.
fn killed() -> &'static str {
    let mut server = Server::start("127.0.0.1:0");
    let stream = Stream::connect(server.address).unwrap();
    { &stream }.write_all(&bytes(50_000, 2)).unwrap();
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    let again = Server::start(&server.address.to_string());
    let block = bytes(50_000, 3);
    while { &stream }.write(&block).is_ok() {}
    drop(again);
    "killed in mid transfer and started again"
}

/// Waits until what has ended holds nothing any more, at both ends: until there are no more descriptors
/// than at the `start`, and heap does not become less any more. What they hold then.
fn settle(server: &mut Server, start: [Held; 2]) -> [Held; 2] {
    // On a busy machine the last words of a connection take their time.
    let limit = Instant::now() + Duration::from_mins(1);
    let mut before = [Held { heap_bytes: usize::MAX, ..Held::default() }; 2];
    loop {
        thread::park_timeout(Duration::from_millis(1500));
        let now = [Held::here(), server.held()];
        let rests = |end: usize| {
            now[end].descriptors <= start[end].descriptors
                && now[end].heap_bytes >= before[end].heap_bytes
        };
        if (rests(0) && rests(1)) || Instant::now() > limit {
            return now;
        }
        before = now;
    }
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
    says: Lines<BufReader<ChildStdout>>,
    hears: ChildStdin,
    address: SocketAddr,
}

impl Server {
    fn start(on: &str) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.env(ROLE, on).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut says = BufReader::new(child.stdout.take().unwrap()).lines();
        let hears = child.stdin.take().unwrap();
        let address = says.next().unwrap().unwrap().parse().unwrap();
        Self { child, says, hears, address }
    }

    fn held(&mut self) -> Held {
        writeln!(self.hears, "?").unwrap();
        let heap_bytes = self.says.next().unwrap().unwrap().parse().unwrap();
        Held::of(self.child.id(), heap_bytes)
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
    thread::spawn(|| {
        std::io::stdin().lines().for_each(|_| println!("{}", heap_bytes()));
        // Whoever asked is gone.
        process::exit(0);
    });
    loop {
        let Ok((mut stream, _)) = listener.accept() else { process::exit(1) };
        thread::spawn(move || {
            let mut sink = stream.try_clone().unwrap();
            // The peer may go in the middle of it.
            let _ = std::io::copy(&mut stream, &mut sink);
        });
    }
}
