//! Twenty thousand seeds of the production transport: every invariant after every step, and every
//! class of faults and hazards hit. Beside it the proof that it would notice: hosts that are wrong in
//! one way each, which the same swarm finds.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

mod bent;
mod teeth;

use std::{
    env,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use rdtp::sim::swarm::{
    Fault,
    transport::{Hazard, Swarm, Tally},
};

/// Seeds of the campaign; those of the README.
const SEEDS: u64 = 20_000;

/// Runs all seeds on both cores; the sums depend on no order.
fn campaign(first: u64, seeds: u64) -> Tally {
    let (next, sum) = (AtomicU64::new(first), Mutex::new(Tally::default()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let swarm = Swarm::of_hosts();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds {
                        return;
                    }
                    let tally = swarm.run_seed(seed, &mut ()).unwrap_or_else(|failure| {
                        panic!("{failure}\nreplay: rdtp swarm transport --replay {seed}")
                    });
                    sum.lock().unwrap().add(&tally);
                }
            });
        }
    });
    sum.into_inner().unwrap()
}

#[test]
fn twenty_thousand_seeds_hold_every_invariant_and_hit_every_fault() {
    let number = |name: &str| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = number("SWARM_SEEDS").unwrap_or(SEEDS);
    let total = campaign(number("SWARM_FROM").unwrap_or(0), seeds);
    println!("{total:?}");
    assert_eq!(total.runs, seeds);
    if seeds < SEEDS {
        return;
    }
    assert_eq!(total.untouched().collect::<Vec<_>>(), [""; 0], "everything hit something");
    for fault in Fault::ALL {
        let count = total.fault(fault);
        assert!(count.runs > seeds / 20 && count.hits > 1_000, "{fault}: {count:?}");
    }
    for hazard in Hazard::ALL {
        let count = total.hazard(hazard);
        assert!(count.runs > seeds / 50, "{hazard}: {count:?}");
    }
    assert!(total.repeated > seeds / 100);
}

/// A seed that once failed.
fn holds(seed: u64) {
    let tally = Swarm::of_hosts().run_seed(seed, &mut ());
    tally.unwrap_or_else(|failure| panic!("{failure}"));
}

/// An open of 3.8 kB took 38 s to leave a line of 800 bit/s, long after the path had died and everything
/// was over; what it began then was taken for something that never ends.
#[test]
fn what_a_dead_path_still_holds_may_come_late() {
    holds(4_011_151);
}

/// A peer that read slowly allowed one stream. The application waited for leave to open the next, and
/// the connection fell silent and ended: `tests/transport/found.rs` has it without chance.
#[test]
fn who_waits_to_open_a_stream_waits_for_as_long_as_it_takes() {
    holds(3_009_650);
}

/// An open with a ticket was on its way when its opener lost its state: what it says is heard, and once.
#[test]
fn an_open_outlives_its_opener() {
    holds(4_022_019);
}

/// A peer moved, and an old copy of its open came after that, from where it had been: one name of the
/// peer then belongs to two connections, wherever it is.
#[test]
fn a_moved_opener_is_one_name_at_two_addresses() {
    holds(4_047_410);
}

/// All was delivered, then nobody had anything to say for longer than the peer waits, and the
/// application was still reading what came first: it reads on after the end.
#[test]
fn who_reads_slowly_reads_on_after_a_silent_end() {
    holds(4_043_278);
}

/// A NAT gave the opener another address while packets of more than 33 bytes were lost: four challenges
/// went there in vain, and the next was due 16 s after the first.
#[test]
fn a_peer_that_moved_in_bad_times_is_found_when_they_are_over() {
    holds(4_051_856);
}

/// An acceptor closed before its opener heard of it, nothing of which came through. A later open began
/// a second connection, to which nothing was delivered that the first had.
#[test]
fn an_acceptor_that_was_never_heard_of_has_a_successor() {
    holds(4_047_553);
}
