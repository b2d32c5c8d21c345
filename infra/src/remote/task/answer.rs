//! What a server answers, taken strictly.

use super::super::RemoteError;
use super::Unfit;

/// Our scripts begin their words with this; a login may say other things before.
const OURS: &str = "lethe: ";
const WORDS_MAX: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Started {
    Launched,
    AlreadyThere,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Never started here, or removed.
    Missing,
    Running,
    Ended(End),
    /// It does not run any more and nobody noted how it ended.
    Vanished {
        rebooted: bool,
    },
}

/// What the command had written by its end; what it left running may write on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    pub ending: Ending,
    pub out_bytes: u64,
    pub err_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Exited(u8),
    /// Told apart from an exit code above 128 where `setsid` is util-linux's. Elsewhere INT and
    /// PIPE, with bash as `sh` also TERM, come as `Exited(128 + n)`.
    Signalled(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Killed {
    /// Some of it did not go by itself.
    pub forced: bool,
}

/// Why a server cannot hold a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unable {
    #[error("the server has no /proc, which Lethe needs to know a process again")]
    Proc,
    #[error("the server has no setsid, which Lethe needs to detach a run")]
    Setsid,
    #[error("the server cannot keep a file in the folder .lethe of the user's home")]
    Folder,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error(transparent)]
    Unable(#[from] Unable),
    #[error("the server knows nothing of this run")]
    Missing,
    #[error("processes of the run may be left on the server")]
    NotProven,
    #[error("the run has not ended")]
    Running,
    #[error("the server answers something else than was asked")]
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
        let words = line.strip_prefix(OURS).ok_or(TaskError::Answer)?;
        let words: Vec<String> = words.split(' ').take(WORDS_MAX).map(ToOwned::to_owned).collect();
        Ok(Self(words))
    }

    pub fn started(&self) -> Result<Started, TaskError> {
        match self.words().as_slice() {
            ["launched"] => Ok(Started::Launched),
            ["there"] => Ok(Started::AlreadyThere),
            other => Err(failed(other)),
        }
    }

    pub fn found(&self) -> Result<Found, TaskError> {
        match self.words().as_slice() {
            ["missing"] => Ok(Found::Missing),
            ["running"] => Ok(Found::Running),
            ["vanished"] => Ok(Found::Vanished { rebooted: false }),
            ["rebooted"] => Ok(Found::Vanished { rebooted: true }),
            [how, code, out, err] => end(how, code, out, err).map(Found::Ended),
            other => Err(failed(other)),
        }
    }

    pub fn killed(&self) -> Result<Killed, TaskError> {
        match self.words().as_slice() {
            ["killed"] => Ok(Killed { forced: false }),
            ["killed", "forced"] => Ok(Killed { forced: true }),
            ["alive"] => Err(TaskError::NotProven),
            other => Err(failed(other)),
        }
    }

    pub fn removed(&self) -> Result<(), TaskError> {
        match self.words().as_slice() {
            ["removed"] => Ok(()),
            ["running"] => Err(TaskError::Running),
            other => Err(failed(other)),
        }
    }

    fn words(&self) -> Vec<&str> {
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
        ["unable", "proc"] => Unable::Proc.into(),
        ["unable", "setsid"] => Unable::Setsid.into(),
        ["unable", "folder"] => Unable::Folder.into(),
        _ => TaskError::Answer,
    }
}
