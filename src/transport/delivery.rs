//! How fast the path delivers (draft-ietf-ccwg-bbr section 4.1, draft-cheng-iccrg-delivery-rate-estimation).
//!
//! Each packet remembers how much had been delivered when it left. When it is acknowledged, what was
//! delivered in between over the time in between is a rate that the path has borne. Of the time that
//! sending took and the time that acknowledging took the longer counts, so that neither a burst
//! of packets nor a burst of ACKs makes the path look faster than it is.

use core::time::Duration;

use crate::time::{Instant, nanos};

/// What a packet remembers of the moment when it left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Bytes delivered until then.
    delivered: u64,
    /// When the last of them was acknowledged.
    delivered_at: Instant,
    /// When the packet left with which the sample begins.
    first_sent_at: Instant,
    /// Bytes taken for lost until then.
    lost: u64,
    /// Bytes on their way, it included.
    in_flight: u64,
}

/// What happened between the sending of a packet and the news of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flight {
    /// When it left.
    pub sent_at: Instant,
    /// Bytes that had been delivered when it left, since the connection began: P.delivered.
    pub delivered_bytes: u64,
    /// Bytes on their way when it left, it included: P.tx_in_flight.
    pub in_flight_bytes: u64,
    /// Bytes taken for lost since.
    pub lost_bytes: u64,
    /// Whether the application, or the peer's window, held sending up then: a window has proved nothing
    /// by it and must not grow (RFC 9002 section 7.8).
    pub app_limited: bool,
}

/// A rate that the path has borne.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateSample {
    /// Bytes of UDP payload a second.
    pub bytes_per_second: u64,
    /// Whether the application, not a window, held sending up: then the path may be faster.
    pub app_limited: bool,
}

/// Measures the delivery rate of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delivery {
    delivered: u64,
    delivered_at: Instant,
    first_sent_at: Instant,
    /// Bytes taken for lost and not seen to arrive after all.
    lost: u64,
    /// The application rests, and what leaves until so much is delivered shows no more than that.
    app_limited_until: Option<u64>,
    /// The packet of this ACK that left last: when, with what stamp, and whether the application
    /// held sending up then.
    newest: Option<(Instant, Stamp, bool)>,
}

impl Delivery {
    /// A packet of `bytes` leaves after `in_flight` others. When those are none, time spent idle does
    /// not count.
    pub fn on_sent(&mut self, now: Instant, bytes: u64, in_flight: u64) -> Stamp {
        if in_flight == 0 {
            (self.first_sent_at, self.delivered_at) = (now, now);
        }
        let Self { delivered, delivered_at, first_sent_at, lost, .. } = *self;
        Stamp { delivered, delivered_at, first_sent_at, lost, in_flight: in_flight + bytes }
    }

    /// Sending stops although more could leave: until what is on its way has been delivered, rates are
    /// those of the application (section 4.1.1.3 of the draft).
    pub fn rest(&mut self, in_flight: u64) {
        self.app_limited_until = Some(self.delivered + in_flight);
    }

    /// Whether what leaves now shows the application's rate.
    pub const fn is_app_limited(&self) -> bool {
        self.app_limited_until.is_some()
    }

    /// A packet is taken for lost.
    pub fn on_lost(&mut self, bytes: u64) {
        self.lost += bytes;
    }

    /// It arrived after all.
    pub fn on_spurious(&mut self, bytes: u64) {
        self.lost = self.lost.saturating_sub(bytes);
    }

    /// What has happened since a packet left.
    pub fn flight(&self, sent_at: Instant, stamp: Stamp, app_limited: bool) -> Flight {
        Flight {
            sent_at,
            delivered_bytes: stamp.delivered,
            in_flight_bytes: stamp.in_flight,
            lost_bytes: self.lost.saturating_sub(stamp.lost),
            app_limited,
        }
    }

    /// A packet is acknowledged; [`sample`](Self::sample) follows when all of the ACK are told.
    pub fn on_acked(
        &mut self,
        now: Instant,
        bytes: u64,
        sent_at: Instant,
        stamp: Stamp,
        app_limited: bool,
    ) {
        self.delivered += bytes;
        self.delivered_at = now;
        if self.app_limited_until.is_some_and(|until| self.delivered > until) {
            self.app_limited_until = None;
        }
        let is_newer = |(at, newest, _): (Instant, Stamp, bool)| {
            (stamp.delivered, sent_at) >= (newest.delivered, at)
        };
        if self.newest.is_none_or(is_newer) {
            self.newest = Some((sent_at, stamp, app_limited));
        }
    }

    /// The rate that the packets of this ACK show; `None` when it acknowledged nothing, or when the
    /// time is shorter than the least round trip and says more about chance than about the path.
    pub fn sample(&mut self, rtt_min: Duration) -> Option<RateSample> {
        let (sent_at, stamp, app_limited) = self.newest.take()?;
        self.first_sent_at = sent_at;
        let sending = sent_at - stamp.first_sent_at;
        let acknowledging = self.delivered_at - stamp.delivered_at;
        let interval = sending.max(acknowledging);
        if interval < rtt_min || interval.is_zero() {
            return None;
        }
        let bytes = u128::from(self.delivered - stamp.delivered);
        let rate = bytes * 1_000_000_000 / u128::from(nanos(interval));
        let bytes_per_second = u64::try_from(rate).unwrap_or(u64::MAX);
        Some(RateSample { bytes_per_second, app_limited })
    }

    /// Bytes acknowledged since the connection began, whole packets.
    pub const fn delivered_bytes(&self) -> u64 {
        self.delivered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{collections::VecDeque, vec::Vec};

    const RTT: Duration = Duration::from_millis(50);

    const fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    /// Packets of 1000 bytes that leave at these times, acknowledged in groups at those.
    fn rates(sent_ms: &[u64], acked_ms: &[(u64, usize)]) -> Vec<Option<u64>> {
        let mut delivery = Delivery::default();
        let mut flying = VecDeque::new();
        let (mut sent_ms, mut rates) = (sent_ms.iter().peekable(), Vec::new());
        for &(ms, count) in acked_ms {
            while let Some(&sent) = sent_ms.next_if(|&&sent| sent <= ms) {
                let stamp = delivery.on_sent(at(sent), 1000, 1000 * flying.len() as u64);
                flying.push_back((at(sent), stamp));
            }
            for (sent, stamp) in flying.drain(..count) {
                delivery.on_acked(at(ms), 1000, sent, stamp, false);
            }
            rates.push(delivery.sample(RTT).map(|sample| sample.bytes_per_second));
        }
        rates
    }

    #[test]
    fn a_steady_flow_shows_its_rate() {
        // A packet each 10 ms over a path of 50 ms.
        let sent: Vec<u64> = (0..40).map(|n| n * 10).collect();
        let acked: Vec<_> = (0..35).map(|n| (n * 10 + 50, 1)).collect();
        let rates = rates(&sent, &acked);
        assert_eq!(rates[0], Some(20_000), "a packet in a round trip");
        assert_eq!(rates[10..], [Some(100_000); 25]);
    }

    /// Section 4.1.1.2 of the draft: ACKs that come together do not make the path faster.
    #[test]
    fn bunched_acks_do_not_exaggerate() {
        let sent: Vec<u64> = (0..40).map(|n| n * 10).collect();
        let acked: Vec<_> = (0..8).map(|n| (n * 40 + 90, 4)).collect();
        for rate in rates(&sent, &acked).into_iter().flatten() {
            assert!(rate <= 100_000, "{rate}");
        }
    }

    #[test]
    fn idle_time_does_not_count() {
        let sent = [0, 10, 20, 30, 40, 5_000, 5_010, 5_020, 5_030, 5_040];
        let acked =
            [(50, 1), (60, 1), (70, 1), (80, 1), (90, 1), (5_050, 1), (5_060, 1), (5_090, 3)];
        let rates = rates(&sent, &acked);
        assert_eq!(rates[5], Some(20_000));
        assert_eq!(rates[7], Some(5_000 * 1000 / 90));
    }

    #[test]
    fn too_short_a_time_says_nothing() {
        assert_eq!(rates(&[0, 1], &[(2, 2)]), [None]);
        assert_eq!(Delivery::default().sample(RTT), None);
    }
}
