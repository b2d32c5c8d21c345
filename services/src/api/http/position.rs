//! Lethe-Min-Position: a read that waits until a projection has come so far.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest};

use infra::log::Projection;

use crate::api::Api;
use crate::api::http::problem::{Problem, ProblemKind};

const NAME: &str = "Lethe-Min-Position";
const WAIT: Duration = Duration::from_secs(2);

pub struct MinPosition(Option<i64>);

impl MinPosition {
    /// # Errors
    /// The projection did not get there in time.
    pub async fn reached<P: Projection>(&self, api: &Api) -> Result<(), Problem> {
        let Some(position) = self.0 else { return Ok(()) };
        let app = &api.app;
        let reached = app.read_positions.wait_for::<P>(&app.pool, position, WAIT).await;
        if reached? { Ok(()) } else { Err(not_yet()) }
    }
}

pub fn not_yet() -> Problem {
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
