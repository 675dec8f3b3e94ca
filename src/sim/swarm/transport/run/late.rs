//! When a run gives up waiting, what it says then, and what it counts.

use alloc::{format, string::String, vec::Vec};
use core::{fmt::Write as _, time::Duration};

use super::{
    super::{
        super::{Fault, Invariant, run::hits},
        body::Body,
        check,
        hazard::Hazard,
        plan::Course,
        talk::Talk,
        tally::Tally,
    },
    Broken, Phase, Run, node_id,
};
use crate::{link::Link, time::Instant, trace::NodeId};

impl<B: Body> Run<'_, B> {
    /// Something moved, or the network is good: the next thing must move soon.
    pub(super) fn move_deadline(&mut self) {
        let dead = self.struck && matches!(self.plan.course, Course::Dead { .. });
        if self.phase != Phase::Talking || dead {
            return;
        }
        let now = self.world.now();
        // Those who lost their peer, or missed its last word, find out in silence.
        let cut = |talk: &Talk| talk.cut_short && !talk.is_closed();
        if self.struck {
            let last = self.stage.talks.last().map_or(Duration::ZERO, |talk| talk.plan.opens_at);
            self.gone_at = Instant::ZERO + last;
            let strangers = self.strangers.first().map_or(Instant::ZERO, |&(at, ..)| at);
            let from = now.max(self.gone_at).max(self.bounds.free_at()).max(strangers);
            self.deadline = from + self.bounds.patience();
        } else if self.healed && self.stage.talks.iter().any(cut) {
            self.gone_at = now.max(self.bounds.free_at());
            self.deadline = self.gone_at + self.bounds.silence(&self.world);
        } else if self.healed {
            let last = self.stage.talks.iter().map(|talk| talk.plan.opens_at).max();
            let closes = self.stage.talks.iter().flat_map(|talk| talk.plan.closes_at);
            let strikes = match self.plan.course {
                Course::Dead { at } | Course::Restart { at, .. } => Some(at),
                Course::Whole { .. } => None,
            };
            let planned = closes.flatten().chain(last).chain(strikes).max().unwrap_or_default();
            let strangers = self.strangers.first().map_or(Instant::ZERO, |&(at, ..)| at);
            let from = now.max(Instant::ZERO + planned).max(strangers);
            self.deadline = from.max(self.bounds.free_at()) + self.bounds.patience();
        }
    }

    /// Whether a side whose peer is gone may go on waiting, since the path was slow for it. Silence
    /// is measured in round trips, and these may have become long.
    pub(super) fn waits_for_silence(&mut self) -> bool {
        let gone = |talk: &Talk| !talk.is_closed() && (talk.forgotten || talk.cut_short);
        let dead = self.struck && matches!(self.plan.course, Course::Dead { .. });
        let waits = self.phase == Phase::Talking && (dead || self.stage.talks.iter().any(gone));
        let until = self.gone_at + self.bounds.silence(&self.world);
        // So may the pauses of those who repeat what was lost.
        self.bounds.on_slower(&self.world);
        let moves = self.moved_at.max(self.bounds.free_at()) + self.bounds.patience();
        let until = if waits { until.max(moves) } else { moves };
        let longer = self.phase == Phase::Talking && until > self.deadline;
        if longer {
            self.deadline = until;
        }
        longer
    }

    pub(super) fn too_late(&self) -> Broken {
        let dead = self.struck && matches!(self.plan.course, Course::Dead { .. });
        let left = self
            .stage
            .talks
            .iter()
            .position(|talk| !talk.is_closed() && (dead || talk.forgotten || talk.cut_short));
        match (self.phase, left) {
            (Phase::Talking, Some(left)) => {
                let what = if dead { "the path died" } else { "a side is gone" };
                let detail = format!("{what}, and connection {left} does not end");
                (Invariant::CleanFailure, detail)
            }
            (Phase::Talking, None) => {
                let detail = check::what_is_missing(&self.stage.talks, &self.bounds);
                (Invariant::Liveness, format!("{detail}{}", self.what_is_left()))
            }
            (Phase::Ending | Phase::Aftermath, _) => {
                let left = [NodeId(0), NodeId(1)].map(|node| {
                    let host = self.world.endpoint(node).body().host();
                    let names = host.connections().map(|(_, connection)| connection.life().name());
                    names.collect::<Vec<_>>()
                });
                let detail = format!("long after the end there are still connections: {left:?}");
                (Invariant::Quiescence, detail)
            }
        }
    }

    /// Connections that have streams though their applications are done with them.
    fn what_is_left(&self) -> String {
        let mut left = String::new();
        for (index, talk) in self.stage.talks.iter().enumerate().filter(|(_, it)| it.is_said()) {
            for side in [0, 1] {
                let host = self.world.endpoint(node_id(talk.nodes[side])).body().host();
                let connection = talk.ids[side].and_then(|id| host.get(id));
                if let Some(it) = connection.filter(|it| !it.streams().is_empty()) {
                    let (life, streams) = (it.life().name(), it.streams().len());
                    let _ = write!(left, "; connection {index} is {life} with {streams} streams");
                }
            }
        }
        left
    }

    pub(super) fn count(&self) -> Tally {
        let mut tally = self.tally.clone();
        let talks = &self.stage.talks;
        tally.connections = talks.iter().filter(|talk| talk.ids[0].is_some()).count() as u64;
        tally.whole = talks.iter().filter(|talk| talk.is_said()).count() as u64;
        tally.streams = talks.iter().map(|talk| talk.chats.len() as u64).sum();
        tally.bytes = self.stage.read_bytes;
        tally.messages = self.stage.heard_datagrams;
        tally.datagrams = self.world.datagrams();
        tally.steps = self.steps;
        tally.elapsed = self.world.now().since_epoch();
        let stats = |a, b| self.world.link(NodeId(a), NodeId(b)).map(Link::stats).copied();
        let (up, down) = (stats(0, 1).unwrap_or_default(), stats(1, 0).unwrap_or_default());
        let marked = up.total().ecn_marked + down.total().ecn_marked;
        let openers = [0, 1].map(|node| talks.iter().any(|talk| talk.nodes[0] == node));
        let both = if openers == [true; 2] { talks.len() as u64 } else { 0 };
        for (hazard, hits) in [
            (Hazard::SlowReading, self.stage.slow_reads),
            (Hazard::Stall, self.stage.stalls),
            (Hazard::Reset, self.stage.resets),
            (Hazard::Stop, self.stage.stops),
            (Hazard::SimultaneousOpen, both),
            (Hazard::Marks, marked),
        ] {
            tally.hit(hazard, hits);
        }
        for count in &mut tally.hazards {
            count.runs = u64::from(count.hits > 0);
        }
        let lateness = [0, 1].map(|node| self.world.lateness(NodeId(node)));
        for fault in self.plan.network.faults.iter() {
            let count = &mut tally.faults[fault as usize];
            count.runs = 1;
            count.hits = match fault {
                Fault::LateWakeups | Fault::CoarseTimers => lateness[0].0 + lateness[1].0,
                Fault::SlowReader => lateness[0].1 + lateness[1].1,
                Fault::BurstyWriter => self.stage.bursts,
                _ => hits(fault, &up, &down),
            };
        }
        tally
    }
}
