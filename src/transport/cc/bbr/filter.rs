//! Greatest values of late: filters whose time is counted in rounds or cycles, not seconds.

/// The greatest value of this window and the one before: the filter of BBR.max_bw, whose time is the
/// cycle of probing (section 5.5.6 of the draft needs no more than these two).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TwoWindows {
    before: u64,
    now: u64,
}

impl TwoWindows {
    pub(super) const fn greatest(&self) -> u64 {
        if self.before > self.now { self.before } else { self.now }
    }

    pub(super) fn take(&mut self, value: u64) {
        self.now = self.now.max(value);
    }

    /// The next window begins. A window that saw nothing changes nothing.
    pub(super) fn advance(&mut self) {
        if self.now > 0 {
            (self.before, self.now) = (self.now, 0);
        }
    }
}

/// The greatest value of the last so many rounds (Nichols' algorithm): the three best candidates,
/// each later and smaller than the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Greatest([Candidate; 3]);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Candidate {
    round: u64,
    value: u64,
}

impl Greatest {
    pub(super) const fn value(&self) -> u64 {
        self.0[0].value
    }

    /// Takes a value of this round; what is older than `rounds` is forgotten.
    pub(super) fn take(&mut self, round: u64, value: u64, rounds: u64) {
        let new = Candidate { round, value };
        let best = &mut self.0;
        if value >= best[0].value || round - best[2].round > rounds {
            *best = [new; 3];
            return;
        }
        if value >= best[1].value {
            (best[1], best[2]) = (new, new);
        } else if value >= best[2].value {
            best[2] = new;
        }
        let age = round - best[0].round;
        if age > rounds {
            *best = [best[1], best[2], new];
            if round - best[0].round > rounds {
                *best = [best[1], best[2], new];
            }
        } else if best[1].round == best[0].round && age > rounds / 4 {
            // A quarter of the time has passed without a second choice.
            (best[1], best[2]) = (new, new);
        } else if best[2].round == best[1].round && age > rounds / 2 {
            best[2] = new;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_windows_forget_the_one_before_last() {
        let mut filter = TwoWindows::default();
        filter.take(5);
        filter.take(3);
        filter.advance();
        filter.take(4);
        assert_eq!(filter.greatest(), 5);
        filter.advance();
        assert_eq!(filter.greatest(), 4);
        (0..9).for_each(|_| filter.advance());
        assert_eq!(filter.greatest(), 4, "rest is no reason to forget");
    }

    /// Against the definition: never less than the greatest, and no value is older than the window.
    #[test]
    fn the_greatest_of_ten_rounds() {
        let values: alloc::vec::Vec<u64> = (0..200).map(|n| n * 7919 % 101).collect();
        let mut filter = Greatest::default();
        for (round, &value) in values.iter().enumerate() {
            filter.take(round as u64, value, 10);
            let recent = &values[round.saturating_sub(10)..=round];
            let greatest = *recent.iter().max().unwrap();
            assert!(recent.contains(&filter.value()), "round {round}");
            assert!(filter.value() <= greatest && filter.value() * 4 >= greatest * 3);
        }
    }
}
