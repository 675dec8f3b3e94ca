//! Values that change while a link is in use: the rate of a radio, the MTU of a path.

use alloc::{format, string::String, vec::Vec};
use core::{fmt, time::Duration};

use crate::quantity::Span;

/// A value from the beginning on, and others from later points of time on.
///
/// Time counts from the epoch of the run, or from the moment when a running link was given a new
/// configuration. In text: the values, parted by `:`, all but the first with their time, as in
/// `10mbit:1mbit@5s:10mbit@8s`.
///
/// ```
/// use core::time::Duration;
/// use rdtp::link::Timeline;
///
/// let queue = Timeline::constant(10).then(Duration::from_secs(5), 1);
/// assert_eq!([0, 4, 5, 99].map(|s| queue.at(Duration::from_secs(s))), [10, 10, 1, 1]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline<T> {
    first: T,
    /// By time.
    later: Vec<(Duration, T)>,
}

impl<T: Copy> Timeline<T> {
    /// A value that never changes.
    pub const fn constant(value: T) -> Self {
        Self { first: value, later: Vec::new() }
    }

    /// The same, but `value` from `at` on, until the next change.
    #[must_use]
    pub fn then(mut self, at: Duration, value: T) -> Self {
        let place = self.later.partition_point(|(other, _)| *other <= at);
        self.later.insert(place, (at, value));
        self
    }

    /// The value so long after the beginning.
    pub fn at(&self, elapsed: Duration) -> T {
        let past = self.later.partition_point(|(at, _)| *at <= elapsed);
        let latest = past.checked_sub(1).and_then(|place| self.later.get(place));
        latest.map_or(self.first, |(_, value)| *value)
    }

    /// Whether a change has come by then.
    pub fn has_changed_by(&self, elapsed: Duration) -> bool {
        self.later.first().is_some_and(|(at, _)| *at <= elapsed)
    }

    /// All its values, in order.
    pub fn values(&self) -> impl Iterator<Item = T> {
        core::iter::once(self.first).chain(self.later.iter().map(|(_, value)| *value))
    }

    pub(super) fn parse(
        text: &str,
        value: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Self, String> {
        let mut parts = text.split(':');
        let first = parts.next().unwrap_or_default();
        if first.contains('@') {
            return Err("the first value holds from the beginning; leave out its @".into());
        }
        let mut timeline = Self::constant(value(first)?);
        let mut last = Duration::ZERO;
        for part in parts {
            let Some((text, at)) = part.split_once('@') else {
                return Err(format!("from when does \"{part}\" hold? write {part}@5s"));
            };
            let Span(at) = at.parse().map_err(|e| format!("{e}"))?;
            if at <= last {
                return Err("changes come one after the other, and later than 0s".into());
            }
            last = at;
            timeline.later.push((at, value(text)?));
        }
        Ok(timeline)
    }

    pub(super) fn show(&self, value: impl Fn(T) -> String) -> String {
        let mut text = value(self.first);
        for (at, later) in &self.later {
            let _ =
                fmt::Write::write_fmt(&mut text, format_args!(":{}@{}", value(*later), Span(*at)));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn parse(text: &str) -> Result<Timeline<u32>, String> {
        Timeline::parse(text, |part| part.parse().map_err(|_| format!("no number: {part}")))
    }

    #[test]
    fn changes_hold_from_their_nanosecond_on() {
        let timeline = parse("1:2@1s:3@2s").unwrap();
        for (nanos, value, changed) in [
            (0, 1, false),
            (999_999_999, 1, false),
            (1_000_000_000, 2, true),
            (1_999_999_999, 2, true),
            (u64::MAX, 3, true),
        ] {
            let elapsed = Duration::from_nanos(nanos);
            assert_eq!((timeline.at(elapsed), timeline.has_changed_by(elapsed)), (value, changed));
        }
        assert_eq!(timeline.values().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(timeline.show(|value| value.to_string()), "1:2@1s:3@2s");
        let shuffled =
            Timeline::constant(1).then(Duration::from_secs(2), 3).then(Duration::from_secs(1), 2);
        assert_eq!(shuffled, timeline);
    }

    #[test]
    fn refuses_nonsense_with_a_reason() {
        for (text, reason) in [
            ("1@5s", "leave out its @"),
            ("1:2", "write 2@5s"),
            ("1:2@0s", "later than 0s"),
            ("1:2@2s:3@2s", "one after the other"),
            ("1:x@2s", "no number: x"),
            ("1:2@2", "no known unit"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
