//! An operator of the installation, by a token whose scope reaches as far as the operation needs.

use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use domain::operator::{self, OperatorCommand, Scope};
use domain::{ActorId, TenantId, TokenId};
use futures_util::future::LocalBoxFuture;
use infra::event_store::{Guard, Request};
use infra::operators::OperatorToken;

use crate::api::Api;
use crate::api::auth::caller::Caller;
use crate::api::auth::signed_in::bearer;
use crate::api::http::position::PositionHolder;
use crate::api::http::problem::{Problem, ProblemKind};

/// A scope as the type of an argument: an operation needs the one that it takes, and the document says so.
pub trait NeededScope: 'static {
    const SCOPE: Scope;
}

/// Everything that operators do.
#[derive(Clone, Copy, Debug)]
pub struct Admin;

/// What auditors read.
#[derive(Clone, Copy, Debug)]
pub struct Audit;

impl NeededScope for Admin {
    const SCOPE: Scope = Scope::Admin;
}

impl NeededScope for Audit {
    const SCOPE: Scope = Scope::Audit;
}

/// An operator's token that is live and has the scope.
#[derive(Clone, Copy, Debug)]
pub struct Operator<S> {
    token: OperatorToken,
    scope: PhantomData<S>,
}

impl<S: NeededScope> Operator<S> {
    /// # Errors
    /// No live token is shown, or one whose scope does not reach so far, or there are too many requests.
    pub async fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let token = shown(request).await?;
        Api::of(request)?.limits.operator(token.id)?;
        Self::by(token, request)
    }

    /// Like [`Self::of`], without being counted as a request.
    ///
    /// # Errors
    /// No live token is shown, or one whose scope does not reach so far.
    pub async fn find(request: &HttpRequest) -> Result<Self, Problem> {
        Self::by(shown(request).await?, request)
    }

    fn by(token: OperatorToken, request: &HttpRequest) -> Result<Self, Problem> {
        if token.may(S::SCOPE) {
            request.extensions_mut().insert(PositionHolder::Operator);
            Ok(Self { token, scope: PhantomData })
        } else {
            Err(out_of_scope(S::SCOPE))
        }
    }

    pub const fn id(&self) -> TokenId {
        self.token.id
    }

    pub fn actor(&self) -> ActorId {
        self.token.id.into()
    }

    /// A command of this operator. It is refused if, when its events are appended, the token is revoked or has
    /// expired.
    pub fn request(&self, tenant: TenantId, (caller, body): (&Caller, Vec<u8>)) -> Request {
        let actor = Some(self.actor());
        let mut request = caller.request(tenant, caller.command(actor), actor, body);
        let uses = OperatorCommand::Use { scope: S::SCOPE, now: caller.now() };
        request.guards = vec![Guard::new::<operator::Operator>(self.tenant(), self.id().0, uses)];
        request
    }

    /// An operator's token is a stream of its own, and its own tenant.
    pub const fn tenant(&self) -> TenantId {
        TenantId(self.token.id.0)
    }
}

/// The operator's token that is shown, whatever its scope.
async fn shown(request: &HttpRequest) -> Result<OperatorToken, Problem> {
    let needed = || Problem::of(ProblemKind::OperatorNeeded);
    let token = bearer(request).ok_or_else(needed)?;
    let found = Api::of(request)?.app.operators.find(token).await;
    found.map_err(|error| Problem::unavailable(&error))?.ok_or_else(needed)
}

/// With a challenge for the scope (RFC 6750, 3.1).
fn out_of_scope(needed: Scope) -> Problem {
    let (detail, challenge) = match needed {
        Scope::Admin => (
            "This needs an operator's token with the scope admin.",
            r#"Bearer realm="lethe operators", error="insufficient_scope", scope="admin""#,
        ),
        Scope::Audit => (
            "This needs an operator's token with the scope audit or admin.",
            r#"Bearer realm="lethe operators", error="insufficient_scope", scope="audit""#,
        ),
    };
    let challenge = HeaderValue::from_static(challenge);
    Problem::new(ProblemKind::Forbidden, detail).with_header(header::WWW_AUTHENTICATE, challenge)
}

impl<S: NeededScope> FromRequest for Operator<S> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Self::of(&request).await })
    }
}
