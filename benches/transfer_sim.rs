//! The production transport in virtual time against its targets: a table of figure, limit and share.
//!
//! Networks are written in the link's text form. The limit L(p) is the rate of the line less loss
//! and less what headers take of each packet. Everything but the last line is the same on every
//! machine; the last line is the speed of the simulator itself.

#![allow(clippy::cast_precision_loss, reason = "figures for people have few digits")]

use std::{collections::BTreeMap, time::Duration};

use rdtp::{
    link::Profile,
    rng::Seed,
    sim::{Application, World},
    time::Instant,
    trace::NodeId,
    transport::{
        cc::Algorithm,
        connection::{Connection, Event},
        cookie::Secret,
        host::{Host, HostConfig, HostEvent},
        stats::Stats,
        stream::StreamEvent,
    },
    wire::transport::{ConnectionId, StreamId},
};

/// 100 Mbit/s, a round trip of 50 ms, a queue of one bandwidth-delay product.
const PATH: &str = "delay=25ms,rate=100mbit,queue=625000B";
const RATE: f64 = 100e6;
const ROUND: f64 = 0.05;
/// UDP payload of a packet that fills an Ethernet frame, as Linux's did.
const FULL_PACKET: usize = 1472;

/// Uploads without end over `flows` connections, or one exchange of `request` and `answer` bytes.
struct Load {
    client: NodeId,
    server: NodeId,
    request: u64,
    answer: u64,
    to_send: BTreeMap<(NodeId, ConnectionId), u64>,
    streams: BTreeMap<ConnectionId, StreamId>,
    received: BTreeMap<(NodeId, ConnectionId), u64>,
    done_at: Option<Instant>,
}

impl Load {
    fn new(
        config: HostConfig,
        network: &str,
        seed: u64,
        flows: u32,
        (request, answer): (u64, u64),
    ) -> (World<Host>, Self) {
        let seed = Seed::new(seed);
        let host = |n: u8| {
            let seed = seed.split("host").index(n.into());
            Host::new(config, Secret::new([n; 16]), seed).expect("a good config")
        };
        let mut world = World::new();
        let (client, server) = (world.add(host(1)), world.add(host(2)));
        let profile: Profile = network.parse().expect("a network");
        world.connect(client, server, &profile, seed);
        let mut load = Self {
            client,
            server,
            request,
            answer,
            to_send: BTreeMap::new(),
            streams: BTreeMap::new(),
            received: BTreeMap::new(),
            done_at: None,
        };
        for _ in 0..flows {
            load.open(&mut world);
        }
        (world, load)
    }

    /// Opens another connection.
    fn open(&mut self, world: &mut World<Host>) {
        let now = world.now();
        let host = world.endpoint_mut(self.client);
        let id = host.open(now, World::address(1));
        let connection = host.get_mut(id).expect("just opened");
        let stream = connection.open_stream(0).expect("the first stream");
        self.streams.insert(id, stream);
        self.to_send.insert((self.client, id), self.request);
        self.feed(self.client, id, stream, connection);
    }

    /// Writes as much as there is room for, and the end.
    fn feed(
        &mut self,
        node: NodeId,
        id: ConnectionId,
        stream: StreamId,
        connection: &mut Connection,
    ) {
        const BLOCK: [u8; 1 << 14] = [7; 1 << 14];
        let Some(left) = self.to_send.get_mut(&(node, id)) else { return };
        while *left > 0 {
            let len = usize::try_from(*left).unwrap_or(BLOCK.len()).min(BLOCK.len());
            match connection.write(stream, &BLOCK[..len]) {
                Ok(taken) => *left -= taken as u64,
                Err(_) => return,
            }
        }
        connection.finish(stream).ok();
    }

    fn take(&mut self, now: Instant, node: NodeId, id: ConnectionId, connection: &mut Connection) {
        let stream = if node == self.client { self.streams[&id] } else { StreamId(0) };
        let received = self.received.entry((node, id)).or_default();
        while let Ok(bytes) = connection.peek(stream) {
            let len = bytes.len();
            if len == 0 {
                break;
            }
            connection.consume(now, stream, len);
            *received += len as u64;
        }
        let received = *received;
        if node == self.server && received == self.request && self.answer > 0 {
            self.to_send.entry((node, id)).or_insert(self.answer);
            self.feed(node, id, stream, connection);
        }
        let complete = if self.answer > 0 {
            node == self.client && received == self.answer
        } else {
            node == self.server && received == self.request
        };
        if complete {
            self.done_at.get_or_insert(now);
        }
    }

    /// Bytes that have arrived at the server, for each connection.
    fn arrived(&self) -> Vec<u64> {
        let at_server = self.received.iter().filter(|((node, _), _)| *node == self.server);
        at_server.map(|(_, &bytes)| bytes).collect()
    }

    fn stats(&self, world: &World<Host>) -> Stats {
        let host = world.endpoint(self.client);
        host.connections().next().map(|(_, connection)| connection.stats()).unwrap_or_default()
    }
}

impl Application<Host> for Load {
    fn on_event(&mut self, now: Instant, node: NodeId, event: HostEvent, host: &mut Host) {
        let HostEvent { id, event } = event;
        let Some(connection) = host.get_mut(id) else { return };
        match event {
            Event::Stream(StreamEvent::Readable(_)) => self.take(now, node, id, connection),
            Event::Stream(StreamEvent::Writable(stream)) => self.feed(node, id, stream, connection),
            Event::Closed(reason) => println!("a connection ended: {reason}"),
            _ => {}
        }
    }
}

fn config(algorithm: Algorithm, packet_bytes: usize) -> HostConfig {
    let mut config = HostConfig::default();
    config.connection.congestion = algorithm;
    config.connection.packet_bytes = packet_bytes;
    config.connection.packet_bytes_max = packet_bytes;
    config
}

const SECOND: Duration = Duration::from_secs(1);
const ENDLESS: (u64, u64) = (u64::MAX, 0);

/// Goodput in bit/s of uploads for `time`, of all flows together, and how the first one fared.
fn goodput(config: HostConfig, network: &str, seed: u64, time: Duration) -> (f64, Stats) {
    let (mut world, mut load) = Load::new(config, network, seed, 1, ENDLESS);
    world.run(Instant::ZERO + time, &mut (), &mut load);
    let bytes: u64 = load.arrived().iter().sum();
    (bytes as f64 * 8.0 / time.as_secs_f64(), load.stats(&world))
}

/// The share of a full packet that is the application's.
fn payload(packet_bytes: usize) -> f64 {
    // A data packet's header and a stream frame's far from the beginning.
    (packet_bytes as f64 - 25.0) / packet_bytes as f64
}

fn line(what: &str, figure: &str, target: &str, good: bool) {
    println!("{what:<44} {figure:<40} {target:<24} {}", if good { "PASS" } else { "short" });
}

fn clean() {
    for (name, algorithm) in [("cubic", Algorithm::Cubic), ("newreno", Algorithm::NewReno)] {
        let (rate, stats) = goodput(config(algorithm, 1200), PATH, 1, 30 * SECOND);
        let limit = RATE * payload(1200);
        let share = rate / limit;
        let figure = format!("{:.1} of {:.1} Mbit/s, {share:.3}", rate / 1e6, limit / 1e6);
        line(&format!("goodput {name}, 30 s"), &figure, ">= 0.95", share >= 0.95);
        println!("    {:?} srtt {:?}", stats.recovery, stats.srtt);
    }
}

fn lossy() {
    // Linux's CUBIC on this path, in Mbit/s: 20 s, loss in each direction.
    let paths = [(0.001_f64, 14.9), (0.01, 2.45), (0.02, 1.77), (0.05, 0.82)];
    for (name, algorithm) in [("cubic", Algorithm::Cubic), ("newreno", Algorithm::NewReno)] {
        for (loss, linux) in paths {
            let network = format!("loss={}%,{PATH}", loss * 100.0);
            let seeds = 8;
            let rates: Vec<_> = (0..seeds)
                .map(|seed| goodput(config(algorithm, FULL_PACKET), &network, seed, 20 * SECOND))
                .collect();
            let rate = rates.iter().map(|(rate, _)| rate).sum::<f64>() / seeds as f64;
            let packet = FULL_PACKET as f64 * payload(FULL_PACKET) * 8.0;
            let reno = packet / ROUND * 1.5_f64.sqrt() / loss.sqrt();
            let cubic = packet / ROUND * 1.054 * (ROUND / loss).powf(0.75);
            // What was measured of Linux is CUBIC; NewReno has only its formula.
            let (formula, wanted) = if name == "cubic" {
                (reno.max(cubic), reno.max(cubic).max(linux * 1e6))
            } else {
                (reno, reno)
            };
            let share = rate / wanted;
            let limit = RATE * payload(FULL_PACKET) * (1.0 - loss);
            let figure = format!("{:.2} Mbit/s, {:.3} of L(p)", rate / 1e6, rate / limit);
            let target = format!("{:.2}, ratio {share:.2}", wanted / 1e6);
            line(&format!("{name}, loss {}%", loss * 100.0), &figure, &target, share >= 0.85);
            let total =
                |count: fn(&Stats) -> u64| -> u64 { rates.iter().map(|(_, s)| count(s)).sum() };
            println!(
                "    formula {:.2}, Linux's CUBIC {linux}; sent {} lost {} spurious {} cuts {} undone {} ptos {}",
                formula / 1e6,
                total(|s| s.recovery.sent_packets),
                total(|s| s.recovery.lost_packets),
                total(|s| s.recovery.spurious_packets),
                total(|s| s.recovery.congestion_events),
                total(|s| s.recovery.undone_events),
                total(|s| s.recovery.probe_timeouts),
            );
        }
    }
}

/// Time of an exchange with a peer that was never talked to, the median of some seeds.
fn exchange(network: &str, bytes: (u64, u64)) -> f64 {
    let mut times: Vec<f64> = (0..21)
        .map(|seed| {
            let config = config(Algorithm::Cubic, FULL_PACKET);
            let (mut world, mut load) = Load::new(config, network, seed, 1, bytes);
            let end = Instant::ZERO + 30 * SECOND;
            while load.done_at.is_none() && world.step(end, &mut (), &mut load) {}
            load.done_at.map_or(f64::INFINITY, |at| at.since_epoch().as_secs_f64())
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The round model: slow start from ten packets doubles each round until the window passes the
/// bandwidth-delay product, then the line is full; before it, `trips` round trips.
fn round_model(bytes: u64, trips: f64) -> f64 {
    let bdp = RATE / 8.0 * ROUND;
    let payload_bytes = bytes as f64 / payload(FULL_PACKET);
    let (mut window, mut sent, mut time) = (10.0 * FULL_PACKET as f64, 0.0, trips * ROUND);
    while window < bdp && sent + window < payload_bytes {
        sent += window;
        window *= 2.0;
        time += ROUND;
    }
    time + (payload_bytes - sent) * 8.0 / RATE
}

fn exchanges() {
    for (loss, network) in [(0, PATH.to_string()), (5, format!("loss=5%,{PATH}"))] {
        let rounds = exchange(&network, (1000, 1000)) / ROUND;
        let what = format!("1 kB each way, fresh peer, loss {loss}%, p50");
        line(&what, &format!("{rounds:.3} RTT"), "<= 2.05 RTT", rounds <= 2.05);
    }
    // An answer has the handshake before it: the address must be shown to be good first. What the
    // opener sends rides on the handshake, and its last byte needs half a round trip.
    for (what, bytes, trips) in
        [("1 MB answer", (100, 1_000_000), 2.0), ("1 MB upload", (1_000_000, 0), 0.5)]
    {
        let (time, model) = (exchange(PATH, bytes), round_model(1_000_000, trips));
        let ratio = time / model;
        let figure = format!("{:.0} ms, model {:.0} ms, {ratio:.3}", time * 1e3, model * 1e3);
        line(&format!("{what}, no loss, p50"), &figure, "<= 1.15", ratio <= 1.15);
    }
}

fn jain(shares: &[u64]) -> f64 {
    let sum: f64 = shares.iter().map(|&share| share as f64).sum();
    let squares: f64 = shares.iter().map(|&share| (share as f64).powi(2)).sum();
    sum * sum / (shares.len() as f64 * squares)
}

/// Jain's index of uploads that begin at times of their own within `spread`, and the rate of all
/// together, over the 60 s that follow.
fn share(algorithm: Algorithm, flows: u32, spread: Duration, seed: u64) -> (f64, f64) {
    let (mut world, mut load) = Load::new(config(algorithm, FULL_PACKET), PATH, seed, 0, ENDLESS);
    let mut rng = Seed::new(seed).split("starts").rng();
    let mut starts: Vec<u64> = (0..flows)
        .map(|_| rng.below(u64::try_from(spread.as_nanos()).unwrap_or(u64::MAX)))
        .collect();
    starts.sort_unstable();
    for start in starts {
        let start = Instant::from_nanos(start);
        world.run(start, &mut (), &mut load);
        world.pass(start);
        load.open(&mut world);
    }
    let begin = Instant::ZERO + spread;
    world.run(begin, &mut (), &mut load);
    let before = load.received.clone();
    world.run(begin + 60 * SECOND, &mut (), &mut load);
    let shares: Vec<u64> = load
        .received
        .iter()
        .filter(|((node, _), _)| *node == load.server)
        .map(|(key, bytes)| bytes - before.get(key).copied().unwrap_or(0))
        .collect();
    (jain(&shares), shares.iter().sum::<u64>() as f64 * 8.0 / 60e6)
}

fn fairness() {
    for (name, algorithm) in [("cubic", Algorithm::Cubic), ("newreno", Algorithm::NewReno)] {
        // Flows that begin a second apart meet a queue that the first one fills.
        for (flows, spread, when) in
            [(2, 50, "together"), (8, 50, "together"), (2, 1000, "a second apart")]
        {
            let spread = Duration::from_millis(spread);
            let mut runs: Vec<_> =
                (0..9).map(|seed| share(algorithm, flows, spread, seed)).collect();
            runs.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (index, rate) = runs[runs.len() / 2];
            let (least, most) = (runs[0].0, runs[runs.len() - 1].0);
            let figure = format!("Jain {index:.3} ({least:.3} to {most:.3}), {rate:.1} Mbit/s");
            line(
                &format!("{flows} flows of {name} {when}, 60 s"),
                &figure,
                ">= 0.95",
                index >= 0.95,
            );
        }
    }
}

fn jitter() {
    let config = config(Algorithm::Cubic, FULL_PACKET);
    let tail = "rate=1gbit,queue=1250000B";
    let time = 6 * SECOND;
    let (clean, _) = goodput(config, &format!("delay=5ms,{tail}"), 1, time);
    for spread in ["2500us", "5ms"] {
        let network = format!("delay=5ms±{spread},jitter=reorder,{tail}");
        let (mut world, mut load) = Load::new(config, &network, 1, 1, ENDLESS);
        world.run(Instant::ZERO + 2 * SECOND, &mut (), &mut load);
        let before = load.stats(&world).recovery;
        world.run(Instant::ZERO + time, &mut (), &mut load);
        let stats = load.stats(&world);
        let after = stats.recovery;
        let rate = load.arrived().iter().sum::<u64>() as f64 * 8.0 / time.as_secs_f64();
        let share = rate / clean;
        let sent = (after.sent_packets - before.sent_packets).max(1);
        let spurious = (after.spurious_packets - before.spurious_packets) as f64 / sent as f64;
        let figure = format!("{:.0} of {:.0} Mbit/s, {share:.3}", rate / 1e6, clean / 1e6);
        line(&format!("1 Gbit/s, 10 ms, jitter ±{spread}"), &figure, ">= 0.9", share >= 0.9);
        let figure = format!("{:.3}% spurious after 2 s", spurious * 100.0);
        line("", &figure, "< 1%", spurious < 0.01);
        println!("    {after:?} srtt {:?} window {}", stats.srtt, stats.window_bytes);
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn speed() {
    let best = (0..3).map(|seed| {
        let start = std::time::Instant::now();
        let config = config(Algorithm::Cubic, 1200);
        let (mut world, mut load) = Load::new(config, PATH, seed, 1, ENDLESS);
        world.run(Instant::ZERO + 20 * SECOND, &mut (), &mut load);
        world.datagrams() as f64 / start.elapsed().as_secs_f64()
    });
    let best = best.fold(0.0, f64::max);
    line("simulator", &format!("{best:.0} datagrams/s"), ">= 500000", best >= 500_000.0);
}

fn main() {
    // A word on the command line picks the parts whose names hold it.
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let parts: [(&str, fn()); 6] = [
        ("clean", clean),
        ("lossy", lossy),
        ("exchange", exchanges),
        ("fairness", fairness),
        ("jitter", jitter),
        ("speed", speed),
    ];
    println!("{PATH} unless said; packets of {FULL_PACKET} bytes under loss, else 1200");
    for (name, part) in parts {
        if wanted.as_ref().is_none_or(|wanted| name.contains(wanted.as_str())) {
            part();
        }
    }
}
