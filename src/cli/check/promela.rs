//! `rdtp check --promela`: the same question for Spin.

use std::{path::Path, process::ExitCode};

use rdtp::{
    check::PromelaError,
    classic::{Protocol, Spec, Visitor},
};

use super::{
    super::{refuse, whole},
    Options, Outcome,
};

struct Export<'a>(&'a Options);

impl Visitor for Export<'_> {
    type Output = Result<String, PromelaError>;

    fn visit<P: Protocol>(self, protocol: P) -> Self::Output {
        self.0.model(&protocol).promela(&protocol)
    }
}

/// Writes the model to `path`.
pub(super) fn write(options: &Options, spec: Spec, path: &Path) -> Outcome {
    // Exit status 1 would say that there is a counterexample.
    let text = spec.visit(Export(options)).unwrap_or_else(|error| refuse(error));
    if path.as_os_str() == "-" {
        say!("{}", text.trim_end());
    } else {
        whole::expect(path);
        whole::write(path, &text)?;
    }
    Ok(ExitCode::SUCCESS)
}
