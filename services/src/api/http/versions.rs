//! In which order things began that a state keeps without their times: by the versions of their events.

use infra::log::{ToSql, Type};
use infra::postgres::PgError;
use uuid::Uuid;

use crate::api::Api;
use crate::api::http::problem::Problem;

const FIND_VERSIONS: &str = include_str!("find_versions.sql");
/// So many events of the stream, the newest, are looked through: no index has their types.
const EVENTS_MAX: i64 = 10_000;

/// What these events of a stream name in this field, each with the version of the event, up to this version of the
/// stream, the oldest first. Nothing that is sealed is read: a configuration is long.
///
/// # Errors
/// The database does not answer.
pub async fn versions_of(
    api: &Api,
    (stream, types): (Uuid, &[&str]),
    version: i64,
    field: &str,
) -> Result<Vec<(Uuid, i64)>, Problem> {
    let after = version.saturating_sub(EVENTS_MAX);
    let values: [(&(dyn ToSql + Sync), Type); 5] = [
        (&stream, Type::UUID),
        (&types, Type::TEXT_ARRAY),
        (&after, Type::INT8),
        (&version, Type::INT8),
        (&field, Type::TEXT),
    ];
    let client = api.app.pool.get().await.map_err(PgError::from)?;
    let rows = client.query_typed(FIND_VERSIONS, &values).await.map_err(PgError::from)?;
    let found = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    Ok(found.collect::<Result<_, infra::log::SqlError>>().map_err(PgError::from)?)
}
