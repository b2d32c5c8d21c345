//! Lines on the terminal. A failed write is ignored: the reader of a pipe may have gone.

use std::fmt::Display;
use std::io::Write;

use chrono::{DateTime, SecondsFormat, Utc};

pub fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

pub fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A time in whole seconds, as in RFC 3339.
pub fn seconds(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A number with its noun: `1 session`, `2 sessions`.
pub fn count<N: Display + PartialEq + From<u8>>(number: N, one: &str, more: &str) -> String {
    let noun = if number == N::from(1) { one } else { more };
    format!("{number} {noun}")
}
