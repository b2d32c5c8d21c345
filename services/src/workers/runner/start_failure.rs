//! Why an attempt does not start, and whether waiting can help.

use domain::run::StartFailure;
use domain::server::ConnectFailure;

use crate::operations::connect::ConnectError;

/// Why the command does not start; `None` when it does not depend on the server.
pub(super) fn of(error: &ConnectError) -> Option<StartFailure> {
    match error {
        ConnectError::Unknown | ConnectError::NotApproved | ConnectError::NoCredential => {
            Some(StartFailure::NotReady)
        }
        ConnectError::Remote(error) => Some(StartFailure::Connect(error.cause())),
        ConnectError::Unavailable(_) => None,
    }
}

/// Whether waiting cannot help: a person must do something first.
pub(super) const fn is_for_good(failure: StartFailure) -> bool {
    match failure {
        StartFailure::Connect(ConnectFailure::HostKey | ConnectFailure::Authentication)
        | StartFailure::NotReady
        | StartFailure::InputsDeleted => true,
        StartFailure::Connect(
            ConnectFailure::Address
            | ConnectFailure::Tcp
            | ConnectFailure::Identification
            | ConnectFailure::Command,
        ) => false,
    }
}
