//! The bugs, each of which somebody has made, and the honest versions of what they are planted in.

use core::{net::SocketAddr, time::Duration};

use rdtp::{
    channel::{Channel, Overtake},
    classic::{
        Classic, Config, Protocol, Role, Spec, Timeout, gbn::GoBackN, rdt21::Rdt21, rdt22::Rdt22,
        rdt30::StopAndWait, sr::SelectiveRepeat,
    },
    seq::Modulus,
    wire::{Checksum, Codec},
};

use crate::{
    bent::{Bent, Flaw, Mixed},
    checks::{End, Plant},
    timed::{LIMITS, Lapse, Timed},
    vice::{Vice, Vicious},
    window::{ArrayGbn, ArraySr, Slip},
};

/// Bug, and what says otherwise.
type Words = (&'static str, &'static str);

const HONEST: Words = ("none", "nothing");

fn config() -> Config {
    Config {
        timeout: Timeout::Fixed(Duration::from_millis(30)),
        attempts_max: None,
        ..Config::default()
    }
}

fn plant(
    protocol: &'static str,
    (bug, breaks): Words,
    ends: impl Fn(Role, SocketAddr) -> End + Send + Sync + 'static,
) -> Plant {
    let spec: Spec = protocol.parse().unwrap();
    // Enough messages for the numbers to come round, and a window more.
    let extent = match spec {
        Spec::GoBackN(_) => (7, 3),
        Spec::SelectiveRepeat(_) => (6, 3),
        Spec::StopAndWait(p) => (u16::try_from(p.modulus().count()).unwrap() + 2, 3),
        _ => (4, 2),
    };
    Plant {
        protocol,
        bug,
        breaks,
        // Order is kept: what a larger modulus bears beyond that only makes the search longer.
        channel: spec.tolerates().overtaking(Overtake::NEVER),
        extent,
        machines: None,
        ends: Box::leak(Box::new(ends)),
        timed: false,
    }
}

/// A bug in the machines of `wrong`, which is meant to be `protocol`.
fn machines<P>(protocol: &'static str, wrong: P, words: Words) -> Plant
where
    P: Protocol + Send + Sync + 'static,
{
    let ends = {
        let wrong = wrong.clone();
        move |role, peer| -> End {
            Box::new(Classic::new(&wrong, Config { role, ..config() }, peer).unwrap())
        }
    };
    Plant { machines: Some(Box::new(wrong)), ..plant(protocol, words, ends) }
}

fn bent<P>(protocol: &'static str, honest: P, flaw: Flaw, words: Words) -> Plant
where
    P: Protocol + Send + Sync + 'static,
{
    machines(protocol, Bent { honest, flaw }, words)
}

fn rdt21(flaw: Flaw, words: Words) -> Plant {
    bent("rdt2.1", Rdt21, flaw, words)
}

fn rdt22(flaw: Flaw, words: Words) -> Plant {
    bent("rdt2.2", Rdt22, flaw, words)
}

fn rdt30(flaw: Flaw, words: Words) -> Plant {
    bent("rdt3.0", StopAndWait::RDT30, flaw, words)
}

fn gbn34() -> GoBackN {
    GoBackN::new(3, Modulus::new(4)).unwrap()
}

fn gbn(flaw: Flaw, words: Words) -> Plant {
    bent("gbn:3/4", gbn34(), flaw, words)
}

fn gbn_array(slip: Slip, words: Words) -> Plant {
    machines("gbn:3/4", ArrayGbn { window: 3, modulus: Modulus::new(4), slip }, words)
}

/// Where order is kept, a stale ACK is the one before base and does no harm. With so many numbers
/// go-back-N bears a packet that is overtaken by one other.
fn gbn_overtaken(slip: Slip, words: Words) -> Plant {
    let wrong = ArrayGbn { window: 2, modulus: Modulus::new(5), slip };
    Plant {
        channel: Channel::PERFECT.losing().overtaking(Overtake::AtMost(1)),
        extent: (5, 2),
        ..machines("gbn:2/5", wrong, words)
    }
}

fn sr24() -> SelectiveRepeat {
    SelectiveRepeat::new(2, Modulus::new(4)).unwrap()
}

fn sr(flaw: Flaw, words: Words) -> Plant {
    bent("sr:2/4", sr24(), flaw, words)
}

fn sr_array(slip: Slip, words: Words) -> Plant {
    machines("sr:2/4", ArraySr { honest: sr24(), slip }, words)
}

fn timed(lapse: Lapse, words: Words) -> Plant {
    let ends = move |role, peer| -> End { Box::new(Timed::new(role, peer, lapse)) };
    Plant { timed: true, ..plant("rdt3.0", words, ends) }
}

fn vicious(vice: Vice, words: Words) -> Plant {
    plant("rdt3.0", words, move |role, peer| {
        let inner = Classic::new(&StopAndWait::RDT30, Config { role, ..config() }, peer).unwrap();
        Box::new(Vicious::new(Box::new(inner), vice))
    })
}

/// Every planted bug, in the order of the table.
pub(crate) fn bugs() -> Vec<Plant> {
    [one_at_a_time(), go_back_n(), selective_repeat(), timers(), endpoints()]
        .into_iter()
        .flatten()
        .collect()
}

fn one_at_a_time() -> Vec<Plant> {
    const FIG_3_11: &str = "sender, figure 3.11";
    const FIG_3_12: &str = "receiver, figure 3.12";
    const FIG_3_13: &str = "sender, figure 3.13";
    const FIG_3_14: &str = "receiver, figure 3.14";
    const FIG_3_15: &str = "sender, figure 3.15";
    let saw = |numbers| StopAndWait::new(Modulus::new(numbers));
    vec![
        rdt21(Flaw::SameNumber, ("sequence bit not flipped after an ACK", FIG_3_11)),
        rdt21(Flaw::IgnoresGarbled, ("garbled feedback is ignored", FIG_3_11)),
        rdt21(Flaw::GarbledIsAck, ("garbled feedback is taken for an ACK", FIG_3_11)),
        rdt21(Flaw::KeepsNumber, ("sequence bit not flipped after a delivery", FIG_3_12)),
        rdt21(Flaw::SilentOnDuplicates, ("a duplicate is dropped without an ACK", FIG_3_12)),
        rdt21(Flaw::NaksDuplicates, ("a duplicate gets a NAK", FIG_3_12)),
        rdt22(Flaw::TakesAnyAck, ("the number of an ACK is not looked at", FIG_3_13)),
        rdt22(Flaw::AcksDamaged, ("a damaged packet is acknowledged", FIG_3_14)),
        rdt22(
            Flaw::FirstAckIsZero,
            ("before the first delivery the repeated ACK is ACK 0", "oncethru of figure 3.14"),
        ),
        rdt22(Flaw::DeliversAnything, ("the number of a packet is not looked at", FIG_3_14)),
        rdt30(Flaw::SameNumber, ("sequence bit not flipped after an ACK", FIG_3_15)),
        rdt30(Flaw::NoTimerAtSend, ("the timer is not started with a packet", FIG_3_15)),
        rdt30(Flaw::NoTimerAtTimeout, ("the timer is not restarted after a timeout", FIG_3_15)),
        rdt30(Flaw::TakesAnyAck, ("a stale ACK is taken for the one awaited", FIG_3_15)),
        rdt30(Flaw::GarbledIsAck, ("a garbled ACK is taken for an ACK", FIG_3_15)),
        rdt30(
            Flaw::ResendsWithNextNumber,
            ("the bit is flipped at sending, so the copy has the next number", FIG_3_15),
        ),
        rdt30(
            Flaw::TakesMoreWhileWaiting,
            ("takes a message while it waits for an ACK", "the four states of figure 3.15"),
        ),
        rdt30(
            Flaw::NeverStopsTimer,
            ("the timer is not stopped when the ACK comes", "stop_timer of figure 3.15"),
        ),
        rdt30(Flaw::KeepsNumber, ("sequence bit not flipped after a delivery", FIG_3_14)),
        rdt30(Flaw::SilentOnDuplicates, ("a duplicate is dropped without an ACK", FIG_3_14)),
        rdt30(
            Flaw::AcksDuplicatesAsNext,
            ("a duplicate gets an ACK with the number awaited", FIG_3_14),
        ),
        rdt30(Flaw::AcksDamaged, ("a damaged packet is acknowledged", FIG_3_14)),
        machines(
            "saw:3",
            Mixed { sender: saw(3), receiver: saw(2) },
            ("the receiver's numbers wrap one too early", "one modulus for both sides"),
        ),
    ]
}

fn go_back_n() -> Vec<Plant> {
    const FIG_3_20: &str = "sender, figure 3.20";
    const FIG_3_21: &str = "receiver, figure 3.21";
    let m = Modulus::new;
    vec![
        machines(
            "gbn:3/4",
            GoBackN::with_illegal_window(4, m(4)),
            ("window one too large: as many packets as numbers", "N <= 2^k - 1"),
        ),
        gbn_overtaken(Slip::StaleAckMovesBase, ("a stale ACK moves base back", FIG_3_20)),
        gbn_array(
            Slip::ComparesInLine,
            ("base <= acknum < nextseqnum, without the wrap-around", "arithmetic modulo 2^k"),
        ),
        gbn(Flaw::BaseIsAcknum, ("base = acknum in place of acknum + 1", FIG_3_20)),
        gbn(Flaw::NoTimerAtSend, ("the timer is not started with the first packet", FIG_3_20)),
        gbn(Flaw::NoTimerAtTimeout, ("the timer is not restarted after a timeout", FIG_3_20)),
        gbn(
            Flaw::StopsTimerEarly,
            ("any ACK stops the timer, though packets are outstanding", FIG_3_20),
        ),
        gbn(Flaw::NeverStopsTimer, ("the timer runs on when nothing is outstanding", FIG_3_20)),
        gbn(Flaw::SkipsBase, ("a timeout sends from base + 1 on", FIG_3_20)),
        gbn(Flaw::AcksWhatItWaitsFor, ("an ACK carries the next number, as TCP's do", FIG_3_21)),
        gbn(
            Flaw::AcksWhatItDiscards,
            ("a packet out of order is discarded and acknowledged", FIG_3_21),
        ),
        gbn(Flaw::AcksDamaged, ("a damaged packet is acknowledged", FIG_3_21)),
        gbn(Flaw::DeliversAnything, ("whatever is intact is delivered", FIG_3_21)),
        gbn(
            Flaw::CountsBeyondModulus,
            ("expectedseqnum grows beyond the modulus", "arithmetic modulo 2^k"),
        ),
        machines(
            "gbn:3/4",
            Mixed { sender: gbn34(), receiver: GoBackN::with_illegal_window(3, m(5)) },
            ("the receiver's numbers wrap one too late", "one modulus for both sides"),
        ),
    ]
}

fn selective_repeat() -> Vec<Plant> {
    const FIG_3_24: &str = "sender, figure 3.24";
    const FIG_3_25: &str = "receiver, figure 3.25";
    vec![
        machines(
            "sr:2/4",
            SelectiveRepeat::with_illegal_window(3, Modulus::new(4)),
            ("window one too large: more than half the numbers", "N <= 2^(k-1)"),
        ),
        sr(Flaw::AckIsCumulative, ("an ACK is taken for all packets before it too", FIG_3_24)),
        sr(Flaw::TakesAnyAck, ("any ACK is taken for the newest packet's", FIG_3_24)),
        sr(Flaw::NoTimerAtSend, ("packets have no timers", FIG_3_24)),
        sr(Flaw::NoTimerAtTimeout, ("a packet's timer is not restarted after a timeout", FIG_3_24)),
        sr(
            Flaw::SilentOnDuplicates,
            ("no ACK for packets below rcv_base", "case 2 of figure 3.25"),
        ),
        sr(Flaw::AcksOnlyInOrder, ("an ACK carries the last number in order", FIG_3_25)),
        sr(Flaw::DeliversOutOfOrder, ("what is out of order is delivered at once", FIG_3_25)),
        sr_array(Slip::KeepsMarks, ("a buffered packet stays marked after delivery", FIG_3_25)),
        sr_array(
            Slip::ComparesInLine,
            ("rcv_base <= n < rcv_base + N, without the wrap-around", "arithmetic modulo 2^k"),
        ),
    ]
}

fn timers() -> Vec<Plant> {
    vec![
        timed(
            Lapse::SamplesFromFirstCopy,
            ("Karn ignored: a round trip from the first copy", "Karn's rule, RFC 6298, 3"),
        ),
        timed(
            Lapse::SamplesFromLastCopy,
            ("Karn ignored: a round trip from the last copy", "Karn's rule, RFC 6298, 3"),
        ),
        timed(Lapse::NoBackOff, ("the timeout is not doubled", "RFC 6298, 5.5")),
        timed(Lapse::BackOffWithoutCap, ("the timeout doubles without end", "RFC 6298, 2.5")),
        timed(Lapse::KeepsBackOff, ("a measurement does not end the back-off", "RFC 6298, 5.7")),
        timed(
            Lapse::BackOffIsReset,
            ("an ACK of a copy ends the back-off", "Karn's rule: until a measurement"),
        ),
        timed(Lapse::FirstVarianceIsZero, ("RTTVAR begins at 0", "RFC 6298, 2.2")),
        timed(Lapse::VarianceAfterMean, ("RTTVAR is taken from the new SRTT", "RFC 6298, 2.3")),
        timed(Lapse::NoVariance, ("RTO = SRTT + RTTVAR, without the factor 4", "RFC 6298, 2.3")),
        timed(Lapse::NoLeastTimeout, ("the timeout has no least value", "RFC 6298, 2.4")),
    ]
}

fn endpoints() -> Vec<Plant> {
    let blind = |role, peer| -> End {
        let codec = Codec::Compact { checksum: Checksum::None };
        let config = Config { role, codec, ..config() };
        Box::new(Classic::new(&StopAndWait::RDT30, config, peer).unwrap())
    };
    vec![
        plant("rdt3.0", ("the checksum is not looked at", "notcorrupt(rcvpkt)"), blind),
        vicious(
            Vice::HidesWhatIsReady,
            ("the deadline is that of the timer, whatever is ready", "rule 2 of an endpoint"),
        ),
        vicious(
            Vice::ActsEarly,
            ("handle_timeout does not look at the deadline", "rule 3 of an endpoint"),
        ),
        vicious(Vice::TellsTwice, ("an event is told twice", "deliver_data once")),
        timed(
            Lapse::StrictDeadline,
            ("now > deadline in place of now >= deadline", "rule 3 of an endpoint"),
        ),
        timed(
            Lapse::DeadlineFromDeadline,
            ("the timer restarts from its deadline, however late it is", "rule 3 of an endpoint"),
        ),
    ]
}

/// What the bugs are planted in, without bugs, and the shipped protocols themselves.
pub(crate) fn honest() -> Vec<Plant> {
    let shipped_timer = |role, peer| -> End {
        let timeout = Timeout::Adaptive(LIMITS);
        Box::new(
            Classic::new(&StopAndWait::RDT30, Config { role, timeout, ..config() }, peer).unwrap(),
        )
    };
    let saw3 = StopAndWait::new(Modulus::new(3));
    vec![
        rdt21(Flaw::None, HONEST),
        rdt22(Flaw::None, HONEST),
        rdt30(Flaw::None, HONEST),
        machines("saw:3", Mixed { sender: saw3, receiver: saw3 }, HONEST),
        gbn(Flaw::None, HONEST),
        gbn_array(Slip::None, HONEST),
        gbn_overtaken(Slip::None, HONEST),
        sr(Flaw::None, HONEST),
        sr_array(Slip::None, HONEST),
        timed(Lapse::None, HONEST),
        vicious(Vice::None, HONEST),
        machines("rdt2.1", Rdt21, HONEST),
        machines("rdt2.2", Rdt22, HONEST),
        machines("rdt3.0", StopAndWait::RDT30, HONEST),
        machines("saw:3", saw3, HONEST),
        machines("gbn:3/4", gbn34(), HONEST),
        machines("sr:2/4", sr24(), HONEST),
        Plant { timed: true, ..plant("rdt3.0", HONEST, shipped_timer) },
    ]
}
