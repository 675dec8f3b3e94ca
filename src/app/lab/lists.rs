//! What the server keeps of a conversation: four lists (S2-09).

use alloc::vec::Vec;

use super::{LAST, input};

/// What the protocol made of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// New and intact: delivered.
    Taken,
    /// Intact, but with the number of a packet that was there before.
    Duplicate,
    /// Damaged.
    Corrupt,
}

/// A message that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Arrival {
    /// The number in it, as far as it is legible.
    pub value: Option<i32>,
    /// What the protocol made of it.
    pub verdict: Verdict,
}

/// The four lists: as received, corrected, duplicates, corrupted.
///
/// ```
/// use rdtp::app::lab::{Arrival, Lists, Verdict};
///
/// let mut lists = Lists::default();
/// for value in [8, -1, 7] {
///     assert!(lists.push(Arrival { value: Some(value), verdict: Verdict::Taken }));
/// }
/// assert_eq!(lists.corrected(), [7, 8, -1]);
/// assert!(lists.looks_complete(None));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    arrivals: Vec<Arrival>,
}

impl Lists {
    /// The most arrivals that are kept: four for each number of the longest list.
    pub const ARRIVALS_MAX: usize = 4 * input::COUNT_MAX;

    /// Keeps an arrival; false when there is no more room.
    pub fn push(&mut self, arrival: Arrival) -> bool {
        let room = !self.is_full();
        if room {
            self.arrivals.push(arrival);
        }
        room
    }

    /// Whether nothing more can be kept.
    pub fn is_full(&self) -> bool {
        self.arrivals.len() >= Self::ARRIVALS_MAX
    }

    /// Everything in the order in which it arrived, whatever became of it (S2-08).
    pub fn as_received(&self) -> &[Arrival] {
        &self.arrivals
    }

    /// What was delivered, in the order of the identifiers; -1, the last datagram, at the end.
    pub fn corrected(&self) -> Vec<i32> {
        let mut list: Vec<i32> = self.with(Verdict::Taken).flatten().collect();
        // As unsigned numbers, -1 is the largest of all.
        list.sort_by_key(|value| value.cast_unsigned());
        list
    }

    /// What was discarded because its packet had been there before.
    pub fn duplicates(&self) -> impl Iterator<Item = Option<i32>> + '_ {
        self.with(Verdict::Duplicate)
    }

    /// What was discarded because it was damaged.
    pub fn corrupted(&self) -> impl Iterator<Item = Option<i32>> + '_ {
        self.with(Verdict::Corrupt)
    }

    /// Whether this may be the whole list: the last datagram is there, and identifiers without a
    /// gap. A shuffled list can look complete too early, because nothing on the wire says where it
    /// begins; `count`, the number of identifiers, decides when it is known.
    pub fn looks_complete(&self, count: Option<usize>) -> bool {
        let list = self.corrected();
        let Some((&LAST, identifiers)) = list.split_last() else { return false };
        if let Some(count) = count {
            return identifiers.len() >= count;
        }
        let contiguous = |pair: &[i32]| pair[1].checked_sub(pair[0]) == Some(1);
        !identifiers.is_empty() && identifiers.windows(2).all(contiguous)
    }

    fn with(&self, verdict: Verdict) -> impl Iterator<Item = Option<i32>> + '_ {
        self.arrivals.iter().filter(move |a| a.verdict == verdict).map(|a| a.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lists(arrivals: &[(i32, Verdict)]) -> Lists {
        let mut lists = Lists::default();
        for &(value, verdict) in arrivals {
            assert!(lists.push(Arrival { value: Some(value), verdict }));
        }
        lists
    }

    /// S2-09: received in the order sent, in correct order, duplicates, corrupted.
    #[test]
    fn s2_09_four_lists() {
        use Verdict::{Corrupt, Duplicate, Taken};
        let lists = lists(&[
            (9, Corrupt),
            (9, Taken),
            (-1, Taken),
            (8, Duplicate),
            (8, Taken),
            (8, Duplicate),
        ]);
        let received: Vec<_> = lists.as_received().iter().filter_map(|a| a.value).collect();
        assert_eq!(received, [9, 9, -1, 8, 8, 8]);
        assert_eq!(lists.corrected(), [8, 9, -1]);
        assert_eq!(lists.duplicates().collect::<Vec<_>>(), [Some(8), Some(8)]);
        assert_eq!(lists.corrupted().collect::<Vec<_>>(), [Some(9)]);
    }

    /// C14: without the number of identifiers a run without gaps is all one can ask for.
    #[test]
    fn completeness() {
        use Verdict::Taken;
        assert!(!lists(&[(7, Taken), (8, Taken)]).looks_complete(None));
        assert!(!lists(&[(7, Taken), (9, Taken), (-1, Taken)]).looks_complete(None));
        let early = lists(&[(-1, Taken), (8, Taken)]);
        assert!(early.looks_complete(None) && !early.looks_complete(Some(2)));
        assert!(lists(&[(-1, Taken), (8, Taken), (7, Taken)]).looks_complete(Some(2)));
        assert!(!Lists::default().looks_complete(None));
    }

    #[test]
    fn bounded() {
        let mut lists = Lists::default();
        let arrival = Arrival { value: None, verdict: Verdict::Corrupt };
        while lists.push(arrival) {}
        assert_eq!(lists.as_received().len(), Lists::ARRIVALS_MAX);
    }
}
