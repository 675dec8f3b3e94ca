//! What a host lends to a driver that sends packets from where they lie.

use alloc::vec::Vec;

use super::{super::lend::LentRun, Host};
use crate::{
    batch::Batch,
    endpoint::{Endpoint, Offer},
    time::Instant,
    wire::transport::ConnectionId,
};

/// Packets that a driver sends from where they lie.
#[derive(Debug, Default)]
pub(super) struct Lending {
    /// Whether the driver is one that does so.
    pub(super) is_on: bool,
    runs: Vec<LentRun>,
    /// Whose they are, offer by offer, and where those of each offer end.
    offers: Vec<(ConnectionId, usize)>,
}

impl Lending {
    pub(super) fn take_back(&mut self) {
        self.runs.clear();
        self.offers.clear();
    }
}

impl Host {
    /// See [`Endpoint::poll_offer`].
    pub(super) fn next_offer(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Offer> {
        if !core::mem::replace(&mut self.lending.is_on, true) {
            let connections = self.entries.values_mut();
            connections.for_each(|entry| entry.connection.set_lending(true));
        }
        self.refresh(now);
        if !self.answers.is_empty() {
            return self.poll_transmit(now, batch).map(Offer::Written);
        }
        for _ in 0..self.sending.len() {
            let id = self.sending.pop_front()?;
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            entry.flags.queued = false;
            if !entry.flags.sending {
                continue;
            }
            let lending = &mut self.lending;
            let offer = entry.connection.offer(now, batch, &mut lending.runs);
            if let Some(Offer::Lent(_)) = offer {
                lending.offers.push((id, lending.runs.len()));
            }
            self.touch(id);
            self.refresh(now);
            if offer.is_some() {
                return offer;
            }
        }
        None
    }

    /// See [`Endpoint::lent`].
    pub(super) fn show_lent<'a>(&'a self, nth: usize, each: &mut dyn FnMut(&'a [u8])) {
        let Lending { runs, offers, .. } = &self.lending;
        let Some(&(id, end)) = offers.get(nth) else { return };
        let start = nth.checked_sub(1).map_or(0, |before| offers[before].1);
        let Some(connection) = self.get(id) else { return };
        runs[start..end].iter().flat_map(|run| connection.lent(run)).for_each(each);
    }
}
