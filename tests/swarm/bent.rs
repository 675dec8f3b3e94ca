//! Subjects that are wrong in one way each.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use rdtp::{
    batch::Batch,
    channel::Channel,
    classic::{
        Classic, Config, ConfigError, Event, Fields, Protocol, Role, gbn::GoBackN, rdt20::Rdt20,
        rdt22::Rdt22, rdt30::StopAndWait, sr::SelectiveRepeat,
    },
    endpoint::{Disposition, DropReason, Endpoint, RecvMeta, Transmit},
    seq::Modulus,
    sim::swarm::{Heard, Overfull, Plan, Subject, Textbook},
    time::Instant,
    wire::{Checksum, Codec},
};

/// A protocol that promises more than it keeps.
#[derive(Clone, Debug)]
pub(crate) struct Boast<P> {
    pub(crate) protocol: P,
    pub(crate) promise: Channel,
}

impl<P: Protocol> Protocol for Boast<P> {
    const NAME: &'static str = P::NAME;
    const FIGURE: &'static str = P::FIGURE;
    const FIELDS: Fields = P::FIELDS;
    const TOLERATES: Channel = P::TOLERATES;

    type Sender<D: rdtp::classic::Datum> = P::Sender<D>;
    type Receiver<D: rdtp::classic::Datum> = P::Receiver<D>;

    fn sender<D: rdtp::classic::Datum>(&self) -> Self::Sender<D> {
        self.protocol.sender()
    }
    fn receiver<D: rdtp::classic::Datum>(&self) -> Self::Receiver<D> {
        self.protocol.receiver()
    }
    fn tolerates(&self) -> Channel {
        self.promise
    }
    fn modulus(&self) -> Modulus {
        self.protocol.modulus()
    }
    fn window(&self) -> u64 {
        self.protocol.window()
    }
}

const BOOK: Channel = Channel::PERFECT.corrupting().losing().duplicating();

pub(crate) fn window_one_too_large() -> Boast<GoBackN> {
    let protocol = GoBackN::with_illegal_window(4, Modulus::new(4));
    Boast { protocol, promise: BOOK }
}

pub(crate) fn selective_window_one_too_large() -> Boast<SelectiveRepeat> {
    let protocol = SelectiveRepeat::with_illegal_window(3, Modulus::new(5));
    Boast { protocol, promise: BOOK }
}

pub(crate) fn one_bit_where_packets_overtake() -> Boast<StopAndWait> {
    let promise = StopAndWait::new(Modulus::new(8)).tolerates();
    Boast { protocol: StopAndWait::RDT30, promise }
}

pub(crate) fn no_timer_where_packets_are_lost() -> Boast<Rdt22> {
    Boast { protocol: Rdt22, promise: Channel::PERFECT.corrupting().losing() }
}

pub(crate) fn garbled_feedback_taken_as_ack() -> Boast<Rdt20> {
    let protocol = Rdt20 { garbled: rdtp::classic::rdt20::Garbled::TakeAsAck };
    Boast { protocol, promise: Channel::PERFECT.corrupting() }
}

/// What is wrong with an endpoint of selective repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Its packets have no checksum, though it says so.
    NoChecksum,
    /// Its queue is longer than it was told.
    LongQueue,
    /// It is due for ever.
    Spins,
    /// It always has a timer, even when all is over.
    NeverRests,
    /// It behaves differently from run to run.
    Moody,
}

#[derive(Clone, Debug)]
pub(crate) struct Bent {
    inner: Textbook<SelectiveRepeat>,
    fault: Fault,
}

impl Bent {
    pub(crate) fn new(fault: Fault) -> Self {
        let all = Modulus::NEVER;
        Self { inner: Textbook::new(SelectiveRepeat::with_illegal_window(8, all)), fault }
    }
}

/// How many datagrams arrived at moody endpoints since the program began.
static MOOD: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
pub(crate) struct End {
    inner: Classic<SelectiveRepeat>,
    fault: Fault,
    now: Instant,
}

impl Endpoint for End {
    type Event = Event;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        self.now = now;
        let moody = self.fault == Fault::Moody;
        if moody && MOOD.fetch_add(1, Ordering::Relaxed).is_multiple_of(7) {
            return Disposition::Discarded(DropReason::Closed);
        }
        self.inner.handle_datagram(now, meta, datagram)
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.inner.handle_timeout(now);
    }
    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        self.now = now;
        self.inner.poll_transmit(now, batch)
    }
    fn poll_timeout(&self) -> Option<Instant> {
        let second = Duration::from_secs(1);
        match (self.fault, self.inner.poll_timeout()) {
            (Fault::Spins, Some(_)) => Some(self.now),
            (Fault::NeverRests, due) => Some(due.unwrap_or(Instant::MAX).min(self.now + second)),
            (_, due) => due,
        }
    }
    fn poll_event(&mut self) -> Option<Event> {
        self.inner.poll_event()
    }
}

impl Subject for Bent {
    type Endpoint = End;

    fn name(&self) -> String {
        format!("{:?}", self.fault)
    }
    fn bears(&self) -> Channel {
        self.inner.bears()
    }
    fn notices_damage(&self) -> bool {
        true
    }
    fn has_feedback(&self) -> bool {
        true
    }
    fn pair(&self, plan: &Plan, at: [SocketAddr; 2]) -> Result<[End; 2], ConfigError> {
        let checksum =
            if self.fault == Fault::NoChecksum { Checksum::None } else { Checksum::Crc32c };
        let longer = usize::from(self.fault == Fault::LongQueue);
        let side = |role, peer| {
            let config = Config {
                role,
                codec: Codec::Compact { checksum },
                timeout: plan.timeout,
                attempts_max: plan.attempts_max,
                queue_messages_max: plan.queue_messages_max + longer,
                inbox_messages_max: plan.inbox_messages_max,
                outbox_packets_max: plan.outbox_packets_max,
                ..Config::default()
            };
            let protocol = SelectiveRepeat::with_illegal_window(8, Modulus::NEVER);
            let inner = Classic::new(&protocol, config, peer)?;
            Ok(End { inner, fault: self.fault, now: Instant::ZERO })
        };
        Ok([side(Role::Sender, at[1])?, side(Role::Receiver, at[0])?])
    }
    fn has_room(&self, sender: &End) -> bool {
        self.inner.has_room(&sender.inner)
    }
    fn send(&self, sender: &mut End, now: Instant, message: &[u8]) -> bool {
        self.inner.send(&mut sender.inner, now, message)
    }
    fn heard(&self, event: Event) -> Heard {
        self.inner.heard(event)
    }
    fn believed(&self, sender: &End) -> u64 {
        self.inner.believed(&sender.inner)
    }
    fn taken(&self, receiver: &End) -> u64 {
        self.inner.taken(&receiver.inner)
    }
    fn overfull(&self, plan: &Plan, endpoint: &End) -> Option<Overfull> {
        self.inner.overfull(plan, &endpoint.inner)
    }
    fn holds(&self, endpoint: &End) -> usize {
        self.inner.holds(&endpoint.inner)
    }
}
