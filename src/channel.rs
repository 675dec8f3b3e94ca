//! What a channel may do to packets: the assumption a protocol makes and the threat a link poses,
//! in the same words, so that the two can be compared.

use alloc::{format, string::String, vec::Vec};
use core::fmt;

/// How far packets may get out of order.
///
/// A finite bound matters: stop-and-wait, go-back-N and selective repeat with finite numbers bear
/// overtaking up to a depth that their modulus decides, and none bears it without a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Overtake {
    /// A packet is overtaken by at most this many packets sent later; 0 keeps the order.
    AtMost(u64),
    /// There is no bound.
    Any,
}

impl Overtake {
    /// Order is kept: first in, first out.
    pub const NEVER: Self = Self::AtMost(0);

    /// Whether order is kept.
    pub const fn is_never(self) -> bool {
        matches!(self, Self::AtMost(0))
    }

    /// Whether packets may be overtaken by more than `tolerated` allows.
    pub const fn exceeds(self, tolerated: Self) -> bool {
        match (self, tolerated) {
            (_, Self::Any) => false,
            (Self::Any, Self::AtMost(_)) => true,
            (Self::AtMost(here), Self::AtMost(there)) => here > there,
        }
    }
}

/// The faults of a channel: either those that it can produce, or those that a protocol tolerates.
///
/// Delay is not among them: every channel here may take any time to deliver.
///
/// ```
/// use rdtp::channel::{Channel, Overtake};
///
/// // rdt 3.0 bears loss and bit errors, and copies as long as order is kept.
/// const RDT30: Channel = Channel::PERFECT.corrupting().losing().duplicating();
/// let wifi = Channel::PERFECT.losing().overtaking(Overtake::AtMost(3));
///
/// assert_eq!(wifi.to_string(), "loses, reorders by up to 3");
/// assert_eq!(wifi.exceeds(RDT30), ["reorders by up to 3"]);
/// assert!(RDT30.exceeds(RDT30).is_empty());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Channel {
    /// Packets arrive with bits changed or bytes missing.
    pub corrupt: bool,
    /// Packets do not arrive.
    pub lose: bool,
    /// Packets arrive more than once.
    pub duplicate: bool,
    /// Packets arrive before others that were sent earlier.
    pub overtake: Overtake,
}

impl Channel {
    /// Delivers everything once, intact and in order: the channel of rdt 1.0.
    pub const PERFECT: Self =
        Self { corrupt: false, lose: false, duplicate: false, overtake: Overtake::NEVER };
    /// Every fault without bound.
    pub const HOSTILE: Self =
        Self { corrupt: true, lose: true, duplicate: true, overtake: Overtake::Any };

    /// The same and bit errors.
    #[must_use]
    pub const fn corrupting(self) -> Self {
        Self { corrupt: true, ..self }
    }

    /// The same and loss.
    #[must_use]
    pub const fn losing(self) -> Self {
        Self { lose: true, ..self }
    }

    /// The same and copies.
    #[must_use]
    pub const fn duplicating(self) -> Self {
        Self { duplicate: true, ..self }
    }

    /// The same with packets overtaking as `overtake` says.
    #[must_use]
    pub const fn overtaking(self, overtake: Overtake) -> Self {
        Self { overtake, ..self }
    }

    /// The channel that can do what either of two can do: one direction or the other, one class of
    /// packets or the other. (Two channels in a row can overtake deeper than this says.)
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self {
            corrupt: self.corrupt || other.corrupt,
            lose: self.lose || other.lose,
            duplicate: self.duplicate || other.duplicate,
            overtake: if self.overtake.exceeds(other.overtake) {
                self.overtake
            } else {
                other.overtake
            },
        }
    }

    /// The faults of this channel that go beyond `tolerated`, each in words such as "loses" or
    /// "reorders by up to 3"; empty when all of them are tolerated.
    pub fn exceeds(self, tolerated: Self) -> Vec<String> {
        let mut excess = Vec::new();
        let Self { corrupt, lose, duplicate, overtake } = self;
        for (here, there, word) in [
            (corrupt, tolerated.corrupt, "corrupts"),
            (lose, tolerated.lose, "loses"),
            (duplicate, tolerated.duplicate, "duplicates"),
        ] {
            if here && !there {
                excess.push(String::from(word));
            }
        }
        if overtake.exceeds(tolerated.overtake) {
            excess.push(match overtake {
                Overtake::AtMost(depth) => format!("reorders by up to {depth}"),
                Overtake::Any => String::from("reorders"),
            });
        }
        excess
    }
}

/// The faults in words: "corrupts, loses, duplicates, reorders", or "perfect".
impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::PERFECT {
            return f.write_str("perfect");
        }
        f.write_str(&self.exceeds(Self::PERFECT).join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn says_which_faults_go_too_far() {
        let bears = Channel::PERFECT.losing().overtaking(Overtake::AtMost(2));
        let cases: [(Channel, &[&str]); 5] = [
            (Channel::PERFECT, &[]),
            (bears, &[]),
            (bears.corrupting(), &["corrupts"]),
            (bears.overtaking(Overtake::AtMost(3)), &["reorders by up to 3"]),
            (Channel::HOSTILE, &["corrupts", "duplicates", "reorders"]),
        ];
        for (channel, expected) in cases {
            assert_eq!(channel.exceeds(bears), expected, "{channel}");
            assert!(channel.exceeds(Channel::HOSTILE).is_empty());
        }
    }

    #[test]
    fn prints_words() {
        assert_eq!(Channel::PERFECT.to_string(), "perfect");
        assert_eq!(Channel::HOSTILE.to_string(), "corrupts, loses, duplicates, reorders");
    }

    #[test]
    fn either_of_two_takes_the_deeper_overtaking() {
        let a = Channel::PERFECT.losing().overtaking(Overtake::AtMost(2));
        let b = Channel::PERFECT.duplicating().overtaking(Overtake::AtMost(5));
        let both = Channel::PERFECT.losing().duplicating().overtaking(Overtake::AtMost(5));
        assert_eq!((a.or(b), b.or(a)), (both, both));
        assert_eq!(a.or(Channel::HOSTILE), Channel::HOSTILE);
    }
}
