//! The way to the peer: the monitor over its carrier, on real sockets.

use core::net::SocketAddr;
use std::io;

use rdtp::{
    app::monitor::{Monitor, MonitorEndpoint as _},
    link::{Link, Profile},
    net::{Clock, Driver, Socket, SocketConfig, wait},
    rng::Seed,
    time::Instant,
    trace::NodeId,
};

use super::{
    super::{Failure, carrier::Over},
    bell::Bell,
    sides::{Probing, inspect},
    tcp::TcpWay,
};

/// A bad network that was asked for, and its seed.
pub(super) type Network = Option<(Profile, Seed)>;

/// The links out and back, able to look into what the carrier sends.
pub(super) fn links(over: Over, profile: &Profile, seed: Seed) -> [Link<SocketAddr>; 2] {
    profile.links(seed).map(|link| match inspect(over) {
        Some(inspect) => link.with_inspect(inspect),
        None => link,
    })
}

/// The monitor over datagrams or over TCP.
pub(super) enum Way {
    Datagrams(Box<Datagrams>),
    Tcp(Box<TcpWay>),
}

/// The monitor over datagrams.
pub(super) struct Datagrams {
    over: Over,
    peer: SocketAddr,
    network: Network,
    /// `None` only while it is made anew.
    driver: Option<Driver<Probing>>,
    clock: Clock,
    /// How often it was made, and where its chance comes from.
    starts: u64,
    secret: Seed,
    /// Errors that the system has reported, such as a port that nobody listens at.
    errors: u64,
}

impl Way {
    pub(super) fn new(
        over: Over,
        monitor: Monitor,
        peer: SocketAddr,
        network: Network,
        secret: Seed,
        clock: Clock,
    ) -> Result<Self, Failure> {
        if over == Over::Tcp {
            return Ok(Self::Tcp(Box::new(TcpWay::new(monitor, peer, clock))));
        }
        let mut way =
            Datagrams { over, peer, network, driver: None, clock, starts: 0, secret, errors: 0 };
        way.start(monitor)?;
        Ok(Self::Datagrams(Box::new(way)))
    }

    pub(super) fn monitor(&self) -> Option<&Monitor> {
        match self {
            Self::Datagrams(way) => way.driver.as_ref().map(|driver| driver.endpoint().monitor()),
            Self::Tcp(way) => Some(way.monitor()),
        }
    }

    pub(super) fn monitor_mut(&mut self) -> Option<&mut Monitor> {
        match self {
            Self::Datagrams(way) => {
                way.driver.as_mut().map(|driver| driver.endpoint_mut().monitor_mut())
            }
            Self::Tcp(way) => Some(way.monitor_mut()),
        }
    }

    /// Waits until something happens or `until` comes, and does what is to be done.
    pub(super) fn turn(&mut self, bell: &Bell, until: Option<Instant>) -> Result<(), Failure> {
        match self {
            Self::Datagrams(way) => way.turn(bell, until),
            Self::Tcp(way) => Ok(way.turn(bell, until)?),
        }
    }

    /// A probe went unanswered: what is known of the reason. Begins anew where that is the only way
    /// to be heard again.
    pub(super) fn after_silence(&mut self) -> Result<Option<String>, Failure> {
        match self {
            Self::Datagrams(way) => way.after_silence(),
            Self::Tcp(way) => Ok(way.take_trouble()),
        }
    }

    /// Takes leave.
    pub(super) fn close(&mut self) -> io::Result<()> {
        let Self::Datagrams(way) = self else { return Ok(()) };
        let Some(driver) = &mut way.driver else { return Ok(()) };
        driver.endpoint_mut().close(way.clock.now());
        // What is ready leaves; whether it arrives is the network's business.
        driver.step(&mut ()).map(drop)
    }

    /// Whether something has not left yet.
    pub(super) fn has_work(&self, now: Instant) -> bool {
        match self {
            Self::Datagrams(way) => way.driver.as_ref().is_some_and(|driver| driver.has_work(now)),
            Self::Tcp(_) => false,
        }
    }

    /// The links out and back, if there are any.
    pub(super) fn links(&self) -> Option<(&Link<SocketAddr>, &Link<SocketAddr>)> {
        match self {
            Self::Datagrams(way) => way.driver.as_ref()?.links(),
            Self::Tcp(_) => None,
        }
    }
}

impl Datagrams {
    fn start(&mut self, monitor: Monitor) -> Result<(), Failure> {
        let mut socket = Socket::bind_for(self.peer, &SocketConfig::default())?;
        // The system then reports a port that nobody listens at.
        socket.connect(self.peer)?;
        let side = Probing::new(self.over, monitor, self.peer, self.secret.index(self.starts))?;
        let mut driver = Driver::new(side, socket, self.clock);
        if let Some((profile, seed)) = &self.network {
            // What an old start had on its way is not for the new one.
            let seed = if self.starts == 0 { *seed } else { seed.index(self.starts) };
            let [up, down] = links(self.over, profile, seed);
            driver = driver.with_links(up, down, NodeId(1));
        }
        self.errors = 0;
        self.starts += 1;
        self.driver = Some(driver);
        Ok(())
    }

    fn turn(&mut self, bell: &Bell, until: Option<Instant>) -> Result<(), Failure> {
        let Some(driver) = &mut self.driver else { return Ok(()) };
        let until = driver.deadline().into_iter().chain(until).min();
        wait(&[bell.interest(), driver.interest()], until, &self.clock)?;
        driver.step(&mut ())?;
        Ok(())
    }

    fn after_silence(&mut self) -> Result<Option<String>, Failure> {
        let Some(driver) = &mut self.driver else { return Ok(None) };
        let errors = driver.socket().stats().recv_errors;
        let refused = errors > core::mem::replace(&mut self.errors, errors);
        let trouble = driver.endpoint_mut().trouble();
        if driver.endpoint().needs_new_start() && driver.endpoint().monitor().is_quiet() {
            let side = self.driver.take().map(Driver::into_endpoint);
            if let Some(monitor) = side.and_then(Probing::into_monitor) {
                self.start(monitor)?;
            }
        }
        let refused = refused.then(|| "port unreachable".to_owned());
        Ok(trouble.or(refused))
    }
}
