//! Packets that leave where the application wrote them: a slot of a stream with a header put before
//! it. Nothing is copied, and the payload's checksum was taken when the slot was written.
//!
//! Only what bulk consists of goes this way: whole slots, one after the other, with nothing to say
//! beside them. Everything else is written by `outbound`. A peer cannot tell which way a packet went.

use super::{
    connection::{Connection, Speaks, slot_bytes},
    ledger::Content,
    stream::NextSlot,
};
use crate::{
    batch::Batch,
    endpoint::{Offer, Transmit},
    time::Instant,
    wire::{
        crc32c::Join,
        transport::{
            ConnectionId, DATA_HEADER_BYTES, Frame, Packet, StreamId, Writer, seal_head,
            truncate_number,
        },
        varint,
    },
};
use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

/// Bytes of one run at most: what one message of the system can hold.
const RUN_BYTES_MAX: usize = 65_487;
/// On paths with shorter round trips, an application that has more to say soon says it, and what is less
/// than a run waits for that. On longer ones the path would be empty for that long.
const NEAR: Duration = Duration::from_millis(1);

/// Packets that lie in a stream, one behind the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct LentRun {
    /// Which stream.
    stream: StreamId,
    /// The first of its slots, counted from the beginning.
    first: u64,
    /// How many slots.
    count: usize,
    /// Bytes of the header before each.
    header: usize,
}

impl Connection {
    /// Whether packets may be lent; streams are then cut where their slots end.
    pub(super) fn set_lending(&mut self, on: bool) {
        self.streams.set_lending(on);
    }

    /// What leaves next: written into `batch`, or lying where it was written before, which is then
    /// added to `lent`.
    pub(super) fn offer(
        &mut self,
        now: Instant,
        batch: &mut Batch<'_>,
        lent: &mut Vec<LentRun>,
    ) -> Option<Offer> {
        if let Some(probe) = self.poll_mtu_probe(now, batch) {
            return Some(Offer::Written(probe));
        }
        match self.lend(now, lent) {
            Some(transmit) => Some(Offer::Lent(transmit)),
            None => self.poll_transmit(now, batch).map(Offer::Written),
        }
    }

    /// Takes the next packets, as far as they are whole slots of one stream of one length and may
    /// leave now. Where they lie is added to `lent`.
    fn lend(&mut self, now: Instant, lent: &mut Vec<LentRun>) -> Option<Transmit> {
        if !self.lends_only(now) {
            return None;
        }
        let (ecn, longest) = (self.recovery.ecn().mark(), self.packet_bytes());
        let (mut size, mut count, mut segment) = (0, 0, 0);
        let mut stream = None;
        while count < Batch::SEGMENTS_MAX && self.recovery.ecn().mark() == ecn {
            let Some(next) = self.streams.next_slot() else { break };
            let header =
                DATA_HEADER_BYTES + Frame::last_stream_header(next.id, next.whole.bytes.start);
            let len = header + usize::try_from(next.whole.payload_bytes()).unwrap_or(usize::MAX);
            let same = count == 0 || (len == segment && stream == Some(next.id));
            let fit = (RUN_BYTES_MAX.saturating_sub(size) / len).max(usize::from(count == 0));
            let allowed = self.recovery.run_max(len as u64);
            let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
            let count_max = fit.min(Batch::SEGMENTS_MAX - count).min(allowed);
            if len > longest || !same || count_max == 0 {
                break;
            }
            let run = self.send_run(now, &next, header, count_max);
            if run.count == 0 {
                break;
            }
            lent.push(run);
            (segment, stream) = (len, Some(next.id));
            size += len * run.count;
            count += run.count;
        }
        self.streams.end_turn(stream?);
        self.asked_at = if self.heard_at >= self.asked_at { now } else { self.asked_at };
        self.counted.datagrams_sent += count as u64;
        self.counted.bytes_sent += size as u64;
        Some(Transmit {
            destination: self.path.address(),
            source: None,
            ecn,
            size,
            segment_size: (count > 1).then_some(segment),
        })
    }

    /// Whether stream data is all that there is to send, and may leave now.
    pub(super) fn lends_only(&mut self, now: Instant) -> bool {
        if !self.streams.is_lending() {
            return false;
        }
        let more = self.ping
            || self.ack_wish.pending
            || self.recovery.is_probing()
            || self.acks.deadline().is_some_and(|at| at <= now)
            || self.streams.has_control()
            || self.has_ticket()
            // Repair packets are sums of what is written.
            || self.left_for_repair() > 0
            || self.datagrams.is_pending(usize::MAX)
            || self.path.has_response()
            || self.path.send_at().is_some_and(|at| at <= now);
        if more
            || !self.life.is_established()
            || self.speaks() != Speaks::Data
            || self.validation.budget() < u64::MAX
            || !self.has_room()
            || self.streams.next_slot().is_none()
        {
            return false;
        }
        let bytes = self.recovery.pmtud().packet_bytes();
        self.streams.set_slot_bytes(slot_bytes(bytes));
        let near = self.recovery.rtt().smoothed() < NEAR;
        self.streams.set_run_bytes(if near { RUN_BYTES_MAX as u64 } else { 0 });
        self.paced_until = self.recovery.pace(now).err();
        self.paced_until.is_none()
    }

    /// Puts headers before slots, and remembers that they left.
    fn send_run(
        &mut self,
        now: Instant,
        next: &NextSlot,
        header: usize,
        count_max: usize,
    ) -> LentRun {
        let (id, first, start) = (next.id, next.whole.number, next.whole.bytes.start);
        let payload = usize::try_from(next.whole.payload_bytes()).unwrap_or(usize::MAX);
        let join = match &mut self.join {
            Some(join) if join.tail_bytes() == payload => join,
            join => join.insert(Box::new(Join::new(payload))),
        };
        let mut head = Head::new(self.remote_id, id, start);
        let before = self.recovery.next();
        let recovery = &mut self.recovery;
        let below = varint::longer_from(start);
        let count = self.streams.take_slots(next, below, count_max, |start, space| {
            let from = space.head.len() - header;
            let bytes = &mut space.head[from..];
            bytes.copy_from_slice(head.at(recovery.next(), start));
            seal_head(bytes, space.code, join);
            let content =
                Content::Stream { id, bytes: start..start + space.len as u64, fin: false };
            recovery.on_sent(now, header + space.len, true, [content]);
        });
        let run = LentRun { stream: id, first, count, header };
        if self.recovery.tracer.is_on() {
            self.trace_run(before, &run);
        }
        run
    }

    fn trace_run(&mut self, first: u64, run: &LentRun) {
        let bytes: Vec<u8> = self.lent(run).flatten().copied().collect();
        for (number, packet) in (first..).zip(bytes.chunks(bytes.len() / run.count)) {
            self.trace_sent(number, true, false, packet);
        }
    }

    /// The packets of a run that was lent, in pieces of one or several.
    pub(super) fn lent(&self, run: &LentRun) -> impl Iterator<Item = &[u8]> {
        self.streams.packets(run.stream, run.first, run.count, run.header)
    }
}

/// The header of a data packet that holds bytes of a stream and nothing else. What differs between
/// packets that follow each other is put in its place.
struct Head {
    bytes: [u8; HEAD_BYTES_MAX],
    len: usize,
    offset_at: usize,
}

impl Head {
    fn new(to: ConnectionId, id: StreamId, offset: u64) -> Self {
        let mut bytes = [0; HEAD_BYTES_MAX];
        let mut writer = Writer::new(&mut bytes);
        Packet::Data { to, number: 0, frames: &[] }.encode(&mut writer);
        Frame::write_stream_header(id, offset, None, false, &mut writer);
        let len = writer.len();
        Self { bytes, len, offset_at: len - varint::len(offset) }
    }

    /// The header of the packet with this number, for bytes from `offset` on, a place that takes as
    /// many bytes as the first.
    fn at(&mut self, number: u64, offset: u64) -> &[u8] {
        self.bytes[DATA_HEADER_BYTES - 4..DATA_HEADER_BYTES]
            .copy_from_slice(&truncate_number(number).to_be_bytes());
        varint::encode(offset, &mut self.bytes[self.offset_at..self.len]);
        &self.bytes[..self.len]
    }
}

/// A data packet's header, and that of a stream's frame: its kind and two integers.
const HEAD_BYTES_MAX: usize = DATA_HEADER_BYTES + 1 + 8 + 8;
