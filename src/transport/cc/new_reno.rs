//! NewReno as RFC 9002 section 7 and appendix B write it down.

use core::time::Duration;

use super::{
    AckSample, Controller, HyStart, MIN_WINDOW_PACKETS, Phase, history::History, initial_window,
};
use crate::time::Instant;

/// Additive increase, multiplicative decrease: a packet more each round trip, half at a loss.
#[derive(Clone, Debug)]
pub struct NewReno {
    mss: u64,
    window: u64,
    ssthresh: u64,
    /// Bytes acknowledged since the window last grew by a packet.
    acked: u64,
    hystart: HyStart,
    /// Window and threshold before the last congestion events.
    before: History<(u64, u64)>,
}

impl NewReno {
    /// The initial window for packets of `mss` bytes.
    pub fn new(mss: u64) -> Self {
        Self {
            mss,
            window: initial_window(mss),
            ssthresh: u64::MAX,
            acked: 0,
            hystart: HyStart::default(),
            before: History::new(),
        }
    }

    fn floor(&self) -> u64 {
        MIN_WINDOW_PACKETS * self.mss
    }
}

impl Controller for NewReno {
    fn name(&self) -> &'static str {
        "newreno"
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn ssthresh(&self) -> u64 {
        self.ssthresh
    }

    fn phase(&self) -> Phase {
        self.hystart.phase(self.window < self.ssthresh)
    }

    fn on_ack(&mut self, ack: &AckSample) {
        if ack.flight.app_limited {
            return;
        }
        if self.window < self.ssthresh {
            let growth = self.hystart.on_ack(ack);
            self.window += growth;
            if self.hystart.is_over() {
                self.ssthresh = self.window;
            }
            return;
        }
        // A packet for each window of acknowledged bytes (RFC 9002 section 7.3.3).
        self.acked += ack.growth_bytes;
        if self.acked >= self.window {
            self.acked -= self.window;
            self.window += self.mss;
        }
    }

    fn on_congestion(&mut self, _: Instant, _: u64) {
        self.before.push((self.window, self.ssthresh));
        // The part of a packet that has grown is halved like the rest: thrown away, it would be half
        // a packet at every loss, which is much of a small window.
        let grown = self.window + self.mss * self.acked.min(self.window) / self.window;
        self.window = (grown / 2).max(self.floor());
        self.ssthresh = self.window;
        self.acked = 0;
    }

    fn on_persistent_congestion(&mut self, _: Instant) {
        self.window = self.floor();
        self.acked = 0;
        self.hystart = HyStart::default();
        self.before = History::new();
    }

    fn set_mss(&mut self, mss: u64) {
        self.mss = mss;
        self.window = self.window.max(self.floor());
    }

    fn begin_with(&mut self, bytes: u64) {
        self.window = bytes.max(self.floor());
    }

    fn resume(&mut self, bytes: u64, _: Duration) {
        self.window = self.window.max(bytes);
    }

    fn settle(&mut self, bytes: u64) {
        self.window = self.window.min(bytes.max(initial_window(self.mss)));
    }

    fn retreat(&mut self, _: Instant, bytes: u64) {
        // The window before the jump was far below: there is nothing to return to.
        self.before = History::new();
        self.window = (bytes / 2).max(self.floor());
        self.ssthresh = self.window;
        self.acked = 0;
    }

    fn on_undo(&mut self, _: Instant) {
        if let Some((window, ssthresh)) = self.before.pop() {
            self.window = self.window.max(window);
            self.ssthresh = ssthresh;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::cc::tests::{ack, resting, rounds};

    const MSS: u64 = 1000;

    #[test]
    fn doubles_then_adds_a_packet_a_round_and_halves() {
        let mut reno = NewReno::new(MSS);
        assert_eq!(reno.window(), 10 * MSS);
        rounds(&mut reno, 2, 50);
        assert_eq!(reno.window(), 40 * MSS);
        reno.on_congestion(Instant::ZERO, 0);
        assert_eq!((reno.window(), reno.ssthresh()), (20 * MSS, 20 * MSS));
        rounds(&mut reno, 10, 50);
        assert_eq!(reno.window(), 30 * MSS);
    }

    #[test]
    fn a_part_of_a_packet_counts_at_a_loss() {
        let mut reno = NewReno::new(MSS);
        reno.on_congestion(Instant::ZERO, 0);
        reno.on_ack(&ack(0, 4 * MSS, 50));
        assert_eq!(reno.window(), 5 * MSS, "four fifths of a window are not a packet yet");
        reno.on_congestion(Instant::ZERO, 0);
        assert_eq!(reno.window(), 2_900, "half of 5.8 packets");
    }

    #[test]
    fn an_undone_loss_leaves_no_trace() {
        let mut reno = NewReno::new(MSS);
        rounds(&mut reno, 2, 50);
        reno.on_congestion(Instant::ZERO, 0);
        reno.on_undo(Instant::ZERO);
        assert_eq!((reno.window(), reno.ssthresh()), (40 * MSS, u64::MAX));
        reno.on_undo(Instant::ZERO);
        assert_eq!(reno.window(), 40 * MSS, "once");
    }

    /// draft-ietf-tsvwg-careful-resume: a jump, what it left unused, and a jump too far.
    #[test]
    fn a_jump_is_settled_or_taken_back() {
        let mut reno = NewReno::new(MSS);
        reno.resume(80 * MSS, Duration::from_millis(50));
        assert_eq!(reno.window(), 80 * MSS);
        reno.settle(30 * MSS);
        assert_eq!((reno.window(), reno.ssthresh()), (30 * MSS, u64::MAX));
        reno.retreat(Instant::ZERO, 40 * MSS);
        assert_eq!((reno.window(), reno.ssthresh()), (20 * MSS, 20 * MSS));
        reno.on_undo(Instant::ZERO);
        assert_eq!(reno.window(), 20 * MSS, "there is nothing to return to");
    }

    #[test]
    fn an_idle_application_proves_nothing() {
        let mut reno = NewReno::new(MSS);
        reno.on_ack(&resting(ack(0, 5 * MSS, 50)));
        assert_eq!(reno.window(), 10 * MSS);
    }

    #[test]
    fn never_below_two_packets() {
        let mut reno = NewReno::new(MSS);
        (0..20).for_each(|_| reno.on_congestion(Instant::ZERO, 0));
        assert_eq!(reno.window(), 2 * MSS);
        reno.on_persistent_congestion(Instant::ZERO);
        assert_eq!(reno.window(), 2 * MSS);
    }
}
