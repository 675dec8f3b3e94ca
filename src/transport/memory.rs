//! What a side keeps of the peers that it has talked to, so that the next connection begins better.

use alloc::collections::{BTreeMap, VecDeque};
use core::{net::SocketAddr, time::Duration};

use super::{resume::KnownPath, ticket::Ticket};
use crate::{time::Instant, wire::transport::Params};

/// What is known of a peer and of the path to it from earlier connections. A plain value: take it
/// from a connection with [`Connection::memory`], keep it, and open the next connection with it.
///
/// [`Connection::memory`]: super::connection::Connection::memory
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathMemory {
    /// When it was true.
    pub at: Instant,
    /// Round trip and capacity, when they were measured.
    pub path: Option<KnownPath>,
    /// A cookie of the peer for the next connection. It is good once.
    pub ticket: Option<Ticket>,
    /// The peer's first limits, on which whoever brings the ticket may count.
    pub params: Params,
}

impl PathMemory {
    /// Paths change: what is older says nothing about round trip and capacity (RFC 9040 section 4
    /// leaves the age open).
    pub const PATH_AGE_MAX: Duration = Duration::from_hours(1);

    /// The path, unless that was long ago.
    pub(super) fn fresh_path(&self, now: Instant) -> Option<KnownPath> {
        self.path.filter(|_| now - self.at <= Self::PATH_AGE_MAX)
    }
}

/// Memories of peers, at most so many: the one that was not renewed for longest goes first.
#[derive(Clone, Debug)]
pub(super) struct Memories {
    max: usize,
    of: BTreeMap<SocketAddr, PathMemory>,
    /// Oldest first.
    order: VecDeque<SocketAddr>,
}

impl Memories {
    pub(super) const fn new(max: usize) -> Self {
        Self { max, of: BTreeMap::new(), order: VecDeque::new() }
    }

    pub(super) fn get(&self, peer: SocketAddr) -> Option<&PathMemory> {
        self.of.get(&peer)
    }

    /// What is known of a peer; its ticket is given away with it.
    pub(super) fn take(&mut self, peer: SocketAddr) -> Option<PathMemory> {
        let memory = self.of.get_mut(&peer)?;
        let taken = *memory;
        memory.ticket = None;
        Some(taken)
    }

    /// Keeps what is known of a peer. A new memory without a ticket does not throw one away.
    pub(super) fn keep(&mut self, peer: SocketAddr, memory: PathMemory) {
        if self.max == 0 {
            return;
        }
        let old = self.of.remove(&peer);
        if old.is_some() {
            self.order.retain(|&other| other != peer);
        } else if self.of.len() >= self.max
            && let Some(oldest) = self.order.pop_front()
        {
            self.of.remove(&oldest);
        }
        let same_limits = |old: &PathMemory| old.params == memory.params;
        let older = old.filter(same_limits).and_then(|old| old.ticket);
        let path = memory.path.or(old.and_then(|old| old.path));
        let ticket = memory.ticket.or(older);
        self.of.insert(peer, PathMemory { path, ticket, ..memory });
        self.order.push_back(peer);
    }

    /// Bytes of memory that it holds.
    pub(super) fn memory_bytes(&self) -> usize {
        self.of.len() * size_of::<(SocketAddr, PathMemory)>()
            + self.order.capacity() * size_of::<SocketAddr>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], port))
    }

    fn memory(ticket: Option<u8>) -> PathMemory {
        let ticket = ticket.and_then(|byte| Ticket::new(&[byte]));
        PathMemory { at: Instant::ZERO, path: None, ticket, params: Params::default() }
    }

    #[test]
    fn a_ticket_is_taken_once_and_kept_over_news_without_one() {
        let mut memories = Memories::new(4);
        assert_eq!(memories.take(peer(1)), None);
        memories.keep(peer(1), memory(Some(7)));
        memories.keep(peer(1), memory(None));
        assert_eq!(memories.take(peer(1)), Some(memory(Some(7))));
        assert_eq!(memories.take(peer(1)), Some(memory(None)));
        memories.keep(peer(1), memory(Some(7)));
        let other = Params { max_data: 1, ..Params::default() };
        memories.keep(peer(1), PathMemory { params: other, ..memory(None) });
        assert_eq!(memories.take(peer(1)).unwrap().ticket, None, "the limits are others");
    }

    #[test]
    fn the_oldest_goes_first() {
        let mut memories = Memories::new(2);
        for port in [1, 2, 1, 3] {
            memories.keep(peer(port), memory(None));
        }
        let known = [1, 2, 3].map(|port| memories.get(peer(port)).is_some());
        assert_eq!(known, [true, false, true]);
        let mut none = Memories::new(0);
        none.keep(peer(1), memory(None));
        assert!(none.get(peer(1)).is_none() && none.memory_bytes() == 0);
    }

    #[test]
    fn an_old_path_says_nothing() {
        let path = KnownPath { rtt: Duration::from_millis(5), window_bytes: 9 };
        let memory = PathMemory { path: Some(path), ..memory(None) };
        let hour = Instant::ZERO + PathMemory::PATH_AGE_MAX;
        assert_eq!(memory.fresh_path(hour), Some(path));
        assert_eq!(memory.fresh_path(hour + Duration::from_nanos(1)), None);
    }
}
