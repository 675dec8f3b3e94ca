//! Monitor and answer over each carrier that is made of datagrams.

use core::{net::SocketAddr, time::Duration};

use rdtp::{
    app::monitor::{
        CarriedEcho, CarriedMonitor, DatagramEcho, DatagramMonitor, EchoEvent, Format, Monitor,
        MonitorEndpoint, MonitorEvent,
    },
    batch::Batch,
    channel::Channel,
    classic::{Config, Conversation},
    endpoint::{Disposition, Endpoint, RecvMeta, Transmit},
    hub::{Hub, HubConfig},
    rng::Seed,
    time::Instant,
    trace::TraceEvent,
    wire::{Anatomy, Checksum, Codec, transport::anatomy},
};

use super::{
    super::{Failure, carrier::Over, transfer::TimeoutRule},
    rdt::{RdtEcho, RdtMonitor},
};

/// What a link may know of its datagrams.
pub(super) fn inspect(over: Over) -> Option<fn(&[u8]) -> Anatomy> {
    match over {
        Over::Tcp | Over::Udp => None,
        Over::Rdt => Some(anatomy),
        Over::Book(_) => Some(|bytes| CODEC.anatomy(bytes)),
    }
}

/// What of a network it does not bear, in words.
pub(super) fn excess(over: Over, channel: Channel) -> Vec<String> {
    match over {
        // A probe that is lost is what a monitor is there for.
        Over::Tcp | Over::Udp | Over::Rdt => Vec::new(),
        Over::Book(spec) => channel.exceeds(spec.tolerates_with(CODEC)),
    }
}

const CODEC: Codec = Codec::Compact { checksum: Checksum::Crc32c };

/// Probes of one conversation that wait for those before them.
const QUEUE_MAX: usize = 16;

fn config() -> Config {
    Config {
        codec: CODEC,
        timeout: TimeoutRule::DEFAULT,
        attempts_max: None,
        queue_messages_max: QUEUE_MAX,
        ..Config::default()
    }
}

pub(super) type Peer = Box<dyn Conversation + Send>;
type Make = Box<dyn FnMut(Instant, SocketAddr) -> Option<Peer>>;

/// The side that probes.
pub(super) enum Probing {
    Bare(DatagramMonitor),
    Carried(CarriedMonitor<Peer>),
    Rdt(Box<RdtMonitor>),
}

impl Probing {
    /// Probes `peer`. `seed` should be nobody's to guess. TCP has no datagrams.
    pub(super) fn new(
        over: Over,
        monitor: Monitor,
        peer: SocketAddr,
        seed: Seed,
    ) -> Result<Self, Failure> {
        Ok(match over {
            Over::Udp | Over::Tcp => Self::Bare(DatagramMonitor::new(monitor, peer)),
            Over::Rdt => Self::Rdt(Box::new(RdtMonitor::new(monitor, peer, seed)?)),
            Over::Book(spec) => {
                Self::Carried(CarriedMonitor::new(monitor, spec.endpoint(config(), peer)?))
            }
        })
    }

    /// The monitor, when it has to begin anew from another address: a peer that was started again
    /// takes the packets of a conversation without handshake for those of a stranger.
    pub(super) fn needs_new_start(&self) -> bool {
        matches!(self, Self::Carried(_))
    }

    /// The monitor alone; `None` for a side that goes on by itself.
    pub(super) fn into_monitor(self) -> Option<Monitor> {
        match self {
            Self::Carried(side) => Some(side.into_monitor()),
            Self::Bare(_) | Self::Rdt(_) => None,
        }
    }

    /// Why the last probe went unanswered, if more is known than silence.
    pub(super) fn trouble(&mut self) -> Option<String> {
        match self {
            Self::Rdt(side) => side.take_trouble(),
            Self::Bare(_) | Self::Carried(_) => None,
        }
    }

    /// Takes leave of the peer, where a peer would wait.
    pub(super) fn close(&mut self, now: Instant) {
        if let Self::Rdt(side) = self {
            side.close(now);
        }
    }
}

macro_rules! each {
    ($side:expr, $inner:ident => $call:expr) => {
        match $side {
            Self::Bare($inner) => $call,
            Self::Carried($inner) => $call,
            Self::Rdt($inner) => $call,
        }
    };
}

macro_rules! endpoint {
    ($side:ty, $event:ty) => {
        impl Endpoint for $side {
            type Event = $event;
            fn handle_datagram(
                &mut self,
                now: Instant,
                meta: RecvMeta,
                datagram: &[u8],
            ) -> Disposition {
                each!(self, side => side.handle_datagram(now, meta, datagram))
            }
            fn handle_timeout(&mut self, now: Instant) {
                each!(self, side => side.handle_timeout(now));
            }
            fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
                each!(self, side => side.poll_transmit(now, batch))
            }
            fn poll_timeout(&self) -> Option<Instant> {
                each!(self, side => side.poll_timeout())
            }
            fn poll_event(&mut self) -> Option<$event> {
                each!(self, side => side.poll_event())
            }
            fn set_tracing(&mut self, on: bool) {
                each!(self, side => side.set_tracing(on));
            }
            fn poll_trace(&mut self) -> Option<TraceEvent> {
                each!(self, side => side.poll_trace())
            }
        }
    };
}

endpoint!(Probing, MonitorEvent);
endpoint!(Answering, EchoEvent);

impl MonitorEndpoint for Probing {
    fn monitor(&self) -> &Monitor {
        each!(self, side => side.monitor())
    }
    fn monitor_mut(&mut self) -> &mut Monitor {
        each!(self, side => side.monitor_mut())
    }
}

/// The side that answers.
pub(super) enum Answering {
    Bare(DatagramEcho),
    Carried(CarriedEcho<Peer, Make>),
    Rdt(Box<RdtEcho>),
}

/// How long the conversation with a silent monitor is remembered.
const IDLE: Duration = Duration::from_mins(5);

impl Answering {
    /// Answers whoever probes. `seed` should be nobody's to guess.
    pub(super) fn new(over: Over, format: Format, seed: Seed) -> Result<Self, Failure> {
        Ok(match over {
            Over::Udp | Over::Tcp => Self::Bare(DatagramEcho::new(format)),
            Over::Rdt => Self::Rdt(Box::new(RdtEcho::new(seed)?)),
            Over::Book(spec) => {
                let limits = HubConfig { idle_after: IDLE, ..HubConfig::default() };
                let make = move |_, peer| spec.endpoint(config(), peer).ok();
                let hub: Hub<Peer, Make> = Hub::new(limits, Box::new(make));
                Self::Carried(CarriedEcho::new(hub))
            }
        })
    }
}
