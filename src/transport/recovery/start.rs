//! How sending begins: what leaves before anything was heard, and what an earlier connection knew.

use alloc::boxed::Box;

use super::Recovery;
use crate::transport::{
    cc::initial_window,
    resume::{CarefulResume, KnownPath, Step},
    rtt::Rtt,
};

impl Recovery {
    /// The controller's window. What exceeds ten packets has to be paced, and there is nothing to pace
    /// by before a round trip is known.
    pub(super) fn first_window(&self) -> u64 {
        let known = self.rtt.is_known() || self.largest_acked.is_some();
        let window = self.controller.window();
        if known { window } else { window.min(initial_window(self.mss)) }
    }

    /// Begins with a window of so many bytes instead of the algorithm's own.
    pub(in crate::transport) fn begin_with(&mut self, bytes: u64) {
        self.controller.begin_with(bytes);
    }

    /// The packet that is being written asks for an ACK at once: the peer's delay need not be waited for.
    pub(in crate::transport) fn hurry(&mut self) {
        self.hurries[0] = true;
    }

    /// The path is known from an earlier connection.
    pub(in crate::transport) fn remember(&mut self, path: &KnownPath) {
        self.rtt = Rtt::remembered(path.rtt);
        self.resume = Some(Box::new(CarefulResume::new(*path)));
    }

    /// What is worth remembering of the path.
    pub(in crate::transport) fn known_path(&self) -> Option<KnownPath> {
        let rate = self.rate_max.filter(|_| self.rtt.is_measured())?;
        Some(KnownPath::of(&self.rtt, rate, self.controller.window()))
    }

    /// Uses what the path bore before, as soon as this connection has seen that it is the same path.
    pub(super) fn resume_on_ack(&mut self, bytes: u64, largest: u64) {
        let Some(resume) = &mut self.resume else { return };
        let (in_flight, next) = (self.ledger.in_flight_bytes(), self.ledger.next());
        let window = self.controller.window();
        match resume.on_ack(bytes, largest, next, &self.rtt, in_flight, window) {
            Some(Step::Jump(bytes)) => self.controller.resume(bytes, self.rtt.smoothed()),
            Some(Step::Settle(bytes)) => self.controller.settle(bytes),
            None => {}
        }
    }
}
