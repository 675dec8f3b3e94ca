//! Figures 3.16, 3.22 and 3.26 of the book, drawn from runs of the code.

use alloc::{format, string::String, vec::Vec};
use core::time::Duration;

use super::{Fold, Ladder, Note};
use crate::{
    capture::reasons,
    classic::{Config, Timeout},
    sim::{Transfer, Verdict},
};

fn run(protocol: &str, link: &str, messages: u32, timeout: u64, seed: u64) -> (Ladder, Verdict) {
    let messages = (0..messages).map(|n| format!("message {n}").into_bytes()).collect();
    let timeout = Timeout::Fixed(Duration::from_millis(timeout));
    let transfer = Transfer::new(messages)
        .over(link.parse().unwrap())
        .config(Config { timeout, ..Config::default() })
        .seed(seed);
    let mut ladder = Ladder::new("");
    let report = transfer.run(protocol.parse().unwrap(), &mut ladder).unwrap();
    if let Verdict::Wrong { after } = report.verdict {
        ladder.mark_wrong(after);
    }
    (ladder, report.verdict)
}

fn figure(protocol: &str, link: &str, messages: u32, timeout: u64) -> Ladder {
    let (ladder, verdict) = run(protocol, link, messages, timeout, 1);
    assert_eq!(verdict, Verdict::Intact);
    ladder
}

/// Name, protocol, link, messages, timeout in milliseconds.
const FIGURES: &[(&str, &str, &str, u32, u64)] = &[
    ("3.16a-no-loss", "rdt3.0", "delay=25ms", 3, 75),
    ("3.16b-lost-packet", "rdt3.0", "up.loss=at:2,delay=25ms", 3, 75),
    ("3.16c-lost-ack", "rdt3.0", "down.loss=at:2,delay=25ms", 3, 75),
    ("3.16d-premature-timeout", "rdt3.0", "delay=25ms", 2, 40),
    ("3.22-go-back-n", "gbn:4/8", "up.loss=at:3,delay=25ms", 6, 75),
    ("3.26-selective-repeat", "sr:4/8", "up.loss=at:3,delay=25ms", 6, 75),
];

#[test]
fn the_figures_of_the_book_look_as_they_did() {
    for (name, protocol, link, messages, timeout) in FIGURES {
        let ladder = figure(protocol, link, *messages, *timeout);
        let path = format!("{}/src/capture/ladder/figures/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        let text = ladder.to_text();
        if std::env::var_os("UPDATE_FIGURES").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let expected: String = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, expected, "{name}; UPDATE_FIGURES=1 cargo test writes them anew");
        let svg = ladder.to_svg();
        well_formed(&svg);
        let (sent, lost) = (ladder.arrows().len(), svg.matches(">lost<").count());
        let heads = svg.matches("<polygon").count();
        assert_eq!(heads + lost, sent, "{name}: every packet arrives or is lost");
        let again = ladder.arrows().iter().filter(|arrow| arrow.is_again()).count();
        assert_eq!(svg.matches("again-t halo").count(), again);
    }
}

#[test]
fn a_packet_that_comes_too_late_is_delivered_as_another_message() {
    // The bit cannot tell packet 0 from the packet 0 before the last.
    let broken = (0..200).find_map(|seed| {
        let link = "delay=25ms±25ms,jitter=reorder";
        let (ladder, verdict) = run("rdt3.0", link, 30, 30, seed);
        matches!(verdict, Verdict::Wrong { .. }).then_some(ladder)
    });
    let ladder = broken.expect("rdt 3.0 does not tolerate reordering");
    let text = ladder.to_text();
    assert_eq!(text.matches("WRONG").count(), 1, "{text}");
    assert_eq!(ladder.to_svg().matches("WRONG").count(), 1);
    let last = reasons::explain(&ladder).pop().unwrap();
    assert!(last.ends_with("its number fits, so the receiver cannot tell"), "{last}");
    assert!(last.contains("was delivered as message"), "{last}");
}

#[test]
fn text_fits_a_terminal_and_svg_is_well_formed_whatever_happens() {
    for (seed, protocol) in
        (0..).zip(["rdt2.1", "rdt2.2", "rdt3.0", "gbn:4/8", "gbn:32", "sr:8", "sr:32"])
    {
        let bad = match protocol {
            "rdt2.1" | "rdt2.2" => "corrupt=20%,delay=25ms",
            _ => "hostile,delay=30ms",
        };
        let (ladder, _) = run(protocol, bad, 60, 90, seed);
        for ladder in [ladder.clone(), ladder.folded(Fold::NEVER)] {
            for line in ladder.to_text().lines() {
                assert!(line.chars().count() <= 80, "{protocol}: {line}");
            }
            well_formed(&ladder.to_svg());
        }
    }
}

/// Every element is closed, in order.
fn well_formed(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    for part in svg.split('<').skip(1) {
        let (tag, _) = part.split_once('>').expect("a tag ends");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        match (tag.starts_with('/'), tag.ends_with('/')) {
            (true, _) => assert_eq!(open.pop(), Some(name)),
            (false, false) => open.push(name),
            (false, true) => {}
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn a_long_quiet_run_folds_and_says_what_is_gone() {
    let ladder = figure("rdt3.0", "delay=25ms", 500, 75);
    let blocks = ladder.blocks().len();
    assert_eq!(blocks, 4 * 500, "each message: sent, arrives, answered, answer arrives");
    let text = ladder.to_text();
    let words = format!("{} events left out", blocks - 20);
    assert!(text.contains(&words), "{text}");
    assert!(ladder.to_svg().contains(&words));
    assert!(text.contains("deliver message 0\n") && text.contains("deliver message 499\n"));
    assert!(!text.contains("deliver message 250\n"));
}

#[test]
fn what_is_odd_is_kept_when_the_rest_folds() {
    let ladder = figure("rdt3.0", "up.loss=at:101,delay=25ms", 300, 75);
    let text = ladder.to_text();
    assert_eq!(text.matches("events left out").count(), 2, "{text}");
    assert_eq!(text.matches("✗ lost").count(), 1);
    assert_eq!(text.matches("timeout").count(), 1);
    assert!(text.contains("deliver message 100\n"));
}

#[test]
fn without_links_arrows_end_at_the_packets_that_look_alike() {
    use crate::trace::{NodeId, Observer, Place, Record, TraceEvent};
    let mut records: Vec<Record> = Vec::new();
    let messages = Vec::from([b"x".to_vec(), b"y".to_vec()]);
    let transfer = Transfer::new(messages).over("delay=25ms".parse().unwrap());
    transfer.run("rdt3.0".parse().unwrap(), &mut records).unwrap();
    let mut ladder = Ladder::new("");
    for record in records.iter().filter(|r| !matches!(r.event, TraceEvent::Link { .. })) {
        ladder.record(record);
    }
    assert_eq!(ladder.arrows().len(), 4);
    assert!(ladder.arrows().iter().all(|arrow| arrow.arrivals.len() == 1));
    // What nobody sent is no arrow.
    let packet = ladder.arrows()[0].packet;
    let stray = TraceEvent::Receive { packet };
    let at = crate::time::Instant::MAX;
    ladder.record(&Record { at, place: Place::Node(NodeId(1)), event: stray });
    assert_eq!(ladder.blocks().last().unwrap().notes, [Note::Stray(packet)]);
}

#[test]
fn damage_and_copies_are_marked() {
    let ladder = figure("rdt3.0", "up.corrupt=30%,up.dup=30%,delay=25ms", 12, 75);
    let arrows = ladder.arrows();
    assert!(arrows.iter().any(|arrow| arrow.damaged));
    assert!(arrows.iter().any(|arrow| arrow.duplicated && arrow.arrivals.len() == 2));
    let text = ladder.to_text();
    assert!(text.contains("*▶") && text.contains("damaged: ") && text.contains("a copy"), "{text}");
    let said = reasons::explain(&ladder);
    assert!(
        said.iter().any(|reason| reason.contains("was damaged on the way; the timer")),
        "{said:?}"
    );
}

/// The records of a run in the simulator, to be told again as sockets would.
fn records(protocol: &str, link: &str, messages: usize) -> Vec<crate::trace::Record> {
    let mut records = Vec::new();
    let config = Config { timeout: Timeout::Fixed(Duration::from_millis(75)), ..Config::default() };
    let transfer = Transfer::new(alloc::vec![b"message".to_vec(); messages]);
    let transfer = transfer.over(link.parse().unwrap()).config(config).seed(5);
    transfer.run(protocol.parse().unwrap(), &mut records).unwrap();
    records
}

#[test]
fn over_sockets_every_packet_finds_the_arrow_that_the_link_would_have_named() {
    use crate::trace::{Fate, Observer, TraceEvent};
    for protocol in ["rdt3.0", "gbn:4", "sr:4"] {
        let records = records(protocol, "loss=15%,dup=15%,corrupt=15%,delay=25ms", 60);
        let (mut told, mut found) = (Ladder::new(""), Ladder::new("").over_sockets());
        for record in &records {
            told.record(record);
        }
        // Behind sockets all leave their link before the first is taken.
        let arrived = |record: &&crate::trace::Record| {
            matches!(record.event, TraceEvent::Link { fate: Fate::Arrived, .. })
        };
        for record in records.iter().filter(|record| !arrived(record)) {
            found.record(record);
        }
        let fates = |ladder: &Ladder| -> Vec<_> {
            let fate = |a: &super::Arrow| (a.packet, a.lost, a.damaged, a.arrivals.len());
            ladder.arrows().iter().map(fate).collect()
        };
        assert_eq!(fates(&found), fates(&told), "{protocol}");
    }
}

#[test]
fn one_side_sees_half_arrows() {
    use crate::trace::{Fate, NodeId, Observer, Place, TraceEvent};
    let records = records("gbn:4", "loss=10%,corrupt=10%,delay=25ms", 200);
    let here = Place::Node(NodeId(0));
    let mut ladder = Ladder::new("").seen_by(NodeId(0));
    for record in &records {
        let mine = matches!(record.place, Place::Link { from: NodeId(0), .. });
        if record.place == here || mine {
            ladder.record(record);
        }
    }
    let count = |test: fn(&TraceEvent) -> bool| {
        records.iter().filter(|record| record.place == here && test(&record.event)).count()
    };
    let sent = count(|event| matches!(event, TraceEvent::Transmit { .. }));
    let taken = count(|event| matches!(event, TraceEvent::Receive { .. }));
    let (out, back): (Vec<_>, Vec<_>) = ladder.arrows().iter().partition(|arrow| arrow.is_data());
    assert_eq!((out.len(), back.len()), (sent, taken));
    assert!(out.iter().all(|arrow| arrow.arrivals.is_empty()), "nobody knows");
    assert!(out.iter().any(|arrow| arrow.lost == Some(Fate::Lost)), "its own link lost that");
    let text = ladder.to_text();
    assert!(text.contains("A, sender │") && text.contains("│ the network"), "{text}");
    assert!(text.contains("┄ into the network, or out of it") && text.contains("left out"));
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    well_formed(&ladder.clone().folded(Fold::NEVER).to_svg());
    let _ = reasons::explain(&ladder);
}

#[test]
fn a_limited_ladder_counts_the_rest() {
    let mut ladder = Ladder::new("").limited(40);
    let transfer = Transfer::new(alloc::vec![b"m".to_vec(); 50]);
    transfer.run("rdt3.0".parse().unwrap(), &mut ladder).unwrap();
    assert_eq!(ladder.blocks().len(), 40);
    assert!(ladder.to_text().contains(" events more)"));
}
