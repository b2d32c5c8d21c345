//! The password: changed by whoever knows it, reset by whoever gets the account's mail.

use actix_web::HttpResponse;
use chrono::TimeDelta;
use domain::account::{Account, AccountCommand, AccountError, LiveAccount};
use domain::privacy::EmailAddress;
use domain::session::{CloseReason, Session, SessionCommand};
use domain::{AccountId, CommandId, CredentialId, SessionId};
use infra::credentials::Password;
use infra::event_store::{ExecuteError, Loaded, Receipt, Request, Step};
use infra::ids::derived;
use infra::keyring::LinkPurpose;
use secrecy::SecretString;
use utoipa::ToSchema;

use crate::api::accounts::register::{Link, owner, proof};
use crate::api::auth::caller::Caller;
use crate::api::auth::signed_in::SignedIn;
use crate::api::http::answer::done;
use crate::api::http::body::Body;
use crate::api::http::fields::{Fields, FromFields, password, secret, text};
use crate::api::http::precondition::MustMatch;
use crate::api::http::problem::{Problem, ProblemKind, ProblemView};
use crate::api::http::routes::Routes;
use crate::api::{Api, ApiData};

const RESET: TimeDelta = TimeDelta::hours(1);

pub fn routes(routes: &mut Routes) {
    routes.add(__path_change, change).add(__path_ask, ask).add(__path_reset, reset);
}

/// What a registered account stands at.
///
/// # Errors
/// None is there, or it has been erased.
pub fn live(loaded: &Loaded<Account>) -> Result<&LiveAccount, Problem> {
    match &*loaded.state {
        Account::Live(live) => Ok(live),
        Account::Absent | Account::Ended { .. } => Err(AccountError::Unknown.into()),
    }
}

/// Asks for the password once more, before what a stolen session should not be able to do.
///
/// # Errors
/// Another password, or too many of them.
pub async fn step_up(
    api: &Api,
    account: AccountId,
    password: &SecretString,
) -> Result<Loaded<Account>, Problem> {
    api.limits.step_up(account)?;
    let loaded = api.app.executor.load::<Account>(account.into(), account.0).await?;
    let credential = live(&loaded)?.credential;
    if api.app.credentials.verify(account, credential, password).await? {
        Ok(loaded)
    } else {
        Err(Problem::of(ProblemKind::PasswordWrong))
    }
}

#[derive(ToSchema)]
pub struct ChangePasswordRequest {
    #[schema(value_type = String, format = Password, min_length = 1)]
    current: SecretString,
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 1024)]
    new: Password,
}

impl FromFields for ChangePasswordRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let current = fields.required("current", secret);
        let new = fields.required("new", password);
        Some(Self { current: current?, new: new? })
    }
}

/// Changes the password, and signs out everywhere else.
#[utoipa::path(
    put, path = "/v1/me/password", tag = "accounts", request_body = ChangePasswordRequest,
    security(("session" = [])), params(("If-Match" = String, Header)),
    responses((status = 204, headers(("ETag" = String), ("Lethe-Position" = i64)))),
)]
async fn change(
    api: ApiData,
    signed_in: SignedIn,
    caller: Caller,
    matches: MustMatch,
    body: Body<ChangePasswordRequest>,
) -> Result<HttpResponse, Problem> {
    let (form, bytes) = body.read()?;
    let account = signed_in.account;
    let standing = step_up(&api, account, &form.current).await?;
    matches.0.check(standing.version)?;
    let request = signed_in.request(&caller, bytes);
    let credential = keep(&api, account, request.command, form.new).await?;
    let step = Step::new::<Account>(account.0, AccountCommand::ChangePassword { credential });
    let step = matches.0.on(step)?;
    let receipt = replace(&api, &request, step, credential).await?;
    let reason = CloseReason::PasswordChanged;
    sign_out(&api, account, Some(signed_in.session), (&request, &receipt), reason).await;
    Ok(done(&receipt))
}

#[derive(ToSchema)]
pub struct ForgottenPasswordRequest {
    #[schema(
        value_type = String, format = Email, min_length = 3, max_length = 254,
        pattern = r"^[^\s@]+@[^\s@]+\.[^\s@]+$"
    )]
    email: EmailAddress,
}

impl FromFields for ForgottenPasswordRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email", text(EmailAddress::parse));
        Some(Self { email: email? })
    }
}

/// Mails a link to choose another password; the answer is the same when nobody has the address.
#[utoipa::path(
    post, path = "/v1/password-resets", tag = "accounts", request_body = ForgottenPasswordRequest,
    params(("Idempotency-Key" = Option<String>, Header, min_length = 16, max_length = 128,
            pattern = r"^[!-~]+$")),
    responses((status = 202)),
)]
async fn ask(
    api: ApiData,
    caller: Caller,
    body: Body<ForgottenPasswordRequest>,
) -> Result<HttpResponse, Problem> {
    let (form, bytes) = body.read()?;
    api.limits.mail(caller.address, form.email.folded())?;
    // Neither a position nor a refusal may tell whether there was somebody to mail to.
    if let Some(account) = owner(&api, &form.email).await? {
        let command = caller.command(None);
        let request = caller.request(account.into(), command, None, bytes);
        let asks = AccountCommand::RequestPasswordReset { proof: proof(&api, command, RESET) };
        let step = Step::new::<Account>(account.0, asks);
        match api.app.executor.execute(&request, &[step]).await {
            Ok(_) | Err(ExecuteError::Refused(_) | ExecuteError::Fenced | ExecuteError::Reused) => {
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(HttpResponse::Accepted().finish())
}

#[derive(ToSchema)]
pub struct ResetPasswordRequest {
    /// The secret of the link.
    #[schema(min_length = 1)]
    token: String,
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 1024)]
    password: Password,
}

impl FromFields for ResetPasswordRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let token = Link::token(fields);
        let password = fields.required("password", password);
        Some(Self { token: token?, password: password? })
    }
}

/// Chooses another password by the link that was mailed, and signs out everywhere.
#[utoipa::path(
    post, path = "/v1/password-resets/completions", tag = "accounts",
    request_body = ResetPasswordRequest,
    params(("Idempotency-Key" = Option<String>, Header, min_length = 16, max_length = 128,
            pattern = r"^[!-~]+$")),
    responses((status = 204), (status = 410, body = ProblemView)),
)]
async fn reset(
    api: ApiData,
    caller: Caller,
    body: Body<ResetPasswordRequest>,
) -> Result<HttpResponse, Problem> {
    let (form, bytes) = body.read()?;
    let link = Link::new(form.token);
    let (account, proof) = link.follow(&api, LinkPurpose::ResetPassword).await?;
    let actor = Some(account.into());
    let request = caller.request(account.into(), caller.command(actor), actor, bytes);
    let credential = keep(&api, account, request.command, form.password).await?;
    let resets = AccountCommand::ResetPassword { proof, credential, now: api.app.clock.now() };
    let step = Step::new::<Account>(account.0, resets);
    let receipt = replace(&api, &request, step, credential).await?;
    sign_out(&api, account, None, (&request, &receipt), CloseReason::PasswordChanged).await;
    Ok(done(&receipt))
}

/// The hash stands before the event that names it.
async fn keep(
    api: &Api,
    account: AccountId,
    command: CommandId,
    password: Password,
) -> Result<CredentialId, Problem> {
    let credential = CredentialId(derived(command, "credential"));
    let hash = api.app.credentials.hash(password).await?;
    api.app.credentials.insert(account, credential, &hash).await?;
    Ok(credential)
}

/// Appends the change; a hash whose event is refused goes again.
async fn replace(
    api: &Api,
    request: &Request,
    step: Step,
    credential: CredentialId,
) -> Result<Receipt, Problem> {
    match api.app.executor.execute(request, &[step]).await {
        Ok(receipt) => Ok(receipt),
        Err(error @ (ExecuteError::Refused(_) | ExecuteError::Stale { .. })) => {
            api.app.credentials.delete(credential).await?;
            Err(error.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Closes the account's other sessions because of a command, which is done by now: what fails here
/// is left to the session closer.
pub async fn sign_out(
    api: &Api,
    account: AccountId,
    except: Option<SessionId>,
    (request, receipt): (&Request, &Receipt),
    reason: CloseReason,
) {
    let cause = receipt.first_of(account.0).map(|event| event.id);
    let ended = async {
        let closed = api.app.sessions.close_all(account, except, reason, cause).await?;
        if closed.is_empty() {
            return Ok(());
        }
        let end =
            |session: &SessionId| Step::new::<Session>(session.0, SessionCommand::Close { reason });
        let steps: Vec<Step> = closed.iter().map(end).collect();
        let close = Request {
            tenant: account.into(),
            command: CommandId(derived(request.command, "close")),
            body: None,
            causation: cause,
            reservations: Vec::new(),
            ..request.clone()
        };
        api.app.executor.execute(&close, &steps).await?;
        Ok::<_, Problem>(api.app.sessions.closed(&closed).await?)
    };
    if let Err(problem) = ended.await {
        tracing::warn!(%problem, "sessions were not closed at once: the session closer does it");
    }
}
