//! The answer to a removal.

use super::{Answer, TaskError, failed};

impl Answer {
    pub fn removed(&self) -> Result<(), TaskError> {
        match self.fields().as_slice() {
            ["removed"] => Ok(()),
            ["running"] => Err(TaskError::Running),
            other => Err(failed(other)),
        }
    }
}
