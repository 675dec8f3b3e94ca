//! The transport in the simulator.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
#![allow(clippy::cast_precision_loss, reason = "figures for people have few digits")]

mod bbr;
mod data;
mod ecn;
mod found;
mod lend;
mod lifecycle;
mod many;
mod message;
mod moving;
mod pair;
mod pmtud;
mod rows;
mod sweep;
mod tails;
mod traced;
mod train;
mod wire;

/// Bytes that tell where they belong.
fn byte(at: u64) -> u8 {
    (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}
