//! What the events of a stream make of its rows in a projection, now or as of a former time.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use infra::log::{AsOf, FoldError, RowsAsOf, rows_as_of};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::large_read;
use crate::api::ApiData;
use crate::api::auth::operator::{Admin, Operator};
use crate::api::http::answers::Unfit;
use crate::api::http::body::Query;
use crate::api::http::fields::{Fields, FromFields, digits, time};
use crate::api::http::problem::{At, FieldError, Problem, ProblemKind};
use crate::api::http::routes::Routes;

const BOTH: Unfit = ("as_of", "send either `through` or `as_of`");
const BEYOND: Unfit = ("through", "this is beyond the end of the log");

pub fn routes(routes: &mut Routes) {
    routes.add(__path_show, show).refuses_values(&[BOTH, BEYOND]);
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StreamRowsQuery {
    /// The rows as the events up to this position make them. Without it and `as_of`, as all do.
    #[param(minimum = 0)]
    through: Option<i64>,
    /// As those do up to the last one that was recorded at this time or before.
    as_of: Option<DateTime<Utc>>,
}

impl FromFields for StreamRowsQuery {
    fn read(fields: &mut Fields) -> Option<Self> {
        let through = fields.optional("through", digits(0, i64::MAX));
        let as_of = fields.optional("as_of", time);
        let (through, as_of) = (through?, as_of?);
        if through.is_some() && as_of.is_some() {
            let (name, why) = BOTH;
            return fields.refuse(name, why);
        }
        Some(Self { through, as_of })
    }
}

impl StreamRowsQuery {
    fn as_of(&self) -> AsOf {
        let time = self.as_of.map_or(AsOf::Now, AsOf::Time);
        self.through.map_or(time, AsOf::Position)
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = StreamRows)]
pub struct StreamRowsView {
    /// The stream's events up to here were read; 0: none was recorded by then.
    through: i64,
    /// By the names of their columns. Bytes are in base64, and what is sealed stays so.
    #[schema(value_type = Vec<Object>)]
    rows: Vec<serde_json::Value>,
    /// The first event that does not fit: the rows are those of the events before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_before: Option<UnfitEvent>,
}

#[derive(Serialize, ToSchema)]
pub struct UnfitEvent {
    position: i64,
    error: String,
}

impl From<RowsAsOf> for StreamRowsView {
    fn from(found: RowsAsOf) -> Self {
        let RowsAsOf { through, rows, ends_before } = found;
        let ends_before = ends_before.map(|(position, error)| UnfitEvent { position, error });
        Self { through, rows, ends_before }
    }
}

/// The rows of a stream in a projection as its events make them. The projection's table is not looked at.
#[utoipa::path(
    get, path = "/v1/admin/projections/{name}/streams/{stream_id}", tag = "operators",
    params(("name" = String, Path), ("stream_id" = Uuid, Path),
        StreamRowsQuery),
    responses((status = 200, body = StreamRowsView)),
)]
async fn show(
    api: ApiData,
    _: Operator<Admin>,
    path: web::Path<(String, String)>,
    query: Query<StreamRowsQuery>,
) -> Result<HttpResponse, Problem> {
    let Query(query) = query;
    let not_found = || Problem::of(ProblemKind::NotFound);
    let (name, stream) = path.into_inner();
    let stream: Uuid = stream.parse().map_err(|_| not_found())?;
    let projection = projections::named(&name).ok_or_else(not_found)?;
    let _only = large_read()?;
    let (pool, newest_version) = (&api.app.pool, domain::newest_version);
    let found = rows_as_of(pool, &projection, stream, query.as_of(), newest_version).await?;
    Ok(HttpResponse::Ok().json(StreamRowsView::from(found)))
}

impl From<FoldError> for Problem {
    fn from(error: FoldError) -> Self {
        match error {
            FoldError::Worker | FoldError::NoStream | FoldError::NotFollowed => {
                Self::of(ProblemKind::NotFound)
            }
            FoldError::EachEvent => {
                let detail = "Each of its rows is one event: read GET /v1/audit-events.";
                Self::new(ProblemKind::NotFound, detail)
            }
            FoldError::Beyond { head } => {
                let (name, _) = BEYOND;
                let why = format!("the log ends at {head}");
                let beyond = FieldError::new(At::Parameter(name.to_owned()), why);
                Self::invalid(ProblemKind::BadQuery, vec![beyond])
            }
            error @ FoldError::Unknown { .. } => {
                Self::new(ProblemKind::Unavailable, error.to_string())
                    .with_header(header::RETRY_AFTER, 5)
            }
            error @ FoldError::TwoStreams { .. } => Self::internal(&error),
            FoldError::Feed(error) => error.into(),
            FoldError::Postgres(error) => error.into(),
        }
    }
}
