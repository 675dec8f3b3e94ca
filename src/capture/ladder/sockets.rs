//! Runs over real sockets: what leaves a link has still to come through a socket, and one process
//! sees one side.

use alloc::vec::Vec;

use super::{Arrow, Edge, Ladder, Note};
use crate::{
    seq::Seq,
    time::Instant,
    trace::{NodeId, PacketInfo},
    wire::Kind,
};

/// How a ladder knows that a packet has arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sight {
    /// The link says so, as in the simulator.
    #[default]
    Links,
    /// The other side takes a packet of the same label.
    Labels,
    /// Not at all: one side is observed.
    OneSide,
}

/// What packets on their way are found by: from where, data or which feedback, and the number.
pub(super) type Label = (Edge, Kind, Option<Seq>);

/// The place of a block that was not seen.
const UNSEEN: usize = usize::MAX;

impl Ladder {
    /// The run is over real sockets, and both sides are observed. A packet that leaves a link is
    /// then not there yet: it has arrived when the other side takes it. It is found by its label,
    /// oldest first; of two copies on their way at the same time, a ladder cannot tell which it was.
    #[must_use]
    pub fn over_sockets(mut self) -> Self {
        self.sight = Sight::Labels;
        self
    }

    /// Only this one of the two nodes is observed, as in one of two processes. What it sends goes
    /// into the network, and what arrives comes out of it: half an arrow each.
    #[must_use]
    pub fn seen_by(mut self, node: NodeId) -> Self {
        self.sight = Sight::OneSide;
        self.names = [self.nodes[0], self.nodes[1]].map(|at| {
            let known = self.edge(at).map(|edge| self.names[edge.index()].clone());
            known.filter(|_| at == node).unwrap_or_else(|| "the network".into())
        });
        self
    }

    /// Keeps at most so many blocks instead of [`BLOCKS_MAX`](Self::BLOCKS_MAX); a thousand take
    /// about half a megabyte.
    #[must_use]
    pub fn limited(mut self, blocks: usize) -> Self {
        self.blocks_max = blocks.min(Self::BLOCKS_MAX);
        self
    }

    /// A packet is on its way, and its arrival will have to be found.
    pub(super) fn await_arrival(&mut self, number: usize) {
        if self.sight == Sight::OneSide {
            return;
        }
        if let Some(arrow) = self.arrows.get(number) {
            self.flying.entry(label(arrow.from, arrow.packet)).or_default().push_back(number);
        }
    }

    /// The packet that now arrives at `edge`: the oldest of this label on its way, the damaged ones
    /// last.
    pub(super) fn find_flying(&mut self, edge: Edge, packet: PacketInfo) -> Option<usize> {
        let (arrows, queue) = (&self.arrows, self.flying.get_mut(&label(edge.other(), packet))?);
        let intact = queue.iter().position(|&number| !arrows[number].damaged);
        let number = queue.remove(intact.unwrap_or(0))?;
        // Its copy is still to come.
        if arrows[number].duplicated && arrows[number].arrivals.is_empty() {
            queue.push_back(number);
        }
        Some(number)
    }

    /// What arrives at `edge` is damaged: the oldest of those that the link damaged.
    pub(super) fn receive_damaged(&mut self, at: Instant, edge: Edge) {
        match self.sight {
            Sight::Links => {}
            Sight::Labels => {
                let mut flying = self.flying.values().flatten().copied();
                let is_it = |arrow: &Arrow| arrow.from == edge.other() && arrow.damaged;
                if let Some(number) = flying.find(|&number| is_it(&self.arrows[number])) {
                    let arrow = &self.arrows[number];
                    // Its copy is still to come.
                    if !(arrow.duplicated && arrow.arrivals.is_empty()) {
                        self.forget_flying(number);
                    }
                    self.arrive_over_socket(at, number);
                }
            }
            // Not even what it was is known.
            Sight::OneSide => {
                let _ = self.open(at, edge, true);
            }
        }
    }

    /// It is no longer on its way.
    pub(super) fn forget_flying(&mut self, number: usize) {
        let Some(arrow) = self.arrows.get(number) else { return };
        let label = label(arrow.from, arrow.packet);
        if let Some(queue) = self.flying.get_mut(&label) {
            queue.retain(|&other| other != number);
            if queue.is_empty() {
                self.flying.remove(&label);
            }
        }
    }

    /// The end of an arrow that no link reports.
    pub(super) fn arrive_over_socket(&mut self, at: Instant, number: usize) {
        self.arrive(at, number);
        self.awaited = None;
        if let Some(arrow) = self.arrows.get_mut(number) {
            let newest = &mut self.newest[arrow.from.index()];
            arrow.overtaken |= newest.is_some_and(|newest| newest > number as u64);
            *newest = (*newest).max(Some(number as u64));
        }
    }

    /// A packet comes out of the network.
    pub(super) fn come_in(&mut self, at: Instant, edge: Edge, packet: PacketInfo) {
        let number = self.arrows.len();
        let place = self.blocks.len();
        let Some(block) = self.open(at, edge, true) else { return };
        block.arrow = Some((number, super::Way::Arrives));
        self.arrows.push(Arrow {
            from: edge.other(),
            packet,
            label: None,
            attempt: 1,
            message: None,
            sent: at,
            departs: UNSEEN,
            arrivals: Vec::from([(place, at)]),
            lost: None,
            damaged: false,
            duplicated: false,
            overtaken: false,
        });
    }

    /// What arrives without having been seen to leave.
    pub(super) fn stray(&mut self, at: Instant, edge: Edge, packet: PacketInfo) {
        if let Some(block) = self.open(at, edge, true) {
            block.notes.push(Note::Stray(packet));
        }
    }
}

fn label(from: Edge, packet: PacketInfo) -> Label {
    (from, packet.kind, packet.seq)
}
