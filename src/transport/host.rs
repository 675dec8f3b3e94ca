//! Many connections behind one socket.

mod arrival;
mod config;
mod hold;
mod lending;
mod remembered;
mod room;

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    sync::Arc,
    vec,
    vec::Vec,
};
use core::{cmp::Reverse, net::SocketAddr};

pub use config::{CookiePolicy, EarlyData, HostConfig};
pub use room::LEAVING_MAX;

use lending::Lending;
use room::{Progress, Room};

use super::{
    config::{Config, ConfigError},
    connection::{Connection, Event, Identity},
    cookie::Secret,
    memory::Memories,
    ticket::Tickets,
};
use crate::{
    batch::Batch,
    ecn::Ecn,
    endpoint::{Disposition, Endpoint, Offer, RecvMeta, Transmit},
    rng::{Rng, Seed},
    time::Instant,
    trace::{
        TraceEvent, Tracer,
        transport::{PacketKind, TransportEvent},
    },
    wire::transport::{CHALLENGE_BYTES_MAX, ConnectionId, Packet, Writer, seal},
};

/// What a host tells the application: an event of the connection with this ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostEvent {
    /// Which connection: the ID that this host chose.
    pub id: ConnectionId,
    /// What happened to it. The first event of an accepted connection may be any; the last of every
    /// connection is [`Event::Closed`].
    pub event: Event,
}

#[derive(Debug)]
struct Entry {
    /// Boxed, since a node of the map has room for eleven.
    connection: Box<Connection>,
    /// The earliest time at which it stands in the queue of deadlines.
    queued_at: Option<Instant>,
    /// What the peer is called in the index.
    indexed: ConnectionId,
    progress: Progress,
    flags: Flags,
}

/// In which of the host's lists a connection stands, and whether it counts there.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "lists, each independent of the others")]
struct Flags {
    /// It may have changed since its deadline was last looked at.
    touched: bool,
    /// It stands in the queue of those that send.
    queued: bool,
    /// It has something to send.
    sending: bool,
    /// It stands in the queue of those with events.
    news: bool,
    /// It waits for its opener's second packet.
    half_open: bool,
    /// The application holds it: it stays when it is closed.
    held: bool,
    /// It was pushed out, and does not count any more.
    leaving: bool,
}

/// Many connections behind one socket, told apart by the IDs that it chose: an [`Endpoint`].
///
/// ```
/// use rdtp::{rng::Seed, time::Instant, transport::host::{Host, HostConfig}, transport::cookie::Secret};
///
/// let mut host = Host::new(HostConfig::default(), Secret::new([1; 16]), Seed::new(7))?;
/// let id = host.open(Instant::ZERO, "192.0.2.1:7000".parse().unwrap());
/// let connection = host.get_mut(id).expect("just opened");
/// let stream = connection.open_stream(0)?;
/// connection.write(stream, b"leaves with the first packet")?;
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Host {
    config: HostConfig,
    /// What `config` says of connections, once for all of them.
    connection: Arc<Config>,
    secret: Secret,
    tickets: Tickets,
    memories: Memories,
    rng: Rng,
    /// Where the secrets of connections come from.
    secrets: Rng,
    id_mask: u64,
    /// Which lane its IDs belong to, and of how many.
    lane: (u16, u16),
    entries: BTreeMap<ConnectionId, Entry>,
    /// Who talks to us, by address and by what we call it.
    peers: BTreeMap<(SocketAddr, ConnectionId), ConnectionId>,
    /// Deadlines of connections; some are out of date.
    deadlines: BinaryHeap<Reverse<(Instant, ConnectionId)>>,
    touched: Vec<ConnectionId>,
    /// Connections that had something to send when they were last looked at, in turn.
    sending: VecDeque<ConnectionId>,
    /// How many of them still have.
    sending_count: usize,
    /// Connections that have events, in turn. The events stay with them, so that what an idle
    /// application leaves lying is bounded by `connections_max`.
    news: VecDeque<ConnectionId>,
    half_open: usize,
    room: Room,
    answers: VecDeque<(SocketAddr, Vec<u8>)>,
    /// What drivers send from where it lies.
    lending: Lending,
    /// Events of all connections, in order.
    tracer: Tracer,
}

impl Host {
    /// A host without connections. `seed` is where its IDs come from: take it from a source that
    /// nobody can guess.
    pub fn new(config: HostConfig, secret: Secret, seed: Seed) -> Result<Self, ConfigError> {
        config.connection.check()?;
        let (lifetime, used_max) = (config.ticket_lifetime, config.tickets_used_max);
        Ok(Self {
            config,
            connection: Arc::new(config.connection),
            secret,
            tickets: Tickets::new(secret, lifetime, used_max, seed),
            memories: Memories::new(config.remembered_max),
            rng: seed.split("connection IDs").rng(),
            secrets: seed.split("connection secrets").rng(),
            id_mask: u64::MAX,
            lane: (0, 1),
            entries: BTreeMap::new(),
            peers: BTreeMap::new(),
            deadlines: BinaryHeap::new(),
            touched: Vec::new(),
            sending: VecDeque::new(),
            sending_count: 0,
            news: VecDeque::new(),
            half_open: 0,
            room: Room::default(),
            answers: VecDeque::new(),
            lending: Lending::default(),
            tracer: Tracer::default(),
        })
    }

    /// Chooses IDs of so few bits that they clash: for tests of what happens then. There have to be
    /// fewer connections than such IDs.
    #[doc(hidden)]
    pub fn shorten_ids(&mut self, bits: u32) {
        self.id_mask = u64::MAX >> (64 - bits.clamp(1, 64));
    }

    /// Opens a connection to `peer`, with what is remembered of it.
    pub fn open(&mut self, now: Instant, peer: SocketAddr) -> ConnectionId {
        let identity = self.identity();
        let target = ConnectionId(self.rng.next_u64());
        let config = Arc::clone(&self.connection);
        let mut connection = Connection::open(now, config, peer, identity, target);
        if let Some(memory) = self.memories.take(peer) {
            connection.recall(now, &memory);
        }
        self.insert(now, connection);
        identity.id
    }

    /// The connection of this ID.
    pub fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.entries.get(&id).map(|entry| &*entry.connection)
    }

    /// The connection of this ID, to do something with it.
    pub fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.touch(id);
        self.entries.get_mut(&id).map(|entry| &mut *entry.connection)
    }

    /// All connections, those that are ending included.
    pub fn connections(&self) -> impl Iterator<Item = (ConnectionId, &Connection)> {
        self.entries.iter().map(|(&id, entry)| (id, &*entry.connection))
    }

    /// Bytes of memory that it holds: its connections, its queues, and answers to strangers. What
    /// the allocator and the trees add is not counted.
    pub fn memory_bytes(&self) -> usize {
        let connections = self.connections().map(|(_, connection)| connection.memory_bytes());
        let answers: usize = self.answers.iter().map(|(_, bytes)| bytes.capacity()).sum();
        let ids = self.touched.capacity() + self.sending.capacity() + self.news.capacity();
        connections.sum::<usize>()
            + answers
            + self.tickets.memory_bytes()
            + self.memories.memory_bytes()
            + self.room.memory_bytes()
            + self.answers.capacity() * size_of::<(SocketAddr, Vec<u8>)>()
            + ids * size_of::<ConnectionId>()
            + self.deadlines.capacity() * size_of::<Reverse<(Instant, ConnectionId)>>()
            + self.entries.len() * size_of::<Entry>()
    }

    fn identity(&mut self) -> Identity {
        // A clash among 2^64 is next to impossible, and harmless when it is looked for.
        let id = loop {
            let (lane, lanes) = self.lane;
            let id = ConnectionId(self.rng.next_u64() & self.id_mask).in_lane(lane, lanes);
            if !self.entries.contains_key(&id) {
                break id;
            }
        };
        let first_number = self.rng.below(1 << 31);
        let secret = self.secrets.next_u64();
        Identity { id, first_number, token: self.secret.reset_token(id), secret }
    }

    fn insert(&mut self, now: Instant, mut connection: Connection) {
        connection.set_tracing(self.tracer.is_on());
        connection.set_lending(self.lending.is_on);
        let (id, remote) = (connection.local_id(), connection.remote_id());
        self.peers.insert((connection.peer(), remote), id);
        if connection.is_acceptor() {
            self.room.enter(now, id, connection.peer());
        }
        let (connection, progress) = (Box::new(connection), Progress::new(now));
        let flags = Flags::default();
        let entry = Entry { connection, queued_at: None, indexed: remote, progress, flags };
        self.entries.insert(id, entry);
        self.touch(id);
    }

    fn touch(&mut self, id: ConnectionId) {
        if let Some(entry) = self.entries.get_mut(&id)
            && !core::mem::replace(&mut entry.flags.touched, true)
        {
            self.touched.push(id);
        }
    }

    /// Looks at every connection that may have changed: events, deadlines, the end.
    fn refresh(&mut self, now: Instant) {
        while let Some(id) = self.touched.pop() {
            self.look_at(now, id);
        }
        let entries = &self.entries;
        self.room.tidy(|id| entries.contains_key(id), entries.len());
        // Deadlines that moved leave entries behind; those go before they are the greater part.
        if self.deadlines.len() > 2 * self.entries.len() + STALE_DEADLINES_MAX {
            self.deadlines.retain(|Reverse((at, id))| {
                entries.get(id).is_some_and(|entry| entry.queued_at == Some(*at))
            });
        }
    }

    fn look_at(&mut self, now: Instant, id: ConnectionId) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let connection = &mut entry.connection;
        self.memories.renew(now, connection);
        self.tickets.renew(now, connection, &self.config.connection);
        collect(&mut self.tracer, id, connection);
        let before = entry.flags;
        let flags = &mut entry.flags;
        flags.touched = false;
        entry.progress.look(now, connection, self.config.progress_bytes_per_second);
        let outlook = connection.outlook(now);
        flags.sending = outlook.is_sending;
        flags.half_open = connection.life().is_accepting();
        self.sending_count += usize::from(flags.sending);
        self.sending_count -= usize::from(before.sending);
        self.half_open += usize::from(flags.half_open);
        self.half_open -= usize::from(before.half_open);
        if flags.sending && !core::mem::replace(&mut flags.queued, true) {
            self.sending.push_back(id);
        }
        if connection.has_events() && !core::mem::replace(&mut flags.news, true) {
            self.news.push_back(id);
        }
        let (peer, remote) = (connection.peer(), connection.remote_id());
        if remote != entry.indexed {
            self.peers.remove(&(peer, entry.indexed));
            self.peers.insert((peer, remote), id);
            entry.indexed = remote;
        }
        if connection.is_closed() && !connection.has_events() && !entry.flags.held {
            self.peers.remove(&(peer, remote));
            self.room.leaving -= usize::from(entry.flags.leaving);
            if connection.is_acceptor() {
                self.room.leave(peer);
            }
            self.entries.remove(&id);
            self.forget_deadlines();
        } else if let Some(at) = outlook.wake_at
            && entry.queued_at.is_none_or(|queued| at < queued)
        {
            entry.queued_at = Some(at);
            self.deadlines.push(Reverse((at, id)));
        }
    }

    /// Looks again at every connection whose deadline has passed. What leaves by itself when its time
    /// comes, such as an acknowledgement, must not depend on whether it was looked at before.
    fn touch_due(&mut self, now: Instant) {
        while let Some(&Reverse((at, id))) = self.deadlines.peek()
            && at <= now
        {
            self.deadlines.pop();
            if let Some(entry) = self.entries.get_mut(&id)
                && entry.queued_at == Some(at)
            {
                entry.queued_at = None;
                self.touch(id);
            }
        }
        self.forget_deadlines();
    }

    /// Drops deadlines that are nobody's any more, so that nobody is woken for them.
    fn forget_deadlines(&mut self) {
        while let Some(Reverse((at, id))) = self.deadlines.peek()
            && self.entries.get(id).is_none_or(|entry| entry.queued_at != Some(*at))
        {
            self.deadlines.pop();
        }
    }

    /// Answers a stranger, unless too many answers wait already.
    fn answer(&mut self, to: SocketAddr, packet: &Packet<'_>) {
        if self.answers.len() >= self.config.answers_max {
            return;
        }
        let mut space = vec![0; CHALLENGE_BYTES_MAX];
        let mut writer = Writer::new(&mut space);
        packet.encode(&mut writer);
        seal(writer.written());
        let len = writer.len();
        space.truncate(len);
        self.answers.push_back((to, space));
    }
}

/// Checksum, kind, ID and token.
const RESET_BYTES: usize = 4 + 1 + 8 + 16;
const RESET_MARGIN: usize = 4;
/// The shortest packet that a host without memory of its connection answers.
pub(super) const MIN_ANSWERED_PACKET: usize = RESET_BYTES + RESET_MARGIN + 1;
/// Deadlines that are out of date and kept beside one for each connection.
const STALE_DEADLINES_MAX: usize = 64;

impl Endpoint for Host {
    type Event = HostEvent;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        self.handle_datagram_for(now, meta, datagram, &mut |_, _, _| 0)
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.refresh(now);
        while let Some(&Reverse((at, id))) = self.deadlines.peek()
            && at <= now
        {
            self.deadlines.pop();
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            if entry.queued_at != Some(at) {
                continue;
            }
            entry.queued_at = None;
            entry.connection.handle_timeout(now);
            self.touch(id);
        }
        self.refresh(now);
        self.forget_deadlines();
    }

    fn handle_move(&mut self, now: Instant) {
        for (&id, entry) in &mut self.entries {
            entry.connection.announce_move(now);
            if !core::mem::replace(&mut entry.flags.touched, true) {
                self.touched.push(id);
            }
        }
        self.refresh(now);
    }

    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        self.touch_due(now);
        self.refresh(now);
        if let Some((destination, bytes)) = self.answers.front()
            && batch.put(bytes)
        {
            let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            if self.tracer.is_on()
                && let Ok(packet) = Packet::decode(bytes)
            {
                let event = TransportEvent::Answered { kind: PacketKind::of(&packet), bytes: len };
                self.tracer.emit(|| TraceEvent::Transport { connection: None, event });
            }
            let transmit = Transmit {
                destination: *destination,
                source: None,
                ecn: Ecn::NotEct,
                size: bytes.len(),
                segment_size: None,
            };
            self.answers.pop_front();
            return Some(transmit);
        }
        // Each has one turn: a batch without room for what a connection has leaves it where it is.
        for _ in 0..self.sending.len() {
            let id = self.sending.pop_front()?;
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            entry.flags.queued = false;
            if !entry.flags.sending {
                continue;
            }
            let transmit = entry.connection.poll_transmit(now, batch);
            // It goes to the end of the queue if there is more.
            self.touch(id);
            self.refresh(now);
            if transmit.is_some() {
                return transmit;
            }
        }
        None
    }

    fn poll_offer(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Offer> {
        self.next_offer(now, batch)
    }

    fn lent<'a>(&'a self, nth: usize, each: &mut dyn FnMut(&'a [u8])) {
        self.show_lent(nth, each);
    }

    fn take_back(&mut self) {
        self.lending.take_back();
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let pending = !self.news.is_empty() || !self.answers.is_empty() || self.sending_count > 0;
        if pending {
            return Some(Instant::ZERO);
        }
        // Who was not looked at since it changed is asked itself: to be called for it at once would
        // be a turn of the driver for each datagram.
        let touched = self.touched.iter().filter_map(|id| {
            let connection = &self.entries.get(id)?.connection;
            if connection.is_closed() { Some(Instant::ZERO) } else { connection.poll_timeout() }
        });
        touched.chain(self.deadlines.peek().map(|&Reverse((at, _))| at)).min()
    }

    fn poll_event(&mut self) -> Option<HostEvent> {
        for &id in &self.touched {
            if let Some(entry) = self.entries.get_mut(&id)
                && entry.connection.has_events()
                && !core::mem::replace(&mut entry.flags.news, true)
            {
                self.news.push_back(id);
            }
        }
        while let Some(id) = self.news.pop_front() {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            entry.flags.news = false;
            let event = entry.connection.poll_event();
            // More of them, or the end, are found when it is looked at again.
            self.touch(id);
            if let Some(event) = event {
                return Some(HostEvent { id, event });
            }
        }
        None
    }

    fn set_tracing(&mut self, on: bool) {
        self.tracer.set(on);
        for (&id, entry) in &mut self.entries {
            entry.connection.set_tracing(on);
            if !core::mem::replace(&mut entry.flags.touched, true) {
                self.touched.push(id);
            }
        }
    }

    fn poll_trace(&mut self) -> Option<TraceEvent> {
        if self.tracer.is_on() {
            // What the application did is reported when it happened, not with the next datagram.
            for id in &self.touched {
                if let Some(entry) = self.entries.get_mut(id) {
                    collect(&mut self.tracer, *id, &mut entry.connection);
                }
            }
        }
        self.tracer.take()
    }
}

/// Takes over what a connection has recorded.
fn collect(tracer: &mut Tracer, id: ConnectionId, connection: &mut Connection) {
    while let Some(event) = connection.poll_trace() {
        tracer.emit(|| TraceEvent::Transport { connection: Some(id), event });
    }
}
