//! Rooms: in, out, and who may put whom out.

use alloc::{borrow::ToOwned, collections::BTreeMap, format, string::String, sync::Arc, vec::Vec};

use super::{LOBBY, PeerId, Server, ServerEvent, talk::History};
use crate::{
    app::chat::{
        frame::{Frame, Listing, Parting, Reason},
        names::{check_nick, folded},
    },
    time::Instant,
};

/// A room and who is in it.
#[derive(Debug)]
pub(super) struct Room {
    /// As its maker wrote it.
    pub(super) name: String,
    /// Who may put others out; nobody in the lobby.
    pub(super) creator: Option<u64>,
    /// Users by origin, with the order in which they came.
    pub(super) members: BTreeMap<u64, u64>,
    entries: u64,
    pub(super) history: History,
}

impl Room {
    pub(super) fn new(name: &str, creator: Option<u64>) -> Self {
        let (members, history) = (BTreeMap::new(), History::default());
        Self { name: name.into(), creator, members, entries: 0, history }
    }
}

impl Server {
    pub(super) fn enter(
        &mut self,
        now: Instant,
        id: PeerId,
        origin: u64,
        create: bool,
        name: &str,
    ) {
        let key = folded(name);
        let Some(user) = self.users.get(&origin) else { return };
        let (nick, catches_up) = (user.nick.clone(), now < user.catches_up_until);
        let in_rooms = user.rooms.len();
        let exists = self.rooms.contains_key(&key);
        let many = in_rooms >= self.limits.rooms_per_user_max
            || (!exists && self.rooms.len() >= self.limits.rooms_max);
        let refused = if check_nick(name).is_err() {
            Some(Reason::BadName)
        } else if create && exists {
            Some(Reason::RoomExists)
        } else if user.rooms.contains(&key) {
            // It is where it wants to be.
            return self.send(id, &Frame::Entered { room: name, nick: &nick });
        } else {
            many.then_some(Reason::TooManyRooms)
        };
        if let Some(reason) = refused {
            return self.refuse(id, 0, reason, name);
        }
        if !exists {
            self.rooms.insert(key.clone(), Room::new(name, Some(origin)));
            self.log(ServerEvent::Room { room: name.into(), made: true });
        }
        let Some(room) = self.rooms.get_mut(&key) else { return };
        room.entries += 1;
        room.members.insert(origin, room.entries);
        let name = room.name.clone();
        let missed = if catches_up { room.history.after(0, origin) } else { Vec::new() };
        if let Some(user) = self.users.get_mut(&origin) {
            user.rooms.insert(key.clone());
        }
        let frame: Arc<[u8]> = Frame::Entered { room: &name, nick: &nick }.encode().into();
        self.push(id, frame.clone());
        self.tell(&key, origin, &frame);
        self.replay(id, origin, missed);
    }

    /// Who is told what happens in a room: nobody when there are too many.
    pub(super) fn audience(&self, key: &str) -> Vec<u64> {
        let members = self.rooms.get(key).map(|room| &room.members);
        let few = members.filter(|members| members.len() <= self.limits.presence_members_max);
        few.map_or_else(Vec::new, |members| members.keys().copied().collect())
    }

    fn tell(&mut self, key: &str, but: u64, frame: &Arc<[u8]>) {
        for member in self.audience(key).into_iter().filter(|&member| member != but) {
            if let Some(peer) = self.users.get(&member).and_then(|user| user.peer) {
                self.push(peer, frame.clone());
            }
        }
    }

    pub(super) fn leave(&mut self, id: PeerId, origin: u64, name: &str) {
        let key = folded(name);
        let Some(user) = self.users.get_mut(&origin) else { return };
        if !user.rooms.remove(&key) {
            return self.refuse(id, 0, Reason::NotMember, name);
        }
        let nick = user.nick.clone();
        let room = self.rooms.get(&key).map_or(name, |room| &room.name).to_owned();
        self.send(id, &Frame::Left { room: &room, nick: &nick, why: Parting::Left });
        self.go_out(&key, origin, &nick, Parting::Left);
    }

    /// Takes a member out of a room's books and tells the others.
    pub(super) fn go_out(&mut self, key: &str, origin: u64, nick: &str, why: Parting) {
        let Some(room) = self.rooms.get_mut(key) else { return };
        room.members.remove(&origin);
        if room.creator == Some(origin) {
            // Whoever has been there longest looks after it from now on.
            room.creator =
                room.members.iter().min_by_key(|(_, entry)| **entry).map(|(who, _)| *who);
        }
        let name = room.name.clone();
        if room.members.is_empty() && key != LOBBY {
            self.rooms.remove(key);
            return self.log(ServerEvent::Room { room: name, made: false });
        }
        let frame: Arc<[u8]> = Frame::Left { room: &name, nick, why }.encode().into();
        self.tell(key, origin, &frame);
    }

    pub(super) fn kick(&mut self, id: PeerId, origin: u64, name: &str, nick: &str) {
        let key = folded(name);
        let Some(room) = self.rooms.get(&key) else {
            return self.refuse(id, 0, Reason::NoSuchRoom, name);
        };
        if room.creator != Some(origin) {
            return self.refuse(id, 0, Reason::NotCreator, name);
        }
        let name = room.name.clone();
        let whom: Vec<u64> = if nick.is_empty() {
            room.members.keys().copied().filter(|&member| member != origin).collect()
        } else {
            let one = self.find_user(nick).filter(|one| room.members.contains_key(one));
            match one {
                Some(one) if one != origin => Vec::from([one]),
                _ => return self.refuse(id, 0, Reason::NoSuchUser, nick),
            }
        };
        for member in whom {
            let Some(user) = self.users.get_mut(&member) else { continue };
            user.rooms.remove(&key);
            let nick = user.nick.clone();
            self.send_to(member, &Frame::Left { room: &name, nick: &nick, why: Parting::Kicked });
            self.go_out(&key, member, &nick, Parting::Kicked);
        }
    }

    pub(super) fn list_rooms(&mut self, id: PeerId) {
        let line = |room: &Room| format!("{}={}", room.name, room.members.len());
        let names: Vec<String> = self.rooms.values().map(line).collect();
        self.send_list(id, Listing::Rooms, &names);
    }

    pub(super) fn list_members(&mut self, id: PeerId, origin: u64, name: &str) {
        let Some(room) = self.rooms.get(&folded(name)) else {
            return self.refuse(id, 0, Reason::NoSuchRoom, name);
        };
        if !room.members.contains_key(&origin) {
            return self.refuse(id, 0, Reason::NotMember, name);
        }
        let nick = |member| self.users.get(member).map(|user| user.nick.clone());
        let names: Vec<String> = room.members.keys().filter_map(nick).collect();
        let name = room.name.clone();
        self.send_list(id, Listing::Members(&name), &names);
    }
}
