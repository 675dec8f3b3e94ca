//! A second opinion: the same machines under the model checker Stateright.
//!
//! Nothing of the crate's `check` is used here. A state is the two machines and two lists of
//! packets; what a channel may do is written down once more, as plainly as possible. Safety and
//! the shortest way to break it are Stateright's breadth-first search. Progress is not left to its
//! `eventually`, which is sound on graphs without cycles only, and retransmission is a cycle: it is
//! searched backwards from the finished states, over the steps that the model offers to Stateright.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    hash::{DefaultHasher, Hash, Hasher as _},
};

use ::stateright::{Checker as _, Model as _, Property};
use rdtp::{
    classic::{Effect, Effects, Input, Machine, Packet, SenderMachine, Visitor},
    trace::Tag,
};

use super::{
    rows::{self, Outcome, Row},
    *,
};

/// What a message becomes if nobody can notice the damage.
const GARBAGE: u16 = u16::MAX;

/// A packet on its way: as it is, or `None` for visibly damaged; and how many overtook it.
type Traveller = (Option<Packet<u16>>, u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    There,
    Back,
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Send,
    SenderTimeout(Tag),
    ReceiverTimeout(Tag),
    Arrive(Way, usize),
    Lose(Way, usize),
    Duplicate(Way, usize),
    Corrupt(Way, usize),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Run<S, R> {
    sender: S,
    receiver: R,
    sender_timers: BTreeSet<Tag>,
    receiver_timers: BTreeSet<Tag>,
    there: Vec<Traveller>,
    back: Vec<Traveller>,
    sent: u16,
    delivered: u16,
    believed: u16,
    wrong: bool,
}

/// What Stateright explores.
#[derive(Clone, Debug)]
struct Twin<S, R> {
    sender: S,
    receiver: R,
    messages: u16,
    capacity: usize,
    there: Channel,
    back: Channel,
    checksum: bool,
    /// Whether faults may befall any packet at any time; otherwise, where order is kept, only the
    /// one that would arrive next.
    anywhere: bool,
}

impl<S: SenderMachine<u16>, R: Machine<u16>> Twin<S, R> {
    fn channel(&self, way: Way) -> Channel {
        if way == Way::There { self.there } else { self.back }
    }

    fn is_finished(&self, run: &Run<S, R>) -> bool {
        run.sent == self.messages && run.delivered == self.messages && run.sender.unacked() == 0
    }

    /// Hands `input` to the sender. `None` if what it then sends has to wait for room.
    fn at_sender(&self, run: &mut Run<S, R>, input: Input<u16>) -> Option<()> {
        let (doubted, is_new) = (run.sender.unacked(), matches!(input, Input::Send(_)));
        if let Input::Expire(tag) = &input {
            run.sender_timers.remove(tag);
        }
        let mut effects = Effects::default();
        let _ = run.sender.step(input, &mut effects);
        if is_new {
            run.sent += 1;
        } else {
            let learnt = doubted.saturating_sub(run.sender.unacked());
            run.believed += u16::try_from(learnt).unwrap();
        }
        for effect in effects.drain() {
            match effect {
                Effect::Transmit(packet) => put(&mut run.there, packet, self.there, self.capacity)?,
                Effect::Start(tag) => drop(run.sender_timers.insert(tag)),
                Effect::Stop(tag) => drop(run.sender_timers.remove(&tag)),
                Effect::Deliver(_) => {}
            }
        }
        Some(())
    }

    fn at_receiver(&self, run: &mut Run<S, R>, input: Input<u16>) -> Option<()> {
        if let Input::Expire(tag) = &input {
            run.receiver_timers.remove(tag);
        }
        let mut effects = Effects::default();
        let _ = run.receiver.step(input, &mut effects);
        for effect in effects.drain() {
            match effect {
                Effect::Transmit(packet) => put(&mut run.back, packet, self.back, self.capacity)?,
                Effect::Start(tag) => drop(run.receiver_timers.insert(tag)),
                Effect::Stop(tag) => drop(run.receiver_timers.remove(&tag)),
                Effect::Deliver(message) if message == run.delivered => run.delivered += 1,
                Effect::Deliver(_) => run.wrong = true,
            }
        }
        Some(())
    }

    fn arrive(&self, run: &mut Run<S, R>, way: Way, at: usize) -> Option<()> {
        let lane = if way == Way::There { &mut run.there } else { &mut run.back };
        if let Overtake::AtMost(depth) = self.channel(way).overtake {
            for (_, overtaken) in &mut lane[..at] {
                *overtaken += 1;
                if *overtaken > depth {
                    return None;
                }
            }
        }
        let input = lane.remove(at).0.map_or(Input::ArriveCorrupt, Input::Arrive);
        match way {
            Way::There => self.at_receiver(run, input),
            Way::Back => self.at_sender(run, input),
        }
    }
}

/// Sends a packet. A full channel loses it if it may lose anything; otherwise `None`: wait.
fn put(
    lane: &mut Vec<Traveller>,
    packet: Packet<u16>,
    channel: Channel,
    room: usize,
) -> Option<()> {
    if lane.len() < room {
        lane.push((Some(packet), 0));
        return Some(());
    }
    channel.lose.then_some(())
}

fn damage(packet: Option<&Packet<u16>>, checksum: bool) -> Option<Packet<u16>> {
    match packet {
        Some(Packet::Data { seq, .. }) if !checksum => {
            Some(Packet::Data { seq: *seq, data: GARBAGE })
        }
        Some(Packet::Ack { seq }) if !checksum => Some(Packet::Nak { seq: *seq }),
        Some(Packet::Nak { seq }) if !checksum => Some(Packet::Ack { seq: *seq }),
        _ => None,
    }
}

impl<S: SenderMachine<u16>, R: Machine<u16>> ::stateright::Model for Twin<S, R> {
    type State = Run<S, R>;
    type Action = Step;

    fn init_states(&self) -> Vec<Run<S, R>> {
        vec![Run {
            sender: self.sender.clone(),
            receiver: self.receiver.clone(),
            sender_timers: BTreeSet::new(),
            receiver_timers: BTreeSet::new(),
            there: Vec::new(),
            back: Vec::new(),
            sent: 0,
            delivered: 0,
            believed: 0,
            wrong: false,
        }]
    }

    fn actions(&self, run: &Run<S, R>, steps: &mut Vec<Step>) {
        if run.sent < self.messages && run.sender.ready() {
            steps.push(Step::Send);
        }
        steps.extend(run.sender_timers.iter().copied().map(Step::SenderTimeout));
        steps.extend(run.receiver_timers.iter().copied().map(Step::ReceiverTimeout));
        for (way, lane) in [(Way::There, &run.there), (Way::Back, &run.back)] {
            let channel = self.channel(way);
            let ordered = channel.overtake.is_never();
            for at in 0..lane.len() {
                if at == 0 || !ordered {
                    steps.push(Step::Arrive(way, at));
                }
                if at > 0 && ordered && !self.anywhere {
                    continue;
                }
                if channel.lose {
                    steps.push(Step::Lose(way, at));
                }
                if channel.duplicate && lane.len() < self.capacity {
                    steps.push(Step::Duplicate(way, at));
                }
                if channel.corrupt {
                    steps.push(Step::Corrupt(way, at));
                }
            }
        }
    }

    fn next_state(&self, run: &Run<S, R>, step: Step) -> Option<Run<S, R>> {
        let mut run = run.clone();
        let next = &mut run;
        let Run { there, back, .. } = next;
        let lane = |way| if way == Way::There { there } else { back };
        match step {
            Step::Send => self.at_sender(next, Input::Send(next.sent))?,
            Step::SenderTimeout(tag) => self.at_sender(next, Input::Expire(tag))?,
            Step::ReceiverTimeout(tag) => self.at_receiver(next, Input::Expire(tag))?,
            Step::Arrive(way, at) => self.arrive(next, way, at)?,
            Step::Lose(way, at) => drop(lane(way).remove(at)),
            Step::Duplicate(way, at) => {
                let lane = lane(way);
                lane.insert(at, lane[at].clone());
            }
            Step::Corrupt(way, at) => {
                let packet = &mut lane(way)[at].0;
                *packet = damage(packet.as_ref(), self.checksum);
            }
        }
        // Where any packet may come next, their order is nothing.
        for (lane, channel) in [(&mut run.there, self.there), (&mut run.back, self.back)] {
            if channel.overtake == Overtake::Any {
                lane.sort_unstable();
            }
        }
        Some(run)
    }

    /// Nothing else is asked: while a question is open, Stateright searches on and keeps the answer
    /// that it found last to each of the others, which is not the shortest.
    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("safe", |_, run: &Run<S, R>| {
            !run.wrong && run.believed <= run.delivered
        })]
    }
}

/// What Stateright makes of a protocol.
#[derive(Debug)]
struct Opinion {
    /// Steps to something wrong.
    wrong: Option<usize>,
    states: usize,
    /// What is known of progress, if nothing is wrong.
    progress: Option<Progress>,
}

#[derive(Debug)]
struct Progress {
    /// States in which all is delivered and acknowledged.
    finished: usize,
    /// States from which nothing finishes.
    stuck: usize,
}

/// A state in 64 bits, as Stateright keeps it too.
fn fingerprint(state: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

/// How many states are finished, and from how many no finished state can be reached.
fn progress<S: SenderMachine<u16>, R: Machine<u16>>(twin: &Twin<S, R>) -> Progress {
    let mut numbers: BTreeMap<u64, usize> = BTreeMap::new();
    let mut sources: Vec<Vec<usize>> = Vec::new();
    let mut hopeful: Vec<usize> = Vec::new();
    let mut queue: VecDeque<(usize, Run<S, R>)> = VecDeque::new();
    let mut steps: Vec<(Option<usize>, Run<S, R>)> =
        twin.init_states().into_iter().map(|run| (None, run)).collect();
    loop {
        for (from, run) in steps.drain(..) {
            let new = numbers.len();
            let number = *numbers.entry(fingerprint(&run)).or_insert(new);
            if number == new {
                sources.push(Vec::new());
                if twin.is_finished(&run) {
                    hopeful.push(number);
                }
                queue.push_back((number, run));
            }
            sources[number].extend(from);
        }
        let Some((from, run)) = queue.pop_front() else { break };
        steps.extend(twin.next_states(&run).into_iter().map(|next| (Some(from), next)));
    }
    let finished = hopeful.len();
    let mut can_finish = vec![false; numbers.len()];
    while let Some(state) = hopeful.pop() {
        if !std::mem::replace(&mut can_finish[state], true) {
            hopeful.append(&mut sources[state]);
        }
    }
    Progress { finished, stuck: can_finish.iter().filter(|can| !**can).count() }
}

struct Ask {
    model: Model,
    anywhere: bool,
}

impl Visitor for Ask {
    type Output = Opinion;

    fn visit<P: Protocol>(self, protocol: P) -> Opinion {
        let twin = Twin {
            sender: protocol.sender::<u16>(),
            receiver: protocol.receiver::<u16>(),
            messages: self.model.messages,
            capacity: self.model.capacity,
            there: self.model.data,
            back: self.model.feedback,
            checksum: P::FIELDS.checksum,
            anywhere: self.anywhere,
        };
        let checker = twin.clone().checker().spawn_bfs().join();
        let wrong = checker.discovery("safe").map(|path| path.into_actions().len());
        let states = checker.unique_state_count();
        Opinion { wrong, states, progress: wrong.is_none().then(|| progress(&twin)) }
    }
}

#[track_caller]
fn agrees(row: &Row, anywhere: bool) {
    let (messages, capacity) = row.smaller.unwrap_or((row.model.messages, row.model.capacity));
    let model = row.model.messages(messages).capacity(capacity);
    let opinion = row.spec.visit(Ask { model, anywhere });
    let whole = row.smaller.is_none() && !anywhere;
    let states = row.states_elsewhere().filter(|_| whole);
    let sized = states.is_none_or(|states| states == opinion.states as u64);
    let fits = match (row.outcome, &opinion) {
        (Outcome::Unsafe { steps, .. }, opinion) => opinion.wrong == Some(steps),
        (Outcome::Holds, Opinion { progress: Some(Progress { finished, stuck }), .. }) => {
            *finished > 0 && *stuck == 0 && sized
        }
        (
            Outcome::Deadlock { stuck_states, .. },
            Opinion { progress: Some(Progress { stuck, .. }), .. },
        ) => {
            let same = stuck_states.is_none_or(|states| !whole || states == *stuck as u64);
            *stuck > 0 && same && sized
        }
        _ => false,
    };
    assert!(fits, "{row:?}: {opinion:?}");
}

#[test]
fn stateright_comes_to_the_same_verdicts_shortest_counterexamples_and_numbers_of_states() {
    for row in rows::all() {
        agrees(&row, false);
    }
}

/// That a fault can wait until its packet is the next to arrive spares states and changes nothing.
#[test]
fn faults_anywhere_in_the_channel_change_no_verdict() {
    let small = |row: &&Row| row.states.is_none_or(|states| states < 3_000);
    for row in rows::all().iter().filter(small) {
        agrees(row, true);
    }
}
