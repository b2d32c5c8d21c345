//! The sessions that one has, and signing out.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use domain::SessionId;
use domain::account::{Account, AccountCommand};
use domain::privacy::{LoginIp, LoginUserAgent};
use domain::session::{CloseReason, Session, SessionCommand};
use infra::event_store::Step;
use infra::failpoint;
use infra::sessions::Period;
use projections::sessions::{Filter, Session as Row, Sessions, open};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::accounts::own_tokens::{self, OwnTokens};
use crate::api::auth::caller::Caller;
use crate::api::auth::path_resources::PathId;
use crate::api::auth::signed_in::{SignedIn, cookie_cleared, shows_cookie};
use crate::api::http::answer::done;
use crate::api::http::body::{Body, Query};
use crate::api::http::cursor::Page;
use crate::api::http::fields::{
    Fields, FromFields, Nothing, RUNS_BACKWARDS, choice, parsed, times,
};
use crate::api::http::listing::{ListFilter, Listing, Order};
use crate::api::http::position::MinPosition;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::{Api, ApiData};
use crate::operations::sign_out::{SignOut, SignedOut};
use crate::unseal::Unsealer;

pub fn routes(routes: &mut Routes) {
    routes
        .add(__path_list, list)
        .refuses_values(&[RUNS_BACKWARDS])
        .add(__path_close, close)
        .add(__path_close_current, close_current)
        .add(__path_close_others, close_others)
        .refuses(&[ProblemKind::NotFound]);
}

#[derive(Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SessionFilter {
    /// `browser` or `client`.
    #[param(value_type = Option<String>, pattern = r"^(?:browser|client)$")]
    kind: Option<&'static str>,
    /// Opened then or later.
    from: Option<DateTime<Utc>>,
    /// Opened before.
    to: Option<DateTime<Utc>>,
}

type SessionListing = Listing<SessionFilter>;

impl ListFilter for SessionFilter {
    const ORDERS: &'static [Order] = &[Order::Newest, Order::Oldest];

    fn read(fields: &mut Fields) -> Option<Self> {
        let kind = fields.optional("kind", choice(&["browser", "client"]));
        let (from, to) = times(fields)?;
        Some(Self { kind: kind?, from, to })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    session_id: Uuid,
    kind: String,
    /// Whether it is the session of this request.
    current: bool,
    opened_at: DateTime<Utc>,
    /// To the minute; absent of a session that is just ending.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<DateTime<Utc>>,
    /// It ends then, unless it is used before; absent of a session that is just ending.
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_expires_at: Option<DateTime<Utc>>,
    /// It ends then, however much it is used; absent of a session that is just ending.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
    /// Absent once its period is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    ip: Option<<LoginIp as domain::privacy::Field>::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    user_agent: Option<<LoginUserAgent as domain::privacy::Field>::Value>,
}

/// The open sessions.
#[utoipa::path(
    get, path = "/v1/me/sessions", tag = "sessions",
    params(SessionListing,
        MinPosition),
    responses((status = 200, body = Page<SessionView>)),
)]
async fn list(
    api: ApiData,
    signed_in: SignedIn,
    least: MinPosition,
    query: Query<SessionListing>,
) -> Result<HttpResponse, Problem> {
    let Query(listing) = query;
    let page = listing.page(&api, signed_in.tenant(), "/v1/me/sessions").await?;
    least.reached::<Sessions>(&api).await?;
    let SessionFilter { kind, from, to } = listing.filter;
    let filter = Filter { kind, since: from, until: to };
    let rows = open(&api.app.pool, signed_in.account, filter, page.by_time(), page.rows()).await?;
    let ids: Vec<SessionId> = rows.iter().map(|row| row.session_id).collect();
    let periods = api.app.sessions.periods(&ids).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        let period = periods.get(&row.session_id).copied();
        found.push(read(&api, &signed_in, row, period).await?);
    }
    let page = page.of(found, |session| (session.opened_at, session.session_id)).await?;
    Ok(HttpResponse::Ok().json(page))
}

async fn read(
    api: &Api,
    signed_in: &SignedIn,
    row: Row,
    period: Option<Period>,
) -> Result<SessionView, Problem> {
    let person = Unsealer::of_account(&api.app.keyring.sealer, signed_in.account);
    Ok(SessionView {
        session_id: row.session_id.0,
        current: signed_in.session == row.session_id,
        opened_at: row.opened_at,
        last_used_at: period.map(|period| period.last_used_at),
        idle_expires_at: period.map(|period| period.idle_until),
        expires_at: period.map(|period| period.absolute_until),
        ip: person.optional::<LoginIp>(Some(row.ip.as_slice())).await?,
        user_agent: person.optional::<LoginUserAgent>(Some(row.user_agent.as_slice())).await?,
        kind: row.kind,
    })
}

/// Closes the session of this request; its cookie is cleared.
#[utoipa::path(
    delete, path = "/v1/me/sessions/current", tag = "sessions",
    responses((status = 204)),
)]
async fn close_current(
    api: ApiData,
    signed_in: SignedIn,
    caller: Caller,
    shown: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let ended = end(&api, &signed_in, &caller, signed_in.session, CloseReason::SignedOut).await?;
    Ok(without_cookie(ended, &shown))
}

/// The browser shows the session no more.
fn without_cookie(mut ended: HttpResponse, shown: &HttpRequest) -> HttpResponse {
    if shows_cookie(shown) {
        ended.headers_mut().append(header::SET_COOKIE, cookie_cleared());
    }
    ended
}

/// Closes a session of the caller.
#[utoipa::path(
    delete, path = "/v1/me/sessions/{session_id}", tag = "sessions",
    params(("session_id" = Uuid, Path)),
    responses((status = 204)),
)]
async fn close(
    api: ApiData,
    signed_in: SignedIn,
    caller: Caller,
    id: PathId<SessionId>,
    shown: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let session = id.get()?;
    let own = session == signed_in.session;
    let reason = if own { CloseReason::SignedOut } else { CloseReason::ClosedFromAnother };
    let ended = end(&api, &signed_in, &caller, session, reason).await?;
    Ok(if own { without_cookie(ended, &shown) } else { ended })
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CloseOthersQuery {
    /// The API tokens that act for the caller end, too, unless this is true: the answer then lists them.
    #[param(required = false)]
    keep_api_tokens: bool,
}

impl FromFields for CloseOthersQuery {
    fn read(fields: &mut Fields) -> Option<Self> {
        let keep = fields.optional("keep_api_tokens", parsed("true or false"));
        Some(Self { keep_api_tokens: keep?.unwrap_or(false) })
    }
}

/// Signs out everywhere else: closes all other sessions of the caller, and ends the API tokens. None of them
/// works any more when the answer comes; sign-ins since the request stay.
#[utoipa::path(
    delete, path = "/v1/me/sessions", tag = "sessions",
    params(CloseOthersQuery),
    responses((status = 204),
        (status = 200, description = "The tokens that stay", body = OwnTokens)),
)]
async fn close_others(
    api: ApiData,
    signed_in: SignedIn,
    caller: Caller,
    query: Query<CloseOthersQuery>,
    body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    let Query(CloseOthersQuery { keep_api_tokens }) = query;
    let (Nothing, mut bytes) = body.read()?;
    // With the other answer it is another request.
    bytes.extend(keep_api_tokens.then_some(1));
    let (account, except) = (signed_in.account, Some(signed_in.session));
    let sign_out = SignOut { account, except, reason: CloseReason::ClosedFromAnother };
    let ends = AccountCommand::EndSessions { keep_api_tokens };
    let request = signed_in.request(&caller, bytes);
    let step = Step::new::<Account>(account.0, ends);
    let receipt = api.app.executor.execute(&request, &[step]).await?;
    failpoint!(SessionsEnded);
    let after = (&request, &receipt);
    if let SignedOut::NotClosed(error) =
        sign_out.execute_after(&api.app, after, !keep_api_tokens).await
    {
        return Err(error.into());
    }
    Ok(own_tokens::answer(&api, account, &receipt, keep_api_tokens).await)
}

/// Closes a session of the person. The event comes first: a request that is refused closes nothing. The session
/// closer deletes the row if this request does not get to it.
pub async fn end(
    api: &Api,
    signed_in: &SignedIn,
    caller: &Caller,
    session: SessionId,
    reason: CloseReason,
) -> Result<HttpResponse, Problem> {
    let found = api.app.executor.load::<Session>(signed_in.tenant(), session.0).await?;
    if matches!(*found.state, Session::Absent | Session::Refused) {
        return Err(Problem::of(ProblemKind::NotFound));
    }
    // The path does not always name the session.
    let mut request = signed_in.request(caller, session.0.as_bytes().to_vec());
    if session == signed_in.session {
        // Somebody else may close it at the same time.
        request.guards.clear();
    }
    let step = Step::new::<Session>(session.0, SessionCommand::Close { reason });
    let receipt = api.app.executor.execute(&request, &[step]).await?;
    failpoint!(SessionClosed);
    api.app.sessions.closed(&[session]).await?;
    Ok(done(&receipt))
}
