//! The state machines of the book as SVG, from the transition tables that the code runs.
//!
//! The arrangement is the book's: one state in the middle, two side by side, four in a square
//! with the arrows clockwise. A label has the event over a line and the actions under it. What a
//! machine ignores is written smaller, so that every input in every state can be read off.
//!
//! ```
//! use rdtp::{capture::figure, classic::{Machine, Protocol, rdt30::StopAndWait}};
//!
//! let sender = StopAndWait::RDT30.sender::<u8>();
//! let state = rdtp::classic::State::label(sender.state());
//! let svg = figure::draw("rdt 3.0 sender", &sender.table(), Some(state))?;
//! assert!(svg.contains("class=\"state now\""));
//! # Ok::<(), figure::CannotDraw>(())
//! ```

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, fmt::Write as _};

use super::svg::{document, escape, tip, wrap};
use crate::{classic::Transition, trace::StateLabel};

/// Why a table is not drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CannotDraw {
    /// The machine declares no transition table.
    NoTable,
    /// It has not 1, 2 or 4 states, the arrangements of the book.
    States {
        /// How many it has.
        states: usize,
    },
    /// It has more states than a [strip](super::Strip) shows.
    TooMany {
        /// How many its table names.
        states: usize,
        /// The most that are shown.
        most: usize,
    },
    /// An arrow goes neither to its own state nor to the next, in the order in which the table names
    /// them.
    Arrow {
        /// The state it leaves.
        from: StateLabel,
        /// The state it enters.
        to: StateLabel,
    },
}

impl fmt::Display for CannotDraw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTable => f.write_str(
                "this machine declares no transition table: give it a Machine::table to see it \
                 drawn",
            ),
            Self::States { states } => write!(
                f,
                "{states} states have no legible arrangement here, only 1, 2 and 4 have: choose \
                 fewer sequence numbers, or lay it out with Graphviz"
            ),
            Self::TooMany { most, .. } => write!(
                f,
                "more than {most} states are too many to show at every step: choose fewer sequence \
                 numbers"
            ),
            Self::Arrow { from, to } => write!(
                f,
                "an arrow leads from \"{from}\" to \"{to}\", and only rings are drawn: lay it out \
                 with Graphviz"
            ),
        }
    }
}

impl core::error::Error for CannotDraw {}

const RADIUS: i64 = 50;
const LINE: i64 = 15;
/// Characters of a label before it is broken.
const LABEL: usize = 38;
/// Pixels per character of a label, rounded up.
const CHAR: i64 = 8;

/// Draws a machine with one state highlighted, if asked to.
pub fn draw(
    title: &str,
    table: &[Transition],
    now: Option<StateLabel>,
) -> Result<String, CannotDraw> {
    if table.is_empty() {
        return Err(CannotDraw::NoTable);
    }
    let states = states(table);
    if !matches!(states.len(), 1 | 2 | 4) {
        return Err(CannotDraw::States { states: states.len() });
    }
    for arrow in table {
        let at = |state| states.iter().position(|known| *known == state).unwrap_or(0);
        let (from, to) = (at(arrow.from), at(arrow.to));
        if to != from && to != (from + 1) % states.len() {
            return Err(CannotDraw::Arrow { from: arrow.from, to: arrow.to });
        }
    }
    let sheet = Sheet::new(&states, table);
    let mut out = String::new();
    let _ = writeln!(out, "<text class=\"title\" x=\"24\" y=\"32\">{}</text>", escape(title));
    for at in 0..states.len() {
        sheet.onward(at, &mut out);
        sheet.loops(at, &mut out);
    }
    for (at, state) in states.iter().enumerate() {
        circle(sheet.centres[at], *state, now == Some(*state), at == 0, &mut out);
    }
    Ok(document(sheet.width, sheet.height, title, &out))
}

/// The states in the order in which the table names them, the initial one first.
fn states(table: &[Transition]) -> Vec<StateLabel> {
    let mut states = Vec::new();
    for state in table.iter().flat_map(|arrow| [arrow.from, arrow.to]) {
        if !states.contains(&state) {
            states.push(state);
        }
    }
    states
}

/// The text of one arrow.
#[derive(Debug)]
struct Label {
    event: Vec<String>,
    actions: Vec<String>,
    ignored: bool,
}

impl Label {
    fn new(arrow: &Transition) -> Self {
        let (event, actions) = (arrow.event(), arrow.actions());
        let ignored = arrow.rule.does.is_empty() && arrow.rule.refuses.is_some();
        let event = if ignored { wrap(&event, LABEL) } else { broken(&event, " && ", " &&") };
        let mut actions = if ignored { Vec::new() } else { broken(&actions, "; ", "") };
        if let (true, Some(reason)) = (ignored, arrow.rule.refuses) {
            actions = wrap(&format!("Λ  {reason}"), LABEL);
        }
        Self { event, actions, ignored }
    }

    fn width(&self) -> i64 {
        let lines = self.event.iter().chain(&self.actions);
        lines.map(|line| pixels(line.chars().count())).max().unwrap_or(0)
    }

    fn height(&self) -> i64 {
        LINE * count(self.event.len() + self.actions.len()) + 14
    }

    /// Writes it with its top left corner at (`x`, `y`).
    fn write(&self, (x, y): (i64, i64), out: &mut String) {
        let class = if self.ignored { "mono muted" } else { "mono" };
        let mut at = y;
        let mut text = |lines: &[String], at: &mut i64| {
            for line in lines {
                *at += LINE;
                let line = escape(line);
                let _ = writeln!(
                    out,
                    "<text class=\"{class}\" x=\"{x}\" y=\"{at}\" xml:space=\"preserve\">{line}</text>"
                );
            }
        };
        text(&self.event, &mut at);
        let rule = at + 4;
        at += 4;
        text(&self.actions, &mut at);
        let _ = writeln!(
            out,
            "<line class=\"rule\" x1=\"{x}\" y1=\"{rule}\" x2=\"{}\" y2=\"{rule}\"/>",
            x + self.width()
        );
    }
}

/// Breaks at every `at`, where `keep` stays, and what is still too long at spaces.
fn broken(text: &str, at: &str, keep: &str) -> Vec<String> {
    let count = text.split(at).count();
    let parts = text.split(at).enumerate().map(|(nth, part)| {
        let end = if nth + 1 < count { keep } else { "" };
        format!("{part}{end}")
    });
    parts.flat_map(|part| wrap(&part, LABEL)).collect()
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn pixels(chars: usize) -> i64 {
    count(chars) * CHAR
}

fn width(labels: &[Label]) -> i64 {
    labels.iter().map(Label::width).max().unwrap_or(0)
}

fn height(labels: &[Label]) -> i64 {
    labels.iter().map(Label::height).sum()
}

fn write_all(labels: &[Label], (x, mut y): (i64, i64), out: &mut String) {
    for label in labels {
        label.write((x, y), out);
        y += label.height();
    }
}

/// Where everything stands.
struct Sheet {
    centres: Vec<(i64, i64)>,
    /// For each state, the labels of its loop, and of the arrow to the next state.
    loops: Vec<Vec<Label>>,
    onward: Vec<Vec<Label>>,
    width: i64,
    height: i64,
}

impl Sheet {
    fn new(states: &[StateLabel], table: &[Transition]) -> Self {
        let pick = |from: usize, onward: bool| -> Vec<Label> {
            let mine = table.iter().filter(|arrow| arrow.from == states[from]);
            let mine = mine.filter(|arrow| (arrow.to != states[from]) == onward);
            let mut labels: Vec<Label> = mine.map(Label::new).collect();
            // What is ignored comes last.
            labels.sort_by_key(|label| label.ignored);
            labels
        };
        let all = 0..states.len();
        let mut loops: Vec<_> = all.clone().map(|at| pick(at, false)).collect();
        let onward: Vec<_> = all.map(|at| pick(at, true)).collect();
        if states.len() == 1 {
            // What is ignored goes to the other side.
            let (ignored, taken) = loops.remove(0).into_iter().partition(|label| label.ignored);
            loops = Vec::from([ignored, taken]);
        }
        let side = |at: &[usize]| at.iter().map(|&at| width(&loops[at])).max().unwrap_or(0);
        let gap = RADIUS + 74;
        let (left, right) = match states.len() {
            4 => (side(&[0, 3]), side(&[1, 2])),
            _ => (side(&[0]), side(&[1])),
        };
        let tall =
            |at: usize| loops.get(at).map_or(0, |labels| height(labels)).max(2 * RADIUS + 60);
        let x1 = 30 + left + gap;
        let top = 64;
        let mut sheet =
            Self { centres: Vec::new(), loops: Vec::new(), onward, width: 0, height: 0 };
        match states.len() {
            1 => {
                let tall = tall(0).max(tall(1));
                sheet.centres.push((x1, top + tall / 2));
                sheet.width = x1 + gap + right + 30;
                sheet.height = top + tall + 30;
            }
            2 => {
                let tall = tall(0).max(tall(1)) / 2;
                let inner = width(&sheet.onward[0]).max(width(&sheet.onward[1]));
                let x2 = x1 + 2 * RADIUS + inner.max(160) + 20;
                let above = tall.max(height(&sheet.onward[0]) + 62);
                let below = tall.max(height(&sheet.onward[1]) + 62);
                let y = top + above;
                sheet.centres.extend([(x1, y), (x2, y)]);
                sheet.width = x2 + gap + right + 30;
                sheet.height = y + below + 30;
            }
            _ => {
                let level = width(&sheet.onward[0]).max(width(&sheet.onward[2])) + 40;
                let upright = width(&sheet.onward[1]) + width(&sheet.onward[3]) + 70 - 2 * RADIUS;
                let x2 = x1 + 2 * RADIUS + level.max(upright);
                let upper = (tall(0).max(tall(1)) / 2).max(height(&sheet.onward[0]) + 52);
                let lower = (tall(2).max(tall(3)) / 2).max(height(&sheet.onward[2]) + 52);
                let between = height(&sheet.onward[1]).max(height(&sheet.onward[3]));
                let loops = (tall(0) + tall(3)).max(tall(1) + tall(2)) / 2 + 20;
                let y1 = top + upper;
                let y2 = y1 + loops.max(between + 2 * RADIUS + 40);
                sheet.centres.extend([(x1, y1), (x2, y1), (x2, y2), (x1, y2)]);
                sheet.width = x2 + gap + right + 30;
                sheet.height = y2 + lower + 30;
            }
        }
        sheet.loops = loops;
        sheet
    }

    /// The arrow to the next state, clockwise, with its labels.
    fn onward(&self, at: usize, out: &mut String) {
        let labels = &self.onward[at];
        if labels.is_empty() {
            return;
        }
        let next = (at + 1) % self.centres.len();
        let ((x1, y1), (x2, y2)) = (self.centres[at], self.centres[next]);
        let (dx, dy) = ((x2 - x1).signum(), (y2 - y1).signum());
        let two = self.centres.len() == 2;
        // Level arrows bow up on their way right and down on their way left.
        let bow = if dy == 0 { -44 * dx } else { 0 };
        let lift = if dy == 0 { -20 * dx } else { 0 };
        let reach = if dy == 0 { 46 } else { RADIUS };
        let start = (x1 + dx * reach, y1 + dy * reach + lift);
        let end = (x2 - dx * reach, y2 - dy * reach + lift);
        let middle = (i64::midpoint(start.0, end.0), i64::midpoint(start.1, end.1) + bow);
        let _ = writeln!(
            out,
            "<path class=\"curve\" d=\"M{} {}Q{} {} {} {}\"/>",
            start.0, start.1, middle.0, middle.1, end.0, end.1
        );
        out.push_str(&tip("tip", end, (end.0 - middle.0, end.1 - middle.1)));
        let (wide, high) = (width(labels), height(labels));
        let corner = match (dx, dy) {
            (1, _) => (middle.0 - wide / 2, middle.1 + 14 - high),
            (-1, _) if two => (middle.0 - wide / 2, middle.1 - 8),
            (-1, _) => (middle.0 - wide / 2, middle.1 - 8),
            // Inside the square: left of the arrow down, right of the arrow up.
            (_, 1) => (middle.0 - 14 - wide, middle.1 - high / 2),
            _ => (middle.0 + 14, middle.1 - high / 2),
        };
        write_all(labels, corner, out);
    }

    /// The loops of a state with their labels on its outer side.
    fn loops(&self, at: usize, out: &mut String) {
        if let [centre] = self.centres[..] {
            one_loop(centre, -1, &self.loops[0], out);
            one_loop(centre, 1, &self.loops[1], out);
            return;
        }
        let centre = self.centres[at];
        let outward = if centre.0 == self.centres[0].0 { -1 } else { 1 };
        one_loop(centre, outward, &self.loops[at], out);
    }
}

/// A loop beside a state, with its labels further out.
fn one_loop((x, y): (i64, i64), side: i64, labels: &[Label], out: &mut String) {
    if labels.is_empty() {
        return;
    }
    let (near, far) = (x + side * 46, x + side * (RADIUS + 78));
    let _ = writeln!(
        out,
        "<path class=\"curve\" d=\"M{near} {}C{far} {} {far} {} {near} {}\"/>",
        y - 20,
        y - 52,
        y + 52,
        y + 20
    );
    out.push_str(&tip("tip", (near, y + 20), (near - far, -32)));
    let left = if side < 0 { x - RADIUS - 66 - width(labels) } else { x + RADIUS + 66 };
    write_all(labels, (left, y - height(labels) / 2), out);
}

fn circle((x, y): (i64, i64), state: StateLabel, now: bool, initial: bool, out: &mut String) {
    if initial {
        // The dashed arrow from nowhere that marks the initial state.
        let _ = writeln!(
            out,
            "<line class=\"curve dash\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
            x - 62,
            y - 76,
            x - 34,
            y - 40
        );
        out.push_str(&tip("tip", (x - 31, y - 38), (28, 36)));
    }
    let class = if now { "state now" } else { "state" };
    let _ = writeln!(out, "<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"{RADIUS}\"/>");
    let lines = wrap(&state.to_string(), 12);
    let mut at = y + 5 - 8 * (count(lines.len()) - 1);
    for line in lines {
        let _ = writeln!(
            out,
            "<text class=\"mid\" x=\"{x}\" y=\"{at}\">{}</text>",
            escape(line.trim())
        );
        at += 16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic::{Machine, Protocol, Spec, Visitor, rdt30::StopAndWait};
    use crate::seq::Modulus;

    /// Corners of all labels of a picture: left, top, right, bottom of each line of text.
    fn boxes(svg: &str) -> Vec<[i64; 4]> {
        let number = |line: &str, key: &str| -> i64 {
            let rest = line.split(key).nth(1).unwrap();
            rest.split('"').next().unwrap().parse().unwrap()
        };
        let texts = svg.lines().filter(|line| line.contains("class=\"mono"));
        texts
            .map(|line| {
                let (x, y) = (number(line, " x=\""), number(line, " y=\""));
                let text = line.split('>').nth(1).unwrap().split("</text").next().unwrap();
                let plain = text.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
                [x, y - 11, x + pixels(plain.chars().count()), y + 3]
            })
            .collect()
    }

    struct Draw;
    impl Visitor for Draw {
        type Output = [String; 2];
        fn visit<P: Protocol>(self, protocol: P) -> [String; 2] {
            [protocol.sender::<u8>().table(), protocol.receiver::<u8>().table()]
                .map(|table| draw(P::NAME, &table, None).unwrap())
        }
    }

    #[test]
    fn no_text_of_the_books_machines_overlaps_or_leaves_the_page() {
        for spec in Spec::book() {
            for svg in spec.visit(Draw) {
                let boxes = boxes(&svg);
                assert!(!boxes.is_empty());
                let page = svg.split("viewBox=\"0 0 ").nth(1).unwrap().split('"').next().unwrap();
                let mut size = page.split(' ').map(|n| n.parse::<i64>().unwrap());
                let (wide, high) = (size.next().unwrap(), size.next().unwrap());
                for (nth, one) in boxes.iter().enumerate() {
                    assert!(
                        one[0] >= 0 && one[1] >= 40 && one[2] <= wide && one[3] <= high,
                        "{spec}: {one:?} on {wide} x {high}"
                    );
                    for other in &boxes[nth + 1..] {
                        let apart = one[2] <= other[0]
                            || other[2] <= one[0]
                            || one[3] <= other[1]
                            || other[3] <= one[1];
                        assert!(apart, "{spec}: {one:?} and {other:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_arrow_of_the_table_has_its_label() {
        let table = StopAndWait::RDT30.sender::<u8>().table();
        let svg = draw("", &table, None).unwrap();
        assert_eq!(svg.matches("class=\"rule\"").count(), table.len());
        assert_eq!(svg.matches("<circle").count(), 4);
        assert_eq!(svg.matches("stroke-dasharray").count(), 1);
        assert_eq!(svg.matches("class=\"curve dash\"").count(), 1, "one initial state");
    }

    #[test]
    fn the_current_state_stands_out_and_what_has_no_arrangement_is_refused() {
        let table = StopAndWait::RDT30.sender::<u8>().table();
        let svg = draw("", &table, Some(table[0].to)).unwrap();
        assert_eq!(svg.matches("class=\"state now\"").count(), 1);
        let many = StopAndWait::new(Modulus::new(5)).sender::<u8>().table();
        assert_eq!(draw("", &many, None), Err(CannotDraw::States { states: 10 }));
        assert_eq!(draw("", &[], None), Err(CannotDraw::NoTable));
        // An arrow back would be drawn as one to the next.
        let mut back = table.clone();
        let (from, to) = (table[4].to, table[0].from);
        back.push(Transition { from, to, ..table[0] });
        assert_eq!(draw("", &back, None), Err(CannotDraw::Arrow { from, to }));
    }
}
