//! The link as a whole: rates, order, limits, and that one stage never moves another.

use super::*;
use alloc::{format, string::String, string::ToString, vec};
use core::time::Duration;
use proptest::prelude::*;

fn link(text: &str, seed: u64) -> Link<()> {
    Link::new(text.parse().unwrap(), Seed::new(seed))
}

fn at(micros: u64) -> Instant {
    Instant::from_nanos(micros * 1_000)
}

/// Odd bytes are feedback; a header of 4, a checksum of 2, the rest payload.
fn inspect(bytes: &[u8]) -> Anatomy {
    let kind = bytes.first().map(|byte| if byte % 2 == 1 { Kind::Ack } else { Kind::Data });
    Anatomy { kind, checksum: 4..6, payload: 6..bytes.len().max(6) }
}

/// Offers `count` datagrams of 100 bytes, one every `gap` microseconds, and drains the link.
fn run(link: &mut Link<()>, count: u64, gap: u64) -> Vec<(Instant, u64, u32)> {
    let mut arrivals = Vec::new();
    let mut drain = |link: &mut Link<()>, now| {
        while let Some(delivery) = link.poll_deliver(now) {
            arrivals.push((delivery.at, delivery.id, delivery.copy));
            link.recycle(delivery.bytes);
        }
    };
    for id in 0..count {
        link.offer(at(id * gap), &[u8::try_from(id % 256).unwrap(); 100], ());
        drain(link, at(id * gap));
    }
    drain(link, Instant::MAX);
    arrivals
}

fn fates(text: &str, seed: u64, count: u64) -> Vec<(u64, Fate)> {
    let mut link = link(text, seed).with_inspect(inspect);
    link.set_tracing(true);
    run(&mut link, count, 100);
    core::iter::from_fn(|| link.poll_fate()).collect()
}

fn with_fate(fates: &[(u64, Fate)], wanted: impl Fn(&Fate) -> bool) -> Vec<u64> {
    fates.iter().filter(|(_, fate)| wanted(fate)).map(|(id, _)| *id).collect()
}

fn is_lost(fate: &Fate) -> bool {
    *fate == Fate::Lost
}

#[test]
fn a_perfect_link_delivers_everything_at_once_and_in_order() {
    let arrivals = run(&mut link("perfect", 1), 1_000, 1);
    let expected: Vec<_> = (0..1_000).map(|id| (at(id), id, 0)).collect();
    assert_eq!(arrivals, expected);
}

#[test]
fn effective_rates_are_the_told_ones() {
    let text = "loss=20%,corrupt=10%:3,swap=4%,splice=3%,truncate=5%,extend=2%,dup=5%:2,replay=1%:4,\
                reorder=10%:3,delay=25ms±5ms";
    let mut link = link(text, 7);
    let arrivals = run(&mut link, 100_000, 100);
    let stats = link.stats().data;
    assert_eq!(arrivals.len() as u64, stats.delivered);
    let near = |part: u64, whole: u64, permille: u64| {
        // Within three standard deviations and a little.
        let (got, told) = (part * 1_000, whole * permille);
        assert!(got.abs_diff(told) < 4 * whole, "{part} of {whole}, told {permille} in 1000");
    };
    near(stats.lost, stats.offered, 200);
    near(stats.corrupted, stats.carried(), 100);
    near(stats.truncated, stats.carried(), 50);
    near(stats.extended, stats.carried(), 20);
    near(stats.replayed, stats.carried(), 10);
    // All its bytes are equal, so that only flipped bits can be moved and only others be joined.
    assert!(stats.swapped < stats.corrupted && stats.swapped > 0);
    near(stats.spliced, stats.carried(), 30);
    near(stats.duplicated, stats.carried(), 50);
    near(stats.held, stats.carried() + stats.copies, 100);
    assert_eq!(stats.bits_flipped, 3 * stats.corrupted);
    assert_eq!(stats.copies, 2 * stats.duplicated);
    assert_eq!(stats.delivered, stats.carried() + stats.copies + stats.replayed);
    assert_eq!((stats.outage, stats.queue_full, stats.link_full), (0, 0, 0));
    assert!(stats.depth_max > 3 && stats.depth_max <= 16, "{}", stats.depth_max);
    assert_eq!((link.in_flight(), link.bytes, link.poll_timeout()), (0, 0, None));
}

#[test]
fn one_stage_never_moves_the_draws_of_another() {
    let plain = fates("loss=20%", 3, 2_000);
    let lost = with_fate(&plain, is_lost);
    assert!(!lost.is_empty());
    let everything = "loss=20%,dup=30%:2,replay=9%,reorder=30%,corrupt=30%:5,swap=9%,splice=9%,\
                      truncate=9%,extend=9%,delay=9ms~2ms,ack.bunch=3ms,jitter=reorder";
    for other in [
        "loss=20%,dup=30%",
        "loss=20%,corrupt=50%:9",
        "loss=20%,delay=25ms±5ms",
        "loss=20%,reorder=50%:2",
        everything,
    ] {
        assert_eq!(with_fate(&fates(other, 3, 2_000), is_lost), lost, "{other}");
    }
    // And the other way round: what is lost was still drawn for.
    let is_hit = |fate: &Fate| matches!(fate, Fate::Corrupted { .. });
    let all_hits = with_fate(&fates("corrupt=30%", 3, 2_000), is_hit);
    let survivors = with_fate(&fates("corrupt=30%,loss=20%", 3, 2_000), is_hit);
    let expected: Vec<u64> =
        all_hits.into_iter().filter(|id| lost.binary_search(id).is_err()).collect();
    assert_eq!(survivors, expected);
}

#[test]
fn one_class_never_moves_the_draws_of_another() {
    let ids = |text| with_fate(&fates(text, 5, 2_000), is_lost);
    let data: Vec<u64> = ids("loss=20%").into_iter().filter(|id| id % 2 == 0).collect();
    assert_eq!(ids("data.loss=20%"), data);
    assert_eq!(ids("ack.loss=at:2"), [3], "feedback is every second datagram, from 1 on");
}

#[test]
fn ordinals_count_what_is_offered_even_when_the_queue_drops() {
    let mut link = link("loss=at:3,rate=8mbit,queue=0", 1);
    // 100 bytes take 100 us, so every second one meets a busy transmitter.
    run(&mut link, 6, 50);
    let stats = link.stats().data;
    assert_eq!((stats.queue_full, stats.lost, stats.delivered), (3, 1, 2));
}

#[test]
fn jitter_keeps_the_order_unless_it_is_told_not_to() {
    for delay in ["25ms±5ms", "25ms~5ms"] {
        let mut keeping = link(&format!("delay={delay},dup=10%"), 11);
        let arrivals = run(&mut keeping, 20_000, 100);
        assert!(arrivals.is_sorted_by_key(|(_, id, _)| *id));
        assert_eq!(keeping.stats().data.overtaken, 0);
        assert!(keeping.transit.next().is_none());

        let mut reordering = link(&format!("delay={delay},dup=10%,jitter=reorder"), 11);
        let arrivals = run(&mut reordering, 20_000, 100);
        assert!(arrivals.is_sorted_by_key(|(at, id, copy)| (*at, *id, *copy)));
        assert!(!arrivals.is_sorted_by_key(|(_, id, _)| *id));
        let stats = reordering.stats().data;
        let overtaken = (1..arrivals.len()).filter(|&here| {
            arrivals[..here].iter().rev().take(300).any(|b| b.1 > arrivals[here].1)
        });
        assert_eq!(stats.overtaken, overtaken.count() as u64);
        assert!(stats.depth_max > 10, "{}", stats.depth_max);
    }
}

#[test]
fn held_datagrams_are_overtaken_by_exactly_as_many_as_told() {
    let mut link = link("reorder=100%:2:1ms,delay=1ms", 1);
    let mut config = link.config().clone();
    link.offer(at(0), b"held", ());
    config.data.reorder = HoldBack::NONE;
    link.set_config(at(0), config);
    let mut order = Vec::new();
    for now in [0, 1, 2] {
        link.offer(at(now), b"free", ());
    }
    while let Some(delivery) = link.poll_deliver(at(5_000)) {
        order.push((delivery.at, delivery.id));
    }
    // 0 is held from 1000 us on, passed by 1 and 2, and goes before 3.
    assert_eq!(order, [(at(1_000), 1), (at(1_001), 2), (at(1_001), 0), (at(1_002), 3)]);
    assert_eq!((link.stats().data.overtaken, link.stats().data.depth_max), (1, 2));
}

#[test]
fn a_held_datagram_that_nobody_passes_leaves_at_its_deadline() {
    let mut link = link("reorder=100%:3:10ms,delay=1ms", 1);
    link.offer(at(0), b"alone", ());
    assert_eq!(link.poll_timeout(), Some(at(1_000)));
    assert!(link.poll_deliver(at(1_000)).is_none(), "it begins to be held");
    assert_eq!(link.poll_timeout(), Some(at(11_000)));
    assert!(link.poll_deliver(at(10_999)).is_none());
    assert_eq!(link.poll_deliver(at(20_000)).map(|delivery| delivery.at), Some(at(11_000)));
    assert_eq!(link.stats().data.overtaken, 0);
}

#[test]
fn the_rate_is_exact_and_the_queue_drops_the_tail() {
    // 100 bytes at 1 mbit take 800 us; offered every 400 us; ten wait.
    let mut link = link("rate=1mbit,queue=1000,delay=5ms", 1);
    let arrivals = run(&mut link, 1_000, 400);
    for pair in arrivals.windows(2) {
        assert_eq!(pair[1].0 - pair[0].0, Duration::from_micros(800));
    }
    assert_eq!(arrivals[0].0, at(5_800));
    // Half of them, and the eleven that the queue and the transmitter hold at the end.
    let stats = link.stats().data;
    assert_eq!(stats.delivered, 510);
    assert_eq!(stats.queue_full, 490);
    assert_eq!(link.busy_until(), at(510 * 800));
}

#[test]
fn what_is_offered_in_an_outage_is_lost_and_what_is_on_its_way_arrives() {
    let mut link = link("outage=1ms+1ms/10ms,delay=5ms", 1);
    let arrivals = run(&mut link, 100, 100);
    let down: Vec<u64> = (10..20).collect();
    let expected: Vec<u64> = (0..100).filter(|id| !down.contains(id)).collect();
    assert_eq!(arrivals.iter().map(|(_, id, _)| *id).collect::<Vec<_>>(), expected);
    assert_eq!(link.stats().data.outage, 10);

    link.set_config(at(50_000), "outage=1ms+1ms".parse().unwrap());
    for (now, lost) in [(50_999, 10), (51_000, 11), (51_999, 12), (52_000, 12)] {
        link.offer(at(now), b"x", ());
        assert_eq!(link.stats().data.outage, lost, "counted from the change on");
    }
}

#[test]
fn limits_on_what_is_held_are_kept_and_counted() {
    let mut link = link("delay=1s,dup=100%:3,limit=10:1MB", 1);
    for _ in 0..5 {
        link.offer(at(0), &[0; 100], ());
    }
    let stats = link.stats().data;
    assert_eq!((link.in_flight(), stats.copies, stats.link_full), (10, 9, 4));

    let mut link = self::link("delay=1s,limit=10:250", 1);
    for len in [100, 100, 51, 50, 1, 0] {
        link.offer(at(0), &[0; 100][..len], ());
    }
    assert_eq!((link.in_flight(), link.bytes, link.stats().data.link_full), (4, 250, 2));
}

#[test]
fn a_change_of_configuration_leaves_what_is_on_its_way_alone() {
    let mut link = link("delay=50ms", 1);
    link.offer(at(0), b"slow", ());
    link.set_config(at(1), "delay=1ms".parse().unwrap());
    link.offer(at(1), b"lines up", ());
    link.set_config(at(2), "delay=1ms,jitter=reorder".parse().unwrap());
    link.offer(at(2), b"fast", ());
    let arrivals: Vec<_> = core::iter::from_fn(|| link.poll_deliver(Instant::MAX))
        .map(|delivery| (delivery.at, delivery.id))
        .collect();
    assert_eq!(arrivals, [(at(1_002), 2), (at(50_000), 0), (at(50_000), 1)]);
}

#[test]
fn faults_follow_the_class_and_the_anatomy() {
    let text = "data.corrupt=100%:payload,ack.corrupt=100%:2:checksum";
    let mut link = link(text, 1).with_inspect(inspect);
    for byte in [0, 1] {
        link.offer(at(0), &[byte; 20], ());
    }
    let data = link.poll_deliver(at(0)).unwrap().bytes;
    let ack = link.poll_deliver(at(0)).unwrap().bytes;
    let flipped = |bytes: &[u8], was: u8| bytes.iter().map(|b| (b ^ was).count_ones()).sum::<u32>();
    assert_eq!((flipped(&data[..6], 0), flipped(&data[6..], 0)), (0, 1));
    assert_eq!((flipped(&ack[4..6], 1), flipped(&ack, 1)), (2, 2));
    assert_eq!((link.stats().data.corrupted, link.stats().ack.bits_flipped), (1, 2));
}

#[test]
fn buffers_go_round() {
    let mut link = link("delay=1ms,dup=100%", 1);
    run(&mut link, 10_000, 100);
    // Eleven are on their way at a time, each with its copy.
    assert!(link.pool.len() <= 22, "{}", link.pool.len());
}

#[test]
fn the_store_of_fates_is_bounded() {
    let mut link = link("loss=100%", 1);
    link.set_tracing(true);
    run(&mut link, Link::<()>::FATES_MAX as u64 + 1, 1);
    assert_eq!(link.poll_fate(), Some((1, Fate::Lost)));
    link.set_tracing(false);
    assert_eq!(link.poll_fate(), None);
}

/// If this moves, every seed anybody ever wrote down is worthless.
#[test]
fn golden_fates() {
    let text = "loss=20%,dup=10%,reorder=20%:2,corrupt=20%:3,truncate=5%,delay=1ms±1ms";
    let told = fates(text, 1, 16)
        .iter()
        .fold(String::new(), |text, (id, fate)| text + &format!("{id} {fate}; "));
    assert_eq!(told, GOLDEN);
}

const GOLDEN: &str = "1 lost; 3 duplicated; 5 corrupted in 3 bits; 5 cut to 67 bytes; \
    7 cut to 3 bytes; 8 cut to 41 bytes; 11 lost; 0 arrived; 2 arrived; 3 arrived; 3 arrived; \
    4 arrived; 5 arrived; 6 held until 2 others have passed; 7 arrived; 8 arrived; 6 arrived; \
    9 arrived; 10 arrived; 12 arrived; 13 arrived; 14 arrived; 15 arrived; ";

/// When each copy arrives, by the number of its datagram.
fn copies(text: &str) -> Vec<(u64, Instant)> {
    let mut link = link(text, 1);
    (0..8).for_each(|id| {
        link.offer(at(id), b"x", ());
    });
    let arrivals = core::iter::from_fn(|| link.poll_deliver(Instant::MAX));
    let copies = arrivals.filter(|delivery| delivery.copy == 1);
    copies.map(|delivery| (delivery.id, delivery.at)).collect()
}

#[test]
fn losing_one_datagram_never_moves_the_copies_of_others() {
    let told = "dup=100%,delay=25ms±5ms,jitter=reorder";
    let mut with = copies(told);
    let mut without = copies(&std::format!("{told},loss=at:1"));
    with.sort_unstable();
    without.sort_unstable();
    assert_eq!(with.len(), 8);
    assert_eq!(with[1..], without[..], "all but the copy of the one that was lost");
}

#[test]
fn golden_delays() {
    let mut link = link("delay=25ms~5ms,jitter=reorder", 1);
    for id in 0..4 {
        link.offer(at(id), b"x", ());
    }
    let arrivals = core::iter::from_fn(|| link.poll_deliver(Instant::MAX));
    let arrivals: Vec<_> = arrivals.map(|delivery| (delivery.id, delivery.at.as_nanos())).collect();
    assert_eq!(arrivals, [(3, 19_890_085), (2, 25_048_310), (1, 26_702_965), (0, 29_751_129)]);
}

fn faults() -> impl Strategy<Value = String> {
    let percent = 0..=100_u32;
    (percent.clone(), percent.clone(), 1..4_u32, percent.clone(), 1..6_u32, percent).prop_map(
        |(loss, dup, copies, hold, packets, corrupt)| {
            format!(
                "loss={loss}%,dup={dup}%:{copies},reorder={hold}%:{packets}:3ms,corrupt={corrupt}%"
            )
        },
    )
}

proptest! {
    /// Nothing is invented, nothing vanishes without a count, and how often the link is polled
    /// changes nothing.
    #[test]
    fn every_datagram_has_one_end_however_often_the_link_is_polled(
        faults in faults(),
        more in prop::sample::select(&[
            "", ",delay=2ms±2ms", ",delay=2ms~1ms,jitter=reorder", ",rate=1mbit,queue=500",
            ",limit=7", ",outage=1ms+1ms/3ms",
        ][..]),
        gaps in prop::collection::vec(0..2_000_u64, 1..60),
        seed: u64,
    ) {
        let text = faults + more;
        let mut often = link(&text, seed);
        let mut rarely = link(&text, seed);
        let (mut now, mut seen_often, mut seen_rarely) = (at(0), Vec::new(), Vec::new());
        for (index, gap) in gaps.iter().enumerate() {
            let end = now + Duration::from_micros(*gap);
            while let Some(due) = often.poll_timeout().filter(|due| *due <= end) {
                prop_assert!(due >= now, "time runs forwards");
                now = due;
                seen_often.extend(often.poll_deliver(due));
            }
            now = end;
            often.offer(now, &[7; 50], ());
            // The link's own limit is the one thing that depends on when it is emptied.
            if more.contains("limit") || index % 7 == 0 {
                seen_rarely.extend(core::iter::from_fn(|| rarely.poll_deliver(now)));
            }
            rarely.offer(now, &[7; 50], ());
        }
        while let Some(due) = often.poll_timeout() {
            seen_often.extend(often.poll_deliver(due));
        }
        seen_rarely.extend(core::iter::from_fn(|| rarely.poll_deliver(Instant::MAX)));
        prop_assert_eq!(&seen_often, &seen_rarely);
        prop_assert_eq!(often.stats(), rarely.stats());
        prop_assert!(seen_often.is_sorted_by_key(|delivery| delivery.at));

        let stats = often.stats().data;
        prop_assert_eq!(stats.offered, gaps.len() as u64);
        let ends = stats.outage + stats.queue_full + stats.lost + stats.link_full + stats.delivered;
        prop_assert_eq!(stats.offered + stats.copies, ends);
        prop_assert_eq!((often.in_flight(), often.bytes), (0, 0));
        if let crate::channel::Overtake::AtMost(depth) = often.config().channel().overtake {
            prop_assert!(stats.depth_max <= depth, "{} of {depth}", stats.depth_max);
        }
    }
}

#[test]
fn a_link_can_move_to_another_thread() {
    fn assert_send<T: Send>(_: &T) {}
    assert_send(&link("perfect", 1).with_inspect(inspect));
}

#[test]
fn reports_itself() {
    let mut link = link("loss=every:1:4", 1);
    run(&mut link, 100, 1);
    let report = "data: 100 offered, 75 delivered, 25.0% lost (told 25%)";
    assert_eq!(link.report().to_string(), report);
}

/// Small buffers are used again, large ones are not kept, and what was in them is gone.
#[test]
fn buffers_come_back() {
    let mut link = link("perfect", 1);
    link.recycle(Vec::with_capacity(POOLED_BYTES_MAX + 1));
    assert!(link.pool.is_empty(), "too large to be kept");
    link.recycle(vec![7; POOLED_BYTES_MAX]);
    assert_eq!(link.pool.len(), 1);
    link.offer(Instant::ZERO, b"new", ());
    assert!(link.pool.is_empty(), "it is in use");
    let delivery = link.poll_deliver(Instant::ZERO).unwrap();
    assert_eq!((&*delivery.bytes, delivery.bytes.capacity()), (&b"new"[..], POOLED_BYTES_MAX));
    for _ in 0..=POOL_MAX {
        link.recycle(Vec::new());
    }
    assert_eq!(link.pool.len(), POOL_MAX);
}

#[test]
fn bytes_are_counted_where_they_go_in_and_where_they_come_out() {
    let mut link = link("data.loss=at:2", 1);
    for len in [10, 20, 30] {
        link.offer(Instant::ZERO, &[0; 30][..len], ());
    }
    while link.poll_deliver(Instant::MAX).is_some() {}
    let stats = link.stats().data;
    assert_eq!((stats.offered_bytes, stats.delivered_bytes), (60, 40));
}

#[test]
fn a_replayed_datagram_is_an_old_one_as_it_was_offered() {
    let mut link = link("replay=100%:3,corrupt=100%,delay=1ms", 1);
    let mut arrivals = Vec::new();
    for id in 0..200_u8 {
        link.offer(at(u64::from(id) * 100), &[id; 20], ());
    }
    while let Some(delivery) = link.poll_deliver(Instant::MAX) {
        if delivery.copy > 0 {
            let old = u8::try_from(delivery.id).unwrap();
            assert_eq!(delivery.bytes, [old; 20], "undamaged");
        }
        arrivals.push((delivery.id, delivery.copy));
    }
    let stats = link.stats().data;
    assert_eq!((stats.offered, stats.replayed, stats.delivered), (200, 199, 399));
    // The told depth bounds what the meter saw at the far end: 3 back, each with one brought along.
    let told = link.config().channel().overtake;
    assert_eq!(told, crate::channel::Overtake::AtMost(6));
    assert!((3..=6).contains(&stats.depth_max), "{}", stats.depth_max);
    arrivals.sort_unstable();
    arrivals.dedup();
    assert_eq!(arrivals.len(), 399, "each copy has a number of its own");
}

#[test]
fn replays_and_copies_together_stay_within_the_told_depth() {
    for seed in 0..50 {
        let text = "replay=60%:5,dup=50%:2,reorder=20%:7,loss=10%,delay=1ms";
        let mut link = link(text, seed);
        run(&mut link, 500, 50);
        let told = link.config().channel().overtake;
        let seen = crate::channel::Overtake::AtMost(link.stats().data.depth_max);
        assert!(!seen.exceeds(told), "seed {seed}: {seen:?}, told {told:?}");
        assert!(link.stats().data.replayed > 100);
    }
}

#[test]
fn what_is_remembered_is_forgotten_when_nothing_needs_it() {
    let mut link = link("replay=1%:64,splice=1%", 1);
    run(&mut link, 1_000, 10);
    assert!(!link.memory.is_empty());
    link.set_config(at(10_000), LinkConfig::PERFECT);
    link.offer(at(10_000), b"x", ());
    assert!(link.memory.is_empty());
    while link.poll_deliver(Instant::MAX).is_some() {}
    link.offer(at(10_001), b"y", ());
    assert_eq!(link.poll_deliver(at(10_001)).unwrap().bytes, b"y");
}

#[test]
fn damage_of_every_kind_is_counted_and_told() {
    let text = "swap=20%,splice=20%,truncate=20%,extend=20%:5";
    let mut link = link(text, 9);
    link.set_tracing(true);
    let mut damaged = 0;
    for id in 0..2_000_u64 {
        let original: Vec<u8> =
            (0..40).map(|byte| byte ^ u8::try_from(id % 200).unwrap()).collect();
        link.offer(at(id), &original, ());
        damaged += u64::from(link.poll_deliver(at(id)).unwrap().bytes != original);
    }
    let fates: Vec<_> = core::iter::from_fn(|| link.poll_fate()).collect();
    let told = |wanted: fn(&Fate) -> bool| with_fate(&fates, wanted).len() as u64;
    let stats = link.stats().data;
    assert_eq!(told(|fate| *fate == Fate::Swapped), stats.swapped);
    assert_eq!(told(|fate| matches!(fate, Fate::Spliced { .. })), stats.spliced);
    assert_eq!(told(|fate| matches!(fate, Fate::Truncated { .. })), stats.truncated);
    assert_eq!(told(|fate| matches!(fate, Fate::Extended { .. })), stats.extended);
    for count in [stats.swapped, stats.spliced, stats.truncated, stats.extended] {
        assert!((300..500).contains(&count), "{stats:?}");
    }
    assert!(damaged >= 1_100, "{damaged}");
}

#[test]
fn longer_datagrams_than_the_mtu_vanish_from_then_on() {
    let mut link = link("mtu=none:100@1ms", 1);
    for (now, len) in [(0, 101), (999, 101), (1_000, 101), (1_000, 100), (2_000, 1_500)] {
        link.offer(at(now), &[0; 1_500][..len], ());
    }
    let stats = link.stats().data;
    assert_eq!((stats.too_large, stats.exposed(), stats.lost), (2, 3, 0));
    assert!(link.report().to_string().contains("40.0% too large"), "{}", link.report());
}

#[test]
fn a_changed_rate_holds_for_what_begins_to_be_sent_then() {
    // 100 bytes take 100 us at first and 1 ms from 1 ms on.
    let mut link = link("rate=8mbit:800kbit@1ms", 1);
    for _ in 0..12 {
        link.offer(at(0), &[0; 100], ());
    }
    let arrivals: Vec<_> = core::iter::from_fn(|| link.poll_deliver(Instant::MAX))
        .map(|delivery| delivery.at)
        .collect();
    let expected: Vec<_> = (1..=10).map(|n| at(n * 100)).chain([at(2_000), at(3_000)]).collect();
    assert_eq!(arrivals, expected);
    let stats = link.stats().data;
    assert_eq!((stats.queued, stats.rate_changed), (11, 2));
}

#[test]
fn bunched_feedback_arrives_at_the_end_of_its_slot() {
    let mut link = link("ack.bunch=5ms,delay=1ms", 1).with_inspect(inspect);
    let mut arrivals = Vec::new();
    for (now, kind) in [(0, 1), (100, 1), (3_999, 1), (4_000, 1), (4_001, 1), (4_002, 0)] {
        link.offer(at(now), &[kind; 10], ());
    }
    while let Some(delivery) = link.poll_deliver(Instant::MAX) {
        arrivals.push((delivery.at, delivery.id));
    }
    // Number 4 misses its slot; number 5 is data, but this link keeps the order.
    let expected = [(5, 0), (5, 1), (5, 2), (5, 3), (10, 4), (10, 5)];
    assert_eq!(arrivals, expected.map(|(millis, id)| (at(millis * 1_000), id)));
    assert_eq!((link.stats().ack.bunched, link.stats().data.bunched), (4, 0));
}
