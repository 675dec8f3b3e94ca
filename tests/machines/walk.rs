//! Visits every state of a machine and holds each step to the transition table.

use std::collections::{BTreeSet, HashSet, VecDeque};

use rdtp::{
    classic::{Does, Effects, Input, Machine, Packet, State, Transition},
    trace::Tag,
};

/// Where a machine leaves its table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Astray {
    /// States found by then.
    pub(crate) states: usize,
    /// State, input, and what was wrong.
    pub(crate) what: String,
}

/// Everything that can happen to a machine with numbers below `numbers`.
pub(crate) fn inputs(numbers: u64) -> Vec<Input<u8>> {
    let numbered = (0..numbers).flat_map(|seq| {
        [
            Input::Arrive(Packet::Data { seq, data: 7 }),
            Input::Arrive(Packet::Ack { seq }),
            Input::Arrive(Packet::Nak { seq }),
            Input::Expire(Tag::Packet(seq)),
        ]
    });
    [Input::Send(7), Input::ArriveCorrupt, Input::Expire(Tag::Oldest)]
        .into_iter()
        .chain(numbered)
        .collect()
}

/// Visits the machine's states breadth first; returns how many there are.
pub(crate) fn explore<M: Machine<u8>>(machine: M, numbers: u64) -> Result<usize, Astray> {
    let table = machine.table();
    let names: BTreeSet<_> = table.iter().map(|arrow| arrow.rule.name).collect();
    let mut taken = BTreeSet::new();
    let mut seen = HashSet::from([machine.clone()]);
    let mut frontier = VecDeque::from([machine]);
    while let Some(machine) = frontier.pop_front() {
        for input in inputs(numbers) {
            let mut next = machine.clone();
            let rule = step(&machine, &mut next, input.clone(), &table).map_err(|fault| {
                let what = format!("in {} on {input:?}: {fault}", machine.state().label());
                Astray { states: seen.len(), what }
            })?;
            taken.insert(rule);
            if seen.insert(next.clone()) {
                frontier.push_back(next);
            }
        }
    }
    let states = seen.len();
    if names.is_empty() || taken != names {
        let unused: Vec<_> = names.difference(&taken).collect();
        return Err(Astray { states, what: format!("arrows that nothing takes: {unused:?}") });
    }
    Ok(states)
}

/// One step of `next`, which is as `machine` was before it; returns the name of the rule taken.
fn step<M: Machine<u8>>(
    machine: &M,
    next: &mut M,
    input: Input<u8>,
    table: &[Transition],
) -> Result<&'static str, String> {
    let mut effects = Effects::default();
    let fired = next.step(input, &mut effects);
    if (fired.from, fired.to) != (machine.state(), next.state()) {
        return Err(format!("{} does not lead where it says", fired.rule.name));
    }
    let arrow = table.iter().find(|arrow| {
        std::ptr::eq(arrow.rule, fired.rule)
            && arrow.from == fired.from.label()
            && arrow.to == fired.to.label()
    });
    let Some(arrow) = arrow else { return Err(format!("no arrow {}", fired.rule.name)) };
    if !Does::describes(arrow.rule.does, effects.as_slice()) {
        let (name, does) = (arrow.rule.name, arrow.rule.does);
        return Err(format!("arrow {name} promises {does:?}, got {:?}", effects.as_slice()));
    }
    let ignored = fired.rule.refuses.is_some() && fired.rule.does.is_empty();
    if ignored && fired.from == fired.to && next != machine {
        return Err("ignored, yet something changed".into());
    }
    Ok(fired.rule.name)
}
