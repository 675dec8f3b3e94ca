//! What others may ask of recovery.

use super::{
    super::{cc::Controller, loss::LossDetector},
    Recovery, RecoveryStats,
};
use crate::trace::transport::Phase;

impl Recovery {
    /// The congestion control.
    pub fn controller(&self) -> &dyn Controller {
        &*self.controller
    }

    /// The bounds that decide about losses.
    pub const fn loss(&self) -> &LossDetector {
        &self.loss
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
