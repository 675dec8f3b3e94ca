//! What chance decides about a datagram, before anything is done to it.

use core::time::Duration;

use super::{Faults, HoldBack, Offer, corrupt, duplicate, loss, reorder};
use crate::{
    rng::{Rng, Seed},
    time::Instant,
    wire::Kind,
};

/// The stages of one class of datagrams, each with a stream of its own.
#[derive(Debug)]
pub(super) struct Stages {
    ordinal: u64,
    loss: loss::Stage,
    pub(super) corrupt: corrupt::Stage,
    pub(super) swap: corrupt::Stage,
    pub(super) splice: corrupt::Stage,
    pub(super) truncate: corrupt::Stage,
    pub(super) extend: corrupt::Stage,
    pub(super) replay: corrupt::Stage,
    duplicate: duplicate::Stage,
    delay: Rng,
    reorder: Rng,
    copies: Seed,
}

/// What is to be done to one datagram.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is the decision of a stage of its own")]
pub(super) struct Verdict {
    /// Its number within its class, from 1.
    pub(super) ordinal: u64,
    pub(super) lost: bool,
    pub(super) corrupt: bool,
    pub(super) swap: bool,
    pub(super) splice: bool,
    pub(super) truncate: bool,
    pub(super) extend: bool,
    pub(super) replay: bool,
    pub(super) copies: u32,
    pub(super) delay: Duration,
    pub(super) hold: Option<HoldBack>,
}

impl Stages {
    pub(super) fn new(seed: Seed) -> Self {
        let rng = |name| seed.split(name).rng();
        let hits = |name| corrupt::Stage::new(seed.split(name));
        Self {
            ordinal: 0,
            loss: loss::Stage::new(rng("loss")),
            corrupt: hits("corrupt"),
            swap: hits("swap"),
            splice: hits("splice"),
            truncate: hits("truncate"),
            extend: hits("extend"),
            replay: hits("replay"),
            duplicate: duplicate::Stage::new(rng("duplicate")),
            delay: rng("delay"),
            reorder: rng("reorder"),
            copies: seed.split("copy"),
        }
    }

    /// Every stage draws for every datagram, whatever the others decide: that keeps the streams
    /// aligned with the ordinals.
    pub(super) fn judge(
        &mut self,
        faults: &Faults,
        now: Instant,
        kind: Option<Kind>,
        bytes: &[u8],
    ) -> Verdict {
        self.ordinal += 1;
        let ordinal = self.ordinal;
        Verdict {
            ordinal,
            lost: self.loss.judge(&faults.loss, &Offer { now, ordinal, kind, bytes }),
            corrupt: self.corrupt.judge(faults.corrupt.share),
            swap: self.swap.judge(faults.swap.share),
            splice: self.splice.judge(faults.splice),
            truncate: self.truncate.judge(faults.truncate),
            extend: self.extend.judge(faults.extend.share),
            replay: self.replay.judge(faults.replay.share),
            copies: self.duplicate.judge(faults.duplicate),
            delay: faults.delay.draw(&mut self.delay),
            hold: reorder::judge(faults.reorder, &mut self.reorder),
        }
    }

    /// Delay and hold-back of a copy. Each copy has streams of its own, by the ordinal of its
    /// original: how many copies were made before it does not matter.
    pub(super) fn judge_copy(
        &self,
        faults: &Faults,
        ordinal: u64,
        copy: u32,
    ) -> (Duration, Option<HoldBack>) {
        let seed = self.copies.index(ordinal).index(copy.into());
        let delay = faults.delay.draw(&mut seed.split("delay").rng());
        (delay, reorder::judge(faults.reorder, &mut seed.split("reorder").rng()))
    }
}

impl Verdict {
    /// Whether anything is to be done to the bytes.
    pub(super) fn damages(&self) -> bool {
        self.corrupt || self.swap || self.splice || self.truncate || self.extend
    }
}
