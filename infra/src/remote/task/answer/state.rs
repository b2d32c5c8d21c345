//! The state of a command on a server.

use super::{Answer, TaskError, failed};

/// The state of a command on a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// Never started here, or removed, or forbidden.
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

/// How a command ended, and how many bytes its outputs had by then. Processes that it left running may
/// write more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Of the command's first process.
    pub ending: Ending,
    /// The length of the file of standard output.
    pub out_bytes: u64,
    /// The length of the file of standard error.
    pub err_bytes: u64,
    /// Why Lethe or the server ended it, if that was before it ended by itself. Unknown, so `None`,
    /// where `written` is.
    pub stopped: Option<StopCause>,
    /// The bytes that have passed the pipes of standard output and standard error. Where a file has
    /// another length, it was cut or written by somebody else. `None`: a former version started it.
    pub written: Option<[u64; 2]>,
}

/// Why a command is ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopCause {
    /// Somebody wants it so.
    Cancel,
    /// Its time is over.
    Timeout,
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

impl StopCause {
    /// As the scripts write it.
    pub(in super::super) const fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Timeout => "timeout",
        }
    }

    fn parse(text: &str) -> Result<Option<Self>, TaskError> {
        match text {
            "-" => Ok(None),
            "cancel" => Ok(Some(Self::Cancel)),
            "timeout" => Ok(Some(Self::Timeout)),
            _ => Err(TaskError::Answer),
        }
    }
}

impl Answer {
    pub fn state(&self) -> Result<TaskState, TaskError> {
        match self.fields().as_slice() {
            ["missing"] => Ok(TaskState::Missing),
            ["running"] => Ok(TaskState::Running),
            ["vanished"] => Ok(TaskState::Vanished { rebooted: false }),
            ["rebooted"] => Ok(TaskState::Vanished { rebooted: true }),
            [how, code, out, err] => Ok(TaskState::Ended(end(how, code, [out, err])?)),
            [how, code, out, err, written_out, written_err, stopped] => {
                let written = Some([bytes(written_out)?, bytes(written_err)?]);
                let stopped = StopCause::parse(stopped)?;
                Ok(TaskState::Ended(End { stopped, written, ..end(how, code, [out, err])? }))
            }
            other => Err(failed(other)),
        }
    }
}

/// As a former version noted it.
fn end(how: &str, code: &str, [out, err]: [&str; 2]) -> Result<End, TaskError> {
    let code = code.parse().map_err(|_| TaskError::Answer)?;
    let ending = match how {
        "exited" => Ending::Exited(code),
        "signalled" if code > 0 => Ending::Signalled(code),
        _ => return Err(TaskError::Answer),
    };
    let (out_bytes, err_bytes) = (bytes(out)?, bytes(err)?);
    Ok(End { ending, out_bytes, err_bytes, stopped: None, written: None })
}

fn bytes(text: &str) -> Result<u64, TaskError> {
    text.parse().map_err(|_| TaskError::Answer)
}
