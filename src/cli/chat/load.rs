//! `rdtp chat load`: a thousand real connections from one program, and how long messages take.

use core::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};
use std::{collections::BTreeMap, fs, process::ExitCode, sync::Arc, thread};

use clap::Args;
use rdtp::{
    app::chat::{Client, ClientConfig, Event, Frame, Kind, Lane, Place, Target, Wire},
    net::Clock,
    quantity::Span,
    rng::Seed,
    time::Instant,
};

use serde_json::{Value, json};

use super::{Common, PORT, with_port};
use crate::cli::{
    Failure, Outcome,
    carrier::{self, Carrier, News, Side, send_frame},
    transfer::resolve,
};

/// Let many users chat with a server from one program, and measure
///
/// Each user joins a room and says something again and again. Prints how many were connected, how many
/// messages arrived where they should, and how long they took. With --flood one more user, in a thread of
/// its own, says as much as its connection takes, and the times with and without it are compared.
/// --server-pid reads the server's memory.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Server, as HOST[:PORT]
    address: String,
    #[command(flatten)]
    common: Common,
    /// Users
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    users: usize,
    /// Users in each room
    #[arg(long, value_name = "N", default_value_t = 20)]
    members: usize,
    /// Time between two messages of a user
    #[arg(long, value_name = "TIME", default_value = "5s")]
    every: Span,
    /// How long to measure
    #[arg(long, value_name = "TIME", default_value = "10s")]
    span: Span,
    /// Measure again with one user who says as much as it can
    #[arg(long)]
    flood: bool,
    /// Process whose memory is the server's
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Print objects of JSON, one to a line
    #[arg(long)]
    json: bool,
}

impl Options {
    /// A line for people, or the object of it.
    fn tell(&self, text: &str, object: &Value) {
        if self.json {
            say!("{object}");
        } else {
            say!("{text}");
        }
    }

    /// What the server holds, and held at most.
    fn memory(&self, pid: u32) -> Result<(), Failure> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let kib = |key: &str| -> Option<u64> {
            let line = status.lines().find(|line| line.starts_with(key))?;
            line.split_whitespace().nth(1)?.parse().ok()
        };
        let [most, now] = ["VmHWM:", "VmRSS:"].map(|key| kib(key).unwrap_or_default());
        self.tell(
            &format!("the server holds {now} KiB, at most {most} KiB"),
            &json!({ "event": "memory", "kib": now, "max_kib": most }),
        );
        Ok(())
    }
}

struct User {
    client: Client,
    carrier: Box<dyn Carrier>,
    peer: Option<rdtp::app::chat::PeerId>,
    says_at: Instant,
    said: u64,
}

/// What was measured in one span.
#[derive(Debug, Default)]
struct Measure {
    said: u64,
    heard: u64,
    times: Vec<Duration>,
}

struct Load<'a> {
    options: &'a Options,
    clock: Clock,
    users: Vec<User>,
    said_at: BTreeMap<String, Instant>,
    measure: Measure,
    talking: bool,
}

pub(super) fn run(options: &Options) -> Outcome {
    let clock = Clock::start();
    let address = resolve(&with_port(&options.address, PORT, false))?;
    let mut load = Load {
        options,
        clock,
        users: Vec::new(),
        said_at: BTreeMap::new(),
        measure: Measure::default(),
        talking: false,
    };
    for n in 0..options.users {
        let user = user(&options.common, address, clock, &format!("user-{n}"))?;
        load.users.push(user);
    }
    let limit = clock.now() + Duration::from_mins(1);
    let room = |n: usize| format!("/join room-{}", n / options.members.max(1));
    load.run_until(limit, |load| load.users.iter().all(|user| user.client.is_online()))?;
    let online = load.users.iter().filter(|user| user.client.is_online()).count();
    let seconds = clock.now().since_epoch().as_secs_f64();
    let (users, over) = (options.users, options.common.over.to_string());
    options.tell(
        &format!("{online} of {users} users over {over} connected in {seconds:.2} s"),
        &json!({ "event": "connected", "users": online, "over": over, "seconds": seconds }),
    );
    if online < options.users {
        return Err(Failure(
            "not everybody was let in; are there enough descriptors? ulimit -n".into(),
        ));
    }
    for (n, user) in load.users.iter_mut().enumerate() {
        user.client.handle_line(clock.now(), &room(n));
    }
    load.pause(Duration::from_secs(2))?;
    let quiet = load.measured(false)?;
    if options.flood {
        let flooder = Flooder::start(options, address);
        load.pause(Duration::from_secs(1))?;
        let flooded = load.measured(true)?;
        let (sent, lost) = flooder.stop()?;
        let times = flooded.as_secs_f64() / quiet.as_secs_f64();
        options.tell(
            &format!(
                "the flooder sent {sent} messages, lost {lost} connections, and made p99 {times:.2} \
                 times as long"
            ),
            &json!({ "event": "flooder", "sent": sent, "lost": lost, "p99_times": times }),
        );
    }
    if let Some(pid) = options.server_pid {
        options.memory(pid)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Somebody who is about to connect.
fn user(common: &Common, address: SocketAddr, clock: Clock, nick: &str) -> Result<User, Failure> {
    let carrier = carrier::open(common.over, Side::Call(address), common.bad(), clock)?;
    let client = Client::new(ClientConfig::new(nick, carrier::secret(), carrier.wire()));
    Ok(User { client, carrier, peer: None, says_at: Instant::ZERO, said: 0 })
}

impl Load<'_> {
    /// Measures for a span; returns the 99th of 100 times.
    fn measured(&mut self, flooded: bool) -> Result<Duration, Failure> {
        let every = self.options.every.0;
        let mut rng = Seed::new(1).split("load").rng();
        let now = self.clock.now();
        for user in &mut self.users {
            let nanos = u64::try_from(every.as_nanos()).unwrap_or(u64::MAX).max(1);
            user.says_at = now + Duration::from_nanos(rng.below(nanos));
        }
        self.measure = Measure::default();
        self.talking = true;
        self.pause(self.options.span.0)?;
        self.talking = false;
        // What is on its way may arrive.
        self.pause(Duration::from_secs(1))?;
        let Measure { said, heard, mut times } = core::mem::take(&mut self.measure);
        times.sort_unstable();
        let rank = |share: usize| {
            times
                .get((times.len() * share / 1000).min(times.len().max(1) - 1))
                .copied()
                .unwrap_or_default()
        };
        let what = if flooded { "with a flooder, " } else { "" };
        let [p50, p99, p99_9, max] =
            [500, 990, 999, 1000].map(|share| rank(share).as_secs_f64() * 1e3);
        self.options.tell(
            &format!(
                "{what}{said} messages said, heard {heard} times; p50 {p50:.2} ms, p99 {p99:.2} ms, \
                 p99.9 {p99_9:.2} ms, max {max:.2} ms"
            ),
            &json!({
                "event": "measured", "flooded": flooded, "said": said, "heard": heard,
                "p50_ms": p50, "p99_ms": p99, "p99_9_ms": p99_9, "max_ms": max,
            }),
        );
        Ok(rank(990))
    }

    fn pause(&mut self, time: Duration) -> Result<(), Failure> {
        let until = self.clock.now() + time;
        self.run_until(until, |_| false)
    }

    fn run_until(&mut self, until: Instant, done: impl Fn(&Self) -> bool) -> Result<(), Failure> {
        let mut ready = Vec::new();
        while self.clock.now() < until && !done(self) {
            let mut wake = until;
            for at in 0..self.users.len() {
                wake = wake.min(self.serve(at));
            }
            let carriers: Vec<&dyn Carrier> =
                self.users.iter().map(|user| &*user.carrier).collect();
            carrier::wait(&carriers, None, Some(wake), &self.clock, &mut ready)?;
            let now = self.clock.now();
            let quiet = |flags: &[rustix::event::PollFlags]| {
                flags.iter().all(rustix::event::PollFlags::is_empty)
            };
            for (user, ready) in self.users.iter_mut().zip(&ready) {
                let due = user.carrier.deadline().is_some_and(|at| at <= now);
                if due || !quiet(ready) {
                    step(user, ready, now)?;
                }
            }
        }
        Ok(())
    }

    /// One user says and hears; returns when it wants to be called again.
    fn serve(&mut self, at: usize) -> Instant {
        let now = self.clock.now();
        let Some(user) = self.users.get_mut(at) else { return now };
        user.client.handle_timeout(now);
        if self.talking && user.says_at <= now {
            user.says_at += self.options.every.0;
            user.said += 1;
            let text = format!("{at}-{}", user.said);
            let room = format!("room-{}", at / self.options.members.max(1));
            if user.client.say(now, Kind::Text, Place::Room(room), &text).is_ok() {
                self.said_at.insert(text, now);
                self.measure.said += 1;
            }
        }
        flush(user, now);
        while let Some(event) = user.client.poll_event() {
            if let Event::Said { text, place: Place::Room(_), .. } = event
                && let Some(&said_at) = self.said_at.get(&text)
            {
                self.measure.heard += 1;
                self.measure.times.push(now - said_at);
            }
        }
        let mut wake = user.client.poll_timeout().unwrap_or(Instant::MAX);
        if self.talking {
            wake = wake.min(user.says_at);
        }
        wake.min(user.carrier.deadline().unwrap_or(Instant::MAX))
    }
}

fn flush(user: &mut User, now: Instant) {
    if user.client.poll_connect(now) {
        user.peer = user.carrier.connect().ok();
    }
    let Some(peer) = user.peer else { return };
    while user.carrier.has_room(peer, Lane::Talk) {
        let Some(frame) = user.client.poll_talk() else { break };
        send_frame(&mut *user.carrier, peer, Lane::Talk, &frame);
    }
}

/// Somebody who says as much as the carrier takes, past every limit of an honest client. In a thread of
/// its own, so that what it costs the others is the server's doing and not this program's.
struct Flooder {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: thread::JoinHandle<Result<u64, String>>,
}

impl Flooder {
    fn start(options: &Options, address: SocketAddr) -> Self {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (asked, counted, common) =
            (Arc::clone(&stop), Arc::clone(&sent), options.common.clone());
        let flood = move || flood(&common, address, &asked, &counted);
        Self { stop, sent, thread: thread::spawn(move || flood().map_err(|Failure(why)| why)) }
    }

    /// Ends it; messages that it sent, and connections that it lost.
    fn stop(self) -> Result<(u64, u64), Failure> {
        self.stop.store(true, Ordering::Relaxed);
        let lost = self.thread.join().unwrap_or_else(|_| Err("the flooder has failed".to_owned()));
        Ok((self.sent.load(Ordering::Relaxed), lost.map_err(Failure)?))
    }
}

/// Messages between two looks at the clock and at what has arrived.
const FLOOD_TURN: u64 = 1_000;

fn flood(
    common: &Common,
    address: SocketAddr,
    stop: &AtomicBool,
    sent: &AtomicU64,
) -> Result<u64, Failure> {
    let clock = Clock::start();
    let mut user = user(common, address, clock, "flooder")?;
    let (mut ready, mut lost, mut number) = (Vec::new(), 0, 0);
    while !stop.load(Ordering::Relaxed) {
        let now = clock.now();
        user.client.handle_timeout(now);
        flush(&mut user, now);
        if let Some(peer) = user.peer.filter(|_| user.client.is_online()) {
            let turn = number + FLOOD_TURN;
            while number < turn && user.carrier.has_room(peer, Lane::Talk) {
                number += 1;
                let (kind, target) = (Kind::Text, Target::Everyone);
                let say = Frame::Say { number, kind, target, text: "flood" };
                send_frame(&mut *user.carrier, peer, Lane::Talk, &say.encode());
            }
            sent.store(number, Ordering::Relaxed);
        }
        while let Some(event) = user.client.poll_event() {
            lost += u64::from(event == Event::Lost);
        }
        // The carrier may have room again at any time.
        let soon = now + Duration::from_millis(1);
        let wake = user.carrier.deadline().map_or(soon, |at| at.min(soon));
        carrier::wait(&[&*user.carrier], None, Some(wake), &clock, &mut ready)?;
        step(&mut user, &ready[0], clock.now())?;
    }
    Ok(lost)
}

fn step(user: &mut User, ready: &[rustix::event::PollFlags], now: Instant) -> Result<(), Failure> {
    let mut news = Vec::new();
    user.carrier.step(ready, &mut news)?;
    for item in news {
        match item {
            News::Opened(_) => user.client.connected(now),
            News::Bytes(_, lane, bytes) => user.client.handle_bytes(now, lane, &bytes),
            News::Datagram(_, bytes) => user.client.handle_datagram(now, &bytes),
            News::Closed(_) | News::Gone(_) => {
                user.peer = None;
                user.client.disconnected(now);
            }
        }
    }
    if user.carrier.wire() == Wire::Datagram {
        user.client.handle_timeout(now);
    }
    Ok(())
}
