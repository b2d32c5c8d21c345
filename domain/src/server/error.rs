//! Why a command to a server is refused.

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    #[error("this server exists already")]
    AlreadyExists,
    #[error("there is no such server")]
    Unknown,
    #[error("its host key has not been observed yet: check the server first")]
    NotObserved,
    #[error("this is not the fingerprint of the key that was observed")]
    NotTheObserved,
    #[error("there is no such deployment")]
    UnknownDeployment,
    #[error("a server has {} deployments at most", super::LiveServer::DEPLOYMENTS_MAX)]
    TooManyDeployments,
}
