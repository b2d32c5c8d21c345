//! One row of a projection as the log has it: with the events that its reader has not come to yet.

use tokio_postgres::Row as SqlRow;
use tokio_postgres::types::ToSql;
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
    let (mut held, mut row, mut whole_before) = (None::<i64>, None, None::<i64>);
    if let Some(found) = rows.find(key, stream).await? {
        held = found.try_get("position")?;
        row = held.map(|_| P::Row::read(&found)).transpose()?;
        whole_before = found.try_get("whole_before")?;
        let is_current = match found.try_get("last_in_stream")? {
            Some(last) => held >= Some(last),
            None => whole_before.is_some(),
        };
        if is_current {
            return Ok(row);
        }
    }
    let client = rows.pool.get().await.map_err(PgError::from)?;
    let events = client.prepare_cached(EVENTS).await?;
    // What the row lacks is known from the statement that found it: its reader may be further by now.
    let of: [&(dyn ToSql + Sync); 3] = [&stream, &held.unwrap_or_default(), &whole_before];
    let events = client.query(&events, &of).await?;
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

#[cfg(test)]
mod tests {
    use test_support::databases;

    use super::*;
    use crate::postgres::{ConnectOptions, connect_one};

    const STREAM: Uuid = Uuid::from_u128(3);
    /// An event of the stream in the oldest of three partitions, and none since; the last one is the recent part.
    const FILL: &str = "
        drop table event_log.events_1;
        select event_log.create_partition(1, 10), event_log.create_partition(11, 20),
          event_log.create_partition(21, 1000);
        insert into event_log.events (position, tenant_id, stream_type, stream_id, version, event_id,
          event_type, schema_version, data, subjects, recorded_at)
        select n, gen_random_uuid(), 'tally', case n when 3 then '{stream}' else gen_random_uuid() end, 1,
          gen_random_uuid(), 'tally.added', 1, '{}', '{}', now()
        from generate_series(1, 25) n;
        create or replace function event_log.recent_from() returns bigint
          language sql stable as 'select 21::bigint'";

    #[tokio::test]
    async fn a_row_that_was_idle_for_long_opens_no_partition_that_its_reader_has_read() {
        let databases = databases().await.unwrap();
        let owner = connect_one(&databases.log_url, &ConnectOptions::unlimited()).await.unwrap();
        let stream = STREAM.to_string();
        owner.batch_execute(&FILL.replace("{stream}", &stream)).await.unwrap();
        let prepare = format!("prepare events (uuid, bigint, bigint) as {EVENTS}");
        owner.batch_execute(&prepare).await.unwrap();
        let opens = async |held: i64, whole_before: &str| {
            let execute = format!(
                "explain (analyze, costs off) execute events ('{stream}', {held}, {whole_before})"
            );
            let plan = owner.query(&execute, &[]).await.unwrap();
            let lines: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
            let of = |line: &&String| line.contains("on events_11 ");
            lines.iter().any(|line| of(&line) && !line.contains("never executed"))
        };

        assert!(!opens(3, "21").await);
        assert!(opens(0, "null").await, "without a row all is folded");
        assert!(opens(3, "null").await, "its reader has not come so far, or waits");
        assert!(opens(3, "11").await, "the recent part has moved on since");
    }
}
