//! The server: users, rooms, messages and files between them, for thousands of peers in one thread.
//!
//! It is told what arrives from whom, and pulls nothing: whoever drives it asks
//! [`poll_ready`](Server::poll_ready) who has something to be sent, and takes as much as that peer's
//! carrier has room for. What does not leave waits here, up to a limit; then the peer is told that it
//! is too slow, and dropped.
//!
//! A **user** is known by a secret that only the client and the server know, and outlives the
//! connection by a while: whoever comes back with the same secret gets name, rooms and missed
//! messages back. What other users see of it is its origin, which cannot be had from anything but
//! the secret.

mod addresses;
mod files;
mod inbox;
mod rooms;
mod talk;
mod users;

use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    string::String,
    sync::Arc,
    vec::Vec,
};
use core::{net::SocketAddr, time::Duration};

use super::{
    bucket::{Bucket, Rate},
    frame::{Bye, Frame, Frames, Reason},
};
use crate::time::Instant;
use addresses::Addresses;
use files::Transfers;
use rooms::Room;
use talk::{History, Pending};
use users::User;

/// The room that everybody is in from the beginning.
pub const LOBBY: &str = "lobby";

/// Who is at the other end of a carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerId {
    /// Its address.
    pub address: SocketAddr,
    /// Tells connections from one address apart; 0 where there can be only one.
    pub number: u64,
}

impl From<SocketAddr> for PeerId {
    fn from(address: SocketAddr) -> Self {
        Self { address, number: 0 }
    }
}

/// What a carrier does with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Delivers all of them in order, or ends.
    Stream,
    /// Delivers some of the datagrams.
    Datagram,
}

/// Which of the two ways to a peer: one for talk, one for files, where the carrier has two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Everything but the contents of files.
    Talk,
    /// The contents of files.
    Bulk,
}

/// What users can make a server hold and do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// The most connections at the same time.
    pub peers_max: usize,
    /// The most rooms.
    pub rooms_max: usize,
    /// The most rooms that one user is in.
    pub rooms_per_user_max: usize,
    /// Messages of one user; a long one counts as several, one for each 8 KiB begun, and so does one
    /// to many, one for each 128 of them.
    pub messages: Rate,
    /// Frames of one user, of any kind but file contents. More are not read before it is their time;
    /// of datagrams, more are lost.
    pub frames: Rate,
    /// Frames with file contents of one user.
    pub bulk_frames: Rate,
    /// Bytes of one connection that wait for their time. Where a carrier cannot stop reading and there
    /// are more, the connection is dropped.
    pub held_bytes_max: usize,
    /// Bytes that wait for one peer to read; who reads so slowly that it is more is dropped.
    pub queue_bytes_max: usize,
    /// Messages that one peer has been sent and not confirmed; more, and it is dropped.
    pub unconfirmed_max: usize,
    /// Messages of a room that are kept for users who come back.
    pub history_messages_max: usize,
    /// Bytes of those.
    pub history_bytes_max: usize,
    /// How long a peer may be silent.
    pub lease: Duration,
    /// How long a new connection may be without a name.
    pub hello_within: Duration,
    /// How long a user whose connection was lost keeps name and rooms.
    pub return_within: Duration,
    /// Transfers that one user takes part in.
    pub transfers_per_user_max: usize,
    /// Bytes of a file that may be on their way through the server.
    pub file_window_bytes: u64,
    /// In larger rooms nobody is told who comes and goes.
    pub presence_members_max: usize,
    /// Names in one list.
    pub list_names_max: usize,
    /// Answers to strangers that wait to be sent.
    pub strays_max: usize,
    /// Addresses of which it is remembered how much their users have said lately: a new user begins
    /// with no more than is left there, whatever its secret. Of more addresses nothing is remembered.
    pub addresses_max: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            peers_max: 20_000,
            rooms_max: 4_096,
            rooms_per_user_max: 16,
            messages: Rate { per_second: 5, burst: 20 },
            frames: Rate { per_second: 200, burst: 1_000 },
            bulk_frames: Rate { per_second: 20_000, burst: 20_000 },
            held_bytes_max: 512 * 1024,
            queue_bytes_max: 1 << 20,
            unconfirmed_max: 4_096,
            history_messages_max: 256,
            history_bytes_max: 256 * 1024,
            lease: Duration::from_mins(1),
            hello_within: Duration::from_secs(10),
            return_within: Duration::from_mins(1),
            transfers_per_user_max: 4,
            file_window_bytes: 256 * 1024,
            presence_members_max: 64,
            list_names_max: 1_000,
            strays_max: 64,
            addresses_max: 16_384,
        }
    }
}

/// What a server tells whoever keeps its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerEvent {
    /// A user is here, for the first time or again.
    Joined {
        /// Where.
        peer: PeerId,
        /// Who.
        nick: String,
        /// Whether it was here before.
        again: bool,
    },
    /// A user's connection is lost; it may come back.
    Lost {
        /// Where it was.
        peer: PeerId,
        /// Who.
        nick: String,
    },
    /// A user has gone for good.
    Gone {
        /// Who.
        nick: String,
    },
    /// A user is called something else now.
    Renamed {
        /// The old name.
        old: String,
        /// The new one.
        new: String,
    },
    /// A message was taken.
    Said {
        /// From whom.
        nick: String,
        /// How many it goes to.
        to: usize,
        /// Bytes of its text.
        bytes: usize,
    },
    /// Something was refused.
    Refused {
        /// To whom.
        peer: PeerId,
        /// Why.
        reason: Reason,
    },
    /// A room was made, or is no more.
    Room {
        /// Which.
        room: String,
        /// Whether it was made.
        made: bool,
    },
    /// A file was offered.
    Offered {
        /// By whom.
        from: String,
        /// To whom.
        to: String,
        /// Bytes.
        size: u64,
    },
    /// A connection is ended by the server.
    Dropped {
        /// Whose.
        peer: PeerId,
        /// Why.
        why: Bye,
    },
}

/// Events that wait to be taken; more are not kept.
const EVENTS_MAX: usize = 4_096;

#[derive(Debug)]
struct Peer {
    wire: Wire,
    talk_in: Frames,
    bulk_in: Frames,
    /// The user's origin, once there is one.
    user: Option<u64>,
    talk: VecDeque<Arc<[u8]>>,
    bulk: VecDeque<Arc<[u8]>>,
    /// Bytes in `talk`.
    talk_bytes: usize,
    frames: Bucket,
    bulk_frames: Bucket,
    /// Nothing of it is read before.
    held_until: Option<Instant>,
    heard_at: Instant,
    due_at: Instant,
    is_ready: bool,
    /// It gets what waits for it, and then the end.
    closing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Peer(PeerId),
    Held(PeerId),
    User(u64),
}

/// The server; see the [module](super) for an example.
#[derive(Debug)]
pub struct Server {
    limits: ServerLimits,
    epoch: u64,
    /// Signs the cookies that strangers have to bring back.
    key: [u8; 16],
    peers: BTreeMap<PeerId, Peer>,
    users: BTreeMap<u64, User>,
    by_name: BTreeMap<String, u64>,
    by_look: BTreeMap<String, u64>,
    rooms: BTreeMap<String, Room>,
    everyone: History,
    /// Messages that were taken so far.
    messages: u64,
    pending: BTreeMap<u64, Pending>,
    pending_of: BTreeMap<(u64, u64), u64>,
    transfers: Transfers,
    ready: VecDeque<PeerId>,
    closed: VecDeque<PeerId>,
    /// Peers that are read no longer, or again.
    holds: BTreeSet<PeerId>,
    slow: Vec<PeerId>,
    strays: VecDeque<(PeerId, Arc<[u8]>)>,
    addresses: Addresses,
    deadlines: BTreeSet<(Instant, Due)>,
    events: VecDeque<ServerEvent>,
    stopping: bool,
}

impl Server {
    /// A server without users. `key` is what nobody else can guess; its epoch comes from it too, so
    /// a server that starts again takes another.
    pub fn new(limits: ServerLimits, key: [u8; 16]) -> Self {
        let epoch = users::keyed(&key, b"chat epoch").max(1);
        let mut rooms = BTreeMap::new();
        rooms.insert(LOBBY.into(), Room::new(LOBBY, None));
        Self {
            limits,
            epoch,
            key,
            peers: BTreeMap::new(),
            users: BTreeMap::new(),
            by_name: BTreeMap::new(),
            by_look: BTreeMap::new(),
            rooms,
            everyone: History::default(),
            messages: 0,
            pending: BTreeMap::new(),
            pending_of: BTreeMap::new(),
            transfers: Transfers::default(),
            ready: VecDeque::new(),
            closed: VecDeque::new(),
            holds: BTreeSet::new(),
            slow: Vec::new(),
            strays: VecDeque::new(),
            addresses: Addresses::default(),
            deadlines: BTreeSet::new(),
            events: VecDeque::new(),
            stopping: false,
        }
    }

    /// Tells everybody that it stops. When [`is_quiet`](Self::is_quiet), everybody has been told.
    pub fn stop(&mut self) {
        self.stopping = true;
        // Nobody is told that the others go: all do.
        self.users.clear();
        self.rooms.clear();
        self.pending.clear();
        self.pending_of.clear();
        self.transfers = Transfers::default();
        self.deadlines.retain(|(_, due)| matches!(due, Due::Peer(_) | Due::Held(_)));
        let peers: Vec<PeerId> = self.peers.keys().copied().collect();
        for peer in peers {
            self.bye(peer, Bye::Stopping);
        }
    }

    /// Acts on every deadline that `now` has reached.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(at, due)) = self.deadlines.first()
            && at <= now
        {
            self.deadlines.pop_first();
            match due {
                Due::Peer(id) => self.peer_due(now, id),
                Due::Held(id) => self.release(now, id),
                Due::User(origin) => self.user_due(now, origin),
            }
        }
    }

    fn peer_due(&mut self, now: Instant, id: PeerId) {
        let limits = self.limits;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let patience = if peer.user.is_some() { limits.lease } else { limits.hello_within };
        let due_at = peer.heard_at + patience;
        if peer.closing || due_at <= now {
            // A second time comes if it is not gone by then: nothing waits for ever.
            if peer.closing {
                self.forget(id);
                self.closed.push_back(id);
                return;
            }
            self.lose(now, id);
            self.bye(id, Bye::Silent);
        }
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.due_at = due_at.max(now + limits.hello_within);
            self.deadlines.insert((peer.due_at, Due::Peer(id)));
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) if nothing arrives.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    /// Somebody who has something to be sent, or to be closed, and was not named since.
    pub fn poll_ready(&mut self) -> Option<PeerId> {
        let id = self.ready.pop_front()?;
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.is_ready = false;
        }
        Some(id)
    }

    /// The next frame of talk for this peer: take it when its carrier has room.
    pub fn poll_talk(&mut self, id: PeerId) -> Option<Arc<[u8]>> {
        let peer = self.peers.get_mut(&id)?;
        let frame = peer.talk.pop_front();
        match &frame {
            Some(frame) => peer.talk_bytes -= frame.len(),
            None if peer.closing => {
                self.forget(id);
                self.closed.push_back(id);
            }
            None => {}
        }
        frame
    }

    /// The next frame with contents of a file for this peer.
    pub fn poll_bulk(&mut self, id: PeerId) -> Option<Arc<[u8]>> {
        self.peers.get_mut(&id)?.bulk.pop_front()
    }

    /// Whether something waits for this peer.
    pub fn has_output(&self, id: PeerId) -> bool {
        let waits = |peer: &Peer| !peer.talk.is_empty() || !peer.bulk.is_empty() || peer.closing;
        self.peers.get(&id).is_some_and(waits)
    }

    /// An answer to somebody who is no peer, on a carrier of datagrams.
    pub fn poll_stray(&mut self) -> Option<(PeerId, Arc<[u8]>)> {
        self.strays.pop_front()
    }

    /// A peer whose connection is to be closed, once what it was sent has left.
    pub fn poll_closed(&mut self) -> Option<PeerId> {
        self.closed.pop_front()
    }

    /// A peer whose carrier should stop reading (true), or go on (false), until this says otherwise:
    /// one who sends more than it may is heard at the rate of [`ServerLimits::frames`], and nobody else
    /// waits for it. A carrier that cannot stop loses the peer in the end.
    pub fn poll_hold(&mut self) -> Option<(PeerId, bool)> {
        let id = self.holds.pop_first()?;
        let held = |peer: &Peer| peer.held_until.is_some() && !peer.closing;
        Some((id, self.peers.get(&id).is_some_and(held)))
    }

    /// The next event for the log.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        self.events.pop_front()
    }

    /// Users who are connected.
    pub fn users(&self) -> usize {
        self.peers.values().filter(|peer| peer.user.is_some()).count()
    }

    /// Whether nothing waits to be sent.
    pub fn is_quiet(&self) -> bool {
        self.peers.values().all(|peer| peer.talk.is_empty() && peer.bulk.is_empty())
    }

    /// Its epoch: another one each time a server starts.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    fn log(&mut self, event: ServerEvent) {
        if self.events.len() < EVENTS_MAX {
            self.events.push_back(event);
        }
    }

    /// Puts a frame into a peer's queue.
    fn push(&mut self, id: PeerId, frame: Arc<[u8]>) {
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| !peer.closing) else { return };
        peer.talk_bytes += frame.len();
        peer.talk.push_back(frame);
        if peer.talk_bytes > self.limits.queue_bytes_max {
            self.slow.push(id);
        }
        self.mark_ready(id);
    }

    fn mark_ready(&mut self, id: PeerId) {
        if let Some(peer) = self.peers.get_mut(&id)
            && !core::mem::replace(&mut peer.is_ready, true)
        {
            self.ready.push_back(id);
        }
    }

    fn send(&mut self, id: PeerId, frame: &Frame<'_>) {
        self.push(id, frame.encode().into());
    }

    /// Sends to a user, if it is connected.
    fn send_to(&mut self, origin: u64, frame: &Frame<'_>) {
        if let Some(peer) = self.users.get(&origin).and_then(|user| user.peer) {
            self.send(peer, frame);
        }
    }

    fn refuse(&mut self, id: PeerId, number: u64, reason: Reason, detail: &str) {
        self.send(id, &Frame::Refused { number, reason, detail });
        self.log(ServerEvent::Refused { peer: id, reason });
    }

    /// The last frame for a peer; its user, if it still has one, is gone for good.
    fn bye(&mut self, id: PeerId, why: Bye) {
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| !peer.closing) else { return };
        if why == Bye::Malformed && peer.wire == Wire::Datagram {
            // Anybody can have sent it with this address.
            return;
        }
        if why == Bye::Slow {
            peer.talk.clear();
            peer.talk_bytes = 0;
        }
        peer.bulk.clear();
        let user = peer.user.take();
        self.send(id, &Frame::Bye(why));
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.closing = true;
        }
        self.log(ServerEvent::Dropped { peer: id, why });
        if let Some(origin) = user {
            self.remove_user(origin, super::frame::Parting::Quit);
        }
    }

    /// Those who do not read: told and dropped, when nobody goes through the peers.
    fn drop_slow(&mut self, now: Instant) {
        while let Some(id) = self.slow.pop() {
            self.lose(now, id);
            self.bye(id, Bye::Slow);
        }
    }

    /// Nothing is left of the peer.
    fn forget(&mut self, id: PeerId) {
        if let Some(peer) = self.peers.remove(&id) {
            self.deadlines.remove(&(peer.due_at, Due::Peer(id)));
            if let Some(until) = peer.held_until {
                self.deadlines.remove(&(until, Due::Held(id)));
            }
            self.holds.remove(&id);
        }
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
