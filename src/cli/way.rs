//! What carries a file: a protocol of the textbook, or the production transport.

use core::{fmt, str::FromStr};

use rdtp::{
    channel::Channel,
    classic::{Spec, SpecError},
    transport::preset::Preset,
    wire::{Anatomy, Codec, transport::anatomy},
};

/// As text: what [`Spec`] reads, with windows that are illegal for their numbers, or `transport`,
/// with a preset as in `transport:lossy-link`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Book(Spec),
    Transport(Preset),
}

impl Way {
    /// The worst network that it tolerates.
    pub(crate) fn tolerates_with(self, codec: Codec) -> Channel {
        match self {
            Self::Book(spec) => spec.tolerates_with(codec),
            Self::Transport(_) => Channel::HOSTILE,
        }
    }

    /// What tells data from feedback, and header from payload.
    pub(crate) fn anatomy(self, codec: Codec, datagram: &[u8]) -> Anatomy {
        match self {
            Self::Book(_) => codec.anatomy(datagram),
            Self::Transport(_) => anatomy(datagram),
        }
    }

    /// The number that stands for it and its parameters in the header of a file. Presets do not
    /// count: each side has its own.
    pub(crate) fn carrier(self) -> u32 {
        let name = match self {
            Self::Book(spec) => spec.to_string(),
            Self::Transport(_) => NAME.to_owned(),
        };
        let [a, b, c, d, ..] = *blake3::hash(name.as_bytes()).as_bytes();
        u32::from_be_bytes([a, b, c, d]).max(1)
    }
}

const NAME: &str = "transport";

impl FromStr for Way {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, preset) = text.split_once(':').map_or((text, None), |(a, b)| (a, Some(b)));
        if name == NAME {
            let preset = preset.map(str::parse).transpose();
            return match preset {
                Ok(preset) => Ok(Self::Transport(preset.unwrap_or_default())),
                Err(error) => Err(format!("{error}")),
            };
        }
        let spec = Spec::parse_even_if_illegal(text);
        spec.map(Self::Book).map_err(|error| {
            // What is not known at all may have been meant to be this.
            format!(
                "{error}{}",
                if matches!(error, SpecError::Name(_)) { ", or transport" } else { "" }
            )
        })
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Book(spec) => spec.fmt(f),
            Self::Transport(Preset::Internet) => f.write_str(NAME),
            Self::Transport(preset) => write!(f, "{NAME}:{preset}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_printed() {
        for name in ["transport", "transport:lan", "transport:lossy-link", "sr:4/8", "gbn:8/8"] {
            assert_eq!(name.parse::<Way>().unwrap().to_string(), name);
        }
        let wrong = |text: &str| text.parse::<Way>().unwrap_err();
        assert!(wrong("tcp").ends_with("gbn or sr, or transport"), "{}", wrong("tcp"));
        assert!(wrong("transport:wan").contains("lossy-link"));
        assert!(wrong("gbn:four").contains("N/M"));
    }

    #[test]
    fn presets_understand_each_other_and_protocols_do_not() {
        let carrier = |text: &str| text.parse::<Way>().unwrap().carrier();
        assert_eq!(carrier("transport"), carrier("transport:lan"));
        assert_ne!(carrier("sr"), carrier("gbn"));
        assert_ne!(carrier("transport"), carrier("sr"));
    }
}
