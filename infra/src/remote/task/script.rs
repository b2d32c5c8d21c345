//! The scripts: a server gets a short command, which reads the script from standard input.

use zeroize::Zeroizing;

use super::{Launch, LaunchError, TaskId};

const COMMON: &str = include_str!("sh/common.sh");
const START: &str = include_str!("sh/start.sh");
const KEEP: &str = include_str!("sh/keep.sh");
const BEFORE: &str = include_str!("sh/before.sh");
const AFTER: &str = include_str!("sh/after.sh");
const PROBE: &str = include_str!("sh/probe.sh");
const FOLLOW: &str = include_str!("sh/follow.sh");
const AWAIT: &str = include_str!("sh/await.sh");
const KILL: &str = include_str!("sh/kill.sh");
const REMOVE: &str = include_str!("sh/remove.sh");

pub(super) struct Script {
    pub command: String,
    pub stdin: Zeroizing<Vec<u8>>,
}

impl Script {
    pub fn start(launch: &Launch<'_>) -> Result<Self, LaunchError> {
        launch.check()?;
        let inner = inner(launch);
        let (inner_bytes, command_bytes) = (inner.len(), launch.command.len());
        let task = launch.task;
        let keeper = format!(
            "task={task}\ninner_bytes={inner_bytes}\ncommand_bytes={command_bytes}\n{COMMON}{KEEP}"
        );
        let load = load(keeper.len());
        let starter = format!("task={task}\nload_keeper='{load}'\n{COMMON}{START}");
        Ok(Self::of(&starter, &[keeper.as_bytes(), inner.as_bytes(), launch.command.as_bytes()]))
    }

    pub fn probe(task: &TaskId) -> Self {
        Self::of(&format!("task={task}\n{COMMON}{PROBE}"), &[])
    }

    /// Offsets count from 0; `tail` counts from 1.
    pub fn follow(task: &TaskId, mark: &str, out_offset: u64, err_offset: u64) -> Self {
        let (out_from, err_from) = (out_offset.saturating_add(1), err_offset.saturating_add(1));
        let with = format!("task={task}\nmark={mark}\nout_from={out_from}\nerr_from={err_from}");
        Self::of(&format!("{with}\n{COMMON}{FOLLOW}"), &[]).following(task)
    }

    pub fn wait(task: &TaskId, mark: &str) -> Self {
        let script = format!("task={task}\nmark={mark}\n{COMMON}{AWAIT}");
        Self::of(&script, &[]).following(task)
    }

    pub fn kill(task: &TaskId, grace_seconds: u64) -> Self {
        Self::of(&format!("task={task}\ngrace={grace_seconds}\n{COMMON}{KILL}"), &[])
    }

    pub fn remove(task: &TaskId) -> Self {
        Self::of(&format!("task={task}\n{COMMON}{REMOVE}"), &[])
    }

    /// Sets a mark on its processes, by which a removal finds them.
    fn following(mut self, task: &TaskId) -> Self {
        let place = self.command.find("sh ").unwrap_or_default();
        self.command.insert_str(place, &format!("env LETHE_FOLLOWS={task} "));
        self
    }

    /// Means the same to every shell that a login may have: no newline, backslash, `!` or quote
    /// stands between its quotes.
    fn of(script: &str, rest: &[&[u8]]) -> Self {
        let command = format!("exec sh -c '{}' lethe", load(script.len()));
        let mut stdin =
            Vec::with_capacity(script.len() + rest.iter().map(|part| part.len()).sum::<usize>());
        stdin.extend_from_slice(script.as_bytes());
        for part in rest {
            stdin.extend_from_slice(part);
        }
        Self { command, stdin: Zeroizing::new(stdin) }
    }
}

/// Reads a script of exactly this length from standard input, and runs it. `head -c` would do, but
/// busybox's reads further.
fn load(bytes: usize) -> String {
    let read_all = format!("dd bs={bytes} count=1 iflag=fullblock 2>/dev/null");
    format!("eval \"$({read_all} || dd bs=1 count={bytes} 2>/dev/null)\"")
}

/// Sets the environment, then replaces itself with the command (`exec`).
fn inner(launch: &Launch<'_>) -> Zeroizing<String> {
    // Allocated once: growing would leave copies of secrets in memory.
    let values = launch.environment.iter().map(|(name, value)| name.len() + value.len() * 4 + 16);
    let length = BEFORE.len() + AFTER.len() + values.sum::<usize>();
    let mut inner = Zeroizing::new(String::with_capacity(length));
    inner.push_str(BEFORE);
    for (name, value) in launch.environment {
        inner.push_str("export ");
        inner.push_str(name);
        inner.push('=');
        quote(value, &mut inner);
        inner.push('\n');
    }
    inner.push_str(AFTER);
    inner
}

/// One word for a POSIX shell, whatever it holds but NUL.
pub(super) fn quote(value: &str, into: &mut String) {
    into.push('\'');
    for letter in value.chars() {
        match letter {
            '\'' => into.push_str("'\\''"),
            other => into.push(other),
        }
    }
    into.push('\'');
}
