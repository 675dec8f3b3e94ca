//! The harness has teeth: an endpoint that breaks one rule is caught.

use core::time::Duration;

use rdtp::{
    batch::Batch,
    classic::Conversation,
    endpoint::{Disposition, Endpoint, RecvMeta, Transmit},
    time::Instant,
};

use crate::{
    drive::{Drive, Habit},
    play::{Extra, Op, Play},
    subject::{ADDRESSES, App, Case, Heard},
};

/// Which rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vice {
    /// Keeps all rules.
    None,
    /// Says nothing about datagrams that are ready.
    HidesDatagrams,
    /// Acts on deadlines that have not come.
    ActsEarly,
    /// Is always due.
    Spins,
    /// Says that a batch holds more than it does.
    Overstates,
    /// Delivers each message twice.
    Repeats,
}

type Inner = Box<dyn Conversation + Send>;

/// An honest endpoint with one vice.
struct Liar {
    inner: Inner,
    vice: Vice,
    again: Option<<Inner as Endpoint>::Event>,
}

impl Endpoint for Liar {
    type Event = <Inner as Endpoint>::Event;

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) -> Disposition {
        self.inner.handle_datagram(now, meta, datagram)
    }
    fn handle_timeout(&mut self, now: Instant) {
        let early =
            if self.vice == Vice::ActsEarly { Duration::from_secs(1) } else { Duration::ZERO };
        self.inner.handle_timeout(now + early);
    }
    fn poll_transmit(&mut self, now: Instant, batch: &mut Batch<'_>) -> Option<Transmit> {
        let transmit = self.inner.poll_transmit(now, batch)?;
        let more = usize::from(self.vice == Vice::Overstates);
        Some(Transmit { size: transmit.size + more, ..transmit })
    }
    fn poll_timeout(&self) -> Option<Instant> {
        match self.vice {
            Vice::Spins => Some(Instant::ZERO),
            Vice::HidesDatagrams => None,
            _ if self.again.is_some() => Some(Instant::ZERO),
            _ => self.inner.poll_timeout(),
        }
    }
    fn poll_event(&mut self) -> Option<Self::Event> {
        self.again.take().or_else(|| {
            let event = self.inner.poll_event()?;
            self.again = (self.vice == Vice::Repeats).then(|| event.clone());
            Some(event)
        })
    }
}

impl App for Liar {
    fn offer(&mut self, now: Instant, message: &[u8]) -> bool {
        self.inner.offer(now, message)
    }
    fn hear(event: Self::Event) -> Heard {
        Inner::hear(event)
    }
}

fn case(vice: Vice) -> Case {
    let spec: rdtp::classic::Spec = "rdt3.0".parse().unwrap();
    let liar = move |peer| Liar {
        inner: spec.endpoint(rdtp::classic::Config::default(), peer).unwrap(),
        vice,
        again: None,
    };
    let ends = move || (liar(ADDRESSES[1]), liar(ADDRESSES[0]));
    Case::new(format!("{vice:?}"), Some(spec.tolerates()), ends)
}

fn drive(vice: Vice) -> Result<(), String> {
    Drive::new(&case(vice), Habit { polls_max: 1, ..Habit::PLAIN }, 5).run()
}

fn play(vice: Vice, ops: &[Op]) -> Result<(), String> {
    let case = case(vice);
    Play::wild(&case, Extra::EarlyTimeouts).run(ops)
}

#[test]
fn whoever_breaks_a_rule_is_caught() {
    let send = [
        Op::Offer { at: 0 },
        Op::Transmit { at: 0, room: 2048, segments: 1 },
        Op::Wait { millis: 10 },
        Op::Timeout { at: 0 },
    ];
    assert_eq!((drive(Vice::None), play(Vice::None, &send)), (Ok(()), Ok(())));
    let caught = |outcome: Result<(), String>, what: &str| {
        let fault = outcome.expect_err(what);
        assert!(fault.contains(what), "{fault}");
    };
    caught(drive(Vice::HidesDatagrams), "a datagram was ready");
    caught(drive(Vice::Spins), "with nothing to do");
    caught(drive(Vice::Overstates), "describes segments");
    caught(drive(Vice::Repeats), "delivered");
    caught(play(Vice::ActsEarly, &send), "too early");
    caught(play(Vice::Spins, &send), "a timer spins");
}
