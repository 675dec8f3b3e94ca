//! What the monitor prints: lines, a picture that is drawn again and again, or JSON.

use core::{fmt::Write as _, net::SocketAddr, time::Duration};
use std::io::{self, IsTerminal as _, Write as _};

use rdtp::{
    app::{
        monitor::{Change, Monitor, MonitorConfig, MonitorStats, Sample, Status},
        words::{Lang, lasted},
    },
    link::Link,
    net::Clock,
    time::Instant,
};
use serde::Serialize;

use super::{
    super::{
        Failure,
        carrier::Over,
        network::{LinkReport, describe},
    },
    figures::{Figures, PERCENTILES},
    way::Network,
};

/// How the output looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) lang: Lang,
    /// The original's lines and nothing else.
    pub(super) faithful: bool,
    pub(super) json: bool,
    /// Time is virtual: there is no date to show.
    pub(super) simulated: bool,
}

/// Prints what happens, and keeps what the summary needs.
pub(super) struct View {
    style: Style,
    title: String,
    figures: Figures,
    screen: Option<Screen>,
    started_at: Instant,
    last: Option<Sample>,
    since: Instant,
}

/// One JSON line. Every number says its unit; times of day are UTC.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    Started {
        target: SocketAddr,
        over: String,
        timeout_ms: f64,
        interval_ms: f64,
        normal_below_ms: f64,
        slow_below_ms: f64,
        consecutive_samples: u32,
        count: Option<u64>,
        link: Option<String>,
        seed: Option<u64>,
        simulated: bool,
    },
    Sample {
        time: Option<String>,
        elapsed_s: f64,
        probe: u64,
        status: &'static str,
        rtt_ms: Option<f64>,
        jitter_ms: f64,
        reason: Option<&'a str>,
    },
    Change {
        time: Option<String>,
        elapsed_s: f64,
        from: &'static str,
        to: &'static str,
        recovered: bool,
        lasted_s: f64,
    },
    Summary(Box<Summary>),
}

/// The end in numbers.
#[derive(Debug, Serialize)]
struct Summary {
    elapsed_s: f64,
    status: &'static str,
    sent: u64,
    answered: u64,
    lost: u64,
    late: u64,
    copies: u64,
    foreign: u64,
    loss: f64,
    rtt_min_ms: Option<f64>,
    rtt_mean_ms: Option<f64>,
    rtt_max_ms: Option<f64>,
    rtt_p50_ms: Option<f64>,
    rtt_p90_ms: Option<f64>,
    rtt_p99_ms: Option<f64>,
    rtt_p99_9_ms: Option<f64>,
    jitter_ms: f64,
    samples_normal: u64,
    samples_slow: u64,
    samples_very_slow: u64,
    samples_inactive: u64,
    link_up: Option<LinkReport>,
    link_down: Option<LinkReport>,
}

/// What a status is called in JSON, in every language.
pub(super) const fn name(status: Status) -> &'static str {
    match status {
        Status::Normal => "normal",
        Status::Slow => "slow",
        Status::VerySlow => "very_slow",
        Status::Inactive => "inactive",
    }
}

fn ms(time: Duration) -> f64 {
    // To the microsecond, which is as much as means anything.
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn s(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e3).round() / 1e3
}

impl View {
    pub(super) fn new(
        style: Style,
        target: SocketAddr,
        over: Over,
        now: Instant,
    ) -> Result<Self, Failure> {
        let plain = style.faithful || style.simulated;
        Ok(Self {
            style,
            title: style.lang.title(target, &over.to_string()),
            figures: Figures::new()?,
            screen: if plain { None } else { Screen::find(style.json) },
            started_at: now,
            last: None,
            since: now,
        })
    }

    fn json(line: &Line<'_>) -> Result<(), Failure> {
        say!("{}", serde_json::to_string(line)?);
        Ok(())
    }

    /// Says what is about to be done.
    pub(super) fn started(
        &self,
        target: SocketAddr,
        over: Over,
        config: &MonitorConfig,
        network: &Network,
    ) -> Result<(), Failure> {
        let MonitorConfig { timeout, interval, thresholds, consecutive, count, .. } = *config;
        if self.style.json {
            Self::json(&Line::Started {
                target,
                over: over.to_string(),
                timeout_ms: ms(timeout),
                interval_ms: ms(interval),
                normal_below_ms: ms(thresholds.normal_below),
                slow_below_ms: ms(thresholds.slow_below),
                consecutive_samples: consecutive,
                count,
                link: network.as_ref().map(|(profile, _)| profile.to_string()),
                seed: network.as_ref().map(|(_, seed)| seed.number()),
                simulated: self.style.simulated,
            })?;
        } else if !self.style.faithful {
            let lang = self.style.lang;
            say!("{}", lang.watching(&self.title, interval, timeout));
            say!("{}", lang.scale(thresholds, consecutive));
        }
        Ok(())
    }

    fn elapsed(&self, now: Instant) -> Duration {
        now - self.started_at
    }

    /// What stands before a line for people: the time of day, or the virtual time.
    fn stamp(&self, now: Instant) -> String {
        if self.style.simulated {
            return format!("{:>10.3} s", self.elapsed(now).as_secs_f64());
        }
        utc(Clock::unix_nanos())
    }

    fn date(&self) -> Option<String> {
        (!self.style.simulated).then(|| utc(Clock::unix_nanos()))
    }

    /// What became of a probe; `reason` is what is known of silence.
    pub(super) fn sample(
        &mut self,
        now: Instant,
        sample: &Sample,
        reason: Option<&str>,
        stats: &MonitorStats,
    ) -> Result<(), Failure> {
        self.figures.take(sample.rtt);
        self.last = Some(*sample);
        if self.style.json {
            return Self::json(&Line::Sample {
                time: self.date(),
                elapsed_s: s(self.elapsed(now)),
                probe: sample.probe,
                status: name(sample.status),
                rtt_ms: sample.rtt.map(ms),
                jitter_ms: ms(stats.jitter()),
                reason,
            });
        }
        let line = self.style.lang.sample(sample);
        if self.style.faithful {
            say!("{line}");
        } else if self.screen.is_none() {
            let reason = reason.map_or(String::new(), |reason| format!(" ({reason})"));
            say!("{} {line}{reason}", self.stamp(now));
        }
        Ok(())
    }

    /// A change, which stays on the screen.
    pub(super) fn change(&mut self, now: Instant, change: &Change) -> Result<(), Failure> {
        self.since = now;
        if self.style.json {
            return Self::json(&Line::Change {
                time: self.date(),
                elapsed_s: s(self.elapsed(now)),
                from: name(change.from),
                to: name(change.to),
                recovered: change.is_recovery(),
                lasted_s: s(change.lasted),
            });
        }
        if !self.style.faithful {
            let line = format!("{} {}", self.stamp(now), self.style.lang.change(change));
            self.keep(&line);
        }
        Ok(())
    }

    /// A line for people that stays, above what is drawn again.
    pub(super) fn keep(&mut self, line: &str) {
        match &mut self.screen {
            Some(screen) => screen.keep(line),
            None => say!("{line}"),
        }
    }

    /// Something about a mail: a line for people, or the JSON of it.
    #[cfg(feature = "mail")]
    pub(super) fn mail(
        &mut self,
        now: Instant,
        text: &str,
        json: &impl Serialize,
    ) -> Result<(), Failure> {
        if self.style.json {
            say!("{}", serde_json::to_string(json)?);
        } else if self.style.faithful {
            say!("{text}");
        } else {
            let line = format!("{} {text}", self.stamp(now));
            self.keep(&line);
        }
        Ok(())
    }

    /// Draws the picture again, where there is one.
    pub(super) fn draw(&mut self, now: Instant, monitor: &Monitor) {
        let Some(width) = self.screen.as_ref().map(Screen::width) else { return };
        let lines = self.picture(now, monitor, width);
        if let Some(screen) = &mut self.screen {
            screen.draw(&lines);
        }
    }

    /// When the picture should be drawn again: it counts the seconds.
    pub(super) fn redraw_at(&self, now: Instant) -> Option<Instant> {
        self.screen.as_ref().map(|_| now + Duration::from_secs(1))
    }

    fn picture(&self, now: Instant, monitor: &Monitor, width: usize) -> Vec<String> {
        let (lang, stats) = (self.style.lang, monitor.stats());
        let last = self.last.as_ref().map_or_else(|| "...".to_owned(), |last| lang.sample(last));
        let next = monitor.next_at().map_or(Duration::ZERO, |at| at - now);
        let status = lang.standing(monitor.status(), now - self.since, next);
        vec![
            self.title.clone(),
            last,
            status,
            self.round_trips(stats),
            lang.counts(stats),
            self.figures.strip(width.saturating_sub(1)),
        ]
    }

    fn round_trips(&self, stats: &MonitorStats) -> String {
        let [p50, _, p99, _] =
            PERCENTILES.map(|percent| self.figures.percentile(percent).unwrap_or_default());
        self.style.lang.round_trips(stats, p50, p99)
    }

    /// The end.
    pub(super) fn summary(
        &mut self,
        now: Instant,
        monitor: &Monitor,
        links: Option<(&Link<SocketAddr>, &Link<SocketAddr>)>,
    ) -> Result<(), Failure> {
        if let Some(screen) = &mut self.screen {
            screen.clear();
        }
        let stats = monitor.stats();
        if self.style.json {
            return self.json_summary(now, monitor, links);
        }
        if self.style.faithful {
            return Ok(());
        }
        let lang = self.style.lang;
        say!("--- {}, {} ---", self.title, lasted(self.elapsed(now)));
        say!("{}", lang.counts(stats));
        say!("{}", self.round_trips(stats));
        let classes = Status::ALL
            .map(|status| format!("{} {}", lang.status(status), stats.samples[status.index()]));
        say!("{}", classes.join(", "));
        for bar in self.figures.bars() {
            say!("{bar}");
        }
        if let Some((up, down)) = links {
            say!("{}", describe("up", up));
            say!("{}", describe("down", down));
        }
        Ok(())
    }

    fn json_summary(
        &self,
        now: Instant,
        monitor: &Monitor,
        links: Option<(&Link<SocketAddr>, &Link<SocketAddr>)>,
    ) -> Result<(), Failure> {
        let stats = monitor.stats();
        let [p50, p90, p99, p99_9] =
            PERCENTILES.map(|percent| self.figures.percentile(percent).map(ms));
        let [normal, slow, very_slow, inactive] = stats.samples;
        Self::json(&Line::Summary(Box::new(Summary {
            elapsed_s: s(self.elapsed(now)),
            status: name(monitor.status()),
            sent: stats.sent,
            answered: stats.answered,
            lost: stats.lost,
            late: stats.late,
            copies: stats.copies,
            foreign: stats.foreign,
            loss: f64::from(stats.loss().parts_per_billion()) / 1e9,
            rtt_min_ms: stats.rtt_min.map(ms),
            rtt_mean_ms: stats.rtt_mean().map(ms),
            rtt_max_ms: stats.rtt_max.map(ms),
            rtt_p50_ms: p50,
            rtt_p90_ms: p90,
            rtt_p99_ms: p99,
            rtt_p99_9_ms: p99_9,
            jitter_ms: ms(stats.jitter()),
            samples_normal: normal,
            samples_slow: slow,
            samples_very_slow: very_slow,
            samples_inactive: inactive,
            link_up: links.map(|(up, _)| LinkReport::new(up)),
            link_down: links.map(|(_, down)| LinkReport::new(down)),
        })))
    }
}

/// A few lines of a terminal that are drawn again in place.
struct Screen {
    /// On standard error when standard output goes elsewhere.
    to_stderr: bool,
    drawn: usize,
}

impl Screen {
    /// Where people look, if anywhere: standard output; with JSON on it and not to a terminal,
    /// standard error.
    fn find(json: bool) -> Option<Self> {
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        match (json, out, err) {
            (false, true, _) => Some(Self { to_stderr: false, drawn: 0 }),
            (true, false, true) => Some(Self { to_stderr: true, drawn: 0 }),
            _ => None,
        }
    }

    fn width(&self) -> usize {
        let size = if self.to_stderr {
            rustix::termios::tcgetwinsize(io::stderr())
        } else {
            rustix::termios::tcgetwinsize(io::stdout())
        };
        // Zero says that nobody knows.
        let columns = size.map_or(0, |size| usize::from(size.ws_col));
        if columns == 0 { 80 } else { columns }
    }

    fn write(&self, text: &str) {
        // A terminal that has gone is found out by the next line of output.
        let _ = if self.to_stderr {
            io::stderr().write_all(text.as_bytes())
        } else {
            io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush())
        };
    }

    /// Removes what was drawn.
    fn clear(&mut self) {
        if self.drawn > 0 {
            // Up so many lines, and erase from there (ECMA-48: CPL, ED).
            self.write(&format!("\x1b[{}F\x1b[J", self.drawn));
            self.drawn = 0;
        }
    }

    /// Writes a line that stays.
    fn keep(&mut self, line: &str) {
        self.clear();
        self.write(&format!("{line}\n"));
    }

    fn draw(&mut self, lines: &[String]) {
        let width = self.width().saturating_sub(1);
        let mut text = String::new();
        if self.drawn > 0 {
            let _ = write!(text, "\x1b[{}F", self.drawn);
        }
        for line in lines {
            // Longer ones would wrap, and then there would be more lines than were counted.
            text.extend(line.chars().take(width));
            text += "\x1b[K\n";
        }
        self.write(&text);
        self.drawn = lines.len();
    }
}

/// A time of day in seconds, as of RFC 3339: 2026-11-30T12:00:00Z.
fn utc(unix_nanos: u64) -> String {
    let seconds = unix_nanos / 1_000_000_000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days since 1 March of the year 0, in cycles of 400 years (Hinnant, chrono-compatible
    // low-level date algorithms).
    let shifted = days + 719_468;
    let (cycle, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = 400 * cycle + year + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right() {
        for (seconds, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (1_796_039_345, "2026-11-30T11:49:05Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(seconds * 1_000_000_000), date);
        }
    }
}
