//! Several lanes behind one address: which of them a datagram is for, and how it gets there when it
//! came to another.
//!
//! A connection belongs to the lane that accepted it, for good: its ID says which
//! ([`ConnectionId::lane`]). Where the system can be told to look at the ID, a datagram comes to the
//! right socket even after its sender has moved to another address; elsewhere, and for what was
//! coalesced with a neighbour's, it is handed over. No lane ever waits for the lock of another's
//! connections.

use alloc::{boxed::Box, collections::VecDeque, sync::Weak, vec::Vec};
use core::sync::atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Acquire};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::Lane;
use crate::{
    endpoint::RecvMeta,
    wire::transport::{ConnectionId, Packet},
};

/// Datagrams that wait to be taken over by one lane; more are dropped, as if the network had.
const HANDED_MAX: usize = 256;

/// The lanes of a listener with several threads.
#[derive(Debug)]
pub(in crate::net) struct Group {
    seats: Vec<Seat>,
    /// Lanes that have nothing left to do.
    over: AtomicUsize,
}

/// One lane, as the others see it.
#[derive(Debug, Default)]
struct Seat {
    lane: OnceLock<Weak<Lane>>,
    handed: Mutex<VecDeque<(RecvMeta, Box<[u8]>)>>,
    /// How many were handed over in all.
    count: AtomicUsize,
}

impl Group {
    pub(in crate::net) fn new(lanes: usize) -> Self {
        let seats = (0..lanes).map(|_| Seat::default()).collect();
        Self { seats, over: AtomicUsize::new(0) }
    }

    /// The lane of this number is there.
    pub(super) fn sit(&self, number: usize, lane: Weak<Lane>) {
        // Every number is given once.
        let _ = self.seats[number].lane.set(lane);
    }

    /// The lane that a datagram is for, when its ID says so.
    fn lane_of(&self, datagram: &[u8]) -> Option<usize> {
        let lanes = u16::try_from(self.seats.len()).ok()?;
        Some(ConnectionId::of(datagram)?.lane(lanes).into())
    }

    /// Gives a datagram that came to `here` to the lane it is for; false when that is `here`.
    pub(super) fn hand_over(&self, here: usize, meta: RecvMeta, datagram: &[u8]) -> bool {
        if Packet::is_reset(datagram) {
            // It names the connection as its peer does, which says nothing: it may be anybody's.
            for lane in (0..self.seats.len()).filter(|&lane| lane != here) {
                self.put(lane, meta, datagram);
            }
            return false;
        }
        let Some(lane) = self.lane_of(datagram).filter(|&lane| lane != here) else { return false };
        self.put(lane, meta, datagram);
        true
    }

    fn put(&self, lane: usize, meta: RecvMeta, datagram: &[u8]) {
        let seat = &self.seats[lane];
        let mut handed = seat.handed.lock().unwrap_or_else(PoisonError::into_inner);
        if handed.len() < HANDED_MAX {
            handed.push_back((meta, datagram.into()));
            seat.count.fetch_add(1, AcqRel);
        }
        drop(handed);
        self.wake(lane);
    }

    fn wake(&self, lane: usize) {
        if let Some(lane) = self.seats[lane].lane.get().and_then(Weak::upgrade) {
            lane.notify();
        }
    }

    /// The next datagram that was handed over to this lane.
    pub(super) fn take(&self, lane: usize) -> Option<(RecvMeta, Box<[u8]>)> {
        self.seats[lane].handed.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// How many datagrams came to the socket of another lane than theirs.
    pub(in crate::net) fn handed_over(&self) -> usize {
        self.seats.iter().map(|seat| seat.count.load(Acquire)).sum()
    }

    /// One more lane has nothing left to do. It stays until no other needs its socket.
    pub(in crate::net) fn on_over(&self) {
        if self.over.fetch_add(1, AcqRel) + 1 == self.seats.len() {
            for lane in 0..self.seats.len() {
                self.wake(lane);
            }
        }
    }

    /// Whether none has.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Acquire) == self.seats.len()
    }
}
