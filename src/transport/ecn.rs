//! Whether the path and the peer bear explicit congestion notification (RFC 9000 section 13.4 and
//! appendix A.4), and what they report.
//!
//! The first packets of a path are marked ECT(0). Routers change that into CE instead of dropping a
//! packet, and the peer counts what arrives. Only when its counts fit what was sent, marks go on, and
//! an increase of CE means congestion. A path that clears marks, changes them, loses what is marked,
//! or marks everything, is used without.

pub use crate::trace::transport::EcnState;
use crate::{ecn::Ecn, wire::transport::EcnCounts};

/// Packets that are marked before the first report is waited for (RFC 9000 appendix A.4).
const TEST_PACKETS: u32 = 10;

/// Packets that arrived marked ECT(0) and CE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Marks {
    ect0: u64,
    ce: u64,
}

/// What is known of a path's treatment of marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EcnPath {
    state: EcnState,
    /// Marked packets that were sent.
    sent: u64,
    /// Marked packets that were sent on this path before its test was over, and of these were lost.
    tested: u32,
    lost: u32,
    /// What the peer last reported, and what it had reported before this path.
    counts: Marks,
    base: Marks,
    /// The peer is silent: perhaps somebody drops what is marked.
    paused: bool,
}

impl EcnPath {
    /// Nothing known; nothing is ever marked unless `wanted`.
    pub const fn new(wanted: bool) -> Self {
        let state = if wanted { EcnState::Testing } else { EcnState::Off };
        Self {
            state,
            sent: 0,
            tested: 0,
            lost: 0,
            counts: Marks { ect0: 0, ce: 0 },
            base: Marks { ect0: 0, ce: 0 },
            paused: false,
        }
    }

    /// Another path: its treatment is to be found out anew (RFC 9000 section 13.4.2). The peer's
    /// counts go on.
    pub fn restart(&mut self) {
        if self.state != EcnState::Off {
            (self.state, self.paused, self.base) = (EcnState::Testing, false, self.counts);
            (self.tested, self.lost) = (0, 0);
        }
    }

    /// The mark of the next packet.
    pub const fn mark(&self) -> Ecn {
        match self.state {
            EcnState::Testing if self.tested < TEST_PACKETS && !self.paused => Ecn::Ect0,
            EcnState::Capable => Ecn::Ect0,
            EcnState::Testing | EcnState::Off | EcnState::Failed => Ecn::NotEct,
        }
    }

    /// How many packets have that mark.
    pub const fn run_max(&self) -> u64 {
        match self.state {
            EcnState::Testing if self.tested < TEST_PACKETS && !self.paused => {
                (TEST_PACKETS - self.tested) as u64
            }
            _ => u64::MAX,
        }
    }

    /// What is known.
    pub const fn state(&self) -> EcnState {
        self.state
    }

    /// Packets that the peer has seen marked with congestion.
    pub const fn ce_packets(&self) -> u64 {
        self.counts.ce
    }

    /// A packet with the present mark left.
    pub fn on_sent(&mut self) {
        let marked = self.mark() == Ecn::Ect0;
        self.sent += u64::from(marked);
        self.tested = self.tested.saturating_add(u32::from(marked));
    }

    /// Marked packets were lost. When that becomes of all that were sent for a test, the marks are
    /// to blame (RFC 9000 section 13.4.2).
    pub fn on_lost(&mut self, marked: u32) {
        self.lost = self.lost.saturating_add(marked);
        if self.state == EcnState::Testing
            && self.tested >= TEST_PACKETS
            && self.lost >= self.tested
        {
            self.state = EcnState::Failed;
        }
    }

    /// Nothing is acknowledged: what follows goes without marks until something is.
    pub fn on_silence(&mut self) {
        self.paused = true;
    }

    /// An ACK newly acknowledges so many marked packets and reports `counts`; `advances` tells whether
    /// it acknowledges a higher number than any before, since an older one may report less. Returns by
    /// how many the packets have increased that were marked with congestion.
    pub fn on_ack(&mut self, marked: u64, counts: Option<EcnCounts>, advances: bool) -> u64 {
        self.paused = false;
        if matches!(self.state, EcnState::Off | EcnState::Failed) || !advances {
            return 0;
        }
        let before = self.counts;
        let EcnCounts { ect0, ect1, ce } =
            counts.unwrap_or(EcnCounts { ect0: before.ect0, ect1: 0, ce: before.ce });
        let counts = Marks { ect0, ce };
        if ect1 > 0 || !self.check(marked, counts) {
            self.state = EcnState::Failed;
            return 0;
        }
        self.counts = counts;
        // As long as all of them arrive with congestion, perhaps everything does.
        if marked > 0 && counts.ect0 > self.base.ect0 && self.state == EcnState::Testing {
            self.state = EcnState::Capable;
        }
        counts.ce - before.ce
    }

    /// Section 13.4.2.1: the counts never go back, cover what is newly acknowledged, and nothing that
    /// was not sent.
    const fn check(&self, marked: u64, counts: Marks) -> bool {
        let Marks { ect0, ce } = counts;
        let before = self.counts;
        let Some(total) = ect0.checked_add(ce) else { return false };
        if ect0 < before.ect0 || ce < before.ce || total > self.sent {
            return false;
        }
        // A test of which every packet was marked shows a path that marks everything.
        let storm = matches!(self.state, EcnState::Testing)
            && ect0 == self.base.ect0
            && ce - self.base.ce >= TEST_PACKETS as u64;
        total - before.ect0 - before.ce >= marked && !storm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(packets: u32) -> EcnPath {
        let mut path = EcnPath::new(true);
        (0..packets).for_each(|_| path.on_sent());
        path
    }

    #[expect(clippy::unnecessary_wraps, reason = "an ACK may have none")]
    const fn counts(ect0: u64, ect1: u64, ce: u64) -> Option<EcnCounts> {
        Some(EcnCounts { ect0, ect1, ce })
    }

    /// RFC 9000 appendix A.4.
    #[test]
    fn ten_packets_are_marked_and_then_a_report_is_waited_for() {
        let mut path = sent(TEST_PACKETS);
        assert_eq!((path.mark(), path.state()), (Ecn::NotEct, EcnState::Testing));
        assert_eq!(path.on_ack(2, counts(2, 0, 0), true), 0);
        assert_eq!((path.mark(), path.state()), (Ecn::Ect0, EcnState::Capable));
        path.on_sent();
        assert_eq!(path.on_ack(9, counts(8, 0, 3), true), 3);
        assert_eq!(path.ce_packets(), 3);
        assert_eq!(EcnPath::new(false).mark(), Ecn::NotEct);
    }

    /// RFC 9000 section 13.4.2.1.
    #[test]
    fn counts_that_do_not_fit_end_it() {
        for (name, marked, report) in [
            ("bleached", 2, None),
            ("re-marked", 2, counts(0, 2, 0)),
            ("too few", 3, counts(2, 0, 0)),
            ("more than was sent", 2, counts(11, 0, 0)),
            ("more than can be", 2, counts(u64::MAX, 0, u64::MAX)),
            ("all with congestion", 10, counts(0, 0, 10)),
        ] {
            let mut path = sent(10);
            assert_eq!(path.on_ack(marked, report, true), 0, "{name}");
            assert_eq!((path.state(), path.mark()), (EcnState::Failed, Ecn::NotEct), "{name}");
            assert_eq!(path.on_ack(0, counts(9, 0, 1), true), 0, "{name}: it is over");
        }
        let mut path = sent(10);
        path.on_ack(4, counts(4, 0, 0), true);
        path.on_ack(1, counts(3, 0, 2), true);
        assert_eq!(path.state(), EcnState::Failed, "counts never go back");
    }

    /// "Validation must not fail as a result of processing an ACK frame that does not increase the
    /// largest acknowledged" (section 13.4.2.1).
    #[test]
    fn an_older_report_says_nothing() {
        let mut path = sent(10);
        path.on_ack(6, counts(5, 0, 1), true);
        assert_eq!(path.on_ack(1, counts(3, 0, 0), false), 0);
        assert_eq!(path.state(), EcnState::Capable);
    }

    #[test]
    fn where_all_that_is_marked_is_lost_nothing_is_marked() {
        let mut path = sent(3);
        path.on_silence();
        assert_eq!(path.mark(), Ecn::NotEct, "perhaps somebody drops them");
        path.on_lost(3);
        path.on_ack(0, None, true);
        assert_eq!(path.mark(), Ecn::Ect0, "three are no proof");
        (0..7).for_each(|_| path.on_sent());
        path.on_lost(6);
        assert_eq!(path.state(), EcnState::Testing);
        path.on_lost(1);
        assert_eq!(path.state(), EcnState::Failed);
    }

    /// A queue may be full of the first packets; a path that marks all of them marks everything.
    #[test]
    fn a_path_that_marks_everything_is_found_out() {
        let mut path = sent(10);
        assert_eq!(path.on_ack(4, counts(0, 0, 4), true), 4, "congestion all the same");
        assert_eq!(path.state(), EcnState::Testing);
        let mut busy = path;
        assert_eq!(path.on_ack(6, counts(0, 0, 10), true), 0);
        assert_eq!(path.state(), EcnState::Failed);
        busy.on_ack(6, counts(1, 0, 9), true);
        assert_eq!(busy.state(), EcnState::Capable);
    }

    #[test]
    fn another_path_is_tested_anew_with_the_counts_that_were() {
        let mut path = sent(10);
        path.on_ack(10, counts(9, 0, 1), true);
        (0..5).for_each(|_| path.on_sent());
        path.restart();
        assert_eq!(path.state(), EcnState::Testing);
        assert_eq!(path.mark(), Ecn::Ect0);
        (0..10).for_each(|_| path.on_sent());
        assert_eq!(path.on_ack(15, counts(24, 0, 1), true), 0, "some of them from before");
        assert_eq!(path.state(), EcnState::Capable);
    }
}
