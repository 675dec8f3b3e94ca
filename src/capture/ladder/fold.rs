//! Which part of a long run is drawn.

use alloc::{vec, vec::Vec};

use super::Ladder;

/// How a long run is shortened: both ends are kept, and what surrounds losses, damage, timeouts and
/// other surprises, as far as there is room, and where the packets that arrive there started; quiet
/// rounds go. A line says how many events are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fold {
    /// Events kept at each end.
    pub ends: usize,
    /// Events kept before and after each surprise.
    pub around: usize,
    /// Events kept in all; a run with no more is drawn whole.
    pub total: usize,
}

impl Default for Fold {
    /// 10 at each end, 3 around each surprise, 80 in all.
    fn default() -> Self {
        Self { ends: 10, around: 3, total: 80 }
    }
}

impl Fold {
    /// Draws everything.
    pub const NEVER: Self = Self { ends: usize::MAX, around: 0, total: usize::MAX };
}

/// A piece of the diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// The block of that number.
    Shown(usize),
    /// So many blocks from that number on are left out.
    Hidden {
        /// The first of them.
        first: usize,
        /// How many.
        count: usize,
    },
}

/// Shorter gaps are not worth a line that speaks of them.
const HIDDEN_MIN: usize = 4;

/// The diagram from top to bottom.
pub(super) fn pieces(ladder: &Ladder) -> Vec<Piece> {
    let (fold, blocks) = (ladder.fold, &ladder.blocks);
    let count = blocks.len();
    let ends = fold.ends.min(count);
    let mut keep = vec![count <= fold.total; count];
    if count > fold.total {
        keep[..ends].fill(true);
        keep[count - ends..].fill(true);
        let mut room = fold.total.saturating_sub(2 * ends);
        for (at, block) in blocks.iter().enumerate() {
            if !block.is_eventful(&ladder.arrows) {
                continue;
            }
            let (first, last) = (
                at.saturating_sub(fold.around),
                at.saturating_add(fold.around).saturating_add(1).min(count),
            );
            let new = keep[first..last].iter().filter(|kept| !**kept).count();
            if new > room {
                break;
            }
            room -= new;
            keep[first..last].fill(true);
        }
        let starts: Vec<usize> = kept_arrivals(ladder, &keep).collect();
        for start in starts {
            if let Some(keep) = keep.get_mut(start) {
                *keep = true;
            }
        }
        close_small_gaps(&mut keep);
    }
    let mut pieces = Vec::new();
    for (at, kept) in keep.into_iter().enumerate() {
        match (kept, pieces.last_mut()) {
            (true, _) => pieces.push(Piece::Shown(at)),
            (false, Some(Piece::Hidden { count, .. })) => *count += 1,
            (false, _) => pieces.push(Piece::Hidden { first: at, count: 1 }),
        }
    }
    pieces
}

/// Where the arrows start that end in what is kept: a late packet is the story, so its start is too.
fn kept_arrivals<'a>(ladder: &'a Ladder, keep: &'a [bool]) -> impl Iterator<Item = usize> + 'a {
    let arrows = ladder.arrows.iter();
    let shown = arrows.filter(|arrow| arrow.arrivals.iter().any(|&(at, _)| keep[at]));
    shown.map(|arrow| arrow.departs)
}

fn close_small_gaps(keep: &mut [bool]) {
    let mut at = 0;
    while at < keep.len() {
        let gap = keep[at..].iter().take_while(|kept| !**kept).count();
        if gap < HIDDEN_MIN {
            keep[at..at + gap].fill(true);
        }
        at += gap.max(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_gaps_are_closed_and_large_ones_stay() {
        let mut keep = [true, false, false, false, true, false, false, false, false, true];
        close_small_gaps(&mut keep);
        let expected = [true, true, true, true, true, false, false, false, false, true];
        assert_eq!(keep, expected);
    }
}
