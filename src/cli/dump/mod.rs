//! `rdtp dump`: a datagram of the production transport, byte by byte.

mod exchange;

use std::{
    io::{self, Read as _},
    process::ExitCode,
};

use clap::{Args, error::ErrorKind};
use rdtp::wire::transport::{
    dissect, example,
    layout::{FRAMES, Layout, PACKETS},
};
use serde::Serialize;

use super::{Failure, Outcome};

/// Take a datagram of the production transport apart, byte by byte
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The UDP payload as hexadecimal digits; blanks, line ends and colons between them do not
    /// matter. Without it, standard input is read
    #[arg(value_name = "HEX")]
    hex: Vec<String>,
    /// Take this example apart
    #[arg(long, value_name = "NAME", conflicts_with = "hex", value_parser = example::NAMES)]
    example: Option<String>,
    /// Show what packets and frames consist of: packets, frames, or the name of one
    #[arg(long, value_name = "NAME", conflicts_with_all = ["hex", "example"])]
    layout: Option<String>,
    /// Let two hosts do this and show their datagrams
    #[arg(long, value_enum, value_name = "NAME", conflicts_with_all = ["hex", "example", "layout"])]
    exchange: Option<exchange::What>,
    /// Fields as JSON, for programs
    #[arg(long, conflicts_with_all = ["layout", "exchange"])]
    json: bool,
}

/// A datagram as JSON.
#[derive(Serialize)]
struct Line {
    /// Why a receiver would discard it.
    error: Option<String>,
    summary: String,
    fields: Vec<FieldLine>,
}

#[derive(Serialize)]
struct FieldLine {
    offset: usize,
    hex: String,
    depth: usize,
    name: &'static str,
    value: String,
}

/// The layouts of this name, or of all packets or frames.
fn layouts(name: &str) -> Vec<&'static Layout> {
    match name {
        "packets" => PACKETS.iter().collect(),
        "frames" => FRAMES.iter().collect(),
        name => PACKETS.iter().chain(&FRAMES).filter(|layout| layout.name == name).collect(),
    }
}

/// The bytes of hexadecimal text, or what is wrong with it.
fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let mut digits = Vec::new();
    for word in text.split(|c: char| c.is_whitespace() || c == ':') {
        let word = word.strip_prefix("0x").unwrap_or(word);
        for c in word.chars() {
            let digit = c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            digits.push(digit.ok_or_else(|| format!("{c:?} is not a hexadecimal digit"))?);
        }
    }
    let (pairs, odd) = digits.as_chunks::<2>();
    match (pairs, odd) {
        ([], []) => Err("no bytes: give a datagram as hexadecimal digits".into()),
        (pairs, []) => Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect()),
        _ => Err(format!("{} hexadecimal digits: two make a byte", digits.len())),
    }
}

fn json(datagram: &[u8]) -> Result<String, Failure> {
    let dissection = dissect(datagram);
    let hex = |at: core::ops::Range<usize>| {
        datagram[at].iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
    };
    let line = Line {
        error: dissection.error.map(|error| error.to_string()),
        summary: dissection.summary(),
        fields: dissection
            .fields
            .into_iter()
            .map(|field| FieldLine {
                offset: field.at.start,
                hex: hex(field.at),
                depth: field.depth,
                name: field.name,
                value: field.value,
            })
            .collect(),
    };
    Ok(serde_json::to_string(&line)?)
}

/// Ends the program: bad usage, in one line that says what to do.
fn refuse(what: &str) -> ! {
    clap::Error::raw(ErrorKind::ValueValidation, format!("{what}\n")).exit()
}

pub(crate) fn run(options: &Options) -> Outcome {
    if let Some(name) = &options.layout {
        let found = layouts(name);
        if found.is_empty() {
            let names: Vec<_> = PACKETS.iter().chain(&FRAMES).map(|layout| layout.name).collect();
            refuse(&format!("no layout {name:?}: packets, frames, {}", names.join(", ")));
        }
        let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
        say!("{}", texts.join("\n").trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(what) = options.exchange {
        say!("{}", exchange::run(what)?.trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let datagram = if let Some(name) = &options.example {
        example::datagram(name).unwrap_or_default()
    } else {
        let mut text = options.hex.join(" ");
        if options.hex.is_empty() {
            io::stdin().read_to_string(&mut text)?;
        }
        bytes(&text).unwrap_or_else(|what| refuse(&what))
    };
    if options.json {
        say!("{}", json(&datagram)?);
    } else {
        let dissection = dissect(&datagram);
        say!("{}, {} bytes", dissection.summary(), datagram.len());
        say!("{}", dissection.to_string().trim_end());
    }
    // A broken datagram is an answer, and a failed run for whoever asked whether it is good.
    Ok(if dissect(&datagram).error.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
