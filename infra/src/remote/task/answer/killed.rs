//! The answer to a kill.

use super::{Answer, TaskError, failed};

/// No process of the command is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Killed {
    /// A process was still there after TERM and the grace, and got KILL.
    pub forced: bool,
}

impl Answer {
    pub fn killed(&self) -> Result<Killed, TaskError> {
        match self.fields().as_slice() {
            ["killed"] => Ok(Killed { forced: false }),
            ["killed", "forced"] => Ok(Killed { forced: true }),
            ["alive"] => Err(TaskError::NotProven),
            other => Err(failed(other)),
        }
    }
}
