//! A run in words: what the network did, what repaired it, and what went wrong.
//!
//! ```
//! use rdtp::{capture::{Ladder, reasons}, sim::Transfer};
//!
//! let mut ladder = Ladder::new("");
//! Transfer::new(vec![b"hello".to_vec()])
//!     .over("up.loss=at:1,delay=25ms".parse()?)
//!     .run("rdt3.0".parse()?, &mut ladder)?;
//! let reasons = reasons::explain(&ladder);
//! assert!(reasons[0].starts_with("packet 0, sent at 0 ms, was lost; the timer expired at"));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    clock,
    ladder::{Arrow, Block, Ladder, Note, Way},
};
use crate::{
    trace::{Fate, Tag},
    wire::Kind,
};

/// What happened beyond a quiet run, a sentence each, in the order in which the packets left; what
/// was delivered wrongly comes last.
pub fn explain(ladder: &Ladder) -> Vec<String> {
    let mut sentences = Vec::new();
    for (number, arrow) in ladder.arrows().iter().enumerate() {
        sentences.extend(fault(ladder, number, arrow));
        sentences.extend(needless(ladder, number, arrow));
        if arrow.overtaken {
            let at = arrow.arrivals.last().map(|(_, at)| clock(*at)).unwrap_or_default();
            sentences.push(format!(
                "{}, sent at {}, arrived only at {at}, after packets that were sent later",
                arrow.packet,
                clock(arrow.sent)
            ));
        }
    }
    for block in ladder.blocks() {
        sentences.extend(wrong(ladder, block));
    }
    sentences
}

/// What the network did to a packet, and what came of it.
fn fault(ladder: &Ladder, number: usize, arrow: &Arrow) -> Option<String> {
    let what = if let Some(fate) = arrow.lost {
        match fate {
            Fate::Outage => "was lost in an outage",
            Fate::TooLarge => "was longer than the MTU and vanished",
            Fate::QueueFull => "found the queue full and was dropped",
            Fate::LinkFull => "found the link full and was dropped",
            _ => "was lost",
        }
    } else if arrow.damaged {
        let noticed = arrow.arrivals.iter().any(|&(block, _)| {
            let block = ladder.blocks().get(block);
            block.is_some_and(|block| {
                block.notes.iter().any(|note| matches!(note, Note::Damaged(_) | Note::Ignored(_)))
            })
        });
        if !arrow.arrivals.is_empty() && !noticed {
            return Some(format!(
                "{}, sent at {}, was damaged on the way, and nothing in the packet shows it",
                arrow.packet,
                clock(arrow.sent)
            ));
        }
        "was damaged on the way"
    } else {
        return None;
    };
    let repair = if arrow.is_data() {
        repair_of_data(ladder, number, arrow)
    } else {
        repair_of_feedback(ladder, number, arrow)
    };
    let repair = repair.unwrap_or_else(|| "nothing repaired it".to_string());
    Some(format!("{}, sent at {}, {what}; {repair}", arrow.packet, clock(arrow.sent)))
}

fn is_same_data(one: &Arrow, other: &Arrow) -> bool {
    one.from == other.from
        && one.is_data()
        && other.is_data()
        && one.message == other.message
        && one.packet.seq == other.packet.seq
}

/// The next copy of the packet that the sender sent, and why it sent it.
fn repair_of_data(ladder: &Ladder, number: usize, arrow: &Arrow) -> Option<String> {
    let later = ladder.arrows().iter().skip(number + 1);
    let next = later.into_iter().find(|later| is_same_data(arrow, later))?;
    let attempt = next.attempt;
    let again = format!("it was sent again at {} (attempt {attempt})", clock(next.sent));
    let cause = cause(ladder, next);
    Some(match cause {
        Some(cause) => format!("{cause}, and {again}"),
        None => again,
    })
}

/// What made the sender send again: the timeout or the feedback at that time.
fn cause(ladder: &Ladder, again: &Arrow) -> Option<String> {
    let blocks = ladder.blocks().get(..=again.departs)?;
    let now = blocks.iter().rev().take_while(|block| block.at == again.sent);
    for block in now.filter(|block| block.edge == again.from) {
        for note in &block.notes {
            match note {
                Note::Timeout(Tag::Oldest) => {
                    return Some(format!("the timer expired at {}", clock(block.at)));
                }
                Note::Timeout(Tag::Packet(seq)) if again.packet.seq == Some(*seq) => {
                    return Some(format!("its timer expired at {}", clock(block.at)));
                }
                Note::Damaged(_) => return Some("damaged feedback arrived".to_string()),
                _ => {}
            }
        }
        if let Some((arrow, Way::Arrives)) = block.arrow {
            let feedback = ladder.arrows().get(arrow)?;
            return Some(format!("{} arrived at {}", feedback.packet, clock(block.at)));
        }
    }
    None
}

/// How the sender learnt in spite of it that its packets had arrived.
fn repair_of_feedback(ladder: &Ladder, number: usize, arrow: &Arrow) -> Option<String> {
    let sender = arrow.from.other();
    let after = ladder.blocks().iter().skip(arrow.departs.saturating_add(1));
    let mut expired = None;
    for block in after.filter(|block| block.edge == sender) {
        if expired.is_none() && block.notes.iter().any(|note| matches!(note, Note::Timeout(_))) {
            expired = Some(block.at);
        }
        let confirms = block.notes.iter().any(|note| matches!(note, Note::Confirmed(_)));
        let Some((by, Way::Arrives)) = block.arrow else { continue };
        let by_arrow = ladder.arrows().get(by)?;
        if !confirms {
            if arrow.damaged && by == number {
                // The damaged packet itself, or what the sender did about it at once.
                let next =
                    ladder.arrows().iter().skip(number).find(|next| {
                        next.from == sender && next.is_again() && next.sent == block.at
                    });
                if let Some(next) = next {
                    return Some(format!(
                        "the sender could not read it and sent {} again",
                        next.packet
                    ));
                }
            }
            continue;
        }
        // Feedback that was on its way already says nothing about this one, unless ACKs are
        // cumulative; both end the wait.
        let at = clock(block.at);
        return Some(match expired {
            Some(when) => format!(
                "the timer expired at {}, the packet was sent again, and {} confirmed it at {at}",
                clock(when),
                by_arrow.packet
            ),
            None => format!("{} confirmed what it would have confirmed, at {at}", by_arrow.packet),
        });
    }
    None
}

/// A packet that was sent again although nothing was lost: the timeout was too short.
fn needless(ladder: &Ladder, number: usize, arrow: &Arrow) -> Option<String> {
    if !arrow.is_again() || arrow.packet.kind != Kind::Data {
        return None;
    }
    let block = ladder.blocks().get(arrow.departs)?;
    let timeout = block.notes.iter().any(|note| matches!(note, Note::Timeout(_)));
    let before = ladder.arrows().get(..number)?;
    if !timeout {
        return None;
    }
    let place = before.iter().rposition(|earlier| is_same_data(earlier, arrow))?;
    let earlier = before.get(place)?;
    // With feedback lost on the way the sender could not know.
    let mut since = before.iter().skip(place + 1).filter(|other| other.from != arrow.from);
    let quiet = since.all(|feedback| feedback.lost.is_none() && !feedback.damaged);
    if earlier.lost.is_some() || earlier.damaged || !quiet {
        return None;
    }
    Some(format!(
        "{} was sent again at {} although attempt {} was not lost: the timer expired before its \
         acknowledgement came",
        arrow.packet,
        clock(arrow.sent),
        earlier.attempt
    ))
}

fn wrong(ladder: &Ladder, block: &Block) -> Option<String> {
    let index = block.notes.iter().find_map(|note| match note {
        Note::Deliver { index, wrong: true } => Some(*index),
        _ => None,
    })?;
    let at = clock(block.at);
    let arrow = block.arrow.and_then(|(arrow, _)| ladder.arrows().get(arrow));
    let Some(arrow) = arrow else {
        return Some(format!("at {at} something else was delivered than message {index}"));
    };
    Some(match arrow.message {
        Some(message) if message != index => format!(
            "at {at} {}, sent at {} with message {message}, was delivered as message {index}: its \
             number fits, so the receiver cannot tell",
            arrow.packet,
            clock(arrow.sent)
        ),
        _ if arrow.damaged => {
            format!(
                "at {at} message {index} was delivered damaged: nothing in {} shows it",
                arrow.packet
            )
        }
        _ => format!("at {at} something else was delivered than message {index}"),
    })
}
