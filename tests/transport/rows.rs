//! Rows of the interoperability runner of QUIC, with their exact networks.
//!
//! Where its simulator limits bursts to three packets, a Gilbert-Elliott model of mean two stands
//! in: its bursts have no limit, which is harder. Corruption hits packets independently.

use core::time::Duration;

use rdtp::{
    sim::World,
    time::Instant,
    trace::NodeId,
    transport::{
        host::{CookiePolicy, EarlyData, Host, HostConfig},
        stats::Stats,
    },
};

use crate::{
    many::Many,
    pair::{Upload, pair, upload},
};

/// One way 15 ms, 10 Mbit/s, a queue of 25 packets of 1500 bytes.
const BASE: &str = "delay=15ms,rate=10mbit,queue=37500B";
const ROUND: Duration = Duration::from_millis(30);
/// What a packet of 1200 bytes leaves to the application, in bit/s of the line's 10 Mbit/s.
const LIMIT: f64 = 10e6 * 1175.0 / 1200.0;

fn stats(world: &World<Host>, run: &Upload) -> Stats {
    world.endpoint(run.client).get(run.id).expect("alive").stats()
}

fn time(at: Option<Instant>) -> Duration {
    at.expect("not done in time").since_epoch()
}

fn rate(bytes: u64, time: Duration) -> f64 {
    bytes as f64 * 8.0 / time.as_secs_f64()
}

/// One round trip, and one more unless the acceptor hears what may be old; and the bytes.
#[test]
fn handshake() {
    for (early_data, rounds) in [(EarlyData::Never, 2), (EarlyData::Anyone, 1)] {
        let config = HostConfig { early_data, ..HostConfig::default() };
        let (mut world, mut run) = upload(config, BASE, 1, 0, 1000);
        run.run(&mut world, Duration::from_secs(10));
        let done = time(run.done_at);
        println!("1 kB answer after {done:?}, early data {early_data:?}");
        let least = ROUND * rounds;
        assert!((least..least + Duration::from_millis(4)).contains(&done), "{done:?}");
    }
}

/// More than the windows at first: they must move and grow.
#[test]
fn transfer() {
    for bytes in [2_000_000, 3_000_000, 5_000_000] {
        let (mut world, mut run) = upload(HostConfig::default(), BASE, 2, bytes, 0);
        run.run(&mut world, Duration::from_mins(1));
        let done = time(run.delivered_at);
        let share = rate(bytes, done) / LIMIT;
        println!("{bytes} bytes in {done:?}: {share:.3} of the limit");
        assert!(share > 0.93, "{share}");
        assert_eq!(stats(&world, &run).recovery.spurious_packets, 0);
    }
}

/// Thousands of small files, each on a stream of its own, of which only so many may be open.
#[test]
fn multiplexing() {
    let config = HostConfig::default();
    let (streams, request, answer) = (3_000, 20, 500);
    let (mut world, client, id) = pair(config, BASE, 3);
    let mut many = Many::new(client, id, streams, (request, answer));
    many.open(world.endpoint_mut(client));
    let limit = Instant::ZERO + Duration::from_mins(1);
    while many.done < streams && world.step(limit, &mut (), &mut many) {}
    let took = world.now().since_epoch();
    let payload = streams * answer;
    println!("{streams} answers of {answer} bytes in {took:?}, {} open at once", many.open_most);
    assert_eq!((many.done, many.answered_bytes), (streams, payload));
    let allowed = config.connection.streams.peer_streams_max;
    assert!((allowed / 2..=allowed).contains(&many.open_most), "{}", many.open_most);
    // The line would take 1.2 s; a hundred streams a round trip would take 0.9 s.
    assert!(took < Duration::from_secs(4), "{took:?}");
}

/// The guess at the round trip is too short: one needless probe timeout, no more, and no end.
#[test]
fn longrtt() {
    let network = "delay=750ms,rate=10mbit,queue=37500B";
    let (mut world, mut run) = upload(HostConfig::default(), network, 4, 0, 1000);
    run.run(&mut world, Duration::from_secs(20));
    let (done, stats) = (time(run.done_at), stats(&world, &run));
    println!("1 kB answer after {done:?}, {} probe timeouts", stats.recovery.probe_timeouts);
    assert!((3_000..3_010).contains(&done.as_millis()), "{done:?}");
    assert!(stats.recovery.probe_timeouts <= 1, "{stats:?}");
    assert!(run.closed.is_empty(), "{:?}", run.closed);
}

/// A cookie costs one round trip, and is taken the first time.
#[test]
fn retry() {
    let config = HostConfig { cookies: CookiePolicy::Always, ..HostConfig::default() };
    let (mut world, mut run) = upload(config, BASE, 5, 10_000, 0);
    run.run(&mut world, Duration::from_secs(10));
    let done = time(run.delivered_at);
    let connected = time(run.connected_at);
    println!("connected after {connected:?}, 10 kB after {done:?}");
    assert!((2 * ROUND..Duration::from_millis(66)).contains(&connected), "{connected:?}");
    // Five ways, and 10 kB at 10 Mbit/s twice: what came without the cookie was not kept, and what
    // came with it is heard when the opener has answered.
    assert!((75..94).contains(&done.as_millis()), "{done:?}");
    assert_eq!(world.endpoint(SERVER).connections().count(), 1);
}

const SERVER: NodeId = NodeId(1);

/// The client's packets 2 to 7 are lost: the server must wait, and never give more than three bytes
/// for one before the client has shown its address.
#[test]
fn amplificationlimit() {
    let network = format!("up.loss=at:2:3:4:5:6:7,{BASE}");
    let (mut world, mut run) = upload(HostConfig::default(), &network, 6, 0, 5_000);
    let (mut checked, mut most) = (0, 0.0_f64);
    let end = Instant::ZERO + Duration::from_mins(1);
    world.step(Instant::ZERO, &mut (), &mut run);
    while run.done_at.is_none() && world.step(end, &mut (), &mut run) {
        let accepting = world.endpoint(SERVER).connections().any(|(_, c)| c.life().is_accepting());
        if !accepting {
            continue;
        }
        let up = world.link(run.client, SERVER).unwrap().stats().total();
        let down = world.link(SERVER, run.client).unwrap().stats().total();
        assert!(down.offered_bytes <= 3 * up.delivered_bytes, "{down:?} {up:?}");
        checked += 1;
        most = most.max(down.offered_bytes as f64 / up.delivered_bytes as f64);
    }
    let done = time(run.done_at);
    let lost = world.link(run.client, SERVER).unwrap().stats().total().lost;
    println!("done after {done:?}, at most {most:.2} bytes for one in {checked} steps");
    assert_eq!(lost, 6);
    assert!(checked > 3 && most > 1.5, "the limit was never near: {checked}, {most}");
    assert!(done < Duration::from_secs(10), "{done:?}");
}

/// Five seconds on, two seconds off: the connection outlives it and is quick to notice the end.
#[test]
fn blackhole() {
    let network = format!("outage=5s+2s/7s,{BASE}");
    let (mut world, mut run) = upload(HostConfig::default(), &network, 7, 10_000_000, 0);
    run.run(&mut world, Duration::from_mins(2));
    let (done, stats) = (time(run.delivered_at), stats(&world, &run));
    println!("10 MB in {done:?}: {:?}", stats.recovery);
    assert!(run.closed.is_empty(), "{:?}", run.closed);
    // 8.2 s at full rate and one outage; what waits for a probe and what ramps up comes on top.
    assert!(done < Duration::from_secs(14), "{done:?}");
    assert!(stats.recovery.probe_timeouts > 0, "there was no outage");
}

/// Fifty connections, one after the other, as the runner counts them.
fn fifty(network: &str) {
    let mut times: Vec<Duration> = Vec::new();
    for seed in 0..50 {
        let (mut world, mut run) = upload(HostConfig::default(), network, seed, 0, 1000);
        run.run(&mut world, Duration::from_mins(5));
        assert!(run.done_at.is_some(), "connection {seed}: {:?}", run.closed);
        times.push(time(run.done_at));
    }
    times.sort();
    let all: Duration = times.iter().sum();
    println!("{network}: all {all:?}, median {:?}, longest {:?}", times[25], times[49]);
    assert!(all < Duration::from_mins(5), "{all:?}");
}

#[test]
fn handshakeloss() {
    fifty(&format!("loss=ge:30%:2,{BASE}"));
}

#[test]
fn handshakecorruption() {
    fifty(&format!("corrupt=30%:3,{BASE}"));
}

/// 2 MB under faults: everything arrives, within `limit`.
fn two_megabytes(network: &str, limit: Duration) {
    for seed in 0..5 {
        let (mut world, mut run) = upload(HostConfig::default(), network, seed, 2_000_000, 0);
        run.run(&mut world, Duration::from_mins(5));
        let (done, stats) = (time(run.delivered_at), stats(&world, &run));
        println!("{network}: 2 MB in {done:?}, {} lost", stats.recovery.lost_packets);
        assert!(done < limit, "{done:?}");
        assert!(stats.recovery.lost_packets > 10, "nothing was lost");
    }
}

/// Mathis: 1.22 / sqrt(2 %) packets a round trip are 2.8 Mbit/s, 5.7 s.
#[test]
fn transferloss() {
    two_megabytes(&format!("loss=ge:2%:2,{BASE}"), Duration::from_secs(10));
}

#[test]
fn transfercorruption() {
    two_megabytes(&format!("corrupt=2%:3,{BASE}"), Duration::from_secs(10));
}

#[test]
fn goodput() {
    let rates: Vec<f64> = (0..5)
        .map(|seed| {
            let (mut world, mut run) = upload(HostConfig::default(), BASE, seed, 10_000_000, 0);
            run.run(&mut world, Duration::from_mins(1));
            rate(10_000_000, time(run.delivered_at))
        })
        .collect();
    let mean = rates.iter().sum::<f64>() / 5.0;
    let spread = (rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>() / 5.0).sqrt();
    println!("{:.0} ± {:.0} kbit/s, {:.3} of the limit", mean / 1e3, spread / 1e3, mean / LIMIT);
    assert!(mean > 0.95 * LIMIT && spread < 0.02 * mean, "{rates:?}");
}
