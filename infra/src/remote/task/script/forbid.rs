//! Makes sure that a command is not started any more.

use super::super::TaskId;
use super::{Script, TOMBSTONE};

const FORBID: &str = include_str!("../sh/forbid.sh");

impl Script {
    pub fn forbid(task: &TaskId) -> Self {
        Self::about(task, "", &format!("{TOMBSTONE}{FORBID}"))
    }
}
