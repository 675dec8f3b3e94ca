//! Any method at any time: a schedule of calls on two ends, written down call by call.

use std::{
    collections::VecDeque,
    fmt::{Debug, Write},
    net::SocketAddr,
    time::Duration,
};

use rdtp::{
    batch::Batch,
    channel::{Channel, Overtake},
    endpoint::{Endpoint, RecvMeta},
    time::Instant,
};

use crate::subject::{ADDRESSES, Case, Ends, Ledger, Subject, address};

/// One call, or one thing that the channel does. `nth` counts datagrams in flight, oldest first.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Offer { at: usize },
    Fill { at: usize },
    Transmit { at: usize, room: usize, segments: usize },
    Event { at: usize },
    Timeout { at: usize },
    Trace { at: usize, on: bool },
    Wait { millis: u64 },
    Jump { hours: u64 },
    Deliver { from: usize, nth: usize },
    Lose { from: usize, nth: usize },
    Duplicate { from: usize, nth: usize },
    Corrupt { from: usize, nth: usize, bit: u16, cut: bool },
    Garbage { at: usize, host: u8, bytes: Vec<u8> },
}

/// Calls that must make no difference, made after every call of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extra {
    Nothing,
    /// Asks for the deadline, again and again.
    Deadlines,
    /// Calls `handle_timeout` wherever it is too early.
    EarlyTimeouts,
}

/// How many messages an application offers at once that wants to fill window and queue.
const FILL: usize = 50;

/// The reference: what goes in at one end comes out at the other, once, in order, unchanged.
#[derive(Default)]
struct Fifo {
    pushed: usize,
    popped: usize,
    waiting: VecDeque<Vec<u8>>,
}

impl Fifo {
    fn push(&mut self, message: Vec<u8>) {
        self.pushed += 1;
        self.waiting.push_back(message);
    }

    /// Something came out; says so if it is not the oldest message.
    fn pop(&mut self, got: &[u8]) -> Check {
        let nth = self.popped;
        let expected = self.waiting.pop_front();
        self.popped += 1;
        match expected {
            Some(expected) if expected == got => Ok(()),
            expected => Err(format!("message {nth}: sent {expected:?}, delivered {got:?}")),
        }
    }
}

struct Flying {
    bytes: Vec<u8>,
    /// How many datagrams sent later have overtaken it.
    overtaken: u64,
    damaged: bool,
}

pub(crate) struct Play<'a> {
    case: &'a Case,
    ends: Ends,
    /// Anything goes, and nothing is promised but the contract.
    wild: bool,
    allowed: Channel,
    extra: Extra,
    now: Instant,
    flying: [VecDeque<Flying>; 2],
    /// What each end offered, by the end that offered it.
    fifo: [Fifo; 2],
    /// Every call that said something, and what it said.
    transcript: String,
}

/// Room for any datagram of these tests.
const ROOM: usize = 2048;

type Check = Result<(), String>;

impl<'a> Play<'a> {
    /// Faults of every kind, and time that jumps by years.
    pub(crate) fn wild(case: &'a Case, extra: Extra) -> Self {
        Self::new(case, None, extra)
    }

    /// The faults that the case bears; `None` when it bears none.
    pub(crate) fn sound(case: &'a Case) -> Option<Self> {
        Some(Self::new(case, Some(case.sound?), Extra::Nothing))
    }

    fn new(case: &'a Case, allowed: Option<Channel>, extra: Extra) -> Self {
        Self {
            case,
            ends: case.ends(),
            wild: allowed.is_none(),
            allowed: allowed.unwrap_or(Channel::HOSTILE),
            extra,
            now: Instant::ZERO,
            flying: Default::default(),
            fifo: Default::default(),
            transcript: String::new(),
        }
    }

    pub(crate) fn transcript(self) -> String {
        self.transcript
    }

    pub(crate) fn run(&mut self, ops: &[Op]) -> Check {
        for op in ops {
            self.apply(op).map_err(|fault| format!("{fault} at {op:?}"))?;
            for at in 0..2 {
                self.extra(at)?;
            }
        }
        Ok(())
    }

    fn note(&mut self, at: usize, what: &str, value: impl Debug) {
        writeln!(self.transcript, "{} {at} {what} {value:?}", self.now).unwrap();
    }

    fn extra(&mut self, at: usize) -> Check {
        let (now, end) = (self.now, &mut self.ends[at]);
        let due = end.poll_timeout();
        match self.extra {
            Extra::Deadlines if end.poll_timeout() == due => {}
            Extra::Deadlines => return Err("asking for the deadline moves it".into()),
            Extra::EarlyTimeouts if due.is_none_or(|due| due > now) => {
                end.handle_timeout(now);
                if end.poll_timeout() != due {
                    return Err("a timeout that is too early moves the deadline".into());
                }
            }
            Extra::Nothing | Extra::EarlyTimeouts => {}
        }
        Ok(())
    }

    fn apply(&mut self, op: &Op) -> Check {
        match *op {
            Op::Offer { at } => {
                self.offer(at);
            }
            Op::Fill { at } => {
                let _ = (0..FILL).take_while(|_| self.offer(at)).count();
            }
            Op::Transmit { at, room, segments } => {
                self.transmit(at, room, segments)?;
            }
            Op::Event { at } => {
                self.event(at)?;
            }
            Op::Timeout { at } => self.timeout(at)?,
            Op::Trace { at, on } => {
                while let Some(event) = self.ends[at].poll_trace() {
                    self.note(at, "trace", event);
                }
                self.ends[at].set_tracing(on);
            }
            Op::Wait { millis } => self.now += Duration::from_millis(millis),
            Op::Jump { hours } if self.wild => self.now += Duration::from_hours(hours),
            Op::Deliver { from, nth } => self.deliver(from, nth),
            // A driver that drops what it was given to send does the same.
            Op::Lose { from, nth } if self.allowed.lose => {
                if let Some(nth) = nth.checked_rem(self.flying[from].len()) {
                    self.flying[from].remove(nth);
                }
            }
            Op::Duplicate { from, nth } if self.allowed.duplicate => {
                let flying = &mut self.flying[from];
                if let Some(nth) = nth.checked_rem(flying.len()) {
                    let copy = Flying { bytes: flying[nth].bytes.clone(), ..flying[nth] };
                    flying.insert(nth, copy);
                }
            }
            Op::Corrupt { from, nth, bit, cut } if self.allowed.corrupt => {
                self.corrupt(from, nth, bit, cut && self.wild);
            }
            Op::Garbage { at, host, ref bytes } => {
                // A damaged packet out of nowhere takes what bears damage, copies and loss.
                let bears = self.allowed.corrupt && self.allowed.duplicate && self.allowed.lose;
                if bears || address(host) != ADDRESSES[1 - at] {
                    self.hand_over(at, RecvMeta::from(address(host)), bytes);
                }
            }
            Op::Jump { .. } | Op::Lose { .. } | Op::Duplicate { .. } | Op::Corrupt { .. } => {}
        }
        self.check()
    }

    /// Offers the next message; says whether it was taken.
    fn offer(&mut self, at: usize) -> bool {
        let message = self.case.message(self.fifo[at].pushed);
        let taken = self.ends[at].offer(self.now, &message);
        self.note(at, "offer", taken);
        if taken {
            self.fifo[at].push(message);
        }
        taken
    }

    /// One call of `poll_transmit`; says whether it gave something.
    fn transmit(&mut self, at: usize, room: usize, segments: usize) -> Result<bool, String> {
        let mut space = vec![0; room];
        let mut batch = Batch::with_segments_max(&mut space, segments);
        let sent = transmit(&mut *self.ends[at], self.now, &mut batch)?;
        // What answers strangers is gone.
        if sent == Some(ADDRESSES[1 - at]) {
            for datagram in batch.segments() {
                self.flying[at].push_back(Flying {
                    bytes: datagram.to_vec(),
                    overtaken: 0,
                    damaged: false,
                });
            }
        }
        let bytes = batch.as_bytes().to_vec();
        self.note(at, "transmit", (sent, bytes));
        Ok(sent.is_some())
    }

    /// One call of `poll_event`; says whether it gave something.
    fn event(&mut self, at: usize) -> Result<bool, String> {
        let due = self.ends[at].poll_timeout();
        let Some(heard) = self.ends[at].poll_event() else { return Ok(false) };
        if due.is_none_or(|due| due > self.now) {
            return Err(format!("an event was ready at {} but due at {due:?}", self.now));
        }
        self.note(at, "event", (&heard.text, &heard.delivered));
        if let (Some(message), false) = (heard.delivered, self.wild) {
            self.fifo[1 - at].pop(&message)?;
        }
        Ok(true)
    }

    fn timeout(&mut self, at: usize) -> Check {
        self.ends[at].handle_timeout(self.now);
        let due = self.ends[at].poll_timeout();
        self.note(at, "timeout", due);
        let ready = due.is_some_and(|due| due <= self.now);
        if ready && !self.event(at)? && !self.transmit(at, ROOM, 64)? {
            return Err("due after its timeout, with nothing to poll: a timer spins".into());
        }
        Ok(())
    }

    fn hand_over(&mut self, at: usize, meta: RecvMeta, datagram: &[u8]) {
        let disposition = self.ends[at].handle_datagram(self.now, meta, datagram);
        self.note(at, "datagram", disposition);
    }

    /// Delivers the nth datagram, or the nearest older one that may overtake those before it.
    fn deliver(&mut self, from: usize, nth: usize) {
        let flying = &mut self.flying[from];
        let Some(wanted) = nth.checked_rem(flying.len()) else { return };
        let may_pass = |older: &Flying| match self.allowed.overtake {
            Overtake::Any => true,
            Overtake::AtMost(depth) => older.overtaken < depth,
        };
        let nth = flying.iter().take(wanted).take_while(|older| may_pass(older)).count();
        flying.iter_mut().take(nth).for_each(|older| older.overtaken += 1);
        let packet = flying.remove(nth).unwrap();
        self.hand_over(1 - from, RecvMeta::from(ADDRESSES[from]), &packet.bytes);
    }

    fn corrupt(&mut self, from: usize, nth: usize, bit: u16, cut: bool) {
        let flying = &mut self.flying[from];
        let Some(nth) = nth.checked_rem(flying.len()) else { return };
        // Every checksum finds one bit. A second one can hide the first from a sum (RFC 1071).
        if flying[nth].damaged && !self.wild {
            return;
        }
        flying[nth].damaged = true;
        let bytes = &mut flying[nth].bytes;
        let Some(bit) = usize::from(bit).checked_rem(bytes.len() * 8) else { return };
        if cut {
            bytes.truncate(bit / 8);
        } else {
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    /// What must hold after every step of an honest pair over a channel that it bears.
    fn check(&self) -> Check {
        if self.wild {
            return Ok(());
        }
        (0..2).try_for_each(|at| {
            let Some(own) = self.ends[at].ledger() else { return Ok(()) };
            self.check_belief(at, own)?;
            self.check_limits(at, own)
        })
    }

    fn check_belief(&self, at: usize, own: Ledger) -> Check {
        if own.unacked + own.believed != self.fifo[at].pushed as u64 {
            return Err(format!("{own:?}, but {} messages were sent", self.fifo[at].pushed));
        }
        // Over a perfect channel some believe without evidence, and are right later.
        match self.ends[1 - at].ledger() {
            Some(peer) if self.allowed != Channel::PERFECT && own.believed > peer.delivered => Err(
                format!("{} messages believed delivered, {} were", own.believed, peer.delivered),
            ),
            _ => Ok(()),
        }
    }

    fn check_limits(&self, at: usize, own: Ledger) -> Check {
        let Some(limits) = self.case.limits else { return Ok(()) };
        let fetched = self.fifo[1 - at].popped as u64;
        let waiting = own.delivered.saturating_sub(fetched);
        if own.unacked > limits.unacked_max as u64 || waiting > limits.inbox_max as u64 {
            return Err(format!("{own:?}, {waiting} not fetched: more than {limits:?}"));
        }
        let due = self.ends[at].poll_timeout();
        if due.is_some_and(|due| due > self.now + limits.deadline_within) {
            return Err(format!("due at {due:?}, {:?} from now at most", limits.deadline_within));
        }
        // Whoever bears loss has something to wait for as long as anything is unacknowledged.
        if self.allowed.lose && own.unacked > 0 && due.is_none() {
            return Err("unacknowledged messages, and no deadline".into());
        }
        Ok(())
    }

    /// What both ends hold must be within their limits; takes it out.
    pub(crate) fn bounded(&mut self) -> Check {
        let (limit, now) = (self.case.holds_max, self.now);
        for end in &mut self.ends {
            let (events, datagrams) = drain(&mut **end, now);
            if events > limit || datagrams > limit {
                return Err(format!("{events} events, {datagrams} datagrams held, not {limit}"));
            }
        }
        Ok(())
    }

    /// Everything was delivered, and whoever keeps account of it knows.
    fn is_done(&self) -> bool {
        let known = |at: usize| self.ends[at].ledger().is_none_or(|own| own.unacked == 0);
        (0..2).all(|at| self.fifo[at].waiting.is_empty() && known(at))
    }

    /// From here on the channel is fair and the driver diligent: everything must arrive.
    pub(crate) fn finish(&mut self) -> Check {
        for _ in 0..10_000 {
            if self.is_done() {
                return Ok(());
            }
            let mut moved = false;
            for at in 0..2 {
                let due = self.ends[at].poll_timeout();
                if due.is_some_and(|due| due <= self.now) {
                    self.timeout(at)?;
                    moved = true;
                }
                while self.event(at)? || self.transmit(at, ROOM, 64)? {
                    moved = true;
                }
                if !self.flying[at].is_empty() {
                    self.deliver(at, 0);
                    moved = true;
                }
            }
            self.check()?;
            if !moved {
                let next = self.ends.iter().filter_map(Endpoint::poll_timeout).min();
                self.now = next.ok_or("deadlock: no datagram, no deadline")?.max(self.now);
            }
        }
        Err("no end in sight over a fair channel".into())
    }
}

/// Calls `poll_transmit` and checks what it says about what it wrote; returns for whom it is.
pub(crate) fn transmit(
    end: &mut (impl Subject + ?Sized),
    now: Instant,
    batch: &mut Batch<'_>,
) -> Result<Option<SocketAddr>, String> {
    let due = end.poll_timeout();
    let Some(transmit) = end.poll_transmit(now, batch) else {
        return if batch.is_empty() { Ok(None) } else { Err("bytes without a transmit".into()) };
    };
    if due.is_none_or(|due| due > now) {
        return Err(format!("a datagram was ready at {now} but due at {due:?}"));
    }
    let lengths: Vec<usize> = batch.segments().map(<[u8]>::len).collect();
    let segment = transmit.segment_size.unwrap_or(transmit.size);
    let (last, equal) = lengths.split_last().ok_or("a transmit without a datagram")?;
    let consistent = transmit.size == lengths.iter().sum::<usize>()
        && transmit.segment_size.is_some() == (lengths.len() > 1)
        && equal.iter().all(|len| *len == segment)
        && *last <= segment;
    if !consistent {
        return Err(format!("{transmit:?} describes segments of {lengths:?} bytes"));
    }
    Ok(Some(transmit.destination))
}

/// What an end holds, counted as it comes out: events, and datagrams. The latter bring the waiting
/// messages with them.
pub(crate) fn drain(end: &mut dyn Subject, now: Instant) -> (usize, usize) {
    let mut datagrams = 0;
    let mut space = [0; 2048];
    loop {
        let mut batch = Batch::new(&mut space);
        if end.poll_transmit(now, &mut batch).is_none() {
            break;
        }
        datagrams += batch.count();
    }
    let mut events = 0;
    while end.poll_event().is_some() {
        events += 1;
    }
    (events, datagrams)
}
