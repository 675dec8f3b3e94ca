//! The applications on both nodes: they say what was planned, and compare what they hear.

mod reads;

use alloc::{
    collections::{BTreeMap, VecDeque},
    format,
    string::String,
    vec::Vec,
};
use core::{net::SocketAddr, time::Duration};

use super::{
    super::Invariant,
    body::Body,
    lane::{CODE, End},
    plan::{Plan, Reader},
    talk::Talk,
    watch::Watched,
};
use crate::{
    sim::{Application, World},
    time::Instant,
    trace::NodeId,
    transport::{
        connection::{Connection, Event},
        datagrams::DatagramError,
        host::{EarlyData, HostEvent},
        lifecycle::CloseReason,
        stream::{StreamEvent, WriteError},
    },
    wire::transport::{CloseCode, ConnectionId, StreamId},
};

type Broken = (Invariant, String);

/// The reason with which applications close.
pub(super) const BYE: u64 = 7;
/// Bytes that are written and read at a time.
const PORTION: usize = 4096;

/// The application of a node.
#[derive(Debug)]
struct Desk {
    reader: Reader,
    /// Streams with something to read.
    readable: VecDeque<(usize, usize)>,
    reads_at: Instant,
    read_left: usize,
    /// Bytes that are written at once, and the pause after that.
    bursts: Option<(usize, Duration)>,
    writes_at: Instant,
    write_left: usize,
}

/// A connection that no application asked for: an old or forged open brought it to life. What it
/// says must have been said all the same.
#[derive(Debug, Default)]
struct Ghost {
    talk: Option<usize>,
    read: BTreeMap<StreamId, u64>,
}

/// Both applications.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) talks: Vec<Talk>,
    pub(super) broken: Option<Broken>,
    /// Counts whatever moves.
    pub(super) moved: u64,
    pub(super) read_bytes: u64,
    pub(super) heard_datagrams: u64,
    pub(super) slow_reads: u64,
    pub(super) stalls: u64,
    pub(super) bursts: u64,
    pub(super) resets: u64,
    pub(super) stops: u64,
    of: BTreeMap<(usize, ConnectionId), (usize, usize)>,
    ghosts: BTreeMap<(usize, ConnectionId), Ghost>,
    desks: [Desk; 2],
    /// Where the nodes have been, and are.
    pub(super) addresses: [Vec<SocketAddr>; 2],
}

impl Stage {
    pub(super) fn new(plan: &Plan) -> Self {
        let talks = plan.talks.iter().enumerate();
        let desk = |node: usize| Desk {
            reader: plan.readers[node],
            readable: VecDeque::new(),
            reads_at: Instant::ZERO,
            read_left: plan.readers[node].slow.map_or(usize::MAX, |(bytes, _)| bytes),
            // A message of the other swarms is worth a packet here.
            bursts: plan.network.bursts.map(|(count, pause)| (count * 1000, pause)),
            writes_at: Instant::ZERO,
            write_left: plan.network.bursts.map_or(usize::MAX, |(count, _)| count * 1000),
        };
        Self {
            talks: talks.map(|(index, talk)| Talk::new(plan.seed, index, talk)).collect(),
            broken: None,
            moved: 0,
            read_bytes: 0,
            heard_datagrams: 0,
            slow_reads: 0,
            stalls: 0,
            bursts: 0,
            resets: 0,
            stops: 0,
            of: BTreeMap::new(),
            ghosts: BTreeMap::new(),
            desks: [desk(0), desk(1)],
            addresses: [0, 1].map(|node| [World::address(node)].into()),
        }
    }

    /// The connection and the side that a node knows by this ID.
    pub(super) fn find(&self, node: usize, id: ConnectionId) -> Option<(usize, usize)> {
        self.of.get(&(node, id)).copied()
    }

    pub(super) fn break_(&mut self, broken: Broken) {
        self.broken.get_or_insert(broken);
    }

    /// A side has opened its connection.
    pub(super) fn opened(&mut self, talk: usize, id: ConnectionId) {
        let node = self.talks[talk].nodes[0];
        self.talks[talk].ids[0] = Some(id);
        self.of.insert((node, id), (talk, 0));
    }

    /// A node has lost its state, and its application the memory of its connections.
    pub(super) fn forget(&mut self, node: usize) {
        self.of.retain(|&(at, _), _| at != node);
        self.ghosts.retain(|&(at, _), _| at != node);
        self.desks[node].readable.clear();
        for talk in &mut self.talks {
            let side = talk.side(node);
            // A connection that begins later has nothing to do with it.
            if talk.ids[0].is_some() {
                if side == 0 && !talk.told[1] {
                    talk.former = talk.ids[0];
                }
                talk.ids[side] = None;
                talk.forgotten = true;
                talk.tainted = true;
            }
        }
    }

    /// When an application acts next by itself.
    pub(super) fn acts_at(&self, node: usize) -> Option<Instant> {
        let desk = &self.desks[node];
        let reads = (!desk.readable.is_empty()).then_some(desk.reads_at);
        let writes = (desk.write_left == 0).then_some(desk.writes_at);
        [reads, writes].into_iter().flatten().min()
    }

    /// Lets the application of `node` write and read what it may by now.
    pub(super) fn act<B: Body>(&mut self, now: Instant, node: usize, host: &mut Watched<B>) {
        let desk = &mut self.desks[node];
        if let Some((bytes, pause)) = desk.bursts.filter(|_| desk.write_left == 0) {
            (desk.write_left, desk.writes_at) = (bytes, now + pause);
        }
        // The latest first: behind the bursts of an earlier one, a connection that is made after a
        // restart, where nobody is patient, would be idle until its end.
        for talk in (0..self.talks.len()).rev() {
            let side = self.talks[talk].side(node);
            self.write(now, talk, side, host);
        }
        self.read(now, node, host);
    }

    /// Writes what there is to write and room for.
    pub(super) fn write<B: Body>(
        &mut self,
        now: Instant,
        talk: usize,
        side: usize,
        host: &mut Watched<B>,
    ) {
        let Some(id) = self.talks[talk].ids[side] else { return };
        if self.talks[talk].closed[side].is_some() {
            return;
        }
        self.open_streams(talk, side, id, host);
        for chat in 0..self.talks[talk].chats.len() {
            self.write_stream(now, talk, chat, side, id, host);
        }
        if self.talks[talk].connected[side] {
            self.send_datagrams(talk, side, id, host);
        }
    }

    fn open_streams<B: Body>(
        &mut self,
        talk: usize,
        side: usize,
        id: ConnectionId,
        host: &mut Watched<B>,
    ) {
        let Some(connection) = host.body_mut().host_mut().get_mut(id) else { return };
        let tainted = self.talks[talk].tainted;
        for chat in &mut self.talks[talk].chats {
            if chat.is_open || chat.by_acceptor != (side == 1) {
                continue;
            }
            match connection.open_stream(chat.priority) {
                Ok(name) if name == chat.id => chat.is_open = true,
                Ok(_) if tainted => chat.is_open = true,
                Ok(name) => {
                    let detail = format!("{name} is opened where {} is next", chat.id);
                    self.broken.get_or_insert((Invariant::NoInvention, detail));
                }
                Err(_) => break,
            }
        }
    }

    fn write_stream<B: Body>(
        &mut self,
        now: Instant,
        talk: usize,
        chat: usize,
        side: usize,
        id: ConnectionId,
        host: &mut Watched<B>,
    ) {
        let talk = &mut self.talks[talk];
        let desk = &mut self.desks[talk.nodes[side]];
        let chat = &mut talk.chats[chat];
        let (stream, is_open) = (chat.id, chat.is_open);
        let lane = chat.written_by(side);
        if !is_open || lane.writer.is_some() {
            return;
        }
        let Some(connection) = host.body_mut().host_mut().get_mut(id) else { return };
        let mut space = [0; PORTION];
        while lane.written < lane.goal() && desk.write_left > 0 {
            let left = usize::try_from(lane.goal() - lane.written).unwrap_or(usize::MAX);
            let half = connection.streams().send_half(stream);
            let room = half.map_or(1, |half| half.buffer().room().max(1));
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            let part = &mut space[..left.min(PORTION).min(desk.write_left).min(room)];
            lane.voice.fill(lane.written, part);
            match connection.write(stream, part) {
                Ok(taken) => {
                    lane.written += taken as u64;
                    self.moved += 1;
                    if let Some((_, pause)) = desk.bursts {
                        desk.write_left -= taken;
                        if desk.write_left == 0 {
                            self.bursts += 1;
                            desk.writes_at = now + pause;
                        }
                    }
                }
                Err(WriteError::Stopped(_)) => {
                    lane.writer = Some(End::Stopped);
                    return;
                }
                Err(_) => return,
            }
        }
        if lane.written < lane.goal() {
            return;
        }
        if lane.reset_after.is_some() {
            lane.writer = connection.reset(stream, CODE).is_ok().then_some(End::Reset);
            self.resets += 1;
        } else if connection.finish(stream).is_ok() {
            lane.writer = Some(End::Finished);
        }
    }

    fn send_datagrams<B: Body>(
        &mut self,
        talk: usize,
        side: usize,
        id: ConnectionId,
        host: &mut Watched<B>,
    ) {
        let Some(connection) = host.body_mut().host_mut().get_mut(id) else { return };
        let talk = &mut self.talks[talk];
        let mut bytes_max = usize::MAX;
        while talk.datagrams_sent[side] < talk.plan.datagrams[side] {
            let index = talk.datagrams_sent[side];
            let Some(datagram) = talk.datagram(side, index, bytes_max) else {
                // The peer takes none that long.
                talk.datagrams_sent[side] = talk.plan.datagrams[side];
                return;
            };
            match connection.send_datagram(&datagram) {
                Ok(()) => talk.datagrams_sent[side] += 1,
                Err(DatagramError::TooLarge { bytes_max: most }) if most < bytes_max => {
                    bytes_max = most;
                }
                Err(_) => return,
            }
        }
    }

    fn on_stream<B: Body>(
        &mut self,
        now: Instant,
        (talk, side): (usize, usize),
        event: StreamEvent,
        host: &mut Watched<B>,
    ) {
        let node = self.talks[talk].nodes[side];
        let place = |talk: &Talk, id: StreamId| talk.chats.iter().position(|chat| chat.id == id);
        self.moved += 1;
        match event {
            StreamEvent::Opened(id) | StreamEvent::Readable(id) => {
                let Some(chat) = place(&self.talks[talk], id) else {
                    return self.unplanned(talk, id);
                };
                self.talks[talk].chats[chat].is_open = true;
                if !self.desks[node].readable.contains(&(talk, chat)) {
                    self.desks[node].readable.push_back((talk, chat));
                }
                self.write(now, talk, side, host);
                self.read(now, node, host);
            }
            StreamEvent::Writable(_) | StreamEvent::Openable => self.write(now, talk, side, host),
            StreamEvent::Finished(id) => {
                let Some(chat) = place(&self.talks[talk], id) else {
                    return self.unplanned(talk, id);
                };
                let lane = self.talks[talk].chats[chat].written_by(side);
                lane.confirmed = true;
                let (taken, written) = (lane.taken, lane.written);
                if taken < written && lane.reader.is_none() && !self.talks[talk].tainted {
                    let detail = format!(
                        "connection {talk}, {id} is told to be delivered, of {written} bytes the \
                         receiver has {taken}"
                    );
                    self.break_((Invariant::NoLie, detail));
                }
            }
            StreamEvent::Stopped(id, code) => {
                let Some(chat) = place(&self.talks[talk], id) else {
                    return self.unplanned(talk, id);
                };
                let lane = self.talks[talk].chats[chat].written_by(side);
                lane.writer = Some(End::Stopped);
                let stopped = lane.reader == Some(End::Stopped) && code == CODE;
                if !stopped && !self.talks[talk].tainted {
                    let detail = format!("connection {talk}, {id} is stopped, and nobody did");
                    self.break_((Invariant::NoInvention, detail));
                }
            }
        }
    }

    fn unplanned(&mut self, talk: usize, id: StreamId) {
        if !self.talks[talk].tainted {
            let detail = format!("connection {talk} has {id}, which nobody opened");
            self.break_((Invariant::NoInvention, detail));
        }
    }

    /// Finds out which connection a node means by an ID that it has not used before.
    pub(super) fn recognise<B: Body>(
        &mut self,
        node: usize,
        id: ConnectionId,
        host: &Watched<B>,
    ) -> bool {
        if self.find(node, id).is_some() {
            return true;
        }
        let Some(connection) = host.body().host().get(id) else { return false };
        let (peer, remote) = (connection.peer(), connection.remote_id());
        let known = self.addresses[1 - node].contains(&peer);
        let opened = |talk: &Talk| [talk.ids[0], talk.former].contains(&Some(remote));
        let talk =
            self.talks.iter().position(|talk| known && talk.nodes[1] == node && opened(talk));
        if let Some(index) = talk {
            let talk = &mut self.talks[index];
            talk.former.take();
            // One that its application never heard of may go, and come again with a copy of its open.
            let gone = |id: ConnectionId| !talk.told[1] && host.body().host().get(id).is_none();
            if talk.ids[1].is_none_or(gone) && !talk.forgotten {
                talk.ids[1] = Some(id);
                self.of.insert((node, id), (index, 1));
                return true;
            }
            // The acceptor gave up before the opener heard of it, which begins again.
            if talk.closed[1].is_some() && talk.closed[0].is_none() && !talk.connected[1] {
                (talk.tainted, talk.cut_short) = (true, true);
            }
        }
        self.ghosts.entry((node, id)).or_insert_with(|| Ghost { talk, read: BTreeMap::new() });
        false
    }

    /// A connection that nobody asked for may only repeat what was said, and if its host takes no early
    /// data from everybody, nobody hears of it at all.
    fn on_ghost<B: Body>(
        &mut self,
        now: Instant,
        node: usize,
        HostEvent { id, event }: HostEvent,
        host: &mut Watched<B>,
    ) {
        let of = self.ghosts.get(&(node, id)).and_then(|ghost| ghost.talk);
        let tainted = of.is_some_and(|talk| self.talks[talk].tainted);
        if host.config().early_data != EarlyData::Anyone && !tainted {
            let detail = format!("{id} begins, which nobody has opened: {event:?}");
            return self.break_((Invariant::AtMostOnce, detail));
        }
        match event {
            Event::Closed(_) => _ = self.ghosts.remove(&(node, id)),
            // Nobody here wanted it.
            Event::Connected => {
                if let Some(connection) = host.body_mut().host_mut().get_mut(id) {
                    connection.close(now, BYE, b"who are you?");
                }
            }
            Event::Stream(StreamEvent::Readable(stream)) => {
                let mut space = [0; PORTION];
                while let Ok(len) = host.body_mut().read(now, id, stream, &mut space) {
                    let Some(ghost) = self.ghosts.get_mut(&(node, id)) else { return };
                    let read = ghost.read.entry(stream).or_insert(0);
                    let from = core::mem::replace(read, *read + len as u64);
                    let Some(talk) = ghost.talk.map(|talk| &self.talks[talk]) else { continue };
                    let chat = talk.chats.iter().find(|chat| chat.id == stream);
                    let said = chat.is_some_and(|chat| {
                        let lane = &chat.lanes[usize::from(chat.by_acceptor)];
                        lane.voice.says(from, &space[..len]) && from + len as u64 <= lane.written
                    });
                    if !said && !talk.tainted {
                        let detail = format!("an old packet says on {stream} what nobody wrote");
                        self.break_((Invariant::NoInvention, detail));
                    }
                }
            }
            _ => {}
        }
    }

    fn on_closed(&mut self, talk: usize, side: usize, reason: CloseReason) {
        let before = self.talks[talk].closed[side].replace(reason);
        let faulty = match reason {
            CloseReason::Local(code) | CloseReason::Peer(code) => {
                code != CloseCode::Application(BYE)
            }
            CloseReason::Version | CloseReason::Downgrade | CloseReason::PushedOut => true,
            CloseReason::Idle | CloseReason::Unreachable | CloseReason::Reset => false,
        };
        if !self.talks[talk].tainted && (faulty || before.is_some()) {
            let detail = format!("connection {talk} ends for side {side}: {reason}");
            self.break_((Invariant::CleanFailure, detail));
        }
    }
}

impl<B: Body> Application<Watched<B>> for Stage {
    fn on_event(&mut self, now: Instant, node: NodeId, event: HostEvent, host: &mut Watched<B>) {
        let node = node.0 as usize;
        let HostEvent { id, event } = event;
        if !self.recognise(node, id, host) {
            return self.on_ghost(now, node, HostEvent { id, event }, host);
        }
        let Some((talk, side)) = self.find(node, id) else { return };
        if !core::mem::replace(&mut self.talks[talk].told[side], true) {
            host.body_mut().host_mut().hold(id);
        }
        if side == 0 {
            let remote = host.body().host().get(id).map(Connection::remote_id);
            self.talks[talk].on_answer_from(remote);
        }
        match event {
            Event::Connected => {
                self.moved += 1;
                self.talks[talk].connected[side] = true;
                self.write(now, talk, side, host);
            }
            Event::Stream(event) => self.on_stream(now, (talk, side), event, host),
            Event::Datagram => {
                while let Some(datagram) = host.body_mut().recv_datagram(id) {
                    self.heard_datagrams += 1;
                    let checked = self.talks[talk].on_datagram(side, &datagram);
                    if let Err((what, words)) = checked
                        && !self.talks[talk].tainted
                    {
                        self.break_((what, format!("connection {talk}: {words}")));
                    }
                }
            }
            Event::Closed(reason) => {
                self.moved += 1;
                self.on_closed(talk, side, reason);
                self.let_go(node, host);
            }
        }
    }
}
