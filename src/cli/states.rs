//! `--states`: a run as a strip of state diagrams.

use std::path::Path;

use rdtp::{
    capture::Strip,
    check::{Event, Trace},
    classic::{Machine, Protocol, Spec, Visitor},
    trace::Side,
};

use super::{Failure, whole};

/// Makes an empty strip of a protocol's machines.
struct Begin<'a>(&'a str);

impl Visitor for Begin<'_> {
    type Output = Result<Strip, Failure>;

    fn visit<P: Protocol>(self, protocol: P) -> Self::Output {
        let (sender, receiver) =
            (protocol.sender::<u8>().table(), protocol.receiver::<u8>().table());
        Ok(Strip::new(self.0, &sender, &receiver)?)
    }
}

/// An empty strip of this protocol's machines.
pub(crate) fn begin(spec: Spec, title: &str, whole: bool) -> Result<Strip, Failure> {
    let strip = spec.visit(Begin(title))?;
    Ok(if whole { strip.ends(usize::MAX) } else { strip })
}

/// The strip of a counterexample.
pub(crate) fn of_trace(spec: Spec, title: &str, trace: &Trace) -> Result<Strip, Failure> {
    let mut strip = begin(spec, title, true)?;
    for (number, step) in (1..).zip(&trace.steps) {
        let (number, words) = (format!("{number}."), event(trace, &step.event));
        match (step.side(), step.rule) {
            (Some(side), Some(rule)) => {
                let to = if side == Side::Sender { step.sender } else { step.receiver };
                strip.step(side, &number, &words, rule.name, to);
            }
            _ => strip.on_the_way(&number, &words),
        }
    }
    Ok(strip)
}

/// What happens, without what comes of it.
fn event(trace: &Trace, event: &Event) -> String {
    let name = |flight: &rdtp::check::Flight| trace.name(&flight.packet);
    match event {
        Event::Send(message) => format!("{message} from above"),
        Event::Timeout { early: true, .. } => "timeout, too early".into(),
        Event::Timeout { .. } => "timeout".into(),
        Event::Arrive { flight, .. } if flight.damaged => {
            format!("{} arrives damaged", name(flight))
        }
        Event::Arrive { flight, .. } => format!("{} arrives", name(flight)),
        Event::Lose(flight) => format!("{} is lost", name(flight)),
        Event::Duplicate { flight, .. } => format!("{} is copied", name(flight)),
        Event::Corrupt(flight) => format!("{} is damaged", name(flight)),
    }
}

pub(crate) fn write(strip: &Strip, path: &Path) -> Result<(), Failure> {
    whole::write(path, &strip.to_svg())
}
