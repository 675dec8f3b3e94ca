//! The demo's table for people.

use std::{
    io::{self, IsTerminal as _},
    path::Path,
};

use super::{super::transfer::grouped, Results, Row};

pub(super) fn print_head(results: &Results) {
    say!(
        "{} ({} bytes) over UDP on loopback, {} bytes a packet",
        results.file,
        grouped(results.file_bytes as u64),
        results.chunk_bytes
    );
    say!("network {}", results.link);
    say!("seed {}", results.seed);
    say!("BLAKE3 {}\n", &results.file_blake3);
    say!(
        "{:<9} {:>9} {:>7} {:>8} {:>9} {:>6} {:>6}  digest",
        "protocol",
        "delivered",
        "of file",
        "time",
        "datagrams",
        "resent",
        "lost"
    );
}

pub(super) fn print_row(row: &Row, file_bytes: usize) {
    say!(
        "{:<9} {:>9} {:>6}% {:>7.2}s {:>9} {:>6} {:>5.1}%  {}",
        row.protocol,
        grouped(row.delivered_bytes as u64),
        row.delivered_bytes * 100 / file_bytes.max(1),
        row.seconds,
        row.datagrams,
        row.retransmissions,
        row.effective_loss * 100.0,
        paint(row.intact, if row.intact { "equal" } else { "DIFFERENT" }),
    );
    for why in [&row.outcome, &row.reason] {
        if !row.reason.is_empty() {
            say!("{:10}{why}", "");
        }
    }
}

pub(super) fn print_foot(results: &Results, into: Option<&Path>) {
    let intact = results.protocols.iter().filter(|row| row.intact).count();
    say!("\n{intact} of {} delivered the file intact.", results.protocols.len());
    if let Some(directory) = into {
        say!("What each delivered is in {}.", directory.display());
    }
    say!("Each datagram meets the same fate again (the machine's timing may differ) with:");
    say!("{}", results.again);
}

/// Green or red on a terminal that may show colours.
fn paint(good: bool, text: &str) -> String {
    let plain = !io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some();
    match (plain, good) {
        (true, _) => text.to_owned(),
        (false, true) => format!("\x1b[32m{text}\x1b[0m"),
        (false, false) => format!("\x1b[31m{text}\x1b[0m"),
    }
}
