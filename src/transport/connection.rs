//! A connection: the parts, and which of them hears what. What they do is in their own files;
//! what arrives is taken apart in `inbound`, what leaves is put together in `outbound`.

use alloc::{boxed::Box, collections::VecDeque, sync::Arc, vec::Vec};
use core::{net::SocketAddr, time::Duration};

use super::{
    acks::Acks,
    beginning::Beginning,
    config::Config,
    datagrams::{DatagramError, Datagrams},
    ledger::Content,
    lifecycle::{CloseReason, Lifecycle},
    path::Path,
    recovery::{Recovery, Settled},
    repairing::Repairing,
    slack::Slack,
    stats::Counted,
    stream::{OpenError, ReadError, StreamEvent, Streams, WriteError},
    ticket::Ticket,
    traced::Told,
    validation::Validation,
};
use crate::{
    time::Instant,
    trace::transport::{StreamChange, TransportEvent},
    wire::crc32c::Join,
    wire::transport::{
        CloseCode, ConnectionId, DATA_HEADER_BYTES, Features, Frame, Greeting, Params, ResetToken,
        StreamId, VERSION,
    },
};

/// What a connection tells the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The peer is there: data may flow both ways. Data written before is on its way already.
    Connected,
    /// Something about a stream.
    Stream(StreamEvent),
    /// Datagrams of the application wait to be taken: all of them, until there are none.
    Datagram,
    /// The end, and why. Nothing follows.
    Closed(CloseReason),
}

/// What only this side can know of a connection that begins: chosen at random by whoever makes it.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// What the peer is to call us.
    pub id: ConnectionId,
    /// The number of the first packet, below 2^32.
    pub first_number: u64,
    /// Proof for a stateless reset.
    pub token: ResetToken,
    /// What nobody else knows, not even the peer: challenges are made of it.
    pub secret: u64,
}

/// One side of a connection, without clock, socket or chance.
#[derive(Debug)]
pub struct Connection {
    /// Shared by the connections of a host.
    pub(super) config: Arc<Config>,
    pub(super) acceptor: bool,
    pub(super) path: Path,
    pub(super) identity: Identity,
    /// What the peer wants to be called; before it has said so, what we made up.
    pub(super) remote_id: ConnectionId,
    pub(super) peer_token: Option<ResetToken>,
    pub(super) peer_params: Params,
    pub(super) offered: (u32, Features),
    /// Only while this side opens.
    pub(super) cookie: Option<Box<Cookie>>,
    pub(super) life: Lifecycle,
    pub(super) validation: Validation,
    pub(super) beginning: Beginning,
    pub(super) recovery: Recovery,
    pub(super) acks: Acks,
    pub(super) repairing: Repairing,
    pub(super) streams: Streams,
    pub(super) datagrams: Datagrams,
    pub(super) settled: Settled,
    /// What the packet holds that is being written.
    pub(super) contents: Vec<Content>,
    pub(super) events: VecDeque<Event>,
    pub(super) closing: Option<Closing>,
    pub(super) opened_at: Instant,
    pub(super) heard_at: Instant,
    /// When a packet last left that wanted an answer.
    pub(super) asked_at: Instant,
    pub(super) ping: bool,
    /// Times that this side has asked whether the peer is there, since it last sent data.
    pub(super) asks: u8,
    /// The highest sequence number of the peer's wishes about ACKs.
    pub(super) ack_wish_heard: Option<u64>,
    pub(super) ack_wish: AckWish,
    /// Until when pacing holds packets back.
    pub(super) paced_until: Option<Instant>,
    pub(super) counted: Counted,
    /// Only while it is traced.
    pub(super) told: Option<Box<Told>>,
    pub(super) slack: Slack,
    /// For the checksums of packets that leave where they were written.
    pub(super) join: Option<Box<Join>>,
}

/// The cookie that the next open carries, which may be a ticket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cookie {
    pub(super) bytes: Ticket,
    /// How often one was taken: a peer that asks for ever is not followed.
    pub(super) taken: u32,
    /// Packets of lower numbers left without it.
    pub(super) since: u64,
}

/// What is said to whoever still sends.
#[derive(Debug)]
pub(super) struct Closing {
    /// How far the handshake was: whoever has not heard of the connection's end in it cannot read
    /// anything else.
    pub(super) speaks: Speaks,
    pub(super) code: CloseCode,
    pub(super) reason: Box<[u8]>,
    pub(super) due: bool,
    /// Packets heard since the last answer, and how many it takes until the next: twice as many
    /// each time.
    pub(super) heard: u32,
    pub(super) patience: u32,
}

/// Which packets the peer can read by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    /// It has not answered: opens.
    Open,
    /// It has not used the ID that it was given: accepts.
    Accept,
    /// Data packets.
    Data,
}

/// How the peer was asked to acknowledge.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AckWish {
    pub(super) sequence: u64,
    pub(super) threshold: u64,
    pub(super) pending: bool,
}

/// The longest reason for closing, in bytes.
const REASON_BYTES_MAX: usize = 256;

impl Connection {
    /// Opens a connection to `peer`. `target` is made up: the peer is called so until it says
    /// otherwise.
    pub fn open(
        now: Instant,
        config: impl Into<Arc<Config>>,
        peer: SocketAddr,
        identity: Identity,
        target: ConnectionId,
    ) -> Self {
        let validation = Validation::trusted();
        let life = Lifecycle::opening();
        Self::new(now, config.into(), peer, identity, target, life, validation)
    }

    /// Accepts a connection that `peer` has opened with these words. `trusted` tells whether its
    /// address has been shown to be its own.
    pub fn accept(
        now: Instant,
        config: impl Into<Arc<Config>>,
        peer: SocketAddr,
        identity: Identity,
        greeting: &Greeting,
        trusted: bool,
    ) -> Self {
        let validation = if trusted { Validation::trusted() } else { Validation::new() };
        let life = Lifecycle::accepting();
        let config = config.into();
        let mut new = Self::new(now, config, peer, identity, greeting.from, life, validation);
        new.offered = (greeting.version, greeting.features);
        new.on_greeting(now, greeting);
        new
    }

    fn new(
        now: Instant,
        config: Arc<Config>,
        peer: SocketAddr,
        identity: Identity,
        remote_id: ConnectionId,
        life: Lifecycle,
        validation: Validation,
    ) -> Self {
        let mss = config.packet_bytes as u64;
        let first = identity.first_number;
        let longest = config.longest_packet_bytes();
        let mut recovery =
            Recovery::new(first, mss, config.rtt_initial, config.congestion, config.ecn, longest);
        if config.start_window_bytes > 0 {
            recovery.begin_with(config.start_window_bytes);
        }
        let acceptor = life.is_accepting();
        let mut streams = Streams::new(config.streams, acceptor, slot_bytes(config.packet_bytes));
        if !acceptor {
            // What the acceptor will allow is not known yet; what every peer of this version allows
            // is that the first flight may carry one stream.
            streams.on_params(FIRST_FLIGHT_BYTES, FIRST_FLIGHT_BYTES, FIRST_STREAMS);
        }
        Self {
            acceptor,
            path: Path::new(peer, identity.secret),
            identity,
            remote_id,
            peer_token: None,
            peer_params: Params { max_ack_delay: config.acks.delay_max, ..Params::default() },
            offered: (VERSION, Features::default()),
            cookie: None,
            life,
            validation,
            beginning: Beginning::new(&config, acceptor),
            recovery,
            acks: Acks::new(config.acks),
            repairing: Repairing::default(),
            streams,
            datagrams: Datagrams::new(config.datagrams_max),
            settled: Settled::default(),
            contents: Vec::new(),
            events: VecDeque::new(),
            closing: None,
            opened_at: now,
            heard_at: now,
            asked_at: now,
            ping: true,
            asks: 0,
            ack_wish_heard: None,
            ack_wish: AckWish::default(),
            paced_until: None,
            counted: Counted::default(),
            told: None,
            slack: Slack::new(now),
            join: None,
            config,
        }
    }

    // What the application does.

    /// Opens a stream; those of lower `priority` number are sent first.
    pub fn open_stream(&mut self, priority: u8) -> Result<StreamId, OpenError> {
        if !self.life.is_alive() {
            return Err(OpenError::Closed);
        }
        let id = self.streams.open(priority)?;
        self.trace_stream(id, StreamChange::Opened);
        Ok(id)
    }

    /// Lets the peer hear of a stream before anything is written to it: it may speak first then.
    pub fn announce(&mut self, id: StreamId) -> Result<(), WriteError> {
        self.check_writable()?;
        self.streams.announce(id)
    }

    /// Writes to a stream: as much of `data` as there is room for.
    pub fn write(&mut self, id: StreamId, data: &[u8]) -> Result<usize, WriteError> {
        self.check_writable()?;
        self.streams.write(id, data)
    }

    /// Room in a stream for the next bytes, in the place that they are sent from.
    pub fn reserve(&mut self, id: StreamId) -> Result<&mut [u8], WriteError> {
        self.check_writable()?;
        self.streams.reserve(id)
    }

    /// Makes the first `len` reserved bytes part of the stream.
    pub fn commit(&mut self, id: StreamId, len: usize) {
        self.streams.commit(id, len);
    }

    fn check_writable(&self) -> Result<(), WriteError> {
        if self.life.is_alive() { Ok(()) } else { Err(WriteError::Unknown) }
    }

    /// Ends a stream after what was written: the peer may go on sending its half.
    pub fn finish(&mut self, id: StreamId) -> Result<(), WriteError> {
        self.check_writable()?;
        self.streams.finish(id)?;
        self.trace_stream(id, StreamChange::Ended);
        Ok(())
    }

    /// Gives a stream up, with a reason of the application's.
    pub fn reset(&mut self, id: StreamId, code: u64) -> Result<(), WriteError> {
        self.check_writable()?;
        self.streams.reset(id, code)?;
        self.trace_stream(id, StreamChange::Reset(code));
        Ok(())
    }

    /// Asks the peer to send no more of a stream, with a reason of the application's.
    pub fn stop(&mut self, now: Instant, id: StreamId, code: u64) {
        self.streams.stop(now, id, code, self.recovery.rtt().smoothed());
    }

    /// Changes whose turn it is.
    pub fn set_priority(&mut self, id: StreamId, priority: u8) {
        self.streams.set_priority(id, priority);
    }

    /// Reads from a stream: as much as there is and `out` holds.
    pub fn read(&mut self, now: Instant, id: StreamId, out: &mut [u8]) -> Result<usize, ReadError> {
        self.check_readable()?;
        self.slack.on_use(now);
        self.streams.read(now, id, out, self.recovery.rtt().smoothed())
    }

    /// The next bytes of a stream where they lie; [`consume`](Self::consume) says how many were
    /// used.
    pub fn peek(&mut self, id: StreamId) -> Result<&[u8], ReadError> {
        self.check_readable()?;
        self.streams.peek(id)
    }

    /// The application has used the next `len` bytes of a stream.
    pub fn consume(&mut self, now: Instant, id: StreamId, len: usize) {
        self.slack.on_use(now);
        self.streams.consume(now, id, len, self.recovery.rtt().smoothed());
    }

    /// Sends a message once, in one piece, without promise.
    pub fn send_datagram(&mut self, data: &[u8]) -> Result<(), DatagramError> {
        if !self.life.is_alive() {
            return Err(DatagramError::Closed);
        }
        self.datagrams.send(data)
    }

    /// The longest datagram that may be sent: 0 when the peer takes none, `None` while it has not
    /// said.
    pub const fn datagram_bytes_max(&self) -> Option<usize> {
        self.datagrams.bytes_max()
    }

    /// The next datagram that arrived. Its memory goes with it; see
    /// [`peek_datagram`](Self::peek_datagram) for a way that allocates nothing.
    pub fn recv_datagram(&mut self) -> Option<Vec<u8>> {
        self.datagrams.recv()
    }

    /// The next datagram that arrived, where it lies; [`consume_datagram`](Self::consume_datagram)
    /// makes way for the one after it.
    pub fn peek_datagram(&self) -> Option<&[u8]> {
        self.datagrams.peek()
    }

    /// The application has used the datagram that [`peek_datagram`](Self::peek_datagram) shows.
    pub fn consume_datagram(&mut self) {
        self.datagrams.consume();
    }

    /// Closes the connection at once, with a reason of the application's and words of at most 256
    /// bytes. What was not delivered is not any more: finish the streams and wait for
    /// [`StreamEvent::Finished`] first.
    pub fn close(&mut self, now: Instant, code: u64, reason: &[u8]) {
        // Whoever closes it knows of it, and wants to hear the end.
        self.release();
        self.close_with(now, CloseCode::Application(code), reason);
    }

    pub(super) fn close_with(&mut self, now: Instant, code: CloseCode, reason: &[u8]) {
        let until = now + self.drain_time();
        let speaks = self.speaks();
        if self.life.close(code, until) {
            let reason = reason[..reason.len().min(REASON_BYTES_MAX)].into();
            self.closing = Some(Closing { speaks, code, reason, due: true, heard: 0, patience: 1 });
            self.on_end();
        }
    }

    /// Which packets the peer can read.
    pub(super) fn speaks(&self) -> Speaks {
        match &self.closing {
            Some(closing) => closing.speaks,
            None if self.life.is_opening() => Speaks::Open,
            None if self.life.is_accepting() => Speaks::Accept,
            None => Speaks::Data,
        }
    }

    /// The connection has ended: tells the application, once.
    pub(super) fn on_end(&mut self) {
        if let Some(reason) = self.life.reason() {
            self.events.push_back(Event::Closed(reason));
        }
    }

    /// Three probe timeouts (RFC 9000 section 10.2).
    pub(super) fn drain_time(&self) -> Duration {
        self.recovery.pto(self.peer_params.max_ack_delay) * 3
    }

    /// What to tell the application next.
    pub fn poll_event(&mut self) -> Option<Event> {
        if self.is_muted() {
            return None;
        }
        // What happened to streams before the end is told before the end.
        let stream = self.streams.poll_event();
        if let Some(event) = &stream {
            self.trace_stream_event(event);
        }
        stream.map(Event::Stream).or_else(|| self.events.pop_front())
    }

    /// Whether there is something to tell.
    pub(super) fn has_events(&self) -> bool {
        !self.is_muted() && (!self.events.is_empty() || self.streams.has_events())
    }

    // Time.

    /// When to call again if nothing arrives; a time in the past means now.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.has_events() {
            return Some(Instant::ZERO);
        }
        [self.send_at(), self.act_at()].into_iter().flatten().min()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    pub(super) fn act_at(&self) -> Option<Instant> {
        if !self.life.is_alive() {
            return self.life.deadline();
        }
        let silence = self.silence_deadline().map(|(at, _)| at);
        let path = self.path.deadline();
        let copy = self.beginning.copies.deadline();
        let (alive, slack) = (self.keep_alive_at(), self.slack_at());
        let deadlines = [self.recovery_deadline(), silence, alive, path, copy, slack];
        deadlines.into_iter().flatten().min()
    }

    /// When recovery has something to do. Not before the peer is heard again when no probe could leave
    /// (RFC 9002 section 6.2.2.1).
    fn recovery_deadline(&self) -> Option<Instant> {
        let deadline = self.recovery.deadline(self.peer_params.max_ack_delay);
        deadline.filter(|_| self.has_budget())
    }

    /// Acts on every deadline that `now` has reached.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.life.on_time(now);
        if !self.life.is_alive() {
            return;
        }
        if let Some((at, reason)) = self.silence_deadline()
            && at <= now
        {
            if self.life.give_up(reason) {
                self.on_end();
            }
            return;
        }
        if self.keep_alive_at().is_some_and(|at| at <= now) {
            self.ping = true;
            self.asks = self.asks.saturating_add(1);
        }
        self.path.on_time(now);
        self.send_copies(now);
        self.give_slack_back(now);
        // Called late, the deadline behind the first may have passed too.
        while self.recovery_deadline().is_some_and(|at| at <= now) {
            let delay_max = self.peer_params.max_ack_delay;
            let probing = self.recovery.on_deadline(now, delay_max, &mut self.settled);
            self.settle_at(now);
            if probing {
                self.prepare_probe();
                break;
            }
        }
    }

    /// A probe carries new data if there is any, else repeats the oldest, else only asks for an
    /// answer (RFC 9002 section 6.2.4). When the first probe was not answered either, everything on
    /// its way is to be repeated, the first bytes of each stream first: perhaps the peer has room
    /// for nothing else.
    fn prepare_probe(&mut self) {
        self.ping = true;
        self.repairing.abandon();
        let first = self.recovery.ptos() < 2;
        if first && (self.streams.has_data() || self.streams.has_control()) {
            return;
        }
        self.repeat_oldest(if first { 1 } else { usize::MAX });
    }

    /// Hands on what recovery has settled.
    pub(super) fn settle(&mut self) {
        if self.datagrams.bytes_max().is_some() {
            self.limit_datagrams();
        }
        for content in self.settled.acked.drain(..) {
            match content {
                Content::Ack { largest } => self.acks.on_acked(largest),
                Content::Ticket => self.beginning.on_ticket_acked(),
                content => {
                    if let Content::Stream { id, bytes, fin } = &content {
                        let tracer = &mut self.recovery.tracer;
                        tracer.emit(|| TransportEvent::acked(*id, bytes, *fin));
                    }
                    self.streams.on_acked(&content);
                }
            }
        }
        for content in self.settled.lost.drain(..) {
            match content {
                Content::AckFrequency => self.ack_wish.pending = true,
                Content::Ticket => self.beginning.repeat_ticket(),
                content => self.streams.on_lost(&content),
            }
        }
    }

    // Questions.

    /// Whether nothing is left of it.
    pub fn is_closed(&self) -> bool {
        self.life.is_closed()
    }

    /// Where it is between its beginning and its end.
    pub const fn life(&self) -> &Lifecycle {
        &self.life
    }

    /// Who the peer is.
    pub const fn peer(&self) -> SocketAddr {
        self.path.address()
    }

    /// How often the peer has moved.
    pub(super) const fn moves(&self) -> u32 {
        self.path.moves()
    }

    /// What the peer calls this side.
    pub const fn local_id(&self) -> ConnectionId {
        self.identity.id
    }

    /// What this side calls the peer.
    pub const fn remote_id(&self) -> ConnectionId {
        self.remote_id
    }

    /// The streams that are not over.
    pub const fn streams(&self) -> &Streams {
        &self.streams
    }

    /// What is on its way.
    pub const fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Bytes of memory that it holds: buffers, queues, and what is known of packets.
    pub fn memory_bytes(&self) -> usize {
        let events = self.events.capacity() * size_of::<Event>();
        let contents = self.settled.capacity() + self.contents.capacity();
        size_of::<Self>()
            + self.streams.memory_bytes()
            + self.recovery.unsettled().1
            + self.acks.memory_bytes()
            + self.repairing.memory_bytes()
            + self.beginning.memory_bytes()
            + self.datagrams.memory_bytes()
            + self.path.memory_bytes()
            + contents * size_of::<Content>()
            + events
    }
}

/// What a data packet of so many bytes holds of a single stream far from its beginning.
pub(super) fn slot_bytes(packet_bytes: usize) -> usize {
    let far = Frame::stream_header(StreamId(1 << 10), 1 << 29, packet_bytes);
    packet_bytes - DATA_HEADER_BYTES - far
}

/// Streams that may be opened before the acceptor has told its limits.
pub(super) const FIRST_STREAMS: u64 = 1;
/// Bytes that may be sent before the acceptor has told its limits: the initial window. No acceptor
/// may have a smaller one, see [`Config::check`].
pub(super) const FIRST_FLIGHT_BYTES: u64 = 14_720;
