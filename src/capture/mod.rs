//! What happened, in forms that people and other programs read.
//!
//! - [`Ladder`]: the diagram of the textbook with time running down, as text and as SVG;
//! - [`reasons`]: the same run in words: what was lost, and what repaired it;
//! - [`Lines`](jsonl::Lines): every event as a JSON line;
//! - [`Plot`]: a connection of the transport over time, as SVG: windows, round trips, sequence;
//! - [`Qlog`]: connections of the transport for viewers of QUIC;
//! - [`Strip`]: the state diagrams along the run, frame by frame, as SVG;
//! - [`figure`]: the state machines as SVG, from the transition tables that the code runs.
//!
//! All but the last are [observers](crate::trace::Observer) or read one: they take the records of
//! any run, whichever driver made it.

pub mod figure;
pub mod jsonl;
pub mod ladder;
pub mod plot;
pub mod qlog;
pub mod reasons;
pub mod strip;

mod json;
mod svg;

pub use ladder::Ladder;
pub use plot::Plot;
pub use qlog::Qlog;
pub use strip::Strip;

use crate::time::Instant;
use alloc::{format, string::String};

/// A time for people: milliseconds, to the microsecond in the first 100 seconds.
pub(crate) fn clock(at: Instant) -> String {
    let micros = at.as_nanos() / 1_000;
    let (whole, rest) = (micros / 1_000, micros % 1_000);
    if rest == 0 || whole >= 100_000 {
        return format!("{whole} ms");
    }
    let text = format!("{whole}.{rest:03}");
    format!("{} ms", text.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        let times = [0, 75_000_000, 1_500_000, 1_234_567, 100_000_500_000];
        let texts = times.map(|n| clock(Instant::from_nanos(n)));
        assert_eq!(texts, ["0 ms", "75 ms", "1.5 ms", "1.234 ms", "100000 ms"]);
    }
}
