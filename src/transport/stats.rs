//! What a connection counts, and how it is doing.

use core::time::Duration;

use super::{connection::Connection, pmtud::MtuStats};
pub use crate::trace::transport::{EcnState, Limit};

/// Counters of recovery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecoveryStats {
    /// Packets that wanted to be acknowledged.
    pub sent_packets: u64,
    /// Packets declared lost.
    pub lost_packets: u64,
    /// Of these, packets that arrived after all.
    pub spurious_packets: u64,
    /// Times that the window was cut.
    pub congestion_events: u64,
    /// Cuts that were taken back.
    pub undone_events: u64,
    /// Probe timeouts.
    pub probe_timeouts: u64,
    /// Bytes acknowledged, whole packets.
    pub delivered_bytes: u64,
}

/// A snapshot of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Smoothed round-trip time, SRTT.
    pub srtt: Duration,
    /// Its mean deviation, RTTVAR.
    pub rttvar: Duration,
    /// The least round trip.
    pub rtt_min: Duration,
    /// The last round trip.
    pub rtt_latest: Duration,
    /// The congestion window, cwnd.
    pub window_bytes: u64,
    /// The slow-start threshold, ssthresh; `u64::MAX` before the first congestion.
    pub ssthresh_bytes: u64,
    /// Bytes of packets on their way.
    pub in_flight_bytes: u64,
    /// Rate at which packets leave.
    pub pacing_bytes_per_second: u64,
    /// Rate at which packets were last seen to arrive, whole packets; 0 before it was measured.
    pub delivery_bytes_per_second: u64,
    /// What is known of how the path treats ECN marks.
    pub ecn: EcnState,
    /// Packets that the peer has seen marked with congestion.
    pub ce_packets: u64,
    /// How often the peer has moved to another address, or this side has said that it has.
    pub moves: u32,
    /// How long packets may be now, UDP payload.
    pub packet_bytes: usize,
    /// What the search for the path's MTU counted.
    pub mtu: MtuStats,
    /// What holds sending up now.
    pub limited_by: Limit,
    /// Datagrams sent, UDP.
    pub datagrams_sent: u64,
    /// Bytes sent, UDP payload.
    pub bytes_sent: u64,
    /// Bytes of streams sent for the first time.
    pub stream_bytes_sent: u64,
    /// Bytes of streams sent again.
    pub stream_bytes_resent: u64,
    /// Datagrams received and taken, UDP.
    pub datagrams_received: u64,
    /// Bytes received and taken, UDP payload.
    pub bytes_received: u64,
    /// Datagrams that held nothing new.
    pub copies_received: u64,
    /// Repair packets sent.
    pub repairs_sent: u64,
    /// Packets that were found with the help of repair packets before they were sent again.
    pub packets_repaired: u64,
    /// What recovery counted.
    pub recovery: RecoveryStats,
}

/// What a connection itself counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) datagrams_sent: u64,
    pub(super) bytes_sent: u64,
    pub(super) datagrams_received: u64,
    pub(super) bytes_received: u64,
    pub(super) copies_received: u64,
    /// Moves of this side that were announced.
    pub(super) moves: u32,
}

impl Connection {
    /// What was counted, and how things are.
    pub fn stats(&self) -> Stats {
        let rtt = self.recovery.rtt();
        Stats {
            srtt: rtt.smoothed(),
            rttvar: rtt.variance(),
            rtt_min: rtt.min(),
            rtt_latest: rtt.latest(),
            window_bytes: self.recovery.controller().window(),
            ssthresh_bytes: self.recovery.controller().ssthresh(),
            in_flight_bytes: self.recovery.in_flight_bytes(),
            pacing_bytes_per_second: self.recovery.pacing_rate(),
            delivery_bytes_per_second: self
                .recovery
                .delivery_rate()
                .map_or(0, |rate| rate.bytes_per_second),
            ecn: self.recovery.ecn().state(),
            ce_packets: self.recovery.ecn().ce_packets(),
            moves: self.path.moves() + self.counted.moves,
            packet_bytes: self.recovery.pmtud().packet_bytes(),
            mtu: *self.recovery.pmtud().stats(),
            limited_by: self.held_up_by().unwrap_or(Limit::Application),
            recovery: *self.recovery.stats(),
            repairs_sent: self.repairing.sent(),
            packets_repaired: self.repairing.found(),
            stream_bytes_sent: self.streams.sent_bytes(),
            stream_bytes_resent: self.streams.resent_bytes(),
            datagrams_sent: self.counted.datagrams_sent,
            bytes_sent: self.counted.bytes_sent,
            datagrams_received: self.counted.datagrams_received,
            bytes_received: self.counted.bytes_received,
            copies_received: self.counted.copies_received,
        }
    }
}
