//! Why a request is refused, as `application/problem+json` (RFC 9457).

use std::borrow::Cow;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub use super::problem_kinds::ProblemKind;

/// What is wrong with a field, a parameter or a header. It never repeats a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    #[serde(flatten)]
    at: At,
    detail: Cow<'static, str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// A JSON pointer (RFC 6901) into the body.
    Pointer(String),
    /// A parameter of the query.
    Parameter(String),
    /// A header of the request.
    Header(String),
}

impl FieldError {
    pub fn new(at: At, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { at, detail: detail.into() }
    }

    /// Points at this member of what it points at, in a body.
    pub fn descend(&mut self, member: &str) {
        if let At::Pointer(pointer) = &mut self.at {
            pointer.push('/');
            pointer.push_str(member);
        }
    }
}

/// A refusal on its way out.
#[derive(Clone, Debug)]
pub struct Problem(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: ProblemKind,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// `application/problem+json` (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemView<'a> {
    /// A relative address, stable and readable.
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    errors: &'a [FieldError],
    /// What only some kinds have (RFC 9457, 3.2).
    #[serde(flatten)]
    #[schema(ignore)]
    members: &'a Map<String, Value>,
}

impl Problem {
    pub fn new(kind: ProblemKind, detail: impl Into<Cow<'static, str>>) -> Self {
        let (errors, members, headers) = (vec![], Map::new(), vec![]);
        Self(Box::new(Inner { kind, detail: detail.into(), errors, members, headers }))
    }

    pub fn of(kind: ProblemKind) -> Self {
        Self::new(kind, kind.help())
    }

    pub fn invalid(kind: ProblemKind, errors: Vec<FieldError>) -> Self {
        let mut problem = Self::of(kind);
        problem.0.errors = errors;
        problem
    }

    pub fn header(name: &'static str, detail: &'static str) -> Self {
        Self::invalid(
            ProblemKind::BadHeader,
            vec![FieldError::new(At::Header(name.to_owned()), detail)],
        )
    }

    /// For a field of the body that is well formed and not acceptable.
    pub fn field(name: &str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::invalid(
            ProblemKind::BadBody,
            vec![FieldError::new(At::Pointer(format!("/{name}")), detail)],
        )
    }

    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.0.headers.push((name, value.into()));
        self
    }

    pub fn kind(&self) -> ProblemKind {
        self.0.kind
    }

    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// What is wrong with the field of the body that has this name.
    pub fn of_field(&self, name: &str) -> Option<&str> {
        let is_of = |error: &&FieldError| match &error.at {
            At::Pointer(pointer) => pointer.strip_prefix('/') == Some(name),
            At::Parameter(_) | At::Header(_) => false,
        };
        self.0.errors.iter().find(is_of).map(|error| &*error.detail)
    }

    /// The values that the answer has for a header.
    pub fn header_values(&self, name: HeaderName) -> impl Iterator<Item = &HeaderValue> {
        self.0.headers.iter().filter(move |(of, _)| *of == name).map(|(_, value)| value)
    }

    /// An extension member: its name is part of what the kind means.
    #[must_use]
    pub fn with_member(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.members.insert(name.to_owned(), value.into());
        self
    }

    /// Whether the status is 4xx: the request is refused, and not only unanswered. Of too many requests nobody
    /// knows whether each alone would be.
    pub fn is_refusal(&self) -> bool {
        let status = self.0.kind.status();
        status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS
    }

    /// The body of the answer.
    pub fn view(&self) -> ProblemView<'_> {
        let Inner { kind, detail, errors, members, .. } = &*self.0;
        ProblemView {
            r#type: format!("/problems/{}", kind.slug()),
            title: kind.title(),
            status: kind.status().as_u16(),
            detail,
            errors,
            members,
        }
    }

    /// A failure that the client did not cause. Its reason is logged, and not sent to the client.
    pub fn unavailable(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = %chain(error), "a request could not be served");
        Self::of(ProblemKind::Unavailable).with_header(header::RETRY_AFTER, 1)
    }

    pub fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = %chain(error), "a request failed");
        Self::of(ProblemKind::Internal)
    }
}

/// An error with its sources, which a database error needs to say anything.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.kind.slug())
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.0.kind.status()
    }

    fn error_response(&self) -> HttpResponse {
        let Inner { kind, headers, .. } = &*self.0;
        let mut answer = HttpResponse::build(kind.status());
        for (name, value) in headers {
            answer.append_header((name.clone(), value.clone()));
        }
        if kind.status() == StatusCode::UNAUTHORIZED {
            let realm =
                if *kind == ProblemKind::OperatorNeeded { "lethe operators" } else { "lethe" };
            let challenge = format!(r#"Bearer realm="{realm}""#);
            answer.insert_header((header::WWW_AUTHENTICATE, challenge));
        }
        answer.insert_header((header::CONTENT_TYPE, "application/problem+json"));
        answer.body(serde_json::to_vec(&self.view()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_error_is_shown_with_its_pointer() {
        let field_error = FieldError::new(At::Pointer("/email".to_owned()), "this is empty");
        let view = serde_json::to_value(field_error).map_err(|e| e.to_string());
        assert_eq!(view, Ok(serde_json::json!({ "pointer": "/email", "detail": "this is empty" })));
    }

    #[test]
    fn a_refusal_without_a_session_says_how_to_sign_in() {
        let answer = Problem::of(ProblemKind::Unauthorised).error_response();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert!(answer.headers().contains_key(header::WWW_AUTHENTICATE));
    }
}
