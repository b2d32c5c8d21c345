//! Older versions of projections, once no node reads them any more.

use std::time::Duration;

use super::Reader;
use super::any_projection::view_name;
use super::checkpoint::LOCK_TABLES;
use super::generation::drop_all;
use crate::postgres::{PgError, Pool};

const FIND: &str = include_str!("find_superseded.sql");
const DELETE: [&str; 3] = [
    "delete from readers.parked where reader = $1 and version = $2",
    "delete from readers.generations where name = $1 and version = $2",
    "delete from readers.checkpoints where name = $1 and version = $2",
];

/// Deletes the views, tables and checkpoints of older versions of these projections that no node has read for
/// `unused`, where the newer version has read as far as they have. A node of the older programme that starts
/// later makes its view again, and reads the log from the beginning. Returns the views.
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
    // No node may make the view or the checkpoint meanwhile.
    tx.execute(LOCK_TABLES, &[]).await?;
    let find = tx.prepare_cached(FIND).await?;
    let found = tx.query(&find, &[&names, &versions, &unused.as_secs_f64()]).await?;
    let mut views = Vec::new();
    for row in found {
        let (name, version): (&str, i16) = (row.try_get(0)?, row.try_get(1)?);
        drop_all(&tx, (name, version)).await?;
        for delete in DELETE {
            tx.execute(delete, &[&name, &version]).await?;
        }
        views.push(view_name(name, version));
    }
    tx.commit().await?;
    Ok(views)
}
