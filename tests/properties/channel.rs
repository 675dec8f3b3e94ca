//! Two endpoints and the packets between them, under the control of a schedule.

use std::{collections::VecDeque, net::SocketAddr};

use core::time::Duration;
use proptest::test_runner::TestCaseError;
use rdtp::{
    batch::Batch,
    channel::{Channel, Overtake},
    classic::{Config, Conversation, Event, Role, Spec, Timeout},
    endpoint::RecvMeta,
    time::Instant,
    wire::{Checksum, Codec},
};

/// One thing a schedule does; `nth` counts packets in flight, oldest first, modulo their number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Op {
    Deliver {
        up: bool,
        nth: usize,
    },
    Lose {
        up: bool,
        nth: usize,
    },
    Duplicate {
        up: bool,
        nth: usize,
    },
    Corrupt {
        up: bool,
        nth: usize,
        bit: u16,
    },
    Wait {
        millis: u64,
    },
    /// Time passes until the next timer of either side.
    Timeout,
}

struct Flying {
    bytes: Vec<u8>,
    /// How many packets sent later have overtaken it.
    overtaken: u64,
}

struct Side {
    endpoint: Box<dyn Conversation + Send>,
    address: SocketAddr,
    /// Messages that `send` has not taken yet, and all of them.
    waiting: VecDeque<Vec<u8>>,
    sent: Vec<Vec<u8>>,
    delivered: Vec<Vec<u8>>,
    /// On their way to the other side.
    flying: VecDeque<Flying>,
}

/// Packets in flight each way; a full channel loses the newest, if it may lose, as a real one does.
const CAPACITY: usize = 64;

pub(crate) struct Pair {
    sides: [Side; 2],
    allowed: Channel,
    now: Instant,
}

type Check = Result<(), TestCaseError>;

impl Pair {
    pub(crate) fn new(spec: Spec, first: Role, second: Role) -> Self {
        let addresses = ["10.0.0.1:1", "10.0.0.2:1"].map(|text| text.parse().unwrap());
        let side = |role, own: usize| {
            let config = Config {
                role,
                codec: Codec::Compact { checksum: Checksum::Crc32c },
                timeout: Timeout::Fixed(Duration::from_millis(30)),
                attempts_max: None,
                inbox_messages_max: 1 << 16,
                ..Config::default()
            };
            Side {
                endpoint: spec.endpoint(config, addresses[1 - own]).unwrap(),
                address: addresses[own],
                waiting: VecDeque::new(),
                sent: Vec::new(),
                delivered: Vec::new(),
                flying: VecDeque::new(),
            }
        };
        Self {
            sides: [side(first, 0), side(second, 1)],
            allowed: spec.tolerates(),
            now: Instant::ZERO,
        }
    }

    /// Faults outside the protocol's tolerance happen too.
    pub(crate) fn allow_everything(&mut self) {
        self.allowed = Channel::HOSTILE;
    }

    pub(crate) fn send_up(&mut self, messages: &[Vec<u8>]) {
        self.send(0, messages);
    }

    pub(crate) fn send_down(&mut self, messages: &[Vec<u8>]) {
        self.send(1, messages);
    }

    fn send(&mut self, from: usize, messages: &[Vec<u8>]) {
        self.sides[from].waiting.extend(messages.iter().cloned());
        self.sides[from].sent.extend(messages.iter().cloned());
        self.settle().unwrap();
    }

    pub(crate) fn play(&mut self, ops: &[Op]) -> Check {
        ops.iter().try_for_each(|&op| self.apply(op))
    }

    fn apply(&mut self, op: Op) -> Check {
        match op {
            Op::Deliver { up, nth } => self.deliver(usize::from(!up), nth)?,
            Op::Lose { up, nth } if self.allowed.lose => {
                let flying = &mut self.sides[usize::from(!up)].flying;
                if let Some(at) = nth.checked_rem(flying.len()) {
                    flying.remove(at);
                }
            }
            Op::Duplicate { up, nth } if self.allowed.duplicate => {
                let flying = &mut self.sides[usize::from(!up)].flying;
                if let Some(at) = nth.checked_rem(flying.len()).filter(|_| flying.len() < CAPACITY)
                {
                    let copy = Flying { bytes: flying[at].bytes.clone(), ..flying[at] };
                    flying.insert(at, copy);
                }
            }
            Op::Corrupt { up, nth, bit } if self.allowed.corrupt => {
                let flying = &mut self.sides[usize::from(!up)].flying;
                if let Some(at) = nth.checked_rem(flying.len()) {
                    let bytes = &mut flying[at].bytes;
                    let bit = usize::from(bit) % (bytes.len() * 8);
                    bytes[bit / 8] ^= 1 << (bit % 8);
                }
            }
            Op::Wait { millis } => self.wait_until(self.now + Duration::from_millis(millis))?,
            Op::Timeout => {
                if let Some(next) = self.next_timer() {
                    self.wait_until(next)?;
                }
            }
            Op::Lose { .. } | Op::Duplicate { .. } | Op::Corrupt { .. } => {}
        }
        self.settle()
    }

    /// Delivers the nth packet, or the nearest older one that may overtake those before it.
    fn deliver(&mut self, from: usize, nth: usize) -> Check {
        let flying = &mut self.sides[from].flying;
        let Some(wanted) = nth.checked_rem(flying.len()) else { return Ok(()) };
        let may_pass = |older: &Flying| match self.allowed.overtake {
            Overtake::Any => true,
            Overtake::AtMost(depth) => older.overtaken < depth,
        };
        let at = flying.iter().take(wanted).take_while(|older| may_pass(older)).count();
        flying.iter_mut().take(at).for_each(|older| older.overtaken += 1);
        let packet = flying.remove(at).unwrap();
        let meta = RecvMeta::from(self.sides[from].address);
        let _ = self.sides[1 - from].endpoint.handle_datagram(self.now, meta, &packet.bytes);
        self.settle()
    }

    fn next_timer(&self) -> Option<Instant> {
        self.sides.iter().filter_map(|side| side.endpoint.poll_timeout()).min()
    }

    fn wait_until(&mut self, until: Instant) -> Check {
        self.now = self.now.max(until);
        for at in 0..2 {
            self.sides[at].endpoint.handle_timeout(self.now);
        }
        self.settle()
    }

    /// Lets both sides say and send what they have, and checks what must always hold.
    fn settle(&mut self) -> Check {
        for at in 0..2 {
            self.drain(at);
            let due = self.sides[at].endpoint.poll_timeout();
            if due.is_some_and(|due| due <= self.now) {
                self.sides[at].endpoint.handle_timeout(self.now);
                self.drain(at);
            }
            let due = self.sides[at].endpoint.poll_timeout();
            if due.is_some_and(|due| due <= self.now) {
                return Err(TestCaseError::fail("a timer spins"));
            }
        }
        self.check()
    }

    fn drain(&mut self, at: usize) {
        let (lossy, now) = (self.allowed.lose, self.now);
        let side = &mut self.sides[at];
        let mut space = [0; 2048];
        loop {
            while side.endpoint.queue_room() > 0 {
                let Some(message) = side.waiting.pop_front() else { break };
                side.endpoint.send(now, &message).unwrap();
            }
            let mut batch = Batch::new(&mut space);
            if side.endpoint.poll_transmit(now, &mut batch).is_none() {
                break;
            }
            for datagram in batch.segments() {
                if side.flying.len() < CAPACITY || !lossy {
                    side.flying.push_back(Flying { bytes: datagram.to_vec(), overtaken: 0 });
                }
            }
        }
        while let Some(event) = side.endpoint.poll_event() {
            if let Event::Delivered(message) = event {
                side.delivered.push(message.to_vec());
            }
        }
    }

    fn check(&self) -> Check {
        for at in 0..2 {
            let (from, to) = (&self.sides[at], &self.sides[1 - at]);
            if !from.sent.starts_with(&to.delivered) {
                let (sent, got) = (&from.sent, &to.delivered);
                return Err(TestCaseError::fail(format!("sent {sent:?}, delivered {got:?}")));
            }
            let believed = from.endpoint.stats().messages_acknowledged;
            // rdt 1.0 believes without evidence; the channel it tolerates makes that right later.
            if self.allowed != Channel::PERFECT && believed > to.delivered.len() as u64 {
                return Err(TestCaseError::fail("the sender believes more than was delivered"));
            }
            if from.flying.len() > CAPACITY * 4 {
                return Err(TestCaseError::fail("copies multiply"));
            }
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        (0..2).all(|at| {
            let (from, to) = (&self.sides[at], &self.sides[1 - at]);
            from.waiting.is_empty()
                && from.flying.is_empty()
                && from.endpoint.is_idle()
                && to.delivered == from.sent
        })
    }

    /// From here on the channel delivers everything in order; all must arrive.
    pub(crate) fn finish(&mut self) -> Check {
        for _ in 0..20_000 {
            self.check()?;
            if self.is_done() {
                return Ok(());
            }
            if self.sides.iter().all(|side| side.flying.is_empty()) {
                let Some(next) = self.next_timer() else {
                    return Err(TestCaseError::fail("deadlock: no packet, no timer"));
                };
                self.wait_until(next)?;
            }
            for from in 0..2 {
                self.deliver(from, 0)?;
            }
        }
        Err(TestCaseError::fail("no end in sight over a fair channel"))
    }
}
