//! Failures that were found once and must not come back, each under the name of what went wrong.
//!
//! How a failing seed becomes a test here:
//!
//! 1. Every random run prints what it takes to run it again: the simulator and the program their
//!    seed, a proptest its minimal input.
//! 2. Run it again with an observer that prints (`Watch(|record| println!("{record}"))`), and make
//!    it smaller: fewer messages, fewer faults, one protocol, until each step is needed.
//! 3. Write those steps here, by hand or as a `Transfer` with that seed, and name the test after
//!    what should have happened. Say in a comment what happened instead and who found it.
//! 4. See it fail, mend the code, see it pass.
//!
//! A seed alone is a weak test, since any change to the order of random draws turns it into another
//! run. `five_messages_at_20_percent_loss` therefore pins one whole run on purpose: when it changes,
//! recorded seeds have lost their meaning, and the change log must say so.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use core::{net::SocketAddr, time::Duration};

use rdtp::{
    app::lab::{Server, ServerConfig, ServerEvent},
    batch::Batch,
    classic::{Classic, Config, Protocol, Timeout, gbn::GoBackN, rdt10::Rdt10, rdt21::Rdt21},
    endpoint::{Endpoint, RecvMeta},
    seq::Modulus,
    sim::{Transfer, Verdict},
    time::Instant,
};

const PEERS: [SocketAddr; 2] = [
    SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 1)), 7),
    SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, 2)), 7),
];

/// All datagrams that an endpoint wants sent now.
fn drain<P: Protocol>(endpoint: &mut Classic<P>, now: Instant) -> Vec<Vec<u8>> {
    let (mut space, mut datagrams) = ([0; 2048], Vec::new());
    loop {
        let mut batch = Batch::new(&mut space);
        if endpoint.poll_transmit(now, &mut batch).is_none() {
            return datagrams;
        }
        datagrams.extend(batch.segments().map(<[u8]>::to_vec));
    }
}

/// The deadline said nothing of messages that could go out as soon as the driver had made room, so
/// that a driver which polls once whenever something is due waited for ever. Found by
/// `deadlines_and_datagrams_are_enough` of the contract.
#[test]
fn a_message_that_can_go_out_is_due() {
    let mut sender =
        Classic::new(&Rdt10, Config { outbox_packets_max: 1, ..Config::default() }, PEERS[1])
            .unwrap();
    (0..3).for_each(|_| sender.send(Instant::ZERO, b"message").unwrap());
    let (mut space, mut sent) = ([0; 100], 0);
    while sender.poll_timeout().is_some_and(|due| due <= Instant::ZERO) {
        let mut batch = Batch::with_segments_max(&mut space, 1);
        sent += usize::from(sender.poll_transmit(Instant::ZERO, &mut batch).is_some());
        while sender.poll_event().is_some() {}
    }
    assert_eq!(sent, 3);
}

/// Data that waited for the driver counted against the limit of feedback: with a limit below the
/// window, two sides that went back N at the same time dropped all their ACKs, and went back again.
/// Found by `a_transmit_may_be_kept_or_dropped` of the contract.
#[test]
fn a_side_that_repeats_its_window_still_acknowledges() {
    let protocol = GoBackN::new(32, Modulus::NEVER).unwrap();
    let rto = Duration::from_millis(30);
    let config =
        Config { timeout: Timeout::Fixed(rto), outbox_packets_max: 8, ..Config::default() };
    let mut alice = Classic::new(&protocol, config, PEERS[1]).unwrap();
    let mut bob = Classic::new(&protocol, config, PEERS[0]).unwrap();
    for end in [&mut alice, &mut bob] {
        (0..32).for_each(|_| end.send(Instant::ZERO, b"message").unwrap());
        assert_eq!(drain(end, Instant::ZERO).len(), 32, "all of them lost");
        end.handle_timeout(Instant::ZERO + rto);
    }
    let now = Instant::ZERO + rto;
    let from_alice = drain(&mut alice, now);
    let _ = bob.handle_datagram(now, RecvMeta::from(PEERS[0]), &from_alice[0]);
    assert_eq!(drain(&mut bob, now).len(), 32 + 1, "its window again, and an ACK");
    assert_eq!(bob.stats().feedback_dropped, 0);
}

/// After a long silence the server put its report off to a time that had already come, so that its
/// deadline was in the past with nothing to poll. Found by `the_same_calls_give_the_same_bytes` of
/// the contract.
#[test]
fn an_idle_client_is_reported_in_one_step() {
    let mut server = Server::new(Rdt21, ServerConfig::default());
    let _ = server.handle_datagram(Instant::ZERO, RecvMeta::from(PEERS[0]), b"noise");
    while server.poll_event().is_some() {}
    let mut space = [0; 100];
    while server.poll_transmit(Instant::ZERO, &mut Batch::new(&mut space)).is_some() {}
    server.handle_timeout(Instant::ZERO + Duration::from_hours(1));
    let quiet = ServerEvent::Quiet { peer: PEERS[0], complete: false };
    assert_eq!(server.poll_event(), Some(quiet));
    assert_eq!(server.poll_timeout(), None);
}

/// At the end of time a timer that starts over expires at once, for time saturates there, so that
/// `handle_timeout` never returned. Found by `the_same_calls_give_the_same_bytes` of the contract,
/// whose clock had jumped by centuries.
#[test]
fn the_end_of_time_does_not_last_for_ever() {
    let mut sender = Classic::new(
        &GoBackN::new(4, Modulus::NEVER).unwrap(),
        Config { attempts_max: None, ..Config::default() },
        PEERS[1],
    )
    .unwrap();
    sender.send(Instant::ZERO, b"message").unwrap();
    drain(&mut sender, Instant::ZERO);
    sender.handle_timeout(Instant::MAX);
    assert_eq!(drain(&mut sender, Instant::MAX).len(), 1, "once more, and then no more");
    assert_eq!(sender.poll_timeout(), None);
}

/// The run that pins what a seed means: S0's five messages at 20 % loss.
#[test]
fn five_messages_at_20_percent_loss() {
    let messages: Vec<_> = (1..=5).map(|n| format!("12: /S MENSAGEM {n}").into_bytes()).collect();
    let timeout = Timeout::Fixed(Duration::from_millis(100));
    let transfer = Transfer::new(messages)
        .over("loss=20%,delay=25ms".parse().unwrap())
        .config(Config { timeout, ..Config::default() })
        .seed(2);
    for (name, datagrams, resent, elapsed) in
        [("rdt3.0", 13, 3, 525), ("gbn", 15, 4, 125), ("sr", 13, 3, 125)]
    {
        let report = transfer.run(name.parse().unwrap(), &mut ()).unwrap();
        assert_eq!(report.verdict, Verdict::Intact, "{name}");
        let seen = (report.datagrams, report.sender.data_resent, report.elapsed.as_millis());
        assert_eq!(seen, (datagrams, resent, elapsed), "{name}");
    }
}
