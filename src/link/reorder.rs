//! Shuffling: datagrams that are held back until others have passed them.

use alloc::{collections::VecDeque, format, string::String};
use core::{fmt, time::Duration};

use super::{
    loss::{no_more, number},
    transit::{Key, Parcel},
};
use crate::{
    quantity::{Probability, Span},
    rng::Rng,
    time::Instant,
};

/// Shuffling: a share of the datagrams is held at the far end until some later ones have passed.
///
/// A held datagram is overtaken by at most `packets` others (copies included), which is the bound
/// that a protocol's modulus can be chosen by. In text: `10%` (until 3 have passed), `10%:5`,
/// `10%:5:100ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HoldBack {
    /// How many datagrams are held.
    pub share: Probability,
    /// How many must pass, at least 1.
    pub packets: u32,
    /// How long it waits for them at most.
    pub at_most: Duration,
}

impl Default for HoldBack {
    fn default() -> Self {
        Self::NONE
    }
}

impl HoldBack {
    /// How many must pass when the text does not say.
    pub const PACKETS: u32 = 3;
    /// The longest wait when the text does not say: longer than a retransmission timeout, so that
    /// the retransmission of a held packet passes it, as on a real network.
    pub const AT_MOST: Duration = Duration::from_secs(1);
    /// Nothing is held.
    pub const NONE: Self =
        Self { share: Probability::NEVER, packets: Self::PACKETS, at_most: Self::AT_MOST };

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let share = parts.next().unwrap_or_default();
        let share = share.parse().map_err(|e| format!("{e}, 10%:3 (packets) or 10%:3:100ms"))?;
        let mut hold = Self { share, ..Self::NONE };
        if let Some(packets) = parts.next() {
            hold.packets =
                u32::try_from(number(packets, 1)?).map_err(|_| "too many packets to wait for")?;
        }
        if let Some(at_most) = parts.next() {
            Span(hold.at_most) = at_most.parse().map_err(|e| format!("{e}"))?;
        }
        no_more(parts).map(|()| hold)
    }
}

impl fmt::Display for HoldBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { share, packets, at_most } = *self;
        write!(f, "{share}")?;
        if packets != Self::PACKETS || at_most != Self::AT_MOST {
            write!(f, ":{packets}")?;
        }
        if at_most != Self::AT_MOST {
            write!(f, ":{}", Span(at_most))?;
        }
        Ok(())
    }
}

/// Draws one word unless nothing is ever held.
pub(super) fn judge(hold: HoldBack, rng: &mut Rng) -> Option<HoldBack> {
    (!hold.share.is_never() && hold.share.hit(rng)).then_some(hold)
}

/// The datagrams that are being held, and those whose wait is over.
#[derive(Debug)]
pub(super) struct Held<T> {
    /// By deadline.
    waiting: VecDeque<Waiting<T>>,
    /// By number.
    ready: VecDeque<Parcel<T>>,
}

#[derive(Debug)]
struct Waiting<T> {
    deadline: Instant,
    missing: u32,
    parcel: Parcel<T>,
}

impl<T> Waiting<T> {
    fn key(&self) -> Key {
        Key { release: self.deadline, ..self.parcel.key }
    }
}

impl<T> Held<T> {
    pub(super) fn new() -> Self {
        Self { waiting: VecDeque::new(), ready: VecDeque::new() }
    }

    /// Holds a datagram from its arrival on.
    pub(super) fn hold(&mut self, parcel: Parcel<T>, hold: HoldBack) {
        let deadline = parcel.key.release + hold.at_most;
        let waiting = Waiting { deadline, missing: hold.packets.max(1), parcel };
        let place = self.waiting.partition_point(|other| other.key() < waiting.key());
        self.waiting.insert(place, waiting);
    }

    /// Notes that the datagram `id` was delivered. Those that have now been passed often enough
    /// become ready, the oldest first, so that none is passed once too often.
    pub(super) fn passed_by(&mut self, id: u64, at: Instant) {
        let mut index = 0;
        while let Some(waiting) = self.waiting.get_mut(index) {
            if waiting.parcel.key.id < id {
                waiting.missing -= 1;
            }
            if waiting.missing > 0 {
                index += 1;
            } else if let Some(Waiting { mut parcel, .. }) = self.waiting.remove(index) {
                parcel.key.release = at;
                let order = |parcel: &Parcel<T>| (parcel.key.id, parcel.key.copy);
                let place = self.ready.partition_point(|other| order(other) < order(&parcel));
                self.ready.insert(place, parcel);
            }
        }
    }

    /// The next datagram that has been passed often enough.
    pub(super) fn pop_ready(&mut self) -> Option<Parcel<T>> {
        self.ready.pop_front()
    }

    /// Since when a datagram has been ready.
    pub(super) fn ready_at(&self) -> Option<Instant> {
        self.ready.front().map(|parcel| parcel.key.release)
    }

    /// The first deadline.
    pub(super) fn next(&self) -> Option<Key> {
        self.waiting.front().map(Waiting::key)
    }

    /// Releases the datagram whose deadline comes first, passed or not.
    pub(super) fn pop_expired(&mut self) -> Option<Parcel<T>> {
        let Waiting { deadline, mut parcel, .. } = self.waiting.pop_front()?;
        parcel.key.release = deadline;
        Some(parcel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ecn::Ecn, link::Class};
    use alloc::vec::Vec;

    fn parcel(id: u64, copy: u32) -> Parcel<()> {
        let key = Key { release: Instant::ZERO, id, copy };
        let (offered, class) = (Instant::ZERO, Class::Data);
        Parcel { key, offered, class, hold: None, tag: (), ecn: Ecn::NotEct, bytes: Vec::new() }
    }

    #[test]
    fn only_later_datagrams_pass_the_one_that_is_held() {
        let mut held = Held::new();
        let twice = HoldBack { packets: 2, ..HoldBack::NONE };
        held.hold(parcel(3, 0), twice);
        for (passing, ready) in [(3, None), (2, None), (4, None), (3, None), (5, Some(3))] {
            held.passed_by(passing, Instant::from_nanos(passing));
            assert_eq!(held.pop_ready().map(|parcel| parcel.key.id), ready, "after {passing}");
        }
        assert_eq!((held.next(), held.ready_at()), (None, None));
    }

    #[test]
    fn those_that_are_passed_together_come_out_by_number() {
        let mut held = Held::new();
        let once = HoldBack { packets: 1, ..HoldBack::NONE };
        for (id, copy) in [(2, 1), (1, 0), (2, 0), (7, 0)] {
            held.hold(parcel(id, copy), once);
        }
        held.passed_by(5, Instant::from_nanos(9));
        assert_eq!(held.ready_at(), Some(Instant::from_nanos(9)));
        let ready = core::iter::from_fn(|| held.pop_ready());
        let order: Vec<_> = ready.map(|parcel| (parcel.key.id, parcel.key.copy)).collect();
        assert_eq!(order, [(1, 0), (2, 0), (2, 1)]);
        let key = held.next().map(|key| (key.id, key.release));
        assert_eq!(key, Some((7, Instant::ZERO + HoldBack::AT_MOST)), "nothing passed it");
    }

    #[test]
    fn refuses_nonsense_with_a_reason() {
        for (text, reason) in [
            ("10%:0", "at least 1"),
            ("10%:3:100", "no known unit"),
            ("10%:3:100ms:1", "one part too many"),
            ("much", "10%:3 (packets) or 10%:3:100ms"),
        ] {
            let error = HoldBack::parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let told = HoldBack {
            share: Probability::percent(10),
            packets: 3,
            at_most: Duration::from_millis(100),
        };
        assert_eq!(HoldBack::parse("10%:3:100ms"), Ok(told));
    }
}
