//! The path's MTU (RFC 8899, RFC 9000 section 14.3): found, lost, and never mistaken.

use core::time::Duration;

use rdtp::{
    batch::Batch,
    endpoint::{Endpoint, RecvMeta},
    sim::World,
    time::Instant,
    trace::NodeId,
    transport::{
        cc::Algorithm,
        config::Config,
        host::{Host, HostConfig},
        stats::Stats,
    },
};

use crate::{
    pair::{Upload, upload},
    wire::{DELAY, address, host, host_config},
};

const PATH: &str = "delay=25ms,rate=20mbit,queue=125kB";

fn config(packet_bytes_max: usize) -> HostConfig {
    let connection = Config { packet_bytes_max, ..Config::default() };
    HostConfig { connection, ..HostConfig::default() }
}

fn stats(world: &World<Host>, run: &Upload) -> Stats {
    world.endpoint(run.client).get(run.id).expect("alive").stats()
}

/// Whatever the path bears is found, near enough; probes that are lost are no congestion.
#[test]
fn what_the_path_bears_is_found() {
    for (max, mtu, least) in [
        (1472, "none", 1472),
        (1472, "1200", 1200),
        (1472, "1400", 1384),
        (8972, "none", 8972),
        (8972, "1472", 1472),
        (65_507, "8972", 8972),
        (65_507, "none", 65_507),
        (1200, "none", 1200),
    ] {
        // Wide and without a queue to fill, so that only probes are lost.
        let network = format!("delay=25ms,rate=1gbit,queue=20MB,mtu={mtu}");
        let connection = Config { congestion: Algorithm::Fixed(1 << 20), ..config(max).connection };
        let config = HostConfig { connection, ..config(max) };
        let (mut world, mut run) = upload(config, &network, 1, 60_000_000, 0);
        run.run(&mut world, Duration::from_mins(1));
        assert!(run.delivered_at.is_some(), "{max} over {mtu}");
        let stats = stats(&world, &run);
        let bears = mtu.parse().unwrap_or(65_507).min(max);
        println!("{max} over {mtu}: {}, {:?}", stats.packet_bytes, stats.mtu);
        assert!((least..=bears).contains(&stats.packet_bytes), "{}", stats.packet_bytes);
        let recovery = stats.recovery;
        assert_eq!(recovery.lost_packets, 0, "probes are counted apart");
        assert_eq!((recovery.congestion_events, stats.mtu.black_holes), (0, 0));
    }
}

/// The path bears less from the second second on: what was lost is repaired within three probe
/// timeouts, whatever else is lost, and the search finds what is left.
#[test]
fn a_drop_is_repaired_within_three_probe_timeouts() {
    for (loss, mtu) in [("0%", 1300), ("0%", 1200), ("0.5%", 1300), ("2%", 1400)] {
        for seed in 0..5 {
            let network = format!("{PATH},loss={loss},mtu=none:{mtu}@2s");
            let (mut world, mut run) = upload(config(1472), &network, seed, 8_000_000, 0);
            let drop = Duration::from_secs(2);
            run.run(&mut world, drop);
            let before = stats(&world, &run);
            assert_eq!(before.packet_bytes, 1472);
            let pto = before.srtt + before.rttvar * 4 + config(1472).connection.acks.delay_max;
            // What was on its way arrives; then the receiver stands before the first hole.
            run.run(&mut world, drop + Duration::from_millis(25) + before.srtt / 2);
            let hole = run.received;
            run.run(&mut world, drop + pto * 3);
            assert!(run.received > hole, "seed {seed}, {loss}: stuck at {hole} after 3 x {pto:?}");
            run.run(&mut world, Duration::from_mins(5));
            assert!(run.delivered_at.is_some(), "seed {seed}, {loss}");
            let after = stats(&world, &run);
            let found = after.packet_bytes;
            let near = found <= mtu && (mtu - found <= 24 || after.mtu.black_holes == 0);
            assert!(near, "seed {seed}, {loss}: {found}, {:?}", after.mtu);
            assert!(after.mtu.doubts > 0 && after.mtu.black_holes <= 1, "{:?}", after.mtu);
        }
    }
}

/// A guess that is wrong from the first packet on costs time, not the connection.
#[test]
fn a_wrong_guess_is_survived() {
    let connection = Config { packet_bytes: 9000, packet_bytes_max: 9000, ..Config::default() };
    let config = HostConfig { connection, ..HostConfig::default() };
    let (mut world, mut run) = upload(config, &format!("{PATH},mtu=1472"), 1, 3_000_000, 100);
    run.run(&mut world, Duration::from_mins(1));
    println!("{:?} {:?}", run.done_at, stats(&world, &run).mtu);
    assert!(run.done_at.is_some());
    let stats = stats(&world, &run);
    assert!((1400..=1472).contains(&stats.packet_bytes), "{}", stats.packet_bytes);
}

/// Loss, in bursts or not, is no black hole. The machine alone has a thousand hours of this, see
/// `benches/path_mtu`.
#[test]
fn loss_is_no_black_hole() {
    for (seed, loss) in ["0%", "1%", "5%", "10%", "20%", "ge:2%:10"].into_iter().enumerate() {
        // A window that stays, since it is not congestion control that is on trial.
        let congestion = Algorithm::Fixed(60_000);
        // A burst lasts so many datagrams, and a connection that only probes sends few: it must not
        // fall silent for good in the middle of one.
        let idle_timeout = Duration::from_mins(10);
        let connection = Config { congestion, idle_timeout, ..config(1472).connection };
        let config = HostConfig { connection, ..config(1472) };
        let network = format!("delay=10ms,loss={loss}");
        let (mut world, mut run) = upload(config, &network, seed as u64, 20_000_000, 1_000_000);
        run.run(&mut world, Duration::from_mins(10));
        assert!(run.done_at.is_some(), "{loss}");
        for node in [NodeId(0), NodeId(1)] {
            let (_, connection) = world.endpoint(node).connections().next().expect("alive");
            let stats = connection.stats();
            assert_eq!(stats.mtu.black_holes, 0, "{loss}: {:?}", stats.mtu);
            assert_eq!(connection.recovery().pmtud().proven_bytes(), 1472, "{loss}");
        }
    }
}

/// Bursts take whole windows and then probes one after the other: sixty seeds of it end, and none takes
/// a burst for a narrower path. The burst counts datagrams, and a second may lie between two probes.
#[test]
fn bursts_are_no_black_holes_and_end() {
    let (mut slowest, mut doubts) = (Duration::ZERO, 0);
    for seed in 0..60 {
        let [idle_timeout, open_timeout] = [Duration::from_mins(10); 2];
        let congestion = Algorithm::Fixed(60_000);
        let connection =
            Config { congestion, idle_timeout, open_timeout, ..config(1472).connection };
        let config = HostConfig { connection, ..config(1472) };
        let network = "delay=10ms,loss=ge:2%:10";
        let (mut world, mut run) = upload(config, network, seed, 2_000_000, 200_000);
        run.run(&mut world, Duration::from_mins(10));
        slowest = slowest.max(run.done_at.expect("it ends").since_epoch());
        for node in [NodeId(0), NodeId(1)] {
            let (_, connection) = world.endpoint(node).connections().next().expect("alive");
            let stats = connection.stats();
            assert_eq!(stats.mtu.black_holes, 0, "seed {seed}: {:?}", stats.mtu);
            assert_eq!(connection.recovery().pmtud().proven_bytes(), 1472, "seed {seed}");
            doubts += stats.mtu.doubts;
        }
    }
    println!("the slowest of 60 took {slowest:?}; held short on suspicion {doubts} times");
}

/// Rule 6 of the contract: what is longer than anything that arrived travels alone.
#[test]
fn a_probe_travels_alone() {
    let config = Config { packet_bytes_max: 9000, ..Config::default() };
    let mut hosts = [host(host_config(config), 1), host(host_config(config), 2)];
    let mut now = Instant::ZERO;
    let id = hosts[0].open(now, address(1));
    let stream = hosts[0].get_mut(id).unwrap().open_stream(0).unwrap();
    let mut space = vec![0; 1 << 16];
    let (mut probes, mut together, mut longest) = (0, 0, 1200);
    for _ in 0..400 {
        if let Some(connection) = hosts[0].get_mut(id) {
            connection.write(stream, &vec![7; 60_000]).ok();
            longest = longest.max(connection.stats().packet_bytes);
        }
        let mut flying = Vec::new();
        for node in [0, 1] {
            loop {
                let mut batch = Batch::new(&mut space);
                if hosts[node].poll_transmit(now, &mut batch).is_none() {
                    break;
                }
                let long = batch.segments().any(|segment| segment.len() > longest);
                assert!(!long || batch.count() == 1, "a probe among {}", batch.count());
                probes += usize::from(long);
                together += usize::from(batch.count() > 1);
                flying.extend(batch.segments().map(|segment| (1 - node, segment.to_vec())));
            }
        }
        now += DELAY;
        for (to, bytes) in flying {
            let _ = hosts[to].handle_datagram(now, RecvMeta::from(address(1 - to)), &bytes);
        }
        for host in &mut hosts {
            host.handle_timeout(now);
            while let Some(event) = host.poll_event() {
                let Some(connection) = host.get_mut(event.id) else { continue };
                while let Ok(bytes) = connection.peek(stream).map(<[u8]>::len)
                    && bytes > 0
                {
                    connection.consume(now, stream, bytes);
                }
            }
        }
    }
    assert!(probes >= 4 && together > 50, "{probes} probes, {together} batches");
    assert_eq!(longest, 9000);
}
