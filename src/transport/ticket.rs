//! Tickets: cookies for a later connection, which need no round trip to be worth something.
//!
//! A ticket says that its bearer received what this host sent to its IP address, and what the path
//! between them bore. It is good for a while, once, for as long as this host keeps its state and
//! its limits. So whoever sends an old packet again gets nothing by it, and data that comes with a
//! ticket reaches the application once at most (RFC 8446 section 8.1).

use alloc::collections::BTreeSet;
use core::{hash::Hasher, net::IpAddr, time::Duration};

use super::{cookie::Secret, resume::KnownPath};
use crate::{
    rng::{Rng, Seed},
    time::Instant,
    wire::transport::{COOKIE_BYTES_MAX, Params},
};

/// A cookie as the side keeps it that was given it: bytes that only their maker understands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    bytes: [u8; COOKIE_BYTES_MAX],
    len: usize,
}

impl core::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Ticket({} bytes)", self.len)
    }
}

impl Ticket {
    /// The ticket of these bytes; `None` when they are none or more than 64.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let len = bytes.len();
        let mut new = Self { bytes: [0; COOKIE_BYTES_MAX], len };
        new.bytes.get_mut(..len).filter(|_| len > 0)?.copy_from_slice(bytes);
        Some(new)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Second, name, round trip, window: four, eight, four and four bytes; sixteen of proof.
const FIELDS_BYTES: usize = 20;
const TICKET_BYTES: usize = FIELDS_BYTES + 16;
/// The unit of the window in a ticket.
const WINDOW_UNIT: u64 = 1024;

/// Makes tickets and knows which were used.
#[derive(Debug)]
pub(super) struct Tickets {
    secret: Secret,
    lifetime: Duration,
    /// Part of every proof: tickets of an earlier life are worth nothing, since which of them were
    /// used is not known any more.
    life: u64,
    names: Rng,
    used: Used,
}

impl Tickets {
    pub(super) fn new(secret: Secret, lifetime: Duration, used_max: usize, seed: Seed) -> Self {
        let mut names = seed.split("tickets").rng();
        Self { secret, lifetime, life: names.next_u64(), names, used: Used::new(used_max) }
    }

    /// Whether this host gives any.
    pub(super) fn are_given(&self) -> bool {
        !self.lifetime.is_zero()
    }

    /// A ticket for whoever received at `ip` what was sent there, over this path. `params` are the
    /// limits that its bearer may count on.
    pub(super) fn make(
        &mut self,
        now: Instant,
        ip: IpAddr,
        path: &KnownPath,
        params: &Params,
    ) -> Ticket {
        let word = |value: u128| u32::try_from(value).unwrap_or(u32::MAX);
        let mut bytes = [0; TICKET_BYTES];
        bytes[..4].copy_from_slice(&second(now).to_be_bytes());
        bytes[4..12].copy_from_slice(&self.names.next_u64().to_be_bytes());
        bytes[12..16].copy_from_slice(&word(path.rtt.as_micros()).to_be_bytes());
        let window = word(u128::from(path.window_bytes / WINDOW_UNIT));
        bytes[16..20].copy_from_slice(&window.to_be_bytes());
        let proof = self.proof(&bytes[..FIELDS_BYTES], ip, params);
        bytes[FIELDS_BYTES..].copy_from_slice(&proof);
        let mut ticket = Ticket { bytes: [0; COOKIE_BYTES_MAX], len: TICKET_BYTES };
        ticket.bytes[..TICKET_BYTES].copy_from_slice(&bytes);
        ticket
    }

    /// Takes a ticket. What it says of the path, or `None` if it is worth nothing: not ours, too old,
    /// of another address, with other limits, or used.
    pub(super) fn redeem(
        &mut self,
        now: Instant,
        ip: IpAddr,
        params: &Params,
        ticket: &[u8],
    ) -> Option<KnownPath> {
        let (fields, proof) = ticket.split_at_checked(FIELDS_BYTES)?;
        let (made, rest) = fields.split_first_chunk::<4>()?;
        let (name, rest) = rest.split_first_chunk::<8>()?;
        let (rtt, window) = rest.split_first_chunk::<4>()?;
        let window = u32::from_be_bytes(*window.as_array::<4>()?);
        let age = second(now).checked_sub(u32::from_be_bytes(*made))?;
        let fresh = Duration::from_secs(age.into()) < self.lifetime;
        let ours = super::cookie::same(proof, &self.proof(fields, ip, params));
        if !fresh || !ours || !self.used.insert(now, self.lifetime, u64::from_be_bytes(*name)) {
            return None;
        }
        Some(KnownPath {
            rtt: Duration::from_micros(u32::from_be_bytes(*rtt).into()),
            window_bytes: u64::from(window) * WINDOW_UNIT,
        })
    }

    fn proof(&self, fields: &[u8], ip: IpAddr, params: &Params) -> [u8; 16] {
        self.secret.hash(b't', |hasher| {
            hasher.write(&self.life.to_be_bytes());
            match ip {
                IpAddr::V4(ip) => hasher.write(&ip.octets()),
                IpAddr::V6(ip) => hasher.write(&ip.octets()),
            }
            let Params { max_data, max_stream_data, max_streams, .. } = params;
            for limit in [max_data, max_stream_data, max_streams] {
                hasher.write(&limit.to_be_bytes());
            }
            hasher.write(fields);
        })
    }

    /// Bytes of memory that it holds beside itself.
    pub(super) fn memory_bytes(&self) -> usize {
        let used: usize = self.used.names.iter().map(BTreeSet::len).sum();
        used * BYTES_PER_NAME
    }
}

/// What a name takes in a set: it, and its share of a node.
const BYTES_PER_NAME: usize = 16;

/// The names of tickets that were used, for as long as they would be good: two spans of a lifetime,
/// this one and the one before. A span that is full takes no more, and then no ticket is worth
/// anything until the next one: openers make their round trip as ever.
#[derive(Debug)]
struct Used {
    names_max: usize,
    span: u64,
    names: [BTreeSet<u64>; 2],
}

impl Used {
    const fn new(names_max: usize) -> Self {
        Self { names_max, span: 0, names: [BTreeSet::new(), BTreeSet::new()] }
    }

    /// Takes note that a ticket is used. False if it was before, or if nothing more can be noted.
    fn insert(&mut self, now: Instant, lifetime: Duration, name: u64) -> bool {
        let lifetime = lifetime.as_secs().max(1);
        let span = now.since_epoch().as_secs() / lifetime;
        if span != self.span {
            let last = core::mem::take(&mut self.names[0]);
            self.names[1] = if span == self.span + 1 { last } else { BTreeSet::new() };
            self.span = span;
        }
        let [this, last] = &mut self.names;
        this.len() < self.names_max && !last.contains(&name) && this.insert(name)
    }
}

fn second(now: Instant) -> u32 {
    u32::try_from(now.since_epoch().as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);
    const PATH: KnownPath =
        KnownPath { rtt: Duration::from_millis(50), window_bytes: 600 * WINDOW_UNIT };

    fn tickets(key: u8, seed: u64) -> Tickets {
        Tickets::new(Secret::new([key; 16]), DAY, 3, Seed::new(seed))
    }

    fn at(hours: u64) -> Instant {
        Instant::ZERO + Duration::from_hours(hours)
    }

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn params(max_data: u64) -> Params {
        Params { max_data, ..Params::default() }
    }

    #[test]
    fn a_ticket_is_good_once_for_its_bearer_for_a_while() {
        let mut host = tickets(1, 1);
        let ticket = host.make(at(5), ip(1), &PATH, &params(9));
        let take = |host: &mut Tickets, hour, ip, max| {
            host.redeem(at(hour), ip, &params(max), ticket.bytes())
        };
        assert_eq!(take(&mut host, 5, ip(2), 9), None, "of another address");
        assert_eq!(take(&mut host, 5, ip(1), 8), None, "with other limits");
        assert_eq!(take(&mut host, 4, ip(1), 9), None, "not yet");
        assert_eq!(take(&mut host, 29, ip(1), 9), None, "too old");
        assert_eq!(take(&mut tickets(2, 1), 5, ip(1), 9), None, "of another secret");
        assert_eq!(take(&mut tickets(1, 2), 5, ip(1), 9), None, "of an earlier life");
        assert_eq!(take(&mut host, 28, ip(1), 9), Some(PATH));
        assert_eq!(take(&mut host, 28, ip(1), 9), None, "twice");
    }

    #[test]
    fn no_forgery_is_taken() {
        let mut host = tickets(1, 1);
        let ticket = host.make(at(5), ip(1), &PATH, &params(9));
        for bit in 0..TICKET_BYTES * 8 {
            let mut forged = ticket.bytes().to_vec();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(host.redeem(at(5), ip(1), &params(9), &forged), None, "bit {bit}");
        }
        for len in 0..TICKET_BYTES {
            assert_eq!(host.redeem(at(5), ip(1), &params(9), &ticket.bytes()[..len]), None);
        }
        assert_eq!(host.redeem(at(5), ip(1), &params(9), ticket.bytes()), Some(PATH));
    }

    #[test]
    fn what_is_noted_is_bounded_and_forgotten_no_sooner_than_it_may_be() {
        let mut host = tickets(1, 1);
        let mut given: alloc::vec::Vec<_> =
            (0..4).map(|_| host.make(at(20), ip(1), &PATH, &params(9))).collect();
        let take = |host: &mut Tickets, hour, ticket: &Ticket| {
            host.redeem(at(hour), ip(1), &params(9), ticket.bytes()).is_some()
        };
        let last = given.pop().unwrap();
        assert!(given.iter().all(|ticket| take(&mut host, 23, ticket)));
        assert!(!take(&mut host, 23, &last), "three are noted, a fourth would not be");
        assert_eq!(host.memory_bytes(), 3 * BYTES_PER_NAME);
        assert!(given.iter().all(|ticket| !take(&mut host, 43, ticket)), "the next day");
        assert!(take(&mut host, 43, &last));
        let new = host.make(at(80), ip(1), &PATH, &params(9));
        assert!(take(&mut host, 80, &new));
        assert_eq!(host.memory_bytes(), BYTES_PER_NAME, "the first day is over");
    }

    #[test]
    fn a_ticket_has_1_to_64_bytes() {
        assert!(Ticket::new(&[]).is_none() && Ticket::new(&[0; 65]).is_none());
        assert_eq!(Ticket::new(&[7; 64]).unwrap().bytes(), [7; 64]);
    }
}
