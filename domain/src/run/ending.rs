//! How an attempt ended, and why it was never started or is lost.

use serde::{Deserialize, Serialize};

use crate::server::ConnectFailure;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Ending {
    /// The command exited with 0.
    Succeeded,
    /// The command ran and failed, or was never started.
    Failed {
        /// Why.
        failure: Failure,
    },
    /// It ran longer than the run allows, and was ended.
    TimedOut {
        /// No process of it is left. Otherwise nobody knows, or some are.
        proven: bool,
    },
    /// It was ended since somebody asked for it.
    Cancelled {
        /// It did not go by itself, and was killed.
        forced: bool,
        /// No process of it is left. Otherwise nobody knows, or some are.
        proven: bool,
    },
    /// What became of the command is not known.
    Lost {
        /// Why not.
        why: LossCause,
    },
}

crate::named_enum! {
    /// Why it is not known what became of a command.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum LossCause {
        /// The server is not reached: the command may run.
        Unreachable = "unreachable",
        /// The server was started anew since.
        Rebooted = "rebooted",
        /// The command does not run any more, and there is no note of its end.
        Vanished = "vanished",
        /// There is nothing of it on the server.
        Missing = "missing",
        /// Nobody wrote it down: the command may run.
        Unknown = "unknown",
    }
}

impl LossCause {
    /// Whether the command may be at work still.
    pub const fn may_run(self) -> bool {
        match self {
            Self::Unreachable | Self::Unknown => true,
            Self::Rebooted | Self::Vanished | Self::Missing => false,
        }
    }
}

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Failure {
    /// The command exited with another code than 0.
    Exit {
        /// Never 0.
        code: u16,
    },
    /// A signal ended the command.
    Signal {
        /// The number of the signal.
        number: u16,
    },
    /// The command was never started.
    NotStarted {
        /// Why not.
        #[serde(rename = "obstacle")]
        cause: StartCause,
    },
}

/// Why a command was never started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartCause {
    /// The server is not in the workspace any more, or has no approved key or no credential.
    NotReady,
    /// What the run was given to work with has been deleted.
    // Former events have the other word.
    #[serde(alias = "forgotten")]
    InputsDeleted,
    /// The server has no `/proc`.
    NoProc,
    /// The server has no `setsid`.
    NoSetsid,
    /// Nothing can be written to the home of the user.
    HomeUnwritable,
    /// The home of the user is full.
    HomeFull,
    /// The login runs another command than the one that it is given, or none.
    ShellRefused,
    /// A variable has a name that no shell takes, or that the shell sets itself.
    VariableName,
    /// The command, or its variables, are longer than a process may be given.
    CommandTooLong,
    /// Whoever requested the attempt may not start runs in the workspace any more.
    RequesterNotAllowed,
    /// The server was not reached. Stored under the name of the failure.
    #[serde(untagged)]
    Connect(ConnectFailure),
}

non_personal!(Ending, LossCause, Failure, StartCause);
