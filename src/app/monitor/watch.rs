//! Which samples count as a change.

use core::time::Duration;

use super::Status;
use crate::time::Instant;

/// The way is not what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it was.
    pub from: Status,
    /// What it is.
    pub to: Status,
    /// For how long it was what it was.
    pub lasted: Duration,
}

impl Change {
    /// Whether all is well again.
    pub fn is_recovery(&self) -> bool {
        self.to == Status::Normal
    }
}

/// Turns samples into changes: one sample is an accident, several in a row are news.
///
/// The way changes for the worse when so many samples in a row are worse than what it is, to the
/// best of them; for the better when as many are better, to the worst of them. So it always becomes
/// what all of these samples have at least reached, and samples that go to and fro between slow and
/// very slow count as slow. It begins as [`Status::Normal`], which is no news.
#[derive(Clone, Debug)]
pub struct Watch {
    consecutive: u32,
    status: Status,
    since: Instant,
    run: Option<Run>,
}

/// Samples in a row on one side of what the way is.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// The one that is nearest to what the way is.
    nearest: Status,
    count: u32,
}

impl Watch {
    /// A change takes `consecutive` samples, at least one.
    pub fn new(consecutive: u32, now: Instant) -> Self {
        Self { consecutive: consecutive.max(1), status: Status::Normal, since: now, run: None }
    }

    /// What the way is.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Takes a sample.
    pub fn take(&mut self, now: Instant, sample: Status) -> Option<Change> {
        if sample == self.status {
            self.run = None;
            return None;
        }
        let is_worse = |status: Status| status > self.status;
        let run = match self.run.filter(|run| is_worse(run.nearest) == is_worse(sample)) {
            None => Run { nearest: sample, count: 1 },
            Some(run) => Run {
                nearest: if is_worse(sample) {
                    run.nearest.min(sample)
                } else {
                    run.nearest.max(sample)
                },
                count: run.count + 1,
            },
        };
        if run.count < self.consecutive {
            self.run = Some(run);
            return None;
        }
        let change = Change { from: self.status, to: run.nearest, lasted: now - self.since };
        (self.status, self.since, self.run) = (run.nearest, now, None);
        Some(change)
    }
}

#[cfg(test)]
mod tests {
    use super::{Status::*, *};
    use alloc::vec::Vec;

    /// The changes after samples a second apart: the number of the sample, from, to, for how long.
    fn changes(consecutive: u32, samples: &[Status]) -> Vec<(usize, Status, Status, u64)> {
        let mut watch = Watch::new(consecutive, Instant::ZERO);
        let mut found = Vec::new();
        for (number, sample) in (1_u32..).zip(samples) {
            let now = Instant::ZERO + Duration::from_secs(number.into());
            if let Some(Change { from, to, lasted }) = watch.take(now, *sample) {
                assert_eq!(watch.status(), to);
                found.push((number as usize, from, to, lasted.as_secs()));
            }
        }
        found
    }

    #[test]
    fn so_many_in_a_row_are_a_change() {
        let samples = [Normal, Slow, Slow, Normal, Slow, Slow, Slow, Slow];
        assert_eq!(changes(3, &samples), [(7, Normal, Slow, 7)]);
        assert_eq!(changes(9, &samples), []);
        let each = [(2, Normal, Slow, 2), (4, Slow, Normal, 2), (5, Normal, Slow, 1)];
        assert_eq!(changes(1, &samples), each);
        assert_eq!(changes(0, &samples), each, "none at all is no number of samples");
    }

    #[test]
    fn what_goes_to_and_fro_is_as_bad_as_all_of_it() {
        let samples = [VerySlow, Slow, Inactive];
        assert_eq!(changes(3, &samples), [(3, Normal, Slow, 3)]);
        let back = [Inactive, Inactive, Normal, Slow, VerySlow, Inactive, Slow, Normal];
        assert_eq!(
            changes(2, &back),
            [
                (2, Normal, Inactive, 2),
                (4, Inactive, Slow, 2),
                (6, Slow, VerySlow, 2),
                (8, VerySlow, Slow, 2)
            ]
        );
    }

    #[test]
    fn the_other_side_begins_a_new_run() {
        let samples = [Slow, Slow, VerySlow, Normal, VerySlow, Normal, Normal];
        assert_eq!(changes(2, &samples), [(2, Normal, Slow, 2), (7, Slow, Normal, 5)]);
    }

    #[test]
    fn normal_is_a_recovery() {
        let change = |to| Change { from: Inactive, to, lasted: Duration::ZERO };
        assert!(change(Normal).is_recovery() && !change(Slow).is_recovery());
    }
}
