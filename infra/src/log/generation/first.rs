//! The generation that a reader writes which has read nothing.

use tokio_postgres::Error;

use super::table_of;
use crate::log::any_projection::AnyProjection;
use crate::postgres::Transaction;

const FIND_VIEW: &str = include_str!("find_view.sql");
const END_FORMER: &str = include_str!("end_former.sql");
const INSERT_LIVE: &str = include_str!("insert_live.sql");

/// Makes a projection's view, and an empty live generation behind it, unless they exist. The number of the generation, if it
/// was made. A table in the view's place holds nothing that the log does not, and is dropped.
pub(in crate::log) async fn make_first(
    tx: &Transaction<'_>,
    projection: &dyn AnyProjection,
) -> Result<Option<i32>, Error> {
    let (name, version, view) = (projection.name(), projection.version(), projection.view());
    let found = tx.query_one(FIND_VIEW, &[&view, &name, &version]).await?;
    let (kind, is_live): (Option<&str>, bool) = (found.try_get(0)?, found.try_get(1)?);
    match (kind, is_live) {
        (Some("v"), true) => return Ok(None),
        (Some("v"), false) => tx.batch_execute(&format!("drop view {view}")).await?,
        (Some(_), _) => tx.batch_execute(&format!("drop table {view}")).await?,
        (None, _) => {}
    }
    tx.execute(END_FORMER, &[&name, &version]).await?;
    let generation = tx.query_one(INSERT_LIVE, &[&name, &version]).await?.try_get(0)?;
    let table = table_of(name, version, generation);
    // One of the same number that ended so long ago that its row is gone.
    tx.batch_execute(&format!("drop table if exists {table}")).await?;
    tx.batch_execute(&projection.table_sql().replace("{table}", &table)).await?;
    tx.batch_execute(&projection.indexes_sql().replace("{table}", &table)).await?;
    tx.batch_execute(&format!("create view {view} as select * from {table}")).await?;
    Ok(Some(generation))
}
