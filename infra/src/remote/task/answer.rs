//! Parses the answers of the scripts on a server, strictly.

use super::super::RemoteError;
use super::LaunchError;

/// The prefix of the scripts' answers; a login may print other lines before.
const PREFIX: &str = "lethe: ";
const WORDS_MAX: usize = 8;

/// The answer to a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    /// This request started the command.
    Launched,
    /// An earlier request started it; it may have ended since.
    AlreadyThere,
}

/// The state of a command on a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// Never started here, or removed.
    Missing,
    /// It was started and has not ended.
    Running,
    /// It has ended, and its end was recorded on the server.
    Ended(End),
    /// It does not run any more, and its end was not recorded.
    Vanished {
        /// The server has been restarted since.
        rebooted: bool,
    },
}

/// How a command ended, and how many bytes it had written by then. Processes that it left running
/// may write more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Of the command's first process.
    pub ending: Ending,
    /// Of standard output.
    pub out_bytes: u64,
    /// Of standard error.
    pub err_bytes: u64,
}

/// How the command's first process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The exit code; 0 is success.
    Exited(u8),
    /// The number of the signal. It is distinguished from an exit code above 128 where `setsid` is
    /// util-linux's; elsewhere INT and PIPE, with bash as `sh` also TERM, are `Exited(128 + n)`.
    Signalled(u8),
}

/// No process of the command is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Killed {
    /// A process was still there after TERM and the grace, and got KILL.
    pub forced: bool,
}

/// Why a server cannot run commands for Lethe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum Unsupported {
    #[error("the server has no /proc, by which Lethe recognises a process: mount it")]
    Proc,
    #[error(
        "the server has no setsid, with which Lethe detaches a command: install util-linux or busybox"
    )]
    Setsid,
    #[error(
        "the server cannot write to the folder .lethe in the user's home: check permissions and disk space"
    )]
    Folder,
}

/// Why a request about a command failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum TaskError {
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error(transparent)]
    Launch(#[from] LaunchError),
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    #[error("the server has no record of this run")]
    Missing,
    #[error("processes of the run may still be running on the server")]
    NotProven,
    #[error("the run has not ended: end it first")]
    Running,
    #[error("the server's answer is not in the expected form")]
    Answer,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer(Vec<String>);

impl Answer {
    /// The last line is ours.
    pub fn of(out: &[u8]) -> Result<Self, TaskError> {
        let text = out.strip_suffix(b"\n").ok_or(TaskError::Answer)?;
        let line = text.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = std::str::from_utf8(line).map_err(|_| TaskError::Answer)?;
        let words = line.strip_prefix(PREFIX).ok_or(TaskError::Answer)?;
        let words: Vec<String> = words.split(' ').take(WORDS_MAX).map(ToOwned::to_owned).collect();
        Ok(Self(words))
    }

    pub fn started(&self) -> Result<Started, TaskError> {
        match self.fields().as_slice() {
            ["launched"] => Ok(Started::Launched),
            ["there"] => Ok(Started::AlreadyThere),
            other => Err(failed(other)),
        }
    }

    pub fn state(&self) -> Result<TaskState, TaskError> {
        match self.fields().as_slice() {
            ["missing"] => Ok(TaskState::Missing),
            ["running"] => Ok(TaskState::Running),
            ["vanished"] => Ok(TaskState::Vanished { rebooted: false }),
            ["rebooted"] => Ok(TaskState::Vanished { rebooted: true }),
            [how, code, out, err] => end(how, code, out, err).map(TaskState::Ended),
            other => Err(failed(other)),
        }
    }

    pub fn killed(&self) -> Result<Killed, TaskError> {
        match self.fields().as_slice() {
            ["killed"] => Ok(Killed { forced: false }),
            ["killed", "forced"] => Ok(Killed { forced: true }),
            ["alive"] => Err(TaskError::NotProven),
            other => Err(failed(other)),
        }
    }

    pub fn removed(&self) -> Result<(), TaskError> {
        match self.fields().as_slice() {
            ["removed"] => Ok(()),
            ["running"] => Err(TaskError::Running),
            other => Err(failed(other)),
        }
    }

    fn fields(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }
}

fn end(how: &str, code: &str, out: &str, err: &str) -> Result<End, TaskError> {
    let code = code.parse().map_err(|_| TaskError::Answer)?;
    let ending = match how {
        "exited" => Ending::Exited(code),
        "signalled" if code > 0 => Ending::Signalled(code),
        _ => return Err(TaskError::Answer),
    };
    let bytes = |text: &str| text.parse().map_err(|_| TaskError::Answer);
    Ok(End { ending, out_bytes: bytes(out)?, err_bytes: bytes(err)? })
}

fn failed(words: &[&str]) -> TaskError {
    match words {
        ["unable", "proc"] => Unsupported::Proc.into(),
        ["unable", "setsid"] => Unsupported::Setsid.into(),
        ["unable", "folder"] => Unsupported::Folder.into(),
        _ => TaskError::Answer,
    }
}
