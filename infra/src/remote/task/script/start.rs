//! Starts a command: a starter, its keeper, and what sets the command's environment.

use zeroize::Zeroizing;

use super::super::{Launch, LaunchError};
use super::{END, SCAN, Script, load, with_common};

const START: &str = include_str!("../sh/start.sh");
const KEEP: &str = include_str!("../sh/keep.sh");
const BEFORE: &str = include_str!("../sh/before.sh");
const AFTER: &str = include_str!("../sh/after.sh");
/// The time between TERM and KILL where the server itself ends a command.
const GRACE_SECONDS: u32 = 10;

impl Script {
    pub fn start(launch: &Launch<'_>) -> Result<Self, LaunchError> {
        launch.check()?;
        let inner = inner(launch);
        // Some shells drop a last line without an end.
        let line_end = if launch.command.ends_with('\n') { "" } else { "\n" };
        let (inner_bytes, command_bytes) = (inner.len(), launch.command.len() + line_end.len());
        let timeout = launch.timeout_seconds;
        let variables = format!(
            "lethe_inner_bytes={inner_bytes}\nlethe_command_bytes={command_bytes}\n\
             lethe_timeout={timeout}\nlethe_grace={GRACE_SECONDS}\n"
        );
        let keeper = with_common(&launch.task, &variables, &format!("{SCAN}{END}{KEEP}"));
        let load_keeper = format!("lethe_load_keeper='{}'\n", load(keeper.len()));
        let starter = with_common(&launch.task, &load_keeper, START);
        let command = launch.command.as_bytes();
        let rest = [keeper.as_bytes(), inner.as_bytes(), command, line_end.as_bytes()];
        Ok(Self::of(&starter, &rest))
    }
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
pub fn quote(value: &str, into: &mut String) {
    into.push('\'');
    for letter in value.chars() {
        match letter {
            '\'' => into.push_str("'\\''"),
            other => into.push(other),
        }
    }
    into.push('\'');
}
