//! Who waits for what.

use alloc::{collections::BTreeMap, vec::Vec};
use core::task::Waker;

use crate::wire::transport::StreamId;

/// What can be waited for on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::net) enum Wait {
    /// That the peer answers.
    Connected,
    /// That the peer opens a stream.
    Opened,
    /// That the peer allows one more stream.
    Openable,
    /// A datagram of the application.
    Datagram,
    /// Something to read.
    Readable(StreamId),
    /// Room to write.
    Writable(StreamId),
    /// That the peer has everything.
    Finished(StreamId),
    /// The end of the connection.
    Closed,
}

/// Who waits on one connection. All who wait for the same are woken together, and look again.
#[derive(Debug, Default)]
pub(in crate::net) struct Waiters(BTreeMap<Wait, Vec<Waker>>);

impl Waiters {
    /// Somebody waits, if it is not known already.
    pub(in crate::net) fn add(&mut self, wait: Wait, waker: &Waker) {
        let wakers = self.0.entry(wait).or_default();
        if !wakers.iter().any(|known| known.will_wake(waker)) {
            wakers.push(waker.clone());
        }
    }

    /// Whether anybody waits for it.
    #[cfg(feature = "tokio")]
    pub(in crate::net) fn has(&self, wait: Wait) -> bool {
        self.0.get(&wait).is_some_and(|wakers| !wakers.is_empty())
    }

    /// It has come.
    pub(in crate::net) fn take(&mut self, wait: Wait, woken: &mut Vec<Waker>) {
        // The list stays for the next time; streams that are over take theirs with them.
        if let Some(wakers) = self.0.get_mut(&wait) {
            woken.append(wakers);
        }
    }

    /// Nothing will come any more.
    pub(in crate::net) fn take_all(&mut self, woken: &mut Vec<Waker>) {
        for wakers in self.0.values_mut() {
            woken.append(wakers);
        }
        self.0.clear();
    }

    /// Nobody will wait for anything of this stream any more. Its wakers are called rather than
    /// dropped: what a waker drops may want the lock that is held here.
    pub(in crate::net) fn forget(&mut self, id: StreamId, woken: &mut Vec<Waker>) {
        for wait in [Wait::Readable(id), Wait::Writable(id), Wait::Finished(id)] {
            woken.extend(self.0.remove(&wait).into_iter().flatten());
        }
    }
}
