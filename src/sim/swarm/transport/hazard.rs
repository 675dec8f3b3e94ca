//! What a run of the transport suffers beyond the faults of its network.

use core::fmt;

/// A class of hazards: what strangers, peers and applications do. Drawn for each run, and counted
/// when it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hazard {
    /// Bytes by chance arrive, half of them with a checksum that fits.
    Garbage,
    /// What a side received once comes again, up to minutes later, from the same address.
    OldPackets,
    /// What a side received once comes from elsewhere, or for a connection that is not there.
    Misdirection,
    /// Connections are opened in the name of addresses that never asked.
    Spoofing,
    /// Somebody on the path writes packets of the first connection, which is lost to him; nothing
    /// else may be.
    Forgery,
    /// A side closes while data is on its way.
    EarlyClose,
    /// Both sides close at the same time.
    SimultaneousClose,
    /// Nobody closes: silence ends the connection.
    Silence,
    /// A side loses its state.
    Restart,
    /// The path dies for ever.
    DeadPath,
    /// A stream is reset by its sender.
    Reset,
    /// A stream is stopped by its receiver.
    Stop,
    /// An application reads nothing for a while, so that windows close.
    Stall,
    /// An application reads a little at a time.
    SlowReading,
    /// Both sides open connections to each other.
    SimultaneousOpen,
    /// The address of the side that opens changes, and it does not know.
    Rebinding,
    /// Queues mark packets with congestion, and somebody rewrites the marks.
    Marks,
}

impl Hazard {
    /// How many there are.
    pub const COUNT: usize = 17;

    /// All of them.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Garbage,
        Self::OldPackets,
        Self::Misdirection,
        Self::Spoofing,
        Self::Forgery,
        Self::EarlyClose,
        Self::SimultaneousClose,
        Self::Silence,
        Self::Restart,
        Self::DeadPath,
        Self::Reset,
        Self::Stop,
        Self::Stall,
        Self::SlowReading,
        Self::SimultaneousOpen,
        Self::Rebinding,
        Self::Marks,
    ];

    /// Its name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Garbage => "garbage",
            Self::OldPackets => "old packets",
            Self::Misdirection => "misdirection",
            Self::Spoofing => "spoofed opens",
            Self::Forgery => "forgery",
            Self::EarlyClose => "early close",
            Self::SimultaneousClose => "both close",
            Self::Silence => "silence",
            Self::Restart => "restart",
            Self::DeadPath => "dead path",
            Self::Reset => "stream reset",
            Self::Stop => "stream stopped",
            Self::Stall => "stalled reader",
            Self::SlowReading => "slow reading",
            Self::SimultaneousOpen => "both open",
            Self::Rebinding => "rebinding",
            Self::Marks => "congestion marks",
        }
    }

    /// What its count counts.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Garbage | Self::OldPackets | Self::Misdirection | Self::Spoofing => "datagrams",
            Self::Forgery | Self::Marks => "packets",
            Self::EarlyClose
            | Self::SimultaneousClose
            | Self::Silence
            | Self::DeadPath
            | Self::SimultaneousOpen => "connections",
            Self::Restart => "restarts",
            Self::Rebinding => "moves",
            Self::Reset | Self::Stop => "streams",
            Self::Stall | Self::SlowReading => "pauses",
        }
    }
}

impl fmt::Display for Hazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
