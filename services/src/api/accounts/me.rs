//! One's own account: read, and put right.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use chrono::{DateTime, Utc};
use domain::AccountId;
use domain::account::{Account, AccountCommand};
use domain::privacy::{
    AccountEmail, AccountName, AccountUsername, EmailAddress, Field, PersonName, Personal, Username,
};
use infra::event_store::Step;
use infra::log::read_through;
use projections::accounts::{Account as Row, Accounts};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::auth::caller::Caller;
use crate::api::auth::path_resources::nothing;
use crate::api::auth::signed_in::SignedIn;
use crate::api::http::answer::{Read, at_version, shown_if_read};
use crate::api::http::body::Body;
use crate::api::http::fields::{Fields, FromFields, Patch, text};
use crate::api::http::position::MinPosition;
use crate::api::http::precondition::MustMatch;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::http::schemas;
use crate::api::{Api, ApiData};
use crate::unseal::Unsealer;

pub fn routes(routes: &mut Routes) {
    routes
        .add(__path_show, show)
        .refuses(&[ProblemKind::NotFound])
        .add(__path_rectify, rectify)
        .refuses(&[ProblemKind::ErasureRequested])
        .refuses_values(&[("", "nothing is put right"), ("/username", schemas::LOOKS_ALIKE)]);
}

#[derive(Serialize, ToSchema)]
pub struct Me {
    account_id: Uuid,
    #[schema(value_type = String, format = Email)]
    pub email: Option<EmailAddress>,
    pub email_verified: bool,
    /// The address that a link was sent to and that has not been proven yet: `GET /v1/me/email-change`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Email)]
    pending_email: Option<EmailAddress>,
    #[schema(value_type = String)]
    pub name: Option<PersonName>,
    #[schema(value_type = Option<String>)]
    pub username: Option<Username>,
    registered_at: DateTime<Utc>,
    /// The end of the grace, once an erasure has been requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erasure_due_at: Option<DateTime<Utc>>,
}

/// One's own account.
#[utoipa::path(
    get, path = "/v1/me", tag = "accounts",
    params(MinPosition),
    responses((status = 200, body = Me, headers(("ETag" = String)))),
)]
async fn show(
    api: ApiData,
    signed_in: SignedIn,
    least: MinPosition,
) -> Result<HttpResponse, Problem> {
    least.reached::<Accounts>(&api).await?;
    let row = account_row(&api, signed_in.account).await?;
    let view = view(&api, &row).await?;
    Ok(at_version(row.version, view))
}

/// The account as its person sees it.
pub async fn view(api: &Api, row: &Row) -> Result<Me, Problem> {
    let about = row.account_id;
    let person = Unsealer::of_account(&api.app.keyring.sealer, about);
    let email = row.email.as_deref();
    // Nothing is appended when the time of its link is over.
    let waits = row.pending_email_until.is_some_and(|until| api.app.clock.now() < until);
    let pending = row.pending_email.as_deref().filter(|_| waits);
    let (name, username) = (row.name.as_deref(), row.username.as_deref());
    Ok(Me {
        account_id: about.0,
        email: own::<AccountEmail>(&person, email).await?,
        email_verified: row.email_verified,
        pending_email: own::<AccountEmail>(&person, pending).await?,
        name: own::<AccountName>(&person, name).await?,
        username: own::<AccountUsername>(&person, username).await?,
        registered_at: row.registered_at,
        erasure_due_at: row.erasure_due,
    })
}

impl Me {
    /// As it is once it is registered.
    pub(super) const fn registered(
        (account, at): (AccountId, DateTime<Utc>),
        email: EmailAddress,
        name: PersonName,
        username: Option<Username>,
    ) -> Self {
        Self {
            account_id: account.0,
            email: Some(email),
            email_verified: false,
            pending_email: None,
            name: Some(name),
            username,
            registered_at: at,
            erasure_due_at: None,
        }
    }
}

/// The account with all that was done to it before the request.
pub async fn account_row(api: &Api, account: AccountId) -> Result<Row, Problem> {
    let row = read_through(&api.app.accounts, account, account.0).await?;
    row.ok_or_else(nothing)
}

/// The address that the account has now.
///
/// # Errors
/// There is no such account any more.
pub async fn address_of(api: &Api, account: AccountId) -> Result<EmailAddress, Problem> {
    let row = account_row(api, account).await?;
    let person = Unsealer::of_account(&api.app.keyring.sealer, account);
    own::<AccountEmail>(&person, row.email.as_deref()).await?.ok_or_else(nothing)
}

/// A field of the caller's own account. It is theirs to see: where it cannot be opened any more,
/// there is no account.
pub(super) async fn own<F: Field>(
    person: &Unsealer<'_>,
    column: Option<&[u8]>,
) -> Result<Option<F::Value>, Problem> {
    match column {
        Some(bytes) => Ok(Some(person.required::<F>(bytes).await?)),
        None => Ok(None),
    }
}

/// What is to be put right; what is absent stays, and null removes the username.
#[derive(ToSchema)]
#[schema(example = json!({ "name": "Ada King", "username": null }))]
pub struct RectifyRequest {
    #[schema(schema_with = schemas::person_name)]
    name: Option<PersonName>,
    #[schema(schema_with = schemas::username, required = false)]
    username: Patch<Username>,
}

impl FromFields for RectifyRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.replaced("name", text(PersonName::parse));
        let username = fields.patched("username", text(Username::parse));
        Some(Self { name: name?, username: username? })
    }
}

/// Corrects the name or the username; null removes the username.
#[utoipa::path(
    patch, path = "/v1/me", tag = "accounts", request_body = RectifyRequest,
    params(MustMatch),
    responses((status = 200, body = Me, headers(("ETag" = String), ("Lethe-Position" = String)))),
)]
async fn rectify(
    api: ApiData,
    signed_in: SignedIn,
    caller: Caller,
    matches: MustMatch,
    body: Body<RectifyRequest>,
) -> Result<HttpResponse, Problem> {
    let (form, bytes) = body.read()?;
    let commands = form.commands().into_iter();
    let steps = commands.map(|it| matches.0.on(Step::new::<Account>(signed_in.account.0, it)));
    let steps = steps.collect::<Result<Vec<_>, Problem>>()?;
    let request = signed_in.request(&caller, bytes);
    let receipt = api.app.executor.execute(&request, &steps).await?;
    Ok(shown_if_read(StatusCode::OK, &receipt, read(&api, signed_in.account)).await)
}

/// The account behind a write.
pub(super) async fn read(api: &Api, account: AccountId) -> Read<Me> {
    let row = account_row(api, account).await?;
    Ok((row.version, view(api, &row).await?))
}

impl RectifyRequest {
    fn commands(self) -> Vec<AccountCommand> {
        let name = self.name.map(Personal::Clear);
        let (username, removed) = match self.username {
            Patch::Keep => (None, None),
            Patch::Clear => (None, Some(AccountCommand::RemoveUsername)),
            Patch::Set(username) => (Some(Personal::Clear(username)), None),
        };
        // Without a field there is nothing to rectify, which the account says.
        let is_rectified = name.is_some() || username.is_some() || removed.is_none();
        let rectifies = is_rectified.then_some(AccountCommand::Rectify { name, username });
        rectifies.into_iter().chain(removed).collect()
    }
}
