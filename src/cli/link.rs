//! `rdtp link`: any UDP program behind a bad network, without root.

use core::time::Duration;
use std::{
    io::{self, IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, ValueEnum, error::ErrorKind};
use indicatif::ProgressBar;
use rdtp::{
    link::{LinkConfig, Profile},
    net::{Clock, Proxy, ProxyConfig, Socket, SocketConfig},
    quantity::Span,
    time::Instant,
    trace::NodeId,
    wire::{Codec, lab::LabChecksum},
};
use serde::Serialize;

use super::{
    Failure, Outcome,
    network::{LinkReport, describe, inspected, seed_or_new},
    recording::RecordingArgs,
    refuse,
    stop::Stop,
    transfer::resolve,
};

/// Put any UDP program behind a bad network: a proxy that loses, copies, delays and damages
///
/// Clients talk to LISTEN, the proxy forwards to TARGET and back. It ends with Ctrl-C, or after
/// --for, and then reports what the network really did.
#[derive(Debug, Args)]
#[command(after_long_help = super::network::FAULTS)]
pub(crate) struct Options {
    /// Where clients connect, as HOST:PORT; port 0 lets the system choose, and the choice is printed
    listen: String,
    /// Where their datagrams go, as HOST:PORT
    target: String,
    /// The bad network: a preset (lossy20, wifi, hostile, ...), faults such as
    /// loss=20%,dup=5%,delay=25ms, or both; up. before a fault means only towards the target,
    /// down. only back
    #[arg(long, value_name = "FAULTS")]
    link: Profile,
    /// What travels: any, where everything counts as data; or compact (what rdtp send and recv speak)
    /// or lab, so that data. and ack. and damage to the checksum find what they mean
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Any)]
    format: Format,
    /// Seed of all chance in it; without one a new seed is drawn and printed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Most clients at the same time
    #[arg(long, value_name = "N", default_value_t = 256)]
    max_clients: usize,
    /// Forget a client after so long without a datagram
    #[arg(long, value_name = "TIME", default_value = "1min")]
    idle: Span,
    /// Stop after so long
    #[arg(long = "for", value_name = "TIME")]
    duration: Option<Span>,
    /// Print what becomes of each datagram to standard error
    #[arg(long)]
    trace: bool,
    /// Write what becomes of each datagram as JSON lines to this file
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// How the proxy reads datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Any datagrams.
    Any,
    /// The compact format, with a checksum of 4 bytes.
    Compact,
    /// The messages of the lab.
    Lab,
}

impl Format {
    fn codec(self) -> Option<Codec> {
        match self {
            Self::Any => None,
            Self::Compact => Some(Codec::default()),
            Self::Lab => Some(Codec::Lab {
                checksum: LabChecksum::Internet,
                source_port: 0,
                destination_port: 0,
            }),
        }
    }

    /// Ends the program if the faults tell classes of packets apart and this format does not.
    fn check(self, profile: &Profile) {
        let classless = |link: &LinkConfig| link.data == link.ack;
        if self == Self::Any && !(classless(&profile.up) && classless(&profile.down)) {
            let what = "data. and ack. mean nothing to datagrams of unknown format: add --format";
            clap::Error::raw(ErrorKind::ValueValidation, format!("{what} compact or lab\n")).exit()
        }
    }
}

/// How often the line of live statistics changes.
const REFRESH: Duration = Duration::from_millis(250);

/// One JSON line.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
#[expect(clippy::large_enum_variant, reason = "each is made once, printed and gone")]
enum Report {
    Listening { address: String, target: String, link: String, seed: u64 },
    Finished { clients: u64, refused: u64, orphaned: u64, up: LinkReport, down: LinkReport },
}

pub(crate) fn run(options: &Options) -> Outcome {
    let listen = resolve(&options.listen)?;
    let target = resolve(&options.target)?;
    if listen == target && target.port() != 0 {
        refuse(format_args!("{target} would be forwarded to itself: name another target"));
    }
    let seed = seed_or_new(options.seed);
    let socket = SocketConfig { dual_stack: true, ..SocketConfig::default() };
    let socket = Socket::bind(listen, &socket)
        .map_err(|error| Failure(format!("cannot listen on {listen}: {error}")))?;
    let config = ProxyConfig { clients_max: options.max_clients, idle_after: options.idle.0 };
    options.format.check(&options.link);
    let plain = options.link.links(seed);
    let links = match options.format.codec() {
        None => plain.into(),
        Some(codec) => inspected(plain, codec),
    };
    let mut proxy = Proxy::new(socket, target, links, Clock::start(), config);
    let address = proxy.local_addr().to_string();
    if options.json {
        let (target, link) = (target.to_string(), options.link.to_string());
        print_json(&Report::Listening { address, target, link, seed: seed.number() })?;
    } else {
        say!("listening on {address}, forwarding to {target}");
        say!("link {}, seed {seed}", options.link);
        if options.duration.is_none() {
            say!("Ctrl-C ends it with a report");
        }
    }
    io::stdout().flush()?;
    forward(&mut proxy, options)?;
    report(&proxy, options.json)?;
    Ok(ExitCode::SUCCESS)
}

/// Turns until it is time or a signal comes.
fn forward(proxy: &mut Proxy, options: &Options) -> Result<(), Failure> {
    let stop = Stop::on_signals()?;
    let end = options.duration.map(|Span(time)| proxy.now() + time);
    let recording = RecordingArgs { events: options.events.clone(), ..RecordingArgs::default() };
    let mut observer = recording.start_one_side("", NodeId(0), options.trace)?;
    let live = (io::stderr().is_terminal() && !options.trace).then(ProgressBar::new_spinner);
    let mut shown_at = Instant::ZERO;
    while !stop.is_asked() && end.is_none_or(|end| proxy.now() < end) {
        let refresh = live.as_ref().map(|_| shown_at + REFRESH);
        proxy.turn(&mut observer, [end, refresh].into_iter().flatten().min())?;
        if let Some(live) = &live
            && proxy.now() >= shown_at + REFRESH
        {
            shown_at = proxy.now();
            live.set_message(statistics(proxy));
            live.tick();
        }
    }
    // What had arrived when the end came is part of the report.
    proxy.turn(&mut observer, Some(Instant::ZERO))?;
    if let Some(live) = live {
        live.finish_and_clear();
    }
    observer.finish(None).map(drop)
}

/// The line of live statistics.
fn statistics(proxy: &Proxy) -> String {
    let direction = |link: &rdtp::link::Link<_>| {
        let total = link.stats().total();
        format!("{} in, {} out, {} lost", total.offered, total.delivered, total.lost)
    };
    let (up, down) = (direction(proxy.up()), direction(proxy.down()));
    format!("{} clients; up: {up}; down: {down}", proxy.clients())
}

fn report(proxy: &Proxy, json: bool) -> Result<(), Failure> {
    let stats = proxy.stats();
    if json {
        print_json(&Report::Finished {
            clients: stats.clients,
            refused: stats.refused,
            orphaned: stats.orphaned,
            up: LinkReport::new(proxy.up()),
            down: LinkReport::new(proxy.down()),
        })?;
    } else {
        say!("{} clients, {} datagrams refused", stats.clients, stats.refused);
        say!("{}", describe("up", proxy.up()));
        say!("{}", describe("down", proxy.down()));
    }
    Ok(io::stdout().flush()?)
}

fn print_json(report: &Report) -> Result<(), Failure> {
    say!("{}", serde_json::to_string(report)?);
    Ok(())
}
