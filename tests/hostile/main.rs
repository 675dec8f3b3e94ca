//! Hostile peers and strangers, a test for each thing that they try, with its figure.
//!
//! The host under attack is a server as everybody has it; the attacker writes its packets by hand.
//! Where the figure is a share of a processor, `cargo bench --bench hostile` prints it; here it is a
//! matter of twice the work in twice the time.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]
#![allow(clippy::single_range_in_vec_init, reason = "an ACK has ranges, and often one")]

mod acks;
mod limits;
mod moves;
mod peer;
mod room;
mod strangers;

/// What a connection may hold beyond twice its window, in bytes.
const BESIDE_WINDOW: u64 = 64 << 10;
