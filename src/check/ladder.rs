//! A counterexample as a plain text ladder: the sender left, the receiver right.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt::Write as _;

use super::trace::{Event, Flight, Step, Trace};
use crate::{classic::Effect, trace::Side};

/// Columns, in characters.
const PARTY: usize = 30;
const CHANNEL: usize = 26;

impl Trace {
    /// The run as a ladder of plain text, a few lines for each step.
    ///
    /// A packet shows where it leaves and where it arrives, since others may pass in between; `#`
    /// and a number tell copies apart.
    pub fn ladder(&self) -> String {
        let mut text = String::new();
        row(&mut text, "", "sender", "", "receiver");
        for (index, step) in self.steps.iter().enumerate() {
            self.step_rows(&mut text, index + 1, step);
        }
        text
    }

    fn step_rows(&self, text: &mut String, number: usize, step: &Step) {
        let number = number.to_string();
        let (note, arrow) = match &step.event {
            Event::Send(message) => (format!("send {message}"), String::new()),
            Event::Timeout { tag, .. } => (format!("{tag} expires"), String::new()),
            Event::Arrive { flight, .. } => (String::new(), self.arrow(flight, "", "arrives")),
            Event::Lose(flight) => (String::new(), self.arrow(flight, "X ", "lost")),
            Event::Corrupt(flight) => (String::new(), self.arrow(flight, "~ ", "damaged")),
            Event::Duplicate { flight, copy } => {
                (String::new(), self.arrow(flight, "+ ", &format!("copied: #{copy}")))
            }
        };
        let mut notes: Vec<String> =
            Some(note).into_iter().filter(|note| !note.is_empty()).collect();
        notes.extend(step.effects.iter().filter_map(|effect| match effect {
            Effect::Deliver(message) => Some(format!("deliver {message}")),
            _ => None,
        }));
        notes.extend(step.rule.and_then(|rule| rule.refuses).map(ToString::to_string));
        let mut middle: Vec<String> =
            Some(arrow).into_iter().filter(|arrow| !arrow.is_empty()).collect();
        middle.extend(step.sent.iter().map(|flight| self.arrow(flight, "", "")));
        middle.extend(step.dropped.iter().map(|flight| self.arrow(flight, "X ", "full")));
        let lines = notes.len().max(middle.len());
        let at = |list: &[String], line: usize| list.get(line).cloned().unwrap_or_default();
        for line in 0..lines {
            let number = if line == 0 { number.as_str() } else { "" };
            let (note, middle) = (at(&notes, line), at(&middle, line));
            match step.side() {
                Some(Side::Receiver) => row(text, number, "", &middle, &note),
                _ => row(text, number, &note, &middle, ""),
            }
        }
    }

    fn arrow(&self, flight: &Flight, mark: &str, what: &str) -> String {
        let name = self.name(&flight.packet);
        let name = name.trim_start_matches("the ").replace("packet of ", "");
        let damaged = if flight.damaged { "~" } else { "" };
        let label = format!("{mark}{damaged}{name} #{} {what}", flight.id);
        let label = label.trim_end();
        match flight.to {
            Side::Receiver => format!("{label} -->"),
            Side::Sender => format!("<-- {label}"),
        }
    }
}

fn row(text: &mut String, number: &str, left: &str, middle: &str, right: &str) {
    let mut line = String::new();
    let cut = |words: &str, width: usize| words.chars().take(width).collect::<String>();
    // Writing to a string cannot fail.
    let _ = write!(line, "{number:>3}  {:<PARTY$} |{middle:^CHANNEL$}| {right}", cut(left, PARTY));
    text.push_str(line.trim_end());
    text.push('\n');
}
