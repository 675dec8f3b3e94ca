//! What arrives at a host: whose it is, and what strangers get.

use alloc::sync::Arc;
use core::net::SocketAddr;

use super::{CookiePolicy, Host, MIN_ANSWERED_PACKET, room::Place};
use crate::{
    endpoint::{Disposition, DropReason, RecvMeta, Train},
    time::Instant,
    trace::{
        TraceEvent,
        transport::{PacketKind, TransportEvent},
    },
    transport::connection::Connection,
    wire::transport::{Bulk, ConnectionId, Greeting, Packet, Params, StreamId, VERSION},
};

/// What takes the next bytes of streams as they arrive: the connection, the stream and the bytes.
type Reader<'a> = dyn FnMut(ConnectionId, StreamId, &[u8]) -> usize + 'a;

/// Nobody here wants it.
const UNKNOWN: Disposition = Disposition::Discarded(DropReason::UnknownPeer);

impl Host {
    /// Like [`handle_datagram`](crate::endpoint::Endpoint::handle_datagram); what comes next on a
    /// stream, with nothing waiting before it, is offered to `reader` where it lies. It is told the
    /// connection, the stream and the bytes, and says how many of them it has taken; the rest waits to
    /// be [read](Connection::read). Whoever reads this way saves a copy.
    pub fn handle_datagram_for(
        &mut self,
        now: Instant,
        meta: RecvMeta,
        datagram: &[u8],
        reader: &mut Reader<'_>,
    ) -> Disposition {
        let packet = match Packet::decode(datagram) {
            Ok(packet) => packet,
            Err(error) => {
                let reason = DropReason::Damaged(error);
                self.trace_discard(meta.source, None, datagram.len(), reason);
                return Disposition::Discarded(reason);
            }
        };
        let bytes = datagram.len();
        let disposition = match packet {
            Packet::Open { greeting, cookie, .. } => {
                self.handle_open(now, meta, &packet, (&greeting, cookie), bytes)
            }
            Packet::Reset { to, .. } => match self.peers.get(&(meta.source, to)) {
                Some(&id) => self.deliver(now, id, meta, &packet, bytes, reader).unwrap_or(UNKNOWN),
                None => UNKNOWN,
            },
            Packet::Data { to, .. } | Packet::Accept { to, .. } => {
                let delivered = self.deliver(now, to, meta, &packet, bytes, reader);
                delivered.unwrap_or_else(|| self.handle_unknown(meta, to, bytes))
            }
            Packet::Challenge { to, .. } | Packet::Versions { to, .. } => {
                self.deliver(now, to, meta, &packet, bytes, reader).unwrap_or(UNKNOWN)
            }
        };
        // What comes of a data packet is looked at when somebody asks; a handshake changes the index.
        if !matches!(packet, Packet::Data { .. }) {
            self.refresh(now);
        }
        if let Disposition::Discarded(reason) = disposition {
            self.trace_discard(meta.source, Some(&packet), bytes, reason);
        }
        disposition
    }

    /// The same with the first datagrams of a train: as many as are bulk of one stream in order, for which
    /// it takes far less time than one after the other, else one. Returns how many they were and what
    /// became of them; of several, all were accepted.
    ///
    /// ```
    /// # use rdtp::{endpoint::{Disposition, RecvMeta, Train}, time::Instant, transport::host::Host};
    /// # use rdtp::wire::transport::{ConnectionId, StreamId};
    /// fn arrive(
    ///     host: &mut Host,
    ///     now: Instant,
    ///     meta: RecvMeta,
    ///     mut train: Train<'_>,
    ///     reader: &mut dyn FnMut(ConnectionId, StreamId, &[u8]) -> usize,
    /// ) {
    ///     loop {
    ///         let (taken, _) = host.handle_train_for(now, meta, train, reader);
    ///         let Some(rest) = train.after(taken) else { break };
    ///         train = rest;
    ///     }
    /// }
    /// ```
    pub fn handle_train_for(
        &mut self,
        now: Instant,
        meta: RecvMeta,
        train: Train<'_>,
        reader: &mut Reader<'_>,
    ) -> (usize, Disposition) {
        match self.deliver_train(now, meta, train, reader) {
            0 => (1, self.handle_datagram_for(now, meta, train.first(), reader)),
            taken => (taken, Disposition::Accepted),
        }
    }

    /// Hands a train to its connection, as far as that takes it at once.
    fn deliver_train(
        &mut self,
        now: Instant,
        meta: RecvMeta,
        train: Train<'_>,
        reader: &mut Reader<'_>,
    ) -> usize {
        let Some(first) = Bulk::peek(train.first()) else { return 0 };
        let id = first.to;
        let Some(entry) = self.entries.get_mut(&id) else { return 0 };
        let mut reader = |stream, bytes: &[u8]| reader(id, stream, bytes);
        let taken = entry.connection.handle_train(now, meta, &first, train, &mut reader);
        if taken > 0 && !core::mem::replace(&mut entry.flags.touched, true) {
            self.touched.push(id);
        }
        taken
    }

    fn handle_open(
        &mut self,
        now: Instant,
        meta: RecvMeta,
        packet: &Packet<'_>,
        (greeting, cookie): (&Greeting, &[u8]),
        bytes: usize,
    ) -> Disposition {
        let Greeting { version, from, number, .. } = *greeting;
        let nobody = &mut |_, _, _: &[u8]| 0;
        if let Some(&id) = self.peers.get(&(meta.source, from)) {
            return self.deliver(now, id, meta, packet, bytes, nobody).unwrap_or(UNKNOWN);
        }
        // Whoever wants something pays for it with a full packet (RFC 9000 section 14.1).
        if !self.config.accepts || bytes < Params::MIN_PACKET_BYTES {
            return UNKNOWN;
        }
        if version != VERSION {
            let versions = &VERSION.to_be_bytes();
            self.answer(meta.source, &Packet::Versions { to: from, number, versions });
            return UNKNOWN;
        }
        let place = self.place_for(now, meta.source);
        if place == Place::Taken {
            return Disposition::Discarded(DropReason::PeersFull);
        }
        let mut trusted = self.secret.is_good(now, meta.source, from, cookie);
        let known = if trusted || cookie.is_empty() {
            None
        } else {
            self.tickets.redeem(now, meta.source.ip(), &self.connection.params(), cookie)
        };
        trusted |= known.is_some();
        // Who brings a ticket that is worth nothing may have sent more than a stranger may.
        if !trusted && (self.wants_cookie(place) || !cookie.is_empty()) {
            let cookie = &self.secret.cookie(now, meta.source, from);
            self.answer(meta.source, &Packet::Challenge { to: from, number, cookie });
            return UNKNOWN;
        }
        if let Place::Of(idle) = place {
            self.push_out(idle);
        }
        let identity = self.identity();
        let config = Arc::clone(&self.connection);
        let mut new = Connection::accept(now, config, meta.source, identity, greeting, trusted);
        new.vouch(known.as_ref(), self.config.early_data, self.tickets.are_given());
        self.insert(now, new);
        self.deliver(now, identity.id, meta, packet, bytes, nobody).unwrap_or(UNKNOWN)
    }

    fn wants_cookie(&self, place: Place) -> bool {
        if matches!(place, Place::Of(_)) {
            return true;
        }
        match self.config.cookies {
            CookiePolicy::Always => true,
            CookiePolicy::Never => false,
            CookiePolicy::Above(bound) => {
                self.half_open >= bound || place == Place::Free { proof: true }
            }
        }
    }

    /// Hands a packet to its connection; `None` when that is not here.
    fn deliver(
        &mut self,
        now: Instant,
        id: ConnectionId,
        meta: RecvMeta,
        packet: &Packet<'_>,
        bytes: usize,
        reader: &mut Reader<'_>,
    ) -> Option<Disposition> {
        let entry = self.entries.get_mut(&id)?;
        if !core::mem::replace(&mut entry.flags.touched, true) {
            self.touched.push(id);
        }
        let mut reader = |stream, bytes: &[u8]| reader(id, stream, bytes);
        let (before, moves) = (entry.connection.peer(), entry.connection.moves());
        let disposition = entry.connection.handle_packet_for(now, meta, packet, bytes, &mut reader);
        if entry.connection.moves() != moves {
            let (after, remote) = (entry.connection.peer(), entry.indexed);
            self.peers.remove(&(before, remote));
            self.peers.insert((after, remote), id);
            if entry.connection.is_acceptor() {
                self.room.moved(before, after);
            }
        }
        Some(disposition)
    }

    /// The connection that a packet is meant for.
    fn addressee(&self, source: SocketAddr, packet: &Packet<'_>) -> Option<ConnectionId> {
        match *packet {
            Packet::Open { greeting, .. } => self.peers.get(&(source, greeting.from)).copied(),
            Packet::Reset { to, .. } => self.peers.get(&(source, to)).copied(),
            _ => Some(packet.to()).filter(|to| self.entries.contains_key(to)),
        }
    }

    /// A datagram was not taken.
    fn trace_discard(
        &mut self,
        source: SocketAddr,
        packet: Option<&Packet<'_>>,
        bytes: usize,
        reason: DropReason,
    ) {
        if !self.tracer.is_on() {
            return;
        }
        let connection = packet.and_then(|packet| self.addressee(source, packet));
        let there = connection.and_then(|id| self.get(id));
        let number = there.zip(packet).and_then(|(there, packet)| there.number_of(packet));
        let kind = packet.map(PacketKind::of);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let event = TransportEvent::PacketDiscarded { number, kind, bytes, reason };
        self.tracer.emit(|| TraceEvent::Transport { connection, event });
    }

    /// A packet for a connection that is not here: perhaps it was before a restart, or it is over
    /// and the peer has missed that.
    fn handle_unknown(&mut self, meta: RecvMeta, to: ConnectionId, bytes: usize) -> Disposition {
        let token = self.secret.reset_token(to);
        // Shorter than what it answers, so that two hosts without memory fall silent.
        if bytes >= MIN_ANSWERED_PACKET {
            self.answer(meta.source, &Packet::Reset { to, token });
        }
        Disposition::Discarded(DropReason::UnknownPeer)
    }
}
