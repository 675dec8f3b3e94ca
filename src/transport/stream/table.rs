//! All streams of a connection, whose turn it is to send, and the windows they share.

mod arrival;
mod questions;
mod rewind;
mod wishes;

use alloc::{
    boxed::Box,
    collections::{BTreeMap, VecDeque},
    vec::Vec,
};
use core::time::Duration;

use super::{
    OpenError, ReadError, RecvHalf, SendHalf, StreamEvent, StreamFault, StreamLimits, WriteError,
    lend::UNSENT_MIN,
    pair::{CONTROL_BYTES, Stream, Written, put},
};
use crate::{
    buf::{RangeSet, SendBuffer},
    time::Instant,
    transport::{
        flow::{RecvWindow, SendLimit},
        ledger::Content,
    },
    wire::transport::{DATA_HEADER_BYTES, Frame, StreamId, Writer},
};

/// All streams of a connection: their halves, whose turn it is to send, and the windows they share.
#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "what is pending, each by itself")]
pub struct Streams {
    limits: StreamLimits,
    acceptor: bool,
    pub(super) slot_bytes: usize,
    /// Bytes of a stream that leave together best.
    pub(super) run_bytes: u64,
    /// Bytes of a stream that wait at most, within its limit.
    pub(super) unsent_max: u64,
    /// Whether slots may leave as they lie.
    pub(super) lending: bool,
    /// Boxed, since a node of the map has room for eleven.
    pub(super) table: BTreeMap<StreamId, Box<Stream>>,
    /// Streams with bytes to send, each priority in its own queue: the lowest number goes first, and
    /// streams of the same priority take turns.
    pub(super) ready: BTreeMap<u8, VecDeque<StreamId>>,
    /// Streams with something else to tell.
    telling: VecDeque<StreamId>,
    pub(super) events: VecDeque<StreamEvent>,
    /// Streams that we opened.
    opened: u64,
    opened_max: u64,
    /// A stream could not be opened, and the application waits to be told that one can.
    refused: bool,
    peer_stream_window: u64,
    /// Streams of the peer that are over.
    peer_over: RangeSet,
    peer_max: u64,
    peer_max_pending: bool,
    /// How much of all streams may be sent, and was.
    send_limit: SendLimit,
    pub(super) sent: u64,
    pub(super) resent: u64,
    pub(super) recv_window: RecvWindow,
    pub(super) received: u64,
    /// Bytes received, or counted as such, that nobody wanted.
    pub(super) unwanted: u64,
}

impl Streams {
    /// No streams yet. `slot_bytes` is what a packet holds of a stream; `acceptor` tells which side
    /// this is.
    pub fn new(limits: StreamLimits, acceptor: bool, slot_bytes: usize) -> Self {
        let ranges_max = usize::try_from(limits.peer_streams_max).unwrap_or(usize::MAX);
        Self {
            limits,
            acceptor,
            slot_bytes,
            run_bytes: 0,
            unsent_max: UNSENT_MIN,
            lending: false,
            table: BTreeMap::new(),
            ready: BTreeMap::new(),
            telling: VecDeque::new(),
            events: VecDeque::new(),
            opened: 0,
            opened_max: 0,
            refused: false,
            peer_stream_window: 0,
            peer_over: RangeSet::new(ranges_max.saturating_add(1)),
            peer_max: limits.peer_streams_max,
            peer_max_pending: false,
            send_limit: SendLimit::new(0),
            sent: 0,
            resent: 0,
            recv_window: RecvWindow::new(limits.window_bytes, limits.window_bytes_max),
            received: 0,
            unwanted: 0,
        }
    }

    /// The peer has told its limits.
    pub fn on_params(&mut self, max_data: u64, max_stream_data: u64, max_streams: u64) {
        self.send_limit.raise(max_data);
        self.peer_stream_window = max_stream_data;
        self.on_max_streams(max_streams);
        for id in self.table.keys().copied().collect::<Vec<_>>() {
            self.on_max_stream_data(id, max_stream_data);
        }
    }

    /// Opens a stream. Streams of lower `priority` number are sent first.
    pub fn open(&mut self, priority: u8) -> Result<StreamId, OpenError> {
        if self.opened >= self.opened_max {
            self.refused = true;
            return Err(OpenError::Limit);
        }
        let id = StreamId::new(self.opened, self.acceptor);
        self.opened += 1;
        self.insert(id, priority);
        Ok(id)
    }

    fn insert(&mut self, id: StreamId, priority: u8) {
        let limits = &self.limits;
        let window = RecvWindow::new(limits.stream_window_bytes, limits.stream_window_bytes_max);
        // What a header has before bytes near the beginning of the stream.
        let headroom = DATA_HEADER_BYTES + Frame::last_stream_header(id, SendBuffer::FAR - 1);
        let mut send =
            SendHalf::new(self.slot_bytes, limits.send_buffer_bytes, self.peer_stream_window)
                .with_headroom(headroom);
        send.set_aligned(self.lending);
        let stream = Stream {
            send,
            recv: RecvHalf::new(window, limits.gaps_max),
            priority,
            queued: false,
            telling: false,
        };
        self.table.insert(id, Box::new(stream));
    }

    /// The stream that the peer talks about; `None` when it is over already.
    fn of_peer(&mut self, id: StreamId) -> Result<Option<&mut Stream>, StreamFault> {
        if id.by_acceptor() == self.acceptor {
            if id.index() >= self.opened {
                return Err(StreamFault::Limit);
            }
        } else if id.index() >= self.peer_max {
            return Err(StreamFault::Limit);
        } else if !self.table.contains_key(&id) && !self.peer_over.contains(id.index()) {
            self.insert(id, PRIORITY_DEFAULT);
            self.events.push_back(StreamEvent::Opened(id));
        }
        Ok(self.table.get_mut(&id).map(|stream| &mut **stream))
    }

    // What the application does.

    /// Writes to a stream; see [`SendHalf::write`].
    pub fn write(&mut self, id: StreamId, data: &[u8]) -> Result<usize, WriteError> {
        let taken = self.half_to_fill(id)?.write(data)?;
        self.enqueue(id);
        Ok(taken)
    }

    /// A half for more bytes, which knows how many may wait by now.
    fn half_to_fill(&mut self, id: StreamId) -> Result<&mut SendHalf, WriteError> {
        let half = &mut self.table.get_mut(&id).ok_or(WriteError::Unknown)?.send;
        half.set_unsent_max(self.unsent_max);
        Ok(half)
    }

    /// Room in a stream for the next bytes in their final place.
    pub fn reserve(&mut self, id: StreamId) -> Result<&mut [u8], WriteError> {
        self.half_to_fill(id)?.reserve()
    }

    /// Makes the first `len` reserved bytes part of the stream.
    pub fn commit(&mut self, id: StreamId, len: usize) {
        if let Some(stream) = self.table.get_mut(&id) {
            stream.send.commit(len);
            self.enqueue(id);
        }
    }

    /// Ends a stream after what was written.
    pub fn finish(&mut self, id: StreamId) -> Result<(), WriteError> {
        self.table.get_mut(&id).ok_or(WriteError::Unknown)?.send.finish()?;
        self.enqueue(id);
        Ok(())
    }

    /// Gives a stream up: nothing more is sent, nor repeated.
    pub fn reset(&mut self, id: StreamId, code: u64) -> Result<(), WriteError> {
        let stream = self.table.get_mut(&id).ok_or(WriteError::Unknown)?;
        if stream.send.reset(code) {
            self.tell(id);
        }
        Ok(())
    }

    /// Asks the peer to send no more of a stream, and throws away what is there.
    pub fn stop(&mut self, now: Instant, id: StreamId, code: u64, srtt: Duration) {
        let Some(stream) = self.table.get_mut(&id) else { return };
        let discarded = stream.recv.stop(code);
        self.unwanted += discarded;
        self.recv_window.on_consumed(now, discarded, srtt);
        self.tell(id);
        self.remove_if_over(id);
    }

    /// Reads from a stream; see [`RecvHalf::read`].
    pub fn read(
        &mut self,
        now: Instant,
        id: StreamId,
        out: &mut [u8],
        srtt: Duration,
    ) -> Result<usize, ReadError> {
        let stream = self.table.get_mut(&id).ok_or(ReadError::Unknown)?;
        let len = stream.recv.read(now, out, srtt);
        self.recv_window.on_consumed(now, len.map_or(0, |len| len as u64), srtt);
        self.after_read(id);
        len
    }

    /// The next bytes of a stream where they lie.
    pub fn peek(&mut self, id: StreamId) -> Result<&[u8], ReadError> {
        let stream = self.table.get_mut(&id).ok_or(ReadError::Unknown)?;
        if let Err(error) = stream.recv.peek() {
            self.after_read(id);
            return Err(error);
        }
        self.table.get_mut(&id).ok_or(ReadError::Unknown)?.recv.peek()
    }

    /// The application has used the next `len` bytes of a stream.
    pub fn consume(&mut self, now: Instant, id: StreamId, len: usize, srtt: Duration) {
        let Some(stream) = self.table.get_mut(&id) else { return };
        let consumed = stream.recv.consume(now, len as u64, srtt);
        self.recv_window.on_consumed(now, consumed, srtt);
        self.after_read(id);
    }

    fn after_read(&mut self, id: StreamId) {
        self.tell(id);
        self.remove_if_over(id);
    }

    /// What to tell the application next.
    pub fn poll_event(&mut self) -> Option<StreamEvent> {
        self.events.pop_front()
    }

    /// Whether there is something to tell the application.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    // What the peer says.

    /// The peer does not want the rest of a stream.
    pub fn on_stop_sending(&mut self, id: StreamId, code: u64) -> Result<(), StreamFault> {
        let Some(stream) = self.of_peer(id)? else { return Ok(()) };
        if stream.send.on_stopped(code) {
            self.events.push_back(StreamEvent::Stopped(id, code));
            self.tell(id);
        }
        Ok(())
    }

    /// The peer lets more be sent on a stream.
    pub fn on_max_stream_data(&mut self, id: StreamId, max: u64) {
        let grew = self.table.get_mut(&id).is_some_and(|stream| stream.send.on_limit(max));
        if grew {
            self.enqueue(id);
        }
    }

    /// Like [`on_max_stream_data`](Self::on_max_stream_data), from a frame of the peer.
    pub fn on_max_stream_data_frame(&mut self, id: StreamId, max: u64) -> Result<(), StreamFault> {
        self.of_peer(id)?;
        self.on_max_stream_data(id, max);
        Ok(())
    }

    /// The peer lets more be sent on all streams together.
    pub fn on_max_data(&mut self, max: u64) {
        if self.send_limit.raise(max) {
            let credit = self.credit();
            let (acceptor, opened_max) = (self.acceptor, self.opened_max);
            for (&id, stream) in &mut self.table {
                let parked = id.by_acceptor() == acceptor && id.index() >= opened_max;
                if !parked
                    && stream.is_sendable(credit)
                    && !core::mem::replace(&mut stream.queued, true)
                {
                    self.ready.entry(stream.priority).or_default().push_back(id);
                }
            }
        }
    }

    /// Bytes of all streams that may be sent for the first time.
    pub(super) fn credit(&self) -> u64 {
        self.send_limit.get() - self.sent
    }

    /// The peer lets more streams be opened.
    pub fn on_max_streams(&mut self, max: u64) {
        let before = self.opened_max;
        self.opened_max = self.opened_max.max(max.min(1 << 60));
        if before < self.opened {
            self.unpark(before);
        }
        if self.opened < self.opened_max && core::mem::take(&mut self.refused) {
            self.events.push_back(StreamEvent::Openable);
        }
    }

    /// The peer says that a window of ours holds it up: perhaps the update was lost.
    pub fn on_blocked(&mut self, id: Option<StreamId>) -> Result<(), StreamFault> {
        let Some(id) = id else {
            self.recv_window.repeat();
            return Ok(());
        };
        if let Some(stream) = self.of_peer(id)? {
            stream.recv.window_mut().repeat();
            self.tell(id);
        }
        Ok(())
    }

    // What became of packets.

    /// A part of a packet arrived.
    pub fn on_acked(&mut self, content: &Content) {
        match content {
            Content::Stream { id, bytes, fin } => {
                let Some(stream) = self.table.get_mut(id) else { return };
                let before = stream.send.is_finished();
                let waited = stream.send.is_waiting_for_more();
                stream.send.set_unsent_max(self.unsent_max);
                stream.send.on_acked(bytes.clone(), *fin);
                if stream.send.take_writable() {
                    self.events.push_back(StreamEvent::Writable(*id));
                }
                if stream.send.is_finished() && !before {
                    self.events.push_back(StreamEvent::Finished(*id));
                }
                if waited {
                    self.enqueue(*id);
                }
                self.remove_if_over(*id);
            }
            Content::ResetStream(id) => {
                if let Some(stream) = self.table.get_mut(id) {
                    stream.send.on_reset_settled(true);
                }
                self.remove_if_over(*id);
            }
            _ => {}
        }
    }

    /// A part of a packet is lost, and has to be said again where it still matters.
    pub fn on_lost(&mut self, content: &Content) {
        match content {
            Content::Stream { id, bytes, fin } => {
                let Some(stream) = self.table.get_mut(id) else { return };
                if stream.send.on_lost(bytes.clone(), *fin) {
                    self.enqueue(*id);
                }
            }
            Content::MaxData => self.recv_window.repeat(),
            Content::DataBlocked => self.send_limit.repeat(),
            Content::MaxStreams => self.peer_max_pending = true,
            Content::ResetStream(id)
            | Content::StopSending(id)
            | Content::MaxStreamData(id)
            | Content::StreamDataBlocked(id) => {
                let Some(stream) = self.table.get_mut(id) else { return };
                match content {
                    Content::ResetStream(_) => stream.send.on_reset_settled(false),
                    Content::StopSending(_) => stream.recv.repeat_stop(),
                    Content::MaxStreamData(_) => stream.recv.window_mut().repeat(),
                    _ => stream.send.limit_mut().repeat(),
                }
                self.tell(*id);
            }
            _ => {}
        }
    }

    // What goes into packets.

    /// How long the frame is of what is to be sent again next, in a packet with so much room.
    pub(crate) fn resend_bytes(&self, room: usize) -> Option<usize> {
        let id = *self.ready.values().find_map(|queue| queue.front())?;
        let lost = self.table.get(&id)?.send.buffer().first_lost()?;
        let len = usize::try_from(lost.end - lost.start).unwrap_or(usize::MAX);
        Some(Frame::stream_header(id, lost.start, room).saturating_add(len))
    }

    /// Puts a stream into the queue of its priority if it can send, or says what holds it up.
    fn enqueue(&mut self, id: StreamId) {
        if self.is_parked(id) {
            return;
        }
        let credit = self.credit();
        let Some(stream) = self.table.get_mut(&id) else { return };
        if stream.queued || !stream.send.wants_to_leave() {
            return;
        }
        if stream.is_sendable(credit) {
            stream.queued = true;
            self.ready.entry(stream.priority).or_default().push_back(id);
        } else if stream.is_held_up() {
            stream.send.limit_mut().on_blocked();
            self.tell(id);
        } else {
            self.send_limit.on_blocked();
        }
    }

    fn tell(&mut self, id: StreamId) {
        if self.is_parked(id) {
            return;
        }
        let Some(stream) = self.table.get_mut(&id) else { return };
        if stream.has_control() && !core::mem::replace(&mut stream.telling, true) {
            self.telling.push_back(id);
        }
    }

    fn remove_if_over(&mut self, id: StreamId) {
        if !self.table.get(&id).is_some_and(|stream| stream.is_over()) {
            return;
        }
        self.table.remove(&id);
        if id.by_acceptor() == self.acceptor {
            return;
        }
        // The limit moves with the lowest stream that is not over, so that what is remembered of
        // those that are stays bounded.
        let index = id.index();
        self.peer_over.insert(index..index + 1).unwrap_or_default();
        let done = self.peer_over.first().filter(|first| first.start == 0);
        let max = done.map_or(0, |first| first.end) + self.limits.peer_streams_max;
        if max > self.peer_max {
            self.peer_max = max;
            self.peer_max_pending = true;
        }
    }

    /// Whether there are frames beside stream data to send.
    pub fn has_control(&self) -> bool {
        self.recv_window.is_pending()
            || self.send_limit.is_pending()
            || self.peer_max_pending
            || self.any(&self.telling, Stream::has_control)
    }

    /// Whether there is one among these: what they stood in the queue for may be settled by now.
    fn any(&self, queue: &VecDeque<StreamId>, is: impl Fn(&Stream) -> bool) -> bool {
        queue.iter().any(|id| self.table.get(id).is_some_and(|stream| is(stream)))
    }

    /// Whether a stream has bytes to send that the connection's window lets out.
    pub fn has_data(&self) -> bool {
        let credit = self.credit();
        self.ready.values().any(|queue| self.any(queue, |stream| stream.is_sendable(credit)))
    }

    /// Writes the frames that say something about streams and windows, as many as fit.
    pub fn write_control(&mut self, writer: &mut Writer<'_>, contents: &mut Vec<Content>) {
        if writer.room() < CONTROL_BYTES {
            return;
        }
        if let Some(limit) = self.recv_window.take_update() {
            put(Frame::MaxData(limit), Content::MaxData, writer, contents);
        }
        if self.peer_max_pending && writer.room() >= CONTROL_BYTES {
            self.peer_max_pending = false;
            put(Frame::MaxStreams(self.peer_max), Content::MaxStreams, writer, contents);
        }
        if writer.room() >= CONTROL_BYTES
            && let Some(limit) = self.send_limit.take_blocked()
        {
            put(Frame::DataBlocked(limit), Content::DataBlocked, writer, contents);
        }
        while writer.room() >= 4 * CONTROL_BYTES
            && let Some(id) = self.telling.pop_front()
        {
            if let Some(stream) = self.table.get_mut(&id) {
                stream.telling = false;
                stream.write_control(id, writer, contents);
            }
        }
    }

    /// Writes stream data into the rest of a packet, stream after stream.
    pub fn write_data(&mut self, writer: &mut Writer<'_>, contents: &mut Vec<Content>) {
        // Empty queues stay: what was needed once will be needed again.
        let mut ready = core::mem::take(&mut self.ready);
        'packet: for queue in ready.values_mut() {
            while let Some(&id) = queue.front() {
                if self.write_stream(id, writer, contents) {
                    // The turn stays with it: a packet belongs to as few streams as possible.
                    break 'packet;
                }
                queue.pop_front();
            }
        }
        self.ready = ready;
    }

    /// Writes data of one stream; whether there is more that only needs room.
    fn write_stream(
        &mut self,
        id: StreamId,
        writer: &mut Writer<'_>,
        contents: &mut Vec<Content>,
    ) -> bool {
        let credit = self.credit();
        let Some(stream) = self.table.get_mut(&id) else { return false };
        let (new_from, first) = (stream.send.buffer().next(), contents.len());
        let written = stream.write_data(id, credit, writer, contents);
        let sent = stream.send.buffer().next() - new_from;
        self.sent += sent;
        self.resent += contents[first..].iter().map(Content::stream_bytes).sum::<u64>() - sent;
        if matches!(written, Written::Full) && stream.is_sendable(credit - sent) {
            return true;
        }
        self.leave_queue(id);
        false
    }

    /// A stream is not in its queue any more: says so if it is a window that holds it up.
    pub(super) fn leave_queue(&mut self, id: StreamId) {
        let Some(stream) = self.table.get_mut(&id) else { return };
        stream.queued = false;
        if stream.is_held_up() {
            stream.send.limit_mut().on_blocked();
        } else if stream.send.wants_to_leave() {
            self.send_limit.on_blocked();
        }
        self.tell(id);
    }

    /// Lets the next stream of the same priority have its turn.
    pub fn next_turn(&mut self) {
        if let Some(queue) = self.ready.values_mut().find(|queue| !queue.is_empty()) {
            queue.rotate_left(1);
        }
    }
}

/// The priority of a stream that the peer opened.
pub(crate) const PRIORITY_DEFAULT: u8 = 128;
