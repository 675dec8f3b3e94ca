//! One direction of the channel: what may happen to the packets in it.

use alloc::vec::Vec;

use super::{
    Message,
    table::{Interner, Memo, number},
};
use crate::{
    channel::{Channel, Overtake},
    classic::Packet,
};

/// A packet as it travels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Wire {
    /// As it was sent, or changed so that nobody can tell.
    Intact(Packet<Message>),
    /// Visibly damaged.
    Damaged,
}

impl Wire {
    /// The packet after bits in it were changed. Without a checksum nobody notices: another
    /// message, or the other feedback.
    pub(super) fn corrupted(&self, checksum: bool) -> Self {
        match self {
            _ if checksum => Self::Damaged,
            Self::Damaged => Self::Damaged,
            Self::Intact(Packet::Data { seq, .. }) => {
                Self::Intact(Packet::Data { seq: *seq, data: Message::GARBAGE })
            }
            Self::Intact(Packet::Ack { seq }) => Self::Intact(Packet::Nak { seq: *seq }),
            Self::Intact(Packet::Nak { seq }) => Self::Intact(Packet::Ack { seq: *seq }),
        }
    }
}

/// A packet in the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Cell {
    /// Number of its [`Wire`].
    packet: u32,
    /// By how many packets sent later it was overtaken; 0 where there is no bound.
    overtaken: u8,
}

/// What the channel does to a packet in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handling {
    Deliver,
    Lose,
    Duplicate,
    Corrupt,
}

/// Something that can happen in a lane.
#[derive(Clone, Copy, Debug)]
pub(super) struct LaneMove {
    pub(super) handling: Handling,
    /// Which packet, by position.
    pub(super) at: usize,
    /// Number of its [`Wire`].
    pub(super) packet: u32,
    /// The lane afterwards.
    pub(super) lane: u32,
    /// Whether something goes wrong here: everything but delivery in order.
    pub(super) fault: bool,
}

/// All contents that one direction ever had, and what can happen to each.
#[derive(Clone, Debug)]
pub(super) struct Lanes {
    channel: Channel,
    capacity: usize,
    /// Whether packets are kept in sending order; otherwise sorted, since any may come next.
    pub(super) ordered: bool,
    contents: Interner<Vec<Cell>>,
    moves: Vec<Option<Vec<LaneMove>>>,
    appended: Memo,
}

/// What comes of sending packets.
#[derive(Clone, Copy, Debug)]
pub(super) enum Appended {
    /// There is no room, and nothing may be lost.
    Waits,
    /// They are on their way.
    Sent {
        /// The lane afterwards.
        lane: u32,
        /// How many found it full and are lost.
        full: u32,
    },
}

/// What the memo of `appended` says when there is no room.
const BLOCKED: (u32, u32) = (u32::MAX, u32::MAX);

/// The empty lane.
pub(super) const EMPTY: u32 = 0;

impl Lanes {
    pub(super) fn new(channel: Channel, capacity: usize, keep_order: bool) -> Self {
        let mut contents = Interner::new();
        contents.intern(Vec::new());
        let ordered = keep_order || channel.overtake != Overtake::Any;
        let (moves, appended) = (Vec::new(), Memo::new());
        Self { channel, capacity, ordered, contents, moves, appended }
    }

    /// What can happen in `lane`, if that was worked out.
    pub(super) fn moves(&self, lane: u32) -> Option<&[LaneMove]> {
        self.moves.get(lane as usize)?.as_deref()
    }

    /// What comes of sending `list` into `lane`, if that was worked out.
    pub(super) fn appended(&self, lane: u32, list: u32) -> Option<Appended> {
        let (lane, full) = self.appended.get((lane, list))?;
        Some(if (lane, full) == BLOCKED { Appended::Waits } else { Appended::Sent { lane, full } })
    }

    /// Works out what [`appended`](Self::appended) says.
    pub(super) fn learn_append(&mut self, lane: u32, list: u32, packets: &[u32]) {
        let mut cells = self.contents.get(lane).clone();
        let mut dropped = 0;
        for &packet in packets {
            if cells.len() < self.capacity {
                cells.push(Cell { packet, overtaken: 0 });
            } else if self.channel.lose {
                dropped += 1;
            } else {
                self.appended.set((lane, list), BLOCKED);
                return;
            }
        }
        let after = self.intern(cells);
        self.appended.set((lane, list), (after, dropped));
    }

    /// Works out what [`moves`](Self::moves) says.
    pub(super) fn learn_moves(&mut self, lane: u32, checksum: bool, wires: &mut Interner<Wire>) {
        let cells = self.contents.get(lane).clone();
        let mut moves = Vec::new();
        let mut add = |lanes: &mut Self, handling, at: usize, after: Option<Vec<Cell>>| {
            let Some(after) = after else { return };
            let fault = handling != Handling::Deliver || at > 0;
            let lane = lanes.intern(after);
            moves.push(LaneMove { handling, at, packet: cells[at].packet, lane, fault });
        };
        // Of equal neighbours the first goes: delivering the second would only use up the patience
        // of the first, and otherwise it makes no difference.
        let first = |at: &usize| *at == 0 || cells[*at] != cells[*at - 1];
        // Where order is kept, a fault can wait until its packet is the next to arrive.
        let reach = if self.channel.overtake.is_never() { 1 } else { cells.len() };
        let positions = || (0..cells.len().min(reach)).filter(first);
        for at in positions() {
            add(self, Handling::Deliver, at, self.delivered(&cells, at));
        }
        if self.channel.lose {
            positions().for_each(|at| add(self, Handling::Lose, at, Some(without(&cells, at))));
        }
        if self.channel.corrupt {
            // In sending order it makes a difference which of equal neighbours is damaged.
            let ordered = self.ordered;
            for at in (0..cells.len().min(reach)).filter(|at| ordered || first(at)) {
                let corrupted = wires.get(cells[at].packet).corrupted(checksum);
                let mut after = cells.clone();
                after[at].packet = wires.intern(corrupted);
                add(self, Handling::Corrupt, at, (after != cells).then_some(after));
            }
        }
        if self.channel.duplicate && cells.len() < self.capacity {
            for at in positions() {
                let mut after = cells.clone();
                after.insert(at, cells[at]);
                add(self, Handling::Duplicate, at, Some(after));
            }
        }
        if self.moves.len() < self.contents.len() {
            self.moves.resize(self.contents.len(), None);
        }
        self.moves[lane as usize] = Some(moves);
    }

    /// The lane after the packet at `at` arrived; `None` if it may not overtake those before it.
    fn delivered(&self, cells: &[Cell], at: usize) -> Option<Vec<Cell>> {
        let mut after = without(cells, at);
        if let Overtake::AtMost(depth) = self.channel.overtake {
            for cell in &mut after[..at] {
                if u64::from(cell.overtaken) >= depth {
                    return None;
                }
                cell.overtaken = cell.overtaken.checked_add(1)?;
            }
        }
        Some(after)
    }

    fn intern(&mut self, mut cells: Vec<Cell>) -> u32 {
        if !self.ordered {
            cells.sort_unstable();
        }
        let lane = self.contents.intern(cells);
        debug_assert!(number(self.contents.len()) > lane);
        lane
    }
}

fn without(cells: &[Cell], at: usize) -> Vec<Cell> {
    let mut after = cells.to_vec();
    after.remove(at);
    after
}
