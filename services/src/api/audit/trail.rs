//! The audit trail, page by page.

use actix_web::HttpResponse;
use infra::log::{Feed, FeedError, Recorded};
use infra::postgres::{PgError, TimeOrder};
use projections::audit_trail::{AuditTrail, page};

use crate::api::audit::event::AuditEvent;
use crate::api::audit::filter::{Filter, UNFIT};
use crate::api::auth::operator::{Audit, Operator};
use crate::api::http::body::Query;
use crate::api::http::cursor::Page;
use crate::api::http::listing::Listing;
use crate::api::http::position::{MinPosition, is_reached, reached};
use crate::api::http::problem::Problem;
use crate::api::http::routes::Routes;
use crate::api::{Api, ApiData};

pub fn routes(routes: &mut Routes) {
    routes.add(__path_list, list).refuses_values(&UNFIT);
}

type TrailListing = Listing<Filter>;

/// The trail in the order of the log, or backwards.
#[utoipa::path(
    get, path = "/v1/audit-events", tag = "audit",
    params(TrailListing,
        MinPosition),
    responses((status = 200, body = Page<AuditEvent>)),
)]
async fn list(
    api: ApiData,
    operator: Operator<Audit>,
    least: MinPosition,
    query: Query<TrailListing>,
) -> Result<HttpResponse, Problem> {
    let Query(listing) = query;
    let page = listing.page(&api, operator.tenant(), "/v1/audit-events").await?;
    least.reached::<AuditTrail>(&api).await?;
    let found = whole_page(&api, &listing.filter, page.by_time(), page.rows()).await?;
    let events: Result<Vec<AuditEvent<'_>>, _> = found.iter().map(AuditEvent::recorded).collect();
    let events = events.map_err(|error| Problem::internal(&error))?;
    Ok(HttpResponse::Ok().json(page.of(events, |event| event.position).await?))
}

/// A page that is not full is the end of the log as it was when the request came, and not only the end of what
/// the trail has read of it. So is the beginning of what is listed backwards.
async fn whole_page(
    api: &Api,
    filter: &Filter,
    order: (TimeOrder, Option<i64>),
    limit: i64,
) -> Result<Vec<Recorded>, Problem> {
    let pool = &api.app.pool;
    let unavailable = |error: FeedError| Problem::unavailable(&error);
    let client = pool.get().await.map_err(PgError::from)?;
    let head = Feed::head(&client).await.map_err(unavailable)?;
    drop(client);
    let end = filter.before.map_or(head, |before| head.min(before - 1));
    let is_read = is_reached::<AuditTrail>(api, end).await?;
    let filter = filter.of_trail();
    if is_read || order.0 == TimeOrder::Oldest {
        let found = page(pool, &filter, order, limit).await.map_err(unavailable)?;
        if is_read || i64::try_from(found.len()).is_ok_and(|found| found == limit) {
            return Ok(found);
        }
    }
    reached::<AuditTrail>(api, end).await?;
    page(pool, &filter, order, limit).await.map_err(unavailable)
}
