//! Proportional rate reduction: spreading the cut of the window over the round trip in which losses
//! are repaired (RFC 9937).

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
}

impl Prr {
    /// A recovery begins with `in_flight_bytes` on their way and should end at `ssthresh`.
    pub const fn new(in_flight_bytes: u64, ssthresh: u64) -> Self {
        Self { recover_bytes: in_flight_bytes, ssthresh, delivered: 0, sent: 0 }
    }

    /// Bytes were delivered: newly acknowledged.
    pub fn on_delivered(&mut self, bytes: u64) {
        self.delivered += bytes;
    }

    /// Bytes were sent.
    pub fn on_sent(&mut self, bytes: u64) {
        self.sent += bytes;
    }

    /// The window for now, given what is on its way.
    pub fn window(&self, in_flight_bytes: u64, mss: u64) -> u64 {
        if in_flight_bytes > self.ssthresh {
            // In proportion: ssthresh bytes for every RecoverFS delivered (section 6.2).
            let share = u128::from(self.delivered) * u128::from(self.ssthresh);
            let share = share.div_ceil(u128::from(self.recover_bytes.max(1)));
            let share = u64::try_from(share).unwrap_or(u64::MAX);
            return in_flight_bytes + share.saturating_sub(self.sent);
        }
        // Slow-start reduction bound: losses were heavy, catch up as slow start would.
        let limit = self.delivered.saturating_sub(self.sent) + mss;
        in_flight_bytes + limit.min(self.ssthresh - in_flight_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u64 = 1000;

    /// 100 packets on their way, one lost, the window is to be 50: a packet for every second ACK.
    #[test]
    fn one_packet_for_two_until_the_window_is_reached() {
        let mut prr = Prr::new(99 * MSS, 50 * MSS);
        let (mut in_flight, mut sent) = (99 * MSS, 0);
        for ack in 1..=99 {
            prr.on_delivered(MSS);
            in_flight -= MSS;
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
        let mut prr = Prr::new(20 * MSS, 50 * MSS);
        prr.on_delivered(MSS);
        assert_eq!(prr.window(19 * MSS, MSS), 21 * MSS);
        prr.on_sent(2 * MSS);
        assert_eq!(prr.window(21 * MSS, MSS), 22 * MSS, "one more keeps the ACKs coming");
    }
}
