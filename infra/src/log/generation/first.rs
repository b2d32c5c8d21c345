//! The generation that a reader writes which has read nothing.

use tokio_postgres::Error;

use super::{LOCK_CHECKPOINT, show_table, table_of};
use crate::log::any_projection::AnyProjection;
use crate::postgres::Transaction;

const FIND_VIEW: &str = include_str!("find_view.sql");
const FIND_LIVE_TABLE: &str = include_str!("find_live_table.sql");
const VIEW: &str = "v";
const END_FORMER: &str = include_str!("end_former.sql");
const INSERT_LIVE: &str = include_str!("insert_live.sql");

/// Makes a projection's view, and an empty live generation behind it, unless they exist. The number of the generation, if it
/// was made. A table in the view's place holds nothing that the log does not, and is dropped. Where the view alone is gone, it
/// shows again what it showed.
pub(in crate::log) async fn make_first(
    tx: &Transaction<'_>,
    projection: &dyn AnyProjection,
) -> Result<Option<i32>, Error> {
    let (name, version, view) = (projection.name(), projection.version(), projection.view());
    // First without the lock, which would wait for the page of a reader at work.
    let (kind, is_live) = find(tx, projection).await?;
    if is_live && kind.as_deref() == Some(VIEW) {
        return Ok(None);
    }
    tx.query(LOCK_CHECKPOINT, &[&name, &version]).await?;
    let (kind, is_live) = find(tx, projection).await?;
    match (kind.as_deref(), is_live) {
        // Of a replay that came to its end meanwhile.
        (Some(VIEW), true) => return Ok(None),
        (Some(VIEW), false) => tx.batch_execute(&format!("drop view {view}")).await?,
        (Some(_), _) => tx.batch_execute(&format!("drop table {view}")).await?,
        (None, true) => {
            if let Some(live) = tx.query_opt(FIND_LIVE_TABLE, &[&name, &version]).await? {
                show_table(tx, &view, &table_of(name, version, live.try_get(0)?)).await?;
                return Ok(None);
            }
        }
        (None, false) => {}
    }
    tx.execute(END_FORMER, &[&name, &version]).await?;
    let generation = tx.query_one(INSERT_LIVE, &[&name, &version]).await?.try_get(0)?;
    let table = table_of(name, version, generation);
    // One of the same number that ended so long ago that its row is gone.
    tx.batch_execute(&format!("drop table if exists {table}")).await?;
    tx.batch_execute(&projection.table_sql().replace("{table}", &table)).await?;
    tx.batch_execute(&projection.indexes_sql().replace("{table}", &table)).await?;
    show_table(tx, &view, &table).await?;
    Ok(Some(generation))
}

/// What has the name of the view, and whether a generation is live.
async fn find(
    tx: &Transaction<'_>,
    projection: &dyn AnyProjection,
) -> Result<(Option<String>, bool), Error> {
    let (name, version, view) = (projection.name(), projection.version(), projection.view());
    let found = tx.query_one(FIND_VIEW, &[&view, &name, &version]).await?;
    Ok((found.try_get(0)?, found.try_get(1)?))
}
