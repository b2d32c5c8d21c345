//! Which programme runs.

use std::fmt;

/// The SHA-256 of a programme's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Build(pub [u8; 32]);

impl Build {
    /// Nothing says which: it equals no other programme, and its word is empty.
    pub const UNKNOWN: Self = Self([0; 32]);
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::UNKNOWN {
            return Ok(());
        }
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
