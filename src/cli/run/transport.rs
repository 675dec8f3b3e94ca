//! `rdtp run transport`: bytes over one stream of the production transport, in virtual time.

use core::{fmt::Write as _, str::FromStr, time::Duration};
use std::{fs::File, path::Path, path::PathBuf, process::ExitCode};

use clap::{Args, error::ErrorKind};
use rdtp::{
    app::file::Digest as _,
    capture::{Ladder, Plot, Qlog},
    link::{Profile, throughput},
    quantity::{Bandwidth, ByteSize, Span},
    rng::Seed,
    sim::{Application, World},
    time::Instant,
    trace::{NodeId, Observer as _, Record, Watch},
    transport::{
        cc::Algorithm,
        connection::{Connection, Event},
        cookie::Secret,
        host::{Host, HostConfig, HostEvent},
        lifecycle::CloseReason,
        stats::{Limit, Stats},
        stream::{ReadError, StreamEvent},
    },
    wire::transport::{ConnectionId, StreamId},
};
use serde::Serialize;

use super::{Options, is_dash};
use crate::cli::{
    Failure, Outcome,
    network::seed_or_new,
    transfer::{Blake3, grouped, hex},
    whole,
};

/// Options that only the production transport has.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of transport")]
pub(super) struct TransportArgs {
    /// How much to send, such as 500kB or 10MB; without it 10MB
    #[arg(long, value_name = "SIZE", conflicts_with = "duration")]
    bytes: Option<ByteSize>,
    /// Send for so long instead, as fast as it goes; what was written is still delivered
    #[arg(long, value_name = "TIME")]
    duration: Option<Span>,
    /// Congestion control: cubic, newreno, or fixed:SIZE, a window that never changes; without it
    /// cubic
    #[arg(long, value_name = "NAME")]
    controller: Option<Controller>,
    /// Draw window, round trips, sequence and what limits sending over time, as SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Write what both sides see as qlog 0.3, which qvis and other viewers of QUIC read
    #[arg(long, value_name = "FILE")]
    qlog: Option<PathBuf>,
}

impl TransportArgs {
    /// The first option that was given, if any.
    pub(super) fn given(&self) -> Option<&'static str> {
        let given = [
            (self.bytes.is_some(), "--bytes"),
            (self.duration.is_some(), "--duration"),
            (self.controller.is_some(), "--controller"),
            (self.plot.is_some(), "--plot"),
            (self.qlog.is_some(), "--qlog"),
        ];
        given.into_iter().find_map(|(given, name)| given.then_some(name))
    }
}

/// A congestion control and its name.
#[derive(Clone, Debug)]
struct Controller {
    name: String,
    algorithm: Algorithm,
}

impl FromStr for Controller {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let algorithm = match text {
            "cubic" => Algorithm::Cubic,
            "newreno" | "new-reno" => Algorithm::NewReno,
            _ => {
                let size = text.strip_prefix("fixed:").and_then(|size| size.parse().ok());
                let Some(ByteSize(window @ WINDOW_MIN..)) = size else {
                    return Err("write cubic, newreno, or fixed:SIZE such as fixed:64KiB, \
                                at least 2400"
                        .into());
                };
                Algorithm::Fixed(window)
            }
        };
        Ok(Self { name: text.into(), algorithm })
    }
}

/// Two packets.
const WINDOW_MIN: u64 = 2_400;
const LINK: &str = "loss=0.1%,delay=25ms,rate=20mbit,queue=128KiB";
const BYTES: ByteSize = ByteSize(10_000_000);
/// What a packet spends on its header and that of a stream frame far from the beginning.
const OVERHEAD_BYTES: u64 = 25;

pub(super) fn run(options: &Options) -> Outcome {
    if let Some(option) = options.of_the_book() {
        let what = format!(
            "{option} is for the textbook's protocols: transport takes --bytes or --duration, \
             --controller, --plot and --qlog\n"
        );
        clap::Error::raw(ErrorKind::ArgumentConflict, what).exit()
    }
    let args = &options.transport;
    let link = match &options.link {
        Some(link) => link.clone(),
        None => LINK.parse()?,
    };
    let seed = seed_or_new(options.seed);
    let controller = match &args.controller {
        Some(controller) => controller.clone(),
        None => "cubic".parse().map_err(Failure)?,
    };
    let title = format!("transport, {}, over {link}, seed {}", controller.name, seed.number());
    for path in [&args.plot, &args.qlog].into_iter().flatten() {
        // Known now, not after the run.
        File::options().append(true).create(true).open(path).map_err(|error| at(path, &error))?;
    }
    let ladder =
        Ladder::new(&title).between((NodeId(0), "A, opens, sends"), (NodeId(1), "B, accepts"));
    let mut recorder = options.recording.start_if_asked(ladder)?;
    let mut plot = Plot::new(&title, NodeId(0));
    let mut qlog = args.qlog.as_ref().map(|_| Qlog::new(&title));
    let mut record = |record: &Record| {
        recorder.record(record);
        plot.record(record);
        if let Some(qlog) = &mut qlog {
            qlog.record(record);
        }
    };
    let mut transfer = Transfer::new(args, options.limit.0, seed, controller.algorithm)?;
    transfer.world.connect(CLIENT, SERVER, &link, seed);
    transfer.run(&mut Watch(&mut record))?;
    if let Some(path) = &args.plot {
        whole::write(path, &plot.to_svg())?;
    }
    if let (Some(path), Some(qlog)) = (&args.qlog, &qlog) {
        whole::write(path, &qlog.to_json())?;
    }
    let result = Report::new(&transfer, &link, (seed.number(), &controller.name), &plot);
    let ladder = recorder.finish_as_text(None)?;
    print(options, ladder.as_deref().unwrap_or_default(), &result)?;
    Ok(if result.intact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn at(path: &Path, error: &std::io::Error) -> Failure {
    Failure(format!("{}: {error}", path.display()))
}

fn print(options: &Options, ladder: &str, result: &Report) -> Result<(), Failure> {
    let to = &options.recording;
    let mut text = String::new();
    if to.ladder.as_deref().is_some_and(is_dash) {
        let _ = writeln!(text, "{ladder}");
    }
    if options.json {
        let json = serde_json::to_string(result)?;
        say!("{text}{json}");
    } else if to.events_own_stdout() {
        eprint!("{text}{}", result.words());
    } else {
        say!("{text}{}", result.words().trim_end());
    }
    Ok(())
}

const CLIENT: NodeId = NodeId(0);
const SERVER: NodeId = NodeId(1);

/// Bytes on their way from one host to the other.
struct Transfer {
    world: World<Host>,
    /// How many to send; `None` for as many as go until the time is over.
    bytes: Option<u64>,
    until: Instant,
    limit: Instant,
    packet_bytes: usize,
    sides: Sides,
    stats: Stats,
}

/// The applications of both sides.
struct Sides {
    /// Makes the content one of this seed.
    key: u64,
    id: ConnectionId,
    stream: StreamId,
    written: u64,
    finished: bool,
    sent_digest: Blake3,
    received: u64,
    received_digest: Blake3,
    wrong_at: Option<u64>,
    delivered_at: Option<Instant>,
    /// The sender knows that everything arrived.
    confirmed: bool,
    closed: [Option<CloseReason>; 2],
}

impl Transfer {
    fn new(
        args: &TransportArgs,
        limit: Duration,
        seed: Seed,
        congestion: Algorithm,
    ) -> Result<Self, Failure> {
        let mut config = HostConfig::default();
        config.connection.congestion = congestion;
        let mut world = World::new();
        for n in 0..2 {
            let seed = seed.split("host").index(n.into());
            let mut key = [0; 16];
            key[0] = n;
            world.add(Host::new(config, Secret::new(key), seed)?);
        }
        let bytes = args.bytes.unwrap_or(BYTES).0;
        Ok(Self {
            world,
            bytes: args.duration.is_none().then_some(bytes),
            until: args.duration.map_or(Instant::MAX, |time| Instant::ZERO + time.0),
            limit: Instant::ZERO + limit,
            packet_bytes: config.connection.packet_bytes,
            sides: Sides {
                key: seed.split("content").number(),
                id: ConnectionId(0),
                stream: StreamId(0),
                written: 0,
                finished: false,
                sent_digest: Blake3::default(),
                received: 0,
                received_digest: Blake3::default(),
                wrong_at: None,
                delivered_at: None,
                confirmed: false,
                closed: [None; 2],
            },
            stats: Stats::default(),
        })
    }

    fn run<F: FnMut(&Record)>(&mut self, observer: &mut Watch<F>) -> Result<(), Failure> {
        // Nothing happens yet, but the observer is asked now and so hears of the beginning.
        self.world.step(Instant::ZERO, observer, &mut self.sides);
        let host = self.world.endpoint_mut(CLIENT);
        self.sides.id = host.open(Instant::ZERO, World::address(SERVER.0));
        if let Some(connection) = host.get_mut(self.sides.id) {
            self.sides.stream = connection.open_stream(0)?;
        }
        while !self.sides.is_over() {
            self.feed();
            if !self.world.step(self.limit, observer, &mut self.sides) {
                break;
            }
        }
        let now = self.world.now();
        let id = self.sides.id;
        if let Some(connection) = self.world.endpoint(CLIENT).get(id) {
            self.stats = connection.stats();
        }
        // A good end: the other side hears of it, if its packet gets through.
        if let Some(connection) = self.world.endpoint_mut(CLIENT).get_mut(id) {
            connection.close(now, 0, b"done");
        }
        let patience = now + self.stats.srtt * 2;
        while self.sides.closed[1].is_none() && self.world.step(patience, observer, &mut self.sides)
        {
        }
        Ok(())
    }

    /// Writes as much as keeps the sender busy, and no more, so that it can stop in time.
    fn feed(&mut self) {
        let now = self.world.now();
        let sides = &self.sides;
        let Some(connection) = self.world.endpoint(CLIENT).get(sides.id) else { return };
        let left = match self.bytes {
            Some(bytes) => bytes - sides.written,
            None if now < self.until => u64::MAX,
            None => 0,
        };
        let half = connection.streams().send_half(sides.stream);
        let unsent = half.map_or(0, |half| half.buffer().written() - half.buffer().next());
        let wanted = 2 * connection.recovery().controller().window() + BLOCK as u64;
        if sides.finished || left > 0 && unsent >= wanted {
            return;
        }
        if let Some(connection) = self.world.endpoint_mut(CLIENT).get_mut(self.sides.id) {
            self.sides.write(connection, left.min(wanted));
            if self.bytes.is_none_or(|bytes| bytes == self.sides.written) && left <= wanted {
                self.sides.finished |= connection.finish(self.sides.stream).is_ok();
            }
        }
    }
}

/// Bytes that are made at a time.
const BLOCK: usize = 1 << 14;

impl Sides {
    fn byte(&self, at: u64) -> u8 {
        let mixed = (at ^ self.key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed.to_be_bytes()[0]
    }

    fn write(&mut self, connection: &mut Connection, len: u64) {
        let end = self.written.saturating_add(len);
        while self.written < end {
            let block = (end - self.written).min(BLOCK as u64);
            let data: Vec<u8> = (0..block).map(|at| self.byte(self.written + at)).collect();
            let Ok(taken) = connection.write(self.stream, &data) else { return };
            self.sent_digest.update(&data[..taken]);
            self.written += taken as u64;
        }
    }

    fn read(&mut self, now: Instant, connection: &mut Connection, stream: StreamId) {
        let mut out = [0; BLOCK];
        loop {
            match connection.read(now, stream, &mut out) {
                Ok(len) => {
                    let data = &out[..len];
                    let differs = (self.received..)
                        .zip(data)
                        .find_map(|(at, &byte)| (byte != self.byte(at)).then_some(at));
                    self.wrong_at = self.wrong_at.or(differs);
                    self.received_digest.update(data);
                    self.received += len as u64;
                }
                Err(ReadError::Finished) => {
                    self.delivered_at.get_or_insert(now);
                    connection.finish(stream).ok();
                    return;
                }
                Err(_) => return,
            }
        }
    }

    fn is_over(&self) -> bool {
        self.confirmed && self.delivered_at.is_some()
            || self.wrong_at.is_some()
            || self.closed.iter().any(Option::is_some)
    }
}

impl Application<Host> for Sides {
    fn on_event(&mut self, now: Instant, node: NodeId, event: HostEvent, host: &mut Host) {
        let HostEvent { id, event } = event;
        match event {
            Event::Stream(StreamEvent::Readable(stream) | StreamEvent::Opened(stream))
                if node == SERVER =>
            {
                if let Some(connection) = host.get_mut(id) {
                    self.read(now, connection, stream);
                }
            }
            Event::Stream(StreamEvent::Finished(_)) if node == CLIENT => self.confirmed = true,
            Event::Closed(reason) => {
                self.closed[usize::from(node == SERVER)] = Some(reason);
            }
            _ => {}
        }
    }
}

/// What came of it, for `--json` and for people.
#[derive(Debug, Serialize)]
struct Report {
    protocol: &'static str,
    controller: String,
    link: String,
    seed: u64,
    verdict: String,
    intact: bool,
    bytes_written: u64,
    bytes_delivered: u64,
    blake3_sent: String,
    blake3_delivered: String,
    /// Virtual time until the last byte was delivered, or until the end.
    elapsed_ns: u64,
    goodput_bits_per_second: u64,
    /// What the link's rate and its loss leave to the application; null without a rate.
    limit_bits_per_second: Option<u64>,
    share_of_limit: Option<f64>,
    datagrams_sent: u64,
    datagrams_received: u64,
    bytes_sent: u64,
    bytes_sent_again: u64,
    packets_lost: u64,
    packets_spuriously_lost: u64,
    congestion_events: u64,
    congestion_events_undone: u64,
    probe_timeouts: u64,
    link_lost: u64,
    link_queue_full: u64,
    srtt_ns: u64,
    rttvar_ns: u64,
    rtt_min_ns: u64,
    window_bytes: u64,
    ssthresh_bytes: Option<u64>,
    limited_ns: Limited,
}

/// How long each limit held sending up.
#[derive(Debug, Serialize)]
struct Limited {
    application: u64,
    flow_control: u64,
    congestion: u64,
    pacing: u64,
    validation: u64,
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Report {
    fn new(
        transfer: &Transfer,
        link: &Profile,
        (seed, controller): (u64, &str),
        plot: &Plot,
    ) -> Self {
        let Transfer { world, sides, stats, .. } = transfer;
        let end = sides.delivered_at.unwrap_or(world.now());
        let elapsed = end.since_epoch();
        let bits = |rate: Option<Bandwidth>| rate.map_or(0, Bandwidth::bits_per_second);
        let goodput = bits(throughput(sides.received, elapsed));
        let up = world.link(CLIENT, SERVER).map(|link| link.stats().total()).unwrap_or_default();
        let limit = transfer.limit(link);
        let verdict = transfer.verdict();
        let [application, flow_control, congestion, pacing, validation] = plot.limited().map(nanos);
        #[expect(clippy::cast_precision_loss, reason = "a share for people has three digits")]
        let share = |limit: u64| (goodput as f64 / limit.max(1) as f64 * 1e3).round() / 1e3;
        Self {
            protocol: "transport",
            controller: controller.to_string(),
            link: link.to_string(),
            seed,
            intact: verdict == "intact",
            verdict,
            bytes_written: sides.written,
            bytes_delivered: sides.received,
            blake3_sent: hex(&sides.sent_digest.finish()),
            blake3_delivered: hex(&sides.received_digest.finish()),
            elapsed_ns: nanos(elapsed),
            goodput_bits_per_second: goodput,
            limit_bits_per_second: limit,
            share_of_limit: limit.map(share),
            datagrams_sent: stats.datagrams_sent,
            datagrams_received: stats.datagrams_received,
            bytes_sent: stats.bytes_sent,
            bytes_sent_again: plot.again_bytes(),
            packets_lost: stats.recovery.lost_packets,
            packets_spuriously_lost: stats.recovery.spurious_packets,
            congestion_events: stats.recovery.congestion_events,
            congestion_events_undone: stats.recovery.undone_events,
            probe_timeouts: stats.recovery.probe_timeouts,
            link_lost: up.lost + up.outage,
            link_queue_full: up.queue_full,
            srtt_ns: nanos(stats.srtt),
            rttvar_ns: nanos(stats.rttvar),
            rtt_min_ns: nanos(stats.rtt_min),
            window_bytes: stats.window_bytes,
            ssthresh_bytes: Some(stats.ssthresh_bytes).filter(|&bytes| bytes < u64::MAX),
            limited_ns: Limited { application, flow_control, congestion, pacing, validation },
        }
    }

    fn words(&self) -> String {
        let same = if self.blake3_sent == self.blake3_delivered { "equal" } else { "DIFFERENT" };
        let mut text = format!(
            "{}: {} of {} bytes delivered in {:.3} s of virtual time, BLAKE3 {same}\n",
            self.verdict,
            grouped(self.bytes_delivered),
            grouped(self.bytes_written),
            seconds(self.elapsed_ns),
        );
        let _ = write!(text, "goodput     {}", megabits(self.goodput_bits_per_second));
        if let (Some(limit), Some(share)) = (self.limit_bits_per_second, self.share_of_limit) {
            let limit = megabits(limit);
            let _ = write!(text, ", {share:.3} of the {limit} that the link's rate and loss leave");
        }
        let _ = writeln!(
            text,
            "\npackets     {} sent, {} received; the link lost {} of those sent, and its queue \
             dropped {}\n\
             losses      {} found, {} of them by mistake; {} bytes sent again\n\
             window      {} bytes, cut {} times, {} of these taken back; {} probe timeouts\n\
             round trip  {:.3} ms smoothed, {:.3} ms at least",
            grouped(self.datagrams_sent),
            grouped(self.datagrams_received),
            grouped(self.link_lost),
            grouped(self.link_queue_full),
            grouped(self.packets_lost),
            grouped(self.packets_spuriously_lost),
            grouped(self.bytes_sent_again),
            grouped(self.window_bytes),
            grouped(self.congestion_events),
            grouped(self.congestion_events_undone),
            grouped(self.probe_timeouts),
            seconds(self.srtt_ns) * 1e3,
            seconds(self.rtt_min_ns) * 1e3,
        );
        let Limited { application, flow_control, congestion, pacing, validation } = self.limited_ns;
        let times = [application, flow_control, congestion, pacing, validation];
        let mut limits: Vec<(u64, Limit)> = times.into_iter().zip(Limit::ALL).collect();
        limits.sort_by_key(|&(time, _)| core::cmp::Reverse(time));
        let words = limits.iter().filter(|(time, _)| *time > 0);
        let words: Vec<String> =
            words.map(|&(time, limit)| format!("{limit} {:.3} s", seconds(time))).collect();
        let _ = writeln!(text, "limited by  {}", words.join(", "));
        let _ = writeln!(text, "seed {}", self.seed);
        text
    }
}

impl Transfer {
    fn verdict(&self) -> String {
        let sides = &self.sides;
        if let Some(at) = sides.wrong_at {
            return format!("wrong data from byte {at} on");
        }
        let same = sides.sent_digest.finish() == sides.received_digest.finish();
        match (sides.delivered_at, sides.closed.iter().flatten().next()) {
            (Some(_), _) if sides.finished && same => "intact".into(),
            (Some(_), _) => "the stream ended early".into(),
            (None, Some(reason)) if self.world.now() < self.limit => {
                format!("the connection ended: {reason}")
            }
            (None, _) => "out of time".into(),
        }
    }

    /// What the application can have of the link's rate: less what the link loses, and what
    /// packets spend on themselves.
    fn limit(&self, link: &Profile) -> Option<u64> {
        let mut rates = link.up.rate.values();
        let (Some(Some(rate)), None) = (rates.next(), rates.next()) else { return None };
        let stats = self.world.link(CLIENT, SERVER)?.stats().total();
        let passed = 1_000_000_000 - u128::from(stats.loss().parts_per_billion());
        let packet = self.packet_bytes as u64;
        let payload = u128::from(packet - OVERHEAD_BYTES);
        let bits = u128::from(rate.bits_per_second()) * passed / 1_000_000_000;
        u64::try_from(bits * payload / u128::from(packet)).ok()
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people have few digits")]
fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

#[expect(clippy::cast_precision_loss, reason = "figures for people have few digits")]
fn megabits(bits: u64) -> String {
    format!("{:.2} Mbit/s", bits as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers_are_read() {
        for name in ["cubic", "newreno", "new-reno", "fixed:64KiB", "fixed:2400"] {
            assert_eq!(name.parse::<Controller>().unwrap().name, name);
        }
        for wrong in ["", "reno", "fixed:", "fixed:2399", "fixed:much"] {
            assert!(wrong.parse::<Controller>().unwrap_err().contains("fixed:64KiB"), "{wrong}");
        }
    }
}
