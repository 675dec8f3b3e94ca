//! A counterexample of the checker played to the client and the server of the exercise, in virtual
//! time, and as items of the client's menu where the menu can do it.

use core::{fmt::Write as _, time::Duration};
use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum as _;
use rdtp::{
    app::lab::{
        Action, Client, ClientConfig, ClientEvent, Ending, Faults, LAST, Server, ServerConfig,
        ServerEvent, Verdict,
    },
    batch::Batch,
    check::{Event, Played as Seen, Schedule, Trace},
    classic::{Fields, Protocol, Spec, Visitor},
    endpoint::{Disposition, Endpoint, RecvMeta, Transmit},
    link::{Course, Link, LinkConfig, Profile},
    quantity::Span,
    rng::Seed,
    sim::{Application, World},
    time::Instant,
    trace::NodeId,
};

use super::{
    super::{
        Failure,
        check::replay::{Played, comparison, without_times},
    },
    Lang, Name,
};

/// The protocols of the exercise.
pub(crate) fn protocols() -> Vec<Spec> {
    Name::value_variants().iter().map(|name| Spec::from(*name)).collect()
}

/// Plays `trace`, a counterexample to the protocol `spec`.
pub(crate) fn replay(spec: Spec, trace: &Trace) -> Result<Played, Failure> {
    spec.visit(Replay { spec, trace })
}

struct Replay<'a> {
    spec: Spec,
    trace: &'a Trace,
}

impl Visitor for Replay<'_> {
    type Output = Result<Played, Failure>;

    fn visit<P: Protocol>(self, protocol: P) -> Self::Output {
        let Self { spec, trace } = self;
        let usual = ClientConfig::new(World::<()>::address(1), World::<()>::address(0).port());
        // Between two steps the client finishes a number: it waits for answers to other copies.
        let gap = usual.settle + Duration::from_millis(100);
        let schedule = trace.schedule(gap).ok_or_else(without_times)?;
        let (timeout, patience) = (schedule.timeout, schedule.timeout);
        let config = ClientConfig { timeout, patience, ..usual };
        let mut session = Session::new(&protocol, config, trace.messages);
        session.lay(schedule.profile(), &schedule);
        let steps = trace.steps.iter();
        let sent = steps.filter(|step| matches!(step.event, Event::Send(_))).count();
        session.follow(&schedule, sent);
        let seen = session.seen();
        let reproduced = trace.is_reproduced(&seen);
        let verdict = session.verdict();
        let mut text = format!(
            "replay in the lab: the same faults to its client and server, with a timer of {} and \
             in virtual time\n\n{}",
            Span(timeout),
            session.talk.text
        );
        text.push_str(&session.lists());
        let _ = writeln!(text, "{verdict}\n{}\n", comparison(trace, reproduced));
        text.push_str(&by_menu(spec, trace, &protocol, usual));
        Ok(Played { reproduced, verdict, text })
    }
}

/// How a student comes to the same failure, or why not.
fn by_menu<P: Protocol>(spec: Spec, trace: &Trace, protocol: &P, config: ClientConfig) -> String {
    let (faults, actions) = match items(trace) {
        Ok(found) => found,
        Err(lacks) => {
            let lacks: Vec<_> = lacks.into_iter().collect();
            return format!(
                "the lab's menu alone cannot do this: it has no {}\n",
                lacks.join(", no ")
            );
        }
    };
    let mut session = Session::new(protocol, ClientConfig { faults, ..config }, trace.messages);
    session.lay(Profile::default(), &Schedule::default());
    session.choose(&actions);
    let script: Vec<String> = actions.iter().map(|action| item(*action).to_string()).collect();
    let mode = if faults == Faults::Real { "real" } else { "seed" };
    let command = format!("--protocol {spec} --faults {mode} --script {}", script.join(","));
    if session.fails() {
        format!(
            "by the menu of the lab: rdtp lab input 5, rdtp lab server --protocol {spec}, and\n  \
             rdtp lab client {command}\n"
        )
    } else {
        format!(
            "by the menu of the lab this does no harm ({command}): its client waits for the \
             answers to all copies of a number before it sends the next one\n"
        )
    }
}

/// The place of an item in the menu, from 1.
fn item(action: Action) -> usize {
    Action::MENU.iter().position(|item| *item == action).map_or(0, |at| at + 1)
}

/// The faults of a trace as items of the menu, or what the menu lacks for them.
fn items(trace: &Trace) -> Result<(Faults, Vec<Action>), BTreeSet<&'static str>> {
    let mut actions = Vec::new();
    // The items of packets that were sent for the first time.
    let mut first = BTreeMap::new();
    let mut faults = None;
    let mut lacks = BTreeSet::new();
    for step in &trace.steps {
        let (flight, action, mode) = match &step.event {
            Event::Send(_) => {
                first.extend(step.sent.first().map(|flight| (flight.id, actions.len())));
                actions.push(Action::Correct);
                continue;
            }
            Event::Timeout { early, .. } => {
                lacks.extend(early.then_some("timer that runs out too early"));
                continue;
            }
            Event::Arrive { overtakes, .. } => {
                lacks.extend((*overtakes > 0).then_some("packet that overtakes another"));
                continue;
            }
            Event::Lose(flight) => (flight, Action::Loss, Faults::Real),
            Event::Duplicate { flight, .. } => (flight, Action::Duplicate, Faults::Real),
            Event::Corrupt(flight) => (flight, Action::Loss, Faults::Seed),
        };
        let place = first.get(&flight.id).and_then(|at: &usize| actions.get_mut(*at));
        match place.filter(|item| **item == Action::Correct) {
            Some(item) => *item = action,
            None => drop(lacks.insert("fault for answers, for copies and for what is sent again")),
        }
        if *faults.get_or_insert(mode) != mode {
            lacks.insert("damage beside true loss and true copies");
        }
    }
    if lacks.is_empty() { Ok((faults.unwrap_or_default(), actions)) } else { Err(lacks) }
}

/// Either side, so that both fit in one world.
enum Party<P: Protocol> {
    Client(Box<Client<P>>),
    Server(Server<P>),
}

enum Heard {
    Client(ClientEvent),
    Server(ServerEvent),
}

impl<P: Protocol> Endpoint for Party<P> {
    type Event = Heard;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        match self {
            Self::Client(client) => client.handle_datagram(now, meta, datagram),
            Self::Server(server) => server.handle_datagram(now, meta, datagram),
        }
    }
    fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Client(client) => client.handle_timeout(now),
            Self::Server(server) => server.handle_timeout(now),
        }
    }
    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        match self {
            Self::Client(client) => client.poll_transmit(now, batch),
            Self::Server(server) => server.poll_transmit(now, batch),
        }
    }
    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Client(client) => client.poll_timeout(),
            Self::Server(server) => server.poll_timeout(),
        }
    }
    fn poll_event(&mut self) -> Option<Heard> {
        match self {
            Self::Client(client) => client.poll_event().map(Heard::Client),
            Self::Server(server) => server.poll_event().map(Heard::Server),
        }
    }
}

/// What both sides print.
struct Talk {
    fields: Fields,
    text: String,
    confirmed: u64,
}

impl<P: Protocol> Application<Party<P>> for Talk {
    fn on_event(&mut self, now: Instant, _: NodeId, event: Heard, _: &mut Party<P>) {
        let (who, line) = match event {
            Heard::Client(event) => {
                self.confirmed += u64::from(matches!(event, ClientEvent::Confirmed { .. }));
                ("client", Lang::En.event(event, self.fields, false))
            }
            Heard::Server(ServerEvent::Arrived { peer, arrival, seq, reply }) => (
                "server",
                format!("  {}", Lang::En.arrived(peer, arrival, seq, reply, self.fields)),
            ),
            Heard::Server(ServerEvent::Quiet { .. }) => return,
        };
        if !line.is_empty() {
            let _ = write!(self.text, "{now:>12} {who}{line}");
        }
    }
}

/// A client and a server of the exercise, and what is between them.
struct Session<P: Protocol> {
    world: World<Party<P>>,
    client: NodeId,
    server: NodeId,
    list: Vec<i32>,
    patience: Duration,
    talk: Talk,
}

impl<P: Protocol> Session<P> {
    fn new(protocol: &P, config: ClientConfig, messages: u16) -> Self {
        let identifiers = (101..).take(usize::from(messages).saturating_sub(1));
        let list: Vec<i32> = identifiers.chain([LAST]).collect();
        let mut world = World::new();
        let client = Client::new(protocol, config, list.clone(), Seed::new(0));
        let client = world.add(Party::Client(Box::new(client)));
        let local_port = config.server.port();
        let server = ServerConfig { local_port, ..ServerConfig::default() };
        let server = world.add(Party::Server(Server::new(protocol.clone(), server)));
        let talk = Talk { fields: P::FIELDS, text: String::new(), confirmed: 0 };
        Self { world, client, server, list, patience: config.patience, talk }
    }

    fn lay(&mut self, profile: Profile, schedule: &Schedule) {
        let link = |config: LinkConfig, courses: &[Course]| {
            Link::new(config, Seed::new(0)).with_courses(courses.to_vec())
        };
        self.world.lay(self.client, self.server, link(profile.up, &schedule.up));
        self.world.lay(self.server, self.client, link(profile.down, &schedule.down));
    }

    fn client(&self) -> Option<&Client<P>> {
        match self.world.endpoint(self.client) {
            Party::Client(client) => Some(client),
            Party::Server(_) => None,
        }
    }

    fn run(&mut self, until: Instant) {
        self.world.run(until, &mut (), &mut self.talk);
    }

    /// Chooses an item; false when the client does not take it.
    fn act(&mut self, now: Instant, action: Action) -> bool {
        match self.world.endpoint_mut(self.client) {
            Party::Client(client) => client.act(now, action).is_ok(),
            Party::Server(_) => false,
        }
    }

    /// Sends numbers at the times of a schedule; after the first `sent` as soon as the client takes
    /// the next one.
    fn follow(&mut self, schedule: &Schedule, sent: usize) {
        for (number, &at) in schedule.sends.iter().enumerate() {
            if at > schedule.until {
                break;
            }
            self.run(at);
            self.world.pass(at);
            if number >= sent {
                self.settle(schedule.until);
            }
            if !self.act(self.world.now(), Action::Correct) {
                break;
            }
        }
        self.run(schedule.until);
    }

    /// Waits until the client takes another item, or ends.
    fn settle(&mut self, until: Instant) {
        let waits = |session: &Self| {
            session.client().is_some_and(|client| !client.ready() && client.ending().is_none())
        };
        while waits(self) && self.world.step(until, &mut (), &mut self.talk) {}
    }

    /// Chooses one item after the other, as soon as the client takes the next.
    fn choose(&mut self, actions: &[Action]) {
        for action in actions {
            if !self.act(self.world.now(), *action) {
                break;
            }
            self.settle(Instant::MAX);
        }
    }

    /// The numbers that the server took.
    fn taken(&self) -> Vec<Option<i32>> {
        let Party::Server(server) = self.world.endpoint(self.server) else { return Vec::new() };
        let lists = server.lists(World::<()>::address(0));
        let arrivals = lists.map(rdtp::app::lab::Lists::as_received).unwrap_or_default();
        let taken = arrivals.iter().filter(|arrival| arrival.verdict == Verdict::Taken);
        taken.map(|arrival| arrival.value).collect()
    }

    fn ending(&self) -> Option<Ending> {
        self.client().and_then(Client::ending)
    }

    fn seen(&self) -> Seen {
        let place = |value: i32| self.list.iter().position(|sent| *sent == value);
        let taken = self.taken();
        let finished = self.ending() == Some(Ending::Done) && taken.len() == self.list.len();
        let delivered = taken.into_iter().map(|value| value.and_then(place)).collect();
        Seen { delivered, believed: self.talk.confirmed, finished }
    }

    /// Whether a student would see that something is wrong.
    fn fails(&self) -> bool {
        let wrong = |(taken, sent): (&Option<i32>, &i32)| *taken != Some(*sent);
        let taken = self.taken();
        let lost = (taken.len() as u64) < self.talk.confirmed;
        let stuck = matches!(self.ending(), Some(Ending::Deadlock { .. } | Ending::GaveUp { .. }));
        stuck || lost || taken.iter().zip(&self.list).any(wrong)
    }

    fn lists(&self) -> String {
        let peer = World::<()>::address(0);
        match self.world.endpoint(self.server) {
            Party::Server(server) => server.lists(peer).map_or(String::new(), |lists| {
                Lang::En.lists(peer, lists, lists.looks_complete(Some(self.list.len() - 1)))
            }),
            Party::Client(_) => String::new(),
        }
    }

    fn verdict(&self) -> String {
        if let Some(ending) = self.ending() {
            return Lang::En.ending(ending, P::NAME, self.patience).trim_end().to_owned();
        }
        let taken: Vec<String> =
            self.taken().into_iter().map(|value| Lang::En.value(value)).collect();
        format!(
            "{} confirmed, and the server took {}",
            self.talk.confirmed,
            Lang::En.joined(&taken)
        )
    }
}
