//! Writing a run down while it goes on: its ladder, its events, its trace.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use clap::{Args, error::ErrorKind};
use rdtp::{
    capture::{Ladder, jsonl, ladder::Fold},
    trace::{NodeId, Observer, Record},
};

use super::{Failure, whole};

/// Where a run is written down. A path of `-` is standard output.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RecordingArgs {
    /// Write the ladder diagram to this file as SVG; - prints it as text
    #[arg(long, value_name = "FILE")]
    pub(crate) ladder: Option<PathBuf>,
    /// Draw the whole ladder, however long
    #[arg(long)]
    pub(crate) whole: bool,
    /// Write every event as a JSON line to this file; for rdtp run, - is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) events: Option<PathBuf>,
}

/// The most blocks of a ladder over real sockets, or of a long run: some 60 MB.
const BLOCKS_MAX: usize = 1 << 17;

pub(crate) fn is_dash(path: &Path) -> bool {
    path == Path::new("-")
}

impl RecordingArgs {
    /// Writes the ladder, if it goes to a file.
    pub(crate) fn write(&self, ladder: &Ladder) -> Result<(), Failure> {
        let Some(path) = self.ladder.as_deref().filter(|path| !is_dash(path)) else {
            return Ok(());
        };
        whole::write(path, &ladder.to_svg())
    }

    /// Whether standard output belongs to the events.
    pub(crate) fn events_own_stdout(&self) -> bool {
        self.events.as_deref().is_some_and(is_dash)
    }

    /// The same with `name` before the extension of each file.
    pub(crate) fn named(&self, name: &str) -> Self {
        let named = |path: &PathBuf| {
            if is_dash(path) {
                return path.clone();
            }
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let end = path.extension().map(|end| format!(".{}", end.to_string_lossy()));
            path.with_file_name(format!("{stem}-{name}{}", end.unwrap_or_default()))
        };
        Self {
            ladder: self.ladder.as_ref().map(named),
            whole: self.whole,
            events: self.events.as_ref().map(named),
        }
    }

    /// A recorder with this ladder, whether or not it is to be written.
    pub(crate) fn start(&self, ladder: Ladder) -> Result<Recorder, Failure> {
        let ladder = if self.whole { ladder.folded(Fold::NEVER) } else { ladder };
        let events = self.events.as_deref().map(Output::create).transpose()?;
        if let Some(path) = self.ladder.as_deref().filter(|path| !is_dash(path)) {
            // Known now, not after the run.
            let open = File::options().append(true).create(true).open(path);
            open.map_err(|error| unwritten(path, &error))?;
        }
        Ok(Recorder { arguments: self.clone(), ladder: Some(ladder), events, trace: false })
    }

    /// A recorder whose ladder is bounded, and there only if it is to be written.
    pub(crate) fn start_if_asked(&self, ladder: Ladder) -> Result<Recorder, Failure> {
        let mut recorder = self.start(ladder.limited(BLOCKS_MAX))?;
        if self.ladder.is_none() {
            recorder.ladder = None;
        }
        Ok(recorder)
    }

    /// A recorder for a run over real sockets, in which standard output has the results.
    fn start_live(&self, ladder: Ladder, trace: bool) -> Result<Recorder, Failure> {
        if self.events_own_stdout() {
            let what = "--events needs a file here: standard output has the results\n";
            clap::Error::raw(ErrorKind::ValueValidation, what).exit()
        }
        let mut recorder = self.start_if_asked(ladder)?;
        recorder.trace = trace;
        Ok(recorder)
    }

    /// What the side `here` sees; the other side is another process.
    pub(crate) fn start_one_side(
        &self,
        title: &str,
        here: NodeId,
        trace: bool,
    ) -> Result<Recorder, Failure> {
        self.start_live(Ladder::new(title).seen_by(here), trace)
    }

    /// Both sides of a run over real sockets.
    pub(crate) fn start_both_sides(&self, title: &str) -> Result<Recorder, Failure> {
        self.start_live(Ladder::new(title).over_sockets(), false)
    }
}

/// Takes the records of a run.
pub(crate) struct Recorder {
    arguments: RecordingArgs,
    ladder: Option<Ladder>,
    events: Option<Output>,
    /// Print each record to standard error.
    trace: bool,
}

impl Recorder {
    /// Writes what goes to files, and hands the ladder back if there is one. Message `wrong` was
    /// delivered and is not the one that was sent.
    pub(crate) fn finish(self, wrong: Option<u64>) -> Result<Option<Ladder>, Failure> {
        if let (Some(events), Some(path)) = (self.events, &self.arguments.events) {
            events.finish().map_err(|error| unwritten(path, &error))?;
        }
        let Some(mut ladder) = self.ladder else { return Ok(None) };
        if let Some(index) = wrong {
            ladder.mark_wrong(index);
        }
        self.arguments.write(&ladder)?;
        Ok(Some(ladder))
    }

    /// The same, and prints the ladder as text if that was asked for; where standard output is for
    /// programs, to standard error.
    pub(crate) fn finish_and_print(self, json: bool) -> Result<(), Failure> {
        match self.finish_as_text(None)? {
            Some(ladder) if json => eprintln!("{ladder}"),
            Some(ladder) => say!("{ladder}"),
            None => {}
        }
        Ok(())
    }

    /// The same; returns the ladder as text if that was asked for.
    pub(crate) fn finish_as_text(self, wrong: Option<u64>) -> Result<Option<String>, Failure> {
        let text = self.arguments.ladder.as_deref().is_some_and(is_dash);
        Ok(self.finish(wrong)?.filter(|_| text).map(|ladder| ladder.to_text()))
    }
}

impl Observer for Recorder {
    fn record(&mut self, record: &Record) {
        if self.trace {
            eprintln!("{record}");
        }
        if let Some(ladder) = &mut self.ladder {
            ladder.record(record);
        }
        if let Some(events) = &mut self.events {
            events.line(&jsonl::line(record));
        }
    }

    fn wants_records(&self) -> bool {
        self.trace || self.ladder.is_some() || self.events.is_some()
    }
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure(format!("{}: {error}", path.display()))
}

/// A file, or standard output for `-`. The first failure is kept for the end.
struct Output {
    to: Box<dyn Write>,
    failed: io::Result<()>,
}

impl Output {
    fn create(path: &Path) -> Result<Self, Failure> {
        let to: Box<dyn Write> = if is_dash(path) {
            Box::new(BufWriter::new(io::stdout()))
        } else {
            let file = File::create(path).map_err(|error| unwritten(path, &error))?;
            Box::new(BufWriter::new(file))
        };
        Ok(Self { to, failed: Ok(()) })
    }

    fn line(&mut self, line: &str) {
        if self.failed.is_ok() {
            self.failed = writeln!(self.to, "{line}");
        }
    }

    /// A reader that has gone (`--events - | head`) has seen enough, and is no failure.
    fn finish(mut self) -> io::Result<()> {
        let written = self.failed.and_then(|()| self.to.flush());
        written.or_else(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Ok(()),
            _ => Err(error),
        })
    }
}
