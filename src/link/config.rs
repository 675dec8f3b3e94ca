//! What a link is told to do.

use alloc::vec::Vec;

use super::{
    Bunch, Corruption, Delay, Duplication, Extension, HoldBack, Jitter, Loss, Outage, Remark,
    Replay, Swap, Timeline, replay::SPLICE_BACK,
};
use crate::{
    channel::{Channel, Overtake},
    quantity::{Bandwidth, ByteSize, Probability},
};

/// The faults of one class of datagrams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    /// Which are lost (`loss=`).
    pub loss: Loss,
    /// Which get bit errors (`corrupt=`).
    pub corrupt: Corruption,
    /// In which bytes change places (`swap=`).
    pub swap: Swap,
    /// How many get the tail of an earlier one (`splice=`): of one of the last 16 of either class.
    pub splice: Probability,
    /// How many lose a part of their end (`truncate=`); any length is left, evenly.
    pub truncate: Probability,
    /// To which bytes are appended (`extend=`).
    pub extend: Extension,
    /// Which arrive more than once (`dup=`).
    pub duplicate: Duplication,
    /// With which an old one arrives again (`replay=`).
    pub replay: Replay,
    /// How long they travel (`delay=`).
    pub delay: Delay,
    /// Whether they arrive in bunches (`bunch=`).
    pub bunch: Bunch,
    /// Which wait for others to pass (`reorder=`).
    pub reorder: HoldBack,
}

impl Faults {
    /// None.
    pub const NONE: Self = Self {
        loss: Loss::NONE,
        corrupt: Corruption::NONE,
        swap: Swap::NONE,
        splice: Probability::NEVER,
        truncate: Probability::NEVER,
        extend: Extension::NONE,
        duplicate: Duplication::NONE,
        replay: Replay::NONE,
        delay: Delay::NONE,
        bunch: Bunch::NONE,
        reorder: HoldBack::NONE,
    };

    /// What this class can suffer, order aside.
    fn channel(&self) -> Channel {
        let reorder = &self.reorder;
        let held = if reorder.share.is_never() { 0 } else { reorder.packets.max(1) };
        let depth = u64::from(held).max(self.replay.depth(self.duplicate));
        let damage = [self.corrupt.share, self.swap.share, self.truncate, self.extend.share];
        Channel {
            corrupt: damage.iter().chain([&self.splice]).any(|share| !share.is_never()),
            lose: self.loss.is_possible(),
            duplicate: !self.duplicate.share.is_never() || !self.replay.share.is_never(),
            overtake: Overtake::AtMost(depth),
        }
    }

    /// How many datagrams back a link has to remember for them.
    pub(super) fn memory(&self) -> usize {
        let replay = if self.replay.share.is_never() { 0 } else { self.replay.packets.max(1) };
        let splice = if self.splice.is_never() { 0 } else { SPLICE_BACK };
        splice.max(usize::try_from(replay.min(Replay::PACKETS_MAX)).unwrap_or(usize::MAX))
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::NONE
    }
}

/// One direction of a bad network.
///
/// Has the same text form as a [`Profile`](super::Profile), without directions.
///
/// ```
/// use rdtp::link::LinkConfig;
///
/// let config: LinkConfig = "loss=20%,ack.loss=5%,delay=25ms±5ms".parse()?;
/// assert_eq!(config.to_string(), "data.loss=20%,ack.loss=5%,delay=25ms±5ms");
/// assert_eq!(config.channel().to_string(), "loses");
/// # Ok::<(), rdtp::link::ProfileError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// The longest datagram that gets through, in bytes (`mtu=`); longer ones vanish without a
    /// sign, as in a path-MTU black hole (RFC 2923, 2.1). `None` lets all through.
    pub mtu: Timeline<Option<u32>>,
    /// The faults of data packets, and of everything that is not legible (`data.`).
    pub data: Faults,
    /// The faults of feedback: ACKs and NAKs (`ack.`).
    pub ack: Faults,
    /// How fast the bottleneck sends what it begins to send then (`rate=`); `None` means infinitely fast. Counts the bytes of
    /// the datagram, no headers of lower layers.
    pub rate: Timeline<Option<Bandwidth>>,
    /// How many bytes wait for the bottleneck, beside the datagram that it is sending (`queue=`).
    pub queue: ByteSize,
    /// Marks what can bear a mark when more bytes than that wait, itself included (`mark=`): the
    /// simplest active queue management. `None` never marks.
    pub mark: Option<ByteSize>,
    /// What the path does to ECN fields (`ecn=`).
    pub ecn: Timeline<Remark>,
    /// What varying delay does to the order (`jitter=`).
    pub jitter: Jitter,
    /// When the link is down (`outage=`).
    pub outages: Vec<Outage>,
    /// The most datagrams on their way (`limit=`); more are dropped and counted.
    pub datagrams_max: usize,
    /// The most bytes on their way (`limit=`, second part); more are dropped and counted.
    pub bytes_max: ByteSize,
}

impl LinkConfig {
    /// Delivers everything at once.
    pub const PERFECT: Self = Self {
        data: Faults::NONE,
        ack: Faults::NONE,
        mtu: Timeline::constant(None),
        rate: Timeline::constant(None),
        queue: ByteSize::kib(64),
        mark: None,
        ecn: Timeline::constant(Remark::Keep),
        jitter: Jitter::Keep,
        outages: Vec::new(),
        datagrams_max: 1 << 16,
        bytes_max: ByteSize::mib(64),
    };

    /// A link with these faults for both classes and without a bottleneck.
    pub fn with_faults(faults: Faults) -> Self {
        Self { data: faults.clone(), ack: faults, ..Self::PERFECT }
    }

    /// What this link can do to packets, for comparison with what a protocol tolerates.
    ///
    /// A bottleneck loses when its queue is full, hence a rate counts as loss. The limits on what is
    /// on its way do not count: they guard memory and are reported when hit.
    pub fn channel(&self) -> Channel {
        let held = self.data.channel().or(self.ack.channel());
        let down = self.outages.iter().any(|outage| !outage.length.is_zero());
        let narrow = self.rate.values().any(|rate| rate.is_some());
        let short = self.mtu.values().any(|mtu| mtu.is_some());
        let (data, ack) = (&self.data, &self.ack);
        // If the delay of one class alone varies, the delays differ.
        let uneven = data.delay.varies() || (data.delay, data.bunch) != (ack.delay, ack.bunch);
        Channel {
            lose: held.lose || down || narrow || short,
            overtake: match self.jitter {
                Jitter::Reorder if uneven => Overtake::Any,
                _ => held.overtake,
            },
            ..held
        }
    }
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self::PERFECT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn says_what_it_can_do() {
        for (text, channel) in [
            ("perfect", "perfect"),
            ("delay=25ms±5ms", "perfect"),
            ("loss=0%,dup=0%:2,reorder=0%:9,corrupt=0%:3,outage=1s+0s", "perfect"),
            ("ack.loss=at:3", "loses"),
            ("loss=every:1:4", "loses"),
            ("loss=every:0:4", "perfect"),
            ("loss=ge:0%:4", "perfect"),
            ("rate=1mbit", "loses"),
            ("rate=none:1mbit@5s", "loses"),
            ("mtu=1200", "loses"),
            ("mark=10KiB,ecn=keep:clear@5s", "perfect"),
            ("swap=1%", "corrupts"),
            ("extend=1%", "corrupts"),
            ("ack.splice=1%", "corrupts"),
            ("replay=1%:4", "duplicates, reorders by up to 8"),
            ("replay=1%:4,dup=1%:2,reorder=1%:15", "duplicates, reorders by up to 16"),
            ("bunch=20ms", "perfect"),
            ("delay=5ms,ack.bunch=20ms,jitter=reorder", "reorders"),
            ("outage=5s+2s", "loses"),
            ("truncate=1%", "corrupts"),
            ("corrupt=1%:header,dup=1%", "corrupts, duplicates"),
            ("data.reorder=1%:2,ack.reorder=1%:5", "reorders by up to 5"),
            ("delay=25ms±5ms,jitter=reorder", "reorders"),
            ("delay=25ms,jitter=reorder", "perfect"),
            ("data.delay=25ms,ack.delay=5ms,jitter=reorder", "reorders"),
        ] {
            let config: LinkConfig = text.parse().unwrap();
            assert_eq!(config.channel().to_string(), channel, "{text}");
        }
    }

    #[test]
    fn faults_for_both_classes() {
        let faults = Faults { truncate: Probability::percent(1), ..Faults::NONE };
        let config = LinkConfig::with_faults(faults.clone());
        assert_eq!((&config.data, &config.ack), (&faults, &faults));
        assert_eq!(config.to_string(), "truncate=1%");
    }
}
