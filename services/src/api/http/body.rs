//! The body of a request: JSON, of a bounded size, read where the handler needs it.

use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;

use crate::api::http::fields::{Fields, FromFields};
use crate::api::http::problem::{Problem, ProblemKind};

pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// The bytes of a body that should be an `F`. The handler reads it, after the
/// authorisation: who is not authorised does not learn what would fit.
pub struct Body<F> {
    json: bool,
    bytes: Bytes,
    form: PhantomData<F>,
}

impl<F: FromFields> Body<F> {
    /// The form, and the bytes that it was read from.
    ///
    /// # Errors
    /// What does not fit.
    pub fn read(self) -> Result<(F, Vec<u8>), Problem> {
        let absent = F::EMPTY && self.bytes.is_empty();
        if !self.json && !absent {
            return Err(Problem::of(ProblemKind::ContentType));
        }
        Ok((Fields::body(&self.bytes)?, self.bytes.to_vec()))
    }
}

impl<F: FromFields> FromRequest for Body<F> {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let json = is_json(request);
        let bytes = Bytes::from_request(request, payload);
        Box::pin(async move {
            let bytes = bytes.await.map_err(|error| refuse(&error))?;
            Ok(Self { json, bytes, form: PhantomData })
        })
    }
}

/// JSON in UTF-8, as it is: no content encoding.
pub fn is_json(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        && !headers.contains_key(header::CONTENT_ENCODING)
}

fn refuse(error: &actix_web::Error) -> Problem {
    match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => Problem::of(ProblemKind::TooLarge),
        _ if error.as_response_error().status_code() == ProblemKind::TooLarge.status() => {
            Problem::of(ProblemKind::TooLarge)
        }
        _ => Problem::new(ProblemKind::BadJson, "The body ended too early: send all of it."),
    }
}

/// The query of a request, as an `F`.
pub struct Query<F>(pub F);

impl<F: FromFields> FromRequest for Query<F> {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Fields::query(request.query_string()).map(Self))
    }
}
