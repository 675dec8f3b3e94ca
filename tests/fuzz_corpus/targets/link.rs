//! A bad network from its text, and datagrams through it: everything offered has one end, nothing
//! comes early or before its time, limits hold, and no fault happens that the link does not
//! announce as its channel.

use core::time::Duration;

use rdtp::{
    channel::{Channel, Overtake},
    link::{ClassStats, Delivery, Link, LinkConfig, Profile},
    rng::Seed,
    time::Instant,
    wire::Codec,
};

use super::Bytes;

const OPS_MAX: usize = 200;

/// More copies of one datagram than this are the same story, only slower.
const COPIES_MAX: u32 = 20;

/// The first line is the text of the network, the rest is what happens.
pub(super) fn run(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (line, story) = data.split_at(end);
    let Ok(profile) = String::from_utf8_lossy(line).parse::<Profile>() else { return };
    let printed = profile.to_string();
    assert_eq!(printed.parse::<Profile>().as_ref(), Ok(&profile), "{printed}");
    for config in [profile.up, profile.down] {
        if config.data.duplicate.copies.max(config.ack.duplicate.copies) <= COPIES_MAX {
            Story::new(config).live(Bytes(story.get(1..).unwrap_or_default()));
        }
    }
}

struct Story {
    link: Link<u64>,
    config: LinkConfig,
    channel: Channel,
    now: Instant,
    offered: Vec<Vec<u8>>,
    /// The last delivery: when, and of which number.
    last: (Instant, u64),
}

impl Story {
    fn new(config: LinkConfig) -> Self {
        let codec = Codec::default();
        let link = Link::new(config.clone(), Seed::new(1)).with_inspect(move |b| codec.anatomy(b));
        let (channel, now) = (config.channel(), Instant::ZERO);
        Self { link, config, channel, now, offered: Vec::new(), last: (now, 0) }
    }

    fn live(mut self, mut bytes: Bytes<'_>) {
        for _ in 0..OPS_MAX {
            if bytes.is_empty() {
                break;
            }
            let what = bytes.byte();
            match what % 5 {
                0 | 1 => self.offer(what, &mut bytes),
                2 => self.now += Duration::from_micros(bytes.number() << (what / 16)),
                3 => self.now += Duration::from_secs(bytes.number()),
                _ => self.fetch(),
            }
            self.check();
        }
        self.finish();
    }

    fn offer(&mut self, what: u8, bytes: &mut Bytes<'_>) {
        let kind = if what & 0x10 == 0 { 0x44 } else { 0xbc };
        let len = bytes.below(256) << (what >> 5);
        let mut datagram = [0xd1, kind, what].repeat(len / 3 + 1);
        datagram.truncate(len);
        let id = self.link.offer(self.now, &datagram, self.offered.len() as u64);
        assert_eq!(id, self.offered.len() as u64, "numbers are given in order");
        self.offered.push(datagram);
    }

    fn fetch(&mut self) {
        while let Some(delivery) = self.link.poll_deliver(self.now) {
            self.arrived(&delivery);
            self.link.recycle(delivery.bytes);
        }
        let due = self.link.poll_timeout();
        assert!(due.is_none_or(|due| due > self.now), "due at {due:?}, nothing came");
    }

    fn arrived(&mut self, delivery: &Delivery<u64>) {
        let Delivery { at, offered, id, tag, bytes, .. } = delivery;
        assert!(*at <= self.now && offered <= at, "too early: {delivery:?}");
        let (last_at, last_id) = self.last;
        assert!(last_at <= *at, "out of the order of arrival: {delivery:?} after {last_at}");
        self.last = (*at, last_id.max(*id));
        assert_eq!(tag, id, "another's tag");
        let Some(sent) = usize::try_from(*id).ok().and_then(|id| self.offered.get(id)) else {
            panic!("{delivery:?} was never offered");
        };
        assert!(self.channel.corrupt || bytes == sent, "unannounced damage");
        let in_order = *id >= last_id;
        assert!(in_order || !self.channel.overtake.is_never(), "unannounced overtaking");
    }

    fn sum(&self) -> ClassStats {
        self.link.stats().data.plus(&self.link.stats().ack)
    }

    fn check(&self) {
        let sum = self.sum();
        let in_flight = self.link.in_flight();
        assert!(in_flight <= self.config.datagrams_max, "{in_flight} on their way");
        let losses = sum.outage + sum.too_large + sum.queue_full + sum.lost;
        let ends = losses + sum.link_full + sum.delivered;
        let begins = sum.offered + sum.copies + sum.replayed;
        assert_eq!(begins, ends + in_flight as u64, "{sum:?}");
        assert_eq!(sum.offered, self.offered.len() as u64);
        let again = sum.copies + sum.replayed;
        assert!(self.channel.duplicate || again == 0, "unannounced copies");
        assert!(self.channel.lose || losses == 0, "unannounced loss");
        if let Overtake::AtMost(depth) = self.channel.overtake {
            assert!(sum.depth_max <= depth, "overtaken by {}, not {depth}", sum.depth_max);
        }
    }

    /// Follows the deadlines until the link is empty.
    fn finish(&mut self) {
        // Each datagram is due at most twice: when it begins to be held, and when it leaves.
        for _ in 0..=2 * self.link.in_flight() {
            let Some(due) = self.link.poll_timeout() else { break };
            self.now = self.now.max(due);
            self.fetch();
            self.check();
        }
        assert_eq!(self.link.in_flight(), 0, "they never arrive");
    }
}
