//! A command that is to be started, and what may be started.

use std::fmt;

use zeroize::Zeroizing;

use super::TaskId;

const COMMAND_BYTES_MAX: usize = 1024 * 1024;
/// Linux passes no longer string to a process (`MAX_ARG_STRLEN` is 128 KiB), and about 2 MiB in all.
const VALUE_BYTES_MAX: usize = 120 * 1024;
const ENVIRONMENT_BYTES_MAX: usize = 1024 * 1024;
const NAME_BYTES_MAX: usize = 255;
/// Variables that the shell reads or sets itself.
const RESERVED: &[&str] = &[
    "BASHOPTS",
    "BASH_VERSINFO",
    "EUID",
    "IFS",
    "LETHE_RUN",
    "OPTIND",
    "PPID",
    "SHELLOPTS",
    "UID",
];

/// A command, run by the login shell of the user, or by what its first line names after `#!`.
#[derive(Clone, Copy)]
pub struct Launch<'a> {
    /// Under this name it is started at most once.
    pub task: TaskId,
    /// A script: 1 byte to 1 MiB, without NUL.
    pub command: &'a str,
    /// Added to the environment of the login: names and values. A value may hold any byte but NUL.
    pub environment: &'a [(String, Zeroizing<String>)],
    /// After so many seconds the server itself ends it, also while nobody is connected.
    pub timeout_seconds: u32,
}

/// Why a command is not sent to a server. Its text is never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum LaunchError {
    #[error("the command is empty or too long: it may have 1 to {COMMAND_BYTES_MAX} bytes")]
    CommandLength,
    #[error("the command or a variable holds a NUL byte: remove it")]
    Nul,
    #[error(
        "a variable's name is not allowed: use letters, digits and _, and none of the shell's own names"
    )]
    Name,
    #[error(
        "the variables are too long: each may have {VALUE_BYTES_MAX} bytes, and all together {ENVIRONMENT_BYTES_MAX}"
    )]
    EnvironmentLength,
}

impl Launch<'_> {
    /// Whether the command may be sent to a server.
    ///
    /// # Errors
    /// The first thing that is not allowed.
    pub fn check(&self) -> Result<(), LaunchError> {
        if self.command.is_empty() || self.command.len() > COMMAND_BYTES_MAX {
            return Err(LaunchError::CommandLength);
        }
        let mut all = 0;
        for (name, value) in self.environment {
            if !is_name(name) {
                return Err(LaunchError::Name);
            }
            if value.contains('\0') {
                return Err(LaunchError::Nul);
            }
            all += name.len() + value.len() + 2;
            if value.len() > VALUE_BYTES_MAX || all > ENVIRONMENT_BYTES_MAX {
                return Err(LaunchError::EnvironmentLength);
            }
        }
        if self.command.contains('\0') { Err(LaunchError::Nul) } else { Ok(()) }
    }
}

fn is_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.len() <= NAME_BYTES_MAX
        && name.bytes().next().is_some_and(letter)
        && name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit())
        && !RESERVED.contains(&name)
}

impl fmt::Debug for Launch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Launch").field("task", &self.task).finish_non_exhaustive()
    }
}
