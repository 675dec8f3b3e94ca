//! Two hosts in one process, and what they say to each other.

use core::{fmt::Write as _, net::SocketAddr, time::Duration};

use clap::ValueEnum;
use rdtp::{
    batch::Batch,
    endpoint::{Disposition, DropReason, Endpoint, RecvMeta},
    rng::Seed,
    time::Instant,
    transport::{
        connection::Event,
        cookie::Secret,
        host::{CookiePolicy, Host, HostConfig},
    },
    wire::transport::{ConnectionId, StreamId, dissect, seal},
};

use super::Failure;

/// What two hosts do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// Open a connection, ask and answer, and close it
    Handshake,
    /// The same with an acceptor that wants to see a cookie
    Cookie,
    /// Send to a host that has forgotten the connection
    Reset,
    /// Open a connection while somebody on the way writes a version that nobody speaks
    Versions,
}

/// One way.
const DELAY: Duration = Duration::from_millis(10);
const WHO: [&str; 2] = ["opener", "acceptor"];
/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_secs(1);

struct Exchange {
    what: What,
    hosts: [Host; 2],
    id: ConnectionId,
    now: Instant,
    flying: Vec<(Instant, usize, Vec<u8>)>,
    out: String,
}

fn address(node: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, if node == 0 { 1 } else { 2 }], 7))
}

fn host(what: What, n: u8) -> Result<Host, Failure> {
    let cookies =
        if what == What::Cookie { CookiePolicy::Always } else { HostConfig::default().cookies };
    let config = HostConfig { cookies, ..HostConfig::default() };
    Ok(Host::new(config, Secret::new([n; 16]), Seed::new(n.into()))?)
}

impl Exchange {
    /// Sends what a host has to send, and writes it down.
    fn send(&mut self, node: usize) -> Result<(), Failure> {
        let mut space = vec![0; 65_536];
        loop {
            let mut batch = Batch::new(&mut space);
            if self.hosts[node].poll_transmit(self.now, &mut batch).is_none() {
                return Ok(());
            }
            for datagram in batch.segments() {
                let mut datagram = datagram.to_vec();
                if self.what == What::Versions && node == 0 {
                    // Somebody on the way: the version stands behind checksum, kind and ID.
                    datagram[13..17].copy_from_slice(b"rdt\x63");
                    seal(&mut datagram);
                }
                let (ms, len) = (self.now.since_epoch().as_millis(), datagram.len());
                let (way, what) = (["-->", "<--"][node], dissect(&datagram).summary());
                writeln!(self.out, "{ms:>4} ms  {way}  {len:>5}  {what}")?;
                self.flying.push((self.now + DELAY, 1 - node, datagram));
            }
        }
    }

    /// What the applications do: the opener asks, the acceptor answers, and at the end the opener
    /// closes.
    fn act(&mut self, node: usize) -> Result<(), Failure> {
        while let Some(event) = self.hosts[node].poll_event() {
            let (id, now, stream) = (event.id, self.now, StreamId(0));
            if let Event::Closed(reason) = event.event
                && self.what != What::Handshake
            {
                let (ms, who) = (now.since_epoch().as_millis(), WHO[node]);
                writeln!(self.out, "{ms:>4} ms  {who} is told: {reason}")?;
            }
            let Some(connection) = self.hosts[node].get_mut(id) else { continue };
            let mut space = [0; 64];
            let heard = connection.read(now, stream, &mut space).is_ok();
            if heard && node == 1 {
                connection.write(stream, b"world")?;
                connection.finish(stream)?;
            } else if heard && self.what == What::Handshake {
                connection.close(now, 0, b"done");
            }
        }
        Ok(())
    }

    fn pass(&mut self, end: Instant) -> Result<(), Failure> {
        loop {
            for node in 0..2 {
                self.act(node)?;
                self.send(node)?;
            }
            let timers = self.hosts.iter().filter_map(Endpoint::poll_timeout);
            let arrivals = self.flying.iter().map(|(at, ..)| *at);
            let Some(next) = timers.chain(arrivals).min().filter(|next| *next <= end) else {
                self.now = end;
                return Ok(());
            };
            self.now = self.now.max(next);
            let now = self.now;
            for (_, to, datagram) in self.flying.extract_if(.., |(at, ..)| *at <= now) {
                let meta = RecvMeta::from(address(1 - to));
                let disposition = self.hosts[to].handle_datagram(now, meta, &datagram);
                if let Disposition::Discarded(DropReason::Guard { reason, .. }) = disposition {
                    let (ms, who) = (now.since_epoch().as_millis(), WHO[to]);
                    writeln!(self.out, "{ms:>4} ms  {who} refuses it: {reason}")?;
                }
            }
            for host in &mut self.hosts {
                host.handle_timeout(now);
            }
        }
    }
}

/// The datagrams of an exchange, a line each, and how it ended.
pub(super) fn run(what: What) -> Result<String, Failure> {
    let now = Instant::ZERO;
    let hosts = [host(what, 1)?, host(what, 2)?];
    let (id, flying) = (ConnectionId(0), Vec::new());
    let out = String::from("   time  way  bytes  packet [frames]\n");
    let mut exchange = Exchange { what, hosts, id, now, flying, out };
    exchange.id = exchange.hosts[0].open(now, address(1));
    let id = exchange.id;
    let connection = exchange.hosts[0].get_mut(id).ok_or_else(gone)?;
    let stream = connection.open_stream(0)?;
    connection.write(stream, b"hello")?;
    connection.finish(stream)?;
    exchange.pass(now + LIMIT)?;
    if what == What::Reset {
        exchange.out.push_str("         the acceptor starts again, with the same key\n");
        exchange.hosts[1] = host(what, 2)?;
        let connection = exchange.hosts[0].get_mut(id).ok_or_else(gone)?;
        let stream = connection.open_stream(0)?;
        connection.write(stream, b"are you there?")?;
        exchange.pass(now + LIMIT * 2)?;
    }
    Ok(exchange.out)
}

fn gone() -> Failure {
    Failure("the connection is gone".into())
}
