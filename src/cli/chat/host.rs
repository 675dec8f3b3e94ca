//! `--peer` with a port: server and client in one program, and the client need not know.

use core::net::SocketAddr;
use std::io;

use rdtp::{
    app::chat::{Frames, Lane, PeerId, ServerEvent, ServerLimits, Wire},
    link::Profile,
    net::Clock,
    time::Instant,
};
use rustix::event::{PollFd, PollFlags};

use super::serve::Hosting;
use crate::cli::carrier::{Carrier, News, Traffic};

/// A server, as a carrier for the client of the same program: between the two frames go without a
/// socket, and what is below the server is what can be watched and made worse.
pub(super) struct Host {
    hosting: Hosting,
    /// Who the client of this program is to the server.
    own: PeerId,
    clock: Clock,
    /// A connection that was asked for and is not reported yet.
    called: bool,
}

impl Host {
    /// A server for two behind a carrier.
    pub(super) fn new(carrier: Box<dyn Carrier>, clock: Clock) -> Self {
        let own = PeerId { address: carrier.local_addr(), number: u64::MAX };
        let limits = ServerLimits { peers_max: 2, ..ServerLimits::default() };
        Self { hosting: Hosting::new(carrier, limits), own, clock, called: false }
    }

    /// Gives the carrier what the server has. When the own user has gone, the server stops and tells
    /// the other.
    fn flush(&mut self) {
        while let Some(event) = self.hosting.server.poll_event() {
            if matches!(event, ServerEvent::Dropped { peer, .. } if peer == self.own) {
                self.hosting.server.stop();
            }
        }
        self.hosting.flush(Some(self.own));
    }
}

impl Carrier for Host {
    fn wire(&self) -> Wire {
        Wire::Stream
    }

    fn local_addr(&self) -> SocketAddr {
        self.hosting.carrier.local_addr()
    }

    fn fds<'a>(&'a self, fds: &mut Vec<PollFd<'a>>) {
        self.hosting.carrier.fds(fds);
    }

    fn deadline(&self) -> Option<Instant> {
        if self.called || self.hosting.server.has_output(self.own) {
            return Some(Instant::ZERO);
        }
        self.hosting.deadline()
    }

    fn step(&mut self, ready: &[PollFlags], news: &mut Vec<News>) -> io::Result<()> {
        let now = self.clock.now();
        if core::mem::take(&mut self.called) {
            self.hosting.server.connected(now, self.own);
            news.push(News::Opened(self.own));
        }
        self.hosting.step(now, ready)?;
        let framed = |frame: &[u8]| [&Frames::prefix(frame.len())[..], frame].concat();
        while let Some(frame) = self.hosting.server.poll_talk(self.own) {
            news.push(News::Bytes(self.own, Lane::Talk, framed(&frame)));
        }
        while let Some(frame) = self.hosting.server.poll_bulk(self.own) {
            news.push(News::Bytes(self.own, Lane::Bulk, framed(&frame)));
        }
        self.flush();
        Ok(())
    }

    fn connect(&mut self) -> io::Result<PeerId> {
        self.called = true;
        Ok(self.own)
    }

    fn has_room(&self, _: PeerId, _: Lane) -> bool {
        true
    }

    fn send(&mut self, peer: PeerId, lane: Lane, bytes: &[u8]) {
        self.hosting.server.handle_bytes(self.clock.now(), peer, lane, bytes);
        self.flush();
    }

    fn hold(&mut self, _: PeerId, _: bool) {}

    fn close(&mut self, peer: PeerId) {
        self.hosting.server.disconnected(self.clock.now(), peer);
    }

    fn has_work(&self) -> bool {
        !self.hosting.server.is_quiet() || self.hosting.carrier.has_work()
    }

    fn traffic(&self) -> Option<Traffic> {
        self.hosting.carrier.traffic()
    }

    fn set_link(&mut self, profile: &Profile) -> bool {
        self.hosting.carrier.set_link(profile)
    }
}
