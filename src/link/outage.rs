//! Outages: when nothing gets onto the link.

use alloc::{format, string::String};
use core::{fmt, time::Duration};

use crate::{quantity::Span, time::nanos};

/// A time during which everything offered is lost; what is on its way still arrives.
///
/// Counted from the epoch of the run, or from the moment when a running link was given a new
/// configuration. In text: `5s+2s` (after 5 s, for 2 s), `5s+2s/7s` (again every 7 s).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Outage {
    /// When it begins.
    pub start: Duration,
    /// How long it lasts.
    pub length: Duration,
    /// The time from one beginning to the next; `None` when it comes once.
    pub period: Option<Duration>,
}

impl Outage {
    /// Whether the link is down that long after the beginning.
    pub fn covers(&self, elapsed: Duration) -> bool {
        let Some(since) = nanos(elapsed).checked_sub(nanos(self.start)) else { return false };
        let since = match self.period.map(nanos) {
            Some(period) if period > 0 => since % period,
            _ => since,
        };
        since < nanos(self.length)
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let span = |part: &str| part.parse().map_err(|e| format!("{e}")).map(|Span(span)| span);
        let Some((start, rest)) = text.split_once('+') else {
            return Err(format!(
                "\"{text}\" is no outage; write 5s+2s (after 5s, for 2s) or 5s+2s/7s"
            ));
        };
        let (length, period) = match rest.split_once('/') {
            Some((length, period)) => (length, Some(span(period)?)),
            None => (rest, None),
        };
        let outage = Self { start: span(start)?, length: span(length)?, period };
        if outage.period.is_some_and(|period| period < outage.length || period.is_zero()) {
            return Err("an outage cannot come again before it is over".into());
        }
        Ok(outage)
    }
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", Span(self.start), Span(self.length))?;
        self.period.map_or(Ok(()), |period| write!(f, "/{}", Span(period)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covers_its_time_to_the_nanosecond() {
        let once = Outage::parse("5s+2s").unwrap();
        let again = Outage::parse("5s+2s/7s").unwrap();
        for (nanos, first, second) in [
            (4_999_999_999, false, false),
            (5_000_000_000, true, true),
            (6_999_999_999, true, true),
            (7_000_000_000, false, false),
            (11_999_999_999, false, false),
            (12_000_000_000, false, true),
            (14_000_000_000, false, false),
        ] {
            let elapsed = Duration::from_nanos(nanos);
            assert_eq!((once.covers(elapsed), again.covers(elapsed)), (first, second), "{nanos}");
        }
    }

    #[test]
    fn refuses_nonsense_with_a_reason() {
        for (text, reason) in [
            ("5s", "write 5s+2s"),
            ("5s+2s/1s", "before it is over"),
            ("0s+0s/0s", "before it is over"),
            ("5+2s", "no known unit"),
        ] {
            let error = Outage::parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let always = Outage::parse("1s+2s/2s").unwrap();
        assert!((1..9).all(|second| always.covers(Duration::from_secs(second))));
        // In code a period of zero can be written, and is none.
        let once = Outage { period: Some(Duration::ZERO), ..always };
        assert!(once.covers(Duration::from_secs(2)) && !once.covers(Duration::from_secs(3)));
    }
}
