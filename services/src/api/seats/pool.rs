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
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::auth::member::Member;
use crate::api::auth::path_resources::nothing;
use crate::api::http::body::Query;
use crate::api::http::fields::{Fields, parsed};
use crate::api::http::listing::{ListFilter, Listing, Order};
use crate::api::http::position::MinPosition;
use crate::api::http::problem::Problem;
use crate::api::http::routes::Routes;
use crate::api::{Api, ApiData};

pub fn routes(routes: &mut Routes) {
    routes.add_action(WorkspaceAction::ShowSeats, __path_show, show);
}

#[derive(Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LeaseFilter {
    /// The lease of this member.
    account_id: Option<Uuid>,
}

type LeaseListing = Listing<LeaseFilter>;

impl ListFilter for LeaseFilter {
    const ORDERS: &'static [Order] = &[Order::Oldest, Order::Newest];

    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { account_id: fields.optional("account_id", parsed("an id"))? })
    }
}

#[derive(Serialize, ToSchema)]
pub struct Seats {
    limit: i64,
    in_use: usize,
    items: Vec<SeatLease>,
    /// To be sent back as `cursor`, with the same filters, within a day. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    limit_cause: LimitCause,
}

#[derive(Serialize, ToSchema)]
pub struct SeatLease {
    pub(super) lease_id: Uuid,
    pub(super) account_id: Uuid,
    /// Whether it is the caller's.
    pub(super) own: bool,
    pub(super) fence: u64,
    pub(super) acquired_at: DateTime<Utc>,
    /// When it ends unless it is renewed.
    pub(super) expires_at: Option<DateTime<Utc>>,
}

/// The event that made the limit what it is.
#[derive(Serialize, ToSchema)]
pub struct LimitCause {
    event_id: Uuid,
    r#type: &'static str,
    /// `default` or `admin`.
    cause: String,
    set_at: DateTime<Utc>,
    actor_id: Option<Uuid>,
}

/// How many seats there are and why, and who holds one.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace_id}/seats", tag = "seats",
    params(("workspace_id" = Uuid, Path), LeaseListing, MinPosition),
    responses((status = 200, body = Seats)),
)]
async fn show(
    api: ApiData,
    member: Member,
    least: MinPosition,
    query: Query<LeaseListing>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let Query(listing) = query;
    let page = listing.page(&api, member.tenant(), "/v1/workspaces/seats").await?;
    least.reached::<SeatPools>(&api).await?;
    let mut seats = seats(&api, &member).await?;
    let wanted = listing.filter.account_id;
    let leases = seats.items.into_iter();
    let leases = leases.filter(|lease| wanted.is_none_or(|wanted| wanted == lease.account_id));
    let placed = leases.map(|lease| (listing.place(lease.acquired_at, "", lease.lease_id), lease));
    let page = page.of_all(placed.collect()).await?;
    (seats.items, seats.next) = (page.items, page.next);
    Ok(HttpResponse::Ok().json(seats))
}

/// A lease that has not ended.
pub(super) async fn lease(api: &Api, member: &Member, id: LeaseId) -> Result<SeatLease, Problem> {
    let seats = seats(api, member).await?;
    seats.items.into_iter().find(|lease| lease.lease_id == id.0).ok_or_else(nothing)
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
    let leases: Vec<SeatLease> = leases.collect();
    Ok(Seats {
        limit: pool.seat_limit,
        in_use: leases.len(),
        items: leases,
        next: None,
        limit_cause: LimitCause {
            event_id: pool.limit_event_id.0,
            r#type: "seat.limit_set",
            cause: pool.limit_cause,
            set_at: pool.limit_set_at,
            actor_id: pool.limit_actor.map(|actor| actor.0),
        },
    })
}
