//! Whose session it is.

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use chrono::{DateTime, Utc};
use domain::account::{Account, AccountCommand};
use domain::session::{Session, SessionCommand};
use domain::{AccountId, SessionId, TenantId};
use futures_util::future::LocalBoxFuture;
use infra::event_store::{Guard, Request};

use crate::api::auth::caller::{Caller, has_body};
use crate::api::http::body::is_json;
use crate::api::http::position::PositionHolder;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::{Api, ApiData};

/// Bound to this host and to TLS by its name (RFC 6265bis, 4.1.3.2).
pub const COOKIE: &str = "__Host-lethe";
/// Deleted, it is a sign-out.
const CURRENT_SESSION: &str = "/v1/me/sessions/current";

/// The person who is signed in.
#[derive(Clone, Copy, Debug)]
pub struct SignedIn {
    pub account: AccountId,
    pub session: SessionId,
    /// The password was shown then.
    pub opened_at: DateTime<Utc>,
}

impl SignedIn {
    /// # Errors
    /// No live session is shown, or there are too many requests.
    pub async fn of(request: &HttpRequest) -> Result<Self, Problem> {
        Self::find(request).await?.counted(request)
    }

    /// Like [`Self::of`], without being counted as a request.
    ///
    /// # Errors
    /// No live session is shown.
    pub async fn find(request: &HttpRequest) -> Result<Self, Problem> {
        let api = Api::of(request)?;
        Self::by(&presented_token(request, &api)?, request).await
    }

    /// Like [`Self::of`], by the cookie alone: of a form that was found to be ours, or of a read.
    ///
    /// # Errors
    /// No live session is shown, or there are too many requests.
    pub async fn by_cookie(request: &HttpRequest) -> Result<Self, Problem> {
        let cookie = request.cookie(COOKIE);
        let cookie = cookie.ok_or_else(|| Problem::of(ProblemKind::Unauthorised))?;
        Self::by(cookie.value(), request).await?.counted(request)
    }

    fn counted(self, request: &HttpRequest) -> Result<Self, Problem> {
        Api::of(request)?.limits.account(self.account)?;
        Ok(self)
    }

    async fn by(token: &str, request: &HttpRequest) -> Result<Self, Problem> {
        let api = Api::of(request)?;
        let live = api.app.sessions.find(token).await;
        let live = live.map_err(|error| Problem::unavailable(&error))?;
        let live = live.ok_or_else(|| over(request))?;
        request.extensions_mut().insert(PositionHolder::Caller(live.account.into()));
        Ok(Self { account: live.account, session: live.session, opened_at: live.opened_at })
    }

    pub fn tenant(&self) -> TenantId {
        self.account.into()
    }

    /// The session is open when the events of a command are appended.
    pub fn guard(&self) -> Guard {
        Guard::new::<Session>(self.tenant(), self.session.0, SessionCommand::Use)
    }

    /// The person's account stays, and if `verified`, its address is, when the events of a command are
    /// appended.
    pub fn acts(&self, verified: bool) -> Guard {
        acts(self.account, verified)
    }

    /// A command of this person, on streams of this person's own. It is refused if, when its events are
    /// appended, the session is closed.
    pub fn request(&self, caller: &Caller, body: Vec<u8>) -> Request {
        let actor = Some(self.account.into());
        let mut request = caller.request(self.tenant(), caller.command(actor), actor, body);
        request.session = Some(self.session);
        request.guards = vec![self.guard()];
        request
    }
}

/// The account acts where others come to depend on it: [`AccountCommand::Act`].
pub fn acts(account: AccountId, verified: bool) -> Guard {
    let acts = AccountCommand::Act { verified };
    Guard::new::<Account>(account.into(), account.0, acts)
}

impl FromRequest for SignedIn {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Self::of(&request).await })
    }
}

/// Deletes the cookie: nobody needs it any more.
pub fn cookie_cleared() -> HeaderValue {
    HeaderValue::from_static("__Host-lethe=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax")
}

/// Whether the session is shown by a cookie.
pub fn shows_cookie(request: &HttpRequest) -> bool {
    bearer(request).is_none() && request.cookie(COOKIE).is_some()
}

/// Only a sign-out clears the cookie, also of a session that is over. An answer cannot say which cookie it clears, so
/// that another one, which comes late, would clear that of a sign-in since.
fn over(request: &HttpRequest) -> Problem {
    let problem = Problem::of(ProblemKind::Unauthorised);
    let signs_out = *request.method() == Method::DELETE && request.path() == CURRENT_SESSION;
    if signs_out && shows_cookie(request) {
        problem.with_header(header::SET_COOKIE, cookie_cleared())
    } else {
        problem
    }
}

/// The token that is shown; a cookie only where no other site can have sent it: a form of another site has
/// its origin, and is no JSON.
fn presented_token(request: &HttpRequest, api: &ApiData) -> Result<String, Problem> {
    if let Some(token) = bearer(request) {
        return Ok(token.to_owned());
    }
    let cookie = request.cookie(COOKIE).ok_or_else(|| Problem::of(ProblemKind::Unauthorised))?;
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let origin = request.headers().get(header::ORIGIN).map(HeaderValue::as_bytes);
    let is_form = has_body(request) && !is_json(request);
    if !reads && (is_form || origin != Some(api.origin().as_bytes())) {
        return Err(Problem::of(ProblemKind::ForeignOrigin));
    }
    Ok(cookie.value().to_owned())
}

/// The token of a workspace in a request. The workspace decides its rights.
pub fn api_token(request: &HttpRequest) -> Option<&str> {
    bearer(request).filter(|token| token.starts_with(infra::api_tokens::PREFIX))
}

/// A token or a cookie that a request shows, whatever it is worth.
pub fn presented(request: &HttpRequest) -> Option<String> {
    let cookie = || request.cookie(COOKIE).map(|cookie| cookie.value().to_owned());
    bearer(request).map(ToOwned::to_owned).or_else(cookie)
}

pub(super) fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_bearer_token_is_taken_whatever_the_case_of_its_scheme() {
        let request = |value| TestRequest::default().insert_header(("Authorization", value));
        assert_eq!(bearer(&request("bearer ls_x").to_http_request()), Some("ls_x"));
        assert_eq!(bearer(&request("Basic ls_x").to_http_request()), None);
        assert_eq!(bearer(&request("Bearer").to_http_request()), None);
    }
}
