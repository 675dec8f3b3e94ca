//! The production transport: packets by their number, with what they hold beside them.
//!
//! Connections begin with a number drawn at random below 2^31, which nobody can read eight times in a
//! row: numbers are written as counted from the first that a side sent.

use alloc::{
    format,
    string::{String, ToString},
};

use super::{Edge, Ladder, Note};
use crate::{
    endpoint::DropReason,
    time::Instant,
    trace::{
        FrameInfo, FrameKinds, PacketInfo, StateLabel,
        transport::{LossCause, PacketKind, StreamChange, TransportEvent, Way},
    },
    wire::Kind,
};

/// Ranges of an ACK that are written out.
const RANGES_SHOWN: usize = 3;

impl Ladder {
    pub(super) fn transport(&mut self, at: Instant, edge: Edge, event: &TransportEvent) {
        match *event {
            TransportEvent::Started { state, .. } => {
                self.initial[edge.index()].get_or_insert(StateLabel::plain(state));
            }
            TransportEvent::State { to, .. } => {
                self.note(at, edge, Note::State(StateLabel::plain(to)));
            }
            TransportEvent::PacketSent { number, kind, bytes, frames, .. } => {
                self.first[edge.index()].get_or_insert(number);
                self.leave(at, edge, kind, info(Some(number), bytes, frames));
            }
            TransportEvent::Answered { kind, bytes } => {
                self.leave(at, edge, kind, info(None, bytes, FrameKinds::default()));
            }
            TransportEvent::PacketReceived { number, bytes, frames, .. } => {
                self.receive(at, edge, info(Some(number), bytes, frames));
            }
            TransportEvent::Heard { bytes, .. } => {
                self.receive(at, edge, info(None, bytes, FrameKinds::default()));
            }
            TransportEvent::Frame { way: Way::Sent, ref frame, .. } => self.hold(edge, frame),
            TransportEvent::PacketDiscarded { reason, .. } => {
                self.awaited = None;
                match reason {
                    DropReason::Damaged(error) => {
                        self.receive_damaged(at, edge);
                        self.note(at, edge, Note::Damaged(error));
                    }
                    reason => self.note(at, edge, Note::Ignored(reason)),
                }
            }
            TransportEvent::Stream { id, change } => {
                let words = match change {
                    StreamChange::Finished => format!("S{} finished", id.0),
                    StreamChange::Reset(code) => format!("S{} reset ({code})", id.0),
                    StreamChange::Stopped(code) => format!("S{} stopped ({code})", id.0),
                    StreamChange::Opened | StreamChange::OpenedByPeer | StreamChange::Ended => {
                        return;
                    }
                };
                self.note(at, edge, Note::Holds(words));
            }
            _ => {
                if let Some(words) = self.alarm(edge, event)
                    && let Some(block) = self.open(at, edge, false)
                {
                    block.notes.push(Note::Alarm(words));
                }
            }
        }
    }

    fn leave(&mut self, at: Instant, edge: Edge, kind: PacketKind, packet: PacketInfo) {
        let label = match (kind, packet.seq) {
            (PacketKind::Data, Some(number)) => self.count(edge, number).to_string(),
            (_, Some(number)) => format!("{} {}", kind.name(), self.count(edge, number)),
            (_, None) => kind.name().to_string(),
        };
        let before = self.arrows.len();
        self.transmit(at, edge, packet, 1);
        if let Some(arrow) = self.arrows.get_mut(before) {
            arrow.label = Some(label);
        }
    }

    /// A packet number of this side, counted from its first.
    fn count(&self, edge: Edge, number: u64) -> u64 {
        number - self.first[edge.index()].filter(|&first| first <= number).unwrap_or(0)
    }

    /// What the packet holds that has just left.
    fn hold(&mut self, edge: Edge, frame: &FrameInfo) {
        let theirs = |number| self.count(edge.other(), number);
        let range = match *frame {
            FrameInfo::AckRange { first, last } => (theirs(first), theirs(last)),
            _ => (0, 0),
        };
        let number = self.arrows.len().checked_sub(1);
        let Some(arrow) = number.and_then(|number| self.arrows.get_mut(number)) else { return };
        if arrow.from != edge {
            return;
        }
        if let FrameInfo::Stream { id, offset, bytes, .. } = *frame {
            let high = self.written.entry((edge, id)).or_default();
            if offset < *high {
                arrow.attempt = 2;
            }
            *high = (*high).max(offset + u64::from(bytes));
        }
        let Some(block) = self.blocks.get_mut(arrow.departs) else { return };
        match (frame, block.notes.last_mut()) {
            (FrameInfo::Ack { ranges, .. }, _) => {
                let more = usize::try_from(*ranges).unwrap_or(usize::MAX);
                let rest = more.saturating_sub(RANGES_SHOWN);
                let end = if rest > 0 { format!(" +{rest}") } else { String::new() };
                block.notes.push(Note::Holds(format!("ACK{end}")));
            }
            (FrameInfo::AckRange { .. }, Some(Note::Holds(words))) => {
                // Behind the word ACK, before how many more there are.
                let (shown, rest) = words.split_once(" +").unwrap_or((&**words, ""));
                if shown.split(' ').count() <= RANGES_SHOWN {
                    let range = match range {
                        (first, last) if first == last => first.to_string(),
                        (first, last) => format!("{first}-{last}"),
                    };
                    let end = if rest.is_empty() { String::new() } else { format!(" +{rest}") };
                    *words = format!("{shown} {range}{end}");
                }
            }
            (
                FrameInfo::Padding { .. } | FrameInfo::ImmediateAck | FrameInfo::AckRange { .. },
                _,
            ) => {}
            (frame, _) => block.notes.push(Note::Holds(frame.to_string())),
        }
    }

    /// What is worth a red note.
    fn alarm(&self, edge: Edge, event: &TransportEvent) -> Option<String> {
        Some(match *event {
            TransportEvent::PacketLost { number, cause, .. } => {
                let number = self.count(edge, number);
                match cause {
                    LossCause::Packets => format!("{number} lost: later ones arrived"),
                    LossCause::Time => format!("{number} lost: overdue"),
                    LossCause::Probe => format!("{number} lost: a long probe"),
                    LossCause::Restart => format!("{number} sent in vain"),
                }
            }
            TransportEvent::SpuriousLoss { number, .. } => {
                format!("{} was not lost", self.count(edge, number))
            }
            TransportEvent::ProbeTimeout { count } => format!("probe timeout {count}"),
            TransportEvent::PersistentCongestion { .. } => "persistent congestion".to_string(),
            TransportEvent::CutUndone => "cut taken back".to_string(),
            _ => return None,
        })
    }
}

fn info(seq: Option<u64>, bytes: u32, frames: FrameKinds) -> PacketInfo {
    let feedback = seq.is_some() && !frames.elicit_ack();
    let payload_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    PacketInfo { kind: if feedback { Kind::Ack } else { Kind::Data }, seq, payload_bytes }
}
