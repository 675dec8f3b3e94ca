//! A socket with its thread: streams on one side, a hub of machines on the other.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet, VecDeque},
    string::String,
    sync::Arc,
    vec::Vec,
};
use core::{net::SocketAddr, time::Duration};
use std::{
    io,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use super::peer::Peer;
use crate::{
    classic::{Conversation, Event, Stats},
    endpoint::Endpoint as _,
    hub::{Hub, HubEvent},
    net::{Clock, Driver, Waker},
    time::Instant,
};

type Talk = Box<dyn Conversation + Send>;
type Make = Box<dyn FnMut(Instant, SocketAddr) -> Option<Talk> + Send>;

pub(super) fn make(make: impl FnMut(Instant, SocketAddr) -> Option<Talk> + Send + 'static) -> Make {
    Box::new(make)
}

/// How long the machine of a stream that is over stays, so that the peer's last packets are answered
/// and make no new stream.
const TIME_WAIT: Duration = Duration::from_secs(3);
/// How long somebody may be there who opens no stream.
const OPEN_TIME: Duration = Duration::from_secs(10);

/// A socket, shared by its handles and its thread.
#[derive(Clone, Debug)]
pub(super) struct Line {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    waker: Waker,
    clock: Clock,
    local: SocketAddr,
    backlog_max: usize,
    /// Somebody may be accepted.
    arrived: Condvar,
}

/// What handles and thread know together.
#[derive(Debug, Default)]
pub(super) struct State {
    entries: BTreeMap<SocketAddr, Entry>,
    /// Streams that something is to be said on.
    talkative: BTreeSet<SocketAddr>,
    /// Streams that wait to be accepted.
    pub(super) backlog: VecDeque<SocketAddr>,
    /// Whether peers may open streams.
    pub(super) listens: bool,
    /// The socket is of no more use.
    pub(super) broken: Option<io::ErrorKind>,
}

/// One stream.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) peer: Peer,
    /// Something has changed.
    changed: Arc<Condvar>,
    pub(super) stats: Stats,
    pub(super) srtt: Option<Duration>,
}

impl Entry {
    fn new(peer: Peer) -> Self {
        Self { peer, changed: Arc::default(), stats: Stats::NONE, srtt: None }
    }
}

impl Line {
    /// Starts the thread.
    pub(super) fn start(
        mut driver: Driver<Hub<Talk, Make>>,
        clock: Clock,
        backlog_max: usize,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State { listens: true, ..State::default() }),
            waker: driver.waker()?,
            clock,
            local: driver.local_addr(),
            backlog_max,
            arrived: Condvar::new(),
        });
        let thread = Thread {
            shared: Arc::clone(&shared),
            driver,
            message: Vec::new(),
            looks: BTreeSet::new(),
            refusals_seen: 0,
        };
        thread::Builder::new().name(String::from("rdtp-classic")).spawn(move || thread.run())?;
        Ok(Self { shared })
    }

    pub(super) fn local_addr(&self) -> SocketAddr {
        self.shared.local
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }

    /// Adds a stream that is opened from here.
    pub(super) fn open(&self, peer: SocketAddr) {
        let mut state = self.lock();
        state.listens = false;
        state.entries.insert(peer, Entry::new(Peer::opening()));
        state.talkative.insert(peer);
        drop(state);
        self.shared.waker.wake();
    }

    /// Takes no more streams from peers; those that nobody has taken end.
    pub(super) fn stop_listening(&self) {
        let mut state = self.lock();
        state.listens = false;
        let untaken = core::mem::take(&mut state.backlog);
        drop(state);
        for peer in untaken {
            self.let_go(peer);
        }
        self.shared.waker.wake();
    }

    /// The last handle of a stream is gone: what was written is still delivered.
    pub(super) fn let_go(&self, peer: SocketAddr) {
        self.with(peer, |entry| {
            entry.peer.is_held = false;
            entry.peer.stop();
            entry.peer.finish();
        });
    }

    /// Does something with a stream, and tells the thread if there is something to say. `None` when
    /// the stream is gone.
    pub(super) fn with<T>(&self, peer: SocketAddr, act: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let mut state = self.lock();
        let done = act(state.entries.get_mut(&peer)?);
        self.tell(state, peer);
        Some(done)
    }

    /// Tells the thread if there is something to say on a stream.
    fn tell(&self, mut state: MutexGuard<'_, State>, peer: SocketAddr) {
        let Some(entry) = state.entries.get(&peer) else { return };
        if entry.peer.has_something_to_say() || entry.peer.is_over() {
            state.talkative.insert(peer);
            drop(state);
            self.shared.waker.wake();
        }
    }

    /// Asks a stream until there is an answer, for as long as `timeout`.
    pub(super) fn wait<T>(
        &self,
        peer: SocketAddr,
        timeout: Option<Duration>,
        mut ask: impl FnMut(&mut Peer) -> Option<io::Result<T>>,
    ) -> io::Result<T> {
        let until = timeout.map(|timeout| self.shared.clock.now() + timeout);
        let mut state = self.lock();
        loop {
            let entry = state.entries.get_mut(&peer).ok_or(io::ErrorKind::NotConnected)?;
            if let Some(answer) = ask(&mut entry.peer) {
                self.tell(state, peer);
                return answer;
            }
            let changed = Arc::clone(&entry.changed);
            state = self.sleep(state, &changed, until)?;
        }
    }

    /// Waits for the next stream of a peer.
    pub(super) fn accept(&self, wait: bool) -> io::Result<SocketAddr> {
        let mut state = self.lock();
        loop {
            if let Some(peer) = state.backlog.pop_front() {
                return Ok(peer);
            }
            if let Some(kind) = state.broken {
                return Err(kind.into());
            }
            if !wait {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            state = self.sleep(state, &self.shared.arrived, None)?;
        }
    }

    fn sleep<'a>(
        &self,
        state: MutexGuard<'a, State>,
        changed: &Condvar,
        until: Option<Instant>,
    ) -> io::Result<MutexGuard<'a, State>> {
        let Some(until) = until else {
            return Ok(changed.wait(state).unwrap_or_else(PoisonError::into_inner));
        };
        let left = until - self.shared.clock.now();
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock leaves streams as they were: each change is one call.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's own.
struct Thread {
    shared: Arc<Shared>,
    driver: Driver<Hub<Talk, Make>>,
    message: Vec<u8>,
    /// When to look whether a machine is still of use.
    looks: BTreeSet<(Instant, SocketAddr)>,
    refusals_seen: u64,
}

impl Thread {
    fn run(mut self) {
        loop {
            let until = self.looks.first().map(|&(at, _)| at);
            let turned = self.driver.turn(&mut (), until);
            let shared = Arc::clone(&self.shared);
            let mut state = shared.lock();
            if let Err(error) = turned {
                return fail(&shared, &mut state, error.kind());
            }
            self.hear(&shared, &mut state);
            self.speak(&mut state);
            let now = self.driver.now();
            self.look(now, &mut state);
            let is_over = !state.listens && state.entries.is_empty() && self.looks.is_empty();
            if is_over && !self.driver.has_work(now) {
                return;
            }
        }
    }

    /// Lets machines go whose stream is over for a while, or that nobody has opened one on.
    fn look(&mut self, now: Instant, state: &mut State) {
        while let Some(&(at, peer)) = self.looks.first()
            && at <= now
        {
            self.looks.pop_first();
            if state.entries.get(&peer).is_none_or(|entry| !entry.peer.opened) {
                state.entries.remove(&peer);
                self.driver.endpoint_mut().remove(peer);
            }
        }
    }

    /// Takes what the machines have to tell.
    fn hear(&mut self, shared: &Shared, state: &mut State) {
        let refusals = self.driver.socket().stats().refused;
        if refusals > self.refusals_seen {
            self.refusals_seen = refusals;
            // On a socket with one peer an error is the peer's: nobody listens at its port.
            let peers: Vec<SocketAddr> = state.entries.keys().copied().collect();
            for peer in peers {
                let opening = state.entries.get(&peer).is_some_and(|entry| !entry.peer.opened);
                if opening {
                    give_up(state, peer, io::ErrorKind::ConnectionRefused);
                }
            }
        }
        while let Some(event) = self.driver.endpoint_mut().poll_event() {
            match event {
                HubEvent::Joined(peer) => {
                    // What comes after the end of a stream that is still held is not another one.
                    if state.listens && !state.entries.contains_key(&peer) {
                        state.entries.insert(peer, Entry::new(Peer::default()));
                        self.looks.insert((self.driver.now() + OPEN_TIME, peer));
                    } else {
                        self.driver.endpoint_mut().remove(peer);
                    }
                }
                HubEvent::Peer(peer, Event::Delivered(message)) => {
                    self.take(shared, state, peer, &message);
                }
                HubEvent::Peer(peer, Event::Acknowledged { total }) => {
                    if let Some(entry) = state.entries.get_mut(&peer) {
                        entry.peer.confirmed = total;
                        state.talkative.insert(peer);
                    }
                }
                HubEvent::Peer(peer, Event::GaveUp { .. }) | HubEvent::Left(peer) => {
                    self.driver.endpoint_mut().remove(peer);
                    give_up(state, peer, io::ErrorKind::TimedOut);
                }
            }
        }
    }

    fn take(&mut self, shared: &Shared, state: &mut State, from: SocketAddr, message: &[u8]) {
        let full = state.backlog.len() >= shared.backlog_max;
        let Some(entry) = state.entries.get_mut(&from) else { return };
        let is_new = !entry.peer.opened;
        if entry.peer.hear(message).is_err() || (is_new && full && state.listens) {
            // Whoever does not speak this, or comes when there is no room, is forgotten; who opens
            // tries again.
            self.driver.endpoint_mut().remove(from);
            give_up(state, from, io::ErrorKind::InvalidData);
            return;
        }
        if is_new && state.listens {
            entry.peer.is_held = true;
            state.backlog.push_back(from);
            shared.arrived.notify_one();
        }
        entry.changed.notify_all();
        state.talkative.insert(from);
    }

    /// Hands the machines what they take, and lets go of streams that are over.
    fn speak(&mut self, state: &mut State) {
        let now = self.driver.now();
        for peer in core::mem::take(&mut state.talkative) {
            let Some(entry) = state.entries.get_mut(&peer) else { continue };
            let hub = self.driver.endpoint_mut();
            // Whoever has given up has no machine any more, and needs none.
            let machine = if entry.peer.begun { hub.get_mut(peer) } else { hub.open(now, peer) };
            if let Some(machine) = machine {
                while machine.queue_room() > 0 && entry.peer.say(&mut self.message) {
                    // There is room, the size fits, and who has given up was told before.
                    let _ = machine.send(now, &self.message);
                }
                (entry.stats, entry.srtt) = (*machine.stats(), machine.rtt().srtt());
            }
            entry.changed.notify_all();
            if entry.peer.is_over() {
                let stats = entry.stats;
                let calm = stats.data_resent + stats.packets_damaged == 0;
                state.entries.remove(&peer);
                // Who came from a port of its own, and has lost nothing, leaves nobody waiting.
                let stay = calm && self.driver.socket().is_connected();
                let stay = if stay { Duration::ZERO } else { TIME_WAIT };
                self.looks.insert((now + stay, peer));
            }
        }
    }
}

/// A stream is of no more use.
fn give_up(state: &mut State, peer: SocketAddr, kind: io::ErrorKind) {
    let Some(entry) = state.entries.get_mut(&peer) else { return };
    entry.peer.error.get_or_insert(kind);
    entry.changed.notify_all();
    if !entry.peer.is_held {
        state.entries.remove(&peer);
    }
}

/// The socket is of no more use.
fn fail(shared: &Shared, state: &mut State, kind: io::ErrorKind) {
    state.broken = Some(kind);
    let peers: Vec<SocketAddr> = state.entries.keys().copied().collect();
    for peer in peers {
        give_up(state, peer, kind);
    }
    shared.arrived.notify_all();
}
