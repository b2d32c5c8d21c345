//! The scripts: a server gets a short command, which reads the script from standard input.

mod forbid;
mod kill;
mod preflight;
mod probe;
mod remove;
mod start;
mod sweep;
mod watch;

use zeroize::Zeroizing;

use super::TaskId;
#[cfg(test)]
pub(super) use start::quote;
pub(super) use watch::END_SIGNAL;

/// What every script begins with.
const COMMON: &str = include_str!("../sh/common.sh");
/// Finds the processes of a run.
const SCAN: &str = include_str!("../sh/scan.sh");
/// Ends what the scan finds.
const END: &str = include_str!("../sh/end.sh");
/// Puts a note in the place of a keeper's.
const TOMBSTONE: &str = include_str!("../sh/tombstone.sh");

pub(super) struct Script {
    pub command: String,
    pub stdin: Zeroizing<Vec<u8>>,
}

impl Script {
    /// A script with the functions that all use, after the variables that it needs: lines of
    /// `name=value`.
    fn about(task: &TaskId, variables: &str, script: &str) -> Self {
        Self::of(&with_common(task, variables, script), &[])
    }

    /// Sets a mark on its processes, by which a removal finds them.
    fn following(mut self, task: &TaskId) -> Self {
        self.command = self.command.replace("sh -c", &format!("env LETHE_FOLLOWS={task} sh -c"));
        self
    }

    /// Means the same to every shell that a login may have: no newline, backslash, `!` or quote
    /// stands between its quotes. What follows `exec` is for restricted shells, which refuse it.
    fn of(script: &str, rest: &[&[u8]]) -> Self {
        let command = format!("sh -c '{}' lethe", load(script.len()));
        let command = format!("exec {command}; {command}");
        let mut stdin =
            Vec::with_capacity(script.len() + rest.iter().map(|part| part.len()).sum::<usize>());
        stdin.extend_from_slice(script.as_bytes());
        for part in rest {
            stdin.extend_from_slice(part);
        }
        Self { command, stdin: Zeroizing::new(stdin) }
    }
}

fn with_common(task: &TaskId, variables: &str, script: &str) -> String {
    format!("lethe_task={task}\n{variables}{COMMON}{script}")
}

/// Reads a script of exactly this length from standard input, and runs it. `head -c` would do, but
/// busybox's reads further.
fn load(bytes: usize) -> String {
    let read_all = format!("dd bs={bytes} count=1 iflag=fullblock 2>/dev/null");
    format!("eval \"$({read_all} || dd bs=1 count={bytes} 2>/dev/null)\"")
}
