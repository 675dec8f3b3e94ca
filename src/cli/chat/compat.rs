//! `--compat`: the originals' bytes and phrases.

use core::net::SocketAddr;
use std::{
    collections::VecDeque,
    fs::File,
    io::{self, IsTerminal as _, Read as _, Write as _},
    path::Path,
    process::ExitCode,
};

use rdtp::{
    app::{
        chat::{
            Lane, Verb, Wire,
            compat::{CompatClient, FILE_BYTES_MAX, Original, Out},
            parse, plain,
        },
        file::{check_name, final_component},
    },
    net::Clock,
    time::Instant,
};
use rustix::fd::AsFd as _;

use super::{Common, JoinArgs, lines::Lines};
use crate::cli::{
    Failure, Outcome,
    carrier::{self, Carrier, News, Over, Side},
    stop::Stop,
    store::Partial,
};

/// The carrier, where the original has it.
fn carrier(
    original: Original,
    side: Side,
    common: &Common,
    clock: Clock,
) -> Result<Box<dyn Carrier>, Failure> {
    if !matches!(common.over, Over::Tcp | Over::Udp) {
        return Err(Failure(format!("the originals speak tcp and udp, not {}", common.over)));
    }
    let carrier = match (original, side, common.over) {
        (Original::S1, Side::Call(peer), Over::Udp) => carrier::open_udp_from(
            8000..=9000,
            carrier::draw(),
            peer,
            common.bad().as_ref(),
            clock,
        )?,
        _ => carrier::open(common.over, side, common.bad(), clock)?,
    };
    if !original.has(carrier.wire()) {
        return Err(Failure("this original speaks tcp only: leave --over away".to_owned()));
    }
    Ok(carrier)
}

fn show(line: &str) {
    say!("{}", plain(line));
}

/// A server that speaks as an original does.
pub(super) fn serve(original: Original, address: SocketAddr, common: &Common) -> Outcome {
    let clock = Clock::start();
    let mut carrier = carrier(original, Side::Listen(address), common, clock)?;
    let mut server = original.server(carrier.wire());
    let at = carrier.local_addr();
    eprintln!("listening over {} at {at}", common.over);
    server.listening(at);
    let stop = Stop::on_signals()?;
    let stdin = io::stdin();
    let (mut ready, mut news, mut lines) = (Vec::new(), Vec::new(), Lines::default());
    // S4-04: over TCP both type; whoever serves is one of the two.
    let types = original == Original::S4 && carrier.wire() == Wire::Stream;
    let mut guest = None;
    let mut ended = false;
    loop {
        while let Some(out) = server.poll() {
            match out {
                Out::Send(peer, bytes) => carrier.send(peer, Lane::Talk, &bytes),
                Out::Print(line) => show(&line),
                Out::Close(peer) => carrier.close(peer),
                Out::End => ended = true,
                Out::File(..) => {}
            }
        }
        while let (Some(peer), Some(line)) = (guest, lines.next_line()) {
            carrier.send(peer, Lane::Talk, format!("{line}\n").as_bytes());
            if is_quit(&line) {
                carrier.close(peer);
                ended = true;
            }
        }
        if (ended || stop.is_asked()) && !carrier.has_work() {
            carrier::wait(&[&*carrier], None, Some(clock.now()), &clock, &mut ready)?;
            carrier.step(&ready[0], &mut news)?;
            return Ok(ExitCode::SUCCESS);
        }
        let also = (types && guest.is_some() && lines.is_open()).then(|| stdin.as_fd());
        let wake = carrier.deadline();
        let typed = carrier::wait(&[&*carrier], also, wake, &clock, &mut ready)?;
        if typed {
            lines.read()?;
        }
        carrier.step(&ready[0], &mut news)?;
        for item in news.drain(..) {
            match item {
                News::Opened(peer) => {
                    guest = guest.or(Some(peer));
                    server.connected(peer);
                }
                News::Bytes(peer, _, bytes) | News::Datagram(peer, bytes) => {
                    server.message(peer, &bytes);
                }
                News::Closed(peer) | News::Gone(peer) => server.gone(peer),
            }
        }
    }
}

fn is_quit(line: &str) -> bool {
    matches!(parse(line), rdtp::app::chat::Line::Command(Verb::Quit, ..))
}

/// How a client's session began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Well,
    /// Nobody answered.
    Refused,
}

/// A client that speaks as an original does.
pub(super) fn join(
    original: Original,
    nick: Option<&str>,
    address: SocketAddr,
    args: &JoinArgs,
) -> Result<Ended, Failure> {
    let clock = Clock::start();
    let mut carrier = carrier(original, Side::Call(address), &args.common, clock)?;
    let peer = carrier.connect()?;
    let mut client = CompatClient::new(original, carrier.wire(), peer, nick.unwrap_or("anonimo"));
    let stop = Stop::on_signals()?;
    let stdin = io::stdin();
    let (mut ready, mut news, mut lines) = (Vec::new(), Vec::new(), Lines::default());
    let mut outbox = Outbox { waiting: VecDeque::new(), next_at: clock.now(), open: false };
    let (mut ended, mut left_at) = (false, None);
    loop {
        while let Some(out) = client.poll() {
            match out {
                Out::Send(_, bytes) => outbox.waiting.push_back(bytes),
                Out::Print(line) => show(&line),
                Out::File(name, bytes) => store(&args.into, &name, &bytes),
                Out::Close(_) => {}
                Out::End => ended = true,
            }
        }
        let now = clock.now();
        if let Some(bytes) = outbox.next(now) {
            carrier.send(peer, Lane::Talk, &bytes);
        }
        if !ended && outbox.is_free(now) {
            if let Some(line) = lines.next_line() {
                typed(&mut client, original, &line);
                prompt(&client)?;
                continue;
            }
            if lines.is_over() || stop.is_asked() {
                client.line("/quit");
                continue;
            }
        }
        if ended && outbox.waiting.is_empty() && !carrier.has_work() {
            carrier.close(peer);
            if now >= *left_at.get_or_insert(now + APART) {
                return Ok(Ended::Well);
            }
        }
        let also = (lines.is_open() && !ended).then(|| stdin.as_fd());
        let wake = [carrier.deadline(), outbox.due(now), left_at].into_iter().flatten().min();
        if carrier::wait(&[&*carrier], also, wake, &clock, &mut ready)? {
            lines.read()?;
        }
        carrier.step(&ready[0], &mut news)?;
        for item in news.drain(..) {
            if let News::Opened(_) = item {
                outbox.open = true;
                client.connected();
                prompt(&client)?;
            } else if !outbox.open {
                return Ok(Ended::Refused);
            } else {
                take(&mut client, original, carrier.wire(), item);
            }
        }
    }
}

/// What is typed fast is sent apart, since nothing else keeps two lines apart (C26).
#[derive(Debug)]
struct Outbox {
    waiting: VecDeque<Vec<u8>>,
    next_at: Instant,
    open: bool,
}

impl Outbox {
    fn next(&mut self, now: Instant) -> Option<Vec<u8>> {
        if !self.open || now < self.next_at {
            return None;
        }
        let bytes = self.waiting.pop_front()?;
        self.next_at = now + APART;
        Some(bytes)
    }

    fn is_free(&self, now: Instant) -> bool {
        self.open && self.waiting.is_empty() && now >= self.next_at
    }

    fn due(&self, now: Instant) -> Option<Instant> {
        (!self.waiting.is_empty() || now < self.next_at).then_some(self.next_at)
    }
}

fn take(client: &mut CompatClient, original: Original, wire: Wire, item: News) {
    match item {
        News::Bytes(_, _, bytes) | News::Datagram(_, bytes) => client.message(&bytes),
        News::Closed(_) | News::Gone(_) if wire == Wire::Stream => client.gone(),
        // S1-23: a datagram met a closed port; the next may find it open (R5).
        News::Closed(_) | News::Gone(_) if original == Original::S1 => {
            show("Erro ao receber mensagem.");
        }
        News::Closed(_) | News::Gone(_) | News::Opened(_) => {}
    }
}

fn prompt(client: &CompatClient) -> io::Result<()> {
    if io::stdin().is_terminal() {
        print!("{}", client.prompt());
        io::stdout().flush()?;
    }
    Ok(())
}

/// Between two messages, so that each arrives as one piece.
const APART: core::time::Duration = core::time::Duration::from_millis(30);

/// A line, or a file that S0 sends.
fn typed(client: &mut CompatClient, original: Original, line: &str) {
    let file = match parse(line) {
        rdtp::app::chat::Line::Command(Verb::File, to, path) if original == Original::S0 => {
            (to, path)
        }
        _ => return client.line(line),
    };
    let (to, path) = file;
    let mut data = Vec::new();
    let limit = FILE_BYTES_MAX as u64 + 1;
    match File::open(path).and_then(|file| file.take(limit).read_to_end(&mut data)) {
        Ok(len) if len <= FILE_BYTES_MAX => client.file(to, final_component(path), &data),
        Ok(_) => eprintln!("{path}: the original's files have at most {FILE_BYTES_MAX} bytes"),
        Err(error) => eprintln!("{path}: {error}"),
    }
}

/// A file that arrived: under its name if that is one, and never over another.
fn store(into: &Path, name: &str, bytes: &[u8]) {
    let stored = check_name(name).map_err(|error| error.to_string()).and_then(|name| {
        let write = |mut partial: Partial| partial.write(bytes).and_then(|()| partial.store());
        Partial::create(into, name).and_then(write).map_err(|error| error.to_string())
    });
    match stored {
        Ok(path) => say!("{} ({} bytes)", plain(&path.display().to_string()), bytes.len()),
        Err(error) => eprintln!("rdtp: {}: {error}", plain(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_that_ends_a_session_does() {
        for word in ["/QUIT", "/sair", ":q", "/exit", "$quit"] {
            assert!(is_quit(word), "{word}");
        }
        assert!(!is_quit("quit"));
    }
}
