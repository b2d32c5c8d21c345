//! The password: changed by the person who knows it, reset by the person who gets the mail.

use actix_web::HttpResponse;
use domain::account::{Account, AccountCommand};
use domain::privacy::TypedAddress;
use domain::{AccountId, CredentialId, ProofId};
use infra::credentials::Password;
use infra::event_store::{Receipt, Step};
use infra::keyring::LinkPurpose;
use secrecy::SecretString;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::accounts::link::{ByLink, LinkRequest, over_with_account};
use crate::api::accounts::own_tokens::{self, OwnTokens};
use crate::api::auth::caller::Caller;
use crate::api::auth::signed_in::SignedIn;
use crate::api::auth::step_up::step_up;
use crate::api::http::answer::{done, of_account};
use crate::api::http::body::Body;
use crate::api::http::fields::{Fields, FromFields, flag, password, secret, text};
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::precondition::MustMatch;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::http::schemas;
use crate::api::{Api, ApiData};
use crate::operations::email_addresses::owner_of_typed;
use crate::operations::links::{PASSWORD_RESET, proof};
use crate::operations::set_password::{SetPassword, SetPasswordError, repeat};

pub fn routes(routes: &mut Routes) {
    routes
        .add(__path_change, change)
        .refuses(&[ProblemKind::PasswordWrong, ProblemKind::ErasureRequested])
        .refuses_values(&[("/new", schemas::WELL_KNOWN)])
        .add(__path_request_reset, request_reset)
        .add(__path_reset, reset)
        .refuses(&[ProblemKind::LinkInvalid, ProblemKind::LinkGone])
        .refuses_values(&[("/password", schemas::WELL_KNOWN)]);
}

#[derive(ToSchema)]
#[schema(example = json!({ "current": "correct horse battery", "new": "battery horse correct" }))]
pub struct ChangePasswordRequest {
    #[schema(value_type = String, format = Password, min_length = 1)]
    current: SecretString,
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 1024)]
    new: Password,
    /// The API tokens that act for the account end, too, unless this is true: the answer then lists
    /// them.
    #[schema(required = false)]
    keep_api_tokens: bool,
}

impl FromFields for ChangePasswordRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let current = fields.required("current", secret);
        let new = fields.required("new", password);
        let keep = fields.optional("keep_api_tokens", flag);
        let keep_api_tokens = keep?.unwrap_or(false);
        Some(Self { current: current?, new: new?, keep_api_tokens })
    }
}

/// Changes the password, signs out everywhere else, and ends the API tokens. A change of the address
/// that waits ends with it.
#[utoipa::path(
    put, path = "/v1/me/password", tag = "accounts", request_body = ChangePasswordRequest,
    params(MustMatch),
    responses((status = 204, headers(("ETag" = String), ("Lethe-Position" = String))),
        (status = 200, description = "The tokens that stay", body = OwnTokens,
            headers(("ETag" = String), ("Lethe-Position" = String)))),
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
    let mut request = signed_in.request(&caller, bytes);
    let keep_api_tokens = form.keep_api_tokens;
    let changes = |credential| AccountCommand::ChangePassword { credential, keep_api_tokens };
    // The password that a repeated request sends is not the current one any more.
    if let Some(earlier) = api.app.executor.find_earlier(&request).await? {
        let planned = changes(CredentialId(Uuid::nil()));
        repeat(&api.app, (account, &planned), (&request, &earlier)).await?;
        return Ok(own_tokens::answer(&api, account, &earlier, keep_api_tokens).await);
    }
    let loaded = step_up(&api, &mut request, account, &form.current).await?;
    let (except, expected) = (Some(signed_in.session), matches.0.matched(loaded.version)?);
    let set = SetPassword { account, password: form.new, except, expected };
    let receipt = set.execute(&api.app, &request, changes).await?;
    Ok(own_tokens::answer(&api, account, &receipt, keep_api_tokens).await)
}

#[derive(ToSchema)]
#[schema(example = json!({ "email": "ada@example.org" }))]
pub struct ForgottenPasswordRequest {
    #[schema(schema_with = schemas::typed_email)]
    email: TypedAddress,
}

impl FromFields for ForgottenPasswordRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email", text(TypedAddress::parse));
        Some(Self { email: email? })
    }
}

/// Mails a link to choose another password; the answer is the same when nobody has the address.
#[utoipa::path(
    post, path = "/v1/password-resets", tag = "accounts", request_body = ForgottenPasswordRequest,
    params(IdempotencyKey),
    responses((status = 202)),
)]
async fn request_reset(
    api: ApiData,
    caller: Caller,
    body: Body<ForgottenPasswordRequest>,
) -> Result<HttpResponse, Problem> {
    let (form, bytes) = body.read()?;
    form.mail(&api, &caller, bytes).await?;
    Ok(HttpResponse::Accepted().finish())
}

impl ForgottenPasswordRequest {
    /// Mails a link to the address, if anybody has it.
    ///
    /// # Errors
    /// Too many mails; neither a position nor a refusal nor the time shows whether there was somebody to mail to.
    pub async fn mail(self, api: &Api, caller: &Caller, bytes: Vec<u8>) -> Result<(), Problem> {
        api.limits.mail(caller.address, self.email.to_look_up().canonical())?;
        let place = api.after_answer.place()?;
        if let Some(account) = owner_of_typed(&api.app, &self.email).await? {
            let command = caller.command(None);
            let request = caller.request(account.into(), command, None, bytes);
            let proof = proof(&api.app, command, PASSWORD_RESET);
            let resets = AccountCommand::RequestPasswordReset { proof };
            place.append(request, Step::new::<Account>(account.0, resets));
        }
        Ok(())
    }
}

#[derive(ToSchema)]
#[schema(example = json!({ "token": "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_", "password": "battery horse correct" }))]
pub struct ResetPasswordRequest {
    /// The secret of the link.
    #[schema(min_length = 1)]
    token: String,
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 1024)]
    password: Password,
}

impl FromFields for ResetPasswordRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let token = LinkRequest::token(fields);
        let password = fields.required("password", password);
        Some(Self { token: token?, password: password? })
    }
}

/// Chooses another password by the link that was mailed: signs out everywhere, ends the API tokens, and
/// proves the address. Also possible while an erasure waits.
#[utoipa::path(
    post, path = "/v1/password-resets/completions", tag = "accounts",
    request_body = ResetPasswordRequest,
    params(IdempotencyKey),
    responses((status = 204)),
)]
async fn reset(
    api: ApiData,
    caller: Caller,
    body: Body<ResetPasswordRequest>,
) -> Result<HttpResponse, Problem> {
    let (form, bytes) = body.read()?;
    let (account, receipt) = form.reset(&api, &caller, bytes).await?;
    Ok(of_account(account, done(&receipt)))
}

/// What following the link does, but for the password.
pub const RESETS: ByLink = ByLink {
    purpose: LinkPurpose::ResetPassword,
    command: |proof, now| AccountCommand::ResetPassword {
        proof,
        credential: CredentialId(Uuid::nil()),
        now,
    },
};

impl ResetPasswordRequest {
    /// Sets the password, by the link.
    ///
    /// # Errors
    /// The link is used, replaced or over, or there are too many tries.
    pub async fn reset(
        self,
        api: &Api,
        caller: &Caller,
        bytes: Vec<u8>,
    ) -> Result<(AccountId, Receipt), Problem> {
        api.limits.link(caller.address)?;
        let (of, id) = LinkRequest::new(self.token).subject(api, RESETS.purpose).await?;
        let (account, proof) = (AccountId(of.0), ProofId(id.0));
        let actor = Some(account.into());
        let request = caller.request(account.into(), caller.command(actor), actor, bytes);
        let now = api.app.clock.now();
        let resets = |credential| AccountCommand::ResetPassword { proof, credential, now };
        let set = SetPassword { account, password: self.password, except: None, expected: None };
        let outcome = set.execute(&api.app, &request, resets).await;
        Ok((account, outcome.map_err(|error| over_with_account(error.into()))?))
    }
}

impl From<SetPasswordError> for Problem {
    fn from(error: SetPasswordError) -> Self {
        match error {
            SetPasswordError::Credentials(error) => error.into(),
            SetPasswordError::Load(error) => error.into(),
            SetPasswordError::Execute(error) => error.into(),
            SetPasswordError::Feed(error) => error.into(),
        }
    }
}
