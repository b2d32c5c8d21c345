//! What readers have read past the end of a restored log: their rows are of events that are not there.

use uuid::Uuid;

use super::generation::drop_all;
use crate::postgres::{PgError, Pool};

const PAST: &str = "select name, version from readers.checkpoints \
    where position > $1 and kind = 'projection' for update";
const RESTART: &str = include_str!("restart_past.sql");
const DELETE_SNAPSHOTS: &str = include_str!("delete_snapshots.sql");
const SNAPSHOTS_AT_ONCE: i64 = 1000;

/// Lets each projection that has read past `head` begin again from nothing, and each worker go on from
/// `head`: its acts are not repeated. A restore of the whole database needs neither, since checkpoints go
/// back with the log. Call it before readers are started; they make the views again. Returns the number
/// of projections.
///
/// # Errors
/// The database does not answer.
pub async fn restart_past(pool: &Pool, head: i64) -> Result<usize, PgError> {
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    let rows = tx.query(PAST, &[&head]).await?;
    for row in &rows {
        drop_all(&tx, (row.try_get(0)?, row.try_get(1)?)).await?;
    }
    tx.execute(RESTART, &[&head]).await?;
    tx.commit().await?;
    Ok(rows.len())
}

/// Deletes every snapshot: some may be of events that are not in the log any more. They are written again.
///
/// # Errors
/// The database does not answer.
pub async fn delete_snapshots(pool: &Pool) -> Result<(), PgError> {
    let client = pool.get().await?;
    let mut after = Uuid::nil();
    while let Some(row) = client.query_opt(DELETE_SNAPSHOTS, &[&after, &SNAPSHOTS_AT_ONCE]).await? {
        after = row.try_get(0)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::{ConnectOptions, connect};
    use test_support::databases;

    const READERS: &str = "
        insert into readers.checkpoints
          (name, version, kind, position, fence, node, lease_until, processed, generation)
        select name, version, kind, position, 3, gen_random_uuid(), 'infinity', 8,
          case kind when 'projection' then 1 else 0 end
        from (values ('past', 1, 'projection', 9), ('past', 2, 'projection', 6),
          ('at', 1, 'projection', 5), ('past_acts', 1, 'worker', 9), ('acts', 1, 'worker', 5))
          as reader (name, version, kind, position);
        insert into readers.parked (reader, version, stream_id, from_position, error) values
          ('past', 1, gen_random_uuid(), 6, ''), ('at', 1, gen_random_uuid(), 5, '');
        insert into readers.generations (name, version, generation, state, position, ceiling, node, lease_until)
        select name, version, generation, state, position, 9, gen_random_uuid(), 'infinity'
        from (values ('past', 1, 1, 'live', 0), ('past', 1, 2, 'kept', 0), ('past', 1, 3, 'building', 5),
          ('past', 1, 4, 'failed', 9), ('past', 2, 1, 'live', 0), ('at', 1, 1, 'live', 0),
          ('at', 1, 2, 'joined', 0), ('at', 1, 3, 'building', 5), ('ahead', 1, 1, 'building', 6))
          as generation (name, version, generation, state, position);
        create table read_models.past_v1_g1 (id int);
        create table read_models.past_v1_g2 ();
        create table read_models.past_v1_g3 ();
        create view read_models.past as select * from read_models.past_v1_g1;
        create table read_models.past_v2 ();
        create table read_models.past_very_v1_g1 ();
        create table read_models.at_v1_g1 (id int);
        create view read_models.at as select * from read_models.at_v1_g1";
    const GENERATIONS: &str = "select concat_ws(' ', name, version, generation, state, position,
          case when lease_until < clock_timestamp() then 'free' when lease_until is null then 'none' else 'held' end,
          case when ended_at is not null then 'ended' end)
        from readers.generations order by 1";
    const CHECKPOINTS: &str =
        "select concat_ws(' ', name, version, position, fence, processed, generation,
          case when node is null and lease_until is null then 'free' else 'held' end)
        from readers.checkpoints order by 1";

    async fn lines(pool: &Pool, sql: &str) -> Vec<String> {
        let rows = pool.get().await.unwrap().query(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    #[tokio::test]
    async fn what_has_read_past_the_end_begins_again_or_goes_on_from_there() {
        let databases = databases().await.unwrap();
        let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
        pool.get().await.unwrap().batch_execute(READERS).await.unwrap();

        assert_eq!(restart_past(&pool, 5).await.unwrap(), 2);

        let checkpoints = [
            "acts 1 5 3 8 0 held",
            "at 1 5 3 8 1 held",
            "past 1 0 4 0 0 free",
            "past 2 0 4 0 0 free",
            "past_acts 1 5 4 8 0 free",
        ];
        assert_eq!(lines(&pool, CHECKPOINTS).await, checkpoints);
        let parked = "select concat_ws(' ', reader, from_position) from readers.parked";
        assert_eq!(lines(&pool, parked).await, ["at 5"]);
        // A replay that is not past the end may be resumed.
        let generations = [
            "ahead 1 1 failed 6 none ended",
            "at 1 1 live 0 held",
            "at 1 2 joined 0 held",
            "at 1 3 building 5 free",
            "past 1 1 dropped 0 none ended",
            "past 1 2 dropped 0 none ended",
            "past 1 3 failed 5 none ended",
            "past 1 4 failed 9 held",
            "past 2 1 dropped 0 none ended",
        ];
        assert_eq!(lines(&pool, GENERATIONS).await, generations);
        let relations = "select relname::text from pg_class
            where relnamespace = 'read_models'::regnamespace and relkind in ('r', 'v') order by 1";
        let expected = ["at", "at_v1_g1", "past_very_v1_g1"];
        assert_eq!(lines(&pool, relations).await, expected);
        assert_eq!(restart_past(&pool, 5).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn all_of_many_snapshots_are_deleted() {
        let databases = databases().await.unwrap();
        let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
        let fill = "insert into event_log.snapshots (stream_id, version, snapshot_version, state)
            select gen_random_uuid(), 1, 1, '{}' from generate_series(1, 2500)";
        pool.get().await.unwrap().execute(fill, &[]).await.unwrap();

        delete_snapshots(&pool).await.unwrap();

        let left = "select stream_id::text from event_log.snapshots";
        assert_eq!(lines(&pool, left).await, Vec::<String>::new());
    }
}
