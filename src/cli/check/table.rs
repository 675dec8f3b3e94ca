//! `rdtp check --all`: each protocol of the book against each fault, every cell searched.

use rdtp::{
    channel::{Channel, Overtake},
    check::{Report, Verdict},
    classic::{Protocol, Spec, Visitor},
};

use super::{Hands, Options, bounds, promise};

/// Small windows: their spaces close in a moment.
const PROTOCOLS: [&str; 11] = [
    "rdt1.0", "rdt2.0", "rdt2.1", "rdt2.2", "rdt3.0", "saw:3", "gbn:2/3", "gbn:2/5", "sr:2/4",
    "gbn:2", "sr:2",
];

const FAULTS: [(&str, Channel); 6] = [
    ("nothing", Channel::PERFECT),
    ("corrupt", Channel::PERFECT.corrupting()),
    ("lose", Channel::PERFECT.losing()),
    ("duplicate", Channel::PERFECT.duplicating()),
    ("overtake 1", Channel::PERFECT.overtaking(Overtake::AtMost(1))),
    ("reorder", Channel::PERFECT.overtaking(Overtake::Any)),
];

/// One cell; `None` asks for all that the protocol is made to bear, together.
struct Cell<'a> {
    channel: Option<Channel>,
    options: &'a Options,
}

impl Visitor for Cell<'_> {
    type Output = Report;

    fn visit<P: Protocol>(self, protocol: P) -> Report {
        let channel = self.channel.unwrap_or_else(|| promise(&protocol));
        let model = bounds(self.options, &protocol, channel);
        model.check_with(&protocol, &mut Hands::new(self.options.threads))
    }
}

fn words(report: &Report) -> String {
    let steps = report.steps().unwrap_or_default();
    match report.verdict {
        Verdict::Holds => "holds".to_owned(),
        Verdict::Unsafe(_) => format!("wrong in {steps}"),
        Verdict::Stuck { .. } => format!("stuck in {steps}"),
        Verdict::OutOfBound => "open".to_owned(),
    }
}

pub(super) fn print(options: &Options) {
    let heads = FAULTS.iter().map(|(name, _)| *name).chain(["all it bears"]);
    let head: Vec<String> = heads.map(|head| format!("{head:>14}")).collect();
    say!("{:<8}{}", "", head.concat());
    let mut states = 0;
    for name in PROTOCOLS {
        let Ok(spec) = name.parse::<Spec>() else { continue };
        let channels = FAULTS.iter().map(|(_, channel)| Some(*channel)).chain([None]);
        let cells = channels.map(|channel| {
            let report = spec.visit(Cell { channel, options });
            states += report.states;
            format!("{:>14}", words(&report))
        });
        say!("{name:<8}{}", cells.collect::<Vec<_>>().concat());
    }
    say!(
        "\nEvery cell is a search of its own, {states} states in all. \"holds\" is proved for {} \
         packets in flight\neach way and enough messages for the numbers to wrap around; \"wrong in \
         7\" and \"stuck in 2\" give the\nlength of the shortest counterexample, which `rdtp check \
         NAME --channel FAULT` shows.",
        options.capacity.unwrap_or(3)
    );
}
