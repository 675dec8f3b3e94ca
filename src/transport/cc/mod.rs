//! Congestion control: how many bytes may be on their way.
//!
//! A [`Controller`] hears what was acknowledged and that packets were lost, and answers with a
//! window. What is lost, and which losses belong together, others decide. Write your own, and hand
//! it over with [`Algorithm::Custom`]; [`Fixed`] is the shortest example.

mod bbr;
mod cubic;
mod history;
mod hystart;
mod new_reno;
mod prr;

use alloc::boxed::Box;
use core::{fmt, time::Duration};

pub use bbr::Bbr;
pub use cubic::Cubic;
pub use hystart::HyStart;
pub use new_reno::NewReno;
pub use prr::Prr;

pub use crate::trace::transport::Phase;

pub use super::delivery::Flight;

use super::delivery::RateSample;
use crate::time::Instant;

/// The least window (RFC 9002 section 7.2: two packets).
pub const MIN_WINDOW_PACKETS: u64 = 2;

/// The window that a connection begins with (RFC 9002 section 7.2, RFC 6928): ten packets, but at
/// most 14,720 bytes unless two packets are more.
pub const fn initial_window(mss: u64) -> u64 {
    let limit = if 14_720 > 2 * mss { 14_720 } else { 2 * mss };
    if 10 * mss < limit { 10 * mss } else { limit }
}

/// What an ACK says to a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckSample {
    /// When it arrived.
    pub now: Instant,
    /// Bytes that it newly acknowledges.
    pub bytes: u64,
    /// Those of them that left after the last congestion event: only these let a window grow (RFC
    /// 9002 section 7.3.2).
    pub growth_bytes: u64,
    /// Bytes on their way before it.
    pub in_flight_bytes: u64,
    /// The highest packet number that it acknowledges.
    pub largest: u64,
    /// The number of the next packet to be sent.
    pub next: u64,
    /// The round trip of its highest packet, when that is newly acknowledged.
    pub rtt: Option<Duration>,
    /// Smoothed round-trip time.
    pub srtt: Duration,
    /// The least round trip.
    pub rtt_min: Duration,
    /// The rate that the path delivered at, when it can be told from this ACK.
    pub rate: Option<RateSample>,
    /// Bytes delivered since the connection began, these included: C.delivered of
    /// draft-ietf-ccwg-bbr section 4.1.
    pub delivered_bytes: u64,
    /// Of the packets that it acknowledges, the flight of the one that left last.
    pub flight: Flight,
}

impl AckSample {
    /// Bytes still on their way, before anything is taken for lost.
    pub const fn left_in_flight(&self) -> u64 {
        self.in_flight_bytes.saturating_sub(self.bytes)
    }
}

/// A packet that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentPacket {
    /// When.
    pub now: Instant,
    /// Its length.
    pub bytes: u64,
    /// Bytes on their way before it.
    pub in_flight_bytes: u64,
    /// Whether the application, or the peer's window, had held sending up until now.
    pub app_limited: bool,
}

/// A packet that is taken for lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostPacket {
    /// When this is noticed.
    pub now: Instant,
    /// Its number; those between two lost ones tell whether it was one burst.
    pub number: u64,
    /// Its length.
    pub bytes: u64,
    /// Bytes delivered since the connection began.
    pub delivered_bytes: u64,
    /// What happened since it left, its own loss included.
    pub flight: Flight,
}

/// An algorithm of congestion control. All sizes are bytes of UDP payload.
pub trait Controller: fmt::Debug + Send {
    /// What people call it.
    fn name(&self) -> &'static str;

    /// How many bytes may be on their way: cwnd.
    fn window(&self) -> u64;

    /// Above which window growth is careful: ssthresh; `u64::MAX` before the first congestion.
    fn ssthresh(&self) -> u64;

    /// Where it is, for traces; whoever calls knows whether losses are being repaired.
    fn phase(&self) -> Phase {
        if self.window() < self.ssthresh() { Phase::SlowStart } else { Phase::CongestionAvoidance }
    }

    /// A packet that wants to be acknowledged leaves.
    fn on_sent(&mut self, _sent: &SentPacket) {}

    /// Packets were acknowledged.
    fn on_ack(&mut self, ack: &AckSample);

    /// A packet is taken for lost: called for each, before the ACK that showed it.
    fn on_lost(&mut self, _lost: &LostPacket) {}

    /// Packets were lost or marked: called once for all that left before it was noticed, and before
    /// they are told one by one.
    fn on_congestion(&mut self, now: Instant, in_flight_bytes: u64);

    /// Routers have marked so many more packets with congestion (ECN; RFC 3168, RFC 9002 section 7.1):
    /// called for every ACK that says so, before [`on_ack`](Self::on_ack). Once a round trip
    /// [`on_congestion`](Self::on_congestion) is called for it as well, as it is for losses; whoever
    /// needs no more than that leaves this as it is.
    fn on_marks(&mut self, now: Instant, packets: u64) {
        let _ = (now, packets);
    }

    /// Nothing sent over a long time arrived (RFC 9002 section 7.6).
    fn on_persistent_congestion(&mut self, now: Instant);

    /// All losses of the last congestion event turned out to be mistakes (RFC 9438 section 4.9).
    /// Called again when those of the event before were, too: up to four are taken back.
    fn on_undo(&mut self, now: Instant);

    /// Packets have at most so many bytes from now on: a longer path MTU was found, or the path
    /// bears less.
    fn set_mss(&mut self, mss: u64) {
        let _ = mss;
    }

    /// The connection is to begin with a window of `bytes`, which leaves paced, instead of the one
    /// that the algorithm would begin with. Told before anything is sent.
    fn begin_with(&mut self, bytes: u64) {
        let _ = bytes;
    }

    /// The path has borne more before, and its round trip is what it was: the window may jump to
    /// `bytes`, which leave over a round trip of `rtt` (draft-ietf-tsvwg-careful-resume). Told once.
    fn resume(&mut self, bytes: u64, rtt: Duration) {
        let _ = (bytes, rtt);
    }

    /// The jump is over: what it could not fill of its window has proved nothing, and `bytes` are
    /// what is left. Never more than the window.
    fn settle(&mut self, bytes: u64) {
        let _ = bytes;
    }

    /// The jump was too far: the path has borne `bytes`, and with more of them packets were lost. Told
    /// in place of [`on_congestion`](Self::on_congestion).
    fn retreat(&mut self, now: Instant, bytes: u64) {
        self.on_congestion(now, bytes);
    }

    /// Bytes a second at which packets should leave; `None` leaves it to the connection, which
    /// spreads a window over a round trip.
    fn pacing_rate(&self) -> Option<u64> {
        None
    }

    /// Whether the window may be cut gradually while packets are repaired (RFC 9937).
    fn wants_prr(&self) -> bool {
        true
    }
}

/// Which congestion control a connection uses.
#[derive(Clone, Copy, Debug, Default)]
pub enum Algorithm {
    /// None: a window of so many bytes, whatever happens, though no more than ten packets before a round
    /// trip is known. For lessons, and for paths of your own.
    Fixed(u64),
    /// RFC 9002 appendix B, with HyStart++.
    NewReno,
    /// RFC 9438, with HyStart++.
    Cubic,
    /// draft-ietf-ccwg-bbr, version 3: follows a model of the path.
    #[default]
    Bbr,
    /// The same for paths that lose packets whatever is sent, as radio links do: a loss is taken for
    /// congestion only together with a sign of a queue. Flows that share such a path and take every
    /// loss for congestion get little beside it.
    BbrLossyLink,
    /// Your own, made for packets of so many bytes.
    Custom(fn(mss: u64) -> Box<dyn Controller>),
}

impl Algorithm {
    /// A controller for packets of `mss` bytes.
    pub fn controller(self, mss: u64) -> Box<dyn Controller> {
        match self {
            Self::Fixed(window) => Box::new(Fixed(window)),
            Self::NewReno => Box::new(NewReno::new(mss)),
            Self::Cubic => Box::new(Cubic::new(mss)),
            Self::Bbr => Box::new(Bbr::new(mss)),
            Self::BbrLossyLink => Box::new(Bbr::for_lossy_link(mss)),
            Self::Custom(make) => make(mss),
        }
    }
}

/// A window of so many bytes, whatever happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed(pub u64);

impl Controller for Fixed {
    fn name(&self) -> &'static str {
        "fixed"
    }
    fn window(&self) -> u64 {
        self.0
    }
    fn ssthresh(&self) -> u64 {
        self.0
    }
    fn on_ack(&mut self, _: &AckSample) {}
    fn on_congestion(&mut self, _: Instant, _: u64) {}
    fn on_persistent_congestion(&mut self, _: Instant) {}
    fn on_undo(&mut self, _: Instant) {}
    fn wants_prr(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// An ACK of `bytes` at `at_ms`, a window in flight, a round trip of `rtt_ms`.
    pub(super) fn ack(at_ms: u64, bytes: u64, rtt_ms: u64) -> AckSample {
        AckSample {
            now: Instant::ZERO + ms(at_ms),
            bytes,
            growth_bytes: bytes,
            in_flight_bytes: bytes,
            largest: 0,
            next: 0,
            rtt: Some(ms(rtt_ms)),
            srtt: ms(rtt_ms),
            rtt_min: ms(rtt_ms),
            rate: None,
            delivered_bytes: bytes,
            flight: Flight::default(),
        }
    }

    /// The same of packets that left while the application held sending up.
    pub(super) fn resting(ack: AckSample) -> AckSample {
        AckSample { flight: Flight { app_limited: true, ..ack.flight }, ..ack }
    }

    /// Round trips in which the whole window is acknowledged packet by packet.
    pub(super) fn rounds_from(
        controller: &mut dyn Controller,
        from_ms: u64,
        count: u64,
        rtt_ms: u64,
    ) {
        const MSS: u64 = 1000;
        for round in 0..count {
            let packets = controller.window() / MSS;
            let base = (from_ms + round + 1) << 32;
            for packet in 0..packets {
                controller.on_ack(&AckSample {
                    largest: base + packet,
                    next: base + packets,
                    ..ack(from_ms + round * rtt_ms + rtt_ms, MSS, rtt_ms)
                });
            }
        }
    }

    pub(super) fn rounds(controller: &mut dyn Controller, count: u64, rtt_ms: u64) {
        rounds_from(controller, 0, count, rtt_ms);
    }

    /// RFC 9002 section 7.2 and RFC 6928.
    #[test]
    fn initial_windows() {
        assert_eq!(initial_window(1200), 12_000);
        assert_eq!(initial_window(1472), 14_720);
        assert_eq!(initial_window(9000), 18_000);
    }

    #[test]
    fn a_fixed_window_stays() {
        let mut fixed = Algorithm::Fixed(5_000).controller(1000);
        rounds(&mut *fixed, 3, 10);
        fixed.on_congestion(Instant::ZERO, 0);
        fixed.on_persistent_congestion(Instant::ZERO);
        assert_eq!((fixed.window(), fixed.name()), (5_000, "fixed"));
    }
}
