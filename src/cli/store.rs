//! Received files on disk: written under a temporary name, given their own when they are whole.

use core::sync::atomic::{AtomicU32, Ordering};
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process,
};

/// How many names are tried before giving up: `name`, `name (1)`, `name (2)`, ...
const NAMES_MAX: u32 = 1_000;

/// A file on its way in. Dropping it before [`store`](Self::store) has succeeded removes it.
#[derive(Debug)]
pub(crate) struct Partial {
    file: BufWriter<File>,
    path: PathBuf,
    directory: PathBuf,
    name: String,
}

impl Partial {
    /// A new, empty file in `directory` that will be called `name`, which the caller has checked
    /// to be a plain file name.
    pub(crate) fn create(directory: &Path, name: &str) -> io::Result<Self> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        for _ in 0..NAMES_MAX {
            let number = COUNTER.fetch_add(1, Ordering::Relaxed);
            let path = directory.join(format!(".rdtp-{}-{number}.part", process::id()));
            // `create_new` neither opens what is there nor follows a link.
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    let file = BufWriter::with_capacity(64 * 1024, file);
                    let directory = directory.to_owned();
                    return Ok(Self { file, path, directory, name: name.to_owned() });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Puts everything on the disk and gives the file its name, or `name (1).ext` and so on when
    /// that is taken: what exists is never overwritten. Returns the path it got.
    pub(crate) fn store(mut self) -> io::Result<PathBuf> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        for number in 0..NAMES_MAX {
            let path = self.directory.join(numbered(&self.name, number));
            match rename_new(&self.path, &path) {
                Ok(()) => {
                    // The name is safe once the directory is; not every system can do this.
                    if let Ok(directory) = File::open(&self.directory) {
                        let _ = directory.sync_all();
                    }
                    return Ok(path);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After `store` nothing of that name is left, and nothing is lost.
        let _ = fs::remove_file(&self.path);
    }
}

/// `name.ext` for 0, `name (3).ext` for 3.
fn numbered(name: &str, number: u32) -> OsString {
    if number == 0 {
        return name.into();
    }
    let path = Path::new(name);
    let stem = path.file_stem().unwrap_or(path.as_os_str());
    let mut result = stem.to_owned();
    result.push(format!(" ({number})"));
    if let Some(extension) = path.extension() {
        result.push(".");
        result.push(extension);
    }
    result
}

/// Renames, and fails with `AlreadyExists` if `to` exists, whoever made it and however lately.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // A file system without hard links: take the name with an empty file, then replace that.
        Err(_) => {
            OpenOptions::new().write(true).create_new(true).open(to)?;
            fs::rename(from, to).inspect_err(|_| {
                let _ = fs::remove_file(to);
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("rdtp-store-{name}-{}", process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            let mut names: Vec<String> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn store(directory: &Directory, name: &str, bytes: &[u8]) -> PathBuf {
        let mut partial = Partial::create(&directory.0, name).unwrap();
        partial.write(bytes).unwrap();
        assert!(directory.names().iter().any(|name| name.starts_with(".rdtp-")));
        partial.store().unwrap()
    }

    #[test]
    fn what_exists_is_not_overwritten() {
        let directory = Directory::new("exists");
        for (bytes, name) in [("one", "a.txt"), ("two", "a (1).txt"), ("three", "a (2).txt")] {
            let path = store(&directory, "a.txt", bytes.as_bytes());
            assert_eq!(path.file_name().unwrap(), name);
            assert_eq!(fs::read(path).unwrap(), bytes.as_bytes());
        }
        store(&directory, "plain", b"");
        store(&directory, "plain", b"");
        assert_eq!(directory.names(), ["a (1).txt", "a (2).txt", "a.txt", "plain", "plain (1)"]);
    }

    #[test]
    fn what_is_not_finished_leaves_nothing() {
        let directory = Directory::new("unfinished");
        let mut partial = Partial::create(&directory.0, "a").unwrap();
        partial.write(b"half").unwrap();
        drop(partial);
        assert!(directory.names().is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_of_that_name_is_not_followed() {
        let directory = Directory::new("link");
        let outside = Directory::new("outside");
        let victim = outside.0.join("victim");
        std::os::unix::fs::symlink(&victim, directory.0.join("a")).unwrap();
        assert_eq!(store(&directory, "a", b"x").file_name().unwrap(), "a (1)");
        assert!(!victim.exists());
    }
}
