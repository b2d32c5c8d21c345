//! What a run does, who may work at it, and what is known of its log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::event::{EventField, PersonalVisitor};
use crate::privacy::{DeploymentConfig, Personal, RunCommand};
use crate::{DeploymentId, ServerId, SubjectId};

/// What is done on each server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Work {
    /// A command line, for the shell of the server.
    Command {
        /// Sealed for the workspace.
        command: Personal<RunCommand>,
    },
    /// The steps as they stood in the server's stream at `version`: later changes are not run.
    Deployment {
        /// The deployment, of the one server of the run.
        deployment: DeploymentId,
        /// The version of the server's stream.
        version: i64,
        /// Sealed for the workspace.
        steps: Personal<DeploymentConfig>,
    },
}

impl EventField for Work {
    fn visit_personal<X>(
        &mut self,
        subject: SubjectId,
        visit: &mut PersonalVisitor<'_, X>,
    ) -> Result<(), X> {
        match self {
            Self::Command { command } => visit(subject, command),
            Self::Deployment { steps, .. } => visit(subject, steps),
        }
    }
}

/// A node's lease of one server's attempt: the right to work at it until another node takes it over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaskLease {
    /// The server whose task it is.
    pub server: ServerId,
    /// The attempt that the node works at.
    pub attempt: u32,
    /// Grows with each node that takes the task.
    pub fence: u64,
}

/// SHA-256, as hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest(pub [u8; 32]);

/// One of the two streams of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamSeal {
    /// The number of lines.
    pub lines: u64,
    /// The number of bytes that are kept.
    pub bytes: u64,
    /// The SHA-256 of the kept bytes, which are masked.
    pub sha256: Digest,
}

/// A log as it stands for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogSeal {
    /// What the command wrote to its standard output.
    pub out: StreamSeal,
    /// What it wrote to its standard error.
    pub err: StreamSeal,
    /// Of both streams, and Lethe's own.
    pub lines: u64,
    /// Of all lines that are kept.
    pub bytes: u64,
    /// Something was left out: the log was too long, or its end was never read.
    pub truncated: bool,
}

non_personal!(LogSeal);

/// A text that is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a SHA-256 in hexadecimal digits")]
pub struct NotADigest;

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(NotADigest);
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(2 * at..2 * at + 2).ok_or(NotADigest)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| NotADigest)?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = NotADigest;

    fn try_from(text: String) -> Result<Self, NotADigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}
