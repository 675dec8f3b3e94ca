//! What others may ask of recovery.

use super::{
    super::{cc::Controller, loss::LossDetector},
    Recovery, RecoveryStats,
};
use crate::{time::Instant, trace::transport::Phase};

impl Recovery {
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
