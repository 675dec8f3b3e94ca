//! Somebody at the socket of a host: sees every datagram that goes in and out, and holds the host to
//! what can be told from that.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::String,
    vec::Vec,
};
use core::net::SocketAddr;

use super::{
    super::Invariant,
    body::Body,
    line::{Gauge, Line},
};
use crate::{
    batch::Batch,
    endpoint::{Disposition, Endpoint, RecvMeta, Transmit},
    time::Instant,
    transport::{cc::Algorithm, host::HostConfig, host::HostEvent, pacer::Pacer},
    wire::transport::{ConnectionId, Frame, Packet, Params},
};

type Broken = (Invariant, String);

/// Bytes that may go to an address for each that came from there, before it has answered.
const AMPLIFICATION_MAX: u64 = 3;
/// Wakeups in a row after which nothing was sent, received or told.
const IDLE_WAKES_MAX: u32 = 500;
/// Steps between two looks at the memory of all connections.
const WEIGH_EVERY: u32 = 32;
/// Datagrams kept to be sent again.
const RECORDED_MAX: usize = 24;
/// Connections up to which each is looked at whenever a datagram goes in or out.
const WATCHED_MAX: usize = 8;

/// What went to and came from an address.
#[derive(Debug, Default)]
struct Account {
    received: u64,
    /// Before the address answered: of connections, and of no connection.
    unproved: u64,
    stateless: u64,
    /// Names that this host gave itself in packets to that address.
    given: Vec<ConnectionId>,
    cookies: Vec<Vec<u8>>,
    /// Tickets of ours that nobody brought yet. Each proves one connection.
    tickets: Vec<Vec<u8>>,
    /// Connections whose peer came here from elsewhere, and has not answered a challenge from here.
    moved: Vec<ConnectionId>,
    /// Openers that brought a cookie of ours, and connections whose name came back.
    proved: Vec<ConnectionId>,
}

/// Bytes that left at one instant.
#[derive(Debug, Default)]
struct Burst {
    at: Instant,
    bytes: u64,
    allowed: u64,
}

/// A host, watched.
#[derive(Debug)]
pub(super) struct Watched<B> {
    inner: B,
    config: HostConfig,
    /// What was seen that must not be.
    pub(super) broken: Option<Broken>,
    accounts: BTreeMap<SocketAddr, Account>,
    /// By address and what the peer is called: what this host is called.
    names: BTreeMap<(SocketAddr, ConnectionId), ConnectionId>,
    /// First limits of acceptors, by what this host is called, and with which tickets they count again.
    accepted: BTreeMap<ConnectionId, Params>,
    tickets: BTreeMap<Vec<u8>, Params>,
    /// The peer has had another address.
    peer_moved: bool,
    /// Names of the peer, wherever it is, that two connections have: it moved, and a copy of its open
    /// came late.
    doubtful: BTreeSet<ConnectionId>,
    /// Cookies that this host was asked to send once more.
    challenges: BTreeSet<Vec<u8>>,
    /// First limits of openers.
    greeted: BTreeMap<(SocketAddr, ConnectionId), Params>,
    lines: BTreeMap<ConnectionId, Line>,
    bursts: BTreeMap<ConnectionId, Burst>,
    gauges: Vec<(ConnectionId, Gauge)>,
    idle_wakes: u32,
    /// A number that follows from everything that left, and when.
    pub(super) fingerprint: u64,
    /// Some of what arrived, if somebody wants to send it again.
    pub(super) recorded: Option<Vec<(SocketAddr, Vec<u8>)>>,
    arrived: usize,
    weighs_in: u32,
    /// Connections that heard or said something since somebody last looked.
    pub(super) touched: Vec<ConnectionId>,
}

impl<B: Body> Watched<B> {
    pub(super) fn new(inner: B, config: HostConfig, records: bool) -> Self {
        Self {
            inner,
            config,
            broken: None,
            accounts: BTreeMap::new(),
            names: BTreeMap::new(),
            accepted: BTreeMap::new(),
            tickets: BTreeMap::new(),
            peer_moved: false,
            doubtful: BTreeSet::new(),
            challenges: BTreeSet::new(),
            greeted: BTreeMap::new(),
            lines: BTreeMap::new(),
            bursts: BTreeMap::new(),
            gauges: Vec::new(),
            idle_wakes: 0,
            fingerprint: 0,
            recorded: records.then(Vec::new),
            arrived: 0,
            weighs_in: 0,
            touched: Vec::new(),
        }
    }

    /// Cookies are good beyond a restart, if the secret is kept.
    pub(super) fn remember_cookies(&mut self, old: &Self) {
        for (address, account) in &old.accounts {
            self.accounts.entry(*address).or_default().cookies.clone_from(&account.cookies);
        }
    }

    /// The peer sends from another address from now on, which may be anybody's until it has answered
    /// from there.
    pub(super) fn peer_moves(&mut self, old: SocketAddr, new: SocketAddr) {
        let of_peer = self.names.iter().filter(|((address, _), _)| *address == old);
        let names: Vec<_> = of_peer.map(|(&(_, name), &id)| (name, id)).collect();
        self.peer_moved = true;
        // A ticket is good for an IP address, whatever the port.
        let tickets = self.accounts.entry(old).or_default().tickets.clone();
        self.accounts.entry(new).or_default().tickets.extend(tickets);
        for (name, id) in names {
            self.names.insert((new, name), id);
            self.accounts.entry(new).or_default().moved.push(id);
        }
    }

    /// Every so often: the memory of all connections together is looked at.
    pub(super) fn is_time_to_weigh(&mut self) -> bool {
        self.weighs_in = self.weighs_in.checked_sub(1).unwrap_or(WEIGH_EVERY);
        self.weighs_in == 0
    }

    pub(super) fn body(&self) -> &B {
        &self.inner
    }

    pub(super) const fn config(&self) -> &HostConfig {
        &self.config
    }

    pub(super) fn body_mut(&mut self) -> &mut B {
        &mut self.inner
    }

    fn break_(&mut self, broken: Broken) {
        self.broken.get_or_insert(broken);
    }

    /// The window that a connection was promised to keep, if that is a number.
    fn promised(&self) -> Option<u64> {
        match self.config.connection.congestion {
            Algorithm::Fixed(window) => Some(window),
            _ => None,
        }
    }

    fn gauge(&self, id: ConnectionId) -> Option<Gauge> {
        let packet_bytes = self.config.connection.longest_packet_bytes() as u64;
        let connection = self.inner.host().get(id)?;
        Some(Gauge::of(connection, packet_bytes, self.promised()))
    }

    /// How many packets of all connections but one were taken.
    fn taken_by_others(&self, id: Option<ConnectionId>) -> u64 {
        let all = self.inner.host().connections();
        let others = all.filter(|(other, _)| Some(*other) != id);
        others.map(|(_, connection)| connection.stats().datagrams_received).sum()
    }

    fn record(&mut self, source: SocketAddr, datagram: &[u8]) {
        let Some(recorded) = &mut self.recorded else { return };
        self.arrived += 1;
        // The first ones, and later ones less and less often.
        if recorded.len() < RECORDED_MAX {
            recorded.push((source, datagram.into()));
        } else if self.arrived.is_power_of_two() || self.arrived.is_multiple_of(37) {
            let at = RECORDED_MAX / 2 + self.arrived % (RECORDED_MAX / 2);
            recorded[at] = (source, datagram.into());
        }
    }

    /// A datagram arrives. Returns the connection that it is for.
    fn look_in(&mut self, source: SocketAddr, datagram: &[u8]) -> Option<ConnectionId> {
        let account = self.accounts.entry(source).or_default();
        account.received += datagram.len() as u64;
        let packet = Packet::decode(datagram).ok()?;
        let (id, frames) = match packet {
            Packet::Data { to, frames, .. } => {
                if account.given.contains(&to) && !account.proved.contains(&to) {
                    account.proved.push(to);
                }
                // Wherever it comes from, it answers for where the challenge went (RFC 9000 section
                // 8.2.3).
                if Frame::each(frames).any(|frame| matches!(frame, Frame::PathResponse(_))) {
                    let all = self.accounts.values_mut();
                    all.for_each(|account| account.moved.retain(|&id| id != to));
                }
                if let (Some(ticket), Some(params)) = (ticket(frames), self.accepted.get(&to)) {
                    self.tickets.insert(ticket.into(), *params);
                }
                (to, frames)
            }
            Packet::Open { greeting, cookie, frames, .. } => {
                let ticket = account.tickets.iter().position(|given| given[..] == *cookie);
                let ours = account.cookies.iter().any(|given| given[..] == *cookie);
                if (ticket.map(|at| account.tickets.swap_remove(at)).is_some() || ours)
                    && !account.proved.contains(&greeting.from)
                {
                    account.proved.push(greeting.from);
                }
                self.greeted.entry((source, greeting.from)).or_insert(greeting.params);
                // After a move, a late copy of an open may begin another connection or not.
                if self.peer_moved {
                    return None;
                }
                (self.names.get(&(source, greeting.from)).copied()?, frames)
            }
            Packet::Accept { to, greeting, frames, .. } => {
                self.names.insert((source, greeting.from), to);
                self.accepted.entry(to).or_insert(greeting.params);
                if let Some(line) = self.lines.get_mut(&to) {
                    line.on_params(&greeting.params);
                }
                (to, frames)
            }
            Packet::Reset { to, .. } => (self.names.get(&(source, to)).copied()?, &[][..]),
            Packet::Challenge { to, .. } | Packet::Versions { to, .. } => {
                if let Packet::Challenge { cookie, .. } = packet {
                    self.challenges.insert(cookie.into());
                }
                if let Some(burst) = self.bursts.get_mut(&to) {
                    // The path begins anew, and so does its bucket.
                    burst.bytes = 0;
                }
                (to, &[][..])
            }
        };
        if let Some(line) = self.lines.get_mut(&id) {
            line.on_arrived(frames);
        }
        Some(id)
    }

    /// A datagram leaves.
    fn look_out(&mut self, now: Instant, to: SocketAddr, datagram: &[u8]) -> Result<(), Broken> {
        self.fingerprint = (self.fingerprint ^ now.as_nanos()).wrapping_mul(0x0100_0000_01b3);
        for word in datagram.as_chunks::<8>().0.iter().take(2) {
            let word = u64::from_be_bytes(*word);
            self.fingerprint = (self.fingerprint ^ word).wrapping_mul(0x0100_0000_01b3);
        }
        let Ok(packet) = Packet::decode(datagram) else {
            return Err((Invariant::NoInvention, "a packet leaves that nobody can read".into()));
        };
        let bytes = datagram.len() as u64;
        match packet {
            Packet::Open { greeting, cookie, frames, .. } => {
                let id = greeting.from;
                let known = self.tickets.get(cookie);
                let line = self.lines.entry(id).or_insert_with(|| Line::new(false, known));
                if known.is_none() {
                    line.forget_ticket();
                }
                if known.is_none() && !cookie.is_empty() && !self.challenges.contains(cookie) {
                    // A ticket out of a repaired packet.
                    line.hear_unseen();
                }
                self.leaves(now, id, Ok(greeting.number), frames, bytes)
            }
            Packet::Accept { to: opener, greeting, frames, .. } => {
                let id = greeting.from;
                let before = self.names.insert((to, opener), id);
                if self.peer_moved && before.is_some_and(|before| before != id) {
                    self.doubtful.insert(opener);
                }
                let params = self.greeted.get(&(to, opener)).copied();
                self.lines.entry(id).or_insert_with(|| Line::new(true, params.as_ref()));
                let account = self.accounts.entry(to).or_default();
                if !account.given.contains(&id) {
                    account.given.push(id);
                }
                let proved = account.proved.contains(&id) || account.proved.contains(&opener);
                self.pays(to, proved, bytes)?;
                self.leaves(now, id, Ok(greeting.number), frames, bytes)
            }
            Packet::Data { to: peer, number, frames } => {
                // A name that was never learned belongs to nobody's connection.
                let Some(&id) = self.names.get(&(to, peer)) else { return Ok(()) };
                if self.doubtful.contains(&peer) {
                    return Ok(());
                }
                if let Some(ticket) = ticket(frames) {
                    self.accounts.entry(to).or_default().tickets.push(ticket.into());
                }
                let given = self.accounts.get(&to).is_some_and(|account| {
                    account.moved.contains(&id)
                        || account.given.contains(&id)
                            && !account.proved.contains(&id)
                            && !account.proved.contains(&peer)
                });
                self.pays(to, !given, bytes)?;
                self.leaves(now, id, Err(number), frames, bytes)
            }
            Packet::Challenge { cookie, .. } => {
                self.accounts.entry(to).or_default().cookies.push(cookie.into());
                self.answers(to, bytes)
            }
            Packet::Versions { .. } | Packet::Reset { .. } => self.answers(to, bytes),
        }
    }

    /// Bytes to an address that may be somebody else's.
    fn pays(&mut self, to: SocketAddr, proved: bool, bytes: u64) -> Result<(), Broken> {
        if proved {
            return Ok(());
        }
        let account = self.accounts.entry(to).or_default();
        account.unproved += bytes;
        let (sent, received) = (account.unproved + account.stateless, account.received);
        if sent > AMPLIFICATION_MAX * received {
            let detail = format!("{sent} bytes to {to}, which sent {received} and never answered");
            return Err((Invariant::Amplification, detail));
        }
        Ok(())
    }

    /// An answer that keeps nothing: never longer than what it answers.
    fn answers(&mut self, to: SocketAddr, bytes: u64) -> Result<(), Broken> {
        let account = self.accounts.entry(to).or_default();
        account.stateless += bytes;
        let (sent, received) = (account.stateless, account.received);
        if sent > received {
            let detail = format!("{sent} bytes of answers to {to}, which sent {received}");
            return Err((Invariant::Amplification, detail));
        }
        Ok(())
    }

    fn leaves(
        &mut self,
        now: Instant,
        id: ConnectionId,
        number: Result<u64, u32>,
        frames: &[u8],
        bytes: u64,
    ) -> Result<(), Broken> {
        let Some(line) = self.lines.get_mut(&id) else { return Ok(()) };
        if line
            .on_leaving(number, frames)
            .map_err(|(what, words)| (what, format!("{id}: {words}")))?
        {
            self.burst(now, id, bytes)?;
        }
        Ok(())
    }

    /// Holds what leaves at one instant to one quantum of the pacer.
    fn burst(&mut self, now: Instant, id: ConnectionId, bytes: u64) -> Result<(), Broken> {
        let Some(connection) = self.inner.host().get(id) else { return Ok(()) };
        let recovery = connection.recovery();
        let mss = self.config.connection.longest_packet_bytes() as u64;
        let window = self.promised().unwrap_or_else(|| recovery.controller().window());
        // At most three times the window in a round trip: BBR's startup.
        let round = u64::try_from(recovery.rtt().smoothed().as_nanos()).unwrap_or(u64::MAX);
        let rate = u128::from(window) * 3_000_000_000 / u128::from(round.max(1_000));
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        // Probes leave whatever the pacer says.
        let allowed = Pacer::quantum(rate, mss) + 3 * mss;
        let burst = self.bursts.entry(id).or_default();
        if burst.at != now {
            *burst = Burst { at: now, bytes: 0, allowed: 0 };
        }
        burst.bytes += bytes;
        burst.allowed = burst.allowed.max(allowed);
        if burst.bytes > burst.allowed {
            let detail = format!("{} bytes at once, at most {allowed} may be", burst.bytes);
            return Err((Invariant::Congestion, detail));
        }
        Ok(())
    }
}

/// The ticket that a packet holds.
fn ticket(frames: &[u8]) -> Option<&[u8]> {
    Frame::each(frames).find_map(|frame| match frame {
        Frame::Ticket(ticket) => Some(ticket),
        _ => None,
    })
}

impl<B: Body> Endpoint for Watched<B> {
    type Event = HostEvent;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        self.idle_wakes = 0;
        self.record(meta.source, datagram);
        let id = self.look_in(meta.source, datagram);
        let few = self.inner.host().connections().count() <= WATCHED_MAX;
        let before = if few { self.taken_by_others(id) } else { 0 };
        let disposition = self.inner.handle_datagram(now, meta, datagram);
        // What begins with this datagram has no name before.
        let newest = || self.inner.host().connections().map(|(id, _)| id).collect::<Vec<_>>();
        match id {
            Some(id) => self.touched.push(id),
            None if disposition == Disposition::Accepted => self.touched.extend(newest()),
            None => {}
        }
        let repaired = |id| self.inner.host().get(id).map(|it| it.stats().packets_repaired);
        if let Some(id) = id
            && repaired(id).is_some_and(|packets| packets > 0)
            && let Some(line) = self.lines.get_mut(&id)
        {
            line.hear_unseen();
        }
        // A connection that begins with this datagram was not there before.
        let there = id.is_some_and(|id| self.inner.host().get(id).is_some());
        if few && there && self.taken_by_others(id) > before {
            let detail = format!("a packet for {id:?} was taken by another connection");
            self.break_((Invariant::Isolation, detail));
        }
        disposition
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.idle_wakes += 1;
        if self.idle_wakes > IDLE_WAKES_MAX {
            let detail = format!("{IDLE_WAKES_MAX} wakeups in a row for nothing");
            self.break_((Invariant::Clock, detail));
        }
        self.inner.handle_timeout(now);
    }

    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        self.gauges.clear();
        let mut gauges = core::mem::take(&mut self.gauges);
        let ids = self.inner.host().connections().map(|(id, _)| id);
        gauges.extend(ids.take(WATCHED_MAX).filter_map(|id| Some((id, self.gauge(id)?))));
        let transmit = self.inner.poll_transmit(now, batch);
        if let Some(Transmit { destination, .. }) = transmit {
            self.idle_wakes = 0;
            for datagram in batch.segments() {
                if let Err(broken) = self.look_out(now, destination, datagram) {
                    self.break_(broken);
                }
            }
            for (id, before) in &gauges {
                let Some(after) = self.gauge(*id) else { continue };
                let Some(line) = self.lines.get_mut(id) else { continue };
                if let Err(broken) = line.on_sent(before, &after) {
                    self.break_(broken);
                }
            }
        }
        self.gauges = gauges;
        transmit
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.inner.poll_timeout()
    }

    fn poll_event(&mut self) -> Option<HostEvent> {
        let event = self.inner.poll_event();
        if event.is_some() {
            self.idle_wakes = 0;
        }
        event
    }

    fn set_tracing(&mut self, on: bool) {
        self.inner.set_tracing(on);
    }

    fn poll_trace(&mut self) -> Option<crate::trace::TraceEvent> {
        self.inner.poll_trace()
    }
}
