//! When a retransmission has to leave, to the nanosecond: RFC 6298 worked out once more, from
//! nothing but what the network did, and held against what an endpoint sends.

use core::time::Duration;

use rdtp::{batch::Batch, classic::Role, endpoint::RecvMeta, time::Instant};

use crate::{
    checks::{End, Ends, Found, Outcome},
    subject::ADDRESSES,
    timed::LIMITS,
};

/// What happens to one message of a stop-and-wait sender.
#[derive(Clone, Copy)]
struct Round {
    /// So many copies are lost; the one after them is acknowledged.
    lost: usize,
    /// From when that copy left until its ACK comes, in milliseconds. Later copies say nothing.
    rtt_ms: u64,
    /// How late the driver acts on each deadline, in milliseconds.
    late_ms: u64,
}

const fn calm(rtt_ms: u64) -> Round {
    Round { lost: 0, rtt_ms, late_ms: 0 }
}

const fn loss(lost: usize) -> Round {
    Round { lost, rtt_ms: 40, late_ms: 0 }
}

const MILLI: u64 = 1_000_000;

/// Each in a new conversation. Only losses and late ACKs show what the sender thinks.
const STORIES: [&[Round]; 9] = [
    // Nothing measured yet: 100 ms, doubled up to 900 ms.
    &[loss(6)],
    // One measurement: RTTVAR is half of it.
    &[calm(40), loss(2)],
    // A jump: RTTVAR is taken from the old SRTT.
    &[calm(40), calm(72), calm(16), loss(1)],
    // A short way: the least timeout.
    &[calm(1), calm(1), calm(1), calm(1), calm(1), calm(1), loss(1)],
    // Karn's rule: what was sent twice measures nothing, and the timeout stays doubled.
    &[calm(40), loss(1), loss(1)],
    // A good measurement ends the back-off.
    &[calm(40), loss(2), calm(40), loss(1)],
    // The ACK of the first copy is late: the sender cannot know that it is of the first.
    &[calm(150), calm(150), loss(1)],
    // A driver that comes late: the timer counts from when the copy left.
    &[calm(40), Round { late_ms: 15, ..loss(3) }],
    // A long conversation.
    &[calm(30), calm(50), loss(1), calm(40), calm(41), loss(3), calm(200), calm(90), loss(1)],
];

/// RFC 6298, sections 2 and 5, and Karn's rule.
struct Reference {
    srtt_rttvar: Option<(u64, u64)>,
    rto: u64,
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap()
}

impl Reference {
    fn sample(&mut self, r: u64) {
        let (srtt, rttvar) = match self.srtt_rttvar {
            None => (r, r / 2),
            Some((srtt, rttvar)) => ((7 * srtt + r) / 8, (3 * rttvar + srtt.abs_diff(r)) / 4),
        };
        self.srtt_rttvar = Some((srtt, rttvar));
        self.rto = (srtt + 4 * rttvar).clamp(nanos(LIMITS.rto_min), nanos(LIMITS.rto_max));
    }

    /// When the copies of a message leave that first leaves at `start`, and when it is acknowledged.
    fn round(&mut self, start: u64, round: Round) -> (Vec<u64>, u64) {
        let (mut copies, rtt) = (vec![start], round.rtt_ms * MILLI);
        loop {
            let acked = copies.get(round.lost).map(|left| left + rtt);
            let timeout = copies[copies.len() - 1] + self.rto;
            if let Some(acked) = acked.filter(|acked| *acked <= timeout) {
                if copies.len() == 1 {
                    self.sample(rtt);
                }
                return (copies, acked);
            }
            copies.push(timeout + round.late_ms * MILLI);
            self.rto = (2 * self.rto).min(nanos(LIMITS.rto_max));
        }
    }
}

/// Tells every story; counts packets.
pub(crate) fn check(ends: &Ends) -> Outcome {
    let mut packets = 0;
    for story in STORIES {
        let [near, far] = ADDRESSES;
        let (mut sender, mut receiver) = (ends(Role::Sender, far), ends(Role::Receiver, near));
        let mut reference = Reference { srtt_rttvar: None, rto: nanos(LIMITS.rto_initial) };
        let mut start = 0;
        for (n, &round) in (0..).zip(story) {
            let (copies, acked) = reference.round(start, round);
            let now = Instant::from_nanos(start);
            sender.send(now, &[n]).map_err(|error| fault(packets, error.to_string()))?;
            let mut survivor = None;
            for (copy, &expected) in copies.iter().enumerate() {
                packets += 1;
                let late = if copy == 0 { 0 } else { round.late_ms * MILLI };
                let datagram =
                    depart(&mut sender, expected, late).map_err(|what| fault(packets, what))?;
                survivor = if copy == round.lost { Some(datagram) } else { survivor };
            }
            let now = Instant::from_nanos(acked);
            if let Some(early) = sender.poll_timeout().filter(|due| *due < now) {
                return Err(fault(packets, format!("due at {early}, and not before {now}")));
            }
            let _ = receiver.handle_datagram(now, RecvMeta::from(near), &survivor.unwrap());
            let ack = transmit(&mut receiver, now).ok_or(fault(packets, "no ACK".into()))?;
            let _ = sender.handle_datagram(now, RecvMeta::from(far), &ack);
            for end in [&mut sender, &mut receiver] {
                while end.poll_event().is_some() {}
            }
            start = acked;
        }
    }
    Ok(packets)
}

fn fault(after: u64, what: String) -> Found {
    Found { after, what }
}

/// Lets the sender's deadline pass, so that it sends at `leaves`, and returns what it sends.
fn depart(sender: &mut End, leaves: u64, late: u64) -> Result<Vec<u8>, String> {
    let (leaves, deadline) = (Instant::from_nanos(leaves), Instant::from_nanos(leaves - late));
    match sender.poll_timeout() {
        Some(due) if due == deadline => {}
        due => return Err(format!("due at {due:?}, and not at {deadline}")),
    }
    sender.handle_timeout(leaves);
    transmit(sender, leaves).ok_or(format!("nothing is sent at {leaves}"))
}

fn transmit(end: &mut End, now: Instant) -> Option<Vec<u8>> {
    let mut space = [0; 256];
    let mut batch = Batch::new(&mut space);
    end.poll_transmit(now, &mut batch)?;
    Some(batch.as_bytes().to_vec())
}
