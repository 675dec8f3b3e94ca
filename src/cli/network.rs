//! The bad network by flags, and what it did.

use core::net::SocketAddr;
use std::process;

use clap::Args;
use rdtp::{
    link::{Link, Profile},
    net::Clock,
    rng::Seed,
    wire::Codec,
};
use serde::Serialize;

use super::way::Way;

/// The language of `--link`, for `--help`.
pub(crate) const FAULTS: &str = "\
A network is a preset, faults separated by commas, or a preset and then faults:
  loss=20%            each datagram by chance; loss=ge:5%:8 in bursts of 8
                      on average; loss=every:1:4; loss=at:3:7:9 by number
  dup=5%              copies; dup=5%:2 two each
  replay=1%:64:10s    brings along one of the last 64, at most 10 s old, again
  reorder=10%:3:20ms  held back until 3 others have passed, or 20 ms
  corrupt=1%:3        3 bits flipped; corrupt=1%:header, :payload or :checksum
  swap=1%:2           two blocks of 2 bytes change places
  splice=1%           ends with the tail of an earlier one
  truncate=1%         bytes cut off the end; extend=1%:100 up to 100 appended
  delay=25ms±5ms      evenly spread (or +-); delay=25ms~5ms normally
  jitter=reorder      varying delay may change the order; jitter=keep does not
  bunch=20ms          arrives in bunches, at the end of slots of 20 ms
  mtu=1200            longer ones vanish; mtu=none:1200@5s after 5 s
  rate=10mbit         a bottleneck, with queue=64KiB before it;
                      rate=10mbit:1mbit@5s slower after 5 s
  mark=32KiB          marks with congestion (ECN) what waits behind more
  ecn=clear           clears ECN fields; ect1 or ce changes them; keep:clear@5s
  outage=5s+2s/7s     down after 5 s for 2 s, again every 7 s
Before a key, up. or down. means one direction, data. or ack. one class of
packets, as in up.ack.loss=5%. Presets: perfect, lossy20, latency530,
variable-latency, wifi, satellite, hostile.";

/// A bad network in the path of this program.
#[derive(Clone, Debug, Args)]
pub(crate) struct NetworkArgs {
    /// Bad network to put in the path: a preset (lossy20, wifi, hostile, ...), faults such as
    /// loss=20%,dup=5%,delay=25ms, or both. One side of a conversation is enough
    #[arg(long, value_name = "FAULTS")]
    link: Option<Profile>,
    /// Seed of all chance in it; without one a new seed is drawn and printed
    #[arg(long, value_name = "N", requires = "link")]
    seed: Option<u64>,
}

impl NetworkArgs {
    /// Whether one was asked for.
    pub(crate) fn is_given(&self) -> bool {
        self.link.is_some()
    }

    /// The network, if one was asked for, and its seed. Says on standard error what they are.
    pub(crate) fn chosen(&self) -> Option<(Profile, Seed)> {
        let profile = self.link.clone()?;
        let seed = seed_or_new(self.seed);
        eprintln!("link {profile}, seed {seed}");
        Some((profile, seed))
    }

    /// The network, if one was asked for. Says on standard error what it is, from which seed, and
    /// what of it goes beyond what the protocol tolerates.
    pub(crate) fn network(&self, way: Way, codec: Codec) -> Option<Network> {
        let (profile, seed) = self.chosen()?;
        let excess = profile.channel().exceeds(way.tolerates_with(codec));
        if !excess.is_empty() {
            eprintln!("warning: {way} does not tolerate a link that {}", excess.join(", "));
        }
        Some(Network { profile, seed, way, codec })
    }
}

/// A chosen network.
pub(crate) struct Network {
    profile: Profile,
    seed: Seed,
    way: Way,
    codec: Codec,
}

impl Network {
    /// The links from the first side and from the second, which can tell data from feedback.
    pub(crate) fn links(&self) -> (Link<SocketAddr>, Link<SocketAddr>) {
        let (way, codec) = (self.way, self.codec);
        let links = self.profile.links(self.seed);
        links.map(|link| link.with_inspect(move |bytes: &[u8]| way.anatomy(codec, bytes))).into()
    }
}

/// The links of both directions, able to tell data from feedback and header from payload.
pub(crate) fn inspected(
    links: [Link<SocketAddr>; 2],
    codec: Codec,
) -> (Link<SocketAddr>, Link<SocketAddr>) {
    links.map(|link| link.with_inspect(move |datagram: &[u8]| codec.anatomy(datagram))).into()
}

/// The seed that was given, or a new one that is short enough to type.
pub(crate) fn seed_or_new(given: Option<u64>) -> Seed {
    Seed::new(given.unwrap_or_else(|| {
        Seed::new(Clock::unix_nanos()).index(process::id().into()).number() % 1_000_000
    }))
}

/// What a link did, for `--json`: counts of datagrams.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct LinkReport {
    offered: u64,
    delivered: u64,
    lost: u64,
    outage: u64,
    too_large: u64,
    queue_full: u64,
    link_full: u64,
    corrupted: u64,
    swapped: u64,
    spliced: u64,
    truncated: u64,
    extended: u64,
    duplicated: u64,
    replayed: u64,
    bunched: u64,
    held: u64,
    overtaken: u64,
    effective_loss: f64,
}

impl LinkReport {
    pub(crate) fn new(link: &Link<SocketAddr>) -> Self {
        let total = link.stats().total();
        Self {
            offered: total.offered,
            delivered: total.delivered,
            lost: total.lost,
            outage: total.outage,
            too_large: total.too_large,
            queue_full: total.queue_full,
            link_full: total.link_full,
            corrupted: total.corrupted,
            swapped: total.swapped,
            spliced: total.spliced,
            truncated: total.truncated,
            extended: total.extended,
            duplicated: total.duplicated,
            replayed: total.replayed,
            bunched: total.bunched,
            held: total.held,
            overtaken: total.overtaken,
            effective_loss: f64::from(total.loss().parts_per_billion()) / 1e9,
        }
    }
}

/// What a link did, for people: one line, or one for data and one for feedback.
pub(crate) fn describe(direction: &str, link: &Link<SocketAddr>) -> String {
    let report = link.report().to_string();
    let lines: Vec<String> = report.lines().map(|line| format!("{direction} {line}")).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_preset_and_its_examples_are_read() {
        for (name, _, _) in Profile::PRESETS {
            assert!(FAULTS.contains(name), "{name}");
        }
        assert!(FAULTS.lines().all(|line| line.chars().count() <= 80));
        let examples = FAULTS.lines().filter_map(|line| line.strip_prefix("  "));
        let examples = examples.filter(|line| !line.starts_with(' '));
        for example in examples.filter_map(|line| line.split(' ').next()) {
            assert!(example.parse::<Profile>().is_ok(), "{example}");
        }
    }

    #[test]
    fn both_directions_draw_their_own_chance() {
        let profile: Profile = "loss=50%".parse().unwrap();
        let [mut up, mut down] = profile.links::<SocketAddr>(Seed::new(1));
        let to = "127.0.0.1:1".parse().unwrap();
        let mut arrivals = [Vec::new(), Vec::new()];
        for _ in 0..64 {
            for (link, arrivals) in [&mut up, &mut down].into_iter().zip(&mut arrivals) {
                link.offer(rdtp::time::Instant::ZERO, b"x", to);
                arrivals.push(link.poll_deliver(rdtp::time::Instant::ZERO).is_some());
            }
        }
        assert_ne!(arrivals[0], arrivals[1]);
        assert_eq!(seed_or_new(Some(7)), Seed::new(7));
    }
}
