//! What a host has said and may say on one connection, as somebody at its socket sees it.

use alloc::{collections::BTreeMap, format, string::String};

use super::super::Invariant;
use crate::{
    transport::connection::Connection,
    wire::transport::{Frame, Params, Reader, StreamId, expand_number},
};

/// What an opener may send before it has heard of limits: see the transport's configuration.
const FIRST_FLIGHT: Params = Params {
    idle_timeout: core::time::Duration::ZERO,
    max_data: 14_720,
    max_stream_data: 14_720,
    max_streams: 1,
    max_ack_delay: core::time::Duration::ZERO,
    max_packet_bytes: Params::MIN_PACKET_BYTES as u64,
    max_datagram_bytes: 0,
    repair_window: 0,
    repair_percent: 0,
};

type Broken = (Invariant, String);

/// The limits of a peer, as far as it has told them.
#[derive(Debug)]
struct Limits {
    data: u64,
    stream: u64,
    streams: u64,
    of: BTreeMap<StreamId, u64>,
}

/// One side of one connection.
#[derive(Debug)]
pub(super) struct Line {
    acceptor: bool,
    /// The limits are those of an earlier connection.
    recalled: bool,
    /// A packet was repaired: what it said of limits passed nobody's socket.
    unseen: bool,
    next_number: u64,
    limits: Limits,
    /// How far each stream was sent, and the sum.
    sent: BTreeMap<StreamId, u64>,
    sent_bytes: u64,
    /// Bytes that left beyond the window.
    excess_bytes: u64,
}

impl Line {
    pub(super) fn new(acceptor: bool, params: Option<&Params>) -> Self {
        let Params { max_data, max_stream_data, max_streams, .. } =
            *params.unwrap_or(&FIRST_FLIGHT);
        Self {
            acceptor,
            recalled: !acceptor && params.is_some(),
            unseen: false,
            next_number: 0,
            limits: Limits {
                data: max_data,
                stream: max_stream_data,
                streams: max_streams,
                of: BTreeMap::new(),
            },
            sent: BTreeMap::new(),
            sent_bytes: 0,
            excess_bytes: 0,
        }
    }

    /// The peer did not take the ticket, and has kept nothing: its limits may be others.
    pub(super) fn forget_ticket(&mut self) {
        if core::mem::take(&mut self.recalled) {
            *self = Self { next_number: self.next_number, ..Self::new(false, None) };
        }
    }

    /// The connection found a packet that never arrived here, and may know of other limits.
    pub(super) fn hear_unseen(&mut self) {
        self.unseen = true;
    }

    /// The peer has told its first limits.
    pub(super) fn on_params(&mut self, params: &Params) {
        self.recalled = false;
        self.limits.data = self.limits.data.max(params.max_data);
        self.limits.stream = self.limits.stream.max(params.max_stream_data);
        self.limits.streams = self.limits.streams.max(params.max_streams);
    }

    /// A packet arrived whose checksum is right.
    pub(super) fn on_arrived(&mut self, frames: &[u8]) {
        for frame in Frame::each(frames) {
            match frame {
                Frame::MaxData(max) => self.limits.data = self.limits.data.max(max),
                Frame::MaxStreams(max) => self.limits.streams = self.limits.streams.max(max),
                Frame::MaxStreamData { id, max } => {
                    let limit = self.limits.of.entry(id).or_insert(0);
                    *limit = max.max(*limit);
                }
                _ => {}
            }
        }
    }

    /// A packet leaves: its number, whole or the low half, and its frames. Returns whether it wants
    /// to be acknowledged.
    pub(super) fn on_leaving(
        &mut self,
        number: Result<u64, u32>,
        frames: &[u8],
    ) -> Result<bool, Broken> {
        let number = number.unwrap_or_else(|low| expand_number(low, self.next_number));
        if number < self.next_number {
            let detail = format!("packet {number} leaves after packet {}", self.next_number - 1);
            return Err((Invariant::Numbers, detail));
        }
        self.next_number = number + 1;
        let mut reader = Reader::new(frames);
        let mut eliciting = false;
        while !reader.is_empty() {
            let Ok(frame) = Frame::decode(&mut reader) else {
                return Err((
                    Invariant::NoInvention,
                    "a packet leaves that nobody can read".into(),
                ));
            };
            eliciting |= frame.elicits_ack();
            match frame {
                Frame::Stream { id, offset, data, .. } => {
                    self.on_stream(id, offset + data.len() as u64)?;
                }
                Frame::ResetStream { id, final_size, .. } => self.on_stream(id, final_size)?,
                _ => {}
            }
        }
        Ok(eliciting)
    }

    fn on_stream(&mut self, id: StreamId, end: u64) -> Result<(), Broken> {
        if self.unseen {
            return Ok(());
        }
        let broken = |detail: String| Err((Invariant::FlowControl, detail));
        if id.by_acceptor() == self.acceptor && id.index() >= self.limits.streams {
            return broken(format!("{id} is used, {} are allowed", self.limits.streams));
        }
        let limit = self.limits.of.get(&id).copied().unwrap_or(0).max(self.limits.stream);
        if end > limit {
            return broken(format!("{id} is sent up to {end}, its window ends at {limit}"));
        }
        let sent = self.sent.entry(id).or_insert(0);
        if end > *sent {
            self.sent_bytes += end - *sent;
            *sent = end;
        }
        if self.sent_bytes > self.limits.data {
            let (sent, limit) = (self.sent_bytes, self.limits.data);
            return broken(format!("{sent} bytes of all streams, the window ends at {limit}"));
        }
        Ok(())
    }

    /// Packets left: what the connection says of itself before and after.
    pub(super) fn on_sent(&mut self, before: &Gauge, after: &Gauge) -> Result<(), Broken> {
        let grown = after.in_flight.saturating_sub(before.in_flight.max(before.window));
        self.excess_bytes += grown;
        // Each probe timeout lets two packets out (RFC 9002 section 6.2.4), and so does each move.
        let allowed = 2 * (after.probe_timeouts + after.moves) * after.packet_bytes;
        if self.excess_bytes > allowed {
            let Gauge { in_flight, window, .. } = after;
            let detail = format!(
                "{in_flight} bytes in flight and a window of {window}: {} bytes too many left, \
                 probes may be {allowed}",
                self.excess_bytes
            );
            return Err((Invariant::Congestion, detail));
        }
        Ok(())
    }
}

/// What a connection says of its window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gauge {
    pub(super) in_flight: u64,
    pub(super) window: u64,
    pub(super) probe_timeouts: u64,
    pub(super) moves: u64,
    pub(super) packet_bytes: u64,
}

impl Gauge {
    /// `promised` is the window that it was told to have, if it does not find its own.
    pub(super) fn of(connection: &Connection, packet_bytes: u64, promised: Option<u64>) -> Self {
        let recovery = connection.recovery();
        let window = recovery.window().max(recovery.controller().window());
        Self {
            in_flight: recovery.in_flight_bytes(),
            window: promised.unwrap_or(window),
            probe_timeouts: recovery.stats().probe_timeouts,
            moves: connection.stats().moves.into(),
            packet_bytes,
        }
    }
}
