//! The production transport in virtual time against its targets: a table of figure, limit and share.
//!
//! Networks are written in the link's text form. The limit L(p) is the rate of the line less loss
//! and less what headers take of each packet. Everything but the speed of the simulator itself is the
//! same on every machine.

#![allow(clippy::cast_precision_loss, reason = "figures for people have few digits")]

mod exchange;
mod fair;
mod load;
mod loss_based;
mod model;
mod outage;

use rdtp::{time::Instant, transport::cc::Algorithm};

use load::{ENDLESS, Load, SECOND, config};

/// 100 Mbit/s, a round trip of 50 ms, a queue of one bandwidth-delay product.
const PATH: &str = "delay=25ms,rate=100mbit,queue=625000B";
const RATE: f64 = 100e6;
const ROUND: f64 = 0.05;
/// UDP payload of a packet that fills an Ethernet frame, as Linux's did.
const FULL_PACKET: usize = 1472;

fn line(what: &str, figure: &str, target: &str, good: bool) {
    println!("{what:<44} {figure:<40} {target:<24} {}", if good { "PASS" } else { "short" });
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn speed() {
    let best = (0..3).map(|seed| {
        let start = std::time::Instant::now();
        let config = config(Algorithm::Cubic, 1200);
        let (mut world, mut load) = Load::new(config, PATH, seed, 1, ENDLESS);
        world.run(Instant::ZERO + 20 * SECOND, &mut (), &mut load);
        world.datagrams() as f64 / start.elapsed().as_secs_f64()
    });
    let best = best.fold(0.0, f64::max);
    line("simulator", &format!("{best:.0} datagrams/s"), ">= 500000", best >= 500_000.0);
}

/// The parts of the table by name.
const PARTS: [(&str, fn()); 14] = [
    ("clean", loss_based::clean),
    ("lossy", loss_based::lossy),
    ("exchange", exchange::exchanges),
    ("fairness", fair::loss_based),
    ("jitter", loss_based::jitter),
    ("bbr-goodput", model::goodput_by_default),
    ("bbr-lossy-link", model::goodput_lossy_link),
    ("bbr-long", model::long_path),
    ("bbr-bursts", model::bursts),
    ("bbr-late", model::late),
    ("bbr-queue", model::queueing_delay),
    ("bbr-fairness", fair::model_based),
    ("bbr-cubic", fair::beside_cubic),
    ("outage", outage::outages),
];

/// `--only ROW` runs the parts whose names begin with it; without it everything runs.
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let only = arguments.iter().position(|argument| argument == "--only");
    let only = only.and_then(|at| arguments.get(at + 1));
    let parts = || PARTS.into_iter().chain([("speed", speed as fn())]);
    if let Some(only) = only
        && !parts().any(|(name, _)| name.starts_with(only.as_str()))
    {
        let names: Vec<_> = parts().map(|(name, _)| name).collect();
        eprintln!("no part begins with {only}: there are {}", names.join(", "));
        std::process::exit(2);
    }
    println!("{PATH} unless said; packets of {FULL_PACKET} bytes unless said");
    for (name, part) in parts() {
        if only.is_none_or(|only| name.starts_with(only.as_str())) {
            part();
        }
    }
}
