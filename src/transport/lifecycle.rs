//! From opening to closed: the states of a connection, and who may move it between them.

pub use crate::trace::transport::CloseReason;
use crate::{time::Instant, wire::transport::CloseCode};

/// The states. Only this file moves between them.
///
/// ```text
///   Opening ----------+
///      | heard        | close, fault        heard: a packet that only the peer can have sent
///      v              v                     done:  three probe timeouts, so that late packets
///   Accepting -> Closing ---done--> Closed         find somebody who knows them
///      | heard        ^                ^
///      v              | close, fault   |
///   Established ------+                |
///      +---- peer closed, reset ---> Draining
///      +---- idle, unreachable -------> Closed
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Opened from here; nothing heard.
    Opening,
    /// Opened from there; the opener has not used the ID that it was given.
    Accepting,
    /// Both sides know that the other is there.
    Established,
    /// Closed from here: whatever arrives is answered with the reason.
    Closing {
        until: Instant,
    },
    /// Closed from there: nothing is sent any more.
    Draining {
        until: Instant,
    },
    Closed,
}

/// Where a connection is between its beginning and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifecycle {
    state: State,
    reason: Option<CloseReason>,
}

impl Lifecycle {
    /// Opened from this side.
    pub const fn opening() -> Self {
        Self { state: State::Opening, reason: None }
    }

    /// Opened by the peer.
    pub const fn accepting() -> Self {
        Self { state: State::Accepting, reason: None }
    }

    /// The peer has shown that it is there. True when that is news.
    pub fn on_heard(&mut self) -> bool {
        let news = matches!(self.state, State::Opening | State::Accepting);
        if news {
            self.state = State::Established;
        }
        news
    }

    /// This side closes. False when it is over already.
    pub fn close(&mut self, code: CloseCode, until: Instant) -> bool {
        self.end(State::Closing { until }, CloseReason::Local(code))
    }

    /// The peer has closed, or has forgotten the connection.
    pub fn drain(&mut self, reason: CloseReason, until: Instant) -> bool {
        let closing = matches!(self.state, State::Closing { .. });
        if closing {
            self.state = State::Draining { until };
        }
        self.end(State::Draining { until }, reason)
    }

    /// There is no point in saying anything any more.
    pub fn give_up(&mut self, reason: CloseReason) -> bool {
        self.end(State::Closed, reason)
    }

    fn end(&mut self, state: State, reason: CloseReason) -> bool {
        let alive = self.is_alive();
        if alive {
            (self.state, self.reason) = (state, Some(reason));
        }
        alive
    }

    /// Time has passed. True when nothing is left to wait for.
    pub fn on_time(&mut self, now: Instant) -> bool {
        if let State::Closing { until } | State::Draining { until } = self.state
            && until <= now
        {
            self.state = State::Closed;
        }
        self.is_closed()
    }

    /// When the end of the end has come.
    pub const fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Closing { until } | State::Draining { until } => Some(until),
            _ => None,
        }
    }

    /// Whether data may be sent and received.
    pub const fn is_alive(&self) -> bool {
        matches!(self.state, State::Opening | State::Accepting | State::Established)
    }

    /// Whether nothing was heard of the peer yet, as the side that opened.
    pub const fn is_opening(&self) -> bool {
        matches!(self.state, State::Opening)
    }

    /// Whether the opener has not used the ID yet that this side gave it.
    pub const fn is_accepting(&self) -> bool {
        matches!(self.state, State::Accepting)
    }

    /// Whether both sides know that the other is there.
    pub const fn is_established(&self) -> bool {
        matches!(self.state, State::Established)
    }

    /// Whether this side has closed and says so to whoever asks.
    pub const fn is_closing(&self) -> bool {
        matches!(self.state, State::Closing { .. })
    }

    /// Whether nothing is left.
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Why it ended.
    pub const fn reason(&self) -> Option<CloseReason> {
        self.reason
    }

    /// The state's name, for traces.
    pub const fn name(&self) -> &'static str {
        match self.state {
            State::Opening => "opening",
            State::Accepting => "accepting",
            State::Established => "established",
            State::Closing { .. } => "closing",
            State::Draining { .. } => "draining",
            State::Closed => "closed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Instant = Instant::from_nanos(9);

    type Move = (&'static str, fn(&mut Lifecycle));

    const MOVES: [Move; 5] = [
        ("heard", |life| _ = life.on_heard()),
        ("close", |life| _ = life.close(CloseCode::Internal, LATER)),
        ("drain", |life| _ = life.drain(CloseReason::Reset, LATER)),
        ("give up", |life| _ = life.give_up(CloseReason::Idle)),
        ("time", |life| _ = life.on_time(LATER)),
    ];

    /// Every move from every state: the figure above, as a table.
    #[test]
    fn the_table() {
        let opening = Lifecycle::opening();
        let accepting = Lifecycle::accepting();
        let after = |start: Lifecycle, move_: fn(&mut Lifecycle)| {
            let mut life = start;
            move_(&mut life);
            life
        };
        let established = after(opening, MOVES[0].1);
        let closing = after(established, MOVES[1].1);
        let draining = after(established, MOVES[2].1);
        let closed = after(established, MOVES[3].1);
        let table = [
            (opening, ["established", "closing", "draining", "closed", "opening"]),
            (accepting, ["established", "closing", "draining", "closed", "accepting"]),
            (established, ["established", "closing", "draining", "closed", "established"]),
            (closing, ["closing", "closing", "draining", "closing", "closed"]),
            (draining, ["draining", "draining", "draining", "draining", "closed"]),
            (closed, ["closed"; 5]),
        ];
        for (start, expected) in table {
            let got = MOVES.map(|(_, move_)| after(start, move_).name());
            assert_eq!(got, expected, "from {}", start.name());
            if let Some(reason) = start.reason() {
                assert!(MOVES.iter().all(|(_, m)| after(start, *m).reason() == Some(reason)));
            }
        }
    }
}
