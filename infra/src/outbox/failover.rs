//! Mails after a failover: it may lose rows of the outbox and no event, which nothing else notices.

use chrono::{DateTime, Utc};

use crate::log::Recorded;
use crate::postgres::{GenericClient, PgError, Transaction};

const NOTE: &str = "select working.note_failover()";
const MAY_HAVE_GONE: &str = include_str!("may_have_gone.sql");
pub(super) const GIVE_UP: &str = include_str!("give_up_in_doubt.sql");
/// So many mails are looked at by one statement.
pub(super) const AT_ONCE: i64 = 1000;

/// Notes a failover that nobody has seen.
pub(super) async fn note_failover(client: &impl GenericClient) -> Result<i64, PgError> {
    let note = client.prepare_cached(NOTE).await?;
    Ok(client.query_one(&note, &[]).await?.try_get(0)?)
}

/// Whether the mails of this event may have gone although no row says so, since a failover was seen after it.
/// `reader` puts them into the outbox, in this transaction.
///
/// # Errors
/// The database does not answer.
pub async fn may_have_gone(
    tx: &Transaction<'_>,
    reader: &str,
    event: &Recorded,
) -> Result<bool, PgError> {
    let position = event.position();
    if position > note_failover(tx).await? {
        return Ok(false);
    }
    let look = tx.prepare_cached(MAY_HAVE_GONE).await?;
    let stream = event.stream_id();
    Ok(tx.query_one(&look, &[&position, &reader, &stream]).await?.try_get(0)?)
}

/// Of the mails that were queued before a failover.
#[derive(Default)]
pub(super) struct LookedAt {
    /// At most [`AT_ONCE`].
    pub looked_at: i64,
    /// Those that may have gone: they are unknown now.
    pub given_up: u64,
}

/// Looks at a page of them. In the transaction that claims others for SMTP.
pub(super) async fn give_up_in_doubt(
    tx: &Transaction<'_>,
    now: DateTime<Utc>,
) -> Result<LookedAt, PgError> {
    let give_up = tx.prepare_cached(GIVE_UP).await?;
    let row = tx.query_one(&give_up, &[&now, &AT_ONCE]).await?;
    let unknown: i64 = row.try_get("given_up")?;
    Ok(LookedAt { looked_at: row.try_get("looked_at")?, given_up: unknown.unsigned_abs() })
}
