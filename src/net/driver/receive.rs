//! What arrives, from the socket to the endpoint.

use core::mem;
use std::io;

use super::Driver;
use crate::{
    endpoint::{Disposition, Endpoint, RecvMeta, Train},
    sys::udp::Inbox,
    time::Instant,
    trace::Observer,
};

impl<E: Endpoint> Driver<E> {
    /// Whether something has been taken from the socket and not been looked at.
    pub(in crate::net) fn has_arrivals(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// Whether there may be something to look at. Otherwise what comes from now on is news to whoever
    /// is told when the socket becomes ready.
    #[cfg(feature = "tokio")]
    pub(in crate::net) fn may_have_arrivals(&self) -> bool {
        self.has_arrivals() || self.inbox.was_full()
    }

    /// Takes what the socket has, unless something is left; whether there is something now.
    pub(in crate::net) fn fetch(&mut self) -> io::Result<bool> {
        if self.inbox.is_empty() {
            self.socket.recv_batch(&mut self.inbox)?;
        }
        Ok(self.has_arrivals())
    }

    /// Takes datagrams from the socket, and from the incoming link what has arrived there.
    pub(super) fn receive(
        &mut self,
        observer: &mut (impl Observer + ?Sized),
        handle: &mut impl FnMut(&mut E, Instant, RecvMeta, Train<'_>) -> Option<(usize, Disposition)>,
    ) -> io::Result<usize> {
        let mut received = 0;
        let mut taken = 0;
        while taken < Self::RECEIVE_MAX && self.fetch()? {
            let inbox = mem::take(&mut self.inbox);
            let (count, left) = self.look_through(&inbox, observer, handle);
            self.inbox = inbox;
            taken += count;
            received += if self.links.is_some() { 0 } else { count };
            if let Some((messages, bytes)) = left {
                self.inbox.leave(messages, bytes);
                return Ok(received);
            }
            self.inbox.clear();
            if !self.inbox.was_full() {
                break;
            }
        }
        let now = self.clock.now();
        while received < Self::RECEIVE_MAX {
            let Some(links) = &mut self.links else { break };
            let Some(delivery) = links.incoming.poll_deliver(now) else { break };
            let meta = RecvMeta::from(delivery.tag);
            // Nothing stays in a link that has left it: who wants nothing now loses it.
            let train = Train::one(&delivery.bytes);
            let taken = handle(&mut self.endpoint, now, meta, train);
            self.stats.took(train, taken.map_or(Disposition::Accepted, |(_, what)| what));
            links.incoming.recycle(delivery.bytes);
            received += 1;
            self.trace(now, observer);
        }
        Ok(received)
    }

    /// Hands over what came with one call. Returns how many datagrams, and where the rest begins if one
    /// is not wanted now: after so many messages, and so many bytes of the next.
    fn look_through(
        &mut self,
        inbox: &Inbox,
        observer: &mut (impl Observer + ?Sized),
        handle: &mut impl FnMut(&mut E, Instant, RecvMeta, Train<'_>) -> Option<(usize, Disposition)>,
    ) -> (usize, Option<(usize, usize)>) {
        let now = self.clock.now();
        let mut count = 0;
        for (messages, (message, arrival)) in inbox.messages().enumerate() {
            let meta = RecvMeta { source: arrival.source, ecn: arrival.ecn, local: arrival.local };
            let mut rest = Some(Train::new(message, arrival.stride));
            if let Some(links) = &mut self.links {
                for datagram in rest.take().iter().flat_map(Train::datagrams) {
                    links.incoming.offer(now, datagram, meta.source);
                    count += 1;
                }
            }
            while let Some(train) = rest {
                let Some((taken, what)) = handle(&mut self.endpoint, now, meta, train) else {
                    return (count, Some((messages, message.len() - train.bytes().len())));
                };
                // One that takes none would be asked for ever.
                let taken = taken.max(1);
                self.stats.took(train.up_to(taken), what);
                self.trace(now, observer);
                count += taken;
                rest = train.after(taken);
            }
        }
        (count, None)
    }
}
