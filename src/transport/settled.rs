//! What an ACK or a timeout settles, on its way from recovery to the connection.

use alloc::vec::Vec;
use core::fmt;

use super::ledger::{Content, Sent};
use crate::time::Instant;

/// What a peer acknowledged that it cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeverSent;

impl fmt::Display for NeverSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("acknowledges a packet that was never sent")
    }
}

impl core::error::Error for NeverSent {}

/// What an ACK or a timeout settled; the caller keeps it and its memory.
#[derive(Clone, Debug, Default)]
pub struct Settled {
    /// Contents of packets that arrived.
    pub acked: Vec<Content>,
    /// Contents of packets that are lost.
    pub lost: Vec<Content>,
    /// Numbers of packets that are lost.
    pub(super) lost_numbers: Vec<u64>,
}

impl Settled {
    /// Adds what arrived. Packets of bulk that follow each other are settled in one.
    pub(super) fn add_acked(&mut self, content: &Content) {
        if let Content::Stream { id, bytes, fin } = content
            && let Some(Content::Stream { id: last, bytes: so_far, fin: false }) =
                self.acked.last_mut()
            && last == id
            && so_far.end == bytes.start
            && !fin
        {
            so_far.end = bytes.end;
        } else {
            self.acked.push(content.clone());
        }
    }

    /// Gives back the memory of what it does not hold at present.
    pub(super) fn shrink(&mut self) {
        self.acked.shrink_to_fit();
        self.lost.shrink_to_fit();
        self.lost_numbers.shrink_to_fit();
    }

    /// Contents that it has room for.
    pub(super) fn capacity(&self) -> usize {
        self.acked.capacity() + self.lost.capacity() + self.lost_numbers.capacity()
    }
}

/// What an ACK acknowledges that was not before.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Newly {
    pub(super) bytes: u64,
    /// Packets that carried a mark, late ones included.
    pub(super) marked: u64,
    pub(super) growth_bytes: u64,
    pub(super) eliciting: bool,
    /// The highest number.
    pub(super) newest: Option<(u64, Sent)>,
}

impl Newly {
    pub(super) fn add(&mut self, number: u64, sent: Sent, cut: Option<Instant>) {
        let bytes = u64::from(sent.bytes);
        self.bytes += bytes;
        if cut.is_none_or(|cut| sent.at > cut) {
            self.growth_bytes += bytes;
        }
        self.eliciting |= sent.eliciting;
        if self.newest.is_none_or(|(newest, _)| number > newest) {
            self.newest = Some((number, sent));
        }
    }
}
