//! Whether to look for a while before going to sleep.

use core::time::Duration;

/// Looking again and again is worth its time as long as what is waited for comes soon: going to
/// sleep and being woken takes longer, and the peer pays for the waking. Learns from the last wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spin {
    longest: Duration,
    worth: bool,
}

impl Default for Spin {
    fn default() -> Self {
        Self::new(Self::LONGEST)
    }
}

impl Spin {
    /// What waking up costs, about.
    const LONGEST: Duration = Duration::from_micros(20);

    pub(super) const fn new(longest: Duration) -> Self {
        Self { longest, worth: true }
    }

    /// How long to look now.
    pub(super) const fn length(&self) -> Duration {
        if self.worth { self.longest } else { Duration::ZERO }
    }

    /// It slept for so long. Had it come soon, looking would have been better.
    pub(super) fn on_slept(&mut self, slept: Duration) {
        self.worth = slept <= self.longest * 2;
    }

    /// Nothing came while it looked.
    pub(super) const fn on_waited_in_vain(&mut self) {
        self.worth = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_as_long_as_things_come_soon() {
        let mut spin = Spin::default();
        assert_eq!(spin.length(), Duration::from_micros(20));
        spin.on_waited_in_vain();
        assert_eq!(spin.length(), Duration::ZERO);
        spin.on_slept(Duration::from_millis(1));
        assert_eq!(spin.length(), Duration::ZERO);
        spin.on_slept(Duration::from_micros(30));
        assert_eq!(spin.length(), Duration::from_micros(20));
        assert_eq!(Spin::new(Duration::ZERO).length(), Duration::ZERO, "switched off");
    }
}
