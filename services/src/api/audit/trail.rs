//! The audit trail, page by page.

use actix_web::HttpResponse;
use domain::operator::Scope;
use projections::audit_trail::page;

use crate::api::ApiData;
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
    least.reached::<projections::audit_trail::AuditTrail>(&api).await?;
    let scope = serde_json::to_string(&filter).map_err(|error| Problem::internal(&error))?;
    let scope = format!("/v1/audit-events{scope}");
    let cursors = Cursors { keys: &api.app.keyring.request_macs, of: operator.tenant(), scope };
    let after: i64 = match paging.cursor {
        Some(cursor) => cursors.read(&cursor).await?,
        None => filter.after.unwrap_or_default(),
    };
    let rows = page(&api.app.pool, &filter.of_trail(), after, paging.limit + 1).await?;
    let events: Result<Vec<AuditEvent<'_>>, _> = rows.iter().map(AuditEvent::entry).collect();
    let events = events.map_err(|error| Problem::internal(&error))?;
    let page = cursors.page(events, paging.limit, |event| event.position).await?;
    Ok(HttpResponse::Ok().json(page))
}
