//! Bytes that arrive in any order, put into theirs.

use alloc::{boxed::Box, collections::VecDeque, vec, vec::Vec};
use core::fmt;

use super::{RangeSet, RangesFull};

/// The receiving side of a byte stream: stores each byte once, at its place, and gives out what is
/// complete from the front.
///
/// The memory that a peer can make it take is bounded twice: bytes by the window that it was
/// promised ([`InsertError::BeyondWindow`]), and gaps by `gaps_max`, since a peer that sends
/// every other byte would otherwise cost more than the bytes themselves (see RUSTSEC-2026-0185).
///
/// ```
/// use rdtp::buf::RecvBuffer;
///
/// let mut stream = RecvBuffer::new(64);
/// assert_eq!(stream.insert(5, b" world", 100), Ok(6));
/// assert_eq!(stream.readable(), 0);
/// assert_eq!(stream.insert(0, b"hello wo", 100), Ok(5), "three bytes came twice");
/// let mut out = [0; 20];
/// assert_eq!(stream.read(&mut out), 11);
/// assert_eq!(&out[..11], b"hello world");
/// ```
#[derive(Clone)]
pub struct RecvBuffer {
    /// Memory from `base` on; a block that no byte reached is not there.
    blocks: VecDeque<Option<Box<[u8]>>>,
    spare: Vec<Box<[u8]>>,
    /// The place in the stream of the first block's first byte: a multiple of the block size.
    base: u64,
    /// The next byte to be read.
    read: u64,
    /// What arrived and was not read.
    held: RangeSet,
    gaps_max: usize,
}

/// What it knows, not the bytes.
impl fmt::Debug for RecvBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { blocks, spare, base, read, held, gaps_max } = self;
        let (blocks, spare) = (blocks.iter().map(Option::is_some).collect::<Vec<_>>(), spare.len());
        f.debug_struct("RecvBuffer")
            .field("blocks", &blocks)
            .field("spare", &spare)
            .field("base", base)
            .field("read", read)
            .field("held", held)
            .field("gaps_max", gaps_max)
            .finish()
    }
}

/// Why bytes were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsertError {
    /// They reach beyond the window that the peer was given: a broken or hostile peer.
    BeyondWindow,
    /// They would make one gap too many. Nothing was taken; they will come again.
    TooManyGaps,
}

impl fmt::Display for InsertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BeyondWindow => "bytes beyond the window",
            Self::TooManyGaps => "too many gaps in the stream",
        })
    }
}

impl core::error::Error for InsertError {}

impl From<RangesFull> for InsertError {
    fn from(_: RangesFull) -> Self {
        Self::TooManyGaps
    }
}

/// Blocks kept for later use: as many as a window of 1 MiB goes through.
const SPARE_MAX: usize = 256;

impl RecvBuffer {
    /// Bytes of a block of memory.
    pub const BLOCK_BYTES: usize = 4096;

    /// An empty buffer that bears `gaps_max` gaps: so many separate pieces beside the one that can be
    /// read. It takes no memory before the first byte.
    pub const fn new(gaps_max: usize) -> Self {
        Self {
            blocks: VecDeque::new(),
            spare: Vec::new(),
            base: 0,
            read: 0,
            held: RangeSet::new(gaps_max.saturating_add(1)),
            gaps_max,
        }
    }

    /// Puts `data` at `offset`; returns how many of its bytes are new. `limit` is the end of the
    /// window: the first byte that the peer may not send yet.
    pub fn insert(&mut self, offset: u64, data: &[u8], limit: u64) -> Result<u64, InsertError> {
        let end = offset.checked_add(data.len() as u64).ok_or(InsertError::BeyondWindow)?;
        if end > limit {
            return Err(InsertError::BeyondWindow);
        }
        let start = offset.max(self.read);
        if start >= end {
            return Ok(0);
        }
        // What can be read at once makes no gap: refused, it would be refused for ever, since only
        // reading closes gaps.
        let in_order = usize::from(self.readable() > 0);
        let gaps = self.held.ranges() - in_order;
        let new_gap = start > self.read && !self.held.touches(&(start..end));
        if new_gap && gaps >= self.gaps_max {
            return Err(InsertError::TooManyGaps);
        }
        let new = self.held.insert(start..end)?;
        if new > 0 {
            self.store(start, &data[index(start - offset)..]);
        }
        Ok(new)
    }

    /// Writes `data` to its blocks. Bytes that are there already are the same.
    fn store(&mut self, mut at: u64, mut data: &[u8]) {
        while !data.is_empty() {
            let place = index(at - self.base);
            let (block, skip) = (place / Self::BLOCK_BYTES, place % Self::BLOCK_BYTES);
            if block >= self.blocks.len() {
                self.blocks.resize(block + 1, None);
            }
            let spare = &mut self.spare;
            let bytes = self.blocks[block].get_or_insert_with(|| {
                spare.pop().unwrap_or_else(|| vec![0; Self::BLOCK_BYTES].into())
            });
            let len = data.len().min(Self::BLOCK_BYTES - skip);
            bytes[skip..skip + len].copy_from_slice(&data[..len]);
            data = &data[len..];
            at += len as u64;
        }
    }

    /// Bytes that can be read now.
    pub fn readable(&self) -> u64 {
        match self.held.first() {
            Some(first) if first.start == self.read => first.end - first.start,
            _ => 0,
        }
    }

    /// The next bytes in order, as far as they lie together; empty when none are complete.
    /// [`consume`](Self::consume) says how many of them were used.
    pub fn peek(&self) -> &[u8] {
        let skip = index(self.read - self.base);
        let Some(Some(block)) = self.blocks.front() else { return &[] };
        let len = self.readable().min((Self::BLOCK_BYTES - skip) as u64);
        &block[skip..skip + index(len)]
    }

    /// The application has taken the next `len` bytes; no more than can be read.
    pub fn consume(&mut self, len: u64) {
        self.read += len.min(self.readable());
        self.held.remove_below(self.read);
        self.release();
    }

    /// Keeps blocks for later that were read to their end.
    fn release(&mut self) {
        if self.blocks.is_empty() {
            self.base = self.read / Self::BLOCK_BYTES as u64 * Self::BLOCK_BYTES as u64;
        }
        while self.read - self.base >= Self::BLOCK_BYTES as u64 {
            self.base += Self::BLOCK_BYTES as u64;
            if let Some(block) = self.blocks.pop_front().flatten()
                && self.spare.len() < SPARE_MAX
            {
                self.spare.push(block);
            }
        }
    }

    /// The part of `data`, which begins at `offset`, that can be read next: empty when there is a gap
    /// before it, when something waits before it, or when it is known.
    pub fn news<'a>(&self, offset: u64, data: &'a [u8]) -> &'a [u8] {
        if offset > self.read || self.readable() > 0 {
            return &[];
        }
        data.get(index(self.read - offset)..).unwrap_or_default()
    }

    /// The application has taken the next `len` bytes before they came here. Returns `len`.
    pub fn skip(&mut self, len: usize) -> u64 {
        self.read += len as u64;
        self.held.remove_below(self.read);
        self.release();
        len as u64
    }

    /// Copies the next bytes into `out` and consumes them; returns how many.
    pub fn read(&mut self, out: &mut [u8]) -> usize {
        let mut done = 0;
        while done < out.len() {
            let bytes = self.peek();
            let len = bytes.len().min(out.len() - done);
            if len == 0 {
                break;
            }
            out[done..done + len].copy_from_slice(&bytes[..len]);
            self.consume(len as u64);
            done += len;
        }
        done
    }

    /// The next byte to be read.
    pub const fn position(&self) -> u64 {
        self.read
    }

    /// The end of the last byte that arrived, or the position when nothing is held.
    pub fn highest(&self) -> u64 {
        self.held.last().map_or(self.read, |last| last.end)
    }

    /// Bytes of memory it holds: blocks in use and to be used again, and what it knows of them.
    pub fn memory_bytes(&self) -> usize {
        let blocks = self.blocks.iter().flatten().count() + self.spare.len();
        let places = (self.blocks.capacity() + self.spare.capacity()) * size_of::<Box<[u8]>>();
        blocks * Self::BLOCK_BYTES + places + self.held.memory_bytes()
    }

    /// Gives back the memory that only further bytes would need: what is kept for later blocks, and the
    /// last block once all of it was read.
    pub fn shrink(&mut self) {
        if self.held.is_empty() {
            self.abandon();
        }
        self.spare = Vec::new();
        self.held.shrink();
    }

    /// Drops everything that was not read.
    pub fn abandon(&mut self) {
        (self.blocks, self.spare) = (VecDeque::new(), Vec::new());
        self.held.clear();
        self.base = self.read / Self::BLOCK_BYTES as u64 * Self::BLOCK_BYTES as u64;
    }
}

/// A distance within the window, which is memory and so fits.
fn index(distance: u64) -> usize {
    usize::try_from(distance).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(from: u64, len: usize) -> Vec<u8> {
        (from..from + len as u64).map(|at| at.wrapping_mul(0x85eb_ca6b).to_be_bytes()[5]).collect()
    }

    #[test]
    fn memory_that_only_traffic_needs_is_given_back() {
        const BLOCK: u64 = RecvBuffer::BLOCK_BYTES as u64;
        let mut stream = RecvBuffer::new(8);
        let data = [3; 2 * RecvBuffer::BLOCK_BYTES + 10];
        assert_eq!(stream.insert(0, &data, u64::MAX), Ok(2 * BLOCK + 10));
        stream.consume(2 * BLOCK);
        stream.shrink();
        let held = stream.memory_bytes();
        assert!((1..2 * RecvBuffer::BLOCK_BYTES).contains(&held), "ten bytes wait: {held}");
        assert_eq!(stream.peek(), [3; 10]);
        stream.consume(10);
        stream.shrink();
        assert_eq!(stream.memory_bytes(), 0);
        assert_eq!(stream.insert(2 * BLOCK + 10, b"more", u64::MAX), Ok(4));
        assert_eq!(stream.peek(), b"more");
        stream.consume(4);
        assert_eq!(stream.position(), 2 * BLOCK + 14);
    }

    proptest! {
        /// Any pieces in any order with any reads between give the stream.
        #[test]
        fn the_stream_comes_out(
            pieces in prop::collection::vec((0..20_000_u64, 1..5_000_usize, 0..6_000_usize), 1..80),
            ranges_max in 1..8_usize,
        ) {
            let mut buffer = RecvBuffer::new(ranges_max);
            let mut out = Vec::<u8>::new();
            for (offset, len, take) in pieces {
                let before = (buffer.held.clone(), buffer.position());
                match buffer.insert(offset, &bytes(offset, len), 22_000) {
                    Ok(new) => prop_assert_eq!(
                        new,
                        buffer.held.count() - before.0.count()
                    ),
                    Err(error) => {
                        let beyond = offset + len as u64 > 22_000;
                        prop_assert_eq!(error == InsertError::BeyondWindow, beyond);
                        prop_assert_eq!(&before, &(buffer.held.clone(), buffer.position()));
                    }
                }
                let mut part = vec![0; take];
                let got = buffer.read(&mut part);
                out.extend(&part[..got]);
                prop_assert!(buffer.held.ranges() <= ranges_max + 1);
                prop_assert!(buffer.memory_bytes() <= (6 + 2 + SPARE_MAX) * RecvBuffer::BLOCK_BYTES);
            }
            prop_assert_eq!(&out, &bytes(0, out.len()));
            prop_assert_eq!(buffer.position(), out.len() as u64);
        }
    }

    #[test]
    fn steady_state_takes_no_more_memory() {
        let mut buffer = RecvBuffer::new(4);
        let mut out = [0; 10_000];
        for round in 0..100_u64 {
            let offset = round * 10_000;
            assert_eq!(
                buffer.insert(offset + 5_000, &bytes(offset + 5_000, 5_000), u64::MAX),
                Ok(5_000)
            );
            assert_eq!(buffer.insert(offset, &bytes(offset, 5_000), u64::MAX), Ok(5_000));
            assert_eq!(buffer.read(&mut out), 10_000);
            assert!(buffer.memory_bytes() <= 6 * RecvBuffer::BLOCK_BYTES);
        }
    }

    #[test]
    fn the_next_bytes_are_taken_however_many_gaps_there_are() {
        let mut buffer = RecvBuffer::new(1);
        assert_eq!(buffer.insert(3_000, &bytes(3_000, 500), 9_000), Ok(500));
        assert_eq!(buffer.insert(5_000, &bytes(5_000, 500), 9_000), Err(InsertError::TooManyGaps));
        // Nothing else would ever close the gap: these do not reach the piece that waits.
        assert_eq!(buffer.insert(0, &bytes(0, 1_000), 9_000), Ok(1_000));
        assert_eq!(buffer.insert(5_000, &bytes(5_000, 500), 9_000), Err(InsertError::TooManyGaps));
        assert_eq!(buffer.insert(1_000, &bytes(1_000, 2_000), 9_000), Ok(2_000));
        let mut out = [0; 4_000];
        assert_eq!(buffer.read(&mut out), 3_500);
        assert_eq!(out[..3_500], bytes(0, 3_500));
    }

    #[test]
    fn positions_near_the_end_of_numbers_are_refused() {
        let mut buffer = RecvBuffer::new(4);
        assert_eq!(buffer.insert(u64::MAX - 1, b"abc", u64::MAX), Err(InsertError::BeyondWindow));
        assert_eq!(buffer.insert(0, b"", 0), Ok(0));
        assert_eq!(buffer.memory_bytes(), 0);
    }

    #[test]
    fn an_abandoned_buffer_holds_nothing_and_stays_in_place() {
        let mut buffer = RecvBuffer::new(4);
        buffer.insert(0, &bytes(0, 9_000), 10_000).unwrap();
        buffer.consume(5_000);
        buffer.abandon();
        assert_eq!((buffer.readable(), buffer.position()), (0, 5_000));
        assert!(buffer.memory_bytes() < RecvBuffer::BLOCK_BYTES, "places at most");
        assert_eq!(buffer.insert(5_000, &bytes(5_000, 100), 10_000), Ok(100));
        assert_eq!(buffer.peek(), bytes(5_000, 100));
    }
}
