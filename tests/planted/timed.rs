//! Stop-and-wait as an endpoint with a timer of its own: the machines are the shipped ones, the
//! estimate of the round trip and the countdown are where the mistakes are.

use core::{net::SocketAddr, time::Duration};
use std::collections::VecDeque;

use rdtp::{
    batch::Batch,
    classic::{
        Adaptive, Conversation, Effect, Effects, Event, Input, Machine, Packet, Payload, Protocol,
        Role, RttEstimator, SendError, SenderMachine, Stats, Timeout, rdt22, rdt30,
        rdt30::StopAndWait,
    },
    ecn::Ecn,
    endpoint::{Disposition, DropReason, Endpoint, RecvMeta, Transmit},
    time::Instant,
    wire::{Codec, Frame, Kind, Scratch},
};

/// What is wrong with the timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lapse {
    None,
    // The estimate.
    SamplesFromFirstCopy,
    SamplesFromLastCopy,
    NoBackOff,
    KeepsBackOff,
    BackOffWithoutCap,
    BackOffIsReset,
    FirstVarianceIsZero,
    VarianceAfterMean,
    NoVariance,
    NoLeastTimeout,
    // The countdown.
    StrictDeadline,
    DeadlineFromDeadline,
}

pub(crate) const LIMITS: Adaptive = Adaptive {
    rto_initial: Duration::from_millis(100),
    rto_min: Duration::from_millis(20),
    rto_max: Duration::from_millis(900),
};

/// RFC 6298, with one lapse.
#[derive(Debug)]
struct Estimate {
    smoothed: Option<(Duration, Duration)>,
    rto: Duration,
    /// How often the timeout was doubled; only a lapse keeps count.
    doubled: u32,
    lapse: Lapse,
}

impl Estimate {
    fn sample(&mut self, r: Duration) {
        let (srtt, rttvar) = match self.smoothed {
            None if self.lapse == Lapse::FirstVarianceIsZero => (r, Duration::ZERO),
            None => (r, r / 2),
            Some((srtt, rttvar)) => {
                let mean = (srtt * 7 + r) / 8;
                let from = if self.lapse == Lapse::VarianceAfterMean { mean } else { srtt };
                (mean, (rttvar * 3 + from.abs_diff(r)) / 4)
            }
        };
        self.smoothed = Some((srtt, rttvar));
        let variance = if self.lapse == Lapse::NoVariance { rttvar } else { rttvar * 4 };
        let least =
            if self.lapse == Lapse::NoLeastTimeout { Duration::ZERO } else { LIMITS.rto_min };
        self.rto = (srtt + variance).clamp(least, LIMITS.rto_max);
        if self.lapse == Lapse::KeepsBackOff {
            self.rto = (self.rto * (1 << self.doubled)).min(LIMITS.rto_max);
        }
    }

    fn back_off(&mut self) {
        let cap =
            if self.lapse == Lapse::BackOffWithoutCap { Duration::MAX } else { LIMITS.rto_max };
        if self.lapse != Lapse::NoBackOff {
            self.rto = self.rto.saturating_mul(2).min(cap);
            self.doubled = (self.doubled + 1).min(16);
        }
    }

    /// A message sent more than once is acknowledged: Karn's rule keeps the timeout as it is.
    fn ambiguous(&mut self) {
        if let (Lapse::BackOffIsReset, Some((srtt, rttvar))) = (self.lapse, self.smoothed) {
            self.rto = (srtt + rttvar * 4).clamp(LIMITS.rto_min, LIMITS.rto_max);
        }
    }
}

pub(crate) struct Timed {
    sender: Option<rdt30::Sender<Payload>>,
    receiver: Option<rdt22::Receiver<Payload>>,
    peer: SocketAddr,
    estimate: Estimate,
    lapse: Lapse,
    now: Instant,
    deadline: Option<Instant>,
    queue: VecDeque<Payload>,
    outbox: VecDeque<Packet<Payload>>,
    inbox: VecDeque<Payload>,
    acknowledged: Option<u64>,
    /// When the first and the last copy of the packet left, and how many did.
    copies: (Instant, Instant, u32),
    stats: Stats,
    unused: RttEstimator,
}

const QUEUE_MAX: usize = 1024;
const CODEC: Codec = Codec::Compact { checksum: rdtp::wire::Checksum::Crc32c };

impl Timed {
    pub(crate) fn new(role: Role, peer: SocketAddr, lapse: Lapse) -> Self {
        let rdt30 = StopAndWait::RDT30;
        Self {
            sender: (role != Role::Receiver).then(|| rdt30.sender()),
            receiver: (role != Role::Sender).then(|| rdt30.receiver()),
            peer,
            estimate: Estimate { smoothed: None, rto: LIMITS.rto_initial, doubled: 0, lapse },
            lapse,
            now: Instant::ZERO,
            deadline: None,
            queue: VecDeque::new(),
            outbox: VecDeque::new(),
            inbox: VecDeque::new(),
            acknowledged: None,
            copies: (Instant::ZERO, Instant::ZERO, 0),
            stats: Stats::default(),
            unused: RttEstimator::new(Timeout::Adaptive(LIMITS)),
        }
    }

    fn pump(&mut self) {
        while self.sender.as_ref().is_some_and(SenderMachine::ready) {
            let Some(message) = self.queue.pop_front() else { return };
            self.copies.2 = 0;
            self.step(Input::Send(message));
        }
    }

    /// Steps the machine that the input is meant for; false when it is refused.
    fn step(&mut self, input: Input<Payload>) -> bool {
        let mut effects = Effects::default();
        let for_receiver = matches!(input, Input::Arrive(Packet::Data { .. }));
        let refused = match (&mut self.sender, &mut self.receiver) {
            (_, Some(receiver)) if for_receiver => {
                receiver.step(input, &mut effects).rule.refuses.is_some()
            }
            (Some(sender), _) if !for_receiver => {
                let before = sender.unacked();
                let refused = sender.step(input, &mut effects).rule.refuses.is_some();
                if sender.unacked() < before {
                    self.stats.messages_acknowledged += 1;
                    self.acknowledged = Some(self.stats.messages_acknowledged);
                }
                refused
            }
            _ => true,
        };
        for effect in effects.drain() {
            match effect {
                Effect::Transmit(packet) => self.outbox.push_back(packet),
                Effect::Deliver(data) => {
                    self.stats.messages_delivered += 1;
                    self.inbox.push_back(data);
                }
                Effect::Start(_) => self.start(),
                Effect::Stop(_) => self.deadline = None,
            }
        }
        !refused
    }

    fn start(&mut self) {
        let from = match self.deadline {
            Some(expired) if self.lapse == Lapse::DeadlineFromDeadline => expired,
            _ => self.now,
        };
        self.deadline = Some(from + self.estimate.rto);
    }

    /// The packet is acknowledged: measures the round trip, if it may.
    fn measure(&mut self) {
        let (first, last, copies) = self.copies;
        match self.lapse {
            Lapse::SamplesFromFirstCopy => self.estimate.sample(self.now - first),
            Lapse::SamplesFromLastCopy => self.estimate.sample(self.now - last),
            _ if copies == 1 => self.estimate.sample(self.now - first),
            _ => self.estimate.ambiguous(),
        }
    }

    fn is_due(&self) -> bool {
        let strict = self.lapse == Lapse::StrictDeadline;
        self.deadline.is_some_and(|at| if strict { self.now > at } else { self.now >= at })
    }
}

impl Endpoint for Timed {
    type Event = Event;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        self.now = self.now.max(now);
        if meta.source != self.peer {
            return Disposition::Discarded(DropReason::UnknownPeer);
        }
        let mut scratch = Scratch::default();
        let frame = match CODEC.decode(datagram, &mut scratch) {
            Ok(frame) => frame,
            Err(error) => return Disposition::Discarded(DropReason::Damaged(error)),
        };
        let seq = frame.seq;
        let taken = match frame.kind {
            Kind::Data => {
                let data = frame.payload.into();
                self.step(Input::Arrive(Packet::Data { seq, data }))
            }
            Kind::Ack => self.step(Input::Arrive(Packet::Ack { seq })),
            Kind::Nak => false,
        };
        if taken && frame.kind == Kind::Ack {
            self.measure();
        }
        self.pump();
        Disposition::Accepted
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if self.is_due() {
            self.estimate.back_off();
            self.step(Input::Expire(rdtp::trace::Tag::Oldest));
        }
    }

    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        self.now = self.now.max(now);
        let packet = self.outbox.front()?;
        let payload: &[u8] = if let Packet::Data { data, .. } = packet { data } else { &[] };
        let frame = Frame { kind: packet.kind(), seq: packet.seq(), payload };
        let written = batch.write(CODEC.encoded_len(&frame), |out| CODEC.encode(&frame, out));
        if !written {
            return None;
        }
        if self.outbox.pop_front().is_some_and(|packet| packet.kind() == Kind::Data) {
            let (first, _, copies) = self.copies;
            let first = if copies == 0 { self.now } else { first };
            self.copies = (first, self.now, copies + 1);
        }
        Some(Transmit {
            destination: self.peer,
            source: None,
            ecn: Ecn::NotEct,
            size: batch.len(),
            segment_size: batch.segment_size(),
        })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let ready =
            !self.outbox.is_empty() || !self.inbox.is_empty() || self.acknowledged.is_some();
        if ready { Some(self.now) } else { self.deadline }
    }

    fn poll_event(&mut self) -> Option<Event> {
        if let Some(message) = self.inbox.pop_front() {
            return Some(Event::Delivered(message));
        }
        self.acknowledged.take().map(|total| Event::Acknowledged { total })
    }
}

impl Conversation for Timed {
    fn send(&mut self, now: Instant, message: &[u8]) -> Result<(), SendError> {
        self.now = self.now.max(now);
        if self.sender.is_none() {
            return Err(SendError::ReceiverOnly);
        }
        if self.queue.len() >= QUEUE_MAX {
            return Err(SendError::QueueFull);
        }
        self.stats.messages_sent += 1;
        self.queue.push_back(message.into());
        self.pump();
        Ok(())
    }
    fn queue_room(&self) -> usize {
        if self.sender.is_some() { QUEUE_MAX - self.queue.len() } else { 0 }
    }
    fn is_idle(&self) -> bool {
        self.unacked() == 0 && self.outbox.is_empty()
    }
    fn is_stalled(&self) -> bool {
        self.unacked() > 0 && self.deadline.is_none() && self.outbox.is_empty()
    }
    fn is_closed(&self) -> bool {
        false
    }
    fn unacked(&self) -> u64 {
        self.stats.messages_sent - self.stats.messages_acknowledged
    }
    fn stats(&self) -> &Stats {
        &self.stats
    }
    fn rtt(&self) -> &RttEstimator {
        &self.unused
    }
}
