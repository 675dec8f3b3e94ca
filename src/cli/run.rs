//! `rdtp run`: one run in virtual time, as a ladder, as events and in words.

mod transport;
pub(crate) use transport::Controller;

use core::fmt::Write as _;
use std::{fs, io, path::PathBuf, process::ExitCode};

use clap::{Args, error::ErrorKind};
use rdtp::{
    capture::{Ladder, reasons},
    classic::{Config, Spec},
    link::Profile,
    quantity::Span,
    seq::Modulus,
    sim::{Report, Transfer, Verdict},
    trace::{Observer as _, Record, Watch},
    wire::{Checksum, Codec},
};
use serde::Serialize;

use super::{
    Failure, Outcome,
    network::seed_or_new,
    recording::{RecordingArgs, is_dash},
    refuse, states,
    step::{self, Start},
    transfer::{TimeoutRule, grouped},
};
use transport::TransportArgs;

/// Run a protocol through a bad network in virtual time and see every packet.
///
/// The same arguments with the same seed give the same bytes. Exit status: 0 when every message
/// arrived intact, 1 when not.
#[derive(Debug, Args)]
#[command(after_long_help = super::network::FAULTS)]
pub(crate) struct Options {
    /// rdt1.0, rdt2.0, rdt2.1, rdt2.2, rdt3.0, saw:M, gbn:N/M or sr:N/M, illegal windows too, to see
    /// how they break; or transport, the production transport with an upload
    #[arg(value_name = "PROTOCOL")]
    name: String,
    /// Bad network between the two sides: a preset (lossy20, wifi, hostile, ...), faults such as
    /// loss=20%,delay=25ms, or both; up.loss=at:2 loses the sender's second packet. Without it
    /// loss=20%,delay=25ms; for transport loss=0.1%,delay=25ms,rate=20mbit,queue=128KiB
    #[arg(long, value_name = "FAULTS")]
    link: Option<Profile>,
    /// Seed of all chance; without one a new seed is drawn and printed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How many messages to send, or the file to send in pieces of 1000 bytes; without it 5
    #[arg(long, value_name = "N|FILE")]
    messages: Option<String>,
    #[command(flatten)]
    recording: RecordingArgs,
    /// Write the state diagrams along the run to this file as SVG, one frame a step
    #[arg(long, value_name = "FILE")]
    states: Option<PathBuf>,
    /// Stop after so much virtual time
    #[arg(long, value_name = "TIME", default_value = "1h")]
    limit: Span,
    /// Window of go-back-N or selective repeat, in packets
    #[arg(long, value_name = "N")]
    window: Option<u64>,
    /// How many sequence numbers there are; without it they never repeat
    #[arg(long, value_name = "M", conflicts_with = "bits")]
    modulus: Option<u64>,
    /// Bits of a sequence number: --modulus 2^K
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=62))]
    bits: Option<u32>,
    /// Checksum of each packet: none, internet, crc16 or crc32c, which is the default
    #[arg(long, value_name = "NAME")]
    checksum: Option<Checksum>,
    /// Retransmission timeout: fixed:50ms, adaptive, which is the default, or rfc6298
    #[arg(long, value_name = "RULE")]
    timeout: Option<TimeoutRule>,
    /// Be the network: step through the run, and drop, duplicate, corrupt or delay packets by
    /// commands that are read line by line
    #[arg(long, conflicts_with_all = ["link", "seed", "events", "json", "limit", "states"])]
    step: bool,
    /// With --step: how long every packet takes one way
    #[arg(long, value_name = "TIME", default_value = "25ms", requires = "step")]
    delay: Span,
    /// Print the result as one JSON object instead of the ladder
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    transport: TransportArgs,
}

/// The network, unless another is asked for.
const LINK: &str = "loss=20%,delay=25ms";

/// Bytes of a piece of a file.
const PIECE: usize = 1_000;
/// The most reasons that are printed one by one.
const REASONS_MAX: usize = 12;

impl Options {
    fn spec(&self) -> Spec {
        let modulus = self.modulus.map(Modulus::new).or(self.bits.map(Modulus::bits));
        // An illegal window is a lesson here, not a mistake.
        Spec::parse_even_if_illegal(&self.name)
            .and_then(|spec| spec.with(self.window, modulus, true))
            .unwrap_or_else(|error| refuse(error))
    }

    fn messages(&self) -> Vec<Vec<u8>> {
        let Some(path) = &self.messages else { return numbered(5) };
        if let Ok(count) = path.parse::<u64>() {
            return numbered(count);
        }
        let bytes = fs::read(path).unwrap_or_else(|error| {
            refuse(format_args!("{path}: {error}; --messages takes a number or a file"))
        });
        bytes.chunks(PIECE).map(<[u8]>::to_vec).collect()
    }

    fn config(&self, spec: Spec) -> Config {
        // rdt 1.0 has no header that could carry a checksum.
        let codec = if spec.fields().checksum {
            Codec::Compact { checksum: self.checksum.unwrap_or_default() }
        } else {
            Codec::Bare
        };
        let timeout = self.timeout.map_or(TimeoutRule::DEFAULT, |rule| rule.0);
        Config { codec, timeout, ..Config::default() }
    }

    /// The first option that was given and that only the textbook's protocols have.
    fn of_the_book(&self) -> Option<&'static str> {
        let given = [
            (self.messages.is_some(), "--messages"),
            (self.states.is_some(), "--states"),
            (self.window.is_some(), "--window"),
            (self.modulus.is_some(), "--modulus"),
            (self.bits.is_some(), "--bits"),
            (self.checksum.is_some(), "--checksum"),
            (self.timeout.is_some(), "--timeout"),
            (self.step, "--step"),
        ];
        given.into_iter().find_map(|(given, name)| given.then_some(name))
    }
}

fn numbered(count: u64) -> Vec<Vec<u8>> {
    (0..count).map(|n| format!("message {n}").into_bytes()).collect()
}

pub(crate) fn run(options: &Options) -> Outcome {
    if options.name == "transport" {
        return transport::run(options);
    }
    if let Some(option) = options.transport.given() {
        let what = format!("{option} is for transport: rdtp run transport {option} ...\n");
        clap::Error::raw(ErrorKind::ArgumentConflict, what).exit()
    }
    let (spec, messages) = (options.spec(), options.messages());
    if options.step {
        return walk(options, spec, messages);
    }
    let seed = seed_or_new(options.seed).number();
    let link = match &options.link {
        Some(link) => link.clone(),
        None => LINK.parse()?,
    };
    let transfer = Transfer::new(messages)
        .over(link.clone())
        .config(options.config(spec))
        .seed(seed)
        .limit(options.limit.0);
    let title = format!("{spec} over {link}, seed {seed}");
    let mut recorder = options.recording.start(Ladder::new(&title))?;
    let mut strip = match &options.states {
        Some(_) => Some(states::begin(spec, &title, options.recording.whole)?),
        None => None,
    };
    let mut record = |record: &Record| {
        recorder.record(record);
        if let Some(strip) = &mut strip {
            strip.record(record);
        }
    };
    let report = transfer.run(spec, &mut Watch(&mut record))?;
    if let (Some(strip), Some(path)) = (&strip, &options.states) {
        states::write(strip, path)?;
    }
    let wrong = match report.verdict {
        Verdict::Wrong { after } => Some(after),
        _ => None,
    };
    let ladder = recorder.finish(wrong)?.unwrap_or_else(|| Ladder::new(&title));
    print(options, (spec, &link), seed, &ladder, &report)?;
    let intact = report.verdict == Verdict::Intact;
    Ok(if intact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn walk(options: &Options, spec: Spec, messages: Vec<Vec<u8>>) -> Outcome {
    let (config, delay) = (options.config(spec), options.delay.0);
    let start = Start { spec, config, messages, delay };
    let (ladder, intact) = step::walk(&start, io::stdin().lock(), &mut io::stdout().lock())?;
    options.recording.write(&ladder)?;
    Ok(if intact { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(
    options: &Options,
    (spec, link): (Spec, &Profile),
    seed: u64,
    ladder: &Ladder,
    report: &Report,
) -> Result<(), Failure> {
    let to = &options.recording;
    let events_own_stdout = to.events_own_stdout();
    let wants_text = match &to.ladder {
        Some(path) => is_dash(path),
        None => !events_own_stdout && !options.json,
    };
    let mut text = String::new();
    if wants_text {
        text.push_str(&ladder.to_text());
        text.push('\n');
    }
    let result = RunReport::new(link, spec, seed, ladder, report);
    if options.json {
        let json = serde_json::to_string(&result)?;
        say!("{text}{json}");
    } else if events_own_stdout {
        eprint!("{text}{}", result.words(report));
    } else {
        say!("{text}{}", result.words(report).trim_end());
    }
    Ok(())
}

/// What came of a run, for `--json`.
#[derive(Serialize)]
struct RunReport {
    protocol: String,
    link: String,
    seed: u64,
    verdict: String,
    intact: bool,
    messages: u64,
    messages_delivered: u64,
    elapsed_ns: u64,
    datagrams: u64,
    data_sent: u64,
    data_resent: u64,
    feedback_sent: u64,
    /// What the network does that the protocol does not tolerate.
    not_tolerated: Vec<String>,
    reasons: Vec<String>,
}

impl RunReport {
    fn new(link: &Profile, spec: Spec, seed: u64, ladder: &Ladder, report: &Report) -> Self {
        Self {
            protocol: spec.to_string(),
            link: link.to_string(),
            seed,
            verdict: report.verdict.to_string(),
            intact: report.verdict == Verdict::Intact,
            messages: report.sender.messages_sent,
            messages_delivered: report.delivered.len() as u64,
            elapsed_ns: u64::try_from(report.elapsed.as_nanos()).unwrap_or(u64::MAX),
            datagrams: report.datagrams,
            data_sent: report.sender.data_sent,
            data_resent: report.sender.data_resent,
            feedback_sent: report.receiver.feedback_sent,
            not_tolerated: link.channel().exceeds(spec.tolerates()),
            reasons: reasons::explain(ladder),
        }
    }

    fn words(&self, report: &Report) -> String {
        let mut text = format!(
            "{}: {} of {} messages delivered in {:.3} s of virtual time; {} packets, {} of them \
             sent again, {} feedback\n",
            self.verdict,
            grouped(self.messages_delivered),
            grouped(self.messages),
            report.elapsed.as_secs_f64(),
            grouped(self.data_sent + self.data_resent),
            grouped(self.data_resent),
            grouped(self.feedback_sent),
        );
        if !self.not_tolerated.is_empty() {
            let faults = self.not_tolerated.join(", ");
            let _ = writeln!(text, "{} does not tolerate a link that {faults}", self.protocol);
        }
        // The last ones say what went wrong.
        let (few, last) = (REASONS_MAX / 2, REASONS_MAX - REASONS_MAX / 2);
        let count = self.reasons.len();
        for (at, reason) in self.reasons.iter().enumerate() {
            if count <= REASONS_MAX || at < few || at >= count - last {
                let _ = writeln!(text, "- {reason}");
            } else if at == few {
                let _ = writeln!(text, "- ... {} more", count - REASONS_MAX);
            }
        }
        let _ = writeln!(text, "seed {}", self.seed);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_reasons_are_cut_in_the_middle() {
        let reasons = (0..40).map(|n| format!("reason {n}")).collect();
        let report = Transfer::new(Vec::new()).run("rdt3.0".parse().unwrap(), &mut ()).unwrap();
        let mut result = RunReport {
            protocol: "rdt3.0".into(),
            link: String::new(),
            seed: 1,
            verdict: report.verdict.to_string(),
            intact: true,
            messages: 0,
            messages_delivered: 0,
            elapsed_ns: 0,
            datagrams: 0,
            data_sent: 0,
            data_resent: 0,
            feedback_sent: 0,
            not_tolerated: vec!["loses".into()],
            reasons,
        };
        let text = result.words(&report);
        assert_eq!(text.matches("- reason").count(), REASONS_MAX);
        assert!(text.contains("- reason 0\n") && text.contains("- ... 28 more\n"));
        assert!(text.contains("- reason 39\n"));
        result.reasons.truncate(REASONS_MAX);
        assert!(!result.words(&report).contains("more"));
    }
}
