//! `rdtp lab client`: sends the list, with the fault that menu, script or chance choose.

use core::{net::SocketAddr, time::Duration};
use std::{fs, io, net::ToSocketAddrs, path::PathBuf, process::ExitCode};

use clap::{Args, ValueEnum};
use rdtp::{
    app::lab::{
        Action, Client, ClientConfig, Ending, Faults, Strategy,
        input::{self, FILE_NAME},
    },
    classic::{Protocol, Spec, Visitor},
    endpoint::Endpoint,
    net::{Clock, Driver, Socket, SocketConfig},
    quantity::Probability,
    rng::Seed,
};
use serde_json::json;

use super::{
    super::{Failure, Outcome, network, refuse},
    Common, Lang, ask, json, print, span, tell,
};

/// Send the list, choosing for each number how: by menu, by script or by chance.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The server
    #[arg(value_name = "ADDR", default_value = "127.0.0.1:5000")]
    server: String,
    /// The list to send, as `rdtp lab input` writes it
    #[arg(long, default_value = FILE_NAME)]
    file: PathBuf,
    #[command(flatten)]
    common: Common,
    /// What loss and duplicate do
    #[arg(long, value_enum, default_value_t = Mode::Seed)]
    faults: Mode,
    /// No menu: lose each number with this probability, such as 20%
    #[arg(long, value_name = "P", conflicts_with = "script")]
    loss: Option<Probability>,
    /// No menu: duplicate each number with this probability
    #[arg(long, value_name = "P", conflicts_with = "script")]
    dup: Option<Probability>,
    /// No menu: shuffle the list first
    #[arg(long)]
    shuffle: bool,
    /// No menu: the items to choose one after the other, such as 1,2,4,3, or a file with them
    #[arg(long, value_name = "ITEMS")]
    script: Option<String>,
    /// The seed of the random choices; random when not given
    #[arg(long)]
    seed: Option<u64>,
    /// The countdown timer of rdt3.0
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = span)]
    timeout: Duration,
    /// How long to wait for an answer without a timer before calling it a deadlock
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = span)]
    patience: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// As in the exercise: a wrong checksum, the number of the packet before
    Seed,
    /// Nothing is sent, a packet is sent twice
    Real,
}

pub(super) fn run(options: &Options) -> Outcome {
    Spec::from(options.common.protocol).visit(Talk(options))
}

/// Where the next action comes from.
enum Source {
    Menu,
    Script(std::vec::IntoIter<Action>),
    Chance { shuffle: bool, strategy: Box<Strategy> },
}

impl Source {
    fn new(options: &Options, seed: Seed) -> Result<Self, Failure> {
        let lang = options.common.lang();
        if let Some(script) = &options.script {
            let actions = parse_script(script, lang)?;
            let shuffle = options.shuffle.then_some(Action::Shuffle);
            return Ok(Self::Script(
                shuffle.into_iter().chain(actions).collect::<Vec<_>>().into_iter(),
            ));
        }
        if options.loss.is_none() && options.dup.is_none() && !options.shuffle {
            if options.common.json {
                refuse("with --json there is no menu: use --script, --loss, --dup or --shuffle");
            }
            return Ok(Self::Menu);
        }
        let [loss, dup] = [options.loss, options.dup].map(Option::unwrap_or_default);
        let strategy = Box::new(Strategy::new(loss, dup, seed));
        Ok(Self::Chance { shuffle: options.shuffle, strategy })
    }

    /// The next action; the end of input or script is a wish to stop.
    fn next(&mut self, lang: Lang) -> Result<Action, Failure> {
        match self {
            Self::Menu => {
                let read = |text: &str| {
                    let quits = ["/quit", "/sair", ":q"];
                    if quits.contains(&text.to_ascii_lowercase().as_str()) {
                        return Ok(Action::Quit);
                    }
                    text.parse().map_err(|_| lang.no_such_item(text))
                };
                Ok(ask(&lang.menu(), read)?.unwrap_or(Action::Quit))
            }
            Self::Script(actions) => Ok(actions.next().unwrap_or(Action::Quit)),
            Self::Chance { shuffle: shuffle @ true, .. } => {
                *shuffle = false;
                Ok(Action::Shuffle)
            }
            Self::Chance { strategy, .. } => Ok(strategy.next_action()),
        }
    }
}

/// Items separated by commas or blanks; a text that is none is the name of a file with them.
fn parse_script(script: &str, lang: Lang) -> Result<Vec<Action>, Failure> {
    let items = |text: &str| -> Result<Vec<Action>, String> {
        let split = |c: char| c == ',' || c.is_whitespace();
        let words = text.split(split).filter(|word| !word.is_empty());
        words.map(|word| word.parse().map_err(|_| lang.no_such_item(word))).collect()
    };
    items(script).or_else(|reason| {
        let text = fs::read_to_string(script).map_err(|_| Failure(reason))?;
        items(&text).map_err(|reason| Failure(format!("{script}: {reason}")))
    })
}

struct Talk<'a>(&'a Options);

impl Visitor for Talk<'_> {
    type Output = Outcome;

    fn visit<P: Protocol + 'static>(self, protocol: P) -> Outcome {
        let options = self.0;
        let (checksum, lang) = (options.common.checksum, options.common.lang());
        let seed = network::seed_or_new(options.seed);
        let mut source = Source::new(options, seed)?;
        let list = read_list(&options.file, lang)?;
        let server = resolve(&options.server, lang)?;
        let faults = match options.faults {
            Mode::Seed => Faults::Seed,
            Mode::Real => Faults::Real,
        };
        let socket = Socket::bind_for(server, &SocketConfig::default())?;
        let config = ClientConfig {
            checksum,
            faults,
            timeout: options.timeout,
            patience: options.patience,
            ..ClientConfig::new(server, socket.local_addr().port())
        };
        let json = options.common.json;
        tell(
            json,
            || lang.sending(list.len() - 1, server, P::NAME, seed),
            || {
                json!({
                    "event": "sending", "numbers": list, "peer": server.to_string(),
                    "protocol": P::NAME, "seed": seed.to_string(),
                })
            },
        )?;
        if faults == Faults::Real && !json {
            print(&lang.not_tolerated(P::NAME, protocol.tolerates()).unwrap_or_default())?;
        }
        let client = Client::new(&protocol, config, list, seed);
        converse(Driver::new(client, socket, Clock::start()), &mut source, options)
    }
}

/// Takes one action after the other and shows what comes of it, until it is over.
fn converse<P: Protocol>(
    mut driver: Driver<Client<P>>,
    source: &mut Source,
    options: &Options,
) -> Outcome {
    let lang = options.common.lang();
    loop {
        let json = options.common.json;
        if !json {
            print(&lang.remaining(driver.endpoint().remaining()))?;
        }
        let ending = driver.endpoint().ending();
        if let Some(ending) = ending {
            let text = || lang.ending(ending, P::NAME, options.patience);
            tell(json, text, || json::end(ending, driver.endpoint().remaining()))?;
            let well = matches!(ending, Ending::Done | Ending::Quit);
            return Ok(ExitCode::from(u8::from(!well)));
        }
        let action = source.next(lang)?;
        let now = driver.now();
        driver.endpoint_mut().act(now, action)?;
        loop {
            driver.turn(&mut (), None)?;
            while let Some(event) = driver.endpoint_mut().poll_event() {
                let text = || lang.event(event, P::FIELDS, options.faults == Mode::Seed);
                tell(json, text, || json::client(event))?;
            }
            if driver.endpoint().ready() || driver.endpoint().ending().is_some() {
                break;
            }
        }
    }
}

fn read_list(file: &PathBuf, lang: Lang) -> Result<Vec<i32>, Failure> {
    let path = file.display();
    let text = fs::read_to_string(file)
        .map_err(|error| Failure(format!("{path}: {error}; {}", lang.make_input())))?;
    input::parse(&text).map_err(|error| Failure(format!("{path}: {error}")))
}

fn resolve(server: &str, lang: Lang) -> Result<SocketAddr, Failure> {
    let wrong = |error: String| format!("{server}: {error}{}", lang.address_form());
    let addresses: Vec<_> = match server.to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            refuse(wrong(format!("{error}; ")))
        }
        Err(error) => return Err(Failure(wrong(format!("{error}; ")))),
    };
    // "localhost" may be ::1 first, but the server listens on 127.0.0.1 unless told otherwise.
    let v4 = addresses.iter().find(|address| address.is_ipv4());
    v4.or(addresses.first()).copied().ok_or_else(|| Failure(wrong(String::new())))
}
