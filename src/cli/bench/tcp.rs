//! The same over kernel TCP, with blocking sockets.

use core::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use rdtp::{
    net::{Clock, wait},
    time::Instant,
};

use super::{
    Failure, Plan, cpu,
    report::{Measured, Reporter, Sample},
    server::{CHUNK, CHUNK_BYTES},
    wire::{Request, Tail, Verdict, WORDS},
};

/// Connections at the same time.
const SESSIONS_MAX: usize = 64;

pub(super) fn serve(listener: &TcpListener) {
    let open = Arc::new(AtomicU64::new(0));
    for stream in listener.incoming().flatten() {
        if open.fetch_add(1, Ordering::Relaxed) >= SESSIONS_MAX as u64 {
            open.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let open = open.clone();
        thread::spawn(move || {
            // Whoever breaks off has nothing to be told.
            _ = session(stream);
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

fn session(mut stream: TcpStream) -> io::Result<()> {
    let mut head = [0; WORDS];
    stream.read_exact(&mut head)?;
    let Some(request) = Request::decode(head) else { return Ok(()) };
    let before = cpu();
    let clock = Clock::start();
    let end = clock.now() + request.time;
    let writer = request.downloads().then(|| {
        let mut stream = stream.try_clone();
        thread::spawn(move || {
            while let Ok(stream) = &mut stream
                && clock.now() < end
                && stream.write_all(&CHUNK_BYTES).is_ok()
            {}
        })
    });
    let mut received = 0;
    let mut space = vec![0; CHUNK];
    loop {
        match stream.read(&mut space)? {
            0 => break,
            len => received += len as u64,
        }
    }
    if let Some(writer) = writer {
        _ = writer.join();
    }
    let verdict = Verdict { received, cpu: cpu().saturating_sub(before) };
    stream.write_all(&verdict.encode())
}

/// What the two halves of a client share.
#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    received: AtomicU64,
    over: AtomicBool,
}

pub(super) fn run(
    plan: &Plan,
    address: SocketAddr,
    reporter: &mut Reporter,
) -> Result<(), Failure> {
    let clock = Clock::start();
    let request = Request::of(plan);
    let mut stream = TcpStream::connect(address)
        .map_err(|error| Failure(format!("TCP to {address}: {error}")))?;
    stream.write_all(&request.encode())?;
    let began = clock.now();
    let (warm, end) = (began + plan.warm_up, began + plan.warm_up + plan.time);
    let counts = Arc::new(Counts::default());
    let writer = write(stream.try_clone()?, request, clock, end, counts.clone());
    let reader = read(stream, counts.clone());
    let sample = || Sample {
        at: clock.now(),
        sent: counts.sent.load(Ordering::Relaxed),
        received: counts.received.load(Ordering::Relaxed),
        cpu: cpu(),
        ..Sample::default()
    };
    let mut first: Option<Sample> = None;
    let mut last = Sample::default();
    let mut next = warm;
    while next <= end && !counts.over.load(Ordering::Relaxed) {
        while clock.now() < next {
            wait(&[], Some(next), &clock)?;
        }
        let now = sample();
        match &first {
            Some(first) => reporter.interval("tcp", first, &last, &now),
            None => first = Some(now),
        }
        last = now;
        next += plan.interval;
    }
    _ = writer.join();
    let verdict = reader.join().map_err(|_| Failure("the reader panicked".into()))??;
    let measured = Measured::new("tcp", plan, first.unwrap_or_default(), last, sample());
    reporter.result(measured.with_peer(verdict));
    Ok(())
}

fn write(
    mut stream: TcpStream,
    request: Request,
    clock: Clock,
    end: Instant,
    counts: Arc<Counts>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        while request.uploads() && clock.now() < end && stream.write_all(&CHUNK_BYTES).is_ok() {
            counts.sent.fetch_add(CHUNK as u64, Ordering::Relaxed);
        }
        // The peer sees the end, or has gone already.
        _ = stream.shutdown(Shutdown::Write);
    })
}

fn read(mut stream: TcpStream, counts: Arc<Counts>) -> thread::JoinHandle<io::Result<Verdict>> {
    thread::spawn(move || {
        let mut tail = Tail::default();
        let mut space = vec![0; CHUNK];
        let result = loop {
            match stream.read(&mut space) {
                Ok(0) => break Ok(tail.verdict()),
                Ok(len) => {
                    counts.received.fetch_add(tail.take(&space[..len]), Ordering::Relaxed);
                }
                Err(error) => break Err(error),
            }
        };
        counts.over.store(true, Ordering::Relaxed);
        result
    })
}
