//! The keys of the text form: how each part of a configuration is read and printed.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    Bunch, Corruption, Delay, Duplication, Extension, Faults, HoldBack, Jitter, LinkConfig, Loss,
    Outage, Remark, Replay, Swap, Timeline,
    loss::{no_more, number},
};
use crate::quantity::ByteSize;

/// The keys that exist for each class.
#[derive(Clone, Copy)]
pub(super) enum ClassKey {
    Loss,
    Duplicate,
    Replay,
    Reorder,
    Corrupt,
    Swap,
    Splice,
    Truncate,
    Extend,
    Delay,
    Bunch,
}

impl ClassKey {
    pub(super) const ALL: [Self; 11] = [
        Self::Loss,
        Self::Duplicate,
        Self::Replay,
        Self::Reorder,
        Self::Corrupt,
        Self::Swap,
        Self::Splice,
        Self::Truncate,
        Self::Extend,
        Self::Delay,
        Self::Bunch,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Duplicate => "dup",
            Self::Replay => "replay",
            Self::Reorder => "reorder",
            Self::Corrupt => "corrupt",
            Self::Swap => "swap",
            Self::Splice => "splice",
            Self::Truncate => "truncate",
            Self::Extend => "extend",
            Self::Delay => "delay",
            Self::Bunch => "bunch",
        }
    }

    pub(super) fn show(self, faults: &Faults) -> String {
        match self {
            Self::Loss => faults.loss.to_string(),
            Self::Duplicate => faults.duplicate.to_string(),
            Self::Reorder => faults.reorder.to_string(),
            Self::Corrupt => faults.corrupt.to_string(),
            Self::Replay => faults.replay.to_string(),
            Self::Swap => faults.swap.to_string(),
            Self::Splice => faults.splice.to_string(),
            Self::Truncate => faults.truncate.to_string(),
            Self::Extend => faults.extend.to_string(),
            Self::Bunch => faults.bunch.to_string(),
            Self::Delay => faults.delay.to_string(),
        }
    }

    pub(super) fn set(self, faults: &mut Faults, text: &str) -> Result<(), String> {
        match self {
            Self::Loss => faults.loss = Loss::parse(text)?,
            Self::Duplicate => faults.duplicate = Duplication::parse(text)?,
            Self::Reorder => faults.reorder = HoldBack::parse(text)?,
            Self::Corrupt => faults.corrupt = Corruption::parse(text)?,
            Self::Replay => faults.replay = Replay::parse(text)?,
            Self::Swap => faults.swap = Swap::parse(text)?,
            Self::Splice => faults.splice = text.parse().map_err(|e| format!("{e}"))?,
            Self::Truncate => faults.truncate = text.parse().map_err(|e| format!("{e}"))?,
            Self::Extend => faults.extend = Extension::parse(text)?,
            Self::Bunch => faults.bunch = Bunch::parse(text)?,
            Self::Delay => faults.delay = Delay::parse(text)?,
        }
        Ok(())
    }
}

/// The keys that exist once for a link.
#[derive(Clone, Copy)]
pub(super) enum LinkKey {
    Jitter,
    Mtu,
    Rate,
    Queue,
    Mark,
    Ecn,
    Outage,
    Limit,
}

impl LinkKey {
    pub(super) const ALL: [Self; 8] = [
        Self::Jitter,
        Self::Mtu,
        Self::Rate,
        Self::Queue,
        Self::Mark,
        Self::Ecn,
        Self::Outage,
        Self::Limit,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Jitter => "jitter",
            Self::Mtu => "mtu",
            Self::Rate => "rate",
            Self::Queue => "queue",
            Self::Mark => "mark",
            Self::Ecn => "ecn",
            Self::Outage => "outage",
            Self::Limit => "limit",
        }
    }

    pub(super) fn show(self, link: &LinkConfig) -> String {
        match self {
            Self::Jitter => link.jitter.to_string(),
            Self::Mtu => link.mtu.show(or_none),
            Self::Rate => link.rate.show(or_none),
            Self::Queue => link.queue.to_string(),
            Self::Mark => or_none(link.mark),
            Self::Ecn => link.ecn.show(|remark| remark.to_string()),
            Self::Outage if link.outages.is_empty() => "none".into(),
            Self::Outage => {
                let outages = link.outages.iter().map(Outage::to_string);
                outages.collect::<Vec<_>>().join(":")
            }
            Self::Limit => format!("{}:{}", link.datagrams_max, link.bytes_max),
        }
    }

    pub(super) fn set(self, link: &mut LinkConfig, text: &str) -> Result<(), String> {
        match self {
            Self::Jitter => link.jitter = Jitter::parse(text)?,
            Self::Mtu => {
                link.mtu = Timeline::parse(text, |part| {
                    if part == "none" {
                        return Ok(None);
                    }
                    let mtu = part.parse().map_err(|_| {
                        format!("\"{part}\" is no length; write 1200 (bytes), or none")
                    });
                    mtu.map(Some)
                })?;
            }
            Self::Rate => {
                link.rate = Timeline::parse(text, |part| match part {
                    "none" => Ok(None),
                    rate => rate.parse().map(Some).map_err(|e| format!("{e}, or none")),
                })?;
            }
            Self::Queue => link.queue = text.parse().map_err(|e| format!("{e}"))?,
            Self::Mark if text == "none" => link.mark = None,
            Self::Mark => link.mark = Some(text.parse().map_err(|e| format!("{e}, or none"))?),
            Self::Ecn => link.ecn = Timeline::parse(text, Remark::parse)?,
            Self::Outage if text == "none" => link.outages.clear(),
            Self::Outage => {
                link.outages = text.split(':').map(Outage::parse).collect::<Result<_, _>>()?;
            }
            Self::Limit => {
                let mut parts = text.split(':');
                let datagrams = number(parts.next().unwrap_or_default(), 1)?;
                let bytes = parts.next().map(str::parse::<ByteSize>).transpose();
                let bytes = bytes.map_err(|e| format!("{e}"))?;
                no_more(parts)?;
                link.datagrams_max = usize::try_from(datagrams).unwrap_or(usize::MAX);
                link.bytes_max = bytes.unwrap_or(link.bytes_max);
            }
        }
        Ok(())
    }
}

fn or_none<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "none".into(), |value| value.to_string())
}
