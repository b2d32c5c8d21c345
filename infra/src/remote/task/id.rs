//! Names one command on one server.

use std::fmt;

use domain::{RunId, ServerId};

/// One attempt of a run on one server. Two servers may be one machine: each has its own command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct TaskId {
    pub run: RunId,
    /// From 1.
    pub attempt: u32,
    pub server: ServerId,
}

/// The name of the folder and the mark of the processes. The last part has a fixed length, so that no
/// name is a prefix of another.
impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.run, self.attempt, self.server)
    }
}
