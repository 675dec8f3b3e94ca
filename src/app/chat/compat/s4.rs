//! S4's servers: the other end of a talk over TCP, and rooms over UDP with commands of two letters.
//!
//! | typed | sent | |
//! | --- | --- | --- |
//! | `$userlist` | `ul` | who is here |
//! | `$roomlist` | `rl` | which rooms there are |
//! | `$roomcreate NAME` | `rc NAME` | a new room, and into it |
//! | `$roomjoin NAME` | `rj NAME` | into a room |
//! | `$roomleave` | `rq` | out of it |
//! | `$kick` | `kk` | everybody else out of the room that one made |
//! | `$poke NAME` | `pk NAME` | from now on to one user alone |
//! | `:q` | `:q` | the end |
//!
//! The description names `ul` and `rl`; the other letters are chosen here.

use alloc::{
    borrow::ToOwned,
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::net::SocketAddr;

use super::{Out, Outbox, PEERS_MAX, ROOMS_MAX, Style, is_name, list, lossy, tuple};
use crate::app::chat::server::{PeerId, Wire};

#[derive(Debug, Default)]
struct Guest {
    room: Option<String>,
    /// The one user that it talks to.
    link: Option<PeerId>,
}

#[derive(Debug)]
pub(super) struct S4 {
    wire: Wire,
    guests: BTreeMap<PeerId, Guest>,
    /// Rooms, and who made each.
    rooms: BTreeMap<String, PeerId>,
}

impl S4 {
    pub(super) fn new(wire: Wire) -> Self {
        Self { wire, guests: BTreeMap::new(), rooms: BTreeMap::new() }
    }

    fn name(peer: PeerId) -> String {
        peer.address.to_string()
    }

    fn datagram(&mut self, peer: PeerId, bytes: &[u8], out: &mut Outbox) {
        if self.guests.len() >= PEERS_MAX && !self.guests.contains_key(&peer) {
            return;
        }
        self.guests.entry(peer).or_default();
        let text = lossy(bytes);
        let text = text.trim_end_matches(['\r', '\n']);
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        match (word, rest) {
            ("ul", "") => {
                let names: Vec<String> =
                    self.guests.keys().filter(|&&p| p != peer).map(|&p| Self::name(p)).collect();
                out.send(peer, list(names.iter().map(String::as_str)));
            }
            ("rl", "") => out.send(peer, list(self.rooms.keys().map(String::as_str))),
            ("rc", name) if is_name(name) => {
                if !self.rooms.contains_key(name) && self.rooms.len() < ROOMS_MAX {
                    self.rooms.insert(name.to_owned(), peer);
                    self.enter(peer, Some(name));
                }
                out.send(peer, bytes);
            }
            ("rj", name) if self.rooms.contains_key(name) => {
                self.enter(peer, Some(name));
                out.send(peer, bytes);
            }
            ("rj", _) => out.send(peer, &b"[]"[..]),
            ("rq", "") => {
                self.enter(peer, None);
                out.send(peer, bytes);
            }
            ("kk", "") => self.kick(peer, bytes, out),
            ("pk", name) => {
                let other = self.guests.keys().copied().find(|&p| Self::name(p) == name);
                if let Some(guest) = self.guests.get_mut(&peer) {
                    guest.link = other;
                }
                out.send(peer, if other.is_some() { bytes } else { b"[]" });
            }
            (":q", "") => self.gone(peer, out),
            _ => self.say(peer, bytes, out),
        }
    }

    /// S4-12: as many bytes come back to the sender.
    fn say(&self, peer: PeerId, bytes: &[u8], out: &mut Outbox) {
        out.print(format!("{}: {}", Self::name(peer), lossy(bytes)));
        out.send(peer, bytes);
        let Some(guest) = self.guests.get(&peer) else { return };
        let hears = |(&other, theirs): (&PeerId, &Guest)| match guest.link {
            Some(link) => other == link,
            None => other != peer && theirs.room == guest.room,
        };
        for (&other, _) in self.guests.iter().filter(|&(other, theirs)| hears((other, theirs))) {
            out.send(other, bytes);
        }
    }

    fn enter(&mut self, peer: PeerId, room: Option<&str>) {
        if let Some(guest) = self.guests.get_mut(&peer) {
            guest.room = room.map(ToOwned::to_owned);
            guest.link = None;
        }
        self.sweep();
    }

    /// C25: only who made the room, and everybody but them.
    fn kick(&mut self, peer: PeerId, bytes: &[u8], out: &mut Outbox) {
        let room = self.guests.get(&peer).and_then(|guest| guest.room.clone());
        if let Some(room) = room.filter(|room| self.rooms.get(room) == Some(&peer)) {
            for (&other, guest) in self.guests.iter_mut().filter(|(other, _)| **other != peer) {
                if guest.room.as_ref() == Some(&room) {
                    guest.room = None;
                    out.send(other, &b"rq"[..]);
                }
            }
        }
        out.send(peer, bytes);
    }

    /// Rooms without anybody are no more.
    fn sweep(&mut self) {
        let guests = &self.guests;
        self.rooms.retain(|name, _| guests.values().any(|g| g.room.as_deref() == Some(name)));
    }
}

impl Style for S4 {
    fn listening(&self, at: SocketAddr, out: &mut Outbox) {
        out.print(format!("Waiting at {at}"));
    }

    fn connected(&mut self, peer: PeerId, out: &mut Outbox) {
        // Two talk over TCP, not more.
        if !self.guests.is_empty() {
            return out.0.push_back(Out::Close(peer));
        }
        self.guests.insert(peer, Guest::default());
        out.print(format!("Connected: {}", tuple(peer.address)));
    }

    fn message(&mut self, peer: PeerId, bytes: &[u8], out: &mut Outbox) {
        if self.wire == Wire::Datagram {
            return self.datagram(peer, bytes, out);
        }
        if !self.guests.contains_key(&peer) {
            return;
        }
        let text = lossy(bytes);
        for line in text.lines() {
            if line == ":q" {
                out.0.push_back(Out::Close(peer));
                self.gone(peer, out);
                return;
            }
            out.print(line);
        }
    }

    fn gone(&mut self, peer: PeerId, out: &mut Outbox) {
        let was_here = self.guests.remove(&peer).is_some();
        self.sweep();
        if was_here && self.wire == Wire::Stream {
            out.print("The other has left.");
            out.0.push_back(Out::End);
        }
    }
}
