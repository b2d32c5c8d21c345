//! Makes sure that a command is not started any more.

use super::super::TaskId;
use super::{Script, TOMBSTONE};

const BURY: &str = include_str!("../sh/bury.sh");

impl Script {
    pub fn bury(task: &TaskId) -> Self {
        Self::about(task, "", &format!("{TOMBSTONE}{BURY}"))
    }
}
