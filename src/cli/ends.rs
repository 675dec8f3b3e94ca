//! The ends of a transfer, whatever carries it.

use core::net::SocketAddr;

use rdtp::{
    batch::Batch,
    classic::{Conversation, Event, SendError, Stats},
    endpoint::{Disposition, Endpoint, Offer, RecvMeta, Transmit},
    hub::{Hub, HubEvent},
    time::Instant,
    trace::TraceEvent,
    transport::stats::Stats as ConnectionStats,
    wire::transport::ConnectionId,
};

use super::streams::{ABORTED, Caller, CloseReason, DONE, News, Streams};

pub(crate) type Talk = Box<dyn Conversation + Send>;

/// The end that sends a file, or one of two in a race.
pub(crate) enum End {
    Book(Talk),
    Transport(Box<Caller>),
}

impl End {
    fn inner(&self) -> &dyn Conversation {
        match self {
            Self::Book(talk) => talk,
            Self::Transport(caller) => &**caller,
        }
    }

    fn inner_mut(&mut self) -> &mut dyn Conversation {
        match self {
            Self::Book(talk) => talk,
            Self::Transport(caller) => &mut **caller,
        }
    }

    /// Tells the peer that no more comes: by its last message, or by closing the connection.
    pub(crate) fn abort(&mut self, now: Instant, message: &[u8]) {
        match self {
            // Whether it is heard is the network's business.
            Self::Book(talk) => drop(talk.send(now, message)),
            Self::Transport(caller) => caller.close(now, ABORTED),
        }
    }

    /// All is said and heard.
    pub(crate) fn done(&mut self, now: Instant) {
        if let Self::Transport(caller) = self {
            caller.close(now, DONE);
        }
    }

    /// Why the connection is over, if there is one and it is.
    pub(crate) fn closed(&self) -> Option<CloseReason> {
        match self {
            Self::Book(_) => None,
            Self::Transport(caller) => caller.closed(),
        }
    }

    /// What the connection counted, if there is one.
    pub(crate) fn connection_stats(&self) -> Option<ConnectionStats> {
        match self {
            Self::Book(_) => None,
            Self::Transport(caller) => Some(caller.connection_stats()),
        }
    }
}

impl Endpoint for End {
    type Event = Event;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        self.inner_mut().handle_datagram(now, meta, datagram)
    }
    fn handle_timeout(&mut self, now: Instant) {
        self.inner_mut().handle_timeout(now);
    }
    fn handle_move(&mut self, now: Instant) {
        self.inner_mut().handle_move(now);
    }
    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        self.inner_mut().poll_transmit(now, batch)
    }
    fn poll_offer(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Offer> {
        self.inner_mut().poll_offer(now, batch)
    }
    fn lent<'a>(&'a self, nth: usize, each: &mut dyn FnMut(&'a [u8])) {
        self.inner().lent(nth, each);
    }
    fn take_back(&mut self) {
        self.inner_mut().take_back();
    }
    fn poll_timeout(&self) -> Option<Instant> {
        self.inner().poll_timeout()
    }
    fn poll_event(&mut self) -> Option<Event> {
        self.inner_mut().poll_event()
    }
    fn set_tracing(&mut self, on: bool) {
        self.inner_mut().set_tracing(on);
    }
    fn poll_trace(&mut self) -> Option<TraceEvent> {
        self.inner_mut().poll_trace()
    }
}

impl Conversation for End {
    fn send(&mut self, now: Instant, message: &[u8]) -> Result<(), SendError> {
        self.inner_mut().send(now, message)
    }
    fn queue_room(&self) -> usize {
        self.inner().queue_room()
    }
    fn is_idle(&self) -> bool {
        self.inner().is_idle()
    }
    fn is_stalled(&self) -> bool {
        self.inner().is_stalled()
    }
    fn is_closed(&self) -> bool {
        self.inner().is_closed()
    }
    fn unacked(&self) -> u64 {
        self.inner().unacked()
    }
    fn stats(&self) -> &Stats {
        self.inner().stats()
    }
}

pub(crate) type Hubs = Hub<Talk, Box<dyn FnMut(Instant, SocketAddr) -> Option<Talk>>>;

/// Who sends to us: an address, or a connection, which may move to another address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sender {
    Book(SocketAddr),
    Transport(ConnectionId),
}

/// What a sender does.
#[derive(Debug)]
pub(crate) enum Act {
    /// It is new, and sends from there.
    Joins(SocketAddr),
    Delivers(rdtp::classic::Payload),
    /// It has all that we sent.
    Hears,
    /// It is gone, for this reason where one is known.
    Leaves(Option<CloseReason>),
}

/// The end that receives files from many senders.
pub(crate) enum Callers {
    Book(Box<Hubs>),
    Transport(Box<Streams>),
}

impl Callers {
    /// Sends a message to one of them. Whoever is gone does not hear it.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        to: Sender,
        message: &[u8],
    ) -> Result<(), SendError> {
        match (self, to) {
            (Self::Book(hub), Sender::Book(peer)) => {
                hub.get_mut(peer).map_or(Ok(()), |talk| talk.send(now, message))
            }
            (Self::Transport(streams), Sender::Transport(id)) => {
                // There is always room for the one message of a verdict, unless all is over.
                streams.send(id, message);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Forgets one of them.
    pub(crate) fn remove(&mut self, now: Instant, sender: Sender) {
        match (self, sender) {
            (Self::Book(hub), Sender::Book(peer)) => drop(hub.remove(peer)),
            (Self::Transport(streams), Sender::Transport(id)) => streams.close(now, id, ABORTED),
            _ => {}
        }
    }
}

impl Endpoint for Callers {
    type Event = (Sender, Act);

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        match self {
            Self::Book(hub) => hub.handle_datagram(now, meta, datagram),
            Self::Transport(streams) => streams.handle_datagram(now, meta, datagram),
        }
    }
    fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Book(hub) => hub.handle_timeout(now),
            Self::Transport(streams) => streams.handle_timeout(now),
        }
    }
    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        match self {
            Self::Book(hub) => hub.poll_transmit(now, batch),
            Self::Transport(streams) => streams.poll_transmit(now, batch),
        }
    }
    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Book(hub) => hub.poll_timeout(),
            Self::Transport(streams) => streams.poll_timeout(),
        }
    }
    fn poll_event(&mut self) -> Option<Self::Event> {
        match self {
            Self::Book(hub) => Some(of_hub(hub.poll_event()?)),
            Self::Transport(streams) => Some(of_streams(streams.poll_event()?)),
        }
    }
    fn set_tracing(&mut self, on: bool) {
        match self {
            Self::Book(hub) => hub.set_tracing(on),
            Self::Transport(streams) => streams.set_tracing(on),
        }
    }
    fn poll_trace(&mut self) -> Option<TraceEvent> {
        match self {
            Self::Book(hub) => hub.poll_trace(),
            Self::Transport(streams) => streams.poll_trace(),
        }
    }
}

fn of_hub(event: HubEvent<Event>) -> (Sender, Act) {
    let (peer, act) = match event {
        HubEvent::Joined(peer) => (peer, Act::Joins(peer)),
        HubEvent::Peer(peer, Event::Delivered(message)) => (peer, Act::Delivers(message)),
        HubEvent::Peer(peer, Event::Acknowledged { .. }) => (peer, Act::Hears),
        HubEvent::Peer(peer, Event::GaveUp { .. }) | HubEvent::Left(peer) => {
            (peer, Act::Leaves(None))
        }
    };
    (Sender::Book(peer), act)
}

fn of_streams((id, news): (ConnectionId, News)) -> (Sender, Act) {
    let act = match news {
        News::Joined(peer) => Act::Joins(peer),
        News::Delivered(message) => Act::Delivers(message),
        News::Acknowledged(_) => Act::Hears,
        News::Left(reason) => Act::Leaves(Some(reason)),
    };
    (Sender::Transport(id), act)
}
