//! Another e-mail address: requested by the person, proven by the link that is mailed there.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use domain::AccountId;
use domain::account::{Account, AccountCommand, AccountError};
use domain::privacy::{AccountEmail, EmailAddress, Personal};
use infra::event_store::{Receipt, ReservationChange, Step};
use infra::keyring::LinkPurpose;
use secrecy::SecretString;
use utoipa::ToSchema;

use crate::api::accounts::email_change::{EmailChangeView, waiting};
use crate::api::accounts::link::{ByLink, LinkRequest, over_with_account};
use crate::api::accounts::me::{Me, account_row, read};
use crate::api::auth::caller::Caller;
use crate::api::auth::signed_in::SignedIn;
use crate::api::auth::step_up::{has_email, live_account, step_up};
use crate::api::http::answer::{done, of_account, shown_if_read};
use crate::api::http::body::Body;
use crate::api::http::fields::{Fields, FromFields, secret, text};
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::precondition::MustMatch;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::http::schemas;
use crate::api::{Api, ApiData};
use crate::operations::email_addresses::{owner, reserve, reserve_instead};
use crate::operations::links::{EMAIL_CHANGE, proof};
use crate::unseal::Unsealer;

pub fn routes(routes: &mut Routes) {
    routes
        .add(__path_change, change)
        .refuses(&[
            ProblemKind::AddressTaken,
            ProblemKind::ErasureRequested,
            ProblemKind::PasswordWrong,
            ProblemKind::Refused,
        ])
        .refuses_values(&[("/email", "this could be taken for another one, or is the current one")])
        .add(__path_confirm, confirm)
        .refuses(&[
            ProblemKind::ErasureRequested,
            ProblemKind::AddressTaken,
            ProblemKind::LinkInvalid,
            ProblemKind::LinkGone,
            ProblemKind::Refused,
        ]);
}

#[derive(ToSchema)]
#[schema(example = json!({ "email": "ada.king@example.org", "password": "correct horse battery" }))]
pub struct ChangeEmailRequest {
    #[schema(schema_with = schemas::email)]
    email: EmailAddress,
    /// The account's password, once more.
    #[schema(value_type = String, format = Password, min_length = 1)]
    password: SecretString,
}

impl FromFields for ChangeEmailRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email", text(EmailAddress::parse));
        let password = fields.required("password", secret);
        Some(Self { email: email?, password: password? })
    }
}

/// Requests another address. It changes once the link that is mailed there is followed; the current one
/// gets a mail. A new password, or a request for erasure, ends the change. Another spelling of the address
/// that one has, such as in its case, changes at once.
#[utoipa::path(
    put, path = "/v1/me/email", tag = "accounts", request_body = ChangeEmailRequest,
    params(MustMatch),
    responses((status = 202, body = EmailChangeView,
            headers(("ETag" = String), ("Lethe-Position" = String))),
        (status = 200, description = "The spelling has changed", body = Me,
            headers(("ETag" = String), ("Lethe-Position" = String)))),
)]
async fn change(
    api: ApiData,
    signed_in: SignedIn,
    caller: Caller,
    matches: MustMatch,
    body: Body<ChangeEmailRequest>,
) -> Result<HttpResponse, Problem> {
    let (form, bytes) = body.read()?;
    let mut request = signed_in.request(&caller, bytes);
    let account = step_up(&api, &mut request, signed_in.account, &form.password).await?;
    matches.0.check(account.version)?;
    api.limits.mail(caller.address, form.email.canonical())?;
    let live = live_account(&account)?;
    let person = Unsealer::of_account(&api.app.keyring.sealer, signed_in.account);
    let current = person.required::<AccountEmail>(&live.email).await?;
    if form.email == current {
        return Err(Problem::field("email", "the account has this address already"));
    }
    if form.email.canonical() == current.canonical() && live.email_verified {
        request.reservations = reserve(&api.app, &form.email, signed_in.account).await?;
        request.guards.push(has_email(signed_in.account, live));
        let command = AccountCommand::RespellEmail { email: Personal::Clear(form.email) };
        let step = matches.0.on(Step::new::<Account>(signed_in.account.0, command))?;
        let receipt = api.app.executor.execute(&request, &[step]).await?;
        return Ok(shown_if_read(StatusCode::OK, &receipt, read(&api, signed_in.account)).await);
    }
    if owner(&api.app, &form.email).await?.is_some_and(|owner| owner != signed_in.account) {
        return Err(Problem::of(ProblemKind::AddressTaken));
    }
    let command = AccountCommand::RequestEmailChange {
        email: Personal::Clear(form.email),
        verification: proof(&api.app, request.command, EMAIL_CHANGE),
    };
    let step = matches.0.on(Step::new::<Account>(signed_in.account.0, command))?;
    let receipt = api.app.executor.execute(&request, &[step]).await?;
    let read = async {
        let row = account_row(&api, signed_in.account).await?;
        Ok((row.version, waiting(&api, &row).await?))
    };
    Ok(shown_if_read(StatusCode::ACCEPTED, &receipt, read).await)
}

/// Changes the address, by the link that was mailed to it.
#[utoipa::path(
    post, path = "/v1/email-changes", tag = "accounts", request_body = LinkRequest,
    params(IdempotencyKey),
    responses((status = 204)),
)]
async fn confirm(
    api: ApiData,
    caller: Caller,
    body: Body<LinkRequest>,
) -> Result<HttpResponse, Problem> {
    let (link, bytes) = body.read()?;
    let (account, receipt) = confirm_by(&link, &api, &caller, bytes).await?;
    Ok(of_account(account, done(&receipt)))
}

/// What following the link does.
pub const CONFIRMS: ByLink = ByLink {
    purpose: LinkPurpose::ChangeEmail,
    command: |proof, now| AccountCommand::ConfirmEmailChange { proof, now },
};

/// Changes the address to the one that the link was mailed to.
///
/// # Errors
/// The link is used, replaced or over, or the address is taken by now.
pub async fn confirm_by(
    link: &LinkRequest,
    api: &Api,
    caller: &Caller,
    bytes: Vec<u8>,
) -> Result<(AccountId, Receipt), Problem> {
    let (account, confirms) = link.follow(api, &CONFIRMS).await?;
    let actor = Some(account.into());
    let mut request = caller.request(account.into(), caller.command(actor), actor, bytes);
    request.reservations = moved(api, account).await.map_err(over_with_account)?;
    let step = Step::new::<Account>(account.0, confirms);
    let outcome = api.app.executor.execute(&request, &[step]).await;
    Ok((account, outcome.map_err(|error| over_with_account(error.into()))?))
}

/// The address that the account is to have once its link is followed.
///
/// # Errors
/// No change of address waits.
pub async fn requested_address(api: &Api, account: AccountId) -> Result<EmailAddress, Problem> {
    let loaded = api.app.executor.load::<Account>(account.into(), account.0).await?;
    let change = live_account(&loaded)?.proofs.email_change.as_ref();
    let change = change.ok_or(AccountError::NoEmailChange)?;
    let person = Unsealer::of_account(&api.app.keyring.sealer, account);
    Ok(person.required::<AccountEmail>(&change.email).await?)
}

/// Reserves the requested address, and releases the one until now.
async fn moved(api: &Api, account: AccountId) -> Result<Vec<ReservationChange>, Problem> {
    let loaded = api.app.executor.load::<Account>(account.into(), account.0).await?;
    let live = live_account(&loaded)?;
    let Some(change) = &live.proofs.email_change else { return Ok(vec![]) };
    let person = Unsealer::of_account(&api.app.keyring.sealer, account);
    let to = person.required::<AccountEmail>(&change.email).await?;
    let until_now = person.required::<AccountEmail>(&live.email).await?;
    Ok(reserve_instead(&api.app, &to, Some(&until_now), account).await?)
}
