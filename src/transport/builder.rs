//! Building a configuration field by field.

use core::time::Duration;

use super::{
    cc::Algorithm,
    config::{Config, ConfigError},
    preset::Preset,
};

/// Builds a [`Config`]; what is not set is as in the [`Preset`] that it began with.
///
/// ```
/// use core::time::Duration;
/// use rdtp::transport::config::{Config, ConfigError};
///
/// let config = Config::builder().idle_timeout(Duration::from_secs(5)).packet_bytes(1400).build()?;
/// assert_eq!(config.packet_bytes, 1400);
/// assert_eq!(Config::builder().packet_bytes(500).build().unwrap_err(), ConfigError::PacketBytes);
/// # Ok::<(), ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ConfigBuilder {
    config: Config,
}

impl Config {
    /// Builds a configuration that is fit for the Internet but for what is set.
    pub fn builder() -> ConfigBuilder {
        Preset::Internet.builder()
    }
}

impl Preset {
    /// Builds a configuration that is fit for this network but for what is set.
    pub fn builder(self) -> ConfigBuilder {
        ConfigBuilder { config: self.config() }
    }
}

/// A method for each field, with the documentation of the field.
macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident: $type:ty => $($place:ident).+;)*) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub const fn $name(mut self, $name: $type) -> Self {
                self.config.$($place).+ = $name;
                self
            }
        )*
    };
}

impl ConfigBuilder {
    fields! {
        /// UDP payload of the largest packet that is sent at first, in bytes: 1200 to 65,507.
        packet_bytes: usize => packet_bytes;
        /// UDP payload of the largest packet that is looked for, in bytes, up to 65,507.
        packet_bytes_max: usize => packet_bytes_max;
        /// Silence after which the connection is given up; zero for never.
        idle_timeout: Duration => idle_timeout;
        /// Silence after which a packet is sent to keep the connection; zero for never.
        keep_alive: Duration => keep_alive;
        /// How long a connection is tried to be opened.
        open_timeout: Duration => open_timeout;
        /// The round trip that is guessed before one is measured.
        rtt_initial: Duration => rtt_initial;
        /// Packets to be acknowledged that may wait for one ACK, itself included.
        ack_threshold: u64 => acks.threshold;
        /// The longest that an ACK waits, at most 16,383 ms.
        ack_delay_max: Duration => acks.delay_max;
        /// Whether packets are marked as able to bear ECN.
        ecn: bool => ecn;
        /// Which congestion control decides about the window.
        congestion: Algorithm => congestion;
        /// Streams that the peer may have open at the same time.
        peer_streams_max: u64 => streams.peer_streams_max;
        /// Bytes of a stream that the peer may send ahead of the application, at first.
        stream_window_bytes: u64 => streams.stream_window_bytes;
        /// What that may grow to.
        stream_window_bytes_max: u64 => streams.stream_window_bytes_max;
        /// Bytes of all streams together that the peer may send ahead of the application, at first.
        window_bytes: u64 => streams.window_bytes;
        /// What that may grow to.
        window_bytes_max: u64 => streams.window_bytes_max;
        /// Gaps in a stream that are kept track of.
        gaps_max: usize => streams.gaps_max;
        /// Bytes of a stream that wait to be sent or acknowledged.
        send_buffer_bytes: u64 => streams.send_buffer_bytes;
        /// The longest datagram of the application that is accepted, in bytes; zero for none.
        datagram_bytes_max: usize => datagram_bytes_max;
        /// Datagrams of the application that wait to be sent, and that wait to be taken.
        datagrams_max: usize => datagrams_max;
    }

    /// The configuration; refuses what cannot work, and says what would.
    pub fn build(self) -> Result<Config, ConfigError> {
        self.config.check()?;
        Ok(self.config)
    }
}
