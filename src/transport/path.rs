//! Where the peer is, and whether it has moved (RFC 9000 sections 8.2 and 9.3).
//!
//! The address of a peer changes when a NAT forgets it, or when it changes networks. The peer is
//! believed to have moved only when the packet with the highest number so far comes from elsewhere,
//! and when somebody there says back what was sent there alone. Until then everything goes where it
//! went, and to the new address no more than three times what came from it: whoever copies packets
//! under another address wins nothing. When the old address is heard of again, it was a copy.

use alloc::{boxed::Box, vec::Vec};
use core::{net::SocketAddr, time::Duration};

use super::validation::Validation;
use crate::{rng::Seed, time::Instant, wire::transport::DATA_HEADER_BYTES};

/// How often a challenge is sent (RFC 9000 section 8.2.4 asks for three probe timeouts).
const TRIES_MAX: u32 = 4;
/// The pause between two challenges grows no longer than this, unless a round trip takes longer: a path
/// that comes back is to be found soon.
const RETRY_MAX: Duration = Duration::from_secs(1);
/// A new address is looked at no more often than this: whoever copies packets from ever other
/// addresses costs little.
const PAUSE: Duration = Duration::from_millis(500);
/// The shortest packet that holds a challenge.
pub(super) const CHALLENGE_BYTES: usize = DATA_HEADER_BYTES + 1 + 8;
/// Challenges of the peer that wait for an answer; more displace the oldest (CVE-2023-49295 was a
/// queue without such a limit).
pub const RESPONSES_MAX: usize = 4;

/// An address that may be the peer's.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    address: SocketAddr,
    account: Validation,
    /// What has to be said back.
    challenge: u64,
    /// The highest number that came from there.
    number: u64,
    /// Challenges sent, when the last was, and when the next is due.
    tries: u32,
    sent_at: Instant,
    due_at: Instant,
    /// When it is given up.
    until: Instant,
}

impl Candidate {
    /// When the next challenge may be sent, if the account allows one.
    fn send_at(&self) -> Option<Instant> {
        let allowed = self.account.budget() >= CHALLENGE_BYTES as u64;
        (self.tries < TRIES_MAX && allowed).then_some(self.due_at)
    }
}

/// The peer has moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Where it was.
    pub from: SocketAddr,
    /// Where it is.
    pub to: SocketAddr,
    /// The round trip of the challenge, if only one was sent.
    pub rtt: Option<Duration>,
}

impl Moved {
    /// Whether only the port is another: the path is probably the same (RFC 9000 section 9.4).
    pub fn is_port_only(&self) -> bool {
        self.from.ip() == self.to.ip()
    }
}

/// What is to be sent to an address that is not the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aside {
    /// The address.
    pub to: SocketAddr,
    /// What somebody there is to say back.
    pub challenge: u64,
    /// The most bytes that may go there.
    pub budget: u64,
}

/// See the [module](self).
#[derive(Clone, Debug)]
pub struct Path {
    address: SocketAddr,
    /// Where challenges come from, and how many there were.
    seed: Seed,
    challenges: u32,
    moves: u32,
    candidate: Option<Box<Candidate>>,
    /// From when on another candidate is looked at.
    looks_from: Instant,
    /// No memory before the first.
    responses: Vec<u64>,
}

impl Path {
    /// The peer is there. `secret` is known to nobody else.
    pub fn new(address: SocketAddr, secret: u64) -> Self {
        Self {
            address,
            seed: Seed::new(secret).split("path challenges"),
            challenges: 0,
            candidate: None,
            looks_from: Instant::ZERO,
            responses: Vec::new(),
            moves: 0,
        }
    }

    /// Where the peer is.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it may have moved to.
    pub fn candidate(&self) -> Option<SocketAddr> {
        self.candidate.as_ref().map(|candidate| candidate.address)
    }

    /// How often it has moved.
    pub const fn moves(&self) -> u32 {
        self.moves
    }

    /// A packet of this number and so many bytes was taken; `newest` tells whether no higher number
    /// has come before.
    pub fn on_packet(
        &mut self,
        now: Instant,
        source: SocketAddr,
        number: u64,
        newest: bool,
        bytes: usize,
    ) {
        if source == self.address {
            // It never left; what came from elsewhere was a copy, or the peer is back.
            self.candidate.take_if(|candidate| newest && number > candidate.number);
            return;
        }
        if let Some(candidate) = self.candidate.as_mut().filter(|c| c.address == source) {
            candidate.account.on_received(bytes);
            candidate.number = candidate.number.max(number);
            return;
        }
        if !newest || now < self.looks_from {
            return;
        }
        let mut account = Validation::new();
        account.on_received(bytes);
        self.challenges += 1;
        let challenge = self.seed.index(self.challenges.into()).rng().next_u64();
        self.looks_from = now + PAUSE;
        self.candidate = Some(Box::new(Candidate {
            address: source,
            account,
            challenge,
            number,
            tries: 0,
            sent_at: now,
            due_at: now,
            until: Instant::MAX,
        }));
    }

    /// Somebody said this back. The peer has moved if it is what was asked.
    pub fn on_response(&mut self, now: Instant, data: u64) -> Option<Moved> {
        let asked =
            |candidate: &mut Box<Candidate>| candidate.tries > 0 && candidate.challenge == data;
        let candidate = self.candidate.take_if(asked)?;
        let moved = Moved {
            from: self.address,
            to: candidate.address,
            rtt: (candidate.tries == 1).then(|| now - candidate.sent_at),
        };
        self.address = candidate.address;
        self.moves += 1;
        Some(moved)
    }

    /// The peer wants this said back.
    pub fn on_challenge(&mut self, data: u64) {
        if self.responses.contains(&data) {
            return;
        }
        if self.responses.len() >= RESPONSES_MAX {
            self.responses.remove(0);
        }
        self.responses.push(data);
    }

    /// Whether the peer waits for something to be said back.
    pub fn has_response(&self) -> bool {
        !self.responses.is_empty()
    }

    /// The next thing to say back.
    pub fn take_response(&mut self) -> Option<u64> {
        (!self.responses.is_empty()).then(|| self.responses.remove(0))
    }

    /// Bytes of memory that it holds.
    pub(super) fn memory_bytes(&self) -> usize {
        let candidate = self.candidate.as_ref().map_or(0, |_| size_of::<Candidate>());
        candidate + self.responses.capacity() * size_of::<u64>()
    }

    /// When the next challenge is due.
    pub fn send_at(&self) -> Option<Instant> {
        self.candidate.as_ref().and_then(|candidate| candidate.send_at())
    }

    /// When a candidate that has not answered is given up.
    pub fn deadline(&self) -> Option<Instant> {
        self.candidate.as_ref().map(|candidate| candidate.until)
    }

    /// Time has passed: gives a candidate up that never answered.
    pub fn on_time(&mut self, now: Instant) {
        self.candidate.take_if(|candidate| candidate.until <= now);
    }

    /// The challenge that is to be sent now, if there is one.
    pub fn poll(&self, now: Instant) -> Option<Aside> {
        let candidate = self.candidate.as_deref()?;
        let Candidate { address: to, challenge, account, .. } = *candidate;
        candidate.send_at().filter(|&at| at <= now)?;
        Some(Aside { to, challenge, budget: account.budget() })
    }

    /// The challenge was sent, with so many bytes. The next one follows after a probe timeout, `pto`,
    /// and then after twice as long, up to a limit.
    pub fn on_sent(&mut self, now: Instant, bytes: usize, pto: Duration) {
        if let Some(candidate) = &mut self.candidate {
            let pause = |tries: u32| (pto * (1 << tries)).min(pto.max(RETRY_MAX));
            candidate.account.on_sent(bytes);
            candidate.due_at = now + pause(candidate.tries.min(TRIES_MAX));
            if candidate.tries == 0 {
                candidate.until = now + (0..TRIES_MAX).map(pause).sum::<Duration>();
            }
            candidate.tries += 1;
            candidate.sent_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PTO: Duration = Duration::from_millis(100);

    const fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn path() -> Path {
        let mut path = Path::new(address(1), 7);
        path.on_packet(at(0), address(1), 10, true, 100);
        path
    }

    /// RFC 9000 section 9.3: "only the highest-numbered packet".
    #[test]
    fn only_the_newest_packet_makes_a_candidate() {
        let mut path = path();
        path.on_packet(at(1), address(2), 5, false, 100);
        assert_eq!((path.candidate(), path.poll(at(1))), (None, None));
        path.on_packet(at(1), address(2), 11, true, 100);
        let aside = path.poll(at(1)).unwrap();
        assert_eq!((aside.to, aside.budget, path.address()), (address(2), 300, address(1)));
        path.on_sent(at(1), 250, PTO);
        path.on_packet(at(2), address(2), 12, true, 10);
        assert_eq!(path.poll(at(200)).map(|aside| aside.budget), Some(80));
        let moved = path.on_response(at(51), aside.challenge).unwrap();
        assert_eq!((moved.from, moved.to), (address(1), address(2)));
        assert_eq!((moved.rtt, moved.is_port_only()), (Some(Duration::from_millis(50)), true));
        assert_eq!((path.address(), path.moves(), path.candidate()), (address(2), 1, None));
    }

    #[test]
    fn nothing_is_believed_that_was_not_asked() {
        let mut path = path();
        path.on_packet(at(1), address(2), 11, true, 100);
        let challenge = path.poll(at(1)).unwrap().challenge;
        assert_eq!(path.on_response(at(1), challenge), None, "it was not sent yet");
        path.on_sent(at(1), 300, PTO);
        assert_eq!(path.on_response(at(2), challenge ^ 1), None);
        assert!(path.on_response(at(2), challenge).is_some());
        assert_eq!(path.on_response(at(2), challenge), None, "once");
    }

    /// RFC 9000 section 9.3.3: whoever copies packets under another address.
    #[test]
    fn the_old_address_lives_and_wins() {
        let mut path = path();
        path.on_packet(at(1), address(2), 11, true, 100);
        path.on_packet(at(2), address(1), 9, false, 100);
        assert!(path.candidate().is_some(), "late packets say nothing");
        path.on_packet(at(2), address(1), 12, true, 100);
        assert_eq!(path.candidate(), None);
        // And the next copy is not even looked at, for a while.
        path.on_packet(at(3), address(2), 13, true, 100);
        assert_eq!(path.candidate(), None);
        path.on_packet(at(501), address(3), 14, true, 100);
        assert_eq!(path.candidate(), Some(address(3)));
    }

    /// RFC 9000 section 8.2.4.
    #[test]
    fn an_address_that_never_answers_is_given_up() {
        let mut path = path();
        path.on_packet(at(0), address(2), 11, true, 100);
        let (mut now, mut sent) = (at(0), 0);
        while let Some(due) = path.send_at().or(path.deadline()) {
            now = now.max(due);
            path.on_time(now);
            if path.poll(now).is_some() {
                path.on_sent(now, 60, PTO);
                sent += 1;
            }
        }
        assert_eq!((sent, now, path.address()), (TRIES_MAX, at(1500), address(1)));
        // And sooner, when the account is empty: nothing is sent on credit.
        path.on_packet(at(2000), address(3), 12, true, 18);
        path.on_sent(at(2000), 54, PTO);
        assert_eq!((path.send_at(), path.deadline()), (None, Some(at(3500))));
    }

    /// A path that carries nothing for a while: the next packet from there, once it was given up, has it
    /// asked again. With pauses that double it would be given up after sixteen probe timeouts only.
    #[test]
    fn who_was_given_up_is_asked_again_soon() {
        const SECOND: Duration = Duration::from_secs(1);
        let mut path = path();
        path.on_packet(at(0), address(2), 11, true, 1000);
        let mut asked = Vec::new();
        for second in 0..6 {
            let now = at(second * 1000);
            path.on_time(now);
            path.on_packet(now, address(2), 12 + second, true, 1000);
            if path.poll(now).is_some() {
                path.on_sent(now, 300, SECOND);
                asked.push(second);
            }
        }
        assert_eq!(asked, [0, 1, 2, 3, 4, 5]);
        // Where a round trip takes longer, its time is given.
        path.on_sent(at(6000), 300, 3 * SECOND);
        assert_eq!(path.send_at(), Some(at(9000)));
    }

    #[test]
    fn answers_are_few_and_the_latest() {
        let mut path = path();
        (0..100).for_each(|data| path.on_challenge(data));
        path.on_challenge(99);
        let answers: Vec<_> = core::iter::from_fn(|| path.take_response()).collect();
        assert_eq!(answers, [96, 97, 98, 99]);
        assert!(!path.has_response());
    }

    #[test]
    fn challenges_differ_and_are_those_of_the_secret() {
        let challenge = |secret, tries: u16| {
            let mut path = Path::new(address(1), secret);
            for port in 2..2 + tries {
                path.on_packet(at(u64::from(port) * 1000), address(port), port.into(), true, 99);
            }
            path.poll(at(1_000_000)).unwrap().challenge
        };
        assert_eq!(challenge(1, 1), challenge(1, 1));
        assert_ne!(challenge(1, 1), challenge(2, 1));
        assert_ne!(challenge(1, 1), challenge(1, 2));
    }
}
