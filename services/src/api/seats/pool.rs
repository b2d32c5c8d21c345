//! The seats of a workspace: how many there are and why, and who holds them.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use domain::LeaseId;
use domain::seat::pool_stream;
use domain::workspace::WorkspaceAction;
use infra::log::read_through;
use projections::seat_pools::SeatPools;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::auth::member::Member;
use crate::api::auth::path_resources::nothing;
use crate::api::http::position::MinPosition;
use crate::api::http::problem::Problem;
use crate::api::http::routes::Routes;
use crate::api::{Api, ApiData};

pub fn routes(routes: &mut Routes) {
    routes.add_action(WorkspaceAction::ShowSeats, __path_show, show);
}

#[derive(Serialize, ToSchema)]
pub struct Seats {
    limit: i64,
    in_use: usize,
    /// Those that were taken first come first.
    leases: Vec<SeatLease>,
    limit_cause: LimitCause,
}

#[derive(Serialize, ToSchema)]
pub struct SeatLease {
    lease_id: Uuid,
    account_id: Uuid,
    /// Whether it is the caller's.
    own: bool,
    fence: u64,
    acquired_at: DateTime<Utc>,
    /// When it ends unless it is renewed.
    expires_at: Option<DateTime<Utc>>,
}

/// The event that made the limit what it is.
#[derive(Serialize, ToSchema)]
pub struct LimitCause {
    event_id: Uuid,
    position: i64,
    r#type: &'static str,
    /// `default` or `admin`.
    cause: String,
    at: DateTime<Utc>,
    actor: Option<Uuid>,
}

/// How many seats there are and why, and who holds one.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace}/seats", tag = "seats", security(("session" = [])),
    params(("workspace" = Uuid, Path), ("Lethe-Min-Position" = Option<i64>, Header, minimum = 0)),
    responses((status = 200, body = Seats)),
)]
async fn show(api: ApiData, member: Member, least: MinPosition) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    least.reached::<SeatPools>(&api).await?;
    Ok(HttpResponse::Ok().json(seats(&api, &member).await?))
}

/// A lease that has not ended.
pub(super) async fn lease(api: &Api, member: &Member, id: LeaseId) -> Result<SeatLease, Problem> {
    let leases = seats(api, member).await?.leases;
    leases.into_iter().find(|lease| lease.lease_id == id.0).ok_or_else(nothing)
}

async fn seats(api: &Api, member: &Member) -> Result<Seats, Problem> {
    let workspace = member.workspace;
    let pools = &api.app.seat_pools;
    let pool = read_through(pools, workspace, pool_stream(workspace)).await?;
    let pool = pool.ok_or_else(nothing)?;
    let ends = api.app.seats.expiries(workspace).await?;
    let ends: BTreeMap<LeaseId, DateTime<Utc>> = ends.into_iter().collect();
    let leases = pool.leases.0.iter().map(|(account, lease)| SeatLease {
        lease_id: lease.lease_id.0,
        account_id: account.0,
        own: *account == member.account,
        fence: lease.fence,
        acquired_at: lease.acquired_at,
        expires_at: ends.get(&lease.lease_id).copied(),
    });
    let mut leases: Vec<SeatLease> = leases.collect();
    leases.sort_by_key(|lease| lease.acquired_at);
    Ok(Seats {
        limit: pool.seat_limit,
        in_use: leases.len(),
        leases,
        limit_cause: LimitCause {
            event_id: pool.limit_event_id.0,
            position: pool.limit_position,
            r#type: "seat.limit_set",
            cause: pool.limit_cause,
            at: pool.limit_set_at,
            actor: pool.limit_actor.map(|actor| actor.0),
        },
    })
}
