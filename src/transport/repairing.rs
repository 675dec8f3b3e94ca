//! Repair packets of a connection: when they leave, and what becomes of those that arrive.

use alloc::boxed::Box;

use super::{
    config::Config,
    connection::Connection,
    inbound::{Refusal, nobody},
    repair::{OVERHEAD_BYTES, RepairReceiver, RepairSender, summand},
};
use crate::{
    time::Instant,
    wire::transport::{Frame, Params, Reader, Writer},
};

/// Both directions of repair, each there only where it is used.
#[derive(Debug, Default)]
pub(super) struct Repairing {
    send: Option<Box<RepairSender>>,
    recv: Option<Box<RepairReceiver>>,
}

impl Repairing {
    /// Whether a repair packet waits to leave.
    pub(super) fn is_leaving(&self) -> bool {
        self.send.as_ref().is_some_and(|send| send.is_leaving())
    }

    /// Repairs nothing of what has left so far.
    pub(super) fn abandon(&mut self) {
        if let Some(send) = &mut self.send {
            send.abandon();
        }
    }

    /// Whether the peer may send repair packets, and what arrives is kept for them.
    pub(super) const fn is_receiving(&self) -> bool {
        self.recv.is_some()
    }

    /// Whether the packet of this number was found before it arrived.
    pub(super) fn was_found(&self, number: u64) -> bool {
        self.recv.as_ref().is_some_and(|recv| recv.was_repaired(number))
    }

    /// Repair packets sent.
    pub(super) fn sent(&self) -> u64 {
        self.send.as_ref().map_or(0, |send| send.sent())
    }

    /// Packets found.
    pub(super) fn found(&self) -> u64 {
        self.recv.as_ref().map_or(0, |recv| recv.count())
    }

    /// Bytes of memory that it holds beside itself.
    pub(super) fn memory_bytes(&self) -> usize {
        let send = self.send.as_ref().map(|send| size_of::<RepairSender>() + send.memory_bytes());
        let recv = self.recv.as_ref().map(|recv| size_of::<RepairReceiver>() + recv.memory_bytes());
        send.unwrap_or(0) + recv.unwrap_or(0)
    }
}

/// Packets of a flight whose end is worth an ACK of its own.
const FLIGHT_PACKETS_MIN: u64 = 3;

impl Connection {
    /// The peer has told how much it remembers, and whether there will be a use for remembering.
    pub(super) fn agree_on_repair(&mut self, params: &Params) {
        let Config { repair_percent, repair_window_bytes, packet_bytes, .. } = *self.config;
        let Repairing { send, recv } = &mut self.repairing;
        if repair_percent > 0 && params.repair_window > 0 && send.is_none() {
            let new = RepairSender::new(repair_percent, packet_bytes, params.repair_window);
            *send = Some(Box::new(new));
        }
        if params.repair_percent > 0 && repair_window_bytes > 0 && recv.is_none() {
            *recv = Some(Box::new(RepairReceiver::new(repair_window_bytes)));
        }
    }

    /// Whether a packet that is being written ends a flight of more than a few.
    pub(super) fn is_end_of_flight(&self) -> bool {
        let long = FLIGHT_PACKETS_MIN * self.config.packet_bytes as u64;
        self.life.is_established()
            && self.recovery.in_flight_bytes() >= long
            && !self.streams.has_data()
    }

    /// A packet of the application's data, or of what has to do with it, was written.
    pub(super) fn repair_on_sent(&mut self, number: u64, datagram: &[u8], worth: bool) {
        let Some(send) = self.repairing.send.as_mut().filter(|_| self.life.is_established()) else {
            return;
        };
        send.on_sent(number, summand(datagram), worth);
        let window = self.recovery.window();
        let full = send.is_full() && self.streams.is_unsent_within(window);
        if !self.streams.has_data() || full {
            let stats = self.recovery.stats();
            let lost = stats.lost_packets.saturating_sub(stats.spurious_packets);
            send.finish(lost, stats.sent_packets);
        }
    }

    /// Whether the next packet that leaves is a repair packet. Probes go first.
    pub(super) fn is_repairing(&self) -> bool {
        self.repairing.is_leaving() && !self.recovery.is_probing()
    }

    /// Bytes that data packets leave free, so that a repair packet is no longer than the path bears.
    pub(super) fn left_for_repair(&self) -> usize {
        let on = self.repairing.send.is_some() && self.life.is_established();
        if on { OVERHEAD_BYTES } else { 0 }
    }

    /// Writes the next repair frame; whether there was one.
    pub(super) fn write_repair(&mut self, writer: &mut Writer<'_>) -> bool {
        let number = self.recovery.next();
        let send = self.repairing.send.as_mut();
        let Some(frame) = send.and_then(|send| send.next(number)) else { return false };
        let fits = frame.encoded_len() <= writer.room();
        if fits {
            frame.encode(writer);
        }
        if fits && !self.repairing.is_leaving() && self.is_end_of_flight() && writer.room() > 0 {
            Frame::ImmediateAck.encode(writer);
            self.recovery.hurry();
        }
        fits
    }

    /// Keeps what arrived, and hears what follows from it.
    pub(super) fn remember_for_repair(&mut self, now: Instant, number: u64, frames: &[u8]) {
        let Some(recv) = self.repairing.recv.as_mut().filter(|_| self.life.is_alive()) else {
            return;
        };
        let mut sums = false;
        for frame in Frame::each(frames) {
            if let Frame::Repair { behind, span, stride, sum } = frame
                && let Some(first) = number.checked_sub(behind)
            {
                sums = true;
                let acks = &self.acks;
                let has_arrived = |number| acks.is_copy(number);
                recv.on_repair((first, span, stride), sum, has_arrived);
            }
        }
        if !sums {
            recv.on_packet(number, frames);
        }
        while self.life.is_alive()
            && let Some((number, frames)) =
                self.repairing.recv.as_mut().and_then(|recv| recv.poll())
        {
            let heard = self.hear_repaired(now, &frames);
            if let Some(recv) = self.repairing.recv.as_mut().filter(|_| heard) {
                recv.on_heard(number);
            }
        }
    }

    /// Takes the frames of a packet that did not arrive. It is not acknowledged, so that its loss
    /// counts (RFC 9265 section 5). Whether all of them were taken.
    fn hear_repaired(&mut self, now: Instant, frames: &[u8]) -> bool {
        let mut reader = Reader::new(frames);
        let mut datagrams = false;
        while !reader.is_empty() {
            let Ok(frame) = Frame::decode(&mut reader) else { return false };
            datagrams |= matches!(frame, Frame::Datagram(_));
            match self.handle_frame(now, &frame, &mut nobody) {
                Ok(()) => {}
                Err(Refusal::Fault(code, reason)) => {
                    self.close_with(now, code, reason.as_bytes());
                    return false;
                }
                Err(_) => return false,
            }
        }
        if datagrams {
            self.take_datagrams(frames);
        }
        true
    }
}
