//! Loss: which datagrams never arrive.

use alloc::{collections::BTreeSet, format, string::String, sync::Arc};
use core::fmt;

use crate::{quantity::Probability, rng::Rng, time::Instant, wire::Kind};

/// A datagram as a loss predicate sees it.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// When it was offered.
    pub now: Instant,
    /// How many of its class were offered before it, plus one.
    pub ordinal: u64,
    /// What it is, as far as its kind field tells.
    pub kind: Option<Kind>,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// A user's own rule for what to lose.
#[derive(Clone)]
pub struct Predicate(Arc<dyn Fn(&Offer<'_>) -> bool + Send + Sync>);

impl fmt::Debug for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Predicate(..)")
    }
}

/// Two predicates are equal when they are clones of one.
impl PartialEq for Predicate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Predicate {}

/// Which datagrams are lost.
///
/// In text: `20%`; `ge:5%:8` (5 % in bursts of 8 on average); `every:1:4` (the last of each 4);
/// `at:3:7:9` (the 3rd, 7th and 9th of the class).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Each with this probability, independently of all others.
    Independent(Probability),
    /// In bursts: the model of Gilbert (1960) and Elliott (1963) with two states, of which the good
    /// one loses nothing and the bad one everything.
    Burst {
        /// The share that is lost in the long run.
        share: Probability,
        /// The mean length of a burst in datagrams, at least 1.
        mean: u32,
    },
    /// The last `lost` of each group of `of`.
    Every {
        /// How many of a group are lost.
        lost: u64,
        /// The size of a group, at least 1.
        of: u64,
    },
    /// Those of these ordinals, counted from 1 within their class.
    At(BTreeSet<u64>),
    /// Those for which a function says so. Has no text form.
    Predicate(Predicate),
}

impl Loss {
    /// Nothing is lost.
    pub const NONE: Self = Self::Independent(Probability::NEVER);

    /// Loses the datagrams for which `rule` is true. For a run that can be replayed it must depend
    /// on its argument only.
    pub fn predicate(rule: impl Fn(&Offer<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self::Predicate(Predicate(Arc::new(rule)))
    }

    /// Whether it can lose anything.
    pub fn is_possible(&self) -> bool {
        match self {
            Self::Independent(share) | Self::Burst { share, .. } => !share.is_never(),
            Self::Every { lost, .. } => *lost > 0,
            Self::At(ordinals) => !ordinals.is_empty(),
            Self::Predicate(_) => true,
        }
    }

    /// The share that is lost in the long run, where that is known.
    pub fn share(&self) -> Option<Probability> {
        match self {
            Self::Independent(share) | Self::Burst { share, .. } => Some(*share),
            Self::Every { lost, of } => Some(Probability::ratio((*lost).into(), (*of).into())),
            Self::At(_) | Self::Predicate(_) => None,
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        match parts.next().unwrap_or_default() {
            "none" => no_more(parts).map(|()| Self::NONE),
            "ge" => parse_burst(parts),
            "every" => parse_every(parts),
            "at" => {
                let ordinals = parts.map(|part| number(part, 1));
                let ordinals: BTreeSet<u64> = ordinals.collect::<Result<_, _>>()?;
                if ordinals.is_empty() {
                    return Err("at needs ordinals, such as at:3:7:9".into());
                }
                Ok(Self::At(ordinals))
            }
            "predicate" => Err("a predicate can only be set in code, with Loss::predicate".into()),
            share => {
                no_more(parts)?;
                let share = share.parse().map_err(|e| format!("{e}, ge:5%:8, every:1:4 or at:3:7"));
                share.map(Self::Independent)
            }
        }
    }
}

type Parts<'a> = core::str::Split<'a, char>;

fn parse_burst(mut parts: Parts<'_>) -> Result<Loss, String> {
    let (Some(share), Some(mean)) = (parts.next(), parts.next()) else {
        return Err("ge needs a share and a mean burst length, such as ge:5%:8".into());
    };
    no_more(parts)?;
    let share: Probability = share.parse().map_err(|e| format!("{e}"))?;
    let mean = u32::try_from(number(mean, 1)?).map_err(|_| "the burst is too long")?;
    // The good state lasts mean * (1 - share) / share datagrams; less than one is impossible.
    let (lost, kept) = odds(share);
    if kept > 0 && lost > kept * u64::from(mean) {
        let least = lost.div_ceil(kept);
        return Err(format!("a loss of {share} needs a mean burst of at least {least}"));
    }
    Ok(Loss::Burst { share, mean })
}

fn parse_every(mut parts: Parts<'_>) -> Result<Loss, String> {
    let (Some(lost), Some(of)) = (parts.next(), parts.next()) else {
        return Err("every needs two numbers, such as every:1:4 for one of four".into());
    };
    no_more(parts)?;
    let (lost, of) = (number(lost, 0)?, number(of, 1)?);
    if lost > of {
        return Err(format!("cannot lose {lost} of every {of}"));
    }
    Ok(Loss::Every { lost, of })
}

pub(super) fn no_more(mut parts: Parts<'_>) -> Result<(), String> {
    parts.next().map_or(Ok(()), |part| Err(format!("\"{part}\" is one part too many")))
}

pub(super) fn number(text: &str, least: u64) -> Result<u64, String> {
    match text.parse() {
        Ok(number) if number >= least => Ok(number),
        _ => Err(format!("\"{text}\" is not a whole number of at least {least}")),
    }
}

/// Parts per billion lost and kept.
fn odds(share: Probability) -> (u64, u64) {
    let lost = share.parts_per_billion();
    (lost.into(), (Probability::ALWAYS.parts_per_billion() - lost).into())
}

/// The text form, canonical.
impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Independent(share) => write!(f, "{share}"),
            Self::Burst { share, mean } => write!(f, "ge:{share}:{mean}"),
            Self::Every { lost, of } => write!(f, "every:{lost}:{of}"),
            Self::At(ordinals) => {
                f.write_str("at")?;
                ordinals.iter().try_for_each(|ordinal| write!(f, ":{ordinal}"))
            }
            Self::Predicate(_) => f.write_str("predicate"),
        }
    }
}

/// The loss stage of one class.
#[derive(Debug)]
pub(super) struct Stage {
    rng: Rng,
    /// The state of the burst model; `None` before its first datagram.
    bad: Option<bool>,
}

impl Stage {
    pub(super) fn new(rng: Rng) -> Self {
        Self { rng, bad: None }
    }

    /// Whether this datagram is lost. A random model draws one word, the others none.
    pub(super) fn judge(&mut self, loss: &Loss, offer: &Offer<'_>) -> bool {
        match loss {
            Loss::Independent(share) if share.is_never() => false,
            Loss::Independent(share) => share.hit(&mut self.rng),
            Loss::Burst { share, mean } => self.burst(*share, *mean),
            Loss::Every { lost, of } => {
                let of = (*of).max(1);
                (offer.ordinal - 1) % of >= of - (*lost).min(of)
            }
            Loss::At(ordinals) => ordinals.contains(&offer.ordinal),
            Loss::Predicate(Predicate(rule)) => rule(offer),
        }
    }

    /// One step of the chain. It starts in its stationary distribution, so that short runs lose as
    /// much as long ones.
    fn burst(&mut self, share: Probability, mean: u32) -> bool {
        let (lost, kept) = odds(share);
        let turn_bad = match self.bad {
            None => share,
            Some(false) => Probability::ratio(lost.into(), u128::from(kept) * u128::from(mean)),
            Some(true) if kept == 0 => Probability::ALWAYS,
            Some(true) => {
                // Never 0, or the first burst would be the last.
                let leave = Probability::ratio(1, mean.into()).parts_per_billion().max(1);
                Probability::from_parts_per_billion(1_000_000_000 - leave)
            }
        };
        let bad = turn_bad.hit(&mut self.rng);
        self.bad = Some(bad);
        bad
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use alloc::{string::ToString, vec::Vec};

    fn run(loss: &Loss, seed: u64, count: u64) -> Vec<bool> {
        let mut stage = Stage::new(Seed::new(seed).rng());
        let offer = |ordinal| Offer { now: Instant::ZERO, ordinal, kind: None, bytes: b"x" };
        (1..=count).map(|ordinal| stage.judge(loss, &offer(ordinal))).collect()
    }

    fn lost(verdicts: &[bool]) -> usize {
        verdicts.iter().filter(|&&lost| lost).count()
    }

    #[test]
    fn independent_loss_comes_as_often_as_told_and_in_no_pattern() {
        let verdicts = run(&Loss::Independent(Probability::percent(20)), 1, 100_000);
        // Three standard deviations are 379.
        assert!((19_621..=20_379).contains(&lost(&verdicts)), "{}", lost(&verdicts));
        let after_loss = verdicts.windows(2).filter(|pair| pair[0]).count();
        let twice = verdicts.windows(2).filter(|pair| pair[0] && pair[1]).count();
        assert!((190..=210).contains(&(twice * 1_000 / after_loss)), "{twice} of {after_loss}");
    }

    #[test]
    fn bursts_have_the_told_share_and_the_told_mean_length() {
        for (percent, mean) in [(5, 8), (20, 3), (1, 50), (30, 1)] {
            let loss = Loss::Burst { share: Probability::percent(percent), mean };
            let verdicts = run(&loss, 2, 1_000_000);
            let (told, got) = (u64::from(percent) * 10_000, lost(&verdicts) as u64);
            assert!(got.abs_diff(told) < told / 12, "{loss}: {got}");
            let bursts = verdicts.windows(2).filter(|pair| !pair[0] && pair[1]).count() as u64;
            let hundredths = got * 100 / bursts;
            assert!(
                hundredths.abs_diff(u64::from(mean) * 100) < u64::from(mean) * 8,
                "{loss}: {hundredths}"
            );
        }
    }

    #[test]
    fn bursts_at_the_edges() {
        assert_eq!(lost(&run(&Loss::Burst { share: Probability::ALWAYS, mean: 4 }, 3, 100)), 100);
        assert_eq!(lost(&run(&Loss::Burst { share: Probability::NEVER, mean: 4 }, 3, 100)), 0);
        // Impossible, hence refused as text; in code it loses every second datagram.
        let share = Probability::percent(90);
        assert_eq!(lost(&run(&Loss::Burst { share, mean: 1 }, 3, 100)), 50);
    }

    /// So loss that is switched on later draws the same numbers however long there was none.
    #[test]
    fn no_loss_draws_nothing() {
        let half = Loss::Independent(Probability::percent(50));
        let mut stage = Stage::new(Seed::new(6).rng());
        let offer = |ordinal| Offer { now: Instant::ZERO, ordinal, kind: None, bytes: b"x" };
        assert!((1..=7).all(|ordinal| !stage.judge(&Loss::NONE, &offer(ordinal))));
        let later: Vec<bool> =
            (8..=40).map(|ordinal| stage.judge(&half, &offer(ordinal))).collect();
        assert_eq!(later, run(&half, 6, 33));
    }

    #[test]
    fn x_of_every_y_is_exact() {
        let verdicts = run(&Loss::Every { lost: 2, of: 5 }, 4, 1_000);
        for group in verdicts.chunks(5) {
            assert_eq!(group, [false, false, false, true, true]);
        }
        assert_eq!(lost(&run(&Loss::Every { lost: 1, of: 1 }, 4, 9)), 9);
        assert_eq!(lost(&run(&Loss::Every { lost: 0, of: 0 }, 4, 9)), 0);
    }

    #[test]
    fn ordinals_and_predicates_hit_exactly() {
        let at = Loss::At([3, 7, 9].into());
        let odd = Loss::predicate(|offer| offer.ordinal % 2 == 1 && offer.bytes == b"x");
        for (ordinal, (at, odd)) in (1..).zip(run(&at, 5, 10).into_iter().zip(run(&odd, 5, 10))) {
            assert_eq!((at, odd), ([3, 7, 9].contains(&ordinal), ordinal % 2 == 1));
        }
        assert_eq!(odd, odd.clone());
        assert_ne!(odd, Loss::predicate(|_| true));
    }

    #[test]
    fn refuses_nonsense_with_a_reason() {
        for (text, reason) in [
            ("ge:95%:8", "a loss of 95% needs a mean burst of at least 19"),
            ("ge:5%", "such as ge:5%:8"),
            ("ge:5%:0", "at least 1"),
            ("ge:5%:8:1", "one part too many"),
            ("every:5:4", "cannot lose 5 of every 4"),
            ("every:1", "such as every:1:4"),
            ("at", "such as at:3:7:9"),
            ("at:0", "at least 1"),
            ("20", "ge:5%:8, every:1:4 or at:3:7"),
            ("predicate", "only be set in code"),
        ] {
            let error = Loss::parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        // The limits themselves are possible.
        for text in ["ge:95%:19", "ge:50%:1", "ge:100%:3", "every:4:4", "every:0:1"] {
            assert_eq!(Loss::parse(text).map(|loss| loss.to_string()).as_deref(), Ok(text));
        }
    }
}
