//! How a machine becomes an endpoint: role, format, timeout, and the limits of every queue.

use core::fmt;

use super::{
    machine::Protocol,
    timeout::{Timeout, TimerStart},
};
use crate::{seq::Modulus, wire::Codec};

/// Which of the two machines an endpoint runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// Both: data flows either way at once.
    #[default]
    Duplex,
    /// Only the sender: data goes out, feedback comes in.
    Sender,
    /// Only the receiver.
    Receiver,
}

/// What [`Classic`](super::Classic) adds to a machine.
///
/// ```
/// use core::time::Duration;
/// use rdtp::classic::{Config, Role, Timeout};
///
/// let config = Config {
///     role: Role::Sender,
///     timeout: Timeout::Fixed(Duration::from_millis(50)),
///     ..Config::default()
/// };
/// assert_eq!(config.attempts_max, Some(50));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Which machines run.
    pub role: Role,
    /// How packets become bytes.
    pub codec: Codec,
    /// How the retransmission timeout is chosen.
    pub timeout: Timeout,
    /// From when a restarted timer counts.
    pub timer_start: TimerStart,
    /// How often the timer of one message runs out, with nothing confirmed in between, before the
    /// sender gives up on the peer; `None` tries for ever.
    pub attempts_max: Option<u32>,
    /// The most messages that wait in `send` for room in the window.
    pub queue_messages_max: usize,
    /// The most delivered messages that wait for the application. Data that arrives then is
    /// discarded, and the peer's sender must repeat it. Selective repeat may pass this by one
    /// window when a gap closes.
    pub inbox_messages_max: usize,
    /// The most ACKs and NAKs that wait for the driver. More are dropped, as if the network had. Of
    /// data there waits at most one window: no packet is queued twice.
    pub outbox_packets_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            role: Role::Duplex,
            codec: Codec::default(),
            timeout: Timeout::default(),
            timer_start: TimerStart::default(),
            attempts_max: Some(50),
            queue_messages_max: 1024,
            inbox_messages_max: 1024,
            outbox_packets_max: 4096,
        }
    }
}

impl Config {
    /// Checks that the codec has room for what the protocol's packets carry.
    pub fn check<P: Protocol>(&self, protocol: &P) -> Result<(), ConfigError> {
        if matches!(self.codec, Codec::Bare) && P::FIELDS.checksum {
            return Err(ConfigError::NeedsHeader { protocol: P::NAME });
        }
        let (needed, carried) = (protocol.modulus(), self.codec.numbers());
        if needed.count() > carried.count() {
            return Err(ConfigError::Numbers { protocol: P::NAME, needed, carried });
        }
        Ok(())
    }
}

/// Why a protocol and a configuration do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// The bare format has no header.
    NeedsHeader {
        /// The protocol asked for.
        protocol: &'static str,
    },
    /// The format's sequence number field is too small.
    Numbers {
        /// The protocol asked for.
        protocol: &'static str,
        /// The numbers it uses.
        needed: Modulus,
        /// The numbers the format can carry.
        carried: Modulus,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeedsHeader { protocol } => {
                write!(f, "{protocol} needs a header: use the compact or the lab format")
            }
            Self::Numbers { protocol, needed, carried } => write!(
                f,
                "{protocol} uses {needed} sequence numbers, but this format carries {carried}: \
                 use the compact format or fewer numbers"
            ),
        }
    }
}

impl core::error::Error for ConfigError {}
