//! Experiments in virtual time: the five messages of S0, files under every fault, and throughput
//! against theory.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

mod experiment_s0;
mod files;
mod utilisation;

use core::time::Duration;

use rdtp::{
    classic::{Adaptive, Config, Timeout},
    wire::{Checksum, Codec},
};

/// Seeds of a campaign. A failure names its seed.
const SEEDS: u64 = 1000;

/// CRC-32C and timeouts that follow the path.
fn config() -> Config {
    Config {
        codec: Codec::Compact { checksum: Checksum::Crc32c },
        timeout: Timeout::Adaptive(Adaptive {
            rto_initial: Duration::from_millis(200),
            rto_min: Duration::from_millis(20),
            rto_max: Duration::from_secs(2),
        }),
        ..Config::default()
    }
}
