//! Who signed in to one's account, and who tried to.

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use domain::account::AccountEvent;
use domain::privacy::{Field, LoginIp, LoginUserAgent, sealed_bytes};
use infra::log::{Feed, Recorded};
use infra::postgres::PgError;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::auth::signed_in::SignedIn;
use crate::api::http::body::Query;
use crate::api::http::cursor::Page;
use crate::api::http::fields::{Fields, parsed};
use crate::api::http::listing::{ListFilter, Listing, Order};
use crate::api::http::problem::Problem;
use crate::api::http::routes::Routes;
use crate::api::{Api, ApiData};
use crate::unseal::Unsealer;

const TYPES: &[&str] =
    &["account.login_succeeded", "account.login_failed", "account.logins_failed"];
const SUCCEEDED: &[&str] = &["account.login_succeeded"];
const FAILED: &[&str] = &["account.login_failed", "account.logins_failed"];

pub fn routes(routes: &mut Routes) {
    routes.add(__path_list, list);
}

#[derive(Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SignInFilter {
    /// Those that opened a session, or those that were refused.
    succeeded: Option<bool>,
}

type SignInListing = Listing<SignInFilter>;

impl ListFilter for SignInFilter {
    const ORDERS: &'static [Order] = &[Order::Newest];

    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { succeeded: fields.optional("succeeded", parsed("true or false"))? })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = SignIn)]
pub struct SignInView {
    #[serde(skip)]
    position: i64,
    /// Of several, when the last one came.
    attempted_at: DateTime<Utc>,
    /// Otherwise the password was wrong.
    succeeded: bool,
    /// 1; of an hour with many that were refused, how many more than those that are listed one by one.
    attempts: u64,
    /// Of several, when the first one came.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_attempted_at: Option<DateTime<Utc>>,
    /// The session that was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<Uuid>,
    /// Absent once its period is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    ip: Option<<LoginIp as Field>::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    user_agent: Option<<LoginUserAgent as Field>::Value>,
}

/// Sign-ins to one's account, those too that were refused for a wrong password, the newest first.
#[utoipa::path(
    get, path = "/v1/me/sign-ins", tag = "accounts", params(SignInListing),
    responses((status = 200, body = Page<SignInView>)),
)]
async fn list(
    api: ApiData,
    signed_in: SignedIn,
    query: Query<SignInListing>,
) -> Result<HttpResponse, Problem> {
    let Query(listing) = query;
    let cursors = listing.cursors(&api, signed_in.tenant(), "/v1/me/sign-ins")?;
    let before = listing.after(&cursors).await?.unwrap_or(i64::MAX);
    let (limit, SignInFilter { succeeded }) = (listing.limit, &listing.filter);
    let client = api.app.pool.get().await.map_err(PgError::from)?;
    let types = succeeded.map_or(TYPES, |succeeded| if succeeded { SUCCEEDED } else { FAILED });
    let of = (signed_in.account.0, types);
    let events = Feed::newest_of(&client, of, before, limit + 1).await?;
    drop(client);
    let mut found = Vec::with_capacity(events.len());
    for event in &events {
        found.push(view(&api, &signed_in, event).await?);
    }
    let page = cursors.page(found, limit, |sign_in| sign_in.position);
    Ok(HttpResponse::Ok().json(page.await?))
}

async fn view(api: &Api, signed_in: &SignedIn, event: &Recorded) -> Result<SignInView, Problem> {
    let decoded: AccountEvent = event.decode().map_err(|error| Problem::internal(&error))?;
    let mut session_id = None;
    let (mut attempts, mut first_attempted_at, mut attempted_at) = (1, None, event.recorded_at());
    if let AccountEvent::LoginSucceeded { session, .. } = decoded {
        session_id = Some(session.0);
    } else if let AccountEvent::LoginsFailed { from, until, count } = decoded {
        (attempts, first_attempted_at, attempted_at) = (count, Some(from), until);
    }
    let person = Unsealer::of_account(&api.app.keyring.sealer, signed_in.account);
    let (ip, user_agent) =
        (sealed_bytes::<LoginIp>(event.sealed()), sealed_bytes::<LoginUserAgent>(event.sealed()));
    Ok(SignInView {
        position: event.position(),
        attempted_at,
        succeeded: session_id.is_some(),
        attempts,
        first_attempted_at,
        session_id,
        ip: person.optional::<LoginIp>(ip).await?,
        user_agent: person.optional::<LoginUserAgent>(user_agent).await?,
    })
}
