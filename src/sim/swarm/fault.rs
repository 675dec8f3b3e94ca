//! What can go wrong in a run of a swarm.

use core::fmt;

use crate::channel::{Channel, Overtake};

/// A class of faults. Each run of a swarm has about half of those that it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Datagrams are lost, each by chance.
    Loss,
    /// Datagrams are lost in bursts.
    Bursts,
    /// Datagrams arrive more than once.
    Duplication,
    /// Old datagrams come again.
    Replay,
    /// Datagrams wait until others have passed.
    HoldBack,
    /// Delay varies, and the faster ones overtake.
    Shuffling,
    /// Bits are flipped.
    BitErrors,
    /// Bytes change places.
    Swaps,
    /// Datagrams end with the tail of another.
    Splices,
    /// The end is cut off.
    Truncation,
    /// Bytes are appended.
    Extension,
    /// One direction is down for a while.
    OneWayOutage,
    /// Both directions are down for a while.
    Outage,
    /// From some time on large datagrams vanish.
    Mtu,
    /// The rate falls to a tenth for a while.
    RateChange,
    /// The bottleneck's queue is short.
    ShortQueue,
    /// Feedback has a hundredth of the rate of data.
    Starvation,
    /// Feedback arrives in bunches.
    Bunching,
    /// Drivers wake up late.
    LateWakeups,
    /// Timers fire at ticks of 1 to 16 ms.
    CoarseTimers,
    /// The receiving application reads now and then, and has room for little.
    SlowReader,
    /// The sending application writes in bursts.
    BurstyWriter,
}

impl Fault {
    /// How many there are.
    pub const COUNT: usize = 22;

    /// All of them.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Loss,
        Self::Bursts,
        Self::Duplication,
        Self::Replay,
        Self::HoldBack,
        Self::Shuffling,
        Self::BitErrors,
        Self::Swaps,
        Self::Splices,
        Self::Truncation,
        Self::Extension,
        Self::OneWayOutage,
        Self::Outage,
        Self::Mtu,
        Self::RateChange,
        Self::ShortQueue,
        Self::Starvation,
        Self::Bunching,
        Self::LateWakeups,
        Self::CoarseTimers,
        Self::SlowReader,
        Self::BurstyWriter,
    ];

    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Bursts => "bursts of loss",
            Self::Duplication => "duplication",
            Self::Replay => "replay",
            Self::HoldBack => "hold-back",
            Self::Shuffling => "shuffling",
            Self::BitErrors => "bit errors",
            Self::Swaps => "swapped bytes",
            Self::Splices => "splices",
            Self::Truncation => "truncation",
            Self::Extension => "extension",
            Self::OneWayOutage => "one-way outage",
            Self::Outage => "outage",
            Self::Mtu => "mtu black hole",
            Self::RateChange => "rate change",
            Self::ShortQueue => "short queue",
            Self::Starvation => "ack starvation",
            Self::Bunching => "ack bunching",
            Self::LateWakeups => "late wakeups",
            Self::CoarseTimers => "coarse timers",
            Self::SlowReader => "slow reader",
            Self::BurstyWriter => "bursty writer",
        }
    }

    /// What its count counts.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::LateWakeups | Self::CoarseTimers => "wakeups",
            Self::SlowReader => "pauses",
            Self::BurstyWriter => "bursts",
            _ => "datagrams",
        }
    }

    /// Whether it damages datagrams.
    pub const fn damages(self) -> bool {
        matches!(
            self,
            Self::BitErrors | Self::Swaps | Self::Splices | Self::Truncation | Self::Extension
        )
    }

    /// Whether a protocol that bears `channel` bears this, if it is weak enough.
    pub const fn is_within(self, channel: Channel) -> bool {
        match self {
            Self::Loss
            | Self::Bursts
            | Self::OneWayOutage
            | Self::Outage
            | Self::Mtu
            | Self::RateChange
            | Self::ShortQueue
            | Self::Starvation => channel.lose,
            Self::Duplication => channel.duplicate,
            // One back: that one, two copies of it and what it brought along.
            Self::Replay => channel.duplicate && !Overtake::AtMost(4).exceeds(channel.overtake),
            Self::HoldBack => !channel.overtake.is_never(),
            Self::Shuffling => matches!(channel.overtake, Overtake::Any),
            Self::BitErrors | Self::Swaps | Self::Splices | Self::Truncation | Self::Extension => {
                channel.corrupt
            }
            Self::Bunching
            | Self::LateWakeups
            | Self::CoarseTimers
            | Self::SlowReader
            | Self::BurstyWriter => true,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Which faults a run has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FaultSet(u32);

impl FaultSet {
    /// Adds one.
    pub fn insert(&mut self, fault: Fault) {
        self.0 |= 1 << fault as u32;
    }

    /// Whether it is among them.
    pub const fn contains(self, fault: Fault) -> bool {
        self.0 >> fault as u32 & 1 == 1
    }

    /// All of them, in the order of [`Fault::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Fault> {
        Fault::ALL.into_iter().filter(move |fault| self.contains(*fault))
    }
}
