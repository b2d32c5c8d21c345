//! The answer to a kill.

use super::{Answer, TaskError, failed};

const NAMES_MAX: usize = 32;
const NAME_BYTES_MAX: usize = 300;

/// What came of a kill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Killed {
    /// A process was still there after TERM and the grace, and got KILL.
    pub forced: bool,
    /// No process of the command is left: the scan has seen a sentinel of its own, or the keeper has
    /// outlived all that the command began.
    pub proven: bool,
    /// What may be left, or has begun since and leads to no process of the command.
    pub left: Left,
}

/// What a kill has left on a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Why it is not proven that nothing is left; `None` where it is.
    pub why: Option<Unproven>,
    /// The processes that are of the command, or may be.
    pub processes: u32,
    /// `process:<number>:<name>` of some of them; `unit:<name>` and `container:<id>` of what all
    /// of began after the command did. At most 16 of the processes and 16 of the others.
    pub names: Vec<String>,
}

/// Why a server cannot show that no process of a command is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// The scan has not found its own sentinel: programmes are missing there.
    NoTool,
    /// The server hides the processes of other users, and the command may have had some.
    Hidden,
    /// Processes of the command are another user's, and may not be ended.
    Denied,
    /// Processes have lost their parents since, and may be of the command.
    Orphans,
    /// Processes of the command go on after KILL.
    Alive,
}

impl Unproven {
    /// As the scripts write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoTool => "no_tool",
            Self::Hidden => "hidden",
            Self::Denied => "denied",
            Self::Orphans => "orphans",
            Self::Alive => "alive",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let all = [Self::NoTool, Self::Hidden, Self::Denied, Self::Orphans, Self::Alive];
        all.into_iter().find(|why| why.as_str() == text)
    }
}

impl Killed {
    /// Only where it is proven.
    ///
    /// # Errors
    /// `NotProven`.
    pub fn if_proven(self) -> Result<Self, TaskError> {
        if self.proven { Ok(self) } else { Err(TaskError::NotProven) }
    }
}

impl Answer {
    pub fn killed(&self) -> Result<Killed, TaskError> {
        match self.fields().as_slice() {
            ["killed", how, names @ ..] => {
                let left = Left { why: None, processes: 0, names: read_names(names)? };
                Ok(Killed { forced: is_forced(how)?, proven: true, left })
            }
            ["left", why, processes, how, names @ ..] => {
                let why = Unproven::parse(why).ok_or(TaskError::Answer)?;
                let processes = processes.parse().map_err(|_| TaskError::Answer)?;
                let left = Left { why: Some(why), processes, names: read_names(names)? };
                Ok(Killed { forced: is_forced(how)?, proven: false, left })
            }
            other => Err(failed(other)),
        }
    }
}

fn is_forced(how: &str) -> Result<bool, TaskError> {
    match how {
        "gently" => Ok(false),
        "forced" => Ok(true),
        _ => Err(TaskError::Answer),
    }
}

fn read_names(words: &[&str]) -> Result<Vec<String>, TaskError> {
    if words.len() > NAMES_MAX || !words.iter().all(|word| is_name(word)) {
        return Err(TaskError::Answer);
    }
    Ok(words.iter().map(|word| (*word).to_owned()).collect())
}

fn is_name(word: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:@+-\\".contains(&byte);
    let name = ["process:", "unit:", "container:"].iter().find_map(|kind| word.strip_prefix(*kind));
    word.len() <= NAME_BYTES_MAX
        && name.is_some_and(|name| !name.is_empty() && name.bytes().all(plain))
}
