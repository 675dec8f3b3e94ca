//! The two processes of a run, and what they tell each other.

use std::{
    error::Error,
    fs,
    io::{Read, Write},
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::{kcp, quic, rdt, stream, tcp};

pub type Done<T = ()> = Result<T, Box<dyn Error>>;

/// What a run measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// One connection, from client to server, for so long; an eighth of it first is not counted.
    Bulk(Duration),
    /// 64 bytes there and back, so many times.
    PingPong(usize),
    /// So many connections at the same time, 64 bytes there and back on each.
    Connections(usize),
}

/// Bytes of one write and of one read, for everybody.
pub const CHUNK: usize = 1 << 16;
/// Bytes of a ping.
pub const PING: usize = 64;

impl Work {
    pub fn words(self) -> [String; 2] {
        match self {
            Self::Bulk(time) => ["bulk".into(), time.as_millis().to_string()],
            Self::PingPong(rounds) => ["pingpong".into(), rounds.to_string()],
            Self::Connections(count) => ["connections".into(), count.to_string()],
        }
    }

    fn parse(words: &[&str]) -> Done<Self> {
        match words {
            ["bulk", ms, ..] => Ok(Self::Bulk(Duration::from_millis(ms.parse()?))),
            ["pingpong", rounds, ..] => Ok(Self::PingPong(rounds.parse()?)),
            ["connections", count, ..] => Ok(Self::Connections(count.parse()?)),
            _ => Err("unknown work".into()),
        }
    }
}

/// `server CONTENDER WORK AMOUNT`
pub fn server(words: &[&str]) -> Done {
    let (&contender, rest) = words.split_first().ok_or("which contender?")?;
    let work = Work::parse(rest)?;
    match contender.split('+').next().unwrap_or_default() {
        "tcp" => tcp::server(contender, work),
        "rdtp" => rdt::server(contender, work),
        "stream" => stream::server(contender, work),
        "tokio" => stream::async_server(contender, work),
        "quinn" => quic::server(work),
        "kcp" => kcp::server(work),
        _ => Err("unknown contender".into()),
    }
}

/// `client CONTENDER ADDRESS WORK AMOUNT`
pub fn client(words: &[&str]) -> Done {
    let [contender, address, rest @ ..] = words else { return Err("client: too few words".into()) };
    let (address, work): (SocketAddr, _) = (address.parse()?, Work::parse(rest)?);
    match contender.split('+').next().unwrap_or_default() {
        "tcp" => tcp::client(contender, address, work),
        "rdtp" => rdt::client(contender, address, work),
        "stream" => stream::client(contender, address, work),
        "tokio" => stream::async_client(contender, address, work),
        "quinn" => quic::client(address, work),
        "kcp" => kcp::client(address, work),
        _ => Err("unknown contender".into()),
    }
}

/// Tells the suite something: a name and a number.
pub fn tell(name: &str, value: impl std::fmt::Display) {
    println!("{name} {value}");
    std::io::stdout().flush().ok();
}

pub fn tell_address(address: SocketAddr) {
    tell("address", address);
}

/// Takes bulk until it ends, and tells what came.
pub fn take_bulk(stream: &mut impl Read, time: Duration) -> Done {
    let mut space = vec![0; CHUNK];
    let mut meter = Meter::default();
    loop {
        match stream.read(&mut space)? {
            0 => break,
            len => meter.took(len, time),
        }
    }
    meter.report();
    Ok(())
}

/// Sends bulk for so long, and tells what that took.
pub fn send_bulk(stream: &mut impl Write, time: Duration) -> Done {
    let chunk = vec![7; CHUNK];
    let mut clock = SenderClock::start(time);
    while clock.goes_on() {
        stream.write_all(&chunk)?;
    }
    clock.report();
    Ok(())
}

/// Sends pings back until they end.
pub fn echo(stream: &mut (impl Read + Write)) -> Done {
    let mut ping = [0; PING];
    while stream.read_exact(&mut ping).is_ok() {
        stream.write_all(&ping)?;
    }
    Ok(())
}

/// Sends pings, waits for each to come back, and tells how long that took.
pub fn send_pings(stream: &mut (impl Read + Write), rounds: usize) -> Done {
    let mut ping = [7; PING];
    let mut times = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let start = Instant::now();
        stream.write_all(&ping)?;
        stream.read_exact(&mut ping)?;
        times.push(start.elapsed().as_nanos() as u64);
    }
    tell_rounds(times);
    Ok(())
}

/// Counts what a receiver of bulk gets, from when the warm-up is over.
#[derive(Default)]
pub struct Meter {
    began: Option<Instant>,
    counted_from: Option<(Instant, u64, Duration)>,
    last: Option<Instant>,
    bytes: u64,
}

impl Meter {
    pub fn took(&mut self, bytes: usize, whole: Duration) {
        self.bytes += bytes as u64;
        let now = Instant::now();
        let began = *self.began.get_or_insert(now);
        if self.counted_from.is_none() && now - began >= whole / 8 {
            self.counted_from = Some((now, self.bytes, cpu()));
        }
        self.last = Some(now);
    }

    /// Bytes a second, and CPU time, from the end of the warm-up to the last byte.
    pub fn report(&self) {
        if let (Some((from, before, cpu_before)), Some(last)) = (self.counted_from, self.last) {
            let seconds = (last - from).as_secs_f64().max(1e-9);
            let bytes = self.bytes - before;
            tell("gbit", bytes as f64 * 8.0 / seconds / 1e9);
            tell("bytes", bytes);
            tell("cpu_recv", (cpu() - cpu_before).as_secs_f64());
        }
        tell("rss_recv", rss());
    }
}

/// The sender's side of the same: CPU time from the end of the warm-up on.
pub struct SenderClock {
    began: Instant,
    whole: Duration,
    warm: Option<Duration>,
}

impl SenderClock {
    pub fn start(whole: Duration) -> Self {
        Self { began: Instant::now(), whole, warm: None }
    }

    /// Whether to go on.
    pub fn goes_on(&mut self) -> bool {
        let now = Instant::now();
        if self.warm.is_none() && now - self.began >= self.whole / 8 {
            self.warm = Some(cpu());
        }
        now - self.began < self.whole
    }

    pub fn report(&self) {
        tell("cpu_send", (cpu() - self.warm.unwrap_or_default()).as_secs_f64());
        tell("rss_send", rss());
    }
}

/// Time that this process has used, of all its threads.
pub fn cpu() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanos = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// KiB of memory that this process holds.
pub fn rss() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or_default()
}

/// Times of rounds, in nanoseconds.
pub fn tell_rounds(mut rounds: Vec<u64>) {
    rounds.sort_unstable();
    let at = |share: f64| rounds[((rounds.len() - 1) as f64 * share) as usize] as f64 / 1000.0;
    tell("p50", at(0.5));
    tell("p99", at(0.99));
    tell("p999", at(0.999));
}
