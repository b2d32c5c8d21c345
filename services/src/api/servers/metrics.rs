//! What was measured of a server, as series.

use actix_web::HttpResponse;
use chrono::{DateTime, TimeDelta, Utc};
use domain::workspace::WorkspaceAction;
use infra::monitors::{Point, Series, Span};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::api::ApiData;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::PathServer;
use crate::api::http::answers::Unfit;
use crate::api::http::body::Query;
use crate::api::http::fields::{Fields, FromFields, RUNS_BACKWARDS, digits, time};
use crate::api::http::problem::{At, FieldError, Problem, ProblemKind};
use crate::api::http::routes::Routes;

const POINTS_MAX: i64 = 2000;
const TOO_MANY_POINTS: Unfit = ("step", "this gives more than 2000 points: use a longer step");
const STEP_MAX: i64 = 86_400;

pub fn routes(routes: &mut Routes) {
    routes
        .add_action(WorkspaceAction::ShowServerMetrics, __path_metrics, metrics)
        .refuses_values(&[RUNS_BACKWARDS, TOO_MANY_POINTS]);
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MetricsQuery {
    /// From this moment on.
    from: DateTime<Utc>,
    /// Up to this moment, and without it.
    to: DateTime<Utc>,
    /// Seconds that a point stands for; 2000 points at most.
    #[param(minimum = 1, maximum = 86400)]
    step: i64,
}

impl FromFields for MetricsQuery {
    fn read(fields: &mut Fields) -> Option<Self> {
        let from = fields.required("from", time);
        let to = fields.required("to", time);
        let step = fields.required("step", digits(1, STEP_MAX));
        Some(Self { from: from?, to: to?, step: step? })
    }
}

impl MetricsQuery {
    /// The span, and how many points it has.
    fn span(&self) -> Result<(Span, i64), Problem> {
        let refuse = |(name, why): Unfit| {
            let at = At::Parameter(name.to_owned());
            Problem::invalid(ProblemKind::BadQuery, vec![FieldError::new(at, why)])
        };
        if self.to <= self.from {
            return Err(refuse(RUNS_BACKWARDS));
        }
        let millis = (self.to - self.from).num_milliseconds();
        let points = millis.div_euclid(self.step * 1000)
            + i64::from(millis.rem_euclid(self.step * 1000) > 0);
        if points > POINTS_MAX {
            return Err(refuse(TOO_MANY_POINTS));
        }
        let step = TimeDelta::seconds(self.step);
        Ok((Span { from: self.from, to: self.to, step }, points.max(1)))
    }
}

#[derive(Clone, Copy, Serialize, ToSchema)]
pub struct Spread {
    avg: f64,
    max: f64,
}

impl From<Series> for Spread {
    fn from(series: Series) -> Self {
        Self { avg: series.average, max: series.highest }
    }
}

/// What was measured from `starts_at` on, for a step. Where `samples` is 0, nothing was; what the server
/// did not show is null.
#[derive(Serialize, ToSchema)]
pub struct MetricsPoint {
    starts_at: DateTime<Utc>,
    samples: i64,
    /// 0 to 1, of all cores.
    cpu_share: Option<Spread>,
    /// Bytes, here and below.
    memory_used: Option<Spread>,
    memory_total: Option<i64>,
    disk_used: Option<Spread>,
    disk_total: Option<i64>,
    load: Option<Spread>,
    uptime_seconds: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct ServerMetrics {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    step_seconds: i64,
    items: Vec<MetricsPoint>,
}

fn view(starts_at: DateTime<Utc>, point: Option<&Point>) -> MetricsPoint {
    MetricsPoint {
        starts_at,
        samples: point.map_or(0, |point| point.samples),
        cpu_share: point.and_then(|point| point.cpu_share).map(Into::into),
        memory_used: point.and_then(|point| point.memory_used).map(Into::into),
        memory_total: point.and_then(|point| point.memory_total),
        disk_used: point.and_then(|point| point.disk_used).map(Into::into),
        disk_total: point.and_then(|point| point.disk_total),
        load: point.and_then(|point| point.load).map(Into::into),
        uptime_seconds: point.and_then(|point| point.uptime_seconds),
    }
}

/// CPU, memory, disk, load and uptime of a server: average and maximum of each step.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace_id}/servers/{server_id}/metrics", tag = "servers",
    params(("workspace_id" = Uuid, Path), ("server_id" = Uuid, Path), MetricsQuery),
    responses((status = 200, body = ServerMetrics)),
)]
async fn metrics(
    api: ApiData,
    member: Member,
    server: PathServer,
    query: Query<MetricsQuery>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let Query(query) = query;
    let (span, count) = query.span()?;
    let measured = api.app.monitors.series(server.id, span).await?;
    let mut measured = measured.into_iter().peekable();
    let points = (0..count).map(|step| {
        let point = measured.next_if(|point| point.step == step);
        let at = span.from + TimeDelta::seconds(step * query.step);
        view(at, point.as_ref())
    });
    Ok(HttpResponse::Ok().json(ServerMetrics {
        from: span.from,
        to: span.to,
        step_seconds: query.step,
        items: points.collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(seconds: i64, step: i64) -> Option<i64> {
        let from = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let query = MetricsQuery { from, to: from + TimeDelta::seconds(seconds), step };
        query.span().ok().map(|(_, points)| points)
    }

    #[test]
    fn a_span_has_2000_points_at_most_and_the_last_may_be_short() {
        assert_eq!(points(60, 30), Some(2));
        assert_eq!(points(61, 30), Some(3));
        assert_eq!(points(2000, 1), Some(2000));
        assert_eq!(points(2001, 1), None);
        assert_eq!((points(0, 1), points(-5, 1)), (None, None));
    }
}
