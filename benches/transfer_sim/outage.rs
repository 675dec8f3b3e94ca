//! A path that is dead for a while.

use std::time::Duration;

use rdtp::{rng::Seed, time::Instant, transport::cc::Algorithm};

use crate::{
    FULL_PACKET, line,
    load::{ENDLESS, Load, SECOND, config},
};

/// From the end of an outage to the next byte that the application gets, and the probe timeout then,
/// backed off.
fn resume(algorithm: Algorithm, seed: u64) -> (Duration, Duration) {
    let mut rng = Seed::new(seed).split("outage").rng();
    // 0.1 to 60 s, evenly over the orders of magnitude.
    let doublings = rng.below(9_229);
    let length = 100_000_000 << (doublings / 1000);
    let length = (length + length * (doublings % 1000) / 1000).min(60_000_000_000);
    let start = 500_000_000 + rng.below(1_500_000_000);
    let end = Instant::from_nanos(start + length);
    let network = format!("delay=25ms,rate=20mbit,queue=125000B,outage={start}ns+{length}ns");
    let mut config = config(algorithm, FULL_PACKET);
    // The path is given up only after the longest outage.
    config.connection.idle_timeout = 120 * SECOND;
    let (mut world, mut load) = Load::new(config, &network, seed, 1, ENDLESS);
    world.run(end, &mut (), &mut load);
    let sum = |load: &Load| load.arrived().iter().sum::<u64>();
    let before = sum(&load);
    let (_, connection) = world.endpoint(load.client).connections().next().expect("it lives");
    let pto = connection.recovery().pto(Duration::from_millis(25));
    while sum(&load) == before && world.step(end + 120 * SECOND, &mut (), &mut load) {}
    (world.now() - end, pto)
}

/// A thousand outages of 0.1 to 60 s: sending resumes within two probe timeouts or a second.
pub(crate) fn outages() {
    for (name, algorithm) in [("bbr", Algorithm::Bbr), ("cubic", Algorithm::Cubic)] {
        let mut runs: Vec<_> = (0..1_000).map(|seed| resume(algorithm, seed)).collect();
        let late = runs.iter().filter(|(took, pto)| *took > (*pto * 2).max(SECOND)).count();
        runs.sort();
        let (median, most) = (runs[500].0.as_secs_f64(), runs[999].0.as_secs_f64());
        let figure = format!("{late} of 1000 later; {median:.2} s, at most {most:.2} s");
        line(&format!("{name}, outages of 0.1 to 60 s"), &figure, "2 PTO or 1 s", late == 0);
    }
}
