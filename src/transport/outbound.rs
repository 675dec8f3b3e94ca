//! What leaves: which packet is next, and what it holds.

use core::time::Duration;

use super::{
    connection::{AckWish, Connection, Speaks},
    host::MIN_ANSWERED_PACKET,
    ledger::Content,
    pmtud::Pmtud,
    stats::Limit,
};
use crate::{
    batch::Batch,
    endpoint::Transmit,
    time::Instant,
    wire::transport::{
        ACCEPT_HEADER_MAX, Ack, DATA_HEADER_BYTES, Features, Frame, Greeting, OPEN_HEADER_MAX,
        Packet, Params, VERSION, Writer, seal, truncate_number,
    },
};

/// Packets of one turn, so that one connection does not keep a driver to itself.
const TURN_PACKETS_MAX: usize = 64;
/// Gaps that ACKs may report before the peer is asked whether they arrive.
const RANGES_UNASKED: usize = 32;
/// Packets on their way beside which a probe of the path's MTU leaves: what comes after it shows
/// whether it was lost.
const PROBING_PACKETS: u64 = 4;
/// Packets of a window for which one ACK is enough, and how many at most (RFC 9002 has two; more
/// spare the peer's processor and the way back).
const ACKS_PER_WINDOW: u64 = 4;
const ACK_THRESHOLD_MAX: u64 = 10;
/// ACKs of a second for which more packets than that may wait: they cost the receiver a third of its
/// calls.
const ACKS_PER_SECOND: u64 = 10_000;

/// What the next packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// Nothing has to leave now.
    Nothing,
    /// The end of the connection.
    Close,
    /// Acknowledgements alone: they need no window.
    Ack,
    /// What the peer wants said back, to see that we are there: it needs no window either.
    Answer,
    /// Whatever there is.
    Data,
}

/// What a connection does next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outlook {
    /// Whether a packet leaves now.
    pub(super) is_sending: bool,
    /// When to call again if nothing arrives and nothing leaves.
    pub(super) wake_at: Option<Instant>,
}

impl Connection {
    /// Writes the next packets into `batch`; see [`Endpoint::poll_transmit`].
    ///
    /// [`Endpoint::poll_transmit`]: crate::endpoint::Endpoint::poll_transmit
    pub fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        let before = batch.len();
        let first = batch.count();
        if batch.is_empty() {
            let aside = self.poll_aside(now, batch).or_else(|| self.poll_mtu_probe(now, batch));
            if aside.is_some() {
                return aside;
            }
        }
        let ecn = self.recovery.ecn().mark();
        while batch.count() - first < TURN_PACKETS_MAX
            && self.has_budget()
            && self.recovery.ecn().mark() == ecn
        {
            // What comes next can leave from where it lies, now that the rest is said.
            if batch.count() > first && self.lends_only(now) {
                break;
            }
            let budget = usize::try_from(self.validation.budget()).unwrap_or(usize::MAX);
            let len_max = self.packet_bytes().min(budget);
            let len = batch.write_up_to(len_max, |space| self.write_packet(now, space));
            if len == 0 {
                break;
            }
            self.validation.on_sent(len);
            self.counted.datagrams_sent += 1;
            self.counted.bytes_sent += len as u64;
        }
        let size = batch.len() - before;
        (size > 0).then(|| Transmit {
            destination: self.path.address(),
            source: None,
            ecn,
            size,
            segment_size: batch.segment_size(),
        })
    }

    /// Writes a probe for the path's MTU, if one is due: it travels alone, beside data that flows, so
    /// that what becomes of it is soon known.
    pub(super) fn poll_mtu_probe(
        &mut self,
        now: Instant,
        batch: &mut Batch<'_>,
    ) -> Option<Transmit> {
        let in_doubt = self.recovery.pmtud().is_in_doubt();
        let flows = in_doubt || self.recovery.in_flight_bytes() >= self.probing_bytes();
        let certain = self.life.is_established() && self.validation.budget() == u64::MAX;
        if !certain || !flows || self.recovery.is_probing() || !self.streams.has_data() {
            return None;
        }
        let len = self.recovery.mtu_probe_bytes(now)?;
        if self.recovery.room() < len as u64 || self.recovery.pace(now).is_err() {
            return None;
        }
        let ecn = self.recovery.ecn().mark();
        let mut written = None;
        let len = batch.write_up_to(len, |space| {
            let mut writer = Writer::new(space);
            self.write_header(&mut writer);
            Frame::Ping.encode(&mut writer);
            pad(&mut writer, len);
            seal(writer.written());
            written = Some(self.recovery.on_mtu_probe_sent(now, len));
            len
        });
        let number = written?;
        self.trace_sent(number, true, true, batch.as_bytes());
        self.validation.on_sent(len);
        self.counted.datagrams_sent += 1;
        self.counted.bytes_sent += len as u64;
        Some(Transmit {
            destination: self.path.address(),
            source: None,
            ecn,
            size: len,
            segment_size: None,
        })
    }

    /// Bytes on their way beside which a probe of the path's MTU leaves.
    fn probing_bytes(&self) -> u64 {
        PROBING_PACKETS * self.recovery.pmtud().packet_bytes() as u64
    }

    /// How long the next packets may be. Probes of the probe timeout are as short as passes
    /// everywhere: perhaps it was their length that made the others vanish. A datagram of the
    /// application that fits into no such packet goes all the same.
    pub(super) fn packet_bytes(&self) -> usize {
        let pmtud = self.recovery.pmtud();
        let short = if self.recovery.is_probing() { Pmtud::FLOOR } else { usize::MAX };
        let bytes = pmtud.packet_bytes().min(short);
        let taken = DATA_HEADER_BYTES + self.left_for_repair();
        let fits = |bytes| self.datagrams.is_pending(bytes - taken);
        let longer = self.life.is_established() && !fits(bytes) && fits(pmtud.proven_bytes());
        if longer { pmtud.proven_bytes() } else { bytes }
    }

    /// Decides what comes next.
    fn plan(&mut self, now: Instant) -> Plan {
        if self.life.is_closing() {
            return if self.closing.as_ref().is_some_and(|c| c.due) {
                Plan::Close
            } else {
                Plan::Nothing
            };
        }
        if !self.life.is_alive() {
            return Plan::Nothing;
        }
        if self.path.has_response() {
            return Plan::Answer;
        }
        let ack = self.acks.deadline().is_some_and(|at| at <= now);
        let wanted = self.wants_to_send();
        let room = self.has_room();
        // A window that is not full while there is nothing to send has proved nothing.
        if !wanted && room {
            self.recovery.rest();
        }
        if wanted && room {
            match self.recovery.pace(now) {
                Ok(()) => {
                    self.paced_until = None;
                    return Plan::Data;
                }
                Err(at) => self.paced_until = Some(at),
            }
        }
        if ack { Plan::Ack } else { Plan::Nothing }
    }

    /// What keeps the next packet from leaving; `None` when it can leave now.
    pub(super) fn held_up_by(&self) -> Option<Limit> {
        if !self.wants_to_send() {
            let windows = self.streams.is_held_up();
            return Some(if windows { Limit::FlowControl } else { Limit::Application });
        }
        if !self.has_budget() {
            Some(Limit::Validation)
        } else if !self.has_room() {
            Some(Limit::Congestion)
        } else {
            self.paced_until.map(|_| Limit::Pacing)
        }
    }

    /// Whether there is anything that needs a packet which the window allows.
    fn wants_to_send(&self) -> bool {
        self.ping
            || self.recovery.is_probing()
            || self.streams.has_data()
            || self.streams.has_control()
            || self.datagrams.is_pending(self.datagram_room())
            || self.ack_wish.pending
            || self.has_ticket()
            || self.repairing.is_leaving()
    }

    /// Room that is certain for a datagram: before the handshake is over, a long header and a small
    /// budget leave less. What does not fit waits.
    fn datagram_room(&self) -> usize {
        if self.life.is_established() {
            self.recovery.pmtud().proven_bytes() - DATA_HEADER_BYTES - self.left_for_repair()
        } else {
            Params::MIN_PACKET_BYTES - self.header_max()
        }
    }

    /// Whether as much may go to the peer's address as any packet may need.
    pub(super) fn has_budget(&self) -> bool {
        self.validation.budget() >= Params::MIN_PACKET_BYTES as u64
    }

    /// Whether the window lets a packet out.
    pub(super) fn has_room(&self) -> bool {
        self.recovery.room_beside_next().is_some()
    }

    /// When a packet leaves: one that waits only for its time, an ACK, or the end. A time in the past
    /// means now.
    pub(super) fn send_at(&self) -> Option<Instant> {
        self.send_at_if(self.is_ready())
    }

    /// Whether there is a packet that only pacing may hold back.
    fn is_ready(&self) -> bool {
        self.life.is_alive() && self.wants_to_send() && self.has_room()
    }

    fn send_at_if(&self, ready: bool) -> Option<Instant> {
        let aside = self.path.send_at().filter(|_| self.life.is_established());
        if !self.has_budget() {
            return aside;
        }
        if !self.life.is_alive() {
            let due = self.closing.as_ref().is_some_and(|closing| closing.due);
            return (due && self.life.is_closing()).then_some(Instant::ZERO);
        }
        let data = ready.then(|| self.paced_until.unwrap_or(Instant::ZERO));
        let answer = self.path.has_response().then_some(Instant::ZERO);
        [data, self.acks.deadline(), aside, answer].into_iter().flatten().min()
    }

    /// What comes next, for whoever looks after events in another way. Unlike
    /// [`send_at`](Self::send_at) it asks the pacer.
    pub(super) fn outlook(&mut self, now: Instant) -> Outlook {
        let ready = self.is_ready();
        if ready {
            self.paced_until = self.recovery.pace(now).err();
        }
        let send_at = self.send_at_if(ready);
        let later = send_at.filter(|&at| at > now);
        Outlook {
            is_sending: send_at.is_some() && later.is_none(),
            wake_at: [later, self.act_at()].into_iter().flatten().min(),
        }
    }

    /// Writes a packet; returns its length, 0 for none.
    fn write_packet(&mut self, now: Instant, space: &mut [u8]) -> usize {
        let plan = self.plan(now);
        if plan == Plan::Nothing || space.len() < self.header_max() + MIN_ROOM {
            return 0;
        }
        let repair = plan == Plan::Data && self.is_repairing();
        let len = space.len() - if repair { 0 } else { self.left_for_repair() };
        let mut writer = Writer::new(&mut space[..len]);
        self.write_header(&mut writer);
        let header = writer.len();
        if plan == Plan::Close {
            // What arrived, arrived: the peer may be waiting to hear that its last words did.
            self.write_report(now, &mut writer);
            self.contents.clear();
            self.write_close(&mut writer);
            seal(writer.written());
            let len = writer.len();
            // Nobody acknowledges it, but its number is used.
            let number = self.recovery.on_sent(now, len, false, []);
            self.trace_sent(number, false, false, writer.written());
            return len;
        }
        if !repair {
            self.write_ack(now, plan, &mut writer);
        }
        if plan == Plan::Answer {
            return self.write_answer(now, writer);
        }
        let eliciting = match plan {
            Plan::Data if repair => self.write_repair(&mut writer),
            Plan::Data => self.write_frames(&mut writer),
            _ => self.write_wish_to_forget(now, &mut writer),
        };
        if writer.len() == header {
            return 0;
        }
        if eliciting && !self.life.is_established() {
            // Pads the handshake, so that a path too narrow for it shows at once, and an opener pays
            // for what it makes the acceptor send (RFC 9000 section 14.1).
            pad(&mut writer, Params::MIN_PACKET_BYTES);
        } else if eliciting {
            // A host that was restarted answers only packets that are longer than its answer.
            pad(&mut writer, MIN_ANSWERED_PACKET);
        }
        seal(writer.written());
        let len = writer.len();
        if eliciting {
            self.asked_at = if self.heard_at >= self.asked_at { now } else { self.asked_at };
        }
        let probe = eliciting && self.recovery.is_probing();
        let worth = self.contents.iter().any(|content| matches!(content, Content::Stream { .. }));
        let number = self.recovery.on_sent(now, len, eliciting, self.contents.drain(..));
        if eliciting {
            self.beginning.copies.on_sent(now, number);
        }
        if !repair {
            self.repair_on_sent(number, writer.written(), worth);
        }
        self.trace_sent(number, eliciting, probe, writer.written());
        len
    }

    fn header_max(&self) -> usize {
        if self.speaks() == Speaks::Open { OPEN_HEADER_MAX } else { ACCEPT_HEADER_MAX }
    }

    pub(super) fn write_header(&self, writer: &mut Writer<'_>) {
        let to = self.remote_id;
        let greeting = |(version, features)| Greeting {
            version,
            features,
            from: self.identity.id,
            number: self.recovery.next(),
            token: self.identity.token,
            params: self.config.params(),
        };
        let packet = match self.speaks() {
            Speaks::Open => {
                let cookie = self.cookie.as_ref().map_or(&[][..], |cookie| cookie.bytes.bytes());
                Packet::Open { to, greeting: greeting(self.offered), cookie, frames: &[] }
            }
            Speaks::Accept => {
                let offered = self.offered;
                let agreed = (VERSION, Features(offered.1.0 & SUPPORTED.0));
                Packet::Accept { to, greeting: greeting(agreed), offered, frames: &[] }
            }
            Speaks::Data => {
                Packet::Data { to, number: truncate_number(self.recovery.next()), frames: &[] }
            }
        };
        packet.encode(writer);
    }

    fn write_close(&mut self, writer: &mut Writer<'_>) {
        if let Some(closing) = &mut self.closing {
            closing.due = false;
            Frame::Close { code: closing.code, reason: &closing.reason }.encode(writer);
        }
    }

    /// Whoever only receives never hears that its ACKs arrive, and goes on reporting every gap there
    /// was: once a round trip it asks (RFC 9000 section 13.2.4).
    fn write_wish_to_forget(&mut self, now: Instant, writer: &mut Writer<'_>) -> bool {
        let pause = self.recovery.last_eliciting_at() + self.recovery.rtt().smoothed();
        let many = self.acks.report(now).0.ranges() >= RANGES_UNASKED;
        let asks = many && pause <= now && self.has_room() && writer.room() > 0;
        if asks {
            Frame::Ping.encode(writer);
        }
        asks
    }

    /// Says back what the peer wants to hear, in a packet as long as passes everywhere (RFC 9000
    /// section 8.2.2). Nobody repeats it: the peer asks again.
    fn write_answer(&mut self, now: Instant, mut writer: Writer<'_>) -> usize {
        while writer.room() > 8
            && let Some(data) = self.path.take_response()
        {
            Frame::PathResponse(data).encode(&mut writer);
        }
        pad(&mut writer, Params::MIN_PACKET_BYTES);
        seal(writer.written());
        let len = writer.len();
        let number = self.recovery.on_sent(now, len, false, self.contents.drain(..));
        self.trace_sent(number, false, false, writer.written());
        len
    }

    /// Writes the ACK that is owed, unless what is to be sent again would be cut in two for it: the rest
    /// would be a packet more that can be lost, and something waits for it already.
    fn write_ack(&mut self, now: Instant, plan: Plan, writer: &mut Writer<'_>) {
        if !self.acks.is_owed() {
            return;
        }
        let room = writer.room();
        let again = (plan == Plan::Data).then(|| self.streams.resend_bytes(room)).flatten();
        if again.is_none_or(|bytes| bytes + ACK_ROOM <= room) {
            self.write_report(now, writer);
        }
    }

    fn write_report(&mut self, now: Instant, writer: &mut Writer<'_>) {
        let (ranges, delay) = self.acks.report(now);
        let Some(last) = ranges.last() else { return };
        // Half of the packet at most: a report of many gaps must not starve the data.
        let room = writer.room() / 2;
        if Ack::write(ranges, delay, self.acks.ecn(), room, writer) > 0 {
            self.contents.push(Content::Ack { largest: last.end - 1 });
            self.acks.on_sent();
        }
    }

    /// Writes everything that wants to be acknowledged; whether there was anything.
    fn write_frames(&mut self, writer: &mut Writer<'_>) -> bool {
        let before = writer.len();
        self.write_ack_wish(writer);
        self.write_ticket(writer);
        self.streams.write_control(writer, &mut self.contents);
        self.datagrams.write(writer);
        // A slot that can leave as it lies is not cut in two for the sake of an ACK.
        let accompanied = self.life.is_established() && writer.len() > DATA_HEADER_BYTES;
        if !accompanied || self.streams.next_slot().is_none() {
            self.streams.write_data(writer, &mut self.contents);
            self.streams.next_turn();
        }
        let probing = self.recovery.is_probing();
        // Nothing behind the last packet of a flight shows that it is lost: its ACK is not to wait.
        let last = writer.len() > before && self.is_end_of_flight();
        if writer.len() == before && (self.ping || probing) {
            Frame::Ping.encode(writer);
        }
        if (probing || last) && writer.room() > 0 {
            Frame::ImmediateAck.encode(writer);
            self.recovery.hurry();
        }
        self.ping = false;
        writer.len() > before
    }

    /// Asks for fewer ACKs when the window holds many packets, for more when it shrinks.
    fn write_ack_wish(&mut self, writer: &mut Writer<'_>) {
        if !self.life.is_established() || writer.room() < 1 + 3 * 8 {
            return;
        }
        let bytes = self.recovery.pmtud().packet_bytes() as u64;
        // However wide the window is, no more than a stream holds is ever on its way.
        let window = self.recovery.controller().window();
        let packets = window.min(self.config.streams.send_buffer_bytes) / bytes;
        // On a fast path ten packets are a moment: ACKs for each ten would be half of all calls.
        let rate = self.recovery.delivery_rate().map_or(0, |sample| sample.bytes_per_second);
        let moment = rate / ACKS_PER_SECOND / bytes;
        let wanted = (packets / ACKS_PER_WINDOW).clamp(1, ACK_THRESHOLD_MAX.max(moment));
        let told = if self.ack_wish.sequence == 0 { 2 } else { self.ack_wish.threshold };
        if wanted >= told * 2 || wanted * 2 <= told {
            let sequence = self.ack_wish.sequence + 1;
            self.ack_wish = AckWish { sequence, threshold: wanted, pending: true };
        }
        if !core::mem::take(&mut self.ack_wish.pending) {
            return;
        }
        let AckWish { sequence, threshold, .. } = self.ack_wish;
        let delay = (self.recovery.rtt().smoothed() / 8).clamp(
            Duration::from_millis(1),
            self.peer_params.max_ack_delay.max(Duration::from_millis(1)),
        );
        let delay_us = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        Frame::AckFrequency { sequence, threshold, delay_us }.encode(writer);
        self.contents.push(Content::AckFrequency);
    }
}

/// Features that this side agrees to.
const SUPPORTED: Features = Features(0);
/// Room for an ACK of some ranges.
const ACK_ROOM: usize = 48;
/// Room for frames without which a packet is not worth its header.
const MIN_ROOM: usize = 64;

/// Fills a packet up to `len`.
fn pad(writer: &mut Writer<'_>, len: usize) {
    let missing = len.saturating_sub(writer.len()).min(writer.room());
    if missing > 0 {
        Frame::Padding(missing).encode(writer);
    }
}
