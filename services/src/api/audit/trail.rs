//! The audit trail, page by page.

use actix_web::HttpResponse;
use domain::operator::Scope;
use infra::log::{Feed, FeedError, Recorded};
use infra::postgres::PgError;
use projections::audit_trail::{AuditTrail, page};

use crate::api::audit::event::AuditEvent;
use crate::api::audit::filter::Filter;
use crate::api::auth::sessions::Paging;
use crate::api::auth::signed_in::Operator;
use crate::api::http::body::Query;
use crate::api::http::cursor::{Cursors, Page};
use crate::api::http::fields::{Fields, FromFields};
use crate::api::http::position::MinPosition;
use crate::api::http::problem::Problem;
use crate::api::http::routes::Routes;
use crate::api::{Api, ApiData};

pub fn routes(routes: &mut Routes) {
    routes.add(__path_list, list);
}

struct TrailQuery {
    filter: Filter,
    paging: Paging,
}

impl FromFields for TrailQuery {
    fn read(fields: &mut Fields) -> Option<Self> {
        let (filter, paging) = (Filter::read(fields), Paging::read(fields));
        Some(Self { filter: filter?, paging: paging? })
    }
}

/// The trail in the order of the log.
#[utoipa::path(
    get, path = "/v1/audit-events", tag = "audit", security(("operator" = [])),
    params(Filter, Paging,
        ("Lethe-Min-Position" = Option<i64>, Header, minimum = 0)),
    responses((status = 200, body = Page<AuditEvent>)),
)]
async fn list(
    api: ApiData,
    operator: Operator,
    least: MinPosition,
    query: Query<TrailQuery>,
) -> Result<HttpResponse, Problem> {
    operator.needs(Scope::Audit)?;
    let Query(TrailQuery { filter, paging }) = query;
    least.reached::<AuditTrail>(&api).await?;
    let scope = serde_json::to_string(&filter).map_err(|error| Problem::internal(&error))?;
    let scope = format!("/v1/audit-events{scope}");
    let cursors = Cursors { keys: &api.app.keyring.request_macs, of: operator.tenant(), scope };
    let after: i64 = match paging.cursor {
        Some(cursor) => cursors.read(&cursor).await?,
        None => filter.after.unwrap_or_default(),
    };
    let found = whole_page(&api, &filter, after, paging.limit + 1).await?;
    let events: Result<Vec<AuditEvent<'_>>, _> = found.iter().map(AuditEvent::recorded).collect();
    let events = events.map_err(|error| Problem::internal(&error))?;
    let page = cursors.page(events, paging.limit, |event| event.position).await?;
    Ok(HttpResponse::Ok().json(page))
}

/// A page that is not full is the end of the log as it was when the request came, and not only the end of what
/// the trail has read of it.
async fn whole_page(
    api: &Api,
    filter: &Filter,
    after: i64,
    limit: i64,
) -> Result<Vec<Recorded>, Problem> {
    let pool = &api.app.pool;
    let unavailable = |error: FeedError| Problem::unavailable(&error);
    let client = pool.get().await.map_err(PgError::from)?;
    let head = Feed::head(&client).await.map_err(unavailable)?;
    drop(client);
    let end = MinPosition::of(filter.before.map_or(head, |before| head.min(before - 1)));
    let is_read = end.is_reached::<AuditTrail>(api).await?;
    let filter = filter.of_trail();
    let found = page(pool, &filter, after, limit).await.map_err(unavailable)?;
    if is_read || i64::try_from(found.len()).is_ok_and(|found| found == limit) {
        return Ok(found);
    }
    end.reached::<AuditTrail>(api).await?;
    page(pool, &filter, after, limit).await.map_err(unavailable)
}
