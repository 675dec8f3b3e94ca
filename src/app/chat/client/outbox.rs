//! What the client sends: messages until they are confirmed, and files.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use super::{ANSWERS_MAX, Client, Event, GOT_AFTER, Ours, Place, State};
use crate::{
    app::chat::{
        frame::{FileEnd, Frame, Kind, Reason, TEXT_BYTES_MAX},
        server::Wire,
    },
    time::Instant,
};
use core::{fmt, time::Duration};

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SayError {
    /// It is longer than [`TEXT_BYTES_MAX`].
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// As many wait to be confirmed as may: try again when some are.
    Full,
}

impl fmt::Display for SayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { bytes } => write!(
                f,
                "the message has {bytes} bytes, at most {TEXT_BYTES_MAX} can be sent: send a file"
            ),
            Self::Full => f.write_str("too many messages wait to be confirmed: wait a moment"),
        }
    }
}

impl core::error::Error for SayError {}

/// A message that is not confirmed.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) number: u64,
    pub(super) kind: Kind,
    pub(super) place: Place,
    pub(super) text: String,
    /// When it was sent on this connection.
    pub(super) sent_at: Option<Instant>,
}

/// How long to wait before asking again for somebody who has not come back yet.
const RETRY_USER: Duration = Duration::from_millis(500);

impl Client {
    /// Takes a message. It is kept until it has arrived, whatever becomes of connections; its
    /// number comes back in [`Event::Delivered`].
    pub fn say(
        &mut self,
        now: Instant,
        kind: Kind,
        place: Place,
        text: &str,
    ) -> Result<u64, SayError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(SayError::TooLong { bytes: text.len() });
        }
        if !self.has_room() {
            return Err(SayError::Full);
        }
        self.numbers += 1;
        let number = self.numbers;
        self.messages_bytes += text.len();
        let text = text.to_owned();
        self.messages.push_back(Message { number, kind, place, text, sent_at: None });
        self.flush(now);
        Ok(number)
    }

    /// Whether [`say`](Self::say) would take one more message.
    pub fn has_room(&self) -> bool {
        self.messages.len() < self.config.messages_max
            && self.messages_bytes < self.config.messages_bytes_max
    }

    /// Sends messages as fast as the server takes them.
    pub(super) fn flush(&mut self, now: Instant) {
        if self.state != State::Online || now < self.hold_until {
            return;
        }
        let mut frames = Vec::new();
        for message in self.messages.iter_mut().filter(|message| message.sent_at.is_none()) {
            let tokens = u32::try_from(1 + message.text.len() / 8_192).unwrap_or(u32::MAX);
            if let Err(wait) = self.pace.take(now, tokens) {
                self.hold_until = now + wait;
                break;
            }
            message.sent_at = Some(now);
            let Message { number, kind, place, text, .. } = message;
            let (number, kind, target) = (*number, *kind, place.target());
            frames.push(Frame::Say { number, kind, target, text }.encode());
        }
        self.talk.extend(frames.into_iter().map(Into::into));
    }

    /// When something has to be done about a message.
    pub(super) fn message_due(&self) -> Option<Instant> {
        let unsent = self.messages.iter().any(|message| message.sent_at.is_none());
        let lost = match self.config.wire {
            Wire::Datagram => self.messages.iter().filter_map(|message| message.sent_at).min(),
            Wire::Stream => None,
        };
        let lost = lost.map(|at| at + self.config.confirm_within);
        let next = unsent.then_some(self.hold_until);
        next.into_iter().chain(lost).min()
    }

    /// On a carrier of datagrams: what nobody has confirmed in time is lost, and said to be.
    pub(super) fn give_up(&mut self, now: Instant) {
        if self.config.wire == Wire::Stream {
            return;
        }
        let limit = self.config.confirm_within;
        let is_lost = |message: &Message| message.sent_at.is_some_and(|at| at + limit <= now);
        while let Some(at) = self.messages.iter().position(is_lost) {
            if let Some(message) = self.take_message(at) {
                self.events.push_back(Event::Unconfirmed { text: message.text });
            }
        }
    }

    fn take_message(&mut self, at: usize) -> Option<Message> {
        let message = self.messages.remove(at)?;
        self.messages_bytes -= message.text.len();
        Some(message)
    }

    fn find_message(&self, number: u64) -> Option<usize> {
        self.messages.iter().position(|message| message.number == number)
    }

    pub(super) fn delivered(&mut self, now: Instant, number: u64, to: u32) {
        if let Some(at) = self.find_message(number)
            && self.take_message(at).is_some()
        {
            self.events.push_back(Event::Delivered { number, to });
        }
        self.flush(now);
    }

    pub(super) fn not_sent(&mut self, now: Instant, number: u64, reason: Reason, detail: &str) {
        let Some(at) = self.find_message(number) else { return };
        if reason == Reason::TooFast && self.config.wire == Wire::Stream {
            // The server takes nothing behind a message that it refused, so that the order stays.
            for message in self.messages.iter_mut().skip(at) {
                message.sent_at = None;
            }
            let wait = Duration::from_millis(detail.parse().unwrap_or(1_000));
            self.hold_until = self.hold_until.max(now + wait);
            return;
        }
        let coming = self.restarted_at.is_some_and(|at| now < at + self.config.return_within);
        let wait = match reason {
            Reason::TooFast => detail.parse().ok().map(Duration::from_millis),
            // The server has started again, and the other may not be back yet.
            Reason::NoSuchUser if coming => Some(RETRY_USER),
            _ => None,
        };
        let Some(mut message) = self.take_message(at) else { return };
        let Some(wait) = wait else {
            let (text, detail) = (message.text, detail.to_owned());
            return self.events.push_back(Event::NotSent { text, reason, detail });
        };
        // A number that was passed by would be taken for one that was there before.
        self.numbers += 1;
        message.number = self.numbers;
        message.sent_at = None;
        self.messages_bytes += message.text.len();
        self.messages.push_back(message);
        self.hold_until = self.hold_until.max(now + wait);
    }

    /// Sends what a server has asked for, unless it asks and does not read.
    pub(super) fn reply(&mut self, frame: &Frame<'_>) {
        if self.talk.len() < ANSWERS_MAX {
            self.send(frame);
        }
    }

    /// Tells how many messages have arrived.
    pub(super) fn tell_got(&mut self, now: Instant) {
        if self.talk.len() >= ANSWERS_MAX {
            self.got_at = Some(now + GOT_AFTER);
            return;
        }
        self.got_at = None;
        if self.got > self.got_told {
            self.got_told = self.got;
            self.send(&Frame::Got(self.got));
        }
    }

    /// Offers a file to a user; the answer is [`Event::Answered`]. Returns what the transfer is
    /// called.
    pub fn offer(&mut self, nick: &str, name: &str, size: u64) -> u32 {
        self.transfers_made = self.transfers_made.wrapping_add(2);
        let transfer = self.transfers_made;
        self.transfers.insert(transfer, Ours { sending: true, granted: 0, moved: 0 });
        self.send(&Frame::Offer { transfer, nick, name, size });
        transfer
    }

    /// Says whether an offered file is wanted.
    pub fn answer(&mut self, transfer: u32, wanted: bool) {
        let Some(ours) = self.transfers.get_mut(&transfer) else { return };
        if ours.granted > 0 {
            return;
        }
        ours.granted = self.config.file_window_bytes;
        let bytes = ours.granted;
        self.send(&Frame::Answer { transfer, wanted });
        if wanted {
            self.send(&Frame::Credit { transfer, bytes });
        } else {
            self.transfers.remove(&transfer);
        }
    }

    /// Bytes of messages that [`file`](Self::file) would take now. On a carrier of datagrams, what
    /// was lost counts as on its way until the receiver gives up.
    pub fn file_room(&self, transfer: u32) -> u64 {
        let ours = self.transfers.get(&transfer);
        ours.filter(|ours| ours.sending).map_or(0, |ours| ours.granted.saturating_sub(ours.moved))
    }

    /// Bytes of messages that have been sent or have arrived.
    pub fn file_moved(&self, transfer: u32) -> u64 {
        self.transfers.get(&transfer).map_or(0, |ours| ours.moved)
    }

    /// Sends a message of a transfer.
    pub fn file(&mut self, transfer: u32, message: &[u8]) {
        let Some(ours) = self.transfers.get_mut(&transfer) else { return };
        let frame = Frame::File { transfer, message }.encode();
        if ours.sending {
            ours.moved += message.len() as u64;
            self.bulk.push_back(frame.into());
        } else {
            self.talk.push_back(frame.into());
        }
    }

    /// The transfer is over, and everybody knows.
    pub fn file_done(&mut self, transfer: u32) {
        self.transfers.remove(&transfer);
    }

    /// Stops a transfer and tells the other side.
    pub fn file_cancel(&mut self, transfer: u32) {
        if self.transfers.remove(&transfer).is_some() {
            self.send(&Frame::FileEnd { transfer, why: FileEnd::Cancelled });
        }
    }

    /// More of a file has arrived: asks for as much again when half of the window is used.
    pub(super) fn grant(&mut self, transfer: u32, arrived: usize) {
        let window = self.config.file_window_bytes;
        let Some(ours) = self.transfers.get_mut(&transfer).filter(|ours| !ours.sending) else {
            return;
        };
        ours.moved += arrived as u64;
        if ours.granted - ours.moved.min(ours.granted) <= window / 2 {
            ours.granted = ours.moved + window;
            let bytes = ours.granted;
            self.send(&Frame::Credit { transfer, bytes });
        }
    }
}
