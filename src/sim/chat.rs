//! Thousands of chatters in virtual time: connections that break, a server that is killed and
//! started again, and books about who was shown what.

use alloc::{
    collections::{BTreeMap, BinaryHeap},
    format,
    string::ToString,
    vec,
    vec::Vec,
};
use core::{cmp::Reverse, fmt, net::Ipv4Addr, time::Duration};

use crate::{
    app::chat::{
        Client, ClientConfig, Event, Frames, Lane, PeerId, Server, ServerLimits, Wire, millis,
    },
    rng::{Rng, Seed},
    time::Instant,
};

/// A run of the chat in virtual time, over carriers that deliver bytes in order, in pieces of any
/// size, until they break.
///
/// ```
/// use rdtp::sim::Chat;
///
/// let report = Chat { chatters: 40, cuts: 10, restarts: 1, ..Chat::default() }.run();
/// assert!(report.is_good(), "{report}");
/// assert_eq!(report.said, 40 * 3);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Chat {
    /// Users.
    pub chatters: u32,
    /// Users in each room.
    pub room_members: u32,
    /// Messages that each of them says to its room.
    pub messages: u32,
    /// Connections that break at some time.
    pub cuts: u32,
    /// Times that the server is killed, and started again a third of a second later.
    pub restarts: u32,
    /// One-way delay of every connection.
    pub delay: Duration,
    /// How long they talk.
    pub span: Duration,
    /// Where all chance comes from.
    pub seed: Seed,
}

impl Default for Chat {
    fn default() -> Self {
        Self {
            chatters: 200,
            room_members: 20,
            messages: 3,
            cuts: 0,
            restarts: 0,
            delay: Duration::from_millis(20),
            span: Duration::from_secs(30),
            seed: Seed::new(1),
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatReport {
    /// Messages that were taken from users.
    pub said: u64,
    /// Of those, confirmed to have arrived everywhere.
    pub delivered: u64,
    /// Times that a message was shown.
    pub shown: u64,
    /// Times that a message was shown to somebody who had seen it.
    pub twice: u64,
    /// Times that somebody was never shown a message of the room.
    pub missing: u64,
    /// Times that the messages of one user were shown in another order.
    pub disordered: u64,
    /// Connections that broke or were refused.
    pub broken: u64,
    /// Frames and pieces of frames that travelled.
    pub pieces: u64,
    /// From being said to being shown: the median, 99 of 100, and the longest.
    pub latency: [Duration; 3],
    /// Virtual time of the whole run.
    pub time: Duration,
}

impl ChatReport {
    /// Whether everybody was shown everything once, in order, and everything was confirmed.
    pub fn is_good(&self) -> bool {
        self.twice == 0 && self.missing == 0 && self.disordered == 0 && self.delivered == self.said
    }
}

impl fmt::Display for ChatReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, high, longest] = self.latency.map(millis);
        write!(
            f,
            "{} messages said, {} confirmed, shown {} times: {} twice, {} missing, {} out of \
             order; {} connections broken, {} pieces, latency {median} median, {high} p99, \
             {longest} longest, {}.{:03} s of virtual time",
            self.said,
            self.delivered,
            self.shown,
            self.twice,
            self.missing,
            self.disordered,
            self.broken,
            self.pieces,
            self.time.as_secs(),
            self.time.subsec_millis()
        )
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Wake(u32),
    WakeServer,
    /// Bytes arrive on the connection of that generation.
    ToServer(u32, u32, Vec<u8>),
    ToClient(u32, u32, Vec<u8>),
    Up(u32, u32),
    Down(u32, u32),
    Say(u32),
    Cut(u32),
    Kill,
    Start(u32),
}

struct Chatter {
    client: Client,
    /// Of its connection; another number for each.
    generation: u32,
    connected: bool,
    armed: Option<Instant>,
    joined: bool,
    said: u32,
    delivered: u64,
    /// For each other member and message: how often it was shown.
    shown: Vec<u8>,
    /// The last message shown of each member.
    last: Vec<u32>,
}

struct Run {
    plan: Chat,
    rng: Rng,
    now: Instant,
    events: BinaryHeap<Reverse<(Instant, u64, What)>>,
    made: u64,
    server: Option<Server>,
    server_armed: Option<Instant>,
    chatters: Vec<Chatter>,
    said_at: BTreeMap<(u32, u32), Instant>,
    latencies: Vec<u64>,
    report: ChatReport,
}

impl Chat {
    /// Runs it until everything is confirmed or nothing more is to be expected.
    pub fn run(self) -> ChatReport {
        let mut run = Run::new(self);
        run.plan_ahead();
        let limit = Instant::ZERO + self.span + Duration::from_mins(2);
        while let Some(Reverse((at, _, what))) = run.events.pop()
            && at <= limit
        {
            run.now = at;
            run.happen(what);
            if at > Instant::ZERO + self.span + Duration::from_secs(10) && run.is_settled() {
                break;
            }
        }
        run.finish()
    }
}

impl Run {
    fn new(plan: Chat) -> Self {
        let places = usize::try_from(plan.room_members).unwrap_or(1).max(1);
        let cells = places * usize::try_from(plan.messages).unwrap_or_default();
        let chatter = |n: u32| {
            let mut secret = [0; 16];
            plan.seed.split("secret").index(n.into()).rng().fill(&mut secret);
            let config = ClientConfig::new(&format!("user-{n}"), secret, Wire::Stream);
            Chatter {
                client: Client::new(config),
                generation: 0,
                connected: false,
                armed: None,
                joined: false,
                said: 0,
                delivered: 0,
                shown: vec![0; cells],
                last: vec![0; places],
            }
        };
        Self {
            plan,
            rng: plan.seed.split("chat").rng(),
            now: Instant::ZERO,
            events: BinaryHeap::new(),
            made: 0,
            server: None,
            server_armed: None,
            chatters: (0..plan.chatters).map(chatter).collect(),
            said_at: BTreeMap::new(),
            latencies: Vec::new(),
            report: ChatReport {
                said: 0,
                delivered: 0,
                shown: 0,
                twice: 0,
                missing: 0,
                disordered: 0,
                broken: 0,
                pieces: 0,
                latency: [Duration::ZERO; 3],
                time: Duration::ZERO,
            },
        }
    }

    fn at(&mut self, at: Instant, what: What) {
        self.made += 1;
        self.events.push(Reverse((at, self.made, what)));
    }

    fn some_time(&mut self, from: Duration, span: Duration) -> Instant {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX).max(1);
        Instant::ZERO + from + Duration::from_nanos(self.rng.below(nanos))
    }

    /// Who says what when, and what goes wrong when. Connections break by themselves only while the
    /// server stays up: who is away when a server dies cannot be kept waiting for.
    fn plan_ahead(&mut self) {
        let span = self.plan.span;
        self.at(Instant::ZERO, What::Start(0));
        for n in 0..self.plan.chatters {
            let at = self.some_time(Duration::ZERO, Duration::from_secs(3));
            self.chatters[index(n)].armed = Some(at);
            self.at(at, What::Wake(n));
            for _ in 0..self.plan.messages {
                let at = self.some_time(Duration::from_secs(5), span);
                self.at(at, What::Say(n));
            }
        }
        let parts = 2 * (self.plan.restarts + 1);
        let part = span / parts;
        for restart in 0..self.plan.restarts {
            let at = Instant::ZERO + Duration::from_secs(5) + part * (2 * restart + 2);
            self.at(at, What::Kill);
            self.at(at + Duration::from_millis(333), What::Start(restart + 1));
        }
        for _ in 0..self.plan.cuts {
            let who = u32::try_from(self.rng.below(self.plan.chatters.into())).unwrap_or_default();
            let times = u64::from(self.plan.restarts) + 1;
            let which = u32::try_from(self.rng.below(times)).unwrap_or_default();
            let from = Duration::from_secs(5) + part * (2 * which);
            let at = self.some_time(from, part);
            self.at(at, What::Cut(who));
        }
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Wake(n) => {
                let chatter = &mut self.chatters[index(n)];
                if chatter.armed.is_some_and(|at| at <= self.now) {
                    chatter.armed = None;
                    chatter.client.handle_timeout(self.now);
                    self.serve_client(n);
                }
            }
            What::WakeServer => {
                if self.server_armed.is_some_and(|at| at <= self.now) {
                    self.server_armed = None;
                    if let Some(server) = &mut self.server {
                        server.handle_timeout(self.now);
                    }
                    self.serve_server();
                }
            }
            What::ToServer(n, generation, bytes) => self.reach_server(n, generation, &bytes),
            What::ToClient(n, generation, bytes) => {
                if self.is_current(n, generation) {
                    let client = &mut self.chatters[index(n)].client;
                    client.handle_bytes(self.now, Lane::Talk, &bytes);
                    self.serve_client(n);
                }
            }
            What::Up(n, generation) => self.up(n, generation),
            What::Down(n, generation) => {
                if self.is_current(n, generation) {
                    self.chatters[index(n)].connected = false;
                    self.chatters[index(n)].client.disconnected(self.now);
                    self.serve_client(n);
                }
            }
            What::Say(n) => self.say(n),
            What::Cut(n) => self.cut(n),
            What::Kill => self.kill(),
            What::Start(number) => {
                let mut key = [0; 16];
                self.plan.seed.split("server").index(number.into()).rng().fill(&mut key);
                self.server = Some(Server::new(ServerLimits::default(), key));
            }
        }
    }

    fn is_current(&self, n: u32, generation: u32) -> bool {
        let chatter = &self.chatters[index(n)];
        chatter.connected && chatter.generation == generation
    }

    fn reach_server(&mut self, n: u32, generation: u32, bytes: &[u8]) {
        if let (true, Some(server)) = (self.is_current(n, generation), &mut self.server) {
            server.handle_bytes(self.now, peer(n, generation), Lane::Talk, bytes);
            self.serve_server();
        }
    }

    /// A connection attempt comes to its end.
    fn up(&mut self, n: u32, generation: u32) {
        let chatter = &mut self.chatters[index(n)];
        if chatter.generation != generation {
            return;
        }
        if let Some(server) = &mut self.server {
            server.connected(self.now, peer(n, generation));
            chatter.connected = true;
            chatter.client.connected(self.now);
        } else {
            self.report.broken += 1;
            chatter.client.disconnected(self.now);
        }
        self.serve_client(n);
    }

    fn say(&mut self, n: u32) {
        let chatter = &mut self.chatters[index(n)];
        let text = chatter.said.to_string();
        self.said_at.insert((n, chatter.said), self.now);
        chatter.said += 1;
        self.report.said += 1;
        chatter.client.handle_line(self.now, &text);
        self.serve_client(n);
    }

    /// A connection breaks; each side learns of it after a while.
    fn cut(&mut self, n: u32) {
        let chatter = &mut self.chatters[index(n)];
        if !core::mem::replace(&mut chatter.connected, false) {
            return;
        }
        self.report.broken += 1;
        let generation = chatter.generation;
        chatter.client.disconnected(self.now);
        // The server may hear of the new connection before it hears of the end of the old one.
        if self.rng.below(2) == 0
            && let Some(server) = &mut self.server
        {
            server.disconnected(self.now, peer(n, generation));
            self.serve_server();
        }
        self.serve_client(n);
    }

    fn kill(&mut self) {
        self.server = None;
        self.server_armed = None;
        for n in 0..self.plan.chatters {
            let chatter = &self.chatters[index(n)];
            if chatter.connected {
                self.report.broken += 1;
                let down = What::Down(n, chatter.generation);
                self.at(self.now + self.plan.delay, down);
            }
        }
    }

    /// Takes everything from a client that it has for the network and for its user.
    fn serve_client(&mut self, n: u32) {
        let now = self.now;
        let mut bytes = Vec::new();
        let chatter = &mut self.chatters[index(n)];
        while let Some(event) = chatter.client.poll_event() {
            if let Event::Welcome { .. } = event
                && !core::mem::replace(&mut chatter.joined, true)
            {
                let room = n / self.plan.room_members.max(1);
                chatter.client.handle_line(now, &format!("/join room-{room}"));
            }
            note(chatter, &self.plan, n, &event, &mut self.report, |latency| {
                let at = self.said_at.get(&latency).copied().unwrap_or(now);
                self.latencies.push((now - at).as_nanos().try_into().unwrap_or(u64::MAX));
            });
        }
        while let Some(frame) = chatter.client.poll_talk() {
            bytes.extend_from_slice(&Frames::prefix(frame.len()));
            bytes.extend_from_slice(&frame);
        }
        let connects = chatter.client.poll_connect(now);
        if connects {
            chatter.generation += 1;
            chatter.connected = false;
        }
        let (generation, wake) = (chatter.generation, chatter.client.poll_timeout());
        if let Some(at) = wake
            && chatter.armed.is_none_or(|armed| at < armed)
        {
            chatter.armed = Some(at);
            self.at(at.max(now), What::Wake(n));
        }
        if connects {
            self.at(now + 2 * self.plan.delay, What::Up(n, generation));
        } else {
            self.travel(&bytes, |piece| What::ToServer(n, generation, piece));
        }
    }

    /// Bytes on their way, cut where it happens.
    fn travel(&mut self, bytes: &[u8], what: impl Fn(Vec<u8>) -> What) {
        let at = self.now + self.plan.delay;
        if bytes.is_empty() {
            return;
        }
        let cut = usize::try_from(self.rng.below(bytes.len() as u64)).unwrap_or_default();
        let (first, second) = bytes.split_at(cut);
        for piece in [first, second].into_iter().filter(|piece| !piece.is_empty()) {
            self.report.pieces += 1;
            self.at(at, what(piece.to_vec()));
        }
    }

    fn serve_server(&mut self) {
        let Some(server) = &mut self.server else { return };
        let mut out = Vec::new();
        while let Some(id) = server.poll_ready() {
            let mut bytes = Vec::new();
            while let Some(frame) = server.poll_talk(id) {
                bytes.extend_from_slice(&Frames::prefix(frame.len()));
                bytes.extend_from_slice(&frame);
            }
            out.push((id, bytes));
        }
        while server.poll_event().is_some() {}
        let closed: Vec<PeerId> = core::iter::from_fn(|| server.poll_closed()).collect();
        let wake = server.poll_timeout();
        for (id, bytes) in out {
            let (n, generation) = of_peer(id);
            self.travel(&bytes, |piece| What::ToClient(n, generation, piece));
        }
        for id in closed {
            let (n, generation) = of_peer(id);
            self.at(self.now + self.plan.delay, What::Down(n, generation));
        }
        if let Some(at) = wake
            && self.server_armed.is_none_or(|armed| at < armed)
        {
            self.server_armed = Some(at);
            self.at(at.max(self.now), What::WakeServer);
        }
    }

    fn is_settled(&self) -> bool {
        self.chatters.iter().all(|chatter| chatter.client.unconfirmed() == 0)
    }

    fn finish(mut self) -> ChatReport {
        let members = self.plan.room_members.max(1);
        for n in 0..self.plan.chatters {
            let chatter = &self.chatters[index(n)];
            self.report.delivered += chatter.delivered;
            let first = n / members * members;
            for other in (first..self.plan.chatters.min(first + members)).filter(|&o| o != n) {
                for message in 0..self.chatters[index(other)].said {
                    let cell = (other - first) * self.plan.messages + message;
                    self.report.missing += u64::from(chatter.shown[index(cell)] == 0);
                }
            }
        }
        self.latencies.sort_unstable();
        let rank = |share: usize| {
            let at = (self.latencies.len() * share / 100).min(self.latencies.len().max(1) - 1);
            Duration::from_nanos(self.latencies.get(at).copied().unwrap_or_default())
        };
        self.report.latency = [rank(50), rank(99), rank(100)];
        self.report.time = self.now.since_epoch();
        self.report
    }
}

/// Writes down what a user was shown.
fn note(
    chatter: &mut Chatter,
    plan: &Chat,
    n: u32,
    event: &Event,
    report: &mut ChatReport,
    mut latency: impl FnMut((u32, u32)),
) {
    match event {
        Event::Delivered { .. } => chatter.delivered += 1,
        Event::Said { from, text, .. } => {
            let other = from.strip_prefix("user-").and_then(|number| number.parse::<u32>().ok());
            let (Some(other), Ok(message)) = (other, text.parse::<u32>()) else { return };
            let first = n / plan.room_members.max(1) * plan.room_members.max(1);
            let place = other.wrapping_sub(first);
            let cell = index(place.wrapping_mul(plan.messages).wrapping_add(message));
            let Some(times) = chatter.shown.get_mut(cell) else { return };
            *times += 1;
            report.shown += 1;
            report.twice += u64::from(*times > 1);
            let last = &mut chatter.last[index(place)];
            report.disordered += u64::from(message < *last && *times == 1);
            *last = (*last).max(message + 1);
            latency((other, message));
        }
        _ => {}
    }
}

fn index(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// The peer that a chatter is to the server: its number is that of the connection.
fn peer(n: u32, generation: u32) -> PeerId {
    let ip = Ipv4Addr::from(0x0a00_0000_u32.wrapping_add(n));
    PeerId { address: (ip, 7000).into(), number: generation.into() }
}

fn of_peer(id: PeerId) -> (u32, u32) {
    let n = match id.address.ip() {
        core::net::IpAddr::V4(ip) => u32::from(ip).wrapping_sub(0x0a00_0000),
        core::net::IpAddr::V6(_) => u32::MAX,
    };
    (n, u32::try_from(id.number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_peace_everybody_is_shown_everything_at_once() {
        let plan = Chat::default();
        let report = plan.run();
        assert!(report.is_good(), "{report}");
        assert_eq!((report.said, report.shown), (600, 600 * 19), "{report}");
        assert_eq!(report.latency[2], 2 * plan.delay, "{report}");
        assert_eq!(plan.run(), report, "the same seed gives the same run");
    }

    #[test]
    fn times_are_printed_for_people() {
        let report = Chat { chatters: 20, ..Chat::default() }.run();
        let latency = [40_000_001, 540_742_821, 1_058_591_015].map(Duration::from_nanos);
        let time = Duration::from_nanos(40_016_356_949);
        let text = ChatReport { latency, time, ..report }.to_string();
        let expected = "latency 40.00 ms median, 540.74 ms p99, 1058.59 ms longest, 40.016 s of \
                        virtual time";
        assert!(text.ends_with(expected), "{text}");
    }

    #[test]
    fn broken_connections_and_a_killed_server_lose_nothing() {
        for seed in 0..6 {
            let plan = Chat { cuts: 60, restarts: 2, seed: Seed::new(seed), ..Chat::default() };
            let report = plan.run();
            assert!(report.is_good(), "seed {seed}: {report}");
            assert!(report.broken > 300, "{report}");
        }
    }
}
