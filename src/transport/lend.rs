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
    },
};
use alloc::{boxed::Box, vec::Vec};

/// Bytes of one run at most: what one message of the system can hold.
const RUN_BYTES_MAX: usize = 65_487;

/// A packet that lies in a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct LentPacket {
    /// Which stream.
    pub(super) stream: StreamId,
    /// Which of its slots, from the beginning.
    slot: u64,
    /// Bytes of its header.
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
        lent: &mut Vec<LentPacket>,
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
    fn lend(&mut self, now: Instant, lent: &mut Vec<LentPacket>) -> Option<Transmit> {
        if !self.lends_only(now) {
            return None;
        }
        let (ecn, longest) = (self.recovery.ecn().mark(), self.packet_bytes());
        let (mut size, mut count, mut segment) = (0, 0, 0);
        let mut stream = None;
        while count < Batch::SEGMENTS_MAX
            && self.has_room()
            && self.recovery.has_tokens()
            && self.recovery.ecn().mark() == ecn
        {
            let Some(next) = self.streams.next_slot() else { break };
            let header =
                DATA_HEADER_BYTES + Frame::last_stream_header(next.id, next.whole.bytes.start);
            let payload = next.whole.bytes.end - next.whole.bytes.start;
            let len = header + usize::try_from(payload).unwrap_or(usize::MAX);
            let fits = len <= longest && (count == 0 || size + len <= RUN_BYTES_MAX);
            let same = count == 0 || (len == segment && stream == Some(next.id));
            if !fits || !same || !self.send_slot(now, &next, header) {
                break;
            }
            lent.push(LentPacket { stream: next.id, slot: next.whole.number, header });
            (segment, stream) = (len, Some(next.id));
            size += len;
            count += 1;
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
    fn lends_only(&mut self, now: Instant) -> bool {
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
        self.paced_until = self.recovery.pace(now).err();
        self.paced_until.is_none()
    }

    /// Puts a header before a slot, and remembers that it left.
    fn send_slot(&mut self, now: Instant, next: &NextSlot, header: usize) -> bool {
        let NextSlot { id, whole } = next;
        let number = self.recovery.next();
        let Some(space) = self.streams.take_slot(next, header) else { return false };
        let head = space.head;
        let mut writer = Writer::new(head);
        write_head(self.remote_id, number, *id, whole.bytes.start, &mut writer);
        if self.join.as_ref().is_none_or(|join| join.tail_bytes() != space.len) {
            self.join = Some(Box::new(Join::new(space.len)));
        }
        if let Some(join) = &self.join {
            seal_head(head, space.code, join);
        }
        let len = header + space.len;
        let content = Content::Stream { id: *id, bytes: whole.bytes.clone(), fin: false };
        self.recovery.on_sent(now, len, true, [content]);
        if self.recovery.tracer.is_on() {
            let packet = self.streams.packet(*id, whole.number, header).to_vec();
            self.trace_sent(number, true, false, &packet);
        }
        true
    }

    /// The bytes of a packet that was lent.
    pub(super) fn lent(&self, packet: &LentPacket) -> &[u8] {
        self.streams.packet(packet.stream, packet.slot, packet.header)
    }
}

fn write_head(to: ConnectionId, number: u64, id: StreamId, offset: u64, writer: &mut Writer<'_>) {
    Packet::Data { to, number: truncate_number(number), frames: &[] }.encode(writer);
    Frame::write_stream_header(id, offset, None, false, writer);
}
