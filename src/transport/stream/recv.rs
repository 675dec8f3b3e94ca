//! The receiving half of a stream (RFC 9000 section 3.2).

use core::time::Duration;

use super::{ReadError, StreamFault};
use crate::{
    buf::{InsertError, RecvBuffer},
    time::Instant,
    transport::flow::RecvWindow,
};

/// Bytes from the peer to the application.
#[derive(Clone, Debug)]
pub struct RecvHalf {
    buffer: RecvBuffer,
    window: RecvWindow,
    /// The end of the last byte that the peer sent, as far as is known.
    highest: u64,
    final_size: Option<u64>,
    reset: Option<u64>,
    stop: Stop,
    /// The application has read the end, the reset, or wants no more.
    over: bool,
    /// The application knows that there is something to read.
    told: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    No,
    Pending(u64),
    Told(u64),
}

/// What a frame did to a receiving half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// By how much the end of what the peer sent moved: counts against the connection's window.
    pub advanced: u64,
    /// Bytes that nobody will read: consumed, as far as the connection's window goes.
    pub discarded: u64,
    /// Bytes that the application took at once.
    pub taken: u64,
}

impl RecvHalf {
    /// An open half with a window and a bound on gaps.
    pub const fn new(window: RecvWindow, gaps_max: usize) -> Self {
        Self {
            buffer: RecvBuffer::new(gaps_max),
            window,
            highest: 0,
            final_size: None,
            reset: None,
            stop: Stop::No,
            over: false,
            told: false,
        }
    }

    fn check_size(&self, end: u64, fin: bool) -> Result<(), StreamFault> {
        match self.final_size {
            Some(size) if end > size || (fin && end != size) => Err(StreamFault::FinalSize),
            None if fin && end < self.highest => Err(StreamFault::FinalSize),
            _ if end > self.window.limit() => Err(StreamFault::BeyondWindow),
            _ => Ok(()),
        }
    }

    /// Takes bytes, and perhaps the end. `credit` is how far the end of what the peer sent may move
    /// for all that the connection's window says. What comes in order, with nothing waiting before
    /// it, is offered to `reader` first.
    pub fn on_data(
        &mut self,
        offset: u64,
        data: &[u8],
        fin: bool,
        credit: u64,
        reader: &mut dyn FnMut(&[u8]) -> usize,
    ) -> Result<Received, StreamFault> {
        let end = offset + data.len() as u64;
        self.check_size(end, fin)?;
        let advanced = end.saturating_sub(self.highest);
        if advanced > credit {
            return Err(StreamFault::BeyondWindow);
        }
        let unwanted = self.over || self.reset.is_some();
        let mut taken = 0;
        if !unwanted {
            let news = self.buffer.news(offset, data);
            if !news.is_empty() {
                taken = self.buffer.skip(reader(news).min(news.len()));
            }
            self.buffer.insert(offset, data, self.window.limit()).map_err(|error| match error {
                InsertError::BeyondWindow => StreamFault::BeyondWindow,
                InsertError::TooManyGaps => StreamFault::TooManyGaps,
            })?;
        }
        self.highest = self.highest.max(end);
        if fin {
            self.final_size = Some(end);
        }
        Ok(Received { advanced, discarded: if unwanted { advanced } else { 0 }, taken })
    }

    /// Whether it is open, and all that the peer has sent so far, as far as is known, was read.
    pub(super) const fn is_drained(&self) -> bool {
        let open = !self.over && self.reset.is_none() && self.final_size.is_none();
        open && self.highest == self.buffer.position()
    }

    /// Lets the peer send on if the application waits for a gap to be filled; whether it does.
    pub fn on_gap(&mut self) -> bool {
        let open = !self.over && self.reset.is_none();
        let waits = open && self.buffer.readable() == 0 && self.highest > self.buffer.position();
        if waits && self.final_size.is_none() {
            self.window.on_gap(self.highest);
        }
        waits
    }

    /// The peer gave the stream up after `final_size` bytes.
    pub fn on_reset(
        &mut self,
        code: u64,
        final_size: u64,
        credit: u64,
    ) -> Result<Received, StreamFault> {
        self.check_size(final_size, true)?;
        let advanced = final_size - self.highest.min(final_size);
        if advanced > credit {
            return Err(StreamFault::BeyondWindow);
        }
        if self.reset.is_some() {
            return Ok(Received::default());
        }
        // What was delivered in full before stays delivered (RFC 9000 section 3.2).
        let complete = self.final_size == Some(self.buffer.position() + self.buffer.readable());
        self.highest = final_size;
        self.final_size = Some(final_size);
        if complete {
            return Ok(Received { advanced, ..Received::default() });
        }
        self.reset = Some(code);
        let unread = final_size - self.buffer.position();
        let discarded = if self.over { advanced } else { unread };
        self.buffer.abandon();
        Ok(Received { advanced, discarded, taken: 0 })
    }

    /// Copies the next bytes into `out`; returns how many.
    pub fn read(
        &mut self,
        now: Instant,
        out: &mut [u8],
        srtt: Duration,
    ) -> Result<usize, ReadError> {
        let before = self.state()?;
        debug_assert!(before > 0);
        let len = self.buffer.read(out);
        self.on_consumed(now, len as u64, srtt);
        Ok(len)
    }

    /// The next bytes where they lie; [`consume`](Self::consume) says how many were used.
    pub fn peek(&mut self) -> Result<&[u8], ReadError> {
        self.state()?;
        Ok(self.buffer.peek())
    }

    /// The application has used the next `len` bytes. Returns how many that really are.
    pub fn consume(&mut self, now: Instant, len: u64, srtt: Duration) -> u64 {
        let len = len.min(self.buffer.readable());
        self.buffer.consume(len);
        self.on_consumed(now, len, srtt);
        len
    }

    /// How many bytes can be read, or why none.
    fn state(&mut self) -> Result<u64, ReadError> {
        let readable = self.buffer.readable();
        if readable > 0 && !self.over {
            return Ok(readable);
        }
        self.told = false;
        if let Some(code) = self.reset {
            self.over = true;
            return Err(ReadError::Reset(code));
        }
        if self.final_size == Some(self.buffer.position()) || self.over {
            self.over = true;
            return Err(ReadError::Finished);
        }
        Err(ReadError::Blocked)
    }

    pub(super) fn on_consumed(&mut self, now: Instant, len: u64, srtt: Duration) {
        if self.final_size.is_none() {
            self.window.on_consumed(now, len, srtt);
        }
    }

    /// The application wants no more. Returns bytes that were there and nobody will read now.
    pub fn stop(&mut self, code: u64) -> u64 {
        if self.over {
            return 0;
        }
        let unread = self.highest - self.buffer.position();
        let discarded = if self.reset.is_some() { 0 } else { unread };
        if self.final_size.is_none() {
            self.stop = Stop::Pending(code);
        }
        self.over = true;
        self.buffer.abandon();
        discarded
    }

    /// The wish that the peer stop, to be told. It counts as told.
    pub fn take_stop(&mut self) -> Option<u64> {
        let Stop::Pending(code) = self.stop else { return None };
        if self.final_size.is_some() {
            return None;
        }
        self.stop = Stop::Told(code);
        Some(code)
    }

    /// What told the wish is lost.
    pub fn repeat_stop(&mut self) {
        if let Stop::Told(code) = self.stop {
            self.stop = Stop::Pending(code);
        }
    }

    /// Whether a limit or a wish to stop has to be told.
    pub fn has_control(&self) -> bool {
        let open = self.final_size.is_none();
        open && (self.window.is_pending() && !self.over || matches!(self.stop, Stop::Pending(_)))
    }

    /// The window, to be told and repeated.
    pub fn window_mut(&mut self) -> &mut RecvWindow {
        &mut self.window
    }

    /// Whether there is something to read that the application has not been told of. Asking tells.
    pub fn take_readable(&mut self) -> bool {
        let ended = self.final_size == Some(self.buffer.position()) || self.reset.is_some();
        let news = !self.told && !self.over && (self.buffer.readable() > 0 || ended);
        self.told |= news;
        news
    }

    /// Whether all was received and read, or given up.
    pub const fn is_over(&self) -> bool {
        self.over && self.final_size.is_some()
    }

    /// The bytes that wait to be read.
    pub const fn buffer(&self) -> &RecvBuffer {
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

    const NOW: Instant = Instant::ZERO;
    const RTT: Duration = Duration::from_millis(50);

    fn half() -> RecvHalf {
        RecvHalf::new(RecvWindow::new(100, 100), 4)
    }

    fn nobody(_: &[u8]) -> usize {
        0
    }

    fn read(stream: &mut RecvHalf) -> Result<alloc::vec::Vec<u8>, ReadError> {
        let mut out = [0; 100];
        stream.read(NOW, &mut out, RTT).map(|len| out[..len].to_vec())
    }

    #[test]
    fn bytes_then_the_end() {
        let mut stream = half();
        stream.on_data(5, b"!", true, 100, &mut nobody).unwrap();
        assert!(!stream.take_readable());
        assert_eq!(read(&mut stream), Err(ReadError::Blocked));
        assert_eq!(stream.on_data(0, b"hello", false, 100, &mut nobody), Ok(Received::default()));
        assert!(stream.take_readable() && !stream.take_readable());
        assert_eq!(read(&mut stream), Ok(b"hello!".to_vec()));
        assert!(!stream.is_over());
        assert_eq!(read(&mut stream), Err(ReadError::Finished));
        assert!(stream.is_over() && !stream.has_control(), "no window for a stream that has ended");
    }

    #[test]
    fn the_windows_hold() {
        let mut stream = half();
        assert_eq!(
            stream.on_data(90, &[1; 11], false, 999, &mut nobody),
            Err(StreamFault::BeyondWindow)
        );
        assert_eq!(
            stream.on_data(0, &[1; 50], false, 49, &mut nobody),
            Err(StreamFault::BeyondWindow)
        );
        let received = Received { advanced: 50, discarded: 0, taken: 0 };
        assert_eq!(stream.on_data(0, &[1; 50], false, 50, &mut nobody), Ok(received));
        assert_eq!(
            stream.on_data(0, &[1; 50], false, 0, &mut nobody),
            Ok(Received::default()),
            "a copy"
        );
        read(&mut stream).unwrap();
        assert_eq!(stream.window_mut().take_update(), Some(150));
    }

    #[test]
    fn a_stream_ends_in_one_place() {
        let mut stream = half();
        stream.on_data(0, b"hello", true, 100, &mut nobody).unwrap();
        for (offset, len, fin) in [(0, 6, false), (0, 4, true), (5, 1, true)] {
            let data = &b"hello!"[..len];
            assert_eq!(
                stream.on_data(offset, data, fin, 100, &mut nobody),
                Err(StreamFault::FinalSize)
            );
        }
        assert_eq!(stream.on_reset(1, 4, 100), Err(StreamFault::FinalSize));
        let mut stream = half();
        stream.on_data(0, b"hello", false, 100, &mut nobody).unwrap();
        assert_eq!(stream.on_data(0, b"hell", true, 100, &mut nobody), Err(StreamFault::FinalSize));
    }

    #[test]
    fn a_reset_counts_what_was_never_seen() {
        let mut stream = half();
        stream.on_data(0, b"hello", false, 100, &mut nobody).unwrap();
        stream.consume(NOW, 2, RTT);
        let received = Received { advanced: 15, discarded: 18, taken: 0 };
        assert_eq!(stream.on_reset(9, 20, 15), Ok(received));
        assert_eq!(stream.on_reset(9, 20, 0), Ok(Received::default()));
        assert!(stream.take_readable());
        assert_eq!(read(&mut stream), Err(ReadError::Reset(9)));
        assert!(stream.is_over());
    }

    #[test]
    fn a_reset_after_the_end_changes_nothing() {
        let mut stream = half();
        stream.on_data(0, b"hello", true, 100, &mut nobody).unwrap();
        assert_eq!(stream.on_reset(9, 5, 100), Ok(Received::default()));
        assert_eq!(read(&mut stream), Ok(b"hello".to_vec()));
        assert_eq!(read(&mut stream), Err(ReadError::Finished));
    }

    #[test]
    fn nobody_reads_what_was_stopped() {
        let mut stream = half();
        stream.on_data(0, b"hello", false, 100, &mut nobody).unwrap();
        assert_eq!(stream.stop(3), 5);
        assert_eq!((stream.take_stop(), stream.take_stop()), (Some(3), None));
        stream.repeat_stop();
        assert_eq!(stream.take_stop(), Some(3));
        let received = Received { advanced: 5, discarded: 5, taken: 0 };
        assert_eq!(stream.on_data(5, b"world", false, 100, &mut nobody), Ok(received));
        assert!(!stream.is_over() && !stream.take_readable());
        assert_eq!(
            stream.on_reset(3, 12, 100),
            Ok(Received { advanced: 2, discarded: 2, taken: 0 })
        );
        assert!(stream.is_over());
    }

    #[test]
    fn what_comes_in_order_goes_to_the_reader_and_the_rest_waits() {
        let mut stream = half();
        let mut got = alloc::vec::Vec::new();
        let mut take = |bytes: &[u8], len: usize| {
            got.extend_from_slice(&bytes[..len.min(bytes.len())]);
            len
        };
        stream.on_data(5, b"world", false, 100, &mut |bytes| take(bytes, 99)).unwrap();
        let all = stream.on_data(0, b"hello", false, 100, &mut |bytes| take(bytes, 99)).unwrap();
        assert_eq!((all.taken, all.advanced), (5, 0));
        assert!(stream.take_readable(), "what had waited");
        // As long as something waits, what follows has to wait behind it.
        stream.on_data(10, b"!!", false, 100, &mut |bytes| take(bytes, 99)).unwrap();
        assert_eq!(read(&mut stream), Ok(b"world!!".to_vec()));
        let part = stream.on_data(8, b"ld!!abc", true, 100, &mut |bytes| take(bytes, 2)).unwrap();
        assert_eq!(part.taken, 2, "copies are not offered");
        assert_eq!(read(&mut stream), Ok(b"c".to_vec()));
        assert_eq!(read(&mut stream), Err(ReadError::Finished));
        assert_eq!(got, b"helloab");
    }
}
