//! What a lane knows of its connections, and what happens to them.

mod watching;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};
use core::{net::SocketAddr, task::Waker, time::Duration};
use std::io;

#[cfg(all(test, feature = "tokio"))]
pub(super) use self::watching::Favourite;
use self::watching::Watching;
use super::{
    LaneConfig,
    accepts::Accepts,
    entry::{Entry, Stage},
    group::Group,
    reader::Reader,
    waiters::Wait,
    wheel::Wheel,
};
use crate::{
    endpoint::{Disposition, Endpoint},
    net::{Driver, Error, Turn, spin::Spin},
    time::Instant,
    trace::transport::CloseReason,
    transport::{
        connection::{Connection, Event},
        host::{Host, HostEvent},
        stream::{SendHalf, StreamEvent},
    },
    wire::transport::{ConnectionId, StreamId},
};

/// The state of a lane, behind its lock.
#[derive(Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "what it was told, in words that can be asked for"
)]
pub(in crate::net) struct Core {
    pub(super) driver: Driver<Host>,
    entries: BTreeMap<ConnectionId, Entry>,
    /// The lane's own thread, where it waits for the socket.
    pub(super) own: Sleeper,
    /// The thread of the application that does so.
    pub(super) leader: Sleeper,
    /// Which of the two drives.
    pub(super) wheel: Wheel,
    /// When the socket was looked at last.
    pub(super) turned_at: Instant,
    pub(super) spin: Spin,
    pub(super) watching: Watching,
    /// When that was done last which is due after something has arrived.
    pub(super) acted_at: Instant,
    /// Whom to wake as soon as the lock is free.
    pub(super) woken: Vec<Waker>,
    /// Nobody has a handle any more.
    pub(super) retired: bool,
    /// Connections without handles, by when they are given up.
    leaving: BTreeSet<(Instant, ConnectionId)>,
    linger: Duration,
    /// Where connections go that peers open, and the number of this lane there.
    accepts: Option<(Arc<Accepts>, usize)>,
    /// The lanes behind the same address, and the number of this one among them.
    group: Option<(Arc<Group>, usize)>,
    /// Nothing is left to do here.
    is_over: bool,
    /// Whether streams may be accepted before their opener is known to be where it says.
    early: bool,
    broken: Option<io::ErrorKind>,
    refusals_seen: u64,
}

/// A thread that waits for the socket.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sleeper {
    /// How long it will sleep; `None` when it does not, or is called already.
    pub(super) until: Option<Instant>,
    /// It was called and has not heard it yet.
    pub(super) called: bool,
}

impl Core {
    pub(super) fn new(
        driver: Driver<Host>,
        config: LaneConfig,
        accepts: Option<(Arc<Accepts>, usize)>,
        group: Option<(Arc<Group>, usize)>,
    ) -> Self {
        Self {
            driver,
            entries: BTreeMap::new(),
            own: Sleeper::default(),
            leader: Sleeper::default(),
            wheel: Wheel::default(),
            turned_at: Instant::ZERO,
            spin: Spin::default(),
            watching: Watching::default(),
            acted_at: Instant::ZERO,
            woken: Vec::new(),
            retired: false,
            leaving: BTreeSet::new(),
            linger: config.linger,
            accepts,
            group,
            is_over: false,
            early: config.early,
            broken: None,
            refusals_seen: 0,
        }
    }

    /// The lane's own thread, or the one of the application.
    pub(super) fn sleeper(&mut self, who: usize) -> &mut Sleeper {
        if who == 0 { &mut self.own } else { &mut self.leader }
    }

    // Time.

    /// When there is something to do if nothing arrives.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.broken.is_some() {
            return None;
        }
        let leaving = self.leaving.first().map(|&(at, _)| at);
        [self.driver.deadline(), leaving].into_iter().flatten().min()
    }

    /// Does what can be done now, within bounds. Bytes of streams that come in order are offered to
    /// `reader`. True when there is news: a datagram, or an event.
    pub(super) fn turn(&mut self, reader: &mut dyn Reader) -> bool {
        if self.broken.is_some() {
            return false;
        }
        if let Some((accepts, _)) = &self.accepts {
            let accepts = !accepts.is_full() && !self.retired;
            self.driver.endpoint_mut().set_accepts(accepts);
        }
        let handed = self.take_over();
        let turn = self.step(reader).unwrap_or_else(|error| {
            self.fail(error.kind());
            Turn::default()
        });
        let came = handed || turn.received > 0 || self.broken.is_some();
        self.turned_at = self.driver.now();
        if !self.driver.has_arrivals() {
            self.acted_at = self.turned_at;
        }
        #[cfg(feature = "tokio")]
        self.watching.on_turn(turn.received);
        self.look_around() || came
    }

    /// Does what is due, and leaves what has arrived where it is. True when there is news: an event.
    pub(super) fn act(&mut self) -> bool {
        if self.broken.is_some() {
            return false;
        }
        self.driver.act(&mut ());
        self.acted_at = self.driver.now();
        self.look_around()
    }

    /// What came of it for the connections; true when there is news.
    fn look_around(&mut self) -> bool {
        let mut news = false;
        self.hear_refusals();
        while let Some(HostEvent { id, event }) = self.driver.endpoint_mut().poll_event() {
            self.on_event(id, event);
            news = true;
        }
        self.give_up();
        news
    }

    fn step(&mut self, reader: &mut dyn Reader) -> io::Result<Turn> {
        let group = self.group.clone();
        self.driver.step_while(&mut (), &mut |host, now, meta, train| {
            if !reader.wants(train.first().len()) {
                return None;
            }
            if let Some((group, number)) = &group
                && group.hand_over(*number, meta, train.first())
            {
                return Some((1, Disposition::Accepted));
            }
            // What it has no room for is to stay where it is.
            let train = train.up_to(reader.room() / train.stride());
            let mut take = |id, stream, bytes: &[u8]| Reader::take(&mut *reader, id, stream, bytes);
            Some(host.handle_train_for(now, meta, train, &mut take))
        })
    }

    /// Takes what came to the socket of another lane; true when there was something.
    fn take_over(&mut self) -> bool {
        let Some((group, number)) = &self.group else { return false };
        let now = self.driver.now();
        let mut taken = false;
        while let Some((meta, datagram)) = group.take(*number) {
            // What is of no use is nobody's business, as with what comes from the socket.
            let _ = self.driver.endpoint_mut().handle_datagram(now, meta, &datagram);
            taken = true;
        }
        taken
    }

    /// Whether other lanes may call.
    pub(super) fn has_neighbours(&self) -> bool {
        self.group.is_some()
    }

    /// Looks for a short while whether something arrives, when that has come soon lately; true when
    /// something did. It is driven meanwhile, as by [`turn`](Self::turn).
    pub(super) fn look(&mut self, reader: &mut dyn Reader) -> bool {
        if self.driver.is_blocked() || self.broken.is_some() {
            return false;
        }
        // Bulk has arrived before anybody asks: to wait for it would be one call more.
        if self.turn(reader) {
            return true;
        }
        let end = self.turned_at + self.spin.length();
        while self.turned_at < end {
            std::thread::yield_now();
            if self.turn(reader) {
                self.spin.on_met();
                return true;
            }
        }
        self.spin.on_waited_in_vain();
        false
    }

    /// Whether nothing is left to do, for ever.
    pub(super) fn is_over(&mut self) -> bool {
        let alive = || self.driver.endpoint().connections().next().is_some();
        let is_over = self.retired && (self.broken.is_some() || !alive());
        let Some((group, _)) = &self.group else { return is_over };
        if is_over && !core::mem::replace(&mut self.is_over, true) {
            group.on_over();
        }
        group.is_over()
    }

    /// Whether there are connections without handles whose last bytes are not delivered.
    pub(super) fn is_lingering(&self) -> bool {
        self.broken.is_none() && !self.leaving.is_empty()
    }

    /// The socket is of no more use.
    pub(super) fn fail(&mut self, kind: io::ErrorKind) {
        self.broken = Some(kind);
        for entry in self.entries.values_mut() {
            entry.closed.get_or_insert(Error::Socket(kind));
            entry.waiters.take_all(&mut self.woken);
        }
        if let Some((accepts, _)) = &self.accepts {
            accepts.fail(kind, &mut self.woken);
        }
    }

    /// The peer's machine has said that nobody listens: whoever is opening need not wait.
    fn hear_refusals(&mut self) {
        let refusals = self.driver.socket().stats().refused;
        if core::mem::replace(&mut self.refusals_seen, refusals) == refusals {
            return;
        }
        let now = self.driver.now();
        for (&id, entry) in &mut self.entries {
            if entry.stage == Stage::Opening
                && !entry.adopted
                && let Some(connection) = self.driver.endpoint_mut().get_mut(id)
                && connection.life().is_opening()
            {
                entry.stage = Stage::Refused;
                connection.close(now, 0, b"");
            }
        }
    }

    /// Closes what has lingered for too long without getting any further.
    fn give_up(&mut self) {
        let now = self.driver.now();
        while let Some(&(at, id)) = self.leaving.first()
            && at <= now
        {
            self.leaving.pop_first();
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            let connection = self.driver.endpoint().get(id);
            let delivered = connection.map_or(0, |connection| {
                let half = |&stream| connection.streams().send_half(stream);
                let halves = entry.unfinished.iter().filter_map(half);
                halves.map(|half| half.buffer().base()).sum()
            });
            if core::mem::replace(&mut entry.delivered, delivered) == delivered {
                self.end(id);
            } else {
                let next = now + self.linger;
                entry.leaving = Some(next);
                self.leaving.insert((next, id));
            }
        }
    }

    // Events.

    fn on_event(&mut self, id: ConnectionId, event: Event) {
        if !self.entries.contains_key(&id) {
            self.adopt(id);
        }
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let (waiters, woken) = (&mut entry.waiters, &mut self.woken);
        match event {
            Event::Connected => {
                entry.stage = Stage::Connected;
                waiters.take(Wait::Connected, woken);
                self.offer(id);
            }
            Event::Stream(StreamEvent::Opened(stream)) => {
                entry.incoming.push_back(stream);
                waiters.take(Wait::Opened, woken);
                if entry.offered
                    && entry.adopted
                    && let Some((accepts, lane)) = &self.accepts
                {
                    accepts.push_stream((*lane, id), woken);
                } else if self.early {
                    self.offer(id);
                }
            }
            Event::Stream(StreamEvent::Readable(stream)) => {
                waiters.take(Wait::Readable(stream), woken);
            }
            Event::Stream(StreamEvent::Writable(stream)) => {
                waiters.take(Wait::Writable(stream), woken);
            }
            Event::Stream(StreamEvent::Finished(stream) | StreamEvent::Stopped(stream, _)) => {
                waiters.take(Wait::Writable(stream), woken);
                waiters.take(Wait::Finished(stream), woken);
                entry.unfinished.remove(&stream);
                self.end_if_done(id);
            }
            Event::Stream(StreamEvent::Openable) => waiters.take(Wait::Openable, woken),
            Event::Datagram => waiters.take(Wait::Datagram, woken),
            Event::Closed(reason) => self.on_closed(id, reason),
        }
    }

    /// A peer has opened a connection.
    fn adopt(&mut self, id: ConnectionId) {
        if !self.driver.endpoint_mut().hold(id) {
            return;
        }
        self.entries.insert(id, Entry::new(true));
        if self.accepts.is_none() {
            // The listener went while it was being opened.
            self.disown(id);
        }
    }

    /// Shows a connection of a peer to the listener.
    fn offer(&mut self, id: ConnectionId) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if let Some((accepts, lane)) = &self.accepts
            && entry.adopted
            && !core::mem::replace(&mut entry.offered, true)
        {
            accepts.push((*lane, id), entry.incoming.len(), &mut self.woken);
        }
    }

    fn on_closed(&mut self, id: ConnectionId, reason: CloseReason) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let error = match entry.stage {
            Stage::Refused => Error::Refused,
            _ => Error::Closed(reason),
        };
        entry.closed = Some(error);
        entry.unfinished.clear();
        entry.waiters.take_all(&mut self.woken);
        if let Some(at) = entry.leaving.take() {
            self.leaving.remove(&(at, id));
        }
        self.reap(id);
    }

    // Ends.

    /// Forgets a connection that is over when nobody can want anything of it.
    fn reap(&mut self, id: ConnectionId) {
        let Some(entry) = self.entries.get(&id) else { return };
        let to_accept = entry.adopted && entry.offered && !entry.incoming.is_empty();
        if entry.closed.is_none() || entry.handles > 0 || to_accept {
            return;
        }
        if let Some((accepts, lane)) = &self.accepts
            && entry.adopted
            && entry.offered
        {
            accepts.forget((*lane, id));
        }
        self.entries.remove(&id);
        self.driver.endpoint_mut().release(id);
    }

    /// Nobody has a handle of the connection any more: it ends as soon as everything is delivered.
    fn leave(&mut self, id: ConnectionId) {
        let now = self.driver.now();
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if entry.closed.is_none() && entry.leaving.is_none() {
            let at = now + self.linger;
            entry.leaving = Some(at);
            self.leaving.insert((at, id));
        }
        self.end_if_done(id);
        self.reap(id);
    }

    fn end_if_done(&mut self, id: ConnectionId) {
        let Some(entry) = self.entries.get(&id) else { return };
        if entry.leaving.is_some() && entry.unfinished.is_empty() {
            self.end(id);
        }
    }

    fn end(&mut self, id: ConnectionId) {
        let now = self.driver.now();
        if let Some(entry) = self.entries.get_mut(&id)
            && let Some(at) = entry.leaving.take()
        {
            self.leaving.remove(&(at, id));
        }
        if let Some(connection) = self.driver.endpoint_mut().get_mut(id) {
            connection.close(now, 0, b"");
        }
    }

    /// There is no listener any more: what nobody has taken ends.
    pub(in crate::net) fn stop_accepting(&mut self) {
        self.driver.endpoint_mut().set_accepts(false);
        let Some((accepts, lane)) = self.accepts.take() else { return };
        let adopted = self.entries.iter().filter(|(_, entry)| entry.adopted);
        for id in adopted.map(|(&id, _)| id).collect::<Vec<_>>() {
            accepts.forget((lane, id));
            self.disown(id);
        }
    }

    /// The connection lasts no longer than its handles.
    fn disown(&mut self, id: ConnectionId) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.adopted = false;
        if entry.handles == 0 {
            self.leave(id);
        }
    }

    // Handles.

    /// Opens a connection, with one handle.
    pub(in crate::net) fn open(&mut self, peer: SocketAddr) -> ConnectionId {
        let now = self.driver.now();
        let host = self.driver.endpoint_mut();
        let id = host.open(now, peer);
        host.hold(id);
        self.entries.insert(id, Entry::new(false));
        id
    }

    /// Takes a connection whole that was offered to the listener.
    pub(in crate::net) fn take(&mut self, id: ConnectionId) -> Option<SocketAddr> {
        let peer = self.driver.endpoint().get(id)?.peer();
        let entry = self.entries.get_mut(&id)?;
        entry.adopted = false;
        entry.handles += 1;
        if let Some((accepts, lane)) = &self.accepts {
            accepts.forget((*lane, id));
        }
        Some(peer)
    }

    /// Takes a stream of a connection that was offered to the listener, with a handle of the
    /// connection.
    pub(in crate::net) fn take_stream(
        &mut self,
        id: ConnectionId,
    ) -> Option<(SocketAddr, StreamId)> {
        let peer = self.driver.endpoint().get(id)?.peer();
        let entry = self.entries.get_mut(&id)?;
        let stream = entry.incoming.pop_front()?;
        entry.handles += 1;
        if let Some((accepts, lane)) = &self.accepts {
            accepts.split((*lane, id));
        }
        Some((peer, stream))
    }

    /// A handle of the connection is gone.
    pub(in crate::net) fn let_go(&mut self, id: ConnectionId) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.handles -= 1;
        if entry.handles == 0 && !entry.adopted {
            self.leave(id);
        } else {
            self.reap(id);
        }
    }

    /// The last handle of a stream is gone.
    pub(in crate::net) fn let_stream_go(&mut self, id: ConnectionId, stream: StreamId) {
        let now = self.driver.now();
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.waiters.forget(stream, &mut self.woken);
        let Some(connection) = self.driver.endpoint_mut().get_mut(id) else { return };
        let whole = connection.finish(stream);
        connection.stop(now, stream, 0);
        let half = connection.streams().send_half(stream);
        let given_up = whole.is_err() && half.is_some_and(SendHalf::is_reset);
        if entry.closed.is_none() && half.is_some_and(|half| !half.is_over()) && !given_up {
            entry.unfinished.insert(stream);
        }
    }

    // What handles do.

    pub(in crate::net) fn now(&self) -> Instant {
        self.driver.now()
    }

    /// The connection, to do something with it; why not, if it is over for good.
    pub(in crate::net) fn connection(
        &mut self,
        id: ConnectionId,
    ) -> Result<&mut Connection, Error> {
        let closed = self.entries.get(&id).and_then(|entry| entry.closed);
        let lost = closed.unwrap_or(Error::Socket(io::ErrorKind::NotConnected));
        self.driver.endpoint_mut().get_mut(id).ok_or(lost)
    }

    /// Why the connection is over, if it is.
    pub(in crate::net) fn closed(&self, id: ConnectionId) -> Option<Error> {
        let broken = self.broken.map(Error::Socket);
        self.entries.get(&id).and_then(|entry| entry.closed).or(broken)
    }

    /// Whether the socket is of no more use.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Whether the peer has answered.
    pub(in crate::net) fn is_connected(&self, id: ConnectionId) -> bool {
        self.entries.get(&id).is_some_and(|entry| entry.stage == Stage::Connected)
    }

    /// The next stream that the peer has opened.
    pub(in crate::net) fn pop_incoming(&mut self, id: ConnectionId) -> Option<StreamId> {
        self.entries.get_mut(&id)?.incoming.pop_front()
    }

    /// Calls the waker when a connection without handles is over.
    pub(super) fn wait_for_end(&mut self, waker: &Waker) {
        for &(_, id) in &self.leaving {
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.waiters.add(Wait::Closed, waker);
            }
        }
    }

    /// Calls the waker when it has come, or the connection is over.
    pub(in crate::net) fn wait_for(&mut self, id: ConnectionId, wait: Wait, waker: &Waker) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.waiters.add(wait, waker);
        }
    }
}
