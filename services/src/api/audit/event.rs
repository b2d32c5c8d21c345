//! An event as auditors see it: opaque ids, and no personal field.

use chrono::{DateTime, Utc};
use infra::log::Recorded;
use projections::audit_trail::Entry;
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

    /// # Errors
    /// Data that is no JSON: the row is damaged, and is not shown as if it had no data.
    pub fn entry(entry: &'a Entry) -> Result<Self, serde_json::Error> {
        Ok(Self {
            position: entry.position,
            tenant: entry.tenant_id.0,
            stream_type: &entry.stream_type,
            stream: entry.stream_id,
            version: entry.version,
            event: entry.event_id.0,
            r#type: &entry.event_type,
            actor: entry.actor.map(|actor| actor.0),
            session: entry.session.map(|session| session.0),
            request: entry.request,
            correlation: entry.correlation,
            causation: entry.causation.map(|event| event.0),
            subjects: entry.subjects.clone(),
            recorded_at: entry.recorded_at,
            data: serde_json::from_str(&entry.data.0)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::{EventId, TenantId};
    use infra::log::JsonString;

    use super::*;

    fn entry(data: &str) -> Entry {
        Entry {
            position: 1,
            tenant_id: TenantId(Uuid::nil()),
            stream_type: "account".to_owned(),
            stream_id: Uuid::nil(),
            version: 1,
            event_id: EventId(Uuid::nil()),
            event_type: "account.registered".to_owned(),
            schema_version: 1,
            actor: None,
            session: None,
            request: None,
            correlation: None,
            causation: None,
            subjects: vec![],
            data: JsonString(data.to_owned()),
            sealed: None,
            recorded_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_damaged_row_is_an_error_and_not_an_event_without_data() {
        assert!(AuditEvent::entry(&entry(r#"{"limit":5}"#)).is_ok());
        assert!(AuditEvent::entry(&entry(r#"{"limit":"#)).is_err());
    }
}
