//! What a controller was before its last cuts.

use crate::transport::cuts::CUTS_MAX;

/// The states before the last few cuts, for taking them back from the latest on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct History<T>([Option<T>; CUTS_MAX]);

impl<T: Copy> History<T> {
    pub(super) const fn new() -> Self {
        Self([None; CUTS_MAX])
    }

    /// The state before a cut; the oldest is forgotten if there are too many.
    pub(super) fn push(&mut self, state: T) {
        self.0.rotate_left(1);
        self.0[CUTS_MAX - 1] = Some(state);
    }

    /// The state before the latest cut, which is forgotten.
    pub(super) fn pop(&mut self) -> Option<T> {
        let state = self.0[CUTS_MAX - 1].take();
        self.0.rotate_right(1);
        state
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
