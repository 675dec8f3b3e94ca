//! A run as a strip of state diagrams: one frame for each step, with the state each machine is in
//! and the arrow that was just taken.
//!
//! The sender stands on the left and the receiver on the right, as in the [ladder](super::ladder);
//! between them is what happened and the label of the arrow, event over actions, as the book writes
//! it. Labels come from the transition tables that the code runs.
//!
//! ```
//! use rdtp::{capture::Strip, classic::{Machine, Protocol, rdt30::StopAndWait}, sim::Transfer};
//!
//! let rdt30 = StopAndWait::RDT30;
//! let (sender, receiver) = (rdt30.sender::<u8>().table(), rdt30.receiver::<u8>().table());
//! let mut strip = Strip::new("rdt 3.0 after a loss", &sender, &receiver)?;
//! let transfer = Transfer::new(vec![b"hello".to_vec()]).over("up.loss=at:1".parse()?);
//! transfer.run("rdt3.0".parse()?, &mut strip)?;
//! // A message to send, its loss, a timeout, an arrival, an acknowledgement.
//! assert_eq!(strip.frames(), 5);
//! assert!(strip.to_svg().contains("class=\"state now\""));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt::Write as _;

use super::{
    clock,
    figure::CannotDraw,
    svg::{document, escape, length, tip, wrap},
};
use crate::{
    classic::Transition,
    trace::{Fate, NodeId, Observer, PacketInfo, Place, Record, Side, StateLabel, Tag, TraceEvent},
};

/// Half the width and height of a state.
const HALF: (i64, i64) = (58, 18);
/// Between two states, side by side and one above the other.
const GAP: (i64, i64) = (38, 34);
/// Room for a loop beside the states.
const LOOP: i64 = 34;
/// The column of words between the machines: its left edge is that far from the sender's.
const WORDS: i64 = 350;
/// Characters of a label in one line of that column.
const LABEL: usize = 42;
const LINE: i64 = 15;
const TIME: i64 = 74;

/// One step.
#[derive(Clone, Debug)]
struct Frame {
    when: String,
    what: String,
    /// Which machine took which arrow; none when something happened on the way.
    taken: Option<(Side, &'static str, StateLabel)>,
    /// The states afterwards.
    states: [StateLabel; 2],
}

/// One machine in small.
#[derive(Clone, Debug)]
struct Small {
    states: Vec<StateLabel>,
    table: Vec<Transition>,
    columns: usize,
}

/// Collects the steps of a run and draws them. See the [module](self).
#[derive(Clone, Debug)]
pub struct Strip {
    title: String,
    machines: [Small; 2],
    frames: Vec<Frame>,
    now: [StateLabel; 2],
    ends: usize,
    unrecorded: u64,
    /// What each side has sent, by the number of its datagram.
    sent: [Vec<PacketInfo>; 2],
    /// What made the next step of each side.
    cause: [Option<String>; 2],
}

const fn index(side: Side) -> usize {
    match side {
        Side::Sender => 0,
        Side::Receiver => 1,
    }
}

impl Strip {
    /// The most frames that are kept; what comes after them is only counted.
    pub const FRAMES_MAX: usize = 4_096;
    /// The most states of a machine that are drawn.
    pub const STATES_MAX: usize = 16;

    /// An empty strip of these two machines, both in the state that their table names first. Long
    /// runs are shortened to 12 frames at each end.
    pub fn new(
        title: &str,
        sender: &[Transition],
        receiver: &[Transition],
    ) -> Result<Self, CannotDraw> {
        let machines = [Small::new(sender)?, Small::new(receiver)?];
        Ok(Self {
            title: title.to_string(),
            now: [machines[0].states[0], machines[1].states[0]],
            machines,
            frames: Vec::new(),
            ends: 12,
            unrecorded: 0,
            sent: [Vec::new(), Vec::new()],
            cause: [None, None],
        })
    }

    /// Draws so many frames at each end of a long run.
    #[must_use]
    pub fn ends(mut self, frames: usize) -> Self {
        self.ends = frames;
        self
    }

    /// How many frames there are.
    pub fn frames(&self) -> usize {
        self.frames.len()
    }

    /// The machine on `side` took `rule` to state `to`. `when` and `what` are for people: "75 ms",
    /// "packet 0 arrives".
    pub fn step(&mut self, side: Side, when: &str, what: &str, rule: &'static str, to: StateLabel) {
        let from = core::mem::replace(&mut self.now[index(side)], to);
        self.push(when, what, Some((side, rule, from)));
    }

    /// Something happened on the way, and neither machine knows.
    pub fn on_the_way(&mut self, when: &str, what: &str) {
        self.push(when, what, None);
    }

    fn push(&mut self, when: &str, what: &str, taken: Option<(Side, &'static str, StateLabel)>) {
        if self.frames.len() == Self::FRAMES_MAX {
            self.unrecorded += 1;
            return;
        }
        let (when, what, states) = (when.to_string(), what.to_string(), self.now);
        self.frames.push(Frame { when, what, taken, states });
    }

    /// As a picture that stands alone, for light and dark pages.
    pub fn to_svg(&self) -> String {
        let left = TIME + 16;
        let middle = left + self.machines[0].width() + 2 * LOOP;
        let columns = [left, middle, middle + WORDS];
        let width = columns[2] + self.machines[1].width() + 2 * LOOP + 16;
        let mut out = String::new();
        let title = escape(&self.title);
        let _ = writeln!(out, "<text class=\"title\" x=\"24\" y=\"32\">{title}</text>");
        for (x, small, name) in
            [(left, &self.machines[0], "sender"), (columns[2], &self.machines[1], "receiver")]
        {
            let x = x + LOOP + small.width() / 2;
            let _ = writeln!(out, "<text class=\"name mid\" x=\"{x}\" y=\"62\">{name}</text>");
        }
        let mut top = 76;
        let hidden = self.frames.len().saturating_sub(self.ends.saturating_mul(2));
        for (at, frame) in self.frames.iter().enumerate() {
            let cut = hidden > 0 && at >= self.ends && at < self.ends + hidden;
            if cut && at > self.ends {
                continue;
            }
            let end = width - 24;
            let _ = writeln!(
                out,
                "<line class=\"rule\" x1=\"24\" y1=\"{top}\" x2=\"{end}\" y2=\"{top}\"/>"
            );
            if cut {
                let (x, y) = (middle + WORDS / 2, top + 22);
                let words = format!("{hidden} steps left out");
                let _ =
                    writeln!(out, "<text class=\"muted mid\" x=\"{x}\" y=\"{y}\">{words}</text>");
                top += 34;
            } else {
                top += self.frame(frame, top, columns, &mut out);
            }
        }
        if self.unrecorded > 0 {
            let (y, more) = (top + 20, self.unrecorded);
            let _ = writeln!(
                out,
                "<text class=\"muted\" x=\"24\" y=\"{y}\">and {more} steps more</text>"
            );
        }
        document(width, top + 32, &self.title, &out)
    }

    /// Draws one frame from `top` on and says how high it is.
    fn frame(
        &self,
        frame: &Frame,
        top: i64,
        [left, middle, right]: [i64; 3],
        out: &mut String,
    ) -> i64 {
        let words = self.words(frame);
        let tall = self.machines[0].height().max(self.machines[1].height());
        let tall = tall.max(words.height()) + 28;
        let y = top + tall / 2;
        let _ = writeln!(
            out,
            "<text class=\"time\" x=\"{TIME}\" y=\"{}\">{}</text>",
            y + 4,
            escape(&frame.when)
        );
        for (at, x) in [(0, left), (1, right)] {
            let taken = frame.taken.filter(|(side, ..)| index(*side) == at);
            self.machines[at].draw((x + LOOP, y), frame.states[at], taken, out);
        }
        words.draw(middle, y, frame.taken.map(|(side, ..)| side), out);
        tall
    }

    /// What is written between the machines.
    fn words(&self, frame: &Frame) -> Words {
        let mut words = Words { what: wrap(&frame.what, 46), ..Words::default() };
        let Some((side, rule, from)) = frame.taken else { return words };
        let mut table = self.machines[index(side)].table.iter();
        let Some(arrow) = table.find(|arrow| arrow.rule.name == rule && arrow.from == from) else {
            return words;
        };
        words.event = wrap(&arrow.event(), LABEL);
        words.actions = wrap(&arrow.actions(), LABEL);
        words.reason = arrow.rule.refuses.map(|reason| wrap(reason, 50)).unwrap_or_default();
        words
    }
}

/// The lines of one frame.
#[derive(Default)]
struct Words {
    what: Vec<String>,
    event: Vec<String>,
    actions: Vec<String>,
    reason: Vec<String>,
}

impl Words {
    fn height(&self) -> i64 {
        let lines = self.what.len() + self.event.len() + self.actions.len() + self.reason.len();
        LINE * i64::try_from(lines).unwrap_or(0) + 8
    }

    /// Beside the machine that acts, or in the middle.
    fn draw(&self, left: i64, middle: i64, side: Option<Side>, out: &mut String) {
        let (x, anchor) = match side {
            Some(Side::Sender) => (left + 4, ""),
            Some(Side::Receiver) => (left + WORDS - 4, " end"),
            None => (left + WORDS / 2, " mid"),
        };
        let mut y = middle - self.height() / 2;
        let strong = if side.is_none() { "bad-t" } else { "name" };
        let mut write = |lines: &[String], class: &str| {
            for line in lines {
                y += LINE;
                let line = escape(line.trim());
                let _ = writeln!(
                    out,
                    "<text class=\"{class}{anchor}\" x=\"{x}\" y=\"{y}\">{line}</text>"
                );
            }
            y
        };
        write(&self.what, strong);
        let rule = write(&self.event, "mono small") + 4;
        write(&self.actions, "mono small");
        write(&self.reason, "muted small");
        if !self.event.is_empty() {
            let end = if side == Some(Side::Sender) { x + WORDS - 30 } else { x - WORDS + 30 };
            let _ = writeln!(
                out,
                "<line class=\"rule\" x1=\"{x}\" y1=\"{rule}\" x2=\"{end}\" y2=\"{rule}\"/>"
            );
        }
    }
}

impl Small {
    fn new(table: &[Transition]) -> Result<Self, CannotDraw> {
        let mut states = Vec::new();
        for state in table.iter().flat_map(|arrow| [arrow.from, arrow.to]) {
            if !states.contains(&state) {
                states.push(state);
            }
        }
        if states.is_empty() {
            return Err(CannotDraw::States { states: 0 });
        }
        if states.len() > Strip::STATES_MAX {
            let most = Strip::STATES_MAX;
            return Err(CannotDraw::TooMany { states: states.len(), most });
        }
        let columns = if states.len() < 3 { 1 } else { states.len().div_ceil(2) };
        Ok(Self { states, table: table.to_vec(), columns })
    }

    fn width(&self) -> i64 {
        let columns = i64::try_from(self.columns).unwrap_or(1);
        columns * (2 * HALF.0 + GAP.0) - GAP.0
    }

    fn height(&self) -> i64 {
        if self.states.len() == 1 { 2 * HALF.1 } else { 4 * HALF.1 + GAP.1 }
    }

    /// The middle of a state: clockwise around two rows, the first one top left.
    fn place(&self, at: usize, (left, middle): (i64, i64)) -> (i64, i64) {
        let upper = at < self.columns;
        let column = if upper { at } else { 2 * self.columns - 1 - at };
        let column = i64::try_from(column).unwrap_or(0);
        let x = left + HALF.0 + column * (2 * HALF.0 + GAP.0);
        let row = HALF.1 + GAP.1 / 2;
        let y = match (self.states.len(), upper) {
            (1, _) => middle,
            (_, true) => middle - row,
            (_, false) => middle + row,
        };
        (x, y)
    }

    fn draw(
        &self,
        corner: (i64, i64),
        now: StateLabel,
        taken: Option<(Side, &'static str, StateLabel)>,
        out: &mut String,
    ) {
        let find = |state| self.states.iter().position(|known| *known == state);
        let mut ways: Vec<(usize, usize)> = Vec::new();
        for arrow in &self.table {
            if let (Some(from), Some(to)) = (find(arrow.from), find(arrow.to))
                && from != to
                && !ways.contains(&(from, to))
            {
                ways.push((from, to));
            }
        }
        let took = taken.and_then(|(.., from)| Some((find(from)?, find(now)?)));
        for &(from, to) in &ways {
            let bent = ways.contains(&(to, from));
            let ends = [from, to].map(|at| self.place(at, corner));
            let class = if took == Some((from, to)) { "took" } else { "curve" };
            straight(ends, bent, class, out);
        }
        if let Some((from, to)) = took
            && from == to
        {
            let side = taken.map(|(side, ..)| side);
            let column = if from < self.columns { from } else { 2 * self.columns - 1 - from };
            let left = if self.columns == 1 { side == Some(Side::Sender) } else { column == 0 };
            turn(self.place(from, corner), if left { -1 } else { 1 }, out);
        }
        for (at, state) in self.states.iter().enumerate() {
            let (x, y) = self.place(at, corner);
            let class = if *state == now { "state now" } else { "state" };
            let _ = writeln!(
                out,
                "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\"/>",
                x - HALF.0,
                y - HALF.1,
                2 * HALF.0,
                2 * HALF.1,
                HALF.1
            );
            let lines = wrap(&state.to_string(), 16);
            let high = i64::try_from(lines.len()).unwrap_or(1) * 13;
            for (line, y) in lines.iter().zip((y - high / 2 + 10..).step_by(13)) {
                let line = escape(line.trim());
                let _ =
                    writeln!(out, "<text class=\"small mid\" x=\"{x}\" y=\"{y}\">{line}</text>");
            }
        }
    }
}

/// An arrow from border to border of two states, beside its counterpart if there is one.
fn straight([a, b]: [(i64, i64); 2], bent: bool, class: &str, out: &mut String) {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let long = length(dx, dy).max(1);
    let aside = if bent { 14 } else { 0 };
    let (ox, oy) = (-dy * aside / long, dx * aside / long);
    // Where a line from the middle meets the border.
    let (half, high) = HALF;
    let border = if dx.abs() * high > dy.abs() * half {
        (half * dx.signum(), dy * half / dx.abs().max(1))
    } else {
        (dx * high / dy.abs().max(1), high * dy.signum())
    };
    let start = (a.0 + border.0 + ox, a.1 + border.1 + oy);
    let end = (b.0 - border.0 + ox, b.1 - border.1 + oy);
    let _ = writeln!(
        out,
        "<line class=\"{class}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
        start.0, start.1, end.0, end.1
    );
    out.push_str(&tip(point(class), end, (dx, dy)));
}

/// The loop that was taken, at the left (-1) or right (1) of its state.
fn turn((x, y): (i64, i64), side: i64, out: &mut String) {
    let (near, far) = (x + side * (HALF.0 - 2), x + side * (HALF.0 + LOOP));
    let _ = writeln!(
        out,
        "<path class=\"took\" d=\"M{near} {}C{far} {} {far} {} {near} {}\"/>",
        y - 9,
        y - 30,
        y + 30,
        y + 9
    );
    out.push_str(&tip(point("took"), (near, y + 9), (near - far, -24)));
}

fn point(class: &str) -> &'static str {
    if class == "took" { "again-t" } else { "tip" }
}

impl Observer for Strip {
    /// Takes the sending machine of node A and the receiving machine of node B.
    fn record(&mut self, record: &Record) {
        let when = clock(record.at);
        let node = |node| match node {
            NodeId(0) => Some(Side::Sender),
            NodeId(1) => Some(Side::Receiver),
            _ => None,
        };
        let side = match record.place {
            Place::Node(at) => node(at),
            Place::Link { from, .. } => node(from),
        };
        let Some(here) = side else { return };
        let cause = &mut self.cause[index(here)];
        match record.event {
            TraceEvent::Receive { packet } => *cause = Some(format!("{packet} arrives")),
            TraceEvent::ReceiveCorrupt { .. } => {
                *cause = Some("something damaged arrives".to_string());
            }
            TraceEvent::TimerExpired { tag: Tag::Oldest } => *cause = Some("timeout".to_string()),
            TraceEvent::TimerExpired { tag } => *cause = Some(format!("{tag} expires")),
            TraceEvent::Transmit { packet, .. } => {
                let sent = &mut self.sent[index(here)];
                // Frames end long before.
                if sent.len() < 4 * Self::FRAMES_MAX {
                    sent.push(packet);
                }
            }
            TraceEvent::Step { side, rule, to, .. } if side == here => {
                let what = cause.take();
                let what = what.as_deref().unwrap_or("a message from above");
                self.step(side, &when, what, rule, to);
            }
            TraceEvent::Link { datagram, fate } => {
                let sent = &self.sent[index(here)];
                let packet = usize::try_from(datagram).ok().and_then(|at| sent.get(at));
                if let (Some(packet), Some(word)) = (packet, mishap(fate)) {
                    self.on_the_way(&when, &format!("{packet} {word}"));
                }
            }
            _ => {}
        }
    }
}

/// What befell a packet, if it is worth a frame.
fn mishap(fate: Fate) -> Option<&'static str> {
    let words = [
        (fate.is_loss(), "is lost"),
        (fate.is_damage(), "is damaged"),
        (fate.is_copy(), "is copied"),
    ];
    words.into_iter().find(|(is, _)| *is).map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        classic::{Machine, Protocol, Spec, Visitor, gbn::GoBackN, rdt30::StopAndWait},
        seq::Modulus,
        sim::Transfer,
    };

    fn strip<P: Protocol>(protocol: &P) -> Result<Strip, CannotDraw> {
        Strip::new("", &protocol.sender::<u8>().table(), &protocol.receiver::<u8>().table())
    }

    fn run(spec: &str, mut strip: Strip, link: &str, messages: usize) -> Strip {
        let transfer = Transfer::new(alloc::vec![alloc::vec![1; 9]; messages]);
        let transfer = transfer.over(link.parse().unwrap()).seed(1);
        transfer.run(spec.parse().unwrap(), &mut strip).unwrap();
        strip
    }

    #[test]
    fn each_frame_shows_one_state_a_side_and_the_arrow_taken() {
        let strip = run("rdt3.0", strip(&StopAndWait::RDT30).unwrap(), "up.loss=at:1", 1);
        let svg = strip.to_svg();
        // Sent, lost, timeout, delivered, acknowledged.
        assert_eq!(strip.frames(), 5);
        assert_eq!(svg.matches("class=\"state now\"").count(), 2 * 5);
        // All but the loss take an arrow, and one of them is a loop.
        assert_eq!(svg.matches("class=\"took\"").count(), 4);
        assert_eq!(svg.matches("<path class=\"took\"").count(), 1, "the timeout");
        assert!(svg.contains(">packet 0 is lost<") && svg.contains(">timeout<"));
        assert!(svg.contains(">stop_timer<"), "labels of the table");
    }

    #[test]
    fn states_go_round_and_every_arrow_is_drawn() {
        let strip = run("rdt3.0", strip(&StopAndWait::RDT30).unwrap(), "", 2);
        let ends: Vec<String> = strip.frames.iter().map(|f| f.states[0].to_string()).collect();
        assert_eq!(
            ends,
            [
                "Wait for ACK 0",
                "Wait for ACK 0",
                "Wait for call 1 from above",
                "Wait for ACK 1",
                "Wait for ACK 1",
                "Wait for call 0 from above"
            ]
        );
        // Four ways between the sender's states, two between the receiver's.
        assert_eq!(strip.to_svg().matches("<line class=\"curve\"").count(), 6 * 6 - 6);
    }

    #[test]
    fn long_runs_are_cut_in_the_middle() {
        let long =
            run("gbn:2", strip(&GoBackN::with_illegal_window(2, Modulus::new(8))).unwrap(), "", 60);
        assert!(long.frames() >= 180);
        let svg = long.to_svg();
        assert_eq!(svg.matches("class=\"state now\"").count(), 2 * 24);
        assert_eq!(svg.matches("steps left out").count(), 1);
        let whole = long.ends(usize::MAX).to_svg();
        assert!(!whole.contains("left out"));
    }

    #[test]
    fn machines_with_too_many_states_are_refused() {
        let many = strip(&StopAndWait::new(Modulus::new(9))).map(|_| ());
        assert_eq!(many, Err(CannotDraw::TooMany { states: 18, most: 16 }));
        assert!(strip(&StopAndWait::new(Modulus::new(8))).is_ok());
    }

    /// Whether all machines of the book can be shown.
    struct Shown;

    impl Visitor for Shown {
        type Output = bool;
        fn visit<P: Protocol>(self, protocol: P) -> bool {
            strip(&protocol).is_ok()
        }
    }

    #[test]
    fn every_machine_of_the_book_is_shown() {
        for spec in Spec::book() {
            let many = matches!(spec, Spec::StopAndWait(_)) && spec.to_string().contains("256");
            assert_eq!(spec.visit(Shown), !many, "{spec}");
        }
    }
}
