//! An event as it stands in the log.

use chrono::{DateTime, Utc};
use domain::privacy::put_together;
use domain::{ActorId, DecodeError, Event, EventId, SessionId, SubjectId, TenantId};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;
use uuid::Uuid;

use super::json::JsonText;

/// A row with the columns of `page.sql`, in that order. What it shows is borrowed from the row.
#[derive(Debug)]
pub struct Recorded(Row);

impl From<Row> for Recorded {
    fn from(row: Row) -> Self {
        Self(row)
    }
}

impl Recorded {
    // The columns' types are fixed by the query and the migration: nothing else can come.
    fn column<'a, T: FromSql<'a> + Default>(&'a self, at: usize) -> T {
        self.0.try_get(at).unwrap_or_default()
    }

    pub fn position(&self) -> i64 {
        self.column(0)
    }

    pub fn tenant(&self) -> TenantId {
        TenantId(self.column(1))
    }

    pub fn stream_type(&self) -> &str {
        self.column(2)
    }

    pub fn stream_id(&self) -> Uuid {
        self.column(3)
    }

    pub fn version(&self) -> i64 {
        self.column(4)
    }

    pub fn event_id(&self) -> EventId {
        EventId(self.column(5))
    }

    pub fn event_type(&self) -> &str {
        self.column(6)
    }

    pub fn schema_version(&self) -> i16 {
        self.column(7)
    }

    /// The clear part, as JSON.
    pub fn data(&self) -> &str {
        self.column::<JsonText<'_>>(8).0
    }

    /// The ciphertexts of the personal fields.
    pub fn sealed(&self) -> Option<&[u8]> {
        self.column(9)
    }

    pub fn subjects(&self) -> Vec<SubjectId> {
        self.column::<Vec<Uuid>>(10).into_iter().map(SubjectId).collect()
    }

    pub fn actor(&self) -> Option<ActorId> {
        self.column::<Option<Uuid>>(11).map(ActorId)
    }

    pub fn session(&self) -> Option<SessionId> {
        self.column::<Option<Uuid>>(12).map(SessionId)
    }

    pub fn request(&self) -> Option<Uuid> {
        self.column(13)
    }

    pub fn correlation(&self) -> Option<Uuid> {
        self.column(14)
    }

    pub fn causation(&self) -> Option<EventId> {
        self.column::<Option<Uuid>>(15).map(EventId)
    }

    pub fn recorded_at(&self) -> DateTime<Utc> {
        self.column(16)
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
