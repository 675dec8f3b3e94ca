//! `rdtp chat`: a server for thousands, a client for one, and two who talk without a server.

mod compat;
mod files;
mod host;
mod join;
mod lines;
mod load;
mod screen;
mod serve;
mod simulate;

use core::{net::SocketAddr, str::FromStr};
use std::{env, io::IsTerminal as _, net::ToSocketAddrs, path::PathBuf};

use clap::{Args, Subcommand};
use rdtp::{
    app::chat::{Lang, check_nick, compat::Original},
    link::Profile,
    quantity::ByteSize,
};

use super::{
    Failure, Outcome,
    carrier::{Bad, Over},
    lang::{self, Language},
    network::seed_or_new,
    refuse,
    transfer::resolve,
};

/// The port of the chat when none is given.
pub(crate) const PORT: u16 = 5555;

/// Chat over any carrier: rooms, private messages, files
///
/// An address joins the server there, a port alone serves. Lines are said in the room; /help shows the
/// commands.
///
/// On a terminal, the screen shows rooms, members, what is said, files on their way and the link at work:
/// F2 makes the network in front of this program worse while you talk, F3 better. Ctrl-N and Ctrl-P go to
/// the next place and back, PgUp and PgDn scroll, the arrows bring typed lines back, Tab completes
/// commands and names, Ctrl-C ends.
///
/// In a pipe, on a terminal that is dumb, and with --lines it works line by line, and always with --compat,
/// as the originals did. When the input ends, the program waits until everything is confirmed, and goes.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
#[command(after_long_help = super::network::FAULTS)]
pub(crate) struct Options {
    #[command(subcommand)]
    part: Option<Part>,
    /// Server to join, as [NICK@]HOST[:PORT] or HOST PORT; a port alone serves
    #[arg(value_name = "[NICK@]ADDR", num_args = 1..=2)]
    target: Vec<String>,
    #[command(flatten)]
    join: JoinArgs,
}

#[derive(Debug, Subcommand)]
enum Part {
    Serve(serve::Options),
    Load(load::Options),
    Simulate(simulate::Options),
}

/// What a client and a server choose alike.
#[derive(Clone, Debug, Args)]
pub(super) struct Common {
    /// What is below: tcp, udp (some datagrams arrive), rdt (the transport), rdt3.0, gbn or sr (the
    /// machines of the textbook)
    #[arg(long, value_name = "CARRIER", default_value = "tcp", value_parser = Over::of_stream)]
    over: Over,
    /// Bad network in the path, in front of udp, rdt, rdt3.0, gbn and sr
    #[arg(long, value_name = "FAULTS")]
    link: Option<Profile>,
    /// Seed of all chance in it; without one a new seed is drawn and printed
    #[arg(long, value_name = "N", requires = "link")]
    seed: Option<u64>,
    /// Speak as an original does, over tcp or udp: s0 (port 5555), s1 (12345), s3 (5000) or s4 (8090)
    #[arg(long, value_name = "ORIGINAL")]
    compat: Option<Original>,
    /// Language; by default that of the locale
    #[arg(long, value_enum)]
    lang: Option<Language>,
}

impl Common {
    fn port(&self) -> u16 {
        self.compat.map_or(PORT, Original::port)
    }

    fn bad(&self) -> Option<Bad> {
        let profile = self.link.clone()?;
        let seed = seed_or_new(self.seed);
        eprintln!("link {profile}, seed {seed}");
        Some(Bad { profile, seed })
    }

    fn lang(&self) -> Lang {
        lang::chosen(self.lang)
    }
}

/// How to join.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct JoinArgs {
    #[command(flatten)]
    common: Common,
    /// Talk to one other program without a server between: a port alone waits for it
    #[arg(long)]
    peer: bool,
    /// Serve at the address when nobody answers there
    #[arg(long)]
    or_serve: bool,
    /// Do not serve when nobody answers, whatever else says so
    #[arg(long)]
    no_fallback: bool,
    /// Work line by line, even on a terminal
    #[arg(long)]
    lines: bool,
    /// Show one's own messages too
    #[arg(long)]
    echo: bool,
    /// Directory for files that are accepted
    #[arg(long, value_name = "DIR", default_value = ".")]
    into: PathBuf,
    /// Accept every file that is offered
    #[arg(long)]
    accept: bool,
    /// Largest file to accept
    #[arg(long, value_name = "SIZE", default_value = "64GiB")]
    max_size: ByteSize,
}

/// Where to go, read from the words of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Goal {
    /// Wait at this port.
    Serve(u16),
    /// Join.
    Join { nick: Option<String>, host: String },
}

impl Goal {
    /// S4-01: one argument, a port, serves; an address, or an address and a port, joins.
    fn of(words: &[String], usual: u16) -> Result<Self, String> {
        let (first, port) = match words {
            [first] => (first.as_str(), None),
            [first, port] => {
                let port = u16::from_str(port).map_err(|_| format!("{port:?} is no port"))?;
                (first.as_str(), Some(port))
            }
            _ => return Err("say where: a port to serve at, or an address to join".to_owned()),
        };
        if let (None, Ok(port)) = (port, u16::from_str(first)) {
            return Ok(Self::Serve(port));
        }
        let (nick, host) = match first.rsplit_once('@') {
            Some((nick, host)) => (Some(nick.to_owned()), host),
            None => (None, first),
        };
        if let Some(Err(error)) = nick.as_deref().map(check_nick) {
            return Err(format!("{}: {error}", nick.unwrap_or_default()));
        }
        Ok(Self::Join { nick, host: with_port(host, port.unwrap_or(usual), port.is_some()) })
    }
}

/// The address with a port: the one it has, or this one, which is always taken when it was `given`
/// beside the address.
fn with_port(host: &str, port: u16, given: bool) -> String {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<core::net::Ipv6Addr>().is_ok() {
        return format!("[{bare}]:{port}");
    }
    if host.contains(':') && !given { host.to_owned() } else { format!("{host}:{port}") }
}

/// Where to listen: an address, a port alone (everywhere), or nothing (the usual port).
fn listen_at(text: Option<&str>, usual: u16) -> Result<SocketAddr, Failure> {
    let port = match text {
        None => usual,
        Some(text) => match text.parse() {
            Ok(port) => port,
            Err(_) => return resolve(&with_port(text, usual, false)),
        },
    };
    // Both families where the system has both.
    let both = SocketAddr::from(([0_u16; 8], port));
    let usable = std::net::UdpSocket::bind(SocketAddr::from(([0_u16; 8], 0))).is_ok();
    Ok(if usable { both } else { SocketAddr::from(([0; 4], port)) })
}

pub(crate) fn run(options: &Options) -> Outcome {
    match &options.part {
        Some(Part::Serve(options)) => return serve::run(options),
        Some(Part::Load(options)) => return load::run(options),
        Some(Part::Simulate(options)) => return Ok(simulate::run(options)),
        None => {}
    }
    let args = &options.join;
    let usual = args.common.port();
    match Goal::of(&options.target, usual).unwrap_or_else(|error| refuse(error)) {
        Goal::Serve(port) if args.peer && args.common.compat.is_none() => {
            join::wait_for_peer(args, listen_at(Some(&port.to_string()), usual)?)
        }
        Goal::Serve(port) => serve::run(&serve::Options::at(port, &args.common)),
        Goal::Join { nick, host } => {
            let address = resolve_for(&host)?;
            join::join(args, nick, address)
        }
    }
}

/// The first address of a host; of one with several, an IPv4 address where the carrier's other side
/// is likely to be one of this machine's simple programs.
fn resolve_for(host: &str) -> Result<SocketAddr, Failure> {
    let first = resolve(host)?;
    if !first.is_ipv6() {
        return Ok(first);
    }
    let all = host.to_socket_addrs().map(Iterator::collect::<Vec<_>>).unwrap_or_default();
    Ok(all.into_iter().find(SocketAddr::is_ipv4).unwrap_or(first))
}

/// The name to ask for: the one given, the one typed at a terminal, or none, which becomes the
/// address (C4).
fn nick(given: Option<String>, lang: Lang) -> Option<String> {
    if given.is_some() || !std::io::stdin().is_terminal() {
        return given;
    }
    let user = env::var("USER").ok().filter(|user| check_nick(user).is_ok());
    loop {
        let ask = lang.ask_nick();
        let hint = user.as_ref().map(|user| format!(" [{user}]")).unwrap_or_default();
        eprint!("{ask}{hint}: ");
        let mut line = String::new();
        if std::io::stdin().read_line(&mut line).is_ok_and(|len| len == 0) {
            return user;
        }
        match (line.trim(), &user) {
            ("", Some(user)) => return Some(user.clone()),
            (name, _) => match check_nick(name) {
                Ok(name) => return Some(name.to_owned()),
                Err(error) => eprintln!("{error}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goal(words: &[&str]) -> Result<Goal, String> {
        Goal::of(&words.iter().map(ToString::to_string).collect::<Vec<_>>(), PORT)
    }

    fn join(nick: Option<&str>, host: &str) -> Goal {
        Goal::Join { nick: nick.map(ToOwned::to_owned), host: host.to_owned() }
    }

    #[test]
    fn a_port_serves_and_an_address_joins() {
        assert_eq!(goal(&["5555"]), Ok(Goal::Serve(5555)));
        assert_eq!(goal(&["ana@host:7"]), Ok(join(Some("ana"), "host:7")));
        assert_eq!(goal(&["192.168.122.9", "8090"]), Ok(join(None, "192.168.122.9:8090")));
        assert_eq!(goal(&["host"]), Ok(join(None, "host:5555")));
        assert_eq!(goal(&["::1"]), Ok(join(None, "[::1]:5555")));
        assert_eq!(goal(&["a@[::1]:9"]), Ok(join(Some("a"), "[::1]:9")));
        assert!(goal(&["host", "port"]).is_err());
        assert!(goal(&["two words@host"]).is_err());
        assert!(goal(&[]).is_err());
    }

    #[test]
    fn everywhere_unless_an_address_is_given() {
        assert_eq!(listen_at(None, PORT).unwrap().port(), PORT);
        assert!(listen_at(Some("0"), PORT).unwrap().ip().is_unspecified());
        let here = "127.0.0.1:7";
        assert_eq!(listen_at(Some(here), PORT).unwrap(), here.parse().unwrap());
        assert_eq!(listen_at(Some("127.0.0.1"), PORT).unwrap().port(), PORT);
    }
}
