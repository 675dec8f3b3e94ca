//! JSON by hand: the core of this crate has no serializer, and needs flat objects only.

use alloc::{format, string::String};
use core::{fmt::Write as _, time::Duration};

/// A JSON object in the making (RFC 8259).
#[derive(Clone, Debug)]
pub(super) struct Object(String);

impl Object {
    pub(super) fn new() -> Self {
        Self(String::from("{"))
    }

    fn key(&mut self, key: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.string(key);
        self.0.push(':');
    }

    pub(super) fn number(&mut self, key: &str, number: u64) {
        self.key(key);
        let _ = write!(self.0, "{number}");
    }

    pub(super) fn count(&mut self, key: &str, count: usize) {
        self.number(key, count as u64);
    }

    pub(super) fn nanos(&mut self, key: &str, time: Duration) {
        self.number(key, crate::time::nanos(time));
    }

    pub(super) fn maybe(&mut self, key: &str, number: Option<u64>) {
        match number {
            Some(number) => self.number(key, number),
            None => self.null(key),
        }
    }

    pub(super) fn null(&mut self, key: &str) {
        self.key(key);
        self.0.push_str("null");
    }

    pub(super) fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        self.string(text);
    }

    pub(super) fn flag(&mut self, key: &str, flag: bool) {
        self.raw(key, if flag { "true" } else { "false" });
    }

    /// A value that is JSON already.
    pub(super) fn raw(&mut self, key: &str, json: &str) {
        self.key(key);
        self.0.push_str(json);
    }

    /// A time in milliseconds, exact to the nanosecond.
    pub(super) fn millis(&mut self, key: &str, nanos: u64) {
        self.key(key);
        let _ = write!(self.0, "{}", nanos / 1_000_000);
        let rest = nanos % 1_000_000;
        if rest > 0 {
            let digits = format!("{rest:06}");
            let _ = write!(self.0, ".{}", digits.trim_end_matches('0'));
        }
    }

    /// Strings as an array.
    pub(super) fn texts<'a>(&mut self, key: &str, texts: impl Iterator<Item = &'a str>) {
        self.key(key);
        self.0.push('[');
        for (at, text) in texts.enumerate() {
            if at > 0 {
                self.0.push(',');
            }
            self.string(text);
        }
        self.0.push(']');
    }

    /// A string with what section 7 of RFC 8259 wants escaped.
    fn string(&mut self, text: &str) {
        self.0.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => self.0.extend(['\\', c]),
                c if u32::from(c) < 0x20 => {
                    let _ = write!(self.0, "\\u{:04x}", u32::from(c));
                }
                c => self.0.push(c),
            }
        }
        self.0.push('"');
    }

    pub(super) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}
