//! The answer to a ban of a start.

use super::{Answer, TaskError, failed};

/// Whether a command can still be started under its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forbidden {
    /// It cannot: it was never started, or it has ended and was removed.
    Now,
    /// It was started before, and may be at work.
    There,
}

impl Answer {
    pub fn forbidden(&self) -> Result<Forbidden, TaskError> {
        match self.fields().as_slice() {
            ["forbidden"] => Ok(Forbidden::Now),
            ["there"] => Ok(Forbidden::There),
            other => Err(failed(other)),
        }
    }
}
