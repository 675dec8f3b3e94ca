//! CUBIC (RFC 9438), in integers.

use core::time::Duration;

use super::{
    AckSample, Controller, HyStart, MIN_WINDOW_PACKETS, Phase, history::History, initial_window,
};
use crate::time::Instant;

/// What is left of the window after a loss, in tenths (section 4.6).
const BETA_TENTHS: u64 = 7;
/// C = 0.4 (section 5), in tenths.
const C_TENTHS: u64 = 4;
/// The growth of a Reno flow that loses 30 % instead of half: 3 (1 - 0.7) / (1 + 0.7) = 9/17 packets
/// a round trip (section 4.3).
const ALPHA: (u64, u64) = (9, 17);

/// The window as a cubic function of time since the last loss: steep, flat around the window where
/// the loss happened, steep again.
#[derive(Clone, Debug)]
pub struct Cubic {
    mss: u64,
    window: u64,
    ssthresh: u64,
    /// The window before the last loss: W_max.
    window_max: u64,
    /// The window when the last loss was noticed: cwnd_prior, which fast convergence leaves alone.
    window_prior: u64,
    epoch: Option<Epoch>,
    /// Bytes of growth that did not make a whole byte, in units of 1 / window.
    carry: u64,
    hystart: HyStart,
    /// When the last ACK came.
    heard_at: Instant,
    before: History<Before>,
}

/// A stretch of congestion avoidance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Epoch {
    start: Instant,
    /// The window at its start.
    window: u64,
    /// Time until the curve is back at W_max: K.
    k: Duration,
    /// What a Reno flow would have by now: W_est.
    reno: u64,
    /// Bytes acknowledged that did not make W_est grow yet.
    reno_carry: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Before {
    window: u64,
    ssthresh: u64,
    window_max: u64,
    window_prior: u64,
    epoch: Option<Epoch>,
}

impl Cubic {
    /// The initial window for packets of `mss` bytes.
    pub fn new(mss: u64) -> Self {
        Self {
            mss,
            window: initial_window(mss),
            ssthresh: u64::MAX,
            window_max: 0,
            window_prior: 0,
            epoch: None,
            carry: 0,
            hystart: HyStart::default(),
            heard_at: Instant::ZERO,
            before: History::new(),
        }
    }

    /// Goes on from a window that the path is known to bear, as after a slow start that ended there.
    pub(super) fn at(mss: u64, window: u64) -> Self {
        let known = Self { window, ssthresh: window, ..Self::new(mss) };
        Self { window_max: window, window_prior: window, ..known }
    }

    fn floor(&self) -> u64 {
        MIN_WINDOW_PACKETS * self.mss
    }

    fn begin(&self, now: Instant) -> Epoch {
        // K = cubic root of ((W_max - cwnd) / C), in seconds for windows in packets (section 4.2);
        // here in milliseconds, which are 10^9 to the cube.
        let below = u128::from(self.window_max.saturating_sub(self.window));
        let cube = below * 10_000_000_000 / u128::from(C_TENTHS) / u128::from(self.mss);
        let k = Duration::from_millis(cube_root(u64::try_from(cube).unwrap_or(u64::MAX)));
        Epoch { start: now, window: self.window, k, reno: self.window, reno_carry: 0 }
    }

    /// W_cubic(t) = C (t - K)^3 + W_max (section 4.2), in bytes.
    fn curve(&self, epoch: &Epoch, t: Duration) -> u64 {
        let millis = |duration: Duration| {
            i128::from(u32::try_from(duration.as_millis()).unwrap_or(u32::MAX))
        };
        let from_k = millis(t) - millis(epoch.k);
        let packets_e10 = i128::from(C_TENTHS) * from_k * from_k * from_k;
        let origin = i128::from(self.window_max.max(epoch.window));
        let bytes = origin + packets_e10 * i128::from(self.mss) / 10_000_000_000;
        u64::try_from(bytes.max(0)).unwrap_or(u64::MAX)
    }

    fn avoid(&mut self, ack: &AckSample) {
        let mut epoch = self.epoch.unwrap_or_else(|| self.begin(ack.now));
        // The Reno-friendly window grows by alpha packets for each window acknowledged (4.3), and
        // by whole packets once it has passed cwnd_prior.
        let alpha = if epoch.reno >= self.window_prior { (1, 1) } else { ALPHA };
        epoch.reno_carry += ack.growth_bytes * self.mss * alpha.0 / alpha.1;
        epoch.reno += epoch.reno_carry / self.window;
        epoch.reno_carry %= self.window;
        self.epoch = Some(epoch);

        let elapsed = ack.now - epoch.start;
        if self.curve(&epoch, elapsed) < epoch.reno {
            self.window = self.window.max(epoch.reno);
            return;
        }
        // Where the curve will be a round trip from now, within 1 and 1.5 windows (4.4 and 4.5).
        let target = self.curve(&epoch, elapsed + ack.srtt);
        let target = target.clamp(self.window, self.window + self.window / 2);
        let product = u128::from(target - self.window) * u128::from(ack.growth_bytes)
            + u128::from(self.carry);
        self.carry = u64::try_from(product % u128::from(self.window)).unwrap_or(0);
        self.window += u64::try_from(product / u128::from(self.window)).unwrap_or(0);
    }
}

impl Controller for Cubic {
    fn name(&self) -> &'static str {
        "cubic"
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn ssthresh(&self) -> u64 {
        self.ssthresh
    }

    fn phase(&self) -> Phase {
        self.hystart.phase(self.window < self.ssthresh)
    }

    fn on_ack(&mut self, ack: &AckSample) {
        let waited = ack.now - core::mem::replace(&mut self.heard_at, ack.now);
        if ack.flight.app_limited {
            // Time in which nothing was tried does not count (section 5.8): the curve waits.
            if let Some(epoch) = &mut self.epoch {
                epoch.start += waited;
            }
            return;
        }
        if self.window < self.ssthresh {
            self.window += self.hystart.on_ack(ack);
            if self.hystart.is_over() {
                self.ssthresh = self.window;
                (self.window_max, self.window_prior) = (self.window, self.window);
            }
        } else if ack.growth_bytes > 0 {
            self.avoid(ack);
        }
    }

    fn on_congestion(&mut self, _: Instant, _: u64) {
        let Self { window, ssthresh, window_max, window_prior, epoch, .. } = *self;
        self.before.push(Before { window, ssthresh, window_max, window_prior, epoch });
        self.window_prior = window;
        // Fast convergence: a flow that did not get back to where it was gives way (4.7).
        self.window_max =
            if window < window_max { window * (10 + BETA_TENTHS) / 20 } else { window };
        self.ssthresh = (window * BETA_TENTHS / 10).max(self.floor());
        self.window = self.ssthresh;
        (self.epoch, self.carry) = (None, 0);
    }

    fn on_persistent_congestion(&mut self, _: Instant) {
        (self.window_max, self.window_prior) = (self.window, self.window);
        self.ssthresh = (self.window * BETA_TENTHS / 10).max(self.floor());
        self.window = self.floor();
        (self.epoch, self.carry, self.before) = (None, 0, History::new());
        self.hystart = HyStart::default();
    }

    fn set_mss(&mut self, mss: u64) {
        self.mss = mss;
        self.window = self.window.max(self.floor());
    }

    fn begin_with(&mut self, bytes: u64) {
        self.window = bytes.max(self.floor());
    }

    fn resume(&mut self, bytes: u64, _: Duration) {
        self.window = self.window.max(bytes);
    }

    fn settle(&mut self, bytes: u64) {
        self.window = self.window.min(bytes.max(initial_window(self.mss)));
    }

    fn retreat(&mut self, _: Instant, bytes: u64) {
        // The window before the jump was far below: there is nothing to return to.
        (self.window_max, self.window_prior) = (bytes, bytes);
        self.ssthresh = (bytes * BETA_TENTHS / 10).max(self.floor());
        self.window = self.ssthresh;
        (self.epoch, self.carry, self.before) = (None, 0, History::new());
    }

    fn on_undo(&mut self, _: Instant) {
        let Some(before) = self.before.pop() else { return };
        if self.window < before.window {
            self.window = before.window;
        }
        (self.ssthresh, self.window_max) = (before.ssthresh, before.window_max);
        self.window_prior = before.window_prior;
        (self.epoch, self.carry) = (before.epoch, 0);
    }
}

/// The largest number whose cube is at most `n`: digit by digit, three bits of `n` at a time.
fn cube_root(n: u64) -> u64 {
    let mut root = 0_u64;
    for bit in (0..22).rev() {
        let next = root | 1 << bit;
        if u128::from(next).pow(3) <= u128::from(n) {
            root = next;
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::cc::tests::{ack, resting, rounds_from};

    const MSS: u64 = 1000;

    #[test]
    fn cube_roots() {
        for n in [0, 1, 7, 8, 26, 27, 1_000_000, 999_999, u64::MAX] {
            let root = cube_root(n);
            assert!(u128::from(root).pow(3) <= u128::from(n), "{n}");
            assert!(u128::from(root + 1).pow(3) > u128::from(n), "{n}");
        }
    }

    /// A window of 1000 packets over 100 ms: K = cbrt(300 / 0.4) = 9.086 s.
    fn after_a_loss() -> Cubic {
        let mut cubic = Cubic::new(MSS);
        cubic.window = 1000 * MSS;
        cubic.on_congestion(Instant::ZERO, 0);
        cubic
    }

    #[test]
    fn the_curve_is_back_at_k_and_flat_there() {
        let mut cubic = after_a_loss();
        assert_eq!(cubic.window(), 700 * MSS);
        let mut windows = alloc::vec::Vec::new();
        for round in 0..150 {
            rounds_from(&mut cubic, 100 * round, 1, 100);
            windows.push(cubic.window() / MSS);
        }
        let at_k = windows[90];
        assert!((995..=1003).contains(&at_k), "{at_k}");
        let (steep, flat) = (windows[20] - windows[10], windows[95] - windows[85]);
        assert!(steep > 10 * flat.max(1), "{steep} and {flat}");
        // 5 s beyond K the curve is 0.4 x 125 = 50 packets higher.
        let beyond = windows[140];
        assert!((1040..=1060).contains(&beyond), "{beyond}");
    }

    #[test]
    fn where_reno_would_be_faster_it_is_reno() {
        let mut cubic = Cubic::new(MSS);
        cubic.window = 20 * MSS;
        cubic.on_congestion(Instant::ZERO, 0);
        rounds_from(&mut cubic, 0, 100, 1);
        // 14 packets, then 9/17 a round up to 20, then one a round: in 0.1 s the curve hardly moves.
        let window = cubic.window() / MSS;
        assert!((95..=110).contains(&window), "{window}");
    }

    #[test]
    fn a_second_loss_below_the_first_gives_way() {
        let mut cubic = after_a_loss();
        cubic.on_congestion(Instant::ZERO, 0);
        assert_eq!((cubic.window(), cubic.window_max), (490 * MSS, 595 * MSS));
    }

    #[test]
    fn an_undone_loss_leaves_no_trace() {
        let mut cubic = Cubic::new(MSS);
        rounds_from(&mut cubic, 0, 3, 50);
        let before = (cubic.window(), cubic.ssthresh(), cubic.window_max);
        cubic.on_congestion(Instant::ZERO, 0);
        cubic.on_undo(Instant::ZERO);
        assert_eq!((cubic.window(), cubic.ssthresh(), cubic.window_max), before);
    }

    #[test]
    fn time_without_anything_to_send_does_not_count() {
        let (mut busy, mut idle) = (after_a_loss(), after_a_loss());
        rounds_from(&mut busy, 0, 10, 100);
        rounds_from(&mut idle, 0, 10, 100);
        for second in 2..60 {
            idle.on_ack(&resting(ack(1_000 * second, MSS, 100)));
        }
        rounds_from(&mut busy, 1_000, 10, 100);
        rounds_from(&mut idle, 59_000, 10, 100);
        assert!(
            idle.window().abs_diff(busy.window()) <= MSS,
            "{} {}",
            idle.window(),
            busy.window()
        );
    }

    #[test]
    fn extremes_do_not_overflow() {
        let mut cubic = Cubic::new(MSS);
        cubic.window = 1 << 40;
        cubic.on_congestion(Instant::ZERO, 0);
        let late = AckSample { now: Instant::MAX, ..ack(0, 1 << 30, 50) };
        cubic.on_ack(&late);
        cubic.on_ack(&late);
        assert!(cubic.window() <= 1 << 41);
        cubic.on_persistent_congestion(Instant::MAX);
        assert_eq!(cubic.window(), 2 * MSS);
    }
}
