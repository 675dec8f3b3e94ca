//! `rdtp chat [NICK@]ADDR`: one user at a terminal or in a pipe.

use core::{net::SocketAddr, time::Duration};
use std::{
    env,
    io::{self, IsTerminal as _},
    process::ExitCode,
};

use rdtp::{
    app::chat::{
        Client, ClientConfig, Event, Kind, Lane, Lang, Line, PeerId, Place, Verb, Wire,
        compat::Original, millis, parse, plain,
    },
    link::Profile,
    net::Clock,
    time::Instant,
};
use rustix::{event::PollFlags, fd::AsFd as _};

use super::{JoinArgs, compat, files::Files, host::Host, lines::Lines, nick, screen, serve};
use crate::cli::{
    Failure, Outcome,
    carrier::{self, Bad, Carrier, News, Over, Side, Traffic, send_frame},
    network::seed_or_new,
    stop::Stop,
};

/// How long the last words may take to leave.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(2);
/// After the end of the input: how long what is not confirmed may take.
const CONFIRM_MAX: Duration = Duration::from_mins(2);

/// A client and what it needs from the program, whatever shows it.
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) files: Files,
    pub(super) lang: Lang,
    wire: Wire,
    echo: bool,
    pub(super) clock: Clock,
    /// Whether there ever was a conversation.
    pub(super) met: bool,
    /// Lines to show.
    pub(super) lines: Vec<String>,
    /// Events to show, where somebody shows them in a way of their own.
    pub(super) seen: Option<Vec<Event>>,
    /// A bad network that was asked for.
    pub(super) link: Option<Profile>,
    /// The one that was put in the way, until somebody shows it.
    pub(super) network: Option<String>,
    /// Whether counts were asked for.
    pub(super) wants_stats: bool,
}

impl Session {
    pub(super) fn new(args: &JoinArgs, nick: Option<&str>, wire: Wire, clock: Clock) -> Self {
        let lang = args.common.lang();
        let config = ClientConfig::new(nick.unwrap_or_default(), carrier::secret(), wire);
        Self {
            client: Client::new(config),
            files: Files::new(&args.into, args.max_size.0, args.accept, lang),
            lang,
            wire,
            echo: args.echo,
            clock,
            met: false,
            lines: Vec::new(),
            seen: None,
            link: None,
            network: None,
            wants_stats: false,
        }
    }

    /// A line that the user has typed.
    pub(super) fn line(&mut self, line: &str) {
        let place = self.client.place().clone();
        let before = self.client.unconfirmed();
        self.client.handle_line(self.clock.now(), line);
        let taken = self.client.unconfirmed() > before;
        if !taken || !(self.echo || self.seen.is_some()) {
            return;
        }
        let (place, kind, text) = match parse(line) {
            Line::Text(text) => (place, Kind::Text, text),
            Line::Command(Verb::All, text, _) => (Place::Everyone, Kind::Text, text),
            Line::Command(Verb::Me, text, _) => (place, Kind::Action, text),
            Line::Command(Verb::Msg, to, text) => (Place::User(to.to_owned()), Kind::Text, text),
            _ => return,
        };
        let (from, text) = (self.client.nick().to_owned(), text.to_owned());
        self.tell(Event::Said { from, place, kind, text });
    }

    /// Shows an event, or keeps it for who shows events.
    fn tell(&mut self, event: Event) {
        match &mut self.seen {
            Some(seen) => seen.push(event),
            None => self.lines.extend(self.lang.lines(&event)),
        }
    }

    /// Does what the session says; what is to be shown is in `lines`.
    pub(super) fn events(&mut self) {
        let now = self.clock.now();
        while let Some(event) = self.client.poll_event() {
            self.met |= matches!(event, Event::Welcome { .. });
            if let Event::Do { verb, first, second } = &event {
                self.act(now, *verb, first, second);
            } else if !self.files.event(&mut self.client, now, &event) {
                self.tell(event);
            }
            self.lines.append(&mut self.files.lines);
        }
        self.files.pump(&mut self.client, now);
        self.files.tick(&mut self.client, now, self.wire);
        self.lines.append(&mut self.files.lines);
    }

    fn act(&mut self, now: Instant, verb: Verb, first: &str, second: &str) {
        match verb {
            Verb::File => self.files.offer(&mut self.client, now, self.wire, first, second),
            Verb::Accept => self.files.answer(&mut self.client, now, first, true),
            Verb::Decline => self.files.answer(&mut self.client, now, first, false),
            Verb::Cancel => self.files.cancel(&mut self.client, first),
            Verb::Stats => self.wants_stats = true,
            Verb::Link => match first.parse() {
                Ok(profile) => self.link = Some(profile),
                Err(error) => self.lines.push(format!("* {}", plain(&format!("{error}")))),
            },
            _ => {}
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let files = self.files.deadline(self.wire);
        [self.client.poll_timeout(), files].into_iter().flatten().min()
    }

    /// Whether everything that was begun has come to its end.
    fn is_done(&self) -> bool {
        let client = &self.client;
        client.is_online()
            && client.unconfirmed() == 0
            && !client.has_output()
            && self.files.is_idle()
    }
}

/// One client behind its carrier.
pub(super) struct Joined {
    pub(super) session: Session,
    pub(super) carrier: Box<dyn Carrier>,
    peer: Option<PeerId>,
    news: Vec<News>,
    address: SocketAddr,
    /// The first attempt has failed.
    pub(super) refused: bool,
}

impl Joined {
    pub(super) fn new(session: Session, carrier: Box<dyn Carrier>, address: SocketAddr) -> Self {
        Self { session, carrier, peer: None, news: Vec::new(), address, refused: false }
    }

    /// Connects when it is time, and gives the carrier what there is.
    pub(super) fn flush(&mut self) {
        let now = self.session.clock.now();
        if self.session.client.poll_connect(now) {
            match self.carrier.connect() {
                Ok(peer) => self.peer = Some(peer),
                Err(_) => self.closed(now),
            }
        }
        let Some(peer) = self.peer else { return };
        let (client, carrier) = (&mut self.session.client, &mut *self.carrier);
        while carrier.has_room(peer, Lane::Talk) {
            let Some(frame) = client.poll_talk() else { break };
            send_frame(carrier, peer, Lane::Talk, &frame);
        }
        while carrier.has_room(peer, Lane::Bulk) {
            if !client.has_bulk() {
                self.session.files.pump(client, now);
            }
            let Some(frame) = client.poll_bulk() else { break };
            send_frame(carrier, peer, Lane::Bulk, &frame);
        }
        if let Some(profile) = self.session.link.take() {
            let line = if self.carrier.set_link(&profile) {
                self.session.network = Some(profile.to_string());
                format!("* link {profile}")
            } else {
                let none = self.session.lang.no_datagrams();
                format!("* {none}")
            };
            self.session.lines.push(line);
        }
        if core::mem::take(&mut self.session.wants_stats) {
            let (lang, rtt) = (self.session.lang, self.session.client.rtt());
            let line = describe(lang, self.carrier.traffic(), rtt);
            self.session.lines.push(format!("* {line}"));
            let transfers = self.session.files.progress();
            self.session.lines.extend(transfers.iter().map(|file| format!("* {file}")));
        }
    }

    fn closed(&mut self, now: Instant) {
        self.peer = None;
        self.session.client.disconnected(now);
        self.refused |= !self.session.met;
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.session.deadline(), self.carrier.deadline()].into_iter().flatten().min()
    }

    pub(super) fn step(&mut self, ready: &[PollFlags]) -> io::Result<()> {
        let mut news = core::mem::take(&mut self.news);
        self.carrier.step(ready, &mut news)?;
        let now = self.session.clock.now();
        for item in news.drain(..) {
            match item {
                News::Opened(peer) if Some(peer) == self.peer => {
                    let own = self.carrier.local_addr().to_string();
                    let own: String = own
                        .chars()
                        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' })
                        .collect();
                    let own: String = own.trim_matches('-').chars().rev().take(21).collect();
                    self.session.client.call_me(&own.chars().rev().collect::<String>());
                    self.session.client.connected(now);
                }
                News::Bytes(peer, lane, bytes) if Some(peer) == self.peer => {
                    self.session.client.handle_bytes(now, lane, &bytes);
                }
                News::Datagram(peer, bytes) if peer.address == self.address => {
                    self.session.client.handle_datagram(now, &bytes);
                }
                News::Closed(peer) if Some(peer) == self.peer => self.closed(now),
                News::Gone(peer) if Some(peer) == self.peer => {
                    // While it is tried again and again, once is enough.
                    if self.session.client.is_online() {
                        let line = self.session.lang.nobody_at(self.address);
                        self.session.lines.push(line);
                    }
                    self.closed(now);
                }
                _ => {}
            }
        }
        self.news = news;
        self.session.client.handle_timeout(now);
        if !self.session.client.is_online() && self.session.client.poll_timeout().is_none() {
            self.session.client.handle_timeout(now);
        }
        Ok(())
    }
}

/// Counts for people. Where the system sends the packets, nobody counts them.
pub(super) fn describe(lang: Lang, traffic: Option<Traffic>, rtt: Option<Duration>) -> String {
    let rtt = traffic.and_then(|traffic| traffic.rtt).or(rtt).map_or("-".to_owned(), millis);
    let Some(Traffic { sent, lost, resent, .. }) = traffic else {
        let system = lang.system_repeats();
        return format!("{system}, rtt {rtt}");
    };
    let [first, second, third] = lang.packets();
    format!("{first} {sent}, {second} {lost}, {third} {resent}, rtt {rtt}")
}

/// Joins a server, or serves when nobody answers and that was asked for.
pub(super) fn join(args: &JoinArgs, given: Option<String>, address: SocketAddr) -> Outcome {
    let clock = Clock::start();
    let lang = args.common.lang();
    let name = nick(given, lang);
    if let Some(original) = args.common.compat {
        return match compat::join(original, name.as_deref(), address, args)? {
            compat::Ended::Well => Ok(ExitCode::SUCCESS),
            compat::Ended::Refused => refused(args, address),
        };
    }
    let bad = args.common.bad();
    let network = bad.as_ref().map(|bad| bad.profile.clone()).unwrap_or_default();
    let carrier = carrier::open(args.common.over, Side::Call(address), bad, clock)?;
    let session = Session::new(args, name.as_deref(), carrier.wire(), clock);
    let mut joined = Joined::new(session, carrier, address);
    let ended = talk(args, &mut joined, &network)?;
    if ended == Ended::Refused {
        return refused(args, address);
    }
    if ended == Ended::Unconfirmed {
        let left = joined.session.client.unconfirmed();
        return Err(Failure(format!("{left} messages were never confirmed")));
    }
    Ok(ExitCode::SUCCESS)
}

/// Until it is over: on the screen, or in lines.
fn talk(args: &JoinArgs, joined: &mut Joined, network: &Profile) -> Result<Ended, Failure> {
    if !is_drawn(args) {
        return line_mode(joined);
    }
    let network = joined.carrier.traffic().map(|_| network.to_string());
    screen::run(joined, &args.common.over.to_string(), network)
}

/// Whether the whole terminal is drawn on.
fn is_drawn(args: &JoinArgs) -> bool {
    has_screen() && !args.lines
}

/// Whether there is a terminal on both sides, and one that can be drawn on.
fn has_screen() -> bool {
    let dumb = env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    io::stdin().is_terminal() && io::stdout().is_terminal() && !dumb
}

/// Nobody answers. C24: only then, and only where it was asked for or S4 did so, this program serves.
fn refused(args: &JoinArgs, address: SocketAddr) -> Outcome {
    let falls_back = args.or_serve || args.common.compat == Some(Original::S4);
    if !falls_back || args.no_fallback {
        return Err(Failure(format!(
            "{address}: nobody answers; start a server there with rdtp chat serve {}, or serve \
             yourself with --or-serve",
            address.port()
        )));
    }
    let serves = args.common.lang().serves_instead();
    eprintln!("{address}: {serves}");
    if args.peer && args.common.compat.is_none() {
        return wait_for_peer(args, address);
    }
    serve::run(&serve::Options::at_address(address, &args.common))
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Well,
    /// Nobody answered the first call.
    Refused,
    /// The input is over, and something was never confirmed.
    Unconfirmed,
}

/// The end of a session in line mode, step by step.
#[derive(Debug, Default)]
struct Leaving {
    /// The user is asked no more.
    since: Option<Instant>,
    until: Option<Instant>,
}

fn line_mode(joined: &mut Joined) -> Result<Ended, Failure> {
    let stop = Stop::on_signals()?;
    let clock = joined.session.clock;
    let (mut lines, mut leaving) = (Lines::default(), Leaving::default());
    let mut ready = Vec::new();
    let stdin = io::stdin();
    loop {
        let now = clock.now();
        take_lines(&mut lines, &mut joined.session);
        joined.flush();
        joined.session.events();
        joined.flush();
        for line in joined.session.lines.drain(..) {
            say!("{line}");
        }
        if joined.refused && !joined.session.met {
            return Ok(Ended::Refused);
        }
        if lines.is_over() || stop.is_asked() {
            let since = *leaving.since.get_or_insert(now);
            let late = now >= since + CONFIRM_MAX;
            if (joined.session.is_done() || stop.is_asked() || late) && leaving.until.is_none() {
                joined.session.client.quit();
                joined.flush();
                leaving.until = Some(now + LAST_WORDS);
                if late {
                    return Ok(Ended::Unconfirmed);
                }
            }
        }
        if joined.session.client.is_over() && leaving.until.is_none() {
            leaving.until = Some(now + LAST_WORDS);
        }
        if let Some(until) = leaving.until {
            let over = joined.session.client.is_over() || joined.session.wire == Wire::Datagram;
            if now >= until || (over && !joined.carrier.has_work()) {
                return Ok(Ended::Well);
            }
        }
        // The terminal is read while the session takes more.
        let reads = lines.is_open() && joined.session.client.has_room();
        let also = reads.then(|| stdin.as_fd());
        let wake = joined.deadline().into_iter().chain(leaving.until);
        let wake = wake.chain(leaving.since.map(|since| since + CONFIRM_MAX)).min();
        let typed = carrier::wait(&[&*joined.carrier], also, wake, &clock, &mut ready)?;
        joined.step(&ready[0])?;
        if typed {
            lines.read()?;
        }
    }
}

/// Gives the session what was typed, as long as it takes more.
fn take_lines(lines: &mut Lines, session: &mut Session) {
    // Before it is let in, commands would go nowhere.
    while session.client.is_online() && session.client.has_room() {
        let Some(line) = lines.next_line() else { break };
        session.line(&line);
    }
}

/// `--peer` with a port: waits for one other program, and is server and client in one.
pub(super) fn wait_for_peer(args: &JoinArgs, address: SocketAddr) -> Outcome {
    let clock = Clock::start();
    let name = nick(None, args.common.lang());
    // The network can be made worse from here too, so there is one, perfect at first.
    let perfect = || Bad { profile: Profile::default(), seed: seed_or_new(None) };
    let has_datagrams = args.common.over != Over::Tcp;
    let bad = args.common.bad().or_else(|| has_datagrams.then(perfect));
    let network = bad.as_ref().map(|bad| bad.profile.clone()).unwrap_or_default();
    let carrier = carrier::open(args.common.over, Side::Listen(address), bad, clock)?;
    let host: Box<dyn Carrier> = Box::new(Host::new(carrier, clock));
    let at = host.local_addr();
    let mut session = Session::new(args, name.as_deref(), host.wire(), clock);
    session.client.call_me("host");
    let waiting = format!("{} {at}", session.lang.waiting_at());
    if is_drawn(args) {
        session.lines.push(format!("* {waiting}"));
    } else {
        eprintln!("{waiting}");
    }
    // The user is in the same program: there is nobody to refuse it.
    talk(args, &mut Joined::new(session, host, at), &network)?;
    Ok(ExitCode::SUCCESS)
}
