//! Replay: copies of datagrams that passed long ago, and the memory that they come from.

use alloc::{collections::VecDeque, format, string::String, vec::Vec};
use core::{fmt, time::Duration};

use super::{
    Class, Duplication,
    loss::{no_more, number},
};
use crate::{
    ecn::Ecn,
    quantity::{Probability, Span},
    rng::Rng,
    time::Instant,
};

/// Replay: with a share of the datagrams, a copy of an earlier one arrives too.
///
/// The earlier one is drawn evenly from those that were not lost, at most so many back and so old.
/// In text: `1%` (one of the last 8), `1%:64`, `1%:64:10s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Replay {
    /// How many datagrams bring an old one along.
    pub share: Probability,
    /// How many datagrams back it may be, of both classes; at least 1.
    pub packets: u32,
    /// How old it may be.
    pub within: Duration,
}

impl Default for Replay {
    fn default() -> Self {
        Self::NONE
    }
}

impl Replay {
    /// How many datagrams back when the text does not say.
    pub const PACKETS: u32 = 8;
    /// The furthest back that the text form accepts.
    pub const PACKETS_MAX: u32 = 4_096;
    /// How old when the text does not say: TCP's maximum segment lifetime (RFC 9293, 3.4.2).
    pub const WITHIN: Duration = Duration::from_mins(2);
    /// Nothing comes again.
    pub const NONE: Self =
        Self { share: Probability::NEVER, packets: Self::PACKETS, within: Self::WITHIN };

    /// How many later ones can have arrived before a replayed datagram does, on a link that keeps
    /// the order otherwise: of each datagram in between itself, its copies and what it brought along.
    pub(super) fn depth(self, copies: Duplication) -> u64 {
        if self.share.is_never() {
            return 0;
        }
        let copies = if copies.share.is_never() { 0 } else { u64::from(copies.copies.max(1)) };
        u64::from(self.packets.max(1)) * (2 + copies)
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let share = parts.next().unwrap_or_default();
        let share = share.parse().map_err(|e| format!("{e}, 1%:64 (back) or 1%:64:10s (old)"))?;
        let mut replay = Self { share, ..Self::NONE };
        if let Some(packets) = parts.next() {
            replay.packets = u32::try_from(number(packets, 1)?)
                .ok()
                .filter(|packets| *packets <= Self::PACKETS_MAX)
                .ok_or_else(|| format!("at most {} datagrams back", Self::PACKETS_MAX))?;
        }
        if let Some(within) = parts.next() {
            Span(replay.within) = within.parse().map_err(|e| format!("{e}"))?;
        }
        no_more(parts).map(|()| replay)
    }
}

impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { share, packets, within } = *self;
        write!(f, "{share}")?;
        if packets != Self::PACKETS || within != Self::WITHIN {
            write!(f, ":{packets}")?;
        }
        if within != Self::WITHIN {
            write!(f, ":{}", Span(within))?;
        }
        Ok(())
    }
}

/// How many datagrams back a splice may reach.
pub(super) const SPLICE_BACK: usize = 16;

/// A datagram as it was offered, that was not lost.
#[derive(Debug)]
pub(super) struct Remembered<T> {
    pub(super) id: u64,
    pub(super) class: Class,
    pub(super) tag: T,
    pub(super) ecn: Ecn,
    pub(super) bytes: Vec<u8>,
    at: Instant,
    /// How often it came again.
    replays: u32,
}

/// The latest datagrams that passed, for replay and splicing. Empty unless one of them is on.
#[derive(Debug)]
pub(super) struct Memory<T> {
    packets: VecDeque<Remembered<T>>,
    bytes: usize,
}

impl<T> Memory<T> {
    /// The most bytes that are remembered.
    pub(super) const BYTES_MAX: usize = 1 << 22;

    pub(super) fn new() -> Self {
        Self { packets: VecDeque::new(), bytes: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Remembers a datagram.
    pub(super) fn add(
        &mut self,
        at: Instant,
        id: u64,
        class: Class,
        tag: T,
        (datagram, ecn): (&[u8], Ecn),
    ) {
        self.bytes += datagram.len();
        let bytes = datagram.to_vec();
        self.packets.push_back(Remembered { id, class, tag, ecn, bytes, at, replays: 0 });
    }

    /// Forgets the oldest until at most `packets` are left and they fit; call until `None`. Returns
    /// the number of the forgotten one.
    pub(super) fn forget_beyond(&mut self, packets: usize) -> Option<u64> {
        if self.packets.len() <= packets && self.bytes <= Self::BYTES_MAX {
            return None;
        }
        let oldest = self.packets.pop_front()?;
        self.bytes -= oldest.bytes.len();
        Some(oldest.id)
    }

    /// The latest ones, for a splice.
    pub(super) fn latest(&self) -> Vec<&[u8]> {
        let latest = self.packets.iter().rev().take(SPLICE_BACK);
        latest.map(|packet| packet.bytes.as_slice()).collect()
    }

    /// Draws one that may come again now, and the number of its copy: replays are counted from 256
    /// on, behind all copies that duplication can make.
    pub(super) fn pick(
        &mut self,
        now: Instant,
        replay: Replay,
        rng: &mut Rng,
    ) -> Option<(&Remembered<T>, u32)> {
        let limit = usize::try_from(replay.packets.max(1)).unwrap_or(usize::MAX);
        let young = |packet: &&Remembered<T>| now.since(packet.at) <= replay.within;
        let count = self.packets.iter().rev().take(limit).take_while(young).count();
        let back = usize::try_from(rng.below(count as u64)).ok()?;
        let place = self.packets.len().checked_sub(1 + back).filter(|_| count > 0)?;
        let packet = self.packets.get_mut(place)?;
        packet.replays = packet.replays.saturating_add(1);
        let copy = Duplication::COPIES_MAX.saturating_add(packet.replays);
        Some((packet, copy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use alloc::collections::BTreeSet;

    #[test]
    fn memory_is_bounded_in_datagrams_and_bytes() {
        let mut memory = Memory::new();
        for id in 0..100 {
            let datagram = &alloc::vec![0; 100_000][..];
            memory.add(Instant::ZERO, id, Class::Data, (), (datagram, Ecn::NotEct));
            while memory.forget_beyond(60).is_some() {}
            assert!(memory.bytes <= Memory::<()>::BYTES_MAX && memory.packets.len() <= 60);
        }
        assert_eq!(memory.packets.len(), Memory::<()>::BYTES_MAX / 100_000);
        assert_eq!(memory.packets.back().map(|packet| packet.id), Some(99));
        while memory.forget_beyond(0).is_some() {}
        assert_eq!((memory.is_empty(), memory.bytes), (true, 0));
    }

    #[test]
    fn what_comes_again_is_near_and_young_enough() {
        let mut memory = Memory::new();
        for second in 0..20 {
            let at = Instant::from_nanos(second * 1_000_000_000);
            memory.add(at, second, Class::Data, (), (b"x", Ecn::NotEct));
        }
        let now = Instant::from_nanos(20_000_000_000);
        let mut rng = Seed::new(1).rng();
        let mut picks = |packets, within| -> BTreeSet<u64> {
            let replay = Replay { packets, within: Duration::from_secs(within), ..Replay::NONE };
            let mut draw = || memory.pick(now, replay, &mut rng).map(|(packet, _)| packet.id);
            (0..300).filter_map(|_| draw()).collect()
        };
        assert_eq!(picks(3, 100), BTreeSet::from([17, 18, 19]));
        assert_eq!(picks(100, 2), BTreeSet::from([18, 19]));
        assert!(picks(100, 0).is_empty());
        let copy = memory.pick(now, Replay::NONE, &mut rng).map(|(_, copy)| copy);
        assert!(copy > Some(Duplication::COPIES_MAX), "{copy:?}");
    }

    #[test]
    fn refuses_nonsense_with_a_reason() {
        for (text, reason) in [
            ("1%:0", "at least 1"),
            ("1%:4097", "at most 4096 datagrams back"),
            ("1%:8:10", "no known unit"),
            ("1%:8:10s:1", "one part too many"),
            ("much", "1%:64 (back) or 1%:64:10s"),
        ] {
            let error = Replay::parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let told = Replay { packets: 64, within: Duration::from_secs(10), ..Replay::NONE };
        assert_eq!(Replay::parse("0%:64:10s"), Ok(told));
        assert_eq!(Replay::parse("1%:4096").map(|replay| replay.packets), Ok(4_096));
    }
}
