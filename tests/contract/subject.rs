//! What is held to the contract: every endpoint of the crate, two ends at a time.
//!
//! To add an endpoint, implement [`App`] for it (what its application can do and hear) and push a
//! [`Case`] in [`all`].

#[path = "transport.rs"]
mod transport;

use core::{net::SocketAddr, time::Duration};

use rdtp::{
    app::lab,
    batch::Batch,
    channel::Channel,
    classic::{
        Adaptive, Config, Conversation, Event, Protocol, Role, Spec, Timeout, rdt21::Rdt21,
        rdt22::Rdt22, rdt30::StopAndWait,
    },
    endpoint::{Disposition, Endpoint, RecvMeta, Transmit},
    hub::{Hub, HubConfig, HubEvent},
    rng::Seed,
    time::Instant,
    trace::TraceEvent,
    transport::host::CookiePolicy,
    wire::{Checksum, Codec, lab::LabChecksum},
};

/// What an application heard from its endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The event in words.
    pub(crate) text: String,
    /// The message in it.
    pub(crate) delivered: Option<Vec<u8>>,
}

/// What an endpoint says of its own progress, in messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ledger {
    /// Taken, and not believed delivered.
    pub(crate) unacked: u64,
    /// Believed delivered at the peer.
    pub(crate) believed: u64,
    /// Delivered here, whether or not the application has fetched them.
    pub(crate) delivered: u64,
}

/// What the contract must know of an endpoint beyond the trait.
pub(crate) trait App: Endpoint {
    /// Hands a message over for the peer; false when it is refused.
    fn offer(&mut self, now: Instant, message: &[u8]) -> bool;
    /// Its progress, if it keeps account of it.
    fn ledger(&self) -> Option<Ledger> {
        None
    }
    /// What an event says.
    fn hear(event: Self::Event) -> Heard;
}

impl App for Box<dyn Conversation + Send> {
    fn offer(&mut self, now: Instant, message: &[u8]) -> bool {
        self.send(now, message).is_ok()
    }
    fn ledger(&self) -> Option<Ledger> {
        let stats = self.stats();
        Some(Ledger {
            unacked: self.unacked(),
            believed: stats.messages_acknowledged,
            delivered: stats.messages_delivered,
        })
    }
    fn hear(event: Event) -> Heard {
        let text = format!("{event:?}");
        match event {
            Event::Delivered(message) => Heard { text, delivered: Some(message.to_vec()) },
            Event::Acknowledged { .. } | Event::GaveUp { .. } => Heard { text, delivered: None },
        }
    }
}

impl<C: App, F: FnMut(Instant, SocketAddr) -> Option<C>> App for Hub<C, F> {
    fn offer(&mut self, now: Instant, message: &[u8]) -> bool {
        self.get_mut(ADDRESSES[0]).is_some_and(|peer| peer.offer(now, message))
    }
    fn hear(event: HubEvent<C::Event>) -> Heard {
        match event {
            HubEvent::Peer(peer, event) => {
                let heard = C::hear(event);
                // Only the peer of the pair counts; others are noise that a test makes.
                let delivered = heard.delivered.filter(|_| peer == ADDRESSES[0]);
                Heard { text: format!("{peer}: {}", heard.text), delivered }
            }
            HubEvent::Joined(peer) => Heard { text: format!("{peer} joined"), delivered: None },
            HubEvent::Left(peer) => Heard { text: format!("{peer} left"), delivered: None },
        }
    }
}

/// The exercise's client has its messages from the start: to offer one is to choose from its menu.
impl<P: Protocol> App for lab::Client<P> {
    fn offer(&mut self, now: Instant, _: &[u8]) -> bool {
        self.act(now, lab::Action::Correct).is_ok()
    }
    fn hear(event: lab::ClientEvent) -> Heard {
        Heard { text: format!("{event:?}"), delivered: None }
    }
}

impl<P: Protocol> App for lab::Server<P> {
    fn offer(&mut self, _: Instant, _: &[u8]) -> bool {
        false
    }
    fn hear(event: lab::ServerEvent) -> Heard {
        let text = format!("{event:?}");
        let lab::ServerEvent::Arrived { peer, arrival, .. } = event else {
            return Heard { text, delivered: None };
        };
        let taken = peer == ADDRESSES[0] && arrival.verdict == lab::Verdict::Taken;
        let value = arrival.value.filter(|_| taken);
        Heard { text, delivered: value.map(|value| value.to_be_bytes().to_vec()) }
    }
}

/// Any endpoint, with events made equal.
pub(crate) trait Subject: Endpoint<Event = Heard> {
    fn offer(&mut self, now: Instant, message: &[u8]) -> bool;
    fn ledger(&self) -> Option<Ledger>;
}

struct Uniform<A>(A);

impl<A: App> Endpoint for Uniform<A> {
    type Event = Heard;
    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        self.0.handle_datagram(now, meta, datagram)
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.0.handle_timeout(now);
    }
    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        self.0.poll_transmit(now, batch)
    }
    fn poll_timeout(&self) -> Option<Instant> {
        self.0.poll_timeout()
    }
    fn poll_event(&mut self) -> Option<Heard> {
        self.0.poll_event().map(A::hear)
    }
    fn set_tracing(&mut self, on: bool) {
        self.0.set_tracing(on);
    }
    fn poll_trace(&mut self) -> Option<TraceEvent> {
        self.0.poll_trace()
    }
}

impl<A: App> Subject for Uniform<A> {
    fn offer(&mut self, now: Instant, message: &[u8]) -> bool {
        self.0.offer(now, message)
    }
    fn ledger(&self) -> Option<Ledger> {
        self.0.ledger()
    }
}

/// The addresses of the two ends.
pub(crate) const ADDRESSES: [SocketAddr; 2] = [address(1), address(2)];

pub(crate) const fn address(host: u8) -> SocketAddr {
    SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, host)), 7)
}

pub(crate) type Ends = [Box<dyn Subject>; 2];

/// How much an end may hold at any moment, and how far away its deadlines are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Messages that wait for room in the window, and in the window.
    pub(crate) unacked_max: usize,
    /// Delivered messages that the application has not fetched.
    pub(crate) inbox_max: usize,
    /// From now to the next deadline.
    pub(crate) deadline_within: Duration,
}

/// Two ends that talk to each other.
pub(crate) struct Case {
    pub(crate) name: String,
    /// Over which channel messages arrive exactly once and in order; `None` promises nothing.
    pub(crate) sound: Option<Channel>,
    /// What its datagrams are written in.
    pub(crate) codec: Codec,
    /// The most that one end may hold in all its queues whatever its peer does: messages taken from
    /// the application, events for it, datagrams for the driver.
    pub(crate) holds_max: usize,
    /// Many small messages share a datagram.
    pub(crate) merges: bool,
    /// What holds for an honest end at any moment, where it is known.
    pub(crate) limits: Option<Limits>,
    make: Box<dyn Fn() -> Ends>,
}

impl Case {
    pub(crate) fn new<A: App + 'static, B: App + 'static>(
        name: String,
        sound: Option<Channel>,
        ends: impl Fn() -> (A, B) + 'static,
    ) -> Self {
        let make = Box::new(move || -> Ends {
            let (a, b) = ends();
            [Box::new(Uniform(a)), Box::new(Uniform(b))]
        });
        let codec = Codec::default();
        Self { name, sound, codec, holds_max: usize::MAX, merges: false, limits: None, make }
    }

    /// Fresh ends.
    pub(crate) fn ends(&self) -> Ends {
        (self.make)()
    }

    /// The `n`th message, told from its neighbours by its content.
    pub(crate) fn message(&self, n: usize) -> Vec<u8> {
        // The lab format knows one length only.
        let lab = matches!(self.codec, Codec::Lab { .. });
        let len = if lab { self.codec.payload_max() } else { n % 40 };
        index(n).into_iter().cycle().take(len).collect()
    }
}

fn index(n: usize) -> [u8; 4] {
    u32::try_from(n).unwrap().to_le_bytes()
}

/// The limits of the tight configuration.
pub(crate) const QUEUE: usize = 8;
const INBOX: usize = 8;
const OUTBOX: usize = 8;
const PEERS: usize = 16;

/// The longest timeout of any protocol under test.
const DEADLINE_MAX: Duration = Adaptive::LOCAL.rto_max;

/// The largest window of any protocol under test.
const WINDOW: usize = 32;

const SPECS: [&str; 15] = [
    "rdt1.0",
    "rdt2.0",
    "rdt2.0:ignore",
    "rdt2.0:ack",
    "rdt2.1",
    "rdt2.2",
    "rdt3.0",
    "rdt3.0:apprentice",
    "saw:5",
    "gbn",
    "gbn:1/2",
    "gbn:3/7",
    "sr",
    "sr:2/4",
    "sr:4/12",
];

/// A classic endpoint of any kind.
#[derive(Clone, Copy)]
struct Kind {
    spec: Spec,
    duplex: bool,
    codec: Codec,
    timeout: Timeout,
    attempts_max: Option<u32>,
    tight: bool,
}

impl Kind {
    fn config(self, role: Role) -> Config {
        let usual = Config {
            role: if self.duplex { Role::Duplex } else { role },
            codec: self.codec,
            timeout: self.timeout,
            attempts_max: self.attempts_max,
            ..Config::default()
        };
        if !self.tight {
            return usual;
        }
        Config {
            queue_messages_max: QUEUE,
            inbox_messages_max: INBOX,
            outbox_packets_max: OUTBOX,
            ..usual
        }
    }

    fn end(self, role: Role, peer: SocketAddr) -> Box<dyn Conversation + Send> {
        self.spec.endpoint(self.config(role), peer).unwrap()
    }

    fn name(self, place: &str) -> String {
        let Self { spec, duplex, codec, timeout, attempts_max, tight } = self;
        let duplex = if duplex { "duplex" } else { "one way" };
        let limits = if tight { "tight" } else { "roomy" };
        format!("{place}{spec}, {duplex}, {codec:?}, {timeout:?}, {attempts_max:?}, {limits}")
    }

    /// Both directions share one channel: without numbered feedback and timers that only bears a
    /// perfect one. A sender that gives up, or a format that sees no damage, promises nothing.
    fn sound(self) -> Option<Channel> {
        let blind = matches!(self.codec, Codec::Compact { checksum: Checksum::None });
        if self.attempts_max.is_some() || blind {
            return None;
        }
        let own = self.spec.tolerates();
        // Full queues are loss, if the application dawdles.
        if self.tight && !own.lose {
            return None;
        }
        Some(if self.duplex && !own.lose { Channel::PERFECT } else { own })
    }

    fn case(self) -> Case {
        let ends =
            move || (self.end(Role::Sender, ADDRESSES[1]), self.end(Role::Receiver, ADDRESSES[0]));
        self.finish(Case::new(self.name(""), self.sound(), ends), 1)
    }

    /// A client, and a hub of servers.
    fn hub(self) -> Case {
        let limits = HubConfig { peers_max: PEERS, idle_after: Duration::from_hours(1) };
        let ends = move || {
            let hub = Hub::new(limits, move |_, peer| Some(self.end(Role::Receiver, peer)));
            (self.end(Role::Sender, ADDRESSES[1]), hub)
        };
        self.finish(Case::new(self.name("hub of "), self.sound(), ends), PEERS)
    }

    fn finish(self, mut case: Case, peers: usize) -> Case {
        case.codec = self.codec;
        let usual = self.config(Role::Duplex);
        case.limits = Some(Limits {
            unacked_max: usual.queue_messages_max + WINDOW,
            // Selective repeat may pass its limit by a window when a gap closes.
            inbox_max: usual.inbox_messages_max + WINDOW,
            deadline_within: DEADLINE_MAX,
        });
        if self.tight {
            // What is in the window, the queues, and news that are told once.
            case.holds_max = peers * (QUEUE + INBOX + 2 * OUTBOX + 2 * WINDOW + 4);
        }
        case
    }
}

const LAB: Codec =
    Codec::Lab { checksum: LabChecksum::Internet, source_port: 7, destination_port: 5000 };

fn codecs(spec: Spec) -> Vec<Codec> {
    let compact = |checksum| Codec::Compact { checksum };
    let all = [
        compact(Checksum::Crc32c),
        compact(Checksum::Internet),
        compact(Checksum::None),
        LAB,
        Codec::Bare,
    ];
    let legal = |codec: &Codec| {
        spec.endpoint(Config { codec: *codec, ..Config::default() }, ADDRESSES[0]).is_ok()
    };
    all.into_iter().filter(legal).collect()
}

/// The classroom exercise: it gives up where the others would wait, so that it is sound over a
/// perfect channel only.
fn exercise<P: Protocol + Copy + 'static>(protocol: P) -> Case {
    let ends = move || {
        let config = lab::ClientConfig {
            patience: Duration::from_hours(1),
            attempts_max: u32::MAX,
            ..lab::ClientConfig::new(ADDRESSES[1], 7)
        };
        let list = (0..1000).map(|n| i32::from_be_bytes(index(n))).collect();
        let client = lab::Client::new(&protocol, config, list, Seed::new(1));
        (client, lab::Server::new(protocol, lab::ServerConfig::default()))
    };
    let mut case = Case::new(format!("exercise {}", P::NAME), Some(Channel::PERFECT), ends);
    case.codec = LAB;
    let (events, outbox) = (lab::Server::<P>::EVENTS_MAX, lab::Server::<P>::OUTBOX_MAX);
    case.holds_max = events.max(outbox);
    case
}

/// Every endpoint of the crate. `tight` ones have small queues everywhere.
pub(crate) fn all(tight: bool) -> Vec<Case> {
    let mut cases = vec![exercise(Rdt21), exercise(Rdt22), exercise(StopAndWait::RDT30)];
    cases.extend([CookiePolicy::Never, CookiePolicy::Always].map(transport::case));
    let fixed = Timeout::Fixed(Duration::from_millis(30));
    let adaptive = Timeout::Adaptive(Adaptive::LOCAL);
    for spec in SPECS.map(|text| text.parse::<Spec>().unwrap()) {
        // Who bears loss bears small queues.
        let tight = tight || spec.tolerates().lose;
        for codec in codecs(spec) {
            for (duplex, timeout) in
                [(false, fixed), (false, adaptive), (true, fixed), (true, adaptive)]
            {
                let kind = Kind { spec, duplex, codec, timeout, attempts_max: None, tight };
                cases.push(kind.case());
                if duplex == matches!(timeout, Timeout::Fixed(_)) {
                    cases.push(kind.hub());
                }
            }
            let gives_up = Some(3);
            let kind =
                Kind { spec, duplex: true, codec, timeout: fixed, attempts_max: gives_up, tight };
            cases.push(kind.case());
        }
    }
    cases
}
