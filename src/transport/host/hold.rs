//! What an application may still want of connections that are closed, and whether there are to be
//! more of them.

use super::Host;
use crate::wire::transport::ConnectionId;

impl Host {
    /// Keeps a connection after its end until it is [released](Self::release), so that what arrived
    /// before the end can still be read. False when there is no such connection. Hold one no later
    /// than its [`Event::Closed`](crate::transport::connection::Event::Closed) is polled.
    pub fn hold(&mut self, id: ConnectionId) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else { return false };
        entry.flags.held = true;
        true
    }

    /// Lets a connection go that was held. It stays as long as it is needed to end in good order.
    pub fn release(&mut self, id: ConnectionId) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.flags.held = false;
            self.touch(id);
        }
    }

    /// Accepts connections from now on, or no more. Openers are not refused but not heard: they try
    /// again until they give up.
    pub fn set_accepts(&mut self, accepts: bool) {
        self.config.accepts = accepts;
    }

    /// Chooses IDs that say to which of several hosts behind one address a packet belongs; see
    /// [`ConnectionId::lane`]. `lane` is below `lanes`.
    pub fn choose_ids_in(&mut self, lane: u16, lanes: u16) {
        assert!(lane < lanes, "lanes are numbered from 0");
        self.lane = (lane, lanes);
    }
}
