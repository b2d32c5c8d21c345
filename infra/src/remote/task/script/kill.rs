//! Ends a command with all its processes.

use super::super::TaskId;
use super::Script;

const KILL: &str = include_str!("../sh/kill.sh");

impl Script {
    pub fn kill(task: &TaskId, grace_seconds: u64) -> Self {
        Self::about(task, &format!("lethe_grace={grace_seconds}\n"), KILL)
    }
}
