//! The latency monitor: how long the way to a peer and back takes, and what to make of it.
//!
//! A [`Monitor`] sends a probe now and then, and takes the reply to it; what comes of each is a
//! [`Sample`] with a [`Status`], and several in a row that say the same are a [`Change`]. The other
//! side answers with [`answer`], which needs to know nothing of who asks: whoever probes joins
//! nothing and is remembered by nobody.
//!
//! Monitor and answer know messages only. [`DatagramMonitor`] and [`DatagramEcho`] put them straight
//! into datagrams; [`CarriedMonitor`] and [`CarriedEcho`] put one of the book's protocols below them.
//! All are [endpoints](crate::endpoint::Endpoint), for the simulator and for sockets.
//!
//! # Messages
//!
//! A probe and its reply have 14 bytes; numbers are big-endian.
//!
//! | Bytes | Value |
//! | --- | --- |
//! | 0 to 3 | `RDTM` |
//! | 4 | version, 1 |
//! | 5 | 1 for a probe, 2 for a reply |
//! | 6 to 13 | the token: drawn at random by who probes, repeated in the reply |
//!
//! The token says which probe a reply belongs to: one that comes late, twice, or from somebody who
//! guesses is not taken for the answer to the last. Older programs exchange the word `ping` instead
//! ([`Format::Word`]), which can say nothing of the kind.

mod carried;
mod datagram;
mod probe;
mod session;
mod stats;
mod watch;

#[cfg(test)]
mod tests;

pub use carried::{CarriedEcho, CarriedMonitor};
pub use datagram::{DatagramEcho, DatagramMonitor};
pub use probe::{Format, MESSAGE_BYTES_MAX, Message, Token, WORD, Written, answer};
pub use session::{Heard, Monitor, MonitorConfig, MonitorConfigError, MonitorEvent, Pace, Sample};
pub use stats::MonitorStats;
pub use watch::{Change, Watch};

use core::{net::SocketAddr, time::Duration};

use crate::endpoint::Endpoint;

/// The port that is probed when none is given (S1-15).
pub const PORT: u16 = 12_345;

/// What a round trip says of the way (S1-16), from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// As quick as it should be.
    Normal,
    /// Slower than it should be.
    Slow,
    /// Much slower than it should be.
    VerySlow,
    /// No reply in time.
    Inactive,
}

impl Status {
    /// All of them, from good to bad.
    pub const ALL: [Self; 4] = [Self::Normal, Self::Slow, Self::VerySlow, Self::Inactive];

    /// Its place in [`ALL`](Self::ALL).
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// From which round trip on the way counts as slow, and as very slow (S1-15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Below it is [`Status::Normal`].
    pub normal_below: Duration,
    /// Below it, and not normal, is [`Status::Slow`].
    pub slow_below: Duration,
}

impl Default for Thresholds {
    /// 100 ms and 300 ms.
    fn default() -> Self {
        Self { normal_below: Duration::from_millis(100), slow_below: Duration::from_millis(300) }
    }
}

impl Thresholds {
    /// What a round trip counts as; `None` is no reply in time.
    ///
    /// ```
    /// use core::time::Duration;
    /// use rdtp::app::monitor::{Status, Thresholds};
    ///
    /// let thresholds = Thresholds::default();
    /// assert_eq!(thresholds.status(Some(Duration::from_micros(99_999))), Status::Normal);
    /// assert_eq!(thresholds.status(Some(Duration::from_millis(100))), Status::Slow);
    /// assert_eq!(thresholds.status(Some(Duration::from_millis(300))), Status::VerySlow);
    /// assert_eq!(thresholds.status(None), Status::Inactive);
    /// ```
    pub fn status(&self, rtt: Option<Duration>) -> Status {
        match rtt {
            None => Status::Inactive,
            Some(rtt) if rtt < self.normal_below => Status::Normal,
            Some(rtt) if rtt < self.slow_below => Status::Slow,
            Some(_) => Status::VerySlow,
        }
    }
}

/// A monitor on top of whatever carries it.
pub trait MonitorEndpoint: Endpoint<Event = MonitorEvent> {
    /// The monitor.
    fn monitor(&self) -> &Monitor;

    /// The monitor, to stop it or to take its events.
    fn monitor_mut(&mut self) -> &mut Monitor;
}

/// What the side that answers tells its application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EchoEvent {
    /// A probe was answered.
    Answered(SocketAddr),
    /// Something arrived that is no probe, and was not answered.
    Ignored(SocketAddr),
}
