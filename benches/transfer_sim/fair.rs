//! Flows that share a bottleneck.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use rdtp::{
    rng::Seed,
    time::Instant,
    transport::cc::{Algorithm, Controller},
};

use crate::{
    FULL_PACKET, PATH, line,
    load::{ENDLESS, Load, SECOND, config},
};

pub(crate) fn jain(shares: &[u64]) -> f64 {
    let sum: f64 = shares.iter().map(|&share| share as f64).sum();
    let squares: f64 = shares.iter().map(|&share| (share as f64).powi(2)).sum();
    sum * sum / (shares.len() as f64 * squares)
}

/// Jain's index of uploads that begin at times of their own within `spread`, and the rate of all
/// together, over the 60 s that follow.
pub(crate) fn share(algorithm: Algorithm, flows: u32, spread: Duration, seed: u64) -> (f64, f64) {
    let (mut world, mut load) = Load::new(config(algorithm, FULL_PACKET), PATH, seed, 0, ENDLESS);
    let mut rng = Seed::new(seed).split("starts").rng();
    let mut starts: Vec<u64> = (0..flows)
        .map(|_| rng.below(u64::try_from(spread.as_nanos()).unwrap_or(u64::MAX)))
        .collect();
    starts.sort_unstable();
    for start in starts {
        let start = Instant::from_nanos(start);
        world.run(start, &mut (), &mut load);
        world.pass(start);
        load.open(&mut world);
    }
    let begin = Instant::ZERO + spread;
    world.run(begin, &mut (), &mut load);
    let before = load.received.clone();
    world.run(begin + 60 * SECOND, &mut (), &mut load);
    let shares: Vec<u64> = load
        .received
        .iter()
        .filter(|((node, _), _)| *node == load.server)
        .map(|(key, bytes)| bytes - before.get(key).copied().unwrap_or(0))
        .collect();
    (jain(&shares), shares.iter().sum::<u64>() as f64 * 8.0 / 60e6)
}

/// Uploads of CUBIC and of NewReno among themselves.
pub(crate) fn loss_based() {
    for (name, algorithm) in [("cubic", Algorithm::Cubic), ("newreno", Algorithm::NewReno)] {
        // Flows that begin a second apart meet a queue that the first one fills.
        for (flows, spread, when) in
            [(2, 50, "together"), (8, 50, "together"), (2, 1000, "a second apart")]
        {
            let spread = Duration::from_millis(spread);
            let mut runs: Vec<_> =
                (0..9).map(|seed| share(algorithm, flows, spread, seed)).collect();
            runs.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (index, rate) = runs[runs.len() / 2];
            let (least, most) = (runs[0].0, runs[runs.len() - 1].0);
            let figure = format!("Jain {index:.3} ({least:.3} to {most:.3}), {rate:.1} Mbit/s");
            line(
                &format!("{flows} flows of {name} {when}, 60 s"),
                &figure,
                ">= 0.95",
                index >= 0.95,
            );
        }
    }
}

/// Uploads of BBR among themselves: the least index of several seeds counts.
pub(crate) fn model_based() {
    for (flows, spread, when) in [
        (2, 50, "together"),
        (8, 50, "together"),
        (2, 1000, "within a second"),
        (8, 1000, "within a second"),
    ] {
        let spread = Duration::from_millis(spread);
        let mut runs: Vec<_> =
            (0..9).map(|seed| share(Algorithm::Bbr, flows, spread, seed)).collect();
        runs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (index, rate) = runs[runs.len() / 2];
        let (least, most) = (runs[0].0, runs[runs.len() - 1].0);
        let figure =
            format!("Jain {least:.3} (median {index:.3}, best {most:.3}), {rate:.1} Mbit/s");
        line(&format!("{flows} flows of bbr {when}, 60 s"), &figure, ">= 0.95", least >= 0.95);
    }
}

/// Which controller the next connection gets.
static NEXT_IS_BBR: AtomicBool = AtomicBool::new(false);

fn by_turns(mss: u64) -> Box<dyn Controller> {
    let algorithm =
        if NEXT_IS_BBR.load(Ordering::Relaxed) { Algorithm::Bbr } else { Algorithm::Cubic };
    algorithm.controller(mss)
}

/// The share of the bytes that one flow of BBR delivers beside one of CUBIC over 60 s, and the rate
/// of both. What the acceptor of a connection would send with is of no importance: it sends ACKs.
fn share_beside_cubic(seed: u64) -> (f64, f64) {
    let config = config(Algorithm::Custom(by_turns), FULL_PACKET);
    let (mut world, mut load) = Load::new(config, PATH, seed, 0, ENDLESS);
    let mut rng = Seed::new(seed).split("starts").rng();
    let bbr_first = seed.is_multiple_of(2);
    for turn in [bbr_first, !bbr_first] {
        let start = world.now() + Duration::from_nanos(rng.below(50_000_000));
        world.run(start, &mut (), &mut load);
        world.pass(start);
        NEXT_IS_BBR.store(turn, Ordering::Relaxed);
        load.open(&mut world);
    }
    world.run(Instant::ZERO + 60 * SECOND, &mut (), &mut load);
    let of = |wanted: &str| -> u64 {
        let connections = world.endpoint(load.client).connections();
        let named = connections.filter(|(_, it)| it.recovery().controller().name() == wanted);
        named.filter_map(|(_, it)| load.received.get(&(load.server, it.remote_id()))).sum()
    };
    let (bbr, cubic) = (of("bbr") as f64, of("cubic") as f64);
    (bbr / (bbr + cubic), (bbr + cubic) * 8.0 / 60e6)
}

/// One flow of BBR beside one of CUBIC.
pub(crate) fn beside_cubic() {
    let mut runs: Vec<_> = (0..8).map(share_beside_cubic).collect();
    runs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (least, most) = (runs[0].0, runs[runs.len() - 1].0);
    let (median, rate) = runs[runs.len() / 2];
    let figure = format!("{median:.3} ({least:.3} to {most:.3}), {rate:.1} Mbit/s");
    let good = least >= 0.35 && most <= 0.65;
    line("share of bbr beside one flow of cubic, 60 s", &figure, "0.35 to 0.65", good);
}
