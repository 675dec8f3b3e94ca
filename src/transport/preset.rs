//! Configurations for common networks, by name.

use core::{fmt, str::FromStr, time::Duration};

use super::{acks::AckPolicy, cc::Algorithm, config::Config, stream::StreamLimits};

const MIB: u64 = 1 << 20;

/// A network that a [`Config`] is fit for.
///
/// ```
/// use rdtp::transport::preset::Preset;
///
/// let preset: Preset = "datacenter".parse()?;
/// assert_eq!(preset.config().packet_bytes_max, 8972);
/// # Ok::<(), rdtp::transport::preset::UnknownPreset>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// One building: Ethernet frames, round trips of a millisecond. `lan`
    Lan,
    /// Anywhere: the default of [`Config`]. `internet`
    #[default]
    Internet,
    /// Radio and satellites: losses that are no congestion, long and uneven round trips.
    /// `lossy-link`
    LossyLink,
    /// One rack: jumbo frames, round trips of some ten microseconds, much memory. `datacenter`
    Datacenter,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Lan, Self::Internet, Self::LossyLink, Self::Datacenter];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lan => "lan",
            Self::Internet => "internet",
            Self::LossyLink => "lossy-link",
            Self::Datacenter => "datacenter",
        }
    }

    /// The configuration.
    pub fn config(self) -> Config {
        let base = Config::default();
        match self {
            Self::Internet => base,
            Self::Lan => Config {
                packet_bytes: 1472,
                rtt_initial: Duration::from_millis(20),
                acks: AckPolicy { threshold: 2, delay_max: Duration::from_millis(5) },
                streams: windows(base.streams, 2 * MIB, 16 * MIB),
                ..base
            },
            Self::LossyLink => Config {
                congestion: Algorithm::BbrLossyLink,
                // A stream with many holes, and a path that is silent for a while.
                idle_timeout: Duration::from_mins(2),
                keep_alive: Duration::from_secs(15),
                open_timeout: Duration::from_mins(1),
                rtt_initial: Duration::from_millis(500),
                streams: StreamLimits {
                    gaps_max: 4096,
                    ..windows(base.streams, 4 * MIB, 32 * MIB)
                },
                ..base
            },
            Self::Datacenter => Config {
                packet_bytes: 1472,
                packet_bytes_max: 8972,
                rtt_initial: Duration::from_millis(1),
                acks: AckPolicy { threshold: 2, delay_max: Duration::from_millis(1) },
                streams: windows(base.streams, 8 * MIB, 64 * MIB),
                ..base
            },
        }
    }
}

/// Windows of a stream at first and at most; the connection's are half as large again, and what
/// waits to be sent fills the first.
fn windows(base: StreamLimits, first: u64, most: u64) -> StreamLimits {
    StreamLimits {
        stream_window_bytes: first,
        stream_window_bytes_max: most,
        window_bytes: first + first / 2,
        window_bytes_max: most + most / 2,
        send_buffer_bytes: base.send_buffer_bytes.max(2 * first),
        ..base
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no preset of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownPreset;

impl fmt::Display for UnknownPreset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such preset: choose lan, internet, lossy-link or datacenter")
    }
}

impl core::error::Error for UnknownPreset {}

impl FromStr for Preset {
    type Err = UnknownPreset;

    fn from_str(text: &str) -> Result<Self, UnknownPreset> {
        Self::ALL.into_iter().find(|preset| preset.name() == text).ok_or(UnknownPreset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn all_are_sound_and_found_by_name() {
        for preset in Preset::ALL {
            assert_eq!(preset.config().check(), Ok(()), "{preset}");
            assert_eq!(preset.to_string().parse(), Ok(preset));
            assert!(UnknownPreset.to_string().contains(preset.name()), "{preset} is offered");
        }
        assert_eq!("wan".parse::<Preset>(), Err(UnknownPreset));
    }
}
