//! Users: who they are, what they are called, how they come back.

use alloc::{
    collections::{BTreeSet, VecDeque},
    string::String,
    sync::Arc,
    vec::Vec,
};
use core::hash::Hasher as _;

use siphasher::sip::SipHasher24;

use super::{Due, LOBBY, PeerId, Server, ServerEvent, Wire};
use crate::{
    app::chat::{
        bucket::Bucket,
        frame::{Bye, Frame, Listing, Parting, Reason, VERSION},
        names::{check_nick, folded, look},
    },
    time::Instant,
};

/// Somebody with a name.
#[derive(Debug)]
pub(super) struct User {
    pub(super) nick: String,
    /// Where it is; `None` while its connection is lost.
    pub(super) peer: Option<PeerId>,
    pub(super) gone_at: Instant,
    /// Folded names of the rooms it is in.
    pub(super) rooms: BTreeSet<String>,
    pub(super) messages: Bucket,
    /// What was left when its last connection ended: another one does not begin anew.
    pub(super) frames: Bucket,
    pub(super) bulk_frames: Bucket,
    /// The highest number among its messages that were taken.
    pub(super) accepted: u64,
    /// A message that came too fast: none behind it is taken before it comes again, so that their
    /// order stays.
    pub(super) held_at: Option<u64>,
    /// What its peer was sent and has not confirmed.
    pub(super) unconfirmed: VecDeque<Unconfirmed>,
    /// Messages confirmed since the connection began.
    pub(super) got: u64,
    /// The last message that it is known to have, by the server's count.
    pub(super) has: u64,
    /// Until when a room that it enters gives it what was said before: after the server started
    /// again it cannot be known what it has.
    pub(super) catches_up_until: Instant,
}

/// A message on its way to a user.
#[derive(Clone, Debug)]
pub(super) struct Unconfirmed {
    pub(super) number: u64,
    /// Whether its sender waits for this confirmation.
    pub(super) counts: bool,
    /// The message, when no room keeps it.
    pub(super) private: Option<Arc<[u8]>>,
}

/// A number that only who knows `key` can find.
pub(super) fn keyed(key: &[u8; 16], text: &[u8]) -> u64 {
    let mut hasher = SipHasher24::new_with_key(key);
    hasher.write(text);
    hasher.finish()
}

/// What others see of who has a secret.
pub(super) fn origin(secret: &[u8; 16]) -> u64 {
    keyed(secret, b"chat origin")
}

impl Server {
    pub(super) fn hello(
        &mut self,
        now: Instant,
        id: PeerId,
        version: u8,
        secret: &[u8; 16],
        epoch: u64,
        nick: &str,
    ) {
        if version != VERSION {
            return self.bye(id, Bye::Version);
        }
        let origin = origin(secret);
        let Some(peer) = self.peers.get(&id) else { return };
        match (peer.user, peer.wire) {
            // The welcome was lost.
            (Some(known), Wire::Datagram) if known == origin => return self.welcome(id, origin),
            // Another program has taken over the address.
            (Some(known), Wire::Datagram) => self.remove_user(known, Parting::Quit),
            (Some(_), Wire::Stream) => return self.bye(id, Bye::Malformed),
            (None, _) => {}
        }
        if self.users.contains_key(&origin) {
            return self.resume(now, id, origin);
        }
        if let Err(reason) = self.free_name(nick, None) {
            return self.refuse(id, 0, reason, nick);
        }
        let rights = self.rights_at(id);
        let restarted = epoch != 0 && epoch != self.epoch;
        let user = User {
            nick: nick.into(),
            peer: Some(id),
            gone_at: now,
            rooms: BTreeSet::new(),
            messages: rights.messages,
            frames: rights.frames,
            bulk_frames: rights.bulk_frames,
            accepted: 0,
            held_at: None,
            unconfirmed: VecDeque::new(),
            got: 0,
            has: if restarted { 0 } else { self.messages },
            catches_up_until: if restarted {
                now + self.limits.return_within
            } else {
                Instant::ZERO
            },
        };
        self.users.insert(origin, user);
        self.by_name.insert(folded(nick), origin);
        self.by_look.insert(look(nick), origin);
        self.attach(id, origin);
        self.joined(id, nick, false);
        self.welcome(id, origin);
        let missed = self.everyone.after(if restarted { 0 } else { u64::MAX }, origin);
        self.replay(id, origin, missed);
        self.enter(now, id, origin, false, LOBBY);
    }

    fn attach(&mut self, id: PeerId, origin: u64) {
        if let (Some(peer), Some(user)) = (self.peers.get_mut(&id), self.users.get(&origin)) {
            peer.user = Some(origin);
            peer.frames = peer.frames.emptier(user.frames);
            peer.bulk_frames = peer.bulk_frames.emptier(user.bulk_frames);
        }
    }

    fn welcome(&mut self, id: PeerId, origin: u64) {
        let Some(user) = self.users.get(&origin) else { return };
        let frame = Frame::Welcome {
            version: VERSION,
            epoch: self.epoch,
            origin,
            accepted: user.accepted,
            rate: self.limits.messages.per_second,
            burst: self.limits.messages.burst,
            nick: &user.nick,
        };
        let frame = frame.encode();
        self.push(id, frame.into());
    }

    /// The user is back, on another connection.
    fn resume(&mut self, now: Instant, id: PeerId, origin: u64) {
        if let Some(old) = self.users.get(&origin).and_then(|user| user.peer) {
            self.lose(now, old);
            self.bye(old, Bye::Replaced);
        }
        let Some(user) = self.users.get_mut(&origin) else { return };
        self.deadlines.remove(&(user.gone_at + self.limits.return_within, Due::User(origin)));
        user.peer = Some(id);
        user.got = 0;
        let (nick, has) = (user.nick.clone(), user.has);
        let private: Vec<_> = user.unconfirmed.drain(..).collect();
        let rooms: Vec<String> = user.rooms.iter().cloned().collect();
        self.attach(id, origin);
        self.joined(id, &nick, true);
        self.welcome(id, origin);
        for room in &rooms {
            let name = self.rooms.get(room).map(|room| room.name.clone()).unwrap_or_default();
            self.send(id, &Frame::Entered { room: &name, nick: &nick });
        }
        let mut missed = self.everyone.after(has, origin);
        for room in &rooms {
            let room = self.rooms.get(room);
            missed.extend(room.into_iter().flat_map(|room| room.history.after(has, origin)));
        }
        missed.extend(private);
        missed.sort_by_key(|message| message.number);
        missed.dedup_by_key(|message| message.number);
        self.replay(id, origin, missed);
    }

    /// Sends again what a user may have missed.
    pub(super) fn replay(&mut self, id: PeerId, origin: u64, missed: Vec<Unconfirmed>) {
        let is_stream = self.peers.get(&id).is_some_and(|peer| peer.wire == Wire::Stream);
        for message in missed {
            let Some(frame) = message.private.clone() else { continue };
            self.push(id, frame);
            if let Some(user) = self.users.get_mut(&origin)
                && is_stream
            {
                user.unconfirmed.push_back(message);
            }
        }
    }

    /// Whether somebody may be called so: the name is one, and nobody else has it or one like it.
    fn free_name(&self, nick: &str, by: Option<u64>) -> Result<(), Reason> {
        check_nick(nick).map_err(|_| Reason::BadName)?;
        let taken = [self.by_name.get(&folded(nick)), self.by_look.get(&look(nick))];
        if taken.into_iter().flatten().any(|&origin| Some(origin) != by) {
            return Err(Reason::NickTaken);
        }
        Ok(())
    }

    pub(super) fn rename(&mut self, id: PeerId, origin: u64, nick: &str) {
        if let Err(reason) = self.free_name(nick, Some(origin)) {
            return self.refuse(id, 0, reason, nick);
        }
        let Some(user) = self.users.get_mut(&origin) else { return };
        let old = core::mem::replace(&mut user.nick, nick.into());
        self.by_name.remove(&folded(&old));
        self.by_look.remove(&look(&old));
        self.by_name.insert(folded(nick), origin);
        self.by_look.insert(look(nick), origin);
        let rooms: Vec<String> = user.rooms.iter().cloned().collect();
        let frame: Arc<[u8]> = Frame::Renamed { old: &old, new: nick }.encode().into();
        let mut told = BTreeSet::from([origin]);
        self.push(id, frame.clone());
        for room in rooms {
            for member in self.audience(&room) {
                if told.insert(member)
                    && let Some(peer) = self.users.get(&member).and_then(|user| user.peer)
                {
                    self.push(peer, frame.clone());
                }
            }
        }
        self.log(ServerEvent::Renamed { old, new: nick.into() });
    }

    /// The user of that name.
    pub(super) fn find_user(&self, nick: &str) -> Option<u64> {
        self.by_name.get(&folded(nick)).copied()
    }

    /// A peer's connection is over: its user waits for a while to come back.
    pub(super) fn lose(&mut self, now: Instant, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(origin) = peer.user.take() else { return };
        let Some(user) = self.users.get_mut(&origin) else { return };
        (user.frames, user.bulk_frames) = (peer.frames, peer.bulk_frames);
        user.peer = None;
        user.gone_at = now;
        let nick = user.nick.clone();
        // Rooms keep what they said. What was said in private nobody else has.
        let (private, public): (Vec<_>, Vec<_>) = user
            .unconfirmed
            .drain(..)
            .partition(|message| message.counts && message.private.is_some());
        user.unconfirmed = private.into();
        for message in public.into_iter().filter(|message| message.counts) {
            self.settle(message.number);
        }
        self.deadlines.insert((now + self.limits.return_within, Due::User(origin)));
        self.end_transfers(origin);
        self.log(ServerEvent::Lost { peer: id, nick });
    }

    pub(super) fn user_due(&mut self, now: Instant, origin: u64) {
        let gone = self.users.get(&origin).is_some_and(|user| {
            user.peer.is_none() && user.gone_at + self.limits.return_within <= now
        });
        if gone {
            self.remove_user(origin, Parting::Lost);
        }
    }

    /// The user is gone for good.
    pub(super) fn remove_user(&mut self, origin: u64, why: Parting) {
        self.end_transfers(origin);
        let Some(user) = self.users.remove(&origin) else { return };
        if user.peer.is_none() {
            let due = user.gone_at + self.limits.return_within;
            self.deadlines.remove(&(due, Due::User(origin)));
        }
        self.by_name.remove(&folded(&user.nick));
        self.by_look.remove(&look(&user.nick));
        for message in user.unconfirmed.into_iter().filter(|message| message.counts) {
            if message.private.is_some() {
                self.fail(message.number, &user.nick);
            } else {
                self.settle(message.number);
            }
        }
        for room in user.rooms {
            self.go_out(&room, origin, &user.nick, why);
        }
        self.log(ServerEvent::Gone { nick: user.nick });
    }

    pub(super) fn list_users(&mut self, id: PeerId) {
        let here = self.users.values().filter(|user| user.peer.is_some());
        let names: Vec<&str> = here.map(|user| user.nick.as_str()).collect();
        self.send_list(
            id,
            Listing::Users,
            &names.into_iter().map(String::from).collect::<Vec<_>>(),
        );
    }

    pub(super) fn send_list(&mut self, id: PeerId, what: Listing<'_>, names: &[String]) {
        let shown = names.len().min(self.limits.list_names_max);
        let more = u32::try_from(names.len() - shown).unwrap_or(u32::MAX);
        let mut sorted: Vec<&str> = names.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        sorted.truncate(shown);
        // Names are short, but many long ones may still be more than a frame.
        let mut text = sorted.join(" ");
        let mut cut = 0;
        while text.len() > super::super::frame::TEXT_BYTES_MAX
            && let Some((rest, _)) = text.rsplit_once(' ')
        {
            text.truncate(rest.len());
            cut += 1;
        }
        self.send(id, &Frame::Listed { what, names: &text, more: more + cut });
    }
}
