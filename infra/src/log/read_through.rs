//! One row of a projection as the log has it: with the events that its reader has not come to yet.

use tokio_postgres::Row as SqlRow;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::any_projection::table_name;
use super::projection::Row;
use super::value::Value;
use super::{FeedError, Projection, Recorded};
use crate::postgres::{GenericClient, PgError, Pool};

/// The row, and the last event of its stream in the log's recent part. No row, no position.
const ROW: &str = "select {columns}, (select position from event_log.events \
    where stream_id = $2 and position >= event_log.recent_from() order by version desc limit 1) \
    from (select) one left join read_models.{table} on {key} = $1";
const EVENTS: &str = include_str!("read_through.sql");

/// The row of a key, with every event of its `stream` that was committed before the call. Events are folded as
/// the reader folds them, in memory; nothing is written. The row ends before an event that does not fit it, as it
/// does for the reader.
///
/// # Errors
/// The database does not answer, or an event is damaged.
pub async fn read_through<P: Projection>(
    pool: &Pool,
    key: P::Key,
    stream: Uuid,
) -> Result<Option<P::Row>, FeedError> {
    let client = pool.get().await.map_err(PgError::from)?;
    let (mut held, mut last, mut row) = (None::<i64>, None::<i64>, None);
    match client.prepare_cached(&filled::<P>()).await {
        Ok(find) => {
            let found = client.query_one(&find, &[key.sql(), &stream]).await?;
            held = found.try_get("position")?;
            last = found.try_get(P::Row::columns().len())?;
            row = held.map(|_| P::Row::read(&found)).transpose()?;
        }
        // No reader has made the table yet.
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => {}
        Err(error) => return Err(error.into()),
    }
    if held.zip(last).is_some_and(|(held, last)| held >= last) {
        return Ok(row);
    }
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

fn filled<P: Projection>() -> String {
    let columns = P::Row::columns();
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    ROW.replace("{table}", &table_name(P::NAME, P::VERSION))
        .replace("{key}", names.first().copied().unwrap_or_default())
        .replace("{columns}", &names.join(", "))
}
