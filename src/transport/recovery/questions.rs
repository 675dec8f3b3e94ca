//! What can be asked of recovery.

use super::Recovery;
use crate::{
    time::Instant,
    trace::transport::Phase,
    transport::{
        cc::Controller, delivery::RateSample, loss::LossDetector, recovery::RecoveryStats, rtt::Rtt,
    },
};

impl Recovery {
    /// Whether probes are due.
    pub const fn is_probing(&self) -> bool {
        self.probes > 0
    }

    /// The round trip.
    pub const fn rtt(&self) -> &Rtt {
        &self.rtt
    }

    /// The last rate that the path was seen to deliver at; `None` before the first.
    pub const fn delivery_rate(&self) -> Option<RateSample> {
        self.rate
    }

    /// Bytes on their way.
    pub const fn in_flight_bytes(&self) -> u64 {
        self.ledger.in_flight_bytes()
    }

    /// Packets that are not settled, and the bytes of memory that they take.
    pub fn unsettled(&self) -> (usize, usize) {
        (
            self.ledger.len(),
            self.ledger.memory_bytes() + self.known.memory_bytes() + self.pmtud.memory_bytes(),
        )
    }

    /// Gives back the memory that only traffic needs.
    pub(in crate::transport) fn shrink(&mut self) {
        self.ledger.shrink();
        self.known.shrink();
    }

    /// The congestion control.
    pub fn controller(&self) -> &dyn Controller {
        &*self.controller
    }

    /// The bounds that decide about losses.
    pub const fn loss(&self) -> &LossDetector {
        &self.loss
    }

    /// Numbers that were left out.
    pub fn skipped(&self) -> u32 {
        self.skips.map_or(0, |skips| skips.count())
    }

    /// When a packet last left that wants to be acknowledged.
    pub const fn last_eliciting_at(&self) -> Instant {
        self.last_eliciting_at
    }

    /// What was counted.
    pub const fn stats(&self) -> &RecoveryStats {
        &self.stats
    }

    /// Where congestion control is.
    pub fn phase(&self) -> Phase {
        if self.prr.is_some() { Phase::Recovery } else { self.controller.phase() }
    }
}
