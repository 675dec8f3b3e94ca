//! What bulk costs the processor in user space, stage by stage: two hosts in one thread that hand
//! their datagrams over without a system in between.
//!
//! ```text
//! cargo bench --bench bulk_path              # packets as Ethernet and as loopback bear them
//! cargo bench --bench bulk_path -- 1472 9000 # packets of these lengths
//! ```
//!
//! Measured is the processor time of this thread, so that others on the machine disturb little; printed
//! are medians with the least and the most. One copy of each datagram, which the system would make,
//! is in no stage.

use std::{env, time::Duration};

use rdtp::{
    batch::Batch,
    endpoint::{Endpoint, Offer, RecvMeta, Train},
    rng::Seed,
    time::Instant,
    transport::{
        config::Config,
        connection::Event,
        cookie::Secret,
        host::{CookiePolicy, Host, HostConfig, HostEvent},
        stream::StreamEvent,
    },
    wire::transport::{ConnectionId, StreamId},
};
use rustix::time::{ClockId, clock_gettime};

const STAGES: [&str; 6] = ["write", "send", "receive", "acknowledge", "hear ACKs", "both ends"];
const WINDOW: u64 = 512 << 10;
const CHUNK: usize = 64 << 10;
/// Bytes of one sample.
const SAMPLE: u64 = 64 << 20;
const SAMPLES: usize = 15;
/// How far virtual time goes in one round, which is also how long the way takes.
const STEP: Duration = Duration::from_micros(500);

/// Processor time of this thread since a moment.
struct Cpu(Duration);

impl Cpu {
    fn start() -> Self {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        let seconds = u64::try_from(time.tv_sec).expect("time goes on");
        Self(Duration::new(seconds, u32::try_from(time.tv_nsec).expect("less than a second")))
    }

    fn spent(&self) -> Duration {
        Self::start().0.saturating_sub(self.0)
    }
}

/// Datagrams on their way, one behind the other in one buffer. What left together arrives together, as
/// sockets with segmentation offload have it.
#[derive(Default)]
struct Wire {
    bytes: Vec<u8>,
    /// Bytes of what left together, and of each datagram of it.
    trains: Vec<(usize, usize)>,
}

impl Wire {
    fn each(&mut self, mut take: impl FnMut(Train<'_>)) {
        let mut at = 0;
        for (len, stride) in self.trains.drain(..) {
            take(Train::new(&self.bytes[at..at + len], stride));
            at += len;
        }
        self.bytes.clear();
    }
}

struct Pair {
    hosts: [Host; 2],
    id: ConnectionId,
    stream: StreamId,
    now: Instant,
    wires: [Wire; 2],
    space: Vec<u8>,
    /// What the application reads into.
    read: Vec<u8>,
    at: usize,
    /// Time of each stage, and bytes that were read.
    spent: [Duration; 5],
    got: u64,
}

fn host(packet_bytes: usize, seed: u64) -> Host {
    let mut connection = Config { packet_bytes, ..Config::default() };
    connection.streams = connection.streams.with_windows(WINDOW);
    let config = HostConfig { connection, cookies: CookiePolicy::Never, ..HostConfig::default() };
    Host::new(config, Secret::new([7; 16]), Seed::new(seed)).expect("a good configuration")
}

fn address(node: usize) -> core::net::SocketAddr {
    ([10, 0, 0, 1], 1000 + u16::try_from(node).expect("two of them")).into()
}

impl Pair {
    fn new(packet_bytes: usize) -> Self {
        let mut hosts = [host(packet_bytes, 1), host(packet_bytes, 2)];
        let id = hosts[0].open(Instant::ZERO, address(1));
        let connection = hosts[0].get_mut(id).expect("just opened");
        let stream = connection.open_stream(0).expect("the first");
        Self {
            hosts,
            id,
            stream,
            now: Instant::ZERO,
            wires: [Wire::default(), Wire::default()],
            space: vec![0; 65_507],
            read: vec![0; CHUNK],
            at: 0,
            spent: [Duration::ZERO; 5],
            got: 0,
        }
    }

    /// The application writes as much as there is room for.
    fn write(&mut self, chunk: &[u8]) {
        let start = Cpu::start();
        let connection = self.hosts[0].get_mut(self.id).expect("it is open");
        while connection.write(self.stream, chunk).is_ok_and(|taken| taken == chunk.len()) {}
        self.spent[0] += start.spent();
    }

    /// What a host has to send goes on the wire.
    fn send(&mut self, node: usize, stage: usize) {
        let mut nth = 0;
        loop {
            let start = Cpu::start();
            let mut batch = Batch::new(&mut self.space);
            let offer = self.hosts[node].poll_offer(self.now, &mut batch);
            self.spent[stage] += start.spent();
            let wire = &mut self.wires[node];
            let mut put = |datagram: &[u8]| wire.bytes.extend_from_slice(datagram);
            let transmit = match offer {
                None => break,
                Some(Offer::Lent(transmit)) => {
                    self.hosts[node].lent(nth, &mut put);
                    nth += 1;
                    transmit
                }
                Some(Offer::Written(transmit)) => {
                    batch.segments().for_each(put);
                    transmit
                }
            };
            wire.trains.push((transmit.size, transmit.segment_size.unwrap_or(transmit.size)));
        }
        let start = Cpu::start();
        self.hosts[node].take_back();
        self.spent[stage] += start.spent();
    }

    /// What is on the wire to a host arrives there.
    fn arrive(&mut self, node: usize, stage: usize) {
        let start = Cpu::start();
        let meta = RecvMeta::from(address(1 - node));
        let (host, now) = (&mut self.hosts[node], self.now);
        let (read, at, got) = (&mut self.read, &mut self.at, &mut self.got);
        let mut take = |_, _, bytes: &[u8]| {
            let mut rest = bytes;
            while !rest.is_empty() {
                let len = rest.len().min(read.len() - *at);
                read[*at..*at + len].copy_from_slice(&rest[..len]);
                *at = if *at + len == read.len() { 0 } else { *at + len };
                rest = &rest[len..];
            }
            *got += bytes.len() as u64;
            bytes.len()
        };
        self.wires[1 - node].each(|train| {
            let mut rest = Some(train);
            while let Some(train) = rest {
                let (taken, _) = host.handle_train_for(now, meta, train, &mut take);
                rest = train.after(taken);
            }
        });
        if host.poll_timeout().is_some_and(|at| at <= now) {
            host.handle_timeout(now);
        }
        while let Some(HostEvent { id, event }) = host.poll_event() {
            // What came with the handshake waits to be read.
            if let Event::Stream(StreamEvent::Readable(stream)) = event
                && let Some(connection) = host.get_mut(id)
            {
                while let Ok(len) = connection.read(now, stream, read) {
                    *got += len as u64;
                }
            }
        }
        self.spent[stage] += start.spent();
    }

    fn round(&mut self, chunk: &[u8]) {
        self.write(chunk);
        self.send(0, 1);
        self.now += STEP;
        self.arrive(1, 2);
        self.send(1, 3);
        self.now += STEP;
        self.arrive(0, 4);
    }
}

/// Microseconds for 64 KiB, each stage and all together.
fn sample(pair: &mut Pair, chunk: &[u8]) -> [f64; 6] {
    (pair.spent, pair.got) = ([Duration::ZERO; 5], 0);
    let mut rounds = 0;
    while pair.got < SAMPLE {
        pair.round(chunk);
        rounds += 1;
        assert!(rounds < 10_000_000, "it does not move");
    }
    #[expect(clippy::cast_precision_loss, reason = "far less than 2^52 bytes")]
    let scale = CHUNK as f64 / pair.got as f64 * 1e6;
    let all: Duration = pair.spent.iter().sum();
    let stages: Vec<f64> =
        pair.spent.iter().chain([&all]).map(|time| time.as_secs_f64() * scale).collect();
    stages.try_into().expect("six of them")
}

fn main() {
    let lengths: Vec<usize> = env::args().filter_map(|word| word.parse().ok()).collect();
    let lengths = if lengths.is_empty() { vec![1472, 8972, 65_507] } else { lengths };
    let chunk = vec![7; CHUNK];
    println!("microseconds of processor time for 64 KiB, median (least..most) of {SAMPLES}\n");
    println!("| packets | {} |", STAGES.join(" | "));
    println!("|{}", " --- |".repeat(STAGES.len() + 1));
    for length in lengths {
        let mut pair = Pair::new(length);
        sample(&mut pair, &chunk);
        let samples: Vec<_> = (0..SAMPLES).map(|_| sample(&mut pair, &chunk)).collect();
        let cells = (0..STAGES.len()).map(|stage| {
            let mut times: Vec<f64> = samples.iter().map(|sample| sample[stage]).collect();
            times.sort_by(f64::total_cmp);
            let (least, most) = (times[0], times[SAMPLES - 1]);
            format!("{:.2} ({least:.2}..{most:.2})", times[SAMPLES / 2])
        });
        println!("| {length} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
}
