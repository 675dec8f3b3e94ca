//! Acknowledgements: ranges of packet numbers (RFC 9000 section 19.3).

use core::{ops::Range, time::Duration};

use super::{Reader, Writer};
use crate::{
    buf::RangeSet,
    wire::{DecodeError, varint},
};

/// How many packets arrived with which ECN mark, since the connection began (RFC 9000 section
/// 19.3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EcnCounts {
    /// Marked ECT(0).
    pub ect0: u64,
    /// Marked ECT(1).
    pub ect1: u64,
    /// Marked congestion experienced.
    pub ce: u64,
}

/// The most ranges of an ACK: as many as a receiver remembers. Reading a range costs the sender a few
/// nanoseconds, so whoever sends more than anybody needs is refused.
pub const ACK_RANGES_MAX: usize = 256;

/// Which packets arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack<'a> {
    /// How long ago the highest of them arrived, in whole microseconds on the wire.
    pub delay: Duration,
    /// The packets, as ranges.
    pub ranges: AckRanges<'a>,
    /// ECN marks seen, when any mark was.
    pub ecn: Option<EcnCounts>,
}

/// Ranges of packet numbers as they lie in a packet, highest first. Checked when they were decoded:
/// ascending numbers within 62 bits, gaps between ranges, no more than [`ACK_RANGES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckRanges<'a> {
    largest: u64,
    count: u64,
    /// The length of the first range less one, then pairs of a gap less one and a length less one.
    encoded: &'a [u8],
}

impl<'a> AckRanges<'a> {
    /// The highest number.
    pub const fn largest(&self) -> u64 {
        self.largest
    }

    /// How many ranges.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The ranges, highest first.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> + use<'a> {
        let mut reader = Reader::new(self.encoded);
        let mut end = Some(self.largest + 1);
        core::iter::from_fn(move || {
            let len = reader.varint().ok()? + 1;
            let range = end?.checked_sub(len)?..end?;
            // The gap to the next one, when there is one.
            end = reader.varint().ok().and_then(|gap| range.start.checked_sub(gap + 1));
            Some(range)
        })
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        const BELOW_ZERO: DecodeError = DecodeError::Field("an ACK reaches below packet 0");
        let largest = reader.varint()?;
        let more = reader.varint()?;
        if more >= ACK_RANGES_MAX as u64 {
            return Err(DecodeError::Field("an ACK has more than 256 ranges"));
        }
        let start = *reader;
        let mut lowest = largest.checked_sub(reader.varint()?).ok_or(BELOW_ZERO)?;
        for _ in 0..more {
            let below = reader.varint()? + 1 + reader.varint()? + 1;
            lowest = lowest.checked_sub(below).ok_or(BELOW_ZERO)?;
        }
        let len = start.rest().len() - reader.rest().len();
        Ok(Self { largest, count: more + 1, encoded: &start.rest()[..len] })
    }
}

impl<'a> Ack<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>, with_ecn: bool) -> Result<Self, DecodeError> {
        let delay = Duration::from_micros(reader.varint()?);
        let ranges = AckRanges::decode(reader)?;
        let mut count = || reader.varint();
        let ecn = if with_ecn {
            Some(EcnCounts { ect0: count()?, ect1: count()?, ce: count()? })
        } else {
            None
        };
        Ok(Self { delay, ranges, ecn })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer.varint(micros(self.delay));
        writer.varint(self.ranges.largest);
        writer.varint(self.ranges.count - 1);
        writer.bytes(self.ranges.encoded);
        if let Some(ecn) = self.ecn {
            encode_ecn(ecn, writer);
        }
    }

    pub(super) fn encoded_len(&self) -> usize {
        let head = [micros(self.delay), self.ranges.largest, self.ranges.count - 1];
        let ecn = self.ecn.map_or(0, ecn_len);
        head.into_iter().map(varint::len).sum::<usize>() + self.ranges.encoded.len() + ecn
    }

    /// Writes an ACK frame of the highest ranges of `seen`, as many as fit into `room` bytes, with
    /// type. Returns how many ranges that were; 0, and nothing is written, when none fit.
    pub fn write(
        seen: &RangeSet,
        delay: Duration,
        ecn: Option<EcnCounts>,
        room: usize,
        writer: &mut Writer<'_>,
    ) -> usize {
        let Some(last) = seen.last() else { return 0 };
        let largest = last.end - 1;
        // The type, and two bytes for the count of ranges whatever it turns out to be.
        let fixed = 1 + varint::len(micros(delay)) + varint::len(largest) + 2;
        let mut len = fixed + ecn.map_or(0, ecn_len) + varint::len(last.end - 1 - last.start);
        if len > room.min(writer.room()) {
            return 0;
        }
        let mut count = 1_u64;
        for (gap, run) in gaps(seen) {
            len += varint::len(gap) + varint::len(run);
            if len > room.min(writer.room()) || count >= ACK_RANGES_MAX as u64 {
                break;
            }
            count += 1;
        }
        writer.u8(if ecn.is_some() { super::frame::ACK_ECN } else { super::frame::ACK });
        writer.varint(micros(delay));
        writer.varint(largest);
        writer.varint(count - 1);
        writer.varint(last.end - 1 - last.start);
        for (gap, run) in gaps(seen).take(usize::try_from(count - 1).unwrap_or(usize::MAX)) {
            writer.varint(gap);
            writer.varint(run);
        }
        if let Some(ecn) = ecn {
            encode_ecn(ecn, writer);
        }
        usize::try_from(count).unwrap_or(usize::MAX)
    }
}

/// After the highest range: the gap above each range less one, and the range's length less one.
fn gaps(seen: &RangeSet) -> impl Iterator<Item = (u64, u64)> {
    let above = seen.iter().rev();
    let below = seen.iter().rev().skip(1);
    above
        .zip(below)
        .map(|(above, below)| (above.start - below.end - 1, below.end - 1 - below.start))
}

fn encode_ecn(ecn: EcnCounts, writer: &mut Writer<'_>) {
    for count in [ecn.ect0, ecn.ect1, ecn.ce] {
        writer.varint(count);
    }
}

fn ecn_len(ecn: EcnCounts) -> usize {
    [ecn.ect0, ecn.ect1, ecn.ce].into_iter().map(varint::len).sum()
}

fn micros(delay: Duration) -> u64 {
    u64::try_from(delay.as_micros()).unwrap_or(varint::MAX).min(varint::MAX)
}
