//! A shipped endpoint that breaks a rule between it and its driver.

use core::time::Duration;

use rdtp::{
    batch::Batch,
    classic::{Conversation, Event, RttEstimator, SendError, Stats},
    endpoint::{Disposition, Endpoint, RecvMeta, Transmit},
    time::Instant,
};

/// Which rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vice {
    None,
    /// `poll_timeout` knows timers only.
    HidesWhatIsReady,
    /// `handle_timeout` does not look at the deadline.
    ActsEarly,
    /// An event stays in its queue when it is told.
    TellsTwice,
}

pub(crate) struct Vicious {
    inner: Box<dyn Conversation + Send>,
    vice: Vice,
    now: Instant,
    again: Option<Event>,
}

impl Vicious {
    pub(crate) fn new(inner: Box<dyn Conversation + Send>, vice: Vice) -> Self {
        Self { inner, vice, now: Instant::ZERO, again: None }
    }
}

/// Further away than any timer.
const EARLY: Duration = Duration::from_secs(1);

impl Endpoint for Vicious {
    type Event = Event;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        self.now = now;
        self.inner.handle_datagram(now, meta, datagram)
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.inner.handle_timeout(if self.vice == Vice::ActsEarly { now + EARLY } else { now });
    }
    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        self.now = now;
        self.inner.poll_transmit(now, batch)
    }
    fn poll_timeout(&self) -> Option<Instant> {
        let due = self.inner.poll_timeout();
        match self.vice {
            Vice::HidesWhatIsReady => due.filter(|due| *due > self.now),
            _ if self.again.is_some() => Some(self.now),
            _ => due,
        }
    }
    fn poll_event(&mut self) -> Option<Event> {
        self.again.take().or_else(|| {
            let event = self.inner.poll_event()?;
            self.again = (self.vice == Vice::TellsTwice).then(|| event.clone());
            Some(event)
        })
    }
}

impl Conversation for Vicious {
    fn send(&mut self, now: Instant, message: &[u8]) -> Result<(), SendError> {
        self.now = now;
        self.inner.send(now, message)
    }
    fn queue_room(&self) -> usize {
        self.inner.queue_room()
    }
    fn is_idle(&self) -> bool {
        self.inner.is_idle()
    }
    fn is_stalled(&self) -> bool {
        self.inner.is_stalled()
    }
    fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }
    fn unacked(&self) -> u64 {
        self.inner.unacked()
    }
    fn stats(&self) -> &Stats {
        self.inner.stats()
    }
    fn rtt(&self) -> &RttEstimator {
        self.inner.rtt()
    }
}
