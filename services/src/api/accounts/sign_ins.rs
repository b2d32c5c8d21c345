//! Who signed in to one's account, and who tried to.

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use domain::account::AccountEvent;
use domain::privacy::{Field, LoginIp, LoginUserAgent, sealed_bytes};
use infra::log::{Feed, Recorded};
use infra::postgres::PgError;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::auth::sessions::Paging;
use crate::api::auth::signed_in::SignedIn;
use crate::api::http::body::Query;
use crate::api::http::cursor::{Cursors, Page};
use crate::api::http::problem::Problem;
use crate::api::http::routes::Routes;
use crate::api::{Api, ApiData};
use crate::unseal::Unsealer;

const TYPES: &[&str] =
    &["account.login_succeeded", "account.login_failed", "account.logins_failed"];

pub fn routes(routes: &mut Routes) {
    routes.add(__path_list, list);
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

/// Sign-ins to one's account, those too that were refused for a wrong password, the latest first.
#[utoipa::path(
    get, path = "/v1/me/sign-ins", tag = "accounts", security(("session" = [])), params(Paging),
    responses((status = 200, body = Page<SignInView>)),
)]
async fn list(
    api: ApiData,
    signed_in: SignedIn,
    paging: Query<Paging>,
) -> Result<HttpResponse, Problem> {
    let Query(Paging { limit, cursor }) = paging;
    let cursors = Cursors {
        keys: &api.app.keyring.request_macs,
        of: signed_in.tenant(),
        scope: "/v1/me/sign-ins".to_owned(),
    };
    let before: i64 = match cursor {
        Some(cursor) => cursors.read(&cursor).await?,
        None => i64::MAX,
    };
    let client = api.app.pool.get().await.map_err(PgError::from)?;
    let of = (signed_in.account.0, TYPES);
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
