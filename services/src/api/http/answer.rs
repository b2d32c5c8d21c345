//! The answer to a write: its position (`Lethe-Position`) and the stream's version (`ETag`).

use std::fmt::Display;

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpResponse, HttpResponseBuilder};
use domain::AccountId;
use infra::event_store::Receipt;
use serde::Serialize;

use crate::api::http::deadline::in_time_behind_write;
use crate::api::http::position::{PositionHolder, WrittenAt};
use crate::api::http::precondition::etag;
use crate::api::http::problem::Problem;

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
        answer.extensions_mut().insert(WrittenAt(position));
    }
}

/// A thing that was read, whole, with its version as its `ETag`.
pub fn at_version<V: Serialize>(version: i64, view: V) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::ETAG, etag(version))).json(view)
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

/// What a write has made of a thing, read behind it: its version, which may be later than the write, and the view
/// of it.
pub type Read<V> = Result<(i64, V), Problem>;

/// The thing that was written, whole. The write has landed: where the thing cannot be read in time, or is gone
/// since, the answer says by its status and its headers what is known, and has no body.
pub async fn shown_if_read<V: Serialize>(
    status: StatusCode,
    receipt: &Receipt,
    read: impl Future<Output = Read<V>>,
) -> HttpResponse {
    match if_read(read).await {
        Some((version, view)) => shown(status, receipt, version, view),
        None => written(status, receipt).finish(),
    }
}

/// A thing that is new, in the same way.
pub async fn created_if_read<V: Serialize>(
    location: String,
    receipt: &Receipt,
    read: impl Future<Output = Read<V>>,
) -> HttpResponse {
    match if_read(read).await {
        Some((version, view)) => created(location, receipt, version, view),
        None => written(StatusCode::CREATED, receipt)
            .insert_header((header::LOCATION, location))
            .finish(),
    }
}

/// What is read behind a write that has landed; `None` where it cannot be read, or not in time.
pub async fn if_read<V, E: Display>(read: impl Future<Output = Result<V, E>>) -> Option<V> {
    // Else every future that reads behind its write has room for this one several times.
    let why = match in_time_behind_write(Box::pin(read)).await {
        Some(Ok(read)) => return Some(read),
        Some(Err(error)) => error.to_string(),
        None => "it took too long".to_owned(),
    };
    tracing::warn!(%why, "what was written is not shown: the answer says what is known");
    None
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

/// The answer to a write on the account of somebody who need not be signed in: the position is shown to the person
/// of the account.
pub fn of_account(account: AccountId, mut answer: HttpResponse) -> HttpResponse {
    answer.extensions_mut().insert(PositionHolder::Caller(account.into()));
    answer
}

pub fn accepted(receipt: &Receipt) -> HttpResponse {
    written(StatusCode::ACCEPTED, receipt).finish()
}
