//! Controllers that take every loss for congestion, held against their formulas and Linux.

use rdtp::{
    time::Instant,
    transport::{cc::Algorithm, stats::Stats},
};

use crate::{
    FULL_PACKET, PATH, RATE, ROUND, line,
    load::{ENDLESS, Load, SECOND, config, goodput, payload},
};

pub(crate) fn clean() {
    for (name, algorithm) in [("cubic", Algorithm::Cubic), ("newreno", Algorithm::NewReno)] {
        let (rate, stats) = goodput(config(algorithm, 1200), PATH, 1, 30 * SECOND);
        let limit = RATE * payload(1200);
        let share = rate / limit;
        let figure = format!("{:.1} of {:.1} Mbit/s, {share:.3}", rate / 1e6, limit / 1e6);
        line(&format!("goodput {name}, 30 s"), &figure, ">= 0.95", share >= 0.95);
        println!("    {:?} srtt {:?}", stats.recovery, stats.srtt);
    }
}

pub(crate) fn lossy() {
    // Linux's CUBIC on this path, in Mbit/s: 20 s, loss in each direction.
    let paths = [(0.001_f64, 14.9), (0.01, 2.45), (0.02, 1.77), (0.05, 0.82)];
    for (name, algorithm) in [("cubic", Algorithm::Cubic), ("newreno", Algorithm::NewReno)] {
        for (loss, linux) in paths {
            let network = format!("loss={}%,{PATH}", loss * 100.0);
            let seeds = 8;
            let rates: Vec<_> = (0..seeds)
                .map(|seed| goodput(config(algorithm, FULL_PACKET), &network, seed, 20 * SECOND))
                .collect();
            let rate = rates.iter().map(|(rate, _)| rate).sum::<f64>() / seeds as f64;
            let packet = FULL_PACKET as f64 * payload(FULL_PACKET) * 8.0;
            let reno = packet / ROUND * 1.5_f64.sqrt() / loss.sqrt();
            let cubic = packet / ROUND * 1.054 * (ROUND / loss).powf(0.75);
            // What was measured of Linux is CUBIC; NewReno has only its formula.
            let (formula, wanted) = if name == "cubic" {
                (reno.max(cubic), reno.max(cubic).max(linux * 1e6))
            } else {
                (reno, reno)
            };
            let share = rate / wanted;
            let limit = RATE * payload(FULL_PACKET) * (1.0 - loss);
            let figure = format!("{:.2} Mbit/s, {:.3} of L(p)", rate / 1e6, rate / limit);
            let target = format!("{:.2}, ratio {share:.2}", wanted / 1e6);
            line(&format!("{name}, loss {}%", loss * 100.0), &figure, &target, share >= 0.85);
            let total =
                |count: fn(&Stats) -> u64| -> u64 { rates.iter().map(|(_, s)| count(s)).sum() };
            println!(
                "    formula {:.2}, Linux's CUBIC {linux}; sent {} lost {} spurious {} cuts {} undone {} ptos {}",
                formula / 1e6,
                total(|s| s.recovery.sent_packets),
                total(|s| s.recovery.lost_packets),
                total(|s| s.recovery.spurious_packets),
                total(|s| s.recovery.congestion_events),
                total(|s| s.recovery.undone_events),
                total(|s| s.recovery.probe_timeouts),
            );
        }
    }
}

pub(crate) fn jitter() {
    let config = config(Algorithm::Cubic, FULL_PACKET);
    let tail = "rate=1gbit,queue=1250000B";
    let time = 6 * SECOND;
    let (clean, _) = goodput(config, &format!("delay=5ms,{tail}"), 1, time);
    for spread in ["2500us", "5ms"] {
        let network = format!("delay=5ms±{spread},jitter=reorder,{tail}");
        let (mut world, mut load) = Load::new(config, &network, 1, 1, ENDLESS);
        world.run(Instant::ZERO + 2 * SECOND, &mut (), &mut load);
        let before = load.stats(&world).recovery;
        world.run(Instant::ZERO + time, &mut (), &mut load);
        let stats = load.stats(&world);
        let after = stats.recovery;
        let rate = load.arrived().iter().sum::<u64>() as f64 * 8.0 / time.as_secs_f64();
        let share = rate / clean;
        let sent = (after.sent_packets - before.sent_packets).max(1);
        let spurious = (after.spurious_packets - before.spurious_packets) as f64 / sent as f64;
        let figure = format!("{:.0} of {:.0} Mbit/s, {share:.3}", rate / 1e6, clean / 1e6);
        line(&format!("1 Gbit/s, 10 ms, jitter ±{spread}"), &figure, ">= 0.9", share >= 0.9);
        let figure = format!("{:.3}% spurious after 2 s", spurious * 100.0);
        line("", &figure, "< 1%", spurious < 0.01);
        println!("    {after:?} srtt {:?} window {}", stats.srtt, stats.window_bytes);
    }
}
