//! Follows the outputs of a command to its end, and reads parts of them.

use super::super::{Output, TaskId};
use super::Script;

const WATCH: &str = include_str!("../sh/watch.sh");
const REST: &str = include_str!("../sh/rest.sh");

/// The file in the folder of a command that has a line once the command does not run any more.
pub const END_SIGNAL: &str = "ended";

impl Script {
    /// Without offsets the outputs stay on the server. Offsets count from 0; `tail` counts from 1. A line of
    /// the file `signal` ends it, and so does the end of its standard input.
    pub fn watch(task: &TaskId, mark: &str, offsets: Option<(u64, u64)>, signal: &str) -> Self {
        let outputs = if offsets.is_some() { "yes" } else { "" };
        let (out, err) = offsets.unwrap_or_default();
        let (out, err) = (out.saturating_add(1), err.saturating_add(1));
        let variables = format!(
            "lethe_mark={mark}\nlethe_outputs={outputs}\nlethe_out_from={out}\n\
             lethe_err_from={err}\nlethe_signal={signal}\n"
        );
        Self::about(task, &variables, WATCH).following(task)
    }

    /// Reads this many bytes of an output.
    pub fn rest(task: &TaskId, mark: &str, output: Output, offset: u64, bytes: u64) -> Self {
        let file = match output {
            Output::Out => "out",
            Output::Err => "err",
        };
        let from = offset.saturating_add(1);
        let variables = format!(
            "lethe_mark={mark}\nlethe_file={file}\nlethe_from={from}\nlethe_bytes={bytes}\n"
        );
        Self::about(task, &variables, REST).following(task)
    }
}
