//! The trail of a workspace, for those who belong to it. It shows no positions: they count what everybody does.

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use domain::workspace::WorkspaceAction;
use domain::{ActorId, WorkspaceId};
use infra::log::Recorded;
use projections::audit_trail::{AuditTrail, Filter, page as events_of, position_of};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::ApiData;
use crate::api::audit::filter::{event_type, event_types};
use crate::api::auth::member::Member;
use crate::api::http::body::Query;
use crate::api::http::cursor::Page;
use crate::api::http::fields::{Fields, RUNS_BACKWARDS, parsed, text, times};
use crate::api::http::listing::{ListFilter, Listing, Order};
use crate::api::http::position::MinPosition;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;

pub fn routes(routes: &mut Routes) {
    routes
        .add_action(WorkspaceAction::ReadTrail, __path_list, list)
        .refuses_values(&[RUNS_BACKWARDS]);
}

/// Absent filters let everything through.
#[derive(Debug, Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct TrailFilter {
    /// Whoever caused it.
    actor_id: Option<Uuid>,
    /// The workspace itself, or a server, a run or the seats in it.
    stream_id: Option<Uuid>,
    /// Such as `workspace.member_joined`.
    #[serde(rename = "type")]
    #[param(rename = "type", required = false, schema_with = event_types)]
    event_type: Option<String>,
    /// Recorded then or later.
    from: Option<DateTime<Utc>>,
    /// Recorded before.
    to: Option<DateTime<Utc>>,
}

type TrailListing = Listing<TrailFilter>;

impl ListFilter for TrailFilter {
    const ORDERS: &'static [Order] = &[Order::Oldest, Order::Newest];

    fn read(fields: &mut Fields) -> Option<Self> {
        let actor = fields.optional("actor_id", parsed("an id"));
        let stream = fields.optional("stream_id", parsed("an id"));
        let event_type = fields.optional("type", text(event_type));
        let (from, to) = times(fields)?;
        Some(Self { actor_id: actor?, stream_id: stream?, event_type: event_type?, from, to })
    }
}

/// An event of the workspace. Pseudonymous: a personal field stands as the word `sealed`.
#[derive(Serialize, ToSchema)]
pub struct WorkspaceEvent<'a> {
    event_id: Uuid,
    r#type: &'a str,
    stream_type: &'a str,
    stream_id: Uuid,
    /// Of the stream: it grows by one with each event.
    version: i64,
    actor_id: Option<Uuid>,
    request_id: Option<Uuid>,
    correlation_id: Option<Uuid>,
    causation_id: Option<Uuid>,
    /// Whom it is about.
    subject_ids: Vec<Uuid>,
    recorded_at: DateTime<Utc>,
    #[schema(value_type = Object)]
    data: &'a RawValue,
}

impl<'a> WorkspaceEvent<'a> {
    fn recorded(event: &'a Recorded) -> Result<Self, serde_json::Error> {
        Ok(Self {
            event_id: event.event_id().0,
            r#type: event.event_type(),
            stream_type: event.stream_type(),
            stream_id: event.stream_id(),
            version: event.version(),
            actor_id: event.actor().map(|actor| actor.0),
            request_id: event.request(),
            correlation_id: event.correlation(),
            causation_id: event.causation().map(|event| event.0),
            subject_ids: event.subjects().into_iter().map(|subject| subject.0).collect(),
            recorded_at: event.recorded_at(),
            data: serde_json::from_str(event.data())?,
        })
    }
}

/// What happened in the workspace: to itself, its members, tokens, seats, servers and runs. What was appended
/// a moment ago may be missing, unless `Lethe-Min-Position` waits for it.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace_id}/audit-events", tag = "audit",
    params(("workspace_id" = Uuid, Path), TrailListing,
        MinPosition),
    responses((status = 200, body = Page<WorkspaceEvent>)),
)]
async fn list(
    api: ApiData,
    member: Member,
    least: MinPosition,
    query: Query<TrailListing>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let Query(listing) = query;
    let path = "/v1/workspaces/audit-events";
    let page = listing.page::<(Uuid, i64)>(&api, member.tenant(), path).await?;
    least.reached::<AuditTrail>(&api).await?;
    let pool = &api.app.pool;
    // Whoever has a cursor can read what it holds.
    let reached = match page.after {
        Some((stream, version)) => {
            let position = position_of(pool, stream, version).await?;
            Some(position.ok_or_else(|| Problem::of(ProblemKind::BadCursor))?)
        }
        None => None,
    };
    let filter = of_trail(member.workspace, &listing.filter);
    let order = (listing.order.by_time(), reached);
    let found = events_of(pool, &filter, order, page.rows()).await;
    let found = found.map_err(|error| Problem::unavailable(&error))?;
    let events: Result<Vec<_>, _> = found.iter().map(WorkspaceEvent::recorded).collect();
    let events = events.map_err(|error| Problem::internal(&error))?;
    let page = page.of(events, |event| (event.stream_id, event.version)).await?;
    Ok(HttpResponse::Ok().json(page))
}

fn of_trail(workspace: WorkspaceId, filter: &TrailFilter) -> Filter {
    Filter {
        tenant: Some(workspace.into()),
        stream: filter.stream_id,
        actor: filter.actor_id.map(ActorId),
        event_type: filter.event_type.clone(),
        since: filter.from,
        until: filter.to,
        ..Filter::default()
    }
}
