//! Why a command to a server is refused.

/// Why a command to a server is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum ServerError {
    #[error("a server with this id was registered already: register one with a new id")]
    AlreadyExists,
    #[error("there is no server with this id")]
    Unknown,
    #[error("no host key has been observed that could be approved: check the server first")]
    NotObserved,
    #[error(
        "this is no fingerprint of the observed host key or of an announced one: check the server again"
    )]
    NotTheObserved,
    #[error("this server has no such deployment: configure it first")]
    UnknownDeployment,
    #[error(
        "a server has at most {} deployments: delete one first",
        super::LiveServer::DEPLOYMENTS_MAX
    )]
    TooManyDeployments,
}
