//! An event as auditors see it: opaque ids, and no personal field.

use chrono::{DateTime, Utc};
use infra::log::Recorded;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

/// Pseudonymous: a personal field stands as the word `sealed`.
#[derive(Serialize, ToSchema)]
pub struct AuditEvent<'a> {
    pub position: i64,
    tenant: Uuid,
    stream_type: &'a str,
    stream: Uuid,
    version: i64,
    event: Uuid,
    r#type: &'a str,
    actor: Option<Uuid>,
    session: Option<Uuid>,
    request: Option<Uuid>,
    correlation: Option<Uuid>,
    causation: Option<Uuid>,
    /// Whom it is about.
    subjects: Vec<Uuid>,
    recorded_at: DateTime<Utc>,
    #[schema(value_type = Object)]
    data: &'a RawValue,
}

impl<'a> AuditEvent<'a> {
    /// # Errors
    /// Data that is no JSON, which the log cannot hold.
    pub fn recorded(event: &'a Recorded) -> Result<Self, serde_json::Error> {
        Ok(Self {
            position: event.position(),
            tenant: event.tenant().0,
            stream_type: event.stream_type(),
            stream: event.stream_id(),
            version: event.version(),
            event: event.event_id().0,
            r#type: event.event_type(),
            actor: event.actor().map(|actor| actor.0),
            session: event.session().map(|session| session.0),
            request: event.request(),
            correlation: event.correlation(),
            causation: event.causation().map(|event| event.0),
            subjects: event.subjects().into_iter().map(|subject| subject.0).collect(),
            recorded_at: event.recorded_at(),
            data: serde_json::from_str(event.data())?,
        })
    }
}
