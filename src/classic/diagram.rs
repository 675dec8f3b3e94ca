//! Transition tables as text, Mermaid and Graphviz.
//!
//! All three are made from the table that [`Machine::table`](super::Machine::table) returns and
//! that tests hold the behaviour to, so a diagram cannot show what the code does not do.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use core::{fmt, fmt::Write as _, str::FromStr};

use super::machine::Transition;
use crate::trace::StateLabel;

/// Of machines with more sequence numbers than this, only the states of the first ones are drawn.
pub const NUMBERS_DRAWN_MAX: u64 = 16;

/// How to write a table down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notation {
    /// Lines for a terminal.
    #[default]
    Text,
    /// A Mermaid `stateDiagram-v2`.
    Mermaid,
    /// Graphviz DOT.
    Dot,
}

impl FromStr for Notation {
    type Err = UnknownNotation;

    fn from_str(text: &str) -> Result<Self, UnknownNotation> {
        match text {
            "text" => Ok(Self::Text),
            "mermaid" => Ok(Self::Mermaid),
            "dot" => Ok(Self::Dot),
            _ => Err(UnknownNotation),
        }
    }
}

/// No notation of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownNotation;

impl fmt::Display for UnknownNotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown notation: use text, mermaid or dot")
    }
}

impl core::error::Error for UnknownNotation {}

/// Writes a table down, with a title.
///
/// ```
/// use rdtp::classic::{Machine, Protocol, diagram, diagram::Notation, rdt30::StopAndWait};
///
/// let sender = StopAndWait::RDT30.sender::<u8>();
/// let dot = diagram::draw("rdt 3.0 sender", &sender.table(), Notation::Dot);
/// assert!(dot.contains(r#""Wait for ACK 0" -> "Wait for call 1 from above""#));
/// ```
pub fn draw(title: &str, table: &[Transition], notation: Notation) -> String {
    match notation {
        Notation::Text => text(title, table),
        Notation::Mermaid => mermaid(title, table),
        Notation::Dot => dot(title, table),
    }
}

/// The states in the order in which the table names them, the initial one first.
fn states(table: &[Transition]) -> Vec<StateLabel> {
    let mut states = Vec::new();
    for arrow in table {
        for state in [arrow.from, arrow.to] {
            if !states.contains(&state) {
                states.push(state);
            }
        }
    }
    states
}

fn text(title: &str, table: &[Transition]) -> String {
    let mut out = format!("{title}\n");
    if table.is_empty() {
        out.push_str("\n  (it declares no transition table)\n");
    }
    for state in states(table) {
        let _ = writeln!(out, "\n  {state}");
        for arrow in table.iter().filter(|arrow| arrow.from == state) {
            let _ = writeln!(out, "    {}", arrow.event());
            let _ = write!(out, "      / {}", arrow.actions());
            let _ = match arrow.rule.refuses {
                Some(reason) => writeln!(out, "  ({reason})"),
                None => writeln!(out),
            };
            if arrow.to != state {
                let _ = writeln!(out, "      -> {}", arrow.to);
            }
        }
    }
    out
}

fn mermaid(title: &str, table: &[Transition]) -> String {
    let mut out = format!("---\ntitle: {title}\n---\nstateDiagram-v2\n");
    let ids: BTreeMap<StateLabel, usize> =
        states(table).into_iter().enumerate().map(|(i, state)| (state, i)).collect();
    let mut by_id: Vec<_> = ids.iter().collect();
    by_id.sort_by_key(|&(_, id)| id);
    for (state, id) in by_id {
        let _ = writeln!(out, "    state \"{state}\" as s{id}");
    }
    if !table.is_empty() {
        let _ = writeln!(out, "    [*] --> s0");
    }
    for arrow in table {
        let _ = writeln!(
            out,
            "    s{} --> s{}: {} / {}",
            ids[&arrow.from],
            ids[&arrow.to],
            mermaid_text(&arrow.event()),
            mermaid_text(&arrow.actions())
        );
    }
    out
}

/// Mermaid ends a label at a semicolon and reads `#` as the start of an entity.
fn mermaid_text(text: &str) -> String {
    text.replace(';', ",").replace('#', "no.")
}

fn dot(title: &str, table: &[Transition]) -> String {
    let mut out = format!(
        "digraph \"{title}\" {{\n  label=\"{title}\"; labelloc=t; rankdir=LR;\n  \
         node [shape=ellipse]; start [shape=point];\n"
    );
    for (i, state) in states(table).into_iter().enumerate() {
        let _ = writeln!(out, "  \"{state}\";");
        if i == 0 {
            let _ = writeln!(out, "  start -> \"{state}\";");
        }
    }
    for arrow in table {
        // The book's way: the event over a line, the actions under it.
        let (event, actions) = (arrow.event(), arrow.actions().replace("; ", "\\n"));
        let line = "─".repeat(event.chars().count().min(40));
        let _ = writeln!(
            out,
            "  \"{}\" -> \"{}\" [label=\"{}\\n{line}\\n{}\"];",
            arrow.from,
            arrow.to,
            event.replace('"', "'"),
            actions.replace('"', "'")
        );
    }
    out.push_str("}\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic::{Machine, Protocol, rdt30::StopAndWait};

    fn drawn(notation: Notation) -> String {
        draw("rdt 3.0 sender", &StopAndWait::RDT30.sender::<u8>().table(), notation)
    }

    #[test]
    fn text_reads_like_the_figure() {
        let text = drawn(Notation::Text);
        let expected = "  Wait for ACK 0\n    timeout\n      / udt_send(sndpkt); start_timer\n    \
                        rdt_rcv(rcvpkt) && notcorrupt(rcvpkt) && isACK(rcvpkt, 1)\n      / Λ  \
                        (wrong number)\n";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn mermaid_has_every_state_and_arrow_and_no_character_that_ends_a_label() {
        let text = drawn(Notation::Mermaid);
        assert_eq!(text.matches("state \"").count(), 4);
        assert_eq!(text.matches(" --> ").count(), 19, "18 arrows and the initial one:\n{text}");
        assert!(!text.contains(';') && !text.contains('#'));
    }

    #[test]
    fn dot_marks_the_initial_state() {
        assert!(drawn(Notation::Dot).contains("start -> \"Wait for call 0 from above\";"));
    }

    #[test]
    fn a_machine_without_a_table_has_a_diagram_without_arrows() {
        assert!(draw("mine", &[], Notation::Text).contains("no transition table"));
        assert!(!draw("mine", &[], Notation::Mermaid).contains("-->"));
        assert!(!draw("mine", &[], Notation::Dot).contains("->"));
    }

    #[test]
    fn notations_parse() {
        assert_eq!("dot".parse(), Ok(Notation::Dot));
        assert_eq!("svg".parse::<Notation>(), Err(UnknownNotation));
    }
}
