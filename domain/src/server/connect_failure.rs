//! Why a server is not reached.

use serde::{Deserialize, Serialize};

/// The stage at which a connection to a server failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectFailure {
    /// The name has no address, or the egress policy refuses one of its addresses or the port.
    Address,
    /// No TCP connection was made.
    Tcp,
    /// No SSH server answered, or its key exchange did not come to an end.
    Identification,
    /// The server showed another key than the approved one.
    HostKey,
    /// The server refused the credential.
    Authentication,
    /// A command could not be run, or did not answer.
    Command,
}

non_personal!(ConnectFailure);
