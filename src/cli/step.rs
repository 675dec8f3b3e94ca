//! `rdtp run --step`: the user is the network. One line is one command, so a pipe can play too.

use core::{fmt::Write as _, time::Duration};
use std::{
    collections::VecDeque,
    io::{BufRead, Write},
};

use rdtp::{
    batch::Batch,
    capture::Ladder,
    classic::{Config, Conversation, Event, Machine, Protocol, Role, Spec, State, Visitor},
    endpoint::{Endpoint as _, RecvMeta},
    quantity::Span,
    sim::World,
    time::Instant,
    trace::{Fate, NodeId, Observer as _, Place, Record, TraceEvent},
};

use super::Failure;

const HELP: &str = "\
n       next: what happens first, an arrival or a timer (an empty line does the same)
d K     drop packet K of the list         u K     duplicate it
c K     corrupt it                        w K T   delay it by T, such as 40ms
b       back: undo the last command       l       show the ladder so far
h       this help                         q       quit
";

/// What the user can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    Next,
    Drop(usize),
    Duplicate(usize),
    Corrupt(usize),
    Delay(usize, Duration),
}

enum Command {
    Move(Move),
    Back,
    Ladder,
    Help,
    Quit,
}

impl Command {
    fn parse(line: &str) -> Result<Self, String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |text: &str| {
            text.parse().map_err(|_| format!("{text} is no number of a packet in the list"))
        };
        Ok(match words[..] {
            [] | ["n" | "next"] => Self::Move(Move::Next),
            ["d" | "drop", k] => Self::Move(Move::Drop(number(k)?)),
            ["u" | "duplicate", k] => Self::Move(Move::Duplicate(number(k)?)),
            ["c" | "corrupt", k] => Self::Move(Move::Corrupt(number(k)?)),
            ["w" | "delay", k, time] => {
                let Span(time) = time.parse().map_err(|error| format!("{error}"))?;
                Self::Move(Move::Delay(number(k)?, time))
            }
            ["b" | "back" | "undo"] => Self::Back,
            ["l" | "ladder"] => Self::Ladder,
            ["h" | "help" | "?"] => Self::Help,
            ["q" | "quit"] => Self::Quit,
            _ => return Err(format!("{} is no command; h lists them", line.trim())),
        })
    }
}

/// What a walk starts from.
#[derive(Clone)]
pub(crate) struct Start {
    pub(crate) spec: Spec,
    pub(crate) config: Config,
    pub(crate) messages: Vec<Vec<u8>>,
    /// One way.
    pub(crate) delay: Duration,
}

/// A packet on its way.
#[derive(Clone)]
struct Flight {
    datagram: u64,
    from: usize,
    label: String,
    arrives: Instant,
    bytes: Vec<u8>,
}

/// Both sides and what is between them.
struct Board<'a> {
    start: &'a Start,
    now: Instant,
    nodes: [Box<dyn Conversation + Send>; 2],
    states: [String; 2],
    flights: Vec<Flight>,
    sent: [u64; 2],
    waiting: VecDeque<&'a [u8]>,
    delivered: usize,
    wrong: Option<u64>,
    records: Vec<Record>,
}

/// The initial states, as the book names them.
struct Initial;

impl Visitor for Initial {
    type Output = [String; 2];
    fn visit<P: Protocol>(self, protocol: P) -> [String; 2] {
        let sender = protocol.sender::<u8>().state().label();
        let receiver = protocol.receiver::<u8>().state().label();
        [sender.to_string(), receiver.to_string()]
    }
}

impl<'a> Board<'a> {
    fn new(start: &'a Start) -> Result<Self, Failure> {
        let side = |role, peer| {
            start.spec.endpoint(Config { role, ..start.config }, World::<()>::address(peer))
        };
        let mut nodes = [side(Role::Sender, 1)?, side(Role::Receiver, 0)?];
        for node in &mut nodes {
            node.set_tracing(true);
        }
        let mut board = Self {
            start,
            now: Instant::ZERO,
            nodes,
            states: start.spec.visit(Initial),
            flights: Vec::new(),
            sent: [0; 2],
            waiting: start.messages.iter().map(Vec::as_slice).collect(),
            delivered: 0,
            wrong: None,
            records: Vec::new(),
        };
        board.settle(0);
        Ok(board)
    }

    fn replay(start: &'a Start, moves: &[Move]) -> Result<Self, Failure> {
        let mut board = Self::new(start)?;
        for chosen in moves {
            board.play(*chosen).map_err(Failure)?;
        }
        Ok(board)
    }

    fn play(&mut self, chosen: Move) -> Result<(), String> {
        let count = self.flights.len();
        let find = |k: usize| {
            let none = format!("no packet {k} is on its way; the list has {count}");
            k.checked_sub(1).filter(|at| *at < count).ok_or(none)
        };
        match chosen {
            Move::Next => return self.next(),
            Move::Drop(k) => {
                let flight = self.flights.remove(find(k)?);
                self.link(&flight, Fate::Lost);
            }
            Move::Duplicate(k) => {
                let flight = self.flights[find(k)?].clone();
                self.link(&flight, Fate::Duplicated);
                self.flights.push(flight);
            }
            Move::Corrupt(k) => {
                let at = find(k)?;
                if let Some(last) = self.flights[at].bytes.last_mut() {
                    *last ^= 1;
                }
                self.flights[at].label.push_str(" (corrupted)");
                self.link(&self.flights[at].clone(), Fate::Corrupted { bits: 1 });
            }
            Move::Delay(k, time) => self.flights[find(k)?].arrives += time,
        }
        self.flights.sort_by_key(|flight| flight.arrives);
        Ok(())
    }

    /// Lets the next thing happen.
    fn next(&mut self) -> Result<(), String> {
        let arrival = self.flights.first().map(|flight| flight.arrives);
        let timers = (0..2).filter_map(|at| Some((self.nodes[at].poll_timeout()?, at)));
        match (arrival, timers.min()) {
            (Some(at), timer) if timer.is_none_or(|(timer, _)| at <= timer) => {
                self.now = self.now.max(at);
                let flight = self.flights.remove(0);
                self.link(&flight, Fate::Arrived);
                let source = World::<()>::address(u32::from(flight.from == 1));
                let (to, meta) = (1 - flight.from, RecvMeta::from(source));
                let _ = self.nodes[to].handle_datagram(self.now, meta, &flight.bytes);
                self.settle(to);
            }
            (_, Some((at, node))) => {
                self.now = self.now.max(at);
                self.nodes[node].handle_timeout(self.now);
                self.settle(node);
            }
            _ => return Err("nothing will ever happen again".into()),
        }
        Ok(())
    }

    fn link(&mut self, flight: &Flight, fate: Fate) {
        let [from, to] = [flight.from, 1 - flight.from].map(node_id);
        let event = TraceEvent::Link { datagram: flight.datagram, fate };
        self.records.push(Record { at: self.now, place: Place::Link { from, to }, event });
    }

    /// Hears what a node has to say and takes what it sends, until it only waits.
    fn settle(&mut self, node: usize) {
        let mut space = [0; 2048];
        loop {
            self.feed();
            self.drain_trace(node);
            // One datagram a batch, so that the last packet traced is the one in it.
            let mut batch = Batch::with_segments_max(&mut space, 1);
            if self.nodes[node].poll_transmit(self.now, &mut batch).is_some() {
                let label = self.drain_trace(node);
                let datagram = self.sent[node];
                self.sent[node] += 1;
                let (arrives, bytes) = (self.now + self.start.delay, batch.as_bytes().to_vec());
                self.flights.push(Flight { datagram, from: node, label, arrives, bytes });
                continue;
            }
            match self.nodes[node].poll_event() {
                Some(Event::Delivered(message)) => {
                    let next = self.start.messages.get(self.delivered);
                    if next.is_none_or(|next| next[..] != message[..]) {
                        self.wrong.get_or_insert(self.delivered as u64);
                    }
                    self.delivered += 1;
                }
                Some(_) => {}
                None => break,
            }
        }
        self.drain_trace(node);
        self.flights.sort_by_key(|flight| flight.arrives);
    }

    fn feed(&mut self) {
        while self.nodes[0].queue_room() > 0 {
            let Some(message) = self.waiting.pop_front() else { return };
            if self.nodes[0].send(self.now, message).is_err() {
                return;
            }
        }
    }

    /// Takes a node's records; returns the last packet among them that left.
    fn drain_trace(&mut self, node: usize) -> String {
        let mut left = String::new();
        while let Some(event) = self.nodes[node].poll_trace() {
            match event {
                TraceEvent::Transmit { packet, .. } => left = packet.to_string(),
                TraceEvent::Step { to, .. } => self.states[node] = to.to_string(),
                _ => {}
            }
            let place = Place::Node(node_id(node));
            self.records.push(Record { at: self.now, place, event });
        }
        left
    }

    fn ladder(&self) -> Ladder {
        let mut ladder = Ladder::new(&format!("{}, step by step", self.start.spec));
        self.records.iter().for_each(|record| ladder.record(record));
        if let Some(index) = self.wrong {
            ladder.mark_wrong(index);
        }
        ladder
    }

    /// Time, states and list of packets, after what happened since record `from`.
    fn show(&self, from: usize) -> String {
        let mut text = String::new();
        for record in self.records.get(from..).unwrap_or_default() {
            let said = matches!(record.event, TraceEvent::Send { .. } | TraceEvent::Rtt { .. });
            if !said {
                let _ = writeln!(text, "  {record}");
            }
        }
        let _ = writeln!(text, "time {} s", self.now);
        for (node, state) in self.states.iter().enumerate() {
            let _ = writeln!(text, "{}: {state}", node_id(node));
        }
        let _ = writeln!(text, "delivered: {}", self.delivered);
        if let Some(index) = self.wrong {
            let _ = writeln!(text, "WRONG: message {index} is not the one that was sent");
        }
        for (at, flight) in self.flights.iter().enumerate() {
            let Flight { label, arrives, from, .. } = flight;
            let way = Place::Link { from: node_id(*from), to: node_id(1 - from) };
            let _ = writeln!(text, "[{}] {way} {label}, arrives at {arrives} s", at + 1);
        }
        for (at, node) in self.nodes.iter().enumerate() {
            if let Some(due) = node.poll_timeout() {
                let _ = writeln!(text, "timer of {} runs out at {due} s", node_id(at));
            }
        }
        text
    }

    fn is_intact(&self) -> bool {
        self.wrong.is_none()
            && self.delivered == self.start.messages.len()
            && self.nodes[0].is_idle()
    }
}

fn node_id(at: usize) -> NodeId {
    NodeId(u32::from(at == 1))
}

/// Walks until `q` or the end of the input; returns the ladder, and whether all messages arrived.
pub(crate) fn walk(
    start: &Start,
    input: impl BufRead,
    output: &mut impl Write,
) -> Result<(Ladder, bool), Failure> {
    let mut moves = Vec::new();
    let mut board = Board::new(start)?;
    write!(output, "{HELP}\n{}> ", board.show(0))?;
    output.flush()?;
    for line in input.lines() {
        let seen = board.records.len();
        let answer = match Command::parse(&line?) {
            Ok(Command::Move(chosen)) => match board.play(chosen) {
                Ok(()) => {
                    moves.push(chosen);
                    board.show(seen)
                }
                Err(why) => format!("{why}\n"),
            },
            Ok(Command::Back) if moves.pop().is_none() => "this is the start\n".into(),
            Ok(Command::Back) => {
                board = Board::replay(start, &moves)?;
                board.show(board.records.len())
            }
            Ok(Command::Ladder) => board.ladder().to_text(),
            Ok(Command::Help) => HELP.into(),
            Ok(Command::Quit) => break,
            Err(why) => format!("{why}\n"),
        };
        write!(output, "{answer}> ")?;
        output.flush()?;
    }
    writeln!(output)?;
    Ok((board.ladder(), board.is_intact()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdtp::classic::Timeout;

    fn played(protocol: &str, messages: usize, commands: &str) -> (String, Ladder, bool) {
        let timeout = Timeout::Fixed(Duration::from_millis(75));
        let start = Start {
            spec: protocol.parse().unwrap(),
            config: Config { timeout, ..Config::default() },
            messages: (0..messages).map(|n| vec![u8::try_from(n).unwrap(); 4]).collect(),
            delay: Duration::from_millis(25),
        };
        let mut output = Vec::new();
        let (ladder, intact) = walk(&start, commands.as_bytes(), &mut output).unwrap();
        (String::from_utf8(output).unwrap(), ladder, intact)
    }

    #[test]
    fn a_dropped_packet_is_sent_again() {
        let (text, ladder, intact) = played("rdt3.0", 1, "d 1\nn\nn\nn\n");
        assert!(intact, "{text}");
        let attempts: Vec<u32> = ladder.arrows().iter().map(|arrow| arrow.attempt).collect();
        assert_eq!(attempts, [1, 2, 1]);
        assert!(text.contains("[1] A>B packet 0, arrives at 0.025000 s"), "{text}");
        assert!(text.contains("A: Wait for ACK 0\nB: Wait for 0 from below\n"), "{text}");
    }

    #[test]
    fn back_undoes_and_what_is_not_there_is_refused() {
        let (text, ladder, intact) =
            played("rdt3.0", 1, "b\nd 1\nb\nd 2\nx\nc 1 2\nn\nn\nn\nl\nq\nn");
        assert!(intact && text.contains("this is the start"), "{text}");
        assert!(text.contains("no packet 2 is on its way; the list has 1"), "{text}");
        assert!(text.contains("x is no command") && text.contains("c 1 2 is no command"));
        assert!(text.contains("nothing will ever happen again"), "{text}");
        assert!(text.contains("─ packet 0 ─"), "the ladder");
        assert_eq!(ladder.arrows().len(), 2);
    }

    #[test]
    fn a_delayed_copy_breaks_the_single_bit() {
        // A copy of packet 0 waits until the receiver expects packet 0 again.
        let (text, ladder, intact) = played("rdt3.0", 3, "u 1\nw 2 90ms\nn\nn\nn\nn\nn\n");
        assert!(!intact && text.contains("WRONG: message 2"), "{text}");
        assert!(ladder.to_text().contains("WRONG"), "{}", ladder.to_text());
    }

    #[test]
    fn corruption_is_noticed() {
        let (text, ladder, _) = played("rdt2.1", 1, "c 1\nn\nn\nn\nn\n");
        assert!(text.contains("damaged packet of") && text.contains("NAK"), "{text}");
        assert!(ladder.arrows()[0].damaged);
    }
}
