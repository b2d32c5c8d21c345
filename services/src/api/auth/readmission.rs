//! Whoever is answered for longer has to be admitted all the while.

use std::time::{Duration, Instant};

use actix_web::HttpRequest;

use crate::api::auth::member;
use crate::api::auth::operator::{Audit, Operator};
use crate::api::http::problem::Problem;

/// With the half second that a session is cached: nothing is sent later than a second after the session, the
/// membership, the right or the token ended.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// A request that was admitted, and is being answered.
pub struct Readmission {
    request: HttpRequest,
    reader: Reader,
    asked: Instant,
}

enum Reader {
    /// A member, who has the right that the action needs.
    Member,
    /// An operator, whose token opens the trail.
    Auditor,
}

impl Readmission {
    /// Of a request that was admitted just now.
    pub fn of_member(request: &HttpRequest) -> Self {
        Self { request: request.clone(), reader: Reader::Member, asked: Instant::now() }
    }

    /// As [`Self::of_member`], of an auditor.
    pub fn of_auditor(request: &HttpRequest) -> Self {
        Self { request: request.clone(), reader: Reader::Auditor, asked: Instant::now() }
    }

    /// Whether the caller would be admitted still. To be asked after what is to be sent was read: to read may
    /// take long. It is not counted as another request.
    ///
    /// # Errors
    /// It is not known.
    pub async fn stands(&mut self) -> Result<bool, Problem> {
        if self.asked.elapsed() < AGAIN_AFTER {
            return Ok(true);
        }
        self.asked = Instant::now();
        let admitted = match self.reader {
            Reader::Member => {
                member::find(&self.request).await.and_then(|member| member.authorise())
            }
            Reader::Auditor => Operator::<Audit>::find(&self.request).await.map(drop),
        };
        match admitted {
            Ok(()) => Ok(true),
            Err(problem) if problem.is_refusal() => Ok(false),
            Err(problem) => Err(problem),
        }
    }
}
