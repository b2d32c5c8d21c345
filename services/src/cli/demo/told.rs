//! How the story is told: chapters, what is seen, and what must hold.

use std::fmt::Display;
use std::io::{Stdout, Write, stdout};

pub struct Told {
    out: Stdout,
    held: u32,
    broken: Vec<String>,
}

impl Told {
    pub fn begin() -> Self {
        Self { out: stdout(), held: 0, broken: Vec::new() }
    }

    fn say(&self, line: impl Display) {
        // A line that nobody reads any more is not missed.
        let _ = writeln!(&self.out, "{line}");
    }

    pub fn chapter(&self, title: &str) {
        self.say(format_args!("\n== {title}"));
    }

    pub fn see(&self, line: impl Display) {
        self.say(format_args!("   {line}"));
    }

    /// A claim, and whether it is so.
    pub fn holds(&mut self, claim: &str, is: bool) {
        if is {
            self.held += 1;
            self.say(format_args!(" ✓ {claim}"));
        } else {
            self.broken.push(claim.to_owned());
            self.say(format_args!(" ✗ NOT SO: {claim}"));
        }
    }

    pub const fn held(&self) -> u32 {
        self.held
    }

    pub fn broken(&self) -> &[String] {
        &self.broken
    }
}
