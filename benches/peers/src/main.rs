//! rdtp beside kernel TCP, quinn and KCP: the same work for all of them, on one machine, in one run.
//!
//! ```text
//! cargo run --release -- bulk                 # the table of bulk transfers
//! cargo run --release -- pingpong
//! cargo run --release -- connections
//! cargo run --release -- neighbours           # what bad neighbours take from the others
//! cargo run --release -- link                 # an emulated line, against the simulator
//! cargo run --release -- all
//! ```
//!
//! Each run is two processes of this program on loopback: a server that prints its address and, at the
//! end, what it counted; and a client. Runs of the contenders take turns, so that a machine that slows
//! down slows all of them. Printed are medians with the least and the most, and ratios to kernel TCP of
//! the same run.

mod kcp;
mod link;
mod neighbours;
mod quic;
mod rdt;
mod report;
mod role;
mod stream;
mod suite;
mod tcp;

use std::{env, process::ExitCode};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words.split_first() {
        Some((&"server", rest)) => role::server(rest),
        Some((&"client", rest)) => role::client(rest),
        Some((&"neighbours-server", [])) => neighbours::server(),
        Some((&"neighbours-client", [address])) => neighbours::client(address),
        Some((&"neighbour", [what, address])) => neighbours::neighbour(what, address),
        Some((&what, rest)) => suite::run(what, rest),
        None => suite::run("all", &[]),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
