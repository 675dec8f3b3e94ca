//! Recovery: what is on its way, what arrived, what is lost, and how much more may leave.
//!
//! This is where the parts meet that each know one thing: the [`Ledger`] what was sent, [`Rtt`] how
//! long the path is, the [`LossDetector`] when to give a packet up, the [`Controller`] and [`Prr`]
//! how much may be on its way, the [`Pacer`] when the next packet may leave.

mod path;
mod questions;
mod run;
mod start;

use alloc::{boxed::Box, vec::Vec};
use core::{mem, time::Duration};

use super::{
    cc::{AckSample, Algorithm, Controller, LostPacket, Prr, SentPacket},
    cuts::Cuts,
    delivery::{Delivery, RateSample},
    ecn::EcnPath,
    ledger::{Content, Fate, Ledger, Sent},
    loss::LossDetector,
    pacer::Pacer,
    pmtud::Pmtud,
    resume::CarefulResume,
    rtt::{GRANULARITY, Rtt},
    settled::Newly,
    skips::Skips,
};
pub use super::{
    settled::{NeverSent, Settled},
    stats::RecoveryStats,
};
use crate::{
    buf::RangeSet,
    ecn::Ecn,
    rng::Seed,
    time::Instant,
    trace::{
        Tracer,
        transport::{LossCause, TransportEvent},
    },
    wire::transport::Ack,
};

/// Probe timeouts back off to this, or to eight round trips where those are longer: after an outage
/// the transfer resumes within a second.
const PTO_MAX: Duration = Duration::from_secs(1);
const PTO_MAX_ROUNDS: u32 = 8;
/// Probe timeouts without an ACK that make a congestion persistent (RFC 9002 section 7.6.1).
const PERSISTENT_PTOS: u32 = 3;
/// Packets that a probe timeout lets out beyond the window (RFC 9002 section 6.2.4).
const PROBES: u32 = 2;

/// See the [module](self).
#[derive(Debug)]
pub struct Recovery {
    pub(super) ledger: Ledger,
    rtt: Rtt,
    loss: LossDetector,
    ecn: EcnPath,
    pmtud: Pmtud,
    /// From the end of the handshake on.
    skips: Option<Skips>,
    controller: Box<dyn Controller>,
    prr: Option<Prr>,
    pacer: Pacer,
    mss: u64,
    /// The highest number acknowledged.
    pub(super) largest_acked: Option<u64>,
    /// Numbers acknowledged, as far as the ledger reaches back.
    known: RangeSet,
    /// When the next packet will be lost if nothing arrives.
    loss_at: Option<Instant>,
    last_eliciting_at: Instant,
    /// The packet that leaves next, and the one that left last, asks for an ACK at once.
    hurries: [bool; 2],
    /// When something was acknowledged last, or the first packet left after nothing was on its way.
    heard_at: Instant,
    /// Probe timeouts in a row.
    ptos: u32,
    probes: u32,
    cuts: Cuts,
    first_rtt_at: Option<Instant>,
    /// What left before went another way, and its round trip says nothing.
    moved_at: Instant,
    delivery: Delivery,
    /// The last rate measured.
    rate: Option<RateSample>,
    /// The highest rate measured, in bytes a second.
    rate_max: Option<u64>,
    /// What the path was seen to bear before this connection.
    resume: Option<Box<CarefulResume>>,
    stats: RecoveryStats,
    /// What the whole connection has to report, in order.
    pub(super) tracer: Tracer<TransportEvent>,
}

impl Recovery {
    /// Nothing sent; packets are numbered from `first` on, have at most `mss` bytes, and are marked if
    /// `ecn` says so and the path bears it. Longer ones are tried, of up to `packet_bytes_max`.
    pub fn new(
        first: u64,
        mss: u64,
        rtt_initial: Duration,
        algorithm: Algorithm,
        ecn: bool,
        packet_bytes_max: usize,
    ) -> Self {
        let base = usize::try_from(mss).unwrap_or(usize::MAX);
        Self {
            ledger: Ledger::new(first),
            rtt: Rtt::new(rtt_initial),
            loss: LossDetector::default(),
            ecn: EcnPath::new(ecn),
            pmtud: Pmtud::new(base, packet_bytes_max),
            skips: None,
            controller: algorithm.controller(mss),
            prr: None,
            pacer: Pacer::new(),
            mss,
            largest_acked: None,
            known: RangeSet::new(usize::MAX),
            loss_at: None,
            last_eliciting_at: Instant::ZERO,
            hurries: [false; 2],
            heard_at: Instant::ZERO,
            ptos: 0,
            probes: 0,
            cuts: Cuts::default(),
            first_rtt_at: None,
            moved_at: Instant::ZERO,
            delivery: Delivery::default(),
            rate: None,
            rate_max: None,
            resume: None,
            stats: RecoveryStats::default(),
            tracer: Tracer::default(),
        }
    }

    /// The number of the next packet.
    pub fn next(&self) -> u64 {
        self.ledger.next()
    }

    /// A packet of `bytes` left, with the [mark](EcnPath::mark) that packets have at present.
    pub fn on_sent(
        &mut self,
        now: Instant,
        bytes: usize,
        eliciting: bool,
        contents: impl IntoIterator<Item = Content>,
    ) -> u64 {
        let (length, in_flight_bytes) = (bytes as u64, self.ledger.in_flight_bytes());
        let app_limited = self.delivery.is_app_limited();
        let sent = Sent {
            at: now,
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
            eliciting,
            app_limited,
            marked: self.ecn.mark() != Ecn::NotEct,
            stamp: self.delivery.on_sent(now, length, in_flight_bytes),
        };
        self.ecn.on_sent();
        if eliciting {
            self.stats.sent_packets += 1;
            if self.ledger.flying() == 0 {
                self.heard_at = now;
            }
            self.last_eliciting_at = now;
            self.hurries = [false, self.hurries[0]];
            self.probes = self.probes.saturating_sub(1);
            self.controller.on_sent(&SentPacket {
                now,
                bytes: length,
                in_flight_bytes,
                app_limited,
            });
            self.pacer.on_sent(length);
            if let Some(prr) = &mut self.prr {
                prr.on_sent(length);
            }
        }
        let number = self.ledger.push(sent, contents);
        self.leave_out();
        number
    }

    /// Leaves numbers out from now on, as `seed` has it; see [`Skips`].
    pub fn begin_skipping(&mut self, seed: Seed) {
        self.skips.get_or_insert_with(|| Skips::new(seed));
    }

    /// Leaves the next number out, when it is time.
    fn leave_out(&mut self) {
        if self.skips.as_mut().is_none_or(|skips| !skips.is_due()) {
            return;
        }
        let (next, window) = (self.ledger.next(), self.window() / self.mss);
        if let Some(skips) = &mut self.skips {
            skips.leave_out(next, window);
            self.ledger.skip();
        }
    }

    /// Takes an ACK that the peer held back for at most `delay_max`. What it settles is added to
    /// `settled`. Returns whether anything was new.
    pub fn on_ack(
        &mut self,
        now: Instant,
        ack: &Ack<'_>,
        delay_max: Duration,
        settled: &mut Settled,
    ) -> Result<bool, NeverSent> {
        let largest = ack.ranges.largest();
        let in_flight_bytes = self.ledger.in_flight_bytes();
        let newly = self.take_ranges(now, ack, settled)?;
        self.undo_if_mistaken(now);
        let bytes = newly.bytes;
        let Some(newest) = newly.newest else { return Ok(false) };
        self.tracer.emit(|| TransportEvent::AckReceived { largest, bytes });
        let advances = self.largest_acked.is_none_or(|old| largest > old);
        self.largest_acked = Some(self.largest_acked.map_or(largest, |old| old.max(largest)));
        let ce_packets = self.ecn.on_ack(newly.marked, ack.ecn, advances);
        let counts = newest.0 == largest && newly.eliciting && newest.1.at >= self.moved_at;
        let rtt = counts.then(|| now - newest.1.at);
        if let Some(sample) = rtt {
            self.rtt.sample(sample, ack.delay.min(delay_max));
            self.first_rtt_at.get_or_insert(now);
            self.trace_rtt(delay_max);
        }
        self.stats.delivered_bytes = self.delivery.delivered_bytes();
        let Sent { at, stamp, app_limited, .. } = newest.1;
        let rate = self.delivery.sample(self.rtt.min());
        self.rate = rate.or(self.rate);
        self.rate_max = rate.map(|rate| rate.bytes_per_second).max(self.rate_max);
        (self.ptos, self.heard_at) = (0, now);
        if self.cuts.latest().is_some_and(|cut| newest.1.at > cut) {
            self.prr = None;
        }
        let lost_before = self.stats.lost_packets;
        if ce_packets > 0 {
            self.controller.on_marks(now, ce_packets);
            self.on_marks(now, newest.1.at, in_flight_bytes);
        }
        self.detect(now, settled);
        if let Some(prr) = &mut self.prr {
            let is_safe = self.stats.lost_packets == lost_before;
            prr.on_ack(newly.bytes, self.ledger.in_flight_bytes(), self.mss, is_safe);
        }
        self.controller.on_ack(&AckSample {
            now,
            bytes: newly.bytes,
            growth_bytes: newly.growth_bytes,
            in_flight_bytes,
            largest,
            next: self.ledger.next(),
            rtt,
            srtt: self.rtt.smoothed(),
            rtt_min: self.rtt.min(),
            rate,
            delivered_bytes: self.delivery.delivered_bytes(),
            flight: self.delivery.flight(at, stamp, app_limited),
        });
        self.resume_on_ack(newly.bytes, largest);
        self.ledger.forget(self.forget_before(now));
        self.known.remove_below(self.ledger.first());
        Ok(true)
    }

    /// Goes through the numbers that were not known to be acknowledged. An error when there are any
    /// that were never sent: whoever acknowledges those has not received what was.
    fn take_ranges(
        &mut self,
        now: Instant,
        ack: &Ack<'_>,
        settled: &mut Settled,
    ) -> Result<Newly, NeverSent> {
        if ack.ranges.largest() >= self.ledger.next() {
            return Err(NeverSent);
        }
        let mut newly = Newly::default();
        let first = self.ledger.first();
        let mut known = mem::replace(&mut self.known, RangeSet::new(usize::MAX));
        let mut walk = known.descend();
        for range in ack.ranges.iter() {
            if known.has_all(&range, &mut walk) {
                continue;
            }
            if self.skips.as_ref().is_some_and(|skips| skips.contains(&range)) {
                return Err(NeverSent);
            }
            let range = range.start.max(first)..range.end;
            if range.is_empty() {
                break;
            }
            for number in known.missing(range.clone()).flatten() {
                self.take(now, number, &mut newly, settled);
            }
            // The set has no bound of its own: its ranges are our packets.
            known.insert(range).unwrap_or_default();
        }
        self.known = known;
        Ok(newly)
    }

    /// Takes note that a packet was acknowledged, for the first time.
    fn take(&mut self, now: Instant, number: u64, newly: &mut Newly, settled: &mut Settled) {
        // By how much a later one that is acknowledged already was ahead.
        let ahead = self.largest_acked.and_then(|largest| largest.checked_sub(number));
        let each = |content: &Content| settled.add_acked(content);
        let Some((sent, fate)) = self.ledger.acknowledge(number, each) else { return };
        newly.marked += u64::from(sent.marked);
        if sent.eliciting {
            self.pmtud.on_acked(now, number, sent.bytes as usize);
        }
        if fate == Fate::Flying {
            let Sent { at, bytes, stamp, app_limited, .. } = sent;
            self.delivery.on_acked(now, u64::from(bytes), at, stamp, app_limited);
            newly.add(number, sent, self.cuts.latest());
            if let Some(ahead) = ahead.filter(|_| sent.eliciting) {
                self.loss.on_reordered(ahead, now - sent.at);
            }
        } else {
            self.stats.spurious_packets += 1;
            self.delivery.on_spurious(u64::from(sent.bytes));
            self.tracer.emit(|| TransportEvent::SpuriousLoss { number, bytes: sent.bytes });
            self.loss.on_spurious(ahead.unwrap_or(0), now - sent.at);
            self.cuts.on_spurious(sent.at);
        }
    }

    /// When every loss of a congestion event was a mistake, so was the event.
    fn undo_if_mistaken(&mut self, now: Instant) {
        while self.cuts.pop_mistake() {
            self.controller.on_undo(now);
            self.stats.undone_events += 1;
            self.tracer.emit(|| TransportEvent::CutUndone);
            self.prr = None;
        }
    }

    /// Finds lost packets and tells the controller.
    fn detect(&mut self, now: Instant, settled: &mut Settled) {
        let Some(largest) = self.largest_acked else { return };
        let mut lost = mem::take(&mut settled.lost_numbers);
        lost.clear();
        self.loss_at = self.loss.detect(now, &mut self.ledger, largest, &self.rtt, &mut lost);
        self.give_up_lengths(now, &mut lost, settled);
        self.give_up(now, &lost, settled);
        self.follow_mtu();
        settled.lost_numbers = lost;
    }

    fn give_up(&mut self, now: Instant, lost: &[u64], settled: &mut Settled) {
        let Some(&last) = lost.last() else { return };
        let in_flight_bytes = self.ledger.in_flight_bytes();
        let last_at = self.ledger.get(last).map_or(now, |(sent, _)| sent.at);
        let persistent = self.is_persistent(lost);
        self.trace_lost(lost, None);
        self.lose(lost, settled);
        self.stats.lost_packets += lost.len() as u64;
        if self.cuts.latest().is_none_or(|cut| last_at > cut) {
            self.on_congestion(now, in_flight_bytes, false);
        }
        for &number in lost {
            self.tell_lost(now, number);
        }
        if persistent {
            let packets = lost.len() as u64;
            self.tracer.emit(|| TransportEvent::PersistentCongestion { packets });
            self.controller.on_persistent_congestion(now);
            self.cuts.stand();
            self.prr = None;
        }
    }

    /// A packet that is taken for lost, for whoever weighs losses.
    fn tell_lost(&mut self, now: Instant, number: u64) {
        let Some((&sent, _)) = self.ledger.get(number) else { return };
        let Sent { at, bytes, marked, stamp, app_limited, .. } = sent;
        let bytes = u64::from(bytes);
        self.ecn.on_lost(u32::from(marked));
        self.cuts.on_lost(at);
        self.delivery.on_lost(bytes);
        self.controller.on_lost(&LostPacket {
            now,
            number,
            bytes,
            delivered_bytes: self.delivery.delivered_bytes(),
            flight: self.delivery.flight(at, stamp, app_limited),
        });
    }

    /// Takes packets for lost, and hands out what they held.
    fn lose(&mut self, numbers: &[u64], settled: &mut Settled) {
        for &number in numbers {
            self.ledger.set(number, Fate::Lost);
            settled.lost.extend(self.ledger.contents(number).cloned());
        }
    }

    fn on_congestion(&mut self, now: Instant, in_flight_bytes: u64, marked: bool) {
        self.loss.on_recovery();
        match self.resume.as_mut().and_then(|resume| resume.on_loss()) {
            Some(borne) => self.controller.retreat(now, borne),
            None => self.controller.on_congestion(now, in_flight_bytes),
        }
        self.stats.congestion_events += 1;
        self.cuts.push(now, marked);
        self.prr = self
            .controller
            .wants_prr()
            .then(|| Prr::new(in_flight_bytes, self.controller.window(), self.mss));
    }

    /// Whether the lost packets span a time in which probes should have got through, with nothing
    /// acknowledged between (RFC 9002 section 7.6.2).
    fn is_persistent(&self, lost: &[u64]) -> bool {
        let Some(rtt_at) = self.first_rtt_at else { return false };
        let bound = self.rtt.pto() * PERSISTENT_PTOS;
        let mut run: Option<(u64, Instant)> = None;
        lost.iter().any(|&number| {
            let Some((sent, _)) = self.ledger.get(number) else { return false };
            if sent.at < rtt_at {
                return false;
            }
            let broken =
                run.is_none_or(|(before, _)| self.known.missing(before..number).count() != 1);
            let start = if broken { sent.at } else { run.map_or(sent.at, |(_, start)| start) };
            run = Some((number, start));
            sent.at - start > bound
        })
    }

    /// Lost packets that left before this are forgotten: an ACK so late says nothing any more.
    fn forget_before(&self, now: Instant) -> Instant {
        let keep = (self.rtt.pto() * PERSISTENT_PTOS).max(self.loss.delay(&self.rtt) * 2);
        let keep = keep.as_nanos();
        let keep = u64::try_from(keep).unwrap_or(u64::MAX);
        Instant::from_nanos(now.as_nanos().saturating_sub(keep))
    }

    /// When something has to be done if no ACK arrives; `delay_max` is how long the peer may hold
    /// one back.
    pub fn deadline(&self, delay_max: Duration) -> Option<Instant> {
        if self.loss_at.is_some() {
            return self.loss_at;
        }
        if self.ledger.flying() == 0 {
            return None;
        }
        let hurried = self.hurries[1] && self.ptos == 0;
        let delay_max = if hurried { Duration::ZERO } else { delay_max };
        // What is on its way is answered within this time of the last answer. Whoever goes on sending,
        // as pacing lets one do for a round trip or two, must not put the probe off by it.
        let since = if self.ptos == 0 { self.heard_at } else { self.last_eliciting_at };
        Some(since + self.pto(delay_max))
    }

    /// The probe timeout, backed off (RFC 9002 section 6.2.1).
    pub fn pto(&self, delay_max: Duration) -> Duration {
        let base = self.rtt.pto() + delay_max;
        if self.ptos == 0 {
            return base;
        }
        let cap = PTO_MAX.max(self.rtt.smoothed() * PTO_MAX_ROUNDS).max(base);
        base.saturating_mul(1_u32 << self.ptos.min(20)).min(cap)
    }

    /// Acts on the deadline. Whether probes are to be sent now.
    pub fn on_deadline(
        &mut self,
        now: Instant,
        delay_max: Duration,
        settled: &mut Settled,
    ) -> bool {
        let Some(deadline) = self.deadline(delay_max).filter(|&deadline| deadline <= now) else {
            return false;
        };
        if self.loss_at == Some(deadline) {
            self.detect(now, settled);
            return false;
        }
        self.ptos += 1;
        self.ecn.on_silence();
        self.pmtud.on_silence();
        self.stats.probe_timeouts += 1;
        let count = self.ptos;
        self.tracer.emit(|| TransportEvent::ProbeTimeout { count });
        // Into a silence that lasts one goes at a time.
        self.probes = if count > PERSISTENT_PTOS { 1 } else { PROBES };
        // The next deadline counts from here even if nothing can be sent.
        self.last_eliciting_at = now;
        true
    }

    /// Gives everything up that is on its way, without blaming the path: the peer has kept nothing of
    /// it, and says so in answer to the packet of this number. That answer measures the round trip
    /// (RFC 9002 section 6.2.2), and what was sent in vain does not hold back what follows.
    pub fn restart(&mut self, now: Instant, number: u64, settled: &mut Settled) {
        if let Some((sent, _)) = self.ledger.get(number) {
            self.rtt = Rtt::remembered((now - sent.at).max(GRANULARITY));
        }
        self.pacer = Pacer::new();
        let mut lost = mem::take(&mut settled.lost_numbers);
        lost.clear();
        let next = self.ledger.next();
        lost.extend(self.ledger.flying_below(next).map(|(number, _)| number));
        self.trace_lost(&lost, Some(LossCause::Restart));
        self.lose(&lost, settled);
        settled.lost_numbers = lost;
        (self.loss_at, self.ptos, self.probes) = (None, 0, 0);
    }

    /// Whether a packet of this number was sent and is not settled.
    pub fn was_sent(&self, number: u64) -> bool {
        self.ledger.get(number).is_some()
    }

    /// The contents of the oldest packets on their way, of so many at most: what a probe repeats.
    pub fn oldest(&mut self, packets_max: usize, contents: &mut Vec<Content>) {
        let next = self.ledger.next();
        let oldest = self.ledger.flying_below(next).map(|(number, _)| number);
        for number in oldest.take(packets_max).collect::<Vec<_>>() {
            contents.extend(self.ledger.contents(number).cloned());
        }
    }

    /// Probe timeouts in a row.
    pub const fn ptos(&self) -> u32 {
        self.ptos
    }

    /// Bytes that may leave now for all that the window says. Probes may always.
    pub fn room(&self) -> u64 {
        if self.probes > 0 {
            return self.mss * u64::from(self.probes);
        }
        self.window().saturating_sub(self.ledger.in_flight_bytes())
    }

    /// The window in force: the controller's, or what the reduction allows during recovery.
    pub fn window(&self) -> u64 {
        match &self.prr {
            Some(prr) => prr.window(self.ledger.in_flight_bytes(), self.mss),
            None => self.first_window(),
        }
    }

    /// Whether a packet may leave now for all that pacing says; if not, when.
    pub fn pace(&mut self, now: Instant) -> Result<(), Instant> {
        if self.probes > 0 {
            return Ok(());
        }
        let rate = self.pacing_rate();
        self.pacer.check(now, rate, self.mss)
    }

    /// Bytes a second at which packets leave: the controller's wish, or a window spread over a round
    /// trip, a quarter faster so that pacing is never what limits (RFC 9002 section 7.7), twice as
    /// fast in slow start.
    pub fn pacing_rate(&self) -> u64 {
        if let Some(rate) = self.controller.pacing_rate() {
            return rate;
        }
        let window = u128::from(self.first_window());
        let slow_start = self.controller.window() < self.controller.ssthresh();
        let gain = if slow_start { 8 } else { 5 };
        let round = self.rtt.smoothed().max(Duration::from_micros(1)).as_nanos();
        u64::try_from(window * gain * 1_000_000_000 / 4 / round).unwrap_or(u64::MAX)
    }

    /// Sending stops because the application has nothing, or the peer takes nothing, not because the
    /// congestion window is full.
    pub fn rest(&mut self) {
        self.delivery.rest(self.ledger.in_flight_bytes());
    }
}
