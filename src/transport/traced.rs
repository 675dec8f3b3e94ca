//! What a connection reports: packets as they pass, and whatever is different afterwards.
//!
//! Events of recovery are recorded where they happen. State, limits and metrics change in many
//! places, and a trace needs what came of it: they are compared when events are fetched.

use alloc::boxed::Box;
use core::time::Duration;

use super::{connection::Connection, recovery::Recovery, stream::StreamEvent};
use crate::{
    trace::{
        FrameInfo, FrameKinds,
        transport::{
            EcnState, Limit, LossCause, PacketKind, Phase, StreamChange, TransportEvent, Way,
        },
    },
    wire::transport::{Frame, Packet, StreamId},
};

/// What was last reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    state: &'static str,
    phase: Phase,
    limit: Limit,
    ecn: EcnState,
    packet_bytes: u32,
    /// Window, threshold, bytes in flight, pacing rate.
    metrics: [u64; 4],
}

impl Connection {
    /// Starts or stops recording what happens inside; see [`poll_trace`](Self::poll_trace).
    pub fn set_tracing(&mut self, on: bool) {
        let was_on = self.recovery.tracer.is_on();
        self.recovery.tracer.set(on);
        if on && !was_on {
            let state = self.life().name();
            let (peer, remote, accepted) = (self.peer(), self.remote_id(), self.acceptor);
            self.trace(|| TransportEvent::Started { peer, remote, accepted, state });
            let ecn = self.recovery.ecn().state();
            let packet_bytes = length(self.recovery.pmtud().packet_bytes());
            let phase = Phase::SlowStart;
            let told = Told { state, phase, ecn, packet_bytes, ..Told::default() };
            self.told = Some(Box::new(told));
        }
    }

    /// The next recorded step, when tracing is on. Fetch them after every call.
    pub fn poll_trace(&mut self) -> Option<TransportEvent> {
        if !self.recovery.tracer.is_on() {
            return None;
        }
        if let Some(event) = self.recovery.tracer.take() {
            return Some(event);
        }
        self.trace_changes();
        self.recovery.tracer.take()
    }

    pub(super) fn trace(&mut self, event: impl FnOnce() -> TransportEvent) {
        self.recovery.tracer.emit(event);
    }

    /// A packet has been written, and is about to leave.
    pub(super) fn trace_sent(
        &mut self,
        number: u64,
        eliciting: bool,
        probe: bool,
        datagram: &[u8],
    ) {
        if !self.recovery.tracer.is_on() {
            return;
        }
        let Ok(packet) = Packet::decode(datagram) else { return };
        let (kind, bytes) = (PacketKind::of(&packet), length(datagram.len()));
        let frames = kinds(&packet);
        self.trace(|| TransportEvent::PacketSent { number, kind, bytes, eliciting, probe, frames });
        self.trace_frames(Way::Sent, number, &packet);
    }

    /// A packet has arrived that is meant for this connection.
    pub(super) fn trace_arrival(&mut self, packet: &Packet<'_>, bytes: usize) {
        if !self.recovery.tracer.is_on() {
            return;
        }
        let (kind, bytes) = (PacketKind::of(packet), length(bytes));
        match self.number_of(packet) {
            None => self.trace(|| TransportEvent::Heard { kind, bytes }),
            Some(number) if self.acks.is_copy(number) => {}
            Some(number) => {
                let frames = kinds(packet);
                self.trace(|| TransportEvent::PacketReceived { number, kind, bytes, frames });
                self.trace_frames(Way::Received, number, packet);
            }
        }
    }

    pub(super) fn trace_stream(&mut self, id: StreamId, change: StreamChange) {
        self.trace(|| TransportEvent::Stream { id, change });
    }

    /// The application is told something about a stream.
    pub(super) fn trace_stream_event(&mut self, event: &StreamEvent) {
        match *event {
            StreamEvent::Opened(id) => self.trace_stream(id, StreamChange::OpenedByPeer),
            StreamEvent::Finished(id) => self.trace_stream(id, StreamChange::Finished),
            StreamEvent::Stopped(id, code) => self.trace_stream(id, StreamChange::Stopped(code)),
            StreamEvent::Readable(_) | StreamEvent::Writable(_) | StreamEvent::Openable => {}
        }
    }

    fn trace_frames(&mut self, way: Way, number: u64, packet: &Packet<'_>) {
        for frame in frames(packet) {
            for frame in FrameInfo::all_of(&frame) {
                self.trace(|| TransportEvent::Frame { way, number, frame });
            }
        }
    }

    /// The whole number of a packet from the peer; `None` when its kind has none of its own.
    pub(super) fn number_of(&self, packet: &Packet<'_>) -> Option<u64> {
        match *packet {
            Packet::Data { number, .. } => Some(self.whole_number(number)),
            Packet::Open { greeting, .. } | Packet::Accept { greeting, .. } => {
                Some(greeting.number)
            }
            _ => None,
        }
    }

    /// Reports what is not as it was.
    fn trace_changes(&mut self) {
        let Some(told) = self.told.as_deref().copied() else { return };
        let (state, reason) = (self.life().name(), self.life().reason());
        if state != told.state {
            self.trace(|| TransportEvent::State { from: told.state, to: state, reason });
        }
        let phase = self.recovery.phase();
        if phase != told.phase {
            self.trace(|| TransportEvent::Phase { from: told.phase, to: phase });
        }
        let controller = self.recovery.controller();
        let (window_bytes, ssthresh) = (controller.window(), controller.ssthresh());
        let in_flight_bytes = self.recovery.in_flight_bytes();
        let pacing_rate = self.recovery.pacing_rate();
        let metrics = [window_bytes, ssthresh, in_flight_bytes, pacing_rate];
        if metrics != told.metrics {
            let ssthresh_bytes = Some(ssthresh).filter(|&bytes| bytes < u64::MAX);
            self.trace(|| TransportEvent::Metrics {
                window_bytes,
                ssthresh_bytes,
                in_flight_bytes,
                pacing_rate,
            });
        }
        let ecn = self.recovery.ecn().state();
        if ecn != told.ecn {
            self.trace(|| TransportEvent::Ecn { from: told.ecn, to: ecn });
        }
        let packet_bytes = length(self.recovery.pmtud().packet_bytes());
        if packet_bytes != told.packet_bytes {
            self.trace(|| TransportEvent::Mtu { from: told.packet_bytes, to: packet_bytes });
        }
        // While packets can leave, it is not yet known what will stop them.
        let limit = self.held_up_by().unwrap_or(told.limit);
        if limit != told.limit {
            self.trace(|| TransportEvent::Limited { from: told.limit, to: limit });
        }
        if let Some(told) = &mut self.told {
            **told = Told { state, phase, limit, ecn, packet_bytes, metrics };
        }
    }
}

impl Recovery {
    pub(super) fn trace_rtt(&mut self, delay_max: Duration) {
        let rtt = *self.rtt();
        self.tracer.emit(|| TransportEvent::Rtt {
            latest: rtt.latest(),
            smoothed: rtt.smoothed(),
            variance: rtt.variance(),
            min: rtt.min(),
            pto: rtt.pto() + delay_max,
        });
    }

    pub(super) fn trace_lost(&mut self, lost: &[u64], known: Option<LossCause>) {
        if !self.tracer.is_on() {
            return;
        }
        for &number in lost {
            let bytes = self.ledger.get(number).map_or(0, |(sent, _)| sent.bytes);
            let ahead = self.largest_acked.map_or(0, |largest| largest.saturating_sub(number));
            let cause = if let Some(cause) = known {
                cause
            } else if ahead >= self.loss().packet_threshold() {
                LossCause::Packets
            } else {
                LossCause::Time
            };
            self.tracer.emit(|| TransportEvent::PacketLost { number, bytes, cause });
        }
    }
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn frames<'a>(packet: &Packet<'a>) -> impl Iterator<Item = Frame<'a>> + use<'a> {
    let frames = match *packet {
        Packet::Data { frames, .. }
        | Packet::Open { frames, .. }
        | Packet::Accept { frames, .. } => frames,
        _ => &[],
    };
    Frame::each(frames)
}

fn kinds(packet: &Packet<'_>) -> FrameKinds {
    let mut kinds = FrameKinds::default();
    frames(packet).for_each(|frame| kinds.insert(&FrameInfo::of(&frame)));
    kinds
}
