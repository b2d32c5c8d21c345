//! Names one command on one server.

use std::fmt;

use domain::{RunId, ServerId};

/// One attempt of a run on one server. Two servers may be one machine: each has its own command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaskId {
    pub run: RunId,
    pub attempt: u32,
    pub server: ServerId,
}

/// The folder's name and the mark on its processes. Of fixed length at its end, so that none is
/// the beginning of another.
impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.run, self.attempt, self.server)
    }
}
