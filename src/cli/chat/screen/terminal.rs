//! The terminal while it is a screen, and how it is left behind: as it was.

use core::sync::atomic::{AtomicBool, Ordering};
use std::{io, panic, sync::Once};

use rustix::{
    fd::{AsFd as _, BorrowedFd},
    termios::{OptionalActions, Termios, tcgetattr, tcsetattr},
};

/// The other screen, which is empty; pastes have marks around them.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?2004h\x1b[2J";
/// Letters as usual, the cursor seen, no marks, the screen of before.
const LEAVE: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?2004l\x1b[?1049l";

/// Whether a terminal is taken: there is one at a time.
static TAKEN: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// A terminal that sends every key as it is pressed and shows nothing by itself, until this is
/// dropped. A panic gives it back before it says what has happened.
#[derive(Debug)]
pub(super) struct Raw {
    before: Termios,
}

impl Raw {
    /// Takes the terminal of the standard input and output. Fails where there is none.
    pub(super) fn take() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Flush, &raw)?;
        let taken = Self { before: before.clone() };
        TAKEN.store(true, Ordering::Relaxed);
        HOOK.call_once(|| {
            let usual = panic::take_hook();
            panic::set_hook(Box::new(move |panic| {
                give_back(&before);
                usual(panic);
            }));
        });
        write_all(io::stdout().as_fd(), ENTER)?;
        Ok(taken)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        give_back(&self.before);
    }
}

/// Once for each time that it is taken. There is nobody to tell of an error: the terminal has gone.
fn give_back(before: &Termios) {
    if TAKEN.swap(false, Ordering::Relaxed) {
        let _ = write_all(io::stdout().as_fd(), LEAVE);
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
    }
}

/// Past the buffer of the standard output, whose lock a panic may hold.
fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(len) => bytes = &bytes[len..],
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{env, process::Command};

    /// Says that this is the program in the terminal.
    const INSIDE: &str = "RDTP_TEST_IN_TERMINAL";

    /// This test is started again in a terminal of its own, and panics there.
    #[test]
    fn a_panic_gives_the_terminal_back_and_can_be_read() {
        if env::var_os(INSIDE).is_some() {
            let _raw = Raw::take().unwrap();
            panic!("on purpose");
        }
        let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/terminal.py");
        let name =
            "cli::chat::screen::terminal::tests::a_panic_gives_the_terminal_back_and_can_be_read";
        let output = Command::new("python3")
            .args([fixture, "24", "80"])
            .arg(env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(INSIDE, "1")
            .output()
            .expect("python3 must be installed: it makes the pseudo-terminal");
        let terminal = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(terminal, "before: echo canon signals\nafter: echo canon signals\n");
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        let find =
            |part: &str| shown.find(part).unwrap_or_else(|| panic!("no {part:?}: {shown:?}"));
        let [enter, leave] = [ENTER, LEAVE].map(|bytes| core::str::from_utf8(bytes).unwrap());
        assert!(find(enter) < find(leave) && find(leave) < find("on purpose"), "{shown:?}");
    }
}
