//! The erasure of the caller's account: requested, cancelled within the grace, proven by a claim code.

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpResponse, web};
use chrono::{DateTime, Utc};
use domain::account::{Account, AccountCommand, Erasure};
use domain::privacy::deadlines::{ROTATION_DAYS_MIN, grace_days_max};
use infra::event_store::Step;
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::SchemaType;
use utoipa::openapi::{KnownFormat, Object, ObjectBuilder, SchemaFormat, Type};

use super::certificate::Certificate;
use crate::api::ApiData;
use crate::api::auth::caller::Caller;
use crate::api::auth::signed_in::SignedIn;
use crate::api::auth::step_up::{live_account, step_up};
use crate::api::http::answer::{done, written};
use crate::api::http::answers::Unfit;
use crate::api::http::body::Body;
use crate::api::http::fields::{Fields, FromFields, flag, number, secret};
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::precondition::IfMatch;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::operations::erase_account::{LeftWorkspaces, earlier_of_account, request_of_account};
use crate::operations::owners::OwnersError;
use crate::operations::request_erasure::{
    self, RequestErasureError, RequestedErasure, grace, hash_code,
};

/// What a request for an erasure is refused for.
pub const GRACE: Unfit =
    ("/grace_days", "this is more than the settings allow, or less than is needed");

pub fn routes(routes: &mut Routes) {
    routes
        .add(__path_request, request)
        .refuses(&[
            ProblemKind::PasswordWrong,
            ProblemKind::OwnsWorkspaces,
            ProblemKind::ErasureRequested,
            ProblemKind::Refused,
        ])
        .refuses_values(&[GRACE])
        .add(__path_show, show)
        .refuses(&[ProblemKind::NotFound])
        .add(__path_cancel, cancel)
        .refuses(&[ProblemKind::Refused])
        .add(__path_prove, prove);
}

/// The schema of `grace_days`: no installation allows more than one without escrow.
fn grace_days() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Integer, Type::Null]))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
        .description(Some("Days in which it can be cancelled; by default what the settings say."))
        .minimum(Some(0))
        .maximum(Some(grace_days_max(0, ROTATION_DAYS_MIN)))
        .build()
}

#[derive(ToSchema)]
#[schema(example = json!({ "password": "correct horse battery", "grace_days": 7 }))]
pub struct ErasureRequest {
    /// The account's password, once more.
    #[schema(value_type = String, format = Password, min_length = 1)]
    pub password: SecretString,
    /// Days in which it can be cancelled; by default what the settings say.
    #[schema(schema_with = grace_days)]
    pub grace_days: Option<i64>,
}

impl FromFields for ErasureRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let password = fields.required("password", secret);
        let grace_days = fields.optional("grace_days", number(0, i64::from(u16::MAX)));
        Some(Self { password: password?, grace_days: grace_days? })
    }
}

#[derive(ToSchema)]
#[schema(example = json!({
    "password": "correct horse battery", "grace_days": 7, "leave_workspaces": false
}))]
pub struct AccountErasureRequest {
    /// The account's password, once more.
    #[schema(value_type = String, format = Password, min_length = 1)]
    password: SecretString,
    /// Days in which it can be cancelled; by default what the settings say.
    #[schema(schema_with = grace_days)]
    grace_days: Option<i64>,
    /// Also where others belong to a workspace that nobody else owns, or has agreed to inherit. Nothing begins there
    /// afterwards until an admin agrees to own it, or an operator appoints an owner.
    #[schema(required = false)]
    leave_workspaces: bool,
}

impl FromFields for AccountErasureRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let form = ErasureRequest::read(fields);
        let leave_workspaces = fields.optional("leave_workspaces", flag)?.unwrap_or(false);
        let ErasureRequest { password, grace_days } = form?;
        Some(Self { password, grace_days, leave_workspaces })
    }
}

#[derive(Serialize, ToSchema)]
pub struct ErasureResponse {
    /// Until then it can be cancelled: sign in again, and delete the request.
    due_at: DateTime<Utc>,
    /// It is needed for the certificate, when nobody can sign in any more. Shown in this answer only,
    /// and when the same request is sent again within a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim_code: Option<String>,
}

/// Requests the erasure of the caller's account. Signs out everywhere at once.
#[utoipa::path(
    post, path = "/v1/me/erasure", tag = "erasure", request_body = AccountErasureRequest,
    params(IdempotencyKey),
    responses((status = 202, body = ErasureResponse)),
)]
async fn request(
    api: ApiData,
    signed_in: SignedIn,
    caller: Caller,
    body: Body<AccountErasureRequest>,
) -> Result<HttpResponse, Problem> {
    let (form, bytes) = body.read()?;
    let grace = grace(&api.app.config, form.grace_days);
    let grace = grace.map_err(|detail| Problem::field("grace_days", detail))?;
    let account = signed_in.account;
    let mut request = signed_in.request(&caller, bytes);
    // Before the password, which is dear to verify.
    if let Some((earlier, _)) = earlier_of_account(&api.app, account, &request).await? {
        return Ok(answer(earlier));
    }
    let loaded = step_up(&api, &mut request, account, &form.password).await?;
    let live = live_account(&loaded)?;
    let with = (grace, LeftWorkspaces::of(form.leave_workspaces));
    let (requested, _) = request_of_account(&api.app, account, live, with, &request).await?;
    Ok(answer(requested))
}

fn answer(requested: RequestedErasure) -> HttpResponse {
    let RequestedErasure { receipt, due, claim_code } = requested;
    written(StatusCode::ACCEPTED, &receipt).json(ErasureResponse { due_at: due, claim_code })
}

impl From<RequestErasureError> for Problem {
    fn from(error: RequestErasureError) -> Self {
        match error {
            RequestErasureError::InProgress { retry_seconds } => {
                Self::of(ProblemKind::Unavailable).with_header(header::RETRY_AFTER, retry_seconds)
            }
            RequestErasureError::Owners(error) => error.into(),
            RequestErasureError::Keyring(error) => error.into(),
            RequestErasureError::Execute(error) => error.into(),
            error @ RequestErasureError::Earlier(_) => Self::unavailable(&error),
        }
    }
}

impl From<OwnersError> for Problem {
    fn from(error: OwnersError) -> Self {
        match error {
            OwnersError::OwnsWorkspaces => Self::of(ProblemKind::OwnsWorkspaces),
            error @ OwnersError::OwnsTooMany => Self::new(ProblemKind::Refused, error.to_string()),
            error @ (OwnersError::ReadModelBehind | OwnersError::Feed(_)) => {
                Self::unavailable(&error)
            }
            OwnersError::Load(error) => error.into(),
            OwnersError::Postgres(error) => error.into(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct ErasureView {
    requested_at: DateTime<Utc>,
    due_at: DateTime<Utc>,
}

/// The erasure that has been requested.
#[utoipa::path(
    get, path = "/v1/me/erasure", tag = "erasure",
    responses((status = 200, body = ErasureView)),
)]
async fn show(api: ApiData, signed_in: SignedIn) -> Result<HttpResponse, Problem> {
    let account = signed_in.account;
    let loaded = api.app.executor.load::<Account>(account.into(), account.0).await?;
    let erasure =
        live_account(&loaded)?.erasure.ok_or_else(|| Problem::of(ProblemKind::NotFound))?;
    let Erasure { requested_at, due } = erasure;
    Ok(HttpResponse::Ok().json(ErasureView { requested_at, due_at: due }))
}

/// Cancels the request.
#[utoipa::path(
    delete, path = "/v1/me/erasure", tag = "erasure",
    params(IfMatch),
    responses((status = 204)),
)]
async fn cancel(
    api: ApiData,
    signed_in: SignedIn,
    caller: Caller,
    matches: IfMatch,
) -> Result<HttpResponse, Problem> {
    let cancels = AccountCommand::CancelErasure { now: api.app.clock.now() };
    let step = matches.on(Step::new::<Account>(signed_in.account.0, cancels))?;
    let request = signed_in.request(&caller, vec![]);
    let receipt =
        request_erasure::cancel(&api.app, signed_in.account.into(), &request, step).await?;
    Ok(done(&receipt))
}

/// How far an erasure has come, and from its completion on a certificate.
#[derive(Serialize, ToSchema)]
pub struct ErasureProof {
    /// requested, cancelled, fenced, destroyed, completed or `backup_proven`.
    state: &'static str,
    requested_at: DateTime<Utc>,
    due_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancelled_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<Certificate>,
}

/// The state of an erasure, for whoever has its claim code.
#[utoipa::path(
    get, path = "/v1/erasures/{claim_code}", tag = "erasure",
    params(("claim_code" = String, Path)),
    responses((status = 200, body = ErasureProof)),
)]
async fn prove(api: ApiData, code: web::Path<String>) -> Result<HttpResponse, Problem> {
    let entry = api.app.keyring.ledger.entry_by_code(hash_code(&code)).await?;
    let entry = entry.ok_or_else(|| Problem::of(ProblemKind::NotFound))?;
    Ok(HttpResponse::Ok().json(ErasureProof {
        state: entry.state.as_str(),
        requested_at: entry.requested_at,
        due_at: entry.due,
        cancelled_at: entry.cancelled_at,
        certificate: Certificate::of(&entry),
    }))
}
