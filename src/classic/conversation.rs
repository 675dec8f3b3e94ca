//! What an application says to a classic endpoint and hears from it.

use alloc::{boxed::Box, sync::Arc};
use core::{fmt, ops::Deref};

use super::timeout::RttEstimator;
use crate::{endpoint::Endpoint, time::Instant};

/// A message: bytes that can be kept by window, queue and application without copying.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Payload(Arc<[u8]>);

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl Deref for Payload {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// What a [`Classic`](super::Classic) endpoint tells the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message arrived (`deliver_data`).
    Delivered(Payload),
    /// The peer has taken this many messages in all, as far as the protocol can know.
    Acknowledged {
        /// Messages.
        total: u64,
    },
    /// A message was sent as often as the configuration allows. The endpoint is closed.
    GaveUp {
        /// How often.
        attempts: u32,
    },
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// It does not fit a packet of this format.
    Size {
        /// Its length in bytes.
        len: usize,
        /// The longest message in bytes; with the lab format, the only length.
        max: usize,
    },
    /// As many messages wait as the configuration allows: try again after an
    /// [`Event::Acknowledged`].
    QueueFull,
    /// This endpoint only receives.
    ReceiverOnly,
    /// It has given up on the peer.
    Closed,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size { len, max } => {
                write!(f, "a message of {len} bytes does not fit a packet: split it at {max}")
            }
            Self::QueueFull => f.write_str("the send queue is full: wait for acknowledgements"),
            Self::ReceiverOnly => f.write_str("this endpoint only receives"),
            Self::Closed => f.write_str("the endpoint has given up on its peer"),
        }
    }
}

impl core::error::Error for SendError {}

/// What an endpoint did, counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages that `send` took.
    pub messages_sent: u64,
    /// Messages believed delivered at the peer.
    pub messages_acknowledged: u64,
    /// Messages delivered here.
    pub messages_delivered: u64,
    /// Data packets sent for the first time.
    pub data_sent: u64,
    /// Data packets sent again.
    pub data_resent: u64,
    /// ACKs and NAKs sent.
    pub feedback_sent: u64,
    /// Feedback dropped because the outbox was full.
    pub feedback_dropped: u64,
    /// Intact packets that arrived.
    pub packets_received: u64,
    /// Damaged packets that arrived.
    pub packets_damaged: u64,
    /// Intact packets that a machine or a limit refused.
    pub packets_discarded: u64,
    /// Timers that ran out.
    pub timeouts: u64,
}

impl Stats {
    /// Nothing was done.
    pub const NONE: Self = Self {
        messages_sent: 0,
        messages_acknowledged: 0,
        messages_delivered: 0,
        data_sent: 0,
        data_resent: 0,
        feedback_sent: 0,
        feedback_dropped: 0,
        packets_received: 0,
        packets_damaged: 0,
        packets_discarded: 0,
        timeouts: 0,
    };
}

/// What an endpoint holds at one moment. Each queue has a limit: see [`Config`](super::Config).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Messages that wait for room in the window: at most `queue_messages_max`.
    pub queued: usize,
    /// Messages that the sender took and does not yet believe delivered: at most a window.
    pub in_window: usize,
    /// Data packets that wait for the driver: at most a window.
    pub data_waiting: usize,
    /// ACKs and NAKs that wait for the driver: at most `outbox_packets_max`.
    pub feedback_waiting: usize,
    /// Delivered messages that wait for the application: at most `inbox_messages_max` and a window.
    pub inbox: usize,
    /// Timers that run: at most one for each message in the window.
    pub timers: usize,
}

/// An endpoint that carries messages: what simulator, sockets and [harness](crate::harness) ask of
/// a protocol.
///
/// Every [`Classic`](super::Classic) is one, and `Box<dyn Conversation>` is what programs hold when
/// the user chooses. A protocol that is no pair of machines implements [`Endpoint`] and, of the
/// methods here, [`send`](Self::send) and [`is_idle`](Self::is_idle).
pub trait Conversation: Endpoint<Event = Event> {
    /// Takes a message for the peer; see [`Classic::send`](super::Classic::send).
    fn send(&mut self, now: Instant, message: &[u8]) -> Result<(), SendError>;

    /// Whether every message is believed delivered and every packet has left.
    fn is_idle(&self) -> bool;

    /// Messages that `send` would take now. Who has limits says [`Event::Acknowledged`] when there
    /// is room again. Unlimited by default.
    fn queue_room(&self) -> usize {
        usize::MAX
    }

    /// Whether there is something to do, but nothing will be done unless the peer moves first. By
    /// default: it is not idle and waits for no time.
    fn is_stalled(&self) -> bool {
        !self.is_idle() && self.poll_timeout().is_none()
    }

    /// Whether it has given up on its peer. By default it never does.
    fn is_closed(&self) -> bool {
        false
    }

    /// Messages taken by `send` and not yet believed delivered. By default 1 as long as it is not
    /// idle.
    fn unacked(&self) -> u64 {
        u64::from(!self.is_idle())
    }

    /// What it did so far. Nothing by default.
    fn stats(&self) -> &Stats {
        static NOT_COUNTED: Stats = Stats::NONE;
        &NOT_COUNTED
    }

    /// Its estimate of the round trip. By default [`RttEstimator::UNMEASURED`].
    fn rtt(&self) -> &RttEstimator {
        static NOT_MEASURED: RttEstimator = RttEstimator::UNMEASURED;
        &NOT_MEASURED
    }
}

impl<C: Conversation + ?Sized> Conversation for Box<C> {
    fn send(&mut self, now: Instant, message: &[u8]) -> Result<(), SendError> {
        (**self).send(now, message)
    }
    fn queue_room(&self) -> usize {
        (**self).queue_room()
    }
    fn is_idle(&self) -> bool {
        (**self).is_idle()
    }
    fn is_stalled(&self) -> bool {
        (**self).is_stalled()
    }
    fn is_closed(&self) -> bool {
        (**self).is_closed()
    }
    fn unacked(&self) -> u64 {
        (**self).unacked()
    }
    fn stats(&self) -> &Stats {
        (**self).stats()
    }
    fn rtt(&self) -> &RttEstimator {
        (**self).rtt()
    }
}
