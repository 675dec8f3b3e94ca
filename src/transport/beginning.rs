//! How a connection begins: what is known before it, what leaves more than once, and what the
//! application hears before the peer has shown that it is there.

use alloc::boxed::Box;

use super::{
    config::Config,
    connection::{Connection, Cookie, FIRST_FLIGHT_BYTES, FIRST_STREAMS},
    copies::{Copies, Due},
    host::EarlyData,
    ledger::Content,
    memory::PathMemory,
    repair::OVERHEAD_BYTES,
    resume::KnownPath,
    stream::ReadError,
    ticket::Ticket,
};
use crate::{
    time::Instant,
    wire::transport::{COOKIE_BYTES_MAX, DATA_HEADER_BYTES, Frame, Greeting, Writer},
};

/// Tickets that an acceptor gives in one connection: a new one each time that it has seen the path
/// bear twice as much.
const TICKETS_MAX: u32 = 8;
/// Room for a ticket frame.
const TICKET_FRAME_MAX: usize = 2 + COOKIE_BYTES_MAX;
/// Packets on their way up to which they leave once more when one of them was lost before.
const COPIED_PACKETS_MAX: u64 = 3;
/// The copies of a flight that may be asked for.
pub(super) const COPIES_MAX: u8 = 4;

/// See the [module](self).
#[derive(Clone, Debug)]
pub(super) struct Beginning {
    pub(super) copies: Copies,
    /// The acceptor's application hears nothing yet.
    muted: bool,
    /// Limits of an earlier connection are in use.
    recalled: bool,
    given: Given,
    /// The peer's last ticket, and whether nobody has seen it yet.
    ticket: Option<Box<Ticket>>,
    news: bool,
}

/// Tickets on their way out.
#[derive(Clone, Debug, Default)]
struct Given {
    /// This host gives tickets.
    gives: bool,
    /// The last one, until the peer has it.
    ticket: Option<Box<Ticket>>,
    pending: bool,
    count: u32,
    /// What the path had borne when the last was made.
    window_bytes: u64,
}

impl Beginning {
    pub(super) fn new(config: &Config, acceptor: bool) -> Self {
        Self {
            copies: Copies::new(config.first_copies, config.copy_pause),
            muted: acceptor,
            recalled: false,
            given: Given::default(),
            ticket: None,
            news: false,
        }
    }

    /// The packet that held a ticket arrived. It may have been an earlier one, which is as good.
    pub(super) fn on_ticket_acked(&mut self) {
        if !self.given.pending {
            self.given.ticket = None;
        }
    }

    /// Bytes of memory that it holds beside itself.
    pub(super) fn memory_bytes(&self) -> usize {
        let tickets = [&self.given.ticket, &self.ticket].into_iter().flatten().count();
        tickets * size_of::<Ticket>()
    }

    /// The packet that held a ticket is lost.
    pub(super) fn repeat_ticket(&mut self) {
        self.given.pending = self.given.ticket.is_some();
    }
}

impl Connection {
    /// The peer says what it is called, and its limits.
    pub(super) fn on_greeting(&mut self, now: Instant, greeting: &Greeting) {
        self.remote_id = greeting.from;
        self.peer_token = Some(greeting.token);
        self.peer_params = greeting.params;
        let params = &greeting.params;
        self.agree_on_repair(params);
        self.streams.on_params(params.max_data, params.max_stream_data, params.max_streams);
        let longest = usize::try_from(params.max_packet_bytes).unwrap_or(usize::MAX);
        self.recovery.limit_packets(now, longest);
        self.limit_datagrams();
    }

    /// Datagrams fit into packets as long as they may be now, and are no longer than the peer takes.
    pub(super) fn limit_datagrams(&mut self) {
        let most = usize::try_from(self.peer_params.max_datagram_bytes).unwrap_or(usize::MAX);
        let longest = self.recovery.pmtud().proven_bytes();
        let header = DATA_HEADER_BYTES + Frame::datagram_header(longest);
        let left = if self.config.repair_percent > 0 { OVERHEAD_BYTES } else { 0 };
        self.datagrams.set_max(most.min(longest - header - left));
    }

    /// Uses what an earlier connection learned of the peer. The ticket goes with the first packet.
    pub(super) fn recall(&mut self, now: Instant, memory: &PathMemory) {
        if let Some(path) = memory.fresh_path(now) {
            self.recovery.remember(&path);
        }
        let Some(bytes) = memory.ticket else { return };
        self.cookie = Some(Box::new(Cookie { bytes, taken: 0, since: 0 }));
        // The peer keeps to the limits that it had when it gave the ticket, or does not take it.
        let params = &memory.params;
        self.streams.on_params(params.max_data, params.max_stream_data, params.max_streams);
        self.beginning.recalled = true;
    }

    /// The ticket was not taken, and nothing of what was sent: the limits may be others.
    pub(super) fn forget_recalled(&mut self) {
        self.beginning.copies.renew();
        if core::mem::take(&mut self.beginning.recalled) {
            self.streams.rewind(FIRST_FLIGHT_BYTES, FIRST_STREAMS);
        }
    }

    /// What the opener's ticket says of the path, if it brought one, who is heard early, and whether
    /// the opener gets a ticket itself.
    pub(super) fn vouch(&mut self, ticket: Option<&KnownPath>, early: EarlyData, gives: bool) {
        self.beginning.given.gives = gives;
        if let Some(path) = ticket.filter(|path| !path.rtt.is_zero()) {
            self.recovery.remember(path);
        }
        self.beginning.muted = match early {
            EarlyData::Never => true,
            EarlyData::WithTicket => ticket.is_none(),
            EarlyData::Anyone => false,
        };
    }

    /// What an opener may keep of its peer for the next connection; `None` before it has answered.
    pub fn memory(&self, now: Instant) -> Option<PathMemory> {
        let known = self.peer_token.is_some();
        (known && !self.acceptor).then(|| PathMemory {
            at: now,
            path: self.recovery.known_path(),
            ticket: self.beginning.ticket.as_deref().copied(),
            params: self.peer_params,
        })
    }

    /// Whether what the application reads may be something old that somebody sends once more: on the
    /// accepting side, until the opener has shown that it is there. It is delivered only once all the
    /// same, but perhaps not when its sender meant it: do nothing for it that must not be late
    /// (RFC 8470). Only a host that accepts early data ever says so.
    pub fn is_replayable(&self) -> bool {
        self.acceptor && self.life.is_accepting()
    }

    /// Whether the application hears nothing yet.
    pub(super) const fn is_muted(&self) -> bool {
        self.beginning.muted
    }

    pub(super) fn check_readable(&self) -> Result<(), ReadError> {
        if self.is_muted() { Err(ReadError::Blocked) } else { Ok(()) }
    }

    /// The peer is there.
    pub(super) fn release(&mut self) {
        self.beginning.muted = false;
    }

    /// Hands on what recovery has settled. What is lost may leave twice.
    pub(super) fn settle_at(&mut self, now: Instant) {
        if !self.settled.lost.is_empty() {
            self.beginning.copies.on_loss(now);
        }
        self.streams.on_window(self.recovery.controller().window());
        self.settle();
    }

    /// Sends once more what is due for it.
    pub(super) fn send_copies(&mut self, now: Instant) {
        while let Some(due) = self.beginning.copies.take_due(now) {
            let bytes = self.recovery.in_flight_bytes();
            let little = bytes <= COPIED_PACKETS_MAX * self.recovery.pmtud().packet_bytes() as u64;
            if bytes > 0 && (due == Due::Flight || little) {
                self.repeat_oldest(usize::MAX);
            }
        }
    }

    /// Sends what is on its way once more, without taking it for lost.
    pub(super) fn repeat_oldest(&mut self, packets_max: usize) {
        self.ping = true;
        self.recovery.oldest(packets_max, &mut self.contents);
        for content in self.contents.drain(..) {
            self.streams.on_lost(&content);
        }
    }

    // Tickets.

    /// The path that a new ticket is to tell of, when one is due.
    pub(super) fn wants_ticket(&self) -> Option<KnownPath> {
        let Given { gives, pending, count, window_bytes, .. } = &self.beginning.given;
        if !gives || !self.life.is_established() || *pending || *count >= TICKETS_MAX {
            return None;
        }
        let unknown = KnownPath { rtt: core::time::Duration::ZERO, window_bytes: 0 };
        let path = self.recovery.known_path().unwrap_or(unknown);
        let due = *count == 0 || path.window_bytes >= 2 * (*window_bytes).max(1);
        due.then_some(path)
    }

    /// A ticket for the peer.
    pub(super) fn give_ticket(&mut self, ticket: Ticket, path: &KnownPath) {
        let given = &mut self.beginning.given;
        *given = Given {
            gives: true,
            ticket: Some(Box::new(ticket)),
            pending: true,
            count: given.count + 1,
            window_bytes: path.window_bytes,
        };
    }

    /// A ticket waits to be sent, or to be made by the host, which does so before anything is sent.
    pub(super) fn has_ticket(&self) -> bool {
        self.beginning.given.pending || self.wants_ticket().is_some()
    }

    pub(super) fn write_ticket(&mut self, writer: &mut Writer<'_>) {
        let given = &mut self.beginning.given;
        if !given.pending || writer.room() < TICKET_FRAME_MAX {
            return;
        }
        given.pending = false;
        if let Some(ticket) = &given.ticket {
            Frame::Ticket(ticket.bytes()).encode(writer);
            self.contents.push(Content::Ticket);
        }
    }

    /// The peer has given one. False when this side gives them itself.
    pub(super) fn on_ticket(&mut self, bytes: &[u8]) -> bool {
        if !self.acceptor {
            (self.beginning.ticket, self.beginning.news) = (Ticket::new(bytes).map(Box::new), true);
        }
        !self.acceptor
    }

    /// Somebody keeps the ticket.
    pub(super) fn forget_ticket(&mut self) {
        self.beginning.ticket = None;
    }

    /// Whether there is something to keep that was not there when somebody last asked.
    pub(super) fn take_memory_news(&mut self) -> bool {
        core::mem::take(&mut self.beginning.news)
    }
}
