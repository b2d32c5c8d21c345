//! The answer to a sweep.

use super::{Answer, TaskError, failed};

impl Answer {
    pub fn swept(&self) -> Result<u32, TaskError> {
        match self.fields().as_slice() {
            ["swept", count] => count.parse().map_err(|_| TaskError::Answer),
            other => Err(failed(other)),
        }
    }
}
