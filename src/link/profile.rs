//! The text form of a bad network, used everywhere: in options, in reports, in tests.

use alloc::{format, string::String, vec::Vec};
use core::{fmt, str::FromStr};

use super::{
    Class, Faults, Link, LinkConfig,
    keys::{ClassKey, LinkKey},
};
use crate::{channel::Channel, rng::Seed};

/// A bad network between two sides: one link for each direction.
///
/// Its text is a list of `key=value`, parted by commas:
///
/// | key | values | meaning |
/// |---|---|---|
/// | `loss` | `20%`, `ge:5%:8`, `every:1:4`, `at:3:7:9` | see [`Loss`](super::Loss) |
/// | `dup` | `5%`, `5%:2` | see [`Duplication`](super::Duplication) |
/// | `replay` | `1%`, `1%:64`, `1%:64:10s` | see [`Replay`](super::Replay) |
/// | `reorder` | `10%`, `10%:3`, `10%:3:100ms` | see [`HoldBack`](super::HoldBack) |
/// | `corrupt` | `1%`, `1%:3`, `1%:header` | see [`Corruption`](super::Corruption) |
/// | `swap` | `1%`, `1%:2` | see [`Swap`](super::Swap) |
/// | `splice` | `1%` | the tail of one of the last 16 datagrams |
/// | `truncate` | `1%` | bytes cut off the end |
/// | `extend` | `1%`, `1%:100` | see [`Extension`](super::Extension) |
/// | `delay` | `25ms`, `25ms±5ms`, `25ms+-5ms`, `25ms~5ms` | see [`Delay`](super::Delay) |
/// | `bunch` | `20ms` | see [`Bunch`](super::Bunch) |
/// | `jitter` | `keep`, `reorder` | see [`Jitter`](super::Jitter) |
/// | `mtu` | `1200`, `none:1200@5s` | longer datagrams vanish; see [`Timeline`](super::Timeline) |
/// | `rate` | `10mbit`, `10mbit:1mbit@5s`, `none` | the bottleneck; see [`Timeline`](super::Timeline) |
/// | `queue` | `64KiB` | bytes that wait for it |
/// | `mark` | `32KiB`, `none` | marks with congestion (ECN) what waits behind more than that |
/// | `ecn` | `keep`, `clear`, `ect1`, `ce`, `keep:clear@5s` | what the path does to ECN fields, see [`Remark`](super::Remark) |
/// | `outage` | `5s+2s`, `5s+2s/7s`, several with `:` | see [`Outage`](super::Outage) |
/// | `limit` | `65536:64MiB` | the most datagrams and bytes on their way |
///
/// `up.` before a key means only the direction from the first side (the client), `down.` only the
/// other; `data.` only data packets, `ack.` only feedback; `up.ack.loss=5%` combines them. A later
/// entry overrides an earlier one. The name of a [preset](Self::PRESETS) may come first.
///
/// ```
/// use rdtp::link::Profile;
///
/// let profile: Profile = "lossy20,dup=5%,up.ack.loss=5%".parse()?;
/// assert_eq!(
///     profile.to_string(),
///     "up.data.loss=20%,up.ack.loss=5%,down.loss=20%,dup=5%"
/// );
/// assert_eq!(profile.to_string().parse(), Ok(profile));
/// let error = "los=20%".parse::<Profile>().unwrap_err();
/// assert!(error.to_string().starts_with("\"los\" is no key of a link; the keys are loss, dup,"));
/// # Ok::<(), rdtp::link::ProfileError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// From the first side to the second.
    pub up: LinkConfig,
    /// From the second side to the first.
    pub down: LinkConfig,
}

impl Profile {
    /// Networks by name: the name, the text it stands for, and what it is like. The figures are
    /// round and typical, not measured.
    pub const PRESETS: [(&'static str, &'static str, &'static str); 7] = [
        ("perfect", "", "delivers everything at once"),
        ("lossy20", "loss=20%", "every fifth datagram is lost"),
        ("latency530", "delay=530ms", "a constant delay of 530 ms in each direction"),
        (
            "variable-latency",
            "delay=300ms±250ms,jitter=reorder",
            "delay that varies more than the gap between packets, which therefore overtake",
        ),
        (
            "wifi",
            "loss=ge:1%:3,dup=0.1%,delay=4ms~2ms,rate=50mbit,queue=256KiB",
            "short bursts of loss, a little jitter that keeps the order",
        ),
        (
            "satellite",
            "loss=ge:0.5%:4,delay=270ms~3ms,up.rate=3mbit,down.rate=25mbit,queue=1MiB",
            "a geostationary satellite: far, asymmetric, with a deep queue",
        ),
        (
            "hostile",
            "loss=ge:20%:4,dup=10%:2,reorder=10%:5,corrupt=5%:3,truncate=1%,delay=20ms±20ms,\
             jitter=reorder,outage=10s+1s/30s",
            "every fault at once",
        ),
    ];

    /// The same link in both directions.
    pub fn symmetric(link: LinkConfig) -> Self {
        Self { down: link.clone(), up: link }
    }

    /// What one or the other direction can do to packets.
    pub fn channel(&self) -> Channel {
        self.up.channel().or(self.down.channel())
    }

    /// The links from the first side and from the second; each has random streams of its own.
    pub fn links<T>(&self, seed: Seed) -> [Link<T>; 2] {
        [(&self.up, "up"), (&self.down, "down")]
            .map(|(config, way)| Link::new(config.clone(), seed.split(way)))
    }

    fn preset(name: &str) -> Option<Result<Self, ProfileError>> {
        let (.., text, _) = Self::PRESETS.iter().find(|(preset, ..)| *preset == name)?;
        Some(Self::default().with(text))
    }

    /// Applies entries of the text form.
    fn with(mut self, text: &str) -> Result<Self, ProfileError> {
        for (index, entry) in text.split(',').map(str::trim).enumerate() {
            if entry.is_empty() && text.trim().is_empty() {
                break;
            }
            match entry.split_once('=') {
                Some((key, value)) => self.set(key.trim(), value.trim())?,
                None if index > 0 => return Err(ProfileError::Entry(entry.into())),
                None => match Self::preset(entry) {
                    Some(preset) => self = preset?,
                    None => return Err(ProfileError::Preset(entry.into())),
                },
            }
        }
        Ok(self)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), ProfileError> {
        let mut scope = Scope::default();
        let mut name = key;
        while let Some((prefix, rest)) = name.split_once('.') {
            scope.narrow(prefix).ok_or_else(|| ProfileError::Key(key.into()))?;
            name = rest;
        }
        let fail = |problem| ProfileError::Value { key: key.into(), problem };
        if let Some(class_key) = ClassKey::ALL.iter().find(|class_key| class_key.name() == name) {
            for link in scope.links(self) {
                for faults in scope.classes(link) {
                    class_key.set(faults, value).map_err(fail)?;
                }
            }
            return Ok(());
        }
        let link_key = LinkKey::ALL.iter().find(|link_key| link_key.name() == name);
        let link_key = link_key.ok_or_else(|| ProfileError::Key(key.into()))?;
        if scope.class.is_some() {
            return Err(fail(format!("{name} holds for both classes; leave out data. and ack.")));
        }
        scope.links(self).into_iter().try_for_each(|link| link_key.set(link, value)).map_err(fail)
    }
}

/// Which directions and classes an entry is about; `None` means both.
#[derive(Default)]
struct Scope {
    up: Option<bool>,
    class: Option<Class>,
}

impl Scope {
    /// Takes a prefix; `None` when it is none, or contradicts an earlier one.
    fn narrow(&mut self, prefix: &str) -> Option<()> {
        match prefix {
            "up" | "down" if self.up.is_none() => self.up = Some(prefix == "up"),
            "data" if self.class.is_none() => self.class = Some(Class::Data),
            "ack" if self.class.is_none() => self.class = Some(Class::Ack),
            _ => return None,
        }
        Some(())
    }

    fn links<'a>(&self, profile: &'a mut Profile) -> Vec<&'a mut LinkConfig> {
        let Profile { up, down } = profile;
        let both = [(up, true), (down, false)].into_iter();
        both.filter(|(_, is_up)| self.up.is_none_or(|up| up == *is_up)).map(|(l, _)| l).collect()
    }

    fn classes<'a>(&self, link: &'a mut LinkConfig) -> Vec<&'a mut Faults> {
        let LinkConfig { data, ack, .. } = link;
        let both = [(data, Class::Data), (ack, Class::Ack)].into_iter();
        both.filter(|(_, here)| self.class.is_none_or(|class| class == *here))
            .map(|(faults, _)| faults)
            .collect()
    }
}

impl FromStr for Profile {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, ProfileError> {
        Self::default().with(text)
    }
}

impl FromStr for LinkConfig {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, ProfileError> {
        let Profile { up, down } = text.parse()?;
        if up == down { Ok(up) } else { Err(ProfileError::Directions) }
    }
}

/// The canonical text: what differs from a perfect network, in a fixed order, with as few prefixes
/// as possible; "perfect" when nothing differs.
impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut entries = Vec::new();
        let Self { up, down } = self;
        for key in ClassKey::ALL {
            let cells = [&up.data, &up.ack, &down.data, &down.ack].map(|it| key.show(it));
            class_entries(&mut entries, key.name(), &cells, &key.show(&Faults::NONE));
        }
        for key in LinkKey::ALL {
            let (up, down) = (key.show(up), key.show(down));
            let cells = [up.clone(), up, down.clone(), down];
            class_entries(&mut entries, key.name(), &cells, &key.show(&LinkConfig::PERFECT));
        }
        if entries.is_empty() {
            entries.push("perfect".into());
        }
        f.write_str(&entries.join(","))
    }
}

/// The canonical text of a profile with this link in both directions.
impl fmt::Display for LinkConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Profile::symmetric(self.clone()).fmt(f)
    }
}

/// The entries for one key, given its values for up and down, data and feedback.
fn class_entries(entries: &mut Vec<String>, key: &str, cells: &[String; 4], default: &str) {
    let [up_data, up_ack, down_data, down_ack] = cells;
    let mut push = |prefix: &str, value: &str| {
        if value != default {
            entries.push(format!("{prefix}{key}={value}"));
        }
    };
    match (up_data == up_ack, down_data == down_ack) {
        (true, true) if up_data == down_data => push("", up_data),
        _ if up_data == down_data && up_ack == down_ack => {
            push("data.", up_data);
            push("ack.", up_ack);
        }
        (up_same, down_same) => {
            for (side, same, data, ack) in
                [("up.", up_same, up_data, up_ack), ("down.", down_same, down_data, down_ack)]
            {
                if same {
                    push(side, data);
                } else {
                    push(&format!("{side}data."), data);
                    push(&format!("{side}ack."), ack);
                }
            }
        }
    }
}

/// Why a text is no [`Profile`] or [`LinkConfig`], and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProfileError {
    /// No such key, or prefixes that do not go together.
    Key(String),
    /// No preset of that name.
    Preset(String),
    /// Neither `key=value` nor, in the first place, a preset.
    Entry(String),
    /// The value does not fit the key.
    Value {
        /// The key, with its prefixes.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// The directions differ where a single link was asked for.
    Directions,
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => {
                write!(f, "\"{key}\" is no key of a link; the keys are ")?;
                for key in ClassKey::ALL {
                    write!(f, "{}, ", key.name())?;
                }
                for key in LinkKey::ALL {
                    write!(f, "{}, ", key.name())?;
                }
                let last = ClassKey::ALL.len();
                write!(f, "the first {last} with data. or ack. before them, all with up. or down.")
            }
            Self::Preset(name) => {
                write!(f, "\"{name}\" is no network; write key=value, or one of ")?;
                let names = Profile::PRESETS.map(|(name, ..)| name);
                f.write_str(&names.join(", "))
            }
            Self::Entry(entry) => write!(
                f,
                "\"{entry}\" is not of the form key=value (a preset is only possible at the start)"
            ),
            Self::Value { key, problem } => write!(f, "{key}: {problem}"),
            Self::Directions => f.write_str("one link has no directions; leave out up. and down."),
        }
    }
}

impl core::error::Error for ProfileError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        link::{
            Bunch, Corruption, Delay, Duplication, Extension, HoldBack, Jitter, Loss, Outage,
            Region, Remark, Replay, Swap, Timeline,
        },
        quantity::{Bandwidth, ByteSize, Probability},
    };
    use alloc::string::ToString;
    use core::time::Duration;
    use proptest::{collection::vec, option, prelude::*};

    fn error(text: &str) -> String {
        text.parse::<Profile>().unwrap_err().to_string()
    }

    #[test]
    fn entries_reach_what_they_name_and_nothing_else() {
        let profile: Profile =
            " loss=20%, up.ack.loss=5% ,down.rate=10mbit,data.dup=1%".parse().unwrap();
        let loss = |percent| Loss::Independent(Probability::percent(percent));
        let mut expected = Profile::default();
        for link in [&mut expected.up, &mut expected.down] {
            (link.data.loss, link.ack.loss) = (loss(20), loss(20));
            link.data.duplicate = Duplication { share: Probability::percent(1), copies: 1 };
        }
        expected.up.ack.loss = loss(5);
        expected.down.rate = Timeline::constant(Some(Bandwidth::new(10_000_000)));
        assert_eq!(profile, expected);
        assert_eq!("ack.up.loss=5%".parse::<Profile>(), "up.ack.loss=5%".parse());
        assert_eq!("".parse::<Profile>(), Ok(Profile::default()));
    }

    #[test]
    fn prints_the_canonical_text() {
        for (text, canonical) in [
            ("", "perfect"),
            ("perfect", "perfect"),
            ("loss=0%,dup=0.0%", "perfect"),
            ("delay=25ms+-5ms,loss=0.2", "loss=20%,delay=25ms±5ms"),
            ("up.loss=1%,down.loss=1%", "loss=1%"),
            ("up.loss=1%,down.loss=2%", "up.loss=1%,down.loss=2%"),
            ("ack.loss=1%", "ack.loss=1%"),
            ("loss=2%,up.ack.loss=0%", "up.data.loss=2%,down.loss=2%"),
            ("outage=5s+2s/7s:100s+1s", "outage=5s+2s/7s:100s+1s"),
            ("outage=5s+2s,outage=none", "perfect"),
            ("reorder=10%:3:1000ms", "reorder=10%"),
            ("corrupt=1%:1:header,limit=9", "corrupt=1%:header,limit=9:64MiB"),
            (
                "rate=10mbit:1mbit@5s:none@8s,mtu=none:1200@5000ms",
                "mtu=none:1200@5s,rate=10mbit:1mbit@5s:none@8s",
            ),
            (
                "replay=1%:8:120s,swap=1%:1,extend=2%:16,splice=3%,ack.bunch=20ms",
                "replay=1%,swap=1%,splice=3%,extend=2%,ack.bunch=20ms",
            ),
            ("wifi,loss=10%,rate=none,queue=64KiB", "loss=10%,dup=0.1%,delay=4ms~2ms"),
        ] {
            assert_eq!(text.parse::<Profile>().unwrap().to_string(), canonical, "{text}");
        }
    }

    #[test]
    fn presets_are_what_their_names_say() {
        for (name, text, about) in Profile::PRESETS {
            let profile: Profile = name.parse().unwrap();
            assert_eq!(text.parse().as_ref(), Ok(&profile), "{name}");
            assert_eq!(profile.to_string().parse().as_ref(), Ok(&profile), "{name}");
            assert!(!about.is_empty());
        }
        let can = |name: &str| name.parse::<Profile>().unwrap().channel().to_string();
        assert_eq!(can("perfect"), "perfect");
        assert_eq!(can("lossy20"), "loses");
        assert_eq!(can("latency530"), "perfect");
        assert_eq!(can("variable-latency"), "reorders");
        assert_eq!(can("wifi"), "loses, duplicates");
        assert_eq!(can("satellite"), "loses");
        assert_eq!(can("hostile"), Channel::HOSTILE.to_string());
    }

    #[test]
    fn errors_say_what_would_be_right() {
        let keys = "the keys are loss, dup, replay, reorder, corrupt, swap, splice, truncate, \
                    extend, delay, bunch, jitter, mtu, rate, queue, mark, ecn, outage, limit, the first 11 \
                    with data. or ack. before them, all with up. or down.";
        for bad in ["los", "up.down.loss", "sideways.loss", "up.up.loss", "up.", ""] {
            assert_eq!(
                error(&format!("{bad}=1%")),
                format!("\"{bad}\" is no key of a link; {keys}")
            );
        }
        let names = "perfect, lossy20, latency530, variable-latency, wifi, satellite, hostile";
        assert!(error("wify").ends_with(names));
        for prefixes in ["up.down", "up.up", "data.ack", "ack.data", "data.data", "ack.ack"] {
            let key = format!("{prefixes}.loss");
            assert!(error(&format!("{key}=1%")).starts_with(&format!("\"{key}\" is no key")));
        }
        assert!(error("loss=1%,wifi").contains("only possible at the start"));
        assert!(error("loss=1%,").contains("key=value"));
        assert!(error("up.ack.loss=20").starts_with("up.ack.loss: \"20\" is too large"));
        assert!(error("data.rate=1mbit").contains("leave out data. and ack."));
        assert!(error("rate=fast").contains("10mbit or 1gbit (bits per second), or none"));
        assert!(error("limit=0").contains("at least 1"));
        assert!(error("mtu=big").contains("write 1200 (bytes), or none"));
        assert!(error("rate=1mbit:2mbit").contains("write 2mbit@5s"));
        let one = "satellite".parse::<LinkConfig>().unwrap_err();
        assert_eq!(one, ProfileError::Directions);
    }

    fn share() -> impl Strategy<Value = Probability> {
        prop_oneof![
            Just(Probability::NEVER),
            (0..=1_000_000_000_u32).prop_map(Probability::from_parts_per_billion),
        ]
    }

    fn time() -> impl Strategy<Value = Duration> {
        (any::<u64>(), 0..64_u32).prop_map(|(nanos, shift)| Duration::from_nanos(nanos >> shift))
    }

    fn loss() -> impl Strategy<Value = Loss> {
        prop_oneof![
            share().prop_map(Loss::Independent),
            // The mean that any share can have.
            (0..=500_000_000_u32, 1..u32::MAX).prop_map(|(share, mean)| Loss::Burst {
                share: Probability::from_parts_per_billion(share),
                mean
            }),
            (0..9_u64, 9..u64::MAX).prop_map(|(lost, of)| Loss::Every { lost, of }),
            vec(1..u64::MAX, 1..9).prop_map(|list| Loss::At(list.into_iter().collect())),
        ]
    }

    fn delay() -> impl Strategy<Value = Delay> {
        prop_oneof![
            time().prop_map(Delay::Constant),
            (time(), time()).prop_map(|(a, b)| Delay::Uniform { mean: a.max(b), spread: a.min(b) }),
            (time(), time()).prop_map(|(mean, deviation)| Delay::Normal { mean, deviation }),
        ]
    }

    /// Boxed, like the others: a strategy is as large as all that it may draw, and without optimisation
    /// it is moved over the stack again and again.
    fn faults() -> BoxedStrategy<Faults> {
        let region = prop_oneof![
            Just(Region::Anywhere),
            Just(Region::Header),
            Just(Region::Payload),
            Just(Region::Checksum),
        ];
        let corrupt = (share(), 1..=Corruption::BITS_MAX, region)
            .prop_map(|(share, bits, region)| Corruption { share, bits, region });
        let duplicate = (share(), 1..=Duplication::COPIES_MAX)
            .prop_map(|(share, copies)| Duplication { share, copies });
        let reorder = (share(), 1..u32::MAX, prop_oneof![Just(HoldBack::AT_MOST), time()])
            .prop_map(|(share, packets, at_most)| HoldBack { share, packets, at_most });
        let swap = (share(), 1..=Swap::BLOCK_MAX).prop_map(|(share, block)| Swap { share, block });
        let extend = (share(), 1..=Extension::BYTES_MAX)
            .prop_map(|(share, bytes)| Extension { share, bytes });
        let replay = (share(), 1..=Replay::PACKETS_MAX, prop_oneof![Just(Replay::WITHIN), time()])
            .prop_map(|(share, packets, within)| Replay { share, packets, within });
        let mangled = (swap, extend, replay, share(), time()).boxed();
        let all = (loss(), corrupt, share(), duplicate, delay(), reorder, mangled);
        let faults =
            all.prop_map(|(loss, corrupt, truncate, duplicate, delay, reorder, mangled)| {
                let (swap, extend, replay, splice, slot) = mangled;
                Faults {
                    loss,
                    corrupt,
                    swap,
                    splice,
                    truncate,
                    extend,
                    duplicate,
                    replay,
                    delay,
                    bunch: Bunch { slot },
                    reorder,
                }
            });
        faults.boxed()
    }

    fn timeline<T: Copy + fmt::Debug + 'static>(
        value: impl Strategy<Value = T> + Clone + 'static,
    ) -> BoxedStrategy<Timeline<T>> {
        let changes = prop::collection::btree_map(1..u64::MAX, value.clone(), 0..3);
        let timeline = (value, changes).prop_map(|(first, changes)| {
            changes.into_iter().fold(Timeline::constant(first), |timeline, (at, value)| {
                timeline.then(Duration::from_nanos(at), value)
            })
        });
        timeline.boxed()
    }

    fn link_config() -> BoxedStrategy<LinkConfig> {
        let outage = (time(), time(), option::of(time())).prop_map(|(start, length, gap)| {
            let period = gap.map(|gap| length.saturating_add(gap + Duration::from_nanos(1)));
            let period = period.filter(|period| period.as_nanos() < u64::MAX.into());
            Outage { start, length, period }
        });
        let rate = timeline(option::of(any::<u64>().prop_map(Bandwidth::new)));
        let mtu = timeline(option::of(any::<u32>()));
        let remark = prop_oneof![
            Just(Remark::Keep),
            Just(Remark::Clear),
            Just(Remark::Ect1),
            Just(Remark::Ce)
        ];
        let marks = (option::of(any::<u64>().prop_map(ByteSize)), timeline(remark));
        let jitter = prop_oneof![Just(Jitter::Keep), Just(Jitter::Reorder)];
        let limit = (1..usize::MAX, any::<u64>());
        let classes = prop_oneof![
            faults().prop_map(|faults| (faults.clone(), faults)),
            (faults(), faults()),
        ];
        let all = (classes, (rate, mtu, marks), any::<u64>(), jitter, vec(outage, 0..3), limit);
        let config = all.prop_map(
            |(
                (data, ack),
                (rate, mtu, (mark, ecn)),
                queue,
                jitter,
                outages,
                (datagrams_max, bytes),
            )| {
                LinkConfig {
                    data,
                    ack,
                    mtu,
                    rate,
                    queue: ByteSize(queue),
                    mark,
                    ecn,
                    jitter,
                    outages,
                    datagrams_max,
                    bytes_max: ByteSize(bytes),
                }
            },
        );
        config.boxed()
    }

    proptest! {
        #[test]
        fn text_out_is_text_in(up in link_config(), down in link_config(), mixed: [bool; 4]) {
            let link = Profile::symmetric(up.clone());
            prop_assert_eq!(up.to_string().parse(), Ok(up.clone()));
            prop_assert_eq!(link.to_string().parse(), Ok(link));
            // Some parts equal, some not, to meet every way of printing.
            let mut profile = Profile { up, down };
            let Profile { up, down } = &mut profile;
            if mixed[0] { down.data = up.data.clone(); }
            if mixed[1] { down.ack = up.ack.clone(); }
            if mixed[2] { up.ack = up.data.clone(); }
            if mixed[3] { down.rate = up.rate.clone(); }
            prop_assert_eq!(profile.to_string().parse(), Ok(profile));
        }

        #[test]
        fn no_text_panics(text in "(up|down|data|ack|loss|delay|outage|replay|mtu|mark|ecn|rate|ge|at|[0-9.:=,%@+~/±sm]){0,20}") {
            if let Ok(profile) = text.parse::<Profile>() {
                prop_assert_eq!(profile.to_string().parse(), Ok(profile));
            }
        }
    }
}
