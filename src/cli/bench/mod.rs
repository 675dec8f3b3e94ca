//! `rdtp bench`: how fast the transport is between two machines, or on this one, with kernel TCP
//! beside it.

mod client;
mod report;
mod server;
mod tcp;
mod wire;

use core::{net::SocketAddr, time::Duration};
use std::{
    env,
    io::{BufRead, BufReader},
    net::ToSocketAddrs,
    process::{Child, Command, ExitCode, Stdio},
};

use clap::{Args, Subcommand, ValueEnum};
use rdtp::{
    net::{Clock, Driver, Socket, SocketConfig},
    quantity::{ByteSize, Span},
    rng::Seed,
    transport::{
        config::Config,
        cookie::Secret,
        host::{Host, HostConfig},
    },
};

use super::{Failure, Outcome, run::Controller};
use report::Reporter;

/// Measure throughput to another machine, or on this one, with kernel TCP beside it
///
/// `serve` on one machine and `run ADDRESS` on the other; `run` alone does both on loopback, in two
/// processes. One stream over one connection, driven by one thread on each side.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Side,
}

#[derive(Debug, Subcommand)]
enum Side {
    Serve(Serve),
    Run(Run),
}

/// Wait for `rdtp bench run`, over the transport and over TCP
#[derive(Debug, Args)]
struct Serve {
    /// Where to listen, UDP and TCP
    #[arg(default_value = "0.0.0.0:4433")]
    listen: SocketAddr,
    /// End when nobody holds the other end of standard input any more
    #[arg(long, hide = true)]
    until_stdin_ends: bool,
    #[command(flatten)]
    tuning: Tuning,
}

/// Measure
#[derive(Debug, Args)]
struct Run {
    /// Where `rdtp bench serve` listens, as HOST:PORT; without it, loopback
    address: Option<String>,
    /// Which way bulk goes
    #[arg(long, value_enum, default_value = "upload")]
    direction: Direction,
    /// How long to measure
    #[arg(long, value_name = "TIME", default_value = "5s")]
    time: Span,
    /// How long to run before that; not counted
    #[arg(long, value_name = "TIME", default_value = "1s")]
    warm_up: Span,
    /// A line each so long
    #[arg(long, value_name = "TIME", default_value = "1s")]
    interval: Span,
    /// Measure kernel TCP as well, afterwards
    #[arg(long)]
    tcp: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    tuning: Tuning,
}

/// What the transport is told. Both sides have their own.
#[derive(Clone, Debug, Args)]
struct Tuning {
    /// Length of datagrams: 1200 to 65507 bytes, as long as the path bears; 65507 on loopback when
    /// not given, else 1200
    #[arg(long, value_name = "BYTES")]
    packet: Option<ByteSize>,
    /// Bytes on their way, at most, and of the buffer of the sender
    #[arg(long, value_name = "BYTES", default_value = "1MiB")]
    window: ByteSize,
    /// Bytes of the kernel's buffers
    #[arg(long, value_name = "BYTES", default_value = "4MiB")]
    socket_buffer: ByteSize,
    /// Who decides how much may be on its way
    #[arg(long, default_value = "bbr")]
    congestion: Controller,
    /// Without segmentation offload, coalescing and several messages a call
    #[arg(long)]
    plain: bool,
    /// How long to look before sleeping; 0s for never
    #[arg(long, value_name = "TIME", default_value = "20us")]
    spin: Span,
}

/// Which way bulk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Direction {
    Upload,
    Download,
    Both,
}

impl Direction {
    const fn word(self) -> &'static str {
        match self {
            Self::Upload => "upload",
            Self::Download => "download",
            Self::Both => "both",
        }
    }
}

/// What to measure, in numbers.
#[derive(Clone, Copy, Debug)]
struct Plan {
    direction: Direction,
    time: Duration,
    warm_up: Duration,
    interval: Duration,
}

impl Tuning {
    fn packet_bytes(&self, loopback: bool) -> usize {
        let usual = if loopback { Config::PACKET_BYTES_MAX } else { 1200 };
        self.packet.map_or(usual, |bytes| usize::try_from(bytes.0).unwrap_or(usize::MAX))
    }

    fn host(&self, loopback: bool) -> Result<Host, Failure> {
        let mut connection = Config { congestion: self.congestion.algorithm, ..Config::default() };
        connection.packet_bytes = self.packet_bytes(loopback);
        connection.streams = connection.streams.with_windows(self.window.0);
        let config = HostConfig { connection, ..HostConfig::default() };
        let seed = Clock::unix_nanos();
        let secret = Secret::new(core::array::from_fn(|at| seed.to_le_bytes()[at % 8]));
        Ok(Host::new(config, secret, Seed::new(seed))?)
    }

    fn driver(&self, host: Host, bind: SocketAddr) -> Result<Driver<Host>, Failure> {
        let bytes = usize::try_from(self.socket_buffer.0).ok();
        let options = SocketConfig {
            recv_buffer_bytes: bytes,
            send_buffer_bytes: bytes,
            plain: self.plain,
            ..SocketConfig::default()
        };
        let socket = Socket::bind(bind, &options)
            .map_err(|error| Failure(format!("cannot listen on {bind}: {error}")))?;
        for shortfall in socket.shortfalls() {
            eprintln!("rdtp: {shortfall}");
        }
        Ok(Driver::new(host, socket, Clock::start()).with_spin(self.spin.0))
    }
}

pub(crate) fn run(options: &Options) -> Outcome {
    match &options.command {
        Side::Serve(serve) => server::run(serve),
        Side::Run(run) => measure(run),
    }
}

fn measure(run: &Run) -> Outcome {
    let plan = Plan {
        direction: run.direction,
        time: run.time.0,
        warm_up: run.warm_up.0,
        interval: run.interval.0.max(Duration::from_millis(10)),
    };
    if plan.time.is_zero() {
        super::refuse("--time must be more than zero");
    }
    let server = if run.address.is_none() { Some(Server::start(&run.tuning)?) } else { None };
    let address = match (&run.address, &server) {
        (Some(address), _) => resolve(address)?,
        (None, Some(server)) => server.address,
        (None, None) => return Err(Failure("no address".into())),
    };
    let loopback = address.ip().is_loopback();
    let mut reporter = Reporter::new(run.json);
    reporter.options(&plan, address, &run.tuning, loopback);
    client::run(&plan, address, &run.tuning, &mut reporter)?;
    if run.tcp {
        tcp::run(&plan, address, &mut reporter)?;
    }
    reporter.compare();
    Ok(ExitCode::SUCCESS)
}

fn resolve(address: &str) -> Result<SocketAddr, Failure> {
    let found = address.to_socket_addrs().ok().and_then(|mut found| found.next());
    found.ok_or_else(|| Failure(format!("cannot find {address}; give HOST:PORT")))
}

/// The other process of a measurement on loopback. It ends with this one.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(tuning: &Tuning) -> Result<Self, Failure> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["bench", "serve", "127.0.0.1:0", "--until-stdin-ends"]);
        let packet = tuning.packet_bytes(true).to_string();
        let (window, buffer) = (tuning.window.0.to_string(), tuning.socket_buffer.0.to_string());
        let spin = format!("{}ns", tuning.spin.0.as_nanos());
        command.args(["--packet", &packet, "--window", &window, "--socket-buffer", &buffer]);
        command.args(["--spin", &spin, "--congestion", &tuning.congestion.name]);
        if tuning.plain {
            command.arg("--plain");
        }
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        match line.split_whitespace().last().and_then(|word| word.parse().ok()) {
            Some(address) => Ok(Self { child, address }),
            None => Err(Failure("the server did not start".into())),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Processor time of this process, user and system.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}
