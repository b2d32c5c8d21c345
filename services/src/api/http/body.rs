//! The body of a request: JSON, of a bounded size, read where the handler needs it.

use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::web::{self, Bytes};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::future::LocalBoxFuture;

use crate::api::auth::caller::{ReadsBody, has_body, wait_for_the_same};
use crate::api::http::fields::{Fields, FromFields};
use crate::api::http::problem::{Problem, ProblemKind};

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
        let said = request.headers().get(header::CONTENT_LENGTH);
        let said = said.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        request.extensions_mut().insert(ReadsBody);
        let asked = request.clone();
        let payload = web::Payload::from_request(request, payload);
        Box::pin(async move {
            let too_large = || Problem::of(ProblemKind::TooLarge);
            if said.is_some_and(|said| said > F::BYTES_MAX) {
                return Err(too_large().into());
            }
            let bytes = payload.await?.to_bytes_limited(F::BYTES_MAX).await;
            let bytes = bytes.map_err(|_| too_large())?.map_err(|_| {
                Problem::new(ProblemKind::BadJson, "The body ended too early: send all of it.")
            })?;
            if has_body(&asked) {
                wait_for_the_same(&asked).await?;
            }
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

/// The query of a request, as an `F`.
pub struct Query<F>(pub F);

impl<F: FromFields> FromRequest for Query<F> {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Fields::query(request.query_string()).map(Self))
    }
}
