//! Connections and streams that wait to be accepted, from all sockets of a listener.

use alloc::{collections::VecDeque, vec::Vec};
use core::task::Waker;
use std::{
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::wire::transport::ConnectionId;

/// A connection by the number of its lane and its ID.
pub(in crate::net) type Place = (usize, ConnectionId);

/// What waits to be accepted. A connection stands in `fresh` until somebody takes it, or one of its
/// streams; each of its streams stands in `ready`.
#[derive(Debug)]
pub(in crate::net) struct Accepts {
    queues: Mutex<Queues>,
    backlog_max: usize,
}

#[derive(Debug, Default)]
struct Queues {
    fresh: VecDeque<Place>,
    ready: VecDeque<Place>,
    waiting: Vec<Waker>,
    broken: Option<io::ErrorKind>,
}

impl Accepts {
    pub(in crate::net) fn new(backlog_max: usize) -> Self {
        Self { queues: Mutex::default(), backlog_max }
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether no more connections should be accepted for now.
    pub(in crate::net) fn is_full(&self) -> bool {
        let queues = self.queues();
        queues.fresh.len().max(queues.ready.len()) >= self.backlog_max
    }

    /// A connection may be accepted, and so many of its streams.
    pub(super) fn push(&self, place: Place, streams: usize, woken: &mut Vec<Waker>) {
        let mut queues = self.queues();
        queues.fresh.push_back(place);
        queues.ready.extend((0..streams).map(|_| place));
        woken.append(&mut queues.waiting);
    }

    /// One more stream may be accepted.
    pub(super) fn push_stream(&self, place: Place, woken: &mut Vec<Waker>) {
        let mut queues = self.queues();
        queues.ready.push_back(place);
        woken.append(&mut queues.waiting);
    }

    /// Somebody has taken the connection, or it is over.
    pub(super) fn forget(&self, place: Place) {
        let mut queues = self.queues();
        queues.fresh.retain(|&other| other != place);
        queues.ready.retain(|&other| other != place);
    }

    /// Somebody has taken a stream of the connection: it is not to be had whole any more.
    pub(super) fn split(&self, place: Place) {
        self.queues().fresh.retain(|&other| other != place);
    }

    /// A socket is of no more use.
    pub(super) fn fail(&self, kind: io::ErrorKind, woken: &mut Vec<Waker>) {
        let mut queues = self.queues();
        queues.broken = Some(kind);
        woken.append(&mut queues.waiting);
    }

    /// The next connection, or else the waker is called when there may be one.
    pub(in crate::net) fn pop(
        &self,
        waker: Option<&Waker>,
    ) -> Result<Option<Place>, io::ErrorKind> {
        self.queues().pop(|queues| &mut queues.fresh, waker)
    }

    /// A connection with a stream, or else the waker is called when there may be one.
    pub(in crate::net) fn pop_stream(
        &self,
        waker: Option<&Waker>,
    ) -> Result<Option<Place>, io::ErrorKind> {
        self.queues().pop(|queues| &mut queues.ready, waker)
    }
}

impl Queues {
    fn pop(
        &mut self,
        queue: impl FnOnce(&mut Self) -> &mut VecDeque<Place>,
        waker: Option<&Waker>,
    ) -> Result<Option<Place>, io::ErrorKind> {
        if let Some(place) = queue(self).pop_front() {
            return Ok(Some(place));
        }
        if let Some(kind) = self.broken {
            return Err(kind);
        }
        if let Some(waker) = waker
            && !self.waiting.iter().any(|known| known.will_wake(waker))
        {
            self.waiting.push(waker.clone());
        }
        Ok(None)
    }
}
