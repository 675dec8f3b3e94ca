//! Explicit congestion notification (RFC 9000 section 13.4, RFC 9002 section 7.1).

use core::time::Duration;

use rdtp::{
    sim::World,
    trace::NodeId,
    transport::{
        cc::Algorithm,
        config::Config,
        host::{Host, HostConfig},
        stats::{EcnState, Stats},
    },
};

use crate::pair::{Upload, upload};

/// One way 15 ms, 10 Mbit/s, and a queue that is too long.
const BASE: &str = "delay=15ms,rate=10mbit,queue=250kB";
const BYTES: u64 = 4_000_000;

fn run(config: HostConfig, network: &str) -> (Stats, Duration, World<Host>) {
    let (mut world, mut run): (_, Upload) = upload(config, network, 1, BYTES, 20_000);
    run.run(&mut world, Duration::from_mins(2));
    let took = run.done_at.expect("not done in time").since_epoch();
    let stats = world.endpoint(run.client).get(run.id).expect("alive").stats();
    (stats, took, world)
}

#[test]
fn a_path_that_bears_marks_is_found_out_and_both_sides_mark() {
    let (stats, _, world) = run(HostConfig::default(), BASE);
    assert_eq!((stats.ecn, stats.ce_packets), (EcnState::Capable, 0));
    let (_, server) = world.endpoint(NodeId(1)).connections().next().unwrap();
    assert_eq!(server.stats().ecn, EcnState::Capable);
    let connection = Config { ecn: false, ..Config::default() };
    let (stats, ..) = run(HostConfig { connection, ..HostConfig::default() }, BASE);
    assert_eq!(stats.ecn, EcnState::Off);
}

/// A queue that marks what waits behind 20 kB costs no packet, and it stays short.
#[test]
fn marks_in_place_of_losses() {
    marks_spare_losses(Algorithm::Cubic);
    let (with, without) = marks_spare_losses(Algorithm::Bbr);
    // What follows a model leaves a short queue either way: 30 ms are the path's, 16 the 20 kB.
    assert!(with.max(without) < Duration::from_millis(50), "{with:?}, {without:?}");
}

/// BBR keeps its queue short without marks, and the factor of two that CUBIC gains from them is not to
/// be had. What it does gain shows where marks come before its own measure of a queue does, on a path
/// that marks what waits behind 8 kB: the queue is shorter by more than a quarter, for which it pays no
/// more than CUBIC does, to a hundredth.
#[test]
fn marks_shorten_the_queue_of_bbr() {
    let marking = format!("{BASE},mark=8kB");
    let (without, plain) = mean_queue(Algorithm::Bbr, BASE);
    let (with, marked) = mean_queue(Algorithm::Bbr, &marking);
    let (_, cubic) = mean_queue(Algorithm::Cubic, &marking);
    assert!(marked.ce_packets > 0 && plain.ce_packets == 0);
    assert_eq!(marked.recovery.lost_packets, 0);
    assert!(with * 4 <= without * 3, "{with:?} with marks, {without:?} without");
    let delivered = [marked, cubic].map(|stats| stats.recovery.delivered_bytes);
    assert!(delivered[0] * 100 >= delivered[1] * 99, "{delivered:?}");
}

/// The mean delay in the queue from the first second to the fifteenth.
fn mean_queue(congestion: Algorithm, network: &str) -> (Duration, Stats) {
    const LOOKS: u32 = 1_400;
    let connection = Config { congestion, ..Config::default() };
    let config = HostConfig { connection, ..HostConfig::default() };
    let (mut world, mut run) = upload(config, network, 1, 1 << 40, 0);
    let mut sum = Duration::ZERO;
    let mut stats = Stats::default();
    for look in 1..=LOOKS {
        run.run(&mut world, Duration::from_secs(1) + Duration::from_millis(10) * look);
        stats = world.endpoint(run.client).get(run.id).expect("alive").stats();
        sum += stats.rtt_latest.saturating_sub(Duration::from_millis(30));
    }
    let (mean, bytes) = (sum / LOOKS, stats.recovery.delivered_bytes);
    println!("{congestion:?}, {network}: {mean:?}, {bytes} bytes, {} marks", stats.ce_packets);
    (mean, stats)
}

/// The round trips with marks and without.
fn marks_spare_losses(congestion: Algorithm) -> (Duration, Duration) {
    let connection = Config { congestion, ..Config::default() };
    let config = HostConfig { connection, ..HostConfig::default() };
    let (marked, took, world) = run(config, &format!("{BASE},mark=20kB"));
    let link = world.link(NodeId(0), NodeId(1)).unwrap().stats().total();
    println!("{took:?}, {} marks, SRTT {:?}", marked.ce_packets, marked.srtt);
    assert!(link.ecn_marked > 0 && link.queue_full == 0, "{link:?}");
    assert_eq!(marked.recovery.lost_packets, 0);
    // Every mark was reported, but for those that still are on their way.
    assert!(marked.ce_packets + 5 >= link.ecn_marked && marked.ce_packets <= link.ecn_marked);
    assert!((1..=marked.ce_packets).contains(&marked.recovery.congestion_events));
    assert_eq!(marked.recovery.undone_events, 0);
    let (dropped, took_dropped, _) = run(config, BASE);
    println!("without: {took_dropped:?}, SRTT {:?}", dropped.srtt);
    let fills = matches!(congestion, Algorithm::Cubic);
    assert!(!fills || marked.srtt * 2 < dropped.srtt, "{:?}, {:?}", marked.srtt, dropped.srtt);
    assert!(took < took_dropped * 11 / 10, "{took:?}, {took_dropped:?}");
    (marked.srtt, dropped.srtt)
}

/// Whatever a path does to the field, the transfer is as quick as without.
#[test]
fn paths_that_spoil_marks_are_used_without() {
    let (_, plain, _) = run(HostConfig::default(), BASE);
    for remark in ["clear", "ect1", "ce", "keep:clear@500ms", "keep:ect1@1s"] {
        let (stats, took, world) = run(HostConfig::default(), &format!("{BASE},ecn={remark}"));
        assert_eq!(stats.ecn, EcnState::Failed, "{remark}");
        // Until it is found out, a mark of congestion is taken for one.
        let bound = if remark == "ce" { plain * 3 / 2 } else { plain * 21 / 20 };
        assert!(took <= bound, "{remark}: {took:?} for {plain:?}");
        let link = world.link(NodeId(0), NodeId(1)).unwrap().stats().total();
        assert!(link.ecn_cleared + link.ecn_changed + link.ecn_marked > 0, "{remark}");
    }
}

/// A storm of marks after the path has proved itself: slow, as the marks ask for, but alive; and over
/// when the storm is.
#[test]
fn a_storm_of_marks_is_survived() {
    let (stats, took, _) = run(HostConfig::default(), &format!("{BASE},up.ecn=keep:ce@1s:keep@3s"));
    println!("{took:?}, {} marks", stats.ce_packets);
    assert_eq!(stats.ecn, EcnState::Capable);
    assert!(stats.ce_packets > 50 && stats.recovery.lost_packets < stats.ce_packets);
    assert!(took < Duration::from_secs(12), "{took:?}");
}

/// Marks, losses, copies and packets that overtake each other.
#[test]
fn counts_hold_on_bad_paths() {
    for seed in 0..20 {
        let network = format!(
            "{BASE},mark=30kB,loss=5%,dup=5%,reorder=5%:4,corrupt=1%,delay=15ms±5ms,jitter=reorder"
        );
        let (mut world, mut run) = upload(HostConfig::default(), &network, seed, 300_000, 300_000);
        run.run(&mut world, Duration::from_mins(5));
        assert!(run.done_at.is_some(), "seed {seed}");
        let stats = world.endpoint(run.client).get(run.id).expect("alive").stats();
        assert_eq!(stats.ecn, EcnState::Capable, "seed {seed}");
    }
}
