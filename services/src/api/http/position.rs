//! Lethe-Min-Position: a read that waits until a projection has come so far.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest};

use infra::log::Projection;
use infra::postgres::PgError;
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};

use crate::api::Api;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::schemas;

const NAME: &str = "Lethe-Min-Position";
const WAIT: Duration = Duration::from_secs(2);

pub struct MinPosition(Option<i64>);

impl MinPosition {
    pub const fn of(position: i64) -> Self {
        Self(Some(position))
    }

    /// Whether the projection has it now.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn is_reached<P: Projection>(&self, api: &Api) -> Result<bool, Problem> {
        Ok(self.wait::<P>(api, Duration::ZERO).await?)
    }

    /// # Errors
    /// The projection did not get there in time.
    pub async fn reached<P: Projection>(&self, api: &Api) -> Result<(), Problem> {
        if self.wait::<P>(api, WAIT).await? { Ok(()) } else { Err(not_yet()) }
    }

    async fn wait<P: Projection>(&self, api: &Api, limit: Duration) -> Result<bool, PgError> {
        let Some(position) = self.0 else { return Ok(true) };
        let app = &api.app;
        app.read_positions.wait_for::<P>(&app.pool, position, limit).await
    }
}

impl IntoParams for MinPosition {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description =
            "`Lethe-Position` of a write that must be seen: it is waited for, 2 seconds at most.";
        let schema = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
            .minimum(Some(0))
            .maximum(Some(i64::MAX));
        vec![schemas::header(NAME, Required::False, description, schema)]
    }
}

fn not_yet() -> Problem {
    Problem::of(ProblemKind::NotYet).with_header(header::RETRY_AFTER, 1)
}

impl FromRequest for MinPosition {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let position = request.headers().get(NAME).map(|value| {
            let position = value.to_str().ok().and_then(|text| text.parse::<i64>().ok());
            position
                .filter(|position| *position >= 0)
                .ok_or_else(|| Problem::header(NAME, "this must be a position: a whole number"))
        });
        std::future::ready(position.transpose().map(Self))
    }
}
