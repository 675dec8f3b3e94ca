//! What a link is told to do.

use alloc::vec::Vec;

use super::{Corruption, Delay, Duplication, HoldBack, Jitter, Loss, Outage};
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
    /// How many lose a part of their end (`truncate=`); the length that is left is even.
    pub truncate: Probability,
    /// Which arrive more than once (`dup=`).
    pub duplicate: Duplication,
    /// How long they travel (`delay=`).
    pub delay: Delay,
    /// Which wait for others to pass (`reorder=`).
    pub reorder: HoldBack,
}

impl Faults {
    /// None.
    pub const NONE: Self = Self {
        loss: Loss::NONE,
        corrupt: Corruption::NONE,
        truncate: Probability::NEVER,
        duplicate: Duplication::NONE,
        delay: Delay::NONE,
        reorder: HoldBack::NONE,
    };

    /// What this class can suffer, order aside.
    fn channel(&self) -> Channel {
        let reorder = &self.reorder;
        let depth = if reorder.share.is_never() { 0 } else { reorder.packets.max(1) };
        Channel {
            corrupt: !self.corrupt.share.is_never() || !self.truncate.is_never(),
            lose: self.loss.is_possible(),
            duplicate: !self.duplicate.share.is_never(),
            overtake: Overtake::AtMost(depth.into()),
        }
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
    /// The faults of data packets, and of everything that is not legible (`data.`).
    pub data: Faults,
    /// The faults of feedback: ACKs and NAKs (`ack.`).
    pub ack: Faults,
    /// How fast the bottleneck sends (`rate=`); `None` means infinitely fast. Counts the bytes of
    /// the datagram, no headers of lower layers.
    pub rate: Option<Bandwidth>,
    /// How many bytes wait for the bottleneck, beside the datagram that it is sending (`queue=`).
    pub queue: ByteSize,
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
        rate: None,
        queue: ByteSize::kib(64),
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
        let (data, ack) = (self.data.delay, self.ack.delay);
        let uneven = data.varies() || ack.varies() || data != ack;
        Channel {
            lose: held.lose || down || self.rate.is_some(),
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
            ("rate=1mbit", "loses"),
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
