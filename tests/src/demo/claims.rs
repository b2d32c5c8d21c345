//! What the demo prints: chapters, what is seen, and claims with whether they hold.

use std::fmt::Display;
use std::io::{Stdout, Write, stdout};

#[derive(Debug)]
pub struct Claims {
    out: Stdout,
    held: usize,
    broken: Vec<String>,
}

impl Claims {
    pub fn new() -> Self {
        Self { out: stdout(), held: 0, broken: Vec::new() }
    }

    fn print(&self, line: impl Display) {
        // Whoever closed the pipe does not read on.
        let _ = writeln!(&self.out, "{line}");
    }

    pub fn chapter(&self, title: &str) {
        self.print(format_args!("\n== {title}"));
    }

    pub fn see(&self, line: impl Display) {
        self.print(format_args!("   {line}"));
    }

    pub fn holds(&mut self, claim: &str, holds: bool) {
        if holds {
            self.held += 1;
            self.print(format_args!(" ✓ {claim}"));
        } else {
            self.broken.push(claim.to_owned());
            self.print(format_args!(" ✗ NOT SO: {claim}"));
        }
    }

    /// How many claims held, or those that did not.
    pub fn outcome(self) -> Result<usize, Vec<String>> {
        if self.broken.is_empty() { Ok(self.held) } else { Err(self.broken) }
    }
}
