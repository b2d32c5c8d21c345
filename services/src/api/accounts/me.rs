//! One's own account: read, and put right.

use actix_web::HttpResponse;
use actix_web::http::header;
use chrono::{DateTime, Utc};
use domain::account::{Account, AccountCommand};
use domain::privacy::{
    AccountEmail, AccountName, AccountUsername, EmailAddress, Field, PersonName, Personal, Username,
};
use infra::event_store::Step;
use projections::accounts::by_id;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::ApiData;
use crate::api::auth::caller::Caller;
use crate::api::auth::signed_in::SignedIn;
use crate::api::http::answer::done;
use crate::api::http::body::Body;
use crate::api::http::fields::{Fields, FromFields, text};
use crate::api::http::position::{MinPosition, not_yet};
use crate::api::http::precondition::{MustMatch, etag};
use crate::api::http::problem::Problem;
use crate::api::http::routes::Routes;
use crate::unseal::Unsealer;

pub fn routes(routes: &mut Routes) {
    routes.add(__path_show, show).add(__path_rectify, rectify);
}

#[derive(Serialize, ToSchema)]
pub struct Me {
    account_id: Uuid,
    #[schema(value_type = String, format = Email)]
    email: Option<EmailAddress>,
    email_verified: bool,
    /// The address that a link was sent to and that has not been proven yet: `GET /v1/me/email-change`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Email)]
    pending_email: Option<EmailAddress>,
    #[schema(value_type = String)]
    name: Option<PersonName>,
    #[schema(value_type = Option<String>)]
    username: Option<Username>,
    registered_at: DateTime<Utc>,
    /// The end of the grace, once an erasure has been requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    erasure_due: Option<DateTime<Utc>>,
}

/// One's own account, as the read side knows it.
#[utoipa::path(
    get, path = "/v1/me", tag = "accounts", security(("session" = [])),
    params(("Lethe-Min-Position" = Option<i64>, Header, minimum = 0)),
    responses((status = 200, body = Me, headers(("ETag" = String)))),
)]
async fn show(
    api: ApiData,
    signed_in: SignedIn,
    least: MinPosition,
) -> Result<HttpResponse, Problem> {
    least.reached::<projections::accounts::Accounts>(&api).await?;
    let about = signed_in.account;
    let row = by_id(&api.app.pool, about).await?.ok_or_else(not_yet)?;
    let person = Unsealer::of_account(&api.app.keyring.sealer, about);
    let email = row.email.as_deref();
    // Nothing is appended when the time of its link is over.
    let waits = row.pending_email_until.is_some_and(|until| api.app.clock.now() < until);
    let pending = row.pending_email.as_deref().filter(|_| waits);
    let (name, username) = (row.name.as_deref(), row.username.as_deref());
    let me = Me {
        account_id: about.0,
        email: own::<AccountEmail>(&person, email).await?,
        email_verified: row.email_verified,
        pending_email: own::<AccountEmail>(&person, pending).await?,
        name: own::<AccountName>(&person, name).await?,
        username: own::<AccountUsername>(&person, username).await?,
        registered_at: row.registered_at,
        erasure_due: row.erasure_due,
    };
    Ok(HttpResponse::Ok().insert_header((header::ETAG, etag(row.version))).json(me))
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

/// What is to be put right; what is absent stays.
#[derive(ToSchema)]
pub struct RectifyRequest {
    #[schema(
        value_type = Option<String>, max_length = 200, min_length = 1,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: Option<PersonName>,
    #[schema(
        value_type = Option<String>, max_length = 64, min_length = 1,
        pattern = r"^[\p{Alphabetic}\p{N}._-]+$"
    )]
    username: Option<Username>,
}

impl FromFields for RectifyRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let name = fields.optional("name", text(PersonName::parse));
        let username = fields.optional("username", text(Username::parse));
        Some(Self { name: name?, username: username? })
    }
}

/// Corrects the name or the username.
#[utoipa::path(
    patch, path = "/v1/me", tag = "accounts", request_body = RectifyRequest,
    security(("session" = [])), params(("If-Match" = String, Header)),
    responses((status = 204, headers(("ETag" = String), ("Lethe-Position" = i64)))),
)]
async fn rectify(
    api: ApiData,
    signed_in: SignedIn,
    caller: Caller,
    matches: MustMatch,
    body: Body<RectifyRequest>,
) -> Result<HttpResponse, Problem> {
    let (form, bytes) = body.read()?;
    let rectifies = AccountCommand::Rectify {
        name: form.name.map(Personal::Clear),
        username: form.username.map(Personal::Clear),
    };
    let step = matches.0.on(Step::new::<Account>(signed_in.account.0, rectifies))?;
    let request = signed_in.request(&caller, bytes);
    Ok(done(&api.app.executor.execute(&request, &[step]).await?))
}
