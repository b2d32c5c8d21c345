//! Why a command to a run is refused.

use super::{SERVERS_MAX, TIMEOUT_SECONDS_MAX};

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    #[error("there is no such run")]
    Unknown,
    #[error("this run was requested already")]
    AlreadyExists,
    #[error("a run is on 1 to {SERVERS_MAX} servers")]
    ServersOutOfRange,
    #[error("a server is named twice")]
    ServerTwice,
    #[error("a deployment is one server's")]
    DeploymentOnSeveral,
    #[error("a run may take 1 to {TIMEOUT_SECONDS_MAX} seconds")]
    TimeoutOutOfRange,
    #[error("this run is not on that server")]
    OtherServer,
    #[error("another attempt is the last one")]
    OtherAttempt,
    #[error("another node has taken this task over")]
    Fenced,
    #[error("this attempt has not come so far")]
    TooEarly,
    #[error("this attempt has started")]
    Started,
    #[error("this attempt has ended")]
    Ended,
    #[error("the log of this attempt is sealed")]
    Sealed,
    #[error("this run has not been cancelled: request its cancellation first")]
    NotCancelled,
    #[error("this run has ended")]
    RunEnded,
    #[error("nothing of this run is left to retry")]
    NothingToRetry,
    #[error("the last attempt there has not ended")]
    NotEnded,
    #[error(
        "the deployment may still be running: name the server, and the lost attempt is ended first"
    )]
    DeploymentLost,
}
