//! What readers have read past the end of a restored log: their rows are of events that are not there.

use uuid::Uuid;

use crate::postgres::{PgError, Pool};

const PAST: &str = "select name, version from readers.checkpoints \
    where position > $1 and kind = 'projection' for update";
const RESTART: &str = include_str!("restart_past.sql");
const DELETE_SNAPSHOTS: &str = include_str!("delete_snapshots.sql");
const SNAPSHOTS_AT_ONCE: i64 = 1000;

/// Lets each projection that has read past `head` begin again from nothing, and each worker go on from
/// `head`: its acts are not repeated. A restore of the whole database needs neither, since checkpoints go
/// back with the log. Call it before readers are started; they make the tables again. Returns the number
/// of projections.
///
/// # Errors
/// The database does not answer.
pub async fn restart_past(pool: &Pool, head: i64) -> Result<usize, PgError> {
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    let rows = tx.query(PAST, &[&head]).await?;
    for row in &rows {
        let (name, version): (String, i16) = (row.try_get(0)?, row.try_get(1)?);
        let table = if version == 1 { name } else { format!("{name}_v{version}") };
        let table = table.replace('"', "\"\"");
        tx.batch_execute(&format!("drop table if exists read_models.\"{table}\"")).await?;
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
