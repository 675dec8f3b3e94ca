//! What recovery learns of the path: how long packets may be, whether they are marked, and that it is
//! another one.

use alloc::vec::Vec;
use core::time::Duration;

use super::{
    super::{
        cc::Algorithm,
        ecn::EcnPath,
        loss::LossDetector,
        pacer::Pacer,
        pmtud::Pmtud,
        rtt::{GRANULARITY, Rtt},
    },
    PROBES, Recovery, Settled,
};
use crate::{time::Instant, trace::transport::LossCause};

impl Recovery {
    /// A probe for a longer path MTU left: a packet that holds nothing.
    pub fn on_mtu_probe_sent(&mut self, now: Instant, bytes: usize) -> u64 {
        let number = self.on_sent(now, bytes, true, []);
        self.pmtud.on_probe_sent(number);
        number
    }

    /// Tells the search for the MTU which packets are lost, and takes its probe out of `lost`: that
    /// says nothing of congestion (RFC 9000 section 14.4).
    pub(super) fn give_up_lengths(
        &mut self,
        now: Instant,
        lost: &mut Vec<u64>,
        settled: &mut Settled,
    ) {
        let (probe, next) = (self.pmtud.probe(), self.ledger.next());
        for &number in &*lost {
            if let Some((sent, _)) = self.ledger.get(number) {
                self.pmtud.on_lost(now, number, sent.bytes as usize, next);
            }
        }
        if let Some(at) = lost.iter().position(|&number| Some(number) == probe) {
            let probe = [lost.remove(at)];
            self.trace_lost(&probe, Some(LossCause::Probe));
            self.lose(&probe, settled);
        }
    }

    /// The unit of congestion control is the packet as long as it may be.
    pub(super) fn follow_mtu(&mut self) {
        let bytes = self.pmtud.proven_bytes() as u64;
        if bytes != self.mss {
            self.mss = bytes;
            self.controller.set_mss(bytes);
        }
    }

    /// How long packets may be; see [`Pmtud`].
    pub const fn pmtud(&self) -> &Pmtud {
        &self.pmtud
    }

    /// The length of the probe for a longer path MTU that may leave now.
    pub(in crate::transport) fn mtu_probe_bytes(&mut self, now: Instant) -> Option<usize> {
        self.pmtud.probe_bytes(now)
    }

    /// The peer takes no packets longer than that.
    pub fn limit_packets(&mut self, now: Instant, bytes_max: usize) {
        self.pmtud.limit(now, bytes_max);
        self.follow_mtu();
    }

    /// The way to the peer is another: what is on its way and gets lost says nothing of the new one.
    /// With `anew`, an algorithm and a first guess at the round trip, nothing that was learned holds
    /// any more (RFC 9000 section 9.4).
    pub fn on_moved(&mut self, now: Instant, anew: Option<(Algorithm, Duration)>) {
        self.cuts.begin(now);
        self.ecn.restart();
        (self.prr, self.ptos, self.probes, self.heard_at) = (None, 0, PROBES, now);
        if let Some((algorithm, rtt)) = anew {
            self.pmtud.restart(now);
            self.mss = self.pmtud.proven_bytes() as u64;
            self.controller = algorithm.controller(self.mss);
            self.rtt = Rtt::new(rtt.max(GRANULARITY));
            self.loss = LossDetector::default();
            (self.pacer, self.first_rtt_at, self.moved_at) = (Pacer::new(), None, now);
        }
    }

    /// Routers have marked packets, the newest of which left at `sent`: that says the same as a loss,
    /// once a round trip (RFC 9002 section 7.1).
    pub(super) fn on_marks(&mut self, now: Instant, sent: Instant, in_flight_bytes: u64) {
        if self.cuts.latest().is_none_or(|cut| sent > cut) {
            self.on_congestion(now, in_flight_bytes, true);
        }
    }

    /// What is known of the path's treatment of marks.
    pub const fn ecn(&self) -> &EcnPath {
        &self.ecn
    }
}
