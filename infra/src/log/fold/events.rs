//! The events of some streams, each up to a position of its own.

use futures_util::TryStreamExt;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{FoldError, FoldedRows};
use crate::log::any_projection::AnyProjection;
use crate::log::work::Poisoned;
use crate::log::{FeedError, NewestVersion, Reader, Recorded};
use crate::postgres::Transaction;

const EVENTS: &str = include_str!("stream_events.sql");

/// What the events of some streams have made.
pub(super) struct Folded {
    pub rows: Box<dyn FoldedRows>,
    /// The first event of each stream that does not fit. The stream ends before it.
    pub poisoned: Vec<Poisoned>,
}

/// The rows of these streams as their events make them, each up to its position.
pub(super) async fn fold(
    tx: &Transaction<'_>,
    (reader, projection): (&Reader, &dyn AnyProjection),
    streams: &[(Uuid, i64)],
    newest_version: NewestVersion,
) -> Result<Folded, FoldError> {
    let events = tx.prepare_cached(EVENTS).await?;
    let mut folded = Folded { rows: projection.folded(), poisoned: Vec::new() };
    for (stream, through) in streams {
        let values: [&(dyn ToSql + Sync); 2] = [stream, through];
        let mut found = tx.query_raw(&events, values).await?;
        let mut is_over = false;
        while let Some(row) = found.try_next().await? {
            // The rest is read all the same: a connection in the middle of a statement is not used again.
            if is_over {
                continue;
            }
            let event = Recorded::try_from(row).map_err(FeedError::from)?;
            let (event_type, version) = (event.event_type(), event.schema_version());
            if reader.has_to_leave(event_type, version, newest_version) {
                let (position, event_type) = (event.position(), event_type.to_owned());
                return Err(FoldError::Unknown { position, event_type, version });
            }
            if !reader.reads(&event) {
                continue;
            }
            if let Some(poison) = folded.rows.fold(&event)? {
                is_over = true;
                let position = event.position();
                folded.poisoned.push(Poisoned { stream: *stream, position, poison });
            }
        }
    }
    Ok(folded)
}
