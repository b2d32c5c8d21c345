//! The reasons of the domain and of the log, as problems.

use actix_web::http::header;
use domain::Refused;
use domain::account::AccountError;
use domain::operator::OperatorError;
use domain::run::RunError;
use domain::seat::SeatError;
use domain::server::ServerError;
use domain::session::SessionError;
use domain::workspace::WorkspaceError;
use infra::credentials::CredentialsError;
use infra::event_store::{ExecuteError, LoadError};
use infra::keyring::{KeyringError, OpenError};
use infra::postgres::PgError;
use infra::run_log::RunLogError;

use crate::api::http::precondition::etag;
use crate::api::http::problem::{Kind, Problem};

impl From<ExecuteError> for Problem {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::Refused(reason) => reason.into(),
            ExecuteError::Stale { version } => stale(version),
            ExecuteError::Reused => Self::of(Kind::IdempotencyKeyReused),
            ExecuteError::Reserved { .. } => Self::of(Kind::AddressTaken),
            ExecuteError::Fenced => Self::of(Kind::NotFound),
            error @ (ExecuteError::Conflict
            | ExecuteError::Overloaded
            | ExecuteError::Unavailable(_)
            | ExecuteError::Load(_)) => Self::unavailable(&error),
        }
    }
}

pub fn stale(version: i64) -> Problem {
    let problem = Problem::of(Kind::PreconditionFailed);
    match header::HeaderValue::from_str(&etag(version)) {
        Ok(tag) if version > 0 => problem.with_header(header::ETAG, tag),
        _ => problem,
    }
}

impl From<Refused> for Problem {
    fn from(reason: Refused) -> Self {
        match reason {
            Refused::Account(reason) => reason.into(),
            Refused::Session(SessionError::Unknown) => Self::of(Kind::NotFound),
            Refused::Workspace(reason) => reason.into(),
            Refused::Seat(reason) => reason.into(),
            Refused::Server(reason) => reason.into(),
            Refused::Run(reason) => reason.into(),
            Refused::Operator(OperatorError::Unknown | OperatorError::Revoked) => {
                Self::of(Kind::Unauthorised)
            }
            reason @ (Refused::Session(SessionError::Opened)
            | Refused::Operator(OperatorError::Issued)) => {
                Self::new(Kind::Refused, reason.to_string())
            }
        }
    }
}

impl From<AccountError> for Problem {
    fn from(reason: AccountError) -> Self {
        use AccountError as Why;
        let kind = match reason {
            Why::Unknown | Why::Erased => return Self::of(Kind::NotFound),
            Why::GraceOutOfRange => return Self::field("grace_days", reason.to_string()),
            Why::NothingToRectify => return Self::new(Kind::BadBody, reason.to_string()),
            Why::EmailVerified => Kind::AlreadyDone,
            Why::LinkReplaced | Why::LinkExpired => Kind::LinkGone,
            Why::NotByConsent(_) => Kind::NotByConsent,
            Why::ErasureRequested => Kind::ErasureRequested,
            Why::Registered
            | Why::NotErased
            | Why::ErasureNotRequested
            | Why::GraceOver(_)
            | Why::GraceNotOver(_) => Kind::Refused,
        };
        Self::new(kind, reason.to_string())
    }
}

impl From<WorkspaceError> for Problem {
    fn from(reason: WorkspaceError) -> Self {
        use WorkspaceError as Why;
        let field = |name| Self::field(name, reason.to_string());
        let kind = match reason {
            Why::Unknown | Why::NotAMember | Why::NoSuchInvitation | Why::NoSuchToken => {
                return Self::of(Kind::NotFound);
            }
            Why::InvitationDays => return field("expires_in_days"),
            Why::TokenDays => return field("expires_at"),
            Why::NoRights | Why::NotForTokens(_) => return field("scopes"),
            Why::GraceOutOfRange => return field("grace_days"),
            Why::NeedsRight(_) | Why::OwnersOnly | Why::RaisesOneself => Kind::Forbidden,
            Why::NotAPurpose => Kind::BadQuery,
            Why::MemberAlready => Kind::AlreadyDone,
            Why::InvitationGone | Why::InvitationExpired => Kind::LinkGone,
            Why::DeletionRequested => Kind::WorkspaceDeleting,
            Why::Exists
            | Why::LastOwner
            | Why::LastMember
            | Why::NotAlone
            | Why::MembersMax(_)
            | Why::InvitationNotExpired(_)
            | Why::InvitationsMax(_)
            | Why::TokensMax(_)
            | Why::DeletionNotRequested
            | Why::GraceOver(_)
            | Why::GraceNotOver(_) => Kind::Refused,
        };
        Self::new(kind, reason.to_string())
    }
}

impl From<SeatError> for Problem {
    fn from(reason: SeatError) -> Self {
        use SeatError as Why;
        let kind = match reason {
            Why::Unknown | Why::LeaseUnknown => return Self::of(Kind::NotFound),
            Why::LimitOutOfRange => return Self::field("limit", reason.to_string()),
            Why::Held { lease } => {
                return Self::of(Kind::SeatHeld).with_member("lease_id", lease.to_string());
            }
            Why::LeaseLost => Kind::LeaseLost,
            Why::LimitLowered => Kind::SeatLimitLowered,
            Why::Opened => Kind::Refused,
        };
        Self::new(kind, reason.to_string())
    }
}

impl From<ServerError> for Problem {
    fn from(reason: ServerError) -> Self {
        use ServerError as Why;
        let kind = match reason {
            Why::Unknown | Why::UnknownDeployment => return Self::of(Kind::NotFound),
            Why::NotTheObserved => return Self::field("fingerprint", reason.to_string()),
            Why::Exists | Why::NotObserved | Why::TooManyDeployments => Kind::Refused,
        };
        Self::new(kind, reason.to_string())
    }
}

impl From<RunError> for Problem {
    fn from(reason: RunError) -> Self {
        use RunError as Why;
        match reason {
            Why::Unknown => Self::of(Kind::NotFound),
            Why::ServersOutOfRange
            | Why::ServerTwice
            | Why::DeploymentOnSeveral
            | Why::OtherServer => Self::field("servers", reason.to_string()),
            Why::TimeoutOutOfRange => Self::field("timeout_seconds", reason.to_string()),
            Why::Requested
            | Why::OtherAttempt
            | Why::Fenced
            | Why::TooEarly
            | Why::Started
            | Why::Ended
            | Why::Sealed
            | Why::NotCancelled
            | Why::RunEnded
            | Why::NothingToRetry
            | Why::NotEnded
            | Why::DeploymentLost => Self::new(Kind::Refused, reason.to_string()),
        }
    }
}

impl From<OpenError> for Problem {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Erased | OpenError::Expired => Self::of(Kind::NotFound),
            OpenError::Damaged => Self::internal(&error),
            OpenError::Unavailable(error) => error.into(),
        }
    }
}

impl From<RunLogError> for Problem {
    fn from(error: RunLogError) -> Self {
        match error {
            RunLogError::Open(error) => error.into(),
            RunLogError::Database(error) => error.into(),
            error @ (RunLogError::Seal(_)
            | RunLogError::Fenced
            | RunLogError::Skipped { .. }
            | RunLogError::Gap { .. }
            | RunLogError::Damaged { .. }
            | RunLogError::Number) => Self::internal(&error),
        }
    }
}

macro_rules! unavailable {
    ($($error:ty)*) => {$(
        impl From<$error> for Problem {
            fn from(error: $error) -> Self {
                Self::unavailable(&error)
            }
        }
    )*};
}

unavailable!(LoadError CredentialsError KeyringError PgError);

impl From<tokio_postgres::Error> for Problem {
    fn from(error: tokio_postgres::Error) -> Self {
        PgError::from(error).into()
    }
}
