//! Lines on the terminal. A failed write is ignored: the reader of a pipe may have gone.

use std::fmt::Display;
use std::io::Write;

pub fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

pub fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
