//! What a lane knows of one connection.

use alloc::collections::{BTreeSet, VecDeque};

use super::waiters::Waiters;
use crate::{net::Error, time::Instant, wire::transport::StreamId};

/// What is known of one connection.
#[derive(Debug)]
pub(super) struct Entry {
    /// Handles of the application.
    pub(super) handles: usize,
    /// A peer opened it and nobody has taken it whole: it lasts as long as the peer wants.
    pub(super) adopted: bool,
    /// It was offered to the listener.
    pub(super) offered: bool,
    pub(super) stage: Stage,
    pub(super) closed: Option<Error>,
    /// Streams of the peer that nobody has taken.
    pub(super) incoming: VecDeque<StreamId>,
    /// Streams without handles whose last bytes the peer does not have yet.
    pub(super) unfinished: BTreeSet<StreamId>,
    pub(super) leaving: Option<Instant>,
    /// Bytes of those streams that the peer had when it was last looked at.
    pub(super) delivered: u64,
    pub(super) waiters: Waiters,
}

/// How far opening is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Opening,
    Connected,
    /// The peer's machine has said that nobody listens.
    Refused,
}

impl Entry {
    /// What is known at the beginning.
    pub(super) fn new(adopted: bool) -> Self {
        Self {
            handles: usize::from(!adopted),
            adopted,
            offered: false,
            stage: Stage::Opening,
            closed: None,
            incoming: VecDeque::new(),
            unfinished: BTreeSet::new(),
            leaving: None,
            delivered: 0,
            waiters: Waiters::default(),
        }
    }
}
