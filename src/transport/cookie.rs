//! What a host can check without having kept anything: cookies and reset tokens.
//!
//! Both are keyed hashes (SipHash-2-4 with 128 bits, Aumasson and Bernstein 2012). A cookie shows
//! that its bearer received what was sent to its address a moment ago; a token shows that its bearer
//! has the key that made it.

use core::{
    hash::Hasher,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use siphasher::sip128::{Hasher128, SipHasher24};

use crate::{
    time::Instant,
    wire::transport::{ConnectionId, ResetToken},
};

/// How long a cookie is good for: between one and two of these.
const BUCKET: Duration = Duration::from_secs(10);
/// Four bytes of time, sixteen of proof.
pub(super) const COOKIE_BYTES: usize = 20;

/// The key of a host. Keep it over a restart, and peers learn of the restart at once; choose it at
/// random, and nobody else can say so.
#[derive(Clone, Copy)]
pub struct Secret([u8; 16]);

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// The key made of these bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(super) fn hash(&self, purpose: u8, fill: impl FnOnce(&mut SipHasher24)) -> [u8; 16] {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(&[purpose]);
        fill(&mut hasher);
        hasher.finish128().as_u128().to_be_bytes()
    }

    /// The proof that this host once had the connection of that ID.
    pub fn reset_token(&self, id: ConnectionId) -> ResetToken {
        ResetToken(self.hash(b'r', |hasher| hasher.write(&id.0.to_be_bytes())))
    }

    fn proof(&self, bucket: u32, peer: SocketAddr, opener: ConnectionId) -> [u8; 16] {
        self.hash(b'c', |hasher| {
            match peer.ip() {
                IpAddr::V4(ip) => hasher.write(&ip.octets()),
                IpAddr::V6(ip) => hasher.write(&ip.octets()),
            }
            hasher.write(&peer.port().to_be_bytes());
            hasher.write(&opener.0.to_be_bytes());
            hasher.write(&bucket.to_be_bytes());
        })
    }

    /// A cookie for the opener at `peer`.
    pub(super) fn cookie(
        &self,
        now: Instant,
        peer: SocketAddr,
        opener: ConnectionId,
    ) -> [u8; COOKIE_BYTES] {
        let bucket = bucket(now);
        let mut cookie = [0; COOKIE_BYTES];
        cookie[..4].copy_from_slice(&bucket.to_be_bytes());
        cookie[4..].copy_from_slice(&self.proof(bucket, peer, opener));
        cookie
    }

    /// Whether this is a cookie of ours, for this opener, and still good.
    pub(super) fn is_good(
        &self,
        now: Instant,
        peer: SocketAddr,
        opener: ConnectionId,
        cookie: &[u8],
    ) -> bool {
        let Some((time, proof)) = cookie.split_first_chunk::<4>() else { return false };
        let made = u32::from_be_bytes(*time);
        let fresh = bucket(now).wrapping_sub(made) <= 1;
        fresh && same(proof, &self.proof(made, peer, opener))
    }
}

/// Compares without telling by its duration where the first difference is.
pub(super) fn same(a: &[u8], b: &[u8; 16]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
}

fn bucket(now: Instant) -> u32 {
    // The end of time is 58 billion seconds away.
    u32::try_from(now.since_epoch().as_secs() / BUCKET.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_good_for_its_bearer_for_a_while() {
        let secret = Secret::new([7; 16]);
        let peer: SocketAddr = "10.0.0.1:7".parse().unwrap();
        let other: SocketAddr = "10.0.0.1:8".parse().unwrap();
        let (id, at) = (ConnectionId(5), |s| Instant::ZERO + Duration::from_secs(s));
        let cookie = secret.cookie(at(99), peer, id);
        assert!(
            secret.is_good(at(99), peer, id, &cookie) && secret.is_good(at(109), peer, id, &cookie)
        );
        assert!(!secret.is_good(at(110), peer, id, &cookie), "too old");
        assert!(!secret.is_good(at(80), peer, id, &cookie), "not yet");
        assert!(!secret.is_good(at(99), other, id, &cookie));
        assert!(!secret.is_good(at(99), peer, ConnectionId(6), &cookie));
        assert!(!Secret::new([8; 16]).is_good(at(99), peer, id, &cookie));
        assert!(
            !secret.is_good(at(99), peer, id, &cookie[..19])
                && !secret.is_good(at(99), peer, id, b"")
        );
        for bit in 0..COOKIE_BYTES * 8 {
            let mut forged = cookie;
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(!secret.is_good(at(99), peer, id, &forged), "bit {bit}");
        }
    }

    #[test]
    fn tokens_differ() {
        let secret = Secret::new([7; 16]);
        assert_eq!(secret.reset_token(ConnectionId(1)), secret.reset_token(ConnectionId(1)));
        assert_ne!(secret.reset_token(ConnectionId(1)), secret.reset_token(ConnectionId(2)));
    }
}
