//! Quantities with units and an exact text form: shares, bit rates, byte sizes, durations.
//!
//! They are what configurations are made of. Text in is text out: `Display` and `FromStr` undo each
//! other without loss, because everything is a whole number of a smallest unit.

use alloc::string::String;
use core::{fmt, str::FromStr, time::Duration};

use crate::{rng::Rng, time::nanos};

/// Why a text is no quantity, and what would be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuantityError {
    text: String,
    problem: Problem,
    expected: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    Number,
    Unit,
    Large,
    Fine,
    Zero,
}

impl fmt::Display for QuantityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, problem, expected } = self;
        let problem = match problem {
            Problem::Number => "does not start with a decimal number",
            Problem::Unit => "has no known unit",
            Problem::Large => "is too large",
            Problem::Fine => "is finer than can be represented",
            Problem::Zero => "must not be zero",
        };
        write!(f, "\"{text}\" {problem}; write {expected}")
    }
}

impl core::error::Error for QuantityError {}

/// Units by name, the largest first; several names may mean the same.
type Units = [(&'static str, u64)];

/// Splits "1.5kbit" into its number and the size of its unit, and multiplies.
fn parse(text: &str, units: &Units, expected: &'static str) -> Result<u64, QuantityError> {
    let fail = |problem| QuantityError { text: String::from(text), problem, expected };
    let trimmed = text.trim();
    let end = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(end);
    if !number.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(fail(Problem::Number));
    }
    let unit = unit.trim_start();
    let (_, scale) = units
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit))
        .ok_or_else(|| fail(Problem::Unit))?;
    scaled(number, *scale).map_err(fail)
}

/// `number` times `scale`, when that is a whole number.
fn scaled(number: &str, scale: u64) -> Result<u64, Problem> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let fraction = fraction.trim_end_matches('0');
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || number.ends_with('.') || !digits(whole) || !digits(fraction) {
        return Err(Problem::Number);
    }
    let whole: u64 = whole.parse().map_err(|_| Problem::Large)?;
    let parts = match u32::try_from(fraction.len()) {
        Ok(0) => 0,
        Ok(places @ 1..=18) => {
            let part: u64 = fraction.parse().map_err(|_| Problem::Number)?;
            let product = u128::from(part) * u128::from(scale);
            let divisor = 10_u128.pow(places);
            if !product.is_multiple_of(divisor) {
                return Err(Problem::Fine);
            }
            product / divisor
        }
        _ => return Err(Problem::Fine),
    };
    u64::try_from(u128::from(whole) * u128::from(scale) + parts).map_err(|_| Problem::Large)
}

/// Writes `value / scale` exactly; `scale` is a power of ten.
fn write_scaled(f: &mut fmt::Formatter<'_>, value: u64, scale: u64) -> fmt::Result {
    write!(f, "{}", value / scale)?;
    let (mut rest, mut place) = (value % scale, scale / 10);
    if rest > 0 {
        f.write_str(".")?;
    }
    while rest > 0 {
        write!(f, "{}", rest / place)?;
        (rest, place) = (rest % place, place / 10);
    }
    Ok(())
}

/// Writes `value` in the largest unit that it fills, all units being powers of ten.
fn write_with_unit(f: &mut fmt::Formatter<'_>, value: u64, units: &Units) -> fmt::Result {
    let fitting = units.iter().find(|(_, scale)| value >= *scale).or(units.last());
    let Some((name, scale)) = fitting else { return Ok(()) };
    write_scaled(f, value, *scale)?;
    f.write_str(name)
}

/// How often something happens, in parts per billion from 0 to 1.
///
/// ```
/// use rdtp::quantity::Probability;
///
/// let loss: Probability = "0.5%".parse()?;
/// assert_eq!(loss, "0.005".parse()?);
/// assert_eq!((loss.parts_per_billion(), loss.to_string()), (5_000_000, "0.5%".into()));
/// assert!("20".parse::<Probability>().is_err(), "more than always");
/// # Ok::<(), rdtp::quantity::QuantityError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Probability(u32);

impl Probability {
    /// It does not happen.
    pub const NEVER: Self = Self(0);
    /// It happens every time.
    pub const ALWAYS: Self = Self(Self::BILLION);
    const BILLION: u32 = 1_000_000_000;

    /// So many parts per billion; more than a billion count as [`ALWAYS`](Self::ALWAYS).
    pub const fn from_parts_per_billion(parts: u32) -> Self {
        Self(if parts > Self::BILLION { Self::BILLION } else { parts })
    }

    /// So many percent; more than 100 count as [`ALWAYS`](Self::ALWAYS).
    pub const fn percent(percent: u32) -> Self {
        Self::from_parts_per_billion(percent.saturating_mul(Self::BILLION / 100))
    }

    /// `part` of `whole`, rounded down; [`ALWAYS`](Self::ALWAYS) when it is as much or more, and
    /// [`NEVER`](Self::NEVER) when there is neither part nor whole.
    pub fn ratio(part: u128, whole: u128) -> Self {
        let parts = part.saturating_mul(u128::from(Self::BILLION)).checked_div(whole);
        let otherwise = if part == 0 { 0 } else { Self::BILLION };
        Self::from_parts_per_billion(
            parts.map_or(otherwise, |p| u32::try_from(p).unwrap_or(u32::MAX)),
        )
    }

    /// Parts per billion.
    pub const fn parts_per_billion(self) -> u32 {
        self.0
    }

    /// Whether it never happens.
    pub const fn is_never(self) -> bool {
        self.0 == 0
    }

    /// Whether it happens this time. Draws exactly one word, whatever the probability.
    pub fn hit(self, rng: &mut Rng) -> bool {
        rng.below(u64::from(Self::BILLION)) < u64::from(self.0)
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, u64::from(self.0), u64::from(Self::BILLION / 100))?;
        f.write_str("%")
    }
}

impl FromStr for Probability {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        const EXPECTED: &str = "a share such as 20%, 0.5% or 0.01, at most 100%";
        let units = [("%", u64::from(Self::BILLION / 100)), ("", u64::from(Self::BILLION))];
        let parts = parse(text, &units, EXPECTED)?;
        match u32::try_from(parts) {
            Ok(parts @ 0..=Self::BILLION) => Ok(Self(parts)),
            _ => Err(QuantityError {
                text: String::from(text),
                problem: Problem::Large,
                expected: EXPECTED,
            }),
        }
    }
}

/// A transmission rate in bits per second, never zero.
///
/// ```
/// use core::time::Duration;
/// use rdtp::quantity::Bandwidth;
///
/// let rate: Bandwidth = "10mbit".parse()?;
/// assert_eq!(rate.time_for(1250), Duration::from_millis(1));
/// assert_eq!(Bandwidth::new(1_500_000).to_string(), "1.5mbit");
/// # Ok::<(), rdtp::quantity::QuantityError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bandwidth(u64);

impl Bandwidth {
    const UNITS: [(&'static str, u64); 4] =
        [("gbit", 1_000_000_000), ("mbit", 1_000_000), ("kbit", 1_000), ("bit", 1)];

    /// So many bits per second, at least 1.
    pub const fn new(bits_per_second: u64) -> Self {
        Self(if bits_per_second == 0 { 1 } else { bits_per_second })
    }

    /// Bits per second.
    pub const fn bits_per_second(self) -> u64 {
        self.0
    }

    /// How long `bytes` take, rounded up to a nanosecond and saturating at 584 years.
    pub fn time_for(self, bytes: usize) -> Duration {
        const BIT_NANOS_PER_BYTE: u64 = 8 * 1_000_000_000;
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        // 64 bits are enough below 2 GiB, and much faster to divide.
        let nanos = if let Some(work) = bytes.checked_mul(BIT_NANOS_PER_BYTE) {
            work.div_ceil(self.0)
        } else {
            let work = u128::from(bytes) * u128::from(BIT_NANOS_PER_BYTE);
            u64::try_from(work.div_ceil(u128::from(self.0))).unwrap_or(u64::MAX)
        };
        Duration::from_nanos(nanos)
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_with_unit(f, self.0, &Self::UNITS)
    }
}

impl FromStr for Bandwidth {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        const EXPECTED: &str = "a rate such as 64kbit, 10mbit or 1gbit (bits per second)";
        match parse(text, &Self::UNITS, EXPECTED)? {
            0 => Err(QuantityError {
                text: String::from(text),
                problem: Problem::Zero,
                expected: EXPECTED,
            }),
            bits => Ok(Self(bits)),
        }
    }
}

/// A number of bytes.
///
/// ```
/// use rdtp::quantity::ByteSize;
///
/// let queue: ByteSize = "64KiB".parse()?;
/// assert_eq!(queue, ByteSize(65_536));
/// assert_eq!(ByteSize(1_500).to_string(), "1500");
/// # Ok::<(), rdtp::quantity::QuantityError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

impl ByteSize {
    const UNITS: [(&'static str, u64); 8] = [
        ("GiB", 1 << 30),
        ("GB", 1_000_000_000),
        ("MiB", 1 << 20),
        ("MB", 1_000_000),
        ("KiB", 1 << 10),
        ("kB", 1_000),
        ("", 1),
        ("B", 1),
    ];

    /// So many KiB (1024 bytes).
    pub const fn kib(kib: u64) -> Self {
        Self(kib.saturating_mul(1 << 10))
    }

    /// So many MiB (1024 KiB).
    pub const fn mib(mib: u64) -> Self {
        Self(mib.saturating_mul(1 << 20))
    }
}

/// The largest unit of which it is a whole number.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |(_, scale): &&(&str, u64)| self.0 > 0 && self.0.is_multiple_of(*scale);
        let (name, scale) = Self::UNITS.iter().find(whole).unwrap_or(&("", 1));
        write!(f, "{}{name}", self.0 / scale)
    }
}

impl FromStr for ByteSize {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        parse(text, &Self::UNITS, "a size such as 1500, 64KiB or 1MB").map(Self)
    }
}

/// A duration as text: "25ms", "1.5s", "10us".
///
/// The longest that it can say is 584 years, the range of [`Instant`](crate::time::Instant);
/// longer ones are written as that.
///
/// ```
/// use core::time::Duration;
/// use rdtp::quantity::Span;
///
/// let Span(delay) = "1.5s".parse()?;
/// assert_eq!(delay, Duration::from_millis(1_500));
/// assert_eq!(Span(Duration::from_micros(25)).to_string(), "25us");
/// # Ok::<(), rdtp::quantity::QuantityError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub Duration);

impl Span {
    const SHOWN: [(&'static str, u64); 4] =
        [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];
    const UNITS: [(&'static str, u64); 8] = [
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
        ("\u{b5}s", 1_000),  // micro sign
        ("\u{3bc}s", 1_000), // Greek mu
        ("ns", 1),
        ("min", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match nanos(self.0) {
            0 => f.write_str("0s"),
            nanos => write_with_unit(f, nanos, &Self::SHOWN),
        }
    }
}

impl FromStr for Span {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let nanos = parse(text, &Self::UNITS, "a duration such as 25ms, 1.5s or 10us")?;
        Ok(Self(Duration::from_nanos(nanos)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use alloc::string::ToString;
    use proptest::prelude::*;

    fn error<T: FromStr<Err = QuantityError> + fmt::Debug>(text: &str) -> String {
        text.parse::<T>().unwrap_err().to_string()
    }

    #[test]
    fn shares_read_as_percent_or_fraction() {
        for (text, parts) in [
            ("20%", 200_000_000),
            ("0.5%", 5_000_000),
            ("0.01", 10_000_000),
            ("1", 1_000_000_000),
            ("100%", 1_000_000_000),
            ("0", 0),
            ("0.000000001", 1),
            (" 7.50 % ", 75_000_000),
        ] {
            assert_eq!(text.parse(), Ok(Probability(parts)), "{text}");
        }
        assert_eq!(Probability(1).to_string(), "0.0000001%");
        assert_eq!(Probability::percent(250), Probability::ALWAYS);
        assert_eq!(Probability::ratio(1, 3), Probability(333_333_333));
        assert_eq!(Probability::ratio(0, 0), Probability::NEVER);
        assert_eq!(Probability::ratio(5, 0), Probability::ALWAYS);
    }

    #[test]
    fn errors_say_what_is_wrong_and_what_would_be_right() {
        let share = "write a share such as 20%, 0.5% or 0.01, at most 100%";
        assert_eq!(error::<Probability>("20"), std::format!("\"20\" is too large; {share}"));
        assert_eq!(error::<Probability>("101%"), std::format!("\"101%\" is too large; {share}"));
        assert!(error::<Probability>("0.0000000001").contains("finer"));
        for bad in ["", "x", ".5", "5.", "1.2.3", "-1", "1e3", "%"] {
            assert!(error::<Probability>(bad).contains("write a share"), "{bad}");
        }
        assert!(error::<Bandwidth>("0mbit").contains("must not be zero"));
        assert!(error::<Bandwidth>("10").contains("has no known unit; write a rate such as"));
        assert!(error::<Bandwidth>("18446744073709551615gbit").contains("too large"));
        assert!(error::<Span>("5").contains("no known unit"));
        assert!(error::<Span>("0.5ns").contains("finer"));
        assert!(error::<ByteSize>("1.5").contains("finer"));
    }

    #[test]
    fn units_multiply() {
        assert_eq!("1gbit".parse(), Ok(Bandwidth(1_000_000_000)));
        assert_eq!("1.5Mbit".parse(), Ok(Bandwidth(1_500_000)));
        assert_eq!("1.5KiB".parse(), Ok(ByteSize(1_536)));
        assert_eq!("2 MB".parse(), Ok(ByteSize(2_000_000)));
        assert_eq!("530ms".parse(), Ok(Span(Duration::from_millis(530))));
        assert_eq!("10µs".parse(), Ok(Span(Duration::from_micros(10))));
        assert_eq!("2min".parse(), Ok(Span(Duration::from_mins(2))));
        assert_eq!(Span(Duration::MAX).to_string(), "18446744073.709551615s");
    }

    #[test]
    fn transmission_times_are_rounded_up() {
        assert_eq!(Bandwidth::new(1_000_000_000).time_for(1), Duration::from_nanos(8));
        assert_eq!(Bandwidth::new(3_000_000_000).time_for(1), Duration::from_nanos(3));
        assert_eq!(Bandwidth::new(0).time_for(1), Duration::from_secs(8));
        assert_eq!(Bandwidth::new(8).time_for(0), Duration::ZERO);
        assert_eq!(Bandwidth::new(u64::MAX).time_for(usize::MAX), Duration::from_secs(8));
        assert_eq!(Bandwidth::new(1).time_for(usize::MAX), Duration::from_nanos(u64::MAX));
    }

    #[test]
    fn a_hit_draws_one_word_and_hits_as_often_as_told() {
        let (mut drawn, mut counted) = (Seed::new(1).rng(), Seed::new(1).rng());
        for share in [Probability::NEVER, Probability::percent(50), Probability::ALWAYS] {
            share.hit(&mut drawn);
            counted.next_u64();
        }
        assert_eq!(drawn.next_u64(), counted.next_u64());

        let mut rng = Seed::new(2).rng();
        let hits = (0..100_000).filter(|_| Probability::percent(20).hit(&mut rng)).count();
        assert!((19_700..20_300).contains(&hits), "{hits}");
        assert!((0..1_000).all(|_| Probability::ALWAYS.hit(&mut rng)));
        assert!((0..1_000).all(|_| !Probability::NEVER.hit(&mut rng)));
    }

    fn comes_back<T: FromStr<Err = QuantityError> + fmt::Display + fmt::Debug + PartialEq>(it: &T) {
        assert_eq!(it.to_string().parse::<T>().as_ref(), Ok(it));
    }

    proptest! {
        #[test]
        fn text_out_is_text_in(parts in 0..=1_000_000_000_u32, number: u64, shift in 0..64_u32) {
            let number = number >> shift;
            comes_back(&Probability(parts));
            comes_back(&Bandwidth::new(number));
            comes_back(&ByteSize(number));
            comes_back(&Span(Duration::from_nanos(number)));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,12}|[0-9.%a-zA-Z]{0,30}") {
            let _ = text.parse::<Probability>();
            let _ = text.parse::<Bandwidth>();
            let _ = text.parse::<ByteSize>();
            let _ = text.parse::<Span>();
        }
    }
}
