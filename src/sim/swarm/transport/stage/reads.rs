//! How applications read: all at once, or a little now and then.

use alloc::format;

use super::{
    super::{
        super::Invariant,
        body::Body,
        lane::{CODE, End, Voice},
        watch::Watched,
    },
    PORTION, Stage,
};
use crate::{
    time::Instant,
    transport::{lifecycle::CloseReason, stream::ReadError},
};

impl Stage {
    /// Reads what there is to read, if the application reads now.
    pub(super) fn read<B: Body>(&mut self, now: Instant, node: usize, host: &mut Watched<B>) {
        while let Some(&(talk, chat)) = self.desks[node].readable.front() {
            if !self.may_read(now, node) {
                return;
            }
            if !self.read_stream(now, node, talk, chat, host) {
                self.desks[node].readable.pop_front();
                self.let_go(node, host);
            }
        }
    }

    /// Releases connections that are over. One that ended in silence is read to its end before: its
    /// application may be slower than its peer is patient.
    pub(super) fn let_go<B: Body>(&mut self, node: usize, host: &mut Watched<B>) {
        for (index, talk) in self.talks.iter().enumerate() {
            let side = talk.side(node);
            let (Some(id), Some(reason)) = (talk.ids[side], talk.closed[side]) else { continue };
            let unread = || self.desks[node].readable.iter().any(|&(talk, _)| talk == index);
            if reason != CloseReason::Idle || !unread() {
                host.body_mut().host_mut().release(id);
            }
        }
    }

    fn may_read(&mut self, now: Instant, node: usize) -> bool {
        let desk = &mut self.desks[node];
        if let Some((from, until)) = desk.reader.stall
            && now >= Instant::ZERO + from
            && now < Instant::ZERO + until
        {
            self.stalls += u64::from(desk.reads_at < Instant::ZERO + until);
            desk.reads_at = Instant::ZERO + until;
        }
        if let Some((bytes, pause)) = desk.reader.slow
            && desk.read_left == 0
        {
            if now >= desk.reads_at {
                desk.reads_at = now + pause;
                self.slow_reads += 1;
            }
            desk.read_left = bytes;
        }
        now >= desk.reads_at
    }

    /// Reads a portion of a stream; whether there may be more.
    fn read_stream<B: Body>(
        &mut self,
        now: Instant,
        node: usize,
        talk: usize,
        chat: usize,
        host: &mut Watched<B>,
    ) -> bool {
        let side = self.talks[talk].side(node);
        let Some(id) = self.talks[talk].ids[side] else { return false };
        let tainted = self.talks[talk].tainted;
        let stream = self.talks[talk].chats[chat].id;
        if self.talks[talk].chats[chat].read_by(side).reader.is_some() {
            return false;
        }
        let mut space = [0; PORTION];
        let most = PORTION.min(self.desks[node].read_left);
        let got = host.body_mut().read(now, id, stream, &mut space[..most]);
        let mut lane = self.talks[talk].chats[chat].read_by(side).clone();
        match got {
            Ok(len) => {
                self.moved += 1;
                self.read_bytes += len as u64;
                if self.desks[node].reader.slow.is_some() {
                    self.desks[node].read_left -= len;
                }
                if tainted {
                    lane.read += len as u64;
                } else if let Err((what, words)) = lane.on_read(&space[..len], self.voices()) {
                    self.break_((what, format!("connection {talk}, {stream}: {words}")));
                    return false;
                }
                let stops = lane.stop_after.is_some_and(|after| lane.read >= after);
                if stops {
                    lane.reader = Some(End::Stopped);
                    self.stops += 1;
                    if let Some(connection) = host.body_mut().host_mut().get_mut(id) {
                        connection.stop(now, stream, CODE);
                    }
                }
                *self.talks[talk].chats[chat].read_by(side) = lane;
                !stops
            }
            Err(ReadError::Finished) => {
                self.talks[talk].chats[chat].read_by(side).reader = Some(End::Finished);
                self.moved += 1;
                if !tainted && (lane.read != lane.written || lane.writer != Some(End::Finished)) {
                    let detail = format!(
                        "connection {talk}, {stream} ends after {} bytes, {} were written",
                        lane.read, lane.written
                    );
                    self.break_((Invariant::Prefix, detail));
                }
                false
            }
            Err(ReadError::Reset(code)) => {
                self.talks[talk].chats[chat].read_by(side).reader = Some(End::Reset);
                self.moved += 1;
                let honest = matches!(lane.writer, Some(End::Reset | End::Stopped));
                if !tainted && (!honest || code != CODE) {
                    let detail = format!("connection {talk}, {stream} is reset, and nobody did");
                    self.break_((Invariant::NoInvention, detail));
                }
                false
            }
            Err(ReadError::Blocked | ReadError::Unknown) => false,
        }
    }

    fn voices(&self) -> impl Iterator<Item = Voice> {
        let chats = self.talks.iter().flat_map(|talk| &talk.chats);
        chats.flat_map(|chat| &chat.lanes).map(|lane| lane.voice)
    }
}
