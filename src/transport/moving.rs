//! Peers that move: what a connection does when its path asks, and when it has changed.

use super::{
    connection::Connection,
    path::{Aside, Moved},
    pmtud::Pmtud,
    validation::Validation,
};
use crate::{
    batch::Batch,
    ecn::Ecn,
    endpoint::Transmit,
    time::Instant,
    trace::transport::TransportEvent,
    wire::transport::{Frame, Writer, seal},
};

impl Connection {
    /// Says that this side has another address, or another way to the peer: the peer is to hear of it
    /// at once, and nothing that was learned of the path is true any more (RFC 9000 section 9.4).
    /// Only the side that opened a connection may move; the other side's address is kept to.
    pub fn announce_move(&mut self, now: Instant) {
        if self.life.is_established() && !self.acceptor {
            let rtt = self.recovery.rtt().smoothed();
            self.recovery.on_moved(now, Some((self.config.congestion, rtt)));
            self.settle();
            self.ping = true;
            self.counted.moves += 1;
        }
    }

    /// The peer has shown that it is at another address.
    pub(super) fn on_moved(&mut self, now: Instant, moved: Moved) {
        self.validation = Validation::trusted();
        let rtt = moved.rtt.unwrap_or(self.config.rtt_initial);
        let anew = (!moved.is_port_only()).then_some((self.config.congestion, rtt));
        self.recovery.on_moved(now, anew);
        self.settle();
        self.ping = true;
        let Moved { from, to, .. } = moved;
        self.trace(|| TransportEvent::Moved { from, to });
    }

    /// Writes the challenge for an address that may be the peer's, if one is due: alone, and as long
    /// as the account of that address allows (RFC 9000 section 8.2.1).
    pub(super) fn poll_aside(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        if !self.life.is_established() {
            return None;
        }
        let Aside { to, challenge, budget } = self.path.poll(now)?;
        let pto = self.recovery.pto(self.peer_params.max_ack_delay);
        let len = usize::try_from(budget).unwrap_or(usize::MAX).min(Pmtud::FLOOR);
        let mut written = None;
        batch.write_up_to(len, |space| {
            let mut writer = Writer::new(space);
            self.write_header(&mut writer);
            Frame::PathChallenge(challenge).encode(&mut writer);
            let rest = writer.room();
            if rest > 0 {
                Frame::Padding(rest).encode(&mut writer);
            }
            seal(writer.written());
            // It says nothing of the path that everything else takes.
            written = Some(self.recovery.on_sent(now, len, false, []));
            len
        });
        let number = written?;
        self.path.on_sent(now, len, pto);
        self.trace_sent(number, false, false, batch.as_bytes());
        self.counted.datagrams_sent += 1;
        self.counted.bytes_sent += len as u64;
        let ecn = Ecn::NotEct;
        Some(Transmit { destination: to, source: None, ecn, size: len, segment_size: None })
    }
}
