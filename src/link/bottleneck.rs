//! The bottleneck: a transmitter of finite rate behind a queue of finite size.

use alloc::collections::VecDeque;

use crate::{
    quantity::{Bandwidth, ByteSize},
    time::Instant,
};

/// Sends one datagram after the other. What waits behind the one on the transmitter fills the queue,
/// and what finds no room there is dropped (drop-tail).
#[derive(Debug, Default)]
pub(super) struct Bottleneck {
    busy_until: Instant,
    /// Datagrams that have not started yet: when they will, and their length.
    waiting: VecDeque<(Instant, u64)>,
    waiting_bytes: u64,
}

impl Bottleneck {
    /// The most datagrams that wait, whatever their length: empty ones fill no bytes.
    const WAITING_MAX: usize = 1 << 20;

    /// When the transmitter has sent everything that it has accepted.
    pub(super) fn busy_until(&self) -> Instant {
        self.busy_until
    }

    /// How many bytes wait behind the datagram that is being sent.
    pub(super) fn waiting(&mut self, now: Instant) -> ByteSize {
        while self.waiting.front().is_some_and(|(start, _)| *start <= now) {
            let started = self.waiting.pop_front();
            self.waiting_bytes -= started.map_or(0, |(_, bytes)| bytes);
        }
        ByteSize(self.waiting_bytes)
    }

    /// When the last bit of this datagram has left the transmitter; `None` when it is dropped.
    pub(super) fn accept(
        &mut self,
        now: Instant,
        bytes: usize,
        rate: Option<Bandwidth>,
        queue: ByteSize,
    ) -> Option<Instant> {
        let Some(rate) = rate else {
            // What an earlier, finite rate accepted still goes first.
            return Some(now.max(self.busy_until));
        };
        let ByteSize(waiting) = self.waiting(now);
        let start = now.max(self.busy_until);
        if start > now {
            let length = u64::try_from(bytes).unwrap_or(u64::MAX);
            let filled = waiting.saturating_add(length);
            if filled > queue.0 || self.waiting.len() >= Self::WAITING_MAX {
                return None;
            }
            self.waiting_bytes = filled;
            self.waiting.push_back((start, length));
        }
        self.busy_until = start + rate.time_for(bytes);
        Some(self.busy_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_nanos(micros * 1_000)
    }

    /// 1000 bytes take 1 ms.
    const RATE: Option<Bandwidth> = Some(Bandwidth::new(8_000_000));

    #[test]
    fn timing_is_exact() {
        let mut bottleneck = Bottleneck::default();
        let queue = ByteSize(10_000);
        for (now, bytes, done) in [
            (0, 1_000, 1_000),
            (0, 500, 1_500),
            (1_400, 100, 1_600),
            (5_000, 2_000, 7_000),
            (7_000, 0, 7_000),
        ] {
            assert_eq!(bottleneck.accept(at(now), bytes, RATE, queue), Some(at(done)));
            assert_eq!(bottleneck.busy_until(), at(done));
        }
    }

    #[test]
    fn the_queue_is_full_to_the_byte() {
        let mut bottleneck = Bottleneck::default();
        let mut offer =
            |now, bytes| bottleneck.accept(at(now), bytes, RATE, ByteSize(2_000)).is_some();
        assert!(offer(0, 5_000), "an idle transmitter needs no queue");
        assert!(offer(0, 1_000) && offer(0, 999) && !offer(0, 2) && offer(0, 1) && !offer(0, 1));
        assert!(offer(0, 0), "nothing fits into a full queue");
        assert!(!offer(4_999, 1), "the first has not yet left");
        assert!(offer(5_000, 1_000), "now a thousand bytes are on the transmitter");
        assert!(!offer(5_000, 1));
    }

    #[test]
    fn without_a_queue_only_an_idle_transmitter_takes_anything() {
        let mut bottleneck = Bottleneck::default();
        let mut offer = |now| bottleneck.accept(at(now), 1_000, RATE, ByteSize(0));
        assert_eq!([offer(0), offer(999), offer(1_000)], [Some(at(1_000)), None, Some(at(2_000))]);
    }

    #[test]
    fn a_rate_that_is_lifted_does_not_reorder() {
        let mut bottleneck = Bottleneck::default();
        assert_eq!(bottleneck.accept(at(0), 3_000, RATE, ByteSize(0)), Some(at(3_000)));
        assert_eq!(bottleneck.accept(at(1), 3_000, None, ByteSize(0)), Some(at(3_000)));
        assert_eq!(bottleneck.accept(at(4_000), 3_000, None, ByteSize(0)), Some(at(4_000)));
    }
}
