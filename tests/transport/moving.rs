//! Peers that move (RFC 9000 sections 8.2 and 9): the rows rebind-port and rebind-addr of the
//! interoperability runner, and what else a change of addresses must and must not do.

use core::{net::SocketAddr, time::Duration};

use rdtp::{
    sim::World,
    time::Instant,
    trace::NodeId,
    transport::{
        host::{Host, HostConfig},
        stats::Stats,
    },
};

use crate::pair::{Upload, upload};

/// One way 15 ms, 10 Mbit/s, a queue of 25 packets of 1500 bytes.
const BASE: &str = "delay=15ms,rate=10mbit,queue=37500B";
const CLIENT: NodeId = NodeId(0);
const SERVER: NodeId = NodeId(1);

/// The `n`-th address of the client: another port, or another host.
fn address(n: u16, port_only: bool) -> SocketAddr {
    let host = if port_only { 1 } else { 100 + u8::try_from(n).unwrap() };
    SocketAddr::from(([10, 0, 0, host], 20_000 + n))
}

/// Runs until everything is done; the client's address changes first after a second and then every
/// five. Returns when it was done, and how often the address changed.
fn rebound(
    network: &str,
    seed: u64,
    (up, down): (u64, u64),
    port_only: bool,
) -> (Outcome, World<Host>) {
    let (mut world, mut run) = upload(HostConfig::default(), network, seed, up, down);
    let mut changes = 0;
    let mut next = Duration::from_secs(1);
    while run.done_at.is_none() && next < Duration::from_mins(10) {
        run.run(&mut world, next);
        if run.done_at.is_none() {
            changes += 1;
            world.rebind(CLIENT, address(changes, port_only));
            next += Duration::from_secs(5);
        }
    }
    let took = run.done_at.map(Instant::since_epoch);
    let (_, server) = world.endpoint(SERVER).connections().next().expect("alive");
    (Outcome { took, changes, server: server.stats(), peer: server.peer() }, world)
}

struct Outcome {
    took: Option<Duration>,
    changes: u16,
    server: Stats,
    peer: SocketAddr,
}

fn undisturbed(bytes: (u64, u64)) -> Duration {
    let (mut world, mut run): (_, Upload) =
        upload(HostConfig::default(), BASE, 1, bytes.0, bytes.1);
    run.run(&mut world, Duration::from_mins(5));
    run.done_at.expect("done").since_epoch()
}

fn row(port_only: bool, share: u32) {
    for bytes in [(10_000_000, 0), (100, 10_000_000)] {
        let plain = undisturbed(bytes);
        let (outcome, _) = rebound(BASE, 1, bytes, port_only);
        let Outcome { took, changes, server, peer } = outcome;
        println!("{bytes:?}: {took:?} for {plain:?}, {changes} changes, {} moves", server.moves);
        let took = took.expect("the transfer does not survive");
        assert!(changes >= 2);
        // The last change may have come too late to be noticed.
        assert!((u32::from(changes) - 1..=u32::from(changes)).contains(&server.moves));
        assert!(peer == address(changes, port_only) || server.moves < u32::from(changes));
        assert!(took < plain * share / 100, "{took:?} for {plain:?}");
    }
}

/// A NAT gives the flow another port: the path is the same, and what is known of it stays (section
/// 9.4).
#[test]
fn rebind_port() {
    row(true, 115);
}

/// Another host's address: the path has to be learned anew.
#[test]
fn rebind_addr() {
    row(false, 140);
}

/// Both ways lossy, and the address changes all the time.
#[test]
fn moves_survive_loss() {
    for seed in 0..10 {
        let network = format!("{BASE},loss=5%,dup=2%,reorder=5%:3");
        for port_only in [true, false] {
            let (outcome, _) = rebound(&network, seed, (800_000, 800_000), port_only);
            assert!(outcome.took.is_some(), "seed {seed}");
        }
    }
}

/// A client that knows that it has moved says so, and an idle server finds it.
#[test]
fn a_move_can_be_announced() {
    let (mut world, mut run) = upload(HostConfig::default(), BASE, 1, 1000, 1000);
    run.run(&mut world, Duration::from_secs(1));
    assert!(run.done_at.is_some());
    world.run(Instant::ZERO + Duration::from_secs(2), &mut (), &mut run);
    world.rebind(CLIENT, address(1, false));
    let now = world.now();
    world.endpoint_mut(CLIENT).get_mut(run.id).unwrap().announce_move(now);
    world.run(now + Duration::from_millis(200), &mut (), &mut run);
    let (_, server) = world.endpoint(SERVER).connections().next().unwrap();
    assert_eq!((server.peer(), server.stats().moves), (address(1, false), 1));
    // A server's address is kept to: its own moves are not announced, and not believed.
    let id = world.endpoint(SERVER).connections().next().unwrap().0;
    world.endpoint_mut(SERVER).get_mut(id).unwrap().announce_move(now);
    world.run(now + Duration::from_secs(1), &mut (), &mut run);
    assert!(run.closed.is_empty());
}
