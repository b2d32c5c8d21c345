//! Ends a command with all its processes.

use super::super::{StopCause, TaskId};
use super::{END, SCAN, Script};

const KILL: &str = include_str!("../sh/kill.sh");

impl Script {
    pub fn kill(task: &TaskId, grace_seconds: u64, cause: StopCause) -> Self {
        let cause = cause.as_str();
        let variables = format!("lethe_grace={grace_seconds}\nlethe_cause={cause}\n");
        Self::about(task, &variables, &format!("{SCAN}{END}{KILL}"))
    }
}
