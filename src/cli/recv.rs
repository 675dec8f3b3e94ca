//! `rdtp recv`: files from any number of senders into one directory.

use core::{net::SocketAddr, time::Duration};
use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;
use indicatif::{MultiProgress, ProgressBar};
use rdtp::{
    app::file::{Action, FileReceiver, Refusal},
    classic::Role,
    endpoint::Endpoint,
    hub::{Hub, HubConfig},
    net::{Clock, Driver, Socket, SocketConfig},
    quantity::ByteSize,
    time::Instant,
    trace::{NodeId, Observer},
};
use serde::Serialize;

use super::{
    Failure, Outcome,
    ends::{Act, Callers, Sender},
    network::NetworkArgs,
    recording::RecordingArgs,
    stop::Stop,
    store::Partial,
    streams::{CloseReason, Streams},
    transfer::{
        Blake3, FLUSH_MAX, ProtocolArgs, grouped, hex, progress_bar, resolve, seconds,
        socket_config,
    },
    way::Way,
};

/// Receive files from `rdtp send` into a directory
///
/// Files are written under a temporary name and get their own once the digest of the whole file
/// matches. What exists is never overwritten: a second report.pdf becomes report (1).pdf. Names
/// that could lead out of the directory, hide or deceive are refused.
///
/// The exit status with --once is 0 when the file was stored whole, and 1 otherwise. Without it,
/// Ctrl-C ends the program; what is half received is removed.
#[derive(Debug, Args)]
#[command(after_long_help = super::network::FAULTS)]
pub(crate) struct Options {
    /// Where to listen, as HOST:PORT; port 0 lets the system choose, and the choice is printed
    address: String,
    /// Directory for the files
    #[arg(long, value_name = "DIR", default_value = ".")]
    into: PathBuf,
    /// Stop after one file
    #[arg(long)]
    once: bool,
    /// Largest file to accept
    #[arg(long, value_name = "SIZE", default_value = "64GiB")]
    max_size: ByteSize,
    /// Most senders at the same time
    #[arg(long, value_name = "N", default_value_t = 64)]
    max_senders: usize,
    #[command(flatten)]
    protocol: ProtocolArgs,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    recording: RecordingArgs,
}

/// How long the verdict is repeated with `--once` when nobody acknowledges it. The file is safe by
/// then: only the sender's exit status is at stake. At 36 % loss of round trips a dozen attempts
/// all fail in 5 of a million cases.
const LINGER_MAX: Duration = Duration::from_secs(10);

/// One JSON line.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Report<'a> {
    Listening {
        address: String,
        protocol: String,
    },
    Received {
        ok: bool,
        error: Option<String>,
        from: String,
        name: &'a str,
        path: Option<String>,
        bytes: u64,
        blake3: String,
        seconds: f64,
    },
}

/// A transfer that goes on, or whose verdict is being sent.
struct Incoming {
    receiver: FileReceiver<Blake3>,
    partial: Option<Partial>,
    name: String,
    path: Option<PathBuf>,
    from: SocketAddr,
    bar: ProgressBar,
    started_at: Instant,
    /// When the verdict was reached.
    ended_at: Option<Instant>,
    /// The verdict has been acknowledged, or there is no hope that it will be.
    over: bool,
    failure: Option<String>,
}

pub(crate) fn run(options: &Options) -> Outcome {
    let address = resolve(&options.address)?;
    std::fs::create_dir_all(&options.into)
        .map_err(|error| Failure(format!("{}: {error}", options.into.display())))?;
    let way = options.protocol.way();
    let config = options.protocol.config();
    let callers = callers(options, way, address)?;
    let socket = SocketConfig { dual_stack: true, ..socket_config(way) };
    let socket = Socket::bind(address, &socket)
        .map_err(|error| Failure(format!("cannot listen on {address}: {error}")))?;
    let mut driver = Driver::new(callers, socket, Clock::start()).with_node(NodeId(1));
    if let Some(network) = options.network.network(way, config.codec) {
        // The senders are the first side.
        let (up, down) = network.links();
        driver = driver.with_links(down, up, NodeId(0));
    }
    let server = Server { options, driver, transfers: BTreeMap::new(), bars: MultiProgress::new() };
    server.announce(way)?;
    server.serve()
}

fn callers(options: &Options, way: Way, address: SocketAddr) -> Result<Callers, Failure> {
    let peers_max = options.max_senders;
    Ok(match way {
        Way::Book(spec) => {
            let config = options.protocol.config();
            // What does not go together is to be known now, not when somebody sends.
            spec.endpoint(config, address)?;
            let limits = HubConfig { peers_max, idle_after: options.protocol.give_up() };
            let make = Box::new(move |_, peer| spec.endpoint(config, peer).ok());
            Callers::Book(Box::new(Hub::new(limits, make)))
        }
        Way::Transport(preset) => {
            let config = options.protocol.transport(preset);
            Callers::Transport(Box::new(Streams::new(config, Role::Receiver, peers_max)?))
        }
    })
}

struct Server<'a> {
    options: &'a Options,
    driver: Driver<Callers>,
    transfers: BTreeMap<Sender, Incoming>,
    bars: MultiProgress,
}

impl Server<'_> {
    fn announce(&self, way: Way) -> Result<(), Failure> {
        let address = self.driver.local_addr().to_string();
        if self.options.protocol.json {
            print_json(&Report::Listening { address, protocol: way.to_string() })?;
        } else {
            say!("listening on {address} for {way}, into {}", self.options.into.display());
        }
        // Whoever started this program waits for the line.
        Ok(io::stdout().flush()?)
    }

    fn serve(mut self) -> Outcome {
        let title = format!("{}, as its receiver sees it", self.options.protocol.way());
        let recording = &self.options.recording;
        let trace = self.options.protocol.trace;
        let mut observer = recording.start_one_side(&title, NodeId(1), trace)?;
        let code = self.receive(&mut observer);
        observer.finish_and_print(self.options.protocol.json)?;
        code
    }

    fn receive(&mut self, observer: &mut dyn Observer) -> Outcome {
        let stop = Stop::on_signals()?;
        while !stop.is_asked() {
            self.driver.turn(observer, self.wake_at())?;
            while let Some((sender, act)) = self.driver.endpoint_mut().poll_event() {
                match act {
                    Act::Joins(from) => self.joined(sender, from),
                    Act::Delivers(message) => self.delivered(sender, &message)?,
                    Act::Hears => self.acknowledged(sender),
                    Act::Leaves(reason) => self.left(sender, reason)?,
                }
            }
            if let Some(code) = self.finished(self.driver.now()) {
                self.flush(observer)?;
                return Ok(code);
            }
        }
        // What is half received goes with its temporary file.
        for (sender, _) in core::mem::take(&mut self.transfers) {
            let now = self.driver.now();
            self.driver.endpoint_mut().remove(now, sender);
        }
        self.flush(observer)?;
        if self.options.once { Err(Failure("interrupted".into())) } else { Ok(ExitCode::SUCCESS) }
    }

    /// Lets the last acknowledgements go out.
    fn flush(&mut self, observer: &mut dyn Observer) -> io::Result<()> {
        let limit = self.driver.now() + FLUSH_MAX;
        loop {
            let now = self.driver.now();
            if now >= limit || !self.driver.has_work(now) {
                return Ok(());
            }
            self.driver.turn(observer, Some(limit))?;
            while self.driver.endpoint_mut().poll_event().is_some() {}
        }
    }

    /// When to look whether a verdict has been repeated for long enough.
    fn wake_at(&self) -> Option<Instant> {
        let waiting =
            self.transfers.values().filter(|transfer| self.options.once && !transfer.over);
        waiting.filter_map(|transfer| transfer.ended_at).map(|at| at + LINGER_MAX).min()
    }

    /// With `--once`, the exit status when there was a file and its sender has, as far as can be
    /// known, been told.
    fn finished(&self, now: Instant) -> Option<ExitCode> {
        let ended = |transfer: &&Incoming| {
            transfer.ended_at.is_some_and(|at| transfer.over || at + LINGER_MAX <= now)
        };
        let transfer = self.transfers.values().find(ended)?;
        let whole = transfer.receiver.verdict() == Some(Ok(()));
        self.options.once.then_some(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn joined(&mut self, sender: Sender, from: SocketAddr) {
        let transfer = Incoming {
            receiver: FileReceiver::new(Blake3::default(), self.options.max_size.0)
                .over(self.options.protocol.way().carrier()),
            partial: None,
            name: String::new(),
            path: None,
            from,
            bar: ProgressBar::hidden(),
            started_at: self.driver.now(),
            ended_at: None,
            over: false,
            failure: None,
        };
        self.transfers.insert(sender, transfer);
    }

    fn delivered(&mut self, sender: Sender, message: &[u8]) -> Result<(), Failure> {
        let Some(transfer) = self.transfers.get_mut(&sender) else { return Ok(()) };
        transfer.take(message, self.options, &self.bars);
        let Some(verdict) = transfer.receiver.poll_message() else { return Ok(()) };
        let now = self.driver.now();
        transfer.ended_at = Some(now);
        // A sender that has stopped does not wait for the verdict.
        transfer.over = transfer.receiver.verdict() == Some(Err(Refusal::Aborted));
        self.driver.endpoint_mut().send(now, sender, &verdict)?;
        transfer.report(now, self.options.protocol.json)
    }

    fn acknowledged(&mut self, sender: Sender) {
        if let Some(transfer) = self.transfers.get_mut(&sender) {
            // The verdict is the only message that goes this way.
            transfer.over = transfer.ended_at.is_some();
        }
    }

    /// The sender fell silent, or is gone: the end of a transfer, good or bad. Its endpoint goes with
    /// it.
    fn left(&mut self, sender: Sender, reason: Option<CloseReason>) -> Result<(), Failure> {
        let now = self.driver.now();
        self.driver.endpoint_mut().remove(now, sender);
        let Some(mut transfer) = self.transfers.remove(&sender) else { return Ok(()) };
        // Noise opens a session too; only one that had begun can fail.
        if transfer.ended_at.is_some() || transfer.name.is_empty() {
            if self.options.once && transfer.ended_at.is_some() {
                // Nobody is left who could acknowledge the verdict.
                transfer.over = true;
                self.transfers.insert(sender, transfer);
            }
            return Ok(());
        }
        transfer.partial = None;
        transfer.receiver.storage_failed();
        let silence = self.options.protocol.give_up();
        transfer.failure = Some(match reason {
            None | Some(CloseReason::Idle | CloseReason::Unreachable) => {
                format!("the sender was not heard for {silence:?}")
            }
            Some(CloseReason::Peer(_)) => Refusal::Aborted.to_string(),
            Some(reason) => reason.to_string(),
        });
        transfer.ended_at = Some(now);
        transfer.over = true;
        transfer.report(now, self.options.protocol.json)?;
        if self.options.once {
            self.transfers.insert(sender, transfer);
        }
        Ok(())
    }
}

impl Incoming {
    /// Does with a message what the session says.
    fn take(&mut self, message: &[u8], options: &Options, bars: &MultiProgress) {
        let result = match self.receiver.handle_message(message) {
            Action::Create { name, size } => {
                self.name = name.to_owned();
                self.bar = bars.add(progress_bar(size, name));
                Partial::create(&options.into, name).map(|partial| self.partial = Some(partial))
            }
            Action::Write(bytes) => {
                self.bar.inc(bytes.len() as u64);
                self.partial.as_mut().map_or(Ok(()), |partial| partial.write(bytes))
            }
            Action::Finish => self.store(),
            Action::Discard(refusal) => {
                self.discard(refusal);
                Ok(())
            }
            Action::Nothing => Ok(()),
        };
        if let Err(error) = result {
            self.partial = None;
            self.receiver.storage_failed();
            self.failure = Some(format!("cannot store it in {}: {error}", options.into.display()));
        }
    }

    fn store(&mut self) -> io::Result<()> {
        if let Some(partial) = self.partial.take() {
            self.path = Some(partial.store()?);
        }
        self.receiver.stored();
        Ok(())
    }

    fn discard(&mut self, refusal: Refusal) {
        self.partial = None;
        self.failure = Some(refusal.to_string());
    }

    /// Says how it ended.
    fn report(&self, now: Instant, json: bool) -> Result<(), Failure> {
        let peer = self.from;
        self.bar.finish_and_clear();
        let time = now - self.started_at;
        let digest = hex(&self.receiver.digest());
        let bytes = self.receiver.received();
        if json {
            print_json(&Report::Received {
                ok: self.failure.is_none(),
                error: self.failure.clone(),
                from: peer.to_string(),
                name: &self.name,
                path: self.path.as_ref().map(|path| path.to_string_lossy().into_owned()),
                bytes,
                blake3: digest,
                seconds: time.as_secs_f64(),
            })?;
        } else if let Some(path) = &self.path {
            let (path, bytes) = (path.display(), grouped(bytes));
            say!("stored {path} ({bytes} bytes) from {peer} in {}", seconds(time));
            say!("BLAKE3 {digest}");
        }
        if let Some(failure) = &self.failure {
            let name = if self.name.is_empty() { "a file" } else { &self.name };
            eprintln!("rdtp: {name} from {peer}: {failure}");
        }
        Ok(io::stdout().flush()?)
    }
}

fn print_json(report: &Report<'_>) -> Result<(), Failure> {
    say!("{}", serde_json::to_string(report)?);
    Ok(())
}
