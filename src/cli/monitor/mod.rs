//! `rdtp monitor`: how long the way to a peer and back takes, and a word when that changes.

mod bell;
mod figures;
#[cfg(feature = "mail")]
mod mail;
mod rdt;
mod serve;
mod sides;
mod sim;
mod tcp;
mod view;
mod way;

use core::{net::SocketAddr, time::Duration};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use rdtp::{
    app::{
        monitor::{Format, Monitor, MonitorConfig, MonitorEvent, PORT, Pace, Sample, Thresholds},
        words::Lang,
    },
    net::Clock,
    quantity::Span,
    rng::Seed,
    time::Instant,
};

use self::{
    bell::Bell,
    sides::excess,
    view::{Style, View},
    way::{Network, Way},
};
use super::{
    Failure, Outcome,
    carrier::{Over, draw},
    lang::{self, Language},
    network::NetworkArgs,
    refuse,
    transfer::resolve,
};

/// What is probed when nothing is named (S1-15).
const TARGET: &str = "127.0.0.1:12345";

/// What the long help says beyond the options.
const HELP: &str = "\
Output: a line for each sample, and one that begins with ** for each change. On
a terminal the last sample, the figures so far and a strip of the last samples
are drawn in place, and only changes and mails scroll by. With --json, one
object a line: started, sample, change, mail and, at the end, summary. Fields
end in their unit (_ms, _s); time is UTC, elapsed_s counts from the start,
jitter is that of RFC 3550 section 6.4.1. When that goes to a file, a terminal
on standard error still has the picture.

Exit status: 0 when at least one probe was answered in time, 1 when none was, 2
for bad usage. Ctrl-C prints the summary too.

";

/// Measure the latency to a peer, and tell when it changes: on the screen, as JSON, by mail
///
/// Sends a probe now and then, takes the reply that carries its token, and calls the connection
/// Normal, Slow, Very Slow or Inactive. A change counts when several samples in a row agree. The
/// other side runs rdtp monitor serve; a monitor joins nothing there, and is not remembered.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_value_name = "serve",
          after_long_help = [HELP, super::network::FAULTS].concat())]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    watch: WatchArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Options),
}

/// A program whose bytes and words are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Compat {
    /// The UDP chat with a latency monitor, in Portuguese: the word "ping" both ways, the next probe
    /// an interval after the last answer, a mail after every sample
    S1,
}

#[derive(Debug, Args)]
struct WatchArgs {
    /// What to probe, as HOST or HOST:PORT, with 12345 for the port
    #[arg(default_value = TARGET)]
    address: String,
    /// How long to wait for a reply before the connection counts as inactive
    #[arg(long, value_name = "TIME", default_value = "2s")]
    timeout: Span,
    /// Time from one probe to the next
    #[arg(long, value_name = "TIME", default_value = "10s")]
    interval: Span,
    /// Latency below which the connection counts as normal
    #[arg(long, value_name = "TIME", default_value = "100ms")]
    normal: Span,
    /// Latency below which it counts as slow; what is not below is very slow
    #[arg(long, value_name = "TIME", default_value = "300ms")]
    slow: Span,
    /// How many samples in a row are a change
    #[arg(long, value_name = "N", default_value_t = 3)]
    consecutive: u32,
    /// Stop after so many probes
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// What carries the probes: udp, where a loss is a loss; tcp, rdt (the production transport), or
    /// a protocol of the book such as rdt3.0, gbn or sr, where it is a delay. The side that answers
    /// must use the same
    #[arg(long, value_name = "CARRIER", default_value = "udp")]
    over: Over,
    /// Probe in virtual time, with the other side and --link simulated, without waiting; the same
    /// seed gives the same samples. 10 probes unless --count is given
    #[arg(long)]
    simulate: bool,
    /// Speak another program's bytes and print its phrases
    #[arg(long, value_enum)]
    compat: Option<Compat>,
    /// Language of the output and of mails; that of the locale unless given
    #[arg(long, value_enum)]
    lang: Option<Language>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    network: NetworkArgs,
    #[cfg(feature = "mail")]
    #[command(flatten)]
    mail: mail::MailArgs,
}

pub(crate) fn run(options: &Options) -> Outcome {
    match &options.command {
        Some(Command::Serve(options)) => serve::run(options),
        None => options.watch.run(),
    }
}

/// The address of `HOST` or `HOST:PORT`.
fn address(text: &str) -> Result<SocketAddr, Failure> {
    let bare = !text.contains(':') || text.ends_with(']');
    if bare { resolve(&format!("{text}:{PORT}")) } else { resolve(text) }
}

fn language(chosen: Option<Language>, compat: Option<Compat>) -> Lang {
    lang::chosen(chosen.or(compat.map(|_| Language::Pt)))
}

/// Chance that nobody can guess, for tokens and connections.
fn secret() -> Seed {
    Seed::new(draw())
}

/// The network that was asked for, said on standard error, and what of it the carrier does not bear.
fn network(args: &NetworkArgs, over: Over) -> Network {
    let (profile, seed) = args.chosen()?;
    let excess = excess(over, profile.channel());
    if !excess.is_empty() {
        eprintln!("warning: {over} does not tolerate a link that {}", excess.join(", "));
    }
    Some((profile, seed))
}

/// A link loses datagrams, of which TCP has none.
fn refuse_link(args: &NetworkArgs) {
    if args.is_given() {
        refuse("--link takes datagrams: use --over udp, rdt or a protocol of the book");
    }
}

/// 0 when a probe was answered.
fn code(monitor: &Monitor) -> ExitCode {
    ExitCode::from(u8::from(monitor.stats().answered == 0))
}

/// The probes of a simulation unless others are asked for.
const SIMULATED_COUNT: u64 = 10;

impl WatchArgs {
    fn config(&self) -> MonitorConfig {
        let compat = self.compat.is_some();
        let config = MonitorConfig {
            format: if compat { Format::Word } else { Format::Token },
            timeout: self.timeout.0,
            interval: self.interval.0,
            pace: if compat { Pace::AfterSample } else { Pace::Steady },
            thresholds: Thresholds { normal_below: self.normal.0, slow_below: self.slow.0 },
            consecutive: self.consecutive,
            count: self.count.or(self.simulate.then_some(SIMULATED_COUNT)),
        };
        if let Err(error) = config.check() {
            refuse(error);
        }
        config
    }

    fn style(&self) -> Style {
        let lang = language(self.lang, self.compat);
        let faithful = self.compat.is_some();
        Style { lang, faithful, json: self.json, simulated: self.simulate }
    }

    fn run(&self) -> Outcome {
        let (config, style) = (self.config(), self.style());
        if self.compat.is_some() && self.over != Over::Udp {
            refuse("the original probes over UDP: leave --over out");
        }
        if self.over == Over::Tcp {
            refuse_link(&self.network);
        }
        #[cfg(feature = "mail")]
        if self.mail.is_test() {
            say!("{}", self.mail.test(style.lang)?);
            return Ok(ExitCode::SUCCESS);
        }
        let network = network(&self.network, self.over);
        if self.simulate {
            if self.over == Over::Tcp {
                refuse("TCP is the system's and cannot be simulated: choose another --over");
            }
            return sim::run(config, self.over, &network, style);
        }
        let target = address(&self.address)?;
        let bell = Bell::on_signals()?;
        let clock = Clock::start();
        let (start, secret) = (clock.now(), secret());
        let watch = Watching {
            #[cfg(feature = "mail")]
            mail: self
                .mail
                .open(style.lang, target, config.consecutive, style.faithful, || bell.ringer())?,
            view: View::new(style, target, self.over, start)?,
            clock,
            way: Way::new(
                self.over,
                Monitor::new(config, secret, start)?,
                target,
                network.clone(),
                secret.split("carrier"),
                clock,
            )?,
            last: None,
        };
        watch.view.started(target, self.over, &config, &network)?;
        watch.run(bell)
    }
}

/// A monitor at work.
struct Watching {
    way: Way,
    view: View,
    clock: Clock,
    last: Option<Sample>,
    #[cfg(feature = "mail")]
    mail: Option<mail::Mail>,
}

/// How long the last words to the peer may take.
const LEAVE_MAX: Duration = Duration::from_millis(200);

impl Watching {
    fn run(mut self, mut bell: Bell) -> Outcome {
        while !bell.is_stop_asked() && self.way.monitor().is_some_and(|m| !m.is_done()) {
            let redraw_at = self.view.redraw_at(self.clock.now());
            self.way.turn(&bell, redraw_at)?;
            bell.silence();
            self.take_events()?;
            self.take_news()?;
            let now = self.clock.now();
            if let Some(monitor) = self.way.monitor() {
                self.view.draw(now, monitor);
            }
        }
        self.end(&bell)
    }

    fn take_events(&mut self) -> Result<(), Failure> {
        while let Some(event) = self.way.monitor_mut().and_then(Monitor::poll_event) {
            match event {
                MonitorEvent::Sample(sample) => self.sample(sample)?,
                MonitorEvent::Change(change) => {
                    self.view.change(self.clock.now(), &change)?;
                    #[cfg(feature = "mail")]
                    if let (Some(mail), Some(last)) = (&self.mail, &self.last) {
                        mail.change(&change, last)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn sample(&mut self, sample: Sample) -> Result<(), Failure> {
        let reason = match sample.rtt {
            None => self.way.after_silence()?,
            Some(_) => None,
        };
        let Some(monitor) = self.way.monitor() else { return Ok(()) };
        let stats = *monitor.stats();
        self.view.sample(self.clock.now(), &sample, reason.as_deref(), &stats)?;
        #[cfg(feature = "mail")]
        if let Some(mail) = &self.mail {
            mail.sample(&sample)?;
        }
        self.last = Some(sample);
        Ok(())
    }

    #[cfg(feature = "mail")]
    fn take_news(&mut self) -> Result<(), Failure> {
        for (text, told) in self.mail.as_ref().map(mail::Mail::news).unwrap_or_default() {
            self.view.mail(self.clock.now(), &text, &told)?;
        }
        Ok(())
    }

    #[cfg(not(feature = "mail"))]
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "there is news with mail")]
    fn take_news(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    fn end(mut self, bell: &Bell) -> Outcome {
        if let Some(monitor) = self.way.monitor_mut() {
            monitor.stop();
        }
        self.way.close()?;
        let until: Instant = self.clock.now() + LEAVE_MAX;
        while self.way.has_work(self.clock.now()) && self.clock.now() < until {
            self.way.turn(bell, Some(until))?;
        }
        let now = self.clock.now();
        #[cfg(feature = "mail")]
        if let Some(mail) = &self.mail {
            let left = mail.close();
            self.take_news()?;
            if let Some(left) = left {
                eprintln!("rdtp: {left}");
            }
        }
        let Some(monitor) = self.way.monitor() else { return Ok(ExitCode::FAILURE) };
        self.view.summary(now, monitor, self.way.links())?;
        Ok(code(monitor))
    }
}
