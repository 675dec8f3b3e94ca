//! The threads of a swarm, and a line that says how far they are.

use core::ops::Range;
use std::{
    collections::BTreeMap,
    io::{IsTerminal as _, stderr},
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use rdtp::{
    net::Clock,
    sim::swarm::{Failure, Tally, transport},
    time::Instant,
};

use super::super::transfer::grouped;

/// Seeds that a thread takes at a time.
const PORTION: u64 = 64;
/// Between two lines of progress.
const PAUSE: Duration = Duration::from_millis(500);

/// A seed that failed.
#[derive(Clone, Debug)]
pub(super) struct BrokenSeed {
    pub(super) seed: u64,
    /// The short name of the invariant, or "panic".
    pub(super) invariant: &'static str,
    pub(super) words: String,
}

/// Counts of runs, in any order.
pub(super) trait Sum: Default + Send {
    fn add(&mut self, other: &Self);
}

impl Sum for Tally {
    fn add(&mut self, other: &Self) {
        Self::add(self, other);
    }
}

impl Sum for transport::Tally {
    fn add(&mut self, other: &Self) {
        Self::add(self, other);
    }
}

/// What came of all seeds.
#[derive(Debug, Default)]
pub(super) struct Crowd<T> {
    /// By subject, in the form that it is written in.
    pub(super) tallies: BTreeMap<String, T>,
    /// How many seeds were run, counted from the first without a gap.
    pub(super) done: u64,
    /// The failure with the lowest seed.
    pub(super) broken: Option<BrokenSeed>,
    pub(super) seconds: f64,
}

/// What a thread says after each portion.
struct Portion<T> {
    tallies: BTreeMap<String, T>,
    done: u64,
    broken: Option<BrokenSeed>,
}

/// What the threads share.
struct Shared<F> {
    /// Runs a seed: the name of what it runs, and how.
    seed: F,
    end: u64,
    /// The first seed that nobody has taken.
    next: AtomicU64,
    /// The lowest seed that failed; what lies behind it is not run any more.
    failed: AtomicU64,
    clock: Clock,
    stop_at: Option<Instant>,
}

pub(super) fn run<T: Sum, R: FnOnce() -> Result<T, Failure>>(
    seed: impl Fn(u64) -> (String, R) + Sync,
    seeds: Range<u64>,
    minutes: Option<u64>,
    threads: Option<u16>,
) -> Crowd<T> {
    let clock = Clock::start();
    let limit = minutes.map(Duration::from_mins);
    let shared = Shared {
        seed,
        end: seeds.end,
        next: AtomicU64::new(seeds.start),
        failed: AtomicU64::new(u64::MAX),
        clock,
        stop_at: limit.map(|limit| clock.now() + limit),
    };
    let processors = || thread::available_parallelism().map_or(1, NonZero::get);
    let threads = threads.map_or_else(processors, usize::from);
    let mut crowd = Crowd::default();
    let (say, hear) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads {
            let (say, shared) = (say.clone(), &shared);
            scope.spawn(move || {
                while let Some(range) = shared.take() {
                    if say.send(shared.portion(range)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(say);
        let mut progress = Progress::new(clock);
        for portion in hear {
            crowd.add(portion);
            progress.show(crowd.done);
        }
    });
    crowd.seconds = clock.now().since_epoch().as_secs_f64();
    crowd
}

impl<T: Sum> Crowd<T> {
    fn add(&mut self, portion: Portion<T>) {
        for (name, tally) in portion.tallies {
            self.tallies.entry(name).or_default().add(&tally);
        }
        self.done += portion.done;
        let lowest = |broken: &BrokenSeed| broken.seed;
        self.broken = [self.broken.take(), portion.broken].into_iter().flatten().min_by_key(lowest);
    }

    /// All subjects together.
    pub(super) fn total(&self) -> T {
        self.tallies.values().fold(T::default(), |mut sum, tally| {
            sum.add(tally);
            sum
        })
    }
}

impl<F> Shared<F> {
    /// The next portion; `None` when there is no more to do.
    fn take(&self) -> Option<Range<u64>> {
        if self.stop_at.is_some_and(|stop| self.clock.now() >= stop) {
            return None;
        }
        let after = |start: u64| Some(start.saturating_add(PORTION).min(self.end));
        let start = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after).ok()?;
        let over = start >= self.end || start > self.failed.load(Ordering::Relaxed);
        (!over).then(|| start..start.saturating_add(PORTION).min(self.end))
    }

    fn portion<T: Sum, R: FnOnce() -> Result<T, Failure>>(&self, seeds: Range<u64>) -> Portion<T>
    where
        F: Fn(u64) -> (String, R),
    {
        let mut portion: Portion<T> = Portion { tallies: BTreeMap::new(), done: 0, broken: None };
        for seed in seeds {
            let (name, run) = (self.seed)(seed);
            let run = catch_unwind(AssertUnwindSafe(run));
            let (invariant, words) = match run {
                Ok(Ok(tally)) => {
                    portion.tallies.entry(name).or_default().add(&tally);
                    portion.done += 1;
                    continue;
                }
                Ok(Err(failure)) => (failure.invariant.name(), failure.to_string()),
                Err(_) => ("panic", format!("{name}, seed {seed}: it panicked, see above")),
            };
            self.failed.fetch_min(seed, Ordering::Relaxed);
            portion.broken = Some(BrokenSeed { seed, invariant, words });
            break;
        }
        portion
    }
}

/// A line on standard error, when somebody looks.
struct Progress {
    clock: Clock,
    next: Option<Instant>,
    spoken: bool,
}

impl Progress {
    fn new(clock: Clock) -> Self {
        let next = stderr().is_terminal().then_some(Instant::ZERO + PAUSE);
        Self { clock, next, spoken: false }
    }

    fn show(&mut self, done: u64) {
        let now = self.clock.now();
        let Some(next) = self.next.filter(|next| now >= *next) else { return };
        let seconds = now.since_epoch().as_secs().max(1);
        eprint!("\r{} seeds, {} a second ", grouped(done), grouped(done / seconds));
        self.next = Some(next.max(now) + PAUSE);
        self.spoken = true;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.spoken {
            eprintln!();
        }
    }
}
