//! Where the password comes from: a file, the environment or the terminal.

use std::{
    env, fs,
    io::{self, BufRead as _, IsTerminal as _, Write as _},
    path::Path,
};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::super::super::{Failure, refuse};

/// The environment variable with the password.
const VARIABLE: &str = "RDTP_MAIL_PASSWORD";

/// The password of `user`: the first line of the file if there is one, else the environment, else
/// what is typed at the terminal.
pub(super) fn read(user: &str, file: Option<&Path>) -> Result<String, Failure> {
    if let Some(path) = file {
        let text = fs::read_to_string(path)
            .map_err(|error| Failure(format!("{}: {error}", path.display())))?;
        let first = text.lines().next().unwrap_or_default();
        if first.is_empty() {
            return Err(Failure(format!("{}: no password in its first line", path.display())));
        }
        return Ok(first.to_owned());
    }
    if let Some(password) = env::var_os(VARIABLE) {
        let utf8 = password.into_string();
        return utf8.map_err(|_| Failure(format!("{VARIABLE} is not UTF-8")));
    }
    if !io::stdin().is_terminal() {
        refuse(format_args!(
            "no password for {user}: use --mail-password-file, the variable {VARIABLE}, or a terminal"
        ));
    }
    ask(user).map_err(|error| Failure(format!("no password: {error}")))
}

/// Asks at the terminal, which shows nothing of what is typed.
fn ask(user: &str) -> io::Result<String> {
    let shown = tcgetattr(io::stdin())?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    eprint!("Password for {user}: ");
    io::stderr().flush()?;
    tcsetattr(io::stdin(), OptionalActions::Flush, &hidden)?;
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    tcsetattr(io::stdin(), OptionalActions::Flush, &shown)?;
    eprintln!();
    read?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(password.to_owned())
}
