//! The result of `rdtp check --json`.

use rdtp::{
    check::{Event, Flight, Message, Model, Report, Step, Trace, Verdict},
    classic::{Effect, Packet, Spec},
    trace::Side,
    wire::Kind,
};
use serde::Serialize;

use super::replay::Played;

/// A result for programs.
#[derive(Serialize)]
pub(super) struct Answer {
    protocol: String,
    data_channel: String,
    feedback_channel: String,
    messages: u16,
    capacity_packets: usize,
    states_max: u32,
    early_timeouts: bool,
    /// holds, unsafe, deadlock, livelock or open.
    verdict: &'static str,
    words: String,
    states: u64,
    transitions: u64,
    stuck_states: u64,
    finished_states: u64,
    seconds: f64,
    counterexample: Option<Counterexample>,
    /// What `--replay` saw.
    pub(super) replay: Option<ReplayAnswer>,
}

#[derive(Serialize)]
struct Counterexample {
    faults: usize,
    summary: String,
    steps: Vec<StepAnswer>,
}

#[derive(Serialize)]
struct StepAnswer {
    /// sender, receiver or channel.
    at: &'static str,
    /// send, timeout, arrive, lose, duplicate or corrupt.
    event: &'static str,
    /// The packet it happens to.
    packet: Option<PacketAnswer>,
    /// The packets that are sent.
    sent: Vec<PacketAnswer>,
    /// The messages that are delivered.
    delivered: Vec<u16>,
    faults: usize,
    sender_state: String,
    receiver_state: String,
    words: String,
}

#[derive(Serialize)]
struct PacketAnswer {
    id: u32,
    kind: &'static str,
    seq: u64,
    message: Option<u16>,
    damaged: bool,
    /// Whether the channel was full.
    dropped: bool,
}

impl PacketAnswer {
    fn new(flight: &Flight, dropped: bool) -> Self {
        let kind = match flight.packet.kind() {
            Kind::Data => "data",
            Kind::Ack => "ack",
            Kind::Nak => "nak",
        };
        let message = match flight.packet {
            Packet::Data { data: Message(number), .. } => Some(number),
            _ => None,
        };
        let (id, seq, damaged) = (flight.id, flight.packet.seq(), flight.damaged);
        Self { id, kind, seq, message, damaged, dropped }
    }
}

impl StepAnswer {
    fn new(step: &Step, words: String) -> Self {
        let (event, flight) = match &step.event {
            Event::Send(_) => ("send", None),
            Event::Timeout { .. } => ("timeout", None),
            Event::Arrive { flight, .. } => ("arrive", Some(flight)),
            Event::Lose(flight) => ("lose", Some(flight)),
            Event::Duplicate { flight, .. } => ("duplicate", Some(flight)),
            Event::Corrupt(flight) => ("corrupt", Some(flight)),
        };
        let sent = step.sent.iter().map(|flight| PacketAnswer::new(flight, false));
        let dropped = step.dropped.iter().map(|flight| PacketAnswer::new(flight, true));
        let delivered = step.effects.iter().filter_map(|effect| match effect {
            Effect::Deliver(Message(number)) => Some(*number),
            _ => None,
        });
        Self {
            at: match step.side() {
                Some(Side::Sender) => "sender",
                Some(Side::Receiver) => "receiver",
                None => "channel",
            },
            event,
            packet: flight.map(|flight| PacketAnswer::new(flight, false)),
            sent: sent.chain(dropped).collect(),
            delivered: delivered.collect(),
            faults: step.faults(),
            sender_state: step.sender.to_string(),
            receiver_state: step.receiver.to_string(),
            words,
        }
    }
}

impl Answer {
    pub(super) fn new(spec: Spec, model: &Model, report: &Report, seconds: f64) -> Self {
        let counterexample = |trace: &Trace| Counterexample {
            faults: trace.faults(),
            summary: trace.summary(),
            steps: trace
                .steps
                .iter()
                .zip(trace.words())
                .map(|(step, words)| StepAnswer::new(step, words))
                .collect(),
        };
        Self {
            protocol: spec.to_string(),
            data_channel: model.data.to_string(),
            feedback_channel: model.feedback.to_string(),
            messages: model.messages,
            capacity_packets: model.capacity,
            states_max: model.states_max,
            early_timeouts: model.early_timeouts,
            verdict: match report.verdict {
                Verdict::Holds => "holds",
                Verdict::Unsafe(_) => "unsafe",
                Verdict::Stuck { deadlock: true } => "deadlock",
                Verdict::Stuck { deadlock: false } => "livelock",
                Verdict::OutOfBound => "open",
            },
            words: report.verdict.to_string(),
            states: report.states,
            transitions: report.transitions,
            stuck_states: report.stuck_states,
            finished_states: report.finished_states,
            seconds,
            counterexample: report.trace.as_deref().map(counterexample),
            replay: None,
        }
    }
}

/// What came of playing the counterexample again.
#[derive(Serialize)]
pub(super) struct ReplayAnswer {
    /// Whether it failed in the same way.
    reproduced: bool,
    /// In words.
    verdict: String,
}

impl From<&Played> for ReplayAnswer {
    fn from(played: &Played) -> Self {
        Self { reproduced: played.reproduced, verdict: played.verdict.clone() }
    }
}
