//! What arrives at the server: connections, bytes, datagrams of strangers.

use alloc::{sync::Arc, vec::Vec};
use core::time::Duration;

use super::{Due, Lane, Peer, PeerId, Server, ServerEvent, Wire, addresses::Rights, users};
use crate::{
    app::chat::frame::{Bye, Frame, FrameError, Frames, Listing},
    time::Instant,
};

/// How long a cookie is good, at least; at most twice as long.
const COOKIE_NANOS: u64 = 60_000_000_000;
/// Who sends too much is not read for so long at least, so that it is not woken for each frame.
const HOLD_MIN: Duration = Duration::from_millis(200);

impl Peer {
    /// Whether what it sends is acted upon now.
    fn is_read(&self) -> bool {
        !self.closing && self.held_until.is_none()
    }

    fn lane(&mut self, lane: Lane) -> &mut Frames {
        match lane {
            Lane::Talk => &mut self.talk_in,
            Lane::Bulk => &mut self.bulk_in,
        }
    }
}

impl Server {
    /// A connection was made. On a carrier of datagrams there are none: whoever brings a cookie
    /// back is a peer.
    pub fn connected(&mut self, now: Instant, id: PeerId) {
        // Of an address there is one connection at a time.
        self.disconnected(now, id);
        self.meet(now, id, Wire::Stream);
        if self.peers.len() > self.limits.peers_max {
            self.bye(id, Bye::Full);
        } else if self.stopping {
            self.bye(id, Bye::Stopping);
        }
    }

    fn meet(&mut self, now: Instant, id: PeerId, wire: Wire) {
        let due_at = now + self.limits.hello_within;
        let rights = self.rights_at(id);
        let peer = Peer {
            wire,
            talk_in: Frames::default(),
            bulk_in: Frames::default(),
            user: None,
            talk: [].into(),
            bulk: [].into(),
            talk_bytes: 0,
            frames: rights.frames,
            bulk_frames: rights.bulk_frames,
            held_until: None,
            heard_at: now,
            due_at,
            is_ready: false,
            closing: false,
        };
        self.peers.insert(id, peer);
        self.deadlines.insert((due_at, Due::Peer(id)));
    }

    /// A connection is over. Its user may come back.
    pub fn disconnected(&mut self, now: Instant, id: PeerId) {
        self.lose(now, id);
        self.forget(id);
    }

    /// The network says that nobody is at this peer's address any more (ICMP port unreachable).
    pub fn unreachable(&mut self, now: Instant, id: PeerId) {
        self.disconnected(now, id);
    }

    /// Takes bytes that arrived on a connection.
    pub fn handle_bytes(&mut self, now: Instant, id: PeerId, lane: Lane, bytes: &[u8]) {
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| !peer.closing) else { return };
        let frames = peer.lane(lane);
        frames.push(bytes);
        if peer.held_until.is_some() {
            if peer.talk_in.waiting() + peer.bulk_in.waiting() > self.limits.held_bytes_max {
                // Its carrier goes on reading. The user may come back, and is as hasty as before.
                self.lose(now, id);
                self.bye(id, Bye::Flooding);
            }
            return;
        }
        self.take_frames(now, id, lane);
        self.drop_slow(now);
    }

    /// Acts on the frames that have come, as far as it is their time.
    fn take_frames(&mut self, now: Instant, id: PeerId, lane: Lane) {
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.is_read()) else { return };
        let mut frames = core::mem::take(peer.lane(lane));
        loop {
            match frames.next_frame() {
                Ok(Some(frame)) => self.handle_frame(now, id, frame),
                Ok(None) => break,
                Err(_) => self.bye(id, Bye::Malformed),
            }
            if !self.peers.get(&id).is_some_and(Peer::is_read) {
                break;
            }
        }
        if let Some(peer) = self.peers.get_mut(&id) {
            *peer.lane(lane) = frames;
        }
    }

    /// Reads nothing more of a peer for so long.
    fn hold(&mut self, now: Instant, id: PeerId, wait: Duration) {
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.held_until.is_none()) else {
            return;
        };
        let until = now + wait.max(HOLD_MIN);
        peer.held_until = Some(until);
        self.deadlines.insert((until, Due::Held(id)));
        self.holds.insert(id);
    }

    /// Its time has come.
    pub(super) fn release(&mut self, now: Instant, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.held_until = None;
        self.holds.insert(id);
        self.take_frames(now, id, Lane::Talk);
        self.take_frames(now, id, Lane::Bulk);
        self.drop_slow(now);
    }

    /// Takes a datagram.
    pub fn handle_datagram(&mut self, now: Instant, id: PeerId, bytes: &[u8]) {
        match self.peers.get(&id) {
            Some(peer) if !peer.closing => self.handle_frame(now, id, bytes),
            Some(_) => {}
            None => self.handle_stray(now, id, bytes),
        }
        self.drop_slow(now);
    }

    /// Somebody unknown: whatever is answered is about as short as what was asked, and nothing is
    /// kept before the address has proved to be theirs.
    fn handle_stray(&mut self, now: Instant, id: PeerId, bytes: &[u8]) {
        let Ok(frame) = Frame::decode(bytes) else { return };
        match frame {
            Frame::Hello { cookie, .. } => {
                if self.stopping {
                    self.stray(id, &Frame::Bye(Bye::Stopping));
                } else if !self.has_proved(now, id, cookie) {
                    self.challenge(now, id);
                } else if self.peers.len() >= self.limits.peers_max {
                    self.stray(id, &Frame::Bye(Bye::Full));
                } else {
                    self.meet(now, id, Wire::Datagram);
                    self.handle_frame(now, id, bytes);
                }
            }
            Frame::Ping(token) => self.stray(id, &Frame::Pong { token, known: false }),
            Frame::Say { .. }
            | Frame::List(_)
            | Frame::Enter { .. }
            | Frame::Leave(_)
            | Frame::Kick { .. }
            | Frame::Rename(_)
            | Frame::Offer { .. }
            | Frame::File { .. } => self.stray(id, &Frame::Bye(Bye::Unknown)),
            // An answer to an answer would go on for ever.
            _ => {}
        }
    }

    /// Whether a cookie is this address's, and not too old.
    fn has_proved(&self, now: Instant, id: PeerId, cookie: [u8; 8]) -> bool {
        let window = now.as_nanos() / COOKIE_NANOS;
        [window, window.wrapping_sub(1)].iter().any(|&window| self.cookie(id, window) == cookie)
    }

    fn challenge(&mut self, now: Instant, id: PeerId) {
        let cookie = self.cookie(id, now.as_nanos() / COOKIE_NANOS);
        self.stray(id, &Frame::Challenge(cookie));
    }

    fn cookie(&self, id: PeerId, window: u64) -> [u8; 8] {
        let mut text = Vec::from(&b"chat cookie"[..]);
        match id.address.ip() {
            core::net::IpAddr::V4(ip) => text.extend_from_slice(&ip.octets()),
            core::net::IpAddr::V6(ip) => text.extend_from_slice(&ip.octets()),
        }
        text.extend_from_slice(&id.address.port().to_be_bytes());
        text.extend_from_slice(&window.to_be_bytes());
        users::keyed(&self.key, &text).to_be_bytes()
    }

    fn stray(&mut self, id: PeerId, frame: &Frame<'_>) {
        if self.strays.len() < self.limits.strays_max {
            self.strays.push_back((id, Arc::from(frame.encode())));
        }
    }

    fn handle_frame(&mut self, now: Instant, id: PeerId, bytes: &[u8]) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.heard_at = now;
        let (wire, user) = (peer.wire, peer.user);
        let frame = match Frame::decode(bytes) {
            Ok(frame) => frame,
            // On a carrier of datagrams anybody can send with this address.
            Err(_) if wire == Wire::Datagram => return,
            Err(FrameError::Unknown) if user.is_some() => return,
            Err(_) => return self.bye(id, Bye::Malformed),
        };
        let is_bulk = matches!(frame, Frame::File { .. } | Frame::Credit { .. });
        let bucket = if is_bulk { &mut peer.bulk_frames } else { &mut peer.frames };
        match wire {
            // Anybody can send them with this address, so they cost it nothing but themselves.
            Wire::Datagram if bucket.take(now, 1).is_err() => return,
            Wire::Datagram => {}
            Wire::Stream => {
                let wait = bucket.spend(now, 1);
                let (frames, bulk_frames) = (peer.frames, peer.bulk_frames);
                let left = Rights { frames, bulk_frames, ..Rights::new(&self.limits) };
                self.addresses.note(now, id.address, left, self.limits.addresses_max);
                if !wait.is_zero() {
                    self.hold(now, id, wait);
                }
            }
        }
        match (frame, user) {
            (Frame::Ping(token), _) => {
                self.send(id, &Frame::Pong { token, known: user.is_some() });
            }
            (Frame::Pong { .. }, _) => {}
            // Another program has the address now, or somebody says so who is elsewhere.
            (Frame::Hello { secret, cookie, .. }, Some(known))
                if wire == Wire::Datagram
                    && users::origin(&secret) != known
                    && !self.has_proved(now, id, cookie) =>
            {
                self.challenge(now, id);
            }
            (Frame::Hello { version, secret, epoch, nick, .. }, _) => {
                self.hello(now, id, version, &secret, epoch, nick);
            }
            (Frame::Quit(secret), _)
                if wire == Wire::Datagram && user != Some(users::origin(&secret)) => {}
            (Frame::Quit(_), _) => self.bye(id, Bye::Quit),
            (_, None) => self.bye(id, Bye::Unknown),
            (frame, Some(origin)) => self.handle_user(now, id, origin, frame),
        }
    }

    fn handle_user(&mut self, now: Instant, id: PeerId, origin: u64, frame: Frame<'_>) {
        match frame {
            Frame::Rename(nick) => self.rename(id, origin, nick),
            Frame::Say { number, kind, target, text } => {
                self.say(now, id, origin, number, (kind, target, text));
            }
            Frame::List(what) => self.list(id, origin, what),
            Frame::Enter { create, room } => self.enter(now, id, origin, create, room),
            Frame::Leave(room) => self.leave(id, origin, room),
            Frame::Kick { room, nick } => self.kick(id, origin, room, nick),
            Frame::Got(count) => self.got(id, origin, count),
            Frame::Offer { transfer, nick, name, size } => {
                self.offer(id, origin, transfer, nick, name, size);
            }
            Frame::Answer { transfer, wanted } => self.answer(origin, transfer, wanted),
            Frame::Credit { transfer, bytes } => self.credit(origin, transfer, bytes),
            Frame::File { transfer, message } => self.file(origin, transfer, message),
            Frame::FileEnd { transfer, why } => self.file_end(origin, transfer, why),
            // Frames of a server.
            _ => self.bye(id, Bye::Malformed),
        }
    }

    fn list(&mut self, id: PeerId, origin: u64, what: Listing<'_>) {
        match what {
            Listing::Users => self.list_users(id),
            Listing::Rooms => self.list_rooms(id),
            Listing::Members(room) => self.list_members(id, origin, room),
        }
    }

    pub(super) fn joined(&mut self, peer: PeerId, nick: &str, again: bool) {
        self.log(ServerEvent::Joined { peer, nick: nick.into(), again });
    }
}
