//! One stream: its two halves, and what it puts into packets.

use alloc::vec::Vec;

use super::{RecvHalf, SendHalf};
use crate::{
    transport::ledger::Content,
    wire::transport::{Frame, StreamId, Writer},
};

#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) send: SendHalf,
    pub(super) recv: RecvHalf,
    pub(super) priority: u8,
    /// Whether it stands in the queue of its priority.
    pub(super) queued: bool,
    /// Whether it stands in the queue of those with something to tell.
    pub(super) telling: bool,
}

/// Room that the longest of the small frames needs: a type and three integers.
pub(super) const CONTROL_BYTES: usize = 1 + 3 * 8;

pub(super) fn put(
    frame: Frame<'_>,
    content: Content,
    writer: &mut Writer<'_>,
    contents: &mut Vec<Content>,
) {
    frame.encode(writer);
    contents.push(content);
}

/// How a stream used the room it got.
pub(super) enum Written {
    /// There is more, and no room.
    Full,
    /// Everything is out.
    All,
    /// A window holds it up.
    Nothing,
}

impl Stream {
    /// Whether the stream's own window, and nothing else, holds it up.
    pub(super) fn is_held_up(&self) -> bool {
        let buffer = self.send.buffer();
        let unsent = buffer.next() < buffer.written();
        unsent && !buffer.has_lost() && buffer.next() >= self.send.limit().get()
    }

    /// Whether it can put something into a packet now, of which `credit` bytes may be new.
    pub(super) fn is_sendable(&self, credit: u64) -> bool {
        let buffer = self.send.buffer();
        if buffer.has_lost() {
            return true;
        }
        if buffer.next() < buffer.written() {
            let window = credit > 0 && buffer.next() < self.send.limit().get();
            return window && !self.send.is_waiting_for_more();
        }
        self.send.is_pending()
    }

    /// Whether both halves are over.
    pub(super) fn is_over(&self) -> bool {
        self.send.is_over() && self.recv.is_over()
    }

    /// Bytes of memory that its buffers hold, and it itself.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.send.buffer().memory_bytes() + self.recv.buffer().memory_bytes()
    }

    /// Gives back the memory that only traffic needs.
    pub(super) fn shrink(&mut self) {
        self.send.shrink();
        self.recv.shrink();
    }

    /// Whether it has anything to tell beside its data.
    pub(super) fn has_control(&self) -> bool {
        self.send.has_control() || self.recv.has_control()
    }

    /// Writes what it has to tell beside its data; the caller has made sure of the room.
    pub(super) fn write_control(
        &mut self,
        id: StreamId,
        writer: &mut Writer<'_>,
        contents: &mut Vec<Content>,
    ) {
        if let Some((code, final_size)) = self.send.take_reset() {
            let frame = Frame::ResetStream { id, code, final_size };
            put(frame, Content::ResetStream(id), writer, contents);
        }
        if let Some(code) = self.recv.take_stop() {
            put(Frame::StopSending { id, code }, Content::StopSending(id), writer, contents);
        }
        if self.recv.has_control()
            && let Some(max) = self.recv.window_mut().take_update()
        {
            put(Frame::MaxStreamData { id, max }, Content::MaxStreamData(id), writer, contents);
        }
        if let Some(max) = self.send.limit_mut().take_blocked() {
            let frame = Frame::StreamDataBlocked { id, max };
            put(frame, Content::StreamDataBlocked(id), writer, contents);
        }
    }

    /// Writes as much data as there is room for, and no more than `credit` bytes that are new.
    pub(super) fn write_data(
        &mut self,
        id: StreamId,
        credit: u64,
        writer: &mut Writer<'_>,
        contents: &mut Vec<Content>,
    ) -> Written {
        let new_to = self.send.buffer().next().saturating_add(credit);
        while self.send.wants_to_leave() {
            // Where the bytes begin is not known yet: lost ones are early, new ones late.
            let header = Frame::stream_header(id, self.send.buffer().next(), writer.room());
            let Some(len_max) = writer.room().checked_sub(header) else { return Written::Full };
            if len_max < STREAM_BYTES_MIN && !writer.is_empty() {
                return Written::Full;
            }
            let Some((bytes, fin)) = self.send.take(len_max, new_to) else {
                return Written::Nothing;
            };
            let len = usize::try_from(bytes.end - bytes.start).unwrap_or(usize::MAX);
            Frame::write_stream_header(id, bytes.start, Some(len), fin, writer);
            self.send.copy(bytes.start, writer.space(len));
            contents.push(Content::Stream { id, bytes, fin });
            // A slot that can leave as it lies is not begun here.
            if self.send.next_slot(u64::MAX).is_some() {
                return Written::Full;
            }
        }
        Written::All
    }
}

/// Rather than a frame with fewer bytes of data, the next packet is begun.
const STREAM_BYTES_MIN: usize = 32;
