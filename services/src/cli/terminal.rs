//! Lines on the terminal. One that nobody reads any more is not missed.

use std::fmt::Display;
use std::io::Write;

pub fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

pub fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
