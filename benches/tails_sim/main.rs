//! How long short things take, in virtual time, against their targets: exchanges with a peer that was
//! never talked to or is remembered, and small messages at a steady pace. Percentiles over many seeds,
//! loss in each direction, and beside them what the kernel's TCP took on the same path.

#![allow(clippy::cast_precision_loss, reason = "figures for people have few digits")]

mod exchange;
mod messages;
mod table;

/// 100 Mbit/s, a round trip of 50 ms, a queue of one bandwidth-delay product.
const PATH: &str = "delay=25ms,rate=100mbit,queue=625000B";
/// A round trip in milliseconds.
const ROUND_MS: f64 = 50.0;

/// The path with so many per cent of loss each way.
fn lossy(percent: u32) -> String {
    if percent == 0 { PATH.into() } else { format!("loss={percent}%,{PATH}") }
}

fn main() {
    // A word on the command line picks the parts whose names hold it.
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let parts: [(&str, fn()); 3] =
        [("small", exchange::small), ("flow", exchange::flows), ("messages", messages::all)];
    println!("{PATH}; times in ms; loss each way");
    println!("kernel: TCP over a relay with the same path, 200 or more fresh connections\n");
    for (name, part) in parts {
        if wanted.as_ref().is_none_or(|wanted| name.contains(wanted.as_str())) {
            part();
        }
    }
}
