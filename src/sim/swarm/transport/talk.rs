//! A connection as the applications on both sides know it.

use alloc::{format, string::String, vec, vec::Vec};

use super::{
    super::Invariant,
    lane::{Lane, Voice},
    plan::TalkPlan,
};
use crate::{
    transport::lifecycle::CloseReason,
    wire::transport::{ConnectionId, StreamId},
};

/// A stream: the direction from its opener, and the one back.
#[derive(Clone, Debug)]
pub(super) struct Chat {
    pub(super) by_acceptor: bool,
    pub(super) priority: u8,
    /// The name that it gets, since streams are opened in order.
    pub(super) id: StreamId,
    pub(super) is_open: bool,
    pub(super) lanes: [Lane; 2],
}

impl Chat {
    /// The direction in which `side` of the connection writes: 0 the opener, 1 the acceptor.
    pub(super) fn written_by(&mut self, side: usize) -> &mut Lane {
        &mut self.lanes[side ^ usize::from(self.by_acceptor)]
    }

    /// The direction in which `side` reads.
    pub(super) fn read_by(&mut self, side: usize) -> &mut Lane {
        self.written_by(1 - side)
    }
}

/// A connection, from its opener (0) and its acceptor (1).
#[derive(Clone, Debug)]
pub(super) struct Talk {
    pub(super) plan: TalkPlan,
    /// The node of each side.
    pub(super) nodes: [usize; 2],
    pub(super) ids: [Option<ConnectionId>; 2],
    pub(super) chats: Vec<Chat>,
    /// Whether each application has heard of it: the opener's opens it, the acceptor's is told.
    pub(super) told: [bool; 2],
    pub(super) connected: [bool; 2],
    pub(super) closed: [Option<CloseReason>; 2],
    /// Somebody on the path writes its packets, or a side lost its state: what it says does not count.
    pub(super) tainted: bool,
    /// A side has lost its state.
    pub(super) forgotten: bool,
    /// What the opener called it before it lost its state, if the acceptor's application had not heard
    /// of it by then: what is still on its way may begin it once.
    pub(super) former: Option<ConnectionId>,
    /// An application closed it before all was said.
    pub(super) cut_short: bool,
    /// Datagrams sent by each side, and which the other has.
    pub(super) datagrams_sent: [u32; 2],
    pub(super) datagrams_heard: [Vec<bool>; 2],
    voice: Voice,
}

/// Bytes of a datagram before those that tell its place.
const LABEL_BYTES: usize = 4;

impl Talk {
    pub(super) fn new(seed: u64, index: usize, plan: &TalkPlan) -> Self {
        let mut opened = [0; 2];
        let chat = |(stream, plan): (usize, &super::plan::StreamPlan)| {
            let of = &mut opened[usize::from(plan.by_acceptor)];
            let id = StreamId::new(*of, plan.by_acceptor);
            *of += 1;
            let lane = |way: usize| {
                let voice = Voice::new(seed, index, stream, way);
                Lane::new(voice, plan.bytes[way], plan.resets[way], plan.stops[way])
            };
            let lanes = [lane(0), lane(1)];
            let (by_acceptor, priority) = (plan.by_acceptor, plan.priority);
            Chat { by_acceptor, priority, id, is_open: false, lanes }
        };
        Self {
            nodes: [plan.opener, 1 - plan.opener],
            ids: [None; 2],
            chats: plan.streams.iter().enumerate().map(chat).collect(),
            told: [true, false],
            connected: [false; 2],
            closed: [None; 2],
            tainted: false,
            forgotten: false,
            former: None,
            cut_short: false,
            datagrams_sent: [0; 2],
            datagrams_heard: plan.datagrams.map(|count| vec![false; count as usize]),
            voice: Voice::new(seed, index, 1 << 20, 0),
            plan: plan.clone(),
        }
    }

    /// The side that is at `node`.
    pub(super) fn side(&self, node: usize) -> usize {
        usize::from(self.nodes[1] == node)
    }

    /// The `index`-th datagram of a side, of at most `bytes_max`.
    pub(super) fn datagram(&self, side: usize, index: u32, bytes_max: usize) -> Option<Vec<u8>> {
        let len = LABEL_BYTES.checked_add(index as usize * 97 % 1400)?.min(bytes_max);
        let label = index << 1 | u32::try_from(side).ok()?;
        let mut bytes = vec![0; len];
        bytes.get_mut(..LABEL_BYTES)?.copy_from_slice(&label.to_be_bytes());
        self.voice.fill(u64::from(label) << 16, &mut bytes[LABEL_BYTES..]);
        Some(bytes)
    }

    /// `side` has taken a datagram.
    pub(super) fn on_datagram(
        &mut self,
        side: usize,
        bytes: &[u8],
    ) -> Result<(), (Invariant, String)> {
        let invented = || {
            let detail = format!("a datagram of {} bytes that nobody sent", bytes.len());
            (Invariant::NoInvention, detail)
        };
        let (label, rest) = bytes.split_first_chunk::<LABEL_BYTES>().ok_or_else(invented)?;
        let label = u32::from_be_bytes(*label);
        let (index, from) = (label >> 1, (label & 1) as usize);
        let sent = from != side && index < self.datagrams_sent[from];
        if !sent || !self.voice.says(u64::from(label) << 16, rest) {
            return Err(invented());
        }
        let heard = self.datagrams_heard[from].get_mut(index as usize).ok_or_else(invented)?;
        if core::mem::replace(heard, true) {
            return Err((Invariant::AtMostOnce, format!("datagram {index} is delivered again")));
        }
        Ok(())
    }

    /// Whether both applications are done with every stream.
    pub(super) fn is_said(&self) -> bool {
        self.chats.iter().all(|chat| chat.lanes.iter().all(Lane::is_over))
    }

    /// The opener hears of a peer with this name. When the acceptor that was known by another closed
    /// before the opener heard of it, an open that came later has begun a second one, and what was
    /// said to the first is nowhere.
    pub(super) fn on_answer_from(&mut self, remote: Option<ConnectionId>) {
        let other = remote.is_some() && self.ids[1].is_some() && remote != self.ids[1];
        if other && self.closed[1].is_some() && !self.connected[0] {
            (self.tainted, self.cut_short) = (true, true);
        }
    }

    /// Whether it is over for both applications, as far as they ever knew of it.
    pub(super) fn is_closed(&self) -> bool {
        let over = |side: usize| {
            self.closed[side].is_some() || self.ids[side].is_none() || !self.told[side]
        };
        over(0) && over(1)
    }

    /// Whether somebody closes it before all is said.
    pub(super) fn closes_early(&self) -> bool {
        self.plan.closes_at.iter().any(Option::is_some)
    }
}
