//! Why a server was not reached. Nothing here repeats what a server or a resolver said.

use domain::server::Cause;

use super::HostKey;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    #[error("{0}")]
    Address(Refusal),
    #[error("the server shows another host key than the approved one")]
    HostKey { seen: HostKey },
    /// It answered, and the answer was no.
    #[error("the server refuses: {}", stage(*.0))]
    Refused(Cause),
    #[error("the server did not answer in time: {}", stage(*.0))]
    TimedOut(Cause),
    /// The connection ended, or what came was not SSH.
    #[error("the connection was lost: {}", stage(*.0))]
    Lost(Cause),
    #[error("the command says more than it may")]
    TooMuch,
}

/// Why an address is not connected to. A name without an address and a name with one that may not
/// be reached are told as one, so that nobody can look around the network with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("this is neither a host name nor an IP address, with a port")]
    Form,
    #[error("servers are reached on port 22 and from 1024, and on some of those not")]
    Port,
    #[error("there is no address here that may be reached")]
    Place,
}

impl RemoteError {
    pub const fn cause(&self) -> Cause {
        match self {
            Self::Address(_) => Cause::Address,
            Self::HostKey { .. } => Cause::HostKey,
            Self::Refused(cause) | Self::TimedOut(cause) | Self::Lost(cause) => *cause,
            Self::TooMuch => Cause::Command,
        }
    }
}

const fn stage(cause: Cause) -> &'static str {
    match cause {
        Cause::Address => "its address",
        Cause::Tcp => "TCP",
        Cause::Identification => "identification and key exchange",
        Cause::HostKey => "its host key",
        Cause::Authentication => "authentication",
        Cause::Command => "a command",
    }
}
