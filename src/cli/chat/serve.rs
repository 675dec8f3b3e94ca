//! `rdtp chat serve`: the server.

use core::{net::SocketAddr, time::Duration};
use std::{collections::BTreeSet, io, process::ExitCode};

use clap::Args;
use rdtp::{
    app::chat::{Bye, Lane, PeerId, Rate, Server, ServerEvent, ServerLimits},
    net::Clock,
    quantity::Span,
    time::Instant,
};
use serde_json::{Value, json};

use super::{Common, Outcome, compat, listen_at};
use crate::cli::{
    carrier::{self, Carrier, News, Side, send_frame},
    stop::Stop,
};

/// Serve a chat
///
/// Prints a line for everything that happens to users; --json prints objects. Ctrl-C tells everybody and
/// ends. Clients of a server that is started again come back by themselves.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = crate::cli::network::FAULTS)]
pub(super) struct Options {
    /// Where to listen: HOST:PORT, HOST, or a port on every address; port 0 lets the system choose
    #[arg(value_name = "ADDR")]
    address: Option<String>,
    #[command(flatten)]
    common: Common,
    /// Print objects of JSON, one to a line
    #[arg(long)]
    json: bool,
    /// Print messages taken too
    #[arg(long)]
    verbose: bool,
    /// Most users at the same time
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    max_users: usize,
    /// Messages a second that one user may say
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: u32,
    /// Messages that one user may say at once
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    burst: u32,
    /// How long a user whose connection was lost keeps name and rooms
    #[arg(long, value_name = "TIME", default_value = "60s")]
    keep: Span,
}

impl Options {
    /// A port alone, and everything else as usual.
    pub(super) fn at(port: u16, common: &Common) -> Self {
        Self {
            address: Some(port.to_string()),
            common: common.clone(),
            json: false,
            verbose: false,
            max_users: 20_000,
            rate: 5,
            burst: 20,
            keep: Span(Duration::from_mins(1)),
        }
    }

    /// The same at an address.
    pub(super) fn at_address(address: SocketAddr, common: &Common) -> Self {
        Self { address: Some(address.to_string()), ..Self::at(0, common) }
    }

    fn limits(&self) -> ServerLimits {
        ServerLimits {
            peers_max: self.max_users,
            messages: Rate { per_second: self.rate, burst: self.burst },
            frames: Rate {
                per_second: 200.max(self.rate.saturating_mul(4)),
                burst: 1_000.max(self.burst.saturating_mul(4)),
            },
            return_within: self.keep.0,
            ..ServerLimits::default()
        }
    }
}

/// How long the last words may take to leave.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A server behind a carrier.
pub(super) struct Hosting {
    pub(super) server: Server,
    pub(super) carrier: Box<dyn Carrier>,
    /// Peers for whom something waits that their carrier did not take.
    blocked: BTreeSet<PeerId>,
    news: Vec<News>,
}

impl Hosting {
    pub(super) fn new(carrier: Box<dyn Carrier>, limits: ServerLimits) -> Self {
        let server = Server::new(limits, carrier::secret());
        Self { server, carrier, blocked: BTreeSet::new(), news: Vec::new() }
    }

    /// Gives the carrier what the server has, as far as there is room.
    pub(super) fn flush(&mut self, except: Option<PeerId>) {
        while let Some((peer, frame)) = self.server.poll_stray() {
            self.carrier.send(peer, Lane::Talk, &frame);
        }
        while let Some((peer, held)) = self.server.poll_hold() {
            self.carrier.hold(peer, held);
        }
        while let Some(peer) = self.server.poll_ready() {
            if Some(peer) != except {
                self.blocked.insert(peer);
            }
        }
        let (server, carrier) = (&mut self.server, &mut *self.carrier);
        self.blocked.retain(|&peer| {
            while carrier.has_room(peer, Lane::Talk) {
                let Some(frame) = server.poll_talk(peer) else { break };
                send_frame(carrier, peer, Lane::Talk, &frame);
            }
            while carrier.has_room(peer, Lane::Bulk) {
                let Some(frame) = server.poll_bulk(peer) else { break };
                send_frame(carrier, peer, Lane::Bulk, &frame);
            }
            server.has_output(peer)
        });
        while let Some(peer) = self.server.poll_closed() {
            self.blocked.remove(&peer);
            self.carrier.close(peer);
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.server.poll_timeout(), self.carrier.deadline()].into_iter().flatten().min()
    }

    /// Takes what has arrived, and acts on deadlines.
    pub(super) fn step(
        &mut self,
        now: Instant,
        ready: &[rustix::event::PollFlags],
    ) -> io::Result<()> {
        let mut news = core::mem::take(&mut self.news);
        self.carrier.step(ready, &mut news)?;
        for item in news.drain(..) {
            match item {
                News::Opened(peer) => self.server.connected(now, peer),
                News::Bytes(peer, lane, bytes) => {
                    self.server.handle_bytes(now, peer, lane, &bytes);
                }
                News::Datagram(peer, bytes) => self.server.handle_datagram(now, peer, &bytes),
                News::Closed(peer) => {
                    self.blocked.remove(&peer);
                    self.server.disconnected(now, peer);
                }
                News::Gone(peer) => {
                    self.blocked.remove(&peer);
                    self.server.unreachable(now, peer);
                }
            }
        }
        self.news = news;
        self.server.handle_timeout(now);
        Ok(())
    }
}

pub(super) fn run(options: &Options) -> Outcome {
    let clock = Clock::start();
    let common = &options.common;
    let address = listen_at(options.address.as_deref(), common.port())?;
    if let Some(original) = common.compat {
        return compat::serve(original, address, common);
    }
    let side = Side::Listen(address);
    let carrier = carrier::open(common.over, side, common.bad(), clock)?;
    let log = Log { json: options.json, verbose: options.verbose, clock };
    log.listening(&common.over.to_string(), carrier.local_addr());
    let mut hosting = Hosting::new(carrier, options.limits());
    let stop = Stop::on_signals()?;
    let mut ready = Vec::new();
    let mut until = None;
    loop {
        if stop.is_asked() && until.is_none() {
            hosting.server.stop();
            until = Some(clock.now() + LAST_WORDS);
        }
        hosting.flush(None);
        while let Some(event) = hosting.server.poll_event() {
            log.event(&event);
        }
        if let Some(until) = until
            && (clock.now() >= until || (hosting.server.is_quiet() && !hosting.carrier.has_work()))
        {
            log.line("stopped", "", &json!({}));
            return Ok(ExitCode::SUCCESS);
        }
        let wake = hosting.deadline().into_iter().chain(until).min();
        carrier::wait(&[&*hosting.carrier], None, wake, &clock, &mut ready)?;
        hosting.step(clock.now(), &ready[0])?;
    }
}

/// What happened, a line each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log {
    json: bool,
    verbose: bool,
    clock: Clock,
}

impl Log {
    fn listening(&self, over: &str, address: SocketAddr) {
        // C1: a capture tool takes port 5000 for another protocol.
        if address.port() == 5000 {
            eprintln!("captures show port 5000 as IPA, \"Malformed Packet\": decode it as data");
        }
        let fields = json!({ "over": over, "address": address.to_string() });
        self.line("listening", &format!("over {over} at {address}"), &fields);
    }

    fn line(&self, event: &str, text: &str, fields: &Value) {
        let seconds = self.clock.now().since_epoch().as_secs_f64();
        if self.json {
            let mut object = json!({ "time": seconds, "event": event });
            if let (Some(object), Some(fields)) = (object.as_object_mut(), fields.as_object()) {
                object.extend(fields.clone());
            }
            say!("{object}");
        } else {
            say!("{seconds:9.3} {event} {text}");
        }
    }

    fn event(&self, event: &ServerEvent) {
        // Names have been checked: nothing in them steers a terminal.
        match event {
            ServerEvent::Joined { peer, nick, again } => {
                let word = if *again { "back" } else { "joined" };
                let fields = json!({ "nick": nick, "peer": peer.address.to_string() });
                self.line(word, &format!("{nick} from {}", peer.address), &fields);
            }
            ServerEvent::Lost { peer, nick } => {
                let fields = json!({ "nick": nick, "peer": peer.address.to_string() });
                self.line("lost", &format!("{nick} at {}", peer.address), &fields);
            }
            ServerEvent::Gone { nick } => self.line("gone", nick, &json!({ "nick": nick })),
            ServerEvent::Renamed { old, new } => {
                let fields = json!({ "old": old, "new": new });
                self.line("renamed", &format!("{old} to {new}"), &fields);
            }
            ServerEvent::Said { nick, to, bytes } => {
                if self.verbose {
                    let fields = json!({ "nick": nick, "to": to, "bytes": bytes });
                    self.line("said", &format!("{nick}: {bytes} bytes to {to}"), &fields);
                }
            }
            ServerEvent::Refused { peer, reason } => {
                let reason = format!("{reason:?}");
                let fields = json!({ "peer": peer.address.to_string(), "reason": reason });
                self.line("refused", &format!("{} {reason}", peer.address), &fields);
            }
            ServerEvent::Room { room, made } => {
                let word = if *made { "room" } else { "empty" };
                self.line(word, room, &json!({ "room": room }));
            }
            ServerEvent::Offered { from, to, size } => {
                let fields = json!({ "from": from, "to": to, "bytes": size });
                self.line("file", &format!("{from} to {to}: {size} bytes"), &fields);
            }
            ServerEvent::Dropped { why: Bye::Quit, .. } => {}
            ServerEvent::Dropped { peer, why } => {
                let why = format!("{why:?}");
                let fields = json!({ "peer": peer.address.to_string(), "why": why });
                self.line("dropped", &format!("{} {why}", peer.address), &fields);
            }
        }
    }
}
