//! `rdtp demo`: one file, one bad network, every protocol.

mod race;
mod table;

use std::{fs, path::PathBuf, process::ExitCode};

use clap::Args;
use rdtp::{
    classic::{Spec, Verdict, rdt10::Rdt10},
    link::Profile,
    quantity::Span,
    rng::Seed,
    transport::preset::Preset,
    wire::{Checksum, Codec},
};
use serde::Serialize;

use super::{
    Failure, Outcome, network::seed_or_new, recording::RecordingArgs, stop::Stop, transfer::hex,
    way::Way,
};
use race::Race;

/// Watch a real file cross a real UDP socket through a bad network, protocol by protocol
///
/// Two UDP endpoints on this machine's loopback exchange a file through induced loss, copies,
/// shuffling and damage: first raw UDP, then the protocols of the textbook, then the production
/// transport. Those that tolerate such a network deliver the file intact; the others fail, and the table says why.
///
/// --ladder and --events write down what both sockets saw; with several protocols, each gets files of
/// its own: out.svg becomes out-gbn.svg.
///
/// The exit status is 0 if every protocol that tolerates the network delivered the file intact.
#[derive(Debug, Args)]
#[command(after_long_help = super::network::FAULTS)]
pub(crate) struct Options {
    /// File to send; without one, a small picture that the program carries
    file: Option<PathBuf>,
    /// The bad network: a preset (perfect, lossy20, wifi, hostile, ...), faults, or both
    #[arg(long, value_name = "FAULTS", default_value = DEFAULT_LINK)]
    link: Profile,
    /// Seed of all chance in the network; without one a new seed is drawn and printed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Protocols in the order in which they run, separated by commas: udp, rdt1.0 to rdt3.0, saw:M,
    /// gbn:N/M, sr:N/M, transport; windows that are illegal for their numbers too
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = DEFAULT_PROTOCOLS,
          value_parser = contender)]
    protocols: Vec<Contender>,
    /// Bytes of the file in each packet
    #[arg(long, value_name = "BYTES", default_value = "256",
          value_parser = clap::value_parser!(u32).range(1..=65_000))]
    chunk: u32,
    /// Checksum of each packet: none, internet, crc16 or crc32c
    #[arg(long, value_name = "NAME", default_value_t)]
    checksum: Checksum,
    /// The most time each protocol gets
    #[arg(long, value_name = "TIME", default_value = "20s")]
    limit: Span,
    /// Directory in which to keep what each protocol delivered, to look at
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// Print the results as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    recording: RecordingArgs,
}

const DEFAULT_LINK: &str = "loss=20%,dup=10%,reorder=20%:3:20ms,corrupt=5%,delay=2ms±1ms";
const DEFAULT_PROTOCOLS: &str = "udp,rdt2.0,rdt2.1,rdt2.2,rdt3.0,saw:256,gbn,sr,transport";

/// The picture that is sent when no file is named.
const PICTURE: &[u8] = include_bytes!("../../../examples/data/lighthouse.bmp");

/// One protocol of the list.
#[derive(Clone, Debug)]
struct Contender {
    name: String,
    way: Way,
    /// Without any header: raw UDP.
    bare: bool,
}

/// The whole result, for `--json`. Sizes are in bytes, times in seconds, rates between 0 and 1.
#[derive(Debug, Serialize)]
struct Results {
    link: String,
    seed: u64,
    file: String,
    file_bytes: usize,
    file_blake3: String,
    chunk_bytes: u32,
    /// The command that meets every datagram with the same fate again.
    again: String,
    protocols: Vec<Row>,
}

/// What came of one protocol.
#[derive(Debug, Serialize)]
struct Row {
    protocol: String,
    tolerates_link: bool,
    intact: bool,
    outcome: String,
    reason: String,
    delivered_bytes: usize,
    blake3: String,
    seconds: f64,
    datagrams: u64,
    retransmissions: u64,
    effective_loss: f64,
    /// The ladder as text, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    ladder: Option<String>,
    #[serde(skip)]
    delivered: Vec<u8>,
}

pub(crate) fn run(options: &Options) -> Outcome {
    let (name, file) = match &options.file {
        Some(path) => {
            let wrong = |error| Failure(format!("{}: {error}", path.display()));
            (path.display().to_string(), fs::read(path).map_err(wrong)?)
        }
        None => ("lighthouse.bmp".to_owned(), PICTURE.to_vec()),
    };
    let seed = seed_or_new(options.seed);
    let mut results = Results {
        link: options.link.to_string(),
        seed: seed.number(),
        file: name,
        file_bytes: file.len(),
        file_blake3: blake3::hash(&file).to_string(),
        chunk_bytes: options.chunk,
        again: again(options, seed),
        protocols: Vec::new(),
    };
    if !options.json {
        table::print_head(&results);
    }
    let stop = Stop::on_signals()?;
    for contender in &options.protocols {
        let row = race(options, contender, &file, seed, &stop)?;
        if !options.json {
            table::print_row(&row, file.len());
            if let Some(ladder) = &row.ladder {
                say!("\n{ladder}");
            }
        }
        if let Some(directory) = &options.into {
            keep(directory, &results.file, &row)?;
        }
        results.protocols.push(row);
        if stop.is_asked() {
            break;
        }
    }
    if options.json {
        say!("{}", serde_json::to_string(&results)?);
    } else {
        table::print_foot(&results, options.into.as_deref());
    }
    if stop.is_asked() {
        return Err(Failure("interrupted".into()));
    }
    let broken = results.protocols.iter().find(|row| row.tolerates_link && !row.intact);
    match broken {
        None => Ok(ExitCode::SUCCESS),
        Some(row) => Err(Failure(format!(
            "{} tolerates this network and did not deliver the file: {}",
            row.protocol, row.outcome
        ))),
    }
}

/// The command that runs the same again, with what differs from the defaults.
fn again(options: &Options, seed: Seed) -> String {
    let names: Vec<&str> = options.protocols.iter().map(|one| one.name.as_str()).collect();
    let names = names.join(",");
    let mut command = format!("rdtp demo --seed {seed}");
    let mut add = |differs: bool, text: String| {
        if differs {
            command += &text;
        }
    };
    let link = options.link.to_string();
    let default: Result<Profile, _> = DEFAULT_LINK.parse();
    add(default.as_ref() != Ok(&options.link), format!(" --link '{link}'"));
    add(names != DEFAULT_PROTOCOLS, format!(" --protocols {names}"));
    add(options.chunk != 256, format!(" --chunk {}", options.chunk));
    add(options.checksum != Checksum::default(), format!(" --checksum {}", options.checksum));
    let file = options.file.iter().map(|path| path.display().to_string()).next();
    add(file.is_some(), format!(" '{}'", file.unwrap_or_default()));
    command
}

/// `udp`, or what [`Way`] reads, with illegal windows allowed: they are asked for by name here, and
/// the point is to see them break.
fn contender(text: &str) -> Result<Contender, String> {
    if text == "udp" {
        let way = Way::Book(Spec::Rdt10(Rdt10));
        return Ok(Contender { name: text.to_owned(), way, bare: true });
    }
    let way: Way = text.parse()?;
    let name = way.to_string();
    // Unless something else is asked for: the round trip is that of a building.
    let way = if name == "transport" { Way::Transport(Preset::Lan) } else { way };
    Ok(Contender { name, way, bare: false })
}

fn race(
    options: &Options,
    contender: &Contender,
    file: &[u8],
    seed: Seed,
    stop: &Stop,
) -> Result<Row, Failure> {
    let codec =
        if contender.bare { Codec::Bare } else { Codec::Compact { checksum: options.checksum } };
    let race = Race {
        file,
        chunk: options.chunk as usize,
        profile: &options.link,
        seed,
        limit: options.limit.0,
        progress: !options.json,
    };
    let several = options.protocols.len() > 1;
    let to = &options.recording;
    let to = if several { to.named(&in_a_file(&contender.name)) } else { to.clone() };
    let title = format!("{} over {}, seed {seed}, on loopback", contender.name, options.link);
    let mut recorder = to.start_both_sides(&title)?;
    let (report, stalled) = race.run(contender, codec, stop, &mut recorder)?;
    let wrong = match report.verdict {
        Verdict::Wrong { after } => Some(after),
        _ => None,
    };
    let ladder = recorder.finish_as_text(wrong)?;
    let excess = options.link.channel().exceeds(contender.way.tolerates_with(codec));
    let legal = match contender.way {
        Way::Book(spec) => spec.legal().is_ok(),
        Way::Transport(_) => true,
    };
    let tolerates = excess.is_empty() && legal;
    let delivered: Vec<u8> =
        report.delivered.iter().flat_map(|piece| piece.iter().copied()).collect();
    let intact = delivered == file;
    let lost = report.up.total().plus(&report.down.total()).loss();
    let (outcome, reason) = if stop.is_asked() && !intact {
        let same = alike(&delivered, file);
        (format!("interrupted after {same} bytes"), "it was not done yet".into())
    } else {
        let outcome = outcome(report.verdict, stalled, &delivered, file);
        (outcome, reason(report.verdict, intact, legal, &excess))
    };
    Ok(Row {
        protocol: contender.name.clone(),
        tolerates_link: tolerates,
        intact,
        outcome,
        reason,
        delivered_bytes: delivered.len(),
        blake3: hex(blake3::hash(&delivered).as_bytes()),
        seconds: report.elapsed.as_secs_f64(),
        datagrams: report.datagrams,
        retransmissions: report.sender.data_resent,
        effective_loss: f64::from(lost.parts_per_billion()) / 1e9,
        ladder,
        delivered,
    })
}

/// How many bytes were delivered as they were sent, from the beginning.
fn alike(delivered: &[u8], file: &[u8]) -> usize {
    delivered.iter().zip(file).take_while(|(a, b)| a == b).count()
}

/// What happened, in a few words.
fn outcome(verdict: Verdict, stalled: bool, delivered: &[u8], file: &[u8]) -> String {
    let same = alike(delivered, file);
    match verdict {
        _ if delivered == file => "intact".into(),
        Verdict::OutOfTime { .. } => format!("out of time after {same} bytes"),
        _ if stalled => "deadlock: both sides wait for ever".into(),
        _ if same < delivered.len() => format!("wrong from byte {same} on"),
        _ => format!("{} bytes missing", file.len() - same),
    }
}

/// Why it had to come so, read from what the protocol says that it tolerates.
fn reason(verdict: Verdict, intact: bool, legal: bool, excess: &[String]) -> String {
    match (intact, excess.is_empty()) {
        (false, _) if !legal => "its window is illegal for its sequence numbers".into(),
        (false, true) if matches!(verdict, Verdict::OutOfTime { .. }) => {
            "it bears this network, but needs more time: see --limit".into()
        }
        (true, true) => String::new(),
        (true, false) => format!("intact by luck: the network {}", excess.join(", ")),
        (false, true) => "it should have borne this network".into(),
        (false, false) => format!("too much for it: {}", excess.join(", ")),
    }
}

/// A protocol's name as part of a file's name.
fn in_a_file(name: &str) -> String {
    name.replace([':', '/'], "_")
}

fn keep(directory: &PathBuf, file: &str, row: &Row) -> Result<(), Failure> {
    let base = rdtp::app::file::final_component(file);
    let path = directory.join(format!("{}-{base}", in_a_file(&row.protocol)));
    let wrong = |error| Failure(format!("{}: {error}", path.display()));
    fs::create_dir_all(directory).map_err(wrong)?;
    fs::write(&path, &row.delivered).map_err(wrong)
}
