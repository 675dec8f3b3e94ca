//! The client of the exercise: sends a list of numbers one by one, each with the fault that was
//! chosen for it, and leaves the repair to the protocol.

use alloc::{
    collections::{VecDeque, vec_deque},
    vec::Vec,
};
use core::{fmt, net::SocketAddr, time::Duration};

use super::{Action, Faults};
use crate::{
    batch::Batch,
    classic::{Effect, Effects, Input, Machine, Packet, Protocol, SenderMachine, State},
    ecn::Ecn,
    endpoint::{Disposition, DropReason, Endpoint, RecvMeta, Transmit},
    rng::{Rng, Seed},
    time::Instant,
    trace::{StateLabel, Tag},
    wire::{
        Kind,
        lab::{DATA_LEN, DataMessage, Honesty, LabChecksum, ReplyMessage},
    },
};

/// What a [`Client`] needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// The server.
    pub server: SocketAddr,
    /// The port to name as the sender's.
    pub local_port: u16,
    /// What guards the messages.
    pub checksum: LabChecksum,
    /// What loss and duplicate do.
    pub faults: Faults,
    /// The countdown timer of rdt 3.0.
    pub timeout: Duration,
    /// How long to wait for an answer without a timer before it is called a deadlock.
    pub patience: Duration,
    /// How long to wait, when a number is confirmed, for the answers to its other copies: they must
    /// not be taken for answers to the next one.
    pub settle: Duration,
    /// How often a number is sent before the client gives up.
    pub attempts_max: u32,
}

impl ClientConfig {
    /// The usual values: 1 s timer, 2 s patience, 20 attempts.
    pub const fn new(server: SocketAddr, local_port: u16) -> Self {
        Self {
            server,
            local_port,
            checksum: LabChecksum::Internet,
            faults: Faults::Seed,
            timeout: Duration::from_secs(1),
            patience: Duration::from_secs(2),
            settle: Duration::from_millis(500),
            attempts_max: 20,
        }
    }
}

/// What was done on purpose to a packet that left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Its checksum was made wrong.
    Corrupt,
    /// It carried the number of the packet before.
    StaleNumber,
    /// It did not leave at all.
    Drop,
    /// It left twice.
    Copy,
}

/// What a [`Client`] tells the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientEvent {
    /// A number was sent.
    Sent {
        /// The number.
        value: i32,
        /// The sequence number that its packet carries.
        seq: u8,
        /// What was done to the packet.
        fault: Option<Fault>,
        /// 1 for the first time.
        attempt: u32,
    },
    /// An answer arrived intact.
    Answered {
        /// ACK or NAK.
        kind: Kind,
        /// The number in it.
        seq: u8,
        /// Why the machine did not take it as the answer to its packet.
        refused: Option<&'static str>,
        /// Whether the machine sends again because of it: a request for retransmission.
        resends: bool,
    },
    /// An answer arrived damaged.
    Garbled {
        /// Whether the machine sends again because of it.
        resends: bool,
    },
    /// The countdown timer ran out.
    TimedOut,
    /// The server has the number; it is off the list.
    Confirmed {
        /// The number.
        value: i32,
    },
    /// The list was shuffled.
    Shuffled,
    /// It is over.
    Over(Ending),
}

/// How a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Every number was confirmed.
    Done,
    /// The user had enough.
    Quit,
    /// Both sides wait for each other, and the protocol has no timer.
    Deadlock {
        /// The number that nobody will send again.
        value: i32,
        /// Whether this client dropped it on purpose.
        dropped: bool,
    },
    /// The number was sent as often as allowed.
    GaveUp {
        /// The number.
        value: i32,
        /// How often.
        attempts: u32,
    },
}

/// An action was chosen while the last one is not finished, or after the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotNow;

impl fmt::Display for NotNow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the last step is not finished")
    }
}

impl core::error::Error for NotNow {}

/// The number that is on its way.
#[derive(Clone, Copy, Debug)]
struct Current {
    value: i32,
    fault: Option<Fault>,
    attempts: u32,
    /// Datagrams that left and have not been answered.
    unanswered: u32,
}

/// What an input did to the machine.
struct Stepped {
    /// The state before.
    from: StateLabel,
    /// Why the input was refused.
    refused: Option<&'static str>,
    /// Whether the machine sent a packet.
    sent: bool,
}

/// The client as an [`Endpoint`], over the sender of `P`: rdt 2.1, 2.2 or 3.0.
#[derive(Debug)]
pub struct Client<P: Protocol> {
    config: ClientConfig,
    list: VecDeque<i32>,
    sender: P::Sender<i32>,
    current: Option<Current>,
    timer: Option<Instant>,
    /// The last time something was sent or answered.
    last_at: Instant,
    over: Option<Ending>,
    shuffle: Rng,
    outbox: VecDeque<[u8; DATA_LEN]>,
    events: VecDeque<ClientEvent>,
    now: Instant,
}

impl<P: Protocol> Client<P> {
    /// The most packets that wait for the driver; more are dropped, as if the network had.
    pub const OUTBOX_MAX: usize = 64;
    /// The most events that wait for the application; the oldest are dropped for new ones.
    pub const EVENTS_MAX: usize = 1024;

    /// A client that is to send `list`.
    pub fn new(protocol: &P, config: ClientConfig, list: Vec<i32>, seed: Seed) -> Self {
        Self {
            config,
            list: list.into(),
            sender: protocol.sender(),
            current: None,
            timer: None,
            last_at: Instant::ZERO,
            over: None,
            shuffle: seed.split("lab/shuffle").rng(),
            outbox: VecDeque::new(),
            events: VecDeque::new(),
            now: Instant::ZERO,
        }
    }

    /// The numbers that are not confirmed yet, the next one first (S2-05).
    pub fn remaining(&self) -> vec_deque::Iter<'_, i32> {
        self.list.iter()
    }

    /// Whether the last action is finished and the next one may be chosen.
    pub fn ready(&self) -> bool {
        self.over.is_none() && self.current.is_none()
    }

    /// How it ended, once it has.
    pub fn ending(&self) -> Option<Ending> {
        self.over
    }

    /// Does what the user chose.
    pub fn act(&mut self, now: Instant, action: Action) -> Result<(), NotNow> {
        self.now = self.now.max(now);
        if !self.ready() {
            return Err(NotNow);
        }
        match action {
            Action::Correct => self.send(None),
            Action::Loss => self.send(Some(match self.config.faults {
                Faults::Seed => Fault::Corrupt,
                Faults::Real => Fault::Drop,
            })),
            Action::Duplicate => self.send(Some(match self.config.faults {
                // An ACK without a number would be taken for this packet, which the receiver has
                // thrown away: the number would be lost. So rdt 2.1 gets a true copy.
                Faults::Seed if P::FIELDS.feedback_seq => Fault::StaleNumber,
                Faults::Seed | Faults::Real => Fault::Copy,
            })),
            Action::Shuffle => {
                let list = self.list.make_contiguous();
                // Fisher and Yates: every order is equally likely.
                for i in (1..list.len()).rev() {
                    let other = self.shuffle.between(0, i as u64);
                    list.swap(i, usize::try_from(other).unwrap_or(i));
                }
                self.emit(ClientEvent::Shuffled);
            }
            Action::Quit => self.end(Ending::Quit),
        }
        Ok(())
    }

    fn send(&mut self, fault: Option<Fault>) {
        let Some(&value) = self.list.front() else { return self.end(Ending::Done) };
        self.current = Some(Current { value, fault, attempts: 0, unanswered: 0 });
        self.step(Input::Send(value));
    }

    fn step(&mut self, input: Input<i32>) -> Stepped {
        let mut effects = Effects::default();
        let fired = self.sender.step(input, &mut effects);
        let mut sent = false;
        for effect in effects.drain() {
            match effect {
                Effect::Transmit(Packet::Data { seq, data }) => {
                    sent = true;
                    self.transmit(u8::from(seq == 1), data);
                }
                // The packet before it may have been the last attempt, and all is over.
                Effect::Start(Tag::Oldest) if self.over.is_some() => {}
                Effect::Start(Tag::Oldest) => self.timer = Some(self.now + self.config.timeout),
                Effect::Stop(Tag::Oldest) => self.timer = None,
                // No sender of these protocols does any of this.
                Effect::Transmit(_) | Effect::Deliver(_) | Effect::Start(_) | Effect::Stop(_) => {}
            }
        }
        Stepped { from: fired.from.label(), refused: fired.rule.refuses, sent }
    }

    /// Sends a packet, the first time with the fault chosen for it, then as it should be (S2-14).
    fn transmit(&mut self, seq: u8, value: i32) {
        let ClientConfig { server, local_port, checksum, attempts_max, .. } = self.config;
        let Some(current) = &mut self.current else { return };
        if current.attempts >= attempts_max {
            let ending = Ending::GaveUp { value, attempts: current.attempts };
            return self.end(ending);
        }
        current.attempts += 1;
        let attempt = current.attempts;
        let fault = current.fault.filter(|_| attempt == 1);
        let (seq, honesty, copies) = match fault {
            None => (seq, Honesty::Honest, 1),
            Some(Fault::Corrupt) => (seq, Honesty::Corrupt, 1),
            Some(Fault::StaleNumber) => (seq ^ 1, Honesty::Honest, 1),
            Some(Fault::Drop) => (seq, Honesty::Honest, 0),
            Some(Fault::Copy) => (seq, Honesty::Honest, 2),
        };
        let message =
            DataMessage { source_port: local_port, destination_port: server.port(), seq, value }
                .encode(checksum, honesty);
        for _ in 0..copies {
            if self.outbox.len() < Self::OUTBOX_MAX {
                self.outbox.push_back(message);
                current.unanswered += 1;
            }
        }
        self.last_at = self.now;
        self.emit(ClientEvent::Sent { value, seq, fault, attempt });
    }

    /// Finishes the current number once the machine is ready for another and no answer is out.
    fn settle(&mut self, waited: bool) {
        let Some(current) = self.current else { return };
        if self.over.is_none() && self.sender.ready() && (current.unanswered == 0 || waited) {
            self.current = None;
            self.list.pop_front();
            self.emit(ClientEvent::Confirmed { value: current.value });
            if self.list.is_empty() {
                self.end(Ending::Done);
            }
        }
    }

    fn end(&mut self, ending: Ending) {
        if self.over.is_none() {
            self.over = Some(ending);
            self.timer = None;
            self.emit(ClientEvent::Over(ending));
        }
    }

    fn emit(&mut self, event: ClientEvent) {
        if self.events.len() >= Self::EVENTS_MAX {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// When waiting without a timer ends: settling when the machine is ready, patience when not.
    fn wait_deadline(&self) -> Option<Instant> {
        self.current.filter(|_| self.over.is_none())?;
        match (self.sender.ready(), self.timer) {
            (true, _) => Some(self.last_at + self.config.settle),
            (false, None) => Some(self.last_at + self.config.patience),
            (false, Some(_)) => None,
        }
    }
}

impl<P: Protocol> Endpoint for Client<P> {
    type Event = ClientEvent;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        self.now = self.now.max(now);
        if meta.source != self.config.server {
            return Disposition::Discarded(DropReason::UnknownPeer);
        }
        if self.over.is_some() {
            return Disposition::Discarded(DropReason::Closed);
        }
        self.last_at = self.now;
        if let Some(current) = &mut self.current {
            current.unanswered = current.unanswered.saturating_sub(1);
        }
        let read = ReplyMessage::decode(datagram, self.config.checksum);
        let input = match read {
            Ok(ReplyMessage { ack: true, seq, .. }) => {
                Input::Arrive(Packet::Ack { seq: seq.into() })
            }
            Ok(ReplyMessage { ack: false, seq, .. }) => {
                Input::Arrive(Packet::Nak { seq: seq.into() })
            }
            Err(_) => Input::ArriveCorrupt,
        };
        // The report of what arrived comes before that of what it causes.
        let at = self.events.len();
        let Stepped { from, refused, sent: resends } = self.step(input);
        let event = match read {
            Ok(ReplyMessage { ack, seq, .. }) => {
                let kind = if ack { Kind::Ack } else { Kind::Nak };
                ClientEvent::Answered { kind, seq, refused, resends }
            }
            Err(_) => ClientEvent::Garbled { resends },
        };
        self.events.insert(at.min(self.events.len()), event);
        if self.events.len() > Self::EVENTS_MAX {
            self.events.pop_front();
        }
        self.settle(false);
        match (read, refused) {
            (Err(error), _) => Disposition::Discarded(DropReason::Damaged(error)),
            (Ok(_), Some(reason)) => {
                Disposition::Discarded(DropReason::Guard { state: from, reason })
            }
            (Ok(_), None) => Disposition::Accepted,
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if self.timer.is_some_and(|deadline| deadline <= now) {
            self.timer = None;
            self.emit(ClientEvent::TimedOut);
            self.step(Input::Expire(Tag::Oldest));
        }
        if self.wait_deadline().is_some_and(|deadline| deadline <= now) {
            if self.sender.ready() {
                self.settle(true);
            } else if let Some(Current { value, fault, .. }) = self.current {
                let dropped = fault == Some(Fault::Drop);
                self.end(Ending::Deadlock { value, dropped });
            }
        }
    }

    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        self.now = self.now.max(now);
        let message = self.outbox.front()?;
        if !batch.put(message) {
            return None;
        }
        self.outbox.pop_front();
        Some(Transmit {
            destination: self.config.server,
            source: None,
            ecn: Ecn::NotEct,
            size: DATA_LEN,
            segment_size: None,
        })
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if !self.outbox.is_empty() || !self.events.is_empty() {
            return Some(self.now);
        }
        match (self.timer, self.wait_deadline()) {
            (Some(timer), Some(wait)) => Some(timer.min(wait)),
            (timer, wait) => timer.or(wait),
        }
    }

    fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }
}
