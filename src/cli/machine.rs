//! `rdtp machine`: the figures of the book, from the transition tables that the code runs.

use std::process::ExitCode;

use clap::{Args, ValueEnum, error::ErrorKind};
use rdtp::{
    capture::figure,
    classic::{
        Machine, Protocol, Spec, Transition, Visitor,
        diagram::{self, Notation},
    },
};

use super::{Failure, Outcome, refuse};

/// Print the state machines of a protocol, as the code runs them.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// rdt1.0, rdt2.0, rdt2.1, rdt2.2, rdt3.0, saw:M, gbn:N/M or sr:N/M; without one, all of them
    #[arg(value_parser = Spec::parse_even_if_illegal)]
    protocol: Option<Spec>,
    /// How to write them down; all but text hold one picture, so name a protocol and a --side
    #[arg(long, value_enum, default_value_t = As::Text)]
    r#as: As,
    /// Only this machine
    #[arg(long, value_enum)]
    side: Option<Party>,
    /// With --as svg: highlight the state of this name, such as "Wait for ACK 0"
    #[arg(long, value_name = "NAME")]
    state: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Party {
    Sender,
    Receiver,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum As {
    /// For reading here
    Text,
    /// A Mermaid state diagram
    Mermaid,
    /// Graphviz: pipe it into `dot -Tsvg`
    Dot,
    /// A picture that stands alone
    Svg,
}

struct Draw<'a>(&'a Options);

impl Visitor for Draw<'_> {
    type Output = Result<String, Failure>;

    fn visit<P: Protocol>(self, protocol: P) -> Self::Output {
        let tables = [
            (Party::Sender, "sender", protocol.sender::<u8>().table()),
            (Party::Receiver, "receiver", protocol.receiver::<u8>().table()),
        ];
        let mut texts = Vec::new();
        for (party, side, table) in tables {
            if self.0.side.is_none_or(|only| only == party) {
                let title = format!("{} {side} ({})", P::NAME, P::FIGURE);
                texts.push(self.0.draw(&title, &table)?);
            }
        }
        Ok(texts.join("\n"))
    }
}

impl Options {
    fn draw(&self, title: &str, table: &[Transition]) -> Result<String, Failure> {
        let notation = match self.r#as {
            As::Text => Notation::Text,
            As::Mermaid => Notation::Mermaid,
            As::Dot => Notation::Dot,
            As::Svg => {
                let states = table.iter().flat_map(|arrow| [arrow.from, arrow.to]);
                let wanted = |state: &_| self.state.as_ref() == Some(&format!("{state}"));
                let now = states.into_iter().find(wanted);
                // With both machines, the state is one of either.
                if let (None, Some(name), Some(_)) = (now, &self.state, self.side) {
                    refuse(format_args!("{title} has no state \"{name}\""));
                }
                return Ok(figure::draw(title, table, now)?);
            }
        };
        Ok(diagram::draw(title, table, notation))
    }
}

pub(crate) fn run(options: &Options) -> Outcome {
    let text = matches!(options.r#as, As::Text);
    if !text && (options.protocol.is_none() || options.side.is_none()) {
        let what = "a picture shows one machine: name a protocol, and --side sender or receiver\n";
        clap::Error::raw(ErrorKind::MissingRequiredArgument, what).exit()
    }
    for spec in options.protocol.map_or_else(Spec::book, |spec| vec![spec]) {
        say!("{}", spec.visit(Draw(options))?);
        if text {
            say!("Channel it tolerates: {}.", spec.tolerates());
            if let Err(error) = spec.legal() {
                say!("Illegal: {error}.");
            }
            say!("");
        }
    }
    Ok(ExitCode::SUCCESS)
}
