//! Batches that the socket has not taken.

use core::ops::Range;
use std::io::IoSlice;

use super::Socket;
use crate::{endpoint::Transmit, sys::udp::Outgoing};

/// A batch, or what is left of it, that the socket has not taken.
#[derive(Clone, Debug)]
pub(super) struct Unsent {
    pub(super) transmit: Transmit,
    pub(super) lies: Lies,
    pub(super) segment: usize,
}

/// Where a batch lies.
#[derive(Clone, Debug)]
pub(super) enum Lies {
    /// In the driver's space.
    Here(Range<usize>),
    /// With the endpoint: what it lent so many offers after the first.
    Lent(usize),
}

impl Unsent {
    /// What one message can hold, headers and all, is 64 KiB; those of IPv6 are longer than those
    /// that a batch of datagrams allows for.
    const MESSAGE_BYTES_MAX_6: usize = 65_536 - 40 - 8;

    /// One or two messages for a batch.
    pub(super) fn split(
        transmit: Transmit,
        bytes: Range<usize>,
        segment: usize,
    ) -> impl Iterator<Item = Self> {
        let cut = if transmit.destination.is_ipv6() && bytes.len() > Self::MESSAGE_BYTES_MAX_6 {
            bytes.end - segment.min(bytes.len())
        } else {
            bytes.end
        };
        let parts = [bytes.start..cut, cut..bytes.end];
        let parts = parts.into_iter().filter(move |part| !part.is_empty() || bytes.is_empty());
        parts.map(move |bytes| Self { transmit, lies: Lies::Here(bytes), segment })
    }

    pub(super) fn message<'a>(&self, socket: &Socket, parts: &'a [IoSlice<'a>]) -> Outgoing<'a> {
        let Transmit { destination, source, ecn, .. } = self.transmit;
        let single = match &self.lies {
            Lies::Here(bytes) => bytes.len() <= self.segment,
            Lies::Lent(_) => self.transmit.size <= self.segment,
        };
        Outgoing {
            parts,
            segment: u16::try_from(self.segment).ok().filter(|_| !single),
            destination: socket.wire_destination(destination),
            // A connected socket knows, and what the endpoint knows may be a thing of the past.
            source: source.filter(|_| !socket.is_connected()),
            ecn,
        }
    }
}
