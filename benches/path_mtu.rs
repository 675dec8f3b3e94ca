//! A thousand simulated hours of the search for the path's MTU at each rate of loss: how often loss is
//! taken for a black hole, which must be never; and how long a real drop takes to be found.
//!
//! `cargo bench --bench path_mtu`, or with `HOURS=10` for less.

#![allow(clippy::cast_precision_loss, reason = "figures for people have few digits")]

use core::time::Duration;

use rdtp::{
    rng::{Rng, Seed},
    time::Instant,
    transport::pmtud::Pmtud,
};

const ROUND: Duration = Duration::from_millis(50);
const MTU: usize = 1472;
const SHORT: usize = 300;

/// A path of 50 ms that loses so many of a million packets, in bursts of a mean length.
struct Path {
    pmtud: Pmtud,
    mtu: usize,
    loss: u64,
    burst: u64,
    losing: bool,
    number: u64,
    now: Instant,
    rng: Rng,
    fates: Vec<(u64, usize, bool)>,
}

impl Path {
    fn new(loss: u64, burst: u64, seed: u64) -> Self {
        Self {
            pmtud: Pmtud::new(Pmtud::FLOOR, MTU),
            mtu: MTU,
            loss,
            burst,
            losing: false,
            number: 0,
            now: Instant::ZERO,
            rng: Seed::new(seed).rng(),
            fates: Vec::new(),
        }
    }

    /// Whether the network loses the next packet (Gilbert and Elliott, all lost in the bad state).
    fn loses(&mut self) -> bool {
        if self.burst <= 1 {
            return self.rng.below(1_000_000) < self.loss;
        }
        // Bad for `burst` packets on the average, and for a share of `loss` of all of them.
        let enter = self.loss / self.burst;
        self.losing = if self.losing {
            self.rng.below(self.burst) > 0
        } else {
            self.rng.below(1_000_000) < enter
        };
        self.losing
    }

    /// What a round trip sends: a few packets as long as they may be, and short ones after or between
    /// them, as messages of an application leave them.
    fn round(&mut self) {
        let mut sent = [0; 16];
        let mut count = 0;
        let mut push = |bytes: usize| {
            sent[count] = bytes;
            count += 1;
        };
        if let Some(bytes) = self.pmtud.probe_bytes(self.now) {
            self.pmtud.on_probe_sent(self.number);
            push(bytes);
        }
        let packet = self.pmtud.packet_bytes();
        for _ in 0..self.rng.below(4) {
            for _ in 0..self.rng.below(3) {
                push(packet);
            }
            push(SHORT);
        }
        let mut fates = core::mem::take(&mut self.fates);
        fates.clear();
        for &bytes in &sent[..count] {
            let arrives = !self.loses() && bytes <= self.mtu;
            fates.push((self.number, bytes, arrives));
            self.number += 1;
        }
        for &(number, bytes, arrives) in fates.iter().rev() {
            if arrives {
                self.pmtud.on_acked(self.now, number, bytes);
            }
        }
        if fates.last().is_some_and(|&(.., arrives)| !arrives) {
            self.pmtud.on_silence();
            while self.loses() {
                self.number += 1;
            }
            self.pmtud.on_acked(self.now, self.number, SHORT);
            self.number += 1;
        }
        for &(number, bytes, arrives) in &fates {
            if !arrives {
                self.pmtud.on_lost(self.now, number, bytes, self.number);
            }
        }
        self.fates = fates;
        self.now += ROUND;
    }
}

fn bursts_of(burst: u64) -> String {
    if burst > 1 { format!("in bursts of {burst}") } else { String::new() }
}

fn main() {
    let hours: u64 = std::env::var("HOURS").ok().and_then(|text| text.parse().ok()).unwrap_or(1000);
    let rounds = hours * 3600 * 20;
    println!("{hours} hours at a round trip of {ROUND:?}, in each row\n");
    println!("loss                 false black holes   short on suspicion   a drop is found after");
    let rows = [(0, 1), (1_000, 1), (10_000, 1), (50_000, 1), (100_000, 1), (200_000, 1)];
    let bursts = [(10_000, 8), (20_000, 10), (50_000, 8), (100_000, 20), (200_000, 4)];
    let mut worst = 0;
    for (row, (loss, burst)) in rows.into_iter().chain(bursts).enumerate() {
        let mut path = Path::new(loss, burst, row as u64);
        let mut short = 0_u64;
        for _ in 0..rounds {
            path.round();
            short += u64::from(path.pmtud.is_in_doubt());
        }
        let false_alarms = path.pmtud.stats().black_holes;
        path.mtu = 1400;
        let mut found = 0_u32;
        while path.pmtud.stats().black_holes == false_alarms && found < 1_000 {
            path.round();
            found += 1;
        }
        worst = worst.max(false_alarms);
        let name = format!("{}% {}", loss as f64 / 1e4, bursts_of(burst));
        let share = short as f64 / rounds as f64 * 100.0;
        println!("{name:<20} {false_alarms:>17}   {share:>17.3}%   {found:>13} rounds");
    }
    println!(
        "\nworst: {worst} in {hours} hours, target 0: {}",
        if worst == 0 { "met" } else { "MISSED" }
    );
}
