//! Why a request about a command failed.

use super::super::super::RemoteError;
use super::super::LaunchError;

/// Why a server cannot run commands for Lethe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum Unsupported {
    #[error("the server has no /proc, by which Lethe recognises a process: mount it")]
    Proc,
    #[error(
        "the server has no setsid, tee or wc, with which Lethe detaches a command and keeps its output: install util-linux and coreutils, or busybox"
    )]
    Setsid,
    #[error(
        "the server cannot write to the folder .lethe in the user's home: check permissions and disk space"
    )]
    Folder,
    #[error(
        "the login shell of the user does not run the commands of a file: give the user another shell"
    )]
    Shell,
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
