//! Where a run's seed comes from when its user names none.

use rdtp::rng::Seed;

/// The seed given, or a new one, short enough to be typed again.
#[expect(clippy::disallowed_methods, reason = "a new seed must differ from the last run's")]
pub(crate) fn given_or_new(given: Option<u64>) -> Seed {
    given.map_or_else(
        || {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            let nanos = now.map_or(0, |elapsed| elapsed.subsec_nanos() ^ std::process::id());
            Seed::new(Seed::new(nanos.into()).rng().below(1_000_000))
        },
        Seed::new,
    )
}
