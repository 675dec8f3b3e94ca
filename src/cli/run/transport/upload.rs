//! Bytes over one stream, from one host to the other, and a comparison with what was sent.

use core::{cell::Cell, time::Duration};

use rdtp::{
    app::file::Digest as _,
    link::{ClassStats, LinkStats, Profile},
    rng::Seed,
    sim::{Application, World},
    time::Instant,
    trace::{NodeId, Observer},
    transport::{
        connection::{Connection, Event},
        cookie::Secret,
        host::{Host, HostConfig, HostEvent},
        lifecycle::CloseReason,
        stats::Stats,
        stream::{ReadError, StreamEvent},
    },
    wire::transport::{ConnectionId, StreamId},
};

use crate::cli::{Failure, transfer::Blake3};

pub(super) const CLIENT: NodeId = NodeId(0);
pub(super) const SERVER: NodeId = NodeId(1);

/// What a packet spends on its header and that of a stream frame far from the beginning.
const OVERHEAD_BYTES: u64 = 25;

/// How much to send, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    /// `None` for as much as goes until the time is over.
    pub(super) bytes: Option<u64>,
    /// When the application has nothing more to send.
    pub(super) until: Instant,
    /// When the run ends, whatever is missing.
    pub(super) limit: Instant,
}

/// Bytes on their way from one host to the other.
pub(super) struct Upload {
    task: Task,
    world: World<Host>,
    packet_bytes: usize,
    pub(super) sides: Sides,
    /// "intact", or what is wrong.
    pub(super) verdict: String,
    began_at: Instant,
    /// What the network had done by then.
    before: LinkStats,
    ended_at: Instant,
    /// How the sender's connection stood in the end.
    pub(super) stats: Stats,
}

/// The applications of both sides.
pub(super) struct Sides {
    /// Makes the content one of this seed.
    key: u64,
    id: ConnectionId,
    stream: StreamId,
    written: u64,
    finished: bool,
    pub(super) sent_digest: Blake3,
    pub(super) received: u64,
    pub(super) received_digest: Blake3,
    wrong_at: Option<u64>,
    delivered_at: Option<Instant>,
    /// The sender knows that everything arrived.
    confirmed: bool,
    closed: [Option<CloseReason>; 2],
}

impl Upload {
    /// Both hosts, and the network between them.
    pub(super) fn new(
        task: Task,
        link: &Profile,
        seed: Seed,
        config: HostConfig,
    ) -> Result<Self, Failure> {
        let mut world = World::new();
        for n in 0..2 {
            let seed = seed.split("host").index(n.into());
            let mut key = [0; 16];
            key[0] = n;
            world.add(Host::new(config, Secret::new(key), seed)?);
        }
        world.connect(CLIENT, SERVER, link, seed);
        Ok(Self {
            task,
            world,
            packet_bytes: config.connection.longest_packet_bytes(),
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
            verdict: String::new(),
            began_at: Instant::ZERO,
            before: LinkStats::default(),
            ended_at: Instant::ZERO,
            stats: Stats::default(),
        })
    }

    /// Lets the hosts talk once, unseen, so that the sender remembers the path and has a ticket. What
    /// follows begins a while later.
    pub(super) fn meet(&mut self) -> Result<(), Failure> {
        let host = self.world.endpoint_mut(CLIENT);
        let id = host.open(Instant::ZERO, World::address(SERVER.0));
        if let Some(connection) = host.get_mut(id) {
            let stream = connection.open_stream(0)?;
            connection.write(stream, &vec![0; MEETING_BYTES])?;
            connection.finish(stream)?;
        }
        let met = Cell::new(false);
        let mut app = |now, node, HostEvent { id, event }, host: &mut Host| match event {
            Event::Stream(StreamEvent::Readable(stream)) if node == SERVER => {
                let Some(connection) = host.get_mut(id) else { return };
                let mut out = [0; BLOCK];
                while connection.read(now, stream, &mut out).is_ok() {}
                connection.finish(stream).ok();
            }
            Event::Stream(StreamEvent::Finished(_)) if node == CLIENT => met.set(true),
            _ => {}
        };
        while !met.get() && self.world.step(self.task.limit, &mut (), &mut app) {}
        let now = self.world.now();
        if let Some(connection) = self.world.endpoint_mut(CLIENT).get_mut(id) {
            connection.close(now, 0, b"see you");
        }
        self.began_at = now + PAUSE;
        self.world.run(self.began_at, &mut (), &mut |_, _, _, _: &mut Host| {});
        self.world.pass(self.began_at);
        self.before = self.way();
        self.task.until = later(self.task.until, self.began_at);
        self.task.limit = later(self.task.limit, self.began_at);
        Ok(())
    }

    /// Sends, delivers and closes.
    pub(super) fn run(&mut self, observer: &mut impl Observer) -> Result<(), Failure> {
        let begin = self.began_at;
        // Nothing happens yet, but the observer is asked now and so hears of the beginning.
        self.world.step(begin, observer, &mut self.sides);
        let host = self.world.endpoint_mut(CLIENT);
        self.sides.id = host.open(begin, World::address(SERVER.0));
        if let Some(connection) = host.get_mut(self.sides.id) {
            self.sides.stream = connection.open_stream(0)?;
        }
        while !self.sides.is_over() {
            self.feed();
            if !self.world.step(self.task.limit, observer, &mut self.sides) {
                break;
            }
        }
        let now = self.world.now();
        self.ended_at = if self.sides.is_over() { now } else { self.task.limit };
        self.verdict = self.judge();
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
        let left = match self.task.bytes {
            Some(bytes) => bytes - sides.written,
            None if now < self.task.until => u64::MAX,
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
            let done = self.task.bytes.is_none_or(|bytes| bytes == self.sides.written);
            if done && left <= wanted {
                self.sides.finished |= connection.finish(self.sides.stream).is_ok();
            }
        }
    }
}

/// Bytes that are made at a time.
const BLOCK: usize = 1 << 14;
/// What hosts tell each other that are to remember each other, and for how long they are silent then.
const MEETING_BYTES: usize = 1 << 20;
const PAUSE: Duration = Duration::from_secs(10);

/// A time counted from `begin` instead of zero.
fn later(at: Instant, begin: Instant) -> Instant {
    if at == Instant::MAX { at } else { begin + at.since_epoch() }
}

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

impl Upload {
    fn judge(&self) -> String {
        let sides = &self.sides;
        if let Some(at) = sides.wrong_at {
            return format!("wrong data from byte {at} on");
        }
        let same = sides.sent_digest.finish() == sides.received_digest.finish();
        match (sides.delivered_at, sides.closed.iter().flatten().next()) {
            (Some(_), _) if sides.finished && same => "intact".into(),
            (Some(_), _) => "the stream ended early".into(),
            (None, Some(reason)) if self.sides.is_over() => {
                format!("the connection ended: {reason}")
            }
            (None, _) => "out of time".into(),
        }
    }

    /// What the application can have of the link's rate: less what the link loses, and what
    /// packets spend on themselves.
    pub(super) fn limit(&self, link: &Profile) -> Option<u64> {
        let mut rates = link.up.rate.values();
        let (Some(Some(rate)), None) = (rates.next(), rates.next()) else { return None };
        let passed = 1_000_000_000 - u128::from(self.way().total().loss().parts_per_billion());
        let packet = self.packet_bytes as u64;
        let payload = u128::from(packet - OVERHEAD_BYTES);
        let bits = u128::from(rate.bits_per_second()) * passed / 1_000_000_000;
        u64::try_from(bits * payload / u128::from(packet)).ok()
    }

    /// Datagrams of the sender that the link lost, and that found its queue full.
    pub(super) fn dropped(&self) -> (u64, u64) {
        let (all, before) = (self.way().total(), self.before.total());
        let lost = |stats: &ClassStats| stats.lost + stats.outage;
        (lost(&all) - lost(&before), all.queue_full - before.queue_full)
    }

    /// How many bytes were to be sent.
    pub(super) fn bytes(&self) -> u64 {
        self.task.bytes.unwrap_or(self.sides.written)
    }

    /// What the network did to what the sender sent.
    pub(super) fn way(&self) -> LinkStats {
        self.world.link(CLIENT, SERVER).map(|link| *link.stats()).unwrap_or_default()
    }

    /// Virtual time until the last byte was delivered, or until the end.
    pub(super) fn elapsed(&self) -> Duration {
        self.sides.delivered_at.unwrap_or(self.ended_at) - self.began_at
    }
}
