//! How long packets may be: the path's MTU, found out by probes (DPLPMTUD: RFC 8899, RFC 9000 section
//! 14.3), and whether it has become less.
//!
//! **Search.** A probe is a packet longer than all others, sent alone. If it is acknowledged, packets
//! may be that long; if so many are lost that chance does not explain it, the path does not bear
//! them. First come the lengths that paths have, then what lies between the longest that passed and
//! the shortest that did not.
//!
//! **Black holes.** A path that bears less than before swallows what is longer, without a sign. Loss
//! looks the same, and a transport that takes loss for a black hole falls to its shortest packets
//! within seconds on a bad path. So a lost packet is suspicious only if a shorter one that left later
//! arrived, and no other as long as it; anything as long that arrives later clears it. While there is
//! a suspicion, packets are as short as passes everywhere, which repairs what was lost, and probes of
//! the length in doubt go on, one at a time. The verdict falls when the share of packets that is lost
//! anyway explains so many in a row no better than once in a thousand million.

use alloc::{boxed::Box, vec::Vec};
use core::time::Duration;

use crate::{time::Instant, wire::transport::Params};

/// UDP payloads that fill what paths carry: Ethernet over IPv6 and IPv4, jumbo frames, and the
/// longest there are.
const USUAL: [u32; 5] = [1452, 1472, 8952, 8972, 65_507];
/// Probes of a length, at least (RFC 8899 section 5.1.2, MAX_PROBES) and at most.
const PROBES_MIN: u32 = 3;
const PROBES_MAX: u32 = 10;
/// After so long a higher MTU is looked for again (RFC 8899 section 5.1.1, PMTU_RAISE_TIMER).
const RAISE: Duration = Duration::from_mins(10);
/// The search ends when what passes and what does not are this near, or a 64th of what passes.
const NEAR: u32 = 16;
/// How unlikely loss has to be as the explanation: one in so many. A false alarm once in a million
/// for a thousand suspicions, and a length given up in vain once in a thousand.
const VERDICT: u64 = 1_000_000_000;
const PROBE_VERDICT: u64 = 1_000;
/// Suspicions that are remembered: more are never needed, see [`LossRate::chance`].
const DOUBTS_MAX: usize = 200;
/// Lengths of packets that arrived, of which it is remembered up to which number.
const ARRIVED_MAX: usize = 8;

/// A lost packet that a shorter MTU explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Doubt {
    number: u64,
    bytes: u32,
}

/// Counters of the search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MtuStats {
    /// Probes sent.
    pub probes_sent: u32,
    /// Probes lost.
    pub probes_lost: u32,
    /// Times that packets were held short for a while on suspicion.
    pub doubts: u32,
    /// Times that the path was found to bear less than before.
    pub black_holes: u32,
}

/// See the [module](self).
#[derive(Clone, Debug)]
pub struct Pmtud {
    /// What packets had at the beginning.
    base: u32,
    /// The longest that is looked for, and that the peer takes.
    max: u32,
    /// What has passed.
    current: u32,
    /// What has not; beyond `max` if nothing is known.
    ceiling: u32,
    /// What is tried, and how many of these were lost; nothing is when that is no more than what has
    /// passed.
    trying: u32,
    lost: u32,
    /// When to look for more again, if nothing is tried.
    done_until: Instant,
    /// The probe on its way.
    probe: Option<u64>,
    /// Nothing long was acknowledged since a probe timeout.
    silent: bool,
    rate: LossRate,
    stats: MtuStats,
    /// Only where packets are longer than passes everywhere.
    suspicions: Option<Box<Suspicions>>,
}

/// What raises and clears doubts.
#[derive(Clone, Debug, Default)]
struct Suspicions {
    /// Packets that arrived: for each the number below which nothing longer is known to have arrived
    /// later. Numbers ascend and lengths descend.
    arrived: Vec<Doubt>,
    doubts: Vec<Doubt>,
    /// Losses that wait for the verdict before they count.
    suspended: u32,
    /// Only packets from here on can raise another doubt: they left after the last one.
    barrier: u64,
}

impl Pmtud {
    /// What passes on every path that may be used at all (RFC 9000 section 14.1).
    pub const FLOOR: usize = Params::MIN_PACKET_BYTES;

    /// Packets have `base` bytes at first, and `max` are looked for.
    pub fn new(base: usize, max: usize) -> Self {
        let mut new = Self {
            base: length(base),
            max: length(max.max(base)),
            current: length(base),
            ceiling: 0,
            trying: 0,
            lost: 0,
            done_until: Instant::ZERO,
            probe: None,
            silent: false,
            rate: LossRate::default(),
            stats: MtuStats::default(),
            suspicions: None,
        };
        new.ceiling = new.max + 1;
        new.look_for_more(Instant::ZERO);
        new
    }

    /// Another path, of which nothing is known: it begins with the length of the beginning.
    pub fn restart(&mut self, now: Instant) {
        let stats = self.stats;
        *self = Self { stats, ..Self::new(self.base as usize, self.max as usize) };
        self.look_for_more(now);
    }

    /// The peer takes no longer packets than that.
    pub fn limit(&mut self, now: Instant, max: usize) {
        let max = length(max.max(Self::FLOOR));
        if max < self.max {
            (self.max, self.base) = (max, self.base.min(max));
            self.current = self.current.min(max);
            self.ceiling = self.ceiling.min(max + 1);
            self.look_for_more(now);
        }
    }

    /// How long packets may be now.
    pub fn packet_bytes(&self) -> usize {
        if self.is_in_doubt() { Self::FLOOR } else { self.proven_bytes() }
    }

    /// How long packets may be once a suspicion has passed.
    pub const fn proven_bytes(&self) -> usize {
        self.current as usize
    }

    /// Whether packets are held short on suspicion.
    pub fn is_in_doubt(&self) -> bool {
        let doubts = self.doubts();
        doubts > 1 || self.silent && doubts > 0
    }

    fn doubts(&self) -> usize {
        self.suspicions.as_ref().map_or(0, |suspicions| suspicions.doubts.len())
    }

    /// What was counted.
    pub const fn stats(&self) -> &MtuStats {
        &self.stats
    }

    /// The length of the probe that may leave now; `None` while one is on its way, or when there is
    /// nothing to find out.
    pub fn probe_bytes(&mut self, now: Instant) -> Option<usize> {
        if self.probe.is_some() {
            return None;
        }
        if self.is_in_doubt() {
            return Some(self.proven_bytes());
        }
        if self.trying <= self.current && self.done_until <= now {
            self.ceiling = self.max + 1;
            self.look_for_more(now);
        }
        (self.trying > self.current).then_some(self.trying as usize)
    }

    /// The number of the probe on its way: its loss says nothing of congestion (RFC 9000 section
    /// 14.4).
    pub const fn probe(&self) -> Option<u64> {
        self.probe
    }

    /// A probe left.
    pub fn on_probe_sent(&mut self, number: u64) {
        self.probe = Some(number);
        self.stats.probes_sent += 1;
    }

    /// The probe timeout fired: everything on its way may be lost.
    pub fn on_silence(&mut self) {
        self.silent = true;
    }

    /// A packet was acknowledged.
    pub fn on_acked(&mut self, now: Instant, number: u64, bytes: usize) {
        let bytes = length(bytes);
        if self.probe == Some(number) {
            self.probe = None;
            if bytes > self.current {
                self.current = bytes;
                // What was given up, and then passed after all, was given up in vain.
                self.ceiling = if self.ceiling > bytes { self.ceiling } else { self.max + 1 };
                self.look_for_more(now);
            }
        }
        if bytes <= self.current {
            self.rate.on_acked();
        }
        if self.doubts() == 0 {
            self.silent &= bytes <= FLOOR;
        }
        if self.current <= FLOOR {
            return;
        }
        let suspicions = self.suspicions.get_or_insert_default();
        suspicions.note_arrival(number, bytes);
        if !suspicions.doubts.is_empty() {
            suspicions.doubts.retain(|doubt| !refutes(number, bytes, doubt));
            if suspicions.doubts.is_empty() {
                self.rate.on_lost(core::mem::take(&mut suspicions.suspended));
                self.silent = false;
            }
        }
    }

    /// A packet was given up; `next` is the number of the next packet to be sent.
    pub fn on_lost(&mut self, now: Instant, number: u64, bytes: usize, next: u64) {
        let bytes = length(bytes);
        if self.probe == Some(number) {
            self.probe = None;
            self.stats.probes_lost += 1;
            if bytes > self.current {
                return self.on_search_probe_lost(now, bytes);
            }
        }
        if bytes > self.current {
            return;
        }
        if bytes <= FLOOR {
            return self.rate.on_lost(1);
        }
        let was_in_doubt = self.is_in_doubt();
        let suspicions = self.suspicions.get_or_insert_default();
        let lost = Doubt { number, bytes };
        if suspicions.arrived.iter().any(|other| refutes(other.number, other.bytes, &lost)) {
            return self.rate.on_lost(1);
        }
        suspicions.suspended = suspicions.suspended.saturating_add(1);
        if number < suspicions.barrier || suspicions.doubts.len() >= DOUBTS_MAX {
            return;
        }
        suspicions.barrier = next;
        suspicions.doubts.push(lost);
        self.stats.doubts += u32::from(self.is_in_doubt() && !was_in_doubt);
        let count = u32::try_from(self.doubts()).unwrap_or(u32::MAX);
        if self.rate.chance(count) >= VERDICT {
            self.fall_back(now);
        }
    }

    fn on_search_probe_lost(&mut self, now: Instant, bytes: u32) {
        if self.trying != bytes {
            return;
        }
        self.lost += 1;
        let enough = self.lost >= PROBES_MAX || self.rate.chance(self.lost) >= PROBE_VERDICT;
        if self.lost >= PROBES_MIN && enough {
            self.ceiling = bytes;
            self.look_for_more(now);
        }
    }

    /// The path bears less than before.
    fn fall_back(&mut self, now: Instant) {
        let Some(suspicions) = self.suspicions.take() else { return };
        let shortest = suspicions.doubts.iter().map(|doubt| doubt.bytes).min();
        self.ceiling = shortest.unwrap_or(self.current).min(self.ceiling);
        self.current = FLOOR;
        self.silent = false;
        self.stats.black_holes += 1;
        self.look_for_more(now);
    }

    /// Chooses what to try next.
    fn look_for_more(&mut self, now: Instant) {
        let end = self.ceiling.min(self.max + 1);
        let usual = USUAL.iter().copied().find(|&bytes| bytes > self.current).unwrap_or(end);
        let near = NEAR.max(self.current / 64);
        self.trying = if usual < end {
            usual
        } else if end == self.max + 1 {
            // Nothing has failed: the longest of all.
            self.max
        } else if end - self.current > near {
            self.current + (end - self.current) / 2
        } else {
            0
        };
        (self.ceiling, self.lost, self.done_until) = (end, 0, now + RAISE);
    }

    /// Bytes of memory that it holds.
    pub(super) fn memory_bytes(&self) -> usize {
        self.suspicions.as_ref().map_or(0, |suspicions| {
            let places = suspicions.arrived.capacity() + suspicions.doubts.capacity();
            size_of::<Suspicions>() + places * size_of::<Doubt>()
        })
    }
}

impl Suspicions {
    /// Remembers that a packet arrived, if that says more than what is known.
    fn note_arrival(&mut self, number: u64, bytes: u32) {
        // Mostly it is one more of those that came last.
        if let [.., last] = &mut self.arrived[..]
            && last.bytes == bytes
        {
            last.number = last.number.max(number);
            return;
        }
        if self.arrived.iter().any(|other| other.number >= number && other.bytes >= bytes) {
            return;
        }
        self.arrived.retain(|other| other.number > number || other.bytes > bytes);
        let place = self.arrived.partition_point(|other| other.number < number);
        self.arrived.insert(place, Doubt { number, bytes });
        if self.arrived.len() > ARRIVED_MAX {
            self.arrived.remove(0);
        }
    }
}

const FLOOR: u32 = 1200;

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX - 1)
}

/// Whether the arrival of a packet shows that the path bore what was lost, then or later.
const fn refutes(number: u64, bytes: u32, lost: &Doubt) -> bool {
    number > lost.number && bytes >= lost.bytes
}

/// The share of packets that is lost for other reasons than their length, of the last thousand or
/// so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct LossRate {
    packets: u32,
    lost: u32,
}

impl LossRate {
    /// Half of what is known is forgotten after so many packets.
    const PACKETS_MAX: u32 = 1024;
    /// What is assumed before anything is known: four of eight.
    const PRIOR: (u32, u32) = (4, 8);
    /// The share is never taken for less than one in so many, nor for more than nine tenths.
    const LEAST: u32 = 50;

    fn on_acked(&mut self) {
        self.packets += 1;
        self.forget();
    }

    fn on_lost(&mut self, packets: u32) {
        // An outage of thousands of packets counts as one of a few hundred.
        let packets = packets.min(Self::PACKETS_MAX / 2);
        self.packets += packets;
        self.lost += packets;
        self.forget();
    }

    fn forget(&mut self) {
        if self.packets >= Self::PACKETS_MAX {
            self.packets /= 2;
            self.lost /= 2;
        }
    }

    /// One in how many times chance loses `count` packets in a row.
    fn chance(self, count: u32) -> u64 {
        let packets = self.packets + Self::PRIOR.1;
        let lost = (self.lost + Self::PRIOR.0).max(packets.div_ceil(Self::LEAST));
        let lost = u128::from(lost.min(packets * 9 / 10));
        // The chance in 2^-62.
        let mut left = 1_u64 << 62;
        for _ in 0..count {
            let product = u128::from(left) * lost / u128::from(packets);
            left = u64::try_from(product).unwrap_or(u64::MAX);
        }
        (1_u64 << 62) / left.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Rng, Seed};

    const fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    /// A path that bears so many bytes and loses one packet in a thousand parts.
    struct Path {
        pmtud: Pmtud,
        mtu: usize,
        permille: u64,
        number: u64,
        rng: Rng,
        now: Instant,
    }

    impl Path {
        fn new(max: usize, mtu: usize, permille: u64, seed: u64) -> Self {
            let (pmtud, rng) = (Pmtud::new(Pmtud::FLOOR, max), Seed::new(seed).rng());
            Self { pmtud, mtu, permille, number: 0, rng, now: Instant::ZERO }
        }

        /// A round trip: a probe if one is due, then packets as long as they may be and, after them,
        /// as many short ones. ACKs tell of the later first; what is not acknowledged is lost.
        fn round(&mut self, long: u32, short: u32) {
            let mut sent = Vec::new();
            if let Some(bytes) = self.pmtud.probe_bytes(self.now) {
                self.pmtud.on_probe_sent(self.number);
                sent.push(bytes);
            }
            sent.extend((0..long).map(|_| self.pmtud.packet_bytes()));
            sent.extend((0..short).map(|_| 300));
            let mut fates = Vec::new();
            for bytes in sent {
                let arrives = self.rng.below(1000) >= self.permille && bytes <= self.mtu;
                fates.push((self.number, bytes, arrives));
                self.number += 1;
            }
            for &(number, bytes, arrives) in fates.iter().rev() {
                if arrives {
                    self.pmtud.on_acked(self.now, number, bytes);
                }
            }
            // What was sent last and lost takes a probe timeout, and a short packet that arrives.
            if fates.last().is_some_and(|&(.., arrives)| !arrives) {
                self.pmtud.on_silence();
                while self.rng.below(1000) < self.permille {
                    self.number += 1;
                }
                self.pmtud.on_acked(self.now, self.number, 300);
                self.number += 1;
            }
            for (number, bytes, arrives) in fates {
                if !arrives {
                    self.pmtud.on_lost(self.now, number, bytes, self.number);
                }
            }
            self.now += Duration::from_millis(50);
        }
    }

    /// RFC 8899 section 5.3: what the path bears is found, whatever it is.
    #[test]
    fn the_search_ends_near_what_the_path_bears() {
        for (max, mtu) in [
            (1472, 1472),
            (1472, 1200),
            (1472, 1452),
            (1472, 1400),
            (1452, 9000),
            (8972, 8972),
            (65_507, 65_507),
            (65_507, 8972),
            (65_507, 1472),
            (65_507, 4352),
            (9_000, 65_507),
        ] {
            let mut path = Path::new(max, mtu, 0, 1);
            (0..200).for_each(|_| path.round(5, 0));
            let (found, bears) = (path.pmtud.packet_bytes(), max.min(mtu));
            assert!(found <= bears && bears - found <= (found / 64).max(16), "{found} of {bears}");
            assert_eq!(path.pmtud.probe_bytes(path.now), None, "{max}, {mtu}");
            assert_eq!(path.pmtud.stats().black_holes, 0);
        }
    }

    /// RFC 8899 section 5.1.2: three probes of a length; section 5.1.1: ten minutes until the next.
    #[test]
    fn three_probes_and_ten_minutes() {
        let mut path = Path::new(1472, 1460, 0, 1);
        // A path that is known to lose little.
        (0..60).for_each(|_| path.pmtud.rate.on_acked());
        (0..9).for_each(|_| path.round(5, 0));
        let stats = *path.pmtud.stats();
        assert_eq!((path.pmtud.packet_bytes(), stats.probes_sent, stats.probes_lost), (1452, 4, 3));
        path.mtu = 1500;
        path.now = at(599);
        path.round(5, 0);
        assert_eq!(path.pmtud.packet_bytes(), 1452);
        path.now = at(601);
        path.round(5, 0);
        assert_eq!(path.pmtud.packet_bytes(), 1472);
    }

    #[test]
    fn the_peer_has_the_last_word() {
        let mut pmtud = Pmtud::new(9000, 65_507);
        pmtud.limit(at(0), 1300);
        assert_eq!((pmtud.packet_bytes(), pmtud.probe_bytes(at(1))), (1300, None));
        pmtud.restart(at(2));
        assert_eq!(pmtud.packet_bytes(), 1300);
    }

    /// A path that bears less from some moment on: the first round after it holds packets short, and
    /// within some more the verdict falls and the search finds what is left.
    #[test]
    fn a_drop_is_found() {
        for permille in [0, 10, 50, 200] {
            let mut path = Path::new(1472, 1472, permille, permille);
            (0..300).for_each(|_| path.round(20, 0));
            assert_eq!(path.pmtud.packet_bytes(), 1472, "{permille}");
            path.mtu = 1400;
            path.round(20, 0);
            assert!(path.pmtud.is_in_doubt() && path.pmtud.packet_bytes() == Pmtud::FLOOR);
            let mut rounds = 1;
            while path.pmtud.stats().black_holes == 0 {
                path.round(20, 0);
                rounds += 1;
            }
            assert!(rounds <= 40, "{rounds} at {permille}");
            (0..200).for_each(|_| path.round(20, 0));
            let found = path.pmtud.proven_bytes();
            assert!((1376..=1400).contains(&found), "{found} at {permille}");
            assert_eq!(path.pmtud.stats().black_holes, 1);
        }
    }

    /// A suspicion that something as long clears costs a round, not the MTU: quinn 2791 and 1855 did
    /// not count deliveries of equal size.
    #[test]
    fn what_is_as_long_and_arrives_clears_a_doubt() {
        let mut pmtud = Pmtud::new(1472, 1472);
        pmtud.on_silence();
        pmtud.on_acked(at(0), 9, 300);
        pmtud.on_lost(at(0), 3, 1472, 10);
        assert!(pmtud.is_in_doubt());
        assert_eq!(pmtud.probe_bytes(at(0)), Some(1472));
        pmtud.on_acked(at(1), 2, 1472);
        assert!(pmtud.is_in_doubt(), "one that left before says nothing");
        pmtud.on_acked(at(1), 11, 1471);
        assert!(pmtud.is_in_doubt(), "shorter by a byte");
        pmtud.on_acked(at(1), 12, 1472);
        assert!(!pmtud.is_in_doubt() && pmtud.packet_bytes() == 1472);
        // And known before the loss is noticed, it never comes up.
        pmtud.on_lost(at(2), 10, 1472, 20);
        assert_eq!((pmtud.doubts(), pmtud.stats().doubts), (0, 1));
    }

    /// Losses of one flight are one suspicion, however many they are.
    #[test]
    fn an_outage_is_one_doubt() {
        let mut pmtud = Pmtud::new(1472, 1472);
        pmtud.on_silence();
        pmtud.on_acked(at(0), 500, 300);
        (0..500).for_each(|number| pmtud.on_lost(at(0), number, 1472, 501));
        assert_eq!((pmtud.doubts(), pmtud.stats().black_holes), (1, 0));
    }

    /// Ten simulated hours at each rate of loss; `benches/path_mtu` has a thousand.
    #[test]
    fn loss_is_no_black_hole() {
        for (seed, permille) in [0, 1, 10, 50, 100, 200].into_iter().enumerate() {
            let mut path = Path::new(1472, 1472, permille, seed as u64);
            (0..300).for_each(|_| path.round(4, 1));
            let rounds = 5 * 3600 * 20 / 10;
            for _ in 0..rounds {
                let (long, short) = (path.rng.below(4), path.rng.below(3));
                path.round(u32::try_from(long).unwrap(), u32::try_from(short).unwrap());
            }
            assert_eq!(path.pmtud.stats().black_holes, 0, "{permille}");
            assert!(path.pmtud.proven_bytes() == 1472);
        }
    }
}
