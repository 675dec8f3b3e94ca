//! The same question for another tool: a protocol and a channel as Promela, the language of the
//! model checker Spin.
//!
//! The guards of a machine are Rust, so the machines are walked and printed as what they turn out
//! to be: states and arrows, each with the name of its rule. What the channel may do, in which
//! order things happen, and what is asked are written in Promela, and decided by Spin alone.

mod lane;
mod side;
mod walk;

use alloc::{collections::BTreeSet, string::String};
use core::fmt::{self, Write as _};

use super::{Model, lanes::Wire};
use crate::{channel::Channel, classic::Protocol};
use lane::{Lane, Named};
use side::Side;
use walk::Walks;

/// The most states of one machine that are printed.
const STATES_MAX: usize = 20_000;
/// The most different packets: Promela has room for 255 symbols.
const PACKETS_MAX: usize = 250;

/// Why a model cannot be written in Promela.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromelaError {
    /// A machine has more than 20,000 states.
    States,
    /// There are more than 250 different packets.
    Packets,
}

impl fmt::Display for PromelaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::States => "more than 20,000 states of one machine do not fit a Promela model",
            Self::Packets => "more than 250 different packets do not fit a Promela model",
        })?;
        f.write_str(": send fewer messages, or use a smaller window")
    }
}

impl core::error::Error for PromelaError {}

impl Model {
    /// The same model of `protocol` in Promela, for the model checker Spin (spinroot.com). The text
    /// begins with the commands that check it.
    ///
    /// *Safety* is what [`check`](Self::check) calls so: assertions on what is delivered and what
    /// is believed. Without `PROGRESS` the reachable states are the same, one for one, except that
    /// a packet that overtakes where the depth is bounded takes two steps.
    ///
    /// *Progress* is asked otherwise, since "from every state the end can be reached" is not a
    /// formula of linear time. With `-DPROGRESS` a watcher may stop all faults at any moment, and
    /// early timeouts with them; from then on every run has to finish. A run that ends or goes on
    /// for ever without that is an error. So an answer without errors implies
    /// [`Verdict::Holds`](super::Verdict::Holds), and a state that is
    /// [`Stuck`](super::Verdict::Stuck) is always an error. Between the two are protocols that
    /// finish only by luck, or by the help of a fault: these Spin refuses.
    ///
    /// ```
    /// use rdtp::{channel::Channel, check::Model, classic::rdt30::StopAndWait};
    ///
    /// let promela = Model::over(Channel::PERFECT.losing()).promela(&StopAndWait::RDT30)?;
    /// assert!(promela.contains("active proctype sender()"));
    /// # Ok::<(), rdtp::check::PromelaError>(())
    /// ```
    pub fn promela<P: Protocol>(&self, protocol: &P) -> Result<String, PromelaError> {
        let walks = walk::walk(protocol, self)?;
        let lane = |name, channel, packets| Lane {
            name,
            channel,
            capacity: self.capacity,
            packets,
            checksum: P::FIELDS.checksum,
        };
        let data = lane("data", self.data, &walks.data);
        let feedback = lane("feedback", self.feedback, &walks.feedback);
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = self.write(protocol, &walks, &data, &feedback, &mut out);
        Ok(out)
    }

    fn write<P: Protocol>(
        &self,
        protocol: &P,
        walks: &Walks<P::Sender<super::Message>, P::Receiver<super::Message>>,
        data: &Lane<'_>,
        feedback: &Lane<'_>,
        out: &mut String,
    ) -> fmt::Result {
        let sender = Side {
            name: "sender",
            walk: &walks.sender,
            from: feedback,
            to: data,
            messages: self.messages,
        };
        let receiver = Side {
            name: "receiver",
            walk: &walks.receiver,
            from: data,
            to: feedback,
            messages: self.messages,
        };
        self.head(protocol, out)?;
        packets(data, feedback, out)?;
        writeln!(out, "\n#define CAPACITY {} /* packets in flight each way */", self.capacity)?;
        data.declare(out)?;
        feedback.declare(out)?;
        if data.spoils() || feedback.spoils() {
            writeln!(out, "/* For going through a channel; no part of the state. */")?;
            writeln!(out, "hidden byte place, count, o, r, ok;\nhidden mtype p, q;")?;
        }
        writeln!(out)?;
        sender.declare(out)?;
        receiver.declare(out)?;
        self.questions(out)?;
        sender.process(out)?;
        receiver.process(out)?;
        data.faults(out)?;
        feedback.faults(out)?;
        watcher(out)
    }

    fn head<P: Protocol>(&self, protocol: &P, out: &mut String) -> fmt::Result {
        let channel = |channel: Channel| {
            if channel == Channel::PERFECT {
                String::from("is perfect")
            } else {
                alloc::format!("{channel}")
            }
        };
        writeln!(out, "/* {}: {protocol:?}", P::NAME)?;
        writeln!(
            out,
            " * over a channel that {}; for feedback, {}.",
            channel(self.data),
            channel(self.feedback)
        )?;
        writeln!(out, " *")?;
        writeln!(out, " * Written to model.pml, it is checked by")?;
        writeln!(out, " *")?;
        writeln!(
            out,
            " *   spin -a model.pml && gcc -DSAFETY -DNOREDUCE -o pan pan.c && ./pan -E -m2000000"
        )?;
        writeln!(out, " *")?;
        writeln!(out, " * for safety: nothing wrong is delivered or believed; and if so, by")?;
        writeln!(out, " *")?;
        writeln!(
            out,
            " *   spin -DPROGRESS -a model.pml && gcc -DNOREDUCE -o pan pan.c && ./pan -a -m2000000"
        )?;
        writeln!(out, " *")?;
        writeln!(
            out,
            " * for progress: whatever happened, once faults stop, all is delivered and acknowledged."
        )?;
        writeln!(
            out,
            " * \"errors: 0\" is the proof. After an error, `spin -t -p model.pml` shows the run that"
        )?;
        writeln!(out, " * leads to it; for progress, `spin -DPROGRESS -t -p model.pml`.")?;
        writeln!(out, " */")
    }

    fn questions(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "\n#define MESSAGES {}", self.messages)?;
        writeln!(out, "#define GARBAGE 255")?;
        writeln!(out, "byte sent, unacked, believed, delivered;")?;
        writeln!(
            out,
            "#define finished (sent == MESSAGES && unacked == 0 && delivered == MESSAGES)"
        )?;
        writeln!(out, "/* What is delivered is what was sent, in order. */")?;
        writeln!(out, "inline deliver(message) {{ assert(message == delivered); delivered++ }}")?;
        writeln!(out, "/* The sender never believes more delivered than is. */")?;
        writeln!(
            out,
            "inline believe(more) {{ believed = believed + more; assert(believed <= delivered) }}"
        )?;
        writeln!(out)?;
        writeln!(out, "#define quiet (len(data) == 0 && len(feedback) == 0)")?;
        let early = if self.early_timeouts { "(quiet || !calm)" } else { "quiet" };
        writeln!(out, "#define expires(timer) (timer && {early})")?;
        writeln!(out, "/* Whether faults have stopped. */")?;
        writeln!(out, "#ifdef PROGRESS\nbool calm;\n#else\n#define calm false\n#endif")
    }
}

/// The names of all packets.
fn packets(data: &Lane<'_>, feedback: &Lane<'_>, out: &mut String) -> fmt::Result {
    let all: BTreeSet<&Wire> = data.packets.iter().chain(feedback.packets).collect();
    writeln!(out, "\n/* data_0_m3 is packet 0 with message 3. */")?;
    write!(out, "mtype = {{ damaged")?;
    for wire in all {
        if *wire != Wire::Damaged {
            write!(out, ", {}", Named(wire))?;
        }
    }
    writeln!(out, " }};")
}

fn watcher(out: &mut String) -> fmt::Result {
    writeln!(out, "\n#ifdef PROGRESS")?;
    writeln!(
        out,
        "/* At any moment the faults may stop. To stay here for ever is to make no progress. */"
    )?;
    writeln!(out, "active proctype watcher() {{")?;
    writeln!(out, "    calm = true;\naccept_calm:\n    finished\n}}")?;
    writeln!(out, "#endif")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        channel::Overtake,
        classic::{rdt22::Rdt22, rdt30::StopAndWait, sr::SelectiveRepeat},
        seq::Modulus,
    };

    #[test]
    fn each_state_is_a_label_and_each_input_an_arrow() {
        let model = Model::over(Channel::PERFECT.losing()).messages(2);
        let promela = model.promela(&StopAndWait::RDT30).unwrap();
        for line in [
            "mtype = { damaged, data_0_m0, data_1_m1, ack_0, ack_1 };",
            "S1: /* Wait for ACK 0; 1 sent, 1 in doubt */",
            "    :: d_step { feedback?ack_0 -> unacked = 0; believe(1); sender_timer = false }; goto \
             S2 /* acked */",
            "end_R2: /* Wait for 0 from below; 2 delivered */",
            "    :: d_step { data?data_1_m1 -> send_feedback(ack_1) }; goto end_R2 /* repeat-other */",
            // Whether an old packet ever gets here is not for the walk to say.
            "    :: d_step { data?data_0_m0 -> deliver(0); send_feedback(ack_0) }; goto wrong /* deliver */",
        ] {
            assert!(promela.lines().any(|found| found == line.trim_end()), "{line}\n{promela}");
        }
        assert!(!promela.contains("corrupt_data"), "{promela}");
        // The sender delivers nothing.
        assert_eq!(promela.matches("wrong:").count(), 1, "{promela}");
    }

    #[test]
    fn what_may_not_be_lost_waits_for_room() {
        let promela = Model::over(Channel::PERFECT).promela(&Rdt22).unwrap();
        let waits = "d_step { len(data) + 1 <= CAPACITY -> sent++";
        assert!(promela.contains(waits), "{promela}");
        assert!(!promela.contains("_faults()") && !promela.contains("hidden"), "{promela}");
    }

    #[test]
    fn any_packet_may_come_next_or_be_drawn_ahead() {
        let over = |overtake| Model::over(Channel::PERFECT.overtaking(overtake));
        let promela = over(Overtake::Any).promela(&StopAndWait::RDT30).unwrap();
        assert!(promela.contains("feedback??ack_0") && promela.contains("data!!what"), "{promela}");
        let promela = over(Overtake::AtMost(2)).promela(&StopAndWait::RDT30).unwrap();
        assert!(promela.contains("feedback?ack_0,_; feedback_ahead = 0"), "{promela}");
        assert!(promela.contains("draw_data(2)"), "{promela}");
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let model = Model::over(Channel::PERFECT);
        let many = model.messages(400).promela(&StopAndWait::RDT30);
        assert_eq!(many, Err(PromelaError::Packets));
        let wide = SelectiveRepeat::with_illegal_window(12, Modulus::NEVER);
        let wide = model.messages(16).promela(&wide);
        assert_eq!(wide, Err(PromelaError::States));
    }
}
