//! What arrives: packets to frames, and each frame to the part that it is for.

use alloc::boxed::Box;

use super::{
    acks::AckPolicy,
    connection::{Connection, Cookie, Event},
    lifecycle::CloseReason,
    stream::StreamFault,
    ticket::Ticket,
};
use crate::{
    endpoint::{Disposition, DropReason, RecvMeta},
    rng::Seed,
    time::Instant,
    trace::StateLabel,
    wire::{
        DecodeError,
        transport::{
            CloseCode, Features, Frame, Greeting, Packet, Reader, ResetToken, StreamId, VERSION,
            expand_number,
        },
    },
};
use core::time::Duration;

/// Cookies that an opener follows.
const COOKIES_MAX: u32 = 3;
/// Packets that a peer's wish lets wait for one ACK, at most.
const ACK_THRESHOLD_MAX: u64 = 256;

/// What takes the next bytes of a stream as they arrive, and says how many.
type Taker<'a> = dyn FnMut(StreamId, &[u8]) -> usize + 'a;

/// Takes nothing: the bytes wait to be read.
pub(super) fn nobody(_: StreamId, _: &[u8]) -> usize {
    0
}

/// Why the frames of a packet were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Damaged(DecodeError),
    /// Not a fault of the peer: the packet will come again.
    NoRoom(&'static str),
    Fault(CloseCode, &'static str),
}

impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        Self::Damaged(error)
    }
}

impl From<StreamFault> for Refusal {
    fn from(fault: StreamFault) -> Self {
        match fault {
            StreamFault::TooManyGaps => Self::NoRoom("too many gaps in a stream"),
            StreamFault::BeyondWindow => Self::Fault(CloseCode::FlowControl, "beyond the window"),
            StreamFault::Limit => {
                Self::Fault(CloseCode::Protocol, "a stream that may not be opened")
            }
            StreamFault::FinalSize => {
                Self::Fault(CloseCode::Protocol, "a stream that ends in two places")
            }
        }
    }
}

impl Connection {
    /// Takes a packet that is addressed to this connection; `bytes` is the length of its datagram.
    pub fn handle_packet(
        &mut self,
        now: Instant,
        meta: RecvMeta,
        packet: &Packet<'_>,
        bytes: usize,
    ) -> Disposition {
        self.handle_packet_for(now, meta, packet, bytes, &mut nobody)
    }

    /// The same; what comes next on a stream, with nothing waiting before it, is offered to `reader`
    /// where it lies. It says how many bytes it has taken, and the rest waits to be
    /// [read](Self::read).
    pub fn handle_packet_for(
        &mut self,
        now: Instant,
        meta: RecvMeta,
        packet: &Packet<'_>,
        bytes: usize,
        reader: &mut dyn FnMut(StreamId, &[u8]) -> usize,
    ) -> Disposition {
        let is_data = matches!(packet, Packet::Data { .. });
        if meta.source != self.path.address() && !(self.acceptor && is_data) {
            return self.refuse("from another address");
        }
        if !self.life.is_alive() {
            return self.handle_late(now, packet);
        }
        self.trace_arrival(packet, bytes);
        let highest = self.acks.largest();
        let disposition = match *packet {
            Packet::Data { number, frames, .. } => {
                if self.life.is_opening() {
                    return self.refuse("data before the handshake");
                }
                self.handle_frames(now, meta, self.whole_number(number), frames, reader)
            }
            Packet::Open { greeting, frames, .. } if self.acceptor => {
                self.validation.on_received(bytes);
                self.handle_frames(now, meta, greeting.number, frames, &mut nobody)
            }
            Packet::Accept { greeting, offered, frames, .. } if !self.acceptor => {
                self.handle_accept(now, meta, &greeting, offered, frames)
            }
            Packet::Challenge { number, cookie, .. } => self.handle_challenge(now, number, cookie),
            Packet::Versions { number, versions, .. } => self.handle_versions(number, versions),
            Packet::Reset { token, .. } => self.handle_reset(now, token),
            Packet::Open { .. } | Packet::Accept { .. } => self.refuse("not meant for this side"),
        };
        if disposition == Disposition::Accepted {
            self.counted.datagrams_received += 1;
            self.counted.bytes_received += bytes as u64;
            if self.acceptor
                && let Packet::Data { number, .. } = *packet
            {
                self.on_data_packet(now, meta, number, highest, bytes);
            }
        }
        disposition
    }

    /// A data packet was taken, on the side that accepted. Only who has read what we sent can use the
    /// ID that we chose.
    fn on_data_packet(
        &mut self,
        now: Instant,
        meta: RecvMeta,
        number: u32,
        highest: Option<u64>,
        bytes: usize,
    ) {
        let at_home = meta.source == self.path.address();
        if at_home {
            self.validation.trust();
        }
        if self.life.on_heard() {
            self.recovery.begin_skipping(Seed::new(self.identity.secret));
            self.events.push_back(Event::Connected);
            self.release();
        }
        if at_home && self.path.candidate().is_none() {
            return;
        }
        let number = self.whole_number(number);
        let newest = highest.is_none_or(|highest| number > highest);
        self.path.on_packet(now, meta.source, number, newest, bytes);
    }

    /// The number of which a data packet carries the low half.
    pub(super) fn whole_number(&self, low: u32) -> u64 {
        let expected = self.acks.largest().map_or(0, |largest| largest + 1);
        expand_number(low, expected)
    }

    pub(super) fn refuse(&self, reason: &'static str) -> Disposition {
        let state = StateLabel::plain(self.life.name());
        Disposition::Discarded(DropReason::Guard { state, reason })
    }

    /// The connection has ended here. Whoever does not know is told, less and less often.
    fn handle_late(&mut self, now: Instant, packet: &Packet<'_>) -> Disposition {
        let closed_too = match *packet {
            Packet::Data { frames, .. }
            | Packet::Accept { frames, .. }
            | Packet::Open { frames, .. } => {
                Frame::each(frames).any(|frame| matches!(frame, Frame::Close { .. }))
            }
            Packet::Reset { token, .. } => Some(token) == self.peer_token,
            _ => false,
        };
        if closed_too {
            let until = now + self.drain_time();
            self.life.drain(CloseReason::Reset, until);
        } else if let Some(closing) = &mut self.closing {
            closing.heard += 1;
            if closing.heard >= closing.patience {
                closing.patience = closing.patience.saturating_mul(2);
                (closing.heard, closing.due) = (0, true);
            }
        }
        Disposition::Discarded(DropReason::Closed)
    }

    fn handle_accept(
        &mut self,
        now: Instant,
        meta: RecvMeta,
        greeting: &Greeting,
        offered: (u32, Features),
        frames: &[u8],
    ) -> Disposition {
        if self.life.is_opening() {
            let agreed = Features(greeting.features.0 & self.offered.1.0);
            if offered != self.offered || greeting.version != VERSION || agreed != greeting.features
            {
                if self.life.give_up(CloseReason::Downgrade) {
                    self.on_end();
                }
                return self.refuse("the handshake was changed on its way");
            }
            self.on_greeting(now, greeting);
            self.life.on_heard();
            self.cookie = None;
            self.recovery.begin_skipping(Seed::new(self.identity.secret));
            // The acceptor may have used up what it may send to an address that it does not trust
            // yet: it must hear of us until it says that it has, even if we have nothing to say
            // (RFC 9002 section 6.2.2.1).
            self.ping = true;
            self.events.push_back(Event::Connected);
        } else if greeting.from != self.remote_id {
            return self.refuse("an accept packet from another connection");
        }
        self.handle_frames(now, meta, greeting.number, frames, &mut nobody)
    }

    /// The acceptor wants to see that we receive what it sends to our address.
    fn handle_challenge(&mut self, now: Instant, number: u64, cookie: &[u8]) -> Disposition {
        if !self.life.is_opening() || !self.recovery.was_sent(number) {
            return self.refuse("a challenge that answers nothing");
        }
        // Each packet of a flight was answered with a challenge; the first is enough.
        let (taken, since) = self.cookie.as_ref().map_or((0, 0), |old| (old.taken, old.since));
        if number < since {
            return self.refuse("a challenge to what was sent before the cookie");
        }
        let Some(bytes) = Ticket::new(cookie).filter(|_| taken < COOKIES_MAX) else {
            return self.refuse("one challenge too many");
        };
        let since = self.recovery.next();
        self.cookie = Some(Box::new(Cookie { bytes, taken: taken + 1, since }));
        // Nothing of what was sent so far has been kept.
        self.recovery.restart(now, number, &mut self.settled);
        self.settle();
        self.forget_recalled();
        self.ping = true;
        Disposition::Accepted
    }

    fn handle_versions(&mut self, number: u64, versions: &[u8]) -> Disposition {
        if !self.life.is_opening() || !self.recovery.was_sent(number) {
            return self.refuse("versions that answer nothing");
        }
        if versions.as_chunks::<4>().0.iter().any(|&v| u32::from_be_bytes(v) == VERSION) {
            return self.refuse("versions with ours among them");
        }
        if self.life.give_up(CloseReason::Version) {
            self.on_end();
        }
        Disposition::Accepted
    }

    /// Somebody says that the peer has forgotten the connection.
    pub(super) fn handle_reset(&mut self, now: Instant, token: ResetToken) -> Disposition {
        if self.peer_token != Some(token) {
            return self.refuse("a reset without the right token");
        }
        let until = now + self.drain_time();
        if self.life.drain(CloseReason::Reset, until) {
            self.on_end();
        }
        Disposition::Accepted
    }

    fn handle_frames(
        &mut self,
        now: Instant,
        meta: RecvMeta,
        number: u64,
        frames: &[u8],
        taker: &mut dyn FnMut(StreamId, &[u8]) -> usize,
    ) -> Disposition {
        if self.acks.is_copy(number) {
            self.counted.copies_received += 1;
            // The peer repeats itself: perhaps our ACKs are lost.
            self.acks.hurry(now);
            return self.refuse("a copy");
        }
        let known = self.repairing.was_found(number);
        let disposition = self.read_frames(now, meta, number, frames, (known, taker));
        if disposition == Disposition::Accepted && !known {
            self.remember_for_repair(now, number, frames);
        }
        disposition
    }

    /// Reads the frames of a packet. Of one that was repaired before, everything was heard: it is only
    /// acknowledged.
    fn read_frames(
        &mut self,
        now: Instant,
        meta: RecvMeta,
        number: u64,
        frames: &[u8],
        (known, taker): (bool, &mut Taker<'_>),
    ) -> Disposition {
        let mut reader = Reader::new(frames);
        let mut eliciting = false;
        let mut hurry = false;
        let mut datagrams = false;
        while !reader.is_empty() {
            let frame = match Frame::decode(&mut reader) {
                Ok(frame) => frame,
                Err(error) => return Disposition::Discarded(DropReason::Damaged(error)),
            };
            eliciting |= frame.elicits_ack();
            hurry |= matches!(frame, Frame::ImmediateAck);
            if known {
                continue;
            }
            datagrams |= matches!(frame, Frame::Datagram(_));
            match self.handle_frame(now, &frame, taker) {
                Ok(()) => {}
                Err(Refusal::Damaged(error)) => {
                    return Disposition::Discarded(DropReason::Damaged(error));
                }
                Err(Refusal::NoRoom(reason)) => return self.refuse(reason),
                Err(Refusal::Fault(code, reason)) => {
                    self.close_with(now, code, reason.as_bytes());
                    return self.refuse(reason);
                }
            }
        }
        if datagrams {
            self.take_datagrams(frames);
        }
        self.acks.on_packet(now, number, eliciting, meta.ecn);
        if hurry {
            self.acks.hurry(now);
        }
        self.heard_at = now;
        self.slack.on_use(now);
        Disposition::Accepted
    }

    pub(super) fn handle_frame(
        &mut self,
        now: Instant,
        frame: &Frame<'_>,
        taker: &mut dyn FnMut(StreamId, &[u8]) -> usize,
    ) -> Result<(), Refusal> {
        let srtt = self.recovery.rtt().smoothed();
        let streams = &mut self.streams;
        match *frame {
            Frame::Padding(_) | Frame::Ping | Frame::ImmediateAck | Frame::Repair { .. } => {}
            Frame::Ack(ack) => {
                let delay_max = self.peer_params.max_ack_delay;
                let news = self
                    .recovery
                    .on_ack(now, &ack, delay_max, &mut self.settled)
                    .map_err(|_| Refusal::Fault(CloseCode::Protocol, "an ACK of nothing sent"))?;
                if news {
                    self.beginning.copies.on_heard(ack.ranges.largest());
                }
                self.settle_at(now);
            }
            Frame::Stream { id, offset, data, fin } => {
                self.asks = 0;
                let mut reader = |bytes: &[u8]| taker(id, bytes);
                streams.on_data(now, id, offset, data, fin, srtt, &mut reader)?;
            }
            Frame::ResetStream { id, code, final_size } => {
                streams.on_reset(now, id, code, final_size, srtt)?;
            }
            Frame::StopSending { id, code } => streams.on_stop_sending(id, code)?,
            Frame::MaxData(max) => streams.on_max_data(max),
            Frame::MaxStreamData { id, max } => streams.on_max_stream_data_frame(id, max)?,
            Frame::MaxStreams(max) => streams.on_max_streams(max),
            Frame::DataBlocked(_) => streams.on_blocked(None)?,
            Frame::StreamDataBlocked { id, .. } => streams.on_blocked(Some(id))?,
            Frame::AckFrequency { sequence, threshold, delay_us } => {
                self.handle_ack_wish(sequence, threshold, delay_us);
            }
            Frame::Close { code, .. } => {
                let until = now + self.drain_time();
                if self.life.drain(CloseReason::Peer(code), until) {
                    self.on_end();
                }
            }
            Frame::PathChallenge(data) => self.path.on_challenge(data),
            Frame::PathResponse(data) => {
                if let Some(moved) = self.path.on_response(now, data) {
                    self.on_moved(now, moved);
                }
            }
            Frame::Ticket(bytes) => {
                if !self.on_ticket(bytes) {
                    return Err(Refusal::Fault(CloseCode::Protocol, "a ticket from an opener"));
                }
            }
            Frame::Datagram(data) => {
                if data.len() > self.config.datagram_bytes_max {
                    return Err(Refusal::Fault(CloseCode::Protocol, "a datagram too large"));
                }
            }
        }
        Ok(())
    }

    /// Takes the application's datagrams out of a packet. Everything else in a packet may be said
    /// twice; these only when all of it was taken, since what is refused comes again.
    pub(super) fn take_datagrams(&mut self, frames: &[u8]) {
        let mut reader = Reader::new(frames);
        while !reader.is_empty() {
            let Ok(frame) = Frame::decode(&mut reader) else { return };
            // Told once, whatever the peer sends while nobody listens.
            if let Frame::Datagram(data) = frame
                && self.datagrams.on_arrived(data)
                && !self.events.contains(&Event::Datagram)
            {
                self.events.push_back(Event::Datagram);
            }
        }
    }

    /// The peer would like fewer or more ACKs.
    fn handle_ack_wish(&mut self, sequence: u64, threshold: u64, delay_us: u64) {
        if self.ack_wish_heard.is_some_and(|heard| heard >= sequence) {
            return;
        }
        self.ack_wish_heard = Some(sequence);
        // Never later than was promised in the handshake, on which the peer's timers rest.
        let delay_max = Duration::from_micros(delay_us).min(self.config.acks.delay_max);
        let threshold = threshold.clamp(1, ACK_THRESHOLD_MAX);
        self.acks.set_policy(AckPolicy { threshold, delay_max });
    }
}
