//! What a seed stands for: which faults a run has, how strong they are, and who talks how much.

use alloc::{string::ToString, vec::Vec};
use core::{fmt, time::Duration};

use super::fault::{Fault, FaultSet};
use crate::{
    channel::{Channel, Overtake},
    classic::{Adaptive, Timeout},
    link::{
        Bunch, Corruption, Delay, Duplication, Extension, Faults, HoldBack, Jitter, LinkConfig,
        Loss, Outage, Profile, Region, Replay, Swap, Timeline,
    },
    quantity::{Bandwidth, ByteSize, Probability, Span},
    rng::{Rng, Seed},
    sim::{Egress, Pace},
    time::nanos,
};

/// A run before it begins. The same seed and the same channel give the same plan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// The seed of everything in it.
    pub seed: u64,
    /// Whether its faults go beyond what the protocol bears: then it may fail, but not panic,
    /// invent or grow without bound.
    pub beyond: bool,
    /// Which faults it has.
    pub faults: FaultSet,
    /// The network while they last.
    pub network: Profile,
    /// When the network heals; pace of drivers and applications stays.
    pub heals_after: Duration,
    /// The network from then on.
    pub healed: Profile,
    /// How many messages are sent.
    pub messages: usize,
    /// The length of the longest.
    pub message_bytes_max: usize,
    /// How the sender chooses its timeout.
    pub timeout: Timeout,
    /// How often it tries; `None` for ever.
    pub attempts_max: Option<u32>,
    /// Limit of the sender's queue.
    pub queue_messages_max: usize,
    /// Limit of the receiver's deliveries.
    pub inbox_messages_max: usize,
    /// Limit of the feedback that waits for a driver.
    pub outbox_packets_max: usize,
    /// When packets are taken from the sender.
    pub egress: Egress,
    /// How punctual sender and receiver are.
    pub paces: [Pace; 2],
    /// How many messages the application writes at once, and how long it then waits; `None` writes
    /// as there is room.
    pub bursts: Option<(usize, Duration)>,
}

const MS: u64 = 1_000_000;
/// Parts per billion.
const PERCENT: u64 = 10_000_000;
/// The longest message, in bytes.
const MESSAGE_BYTES_MAX: u64 = 600;
/// What a link of a run may hold; more than any protocol within its bearing ever sends.
const DATAGRAMS_MAX: usize = 4_096;
/// The longest that a datagram may wait in the bottleneck's queue.
const BACKLOG_MAX: Duration = Duration::from_secs(2);
/// The deepest that a datagram is overtaken on purpose.
const DEPTH_MAX: u64 = 64;
/// The most copies of a datagram.
const COPIES_MAX: u64 = 2;
/// The longest timeout that follows the path.
const RTO_MAX: Duration = Duration::from_secs(2);

impl Plan {
    /// The plan of `seed` for a protocol that bears `bears`.
    pub fn draw(seed: u64, bears: Channel) -> Self {
        let root = Seed::new(seed).split("plan");
        let mut rng = root.split("shape").rng();
        let beyond = rng.below(4) == 0;
        let within = if beyond { Channel::HOSTILE } else { bears };
        let faults = choose(root.split("faults"), within);
        let [up, down] = [(); 2].map(|()| time(&mut rng, MS / 10, 100 * MS));
        let link = |delay| LinkConfig {
            datagrams_max: DATAGRAMS_MAX,
            ..LinkConfig::with_faults(Faults { delay: Delay::Constant(delay), ..Faults::NONE })
        };
        let healed = Profile { up: link(up), down: link(down) };
        let many = rng.below(16) == 0;
        let heals_after = time(&mut rng, 100 * MS, 10_000 * MS);
        let messages = size(&mut rng, 1, if many { 400 } else { 64 });
        let message_bytes_max = size(&mut rng, 1, if many { 16 } else { MESSAGE_BYTES_MAX });
        let small_inbox = faults.contains(Fault::SlowReader) && within.lose;
        let mut plan = Self {
            seed,
            beyond,
            faults,
            network: healed.clone(),
            heals_after,
            healed,
            messages,
            message_bytes_max,
            timeout: timeout(&mut rng, up + down),
            attempts_max: beyond.then(|| u32::try_from(size(&mut rng, 1, 50)).unwrap_or(1)),
            queue_messages_max: size(&mut rng, 1, 64),
            inbox_messages_max: if small_inbox { size(&mut rng, 1, 16) } else { DATAGRAMS_MAX },
            outbox_packets_max: if within.lose { size(&mut rng, 1, 64) } else { DATAGRAMS_MAX },
            egress: if rng.below(4) == 0 { Egress::LinePaced } else { Egress::Eager },
            paces: [Pace::PUNCTUAL; 2],
            bursts: None,
        };
        for fault in faults.iter() {
            plan.apply(fault, within, &mut root.split(fault.name()).rng());
        }
        plan.narrow(root.split("rate"));
        plan
    }

    /// The `index`-th message: bytes that tell seed and place.
    pub fn message(&self, index: usize) -> Vec<u8> {
        let mut rng = Seed::new(self.seed).split("messages").index(index as u64).rng();
        let length = rng.between(1, self.message_bytes_max.max(1) as u64);
        let mut bytes = alloc::vec![0; usize::try_from(length).unwrap_or(1)];
        rng.fill(&mut bytes);
        bytes
    }

    /// How long after the network healed something must have moved, again and again: twice the
    /// longest timeout, and what drivers, applications and datagrams on their way may take.
    pub fn patience(&self) -> Duration {
        let rto = match self.timeout {
            Timeout::Fixed(rto) => rto,
            Timeout::Adaptive(limits) => limits.rto_max,
        };
        let lateness = self.paces.iter().map(|pace| pace.grain + pace.late + pace.reads_every);
        let pause = self.bursts.map_or(Duration::ZERO, |(_, pause)| pause);
        let margin = Duration::from_millis(1_500);
        2 * rto + 2 * self.round_trip() + 2 * lateness.sum::<Duration>() + pause + margin
    }

    /// The round trip once the network has healed.
    pub fn round_trip(&self) -> Duration {
        let delay = |link: &LinkConfig| match link.data.delay {
            Delay::Constant(delay) => delay,
            Delay::Uniform { mean, .. } | Delay::Normal { mean, .. } => mean,
        };
        delay(&self.healed.up) + delay(&self.healed.down)
    }

    fn apply(&mut self, fault: Fault, within: Channel, rng: &mut Rng) {
        let sides = rng.between(1, 3);
        match fault {
            Fault::Loss => {
                let loss = Loss::Independent(share(rng, 50));
                self.each(sides, |it| it.loss = loss.clone());
            }
            Fault::Bursts => {
                // A share of a half is possible with any mean.
                let mean = u32::try_from(log(rng, 1, 50)).unwrap_or(1);
                let loss = Loss::Burst { share: share(rng, 50), mean };
                self.each(sides, |it| it.loss = loss.clone());
            }
            Fault::Duplication | Fault::Replay | Fault::HoldBack | Fault::Shuffling => {
                self.disorder(fault, sides, within.overtake, rng);
            }
            Fault::BitErrors
            | Fault::Swaps
            | Fault::Splices
            | Fault::Truncation
            | Fault::Extension => self.damage(fault, sides, rng),
            Fault::OneWayOutage | Fault::Outage => {
                let soon = nanos(self.heals_after) / 2;
                let start = time(rng, 1, soon);
                let outage = Outage { start, length: time(rng, MS, soon), period: None };
                let sides = if fault == Fault::Outage { 3 } else { rng.between(1, 2) };
                links(&mut self.network, sides).for_each(|link| link.outages.push(outage));
            }
            Fault::Mtu => {
                let longest = self.message_bytes_max as u64 + 16;
                let mtu = u32::try_from(log(rng, 16, longest)).unwrap_or(u32::MAX);
                let from = time(rng, 1, nanos(self.heals_after) / 2);
                self.network.up.mtu = Timeline::constant(None).then(from, Some(mtu));
            }
            Fault::Bunching => {
                let bunch = Bunch { slot: time(rng, MS, 50 * MS) };
                (self.network.up.ack.bunch, self.network.down.ack.bunch) = (bunch, bunch);
            }
            Fault::LateWakeups => {
                let late = time(rng, MS / 10, 50 * MS);
                self.drivers(sides, |pace| pace.late = late);
            }
            Fault::CoarseTimers => {
                let grain = time(rng, MS, 16 * MS);
                self.drivers(sides, |pace| pace.grain = grain);
            }
            Fault::SlowReader => self.paces[1].reads_every = time(rng, MS, 100 * MS),
            Fault::BurstyWriter => {
                self.bursts = Some((size(rng, 1, 16), time(rng, MS, 500 * MS)));
            }
            // These three meet in one rate; see `narrow`.
            Fault::RateChange | Fault::ShortQueue | Fault::Starvation => {}
        }
    }

    /// Copies, and what comes late or too early, no deeper than `within`.
    fn disorder(&mut self, fault: Fault, sides: u64, within: Overtake, rng: &mut Rng) {
        let copies = if self.faults.contains(Fault::Duplication) { COPIES_MAX } else { 0 };
        let depth = match within {
            Overtake::AtMost(depth) => depth.clamp(1, DEPTH_MAX),
            Overtake::Any => DEPTH_MAX,
        };
        let number = |wide: u64| u32::try_from(wide).unwrap_or(1);
        let share = share(rng, 50);
        match fault {
            Fault::Duplication => {
                let duplicate = Duplication { share, copies: number(rng.between(1, COPIES_MAX)) };
                self.each(sides, |it| it.duplicate = duplicate);
            }
            Fault::Replay => {
                let most = (depth / (2 + copies)).max(1);
                let replay = Replay { share, packets: number(log(rng, 1, most)), ..Replay::NONE };
                self.each(sides, |it| it.replay = replay);
            }
            Fault::Shuffling => {
                let spread = time(rng, MS, 200 * MS);
                self.each(sides, |it| {
                    if let Delay::Constant(delay) = it.delay {
                        it.delay = Delay::Uniform { mean: delay + spread, spread };
                    }
                });
                (self.network.up.jitter, self.network.down.jitter) =
                    (Jitter::Reorder, Jitter::Reorder);
            }
            _ => {
                let packets = number(log(rng, 1, depth));
                let at_most = time(rng, MS, 500 * MS);
                self.each(sides, |it| it.reorder = HoldBack { share, packets, at_most });
            }
        }
    }

    fn damage(&mut self, fault: Fault, sides: u64, rng: &mut Rng) {
        let share = share(rng, 30);
        let bits = u32::try_from(rng.between(1, 8)).unwrap_or(1);
        let block = u32::try_from(log(rng, 1, 8)).unwrap_or(1);
        let bytes = u32::try_from(log(rng, 1, 64)).unwrap_or(1);
        self.each(sides, |it| match fault {
            Fault::BitErrors => {
                it.corrupt = Corruption { share, bits, region: Region::Anywhere };
            }
            Fault::Swaps => it.swap = Swap { share, block },
            Fault::Splices => it.splice = share,
            Fault::Truncation => it.truncate = share,
            _ => it.extend = Extension { share, bytes },
        });
    }

    /// The bottleneck of both directions, if a fault asks for one.
    fn narrow(&mut self, seed: Seed) {
        let has = |fault| self.faults.contains(fault);
        let (changes, short, starved) =
            (has(Fault::RateChange), has(Fault::ShortQueue), has(Fault::Starvation));
        if !changes && !short && !starved {
            return;
        }
        let mut rng = seed.rng();
        let rate = rounded(log(&mut rng, 256_000, 10_000_000));
        let from = time(&mut rng, 1, nanos(self.heals_after) / 2);
        let until = from + time(&mut rng, 1, nanos(self.heals_after));
        let packets = log(&mut rng, 1, 32);
        for (link, down) in [(&mut self.network.up, false), (&mut self.network.down, true)] {
            let rate = if down && starved { (rate / 100).max(8_000) } else { rate };
            let told = |rate| Some(Bandwidth::new(rate));
            link.rate = Timeline::constant(told(rate));
            let mut slowest = rate;
            if changes {
                slowest = rate / 10;
                link.rate = link.rate.clone().then(from, told(slowest)).then(until, told(rate));
            }
            let queue = if short { packets * 700 } else { 1 << 16 };
            // Bytes that even the slowest rate sends in time.
            link.queue = ByteSize(queue.min(slowest / 8 * BACKLOG_MAX.as_secs()));
        }
    }

    /// Both classes of the directions in `sides`: 1 up, 2 down, 3 both.
    fn each(&mut self, sides: u64, change: impl Fn(&mut Faults)) {
        for link in links(&mut self.network, sides) {
            change(&mut link.data);
            change(&mut link.ack);
        }
    }

    fn drivers(&mut self, sides: u64, change: impl Fn(&mut Pace)) {
        let chosen = self.paces.iter_mut().zip([1, 2]);
        chosen.filter(|(_, side)| sides & side != 0).for_each(|(pace, _)| change(pace));
    }
}

fn links(profile: &mut Profile, sides: u64) -> impl Iterator<Item = &mut LinkConfig> {
    let Profile { up, down } = profile;
    [(up, 1), (down, 2)].into_iter().filter(move |(_, side)| sides & side != 0).map(|(it, _)| it)
}

/// About half of the faults that are within.
fn choose(seed: Seed, within: Channel) -> FaultSet {
    let mut faults = FaultSet::default();
    let mut drawn = FaultSet::default();
    for fault in Fault::ALL {
        if seed.split(fault.name()).rng().below(2) == 0 {
            drawn.insert(fault);
        }
    }
    // Of two that use the same part of a link, one gives way.
    let bursts = seed.split("which loss").rng().below(2) == 0;
    for fault in drawn.iter().filter(|fault| fault.is_within(within)) {
        let gives_way = match fault {
            Fault::Loss => bursts && drawn.contains(Fault::Bursts),
            Fault::Bursts => !bursts && drawn.contains(Fault::Loss),
            Fault::OneWayOutage => bursts && drawn.contains(Fault::Outage),
            Fault::Outage => !bursts && drawn.contains(Fault::OneWayOutage),
            _ => false,
        };
        if !gives_way {
            faults.insert(fault);
        }
    }
    faults
}

fn timeout(rng: &mut Rng, round_trip: Duration) -> Timeout {
    if rng.below(2) == 0 {
        let (low, high) = (nanos(round_trip) / 2, nanos(round_trip) * 4);
        return Timeout::Fixed(time(rng, low.max(5 * MS), high.max(10 * MS)));
    }
    Timeout::Adaptive(Adaptive {
        rto_initial: Duration::from_millis(200),
        rto_min: Duration::from_millis(20),
        rto_max: RTO_MAX,
    })
}

/// A number whose length in bits is drawn evenly, so that small ones are as common as large ones.
pub(super) fn log(rng: &mut Rng, low: u64, high: u64) -> u64 {
    let (low, high) = (low.max(1), high.max(low).max(1));
    let bits = rng.between(low.ilog2().into(), high.ilog2().into());
    let least = 1 << bits;
    rng.between(least, least + (least - 1)).clamp(low, high)
}

pub(super) fn size(rng: &mut Rng, low: u64, high: u64) -> usize {
    usize::try_from(log(rng, low, high)).unwrap_or(usize::MAX)
}

pub(super) fn time(rng: &mut Rng, low: u64, high: u64) -> Duration {
    Duration::from_nanos(rounded(log(rng, low, high)))
}

/// Only the first two digits: nobody wants to read more.
fn rounded(number: u64) -> u64 {
    let place = 10_u64.pow(number.max(1).ilog10().saturating_sub(1));
    number / place * place
}

/// From a tenth of a percent to so many.
fn share(rng: &mut Rng, percent: u64) -> Probability {
    let parts = rounded(log(rng, PERCENT / 10, percent * PERCENT));
    Probability::from_parts_per_billion(u32::try_from(parts).unwrap_or(u32::MAX))
}

/// What is unusual about the run, in words.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { messages, message_bytes_max, heals_after, network, .. } = self;
        writeln!(f, "{messages} messages of up to {message_bytes_max} bytes")?;
        writeln!(f, "network {network}")?;
        writeln!(f, "heals after {}", Span(*heals_after))?;
        let timeout = match self.timeout {
            Timeout::Fixed(rto) => alloc::format!("always {}", Span(rto)),
            Timeout::Adaptive(_) => "follows the path".to_string(),
        };
        write!(f, "timeout {timeout}; limits: {} to send, ", self.queue_messages_max)?;
        write!(f, "{} delivered, ", self.inbox_messages_max)?;
        write!(f, "{} feedback", self.outbox_packets_max)?;
        for (name, pace) in ["sender", "receiver"].into_iter().zip(self.paces) {
            if !pace.grain.is_zero() {
                write!(f, "\n{name}'s timers tick every {}", Span(pace.grain))?;
            }
            if !pace.late.is_zero() {
                write!(f, "\n{name} wakes up late by up to {}", Span(pace.late))?;
            }
            if !pace.reads_every.is_zero() {
                write!(f, "\n{name}'s application reads every {}", Span(pace.reads_every))?;
            }
        }
        if let Some((count, pause)) = self.bursts {
            write!(f, "\nthe application writes {count} at a time, every {}", Span(pause))?;
        }
        if self.egress == Egress::LinePaced {
            f.write_str("\nthe sender waits for its line to be free")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic::Spec;
    use alloc::string::String;

    #[test]
    fn plans_stay_within_what_a_protocol_bears() {
        for name in ["rdt1.0", "rdt2.2", "rdt3.0", "saw:9", "gbn:3/12", "sr:2/6", "gbn", "sr"] {
            let bears = name.parse::<Spec>().unwrap().tolerates();
            let mut seen = FaultSet::default();
            for seed in 0..2_000 {
                let plan = Plan::draw(seed, bears);
                if !plan.beyond {
                    let excess = plan.network.channel().exceeds(bears);
                    assert_eq!(excess, Vec::<String>::new(), "{name} seed {seed}: {plan}");
                    plan.faults.iter().for_each(|fault| seen.insert(fault));
                }
                assert!(plan.healed.channel().exceeds(Channel::PERFECT).is_empty());
                let text = plan.network.to_string();
                assert_eq!(text.parse(), Ok(plan.network), "it can be written down");
            }
            let expected = Fault::ALL.into_iter().filter(|fault| fault.is_within(bears));
            assert_eq!(seen.iter().collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{name}");
        }
    }

    #[test]
    fn each_fault_is_in_about_half_of_the_plans_and_of_every_strength() {
        let plans: Vec<Plan> = (0..2_000).map(|seed| Plan::draw(seed, Channel::HOSTILE)).collect();
        for fault in Fault::ALL {
            let on = plans.iter().filter(|plan| plan.faults.contains(fault)).count();
            // The two kinds of loss, and of outages, exclude each other.
            assert!((650..1_100).contains(&on), "{fault}: {on}");
        }
        let beyond = plans.iter().filter(|plan| plan.beyond).count();
        assert!((400..600).contains(&beyond), "{beyond}");
        let mut rng = Seed::new(1).rng();
        let mut lengths = [0; 10];
        for _ in 0..10_000 {
            lengths[log(&mut rng, 1, 1_000).ilog2() as usize] += 1;
        }
        assert!(lengths.iter().all(|&count| (800..1_200).contains(&count)), "{lengths:?}");
        assert_eq!(log(&mut rng, 0, 0), 1);
        assert_eq!(log(&mut rng, 5, 5), 5);
        assert_eq!([0, 7, 42, 999, 123_456].map(rounded), [0, 7, 42, 990, 120_000]);
    }

    #[test]
    fn messages_are_their_own_name() {
        let plan = Plan::draw(7, Channel::HOSTILE);
        assert_eq!(plan.message(3), plan.message(3));
        assert!(plan.message(3).len() <= plan.message_bytes_max);
    }
}
