//! `rdtp bench serve`: takes what clients send, and sends what they ask for.

use core::time::Duration;
use std::{
    collections::BTreeMap,
    io::{self, Read},
    net::TcpListener,
    process::{ExitCode, exit},
    thread,
};

use rdtp::{
    endpoint::Endpoint,
    net::Driver,
    time::Instant,
    transport::{
        connection::{Connection, Event},
        host::{Host, HostEvent},
        stream::{ReadError, StreamEvent},
    },
    wire::transport::{ConnectionId, StreamId},
};

use super::{
    Failure, Outcome, Serve, cpu, tcp,
    wire::{Request, Verdict, WORDS},
};
use crate::cli::stop::Stop;

/// Bytes written and read at a time.
pub(super) const CHUNK: usize = 1 << 16;
/// Which streams and connections a client may have open is the transport's matter; measurements at
/// the same time are not.
const SESSIONS_MAX: usize = 64;

/// The measurement of one stream.
#[derive(Debug)]
struct Session {
    head: [u8; WORDS],
    /// Bytes that came.
    taken: u64,
    request: Option<Request>,
    began: Instant,
    cpu: Duration,
    /// The client's half has ended.
    heard_all: bool,
    /// What is left to be said at the end.
    verdict: Option<([u8; WORDS], usize)>,
}

impl Session {
    fn new(now: Instant) -> Self {
        Self {
            head: [0; WORDS],
            taken: 0,
            request: None,
            began: now,
            cpu: cpu(),
            heard_all: false,
            verdict: None,
        }
    }

    fn take(&mut self, now: Instant, bytes: &[u8]) {
        let at = usize::try_from(self.taken).unwrap_or(WORDS).min(WORDS);
        let len = bytes.len().min(WORDS - at);
        self.head[at..at + len].copy_from_slice(&bytes[..len]);
        self.taken += bytes.len() as u64;
        if self.request.is_none() && self.taken >= WORDS as u64 {
            self.request = Request::decode(self.head);
            (self.began, self.cpu) = (now, cpu());
        }
    }

    /// Writes what there is to write; whether all is written.
    fn write(&mut self, now: Instant, connection: &mut Connection, stream: StreamId) -> bool {
        let Some(request) = self.request else { return self.heard_all };
        let over = now >= self.began + request.time;
        while request.downloads() && !over && self.verdict.is_none() {
            if connection.write(stream, &CHUNK_BYTES).is_err() {
                return false;
            }
        }
        if request.uploads() && !self.heard_all {
            return false;
        }
        let received = self.taken - WORDS as u64;
        let spent = cpu().saturating_sub(self.cpu);
        let (words, written) =
            self.verdict.get_or_insert_with(|| (Verdict { received, cpu: spent }.encode(), 0));
        while *written < WORDS {
            match connection.write(stream, &words[*written..]) {
                Ok(len) => *written += len,
                Err(_) => return false,
            }
        }
        connection.finish(stream).is_ok()
    }
}

pub(super) static CHUNK_BYTES: [u8; CHUNK] = [0x5a; CHUNK];

pub(super) fn run(options: &Serve) -> Outcome {
    // TCP first: when the system chooses the port, it is more often taken there.
    let listen = options.listen;
    let listener = TcpListener::bind(listen)
        .map_err(|error| Failure(format!("cannot listen on {listen} with TCP: {error}")))?;
    let address = listener.local_addr()?;
    let host = options.tuning.host(address.ip().is_loopback())?;
    let mut driver = options.tuning.driver(host, address)?;
    thread::spawn(move || tcp::serve(&listener));
    if options.until_stdin_ends {
        thread::spawn(|| {
            while io::stdin().lock().read(&mut [0; 64]).is_ok_and(|len| len > 0) {}
            exit(0)
        });
    }
    say!("listening, UDP and TCP, on {address}");
    let stop = Stop::on_signals()?;
    serve(&mut driver, &stop)?;
    Ok(ExitCode::SUCCESS)
}

fn serve(driver: &mut Driver<Host>, stop: &Stop) -> Result<(), Failure> {
    let mut sessions: BTreeMap<(ConnectionId, StreamId), Session> = BTreeMap::new();
    while !stop.is_asked() {
        let until = driver.now() + WAIT_MAX;
        driver.wait(Some(until))?;
        driver.step_with(&mut (), &mut |host: &mut Host, now, meta, train| {
            host.handle_train_for(now, meta, train, &mut |id, stream, bytes| {
                sessions.get_mut(&(id, stream)).map_or(0, |session| {
                    session.take(now, bytes);
                    bytes.len()
                })
            })
        })?;
        let now = driver.now();
        let host = driver.endpoint_mut();
        while let Some(HostEvent { id, event }) = host.poll_event() {
            match event {
                Event::Stream(StreamEvent::Opened(stream)) if sessions.len() < SESSIONS_MAX => {
                    sessions.insert((id, stream), Session::new(now));
                }
                Event::Stream(StreamEvent::Readable(stream)) => {
                    let session = sessions.get_mut(&(id, stream));
                    let Some((session, connection)) = session.zip(host.get_mut(id)) else {
                        continue;
                    };
                    read(now, session, connection, stream);
                }
                Event::Closed(_) => sessions.retain(|&(other, _), _| other != id),
                _ => {}
            }
        }
        sessions.retain(|&(id, stream), session| {
            let Some(connection) = host.get_mut(id) else { return false };
            !session.write(now, connection, stream)
        });
    }
    Ok(())
}

/// Signals that come between asking and waiting are noticed after so long.
const WAIT_MAX: Duration = Duration::from_millis(500);

fn read(now: Instant, session: &mut Session, connection: &mut Connection, stream: StreamId) {
    loop {
        let len = match connection.peek(stream) {
            Ok(bytes) => {
                session.take(now, bytes);
                bytes.len()
            }
            Err(ReadError::Blocked) => return,
            Err(_) => {
                session.heard_all = true;
                return;
            }
        };
        connection.consume(now, stream, len);
    }
}
