//! Why a server was not reached. No text repeats what a server or a resolver sent.

use domain::server::ConnectFailure;

use super::HostKey;
use super::egress::AddressError;

/// Why a connection, or a command on it, failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// Nothing was sent: the address is malformed, or Lethe does not connect to it.
    #[error("{0}")]
    Address(AddressError),
    /// Nothing but the key exchange took place; no credential was offered.
    #[error("the server shows another host key than the approved one")]
    HostKey {
        /// The one that the server shows.
        seen: HostKey,
    },
    /// The server refused.
    #[error("the server refuses: {}", stage(*.0))]
    Refused(ConnectFailure),
    /// A limit of [`super::RemoteOptions`] or [`super::Limits`] passed.
    #[error("the server did not answer in time: {}", stage(*.0))]
    TimedOut(ConnectFailure),
    /// The connection ended, or the server did not speak SSH.
    #[error("the connection was lost: {}", stage(*.0))]
    Lost(ConnectFailure),
    /// More than [`super::Limits::bytes_max`] came; the connection is closed.
    #[error("the command wrote more output than is allowed")]
    TooMuch,
}

impl RemoteError {
    /// The stage that the connection reached.
    pub const fn cause(&self) -> ConnectFailure {
        match self {
            Self::Address(_) => ConnectFailure::Address,
            Self::HostKey { .. } => ConnectFailure::HostKey,
            Self::Refused(cause) | Self::TimedOut(cause) | Self::Lost(cause) => *cause,
            Self::TooMuch => ConnectFailure::Command,
        }
    }
}

const fn stage(cause: ConnectFailure) -> &'static str {
    match cause {
        ConnectFailure::Address => "its address",
        ConnectFailure::Tcp => "TCP",
        ConnectFailure::Identification => "identification and key exchange",
        ConnectFailure::HostKey => "its host key",
        ConnectFailure::Authentication => "authentication",
        ConnectFailure::Command => "a command",
    }
}
