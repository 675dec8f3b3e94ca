//! The checks, each as a question: is anything wrong, and how much was looked at until it showed?
//!
//! All counts can be repeated: nothing here draws a number but from fixed seeds.

use core::{net::SocketAddr, time::Duration};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::LazyLock,
};

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config as Cases, RngAlgorithm, TestRng, TestRunner},
};
use rdtp::{
    channel::{Channel, Overtake},
    check::{Model, Sweep, Verdict},
    classic::{Conversation, Event, Protocol, Role},
    link::Profile,
    rng::Seed,
    sim::World,
    time::Instant,
};

use crate::{
    drive::{Drive, Habit},
    ops,
    play::{Extra, Op, Play},
    subject::Case,
    timer,
    walk::explore,
};

/// Something wrong, after so many states, runs, cases or seeds.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) after: u64,
    pub(crate) what: String,
}

/// How much was looked at with nothing wrong, or what was found.
pub(crate) type Outcome = Result<u64, Found>;

fn found<T>(after: u64, what: impl Into<String>) -> Result<T, Found> {
    Err(Found { after, what: what.into() })
}

pub(crate) type End = Box<dyn Conversation + Send>;
pub(crate) type Ends = dyn Fn(Role, SocketAddr) -> End + Send + Sync;

/// The checks that look into machines.
pub(crate) trait Machines: Send + Sync {
    /// Holds every step in every state to the transition table.
    fn table(&self) -> Outcome;
    /// Searches everything that can happen over a channel.
    fn search(&self, over: Model) -> Outcome;
}

impl<P: Protocol + Send + Sync> Machines for P {
    fn table(&self) -> Outcome {
        // One number more than there are: garbage that passed the checksum.
        let numbers = self.modulus().count() + 1;
        let mut states = 0;
        for walked in
            [explore(self.sender::<u8>(), numbers), explore(self.receiver::<u8>(), numbers)]
        {
            match walked {
                Ok(visited) => states += visited as u64,
                Err(astray) => return found(states + astray.states as u64, astray.what),
            }
        }
        Ok(states)
    }

    fn search(&self, over: Model) -> Outcome {
        let report = over.check(self);
        match report.verdict {
            Verdict::Holds => Ok(report.states),
            verdict => found(report.states, verdict.to_string()),
        }
    }
}

/// What is checked: an honest protocol or a planted bug.
pub(crate) struct Plant {
    /// The honest protocol, in the program's words.
    pub(crate) protocol: &'static str,
    /// What the implementer did, in one line.
    pub(crate) bug: &'static str,
    /// The figure or rule that says otherwise.
    pub(crate) breaks: &'static str,
    /// What the honest protocol bears.
    pub(crate) channel: Channel,
    /// Messages, and packets in flight each way, of the search.
    pub(crate) extent: (u16, usize),
    pub(crate) machines: Option<Box<dyn Machines>>,
    pub(crate) ends: &'static Ends,
    /// Whether its timer follows `timer::LIMITS`.
    pub(crate) timed: bool,
}

/// The names of the checks, and what each counts.
pub(crate) const CHECKS: [(&str, &str); 7] = [
    ("table", "states"),
    ("search", "states"),
    ("sweep", "runs"),
    ("calls", "cases"),
    ("seeds", "seeds"),
    ("contract", "runs"),
    ("timer", "packets"),
];

impl Plant {
    /// Asks every check in turn; `None` where there is nothing that it could look at.
    pub(crate) fn examine(&self) -> [Option<Outcome>; CHECKS.len()] {
        let case = self.case();
        [
            self.machines.as_ref().map(|machines| machines.table()),
            self.machines.as_ref().map(|machines| self.search(&**machines)),
            Some(self.sweep()),
            Some(calls(&case)),
            Some(self.seeds()),
            Some(contract(&case)),
            self.timed.then(|| timer::check(self.ends)),
        ]
    }

    /// Over all that the protocol bears, and over loss alone: more faults may be more ways out (a
    /// receiver that keeps silent about duplicates may still answer a damaged one).
    fn search(&self, machines: &dyn Machines) -> Outcome {
        let (messages, capacity) = self.extent;
        let search = |channel| {
            let model = Model::over(channel).messages(messages).capacity(capacity);
            machines.search(model.states_max(STATES_MAX))
        };
        let states = search(self.channel)?;
        if !(self.channel.corrupt && self.channel.lose) {
            return Ok(states);
        }
        let further = search(Channel::PERFECT.losing());
        further
            .map(|more| states + more)
            .map_err(|found| Found { after: states + found.after, ..found })
    }

    /// The pair of ends, as the contract's tests see it.
    pub(crate) fn case(&self) -> Case {
        let ends = self.ends;
        let [a, b] = crate::subject::ADDRESSES;
        Case::new(self.bug.to_owned(), Some(self.channel), move || {
            (ends(Role::Sender, b), ends(Role::Receiver, a))
        })
    }

    /// Every placement of up to two faults on the first datagrams.
    pub(crate) fn sweep(&self) -> Outcome {
        // What is late here is later than any overtaking that finite numbers bear.
        let sweep = Sweep {
            messages: 8,
            deadline: Duration::from_secs(5),
            ..Sweep::over(Channel { duplicate: false, overtake: Overtake::NEVER, ..self.channel })
        };
        let report = sweep.run(|role, peer| Ok::<_, Found>((self.ends)(role, peer)))?;
        match report.failure {
            None => Ok(report.runs),
            Some((_, failure)) => found(report.runs, format!("{failure:?}")),
        }
    }

    /// One transfer in the simulator for each seed.
    fn seeds(&self) -> Outcome {
        for seed in 0..SEEDS {
            // The simulator panics over an endpoint that stops its time.
            let transfer = catch_unwind(AssertUnwindSafe(|| self.transfer(seed)));
            if let Err(what) = transfer.unwrap_or_else(|_| Err("the simulator gave up".into())) {
                return found(seed + 1, what);
            }
        }
        Ok(SEEDS)
    }

    fn transfer(&self, seed: u64) -> Result<(), String> {
        let (near, far) = (World::<()>::address(0), World::<()>::address(1));
        let mut world = World::new();
        let from = world.add((self.ends)(Role::Sender, far));
        let to = world.add((self.ends)(Role::Receiver, near));
        world.connect(from, to, &profile(self.channel), Seed::new(seed));
        let sender = world.endpoint_mut(from);
        for number in 0..MESSAGES {
            sender.send(Instant::ZERO, &[number]).map_err(|error| error.to_string())?;
        }
        let (mut delivered, mut wrong) = (0, None);
        world.run(LIMIT, &mut (), &mut |_, node, event, _: &mut End| match event {
            Event::Delivered(message) if node == to => {
                if message[..] != [delivered] && wrong.is_none() {
                    wrong = Some(format!("{:?} delivered as message {delivered}", &message[..]));
                }
                delivered = delivered.saturating_add(1);
            }
            Event::Acknowledged { total } if total > u64::from(delivered) && wrong.is_none() => {
                wrong = Some(format!("{total} believed delivered, {delivered} were"));
            }
            _ => {}
        });
        match wrong {
            Some(wrong) => Err(wrong),
            None if delivered == MESSAGES && world.endpoint(from).is_idle() => Ok(()),
            None => Err(format!("out of time after {delivered} messages")),
        }
    }
}

/// Far more than any honest protocol here has.
const STATES_MAX: u32 = 1_000_000;
const SEEDS: u64 = 100;
const CASES: u64 = 100;
const MESSAGES: u8 = 20;
/// For drivers with habits: all numbers and a few more.
const MESSAGES_DRIVEN: usize = 12;
const LIMIT: Instant = Instant::from_nanos(60_000_000_000);

/// A network that does what the channel may do, and keeps order.
fn profile(channel: Channel) -> Profile {
    let mut text = "delay=10ms".to_owned();
    for (on, stage) in [
        (channel.lose, ",loss=15%"),
        (channel.duplicate, ",dup=10%"),
        (channel.corrupt, ",corrupt=10%"),
    ] {
        text.push_str(if on { stage } else { "" });
    }
    text.parse().unwrap()
}

/// What proptest draws from its fixed seed.
pub(crate) fn runner() -> TestRunner {
    let config = Cases { failure_persistence: None, max_shrink_iters: 100_000, ..Cases::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// Sequences of calls, the same for every subject.
static CALLS: LazyLock<Vec<Vec<Op>>> = LazyLock::new(|| {
    let (mut runner, calls) = (runner(), ops::ops());
    (0..CASES).map(|_| calls.new_tree(&mut runner).unwrap().current()).collect()
});

/// Any calls in any order over a channel that is as bad as may be, against a FIFO queue.
pub(crate) fn obey(case: &Case, calls: &[Op]) -> Result<(), String> {
    let mut play = Play::sound(case).ok_or("it promises nothing")?;
    play.run(calls)?;
    play.finish()
}

fn calls(case: &Case) -> Outcome {
    for (n, calls) in (1..).zip(CALLS.iter()) {
        if let Err(what) = obey(case, calls) {
            return found(n, what);
        }
    }
    Ok(CALLS.len() as u64)
}

/// The rules between endpoints and drivers: transfers by drivers with habits over a network without
/// faults, and calls that must make no difference.
fn contract(case: &Case) -> Outcome {
    let habits = [
        Habit::PLAIN,
        Habit { polls_max: 1, segments_max: 1, ..Habit::PLAIN },
        Habit { late: Duration::from_millis(17), ..Habit::PLAIN },
        Habit { blocks_for: Duration::from_millis(3), ..Habit::PLAIN },
        Habit { nervous: true, ..Habit::PLAIN },
    ];
    let mut runs = 0;
    for habit in habits {
        runs += 1;
        if let Err(what) = Drive::new(case, habit, MESSAGES_DRIVEN).run() {
            return found(runs, what);
        }
    }
    let transcript = |calls: &[Op], extra| {
        let mut play = Play::wild(case, extra);
        play.run(calls).map(|()| play.transcript())
    };
    for calls in CALLS.iter().take(50) {
        runs += 1;
        let plain =
            transcript(calls, Extra::Nothing).map_err(|what| Found { after: runs, what })?;
        for extra in [Extra::Deadlines, Extra::EarlyTimeouts] {
            match transcript(calls, extra) {
                Ok(again) if again == plain => {}
                Ok(_) => return found(runs, format!("{extra:?} make a difference")),
                Err(what) => return found(runs, what),
            }
        }
    }
    Ok(runs)
}
