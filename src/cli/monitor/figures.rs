//! Round trips as a distribution, and the last of them as a strip.

use core::time::Duration;
use std::collections::VecDeque;

use hdrhistogram::Histogram;
use rdtp::quantity::Span;

use super::super::Failure;

/// Longer round trips than this are counted as this long: no timeout is.
const RTT_MICROS_MAX: u64 = 24 * 3_600 * 1_000_000;
/// Three significant digits.
const DIGITS: u8 = 3;
/// The last samples that are kept for the strip.
const RECENT_MAX: usize = 200;
/// The longest bar of the histogram, in characters.
const BAR_MAX: u64 = 40;

/// What is kept of the round trips beside the counts of the session.
pub(super) struct Figures {
    micros: Histogram<u64>,
    /// In microseconds.
    longest: u64,
    recent: VecDeque<Option<Duration>>,
}

/// The percentiles that are shown.
pub(super) const PERCENTILES: [f64; 4] = [50.0, 90.0, 99.0, 99.9];

impl Figures {
    pub(super) fn new() -> Result<Self, Failure> {
        let micros = Histogram::new_with_bounds(1, RTT_MICROS_MAX, DIGITS)?;
        Ok(Self { micros, longest: 0, recent: VecDeque::new() })
    }

    pub(super) fn take(&mut self, rtt: Option<Duration>) {
        if let Some(rtt) = rtt {
            let micros = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
            self.micros.saturating_record(micros);
            self.longest = self.longest.max(micros);
        }
        if self.recent.len() >= RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(rtt);
    }

    /// The round trip that so many percent do not exceed, to three digits.
    pub(super) fn percentile(&self, percent: f64) -> Option<Duration> {
        // The upper end of a step may lie above everything that was recorded in it.
        let value = self.micros.value_at_percentile(percent).min(self.longest);
        (!self.micros.is_empty()).then(|| Duration::from_micros(value))
    }

    /// The last samples, one character each, the newest at the right: the higher the longer, in
    /// proportion to the longest that is shown; `x` for no reply.
    pub(super) fn strip(&self, width: usize) -> String {
        const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let shown = || self.recent.iter().skip(self.recent.len().saturating_sub(width));
        let longest = shown().flatten().max().map_or(1, Duration::as_nanos).max(1);
        let level = |rtt: &Duration| {
            let eighth = rtt.as_nanos() * LEVELS.len() as u128 / longest;
            LEVELS[usize::try_from(eighth).unwrap_or(0).min(LEVELS.len() - 1)]
        };
        shown().map(|sample| sample.as_ref().map_or('x', level)).collect()
    }

    /// The distribution as lines: how many round trips lie below 1, 2, 5, 10 and so on.
    pub(super) fn bars(&self) -> Vec<String> {
        if self.micros.is_empty() {
            return Vec::new();
        }
        let powers = (0..12).map(|power| 10_u64.pow(power));
        let bounds = powers.flat_map(|power| [power, 2 * power, 5 * power]);
        // Each step of the histogram counts where its end lies: one that reaches over a bound must
        // not count on both sides.
        let mut recorded = self.micros.iter_recorded().peekable();
        let mut steps = Vec::new();
        for bound in bounds {
            let mut count = 0;
            while let Some(step) = recorded.next_if(|step| step.value_iterated_to() < bound) {
                count += step.count_at_value();
            }
            if count > 0 || !steps.is_empty() {
                steps.push((bound, count));
            }
            if recorded.peek().is_none() {
                break;
            }
        }
        let most = steps.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
        let line = |&(bound, count): &(u64, u64)| {
            let length = (count * BAR_MAX).div_ceil(most);
            let bar = "#".repeat(usize::try_from(length).unwrap_or(0));
            let bound = Span(Duration::from_micros(bound)).to_string();
            format!("below {bound:>6} {count:>7} {bar}").trim_end().to_owned()
        };
        steps.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(millis: impl IntoIterator<Item = u64>) -> Figures {
        let mut figures = Figures::new().unwrap();
        for ms in millis {
            figures.take((ms > 0).then(|| Duration::from_millis(ms)));
        }
        figures
    }

    #[test]
    fn percentiles_are_right_to_three_digits() {
        assert_eq!(figures([]).percentile(50.0), None);
        let figures = figures(1..=1_000);
        for (percent, expected) in [(50.0, 500), (90.0, 900), (99.0, 990), (100.0, 1_000)] {
            let found = figures.percentile(percent).unwrap();
            let expected = Duration::from_millis(expected);
            assert!(
                found.abs_diff(expected) <= expected / 1_000 + Duration::from_millis(1),
                "{found:?}"
            );
        }
    }

    #[test]
    fn the_strip_has_the_last_samples() {
        assert_eq!(figures([10, 20, 40, 0, 80]).strip(80), "▂▃▅x█");
        assert_eq!(figures([10, 20, 40, 0, 80]).strip(2), "x█");
        assert_eq!(figures([]).strip(80), "");
        assert_eq!(
            figures(core::iter::repeat_n(5, 1_000)).strip(1_000).chars().count(),
            RECENT_MAX
        );
    }

    #[test]
    fn bars_count_everything_once() {
        assert_eq!(figures([0]).bars(), Vec::<String>::new());
        let bars = figures([7, 7, 7, 10, 50, 0]).bars();
        let counts: Vec<(&str, &str)> = bars
            .iter()
            .map(|bar| {
                let mut words = bar.split_whitespace().skip(1);
                (words.next().unwrap(), words.next().unwrap())
            })
            .collect();
        assert_eq!(counts, [("10ms", "3"), ("20ms", "1"), ("50ms", "0"), ("100ms", "1")]);
        assert!(bars[0].ends_with(&"#".repeat(40)), "{bars:?}");
        assert!(bars[1].ends_with(" 1 ##############"), "{bars:?}");
    }
}
