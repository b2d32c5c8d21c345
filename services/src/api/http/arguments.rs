//! What the arguments of a handler say of its operation: who may call it, and how a request is refused before, or
//! because of, what they read. The document is made from this, and each answer is held to it.

use actix_web::http::Method;
use actix_web::{HttpRequest, web};
use domain::operator::Scope;
use domain::workspace::WorkspaceAction;
use utoipa::openapi::security::SecurityRequirement;

use crate::api::ApiData;
use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::auth::operator::{Admin, NeededScope, Operator};
use crate::api::auth::path_resources::{PathAggregate, PathId};
use crate::api::auth::signed_in::SignedIn;
use crate::api::http::answers::Unfit;
use crate::api::http::body::{Body, Query};
use crate::api::http::fields::FromFields;
use crate::api::http::position::{self, MinPosition};
use crate::api::http::precondition::{IfMatch, MustMatch};
use crate::api::http::problem::ProblemKind;
use crate::api::operators::change::WorkspaceChange;
use crate::api::servers::change::ServerChange;

/// How whatever path and method are asked for may be refused.
pub const EVERYWHERE: [ProblemKind; 4] = [
    ProblemKind::Internal,
    ProblemKind::TimedOut,
    ProblemKind::TooManyRequests,
    ProblemKind::Unavailable,
];

/// Who may call an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callers {
    /// A person, with a session.
    People,
    /// A member of a workspace, with a session or with a token of the workspace.
    Members,
    /// An operator of the installation, with a token that has the scope.
    Operators(Scope),
}

impl Callers {
    /// What they show: a session as a bearer token or as the cookie of a browser, or a token with the scope that the
    /// action, or the operation of an operator, needs.
    pub fn security(self, action: Option<WorkspaceAction>) -> Vec<SecurityRequirement> {
        let needs = |scheme: &str| SecurityRequirement::new(scheme, Vec::<String>::new());
        if let Self::Operators(scope) = self {
            return vec![SecurityRequirement::new("operator", [scope.as_str()])];
        }
        let scope = action.filter(|action| action.is_for_tokens()).map(WorkspaceAction::right);
        let token = scope.map(|scope| SecurityRequirement::new("token", [scope.as_str()]));
        [needs("session"), needs("cookie")].into_iter().chain(token).collect()
    }
}

/// An argument of a handler.
pub trait Argument {
    /// Who is let in by it; `None`: anybody.
    const CALLERS: Option<Callers> = None;
    const REFUSES: &'static [ProblemKind] = &[];
    /// Of a request that changes something only.
    const REFUSES_WRITES: &'static [ProblemKind] = &[];
    /// What it refuses though its schema admits it.
    const UNFIT: &'static [Unfit] = &[];
}

impl Argument for ApiData {}

impl Argument for HttpRequest {}

impl Argument for Caller {
    /// Whoever is erased meanwhile is not there any more.
    const REFUSES_WRITES: &'static [ProblemKind] = &[
        ProblemKind::BadHeader,
        ProblemKind::IdempotencyKeyReused,
        ProblemKind::InFlight,
        ProblemKind::NotFound,
    ];
}

impl Argument for SignedIn {
    const CALLERS: Option<Callers> = Some(Callers::People);
    const REFUSES: &'static [ProblemKind] = &[ProblemKind::Unauthorised];
    const REFUSES_WRITES: &'static [ProblemKind] = &[ProblemKind::ForeignOrigin];
}

impl Argument for Member {
    const CALLERS: Option<Callers> = Some(Callers::Members);
    const REFUSES: &'static [ProblemKind] =
        &[ProblemKind::Forbidden, ProblemKind::NotFound, ProblemKind::Unauthorised];
    const REFUSES_WRITES: &'static [ProblemKind] = &[ProblemKind::ForeignOrigin];
}

impl<S: NeededScope> Argument for Operator<S> {
    const CALLERS: Option<Callers> = Some(Callers::Operators(S::SCOPE));
    const REFUSES: &'static [ProblemKind] = &[ProblemKind::Forbidden, ProblemKind::OperatorNeeded];
}

impl<Id, A> Argument for PathAggregate<Id, A> {
    const REFUSES: &'static [ProblemKind] = &[ProblemKind::NotFound];
}

impl<Id> Argument for PathId<Id> {
    const REFUSES: &'static [ProblemKind] = &[ProblemKind::NotFound];
}

impl<P> Argument for web::Path<P> {
    const REFUSES: &'static [ProblemKind] = &[ProblemKind::NotFound];
}

impl<F> Argument for Body<F> {
    const REFUSES: &'static [ProblemKind] = &[
        ProblemKind::BadBody,
        ProblemKind::BadJson,
        ProblemKind::ContentType,
        ProblemKind::InFlight,
        ProblemKind::TooLarge,
    ];
}

impl<F: FromFields> Argument for Query<F> {
    const REFUSES: &'static [ProblemKind] = if F::PAGED {
        &[ProblemKind::BadQuery, ProblemKind::BadCursor]
    } else {
        &[ProblemKind::BadQuery]
    };
}

impl Argument for MinPosition {
    const REFUSES: &'static [ProblemKind] =
        &[ProblemKind::BadHeader, ProblemKind::NotYet, ProblemKind::PositionExpired];
    const UNFIT: &'static [Unfit] = &[position::UNFIT];
}

impl Argument for IfMatch {
    const REFUSES: &'static [ProblemKind] =
        &[ProblemKind::BadHeader, ProblemKind::PreconditionFailed];
}

impl Argument for MustMatch {
    const REFUSES: &'static [ProblemKind] = &[
        ProblemKind::BadHeader,
        ProblemKind::PreconditionFailed,
        ProblemKind::PreconditionRequired,
    ];
}

impl Argument for WorkspaceChange {
    const CALLERS: Option<Callers> = Operator::<Admin>::CALLERS;
    const REFUSES: &'static [ProblemKind] =
        &[ProblemKind::Forbidden, ProblemKind::NotFound, ProblemKind::OperatorNeeded];
    const REFUSES_WRITES: &'static [ProblemKind] = Caller::REFUSES_WRITES;
}

impl Argument for ServerChange {
    const CALLERS: Option<Callers> = Member::CALLERS;
    const REFUSES: &'static [ProblemKind] = &[
        ProblemKind::BadHeader,
        ProblemKind::Forbidden,
        ProblemKind::NotFound,
        ProblemKind::PreconditionFailed,
        ProblemKind::PreconditionRequired,
        ProblemKind::Unauthorised,
    ];
    const REFUSES_WRITES: &'static [ProblemKind] =
        &[ProblemKind::ForeignOrigin, ProblemKind::IdempotencyKeyReused, ProblemKind::InFlight];
}

/// All arguments of a handler.
pub trait Arguments {
    fn callers() -> Option<Callers>;

    fn refuses(method: &Method) -> Vec<ProblemKind>;

    /// What is refused though the schemas admit it.
    fn unfit() -> Vec<Unfit>;
}

macro_rules! arguments {
    ($($argument:ident)*) => {
        impl<$($argument: Argument),*> Arguments for ($($argument,)*) {
            fn callers() -> Option<Callers> {
                [None, $($argument::CALLERS),*].into_iter().flatten().next()
            }

            fn refuses(method: &Method) -> Vec<ProblemKind> {
                let writes = *method != Method::GET;
                let all: [(&[ProblemKind], &[ProblemKind]); _] =
                    [(&EVERYWHERE, &[]), $(($argument::REFUSES, $argument::REFUSES_WRITES)),*];
                let own = all.iter().flat_map(|(reads, _)| reads.iter().copied());
                let of_writes = all.iter().filter(|_| writes).flat_map(|(_, writes)| *writes);
                own.chain(of_writes.copied()).collect()
            }

            fn unfit() -> Vec<Unfit> {
                let all: [&[Unfit]; _] = [&[], $($argument::UNFIT),*];
                all.concat()
            }
        }
    };
}

arguments! {}
arguments! { A }
arguments! { A B }
arguments! { A B C }
arguments! { A B C D }
arguments! { A B C D E }
arguments! { A B C D E F }
arguments! { A B C D E F G }
