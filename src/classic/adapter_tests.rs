//! The adapter, called by hand.

use super::*;
use crate::{
    channel::Channel,
    classic::{
        Adaptive, Datum, Fields, Timeout,
        gbn::GoBackN,
        rdt10::{self, Rdt10},
        rdt20::{self, Rdt20},
        rdt21::Rdt21,
        rdt22::Rdt22,
        rdt30::StopAndWait,
        sr::SelectiveRepeat,
    },
    seq::Modulus,
    wire::Codec,
};
use alloc::{
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::time::Duration;

const RTO: Duration = Duration::from_millis(100);

fn peer() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 2], 7))
}

fn sender<P: Protocol>(protocol: &P) -> Classic<P> {
    let config = Config {
        role: Role::Sender,
        timeout: Timeout::Fixed(RTO),
        attempts_max: Some(3),
        ..Config::default()
    };
    Classic::new(protocol, config, peer()).unwrap()
}

/// The numbers of the packets that leave now.
fn sent<P: Protocol>(end: &mut Classic<P>, now: Instant) -> Vec<u64> {
    let (mut space, mut scratch, mut numbers) = ([0; 2000], Scratch::default(), Vec::new());
    loop {
        let mut batch = Batch::new(&mut space);
        if end.poll_transmit(now, &mut batch).is_none() {
            return numbers;
        }
        let mut decode = |bytes| Codec::default().decode(bytes, &mut scratch).unwrap().seq;
        numbers.extend(batch.segments().map(&mut decode));
    }
}

/// A datagram of the default format.
fn datagram(kind: Kind, seq: u64, payload: &[u8]) -> Vec<u8> {
    let frame = Frame { kind, seq, payload };
    let mut datagram = vec![0; Codec::default().encoded_len(&frame)];
    Codec::default().encode(&frame, &mut datagram);
    datagram
}

fn arrive<P: Protocol>(end: &mut Classic<P>, now: Instant, datagram: &[u8]) -> Disposition {
    end.handle_datagram(now, RecvMeta::from(peer()), datagram)
}

fn ack<P: Protocol>(end: &mut Classic<P>, now: Instant, seq: u64) {
    let _ = arrive(end, now, &datagram(Kind::Ack, seq, &[]));
    while end.poll_event().is_some() {}
}

fn at(millis: u64) -> Instant {
    Instant::ZERO + Duration::from_millis(millis)
}

fn window(packets: u64) -> GoBackN {
    GoBackN::new(packets, Modulus::NEVER).unwrap()
}

fn duplex<P: Protocol>(protocol: &P) -> Classic<P> {
    let config = Config { timeout: Timeout::Fixed(RTO), ..Config::default() };
    let mut end = Classic::new(protocol, config, peer()).unwrap();
    end.set_tracing(true);
    end
}

/// What was traced since the last call, in words.
fn told<P: Protocol>(end: &mut Classic<P>) -> Vec<String> {
    core::iter::from_fn(|| end.poll_trace()).map(|event| event.to_string()).collect()
}

fn events<P: Protocol>(end: &mut Classic<P>) -> Vec<Event> {
    core::iter::from_fn(|| end.poll_event()).collect()
}

#[test]
fn stalled_is_who_waits_without_a_timer() {
    let now = Instant::ZERO;
    let mut without = sender(&Rdt22);
    assert!(without.is_idle() && !without.is_stalled(), "nothing is to be done");
    without.send(now, b"a").unwrap();
    assert!(!without.is_idle() && !without.is_stalled(), "the packet has not left");
    assert_eq!(sent(&mut without, now), [0]);
    assert!(!without.is_idle() && without.is_stalled(), "nobody repeats what is lost now");
    ack(&mut without, now, 0);
    assert!(without.is_idle() && !without.is_stalled());

    let mut with = sender(&StopAndWait::RDT30);
    with.send(now, b"a").unwrap();
    assert_eq!(sent(&mut with, now), [0]);
    assert!(!with.is_idle() && !with.is_stalled(), "its timer runs");
}

#[test]
fn a_role_runs_its_machine() {
    for (role, sends, receives) in
        [(Role::Sender, true, false), (Role::Receiver, false, true), (Role::Duplex, true, true)]
    {
        let config = Config { role, ..Config::default() };
        let end = Classic::new(&Rdt22, config, peer()).unwrap();
        assert_eq!((end.sender().is_some(), end.receiver().is_some()), (sends, receives));
        assert_eq!(end.queue_room() > 0, sends);
    }
}

/// Go-back-N gives up after three timeouts in a row without a confirmation, not three in all.
#[test]
fn a_confirmation_counts_the_attempts_anew() {
    let mut end = sender(&window(2));
    let mut now = Instant::ZERO;
    for message in [b"a", b"b", b"c"] {
        end.send(now, message).unwrap();
    }
    assert_eq!(sent(&mut end, now), [0, 1]);
    let mut time_out = |end: &mut Classic<GoBackN>| {
        now = end.poll_timeout().unwrap().max(now);
        end.handle_timeout(now);
        now
    };
    for base in [0, 1] {
        for _ in 0..2 {
            let now = time_out(&mut end);
            assert_eq!(sent(&mut end, now), [base, base + 1]);
        }
        if base == 0 {
            let now = end.now;
            ack(&mut end, now, 0);
            assert_eq!(sent(&mut end, now), [2], "the window moved");
        }
    }
    assert!(!end.is_closed());
    time_out(&mut end);
    assert!(end.is_closed(), "the third without a confirmation");
}

/// After a confirmation the timer runs for the next packet, from when that one left.
#[test]
fn a_restarted_timer_counts_from_when_its_packet_left() {
    let mut end = sender(&window(2));
    for (now, message) in [(at(0), b"a"), (at(10), b"b")] {
        end.send(now, message).unwrap();
        assert_eq!(sent(&mut end, now).len(), 1);
    }
    ack(&mut end, at(50), 0);
    assert_eq!(end.poll_timeout(), Some(at(10) + RTO));
}

/// However often a packet is to be sent again, it waits in line once.
#[test]
fn a_packet_waits_in_line_once() {
    let mut end = sender(&window(2));
    for message in [b"a", b"b"] {
        end.send(Instant::ZERO, message).unwrap();
    }
    assert_eq!(sent(&mut end, Instant::ZERO), [0, 1]);
    // The second timeout comes after twice the time.
    let late = Instant::ZERO + 4 * RTO;
    end.handle_timeout(Instant::ZERO + RTO);
    end.handle_timeout(late);
    assert_eq!(end.stats().timeouts, 2);
    assert_eq!(sent(&mut end, late), [0, 1]);
    assert_eq!(sent(&mut end, late), []);
}

/// Copies that wait in line when their confirmation comes do not leave any more.
#[test]
fn what_is_confirmed_is_not_sent_again() {
    let mut end = sender(&window(3));
    for message in [b"a", b"b", b"c"] {
        end.send(Instant::ZERO, message).unwrap();
    }
    assert_eq!(sent(&mut end, Instant::ZERO), [0, 1, 2]);
    let late = Instant::ZERO + RTO;
    end.handle_timeout(late);
    ack(&mut end, late, 1);
    assert_eq!(sent(&mut end, late), [2]);
    assert_eq!(end.unacked(), 1);
}

/// Each limit and each end of a conversation refuses with its own reason.
#[test]
fn send_says_why_it_takes_nothing() {
    let config = Config { queue_messages_max: 2, attempts_max: Some(1), ..Config::default() };
    let mut end = Classic::new(&window(1), config, peer()).unwrap();
    assert_eq!(end.queue_room(), 2);
    let max = Codec::default().payload_max();
    let long = vec![0; max + 1];
    assert_eq!(end.send(at(0), &long), Err(SendError::Size { len: max + 1, max }));
    for (room, unacked) in [(2, 1), (1, 2), (0, 3)] {
        assert_eq!(end.send(at(0), b"x"), Ok(()), "one is in the window, two wait");
        assert_eq!((end.queue_room(), end.unacked()), (room, unacked));
    }
    assert_eq!(end.send(at(0), b"x"), Err(SendError::QueueFull));
    assert_eq!(end.stats().messages_sent, 3, "what was refused is not counted");
    ack(&mut end, at(1), 0);
    assert_eq!((end.queue_room(), end.unacked()), (1, 2), "the next moved up");

    assert_eq!(sent(&mut end, at(1)), [1]);
    let late = end.poll_timeout().unwrap();
    end.handle_timeout(late);
    assert_eq!(events(&mut end), [Event::GaveUp { attempts: 1 }]);
    assert_eq!(end.send(late, b"x"), Err(SendError::Closed));
    assert_eq!((end.queue_room(), end.is_closed()), (0, true));

    let config = Config { role: Role::Receiver, ..Config::default() };
    let mut receiver = Classic::new(&window(1), config, peer()).unwrap();
    assert_eq!(receiver.send(at(0), b"x"), Err(SendError::ReceiverOnly));
}

/// What waits, and where, of a sender with two messages on their way and two behind them.
#[test]
fn load_says_what_waits_where() {
    let mut end = duplex(&window(2));
    assert_eq!(end.load(), Load::default());
    for message in [b"a", b"b", b"c", b"d"] {
        end.send(at(0), message).unwrap();
    }
    let first = Load { queued: 3, in_window: 1, data_waiting: 1, timers: 1, ..Load::default() };
    assert_eq!(end.load(), first, "the second waits until the first has left");
    assert_eq!(sent(&mut end, at(0)), [0, 1]);
    assert_eq!(end.load(), Load { queued: 2, in_window: 2, data_waiting: 0, ..first });
    for seq in [0, 1] {
        let _ = arrive(&mut end, at(1), &datagram(Kind::Data, seq, b"in"));
    }
    let both = Load { queued: 2, in_window: 2, feedback_waiting: 2, inbox: 2, timers: 1, ..first };
    assert_eq!(end.load(), Load { data_waiting: 0, ..both });
    end.handle_timeout(at(100));
    assert_eq!(end.load(), Load { data_waiting: 2, ..both }, "beside two ACKs");
    assert_eq!(sent(&mut end, at(100)), [0, 1, 0, 1], "two ACKs and two packets");
    assert_eq!(end.load(), Load { data_waiting: 0, feedback_waiting: 0, ..both });
}

/// A datagram is only as large as the driver's batch.
#[test]
fn what_does_not_fit_the_batch_stays_in_line() {
    let mut end = duplex(&window(3));
    for message in [b"a", b"b", b"c"] {
        end.send(at(0), message).unwrap();
    }
    let _ = arrive(&mut end, at(0), &datagram(Kind::Data, 0, b"in"));
    let mut left = Vec::new();
    for _ in 0..4 {
        let mut space = [0; 20];
        let mut batch = Batch::with_segments_max(&mut space, 1);
        let transmit = end.poll_transmit(at(0), &mut batch).unwrap();
        assert_eq!((transmit.destination, transmit.size), (peer(), batch.len()));
        let mut scratch = Scratch::default();
        let frame = Codec::default().decode(batch.as_bytes(), &mut scratch).unwrap();
        left.push((frame.kind, frame.seq));
    }
    assert_eq!(left, [(Kind::Data, 0), (Kind::Ack, 0), (Kind::Data, 1), (Kind::Data, 2)]);
    assert_eq!(sent(&mut end, at(0)), []);
}

/// An endpoint with feedback to send is not done, though nothing of its own is on its way.
#[test]
fn waiting_feedback_is_work() {
    let mut end = duplex(&window(1));
    let _ = arrive(&mut end, at(3), &datagram(Kind::Data, 0, b"in"));
    assert_eq!(events(&mut end).len(), 1);
    assert!(!end.is_idle() && !end.is_stalled());
    assert_eq!(end.poll_timeout(), Some(at(3)), "due at once");
    assert_eq!(sent(&mut end, at(3)), [0]);
    assert!(end.is_idle());
    assert_eq!(end.poll_timeout(), None);
}

/// Feedback beyond its limit goes, data does not count.
#[test]
fn feedback_has_a_limit() {
    let config = Config { outbox_packets_max: 2, ..Config::default() };
    let mut end = Classic::new(&window(2), config, peer()).unwrap();
    end.send(at(0), b"a").unwrap();
    for seq in 0..4 {
        let _ = arrive(&mut end, at(0), &datagram(Kind::Data, seq, b"in"));
    }
    assert_eq!((end.load().feedback_waiting, end.stats().feedback_dropped), (2, 2));
    assert_eq!(sent(&mut end, at(0)), [0, 0, 1], "packet 0, ACK 0, ACK 1");
    assert_eq!(end.stats().feedback_sent, 2);
    let _ = arrive(&mut end, at(0), &datagram(Kind::Data, 4, b"in"));
    assert_eq!(sent(&mut end, at(0)), [4], "there is room again");
}

/// A window of two over a loss, event by event, and then every counter.
#[test]
fn a_loss_step_by_step() {
    let mut end = duplex(&window(2));
    for (now, message) in [(at(0), &b"one"[..]), (at(0), b"two"), (at(0), b"three")] {
        end.send(now, message).unwrap();
    }
    assert_eq!(sent(&mut end, at(10)), [0, 1]);
    assert_eq!(
        told(&mut end),
        [
            "message 0 from above, 3 bytes",
            "sender: send-first in Wait",
            "timer set to 0.100000",
            "message 1 from above, 3 bytes",
            "message 2 from above, 5 bytes",
            "send packet 0",
            "sender: send in Wait",
            "send packet 1",
        ]
    );
    assert_eq!(end.poll_timeout(), Some(at(110)), "from when packet 0 left");
    end.handle_timeout(at(109));
    assert_eq!(end.stats().timeouts, 0, "too early");
    end.handle_timeout(at(110));
    assert_eq!(
        told(&mut end),
        ["timer expired", "sender: timeout in Wait", "timer set to 0.210000"]
    );
    assert_eq!(sent(&mut end, at(120)), [0, 1]);
    assert_eq!(told(&mut end), ["resend packet 0, attempt 2", "resend packet 1, attempt 2"]);
    assert_eq!(end.poll_timeout(), Some(at(220)), "from when packet 0 left again");

    let cumulative = datagram(Kind::Ack, 1, &[]);
    assert_eq!(arrive(&mut end, at(130), &cumulative), Disposition::Accepted);
    assert_eq!(
        told(&mut end),
        [
            "ACK 1 arrives",
            "sender: acked-all in Wait",
            "timer stopped",
            "2 messages confirmed",
            "sender: send-first in Wait",
            "timer set to 0.230000",
        ]
    );
    assert_eq!(events(&mut end), [Event::Acknowledged { total: 2 }]);
    assert_eq!(sent(&mut end, at(130)), [2]);

    let refused = arrive(&mut end, at(140), &cumulative);
    assert!(matches!(refused, Disposition::Discarded(DropReason::Guard { .. })), "{refused:?}");
    assert_eq!(events(&mut end), [], "it confirms nothing");
    let _ = arrive(&mut end, at(150), &datagram(Kind::Ack, 2, &[]));
    assert_eq!(end.rtt().srtt(), Some(Duration::from_millis(20)), "packet 2 was sent once");
    assert_eq!(end.poll_timeout(), Some(at(150)), "a confirmation waits");
    assert_eq!(events(&mut end), [Event::Acknowledged { total: 3 }]);
    assert_eq!(end.poll_timeout(), None);
    let counted = Stats {
        messages_sent: 3,
        messages_acknowledged: 3,
        data_sent: 3,
        data_resent: 2,
        packets_received: 3,
        packets_discarded: 1,
        timeouts: 1,
        ..Stats::NONE
    };
    assert_eq!(end.stats(), &counted);
}

/// The receiving side, event by event, and then every counter.
#[test]
fn deliveries_step_by_step() {
    let config = Config { role: Role::Receiver, inbox_messages_max: 2, ..Config::default() };
    let mut end = Classic::new(&window(2), config, peer()).unwrap();
    end.set_tracing(true);
    let first = datagram(Kind::Data, 0, b"one");
    assert_eq!(arrive(&mut end, at(1), &first), Disposition::Accepted);
    assert_eq!(sent(&mut end, at(1)), [0]);
    assert_eq!(
        told(&mut end),
        [
            "packet 0 arrives",
            "receiver: deliver in Wait",
            "deliver message 0, 3 bytes",
            "send ACK 0"
        ]
    );
    let _ = arrive(&mut end, at(2), &datagram(Kind::Data, 1, b"two"));
    let third = datagram(Kind::Data, 2, b"three");
    let full = Disposition::Discarded(DropReason::InboxFull);
    assert_eq!(arrive(&mut end, at(3), &third), full, "two are not fetched");
    assert_eq!(end.poll_event(), Some(Event::Delivered(b"one"[..].into())));
    assert_eq!(arrive(&mut end, at(4), &third), Disposition::Accepted);
    let stray = arrive(&mut end, at(5), &datagram(Kind::Ack, 0, &[]));
    assert_eq!(stray, Disposition::Discarded(DropReason::NoReceiver));
    let stray = arrive(&mut end, at(5), &datagram(Kind::Nak, 0, &[]));
    assert_eq!(stray, Disposition::Discarded(DropReason::NoReceiver));
    let stranger = RecvMeta::from(SocketAddr::from(([10, 0, 0, 3], 7)));
    let unknown = end.handle_datagram(at(6), stranger, &third);
    assert_eq!(unknown, Disposition::Discarded(DropReason::UnknownPeer));
    assert_eq!(sent(&mut end, at(6)), [1, 2]);
    let counted = Stats {
        messages_delivered: 3,
        feedback_sent: 3,
        packets_received: 6,
        packets_discarded: 4,
        ..Stats::NONE
    };
    assert_eq!(end.stats(), &counted);
    assert_eq!(end.poll_timeout(), Some(at(6)), "deliveries wait");
    let two = [b"two".as_slice(), b"three"].map(|bytes| Event::Delivered(bytes.into()));
    assert_eq!(events(&mut end), two);
    assert_eq!(end.poll_timeout(), None);
}

#[test]
fn a_sender_refuses_data_and_whatever_comes_after_the_end() {
    let mut end = sender(&StopAndWait::RDT30);
    let data = datagram(Kind::Data, 0, b"in");
    assert_eq!(arrive(&mut end, at(0), &data), Disposition::Discarded(DropReason::NoReceiver));
    assert_eq!(arrive(&mut end, at(0), &data), Disposition::Discarded(DropReason::NoReceiver));
    end.send(at(0), b"a").unwrap();
    for attempts in 1..=3 {
        assert!(!end.is_closed());
        let now = end.now;
        assert_eq!(sent(&mut end, now), [0], "attempt {attempts}");
        end.handle_timeout(end.poll_timeout().unwrap());
    }
    let now = end.now;
    let late = arrive(&mut end, now, &datagram(Kind::Ack, 0, &[]));
    assert_eq!(late, Disposition::Discarded(DropReason::Closed));
    assert_eq!(end.stats().packets_discarded, 3);
    assert_eq!(end.poll_timeout(), Some(now), "the bad news waits");
    assert_eq!(events(&mut end), [Event::GaveUp { attempts: 3 }]);
    assert_eq!(end.poll_timeout(), None);
    assert_eq!(end.load(), Load { in_window: 1, ..Load::default() });
}

/// Selective repeat counts the attempts of each packet.
#[test]
fn a_packet_of_selective_repeat_has_attempts_of_its_own() {
    let mut end = sender(&SelectiveRepeat::new(2, Modulus::NEVER).unwrap());
    end.send(at(0), b"a").unwrap();
    assert_eq!(sent(&mut end, at(0)), [0]);
    end.send(at(50), b"b").unwrap();
    assert_eq!(sent(&mut end, at(50)), [1]);
    for (now, seq) in [(100, 0), (150, 1), (200, 0), (250, 1)] {
        assert_eq!(end.poll_timeout(), Some(at(now)));
        end.handle_timeout(at(now));
        assert_eq!(sent(&mut end, at(now)), [seq], "at {now} ms");
    }
    end.handle_timeout(at(300));
    assert_eq!(events(&mut end), [Event::GaveUp { attempts: 3 }]);
    assert_eq!((end.load().timers, end.poll_timeout()), (0, None), "the other timer is off too");
}

/// Damage goes to whoever it may have been meant for.
#[test]
fn damage_is_for_the_likely_machine() {
    let mut end = duplex(&Rdt20::default());
    end.send(at(0), b"a").unwrap();
    assert_eq!(sent(&mut end, at(0)), [0]);
    let steps = |end: &mut Classic<Rdt20>, datagram: &[u8]| {
        let outcome = arrive(end, at(1), datagram);
        assert!(matches!(outcome, Disposition::Discarded(DropReason::Damaged(_))), "{outcome:?}");
        let mut steps = told(end);
        steps.retain(|step| step.contains(": "));
        steps
    };
    let _ = told(&mut end);
    let to_receiver = "receiver: nak in Wait for call from below";
    let to_sender = "sender: garbled-resend in Wait for ACK or NAK";
    let mut hit = |mut bytes: Vec<u8>, at: usize, bits: u8| {
        bytes[at] ^= bits;
        let steps = steps(&mut end, &bytes);
        let arrives = "damaged packet of ";
        assert!(steps[0].starts_with(arrives), "{steps:?}");
        let last = steps.last().cloned();
        assert!(last.is_some_and(|last| last.starts_with("datagram ")), "{steps:?}");
        steps[1..steps.len() - 1].to_vec()
    };
    assert_eq!(hit(datagram(Kind::Data, 0, b"in"), 9, 1), [to_receiver]);
    assert_eq!(hit(datagram(Kind::Ack, 0, &[]), 6, 1), [to_sender]);
    assert_eq!(hit(datagram(Kind::Nak, 0, &[]), 6, 1), [to_sender]);
    let illegible = hit(datagram(Kind::Ack, 0, &[]), 1, 0x55);
    assert_eq!(illegible, [to_receiver, to_sender], "nobody knows what it was");
    assert_eq!(end.stats().packets_damaged, 4);
    assert_eq!(end.stats().packets_discarded, 0, "that counts intact packets");

    let mut alone = sender(&Rdt20::default());
    alone.send(at(0), b"a").unwrap();
    assert_eq!(sent(&mut alone, at(0)), [0]);
    let mut bytes = datagram(Kind::Data, 0, b"in");
    bytes[9] ^= 1;
    let _ = arrive(&mut alone, at(1), &bytes);
    assert_eq!(sent(&mut alone, at(1)), [0], "whatever it was, only the sender is here");

    let config = Config { role: Role::Receiver, ..Config::default() };
    let mut alone = Classic::new(&Rdt20::default(), config, peer()).unwrap();
    let mut bytes = datagram(Kind::Ack, 0, &[]);
    bytes[6] ^= 1;
    let _ = arrive(&mut alone, at(1), &bytes);
    assert_eq!(alone.load().feedback_waiting, 1, "only the receiver is here: a NAK");
}

/// rdt 2.0 numbers nothing, rdt 2.1 its data, rdt 2.2 everything: so their packets are named, and
/// only numbered feedback measures the round trip.
#[test]
fn numbers_are_named_where_there_are_any() {
    let mut end = duplex(&Rdt20::default());
    end.send(at(0), b"a").unwrap();
    assert_eq!(sent(&mut end, at(0)), [0]);
    let _ = arrive(&mut end, at(9), &datagram(Kind::Ack, 0, &[]));
    let _ = arrive(&mut end, at(9), &datagram(Kind::Data, 0, b"in"));
    assert_eq!(sent(&mut end, at(9)), [0]);
    let packets = |told: Vec<String>| -> Vec<String> {
        let about = |line: &String| line.ends_with(" arrives") || line.starts_with("send ");
        told.into_iter().filter(about).collect()
    };
    let unnumbered = ["send packet", "ACK arrives", "packet arrives", "send ACK"];
    assert_eq!(packets(told(&mut end)), unnumbered);
    assert_eq!(end.rtt().srtt(), None);

    let mut end = duplex(&Rdt21);
    let _ = arrive(&mut end, at(9), &datagram(Kind::Data, 0, b"in"));
    end.send(at(9), b"a").unwrap();
    assert_eq!(sent(&mut end, at(9)), [0, 0]);
    let _ = arrive(&mut end, at(9), &datagram(Kind::Ack, 0, &[]));
    let data_numbered = ["packet 0 arrives", "send ACK", "send packet 0", "ACK arrives"];
    assert_eq!(packets(told(&mut end)), data_numbered);

    let mut end = duplex(&Rdt22);
    end.send(at(0), b"a").unwrap();
    assert_eq!(sent(&mut end, at(0)), [0]);
    let _ = arrive(&mut end, at(9), &datagram(Kind::Ack, 0, &[]));
    let _ = arrive(&mut end, at(9), &datagram(Kind::Data, 0, b"in"));
    assert_eq!(sent(&mut end, at(9)), [0]);
    let told = told(&mut end);
    let measured = "round trip 9ms, SRTT 9ms, RTO 100ms";
    assert!(told.iter().any(|line| line == measured), "{told:?}");
    let numbered = ["send packet 0", "ACK 0 arrives", "packet 0 arrives", "send ACK 0"];
    assert_eq!(packets(told), numbered);
}

/// Two timers that run out together double the timeout once; a round trip takes that back.
#[test]
fn timers_that_expire_together_back_off_once() {
    let millis = Duration::from_millis;
    let limits = Adaptive { rto_initial: millis(100), rto_min: millis(10), rto_max: millis(9000) };
    let config = Config { timeout: Timeout::Adaptive(limits), ..Config::default() };
    let protocol = SelectiveRepeat::new(2, Modulus::NEVER).unwrap();
    let mut end = Classic::new(&protocol, config, peer()).unwrap();
    for message in [b"a", b"b", b"c"] {
        end.send(at(0), message).unwrap();
    }
    assert_eq!(sent(&mut end, at(0)), [0, 1]);
    end.handle_timeout(at(100));
    assert_eq!((end.stats().timeouts, end.rtt().rto()), (2, millis(200)));
    assert_eq!(sent(&mut end, at(100)), [0, 1]);
    end.handle_timeout(at(300));
    assert_eq!((end.stats().timeouts, end.rtt().rto()), (4, millis(400)));
    assert_eq!(sent(&mut end, at(300)), [0, 1]);
    ack(&mut end, at(310), 0);
    assert_eq!(end.rtt().rto(), millis(400), "of a packet sent thrice nothing is measured");
    assert_eq!(sent(&mut end, at(310)), [2]);
    ack(&mut end, at(330), 2);
    assert_eq!((end.rtt().srtt(), end.rtt().rto()), (Some(millis(20)), millis(60)));
}

/// When the next packet has not left yet, its timer counts from the confirmation at the earliest.
#[test]
fn a_timer_for_a_packet_in_line_counts_from_now() {
    let mut end = duplex(&window(3));
    for message in [b"a", b"b", b"c"] {
        end.send(at(0), message).unwrap();
    }
    assert_eq!(sent(&mut end, at(0)), [0, 1, 2]);
    end.handle_timeout(at(100));
    let _ = told(&mut end);
    let _ = arrive(&mut end, at(130), &datagram(Kind::Ack, 0, &[]));
    assert!(told(&mut end).contains(&"timer set to 0.230000".to_string()));
    let mut figure = {
        let config = Config {
            timeout: Timeout::Fixed(RTO),
            timer_start: TimerStart::SinceStart,
            ..Config::default()
        };
        Classic::new(&window(2), config, peer()).unwrap()
    };
    for message in [b"a", b"b"] {
        figure.send(at(0), message).unwrap();
    }
    assert_eq!(sent(&mut figure, at(0)), [0, 1]);
    ack(&mut figure, at(30), 0);
    assert_eq!(figure.poll_timeout(), Some(at(130)), "the book's figure: in full at every ACK");
}

/// Of two copies in line the older goes, wherever it stands, and no other packet does.
#[test]
fn the_older_copy_leaves_the_line() {
    let mut end = sender(&SelectiveRepeat::new(3, Modulus::NEVER).unwrap());
    for message in [b"a", b"b", b"c"] {
        end.send(at(0), message).unwrap();
    }
    assert_eq!(sent(&mut end, at(0)), [0, 1, 2]);
    end.handle_timeout(at(100));
    assert_eq!(end.load().data_waiting, 3);
    // A timer that runs out while its packet waits: the contract allows it.
    end.timers.start(Tag::Packet(1), at(150));
    end.handle_timeout(at(150));
    assert_eq!(sent(&mut end, at(150)), [0, 2, 1]);
}

/// Feedback in line is no older copy of data with its number.
#[test]
fn an_ack_in_line_is_no_copy_of_data() {
    let mut end = duplex(&window(1));
    end.send(at(0), b"a").unwrap();
    assert_eq!(sent(&mut end, at(0)), [0]);
    let _ = arrive(&mut end, at(1), &datagram(Kind::Data, 0, b"in"));
    end.handle_timeout(at(100));
    end.handle_timeout(at(200));
    let mut space = [0; 2000];
    let mut batch = Batch::new(&mut space);
    let _ = end.poll_transmit(at(200), &mut batch);
    assert_eq!(batch.count(), 1, "the ACK is shorter than the packet, a batch has equal segments");
    assert_eq!(end.load().data_waiting, 1);
    assert_eq!(sent(&mut end, at(200)), [0]);
}

/// rdt 1.0 believes at once that everything arrived.
#[test]
fn rdt_1_0_confirms_when_it_sends() {
    let config = Config { codec: Codec::Bare, ..Config::default() };
    let mut end = Classic::new(&Rdt10, config, peer()).unwrap();
    for total in 1..=2 {
        end.send(at(0), b"raw").unwrap();
        assert_eq!(events(&mut end).last(), Some(&Event::Acknowledged { total }));
        assert_eq!(end.unacked(), 0);
        assert!(!end.is_idle(), "it has not left");
        let mut space = [0; 2000];
        let mut batch = Batch::new(&mut space);
        assert!(end.poll_transmit(at(0), &mut batch).is_some());
        assert_eq!(batch.as_bytes(), b"raw");
        assert!(end.is_idle());
    }
    assert_eq!((end.stats().data_sent, end.stats().data_resent), (2, 0));
}

/// rdt 1.0 with a receiver that answers.
#[derive(Clone, Debug)]
struct Answering;

impl Protocol for Answering {
    const NAME: &'static str = "answering";
    const FIELDS: Fields = Rdt10::FIELDS;
    const TOLERATES: Channel = Channel::PERFECT;
    type Sender<D: Datum> = rdt10::Sender<D>;
    type Receiver<D: Datum> = rdt20::Receiver<D>;

    fn sender<D: Datum>(&self) -> rdt10::Sender<D> {
        Rdt10.sender()
    }
    fn receiver<D: Datum>(&self) -> rdt20::Receiver<D> {
        Rdt20::default().receiver()
    }
    fn modulus(&self) -> Modulus {
        Modulus::new(1)
    }
}

/// The bare format has no feedback: what a machine sends all the same is dropped, the rest leaves.
#[test]
fn what_the_format_cannot_carry_is_dropped() {
    let config = Config { codec: Codec::Bare, ..Config::default() };
    let mut end = Classic::new(&Answering, config, peer()).unwrap();
    let _ = arrive(&mut end, at(0), b"in");
    end.send(at(0), b"out").unwrap();
    assert_eq!(end.load().feedback_waiting, 1);
    let mut space = [0; 2000];
    let mut batch = Batch::new(&mut space);
    assert!(end.poll_transmit(at(0), &mut batch).is_some());
    assert_eq!(batch.as_bytes(), b"out");
    let counted = Stats {
        messages_sent: 1,
        messages_acknowledged: 1,
        messages_delivered: 1,
        data_sent: 1,
        packets_received: 1,
        ..Stats::NONE
    };
    assert_eq!(end.stats(), &counted);
    assert_eq!(end.load(), Load { inbox: 1, ..Load::default() });
}
