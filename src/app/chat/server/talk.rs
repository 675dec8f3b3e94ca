//! Messages: to whom, how often, and when they have arrived.

use alloc::{collections::VecDeque, string::String, sync::Arc, vec::Vec};

use core::time::Duration;

use super::{PeerId, Server, ServerEvent, Wire, addresses::Rights, users::Unconfirmed};
use crate::{
    app::chat::{
        frame::{Bye, Frame, Kind, Reason, TEXT_BYTES_MAX, Target},
        names::folded,
    },
    time::Instant,
};

/// Bytes that count as one message more.
const BYTES_PER_TOKEN: usize = 8 * 1024;

/// Users that count as one message more.
const USERS_PER_TOKEN: usize = 128;

/// How long to wait with a message behind one that came too fast, beside that one's time.
const BEHIND: Duration = Duration::from_millis(1);

/// A message that has not arrived everywhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    origin: u64,
    /// The sender's number.
    number: u64,
    /// How many confirmations are missing.
    waiting: u32,
    /// How many it was sent to.
    to: u32,
}

/// The last messages of a room, for who comes back.
#[derive(Debug, Default)]
pub(super) struct History {
    messages: VecDeque<(u64, u64, Arc<[u8]>)>,
    bytes: usize,
}

impl History {
    fn push(&mut self, number: u64, origin: u64, frame: Arc<[u8]>, messages: usize, bytes: usize) {
        self.bytes += frame.len();
        self.messages.push_back((number, origin, frame));
        while self.messages.len() > messages || self.bytes > bytes {
            let Some((_, _, old)) = self.messages.pop_front() else { break };
            self.bytes -= old.len();
        }
    }

    /// What others said after the message of this number.
    pub(super) fn after(&self, number: u64, but: u64) -> Vec<Unconfirmed> {
        let later = self.messages.iter().skip_while(|message| message.0 <= number);
        let later = later.filter(|message| message.1 != but);
        let message = |(number, _, frame): &(u64, u64, Arc<[u8]>)| Unconfirmed {
            number: *number,
            counts: false,
            private: Some(frame.clone()),
        };
        later.map(message).collect()
    }
}

/// Where a message goes.
enum Audience {
    Everyone,
    /// A room by its folded name.
    Room(String),
    One(u64),
}

impl Server {
    pub(super) fn say(
        &mut self,
        now: Instant,
        id: PeerId,
        origin: u64,
        number: u64,
        (kind, target, text): (Kind, Target<'_>, &str),
    ) {
        let is_stream = self.peers.get(&id).is_some_and(|peer| peer.wire == Wire::Stream);
        let many = self.many(target) / USERS_PER_TOKEN;
        let Some(user) = self.users.get_mut(&origin) else { return };
        // Datagrams may overtake each other; on a carrier in order this one was taken before.
        if is_stream && number <= user.accepted {
            if !self.pending_of.contains_key(&(origin, number)) {
                self.send(id, &Frame::Delivered { number, to: 0 });
            }
            return;
        }
        if text.len() > TEXT_BYTES_MAX {
            return self.bye(id, Bye::Malformed);
        }
        let tokens = 1 + text.len() / BYTES_PER_TOKEN + many;
        let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
        let behind = is_stream && user.held_at.is_some_and(|held| number > held);
        let wait = if behind { Some(BEHIND) } else { user.messages.take(now, tokens).err() };
        let messages = user.messages;
        let left = Rights { messages, ..Rights::new(&self.limits) };
        self.addresses.note(now, id.address, left, self.limits.addresses_max);
        let Some(user) = self.users.get_mut(&origin) else { return };
        if let Some(wait) = wait {
            user.held_at = user.held_at.or(is_stream.then_some(number));
            let detail = alloc::format!("{}", wait.as_millis() + 1);
            let reason = Reason::TooFast;
            if behind {
                // The log has the one before it.
                return self.send(id, &Frame::Refused { number, reason, detail: &detail });
            }
            return self.refuse(id, number, reason, &detail);
        }
        if user.held_at == Some(number) {
            user.held_at = None;
        }
        let nick = user.nick.clone();
        let audience = match self.audience_of(origin, target) {
            Ok(audience) => audience,
            Err((reason, detail)) => return self.refuse(id, number, reason, detail),
        };
        if let Some(user) = self.users.get_mut(&origin) {
            user.accepted = user.accepted.max(number);
        }
        let target = match target {
            // The name as its bearer writes it.
            Target::User(nick) => Target::User(self.spelled(nick)),
            other => other,
        };
        let said = Frame::Said { origin, number, kind, target, from: &nick, text };
        let frame: Arc<[u8]> = said.encode().into();
        let to = self.deliver(origin, number, &audience, &frame);
        self.log(ServerEvent::Said { nick, to, bytes: text.len() });
    }

    /// About how many a message goes to.
    fn many(&self, target: Target<'_>) -> usize {
        match target {
            Target::Everyone => self.users.len(),
            Target::Room(name) => {
                self.rooms.get(&folded(name)).map_or(0, |room| room.members.len())
            }
            Target::User(_) => 1,
        }
    }

    fn spelled<'a>(&'a self, nick: &'a str) -> &'a str {
        let user = self.find_user(nick).and_then(|origin| self.users.get(&origin));
        user.map_or(nick, |user| &user.nick)
    }

    fn audience_of<'a>(
        &self,
        origin: u64,
        target: Target<'a>,
    ) -> Result<Audience, (Reason, &'a str)> {
        match target {
            Target::Everyone => Ok(Audience::Everyone),
            Target::Room(name) => {
                let key = folded(name);
                let room = self.rooms.get(&key).ok_or((Reason::NoSuchRoom, name))?;
                if !room.members.contains_key(&origin) {
                    return Err((Reason::NotMember, name));
                }
                Ok(Audience::Room(key))
            }
            Target::User(nick) => {
                self.find_user(nick).map(Audience::One).ok_or((Reason::NoSuchUser, nick))
            }
        }
    }

    /// Gives a message to everybody it is for; returns how many they are.
    fn deliver(
        &mut self,
        origin: u64,
        number: u64,
        audience: &Audience,
        frame: &Arc<[u8]>,
    ) -> usize {
        self.messages += 1;
        let count = self.messages;
        let limits = self.limits;
        let keep = |history: &mut History| {
            let (messages, bytes) = (limits.history_messages_max, limits.history_bytes_max);
            history.push(count, origin, frame.clone(), messages, bytes);
        };
        let to: Vec<u64> = match audience {
            Audience::Everyone => {
                keep(&mut self.everyone);
                self.users.keys().copied().collect()
            }
            Audience::Room(key) => self.rooms.get_mut(key).map_or_else(Vec::new, |room| {
                keep(&mut room.history);
                room.members.keys().copied().collect()
            }),
            Audience::One(one) => Vec::from([*one]),
        };
        let is_private = matches!(audience, Audience::One(_));
        let (mut sent, mut waiting) = (0, 0);
        for member in to.into_iter().filter(|&member| is_private || member != origin) {
            let Some(user) = self.users.get_mut(&member) else { continue };
            let private = is_private.then(|| frame.clone());
            let message = Unconfirmed { number: count, counts: true, private };
            let full = user.unconfirmed.len() >= limits.unconfirmed_max;
            match user.peer {
                Some(peer) => {
                    let is_stream =
                        self.peers.get(&peer).is_some_and(|peer| peer.wire == Wire::Stream);
                    if is_stream && full {
                        self.slow.push(peer);
                        continue;
                    }
                    if is_stream {
                        user.unconfirmed.push_back(message);
                        waiting += 1;
                    }
                    sent += 1;
                    self.push(peer, frame.clone());
                }
                // Whoever is away finds it in the room's history; in private it waits here.
                None if is_private && !full => {
                    user.unconfirmed.push_back(message);
                    waiting += 1;
                    sent += 1;
                }
                None => {}
            }
        }
        let to = u32::try_from(sent).unwrap_or(u32::MAX);
        if waiting == 0 {
            self.send_to(origin, &Frame::Delivered { number, to });
        } else {
            self.pending.insert(count, Pending { origin, number, waiting, to });
            self.pending_of.insert((origin, number), count);
        }
        sent
    }

    /// The peer has so many messages.
    pub(super) fn got(&mut self, id: PeerId, origin: u64, count: u64) {
        loop {
            let Some(user) = self.users.get_mut(&origin) else { return };
            if user.got >= count {
                return;
            }
            let Some(message) = user.unconfirmed.pop_front() else {
                return self.bye(id, Bye::Malformed);
            };
            user.got += 1;
            user.has = user.has.max(message.number);
            if message.counts {
                self.settle(message.number);
            }
        }
    }

    /// One confirmation less is missing.
    pub(super) fn settle(&mut self, count: u64) {
        let Some(pending) = self.pending.get_mut(&count) else { return };
        pending.waiting -= 1;
        if pending.waiting == 0 {
            let Pending { origin, number, to, .. } = *pending;
            self.pending.remove(&count);
            self.pending_of.remove(&(origin, number));
            self.send_to(origin, &Frame::Delivered { number, to });
        }
    }

    /// A private message will not arrive.
    pub(super) fn fail(&mut self, count: u64, nick: &str) {
        let Some(Pending { origin, number, .. }) = self.pending.remove(&count) else { return };
        self.pending_of.remove(&(origin, number));
        self.send_to(origin, &Frame::Refused { number, reason: Reason::Gone, detail: nick });
    }
}
