//! What is to be run.

use std::fmt;

use zeroize::Zeroizing;

use super::TaskId;

const COMMAND_BYTES_MAX: usize = 1024 * 1024;
/// Linux takes no longer string into a process, and about 2 MiB in all.
const VALUE_BYTES_MAX: usize = 120 * 1024;
const ENVIRONMENT_BYTES_MAX: usize = 1024 * 1024;
const NAME_BYTES_MAX: usize = 255;
/// Read by the shell itself, or its own.
const TAKEN: &[&str] = &[
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
    pub task: TaskId,
    pub command: &'a str,
    /// Added to that of the login. Names are checked, values may hold anything but NUL.
    pub environment: &'a [(String, Zeroizing<String>)],
}

/// Why a command cannot be given to a server. Nothing of it is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("a command has from 1 to {COMMAND_BYTES_MAX} bytes")]
    CommandLength,
    #[error("neither a command nor a variable may hold a NUL")]
    Nul,
    #[error("a variable's name has letters, digits and _, and is not one of the shell's own")]
    Name,
    #[error(
        "a variable has up to {VALUE_BYTES_MAX} bytes, and all of them up to {ENVIRONMENT_BYTES_MAX}"
    )]
    EnvironmentLength,
}

impl Launch<'_> {
    pub fn check(&self) -> Result<(), Unfit> {
        if self.command.is_empty() || self.command.len() > COMMAND_BYTES_MAX {
            return Err(Unfit::CommandLength);
        }
        let mut all = 0;
        for (name, value) in self.environment {
            if !is_name(name) {
                return Err(Unfit::Name);
            }
            if value.contains('\0') {
                return Err(Unfit::Nul);
            }
            all += name.len() + value.len() + 2;
            if value.len() > VALUE_BYTES_MAX || all > ENVIRONMENT_BYTES_MAX {
                return Err(Unfit::EnvironmentLength);
            }
        }
        if self.command.contains('\0') { Err(Unfit::Nul) } else { Ok(()) }
    }
}

fn is_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.len() <= NAME_BYTES_MAX
        && name.bytes().next().is_some_and(letter)
        && name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit())
        && !TAKEN.contains(&name)
}

impl fmt::Debug for Launch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Launch").field("task", &self.task).finish_non_exhaustive()
    }
}
