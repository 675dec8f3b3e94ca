//! Two endpoints and the datagrams between them, under a schedule of faults.

use alloc::{boxed::Box, collections::VecDeque, format, string::String, vec, vec::Vec};
use core::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use super::schedule::{Fault, Schedule, Way};
use crate::{
    batch::Batch,
    capture::Ladder,
    channel::{Channel, Overtake},
    classic::{Classic, Config, Conversation, Event, Exchange, Protocol, Role, Timeout},
    endpoint::RecvMeta,
    time::Instant,
    trace::{Fate, NodeId, Observer, Place, Record, TraceEvent},
};

/// A run under a [`Schedule`] of faults: messages one way or both, and a channel that does what the
/// schedule says, as far as it may.
///
/// Datagrams take 10 ms, and the schedule's faults fall on them. At every step it is checked that
/// what was delivered is a prefix of what was sent, and that the sender believes no more delivered
/// than was. What the schedule does not name arrives, so in the end everything must have.
///
/// ```
/// use rdtp::{
///     channel::Channel,
///     classic::rdt22::Rdt22,
///     harness::{Fault, Play, Schedule, Strike, Way},
/// };
///
/// let play = Play::new(vec![b"one".to_vec(), b"two".to_vec()]).over(Channel::PERFECT.losing());
/// assert!(play.run(&Rdt22, &Schedule::default()).is_ok());
///
/// let lost = Schedule(vec![Strike { way: Way::Down, nth: 2, fault: Fault::Drop }]);
/// let failure = play.run(&Rdt22, &lost).unwrap_err();
/// let text = failure.to_string();
/// assert!(text.starts_with("deadlock after 2 of 2 messages"), "{text}");
/// assert!(text.contains("datagram 2 from the receiver is lost"));
/// ```
#[derive(Clone, Debug)]
pub struct Play {
    messages: [Vec<Vec<u8>>; 2],
    channel: Channel,
    config: Config,
}

/// How long a datagram takes.
const DELAY: Duration = Duration::from_millis(10);
/// The timeout of the default configuration: longer than a round trip, shorter than most delays.
const TIMEOUT: Duration = Duration::from_millis(30);
/// The most virtual time of a run; a sound one takes seconds.
const LIMIT: Duration = Duration::from_mins(10);
/// Datagrams on their way in one direction. One more is lost where the channel may lose, as in a
/// real one.
const FLYING_MAX: usize = 64;
/// So many on their way in a channel that loses nothing are no traffic but a flood.
const FLOOD: usize = 4 * FLYING_MAX;
/// How often a side may have something to do at one instant.
const TURNS_MAX: u32 = 10_000;

impl Play {
    /// These messages from the sender to the receiver, over a [perfect](Channel::PERFECT) channel,
    /// with a fixed timeout of 30 ms and without giving up.
    pub fn new(messages: Vec<Vec<u8>>) -> Self {
        let config = Config {
            timeout: Timeout::Fixed(TIMEOUT),
            attempts_max: None,
            inbox_messages_max: 1 << 16,
            ..Config::default()
        };
        Self { messages: [messages, Vec::new()], channel: Channel::PERFECT, config }
    }

    /// These messages go the other way at the same time; both endpoints then have the role
    /// [`Duplex`](Role::Duplex).
    #[must_use]
    pub fn back(mut self, messages: Vec<Vec<u8>>) -> Self {
        self.messages[1] = messages;
        self
    }

    /// The worst that the channel does, whatever the schedule says: see [`Schedule::within`]. What
    /// is late is overtaken as far as it allows.
    #[must_use]
    pub fn over(mut self, channel: Channel) -> Self {
        self.channel = channel;
        self
    }

    /// Codec, timeouts and limits of [`run`](Self::run); the role is set by the run.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Runs a protocol under a schedule.
    pub fn run<P: Protocol>(&self, protocol: &P, schedule: &Schedule) -> Result<(), Failure> {
        let config = self.config;
        self.run_with(schedule, |role, peer| {
            Classic::new(protocol, Config { role, ..config }, peer)
        })
    }

    /// Runs any endpoints under a schedule: `make` builds the one of a role towards a peer, afresh
    /// for each run. After a failure it is run once more, to draw the ladder.
    pub fn run_with<C: Conversation, E: fmt::Display>(
        &self,
        schedule: &Schedule,
        mut make: impl FnMut(Role, SocketAddr) -> Result<C, E>,
    ) -> Result<(), Failure> {
        let schedule = schedule.within(self.channel);
        let Err(flaw) = self.once(&schedule, &mut make, &mut ()) else { return Ok(()) };
        let mut ladder = Ladder::new("under a schedule of faults");
        // The same again: nothing here is left to chance.
        let _ = self.once(&schedule, &mut make, &mut ladder);
        if let Flaw::Delivered { message } = flaw {
            ladder.mark_wrong(message);
        }
        let messages = self.messages.iter().map(|one| one.len() as u64).sum();
        Err(Failure { flaw, messages, schedule, ladder: Box::new(ladder) })
    }

    fn once<C: Conversation, E: fmt::Display>(
        &self,
        schedule: &Schedule,
        make: &mut impl FnMut(Role, SocketAddr) -> Result<C, E>,
        observer: &mut dyn Observer,
    ) -> Result<(), Flaw> {
        let duplex = !self.messages[1].is_empty();
        let role = |role| if duplex { Role::Duplex } else { role };
        let mut side = |own: usize, role| {
            let endpoint = make(role, address(1 - own)).map_err(|e| Flaw::Setup(format!("{e}")))?;
            Ok(Side {
                endpoint,
                exchange: Exchange::new(&self.messages[own]),
                believed: 0,
                sent: 0,
            })
        };
        let sides = [side(0, role(Role::Sender))?, side(1, role(Role::Receiver))?];
        let lanes = [VecDeque::new(), VecDeque::new()];
        let (channel, now) = (self.channel, Instant::ZERO);
        let mut run =
            Run { sides, lanes, channel, schedule, now, observer, space: vec![0; 1 << 16] };
        run.play()
    }
}

/// Addresses reserved for documentation (RFC 5737): nothing is ever sent there.
fn address(side: usize) -> SocketAddr {
    let host = if side == 0 { 1 } else { 2 };
    (Ipv4Addr::new(192, 0, 2, host), 9).into()
}

/// What is wrong with a protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// Something was delivered that is not the next message.
    Delivered {
        /// As which message, counted from 0.
        message: u64,
    },
    /// The sender believes more messages delivered than are.
    Believed {
        /// How many it believes delivered.
        believed: u64,
        /// How many are.
        delivered: u64,
    },
    /// Nothing is on its way and no timer runs, but not all was delivered and confirmed.
    Deadlock {
        /// How many messages had been delivered.
        delivered: u64,
    },
    /// It goes on and on, though the network has long been perfect.
    Endless {
        /// How many messages had been delivered.
        delivered: u64,
    },
    /// More and more datagrams are on their way in a network that loses nothing.
    Flood,
    /// A side has something to do again and again without time passing: a timer that is not
    /// stopped, or an event that is not taken off its queue.
    Spins,
    /// There was no run: the endpoints could not be made.
    Setup(String),
}

/// A run that failed: how, under which faults, and what happened.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What is wrong.
    pub flaw: Flaw,
    /// How many messages there were to deliver.
    pub messages: u64,
    /// The faults that happened.
    pub schedule: Schedule,
    /// The run.
    pub ladder: Box<Ladder>,
}

/// The flaw, the faults and the ladder.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.messages;
        match &self.flaw {
            Flaw::Delivered { message } => {
                write!(f, "wrong data is delivered in place of message {message}")?;
            }
            Flaw::Believed { believed, delivered } => write!(
                f,
                "the sender believes {believed} messages delivered, but the receiver delivered \
                 {delivered}"
            )?,
            Flaw::Deadlock { delivered } => {
                write!(f, "deadlock after {delivered} of {all} messages")?;
            }
            Flaw::Endless { delivered } => {
                write!(f, "no end in sight after {delivered} of {all} messages")?;
            }
            Flaw::Flood => f.write_str("datagrams multiply without end")?,
            Flaw::Spins => f.write_str("a side is woken again and again at one instant")?,
            Flaw::Setup(error) => return write!(f, "no endpoint: {error}"),
        }
        write!(f, ", when")?;
        for strike in &self.schedule.0 {
            write!(f, "\n  {strike}")?;
        }
        if self.schedule.0.is_empty() {
            f.write_str(" nothing goes wrong on the way")?;
        }
        write!(f, "\n\n{}", self.ladder.to_text())
    }
}

impl core::error::Error for Failure {}

struct Side<'a, C> {
    endpoint: C,
    /// What it sends, and what of that the other side delivered.
    exchange: Exchange<'a>,
    /// How many messages it believes delivered.
    believed: u64,
    /// How many datagrams it sent.
    sent: u32,
}

struct Flying {
    bytes: Vec<u8>,
    /// When it arrives, if nothing before it must arrive first.
    due: Instant,
    /// How many datagrams sent later have overtaken it.
    overtaken: u64,
    /// Which it is, counted from 0.
    number: u32,
}

struct Run<'a, C> {
    sides: [Side<'a, C>; 2],
    /// What is on its way, in sending order: up and down.
    lanes: [VecDeque<Flying>; 2],
    channel: Channel,
    schedule: &'a Schedule,
    now: Instant,
    observer: &'a mut dyn Observer,
    space: Vec<u8>,
}

const WAYS: [Way; 2] = [Way::Up, Way::Down];

impl<C: Conversation> Run<'_, C> {
    fn play(&mut self) -> Result<(), Flaw> {
        let tracing = self.observer.wants_records();
        self.sides.iter_mut().for_each(|side| side.endpoint.set_tracing(tracing));
        let mut turns = 0;
        loop {
            for way in WAYS {
                self.drain(way)?;
            }
            if self.is_done() {
                return Ok(());
            }
            let Some(next) = self.next() else {
                return Err(Flaw::Deadlock { delivered: self.delivered() });
            };
            turns = if next > self.now { 0 } else { turns + 1 };
            self.now = self.now.max(next);
            if turns > TURNS_MAX {
                return Err(Flaw::Spins);
            }
            if self.now > Instant::ZERO + LIMIT {
                return Err(Flaw::Endless { delivered: self.delivered() });
            }
            for way in WAYS {
                while self.deliver(way)? {}
            }
            for at in 0..2 {
                self.sides[at].endpoint.handle_timeout(self.now);
                self.trace(at);
            }
        }
    }

    fn is_done(&self) -> bool {
        let side_done = |side: &Side<'_, C>| {
            side.exchange.is_fed() && side.exchange.is_complete() && side.endpoint.is_idle()
        };
        self.lanes.iter().all(VecDeque::is_empty) && self.sides.iter().all(side_done)
    }

    fn delivered(&self) -> u64 {
        self.sides.iter().map(|side| side.exchange.count()).sum()
    }

    /// When something happens next.
    fn next(&self) -> Option<Instant> {
        let timers = self.sides.iter().filter_map(|side| side.endpoint.poll_timeout());
        let arrivals = WAYS.iter().filter_map(|&way| self.arrival(way)).map(|(due, _)| due);
        timers.chain(arrivals).min()
    }

    /// Which datagram arrives next, and when: of those that may pass all before them, the first.
    fn arrival(&self, way: Way) -> Option<(Instant, usize)> {
        let lane = &self.lanes[way.index()];
        let passable = |flying: &&Flying| match self.channel.overtake {
            Overtake::Any => true,
            Overtake::AtMost(depth) => flying.overtaken < depth,
        };
        let candidates = lane.iter().take_while(passable).count() + 1;
        let first = lane.iter().take(candidates).enumerate().min_by_key(|(_, flying)| flying.due);
        first.map(|(at, flying)| (flying.due, at))
    }

    /// Delivers one datagram if it is time.
    fn deliver(&mut self, way: Way) -> Result<bool, Flaw> {
        let Some((_, at)) = self.arrival(way).filter(|(due, _)| *due <= self.now) else {
            return Ok(false);
        };
        let (from, to) = (way.index(), 1 - way.index());
        let lane = &mut self.lanes[from];
        lane.iter_mut().take(at).for_each(|passed| passed.overtaken += 1);
        let Some(flying) = lane.remove(at) else { return Ok(false) };
        self.fate(way, flying.number, Fate::Arrived);
        let meta = RecvMeta::from(address(from));
        // What became of it shows in what is delivered.
        let _ = self.sides[to].endpoint.handle_datagram(self.now, meta, &flying.bytes);
        self.trace(to);
        // Feedback may wait for more; what was delivered is looked at now.
        self.events(to)?;
        Ok(true)
    }

    /// Feeds a side and takes all it has to say and to send.
    fn drain(&mut self, way: Way) -> Result<(), Flaw> {
        let at = way.index();
        loop {
            let Side { endpoint, exchange, .. } = &mut self.sides[at];
            exchange.feed(self.now, endpoint);
            let mut space = core::mem::take(&mut self.space);
            let mut batch = Batch::with_segments_max(&mut space, 1);
            let sent = endpoint.poll_transmit(self.now, &mut batch).is_some();
            let datagram = batch.as_bytes().to_vec();
            self.space = space;
            self.trace(at);
            if !sent {
                return self.events(at);
            }
            self.offer(way, datagram)?;
        }
    }

    fn events(&mut self, at: usize) -> Result<(), Flaw> {
        while let Some(event) = self.sides[at].endpoint.poll_event() {
            match event {
                Event::Delivered(message) => {
                    let exchange = &mut self.sides[1 - at].exchange;
                    exchange.deliver(message);
                    if exchange.is_wrong() {
                        return Err(Flaw::Delivered { message: exchange.count() - 1 });
                    }
                }
                Event::Acknowledged { total } => self.sides[at].believed = total,
                Event::GaveUp { .. } => {}
            }
        }
        // rdt 1.0 believes without evidence; over the channel it tolerates that comes true later.
        if self.channel == Channel::PERFECT {
            return Ok(());
        }
        for Side { believed, exchange, .. } in &self.sides {
            let (believed, delivered) = (*believed, exchange.count());
            if believed > delivered {
                return Err(Flaw::Believed { believed, delivered });
            }
        }
        Ok(())
    }

    /// Puts a datagram on its way, with the faults that fall on it.
    fn offer(&mut self, way: Way, mut bytes: Vec<u8>) -> Result<(), Flaw> {
        let at = way.index();
        let number = self.sides[at].sent;
        self.sides[at].sent += 1;
        let (mut due, mut copy) = (self.now + DELAY, None);
        let faults: Vec<Fault> = self.schedule.at(way, number + 1).collect();
        if faults.contains(&Fault::Drop) {
            self.fate(way, number, Fate::Lost);
            return Ok(());
        }
        for fault in faults {
            match fault {
                Fault::Drop => {}
                Fault::Duplicate { late } => {
                    copy = Some(late);
                    self.fate(way, number, Fate::Duplicated);
                }
                Fault::Corrupt { bit } => {
                    if let Some(bit) = usize::from(bit).checked_rem(bytes.len() * 8) {
                        bytes[bit / 8] ^= 1 << (bit % 8);
                        self.fate(way, number, Fate::Corrupted { bits: 1 });
                    }
                }
                Fault::Delay { late } => due += late,
            }
        }
        if let Some(late) = copy {
            self.admit(way, Flying { bytes: bytes.clone(), due, overtaken: 0, number })?;
            due += late;
        }
        self.admit(way, Flying { bytes, due, overtaken: 0, number })
    }

    fn admit(&mut self, way: Way, flying: Flying) -> Result<(), Flaw> {
        let lane = &mut self.lanes[way.index()];
        if lane.len() < FLYING_MAX || !self.channel.lose && lane.len() < FLOOD {
            lane.push_back(flying);
        } else if self.channel.lose {
            self.fate(way, flying.number, Fate::LinkFull);
        } else {
            return Err(Flaw::Flood);
        }
        Ok(())
    }

    fn fate(&mut self, way: Way, number: u32, fate: Fate) {
        if self.observer.wants_records() {
            let (from, to) = match way {
                Way::Up => (NodeId(0), NodeId(1)),
                Way::Down => (NodeId(1), NodeId(0)),
            };
            let event = TraceEvent::Link { datagram: number.into(), fate };
            self.observer.record(&Record { at: self.now, place: Place::Link { from, to }, event });
        }
    }

    fn trace(&mut self, at: usize) {
        let node = if at == 0 { NodeId(0) } else { NodeId(1) };
        while let Some(event) = self.sides[at].endpoint.poll_trace() {
            self.observer.record(&Record { at: self.now, place: Place::Node(node), event });
        }
    }
}
