//! Why an attempt does not start, and whether waiting can help.

use domain::run::StartFailure;
use domain::server::ConnectFailure;

use crate::reach::Unreached;

/// Why there is no connection: none when the server has no part in it.
pub(super) fn of(unreached: &Unreached) -> Option<StartFailure> {
    match unreached {
        Unreached::Unknown | Unreached::NotApproved | Unreached::NoCredential => {
            Some(StartFailure::NotReady)
        }
        Unreached::Remote(error) => Some(StartFailure::Connect(error.cause())),
        Unreached::Unavailable(_) => None,
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
