//! What the exercise says to programs: one JSON object a line.

use core::{fmt::Display, net::SocketAddr};

use rdtp::{
    app::lab::{Arrival, ClientEvent, Ending, Fault, Lists, Verdict},
    wire::{Kind, lab::ReplyMessage},
};
use serde_json::{Value, json};

/// What the client does and hears.
pub(super) fn client(event: ClientEvent) -> Value {
    match event {
        ClientEvent::Sent { value, seq, fault, attempt } => json!({
            "event": "sent", "value": value, "seq": seq, "fault": fault.map(name), "attempt": attempt,
        }),
        ClientEvent::Answered { kind, seq, refused, resends } => json!({
            "event": "answered", "kind": if kind == Kind::Nak { "nak" } else { "ack" }, "seq": seq,
            "refused": refused, "resends": resends,
        }),
        ClientEvent::Garbled { resends } => json!({ "event": "garbled", "resends": resends }),
        ClientEvent::TimedOut => json!({ "event": "timed_out" }),
        ClientEvent::Confirmed { value } => json!({ "event": "confirmed", "value": value }),
        ClientEvent::Shuffled => json!({ "event": "shuffled" }),
        ClientEvent::Over(ending) => json!({ "event": "over", "ending": ending_name(ending) }),
    }
}

/// The end, and what was not sent.
pub(super) fn end<'a>(ending: Ending, remaining: impl Iterator<Item = &'a i32>) -> Value {
    let value = match ending {
        Ending::Deadlock { value, .. } | Ending::GaveUp { value, .. } => Some(value),
        Ending::Done | Ending::Quit => None,
    };
    json!({
        "event": "end", "ending": ending_name(ending), "stuck_at": value,
        "remaining": remaining.collect::<Vec<_>>(),
    })
}

const fn ending_name(ending: Ending) -> &'static str {
    match ending {
        Ending::Done => "done",
        Ending::Quit => "quit",
        Ending::Deadlock { .. } => "deadlock",
        Ending::GaveUp { .. } => "gave_up",
    }
}

const fn name(fault: Fault) -> &'static str {
    match fault {
        Fault::Corrupt => "corrupt",
        Fault::StaleNumber => "stale_number",
        Fault::Drop => "drop",
        Fault::Copy => "copy",
    }
}

/// What arrived at the server, and its answer.
pub(super) fn arrived(
    peer: SocketAddr,
    arrival: Arrival,
    seq: Option<u8>,
    reply: ReplyMessage,
) -> Value {
    let verdict = match arrival.verdict {
        Verdict::Taken => "taken",
        Verdict::Duplicate => "duplicate",
        Verdict::Corrupt => "corrupt",
    };
    json!({
        "event": "arrived", "peer": peer.to_string(), "value": arrival.value, "seq": seq,
        "verdict": verdict,
        "reply": { "kind": if reply.ack { "ack" } else { "nak" }, "seq": reply.seq },
    })
}

/// The four lists of a client. What was illegible is null.
pub(super) fn lists(peer: impl Display, lists: &Lists, complete: bool) -> Value {
    let received: Vec<_> = lists.as_received().iter().map(|arrival| arrival.value).collect();
    json!({
        "event": "lists", "peer": peer.to_string(), "complete": complete,
        "as_received": received,
        "corrected": lists.corrected(),
        "duplicates": lists.duplicates().collect::<Vec<_>>(),
        "corrupted": lists.corrupted().collect::<Vec<_>>(),
    })
}
