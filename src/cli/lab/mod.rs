//! `rdtp lab`: the classroom exercise. Makes the list, runs the server, runs the client with its
//! menu or without.

mod client;
mod input;
mod json;
mod replay;
mod server;

use std::io::{self, BufRead, Write};

use clap::{Args, Subcommand, ValueEnum};
use rdtp::{
    app::words::Lang,
    classic::{Spec, rdt21::Rdt21, rdt22::Rdt22, rdt30::StopAndWait},
    quantity::Span,
    wire::{Checksum, lab::LabChecksum},
};
use serde_json::Value;

use super::{
    Failure, Outcome,
    lang::{self, Language},
};
pub(crate) use replay::{protocols, replay};

/// The classroom exercise: numbers sent with loss, duplicates and shuffling, and repaired.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, Subcommand)]
enum Part {
    Input(input::Options),
    Server(server::Options),
    Client(client::Options),
}

/// What server and client must agree on, and the language they print in.
#[derive(Clone, Copy, Debug, Args)]
struct Common {
    /// The protocol; both sides must use the same
    #[arg(long, value_enum, default_value_t = Name::Rdt22)]
    protocol: Name,
    /// What guards the messages: internet (RFC 1071) or crc16
    #[arg(long, default_value = "internet", value_parser = lab_checksum)]
    checksum: LabChecksum,
    /// Language; by default that of the locale
    #[arg(long, value_enum)]
    lang: Option<Language>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl Common {
    fn lang(self) -> Lang {
        lang::chosen(self.lang)
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Name {
    /// A NAK asks for retransmission
    #[value(name = "rdt2.1")]
    Rdt21,
    /// An ACK with the last number asks for retransmission; the exercise's protocol
    #[value(name = "rdt2.2")]
    Rdt22,
    /// A timer repairs loss as well
    #[value(name = "rdt3.0")]
    Rdt30,
}

impl From<Name> for Spec {
    fn from(name: Name) -> Self {
        match name {
            Name::Rdt21 => Self::Rdt21(Rdt21),
            Name::Rdt22 => Self::Rdt22(Rdt22),
            Name::Rdt30 => Self::StopAndWait(StopAndWait::RDT30),
        }
    }
}

fn lab_checksum(name: &str) -> Result<LabChecksum, String> {
    let checksum = name.parse::<Checksum>().ok().and_then(|sum| sum.try_into().ok());
    checksum.ok_or_else(|| "choose internet or crc16".to_owned())
}

fn span(text: &str) -> Result<core::time::Duration, String> {
    let Span(duration) = text.parse().map_err(|error| format!("{error}"))?;
    if duration.is_zero() { Err("must be longer than zero".into()) } else { Ok(duration) }
}

pub(crate) fn run(options: &Options) -> Outcome {
    match &options.part {
        Part::Input(options) => input::run(options),
        Part::Server(options) => server::run(options),
        Part::Client(options) => client::run(options),
    }
}

/// Asks until the answer can be read, saying each time what was wrong; `None` at the end of input.
fn ask<T>(
    prompt: &str,
    mut read: impl FnMut(&str) -> Result<T, String>,
) -> Result<Option<T>, Failure> {
    let mut line = String::new();
    loop {
        print(prompt)?;
        line.clear();
        if io::stdin().lock().read_line(&mut line)? == 0 {
            print("\n")?;
            return Ok(None);
        }
        match read(line.trim()) {
            Ok(answer) => return Ok(Some(answer)),
            Err(reason) => print(&format!("{reason}\n"))?,
        }
    }
}

/// Says something: to people, or to programs.
fn tell(
    json: bool,
    text: impl FnOnce() -> String,
    value: impl FnOnce() -> Value,
) -> Result<(), Failure> {
    if json { print(&format!("{}\n", value())) } else { print(&text()) }
}

/// Prints at once, also without a newline. A closed pipe is an error, not a panic.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever read this has gone: the session goes on for the other side.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => Ok(outcome?),
    }
}
