//! `rdtp check --promela`: the same question for Spin.

use std::{fs, path::Path, process::ExitCode};

use rdtp::{
    check::PromelaError,
    classic::{Protocol, Spec, Visitor},
};

use super::{Failure, Options, Outcome};

struct Export<'a>(&'a Options);

impl Visitor for Export<'_> {
    type Output = Result<String, PromelaError>;

    fn visit<P: Protocol>(self, protocol: P) -> Self::Output {
        self.0.model(&protocol).promela(&protocol)
    }
}

/// Writes the model to `path`.
pub(super) fn write(options: &Options, spec: Spec, path: &Path) -> Outcome {
    let text = spec.visit(Export(options))?;
    if path.as_os_str() == "-" {
        say!("{}", text.trim_end());
    } else {
        fs::write(path, text)
            .map_err(|error| Failure(format!("cannot write {}: {error}", path.display())))?;
    }
    Ok(ExitCode::SUCCESS)
}
