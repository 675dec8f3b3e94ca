//! The ladder diagram: time runs down, one side is on the left and one on the right, every packet is
//! an arrow (Kurose and Ross, figures 3.16, 3.22 and 3.26).
//!
//! ```
//! use rdtp::{capture::Ladder, sim::Transfer};
//!
//! let messages = vec![b"one".to_vec(), b"two".to_vec()];
//! let transfer = Transfer::new(messages).over("loss=30%,delay=25ms".parse()?).seed(7);
//! let mut ladder = Ladder::new("rdt 3.0 over a link that loses");
//! transfer.run("rdt3.0".parse()?, &mut ladder)?;
//! assert!(ladder.to_text().contains("packet 0"));
//! assert!(ladder.to_svg().starts_with("<svg"));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # How packets find their arrows
//!
//! A node's k-th [`Transmit`](TraceEvent::Transmit) is the k-th datagram of the link it is on, and the
//! link reports its fates under that number. So the ladder must observe a run from its start. What
//! arrives without such a report ends the oldest arrow on its way with the same label. Behind real
//! sockets, see [`over_sockets`](Ladder::over_sockets) and [`seen_by`](Ladder::seen_by).

mod fold;
mod sockets;
mod svg;
#[cfg(test)]
mod tests;
mod text;
mod transport;

use alloc::{
    collections::{BTreeMap, VecDeque},
    string::{String, ToString},
    vec::Vec,
};

pub use fold::Fold;
use sockets::{Label, Sight};

use crate::{
    endpoint::DropReason,
    time::Instant,
    trace::{Fate, NodeId, Observer, PacketInfo, Place, Record, Side, StateLabel, Tag, TraceEvent},
    wire::{DecodeError, Kind, transport::StreamId},
};

/// A side of the diagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edge {
    /// The left line.
    Left,
    /// The right line.
    Right,
}

impl Edge {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Left => 0,
            Self::Right => 1,
        }
    }
}

/// One packet on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    /// Where it starts.
    pub from: Edge,
    /// What it is.
    pub packet: PacketInfo,
    /// What it is called instead, where people call it otherwise.
    pub label: Option<String>,
    /// 1 for the first time, 2 for the first retransmission, ...
    pub attempt: u32,
    /// Which message it carries, counted from 0, when that can be told.
    pub message: Option<u64>,
    /// When it left.
    pub sent: Instant,
    /// The block in which it left; no block has that number when that was not seen.
    pub departs: usize,
    /// The blocks in which it and its copies arrived, and when.
    pub arrivals: Vec<(usize, Instant)>,
    /// Why it did not arrive.
    pub lost: Option<Fate>,
    /// Whether the link damaged it.
    pub damaged: bool,
    /// Whether the link made copies of it.
    pub duplicated: bool,
    /// Whether later packets had arrived before it.
    pub overtaken: bool,
}

impl Arrow {
    /// Whether it is a data packet that had been sent before.
    pub fn is_again(&self) -> bool {
        self.attempt > 1
    }

    /// What it is called.
    pub fn name(&self) -> String {
        self.label.clone().unwrap_or_else(|| self.packet.to_string())
    }

    /// Whether it carries data.
    pub fn is_data(&self) -> bool {
        self.packet.kind == Kind::Data
    }

    /// Whether nothing had become of it when the run ended.
    fn is_under_way(&self) -> bool {
        self.arrivals.is_empty() && self.lost.is_none()
    }
}

/// Which end of an arrow a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The packet leaves.
    Departs,
    /// The packet arrives.
    Arrives,
}

/// Something that is written beside a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The machine is now in this state.
    State(StateLabel),
    /// A timer was set.
    TimerSet(Tag, Instant),
    /// A timer was stopped.
    TimerOff(Tag),
    /// A timer ran out.
    Timeout(Tag),
    /// A message went up to the application.
    Deliver {
        /// Which message, counted from 0.
        index: u64,
        /// Whether it is another one than the next that was sent.
        wrong: bool,
    },
    /// What arrived was not taken.
    Ignored(DropReason),
    /// What arrived was no intact packet.
    Damaged(DecodeError),
    /// The copy of a packet that had arrived before.
    Copy,
    /// The rule of the transition table that took an arrival; written when nothing else is.
    Rule(&'static str),
    /// A packet of unknown origin arrived.
    Stray(PacketInfo),
    /// So many messages are confirmed.
    Confirmed(u64),
    /// The sender gave up.
    GaveUp,
    /// What a packet holds, or what became of a stream.
    Holds(String),
    /// A loss, or what a sender takes for one.
    Alarm(String),
}

impl Note {
    fn text(&self) -> String {
        use alloc::format;
        match self {
            Self::State(state) => state.to_string(),
            Self::TimerSet(tag, at) => format!("{tag} to {}", super::clock(*at)),
            Self::TimerOff(tag) => format!("{tag} off"),
            Self::Timeout(Tag::Oldest) => "timeout".to_string(),
            Self::Timeout(Tag::Packet(seq)) => format!("timeout of packet {seq}"),
            Self::Deliver { index, wrong: false } => format!("deliver message {index}"),
            Self::Deliver { index, wrong: true } => format!("deliver WRONG message {index}"),
            Self::Ignored(DropReason::Guard { reason, .. }) => format!("ignored: {reason}"),
            Self::Ignored(reason) => format!("ignored: {reason}"),
            Self::Damaged(error) => format!("damaged: {error}"),
            Self::Copy => "a copy".to_string(),
            Self::Rule(rule) => format!("({rule})"),
            Self::Stray(packet) => format!("{packet} arrives"),
            Self::Confirmed(total) => format!("{total} confirmed"),
            Self::GaveUp => "gives up".to_string(),
            Self::Holds(words) | Self::Alarm(words) => words.clone(),
        }
    }
}

/// What happens at one side at one point of time: at most one end of an arrow, and what goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// When.
    pub at: Instant,
    /// Where.
    pub edge: Edge,
    /// The arrow that starts or ends here, by its place in [`Ladder::arrows`].
    pub arrow: Option<(usize, Way)>,
    /// What is written beside it.
    pub notes: Vec<Note>,
}

impl Block {
    /// What is written beside it: the rule only where it says more than the rest.
    fn shown(&self) -> impl Iterator<Item = &Note> {
        let is_rule = |note: &Note| matches!(note, Note::Rule(_));
        let is_timer = |note: &Note| matches!(note, Note::TimerSet(..) | Note::TimerOff(_));
        let says = self.notes.iter().any(|note| !is_rule(note) && !is_timer(note));
        let arrives = matches!(self.arrow, Some((_, Way::Arrives)));
        self.notes.iter().filter(move |note| !is_rule(note) || arrives && !says)
    }

    /// Whether it is more than a round in which all goes well.
    fn is_eventful(&self, arrows: &[Arrow]) -> bool {
        let odd_note = self.notes.iter().any(|note| {
            matches!(
                note,
                Note::Timeout(_)
                    | Note::Deliver { wrong: true, .. }
                    | Note::Ignored(_)
                    | Note::Damaged(_)
                    | Note::Copy
                    | Note::GaveUp
                    | Note::Alarm(_)
            )
        });
        let odd_arrow = self.arrow.and_then(|(at, _)| arrows.get(at)).is_some_and(|arrow| {
            arrow.is_again() || arrow.lost.is_some() || arrow.damaged || arrow.overtaken
        });
        odd_note || odd_arrow
    }
}

/// Collects the records of two nodes and draws them. See the [module](self).
#[derive(Clone, Debug)]
pub struct Ladder {
    title: String,
    nodes: [NodeId; 2],
    names: [String; 2],
    fold: Fold,
    blocks: Vec<Block>,
    arrows: Vec<Arrow>,
    initial: [Option<StateLabel>; 2],
    states: BTreeMap<(Edge, u8), StateLabel>,
    /// Datagrams that each side has sent.
    sent: [u64; 2],
    /// Messages that each side has sent for the first time.
    messages: [u64; 2],
    /// Which message the newest packet of a number carries.
    carries: BTreeMap<(Edge, u64), u64>,
    /// The number of the first packet of the transport that each side sent: others count from it.
    first: [Option<u64>; 2],
    /// Bytes of streams that each side has sent.
    written: BTreeMap<(Edge, StreamId), u64>,
    by_datagram: BTreeMap<(Edge, u64), usize>,
    /// Packets whose arrival no link will report.
    flying: BTreeMap<Label, VecDeque<usize>>,
    sight: Sight,
    /// The highest datagram that has arrived from each side.
    newest: [Option<u64>; 2],
    /// The block of a link's arrival that the endpoint has not yet taken.
    awaited: Option<usize>,
    /// The block of the last step.
    stepped: Option<usize>,
    linked: bool,
    blocks_max: usize,
    unrecorded: u64,
    wrong: Option<u64>,
}

impl Ladder {
    /// The most blocks that are kept; what comes after them is only counted.
    pub const BLOCKS_MAX: usize = 1 << 20;

    /// An empty diagram of nodes A and B.
    pub fn new(title: &str) -> Self {
        Self {
            title: title.to_string(),
            nodes: [NodeId(0), NodeId(1)],
            names: ["A, sender".to_string(), "B, receiver".to_string()],
            fold: Fold::default(),
            blocks: Vec::new(),
            arrows: Vec::new(),
            initial: [None; 2],
            states: BTreeMap::new(),
            sent: [0; 2],
            messages: [0; 2],
            carries: BTreeMap::new(),
            first: [None; 2],
            written: BTreeMap::new(),
            by_datagram: BTreeMap::new(),
            flying: BTreeMap::new(),
            sight: Sight::default(),
            newest: [None; 2],
            awaited: None,
            stepped: None,
            linked: false,
            blocks_max: Self::BLOCKS_MAX,
            unrecorded: 0,
            wrong: None,
        }
    }

    /// Draws these two nodes instead of A and B, under these names.
    #[must_use]
    pub fn between(mut self, left: (NodeId, &str), right: (NodeId, &str)) -> Self {
        self.nodes = [left.0, right.0];
        self.names = [left.1.to_string(), right.1.to_string()];
        self
    }

    /// How long runs are shortened.
    #[must_use]
    pub fn folded(mut self, fold: Fold) -> Self {
        self.fold = fold;
        self
    }

    /// Marks the delivery of message `index` as wrong: not the message that was sent. A ladder sees
    /// no contents, so whoever compares them has to say so.
    pub fn mark_wrong(&mut self, index: u64) {
        self.wrong = Some(index);
        for note in self.blocks.iter_mut().flat_map(|block| &mut block.notes) {
            if let Note::Deliver { index: at, wrong } = note {
                *wrong |= *at == index;
            }
        }
    }

    /// The packets, in the order in which they left.
    pub fn arrows(&self) -> &[Arrow] {
        &self.arrows
    }

    /// What happened at the two sides, in order.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// As lines for a terminal of 80 columns.
    pub fn to_text(&self) -> String {
        text::draw(self)
    }

    /// As a picture that stands alone, for light and dark pages.
    pub fn to_svg(&self) -> String {
        svg::draw(self)
    }

    fn edge(&self, node: NodeId) -> Option<Edge> {
        match self.nodes.iter().position(|&known| known == node) {
            Some(0) => Some(Edge::Left),
            Some(_) => Some(Edge::Right),
            None => None,
        }
    }

    /// The block that goes on at this side, if nothing came between; otherwise a new one.
    fn open(&mut self, at: Instant, edge: Edge, fresh: bool) -> Option<&mut Block> {
        let last = self.blocks.last();
        let goes_on = !fresh && last.is_some_and(|block| block.edge == edge && block.at == at);
        if !goes_on {
            if self.blocks.len() >= self.blocks_max {
                self.unrecorded += 1;
                return None;
            }
            self.blocks.push(Block { at, edge, arrow: None, notes: Vec::new() });
        }
        self.blocks.last_mut()
    }

    fn note(&mut self, at: Instant, edge: Edge, note: Note) {
        if let Some(block) = self.open(at, edge, false) {
            block.notes.push(note);
        }
    }

    fn transmit(&mut self, at: Instant, edge: Edge, packet: PacketInfo, attempt: u32) {
        let datagram = self.sent[edge.index()];
        self.sent[edge.index()] += 1;
        // Not into an arrival: its arrow would leave before it came.
        let taken = self.blocks.last().is_some_and(|block| block.arrow.is_some());
        let arrow = self.arrows.len();
        let Some(block) = self.open(at, edge, taken) else { return };
        block.arrow = Some((arrow, Way::Departs));
        let departs = self.blocks.len() - 1;
        let message = self.message_of(edge, packet, attempt);
        self.by_datagram.insert((edge, datagram), arrow);
        self.arrows.push(Arrow {
            from: edge,
            packet,
            label: None,
            attempt,
            message,
            sent: at,
            departs,
            arrivals: Vec::new(),
            lost: None,
            damaged: false,
            duplicated: false,
            overtaken: false,
        });
        if !self.linked {
            self.await_arrival(arrow);
        }
    }

    fn message_of(&mut self, edge: Edge, packet: PacketInfo, attempt: u32) -> Option<u64> {
        if packet.kind != Kind::Data {
            return None;
        }
        let key = (edge, packet.seq.unwrap_or(0));
        if attempt == 1 {
            let message = self.messages[edge.index()];
            self.messages[edge.index()] += 1;
            self.carries.insert(key, message);
        }
        self.carries.get(&key).copied()
    }

    fn fate(&mut self, at: Instant, from: Edge, datagram: u64, fate: Fate) {
        self.linked = self.sight == Sight::Links;
        let Some(&number) = self.by_datagram.get(&(from, datagram)) else { return };
        let Some(arrow) = self.arrows.get_mut(number) else { return };
        match fate {
            // Of a packet that was copied, only the copy was lost.
            Fate::LinkFull if arrow.duplicated => {}
            _ if fate.is_loss() => {
                arrow.lost = Some(fate);
                self.forget_flying(number);
            }
            _ if fate.is_damage() => arrow.damaged = true,
            _ if fate.is_copy() => arrow.duplicated = true,
            // After the link, it goes into a socket.
            Fate::Arrived if self.sight == Sight::Links => {
                let newest = &mut self.newest[from.index()];
                arrow.overtaken |= newest.is_some_and(|newest| newest > datagram);
                *newest = (*newest).max(Some(datagram));
                self.arrive(at, number);
            }
            _ => {}
        }
    }

    fn arrive(&mut self, at: Instant, number: usize) {
        let Some(arrow) = self.arrows.get(number) else { return };
        let (edge, copy) = (arrow.from.other(), !arrow.arrivals.is_empty());
        let Some(block) = self.open(at, edge, true) else { return };
        block.arrow = Some((number, Way::Arrives));
        if copy {
            block.notes.push(Note::Copy);
        }
        let place = self.blocks.len() - 1;
        self.awaited = Some(place);
        if let Some(arrow) = self.arrows.get_mut(number) {
            arrow.arrivals.push((place, at));
        }
    }

    /// A packet is taken; without a link's report its arrow is found by its label.
    fn receive(&mut self, at: Instant, edge: Edge, packet: PacketInfo) {
        if self.awaited.take().is_some_and(|place| place + 1 == self.blocks.len()) {
            return;
        }
        let found = match self.sight {
            Sight::OneSide => return self.come_in(at, edge, packet),
            Sight::Links if self.linked => None,
            Sight::Links | Sight::Labels => self.find_flying(edge, packet),
        };
        match found {
            Some(number) => self.arrive_over_socket(at, number),
            None => self.stray(at, edge, packet),
        }
    }

    fn step(
        &mut self,
        at: Instant,
        edge: Edge,
        side: Side,
        rule: &'static str,
        states: [StateLabel; 2],
    ) {
        let [from, to] = states;
        self.initial[edge.index()].get_or_insert(from);
        let before = self.states.insert((edge, side as u8), to).unwrap_or(from);
        // A second step is another matter than the arrival that made room for it.
        let last = self.blocks.len().checked_sub(1);
        let again = last.is_some() && self.stepped == last;
        let busy = self.blocks.last().is_some_and(|block| block.arrow.is_some());
        let Some(block) = self.open(at, edge, again && busy) else { return };
        block.notes.push(if before == to { Note::Rule(rule) } else { Note::State(to) });
        self.stepped = self.blocks.len().checked_sub(1);
    }
}

impl Observer for Ladder {
    fn record(&mut self, record: &Record) {
        let at = record.at;
        let (edge, to) = match record.place {
            Place::Node(node) => (self.edge(node), None),
            Place::Link { from, to } => (self.edge(from), Some(to)),
        };
        let Some(edge) = edge else { return };
        if let TraceEvent::Link { datagram, fate } = record.event {
            if to.and_then(|to| self.edge(to)).is_some() {
                self.fate(at, edge, datagram, fate);
            }
            return;
        }
        match record.event {
            TraceEvent::Transmit { packet, attempt } => self.transmit(at, edge, packet, attempt),
            TraceEvent::Receive { packet } => self.receive(at, edge, packet),
            TraceEvent::ReceiveCorrupt { error, .. } => {
                self.awaited = None;
                self.receive_damaged(at, edge);
                self.note(at, edge, Note::Damaged(error));
            }
            TraceEvent::Step { side, rule, from, to } => {
                self.step(at, edge, side, rule, [from, to]);
            }
            TraceEvent::Discard { reason, .. } => {
                self.awaited = None;
                // That it was damaged is noted already.
                if !matches!(reason, DropReason::Damaged(_)) {
                    self.note(at, edge, Note::Ignored(reason));
                }
            }
            TraceEvent::Deliver { index, .. } => {
                let wrong = self.wrong == Some(index);
                self.note(at, edge, Note::Deliver { index, wrong });
            }
            TraceEvent::Acknowledged { total } => self.note(at, edge, Note::Confirmed(total)),
            TraceEvent::TimerStarted { tag, deadline } => {
                self.note(at, edge, Note::TimerSet(tag, deadline));
            }
            TraceEvent::TimerStopped { tag } => self.note(at, edge, Note::TimerOff(tag)),
            TraceEvent::TimerExpired { tag } => {
                if let Some(block) = self.open(at, edge, true) {
                    block.notes.push(Note::Timeout(tag));
                }
            }
            TraceEvent::GaveUp { .. } => self.note(at, edge, Note::GaveUp),
            TraceEvent::Transport { event, .. } => self.transport(at, edge, &event),
            TraceEvent::Send { .. } | TraceEvent::Rtt { .. } | TraceEvent::Link { .. } => {}
        }
    }
}
