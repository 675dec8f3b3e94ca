//! Schedules of faults: which datagram, counted in the order of sending, suffers what.

use alloc::vec::Vec;
use core::{fmt, time::Duration};

use crate::channel::Channel;

/// From which side a datagram comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// From the sender to the receiver.
    Up,
    /// From the receiver to the sender.
    Down,
}

impl Way {
    /// 0 for up, 1 for down.
    pub(super) const fn index(self) -> usize {
        match self {
            Self::Up => 0,
            Self::Down => 1,
        }
    }
}

/// What happens to a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It does not arrive.
    Drop,
    /// It arrives twice, the copy this much later.
    Duplicate {
        /// By how much.
        late: Duration,
    },
    /// It arrives with one bit changed.
    Corrupt {
        /// Which, counted over the datagram from its first byte and modulo its length.
        bit: u16,
    },
    /// It arrives this much later. Where the channel lets packets overtake, those behind it pass;
    /// elsewhere they wait behind it.
    Delay {
        /// By how much.
        late: Duration,
    },
}

/// One fault in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Strike {
    /// Which way the datagram goes.
    pub way: Way,
    /// Which datagram of that way, counted from 1 in the order of sending.
    pub nth: u32,
    /// What happens to it.
    pub fault: Fault,
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = match self.way {
            Way::Up => "sender",
            Way::Down => "receiver",
        };
        write!(f, "datagram {} from the {from} ", self.nth)?;
        match self.fault {
            Fault::Drop => f.write_str("is lost"),
            Fault::Duplicate { late } if late.is_zero() => f.write_str("arrives twice"),
            Fault::Duplicate { late } => write!(f, "arrives twice, the copy {late:?} later"),
            Fault::Corrupt { bit } => write!(f, "arrives with bit {bit} flipped"),
            Fault::Delay { late } => write!(f, "arrives {late:?} late"),
        }
    }
}

/// The faults of one run; what they do not name arrives, intact and in time.
///
/// ```
/// use core::time::Duration;
/// use rdtp::{channel::Channel, harness::{Fault, Schedule, Strike, Way}};
///
/// let late = Duration::from_millis(40);
/// let schedule = Schedule(vec![
///     Strike { way: Way::Up, nth: 2, fault: Fault::Drop },
///     Strike { way: Way::Down, nth: 1, fault: Fault::Delay { late } },
/// ]);
/// assert_eq!(
///     schedule.to_string(),
///     "datagram 2 from the sender is lost\ndatagram 1 from the receiver arrives 40ms late"
/// );
/// assert_eq!(schedule.within(Channel::PERFECT).0.len(), 1, "any channel may be slow");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Schedule(pub Vec<Strike>);

impl Schedule {
    /// The same without what `channel` does not do. Every channel may take its time.
    #[must_use]
    pub fn within(&self, channel: Channel) -> Self {
        let does = |strike: &&Strike| match strike.fault {
            Fault::Drop => channel.lose,
            Fault::Duplicate { .. } => channel.duplicate,
            Fault::Corrupt { .. } => channel.corrupt,
            Fault::Delay { .. } => true,
        };
        Self(self.0.iter().filter(does).copied().collect())
    }

    /// What happens to one datagram.
    pub(super) fn at(&self, way: Way, nth: u32) -> impl Iterator<Item = Fault> + '_ {
        let here = move |strike: &&Strike| strike.way == way && strike.nth == nth;
        self.0.iter().filter(here).map(|strike| strike.fault)
    }
}

/// A line for each fault; "no fault" when there is none.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, rest)) = self.0.split_first() else { return f.write_str("no fault") };
        first.fmt(f)?;
        rest.iter().try_for_each(|strike| write!(f, "\n{strike}"))
    }
}
