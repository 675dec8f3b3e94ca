//! `rdtp monitor serve`: the side that answers.

use core::net::SocketAddr;
use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Args;
use rdtp::{
    app::{
        monitor::{EchoEvent, Format},
        words::Lang,
    },
    endpoint::Endpoint as _,
    net::{Clock, Driver, Socket, SocketConfig, wait},
    trace::NodeId,
};
use serde::Serialize;

use super::{
    super::{Failure, Outcome, carrier::Over, lang::Language, network::NetworkArgs},
    Compat, address,
    bell::Bell,
    language, network, secret,
    sides::Answering,
    tcp::TcpEcho,
    way::links,
};

/// Answer probes of rdtp monitor
///
/// Nothing is kept of who asks. It ends with Ctrl-C, and says how many probes it has answered.
#[derive(Debug, Args)]
#[command(after_long_help = super::super::network::FAULTS)]
pub(super) struct Options {
    /// Where to listen, as HOST or HOST:PORT, with 12345 for the port; port 0 lets the system choose,
    /// and the choice is printed
    #[arg(default_value = super::TARGET)]
    address: String,
    /// What carries the probes: tcp, udp, rdt (the production transport), or a protocol of the book
    /// such as rdt3.0, gbn or sr; the monitor must use the same
    #[arg(long, value_name = "CARRIER", default_value = "udp")]
    over: Over,
    /// Answer the word "ping" with the word, and speak Portuguese, as the UDP server of the original
    /// does to a monitor
    #[arg(long, value_enum)]
    compat: Option<Compat>,
    /// Language of the output; that of the locale unless given
    #[arg(long, value_enum)]
    lang: Option<Language>,
    /// Print each probe that is answered
    #[arg(long)]
    trace: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    network: NetworkArgs,
}

/// One JSON line.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line {
    Listening { address: SocketAddr, over: String },
    Answered { from: SocketAddr },
    Ignored { from: SocketAddr },
    Summary { answered: u64, ignored: u64 },
}

/// What is printed, and counted.
struct Log<'a> {
    options: &'a Options,
    lang: Lang,
    answered: u64,
    ignored: u64,
}

pub(super) fn run(options: &Options) -> Outcome {
    let at = address(&options.address)?;
    let over = options.over;
    if options.compat.is_some() && over != Over::Udp {
        super::super::refuse("the original answers over UDP: leave --over out");
    }
    let log =
        Log { options, lang: language(options.lang, options.compat), answered: 0, ignored: 0 };
    let cannot = |error| Failure(format!("cannot listen on {at}: {error}"));
    let bell = Bell::on_signals()?;
    if over == Over::Tcp {
        super::refuse_link(&options.network);
        let echo = TcpEcho::bind(at).map_err(cannot)?;
        log.listening(echo.local_addr()?)?;
        return log.tcp(echo, bell);
    }
    let format = if options.compat.is_some() { Format::Word } else { Format::Token };
    let echo = Answering::new(over, format, secret())?;
    let config = SocketConfig { dual_stack: true, ..SocketConfig::default() };
    let socket = Socket::bind(at, &config).map_err(cannot)?;
    let clock = Clock::start();
    let mut driver = Driver::new(echo, socket, clock).with_node(NodeId(1));
    if let Some((profile, seed)) = network(&options.network, over) {
        // The monitors are the first side.
        let [up, down] = links(over, &profile, seed);
        driver = driver.with_links(down, up, NodeId(0));
    }
    log.listening(driver.local_addr())?;
    log.datagrams(driver, bell, &clock)
}

impl Log<'_> {
    fn listening(&self, address: SocketAddr) -> Result<(), Failure> {
        let over = self.options.over.to_string();
        if self.options.json {
            say!("{}", serde_json::to_string(&Line::Listening { address, over })?);
        } else if self.options.compat.is_some() {
            say!("{}", self.lang.original_waits());
            // The original listens on one port only.
            eprintln!("{address}");
        } else {
            say!("{}", self.lang.answering(address, &over));
        }
        // Whoever started this program waits for the line.
        Ok(io::stdout().flush()?)
    }

    fn datagrams(
        mut self,
        mut driver: Driver<Answering>,
        mut bell: Bell,
        clock: &Clock,
    ) -> Outcome {
        while !bell.is_stop_asked() {
            wait(&[bell.interest(), driver.interest()], driver.deadline(), clock)?;
            bell.silence();
            driver.step(&mut ())?;
            while let Some(event) = driver.endpoint_mut().poll_event() {
                self.take(event)?;
            }
        }
        self.summary()
    }

    fn tcp(mut self, mut echo: TcpEcho, mut bell: Bell) -> Outcome {
        while !bell.is_stop_asked() {
            let mut events = Vec::new();
            echo.turn(&bell, |event| events.push(event))?;
            bell.silence();
            for event in events {
                self.take(event)?;
            }
        }
        self.summary()
    }

    fn take(&mut self, event: EchoEvent) -> Result<(), Failure> {
        let from = match event {
            EchoEvent::Answered(from) => {
                self.answered += 1;
                from
            }
            EchoEvent::Ignored(from) => {
                self.ignored += 1;
                from
            }
        };
        let Options { json, trace, compat, .. } = *self.options;
        if json && trace {
            let line = match event {
                EchoEvent::Answered(_) => Line::Answered { from },
                EchoEvent::Ignored(_) => Line::Ignored { from },
            };
            say!("{}", serde_json::to_string(&line)?);
        } else if compat.is_some() && !json {
            say!("{}", self.lang.received_from(from));
        } else if trace {
            say!("{}", self.lang.answered(event));
        }
        Ok(())
    }

    fn summary(&self) -> Outcome {
        let Self { answered, ignored, .. } = *self;
        if self.options.json {
            say!("{}", serde_json::to_string(&Line::Summary { answered, ignored })?);
        } else if self.options.compat.is_none() {
            say!("{}", self.lang.answers(answered, ignored));
        }
        Ok(ExitCode::SUCCESS)
    }
}
