//! What a write answers: where in the log it stands, and at which version its stream.

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpResponse, HttpResponseBuilder};
use infra::event_store::Receipt;

use crate::api::http::precondition::etag;

pub const POSITION: &str = "Lethe-Position";

/// The version is that of the first step's stream.
pub fn written(status: StatusCode, receipt: &Receipt) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    if receipt.last > 0 {
        answer.insert_header((POSITION, receipt.last));
    }
    if let Some(version) = receipt.versions.first().filter(|version| **version > 0) {
        answer.insert_header((header::ETAG, etag(*version)));
    }
    answer
}

pub fn done(receipt: &Receipt) -> HttpResponse {
    written(StatusCode::NO_CONTENT, receipt).finish()
}

pub fn accepted(receipt: &Receipt) -> HttpResponse {
    written(StatusCode::ACCEPTED, receipt).finish()
}
