//! What `send` and `recv` have in common: the flags that choose a protocol, and words for people.

use core::{fmt::Write as _, net::SocketAddr, str::FromStr, time::Duration};
use std::{io, net::ToSocketAddrs};

use clap::{Args, error::ErrorKind};
use indicatif::{ProgressBar, ProgressStyle};
use rdtp::{
    app::file::Digest,
    classic::{Adaptive, Config, Spec, Timeout},
    net::SocketConfig,
    quantity::Span,
    seq::Modulus,
    transport::{self, preset::Preset},
    wire::{Checksum, Codec},
};

use super::{Failure, refuse, way::Way};

/// Which protocol, and how. Both sides must choose the same protocol, numbers and checksum.
#[derive(Clone, Debug, Args)]
pub(crate) struct ProtocolArgs {
    /// Protocol: rdt1.0, rdt2.0, rdt2.1, rdt2.2, rdt3.0, saw:M, gbn:N/M or sr:N/M, for window N and
    /// M sequence numbers; or transport, the production transport, which may be told the network that
    /// it is for: transport:lan, internet (as without), lossy-link or datacenter
    #[arg(long, value_name = "NAME", default_value = "sr")]
    protocol: Way,
    /// Window of go-back-N or selective repeat, in packets
    #[arg(long, value_name = "N")]
    window: Option<u64>,
    /// How many sequence numbers there are; without it they never repeat
    #[arg(long, value_name = "M", conflicts_with = "bits",
          value_parser = clap::value_parser!(u64).range(2..))]
    modulus: Option<u64>,
    /// Bits of a sequence number: --modulus 2^K
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=62))]
    bits: Option<u32>,
    /// Allow a window that is illegal for its sequence numbers, to see it break
    #[arg(long)]
    illegal_window: bool,
    /// Checksum of each packet: none, internet, crc16 or crc32c; without it crc32c, which the
    /// transport always has
    #[arg(long, value_name = "NAME")]
    checksum: Option<Checksum>,
    /// Retransmission timeout: fixed:50ms; adaptive, which follows the measured round trips between
    /// 5 ms and 1 s; or rfc6298, which does so between 1 s and 60 s, as TCP; without it adaptive. The
    /// transport has rules of its own
    #[arg(long, value_name = "RULE")]
    timeout: Option<TimeoutRule>,
    /// Give up when the other side shows no progress for so long
    #[arg(long, value_name = "TIME", default_value = "20s")]
    give_up: Span,
    /// Print what the protocol does, packet by packet, to standard error
    #[arg(long)]
    pub(crate) trace: bool,
    /// Print results as one JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

impl ProtocolArgs {
    /// The protocol with its parameters. Parameters that do not go together are bad usage, as if
    /// one of them could not be read, and end the program.
    pub(crate) fn way(&self) -> Way {
        let spec = match self.protocol {
            Way::Book(spec) => spec,
            Way::Transport(_) => {
                if let Some(option) = self.of_the_book() {
                    let what = format!("{option} is for the textbook's protocols, not transport\n");
                    clap::Error::raw(ErrorKind::ArgumentConflict, what).exit()
                }
                return self.protocol;
            }
        };
        let modulus = self.modulus.map(Modulus::new).or(self.bits.map(Modulus::bits));
        let spec = spec.with(self.window, modulus, true);
        let legal = |spec: Spec| if self.illegal_window { Ok(spec) } else { spec.legal() };
        Way::Book(spec.and_then(legal).unwrap_or_else(|error| {
            clap::Error::raw(ErrorKind::ValueValidation, format!("{error}\n")).exit()
        }))
    }

    /// The first option that was given and that only protocols of the textbook have.
    fn of_the_book(&self) -> Option<&'static str> {
        let given = [
            (self.window.is_some(), "--window"),
            (self.modulus.is_some(), "--modulus"),
            (self.bits.is_some(), "--bits"),
            (self.illegal_window, "--illegal-window"),
            (self.checksum.is_some(), "--checksum"),
            (self.timeout.is_some(), "--timeout"),
        ];
        given.into_iter().find_map(|(given, name)| given.then_some(name))
    }

    /// How its machines become endpoints.
    pub(crate) fn config(&self) -> Config {
        Config {
            codec: Codec::Compact { checksum: self.checksum.unwrap_or_default() },
            timeout: self.timeout.map_or(TimeoutRule::DEFAULT, |rule| rule.0),
            // Silence is judged by time here, the same for every protocol: see `give_up`.
            attempts_max: None,
            // Enough to refill the window; more would only delay an abort, and the progress bar
            // would run ahead.
            queue_messages_max: 16,
            ..Config::default()
        }
    }

    /// How the transport behaves, fit for this network. Silence has one limit, however it is noticed.
    pub(crate) fn transport(&self, preset: Preset) -> transport::config::Config {
        let config = preset.config();
        let (idle_timeout, open_timeout) = (self.give_up(), self.give_up());
        transport::config::Config { idle_timeout, open_timeout, ..config }
    }

    /// How long nothing may happen.
    pub(crate) fn give_up(&self) -> Duration {
        self.give_up.0
    }
}

/// `fixed:TIME`, `adaptive` or `rfc6298`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeoutRule(pub(crate) Timeout);

impl TimeoutRule {
    /// What holds when nothing else is asked for.
    pub(crate) const DEFAULT: Timeout = Timeout::Adaptive(Self::ADAPTIVE);
    /// From a room to the other side of the world. A second at most, for a lossy link drives
    /// back-off to its limit now and then, and nothing moves meanwhile.
    const ADAPTIVE: Adaptive = Adaptive {
        rto_initial: Duration::from_millis(200),
        rto_min: Duration::from_millis(5),
        rto_max: Duration::from_secs(1),
    };
}

impl FromStr for TimeoutRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "adaptive" {
            return Ok(Self(Timeout::Adaptive(Self::ADAPTIVE)));
        }
        if text == "rfc6298" {
            return Ok(Self(Timeout::Adaptive(Adaptive::RFC6298)));
        }
        let Some(time) = text.strip_prefix("fixed:") else {
            return Err("write adaptive, rfc6298, or fixed:TIME such as fixed:50ms".into());
        };
        let Span(time) = time.parse().map_err(|error| format!("{error}"))?;
        if time.is_zero() {
            return Err("a timeout of zero would never stop sending".into());
        }
        Ok(Self(Timeout::Fixed(time)))
    }
}

/// The socket that a way wants: a window of the transport is more than what the system gives by
/// itself.
pub(crate) fn socket_config(way: Way) -> SocketConfig {
    let bytes = |bytes| matches!(way, Way::Transport(_)).then_some(bytes);
    SocketConfig {
        recv_buffer_bytes: bytes(4 << 20),
        send_buffer_bytes: bytes(1 << 20),
        ..SocketConfig::default()
    }
}

/// How long the last acknowledgement may take to leave.
pub(crate) const FLUSH_MAX: Duration = Duration::from_millis(500);

/// BLAKE3 of the whole file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blake3(blake3::Hasher);

impl Digest for Blake3 {
    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
    fn finish(&self) -> [u8; 32] {
        *self.0.finalize().as_bytes()
    }
}

/// A digest as people compare it.
pub(crate) fn hex(digest: &[u8; 32]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The first address that `HOST:PORT` stands for.
pub(crate) fn resolve(text: &str) -> Result<SocketAddr, Failure> {
    let wrong = |why: &dyn core::fmt::Display| {
        format!("{text}: {why}; write HOST:PORT, such as 192.0.2.1:5001 or [::1]:5001")
    };
    match text.to_socket_addrs() {
        Ok(mut addresses) => addresses.next().ok_or_else(|| Failure(wrong(&"no such host"))),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => refuse(wrong(&error)),
        // The name may be right, and the one who knows it out of reach.
        Err(error) => Err(Failure(wrong(&error))),
    }
}

/// A bar for `size` bytes; on anything but a terminal it prints nothing.
pub(crate) fn progress_bar(size: u64, name: &str) -> ProgressBar {
    let bar = ProgressBar::new(size).with_message(name.to_owned());
    let template = "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

/// A time, for people.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// Bytes with thousands separated.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read() {
        let fixed: TimeoutRule = "fixed:50ms".parse().unwrap();
        assert_eq!(fixed.0, Timeout::Fixed(Duration::from_millis(50)));
        assert!("adaptive".parse::<TimeoutRule>().is_ok());
        for wrong in ["", "50ms", "fixed:", "fixed:0s", "fixed:soon"] {
            assert!(wrong.parse::<TimeoutRule>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_grouped() {
        let texts = [0, 12, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "12", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn digests_are_hexadecimal() {
        assert!(hex(&Blake3::default().finish()).starts_with("af1349b9f5f9a1a6"));
    }
}
