//! The program `rdtp`: parses, builds parts of the library, runs a driver, prints.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
