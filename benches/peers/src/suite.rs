//! Which runs there are, in turns, and the tables that they make.

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use crate::{
    link, neighbours,
    report::{Spread, Told, ratios, values},
    role::{Done, Work},
};

/// Slices of a neighbour's comings and goings for each of `--runs`.
const PAIRS_PER_RUN: usize = 5;

struct Options {
    runs: usize,
    ms: u64,
    rounds: usize,
    count: usize,
    contenders: Option<Vec<String>>,
}

impl Options {
    fn parse(words: &[&str]) -> Done<Self> {
        let mut options =
            Self { runs: 7, ms: 2000, rounds: 10_000, count: 10_000, contenders: None };
        for pair in words.chunks(2) {
            let [key, value] = pair else { return Err("an option needs a value".into()) };
            match *key {
                "--runs" => options.runs = value.parse()?,
                "--ms" => options.ms = value.parse()?,
                "--rounds" => options.rounds = value.parse()?,
                "--count" => options.count = value.parse()?,
                "--contenders" => {
                    options.contenders = Some(value.split(',').map(str::to_owned).collect());
                }
                _ => return Err(format!("{key}: not an option").into()),
            }
        }
        Ok(options)
    }

    fn contenders(&self, usual: &[&str]) -> Vec<String> {
        self.contenders.clone().unwrap_or_else(|| usual.iter().map(|&name| name.into()).collect())
    }
}

pub fn run(what: &str, words: &[&str]) -> Done {
    let options = Options::parse(words)?;
    println!("{}", machine());
    match what {
        "bulk" => bulk(&options),
        "pingpong" => pingpong(&options),
        "connections" => connections(&options),
        "neighbours" => neighbours::table(PAIRS_PER_RUN * options.runs),
        "link" => link::table(Duration::from_secs(10)),
        "all" => {
            bulk(&options)?;
            pingpong(&options)?;
            connections(&options)?;
            neighbours::table(PAIRS_PER_RUN * options.runs)?;
            link::table(Duration::from_secs(10))
        }
        _ => Err("bulk, pingpong, connections, neighbours, link or all".into()),
    }
}

/// Cores, their kind and the kernel: no names.
fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpu.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split(": ").nth(1).unwrap_or("?").to_owned()
    };
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.split('-').next().unwrap_or_default().trim().to_owned();
    format!("{cores} cores, {}, {} MHz, Linux {kernel}", field("model name"), field("cpu MHz"))
}

/// One run: server and client, and all that they told.
fn once(contender: &str, work: Work) -> Done<Told> {
    let this = env::current_exe()?;
    let words = work.words();
    let mut server = Command::new(&this)
        .args(["server", contender])
        .args(&words)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(server.stdout.take().ok_or("no output")?).lines();
    let first = lines.next().ok_or("the server ended at once")??;
    let address = first.strip_prefix("address ").ok_or("no address")?.to_owned();
    let client = Command::new(&this)
        .args(["client", contender, &address])
        .args(&words)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let client = finish(client);
    let mut told = Told::new();
    let mut take = |line: &str| {
        if let Some((name, value)) = line.split_once(' ')
            && let Ok(value) = value.parse()
        {
            told.insert(name.into(), value);
        }
    };
    let client = match client {
        Ok(client) if client.status.success() => client,
        other => {
            server.kill()?;
            server.wait()?;
            let why = match other {
                Ok(client) => String::from_utf8_lossy(&client.stderr).trim().to_owned(),
                Err(error) => error.to_string(),
            };
            return Err(format!("{contender}: {why}").into());
        }
    };
    String::from_utf8_lossy(&client.stdout).lines().for_each(&mut take);
    for line in lines {
        take(&line?);
    }
    server.wait()?;
    Ok(told)
}

/// A run that takes longer is broken off.
const RUN_MAX: Duration = Duration::from_secs(60);

/// Waits for a process, and ends it when it takes too long.
fn finish(mut child: Child) -> Done<Output> {
    let limit = Instant::now() + RUN_MAX;
    while child.try_wait()?.is_none() {
        if Instant::now() > limit {
            child.kill()?;
            child.wait()?;
            return Err("not done after a minute".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(child.wait_with_output()?)
}

/// All contenders, `runs` times in turn.
fn turns(contenders: &[String], runs: usize, work: Work) -> Vec<Vec<Told>> {
    let mut told = vec![Vec::new(); contenders.len()];
    for _ in 0..runs {
        for (contender, told) in contenders.iter().zip(&mut told) {
            match once(contender, work) {
                Ok(run) => told.push(run),
                Err(error) => {
                    eprintln!("{error}");
                    told.push(Told::new());
                }
            }
        }
    }
    told
}

fn cell(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or_else(|| "-".into(), |spread| spread.text(digits))
}

/// CPU seconds of both ends for a GiB.
fn cpu_per_gib(told: &Told) -> Option<f64> {
    let both = told.get("cpu_send")? + told.get("cpu_recv")?;
    Some(both / (told.get("bytes")? / f64::from(1 << 30)))
}

fn bulk(options: &Options) -> Done {
    let usual = [
        "tcp",
        "rdtp",
        "rdtp+place",
        "stream",
        "tokio",
        "rdtp+1472",
        "rdtp+1472+place",
        "stream+1472",
        "tokio+1472",
        "tcp+bbr",
        "quinn",
        "kcp",
    ];
    let contenders = options.contenders(&usual);
    let time = Duration::from_millis(options.ms);
    println!(
        "\nbulk: one connection, {} ms, writes and reads of 64 KiB, {} runs in turn\n",
        options.ms, options.runs
    );
    let told = turns(&contenders, options.runs, Work::Bulk(time));
    println!("| contender | Gbit/s | x tcp | CPU s/GiB, both ends | x tcp | RSS MiB |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for (contender, runs) in contenders.iter().zip(&told) {
        let speed = |told: &Told| told.get("gbit").copied();
        let cpus: Vec<f64> = runs.iter().filter_map(cpu_per_gib).collect();
        let rss = Spread::of(values(runs, "rss_send")).zip(Spread::of(values(runs, "rss_recv")));
        println!(
            "| {contender} | {} | {} | {} | {} | {} |",
            cell(Spread::of(values(runs, "gbit")), 2),
            cell(Spread::of(ratios(runs, &told[0], speed)), 2),
            cell(Spread::of(cpus), 2),
            cell(Spread::of(ratios(runs, &told[0], cpu_per_gib)), 2),
            rss.map_or_else(String::new, |(send, recv)| {
                format!("{:.0}/{:.0}", send.median / 1024.0, recv.median / 1024.0)
            }),
        );
    }
    for (contender, runs) in contenders.iter().zip(&told) {
        let names = ["lost", "sent", "window", "srtt_us", "calls", "would_block"];
        let known: Vec<String> = names
            .iter()
            .filter_map(|name| {
                Some(format!("{name} {:.0}", Spread::of(values(runs, name))?.median))
            })
            .collect();
        if !known.is_empty() {
            println!("{contender}: {}", known.join(", "));
        }
    }
    Ok(())
}

fn pingpong(options: &Options) -> Done {
    let contenders =
        options.contenders(&["tcp", "rdtp+1472", "stream+1472", "tokio+1472", "quinn", "kcp"]);
    println!("\nping-pong: 64 bytes, {} rounds, {} runs in turn\n", options.rounds, options.runs);
    let told = turns(&contenders, options.runs, Work::PingPong(options.rounds));
    println!("| contender | p50 us | x tcp | p99 us | p99.9 us |");
    println!("| --- | --- | --- | --- | --- |");
    for (contender, runs) in contenders.iter().zip(&told) {
        let p50 = |told: &Told| told.get("p50").copied();
        println!(
            "| {contender} | {} | {} | {} | {} |",
            cell(Spread::of(values(runs, "p50")), 1),
            cell(Spread::of(ratios(runs, &told[0], p50)), 2),
            cell(Spread::of(values(runs, "p99")), 1),
            cell(Spread::of(values(runs, "p999")), 1),
        );
    }
    Ok(())
}

fn connections(options: &Options) -> Done {
    let contenders = options.contenders(&["tcp", "rdtp", "quinn", "kcp"]);
    let runs = options.runs.min(3);
    println!(
        "\n{} connections at the same time, 64 bytes there and back, {runs} runs\n",
        options.count
    );
    let told = turns(&contenders, runs, Work::Connections(options.count));
    println!("| contender | answered | connections/s | server KiB each | silent for a second |");
    println!("| --- | --- | --- | --- | --- |");
    for (contender, runs) in contenders.iter().zip(&told) {
        let each = |name| {
            let kib = values(runs, name).into_iter();
            cell(Spread::of(kib.map(|kib| kib / options.count as f64).collect()), 1)
        };
        println!(
            "| {contender} | {} | {} | {} | {} |",
            cell(Spread::of(values(runs, "answered")), 0),
            cell(Spread::of(values(runs, "per_second")), 0),
            each("server_kib"),
            each("silent_kib"),
        );
    }
    Ok(())
}
