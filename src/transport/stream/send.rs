//! The sending half of a stream (RFC 9000 section 3.1).

use core::ops::Range;

use super::WriteError;
use crate::{
    buf::{SendBuffer, SlotSpace, WholeSlot},
    transport::flow::SendLimit,
};

/// Where a sending half is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The application writes.
    Open,
    /// The application has finished; the end is to be told, was told, or arrived.
    Finished(Told),
    /// The application, or the peer's wish, has ended it early.
    Reset { code: u64, told: Told },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Pending,
    Sent,
    Acked,
}

/// Bytes from the application to the peer.
#[derive(Clone, Debug)]
pub struct SendHalf {
    buffer: SendBuffer,
    limit: SendLimit,
    state: State,
    stopped: Option<u64>,
    /// The application was refused room and wants to hear when there is some.
    wants_room: bool,
    /// The application's last write did not fit: there is more to come.
    has_more: bool,
    announcement: Announcement,
}

/// Whether the peer is told of the stream before there is anything to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Announcement {
    None,
    Pending,
    Sent,
}

impl SendHalf {
    /// An open half: slots of `slot_bytes`, at most `capacity_bytes` held, and the peer's limit.
    pub fn new(slot_bytes: usize, capacity_bytes: u64, limit: u64) -> Self {
        Self {
            buffer: SendBuffer::new(slot_bytes, capacity_bytes),
            limit: SendLimit::new(limit),
            state: State::Open,
            stopped: None,
            wants_room: false,
            has_more: false,
            announcement: Announcement::None,
        }
    }

    /// The same for a stream with headers of so many bytes; see [`SendBuffer::with_headroom`].
    #[must_use]
    pub fn with_headroom(mut self, headroom: usize) -> Self {
        self.buffer = self.buffer.with_headroom(headroom);
        self
    }

    /// The peer is to hear of the stream even if nothing is written: an empty frame tells it, unless
    /// data does.
    pub fn announce(&mut self) {
        let unheard = self.announcement == Announcement::None && self.buffer.next() == 0;
        if unheard && self.state == State::Open {
            self.announcement = Announcement::Pending;
        }
    }

    fn check_open(&self) -> Result<(), WriteError> {
        match (self.stopped, self.state) {
            (Some(code), _) => Err(WriteError::Stopped(code)),
            (None, State::Open) => Ok(()),
            (None, _) => Err(WriteError::Finished),
        }
    }

    /// Takes as much of `data` as there is room for; [`WriteError::Blocked`] when there is none.
    pub fn write(&mut self, data: &[u8]) -> Result<usize, WriteError> {
        self.check_open()?;
        let taken = self.buffer.write(data);
        self.has_more = taken < data.len();
        self.wants_room |= self.has_more;
        if taken == 0 && !data.is_empty() { Err(WriteError::Blocked) } else { Ok(taken) }
    }

    /// Room for the next bytes in their final place; see [`SendBuffer::reserve`].
    pub fn reserve(&mut self) -> Result<&mut [u8], WriteError> {
        self.check_open()?;
        if self.buffer.room() == 0 {
            (self.wants_room, self.has_more) = (true, true);
            return Err(WriteError::Blocked);
        }
        Ok(self.buffer.reserve())
    }

    /// Makes the first `len` reserved bytes part of the stream.
    pub fn commit(&mut self, len: usize) {
        self.buffer.commit(len);
        self.has_more = false;
    }

    /// The application has written everything.
    pub fn finish(&mut self) -> Result<(), WriteError> {
        self.check_open()?;
        self.state = State::Finished(Told::Pending);
        Ok(())
    }

    /// The application gives the stream up. False when it is over already.
    pub fn reset(&mut self, code: u64) -> bool {
        let over = matches!(self.state, State::Reset { .. } | State::Finished(Told::Acked));
        if !over {
            self.state = State::Reset { code, told: Told::Pending };
            self.buffer.abandon();
        }
        !over
    }

    /// The peer does not want the rest. True for the first time; the half is then reset.
    pub fn on_stopped(&mut self, code: u64) -> bool {
        let news = self.stopped.is_none() && self.reset(code);
        if news {
            self.stopped = Some(code);
        }
        news
    }

    /// The peer raised the limit. Whether there is more to send now.
    pub fn on_limit(&mut self, limit: u64) -> bool {
        self.limit.raise(limit) && self.is_pending()
    }

    /// The next bytes for a packet, at most `len_max`, and none beyond `new_to` that were never
    /// sent; and whether the stream ends after them. An empty range with the end is worth a frame.
    pub fn take(&mut self, len_max: usize, new_to: u64) -> Option<(Range<u64>, bool)> {
        let limit = self.limit.get().min(new_to);
        let bytes = self.buffer.take_within(len_max, limit);
        if bytes.is_none() && self.buffer.next() < self.buffer.written() {
            if self.buffer.next() >= self.limit.get() {
                self.limit.on_blocked();
            }
            return None;
        }
        let written = self.buffer.written();
        let ends = |range: &Range<u64>| range.end == written && self.buffer.next() == written;
        match (bytes, &self.state) {
            (Some(range), State::Finished(_)) if ends(&range) => {
                self.state = State::Finished(Told::Sent);
                Some((range, true))
            }
            (Some(range), _) => Some((range, false)),
            (None, State::Finished(Told::Pending)) => {
                self.state = State::Finished(Told::Sent);
                Some((written..written, true))
            }
            (None, State::Open) if self.announces() => {
                self.announcement = Announcement::Sent;
                Some((written..written, false))
            }
            (None, _) => None,
        }
    }

    /// The next bytes, if they are a whole slot that can leave as it lies, with nothing to be told
    /// beside them, and of which none is beyond `new_to` unless it is sent again.
    pub fn next_slot(&mut self, new_to: u64) -> Option<WholeSlot> {
        let limit = self.limit.get().min(new_to);
        let whole = self.buffer.next_slot(limit)?;
        let last = whole.bytes.end == self.buffer.written();
        (!last || self.state == State::Open).then_some(whole)
    }

    /// Whether slots are to leave as they lie; see [`SendBuffer::set_aligned`].
    pub const fn set_aligned(&mut self, aligned: bool) {
        self.buffer.set_aligned(aligned);
    }

    /// Slots from now on are so long; see [`SendBuffer::set_slot_bytes`].
    pub fn set_slot_bytes(&mut self, slot_bytes: usize) {
        self.buffer.set_slot_bytes(slot_bytes);
    }

    /// Takes such a slot; see [`SendBuffer::take_slot`].
    pub fn take_slot(&mut self, whole: &WholeSlot) -> Option<SlotSpace<'_>> {
        self.buffer.take_slot(whole)
    }

    /// Copies bytes that were taken into a packet.
    pub fn copy(&self, start: u64, out: &mut [u8]) {
        self.buffer.copy(start, out);
    }

    /// Nothing of what was sent has been kept, and the peer's limit is this: what is beyond it was
    /// never sent.
    pub(super) fn rewind(&mut self, limit: u64) {
        self.limit = SendLimit::new(limit);
        self.buffer.rewind(limit);
    }

    /// A packet with these bytes arrived.
    pub fn on_acked(&mut self, bytes: Range<u64>, fin: bool) {
        if matches!(self.state, State::Reset { .. }) {
            return;
        }
        self.buffer.acked(bytes);
        if fin {
            self.state = State::Finished(Told::Acked);
        }
    }

    /// A packet with these bytes is lost. Whether there is something to send again.
    pub fn on_lost(&mut self, bytes: Range<u64>, fin: bool) -> bool {
        if matches!(self.state, State::Reset { .. }) {
            return false;
        }
        if fin && self.state == State::Finished(Told::Sent) {
            self.state = State::Finished(Told::Pending);
        }
        if bytes.is_empty() && self.announcement == Announcement::Sent {
            self.announcement = Announcement::Pending;
        }
        self.buffer.lost(bytes);
        self.is_pending()
    }

    /// The reset to be told: its code and the final size. It counts as told.
    pub fn take_reset(&mut self) -> Option<(u64, u64)> {
        match &mut self.state {
            State::Reset { code, told: told @ Told::Pending } => {
                *told = Told::Sent;
                Some((*code, self.buffer.next()))
            }
            _ => None,
        }
    }

    /// The packet that told the reset arrived, or is lost.
    pub fn on_reset_settled(&mut self, arrived: bool) {
        if let State::Reset { told: told @ Told::Sent, .. } = &mut self.state {
            *told = if arrived { Told::Acked } else { Told::Pending };
        }
    }

    /// Whether there are bytes or an end to send, whatever windows say.
    pub fn is_pending(&self) -> bool {
        let ends = self.state == State::Finished(Told::Pending);
        self.buffer.is_pending() || ends || self.announces()
    }

    /// Whether an empty frame is to tell the peer of the stream: data does it as well.
    fn announces(&self) -> bool {
        let pending = self.announcement == Announcement::Pending;
        pending && self.state == State::Open && self.buffer.next() == 0
    }

    /// Whether the rest of what was written waits for more ([`SendBuffer::is_short`]): the application
    /// has more, for which an ACK makes room that is on its way. What an application leaves behind that
    /// does not go on leaves with that ACK.
    pub fn is_waiting_for_more(&self) -> bool {
        self.has_more && self.state == State::Open && self.buffer.is_short()
    }

    /// Whether there are bytes or an end that are to leave as soon as windows allow it.
    pub fn wants_to_leave(&self) -> bool {
        self.is_pending() && !self.is_waiting_for_more()
    }

    /// Lets no more bytes wait; see [`SendBuffer::set_unsent_max`].
    pub const fn set_unsent_max(&mut self, bytes: u64) {
        self.buffer.set_unsent_max(bytes);
    }

    /// So many bytes leave together best.
    pub const fn set_run_bytes(&mut self, run_bytes: u64) {
        self.buffer.set_run_bytes(run_bytes);
    }

    /// Whether a reset or a hint about the limit has to be told.
    pub fn has_control(&self) -> bool {
        matches!(self.state, State::Reset { told: Told::Pending, .. }) || self.limit.is_pending()
    }

    /// The peer's limit.
    pub const fn limit(&self) -> &SendLimit {
        &self.limit
    }

    /// The peer's limit, to be told about and repeated.
    pub fn limit_mut(&mut self) -> &mut SendLimit {
        &mut self.limit
    }

    /// Whether the peer has all that it will ever get.
    pub fn is_over(&self) -> bool {
        match self.state {
            State::Open => false,
            State::Finished(told) => told == Told::Acked && self.buffer.is_acked(),
            State::Reset { told, .. } => told == Told::Acked,
        }
    }

    /// Whether it was given up, from this side or by the peer's wish.
    pub const fn is_reset(&self) -> bool {
        matches!(self.state, State::Reset { .. })
    }

    /// Whether it ended with everything delivered.
    pub fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished(_)) && self.is_over()
    }

    /// Whether the application waits for room and there is some. Asking answers it.
    pub fn take_writable(&mut self) -> bool {
        let writable = self.wants_room && self.buffer.room() > 0 && self.state == State::Open;
        self.wants_room &= !writable;
        writable
    }

    /// The bytes and where they are.
    pub const fn buffer(&self) -> &SendBuffer {
        &self.buffer
    }

    /// Gives back the memory that only traffic needs.
    pub(super) fn shrink(&mut self) {
        self.buffer.shrink();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half() -> SendHalf {
        SendHalf::new(100, 1000, 500)
    }

    #[test]
    fn the_end_goes_with_the_last_bytes_or_alone() {
        let mut stream = half();
        stream.write(b"hello").unwrap();
        assert_eq!(stream.take(3, 99), Some((0..3, false)));
        stream.finish().unwrap();
        assert_eq!(stream.take(99, 99), Some((3..5, true)));
        assert_eq!(stream.take(99, 99), None);
        assert!(stream.on_lost(3..5, true));
        assert_eq!(stream.take(99, 99), Some((3..5, true)), "bytes and end again");
        stream.on_acked(3..5, true);
        assert!(!stream.is_over());
        stream.on_acked(0..3, false);
        assert!(stream.is_over() && stream.is_finished());

        let mut empty = half();
        empty.finish().unwrap();
        assert_eq!(empty.take(99, 0), Some((0..0, true)));
        assert_eq!(empty.write(b"x"), Err(WriteError::Finished));
    }

    #[test]
    fn an_empty_frame_announces_unless_data_does() {
        let mut stream = half();
        assert_eq!(stream.take(99, 99), None);
        stream.announce();
        assert!(stream.is_pending());
        assert_eq!(stream.take(99, 99), Some((0..0, false)));
        assert!(!stream.is_pending());
        assert!(stream.on_lost(0..0, false), "it has to be said again");
        stream.write(b"x").unwrap();
        assert_eq!(stream.take(99, 99), Some((0..1, false)));
        assert!(!stream.is_pending(), "the data has announced it");
        assert!(!stream.on_lost(0..0, false));
        stream.announce();
        assert_eq!(stream.take(99, 99), None);
    }

    #[test]
    fn lost_bytes_before_the_end_do_not_carry_it() {
        let mut stream = half();
        stream.write(&[1; 200]).unwrap();
        stream.finish().unwrap();
        assert_eq!(stream.take(100, 999), Some((0..100, false)));
        assert_eq!(stream.take(100, 999), Some((100..200, true)));
        stream.on_lost(0..100, false);
        assert_eq!(stream.take(100, 999), Some((0..100, false)));
    }

    #[test]
    fn windows_hold_new_bytes_up_and_the_peer_is_told_which() {
        let mut stream = half();
        stream.write(&[1; 600]).unwrap();
        stream.finish().unwrap();
        assert_eq!(stream.take(1000, 10), Some((0..10, false)), "the connection's window");
        assert_eq!(stream.take(1000, 10), None);
        assert!(!stream.has_control(), "not the stream's fault");
        assert_eq!(stream.take(1000, 9999), Some((10..500, false)));
        assert_eq!(stream.take(1000, 9999), None);
        assert_eq!(stream.limit_mut().take_blocked(), Some(500));
        assert!(stream.on_limit(601));
        assert_eq!(stream.take(1000, 9999), Some((500..600, true)));
    }

    #[test]
    fn a_stopped_stream_is_reset_once() {
        let mut stream = half();
        stream.write(b"hello").unwrap();
        stream.take(3, 99);
        assert!(stream.on_stopped(7) && !stream.on_stopped(8));
        assert_eq!(stream.write(b"x"), Err(WriteError::Stopped(7)));
        assert_eq!(stream.take_reset(), Some((7, 3)), "the final size is what was sent");
        assert_eq!(stream.take_reset(), None);
        stream.on_lost(0..3, false);
        stream.on_reset_settled(false);
        assert_eq!(stream.take_reset(), Some((7, 3)));
        stream.on_acked(0..3, false);
        stream.on_reset_settled(true);
        assert!(stream.is_over() && !stream.is_finished() && !stream.is_pending());
    }

    #[test]
    fn room_is_told_to_those_who_wait_for_it() {
        let mut stream = SendHalf::new(10, 10, 500);
        assert_eq!(stream.write(&[1; 20]), Ok(10));
        assert_eq!(stream.write(&[1; 20]), Err(WriteError::Blocked));
        assert!(!stream.take_writable());
        let (range, _) = stream.take(99, 99).unwrap();
        stream.on_acked(range, false);
        assert!(stream.take_writable() && !stream.take_writable());
    }
}
