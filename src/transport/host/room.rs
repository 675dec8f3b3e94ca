//! Room for another connection: how many there may be, how many of one address, and who has to go
//! when there is no room (slowloris: a peer that opens connections and says next to nothing on them
//! has all the places there are for the price of its keep-alives).

use alloc::collections::{BTreeMap, BinaryHeap};
use core::{
    cmp::Reverse,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::Host;
use crate::{
    time::Instant,
    transport::connection::Connection,
    wire::transport::{ConnectionId, Packet},
};

/// Connections that were pushed out and of whose end the application has not heard yet. They are held
/// beside [`connections_max`](super::HostConfig::connections_max), so there are never more.
pub const LEAVING_MAX: usize = 64;

/// Whether there is a place for an opener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// There is; with whether it has to show first that it is where it says.
    Free { proof: bool },
    /// If this connection goes; and the opener has to show first that it is where it says.
    Of(ConnectionId),
    /// There is none.
    Taken,
}

/// Who is idle, and who is where.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Accepted connections, by when their idleness began when it was last looked at.
    idle: BinaryHeap<Reverse<(Instant, ConnectionId)>>,
    /// Accepted connections of each network, where their number has a limit.
    networks: BTreeMap<u64, usize>,
    /// Connections that were pushed out and are still held.
    pub(super) leaving: usize,
}

/// Since when a connection is idle, and what it had carried then. It is counted modulo 2^32: only the
/// difference since the last look matters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    since: Instant,
    carried: u32,
}

impl Progress {
    pub(super) const fn new(now: Instant) -> Self {
        Self { since: now, carried: 0 }
    }

    /// What was carried makes up for idleness: a second for so many bytes, and for any if that is 0.
    pub(super) fn look(&mut self, now: Instant, connection: &Connection, bytes_per_second: u32) {
        self.carry(now, connection.carried_bytes(), bytes_per_second);
    }

    #[expect(clippy::cast_possible_truncation, reason = "modulo 2^32")]
    fn carry(&mut self, now: Instant, carried: u64, bytes_per_second: u32) {
        let new = (carried as u32).wrapping_sub(self.carried);
        self.carried = carried as u32;
        // Less than before: what was sent too early is to be sent again.
        if new == 0 || new > u32::MAX / 2 {
            return;
        }
        let seconds = Duration::from_secs(new.into()).checked_div(bytes_per_second);
        self.since = seconds.map_or(now, |seconds| now.min(self.since + seconds));
    }
}

/// What counts as one address: an address of IPv4, and a network of 64 bits of IPv6, which is what a
/// subscriber has.
fn network(address: SocketAddr) -> u64 {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => ip.to_bits().into(),
        IpAddr::V6(ip) => u64::try_from(ip.to_bits() >> 64).unwrap_or_default(),
    }
}

impl Host {
    /// Looks for a place for an opener at this address.
    pub(super) fn place_for(&mut self, now: Instant, source: SocketAddr) -> Place {
        let limit = self.config.connections_per_address_max;
        let there = self.room.networks.get(&network(source)).copied().unwrap_or(0);
        if there >= limit {
            return Place::Taken;
        }
        if self.entries.len() - self.room.leaving < self.config.connections_max {
            // A stranger must not use up the places of an address that is not his.
            return Place::Free { proof: there >= limit.div_ceil(2) };
        }
        self.longest_idle(now).map_or(Place::Taken, Place::Of)
    }

    /// The connection that has been idle longest, if it may be pushed out. Each is looked at no more
    /// than once in `push_out_after`, however many openers there are.
    fn longest_idle(&mut self, now: Instant) -> Option<ConnectionId> {
        let after = self.config.push_out_after;
        if after.is_zero() || self.room.leaving >= LEAVING_MAX {
            return None;
        }
        let rate = self.config.progress_bytes_per_second;
        while let Some(&Reverse((since, id))) = self.room.idle.peek()
            && since + after <= now
        {
            let Some(entry) =
                self.entries.get_mut(&id).filter(|it| it.connection.life().is_alive())
            else {
                self.room.idle.pop();
                continue;
            };
            entry.progress.look(now, &entry.connection, rate);
            if entry.progress.since == since {
                return Some(id);
            }
            self.room.idle.pop();
            self.room.idle.push(Reverse((entry.progress.since, id)));
        }
        None
    }

    /// Ends a connection at once, for the sake of another. Its peer is told as one that has been
    /// forgotten, which takes no state: RFC 9000 section 10.3.
    pub(super) fn push_out(&mut self, id: ConnectionId) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if !entry.connection.push_out() {
            return;
        }
        entry.flags.leaving = true;
        self.room.leaving += 1;
        let peer = entry.connection.peer();
        let token = self.secret.reset_token(id);
        self.answer(peer, &Packet::Reset { to: id, token });
        self.touch(id);
    }
}

impl Room {
    /// A connection was accepted.
    pub(super) fn enter(&mut self, now: Instant, id: ConnectionId, peer: SocketAddr) {
        self.idle.push(Reverse((now, id)));
        *self.networks.entry(network(peer)).or_default() += 1;
    }

    /// An accepted connection is no longer at this address.
    pub(super) fn leave(&mut self, peer: SocketAddr) {
        if let Some(count) = self.networks.get_mut(&network(peer)) {
            *count -= 1;
            if *count == 0 {
                self.networks.remove(&network(peer));
            }
        }
    }

    /// An accepted connection has moved.
    pub(super) fn moved(&mut self, before: SocketAddr, after: SocketAddr) {
        self.leave(before);
        *self.networks.entry(network(after)).or_default() += 1;
    }

    /// Forgets those that are gone, before they are the greater part.
    pub(super) fn tidy(&mut self, there: impl Fn(&ConnectionId) -> bool, count: usize) {
        if self.idle.len() > 2 * count + GONE_MAX {
            self.idle.retain(|Reverse((_, id))| there(id));
        }
    }

    /// Bytes of memory that it holds, but for what the tree adds.
    pub(super) fn memory_bytes(&self) -> usize {
        self.idle.capacity() * size_of::<Reverse<(Instant, ConnectionId)>>()
            + self.networks.len() * size_of::<(u64, usize)>()
    }
}

/// Connections that are gone and kept beside one for each that is there.
const GONE_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    /// A byte buys its share of a second, and never more than until now; a rate of 0 takes any byte
    /// for all that is wanted.
    #[test]
    fn idleness_is_made_up_for_at_the_rate() {
        let mut progress = Progress::new(at(0));
        progress.carry(at(100), 0, 2);
        assert_eq!(progress.since, at(0), "nothing");
        progress.carry(at(100), 20, 2);
        assert_eq!(progress.since, at(10), "20 bytes are worth ten seconds");
        progress.carry(at(100), 1_000_000, 2);
        assert_eq!(progress.since, at(100), "no credit for the future");
        progress.carry(at(200), 1_000_000, 2);
        assert_eq!(progress.since, at(100));
        let mut any = Progress::new(at(0));
        any.carry(at(70), 1, 0);
        assert_eq!(any.since, at(70));
    }

    /// Counters go around.
    #[test]
    fn four_gibibytes_are_no_idleness() {
        let mut progress = Progress::new(at(0));
        progress.carry(at(1), (1 << 31) - 1, 1);
        progress.carry(at(1), (1 << 32) - 2, 1);
        progress.carry(at(9), (1 << 32) + 2, 1);
        assert_eq!(progress.since, at(5));
        progress.carry(at(20), 1 << 32, 1);
        assert_eq!(progress.since, at(5), "two bytes fewer than before");
    }

    #[test]
    fn an_address_of_ipv6_is_a_network() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("[2001:db8::1]:1"), of("[2001:db8::ffff]:2"));
        assert_ne!(of("[2001:db8::1]:1"), of("[2001:db8:0:1::1]:1"));
        assert_eq!(of("10.0.0.1:1"), of("[::ffff:10.0.0.1]:2"));
        assert_ne!(of("10.0.0.1:1"), of("10.0.0.2:1"));
    }
}
