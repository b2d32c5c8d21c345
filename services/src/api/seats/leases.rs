//! Leases of seats: acquired, renewed, taken over, released.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use chrono::{DateTime, TimeDelta, Utc};
use domain::LeaseId;
use domain::seat::{ReleaseReason, SeatCommand, SeatError, SeatEvent, SeatPool, pool_stream};
use domain::workspace::{Right, WorkspaceAction};
use infra::event_store::{Receipt, Step};
use infra::failpoint;
use infra::ids::derived;
use infra::log::{Feed, Recorded};
use infra::postgres::PgError;
use infra::seats::{NewSeatLease, SeatLeaseRow};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::PathLease;
use crate::api::http::answer::{done, written};
use crate::api::http::body::Body;
use crate::api::http::fields::{Fields, FromFields, Nothing, number};
use crate::api::http::problem::{Problem, ProblemKind, ProblemView};
use crate::api::http::routes::Routes;
use crate::api::{Api, ApiData};
use crate::operations::expire_leases::expire_leases;

/// Seconds after which a member who was denied a seat may try again.
const RETRY_SECONDS: i32 = 5;

pub fn routes(routes: &mut Routes) {
    routes
        .add_action(WorkspaceAction::LeaseSeat, __path_acquire, acquire)
        .add_action(WorkspaceAction::RenewLease, __path_renew, renew)
        .add_action(WorkspaceAction::TakeOverLease, __path_take_over, take_over)
        .add_action(WorkspaceAction::ReleaseLease, __path_release, release);
}

#[derive(Serialize, ToSchema)]
#[schema(as = SeatHeld)]
pub struct SeatLeaseResponse {
    lease_id: Uuid,
    /// Greater than that of every earlier lease: a smaller one is stale.
    fence: u64,
    expires_at: DateTime<Utc>,
    ttl_seconds: i32,
}

impl SeatLeaseResponse {
    const fn of(lease: LeaseId, fence: u64, row: SeatLeaseRow) -> Self {
        let SeatLeaseRow { expires_at, ttl_seconds } = row;
        Self { lease_id: lease.0, fence, expires_at, ttl_seconds }
    }
}

/// Leases a seat. The same Idempotency-Key gets the same answer: to try again after a denial takes
/// another key.
#[utoipa::path(
    post, path = "/v1/workspaces/{workspace}/seat-leases", tag = "seats",
    security(("session" = [])),
    params(("workspace" = Uuid, Path),
        ("Idempotency-Key" = String, Header, min_length = 16, max_length = 128,
            pattern = r"^[!-~]+$")),
    responses((status = 201, body = SeatLeaseResponse, headers(("Lethe-Position" = i64))),
        (status = 409, body = ProblemView)),
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
    let pool = load(&api, &member).await?;
    let (in_use, limit) = pool.taken();
    if in_use >= limit || pool.lease_of(member.account).is_some() {
        // Expire overdue leases first: nobody is denied because of one.
        expire_leases(&api.app, member.workspace)
            .await
            .map_err(|error| Problem::unavailable(&error))?;
    }
    let request = member.request(&caller, bytes);
    let lease = LeaseId(derived(request.command, "lease"));
    let acquires = SeatCommand::Acquire { lease, account: member.account };
    let step = Step::new::<SeatPool>(pool_stream(member.workspace), acquires);
    let receipt = api.app.executor.execute(&request, &[step]).await;
    let answer = match receipt {
        Ok(receipt) => acquired(&api, &member, &receipt).await,
        Err(error) => Err(error.into()),
    };
    count(&api, &answer);
    answer
}

/// Answers with the appended event; a repeated denial appends none.
async fn acquired(api: &Api, member: &Member, receipt: &Receipt) -> Result<HttpResponse, Problem> {
    let Some(event) = appended_event(api, receipt).await? else {
        let (in_use, limit) = load(api, member).await?.taken();
        return Err(denied(in_use, limit));
    };
    match decoded(&event)? {
        SeatEvent::LeaseAcquired { lease, fence, .. } => {
            failpoint!(SeatAcquired);
            let row = put(api, member, receipt, &event, (lease, fence)).await?;
            Ok(created(member, receipt, SeatLeaseResponse::of(lease, fence, row)))
        }
        SeatEvent::Denied { in_use, limit, .. } => Err(denied(in_use, limit)),
        SeatEvent::LimitSet { .. }
        | SeatEvent::LeaseReleased { .. }
        | SeatEvent::LeaseExpired { .. }
        | SeatEvent::LeaseTakenOver { .. } => Err(Problem::of(ProblemKind::Internal)),
    }
}

fn denied(in_use: u32, limit: u32) -> Problem {
    Problem::of(ProblemKind::SeatLimitReached)
        .with_member("in_use", in_use)
        .with_member("limit", limit)
        .with_header(header::RETRY_AFTER, RETRY_SECONDS)
}

#[derive(ToSchema)]
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
    post, path = "/v1/workspaces/{workspace}/seat-leases/{lease}/renew", tag = "seats",
    request_body = RenewLeaseRequest, security(("session" = [])),
    params(("workspace" = Uuid, Path), ("lease" = Uuid, Path)),
    responses((status = 200, body = SeatLeaseResponse), (status = 409, body = ProblemView)),
)]
async fn renew(
    api: ApiData,
    member: Member,
    lease: PathLease,
    body: Body<RenewLeaseRequest>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let (RenewLeaseRequest { fence }, _) = body.read()?;
    lease.state.check_renewal(member.account, lease.id, fence)?;
    let renewed = api.app.seats.renew(lease.id, fence).await?;
    let row = renewed.ok_or(SeatError::LeaseLost)?;
    Ok(HttpResponse::Ok().json(SeatLeaseResponse::of(lease.id, fence, row)))
}

/// Takes the caller's own seat over from another device: the old lease ends at once.
#[utoipa::path(
    post, path = "/v1/workspaces/{workspace}/seat-leases/{lease}/take-over", tag = "seats",
    security(("session" = [])),
    params(("workspace" = Uuid, Path), ("lease" = Uuid, Path),
        ("Idempotency-Key" = Option<String>, Header, min_length = 16, max_length = 128,
            pattern = r"^[!-~]+$")),
    responses((status = 201, body = SeatLeaseResponse, headers(("Lethe-Position" = i64))),
        (status = 409, body = ProblemView)),
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
    let from = lease.id;
    let request = member.request(&caller, bytes);
    let to = LeaseId(derived(request.command, "lease"));
    let takes = SeatCommand::TakeOver { account: member.account, from, to };
    let step = Step::new::<SeatPool>(pool_stream(member.workspace), takes);
    let receipt = api.app.executor.execute(&request, &[step]).await?;
    let event = appended_event(&api, &receipt).await?.ok_or(SeatError::LeaseLost)?;
    let SeatEvent::LeaseTakenOver { to, fence, .. } = decoded(&event)? else {
        return Err(Problem::of(ProblemKind::Internal));
    };
    api.app.seats.delete(from).await?;
    let row = put(&api, &member, &receipt, &event, (to, fence)).await?;
    Ok(created(&member, &receipt, SeatLeaseResponse::of(to, fence, row)))
}

/// Releases the caller's seat. Who manages members may end anybody's lease.
#[utoipa::path(
    delete, path = "/v1/workspaces/{workspace}/seat-leases/{lease}", tag = "seats",
    security(("session" = [])), params(("workspace" = Uuid, Path), ("lease" = Uuid, Path)),
    responses((status = 204, headers(("Lethe-Position" = i64)))),
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
    let reason = if holder == member.account {
        ReleaseReason::Released
    } else {
        member.needs(Right::ManageMembers).map_err(|_| SeatError::LeaseUnknown)?;
        ReleaseReason::RemovedByAdmin
    };
    let releases = SeatCommand::Release { lease, reason };
    let step = Step::new::<SeatPool>(pool_stream(member.workspace), releases);
    let receipt = api.app.executor.execute(&member.request(&caller, vec![]), &[step]).await?;
    failpoint!(SeatReleased);
    api.app.seats.delete(lease).await?;
    Ok(done(&receipt))
}

/// # Errors
/// The member has no live lease of a seat.
pub async fn holds_seat(api: &Api, member: &Member) -> Result<(), Problem> {
    let pool = load(api, member).await?;
    let Some(lease) = pool.lease_of(member.account) else {
        return Err(Problem::of(ProblemKind::SeatNeeded));
    };
    let live = api.app.seats.is_live(lease.id, lease.fence).await?;
    if live { Ok(()) } else { Err(Problem::of(ProblemKind::SeatNeeded)) }
}

async fn load(api: &Api, member: &Member) -> Result<Arc<SeatPool>, Problem> {
    let stream = pool_stream(member.workspace);
    Ok(api.app.executor.load::<SeatPool>(member.tenant(), stream).await?.state)
}

/// The event of a receipt; `None` when nothing was appended.
async fn appended_event(api: &Api, receipt: &Receipt) -> Result<Option<Recorded>, Problem> {
    let Some(first) = receipt.events().first() else { return Ok(None) };
    let client = api.app.pool.get().await.map_err(PgError::from)?;
    let page = Feed::page(&client, first.position - 1, 1).await;
    Ok(page.map_err(|error| Problem::unavailable(&error))?.pop())
}

fn decoded(event: &Recorded) -> Result<SeatEvent, Problem> {
    event.decode().map_err(|error| Problem::internal(&error))
}

/// Writes the lease's row, unless the lease has ended since the same request came first.
async fn put(
    api: &Api,
    member: &Member,
    receipt: &Receipt,
    event: &Recorded,
    (lease, fence): (LeaseId, u64),
) -> Result<SeatLeaseRow, Problem> {
    if receipt.replayed() {
        let pool = load(api, member).await?;
        pool.lease_of(member.account)
            .filter(|current| current.id == lease)
            .ok_or(SeatError::LeaseLost)?;
    }
    let leased = NewSeatLease {
        lease,
        workspace: member.workspace,
        account: member.account,
        fence,
        since: event.recorded_at(),
        ttl: TimeDelta::seconds(api.app.config.seat_lease_seconds.into()),
    };
    Ok(api.app.seats.put(&leased).await?.ok_or(SeatError::LeaseLost)?)
}

fn created(member: &Member, receipt: &Receipt, lease: SeatLeaseResponse) -> HttpResponse {
    let at = format!("/v1/workspaces/{}/seat-leases/{}", member.workspace, lease.lease_id);
    written(StatusCode::CREATED, receipt).insert_header((header::LOCATION, at)).json(lease)
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
