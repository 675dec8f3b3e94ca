//! Equal datagrams written one after the other into a buffer of the caller.
//!
//! This is the shape that a kernel's segmentation offload takes: one buffer, one length for all
//! segments but the last. A driver without offload sends [`Batch::segments`] one by one.

/// A run of datagrams to one destination, in a buffer that the caller owns.
///
/// ```
/// use rdtp::batch::Batch;
///
/// let mut space = [0; 64];
/// let mut batch = Batch::new(&mut space);
/// assert!(batch.put(b"four") && batch.put(b"more"));
/// assert!(!batch.put(b"longer"), "a longer datagram needs a batch of its own");
/// assert!(batch.put(b"end"), "a shorter one may close the batch");
/// assert!(!batch.put(b"and"), "after which nothing may follow");
/// assert_eq!(batch.segments().collect::<Vec<_>>(), [&b"four"[..], b"more", b"end"]);
/// ```
#[derive(Debug)]
pub struct Batch<'a> {
    space: &'a mut [u8],
    len: usize,
    segment: usize,
    count: usize,
    count_max: usize,
    closed: bool,
}

impl<'a> Batch<'a> {
    /// The most segments of one batch that Linux accepts (`UDP_MAX_SEGMENTS` of older kernels).
    pub const SEGMENTS_MAX: usize = 64;

    /// An empty batch over `space`.
    pub fn new(space: &'a mut [u8]) -> Self {
        Self::with_segments_max(space, Self::SEGMENTS_MAX)
    }

    /// An empty batch that takes at most `count_max` datagrams (at least one).
    pub fn with_segments_max(space: &'a mut [u8], count_max: usize) -> Self {
        Self { space, len: 0, segment: 0, count: 0, count_max: count_max.max(1), closed: false }
    }

    /// Appends a datagram. False, and nothing changes, when it does not fit: no room, too many
    /// segments, longer than the first, or a shorter one has closed the batch.
    pub fn put(&mut self, datagram: &[u8]) -> bool {
        self.write(datagram.len(), |space| space.copy_from_slice(datagram))
    }

    /// Appends a datagram of `len` bytes that `fill` writes in place. False, and `fill` is not
    /// called, when it does not fit.
    pub fn write(&mut self, len: usize, fill: impl FnOnce(&mut [u8])) -> bool {
        if !self.fits(len) {
            return false;
        }
        fill(&mut self.space[self.len..self.len + len]);
        if self.count == 0 {
            self.segment = len;
        }
        self.closed = len < self.segment;
        self.len += len;
        self.count += 1;
        true
    }

    /// Appends a datagram of at most `len_max` bytes that `fill` writes in place and whose length it
    /// returns; 0 appends nothing. `fill` is not called when not even the length of the segments
    /// so far, or `len_max` in an empty batch, would fit. Returns the length.
    pub fn write_up_to(&mut self, len_max: usize, fill: impl FnOnce(&mut [u8]) -> usize) -> usize {
        let len_max = if self.count == 0 { len_max } else { len_max.min(self.segment) };
        if len_max == 0 || !self.fits(len_max) {
            return 0;
        }
        let len = fill(&mut self.space[self.len..self.len + len_max]).min(len_max);
        if len > 0 {
            self.write(len, |_| {});
        }
        len
    }

    /// Whether a datagram of `len` bytes would fit now.
    pub fn fits(&self, len: usize) -> bool {
        !self.closed
            && self.count < self.count_max
            && len <= self.space.len() - self.len
            && (self.count == 0 || (len <= self.segment && self.segment > 0))
    }

    /// The length of all segments but the last; `None` unless there are at least two.
    pub fn segment_size(&self) -> Option<usize> {
        (self.count > 1).then_some(self.segment)
    }

    /// How many datagrams are in the batch.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All bytes written so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.space[..self.len]
    }

    /// The datagrams one by one.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        let (bytes, segment) = (self.as_bytes(), self.segment);
        (0..self.count).map(move |i| {
            let start = i * segment;
            &bytes[start..bytes.len().min(start + segment)]
        })
    }

    /// Forgets what was written, keeping the space.
    pub fn clear(&mut self) {
        (self.len, self.segment, self.count, self.closed) = (0, 0, 0, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn empty_datagrams_travel_alone() {
        let mut space = [0; 8];
        let mut batch = Batch::new(&mut space);
        assert!(batch.put(b"") && !batch.put(b"") && !batch.put(b"a"));
        assert_eq!(batch.segments().collect::<Vec<_>>(), [b""]);
        assert_eq!(batch.segment_size(), None);
    }

    #[test]
    fn a_datagram_may_turn_out_shorter_and_then_closes_the_batch() {
        let mut space = [0; 10];
        let mut batch = Batch::new(&mut space);
        let fill = |len: usize| {
            move |space: &mut [u8]| {
                space[..len].fill(7);
                len
            }
        };
        assert_eq!(batch.write_up_to(4, fill(4)), 4);
        assert_eq!(batch.write_up_to(9, fill(0)), 0, "nothing to say");
        assert_eq!(batch.write_up_to(9, |space| space.len()), 4, "no longer than the first");
        assert_eq!(batch.write_up_to(4, |_| unreachable!()), 0, "two bytes are left");
        batch.clear();
        assert_eq!([batch.write_up_to(4, fill(4)), batch.write_up_to(4, fill(3))], [4, 3]);
        assert_eq!(batch.write_up_to(3, |_| unreachable!()), 0);
    }

    #[test]
    fn refuses_what_has_no_room() {
        let mut space = [0; 5];
        let mut batch = Batch::with_segments_max(&mut space, 2);
        assert!(!batch.put(b"toolong") && batch.put(b"ab") && batch.put(b"cd") && !batch.put(b"e"));
        assert_eq!((batch.count(), batch.len(), batch.segment_size()), (2, 4, Some(2)));
        batch.clear();
        assert!(batch.is_empty() && batch.put(b"other"));
    }
}
