//! Flow control: how much a peer may send, and how much we may (RFC 9000 section 4).

use core::time::Duration;

use crate::time::Instant;

/// The receiving side: a limit that moves ahead of what the application has consumed.
///
/// The window doubles when half of it is consumed within two round trips, since then it, and not the
/// application or the path, may be what limits the sender. It doubles as well when the peer has used
/// half of it while a lost packet keeps the application waiting: on a lossy path what comes behind a
/// gap is several round trips of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvWindow {
    /// The first byte that the peer may not send.
    limit: u64,
    consumed: u64,
    window: u64,
    window_max: u64,
    moved_at: Option<Instant>,
    /// Whether the peer has to be told the limit.
    pending: bool,
}

impl RecvWindow {
    /// A window of `window` bytes that grows to at most `window_max`. The peer knows of it.
    pub const fn new(window: u64, window_max: u64) -> Self {
        let window_max = if window_max < window { window } else { window_max };
        Self { limit: window, consumed: 0, window, window_max, moved_at: None, pending: false }
    }

    /// The first byte that the peer may not send.
    pub const fn limit(&self) -> u64 {
        self.limit
    }

    /// How far the limit is kept ahead of what was consumed.
    pub const fn window(&self) -> u64 {
        self.window
    }

    /// Bytes that the application took, or does not want.
    pub const fn consumed(&self) -> u64 {
        self.consumed
    }

    /// The application took `bytes`; `srtt` is the smoothed round trip.
    pub fn on_consumed(&mut self, now: Instant, bytes: u64, srtt: Duration) {
        self.consumed += bytes;
        if self.limit - self.consumed > self.window / 2 {
            return;
        }
        if self.moved_at.is_none_or(|at| now - at < srtt * 2) {
            self.window = self.window.saturating_mul(2).min(self.window_max);
        }
        self.moved_at = Some(now);
        self.limit = self.consumed + self.window;
        self.pending = true;
    }

    /// The application waits for a gap to be filled, and the peer has used the window up to `end`.
    pub fn on_gap(&mut self, end: u64) {
        if self.window < self.window_max && self.limit.saturating_sub(end) < self.window / 2 {
            self.window = self.window.saturating_mul(2).min(self.window_max);
            self.limit = self.limit.max(self.consumed + self.window);
            self.pending = true;
        }
    }

    /// The limit, when the peer has to be told. It counts as told.
    pub fn take_update(&mut self) -> Option<u64> {
        core::mem::take(&mut self.pending).then_some(self.limit)
    }

    /// Whether the peer has to be told the limit.
    pub const fn is_pending(&self) -> bool {
        self.pending
    }

    /// The peer is to be told (again): what told it was lost, or it says that it waits for us.
    pub fn repeat(&mut self) {
        self.pending = true;
    }
}

/// The sending side: a limit set by the peer, and whether it was told that it holds us up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendLimit {
    limit: u64,
    /// The limit at which we were held up and say so.
    blocked: Option<u64>,
    pending: bool,
}

impl SendLimit {
    /// The peer's first limit.
    pub const fn new(limit: u64) -> Self {
        Self { limit, blocked: None, pending: false }
    }

    /// The first byte that may not be sent.
    pub const fn get(&self) -> u64 {
        self.limit
    }

    /// The peer set a limit; limits never shrink (RFC 9000 section 4.1). Whether it grew.
    pub fn raise(&mut self, limit: u64) -> bool {
        let grew = limit > self.limit;
        if grew {
            (self.limit, self.blocked, self.pending) = (limit, None, false);
        }
        grew
    }

    /// The limit holds us up: the peer is told once. The frame is repeated when it is lost, and as
    /// long as it is on its way probes are sent, so that a lost update of the limit is found out:
    /// this is the zero-window probe.
    pub fn on_blocked(&mut self) {
        if self.blocked != Some(self.limit) {
            (self.blocked, self.pending) = (Some(self.limit), true);
        }
    }

    /// The frame that told the peer was lost.
    pub fn repeat(&mut self) {
        self.pending = self.blocked.is_some();
    }

    /// The limit that the peer has to be told about. It counts as told.
    pub fn take_blocked(&mut self) -> Option<u64> {
        core::mem::take(&mut self.pending).then_some(self.blocked).flatten()
    }

    /// Whether the peer has to be told.
    pub const fn is_pending(&self) -> bool {
        self.pending
    }

    /// Whether the limit holds us up.
    pub const fn is_blocked(&self) -> bool {
        self.blocked.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    const fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn the_limit_moves_at_half_a_window() {
        let mut window = RecvWindow::new(100, 100);
        window.on_consumed(at(0), 49, RTT);
        assert_eq!(window.take_update(), None);
        window.on_consumed(at(1), 1, RTT);
        assert_eq!((window.take_update(), window.take_update()), (Some(150), None));
        window.repeat();
        assert_eq!(window.take_update(), Some(150), "the latest, however old the lost one was");
    }

    #[test]
    fn a_window_that_is_used_up_in_two_round_trips_doubles() {
        let mut window = RecvWindow::new(100, 350);
        for (ms, bytes, expected) in
            [(0, 50, 200), (10, 100, 350), (200, 200, 350), (290, 200, 350)]
        {
            window.on_consumed(at(ms), bytes, RTT);
            assert_eq!(window.window(), expected, "at {ms} ms");
        }
        let mut slow = RecvWindow::new(100, 1000);
        slow.on_consumed(at(0), 50, RTT);
        slow.on_consumed(at(500), 100, RTT);
        assert_eq!(slow.window(), 200, "a slow application needs no more");
    }

    /// Behind a gap the window grows by what has arrived, and to its bound.
    #[test]
    fn a_gap_does_not_stop_the_peer() {
        let mut window = RecvWindow::new(100, 300);
        window.on_gap(50);
        assert_eq!(window.take_update(), None, "half of it is left");
        window.on_gap(51);
        assert_eq!((window.take_update(), window.window()), (Some(200), 200));
        window.on_gap(100);
        assert_eq!(window.take_update(), None);
        window.on_gap(200);
        assert_eq!(window.take_update(), Some(300));
        window.on_gap(300);
        assert_eq!(window.take_update(), None);
        window.on_consumed(at(0), 300, RTT);
        assert_eq!(window.take_update(), Some(600));
    }

    #[test]
    fn being_held_up_is_told_once_for_each_limit() {
        let mut limit = SendLimit::new(10);
        limit.on_blocked();
        limit.on_blocked();
        assert_eq!((limit.take_blocked(), limit.take_blocked()), (Some(10), None));
        limit.on_blocked();
        assert_eq!(limit.take_blocked(), None);
        limit.repeat();
        assert_eq!(limit.take_blocked(), Some(10));
        assert!(!limit.raise(10) && limit.raise(20) && !limit.is_blocked());
        limit.repeat();
        assert_eq!(limit.take_blocked(), None, "the news is old");
    }
}
