//! One row of a projection as the log has it: with the events that its reader has not come to yet.

use tokio_postgres::Row as SqlRow;
use uuid::Uuid;

use super::projection::Row;
use super::row_lookups::RowLookups;
use super::{FeedError, Projection, Recorded};
use crate::postgres::PgError;

const EVENTS: &str = include_str!("read_through.sql");

/// The row of a key, with every event of its `stream` that was committed before the call. Events are folded as
/// the reader folds them, in memory; nothing is written. The row ends before an event that does not fit it, as it
/// does for the reader.
///
/// # Errors
/// The database does not answer, or an event is damaged.
pub async fn read_through<P: Projection>(
    rows: &RowLookups<P>,
    key: P::Key,
    stream: Uuid,
) -> Result<Option<P::Row>, FeedError> {
    let (mut held, mut row) = (None::<i64>, None);
    if let Some(found) = rows.find(key, stream).await? {
        held = found.try_get("position")?;
        row = held.map(|_| P::Row::read(&found)).transpose()?;
        let last: Option<i64> = found.try_get("last")?;
        if held.zip(last).is_some_and(|(held, last)| held >= last) {
            return Ok(row);
        }
    }
    let client = rows.pool.get().await.map_err(PgError::from)?;
    let events = client.prepare_cached(EVENTS).await?;
    let events = client.query(&events, &[&stream, &held.unwrap_or_default()]).await?;
    fold_on::<P>(row, events)
}

fn fold_on<P: Projection>(
    mut row: Option<P::Row>,
    events: Vec<SqlRow>,
) -> Result<Option<P::Row>, FeedError> {
    for event in events {
        let event = Recorded::try_from(event)?;
        let position = event.position();
        // A log that went back has its numbers again.
        let is_held = row.as_ref().is_some_and(|row| row.position() >= position);
        if is_held || !wants::<P>(event.event_type()) {
            continue;
        }
        if let Err(poison) = P::fold(&mut row, &event) {
            tracing::debug!(projection = P::NAME, position, %poison, "a row ends before an event");
            break;
        }
        if let Some(row) = &mut row {
            row.set_position(position);
        }
    }
    Ok(row)
}

fn wants<P: Projection>(event_type: &str) -> bool {
    P::EVENT_TYPES.is_empty() || P::EVENT_TYPES.contains(&event_type)
}
