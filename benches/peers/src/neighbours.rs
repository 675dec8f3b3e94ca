//! What bad neighbours take from the others: bulk to a server that has nobody else, one who does not
//! read what it asked for, one who has died, and a flood of openers whose address nobody has proved.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, UdpSocket},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rdtp::{net::Stream, transport::host::CookiePolicy, wire::transport};

use crate::{
    report::{Spread, Told, ratios, values},
    role::{CHUNK, Done, Meter, Work, tell, tell_address},
    stream::{connection, listener},
};

/// Who is there beside the one that is measured.
const NEIGHBOURS: [&str; 4] = ["nobody", "slow", "dead", "flood"];
/// Openers a second: what one core of a small server has to look at beside its work.
const FLOOD_PER_SECOND: u32 = 10_000;
/// What a stream is for, in its first byte: to be read, or to be written to without end.
const BULK: u8 = b'b';
const THIRSTY: u8 = b't';
const WHAT: &str = "stream+1472";

pub fn table(runs: usize, time: Duration) -> Done {
    println!(
        "\nneighbours: bulk in datagrams of 1472 bytes through `Stream`, {} ms, {runs} runs in turn\n",
        time.as_millis()
    );
    let mut told = vec![Vec::new(); NEIGHBOURS.len()];
    for _ in 0..runs {
        for (neighbour, told) in NEIGHBOURS.iter().zip(&mut told) {
            told.push(once(neighbour, time)?);
        }
    }
    println!("| beside it | Gbit/s | x alone |");
    println!("| --- | --- | --- |");
    for (neighbour, runs) in NEIGHBOURS.iter().zip(&told) {
        let speed = |told: &Told| told.get("gbit").copied();
        let cell = |spread: Option<Spread>| spread.map_or("-".into(), |spread| spread.text(2));
        println!(
            "| {neighbour} | {} | {} |",
            cell(Spread::of(values(runs, "gbit"))),
            cell(Spread::of(ratios(runs, &told[0], speed))),
        );
    }
    if let Some(count) = Spread::of(values(&told[3], "opens")) {
        println!("forged opens in a run: {}", count.text(0));
    }
    Ok(())
}

/// A process that is ended when it is not needed any more.
struct Process(Child);

impl Process {
    fn start(words: &[&str]) -> Done<Self> {
        let this = env::current_exe()?;
        Ok(Self(Command::new(this).args(words).stdout(Stdio::piped()).spawn()?))
    }

    fn lines(&mut self) -> Done<impl Iterator<Item = std::io::Result<String>> + use<>> {
        Ok(BufReader::new(self.0.stdout.take().ok_or("no output")?).lines())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn once(neighbour: &str, time: Duration) -> Done<Told> {
    let ms = time.as_millis().to_string();
    let mut server = Process::start(&["neighbours-server", &ms])?;
    let mut said = server.lines()?;
    let first = said.next().ok_or("the server ended at once")??;
    let address = first.strip_prefix("address ").ok_or("no address")?;
    let mut beside = Process::start(&["neighbour", neighbour, address])?;
    let mut its = beside.lines()?;
    its.next().ok_or("the neighbour ended at once")??;
    let good = Process::start(&["neighbours-client", address, &ms])?;
    let mut told = Told::new();
    // The server ends when it has measured.
    for line in said {
        let line = line?;
        if let Some((name, value)) = line.split_once(' ') {
            told.insert(name.into(), value.parse()?);
        }
    }
    drop(good);
    drop(beside);
    if let Some((name, value)) =
        its.flatten().last().as_deref().and_then(|line| line.split_once(' '))
    {
        told.insert(name.into(), value.parse()?);
    }
    Ok(told)
}

pub fn server(ms: &str) -> Done {
    let time = Duration::from_millis(ms.parse()?);
    let listener =
        listener(WHAT, Work::Bulk(time)).cookies(CookiePolicy::Above(256)).bind("127.0.0.1:0")?;
    tell_address(listener.local_addr()?);
    loop {
        let (mut stream, _) = listener.accept()?;
        let mut what = [0];
        stream.read_exact(&mut what)?;
        if what == [THIRSTY] {
            thread::spawn(move || while stream.write_all(&[7; CHUNK]).is_ok() {});
            continue;
        }
        let mut meter = Meter::default();
        let mut space = vec![0; CHUNK];
        loop {
            match stream.read(&mut space)? {
                0 => break,
                len => meter.took(len, time),
            }
        }
        meter.report();
        // Whoever does not read would be waited for.
        std::process::exit(0);
    }
}

pub fn client(address: &str, ms: &str) -> Done {
    let time = Duration::from_millis(ms.parse()?);
    let mut stream = connection(WHAT, Work::Bulk(time)).connect_stream(address)?;
    stream.write_all(&[BULK])?;
    let (chunk, start) = (vec![7; CHUNK], Instant::now());
    while start.elapsed() < time {
        stream.write_all(&chunk)?;
    }
    Ok(stream.finish()?)
}

pub fn neighbour(what: &str, address: &str) -> Done {
    let address: SocketAddr = address.parse()?;
    let _thirsty: Option<Stream> = match what {
        "slow" | "dead" => {
            let mut stream = Stream::connect(address)?;
            stream.write_all(&[THIRSTY])?;
            // The server writes: what it is asked for arrives.
            stream.peek(&mut [0])?;
            Some(stream)
        }
        _ => None,
    };
    tell("ready", 1);
    match what {
        "dead" => {
            // There, and yet not: its port is open, and nobody answers.
            Command::new("kill").args(["-STOP", &std::process::id().to_string()]).status()?;
            Ok(())
        }
        "flood" => flood(address),
        _ => loop {
            thread::park();
        },
    }
}

fn flood(address: SocketAddr) -> Done {
    let mut packet = transport::example::datagram("open").ok_or("no example")?;
    packet.resize(1200, 0);
    transport::seal(&mut packet);
    let (start, mut sent) = (Instant::now(), 0);
    loop {
        // A new port each time: to the server, somebody else.
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let _ = socket.send_to(&packet, address);
        sent += 1;
        if sent % 1_000 == 0 {
            tell("opens", sent);
        }
        let due = start + Duration::from_secs(1) * sent / FLOOD_PER_SECOND;
        if let Some(early) = due.checked_duration_since(Instant::now()) {
            thread::sleep(early);
        }
    }
}
