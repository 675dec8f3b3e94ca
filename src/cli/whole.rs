//! Files that are written whole or not at all.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process,
};

use super::{Failure, refuse};

/// Writes `text` to the file at `path`, over the one that may be there. Whoever reads it, also after
/// a failure, finds the old file or the new one.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    put(path, text).map_err(|error| Failure(format!("{}: {error}", path.display())))
}

/// Ends the program now, with exit status 2, if nothing could be written there: better than after a
/// long search.
pub(crate) fn expect(path: &Path) {
    if path == Path::new("-") {
        refuse("a picture goes to a file, not to standard output; name one instead of -");
    }
    let there = fs::metadata(path);
    let possible = if there.as_ref().is_ok_and(|there| !there.is_file()) {
        File::options().append(true).open(path).map(drop)
    } else {
        part(path).and_then(|part| {
            File::create_new(&part)?;
            fs::remove_file(&part)
        })
    };
    if let Err(error) = possible {
        refuse(format_args!("cannot write {}: {error}", path.display()));
    }
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        // A pipe or a terminal cannot be replaced.
        return fs::write(path, text);
    }
    let part = part(path)?;
    let written = fill(&part, text).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // What is half written is of no use; that it cannot be removed is no news.
        let _ = fs::remove_file(&part);
    }
    written
}

/// Where the file is while it is being written.
fn part(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut part = OsString::from(".");
    part.push(name);
    part.push(format!(".{}.part", process::id()));
    Ok(path.with_file_name(part))
}

fn fill(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
