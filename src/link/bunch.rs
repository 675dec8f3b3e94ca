//! Aggregation: datagrams that arrive in bunches, as over radio links that send in slots.

use alloc::{format, string::String};
use core::{fmt, time::Duration};

use crate::{quantity::Span, time::Instant, time::nanos};

/// Bunching: what would arrive within one slot arrives together at its end.
///
/// Cable and radio links collect feedback and send it when their turn comes, so that a sender hears
/// nothing for a while and then everything at once. Slots follow each other without gaps from the
/// epoch on. The order within the class is kept. In text the length of a slot: `20ms`; `0s` for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bunch {
    /// The length of a slot; zero for none.
    pub slot: Duration,
}

impl Bunch {
    /// Nothing is collected.
    pub const NONE: Self = Self { slot: Duration::ZERO };

    /// The end of the slot in which something would arrive.
    pub(super) fn end(self, arrival: Instant) -> Instant {
        let slot = nanos(self.slot);
        if slot == 0 {
            return arrival;
        }
        arrival.as_nanos().checked_next_multiple_of(slot).map_or(Instant::MAX, Instant::from_nanos)
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let Span(slot) = text.parse().map_err(|e| format!("{e}"))?;
        Ok(Self { slot })
    }
}

impl fmt::Display for Bunch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Span(self.slot).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_ends_at_a_multiple_of_its_length() {
        let bunch = Bunch::parse("20ms").unwrap();
        let at = |millis: u64| Instant::from_nanos(millis * 1_000_000);
        for (arrival, end) in [(0, 0), (1, 20), (20, 20), (21, 40)] {
            assert_eq!(bunch.end(at(arrival)), at(end));
        }
        assert_eq!(bunch.end(Instant::MAX), Instant::MAX);
        assert_eq!(Bunch::NONE.end(at(7)), at(7));
        assert!(Bunch::parse("20").unwrap_err().contains("no known unit"));
    }
}
