//! `rdtp lab server`: receives, repairs, shows the four lists.

use core::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};
use std::process::ExitCode;

use clap::Args;
use rdtp::{
    app::lab::{Lists, PORT, Server, ServerConfig, ServerEvent},
    classic::{Protocol, Spec, Visitor},
    endpoint::Endpoint,
    net::{Clock, Driver, Socket, SocketConfig},
};
use serde_json::json;

use super::{
    super::{Failure, Outcome, stop::Stop},
    Common, json, print, span, tell,
};

/// Receive numbers from any number of clients, and show of each: as received, corrected,
/// duplicates, corrupted.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The port; 0 lets the system choose
    #[arg(long, default_value_t = PORT)]
    port: u16,
    /// The address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    #[command(flatten)]
    common: Common,
    /// How many identifiers a client sends, if known: tells when a shuffled list is complete
    #[arg(long, value_name = "N")]
    count: Option<usize>,
    /// How long a client must be quiet before its complete list is shown
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = span)]
    quiet: Duration,
    /// How long a client must be quiet before its incomplete list is shown
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = span)]
    idle: Duration,
    /// End when the lists of a client have been shown; status 1 when they are incomplete. Ctrl-C
    /// ends it too, and shows what has arrived
    #[arg(long)]
    once: bool,
}

pub(super) fn run(options: &Options) -> Outcome {
    Spec::from(options.common.protocol).visit(Serve(options))
}

/// Shows the four lists of a client.
fn show(options: &Options, peer: SocketAddr, lists: &Lists, complete: bool) -> Result<(), Failure> {
    let Common { json, .. } = options.common;
    let text = || options.common.lang().lists(peer, lists, complete);
    tell(json, text, || json::lists(peer, lists, complete))
}

struct Serve<'a>(&'a Options);

impl Visitor for Serve<'_> {
    type Output = Outcome;

    fn visit<P: Protocol + 'static>(self, protocol: P) -> Outcome {
        let options = self.0;
        let (checksum, lang) = (options.common.checksum, options.common.lang());
        let address = SocketAddr::new(options.bind, options.port);
        let socket = Socket::bind(address, &SocketConfig::default())
            .map_err(|error| Failure(lang.cannot_bind(address, &error)))?;
        let local = socket.local_addr();
        let config = ServerConfig {
            checksum,
            local_port: local.port(),
            count: options.count,
            quiet: options.quiet,
            // An incomplete list is looked at after a complete one would have been.
            idle: options.idle.max(options.quiet),
            ..ServerConfig::default()
        };
        let json = options.common.json;
        tell(
            json,
            || lang.listening(P::NAME, local),
            || json!({ "event": "listening", "address": local.to_string(), "protocol": P::NAME }),
        )?;
        if local.port() == PORT && !json {
            print(lang.port_5000())?;
        }
        let mut driver = Driver::new(Server::new(protocol, config), socket, Clock::start());
        let stop = Stop::on_signals()?;
        loop {
            if stop.is_asked() {
                // What has arrived is shown even when its list has not ended.
                for peer in driver.endpoint().peers().collect::<Vec<_>>() {
                    if let Some(lists) = driver.endpoint().lists(peer) {
                        let complete = lists.looks_complete(options.count);
                        show(options, peer, lists, complete)?;
                    }
                }
                return Ok(ExitCode::FAILURE);
            }
            driver.turn(&mut (), None)?;
            while let Some(event) = driver.endpoint_mut().poll_event() {
                match event {
                    ServerEvent::Arrived { peer, arrival, seq, reply } => {
                        tell(
                            json,
                            || lang.arrived(peer, arrival, seq, reply, P::FIELDS),
                            || json::arrived(peer, arrival, seq, reply),
                        )?;
                    }
                    ServerEvent::Quiet { peer, complete } => {
                        if let Some(lists) = driver.endpoint().lists(peer) {
                            show(options, peer, lists, complete)?;
                        }
                        if options.once {
                            return Ok(ExitCode::from(u8::from(!complete)));
                        }
                    }
                }
            }
        }
    }
}
