//! What bad neighbours take from the others: bulk to a server that has nobody else, one who does not
//! read what it asked for, one who has died, and a flood of openers whose address nobody has proved.
//!
//! A machine is faster now than in a minute, by more than a neighbour costs. So one bulk transfer goes
//! on throughout, and its neighbour comes and goes in short slices, in the order without, with, with,
//! without: each slice with it has one without it beside it, and what the machine does on its own
//! falls on both. The flooder is a process on the same cores and takes its share of them whomever it
//! sends to; in the slices without, it sends the same to a socket that is nobody's, so that the
//! difference is what the server does with it.

use std::{
    env,
    io::{BufRead, BufReader, Lines, Read, Write},
    net::{SocketAddr, UdpSocket},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use rdtp::{net::Stream, transport::host::CookiePolicy, wire::transport};

use crate::{
    rdt::config,
    role::{CHUNK, Done, Work, cpu, tell_address},
    stream::{connection, listener},
};

/// Who comes and goes. Nobody shows how much two slices differ by chance.
const NEIGHBOURS: [&str; 4] = ["nobody", "slow", "dead", "flood"];
/// Openers a second: what one core of a small server has to look at beside its work.
const FLOOD_PER_SECOND: u32 = 10_000;
/// They leave in bunches, since nobody sleeps for less.
const BUNCH: u32 = 10;
const SLICE: Duration = Duration::from_millis(200);
/// After a change, before it counts.
const SETTLE: Duration = Duration::from_millis(30);
/// Windows and buffers of the server: what fills those of a neighbour who never reads is to be gone after
/// a moment of its slice, as it is for one who stays.
const WINDOW: u64 = 512 << 10;
/// What a stream is for, in its first byte: to be read, or to be written to without end.
const BULK: u8 = b'b';
const THIRSTY: u8 = b't';
const WHAT: &str = "stream+1472";
/// For as long as the table takes.
const WORK: Work = Work::Bulk(Duration::MAX);

/// `pairs` of slices for each neighbour.
pub fn table(pairs: usize) -> Done {
    println!(
        "\nneighbours: one bulk transfer in datagrams of 1472 bytes through `Stream`; its neighbour comes \
         and goes\nin slices of {} ms, without, with, with, without; {pairs} pairs. The flooder sends {} \
         opens a second in all\nslices: to the server, and in those without to a socket that nobody \
         reads. The server\nhas windows of 512 KiB.\n",
        SLICE.as_millis(),
        FLOOD_PER_SECOND,
    );
    println!(
        "| beside it | without, Gbit/s | with, Gbit/s | with/without, pair by pair | server's CPU, s/s |"
    );
    println!("| --- | --- | --- | --- | --- |");
    for neighbour in NEIGHBOURS {
        let slices = measure(neighbour, pairs)?;
        let of = |side: usize| slices.iter().map(|pair| pair[side].gbit).collect::<Vec<_>>();
        let cpu = |side: usize| quartiles(slices.iter().map(|pair| pair[side].cpu).collect())[1];
        let ratios = slices.iter().map(|[without, with]| with.gbit / without.gbit).collect();
        println!(
            "| {neighbour} | {} | {} | {} | {:.2}, {:.2} |",
            text(of(0)),
            text(of(1)),
            text(ratios),
            cpu(0),
            cpu(1),
        );
        if neighbour == "flood" {
            let sent = |side: usize| quartiles(slices.iter().map(|pair| pair[side].sent).collect());
            println!(
                "\nopens that left in a second, without and with: {:.0}, {:.0}",
                sent(0)[1],
                sent(1)[1]
            );
        }
    }
    println!("\nMedians, and in brackets the first and the third quartile.");
    Ok(())
}

/// A quarter, the half and three quarters of the values lie below.
fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values.get(values.len() * quarter / 4).copied().unwrap_or(f64::NAN))
}

fn text(values: Vec<f64>) -> String {
    let [low, median, high] = quartiles(values);
    format!("{median:.2} ({low:.2}..{high:.2})")
}

/// What one slice came to, by the second.
#[derive(Clone, Copy, Default)]
struct Slice {
    gbit: f64,
    cpu: f64,
    sent: f64,
}

fn measure(neighbour: &str, pairs: usize) -> Done<Vec<[Slice; 2]>> {
    let mut server = Process::start(&["neighbours-server"])?;
    let address = server.line()?;
    let address = address.strip_prefix("address ").ok_or("no address")?.to_owned();
    let mut beside = Process::start(&["neighbour", neighbour, &address])?;
    let _good = Process::start(&["neighbours-client", &address])?;
    beside.turn("off")?;
    // The windows have opened and everything is warm.
    thread::sleep(Duration::from_secs(1));
    let mut is_on = false;
    let mut slices = Vec::with_capacity(pairs);
    for nth in 0..pairs {
        let mut pair = [Slice::default(); 2];
        let order = if nth % 2 == 0 { [false, true] } else { [true, false] };
        for with in order {
            if with != is_on {
                set(neighbour, &mut beside, with)?;
                is_on = with;
            }
            thread::sleep(SETTLE);
            pair[usize::from(with)] = slice(neighbour, &mut server, &mut beside)?;
        }
        slices.push(pair);
    }
    Ok(slices)
}

/// Has the neighbour come or go. One that is dead is stopped: its port is open, and nobody answers.
fn set(neighbour: &str, beside: &mut Process, with: bool) -> Done {
    let is_dead = neighbour == "dead";
    if is_dead && !with {
        beside.signal("CONT")?;
    }
    beside.turn(if with { "on" } else { "off" })?;
    if is_dead && with {
        beside.signal("STOP")?;
    }
    Ok(())
}

fn slice(neighbour: &str, server: &mut Process, beside: &mut Process) -> Done<Slice> {
    let mut look = || -> Done<[f64; 4]> {
        let sent = if neighbour == "flood" { beside.ask("sent")? } else { vec![0.0] };
        let [at, bytes, cpu] = server.ask("mark")?[..] else { return Err("no mark".into()) };
        Ok([at, bytes, cpu, sent.first().copied().unwrap_or_default()])
    };
    let before = look()?;
    thread::sleep(SLICE);
    let after = look()?;
    let [seconds, bytes, cpu, sent] = std::array::from_fn(|at| after[at] - before[at]);
    Ok(Slice { gbit: bytes * 8.0 / seconds / 1e9, cpu: cpu / seconds, sent: sent / seconds })
}

/// A process that does what it is told line by line, and is ended when it is not needed any more.
struct Process {
    child: Child,
    says: Lines<BufReader<ChildStdout>>,
    hears: ChildStdin,
}

impl Process {
    fn start(words: &[&str]) -> Done<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let says = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        let hears = child.stdin.take().ok_or("no input")?;
        Ok(Self { child, says, hears })
    }

    fn line(&mut self) -> Done<String> {
        Ok(self.says.next().ok_or("a process ended early")??)
    }

    /// Says a word and hears numbers.
    fn ask(&mut self, word: &str) -> Done<Vec<f64>> {
        writeln!(self.hears, "{word}")?;
        self.line()?.split_whitespace().map(|word| Ok(word.parse()?)).collect()
    }

    /// Says a word and waits until it is done.
    fn turn(&mut self, word: &str) -> Done {
        self.ask(word).map(drop)
    }

    fn signal(&self, name: &str) -> Done {
        let id = self.child.id().to_string();
        let done = Command::new("kill").args(["-s", name, &id]).status()?.success();
        if done { Ok(()) } else { Err(format!("kill -s {name}: failed").into()) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Calls `act` for each line that is said to this process, and says what it returns.
fn obey(mut act: impl FnMut(&str) -> Done<String>) -> Done {
    for line in std::io::stdin().lines() {
        let answer = act(&line?)?;
        let mut out = std::io::stdout();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

pub fn server() -> Done {
    static BYTES: AtomicU64 = AtomicU64::new(0);
    let mut transport = config(WHAT, WORK).connection;
    transport.streams = transport.streams.with_windows(WINDOW);
    let builder = listener(WHAT, WORK).transport(transport);
    let listener = builder.cookies(CookiePolicy::Above(256)).bind("127.0.0.1:0")?;
    tell_address(listener.local_addr()?);
    let start = Instant::now();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            thread::spawn(move || serve(stream, &BYTES));
        }
    });
    obey(|_| {
        let (at, bytes) = (start.elapsed().as_secs_f64(), BYTES.load(Relaxed));
        Ok(format!("{at} {bytes} {}", cpu().as_secs_f64()))
    })?;
    // Whoever does not read would be waited for.
    std::process::exit(0);
}

fn serve(mut stream: Stream, bytes: &AtomicU64) {
    let mut what = [0];
    if stream.read_exact(&mut what).is_err() {
        return;
    }
    if what == [THIRSTY] {
        while stream.write_all(&[7; CHUNK]).is_ok() {}
        return;
    }
    let mut space = vec![0; CHUNK];
    while let Ok(len @ 1..) = stream.read(&mut space) {
        bytes.fetch_add(len as u64, Relaxed);
    }
}

pub fn client(address: &str) -> Done {
    let mut stream = connection(WHAT, WORK).connect_stream(address)?;
    stream.write_all(&[BULK])?;
    let chunk = vec![7; CHUNK];
    loop {
        stream.write_all(&chunk)?;
    }
}

pub fn neighbour(what: &str, address: &str) -> Done {
    let address: SocketAddr = address.parse()?;
    let mut thirsty: Option<Stream> = None;
    let flooder = if what == "flood" { Some(Flooder::start(address)?) } else { None };
    let done = || Ok("0".to_owned());
    obey(|word| match (word, &flooder) {
        ("sent", Some(_)) => Ok(SENT.load(Relaxed).to_string()),
        (_, Some(flooder)) => {
            flooder.aim(word == "on");
            done()
        }
        ("on", None) if what != "nobody" => {
            let mut stream = Stream::connect(address)?;
            stream.write_all(&[THIRSTY])?;
            // The server writes: what it is asked for arrives.
            stream.peek(&mut [0])?;
            thirsty = Some(stream);
            done()
        }
        _ => {
            if let Some(stream) = thirsty.take() {
                stream.connection().close(0, b"");
            }
            done()
        }
    })
}

/// Opens that have left, to whomever.
static SENT: AtomicU64 = AtomicU64::new(0);
/// Where the flood goes.
static AIM: Mutex<Option<SocketAddr>> = Mutex::new(None);

struct Flooder {
    server: SocketAddr,
    /// It takes what is not meant for the server, and reads none of it.
    nobody: UdpSocket,
}

impl Flooder {
    fn start(server: SocketAddr) -> Done<Self> {
        let mut packet = transport::example::datagram("open").ok_or("no example")?;
        packet.resize(1200, 0);
        transport::seal(&mut packet);
        thread::spawn(move || flood(&packet));
        Ok(Self { server, nobody: UdpSocket::bind("127.0.0.1:0")? })
    }

    fn aim(&self, at_server: bool) {
        let nobody = self.nobody.local_addr().ok();
        let to = if at_server { Some(self.server) } else { nobody };
        if let Ok(mut aim) = AIM.lock() {
            *aim = to;
        }
    }
}

fn flood(packet: &[u8]) {
    let pause = Duration::from_secs(1) * BUNCH / FLOOD_PER_SECOND;
    let mut due = Instant::now();
    loop {
        let aim = AIM.lock().ok().and_then(|aim| *aim);
        for to in std::iter::repeat_n(aim, BUNCH as usize).flatten() {
            // A new port each time: to the server, somebody else.
            if let Ok(socket) = UdpSocket::bind("127.0.0.1:0")
                && socket.send_to(packet, to).is_ok()
            {
                SENT.fetch_add(1, Relaxed);
            }
        }
        // What was missed is not made up for: the rate is an upper limit, and the real one is told.
        due = (due + pause).max(Instant::now() - pause);
        if let Some(early) = due.checked_duration_since(Instant::now()) {
            thread::sleep(early);
        }
    }
}
