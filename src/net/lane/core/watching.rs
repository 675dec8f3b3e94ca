//! A task of a runtime that waits for the socket in place of the lane's own thread, as the lane knows it.

#[cfg(feature = "tokio")]
use core::mem;
use core::task::Waker;

use super::Core;
#[cfg(feature = "tokio")]
use crate::{
    net::lane::{Ask, Wait, reader::For},
    wire::transport::{ConnectionId, StreamId},
};

/// What a lane knows of the task.
#[derive(Debug, Default)]
#[cfg_attr(
    feature = "tokio",
    expect(
        clippy::struct_excessive_bools,
        reason = "what it was told, in words that can be asked for"
    )
)]
pub(in crate::net::lane) struct Watching {
    waker: Option<Waker>,
    /// It is not to wait any more.
    #[cfg(feature = "tokio")]
    pub(in crate::net::lane) dismissed: bool,
    /// It will run soon, whatever comes.
    #[cfg(feature = "tokio")]
    pub(in crate::net::lane) called: bool,
    /// Whether something may be left to it: it runs when those have run that it woke.
    #[cfg(feature = "tokio")]
    pub(in crate::net::lane) may_leave: bool,
    /// Whether more came than one datagram when the socket was last looked at.
    #[cfg(feature = "tokio")]
    flowing: bool,
    #[cfg(feature = "tokio")]
    pub(in crate::net::lane) favourite: Favourite,
}

impl Watching {
    /// Whether there is such a task.
    pub(in crate::net::lane) fn is_on(&self) -> bool {
        self.waker.is_some()
    }

    /// The socket was looked at, and so many datagrams were there.
    #[cfg(feature = "tokio")]
    pub(super) fn on_turn(&mut self, received: usize) {
        self.flowing = received > 1;
    }
}

/// The stream that was read last and the time before: what arrives is probably for it.
#[cfg(feature = "tokio")]
#[derive(Debug, Default)]
pub(in crate::net::lane) struct Favourite {
    last: Option<(ConnectionId, StreamId)>,
    again: bool,
}

#[cfg(feature = "tokio")]
impl Favourite {
    /// It was read.
    pub(in crate::net::lane) fn on_read(&mut self, stream: (ConnectionId, StreamId)) {
        self.again = self.last.replace(stream) == Some(stream);
    }

    /// Which it is, if any.
    pub(in crate::net::lane) fn get(&self) -> Option<(ConnectionId, StreamId)> {
        self.last.filter(|_| self.again)
    }
}

impl Core {
    /// The task that waits for the socket looks why it was woken, and is known no more.
    pub(in crate::net::lane) fn wake_watcher(&mut self) {
        self.woken.extend(self.watching.waker.take());
    }
}

#[cfg(feature = "tokio")]
impl Core {
    /// A task waits for the socket.
    pub(in crate::net::lane) fn set_watcher(&mut self, waker: &Waker) {
        let known = &mut self.watching.waker;
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.woken.extend(known.replace(waker.clone()));
        }
    }

    /// The task that waits for the socket looks what was left.
    pub(in crate::net::lane) fn call_watcher(&mut self) {
        if !mem::replace(&mut self.watching.called, true) {
            self.woken.extend(self.watching.waker.clone());
        }
    }

    /// Looks at what has arrived if there is something left, or likely to be more, for a task that has
    /// to wait otherwise.
    pub(in crate::net::lane) fn look_for(&mut self, ask: &mut impl Ask) {
        if self.watching.flowing || self.driver.has_arrivals() {
            // What is in a link cannot be left there.
            let may_leave = self.watching.is_on() && self.watching.may_leave;
            let leaves = may_leave && self.driver.links().is_none();
            self.turn(&mut For { ask, leaves });
        }
    }

    /// Lets whoever waits for what has probably arrived look at it, so that bytes go where they are
    /// wanted without having been stored; false when there is nothing, or nobody. Somebody has to look
    /// afterwards whether anything is still there.
    pub(in crate::net::lane) fn let_favourite_look(&mut self) -> bool {
        let Some((id, stream)) = self.watching.favourite.get() else { return false };
        let Some(entry) = self.entries.get_mut(&id) else { return false };
        if self.broken.is_some() || !entry.waiters.has(Wait::Readable(stream)) {
            return false;
        }
        // Errors come again, to who does something about them.
        if !self.driver.fetch().unwrap_or(false) {
            return false;
        }
        entry.waiters.take(Wait::Readable(stream), &mut self.woken);
        true
    }
}
