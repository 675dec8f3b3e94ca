//! Fates decided beforehand, datagram by datagram: to play a given schedule of faults again.

use alloc::vec::Vec;
use core::time::Duration;

use super::{
    Class, Link,
    transit::{Key, Parcel},
};
use crate::{ecn::Ecn, time::Instant, trace::Fate};

/// The bit that is flipped in the last byte of a damaged datagram: the highest, so that no text of
/// the ASCII range becomes another one.
const FLIPPED: u8 = 0x80;

/// What becomes of one datagram, whatever the link's configuration says: when it arrives, and how
/// often. Without a passage it is lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Course {
    /// The datagram's way and those of its copies.
    pub passages: Vec<Passage>,
}

/// The way of a datagram, or of a copy of it, to the far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// How long it takes. Who takes longer is overtaken.
    pub delay: Duration,
    /// Whether a bit of the last byte is flipped.
    pub damaged: bool,
}

impl<T: Clone> Link<T> {
    /// The first datagrams that are offered take these courses, one each; the rest suffer what the
    /// configuration says, and arrive after them.
    ///
    /// ```
    /// use core::time::Duration;
    /// use rdtp::{link::{Course, Link, LinkConfig, Passage}, rng::Seed, time::Instant};
    ///
    /// let late = Passage { delay: Duration::from_millis(20), damaged: false };
    /// let courses = vec![Course { passages: vec![late] }, Course::default()];
    /// let mut link = Link::new(LinkConfig::PERFECT, Seed::new(1)).with_courses(courses);
    /// for name in ["late", "lost", "as usual"] {
    ///     link.offer(Instant::ZERO, name.as_bytes(), name);
    /// }
    /// let at = link.poll_timeout().unwrap();
    /// assert_eq!(at.since_epoch(), Duration::from_millis(20));
    /// let order = [link.poll_deliver(at).unwrap().tag, link.poll_deliver(at).unwrap().tag];
    /// assert_eq!((order, link.in_flight()), (["late", "as usual"], 0));
    /// ```
    #[must_use]
    pub fn with_courses(mut self, courses: Vec<Course>) -> Self {
        self.courses = courses.into();
        self
    }

    /// Sends datagram `id` on its course; says how many of it are on their way.
    pub(super) fn follow(
        &mut self,
        course: &Course,
        id: u64,
        now: Instant,
        class: Class,
        (datagram, ecn): (&[u8], Ecn),
        tag: &T,
    ) -> u32 {
        let (copies, damaged) =
            (course.passages.len(), course.passages.iter().any(|passage| passage.damaged));
        let stats = self.stats.class_mut(class);
        stats.lost += u64::from(copies == 0);
        stats.duplicated += u64::from(copies > 1);
        stats.copies += copies.saturating_sub(1) as u64;
        stats.corrupted += u64::from(damaged);
        stats.bits_flipped += u64::from(damaged);
        for (fate, on) in [
            (Fate::Lost, copies == 0),
            (Fate::Corrupted { bits: 1 }, damaged),
            (Fate::Duplicated, copies > 1),
        ] {
            if on {
                self.note(id, fate);
            }
        }
        let mut flying = 0;
        for passage in &course.passages {
            let mut bytes = self.pool.pop().unwrap_or_default();
            bytes.extend_from_slice(datagram);
            if let (true, Some(last)) = (passage.damaged, bytes.last_mut()) {
                *last ^= FLIPPED;
            }
            let key = Key { release: now + passage.delay, id, copy: flying };
            self.last_release = self.last_release.max(key.release);
            self.carry(bytes.len());
            let tag = tag.clone();
            self.transit.push(Parcel { key, offered: now, class, hold: None, tag, ecn, bytes });
            flying += 1;
        }
        flying
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{link::LinkConfig, rng::Seed};
    use alloc::vec;

    #[test]
    fn copies_damage_and_overtaking_come_as_written() {
        let ms = |ms| Duration::from_millis(ms);
        let passage = |delay, damaged| Passage { delay: ms(delay), damaged };
        let mut link = Link::new(LinkConfig::PERFECT, Seed::new(1)).with_courses(vec![
            Course { passages: vec![passage(10, false), passage(40, true)] },
            Course { passages: vec![passage(5, false)] },
        ]);
        for byte in [1, 2] {
            link.offer(Instant::ZERO, &[0, byte], ());
        }
        let mut arrived = Vec::new();
        while let Some(at) = link.poll_timeout() {
            let delivery = link.poll_deliver(at).unwrap();
            arrived.push((at.since_epoch(), delivery.bytes[1], delivery.copy));
        }
        assert_eq!(arrived, [(ms(5), 2, 0), (ms(10), 1, 0), (ms(40), 1 ^ FLIPPED, 1)]);
        let stats = link.stats().data;
        assert_eq!((stats.duplicated, stats.corrupted, stats.lost), (1, 1, 0));
    }

    /// Two of each, so that a count that starts over or multiplies shows.
    #[test]
    fn every_course_is_counted_and_told() {
        let way = |damaged| Passage { delay: Duration::ZERO, damaged };
        let (lost, plain) = (Course::default(), Course { passages: vec![way(false)] });
        let thrice = Course { passages: vec![way(false), way(true), way(true)] };
        let courses = vec![lost.clone(), plain, lost, thrice.clone(), thrice];
        let mut link = Link::new(LinkConfig::PERFECT, Seed::new(1)).with_courses(courses);
        link.set_tracing(true);
        for _ in 0..5 {
            link.offer(Instant::ZERO, &[FLIPPED | 1], ());
        }
        let arrive = |link: &mut Link<()>| link.poll_deliver(Instant::ZERO);
        let bytes: Vec<u8> =
            core::iter::from_fn(|| arrive(&mut link)).map(|delivery| delivery.bytes[0]).collect();
        assert_eq!(bytes, [0x81, 0x81, 0x01, 0x01, 0x81, 0x01, 0x01]);
        let stats = link.stats().data;
        assert_eq!((stats.lost, stats.delivered, stats.copies), (2, 7, 4));
        assert_eq!((stats.duplicated, stats.corrupted, stats.bits_flipped), (2, 2, 2));
        let mut told: Vec<_> = core::iter::from_fn(|| link.poll_fate()).collect();
        told.retain(|(_, fate)| *fate != Fate::Arrived);
        let hit = |id| [(id, Fate::Corrupted { bits: 1 }), (id, Fate::Duplicated)];
        let lost = [(0, Fate::Lost), (2, Fate::Lost)];
        assert_eq!(told, [&lost[..], &hit(3), &hit(4)].concat());
    }
}
