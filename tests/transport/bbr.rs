//! BBR on whole paths: the cases of the draft's appendix A that need one. Those that need an exact
//! course of ACKs are beside the code.

use core::time::Duration;

use rdtp::{
    sim::World,
    transport::{
        cc::{Algorithm, Phase},
        config::Config,
        host::{Host, HostConfig},
        recovery::Recovery,
    },
};

use crate::pair::{Upload, upload};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// An upload that does not end while it is looked at.
fn flow(network: &str, seed: u64) -> (World<Host>, Upload) {
    flow_of(Algorithm::Bbr, network, seed)
}

fn flow_of(congestion: Algorithm, network: &str, seed: u64) -> (World<Host>, Upload) {
    let connection = Config { congestion, ..Config::default() };
    let config = HostConfig { connection, ..HostConfig::default() };
    upload(config, network, seed, 1 << 40, 0)
}

fn recovery<'a>(world: &'a World<Host>, run: &Upload) -> &'a Recovery {
    world.endpoint(run.client).get(run.id).expect("alive").recovery()
}

fn delivered(world: &World<Host>, run: &Upload) -> u64 {
    recovery(world, run).stats().delivered_bytes
}

/// Bits a second that are delivered from one time to another.
fn rate(world: &mut World<Host>, run: &mut Upload, from: Duration, to: Duration) -> f64 {
    run.run(world, from);
    let before = recovery(world, run).stats().delivered_bytes;
    run.run(world, to);
    let bytes = recovery(world, run).stats().delivered_bytes - before;
    bytes as f64 * 8.0 / to.saturating_sub(from).as_secs_f64()
}

/// A.1, A.3 and A.7: the phases in their order, each left for its reason.
#[test]
fn a_flow_fills_the_pipe_empties_the_queue_and_cruises() {
    for seed in 0..5 {
        let (mut world, mut run) = flow("delay=25ms,rate=10mbit,queue=1MB", seed);
        let mut phases = vec![Phase::Startup];
        let mut left_in_flight = Vec::new();
        for at in 1..4000 {
            run.run(&mut world, ms(at));
            let recovery = recovery(&world, &run);
            let phase = recovery.controller().phase();
            if Some(&phase) != phases.last() {
                phases.push(phase);
                left_in_flight.push(recovery.in_flight_bytes());
            }
        }
        let expected = [
            Phase::Startup,
            Phase::Drain,
            Phase::ProbeDown,
            Phase::ProbeCruise,
            Phase::ProbeRefill,
        ];
        assert_eq!(phases[..5], expected, "seed {seed}: {phases:?}");
        // 62,500 bytes are on their way when the line is full and the queue empty.
        assert!(left_in_flight[0] > 110_000, "seed {seed}: {left_in_flight:?}");
        assert!(left_in_flight[1] < 70_000, "seed {seed}: {left_in_flight:?}");
        assert!(left_in_flight[2] < 66_000, "seed {seed}: {left_in_flight:?}");
        // The last sample, whatever is being probed then: within five in a hundred.
        let measured = recovery(&world, &run).delivery_rate().unwrap().bytes_per_second;
        assert!((1_187_500..=1_312_500).contains(&measured), "seed {seed}: {measured}");
    }
}

/// The first time, in milliseconds, at which the flow is in this phase.
fn first(network: &str, algorithm: Algorithm, phase: Phase) -> u64 {
    let (mut world, mut run) = flow_of(algorithm, network, 1);
    let phase_at = |at: &u64| {
        run.run(&mut world, ms(*at));
        recovery(&world, &run).controller().phase() == phase
    };
    (1..10_000).find(phase_at).expect("never in that phase")
}

/// A.4: the path becomes ten times as slow when draining has begun, and so the queue does not empty.
/// After three rounds that is no longer waited for.
#[test]
fn draining_ends_after_three_rounds() {
    // A queue without end: what is too much waits, and nothing is lost.
    let path = "delay=25ms,queue=20MB";
    let begins = first(&format!("{path},rate=50mbit"), Algorithm::Bbr, Phase::Drain);
    let network = format!("{path},rate=50mbit:5mbit@{begins}ms");
    let (mut world, mut run) = flow(&network, 1);
    run.run(&mut world, ms(begins));
    assert_eq!(recovery(&world, &run).controller().phase(), Phase::Drain);
    // What is on its way when a round begins is what the next round trip has to deliver.
    let (mut rounds, mut at) = (0, begins);
    let mut next = delivered(&world, &run) + recovery(&world, &run).in_flight_bytes();
    while recovery(&world, &run).controller().phase() == Phase::Drain {
        at += 1;
        run.run(&mut world, ms(at));
        if delivered(&world, &run) >= next {
            rounds += 1;
            next = delivered(&world, &run) + recovery(&world, &run).in_flight_bytes();
        }
        assert!(rounds <= 5, "still draining after {rounds} rounds");
    }
    let left = recovery(&world, &run).in_flight_bytes();
    println!("{rounds} rounds and {} ms, {left} bytes in flight", at - begins);
    // A round may have been under way, and it is found to be too many when the next begins.
    assert!((2..=4).contains(&rounds), "{rounds} rounds");
    assert!(left > 312_500, "{left} in flight: the queue is empty, which is not what is tried");
    assert_eq!(recovery(&world, &run).controller().phase(), Phase::ProbeDown);
}

/// A.8: what is in flight does not come down, since the path has become ten times as slow. When the
/// time to probe has come, the down phase ends in a probe, not in cruising. In lossy-link mode, since
/// otherwise somebody else would be suspected of filling the queue.
#[test]
fn the_down_phase_ends_when_the_time_to_probe_has_come() {
    let path = "delay=25ms,queue=20MB";
    let lossy = Algorithm::BbrLossyLink;
    let begins = first(&format!("{path},rate=50mbit"), lossy, Phase::ProbeDown);
    let (mut world, mut run) = flow_of(lossy, &format!("{path},rate=50mbit:5mbit@{begins}ms"), 1);
    let mut phases = vec![(begins, Phase::ProbeDown)];
    for at in begins..begins + 3_500 {
        run.run(&mut world, ms(at));
        let phase = recovery(&world, &run).controller().phase();
        if phases.last().is_some_and(|&(_, last)| last != phase) {
            phases.push((at, phase));
        }
        if phase == Phase::ProbeDown {
            assert!(recovery(&world, &run).in_flight_bytes() > 200_000 || at < begins + 50);
        }
    }
    println!("{phases:?}");
    let [(began, _), (ended, next), ..] = phases[..] else { panic!("for ever: {phases:?}") };
    assert_eq!(next, Phase::ProbeRefill, "{phases:?}");
    assert!((2_000..=3_010).contains(&(ended - began)), "{phases:?}");
}

/// A.11 and A.12: ACKs that come in bunches neither end startup early nor stop the flow between them.
#[test]
fn a_path_that_delivers_in_bunches_is_filled() {
    for bunch in [5, 10, 20] {
        let network = format!("delay=20ms,rate=20mbit,queue=200kB,down.bunch={bunch}ms");
        let (mut world, mut run) = flow(&network, bunch);
        let rate = rate(&mut world, &mut run, ms(1_500), ms(10_000));
        assert!(rate > 18.0e6, "bunches of {bunch} ms: {rate}");
        let sent = recovery(&world, &run).stats();
        assert!(sent.lost_packets * 20 < sent.sent_packets, "{sent:?}");
    }
}

/// A.13: a path that holds less than a packet still gets its four.
#[test]
fn a_path_that_holds_less_than_a_packet_is_filled() {
    let (mut world, mut run) = flow("delay=2ms,rate=500kbit,queue=20kB", 1);
    let rate = rate(&mut world, &mut run, ms(5_000), ms(30_000));
    assert!(rate > 450e3, "{rate}");
    let recovery = recovery(&world, &run);
    let packet = recovery.pmtud().proven_bytes() as u64;
    let window = recovery.controller().window();
    assert!((4 * packet..=20 * packet).contains(&window), "{window}");
    let pace = recovery.controller().pacing_rate().unwrap() * 8;
    assert!((300_000..=700_000).contains(&pace), "{pace}");
}

/// A.14: ten times the bandwidth is found by probes that double.
#[test]
fn ten_times_the_bandwidth_is_found() {
    for seed in 0..3 {
        let network = "delay=25ms,rate=10mbit:100mbit@10s,queue=500kB";
        let (mut world, mut run) = flow(network, seed);
        assert!(rate(&mut world, &mut run, ms(2_000), ms(10_000)) > 9.0e6);
        let rate = rate(&mut world, &mut run, ms(20_000), ms(25_000));
        assert!(rate > 90e6, "seed {seed}: {rate}");
    }
}

/// A.15: of ten times the bandwidth nothing is left after two cycles.
#[test]
fn a_tenth_of_the_bandwidth_is_accepted() {
    for seed in 0..3 {
        let network = "delay=25ms,rate=100mbit:10mbit@5s,queue=100kB";
        let (mut world, mut run) = flow(network, seed);
        assert!(rate(&mut world, &mut run, ms(2_000), ms(5_000)) > 90e6);
        run.run(&mut world, ms(13_000));
        let before = *recovery(&world, &run).stats();
        let rate = rate(&mut world, &mut run, ms(13_000), ms(18_000));
        assert!(rate > 9.0e6, "seed {seed}: {rate}");
        let after = *recovery(&world, &run).stats();
        let (sent, lost) =
            (after.sent_packets - before.sent_packets, after.lost_packets - before.lost_packets);
        assert!(lost * 20 < sent, "seed {seed}: {lost} of {sent} lost");
        let pace = recovery(&world, &run).controller().pacing_rate().unwrap() * 8;
        assert!(pace < 14_000_000, "seed {seed}: {pace}");
    }
}

/// A.16: a policer drops what goes beyond its rate, with hardly a queue to see it coming.
#[test]
fn a_policer_is_obeyed() {
    let (mut world, mut run) = flow("delay=25ms,rate=20mbit,queue=15kB", 1);
    let rate = rate(&mut world, &mut run, ms(3_000), ms(20_000));
    assert!(rate > 17.0e6, "{rate}");
    let stats = recovery(&world, &run).stats();
    assert!(stats.lost_packets * 20 < stats.sent_packets, "{stats:?}");
}

/// Losses that come by chance are repaired while the flow goes on: not even what the sender may hold
/// keeps it up, though nothing behind a lost packet is let go before that has arrived.
#[test]
fn five_per_cent_of_loss_cost_little_more_than_they_take() {
    for seed in 0..2 {
        let network = "loss=5%,delay=25ms,rate=100mbit,queue=625kB";
        let (mut world, mut run) = flow(network, seed);
        let rate = rate(&mut world, &mut run, ms(2_000), ms(10_000));
        assert!(rate > 84e6, "seed {seed}: {rate}");
    }
}
