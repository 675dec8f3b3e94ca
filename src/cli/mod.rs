//! The command line. Every subcommand is a file: it parses, builds parts, runs a driver, prints.
//!
//! Results go to standard output, progress and the one line of an error to standard error. Exit
//! status: 0 done, 1 failed, 2 bad usage; `check` adds 3, not decided.

/// `println!`, but a reader that has gone (`rdtp machine | head`) ends the program quietly.
macro_rules! say {
    ($($arguments:tt)*) => {
        $crate::cli::print_line(format_args!($($arguments)*))
    };
}

mod bench;
mod carrier;
mod chat;
mod check;
mod demo;
mod dump;
mod ends;
mod lab;
mod lang;
mod link;
mod machine;
mod manual;
mod monitor;
mod network;
mod recording;
mod recv;
mod run;
mod send;
mod states;
mod step;
mod stop;
mod store;
mod streams;
mod swarm;
mod transfer;
mod way;
mod whole;

use std::{
    io::{self, Write as _},
    process::{self, ExitCode},
};

use clap::{Parser, Subcommand};

/// Why a command failed: one line that says what to do.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl<E: core::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Writes a line to standard output; see `say!`.
pub(crate) fn print_line(line: core::fmt::Arguments<'_>) {
    if let Err(error) = writeln!(io::stdout(), "{line}") {
        let gone = error.kind() == io::ErrorKind::BrokenPipe;
        if !gone {
            eprintln!("rdtp: standard output: {error}");
        }
        process::exit(i32::from(!gone));
    }
}

/// Ends the program over a wrong argument, as the parser of arguments does: one line, exit status 2.
pub(crate) fn refuse(reason: impl core::fmt::Display) -> ! {
    eprintln!("rdtp: {reason}");
    process::exit(2)
}

/// What a command comes to.
pub(crate) type Outcome = Result<ExitCode, Failure>;

/// Reliable data transfer over UDP: see the textbook's protocols survive a bad network, or break.
#[derive(Debug, Parser)]
#[command(
    name = "rdtp",
    version,
    arg_required_else_help = true,
    after_help = "Start with: rdtp demo"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Options),
    Chat(Box<chat::Options>),
    Lab(lab::Options),
    Run(run::Options),
    Machine(machine::Options),
    Manual(manual::Options),
    Check(check::Options),
    Swarm(swarm::Options),
    Bench(bench::Options),
    Dump(dump::Options),
    Link(link::Options),
    Monitor(Box<monitor::Options>),
    Send(send::Options),
    Recv(recv::Options),
}

/// Parses the command line and runs what it asks for.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    let outcome: Outcome = match cli.command {
        Command::Demo(options) => demo::run(&options),
        Command::Chat(options) => chat::run(&options),
        Command::Lab(options) => lab::run(&options),
        Command::Run(options) => run::run(&options),
        Command::Machine(options) => machine::run(&options),
        Command::Manual(options) => Ok(manual::run(&options)),
        Command::Check(options) => check::run(&options),
        Command::Swarm(options) => swarm::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Dump(options) => dump::run(&options),
        Command::Link(options) => link::run(&options),
        Command::Monitor(options) => monitor::run(&options),
        Command::Send(options) => send::run(&options),
        Command::Recv(options) => recv::run(&options),
    };
    outcome.unwrap_or_else(|failure| {
        eprintln!("rdtp: {}", failure.0);
        ExitCode::FAILURE
    })
}
