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

#[cfg(test)]
mod tests {
    use super::{
        super::{
            LEAST_PACKETS, State,
            tests::{MSS, Path, RTT},
        },
        *,
    };
    use crate::transport::cc::{Controller, initial_window};

    /// The first rate comes from the window to begin with, whatever that is.
    #[test]
    fn a_window_to_begin_with_is_the_window_and_sets_the_first_rate() {
        for bytes in [64_000, 128_000] {
            let mut path = Path::new();
            path.bbr.begin_with(bytes);
            assert_eq!((path.bbr.window(), path.bbr.pacing_rate()), (bytes, None));
            path.round(MSS * 20);
            let first = rate(bytes, RTT) * 277 / 100;
            assert_eq!(path.bbr.pacing_rate(), Some(first));
            assert!(path.bbr.window() > bytes, "it grows from there");
        }
        let mut path = Path::new();
        path.bbr.begin_with(1);
        assert_eq!(path.bbr.window(), LEAST_PACKETS * MSS, "four packets keep ACKs coming");
    }

    /// The jump takes one round trip to leave, and never takes anything away.
    #[test]
    fn a_jump_widens_the_window_and_is_paced_over_a_round_trip() {
        let mut path = Path::new();
        path.round(MSS * 20);
        let (window, pace) = (path.bbr.window(), path.bbr.pacing_rate().unwrap());
        path.bbr.resume(1_000_000, RTT);
        assert_eq!(path.bbr.window(), 1_000_000);
        assert_eq!(path.bbr.pacing_rate(), Some(rate(1_000_000, RTT)));
        assert_eq!(path.bbr.state, State::Startup, "it is a longer step, not another state");
        let mut small = Path::new();
        small.round(MSS * 20);
        small.bbr.resume(MSS, RTT);
        assert_eq!((small.bbr.window(), small.bbr.pacing_rate()), (window, Some(pace)));
    }

    /// What the application did not fill was not tried.
    #[test]
    fn what_a_jump_did_not_use_is_given_back() {
        for (filled, left) in [(700_000, 700_000), (2_000_000, 1_000_000), (0, initial_window(MSS))]
        {
            let mut path = Path::new();
            path.round(MSS * 20);
            path.bbr.resume(1_000_000, RTT);
            path.bbr.settle(filled);
            assert_eq!(path.bbr.window(), left, "{filled} were filled");
        }
    }

    /// After a loss the rate is that of what arrived, not of what was hoped for.
    #[test]
    fn a_jump_too_far_falls_back_to_what_was_measured() {
        let mut path = Path::new();
        path.round(400_000);
        path.bbr.resume(1_000_000, RTT);
        let hoped = path.bbr.pacing_rate().unwrap();
        path.bbr.retreat(path.now(), 50_000);
        let measured = 400_000 * 277 / 100 * 99 / 100;
        assert_eq!(path.bbr.window(), 50_000);
        assert_eq!(path.bbr.pacing_rate(), Some(measured));
        assert!(measured < hoped / 10);
        // It goes on doubling from there.
        assert_eq!(path.bbr.state, State::Startup);
        (0..3).for_each(|doubled| path.round(800_000 << doubled));
        assert!(path.bbr.window() > 100_000);
    }

    /// Nothing has arrived yet: there is nothing to fall back to but the window.
    #[test]
    fn a_jump_that_nothing_is_known_of_keeps_its_rate() {
        let mut path = Path::new();
        path.bbr.resume(1_000_000, RTT);
        path.bbr.retreat(path.now(), 50_000);
        assert_eq!(path.bbr.window(), 50_000);
        assert_eq!(path.bbr.pacing_rate(), Some(rate(1_000_000, RTT)));
    }
}
