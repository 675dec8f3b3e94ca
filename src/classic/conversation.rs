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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        batch::Batch,
        classic::{Classic, Config, Timeout, rdt30::StopAndWait},
        endpoint::{Disposition, RecvMeta, Transmit},
        trace::TraceEvent,
    };
    use core::{net::SocketAddr, time::Duration};

    const PEER: ([u8; 4], u16) = ([10, 0, 0, 2], 7);

    /// The shortest conversation: it keeps a message until a timer throws it away.
    struct Shredder(Option<Instant>);

    impl Endpoint for Shredder {
        type Event = Event;
        fn handle_datagram(&mut self, _: Instant, _: RecvMeta, _: &[u8]) -> Disposition {
            Disposition::Accepted
        }
        fn handle_timeout(&mut self, now: Instant) {
            self.0 = self.0.filter(|&due| due > now);
        }
        fn poll_transmit(&mut self, _: Instant, _: &mut Batch<'_>) -> Option<Transmit> {
            None
        }
        /// Nothing is due at the end of time.
        fn poll_timeout(&self) -> Option<Instant> {
            self.0.filter(|&due| due < Instant::MAX)
        }
        fn poll_event(&mut self) -> Option<Event> {
            None
        }
        fn set_tracing(&mut self, _: bool) {}
        fn poll_trace(&mut self) -> Option<TraceEvent> {
            None
        }
    }

    impl Conversation for Shredder {
        fn send(&mut self, now: Instant, message: &[u8]) -> Result<(), SendError> {
            self.0 = Some(if message.is_empty() { Instant::MAX } else { now });
            Ok(())
        }
        fn is_idle(&self) -> bool {
            self.0.is_none()
        }
    }

    #[test]
    fn two_methods_are_enough() {
        let mut end = Shredder(None);
        assert!(end.is_idle() && !end.is_stalled() && !end.is_closed());
        assert_eq!((end.unacked(), end.queue_room()), (0, usize::MAX));
        assert_eq!((end.stats(), end.rtt()), (&Stats::NONE, &RttEstimator::UNMEASURED));
        end.send(Instant::ZERO, b"x").unwrap();
        assert!(!end.is_stalled(), "it waits for a time");
        assert_eq!(end.unacked(), 1);
        end.handle_timeout(Instant::ZERO);
        assert!(end.is_idle());
        end.send(Instant::ZERO, b"").unwrap();
        assert!(end.is_stalled(), "it is not idle and waits for nothing");
    }

    /// Whether both say the same, and some of what they say.
    fn alike(inside: &Classic<StopAndWait>, boxed: &impl Conversation) -> (bool, bool, u64) {
        assert_eq!(boxed.queue_room(), inside.queue_room());
        assert_eq!(boxed.is_idle(), inside.is_idle());
        assert_eq!(boxed.is_stalled(), inside.is_stalled());
        assert_eq!(boxed.is_closed(), inside.is_closed());
        assert_eq!(boxed.unacked(), inside.unacked());
        assert_eq!((boxed.stats(), boxed.rtt()), (inside.stats(), inside.rtt()));
        (inside.is_idle(), inside.is_closed(), inside.unacked())
    }

    /// What a program holds when the user chooses is the endpoint inside.
    #[test]
    fn a_box_says_what_is_in_it() {
        let config = Config {
            timeout: Timeout::Fixed(Duration::from_millis(100)),
            attempts_max: Some(2),
            queue_messages_max: 1,
            ..Config::default()
        };
        let peer = SocketAddr::from(PEER);
        let mut inside = Classic::new(&StopAndWait::RDT30, config, peer).unwrap();
        let mut boxed: Box<dyn Conversation> = Box::new(inside.clone());
        assert_eq!(alike(&inside, &boxed), (true, false, 0));
        let mut space = [0; 100];
        for _ in 0..2 {
            let by_box: &mut dyn Conversation = &mut boxed;
            by_box.send(Instant::ZERO, b"x").unwrap();
            inside.send(Instant::ZERO, b"x").unwrap();
        }
        let by_box: &mut dyn Conversation = &mut boxed;
        assert_eq!(by_box.send(Instant::ZERO, b"x"), Err(SendError::QueueFull));
        assert_eq!(alike(&inside, &boxed), (false, false, 2));
        for _ in 0..2 {
            for end in [&mut boxed as &mut dyn Conversation, &mut inside] {
                let sent = end.poll_transmit(Instant::ZERO, &mut Batch::new(&mut space));
                assert_eq!(sent.map(|transmit| transmit.destination), Some(peer));
                end.handle_timeout(end.poll_timeout().unwrap());
            }
            alike(&inside, &boxed);
        }
        assert_eq!(alike(&inside, &boxed), (false, true, 2), "it gave up");
    }
}
