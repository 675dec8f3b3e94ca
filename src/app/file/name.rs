//! Names that cannot leave a directory, hide, or play tricks on a terminal.

use core::fmt;

use crate::app::chat::is_unseen;

/// The longest name, in bytes of UTF-8: what the usual file systems allow.
pub const NAME_BYTES_MAX: usize = 255;

/// Why a name is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing there.
    Empty,
    /// Longer than [`NAME_BYTES_MAX`].
    Long,
    /// No UTF-8.
    Encoding,
    /// `.` or `..`.
    Directory,
    /// A `/` or `\`, or the `:` of a Windows drive or stream.
    Separator,
    /// A control character, NUL among them, or one that is invisible or turns the direction of
    /// writing: a terminal would show another name.
    Control,
    /// It begins with a dot: such files configure programs and are not seen in listings.
    Hidden,
    /// It ends in a dot or a space, which Windows removes.
    Ending,
    /// A device to Windows, such as `NUL` or `com1.txt`.
    Device,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the name is empty",
            Self::Long => "the name is longer than 255 bytes",
            Self::Encoding => "the name is not UTF-8",
            Self::Directory => "the name is a directory's",
            Self::Separator => "the name contains a path separator",
            Self::Control => "the name contains control or invisible characters",
            Self::Hidden => "the name begins with a dot",
            Self::Ending => "the name ends in a dot or a space",
            Self::Device => "the name is a device's",
        })
    }
}

impl core::error::Error for NameError {}

/// The name, if a file may be stored under it on every usual system and directly inside the
/// directory of the receiver's choice.
///
/// ```
/// use rdtp::app::file::{NameError, check_name};
///
/// assert_eq!(check_name("report (final).pdf"), Ok("report (final).pdf"));
/// assert_eq!(check_name("../.ssh/authorized_keys"), Err(NameError::Separator));
/// assert_eq!(check_name("aux.c"), Err(NameError::Device));
/// ```
pub fn check_name(name: &str) -> Result<&str, NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(NameError::Long);
    }
    if name == "." || name == ".." {
        return Err(NameError::Directory);
    }
    if name.contains(['/', '\\', ':']) {
        return Err(NameError::Separator);
    }
    if name.chars().any(is_unseen) {
        return Err(NameError::Control);
    }
    if name.starts_with('.') {
        return Err(NameError::Hidden);
    }
    if name.ends_with(['.', ' ']) {
        return Err(NameError::Ending);
    }
    if is_device(name) {
        return Err(NameError::Device);
    }
    Ok(name)
}

/// What follows the last separator of either kind: the name to send a file under. Empty when the
/// path ends in one.
pub fn final_component(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// The device names that Windows reserves in every directory, with any extension.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end_matches(' ');
    let is = |device: &str| stem.eq_ignore_ascii_case(device);
    if ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"].into_iter().any(is) {
        return true;
    }
    // COM and LPT with a digit, which may also be a superscript one.
    let numbered = stem
        .get(..3)
        .is_some_and(|port| port.eq_ignore_ascii_case("COM") || port.eq_ignore_ascii_case("LPT"));
    let mut digits = stem.chars().skip(3);
    numbered
        && matches!(digits.next(), Some('0'..='9' | '¹' | '²' | '³'))
        && digits.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::String};
    use proptest::prelude::*;

    #[test]
    fn each_reason() {
        use NameError as E;
        for (name, error) in [
            ("", E::Empty),
            (".", E::Directory),
            ("..", E::Directory),
            ("../x", E::Separator),
            ("/etc/passwd", E::Separator),
            ("..\\x", E::Separator),
            ("C:x", E::Separator),
            ("file:stream", E::Separator),
            ("nul\0l", E::Control),
            ("line\nbreak", E::Control),
            ("\u{1b}[2Jcleared", E::Control),
            ("csi\u{9b}2J", E::Control),
            ("gpj.\u{202E}exe", E::Control),
            ("zero\u{200B}width", E::Control),
            (".bashrc", E::Hidden),
            ("..hidden", E::Hidden),
            ("dots..", E::Ending),
            ("space ", E::Ending),
            ("NUL", E::Device),
            ("nul.tar.gz", E::Device),
            ("Aux .c", E::Device),
            ("com1", E::Device),
            ("LPT9.txt", E::Device),
            ("com\u{b9}", E::Device),
            ("conin$", E::Device),
        ] {
            assert_eq!(check_name(name), Err(error), "{name:?}");
        }
        assert_eq!(check_name(&"n".repeat(256)), Err(E::Long));
    }

    #[test]
    fn ordinary_names_pass() {
        for name in
            ["a", "file.txt", "com", "com10", "console", "naïve résumé.md", "文件.txt", "a b", "~"]
        {
            assert_eq!(check_name(name), Ok(name));
        }
        let longest = "n".repeat(255);
        assert_eq!(check_name(&longest), Ok(&longest[..]));
    }

    #[test]
    fn the_final_component_follows_either_separator() {
        for (path, name) in [
            ("/tmp/a.txt", "a.txt"),
            ("a.txt", "a.txt"),
            ("C:\\dir\\a.txt", "a.txt"),
            ("mixed\\and/a", "a"),
            ("dir/", ""),
        ] {
            assert_eq!(final_component(path), name);
        }
    }

    proptest! {
        /// Whatever passes names a direct child of the directory it is joined to.
        #[test]
        fn what_passes_stays_inside(
            name in prop_oneof![
                any::<String>(),
                "[./\\\\a:~]{0,8}",
                "(\\.\\./){0,3}[a-z.]{0,5}",
            ]
        ) {
            if let Ok(name) = check_name(&name) {
                let base = std::path::Path::new("base");
                let joined = base.join(name);
                prop_assert_eq!(joined.parent(), Some(base));
                prop_assert_eq!(joined.file_name().and_then(|n| n.to_str()), Some(name));
                prop_assert!(!name.chars().any(char::is_control));
            }
        }

        #[test]
        fn a_final_component_has_no_separator(path in "[a./\\\\]{0,12}") {
            prop_assert!(!final_component(&path).contains(['/', '\\']));
            let deeper = format!("x/{path}");
            prop_assert_eq!(final_component(&deeper), final_component(&path));
        }
    }
}
