//! A machine in Promela: a process with a label for each of its states.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};
use core::fmt::{self, Write as _};

use super::{
    lane::{Lane, Named},
    walk::{Arrow, Walk},
};
use crate::{
    check::{Message, lanes::Wire, space::Party},
    classic::{Effect, Input, Machine, Rule},
    trace::Tag,
};

/// One side of the protocol.
pub(super) struct Side<'a, M> {
    /// What its process is called.
    pub(super) name: &'static str,
    pub(super) walk: &'a Walk<M>,
    /// Where its packets come from.
    pub(super) from: &'a Lane<'a>,
    /// Where it sends packets.
    pub(super) to: &'a Lane<'a>,
    /// How many messages it has taken or delivered when it has nothing left to do.
    pub(super) messages: u16,
}

impl<M: Machine<Message>> Side<'_, M> {
    /// The timers that it ever runs.
    fn timers(&self) -> Vec<Tag> {
        let mut timers: Vec<Tag> =
            self.walk.each().flat_map(|(_, party, _)| party.timers.iter().copied()).collect();
        timers.sort_unstable();
        timers.dedup();
        timers
    }

    pub(super) fn declare(&self, out: &mut String) -> fmt::Result {
        self.timers().into_iter().try_for_each(|tag| writeln!(out, "bool {};", self.timer(tag)))
    }

    fn timer(&self, tag: Tag) -> String {
        match tag {
            Tag::Oldest => format!("{}_timer", self.name),
            Tag::Packet(seq) => format!("{}_timer_{seq}", self.name),
        }
    }

    fn is_done(&self, party: &Party<M>) -> bool {
        party.count == self.messages && (self.walk.unacked)(&party.machine).unwrap_or(0) == 0
    }

    /// The label of a state. In a state whose label begins with `end` Spin takes rest for peace.
    fn label(&self, state: u32) -> String {
        let end = if self.is_done(self.walk.states.get(state)) { "end_" } else { "" };
        let side = self.name.chars().next().unwrap_or('m').to_ascii_uppercase();
        format!("{end}{side}{state}")
    }

    pub(super) fn process(&self, out: &mut String) -> fmt::Result {
        let mut rules: BTreeMap<&str, &Rule> = BTreeMap::new();
        for arrow in self.walk.arrows.iter().flatten() {
            rules.insert(arrow.rule.name, arrow.rule);
        }
        writeln!(out, "\n/* The {}. Its rules, as the transition table has them:", self.name)?;
        for rule in rules.values() {
            let text = format!("{}: {} / {}", rule.name, rule.event, rule.actions);
            writeln!(out, " *   {}", text.replace("*/", "* /"))?;
        }
        writeln!(out, " */\nactive proctype {}() {{", self.name)?;
        for (state, party, arrows) in self.walk.each() {
            self.state(state, party, arrows, out)?;
        }
        if self.walk.arrows.iter().flatten().any(|arrow| arrow.to.is_none()) {
            writeln!(
                out,
                "wrong: /* never reached: the assertion has failed before */\n    false"
            )?;
        }
        writeln!(out, "}}")
    }

    fn state(
        &self,
        state: u32,
        party: &Party<M>,
        arrows: &[Arrow],
        out: &mut String,
    ) -> fmt::Result {
        use crate::classic::State as _;
        let told = match (self.walk.unacked)(&party.machine) {
            Some(doubt) => format!("{} sent, {doubt} in doubt", party.count),
            None => format!("{} delivered", party.count),
        };
        writeln!(out, "{}: /* {}; {told} */", self.label(state), party.machine.state().label())?;
        writeln!(out, "    if")?;
        for arrow in arrows {
            self.arrow(party, arrow, out)?;
        }
        if arrows.is_empty() {
            writeln!(out, "    :: false")?;
        }
        writeln!(out, "    fi;")
    }

    fn arrow(&self, party: &Party<M>, arrow: &Arrow, out: &mut String) -> fmt::Result {
        let room = self.to.room(arrow.sends().count());
        let (guard, first) = self.input(&arrow.input);
        let mut does: Vec<String> = match room {
            Some(room) if guard == "true" => Vec::from([room]),
            Some(room) => Vec::from([format!("{room} && {guard}")]),
            None if first.is_some() => Vec::new(),
            None => Vec::from([guard]),
        };
        does.extend(first);
        if let Input::Expire(tag) = arrow.input {
            does.push(format!("{} = false", self.timer(tag)));
        }
        self.books(party, arrow, &mut does);
        for effect in &arrow.effects {
            does.push(match effect {
                Effect::Transmit(packet) => {
                    format!("send_{}({})", self.to.name, Named(&Wire::Intact(packet.clone())))
                }
                // What a sender delivers is for nobody.
                Effect::Deliver(_) if (self.walk.unacked)(&party.machine).is_some() => continue,
                Effect::Deliver(Message::GARBAGE) => "deliver(GARBAGE)".into(),
                Effect::Deliver(Message(number)) => format!("deliver({number})"),
                Effect::Start(tag) => format!("{} = true", self.timer(*tag)),
                Effect::Stop(tag) => format!("{} = false", self.timer(*tag)),
            });
        }
        let to = arrow.to.map_or_else(|| "wrong".into(), |to| self.label(to));
        let rest = does.split_off(1).join("; ");
        let arrow_text = if rest.is_empty() { "" } else { " -> " };
        let steps = format!("{}{arrow_text}{rest}", does.concat());
        writeln!(out, "    :: d_step {{ {steps} }}; goto {to} /* {} */", arrow.rule.name)
    }

    /// The condition for an input, and the statement that takes it if that says as much.
    fn input(&self, input: &Input<Message>) -> (String, Option<String>) {
        let arrives = |wire: &Wire| {
            let packet = Named(wire);
            (self.from.offers(&packet), Some(self.from.takes(&packet)))
        };
        match input {
            Input::Send(_) => ("true".into(), None),
            Input::Expire(tag) => (format!("expires({})", self.timer(*tag)), None),
            Input::Arrive(packet) => arrives(&Wire::Intact(packet.clone())),
            Input::ArriveCorrupt => arrives(&Wire::Damaged),
        }
    }

    /// What the sender has taken, doubts and believes after an arrow.
    fn books(&self, party: &Party<M>, arrow: &Arrow, does: &mut Vec<String>) {
        let Some(after) = arrow.to.map(|to| self.walk.states.get(to)) else { return };
        let doubt = |party: &Party<M>| (self.walk.unacked)(&party.machine);
        let (Some(before), Some(now)) = (doubt(party), doubt(after)) else { return };
        if matches!(arrow.input, Input::Send(_)) {
            does.push("sent++".into());
        }
        if before != now {
            does.push(format!("unacked = {now}"));
        }
        if after.believed > party.believed {
            does.push(format!("believe({})", after.believed - party.believed));
        }
    }
}
