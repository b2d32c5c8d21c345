//! Asks for the state of a command.

use super::super::TaskId;
use super::Script;

const PROBE: &str = include_str!("../sh/probe.sh");

impl Script {
    pub fn probe(task: &TaskId) -> Self {
        Self::about(task, "", PROBE)
    }
}
