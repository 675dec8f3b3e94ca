//! What happens to one datagram between its offer and its delivery, stage by stage.

use alloc::vec::Vec;

use super::{
    Class, Delivery, Jitter, Link, ecn,
    stages::Verdict,
    transit::{Key, Parcel},
};
use crate::{ecn::Ecn, quantity::ByteSize, time::Instant, trace::Fate, wire::Anatomy};

impl<T> Link<T> {
    /// The stages before the wire: when the last bit has left, or what became of it instead.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        class: Class,
        verdict: &Verdict,
        len: usize,
    ) -> Result<Instant, Fate> {
        let elapsed = now.since(self.since);
        let has_room = self.has_room(len);
        let stats = self.stats.class_mut(class);
        if self.config.outages.iter().any(|outage| outage.covers(elapsed)) {
            stats.outage += 1;
            return Err(Fate::Outage);
        }
        if self.config.mtu.at(elapsed).is_some_and(|mtu| len as u64 > u64::from(mtu)) {
            stats.too_large += 1;
            return Err(Fate::TooLarge);
        }
        let start = now.max(self.bottleneck.busy_until());
        let then = start.since(self.since);
        let rate = self.config.rate.at(then);
        let Some(sent) = self.bottleneck.accept(now, len, rate, self.config.queue) else {
            stats.queue_full += 1;
            return Err(Fate::QueueFull);
        };
        stats.queued += u64::from(start > now);
        stats.rate_changed += u64::from(self.config.rate.has_changed_by(then));
        if verdict.lost {
            stats.lost += 1;
            return Err(Fate::Lost);
        }
        if !has_room {
            stats.link_full += 1;
            return Err(Fate::LinkFull);
        }
        Ok(sent)
    }

    /// The ECN field of a datagram that has just been admitted: the queue marks it if too much
    /// waits, and the path does to it what it does.
    pub(super) fn remark(&mut self, id: u64, now: Instant, class: Class, field: Ecn) -> Ecn {
        let mut field = field;
        let ByteSize(waiting) = self.bottleneck.waiting(now);
        let too_much = self.config.mark.is_some_and(|ByteSize(bound)| waiting > bound);
        if too_much && ecn::is_capable(field) {
            field = Ecn::Ce;
            self.stats.class_mut(class).ecn_marked += 1;
            self.note(id, Fate::EcnMarked);
        }
        let (field, fate) = self.config.ecn.at(now.since(self.since)).apply(field);
        let stats = self.stats.class_mut(class);
        match fate {
            Some(Fate::EcnCleared) => stats.ecn_cleared += 1,
            Some(Fate::EcnChanged) => stats.ecn_changed += 1,
            Some(_) => stats.ecn_marked += 1,
            None => {}
        }
        if let Some(fate) = fate {
            self.note(id, fate);
        }
        field
    }

    /// Copies the datagram into a buffer of the pool and damages it as decided.
    pub(super) fn damage(
        &mut self,
        id: u64,
        class: Class,
        verdict: &Verdict,
        anatomy: &Anatomy,
        datagram: &[u8],
    ) -> Vec<u8> {
        let mut bytes = self.pool.pop().unwrap_or_default();
        bytes.extend_from_slice(datagram);
        if !verdict.damages() {
            return bytes;
        }
        let Self { stats, data, ack, config, memory, .. } = self;
        let (stages, faults) = match class {
            Class::Data => (&*data, &config.data),
            Class::Ack => (&*ack, &config.ack),
        };
        let (ordinal, stats) = (verdict.ordinal, stats.class_mut(class));
        let mut fates = [None; 5];
        let [corrupted, swapped, spliced, truncated, extended] = &mut fates;
        if verdict.corrupt {
            let bits = stages.corrupt.flip(ordinal, &faults.corrupt, anatomy, datagram, &mut bytes);
            *corrupted = (bits > 0).then_some(Fate::Corrupted { bits });
            stats.bits_flipped += u64::from(bits);
        }
        if verdict.swap {
            let swap = stages.swap.swap(ordinal, faults.swap, &mut bytes);
            *swapped = swap.then_some(Fate::Swapped);
        }
        if verdict.splice {
            let own = stages.splice.splice(ordinal, &memory.latest(), &mut bytes);
            *spliced = own.map(|bytes| Fate::Spliced { bytes });
        }
        if verdict.truncate && !bytes.is_empty() {
            bytes.truncate(stages.truncate.cut(ordinal, bytes.len()));
            *truncated = Some(Fate::Truncated { bytes: bytes.len() });
        }
        if verdict.extend {
            let added = stages.extend.extend(ordinal, faults.extend, &mut bytes);
            *extended = (added > 0).then_some(Fate::Extended { bytes: added });
        }
        stats.corrupted += u64::from(corrupted.is_some());
        stats.swapped += u64::from(swapped.is_some());
        stats.spliced += u64::from(spliced.is_some());
        stats.truncated += u64::from(truncated.is_some());
        stats.extended += u64::from(extended.is_some());
        fates.into_iter().flatten().for_each(|fate| self.note(id, fate));
        bytes
    }

    /// Sends a datagram that has left the transmitter, and its copies, on their way; says how many.
    pub(super) fn launch(&mut self, verdict: &Verdict, mut parcel: Parcel<T>) -> u32
    where
        T: Clone,
    {
        let Key { release: sent, id, .. } = parcel.key;
        let class = parcel.class;
        let original = self.line_up(class, sent + verdict.delay);
        parcel.key.release = original;
        self.carry(parcel.bytes.len());
        let mut flying = 1;
        if verdict.copies > 0 {
            self.stats.class_mut(class).duplicated += 1;
            self.note(id, Fate::Duplicated);
        }
        for copy in 1..=verdict.copies {
            let (stages, faults) = match class {
                Class::Data => (&self.data, &self.config.data),
                Class::Ack => (&self.ack, &self.config.ack),
            };
            let (delay, hold) = stages.judge_copy(faults, verdict.ordinal, copy);
            self.stats.class_mut(class).copies += 1;
            if !self.has_room(parcel.bytes.len()) {
                self.stats.class_mut(class).link_full += 1;
                self.note(id, Fate::LinkFull);
                continue;
            }
            let mut bytes = self.pool.pop().unwrap_or_default();
            bytes.extend_from_slice(&parcel.bytes);
            let key = Key { release: self.line_up(class, sent + delay), id, copy };
            let (offered, ecn, tag) = (parcel.offered, parcel.ecn, parcel.tag.clone());
            self.carry(bytes.len());
            self.transit.push(Parcel { key, offered, class, hold, tag, ecn, bytes });
            flying += 1;
        }
        self.transit.push(parcel);
        flying
    }

    /// Lets an old datagram come again behind this one, if that is its lot.
    pub(super) fn replay(&mut self, now: Instant, class: Class, verdict: &Verdict, sent: Instant)
    where
        T: Clone,
    {
        if !verdict.replay {
            return;
        }
        let (stages, faults) = match class {
            Class::Data => (&self.data, &self.config.data),
            Class::Ack => (&self.ack, &self.config.ack),
        };
        let mut rng = stages.replay.details(verdict.ordinal);
        let Some((old, copy)) = self.memory.pick(now, faults.replay, &mut rng) else { return };
        let (id, class, tag, ecn) = (old.id, old.class, old.tag.clone(), old.ecn);
        let mut bytes = self.pool.pop().unwrap_or_default();
        bytes.extend_from_slice(&old.bytes);
        let delay = faults.delay.draw(&mut rng);
        self.stats.class_mut(class).replayed += 1;
        self.note(id, Fate::Replayed);
        if !self.has_room(bytes.len()) {
            self.stats.class_mut(class).link_full += 1;
            self.note(id, Fate::LinkFull);
            return self.recycle(bytes);
        }
        let key = Key { release: self.line_up(class, sent + delay), id, copy };
        self.carry(bytes.len());
        self.meter.more(id);
        self.transit.push(Parcel { key, offered: now, class, hold: None, tag, ecn, bytes });
    }

    /// Remembers a datagram that may come again, and forgets those that are too far back; says
    /// whether it may.
    pub(super) fn remember(
        &mut self,
        now: Instant,
        id: u64,
        class: Class,
        tag: T,
        datagram: (&[u8], Ecn),
    ) -> u32 {
        let limit = self.config.data.memory().max(self.config.ack.memory());
        if limit == 0 && self.memory.is_empty() {
            return 0;
        }
        self.memory.add(now, id, class, tag, datagram);
        let mut remembered = 1;
        while let Some(forgotten) = self.memory.forget_beyond(limit) {
            if forgotten == id {
                remembered = 0;
            } else {
                self.meter.less(forgotten);
            }
        }
        remembered
    }

    /// The time of an arrival: the end of its slot, and on an order-keeping link none before the
    /// last.
    fn line_up(&mut self, class: Class, due: Instant) -> Instant {
        let faults = match class {
            Class::Data => &self.config.data,
            Class::Ack => &self.config.ack,
        };
        let slot_end = faults.bunch.end(due);
        self.stats.class_mut(class).bunched += u64::from(slot_end > due);
        let release = match self.config.jitter {
            Jitter::Keep => slot_end.max(self.last_release),
            Jitter::Reorder => slot_end,
        };
        self.last_release = self.last_release.max(release);
        release
    }

    fn has_room(&self, len: usize) -> bool {
        let ByteSize(bytes_max) = self.config.bytes_max;
        self.datagrams < self.config.datagrams_max
            && self.bytes.saturating_add(len as u64) <= bytes_max
    }

    pub(super) fn carry(&mut self, len: usize) {
        self.datagrams += 1;
        self.bytes += len as u64;
    }

    pub(super) fn deliver(&mut self, parcel: Parcel<T>) -> Delivery<T> {
        let Parcel { key, offered, class, tag, ecn, bytes, .. } = parcel;
        let Key { release: at, id, copy } = key;
        self.datagrams -= 1;
        self.bytes -= bytes.len() as u64;
        let overtaken_by = self.meter.arrive(id);
        self.stats.class_mut(class).deliver(bytes.len(), at - offered, overtaken_by);
        self.held.passed_by(id, at);
        self.note(id, Fate::Arrived);
        Delivery { at, offered, id, copy, tag, ecn, bytes }
    }

    pub(super) fn note(&mut self, id: u64, fate: Fate) {
        if self.tracing {
            if self.fates.len() == Self::FATES_MAX {
                self.fates.pop_front();
            }
            self.fates.push_back((id, fate));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{link::LinkConfig, rng::Seed};

    fn link(text: &str) -> Link<()> {
        let mut link = Link::new(text.parse().unwrap(), Seed::new(1));
        link.set_tracing(true);
        link
    }

    fn fates(link: &mut Link<()>) -> Vec<(u64, Fate)> {
        core::iter::from_fn(|| link.poll_fate()).collect()
    }

    /// Where nobody said which bytes are the checksum, there is none to be damaged; the longest
    /// datagram cannot be made longer.
    #[test]
    fn damage_that_changes_nothing_is_not_counted() {
        for (text, len) in [("corrupt=100%:checksum", 20), ("extend=100%", 65_507)] {
            let mut link = link(text);
            link.offer(Instant::ZERO, &alloc::vec![7; len], ());
            let delivery = link.poll_deliver(Instant::ZERO).unwrap();
            assert_eq!(delivery.bytes, alloc::vec![7; len]);
            let stats = link.stats().data;
            assert_eq!((stats.corrupted, stats.bits_flipped, stats.extended), (0, 0, 0), "{text}");
            assert_eq!(fates(&mut link), [(0, Fate::Arrived)], "{text}");
        }
    }

    #[test]
    fn an_old_datagram_needs_room_to_come_again() {
        let mut link = link("replay=100%:1,delay=1s,limit=2");
        for _ in 0..3 {
            link.offer(Instant::ZERO, b"x", ());
        }
        // The second brings the first along and finds the link full, then so does the third itself.
        let stats = link.stats().data;
        assert_eq!((link.in_flight(), stats.replayed, stats.link_full), (2, 1, 2));
        let full = [(0, Fate::Replayed), (0, Fate::LinkFull), (2, Fate::LinkFull)];
        assert_eq!(fates(&mut link), full);
        assert_eq!(link.pool.len(), 1, "the buffer that was to hold it comes back");
    }

    #[test]
    fn nothing_more_is_expected_of_what_is_forgotten() {
        let mut link = link("replay=0.001%:4");
        for id in 0..100 {
            link.offer(Instant::ZERO, b"x", ());
            assert_eq!(link.poll_deliver(Instant::ZERO).map(|delivery| delivery.id), Some(id));
            assert!(link.meter.len() <= 4, "{id}: {:?}", link.meter);
        }
        link.set_config(Instant::ZERO, LinkConfig::PERFECT);
        link.offer(Instant::ZERO, b"x", ());
        assert_eq!(link.meter.len(), 1, "only the last is expected");
        link.poll_deliver(Instant::ZERO).unwrap();
        assert_eq!(link.meter.len(), 0);
    }
}
