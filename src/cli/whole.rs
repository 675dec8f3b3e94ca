//! Files that are written whole or not at all.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
    process,
};

use super::Failure;

/// Writes `text` to the file at `path`, over the one that may be there. Whoever reads it, also after
/// a failure, finds the old file or the new one.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    put(path, text).map_err(|error| Failure(format!("{}: {error}", path.display())))
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        // A pipe or a terminal cannot be replaced.
        return fs::write(path, text);
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut part = OsString::from(".");
    part.push(name);
    part.push(format!(".{}.part", process::id()));
    let part = path.with_file_name(part);
    let written = fill(&part, text).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // What is half written is of no use; that it cannot be removed is no news.
        let _ = fs::remove_file(&part);
    }
    written
}

fn fill(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
