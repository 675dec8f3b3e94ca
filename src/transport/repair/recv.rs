//! Remembering what arrived, and finding what is missing from a sum.

use alloc::{
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};

use super::{LENGTH_BYTES, SPAN_MAX, add};
use crate::buf::RangeSet;

/// Sums that wait until only one of their packets is missing.
const WAITING_MAX: usize = 8;
/// Packets that are remembered, however short they are.
const PACKETS_MAX: usize = 128;
/// Longer memory is not kept for later.
const SPARE_BYTES_MAX: usize = 2048;
/// Runs of numbers that are remembered as repaired: the rest may be taken twice.
const RUNS_MAX: usize = 64;

/// One side's memory of what it received.
#[derive(Debug)]
pub(in crate::transport) struct RepairReceiver {
    bytes_max: usize,
    /// The frames of packets, by number.
    packets: BTreeMap<u64, Vec<u8>>,
    waiting: VecDeque<Sum>,
    bytes: usize,
    /// Memory to be used again.
    spare: Vec<Vec<u8>>,
    /// Packets that were found and heard before they arrived, if they ever do.
    repaired: RangeSet,
    count: u64,
}

/// A repair packet.
#[derive(Debug)]
struct Sum {
    first: u64,
    span: u64,
    stride: u64,
    /// Its packets that are not there.
    missing: usize,
    bytes: Vec<u8>,
}

impl Sum {
    fn numbers(&self) -> impl Iterator<Item = u64> + use<> {
        let stride = usize::try_from(self.stride).unwrap_or(usize::MAX);
        (self.first..self.first.saturating_add(self.span)).step_by(stride)
    }

    fn holds(&self, number: u64) -> bool {
        let place = number.checked_sub(self.first);
        place.is_some_and(|place| place < self.span && place.is_multiple_of(self.stride))
    }
}

impl RepairReceiver {
    /// Remembers packets of `bytes_max` together; 0 for none.
    pub(in crate::transport) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            packets: BTreeMap::new(),
            waiting: VecDeque::new(),
            bytes: 0,
            spare: Vec::new(),
            repaired: RangeSet::new(RUNS_MAX),
            count: 0,
        }
    }

    /// Whether the packet of this number was found before: what it says was heard.
    pub(in crate::transport) fn was_repaired(&self, number: u64) -> bool {
        self.repaired.contains(number)
    }

    /// A packet arrived, for the first time, or was found.
    pub(in crate::transport) fn on_packet(&mut self, number: u64, frames: &[u8]) {
        if self.packets.contains_key(&number) {
            return;
        }
        let holds = self.waiting.iter_mut().filter(|sum| sum.holds(number));
        holds.for_each(|sum| sum.missing = sum.missing.saturating_sub(1));
        let memory = self.memory_for(frames);
        if let Some(memory) = memory {
            self.packets.insert(number, memory);
        }
    }

    /// Copies bytes, and forgets the lowest numbers where there is too much.
    fn memory_for(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        if bytes.len() > self.bytes_max {
            return None;
        }
        while self.bytes + bytes.len() > self.bytes_max || self.packets.len() >= PACKETS_MAX {
            let lowest = self.packets.pop_first().map(|(_, memory)| memory);
            let oldest = lowest.or_else(|| self.waiting.pop_front().map(|sum| sum.bytes));
            self.recycle(oldest?);
        }
        let mut memory = self.spare.pop().unwrap_or_default();
        memory.clear();
        memory.extend_from_slice(bytes);
        self.bytes += memory.len();
        Some(memory)
    }

    /// What is held no more is used again.
    fn recycle(&mut self, memory: Vec<u8>) {
        self.bytes -= memory.len();
        if self.spare.len() < WAITING_MAX && memory.capacity() <= SPARE_BYTES_MAX {
            self.spare.push(memory);
        }
    }

    /// A repair packet arrived: a sum of the packets `first`, `first + stride` and so on below
    /// `first + span`. `has_arrived` tells of a number whether that packet did.
    pub(in crate::transport) fn on_repair(
        &mut self,
        (first, span, stride): (u64, u64, u64),
        sum: &[u8],
        has_arrived: impl Fn(u64) -> bool,
    ) {
        if span > SPAN_MAX {
            return;
        }
        let mut sum_of = Sum { first, span, stride, missing: 0, bytes: Vec::new() };
        for number in sum_of.numbers().filter(|number| !self.packets.contains_key(number)) {
            // What arrived and is not remembered leaves the sum without a meaning.
            if has_arrived(number) {
                return;
            }
            sum_of.missing += 1;
        }
        if sum_of.missing == 0 {
            return;
        }
        if self.waiting.len() >= WAITING_MAX
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.recycle(oldest.bytes);
        }
        if let Some(bytes) = self.memory_for(sum) {
            self.waiting.push_back(Sum { bytes, ..sum_of });
        }
    }

    /// A packet that follows from what is there: its number, and its frames. Ask again.
    pub(in crate::transport) fn poll(&mut self) -> Option<(u64, Vec<u8>)> {
        while let Some(at) = self.waiting.iter().position(|sum| sum.missing <= 1) {
            let sum = self.waiting.remove(at)?;
            let mut rest = sum.bytes.clone();
            self.recycle(sum.bytes);
            let sum = Sum { bytes: Vec::new(), ..sum };
            if let Some(found) = self.solve(&sum, &mut rest) {
                return Some(found);
            }
        }
        None
    }

    /// Takes what is there out of a sum; what is left is the packet that is missing.
    fn solve(&mut self, sum: &Sum, rest: &mut Vec<u8>) -> Option<(u64, Vec<u8>)> {
        let mut missing = None;
        for number in sum.numbers() {
            match self.packets.get(&number) {
                Some(frames) => add(rest, frames),
                // One of them was forgotten in the meantime.
                None if missing.is_some() => return None,
                None => missing = Some(number),
            }
        }
        let missing = missing?;
        let (&[high, low], frames) = rest.split_first_chunk::<LENGTH_BYTES>()?;
        // A packet that never was has no frames.
        let len = usize::from(u16::from_be_bytes([high, low]));
        let frames = frames.get(..len).filter(|frames| !frames.is_empty())?.to_vec();
        self.on_packet(missing, &frames);
        Some((missing, frames))
    }

    /// What a packet says that was found was heard. If there was no room for it, it was not, and the
    /// packet itself may still bring it.
    pub(in crate::transport) fn on_heard(&mut self, number: u64) {
        self.repaired.insert_or_forget_lowest(number..number + 1);
        self.count += 1;
    }

    /// Packets that were found and heard.
    pub(in crate::transport) const fn count(&self) -> u64 {
        self.count
    }

    /// Bytes of memory that it holds.
    pub(in crate::transport) fn memory_bytes(&self) -> usize {
        let packets = self.packets.values().map(Vec::capacity);
        let sums = self.waiting.iter().map(|sum| sum.bytes.capacity());
        let spare = self.spare.iter().map(Vec::capacity);
        packets.chain(sums).chain(spare).sum::<usize>()
            + self.packets.len() * size_of::<(u64, Vec<u8>)>()
            + self.waiting.capacity() * size_of::<Sum>()
            + self.spare.capacity() * size_of::<Vec<u8>>()
            + self.repaired.memory_bytes()
    }
}
