//! An event as it is in the log.

use chrono::{DateTime, Utc};
use domain::privacy::put_together;
use domain::{ActorId, DecodeError, Event, EventId, SessionId, SubjectId, TenantId};
use tokio_postgres::types::FromSql;
use tokio_postgres::{Error, Row};
use uuid::Uuid;

use super::json::JsonText;
use crate::postgres::describe;

/// A row with the columns of `page.sql`, in that order, every one of which was read. Its texts and
/// bytes are borrowed from the row.
#[derive(Debug)]
pub struct Recorded {
    position: i64,
    tenant: TenantId,
    stream_id: Uuid,
    version: i64,
    event_id: EventId,
    schema_version: i16,
    actor: Option<ActorId>,
    session: Option<SessionId>,
    request: Option<Uuid>,
    correlation: Option<Uuid>,
    causation: Option<EventId>,
    at: DateTime<Utc>,
    row: Row,
}

/// An event with a value that no append writes. No reader goes past it.
#[derive(Debug, thiserror::Error)]
#[error("the event at position {position} cannot be read: {reason}")]
pub struct DamagedEvent {
    /// Where it stands; 0 when the position itself cannot be read.
    pub position: i64,
    /// Which column, never its value.
    pub reason: String,
}

impl TryFrom<Row> for Recorded {
    type Error = DamagedEvent;

    fn try_from(row: Row) -> Result<Self, DamagedEvent> {
        let position = row.try_get(0).unwrap_or_default();
        Self::read(row).map_err(|error| DamagedEvent { position, reason: describe(&error) })
    }
}

impl Recorded {
    fn read(row: Row) -> Result<Self, Error> {
        // These are borrowed from the row later: here only whether they can be.
        let _: (&str, &str, JsonText<'_>) = (row.try_get(2)?, row.try_get(6)?, row.try_get(8)?);
        let _: (Option<&[u8]>, Vec<Uuid>) = (row.try_get(9)?, row.try_get(10)?);
        Ok(Self {
            position: row.try_get(0)?,
            tenant: TenantId(row.try_get(1)?),
            stream_id: row.try_get(3)?,
            version: row.try_get(4)?,
            event_id: EventId(row.try_get(5)?),
            schema_version: row.try_get(7)?,
            actor: row.try_get::<_, Option<Uuid>>(11)?.map(ActorId),
            session: row.try_get::<_, Option<Uuid>>(12)?.map(SessionId),
            request: row.try_get(13)?,
            correlation: row.try_get(14)?,
            causation: row.try_get::<_, Option<Uuid>>(15)?.map(EventId),
            at: row.try_get(16)?,
            row,
        })
    }

    /// A column that `read` has seen to be readable: there is no default.
    fn borrowed<'a, T: FromSql<'a> + Default>(&'a self, at: usize) -> T {
        self.row.try_get(at).unwrap_or_default()
    }

    /// Where it stands in the log: 1 is the first.
    pub const fn position(&self) -> i64 {
        self.position
    }

    /// Whose it is: a workspace, or an account for the account's own streams.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The kind of aggregate, such as `account`.
    pub fn stream_type(&self) -> &str {
        self.borrowed(2)
    }

    /// The aggregate.
    pub const fn stream_id(&self) -> Uuid {
        self.stream_id
    }

    /// Its number in the stream: 1 is the first.
    pub const fn version(&self) -> i64 {
        self.version
    }

    /// Derived from the command that caused it.
    pub const fn event_id(&self) -> EventId {
        self.event_id
    }

    /// The kind of event, such as `account.registered`.
    pub fn event_type(&self) -> &str {
        self.borrowed(6)
    }

    /// The version of the event type's JSON that `data` is in.
    pub const fn schema_version(&self) -> i16 {
        self.schema_version
    }

    /// The clear part, as JSON.
    pub fn data(&self) -> &str {
        self.borrowed::<JsonText<'_>>(8).0
    }

    /// The ciphertexts of the personal fields.
    pub fn sealed(&self) -> Option<&[u8]> {
        self.borrowed(9)
    }

    /// Whom its personal fields are about.
    pub fn subjects(&self) -> Vec<SubjectId> {
        self.borrowed::<Vec<Uuid>>(10).into_iter().map(SubjectId).collect()
    }

    /// Who caused it; none when a worker did.
    pub const fn actor(&self) -> Option<ActorId> {
        self.actor
    }

    /// The session of the request that caused it.
    pub const fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// The request that caused it.
    pub const fn request(&self) -> Option<Uuid> {
        self.request
    }

    /// The first request of the chain that it belongs to.
    pub const fn correlation(&self) -> Option<Uuid> {
        self.correlation
    }

    /// The event that it follows from.
    pub const fn causation(&self) -> Option<EventId> {
        self.causation
    }

    /// When it was appended, by the database's clock.
    pub const fn recorded_at(&self) -> DateTime<Utc> {
        self.at
    }

    /// The event itself, its personal fields sealed.
    ///
    /// # Errors
    /// An event that this code does not know, or whose columns do not fit together.
    pub fn decode<E: Event>(&self) -> Result<E, DecodeError> {
        let mut event = E::decode(self.event_type(), self.schema_version(), self.data())?;
        put_together(&mut event, self.sealed())?;
        Ok(event)
    }
}
