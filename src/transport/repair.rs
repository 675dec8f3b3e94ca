//! Repair packets: the sum of packets, from which one of them that is lost follows without asking.
//!
//! Asking for a lost packet takes a round trip, and where the loss is at the end of what there was to
//! say, nobody notices before a timer runs out. So a few packets may follow the last ones of a flight
//! that are the exclusive or of some of them each (parity, as in RFC 5109): whoever has all but one has
//! that one too. This is for tails and for small messages. In the middle of a long transfer it gains
//! nothing that sending the lost packets again does not (RFC 9265 section 3).
//!
//! ```text
//!   packet     7    8    9   10   11   12        a stride of 2: every second packet
//!              |    |    |    |    |    |
//!   13 repair  7 xor     9  xor   11             9 lost?  7 xor 11 xor 13
//!   14 repair       8 xor     10  xor  12
//! ```
//!
//! Repair packets take room in the window like any other, and a packet that was repaired is still
//! lost: it is never acknowledged, so that congestion control hears of it (RFC 9265 section 5).

mod recv;
mod send;

pub(super) use recv::RepairReceiver;
pub(super) use send::RepairSender;

use alloc::vec::Vec;

use crate::wire::transport::{DATA_HEADER_BYTES, Frame};

/// Packets between the first and the last of a repair packet's, at most.
pub(super) const SPAN_MAX: u64 = 64;
/// What data packets leave free, so that their sum fits into one.
pub(super) const OVERHEAD_BYTES: usize = Frame::REPAIR_HEADER_MAX + LENGTH_BYTES;
/// A sum begins with the sum of the lengths.
const LENGTH_BYTES: usize = 2;
/// The default of [`Config::repair_window_bytes`](super::config::Config::repair_window_bytes).
pub(super) const WINDOW_BYTES: usize = 48 << 10;

/// The part of a data packet that is summed up: its frames.
pub(super) fn summand(datagram: &[u8]) -> &[u8] {
    datagram.get(DATA_HEADER_BYTES..).unwrap_or_default()
}

/// Adds a packet's frames to a sum.
fn add(sum: &mut Vec<u8>, frames: &[u8]) {
    let len = u16::try_from(frames.len()).unwrap_or(u16::MAX).to_be_bytes();
    sum.resize(sum.len().max(LENGTH_BYTES + frames.len()), 0);
    let (head, rest) = sum.split_at_mut(LENGTH_BYTES);
    xor(head, &len);
    xor(rest, frames);
}

/// Adds bytes to at least as many.
fn xor(to: &mut [u8], bytes: &[u8]) {
    to.iter_mut().zip(bytes).for_each(|(to, byte)| *to ^= byte);
}

#[cfg(test)]
mod tests;
