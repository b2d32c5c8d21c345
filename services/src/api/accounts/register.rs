//! Registering, and following the link that proves the address.

use actix_web::HttpResponse;
use domain::AccountId;
use domain::account::{Account, AccountCommand};
use domain::privacy::{EmailAddress, PersonName, Username};
use infra::credentials::Password;
use infra::event_store::{ExecuteError, Receipt, Step};
use infra::keyring::LinkPurpose;
use utoipa::ToSchema;

use crate::api::accounts::link::{ByLink, LinkRequest, over_with_account};
use crate::api::accounts::me::{Me, account_row};
use crate::api::auth::caller::Caller;
use crate::api::auth::signed_in::SignedIn;
use crate::api::http::answer::{accepted, created_if_read, done, of_account};
use crate::api::http::body::Body;
use crate::api::http::fields::{Fields, FromFields, Nothing, password, text};
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::http::schemas;
use crate::api::{Api, ApiData};
use crate::operations::links::{VERIFICATION, proof};
use crate::operations::register::{RegisterError, Registration, account_of};

pub fn routes(routes: &mut Routes) {
    routes
        .add(__path_register, register)
        .refuses(&[ProblemKind::AddressTaken])
        .refuses_values(&[
            ("/email", schemas::LOOKS_ALIKE),
            ("/username", schemas::LOOKS_ALIKE),
            ("/password", schemas::WELL_KNOWN),
        ])
        .add(__path_verify, verify)
        .refuses(&[
            ProblemKind::AlreadyDone,
            ProblemKind::ErasureRequested,
            ProblemKind::LinkInvalid,
            ProblemKind::LinkGone,
            ProblemKind::Refused,
        ])
        .add(__path_send_again, send_again)
        .refuses(&[ProblemKind::AlreadyDone, ProblemKind::ErasureRequested]);
}

#[derive(ToSchema)]
#[schema(example = json!({ "email": "ada@example.org", "name": "Ada Lovelace", "username": "ada.l", "password": "correct horse battery" }))]
pub struct RegisterRequest {
    #[schema(schema_with = schemas::email)]
    email: EmailAddress,
    #[schema(schema_with = schemas::person_name)]
    name: PersonName,
    #[schema(schema_with = schemas::username)]
    username: Option<Username>,
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 1024)]
    password: Password,
}

impl FromFields for RegisterRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email", text(EmailAddress::parse));
        let name = fields.required("name", text(PersonName::parse));
        let username = fields.optional("username", text(Username::parse));
        let password = fields.required("password", password);
        Some(Self { email: email?, name: name?, username: username?, password: password? })
    }
}

/// Registers a person, and mails a link that proves the address.
#[utoipa::path(
    post, path = "/v1/accounts", tag = "accounts", request_body = RegisterRequest,
    params(IdempotencyKey),
    responses(
        (status = 201, body = Me),
    ),
)]
async fn register(
    api: ApiData,
    caller: Caller,
    body: Body<RegisterRequest>,
) -> Result<HttpResponse, Problem> {
    let (form, bytes) = body.read()?;
    let shown: Sent = (form.email.clone(), form.name.clone(), form.username.clone());
    let (account, receipt) = form.register(&api, &caller, bytes).await?;
    Ok(registered(&api, (account, &receipt), shown).await)
}

impl RegisterRequest {
    /// Registers the person, unless the same request has done so.
    ///
    /// # Errors
    /// The address is taken, or there are too many registrations.
    pub async fn register(
        self,
        api: &Api,
        caller: &Caller,
        bytes: Vec<u8>,
    ) -> Result<(AccountId, Receipt), Problem> {
        api.limits.registration(caller.address)?;
        if let Some(registered) = registered_before(api, caller, &bytes).await? {
            return Ok(registered);
        }
        let command = caller.command(None);
        let account = account_of(command);
        let request = caller.request(account.into(), command, Some(account.into()), bytes);
        let Self { email, name, username, password } = self;
        let registration = Registration { email, name, username, password };
        Ok((account, registration.execute(&api.app, request).await?))
    }
}

/// What was sent, and no more: whoever repeats the request need not be signed in.
type Sent = (EmailAddress, PersonName, Option<Username>);

async fn registered(
    api: &Api,
    (account, receipt): (AccountId, &Receipt),
    (email, name, username): Sent,
) -> HttpResponse {
    let read = async {
        let registered_at = account_row(api, account).await?.registered_at;
        let me = Me::registered((account, registered_at), email, name, username);
        Ok((receipt.version(), me))
    };
    of_account(account, created_if_read("/v1/me".to_owned(), receipt, read).await)
}

/// What a node of a former version has done for the same request.
async fn registered_before(
    api: &Api,
    caller: &Caller,
    bytes: &[u8],
) -> Result<Option<(AccountId, Receipt)>, Problem> {
    let Some(command) = caller.former_command() else { return Ok(None) };
    let account = account_of(command);
    let request = caller.request(account.into(), command, Some(account.into()), bytes.to_vec());
    match api.app.executor.find_earlier(&request).await {
        Ok(earlier) => Ok(earlier.map(|receipt| (account, receipt))),
        // Another request, of somebody in another network.
        Err(ExecuteError::Reused) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::AddressTaken => Self::of(ProblemKind::AddressTaken),
            RegisterError::Address(error) => error.into(),
            RegisterError::SetPassword(error) => error.into(),
            RegisterError::Execute(error) => error.into(),
        }
    }
}

/// Proves an address by the link that was mailed to it.
#[utoipa::path(
    post, path = "/v1/email-verifications", tag = "accounts", request_body = LinkRequest,
    params(IdempotencyKey),
    responses((status = 204)),
)]
async fn verify(
    api: ApiData,
    caller: Caller,
    body: Body<LinkRequest>,
) -> Result<HttpResponse, Problem> {
    let (link, bytes) = body.read()?;
    let (account, receipt) = verify_by(&link, &api, &caller, bytes).await?;
    Ok(of_account(account, done(&receipt)))
}

/// What following the link does.
pub const VERIFIES: ByLink = ByLink {
    purpose: LinkPurpose::VerifyEmail,
    command: |proof, now| AccountCommand::VerifyEmail { proof, now },
};

/// Proves the address that the link was mailed to.
///
/// # Errors
/// The link is used, replaced or over.
pub async fn verify_by(
    link: &LinkRequest,
    api: &Api,
    caller: &Caller,
    bytes: Vec<u8>,
) -> Result<(AccountId, Receipt), Problem> {
    let (account, verifies) = link.follow(api, &VERIFIES).await?;
    let actor = Some(account.into());
    let request = caller.request(account.into(), caller.command(actor), actor, bytes);
    let step = Step::new::<Account>(account.0, verifies);
    let outcome = api.app.executor.execute(&request, &[step]).await;
    Ok((account, outcome.map_err(|error| over_with_account(error.into()))?))
}

/// Mails the link again; the earlier one no longer works.
#[utoipa::path(
    post, path = "/v1/me/email-verification", tag = "accounts",
    params(IdempotencyKey),
    responses((status = 202)),
)]
async fn send_again(
    api: ApiData,
    signed_in: SignedIn,
    caller: Caller,
    body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    let (Nothing, bytes) = body.read()?;
    Ok(accepted(&mail_again(&api, &signed_in, &caller, bytes).await?))
}

/// Mails another link to the address of whoever is signed in.
///
/// # Errors
/// The address is verified already, or there are too many mails.
pub async fn mail_again(
    api: &Api,
    signed_in: &SignedIn,
    caller: &Caller,
    bytes: Vec<u8>,
) -> Result<Receipt, Problem> {
    api.limits.mail(caller.address, signed_in.account)?;
    let request = signed_in.request(caller, bytes);
    let verification = proof(&api.app, request.command, VERIFICATION);
    let command = AccountCommand::RequestVerification { verification };
    let step = Step::new::<Account>(signed_in.account.0, command);
    Ok(api.app.executor.execute(&request, &[step]).await?)
}
