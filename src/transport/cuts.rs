//! Cuts of the window, and whether they were mistakes (RFC 9438 section 4.9).
//!
//! Where packets overtake each other, a second cut may come before the first has turned out to be a
//! mistake. So the last few are remembered, and are taken back from the latest on: one that was
//! right stands, and so do those before it.

use alloc::vec::Vec;

use crate::time::Instant;

/// Cuts that are remembered.
pub(super) const CUTS_MAX: usize = 4;

/// One congestion event: all losses of packets that left before it was noticed, and after the one
/// before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cut {
    at: Instant,
    lost: u32,
    spurious: u32,
    /// A router said so: it stands, whatever becomes of the losses.
    marked: bool,
}

/// The last cuts, the latest at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cuts {
    last: Vec<Cut>,
    /// Packets that left no later are those of a cut that is forgotten.
    floor: Option<Instant>,
    latest: Option<Instant>,
}

impl Cuts {
    /// When the window was last cut, taken back or not.
    pub(super) const fn latest(&self) -> Option<Instant> {
        self.latest
    }

    /// The window is cut.
    pub(super) fn push(&mut self, at: Instant, marked: bool) {
        if self.last.len() == CUTS_MAX {
            self.floor = Some(self.last.remove(0).at);
        }
        self.last.reserve_exact(CUTS_MAX - self.last.len());
        self.last.push(Cut { at, lost: 0, spurious: 0, marked });
        self.latest = Some(at);
    }

    /// The cut that the loss of a packet belongs to which left at `sent`.
    fn of(&mut self, sent: Instant) -> Option<&mut Cut> {
        if self.floor.is_some_and(|floor| sent <= floor) {
            return None;
        }
        self.last.iter_mut().find(|cut| sent <= cut.at)
    }

    /// A packet was given up.
    pub(super) fn on_lost(&mut self, sent: Instant) {
        if let Some(cut) = self.of(sent) {
            cut.lost += 1;
        }
    }

    /// It was acknowledged after all.
    pub(super) fn on_spurious(&mut self, sent: Instant) {
        if let Some(cut) = self.of(sent) {
            cut.spurious += 1;
        }
    }

    /// Whether the latest cut that stands was a mistake; it is forgotten then. Ask again.
    pub(super) fn pop_mistake(&mut self) -> bool {
        let is_mistake = |cut: &mut Cut| !cut.marked && cut.lost > 0 && cut.spurious >= cut.lost;
        self.last.pop_if(is_mistake).is_some()
    }

    /// What left until now went another way: its losses are no congestion, and belong to no cut.
    pub(super) fn begin(&mut self, now: Instant) {
        self.latest = Some(now);
        self.stand();
    }

    /// None of them can be taken back any more.
    pub(super) fn stand(&mut self) {
        self.last.clear();
        self.floor = self.latest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn mistakes_are_taken_back_from_the_latest_on() {
        let mut cuts = Cuts::default();
        for time in [10, 20] {
            cuts.push(at(time), false);
            cuts.on_lost(at(time - 5));
        }
        cuts.on_spurious(at(5));
        assert!(!cuts.pop_mistake(), "the later one stands");
        cuts.on_spurious(at(15));
        assert!(cuts.pop_mistake() && cuts.pop_mistake() && !cuts.pop_mistake());
        assert_eq!(cuts.latest(), Some(at(20)));
    }

    #[test]
    fn a_true_loss_keeps_its_cut() {
        let mut cuts = Cuts::default();
        cuts.push(at(10), false);
        (0..2).for_each(|_| cuts.on_lost(at(5)));
        cuts.on_spurious(at(5));
        assert!(!cuts.pop_mistake());
    }

    /// RFC 9002 section 7.1: a mark is no loss, and cannot turn out to be a mistake.
    #[test]
    fn a_mark_keeps_its_cut() {
        let mut cuts = Cuts::default();
        cuts.push(at(10), true);
        cuts.on_lost(at(5));
        cuts.on_spurious(at(5));
        assert!(!cuts.pop_mistake());
    }

    #[test]
    fn what_is_forgotten_speaks_for_no_other() {
        let mut cuts = Cuts::default();
        for time in 1..=6 {
            cuts.push(at(10 * time), false);
            cuts.on_lost(at(10 * time - 5));
        }
        cuts.on_spurious(at(5));
        cuts.on_spurious(at(15));
        assert!(!cuts.pop_mistake());
        (3..=6).for_each(|time| cuts.on_spurious(at(10 * time - 5)));
        assert_eq!((0..9).filter(|_| cuts.pop_mistake()).count(), CUTS_MAX);
        cuts.push(at(70), false);
        cuts.on_lost(at(65));
        cuts.stand();
        cuts.on_spurious(at(65));
        assert!(!cuts.pop_mistake());
    }
}
