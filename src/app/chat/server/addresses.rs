//! What is left to an address: a new secret, which costs nothing, is no new burst.

use alloc::collections::BTreeMap;
use core::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use super::{PeerId, Server, ServerLimits};
use crate::{app::chat::bucket::Bucket, time::Instant};

/// How often a full table is looked through for what may be forgotten.
const PURGE_EVERY: Duration = Duration::from_secs(1);

/// What somebody may do at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rights {
    pub(super) messages: Bucket,
    pub(super) frames: Bucket,
    pub(super) bulk_frames: Bucket,
}

impl Rights {
    /// All that the limits allow.
    pub(super) fn new(limits: &ServerLimits) -> Self {
        Self {
            messages: Bucket::new(limits.messages),
            frames: Bucket::new(limits.frames),
            bulk_frames: Bucket::new(limits.bulk_frames),
        }
    }

    fn emptier(self, other: Self) -> Self {
        Self {
            messages: self.messages.emptier(other.messages),
            frames: self.frames.emptier(other.frames),
            bulk_frames: self.bulk_frames.emptier(other.bulk_frames),
        }
    }

    fn is_full(&self, now: Instant) -> bool {
        [self.messages, self.frames, self.bulk_frames].iter().all(|bucket| bucket.is_full(now))
    }
}

/// What is left to addresses whose users have used up more than has come since.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    left: BTreeMap<IpAddr, Rights>,
    purge_at: Instant,
}

/// Who has one address of an IPv6 network has 2^64 of them.
fn network(address: SocketAddr) -> IpAddr {
    match address.ip().to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl Addresses {
    /// A user at this address has so much left.
    pub(super) fn note(&mut self, now: Instant, at: SocketAddr, left: Rights, max: usize) {
        let at = network(at);
        if let Some(known) = self.left.get_mut(&at) {
            *known = known.emptier(left);
            return;
        }
        if self.left.len() >= max && now >= self.purge_at {
            self.left.retain(|_, rights| !rights.is_full(now));
            self.purge_at = now + PURGE_EVERY;
        }
        if self.left.len() < max {
            self.left.insert(at, left);
        }
    }
}

impl Server {
    /// What a new connection, or a new user, may do at once.
    pub(super) fn rights_at(&self, id: PeerId) -> Rights {
        let left = self.addresses.left.get(&network(id.address)).copied();
        left.unwrap_or_else(|| Rights::new(&self.limits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_table_is_bounded_and_forgets_who_has_all_again() {
        let limits = ServerLimits::default();
        let mut addresses = Addresses::default();
        let second = |n| Instant::ZERO + Duration::from_secs(n);
        let mut note = |now, host: u8| {
            let mut left = Rights::new(&limits);
            left.messages.spend(now, 20);
            addresses.note(now, SocketAddr::from(([10, 0, 0, host], 1)), left, 4);
            addresses.left.len()
        };
        let lens: [usize; 6] = core::array::from_fn(|n| note(second(10), u8::try_from(n).unwrap()));
        assert_eq!(lens, [1, 2, 3, 4, 4, 4]);
        assert_eq!(note(second(12), 9), 4, "after two seconds nobody has all");
        assert_eq!(note(second(15), 9), 1, "after five everybody has");
    }

    #[test]
    fn a_network_of_version_six_counts_as_one_address() {
        let of = |text| network(at(text));
        assert_eq!(of("[2001:db8::1]:5"), of("[2001:db8::ffff:2]:6"));
        assert_ne!(of("[2001:db8::1]:5"), of("[2001:db8:0:1::1]:5"));
        assert_eq!(of("[::ffff:10.0.0.1]:5"), of("10.0.0.1:6"));
        assert_ne!(of("10.0.0.1:5"), of("10.0.0.2:5"));
    }
}
