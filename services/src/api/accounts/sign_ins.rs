//! Who signed in to one's account, and who tried to.

use std::ops::Range;

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use domain::account::{Account, AccountEvent};
use domain::privacy::{Field, LoginIp, LoginUserAgent, sealed_bytes};
use infra::log::{Feed, Recorded};
use infra::postgres::PgError;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::auth::signed_in::SignedIn;
use crate::api::http::body::Query;
use crate::api::http::cursor::Page;
use crate::api::http::fields::{Fields, RUNS_BACKWARDS, parsed, times};
use crate::api::http::listing::{ListFilter, Listing, Order};
use crate::api::http::problem::Problem;
use crate::api::http::routes::Routes;
use crate::api::{Api, ApiData};
use crate::unseal::Unsealer;

const TYPES: &[&str] =
    &["account.login_succeeded", "account.login_failed", "account.logins_failed"];
const SUCCEEDED: &[&str] = &["account.login_succeeded"];
const FAILED: &[&str] = &["account.login_failed", "account.logins_failed"];
/// So many events of the account are looked through for a page: no index has their types.
const VERSIONS_MAX: i64 = 10_000;

pub fn routes(routes: &mut Routes) {
    routes.add(__path_list, list).refuses_values(&[RUNS_BACKWARDS]);
}

#[derive(Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SignInFilter {
    /// Those that opened a session, or those that were refused.
    succeeded: Option<bool>,
    /// Recorded then or later.
    from: Option<DateTime<Utc>>,
    /// Recorded before.
    to: Option<DateTime<Utc>>,
}

type SignInListing = Listing<SignInFilter>;

impl ListFilter for SignInFilter {
    const ORDERS: &'static [Order] = &[Order::Newest];

    fn read(fields: &mut Fields) -> Option<Self> {
        let succeeded = fields.optional("succeeded", parsed("true or false"));
        let (from, to) = times(fields)?;
        Some(Self { succeeded: succeeded?, from, to })
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = SignIn)]
pub struct SignInView {
    #[serde(skip)]
    version: i64,
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

/// Sign-ins to one's account, those too that were refused for a wrong password, the newest first. 10,000 events of the
/// account are looked through for a page: it may have fewer things than the limit, or none, and go on by its `next`.
#[utoipa::path(
    get, path = "/v1/me/sign-ins", tag = "accounts", params(SignInListing),
    responses((status = 200, body = Page<SignInView>)),
)]
async fn list(
    api: ApiData,
    signed_in: SignedIn,
    query: Query<SignInListing>,
) -> Result<HttpResponse, Problem> {
    let (Query(listing), account) = (query, signed_in.account);
    // The version, and no position: whoever has a cursor can read what it holds.
    let page = listing.page::<(i64,)>(&api, signed_in.tenant(), "/v1/me/sign-ins").await?;
    let before = match page.after {
        Some((version,)) => version,
        None => api.app.executor.load::<Account>(account.into(), account.0).await?.version + 1,
    };
    let versions = looked_through(before);
    let end = (versions.start > 1).then_some((versions.start,));
    let client = api.app.pool.get().await.map_err(PgError::from)?;
    let SignInFilter { succeeded, from, to } = listing.filter;
    let types = match succeeded {
        Some(true) => SUCCEEDED,
        Some(false) => FAILED,
        None => TYPES,
    };
    let of = (account.0, types);
    let events = Feed::newest_between(&client, of, versions, (from, to), page.rows()).await?;
    drop(client);
    let mut found = Vec::with_capacity(events.len());
    for event in &events {
        found.push(view(&api, &signed_in, event).await?);
    }
    let page = page.of_part(found, |sign_in| (sign_in.version,), end).await?;
    Ok(HttpResponse::Ok().json(page))
}

/// The versions of the account among which a page is looked for: so many before this one.
fn looked_through(before: i64) -> Range<i64> {
    before.saturating_sub(VERSIONS_MAX).max(1)..before
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
        version: event.version(),
        attempted_at,
        succeeded: session_id.is_some(),
        attempts,
        first_attempted_at,
        session_id,
        ip: person.optional::<LoginIp>(ip).await?,
        user_agent: person.optional::<LoginUserAgent>(user_agent).await?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_is_looked_through_once_from_the_last_to_the_first() {
        for last in [1, 9_999, 10_000, 10_001, 25_000] {
            let (mut seen, mut before) = (vec![], last + 1);
            while before > 1 {
                let versions = looked_through(before);
                assert!(versions.end - versions.start <= VERSIONS_MAX);
                before = versions.start;
                seen.extend(versions.rev());
            }
            assert_eq!(seen, (1..=last).rev().collect::<Vec<_>>());
        }
    }
}
