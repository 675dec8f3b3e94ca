//! Beginning where an earlier connection over the same path ended (Careful Resume,
//! draft-ietf-tsvwg-careful-resume).
//!
//! A path that was seen before is not taken at its word: what it bore is remembered, the first round
//! trip has to look like the remembered one, and then the window jumps to *half* of what was borne.
//! The jump is paced over a round trip. If a packet of it is lost, the window falls back to what has
//! arrived by then; if it cannot be filled, what is unused is given back.

use core::time::Duration;

use super::rtt::Rtt;

/// The round trip must not be shorter than this part of the remembered one, since then it is another
/// path ...
const RTT_SHORTER: u32 = 2;
/// ... nor so many times longer.
const RTT_LONGER: u32 = 10;
/// The window jumps to this part of what was remembered.
const JUMP_PART: u64 = 2;

/// What a path was seen to bear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownPath {
    /// Its least round trip.
    pub rtt: Duration,
    /// Bytes that it carried in a round trip.
    pub window_bytes: u64,
}

impl KnownPath {
    /// What a connection says in the end: no more than the window that congestion control came to,
    /// and no more than was seen to arrive.
    pub(super) fn of(rtt: &Rtt, bytes_per_second: u64, window_bytes: u64) -> Self {
        let carried = u128::from(bytes_per_second) * rtt.min().as_nanos() / 1_000_000_000;
        let carried = u64::try_from(carried).unwrap_or(u64::MAX);
        Self { rtt: rtt.min(), window_bytes: carried.min(window_bytes) }
    }
}

/// What to do with the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Let it jump to so many bytes.
    Jump(u64),
    /// Give back what is beyond so many bytes.
    Settle(u64),
}

/// The phases of the draft, section 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first packets are on their way; is it the same path?
    Reconnaissance,
    /// Packets of the jump leave; none of them has arrived. The first is `from`.
    Unvalidated { from: u64 },
    /// Some of them have arrived; the last is the one before `to`.
    Validating { to: u64 },
    /// Nothing is remembered any more.
    Over,
}

/// Decides when the window jumps, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarefulResume {
    path: KnownPath,
    phase: Phase,
    /// Bytes that are known to fit into the path: PipeSize.
    pipe_bytes: u64,
}

impl CarefulResume {
    /// Nothing was heard on this path yet.
    pub const fn new(path: KnownPath) -> Self {
        Self { path, phase: Phase::Reconnaissance, pipe_bytes: 0 }
    }

    /// An ACK brought `bytes`; its highest packet is `largest`, the next to leave is `next`. What is
    /// on its way afterwards and the window are those of before this method.
    pub fn on_ack(
        &mut self,
        bytes: u64,
        largest: u64,
        next: u64,
        rtt: &Rtt,
        in_flight_bytes: u64,
        window: u64,
    ) -> Option<Step> {
        match self.phase {
            Phase::Reconnaissance => {
                if !rtt.is_measured() {
                    return None;
                }
                let jump = self.path.window_bytes / JUMP_PART;
                if !self.is_same_path(rtt.min()) || jump <= window {
                    self.phase = Phase::Over;
                    return None;
                }
                self.pipe_bytes = in_flight_bytes;
                self.phase = Phase::Unvalidated { from: next };
                Some(Step::Jump(jump))
            }
            Phase::Unvalidated { from } if largest >= from => {
                self.pipe_bytes = self.pipe_bytes.max(in_flight_bytes + bytes);
                self.phase = Phase::Validating { to: next };
                // A window that was not used was not tried either.
                Some(Step::Settle(self.pipe_bytes))
            }
            Phase::Validating { to } if largest + 1 >= to => {
                self.phase = Phase::Over;
                None
            }
            Phase::Unvalidated { .. } | Phase::Validating { .. } => {
                self.pipe_bytes += bytes;
                None
            }
            Phase::Over => None,
        }
    }

    fn is_same_path(&self, rtt: Duration) -> bool {
        let remembered = self.path.rtt;
        rtt >= remembered / RTT_SHORTER && rtt <= remembered.saturating_mul(RTT_LONGER)
    }

    /// A packet was lost. What the path has borne, if the jump may be to blame.
    pub fn on_loss(&mut self) -> Option<u64> {
        let phase = core::mem::replace(&mut self.phase, Phase::Over);
        let jumped = matches!(phase, Phase::Unvalidated { .. } | Phase::Validating { .. });
        jumped.then_some(self.pipe_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u64 = 1000;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn measured(sample: Duration) -> Rtt {
        let mut rtt = Rtt::remembered(ms(50));
        rtt.sample(sample, Duration::ZERO);
        rtt
    }

    fn resume() -> CarefulResume {
        CarefulResume::new(KnownPath { rtt: ms(50), window_bytes: 400 * MSS })
    }

    /// Ten packets leave, 0 to 9; the ACK of the first two comes after `rtt`.
    fn first_ack(resume: &mut CarefulResume, rtt: u64) -> Option<Step> {
        resume.on_ack(2 * MSS, 1, 10, &measured(ms(rtt)), 8 * MSS, 10 * MSS)
    }

    #[test]
    fn half_of_what_was_borne_on_the_same_path_only() {
        for (rtt, jump) in [(24, None), (25, Some(200)), (500, Some(200)), (501, None)] {
            let step = first_ack(&mut resume(), rtt);
            assert_eq!(step, jump.map(|packets| Step::Jump(packets * MSS)), "{rtt} ms");
        }
        let mut small = CarefulResume::new(KnownPath { rtt: ms(50), window_bytes: 20 * MSS });
        assert_eq!(first_ack(&mut small, 50), None, "no more than there is");
    }

    #[test]
    fn what_the_jump_left_unused_is_given_back() {
        let mut resume = resume();
        first_ack(&mut resume, 50);
        let rtt = measured(ms(50));
        assert_eq!(resume.on_ack(8 * MSS, 9, 60, &rtt, 50 * MSS, 200 * MSS), None);
        let first_of_jump = resume.on_ack(2 * MSS, 11, 60, &rtt, 48 * MSS, 200 * MSS);
        assert_eq!(first_of_jump, Some(Step::Settle(50 * MSS)));
        assert_eq!(resume.on_ack(48 * MSS, 59, 80, &rtt, 20 * MSS, 50 * MSS), None);
        assert_eq!(resume.on_loss(), None, "all of the jump has arrived");
    }

    #[test]
    fn a_loss_in_the_jump_leaves_what_has_arrived() {
        let mut resume = resume();
        first_ack(&mut resume, 50);
        let rtt = measured(ms(50));
        resume.on_ack(8 * MSS, 9, 210, &rtt, 200 * MSS, 200 * MSS);
        assert_eq!(resume.on_loss(), Some(16 * MSS), "8 on their way at the jump, 8 since");
        assert_eq!(resume.on_loss(), None, "once");
        assert_eq!(CarefulResume::new(resume.path).on_loss(), None, "before the jump");
    }
}
