//! Why an attempt does not start, and whether waiting can help.

use domain::run::StartCause;
use domain::server::ConnectFailure;

use crate::operations::connect::ConnectError;

/// Why the command does not start; `None` when it does not depend on the server.
pub(super) fn of(error: &ConnectError) -> Option<StartCause> {
    match error {
        ConnectError::Unknown | ConnectError::NotApproved | ConnectError::NoCredential => {
            Some(StartCause::NotReady)
        }
        ConnectError::Remote(error) => Some(StartCause::Connect(error.cause())),
        ConnectError::Unavailable(_) => None,
    }
}

/// Whether waiting cannot help: a person must do something first.
pub(super) const fn is_for_good(failure: StartCause) -> bool {
    match failure {
        StartCause::Connect(ConnectFailure::HostKey | ConnectFailure::Authentication)
        | StartCause::NotReady
        | StartCause::InputsDeleted
        | StartCause::NoProc
        | StartCause::NoSetsid
        | StartCause::HomeUnwritable
        | StartCause::HomeFull
        | StartCause::ShellRefused
        | StartCause::VariableName
        | StartCause::CommandTooLong => true,
        StartCause::Connect(
            ConnectFailure::Address
            | ConnectFailure::Tcp
            | ConnectFailure::Identification
            | ConnectFailure::Command,
        ) => false,
    }
}
