//! `rdtp run transport`: bytes over one stream of the production transport, in virtual time.

mod report;
mod upload;

use core::{fmt::Write as _, str::FromStr};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, error::ErrorKind};
use rdtp::{
    capture::{Ladder, Plot, Qlog},
    quantity::{ByteSize, Span},
    time::Instant,
    trace::{Observer as _, Record, Watch},
    transport::{
        cc::Algorithm,
        host::{EarlyData, HostConfig},
    },
};
use report::Report;
use upload::{CLIENT, SERVER, Task, Upload};

use super::{Options, is_dash};
use crate::cli::{Failure, Outcome, network::seed_or_new, whole};

/// Options that only the production transport has.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of transport")]
pub(super) struct TransportArgs {
    /// How much to send, such as 500kB or 10MB; without it 10MB
    #[arg(long, value_name = "SIZE", conflicts_with = "duration")]
    bytes: Option<ByteSize>,
    /// Send for so long instead, as fast as it goes; what was written is still delivered
    #[arg(long, value_name = "TIME")]
    duration: Option<Span>,
    /// Congestion control: bbr, bbr-lossy for links that lose packets whatever is sent, cubic, newreno,
    /// or fixed:SIZE, a window that never changes; without it bbr
    #[arg(long, value_name = "NAME")]
    controller: Option<Controller>,
    /// Let both hosts have talked before: the sender knows the path, and its first packet brings a
    /// ticket with which data is heard a round trip earlier (0-RTT)
    #[arg(long)]
    remembered: bool,
    /// How often the first small flights leave once more; without it 2
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=4))]
    copies: Option<u8>,
    /// The window to begin with, such as 128KiB, paced; without it the controller's own
    #[arg(long, value_name = "SIZE")]
    start_window: Option<ByteSize>,
    /// Repair packets after the last ones of a flight, bytes for a hundred others; without it 0
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=200))]
    repair: Option<u32>,
    /// Draw window, round trips, sequence and what limits sending over time, as SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Write what both sides see as qlog 0.3, which qvis and other viewers of QUIC read
    #[arg(long, value_name = "FILE")]
    qlog: Option<PathBuf>,
}

impl TransportArgs {
    /// The first option that was given, if any.
    pub(super) fn given(&self) -> Option<&'static str> {
        let given = [
            (self.bytes.is_some(), "--bytes"),
            (self.duration.is_some(), "--duration"),
            (self.controller.is_some(), "--controller"),
            (self.remembered, "--remembered"),
            (self.copies.is_some(), "--copies"),
            (self.start_window.is_some(), "--start-window"),
            (self.repair.is_some(), "--repair"),
            (self.plot.is_some(), "--plot"),
            (self.qlog.is_some(), "--qlog"),
        ];
        given.into_iter().find_map(|(given, name)| given.then_some(name))
    }
}

impl TransportArgs {
    /// How both hosts are configured.
    fn config(&self, congestion: Algorithm) -> HostConfig {
        let mut config = HostConfig::default();
        let connection = &mut config.connection;
        connection.congestion = congestion;
        connection.first_copies = self.copies.unwrap_or(connection.first_copies);
        let start = self.start_window.map(|ByteSize(bytes)| bytes);
        connection.start_window_bytes = start.unwrap_or(connection.start_window_bytes);
        connection.repair_percent = self.repair.unwrap_or(connection.repair_percent);
        if self.remembered {
            config.early_data = EarlyData::WithTicket;
        }
        config
    }
}

/// A congestion control and its name.
#[derive(Clone, Debug)]
pub(crate) struct Controller {
    pub(crate) name: String,
    pub(crate) algorithm: Algorithm,
}

impl FromStr for Controller {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let algorithm = match text {
            "bbr" => Algorithm::Bbr,
            "bbr-lossy" => Algorithm::BbrLossyLink,
            "cubic" => Algorithm::Cubic,
            "newreno" | "new-reno" => Algorithm::NewReno,
            _ => {
                let size = text.strip_prefix("fixed:").and_then(|size| size.parse().ok());
                let Some(ByteSize(window @ WINDOW_MIN..)) = size else {
                    return Err("write bbr, bbr-lossy, cubic, newreno, or fixed:SIZE such as \
                                fixed:64KiB, at least 2400"
                        .into());
                };
                Algorithm::Fixed(window)
            }
        };
        Ok(Self { name: text.into(), algorithm })
    }
}

/// Two packets.
const WINDOW_MIN: u64 = 2_400;
const LINK: &str = "loss=0.1%,delay=25ms,rate=20mbit,queue=128KiB";
const BYTES: ByteSize = ByteSize(10_000_000);

pub(super) fn run(options: &Options) -> Outcome {
    if let Some(option) = options.of_the_book() {
        let what = format!(
            "{option} is for the textbook's protocols: transport takes --bytes or --duration, \
             --controller, --remembered, --copies, --start-window, --repair, --plot and --qlog\n"
        );
        clap::Error::raw(ErrorKind::ArgumentConflict, what).exit()
    }
    let args = &options.transport;
    let link = match &options.link {
        Some(link) => link.clone(),
        None => LINK.parse()?,
    };
    let seed = seed_or_new(options.seed);
    let controller = match &args.controller {
        Some(controller) => controller.clone(),
        None => "bbr".parse().map_err(Failure)?,
    };
    let title = format!("transport, {}, over {link}, seed {}", controller.name, seed.number());
    for path in [&args.plot, &args.qlog].into_iter().flatten() {
        // Known now, not after the run.
        File::options().append(true).create(true).open(path).map_err(|error| at(path, &error))?;
    }
    let ladder = Ladder::new(&title).between((CLIENT, "A, opens, sends"), (SERVER, "B, accepts"));
    let mut recorder = options.recording.start_if_asked(ladder)?;
    let mut plot = Plot::new(&title, CLIENT);
    let mut qlog = args.qlog.as_ref().map(|_| Qlog::new(&title));
    let mut record = |record: &Record| {
        recorder.record(record);
        plot.record(record);
        if let Some(qlog) = &mut qlog {
            qlog.record(record);
        }
    };
    let bytes = args.bytes.unwrap_or(BYTES).0;
    let task = Task {
        bytes: args.duration.is_none().then_some(bytes),
        until: args.duration.map_or(Instant::MAX, |time| Instant::ZERO + time.0),
        limit: Instant::ZERO + options.limit.0,
    };
    let mut upload = Upload::new(task, &link, seed, args.config(controller.algorithm))?;
    if args.remembered {
        upload.meet()?;
    }
    upload.run(&mut Watch(&mut record))?;
    if let Some(path) = &args.plot {
        whole::write(path, &plot.to_svg())?;
    }
    if let (Some(path), Some(qlog)) = (&args.qlog, &qlog) {
        whole::write(path, &qlog.to_json())?;
    }
    let result = Report::new(&upload, &link, (seed.number(), &controller.name), &plot);
    let ladder = recorder.finish_as_text(None)?;
    print(options, ladder.as_deref().unwrap_or_default(), &result)?;
    Ok(if result.intact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn at(path: &Path, error: &io::Error) -> Failure {
    Failure(format!("{}: {error}", path.display()))
}

fn print(options: &Options, ladder: &str, result: &Report) -> Result<(), Failure> {
    let to = &options.recording;
    let mut text = String::new();
    if to.ladder.as_deref().is_some_and(is_dash) {
        let _ = writeln!(text, "{ladder}");
    }
    if options.json {
        let json = serde_json::to_string(result)?;
        say!("{text}{json}");
    } else if to.events_own_stdout() {
        eprint!("{text}{}", result.words());
    } else {
        say!("{text}{}", result.words().trim_end());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers_are_read() {
        for name in
            ["bbr", "bbr-lossy", "cubic", "newreno", "new-reno", "fixed:64KiB", "fixed:2400"]
        {
            assert_eq!(name.parse::<Controller>().unwrap().name, name);
        }
        for wrong in ["", "reno", "fixed:", "fixed:2399", "fixed:much"] {
            assert!(wrong.parse::<Controller>().unwrap_err().contains("fixed:64KiB"), "{wrong}");
        }
    }
}
