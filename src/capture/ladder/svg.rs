//! The ladder diagram as SVG.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::fmt::Write as _;

use super::{
    Arrow, Block, Edge, Ladder, Note,
    fold::{Piece, pieces},
    sockets::Sight,
};
use crate::{
    capture::{
        clock,
        svg::{document, escape, length, tip, wrap},
    },
    trace::{Fate, Tag},
};

const WIDTH: i64 = 900;
/// Where the two lines stand.
const LINES: [i64; 2] = [330, 640];
const TOP: i64 = 112;
/// From one block to the next on the other side, at least.
const STEP: i64 = 20;
const NOTE_LINE: i64 = 17;
/// The usual flight of a packet is drawn so high, and no pause is drawn higher than the second.
const FLIGHT: i64 = 58;
const PAUSE_MAX: i64 = 116;
const TIMERS_MAX: usize = 5;

/// Where everything stands.
struct Sheet {
    /// The height of each block, if it is drawn.
    places: Vec<Option<i64>>,
    /// Bands where events are left out: top, words.
    folds: Vec<(i64, String)>,
    bottom: i64,
}

pub(super) fn draw(ladder: &Ladder) -> String {
    let sheet = lay_out(ladder);
    let mut out = String::new();
    head(ladder, &sheet, &mut out);
    let timer_columns = timers(ladder, &sheet, &mut out);
    let falls: Vec<i64> = (0..ladder.arrows.len()).map(|at| fall(ladder, &sheet, at)).collect();
    for (arrow, fall) in ladder.arrows.iter().zip(&falls) {
        self::arrow(arrow, *fall, &sheet, &mut out);
    }
    // Labels over lines, whichever arrow came first.
    for (arrow, fall) in ladder.arrows.iter().zip(&falls) {
        label(arrow, *fall, &sheet, &mut out);
    }
    notes(ladder, &sheet, timer_columns, &mut out);
    for (top, words) in &sheet.folds {
        fold(*top, words, &mut out);
    }
    let bottom = legend(ladder, &sheet, &mut out);
    document(WIDTH, bottom + 20, &ladder.title, &out)
}

/// What is written beside a line, in lines with their classes; timers are drawn, not written.
fn words(block: &Block) -> Vec<(&'static str, String)> {
    let width = if block.edge == Edge::Left { 26 } else { 32 };
    let notes = block.shown().filter_map(note_class);
    notes
        .flat_map(|(class, text)| wrap(&text, width).into_iter().map(move |l| (class, l)))
        .collect()
}

fn note_class(note: &Note) -> Option<(&'static str, String)> {
    let class = match note {
        Note::TimerSet(..) | Note::TimerOff(_) => return None,
        Note::Timeout(_)
        | Note::Damaged(_)
        | Note::GaveUp
        | Note::Alarm(_)
        | Note::Deliver { wrong: true, .. } => "bad-t",
        Note::Deliver { .. } => "up-t",
        Note::State(_) => "ink",
        Note::Ignored(_)
        | Note::Copy
        | Note::Rule(_)
        | Note::Stray(_)
        | Note::Confirmed(_)
        | Note::Holds(_) => "muted",
    };
    Some((class, note.text()))
}

/// How high a typical flight is in time: the median of all flights.
fn usual_flight(ladder: &Ladder) -> u64 {
    let mut flights: Vec<u64> = ladder
        .arrows
        .iter()
        .flat_map(|arrow| {
            arrow.arrivals.iter().map(|(_, at)| at.as_nanos() - arrow.sent.as_nanos())
        })
        .filter(|flight| *flight > 0)
        .collect();
    if flights.is_empty() {
        // One side of a run: the pauses are what there is to go by.
        let pairs = ladder.blocks.windows(2);
        let gaps = pairs.map(|pair| pair[1].at.as_nanos().saturating_sub(pair[0].at.as_nanos()));
        flights.extend(gaps.filter(|gap| *gap > 0));
    }
    flights.sort_unstable();
    flights.get(flights.len() / 2).copied().unwrap_or(1)
}

fn lay_out(ladder: &Ladder) -> Sheet {
    let usual = usual_flight(ladder);
    let mut sheet =
        Sheet { places: vec![None; ladder.blocks.len()], folds: Vec::new(), bottom: TOP };
    let mut free = [TOP; 2];
    let mut last: Option<(i64, u64)> = None;
    for piece in pieces(ladder) {
        match piece {
            Piece::Hidden { first, count } => {
                let top = free[0].max(free[1]).max(last.map_or(TOP, |(y, _)| y + STEP));
                let from = clock(ladder.blocks[first].at);
                let to = clock(ladder.blocks[first + count - 1].at);
                sheet.folds.push((top, format!("{count} events left out, {from} to {to}")));
                (free, last) = ([top + 58; 2], None);
            }
            Piece::Shown(at) => {
                let block = &ladder.blocks[at];
                let edge = block.edge.index();
                let lines = words(block).len();
                let now = block.at.as_nanos();
                let mut y = free[edge];
                if let Some((before, then)) = last {
                    let pause = u128::from(now.saturating_sub(then)) * FLIGHT as u128;
                    let pause = i64::try_from(pause / u128::from(usual)).unwrap_or(PAUSE_MAX);
                    y = y.max(before + pause.clamp(0, PAUSE_MAX));
                    if now > then || block.arrow.is_some() {
                        y = y.max(before + if block.arrow.is_some() { STEP } else { 0 });
                    }
                }
                sheet.places[at] = Some(y);
                let lines = i64::try_from(lines).unwrap_or(1);
                free[edge] = y + (lines * NOTE_LINE + 4).max(STEP);
                last = Some((y, now));
            }
        }
    }
    sheet.bottom = free[0].max(free[1]) + 12;
    sheet
}

impl Sheet {
    fn place(&self, block: usize) -> Option<i64> {
        self.places.get(block).copied().flatten()
    }
}

fn head(ladder: &Ladder, sheet: &Sheet, out: &mut String) {
    let _ =
        writeln!(out, "<text class=\"title\" x=\"24\" y=\"32\">{}</text>", escape(&ladder.title));
    for edge in [Edge::Left, Edge::Right] {
        let at = edge.index();
        let x = LINES[at];
        let _ = writeln!(
            out,
            "<text class=\"name mid\" x=\"{x}\" y=\"66\">{}</text>",
            escape(&ladder.names[at])
        );
        if let Some(state) = ladder.initial[at] {
            let _ = writeln!(
                out,
                "<text class=\"muted mid\" x=\"{x}\" y=\"84\">{}</text>",
                escape(&state.to_string())
            );
        }
        let _ = writeln!(
            out,
            "<line class=\"line\" x1=\"{x}\" y1=\"94\" x2=\"{x}\" y2=\"{}\"/>",
            sheet.bottom
        );
    }
    let _ = writeln!(out, "<text class=\"time\" x=\"80\" y=\"84\">time</text>");
    let mut said = None;
    for (block, place) in ladder.blocks.iter().zip(&sheet.places) {
        if let (Some(y), true) = (place, said != Some(block.at)) {
            said = Some(block.at);
            let _ = writeln!(
                out,
                "<text class=\"time\" x=\"80\" y=\"{}\">{}</text>",
                y + 4,
                clock(block.at)
            );
        }
    }
}

fn style(arrow: &Arrow) -> &'static str {
    if arrow.is_again() {
        "again"
    } else if arrow.is_data() {
        "data"
    } else {
        "ack"
    }
}

/// The two ends of an arrow, as far as both are drawn.
fn ends(arrow: &Arrow, sheet: &Sheet) -> (i64, i64, Option<i64>, Vec<i64>) {
    let (x1, x2) = (LINES[arrow.from.index()], LINES[arrow.from.other().index()]);
    let arrives = arrow.arrivals.iter().filter_map(|&(block, _)| sheet.place(block)).collect();
    (x1, x2, sheet.place(arrow.departs), arrives)
}

/// How far an arrow without an end would fall: as far as its neighbour, so that they do not cross.
fn fall(ladder: &Ladder, sheet: &Sheet, number: usize) -> i64 {
    let arrow = &ladder.arrows[number];
    let near = ladder.arrows[..number].iter().rev().take(4);
    let near = near.chain(ladder.arrows[number + 1..].iter().take(4));
    let mut same = near.filter(|other| other.from == arrow.from && other.sent == arrow.sent);
    let full = same.find_map(|other| {
        let end = sheet.place(other.arrivals.first()?.0)?;
        Some(end - sheet.place(other.departs)?)
    });
    full.unwrap_or(FLIGHT)
}

fn line(class: &str, (x1, y1): (i64, i64), (x2, y2): (i64, i64), out: &mut String) {
    let _ =
        writeln!(out, "<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>");
}

fn arrow(arrow: &Arrow, fall: i64, sheet: &Sheet, out: &mut String) {
    let (x1, x2, departs, arrives) = ends(arrow, sheet);
    let class = style(arrow);
    let part = |y1: i64, y2: i64, tenths: i64| {
        (x1 + (x2 - x1) * tenths / 10, y1 + (y2 - y1) * tenths / 10)
    };
    match departs {
        Some(y1) if arrow.lost.is_some() => {
            let (x, y) = part(y1, y1 + fall, 6);
            line(class, (x1, y1), (x, y), out);
            line("bad", (x - 7, y - 7), (x + 7, y + 7), out);
            line("bad", (x - 7, y + 7), (x + 7, y - 7), out);
        }
        Some(y1) if arrives.is_empty() => {
            // It arrives in a part that is left out, or after the end.
            line(&format!("{class} dash"), (x1, y1), part(y1, y1 + fall, 4), out);
        }
        Some(y1) => {
            for (nth, &y2) in arrives.iter().enumerate() {
                let class = if nth > 0 { format!("{class} dash") } else { class.to_string() };
                line(&class, (x1, y1), (x2, y2), out);
            }
        }
        None => {
            for &y2 in &arrives {
                line(&format!("{class} dash"), part(y2 - fall, y2, 6), (x2, y2), out);
            }
        }
    }
    for &y2 in &arrives {
        let y1 = departs.unwrap_or(y2 - fall);
        out.push_str(&tip(&format!("{class}-t"), (x2, y2), (x2 - x1, y2 - y1)));
        if arrow.damaged {
            // A jagged stroke across the line.
            let (x, y) = part(y1, y2, 7);
            let _ = writeln!(out, "<path class=\"bad\" d=\"M{} {}l6 7l-5 2l6 7\"/>", x - 3, y - 8);
        }
    }
}

/// The label of an arrow, along it and near the end where it leaves.
fn label(arrow: &Arrow, fall: i64, sheet: &Sheet, out: &mut String) {
    let (x1, x2, departs, arrives) = ends(arrow, sheet);
    let (y1, y2) = match (departs, arrives.first()) {
        (Some(y1), Some(&y2)) => (y1, y2),
        (Some(y1), None) => (y1, y1 + fall),
        (None, Some(&y2)) => (y2 - fall, y2),
        (None, None) => return,
    };
    let (dx, dy) = (x2 - x1, y2 - y1);
    let tenths = if departs.is_some() { 3 } else { 8 };
    let (x, y) = (x1 + dx * tenths / 10, y1 + dy * tenths / 10);
    // Text runs from left to right, whichever way the arrow goes.
    let (dx, dy) = if dx < 0 { (-dx, -dy) } else { (dx, dy) };
    let long = length(dx, dy).max(1);
    let unit = |part: i64| {
        let thousandths = part * 1000 / long;
        let sign = if thousandths < 0 { "-" } else { "" };
        format!("{sign}{}.{:03}", thousandths.abs() / 1000, thousandths.abs() % 1000)
    };
    let words = match arrow.attempt {
        0 | 1 => arrow.name(),
        2 => format!("{} again", arrow.name()),
        attempt => format!("{}, attempt {attempt}", arrow.name()),
    };
    let _ = writeln!(
        out,
        "<text class=\"{}-t halo mid\" transform=\"matrix({} {} {} {} {x} {y})\" y=\"-5\">{}</text>",
        style(arrow),
        unit(dx),
        unit(dy),
        unit(-dy),
        unit(dx),
        escape(&words)
    );
    if let (Some(fate), Some(y1)) = (arrow.lost, departs) {
        let (x, y) = (x1 + (x2 - x1) * 6 / 10, y1 + fall * 6 / 10);
        let word = match fate {
            Fate::Outage => "lost in an outage",
            Fate::TooLarge => "too large",
            Fate::QueueFull => "queue full",
            Fate::LinkFull => "link full",
            _ => "lost",
        };
        let (x, end) = if x2 > x1 { (x + 13, "") } else { (x - 13, " end") };
        let _ = writeln!(
            out,
            "<text class=\"bad-t halo{end}\" x=\"{x}\" y=\"{}\">{word}</text>",
            y + 5
        );
    }
}

/// Bars beside the lines while timers run; says how many columns of them each side has.
fn timers(ladder: &Ladder, sheet: &Sheet, out: &mut String) -> [i64; 2] {
    let mut running: BTreeMap<(Edge, Tag), (usize, i64)> = BTreeMap::new();
    let mut columns = [0_usize; 2];
    let mut bars = Vec::new();
    // What happens in a part that is left out ends or starts at its edge.
    let mut y = TOP;
    for (block, place) in ladder.blocks.iter().zip(&sheet.places) {
        y = place.unwrap_or(y);
        for note in &block.notes {
            let (tag, starts) = match note {
                Note::TimerSet(tag, _) => (*tag, true),
                Note::TimerOff(tag) | Note::Timeout(tag) => (*tag, false),
                _ => continue,
            };
            if let Some((column, top)) = running.remove(&(block.edge, tag)) {
                let expired = matches!(note, Note::Timeout(_)) && place.is_some();
                bars.push((block.edge, column, top, y, expired));
            }
            if starts {
                let busy = |column: usize| {
                    running.iter().any(|((edge, _), (at, _))| *edge == block.edge && *at == column)
                };
                let column =
                    (0..running.len()).find(|column| !busy(*column)).unwrap_or(running.len());
                running.insert((block.edge, tag), (column, y));
                columns[block.edge.index()] = columns[block.edge.index()].max(column + 1);
            }
        }
    }
    for ((edge, _), (column, top)) in running {
        bars.push((edge, column, top, sheet.bottom, false));
    }
    for (edge, column, top, bottom, expired) in bars {
        // What ran within a part that is left out has no height.
        if column >= TIMERS_MAX || bottom <= top {
            continue;
        }
        let offset = 9 + 8 * i64::try_from(column).unwrap_or(0);
        let x = LINES[edge.index()] + if edge == Edge::Left { -offset } else { offset };
        line("timer", (x, top + 3), (x, bottom - 2), out);
        if expired {
            line("bad", (x - 5, bottom - 7), (x + 5, bottom + 3), out);
            line("bad", (x - 5, bottom + 3), (x + 5, bottom - 7), out);
        }
    }
    columns.map(|count| i64::try_from(count.min(TIMERS_MAX)).unwrap_or(0))
}

fn notes(ladder: &Ladder, sheet: &Sheet, timers: [i64; 2], out: &mut String) {
    for (block, place) in ladder.blocks.iter().zip(&sheet.places) {
        let Some(y) = place else { continue };
        let at = block.edge.index();
        let offset = 14 + 8 * timers[at];
        let (x, end) = match block.edge {
            Edge::Left => (LINES[0] - offset, " end"),
            Edge::Right => (LINES[1] + offset, ""),
        };
        let mut y = y + 4;
        for (class, text) in words(block) {
            let _ = writeln!(
                out,
                "<text class=\"{class}{end} halo\" x=\"{x}\" y=\"{y}\">{}</text>",
                escape(&text)
            );
            y += NOTE_LINE;
        }
    }
}

fn fold(top: i64, words: &str, out: &mut String) {
    let _ = writeln!(
        out,
        "<rect class=\"page\" x=\"90\" y=\"{}\" width=\"{}\" height=\"34\"/>",
        top + 8,
        WIDTH - 110
    );
    line("rule dash", (90, top + 8), (WIDTH - 20, top + 8), out);
    line("rule dash", (90, top + 42), (WIDTH - 20, top + 42), out);
    let middle = i64::midpoint(LINES[0], LINES[1]);
    let _ = writeln!(
        out,
        "<text class=\"muted mid\" x=\"{middle}\" y=\"{}\">{}</text>",
        top + 29,
        escape(words)
    );
}

/// Says what the lines mean that are used; returns how far down it goes.
fn legend(ladder: &Ladder, sheet: &Sheet, out: &mut String) -> i64 {
    let (mut x, mut y) = (92, sheet.bottom + 24);
    let mut entry = |class: &str, words: &str, used: bool| {
        if used {
            let width = 50 + i64::try_from(words.len()).unwrap_or(0) * 7;
            if x + width > WIDTH {
                (x, y) = (92, y + 20);
            }
            line(class, (x, y - 4), (x + 26, y - 4), out);
            let _ =
                writeln!(out, "<text class=\"muted\" x=\"{}\" y=\"{y}\">{words}</text>", x + 33);
            x += width;
        }
    };
    let any = |test: fn(&Arrow) -> bool| ladder.arrows.iter().any(test);
    let has_timer = ladder
        .blocks
        .iter()
        .any(|block| block.notes.iter().any(|note| matches!(note, Note::TimerSet(..))));
    entry("data", "data", any(Arrow::is_data));
    entry("again", "data sent again", any(Arrow::is_again));
    entry("ack", "feedback", any(|arrow| !arrow.is_data()));
    entry("timer", "timer runs", has_timer);
    let dashed = |arrow: &Arrow| arrow.arrivals.len() != 1 && arrow.lost.is_none();
    let dash = match ladder.sight {
        Sight::OneSide => "into the network, or out of it",
        _ => "copy, or not all of it drawn",
    };
    // What leaves or arrives in a part that is left out has one end.
    let folded = !sheet.folds.is_empty();
    entry("rule dash", dash, folded || ladder.arrows.iter().any(dashed));
    entry("bad", "damaged on the way", any(|arrow| arrow.damaged));
    if ladder.unrecorded > 0 {
        entry("rule", &format!("and {} events more", ladder.unrecorded), true);
    }
    y
}
