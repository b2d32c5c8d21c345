//! Removes what a server keeps of a command.

use super::super::TaskId;
use super::{SCAN, Script, TOMBSTONE};

const REMOVE: &str = include_str!("../sh/remove.sh");

impl Script {
    pub fn remove(task: &TaskId) -> Self {
        Self::about(task, "", &format!("{SCAN}{TOMBSTONE}{REMOVE}"))
    }
}
