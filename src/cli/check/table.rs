//! `rdtp check --all`: each protocol of the book against each fault, every cell searched.

use core::fmt::Write as _;

use rdtp::{
    channel::{Channel, Overtake},
    check::{Model, Report, Verdict},
    classic::{Protocol, Spec, Visitor},
    net::Clock,
};
use serde::Serialize;

use super::{
    super::{Failure, transfer::grouped},
    Answer, Hands, Options, bounds, count, promise,
};

/// Small windows: their spaces close in a moment.
const PROTOCOLS: [&str; 11] = [
    "rdt1.0", "rdt2.0", "rdt2.1", "rdt2.2", "rdt3.0", "saw:3", "gbn:2/3", "gbn:2/5", "sr:2/4",
    "gbn:2", "sr:2",
];

/// Enough to overtake and to fill; a third packet multiplies the states by ten.
const CAPACITY: u64 = 2;

/// Name, the options that ask for it, and what it is.
const FAULTS: [(&str, &str, Channel); 6] = [
    ("nothing", "--channel none", Channel::PERFECT),
    ("corrupt", "--channel corrupt", Channel::PERFECT.corrupting()),
    ("lose", "--channel lose", Channel::PERFECT.losing()),
    ("duplicate", "--channel duplicate", Channel::PERFECT.duplicating()),
    ("overtake 1", "--channel none --overtake 1", Channel::PERFECT.overtaking(Overtake::AtMost(1))),
    ("reorder", "--channel reorder", Channel::PERFECT.overtaking(Overtake::Any)),
];

/// The last column: everything that the protocol is made to bear, together.
const ALL: (&str, &str) = ("all it bears", "");

/// Where the Markdown form is kept, for its own links.
const FILE: &str = "COUNTEREXAMPLES.md";

/// One cell; `None` asks for all that the protocol is made to bear, together.
struct Ask<'a> {
    channel: Option<Channel>,
    options: &'a Options,
}

impl Visitor for Ask<'_> {
    type Output = (Model, Report);

    fn visit<P: Protocol>(self, protocol: P) -> Self::Output {
        let channel = self.channel.unwrap_or_else(|| promise(&protocol));
        let capacity = usize::try_from(capacity(self.options)).unwrap_or(usize::MAX);
        let model = bounds(self.options, &protocol, channel).capacity(capacity);
        let report = model.check_with(&protocol, &mut Hands::new(self.options.threads));
        (model, report)
    }
}

fn capacity(options: &Options) -> u64 {
    options.capacity.unwrap_or(CAPACITY)
}

struct Cell {
    fault: &'static str,
    arguments: &'static str,
    spec: Spec,
    model: Model,
    report: Report,
    seconds: f64,
}

/// A cell for programs.
#[derive(Serialize)]
struct CellAnswer {
    /// The column that it stands in.
    fault: &'static str,
    #[serde(flatten)]
    answer: Answer,
}

impl Cell {
    fn search(
        (fault, arguments, channel): (&'static str, &'static str, Option<Channel>),
        spec: Spec,
        options: &Options,
    ) -> Self {
        let clock = Clock::start();
        let (model, report) = spec.visit(Ask { channel, options });
        let seconds = clock.now().since_epoch().as_secs_f64();
        Self { fault, arguments, spec, model, report, seconds }
    }

    fn answer(&self) -> CellAnswer {
        let answer = Answer::new(self.spec, &self.model, &self.report, self.seconds);
        CellAnswer { fault: self.fault, answer }
    }

    fn words(&self) -> String {
        let steps = self.report.steps().unwrap_or_default();
        match self.report.verdict {
            Verdict::Holds => "holds".to_owned(),
            Verdict::Unsafe(_) => format!("wrong in {steps}"),
            Verdict::Stuck { .. } => format!("stuck in {steps}"),
            Verdict::OutOfBound => "open".to_owned(),
        }
    }

    /// The heading of its counterexample.
    fn title(&self, protocol: &str) -> String {
        format!("{protocol}, {}", self.fault)
    }

    fn markdown(&self, protocol: &str) -> String {
        match self.report.verdict {
            Verdict::Holds => format!("holds, {}", grouped(self.report.states)),
            Verdict::OutOfBound => self.words(),
            Verdict::Unsafe(_) | Verdict::Stuck { .. } => {
                format!("[{}]({FILE}#{})", self.words(), anchor(&self.title(protocol)))
            }
        }
    }

    /// Its counterexample as a section, if it has one.
    fn section(&self, protocol: &str, capacity: u64) -> Option<String> {
        let trace = self.report.trace.as_ref()?;
        let mut text = format!(
            "\n### {}\n\n`rdtp check {protocol} {} --capacity {capacity}`: {}, {}.\n\n",
            self.title(protocol),
            self.arguments,
            count(trace.steps.len(), "step"),
            count(trace.faults(), "fault"),
        );
        for (number, words) in (1..).zip(trace.words()) {
            let _ = writeln!(text, "{number}. {words}");
        }
        let _ = writeln!(text, "\nSo: {}.", self.report.verdict);
        if matches!(self.report.verdict, Verdict::Stuck { .. }) && trace.is_jammed() {
            text.push_str(
                "The channel is full and makes everybody wait; with more room it fills later.\n",
            );
        }
        Some(text)
    }
}

/// The anchor of a heading, as hosts of Markdown make it.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|&c| c.is_alphanumeric() || "-_ ".contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

pub(super) fn print(options: &Options) -> Result<(), Failure> {
    let row = |name: &'static str| {
        let spec = name.parse::<Spec>().ok()?;
        let faults = FAULTS.into_iter().map(|(name, arguments, it)| (name, arguments, Some(it)));
        let faults = faults.chain([(ALL.0, ALL.1, None)]);
        Some((name, faults.map(|fault| Cell::search(fault, spec, options)).collect()))
    };
    let rows: Vec<(&str, Vec<Cell>)> = PROTOCOLS.into_iter().filter_map(row).collect();
    if options.json {
        let cells = rows.iter().flat_map(|(_, cells)| cells);
        let cells: Vec<CellAnswer> = cells.map(Cell::answer).collect();
        say!("{}", serde_json::to_string_pretty(&cells)?);
    } else if options.markdown {
        say!("{}", markdown(&rows, capacity(options)).trim_end());
    } else {
        say!("{}", text(&rows, capacity(options)));
    }
    Ok(())
}

fn heads() -> impl Iterator<Item = &'static str> {
    FAULTS.into_iter().map(|(name, ..)| name).chain([ALL.0])
}

fn states(rows: &[(&str, Vec<Cell>)]) -> String {
    let cells = rows.iter().flat_map(|(_, cells)| cells);
    grouped(cells.map(|cell| cell.report.states).sum())
}

fn text(rows: &[(&str, Vec<Cell>)], capacity: u64) -> String {
    let head: Vec<String> = heads().map(|head| format!("{head:>14}")).collect();
    let mut text = format!("{:<8}{}\n", "", head.concat());
    for (name, cells) in rows {
        let cells: Vec<String> = cells.iter().map(|cell| format!("{:>14}", cell.words())).collect();
        let _ = writeln!(text, "{name:<8}{}", cells.concat());
    }
    let _ = write!(
        text,
        "\nEvery cell is a search of its own, {} states in all. \"holds\" is proved for {capacity} \
         packets in flight\neach way and enough messages for the numbers to wrap around; \"wrong in \
         7\" and \"stuck in 2\" give the\nlength of the shortest counterexample, which `rdtp check \
         NAME --channel FAULT --capacity {capacity}` shows.",
        states(rows)
    );
    text
}

fn markdown(rows: &[(&str, Vec<Cell>)], capacity: u64) -> String {
    let mut text = String::from("# What each protocol bears, and how it breaks\n\n");
    let heads: Vec<&str> = heads().collect();
    let _ = writeln!(text, "| | {} |\n|{}", heads.join(" | "), " --- |".repeat(heads.len() + 1));
    for (name, cells) in rows {
        let cells: Vec<String> = cells.iter().map(|cell| cell.markdown(name)).collect();
        let _ = writeln!(text, "| `{name}` | {} |", cells.join(" | "));
    }
    let _ = write!(
        text,
        "\nPrinted by `rdtp check --all --markdown`. Every cell is a search of its own through \
         everything that\ncan happen, {} states in all. \"holds\" is proved, over so many states, for \
         {capacity} packets in flight\neach way and enough messages for the numbers to wrap around. \
         The other cells lead to the shortest\ncounterexample.\n",
        states(rows)
    );
    text.push_str("\n## Counterexamples\n");
    for (name, cells) in rows {
        text.extend(cells.iter().filter_map(|cell| cell.section(name, capacity)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_those_of_headings() {
        assert_eq!(anchor("gbn:2/3, overtake 1"), "gbn23-overtake-1");
    }
}
