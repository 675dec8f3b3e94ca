//! Duplication: which datagrams arrive more than once.

use alloc::{format, string::String};
use core::fmt;

use super::loss::{no_more, number};
use crate::{quantity::Probability, rng::Rng};

/// Copies: a share of the datagrams arrives more than once.
///
/// In text: `5%`, `5%:2` (two copies beside the original).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Duplication {
    /// How many datagrams are copied.
    pub share: Probability,
    /// How many copies of each, beside the original; at least 1.
    pub copies: u32,
}

impl Default for Duplication {
    fn default() -> Self {
        Self::NONE
    }
}

impl Duplication {
    /// The most copies of a datagram.
    pub const COPIES_MAX: u32 = 255;
    /// Nothing is duplicated.
    pub const NONE: Self = Self { share: Probability::NEVER, copies: 1 };

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let share = parts.next().unwrap_or_default();
        let share = share.parse().map_err(|e| format!("{e}, or 5%:2 for two copies"))?;
        let copies = parts.next().map_or(Ok(1), |part| number(part, 1))?;
        no_more(parts)?;
        match u32::try_from(copies) {
            Ok(copies) if copies <= Self::COPIES_MAX => Ok(Self { share, copies }),
            _ => Err(format!("at most {} copies can be made", Self::COPIES_MAX)),
        }
    }
}

impl fmt::Display for Duplication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { share, copies } = self;
        match copies {
            1 => write!(f, "{share}"),
            _ => write!(f, "{share}:{copies}"),
        }
    }
}

/// The stage that copies datagrams of one class.
#[derive(Debug)]
pub(super) struct Stage {
    rng: Rng,
}

impl Stage {
    pub(super) fn new(rng: Rng) -> Self {
        Self { rng }
    }

    /// How many copies to make beside the original. Draws one word unless copies are never made.
    pub(super) fn judge(&mut self, duplication: Duplication) -> u32 {
        let Duplication { share, copies } = duplication;
        if share.is_never() || !share.hit(&mut self.rng) {
            return 0;
        }
        copies.clamp(1, Duplication::COPIES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_nonsense_with_a_reason() {
        for (text, reason) in [
            ("5%:0", "at least 1"),
            ("5%:256", "at most 255 copies"),
            ("5%:1:1", "one part too many"),
            ("5", "5%:2 for two copies"),
        ] {
            let error = Duplication::parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let told = Duplication { share: Probability::percent(5), copies: 2 };
        assert_eq!(Duplication::parse("5%:2"), Ok(told));
    }
}
