//! From a pair of machines to an endpoint: codec, timers, queues.

use alloc::collections::VecDeque;
use core::{net::SocketAddr, ops::Deref};

use super::{
    config::{Config, ConfigError, Role},
    conversation::{Conversation, Event, Load, Payload, SendError, Stats},
    flights::Flights,
    machine::{Effect, Effects, Fired, Input, Machine, Packet, Protocol, SenderMachine, State},
    timeout::{RttEstimator, TimerStart},
    timers::Timers,
};
use crate::{
    batch::Batch,
    ecn::Ecn,
    endpoint::{Disposition, DropReason, Endpoint, RecvMeta, Transmit},
    time::Instant,
    trace::{PacketInfo, Side, Tag, TraceEvent, Tracer},
    wire::{DecodeError, Frame, Kind, Scratch},
};

/// A textbook protocol as an [`Endpoint`]: both directions at once, or one of them.
///
/// ```
/// use core::time::Duration;
/// use rdtp::{
///     batch::Batch,
///     classic::{Classic, Config, Event, rdt30::StopAndWait},
///     endpoint::{Endpoint, RecvMeta},
///     time::Instant,
/// };
///
/// let (a, b) = ("10.0.0.1:9".parse()?, "10.0.0.2:9".parse()?);
/// let mut alice = Classic::new(&StopAndWait::RDT30, Config::default(), b)?;
/// let mut bob = Classic::new(&StopAndWait::RDT30, Config::default(), a)?;
///
/// // Alice sends; the first copy is lost; a second later her timer sends it again.
/// let start = Instant::ZERO;
/// alice.send(start, b"hello")?;
/// let mut space = [0; 1500];
/// alice.poll_transmit(start, &mut Batch::new(&mut space)).expect("the first copy");
/// let later = start + Duration::from_secs(1);
/// alice.handle_timeout(later);
/// let mut batch = Batch::new(&mut space);
/// alice.poll_transmit(later, &mut batch).expect("the second copy");
///
/// let _ = bob.handle_datagram(later, RecvMeta::from(a), batch.as_bytes());
/// assert_eq!(bob.poll_event(), Some(Event::Delivered(b"hello"[..].into())));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Classic<P: Protocol> {
    config: Config,
    peer: SocketAddr,
    sender: Option<P::Sender<Payload>>,
    receiver: Option<P::Receiver<Payload>>,
    /// Messages that wait for the sender to be ready.
    queue: VecDeque<Payload>,
    flights: Flights,
    /// Packets that wait for the driver.
    outbox: VecDeque<Packet<Payload>>,
    /// How many of them are feedback.
    feedback_waiting: usize,
    inbox: VecDeque<Payload>,
    /// A confirmation, or the news that all is over, that the application has not fetched.
    acknowledged: Option<u64>,
    gave_up: Option<u32>,
    closed: bool,
    timers: Timers,
    /// How often the timer of the oldest message ran out since the last confirmation.
    fruitless: u32,
    rtt: RttEstimator,
    /// The latest time this endpoint was told; work that is ready is due then.
    now: Instant,
    stats: Stats,
    tracer: Tracer,
    effects: Effects<Payload>,
}

impl<P: Protocol> Classic<P> {
    /// An endpoint that talks to `peer`. Fails when the codec cannot carry the protocol's numbers.
    pub fn new(protocol: &P, config: Config, peer: SocketAddr) -> Result<Self, ConfigError> {
        config.check(protocol)?;
        Ok(Self {
            config,
            peer,
            sender: (config.role != Role::Receiver).then(|| protocol.sender()),
            receiver: (config.role != Role::Sender).then(|| protocol.receiver()),
            queue: VecDeque::new(),
            flights: Flights::new(protocol.modulus()),
            outbox: VecDeque::new(),
            feedback_waiting: 0,
            inbox: VecDeque::new(),
            acknowledged: None,
            gave_up: None,
            closed: false,
            timers: Timers::default(),
            fruitless: 0,
            rtt: RttEstimator::new(config.timeout),
            now: Instant::ZERO,
            stats: Stats::default(),
            tracer: Tracer::default(),
            effects: Effects::default(),
        })
    }

    /// Takes a message for the peer (`rdt_send`). It is sent at once if the window has room, and
    /// waits its turn otherwise.
    pub fn send(&mut self, now: Instant, message: &[u8]) -> Result<(), SendError> {
        if self.sender.is_none() {
            return Err(SendError::ReceiverOnly);
        }
        if self.closed {
            return Err(SendError::Closed);
        }
        let probe = Frame { kind: Kind::Data, seq: 0, payload: message };
        if !self.config.codec.carries(&probe) {
            let max = self.config.codec.payload_max();
            return Err(SendError::Size { len: message.len(), max });
        }
        if self.queue.len() >= self.config.queue_messages_max {
            return Err(SendError::QueueFull);
        }
        self.advance(now);
        let index = self.stats.messages_sent;
        self.stats.messages_sent += 1;
        self.tracer.emit(|| TraceEvent::Send { index, bytes: message.len() });
        self.queue.push_back(message.into());
        self.pump();
        Ok(())
    }

    /// Messages that [`send`](Self::send) would take now.
    pub fn queue_room(&self) -> usize {
        if self.closed || self.sender.is_none() {
            return 0;
        }
        self.config.queue_messages_max.saturating_sub(self.queue.len())
    }

    /// Whether every message is believed delivered and every packet has left.
    pub fn is_idle(&self) -> bool {
        self.unacked() == 0 && self.outbox.is_empty() && self.queue.is_empty()
    }

    /// Messages taken by `send` and not yet believed delivered.
    pub fn unacked(&self) -> u64 {
        self.stats.messages_sent - self.stats.messages_acknowledged
    }

    /// Whether something is unacknowledged and nothing will ever be sent unless the peer moves
    /// first: no timer runs and nothing waits to be sent. If the peer says the same and the network
    /// is empty, this is a deadlock.
    pub fn is_stalled(&self) -> bool {
        self.unacked() > 0 && self.timers.is_empty() && self.outbox.is_empty() && !self.can_pump()
    }

    /// Whether the endpoint has given up on its peer.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The address it talks to.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// What it did so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// What it holds now.
    pub fn load(&self) -> Load {
        Load {
            queued: self.queue.len(),
            in_window: self.flights.len(),
            data_waiting: self.outbox.len() - self.feedback_waiting,
            feedback_waiting: self.feedback_waiting,
            inbox: self.inbox.len(),
            timers: self.timers.len(),
        }
    }

    /// Its estimate of the round trip.
    pub fn rtt(&self) -> &RttEstimator {
        &self.rtt
    }

    /// The sending machine, unless this endpoint only receives.
    pub fn sender(&self) -> Option<&P::Sender<Payload>> {
        self.sender.as_ref()
    }

    /// The receiving machine, unless this endpoint only sends.
    pub fn receiver(&self) -> Option<&P::Receiver<Payload>> {
        self.receiver.as_ref()
    }

    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// Whether the sender would take a message that waits.
    fn can_pump(&self) -> bool {
        let ready = self.sender.as_ref().is_some_and(SenderMachine::ready);
        ready && !self.queue.is_empty() && !self.closed
    }

    /// Hands waiting messages to the sender while it takes them and its packets leave. New packets
    /// do not pile up in front of the driver: when a timeout goes back, what it sends again would
    /// have to wait behind them.
    fn pump(&mut self) {
        while self.outbox.is_empty() && self.can_pump() {
            let Some(message) = self.queue.pop_front() else { return };
            self.flights.expect();
            let _ = self.step_sender(Input::Send(message));
        }
    }

    fn step_sender(&mut self, input: Input<Payload>) -> Option<DropReason> {
        let sender = self.sender.as_mut()?;
        // A timer that expires, or a packet not yet sent, counts from now on.
        let afresh = matches!(input, Input::Expire(_) | Input::Send(_));
        let fired = sender.step(input, &mut self.effects);
        let unacked = sender.unacked();
        let refused = self.report(Side::Sender, fired);
        // Before the effects: a timer for the oldest packet must find the one that is oldest now.
        let confirmed = self.flights.settle(unacked);
        if confirmed > 0 {
            self.fruitless = 0;
            if !afresh {
                self.forget_confirmed();
            }
        }
        self.apply(afresh);
        if confirmed > 0 {
            self.stats.messages_acknowledged += confirmed;
            let total = self.stats.messages_acknowledged;
            self.acknowledged = Some(total);
            self.tracer.emit(|| TraceEvent::Acknowledged { total });
        }
        refused
    }

    /// Takes copies of confirmed messages out of the line: nobody waits for them any more.
    fn forget_confirmed(&mut self) {
        let flights = &self.flights;
        self.outbox.retain(|packet| packet.kind() != Kind::Data || flights.contains(packet.seq()));
    }

    fn step_receiver(&mut self, input: Input<Payload>) -> Option<DropReason> {
        let fired = self.receiver.as_mut()?.step(input, &mut self.effects);
        let refused = self.report(Side::Receiver, fired);
        self.apply(true);
        refused
    }

    /// Traces a transition; says why the input was refused, if it was.
    fn report<S: State>(&mut self, side: Side, fired: Fired<S>) -> Option<DropReason> {
        let (from, to) = (fired.from.label(), fired.to.label());
        self.tracer.emit(|| TraceEvent::Step { side, rule: fired.rule.name, from, to });
        fired.rule.refuses.map(|reason| DropReason::Guard { state: from, reason })
    }

    /// Carries out what a machine wants done.
    fn apply(&mut self, afresh: bool) {
        let mut effects = core::mem::take(&mut self.effects);
        for effect in effects.drain() {
            match effect {
                Effect::Transmit(packet) => self.enqueue(packet),
                Effect::Deliver(data) => self.deliver(data),
                Effect::Start(tag) => self.start_timer(tag, afresh),
                Effect::Stop(tag) => {
                    if self.timers.stop(tag) {
                        self.tracer.emit(|| TraceEvent::TimerStopped { tag });
                    }
                }
            }
        }
        self.effects = effects;
    }

    fn deliver(&mut self, data: Payload) {
        let index = self.stats.messages_delivered;
        self.stats.messages_delivered += 1;
        self.tracer.emit(|| TraceEvent::Deliver { index, bytes: data.len() });
        self.inbox.push_back(data);
    }

    fn start_timer(&mut self, tag: Tag, afresh: bool) {
        let since = match (self.config.timer_start, self.flights.watched(tag)) {
            (TimerStart::SinceSent, Some(flight)) if !afresh && !flight.queued => flight.sent_at,
            _ => self.now,
        };
        let deadline = since + self.rtt.rto();
        self.timers.start(tag, deadline);
        self.tracer.emit(|| TraceEvent::TimerStarted { tag, deadline });
    }

    /// Puts a packet in line for the driver. Of a data packet that still waits there only the new
    /// copy stays, in the order the machine asks for; feedback that finds the line full is dropped.
    /// So the line is bounded. Data does not count against feedback: two sides that only repeat
    /// their windows would never hear each other's ACKs.
    fn enqueue(&mut self, packet: Packet<Payload>) {
        match &packet {
            Packet::Data { seq, .. } => {
                if !self.flights.queue(*seq) {
                    // What goes back now waits in this order too, so the copy is near the front.
                    let old = self
                        .outbox
                        .iter()
                        .position(|old| old.kind() == Kind::Data && old.seq() == *seq);
                    old.and_then(|at| self.outbox.remove(at));
                }
            }
            Packet::Ack { .. } | Packet::Nak { .. } => {
                if self.feedback_waiting >= self.config.outbox_packets_max {
                    self.stats.feedback_dropped += 1;
                    return;
                }
                self.feedback_waiting += 1;
            }
        }
        self.outbox.push_back(packet);
    }

    fn info(packet: &Packet<impl Deref<Target = [u8]>>) -> PacketInfo {
        let (numbered, payload_bytes) = match packet {
            Packet::Data { data, .. } => (P::FIELDS.data_seq, data.len()),
            Packet::Ack { .. } | Packet::Nak { .. } => (P::FIELDS.feedback_seq, 0),
        };
        PacketInfo { kind: packet.kind(), seq: numbered.then(|| packet.seq()), payload_bytes }
    }

    /// Notes that a packet leaves now: attempts are counted and timers count from here.
    fn departed(&mut self, packet: &Packet<Payload>) {
        let attempt = match packet {
            Packet::Data { seq, .. } => {
                let attempt = self.flights.depart(*seq, self.now);
                let deadline = self.now + self.rtt.rto();
                self.timers.postpone(Tag::Packet(*seq), deadline);
                if self.flights.is_oldest(*seq) {
                    self.timers.postpone(Tag::Oldest, deadline);
                }
                if attempt > 1 {
                    self.stats.data_resent += 1;
                } else {
                    self.stats.data_sent += 1;
                }
                attempt
            }
            Packet::Ack { .. } | Packet::Nak { .. } => {
                self.stats.feedback_sent += 1;
                1
            }
        };
        self.tracer.emit(|| TraceEvent::Transmit { packet: Self::info(packet), attempt });
    }

    fn damaged(&mut self, datagram: &[u8], error: DecodeError) -> Disposition {
        self.stats.packets_damaged += 1;
        self.tracer.emit(|| TraceEvent::ReceiveCorrupt { error, bytes: datagram.len() });
        // With both machines here the damaged packet may have been meant for either. The kind is
        // coded so that it survives small damage; if it did not, both hear of it.
        let likely = self.config.codec.likely_kind(datagram);
        let to_receiver = self.sender.is_none() || likely.is_none_or(|kind| kind == Kind::Data);
        let to_sender = self.receiver.is_none() || likely.is_none_or(|kind| kind != Kind::Data);
        let mut refused = None;
        if to_receiver {
            refused = self.step_receiver(Input::ArriveCorrupt);
        }
        if to_sender {
            refused = self.step_sender(Input::ArriveCorrupt).or(refused);
        }
        let reason = DropReason::Damaged(error);
        self.tracer
            .emit(|| TraceEvent::Discard { packet: None, reason: refused.unwrap_or(reason) });
        Disposition::Discarded(reason)
    }

    fn arrived(&mut self, frame: Frame<'_>) -> Result<(), DropReason> {
        match frame.kind {
            Kind::Data if self.receiver.is_none() => Err(DropReason::NoReceiver),
            Kind::Data if self.inbox.len() >= self.config.inbox_messages_max => {
                Err(DropReason::InboxFull)
            }
            Kind::Data => {
                let packet = Packet::Data { seq: frame.seq, data: frame.payload.into() };
                self.step_receiver(Input::Arrive(packet)).map_or(Ok(()), Err)
            }
            Kind::Ack | Kind::Nak if self.sender.is_none() => Err(DropReason::NoReceiver),
            Kind::Ack => {
                let sample = self.flights.sample(frame.seq, self.now);
                let refused = self.step_sender(Input::Arrive(Packet::Ack { seq: frame.seq }));
                match (refused, sample) {
                    (Some(reason), _) => return Err(reason),
                    (None, Some(sample)) if P::FIELDS.feedback_seq => self.measured(sample),
                    (None, _) => {}
                }
                Ok(())
            }
            Kind::Nak => {
                let nak = Input::Arrive(Packet::Nak { seq: frame.seq });
                self.step_sender(nak).map_or(Ok(()), Err)
            }
        }
    }

    fn measured(&mut self, sample: core::time::Duration) {
        self.rtt.sample(sample);
        let rtt = &self.rtt;
        self.tracer.emit(|| TraceEvent::Rtt {
            sample,
            srtt: rtt.srtt().unwrap_or_default(),
            rttvar: rtt.rttvar().unwrap_or_default(),
            rto: rtt.rto(),
        });
    }

    /// Gives up when the timer of one message has run out as often as is allowed. Go-back-N sends a
    /// message again whenever an older one is late, so for the single timer it is not the attempts
    /// that count, but those since anything was confirmed.
    fn give_up_if_hopeless(&mut self, tag: Tag) -> bool {
        let attempts = match tag {
            Tag::Oldest => {
                self.fruitless = self.fruitless.saturating_add(1);
                self.fruitless
            }
            Tag::Packet(_) => self.flights.watched(tag).map_or(0, |flight| flight.attempts),
        };
        let hopeless = self.config.attempts_max.is_some_and(|max| attempts >= max);
        if hopeless {
            self.closed = true;
            self.gave_up = Some(attempts);
            self.timers.clear();
            self.outbox.clear();
            self.feedback_waiting = 0;
            self.tracer.emit(|| TraceEvent::GaveUp { attempts });
        }
        hopeless
    }
}

impl<P: Protocol> Endpoint for Classic<P> {
    type Event = Event;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        self.advance(now);
        let refuse = if meta.source != self.peer {
            Some(DropReason::UnknownPeer)
        } else if self.closed {
            Some(DropReason::Closed)
        } else {
            None
        };
        if let Some(reason) = refuse {
            self.stats.packets_discarded += 1;
            self.tracer.emit(|| TraceEvent::Discard { packet: None, reason });
            return Disposition::Discarded(reason);
        }
        let mut scratch = Scratch::default();
        let outcome = match self.config.codec.decode(datagram, &mut scratch) {
            Err(error) => self.damaged(datagram, error),
            Ok(frame) => {
                self.stats.packets_received += 1;
                let numbered = if frame.kind == Kind::Data {
                    P::FIELDS.data_seq
                } else {
                    P::FIELDS.feedback_seq
                };
                let packet = PacketInfo {
                    kind: frame.kind,
                    seq: numbered.then_some(frame.seq),
                    payload_bytes: frame.payload.len(),
                };
                self.tracer.emit(|| TraceEvent::Receive { packet });
                match self.arrived(frame) {
                    Ok(()) => Disposition::Accepted,
                    Err(reason) => {
                        self.stats.packets_discarded += 1;
                        self.tracer.emit(|| TraceEvent::Discard { packet: Some(packet), reason });
                        Disposition::Discarded(reason)
                    }
                }
            }
        };
        self.pump();
        outcome
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        let mut expired = false;
        while let Some(tag) = self.timers.pop_expired(now) {
            self.stats.timeouts += 1;
            self.tracer.emit(|| TraceEvent::TimerExpired { tag });
            if self.give_up_if_hopeless(tag) {
                return;
            }
            if !expired {
                self.rtt.back_off(now);
                expired = true;
            }
            let _ = self.step_sender(Input::Expire(tag));
        }
        self.pump();
    }

    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        self.advance(now);
        let codec = self.config.codec;
        loop {
            self.pump();
            let Some(next) = self.outbox.front() else { break };
            let payload = match next {
                Packet::Data { data, .. } => &**data,
                Packet::Ack { .. } | Packet::Nak { .. } => &[],
            };
            let frame = Frame { kind: next.kind(), seq: next.seq(), payload };
            let carried = codec.carries(&frame);
            if carried && !batch.write(codec.encoded_len(&frame), |out| codec.encode(&frame, out)) {
                break;
            }
            let Some(packet) = self.outbox.pop_front() else { break };
            self.feedback_waiting -= usize::from(packet.kind() != Kind::Data);
            if carried {
                self.departed(&packet);
            }
        }
        (!batch.is_empty()).then(|| Transmit {
            destination: self.peer,
            source: None,
            ecn: Ecn::NotEct,
            size: batch.len(),
            segment_size: batch.segment_size(),
        })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let ready = !self.outbox.is_empty()
            || self.can_pump()
            || !self.inbox.is_empty()
            || self.acknowledged.is_some()
            || self.gave_up.is_some();
        if ready { Some(self.now) } else { self.timers.next() }
    }

    fn poll_event(&mut self) -> Option<Event> {
        if let Some(message) = self.inbox.pop_front() {
            return Some(Event::Delivered(message));
        }
        if let Some(total) = self.acknowledged.take() {
            return Some(Event::Acknowledged { total });
        }
        self.gave_up.take().map(|attempts| Event::GaveUp { attempts })
    }

    fn set_tracing(&mut self, on: bool) {
        self.tracer.set(on);
    }

    fn poll_trace(&mut self) -> Option<TraceEvent> {
        self.tracer.take()
    }
}

impl<P: Protocol> Conversation for Classic<P> {
    fn send(&mut self, now: Instant, message: &[u8]) -> Result<(), SendError> {
        Self::send(self, now, message)
    }
    fn queue_room(&self) -> usize {
        Self::queue_room(self)
    }
    fn is_idle(&self) -> bool {
        Self::is_idle(self)
    }
    fn is_stalled(&self) -> bool {
        Self::is_stalled(self)
    }
    fn is_closed(&self) -> bool {
        Self::is_closed(self)
    }
    fn unacked(&self) -> u64 {
        Self::unacked(self)
    }
    fn stats(&self) -> &Stats {
        Self::stats(self)
    }
    fn rtt(&self) -> &RttEstimator {
        Self::rtt(self)
    }
}

#[cfg(test)]
#[path = "adapter_tests.rs"]
mod tests;
