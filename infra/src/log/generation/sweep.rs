//! What generations leave: those that were kept for long enough, what a replay has left that was killed, and tables of
//! whatever ended.

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::discard::end;
use super::error::is_busy;
use super::{
    GenerationState, LIMIT_CHECKPOINT_WAIT, LIMIT_TABLE_WAIT, LOCK_CHECKPOINT, free_checkpoint,
};
use crate::log::checkpoint::LOCK_TABLES;
use crate::postgres::{PgError, Pool, PooledClient};

const IS_OVER: &str = include_str!("is_over.sql");
const FIND_OVER: &str =
    "select name, version, generation from readers.generations where {is_over} order by 1, 2, 3";
const TABLES_LEFT: &str = include_str!("tables_left.sql");
/// Until then it says why it ended.
const DELETE_ENDED: &str = "delete from readers.generations \
    where ended_at < clock_timestamp() - interval '30 days'";
const LEFT: &str = "its replay ended, and none went on with it within a minute";

/// Ends generations that were kept until now, and those whose replay lost its lease a minute ago; drops the tables of all
/// that ended; deletes the rows of those that ended 30 days ago. What somebody uses is left to the next call. Returns the
/// tables that were dropped.
///
/// # Errors
/// The database does not answer.
pub async fn sweep_generations(pool: &Pool) -> Result<Vec<String>, PgError> {
    let mut client = pool.get().await?;
    let over = client.query(&FIND_OVER.replace("{is_over}", IS_OVER), &[]).await?;
    for row in over {
        let generation = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        unless_busy(end_over(&mut client, generation).await)?;
    }
    let left = client.query(TABLES_LEFT, &[&None::<&str>]).await?;
    let mut dropped = Vec::new();
    for row in left {
        let table: String = row.try_get(0)?;
        match drop_left(&mut client, &table).await {
            Ok(true) => dropped.push(table),
            Ok(false) => {}
            Err(error) if is_busy(&error) => {}
            // Such as a view of somebody's own. It holds up no other table.
            Err(error) if error.code() == Some(&SqlState::DEPENDENT_OBJECTS_STILL_EXIST) => {
                tracing::warn!(table, %error, "the table of a generation is not dropped");
            }
            Err(error) => return Err(error.into()),
        }
    }
    client.execute(DELETE_ENDED, &[]).await?;
    Ok(dropped)
}

fn unless_busy(done: Result<bool, Error>) -> Result<bool, Error> {
    match done {
        Err(error) if is_busy(&error) => Ok(false),
        done => done,
    }
}

async fn end_over(
    client: &mut PooledClient,
    (name, version, generation): (&str, i16, i32),
) -> Result<bool, Error> {
    let tx = client.transaction().await?;
    tx.batch_execute(LIMIT_CHECKPOINT_WAIT).await?;
    // No replay may begin meanwhile, which goes on with it.
    tx.execute(LOCK_TABLES, &[]).await?;
    tx.query(LOCK_CHECKPOINT, &[&name, &version]).await?;
    let failed = (GenerationState::Failed, Some(LEFT));
    let ended = end(&tx, (name, version, generation), IS_OVER, failed).await?;
    if ended {
        free_checkpoint(&tx, (name, version)).await?;
    }
    tx.commit().await?;
    Ok(ended)
}

/// Drops the table of a generation that has ended, unless somebody uses it, as a dump does: then the next sweep drops it.
pub(in crate::log) async fn drop_now_or_later(
    client: &mut PooledClient,
    (name, version, generation): (&str, i16, i32),
) {
    let table = format!("{name}_v{version}_g{generation}");
    if let Err(error) = drop_left(client, &table).await {
        tracing::debug!(table, %error, "the table of a generation is left to the next sweep");
    }
}

async fn drop_left(client: &mut PooledClient, table: &str) -> Result<bool, Error> {
    let tx = client.transaction().await?;
    tx.batch_execute(LIMIT_TABLE_WAIT).await?;
    // Another one with this number may have been begun.
    tx.execute(LOCK_TABLES, &[]).await?;
    let is_left = tx.query_opt(TABLES_LEFT, &[&Some(table)]).await?.is_some();
    if is_left {
        tx.batch_execute(&format!("drop table read_models.\"{table}\"")).await?;
    }
    tx.commit().await?;
    Ok(is_left)
}
