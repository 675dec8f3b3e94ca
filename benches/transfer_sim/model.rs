//! BBR: how near it comes to the limit under loss, and what queue it leaves.

use std::time::Duration;

use rdtp::{
    link::{Loss, Profile},
    rng::Seed,
    time::Instant,
    transport::cc::Algorithm,
};

use crate::{
    FULL_PACKET, PATH, RATE, line,
    load::{ENDLESS, Load, SECOND, config, goodput, goodput_over, payload},
};

const SEEDS: u64 = 9;

/// Goodput in bit/s of some seeds, the least first.
fn rates(algorithm: Algorithm, network: &str, time: Duration) -> Vec<f64> {
    let config = config(algorithm, FULL_PACKET);
    let mut rates: Vec<f64> =
        (0..SEEDS).map(|seed| goodput(config, network, seed, time).0).collect();
    rates.sort_by(f64::total_cmp);
    rates
}

/// L(p) of a line.
fn limit(rate: f64, loss: f64) -> f64 {
    rate * payload(FULL_PACKET) * (1.0 - loss)
}

/// A row: the median of the seeds has to reach the share of the limit, and `above` bit/s.
fn row(what: &str, rates: &[f64], limit: f64, wanted: f64, above: f64) {
    let median = rates[rates.len() / 2];
    let share = |rate: f64| rate / limit;
    let figure = format!(
        "{:.1} of {:.1} Mbit/s, {:.3} ({:.3} to {:.3})",
        median / 1e6,
        limit / 1e6,
        share(median),
        share(rates[0]),
        share(rates[rates.len() - 1]),
    );
    let target = if above > 0.0 {
        format!(">= {wanted:.2}, {:.1}", above / 1e6)
    } else {
        format!(">= {wanted:.2}")
    };
    line(what, &figure, &target, share(median) >= wanted && median >= above);
}

/// The default on the reference path: the target where there is one, and above what was measured of
/// Linux's BBR over 20 s with the same losses, in Mbit/s and as a share of its own L(p).
pub(crate) fn goodput_by_default() {
    for (loss, wanted) in [(0.0, 0.95), (0.01, 0.94), (0.05, 0.9)] {
        let network = format!("loss={}%,{PATH}", loss * 100.0);
        let rates = rates(Algorithm::Bbr, &network, 10 * SECOND);
        let what = format!("bbr, loss {}%, 10 s with start-up", loss * 100.0);
        row(&what, &rates, limit(RATE, loss), wanted, 0.0);
    }
    let linux = [
        (0.0, 93.9, 0.97),
        (0.001, 93.4, 0.97),
        (0.01, 92.8, 0.97),
        (0.02, 91.2, 0.96),
        (0.05, 88.5, 0.96),
        (0.1, 82.6, 0.95),
        (0.2, 23.9, 0.31),
    ];
    for (loss, measured, share) in linux {
        let network = format!("loss={}%,{PATH}", loss * 100.0);
        let rates = rates(Algorithm::Bbr, &network, 20 * SECOND);
        let what = format!("bbr, loss {}%, 20 s, beside Linux's", loss * 100.0);
        row(&what, &rates, limit(RATE, loss), share, measured * 1e6);
    }
}

pub(crate) fn goodput_lossy_link() {
    let targets = [
        (0.0, 0.95),
        (0.01, 0.95),
        (0.02, 0.95),
        (0.05, 0.95),
        (0.1, 0.92),
        (0.2, 0.85),
        (0.3, 0.7),
    ];
    for (loss, wanted) in targets {
        let network = format!("loss={}%,{PATH}", loss * 100.0);
        let rates = rates(Algorithm::BbrLossyLink, &network, 10 * SECOND);
        let what = format!("bbr-lossy, loss {}%, 10 s", loss * 100.0);
        row(&what, &rates, limit(RATE, loss), wanted, 0.0);
    }
}

/// 20 Mbit/s over 200 ms with 1 % loss, where Linux's BBR reaches 0.85 in 10 s.
pub(crate) fn long_path() {
    let network = "loss=1%,delay=100ms,rate=20mbit,queue=500000B";
    let rates = rates(Algorithm::Bbr, network, 10 * SECOND);
    row("bbr, 20 Mbit/s, 200 ms, loss 1%, 10 s", &rates, limit(20e6, 0.01), 0.88, 0.0);
}

/// Bursts of losses (Gilbert, Elliott): of 0.2 % of packets on the path turns bad, where it loses
/// every second one, and of 10 % good again; 1 % of packets are lost.
pub(crate) fn bursts() {
    let config = config(Algorithm::Bbr, FULL_PACKET);
    let mut rates: Vec<f64> = (0..SEEDS)
        .map(|seed| {
            let mut network: Profile = PATH.parse().expect("a network");
            for (side, link) in ["up", "down"].into_iter().zip([&mut network.up, &mut network.down])
            {
                let loss = gilbert_elliott(Seed::new(seed).split(side));
                (link.data.loss, link.ack.loss) = (loss.clone(), loss);
            }
            goodput_over(config, &network, seed, 10 * SECOND).0
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    row("bbr, bursts of losses, 10 s", &rates, limit(RATE, 0.002 / 0.102 * 0.5), 0.95, 0.0);
}

/// What is lost is drawn beforehand, by ordinal, so that it depends on nothing else.
fn gilbert_elliott(seed: Seed) -> Loss {
    let mut rng = seed.split("bursts").rng();
    let mut is_bad = false;
    let lost: Vec<bool> = (0..200_000)
        .map(|_| {
            is_bad = if is_bad { rng.below(1000) >= 100 } else { rng.below(1000) < 2 };
            rng.below(2) == 0 && is_bad
        })
        .collect();
    Loss::predicate(move |offer| {
        usize::try_from(offer.ordinal).is_ok_and(|at| lost.get(at).is_some_and(|&lost| lost))
    })
}

/// Every hundredth packet is 10 ms late.
pub(crate) fn late() {
    let network = format!("reorder=1%:100000:10ms,{PATH}");
    let rates = rates(Algorithm::Bbr, &network, 10 * SECOND);
    row("bbr, 1% of packets 10 ms late, 10 s", &rates, limit(RATE, 0.0), 0.95, 0.0);
}

/// What the queue adds to the round trip, looked at every millisecond once the flow has settled: the
/// 95th of a hundred, of the base round trip.
pub(crate) fn queueing_delay() {
    let paths = [
        ("100 Mbit/s, 50 ms", PATH, 50_000_000),
        ("20 Mbit/s, 200 ms", "delay=100ms,rate=20mbit,queue=500000B", 200_000_000),
        ("100 Mbit/s, 10 ms", "delay=5ms,rate=100mbit,queue=125000B", 10_000_000),
        ("100 Mbit/s, 50 ms, loss 1%", &format!("loss=1%,{PATH}"), 50_000_000),
    ];
    for (what, network, base) in paths {
        let config = config(Algorithm::Bbr, FULL_PACKET);
        let mut shares: Vec<f64> =
            (0..3).map(|seed| delay_share(config, network, seed, base)).collect();
        shares.sort_by(f64::total_cmp);
        let figure = format!(
            "p95 {:.1}% of the base ({:.1} to {:.1})",
            shares[1] * 100.0,
            shares[0] * 100.0,
            shares[2] * 100.0
        );
        line(&format!("bbr, queueing delay, {what}"), &figure, "<= 25%", shares[2] <= 0.25);
    }
}

fn delay_share(
    config: rdtp::transport::host::HostConfig,
    network: &str,
    seed: u64,
    base_nanos: u64,
) -> f64 {
    let (mut world, mut load) = Load::new(config, network, seed, 1, ENDLESS);
    let mut delays = Vec::new();
    for ms in 0..40_000 {
        world.run(Instant::from_nanos(ms * 1_000_000), &mut (), &mut load);
        if ms > 5_000 {
            let latest = load.stats(&world).rtt_latest;
            delays.push(latest.saturating_sub(Duration::from_nanos(base_nanos)));
        }
    }
    delays.sort();
    delays[delays.len() * 95 / 100].as_secs_f64() / Duration::from_nanos(base_nanos).as_secs_f64()
}
