//! Files of a chat client: read from the disk as the other side asks, and stored when they are whole.

use core::{fmt, time::Duration};
use std::{
    collections::BTreeMap,
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use rdtp::{
    app::{
        chat::{Client, Event, Lang, Wire, plain},
        file::{Action, CONTROL_BYTES_MAX, FileReceiver, FileSender, final_component},
    },
    time::Instant,
};

use crate::cli::{
    store::Partial,
    transfer::{Blake3, grouped, hex},
};

/// Bytes of a file in one message where datagrams carry it, and where bytes do.
const DATAGRAM_CHUNK: usize = 1_100;
const STREAM_CHUNK: usize = 16 * 1024;
/// A transfer in which nothing moves for so long is given up. On a carrier of datagrams what is
/// missing will never come.
const STALL_DATAGRAM: Duration = Duration::from_secs(5);
const STALL_STREAM: Duration = Duration::from_mins(2);
/// Transfers of at least so many bytes report how far they are.
const REPORT_BYTES: u64 = 1 << 20;

#[derive(Debug)]
struct Outgoing {
    sender: FileSender<Blake3>,
    file: File,
    to: String,
    wanted: bool,
    moved_at: Instant,
    quarters: u64,
}

#[derive(Debug)]
struct Incoming {
    receiver: FileReceiver<Blake3>,
    partial: Option<Partial>,
    stored: Option<PathBuf>,
    from: String,
    name: String,
    size: u64,
    moved_at: Instant,
    quarters: u64,
}

/// A file on its way, for whoever shows it.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    pub(super) name: String,
    pub(super) other: String,
    pub(super) sending: bool,
    pub(super) moved: u64,
    pub(super) size: u64,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = if self.sending { "->" } else { "<-" };
        let percent = (self.moved.saturating_mul(100)).checked_div(self.size).unwrap_or(100);
        let (name, other) = (plain(&self.name), plain(&self.other));
        write!(f, "{name} {arrow} {other}: {percent} % of {} bytes", grouped(self.size))
    }
}

/// All transfers of a client.
#[derive(Debug)]
pub(super) struct Files {
    into: PathBuf,
    size_max: u64,
    accept_all: bool,
    lang: Lang,
    offered: BTreeMap<u32, (String, String, u64)>,
    outgoing: BTreeMap<u32, Outgoing>,
    incoming: BTreeMap<u32, Incoming>,
    message: Vec<u8>,
    /// Lines for the user.
    pub(super) lines: Vec<String>,
}

impl Files {
    pub(super) fn new(into: &Path, size_max: u64, accept_all: bool, lang: Lang) -> Self {
        Self {
            into: into.to_owned(),
            size_max,
            accept_all,
            lang,
            offered: BTreeMap::new(),
            outgoing: BTreeMap::new(),
            incoming: BTreeMap::new(),
            message: Vec::new(),
            lines: Vec::new(),
        }
    }

    /// Whether nothing is on its way, or waits for an answer of the other side.
    pub(super) fn is_idle(&self) -> bool {
        self.outgoing.is_empty() && self.incoming.is_empty()
    }

    /// What is on its way.
    pub(super) fn progress(&self) -> Vec<Progress> {
        let out = self.outgoing.values().map(|file| Progress {
            name: file.sender.name().to_owned(),
            other: file.to.clone(),
            sending: true,
            moved: file.sender.sent(),
            size: file.sender.size(),
        });
        let into = self.incoming.values().map(|file| Progress {
            name: file.name.clone(),
            other: file.from.clone(),
            sending: false,
            moved: file.receiver.received(),
            size: file.size,
        });
        out.chain(into).collect()
    }

    fn say(&mut self, line: &str) {
        self.lines.push(format!("* {line}"));
    }

    /// `/file NICK PATH`.
    pub(super) fn offer(
        &mut self,
        client: &mut Client,
        now: Instant,
        wire: Wire,
        to: &str,
        path: &str,
    ) {
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = match opened {
            Ok((metadata, file)) if metadata.is_file() => (metadata, file),
            Ok(_) => {
                let why = self.lang.no_regular_file();
                return self.say(&format!("{}: {why}", plain(path)));
            }
            Err(error) => return self.say(&format!("{}: {error}", plain(path))),
        };
        let chunk = if wire == Wire::Datagram { DATAGRAM_CHUNK } else { STREAM_CHUNK };
        let name = final_component(path);
        let sender = match FileSender::new(Blake3::default(), name, metadata.len(), chunk) {
            Ok(sender) => sender,
            Err(error) => return self.say(&format!("{}: {error}", plain(name))),
        };
        let transfer = client.offer(to, name, metadata.len());
        let to = to.to_owned();
        let outgoing = Outgoing { sender, file, to, wanted: false, moved_at: now, quarters: 0 };
        self.outgoing.insert(transfer, outgoing);
    }

    /// `/accept` and `/decline`: the one of this number, or the one that was offered last.
    pub(super) fn answer(&mut self, client: &mut Client, now: Instant, number: &str, wanted: bool) {
        let last = self.offered.last_key_value().map(|(transfer, _)| *transfer);
        let transfer = if number.is_empty() { last } else { number.parse().ok() };
        let Some((transfer, offer)) = transfer.and_then(|t| Some((t, self.offered.remove(&t)?)))
        else {
            let text = self.lang.no_such_offer();
            return self.say(text);
        };
        if wanted {
            self.accept(client, now, transfer, offer);
        } else {
            client.answer(transfer, false);
        }
    }

    fn accept(
        &mut self,
        client: &mut Client,
        now: Instant,
        transfer: u32,
        (from, name, size): (String, String, u64),
    ) {
        let receiver = FileReceiver::new(Blake3::default(), size.min(self.size_max));
        let (partial, stored) = (None, None);
        let file =
            Incoming { receiver, partial, stored, from, name, size, moved_at: now, quarters: 0 };
        self.incoming.insert(transfer, file);
        client.answer(transfer, true);
    }

    /// `/cancel`: the transfer of this number, or all.
    pub(super) fn cancel(&mut self, client: &mut Client, number: &str) {
        let all = self.outgoing.keys().chain(self.incoming.keys()).copied();
        let which: Vec<u32> =
            all.filter(|transfer| number.is_empty() || number == transfer.to_string()).collect();
        for transfer in which {
            client.file_cancel(transfer);
            self.end(transfer, self.lang.file_cancelled());
        }
    }

    fn end(&mut self, transfer: u32, why: &str) {
        let name = match (self.outgoing.remove(&transfer), self.incoming.remove(&transfer)) {
            (Some(file), _) => file.sender.name().to_owned(),
            (_, Some(file)) => file.name,
            _ => return,
        };
        self.say(&format!("{}: {why}", plain(&name)));
    }

    /// Acts on what a session says about files; true when that was all there was to do, and
    /// nothing is to be shown beyond [`lines`](Self::lines).
    pub(super) fn event(&mut self, client: &mut Client, now: Instant, event: &Event) -> bool {
        match event {
            Event::Offered { transfer, from, name, size } => {
                let offer = (from.clone(), name.clone(), *size);
                if *size > self.size_max {
                    client.answer(*transfer, false);
                } else if self.accept_all {
                    self.accept(client, now, *transfer, offer);
                } else {
                    self.offered.insert(*transfer, offer);
                    return false;
                }
                true
            }
            Event::Answered { transfer, wanted } => {
                if let Some(file) = self.outgoing.get_mut(transfer) {
                    file.wanted = true;
                    file.moved_at = now;
                }
                if !wanted {
                    self.end(*transfer, self.lang.file_declined());
                }
                true
            }
            Event::File { transfer, message } => {
                self.message(client, now, *transfer, message);
                true
            }
            Event::FileEnded { transfer, why } => {
                self.offered.remove(transfer);
                self.end(*transfer, self.lang.file_ended(*why));
                true
            }
            _ => false,
        }
    }

    fn message(&mut self, client: &mut Client, now: Instant, transfer: u32, message: &[u8]) {
        if let Some(file) = self.outgoing.get_mut(&transfer) {
            file.sender.handle_message(message);
            if let Some(verdict) = file.sender.verdict() {
                client.file_done(transfer);
                let (digest, bytes) = (hex(&file.sender.digest()), grouped(file.sender.size()));
                let text = match verdict {
                    Ok(()) => {
                        let word = self.lang.file_delivered(true);
                        format!("{word}, {bytes} bytes, BLAKE3 {digest}")
                    }
                    Err(refusal) => {
                        let word = self.lang.file_delivered(false);
                        format!("{word}: {refusal}")
                    }
                };
                self.end(transfer, &text);
            }
            return;
        }
        let Some(file) = self.incoming.get_mut(&transfer) else { return };
        file.moved_at = now;
        let into = self.into.clone();
        file.take(message, &into);
        let line = file.quarter();
        if let Some(verdict) = file.receiver.poll_message() {
            client.file(transfer, &verdict);
            client.file_done(transfer);
            let Some(file) = self.incoming.remove(&transfer) else { return };
            self.verdict(&file);
        } else if let Some(line) = line {
            self.say(&line);
        }
    }

    fn verdict(&mut self, file: &Incoming) {
        let (from, name) = (plain(&file.from), plain(&file.name));
        let line = match (file.receiver.verdict(), &file.stored) {
            (Some(Ok(())), Some(path)) => {
                let word = self.lang.file_stored(true);
                let bytes = grouped(file.receiver.received());
                let digest = hex(&file.receiver.digest());
                let path = plain(&path.display().to_string());
                format!("{name} ({from}): {word} {path}, {bytes} bytes, BLAKE3 {digest}")
            }
            (Some(Err(refusal)), _) => {
                let word = self.lang.file_stored(false);
                format!("{name} ({from}): {word}: {refusal}")
            }
            _ => return,
        };
        self.say(&line);
    }

    /// Sends what the receivers have asked for, as long as nothing of it waits already.
    pub(super) fn pump(&mut self, client: &mut Client, now: Instant) {
        let (mut failed, mut lines) = (Vec::new(), Vec::new());
        for (&transfer, out) in self.outgoing.iter_mut().filter(|(_, out)| out.wanted) {
            let needed = CONTROL_BYTES_MAX.max(STREAM_CHUNK + 1) as u64;
            while !client.has_bulk() && client.file_room(transfer) >= needed {
                match out.sender.next_message(&mut self.message, |space| out.file.read(space)) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        client.file(transfer, &out.sender.abort());
                        failed.push((transfer, error.to_string()));
                        break;
                    }
                }
                out.moved_at = now;
                client.file(transfer, &self.message);
                let (name, sent, size) = (out.sender.name(), out.sender.sent(), out.sender.size());
                lines.extend(quarter(&mut out.quarters, name, sent, size));
            }
        }
        for line in lines {
            self.say(&line);
        }
        for (transfer, why) in failed {
            self.end(transfer, &why);
        }
    }

    /// Gives up what does not move.
    pub(super) fn tick(&mut self, client: &mut Client, now: Instant, wire: Wire) {
        let limit = Self::stall(wire);
        let out = self.outgoing.iter().filter(|(_, file)| file.moved_at + limit <= now);
        let out = out.map(|(transfer, file)| (*transfer, file.sender.sent(), file.sender.size()));
        let into = self.incoming.iter().filter(|(_, file)| file.moved_at + limit <= now);
        let into = into.map(|(transfer, file)| (*transfer, file.receiver.received(), file.size));
        let stalled: Vec<_> = out.chain(into).collect();
        for (transfer, moved, size) in stalled {
            client.file_cancel(transfer);
            let word = self.lang.file_given_up();
            self.end(transfer, &format!("{word}: {} / {} bytes", grouped(moved), grouped(size)));
        }
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) fn deadline(&self, wire: Wire) -> Option<Instant> {
        let out = self.outgoing.values().map(|file| file.moved_at);
        out.chain(self.incoming.values().map(|file| file.moved_at))
            .min()
            .map(|at| at + Self::stall(wire))
    }

    const fn stall(wire: Wire) -> Duration {
        match wire {
            Wire::Datagram => STALL_DATAGRAM,
            Wire::Stream => STALL_STREAM,
        }
    }
}

impl Incoming {
    fn take(&mut self, message: &[u8], into: &Path) {
        let result = match self.receiver.handle_message(message) {
            // Another file than the one that was agreed on is not wanted.
            Action::Create { name, size } if name != self.name || size != self.size => {
                Err(std::io::ErrorKind::InvalidData.into())
            }
            Action::Create { name, .. } => {
                Partial::create(into, name).map(|partial| self.partial = Some(partial))
            }
            Action::Write(bytes) => {
                self.partial.as_mut().map_or(Ok(()), |partial| partial.write(bytes))
            }
            Action::Finish => match self.partial.take().map(Partial::store) {
                Some(Ok(path)) => {
                    self.stored = Some(path);
                    self.receiver.stored();
                    Ok(())
                }
                Some(Err(error)) => Err(error),
                None => Ok(()),
            },
            Action::Discard(_) => {
                self.partial = None;
                Ok(())
            }
            Action::Nothing => Ok(()),
        };
        if result.is_err() {
            self.partial = None;
            self.receiver.storage_failed();
        }
    }

    fn quarter(&mut self) -> Option<String> {
        quarter(&mut self.quarters, &self.name, self.receiver.received(), self.size)
    }
}

/// A line at each quarter of a large file.
fn quarter(seen: &mut u64, name: &str, moved: u64, size: u64) -> Option<String> {
    let now = if size < REPORT_BYTES { 0 } else { moved.saturating_mul(4) / size };
    let news = now > *seen && now < 4;
    *seen = now.max(*seen);
    news.then(|| format!("{}: {} %", plain(name), now * 25))
}
