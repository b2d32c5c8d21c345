//! Parses the answers of the scripts on a server, strictly.

mod error;
mod forbidden;
mod killed;
mod preflight;
mod removed;
mod started;
mod state;
mod swept;

pub use error::{TaskError, Unsupported};
pub use forbidden::Forbidden;
pub use killed::{Killed, Left, Unproven};
pub use preflight::{CheckedFact, Fact, Preflight};
pub use started::Started;
pub use state::{End, Ending, StopCause, TaskState};

/// The prefix of the scripts' answers; a login may print other lines before.
const PREFIX: &str = "lethe: ";
/// One more than the longest answer has.
const WORDS_MAX: usize = 4 + 32 + 1;

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

    fn fields(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }
}

fn failed(words: &[&str]) -> TaskError {
    match words {
        ["unable", "proc"] => Unsupported::Proc.into(),
        ["unable", "setsid"] => Unsupported::Setsid.into(),
        ["unable", "folder"] => Unsupported::Folder.into(),
        ["unable", "shell"] => Unsupported::Shell.into(),
        _ => TaskError::Answer,
    }
}
