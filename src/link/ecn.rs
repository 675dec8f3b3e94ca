//! What a path does to the ECN field of datagrams, whatever its queue is like.

use alloc::{format, string::String};
use core::fmt;

use crate::{ecn::Ecn, trace::Fate};

/// What becomes of the two bits (RFC 3168 section 5). Real paths do all of this.
///
/// In text: `keep`, `clear`, `ect1`, `ce`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Remark {
    /// They stay as they are, but for what the queue marks.
    #[default]
    Keep,
    /// They are cleared, which is called bleaching: marks of congestion are lost with them.
    Clear,
    /// ECT(0) becomes ECT(1): a field that somebody rewrites without understanding it.
    Ect1,
    /// Every datagram that can bear it is marked with congestion: a storm, or a fault.
    Ce,
}

impl Remark {
    const NAMES: [(&'static str, Self); 4] =
        [("keep", Self::Keep), ("clear", Self::Clear), ("ect1", Self::Ect1), ("ce", Self::Ce)];

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let found = Self::NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, remark)| *remark).ok_or_else(|| {
            format!("\"{text}\" is nothing that a path does; write keep, clear, ect1 or ce")
        })
    }

    /// The field afterwards, and what happened to it.
    pub(super) const fn apply(self, ecn: Ecn) -> (Ecn, Option<Fate>) {
        match (self, ecn) {
            (Self::Clear, Ecn::Ect0 | Ecn::Ect1 | Ecn::Ce) => (Ecn::NotEct, Some(Fate::EcnCleared)),
            (Self::Ect1, Ecn::Ect0) => (Ecn::Ect1, Some(Fate::EcnChanged)),
            (Self::Ce, Ecn::Ect0 | Ecn::Ect1) => (Ecn::Ce, Some(Fate::EcnMarked)),
            _ => (ecn, None),
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, remark)| remark == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

/// Whether a queue may mark a datagram instead of dropping it (RFC 3168 section 5).
pub(super) const fn is_capable(ecn: Ecn) -> bool {
    matches!(ecn, Ecn::Ect0 | Ecn::Ect1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{link::Link, rng::Seed, time::Instant};
    use alloc::vec::Vec;

    const ALL: [Ecn; 4] = [Ecn::NotEct, Ecn::Ect0, Ecn::Ect1, Ecn::Ce];

    /// The fields that arrive when all four are sent.
    fn through(text: &str) -> (Vec<Ecn>, Link<()>) {
        let mut link = Link::new(text.parse().unwrap(), Seed::new(1));
        for ecn in ALL {
            link.offer_marked(Instant::ZERO, b"x", ecn, ());
        }
        let out = core::iter::from_fn(|| link.poll_deliver(Instant::from_nanos(1 << 40)));
        (out.map(|delivery| delivery.ecn).collect(), link)
    }

    #[test]
    fn each_policy_does_what_it_says() {
        for (text, expected) in [
            ("perfect", ALL),
            ("ecn=clear", [Ecn::NotEct; 4]),
            ("ecn=ect1", [Ecn::NotEct, Ecn::Ect1, Ecn::Ect1, Ecn::Ce]),
            ("ecn=ce", [Ecn::NotEct, Ecn::Ce, Ecn::Ce, Ecn::Ce]),
        ] {
            assert_eq!(through(text).0, expected, "{text}");
        }
        let stats = |text| through(text).1.stats().data;
        assert_eq!(stats("ecn=clear").ecn_cleared, 3);
        assert_eq!((stats("ecn=ect1").ecn_changed, stats("ecn=ce").ecn_marked), (1, 2));
    }

    /// A thousand bytes a millisecond, and a mark for what finds more than 1500 bytes waiting.
    #[test]
    fn a_queue_marks_what_waits_behind_too_much() {
        let mut link = Link::new("rate=8mbit,mark=1500B".parse().unwrap(), Seed::new(1));
        link.set_tracing(true);
        for ecn in [Ecn::Ect0, Ecn::Ect0, Ecn::Ect0, Ecn::NotEct, Ecn::Ect1] {
            link.offer_marked(Instant::ZERO, &[0; 1000], ecn, ());
        }
        let out = core::iter::from_fn(|| link.poll_deliver(Instant::from_nanos(1 << 40)));
        let marks: Vec<_> = out.map(|delivery| delivery.ecn).collect();
        assert_eq!(marks, [Ecn::Ect0, Ecn::Ect0, Ecn::Ce, Ecn::NotEct, Ecn::Ce]);
        assert_eq!(link.stats().data.ecn_marked, 2);
        let marked = core::iter::from_fn(|| link.poll_fate());
        let marked: Vec<_> = marked.filter(|(_, fate)| *fate == Fate::EcnMarked).collect();
        assert_eq!(marked, [(2, Fate::EcnMarked), (4, Fate::EcnMarked)]);
    }

    #[test]
    fn policies_change_with_time_and_are_written_as_read() {
        let text = "ecn=keep:clear@5s:ce@8s";
        let config: crate::link::LinkConfig = text.parse().unwrap();
        assert_eq!(alloc::string::ToString::to_string(&config), text);
        let error = "ecn=never".parse::<crate::link::LinkConfig>().unwrap_err();
        assert!(alloc::string::ToString::to_string(&error).contains("keep, clear, ect1 or ce"));
    }
}
