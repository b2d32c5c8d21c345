//! The answer to a write: its position in the log and the stream's version (`ETag`).

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpResponse, HttpResponseBuilder};
use infra::event_store::Receipt;
use serde::Serialize;

use crate::api::http::precondition::etag;

pub const POSITION: &str = "Lethe-Position";

/// The version is that of the first step's stream.
pub fn written(status: StatusCode, receipt: &Receipt) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    insert_position(&mut answer, receipt);
    let version = receipt.version();
    if version > 0 {
        answer.insert_header((header::ETAG, etag(version)));
    }
    answer
}

/// The position of the last event of a write, for a read that must see it; `None` if nothing changed.
pub fn insert_position(answer: &mut HttpResponseBuilder, receipt: &Receipt) {
    if let Some(position) = receipt.position() {
        answer.insert_header((POSITION, position));
    }
}

/// The thing that was written, whole: as it is at this version, which may be later than the write.
pub fn shown<V: Serialize>(
    status: StatusCode,
    receipt: &Receipt,
    version: i64,
    view: V,
) -> HttpResponse {
    whole(status, receipt, version).json(view)
}

/// A thing that is new, in the same way. A GET of `location` shows it.
pub fn created<V: Serialize>(
    location: String,
    receipt: &Receipt,
    version: i64,
    view: V,
) -> HttpResponse {
    let location = (header::LOCATION, location);
    whole(StatusCode::CREATED, receipt, version).insert_header(location).json(view)
}

fn whole(status: StatusCode, receipt: &Receipt, version: i64) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    insert_position(&mut answer, receipt);
    answer.insert_header((header::ETAG, etag(version)));
    answer
}

pub fn done(receipt: &Receipt) -> HttpResponse {
    written(StatusCode::NO_CONTENT, receipt).finish()
}

pub fn accepted(receipt: &Receipt) -> HttpResponse {
    written(StatusCode::ACCEPTED, receipt).finish()
}
