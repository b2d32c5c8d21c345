//! How far a generation is, and what is known of it.

use chrono::{DateTime, Utc};
use tokio_postgres::Row;
use uuid::Uuid;

use crate::postgres::PgError;

domain::named_enum! {
    /// How far a generation is.
    pub enum GenerationState {
        /// Somebody wants it, and no programme builds it yet.
        Requested = "requested",
        /// It is built from the log.
        Building = "building",
        /// It is whole: the reader writes it beside the live one, and nobody has seen it.
        Joined = "joined",
        /// The view shows it.
        Live = "live",
        /// The view has shown it, and the reader writes it still.
        Kept = "kept",
        /// Its table is gone.
        Dropped = "dropped",
        /// It was not wanted any more before it was whole.
        Cancelled = "cancelled",
        /// It could not be built, or not be written on.
        Failed = "failed",
    }
}

impl GenerationState {
    /// Those whose tables the reader writes.
    pub(super) const WRITTEN: [Self; 3] = [Self::Joined, Self::Live, Self::Kept];
}

/// The table of one projection that was built from the log, or is being built.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct Generation {
    pub name: String,
    pub version: i16,
    pub generation: i32,
    pub state: GenerationState,
    /// Its rows are those of the events up to here.
    pub position: i64,
    /// How far it is built, before its reader writes it.
    pub ceiling: i64,
    /// Which programme has built it, as [`Build`](crate::build_id::Build) says; empty: it is not known.
    pub build: String,
    /// The node that builds it.
    pub node: Option<Uuid>,
    pub requested_at: DateTime<Utc>,
    pub built_at: Option<DateTime<Utc>>,
    pub live_at: Option<DateTime<Utc>>,
    /// When it was dropped or cancelled, or has failed.
    pub ended_at: Option<DateTime<Utc>>,
    /// Until when a kept one is kept.
    pub keep_until: Option<DateTime<Utc>>,
    /// How many streams wait for an operator, for this generation.
    pub parked: i64,
    /// Of its table and indexes.
    pub bytes: i64,
    /// Without any value of an event.
    pub error: Option<String>,
}

impl Generation {
    /// Of the columns of `list.sql`.
    pub(super) fn from_row(row: &Row) -> Result<Self, PgError> {
        let state: &str = row.try_get(3)?;
        let unknown = || PgError::Database(format!("no generation is {state} in this version"));
        Ok(Self {
            name: row.try_get(0)?,
            version: row.try_get(1)?,
            generation: row.try_get(2)?,
            state: GenerationState::parse(state).ok_or_else(unknown)?,
            position: row.try_get(4)?,
            ceiling: row.try_get(5)?,
            build: row.try_get(6)?,
            node: row.try_get(7)?,
            requested_at: row.try_get(8)?,
            built_at: row.try_get(9)?,
            live_at: row.try_get(10)?,
            ended_at: row.try_get(11)?,
            keep_until: row.try_get(12)?,
            parked: row.try_get(13)?,
            bytes: row.try_get(14)?,
            error: row.try_get(15)?,
        })
    }
}
