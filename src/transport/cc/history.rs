//! What a controller was before its last cuts.

use alloc::vec::Vec;

use crate::transport::cuts::CUTS_MAX;

/// The states before the last few cuts, for taking them back from the latest on. Most connections
/// are never cut, and hold nothing here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct History<T>(Vec<T>);

impl<T: Copy> History<T> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// The state before a cut; the oldest is forgotten if there are too many.
    pub(super) fn push(&mut self, state: T) {
        if self.0.len() == CUTS_MAX {
            self.0.remove(0);
        }
        self.0.reserve_exact(CUTS_MAX - self.0.len());
        self.0.push(state);
    }

    /// The state before the latest cut, which is forgotten.
    pub(super) fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_in_first_out_and_the_oldest_is_forgotten() {
        let mut history = History::new();
        (0..=CUTS_MAX).for_each(|state| history.push(state));
        let states = core::array::from_fn(|_| history.pop());
        assert_eq!(states, [Some(4), Some(3), Some(2), Some(1), None]);
    }
}
