//! Whether two URLs lead to one database.

use tokio_postgres::types::Type;

use super::{ConnectOptions, DatabaseUrl, PgError, connect_one};

const LOCK: &str = "with drawn as materialized (select hashtextextended(gen_random_uuid()::text, 0) as key) \
    select key, pg_advisory_lock(key) from drawn";
const IS_FREE: &str = "select pg_try_advisory_xact_lock($1)";

/// Whether both URLs lead to one database of one running server: an advisory lock that a session of the
/// one holds is then not free for a session of the other. Names do not say it (a proxy has its own), and
/// neither does a row: a copy, or a standby, has it too. `other` may lead through a pooling proxy.
///
/// # Errors
/// One of the servers is not reached.
pub async fn is_same_database(
    direct: &DatabaseUrl,
    other: &DatabaseUrl,
    proxied: bool,
) -> Result<bool, PgError> {
    let holder = connect_one(direct, &ConnectOptions::default()).await?;
    let key: i64 = holder.query_one(LOCK, &[]).await?.try_get(0)?;
    let options = ConnectOptions { proxied, ..ConnectOptions::default() };
    let seeker = connect_one(other, &options).await?;
    // One round trip, which a proxy of any version sends to one server.
    let rows = seeker.query_typed(IS_FREE, &[(&key, Type::INT8)]).await?;
    let is_free: Option<bool> = rows.first().map(|row| row.try_get(0)).transpose()?;
    Ok(is_free == Some(false))
}
