//! The picture: three panels over one axis of time, and two strips.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt::Write as _;

use super::{
    Plot,
    series::{Bucket, Series, Shares},
};
use crate::{
    capture::svg::{document, escape},
    time::Instant,
    trace::transport::{Limit, Phase},
};

const WIDTH: i64 = 1_000;
const LEFT: i64 = 86;
const RIGHT: i64 = 976;
const TOP: i64 = 96;
/// Heights of window, round trip and sequence, and what lies between panels.
const HEIGHTS: [i64; 3] = [200, 150, 220];
const GAP: i64 = 44;
const STRIP: i64 = 16;
/// Columns of a strip.
const COLUMNS: usize = 445;
/// Coordinates are kept in tenths of a pixel.
const TENTHS: i64 = 10;

/// What the shared style has no class for.
const STYLE: &str = "<style>
.grid{stroke:#e3e7ed;stroke-width:1}
.w{stroke:#1d5fbf}
.f{stroke:#8fbaf0}
.s{stroke:#7b4fb5}
.l{stroke:#e0a96d}
.a{stroke:#2b7a45}
.m{stroke:#66707f}
.o{stroke:#b35900}
.x{stroke:#c4232b}
.c{fill:none;stroke-width:1.6;stroke-linejoin:round}
.t{fill:none;stroke-width:1}
.p0{fill:#b9c2cd}
.p1{fill:#d9a21b}
.p2{fill:#1d5fbf}
.p3{fill:#7fb3a0}
.p4{fill:#c4232b}
.q0{fill:#7fb3a0}
.q1{fill:#c9d8a4}
.q2{fill:#1d5fbf}
.q3{fill:#c4232b}
.q4{fill:#7fb3a0}
.q5{fill:#c9d8a4}
.q6{fill:#b9c4d6}
.q7{fill:#1d5fbf}
.q8{fill:#8fb4ea}
.q9{fill:#e0912f}
.q10{fill:#8a5fb0}
@media (prefers-color-scheme:dark){
.grid{stroke:#2a313c}
.w{stroke:#6fb1ff}
.f{stroke:#34557f}
.s{stroke:#bf9bf0}
.l{stroke:#7d5b35}
.a{stroke:#6fd08c}
.m{stroke:#98a3b3}
.o{stroke:#ffb454}
.x{stroke:#ff7b80}
.p0{fill:#4a5462}
.p1{fill:#d9b44a}
.p2{fill:#6fb1ff}
.p3{fill:#4d8a75}
.p4{fill:#ff7b80}
.q0{fill:#4d8a75}
.q1{fill:#8a9a63}
.q2{fill:#6fb1ff}
.q3{fill:#ff7b80}
.q4{fill:#4d8a75}
.q5{fill:#8a9a63}
.q6{fill:#5b6678}
.q7{fill:#6fb1ff}
.q8{fill:#3c628f}
.q9{fill:#ffb454}
.q10{fill:#c39ae6}
}
</style>
";

/// A unit of an axis: from which value on it is used, how many of the smallest it is, and its name.
type Unit = (u64, &'static str);
const BYTES: [Unit; 4] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB"), (1, "bytes")];
const TIMES: [Unit; 4] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"), (1, "ns")];

/// One panel and its vertical scale.
struct Panel {
    top: i64,
    height: i64,
    /// The value at its upper edge.
    most: u64,
    end: Instant,
}

pub(super) fn draw(plot: &Plot) -> String {
    let mut out = String::from(STYLE);
    let end = Instant::from_nanos(plot.end.as_nanos().max(1));
    head(plot, &mut out);
    let mut top = TOP;
    let mut panels = Vec::new();
    for (height, most) in HEIGHTS.into_iter().zip(scales(plot)) {
        panels.push(Panel { top, height, most, end });
        top += height + GAP;
    }
    let bottom = top - GAP + 12;
    let strips = [bottom + 18, bottom + 18 + STRIP + 36];
    let foot = strips[1] + STRIP;
    time_axis(end, foot, &mut out);
    for (panel, units) in panels.iter().zip([&BYTES, &TIMES, &BYTES]) {
        panel.axis(units, &mut out);
    }
    let [windows, trips, sequence] = &panels[..] else { return String::new() };
    draw_windows(plot, windows, &mut out);
    draw_trips(plot, trips, &mut out);
    draw_sequence(plot, sequence, &mut out);
    let limits = Limit::ALL.map(|limit| limit.to_string());
    strip(&plot.limits, ("Limited by", "p", &limits), end, strips[0], &mut out);
    let phases = Phase::ALL.map(|phase| phase.to_string());
    strip(&plot.phases, ("Phase", "q", &phases), end, strips[1], &mut out);
    document(WIDTH, foot + 52, &plot.title, &out)
}

fn head(plot: &Plot, out: &mut String) {
    let _ = writeln!(out, "<text class=\"title\" x=\"24\" y=\"32\">{}</text>", escape(&plot.title));
    let counts = plot.counts;
    let words = format!(
        "{} packets sent, {} lost, {} of these by mistake, {} probe timeouts; {} of streams \
         acknowledged, {} sent again",
        counts.packets,
        counts.lost,
        counts.spurious,
        counts.probe_timeouts,
        quantity(plot.acked_bytes, &BYTES),
        quantity(counts.again_bytes, &BYTES),
    );
    let _ = writeln!(out, "<text class=\"muted\" x=\"24\" y=\"54\">{words}</text>");
}

/// The value at the upper edge of each panel.
fn scales(plot: &Plot) -> [u64; 3] {
    let max = |series: &Series| series.max().unwrap_or(0);
    let windows = max(&plot.window).max(max(&plot.in_flight));
    // A threshold far above the window would press the rest flat.
    let threshold = plot.ssthresh.iter().map(|bucket| bucket.max);
    let threshold = threshold.filter(|&bytes| bytes <= windows / 2 * 3).max().unwrap_or(0);
    let least = |most: u64| (most + most / 20).max(1);
    [least(windows.max(threshold)), least(max(&plot.latest)), least(max(&plot.sent))]
}

fn draw_windows(plot: &Plot, panel: &Panel, out: &mut String) {
    let entries = [
        ("w c", "congestion window", true),
        ("f c", "bytes in flight", true),
        ("s c dash", "slow-start threshold", plot.ssthresh.max().is_some()),
    ];
    panel.head("Window", &entries, out);
    panel.steps("f t", &plot.in_flight, out);
    panel.steps("s t dash", &plot.ssthresh, out);
    panel.steps("w c", &plot.window, out);
}

fn draw_trips(plot: &Plot, panel: &Panel, out: &mut String) {
    let entries =
        [("a c", "smoothed", true), ("l c", "each sample", true), ("m t dash", "least", true)];
    panel.head("Round trip", &entries, out);
    panel.spans("l c", &plot.latest, out);
    panel.steps("m t dash", &plot.min, out);
    panel.steps("a c", &plot.smoothed, out);
}

fn draw_sequence(plot: &Plot, panel: &Panel, out: &mut String) {
    let entries = [
        ("w c", "sent", true),
        ("a c", "acknowledged without a gap", true),
        ("o c", "sent again", plot.again.max().is_some()),
        ("x c", "found lost", plot.lost.max().is_some()),
    ];
    panel.head("Sequence", &entries, out);
    panel.steps("w c", &plot.sent, out);
    panel.steps("a c", &plot.acked, out);
    panel.marks("o t", &plot.again, "m0 -6v12", out);
    panel.marks("x t", &plot.lost, "m-2.5 -2.5l5 5m0 -5l-5 5", out);
}

/// A coordinate in tenths of a pixel, as text.
fn px(tenths: i64) -> String {
    if tenths % TENTHS == 0 {
        format!("{}", tenths / TENTHS)
    } else {
        format!("{}.{}", tenths / TENTHS, tenths % TENTHS)
    }
}

fn x_of(at: Instant, end: Instant) -> i64 {
    let span = u128::from((RIGHT - LEFT).unsigned_abs()) * 10;
    let x =
        u128::from(at.as_nanos().min(end.as_nanos())) * span / u128::from(end.as_nanos().max(1));
    LEFT * TENTHS + i64::try_from(x).unwrap_or(0)
}

impl Panel {
    fn y(&self, value: u64) -> i64 {
        let span = u128::from((self.height * TENTHS).unsigned_abs());
        let up = u128::from(value.min(self.most)) * span / u128::from(self.most);
        (self.top + self.height) * TENTHS - i64::try_from(up).unwrap_or(0)
    }

    fn axis(&self, units: &[Unit], out: &mut String) {
        let step = step(self.most, u64::try_from(self.height / 45).unwrap_or(1).max(2));
        let unit = unit(self.most, units);
        let mut value = 0;
        while value <= self.most {
            let y = px(self.y(value));
            let _ = writeln!(
                out,
                "<path class=\"grid\" d=\"M{LEFT} {y}H{RIGHT}\"/>\n\
                 <text class=\"time\" x=\"{}\" y=\"{y}\" dy=\"4\">{}</text>",
                LEFT - 8,
                decimal(value, unit.0)
            );
            value += step;
        }
        let _ = writeln!(
            out,
            "<text class=\"time\" x=\"{}\" y=\"{}\">{}</text>",
            LEFT - 8,
            self.top - 8,
            unit.1
        );
    }

    /// The name of the panel, and what its lines are.
    fn head(&self, name: &str, entries: &[(&str, &str, bool)], out: &mut String) {
        let y = self.top - 9;
        let _ = writeln!(out, "<text class=\"name\" x=\"{LEFT}\" y=\"{y}\">{name}</text>");
        let mut x = LEFT + 110;
        for (class, words, _) in entries.iter().filter(|(.., used)| *used) {
            let _ = writeln!(
                out,
                "<path class=\"{class}\" d=\"M{x} {}h22\" style=\"stroke-width:2.5\"/>\n\
                 <text class=\"muted\" x=\"{}\" y=\"{y}\">{words}</text>",
                y - 4,
                x + 28
            );
            x += 58 + i64::try_from(words.len()).unwrap_or(0) * 7;
        }
    }

    /// A value that stays until it changes.
    fn steps(&self, class: &str, series: &Series, out: &mut String) {
        let mut path = String::new();
        let mut y = None;
        for bucket in series.iter() {
            let x = px(x_of(bucket.at, self.end));
            if y.is_some() {
                let _ = write!(path, "H{x}");
            } else {
                let _ = write!(path, "M{x} {}", px(self.y(bucket.first)));
            }
            let Bucket { first, min, max, last, .. } = bucket;
            let order =
                if first <= last { [first, min, max, last] } else { [first, max, min, last] };
            for value in order.map(|value| self.y(value)) {
                if y.replace(value) != Some(value) {
                    let _ = write!(path, "V{}", px(value));
                }
            }
        }
        if !path.is_empty() {
            let _ = writeln!(out, "<path class=\"{class}\" d=\"{path}H{RIGHT}\"/>");
        }
    }

    /// From the least to the most in each bucket.
    fn spans(&self, class: &str, series: &Series, out: &mut String) {
        let mut path = String::new();
        for bucket in series.iter() {
            let (top, bottom) = (self.y(bucket.max), self.y(bucket.min));
            // A single value shows as a dot.
            let bottom = bottom.max(top + 15);
            let x = px(x_of(bucket.at, self.end));
            let _ = write!(path, "M{x} {}V{}", px(top), px(bottom));
        }
        if !path.is_empty() {
            let _ = writeln!(out, "<path class=\"{class}\" d=\"{path}\"/>");
        }
    }

    /// The same mark at each value, or at the least and the most of a bucket.
    fn marks(&self, class: &str, series: &Series, mark: &str, out: &mut String) {
        let mut path = String::new();
        for bucket in series.iter() {
            let x = px(x_of(bucket.at, self.end));
            let (low, high) = (self.y(bucket.min), self.y(bucket.max));
            let _ = write!(path, "M{x} {}{mark}", px(low));
            if low - high > 3 * TENTHS {
                let _ = write!(path, "M{x} {}{mark}", px(high));
            }
        }
        if !path.is_empty() {
            let _ = writeln!(out, "<path class=\"{class}\" d=\"{path}\"/>");
        }
    }
}

fn time_axis(end: Instant, foot: i64, out: &mut String) {
    let nanos = end.as_nanos();
    let (step, unit) = (step(nanos, 10), unit(nanos, &TIMES));
    let mut at = 0;
    while at <= nanos {
        let x = px(x_of(Instant::from_nanos(at), end));
        let _ = writeln!(
            out,
            "<path class=\"grid\" d=\"M{x} {TOP}V{}\"/>\n\
             <text class=\"muted small mid\" x=\"{x}\" y=\"{}\">{}</text>",
            foot + 6,
            foot + 20,
            decimal(at, unit.0)
        );
        at += step;
    }
    let _ = writeln!(
        out,
        "<text class=\"muted small mid\" x=\"{}\" y=\"{}\">time in {}</text>",
        i64::midpoint(LEFT, RIGHT),
        foot + 38,
        unit.1
    );
}

fn strip<const N: usize>(
    shares: &Shares<N>,
    (name, class, words): (&str, &str, &[String; N]),
    end: Instant,
    top: i64,
    out: &mut String,
) {
    let mut shares = shares.clone();
    shares.pass(end);
    let totals = shares.totals();
    let _ = writeln!(out, "<text class=\"name\" x=\"{LEFT}\" y=\"{}\">{name}</text>", top - 7);
    let mut x = LEFT + 100;
    for at in (0..N).filter(|&at| totals[at] > 0) {
        let share = u128::from(totals[at]) * 1_000 / u128::from(totals.iter().sum::<u64>().max(1));
        let words = format!("{} {}.{} %", words[at], share / 10, share % 10);
        let _ = writeln!(
            out,
            "<rect class=\"{class}{at}\" x=\"{x}\" y=\"{}\" width=\"12\" height=\"10\"/>\n\
             <text class=\"muted\" x=\"{}\" y=\"{}\">{words}</text>",
            top - 16,
            x + 17,
            top - 7
        );
        x += 40 + i64::try_from(words.len()).unwrap_or(0) * 7;
    }
    let columns = shares.columns(COLUMNS, end);
    let left = |column: usize| {
        let span = u64::try_from((RIGHT - LEFT) * TENTHS).unwrap_or(0);
        let x = span * column as u64 / COLUMNS as u64;
        LEFT * TENTHS + i64::try_from(x).unwrap_or(0)
    };
    let mut start = 0;
    while let Some(state) = columns.get(start) {
        let run = columns[start..].iter().take_while(|other| *other == state).count();
        if let Some(state) = state {
            let _ = writeln!(
                out,
                "<rect class=\"{class}{state}\" x=\"{}\" y=\"{top}\" width=\"{}\" height=\"{STRIP}\"/>",
                px(left(start)),
                px(left(start + run) - left(start))
            );
        }
        start += run;
    }
}

/// The least 1, 2 or 5 times a power of ten that is passed at most `count` times up to `most`.
fn step(most: u64, count: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for factor in [1, 2, 5] {
            let step = power.saturating_mul(factor);
            if most / step <= count {
                return step;
            }
        }
        power = power.saturating_mul(10);
    }
}

/// The largest unit that `most` fills.
fn unit(most: u64, units: &[Unit]) -> Unit {
    let fitting = units.iter().find(|(scale, _)| most >= *scale).or(units.last());
    fitting.copied().unwrap_or((1, ""))
}

/// `value` in a unit of `scale`, with the digits that it has, at most three after the point.
fn decimal(value: u64, scale: u64) -> String {
    let thousandths = u128::from(value) * 1_000 / u128::from(scale);
    let (whole, rest) = (thousandths / 1_000, thousandths % 1_000);
    if rest == 0 {
        return format!("{whole}");
    }
    let rest = format!("{rest:03}");
    format!("{whole}.{}", rest.trim_end_matches('0'))
}

/// A value with its unit and three digits or so.
fn quantity(value: u64, units: &[Unit]) -> String {
    let (scale, name) = unit(value, units);
    let whole = value / scale;
    let coarse = match whole {
        100.. => scale,
        10..100 => scale / 10,
        _ => scale / 100,
    };
    let coarse = coarse.max(1);
    format!("{} {name}", decimal(value / coarse * coarse, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_steps_and_units() {
        assert_eq!([7, 30, 99, 1_000].map(|most| step(most, 5)), [2, 10, 20, 200]);
        assert_eq!(step(u64::MAX, 10), 2_000_000_000_000_000_000);
        assert_eq!(unit(1_500_000, &BYTES), (1_000_000, "MB"));
        assert_eq!(unit(0, &TIMES), (1, "ns"));
        assert_eq!(decimal(1_250_000, 1_000_000), "1.25");
        assert_eq!(
            [0, 999, 12_345, 10_000_000].map(|b| quantity(b, &BYTES)),
            ["0 bytes", "999 bytes", "12.3 kB", "10 MB"]
        );
    }

    #[test]
    fn every_colour_has_a_dark_counterpart() {
        let (light, dark) = STYLE.split_once("@media").unwrap();
        for line in light.lines().filter(|line| line.contains('#')) {
            let class = line.split('{').next().unwrap();
            assert!(dark.contains(&format!("{class}{{")), "{class}");
        }
    }
}
