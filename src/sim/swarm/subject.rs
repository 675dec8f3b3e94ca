//! What a swarm can run: two endpoints that carry messages one way.

use alloc::string::String;
use core::{fmt, net::SocketAddr};

use super::plan::Plan;
use crate::{
    channel::Channel,
    classic::{Classic, Config, ConfigError, Event, Payload, Protocol, Role},
    endpoint::Endpoint,
    link::{Link, LinkConfig},
    rng::Seed,
    time::Instant,
    trace::NodeId,
    wire::Codec,
};

/// Something that a swarm can run: how to make two endpoints of it, and how to read them.
///
/// [`Textbook`] makes a subject of every [`Protocol`]. Implement this for endpoints of another kind.
pub trait Subject {
    /// Both sides.
    type Endpoint: Endpoint;

    /// Its name, as `rdtp swarm` takes it.
    fn name(&self) -> String;

    /// The worst channel that it promises to bear.
    fn bears(&self) -> Channel;

    /// Whether damaged datagrams are noticed, so that nothing can be delivered that nobody sent.
    fn notices_damage(&self) -> bool;

    /// Whether its sender only believes what it was told by the receiver.
    fn has_feedback(&self) -> bool;

    /// The sender and the receiver of a run, at these addresses.
    fn pair(&self, plan: &Plan, at: [SocketAddr; 2]) -> Result<[Self::Endpoint; 2], ConfigError>;

    /// A link that can read its datagrams, if they have anything to read.
    fn link(&self, config: LinkConfig, seed: Seed) -> Link<NodeId> {
        Link::new(config, seed)
    }

    /// Whether `sender` would take a message.
    fn has_room(&self, sender: &Self::Endpoint) -> bool;

    /// Hands `sender` a message; false when it does not take it.
    fn send(&self, sender: &mut Self::Endpoint, now: Instant, message: &[u8]) -> bool;

    /// What an event means.
    fn heard(&self, event: <Self::Endpoint as Endpoint>::Event) -> Heard;

    /// How many messages `sender` believes delivered.
    fn believed(&self, sender: &Self::Endpoint) -> u64;

    /// How many messages `receiver` has taken, whether or not its application has read them.
    fn taken(&self, receiver: &Self::Endpoint) -> u64;

    /// A queue of `endpoint` that is longer than it may be in this run.
    fn overfull(&self, plan: &Plan, endpoint: &Self::Endpoint) -> Option<Overfull>;

    /// How many messages, packets and timers `endpoint` holds; nothing at the end of a run.
    fn holds(&self, endpoint: &Self::Endpoint) -> usize;
}

/// What the application of a run hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A message arrived.
    Delivered(Payload),
    /// The sender gave up.
    GaveUp,
    /// Anything else.
    Other,
}

/// A queue beyond its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overfull {
    /// Which queue.
    pub queue: &'static str,
    /// How much is in it.
    pub held: usize,
    /// How much may be in it.
    pub limit: usize,
}

impl fmt::Display for Overfull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queue, held, limit } = self;
        write!(f, "{held} {queue}, at most {limit} allowed")
    }
}

/// A protocol of the textbook, or one of your own, behind the adapter [`Classic`].
#[derive(Clone, Debug)]
pub struct Textbook<P> {
    protocol: P,
    name: String,
}

impl<P: Protocol> Textbook<P> {
    /// This protocol under the name of its type.
    pub fn new(protocol: P) -> Self {
        Self { protocol, name: P::NAME.into() }
    }

    /// The same under another name, which tells its parameters.
    #[must_use]
    pub fn named(mut self, name: String) -> Self {
        self.name = name;
        self
    }

    /// A protocol without a checksum has no header to carry one.
    fn codec() -> Codec {
        if P::FIELDS.checksum { Codec::default() } else { Codec::Bare }
    }
}

impl<P: Protocol> Subject for Textbook<P> {
    type Endpoint = Classic<P>;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn bears(&self) -> Channel {
        self.protocol.tolerates()
    }

    fn notices_damage(&self) -> bool {
        P::FIELDS.checksum
    }

    fn has_feedback(&self) -> bool {
        // What is made for a perfect channel may believe without evidence.
        self.protocol.tolerates() != Channel::PERFECT
    }

    fn pair(&self, plan: &Plan, at: [SocketAddr; 2]) -> Result<[Classic<P>; 2], ConfigError> {
        let [first, second] = at;
        let side = |role, peer| {
            let config = Config {
                role,
                codec: Self::codec(),
                timeout: plan.timeout,
                attempts_max: plan.attempts_max,
                queue_messages_max: plan.queue_messages_max,
                inbox_messages_max: plan.inbox_messages_max,
                outbox_packets_max: plan.outbox_packets_max,
                ..Config::default()
            };
            Classic::new(&self.protocol, config, peer)
        };
        Ok([side(Role::Sender, second)?, side(Role::Receiver, first)?])
    }

    fn link(&self, config: LinkConfig, seed: Seed) -> Link<NodeId> {
        let codec = Self::codec();
        Link::new(config, seed).with_inspect(move |bytes| codec.anatomy(bytes))
    }

    fn has_room(&self, sender: &Classic<P>) -> bool {
        sender.queue_room() > 0
    }

    fn send(&self, sender: &mut Classic<P>, now: Instant, message: &[u8]) -> bool {
        sender.send(now, message).is_ok()
    }

    fn heard(&self, event: Event) -> Heard {
        match event {
            Event::Delivered(message) => Heard::Delivered(message),
            Event::GaveUp { .. } => Heard::GaveUp,
            Event::Acknowledged { .. } => Heard::Other,
        }
    }

    fn believed(&self, sender: &Classic<P>) -> u64 {
        sender.stats().messages_acknowledged
    }

    fn taken(&self, receiver: &Classic<P>) -> u64 {
        receiver.stats().messages_delivered
    }

    fn overfull(&self, plan: &Plan, endpoint: &Classic<P>) -> Option<Overfull> {
        let load = endpoint.load();
        let window = usize::try_from(self.protocol.window()).unwrap_or(usize::MAX);
        let queues = [
            ("messages in the send queue", load.queued, plan.queue_messages_max),
            ("messages in the window", load.in_window, window),
            ("data packets waiting for the driver", load.data_waiting, window),
            ("ACKs and NAKs waiting", load.feedback_waiting, plan.outbox_packets_max),
            ("deliveries waiting", load.inbox, plan.inbox_messages_max.saturating_add(window)),
            ("timers", load.timers, window),
        ];
        let over = queues.into_iter().find(|(_, held, limit)| held > limit);
        over.map(|(queue, held, limit)| Overfull { queue, held, limit })
    }

    fn holds(&self, endpoint: &Classic<P>) -> usize {
        let load = endpoint.load();
        load.queued
            + load.in_window
            + load.data_waiting
            + load.feedback_waiting
            + load.inbox
            + load.timers
    }
}
