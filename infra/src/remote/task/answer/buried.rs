//! The answer to a burial.

use super::{Answer, TaskError, failed};

/// Whether a command can still be started under its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buried {
    /// It cannot: it was never started, or it has ended and was removed.
    Now,
    /// It was started before, and may be at work.
    There,
}

impl Answer {
    pub fn buried(&self) -> Result<Buried, TaskError> {
        match self.fields().as_slice() {
            ["buried"] => Ok(Buried::Now),
            ["there"] => Ok(Buried::There),
            other => Err(failed(other)),
        }
    }
}
