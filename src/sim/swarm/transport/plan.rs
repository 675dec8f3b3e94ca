//! What a seed stands for: configurations, who says what to whom, and what goes wrong.

use alloc::vec::Vec;
use core::{fmt, time::Duration};

use super::{
    super::{
        Plan as NetworkPlan,
        plan::{log, size, time},
    },
    hazard::Hazard,
};
use crate::{
    channel::Channel,
    link::{Profile, Remark, Timeline},
    quantity::{ByteSize, Span},
    rng::{Rng, Seed},
    time::nanos,
    transport::{
        acks::AckPolicy,
        cc::Algorithm,
        config::Config,
        host::{CookiePolicy, EarlyData, HostConfig},
        stream::StreamLimits,
    },
};

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// Everything arrives; then these sides close, or silence ends the connections.
    Whole {
        /// Whether node 0 and node 1 close.
        closers: [bool; 2],
    },
    /// The path dies for ever.
    Dead {
        /// When.
        at: Duration,
    },
    /// A node loses its state.
    Restart {
        /// When.
        at: Duration,
        /// Which.
        node: usize,
        /// Whether it keeps its secret, with which it can say that it was restarted.
        keeps_secret: bool,
    },
}

/// A stream: what each side says, and what cuts it short. Index 0 is the side that opens the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamPlan {
    /// Whether the side that accepted the connection opens it.
    pub by_acceptor: bool,
    /// Its priority on the side that opens it.
    pub priority: u8,
    /// Bytes each way.
    pub bytes: [u64; 2],
    /// After how many bytes the sender of each way gives it up.
    pub resets: [Option<u64>; 2],
    /// After how many bytes the receiver of each way wants no more.
    pub stops: [Option<u64>; 2],
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TalkPlan {
    /// The node that opens it.
    pub opener: usize,
    /// When.
    pub opens_at: Duration,
    /// Its streams.
    pub streams: Vec<StreamPlan>,
    /// Unreliable datagrams of the opener and of the acceptor.
    pub datagrams: [u32; 2],
    /// When opener and acceptor close while data may be on its way.
    pub closes_at: [Option<Duration>; 2],
}

/// When strangers do what they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// So long after the run began.
    At(Duration),
    /// So long after everything was said and closed.
    AfterEnd(Duration),
}

/// How an application reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reader {
    /// So many bytes, and then a pause; `None` reads what there is.
    pub slow: Option<(usize, Duration)>,
    /// Nothing from then until then.
    pub stall: Option<(Duration, Duration)>,
}

/// A run before it begins. The same seed gives the same plan.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plan {
    /// The seed of everything in it.
    pub seed: u64,
    /// The network, its faults and their end, and the pace of drivers.
    pub network: NetworkPlan,
    /// How the run ends.
    pub course: Course,
    /// How the hosts are configured.
    pub hosts: [HostConfig; 2],
    /// Who says what.
    pub talks: Vec<TalkPlan>,
    /// How the applications of both nodes read.
    pub readers: [Reader; 2],
    /// What strangers do, to which node.
    pub strangers: Vec<(When, usize, Hazard)>,
}

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
/// Bytes that a run moves at most, but for the few that move four times as many.
const BYTES_MAX: u64 = 200_000;
/// Connections of the few runs that have many.
const TALKS_MAX: u64 = 64;
/// What survives any network that heals.
const PATIENT: Duration = Duration::from_secs(90);
/// The least that windows may be.
const WINDOW_MIN: u64 = 14_720;

impl Plan {
    /// The plan of `seed`.
    pub fn draw(seed: u64) -> Self {
        let root = Seed::new(seed).split("transport");
        let mut network = NetworkPlan::draw(root.number(), Channel::HOSTILE);
        let mut rng = root.split("shape").rng();
        let course = course(&mut rng, network.heals_after);
        let mut hosts = [0, 1].map(|node| {
            let mut config = host(&mut root.split("host").index(node).rng(), course);
            beginning(&mut root.split("beginning").index(node).rng(), &mut config);
            config
        });
        let readers = [0, 1].map(|node| reader(&mut root.split("reader").index(node).rng()));
        let many = rng.below(64) == 0;
        let count = match rng.below(10) {
            _ if many => log(&mut rng, 8, TALKS_MAX),
            0..=5 => 1,
            6 | 7 => 2,
            _ => rng.between(3, 4),
        };
        let large = rng.below(32) == 0;
        let bytes = log(&mut rng, 1, if large { 4 * BYTES_MAX } else { BYTES_MAX }) / count;
        let early = matches!(course, Course::Whole { .. }) && rng.below(5) == 0;
        let mut talks = Vec::new();
        for index in 0..count {
            let mut rng = root.split("talk").index(index).rng();
            talks.push(talk(&mut rng, bytes, early, network.heals_after));
        }
        let mut strangers = strangers(root.split("strangers"), network.heals_after);
        let mut rng = root.split("moves").rng();
        if let Some(node) = mover(&mut rng, course, &talks) {
            // Who hears nothing any more has to say something.
            hosts[node].connection.keep_alive = time(&mut rng, 50 * MS, 500 * MS);
            for _ in 0..rng.between(1, 4) {
                let at = time(&mut rng, MS, nanos(network.heals_after) * 2);
                strangers.push((When::At(at), node, Hazard::Rebinding));
            }
        }
        marks(&mut root.split("marks").rng(), &mut network.network);
        Self { seed, network, course, hosts, talks, readers, strangers }
    }

    /// The network while its faults last.
    pub fn profile(&self) -> &Profile {
        &self.network.network
    }

    /// Whether strangers do this.
    pub fn has(&self, hazard: Hazard) -> bool {
        self.strangers.iter().any(|&(_, _, other)| other == hazard)
    }

    /// The longest that it takes until a side that was moved says something.
    pub(super) fn unheard(&self) -> Duration {
        let moved = self.strangers.iter().find(|(.., hazard)| *hazard == Hazard::Rebinding);
        moved.map_or(Duration::ZERO, |&(_, node, _)| self.hosts[node].connection.keep_alive)
    }

    /// How long drivers and applications may pause.
    pub(super) fn pauses(&self) -> Duration {
        let lateness =
            self.network.paces.iter().map(|pace| pace.grain + pace.late + pace.reads_every);
        let readers = self.readers.iter().map(|reader| {
            let slow = reader.slow.map_or(Duration::ZERO, |(_, pause)| pause);
            slow + reader.stall.map_or(Duration::ZERO, |(from, until)| until.saturating_sub(from))
        });
        let bursts = self.network.bursts.map_or(Duration::ZERO, |(_, pause)| pause);
        lateness.chain(readers).sum::<Duration>() + bursts
    }
}

fn course(rng: &mut Rng, heals_after: Duration) -> Course {
    let at = |rng: &mut Rng| time(rng, MS, nanos(heals_after) * 2);
    match rng.below(16) {
        0 | 1 => Course::Dead { at: at(rng) },
        2 | 3 => Course::Restart {
            at: at(rng),
            node: usize::from(rng.below(2) == 1),
            keeps_secret: rng.below(4) > 0,
        },
        4 => Course::Whole { closers: [false; 2] },
        _ => {
            let sides = rng.between(1, 3);
            Course::Whole { closers: [sides & 1 != 0, sides & 2 != 0] }
        }
    }
}

fn host(rng: &mut Rng, course: Course) -> HostConfig {
    let packet_bytes = if rng.below(2) == 0 { 1200 } else { size(rng, 1200, 9_000) };
    let window = |rng: &mut Rng| log(rng, WINDOW_MIN.max(packet_bytes as u64), 1 << 19);
    let (stream_window_bytes, window_bytes) = (window(rng), window(rng));
    let streams = StreamLimits {
        peer_streams_max: log(rng, 1, 16),
        stream_window_bytes,
        stream_window_bytes_max: window(rng),
        window_bytes,
        window_bytes_max: window(rng),
        gaps_max: size(rng, 1, 256),
        send_buffer_bytes: log(rng, packet_bytes as u64, 1 << 18),
    };
    let quick = |rng: &mut Rng| time(rng, 4 * SECOND, 10 * SECOND);
    let ends = !matches!(course, Course::Whole { closers: [true, _] | [_, true] });
    let keeps = !ends && rng.below(3) == 0;
    let connection = Config {
        packet_bytes,
        packet_bytes_max: packet_bytes,
        idle_timeout: if ends && course != (Course::Whole { closers: [false; 2] }) {
            quick(rng)
        } else {
            PATIENT
        },
        keep_alive: if keeps { time(rng, 100 * MS, 5 * SECOND) } else { Duration::ZERO },
        open_timeout: if matches!(course, Course::Whole { .. }) { PATIENT } else { quick(rng) },
        rtt_initial: time(rng, 10 * MS, SECOND),
        acks: AckPolicy { threshold: log(rng, 1, 10), delay_max: time(rng, MS, 50 * MS) },
        ecn: true,
        congestion: match rng.below(8) {
            0 => Algorithm::Fixed(log(rng, 2 * packet_bytes as u64, 1 << 18)),
            1 => Algorithm::NewReno,
            2 | 3 => Algorithm::Cubic,
            4 => Algorithm::BbrLossyLink,
            _ => Algorithm::Bbr,
        },
        streams,
        datagram_bytes_max: if rng.below(4) == 0 { 0 } else { size(rng, 16, 1 << 16) },
        datagrams_max: size(rng, 1, 64),
        ..Config::default()
    };
    let host = HostConfig {
        connection,
        accepts: true,
        connections_max: 256,
        cookies: match rng.below(3) {
            0 => CookiePolicy::Always,
            1 => CookiePolicy::Never,
            _ => CookiePolicy::Above(size(rng, 1, 8)),
        },
        answers_max: size(rng, 1, 64),
        ..HostConfig::default()
    };
    // Drawn last: what was drawn before stays as it was.
    let ecn = rng.below(4) > 0;
    let longer = rng.below(2) == 0;
    let packet_bytes_max = if longer { size(rng, 1200, 9_000) } else { packet_bytes };
    let connection = Config { packet_bytes_max, ecn, ..connection };
    HostConfig { connection, ..host }
}

/// How connections begin: copies, windows, tickets, early data.
fn beginning(rng: &mut Rng, config: &mut HostConfig) {
    let connection = &mut config.connection;
    connection.first_copies = u8::try_from(rng.below(5)).unwrap_or(0);
    connection.copy_pause = time(rng, MS, 50 * MS);
    if rng.below(3) > 0 {
        let least = 2 * connection.packet_bytes as u64;
        connection.start_window_bytes = log(rng, least, 1 << 18);
    }
    if rng.below(4) == 0 {
        config.ticket_lifetime = time(rng, SECOND, 100 * SECOND);
    }
    config.tickets_used_max = size(rng, 1, 64);
    config.early_data = match rng.below(3) {
        0 => EarlyData::Never,
        1 => EarlyData::WithTicket,
        _ => EarlyData::Anyone,
    };
    if rng.below(2) == 0 {
        connection.repair_percent = count32(rng, 1, 200);
    }
    connection.repair_window_bytes = if rng.below(4) == 0 { 0 } else { size(rng, 1, 1 << 16) };
    config.remembered_max = if rng.below(4) == 0 { 0 } else { size(rng, 1, 16) };
}

fn reader(rng: &mut Rng) -> Reader {
    let slow = (rng.below(4) == 0).then(|| (size(rng, 500, 50_000), time(rng, MS, 100 * MS)));
    let stall = (rng.below(4) == 0).then(|| {
        let from = time(rng, MS, 500 * MS);
        (from, from + time(rng, 10 * MS, 5 * SECOND))
    });
    Reader { slow, stall }
}

fn talk(rng: &mut Rng, bytes: u64, early: bool, heals_after: Duration) -> TalkPlan {
    let count = log(rng, 1, 8);
    let streams = (0..count).map(|_| stream(rng, bytes * 2 / count)).collect();
    let closes = |rng: &mut Rng| Some(time(rng, MS, nanos(heals_after) * 2));
    let sides = if early && rng.below(3) > 0 { rng.between(1, 3) } else { 0 };
    TalkPlan {
        opener: usize::from(rng.below(4) == 0),
        opens_at: if rng.below(2) == 0 { Duration::ZERO } else { time(rng, MS, SECOND) },
        streams,
        datagrams: [0; 2].map(|_| if rng.below(2) == 0 { 0 } else { count32(rng, 1, 16) }),
        closes_at: [
            if sides & 1 != 0 { closes(rng) } else { None },
            if sides & 2 != 0 { closes(rng) } else { None },
        ],
    }
}

fn stream(rng: &mut Rng, bytes_max: u64) -> StreamPlan {
    let bytes = [0; 2].map(|_| match rng.below(6) {
        0 => 0,
        1 => log(rng, 1, bytes_max),
        _ => rng.between(0, bytes_max / 2),
    });
    let cut = |rng: &mut Rng, bytes: u64| (rng.below(8) == 0).then(|| rng.between(0, bytes));
    StreamPlan {
        by_acceptor: rng.below(3) == 0,
        priority: u8::try_from(rng.below(4)).unwrap_or(0),
        bytes,
        resets: bytes.map(|bytes| cut(rng, bytes)),
        stops: bytes.map(|bytes| cut(rng, bytes)),
    }
}

fn strangers(seed: Seed, heals_after: Duration) -> Vec<(When, usize, Hazard)> {
    const CLASSES: [(Hazard, u64, u64); 5] = [
        (Hazard::Garbage, 4, 32),
        (Hazard::OldPackets, 4, 32),
        (Hazard::Misdirection, 4, 32),
        (Hazard::Spoofing, 6, 100),
        (Hazard::Forgery, 16, 64),
    ];
    let mut all = Vec::new();
    for (hazard, one_in, most) in CLASSES {
        let mut rng = seed.split(hazard.name()).rng();
        if rng.below(one_in) > 0 {
            continue;
        }
        for _ in 0..log(&mut rng, 1, most) {
            let node = usize::from(rng.below(2) == 0);
            let late = hazard != Hazard::Forgery && rng.below(3) == 0;
            let when = if late {
                When::AfterEnd(time(&mut rng, MS, 200 * SECOND))
            } else {
                When::At(time(&mut rng, MS, nanos(heals_after) * 2))
            };
            all.push((when, node, hazard));
        }
    }
    all
}

/// The node whose address changes, if any does: one that opens all connections, while everything goes
/// well otherwise.
fn mover(rng: &mut Rng, course: Course, talks: &[TalkPlan]) -> Option<usize> {
    let node = talks.first()?.opener;
    let alone = talks.iter().all(|talk| talk.opener == node);
    let ends = matches!(course, Course::Whole { closers: [true, _] | [_, true] });
    (rng.below(3) == 0 && alone && ends).then_some(node)
}

/// What the path does to marks of congestion while it is sick.
fn marks(rng: &mut Rng, network: &mut Profile) {
    if rng.below(4) > 0 {
        return;
    }
    for link in [&mut network.up, &mut network.down] {
        if rng.below(2) == 0 {
            link.mark = Some(ByteSize(log(rng, 1200, 1 << 16)));
        }
        let remark = match rng.below(6) {
            0 => Remark::Clear,
            1 => Remark::Ect1,
            2 => Remark::Ce,
            _ => Remark::Keep,
        };
        link.ecn = Timeline::constant(Remark::Keep).then(time(rng, MS, SECOND), remark);
    }
}

fn count32(rng: &mut Rng, low: u64, high: u64) -> u32 {
    u32::try_from(log(rng, low, high)).unwrap_or(u32::MAX)
}

/// How connections begin and end, in words.
fn write_beginning(f: &mut fmt::Formatter<'_>, host: &HostConfig) -> fmt::Result {
    let connection = &host.connection;
    writeln!(
        f,
        "  {} copies {} apart, window {} at first, repair {} % of {}; tickets for {}, {} used, \
         early data {:?}, {} peers remembered",
        connection.first_copies,
        Span(connection.copy_pause),
        connection.start_window_bytes,
        connection.repair_percent,
        connection.repair_window_bytes,
        Span(host.ticket_lifetime),
        host.tickets_used_max,
        host.early_data,
        host.remembered_max
    )
}

/// What is unusual about the run, in words.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "network {}", self.profile())?;
        writeln!(f, "heals after {}", Span(self.network.heals_after))?;
        for (node, host) in self.hosts.iter().enumerate() {
            let HostConfig { connection, cookies, .. } = host;
            let Config { packet_bytes, packet_bytes_max, congestion, acks, streams, .. } =
                connection;
            let longest = packet_bytes_max.max(packet_bytes);
            let ecn = if connection.ecn { "ECN" } else { "no ECN" };
            writeln!(
                f,
                "node {node}: packets of {packet_bytes} to {longest} bytes, {ecn}, {congestion:?}, cookies {cookies:?}, \
                 ACK after {} or {}",
                acks.threshold,
                Span(acks.delay_max)
            )?;
            write_beginning(f, host)?;
            writeln!(
                f,
                "  windows {} to {} and {} to {}, {} to send, {} streams, {} gaps; idle {}, open {}, \
                 keep alive {}",
                streams.stream_window_bytes,
                streams.stream_window_bytes_max,
                streams.window_bytes,
                streams.window_bytes_max,
                streams.send_buffer_bytes,
                streams.peer_streams_max,
                streams.gaps_max,
                Span(connection.idle_timeout),
                Span(connection.open_timeout),
                Span(connection.keep_alive)
            )?;
            let Reader { slow, stall } = self.readers[node];
            if let Some((bytes, pause)) = slow {
                writeln!(f, "  reads {bytes} bytes every {}", Span(pause))?;
            }
            if let Some((from, until)) = stall {
                writeln!(f, "  reads nothing from {} to {}", Span(from), Span(until))?;
            }
        }
        for (index, talk) in self.talks.iter().enumerate() {
            let TalkPlan { opener, opens_at, streams, datagrams, closes_at } = talk;
            write!(f, "connection {index}: node {opener} opens at {}", Span(*opens_at))?;
            for (side, at) in ["opener", "acceptor"].into_iter().zip(closes_at) {
                if let Some(at) = at {
                    write!(f, ", the {side} closes at {}", Span(*at))?;
                }
            }
            writeln!(f, ", datagrams {datagrams:?}")?;
            for stream in streams {
                let StreamPlan { by_acceptor, priority, bytes, resets, stops } = stream;
                let who = if *by_acceptor { "acceptor's" } else { "opener's" };
                write!(f, "  {who} stream, priority {priority}: {bytes:?} bytes")?;
                if resets.iter().any(Option::is_some) {
                    write!(f, ", reset after {resets:?}")?;
                }
                if stops.iter().any(Option::is_some) {
                    write!(f, ", stopped after {stops:?}")?;
                }
                writeln!(f)?;
            }
        }
        write!(f, "{:?}", self.course)
    }
}
