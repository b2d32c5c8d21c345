//! In which order things began that a state keeps without their times: by the versions of their events.

use domain::Event;
use infra::log::Feed;
use infra::postgres::PgError;
use uuid::Uuid;

use crate::api::Api;
use crate::api::http::problem::Problem;

/// So many events, the newest of their types, are looked through.
const EVENTS_MAX: i64 = 10_000;

/// What these events of a stream name, each with the version of the event, up to this version of the stream: the newest
/// [`EVENTS_MAX`] of them, the oldest first.
///
/// # Errors
/// The database does not answer, or an event cannot be read.
pub async fn versions_of<E: Event>(
    api: &Api,
    (stream, types): (Uuid, &[&str]),
    version: i64,
    id: impl Fn(E) -> Option<Uuid>,
) -> Result<Vec<(Uuid, i64)>, Problem> {
    let client = api.app.pool.get().await.map_err(PgError::from)?;
    let events = Feed::newest_of(&client, (stream, types), 0..version + 1, EVENTS_MAX).await?;
    drop(client);
    let mut found = Vec::with_capacity(events.len());
    for event in events.iter().rev() {
        let decoded: E = event.decode().map_err(|error| Problem::internal(&error))?;
        found.extend(id(decoded).map(|id| (id, event.version())));
    }
    Ok(found)
}
