//! The reasons of the domain and of the log, as problems.

#![allow(clippy::match_same_arms, reason = "one arm for each reason")]

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
use infra::log::{FeedError, GenerationError};
use infra::postgres::PgError;
use infra::run_log::RunLogError;

use crate::api::http::precondition::stale;
use crate::api::http::problem::{At, FieldError, Problem, ProblemKind};
use crate::operations::change_generation::ChangeGenerationError;
use crate::operations::email_addresses::AddressError;
use crate::unseal::UnknownField;

/// Whoever reads a table for long may have come to its end by then.
const BUSY_SECONDS: u32 = 5;

impl From<ExecuteError> for Problem {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::Refused(reason) => reason.into(),
            ExecuteError::Stale { version } => stale(version),
            ExecuteError::Reused => Self::of(ProblemKind::IdempotencyKeyReused),
            ExecuteError::Reserved { .. } => Self::of(ProblemKind::AddressTaken),
            ExecuteError::Fenced => Self::of(ProblemKind::NotFound),
            error @ (ExecuteError::Conflict
            | ExecuteError::Overloaded
            | ExecuteError::Unavailable(_)
            | ExecuteError::Load(_)) => Self::unavailable(&error),
        }
    }
}

impl From<Refused> for Problem {
    fn from(reason: Refused) -> Self {
        match reason {
            Refused::Account(reason) => reason.into(),
            Refused::Session(SessionError::Unknown) => Self::of(ProblemKind::NotFound),
            Refused::Session(SessionError::Closed) => Self::of(ProblemKind::Unauthorised),
            Refused::Workspace(reason) => reason.into(),
            Refused::Seat(reason) => reason.into(),
            Refused::Server(reason) => reason.into(),
            Refused::Run(reason) => reason.into(),
            Refused::Operator(
                OperatorError::Unknown | OperatorError::Revoked | OperatorError::Expired,
            ) => Self::of(ProblemKind::OperatorNeeded),
            reason @ Refused::Operator(OperatorError::NeedsScope(_)) => {
                Self::new(ProblemKind::Forbidden, reason.to_string())
            }
            reason @ (Refused::Session(SessionError::AlreadyExists)
            | Refused::Operator(OperatorError::AlreadyExists)
            | Refused::Strangers(_)
            | Refused::Log(_)) => Self::new(ProblemKind::Refused, reason.to_string()),
        }
    }
}

impl From<AccountError> for Problem {
    fn from(reason: AccountError) -> Self {
        let kind = match reason {
            AccountError::Unknown | AccountError::Erased | AccountError::NoEmailChange => {
                return Self::of(ProblemKind::NotFound);
            }
            AccountError::GraceOutOfRange => return Self::field("grace_days", reason.to_string()),
            AccountError::NothingToRectify => {
                let whole = FieldError::new(At::Pointer(String::new()), reason.to_string());
                return Self::invalid(ProblemKind::BadBody, vec![whole]);
            }
            AccountError::PasswordReplaced => ProblemKind::PasswordWrong,
            AccountError::CredentialReplaced => return Self::of(ProblemKind::SignInRefused),
            AccountError::OwnerLeaves => ProblemKind::OwnsWorkspaces,
            AccountError::AddressUnverified => ProblemKind::AddressUnverified,
            AccountError::EmailVerified => ProblemKind::AlreadyDone,
            AccountError::LinkReplaced | AccountError::LinkExpired => ProblemKind::LinkGone,
            AccountError::NotByConsent(_) => ProblemKind::NotByConsent,
            AccountError::ErasureRequested => ProblemKind::ErasureRequested,
            AccountError::AlreadyExists
            | AccountError::EmailUnverified
            | AccountError::EmailReplaced
            | AccountError::TokensEnded
            | AccountError::NotErased
            | AccountError::ErasureNotRequested
            | AccountError::GraceOver(_)
            | AccountError::GraceNotOver(_) => ProblemKind::Refused,
        };
        Self::new(kind, reason.to_string())
    }
}

impl From<WorkspaceError> for Problem {
    fn from(reason: WorkspaceError) -> Self {
        let field = |name| Self::field(name, reason.to_string());
        let kind = match reason {
            WorkspaceError::Unknown
            | WorkspaceError::NotAMember
            | WorkspaceError::NoSuchInvitation
            | WorkspaceError::NoSuchToken => {
                return Self::of(ProblemKind::NotFound);
            }
            WorkspaceError::TokenGone => return Self::of(ProblemKind::Unauthorised),
            WorkspaceError::InvitationDays => return field("expires_at"),
            WorkspaceError::TokenDays => return field("expires_at"),
            WorkspaceError::NoRights
            | WorkspaceError::NotForTokens(_)
            | WorkspaceError::ServiceAccountLacks(_) => return field("scopes"),
            WorkspaceError::NoSuchServiceAccount => return field("account_id"),
            WorkspaceError::ServiceAccountOwns => return field("role"),
            WorkspaceError::OverlapOutOfRange => return field("overlap_minutes"),
            WorkspaceError::GraceOutOfRange | WorkspaceError::GraceNeeded => {
                return field("grace_days");
            }
            WorkspaceError::NeedsRight(_)
            | WorkspaceError::OwnersOnly
            | WorkspaceError::TokenOfAnother
            | WorkspaceError::AnotherOwnerNeeded
            | WorkspaceError::RaisesOneself => ProblemKind::Forbidden,
            WorkspaceError::NotAPurpose => ProblemKind::BadQuery,
            WorkspaceError::MemberAlready => ProblemKind::AlreadyDone,
            WorkspaceError::InvitationGone | WorkspaceError::InvitationExpired => {
                ProblemKind::LinkGone
            }
            WorkspaceError::DeletionRequested => ProblemKind::WorkspaceDeleting,
            WorkspaceError::Restricted => ProblemKind::WorkspaceRestricted,
            WorkspaceError::AlreadyExists
            | WorkspaceError::LastOwner
            | WorkspaceError::NoOwnerStays
            | WorkspaceError::LastMember
            | WorkspaceError::NotAlone
            | WorkspaceError::MembersMax(_)
            | WorkspaceError::InvitationNotExpired(_)
            | WorkspaceError::InvitationsMax(_)
            | WorkspaceError::TokensMax(_)
            | WorkspaceError::ServiceAccountsMax(_)
            | WorkspaceError::TokenExpired
            | WorkspaceError::FormerSecretWorks(_)
            | WorkspaceError::DeletionNotRequested
            | WorkspaceError::NotRestricted
            | WorkspaceError::OwnsAlready
            | WorkspaceError::NotAnHeir
            | WorkspaceError::NotSooner(_)
            | WorkspaceError::RequestedTooOften(_)
            | WorkspaceError::GraceOver(_)
            | WorkspaceError::GraceNotOver(_) => ProblemKind::Refused,
        };
        Self::new(kind, reason.to_string())
    }
}

impl From<SeatError> for Problem {
    fn from(reason: SeatError) -> Self {
        let kind = match reason {
            SeatError::Unknown | SeatError::LeaseUnknown => return Self::of(ProblemKind::NotFound),
            SeatError::LimitOutOfRange => return Self::field("limit", reason.to_string()),
            SeatError::Held { lease } => {
                return Self::of(ProblemKind::SeatHeld).with_member("lease_id", lease.to_string());
            }
            SeatError::LeaseLost => ProblemKind::LeaseLost,
            SeatError::LimitLowered => ProblemKind::SeatLimitLowered,
            SeatError::AlreadyExists => ProblemKind::Refused,
        };
        Self::new(kind, reason.to_string())
    }
}

impl From<ServerError> for Problem {
    fn from(reason: ServerError) -> Self {
        let kind = match reason {
            ServerError::Unknown | ServerError::UnknownDeployment => {
                return Self::of(ProblemKind::NotFound);
            }
            ServerError::NotTheObserved => return Self::field("fingerprint", reason.to_string()),
            ServerError::AlreadyExists
            | ServerError::NotObserved
            | ServerError::TooManyDeployments => ProblemKind::Refused,
        };
        Self::new(kind, reason.to_string())
    }
}

impl From<RunError> for Problem {
    fn from(reason: RunError) -> Self {
        match reason {
            RunError::Unknown => Self::of(ProblemKind::NotFound),
            RunError::ServersOutOfRange
            | RunError::ServerTwice
            | RunError::DeploymentOnSeveral
            | RunError::OtherServer => Self::field("server_ids", reason.to_string()),
            RunError::TimeoutOutOfRange => Self::field("timeout_seconds", reason.to_string()),
            RunError::SecretsNeeded => Self::field("secrets", reason.to_string()),
            RunError::AlreadyExists
            | RunError::OtherAttempt
            | RunError::Fenced
            | RunError::TooEarly
            | RunError::Started
            | RunError::Ended
            | RunError::Sealed
            | RunError::NotCancelled
            | RunError::RunEnded
            | RunError::NothingToRetry
            | RunError::NotEnded
            | RunError::NothingLeft
            | RunError::DeploymentLost => Self::new(ProblemKind::Refused, reason.to_string()),
        }
    }
}

impl From<GenerationError> for Problem {
    fn from(error: GenerationError) -> Self {
        match error {
            GenerationError::Worker | GenerationError::NotFound => Self::of(ProblemKind::NotFound),
            error @ (GenerationError::State { .. }
            | GenerationError::NothingKept
            | GenerationError::OtherColumns { .. }) => {
                Self::new(ProblemKind::GenerationState, error.to_string())
            }
            // The next node may be one of that version.
            error @ GenerationError::OtherVersion => {
                Self::new(ProblemKind::Unavailable, error.to_string())
                    .with_header(header::RETRY_AFTER, BUSY_SECONDS)
            }
            GenerationError::Busy => {
                Self::of(ProblemKind::Unavailable).with_header(header::RETRY_AFTER, BUSY_SECONDS)
            }
            GenerationError::Feed(error) => error.into(),
            GenerationError::Postgres(error) => error.into(),
        }
    }
}

impl From<ChangeGenerationError> for Problem {
    fn from(error: ChangeGenerationError) -> Self {
        match error {
            ChangeGenerationError::Execute(error) => error.into(),
            ChangeGenerationError::Generation(error) => error.into(),
        }
    }
}

/// As [`crate::unseal`] says.
impl From<OpenError> for Problem {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Erased | OpenError::Expired => Self::of(ProblemKind::NotFound),
            OpenError::Damaged => Self::internal(&error),
            OpenError::Unavailable(error) => error.into(),
        }
    }
}

impl From<RunLogError> for Problem {
    fn from(error: RunLogError) -> Self {
        match error {
            RunLogError::Open(OpenError::Expired) => Self::of(ProblemKind::LogExpired),
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

impl From<AddressError> for Problem {
    fn from(error: AddressError) -> Self {
        match error {
            AddressError::Keyring(error) => error.into(),
            AddressError::Load(error) => error.into(),
            AddressError::Postgres(error) => error.into(),
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

impl From<UnknownField> for Problem {
    fn from(error: UnknownField) -> Self {
        OpenError::from(error).into()
    }
}

unavailable!(LoadError CredentialsError KeyringError PgError FeedError);

impl From<tokio_postgres::Error> for Problem {
    fn from(error: tokio_postgres::Error) -> Self {
        PgError::from(error).into()
    }
}
