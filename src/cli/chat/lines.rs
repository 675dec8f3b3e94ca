//! Lines of the standard input, as they come.

use std::io;

use rdtp::app::chat::frame::TEXT_BYTES_MAX;
use rustix::fd::AsFd as _;

/// A line is cut off beyond this; the session then refuses it for its length.
const LINE_BYTES_MAX: usize = TEXT_BYTES_MAX + 1_024;

/// Reads what is there and gives it out line by line.
#[derive(Debug, Default)]
pub(super) struct Lines {
    bytes: Vec<u8>,
    ended: bool,
    /// The rest of a line that was too long is thrown away.
    skipping: bool,
}

impl Lines {
    /// Reads once; call it when there is something to read.
    pub(super) fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        let stdin = io::stdin();
        match rustix::io::read(stdin.as_fd(), &mut buffer) {
            // The end, or the terminal has gone.
            Ok(0) | Err(rustix::io::Errno::IO) => self.ended = true,
            Ok(len) => self.bytes.extend_from_slice(&buffer[..len]),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// The next whole line; at the end of the input also one without an end.
    pub(super) fn next_line(&mut self) -> Option<String> {
        loop {
            let end = self.bytes.iter().position(|&byte| byte == b'\n');
            let line = match end {
                Some(end) => self.bytes.drain(..=end).collect::<Vec<u8>>(),
                None if self.bytes.len() > LINE_BYTES_MAX
                    || (self.ended && !self.bytes.is_empty()) =>
                {
                    core::mem::take(&mut self.bytes)
                }
                None => return None,
            };
            let skip = core::mem::replace(&mut self.skipping, end.is_none() && !self.ended);
            if !skip {
                return Some(
                    String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned(),
                );
            }
        }
    }

    /// Whether no more lines will come.
    pub(super) fn is_over(&self) -> bool {
        self.ended && self.bytes.is_empty()
    }

    /// Whether there is more to be read.
    pub(super) fn is_open(&self) -> bool {
        !self.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut out = Vec::new();
        for piece in pieces {
            lines.bytes.extend_from_slice(piece);
            out.extend(core::iter::from_fn(|| lines.next_line()));
        }
        lines.ended = true;
        out.extend(core::iter::from_fn(|| lines.next_line()));
        assert!(lines.is_over());
        out
    }

    #[test]
    fn pieces_become_lines() {
        assert_eq!(lines(&[b"a\nb", b"c\r\n", b"d"]), ["a", "bc", "d"]);
        assert_eq!(lines(&[b"\n\n"]), ["", ""]);
        assert_eq!(lines(&[b"\xff\n"]), ["\u{fffd}"]);
    }

    #[test]
    fn what_is_too_long_is_one_line_too_long() {
        let long = vec![b'x'; LINE_BYTES_MAX + 1];
        let out = lines(&[&long, &long, b"rest\nnext\n"]);
        assert_eq!(out.len(), 2);
        assert!(out[0].len() > TEXT_BYTES_MAX);
        assert_eq!(out[1], "next");
    }
}
