//! A connection over time: congestion window and bytes in flight, round trips, sequence, and what
//! held sending up, as one picture.
//!
//! ```
//! use rdtp::{capture::Plot, sim::World, time::Instant, rng::Seed, transport::{
//!     cookie::Secret, host::{Host, HostConfig, HostEvent},
//! }};
//!
//! let mut world = World::new();
//! let host = |n| Host::new(HostConfig::default(), Secret::new([n; 16]), Seed::new(n.into()));
//! let (a, b) = (world.add(host(1)?), world.add(host(2)?));
//! world.connect(a, b, &"delay=25ms".parse()?, Seed::new(7));
//! world.endpoint_mut(a).open(Instant::ZERO, World::address(1));
//! let mut plot = Plot::new("a handshake", a);
//! world.run(Instant::from_nanos(1_000_000_000), &mut plot, &mut |_, _, _: HostEvent, _: &mut Host| {});
//! assert!(plot.to_svg().starts_with("<svg"));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod draw;
mod series;

use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};
use core::time::Duration;

use series::{Series, Shares};

use crate::{
    buf::RangeSet,
    time::{Instant, nanos},
    trace::{
        FrameInfo, NodeId, Observer, Place, Record, TraceEvent,
        transport::{Limit, Phase, TransportEvent, Way},
    },
    wire::transport::{ConnectionId, StreamId},
};

/// An observer that draws the first connection of a node. It keeps a bounded number of points,
/// however long the run.
#[derive(Clone, Debug)]
pub struct Plot {
    title: String,
    node: NodeId,
    connection: Option<ConnectionId>,
    began: Instant,
    end: Instant,
    window: Series,
    in_flight: Series,
    ssthresh: Series,
    latest: Series,
    smoothed: Series,
    min: Series,
    sent: Series,
    acked: Series,
    again: Series,
    lost: Series,
    limits: Shares<5>,
    phases: Shares<11>,
    streams: BTreeMap<StreamId, Stream>,
    /// Bytes of all streams sent for the first time, and acknowledged without a gap.
    new_bytes: u64,
    acked_bytes: u64,
    counts: Counts,
    /// Where the packets on their way begin in the sequence, by number.
    places: BTreeMap<u64, u64>,
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    packets: u64,
    lost: u64,
    spurious: u64,
    again_bytes: u64,
    probe_timeouts: u64,
}

/// How a stream's bytes lie in the sequence of all streams.
#[derive(Clone, Debug)]
struct Stream {
    /// Bytes sent at least once.
    sent: u64,
    acked: RangeSet,
    /// From this offset on, a byte lies so far in the sequence.
    places: Vec<(u64, u64)>,
}

/// Packets whose place is remembered, at most.
const PLACES_MAX: usize = 1 << 16;

impl Stream {
    fn place(&self, offset: u64) -> u64 {
        let after = self.places.partition_point(|&(from, _)| from <= offset);
        let piece = after.checked_sub(1).and_then(|at| self.places.get(at));
        piece.map_or(offset, |&(from, place)| place + (offset - from))
    }

    /// Bytes from the start that are acknowledged without a gap.
    fn prefix(&self) -> u64 {
        self.acked.first().filter(|first| first.start == 0).map_or(0, |first| first.end)
    }
}

impl Plot {
    /// Nothing yet; of what `node` reports, its first connection will be drawn.
    pub fn new(title: &str, node: NodeId) -> Self {
        Self {
            title: title.to_string(),
            node,
            connection: None,
            began: Instant::ZERO,
            end: Instant::ZERO,
            window: Series::new(),
            in_flight: Series::new(),
            ssthresh: Series::new(),
            latest: Series::new(),
            smoothed: Series::new(),
            min: Series::new(),
            sent: Series::new(),
            acked: Series::new(),
            again: Series::new(),
            lost: Series::new(),
            limits: Shares::new(),
            phases: Shares::new(),
            streams: BTreeMap::new(),
            new_bytes: 0,
            acked_bytes: 0,
            counts: Counts::default(),
            places: BTreeMap::new(),
        }
    }

    /// The picture, which stands alone, for light and dark pages.
    pub fn to_svg(&self) -> String {
        draw::draw(self)
    }

    /// How long each limit held sending up, from the first event to the last, in the order of
    /// [`Limit::ALL`].
    pub fn limited(&self) -> [Duration; 5] {
        let mut limits = self.limits.clone();
        limits.pass(self.end);
        limits.totals().map(Duration::from_nanos)
    }

    /// Bytes of streams that were sent more than once.
    pub fn again_bytes(&self) -> u64 {
        self.counts.again_bytes
    }

    fn event(&mut self, at: Instant, event: &TransportEvent) {
        match *event {
            TransportEvent::Metrics { window_bytes, ssthresh_bytes, in_flight_bytes, .. } => {
                self.window.push(at, window_bytes);
                self.in_flight.push(at, in_flight_bytes);
                if let Some(bytes) = ssthresh_bytes {
                    self.ssthresh.push(at, bytes);
                }
            }
            TransportEvent::Rtt { latest, smoothed, min, .. } => {
                self.latest.push(at, nanos(latest));
                self.smoothed.push(at, nanos(smoothed));
                self.min.push(at, nanos(min));
            }
            TransportEvent::Limited { to, .. } => {
                let index = Limit::ALL.iter().position(|&limit| limit == to);
                self.limits.enter(at, index.unwrap_or(0));
            }
            TransportEvent::Phase { to, .. } => {
                let index = Phase::ALL.iter().position(|&phase| phase == to);
                self.phases.enter(at, index.unwrap_or(0));
            }
            TransportEvent::PacketSent { .. } => self.counts.packets += 1,
            TransportEvent::ProbeTimeout { .. } => self.counts.probe_timeouts += 1,
            TransportEvent::SpuriousLoss { .. } => self.counts.spurious += 1,
            TransportEvent::PacketLost { number, .. } => {
                self.counts.lost += 1;
                if let Some(place) = self.places.remove(&number) {
                    self.lost.push(at, place);
                }
            }
            TransportEvent::Frame {
                way: Way::Sent,
                number,
                frame: FrameInfo::Stream { id, offset, bytes, .. },
            } => self.sent(at, number, id, (offset, bytes.into())),
            TransportEvent::StreamAcked { id, offset, bytes, .. } => {
                self.acked(at, id, (offset, bytes));
            }
            _ => {}
        }
    }

    fn stream(&mut self, id: StreamId) -> &mut Stream {
        let new = || Stream { sent: 0, acked: RangeSet::new(usize::MAX), places: Vec::new() };
        self.streams.entry(id).or_insert_with(new)
    }

    fn sent(&mut self, at: Instant, number: u64, id: StreamId, (offset, bytes): (u64, u64)) {
        let (end, total) = (offset + bytes, self.new_bytes);
        let stream = self.stream(id);
        let new = end.saturating_sub(stream.sent.max(offset));
        if new > 0 {
            // The next piece of the same stream needs no entry of its own.
            if stream.place(stream.sent) != total || stream.places.is_empty() {
                stream.places.push((stream.sent, total));
            }
            stream.sent = end;
        }
        let place = stream.place(offset);
        self.new_bytes += new;
        if new > 0 {
            self.sent.push(at, self.new_bytes);
        }
        if new < bytes {
            self.counts.again_bytes += bytes - new;
            self.again.push(at, place);
        }
        self.places.insert(number, place);
        if self.places.len() > PLACES_MAX {
            self.places.pop_first();
        }
    }

    fn acked(&mut self, at: Instant, id: StreamId, (offset, bytes): (u64, u64)) {
        let stream = self.stream(id);
        let before = stream.prefix();
        // No bound of its own: what is acknowledged was sent, and the sender's buffer is bounded.
        stream.acked.insert(offset..offset + bytes).unwrap_or_default();
        let after = stream.prefix();
        if after > before {
            self.acked_bytes += after - before;
            self.acked.push(at, self.acked_bytes);
        }
    }
}

impl Observer for Plot {
    fn record(&mut self, record: &Record) {
        let TraceEvent::Transport { connection: Some(id), event } = record.event else { return };
        if record.place != Place::Node(self.node) {
            return;
        }
        if self.connection.is_none() {
            self.connection = Some(id);
            self.began = record.at;
            self.limits.begin(record.at);
            self.phases.begin(record.at);
        }
        if self.connection == Some(id) {
            self.end = record.at;
            self.event(record.at, &event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::transport::LossCause;

    fn told(plot: &mut Plot, ms: u64, event: TransportEvent) {
        let at = Instant::from_nanos(ms * 1_000_000);
        let event = TraceEvent::Transport { connection: Some(ConnectionId(1)), event };
        plot.record(&Record { at, place: Place::Node(NodeId(0)), event });
    }

    fn send(plot: &mut Plot, ms: u64, number: u64, id: u64, (offset, bytes): (u64, u32)) {
        let frame = FrameInfo::Stream { id: StreamId(id), offset, bytes, fin: false };
        told(plot, ms, TransportEvent::Frame { way: Way::Sent, number, frame });
    }

    fn last(series: &Series) -> Option<u64> {
        series.iter().last().map(|bucket| bucket.last)
    }

    /// Streams that take turns lie one after the other in the sequence, as they were sent.
    #[test]
    fn streams_share_one_sequence() {
        let mut plot = Plot::new("", NodeId(0));
        send(&mut plot, 1, 0, 0, (0, 100));
        send(&mut plot, 2, 1, 2, (0, 50));
        send(&mut plot, 3, 2, 0, (100, 100));
        assert_eq!((plot.new_bytes, last(&plot.sent)), (250, Some(250)));
        let cause = LossCause::Packets;
        told(&mut plot, 4, TransportEvent::PacketLost { number: 2, bytes: 120, cause });
        assert_eq!(last(&plot.lost), Some(150), "after the first of both streams");
        send(&mut plot, 5, 3, 0, (100, 100));
        assert_eq!((plot.again_bytes(), last(&plot.again)), (100, Some(150)));
        let acked = |offset, bytes| TransportEvent::StreamAcked {
            id: StreamId(0),
            offset,
            bytes,
            fin: false,
        };
        told(&mut plot, 6, acked(100, 100));
        assert_eq!(plot.acked_bytes, 0, "there is a gap before it");
        told(&mut plot, 7, acked(0, 100));
        told(&mut plot, 7, acked(100, 100));
        assert_eq!((plot.acked_bytes, last(&plot.acked)), (200, Some(200)));
    }

    #[test]
    fn other_nodes_and_connections_are_left_out() {
        let mut plot = Plot::new("", NodeId(1));
        send(&mut plot, 1, 0, 0, (0, 100));
        assert_eq!((plot.new_bytes, plot.connection), (0, None));
        let limited = TransportEvent::Limited { from: Limit::Application, to: Limit::Pacing };
        let mut plot = Plot::new("", NodeId(0));
        told(&mut plot, 10, limited);
        told(&mut plot, 25, TransportEvent::CutUndone);
        assert_eq!(plot.limited().map(|time| time.as_millis()), [0, 0, 0, 15, 0]);
    }
}
