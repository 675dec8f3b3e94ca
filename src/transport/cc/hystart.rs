//! HyStart++: leaving slow start before the queue is full (RFC 9406).

use core::time::Duration;

use super::{AckSample, Phase};

/// Samples that a round needs (RFC 9406 section 4.3, N_RTT_SAMPLE).
const SAMPLES: u32 = 8;
const THRESH_MIN: Duration = Duration::from_millis(4);
const THRESH_MAX: Duration = Duration::from_millis(16);
/// Conservative slow start grows by a quarter of what slow start would (CSS_GROWTH_DIVISOR) ...
const GROWTH_DIVISOR: u64 = 4;
/// ... for so many rounds (CSS_ROUNDS).
const ROUNDS: u32 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    SlowStart,
    /// Conservative slow start: the delay rose; perhaps it falls again.
    Conservative {
        baseline: Duration,
        rounds: u32,
    },
    Over,
}

/// Watches the round trips of slow start, a round at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HyStart {
    stage: Stage,
    /// The round ends when a packet of this number or above is acknowledged.
    round_end: u64,
    round_min: Option<Duration>,
    last_round_min: Option<Duration>,
    samples: u32,
}

impl Default for HyStart {
    fn default() -> Self {
        Self {
            stage: Stage::SlowStart,
            round_end: 0,
            round_min: None,
            last_round_min: None,
            samples: 0,
        }
    }
}

impl HyStart {
    /// By how much the window grows for this ACK, in bytes.
    pub fn on_ack(&mut self, ack: &AckSample) -> u64 {
        let growth = match self.stage {
            Stage::Conservative { .. } => ack.growth_bytes / GROWTH_DIVISOR,
            Stage::SlowStart | Stage::Over => ack.growth_bytes,
        };
        if let Some(rtt) = ack.rtt {
            self.round_min = Some(self.round_min.map_or(rtt, |min| min.min(rtt)));
            self.samples += 1;
            self.judge();
        }
        if ack.largest >= self.round_end {
            self.next_round(ack.next);
        }
        growth
    }

    /// Compares this round's delay with the last one's.
    fn judge(&mut self) {
        let (Some(now), Some(last)) = (self.round_min, self.last_round_min) else { return };
        if self.samples < SAMPLES {
            return;
        }
        match self.stage {
            Stage::SlowStart => {
                let threshold = (last / 8).clamp(THRESH_MIN, THRESH_MAX);
                if now >= last + threshold {
                    self.stage = Stage::Conservative { baseline: now, rounds: 0 };
                }
            }
            // The rise was an accident.
            Stage::Conservative { baseline, .. } if now < baseline => self.stage = Stage::SlowStart,
            Stage::Conservative { .. } | Stage::Over => {}
        }
    }

    fn next_round(&mut self, next: u64) {
        if let Stage::Conservative { rounds, .. } = &mut self.stage {
            *rounds += 1;
            if *rounds >= ROUNDS {
                self.stage = Stage::Over;
            }
        }
        self.round_end = next;
        self.last_round_min = self.round_min.take().or(self.last_round_min);
        self.samples = 0;
    }

    /// Where congestion control is, given whether the window is below the threshold.
    pub const fn phase(&self, slow_start: bool) -> Phase {
        match (slow_start, self.stage) {
            (false, _) => Phase::CongestionAvoidance,
            (true, Stage::Conservative { .. }) => Phase::ConservativeSlowStart,
            (true, _) => Phase::SlowStart,
        }
    }

    /// Whether slow start should end here.
    pub const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }
}

#[cfg(test)]
mod tests {
    use crate::transport::cc::{Controller, NewReno, Phase, tests::rounds_from};

    const MSS: u64 = 1000;

    #[test]
    fn a_growing_queue_ends_slow_start() {
        let mut reno = NewReno::new(MSS);
        rounds_from(&mut reno, 0, 3, 50);
        assert_eq!((reno.window(), reno.ssthresh()), (80 * MSS, u64::MAX));
        assert_eq!(reno.phase(), Phase::SlowStart);
        rounds_from(&mut reno, 1_000, 1, 60);
        let conservative = reno.window();
        assert!((81 * MSS..160 * MSS).contains(&conservative), "{conservative}");
        assert_eq!(reno.phase(), Phase::ConservativeSlowStart);
        rounds_from(&mut reno, 2_000, 6, 70);
        assert!(reno.ssthresh() < 400 * MSS, "{}", reno.ssthresh());
        assert_eq!(reno.phase(), Phase::CongestionAvoidance);
    }

    #[test]
    fn a_passing_delay_does_not() {
        let mut reno = NewReno::new(MSS);
        rounds_from(&mut reno, 0, 3, 50);
        rounds_from(&mut reno, 1_000, 1, 60);
        rounds_from(&mut reno, 2_000, 2, 50);
        let before = reno.window();
        rounds_from(&mut reno, 3_000, 1, 50);
        assert_eq!(reno.ssthresh(), u64::MAX);
        assert_eq!(reno.window(), 2 * before, "slow start goes on");
    }
}
