//! Why an attempt does not start, and whether waiting can help.

use domain::run::StartCause;
use domain::server::ConnectFailure;
use infra::remote::task::{Fact, LaunchError, TaskError, Unsupported};

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

/// The same of a start that failed; `None` where it may have started the command.
pub(super) const fn of_task(error: &TaskError) -> Option<StartCause> {
    match error {
        TaskError::Launch(LaunchError::Name) => Some(StartCause::VariableName),
        TaskError::Launch(LaunchError::CommandLength | LaunchError::EnvironmentLength) => {
            Some(StartCause::CommandTooLong)
        }
        // Nothing that can be requested has one.
        TaskError::Launch(LaunchError::Nul) => Some(StartCause::Connect(ConnectFailure::Command)),
        TaskError::Unsupported(Unsupported::Proc) => Some(StartCause::NoProc),
        TaskError::Unsupported(Unsupported::Setsid) => Some(StartCause::NoSetsid),
        TaskError::Unsupported(Unsupported::Folder) => Some(StartCause::HomeUnwritable),
        TaskError::Unsupported(Unsupported::Shell) => Some(StartCause::ShellRefused),
        TaskError::Remote(_)
        | TaskError::Missing
        | TaskError::NotProven
        | TaskError::Running
        | TaskError::Answer => None,
    }
}

/// What a server lacks on which no command can be started.
pub(super) const fn of_fact(missing: Fact) -> StartCause {
    match missing {
        Fact::Proc => StartCause::NoProc,
        Fact::Setsid | Fact::Tools => StartCause::NoSetsid,
        Fact::HomeWritable => StartCause::HomeUnwritable,
        Fact::HomeSpace => StartCause::HomeFull,
        Fact::Shell => StartCause::ShellRefused,
        // No start needs one of these.
        Fact::HomeRoom
        | Fact::HomeProgrammes
        | Fact::VisibleProcesses
        | Fact::Sudo
        | Fact::Orphans
        | Fact::Grep
        | Fact::ExactSignals
        | Fact::Inotify
        | Fact::SurvivesLogin => StartCause::Connect(ConnectFailure::Command),
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
        | StartCause::CommandTooLong
        | StartCause::RequesterNotAllowed => true,
        StartCause::Connect(
            ConnectFailure::Address
            | ConnectFailure::Tcp
            | ConnectFailure::Identification
            | ConnectFailure::Command,
        ) => false,
    }
}

#[cfg(test)]
mod tests {
    use infra::remote::RemoteError;

    use super::*;

    #[test]
    fn what_every_start_needs_has_a_cause_of_its_own() {
        for fact in Fact::ALL {
            let is_known = of_fact(fact) != StartCause::Connect(ConnectFailure::Command);
            assert_eq!(is_known, fact.is_needed(), "{}", fact.as_str());
        }
    }

    #[test]
    fn what_a_server_or_a_command_lacks_is_said_and_what_is_not_known_is_not() {
        let causes = [
            (Unsupported::Proc.into(), StartCause::NoProc),
            (Unsupported::Setsid.into(), StartCause::NoSetsid),
            (Unsupported::Folder.into(), StartCause::HomeUnwritable),
            (Unsupported::Shell.into(), StartCause::ShellRefused),
            (TaskError::from(LaunchError::Name), StartCause::VariableName),
            (LaunchError::CommandLength.into(), StartCause::CommandTooLong),
            (LaunchError::EnvironmentLength.into(), StartCause::CommandTooLong),
        ];
        for (error, cause) in causes {
            assert_eq!(of_task(&error), Some(cause), "{error}");
            assert!(is_for_good(cause), "{error}");
        }
        let lost = RemoteError::Lost(ConnectFailure::Command).into();
        for error in [lost, TaskError::Answer] {
            assert_eq!(of_task(&error), None, "{error}");
        }
    }
}
