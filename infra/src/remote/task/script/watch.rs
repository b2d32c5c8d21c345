//! Follows the outputs of a command, and waits for its end.

use super::super::TaskId;
use super::Script;

const FOLLOW: &str = include_str!("../sh/follow.sh");
const AWAIT: &str = include_str!("../sh/await.sh");

impl Script {
    /// Offsets count from 0; `tail` counts from 1.
    pub fn follow(task: &TaskId, mark: &str, out_offset: u64, err_offset: u64) -> Self {
        let (out_from, err_from) = (out_offset.saturating_add(1), err_offset.saturating_add(1));
        let variables =
            format!("lethe_mark={mark}\nlethe_out_from={out_from}\nlethe_err_from={err_from}\n");
        Self::about(task, &variables, FOLLOW).following(task)
    }

    pub fn wait(task: &TaskId, mark: &str) -> Self {
        Self::about(task, &format!("lethe_mark={mark}\n"), AWAIT).following(task)
    }
}
