//! What a link really did, as opposed to what it was told.

use core::{fmt, time::Duration};

use super::{Class, Faults, LinkConfig};
use crate::{
    quantity::{Bandwidth, Probability, Span},
    time::nanos,
};

/// Counts for one class of datagrams.
///
/// Everything offered, and every copy, has one end: `offered + copies + replayed` is `outage +
/// too_large + queue_full + lost + link_full + delivered` and what is still on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClassStats {
    /// Datagrams offered.
    pub offered: u64,
    /// Their bytes.
    pub offered_bytes: u64,
    /// Lost because the link was down.
    pub outage: u64,
    /// Lost because they were longer than the MTU.
    pub too_large: u64,
    /// Dropped because the bottleneck's queue was full.
    pub queue_full: u64,
    /// Waited for the bottleneck's transmitter.
    pub queued: u64,
    /// Reached the bottleneck when its rate had changed.
    pub rate_changed: u64,
    /// Lost by the loss stage.
    pub lost: u64,
    /// Dropped, originals and copies, because the link held as many as it may.
    pub link_full: u64,
    /// Marked with congestion, by the queue or by the path.
    pub ecn_marked: u64,
    /// Whose ECN field was cleared.
    pub ecn_cleared: u64,
    /// Whose ECN field was changed into another that says the same.
    pub ecn_changed: u64,
    /// Hit by bit errors.
    pub corrupted: u64,
    /// Bits flipped in them.
    pub bits_flipped: u64,
    /// In which bytes changed places.
    pub swapped: u64,
    /// Whose tail was that of another.
    pub spliced: u64,
    /// Cut short.
    pub truncated: u64,
    /// Made longer.
    pub extended: u64,
    /// Datagrams of which copies were made.
    pub duplicated: u64,
    /// Copies made.
    pub copies: u64,
    /// Old datagrams that came again.
    pub replayed: u64,
    /// That had to wait for the end of their slot.
    pub bunched: u64,
    /// Held back, originals and copies.
    pub held: u64,
    /// Delivered, originals and copies.
    pub delivered: u64,
    /// Their bytes.
    pub delivered_bytes: u64,
    /// Delivered after one that was offered later.
    pub overtaken: u64,
    /// The most later ones (copies included) that overtook one.
    pub depth_max: u64,
    /// The shortest time from offer to delivery.
    pub delay_min: Duration,
    /// The longest time from offer to delivery.
    pub delay_max: Duration,
    /// The sum of all times from offer to delivery.
    pub delay_sum: Duration,
}

impl ClassStats {
    /// Those that reached the loss stage: no outage, MTU or queue took them.
    pub fn exposed(&self) -> u64 {
        self.offered - self.outage - self.too_large - self.queue_full
    }

    /// Those that the loss stage let pass; the later stages act on these.
    pub fn carried(&self) -> u64 {
        self.exposed() - self.lost
    }

    /// The effective rate of loss: of those that reached the loss stage.
    pub fn loss(&self) -> Probability {
        Probability::ratio(self.lost.into(), self.exposed().into())
    }

    /// The mean time from offer to delivery; zero before the first delivery.
    pub fn delay_mean(&self) -> Duration {
        Duration::from_nanos(nanos(self.delay_sum).checked_div(self.delivered).unwrap_or(0))
    }

    pub(super) fn deliver(&mut self, bytes: usize, delay: Duration, overtaken_by: u64) {
        if self.delivered == 0 || delay < self.delay_min {
            self.delay_min = delay;
        }
        self.delay_max = self.delay_max.max(delay);
        self.delay_sum = self.delay_sum.saturating_add(delay);
        self.delivered += 1;
        self.delivered_bytes += bytes as u64;
        self.overtaken += u64::from(overtaken_by > 0);
        self.depth_max = self.depth_max.max(overtaken_by);
    }

    /// The sum of two counts.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let delay_min = match (self.delivered, other.delivered) {
            (0, _) => other.delay_min,
            (_, 0) => self.delay_min,
            _ => self.delay_min.min(other.delay_min),
        };
        Self {
            offered: self.offered + other.offered,
            offered_bytes: self.offered_bytes + other.offered_bytes,
            outage: self.outage + other.outage,
            queue_full: self.queue_full + other.queue_full,
            too_large: self.too_large + other.too_large,
            queued: self.queued + other.queued,
            rate_changed: self.rate_changed + other.rate_changed,
            lost: self.lost + other.lost,
            link_full: self.link_full + other.link_full,
            ecn_marked: self.ecn_marked + other.ecn_marked,
            ecn_cleared: self.ecn_cleared + other.ecn_cleared,
            ecn_changed: self.ecn_changed + other.ecn_changed,
            corrupted: self.corrupted + other.corrupted,
            bits_flipped: self.bits_flipped + other.bits_flipped,
            truncated: self.truncated + other.truncated,
            swapped: self.swapped + other.swapped,
            spliced: self.spliced + other.spliced,
            extended: self.extended + other.extended,
            duplicated: self.duplicated + other.duplicated,
            copies: self.copies + other.copies,
            replayed: self.replayed + other.replayed,
            bunched: self.bunched + other.bunched,
            held: self.held + other.held,
            delivered: self.delivered + other.delivered,
            delivered_bytes: self.delivered_bytes + other.delivered_bytes,
            overtaken: self.overtaken + other.overtaken,
            depth_max: self.depth_max.max(other.depth_max),
            delay_min,
            delay_max: self.delay_max.max(other.delay_max),
            delay_sum: self.delay_sum.saturating_add(other.delay_sum),
        }
    }
}

/// Counts of one link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkStats {
    /// Data, and everything that is not legible.
    pub data: ClassStats,
    /// Feedback.
    pub ack: ClassStats,
}

impl LinkStats {
    /// Both classes together.
    pub fn total(&self) -> ClassStats {
        self.data.plus(&self.ack)
    }

    pub(super) fn class_mut(&mut self, class: Class) -> &mut ClassStats {
        match class {
            Class::Data => &mut self.data,
            Class::Ack => &mut self.ack,
        }
    }

    /// The effective rates beside those that `config` told, for people.
    pub fn report<'a>(&'a self, config: &'a LinkConfig) -> Report<'a> {
        Report { stats: self, config }
    }
}

/// Effective rates beside told ones: one line for each class that was offered anything, such as
/// "data: 1000 offered, 797 delivered, 20.3% lost (told 20%)".
///
/// Loss is a share of what reached the loss stage; corruption, copies and holding are shares of what
/// was not lost, so that two faults at once do not look like more of either.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    stats: &'a LinkStats,
    config: &'a LinkConfig,
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LinkStats { data, ack } = self.stats;
        if data.offered > 0 || ack.offered == 0 {
            line(f, "data", data, &self.config.data)?;
        }
        if data.offered > 0 && ack.offered > 0 {
            f.write_str("\n")?;
        }
        if ack.offered > 0 {
            line(f, "ack", ack, &self.config.ack)?;
        }
        Ok(())
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, stats: &ClassStats, told: &Faults) -> fmt::Result {
    write!(f, "{name}: {} offered, {} delivered", stats.offered, stats.delivered)?;
    let share = |part, whole, word, told: Option<Probability>| Rate { part, whole, word, told };
    let (exposed, carried) = (stats.exposed(), stats.carried());
    for rate in [
        share(stats.lost, exposed, "lost", told.loss.share()),
        share(stats.outage, stats.offered, "lost in outages", None),
        share(stats.too_large, stats.offered, "too large", None),
        share(stats.queue_full, stats.offered, "dropped by the full queue", None),
        share(
            stats.link_full,
            carried + stats.copies + stats.replayed,
            "dropped by the full link",
            None,
        ),
        share(stats.ecn_marked, carried, "marked with congestion", None),
        share(stats.ecn_cleared, carried, "bleached", None),
        share(stats.ecn_changed, carried, "with another ECN field", None),
        share(stats.corrupted, carried, "corrupted", Some(told.corrupt.share)),
        share(stats.swapped, carried, "with bytes swapped", Some(told.swap.share)),
        share(stats.spliced, carried, "spliced", Some(told.splice)),
        share(stats.truncated, carried, "cut short", Some(told.truncate)),
        share(stats.extended, carried, "extended", Some(told.extend.share)),
        share(stats.duplicated, carried, "duplicated", Some(told.duplicate.share)),
        share(stats.replayed, carried, "bringing an old one along", Some(told.replay.share)),
        share(stats.bunched, carried + stats.copies + stats.replayed, "bunched", None),
        share(stats.held, carried + stats.copies, "held back", Some(told.reorder.share)),
        share(stats.overtaken, stats.delivered, "overtaken", None),
    ] {
        rate.fmt(f)?;
    }
    if stats.overtaken > 0 {
        write!(f, " by up to {}", stats.depth_max)?;
    }
    if !stats.delay_max.is_zero() {
        let micros = |time: Duration| Span(Duration::from_micros(nanos(time) / 1_000));
        let mean = micros(stats.delay_mean());
        let (min, max) = (micros(stats.delay_min), micros(stats.delay_max));
        write!(f, ", delay {mean} on average ({min} to {max})")?;
    }
    Ok(())
}

/// ", 20.3% lost (told 20%)"; nothing when it neither happened nor was told to.
struct Rate {
    part: u64,
    whole: u64,
    word: &'static str,
    told: Option<Probability>,
}

impl Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self.told.filter(|share| !share.is_never());
        if self.part == 0 && told.is_none() {
            return Ok(());
        }
        let share = Probability::ratio(self.part.into(), self.whole.into());
        let permille = (share.parts_per_billion() + 500_000) / 1_000_000;
        write!(f, ", {}.{}% {}", permille / 10, permille % 10, self.word)?;
        told.map_or(Ok(()), |told| write!(f, " (told {told})"))
    }
}

/// The rate at which bytes came out between two points of a run; `None` when no time passed.
///
/// ```
/// use core::time::Duration;
/// use rdtp::link::throughput;
///
/// assert_eq!(throughput(1_250_000, Duration::from_secs(1)).unwrap().to_string(), "10mbit");
/// ```
pub fn throughput(bytes: u64, elapsed: Duration) -> Option<Bandwidth> {
    let bits = u128::from(bytes) * 8 * 1_000_000_000;
    let rate = bits.checked_div(elapsed.as_nanos())?;
    Some(Bandwidth::new(u64::try_from(rate).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn reports_effective_beside_told_rates() {
        let config: LinkConfig = "loss=20%,corrupt=1%,delay=25ms±5ms".parse().unwrap();
        let mut stats = LinkStats::default();
        assert_eq!(
            stats.report(&config).to_string(),
            "data: 0 offered, 0 delivered, 0.0% lost (told 20%), 0.0% corrupted (told 1%)"
        );
        stats.data = ClassStats { offered: 1_000, lost: 203, corrupted: 8, ..stats.data };
        for delay in [20_500, 25_000, 29_000] {
            stats.data.deliver(100, Duration::from_micros(delay), delay / 10_000 - 2);
        }
        stats.ack = ClassStats { offered: 10, queue_full: 1, ..stats.ack };
        assert_eq!(
            stats.report(&config).to_string(),
            "data: 1000 offered, 3 delivered, 20.3% lost (told 20%), 1.0% corrupted (told 1%), \
             delay 24.833ms on average (20.5ms to 29ms)\n\
             ack: 10 offered, 0 delivered, 0.0% lost (told 20%), 10.0% dropped by the full queue, \
             0.0% corrupted (told 1%)"
        );
        stats.data.deliver(100, Duration::from_millis(25), 7);
        assert!(stats.report(&config).to_string().contains(", 25.0% overtaken by up to 7, "));
        assert_eq!(stats.data.loss(), Probability::ratio(203, 1_000));
        assert_eq!((stats.total().offered, stats.total().delay_min.as_micros()), (1_010, 20_500));
    }

    /// Every count is a multiple of `n`, each another one.
    fn counts(n: u64) -> ClassStats {
        let millis = |millis| Duration::from_millis(millis);
        ClassStats {
            offered: n,
            offered_bytes: 2 * n,
            outage: 3 * n,
            too_large: 4 * n,
            queue_full: 5 * n,
            queued: 6 * n,
            rate_changed: 7 * n,
            lost: 8 * n,
            link_full: 9 * n,
            ecn_marked: 28 * n,
            ecn_cleared: 29 * n,
            ecn_changed: 30 * n,
            corrupted: 10 * n,
            bits_flipped: 11 * n,
            swapped: 12 * n,
            spliced: 13 * n,
            truncated: 14 * n,
            extended: 15 * n,
            duplicated: 16 * n,
            copies: 17 * n,
            replayed: 18 * n,
            bunched: 19 * n,
            held: 20 * n,
            delivered: 21 * n,
            delivered_bytes: 22 * n,
            overtaken: 23 * n,
            depth_max: 24 * n,
            delay_min: millis(25 * n),
            delay_max: millis(26 * n),
            delay_sum: millis(27 * n),
        }
    }

    #[test]
    fn sums_add_counts_and_keep_extremes() {
        let (few, many) = (counts(2), counts(100));
        let (depth_max, delay_max) = (many.depth_max, many.delay_max);
        let sum = ClassStats { depth_max, delay_max, delay_min: few.delay_min, ..counts(102) };
        assert_eq!(few.plus(&many), sum);
        assert_eq!(many.plus(&few), sum);
        // Where nothing was delivered, nothing was quick.
        let none = ClassStats::default();
        assert_eq!((few.plus(&none), none.plus(&few)), (few, few));
        assert_eq!(many.delay_mean(), Duration::from_nanos(1_285_714));
        assert_eq!(none.delay_mean(), Duration::ZERO);
    }

    #[test]
    fn deliveries_keep_the_extremes_of_the_delay() {
        let mut stats = ClassStats::default();
        for (millis, least) in [(5, 5), (7, 5), (3, 3), (4, 3)] {
            stats.deliver(1, Duration::from_millis(millis), 0);
            assert_eq!(stats.delay_min, Duration::from_millis(least));
        }
        assert_eq!((stats.delay_max, stats.delay_sum.as_millis()), (Duration::from_millis(7), 19));
        assert_eq!(stats.delay_mean(), Duration::from_micros(4_750));
    }

    #[test]
    fn the_report_takes_each_share_of_what_could_have_been_hit() {
        let config = LinkConfig::PERFECT;
        let mut stats = LinkStats::default();
        // 800 reach the loss stage, 600 pass it; with copies 800 and with old ones 900 go on.
        stats.ack = ClassStats {
            offered: 1_000,
            outage: 100,
            too_large: 60,
            queue_full: 40,
            lost: 200,
            copies: 200,
            replayed: 100,
            link_full: 90,
            corrupted: 60,
            swapped: 30,
            spliced: 12,
            truncated: 6,
            extended: 3,
            duplicated: 150,
            bunched: 450,
            held: 320,
            delivered: 500,
            overtaken: 50,
            depth_max: 4,
            ..stats.ack
        };
        assert_eq!((stats.ack.exposed(), stats.ack.carried()), (800, 600));
        assert_eq!(
            stats.report(&config).to_string(),
            "ack: 1000 offered, 500 delivered, 25.0% lost, 10.0% lost in outages, 6.0% too large, \
             4.0% dropped by the full queue, 10.0% dropped by the full link, 10.0% corrupted, \
             5.0% with bytes swapped, 2.0% spliced, 1.0% cut short, 0.5% extended, 25.0% duplicated, \
             16.7% bringing an old one along, 50.0% bunched, 40.0% held back, 10.0% overtaken by up \
             to 4"
        );
    }

    #[test]
    fn throughput_needs_time() {
        assert_eq!(throughput(1_250, Duration::from_millis(1)), Some(Bandwidth::new(10_000_000)));
        assert_eq!(throughput(1, Duration::ZERO), None);
        assert_eq!(throughput(0, Duration::MAX), Some(Bandwidth::new(1)));
        assert_eq!(throughput(u64::MAX, Duration::from_nanos(1)), Some(Bandwidth::new(u64::MAX)));
    }
}
