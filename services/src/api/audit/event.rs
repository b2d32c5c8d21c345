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
    tenant_id: Uuid,
    stream_type: &'a str,
    stream_id: Uuid,
    version: i64,
    event_id: Uuid,
    r#type: &'a str,
    actor_id: Option<Uuid>,
    session_id: Option<Uuid>,
    request_id: Option<Uuid>,
    correlation_id: Option<Uuid>,
    causation_id: Option<Uuid>,
    /// Whom it is about.
    subject_ids: Vec<Uuid>,
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
            tenant_id: event.tenant().0,
            stream_type: event.stream_type(),
            stream_id: event.stream_id(),
            version: event.version(),
            event_id: event.event_id().0,
            r#type: event.event_type(),
            actor_id: event.actor().map(|actor| actor.0),
            session_id: event.session().map(|session| session.0),
            request_id: event.request(),
            correlation_id: event.correlation(),
            causation_id: event.causation().map(|event| event.0),
            subject_ids: event.subjects().into_iter().map(|subject| subject.0).collect(),
            recorded_at: event.recorded_at(),
            data: serde_json::from_str(event.data())?,
        })
    }
}
