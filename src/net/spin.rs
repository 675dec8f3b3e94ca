//! Whether to look for a while before going to sleep.

use core::time::Duration;

/// Looking again and again is worth its time as long as what is waited for comes soon: going to
/// sleep and being woken takes longer, and the peer pays for the waking. Learns from the last waits:
/// whoever looked in vain looks less and less often, since on a busy machine the peer may be waiting
/// for the very core that looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spin {
    longest: Duration,
    /// Whether it looks for so long, since that would have been enough the last time.
    long: bool,
    /// How long it has just looked in vain.
    looked: Duration,
    /// Times in a row that it looked in vain.
    vain: u32,
    /// Short waits to be slept through before it looks again.
    pause: u32,
    /// Whether the last wait was short.
    short: bool,
}

impl Default for Spin {
    fn default() -> Self {
        Self::new(Self::LONGEST)
    }
}

impl Spin {
    /// What waking up costs, about: how long it looks as a rule.
    const USUAL: Duration = Duration::from_micros(20);
    /// Two who wait for each other both wait for each other's waking up as well, as long as both sleep:
    /// one has to look for longer once, and then neither does.
    const LONGEST: Duration = Duration::from_micros(50);
    /// After so many times in vain, it looks no less often.
    const VAIN_MAX: u32 = 8;

    pub(super) const fn new(longest: Duration) -> Self {
        let looked = Duration::ZERO;
        Self { longest, long: false, looked, vain: 0, pause: 0, short: true }
    }

    /// How long to look now.
    pub(super) fn length(&self) -> Duration {
        match (self.short && self.pause == 0, self.long) {
            (true, true) => self.longest,
            (true, false) => self.longest.min(Self::USUAL),
            (false, _) => Duration::ZERO,
        }
    }

    /// It slept for so long. Had it come soon, looking would have been better.
    pub(super) fn on_slept(&mut self, slept: Duration) {
        self.short = slept <= self.longest.min(Self::USUAL) * 2;
        self.pause = self.pause.saturating_sub(u32::from(self.short));
        let looked = core::mem::take(&mut self.looked);
        self.long |= !looked.is_zero() && looked + slept <= self.longest + Self::USUAL;
    }

    /// It came while it looked.
    pub(super) const fn on_met(&mut self) {
        self.vain = 0;
    }

    /// Nothing came while it looked.
    pub(super) fn on_waited_in_vain(&mut self) {
        self.looked = self.length();
        if self.looked.is_zero() {
            return;
        }
        self.long = false;
        self.pause = 1 << self.vain;
        if self.vain < Self::VAIN_MAX {
            self.vain += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_micros(30);
    const LONG: Duration = Duration::from_millis(1);

    #[test]
    fn it_looks_as_long_as_things_come_soon() {
        let mut spin = Spin::default();
        assert_eq!(spin.length(), Duration::from_micros(20));
        spin.on_met();
        assert_eq!(spin.length(), Duration::from_micros(20));
        spin.on_slept(LONG);
        assert_eq!(spin.length(), Duration::ZERO);
        spin.on_slept(SHORT);
        assert_eq!(spin.length(), Duration::from_micros(20));
        assert_eq!(Spin::new(Duration::ZERO).length(), Duration::ZERO, "switched off");
    }

    #[test]
    fn it_looks_for_longer_where_that_is_enough() {
        let mut spin = Spin::default();
        spin.on_waited_in_vain();
        spin.on_slept(SHORT);
        assert_eq!(spin.length(), Duration::from_micros(50), "it would have come within that");
        spin.on_met();
        spin.on_met();
        assert_eq!(spin.length(), Duration::from_micros(50));
        spin.on_waited_in_vain();
        spin.on_slept(SHORT);
        assert_eq!(spin.length(), Duration::from_micros(20), "it was not enough");
        spin.on_waited_in_vain();
        spin.on_slept(LONG);
        spin.on_slept(SHORT);
        spin.on_slept(SHORT);
        assert_eq!(spin.length(), Duration::from_micros(20), "nor would it have been");
    }

    #[test]
    fn who_looks_in_vain_looks_less_often() {
        let mut spin = Spin::default();
        let mut looks = 0;
        for _ in 0..1000 {
            if !spin.length().is_zero() {
                looks += 1;
                spin.on_waited_in_vain();
            }
            spin.on_slept(SHORT);
        }
        assert!((5..20).contains(&looks), "{looks}");
        while spin.length().is_zero() {
            spin.on_slept(SHORT);
        }
        spin.on_met();
        spin.on_waited_in_vain();
        spin.on_slept(SHORT);
        assert!(!spin.length().is_zero(), "one success, and it looks again soon");
    }
}
