//! Older versions of projections, once no node reads them any more.

use std::time::Duration;

use super::Reader;
use super::any_projection::view_name;
use super::checkpoint::LOCK_TABLES;
use crate::postgres::{PgError, Pool};

const FIND: &str = include_str!("find_superseded.sql");
const DELETE: [&str; 3] = [
    "delete from readers.parked where reader = $1 and version = $2",
    "delete from readers.replays where name = $1 and version = $2",
    "delete from readers.checkpoints where name = $1 and version = $2",
];

/// Deletes the tables and checkpoints of older versions of these projections that no node has read for
/// `unused`, where the newer version has read as far as they have. A node of the older programme that starts
/// later makes its table again, and reads the log from the beginning. Returns the tables.
///
/// # Errors
/// The database does not answer.
pub async fn delete_superseded(
    pool: &Pool,
    projections: &[Reader],
    unused: Duration,
) -> Result<Vec<String>, PgError> {
    let names: Vec<_> = projections.iter().map(Reader::name).collect();
    let versions: Vec<_> = projections.iter().map(Reader::version).collect();
    let mut client = pool.get().await?;
    let tx = client.transaction().await?;
    // No node may make the table or the checkpoint meanwhile.
    tx.execute(LOCK_TABLES, &[]).await?;
    let find = tx.prepare_cached(FIND).await?;
    let found = tx.query(&find, &[&names, &versions, &unused.as_secs_f64()]).await?;
    let mut tables = Vec::new();
    for row in found {
        let (name, version): (&str, i16) = (row.try_get(0)?, row.try_get(1)?);
        let table = view_name(name, version);
        let quoted = table.replace('"', "\"\"");
        let drop = format!(
            "drop table if exists read_models.\"{quoted}\", read_models.\"{quoted}_shadow\""
        );
        tx.batch_execute(&drop).await?;
        for delete in DELETE {
            tx.execute(delete, &[&name, &version]).await?;
        }
        tables.push(table);
    }
    tx.commit().await?;
    Ok(tables)
}
