//! The bad network: one direction of a link as a sans-IO value, without clock, socket or thread.
//!
//! A driver [offers](Link::offer) it datagrams and [polls](Link::poll_deliver) what comes out and
//! when; in between the link loses, damages, copies, delays and shuffles them as its [`LinkConfig`]
//! says. The same value serves the simulator, the socket driver and the stand-alone proxy. Two of
//! them, one for each direction, make a network: a [`Profile`], which also has a text form and
//! presets.
//!
//! # The stages, in this order
//!
//! 1. **Outage**: while the link is down, what is offered is lost.
//! 2. **MTU**: what is longer vanishes.
//! 3. **Bottleneck**: a finite rate behind a finite queue; what finds no room is dropped, and what
//!    waits behind too much is marked, if it can bear a mark (ECN). Then the path does to the ECN field
//!    what it does to it.
//! 4. **Loss**, after the bottleneck, because what is lost on the wire has used the transmitter.
//! 5. **Damage** to what was not lost: bit errors, bytes that change places, the tail of an earlier
//!    datagram in place of the own one, bytes cut off, bytes appended.
//! 6. **Duplication**: copies are equal to what stage 5 left, for they are made on the way.
//! 7. **Replay**: a datagram brings an earlier one along once more, as that was offered.
//! 8. **Delay**: copies draw their own, as if they took another way. Jitter keeps or breaks order,
//!    and bunching lets what is due within a slot arrive at its end.
//! 9. **Hold-back**, last, so that it counts what really passes at the far end.
//!
//! # Chance
//!
//! Each stage draws from its own stream for each class of datagrams (data, feedback), split by name
//! from the link's seed, and for each datagram that is offered, whatever the other stages did to it.
//! Which ordinals are lost is therefore the same with and without duplication, at another rate, and
//! in another mix of data and feedback.
//!
//! ```
//! use rdtp::{link::Link, rng::Seed, time::Instant};
//!
//! let mut link = Link::new("loss=every:1:2,delay=25ms".parse()?, Seed::new(1));
//! for name in ["arrives", "lost"] {
//!     link.offer(Instant::ZERO, name.as_bytes(), name);
//! }
//! let at = link.poll_timeout().unwrap();
//! assert_eq!(at.to_string(), "0.025000");
//! let delivery = link.poll_deliver(at).unwrap();
//! assert_eq!((delivery.tag, delivery.bytes.as_slice()), ("arrives", &b"arrives"[..]));
//! link.recycle(delivery.bytes);
//! assert!(link.poll_deliver(at).is_none());
//! assert_eq!(link.stats().data.lost, 1);
//! # Ok::<(), rdtp::link::ProfileError>(())
//! ```

mod bottleneck;
mod bunch;
mod config;
mod corrupt;
mod course;
mod delay;
mod duplicate;
mod ecn;
mod journey;
mod keys;
mod loss;
mod mangle;
mod outage;
mod profile;
mod reorder;
mod replay;
mod stages;
mod stats;
#[cfg(test)]
mod tests;
mod timeline;
mod transit;

use alloc::{collections::VecDeque, sync::Arc, vec::Vec};
use core::fmt;

pub use bunch::Bunch;
pub use config::{Faults, LinkConfig};
pub use corrupt::{Corruption, Region};
pub use course::{Course, Passage};
pub use delay::{Delay, Jitter};
pub use duplicate::Duplication;
pub use ecn::Remark;
pub use loss::{Loss, Offer, Predicate};
pub use mangle::{Extension, Swap};
pub use outage::Outage;
pub use profile::{Profile, ProfileError};
pub use reorder::HoldBack;
pub use replay::Replay;
pub use stats::{ClassStats, LinkStats, Report, throughput};
pub use timeline::Timeline;

use crate::{
    ecn::Ecn,
    rng::Seed,
    time::Instant,
    trace::Fate,
    wire::{Anatomy, Kind},
};
use bottleneck::Bottleneck;
use reorder::Held;
use replay::Memory;
use stages::Stages;
use transit::{Key, OrderMeter, Parcel, Transit};

/// The two classes of datagrams that can have different faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Data, and everything that is not legible.
    Data,
    /// Feedback: ACK and NAK.
    Ack,
}

impl Class {
    /// The class of a packet of that kind.
    pub const fn of(kind: Option<Kind>) -> Self {
        match kind {
            Some(Kind::Ack | Kind::Nak) => Self::Ack,
            Some(Kind::Data) | None => Self::Data,
        }
    }
}

/// A datagram that left the link at the far end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery<T> {
    /// When it arrived; no later than the `now` of the call.
    pub at: Instant,
    /// When it was offered.
    pub offered: Instant,
    /// The number that [`Link::offer`] gave it.
    pub id: u64,
    /// 0 for the datagram itself, 1 and up for copies.
    pub copy: u32,
    /// What the driver attached.
    pub tag: T,
    /// Its ECN field, as the link left it.
    pub ecn: Ecn,
    /// Its bytes, as the link left them. Give the buffer back with [`Link::recycle`].
    pub bytes: Vec<u8>,
}

/// The most buffers that are kept for later datagrams.
const POOL_MAX: usize = 1 << 14;
/// The largest buffer that is kept.
const POOLED_BYTES_MAX: usize = 1 << 12;

/// How a link reads datagrams.
type Inspect = Arc<dyn Fn(&[u8]) -> Anatomy + Send + Sync>;

/// One direction of a bad network. See the [module](self) for what it does in which order.
///
/// `T` is what the driver attaches to each datagram to know where it goes.
pub struct Link<T> {
    config: LinkConfig,
    /// From when on outages are counted.
    since: Instant,
    inspect: Option<Inspect>,
    data: Stages,
    ack: Stages,
    bottleneck: Bottleneck,
    memory: Memory<T>,
    transit: Transit<T>,
    held: Held<T>,
    /// The latest arrival so far, behind which an order-keeping link lines up.
    last_release: Instant,
    next_id: u64,
    /// What becomes of the next datagrams, where that was decided beforehand.
    courses: VecDeque<Course>,
    datagrams: usize,
    bytes: u64,
    pool: Vec<Vec<u8>>,
    meter: OrderMeter,
    stats: LinkStats,
    tracing: bool,
    fates: VecDeque<(u64, Fate)>,
}

impl<T> fmt::Debug for Link<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("config", &self.config)
            .field("datagrams", &self.datagrams)
            .field("bytes", &self.bytes)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

impl<T> Link<T> {
    /// The most fates that wait to be fetched; then the oldest go first.
    pub const FATES_MAX: usize = 65_536;

    /// An idle link. Outages are counted from the epoch.
    pub fn new(config: LinkConfig, seed: Seed) -> Self {
        Self {
            config,
            since: Instant::ZERO,
            inspect: None,
            data: Stages::new(seed.split("data")),
            ack: Stages::new(seed.split("ack")),
            bottleneck: Bottleneck::default(),
            memory: Memory::new(),
            transit: Transit::new(),
            held: Held::new(),
            last_release: Instant::ZERO,
            next_id: 0,
            courses: VecDeque::new(),
            datagrams: 0,
            bytes: 0,
            pool: Vec::new(),
            meter: OrderMeter::default(),
            stats: LinkStats::default(),
            tracing: false,
            fates: VecDeque::new(),
        }
    }

    /// Tells how to read datagrams: data or feedback, and where the parts lie. Without it everything
    /// is data, and the first 8 bytes are the header.
    #[must_use]
    pub fn with_inspect(
        mut self,
        inspect: impl Fn(&[u8]) -> Anatomy + Send + Sync + 'static,
    ) -> Self {
        self.inspect = Some(Arc::new(inspect));
        self
    }

    /// What it is told to do.
    pub fn config(&self) -> &LinkConfig {
        &self.config
    }

    /// Changes what it does from now on. What is on its way keeps its fate, every stream of chance
    /// goes on where it was, and outages are counted from now.
    pub fn set_config(&mut self, now: Instant, config: LinkConfig) {
        self.config = config;
        self.since = now;
    }

    /// Hands a datagram to the link, which copies it. Returns its number: 0, 1, 2, ...
    pub fn offer(&mut self, now: Instant, datagram: &[u8], tag: T) -> u64
    where
        T: Clone,
    {
        self.offer_marked(now, datagram, Ecn::NotEct, tag)
    }

    /// Like [`offer`](Self::offer), with an ECN field, which the link may change.
    pub fn offer_marked(&mut self, now: Instant, datagram: &[u8], ecn: Ecn, tag: T) -> u64
    where
        T: Clone,
    {
        let id = self.next_id;
        self.next_id += 1;
        let anatomy = match &self.inspect {
            Some(inspect) => inspect(datagram),
            None => unread(datagram),
        };
        let class = Class::of(anatomy.kind);
        let (stages, faults) = match class {
            Class::Data => (&mut self.data, &self.config.data),
            Class::Ack => (&mut self.ack, &self.config.ack),
        };
        let verdict = stages.judge(faults, now, anatomy.kind, datagram);
        let stats = self.stats.class_mut(class);
        stats.offered += 1;
        stats.offered_bytes += datagram.len() as u64;
        if let Some(course) = self.courses.pop_front() {
            let flying = self.follow(&course, id, now, class, (datagram, ecn), &tag);
            self.meter.depart(flying);
            return id;
        }
        let flying = match self.admit(now, class, &verdict, datagram.len()) {
            Ok(sent) => {
                let ecn = self.remark(id, now, class, ecn);
                let bytes = self.damage(id, class, &verdict, &anatomy, datagram);
                let key = Key { release: sent, id, copy: 0 };
                let hold = verdict.hold;
                let host = tag.clone();
                let parcel = Parcel { key, offered: now, class, hold, tag, ecn, bytes };
                let flying = self.launch(&verdict, parcel);
                self.replay(now, class, &verdict, sent);
                flying + self.remember(now, id, class, host, (datagram, ecn))
            }
            Err(fate) => {
                self.note(id, fate);
                0
            }
        };
        self.meter.depart(flying);
        id
    }

    /// The next datagram that has arrived by `now`, in order of arrival and then of number.
    ///
    /// What comes out and when does not depend on how often this is called, unless a limit of the
    /// configuration is hit: what has arrived counts as on its way until it is fetched.
    pub fn poll_deliver(&mut self, now: Instant) -> Option<Delivery<T>> {
        loop {
            if let Some(parcel) = self.held.pop_ready() {
                return Some(self.deliver(parcel));
            }
            let (transit, deadline) = (self.transit.next(), self.held.next());
            let expires = match (transit, deadline) {
                (Some(transit), Some(deadline)) => deadline < transit,
                (transit, _) => transit.is_none(),
            };
            let next = if expires { deadline } else { transit };
            if next?.release > now {
                return None;
            }
            if expires {
                let parcel = self.held.pop_expired()?;
                return Some(self.deliver(parcel));
            }
            let mut parcel = self.transit.pop()?;
            match parcel.hold.take() {
                None => return Some(self.deliver(parcel)),
                Some(hold) => {
                    self.stats.class_mut(parcel.class).held += 1;
                    self.note(parcel.key.id, Fate::Held { packets: hold.packets.max(1) });
                    self.held.hold(parcel, hold);
                }
            }
        }
    }

    /// When to call [`poll_deliver`](Self::poll_deliver) next, unless something is offered before;
    /// `None` when the link is empty. The call may return nothing when a datagram begins to be held.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if let Some(ready) = self.held.ready_at() {
            return Some(ready);
        }
        let (transit, deadline) = (self.transit.next(), self.held.next());
        let next = match (transit, deadline) {
            (Some(transit), Some(deadline)) => Some(transit.min(deadline)),
            _ => transit.or(deadline),
        };
        next.map(|key| key.release)
    }

    /// When the transmitter is free again; in the past when it is. A driver that waits until then
    /// before it offers the next datagram never meets a full queue.
    pub fn busy_until(&self) -> Instant {
        self.bottleneck.busy_until()
    }

    /// Takes back the buffer of a delivery, so that in the long run no datagram allocates.
    pub fn recycle(&mut self, mut bytes: Vec<u8>) {
        // Few and small: a pool of the largest datagrams must not outgrow what the link may hold.
        if self.pool.len() < POOL_MAX && bytes.capacity() <= POOLED_BYTES_MAX {
            bytes.clear();
            self.pool.push(bytes);
        }
    }

    /// Starts or stops recording fates; stopping forgets what was not fetched.
    pub fn set_tracing(&mut self, on: bool) {
        self.tracing = on;
        if !on {
            self.fates.clear();
        }
    }

    /// What happened to which datagram, oldest first, when tracing is on.
    pub fn poll_fate(&mut self) -> Option<(u64, Fate)> {
        self.fates.pop_front()
    }

    /// What it really did so far.
    pub fn stats(&self) -> &LinkStats {
        &self.stats
    }

    /// What it really did beside what it is told at present, for people.
    pub fn report(&self) -> Report<'_> {
        self.stats.report(&self.config)
    }

    /// Datagrams on their way, copies and held ones included.
    pub fn in_flight(&self) -> usize {
        self.datagrams
    }
}

/// The anatomy of a datagram that nobody explained.
fn unread(datagram: &[u8]) -> Anatomy {
    Anatomy { kind: None, checksum: 0..0, payload: datagram.len().min(8)..datagram.len() }
}
