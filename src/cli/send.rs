//! `rdtp send`: one file to one receiver.

use core::{net::SocketAddr, time::Duration};
use std::{
    fs::File,
    io::{self, Read},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;
use indicatif::ProgressBar;
use rdtp::{
    app::file::{CONTROL_BYTES_MAX, DATA_OVERHEAD, FileSender, final_component},
    classic::{Conversation, Event, Role},
    endpoint::Endpoint,
    net::{Clock, Driver, Socket},
    time::Instant,
    trace::{NodeId, Observer},
    wire::transport::CloseCode,
};
use serde::Serialize;

use super::{
    Failure, Outcome,
    ends::End,
    network::{LinkReport, NetworkArgs, describe},
    recording::RecordingArgs,
    stop::Stop,
    streams::{Caller, CloseReason},
    transfer::{
        Blake3, FLUSH_MAX, ProtocolArgs, grouped, hex, progress_bar, resolve, socket_config,
    },
    way::Way,
};

/// Send a file to a waiting `rdtp recv`, over any protocol of the textbook or the transport
///
/// The exit status is 0 when the receiver has confirmed that it stored the whole file with the same
/// digest, and 1 otherwise. When the receiver's last word is lost for good, the file may have
/// arrived all the same: no protocol can rule that out.
#[derive(Debug, Args)]
#[command(after_long_help = super::network::FAULTS)]
pub(crate) struct Options {
    /// File to send
    file: PathBuf,
    /// Where the receiver listens, as HOST:PORT
    address: String,
    /// Name to send it under, instead of its own
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Bytes of the file in each packet; over the transport, in each message. Without it 1150, and
    /// 16384 over the transport
    #[arg(long, value_name = "BYTES",
          value_parser = clap::value_parser!(u32).range(1..=65_000))]
    chunk: Option<u32>,
    #[command(flatten)]
    protocol: ProtocolArgs,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    recording: RecordingArgs,
}

/// The most messages handed over between two turns: a protocol without feedback would take the
/// whole file at once.
const FEED_MAX: usize = 64;

/// After so long without an answer the progress bar says so.
const SILENT: Duration = Duration::from_secs(2);

/// How long it must be quiet before a sender that lingers leaves: longer than a receiver takes to
/// repeat its verdict twice.
const LINGER_QUIET: Duration = Duration::from_millis(700);
/// How long a sender lingers at most.
const LINGER_MAX: Duration = Duration::from_secs(5);

/// How long a sender that stops tries to tell the receiver.
const ABORT_MAX: Duration = Duration::from_secs(2);

/// Over the transport: after so long without an answer it is believed that nobody listens there,
/// once the peer's machine has said so.
const REFUSED: Duration = Duration::from_secs(1);

const CHUNK_BYTES: u32 = 1_150;
const TRANSPORT_CHUNK_BYTES: u32 = 16_384;

type Line = Driver<End>;

/// What came of it, for `--json`.
#[derive(Debug, Serialize)]
struct Report {
    event: &'static str,
    ok: bool,
    error: Option<String>,
    name: String,
    bytes: u64,
    blake3: String,
    peer: String,
    protocol: String,
    seconds: f64,
    packets: u64,
    retransmissions: u64,
    datagrams_sent: u64,
    datagrams_received: u64,
    link: Option<Links>,
    /// What only connections have.
    transport: Option<Connection>,
}

/// How the connection was doing at its end. Times are in seconds.
#[derive(Debug, Serialize)]
struct Connection {
    srtt: f64,
    rtt_min: f64,
    rttvar: f64,
    cwnd_bytes: u64,
    packet_bytes: usize,
    delivery_bytes_per_second: u64,
    lost_packets: u64,
    probe_timeouts: u64,
    congestion_events: u64,
    moves: u32,
}

#[derive(Debug, Serialize)]
struct Links {
    up: LinkReport,
    down: LinkReport,
}

pub(crate) fn run(options: &Options) -> Outcome {
    let peer = resolve(&options.address)?;
    let way = options.protocol.way();
    let (mut file, size) = open(&options.file)?;
    let path = options.file.to_string_lossy();
    let name = options.name.as_deref().unwrap_or_else(|| final_component(&path));
    let mut session = FileSender::new(Blake3::default(), name, size, options.chunk() as usize)
        .map_err(|error| Failure(format!("{name:?}: {error}; choose another with --name")))?
        .over(way.carrier());

    let config = options.protocol.config();
    let needed = CONTROL_BYTES_MAX.max(options.chunk() as usize + DATA_OVERHEAD);
    debug_assert!(needed <= config.codec.payload_max());
    let clock = Clock::start();
    let mut socket = Socket::bind_for(peer, &socket_config(way))?;
    let endpoint = match way {
        Way::Book(spec) => End::Book(spec.endpoint(config, peer)?),
        Way::Transport(preset) => {
            // The system reports closed ports to connected sockets only.
            socket.connect(peer)?;
            let config = options.protocol.transport(preset);
            End::Transport(Box::new(Caller::new(config, Role::Sender, peer)?))
        }
    };
    let mut line = Driver::new(endpoint, socket, clock);
    if let Some(network) = options.network.network(way, config.codec) {
        let (up, down) = network.links();
        line = line.with_links(up, down, NodeId(1));
    }

    let bar = progress_bar(size, session.name());
    let title = format!("{way} to {peer}, as its sender sees it");
    let mut observer =
        options.recording.start_one_side(&title, NodeId(0), options.protocol.trace)?;
    // There is nothing to do yet, but from now on the endpoint is watched.
    line.step(&mut observer)?;
    let result = transfer(&mut line, &mut session, &mut file, options, &mut observer, &bar);
    bar.finish_and_clear();
    let time = clock.now().since_epoch();
    if session.verdict().is_some() {
        let now = line.now();
        line.endpoint_mut().done(now);
        linger(&mut line, &mut observer)?;
    }
    observer.finish_and_print(options.protocol.json)?;
    let failure = result.err().map(|failure| failure.0);
    let report = report(&line, &session, way, peer, time, failure.clone());
    if options.protocol.json {
        say!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report, &line);
    }
    failure.map_or(Ok(ExitCode::SUCCESS), |failure| Err(Failure(failure)))
}

fn report(
    line: &Line,
    session: &FileSender<Blake3>,
    way: Way,
    peer: SocketAddr,
    time: Duration,
    failure: Option<String>,
) -> Report {
    let stats = line.endpoint().stats();
    Report {
        event: "sent",
        ok: failure.is_none(),
        error: failure,
        name: session.name().to_owned(),
        bytes: session.sent(),
        blake3: hex(&session.digest()),
        peer: peer.to_string(),
        protocol: way.to_string(),
        seconds: time.as_secs_f64(),
        packets: stats.data_sent,
        retransmissions: stats.data_resent,
        datagrams_sent: line.stats().datagrams_out,
        datagrams_received: line.stats().datagrams_in,
        link: line
            .links()
            .map(|(up, down)| Links { up: LinkReport::new(up), down: LinkReport::new(down) }),
        transport: line.endpoint().connection_stats().map(|stats| Connection {
            srtt: stats.srtt.as_secs_f64(),
            rtt_min: stats.rtt_min.as_secs_f64(),
            rttvar: stats.rttvar.as_secs_f64(),
            cwnd_bytes: stats.window_bytes,
            packet_bytes: stats.packet_bytes,
            delivery_bytes_per_second: stats.delivery_bytes_per_second,
            lost_packets: stats.recovery.lost_packets,
            probe_timeouts: stats.recovery.probe_timeouts,
            congestion_events: stats.recovery.congestion_events,
            moves: stats.moves,
        }),
    }
}

fn print(report: &Report, line: &Line) {
    if report.ok {
        say!(
            "sent {} ({} bytes) to {} over {} in {:.2} s: {} packets, {} retransmissions",
            report.name,
            grouped(report.bytes),
            report.peer,
            report.protocol,
            report.seconds,
            report.packets,
            report.retransmissions,
        );
        if let Some(connection) = &report.transport {
            say!(
                "round trip {:.1} ms (least {:.1}), window {} bytes, packets of {} bytes",
                connection.srtt * 1e3,
                connection.rtt_min * 1e3,
                grouped(connection.cwnd_bytes),
                connection.packet_bytes,
            );
        }
        say!("the receiver confirms BLAKE3 {}", report.blake3);
    }
    if let Some((up, down)) = line.links() {
        say!("{}", describe("up", up));
        say!("{}", describe("down", down));
    }
}

impl Options {
    /// Bytes of the file in each message.
    fn chunk(&self) -> u32 {
        self.chunk.unwrap_or(match self.protocol.way() {
            Way::Book(_) => CHUNK_BYTES,
            Way::Transport(_) => TRANSPORT_CHUNK_BYTES,
        })
    }
}

fn open(path: &PathBuf) -> Result<(File, u64), Failure> {
    let wrong = |error: io::Error| Failure(format!("{}: {error}", path.display()));
    let file = File::open(path).map_err(wrong)?;
    let metadata = file.metadata().map_err(wrong)?;
    if !metadata.is_file() {
        return Err(Failure(format!("{}: not a regular file", path.display())));
    }
    Ok((file, metadata.len()))
}

/// Runs until the receiver's verdict is here, or nothing moves any more.
fn transfer(
    line: &mut Line,
    session: &mut FileSender<Blake3>,
    file: &mut File,
    options: &Options,
    observer: &mut dyn Observer,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    let give_up = options.protocol.give_up();
    let mut message = Vec::new();
    let mut moved_at = line.now();
    let name = session.name().to_owned();
    let stop = Stop::on_signals()?;
    loop {
        let fed = if stop.is_asked() {
            Err(Failure("interrupted: the receiver is told to discard the file".into()))
        } else {
            feed(line, session, file, &mut message)
        };
        if let Err(failure) = fed {
            // Tell the receiver, so that it need not wait; whether it hears is its own business.
            let now = line.now();
            line.endpoint_mut().abort(now, &session.abort());
            flush(line, observer, true)?;
            return Err(failure);
        }
        let notice = Some(moved_at + SILENT).filter(|&at| at > line.now());
        line.turn(observer, Some(notice.unwrap_or(moved_at + give_up).min(moved_at + give_up)))?;
        while let Some(event) = line.endpoint_mut().poll_event() {
            match event {
                Event::Delivered(answer) => session.handle_message(&answer),
                Event::Acknowledged { .. } => {}
                Event::GaveUp { attempts } => {
                    return Err(silence(options, &format!("after {attempts} attempts")));
                }
            }
            moved_at = line.now();
        }
        if session.verdict().is_none()
            && let Some(why) = gone(line, options, moved_at)
        {
            return Err(why);
        }
        // What is confirmed, as far as the protocol knows: what was only handed over may never arrive.
        let unconfirmed = line.endpoint().unacked() * u64::from(options.chunk());
        bar.set_position(session.sent().saturating_sub(unconfirmed));
        let silent = line.now() >= moved_at + SILENT;
        bar.set_message(if silent { "waiting for an answer".into() } else { name.clone() });
        if let Some(verdict) = session.verdict() {
            return verdict.map_err(|refusal| Failure(format!("the receiver refused: {refusal}")));
        }
        if line.now() >= moved_at + give_up {
            let rest = line.endpoint().unacked();
            return Err(silence(options, &format!("for {give_up:?}, {rest} messages unconfirmed")));
        }
    }
}

/// Why there is no use in waiting any longer: the connection is over, or nobody listens there.
fn gone(line: &Line, options: &Options, moved_at: Instant) -> Option<Failure> {
    let is_refused = line.socket().stats().refused > 0 && line.now() >= moved_at + REFUSED;
    let address = &options.address;
    Some(match line.endpoint().closed() {
        Some(CloseReason::Idle | CloseReason::Unreachable) => {
            silence(options, &format!("for {:?}", options.protocol.give_up()))
        }
        Some(CloseReason::Peer(CloseCode::Application(_))) => {
            Failure(format!("{address}: the receiver has stopped"))
        }
        Some(reason) => Failure(format!("{address}: the connection is over: {reason}")),
        None if is_refused => Failure(format!(
            "{address}: nobody listens there; does rdtp recv run, with the same --protocol?"
        )),
        None => return None,
    })
}

fn silence(options: &Options, how_long: &str) -> Failure {
    Failure(format!(
        "{}: no answer {how_long}; does rdtp recv run there, with the same --protocol and \
         --checksum?",
        options.address
    ))
}

/// Hands messages over while the protocol takes them.
fn feed(
    line: &mut Line,
    session: &mut FileSender<Blake3>,
    file: &mut File,
    message: &mut Vec<u8>,
) -> Result<(), Failure> {
    for _ in 0..FEED_MAX {
        // One place stays free for an abort.
        if line.endpoint().queue_room() <= 1
            || line.is_blocked()
            || !session.next_message(message, |space| file.read(space))?
        {
            break;
        }
        let now = line.now();
        line.endpoint_mut().send(now, message)?;
    }
    Ok(())
}

/// Stays for a moment where the network has lost something: if the acknowledgement of the verdict
/// is lost as well, the receiver repeats its verdict, and somebody should be there to say so again.
fn linger(line: &mut Line, observer: &mut dyn Observer) -> io::Result<()> {
    let stats = line.endpoint().stats();
    if stats.data_resent > 0 || stats.packets_damaged > 0 {
        let limit = line.now() + LINGER_MAX;
        let mut quiet_since = line.now();
        while line.now() < limit.min(quiet_since + LINGER_QUIET) && !line.endpoint().is_closed() {
            if line.turn(observer, Some(limit.min(quiet_since + LINGER_QUIET)))?.received > 0 {
                quiet_since = line.now();
            }
            while line.endpoint_mut().poll_event().is_some() {}
        }
    }
    flush(line, observer, false)
}

/// Lets what is ready go out, such as the acknowledgement of the verdict; with `confirmed` waits a
/// moment for the receiver's acknowledgements as well.
fn flush(line: &mut Line, observer: &mut dyn Observer, confirmed: bool) -> io::Result<()> {
    let limit = line.now() + if confirmed { ABORT_MAX } else { FLUSH_MAX };
    let now = |line: &Line| line.now().min(limit);
    while now(line) < limit
        && (line.has_work(now(line)) || (confirmed && !line.endpoint().is_idle()))
    {
        line.turn(observer, Some(limit))?;
        while line.endpoint_mut().poll_event().is_some() {}
    }
    Ok(())
}
