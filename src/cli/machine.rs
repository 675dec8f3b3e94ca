//! `rdtp machine`: the figures of the book, from the transition tables that the code runs.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use rdtp::classic::{
    Machine, Protocol, Spec, Visitor,
    diagram::{self, Notation},
};

use super::Outcome;

/// Print the state machines of a protocol, as the code runs them.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// rdt1.0, rdt2.0, rdt2.1, rdt2.2, rdt3.0, saw:M, gbn:N/M or sr:N/M; without one, all of them
    protocol: Option<String>,
    /// How to write them down
    #[arg(long, value_enum, default_value_t = As::Text)]
    r#as: As,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum As {
    /// For reading here
    Text,
    /// A Mermaid state diagram
    Mermaid,
    /// Graphviz: pipe it into `dot -Tsvg`
    Dot,
}

struct Draw(Notation);

impl Visitor for Draw {
    type Output = String;

    fn visit<P: Protocol>(self, protocol: P) -> String {
        let title = |side: &str| format!("{} {side} ({})", P::NAME, P::FIGURE);
        let sender = diagram::draw(&title("sender"), &protocol.sender::<u8>().table(), self.0);
        let receiver =
            diagram::draw(&title("receiver"), &protocol.receiver::<u8>().table(), self.0);
        format!("{sender}\n{receiver}")
    }
}

pub(crate) fn run(options: &Options) -> Outcome {
    let notation = match options.r#as {
        As::Text => Notation::Text,
        As::Mermaid => Notation::Mermaid,
        As::Dot => Notation::Dot,
    };
    let specs = match &options.protocol {
        Some(name) => vec![Spec::parse_even_if_illegal(name)?],
        None => Spec::book(),
    };
    for spec in specs {
        say!("{}", spec.visit(Draw(notation)));
        if matches!(notation, Notation::Text) {
            say!("Channel it tolerates: {}.\n", spec.tolerates());
        }
    }
    Ok(ExitCode::SUCCESS)
}
