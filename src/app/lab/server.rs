//! The server of the exercise: takes numbers from any number of clients and keeps four lists of
//! each.

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use core::{net::SocketAddr, time::Duration};

use super::lists::{Arrival, Lists, Verdict};
use crate::{
    batch::Batch,
    classic::{Effect, Effects, Input, Machine, Packet, Protocol, State},
    ecn::Ecn,
    endpoint::{Disposition, DropReason, Endpoint, RecvMeta, Transmit},
    time::Instant,
    wire::lab::{DataMessage, Honesty, LabChecksum, REPLY_LEN, ReplyMessage},
};

/// What a [`Server`] needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// What guards the messages.
    pub checksum: LabChecksum,
    /// The port to name as the sender's.
    pub local_port: u16,
    /// How many identifiers a list has, when that is known. It decides when a shuffled list is
    /// complete.
    pub count: Option<usize>,
    /// How long a client must be quiet before a complete list is reported: while it sends, more may
    /// come.
    pub quiet: Duration,
    /// How long a client must be quiet before an incomplete list is reported.
    pub idle: Duration,
    /// The most clients to remember. Another one takes the place of that which was quiet longest.
    pub sessions_max: usize,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            checksum: LabChecksum::default(),
            local_port: super::PORT,
            count: None,
            quiet: Duration::from_secs(1),
            idle: Duration::from_secs(10),
            sessions_max: 16,
        }
    }
}

/// What a [`Server`] tells the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// A message arrived and was answered.
    Arrived {
        /// The client.
        peer: SocketAddr,
        /// The number in it, and what became of it.
        arrival: Arrival,
        /// Its sequence number, as far as it is legible.
        seq: Option<u8>,
        /// The answer.
        reply: ReplyMessage,
    },
    /// A client has been quiet: time to look at [`Server::lists`].
    Quiet {
        /// The client.
        peer: SocketAddr,
        /// Whether its list [looks complete](Lists::looks_complete).
        complete: bool,
    },
}

/// One client.
#[derive(Clone, Debug)]
struct Session<R> {
    receiver: R,
    lists: Lists,
    last_at: Instant,
    /// When to report, and whether an incomplete list is to be reported then.
    report: Option<(Instant, bool)>,
}

/// The server as an [`Endpoint`], over the receiver of `P`: rdt 2.1, 2.2 or 3.0.
#[derive(Clone, Debug)]
pub struct Server<P: Protocol> {
    protocol: P,
    config: ServerConfig,
    sessions: BTreeMap<SocketAddr, Session<P::Receiver<i32>>>,
    outbox: VecDeque<(SocketAddr, [u8; REPLY_LEN])>,
    events: VecDeque<ServerEvent>,
    now: Instant,
}

impl<P: Protocol> Server<P> {
    /// The most answers that wait for the driver; more are dropped, as if the network had.
    pub const OUTBOX_MAX: usize = 256;
    /// The most events that wait for the application; the oldest are dropped for new ones.
    pub const EVENTS_MAX: usize = 4096;

    /// A server without clients.
    pub fn new(protocol: P, config: ServerConfig) -> Self {
        Self {
            protocol,
            config,
            sessions: BTreeMap::new(),
            outbox: VecDeque::new(),
            events: VecDeque::new(),
            now: Instant::ZERO,
        }
    }

    /// The lists of a client.
    pub fn lists(&self, peer: SocketAddr) -> Option<&Lists> {
        self.sessions.get(&peer).map(|session| &session.lists)
    }

    /// The clients it remembers.
    pub fn peers(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.sessions.keys().copied()
    }

    fn session(&mut self, peer: SocketAddr) -> &mut Session<P::Receiver<i32>> {
        if !self.sessions.contains_key(&peer)
            && self.sessions.len() >= self.config.sessions_max.max(1)
        {
            let longest = self.sessions.iter().min_by_key(|(_, session)| session.last_at);
            if let Some(peer) = longest.map(|(&peer, _)| peer) {
                self.sessions.remove(&peer);
            }
        }
        self.sessions.entry(peer).or_insert_with(|| Session {
            receiver: self.protocol.receiver(),
            lists: Lists::default(),
            last_at: self.now,
            report: None,
        })
    }

    fn emit(&mut self, event: ServerEvent) {
        if self.events.len() >= Self::EVENTS_MAX {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}

/// What the machine made of a message: the answer, and whether it delivered.
fn outcome(effects: &mut Effects<i32>) -> (Option<Packet<i32>>, bool) {
    let (mut answer, mut delivered) = (None, false);
    for effect in effects.drain() {
        match effect {
            Effect::Transmit(packet) => answer = Some(packet),
            Effect::Deliver(_) => delivered = true,
            // The receivers of the textbook have no timers.
            Effect::Start(_) | Effect::Stop(_) => {}
        }
    }
    (answer, delivered)
}

impl<P: Protocol> Endpoint for Server<P> {
    type Event = ServerEvent;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        self.now = self.now.max(now);
        let ServerConfig { checksum, local_port, quiet, .. } = self.config;
        let read = DataMessage::decode(datagram, checksum);
        let legible = DataMessage::as_it_stands(datagram);
        let peer = meta.source;

        let session = self.session(peer);
        if session.lists.is_full() {
            return Disposition::Discarded(DropReason::InboxFull);
        }
        let input = match read {
            Ok(DataMessage { seq, value, .. }) => {
                Input::Arrive(Packet::Data { seq: seq.into(), data: value })
            }
            Err(_) => Input::ArriveCorrupt,
        };
        let mut effects = Effects::default();
        let fired = session.receiver.step(input, &mut effects);
        let (answer, delivered) = outcome(&mut effects);
        let verdict = match (delivered, read) {
            (true, _) => Verdict::Taken,
            (false, Ok(_)) => Verdict::Duplicate,
            (false, Err(_)) => Verdict::Corrupt,
        };
        let arrival = Arrival { value: legible.map(|message| message.value), verdict };
        session.lists.push(arrival);
        session.last_at = now;
        session.report = Some((now + quiet, false));

        let (ack, seq) = match answer {
            Some(Packet::Ack { seq }) => (true, seq),
            Some(Packet::Nak { seq }) => (false, seq),
            Some(Packet::Data { .. }) | None => return Disposition::Accepted,
        };
        let reply = ReplyMessage {
            source_port: local_port,
            destination_port: peer.port(),
            ack,
            seq: u8::from(seq == 1),
        };
        if self.outbox.len() < Self::OUTBOX_MAX {
            self.outbox.push_back((peer, reply.encode(checksum, Honesty::Honest)));
        }
        let seq = legible.map(|message| message.seq);
        self.emit(ServerEvent::Arrived { peer, arrival, seq, reply });
        match (read, fired.rule.refuses) {
            (Err(error), _) => Disposition::Discarded(DropReason::Damaged(error)),
            (Ok(_), Some(reason)) => {
                let state = fired.from.label();
                Disposition::Discarded(DropReason::Guard { state, reason })
            }
            (Ok(_), None) => Disposition::Accepted,
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        let ServerConfig { count, idle, .. } = self.config;
        let mut due = Vec::new();
        for (&peer, session) in &mut self.sessions {
            let Some((_, always)) = session.report.filter(|&(at, _)| at <= now) else { continue };
            let complete = session.lists.looks_complete(count);
            let idle_at = session.last_at + idle;
            if complete || always || idle_at <= now {
                session.report = None;
                due.push(ServerEvent::Quiet { peer, complete });
            } else {
                session.report = Some((idle_at, true));
            }
        }
        for event in due {
            self.emit(event);
        }
    }

    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        self.now = self.now.max(now);
        let (destination, message) = self.outbox.front()?;
        if !batch.put(message) {
            return None;
        }
        let transmit = Transmit {
            destination: *destination,
            source: None,
            ecn: Ecn::NotEct,
            size: message.len(),
            segment_size: None,
        };
        self.outbox.pop_front();
        Some(transmit)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if !self.outbox.is_empty() || !self.events.is_empty() {
            return Some(self.now);
        }
        self.sessions.values().filter_map(|session| session.report).map(|(at, _)| at).min()
    }

    fn poll_event(&mut self) -> Option<ServerEvent> {
        self.events.pop_front()
    }
}
