//! A direction of the channel in Promela: a Spin channel, and a process that spoils what is in it.

use alloc::{collections::BTreeSet, format, string::String};
use core::fmt::{self, Write as _};

use crate::{
    channel::{Channel, Overtake},
    check::{Message, lanes::Wire},
    classic::Packet,
};

/// One direction.
pub(super) struct Lane<'a> {
    /// What its Spin channel is called.
    pub(super) name: &'static str,
    pub(super) channel: Channel,
    pub(super) capacity: usize,
    pub(super) packets: &'a BTreeSet<Wire>,
    pub(super) checksum: bool,
}

impl Lane<'_> {
    /// Whether packets are kept sorted, since any of them may come next.
    fn sorted(&self) -> bool {
        self.channel.overtake == Overtake::Any
    }

    /// By how many a packet may be overtaken, where that is counted.
    fn depth(&self) -> Option<u64> {
        match self.channel.overtake {
            // Counted in a byte; no channel here is longer than 64 packets.
            Overtake::AtMost(depth) if depth > 0 => Some(depth.min(254)),
            _ => None,
        }
    }

    /// Whether anything goes wrong in it other than that any packet may come next.
    pub(super) fn spoils(&self) -> bool {
        let Channel { corrupt, lose, duplicate, .. } = self.channel;
        corrupt || lose || duplicate || self.depth().is_some()
    }

    /// The condition for sending `count` packets at a time, unless there is none.
    pub(super) fn room(&self, count: usize) -> Option<String> {
        let waits = !self.channel.lose && count > 0;
        waits.then(|| format!("len({}) + {count} <= CAPACITY", self.name))
    }

    /// The condition that `packet` is one of those that may arrive next.
    pub(super) fn offers(&self, packet: &dyn fmt::Display) -> String {
        let (name, marks, count) = (self.name, self.marks(), self.ignored());
        format!("{name}{marks}[{packet}{count}]")
    }

    /// Takes `packet` out, as the one that arrives.
    pub(super) fn takes(&self, packet: &dyn fmt::Display) -> String {
        let (name, marks, count) = (self.name, self.marks(), self.ignored());
        let done =
            if self.depth().is_some() { format!("; {name}_ahead = 0") } else { String::new() };
        format!("{name}{marks}{packet}{count}{done}")
    }

    fn marks(&self) -> &'static str {
        if self.sorted() { "??" } else { "?" }
    }

    fn ignored(&self) -> &'static str {
        if self.depth().is_some() { ",_" } else { "" }
    }

    /// The declarations: the Spin channel and how packets are put into it.
    pub(super) fn declare(&self, out: &mut String) -> fmt::Result {
        let name = self.name;
        let count = if self.depth().is_some() { ", byte" } else { "" };
        writeln!(out, "chan {name} = [CAPACITY] of {{ mtype{count} }};")?;
        if self.depth().is_some() {
            writeln!(
                out,
                "/* From which place its first packet was drawn ahead; 0: from none. */"
            )?;
            writeln!(out, "byte {name}_ahead;")?;
        }
        let marks = if self.sorted() { "!!" } else { "!" };
        let count = if self.depth().is_some() { ",0" } else { "" };
        if self.channel.lose {
            writeln!(out, "/* What finds the channel full is lost. */")?;
            writeln!(out, "inline send_{name}(what) {{")?;
            writeln!(
                out,
                "    if :: nfull({name}) -> {name}{marks}what{count} :: full({name}) fi\n}}"
            )
        } else {
            writeln!(out, "inline send_{name}(what) {{ {name}{marks}what{count} }}")
        }
    }

    /// The process that does what a bad channel does.
    pub(super) fn faults(&self, out: &mut String) -> fmt::Result {
        let Channel { corrupt, lose, duplicate, .. } = self.channel;
        let name = self.name;
        let reach = if self.channel.overtake.is_never() { 1 } else { self.capacity };
        if !self.spoils() {
            return Ok(());
        }
        writeln!(
            out,
            "\n/* What can go wrong in the channel \"{name}\"; `at` is a place in it. */"
        )?;
        if lose {
            self.pass("lose", "if :: place != at -> PUT :: else fi", "", out)?;
        }
        if duplicate {
            self.pass("duplicate", "PUT; if :: place == at -> PUT :: else fi", "", out)?;
        }
        if corrupt {
            self.corruption(out)?;
        }
        if let Some(depth) = self.depth() {
            self.overtaking(depth, out)?;
        }
        writeln!(out, "active proctype {name}_faults() {{\nend:\n    do")?;
        // A packet that was drawn ahead arrives, or goes back, before anything else happens.
        let still =
            if self.depth().is_some() { format!(" && {name}_ahead == 0") } else { String::new() };
        for at in 0..reach {
            let mut option = |what: &str, more: &str| {
                writeln!(
                    out,
                    "    :: d_step {{ !calm && len({name}) > {at}{still}{more} -> {what}_{name}({at}) }}"
                )
            };
            if lose {
                option("lose", "")?;
            }
            if duplicate {
                option("duplicate", &format!(" && len({name}) < CAPACITY"))?;
            }
            if corrupt {
                option("corrupt", "")?;
            }
            if at > 0 && self.depth().is_some() {
                option("draw", "")?;
            }
        }
        if self.depth().is_some() {
            writeln!(out, "    :: d_step {{ {name}_ahead > 0 -> draw_back_{name}() }}")?;
        }
        writeln!(out, "    od\n}}")
    }

    /// An inline that takes out all packets in order and does `each` to them; `PUT` puts one back.
    fn pass(&self, what: &str, each: &str, last: &str, out: &mut String) -> fmt::Result {
        let name = self.name;
        let put = if self.depth().is_some() { format!("{name}!p,o") } else { format!("{name}!p") };
        let get = put.replace('!', "?");
        writeln!(out, "inline {what}_{name}(at) {{")?;
        writeln!(out, "    place = 0; count = len({name});")?;
        writeln!(
            out,
            "    do\n    :: place < count -> {get}; {}; place++",
            each.replace("PUT", &put)
        )?;
        writeln!(out, "    :: else -> break\n    od;\n    {last}place = 0\n}}")
    }

    fn corruption(&self, out: &mut String) -> fmt::Result {
        let name = self.name;
        let mut change = String::from("p = damaged");
        if !self.checksum {
            // Nobody notices: another message, or the other feedback.
            change = String::from("if");
            for wire in self.packets {
                let corrupted = wire.corrupted(false);
                if corrupted != *wire {
                    write!(change, " :: p == {} -> p = {}", Named(wire), Named(&corrupted))?;
                }
            }
            change.push_str(" :: else fi");
        }
        if self.sorted() {
            let each = format!("if :: place != at -> PUT :: else -> {change}; q = p fi");
            self.pass("corrupt", &each, &format!("{name}!!q; "), out)
        } else {
            self.pass("corrupt", &format!("if :: place == at -> {change} :: else fi; PUT"), "", out)
        }
    }

    /// A packet that overtakes is drawn to the front first and arrives from there. The others are
    /// charged for it at once; it may also go back, so that nothing is decided by drawing it.
    fn overtaking(&self, depth: u64, out: &mut String) -> fmt::Result {
        let name = self.name;
        writeln!(out, "/* Draws a packet ahead of those that may still be overtaken. */")?;
        writeln!(out, "inline draw_{name}(at) {{")?;
        writeln!(out, "    place = 0; count = len({name}); ok = true;")?;
        writeln!(out, "    do\n    :: place < count -> {name}?p,o; {name}!p,o;")?;
        writeln!(out, "        ok = ok && (place >= at || o < {depth}); place++")?;
        writeln!(out, "    :: else -> break\n    od;")?;
        writeln!(out, "    if\n    :: ok ->\n        place = 0;")?;
        writeln!(out, "        do\n        :: place < count -> {name}?p,o;")?;
        writeln!(
            out,
            "            if :: place == at -> q = p; r = o :: else -> {name}!p,o fi; place++"
        )?;
        writeln!(out, "        :: else -> break\n        od;")?;
        writeln!(out, "        {name}!q,r; place = 1;")?;
        writeln!(out, "        do\n        :: place < count -> {name}?p,o;")?;
        writeln!(out, "            if :: place <= at -> o++ :: else fi; {name}!p,o; place++")?;
        writeln!(out, "        :: else -> break\n        od;")?;
        writeln!(out, "        {name}_ahead = at\n    :: else\n    fi\n}}")?;
        writeln!(out, "/* Takes that back. */")?;
        writeln!(out, "inline draw_back_{name}() {{")?;
        writeln!(out, "    place = 1; count = len({name}); {name}?q,r;")?;
        writeln!(out, "    do\n    :: place < count -> {name}?p,o;")?;
        writeln!(out, "        if :: place <= {name}_ahead -> o-- :: else fi; {name}!p,o;")?;
        writeln!(out, "        if :: place == {name}_ahead -> {name}!q,r :: else fi; place++")?;
        writeln!(out, "    :: else -> break\n    od;\n    {name}_ahead = 0\n}}")
    }
}

/// A packet by the name that it has in the model.
pub(super) struct Named<'a>(pub(super) &'a Wire);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Wire::Damaged => f.write_str("damaged"),
            Wire::Intact(Packet::Data { seq, data: Message::GARBAGE }) => {
                write!(f, "data_{seq}_garbage")
            }
            Wire::Intact(Packet::Data { seq, data: Message(number) }) => {
                write!(f, "data_{seq}_m{number}")
            }
            Wire::Intact(Packet::Ack { seq }) => write!(f, "ack_{seq}"),
            Wire::Intact(Packet::Nak { seq }) => write!(f, "nak_{seq}"),
        }
    }
}
