//! Positions on the wire: `Lethe-Position` says where a write stands, and `Lethe-Min-Position` has a read wait for it.
//! A position counts what everybody does, so callers are given tokens; operators are given the numbers.

use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{Payload, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use domain::TenantId;
use infra::keyring::PositionTokens;
use infra::log::Projection;
use infra::postgres::PgError;
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::api::Api;
use crate::api::http::answer::if_read;
use crate::api::http::answers::Unfit;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::schemas;

const SHOWN: &str = "lethe-position";
const AWAITED: &str = "Lethe-Min-Position";
/// A list of positions, as a schema says it.
const POSITIONS: &str = "^[A-Za-z0-9_-]+(?:, ?[A-Za-z0-9_-]+)*$";
const NO_POSITIONS: &str =
    "this must be a Lethe-Position that you were given, or several with commas between them";
/// What is refused though the schema admits it.
pub const UNFIT: Unfit = (AWAITED, NO_POSITIONS);
const WAIT: Duration = Duration::from_secs(2);

/// Whom positions are shown to. It stands with the request as soon as its caller is known.
#[derive(Clone, Copy, Debug)]
pub enum PositionHolder {
    /// A person, by their account; the API tokens of a workspace, by the workspace.
    Caller(TenantId),
    Operator,
}

/// Where the write of an answer stands in the log. It stands with the answer.
#[derive(Clone, Copy, Debug)]
pub struct WrittenAt(pub i64);

/// Puts the position of the write into the answer, for whoever it is shown to. Where the keyring is not reached
/// the answer has none: a write that has landed is no failure.
pub async fn show(answer: &mut ServiceResponse<BoxBody>) {
    let written = answer.response().extensions().get::<WrittenAt>().copied();
    let Some(WrittenAt(position)) = written else { return };
    let named = answer.response().extensions().get::<PositionHolder>().copied();
    let caller = answer.request().extensions().get::<PositionHolder>().copied();
    let shown = match named.or(caller) {
        Some(PositionHolder::Operator) => Some(HeaderValue::from(position)),
        Some(PositionHolder::Caller(holder)) => seal(answer.request(), holder, position).await,
        None => None,
    };
    if let Some(shown) = shown {
        answer.headers_mut().insert(HeaderName::from_static(SHOWN), shown);
    }
}

async fn seal(request: &HttpRequest, holder: TenantId, position: i64) -> Option<HeaderValue> {
    let api = Api::of(request).ok()?;
    let token = if_read(api.app.keyring.position_tokens.seal(holder, position)).await?;
    HeaderValue::from_str(&token).ok()
}

/// What a read is to wait for: nothing without the header. Of several positions, in one header or in several, it
/// waits for all.
pub struct MinPosition(HttpRequest);

impl MinPosition {
    /// # Errors
    /// The caller was not given this position, or the projection did not get there in time.
    pub async fn reached<P: Projection>(&self, api: &Api) -> Result<(), Problem> {
        match self.read(api).await? {
            Some(position) => reached::<P>(api, position).await,
            None => Ok(()),
        }
    }

    async fn read(&self, api: &Api) -> Result<Option<i64>, Problem> {
        let holder = self.0.extensions().get::<PositionHolder>().copied();
        let mut last: Option<i64> = None;
        for value in self.0.headers().get_all(AWAITED) {
            let text = value.to_str().map_err(|_| refused(holder))?;
            // Empty elements of a list count for nothing (RFC 9110, 5.6.1.2).
            for shown in text.split(',').map(str::trim).filter(|shown| !shown.is_empty()) {
                last = last.max(Some(shown_to(api, holder, shown).await?));
            }
        }
        // Whoever sends the header wants to wait.
        if last.is_none() && self.0.headers().contains_key(AWAITED) {
            return Err(refused(holder));
        }
        Ok(last)
    }
}

/// The position that the holder was shown as this text.
async fn shown_to(api: &Api, holder: Option<PositionHolder>, text: &str) -> Result<i64, Problem> {
    let position = match holder {
        Some(PositionHolder::Operator) => number(text),
        Some(PositionHolder::Caller(holder)) if PositionTokens::is_formed(text) => {
            let opened = api.app.keyring.position_tokens.open(holder, text).await?;
            return opened.ok_or_else(|| Problem::of(ProblemKind::PositionExpired));
        }
        Some(PositionHolder::Caller(_)) | None => None,
    };
    position.ok_or_else(|| refused(holder))
}

impl IntoParams for MinPosition {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "`Lethe-Position` of a write that must be seen, or of several: it is waited for, 2 seconds \
            at most. An operator's is a number.";
        let schema = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
        let schema = schema.max_length(Some(1024)).pattern(Some(POSITIONS));
        vec![schemas::header(AWAITED, Required::False, description, schema)]
    }
}

fn number(text: &str) -> Option<i64> {
    text.parse().ok().filter(|position| *position >= 0)
}

fn refused(holder: Option<PositionHolder>) -> Problem {
    let detail = match holder {
        Some(PositionHolder::Operator) => "this must be a position, a whole number, or several",
        Some(PositionHolder::Caller(_)) | None => NO_POSITIONS,
    };
    Problem::header(AWAITED, detail)
}

/// # Errors
/// The projection did not get to this position in time.
pub async fn reached<P: Projection>(api: &Api, position: i64) -> Result<(), Problem> {
    if wait::<P>(api, position, WAIT).await? { Ok(()) } else { Err(not_yet()) }
}

/// Whether the projection has this position now.
///
/// # Errors
/// The database does not answer.
pub async fn is_reached<P: Projection>(api: &Api, position: i64) -> Result<bool, Problem> {
    Ok(wait::<P>(api, position, Duration::ZERO).await?)
}

async fn wait<P: Projection>(api: &Api, position: i64, limit: Duration) -> Result<bool, PgError> {
    api.app.read_positions.wait_for::<P>(&api.app.pool, position, limit).await
}

fn not_yet() -> Problem {
    Problem::of(ProblemKind::NotYet).with_header(header::RETRY_AFTER, 1)
}

impl FromRequest for MinPosition {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Ok(Self(request.clone())))
    }
}
