//! Summing up what leaves, and deciding when the sum is worth a packet.

use alloc::vec::Vec;

use super::{LENGTH_BYTES, SPAN_MAX, add, xor};
use crate::wire::transport::Frame;

/// Sums that are kept: packets whose numbers leave the same rest. Any power of two below follows by
/// adding some up.
const CLASSES: usize = 8;
/// What may be saved up of the budget, in full packets.
const CREDIT_PACKETS_MAX: u64 = CLASSES as u64;
/// Losses and packets that are taken to have been seen before the first: 2 %.
const PRIOR: (u64, u64) = (2, 100);

/// One side's sums of what it sends.
#[derive(Debug)]
pub(in crate::transport) struct RepairSender {
    /// Bytes of repair for a hundred bytes of packets.
    budget_percent: u64,
    packet_bytes: u64,
    /// Bytes of packets that the peer remembers.
    peer_bytes: u64,
    sums: [Vec<u8>; CLASSES],
    /// The packets that were summed up: the first, and how many.
    first: u64,
    span: u64,
    bytes: u64,
    /// Some of them carry what the application waits for.
    worth: bool,
    /// Hundredths of bytes that may be spent.
    credit: u64,
    /// Sums that leave now: how far apart their packets are, and how many have left.
    leaving: Option<(u64, u64)>,
    sent: u64,
}

impl RepairSender {
    /// `peer_bytes` of packets are remembered by the peer; more than none.
    pub(in crate::transport) fn new(
        budget_percent: u32,
        packet_bytes: usize,
        peer_bytes: u64,
    ) -> Self {
        let packet_bytes = packet_bytes as u64;
        Self {
            budget_percent: budget_percent.into(),
            packet_bytes,
            peer_bytes,
            sums: [const { Vec::new() }; CLASSES],
            first: 0,
            span: 0,
            bytes: 0,
            worth: false,
            credit: 100 * packet_bytes,
            leaving: None,
            sent: 0,
        }
    }

    /// Whether repair packets wait to leave.
    pub(in crate::transport) const fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// A packet left with these frames. `worth` tells whether an application waits for it.
    pub(in crate::transport) fn on_sent(&mut self, number: u64, frames: &[u8], worth: bool) {
        if self.leaving.is_some() {
            return;
        }
        let earned = frames.len() as u64 * self.budget_percent;
        self.credit = (self.credit + earned).min(100 * CREDIT_PACKETS_MAX * self.packet_bytes);
        let gap = self.span > 0 && number != self.first + self.span;
        let full = self.span >= SPAN_MAX || self.bytes + frames.len() as u64 > self.peer_bytes;
        if gap || full {
            self.abandon();
        }
        if self.span == 0 {
            if !worth {
                return;
            }
            self.abandon();
            self.first = number;
        }
        self.span += 1;
        self.bytes += frames.len() as u64;
        self.worth |= worth;
        let class = usize::try_from(number % CLASSES as u64).unwrap_or(0);
        add(&mut self.sums[class], frames);
    }

    /// Repairs nothing of what has left so far.
    pub(in crate::transport) fn abandon(&mut self) {
        self.sums.iter_mut().for_each(Vec::clear);
        (self.span, self.bytes, self.worth, self.leaving) = (0, 0, false, None);
    }

    /// The flight is over: nothing more is there to be sent, or as much was summed up as may be. Of
    /// all packets so far `lost` of `sent` were lost.
    pub(in crate::transport) fn finish(&mut self, lost: u64, sent: u64) {
        if self.span == 0 || !self.worth || self.leaving.is_some() {
            return;
        }
        let longest = self.sums.iter().map(Vec::len).max().unwrap_or(0) as u64;
        let affordable = self.credit / (100 * longest.max(1));
        let wanted = packets_for(self.span, lost + PRIOR.0, sent + PRIOR.1);
        let most = affordable.min(self.span).min(CLASSES as u64);
        // A power of two, and no more than is there for it.
        let stride = (1..=CLASSES as u64)
            .rev()
            .find(|n| n.is_power_of_two() && *n <= most && (*n < 2 * wanted));
        match stride {
            Some(stride) => self.leaving = Some((stride, 0)),
            None => self.abandon(),
        }
    }

    /// Whether so much was summed up that it has to leave before more is added.
    pub(in crate::transport) const fn is_full(&self) -> bool {
        self.span >= SPAN_MAX / 2 || 2 * self.bytes > self.peer_bytes
    }

    /// The next repair packet's sum, in the packet `number`.
    pub(in crate::transport) fn next(&mut self, number: u64) -> Option<Frame<'_>> {
        let (stride, done) = self.leaving?;
        let first = self.first + done;
        self.leaving = (done + 1 < stride).then_some((stride, done + 1));
        let class = |number: u64| usize::try_from(number % CLASSES as u64).unwrap_or(0);
        let into = class(first);
        for other in (1..CLASSES as u64 / stride).map(|step| class(first + step * stride)) {
            let other = core::mem::take(&mut self.sums[other]);
            let sum = &mut self.sums[into];
            sum.resize(sum.len().max(other.len()), 0);
            xor(sum, &other);
        }
        let (behind, span) = (number - first, self.span - done);
        if self.leaving.is_none() {
            (self.span, self.bytes, self.worth) = (0, 0, false);
        }
        let sum = &self.sums[into];
        debug_assert!(sum.len() >= LENGTH_BYTES, "a stride is no longer than the span");
        self.credit = self.credit.saturating_sub(100 * sum.len() as u64);
        self.sent += 1;
        Some(Frame::Repair { behind, span, stride, sum })
    }

    /// Repair packets that left.
    pub(in crate::transport) const fn sent(&self) -> u64 {
        self.sent
    }

    /// Bytes of memory that it holds.
    pub(in crate::transport) fn memory_bytes(&self) -> usize {
        self.sums.iter().map(Vec::capacity).sum()
    }
}

/// Repair packets for `span` packets of which `lost` of `sent` are lost: the mean, three standard
/// deviations and one.
fn packets_for(span: u64, lost: u64, sent: u64) -> u64 {
    // In thousandths of packets.
    let mean = span * 1000 * lost / sent.max(1);
    (mean + 3 * (mean * 1000).isqrt()).div_ceil(1000) + 1
}
