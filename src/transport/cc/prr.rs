//! Proportional rate reduction: spreading the cut of the window over the round trip in which losses
//! are repaired (RFC 9937).

use super::MIN_WINDOW_PACKETS;

/// How much may be sent during a recovery.
///
/// Cutting the window at once would silence the sender until half of what is on its way has been
/// acknowledged, and then let it go in a burst. Instead, so much is sent for each byte delivered
/// that the window is where it should be when the recovery ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prr {
    /// Bytes on their way when the recovery began: RecoverFS.
    recover_bytes: u64,
    ssthresh: u64,
    delivered: u64,
    sent: u64,
    /// Bytes that may leave until the next ACK: what is left of sndcnt.
    credit: u64,
}

impl Prr {
    /// A recovery begins with `in_flight_bytes` on their way and should end at `ssthresh`. One packet
    /// of `mss` bytes may leave at once, so that what is lost is repeated without delay.
    pub const fn new(in_flight_bytes: u64, ssthresh: u64, mss: u64) -> Self {
        Self { recover_bytes: in_flight_bytes, ssthresh, delivered: 0, sent: 0, credit: mss }
    }

    /// An ACK delivered `bytes`, and left `in_flight_bytes` on their way; `is_safe` when it showed no
    /// further losses.
    pub fn on_ack(&mut self, bytes: u64, in_flight_bytes: u64, mss: u64, is_safe: bool) {
        self.delivered += bytes;
        let count = if in_flight_bytes > self.ssthresh {
            // In proportion: ssthresh bytes for every RecoverFS delivered. A recovery that lasts
            // has delivered more than that, and no more than ssthresh is meant to be on its way.
            let delivered = self.delivered.min(self.recover_bytes);
            let share = u128::from(delivered) * u128::from(self.ssthresh);
            let share = share.div_ceil(u128::from(self.recover_bytes.max(1)));
            u64::try_from(share).unwrap_or(u64::MAX).saturating_sub(self.sent)
        } else {
            // Losses were heavy: catch up as slow start would, or only replace what is delivered.
            let limit = self.delivered.saturating_sub(self.sent).max(bytes);
            let limit = if is_safe { limit + mss } else { limit };
            limit.min(self.ssthresh - in_flight_bytes)
        };
        self.credit = if self.sent == 0 { count.max(mss) } else { count };
    }

    /// Bytes were sent.
    pub fn on_sent(&mut self, bytes: u64) {
        self.sent += bytes;
        self.credit = self.credit.saturating_sub(bytes);
    }

    /// The window until the next ACK, given what is on its way. It is never smaller than the least
    /// that any controller has: with nothing on its way no ACK would come.
    pub fn window(&self, in_flight_bytes: u64, mss: u64) -> u64 {
        (in_flight_bytes + self.credit).max(MIN_WINDOW_PACKETS * mss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u64 = 1000;

    /// 100 packets on their way, one lost, the window is to be 50: a packet for every second ACK.
    #[test]
    fn one_packet_for_two_until_the_window_is_reached() {
        let mut prr = Prr::new(99 * MSS, 50 * MSS, MSS);
        let (mut in_flight, mut sent) = (99 * MSS, 0);
        for ack in 1..=99 {
            in_flight -= MSS;
            prr.on_ack(MSS, in_flight, MSS, true);
            while in_flight + MSS <= prr.window(in_flight, MSS) {
                prr.on_sent(MSS);
                in_flight += MSS;
                sent += 1;
            }
            assert!(sent <= ack / 2 + 2, "{sent} after {ack}");
        }
        assert_eq!(in_flight, 50 * MSS);
    }

    /// Most of the window is gone: slow start up to the threshold, not a burst.
    #[test]
    fn after_heavy_loss_it_catches_up_as_slow_start() {
        let mut prr = Prr::new(20 * MSS, 50 * MSS, MSS);
        prr.on_ack(MSS, 19 * MSS, MSS, true);
        assert_eq!(prr.window(19 * MSS, MSS), 21 * MSS);
        prr.on_sent(2 * MSS);
        assert_eq!(prr.window(21 * MSS, MSS), 21 * MSS, "nothing more before the next ACK");
        prr.on_ack(MSS, 20 * MSS, MSS, false);
        assert_eq!(prr.window(20 * MSS, MSS), 21 * MSS, "more losses: one for one");
    }

    /// The window is not carried beyond the threshold by what a long recovery delivers.
    #[test]
    fn a_recovery_that_lasts_does_not_open_the_window() {
        let mut prr = Prr::new(2 * MSS, 6 * MSS, MSS);
        for _ in 0..20 {
            prr.on_ack(MSS, 5 * MSS, MSS, true);
            assert!(prr.window(5 * MSS, MSS) <= 6 * MSS);
            prr.on_sent(MSS);
        }
        prr.on_ack(MSS, 7 * MSS, MSS, true);
        assert_eq!(prr.window(7 * MSS, MSS), 7 * MSS);
    }

    /// All that was on its way is lost, and the ACK before had paid for less than a packet.
    #[test]
    fn two_packets_may_always_be_on_their_way() {
        let mut prr = Prr::new(9 * MSS, 5 * MSS, MSS);
        prr.on_sent(MSS);
        prr.on_ack(MSS / 10, 0, MSS, false);
        assert_eq!(prr.window(0, MSS), 2 * MSS);
    }

    /// A loss that a timer shows is repeated without waiting for an ACK.
    #[test]
    fn the_first_packet_needs_no_ack() {
        let mut prr = Prr::new(9 * MSS, 5 * MSS, MSS);
        assert_eq!(prr.window(9 * MSS, MSS), 10 * MSS);
        prr.on_sent(MSS);
        assert_eq!(prr.window(10 * MSS, MSS), 10 * MSS);
    }
}
