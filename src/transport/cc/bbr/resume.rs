//! Beginning with more than the initial window: because the application asks for it, or because an
//! earlier connection over the same path has left its figures (draft-ietf-tsvwg-careful-resume).
//!
//! The jump of careful resume does not leave startup. What the path bears of it shows in the delivery
//! rate like any other probe, and whether a loss in it means anything is weighed like any other loss.

use core::time::Duration;

use super::{Bbr, WINDOWS_PER_ROUND, rate};

impl Bbr {
    pub(super) fn begin(&mut self, bytes: u64) {
        self.first_window = bytes.max(self.least_window());
        self.window = self.first_window;
    }

    /// The jump: so many bytes, over a round trip.
    pub(super) fn jump(&mut self, bytes: u64, rtt: Duration) {
        self.window = self.window.max(bytes);
        self.pacing_rate = self.pacing_rate.max(rate(bytes, rtt));
        self.pacing_most = rate(self.window.saturating_mul(WINDOWS_PER_ROUND), rtt);
    }

    /// The end of the jump: what it did not fill of its window is given back.
    pub(super) fn end_jump(&mut self, bytes: u64) {
        self.window = self.window.min(bytes.max(self.first_window));
    }

    /// The jump was perhaps too far. What is sent from here on follows from what was measured.
    pub(super) fn fall_back(&mut self, bytes: u64) {
        self.end_jump(bytes);
        if self.model.max_bw.greatest() > 0 {
            self.pacing_rate = self.rate_with(self.state.gain());
        }
    }
}
