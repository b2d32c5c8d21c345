//! Mails after a failover: it may lose rows of the outbox and no event, which nothing else notices.

use super::Outbox;
use crate::postgres::{GenericClient, PgError};
use crate::statement::execute;

const NOTE: &str = "select working.note_failover()";
const GIVE_UP: &str = include_str!("give_up_in_doubt.sql");

/// The position through which an event's mails may have gone although no row says so, since a failover
/// was seen there; 0: none was. Notes a failover that nobody has seen, and which of the queued mails are in
/// doubt with it.
///
/// # Errors
/// The database does not answer.
pub async fn note_failover(client: &impl GenericClient) -> Result<i64, PgError> {
    let note = client.prepare_cached(NOTE).await?;
    Ok(client.query_one(&note, &[]).await?.try_get(0)?)
}

impl Outbox {
    /// The queued mails that may have gone before a failover are unknown: call it before mails are claimed
    /// for SMTP, which would send them twice. Returns how many they are.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn give_up_in_doubt(&self) -> Result<u64, PgError> {
        note_failover(&self.pool.get().await?).await?;
        execute(&self.pool, GIVE_UP, &[&self.clock.now()]).await
    }
}
