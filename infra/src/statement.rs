//! One statement on a connection of the pool.

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::postgres::{PgError, Pool};

pub(crate) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

pub(crate) async fn query(pool: &Pool, sql: &str, values: Values<'_>) -> Result<Vec<Row>, PgError> {
    let client = pool.get().await?;
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query(&statement, values).await?)
}

pub(crate) async fn query_opt(
    pool: &Pool,
    sql: &str,
    values: Values<'_>,
) -> Result<Option<Row>, PgError> {
    let client = pool.get().await?;
    let statement = client.prepare_cached(sql).await?;
    Ok(client.query_opt(&statement, values).await?)
}

/// Returns the number of rows.
pub(crate) async fn execute(pool: &Pool, sql: &str, values: Values<'_>) -> Result<u64, PgError> {
    let client = pool.get().await?;
    let statement = client.prepare_cached(sql).await?;
    Ok(client.execute(&statement, values).await?)
}
