//! The draft's cases that need an exact course of ACKs and losses, and the places at which other
//! implementations were found to fail.

use super::*;
use crate::transport::{cc::Flight, delivery::RateSample};

pub(super) const MSS: u64 = 1000;
pub(super) const RTT: Duration = Duration::from_millis(50);

/// A path as its ACKs show it: one of them for every packet, a packet every so often.
pub(super) struct Path {
    pub(super) bbr: Bbr,
    now: Instant,
    delivered: u64,
    number: u64,
    rtt: Duration,
    app_limited: bool,
}

impl Path {
    pub(super) fn new() -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        Self { bbr: Bbr::new(MSS), now, delivered: 0, number: 0, rtt: RTT, app_limited: false }
    }

    pub(super) const fn now(&self) -> Instant {
        self.now
    }

    /// What pacing has let out in a round trip, and no more than the window.
    fn in_flight(&self) -> u64 {
        let paced = self.bbr.pacing_rate().map_or(u64::MAX, |rate| volume(rate, self.rtt));
        self.bbr.window.min(paced)
    }

    /// A round trip in which packets arrive at `rate` bytes a second.
    pub(super) fn round(&mut self, rate: u64) {
        let packets = (volume(rate, self.rtt) / MSS).clamp(1, 1000);
        let before = self.delivered;
        for _ in 0..packets {
            self.now += self.rtt / u32::try_from(packets).unwrap();
            self.number += 1;
            self.delivered += MSS;
            let in_flight_bytes = self.in_flight();
            self.bbr.on_ack(&AckSample {
                now: self.now,
                bytes: MSS,
                growth_bytes: MSS,
                in_flight_bytes,
                largest: self.number,
                next: self.number + packets,
                rtt: Some(self.rtt),
                srtt: self.rtt,
                rtt_min: RTT,
                rate: Some(RateSample { bytes_per_second: rate, app_limited: self.app_limited }),
                delivered_bytes: self.delivered,
                flight: self.flight(before, 0),
            });
        }
    }

    fn flight(&self, delivered_bytes: u64, lost_bytes: u64) -> Flight {
        Flight {
            sent_at: Instant::ZERO + self.now.since_epoch().saturating_sub(self.rtt),
            delivered_bytes,
            in_flight_bytes: self.in_flight(),
            lost_bytes,
            app_limited: self.app_limited,
        }
    }

    /// So many packets are lost, each so far from the one before.
    fn lose(&mut self, count: u64, apart: u64) {
        for lost in 1..=count {
            self.number += apart;
            let flight = self.flight(self.delivered.saturating_sub(self.in_flight()), lost * MSS);
            let lost = LostPacket {
                now: self.now,
                number: self.number,
                bytes: MSS,
                delivered_bytes: self.delivered,
                flight,
            };
            self.bbr.on_lost(&lost);
        }
    }

    fn rounds_until(&mut self, state: State, rate: u64) {
        for _ in 0..500 {
            if self.bbr.state == state {
                return;
            }
            self.round(rate);
        }
        panic!("not {state:?} after 500 rounds, but {:?}", self.bbr);
    }

    /// A flow that has found its bandwidth.
    fn cruising(rate: u64) -> Self {
        let mut path = Self::new();
        path.rounds_until(State::Cruise, rate);
        path
    }
}

const RATE: u64 = 2_000_000;

/// Elsewhere it came from a guess of 1 ms and was never corrected when little was sent.
#[test]
fn the_first_pacing_rate_comes_from_the_first_round_trip() {
    let mut path = Path::new();
    assert_eq!(path.bbr.pacing_rate(), None, "until then the connection spreads its window");
    path.app_limited = true;
    path.round(MSS * 20);
    let expected = rate(initial_window(MSS), RTT) * 277 / 100;
    assert_eq!(path.bbr.pacing_rate(), Some(expected));
}

/// Elsewhere what an application sent that had little to say was taken for the path's bandwidth.
#[test]
fn samples_of_a_resting_application_do_not_lower_the_bandwidth() {
    let mut path = Path::cruising(RATE);
    path.app_limited = true;
    (0..200).for_each(|_| path.round(RATE / 10));
    assert_eq!(path.bbr.model.max_bw.greatest(), RATE);
    path.round(RATE * 2);
    assert_eq!(path.bbr.model.max_bw.greatest(), RATE * 2, "but it is at least so fast");
}

/// Elsewhere a flow forgot what it knew whenever nothing was on its way.
#[test]
fn after_a_rest_it_paces_at_what_it_knew() {
    let mut path = Path::cruising(RATE);
    let window = path.bbr.window;
    path.now += Duration::from_secs(3);
    path.bbr.on_sent(&SentPacket {
        now: path.now,
        bytes: MSS,
        in_flight_bytes: 0,
        app_limited: true,
    });
    assert!(path.bbr.idle_restart);
    assert_eq!(path.bbr.pacing_rate(), Some(RATE * 99 / 100));
    assert_eq!(path.bbr.window(), window);
}

/// Exiting STARTUP on bandwidth plateau: three rounds with less than a quarter more.
#[test]
fn startup_ends_after_three_rounds_without_growth() {
    let mut path = Path::new();
    for doubled in 0..4 {
        path.round(100_000 << doubled);
        assert_eq!(path.bbr.state, State::Startup);
    }
    (0..2).for_each(|_| path.round(900_000));
    assert_eq!(path.bbr.state, State::Startup);
    path.round(900_000);
    path.round(900_000);
    assert!(path.bbr.pipe.ever && path.bbr.state != State::Startup);
}

/// Elsewhere startup did not end under heavy losses, or at the first burst of them.
#[test]
fn startup_ends_on_losses_in_many_places_with_a_queue() {
    let mut path = Path::new();
    (0..4).for_each(|doubled| path.round(200_000 << doubled));
    path.lose(30, 1);
    path.rtt = RTT * 3 / 2;
    path.round(RATE);
    path.round(RATE);
    assert_eq!(path.bbr.state, State::Startup, "a burst is one place");
    path.lose(30, 20);
    path.round(RATE);
    path.round(RATE);
    assert_ne!(path.bbr.state, State::Startup);
    assert!(path.bbr.bounds.inflight_long < u64::MAX);
}

/// The same when the application rests, so that no sample can show that the pipe is full (A.2): the
/// queue shows it.
#[test]
fn losses_with_a_queue_end_the_startup_of_a_resting_application() {
    let mut path = Path::new();
    path.app_limited = true;
    (0..4).for_each(|doubled| path.round(200_000 << doubled));
    path.rtt = RTT * 3 / 2;
    (0..4).for_each(|_| path.round(RATE));
    assert_eq!(path.bbr.state, State::Startup, "a queue alone does not");
    path.lose(30, 20);
    path.round(RATE);
    path.round(RATE);
    assert!(path.bbr.pipe.ever && path.bbr.pipe.rounds == 0);
    assert_ne!(path.bbr.state, State::Startup);
    assert!(path.bbr.bounds.inflight_long < u64::MAX);
}

/// Losses on a path without a queue, on which more arrives each round, do not end startup.
#[test]
fn startup_goes_on_where_losses_are_the_path_s() {
    let mut path = Path::new();
    for doubled in 0..6 {
        path.lose(10, 20);
        path.round(100_000 << doubled);
    }
    assert_eq!(path.bbr.state, State::Startup);
    assert_eq!(path.bbr.bounds, Bounds::NONE);
}

/// Never exiting STARTUP when application-limited with no loss.
#[test]
fn a_resting_application_stays_in_startup() {
    let mut path = Path::new();
    path.app_limited = true;
    (0..100).for_each(|_| path.round(100_000));
    assert_eq!(path.bbr.state, State::Startup);
}

/// Elsewhere one burst of losses was taken for a path that was too full.
#[test]
fn a_burst_of_losses_is_no_congestion() {
    let mut path = Path::cruising(RATE);
    path.rounds_until(State::Up, RATE);
    path.lose(40, 1);
    assert_eq!(path.bbr.state, State::Up);
    assert_eq!(path.bbr.bounds.inflight_long, u64::MAX);
}

/// Handling loss during PROBE_UP after inflight_longterm is set, and exiting PROBE_UP on loss.
#[test]
fn losses_in_many_places_end_a_probe_that_brings_no_more() {
    let mut path = Path::cruising(RATE);
    path.rounds_until(State::Up, RATE);
    path.rtt = RTT * 3 / 2;
    path.round(RATE);
    path.bbr.state = State::Up;
    path.bbr.cycle.is_probe_sample = true;
    path.lose(40, 20);
    assert_eq!(path.bbr.state, State::Down);
    let bound = path.bbr.bounds.inflight_long;
    assert!(bound < u64::MAX && bound >= hundredths(path.bbr.target_inflight(), loss::BETA));
}

/// The same when the application rests (A.6). What it had on its way says nothing about what the path
/// bears, so the bound stays where it was: HandleInflightTooHigh, section 5.5.10.2.
#[test]
fn losses_end_the_probe_of_a_resting_application() {
    for rests in [false, true] {
        let mut path = Path::cruising(RATE);
        path.rounds_until(State::Up, RATE);
        path.app_limited = rests;
        path.lose(2, 20);
        assert_eq!(path.bbr.state, State::Up, "two of a hundred");
        path.lose(40, 20);
        assert_eq!(path.bbr.state, State::Down, "{rests}");
        assert!(path.bbr.cycle.has_been_too_high());
        assert_eq!(path.bbr.bounds.inflight_long == u64::MAX, rests);
    }
}

/// Handling spurious fast recovery: everything is as before.
#[test]
fn a_mistaken_loss_is_taken_back() {
    let mut path = Path::cruising(RATE);
    path.rounds_until(State::Up, RATE);
    path.rtt = RTT * 3 / 2;
    path.round(RATE);
    path.bbr.state = State::Up;
    path.bbr.cycle.is_probe_sample = true;
    let (window, bounds) = (path.bbr.window, path.bbr.bounds);
    path.bbr.on_congestion(path.now, window);
    path.lose(40, 20);
    assert_eq!(path.bbr.state, State::Down);
    path.bbr.on_undo(path.now);
    assert_eq!(path.bbr.state, State::Refill, "the probe begins again");
    assert_eq!((path.bbr.window, path.bbr.bounds), (window, bounds));
}

/// Entering and exiting PROBE_RTT: half of what the path held by the round trip that was believed.
#[test]
fn a_standing_queue_is_looked_under_every_ten_seconds() {
    let mut path = Path::cruising(RATE);
    path.rtt = RTT * 6 / 5;
    let half = volume(path.bbr.model.max_bw.greatest(), RTT) / 2;
    path.rounds_until(State::ProbeRtt, RATE);
    assert!(path.bbr.probe_rtt.window <= half + MSS, "{} of {half}", path.bbr.probe_rtt.window);
    let (window, began) = (path.bbr.probe_rtt.window, path.now);
    path.rounds_until(State::Cruise, RATE);
    assert_eq!(path.bbr.probe_rtt.window, window, "it stays while it lasts");
    assert!((Duration::from_millis(200)..Duration::from_millis(500)).contains(&(path.now - began)));
}

/// Entering and exiting PROBE_RTT during STARTUP.
#[test]
fn startup_goes_on_after_probing_the_round_trip() {
    let mut path = Path::new();
    path.round(100_000);
    path.app_limited = true;
    path.rtt = RTT * 6 / 5;
    path.rounds_until(State::ProbeRtt, 100_000);
    path.rounds_until(State::Startup, 100_000);
}

/// Skipping PROBE_RTT due to application-limited sending: a rest empties every queue.
#[test]
fn a_rest_spares_probing_the_round_trip() {
    let mut path = Path::cruising(RATE);
    path.now += Duration::from_secs(12);
    let sent = SentPacket { now: path.now, bytes: MSS, in_flight_bytes: 0, app_limited: true };
    path.bbr.on_sent(&sent);
    path.rtt = RTT * 6 / 5;
    path.round(RATE);
    assert_ne!(path.bbr.state, State::ProbeRtt);
    assert_eq!(path.bbr.model.min_rtt, Some(path.rtt));
}

/// Handling application-limited sending during PROBE_REFILL.
#[test]
fn a_rest_while_refilling_changes_nothing() {
    let mut path = Path::cruising(RATE);
    path.rounds_until(State::Refill, RATE);
    path.app_limited = true;
    path.round(RATE / 10);
    assert_eq!(path.bbr.model.max_bw.greatest(), RATE);
    path.round(RATE / 10);
    assert_eq!(path.bbr.state, State::Up);
}

/// RFC 3168: a mark is as good as a loss, and needs no second place.
#[test]
fn a_mark_ends_a_probe() {
    let mut path = Path::cruising(RATE);
    path.rounds_until(State::Up, RATE);
    path.bbr.on_marks(path.now, 1);
    assert_eq!(path.bbr.state, State::Down);
    assert!(path.bbr.bounds.inflight_long < u64::MAX);
}

/// A queue that stands although the flow gives way is somebody else's; when it is empty, he has gone.
#[test]
fn beside_somebody_who_fills_the_queue_the_window_is_cubic_s() {
    let mut path = Path::cruising(RATE);
    path.rtt = RTT * 3 / 2;
    let since = path.now;
    path.rounds_until(State::Contest, RATE / 2);
    assert!((2..5).contains(&(path.now - since).as_secs()), "{:?}", path.now - since);
    let window = path.bbr.window;
    (0..20).for_each(|_| path.round(RATE / 2));
    assert!(path.bbr.window > window, "it grows");
    let window = path.bbr.window;
    path.bbr.on_congestion(path.now, window);
    path.round(RATE / 2);
    assert!((6..8).contains(&(path.bbr.window * 10 / window)), "{} of {window}", path.bbr.window);
    path.rtt = RTT;
    path.rounds_until(State::Down, RATE / 2);
}

/// On a link whose losses say nothing there is no contest to be had.
#[test]
fn a_lossy_link_knows_no_contest() {
    let mut path = Path::new();
    path.bbr = Bbr::for_lossy_link(MSS);
    path.rounds_until(State::Cruise, RATE);
    path.rtt = RTT * 3 / 2;
    for _ in 0..100 {
        path.round(RATE / 2);
        assert_ne!(path.bbr.state, State::Contest);
    }
}

/// What the path loses by itself is measured between probes, and so much more leaves.
#[test]
fn the_path_s_own_losses_are_made_up_for() {
    let mut path = Path::cruising(RATE);
    for _ in 0..200 {
        path.lose(5, 20);
        path.round(RATE);
    }
    // 5 lost for 100 that arrive, less those of rounds at the edges of quiet times.
    let share = path.bbr.losses.floor(MSS);
    assert!((2200..3400).contains(&share), "{share} of 65,536");
    path.rounds_until(State::Cruise, RATE);
    let pace = path.bbr.pacing_rate().unwrap();
    assert!(pace > RATE * 102 / 100 && pace < RATE * 108 / 100, "{pace}");
}

#[test]
fn extremes_do_not_overflow() {
    let mut path = Path::cruising(RATE);
    path.bbr.set_mss(65_507);
    path.bbr.on_persistent_congestion(Instant::MAX);
    assert_eq!(path.bbr.window(), 4 * 65_507);
    path.now = Instant::from_nanos(u64::MAX / 2);
    path.round(1 << 40);
    path.lose(100, 1 << 40);
    path.round(1 << 40);
    assert!(path.bbr.window() >= 4 * 65_507);
}
