//! The ladder diagram in characters, 80 columns wide.

use alloc::{
    format,
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::fmt::Write as _;

use super::{
    Arrow, Edge, Ladder,
    fold::{Piece, pieces},
    sockets::Sight,
};
use crate::{
    capture::{clock, svg::wrap},
    time::Instant,
    trace::Fate,
};

const TIME: usize = 9;
const NOTE: usize = 20;
const LANE: usize = 26;

/// One line of the picture.
struct Row {
    time: String,
    notes: [String; 2],
    lane: [char; LANE],
    /// Replaces the whole line.
    fold: Option<String>,
}

impl Row {
    fn empty() -> Self {
        Self { time: String::new(), notes: Default::default(), lane: [' '; LANE], fold: None }
    }
}

pub(super) fn draw(ladder: &Ladder) -> String {
    let mut rows = Vec::new();
    let places = lay_out(ladder, &mut rows);
    route(ladder, &places, &mut rows);
    let mut out = String::new();
    if !ladder.title.is_empty() {
        let _ = writeln!(out, "{}", ladder.title);
    }
    let [left, right] = &ladder.names;
    let line = |out: &mut String, row: &Row| {
        let lane: String = row.lane.iter().collect();
        let [left, right] = &row.notes;
        let text = format!("{:>TIME$} {left:>NOTE$} │{lane}│ {right}", row.time);
        let _ = writeln!(out, "{}", text.trim_end());
    };
    let mut head = Row::empty();
    head.time = "ms".to_string();
    head.notes = [left.clone(), right.clone()];
    line(&mut out, &head);
    head.time.clear();
    for at in 0..2 {
        let state = ladder.initial[at].map(|state| state.to_string());
        head.notes[at] = state.unwrap_or_default();
    }
    for [left, right] in zip_lines(wrap(&head.notes[0], NOTE), wrap(&head.notes[1], NOTE)) {
        head.notes = [left, right];
        line(&mut out, &head);
    }
    for row in &rows {
        match &row.fold {
            Some(text) => {
                let _ = writeln!(out, "{text}");
            }
            None => line(&mut out, row),
        }
    }
    if ladder.unrecorded > 0 {
        let _ = writeln!(out, "(and {} events more)", ladder.unrecorded);
    }
    legend(ladder, &mut out);
    out
}

fn zip_lines(left: Vec<String>, right: Vec<String>) -> Vec<[String; 2]> {
    let count = left.len().max(right.len());
    let (mut left, mut right) = (left.into_iter(), right.into_iter());
    (0..count)
        .map(|_| [left.next().unwrap_or_default(), right.next().unwrap_or_default()])
        .collect()
}

/// Gives every shown block its rows; returns the row of each block's arrow.
fn lay_out(ladder: &Ladder, rows: &mut Vec<Row>) -> Vec<Option<usize>> {
    let mut places = vec![None; ladder.blocks.len()];
    let mut free = [0, 0];
    let mut next = 0;
    let mut said = None;
    for piece in pieces(ladder) {
        match piece {
            Piece::Hidden { first, count } => {
                let row = free[0].max(free[1]).max(next);
                grow(rows, row + 1);
                let last = &ladder.blocks[first + count - 1];
                rows[row].fold = Some(format!(
                    "{:>TIME$} ... {count} events left out, from {} to {}",
                    "",
                    clock(ladder.blocks[first].at),
                    clock(last.at)
                ));
                (free, next, said) = ([row + 1; 2], row + 1, None);
            }
            Piece::Shown(at) => {
                let block = &ladder.blocks[at];
                if block.arrow.is_none() && block.shown().next().is_none() {
                    continue;
                }
                let edge = block.edge.index();
                let lines: Vec<String> =
                    block.shown().flat_map(|note| wrap(&note.text(), NOTE)).collect();
                // What is written at one time ends before the next begins.
                let fresh = said != Some(block.at);
                let row = if fresh { free[0].max(free[1]).max(next) } else { free[edge].max(next) };
                grow(rows, row + lines.len().max(1));
                if fresh {
                    said = Some(block.at);
                    rows[row].time = column(block.at);
                }
                places[at] = Some(row);
                free[edge] = row + lines.len().max(1);
                next = row + 1;
                for (row, text) in rows[row..].iter_mut().zip(lines) {
                    row.notes[edge] = text;
                }
            }
        }
    }
    places
}

/// Milliseconds in at most 9 characters, for the first 11 days.
fn column(at: Instant) -> String {
    let micros = at.as_nanos() / 1_000;
    match (micros / 1_000, micros % 1_000) {
        (whole @ 0..100_000, rest @ 1..) => format!("{whole}.{rest:03}"),
        (whole, _) => whole.to_string(),
    }
}

fn grow(rows: &mut Vec<Row>, count: usize) {
    while rows.len() < count {
        rows.push(Row::empty());
    }
}

/// The way of one arrow through the picture.
struct Path<'a> {
    arrow: &'a Arrow,
    departs: Option<usize>,
    arrives: Vec<usize>,
    /// Some arrival is left out of the picture.
    cut: bool,
    column: Option<usize>,
}

/// Draws all arrows: first the upright parts, so that labels and heads stay whole.
fn route(ladder: &Ladder, places: &[Option<usize>], rows: &mut [Row]) {
    let place = |block: usize| places.get(block).copied().flatten();
    let mut taken: Vec<(usize, usize, usize, Edge)> = Vec::new();
    let mut paths = Vec::new();
    for arrow in &ladder.arrows {
        let departs = place(arrow.departs);
        let arrives: Vec<usize> =
            arrow.arrivals.iter().filter_map(|&(block, _)| place(block)).collect();
        let cut = arrives.len() < arrow.arrivals.len();
        let mut column = None;
        if let (Some(first), Some(&last)) = (departs, arrives.last()) {
            taken.retain(|&(_, _, until, _)| until >= first);
            column = bend(&taken, label(arrow).chars().count(), first, last, arrow.from);
            if let Some(column) = column {
                taken.push((column, first, last, arrow.from));
            }
        }
        if departs.is_some() || !arrives.is_empty() {
            paths.push(Path { arrow, departs, arrives, cut, column });
        }
    }
    for path in &paths {
        if let (Some(column), Some(first), Some(&last)) =
            (path.column, path.departs, path.arrives.last())
        {
            for row in &mut rows[first + 1..last] {
                row.lane[column] = if path.arrow.is_again() { '║' } else { '│' };
            }
        }
    }
    for path in &paths {
        depart(path, rows);
        for (nth, &row) in path.arrives.iter().enumerate() {
            arrive(path, nth + 1 == path.arrives.len() && !path.cut, &mut rows[row]);
        }
    }
}

fn label(arrow: &Arrow) -> String {
    format!(" {} ", arrow.name())
}

/// A free column for the upright part of an arrow; packets that keep their order do not cross.
fn bend(
    taken: &[(usize, usize, usize, Edge)],
    label: usize,
    first: usize,
    last: usize,
    from: Edge,
) -> Option<usize> {
    // Counted from the side where the packet leaves.
    let column = |step: usize| if from == Edge::Left { step } else { LANE - 1 - step };
    let inner = taken
        .iter()
        .filter(|&&(.., edge)| edge == from)
        .map(|&(at, ..)| column(at))
        .min()
        .unwrap_or(LANE);
    let is_free = |at: usize| {
        !taken.iter().any(|&(other, start, end, _)| other == at && start <= last && first <= end)
    };
    // Every other column while there is room, so that uprights do not touch.
    let steps = (label + 2..LANE - 3).rev();
    let wide = steps.clone().filter(|step| step % 2 == 1);
    let narrow = steps.filter(|step| step % 2 == 0);
    let all: Vec<usize> = wide.chain(narrow).filter(|step| is_free(column(*step))).collect();
    all.iter().find(|step| **step < inner).or(all.first()).map(|step| column(*step))
}

/// Puts a character `step` cells from the side where the packet leaves.
fn put(row: &mut Row, from: Edge, step: usize, c: char) {
    let at = if from == Edge::Left { Some(step) } else { (LANE - 1).checked_sub(step) };
    if let Some(cell) = at.and_then(|at| row.lane.get_mut(at)) {
        *cell = c;
    }
}

/// Writes a text that begins `step` cells from the side where the packet leaves.
fn write_text(row: &mut Row, from: Edge, step: usize, text: &str) {
    let count = text.chars().count();
    let start = if from == Edge::Left { step } else { LANE.saturating_sub(step + count) };
    for (cell, c) in row.lane[start.min(LANE)..].iter_mut().zip(text.chars()) {
        *cell = c;
    }
}

/// The level stroke, the bend where an arrow leaves its first row, the bend where it arrives, and the
/// branch where a first copy arrives.
fn strokes(arrow: &Arrow) -> [char; 4] {
    match (arrow.from, arrow.is_again()) {
        (Edge::Left, false) => ['─', '╮', '╰', '├'],
        (Edge::Right, false) => ['─', '╭', '╯', '┤'],
        (Edge::Left, true) => ['═', '╗', '╚', '╠'],
        (Edge::Right, true) => ['═', '╔', '╝', '╣'],
    }
}

fn depart(path: &Path<'_>, rows: &mut [Row]) {
    let Some(row) = path.departs.and_then(|at| rows.get_mut(at)) else { return };
    let (arrow, from) = (path.arrow, path.arrow.from);
    let [level, bend, ..] = strokes(arrow);
    let text = label(arrow);
    let length = text.chars().count();
    put(row, from, 0, level);
    let end = match path.column {
        Some(column) if from == Edge::Left => column,
        Some(column) => LANE - 1 - column,
        None => length + 3,
    };
    for step in 1..end {
        put(row, from, step, level);
    }
    write_text(row, from, 1, &text);
    if let Some(fate) = arrow.lost {
        let word = match fate {
            Fate::Outage => "✗ outage",
            Fate::TooLarge => "✗ too large",
            Fate::QueueFull => "✗ queue full",
            Fate::LinkFull => "✗ link full",
            _ => "✗ lost",
        };
        // Read from left to right on either side.
        let word = if from == Edge::Left { word.to_string() } else { turned(word) };
        write_text(row, from, end, &word);
    } else if path.column.is_some() {
        put(row, from, end, bend);
    } else {
        put(row, from, end, '┄');
        put(row, from, end + 1, '┄');
    }
}

/// A cross that stands at the end of its word instead of before it.
fn turned(word: &str) -> String {
    let rest: String = word.chars().skip(2).collect();
    format!("{rest} ✗")
}

fn arrive(path: &Path<'_>, last: bool, row: &mut Row) {
    let (arrow, from) = (path.arrow, path.arrow.from);
    let [level, _, corner, branch] = strokes(arrow);
    let head = if from == Edge::Left { '▶' } else { '◀' };
    let text = label(arrow);
    let start = match path.column {
        Some(column) if from == Edge::Left => column,
        Some(column) => LANE - 1 - column,
        None => LANE.saturating_sub(6 + text.chars().count()),
    };
    for step in start..LANE - 1 {
        put(row, from, step, level);
    }
    if path.column.is_some() {
        put(row, from, start, if last { corner } else { branch });
    } else {
        put(row, from, start, '┄');
        write_text(row, from, start + 2, &text);
    }
    if arrow.damaged {
        put(row, from, LANE - 2, '*');
    }
    put(row, from, LANE - 1, head);
}

/// Characters of a line.
const COLUMNS: usize = 80;

fn legend(ladder: &Ladder, out: &mut String) {
    let mut words = Vec::new();
    if ladder.arrows.iter().any(Arrow::is_again) {
        words.push("═ sent again");
    }
    if ladder.arrows.iter().any(|arrow| arrow.damaged) {
        words.push("* damaged on the way");
    }
    if ladder.arrows.iter().any(|arrow| arrow.label.is_some()) {
        words.push("numbers count from each side's first");
    }
    if ladder.sight == Sight::OneSide {
        words.push("┄ into the network, or out of it");
    } else if ladder.arrows.iter().any(Arrow::is_under_way) {
        words.push("┄ still on its way at the end");
    }
    // As many to a line as a terminal holds.
    let mut rest = &words[..];
    while !rest.is_empty() {
        let fits = |count: &usize| rest[..*count].join("   ").chars().count() < COLUMNS - TIME;
        let count = (1..=rest.len()).rev().find(fits).unwrap_or(1);
        let _ = writeln!(out, "{:>TIME$} {}", "", rest[..count].join("   "));
        rest = &rest[count..];
    }
}
