//! The classroom exercise: any choices from its menu over a wire that does what it is told, and
//! its two ends among hostile peers. Whatever faults are played, the list that was sent is the list
//! that arrives, unless both sides wait for each other.

use core::{net::SocketAddr, time::Duration};

use rdtp::{
    app::lab::{Action, Client, ClientConfig, Ending, Faults, PORT, Server, ServerConfig},
    batch::Batch,
    classic::{Protocol, rdt21::Rdt21, rdt22::Rdt22, rdt30::StopAndWait},
    endpoint::{Endpoint, RecvMeta},
    rng::Seed,
    time::Instant,
};

use super::{Bytes, endpoints};

const CLIENT: SocketAddr = address(1, 50_000);
const SERVER: SocketAddr = address(2, PORT);

const fn address(host: u8, port: u16) -> SocketAddr {
    SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 0, host)), port)
}

pub(super) fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    match bytes.byte() % 4 {
        0 => Session::new(Rdt21, bytes).run(),
        1 => Session::new(Rdt22, bytes).run(),
        2 => Session::new(StopAndWait::RDT30, bytes).run(),
        _ => endpoints::exercise(bytes.0),
    }
}

struct Session<'a, P: Protocol> {
    client: Client<P>,
    server: Server<P>,
    list: Vec<i32>,
    now: Instant,
    choices: Bytes<'a>,
    /// Whether "loss" really sends nothing.
    drops: bool,
}

impl<'a, P: Protocol> Session<'a, P> {
    fn new(protocol: P, mut bytes: Bytes<'a>) -> Self {
        let drops = bytes.byte() & 1 == 1;
        let faults = if drops { Faults::Real } else { Faults::Seed };
        let config = ClientConfig { faults, ..ClientConfig::new(SERVER, CLIENT.port()) };
        let first = i32::from(bytes.byte()) + 1;
        let count = usize::from(bytes.byte() % 20);
        let list: Vec<i32> = (first..).take(count).chain([-1]).collect();
        let client = Client::new(&protocol, config, list.clone(), Seed::new(1));
        let server = Server::new(protocol, ServerConfig::default());
        Self { client, server, list, now: Instant::ZERO, choices: bytes, drops }
    }

    fn run(mut self) {
        for _ in 0..200 {
            if self.client.ending().is_some() {
                break;
            }
            // Who has no choices left sends the rest as it should be.
            let item = if self.choices.is_empty() { 0 } else { self.choices.below(16) };
            let quits = item == 15;
            let action = if quits { Action::Quit } else { Action::MENU[item % 4] };
            self.client.act(self.now, action).expect("the last step is finished");
            self.follow();
            assert_eq!(self.client.ending() == Some(Ending::Quit), quits);
        }
        self.check();
    }

    /// Until the step is finished.
    fn follow(&mut self) {
        for _ in 0..1000 {
            while self.exchange() {}
            while self.client.poll_event().is_some() || self.server.poll_event().is_some() {}
            if self.client.ready() || self.client.ending().is_some() {
                return;
            }
            let due = self.client.poll_timeout().expect("a busy client has a deadline");
            assert!(due > self.now, "deadlines are in the future");
            self.now = due.max(self.now + Duration::from_nanos(1));
            self.client.handle_timeout(self.now);
            self.server.handle_timeout(self.now);
        }
        panic!("the client does not come to rest");
    }

    /// Hands over one datagram each way; whether there was one.
    fn exchange(&mut self) -> bool {
        let mut space = [0; 512];
        let mut batch = Batch::new(&mut space);
        let asked = self.client.poll_transmit(self.now, &mut batch).is_some();
        if asked {
            let meta = RecvMeta::from(CLIENT);
            let _ = self.server.handle_datagram(self.now, meta, batch.as_bytes());
        }
        batch.clear();
        let answered = self.server.poll_transmit(self.now, &mut batch).is_some();
        if answered {
            let meta = RecvMeta::from(SERVER);
            let _ = self.client.handle_datagram(self.now, meta, batch.as_bytes());
        }
        asked || answered
    }

    fn check(&self) {
        let corrected = self.server.lists(CLIENT).map(rdtp::app::lab::Lists::corrected);
        let corrected = corrected.unwrap_or_default();
        let left: Vec<i32> = self.client.remaining().copied().collect();
        match self.client.ending() {
            Some(Ending::Done) => assert_eq!(corrected, self.list, "the list is not what arrived"),
            Some(Ending::Quit) => {
                let known = |value: &i32| corrected.contains(value) != left.contains(value);
                assert!(self.list.iter().all(known), "{corrected:?} arrived, {left:?} left");
            }
            // Without a timer nobody sends again what was dropped.
            Some(Ending::Deadlock { dropped, .. }) => assert!(dropped && self.drops),
            Some(Ending::GaveUp { .. }) => panic!("one fault for each number is no reason"),
            None => assert!(!left.is_empty(), "there is nothing left to do"),
        }
    }
}
