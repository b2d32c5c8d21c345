//! Why a command to a run is refused.

use super::{SERVERS_MAX, TIMEOUT_SECONDS_MAX};

/// Why a command to a run is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum RunError {
    #[error("there is no run with this id")]
    Unknown,
    #[error("this run was requested already: request one with a new id")]
    AlreadyExists,
    #[error("a run must name 1 to {SERVERS_MAX} servers")]
    ServersOutOfRange,
    #[error("a server is named twice: name each one once")]
    ServerTwice,
    #[error("a deployment is configured for one server: name that server only")]
    DeploymentOnSeveral,
    #[error("a run's timeout must be 1 to {TIMEOUT_SECONDS_MAX} seconds")]
    TimeoutOutOfRange,
    #[error("this run is not on that server: name servers of this run")]
    OtherServer,
    #[error("this is not the last attempt on that server: use the number of the last one")]
    OtherAttempt,
    #[error("another node has taken this task over: leave it to that node")]
    Fenced,
    #[error("this attempt has not come so far: report its earlier stages first")]
    TooEarly,
    #[error("this attempt has started already: report how it ends")]
    Started,
    #[error("this attempt has ended already: retry the run for another one")]
    Ended,
    #[error("the log of this attempt is sealed already: nothing is added to it")]
    Sealed,
    #[error("this run has not been cancelled: request its cancellation first")]
    NotCancelled,
    #[error("this run has ended already: nothing is left to cancel")]
    RunEnded,
    #[error("nothing is left to retry: name the servers to run it on again")]
    NothingToRetry,
    #[error("the last attempt on that server has not ended: wait until it has")]
    NotEnded,
    #[error(
        "the deployment may still be running: name the server, and the lost attempt is ended first"
    )]
    DeploymentLost,
    #[error("no process of that attempt may be left: nothing is to be proven or given up")]
    NothingLeft,
    #[error("this run was requested with secrets, which are deleted by now: send them again")]
    SecretsNeeded,
}
