//! The answer to a start.

use super::{Answer, TaskError, failed};

/// The answer to a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// This request started the command.
    Launched,
    /// An earlier request started it, and it may have ended since; or it was forbidden.
    AlreadyThere,
}

impl Answer {
    pub fn started(&self) -> Result<Started, TaskError> {
        match self.fields().as_slice() {
            ["launched"] => Ok(Started::Launched),
            ["there"] => Ok(Started::AlreadyThere),
            other => Err(failed(other)),
        }
    }
}
