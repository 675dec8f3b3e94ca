//! What a host keeps of peers beyond their connections.

use core::net::SocketAddr;

use super::Host;
use crate::{
    time::Instant,
    transport::{
        config::Config,
        connection::Connection,
        memory::{Memories, PathMemory},
        ticket::Tickets,
    },
};

impl Host {
    /// What is remembered of a peer that this host opened connections to.
    pub fn memory_of(&self, peer: SocketAddr) -> Option<&PathMemory> {
        self.memories.get(peer)
    }

    /// Remembers something of a peer, as if an earlier connection had learned it: what was kept
    /// elsewhere, over a restart for example.
    pub fn remember(&mut self, peer: SocketAddr, memory: PathMemory) {
        self.memories.keep(peer, memory);
    }
}

impl Memories {
    /// Keeps what a connection has learned, when there is a ticket and when it is over.
    pub(super) fn renew(&mut self, now: Instant, connection: &mut Connection) {
        if (connection.take_memory_news() || connection.is_closed())
            && let Some(memory) = connection.memory(now)
        {
            self.keep(connection.peer(), memory);
            connection.forget_ticket();
        }
    }
}

impl Tickets {
    /// Gives a connection a ticket for its opener when one is due.
    pub(super) fn renew(&mut self, now: Instant, connection: &mut Connection, config: &Config) {
        if let Some(path) = connection.wants_ticket() {
            let ticket = self.make(now, connection.peer().ip(), &path, &config.params());
            connection.give_ticket(ticket, &path);
        }
    }
}
