//! Leases of seats: acquired, renewed, taken over, released.

use actix_web::HttpResponse;
use actix_web::http::header;
use chrono::{DateTime, Utc};
use domain::seat::{ReleaseReason, SeatError};
use domain::workspace::{Right, WorkspaceAction};
use infra::seats::SeatLeaseRow;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::PathLease;
use crate::api::http::answer::{created, done, if_read};
use crate::api::http::body::Body;
use crate::api::http::fields::{Fields, FromFields, Nothing, number};
use crate::api::http::idempotency::{IdempotencyKey, NeededIdempotencyKey};
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::seats::pool::{SeatLease, lease};
use crate::api::{Api, ApiData};
use crate::operations::lease_seat::{Acquisition, LeaseSeatError, LeasedSeat};

/// Seconds after which a member who was denied a seat may try again.
const RETRY_SECONDS: i32 = 5;

pub fn routes(routes: &mut Routes) {
    routes
        .add_action(WorkspaceAction::LeaseSeat, __path_acquire, acquire)
        .refuses(&[ProblemKind::LeaseLost, ProblemKind::SeatHeld, ProblemKind::SeatLimitReached])
        .add_action(WorkspaceAction::ShowLease, __path_show, show)
        .add_action(WorkspaceAction::RenewLease, __path_renew, renew)
        .refuses(&[ProblemKind::LeaseLost, ProblemKind::SeatLimitLowered])
        .add_action(WorkspaceAction::TakeOverLease, __path_take_over, take_over)
        .refuses(&[ProblemKind::LeaseLost, ProblemKind::SeatLimitLowered])
        .add_action(WorkspaceAction::ReleaseLease, __path_release, release);
}

#[derive(Serialize, ToSchema)]
#[schema(as = SeatHeld)]
pub struct SeatLeaseResponse {
    lease_id: Uuid,
    /// Greater than that of every earlier lease: a smaller one is stale.
    fence: u64,
    expires_at: DateTime<Utc>,
}

/// Leases a seat. The same Idempotency-Key gets the same lease. To try again after a denial takes another
/// key: the first denial is recorded under its key and answered again; a further one, while the pool is
/// as it was, is not recorded, and its key may lease a seat later.
#[utoipa::path(
    post, path = "/v1/workspaces/{workspace_id}/seat-leases", tag = "seats",
    params(("workspace_id" = Uuid, Path),
        NeededIdempotencyKey),
    responses((status = 201, body = SeatLease, headers(("Lethe-Position" = String)))),
)]
async fn acquire(
    api: ApiData,
    member: Member,
    caller: Caller,
    body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    caller.needs_key()?;
    let (Nothing, bytes) = body.read()?;
    let request = member.request(&caller, bytes);
    let answer = match member.of_seats().acquire(&api.app, &request).await {
        Ok(Acquisition::Leased(leased)) => Ok(leased_seat(&member, &leased)),
        Ok(Acquisition::Denied { in_use, limit }) => Err(denied(in_use, limit)),
        Err(error) => Err(error.into()),
    };
    count(&api, &answer);
    answer
}

fn denied(in_use: u32, limit: u32) -> Problem {
    Problem::of(ProblemKind::SeatLimitReached)
        .with_member("in_use", in_use)
        .with_member("limit", limit)
        .with_header(header::RETRY_AFTER, RETRY_SECONDS)
}

/// Shows a lease that has not ended.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace_id}/seat-leases/{lease_id}", tag = "seats",
    params(("workspace_id" = Uuid, Path), ("lease_id" = Uuid, Path)),
    responses((status = 200, body = SeatLease)),
)]
async fn show(api: ApiData, member: Member, path: PathLease) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    Ok(HttpResponse::Ok().json(lease(&api, &member, path.id).await?))
}

#[derive(ToSchema)]
#[schema(example = json!({ "fence": 7 }))]
pub struct RenewLeaseRequest {
    /// That of the lease.
    #[schema(minimum = 1, maximum = 9_223_372_036_854_775_807i64)]
    fence: u64,
}

impl FromFields for RenewLeaseRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let fence = fields.required("fence", number(1, i64::MAX))?;
        u64::try_from(fence).ok().map(|fence| Self { fence })
    }
}

/// Renews the lease of a seat. Appends no event.
#[utoipa::path(
    post, path = "/v1/workspaces/{workspace_id}/seat-leases/{lease_id}/renew", tag = "seats",
    request_body = RenewLeaseRequest,
    params(("workspace_id" = Uuid, Path), ("lease_id" = Uuid, Path)),
    responses((status = 200, body = SeatLeaseResponse)),
)]
async fn renew(
    api: ApiData,
    member: Member,
    lease: PathLease,
    body: Body<RenewLeaseRequest>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let (RenewLeaseRequest { fence }, _) = body.read()?;
    let (guards, renews) = (member.guards_of_now(&api), (lease.id, fence));
    let SeatLeaseRow { expires_at, .. } = member.of_seats().renew(&api.app, guards, renews).await?;
    Ok(HttpResponse::Ok().json(SeatLeaseResponse { lease_id: lease.id.0, fence, expires_at }))
}

/// Takes the caller's own seat over from another device: the old lease ends at once.
#[utoipa::path(
    post, path = "/v1/workspaces/{workspace_id}/seat-leases/{lease_id}/take-over", tag = "seats",
    params(("workspace_id" = Uuid, Path), ("lease_id" = Uuid, Path),
        IdempotencyKey),
    responses((status = 201, body = SeatLease, headers(("Lethe-Position" = String)))),
)]
async fn take_over(
    api: ApiData,
    member: Member,
    caller: Caller,
    lease: PathLease,
    body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let (Nothing, bytes) = body.read()?;
    let request = member.request(&caller, bytes);
    let mut leased = member.of_seats().take_over(&api.app, &request, lease.id).await?;
    // The seat is held since the lease that was taken over began.
    if let Some(held) = if_read(self::lease(&api, &member, leased.lease)).await {
        leased.acquired_at = held.acquired_at;
    }
    Ok(leased_seat(&member, &leased))
}

/// Releases the caller's seat. Who manages members may end anybody's lease.
#[utoipa::path(
    delete, path = "/v1/workspaces/{workspace_id}/seat-leases/{lease_id}", tag = "seats",
    params(("workspace_id" = Uuid, Path), ("lease_id" = Uuid, Path)),
    responses((status = 204, headers(("Lethe-Position" = String)))),
)]
async fn release(
    api: ApiData,
    member: Member,
    caller: Caller,
    lease: PathLease,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let PathLease { id: lease, state: pool, .. } = lease;
    let holder = pool.holder(lease).ok_or(SeatError::LeaseUnknown)?;
    let (request, reason) = if holder == member.account {
        (member.request(&caller, vec![]), ReleaseReason::Released)
    } else {
        let also = Right::ManageMembers;
        member.needs(also).map_err(|_| SeatError::LeaseUnknown)?;
        (member.request_with(also, &caller, vec![]), ReleaseReason::RemovedByAdmin)
    };
    let released = member.of_seats().release(&api.app, &request, (lease, reason)).await?;
    Ok(done(&released))
}

fn leased_seat(member: &Member, leased: &LeasedSeat) -> HttpResponse {
    let LeasedSeat { receipt, lease: id, fence, acquired_at, row } = leased;
    let at = format!("/v1/workspaces/{}/seat-leases/{id}", member.workspace);
    let lease = SeatLease {
        lease_id: id.0,
        account_id: member.account.0,
        own: true,
        fence: *fence,
        acquired_at: *acquired_at,
        expires_at: Some(row.expires_at),
    };
    created(at, receipt, receipt.version(), lease)
}

fn count(api: &Api, answer: &Result<HttpResponse, Problem>) {
    let outcome = match answer.as_ref().map_err(Problem::kind) {
        Ok(_) => "acquired",
        Err(ProblemKind::SeatLimitReached) => "denied",
        Err(ProblemKind::SeatHeld) => "held",
        Err(_) => return,
    };
    api.app.metrics.seat_acquisitions.with_label_values(&[outcome]).inc();
}

impl From<LeaseSeatError> for Problem {
    fn from(error: LeaseSeatError) -> Self {
        match error {
            LeaseSeatError::Refused(error) => error.into(),
            LeaseSeatError::Execute(error) => error.into(),
            LeaseSeatError::Load(error) => error.into(),
            LeaseSeatError::Postgres(error) => error.into(),
            error @ (LeaseSeatError::Expire(_) | LeaseSeatError::Feed(_)) => {
                Self::unavailable(&error)
            }
            error @ (LeaseSeatError::Decode(_) | LeaseSeatError::OtherEvent) => {
                Self::internal(&error)
            }
        }
    }
}
