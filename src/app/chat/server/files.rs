//! Files on their way from one user to another: offered, wanted, and passed on as the receiver asks.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};

use super::{PeerId, Server, ServerEvent};
use crate::app::{
    chat::frame::{FRAME_BYTES_MAX, FileEnd, Frame, Reason},
    file::check_name,
};

/// Bytes of the longest message from the receiver of a file: its verdict, and room for more.
const BACK_BYTES_MAX: usize = 64;
/// The first byte of a verdict, after which a transfer is over.
const VERDICT: u8 = 5;

/// One side of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    origin: u64,
    /// What this user and the server call the transfer.
    id: u32,
}

#[derive(Clone, Copy, Debug)]
struct Transfer {
    from: End,
    to: End,
    wanted: bool,
    /// Bytes that the sender may send, in all.
    granted: u64,
    sent: u64,
}

/// All transfers.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    all: BTreeMap<u32, Transfer>,
    ends: BTreeMap<End, u32>,
    of_user: BTreeMap<u64, BTreeSet<u32>>,
    made: u32,
}

impl Transfers {
    fn count(&self, origin: u64) -> usize {
        self.of_user.get(&origin).map_or(0, BTreeSet::len)
    }

    fn find(&self, origin: u64, id: u32) -> Option<(u32, Transfer)> {
        let key = *self.ends.get(&End { origin, id })?;
        Some((key, *self.all.get(&key)?))
    }

    fn insert(&mut self, from: End, to_origin: u64) -> Option<End> {
        self.made = self.made.wrapping_add(1);
        // Clients count in even numbers, the server in odd ones.
        let to = End { origin: to_origin, id: self.made.wrapping_mul(2) | 1 };
        let key = to.id;
        if self.all.contains_key(&key) || self.ends.contains_key(&from) {
            return None;
        }
        self.all.insert(key, Transfer { from, to, wanted: false, granted: 0, sent: 0 });
        for end in [from, to] {
            self.ends.insert(end, key);
            self.of_user.entry(end.origin).or_default().insert(key);
        }
        Some(to)
    }

    fn remove(&mut self, key: u32) {
        let Some(transfer) = self.all.remove(&key) else { return };
        for end in [transfer.from, transfer.to] {
            self.ends.remove(&end);
            if let Some(of_user) = self.of_user.get_mut(&end.origin) {
                of_user.remove(&key);
                if of_user.is_empty() {
                    self.of_user.remove(&end.origin);
                }
            }
        }
    }
}

impl Transfer {
    /// The other side, seen from this one.
    fn other(&self, origin: u64, id: u32) -> End {
        if self.from == (End { origin, id }) { self.to } else { self.from }
    }
}

impl Server {
    pub(super) fn offer(
        &mut self,
        id: PeerId,
        origin: u64,
        transfer: u32,
        nick: &str,
        name: &str,
        size: u64,
    ) {
        let to = self.find_user(nick).filter(|&to| to != origin);
        let here = to.filter(|to| self.users.get(to).is_some_and(|user| user.peer.is_some()));
        let refused = if check_name(name).is_err() {
            Some((Reason::FileName, name))
        } else {
            here.is_none().then_some((Reason::NoSuchUser, nick))
        };
        let full = |who: u64| self.transfers.count(who) >= self.limits.transfers_per_user_max;
        let too_many = full(origin) || here.is_some_and(full) || !transfer.is_multiple_of(2);
        let refused = refused.or(too_many.then_some((Reason::TooManyFiles, nick)));
        let end = match (refused, here) {
            (None, Some(to)) => self.transfers.insert(End { origin, id: transfer }, to),
            _ => None,
        };
        let Some(end) = end else {
            let (reason, detail) = refused.unwrap_or((Reason::TooManyFiles, nick));
            self.refuse(id, 0, reason, detail);
            return self.send(id, &Frame::FileEnd { transfer, why: FileEnd::Gone });
        };
        let nick_of = |server: &Self, origin| {
            server.users.get(&origin).map(|user| user.nick.clone()).unwrap_or_default()
        };
        let (from, to) = (nick_of(self, origin), nick_of(self, end.origin));
        self.send_to(end.origin, &Frame::Offer { transfer: end.id, nick: &from, name, size });
        self.log(ServerEvent::Offered { from, to, size });
    }

    pub(super) fn answer(&mut self, origin: u64, id: u32, wanted: bool) {
        let Some((key, transfer)) = self.transfers.find(origin, id) else { return };
        if transfer.to != (End { origin, id }) || transfer.wanted {
            return;
        }
        if wanted {
            if let Some(transfer) = self.transfers.all.get_mut(&key) {
                transfer.wanted = true;
            }
        } else {
            self.transfers.remove(key);
        }
        let from = transfer.from;
        self.send_to(from.origin, &Frame::Answer { transfer: from.id, wanted });
    }

    /// The receiver has room. However much it says, the server holds no more than its window.
    pub(super) fn credit(&mut self, origin: u64, id: u32, bytes: u64) {
        let window = self.limits.file_window_bytes;
        let Some(&key) = self.transfers.ends.get(&End { origin, id }) else { return };
        let Some(transfer) = self.transfers.all.get_mut(&key) else { return };
        if transfer.to != (End { origin, id }) || !transfer.wanted {
            return;
        }
        let bytes = bytes.min(transfer.sent.saturating_add(window));
        if bytes > transfer.granted {
            transfer.granted = bytes;
            let from = transfer.from;
            self.send_to(from.origin, &Frame::Credit { transfer: from.id, bytes });
        }
    }

    pub(super) fn file(&mut self, origin: u64, id: u32, message: &[u8]) {
        let Some((key, transfer)) = self.transfers.find(origin, id) else { return };
        if !transfer.wanted {
            return;
        }
        let other = transfer.other(origin, id);
        let sends = transfer.from == (End { origin, id });
        let room = if sends { transfer.granted - transfer.sent } else { BACK_BYTES_MAX as u64 };
        if message.len() as u64 > room || message.len() > FRAME_BYTES_MAX {
            return self.finish(key, FileEnd::Excess, None);
        }
        let frame = Frame::File { transfer: other.id, message }.encode();
        if sends {
            if let Some(transfer) = self.transfers.all.get_mut(&key) {
                transfer.sent += message.len() as u64;
            }
            self.push_bulk(other.origin, frame.into());
        } else {
            if message.first() == Some(&VERDICT) {
                self.transfers.remove(key);
            }
            if let Some(peer) = self.users.get(&other.origin).and_then(|user| user.peer) {
                self.push(peer, frame.into());
            }
        }
    }

    fn push_bulk(&mut self, origin: u64, frame: Arc<[u8]>) {
        let Some(id) = self.users.get(&origin).and_then(|user| user.peer) else { return };
        if let Some(peer) = self.peers.get_mut(&id).filter(|peer| !peer.closing) {
            peer.bulk.push_back(frame);
            self.mark_ready(id);
        }
    }

    pub(super) fn file_end(&mut self, origin: u64, id: u32, why: FileEnd) {
        if let Some((key, _)) = self.transfers.find(origin, id) {
            self.finish(key, why, Some(origin));
        }
    }

    /// A transfer is over before its end: everybody in it is told, but whoever said so.
    fn finish(&mut self, key: u32, why: FileEnd, but: Option<u64>) {
        let Some(transfer) = self.transfers.all.get(&key).copied() else { return };
        self.transfers.remove(key);
        for end in [transfer.from, transfer.to] {
            if Some(end.origin) != but {
                self.send_to(end.origin, &Frame::FileEnd { transfer: end.id, why });
            }
        }
    }

    pub(super) fn end_transfers(&mut self, origin: u64) {
        let keys: Vec<u32> =
            self.transfers.of_user.get(&origin).into_iter().flatten().copied().collect();
        for key in keys {
            self.finish(key, FileEnd::Gone, Some(origin));
        }
    }
}
