//! The protocols by name, for programs that let their user choose.

use alloc::{
    borrow::ToOwned,
    boxed::Box,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, net::SocketAddr, str::FromStr};

use super::{
    adapter::Classic,
    config::{Config, ConfigError},
    conversation::Conversation,
    gbn::{GoBackN, WINDOW_MAX, WindowError},
    machine::{Fields, Protocol},
    rdt10::Rdt10,
    rdt20::{Garbled, Rdt20},
    rdt21::Rdt21,
    rdt22::Rdt22,
    rdt30::StopAndWait,
    sr::SelectiveRepeat,
};
use crate::{
    channel::Channel,
    seq::Modulus,
    wire::{Checksum, Codec},
};

/// The window of go-back-N and selective repeat when none is given, in packets.
pub const WINDOW_DEFAULT: u64 = 32;

/// A protocol of the textbook with its parameters.
///
/// As text: `rdt1.0`, `rdt2.0` (`rdt2.0:ignore`, `rdt2.0:ack`), `rdt2.1`, `rdt2.2`, `rdt3.0`
/// (`rdt3.0:apprentice`), `saw:M` for stop-and-wait with M numbers, `gbn:N/M` and `sr:N/M` for
/// window N and M numbers. Without `:N` the window is 32, without `/M` numbers never repeat.
///
/// ```
/// use rdtp::classic::Spec;
///
/// let spec: Spec = "gbn:4/8".parse()?;
/// assert_eq!(spec.to_string(), "gbn:4/8");
/// assert!("gbn:8/8".parse::<Spec>().is_err(), "a window must be smaller than the modulus");
/// # Ok::<(), rdtp::classic::SpecError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spec {
    /// rdt 1.0.
    Rdt10(Rdt10),
    /// rdt 2.0.
    Rdt20(Rdt20),
    /// rdt 2.1.
    Rdt21(Rdt21),
    /// rdt 2.2.
    Rdt22(Rdt22),
    /// rdt 3.0 and stop-and-wait with more numbers.
    StopAndWait(StopAndWait),
    /// Go-back-N.
    GoBackN(GoBackN),
    /// Selective repeat.
    SelectiveRepeat(SelectiveRepeat),
}

/// Something to do with a protocol whatever its type; see [`Spec::visit`].
pub trait Visitor {
    /// What comes of it.
    type Output;
    /// Does it.
    fn visit<P: Protocol + 'static>(self, protocol: P) -> Self::Output;
}

impl Spec {
    /// The protocols in the order of the book, with their usual parameters.
    pub fn book() -> Vec<Self> {
        let window = WINDOW_DEFAULT;
        let all = Modulus::NEVER;
        Vec::from([
            Self::Rdt10(Rdt10),
            Self::Rdt20(Rdt20::default()),
            Self::Rdt21(Rdt21),
            Self::Rdt22(Rdt22),
            Self::StopAndWait(StopAndWait::RDT30),
            Self::GoBackN(GoBackN::with_illegal_window(window, all)),
            Self::SelectiveRepeat(SelectiveRepeat::with_illegal_window(window, all)),
        ])
    }

    /// Calls `visitor` with the protocol as its own type.
    pub fn visit<V: Visitor>(self, visitor: V) -> V::Output {
        match self {
            Self::Rdt10(protocol) => visitor.visit(protocol),
            Self::Rdt20(protocol) => visitor.visit(protocol),
            Self::Rdt21(protocol) => visitor.visit(protocol),
            Self::Rdt22(protocol) => visitor.visit(protocol),
            Self::StopAndWait(protocol) => visitor.visit(protocol),
            Self::GoBackN(protocol) => visitor.visit(protocol),
            Self::SelectiveRepeat(protocol) => visitor.visit(protocol),
        }
    }

    /// An endpoint of this protocol that talks to `peer`.
    pub fn endpoint(
        self,
        config: Config,
        peer: SocketAddr,
    ) -> Result<Box<dyn Conversation + Send>, ConfigError> {
        struct Make(Config, SocketAddr);
        impl Visitor for Make {
            type Output = Result<Box<dyn Conversation + Send>, ConfigError>;
            fn visit<P: Protocol + 'static>(self, protocol: P) -> Self::Output {
                Ok(Box::new(Classic::new(&protocol, self.0, self.1)?))
            }
        }
        self.visit(Make(config, peer))
    }

    /// The worst channel it tolerates; see [`Protocol::tolerates`].
    pub fn tolerates(self) -> Channel {
        struct Ask;
        impl Visitor for Ask {
            type Output = Channel;
            fn visit<P: Protocol>(self, protocol: P) -> Channel {
                protocol.tolerates()
            }
        }
        self.visit(Ask)
    }

    /// The worst channel it tolerates with packets of this format: without a checksum, damage is not
    /// noticed and goes up to the application.
    pub fn tolerates_with(self, codec: Codec) -> Channel {
        let channel = self.tolerates();
        let checked = match codec {
            Codec::Bare | Codec::Compact { checksum: Checksum::None } => false,
            Codec::Compact { .. } | Codec::Lab { .. } => true,
        };
        Channel { corrupt: channel.corrupt && checked, ..channel }
    }

    /// What its packets carry; see [`Protocol::FIELDS`].
    pub fn fields(self) -> Fields {
        struct Ask;
        impl Visitor for Ask {
            type Output = Fields;
            fn visit<P: Protocol>(self, _: P) -> Fields {
                P::FIELDS
            }
        }
        self.visit(Ask)
    }

    /// Where the book draws it; see [`Protocol::FIGURE`].
    pub fn figure(self) -> &'static str {
        struct Ask;
        impl Visitor for Ask {
            type Output = &'static str;
            fn visit<P: Protocol>(self, _: P) -> &'static str {
                P::FIGURE
            }
        }
        self.visit(Ask)
    }

    /// Parses `text`, with windows that are illegal for their modulus allowed: to show how they
    /// break.
    pub fn parse_even_if_illegal(text: &str) -> Result<Self, SpecError> {
        parse(text, true)
    }

    /// The same protocol, unless its window is illegal for its modulus.
    pub fn legal(self) -> Result<Self, SpecError> {
        match self {
            Self::GoBackN(p) => go_back_n(p.window(), p.modulus(), false),
            Self::SelectiveRepeat(p) => selective_repeat(p.window(), p.modulus(), false),
            other => Ok(other),
        }
    }

    /// The same protocol with another window, and with other numbers where given. Fails for
    /// protocols that have no window or no choice of numbers.
    pub fn with(
        self,
        window: Option<u64>,
        modulus: Option<Modulus>,
        even_if_illegal: bool,
    ) -> Result<Self, SpecError> {
        match (self, window, modulus) {
            (_, None, None) => Ok(self),
            (Self::StopAndWait(p), None, Some(m)) => {
                let changed = StopAndWait::new(m);
                let apprentice = p.is_apprentice();
                let changed = if apprentice { changed.sorcerers_apprentice() } else { changed };
                Ok(Self::StopAndWait(changed))
            }
            (Self::GoBackN(p), ..) => {
                let window = window.unwrap_or(p.window());
                go_back_n(window, modulus.unwrap_or(p.modulus()), even_if_illegal)
            }
            (Self::SelectiveRepeat(p), ..) => {
                let window = window.unwrap_or(p.window());
                selective_repeat(window, modulus.unwrap_or(p.modulus()), even_if_illegal)
            }
            _ => Err(SpecError::Parameter { protocol: self.to_string() }),
        }
    }
}

/// Refuses what is no window at all, even where illegal windows are asked for.
fn possible(window: u64) -> Result<(), WindowError> {
    match window {
        0 => Err(WindowError::Zero),
        1..=WINDOW_MAX => Ok(()),
        _ => Err(WindowError::Buffer { largest: WINDOW_MAX }),
    }
}

fn go_back_n(window: u64, modulus: Modulus, illegal: bool) -> Result<Spec, SpecError> {
    if illegal {
        possible(window)?;
        return Ok(Spec::GoBackN(GoBackN::with_illegal_window(window, modulus)));
    }
    Ok(Spec::GoBackN(GoBackN::new(window, modulus)?))
}

fn selective_repeat(window: u64, modulus: Modulus, illegal: bool) -> Result<Spec, SpecError> {
    if illegal {
        possible(window)?;
        return Ok(Spec::SelectiveRepeat(SelectiveRepeat::with_illegal_window(window, modulus)));
    }
    Ok(Spec::SelectiveRepeat(SelectiveRepeat::new(window, modulus)?))
}

/// Why a text names no protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpecError {
    /// No protocol of that name.
    Name(String),
    /// A parameter is not understood.
    Variant {
        /// The protocol.
        name: &'static str,
        /// What may follow the colon.
        allowed: &'static str,
    },
    /// The window does not fit the numbers.
    Window(WindowError),
    /// This protocol has no such parameter.
    Parameter {
        /// The protocol.
        protocol: String,
    },
}

impl From<WindowError> for SpecError {
    fn from(error: WindowError) -> Self {
        Self::Window(error)
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(text) => write!(
                f,
                "unknown protocol '{text}': use rdt1.0, rdt2.0, rdt2.1, rdt2.2, rdt3.0, saw:M, \
                 gbn or sr"
            ),
            Self::Variant { name, allowed } => write!(f, "after {name} write {allowed}"),
            Self::Window(error) => error.fmt(f),
            Self::Parameter { protocol } => write!(
                f,
                "{protocol} has no such parameter: a window goes with gbn and sr, a modulus with \
                 rdt3.0, gbn and sr"
            ),
        }
    }
}

impl core::error::Error for SpecError {}

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        parse(text, false)
    }
}

fn parse(text: &str, illegal: bool) -> Result<Spec, SpecError> {
    let (name, argument) = match text.split_once(':') {
        Some((name, argument)) => (name, Some(argument)),
        None => (text, None),
    };
    let canonical = name.to_ascii_lowercase().replace([' ', '-', '_', '.'], "");
    match canonical.as_str() {
        "rdt10" if argument.is_none() => Ok(Spec::Rdt10(Rdt10)),
        "rdt20" => rdt20(argument),
        "rdt21" if argument.is_none() => Ok(Spec::Rdt21(Rdt21)),
        "rdt22" if argument.is_none() => Ok(Spec::Rdt22(Rdt22)),
        "rdt30" => match argument {
            None => Ok(Spec::StopAndWait(StopAndWait::RDT30)),
            Some("apprentice") => Ok(Spec::StopAndWait(StopAndWait::RDT30.sorcerers_apprentice())),
            Some(_) => Err(SpecError::Variant { name: "rdt3.0", allowed: "apprentice or nothing" }),
        },
        "saw" | "stopandwait" => {
            let (numbers, apprentice) = match argument.and_then(|text| text.split_once(':')) {
                Some((numbers, "apprentice")) => (Some(numbers), true),
                _ => (argument, false),
            };
            let modulus = numbers.and_then(number).filter(|&m| m >= 2).map(Modulus::new);
            let allowed = "a colon and how many sequence numbers there are, at least 2";
            let protocol =
                StopAndWait::new(modulus.ok_or(SpecError::Variant { name: "saw", allowed })?);
            Ok(Spec::StopAndWait(if apprentice {
                protocol.sorcerers_apprentice()
            } else {
                protocol
            }))
        }
        "gbn" | "gobackn" => {
            let (window, modulus) = window_and_modulus("gbn", argument)?;
            go_back_n(window, modulus, illegal)
        }
        "sr" | "selectiverepeat" => {
            let (window, modulus) = window_and_modulus("sr", argument)?;
            selective_repeat(window, modulus, illegal)
        }
        _ => Err(SpecError::Name(text.to_owned())),
    }
}

fn rdt20(argument: Option<&str>) -> Result<Spec, SpecError> {
    let garbled = match argument {
        None | Some("resend") => Garbled::Resend,
        Some("ignore") => Garbled::Ignore,
        Some("ack") => Garbled::TakeAsAck,
        Some(_) => {
            return Err(SpecError::Variant { name: "rdt2.0", allowed: "resend, ignore or ack" });
        }
    };
    Ok(Spec::Rdt20(Rdt20 { garbled }))
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|&n| n > 0)
}

/// `N`, `N/M` or nothing.
fn window_and_modulus(
    name: &'static str,
    argument: Option<&str>,
) -> Result<(u64, Modulus), SpecError> {
    let wrong = SpecError::Variant { name, allowed: "a window N, or N/M with M sequence numbers" };
    let Some(argument) = argument else { return Ok((WINDOW_DEFAULT, Modulus::NEVER)) };
    let (window, modulus) = match argument.split_once('/') {
        Some((window, modulus)) => (window, number(modulus).map(Modulus::new)),
        None => (argument, Some(Modulus::NEVER)),
    };
    number(window).zip(modulus).ok_or(wrong)
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let windowed = |f: &mut fmt::Formatter<'_>, name: &str, window: u64, modulus: Modulus| {
            let numbers =
                if modulus.never_repeats() { String::new() } else { format!("/{modulus}") };
            if window == WINDOW_DEFAULT && modulus.never_repeats() {
                f.write_str(name)
            } else {
                write!(f, "{name}:{window}{numbers}")
            }
        };
        match self {
            Self::Rdt10(_) => f.write_str("rdt1.0"),
            Self::Rdt20(Rdt20 { garbled }) => f.write_str(match garbled {
                Garbled::Resend => "rdt2.0",
                Garbled::Ignore => "rdt2.0:ignore",
                Garbled::TakeAsAck => "rdt2.0:ack",
            }),
            Self::Rdt21(_) => f.write_str("rdt2.1"),
            Self::Rdt22(_) => f.write_str("rdt2.2"),
            Self::StopAndWait(p) => {
                match p.modulus().count() {
                    2 => f.write_str("rdt3.0")?,
                    count => write!(f, "saw:{count}")?,
                }
                f.write_str(if p.is_apprentice() { ":apprentice" } else { "" })
            }
            Self::GoBackN(p) => windowed(f, "gbn", p.window(), p.modulus()),
            Self::SelectiveRepeat(p) => windowed(f, "sr", p.window(), p.modulus()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for text in [
            "rdt1.0",
            "rdt2.0",
            "rdt2.0:ignore",
            "rdt2.0:ack",
            "rdt2.1",
            "rdt2.2",
            "rdt3.0",
            "rdt3.0:apprentice",
            "saw:5",
            "saw:5:apprentice",
            "gbn",
            "gbn:7",
            "gbn:7/8",
            "sr",
            "sr:32/64",
            "sr:4/8",
        ] {
            assert_eq!(text.parse::<Spec>().unwrap().to_string(), text);
        }
        assert_eq!("Go-Back-N:3/4".parse::<Spec>().unwrap().to_string(), "gbn:3/4");
        assert_eq!("saw:2".parse::<Spec>().unwrap().to_string(), "rdt3.0");
    }

    #[test]
    fn wrong_names_say_what_would_be_right() {
        let message = |text: &str| text.parse::<Spec>().unwrap_err().to_string();
        assert!(message("tcp").contains("rdt3.0, saw:M, gbn or sr"));
        assert!(message("rdt2.0:maybe").contains("resend, ignore or ack"));
        assert!(message("saw:1").contains("at least 2"));
        assert!(message("gbn:four").contains("N/M"));
        assert!(message("gbn:8/8").contains("at most 7"));
        assert!(message("sr:3/4").contains("at most 2"));
        assert!(message("gbn:100000").contains("65536"));
        for impossible in ["gbn:0/8", "sr:100000/8"] {
            assert!(Spec::parse_even_if_illegal(impossible).is_err(), "{impossible}");
        }
        let silent = Codec::Compact { checksum: Checksum::None };
        let gbn: Spec = "gbn".parse().unwrap();
        assert!(gbn.tolerates().corrupt && !gbn.tolerates_with(silent).corrupt);
        let illegal = Spec::parse_even_if_illegal("sr:3/4").unwrap();
        assert!(illegal.legal().is_err());
        assert!("gbn:3/4".parse::<Spec>().unwrap().legal().is_ok());
    }

    #[test]
    fn flags_change_parameters_where_there_are_any() {
        let gbn = "gbn".parse::<Spec>().unwrap();
        let changed = gbn.with(Some(3), Some(Modulus::bits(2)), false).unwrap();
        assert_eq!(changed.to_string(), "gbn:3/4");
        assert!(gbn.with(Some(4), Some(Modulus::bits(2)), false).is_err());
        assert!(gbn.with(Some(4), Some(Modulus::bits(2)), true).is_ok());
        assert!("rdt2.2".parse::<Spec>().unwrap().with(Some(4), None, false).is_err());
        assert_eq!(
            "rdt2.2".parse::<Spec>().unwrap().with(None, None, false).unwrap().to_string(),
            "rdt2.2"
        );
    }

    #[test]
    fn the_book_in_order() {
        let names: Vec<_> = Spec::book().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["rdt1.0", "rdt2.0", "rdt2.1", "rdt2.2", "rdt3.0", "gbn", "sr"]);
    }
}
