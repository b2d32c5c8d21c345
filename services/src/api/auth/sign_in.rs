//! Signing in: an answer, and an event, whatever becomes of it.

#![allow(clippy::wildcard_enum_match_arm, reason = "the other errors are alike here")]

use actix_web::HttpResponse;
use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use domain::account::{Account, AccountCommand};
use domain::privacy::TypedAddress;
use domain::session::{Session, SessionCommand, SessionKind};
use domain::strangers::STRANGERS;
use domain::{AccountId, CredentialId, SessionId, TenantId};
use infra::bearer::BearerToken;
use infra::event_store::{ExecuteError, Receipt, Request, Step};
use infra::failpoint;
use infra::ids::derived;
use infra::sessions::{NewSession, Sessions};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::after_answer::RefusedSignIn;
use crate::api::auth::caller::Caller;
use crate::api::auth::repeatable::TokenKind;
use crate::api::auth::signed_in::COOKIE;
use crate::api::http::answer::{if_read, of_account, written};
use crate::api::http::body::Body;
use crate::api::http::fields::{Fields, FromFields, one_of, secret, text};
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::http::schemas;
use crate::api::{Api, ApiData};
use crate::operations::email_addresses::owner_of_typed;

/// Is looked for where nobody has the address. No stream has this id: to load it costs nothing more than one
/// that is short.
const NOBODY: AccountId = AccountId(Uuid::max());
/// Far longer than a sign-in takes from its row to its event.
const CUT_SHORT_AFTER: TimeDelta = TimeDelta::minutes(10);
const NO_CREDENTIAL: CredentialId = CredentialId(Uuid::nil());
const SESSION: TokenKind =
    TokenKind { label: "session", draw: Sessions::draw_token, of_secret: Sessions::token_of };

pub fn routes(routes: &mut Routes) {
    routes.add(__path_open, open).refuses(&[ProblemKind::SignInRefused]);
}

#[derive(ToSchema)]
#[schema(example = json!({ "email": "ada@example.org", "password": "correct horse battery", "kind": "client" }))]
pub struct SignInRequest {
    #[schema(schema_with = schemas::typed_email)]
    email: TypedAddress,
    #[schema(value_type = String, format = Password, min_length = 1)]
    password: SecretString,
    /// `browser` sets a cookie, `client` answers a bearer token.
    #[schema(value_type = Option<String>, example = "client", pattern = r"^(?:browser|client)$")]
    kind: SessionKind,
}

impl FromFields for SignInRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email", text(TypedAddress::parse));
        let password = fields.required("password", secret);
        let kind = fields.optional("kind", one_of("browser, client"));
        let kind = kind.map(|kind| kind.unwrap_or(SessionKind::Client));
        Some(Self { email: email?, password: password?, kind: kind? })
    }
}

/// The same from our own page: it opens the session of a browser.
pub struct BrowserSignIn(pub SignInRequest);

impl FromFields for BrowserSignIn {
    fn read(fields: &mut Fields) -> Option<Self> {
        let form = SignInRequest::read(fields)?;
        Some(Self(SignInRequest { kind: SessionKind::Browser, ..form }))
    }
}

#[derive(Serialize, ToSchema)]
pub struct SignInResponse {
    session_id: Uuid,
    account_id: Uuid,
    /// Only for a client. The same request, sent again within the day, is answered with the same one while the
    /// session is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// The session ends then, however much it is used; absent once it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<DateTime<Utc>>,
}

/// Signs in. An unknown address and a wrong password are one refusal, and the same work. Under an
/// `Idempotency-Key`, only what has succeeded is answered again.
#[utoipa::path(
    post, path = "/v1/sessions", tag = "sessions", request_body = SignInRequest,
    params(IdempotencyKey),
    responses((status = 201, body = SignInResponse)),
)]
async fn open(
    api: ApiData,
    caller: Caller,
    body: Body<SignInRequest>,
) -> Result<HttpResponse, Problem> {
    let (form, bytes) = body.read()?;
    Ok(form.sign_in(&api, &caller, bytes).await?.answer())
}

/// A session that was opened.
pub struct OpenedSession {
    session: SessionId,
    account: AccountId,
    kind: SessionKind,
    /// `None`: the same request opened it before, and it is over, or nobody knows its token any more.
    token: Option<BearerToken>,
    lasts: TimeDelta,
    expires_at: Option<DateTime<Utc>>,
    receipt: Receipt,
}

impl OpenedSession {
    /// The cookie of a browser's session.
    pub fn cookie(&self) -> Option<Cookie<'static>> {
        let token = self.token.as_ref().filter(|_| self.kind == SessionKind::Browser)?;
        Some(cookie(token.secret.expose_secret().to_owned(), self.lasts))
    }

    fn answer(self) -> HttpResponse {
        let mut answer = written(StatusCode::CREATED, &self.receipt);
        if let Some(cookie) = self.cookie() {
            answer.cookie(cookie);
        }
        let token = self.token.filter(|_| self.kind == SessionKind::Client);
        let response = SignInResponse {
            session_id: self.session.0,
            account_id: self.account.0,
            token: token.map(|token| token.secret.expose_secret().to_owned()),
            expires_at: self.expires_at,
        };
        of_account(self.account, answer.json(response))
    }
}

impl SignInRequest {
    /// Opens a session.
    ///
    /// # Errors
    /// The address or the password is wrong, or there are too many tries.
    pub async fn sign_in(
        self,
        api: &Api,
        caller: &Caller,
        bytes: Vec<u8>,
    ) -> Result<OpenedSession, Problem> {
        let email = self.email.to_look_up().canonical();
        api.limits.sign_in(caller.address, &email)?;
        let place = api.after_answer.place()?;
        // Each step is taken for nobody's address as well: what it costs does not tell whether somebody has it.
        let account = owner_of_typed(&api.app, &self.email).await?.unwrap_or(NOBODY);
        let loaded = api.app.executor.load::<Account>(account.into(), account.0).await?;
        let (credential, is_verified) = match &*loaded.state {
            Account::Live(live) => (Some(live.credential), live.email_verified),
            Account::Absent | Account::Ended { .. } => (None, false),
        };
        let checked = credential.unwrap_or(NO_CREDENTIAL);
        // By the network, and not by the address: how long it takes does not tell whether somebody has it.
        let queue = api.limits.hash_queue(caller.address);
        let fits = api.app.credentials.verify(account, checked, &self.password, queue).await?;
        let Some(credential) = credential.filter(|_| fits) else {
            let of = credential.map(|_| account);
            place.refused_sign_in(refused_sign_in(caller, of));
            return Err(refused());
        };
        api.limits.signed_in(caller.address, &email);
        if is_verified {
            api.limits.make_known(caller.address, account);
        }
        // Whoever else signs in from this network under the same key sends another command.
        let command = caller.command_about(account.0.as_bytes());
        let session = SessionId(derived(command, "session"));
        let checked = Checked { account, version: loaded.version, credential };
        let request = caller.request(account.into(), command, Some(account.into()), bytes);
        admit(api, caller, checked, (session, self.kind), &request).await
    }
}

fn refused() -> Problem {
    Problem::of(ProblemKind::SignInRefused)
}

fn refused_sign_in(caller: &Caller, of: Option<AccountId>) -> RefusedSignIn {
    let tenant = of.map_or(TenantId(STRANGERS), TenantId::from);
    let request = caller.request(tenant, caller.fresh_command(), None, Vec::new());
    RefusedSignIn { of, ip: caller.ip(), user_agent: caller.user_agent(), request }
}

/// An account whose password was checked.
struct Checked {
    account: AccountId,
    /// At which its state was read.
    version: i64,
    /// The hash that the password fits.
    credential: CredentialId,
}

async fn admit(
    api: &Api,
    caller: &Caller,
    Checked { account, version: account_version, credential }: Checked,
    (session, kind): (SessionId, SessionKind),
    request: &Request,
) -> Result<OpenedSession, Problem> {
    let tokens = SESSION.tokens(api, caller, request).await?;
    let config = &api.app.config;
    let opening = NewSession {
        session,
        account,
        account_version,
        kind,
        token: tokens.first().ok_or_else(refused)?.hash,
        idle: TimeDelta::minutes(config.session_idle_minutes.into()),
        absolute: TimeDelta::days(config.session_absolute_days.into()),
    };
    let token = open_row(api, caller, &opening, tokens).await?;
    failpoint!(SessionOpened);
    let (ip, user_agent) = (caller.ip(), caller.user_agent());
    let opens =
        SessionCommand::Open { account, kind, ip: ip.clone(), user_agent: user_agent.clone() };
    let succeeds = AccountCommand::SucceedLogin { credential, session, ip, user_agent };
    let steps = [Step::new::<Session>(session.0, opens), Step::new::<Account>(account.0, succeeds)];
    let outcome = api.app.executor.execute(request, &steps).await;
    if let (Err(error), Some(token)) = (&outcome, &token)
        && opens_nothing(caller, error)
    {
        api.app.sessions.take_back(session, &token.hash).await?;
    }
    let receipt = outcome?;
    // The session is open, also where this cannot be read.
    let live = match &token {
        Some(token) => if_read(api.app.sessions.find(token.secret.expose_secret())).await.flatten(),
        None => None,
    };
    let expires_at = live.map(|live| live.absolute_until);
    Ok(OpenedSession {
        session,
        account,
        kind,
        token,
        lasts: opening.absolute,
        expires_at,
        receipt,
    })
}

/// Writes the row of the session, unless the same request, on whatever node, has written it. `None`: it was
/// opened before, and is over, or nobody knows its token any more.
async fn open_row(
    api: &Api,
    caller: &Caller,
    opening: &NewSession,
    tokens: Vec<BearerToken>,
) -> Result<Option<BearerToken>, Problem> {
    if caller.may_repeat() {
        let (tenant, session) = (opening.account.into(), opening.session.0);
        // Before its row is looked for, which is there before the session is open: the same request may be under way.
        let was_opened = api.app.executor.load::<Session>(tenant, session).await?.version > 0;
        let at = standing(api, opening, &tokens).await?;
        if was_opened || at.is_some() {
            return Ok(at.and_then(|at| tokens.into_iter().nth(at)));
        }
    }
    if api.app.sessions.open(opening).await? {
        return Ok(tokens.into_iter().next());
    }
    if !caller.may_repeat() {
        return Err(refused());
    }
    // Another node may have written it since.
    if let Some(at) = standing(api, opening, &tokens).await? {
        return Ok(tokens.into_iter().nth(at));
    }
    // With another body, or days ago, it was another request. It may be going on; if it is long over it
    // was cut short, and has opened nothing.
    if api.app.sessions.take_over(opening, caller.now() - CUT_SHORT_AFTER).await? {
        return Ok(tokens.into_iter().next());
    }
    Err(ExecuteError::Reused.into())
}

/// Which of the tokens the row of the session has.
async fn standing(
    api: &Api,
    opening: &NewSession,
    tokens: &[BearerToken],
) -> Result<Option<usize>, Problem> {
    for (at, token) in tokens.iter().enumerate() {
        let found = api.app.sessions.find(token.secret.expose_secret()).await?;
        if found.is_some_and(|live| live.session == opening.session) {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// Whether the session will not be opened: not by the same request on another node either.
const fn opens_nothing(caller: &Caller, error: &ExecuteError) -> bool {
    match error {
        ExecuteError::Refused(_) | ExecuteError::Fenced => true,
        error => !caller.may_repeat() && !error.may_have_appended(),
    }
}

fn cookie(secret: String, lasts: TimeDelta) -> Cookie<'static> {
    Cookie::build(COOKIE, secret)
        .secure(true)
        .http_only(true)
        .same_site(SameSite::Lax)
        .path("/")
        .max_age(Duration::seconds(lasts.num_seconds()))
        .finish()
}
